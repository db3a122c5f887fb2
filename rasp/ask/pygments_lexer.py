"""RASP for Pygments: the colours of the console, and of any page or notebook that highlights with Pygments.

In: text. Out: Pygments' tokens. Installed as the lexer `rasp` for files `*.rasp`.

    >>> [text for kind, text in RaspLexer().get_tokens("x = 1;") if kind in Number]
    ['1']
"""

from __future__ import annotations

from typing import ClassVar

from pygments.lexer import RegexLexer, words
from pygments.token import Comment, Keyword, Name, Number, Operator, Punctuation, String, Text

STATEMENTS = ("def", "for", "return", "load", "draw", "in", "if", "else")
COMMANDS = ("set", "show", "example", "examples", "on", "off", "selector", "exit", "quit")
BUILTINS = ("select", "aggregate", "range", "zip", "len", "round", "indicator")
SOPS = (
    *("tokens", "tokens_str", "tokens_int", "tokens_float", "tokens_bool", "tokens_asis", "indices", "length", "out"),
    *("source", "source_int", "source_float", "source_bool", "source_length"),
)
LIBRARY = (
    *("full_s", "selector_width", "has_focus", "count", "contains", "max", "min", "average", "load_from_location"),
    *("shift", "mark_last_instance", "mark_first_instance", "select_from_last", "select_from_first", "sort"),
    "select_next_identical",
)


class RaspLexer(RegexLexer):  # type: ignore[misc]
    """The words of RASP."""

    name = "RASP"
    aliases: ClassVar = ["rasp"]
    filenames: ClassVar = ["*.rasp"]
    mimetypes: ClassVar = ["text/x-rasp"]
    url = "https://arxiv.org/abs/2106.06981"
    version_added = ""

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
