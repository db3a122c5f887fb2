"""Means: whatever reads a mean of too many values reads whole numbers instead, by rules.

In: simplified s-ops, and what the analysis knows of them. Out: a map from nodes to their replacements, in which a mean
of too many values is read nowhere: comparisons are cross-multiplied, `round` and the outputs have a numerator and a
denominator of whole numbers (docs/constructions.md, C24).
Invariant: as for `simplify`: on every input with an answer, the answer is the same.

    aggregate(s, v) > 1 / 2     is   2 total(s, v) - selector_width(s) > 0
    round(aggregate(s, v))      is   round(total(s, v) / selector_width(s))
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import TypeAlias

from compiler.graph.domain import TOKEN, Analysis, args
from compiler.graph.polynomial import Ratio, product
from compiler.graph.ratios import Ratios
from compiler.graph.relation import EQUAL
from compiler.graph.rules import Rule, rebuilt, rewritten
from rasp.meaning.operators import MIRRORED, PREDICATES
from rasp.meaning.sop import Aggregate, Constant, Lookup, Map, Node, Select, SOp, Tokens, reachable
from rasp.text.source import RaspError


def without_means(analysis: Analysis, most: int, roots: Iterable[Node], outputs: Collection[Node]) -> dict[Node, Node]:
    """The replacement of each node below the roots. Means of at most so many values are left alone."""
    roots = list(roots)
    ratios = Ratios(analysis, most, any(_asks_for_int(node, analysis) for node in reachable(roots)))
    new: dict[Node, Node] = {}
    for node in reachable(roots):
        new[node] = rewritten(rebuilt(node, new), RULES, ratios)
    for node in outputs:
        new[node] = rewritten(new[node], DECODED, ratios)
    return new


def _asks_for_int(node: Node, analysis: Analysis) -> bool:
    """Whether a node takes an int and no float: a list is read at one, a text is repeated by one."""
    match node:
        case Lookup(sequence=int()):
            return True
        case Map(op="*", args=args):
            domains = map(analysis.domain_if_any, args)
            return not all(domain is not None and domain.numeric for domain in domains)
    return False


def _wide(node: Node, ratios: Ratios) -> Ratio | None:
    """The ratio of an s-op that has too many values to be told apart."""
    return ratios.ratio(node) if isinstance(node, SOp) and ratios.is_wide(node) else None


def _cancelled(node: Node, ratios: Ratios) -> Node | None:
    ratio = _wide(node, ratios) if isinstance(node, Map) else None
    return None if ratio is None or ratio.under or ratio.factor.denominator != 1 else ratio.quotient()


def _decoded(node: Node, ratios: Ratios) -> Node | None:
    ratio = _wide(node, ratios)
    return None if ratio is None else ratio.quotient()


def _own(node: Node, ratios: Ratios) -> Node | None:
    return node.value if isinstance(node, Aggregate) and _is_own(node, ratios.analysis) else None


def _is_own(node: Aggregate, analysis: Analysis) -> bool:
    """Whether all keys have what I have: it is the same everywhere, or all keys equal me in what it is made of."""
    try:
        cases = analysis.disjuncts(node.selector)
        if not analysis.never_empty(node.selector):
            return False
        if analysis.is_uniform(node.value):
            return True
        if len(cases) != 1:
            return False
    except RaspError:
        return False
    same = {key for key, query, comparison in cases[0].parts if key is query and comparison == EQUAL}
    return _is_from(node.value, {TOKEN if isinstance(key, Tokens) and key.convert == "str" else key for key in same})


def _is_from(node: SOp, known: Collection[SOp]) -> bool:
    """Whether the s-op is computed from some others, position by position."""
    if node in known or isinstance(node, Constant):
        return True
    if isinstance(node, Tokens):
        return TOKEN in known
    return isinstance(node, Map | Lookup) and all(_is_from(arg, known) for arg in args(node))


def _compared(node: Node, ratios: Ratios) -> Node | None:
    match node:
        case Map(op=op, args=(a, b)) if op in PREDICATES and (ratios.is_wide(a) or ratios.is_wide(b)):
            left, right = ratios.ratio(a), ratios.ratio(b)
            if left is None or right is None:
                return None
            difference = ratios.added(left, replace(right, factor=-right.factor))
            return None if difference is None else Map(op, (difference.over, Constant(0)))
    return None


def _rounded(node: Node, ratios: Ratios) -> Node | None:
    match node:
        case Map(op="round", args=(a,)) if (ratio := _wide(a, ratios)) is not None:
            return Map("round", (ratio.quotient(),))
    return None


def _rounded_whole(node: Node, ratios: Ratios) -> Node | None:
    match node:
        case Map(op="round", args=(a,)) if ratios.is_rounded(a):
            return a
    return None


def _asked(node: Node, ratios: Ratios) -> Node | None:
    match node:
        case Select(key=key, query=query, predicate=op):
            if ratios.is_wide(key) and not ratios.analysis.variables(query):
                return Select(_truth(op, key, query, ratios), Constant(True), "==")
            if ratios.is_wide(query) and not ratios.analysis.variables(key):
                return Select(Constant(True), _truth(op, key, query, ratios), "==")
    return None


def _truth(op: str, key: SOp, query: SOp, ratios: Ratios) -> SOp:
    found = rewritten(Map(op, (key, query)), RULES, ratios)
    assert isinstance(found, SOp)
    return found


def _floored(node: Node, ratios: Ratios) -> Node | None:
    match node:
        case Select(key=key, query=query, predicate=op):
            if (ratio := _wide(query, ratios)) is not None and ratios.is_whole(key):
                near = _next(op, ratio)
                return None if near is None else replace(node, query=near)
            if (ratio := _wide(key, ratios)) is not None and ratios.is_whole(query):
                near = _next(MIRRORED[op], ratio)
                return None if near is None else replace(node, key=near)
    return None


def _next(op: str, ratio: Ratio) -> SOp | None:
    """The whole number with which another one compares as with a ratio: the next one below it, or above."""
    if op in ("==", "!="):
        return None
    if op in ("<=", ">"):  # own <= x if own <= floor(x); own > x if own > floor(x)
        return ratio.floor()
    return product([replace(ratio, factor=-ratio.factor).floor(), Constant(-1)])


RatioRule: TypeAlias = Rule[[Node, Ratios], Node | None]
"""A rule of one node that asks for ratios."""

RULES: tuple[RatioRule, ...] = (
    Rule("cancelling", "a / m, m divides a is a whole number", "C24", _cancelled),
    Rule("mean of what I have", "aggregate(select(x, x, ==), f(x)) is f(x)", "C24", _own),
    Rule("cross-multiplication", "a / m < b / n is a n - b m < 0", "C24", _compared),
    Rule("round of a mean", "round(aggregate(s, v)) is round(total(s, v) / selector_width(s))", "C24", _rounded),
    Rule("round of what is whole", "round(a) is a", "C24", _rounded_whole),
    Rule("comparison on one side", "select(a / m, c, <) is select(a - c m < 0, True, ==)", "C24", _asked),
    Rule("next whole number", "select(k, a / m, >) is select(k, floor(a / m), >)", "C24", _floored),
)
DECODED: tuple[RatioRule, ...] = (Rule("quotient of whole numbers", "a mean is total / width", "C24", _decoded),)
"""Of what is decoded, or printed, there is nothing else to read."""
