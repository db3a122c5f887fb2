"""Checking: every stage against the interpreter, on all short inputs, random ones and awkward ones.

In: a program or a checkpoint folder. Out: `Report`: how many inputs, how many skipped, the first difference, shrunk.
Invariants: an input on which the interpreter raises is skipped and counted, and a check that skips more than half
fails; the same seed gives the same inputs, in one process and in many.

    363 short inputs, 1000 random, 40 awkward: analysis, graph, ..., weights, model agree with the interpreter
"""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeAlias

from compiler.pipeline import Compiled
from compiler.trust.compare.inputs import (
    LONGEST,
    POOL,
    POOL_LENGTH,
    awkward,
    by_rows,
    chunks,
    of_length,
    random_input,
)
from compiler.trust.compare.report import CIRCUITS, Difference, Input, Place, Report
from compiler.trust.compare.subject import Batch, Finding, Subject, of_checkpoint, of_compilation, recipe_of
from compiler.trust.compare.workers import Compare, comparing
from rasp import Program

__all__ = ["Difference", "Place", "Progress", "Report", "check"]

Progress: TypeAlias = Callable[[int, int], None]
CHUNK = 256
CIRCUIT_TOKENS, CIRCUIT_LENGTH = 300, 24
"""The exact simulation of circuits is slow: they see inputs of about this many tokens in all, and of this length."""
SEARCHED = 20
"""How many times as many inputs are looked at where `requires` leaves some out."""
MOST = 50_000_000
"""The most inputs of one length that are all tried."""


def check(
    target: Program | Compiled | str | Path,
    samples: int = 1000,
    seed: int = 0,
    max_exhaustive: int = 400,
    progress: Progress | None = None,
    seconds: float | None = None,
    jobs: int = 1,
    fast: bool = False,
) -> Report:
    """Check a program (every stage) or a checkpoint folder (its model) against the interpreter.

    All inputs of length 1, 2, ...: `max_exhaustive` of them, or, with `seconds`, each length done in that time.
    Then `samples` random ones of all lengths up to the longest, then awkward ones. `jobs` is the number of processes.
    With `fast`, the fast path is one more stage; `RaspError` is raised where there is none.
    """
    if isinstance(target, Program):
        target = Compiled(target)
    target = Path(target) if isinstance(target, str) else target
    subject = of_checkpoint(target, fast) if isinstance(target, Path) else of_compilation(target, fast)
    with comparing(subject, lambda: recipe_of(target, fast), jobs) as compare:
        run = _Check(subject, compare, samples, seed, progress or (lambda done, total: None))
        list(compare([Batch([(token,)], run.quick) for token in run.vocabulary[:1]]))  # what has to start has started
        start = time.perf_counter()
        run.all(max_exhaustive, seconds)
        run.report.examples = subject.compiled.program.examples
        run.report.seconds = time.perf_counter() - start
    return run.report


class _Check:
    """One check: what has been tried, what is still to come."""

    def __init__(self, subject: Subject, compare: Compare, samples: int, seed: int, progress: Progress) -> None:
        self.subject = subject
        self.compare = compare
        self.progress = progress
        self.report = Report(list(subject.stages), seed=seed)
        self.quick = [stage for stage in subject.stages if stage not in CIRCUITS]
        self.vocabulary = subject.setting.vocabulary
        self.longest = min(subject.setting.max_length, LONGEST)
        rng = random.Random(seed)
        endless = (random_input(self.vocabulary, self.longest, rng) for _ in range(SEARCHED * samples))
        self.drawn = self._meant(endless, samples)
        self.awkward = list(self._meant(dict.fromkeys(self._awkward(random.Random(seed)))))
        self.to_come = samples + len(self.awkward)
        self.few: dict[str, list[Input]] = {"short": [], "random": [], "awkward": []}

    def all(self, max_exhaustive: int, seconds: float | None) -> None:
        """Short inputs, random ones, awkward ones; in the end the circuits on a few of each. Ends at a difference."""
        if seconds is None:
            self._short(max_exhaustive)
        else:
            self._short_within(seconds)
        self._try("random", self.drawn)
        self._try("awkward", self.awkward)
        self._try_circuit([tokens for kind in self.few.values() for tokens in kind])
        self._tell(0)

    def _short(self, most: int) -> None:
        """The first of all inputs, shortest first."""
        for length in range(1, self.longest + 1):
            left, count = most - self.report.short, len(self.vocabulary) ** length
            inputs = itertools.islice(of_length(self.vocabulary, length), SEARCHED * left)
            self._try("short", self._meant(inputs, left), min(left, count))
            if self.report.differences or count > left:
                break
            self.report.complete = length

    def _short_within(self, seconds: float) -> None:
        """All inputs of each length for which there seems to be time, at the pace of those before it."""
        start, tried = time.perf_counter(), 0
        for length in range(1, self.longest + 1):
            count, spent = len(self.vocabulary) ** length, time.perf_counter() - start
            if self.report.differences or count > MOST or (tried and spent * (1 + count / tried) > seconds):
                break
            self._try("short", self._meant(of_length(self.vocabulary, length)), count)
            tried += count
            self.report.complete = length

    def _awkward(self, rng: random.Random) -> Iterator[Input]:
        yield from awkward(self.vocabulary, self.longest, rng)
        pool = [random_input(self.vocabulary, min(self.longest, POOL_LENGTH), rng) for _ in range(POOL)]
        yield from by_rows(self.subject.compiled.sop.values(), pool, self.subject.setting.causal)

    def _meant(self, inputs: Iterable[Input], most: int | None = None) -> Iterator[Input]:
        found = (tokens for chunk in chunks(inputs, CHUNK) for tokens in self.subject.meant(chunk))
        return itertools.islice(found, most)

    def _try(self, kind: str, inputs: Iterable[Input], to_come: int = 0) -> None:
        """Compare the inputs of a kind; `to_come` are expected, beside the random and awkward ones."""
        if self.report.differences:
            return
        for finding in self.compare(self._batches(kind, inputs)):
            report = self.report
            setattr(report, kind, getattr(report, kind) + finding.tried)
            report.skipped += finding.skipped
            report.reason = report.reason or finding.reason
            if kind == "short":
                to_come -= finding.tried
            else:
                self.to_come -= finding.tried
            self._tell(self.to_come + to_come)
            if self._differs(finding):
                return

    def _batches(self, kind: str, inputs: Iterable[Input]) -> Iterator[Batch]:
        """Batches for all stages but the circuits, for which the first few short enough inputs are noted."""
        few = self.few[kind]
        left = CIRCUIT_TOKENS // len(self.few)
        for chunk in chunks(inputs, CHUNK):
            for tokens in chunk:
                if len(tokens) <= CIRCUIT_LENGTH and left > 0:
                    few.append(tokens)
                    left -= len(tokens)
            yield Batch(chunk, self.quick)

    def _try_circuit(self, inputs: Sequence[Input]) -> None:
        circuits = [stage for stage in self.report.stages if stage in CIRCUITS]
        if self.report.differences or not circuits:
            return
        for finding in self.compare(Batch(chunk, circuits) for chunk in chunks(inputs, 16)):
            self.report.exact += finding.tried - finding.skipped
            if self._differs(finding):
                return

    def _differs(self, finding: Finding) -> bool:
        if finding.wrong is not None:
            self.report.differences.append(self.subject.smallest(finding.wrong))
        return finding.wrong is not None

    def _tell(self, to_come: int) -> None:
        self.progress(self.report.inputs, self.report.inputs + max(0, to_come))
