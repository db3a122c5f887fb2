"""Inputs to try: all that are short.

list(every("ab", 2)) == [("a",), ("b",), ("a", "a"), ("a", "b"), ("b", "a"), ("b", "b")]
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

T = TypeVar("T")


def every(vocabulary: Iterable[T], longest: int) -> Iterator[tuple[T, ...]]:
    """All inputs of up to so many tokens, the short ones first."""
    words = tuple(vocabulary)
    for length in range(1, longest + 1):
        yield from itertools.product(words, repeat=length)


def short(vocabulary: Sequence[T], longest: int, most: int) -> Iterator[tuple[T, ...]]:
    """All inputs of length 1, 2, ... as long as there are no more than `most` of them."""
    left = most
    for length in range(1, longest + 1):
        if (left := left - len(vocabulary) ** length) < 0:
            break
        yield from itertools.product(vocabulary, repeat=length)
