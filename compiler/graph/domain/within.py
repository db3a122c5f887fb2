"""Within: whether a computed number surely is a place of the sequence that may be seen.

In: an s-op of the query. Out: a condition that is True wherever the s-op is such a place.
Invariant: the condition is True at no number that is no such place (docs/constructions.md, C38).

    indices + h if indices < h else indices - h   is one where   0 <= that  and  that < length
    (indices + c) % length                        is one where   length - 1 < length  and  0 <= length - 1
"""

from __future__ import annotations

from fractions import Fraction
from functools import reduce

from compiler.graph.domain.variables import LENGTH, POSITION
from compiler.numbers.exact import as_value
from rasp.meaning.sop import Constant, Map, SOp


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
