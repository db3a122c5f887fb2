"""Grids: the steps that numbers are whole multiples of.

In: numbers, or steps of numbers. Out: the step that they have in common.
Invariant: a step is never too large. Steps are ordered by "divides": 0 says that a number is 0, None that nothing is
known; whatever adds up, or is one of several, is a whole multiple of the step that all have in common (C17).

Two kinds of steps are asked for. Exact ones are fractions: what values are apart from each other. Those that a dtype
can hold are powers of two, as floats: the smallest of several divides the others, so what they have in common is that.

    >>> print(common_step([Fraction(1, 2), Fraction(4, 3)]), common_distance([Fraction(1), Fraction(4), Fraction(10)]))
    1/6 3
    >>> common_grid(1.0, 0.25), common_grid(1.0, None), grid_of_products([(Fraction(3, 4), 0.5)])
    (0.25, None, 0.125)
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction

from compiler.numbers.exact import counts
from compiler.numbers.powers import is_dyadic


def common_step(numbers: Sequence[int | Fraction]) -> Fraction:
    """The largest number of which all are whole multiples; 0 if all are 0.

    Over their common denominator they are integers, and so is their greatest common divisor.
    """
    found, common = counts(numbers)
    return Fraction(math.gcd(*found), common)


def common_distance(numbers: Sequence[int | Fraction]) -> Fraction:
    """The largest number of which all are whole multiples apart; 0 where there is only one."""
    found, common = counts(numbers)
    return Fraction(math.gcd(*(number - found[0] for number in found)), common)


def common_grid(*grids: float | None) -> float | None:
    """A power of two that divides what several do, as far as all of them are known."""
    found = math.inf
    for grid in grids:
        if not grid:
            return None
        found = min(found, grid)
    return found


def grid_of_products(factors: Iterable[tuple[Fraction | None, float | None]]) -> float | None:
    """A power of two, 1 at most, that divides every coefficient times what its number's grid divides.

    A coefficient a / 2^k times a multiple of g is a multiple of g / 2^k; thirds are on no grid.
    """
    found = 1.0
    for coefficient, grid in factors:
        if coefficient is None or grid is None or not is_dyadic(coefficient):
            return None
        found = min(found, math.ldexp(grid, 1 - coefficient.denominator.bit_length()))
    return found
