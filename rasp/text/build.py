"""From the grammar's rules to syntax nodes.

In: called by the parser for each rule it completes, with the words and nodes of that rule. Out: one node of `syntax`.
Invariant: method names are the grammar's rule names; every node's span reaches from its first to its last word.
A tree nested deeper than `MAX_NESTING` is refused here, so that nothing behind has to fear deep recursion.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction
from typing import Any, TypeAlias

from lark import Token

from rasp.text.source import Span, error
from rasp.text.syntax import (
    Assign,
    Binary,
    Builtin,
    Call,
    Command,
    Comprehension,
    Define,
    DictForm,
    Draw,
    Evaluate,
    Expression,
    For,
    Group,
    Index,
    ListForm,
    Literal,
    Load,
    Name,
    Return,
    SelectForm,
    Statement,
    Ternary,
    Unary,
)

MAX_NESTING = 200
"""How deep brackets, blocks and prefix operators may nest."""
MAX_DIGITS = 4_000
"""Longest number literal."""


class Word(Token):
    """A token that knows its span."""

    span: Span


def word(kind: str, text: str, span: Span) -> Word:
    """A word of the given kind."""
    made = Word(kind, text)
    made.span = span
    return made


Parts: TypeAlias = list[Any]


def _span(parts: Parts) -> Span:
    present = [part for part in parts if part is not None]
    first, last = present[0], present[-1]
    start: Span = first[0].span if isinstance(first, tuple) else first.span
    end: Span = last[-1].span if isinstance(last, tuple) else last.span
    return start | end


def _nested(span: Span, *levels: int) -> int:
    depth = max(levels, default=0)
    if depth > MAX_NESTING:
        raise error(
            "nesting",
            f"this is nested more than {MAX_NESTING} levels deep",
            Span(span.source, span.start, span.start + 1),
        )
    return depth


def _deepest(items: Iterable[Any]) -> int:
    return max([getattr(item, "depth", 1) for item in items], default=0) + 1


def _leaning(
    make: Callable[..., Expression], span: Span, left: Expression, /, *rest: Expression, **fields: Any
) -> Expression:
    """A node whose left side may be long but is not deep."""
    return make(span, **fields, depth=_nested(span, left.depth, _deepest(rest)))


def _values(parts: Parts) -> tuple[Any, ...]:
    """What stands between the commas."""
    return tuple(part for part in parts if part is not None and not isinstance(part, Token))


def _name(name: Word) -> Name:
    return Name(name.span, str(name))


class Builder:
    """One method a rule."""

    def start(self, parts: Parts) -> tuple[Statement, ...]:
        return tuple(parts)

    def statement(self, parts: Parts) -> Statement:
        made: Statement = parts[0]
        return made

    simple = statement

    def evaluate(self, parts: Parts) -> Evaluate:
        return Evaluate(_span(parts), parts[0])

    def assign(self, parts: Parts) -> Assign:
        return Assign(_span(parts), parts[0], parts[2])

    def names(self, parts: Parts) -> tuple[Name, ...]:
        return tuple(_name(part) for part in parts if part.type == "NAME")

    targets = names

    def expressions(self, parts: Parts) -> tuple[Expression, ...]:
        return _values(parts)

    def load(self, parts: Parts) -> Load:
        return Load(_span(parts), self.string([parts[1]]))

    def draw(self, parts: Parts) -> Draw:
        values = _values(parts)
        return Draw(_span(parts), values[0], values[1] if len(values) > 1 else None)

    def define(self, parts: Parts) -> Define:
        parameters = next((part for part in parts if isinstance(part, tuple)), ())
        *body, result = [part for part in parts if not isinstance(part, (Token, tuple, type(None)))]
        depth = _nested(parts[0].span, _deepest(body), _deepest(result.values))
        return Define(_span(parts), _name(parts[1]), parameters, tuple(body), result, depth)

    def return_(self, parts: Parts) -> Return:
        return Return(_span(parts), parts[1])

    def for_loop(self, parts: Parts) -> For:
        body = _values(parts[5:])
        depth = _nested(parts[0].span, _deepest((*body, parts[3])))
        return For(_span(parts), parts[1], parts[3], body, depth)

    def set_example(self, parts: Parts) -> Command:
        words = [part for part in parts[:3] if isinstance(part, Token)]
        return Command(_span(parts[:-1]), tuple(map(str, words)), parts[3])

    def plain_command(self, parts: Parts) -> Command:
        words = [part for part in parts[:-1] if part is not None]
        return Command(_span(words), tuple(map(str, words)), None)

    def name(self, parts: Parts) -> Name:
        return _name(parts[0])

    def number(self, parts: Parts) -> Literal:
        text = str(parts[0])
        if len(text) > MAX_DIGITS:
            raise error("long-number", f"a number of more than {MAX_DIGITS} digits", parts[0].span)
        return Literal(parts[0].span, Fraction(text) if "." in text else int(text), text)

    def string(self, parts: Parts) -> Literal:
        return Literal(parts[0].span, str(parts[0])[1:-1], str(parts[0]))

    def group(self, parts: Parts) -> Group:
        return Group(_span(parts), parts[1], _nested(_span(parts), parts[1].depth + 1))

    def unary(self, parts: Parts) -> Unary:
        return Unary(_span(parts), str(parts[0]), parts[1], _nested(_span(parts), parts[1].depth + 1))

    def binary(self, parts: Parts) -> Expression:
        left, op, right = parts
        return _leaning(Binary, _span(parts), left, right, op=str(op), left=left, right=right)

    def conditional(self, parts: Parts) -> Expression:
        left, _, condition, _, right = parts
        return _leaning(Ternary, _span(parts), left, condition, right, left=left, condition=condition, right=right)

    def index(self, parts: Parts) -> Expression:
        return _leaning(Index, _span(parts), parts[0], parts[2], left=parts[0], index=parts[2])

    def call(self, parts: Parts) -> Expression:
        args = parts[2] or ()
        return _leaning(Call, _span(parts), parts[0], *args, left=parts[0], args=args)

    def select(self, parts: Parts) -> SelectForm:
        depth = _nested(_span(parts), _deepest((parts[2], parts[4])))
        return SelectForm(_span(parts), parts[2], parts[4], str(parts[6]), depth)

    def builtin(self, parts: Parts) -> Builtin:
        args = parts[2] if isinstance(parts[2], tuple) else _values(parts)
        return Builtin(_span(parts), str(parts[0]), args, _nested(_span(parts), _deepest(args)))

    def list_form(self, parts: Parts) -> ListForm:
        items = parts[1] or ()
        return ListForm(_span(parts), items, _nested(_span(parts), _deepest(items)))

    def pair(self, parts: Parts) -> tuple[Expression, Expression]:
        return parts[0], parts[2]

    def dict_form(self, parts: Parts) -> DictForm:
        items = _values(parts)
        return DictForm(_span(parts), items, _nested(_span(parts), *(_deepest(item) for item in items)))

    def list_comprehension(self, parts: Parts) -> Comprehension:
        _, item, _, names, _, iterable, _ = parts
        return Comprehension(
            _span(parts), None, item, names, iterable, _nested(_span(parts), _deepest((item, iterable)))
        )

    def dict_comprehension(self, parts: Parts) -> Comprehension:
        _, key, _, item, _, names, _, iterable, _ = parts
        depth = _nested(_span(parts), _deepest((key, item, iterable)))
        return Comprehension(_span(parts), key, item, names, iterable, depth)
