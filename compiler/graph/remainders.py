"""Remainders: what a sum leaves, a digit of a number, and what is left of a large number, by rules.

In: a remainder whose inputs are simplified. Out: an equal one of smaller multiples, or None.
Invariant: on every input with an answer the remainder is the same (docs/constructions.md, C42).

    (100 * a + 10 * b + c) % 4        is   (2 * b + c) % 4
    round((n - n % 10) / 10) % 10     is   floor((n % 100) / 10)
    n % 10                            is   (n % 1000) % 10,   where n is large
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from fractions import Fraction

from compiler.graph.domain import Analysis
from compiler.graph.domain.linear import Terms, added_up, combine
from compiler.graph.known import Known, NodeRule
from compiler.graph.polynomial import Ratio, polynomial, product
from compiler.graph.rules import Rule, substituted
from rasp.meaning.sop import Constant, Map, Node, SOp, reachable
from rasp.value import Value


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


def _digit(node: Node, known: Known) -> Node | None:
    match node:
        case Map(
            op="%",
            args=(
                Map(
                    op="round", args=(Map(op="/", args=(Map(op="-", args=(x, Map(op="%", args=(y, unit)))), divisor)),)
                ),
                Constant(value=int(base)),
            ),
        ) if x is y and unit is divisor and isinstance(unit, Constant) and base > 0 and known.kind(x) == "int":
            return _digit_of(x, unit.value, base)
    return None


def _digit_of(number: SOp, unit: Value, base: int) -> SOp | None:
    """The number of whole units in a number, less what is a multiple of the base."""
    if isinstance(unit, str) or unit <= 0:
        return None
    if (times := 1 / Fraction(unit)).denominator == 1:
        factor = _near(int(times), base)
        return Map("%", (product([number, Constant(factor)]), Constant(base))) if factor else Constant(0)
    if Fraction(unit).denominator == 1:
        return Ratio(Fraction(1, int(unit)), Map("%", (number, Constant(int(unit) * base))), Counter()).floor()
    return None


def in_stages(roots: Iterable[Node], analysis: Analysis) -> dict[Node, Node]:
    """The replacement of each node below the roots, where a remainder has more quotients than there may be gates."""
    nodes, most = reachable(roots), analysis.setting.limits.gates
    divided: dict[SOp, list[int]] = {}
    for node in nodes:
        match node:
            case Map(op="%", args=(x, Constant(value=int(divisor)))) if divisor > 0:
                divided.setdefault(x, []).append(divisor)
    new: dict[Node, Node] = {}
    for x, divisors in divided.items():
        domain = analysis.domain_if_any(x)
        if domain is not None and domain.numeric and domain.whole:
            size = int(domain.ends[1] - domain.ends[0])
            new |= _staged(x, divisors, size, most) if size > most * min(divisors) else {}
    return substituted(nodes, new)


def _staged(x: SOp, divisors: Iterable[int], size: int, most: int) -> dict[Node, Node]:
    """Remainders of an s-op, each of the one by the next larger multiple of its divisor; at most so many quotients."""
    stages = {0: x}  # what is left by each divisor, 0 for all of it
    for divisor in sorted(divisors, reverse=True):
        above = min((other for other in stages if other and other % divisor == 0), default=0)
        if (quotients := (above or size) // divisor) > most:
            step = divisor * math.isqrt(quotients)
            stages[step] = Map("%", (stages[above if above % step == 0 else 0], Constant(step)))
            above = step
        stages[divisor] = Map("%", (stages[above], Constant(divisor)))
    return {Map("%", (x, Constant(divisor))): stages[divisor] for divisor in divisors}


RULES: tuple[NodeRule, ...] = (
    Rule("remainder of a sum", "(c x + y) % m is (d x + y) % m where c - d is a multiple of m", "C42", _of_terms),
    Rule("digit of a number", "round((x - x % c) / c) % m is floor((x % (c m)) / c)", "C42", _digit),
)
