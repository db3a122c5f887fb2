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

from compiler.graph.witness import Case
from compiler.pipeline import Compiled
from compiler.trust.compare.inputs import chunks
from compiler.trust.compare.report import ALONE, CIRCUITS, DECODE, TOGETHER, WHOLE, Difference, Place, Report
from compiler.trust.compare.shrinking import shortest, smallest
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
DECODING, DECODED = 6_000_000, 16
"""How many pairs of positions whole decodes may look at, about; and how many sources are decoded one by one."""


def check(
    target: Program | Compiled | str | Path,
    samples: int = 1000,
    seed: int = 0,
    max_exhaustive: int = 400,
    progress: Progress | None = None,
    seconds: float | None = None,
    jobs: int = 1,
    fast: bool = False,
    allow_endless: bool = False,
) -> Report:
    """Check a program (every stage) or a checkpoint folder (its model) against the interpreter.

    All inputs of length 1, 2, ...: `max_exhaustive` of them, or, with `seconds`, each length done in that time.
    Then `samples` random ones of all lengths up to the longest, then awkward ones. `jobs` is the number of processes.
    With `fast`, the fast path is one more stage; `RaspError` is raised where there is none.
    Of a program with a source an input is a source and a target so far; sources are also decoded as a whole, and one
    whose target meets no token of `stop` is reported, unless endless ones are allowed.
    """
    if isinstance(target, Program):
        target = Compiled(target)
    target = Path(target) if isinstance(target, str) else target
    subject = of_checkpoint(target, fast) if isinstance(target, Path) else of_compilation(target, fast)
    with comparing(subject, lambda: recipe_of(target, fast), jobs) as compare:
        run = _Check(subject, compare, samples, seed, progress or (lambda done, total: None))
        list(compare([Batch([one], run.quick) for one in itertools.islice(run.generator.of_size(1), 1)]))  # all started
        start = time.perf_counter()
        run.all(max_exhaustive, seconds, allow_endless)
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
        self.quick = [stage for stage in subject.stages if stage not in (*CIRCUITS, *WHOLE)]
        self.generator = subject.generator
        drawn = itertools.islice(self.generator.random(random.Random(seed)), SEARCHED * samples)
        self.drawn = self._meant(drawn, samples)
        self.awkward = list(self._meant(dict.fromkeys(self.generator.awkward(random.Random(seed)))))
        self.to_come = samples + len(self.awkward)
        self.few: dict[str, list[Case]] = {"short": [], "random": [], "awkward": []}
        self.sources: dict[str, dict[Case, None]] = {"short": {}, "random": {}, "awkward": {}}

    def all(self, max_exhaustive: int, seconds: float | None, allow_endless: bool) -> None:
        """Short inputs, random ones, awkward ones; in the end the circuits on a few of each, and whole decodes. Ends at
        a difference."""
        if seconds is None:
            self._short(max_exhaustive)
        else:
            self._short_within(seconds)
        self._try("random", self.drawn)
        self._try("awkward", self.awkward)
        self._try_circuit([one for kind in self.few.values() for one in kind])
        self._decode([*dict.fromkeys(one for kind in self.sources.values() for one in kind)], allow_endless)
        self._tell(0)

    def _short(self, most: int) -> None:
        """The first of all inputs, shortest first."""
        for length in range(1, self.generator.longest + 1):
            left, count = most - self.report.short, self.generator.count(length)
            inputs = itertools.islice(self.generator.of_size(length), SEARCHED * left)
            self._try("short", self._meant(inputs, left), min(left, count))
            if self.report.differences or count > left:
                break
            self.report.complete = length

    def _short_within(self, seconds: float) -> None:
        """All inputs of each length for which there seems to be time, at the pace of those before it."""
        start, tried = time.perf_counter(), 0
        for length in range(1, self.generator.longest + 1):
            count, spent = self.generator.count(length), time.perf_counter() - start
            if self.report.differences or count > MOST or (tried and spent * (1 + count / tried) > seconds):
                break
            self._try("short", self._meant(self.generator.of_size(length)), count)
            tried += count
            self.report.complete = length

    def _meant(self, inputs: Iterable[Case], most: int | None = None) -> Iterator[Case]:
        found = (one for chunk in chunks(inputs, CHUNK) for one in self.subject.meant(chunk))
        return itertools.islice(found, most)

    def _try(self, kind: str, inputs: Iterable[Case], to_come: int = 0) -> None:
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

    def _batches(self, kind: str, inputs: Iterable[Case]) -> Iterator[Batch]:
        """Batches for all stages but the circuits, for which the first few short enough inputs are noted, and whole
        decodes, for which sources are."""
        few, sources = self.few[kind], self.sources[kind]
        left, decoding = CIRCUIT_TOKENS // len(self.few), DECODING // len(self.few)
        for chunk in chunks(inputs, CHUNK):
            for one in chunk:
                if (length := max(len(one.tokens), len(one.source or ()))) <= CIRCUIT_LENGTH and left > 0:
                    few.append(one)
                    left -= length
                source = Case(one.tokens[:1], one.source)
                if DECODE in self.report.stages and decoding > 0 and source not in sources:
                    sources[source] = None
                    decoding -= (len(one.source or ()) + self.subject.setting.max_length) ** 2
            yield Batch(chunk, self.quick)

    def _try_circuit(self, inputs: Sequence[Case]) -> None:
        circuits = [stage for stage in self.report.stages if stage in CIRCUITS]
        if self.report.differences or not circuits:
            return
        for finding in self.compare(Batch(chunk, circuits) for chunk in chunks(inputs, 16)):
            self.report.exact += finding.tried - finding.skipped
            if self._differs(finding):
                return

    def _decode(self, sources: Sequence[Case], allow_endless: bool) -> None:
        """All targets of the sources, many at a time; then some one by one, with a cache and without."""
        if self.report.differences or not sources:
            return
        few = sources[:: -(-len(sources) // DECODED)]
        together, alone = ([one for one in self.report.stages if one in some] for some in (TOGETHER, ALONE))
        batches = [Batch(chunk, together) for chunk in chunks(sources, CHUNK)]
        batches += [Batch(chunk, alone) for chunk in chunks(few, DECODED // 2)]
        endless: list[Case] = []
        for batch, finding in zip(batches, self.compare(batches), strict=True):
            if self._differs(finding):
                return
            if DECODE in batch.stages:
                self.report.decoded += finding.tried - finding.skipped
                self.report.unended += finding.unended
                endless += [finding.endless] if finding.endless is not None else []
        if endless and not allow_endless:
            self.report.endless = shortest(self.subject, endless[0])

    def _differs(self, finding: Finding) -> bool:
        if finding.wrong is not None:
            self.report.differences.append(smallest(self.subject, finding.wrong))
        return finding.wrong is not None

    def _tell(self, to_come: int) -> None:
        self.progress(self.report.inputs, self.report.inputs + max(0, to_come))
