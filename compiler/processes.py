"""Work on many things at once: one function, many items, several processes.

In: a function and items that can be sent to another process. Out: the results, in the order of the items.
Invariant: the results are the same whatever the number of processes; no process outlives the call.

    >>> list(spread(abs, [3, -4], jobs=1))
    [3, 4]
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def cores() -> int:
    """How many processes can work at the same time."""
    return os.cpu_count() or 1


def spread(work: Callable[[Item], Result], items: Sequence[Item], jobs: int = 1) -> Iterator[Result]:
    """Each result as soon as it and those before it are there. `work` is a function of a module."""
    if jobs == 1 or len(items) < 2:
        yield from map(work, items)
        return
    start_anew = multiprocessing.get_context("spawn")  # a copy of this process would share torch's threads
    with ProcessPoolExecutor(min(jobs, len(items)), start_anew, _begin) as pool:
        yield from pool.map(work, items)


def _begin() -> None:
    """One thread for each process; an interruption ends it without a word."""
    os.environ["OMP_NUM_THREADS"] = "1"
    signal.signal(signal.SIGINT, signal.SIG_DFL)
