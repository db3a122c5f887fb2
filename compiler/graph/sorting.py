"""Sorting: what is read off a sorted sequence is read off the keys that it was sorted from, by rules.

In: an aggregate whose inputs are simplified. Out: an equal s-op that needs no sorted sequence, or None.
Invariant: on every input with an answer the s-op is the same (docs/constructions.md, C30).

    sort(x, x)[-1]   is   aggregate(select(selector_width(select(x, x, >)), 0, ==), x)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from typing import assert_never

from compiler.graph.domain import LENGTH, Setting
from compiler.graph.domain.dependencies import lexicographic
from compiler.graph.domain.variables import POSITION
from compiler.graph.known import Known, NodeRule
from compiler.graph.relation import EQUAL, Compared, Conjunction
from compiler.graph.rules import Rule
from rasp.meaning.sop import (
    Aggregate,
    And,
    Constant,
    Lookup,
    Map,
    Node,
    Not,
    Or,
    Select,
    Selector,
    SOp,
    Tokens,
    Width,
    closed,
    reachable,
)

LAST = Map("-", (LENGTH, Constant(1)))
"""The last position."""


@dataclass(frozen=True)
class Placed:
    """A selector of the keys at a place in an order; the order is strict."""

    place: SOp
    query: SOp
    order: Sequence[Compared]

    @staticmethod
    def of(selector: Selector, known: Known) -> Placed | None:
        """The selector as one of keys at a place, if it is one and what is sorted need not stay so."""
        match selector:
            case Select(key=Width(selector=before) as place, query=query, predicate="==") if known.unsorted:
                order = _order(known.cases(before) or [])
                return Placed(place, query, order) if order else None
        return None

    @property
    def is_permutation(self) -> bool:
        """Whether no two keys share a place: positions are put in order too."""
        return POSITION in [level for level, _, _ in self.order]


def _at_its_keys(node: Node, known: Known) -> Node | None:
    match node:
        case Aggregate(selector=selector, value=Aggregate(value=value) as ordered, default=default):
            placed = Placed.of(ordered.selector, known)
            if placed is not None and placed.query is POSITION and placed.is_permutation:
                moved = _moved(selector, {POSITION: placed.place, ordered: value, LENGTH: LENGTH})
                return None if moved is None else Aggregate(moved, value, default)
    return None


def _moved(selector: Selector, keys: dict[Node, SOp]) -> Selector | None:
    """The selector with other keys; None where a key is computed from more than those that are given."""
    match closed(selector):
        case Select(key=key, query=query, predicate=predicate):
            new = _computed(key, keys)
            cheap = predicate == "==" or isinstance(query, Constant)  # positions are put in order for less than places
            return Select(new, query, predicate) if cheap and new is not None else None
        case Not(arg=arg):
            inner = _moved(arg, keys)
            return None if inner is None else Not(inner)
        case And(left=left, right=right) | Or(left=left, right=right):
            one, other = _moved(left, keys), _moved(right, keys)
            kind = And if isinstance(selector, And) else Or
            return None if one is None or other is None else kind(one, other)
        case unknown:
            assert_never(unknown)


def _computed(key: SOp, keys: dict[Node, SOp]) -> SOp | None:
    """The key computed from others, position by position."""
    new: dict[Node, SOp | None] = {}
    for node in reachable([key]):
        args = [new.get(arg) for arg in node.inputs]
        match node:
            case Constant():
                new[node] = node
            case Map() | Lookup() if node not in keys and None not in args:
                found = [arg for arg in args if arg is not None]
                new[node] = replace(node, args=tuple(found)) if isinstance(node, Map) else replace(node, arg=found[0])
            case _:
                new[node] = keys.get(node)
    return new[key]


def _from_the_end(node: Node, known: Known) -> Node | None:
    if not isinstance(node, Aggregate):
        return None
    placed = Placed.of(node.selector, known)
    if placed is None or placed.query is not LAST or not placed.is_permutation:
        return None
    opposite = [(level, level, frozenset("<>") - sign) for level, _, sign in placed.order]
    return Aggregate(_first(opposite), node.value, node.default)


def _tied(node: Node, known: Known) -> Node | None:
    placed = Placed.of(node.selector, known) if isinstance(node, Aggregate) else None
    if not isinstance(node, Aggregate) or placed is None or placed.query is not Constant(0):
        return None
    levels = [level for level, _, _ in placed.order]
    told = (number for number, level in enumerate(levels, 1) if _tells(level, node.value, known.setting))
    most = next(told, len(levels))
    return _averaged(_first(placed.order[:most]), node.value, known) if most < len(levels) else None


def _averaged(selector: Selector, value: SOp, known: Known) -> SOp | None:
    """What all selected keys have. Several are averaged: an int is a float then, and a text as a number looked up."""
    match known.kind(value):
        case "float":
            return Aggregate(selector, value)
        case "int":
            return Map("round", (Aggregate(selector, value),))
    if not isinstance(value, Tokens) or known.kind(value) is None:
        return None
    texts = dict.fromkeys(known.setting.converted(value.convert).values())
    numbers = {text: number for number, text in enumerate(texts) if text is not None}
    number = Aggregate(selector, Lookup(tuple(numbers.items()), value))
    return Lookup(tuple((number, text) for text, number in numbers.items()), number)


def _order(cases: Sequence[Conjunction]) -> list[Compared]:
    """The comparisons of the strict lexicographic order that says who comes before me; empty if it is another count."""
    chains = sorted((case.parts for case in cases), key=len)
    levels = lexicographic(chains) or ()
    steps = {key: sign for chain in chains for key, _, sign in chain if sign != EQUAL}
    if any("=" in steps[level] for level in levels):
        return []
    return [_upright(level, steps[level]) for level in levels]


def _upright(level: SOp, sign: frozenset[str]) -> Compared:
    """-x < -x is x > x."""
    while isinstance(level, Map) and level.op == "negate":
        level, sign = level.args[0], frozenset("<>") - sign
    return level, level, sign


def _first(order: Sequence[Compared]) -> Selector:
    """The selector of the keys before which no other key comes."""
    ties = [(level, level, EQUAL) for level, _, _ in order]
    chains = [Conjunction((*ties[:number], step)).selector() for number, step in enumerate(order)]
    return Select(Width(reduce(Or, chains)), Constant(0), "==")


def _tells(level: SOp, value: SOp, setting: Setting) -> bool:
    """Whether keys that are alike in a level are alike in the value: it is the same, or tells all tokens apart."""
    if level is value:
        return True
    if not isinstance(level, Tokens) or not isinstance(value, Tokens):
        return False
    found = setting.converted(level.convert).values()
    return None not in found and len(set(found)) == len(found)


RULES: tuple[NodeRule, ...] = (
    Rule("read at its keys", "aggregate(s(indices), sort(v, x), d) is aggregate(s(place), v, d)", "C30", _at_its_keys),
    Rule("first from the end", "aggregate(place == length - 1, v) is aggregate(place' == 0, v)", "C30", _from_the_end),
    Rule("any of the first", "aggregate(first by x and y, x) is aggregate(first by x, x)", "C30", _tied),
)
