"""Operators: the one table of elementwise operations, on exact values.

In: values. Out: a value, or `Undefined` with the reason where the language gives no answer.
Every elementwise node of every later stage names an entry of this table; nothing else computes.

    >>> OPERATORS["%"].apply(7, -3)
    -2
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, TypeAlias, assert_never

from rasp.value import Value

MAX_BITS = 1 << 16
"""Largest size of an integer or of a fraction's parts; beyond it an operation is refused, it could run for ever."""
MAX_STRING = 1 << 16
"""Longest string an operation may build, in characters."""
MAX_SHOWN_BITS = 4096
"""Longest integer that a message spells out."""


class Undefined(Exception):
    """An operation has no answer for these operands. The message is a full clause, without a full stop."""


@dataclass(frozen=True)
class Operator:
    """One elementwise operation: its symbol in the language, how it is written, and what it means."""

    symbol: str
    arity: int | None  # None: one or more
    notation: str  # a format string over the operands
    apply: Callable[..., Value]


Number: TypeAlias = int | Fraction
TokenKind: TypeAlias = Literal["asis", "str", "int", "float", "bool"]
"""How an input element is read: `tokens_asis` leaves it alone, `tokens_str` makes a string of it."""


def show(value: Value) -> str:
    """A value as one would write it in a message; a very long number is described instead."""
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, Fraction):
        return str(float(value))
    return str(value) if value.bit_length() <= MAX_SHOWN_BITS else f"(a number of {value.bit_length()} bits)"


def _numbers(verb: str, *values: Value) -> None:
    for value in values:
        if isinstance(value, str):
            raise Undefined(f"cannot {verb} the string {show(value)}")


def bounded(value: Number) -> Number:
    """The same number, if it has a reasonable size and a float lies within the range of floats."""
    if type(value) is int and -_SMALL < value < _SMALL:  # nearly all are
        return value
    size = value.numerator.bit_length()
    if max(size, value.denominator.bit_length()) > MAX_BITS:
        raise Undefined(f"the result has more than {MAX_BITS} bits")
    if isinstance(value, Fraction) and size - value.denominator.bit_length() > 1022 and abs(value) >= _FLOAT_END:
        raise Undefined("the result is too large for a float")
    return value


_SMALL = 1 << 62
_FLOAT_END = 2**1024 - 2**970
"""Where floats end: a number of this size or more rounds to infinity."""


def _add(a: Value, b: Value) -> Value:
    if isinstance(a, str) and isinstance(b, str):
        if len(a) + len(b) > MAX_STRING:
            raise Undefined(f"the result has more than {MAX_STRING} characters")
        return a + b
    if isinstance(a, str) or isinstance(b, str):
        raise Undefined(f"cannot add {show(a)} and {show(b)}: one is a string, the other a number")
    return bounded(a + b)


def _subtract(a: Value, b: Value) -> Value:
    _numbers("subtract", a, b)
    return bounded(a - b)  # type: ignore[operator]


def _multiply(a: Value, b: Value) -> Value:
    if isinstance(a, str) and isinstance(b, int):
        return _repeat(a, b)
    if isinstance(b, str) and isinstance(a, int):
        return _repeat(b, a)
    _numbers("multiply", a, b)
    return bounded(a * b)  # type: ignore[operator, arg-type]


def _repeat(text: str, times: int) -> str:
    if len(text) * times > MAX_STRING:
        raise Undefined(f"the result has more than {MAX_STRING} characters")
    return text * max(times, 0) if text else text  # Python has no strings for larger numbers, nor for smaller ones


def _divide(a: Value, b: Value) -> Value:
    _numbers("divide", a, b)
    if b == 0:
        raise Undefined(f"division by zero ({show(a)} / 0)")
    return bounded(Fraction(a) / Fraction(b))


def _modulo(a: Value, b: Value) -> Value:
    _numbers("take the remainder of", a, b)
    if b == 0:
        raise Undefined(f"remainder by zero ({show(a)} % 0)")
    return bounded(a % b)  # type: ignore[operator, arg-type]


