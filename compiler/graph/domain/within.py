"""Within: whether a computed number surely is a place of the sequence that may be seen, and which number is none.

In: an s-op of the query. Out: a condition that is True wherever the s-op is such a place; what it is elsewhere.
Invariant: the condition is True at no number that is no such place (docs/constructions.md, C38, C47).

    indices + h if indices < h else indices - h   is one where   0 <= that  and  that < length
    (indices + c) % length                        is one where   length - 1 < length  and  0 <= length - 1
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import reduce

from compiler.graph.domain.linear import Terms
from compiler.graph.domain.values import Domain
from compiler.graph.domain.variables import LENGTH, POSITION
from compiler.numbers.exact import as_value
from rasp.meaning.sop import Constant, Map, SOp
from rasp.text.source import RaspError

THERE = "there"
"""No number."""


def within(query: SOp, shift: Fraction, causal: bool) -> SOp:
    """The condition for an s-op of whole numbers, less a number. A remainder by what is above 0 is below that."""
    least, most = query, query
    first, zero = Constant(as_value(shift)), Constant(0)
    if isinstance(query, Map) and query.op == "%":
        least, most = zero, Map("-", (query.args[1], Constant(1)))
    last = Map("+", (POSITION if causal else Map("-", (LENGTH, Constant(1))), first))
    ends = [Map(">=", (least, first)), Map("<=", (most, last))]
    return reduce(
        lambda one, other: Map("and", (one, other)), [*ends, Map(">=", (most, zero))] if least is zero else ends
    )


def first_of(key: Terms | None) -> Fraction | None:
    """What a linear form is at position 0, if it is that much more than the position everywhere."""
    if key is None or key.get(POSITION) != 1 or set(key) - {POSITION, None}:
        return None
    return key.get(None, Fraction(0))


def nowhere(query: SOp, shift: Fraction, causal: bool, domain: Callable[[SOp], Domain]) -> Fraction | None:
    """The number with which the s-op may be no such place, if it is one with all others (C47)."""
    try:
        outside = domain(Map("if", (within(query, shift, causal), Constant(THERE), query)))
        found = [value for value in outside if value != THERE]
        return Fraction(found[0]) if len(found) == 1 and domain(query).whole else None
    except RaspError:  # it is reported where the domain is asked for
        return None
