"""Staircases: a function of one number with finitely many arguments, as knots of ReLUs.

In: the points (x, y) of the function. Out: `Staircase`, a line plus knots; each knot becomes one neuron.
Invariant: at every given x the sum is y exactly; between the points it is linear (docs/constructions.md, C8).

    >>> print(staircase([(Fraction(x), Fraction(x * x)) for x in range(3)], flat=False))
    0 + 1 x + 2 relu(x - 1)
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from compiler.numbers.exact import counts, ratio
from compiler.numbers.powers import is_dyadic, power_below


@dataclass(frozen=True)
class Knot:
    """``weight * relu(side * (x - at))``: active to the right (side 1) or to the left (side -1) of `at`."""

    at: Fraction
    side: int
    weight: Fraction

    def __str__(self) -> str:
        inner = f"x - {self.at}" if self.side > 0 else f"{self.at} - x"
        return f"{self.weight} relu({inner})"


@dataclass(frozen=True)
class Staircase:
    """``constant + slope * x + sum of knots``."""

    constant: Fraction
    slope: Fraction
    knots: tuple[Knot, ...]
    flat: bool = False  # made with plateaus

    def __call__(self, x: Fraction) -> Fraction:
        """The value at x, exactly."""
        ramps = (knot.weight * max(knot.side * (x - knot.at), Fraction(0)) for knot in self.knots)
        return self.constant + self.slope * x + sum(ramps, Fraction(0))

    def __str__(self) -> str:
        return " + ".join([str(self.constant), f"{self.slope} x", *map(str, self.knots)])


Points = Sequence[tuple[Fraction, Fraction]]


def staircase(points: Points, flat: bool, coarse: bool = False) -> Staircase:
    """The function through the points, ascending in x, with a knot where its slope changes.

    With `flat`, it keeps each y over a quarter of the distance to the next point on both sides, so that a small error
    of x leaves y untouched; that costs up to one more knot for each change of y. Without, a slope that is not dyadic
    (no binary fraction) is replaced by a level piece and a ramp whose width is a power of two, so that whole numbers
    stay exact in floats. A `coarse` one does so with every slope that is no multiple of (grid of y) / (grid of x), and
    with a ramp as wide as the grid of x: whole y over halves keep slopes of 2, 4, ..., and a rise of 1 over 1 becomes a
    level piece and a ramp of slope 2. What the neurons add up to is then on the grid of y, and more of it is exact.
    """
    corners = _plateaus(points) if flat else _with_dyadic_slopes(points, coarse)
    slopes = _slopes(corners)
    if not slopes:
        return Staircase(corners[0][1], Fraction(0), ())
    changes = [
        (corner[0], ratio(up * run - rise * along, run * along))
        for corner, (rise, run), (up, along) in zip(corners[1:-1], slopes, slopes[1:], strict=False)
        if up * run != rise * along
    ]
    right, left = _Line.through(corners[0], *slopes[0]), _Line.through(corners[-1], *slopes[-1])
    low, high = corners[0][0], corners[-1][0]
    largest = max(abs(low), abs(high))
    to_right = right.size(largest) + _lean(changes, low, high) <= left.size(largest)
    line, side = (right, 1) if to_right else (left, -1)
    return Staircase(line.constant, line.slope, tuple(Knot(x, side, change) for x, change in changes), flat)


@dataclass(frozen=True)
class _Line:
    """The line at one end, where all knots are inactive."""

    slope: Fraction
    constant: Fraction

    @staticmethod
    def through(corner: tuple[Fraction, Fraction], rise: int, run: int) -> _Line:
        slope = ratio(rise, run)
        return _Line(slope, corner[1] - slope * corner[0] if rise else corner[1])

    def size(self, largest: Fraction) -> Fraction:
        """What its terms add up to in size, at arguments up to the largest: rounding errors are proportional to it."""
        return abs(self.slope) * largest + abs(self.constant) if self.slope else abs(self.constant)


def _slopes(corners: Points) -> list[tuple[int, int]]:
    """The slope between each corner and the next, as rise over run, which is positive."""
    (xs, x_unit), (ys, y_unit) = (counts([corner[axis] for corner in corners]) for axis in (0, 1))
    return [((y1 - y0) * x_unit, (x1 - x0) * y_unit) for x0, x1, y0, y1 in zip(xs, xs[1:], ys, ys[1:], strict=False)]


def _lean(changes: Points, low: Fraction, high: Fraction) -> Fraction:
    """By how much more the knots add up to in size if they are active to the right than if they are to the left."""
    (first, last, *knots), unit = counts([low, high, *(at for at, _ in changes)])
    weights, weight_unit = counts([weight for _, weight in changes])
    lean = sum(abs(weight) * (first + last - 2 * at) for weight, at in zip(weights, knots, strict=True))
    return ratio(lean, unit * weight_unit)


def _plateaus(points: Points) -> list[tuple[Fraction, Fraction]]:
    corners = [points[0]]
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        if y0 != y1:
            start, width = _ramp(x0, x1)
            corners += [(start, y0), (start + width, y1)]
    if corners[0] != points[0] or corners[-1][0] < points[-1][0]:
        corners.append((points[-1][0], corners[-1][1]))
    return corners


def _with_dyadic_slopes(points: Points, coarse: bool) -> list[tuple[Fraction, Fraction]]:
    """The points, and a corner wherever the slope between two of them would be no binary fraction, though they are.

    Where it is to be `coarse`, the corner is at one grid of the arguments before the second point.
    """
    (_, x_unit), (_, y_unit) = (counts([point[axis] for point in points]) for axis in (0, 1))
    corners = [points[0]]
    for (x0, y0), (x1, y1), (rise, run) in zip(points, points[1:], _slopes(points), strict=False):
        if coarse and rise * y_unit % (run * x_unit):
            corners.append((x1 - Fraction(1, x_unit), y0))
        elif run & (run - 1) and not is_dyadic(ratio(rise, run)) and all(map(is_dyadic, (x0, y0, x1, y1))):
            corners.append((x1 - power_below(x1 - x0), y0))
        corners.append((x1, y1))
    return corners


@lru_cache(maxsize=1 << 12)
def _ramp(below: Fraction, here: Fraction) -> tuple[Fraction, Fraction]:
    """Where the rise between two numbers begins and how wide it is: flat for at least a quarter of the distance on both
    sides, a power of two wide, and beginning at a dyadic number of few digits."""
    quarter = (here - below) / 4
    width = power_below(2 * quarter)
    start = _near((below + here - width) / 2, width / 64)
    if not below + quarter <= start <= here - quarter - width:
        width /= 2
        start = _near((below + here - width) / 2, width / 64)
    return start, width


def _near(number: Fraction, grid: Fraction) -> Fraction:
    """The multiple of a power of two next to a number; the number itself if it is dyadic and has few digits."""
    return number if is_dyadic(number) and number.denominator < 1 << 10 else Fraction(round(number / grid)) * grid
