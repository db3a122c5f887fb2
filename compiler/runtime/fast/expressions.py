"""Expressions: pieces of Python, as texts.

In: names and expressions. Out: an expression, or lines.
Invariant: an empty test holds, and an empty code stands for a variable instead of an entry of a dictionary.

    >>> either("a >= 0.5", "b", "0.0")
    '(b if a >= 0.5 else 0.0)'
    >>> put("kept", "b", adds=True, code="t0")
    'kept[t0] = kept.get(t0, 0.0) + b'
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction


def linear(terms: Sequence[tuple[Fraction, str]], constant: Fraction) -> str:
    """A linear combination as an expression."""
    text = ""
    for coefficient, name in terms:
        factor = "" if abs(coefficient) == 1 else f"{float(abs(coefficient))!r} * "
        sign = "-" if coefficient < 0 else "+" if text else ""
        text += f" {sign} {factor}{name}" if text else f"{sign}{factor}{name}"
    if constant or not text:
        text += f" {'-' if constant < 0 else '+'} {float(abs(constant))!r}" if text else repr(float(constant))
    return text


def tuple_of(expressions: Iterable[str]) -> str:
    """A tuple of expressions, of one too."""
    return f"({''.join(f'{one}, ' for one in expressions)})"


def code_of(parts: Sequence[str]) -> str:
    """Parts that must all be equal as what a dictionary is asked for; empty where there are none."""
    return parts[0] if len(parts) == 1 else tuple_of(parts) if parts else ""


def either(test: str, expression: str, other: str) -> str:
    """The expression where a test holds, else the other one."""
    return f"({expression} if {test} else {other})" if test else expression


def put(name: str, value: str, adds: bool, code: str) -> str:
    """Keep a value, or add it, under a code; without one there is a variable."""
    place = f"{name}[{code}]" if code else name
    return f"{place} = {held(name, code, '0.0')} + {value}" if adds else f"{place} = {value}"


def held(name: str, code: str, default: str) -> str:
    """What is kept under a code."""
    return f"{name}.get({code}, {default})" if code else name


def total(name: str, queries: Sequence[tuple[str, str]]) -> str:
    """What is kept under all codes of a query."""
    return " + ".join(either(test, held(name, code, "0.0"), "0.0") for test, code in queries)


def first(name: str, queries: Sequence[tuple[str, str]], default: str) -> str:
    """What is kept under one of the codes of a query."""
    *others, (test, code) = queries
    found = either(test, held(name, code, default), default)
    for test, code in others:
        found = either(" and ".join(filter(None, [test, f"{code} in {name}"])), f"{name}[{code}]", found)
    return found


def when(test: str, lines: Sequence[str]) -> list[str]:
    """Lines that run where a test holds."""
    return [f"if {test}:", *(f"    {line}" for line in lines)] if test else list(lines)
