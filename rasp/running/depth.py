"""Depth: room for recursion that follows how deep a program is nested.

In: a piece of work. Out: the same, with room to recurse; a `RaspError` where even that is not enough.
Invariant: Python's own limit is what it was when the work is over.

    >>> def nested(depth: int) -> int:
    ...     return depth and nested(depth - 1)
    >>> with deep_recursion(10_000, "the count is nested too deeply"):
    ...     nested(5_000)
    0
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rasp.text.source import Span, error


@contextmanager
def deep_recursion(frames: int, refusal: str, span: Span | None = None, hint: str | None = None) -> Iterator[None]:
    """Room for so many calls inside each other. Raises `RaspError` where they are more."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, frames))
    try:
        yield
    except RecursionError:
        raise error("recursion", refusal, span, hint) from None
    finally:
        sys.setrecursionlimit(before)
