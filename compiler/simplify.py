"""Simplification: small rules that replace a node by an equal, cheaper one, each with its equation beside it.

In: s-ops. Out: a map from every node they need to its replacement.
Invariant: a rule never changes an answer; where the original raises, the replacement may answer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any

from compiler.domain import LENGTH, Setting
from compiler.relation import Conjunction, disjuncts
from rasp.operators import OPERATORS, Undefined
from rasp.sop import Aggregate, Constant, Indices, Map, Node, Selector, SOp, Width, reachable


def simplify(roots: Iterable[Node], setting: Setting) -> dict[Node, Node]:
    """The replacement of each node below the roots, inputs first."""
    new: dict[Node, Node] = {}
    for node in reachable(roots):
        new[node] = _rewrite(rebuilt(node, new), setting)
    return new


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
        case Width(selector=selector):
            return _width(node, selector, setting)
        case Aggregate(selector=selector, default=default):
            return Constant(default) if _cases(selector) == [] else node  # nothing is ever selected
    return node


def _folded(node: SOp, op: str, values: list[Any]) -> SOp:
    try:
        return Constant(OPERATORS[op].apply(*values))
    except Undefined:
        return node


def _width(node: Width, selector: Selector, setting: Setting) -> SOp:
    cases = _cases(selector)
    if cases == []:  # width(nothing) = 0
        return Constant(0)
    if cases == [Conjunction(())]:  # width(everything) = length, or position + 1 where only the past is seen
        return Map("+", (Indices(), Constant(1))) if setting.causal else LENGTH
    return node


def _cases(selector: Selector) -> list[Conjunction] | None:
    try:
        return disjuncts(selector)
    except ValueError:  # too large: the lowering reports it with the s-op's name
        return None
