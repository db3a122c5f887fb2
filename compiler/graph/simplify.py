"""Simplification: small rules that replace a node by an equal, cheaper one, each with its equation beside it.

In: s-ops. Out: a map from every node they need to its replacement.
Invariant: a rule never changes an answer; where the original raises, the replacement may answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any

from compiler.graph.domain import LENGTH, Setting
from compiler.graph.places import of_place
from compiler.graph.relation import EQUAL, Conjunction, disjuncts
from rasp.meaning.operators import MIRRORED, OPERATORS, Undefined
from rasp.meaning.sop import (
    Aggregate,
    And,
    Constant,
    Indices,
    Lookup,
    Map,
    Node,
    Select,
    Selector,
    SOp,
    Tokens,
    Total,
    Width,
    reachable,
)


def simplify(roots: Iterable[Node], setting: Setting) -> dict[Node, Node]:
    """The replacement of each node below the roots, inputs first."""
    roots = list(roots)
    new: dict[Node, Node] = {}
    for node in reachable(roots):
        new[node] = _rewrite(rebuilt(node, new), setting)
    for known in (of_place, _looked_for):
        again: dict[Node, Node] = known([new[root] for root in roots], setting)
        if again:
            for node in reachable(new[root] for root in roots):
                if node not in again:
                    again[node] = _rewrite(rebuilt(node, again), setting)
            new = {node: again.get(found, found) for node, found in new.items()}
    return new


def _looked_for(roots: Iterable[Node], setting: Setting) -> dict[Node, Node]:
    """A width of which only is asked whether it is 0: 1 where some key is selected, 0 elsewhere, is enough (C16)."""
    roots = list(roots)
    asked: dict[Node, bool] = dict.fromkeys(roots, False)
    for reader in reachable(roots):
        for node in reader.inputs:
            if isinstance(node, Width) and node is not LENGTH:
                asked[node] = asked.get(node, True) and _asks_for_any(reader, node)
    return {
        node: Aggregate(node.selector, Constant(1), 0)
        for node, only in asked.items()
        if only and isinstance(node, Width)
    }


def _asks_for_any(reader: Node, width: Node) -> bool:
    """Whether a comparison tells no more of a width than whether it is 0."""
    match reader:
        case Map(op=op, args=(a, b)) | Select(key=a, query=b, predicate=op):
            if b is width:
                a, b, op = b, a, MIRRORED.get(op, op)
            zero, one = (isinstance(b, Constant) and b.value == number for number in (0, 1))
            return a is width and ((zero and op in ("==", "!=", ">", "<=")) or (one and op in ("<", ">=")))
    return False


def rebuilt(node: Node, new: dict[Node, Node]) -> Node:
    """The node over the replacements of its inputs; inputs that are not in the map stay."""
    changed: dict[str, Any] = {}
    for field in fields(node):  # type: ignore[arg-type]
        value = getattr(node, field.name)
        if isinstance(value, Node) and new.get(value, value) is not value:
            changed[field.name] = new[value]
        elif isinstance(value, tuple) and any(isinstance(item, Node) for item in value):
            changed[field.name] = tuple(new.get(item, item) for item in value)
    return replace(node, **changed) if changed else node  # type: ignore[type-var]


def _rewrite(node: Node, setting: Setting) -> Node:
    match node:
        case Map(op="plus", args=(a,)):  # +a = a
            return a
        case Map(op=op, args=args) if all(isinstance(arg, Constant) for arg in args):  # f(1, 2) is a constant
            return _folded(node, op, [arg.value for arg in args if isinstance(arg, Constant)])
        case Map(op="round", args=(a,)) if (whole := _whole(a)) is not None:  # round(n) = n
            return whole
        case Map(op="/", args=(Constant(value=1), Aggregate(selector=selector, value=value))):
            if value is AT_START and _includes_start(selector, setting):  # 1 / (1 / width) = width
                return width(selector, setting)
        case Map(op="*", args=(a, b)):
            products = (_sum(a, b, setting), _sum(b, a, setting))
            return next((found for found in products if found is not None), node)
        case Width(selector=selector):
            return width(selector, setting)
        case Aggregate(selector=selector, default=default):
            return Constant(default) if _cases(selector, setting) == [] else node  # nothing is ever selected
    return node


AT_START = Map("indicator", (Map("==", (Indices(), Constant(0))),))
"""1 at the first position, 0 elsewhere."""


def _includes_start(selector: Selector, setting: Setting) -> bool:
    """Whether every row selects position 0."""
    start = Conjunction.of([(Indices(), Constant(0), EQUAL)])
    assert start is not None
    return any(start.implies(case) for case in _cases(selector, setting) or [])


def _whole(node: SOp) -> SOp | None:
    """The s-op as ints, if it visibly has whole numbers only."""
    match node:
        case Width() | Indices() | Constant(value=int()) | Tokens(convert="int"):
            return node
        case Lookup(table=table) if all(isinstance(value, int) for _, value in table):
            return node
        case Total(value=value):
            return None if _whole(value) is None else node
        case Map(op="if", args=(condition, a, b)):
            left, right = _whole(a), _whole(b)
            return None if left is None or right is None else Map("if", (condition, left, right))
        case Map(op="indicator" | "round"):
            return node
        case Map(op="+" | "-" | "*" | "%" as op, args=(a, b)):
            left, right = _whole(a), _whole(b)
            return None if left is None or right is None else Map(op, (left, right))
    return None


def _sum(factor: SOp, mean: SOp, setting: Setting) -> SOp | None:
    """width(s) * (mean of v over s) = sum of v over s, for whole numbers v, whatever number an empty row has.

    Of a bit it is the number of keys of s where the bit is 1.
    """
    if (
        not isinstance(mean, Aggregate)
        or isinstance(mean.default, str)
        or not _is_width(factor, mean.selector, setting)
    ):
        return None
    if isinstance(mean.value, Map) and mean.value.op == "indicator":
        return width(And(mean.selector, Select(mean.value, Constant(1), "==")), setting)
    value = _whole(mean.value)
    return None if value is None else Total(mean.selector, value)


def _is_width(factor: SOp, selector: Selector, setting: Setting) -> bool:
    """Whether the factor is how many keys the selector selects; with positions up to mine, my place says it."""
    if width(selector, setting) is factor:
        return True
    cases, position = _cases(selector, setting), Indices()
    upto, before = (Conjunction.of([(position, position, frozenset(signs))]) for signs in ("<=", "<"))
    if cases == [before]:
        return factor is position
    return cases == [upto] and factor in (Map("+", (position, Constant(1))), Map("+", (Constant(1), position)))


def _folded(node: SOp, op: str, values: list[Any]) -> SOp:
    try:
        return Constant(OPERATORS[op].apply(*values))
    except Undefined:
        return node


def width(selector: Selector, setting: Setting) -> SOp:
    """The number of selected keys, simplified."""
    cases = _cases(selector, setting)
    if cases == []:  # width(nothing) = 0
        return Constant(0)
    if cases == [Conjunction(())]:  # width(everything) = length, or position + 1 where only the past is seen
        return Map("+", (Indices(), Constant(1))) if setting.causal else LENGTH
    if cases in ([_AFTER], [_FROM]) and not setting.causal:  # those after me, or from me on
        left = Map("-", (LENGTH, Indices()))
        return left if cases == [_FROM] else Map("-", (left, Constant(1)))
    return Width(selector)


_AFTER, _FROM = (Conjunction.of([(Indices(), Indices(), frozenset(signs))]) for signs in (">", ">="))


def _cases(selector: Selector, setting: Setting) -> list[Conjunction] | None:
    try:
        return disjuncts(selector, setting.limits.cases)
    except (ValueError, Undefined):  # too large, or never defined: reported where its rows are asked for
        return None
