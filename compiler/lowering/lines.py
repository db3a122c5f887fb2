"""Lines: an s-op minus an affine part, which a reading matrix adds back at no cost; a direction holds the rest.

In: an s-op, a constant, other s-ops with factors. Out: the s-op minus these.
Invariant: the s-op that comes out has the value that the direction has, so that the interpreter can say it.

    x ^ 2, of which a reading matrix adds 3 x - 1:  (x ^ 2 - ((3 * x) - 1))
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from compiler.numbers.exact import as_value
from rasp.meaning.sop import Constant, Map, SOp


def sides(node: SOp) -> tuple[SOp, SOp]:
    """What a quotient is a quotient of; anything else is one of itself and 1."""
    match node:
        case Map(op="/", args=(a, b)):
            return a, b
    return node, Constant(1)


def minus(node: SOp, constant: Fraction, terms: Sequence[tuple[SOp, Fraction]] = ()) -> SOp:
    """The s-op minus a constant and multiples of others."""
    for term, factor in terms:
        if factor:
            node = Map("-", (node, term if factor == 1 else Map("*", (Constant(as_value(factor)), term))))
    return Map("-", (node, Constant(as_value(constant)))) if constant else node


def sum_of(parts: Sequence[SOp]) -> SOp:
    """The sum of s-ops."""
    found, *rest = parts
    for part in rest:
        found = Map("+", (found, part))
    return found
