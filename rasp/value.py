"""Values: what a sequence holds at one position. Exact until weights are emitted.

In: Python literals and input elements. Out: `bool`, `int`, `Fraction` (the language's *float*) or `str`.
Invariant: no binary float ever enters; a float literal is its exact decimal, a division is a fraction.
Values compare as in the language (``1 == 1.0 == True``); `kind` tells them apart for printing and for identity.

    >>> kind(Fraction(2)), to_python(Fraction(2))
    ('float', 2.0)
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["bool", "int", "float", "string"]
Value: TypeAlias = bool | int | Fraction | str

_KINDS: dict[type, Kind] = {bool: "bool", int: "int", Fraction: "float", str: "string"}


def kind(value: Value) -> Kind:
    """The printed kind of a value."""
    return _KINDS[type(value)]


def to_python(value: Value) -> bool | int | float | str:
    """The value as a caller of the Python API sees it: a fraction becomes the nearest binary64 float."""
    return float(value) if isinstance(value, Fraction) else value


def from_python(value: object) -> Value:
    """The exact value of a Python scalar: a float is the decimal that its ``repr`` shows.

    Raises `TypeError` for anything that is no scalar, `ValueError` for nan and infinities.
    """
    match value:
        case bool() | Fraction():
            return value
        case int():
            return int(value)
        case str():
            return str(value)
        case float():
            return Fraction(repr(float(value)))
        case _:
            raise TypeError(f"expected a bool, int, float or string, got {value!r}")


def kind_of_all(values: list[Value]) -> Kind | None:
    """The kind a whole sequence prints as, or None where strings and numbers meet.

    Tried in this order: string, bool, int (a bool counts as one), float (whatever else is numeric).
    """
    kinds = {kind(value) for value in values}
    if len(kinds) == 1:
        return kinds.pop()
    if "string" in kinds:
        return None
    return "float" if "float" in kinds else "int"
