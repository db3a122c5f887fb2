"""Rules: rewrites as data: what equals what, which construction says so, and the function that does it.

In: a node, and what a rule may know. Out: an equal node, by each rule that has one for what those before it made.
Invariant: on every input on which a node has an answer, its replacement has the same; where the original raises, the
replacement may answer. The rules are listed in docs/constructions.md (C29), and tested one by one.

    round of a whole number:  round(n) is n  (C11)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, ParamSpec, TypeVar

from rasp.meaning.sop import Node

F = TypeVar("F")
P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class Rule(Generic[P, R]):
    """A rewrite with a name, its equation, and the number of the construction that derives it."""

    name: str
    equation: str
    number: str
    apply: Callable[P, R]


def rewritten(node: Node, rules: Sequence[Rule[[Node, F], Node | None]], facts: F) -> Node:
    """What the rules make of a node, each of what those before it made; the node itself where none says anything."""
    for rule in rules:
        found = rule.apply(node, facts)
        node = node if found is None else found
    return node
