"""Compiling, measured: from a program's text to a running model, by stage.

In: `Case`s. Out: a `Compilation` for each, and the rows of the section.
Invariant: each run starts from the text; a case that is refused or takes too long has a row that says so.

    reverse  50  50  11.8 ms  1,176  certified
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from benchmarks.cases import Case
from benchmarks.report import Column, Row, Section, count, milliseconds, ratio
from benchmarks.timing import LONG, TooLong, apart, limit, once, repeated
from compiler.circuit.certificate import Certificate
from compiler.circuit.certify import certify
from compiler.model import Transformer
from compiler.pipeline import Compiled
from compiler.runtime.fast.model import Fast
from rasp import RaspError

STAGES = ("parse", "warnings", "graph", "circuit", "weights", "model")

SQUARE = ("reverse", "histogram", "sort", "double histogram", "most frequent")
WITH_BOS = ("histogram, BOS", "double histogram, BOS", "sort, BOS", "most frequent, BOS")
BRACKETED = ("Dyck-2", "long addition")
OTHERS = ("Dyck-1", "Dyck-3", "shuffle Dyck, PTF")
PAPER = (*SQUARE, *WITH_BOS, *BRACKETED, *OTHERS)
"""The programs of the paper and its repository that are measured at 50 tokens; rover has a length of its own."""

QUICK_CASES = (
    *(Case(name, 4, 4) for name in SQUARE),
    *(Case(name, None, 4) for name in BRACKETED),
    Case("rover", None, 8),
)
CASES = (
    *(Case(name, size, size) for name in SQUARE for size in (16, 50, 100)),
    *(Case(name, 50, 50) for name in WITH_BOS),
    *(Case(name, None, length) for name in BRACKETED for length in (16, 50, 100)),
    *(Case(name, None, 50) for name in OTHERS),
    Case("Dyck-2", None, 512),
    Case("rover", None, 32),
    *(Case(name, *size) for name in ("reverse", "histogram") for size in ((1000, 1024), (3000, 2048))),
    *(Case("reverse", 10_000, length) for length in (4000, 4096)),
    *(Case("histogram", 10_000, length) for length in (3000, 4096)),
    Case("sort", 16, 64),
)


@dataclass
class Compilation:
    """What became of a case: seconds of each run by stage, the last run's model, or why there is none.

    The other stages are let go: with many kept, collecting garbage would be part of every later time.
    """

    case: Case
    runs: list[dict[str, float]] = field(default_factory=list)
    model: Transformer | None = None
    fast: Fast | None = None
    certificate: Certificate | None = None
    problem: str = ""

    @property
    def certified(self) -> bool:
        """Whether there is a model all of whose decisions hold."""
        return self.certificate is not None and self.certificate.ok

    def stored(self) -> int:
        """How many parameters there are; 0 without a model."""
        return self.model.stored() if self.model is not None else 0

    @property
    def total(self) -> float | None:
        """Median seconds from text to model."""
        return statistics.median(map(_total, self.runs)) if self.runs else None

    @property
    def fastest(self) -> float | None:
        """Seconds of the run that was disturbed least."""
        return min(map(_total, self.runs)) if self.runs else None

    def stage(self, name: str) -> float | None:
        """Median seconds of one stage; "certifying" is one certificate of the final circuit, a part of "circuit"."""
        return statistics.median(run[name] for run in self.runs) if self.runs else None

    @property
    def verdict(self) -> str:
        """Certified, not certified, or why there is no model."""
        if self.model is None:
            return self.problem
        return "certified" if self.certified else "not certified"


def _total(run: dict[str, float]) -> float:
    return sum(run[name] for name in STAGES)


def compilation(case: Case, budget: float, longest: float) -> Compilation:
    """Compile a case again and again; at most `longest` seconds for one run."""
    found = Compilation(case)
    last: list[Compiled] = []

    def run() -> None:
        last.clear()
        compiled, seconds = _staged(case)
        last.append(compiled)
        found.runs.append(seconds)

    try:
        with apart():
            with limit(longest):
                first = once(run)
            if budget and first <= LONG:
                found.runs.clear()
                repeated(run, budget)
        (compiled,) = last
        found.model, found.fast, found.certificate = compiled.model, compiled.fast, compiled.certificate
    except RaspError as problem:
        found.problem = f"refused: {problem.diagnostics[0].message}"
    except TooLong as problem:
        found.problem = str(problem)
    except MemoryError:
        found.problem = "out of memory"
    return found


def _staged(case: Case) -> tuple[Compiled, dict[str, float]]:
    """Every stage and its seconds. What cannot be certified is compiled nevertheless: the row says so."""
    marks = [time.perf_counter()]

    def passed() -> None:
        marks.append(time.perf_counter())

    compiled = Compiled(case.program(), uncertified=True)
    assert compiled.sop
    passed()
    assert compiled.warnings is not None
    passed()
    assert compiled.graph
    passed()
    assert compiled.circuit
    passed()
    assert compiled.weights
    passed()
    assert compiled.model
    passed()
    seconds = {name: marks[i + 1] - marks[i] for i, name in enumerate(STAGES)}
    return compiled, seconds | {"certifying": once(lambda: certify(compiled.circuit))}


COLUMNS = (
    Column("program", "program"),
    Column("vocabulary", "vocabulary", count),
    Column("length", "length", count),
    Column("runs", "runs", count),
    Column("seconds", "text to model", milliseconds),
    Column("fastest", "fastest", milliseconds),
    Column("parse", "parse", milliseconds),
    Column("warnings", "warnings", milliseconds),
    Column("graph", "graph", milliseconds),
    Column("circuit", "circuit, certified", milliseconds),
    Column("certifying", "of which one certificate", milliseconds),
    Column("ratio", "with it, over without", ratio),
    Column("weights", "weights", milliseconds),
    Column("model", "model", milliseconds),
    Column("parameters", "parameters", count),
    Column("nonzero", "not zero", count),
    Column("verdict", "verdict"),
)


def row(found: Compilation) -> Row:
    """A compilation as a row."""
    settings = found.case.program().settings
    model = found.model
    total, certifying = found.total, found.stage("certifying")
    return {
        "program": found.case.name,
        "vocabulary": len(settings.vocab or ()),
        "length": settings.max_length,
        "runs": len(found.runs) or None,
        "seconds": found.total,
        "fastest": found.fastest,
        **{name: found.stage(name) for name in (*STAGES, "certifying")},
        "ratio": total / (total - certifying) if total and certifying else None,
        "parameters": model.stored() if model else None,
        "nonzero": model.nonzero() if model else None,
        "verdict": found.verdict,
    }


def compilations(cases: Iterable[Case], budget: float, longest: float) -> Iterator[Compilation]:
    """Each case compiled."""
    for case in cases:
        yield compilation(case, budget, longest)


GROWTH_COLUMNS = (
    Column("program", "program"),
    Column("smallest", "from"),
    Column("largest", "to"),
    Column("weights", "parameters, times", ratio),
    Column("time", "time, times", ratio),
    Column("exponent", "exponent", ratio),
)


def growth(found: Iterable[Compilation]) -> Iterator[Row]:
    """For each program that was certified at several sizes, how time grows with the parameters that are written."""
    ladders: dict[str, list[Compilation]] = {}
    for one in found:
        if one.model is not None and one.certified and one.total:
            ladders.setdefault(one.case.name, []).append(one)
    for name, ladder in ladders.items():
        least, most = min(ladder, key=Compilation.stored), max(ladder, key=Compilation.stored)
        if least.stored() < most.stored() and least.total and most.total:
            weights, time = most.stored() / least.stored(), most.total / least.total
            yield {
                "program": name,
                "smallest": str(least.case),
                "largest": str(most.case),
                "weights": weights,
                "time": time,
                "exponent": math.log(time) / math.log(weights),
            }


def growth_section(found: Iterable[Compilation]) -> Section:
    """How compiling grows, as a table."""
    note = (
        "From the smallest to the largest model of each program that is certified: parameters and compile time as "
        "multiples, and the power of the parameters that the time grows with. Below 1, time grows more slowly than the "
        "weights that are written."
    )
    return Section("growth", "Growth", note, GROWTH_COLUMNS, list(growth(found)))


def section(found: Iterable[Compilation]) -> Section:
    """The compilations as a table."""
    note = (
        "Median of repeated runs in one process, after a warm-up run; one that takes over 5 s is the "
        "measurement. The stages are medians of their own."
    )
    return Section("compile", "Compiling", note, COLUMNS, [row(one) for one in found])
