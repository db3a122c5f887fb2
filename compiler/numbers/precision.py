"""Precision: the arithmetic a model runs in, and the constants of the constructions that follow from it.

In: the name of a dtype. Out: `Precision`. Assumed of every machine: products of two stored numbers are exact, sums are
accumulated in float32 or better in any order, what an operation stores is rounded once, scores may be rounded to dtype.
Invariant: every constant here is a number that the dtype holds exactly, apart from `lift` in float32 and float64.

    float32: whole numbers up to 2^24 are exact, steps of 256 nats tell keys apart, BOS outweighs a counted key by 24
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction

from compiler.numbers.powers import is_dyadic, odd

SOFTMAX_ZERO = 104
"""exp(-104) is less than half of the smallest number of float32, in which a softmax is computed at least (C1)."""
SUM_LOWEST, SUM_HIGHEST = -126, 127
"""Exponents of the smallest and the largest number of a sum inside a matrix product, which float32 has at least."""
MOST_EXPONENT = 1_000
"""Bounds are floats of 64 bits themselves: up to 2^1000, what they are multiplied by leaves them finite."""


@dataclass(frozen=True)
class Precision:
    """One dtype. Scores are in nats: a key that scores one nat more weighs e times as much in the softmax."""

    name: str
    bits: int  # of the significand, the hidden one included
    accumulator: int  # the same for the sums inside a matrix product
    lowest: int  # exponent of the smallest normal number
    highest: int  # exponent of the largest power of two
    sharp: int
    """Between a selected key and any other of a "mean" head; BOS sits halfway (C1)."""
    count_sharp: int
    """The same for a "sum" head, where its scores are exact."""
    count_blunt: int
    """And where they are not: an error of a score is multiplied by it, and counts follow the exponential."""
    counterweight: float
    """The score of BOS minus that of a key selected by a "sum" head (C6): beside BOS, keys weigh next to nothing."""
    lift: float
    """What brings a counted key's weight back to 1: exp(counterweight), or the power of two it is rounded to."""
    value_lift: float
    """The share of `lift` that is in W_V; the rest is in W_O."""
    underflow: int
    """exp(-underflow) is as good as 0: it is, or what it multiplies is rounded away."""
    logit_gap: int
    """Least distance between the best logit and the next, so that sampling picks the answer too (C10)."""
    relative_scores: bool
    """Whether scores are relative to the selected key's, which is 0 then, so that rounding a score cannot move it."""
    counts_need_offset: bool
    """Whether counts carry rounding errors unless they are added to an offset (C19)."""
    largest_code: int
    """Codes up to this size on either side of zero have exact squares and products (C5); larger ones are digits."""
    largest_digit: int
    """The same for one digit of an output, whose logit is a square too (C10)."""

    @property
    def unit(self) -> float:
        """Unit roundoff."""
        return 2.0**-self.bits

    @property
    def is_half(self) -> bool:
        """Whether sums inside a matrix product are finer than what is stored."""
        return self.accumulator > self.bits

    @property
    def whole(self) -> float:
        """Whole numbers up to this are exact."""
        return 2.0**self.bits

    @property
    def sum_unit(self) -> float:
        """Unit roundoff of the sums inside a matrix product."""
        return 2.0**-self.accumulator

    @property
    def sum_whole(self) -> float:
        """Whole numbers up to this are exact inside a matrix product, however they are added up."""
        return 2.0**self.accumulator

    @property
    def smallest(self) -> float:
        """The smallest normal number: below it rounding is absolute, and an arithmetic may know zero only."""
        return 2.0**self.lowest

    @property
    def largest(self) -> float:
        """The largest number."""
        return (2 - 2.0 ** (1 - self.bits)) * 2.0**self.highest

    @property
    def zero(self) -> int:
        """So many nats below another key, a key has no weight: softmax is computed in float32 or better."""
        return max(self.underflow, SOFTMAX_ZERO)

    @property
    def sum_smallest(self) -> float:
        """The smallest normal number inside a matrix product."""
        return 2.0 ** min(self.lowest, SUM_LOWEST)

    @property
    def sum_largest(self) -> float:
        """No partial sum inside a matrix product may be larger: half of what fits there, and what a bound can hold."""
        return 2.0 ** min(max(self.highest, SUM_HIGHEST), MOST_EXPONENT)

    @property
    def offset(self) -> Fraction:
        """Numbers near it are a distance of 1 apart: what is added to it is rounded to a whole number (C19)."""
        return Fraction(3 << self.bits - 2)

    def holds(self, number: Fraction) -> bool:
        """Whether the dtype holds the number exactly."""
        return is_dyadic(number) and odd(abs(number.numerator)) < 1 << self.bits and self.spans(number)

    def spans(self, number: Fraction) -> bool:
        """Whether a binary fraction is neither too small nor too large for the dtype."""
        exponent = number.numerator.bit_length() - number.denominator.bit_length()
        return number == 0 or self.lowest <= exponent <= self.highest

    def stores(self, size: float, grid: float) -> bool:
        """Whether the dtype holds all whole multiples of a power of two up to a size, which is not too large for it."""
        return grid >= self.smallest and size / grid <= self.whole

    def sums(self, size: float, grid: float) -> bool:
        """The same for the sums inside a matrix product, where no partial sum is larger."""
        return grid >= self.sum_smallest and size / grid <= self.sum_whole

    def rounding(self, size: float) -> float:
        """The largest error of rounding a number up to this size; numbers that are small are rounded on a grid."""
        return self.unit * max(size, self.smallest) if size else 0.0

    def sum_rounding(self, terms: int, total: float) -> float:
        """The largest error of so many roundings inside a matrix product whose terms add up to this size."""
        return terms * self.sum_unit * max(total, self.sum_smallest) if total else 0.0


FLOAT32 = Precision(
    name="float32",
    bits=24,
    accumulator=24,
    lowest=-126,
    highest=127,
    sharp=256,
    count_sharp=128,
    count_blunt=12,
    counterweight=24,
    lift=math.exp(24),
    value_lift=1,
    underflow=104,
    logit_gap=32,
    relative_scores=False,
    counts_need_offset=True,
    largest_code=2_300,
    largest_digit=2_300,
)
FLOAT64 = replace(
    FLOAT32,
    name="float64",
    bits=53,
    accumulator=53,
    lowest=-1022,
    highest=1023,
    sharp=2_048,
    count_sharp=1_024,
    counterweight=36,
    lift=math.exp(36),
    underflow=746,
    largest_code=1 << 20,
    largest_digit=1 << 20,
)
# exp(-15.25) is 2^-22 up to 1 part in 1,300: either half type rounds it to that power of two, so counts are whole.
BFLOAT16 = Precision(
    name="bfloat16",
    bits=8,
    accumulator=24,
    lowest=-126,
    highest=127,
    sharp=256,
    count_sharp=256,
    count_blunt=256,
    counterweight=15.25,
    lift=2.0**22,
    value_lift=1,
    underflow=104,
    logit_gap=32,
    relative_scores=True,
    counts_need_offset=False,
    largest_code=8,
    largest_digit=8,
)
FLOAT16 = replace(
    BFLOAT16,
    name="float16",
    bits=11,
    lowest=-14,
    highest=15,
    sharp=64,
    count_sharp=64,
    count_blunt=64,
    value_lift=2.0**8,
    underflow=31,
    logit_gap=16,
    counts_need_offset=True,
    largest_code=16,
    largest_digit=16,
)
PRECISIONS = {precision.name: precision for precision in (FLOAT32, FLOAT64, BFLOAT16, FLOAT16)}
