"""S-ops and selectors as JSON data, for an interpreter elsewhere.

In: nodes, and the tokens of the vocabulary. Out: a list of entries, inputs first, which name each other by number.
Invariant: values keep their kind and are exact: `i3`, `f1/3`, `T`, `F`, `sabc`.

    >>> from rasp.meaning.sop import Constant, Indices, Map
    >>> table([Map("+", (Indices(), Constant(1)))], [])[0]
    [['indices'], ['constant', 'i1'], ['map', '+', [0, 1]]]
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, assert_never

from rasp.meaning import sop
from rasp.meaning.operators import TokenKind, Undefined, convert
from rasp.meaning.sop import Node, reachable
from rasp.value import Value


def tagged(value: Value) -> str:
    """A value as text that keeps its kind."""
    match value:
        case bool():
            return "T" if value else "F"
        case int():
            return f"i{value}"
        case Fraction():
            return f"f{value.numerator}/{value.denominator}"
        case str():
            return f"s{value}"
        case _:
            assert_never(value)


def table(
    roots: Iterable[Node], vocabulary: Sequence[Value], encoder: Mapping[Node, int] | None = None
) -> tuple[list[list[Any]], dict[Node, int]]:
    """The entries of everything the roots need, and the number of each node; `encoder` are the numbers that what stands
    on the source has in a table of its own."""
    entries: list[list[Any]] = []
    numbers: dict[Node, int] = {}
    for node in reachable(roots):
        numbers[node] = len(entries)
        if isinstance(node, sop.Encoded):
            entries.append(["encoded", (encoder or {})[node.node]])
        else:
            entries.append(_entry(node, [numbers[part] for part in node.inputs], vocabulary))
    return entries, numbers


def _entry(node: Node, parts: list[int], vocabulary: Sequence[Value]) -> list[Any]:
    match sop.closed(node):
        case sop.Tokens(how):
            return ["tokens", [_converted(token, how) for token in vocabulary]]
        case sop.Indices():
            return ["indices"]
        case sop.Constant(value):
            return ["constant", tagged(value)]
        case sop.Map(op, _):
            return ["map", op, parts]
        case sop.Lookup(pairs, _, sequence):
            return ["lookup", [[tagged(key), tagged(value)] for key, value in pairs], parts[0], sequence is not None]
        case sop.Aggregate(_, _, default):
            return ["aggregate", *parts, tagged(default)]
        case sop.Select(_, _, predicate):
            return ["select", *parts, predicate]
        case sop.Width() | sop.Total() | sop.Not() | sop.And() | sop.Or():  # nothing but their parts
            return [type(node).__name__.lower(), *parts]
        case sop.Phi():
            raise AssertionError("a page shows no loop")
        case sop.Encoded():
            raise AssertionError("its number is in another table")
        case other:
            assert_never(other)


def _converted(token: Value, how: TokenKind) -> str | None:
    """What a conversion makes of a token, None where it is undefined."""
    try:
        return tagged(convert(token, how))
    except Undefined:
        return None
