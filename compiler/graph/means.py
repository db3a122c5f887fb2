"""Means: whatever reads a mean of too many values reads whole numbers instead, by rules.

In: simplified s-ops, and what the analysis knows of them. Out: a map from nodes to their replacements, in which a mean
of too many values is read nowhere: comparisons are cross-multiplied, `round` and the outputs have a numerator and a
denominator of whole numbers (docs/constructions.md, C24).
Invariant: as for `simplify`: on every input with an answer, the answer is the same.

    aggregate(s, v) > 1 / 2     is   2 total(s, v) - selector_width(s) > 0
    round(aggregate(s, v))      is   round(total(s, v) / selector_width(s))
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import count, pairwise
from math import ceil
from typing import NamedTuple, TypeAlias

from compiler.graph.domain import TOKEN, Analysis, args, cone
from compiler.graph.polynomial import Ratio, product
from compiler.graph.ratios import Ratios
from compiler.graph.relation import EQUAL
from compiler.graph.rules import Rule, rebuilt, rewritten
from rasp.meaning.operators import MIRRORED, PREDICATES
from rasp.meaning.sop import Aggregate, Constant, Lookup, Map, Node, Select, SOp, Tokens, reachable
from rasp.text.source import RaspError
from rasp.value import Value

MOST_STEPS = 16
"""Steps of a function of a mean that are compared with one by one."""


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
    """Of the means that an output is computed from, elementwise, the outermost become quotients."""
    if not isinstance(node, SOp):
        return None
    parts = ((part, _wide(part, ratios)) for part in cone(node, ()))
    return _over(node, {part: ratio.quotient() for part, ratio in parts if ratio is not None})


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


def _made(node: Node, ratios: Ratios) -> Node | None:
    """A choice of which it is known how it ends."""
    match node:
        case Map(op="if", args=(condition, a, b)):
            domain = ratios.analysis.domain_if_any(condition)
            if domain is not None and [*domain] in ([True], [False]) and isinstance(domain.values[0], bool):
                return a if domain.values[0] else b
    return None


def _rounded_whole(node: Node, ratios: Ratios) -> Node | None:
    match node:
        case Map(op="round", args=(a,)) if ratios.is_rounded(a):
            return a
    return None


def _stepped(node: Node, ratios: Ratios) -> Node | None:
    """A function of a mean that has few steps: how many of them are behind says which value it has."""
    if not isinstance(node, Map | Lookup) or (wide := ratios.below(node)) in (None, node):
        return None
    ratio = ratios.ratio(wide)
    if ratio is None or not ratio.under:
        return None
    quotient = ratio.quotient()
    domain = ratios.analysis.domain_if_any(quotient)
    if domain is None:
        return None
    function = _over(node, {wide: quotient})
    pieces: list[_Piece] = []
    for each in (1 + len(domain) // (8 * MOST_STEPS), 1):  # what has many steps at some values has more at all of them
        pieces = _pieces(function, quotient, domain.values[::each], ratios.analysis)
        if len(pieces) > MOST_STEPS + 1:
            return None
    if len(pieces) < 2:
        return None
    behind = [_behind(ratio, before.last, after.first, ratios) for before, after in pairwise(pieces)]
    values = [piece.value for piece in pieces]
    if values == [False, True] and isinstance(values[0], bool):
        return behind[0]
    passed: SOp = Map("indicator", (behind[0],))
    for truth in behind[1:]:
        passed = Map("+", (passed, Map("indicator", (truth,))))
    return Lookup(tuple(enumerate(values)), passed)


class _Piece(NamedTuple):
    """Neighbouring arguments of a function at which it has one value."""

    value: Value
    first: Fraction
    last: Fraction


def _pieces(node: SOp, leaf: SOp, values: Sequence[Value], analysis: Analysis) -> list[_Piece]:
    """The pieces of a function of one number, of which ascending values are given."""
    found: list[_Piece] = []
    for argument, value in zip(values, analysis.at_values(node, leaf, values), strict=True):
        number = Fraction(argument)
        if found and (type(value), value) == (type(found[-1].value), found[-1].value):
            found[-1] = found[-1]._replace(last=number)
        elif value is not None:
            found.append(_Piece(value, number, number))
    return found


def _over(node: SOp, given: Mapping[SOp, SOp]) -> SOp:
    """The s-op over replacements of what it is computed from."""
    new: dict[Node, Node] = dict(given.items())
    for part in cone(node, given):
        new[part] = rebuilt(part, new)
    found = new[node]
    assert isinstance(found, SOp)
    return found


def _behind(ratio: Ratio, low: Fraction, high: Fraction, ratios: Ratios) -> SOp:
    """Whether a ratio is the second of two numbers at least; it is never between them.

    It is compared with the number of least denominator from one to the other.
    """
    limit = next(Fraction(ceil(low * under), under) for under in count(1) if ceil(low * under) <= high * under)
    difference = ratios.added(ratio, Ratio(-limit, Constant(1), Counter()))
    assert difference is not None  # its denominators are those of the ratio
    return Map(">=" if limit == high else ">", (difference.over, Constant(0)))


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
            if (ratio := _wide(query, ratios)) is not None and ratios.analysis.is_whole(key):
                return replace(node, query=_next(op, ratio, key, ratios))
            if (ratio := _wide(key, ratios)) is not None and ratios.analysis.is_whole(query):
                return replace(node, key=_next(MIRRORED[op], ratio, query, ratios))
    return None


def _next(op: str, ratio: Ratio, other: SOp, ratios: Ratios) -> SOp:
    """The whole number with which another one compares as with a ratio: the next one below it, or above.

    What is equal to no whole number is as what the other one never is.
    """
    if op in ("==", "!="):
        floor, never = ratio.floor(), int(ratios.analysis.domain(other).ends[0]) - 1
        whole = Map(
            "==",
            (
                product([floor, *ratio.under.elements(), Constant(ratio.factor.denominator)]),
                product([ratio.over, Constant(ratio.factor.numerator)]),
            ),
        )
        return Map("if", (whole, floor, Constant(never)))
    if op in ("<=", ">"):  # own <= x if own <= floor(x); own > x if own > floor(x)
        return ratio.floor()
    return product([replace(ratio, factor=-ratio.factor).floor(), Constant(-1)])


RatioRule: TypeAlias = Rule[[Node, Ratios], Node | None]
"""A rule of one node that asks for ratios."""

RULES: tuple[RatioRule, ...] = (
    Rule("cancelling", "a / m, m divides a is a whole number", "C24", _cancelled),
    Rule("mean of what I have", "aggregate(select(x, x, ==), f(x)) is f(x)", "C24", _own),
    Rule("cross-multiplication", "a / m < b / n is a n - b m < 0", "C24", _compared),
    Rule("choice that is made", "a if c else b is a where c is always True", "C24", _made),
    Rule("round of a mean", "round(aggregate(s, v)) is round(total(s, v) / selector_width(s))", "C24", _rounded),
    Rule("round of what is whole", "round(a) is a", "C24", _rounded_whole),
    Rule("steps of a mean", "f(a / m), of few steps, is g([a / m > s] + [a / m > t] + ...)", "C24", _stepped),
    Rule("comparison on one side", "select(a / m, c, <) is select(a - c m < 0, True, ==)", "C24", _asked),
    Rule("next whole number", "select(k, a / m, >) is select(k, floor(a / m), >)", "C24", _floored),
)
DECODED: tuple[RatioRule, ...] = (Rule("quotient of whole numbers", "a mean is total / width", "C24", _decoded),)
"""Of what is decoded, or printed, there is nothing else to read."""
