"""Timing: medians of repeated runs, runs of rivals interleaved, and an end for what takes too long.

In: functions without arguments. Out: `Times`, in seconds.
Invariant: the first run warms up and is not counted, unless it takes so long, or time is so short, that once must do.

    >>> timed(lambda: sum(range(1000)), budget=0.0).runs
    1
"""

from __future__ import annotations

import gc
import os
import platform
import signal
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

MOST_RUNS = 25
FEWEST_TURNS = 7
SHORT = 0.02
"""Seconds up to which a run is over before the processor's caches are its own."""
LONG = 5.0
"""Seconds from which a warm-up run is itself the measurement."""


class TooLong(Exception):
    """A time limit has passed."""


@dataclass(frozen=True)
class Times:
    """The seconds of each run."""

    seconds: tuple[float, ...]

    @property
    def runs(self) -> int:
        """How many there were."""
        return len(self.seconds)

    @property
    def median(self) -> float:
        """The run in the middle."""
        return statistics.median(self.seconds)

    @property
    def fastest(self) -> float:
        """The run that was disturbed least."""
        return min(self.seconds)


@contextmanager
def apart() -> Iterator[None]:
    """Whatever there is already is not looked through when garbage is collected: only what is measured counts."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def once(work: Callable[[], object]) -> float:
    """Seconds of one run; garbage is collected before it."""
    gc.collect()
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def timed(work: Callable[[], object], budget: float) -> Times:
    """Warm up, then `repeated`; without a budget, or where the warm-up takes long, it is the measurement."""
    with apart():
        warm = once(work)
        return Times((warm,)) if not budget or warm > LONG else repeated(work, budget)


def repeated(work: Callable[[], object], budget: float) -> Times:
    """Run until the budget of seconds is spent, once at least."""
    seconds = [once(work)]
    while sum(seconds) < budget and len(seconds) < MOST_RUNS:
        seconds.append(once(work))
    return Times(tuple(seconds))


def interleaved(rivals: Sequence[Callable[[], object]], budget: float) -> list[Times]:
    """Warm up, then run all rivals in turns: what disturbs one disturbs the others. One budget for all together.

    A short run comes behind one that does not count, so that it finds the caches as its own runs leave them.
    """
    least = FEWEST_TURNS if budget else 1
    turns: list[list[float]] = []
    with apart():
        lengths = [once(rival) for rival in rivals]
        while len(turns) < least or sum(map(sum, turns)) < budget:
            turns.append([])
            for rival, length in zip(rivals, lengths, strict=True):
                if length < SHORT:
                    rival()
                turns[-1].append(_seconds(rival))
    return [Times(tuple(seconds)) for seconds in zip(*turns, strict=True)]


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@contextmanager
def limit(seconds: float) -> Iterator[None]:
    """Raise `TooLong` in the body after so many seconds; no limit where the system has no such alarm."""
    if not hasattr(signal, "setitimer"):
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise TooLong(f"over {seconds:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def peak_memory() -> int | None:
    """The most memory this process has held so far, in bytes; None where the system does not tell."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def held_memory(work: Callable[[], object]) -> int:
    """The most bytes that torch holds at a time for tensors that the work makes."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as found:
        work()
    held = most = 0
    events = found.profiler.kineto_results.events()  # type: ignore[union-attr]
    for event in sorted(events, key=lambda event: event.start_ns()):
        if event.name() == "[memory]":
            held += event.nbytes()
            most = max(most, held)
    return most


def machine() -> dict[str, Any]:
    """What ran the benchmarks: cores, memory, how busy it was with other work, versions."""
    import torch

    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": _memory(),
        "load_before": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "threads": torch.get_num_threads(),
    }


def _processor() -> str:
    """Its name, where the system tells."""
    table = Path("/proc/cpuinfo")
    lines = table.read_text().splitlines() if table.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _memory() -> float | None:
    table = Path("/proc/meminfo")
    if not table.exists():
        return None
    return round(int(table.read_text().split()[1]) / 2**20, 1)
