"""Averages: what numbers can come to on average.

In: some numbers, and how many of them there are at most. Out: every mean of one or more, each number any times.
Invariant: no mean is missing; where the numbers fill a good part of a progression, all of that is taken for possible.

    >>> [str(mean) for mean in averages([Fraction(0), Fraction(1)], 3, most=9) or []]
    ['0', '1/2', '1', '1/3', '2/3']
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from compiler.numbers.exact import counts
from compiler.numbers.grid import common_distance

SPARSE = 64
"""How many times as many numbers a progression has as there are, where sums are listed one by one."""


def averages(numbers: Sequence[Fraction], n: int, most: int) -> list[Fraction] | None:
    """The means of two to n ascending numbers, those that are new at least; None where they are more than `most`."""
    low, high = numbers[0], numbers[-1]
    if low == high:
        return []
    step = common_distance(numbers)
    levels = int((high - low) / step)
    if levels > SPARSE * len(numbers):
        return _listed(numbers, n, most)
    # in lowest terms there are phi(m) fractions of denominator m from one whole number to the next
    count = 0
    for m in range(1, n + 1):
        count += levels * sum(1 for s in range(m) if math.gcd(s, m) == 1)
        if count > most:
            return None
    return [
        low + step * Fraction(s, m)
        for m in range(2, n + 1)
        for s in range(levels * m + 1)
        if m == 2 or math.gcd(s, m) == 1
    ]


def _listed(numbers: Sequence[Fraction], n: int, most: int) -> list[Fraction] | None:
    found, common = counts(numbers)
    sums, means = set(found), set(numbers)
    for m in range(2, n + 1):
        sums = {one + other for one in sums for other in found}
        means |= {Fraction(total, m * common) for total in sums}
        if len(means) > most:
            return None
    return sorted(means)
