"""Polynomials: sums, products and quotients of whole s-ops, written as s-ops.

In: s-ops of whole numbers, whole factors. Out: s-ops, and `Ratio`s of them.
Invariant: what comes out has the value that its name says; numbers are multiplied at once, and stand last.

    2 * (a * 3) - b:  ((a * 6) - b)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from rasp.meaning.sop import Constant, Map, SOp, Total


@dataclass(frozen=True)
class Ratio:
    """``factor * over / under``: a number, an s-op of whole numbers, and a product of positive ones."""

    factor: Fraction
    over: SOp
    under: Counter[SOp]

    @property
    def below(self) -> SOp:
        """The denominator as one s-op."""
        return product(self.under.elements())

    def times(self, factors: Counter[SOp]) -> SOp:
        """The numerator, without the factor, multiplied."""
        return product([self.over, *factors.elements()])

    def quotient(self) -> SOp:
        """The ratio as one s-op; without a denominator it is whole."""
        over = product([self.over, Constant(self.factor.numerator)])
        under = product([*self.under.elements(), Constant(self.factor.denominator)])
        return over if under is Constant(1) else Map("/", (over, under))

    def floor(self) -> SOp:
        """The next whole number below n / d: n / d - 1 / 2 and a quarter of 1 / d, rounded, which is no tie (C24)."""
        over = product([self.over, Constant(4 * self.factor.numerator)])
        under = product([*self.under.elements(), Constant(self.factor.denominator)])
        shifted = Map("+", (Map("-", (over, product([under, Constant(2)]))), Constant(1)))
        return Map("round", (Map("/", (shifted, product([under, Constant(4)]))),))


def linear(a: SOp, left: int, b: SOp, right: int) -> SOp:
    """``left * a + right * b``; sums over one selector are one sum."""
    if isinstance(a, Total) and isinstance(b, Total) and a.selector is b.selector:
        return Total(a.selector, linear(a.value, left, b.value, right))
    if isinstance(a, Constant) and a.value == 0:
        return product([b, Constant(right)])
    if right < 0:
        return Map("-", (product([a, Constant(left)]), product([b, Constant(-right)])))
    return plus(product([a, Constant(left)]), product([b, Constant(right)]))


def polynomial(terms: Iterable[tuple[int, Sequence[SOp]]]) -> SOp:
    """The sum of products, each with a factor."""
    found: SOp = Constant(0)
    for number, factors in terms:
        found = linear(found, 1, product(factors), number)
    return found


def plus(a: SOp, b: SOp) -> SOp:
    """``a + b``, where neither is 0."""
    if isinstance(a, Constant) and a.value == 0:
        return b
    return a if isinstance(b, Constant) and b.value == 0 else Map("+", (a, b))


def product(factors: Iterable[SOp]) -> SOp:
    """The product of s-ops; numbers are multiplied at once, and stand last."""
    number, found = 1, None
    for factor in factors:
        if isinstance(factor, Constant):
            number *= int(factor.value)
        else:
            found = factor if found is None else Map("*", (found, factor))
    if found is None or number == 0:
        return Constant(number)
    return found if number == 1 else Map("*", (found, Constant(number)))
