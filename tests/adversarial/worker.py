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
from multiprocessing.connection import Connection
from typing import Any

SECONDS = 30
"""Processor time of one stage; beyond it, the process is ended."""
PATIENCE = 600
"""Seconds by the clock without a word, for what waits instead of computing."""
MEMORY = 12 << 30
"""Bytes of address space of a process."""


def work(orders: Connection) -> None:
    """A process that judges the seeds it is sent; it says which stage it has come to, and then what came out."""
    from tests.adversarial.judge import judge, steady
    from tests.adversarial.programs import drawn

    def tell(stage: str) -> None:
        _allow(SECONDS)
        orders.send(("stage", stage))

    steady()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))
    orders.send(("ready", ""))
    while True:
        seed = orders.recv()
        tell("draw")
        start, case = time.process_time(), drawn(seed)
        verdict = judge(case, tell)
        found = vars(verdict) | {"outcome": verdict.outcome, "dtype": case.dtype, "optimize": case.optimize}
        found["findings"] = [vars(finding) for finding in verdict.findings]
        found["total"] = round(time.process_time() - start, 3)
        if verdict.findings:
            found["text"] = case.text
        orders.send(("done", found))


def _allow(seconds: int) -> None:
    """So much processor time from now on; then the system ends the process, whatever it is doing."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime) + seconds + 1
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))


class Worker:
    """A process at work, the seed it has, and the stage it has come to."""

    def __init__(self) -> None:
        self.orders, theirs = multiprocessing.get_context("spawn").Pipe()
        self.process = multiprocessing.get_context("spawn").Process(target=work, args=(theirs,), daemon=True)
        self.process.start()
        theirs.close()
        self.seed: int | None = None
        self.stage, self.heard = self.orders.recv()[0], time.monotonic()

    def give(self, seed: int) -> None:
        """Something to do."""
        self.seed, self.stage, self.heard = seed, "sent", time.monotonic()
        self.orders.send(seed)

    def heard_of(self) -> dict[str, Any] | None:
        """What came out for its seed, if that is known by now. Raises `EOFError` where the process has ended."""
        kind, what = self.orders.recv()
        self.heard = time.monotonic()
        if kind == "done":
            return what  # type: ignore[no-any-return]
        self.stage = what or self.stage
        return None

    def end(self) -> dict[str, Any]:
        """End the process; the finding that this is."""
        waited = time.monotonic() - self.heard
        self.process.kill() if waited > PATIENCE else self.process.join(5)
        code = self.process.exitcode
        kind = "SLOW" if waited > PATIENCE or code == -signal.SIGXCPU else "DIED"
        detail = f"{waited:.0f} s, exit code {code}"
        return {"outcome": kind, "findings": [{"kind": kind, "stage": self.stage, "detail": detail}]}
