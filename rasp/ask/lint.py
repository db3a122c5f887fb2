"""Warnings: programs that run, but probably not as meant.

In: a module, what running it left behind, its settings. Out: diagnostics of severity ``warning``.
The precedence warnings look at the tree only. The warning about a missing default has a witness: an input on which
the aggregate gives the number 0 among strings.

    >>> from rasp.text.parser import parse_text
    >>> [one.code for one in precedence(parse_text("x = not a == b;").module)]
    ['precedence']
"""

from __future__ import annotations

import dataclasses
import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rasp.meaning.interpreter import Run
from rasp.meaning.sop import Aggregate, Lookup, Map, Node, SOp, Tokens
from rasp.settings import Settings
from rasp.text.source import Diagnostic, RaspError, Span
from rasp.text.syntax import Binary, Expression, Module, Ternary, Unary
from rasp.value import Value

MAX_WARNINGS = 100
"""Most places of one kind that are warned about."""
MAX_SUSPECTS = 50
"""Most aggregates that are tried, in the order of the text."""
MAX_LOOKED_AT = 400
"""A part of an expression of more characters is not short, however many of them are blanks."""

_COMPARISONS = {"==", "!=", "<", "<=", ">", ">="}


def lint(module: Module, settings: Settings, defaulted: Mapping[Node, Span]) -> list[Diagnostic]:
    """Everything suspicious about a program, in the order of the text."""
    return sorted([*precedence(module), *missing_defaults(settings, defaulted)], key=_place)


def precedence(module: Module) -> list[Diagnostic]:
    """Expressions that group otherwise than they look, in the order of the text; parentheses settle them."""
    found = (_trap(node) for node in _nodes(module.statements))
    return heapq.nsmallest(MAX_WARNINGS, (one for one in found if one is not None), key=_place)


def _place(found: Diagnostic) -> int:
    return found.span.start if found.span else 0


def _nodes(roots: Iterable[Any]) -> Iterator[Any]:
    """Every syntax node below the roots. A list of work instead of recursion: chains may be long."""
    todo: list[Any] = list(roots)
    while todo:
        node = todo.pop()
        if isinstance(node, tuple):
            todo += node
        elif dataclasses.is_dataclass(node) and not isinstance(node, Span):
            yield node
            todo += [getattr(node, field.name) for field in dataclasses.fields(node)]


def _trap(node: Any) -> Diagnostic | None:
    """What groups otherwise than it looks at this node; of a chain of one kind only its beginning tells."""
    match node:
        case Binary(_, op) if op in _COMPARISONS:
            return _comparison(node)
        case Binary(_, "in"):
            return _membership(node)
        case Binary(_, ("%" | "^")):
            return _arithmetic(node)
        case Binary(_, "and", Binary(_, "or", a, b) as left, c):
            meant = f"{_text(a)} or ({_text(b)} and {_text(c)})"
            return _warning(node, "`and` and `or` bind alike", f"({_text(left)}) and {_text(c)}", meant)
        case Ternary(_, Ternary(_, a, p, b) as left, q, c) if not isinstance(a, Ternary):
            meant = f"{_text(a)} if {_text(p)} else ({_text(b)} if {_text(q)} else {_text(c)})"
            read = f"({_text(left)}) if {_text(q)} else {_text(c)}"
            return _warning(node, "a chain of `if` and `else` groups to the left", read, meant)
        case _:
            return None


def _comparison(node: Binary) -> Diagnostic | None:
    match node:
        case Binary(_, op, Unary(_, "not", arg) as left, right):
            return _not(node, op, arg, left, right)
        case Binary(_, op, Binary(_, first, a, b) as left, c) if first in _COMPARISONS and not _compares(a):
            read, meant = f"({_text(left)}) {op} {_text(c)}", f"{_text(left)} and {_text(b)} {op} {_text(c)}"
            return _warning(node, "comparisons do not chain", read, meant)
        case _:
            return None


def _compares(node: Expression) -> bool:
    return isinstance(node, Binary) and node.op in _COMPARISONS


def _membership(node: Binary) -> Diagnostic | None:
    match node:
        case Binary(_, op, Unary(_, "not", arg) as left, right):
            return _not(node, op, arg, left, right)
        case Binary(_, _, a, Binary(_, op, b, c) as right) if op in _COMPARISONS | {"and", "or"}:
            meant = f"({_text(a)} in {_text(b)}) {op} {_text(c)}"
            return _warning(node, f"`{op}` binds tighter than `in`", f"{_text(a)} in ({_text(right)})", meant)
        case Binary(_, _, Binary(_, op, a, b) as left, c) if op in _COMPARISONS | {"and", "or"}:
            meant = f"{_text(a)} {op} ({_text(b)} in {_text(c)})"
            return _warning(node, f"`{op}` binds tighter than `in`", f"({_text(left)}) in {_text(c)}", meant)
        case Binary(_, _, a, Ternary(_, b, p, c) as right):
            meant = f"({_text(a)} in {_text(b)}) if {_text(p)} else {_text(c)}"
            return _warning(node, "`if` binds tighter than `in`", f"{_text(a)} in ({_text(right)})", meant)
        case Binary(_, _, Ternary(_, a, p, b) as left, c):
            meant = f"{_text(a)} if {_text(p)} else ({_text(b)} in {_text(c)})"
            return _warning(node, "`if` binds tighter than `in`", f"({_text(left)}) in {_text(c)}", meant)
        case _:
            return None


