"""Answers: the kind in which an s-op's value is given to whoever asks, outside of the console.

In: an s-op and its exact values. Out: the same values, each in the kind that it prints in.
Invariant: the kind follows from the value and from the text of the s-op alone, so that everything that computes the
value, whatever it knows, prints the same. A whole number is an int; a bool stays one only where an s-op has no others.

    >>> from fractions import Fraction
    >>> from rasp.meaning.sop import Indices
    >>> first = Map("==", (Indices(), Constant(0)))
    >>> answers(first, [True, False]), answers(Map("if", (first, first, Indices())), [True, Fraction(1)])
    ([True, False], [1, 1])
"""

from __future__ import annotations

from collections.abc import Iterable

from rasp.meaning.operators import TRUTHS
from rasp.meaning.sop import Aggregate, Constant, Lookup, Map, SOp, Tokens
from rasp.value import Value


def answers(node: SOp, values: Iterable[Value]) -> list[Value]:
    """The values of an s-op in the kinds that they print in."""
    boolean = is_boolean(node)
    return [normalised(value, boolean) for value in values]


def normalised(value: Value, boolean: bool) -> Value:
    """A value of an s-op in the kind that it prints in. `boolean`: the s-op has no values but bools."""
    if isinstance(value, str):
        return value
    if boolean:
        return bool(value)
    return int(value) if value.denominator == 1 else value


def is_boolean(node: SOp) -> bool:
    """Whether every branch of an s-op is a bool."""
    seen, todo = {node}, [node]
    while todo:
        branches = _branches(todo.pop())
        if branches is None:
            return False
        new = [branch for branch in branches if branch not in seen]
        seen.update(new)
        todo += new
    return True


def _branches(node: SOp) -> tuple[SOp, ...] | None:
    """The s-ops whose values this one hands on, beside bools of its own; None where it has other values of its own."""
    match node:
        case Constant(value=bool()) | Tokens(convert="bool"):
            return ()
        case Map(op="if", args=(_, a, b)):
            return a, b
        case Map(op=op) if op in TRUTHS:
            return ()
        case Lookup(table=table) if all(isinstance(value, bool) for _, value in table):
            return ()
        case Aggregate(value=value, default=bool()):
            return (value,)
    return None
