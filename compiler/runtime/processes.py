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
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeAlias, TypeVar

from rasp.text.source import error

Item = TypeVar("Item")
Result = TypeVar("Result")
Progress: TypeAlias = Callable[[int, int], None]
"""Told how many are done, and of how many."""


def spread(
    work: Callable[[Item], Result], items: Sequence[Item], jobs: int = 1, progress: Progress | None = None
) -> Iterator[Result]:
    """Each result as soon as it and those before it are there; `progress` counts those behind it as well.

    `work` is a function of a module.
    """
    tell = _Count(len(items), progress or (lambda done, total: None))
    if jobs == 1 or len(items) < 2:
        for item in items:
            result = work(item)
            tell()
            yield result
        return
    start_anew = multiprocessing.get_context("spawn")  # a copy of this process would share torch's threads
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(min(jobs, len(items)), start_anew, _begin)
    try:
        futures = [pool.submit(work, item) for item in items]
        for future in futures:
            future.add_done_callback(tell)
        for future in futures:
            yield future.result()
    except BrokenProcessPool:
        hint = "use one process; a script needs `if __name__ == '__main__':` around what it runs"
        raise error("worker", "a process that was at work has ended", hint=hint) from None
    finally:  # nobody waits for what is still at work when an exception or an interruption ends this
        for process in set(multiprocessing.active_children()) - others:
            process.kill()
        pool.shutdown(cancel_futures=True)


class _Count:
    """Tells how many are done each time it is called, from whichever thread."""

    def __init__(self, total: int, progress: Progress) -> None:
        self.done, self.total, self.progress = 0, total, progress
        self.lock = threading.Lock()

    def __call__(self, future: Future[Any] | None = None) -> None:
        if future is not None and (future.cancelled() or future.exception() is not None):
            return
        with self.lock:
            self.done += 1
            self.progress(self.done, self.total)


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
