"""Source text, places in it, and what there is to say about them.

In: program text. Out: `Span`s and `Diagnostic`s; `render` is the one place where a diagnostic becomes text.
Invariant: a span is a half-open range of character offsets of its source; lines and columns are derived from it.

    >>> print(render([Diagnostic("unknown-name", "error", "`x` is not defined", Span(Source("x;"), 0, 1))]))
    error[unknown-name]: `x` is not defined
     --> <text>:1:1
    1 | x;
      | ^
"""

from __future__ import annotations

import bisect
import difflib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Literal, TypeAlias

Severity: TypeAlias = Literal["error", "warning", "note"]

SURROGATE = re.compile("[\ud800-\udfff]")
"""Half of a character, which JSON and Python can spell, and no UTF-8 file can hold."""
MAX_CANDIDATES = 1_000
"""Among so many names the closest is looked for."""
MAX_SHOWN = 160
"""Longest part of a source line that is shown, in characters."""


@dataclass(frozen=True, eq=False)
class Source:
    """A text and where it came from."""

    text: str
    name: str = "<text>"
    _starts: list[int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        starts = [0] + [at + 1 for at, char in enumerate(self.text) if char == "\n"]
        object.__setattr__(self, "_starts", starts)

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, both counted from 1."""
        line = bisect.bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of a line, counted from 1, without its line break."""
        start = self._starts[number - 1]
        end = self.text.find("\n", start)
        return self.text[start : end if end >= 0 else len(self.text)].rstrip("\r")


@dataclass(frozen=True, slots=True)
class Span:
    """The characters from `start` up to, not including, `end`."""

    source: Source
    start: int
    end: int

    @property
    def text(self) -> str:
        """The characters themselves."""
        return self.source.text[self.start : self.end]

    def __or__(self, other: Span) -> Span:
        """From the beginning of this span to the end of the other."""
        return Span(self.source, self.start, other.end)

    def __str__(self) -> str:
        line, column = self.source.position(self.start)
        return f"{self.source.name}:{line}:{column}"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing to say: a stable code, how bad it is, what is wrong, where, and what to try."""

    code: str
    severity: Severity
    message: str
    span: Span | None = None
    hint: str | None = None

    def __str__(self) -> str:
        return _render(self)

    def to_json(self) -> dict[str, Any]:
        """The diagnostic for tools: plain JSON data, lines and columns from 1, the end exclusive."""
        data: dict[str, Any] = {"code": self.code, "severity": self.severity, "message": self.message}
        if self.span is not None:
            source = self.span.source
            line, column = source.position(self.span.start)
            end_line, end_column = source.position(self.span.end)
            data |= {
                "file": source.name,
                "line": line,
                "column": column,
                "end_line": end_line,
                "end_column": end_column,
            }
        if self.hint is not None:
            data["hint"] = self.hint
        return data


class RaspError(Exception):
    """A program, an input or a setting is wrong. Carries everything that was found."""

    def __init__(self, *diagnostics: Diagnostic) -> None:
        super().__init__(*diagnostics)
        self.diagnostics = list(diagnostics)

    def __str__(self) -> str:
        return render(self.diagnostics)


def error(code: str, message: str, span: Span | None = None, hint: str | None = None) -> RaspError:
    """A `RaspError` of one diagnostic."""
    return RaspError(Diagnostic(code, "error", message, span, hint))


def did_you_mean(word: str, candidates: Iterable[str]) -> str | None:
    """A hint that names the closest candidate, if one is close."""
    close = difflib.get_close_matches(word[:80], list(islice(candidates, MAX_CANDIDATES)), n=1, cutoff=0.6)
    return f"did you mean `{close[0]}`?" if close else None


def counted(count: int, noun: str, form: str = "") -> str:
    """So many of something: `1 head`, `2 heads`; with "," as the form, `2,000 heads`."""
    return f"{count:{form}} {noun}{'s' * (count != 1)}"


def render(diagnostics: Iterable[Diagnostic]) -> str:
    """Every diagnostic as text: what is wrong, the source line, a caret, what to try."""
    return "\n\n".join(_render(diagnostic) for diagnostic in diagnostics)


def render_json(diagnostics: Iterable[Diagnostic]) -> str:
    """Every diagnostic as one JSON array, for tools."""
    return json.dumps([diagnostic.to_json() for diagnostic in diagnostics], indent=2, ensure_ascii=False)


def _render(diagnostic: Diagnostic) -> str:
    lines = [f"{diagnostic.severity}[{diagnostic.code}]: {diagnostic.message}"]
    if diagnostic.span is not None:
        lines += _excerpt(diagnostic.span)
    if diagnostic.hint is not None:
        lines.append(f"  hint: {diagnostic.hint}")
    return "\n".join(lines)


def _excerpt(span: Span) -> list[str]:
    number, column = span.source.position(span.start)
    line = span.source.line(number)
    first = max(0, column - 1 - MAX_SHOWN // 2) if len(line) > MAX_SHOWN else 0
    shown = _printable(line[first : first + MAX_SHOWN])
    width = max(1, min(span.end - span.start, len(shown) - (column - 1 - first)))
    margin = " " * len(str(number))
    caret = " " * (column - 1 - first) + "^" * width
    return [f"{margin}--> {span}", f"{number} | {shown}".rstrip(), f"{margin} | {caret}"]


def _printable(line: str) -> str:
    return "".join(char if char.isprintable() else " " for char in line)
