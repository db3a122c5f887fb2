"""Rules: rewrites as data: what equals what, which construction says so, and the function that does it.

In: a node, and what a rule may know. Out: an equal node, by each rule that has one for what those before it made.
Invariant: on every input on which a node has an answer, its replacement has the same; where the original raises, the
replacement may answer. The rules are listed in docs/constructions.md (C29), and tested one by one.

    round of a whole number:  round(n) is n  (C11)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Generic, ParamSpec, TypeVar

from rasp.meaning.sop import Encoded, Node, reachable

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


def rebuilt(node: Node, new: Mapping[Node, Node]) -> Node:
    """The node over the replacements of its inputs; inputs that are not in the map stay.

    What is encoded is no input: it is of the encoder, even if the decoder has an s-op that is the same.
    """
    if isinstance(node, Encoded):
        return node
    changed: dict[str, Any] = {}
    for field in fields(node):  # type: ignore[arg-type]
        value = getattr(node, field.name)
        if isinstance(value, Node) and new.get(value, value) is not value:
            changed[field.name] = new[value]
        elif isinstance(value, tuple) and any(isinstance(item, Node) for item in value):
            changed[field.name] = tuple(new.get(item, item) for item in value)
    return replace(node, **changed) if changed else node  # type: ignore[type-var]


def substituted(nodes: Iterable[Node], new: Mapping[Node, Node]) -> dict[Node, Node]:
    """What becomes of nodes, inputs first, where others stand for some of them, which are said over the old ones."""
    found: dict[Node, Node] = {}
    for node in nodes if new else ():
        made = new.get(node, node)
        for current in reachable([made], found.__contains__):
            found[current] = rebuilt(current, found)
        found[node] = found[made]
    return found
