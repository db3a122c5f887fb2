"""Pictures: texts, tables and selectors as SVG.

In: texts, values and booleans. Out: `Box`es, which are put beside and below each other, and the text of an SVG file.
Invariants: every text is escaped; a picture stands alone, in its own colours, with no style sheet, script or font.

    >>> text("a < b").body[-16:]
    '>a &lt; b</text>'
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce

from rasp.ask.show import cell
from rasp.meaning.interpreter import Matrix
from rasp.value import Value

INK, QUIET, LINE, BLUE, EMPTY = "#1a1f26", "#56606c", "#ccd3da", "#0a58b0", "#eef1f4"
CHARACTER, ROW, MARGIN = 7.25, 18, 8
"""Width of a character, height of a line, what is left free around a picture; in pixels."""
MAX_CELL, MAX_NAME, MAX_FETCHED = 14, 40, 24
"""Longest text of a cell, of a name, and of what stands beside a selector; in characters."""
MAX_LETTERED = 32
"""A selector of more positions is drawn small and without letters."""
SMALL = 480
"""How wide such a selector is, in pixels."""
FONT = 'font-family="ui-monospace, \'DejaVu Sans Mono\', Menlo, Consolas, monospace" font-size="12"'
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML cannot hold."""

Row = tuple[str, Sequence[str]]
"""A name and a cell for each position."""


@dataclass(frozen=True)
class Box:
    """A part of a picture: its size, and elements whose origin is its upper left corner."""

    width: float
    height: float
    body: str

    def at(self, x: float, y: float) -> str:
        """The elements, moved."""
        return f'<g transform="translate({x:g} {y:g})">{self.body}</g>' if x or y else self.body


def svg(box: Box, label: str) -> str:
    """The text of an SVG picture; `label` is read aloud instead."""
    width, height = box.width + 2 * MARGIN, box.height + 2 * MARGIN
    frame = f'viewBox="{-MARGIN} {-MARGIN} {width:g} {height:g}" width="{width:g}" height="{height:g}"'
    ground = f'<rect x="{-MARGIN}" y="{-MARGIN}" width="{width:g}" height="{height:g}" fill="#ffffff"/>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {frame} role="img" aria-label="{escaped(label)}" {FONT}>'
        f"{ground}{box.body}</svg>\n"
    )


def escaped(content: str) -> str:
    """A text inside of an element or attribute; what XML cannot hold becomes a replacement character."""
    return html.escape(_FORBIDDEN.sub("\ufffd", content))


