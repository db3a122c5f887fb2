"""From lines to statements, as a console takes them: a statement may run over several lines.

In: lines, one at a time. Out: the statements they complete, or what is wrong with them.
Invariant: nothing is lost silently; a line that neither completes nor continues a statement is reported, and reading
goes on with the next line.

    >>> reader = Reader(); reader.feed("a ="), reader.prompt
    (None, '.. ')
    >>> [str(statement) for statement in reader.feed("1;").statements]
    ['((a = 1) ;)']
"""

from __future__ import annotations

import re

from rasp.text.parser import Parse, parse_source
from rasp.text.source import Diagnostic, Source, Span

MAX_LINES = 5_000
"""Longest statement that is read line by line."""
PATIENCE = 100
"""From so many lines on a statement is only looked at where it may be complete: looking costs its length."""
MAX_CHARACTERS = 100_000
"""Longest statement that is read line by line, in characters."""


_NO_WORDS = re.compile(r'"[^"]*"|#.*')


class Reader:
    """The text of a statement that is not finished yet."""

    def __init__(self, name: str = "<console>") -> None:
        self.name = name
        self.skipped = 0
        self.lines: list[str] = []
        self.blocks = 0

    @property
    def pending(self) -> bool:
        """Whether a statement has begun."""
        return any(line.strip() for line in self.lines)

    @property
    def prompt(self) -> str:
        """What stands in front of the next line: deeper inside of functions."""
        if not self.lines:
            return ">> "
        return ".. " + "  " * sum(line.split().count("def") for line in self.lines)

    def feed(self, line: str) -> Parse | None:
        """The statements that this line completes, or its errors; None while something is missing."""
        self.lines.append("" if line.lstrip().startswith("#") else line)
        words = _NO_WORDS.sub("", line)
        opened = words.count("{") - words.count("}")
        self.blocks += opened
        finished = opened < 0 or (self.blocks <= 0 and ";" in words)
        text = "\n".join(self.lines)
        if not text.strip():
            self.lines = [""]
            return None
        limit = self._limit(text)
        if limit is None and len(self.lines) > PATIENCE and not finished:
            return None
        parse = limit or parse_source(self._source())
        if parse.unfinished or not (parse.diagnostics or parse.statements):
            return None
        self.drop()
        return parse

    def end(self) -> list[Parse]:
        """There are no more lines: what was begun and is not finished is reported."""
        rest = [parse_source(self._source())] if self.pending else []
        self.drop()
        return rest

    def drop(self) -> None:
        """Forget what was begun."""
        self.lines = []
        self.blocks = 0

    def _source(self) -> Source:
        return Source("\n" * self.skipped + "\n".join(self.lines), self.name)

    def _limit(self, text: str) -> Parse | None:
        if len(self.lines) <= MAX_LINES and len(text) <= MAX_CHARACTERS:
            return None
        source = Source(self.lines[0][:80], self.name)
        message = f"a statement of more than {MAX_LINES} lines or {MAX_CHARACTERS} characters is not read line by line"
        hint = "put it into a file and `load` it"
        return Parse(None, [Diagnostic("too-long", "error", message, Span(source, 0, len(source.text)), hint)])


def statements_of(text: str, name: str) -> list[Parse]:
    """A file as a console reads it: all of it if it has no syntax errors, else statement by statement."""
    whole = parse_source(Source(text, name))
    if not whole.diagnostics:
        return [whole]
    parses: list[Parse] = []
    reader = Reader(name)
    for number, line in enumerate(text.split("\n")):
        if not reader.pending:
            reader.drop()
            reader.skipped = number
        if (parse := reader.feed(line)) is not None:
            parses.append(parse)
    parses += reader.end()
    return parses
