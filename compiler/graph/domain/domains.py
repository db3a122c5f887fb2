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
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from compiler.graph.domain.averages import averages
from compiler.graph.domain.joint import Joint
from compiler.graph.domain.linear import LinearForms
from compiler.graph.domain.rows import Rows
from compiler.graph.domain.setting import Refusal, Setting, nothing_meant, refusal
from compiler.graph.domain.tables import Tables
from compiler.graph.domain.values import Domain
from compiler.graph.domain.variables import LENGTH, POSITION, TOKEN, Variables
from compiler.numbers.grid import common_step
from rasp.meaning import sop
from rasp.meaning.listing import outline
from rasp.meaning.operators import OPERATORS, PREDICATES
from rasp.meaning.sop import Aggregate, Constant, Indices, Lookup, Map, Node, SOp, Total, Width, at_source, reachable
from rasp.text.source import RaspError
from rasp.value import Value

Pairs: TypeAlias = npt.NDArray[np.int64]

SHORT_TABLE = 2_000
"""A linear form over at most this many joint values is tabulated all the same: its domain is tighter then."""


class Domains:
    """The domains of the s-ops of one setting; each is found once, that of its inputs first."""

    def __init__(
        self,
        setting: Setting,
        requires: tuple[SOp, ...],
        names: Mapping[Node, str],
        encoder: Domains | None = None,
    ) -> None:
        """What else is known of s-ops is asked here, and asks back for domains. Messages call nodes by `names`;
        `encoder` knows the s-ops of the source."""
        self.encoder: Domains | None = encoder
        self.setting = setting
        self.names = names
        self.limits = setting.limits
        self.variables = Variables()
        self.linear = LinearForms(setting.max_length, self.variables, self.of)
        self.tables = Tables(setting, requires, self.variables, self.of)
        rows, joint = (None, None) if encoder is None else (encoder.rows, encoder.joint)
        self.rows: Rows = Rows(setting, self.variables, self.linear, self.tables, self.of, self._always, rows)
        self.joint: Joint = Joint(setting, self.variables, self.tables, self.of, self.rows.disjuncts, joint)
        self._domains: dict[SOp, Domain] = {}
        self._refused: dict[SOp, Refusal] = {}

    def of(self, node: SOp) -> Domain:
        """The values the s-op can take."""
        if node not in self._domains:
            for current in reachable([node], self._domains.__contains__):
                if isinstance(current, SOp) and current not in self._refused:
                    self._find(current)
        if node not in self._domains:
            known = self._refused[node]
            raise Refusal(*known.diagnostics, node=known.node, called=known.called)
        return self._domains[node]

    def _find(self, node: SOp) -> None:
        """The domain of an s-op, or why it has none: whoever reads the s-op may do without."""
        try:
            self._domains[node] = self._short(node, self._domain(node))
        except Refusal as problem:
            self._refused[node] = problem

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

    def _always(self, node: SOp) -> bool:
        """Whether a condition is True at all joint values of what it is computed from."""
        few = self.tables.count_points(self.variables.of(node)) <= self.limits.points
        if few and self.tables.occurring(node) == [True]:
            return True
        rows = self.joint.rows((node,))
        return rows is not None and rows.tolist() == [[1]]

    def _domain(self, node: SOp) -> Domain:
        if node is TOKEN:
            return Domain.of(self.setting.texts)
        if node.encoded:
            assert self.encoder is not None
            return self.encoder.of(at_source(node))
        match node:
            case Constant(value=value):
                return Domain.of([value])
            case sop.Phi(values=values):
                return Domain.of(values)
            case Indices():
                return Domain.of(range(self.setting.max_length))
            case Width() if self.rows.never_matches(node.selector):
                return Domain.of([0])
            case Width():
                return Domain.of(range(self.rows.never_empty(node.selector), self.rows.most_keys(node.selector) + 1))
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
        hull = None
        if (quotients := self._quotients(node)) is not None:
            values = quotients
        elif self.tables.count_points(variables) <= self.limits.points:
            values = self.tables.occurring(node)
        elif (hull := self._hull(node)) is not None and self._ways(node) > self.limits.points:
            sums = self.joint.combined(node) if isinstance(node, Map) else None
            return hull if sums is None or len(sums) > self.limits.values else Domain.of(sums)
        else:
            values = self._loosely(node)
        if not values:
            raise self._valueless(node)
        domain = Domain.of(values)
        if len(variables) == 1 or len(domain) <= self.limits.values:
            return domain
        return hull or self._hull(node) or self._limited(node, domain)

    def _quotients(self, node: SOp) -> list[Value] | None:
        """The quotients of counts and sums whose joint values can be listed, or what they are rounded to."""
        match node:
            case Map(op="round", args=(Map(op="/") as quotient,)):
                found = self._quotients(quotient)
                return None if found is None else [*dict.fromkeys(round(value) for value in found)]  # type: ignore[arg-type]
            case Map(op="/", args=(a, b)) if self._counted(b) and self._whole(a, b) is not None:
                rows = self.joint.rows((a, b))
                return None if rows is None else self._reduced(node, rows[rows[:, 1] != 0])
        return None

    def _counted(self, node: SOp) -> bool:
        """Whether what is divided by is made of counts, which are known together with others; a position may be one."""
        hidden = (POSITION,) if self.setting.causal else ()
        return any(isinstance(var, Width | Total) or var in hidden for var in self.variables.of(node))

    def _reduced(self, node: SOp, pairs: Pairs) -> list[Value]:
        """The fractions of pairs in lowest terms, counted before they are made."""
        signs = np.sign(pairs[:, 1:])
        least = np.unique(pairs * signs // np.gcd(pairs[:, :1], pairs[:, 1:]), axis=0)
        if len(least) > self.limits.decoded:
            raise self._beyond(node, len(least), self.limits.decoded)
        return [Fraction(over, under) for over, under in least.tolist()]

    def _hull(self, node: SOp) -> Domain | None:
        """All that lies between bounds of whole numbers, or is a truth; None where operands may be something else."""
        match node:
            case Map(op="+" | "-" | "*" as op, args=(a, b)) if (both := self._whole(a, b)) is not None:
                corners = [int(OPERATORS[op].apply(x, y)) for x in both[0].ends for y in both[1].ends]
                return self._between(min(corners), max(corners), _step(op, *both))
            case Map(op="%", args=(a, b)) if (both := self._whole(a, b)) is not None and both[1].ends[0] > 0:
                return self._between(0, int(both[1].ends[1]) - 1)
            case Map(op="round", args=(Map(op="/", args=(a, b)),)) if (both := self._whole(a, b)) is not None:
                if both[1].ends[0] > 0:
                    corners = [round(x / y) for x in both[0].ends for y in both[1].ends]
                    return self._between(min(corners), max(corners))
            case Map(op="if", args=(_, a, b)):
                return Domain.of([*self.of(a), *self.of(b)])
            case Map(op=op) if op in PREDICATES or op in ("not", "and", "or", "in"):
                return Domain.of([False, True])
        return None

    def _whole(self, *nodes: SOp) -> list[Domain] | None:
        domains = [self.of(node) for node in nodes]
        return domains if all(domain.numeric and domain.whole for domain in domains) else None

    def _between(self, low: int, high: int, step: int = 1) -> Domain | None:
        return Domain.between(low, high, step or 1) if high - low <= self.limits.reach * (step or 1) else None

    def _valueless(self, node: SOp) -> Refusal:
        if self.tables.of(node).occurring():
            return nothing_meant(f"{self._called(node)} has no value on any input that meets `requires`")
        return refusal(
            "never-defined",
            f"{self._called(node)} has no value for any input",
            "check its operands: every combination is an error",
            node,
            self._called(node),
        )

    def _called(self, node: Node) -> str:
        """What a message calls a node, in a line."""
        return f"`{outline(node, self.names)}`"

    def _short(self, node: SOp, domain: Domain) -> Domain:
        listed = domain.values if not isinstance(domain.values, range) else domain.values[:: max(len(domain) - 1, 1)]
        parts = (
            part for value in listed if not isinstance(value, str) for part in (value.numerator, value.denominator)
        )
        if any(part.bit_length() > self.limits.bits for part in parts):
            raise refusal(
                "too-long-numbers",
                f"numbers of more than {self.limits.bits} bits are not compiled, and {self._called(node)} can be one",
                "use smaller numbers, or round them",
                node,
                self._called(node),
            )
        return domain

    def _limited(self, node: SOp, domain: Domain) -> Domain:
        most = self.limits.decoded if self._may_have_many(node) else self.limits.values
        if len(domain) > most:
            raise self._beyond(node, len(domain), most)
        return domain

    def _may_have_many(self, node: SOp) -> bool:
        """Whether the s-op is a quotient, or a function of one that has many values already."""
        if isinstance(node, Map) and node.op == "/":
            return True
        operands = self._operands(node)
        return isinstance(node, Map | Lookup) and len(operands) == 1 and len(self.of(operands[0])) > self.limits.values

    def too_many(self, node: SOp, most: int) -> Refusal:
        """The error for an s-op that is to be told apart, and has too many values for that."""
        return self._beyond(node, len(self.of(node)), most)

    def _beyond(self, node: SOp, count: int, most: int) -> Refusal:
        return refusal(
            "too-many-values",
            f"{self._called(node)} can take {count} different values, more than {most}",
            "round it, or compile with a smaller max_length or vocabulary",
            node,
            self._called(node),
        )

    def _loosely(self, node: SOp) -> list[Value]:
        """Values over the arguments' domains, taken as independent."""
        count = self._ways(node)
        exact = any(not self.of(arg).whole for arg in self._operands(node) if self.of(arg).numeric)
        if count > (self.limits.fractions if exact else self.limits.combinations):
            raise refusal(
                "too-many-combinations",
                f"{self._called(node)} combines operands in {count} ways, more than can be tabulated",
                "round an operand, or compile with a smaller max_length or vocabulary",
                node,
                self._called(node),
            )
        return self.tables.over(node, self._operands(node)).occurring()

    def _operands(self, node: SOp) -> tuple[SOp, ...]:
        """What the s-op combines that is not the same everywhere."""
        return tuple(arg for arg in dict.fromkeys(node.inputs) if isinstance(arg, SOp) and self.variables.of(arg))

    def _ways(self, node: SOp) -> int:
        """In how many ways the operands can be combined, taken as independent."""
        return self.tables.count_points(self._operands(node))

    def _progression(self, node: SOp) -> Domain | None:
        """The domain of a linear form of integers with integer coefficients, where tabulating would be long."""
        terms = self.linear.of(node) if isinstance(node, Map) else None
        if terms is None or self.tables.count_points(self.variables.of(node)) <= SHORT_TABLE:
            return None
        domains = [self._domains[var] for var in terms if var is not None]
        if not all(domain.whole for domain in domains) or any(c.denominator != 1 for c in terms.values()):
            return None
        low, high = self.linear.bounds(terms)
        step = math.gcd(*(int(c) for var, c in terms.items() if var is not None)) or 1  # all may cancel: a constant
        if (high - low) / step > self.limits.values:
            return None
        return Domain.between(int(low), int(high), step)

    def _aggregated(self, node: Aggregate) -> Domain:
        default = [] if self.rows.never_empty(node.selector) else [node.default]
        if self.rows.picks(node):
            return Domain.of([*self.of(node.value), *default])
        return self._limited(node, Domain.of([*self._means(node), *default]))

    def _totalled(self, node: Total) -> Domain:
        """Every multiple of what divides all numbers, between what as many keys as there can be come to."""
        numbers = self.of(node.value).numbers
        unit = common_step(numbers)
        if not unit:
            return Domain.of([0])
        low, high = (int(end / unit) for end in self._sums(node))
        if high - low > self.limits.reach:
            raise refusal(
                "too-many-values",
                f"{self._called(node)} adds up {self.rows.most_keys(node.selector)} numbers "
                f"from {numbers[0]} to {numbers[-1]}, to more than {self.limits.reach} sums",
                "compile with a smaller max_length, or add up smaller numbers",
                node,
                self._called(node),
            )
        if unit.denominator == 1:
            return Domain.between(low * int(unit), high * int(unit), int(unit))
        return Domain.of(unit * times for times in range(low, high + 1))

    def _sums(self, node: Total) -> tuple[Fraction, Fraction]:
        """The least and the greatest sum of some keys' numbers: of all that are negative, of all that are positive."""
        value, n = node.value, self.rows.most_keys(node.selector)
        numbers = self.of(value).numbers
        if n < self.rows.longest(node.selector.encoded) or not {POSITION} <= set(
            variables := self.variables.of(value)
        ) <= {
            POSITION,
            LENGTH,
            TOKEN,
        }:
            return n * min(numbers[0], Fraction(0)), n * max(numbers[-1], Fraction(0))
        at, beside = variables.index(POSITION), variables.index(LENGTH) if LENGTH in variables else None
        ends: dict[tuple[Value, Value], tuple[Fraction, Fraction]] = {}
        for point, number in self.tables.at_points(value):
            place = (n if beside is None else point[beside], point[at])
            low, high = ends.get(place, (Fraction(0), Fraction(0)))
            ends[place] = min(low, Fraction(number)), max(high, Fraction(number))
        sums: dict[Value, tuple[Fraction, Fraction]] = {}
        for (length, _), (low, high) in ends.items():
            before = sums.get(length, (Fraction(0), Fraction(0)))
            sums[length] = before[0] + low, before[1] + high
        lows, highs = zip(*sums.values(), strict=True)
        return min(lows), max(highs)

    def _means(self, node: Aggregate) -> list[Value]:
        """Single values and means. Strings are fetched alone: on an input with an answer there are no numbers beside
        them in a sequence."""
        domain, n = self.of(node.value), self.rows.most_keys(node.selector)
        numbers = domain.averaged or domain.numbers  # bits are averaged where the compiler writes a mean of them
        means = averages(numbers, n, self.limits.values)
        if means is None:
            instead = "average an indicator" if len(numbers) > 2 else "count with selector_width"
            raise refusal(
                "too-many-values",
                f"{self._called(node)} averages up to {n} of {len(numbers)} values, "
                f"to more than {self.limits.values} means",
                f"compile with a smaller max_length, or {instead} instead",
                node,
                self._called(node),
            )
        return [*domain, *means]


def _step(op: str, a: Domain, b: Domain) -> int:
    """What divides all differences of sums, differences or products of whole numbers from two domains.

    Products (a + s i) (b + t j) differ by multiples of s b, a t and s t.
    """
    s, t = int(a.step), int(b.step)
    return math.gcd(s, t) if op != "*" else math.gcd(s * int(b.ends[0]), t * int(a.ends[0]), s * t)
