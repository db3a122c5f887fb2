"""A session: lines go in, the console answers.

In: lines, from a terminal or a pipe. Out: nothing; the console has written.
Invariant: whatever a line holds, no Python exception comes out but an interruption, and the next line is read.

    >>> session = Session(Console(print)); session.line("x ="); session.line("2 + 2;")
        value: x =  4
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rasp.console.console import Console
from rasp.console.extras import hear
from rasp.console.reader import Reader
from rasp.text.source import Diagnostic, Source, Span
from rasp.text.syntax import Comment


class Session:
    """A console and the statement that is being read."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.reader = Reader()

    def line(self, line: str) -> None:
        """Take in one line."""
        self._guarded(self._line, line)

    def text(self, text: str) -> None:
        """Take in a whole text; what it begins and does not finish is reported."""
        for line in text.split("\n"):
            if self.console.done:
                return
            self.line(line)
        self.end()

    def end(self) -> None:
        """There are no more lines: what was begun and is not finished is reported."""
        for parse in self.reader.end():
            self._guarded(self.console.take, parse)

    def interrupt(self) -> None:
        """Forget what was begun."""
        self.reader.drop()

    def _line(self, line: str) -> None:
        if line.lstrip().startswith("#@"):
            source = Source(line.strip(), self.reader.name)
            self.console.adopt([Comment(Span(source, 0, len(source.text)))])
        if not self.reader.pending and hear(self.console, line):
            self.reader.drop()
            return
        parse = self.reader.feed(line)
        if parse is not None:
            self.console.take(parse)

    def _guarded(self, action: Callable[[Any], None], given: object) -> None:
        """Carry out an action; a fault is reported like any other problem."""
        try:
            action(given)
        except BrokenPipeError:
            raise
        except RecursionError:
            self._fault("this is nested too deeply")
        except MemoryError:
            self._fault("this needs more memory than there is")
        except Exception as problem:
            self._fault(f"a fault of the console itself, please report it: {type(problem).__name__}: {problem}")

    def _fault(self, message: str) -> None:
        self.reader.drop()
        self.console.complain(Diagnostic("internal", "error", message))
