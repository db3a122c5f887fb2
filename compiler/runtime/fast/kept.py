"""Kept: what a recurrence keeps of a text, where a number or a list of numbers is not enough.

In: numbers at positions, one position after the other. Out: `Nearest`, `Log`, `Logs`, `Spans`, `Scores`.
Invariant: what is asked costs the same at every position, apart from bisections in logs and spans, and from `Scores`.

    >>> log = Logs(width=1)
    >>> log.add(code="a", place=0, values=(2.0,))
    >>> log.add(code="a", place=3, values=(5.0,))
    >>> log.between(["a", "b"], 1, 3)
    (1, [5.0])
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from compiler.circuit.layer import Head, Sees

MOST_KNOWN = 1 << 16
"""How many numbers between those of a staircase are remembered."""


class Nearest(dict[Any, Any]):
    """A function of the numbers given; any other number has the value of the nearest of them."""

    def __init__(self, numbers: Sequence[tuple[float, ...]], values: Sequence[Any]) -> None:
        super().__init__(zip((n[0] if len(n) == 1 else n for n in numbers), values, strict=True))
        self.numbers, self.found = np.array(numbers), list(values)

    def __missing__(self, number: Any) -> Any:
        if not np.isfinite(number).all():
            raise OverflowError("nothing is near to it")
        distance = ((self.numbers - np.array(number)) ** 2).sum(-1)
        value = self.found[int(distance.argmin())]
        if len(self) < len(self.found) + MOST_KNOWN:
            self[number] = value
        return value


class Log:
    """What was selected so far for one code: where, and the sums of its values up to there."""

    def __init__(self, width: int) -> None:
        self.places: list[int] = []
        self.values: list[tuple[float, ...]] = []
        self.sums: list[tuple[float, ...]] = [(0.0,) * width]

    def add(self, place: int, values: tuple[float, ...]) -> None:
        """One more position."""
        self.places.append(place)
        self.values.append(values)
        self.sums.append(tuple(map(float.__add__, self.sums[-1], values)))

    def between(self, first: int, last: int) -> tuple[int, tuple[float, ...]]:
        """How many there are from the first position to the last, and the sums of their values."""
        start = bisect_left(self.places, first)
        end = max(start, bisect_right(self.places, last))
        return end - start, tuple(b - a for a, b in zip(self.sums[start], self.sums[end], strict=True))


class Logs:
    """A log for each code."""

    def __init__(self, width: int) -> None:
        self.logs: dict[object, Log] = {}
        self.width = width

    def add(self, code: object, place: int, values: tuple[float, ...]) -> None:
        """One more position of a code."""
        if code not in self.logs:
            self.logs[code] = Log(self.width)
        self.logs[code].add(place, values)

    def between(self, codes: Iterable[object], first: int, last: int) -> tuple[int, list[float]]:
        """How many there are of the codes from the first position to the last, and the sums of their values."""
        number, sums = 0, [0.0] * self.width
        for code in codes:
            if code in self.logs:
                more, values = self.logs[code].between(first, last)
                number += more
                sums = [a + b for a, b in zip(sums, values, strict=True)]
        return number, sums

    def end(self, codes: Iterable[object], first: int, last: int, sees: Sees) -> tuple[int, Sequence[float]]:
        """The values at the last or the first of the positions between two that have the code, and 1 if there is one.

        Of several codes one is there at most.
        """
        for log in (self.logs[code] for code in codes if code in self.logs):
            start, end = bisect_left(log.places, first), bisect_right(log.places, last)
            if start < end:
                return 1, log.values[start if sees == "first" else end - 1]
        return 0, [0.0] * self.width


class Spans:
    """Intervals of whole numbers, each behind the one before it, and what is fetched from each.

    >>> spans = Spans(width=1)
    >>> spans.add(place=0, middle=1.0, square=4.0, values=(7.0,))
    >>> spans.at(2.0, 0, 0), spans.at(3.0, 0, 0)
    ((1, (7.0,)), (0, (0.0,)))
    """

    def __init__(self, width: int) -> None:
        self.ends: list[int] = []
        self.found: list[tuple[int, int, tuple[float, ...]]] = []
        self.nothing = (0.0,) * width

    def add(self, place: int, middle: float, square: float, values: tuple[float, ...]) -> None:
        """The interval of one more position: what is less than v away from its middle."""
        reach = math.isqrt(max(round(square), 0))
        self.ends.append(round(middle) + reach)
        self.found.append((round(middle) - reach, place, values))

    def at(self, number: float, first: int, last: int) -> tuple[int, tuple[float, ...]]:
        """What the interval of a number holds, if its position is among these; how many there are."""
        asked = round(number)
        which = bisect_right(self.ends, asked)
        if which < len(self.ends):
            start, place, values = self.found[which]
            if start < asked and first <= place <= last:
                return 1, values
        return 0, self.nothing


class Scores:
    """The keys so far of a head that is known by its scores only, [position, pair], and their values."""

    def __init__(self, head: Head) -> None:
        self.head = head
        self.keys = np.empty((64, len(head.scores)))
        self.values = np.empty((64, len(head.channels)))
        self.length = 0

    def add(self, keys: tuple[float, ...], values: tuple[float, ...]) -> None:
        """One more position."""
        if self.length == len(self.keys):
            self.keys, self.values = (np.concatenate([old, np.empty_like(old)]) for old in (self.keys, self.values))
        self.keys[self.length], self.values[self.length] = keys, values
        self.length += 1

    def select(self, query: tuple[float, ...], baseline: float) -> tuple[int, list[float]]:
        """How many keys are selected, and the sums of their values. Between a selected key and the others is a step."""
        scores = self.keys[: self.length] @ np.array(query)
        least = scores.max() if self.head.sure else baseline + float(self.head.selected)
        least = least if self.head.sees == "all" and not self.head.nearest else max(least, scores.max())
        chosen = self.values[: self.length][scores >= least - float(self.head.score_gap) / 2]
        return len(chosen), chosen.sum(0).tolist()
