"""What interventions found: for each variable how many swaps were tried, meant, told something, and went wrong.

In: counts. Out: `Report`, as text, as a table for a terminal, as JSON data; `Swap`, one intervention.
Invariant: a report is good news only if nothing was wrong, in the swaps, in what columns hold, and in the file itself.

    variable    columns  after       tried  meant  other answer  wrong
    sort.place        2  L0 attn -     374    280            83      0
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from compiler.graph.witness import Case
from compiler.model import Scalar
from rasp.settings import token_text
from rasp.text.source import counted
from rasp.value import to_python

if TYPE_CHECKING:
    from rich.table import Table

HEAD = ("variable", "columns", "after", "tried", "meant", "other answer", "wrong")
SHOWN = 5
"""So many failures are printed."""


@dataclass(frozen=True)
class Swap:
    """One intervention: a variable's columns copied from the run on `source` into that on `base`, after a step, which
    is counted in the stream of the variable.

    `expected` is what the program answers where later readers see the other value; None where that means nothing, and
    `reason` says why.
    """

    variable: str
    step: int
    after: str
    position: int | None
    base: Case
    source: Case
    before: dict[str, list[Scalar]]
    outputs: dict[str, list[Scalar]]
    expected: dict[str, list[Scalar]] | None
    reason: str = ""
    first: str = ""
    """The first column of a later variable that holds something else than it should."""

    @property
    def meant(self) -> bool:
        """Whether the program says what must come out."""
        return self.expected is not None

    @property
    def ok(self) -> bool:
        """Whether the model answers what the program says; True where it says nothing."""
        return self.expected is None or self.outputs == self.expected

    @property
    def changes(self) -> bool:
        """Whether the program's answer is another one than without the swap."""
        return self.expected is not None and self.expected != self.before

    def __str__(self) -> str:
        where = "at every position" if self.position is None else f"at position {self.position}"
        lines = [
            f"{self.variable}, after {self.after}, {where}",
            f"  base         {_text(self.base)}",
            f"  source       {_text(self.source)}",
        ]
        for name, found in self.outputs.items():
            lines.append(f"  {name}")
            lines.append(f"    without    {self.before[name]}")
            lines.append(f"    program    {self.expected[name] if self.expected else f'no meaning: {self.reason}'}")
            lines.append(f"    model      {found}")
        return "\n".join([*lines, *([f"  first wrong  {self.first}"] if self.first else [])])

    def to_json(self) -> dict[str, Any]:
        """The intervention as JSON data."""
        return {
            "variable": self.variable,
            "step": self.step,
            "position": self.position,
            "base": _data(self.base),
            "source": _data(self.source),
            "before": self.before,
            "outputs": self.outputs,
            "expected": self.expected,
            "reason": self.reason,
            "first_wrong": self.first,
        }


@dataclass
class Row:
    """What was found of one variable."""

    name: str
    columns: int
    first: int
    last: int
    after: str
    tried: int = 0
    meant: int = 0
    changed: int = 0
    wrong: int = 0
    read: int = 0
    misread: int = 0
    exhausted: str = ""
    """Why there are fewer swaps with another answer than were wanted."""
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def ok(self) -> bool:
        """Nothing was wrong."""
        return not self.wrong and not self.misread

    def cells(self) -> list[str]:
        """The row of the table."""
        counts = (self.tried, self.meant, self.changed, self.wrong)
        return [self.name, str(self.columns), self.after, *map(str, counts)]

    def to_json(self) -> dict[str, Any]:
        """The row as JSON data."""
        return {
            "variable": self.name,
            "columns": self.columns,
            "steps": [self.first, self.last],
            "tried": self.tried,
            "meant": self.meant,
            "other_answer": self.changed,
            "wrong": self.wrong,
            "read": self.read,
            "misread": self.misread,
            "why_not_more": self.exhausted,
            "not_meant": dict(self.reasons.most_common()),
        }


@dataclass
class Report:
    """What was found of a model."""

    rows: list[Row] = field(default_factory=list)
    failures: list[Swap] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """What the file says that cannot be."""
    inputs: int = 0
    wanted: int = 0
    seed: int = 0
    seconds: float = 0.0

    def total(self, count: str) -> int:
        """A count over all variables, such as `tried`."""
        return sum(getattr(row, count) for row in self.rows)

    @property
    def ok(self) -> bool:
        """Whether everything agreed, and something was compared if there was something to swap."""
        compared = self.total("meant") or not self.total("tried")
        return not self.problems and all(row.ok for row in self.rows) and bool(compared)

    @property
    def silent(self) -> list[Row]:
        """The variables of which no swap changed an answer."""
        return [row for row in self.rows if not row.changed]

    @property
    def verdict(self) -> str:
        """In one line."""
        meant, wrong, misread = self.total("meant"), self.total("wrong"), self.total("misread")
        if self.ok and not self.total("tried"):
            return "every variable is the same in all inputs of one length that were tried: there is nothing to swap"
        if self.ok:
            return (
                f"{counted(meant, 'swap')} with a meaning in the program, {self.total('changed')} of them with another "
                "answer: the model answers every one as the program does"
            )
        parts = [f"{wrong} of {counted(meant, 'swap')} are answered otherwise than by the program"] if wrong else []
        parts += [f"{counted(misread, 'number')} in the stream are not what is stated"] if misread else []
        return "; ".join([*parts, *self.problems]) or "no swap had a meaning in the program: nothing was compared"

    def __str__(self) -> str:
        table = [HEAD, *(row.cells() for row in self.rows)]
        widths = [max(len(line[column]) for line in table) for column in range(len(HEAD))]
        lines = ["  ".join(_aligned(line, widths)).rstrip() for line in table]
        return "\n".join([*lines, "", *self._notes()])

    def _notes(self) -> list[str]:
        notes = [f"{row.name}: {row.exhausted}" for row in self.rows if row.exhausted]
        notes += [""] if notes else []
        return [*notes, *map(str, self.failures[:SHOWN]), self.verdict]

    def __rich__(self) -> Table:
        """The same for a terminal."""
        from rich.table import Table

        table = Table(caption="\n".join(self._notes()), caption_justify="left", box=None)
        for number, title in enumerate(HEAD):
            table.add_column(title, justify="left" if number in (0, 2) else "right")
        for row in self.rows:
            table.add_row(*row.cells(), style=None if row.ok else "bold red")
        return table

    def details(self) -> str:
        """How it was done, in one line."""
        return f"{counted(self.inputs, 'input')}, seed {self.seed}, {self.seconds:.1f} s"

    def to_json(self) -> dict[str, Any]:
        """The report as JSON data."""
        return {
            "ok": self.ok,
            "variables": [row.to_json() for row in self.rows],
            "totals": {name: self.total(name) for name in ("tried", "meant", "changed", "wrong", "read", "misread")},
            "failures": [failure.to_json() for failure in self.failures],
            "problems": self.problems,
            "inputs": self.inputs,
            "wanted": self.wanted,
            "seed": self.seed,
            "seconds": round(self.seconds, 3),
        }


def _aligned(line: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [
        f"{text:<{width}}" if column in (0, 2) else f"{text:>{width}}"
        for column, (text, width) in enumerate(zip(line, widths, strict=True))
    ]


def _text(one: Case) -> str:
    text = " ".join(map(token_text, one.tokens))
    return text if one.source is None else f"{' '.join(map(token_text, one.source))} -> {text}"


def _data(one: Case) -> object:
    """The tokens of an input; of one with a source, those of both tapes."""
    tokens = list(map(to_python, one.tokens))
    return tokens if one.source is None else {"source": list(map(to_python, one.source)), "target": tokens}
