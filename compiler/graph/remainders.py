"""Remainders: what a sum leaves is what its terms leave, added up, by a rule.

In: a remainder whose inputs are simplified. Out: an equal one of smaller multiples, or None.
Invariant: on every input with an answer the remainder is the same (docs/constructions.md, C42).

    (100 * a + 10 * b + c) % 4   is   (2 * b + c) % 4
"""

from __future__ import annotations

from fractions import Fraction

from compiler.graph.domain.linear import Terms, added_up, combine
from compiler.graph.known import Known, NodeRule
from compiler.graph.polynomial import polynomial
from compiler.graph.rules import Rule
from rasp.meaning.sop import Constant, Map, Node, SOp


def _of_terms(node: Node, known: Known) -> Node | None:
    match node:
        case Map(op="%", args=(a, Constant(value=int(divisor)))) if divisor > 1 and known.kind(a) == "int":
            terms = _apart(a, divisor)
            if not all(factor.denominator == 1 and _is_whole(leaf, known) for leaf, factor in terms.items()):
                return None
            near = {leaf: _near(int(factor), divisor) for leaf, factor in terms.items()}
            if near == added_up(a):
                return None
            summed = polynomial((factor, [] if leaf is None else [leaf]) for leaf, factor in near.items() if factor)
            return Map("%", (summed, Constant(divisor)))
    return None


def _apart(node: SOp, divisor: int) -> Terms:
    """A sum as its terms; what an inner remainder is taken of, where its divisor is a multiple of this one."""
    found: Terms = {}
    todo = [(leaf, factor) for leaf, factor in added_up(node).items()]
    while todo:
        leaf, factor = todo.pop(0)
        match leaf:
            case Map(op="%", args=(a, Constant(value=int(inner)))) if inner > 0 and inner % divisor == 0:
                todo = [(below, factor * times) for below, times in added_up(a).items()] + todo
            case _:
                found = combine(found, {leaf: Fraction(1)}, factor) or {}
    return found


def _is_whole(leaf: SOp | None, known: Known) -> bool:
    return leaf is None or known.kind(leaf) in ("int", "bool")


def _near(factor: int, divisor: int) -> int:
    """The number nearest to 0 that differs from the factor by a multiple of the divisor; of two, the factor's sign."""
    left = abs(factor) % divisor
    left = left - divisor if 2 * left > divisor else left
    return left if factor >= 0 else -left


RULES: tuple[NodeRule, ...] = (
    Rule("remainder of a sum", "(c x + y) % m is (d x + y) % m where c - d is a multiple of m", "C42", _of_terms),
)
