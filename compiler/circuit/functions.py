"""Functions of a variable: what a column is made of its value, as data.

In: the values of a variable, and the number that a column has at each. Out: the simplest `Function` that says it.
Invariant: at every value the function is the number, exactly; where a variable cannot have a value with an answer, the
table says None.

    tokens over "abc", 0 1 0:             1 where it is "b"
    indices, 9 4 1 0 1:                   (indices - 3)^2
    x over 0 1 2 3, 0 0 5 5:              5 from 2 on
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

from rasp.value import Value

Numbers: TypeAlias = Sequence[Fraction | None]
"""One for each value of the variable."""


@dataclass(frozen=True)
class Number:
    """``plus + times * value``, of a variable of numbers; the value itself for 1 and 0."""

    times: Fraction
    plus: Fraction

    def to_json(self) -> dict[str, Any]:
        """As data."""
        return {"kind": "number", "times": str(self.times), "plus": str(self.plus)}


@dataclass(frozen=True)
class Square:
    """``plus + times * (value - centre)^2``, of a variable of numbers. A line more or less moves the centre."""

    centre: Fraction
    times: Fraction
    plus: Fraction

    def to_json(self) -> dict[str, Any]:
        """As data."""
        return {"kind": "square", "centre": str(self.centre), "times": str(self.times), "plus": str(self.plus)}


@dataclass(frozen=True)
class Is:
    """``plus + times`` where the variable has the value, else ``plus``."""

    value: Value
    times: Fraction
    plus: Fraction

    def to_json(self) -> dict[str, Any]:
        """As data."""
        return {"kind": "is", "value": plain(self.value), "times": str(self.times), "plus": str(self.plus)}


@dataclass(frozen=True)
class AtLeast:
    """``plus + times`` where the variable, a number, is at least the value, else ``plus``."""

    value: Value
    times: Fraction
    plus: Fraction

    def to_json(self) -> dict[str, Any]:
        """As data."""
        return {"kind": "at_least", "value": plain(self.value), "times": str(self.times), "plus": str(self.plus)}


@dataclass(frozen=True)
class Among:
    """``plus + times`` where the variable has one of the values, else ``plus``."""

    values: tuple[Value, ...]
    times: Fraction
    plus: Fraction

    def to_json(self) -> dict[str, Any]:
        """As data."""
        values = [plain(value) for value in self.values]
        return {"kind": "among", "values": values, "times": str(self.times), "plus": str(self.plus)}


@dataclass(frozen=True)
class Listed:
    """A number for each value of the variable, in their order; None where no input with an answer has the value."""

    numbers: tuple[Fraction | None, ...]

    def to_json(self) -> dict[str, Any]:
        """As data."""
        return {"kind": "table", "numbers": [None if number is None else str(number) for number in self.numbers]}


Function: TypeAlias = Number | Square | Is | AtLeast | Among | Listed


def function(values: Sequence[Value], numbers: Numbers) -> Function:
    """The simplest function that has these numbers at these values."""
    known = [(value, number) for value, number in zip(values, numbers, strict=True) if number is not None]
    heights = dict.fromkeys(number for _, number in known)
    if len(heights) <= 1:
        return Number(Fraction(0), next(iter(heights), Fraction(0)))
    numeric = not any(isinstance(value, str) for value, _ in known)
    points = [(Fraction(value), number) for value, number in known] if numeric else []
    found = _number(points) if points and len(heights) == len(points) else None
    if found is None and len(heights) == 2:
        return _two_valued(known, numeric)
    return found or (_square(points) if points else None) or Listed(tuple(numbers))


Points: TypeAlias = Sequence[tuple[Fraction, Fraction]]


def _number(points: Points) -> Number | None:
    """The line through the points, if there is one."""
    (x, y), (other_x, other_y) = points[0], points[-1]
    times = (other_y - y) / (other_x - x)
    found = Number(times, y - times * x)
    return found if all(found.plus + times * at == height for at, height in points) else None


def _square(points: Points) -> Square | None:
    """The parabola through the points, if there is one, and they are more than three."""
    if len(points) <= 3:
        return None
    (a, at_a), (b, at_b), (c, at_c) = points[0], points[1], points[2]
    times = ((at_c - at_b) / (c - b) - (at_b - at_a) / (b - a)) / (c - a)
    if times == 0:
        return None
    slope = (at_b - at_a) / (b - a) - times * (a + b)
    centre = -slope / (2 * times)
    plus = at_a - times * (a - centre) ** 2
    return Square(centre, times, plus) if all(plus + times * (x - centre) ** 2 == y for x, y in points) else None


def _two_valued(known: Sequence[tuple[Value, Fraction]], numeric: bool) -> Function:
    """A function of two numbers: from which value on, or at which values, it is the one and not the other."""
    low, high = dict.fromkeys(number for _, number in (sorted(known, key=_by_value) if numeric else known))
    if numeric and sum(a != b for (_, a), (_, b) in itertools.pairwise(sorted(known, key=_by_value))) == 1:
        above = [value for value, number in sorted(known, key=_by_value) if number == high]
        if len(above) > 1 and len(known) - len(above) > 1:
            return AtLeast(above[0], high - low, low)
    ones = {number: tuple(value for value, other in known if other == number) for number in (low, high)}
    on = min(ones, key=lambda number: (len(ones[number]), number == 0))
    off = low if on == high else high
    values = ones[on]
    return Is(values[0], on - off, off) if len(values) == 1 else Among(values, on - off, off)


def _by_value(point: tuple[Value, Fraction]) -> Fraction:
    return Fraction(point[0])


def plain(value: Value) -> Any:
    """A value as JSON data: a number that is no integer is an object."""
    return {"float": str(value)} if isinstance(value, Fraction) else value
