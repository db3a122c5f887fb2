"""Counting: which keys a count adds up, in pieces that a head can score cheaply.

In: a selector's cases: exclusive conjunctions, of which no key satisfies two for one query. Out: pieces of each, which
are conjunctions with a sign, whose counts add up to its own.
Invariant: on every input the signed counts of what comes out add up to the count of what goes in.

    all but the equal ones   =  all  -  the equal ones
    key < query, of 16 values  =  high < high  +  (high = high and low < low), digits of base 4
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import TypeAlias

from compiler.graph.domain import Domain
from compiler.graph.relation import ALWAYS, EQUAL, Comparison, Conjunction
from compiler.lowering.attention import is_compared_at_keys
from compiler.lowering.context import Context
from compiler.lowering.names import Names
from rasp.meaning.sop import Indices, Lookup, SOp, Tokens

LONG_ORDER = 12
"""Numbers of more values are put in order by two digits where keys are counted (C4)."""

_Compared: TypeAlias = tuple[SOp, SOp, Comparison]


class Counting:
    """The pieces that a case is counted in."""

    def __init__(self, context: Context, names: Names) -> None:
        self.context = context
        self.analysis = context.analysis
        self.names = names

    def of(self, case: Conjunction) -> list[tuple[int, Conjunction]]:
        """The pieces of a case: all but the equal ones are all minus the equal ones, which is cheaper than a table."""
        for part in case.parts:
            key, query, comparison = part
            if (
                comparison == ALWAYS - EQUAL
                and len(self.analysis.domain(query)) > 3
                and len(self.analysis.domain(key)) > 3
            ):
                rest = [other for other in case.parts if other is not part]
                everything = Conjunction.of(rest, case.crosses)
                equal = Conjunction.of([*rest, (key, query, EQUAL)], case.crosses)
                assert everything is not None and equal is not None
                return self.of(everything) + [(-sign, piece) for sign, piece in self.of(equal)]
            if (digits := self._by_digits(*part)) is not None:
                rest = [other for other in case.parts if other is not part]
                pieces = [Conjunction.of([*rest, *piece], case.crosses) for piece in digits]
                return [found for piece in pieces if piece is not None for found in self.of(piece)]
        return [(1, case)]

    def _by_digits(self, key: SOp, query: SOp, comparison: Comparison) -> list[list[_Compared]] | None:
        """An order of many values as two exclusive pieces (C4): high digits in order, or equal with low ones in order.

        A table of an order has as many dimensions as there are values, those of the digits the square root of that.
        """
        keys, queries = (self.analysis.domain(node) for node in (key, query))
        strict = comparison - EQUAL
        if self.context.optimize != "size" and not all(self._is_embedded(node) for node in (key, query)):
            return None  # digits of a computed number may take a layer
        if is_compared_at_keys(key, query, comparison, self.analysis):
            return None
        if len(strict) != 1 or min(len(keys), len(queries)) <= LONG_ORDER:
            return None
        both = Domain.of([*keys, *queries])
        if not both.numeric and not all(isinstance(value, str) for value in both):
            return None
        base = math.isqrt(len(both) - 1) + 1
        rank = {value: ordinal for ordinal, value in enumerate(both)}

        def digit(node: SOp, domain: Domain, of: Callable[[int, int], int], name: str) -> SOp:
            found = Lookup(tuple((value, of(rank[value], base)) for value in domain), node)
            self.names.entitle(found, f"{name} digit of {self.names.label(node)}")
            return found

        high_key, high = (digit(*side, operator.floordiv, "high") for side in ((key, keys), (query, queries)))
        low_key, low = (digit(*side, operator.mod, "low") for side in ((key, keys), (query, queries)))
        return [[(high_key, high, strict)], [(high_key, high, EQUAL), (low_key, low, comparison)]]

    def _is_embedded(self, node: SOp) -> bool:
        """A function of the token and the position."""
        return all(isinstance(variable, Tokens | Indices) for variable in self.analysis.variables(node))
