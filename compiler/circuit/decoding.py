"""Decoding: how outputs are read off the stream, as logits of which the value's own is the largest (C10).

In: an `Output`, and by how much its best logit is to be ahead. Out: coefficients, exact; the `Digit`s they tell apart.
Invariant: at the exact number of a value its logit is ahead of every other by at least that much.

    >>> output = Output("o", (Form.of(ONE),), tuple((v, (Fraction(v),)) for v in (0, 1, 2)))
    >>> print(*(coefficients.numbers for coefficients in logits(output, 32).values()))
    (Fraction(-32, 1), Fraction(0, 1), Fraction(-32, 1))
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from compiler.circuit.circuit import Circuit, Output
from compiler.numbers.direction import ONE, Direction, Form
from compiler.numbers.exact import Multiples, real
from compiler.numbers.powers import is_dyadic, lowest_bit, power_above

Logits: TypeAlias = npt.NDArray[Any]


def centre(numbers: Multiples) -> Fraction:
    """What the numbers of a digit are counted from: their middle, as a whole number if they are whole."""
    low, high = numbers.range
    step = Fraction(1)
    while numbers.unit.denominator != 1 and step > (high - low) / 8 > 0:
        step /= 2
    return round((low + high) / 2 / step) * step


def scaling(numbers: Multiples, logit_gap: int) -> Fraction:
    """The least power of two that takes the square of their gap to the logits' gap."""
    return power_above(logit_gap / numbers.distance**2)


def logits(output: Output, logit_gap: int) -> dict[Direction, Multiples]:
    """``2vx - v^2``, centred, scaled and summed over the digits: largest for the value v nearest to x (C10).

    For each direction that is read, its coefficient in the logit of each value.
    """
    found: dict[Direction, Multiples] = {}
    for form, numbers in zip(output.digits, output.columns, strict=True):
        middle, scale = centre(numbers), scaling(numbers, logit_gap)
        v = numbers.shifted(-middle)
        parts = {direction: v.times(2 * scale * coefficient) for direction, coefficient in form.terms.items()}
        parts[ONE] = v.times(2 * scale * (form.terms.get(ONE, 0) - middle)).plus(v.squared().times(-scale))
        for direction, part in parts.items():
            found[direction] = found[direction].plus(part) if direction in found else part
    return found


def unembedding(circuit: Circuit) -> dict[Direction, Logits]:
    """For each direction that is decoded its coefficient in the logits of all outputs, [d_vocab_out]."""
    ends = list(itertools.accumulate((len(output.codes) for output in circuit.outputs), initial=0))
    found: dict[Direction, Logits] = {}
    for output, start, end in zip(circuit.outputs, ends, ends[1:], strict=False):
        for direction, coefficients in logits(output, circuit.precision.logit_gap).items():
            found.setdefault(direction, np.zeros(ends[-1]))[start:end] = coefficients.floats
    return found


@dataclass(frozen=True)
class Digit:
    """One digit of an output: what it reads, and the numbers it can be, as floats."""

    form: Form
    size: int
    gap: float
    middle: float
    reach: float  # from the middle to the farthest number
    grid: float  # a power of two that all are multiples of, counted from the middle; 0 where there is none

    @staticmethod
    def of(form: Form, numbers: Multiples) -> Digit:
        """A form that is decoded, and the number of each code."""
        distance, middle = numbers.distance, centre(numbers)
        from_middle = numbers.shifted(-middle)
        step = from_middle.step
        grid = real(Fraction(lowest_bit(step.numerator), step.denominator)) if is_dyadic(step) else 0.0
        reach = real(max(abs(end) for end in from_middle.range))
        return Digit(form, len(np.unique(numbers.counts)), real(distance) or math.ulp(0.0), real(middle), reach, grid)
