"""RASP for Pygments: the colours of the console, and of any page or notebook that highlights with Pygments.

In: text. Out: Pygments' tokens. Installed as the lexer `rasp` for files `*.rasp`.

    >>> [text for kind, text in RaspLexer().get_tokens("x = 1;") if kind in Number]
    ['1']
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, ClassVar

from pygments.lexer import RegexLexer, words
from pygments.token import Comment, Keyword, Name, Number, Operator, Punctuation, String, Text

STATEMENTS = ("def", "for", "return", "load", "draw", "in", "if", "else")
COMMANDS = ("set", "show", "example", "examples", "on", "off", "selector", "exit", "quit")
BUILTINS = ("select", "aggregate", "range", "zip", "len", "round", "indicator")
SOPS = ("tokens", "tokens_str", "tokens_int", "tokens_float", "tokens_bool", "tokens_asis", "indices", "length", "out")
SOURCE = {"source", "source_int", "source_float", "source_bool", "source_length"}
"""Words that are names like any other, unless the text declares a source."""
_DECLARES = re.compile(r"^\s*#@\s*source\s*:", re.MULTILINE)
LIBRARY = (
    *("full_s", "selector_width", "has_focus", "count", "contains", "max", "min", "average", "load_from_location"),
    *("shift", "mark_last_instance", "mark_first_instance", "select_from_last", "select_from_first", "sort"),
    *("select_next_identical", "latest", "rightmost"),
)


class RaspLexer(RegexLexer):  # type: ignore[misc]
    """The words of RASP."""

    name = "RASP"
    aliases: ClassVar = ["rasp"]
    filenames: ClassVar = ["*.rasp"]
    mimetypes: ClassVar = ["text/x-rasp"]
    url = "https://arxiv.org/abs/2106.06981"
    version_added = ""

    has_source = False
    """Whether a source is declared before the text."""

    def get_tokens_unprocessed(self, text: str, stack: Any = ("root",)) -> Iterator[tuple[int, Any, str]]:
        """The words of a text; those of a source where there is one."""
        known = SOURCE if self.has_source or _DECLARES.search(text) else set()
        for at, kind, word in super().get_tokens_unprocessed(text, stack):
            yield at, Name.Builtin.Pseudo if kind is Name and word in known else kind, word

    tokens: ClassVar = {
        "root": [
            (r"\s+", Text.Whitespace),
            (r"#@[^\n]*", Comment.Special),
            (r"#[^\n]*", Comment.Single),
            (r'"[^"\n]*"', String.Double),
            (r'"[^"\n]*', String.Double),
            (r"full seq display", Keyword.Reserved),
            (r"s-op(?![A-Za-z0-9_])", Keyword.Reserved),
            (words(STATEMENTS, prefix=r"\b", suffix=r"\b"), Keyword),
            (words(("and", "or", "not"), prefix=r"\b", suffix=r"\b"), Operator.Word),
            (words(COMMANDS, prefix=r"\b", suffix=r"\b"), Keyword.Reserved),
            (words(("True", "False"), prefix=r"\b", suffix=r"\b"), Keyword.Constant),
            (words(BUILTINS, prefix=r"\b", suffix=r"\b"), Name.Builtin),
            (words(SOPS, prefix=r"\b", suffix=r"\b"), Name.Builtin.Pseudo),
            (words(LIBRARY, prefix=r"\b", suffix=r"\b"), Name.Function),
            (r"[0-9]+\.[0-9]+", Number.Float),
            (r"[0-9]+", Number.Integer),
            (r"[A-Za-z_][A-Za-z0-9_]*", Name),
            (r"==|!=|<=|>=|[-+*/%^<>=]", Operator),
            (r"[][(){},;:]", Punctuation),
            (r".", Text),
        ]
    }


class SourceLexer(RaspLexer):
    """The same behind a header that declares a source."""

    has_source = True
