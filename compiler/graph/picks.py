"""Picks: a choice between what two places hold is what the chosen place holds, by rules.

In: a node whose inputs are simplified. Out: an equal node, or None.
Invariant: on every input on which both picks have an answer the node is the same (docs/constructions.md, C41).

    aggregate(select(indices, p, ==), v) if c else aggregate(select(indices, q, ==), v)
    is  aggregate(select(indices, p if c else q, ==), v)
"""

from __future__ import annotations

from compiler.graph.domain import LENGTH, TOKEN
from compiler.graph.domain.variables import POSITION, Variables
from compiler.graph.known import Known, NodeRule
from compiler.graph.rules import Rule
from rasp.meaning.sop import Aggregate, Map, Node, Select, SOp


def _one_pick(node: Node, _: Known) -> Node | None:
    match node:
        case Map(
            op="if",
            args=(
                condition,
                Aggregate(selector=Select(key=key, query=p, predicate=predicate), value=value, default=default),
                Aggregate(selector=Select(key=other, query=q, predicate=asked), value=same) as second,
            ),
        ):
            alike = (key, predicate, value) == (other, asked, same) and _same(default, second.default)
            if alike and _is_early(condition):
                return Aggregate(Select(key, Map("if", (condition, p, q)), predicate), value, default)
    return None


def _same(one: object, other: object) -> bool:
    return one == other and type(one) is type(other)


def _is_early(condition: SOp) -> bool:
    """Whether a condition is known before anything is fetched; else the pick would have to wait for it."""
    return {*Variables().of(condition)} <= {TOKEN, POSITION, LENGTH}


RULES: tuple[NodeRule, ...] = (
    Rule("one pick for two", "pick(p) if c else pick(q) is pick(p if c else q)", "C41", _one_pick),
)
