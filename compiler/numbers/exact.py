"""Exact numbers, quickly: fractions that are mostly whole, and many of them as integers over one denominator.

In: fractions. Out: the same numbers in fewer steps than `fractions.Fraction` takes for them.
Invariant: nothing is rounded; counts that might not fit a machine integer are Python's.

    >>> thirds = Multiples.of([Fraction(1), Fraction(4, 3)])
    >>> print(thirds.counts, thirds.unit)
    [3 4] 1/3
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

Integers: TypeAlias = npt.NDArray[Any]
"""Machine integers, or Python's where those would not do."""


@lru_cache(maxsize=1 << 16)
def whole(number: int) -> Fraction:
    """A whole number as a fraction, made once: making a fraction takes longer than most of what is done with it."""
    return Fraction(number)


@lru_cache(maxsize=1 << 16)
def ratio(numerator: int, denominator: int) -> Fraction:
    """A fraction, made once."""
    return Fraction(numerator, denominator)


def plus(a: Fraction, b: Fraction) -> Fraction:
    """``a + b``."""
    return whole(a.numerator + b.numerator) if a.denominator == 1 == b.denominator else a + b


def times(a: Fraction, b: Fraction | int) -> Fraction:
    """``a * b``."""
    return whole(a.numerator * b.numerator) if a.denominator == 1 == b.denominator else a * b


def counts(numbers: Sequence[int | Fraction]) -> tuple[list[int], int]:
    """Numbers as integers over their common denominator, and that."""
    common = math.lcm(*(number.denominator for number in numbers))
    if common == 1:
        return [number.numerator for number in numbers], 1
    return [number.numerator * (common // number.denominator) for number in numbers], common


def as_value(number: Fraction) -> int | Fraction:
    """A number as programs write it: an integer where it is one."""
    return number.numerator if number.denominator == 1 else number


def real(number: Fraction | int) -> float:
    """The float nearest to a number; infinite where it is larger than any."""
    try:
        return number.numerator / number.denominator
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def integers(largest: int) -> npt.DTypeLike:
    """Machine integers, where all that is counted fits them, else Python's."""
    return np.int64 if largest < 1 << 62 else object


@dataclass(frozen=True)
class Multiples:
    """Numbers as whole multiples of one fraction: numpy adds and compares these, which it cannot do with fractions."""

    counts: Integers
    unit: Fraction

    @staticmethod
    def of(numbers: Sequence[int | Fraction]) -> Multiples:
        """Numbers over their common denominator."""
        found, common = counts(numbers)
        return Multiples(np.array(found, dtype=integers(max(map(abs, found), default=0))), Fraction(1, common))

    @cached_property
    def numbers(self) -> tuple[Fraction, ...]:
        """The numbers themselves."""
        return tuple(map(self._number, self.counts.tolist()))

    def at(self, places: Integers) -> list[Fraction]:
        """The numbers at some places."""
        return [self._number(count) for count in self.counts[places].tolist()]

    def over(self, unit: Fraction) -> tuple[int, ...]:
        """The numbers as whole multiples of another fraction, of which they are that."""
        factor = self.unit / unit if unit else Fraction(0)
        return tuple(count * factor.numerator // factor.denominator for count in self.counts.tolist())

    def times(self, factor: Fraction) -> Multiples:
        """Each number times a factor."""
        return Multiples(self.counts if factor >= 0 else -self.counts, self.unit * abs(factor))

    def plus(self, other: Multiples) -> Multiples:
        """The sums, number by number."""
        common = math.lcm(self.unit.denominator, other.unit.denominator)
        factors = [int(one.unit * common) for one in (self, other)]
        sizes = [max(1, one.size) * max(1, abs(factor)) for one, factor in zip((self, other), factors, strict=True)]
        dtype = integers(sum(sizes))  # of what is multiplied too: one may be large where the other is 0
        sums = self.counts.astype(dtype) * factors[0] + other.counts.astype(dtype) * factors[1]
        return Multiples(sums, Fraction(1, common))

    def shifted(self, by: Fraction) -> Multiples:
        """The sums with one number."""
        common = math.lcm(self.unit.denominator, by.denominator)
        factor, more = int(self.unit * common), int(by * common)
        dtype = integers(max(1, self.size) * max(1, abs(factor)) + abs(more))
        return Multiples(self.counts.astype(dtype) * factor + more, Fraction(1, common))

    def squared(self) -> Multiples:
        """The squares."""
        return Multiples(self.counts.astype(integers(self.size**2)) ** 2, self.unit**2)

    @property
    def floats(self) -> npt.NDArray[np.float64]:
        """The float nearest to each number."""
        if max(self.size * abs(self.unit.numerator), self.unit.denominator) <= 1 << 53:
            return self.counts.astype(np.float64) * self.unit.numerator / self.unit.denominator + 0.0  # no -0
        return np.array([real(number) for number in self.numbers])

    @property
    def range(self) -> tuple[Fraction, Fraction]:
        """The least and the greatest."""
        return self._number(int(self.counts.min())), self._number(int(self.counts.max()))

    @cached_property
    def step(self) -> Fraction:
        """The largest number of which all are whole multiples, 0 if all are 0. Its denominator is their common one."""
        return int(np.gcd.reduce(self.counts, initial=0)) * self.unit

    @cached_property
    def size(self) -> int:
        """The largest count, in size."""
        return int(np.abs(self.counts).max(initial=0))

    @cached_property
    def distance(self) -> Fraction:
        """The smallest distance between two different numbers, in any order; 1 where all are one."""
        distances = np.diff(np.unique(self.counts))
        return int(distances.min()) * self.unit if len(distances) else Fraction(1)

    @property
    def gap(self) -> float:
        """The smallest distance between ascending numbers; infinite where there is only one."""
        return real(int(np.diff(self.counts).min()) * self.unit) if len(self.counts) > 1 else math.inf

    @property
    def steps(self) -> Fraction:
        """The range of ascending numbers, in units of their smallest distance; 1 where there is only one."""
        if len(self.counts) < 2:
            return Fraction(1)
        return Fraction(int(self.counts[-1] - self.counts[0]), int(np.diff(self.counts).min()))

    def _number(self, count: int) -> Fraction:
        return ratio(count * self.unit.numerator, self.unit.denominator)
