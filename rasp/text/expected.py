"""What to say about a syntax error: what stands there, what could have stood there, what to try.

In: the unexpected word, its neighbours and the terminals the grammar would take. Out: one `Diagnostic`.

    >>> from rasp.text.parser import parse_text
    >>> print(parse_text("a = (1, 2);").diagnostics[0].message)
    expected an operator or `)`, found `,`
"""

from __future__ import annotations

from collections.abc import Set

from rasp.text.source import Diagnostic, Span

NAMES = {
    "SEMICOLON": "`;`",
    "COMMA": "`,`",
    "COLON": "`:`",
    "EQUAL": "`=`",
    "LPAR": "`(`",
    "RPAR": "`)`",
    "LSQB": "`[`",
    "RSQB": "`]`",
    "LBRACE": "`{`",
    "RBRACE": "`}`",
    "NAME": "a name",
    "STRING": "a string",
    "SWITCH": "`on` or `off`",
    "SIDE": "`s-op` or `selector`",
    "COMPARE": "one of `== != < <= > >=`",
    "_END": "the end of the line",
    "$END": "the end of the text",
}
EXPRESSION = {"NAME", "NUMBER", "FLOAT", "STRING", "LPAR", "LSQB", "LBRACE", "NOT", "MINUS", "PLUS"} | {
    "SELECT",
    "AGGREGATE",
    "LISTING",
    "LEN",
    "ELEMENTWISE",
}
OPERATOR = {"AND", "OR", "COMPARE", "PLUS", "MINUS", "STAR", "SLASH", "PERCENT", "CARET", "IN", "IF", "LPAR", "LSQB"}
STATEMENT = {"DEF", "FOR", "LOAD", "DRAW"}
COMMAND = {"SET", "SHOW", "SIDE", "EXAMPLES", "FULL", "EXIT"}
KEYWORDS = (
    STATEMENT
    | COMMAND
    | {"EXAMPLE", "SWITCH", "IN", "RETURN", "NOT", "ROUND", "ELEMENTWISE", "AND", "OR", "IF", "ELSE"}
)

_JUNK_HINTS = {
    "!": "write `not x`; `!=` compares",
    "&": "write `and`",
    "|": "write `or`",
    "'": 'strings stand in double quotes: "abc"',
    ".": "a number has digits on both sides of the point: `0.5`, `1.0`",
    "\\": "a string has no escapes and a statement may simply go on in the next line",
    "@": "settings are comment lines of the form `#@ key: value`",
}


def junk(span: Span) -> Diagnostic:
    """A character that begins no word of the language."""
    if span.text.startswith('"'):
        return Diagnostic("unclosed-string", "error", "this string is not closed on its line", span, 'end it with `"`')
    shown = span.text if span.text.isprintable() else f"U+{ord(span.text):04X}"
    hint = _JUNK_HINTS.get(span.text)
    return Diagnostic("unknown-character", "error", f"`{shown}` is not a character of the language", span, hint)


def explain(kind: str, text: str, span: Span, before: str, accepts: Set[str], at_start: bool) -> Diagnostic:
    """The diagnostic for an unexpected word. `before` is the kind of the word in front of it."""
    found = f"`{text}`" if text else "the end of the text"
    hint = _hint(kind, text, before, accepts, at_start)
    return Diagnostic("syntax", "error", f"expected {_expectation(accepts, at_start)}, found {found}", span, hint)


def _expectation(accepts: Set[str], at_start: bool) -> str:
    left = set(accepts)
    parts = []
    if at_start and "DEF" in left:
        parts.append("a statement")
        left -= EXPRESSION | STATEMENT | COMMAND | {"$END"}
    elif {"NAME", "NUMBER"} <= left:
        parts.append("an expression")
        left -= EXPRESSION
    elif {"STAR", "COMPARE"} <= left:
        parts.append("an operator")
        left -= OPERATOR
    parts += sorted(NAMES.get(kind, f"`{kind.lower()}`") for kind in left)
    return " or ".join(filter(None, [", ".join(parts[:-1]), parts[-1]])) if parts else "nothing more"


def _hint(kind: str, text: str, before: str, accepts: Set[str], at_start: bool) -> str | None:
    if at_start:
        return _hint_at_start(kind)
    if kind in KEYWORDS and "NAME" in accepts:
        return f"`{text}` is a word of the language and cannot be a name"
    if kind == "EQUAL" and "COMPARE" in accepts:
        return "`==` compares; `=` only binds a name, at the beginning of a statement"
    if kind == "COMMA" and "RPAR" in accepts:
        return "there are no tuples: write a list, `[a, b]`"
    if before == "COMMA" and kind in {"RPAR", "RSQB", "RBRACE"}:
        return "leave out the last comma"
    if (before, kind) in {("SLASH", "SLASH"), ("STAR", "STAR"), ("COMPARE", "COMPARE")}:
        return {"SLASH": "`/` divides exactly; wrap it in `round`", "STAR": "a power is written `^`"}.get(
            kind, "`!=` means unequal"
        )
    if kind == "SEMICOLON" and "_END" in accepts:
        return "a console command ends with its line and takes no `;`"
    return None


def _hint_at_start(kind: str) -> str | None:
    match kind:
        case "SEMICOLON":
            return "a `}` ends its statement by itself"
        case "RETURN":
            return "`return` stands once, at the end of a `def`"
        case "IF":
            return "there is no `if` statement: write `a if condition else b`"
        case "RBRACE":
            return "this `}` closes nothing"
        case _:
            return None
