"""Staircases: a function of one number with finitely many arguments, as kinks of ReLUs.

In: the points (x, y) of the function. Out: `Staircase`, a line plus kinks; each kink becomes one neuron.
Invariant: at every given x the sum is y exactly; between the points it is linear (docs/constructions.md, C8).

    >>> print(staircase([(Fraction(x), Fraction(x * x)) for x in range(3)], flat=False))
    0 + 1 x + 2 relu(x - 1)
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Kink:
    """``weight * relu(side * (x - at))``: active to the right (side 1) or to the left (side -1) of `at`."""

    at: Fraction
    side: int
    weight: Fraction

    def __str__(self) -> str:
        inner = f"x - {self.at}" if self.side > 0 else f"{self.at} - x"
        return f"{self.weight} relu({inner})"


@dataclass(frozen=True)
class Staircase:
    """``constant + slope * x + sum of kinks``."""

    constant: Fraction
    slope: Fraction
    kinks: tuple[Kink, ...]
    flat: bool = False  # made with plateaus

    def __call__(self, x: Fraction) -> Fraction:
        """The value at x, exactly."""
        bends = (kink.weight * max(kink.side * (x - kink.at), Fraction(0)) for kink in self.kinks)
        return self.constant + self.slope * x + sum(bends, Fraction(0))

    def __str__(self) -> str:
        return " + ".join([str(self.constant), f"{self.slope} x", *map(str, self.kinks)])


Points = Sequence[tuple[Fraction, Fraction]]


def staircase(points: Points, flat: bool) -> Staircase:
    """The function through the points, ascending in x, bent where its slope changes.

    With `flat`, it keeps each y over a quarter of the distance to the next point on both sides, so that a small error
    of x leaves y untouched; that costs up to one more kink a step. Without, a slope that is no binary fraction is
    replaced by a level piece and a ramp whose width is a power of two, so that whole numbers stay exact in floats.
    """
    corners = _plateaus(points) if flat else _short(points)
    slopes = [(b[1] - a[1]) / (b[0] - a[0]) for a, b in itertools.pairwise(corners)]
    if not slopes:
        return Staircase(corners[0][1], Fraction(0), ())
    bends = [
        (corner[0], after - before)
        for corner, before, after in zip(corners[1:-1], slopes, slopes[1:], strict=False)
        if after != before
    ]
    right = Staircase(_through(corners[0], slopes[0]), slopes[0], tuple(Kink(x, 1, bend) for x, bend in bends), flat)
    left = Staircase(_through(corners[-1], slopes[-1]), slopes[-1], tuple(Kink(x, -1, bend) for x, bend in bends), flat)
    ends = corners[0][0], corners[-1][0]
    return min(right, left, key=lambda stairs: _largest_sum(stairs, *ends))


def _through(point: tuple[Fraction, Fraction], slope: Fraction) -> Fraction:
    return point[1] - slope * point[0]


def _largest_sum(stairs: Staircase, low: Fraction, high: Fraction) -> Fraction:
    """The largest total of what the terms add up to in size: rounding errors are proportional to it."""
    end = high if stairs.kinks and stairs.kinks[0].side > 0 else low
    bends = sum((abs(kink.weight) * abs(end - kink.at) for kink in stairs.kinks), Fraction(0))
    return bends + abs(stairs.slope) * max(abs(low), abs(high)) + abs(stairs.constant)


def _plateaus(points: Points) -> list[tuple[Fraction, Fraction]]:
    corners = [points[0]]
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        if y0 != y1:
            start, width = _ramp(x0, x1)
            corners += [(start, y0), (start + width, y1)]
    if corners[0] != points[0] or corners[-1][0] < points[-1][0]:
        corners.append((points[-1][0], corners[-1][1]))
    return corners


def _short(points: Points) -> list[tuple[Fraction, Fraction]]:
    """The points, and a corner wherever the slope between two of them would be no binary fraction, though they are."""
    corners = [points[0]]
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        if _is_binary(x0, y0, x1, y1) and not _is_binary((y1 - y0) / (x1 - x0)):
            corners.append((x1 - _power_below(x1 - x0), y0))
        corners.append((x1, y1))
    return corners


def _is_binary(*numbers: Fraction) -> bool:
    return all(number.denominator & (number.denominator - 1) == 0 for number in numbers)


def _power_below(number: Fraction) -> Fraction:
    """The largest power of two that is not above a positive number."""
    power = Fraction(2) ** (number.numerator.bit_length() - number.denominator.bit_length() + 1)
    while power > number:
        power /= 2
    return power


def _ramp(below: Fraction, here: Fraction) -> tuple[Fraction, Fraction]:
    """Where a step between two numbers begins and how wide it is: flat for at least a quarter of the distance on both
    sides, a power of two wide, and beginning at a short binary fraction."""
    quarter = (here - below) / 4
    width = _power_below(2 * quarter)
    start = _near((below + here - width) / 2, width / 64)
    if not below + quarter <= start <= here - quarter - width:
        width /= 2
        start = _near((below + here - width) / 2, width / 64)
    return start, width


def _near(number: Fraction, grid: Fraction) -> Fraction:
    """The multiple of a power of two next to a number; the number itself if it is a short binary fraction."""
    return number if _is_binary(number) and number.denominator < 1 << 10 else Fraction(round(number / grid)) * grid