def wide(content: str) -> int:
    """How many columns of a monospaced font a text takes."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in content)


def clipped(content: str, most: int) -> str:
    """A text of at most so many characters."""
    return content if len(content) <= most else content[: most - 1] + "…"


def portrait(
    name: str, tokens: Sequence[Value], answer: Sequence[Value] | Matrix, queries: Sequence[Value] | None = None
) -> str:
    """What a named s-op (its values) or selector (its truth) is on an input, as SVG; a selector's `queries` are the
    same tokens unless given."""
    keys, title = list(map(cell, tokens)), f"{name}({' '.join(map(cell, tokens))})"
    if isinstance(answer[0], list):
        rows = [list(map(bool, row)) for row in answer if isinstance(row, list)]
        beside = None if queries is None else list(map(cell, queries))
        return svg(below([text(name, bold=True), selector(keys, rows, queries=beside)]), title)
    return svg(table([(name, [cell(value) for value in answer if not isinstance(value, list)])], keys), title)


def text(content: str, colour: str = INK, bold: bool = False) -> Box:
    """One line."""
    weight = ' font-weight="bold"' if bold else ""
    return Box(
        wide(content) * CHARACTER,
        ROW,
        f'<text x="0" y="{ROW / 2}" dominant-baseline="central" fill="{colour}"{weight} xml:space="preserve">'
        f"{escaped(content)}</text>",
    )


def _cell(content: str, x: float, y: float, colour: str = INK, anchor: str = "middle") -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" dominant-baseline="central" fill="{colour}">'
        f"{escaped(content)}</text>"
    )


def beside(boxes: Iterable[Box], gap: float = 28) -> Box:
    """Boxes in a row, their upper edges aligned."""
    return reduce(
        lambda a, b: Box(a.width + gap + b.width, max(a.height, b.height), a.body + b.at(a.width + gap, 0)), boxes
    )


def below(boxes: Iterable[Box], gap: float = 6) -> Box:
    """Boxes in a column, their left edges aligned."""
    return reduce(
        lambda a, b: Box(max(a.width, b.width), a.height + gap + b.height, a.body + b.at(0, a.height + gap)), boxes
    )


def framed(box: Box, title: str, width: float = 0) -> Box:
    """A box in a rounded frame with a title, at least so wide inside."""
    inner = below([text(title, QUIET), box], 8)
    width, height = max(inner.width, width) + 28, inner.height + 22
    frame = f'<rect width="{width:g}" height="{height:g}" rx="10" fill="none" stroke="{LINE}" stroke-width="1.5"/>'
    return Box(width, height, frame + inner.at(14, 10))


def arrow(length: float = 26) -> Box:
    """An arrow that points down."""
    head = f"M18 {length - 8:g}l6 8l6 -8"
    return Box(48, length, f'<path d="M24 0v{length:g}{head}" fill="none" stroke="{QUIET}" stroke-width="1.5"/>')


def table(rows: Sequence[Row], head: Sequence[str] = ()) -> Box:
    """Values by position: a line for each name, below a line with the tokens."""
    lines: list[Row] = [("", head), *rows] if head else list(rows)
    names, cells = _clip([name for name, _ in lines], MAX_NAME), [_clip(cells, MAX_CELL) for _, cells in lines]
    left = max(map(wide, names)) * CHARACTER + 14
    widths = [max(map(wide, column)) * CHARACTER + 14 for column in zip(*cells, strict=True)]
    body = []
    for at, (name, line) in enumerate(zip(names, cells, strict=True)):
        y, is_head = (at + 0.5) * ROW, bool(head) and at == 0
        body.append(_cell(name, 0, y, BLUE, "start"))
        edges = [left + sum(widths[:column]) + widths[column] / 2 for column in range(len(widths))]
        body += [_cell(content, x, y, QUIET if is_head else INK) for content, x in zip(line, edges, strict=True)]
    width, height = left + sum(widths), len(lines) * ROW
    if head:
        body.append(f'<path d="M{left:g} {ROW}H{width:g}" stroke="{LINE}"/>')
    return Box(width, height, "".join(body))


def _clip(contents: Iterable[str], most: int) -> list[str]:
    return [clipped(content, most) for content in contents]


def selector(
    tokens: Sequence[str],
    rows: Sequence[Sequence[bool]],
    values: Sequence[Row] = (),
    results: Sequence[Row] = (),
    queries: Sequence[str] | None = None,
) -> Box:
    """A selector's truth: a row for each query, a column for each key; these are the same tokens unless given.

    `values` stand above the columns (what an aggregate fetches), `results` beside the rows (what it makes of it).
    """
    queries = tokens if queries is None else queries
    if max(len(tokens), len(queries)) > MAX_LETTERED:
        return _small(rows)
    asked, heads = _clip(queries, MAX_CELL), [("key", tokens), *values]
    above = [(clipped(name, MAX_FETCHED), _clip(cells, MAX_CELL)) for name, cells in heads]
    side = max(ROW, max(wide(content) for _, line in above for content in line) * CHARACTER + 8)
    left = max([wide(name) for name, _ in above] + [wide(f"query {query}") for query in asked]) * CHARACTER + 8
    top = len(above) * ROW + 4
    body = [_cell(name, left - 8, (at + 0.5) * ROW, QUIET, "end") for at, (name, _) in enumerate(above)]
    for at, (_, line) in enumerate(above):
        colour = QUIET if at == 0 else INK
        body += [_cell(content, left + (k + 0.5) * side, (at + 0.5) * ROW, colour) for k, content in enumerate(line)]
    body.append(_cell("query", 0, top + ROW / 2, QUIET, "start"))
    body += [_cell(query, left - 8, top + (q + 0.5) * ROW, QUIET, "end") for q, query in enumerate(asked)]
    body.append(f'<g transform="translate({left:g} {top})">{_cells(rows, side, ROW)}</g>')
    x = left + len(tokens) * side + 16
    for name, found in results:
        column = _clip([name, *found], MAX_NAME)
        body.append(_cell(column[0], x, top - 4 - ROW / 2, BLUE, "start"))
        body += [_cell(content, x, top + (q + 0.5) * ROW, INK, "start") for q, content in enumerate(column[1:])]
        x += max(map(wide, column)) * CHARACTER + 18
    return Box(x - 16 if not results else x - 18, top + len(queries) * ROW, "".join(body))


def _small(rows: Sequence[Sequence[bool]]) -> Box:
    """A large selector, without letters."""
    side = SMALL / max(len(rows), len(rows[0]))
    return Box(len(rows[0]) * side, len(rows) * side, _cells(rows, side, side))


def _cells(rows: Sequence[Sequence[bool]], width: float, height: float) -> str:
    """The cells of a matrix; neighbours in a row that are on are one rectangle."""
    columns, lines = len(rows[0]), len(rows)
    found = [f'<rect width="{columns * width:g}" height="{lines * height:g}" fill="{EMPTY}"/>']
    for q, row in enumerate(rows):
        for start, length in _runs(row):
            box = f'x="{start * width:g}" y="{q * height:g}" width="{length * width:g}" height="{height:g}"'
            found.append(f'<rect {box} fill="{BLUE}"/>')
    if max(columns, lines) <= MAX_LETTERED:
        across = "".join(f"M0 {at * height:g}h{columns * width:g}" for at in range(lines + 1))
        down = "".join(f"M{at * width:g} 0v{lines * height:g}" for at in range(columns + 1))
        found.append(f'<path d="{across}{down}" stroke="#ffffff" stroke-width="1.5"/>')
    return "".join(found)


def _runs(row: Sequence[bool]) -> list[tuple[int, int]]:
    """Where neighbours that are on begin, and how many they are."""
    found: list[tuple[int, int]] = []
    for at, on in enumerate(row):
        if on and found and sum(found[-1]) == at:
            found[-1] = found[-1][0], found[-1][1] + 1
        elif on:
            found.append((at, 1))
    return found
