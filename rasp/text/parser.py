"""Text to syntax tree.

In: a `Source`. Out: a `Parse`, the `Module` (None where the text has syntax errors) and every diagnostic of the text.
Invariant: never raises on any text; after an error reading goes on with the next statement, so several are found in
one run. A text that merely stops too early gives one error with the code ``unfinished`` (a console reads on then).

    >>> print(parse_text("1 + 2 * 3;").module)
    ((1 + (2 * 3)) ;)
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from lark.exceptions import UnexpectedToken

from rasp.text import tables
from rasp.text.build import Builder, Word, word
from rasp.text.expected import COMMAND, EXPRESSION, STATEMENT, explain, junk
from rasp.text.source import Diagnostic, RaspError, Source, Span
from rasp.text.syntax import Comment, Module, Statement

MAX_ERRORS = 20
"""After so many syntax errors the rest of the text is not read."""
MAX_TEXT, MAX_WORDS = 1 << 20, 100_000
"""Longest text, in characters and in words of the language."""
MAX_JUNK = 100
"""After so many characters that are none of the language the rest of the text is not read."""

_NO_WHILE = "`for x in range(5) { ... }` goes over a list; there is no loop whose end depends on the input"
_BUILDER = Builder()
_OPEN = {"LPAR": "RPAR", "LSQB": "RSQB", "LBRACE": "RBRACE"}
_CLOSE = set(_OPEN.values())
_STARTERS = EXPRESSION | STATEMENT | COMMAND | {"RETURN", "RBRACE"} - {"PLUS", "MINUS", "LPAR", "LSQB"}
_OPERAND_ENDS = {"NAME", "NUMBER", "FLOAT", "STRING"} | _CLOSE


@dataclass(frozen=True)
class Parse:
    """What came of parsing a text."""

    module: Module | None
    diagnostics: list[Diagnostic]
    words: int = 0

    @property
    def statements(self) -> tuple[Statement, ...]:
        """The statements; none where the text has errors."""
        return self.module.statements if self.module else ()

    @property
    def unfinished(self) -> bool:
        """More text could complete this one."""
        return [diagnostic.code for diagnostic in self.diagnostics] == ["unfinished"]


def parse_text(text: str, name: str = "<text>") -> Parse:
    """Parse a text that is not yet a `Source`."""
    return parse_source(Source(text, name))


def parse_source(source: Source) -> Parse:
    """Parse a whole text."""
    if len(source.text) > MAX_TEXT:
        return Parse(None, [_too_long(f"more than {MAX_TEXT} characters", Span(source, 0, 0))])
    reader = _Reader(source)
    try:
        statements = reader.read()
    except _TooMany:
        statements = ()
    except RaspError as limit:
        statements = ()
        reader.diagnostics += limit.diagnostics
    if reader.diagnostics:
        return Parse(None, sorted(reader.diagnostics, key=_place), len(reader.words))
    whole = Span(source, 0, len(source.text))
    return Parse(Module(whole, statements, tuple(reader.comments)), [], len(reader.words))


def _too_long(what: str, span: Span) -> Diagnostic:
    hint = "a program that long was written by another one: let it write functions, loops and lists"
    return Diagnostic("too-long", "error", f"this text has {what}", span, hint)


def _place(diagnostic: Diagnostic) -> int:
    return diagnostic.span.start if diagnostic.span else 0


class _TooMany(Exception):
    """Enough errors for one run."""


class _Reader:
    """One run over one text. At the beginning of each statement it keeps a copy of the parser to come back to."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.diagnostics: list[Diagnostic] = []
        self.comments: list[Comment] = []
        self.junk: list[Span] = []
        lark = tables.load(_BUILDER)
        self.tokens = lark.lex(source.text, dont_ignore=True)
        self.parser: Any = lark.parse_interactive()
        self.words: list[Word] = []
        self.begin(0)
        self.blocks = 0

    def begin(self, at: int) -> None:
        """A statement may begin at this word."""
        self.safe = self.parser.copy(deepcopy_values=False)
        self.first = at
        self.opened: list[str] = []

    def read(self) -> tuple[Statement, ...]:
        """Feed every word to the parser; on an error, report it and go on behind the statement."""
        words = self._lex()
        self.words = list(itertools.islice(words, MAX_WORDS))
        if (further := next(words, None)) is not None:
            raise RaspError(_too_long(f"more than {MAX_WORDS} words", further.span))
        at = 0
        while at < len(self.words):
            self._end_command(at)
            at = self._feed(at)
        return self._finish()

    def _lex(self) -> Iterator[Word]:
        for token in self.tokens:
            assert token.start_pos is not None
            span = Span(self.source, token.start_pos, token.start_pos + len(token))
            match token.type:
                case "WS":
                    pass
                case "COMMENT":
                    self.comments.append(Comment(span))
                case "JUNK":
                    self._report_junk(span)
                case kind:
                    yield word(kind, str(token), span)

    def _report_junk(self, span: Span) -> None:
        """Once a line for the same characters."""
        line = self.source.position(span.start)[0]
        if not any(one.text == span.text and self.source.position(one.start)[0] == line for one in self.junk):
            self._report(junk(span))
        self.junk.append(span)
        if len(self.junk) >= MAX_JUNK:
            raise _TooMany

    def _report_syntax(self, at: int, diagnostic: Diagnostic) -> None:
        """Unless the word stands behind a character that has been reported already."""
        start = self.words[at - 1].span.end if at else 0
        end = self.words[at].span.start if at < len(self.words) else len(self.source.text)
        if not any(start <= one.start < end for one in self.junk):
            self._report(diagnostic)

    def _report(self, diagnostic: Diagnostic) -> None:
        self.diagnostics.append(diagnostic)
        if len(self.diagnostics) >= MAX_ERRORS:
            raise _TooMany

    def _feed(self, at: int) -> int:
        """Feed one word; the number of the word to feed next."""
        try:
            self.parser.feed_token(self.words[at])
        except UnexpectedToken:
            return self._recover(at)
        self._follow(at)
        return at + 1

    def _follow(self, at: int) -> None:
        """Keep count of brackets and blocks behind a word that was taken."""
        kind = self.words[at].type
        if kind == "LBRACE" and self._is_block(at):
            self.blocks += 1
            self.begin(at + 1)
        elif kind in _OPEN:
            self.opened.append(kind)
        elif kind in _CLOSE and self.opened:
            self.opened.pop()
        elif kind == "RBRACE":
            self.blocks -= 1
            self._check_body(at)
            self.begin(at + 1)
        elif kind == "SEMICOLON":
            self.begin(at + 1)

    def _is_block(self, at: int) -> bool:
        """A brace behind a finished operand opens a block, any other one a dictionary."""
        return at > 0 and self.words[at - 1].type in _OPERAND_ENDS and at > self.first

    def _check_body(self, at: int) -> None:
        """A loop needs a statement or at least a comment."""
        opening, closing = self.words[at - 1], self.words[at]
        if opening.type == "LBRACE" and not any(
            opening.span.end <= c.span.start < closing.span.start for c in self.comments
        ):
            self._report(
                Diagnostic("empty-body", "error", "a loop needs a statement in its body", opening.span | closing.span)
            )

    def _in_command(self, at: int) -> bool:
        return self.first < at and self.words[self.first].type in COMMAND

    def _end_command(self, at: int) -> None:
        """A console command ends with its line, where it is complete."""
        if not self._in_command(at) or self.opened:
            return
        gap = self.source.text[self.words[at - 1].span.end : self.words[at].span.start]
        if "\n" in gap and "_END" in self.parser.accepts():
            self._feed_end(at)

    def _feed_end(self, at: int) -> None:
        self.parser.feed_token(word("_END", "", self.words[at - 1].span))
        self.begin(at)

    def _finish(self) -> tuple[Statement, ...]:
        at = len(self.words)
        if self._in_command(at) and "_END" in self.parser.accepts():
            self._feed_end(at)
        try:
            statements: tuple[Statement, ...] = self.parser.feed_eof()
            return statements
        except UnexpectedToken:
            self._report_syntax(at, self._unfinished())
            return ()

    def _unfinished(self) -> Diagnostic:
        self._retrace(len(self.words))
        last = self.words[-1].span
        end = Span(self.source, last.end, last.end)
        accepts = self.parser.accepts()
        if "SEMICOLON" in accepts and not self.opened:
            return Diagnostic(
                "unfinished", "error", "the text ends without the `;` of its last statement", end, "add `;`"
            )
        said = explain("$END", "", end, "", accepts, self.first == len(self.words))
        return Diagnostic("unfinished", "error", said.message, end)

    def _recover(self, at: int) -> int:
        """Report the word that does not fit; the number of the word to go on with."""
        found = self.words[at]
        self._retrace(at)
        accepts = self.parser.accepts()
        if "SEMICOLON" in accepts and not self.opened and self._may_begin(at) and not self._is_while(at):
            return self._insert_semicolon(at)
        if self._is_while(at):
            self._report(Diagnostic("syntax", "error", "there is no `while`", self.words[self.first].span, _NO_WHILE))
        else:
            before = self.words[at - 1].type if at > self.first else ""
            self._report_syntax(at, explain(found.type, str(found), found.span, before, accepts, at == self.first))
        behind = self._skip(at, "RETURN" in accepts)
        self.parser = self.safe
        self._stand_in("RETURN" in accepts or self.words[self.first].type == "RETURN")
        self.begin(behind)
        return behind

    def _retrace(self, at: int) -> None:
        """Bring the parser back to where it was before it saw this word: trying it may have closed what was open."""
        self.parser = self.safe.copy(deepcopy_values=False)
        for known in self.words[self.first : at]:
            self.parser.feed_token(known)

    def _is_while(self, at: int) -> bool:
        """Whether the statement reads like a loop of other languages up to a word that does not fit; `while` itself is
        a name like any other."""
        first, second = self.words[self.first], self.words[min(self.first + 1, len(self.words) - 1)]
        begins = second.type in _STARTERS | {"LPAR"} and (at == self.first + 1 or str(self.words[at]) in {"{", ":"})
        return first.type == "NAME" and str(first) == "while" and begins

    def _may_begin(self, at: int) -> bool:
        if self.words[at].type == "RBRACE":
            return self.blocks > 0
        return self.words[at].type in _STARTERS

    def _insert_semicolon(self, at: int) -> int:
        before = self.words[at - 1].span
        found = self.words[at]
        place = Span(self.source, before.end, before.end)
        line = self.source.position(found.span.start)[0]
        same = line == self.source.position(before.start)[0]
        said = explain(
            found.type, str(found), place, "", {"SEMICOLON", "STAR", "COMPARE"} if same else {"SEMICOLON"}, False
        )
        hint = None if same else "a statement ends with `;`"
        self._report_syntax(at, Diagnostic("missing-semicolon", "error", said.message, place, hint))
        self.parser.feed_token(word("SEMICOLON", ";", place))
        self.begin(at)
        return at

    def _skip(self, at: int, wants_return: bool) -> int:
        """The first word behind the broken statement. A block's closing brace is left to its block."""
        compound = self.words[self.first].type in {"DEF", "FOR"} or self._is_while(at)
        opened = ["BLOCK" if compound and kind == "LBRACE" else kind for kind in self.opened]
        if self.words[at].type == "RBRACE" and at == self.first:
            return at if wants_return and self.blocks else at + 1
        for here in range(at, len(self.words)):
            kind = self.words[here].type
            if kind == "LBRACE" and self._is_block(here):
                opened.append("BLOCK")
            elif kind in _OPEN:
                opened.append(kind)
            elif kind == "RBRACE" and "BLOCK" in opened:
                while opened.pop() != "BLOCK":
                    pass
                if "BLOCK" not in opened and compound:
                    return here + 1
            elif kind == "RBRACE" and "LBRACE" not in opened and self.blocks:
                return here
            elif kind in _CLOSE and opened and _OPEN.get(opened[-1]) == kind:
                opened.pop()
            elif kind == "SEMICOLON" and "BLOCK" not in opened:
                return here + 1
        return len(self.words)

    def _stand_in(self, wants_return: bool) -> None:
        """Put something harmless where the broken statement stood, so that its block is not blamed for lacking it."""
        if not self.blocks:
            return
        place = self.words[self.first].span if self.first < len(self.words) else self.words[-1].span
        stand_in: list[Any] = [word("NUMBER", "0", place), word("SEMICOLON", ";", place)]
        if wants_return and self.words[self.first].type in {"RETURN", "RBRACE"}:
            stand_in.insert(0, word("RETURN", "return", place))
        trial = self.parser.copy(deepcopy_values=False)
        try:
            for part in stand_in:
                trial.feed_token(part)
        except UnexpectedToken:
            return
        self.parser = trial
