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
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from rasp.source import error

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
    try:
        with ProcessPoolExecutor(min(jobs, len(items)), start_anew, _begin) as pool:
            yield from pool.map(work, items)
    except BrokenProcessPool:
        hint = "use one process; a script needs `if __name__ == '__main__':` around what it runs"
        raise error("worker", "a process that was at work has ended", hint=hint) from None


def _begin() -> None:
    """One thread for each process; an interruption ends it without a word, and so does the end of its parent."""
    os.environ["OMP_NUM_THREADS"] = "1"
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
