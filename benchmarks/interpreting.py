"""Interpreting and checking, measured: the reference interpreter, and how fast `check` compares models with it.

In: `Case`s. Out: rows of tokens per second, and of inputs per second.
Invariant: the same seeded inputs in every run.

    histogram, 1000 tokens  8.1 ms  123,000 tokens/s
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.cases import Case
from benchmarks.report import Column, Row, Section, count, milliseconds, rate
from benchmarks.timing import TooLong, limit, timed
from compiler.pipeline import compile
from compiler.trust.compare import Report, check
from rasp import Program, evaluate

PROGRAMS = ("reverse", "histogram", "sort", "double histogram", "most frequent", "Dyck-2", "long addition")
ROVER_QUESTION = "a<A,a<X:b<X,x<A:x<C,b<C?"
QUICK_CHECKED = (Case("histogram", 4, 4),)
SEVERAL = (Case("long addition", None, 16), 10_000)
"""What several processes check, and on how many inputs: they take a while to start."""
CHECKED = (
    Case("histogram", 8, 5),
    Case("histogram", 8, 16),
    Case("reverse", 8, 16),
    Case("sort", 8, 16),
    Case("long addition", None, 16),
)


def interpreted(name: str, tokens: tuple[str, ...], budget: float, longest: float) -> Row:
    """One program interpreted on one input."""
    program = Case(name).program()
    nodes = [program.node(output) for output in program.outputs]
    found: Row = {"program": name, "tokens": len(tokens)}
    try:
        with limit(longest):
            times = timed(lambda: [evaluate(node, tokens) for node in nodes], budget)
    except TooLong as problem:
        return found | {"verdict": str(problem)}
    return found | {"runs": times.runs, "seconds": times.median, "rate": len(tokens) / times.median}


def drawn(name: str, length: int) -> tuple[str, ...]:
    """Random tokens of the program's vocabulary."""
    rng = random.Random(0)
    vocabulary = Case(name).program().settings.vocab or ()
    return tuple(str(rng.choice(vocabulary)) for _ in range(length))


INTERPRETER_COLUMNS = (
    Column("program", "program"),
    Column("tokens", "tokens", count),
    Column("runs", "runs", count),
    Column("seconds", "one input", milliseconds),
    Column("rate", "tokens/s", rate),
    Column("verdict", "verdict"),
)


def interpreter_section(lengths: Iterable[int], budget: float, longest: float) -> Section:
    """The interpreter as a table."""
    rows = [interpreted(name, drawn(name, n), budget, longest) for n in lengths for name in PROGRAMS]
    rows.append(interpreted("rover", tuple(ROVER_QUESTION), budget, longest))
    note = "The reference interpreter, exact numbers and all, on one random input, over the program's own vocabulary."
    return Section("interpreter", "Interpreting", note, INTERPRETER_COLUMNS, rows)


def checked(case: Case, inputs: int, budget: float) -> list[Row]:
    """A checkpoint (its model only) and a program (every stage) checked on that many short inputs."""
    program = case.program()
    with TemporaryDirectory() as scratch:
        folder = Path(scratch) / "checkpoint"
        compile(program).save(folder)
        rows = [
            _checked(case, "the model of a checkpoint", folder, inputs, budget),
            _checked(case, "every stage", program, inputs, budget),
        ]
    if case == SEVERAL[0]:
        rows.append(_checked(case, "every stage", program, SEVERAL[1], budget, jobs=2))
    return rows


def _checked(case: Case, what: str, target: Program | Path, inputs: int, budget: float, jobs: int = 1) -> Row:
    reports: list[Report] = []

    def run() -> None:
        reports.append(check(target, samples=inputs // 2, max_exhaustive=inputs // 2, jobs=jobs))

    times = timed(run, budget)
    report = reports[-1]
    return {
        "program": str(case),
        "what": what,
        "jobs": jobs,
        "inputs": report.inputs,
        "runs": times.runs,
        "seconds": times.median,
        "rate": report.inputs / min(report.seconds for report in reports),
        "verdict": "agrees" if report.ok else "DIFFERS",
    }


CHECK_COLUMNS = (
    Column("program", "program"),
    Column("what", "checked"),
    Column("jobs", "processes", count),
    Column("inputs", "inputs", count),
    Column("runs", "runs", count),
    Column("seconds", "one check", milliseconds),
    Column("rate", "inputs/s", rate),
    Column("verdict", "verdict"),
)


def check_section(cases: Iterable[Case], inputs: int, budget: float) -> Section:
    """`check` as a table."""
    note = (
        "Half of the inputs are the shortest ones there are, half are random, of all lengths up to the longest. "
        "Checking a program compiles it too, which counts for the check, not for the inputs a second."
    )
    rows = [found for case in cases for found in checked(case, inputs, budget)]
    return Section("check", "Checking", note, CHECK_COLUMNS, rows)
