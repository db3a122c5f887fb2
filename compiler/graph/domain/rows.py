"""Rows: what is known of the keys that the rows of a selector select, and of what an aggregate makes of them.

In: selectors and aggregates. Out: whether every row surely selects a key, whether none selects two, and so on.
Invariant: what is said holds on every input of the setting on which the program has an answer; silence says nothing.

    select(indices, length - 1 - indices, ==)   is never empty, and its rows select one key
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import NamedTuple

from compiler.graph.domain.dependencies import Facts, Keys
from compiler.graph.domain.linear import LinearForms, Terms, added_up, combine
from compiler.graph.domain.rightmost import RightmostKeys
from compiler.graph.domain.setting import Setting, refusal
from compiler.graph.domain.tables import Tables
from compiler.graph.domain.values import Domain
from compiler.graph.domain.variables import LENGTH, POSITION, Variables
from compiler.graph.domain.within import first_of, nowhere, within
from compiler.graph.relation import EQUAL, Compared, Conjunction, compare, disjuncts, exclusive
from rasp.meaning.operators import MIRRORED, Undefined
from rasp.meaning.sop import Aggregate, Constant, Encoded, Map, Selector, SOp, Total, Width, at_source
from rasp.text.source import RaspError

HALF_OPEN = ((frozenset("<="), frozenset(">")), (frozenset("<"), frozenset(">=")))
"""How an interval's ends compare with what is in it, if one of them is."""
UPTO = Conjunction.of([(POSITION, POSITION, frozenset("<="))])
"""The positions up to mine."""
MOST_PLACES = 8
"""Whole numbers in a row that are asked for one by one."""


class Interval(NamedTuple):
    """A query between two s-ops of the key, so far apart as `width` says; no two keys' intervals have a number in
    common."""

    lower: Compared
    upper: Compared
    width: SOp


