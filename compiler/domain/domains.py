"""Domains of s-ops: which values each can take at all.

In: s-ops, with what is known of their variables, linear forms, tables and rows. Out: their `Domain`s.
Invariant: a domain is sound (never too small), not always tight; an s-op that is refused once is refused again, with
the same words.

    aggregate(s, indices), up to three positions:  {0, 0.5, 1, 1.5, 2, ...} and its default
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction

from compiler.domain.linear import LinearForms
from compiler.domain.rows import Rows
from compiler.domain.setting import Setting, nothing_meant, refusal
from compiler.domain.tables import Tables
from compiler.domain.values import Domain
from compiler.domain.variables import POSITION, TOKEN, Variables
from rasp.sop import Aggregate, Constant, Indices, Map, Node, SOp, Total, Width, outline, reachable
from rasp.source import RaspError
from rasp.value import Value

SHORT_TABLE = 2_000
"""A linear form over at most this many joint values is tabulated all the same: its domain is tighter then."""


class Domains:
    """The domains of the s-ops of one setting; each is found once, that of its inputs first."""

    def __init__(self, setting: Setting, requires: tuple[SOp, ...], names: Mapping[Node, str]) -> None:
        """What else is known of s-ops is asked here, and asks back for domains. Messages call nodes by `names`."""
        self.setting = setting
        self.names = names
        self.limits = setting.limits
        self.variables = Variables()
        self.linear = LinearForms(setting.max_length, self.variables, self.of)
        self.tables = Tables(setting, requires, self.variables, self.of)
        self.rows = Rows(setting, self.variables, self.linear, self.tables, self.of)
        self._domains: dict[SOp, Domain] = {}
        self._refused: dict[SOp, RaspError] = {}

    def of(self, node: SOp) -> Domain:
        """The values the s-op can take."""
        if node not in self._domains:
            for current in reachable([node], self._domains.__contains__):
                if isinstance(current, SOp):
                    self._domains[current] = self._found(current)
        return self._domains[node]

    def known(self) -> dict[SOp, Domain]:
        """The domains that were found so far."""
        return dict(self._domains)

    def state(self, node: SOp, domain: Domain) -> None:
        """Note the domain of an s-op that takes the numbers of another one's values, which is not seen from itself."""
        self._domains[node] = domain

    def reconsider(self) -> None:
        """Look again at what was refused: more is known of rows."""
        self._refused.clear()

    def require_inputs(self) -> None:
        """Raise `RaspError` where what is required is visibly True on no input."""
        for node in self.tables.requires:
            if not self._may_be_met(node):
                raise nothing_meant(f"no input meets `requires`: {self._called(node)} is True on none")

    def _may_be_met(self, node: SOp) -> bool:
        variables = self.variables.of(node)
        try:
            few = self.tables.count_points(variables) <= self.limits.points
        except RaspError:  # a variable with too many values: nothing is known
            return True
        meant = self.tables.meant(variables) if few else None
        return meant is None or bool(meant.any())

    def _found(self, node: SOp) -> Domain:
        if node not in self._refused:
            try:
                return self._short(node, self._domain(node))
            except RaspError as problem:
                self._refused[node] = problem
        raise RaspError(*self._refused[node].diagnostics)

    def _domain(self, node: SOp) -> Domain:
        if node is TOKEN:
            return Domain.of(self.setting.texts)
        match node:
            case Constant(value=value):
                return Domain.of([value])
            case Indices():
                return Domain.of(range(self.setting.max_length))
            case Width() if self.rows.never_matches(node.selector):
                return Domain.of([0])
            case Width():
                return Domain.of(range(1 if self.rows.never_empty(node.selector) else 0, self.setting.max_length + 1))
            case Total():
                return self._totalled(node)
            case Aggregate() if self.rows.never_matches(node.selector):
                return Domain.of([node.default])
            case Aggregate():
                return self._aggregated(node)
            case _:
                return self._elementwise(node)

    def _elementwise(self, node: SOp) -> Domain:
        if (progression := self._progression(node)) is not None:
            return progression
        variables = self.variables.of(node)
        if self.tables.count_points(variables) <= self.limits.points:
            values = self.tables.occurring(node)
        else:
            values = self._loosely(node)
        if not values:
            raise self._valueless(node)
        domain = Domain.of(values)
        return domain if len(variables) == 1 else self._limited(node, domain)

    def _valueless(self, node: SOp) -> RaspError:
        if self.tables.of(node).occurring():
            return nothing_meant(f"{self._called(node)} has no value on any input that meets `requires`")
        return refusal(
            "never-defined",
            f"{self._called(node)} has no value for any input",
            "check its operands: every combination is an error",
        )

    def _called(self, node: Node) -> str:
        """What a message calls a node, in a line."""
        return f"`{outline(node, self.names)}`"

    def _short(self, node: SOp, domain: Domain) -> Domain:
        parts = (
            part for value in domain if not isinstance(value, str) for part in (value.numerator, value.denominator)
        )
        if any(part.bit_length() > self.limits.bits for part in parts):
            raise refusal(
                "too-long-numbers",
                f"numbers of more than {self.limits.bits} bits are not compiled, and {self._called(node)} can be one",
                "use smaller numbers, or round them",
            )
        return domain

    def _limited(self, node: SOp, domain: Domain) -> Domain:
        if len(domain) > self.limits.values:
            raise refusal(
                "too-many-values",
                f"{self._called(node)} can take {len(domain)} different values, more than {self.limits.values}",
                "round it, or compile with a smaller max_length or vocabulary",
            )
        return domain

    def _loosely(self, node: SOp) -> list[Value]:
        """Values over the arguments' domains, taken as independent."""
        args = tuple(arg for arg in dict.fromkeys(node.inputs) if isinstance(arg, SOp) and self.variables.of(arg))
        count = self.tables.count_points(args)
        if count > self.limits.combinations:
            raise refusal(
                "too-many-combinations",
                f"{self._called(node)} combines operands in {count} ways, more than can be tabulated",
                "round an operand, or compile with a smaller max_length or vocabulary",
            )
        return self.tables.over(node, args).occurring()

    def _progression(self, node: SOp) -> Domain | None:
        """The domain of a linear form of integers with integer coefficients, where tabulating would be long."""
        terms = self.linear.of(node) if isinstance(node, Map) else None
        if terms is None or self.tables.count_points(self.variables.of(node)) <= SHORT_TABLE:
            return None
        domains = [self._domains[var] for var in terms if var is not None]
        whole = all(number.denominator == 1 for domain in domains for number in domain.numbers)
        if not whole or any(c.denominator != 1 for c in terms.values()):
            return None
        low, high = self.linear.bounds(terms)
        step = math.gcd(*(int(c) for var, c in terms.items() if var is not None)) or 1  # all may cancel: a constant
        if (high - low) / step > self.limits.values:
            return None
        return Domain.of(range(int(low), int(high) + 1, step))

    def _aggregated(self, node: Aggregate) -> Domain:
        default = [] if self.rows.never_empty(node.selector) else [node.default]
        if self.rows.picks(node):
            return Domain.of([*self.of(node.value), *default])
        return self._limited(node, Domain.of([*self._means(node), *default]))

    def _totalled(self, node: Total) -> Domain:
        """Every multiple of what divides all numbers, between what as many keys as there can be come to."""
        numbers = self.of(node.value).numbers
        unit = Fraction(1, math.lcm(*(number.denominator for number in numbers)))
        unit *= math.gcd(*(int(number / unit) for number in numbers))
        if not unit:
            return Domain.of([0])
        low, high = (int(end / unit) for end in self._sums(node.value))
        if high - low > self.limits.values:
            raise refusal(
                "too-many-values",
                f"{self._called(node)} adds up {self.setting.max_length} numbers from {numbers[0]} to {numbers[-1]}, "
                f"to more than {self.limits.values} sums",
                "compile with a smaller max_length, or add up smaller numbers",
            )
        step = int(unit) if unit.denominator == 1 else unit
        return Domain.of(step * times for times in range(low, high + 1))

    def _sums(self, value: SOp) -> tuple[Fraction, Fraction]:
        """The least and the greatest sum of some keys' numbers: of all that are negative, of all that are positive."""
        numbers, n = self.of(value).numbers, self.setting.max_length
        if not {POSITION} <= set(variables := self.variables.of(value)) <= {POSITION, TOKEN}:
            return n * min(numbers[0], Fraction(0)), n * max(numbers[-1], Fraction(0))
        ends: dict[Value, tuple[Fraction, Fraction]] = {place: (Fraction(0), Fraction(0)) for place in range(n)}
        for point, number in self.tables.at_points(value):
            low, high = ends[place := point[variables.index(POSITION)]]
            ends[place] = min(low, Fraction(number)), max(high, Fraction(number))
        lows, highs = zip(*ends.values(), strict=True)
        return sum(lows, Fraction(0)), sum(highs, Fraction(0))

    def _means(self, node: Aggregate) -> list[Value]:
        """Single values, and every sum of m numbers over m: sums are taken to fill the whole progression.

        In lowest terms there are phi(m) fractions of denominator m from one whole number to the next. Strings are
        fetched alone: on an input with an answer a sequence has no numbers beside them.
        """
        domain, n = self.of(node.value), self.setting.max_length
        numbers = domain.averaged
        low, high = numbers[0], numbers[-1]
        if low == high:
            return list(domain)
        step = Fraction(1, math.lcm(*(number.denominator for number in numbers)))
        step *= math.gcd(*(int((number - low) / step) for number in numbers))
        levels = int((high - low) / step)
        count = 0
        for m in range(1, n + 1):
            count += levels * sum(1 for s in range(m) if math.gcd(s, m) == 1)
            if count > self.limits.values:
                raise refusal(
                    "too-many-values",
                    f"{self._called(node)} averages up to {n} of {len(numbers)} values, "
                    f"to more than {self.limits.values} means",
                    "compile with a smaller max_length, or "
                    + ("average an indicator" if len(numbers) > 2 else "count with selector_width")
                    + " instead",
                )
        means = [
            low + step * Fraction(s, m)
            for m in range(2, n + 1)
            for s in range(levels * m + 1)
            if m == 2 or math.gcd(s, m) == 1
        ]
        return [*domain, *means]
