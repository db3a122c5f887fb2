"""Codes: whole numbers for the values that are compared or moved as names.

In: a vocabulary, and values as they are met. Out: the number of each, and s-ops that take these numbers.
Invariant: two values have two numbers, and a value keeps its own.

    codes of "a", "b", "c":  -1, 0, 1;  of "d", met later:  2
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from compiler.graph.domain import Domain
from rasp.meaning.sop import Lookup, SOp
from rasp.value import Value


class Codes:
    """A whole number for every value that is compared or moved as a name: the vocabulary first, centred on zero."""

    def __init__(self, vocabulary: Sequence[Value]) -> None:
        self._codes: dict[Value, int] = {}
        middle = (len(vocabulary) - 1) // 2
        for number, value in enumerate(vocabulary):
            self._codes[value] = number - middle

    def __getitem__(self, value: Value) -> Fraction:
        if value not in self._codes:
            self._codes[value] = max(self._codes.values(), default=-1) + 1
        return Fraction(self._codes[value])

    def of(self, node: SOp, domain: Domain) -> SOp:
        """The s-op's values as codes."""
        return Lookup(tuple((value, int(self[value])) for value in domain), node)