def _not(node: Binary, op: str, arg: Expression, left: Expression, right: Expression) -> Diagnostic:
    read, meant = f"({_text(left)}) {op} {_text(right)}", f"not ({_text(arg)} {op} {_text(right)})"
    return _warning(node, f"`not` binds tighter than `{op}`", read, meant)


def _arithmetic(node: Binary) -> Diagnostic | None:
    match node:
        case Binary(_, "%", a, Binary(_, ("*" | "/"), b) as right):
            op = right.op
            while isinstance(b, Binary) and b.op in {"*", "/"}:
                op, b = b.op, b.left
            behind = _short(right.span.source.text[b.span.end : right.span.end])
            reason = f"`{op}` binds tighter than `%`"
            return _warning(node, reason, f"{_text(a)} % ({_text(right)})", f"({_text(a)} % {_text(b)}) {behind}")
        case Binary(_, "^", Unary(_, "-", arg) as left, right):
            read, meant = f"({_text(left)}) ^ {_text(right)}", f"-({_text(arg)} ^ {_text(right)})"
            return _warning(node, "`-` in front binds tighter than `^`", read, meant)
        case Binary(_, "^", Binary(_, "^", a, b) as left, c) if not (isinstance(a, Binary) and a.op == "^"):
            meant = f"{_text(a)} ^ ({_text(b)} ^ {_text(c)})"
            return _warning(node, "`^` groups to the left", f"({_text(left)}) ^ {_text(c)}", meant)
        case _:
            return None


def _text(node: Expression) -> str:
    """A part of an expression as it was written, if that is short."""
    return _short(node.span.source.text[node.span.start : min(node.span.end, node.span.start + MAX_LOOKED_AT)])


def _short(text: str) -> str:
    text = " ".join(text.split()) if len(text) < MAX_LOOKED_AT else text
    return text if len(text) <= 40 else "..."


def _warning(node: Binary | Ternary, reason: str, read: str, meant: str) -> Diagnostic:
    hint = f"write `{meant}`, or, if it is meant as it reads, put the parentheses there"
    return Diagnostic("precedence", "warning", f"{reason}: this reads `{read}`", node.span, hint)


def missing_defaults(settings: Settings, defaulted: Mapping[Node, Span]) -> list[Diagnostic]:
    """Aggregates of strings without a default that select nothing somewhere on an input that is tried."""
    suspects = [node for node in defaulted if isinstance(node, Aggregate) and _gives_strings(node.value)]
    runs = [Run(tokens, settings.attention == "causal") for tokens in _trials(settings)]
    found = []
    for node in suspects[:MAX_SUSPECTS]:
        if (place := _witness(node, runs)) is not None:
            shown, at = place
            message = f"without a default this gives 0 among strings: on {shown}, position {at} selects nothing"
            hint = 'add a default of the same kind: `aggregate(selector, value, "-")`'
            found.append(Diagnostic("missing-default", "warning", message, defaulted[node], hint))
    return found


def _gives_strings(node: SOp) -> bool:
    """Whether an s-op surely holds strings. Looks at the value side only, in a loop."""
    while True:
        match node:
            case Tokens(convert):
                return convert == "str"
            case Aggregate(_, value):
                node = value
            case Map("+", (left, _)) | Map("if", (_, left, _)):
                node = left
            case Lookup(table):
                return all(isinstance(value, str) for _, value in table)
            case _:
                return False


def _witness(node: Aggregate, runs: Iterable[Run]) -> tuple[str, int] | None:
    """An input and a position where the aggregate selects nothing, beside a string."""
    for run in runs:
        try:
            run.compute([node.selector, node.value])
        except RaspError:
            continue
        empty = [at for at, row in enumerate(run.seen(node.selector)) if row == 0]
        if empty and len(empty) < run.n:
            return _shown(run.tokens), empty[0]
    return None


def _trials(settings: Settings) -> list[tuple[Value, ...]]:
    """A few inputs: the examples, and short cycles through the vocabulary."""
    vocab = settings.vocab or tuple("hello")
    longest = min(settings.max_length or 5, 5)
    starts = [(start, n) for n in range(1, longest + 1) for start in (0, 1)]
    cycles = [tuple([vocab[(start + at) % len(vocab)] for at in range(n)]) for start, n in starts]
    return [*(example.input for example in settings.examples[:10]), *cycles]


def _shown(tokens: Sequence[Value]) -> str:
    if all(isinstance(token, str) and len(token) == 1 for token in tokens):
        return '"' + "".join(map(str, tokens)) + '"'
    return "[" + ", ".join(map(str, tokens)) + "]"
