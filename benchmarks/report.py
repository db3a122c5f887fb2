"""Reports: sections of rows, shown on the terminal, as Markdown, or as JSON.

In: `Section`s; a row is a mapping from column keys to plain values. Out: text or data.
Invariant: every cell keeps its unrounded value until it is shown; what is unknown is None and shows as a dash.

    >>> milliseconds(0.01234), count(1234567), ratio(1.0449)
    ('12.3 ms', '1,234,567', '1.04')
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from rich.console import Console
from rich.table import Table

Row: TypeAlias = dict[str, Any]
Show: TypeAlias = Callable[[Any], str]


def text(value: Any) -> str:
    """Words, as they are."""
    return str(value)


def count(value: Any) -> str:
    """A whole number, in groups of three digits."""
    return f"{value:,}"


def ratio(value: Any) -> str:
    """One time over another."""
    return f"{value:.2f}"


def rate(value: Any) -> str:
    """So many a second, three digits of it."""
    return count(int(float(f"{value:.3g}")))


def milliseconds(value: Any) -> str:
    """Seconds, shown as s from one on, else as ms; three digits."""
    if value >= 1:
        return f"{value:.3g} s"
    return f"{1000 * value:.3g} ms" if value < 0.9995 else "1 s"


def mebibytes(value: Any) -> str:
    """Bytes, shown as MiB."""
    return f"{float(f'{value / 2**20:.3g}'):,g} MiB"


@dataclass(frozen=True)
class Column:
    """A key of the rows, its heading, how a value is shown."""

    key: str
    heading: str
    show: Show = text

    def cell(self, row: Row) -> str:
        """What stands in the row's cell."""
        value = row.get(self.key)
        return "-" if value is None else self.show(value)

    @property
    def left(self) -> bool:
        """Words begin at the left, numbers end at the right."""
        return self.show is text


@dataclass(frozen=True)
class Section:
    """A table: its title, a sentence or two about what was measured, columns and rows."""

    name: str
    title: str
    note: str
    columns: tuple[Column, ...]
    rows: Sequence[Row]

    def table(self) -> Table:
        """For the terminal."""
        table = Table(title=self.title, caption=self.note, title_justify="left", caption_justify="left")
        for column in self.columns:
            table.add_column(column.heading, justify="left" if column.left else "right")
        for row in self.rows:
            table.add_row(*(column.cell(row) for column in self.columns))
        return table

    def markdown(self) -> str:
        """As a section of a page."""
        return f"## {self.title}\n\n{self.note}\n\n{markdown_table(self.columns, self.rows)}\n"

    def to_json(self) -> dict[str, Any]:
        """As data, with every value in full."""
        return {"title": self.title, "note": self.note, "rows": list(self.rows)}


def markdown_table(columns: Sequence[Column], rows: Iterable[Row]) -> str:
    """Rows as a Markdown table."""
    lines = [
        [column.heading for column in columns],
        ["---" if column.left else "---:" for column in columns],
        *([column.cell(row).replace("|", "\\|") for column in columns] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def show(section: Section) -> None:
    """Print a section, in lines as wide as the table."""
    table = section.table()
    width = Console(width=1000).measure(table).maximum
    console = Console(width=max(width, Console().width))
    console.print(table, "")
    console.file.flush()
