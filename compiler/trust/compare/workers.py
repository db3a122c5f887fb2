"""Comparing in this process, or in several.

In: a recipe for the subject, batches. Out: a finding for each batch, in the order of the batches.
Invariant: the findings do not depend on how many processes there are; none outlives the check, whatever ends it.

    with comparing(subject, recipe, jobs=2) as compare:
        findings = compare(batches)
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeAlias

from compiler.trust.compare.subject import Batch, Finding, Recipe, Subject
from rasp.text.source import error

Compare: TypeAlias = Callable[[Iterable[Batch]], Iterator[Finding]]
AHEAD = 3
"""How many batches wait for each process."""


@contextmanager
def comparing(subject: Subject, recipe: Callable[[], Recipe], jobs: int) -> Iterator[Compare]:
    """What compares batches, in `jobs` processes; they are stopped at the end."""
    if jobs == 1:
        yield lambda batches: map(subject.compare, batches)
        return
    before = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _begin, (recipe(),))
    try:
        yield lambda batches: _in_order(pool, batches, AHEAD * jobs)
    finally:
        for process in set(multiprocessing.active_children()) - before:
            process.kill()
        pool.shutdown(wait=True, cancel_futures=True)


def _in_order(pool: ProcessPoolExecutor, batches: Iterable[Batch], ahead: int) -> Iterator[Finding]:
    waiting: deque[Future[Finding]] = deque()
    try:
        for batch in batches:
            waiting.append(pool.submit(_compare, batch))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool:
        hint = "check with --jobs 1; a script that checks needs `if __name__ == '__main__':` around what it runs"
        raise error("worker", "a process that was checking has ended", hint=hint) from None


_subject: Subject | None = None


def _begin(recipe: Recipe) -> None:
    """Make this process's subject. It ends with the process that started it; an interruption is that one's matter."""
    global _subject
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    import torch

    torch.set_num_threads(1)
    _subject = recipe.subject()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _compare(batch: Batch) -> Finding:
    assert _subject is not None
    return _subject.compare(batch)
