"""Pivots: numbers, linear in the stream, that an s-op is a function of.

In: an s-op. Out: its `Pivot`s: a sum of s-ops with factors, and the s-op as a function of that one number, which a
staircase can compute (C8).
Invariant: each s-op of a sum is read without neurons, or is an operand of the s-op; joint values that lead to
different values of the s-op have different sums.

    h % 2 == 1 over h:  0 -> False, 1 -> True, 2 -> False, ...
    x and y over 2x + y:  0 -> False, 1 -> False, 2 -> False, 3 -> True
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from compiler.graph.rules import rebuilt
from compiler.graph.table import Curve, Scale
from compiler.lowering.context import Context, Numbered
from compiler.numbers.exact import counts, times
from rasp.meaning.operators import PREDICATES
from rasp.meaning.sop import Constant, Lookup, Map, Node, SOp


@dataclass(frozen=True)
class Pivot:
    """A number, given as a sum of s-ops with factors, and a function of it, by its value at each argument."""

    terms: tuple[tuple[SOp, Fraction], ...]
    curve: Curve


class Pivots:
    """What the s-ops of a context are functions of."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.analysis = context.analysis
        self.limits = context.limits
        self._scales: dict[SOp, Scale] = {}
        self._digits: dict[tuple[tuple[SOp, ...], bool], tuple[tuple[tuple[SOp, Fraction], ...], Scale]] = {}

    def within_limits(self, node: SOp) -> Iterator[Pivot]:
        """Those whose range, in units of their smallest distance, is not too large for a staircase (C8).

        An s-op that is its operand's code or rank would be a function of itself.
        """
        pivots = (pivot for pivot in self._all(node) if pivot.curve.steps <= self.limits.steps)
        return (pivot for pivot in pivots if node not in dict(pivot.terms))

    def _all(self, node: SOp) -> Iterator[Pivot]:
        """Numbers, linear in the stream, that the s-op is a function of."""
        yield from self._of_a_difference(node)
        chain = [inner for inner in self._chain(node) if self.takes_no_neurons(inner)]
        yield from (self._along(node, inner) for inner in chain)
        variables = self.analysis.variables(node)
        # such a pivot would be the one along the variable, which is in the chain
        is_found = len(variables) == 1 and variables[0] in chain and self._is_own_rank(variables[0])
        if not is_found and self.analysis.count_points(variables) <= self.limits.neurons:
            yield (found := self._over_digits(node, variables, joint=True))
            if found.curve.steps > self.limits.steps:
                yield self._over_digits(node, variables, joint=True, by_rank=True)
        frontier = self.analysis.frontier(node)
        if set(frontier) != set(variables) and self.analysis.count_points(frontier) <= self.limits.neurons:
            yield self._over_digits(node, frontier)
        args = tuple(arg for arg in dict.fromkeys(node.inputs) if isinstance(arg, SOp) and self.analysis.variables(arg))
        if set(args) not in (set(variables), set(frontier)) and self.analysis.count_points(args) <= self.limits.neurons:
            yield self._over_digits(node, args)

    def _of_a_difference(self, node: SOp) -> Iterator[Pivot]:
        """Of the comparison that the s-op is, or is a function of: what is compared is their difference with 0."""
        *outer, inner = node, *self.links(node)
        match inner:
            case Map(op=op, args=(a, b)) if op in PREDICATES and self.context.all_numeric(a, b):
                difference = Map("-", (a, b))
                if self.takes_no_neurons(difference) and self._is_tabulated(difference):
                    compared: Node = Map(op, (difference, Constant(0)))
                    for reader in reversed(outer):
                        inner, compared = reader, rebuilt(reader, {inner: compared})
                    assert isinstance(compared, SOp)
                    yield self._along(compared, difference)

    def outermost(self, node: SOp) -> Pivot | None:
        """The first number of the chain: it need not be one that is read without neurons."""
        inner = next(self._chain(node), None)
        return None if inner is None else self._along(node, inner)

    def takes_no_neurons(self, node: SOp) -> bool:
        """Whether reading the s-op takes no neurons: a linear form of variables, or the code of one."""
        one = (
            len(self.analysis.variables(node)) <= 1
            and isinstance(node, Lookup)
            and not isinstance(node.arg, Map | Lookup)
        )
        return one or self.analysis.linear(node) is not None

    def links(self, node: SOp) -> Iterator[SOp]:
        """The s-ops that the s-op is a function of, one of the other, outermost first."""
        inner = node
        while isinstance(inner, Map | Lookup):
            varying = {arg for arg in inner.inputs if isinstance(arg, SOp) and self.analysis.variables(arg)}
            if len(varying) != 1:
                return
            inner = varying.pop()
            yield inner

    def _chain(self, node: SOp) -> Iterator[SOp]:
        """The numeric s-ops that the s-op is a function of, one of the other, outermost first."""
        return (inner for inner in self.links(node) if self._is_tabulated(inner) and self.context.all_numeric(inner))

    def _is_tabulated(self, node: SOp) -> bool:
        """Whether the s-op's values are few enough to be written out."""
        domain = self.analysis.domain_if_any(node)
        return domain is not None and (not isinstance(domain.values, range) or len(domain) <= self.limits.points)

    def _is_own_rank(self, variable: SOp) -> bool:
        """Whether a variable of numbers is its own rank, but for a constant: they are 1 apart, and all may occur."""
        return self.analysis.domain(variable).gap == 1 and self.analysis.all_meant((variable,))

    def _along(self, node: SOp, inner: SOp) -> Pivot:
        """The s-op as a function of one that its chain leads to."""
        if inner not in self._scales:
            self._scales[inner] = Scale.of([self.analysis.domain(inner).numbers])
        return Pivot(((inner, Fraction(1)),), self.analysis.curve(node, (inner,), self._scales[inner]))

    def _over_digits(self, node: SOp, parts: tuple[SOp, ...], joint: bool = False, by_rank: bool = False) -> Pivot:
        """Several s-ops as the digits of one number (C8); those with rounding errors are the low digits.

        With `by_rank`, a digit is the rank of the value: what stands for it otherwise may be far from the next one.
        """
        if (parts, by_rank) not in self._digits:
            self._digits[parts, by_rank] = self._as_digits(parts, by_rank)
        terms, scale = self._digits[parts, by_rank]
        return Pivot(terms, self.analysis.curve(node, parts, scale, joint))

    def _as_digits(self, parts: tuple[SOp, ...], by_rank: bool) -> tuple[tuple[tuple[SOp, Fraction], ...], Scale]:
        """The number of which the s-ops are the digits, as their sum with factors and as a scale.

        A digit weighs as much as all that the ones before it can come to, and 1.
        """
        weight = Fraction(1)
        terms: list[tuple[SOp, Fraction]] = []
        digits: dict[SOp, list[Fraction]] = {}
        for part in sorted(parts, key=lambda part: not any(map(self.analysis.inexact, self.analysis.variables(part)))):
            numbers, coded = self._numbered_by_rank(part) if by_rank else self.context.numbered(part)
            found, common = counts([number for _, number in numbers])
            ascending = sorted(found)
            gap = min((b - a for a, b in itertools.pairwise(ascending)), default=common)
            terms.append((coded, weight / Fraction(gap, common)))
            unit = weight / gap
            digits[part] = [times(unit, count) for count in found]
            weight *= Fraction(ascending[-1] - ascending[0], gap) + 1
        return tuple(terms), Scale.of([digits[part] for part in parts])

    def _numbered_by_rank(self, part: SOp) -> tuple[Numbered, SOp]:
        """The values of a domain with their ranks, and the s-op that takes these."""
        table = tuple((value, rank) for rank, value in enumerate(self.analysis.domain(part)))
        return tuple((value, Fraction(rank)) for value, rank in table), Lookup(table, part)
