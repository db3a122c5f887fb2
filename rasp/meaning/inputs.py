"""Inputs: the exact tokens of an input, and the places of the positions that they stand on.

In: what a caller gives, or several such end to end. Out: `Places`: tokens, and where each input begins and ends.
Invariant: no input is empty.

    >>> places = Places("abcd", [1, 3]); places.positions, places.parts
    ([0, 0, 1, 2], [slice(0, 1, None), slice(1, 4, None)])
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, chain
from typing import Any, TypeAlias

from rasp.text.source import error
from rasp.value import Value, from_python

Input: TypeAlias = Iterable[Any]
Rows: TypeAlias = list[int]


def read_input(tokens: Input) -> list[Value]:
    """The exact elements of an input: the characters of a string, the items of a list, the keys of a dictionary."""
    try:
        elements = [element if type(element) is str else from_python(element) for element in tokens]
    except TypeError as problem:
        raise error("input", f"an input is a string or a list of scalars: {problem}") from None
    except ValueError:
        raise error("input", "an input has no infinite and no undefined numbers") from None
    if not elements:
        raise error("empty-input", "an input has at least one token")
    return elements


class Places:
    """The positions of one tape: of one input, or of several end to end, `lengths` long."""

    def __init__(self, tokens: Input, lengths: Sequence[int] | None = None) -> None:
        self.tokens = read_input(tokens)
        self.n = len(self.tokens)
        self.lengths = lengths or [self.n]
        if not all(self.lengths):
            raise error("empty-input", "an input has at least one token")
        self.parts = [slice(end - n, end) for n, end in zip(self.lengths, accumulate(self.lengths), strict=True)]
        self.positions = list(chain.from_iterable(map(range, self.lengths)))

    def seen_by(self, queries: Places) -> Rows:
        """The rows of queries that each see every position of their own input."""
        pairs = zip(self.lengths, queries.lengths, strict=True)
        return [row for length, count in pairs for row in [(1 << length) - 1] * count]
