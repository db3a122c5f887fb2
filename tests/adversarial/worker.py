"""A process at work on one seed after the other, and what is heard of it.

In: seeds. Out: what came out for each, or that the process ended, and at which stage.
Invariant: processor time, memory and patience are bounded, whatever a seed does.

    worker = Worker(); worker.give(7); worker.heard_of()
"""

from __future__ import annotations

import multiprocessing
import resource
import signal
import time
import traceback
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, TypeAlias

import torch

from tests.adversarial import numeric, programs
from tests.adversarial.judge import judge
from tests.adversarial.programs import Case

Outcome: TypeAlias = Callable[[int, Callable[[str], None]], dict[str, Any]]
"""What comes out for a seed; it tells which stage it has come to."""
PROGRAMS: dict[str, Callable[[int], Case]] = {"any": programs.drawn, "numeric": numeric.drawn}
"""The ways to draw a program."""

SECONDS = 30
"""Processor time of one stage; beyond it, the process is ended."""
PATIENCE = 600
"""Seconds by the clock without a word, for what waits instead of computing."""
MEMORY = 12 << 30
"""Bytes of address space of a process."""


def work(orders: Connection, outcome: Outcome, seconds: int) -> None:
    """A process that judges the seeds it is sent; it says which stage it has come to, and then what came out."""

    def tell(stage: str) -> None:
        _allow(seconds)
        orders.send(("stage", stage))

    torch.set_num_threads(1)  # one process for each core
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    orders.send(("stage", "ready"))
    while (seed := orders.recv()) is not None:
        start = time.process_time()
        found = outcome(seed, tell)
        orders.send(("done", found | {"total": round(time.process_time() - start, 3)}))


def judged(seed: int, tell: Callable[[str], None], written: str = "any") -> dict[str, Any]:
    """What comes out for a seed, as JSON data; the text too, unless all is right."""
    tell("draw")
    try:
        case = PROGRAMS[written](seed)
    except Exception:  # the interpreter's, on a statement that it was given
        return finding("TRACEBACK", "draw", traceback.format_exc(limit=-4))
    verdict = judge(case, tell)
    found = vars(verdict) | {"outcome": verdict.outcome, "dtype": case.dtype, "optimize": case.optimize}
    found["findings"] = [vars(one) for one in verdict.findings]
    found |= {"kinds": case.kinds} if case.kinds else {}
    return found | {"text": case.text} if verdict.outcome != "right" else found


def finding(kind: str, stage: str, detail: str) -> dict[str, Any]:
    """An outcome that is one finding."""
    return {"outcome": kind, "findings": [{"kind": kind, "stage": stage, "detail": detail}]}


def _allow(seconds: int) -> None:
    """So much processor time from now on; then the system ends the process, whatever it is doing."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime) + seconds + 1
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))


class Worker:
    """A process at work, the seed it has, and the stage it has come to."""

    def __init__(self, outcome: Outcome = judged, seconds: int = SECONDS) -> None:
        anew = multiprocessing.get_context("spawn")  # a copy of this process would share torch's threads
        self.orders, theirs = anew.Pipe()
        self.process = anew.Process(target=work, args=(theirs, outcome, seconds), daemon=True)
        self.process.start()
        theirs.close()
        self.seed: int | None = None
        self.stage, self.heard = self.orders.recv()[1], time.monotonic()

    def give(self, seed: int | None) -> None:
        """Something to do; None: nothing more, ever."""
        self.seed, self.stage, self.heard = seed, "sent", time.monotonic()
        self.orders.send(seed)

    def heard_of(self) -> dict[str, Any] | None:
        """What came out for its seed, if that is known by now. Raises `EOFError` where the process has ended."""
        kind, what = self.orders.recv()
        self.heard = time.monotonic()
        if kind == "done":
            return what  # type: ignore[no-any-return]
        self.stage = what
        return None

    def end(self) -> dict[str, Any]:
        """End the process; the finding that this is."""
        waited = time.monotonic() - self.heard
        if waited < PATIENCE:
            self.process.join(60)
        self.process.kill()
        code = self.process.exitcode
        kind = "SLOW" if waited > PATIENCE or code == -signal.SIGXCPU else "DIED"
        return finding(kind, self.stage, f"after {waited:.0f} s, exit code {code}")
