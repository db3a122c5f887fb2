"""The analysis: whatever the compiler asks of the s-ops and selectors of one setting.

In: s-ops, selectors, conjunctions. Out: their variables, domains, linear forms, tables, what is known of their rows.
Invariants: everything is computed once; what is said holds on every input that is meant, on which the program has an
answer. More is known after `made`, never less.

    >>> from compiler.graph.domain.variables import LENGTH
    >>> from rasp.meaning.sop import Constant, Indices, Map, Select
    >>> analysis = Analysis(Setting(("a", "b"), max_length=3, causal=False))
    >>> last = Map("-", (LENGTH, Constant(1)))
    >>> print(analysis.domain(last), analysis.never_empty(Select(Indices(), last, "==")))
    {0, 1, 2} True
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from compiler.graph.domain.domains import Domains
from compiler.graph.domain.linear import Terms
from compiler.graph.domain.rightmost import Rightmost
from compiler.graph.domain.rows import Interval
from compiler.graph.domain.setting import Setting
from compiler.graph.domain.tables import Point
from compiler.graph.domain.values import Domain
from compiler.graph.relation import Conjunction
from compiler.graph.table import Curve, Scale, Table
from rasp.meaning.sop import Aggregate, Node, Selector, SOp
from rasp.text.source import RaspError
from rasp.value import Value


class Analysis:
    """Domains and tables of the s-ops of one setting; everything is computed once."""

    def __init__(
        self,
        setting: Setting,
        requires: tuple[SOp, ...] = (),
        names: Mapping[Node, str] | None = None,
        encoder: Analysis | None = None,
    ) -> None:
        """`requires` are s-ops that are True everywhere on the inputs that are meant: they narrow what is tabulated.

        `names` are those that messages call nodes by; `encoder` is the analysis of the source, if there is one.
        """
        self.setting = setting
        self.requires = requires
        self.encoder = encoder
        self._domains: Domains = Domains(setting, requires, names or {}, None if encoder is None else encoder._domains)
        self._variables = self._domains.variables
        self._linear = self._domains.linear
        self._tables = self._domains.tables
        self._rows = self._domains.rows
        self.sought: dict[Conjunction, Fraction] = {}
        """The conjunctions found so far that ask for a place or for one number that is none (C47)."""

    def require_inputs(self) -> None:
        """Raise `RaspError` where what is required is visibly True on no input."""
        self._domains.require_inputs()

    # -- s-ops -------------------------------------------------------------------------------------------------------

    def variables(self, node: SOp) -> tuple[SOp, ...]:
        """What the s-op is computed from, position by position: the token, the position, results of attention."""
        return self._variables.of(node)

    def domain(self, node: SOp) -> Domain:
        """The values the s-op can take."""
        return self._domains.of(node)

    def domain_if_any(self, node: SOp) -> Domain | None:
        """The same; None where it has too many values to be said."""
        try:
            return self.domain(node)
        except RaspError:
            return None

    def linear(self, node: SOp) -> Terms | None:
        """The s-op as a linear form of numeric variables, where it visibly is one."""
        return self._linear.of(node)

    def bounds(self, terms: Terms) -> tuple[Fraction, Fraction]:
        """The least and the greatest value of a linear form, knowing that the position is below the length."""
        return self._linear.bounds(terms)

    def frontier(self, node: SOp) -> tuple[SOp, ...]:
        """What the s-op is a function of, as far up as possible: linear forms of variables, the token, the position."""
        return self._linear.frontier(node)

    # -- what has been said so far, for those who try it -------------------------------------------------------------

    def domains(self) -> dict[SOp, Domain]:
        """The domains that were asked for."""
        return self._domains.known()

    def joint_values(self) -> dict[tuple[SOp, ...], npt.NDArray[np.bool_]]:
        """Variables that were tabulated together, and which of their joint values may occur."""
        return self._tables.known()

    def selectors(self) -> list[Selector]:
        """The selectors whose rows were asked about."""
        return self._rows.selectors()

    def single(self) -> list[Aggregate]:
        """The aggregates of which it was noted that they select no two keys."""
        return self._rows.single()

    def uniform(self) -> list[SOp]:
        """The s-ops that were found to be the same at all positions."""
        return self._rows.uniform()

    # -- tables ------------------------------------------------------------------------------------------------------

    def count_points(self, variables: Sequence[SOp]) -> int:
        """How many joint values the variables have (an upper bound)."""
        return self._tables.count_points(variables)

    def all_meant(self, variables: tuple[SOp, ...]) -> bool:
        """Whether all joint values of the variables may occur, as far as is known."""
        return self._tables.meant(variables) is None

    def table(self, node: SOp) -> list[tuple[Point, Value]]:
        """The s-op's value at each joint value of its variables; points where it is undefined are left out."""
        return self._tables.at_points(node)

    def table_over(self, node: SOp, leaves: tuple[SOp, ...]) -> Table:
        """The s-op for each combination of values of s-ops that it is a function of, taken as independent."""
        return self._tables.over(node, leaves)

    def full_table(self, node: SOp) -> Table:
        """The s-op over its own variables: all their joint values, whether they are meant or not."""
        return self._tables.of(node)

    def column(self, node: SOp, inputs: Sequence[Value]) -> tuple[Fraction, ...]:
        """The numbers of an s-op of one variable, at each of its values in turn; 0 where it is undefined."""
        return self._tables.column(node, inputs)

    def curve(self, node: SOp, leaves: tuple[SOp, ...], scale: Scale, joint: bool = False) -> Curve:
        """The s-op, whose values are numbers, as a function of the number that a scale makes of some s-ops' values.

        They are taken as independent, or else are the s-op's variables and known `joint`ly.
        """
        return self._tables.curve(node, leaves, scale, joint)

    def numbers_over(self, node: SOp, leaf: SOp) -> list[Fraction | None]:
        """The numbers of an s-op at each value of one that it is a function of; None where it is undefined."""
        return self._tables.numbers_over(node, leaf)

    def at_values(self, node: SOp, leaf: SOp, values: Sequence[Value]) -> list[Value | None]:
        """The s-op at some values of one that it is a function of; None where it is undefined."""
        return self._tables.at_values(node, leaf, values)

    def at_rows(self, node: SOp, leaves: Sequence[SOp], rows: npt.NDArray[np.int64]) -> list[Value | None]:
        """The s-op at each row of whole numbers, which leaves that it is a function of are; None where undefined."""
        return self._tables.at_rows(node, leaves, rows)

    def is_whole(self, node: SOp) -> bool:
        """Whether the s-op is known to have whole numbers only."""
        domain = self.domain_if_any(node)
        return domain is not None and domain.numeric and domain.whole

    def whole_parts(self, nodes: Sequence[SOp]) -> tuple[SOp, ...]:
        """What s-ops of whole numbers are computed from by whole-number arithmetic."""
        return self._domains.joint.parts(nodes)

    def too_many(self, node: SOp, most: int) -> RaspError:
        """The error for an s-op that is to be told apart, and has too many values for that."""
        return self._domains.too_many(node, most)

    def joint(self, nodes: Sequence[SOp]) -> npt.NDArray[np.int64] | None:
        """The distinct joint values of s-ops of whole numbers, a column each; None where unknown, or too many."""
        return self._domains.joint.rows(nodes)

    def counted_among(self, node: SOp) -> object:
        """Which keys those of a count or a sum are chosen from: counts and sums over the same belong together."""
        return self._domains.joint.counted_among(node)

    # -- rows --------------------------------------------------------------------------------------------------------

    def disjuncts(self, selector: Selector) -> list[Conjunction]:
        """The selector as an `or` of conjunctions. Raises `RaspError` when they are too many."""
        return self._rows.disjuncts(selector)

    def exclusive(self, selector: Selector) -> list[Conjunction]:
        """The selector as conjunctions of which at most one holds for any query and key."""
        return self._rows.exclusive(selector)

    def never_empty(self, selector: Selector) -> bool:
        """Whether every row of the selector surely selects a key."""
        return self._rows.never_empty(selector)

    def surely_matches(self, conjunction: Conjunction) -> bool:
        """Whether every row of the conjunction surely selects a key."""
        return self._rows.surely_matches(conjunction)

    def nowhere(self, conjunction: Conjunction) -> Fraction | None:
        """The number for which a query may find no position, if it asks for one and finds it with all others (C47)."""
        found = self._rows.nowhere(conjunction)
        if found is not None:
            self.sought[conjunction] = found
        return found

    def at_most_one(self, selector: Selector) -> bool:
        """Whether no row of the selector ever selects two keys: it asks for one position."""
        return self._rows.at_most_one(selector)

    def unique(self, conjunction: Conjunction) -> bool:
        """Whether one comparison asks for a key that no two positions share."""
        return self._rows.unique(conjunction)

    def interval(self, conjunction: Conjunction) -> Interval | None:
        """The interval of a running sum in which a conjunction looks for its query, if it does that (C22)."""
        return self._rows.interval(conjunction)

    def rightmost(self, conjunction: Conjunction) -> Rightmost | None:
        """The last or the first of which keys a conjunction selects, if it visibly does that (C43)."""
        return self._rows.rightmost.of(conjunction)

    def picks(self, node: Aggregate) -> bool:
        """Whether the aggregate returns one of the selected values: none is averaged with a different one."""
        return self._rows.picks(node)

    def longest(self, selector: Selector) -> int:
        """How many keys a row of the selector has to choose from, at most."""
        return self._rows.longest(selector.encoded)

    def selects_one(self, node: Aggregate) -> bool:
        """Whether no row of the aggregate selects two keys, on any input with an answer."""
        return self._rows.selects_one(node)

    def is_uniform(self, node: SOp) -> bool:
        """Whether the s-op is surely the same at all positions."""
        return self._rows.is_uniform(node)

    def inexact(self, var: SOp) -> bool:
        """Whether a variable is a count or a mean, which a head computes up to rounding only."""
        return self._rows.inexact(var)

    def coded(self, node: Aggregate, original: Aggregate, codes: Mapping[Value, Fraction]) -> None:
        """Note that an aggregate averages the numbers that stand for what another one averages, string by string.

        A string is only ever fetched alone, so numbers of strings are never averaged.
        """
        self._domains.state(node, Domain.of(codes[value] for value in self.domain(original)))

    def made(self, node: Aggregate, one: bool) -> None:
        """Note an aggregate that no program wrote, and whether it selects no more than one key."""
        if self._rows.made(node, one):
            self._domains.reconsider()  # what was refused for its many means may have none

    def is_made(self, node: Aggregate) -> bool:
        """Whether the aggregate was noted to be written by no program."""
        return self._rows.is_made(node)