def _power(a: Value, b: Value) -> Value:
    _numbers("raise to a power", a, b)
    assert not isinstance(a, str) and not isinstance(b, str)
    if a == 0 and b < 0:
        raise Undefined("zero cannot be raised to a negative power")
    if b.denominator == 1:
        size = max(a.numerator.bit_length(), a.denominator.bit_length())
        if abs(a) != 1 and size * abs(int(b)) > MAX_BITS:
            raise Undefined(f"the result has more than {MAX_BITS} bits")
        power = Fraction(Fraction(a) ** int(b))
        return int(power) if isinstance(a, int) and isinstance(b, int) and b >= 0 else bounded(power)
    if a < 0:
        raise Undefined(f"a negative number ({show(a)}) has no real power {show(b)}")
    try:
        return Fraction(math.pow(a, b))
    except OverflowError:
        raise Undefined("the result is too large for a float") from None


def _compare(symbol: str, holds: Callable[[Number | str, Number | str], bool]) -> Callable[[Value, Value], bool]:
    def apply(a: Value, b: Value) -> bool:
        if isinstance(a, str) != isinstance(b, str):
            raise Undefined(f"cannot order {show(a)} {symbol} {show(b)}: one is a string, the other a number")
        return holds(a, b)

    return apply


def _negate(a: Value) -> Value:
    _numbers("negate", a)
    return -a  # type: ignore[operator]


def _plus(a: Value) -> Value:
    _numbers("take the sign of", a)
    return +a  # type: ignore[operator]


def _round(a: Value) -> Value:
    _numbers("round", a)
    return round(a)  # type: ignore[arg-type]


def _member(a: Value, *options: Value) -> bool:
    return any(a == option for option in options)


def _choose(condition: Value, a: Value, b: Value) -> Value:
    return a if condition else b


PREDICATES: dict[str, Callable[[Value, Value], bool]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": _compare("<", lambda a, b: a < b),  # type: ignore[operator]
    "<=": _compare("<=", lambda a, b: a <= b),  # type: ignore[operator]
    ">": _compare(">", lambda a, b: a > b),  # type: ignore[operator]
    ">=": _compare(">=", lambda a, b: a >= b),  # type: ignore[operator]
}
"""The six comparisons: of two values elementwise, and of a key with a query in `select`."""
MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "==", "!=": "!="}
"""The comparison of b with a that holds where one of a with b does."""

OPERATORS: dict[str, Operator] = {
    op.symbol: op
    for op in [
        Operator("+", 2, "({} + {})", _add),
        Operator("-", 2, "({} - {})", _subtract),
        Operator("*", 2, "({} * {})", _multiply),
        Operator("/", 2, "({} / {})", _divide),
        Operator("%", 2, "({} % {})", _modulo),
        Operator("^", 2, "({} ^ {})", _power),
        *(Operator(symbol, 2, f"({{}} {symbol} {{}})", holds) for symbol, holds in PREDICATES.items()),
        Operator("negate", 1, "(-{})", _negate),
        Operator("plus", 1, "(+{})", _plus),
        Operator("round", 1, "round({})", _round),
        Operator("indicator", 1, "indicator({})", lambda a: int(bool(a))),
        Operator("not", 1, "(not {})", lambda a: not a),
        Operator("and", 2, "({} and {})", lambda a, b: bool(a) and bool(b)),
        Operator("or", 2, "({} or {})", lambda a, b: bool(a) or bool(b)),
        Operator("if", 3, "({1} if {0} else {2})", _choose),
        Operator("in", None, "({} in [{}])", _member),
    ]
}
"""Every elementwise operation of the graph. ``if`` takes condition, then, else; ``in`` an element, then the options."""

TRUTHS = frozenset([*PREDICATES, "not", "and", "or", "in"])
"""The operations whose results are bools, whatever they are applied to. ``if`` hands on what it is given."""


def convert(element: Value, how: TokenKind) -> Value:
    """An input element as `tokens_asis`, `tokens_str`, `tokens_int`, `tokens_float` or `tokens_bool` sees it."""
    try:
        match how:
            case "str":
                return str(float(element)) if isinstance(element, Fraction) else str(element)
            case "int":
                return int(element)
            case "float":
                return _finite(element)
            case "bool":
                return bool(element)
            case "asis":
                return element
            case _:
                assert_never(how)
    except (ValueError, OverflowError):
        raise Undefined(f"{show(element)} cannot be read as {how}") from None


def _finite(element: Value) -> Fraction:
    """A number as it is; a text as the decimal that its binary64 float shows. Raises `ValueError` for infinities."""
    number = float(element)
    if not math.isfinite(number):
        raise ValueError
    return Fraction(repr(number)) if isinstance(element, str) else Fraction(element)
