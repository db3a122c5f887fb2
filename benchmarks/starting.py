"""Starting, measured: fresh processes of the command, beside what a bare Python and the import of torch cost.

In: nothing. Out: rows of seconds.
Invariant: a process that fails raises, so that no time of a failure is reported.

    rasp run programs/sort.rasp cab  0.15 s
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.cases import PROGRAMS
from benchmarks.report import Column, Row, Section, count, milliseconds
from benchmarks.timing import timed
from compiler.pipeline import compile
from rasp import load

RASP = "import sys; from compiler.cli import main; sys.exit(main(sys.argv[1:]))"


def section(budget: float) -> Section:
    """Process starts as a table."""
    note = "Whole processes, from start to end; files are cached by the system after the first run."
    columns = (
        Column("command", "command"),
        Column("runs", "runs", count),
        Column("seconds", "seconds", milliseconds),
    )
    return Section("start", "Starting", note, columns, list(_rows(budget)))


def _rows(budget: float) -> Iterator[Row]:
    program = str(PROGRAMS / "sort.rasp")
    with TemporaryDirectory() as scratch:
        folder = Path(scratch) / "sort"
        compile(load(program)).save(folder)
        yield _row("python -c pass", ["pass"], budget)
        yield _row("python -c 'import torch'", ["import torch"], budget)
        yield _row("rasp run programs/sort.rasp cab", [RASP, "run", program, "cab"], budget)
        yield _row("rasp run sort cab (a checkpoint)", [RASP, "run", str(folder), "cab"], budget)


def _row(name: str, words: list[str], budget: float) -> Row:
    def run() -> None:
        subprocess.run([sys.executable, "-c", *words], check=True, capture_output=True, cwd=PROGRAMS.parent)

    times = timed(run, budget)
    return {"command": name, "runs": times.runs, "seconds": times.median}