class Rows:
    """The rows of selectors; everything is found out once."""

    def __init__(
        self,
        setting: Setting,
        variables: Variables,
        linear: LinearForms,
        tables: Tables,
        domain: Callable[[SOp], Domain],
        always: Callable[[SOp], bool],
        encoder: Rows | None = None,
    ) -> None:
        self.setting = setting
        self.encoder = encoder
        self.variables = variables
        self.linear = linear
        self.tables = tables
        self.domain = domain
        self.always = always
        self._disjuncts: dict[Selector, list[Conjunction]] = {}
        self._sure: dict[Conjunction, bool] = {}
        self._uniform: dict[SOp, bool] = {}
        self._counted: list[tuple[Selector, int, int]] | None = None
        self._most: dict[Selector, int] = {}
        self._made: dict[Aggregate, bool] = {}
        self._keys: dict[Conjunction, Keys] = {}
        self._facts = Facts(setting.causal, variables, linear, tables, self.disjuncts, self.is_uniform, domain)
        self.rightmost = RightmostKeys(self._facts, setting.max_length)

    def disjuncts(self, selector: Selector) -> list[Conjunction]:
        """The selector as an `or` of conjunctions. Raises `RaspError` when they are too many."""
        if selector not in self._disjuncts:
            try:
                self._disjuncts[selector] = disjuncts(selector, self.setting.limits.cases)
            except ValueError as error:
                raise refusal("selector-too-large", str(error), "write it with fewer alternatives") from None
            except Undefined as error:
                hint = "compare strings with strings, numbers with numbers"
                raise refusal("never-defined", f"a selector has no value for any input: {error}", hint) from None
        return self._disjuncts[selector]

    def never_empty(self, selector: Selector) -> bool:
        """Whether every row of the selector surely selects a key."""
        cases = self.disjuncts(selector)
        if any(self.surely_matches(conjunction) for conjunction in cases):
            return True
        return any(least >= 1 and self.disjuncts(known) == cases for known, least, _ in self._required())

    def _required(self) -> list[tuple[Selector, int, int]]:
        """Selectors of which `requires` says how many keys each row selects, at least and at most."""
        if self._counted is None:
            self._counted = [fact for node in self.tables.requires for fact in _counts(node, self.setting.max_length)]
        return self._counted

    def _most_required(self, conjunction: Conjunction) -> Iterator[int]:
        """A selector that asks for more than one of which the number of keys is required has no more of them."""
        for known, _, most in self._required():
            cases = self.disjuncts(known)
            if len(cases) == 1 and conjunction.implies(cases[0]):
                yield most

    def exclusive(self, selector: Selector) -> list[Conjunction]:
        """The selector as conjunctions of which at most one holds for any query and key."""
        cases = [piece for case in self.disjuncts(selector) for piece in self._in_places(case)]
        return exclusive(cases, self._never_both)

    def _in_places(self, conjunction: Conjunction) -> list[Conjunction]:
        """A few whole numbers in a row are asked for one by one: "equal" takes a column where orders take many."""
        for lower, upper in itertools.permutations(conjunction.parts, 2):
            wanted = self._between(lower, upper)
            if wanted is not None and len(wanted) <= MOST_PLACES:
                rest = tuple(part for part in conjunction.parts if part not in (lower, upper))
                cases = [Conjunction.of((*rest, (lower[0], one, EQUAL)), conjunction.crosses) for one in wanted]
                return [piece for case in cases if case is not None for piece in self._in_places(case)]
        return [conjunction]

    def _between(self, lower: Compared, upper: Compared) -> list[SOp] | None:
        """The s-ops of the query between which the key has to be, if it is one whole number of a few in a row."""
        (key, low, above), (same, high, below) = lower, upper
        distance = combine(self.linear.of(high), self.linear.of(low), -1)
        if key is not same or "<" in above or ">" in below or distance is None or distance.keys() - {None}:
            return None
        if not all(self._whole(node) for node in (key, low)):
            return None
        first, last = (0 if "=" in above else 1), distance.get(None, Fraction(0)) - (0 if "=" in below else 1)
        if last.denominator != 1 or last < first or above == EQUAL or below == EQUAL:
            return None
        return [Map("+", (low, Constant(step))) if step else low for step in range(first, int(last) + 1)]

    def _never_both(self, one: Conjunction, other: Conjunction) -> bool:
        """Whether two conjunctions hold together for no query and key: one asks for a larger number than the other."""
        return one.excludes(other) or any(
            self._are_apart(first, second) for first in one.parts for second in other.parts
        )

    def _are_apart(self, one: Compared, other: Compared) -> bool:
        """Whether no number is related to both queries as it has to be, the keys being one number plus constants.

        ``key <= a`` and ``key + d >= b`` need ``a + d - b >= 0``; without an equal sign in both, more than that.
        """
        (key, query, comparison), (second, wanted, asked) = one, other
        shift = combine(self.linear.of(second), self.linear.of(key), -1)
        apart = combine(self.linear.of(query), self.linear.of(wanted), -1)
        if shift is None or apart is None or shift.keys() - {None}:
            return False
        low, high = self.linear.bounds(combine(apart, shift, 1) or {})
        strict = "=" not in comparison & asked
        below = ">" not in comparison and "<" not in asked and (high < 0 or (strict and high == 0))
        above = "<" not in comparison and ">" not in asked and (low > 0 or (strict and low == 0))
        return below or above

    def never_matches(self, selector: Selector) -> bool:
        """Whether no row selects a key: in each case two s-ops are to be equal that have no value in common."""
        return not any(map(self._may_match, self.disjuncts(selector)))

    def _may_match(self, conjunction: Conjunction) -> bool:
        compared = [(key, query) for key, query, comparison in conjunction.parts if comparison == EQUAL]
        return not any(self.domain(key).members.isdisjoint(self.domain(query).members) for key, query in compared)

    def surely_matches(self, conjunction: Conjunction) -> bool:
        """A position that compares its own value finds itself; an index within the sequence finds its place."""
        if conjunction not in self._sure:
            self._sure[conjunction] = self._surely_matches(conjunction)
        return self._sure[conjunction]

    def _surely_matches(self, conjunction: Conjunction) -> bool:
        if (end := self.rightmost.of(conjunction)) is not None:
            return self.surely_matches(end.among)
        if all(key is query and "=" in comparison for key, query, comparison in conjunction.parts):
            return True
        match conjunction.parts:
            case ((key, query, comparison),) if comparison == EQUAL:
                return self._is_position(key, query)
        return False

    def nowhere(self, conjunction: Conjunction) -> Fraction | None:
        """The number for which a query may find no position, if it asks for one and finds it with all others (C47)."""
        match conjunction.parts:
            case ((key, query, comparison),) if comparison == EQUAL and not conjunction.crosses:
                first = first_of(self.linear.of(key))
                return None if first is None else nowhere(query, first, self.setting.causal, self.domain)
        return None

    def _is_position(self, key: SOp, query: SOp) -> bool:
        """Whether the key is the position and the query surely is a position of the sequence that may be seen."""
        first, wanted = first_of(self.linear.of(key)), self.linear.of(query)
        if first is None or wanted is None:
            return first is not None and self._is_within(query, first)
        wanted = combine(wanted, {None: first}, -1) or {}
        whole = all(c.denominator == 1 and (v is None or self._whole(v)) for v, c in wanted.items())
        last: Terms = {POSITION: Fraction(1)} if self.setting.causal else {LENGTH: Fraction(1), None: Fraction(-1)}
        beyond = combine(wanted, last, -1) or {}
        return whole and self.linear.bounds(wanted)[0] >= 0 and self.linear.bounds(beyond)[1] <= 0

    def _is_within(self, query: SOp, shift: Fraction) -> bool:
        """Whether what is no linear form, less a number, is a position at all joint values of its variables (C38)."""
        try:
            return self._whole(query) and self.always(within(query, shift, self.setting.causal))
        except RaspError:  # it is reported where the domain is asked for
            return False

    def _whole(self, node: SOp) -> bool:
        return self.domain(node).whole

    def at_most_one(self, selector: Selector) -> bool:
        """Whether no row of the selector ever selects two keys: it asks for one position."""
        conjunctions = self.disjuncts(selector)
        return len(conjunctions) == 0 or (len(conjunctions) == 1 and self.unique(conjunctions[0]))

    def unique(self, conjunction: Conjunction) -> bool:
        """Whether all keys that a row selects have one position."""
        if self._agree(conjunction, POSITION) or min(self._most_required(conjunction), default=2) <= 1:
            return True
        return self.interval(conjunction) is not None

    def interval(self, conjunction: Conjunction) -> Interval | None:
        """The interval of a running sum in which a conjunction looks for its query, if it does that (C22)."""
        keys = self._source if conjunction.crosses else self
        for lower, upper in itertools.permutations(conjunction.parts, 2):
            width = keys.running(at_source(lower[0]), at_source(upper[0]))
            halves = lower[1] is upper[1] and (lower[2], upper[2]) in HALF_OPEN
            if width is not None and halves:
                return Interval(lower, upper, Encoded(width) if conjunction.crosses else width)
        return None

    def running(self, low: SOp, high: SOp) -> SOp | None:
        """What is added between two s-ops, before and behind it in a running sum of what is never negative.

        Let v >= 0, and t the sum of v up to the key: no two of the intervals from t - v to t have a number in common,
        if each has one of its ends alone.
        """
        end = added_up(high)
        sums = [term for term in end if isinstance(term, Total)]
        if len(sums) != 1 or end[sums[0]] != 1 or end.keys() - {sums[0], None}:
            return None
        value = sums[0].value
        seen = [[UPTO], [Conjunction(())]] if self.setting.causal else [[UPTO]]
        upto = self.disjuncts(sums[0].selector) in seen and self.domain(value).ends[0] >= 0
        return value if upto and combine(end, added_up(low), -1) == added_up(value) else None

    def _keys_of(self, conjunction: Conjunction) -> Keys:
        if conjunction not in self._keys:
            self._keys[conjunction] = self._encoded(conjunction) or Keys(conjunction, self._facts)
        return self._keys[conjunction]

    def _encoded(self, conjunction: Conjunction) -> Keys | None:
        """The keys of a conjunction that crosses, as the encoder knows them: to it a query is one unknown number."""
        if not conjunction.crosses:
            return None
        parts = [(at_source(key), query, comparison) for key, query, comparison in conjunction.parts]
        known = Conjunction.of(part for part in parts if isinstance(part[1], Constant))
        agreed = [key for key, _, comparison in parts if comparison == EQUAL]
        return Keys(known or Conjunction(()), self._source._facts, agreed)

    @property
    def _source(self) -> Rows:
        """What is known of the rows of the encoder."""
        assert self.encoder is not None
        return self.encoder

    def longest(self, crosses: bool) -> int:
        """How many keys there are at most, for a selector or a conjunction that crosses, or for one that does not."""
        return (self._source if crosses else self).setting.max_length

    def is_uniform(self, node: SOp) -> bool:
        """Whether an s-op is the same at all positions: nothing it is computed from depends on the query."""
        if node not in self._uniform:
            self._uniform[node] = all(map(self._uniform_variable, self.variables.of(node)))
        return self._uniform[node]

    def _uniform_variable(self, var: SOp) -> bool:
        match var:
            case Width(selector=selector) | Total(selector=selector) | Aggregate(selector=selector):
                if self.setting.causal and not selector.encoded:  # later positions see more
                    return False
                parts = [part for case in self.disjuncts(selector) for part in case.parts]
                return all(self.is_uniform(query) for _, query, _ in parts)
        return False

    def picks(self, node: Aggregate) -> bool:
        """Whether the aggregate returns one of the selected values: none is averaged with a different one."""
        return len(self.domain(node.value)) == 1 or self.selects_one(node) or self.agrees(node.selector, node.value)

    def agrees(self, selector: Selector, value: SOp) -> bool:
        """Whether all keys that a row selects have one value of the s-op."""
        conjunctions = self.disjuncts(selector)
        return len(conjunctions) == 1 and self._agree(conjunctions[0], value)

    def _agree(self, conjunction: Conjunction, node: SOp) -> bool:
        """Whether all keys that a row selects have one value of an s-op, which stands where they do."""
        return self._keys_of(conjunction).agree(at_source(node) if conjunction.crosses else node)

    def selects_one(self, node: Aggregate) -> bool:
        """Whether no row of the aggregate selects two keys, on any input with an answer.

        Strings and bools cannot be averaged: where a program aggregates nothing else, at most one of them is selected.
        """
        if node in self._made:
            return self._made[node] or self.at_most_one(node.selector)
        return not self.domain(node.value).averaged or self.at_most_one(node.selector)

    def most_keys(self, selector: Selector) -> int:
        """No row of the selector selects more keys than so many."""
        if selector not in self._most:
            most = sum(map(self._most_of, self.disjuncts(selector)))
            self._most[selector] = min(self.longest(selector.encoded), most)
        return self._most[selector]

    def _most_of(self, conjunction: Conjunction) -> int:
        if self.unique(conjunction):
            return 1
        found = [*self._by_values(conjunction), *self._by_band(conjunction), *self._most_required(conjunction)]
        return min([self.longest(conjunction.crosses), *found])

    def _by_values(self, conjunction: Conjunction) -> Iterator[int]:
        """Keys of one value of an s-op are at most one, and a comparison with a number leaves so many values."""
        for key, query, comparison in conjunction.parts:
            if not isinstance(query, Constant) or isinstance(query.value, str) or not self.domain(key).numeric:
                continue
            left = [x for x in self.domain(key) if compare(comparison, x, query.value)]
            others = [part for part in conjunction.parts if part != (key, query, comparison)]
            if len(left) < self.longest(conjunction.crosses) and left:
                pinned = Conjunction.of([*others, (key, Constant(left[0]), EQUAL)], conjunction.crosses)
                if pinned is not None and self.unique(pinned):
                    yield len(left)

    def _by_band(self, conjunction: Conjunction) -> Iterator[int]:
        """Positions between two that are a number apart; none is below 0 or beyond the length."""
        last: Terms = {LENGTH: Fraction(1), None: Fraction(-1)}
        lows: list[Terms] = [{}]
        highs: list[Terms] = [{POSITION: Fraction(1)}] if self.setting.causal else [last]
        for key, query, comparison in conjunction.parts:
            place, wanted = self.linear.of(key), self.linear.of(query)
            if place is None or wanted is None or not place.get(POSITION) or set(place) - {POSITION, None}:
                continue
            slope = place[POSITION]
            end = combine(wanted, {None: place.get(None, Fraction(0))}, -1) or {}
            end = {var: c / slope for var, c in end.items()}
            whole = all(c.denominator == 1 and (v is None or self._whole(v)) for v, c in end.items())
            below, above = ("<", ">") if slope > 0 else (">", "<")
            for sign, ends, by in ((below, highs, -1), (above, lows, 1)):
                if comparison <= {sign, "="}:
                    strict = whole and "=" not in comparison
                    ends.append(combine(end, {None: Fraction(by)}, 1) or {} if strict else end)
        for low, high in itertools.product(lows, highs):
            size = combine(high, low, -1) or {}
            if not set(size) - {None}:
                yield max(math.floor(size.get(None, Fraction(0))) + 1, 0)

    def made(self, node: Aggregate, one: bool) -> bool:
        """Note an aggregate that no program wrote, and whether it selects one key. Returns whether that is news."""
        news = one and not self.selects_one(node)
        self._made[node] = one
        return news

    def is_made(self, node: Aggregate) -> bool:
        """Whether the aggregate was noted to be written by no program."""
        return node in self._made

    def selectors(self) -> list[Selector]:
        """The selectors that were asked about so far."""
        return list(self._disjuncts)

    def single(self) -> list[Aggregate]:
        """The aggregates noted to select no two keys."""
        return [node for node, one in self._made.items() if one]

    def uniform(self) -> list[SOp]:
        """The s-ops found so far to be the same at all positions."""
        return [node for node, same in self._uniform.items() if same]

    def inexact(self, var: SOp) -> bool:
        """Whether a variable is a count or a mean, which a head computes up to rounding only."""
        if not isinstance(var, Aggregate):
            return isinstance(var, Width | Total)
        return len(self.domain(var.value)) > 1 and not self.selects_one(var)


def _counts(node: SOp, longest: int) -> Iterator[tuple[Selector, int, int]]:
    """What a condition that is True everywhere says of widths: at least so many keys, and at most."""
    match node:
        case Map(op="and", args=args):
            for arg in args:
                yield from _counts(arg, longest)
        case Map(op=op, args=(Width(selector=selector), Constant(value=int(number)))):
            ends = {
                "==": (number, number),
                "<=": (0, number),
                "<": (0, number - 1),
                ">=": (number, longest),
                ">": (number + 1, longest),
            }
            if op in ends:
                yield selector, *ends[op]
        case Map(op=op, args=(Constant() as number, Width() as width)):
            yield from _counts(Map(MIRRORED.get(op, op), (width, number)), longest)
