"""Denominators: what is divided by a number, and then put in order with something, is compared as a whole, by a rule.

In: a comparison whose sides are simplified. Out: an equal one, both sides times what they are divided by, or None.
Invariant: the comparison has the same value on every input on which it has one (docs/constructions.md, C31).

    indices >= length / 2 - 1   is   2 * indices >= length - 2
"""

from __future__ import annotations

import math
from typing import TypeAlias

from compiler.graph.known import Known, NodeRule
from compiler.graph.rules import Rule
from rasp.meaning.sop import Constant, Map, Node, Select, SOp

ORDERS = ("<", "<=", ">", ">=")
DEEP = 16
"""How many operations inside each other are looked at."""
Whole: TypeAlias = tuple[int, SOp]
"""A positive number, and an s-op times that number, divided no more."""


def _cleared(node: Node, known: Known) -> Node | None:
    match node:
        case Map(op=op, args=(a, b)) if op in ORDERS and (sides := _sides(a, b)) is not None:
            return Map(op, sides)
        case Select(key=a, query=b, predicate=op) if op in ORDERS and (sides := _sides(a, b)) is not None:
            return Select(*sides, op)
    return None


def _sides(one: SOp, other: SOp) -> tuple[SOp, SOp] | None:
    """Both times the least number by which neither is divided any more; None where neither is."""
    if isinstance(one, Constant) or isinstance(other, Constant):
        return None
    seen: dict[SOp, Whole] = {}
    (p, a), (q, b) = _whole(one, seen), _whole(other, seen)
    m = math.lcm(p, q)
    return None if m == 1 else (_times(a, m // p), _times(b, m // q))


def _whole(node: SOp, seen: dict[SOp, Whole], deep: int = DEEP) -> Whole:
    if node not in seen:
        seen[node] = _found(node, seen, deep) if deep else (1, node)
    return seen[node]


def _found(node: SOp, seen: dict[SOp, Whole], deep: int) -> Whole:
    match node:
        case Map(op="/", args=(a, Constant(value=int(under)))) if under > 0:
            p, x = _whole(a, seen, deep - 1)
            return p * under, x
        case Map(op="*", args=(Constant(value=int(factor)), a) | (a, Constant(value=int(factor)))):
            p, x = _whole(a, seen, deep - 1)
            common = math.gcd(p, factor)
            return p // common, _times(x, factor // common) if p > 1 else node
        case Map(op="+" | "-" as op, args=(a, b)):
            (p, x), (q, y) = _whole(a, seen, deep - 1), _whole(b, seen, deep - 1)
            m = math.lcm(p, q)
            return m, Map(op, (_times(x, m // p), _times(y, m // q))) if m > 1 else node
    return 1, node


def _times(node: SOp, factor: int) -> SOp:
    if isinstance(node, Constant) and isinstance(node.value, int):
        return Constant(factor * node.value)
    return node if factor == 1 else Map("*", (Constant(factor), node))


RULES: tuple[NodeRule, ...] = (Rule("order of quotients", "a / p < b / q is (m / p) a < (m / q) b", "C31", _cleared),)
