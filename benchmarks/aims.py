"""Aims: what is aimed at, and how far a run came.

In: the rows of the sections of a run. Out: a row for each aim whose sections were run, with the number that decides.
Invariant: a number here is one of the other tables, or the quotient of two; the worst case decides.

    compile: every program of the paper at 50 tokens | 100 ms | 93.1 ms, most frequent 50,50 | met
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from benchmarks.compiling import PAPER
from benchmarks.report import Column, Row, Section, Show, count, milliseconds, ratio

Rows: TypeAlias = Sequence[Row]
Candidate: TypeAlias = tuple[float, str]
"""A number, and what it belongs to."""


@dataclass(frozen=True)
class Aim:
    """The numbers that `among` finds in the rows of a section are at most, or at least, `wanted`."""

    what: str
    section: str
    wanted: float
    among: Callable[[Rows], Iterable[Candidate]]
    show: Show = ratio
    least: bool = False

    def row(self, rows: Rows) -> Row | None:
        """The worst number beside the one that is wanted; None where the run has none."""
        worst = (min if self.least else max)(self.among(rows), default=None)
        if worst is None:
            return None
        number, where = worst
        holds = operator.ge if self.least else operator.le
        return {
            "aim": self.what,
            "wanted": f"{'at least' if self.least else 'at most'} {self.show(self.wanted)}",
            "measured": self.show(number),
            "where": where,
            "verdict": "met" if holds(number, self.wanted) else "missed",
        }


def _compiled(*names: str, length: int) -> Callable[[Rows], Iterator[Candidate]]:
    """Compile times at this length."""

    def among(rows: Rows) -> Iterator[Candidate]:
        for row in rows:
            if row["program"] in names and row["length"] == length and row["seconds"]:
                yield row["seconds"], f"{row['program']} {row['vocabulary']},{length}"

    return among


def _column(
    key: str, name: Callable[[Row], str], where: Callable[[Row], bool]
) -> Callable[[Rows], Iterator[Candidate]]:
    """One column, of the rows that are meant."""

    def among(rows: Rows) -> Iterator[Candidate]:
        return ((row[key], name(row)) for row in rows if row.get(key) is not None and where(row))

    return among


def _program(row: Row) -> str:
    return f"{row['program']} {row['vocabulary']},{row['length']}"


def _model(row: Row) -> str:
    return f"{row['model']}, batch {row['batch']}, length {row['length']}"


def _is_sparse(row: Row) -> bool:
    return row["model"].startswith(("Dyck-2 4,512", "rover"))


def _of_torch(rows: Rows) -> Iterator[Candidate]:
    """The share of importing torch in a run of a checkpoint."""
    seconds = {row["command"]: row["seconds"] for row in rows}
    checkpoint = next((seconds[name] for name in seconds if "checkpoint" in name), None)
    if checkpoint and "python -c 'import torch'" in seconds:
        yield seconds["python -c 'import torch'"] / checkpoint, "import torch"


AIMS = (
    Aim("compile: programs of the paper at 50 tokens", "compile", 0.1, _compiled(*PAPER, length=50), milliseconds),
    Aim("compile: reverse at 100 tokens", "compile", 0.05, _compiled("reverse", length=100), milliseconds),
    Aim("compile: sort at 100 tokens", "compile", 0.5, _compiled("sort", length=100), milliseconds),
    Aim("compile: reverse 1,000 at 1,024 tokens", "compile", 2, _compiled("reverse", length=1024), milliseconds),
    Aim("compile: with a certificate, over without", "compile", 2, _column("ratio", _program, bool)),
    Aim(
        "compile: time grows with this power of the parameters",
        "growth",
        1,
        _column("exponent", lambda row: row["program"], bool),
    ),
    Aim(
        "run: ours over plain, d_model 64 and length 256 or more",
        "forward",
        1.05,
        _column("ratio", _model, lambda row: row["d_model"] >= 64 and row["length"] >= 256),
    ),
    Aim(
        "run: plain over the fast path, in batches",
        "forward",
        3,
        _column("gain", _model, lambda row: _is_sparse(row) and row["batch"] > 1),
        least=True,
    ),
    Aim(
        "run: plain over the fast path, one input",
        "forward",
        3,
        _column("gain", _model, lambda row: _is_sparse(row) and row["batch"] == 1),
        least=True,
    ),
    Aim(
        "run: memory of ours over plain",
        "memory",
        1,
        lambda rows: [(row["ours"] / row["plain"], _model(row)) for row in rows],
    ),
    Aim(
        "generate: tokens a second, by recurrence",
        "generate",
        70_000,
        _column("recurrent rate", lambda row: f"{row['model']} at {row['context']}", bool),
        lambda value: count(round(value)),
        least=True,
    ),
    Aim(
        "check: short inputs of histogram a second, every stage",
        "check",
        20_000,
        _column(
            "rate",
            lambda row: f"{row['inputs']} inputs",
            lambda row: row["program"] == "histogram 8,5" and row["what"] == "every stage",
        ),
        lambda value: count(round(value)),
        least=True,
    ),
    Aim(
        "start: run a program",
        "start",
        0.3,
        _column("seconds", lambda row: row["command"], lambda row: "sort.rasp" in row["command"]),
        milliseconds,
    ),
    Aim("start: share of importing torch in a run of a checkpoint", "start", 0.5, _of_torch, least=True),
)
COLUMNS = (
    Column("aim", "aim"),
    Column("wanted", "wanted"),
    Column("measured", "measured"),
    Column("where", "the worst case"),
    Column("verdict", "verdict"),
)


def section(found: Mapping[str, Section]) -> Section:
    """The aims whose sections were run."""
    rows = [aim.row(found[aim.section].rows) for aim in AIMS if aim.section in found]
    note = "Of all rows that an aim speaks of, the worst decides."
    return Section("aims", "Aims", note, COLUMNS, [row for row in rows if row is not None])
