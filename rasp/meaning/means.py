"""Means and totals of the values that a selector's row selects, exact.

In: the values of one sequence, then rows of it: integers with bit k for key k. Out: a `Fraction`, or a sum.
Invariant: nothing is rounded; what would take too long, or more than `MAX_BITS` bits, is `Undefined`.

    >>> means = Means([1, 2, 4]); means.of(0b111), means.total(0b110)
    (Fraction(7, 3), 6)
"""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import compress
from typing import cast

from rasp.meaning.operators import MAX_BITS, Number, Undefined, bounded
from rasp.value import Value, kind_of_all

MAX_SUMMED = 1 << 32
"""Most machine words that are added up for the means of one sequence: its common denominator may be long."""
PLANES_FROM = 64
"""Sequences from this length on are added up bit by bit, if their numbers have fewer bits than an eighth of it."""


class Means:
    """Exact means of rows of one sequence, over a common denominator.

    A long sequence is kept as bit planes: plane b has a 1 where a number, less the least one, has its bit b. A sum is
    then the sum of 2^b times how many positions of plane b a row selects.
    """

    def __init__(self, values: list[Value]) -> None:
        self.values = values
        self.numbers = kind_of_all(values) in {"int", "float"}
        self.known: dict[int, Fraction] = {}
        self.numerators: list[int] = []
        self.least = 0
        self.planes: list[int] = []

    def of(self, row: int) -> Fraction:
        """The mean of the values a row selects."""
        if not self.numerators:
            self._prepare()
        mean = self.known.get(row)
        if mean is None:
            total = Fraction(self._sum(row), row.bit_count() * self.denominator)
            mean = self.known[row] = cast(Fraction, bounded(total))
        return mean

    def total(self, row: int) -> Number:
        """The sum of the values a row selects; an int where all values are."""
        if not self.numerators:
            self._prepare()
        total = Fraction(self._sum(row), self.denominator)
        return bounded(total if any(isinstance(value, Fraction) for value in self.values) else int(total))

    def _prepare(self) -> None:
        numbers = [Fraction(value) for value in self.values]
        self.denominator = _common_denominator(numbers)
        self.numerators = [number.numerator * (self.denominator // number.denominator) for number in numbers]
        self.least = min(self.numerators)
        bits = max(1, (max(self.numerators) - self.least).bit_length())
        if len(numbers) >= PLANES_FROM and 8 * bits <= len(numbers):
            above = [numerator - self.least for numerator in reversed(self.numerators)]
            self.planes = [int("".join("1" if one >> bit & 1 else "0" for one in above), 2) for bit in range(bits)]
        elif len(numbers) ** 2 * (bits >> 6) > MAX_SUMMED:
            raise Undefined(f"{len(numbers)} numbers of {bits} bits are too many to average")

    def _sum(self, row: int) -> int:
        if not self.planes:
            return sum(compress(self.numerators, map("1".__eq__, bin(row)[:1:-1])))
        counts = [(row & plane).bit_count() << bit for bit, plane in enumerate(self.planes)]
        return self.least * row.bit_count() + sum(counts)


def _common_denominator(numbers: list[Fraction]) -> int:
    found = 1
    for denominator in dict.fromkeys(number.denominator for number in numbers):
        found = math.lcm(found, denominator)
        if found.bit_length() > MAX_BITS:
            raise Undefined(f"the common denominator has more than {MAX_BITS} bits")
    return found
