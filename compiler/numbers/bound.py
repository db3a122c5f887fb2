"""Bounds: what is known of a number in the stream, and what products and sums of such numbers can be.

In: exact coefficients and `Bound`s. Out: ranges, sizes, errors.
Invariant: a bound is never too small; its own rounding is covered by `SLACK`.

    Bound(low=0, high=3, error=0.0, grid=1.0): a whole number up to 3, held to the bit
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from compiler.numbers.exact import real

SLACK = 1 + 2.0**-10
"""Factor on every bound, for second-order terms and for the rounding of this analysis itself."""


@dataclass(frozen=True)
class Bound:
    """What is known of a number: its range, the error it carries, and the power of two it is a whole multiple of."""

    low: float
    high: float
    error: float = 0.0
    grid: float | None = 1.0  # None: no such power is known
    spacing: float | None = None  # the same for the exact number, whatever its error

    @property
    def size(self) -> float:
        """The largest absolute value, error included."""
        return max(abs(self.low), abs(self.high)) + self.error


def reach(terms: list[tuple[float, Bound, Fraction]]) -> float:
    """No partial sum of the terms is larger than this, in whatever order they are added."""
    up = sum(max(c * bound.high, c * bound.low, 0.0) + abs(c) * bound.error for c, bound, _ in terms)
    down = sum(max(-c * bound.high, -c * bound.low, 0.0) + abs(c) * bound.error for c, bound, _ in terms)
    return max(up, down)


def summed(value: Bound, n: int) -> tuple[float, float]:
    """The range of a sum of up to n such values."""
    return min(0.0, n * value.low), max(0.0, n * value.high)


def square(number: Fraction) -> float:
    """A square, infinite where it is too large."""
    return real(number) * real(number)


def product_error(a: Bound, b: Bound) -> float:
    """The error of a product."""
    return a.size * b.error + b.size * a.error
