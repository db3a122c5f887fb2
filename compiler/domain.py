"""Domains: which values an s-op can take at all, at a given vocabulary and length.

In: s-ops and a `Setting`. Out: `Domain`, a finite set of exact values, sorted; and tables of an s-op over the
*variables* it is computed from: the token, the position, and what attention returned.
Invariants: a domain is sound (never too small), not always tight. It is relational: everything computed position by
position from the same variables is tabulated over their joint values, so ten ternaries on `tokens` are one function of
the token; the position is below the length (docs/constructions.md, C12).

    >>> setting = Setting(("a", "b"), max_length=3, causal=False)
    >>> print(Analysis(setting).domain(Map("*", (Indices(), Constant(2)))))
    {0, 2, 4}
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from compiler import table as tables
from compiler.exact import counts, whole
from compiler.relation import EQUAL, MAX_DISJUNCTS, Conjunction, disjuncts
from compiler.table import Curve, Scale, Table
from rasp.operators import Undefined, convert, show
from rasp.settings import token_text
from rasp.sop import (
    Aggregate,
    Constant,
    Indices,
    Lookup,
    Map,
    Node,
    Select,
    Selector,
    SOp,
    Tokens,
    Width,
    outline,
    reachable,
)
from rasp.source import RaspError, error
from rasp.value import Kind, Value, kind_of_all


@dataclass(frozen=True)
class Limits:
    """How far a compilation goes before it takes another way, or declines a program and says why."""

    points: int = 60_000
    """Joint values of variables that an s-op is tabulated over; beyond, its operands are taken as independent."""
    combinations: int = 960_000
    """Combinations of independent operands that an s-op is tabulated over; beyond, it is refused."""
    values: int = 8_192
    """Values of an s-op that combines others; one that can take more is refused. Nothing else can grow so."""
    cases: int = MAX_DISJUNCTS
    """Conjunctions of a selector written as an `or` of them; one with more is refused."""
    neurons: int = 8_192
    """Neurons that one s-op may cost; where every way needs more, it is refused."""
    steps: int = 1 << 11
    """Range of a number that a staircase tells apart, in units of its smallest step (C8)."""
    pairs: int = 1 << 16
    """Pairs of joint values that an `or` of comparisons is tabulated over; beyond, it is refused (C4)."""
    logic: int = 64
    """Cases of a nested `and` and `or`; one with more is computed operation by operation (C20)."""
    tried: int = 120
    """Inputs that are run before a compilation, looking for one without an answer."""
    tried_length: int = 64
    """Tokens of the longest of them: what fails mostly fails on short ones."""


def refusal(code: str, message: str, hint: str) -> RaspError:
    """The error with which the compiler declines a program."""
    return error(code, message, None, hint)


@dataclass(frozen=True)
class Setting:
    """The inputs a compilation is for: sequences of 1 to max_length elements of the vocabulary."""

    vocabulary: tuple[Value, ...]
    max_length: int
    causal: bool
    limits: Limits = Limits()

    @property
    def texts(self) -> tuple[str, ...]:
        """The vocabulary as text: what tells tokens apart."""
        return tuple(token_text(element) for element in self.vocabulary)

    def converted(self, how: str) -> dict[Value, Value | None]:
        """What a conversion makes of each text of the vocabulary; None where it is undefined."""
        return {text: _convert(element, how) for text, element in zip(self.texts, self.vocabulary, strict=True)}


@dataclass(frozen=True)
class Domain:
    """A finite set of values, numbers ascending before strings; 1, 1.0 and True are one value here."""

    values: tuple[Value, ...]
    kind: Kind | None  # the printed kind of a sequence of such values; None where strings and numbers mix

    @staticmethod
    def of(values: Iterable[Value]) -> Domain:
        """The domain of these values; where equal values of several kinds meet, the widest kind wins."""
        found = dict.fromkeys((type(value), value) for value in values)
        kind = kind_of_all([value for _, value in found]) if found else None
        distinct: dict[Value, Value] = {}
        for _, value in found:
            distinct.setdefault(value, _as_kind(value, kind))
        return Domain(tuple(_ascending(distinct.values())), kind)

    @cached_property
    def numeric(self) -> bool:
        """Whether every value is a number (or a bool)."""
        return not any(isinstance(value, str) for value in self.values)

    @cached_property
    def numbers(self) -> tuple[Fraction, ...]:
        """The values of a numeric domain, as fractions, ascending."""
        return tuple(value if isinstance(value, Fraction) else whole(int(value)) for value in self.values)

    @cached_property
    def gap(self) -> Fraction:
        """The smallest distance between two values of a numeric domain; 1 where there is only one."""
        found, common = counts(self.numbers)
        return Fraction(min((b - a for a, b in itertools.pairwise(found)), default=common), common)

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[Value]:
        return iter(self.values)

    def __str__(self) -> str:
        shown = [show(value) for value in self.values]
        if len(shown) > 8:
            shown = [*shown[:4], f"... {len(shown) - 5} more ...", shown[-1]]
        return "{" + ", ".join(shown) + "}"


def _as_kind(value: Value, kind: Kind | None) -> Value:
    if kind == "int" and isinstance(value, bool):
        return int(value)
    return Fraction(value) if kind == "float" else value


def _ascending(values: Iterable[Value]) -> list[Value]:
    """Numbers by size, then strings. Comparing integers is much faster than comparing fractions."""
    texts = [value for value in values if isinstance(value, str)]
    numbers = [value for value in values if not isinstance(value, str)]
    order, _ = counts(numbers)
    return [numbers[i] for i in sorted(range(len(numbers)), key=order.__getitem__)] + sorted(texts)


SHORT_TABLE = 2_000
"""A linear form over at most this many joint values is tabulated all the same: its domain is tighter then."""

TOKEN = Tokens("str")
"""The variable behind every conversion of the input element: its text, which tells elements apart."""

Point: TypeAlias = tuple[Value, ...]
Terms: TypeAlias = Mapping[SOp | None, Fraction]
"""A linear form of s-ops: the coefficient of each; None stands for the constant 1."""


class Analysis:
    """Domains and tables of the s-ops of one setting; everything is computed once."""

    def __init__(
        self, setting: Setting, requires: tuple[SOp, ...] = (), names: Mapping[Node, str] | None = None
    ) -> None:
        """`requires` are s-ops that are True everywhere on the inputs that are meant: they narrow what is tabulated.

        `names` are those that messages call nodes by.
        """
        self.setting = setting
        self.limits = setting.limits
        self.requires = requires
        self.names = names or {}
        self._variables: dict[SOp, tuple[SOp, ...]] = {}
        self._domains: dict[SOp, Domain] = {}
        self._refused: dict[SOp, RaspError] = {}
        self._linear: dict[SOp, Terms | None] = {}
        self._tables: dict[SOp, Table] = {}
        self._kept: dict[tuple[SOp, ...], npt.NDArray[np.bool_] | None] = {}
        self._points: dict[tuple[SOp, ...], list[Point]] = {}
        self._names: set[SOp] = set()
        self._disjuncts: dict[Selector, list[Conjunction]] = {}
        self._sure: dict[Conjunction, bool] = {}
        self._uniform: dict[SOp, bool] = {}

    def variables(self, node: SOp) -> tuple[SOp, ...]:
        """What the s-op is computed from, position by position: the token, the position, results of attention."""
        for current in _cone(node, self._variables):
            self._variables[current] = self._variables_of(current)
        return self._variables[node]

    def _variables_of(self, node: SOp) -> tuple[SOp, ...]:
        match node:
            case Constant():
                return ()
            case Tokens():
                return (TOKEN,)
            case Map() | Lookup():
                return tuple(dict.fromkeys(var for arg in _args(node) for var in self._variables[arg]))
            case _:
                return (node,)

    def domain(self, node: SOp) -> Domain:
        """The values the s-op can take."""
        if node not in self._domains:
            for current in reachable([node], self._domains.__contains__):
                if isinstance(current, SOp):
                    self._domains[current] = self._found(current)
        return self._domains[node]

    def _found(self, node: SOp) -> Domain:
        if node not in self._refused:
            try:
                return self._domain(node)
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
            case Width():
                return Domain.of(range(1 if self.never_empty(node.selector) else 0, self.setting.max_length + 1))
            case Aggregate():
                return self._aggregated(node)
            case _:
                return self._elementwise(node)

    def _elementwise(self, node: SOp) -> Domain:
        if (progression := self._progression(node)) is not None:
            return progression
        variables = self.variables(node)
        if self.count_points(variables) <= self.limits.points:
            values = self._table(node).occurring(self._meant(variables))
        else:
            values = self._loosely(node)
        if not values:
            raise refusal(
                "never-defined",
                f"{self._called(node)} has no value for any input",
                "check its operands: every combination is an error",
            )
        domain = Domain.of(values)
        return domain if len(variables) == 1 else self._limited(node, domain)

    def _called(self, node: Node) -> str:
        """What a message calls a node, in a line."""
        return f"`{outline(node, self.names)}`"

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
        args = tuple(arg for arg in dict.fromkeys(node.inputs) if isinstance(arg, SOp) and self.variables(arg))
        count = self.count_points(args)
        if count > self.limits.combinations:
            raise refusal(
                "too-many-combinations",
                f"{self._called(node)} combines operands in {count} ways, more than can be tabulated",
                "round an operand, or compile with a smaller max_length or vocabulary",
            )
        return self._table_over(node, args).occurring()

    def _progression(self, node: SOp) -> Domain | None:
        """The domain of a linear form of integers with integer coefficients, where tabulating would be long."""
        terms = self.linear(node) if isinstance(node, Map) else None
        if terms is None or self.count_points(self.variables(node)) <= SHORT_TABLE:
            return None
        domains = {var: self._domains[var] for var in terms if var is not None}
        whole = all(number.denominator == 1 for domain in domains.values() for number in domain.numbers)
        if not whole or any(c.denominator != 1 for c in terms.values()):
            return None
        low, high = self.bounds(terms)
        step = math.gcd(*(int(c) for var, c in terms.items() if var is not None))
        if (high - low) / step > self.limits.values:
            return None
        return Domain.of(range(int(low), int(high) + 1, step))

    def linear(self, node: SOp) -> Terms | None:
        """The s-op as a linear form of numeric variables, where it visibly is one."""
        for current in _cone(node, self._linear):
            self._linear[current] = self._linear_of(current, self._linear)
        return self._linear[node]

    def _linear_of(self, node: SOp, forms: Mapping[SOp, Terms | None]) -> Terms | None:
        match node:
            case Constant(value=value):
                return None if isinstance(value, str) else {None: Fraction(value)}
            case Map(op="+", args=(a, b)):
                return _combine(forms[a], forms[b], 1)
            case Map(op="-", args=(a, b)):
                return _combine(forms[a], forms[b], -1)
            case Map(op="negate", args=(a,)):
                return _scale(forms[a], Fraction(-1))
            case Map(op="plus", args=(a,)):
                return forms[a]
            case Map(op="*", args=(a, Constant(value=factor))) | Map(op="*", args=(Constant(value=factor), a)):
                return None if isinstance(factor, str) else _scale(forms[a], Fraction(factor))
            case Map(op="/", args=(a, Constant(value=factor))):
                return None if isinstance(factor, str) or factor == 0 else _scale(forms[a], 1 / Fraction(factor))
            case Map() | Lookup():
                return None
            case _:
                return {node: Fraction(1)} if self.domain(node).numeric else None

    def bounds(self, terms: Terms) -> tuple[Fraction, Fraction]:
        """The least and the greatest value of a linear form, knowing that the position is below the length."""
        index = terms.get(Indices(), Fraction(0))
        length = next((var for var in terms if is_length(var)), None)
        slope = terms[length] if length is not None else Fraction(0)
        n = self.setting.max_length
        corners = [index * i + slope * w for i, w in ((0, 1), (0, n), (n - 1, n))]
        low, high = min(corners) + terms.get(None, Fraction(0)), max(corners) + terms.get(None, Fraction(0))
        for var, coefficient in terms.items():
            if var is not None and var is not length and var is not Indices():
                ends = sorted(
                    coefficient * number for number in (self.domain(var).numbers[0], self.domain(var).numbers[-1])
                )
                low, high = low + ends[0], high + ends[1]
        return low, high

    def count_points(self, variables: Sequence[SOp]) -> int:
        """How many joint values the variables have (an upper bound)."""
        return math.prod(len(self.domain(var)) for var in variables)

    def points(self, variables: tuple[SOp, ...]) -> list[Point]:
        """The joint values of variables. A position is below the length; other variables are taken as independent."""
        if variables not in self._points:
            domains = [self.domain(var).values for var in variables]
            self._points[variables] = tables.points(domains, self._meant(variables))
        return self._points[variables]

    def _meant(self, variables: tuple[SOp, ...]) -> npt.NDArray[np.bool_] | None:
        """Which joint values may occur on inputs that are meant; None for all of them."""
        if variables not in self._kept:
            within = set(variables)
            masks = [self._truth(node, variables) for node in self.requires if set(self.variables(node)) <= within]
            if {Indices(), LENGTH} <= within:
                index, length = (self._axis(var, variables) for var in (Indices(), LENGTH))
                masks.append(index < length)
            shape = [len(self.domain(var)) for var in variables]
            self._kept[variables] = np.broadcast_to(np.logical_and.reduce(masks), shape) if masks else None
        return self._kept[variables]

    def all_meant(self, variables: tuple[SOp, ...]) -> bool:
        """Whether all joint values of the variables may occur, as far as is known."""
        return self._meant(variables) is None

    def _truth(self, node: SOp, variables: tuple[SOp, ...]) -> npt.NDArray[np.bool_]:
        """Where an s-op of some of the variables is True."""
        own = self.variables(node)
        table = self._table(node).moved([variables.index(var) for var in own], len(variables))
        return np.asarray(np.array([bool(value) for value in table.values])[table.codes])

    def _axis(self, var: SOp, variables: tuple[SOp, ...]) -> npt.NDArray[np.int64]:
        """The integers that a variable can be, along its axis."""
        shape = [-1 if other is var else 1 for other in variables]
        return np.array(self.domain(var).values, dtype=np.int64).reshape(shape)

    def table(self, node: SOp) -> list[tuple[Point, Value]]:
        """The s-op's value at each joint value of its variables; points where it is undefined are left out."""
        variables = self.variables(node)
        values = self._table(node).at_points(self._meant(variables))
        return _defined(self.points(variables), values)

    def column(self, node: SOp, inputs: Sequence[Value]) -> tuple[Fraction, ...]:
        """The numbers of an s-op of one variable, at each of its values in turn; 0 where it is undefined."""
        table = self._table(node)
        variables = self.variables(node)
        numbers = [*map(tables.number, table.values), whole(0)]
        kept = self._meant(variables)
        codes = table.codes if kept is None else np.where(kept, table.codes.astype(np.int64), -1)
        found = dict(zip(self.domain(variables[0]), codes.tolist(), strict=True))
        return tuple(numbers[found[value]] for value in inputs)

    def _table(self, node: SOp) -> Table:
        """The s-op over its own variables: all their joint values, whether they are meant or not."""
        for current in _cone(node, self._tables):
            self._tables[current] = self._tabulated(current)
        return self._tables[node]

    def _tabulated(self, node: SOp) -> Table:
        match node:
            case Constant(value=value):
                return tables.constant(value)
            case Tokens(convert=how):
                values = self._converted(how)
                return tables.of(values, np.arange(len(values)))
            case Map() | Lookup():
                variables = self.variables(node)
                places = {var: place for place, var in enumerate(variables)}
                args = [
                    self._tables[arg].moved([places[var] for var in self.variables(arg)], len(variables))
                    for arg in _args(node)
                ]
                return tables.apply(node, args)
            case _:
                return tables.along(self.domain(node).values, 0, 1)

    def _converted(self, how: str) -> list[Value | None]:
        """What a conversion makes of each value of the domain of `TOKEN`."""
        converted = self.setting.converted(how)
        return [converted[text] for text in self.domain(TOKEN)]

    def disjuncts(self, selector: Selector) -> list[Conjunction]:
        """The selector as an `or` of conjunctions. Raises `RaspError` when they are too many."""
        if selector not in self._disjuncts:
            try:
                self._disjuncts[selector] = disjuncts(selector, self.limits.cases)
            except ValueError as error:
                raise refusal("selector-too-large", str(error), "write it with fewer alternatives") from None
        return self._disjuncts[selector]

    def over(self, node: SOp, leaves: tuple[SOp, ...]) -> list[tuple[Point, Value]]:
        """The s-op's value for each combination of values of s-ops that it is a function of, taken as independent."""
        domains = [self.domain(leaf).values for leaf in leaves]
        everything = np.ones([len(domain) for domain in domains], dtype=np.bool_)
        values = self._table_over(node, leaves).at_points(everything)
        return _defined(tables.points(domains), values)

    def curve(self, node: SOp, leaves: tuple[SOp, ...], scale: Scale, joint: bool = False) -> Curve:
        """The s-op, whose values are numbers, as a function of the number that a scale makes of some s-ops' values.

        They are taken as independent, or else are the s-op's variables and known `joint`ly.
        """
        table = self._table(node) if leaves == self.variables(node) else self._table_over(node, leaves)
        return Curve.of(table, scale, self._meant(leaves) if joint else None)

    def _table_over(self, node: SOp, leaves: tuple[SOp, ...]) -> Table:
        found = {leaf: tables.along(self.domain(leaf).values, i, len(leaves)) for i, leaf in enumerate(leaves)}
        for current in _cone(node, found):
            match current:
                case Constant(value=value):
                    found[current] = tables.constant(value).moved((), len(leaves))
                case Tokens(convert=how):
                    found[current] = tables.of(self._converted(how), found[TOKEN].codes)
                case Map() | Lookup():
                    found[current] = tables.apply(current, [found[arg] for arg in _args(current)])
        return found[node]

    def frontier(self, node: SOp) -> tuple[SOp, ...]:
        """What the s-op is a function of, as far up as possible: linear forms of variables, the token, the position."""
        leaves: dict[SOp, None] = {}
        seen: set[SOp] = set()
        todo: list[SOp] = [node]
        while todo:
            current = todo.pop()
            if current in seen:
                continue
            seen.add(current)
            variables = self.variables(current)
            if variables in ((TOKEN,), (Indices(),)):
                leaves[variables[0]] = None
            elif not isinstance(current, Map | Lookup) or (current is not node and self.linear(current) is not None):
                if variables:
                    leaves[current] = None
            else:
                todo.extend(reversed(_args(current)))
        return tuple(leaves)

    def never_empty(self, selector: Selector) -> bool:
        """Whether every row of the selector surely selects a key."""
        return any(self.surely_matches(conjunction) for conjunction in self.disjuncts(selector))

    def surely_matches(self, conjunction: Conjunction) -> bool:
        """A position that compares its own value finds itself; an index within the sequence finds its place."""
        if conjunction not in self._sure:
            self._sure[conjunction] = self._surely_matches(conjunction)
        return self._sure[conjunction]

    def _surely_matches(self, conjunction: Conjunction) -> bool:
        if all(key is query and "=" in comparison for key, query, comparison in conjunction.parts):
            return True
        match conjunction.parts:
            case ((key, query, comparison),) if comparison == EQUAL:
                return self._is_position(key, query)
        return False

    def _is_position(self, key: SOp, query: SOp) -> bool:
        """Whether the key is the position and the query surely is a position of the sequence that may be seen."""
        place, wanted = self.linear(key), self.linear(query)
        if place is None or wanted is None or place.get(Indices()) != 1 or set(place) - {Indices(), None}:
            return False
        wanted = _combine(wanted, {None: place.get(None, Fraction(0))}, -1) or {}
        whole = all(c.denominator == 1 and (v is None or self._whole(v)) for v, c in wanted.items())
        last: Terms = {Indices(): Fraction(1)} if self.setting.causal else {LENGTH: Fraction(1), None: Fraction(-1)}
        beyond = _combine(wanted, last, -1) or {}
        return whole and self.bounds(wanted)[0] >= 0 and self.bounds(beyond)[1] <= 0

    def _whole(self, node: SOp) -> bool:
        return all(number.denominator == 1 for number in self.domain(node).numbers)

    def at_most_one(self, selector: Selector) -> bool:
        """Whether no row of the selector ever selects two keys: it asks for one position."""
        conjunctions = self.disjuncts(selector)
        return len(conjunctions) == 0 or (len(conjunctions) == 1 and self.unique(conjunctions[0]))

    def unique(self, conjunction: Conjunction) -> bool:
        """Whether one comparison asks for a key that no two positions share."""
        return any(comparison == EQUAL and self._distinct(key) for key, _, comparison in conjunction.parts)

    def _distinct(self, key: SOp) -> bool:
        """Whether an s-op differs between any two positions: a function of the position, or linear in it."""
        if self.variables(key) == (Indices(),):
            return len({value for _, value in self.table(key)}) == self.setting.max_length
        terms = self.linear(key) or {}
        rest = [var for var in terms if var is not None and var is not Indices()]
        return Indices() in terms and all(map(self.uniform, rest))

    def uniform(self, node: SOp) -> bool:
        """Whether an s-op is the same at all positions: nothing it is computed from depends on the query."""
        if node not in self._uniform:
            variables = self.variables(node)
            self._uniform[node] = not variables if self.setting.causal else all(map(self._uniform_variable, variables))
        return self._uniform[node]

    def _uniform_variable(self, var: SOp) -> bool:
        match var:
            case Width(selector=selector) | Aggregate(selector=selector):
                parts = [part for case in self.disjuncts(selector) for part in case.parts]
                return all(self.uniform(query) for _, query, _ in parts)
        return False

    def picks(self, node: Aggregate) -> bool:
        """Whether the aggregate returns one of the selected values: none is averaged with a different one.

        Strings and bools cannot be averaged, so on every input with an answer at most one of them is selected.
        """
        return len(self.domain(node.value)) == 1 or self.selects_one(node)

    def selects_one(self, node: Aggregate) -> bool:
        """Whether no row of the aggregate selects two keys, on any input with an answer."""
        value = self.domain(node.value)
        names = not value.numeric or value.kind == "bool"
        return node in self._names or names or self.at_most_one(node.selector)

    def numbered(self, node: Aggregate, original: Aggregate) -> None:
        """Note that an aggregate picks numbers in place of what another one picks, so that it selects no more keys."""
        if self.selects_one(original) and node not in self._names:
            self._names.add(node)
            self._refused.clear()  # what was refused for its many means may have none

    def noisy(self, var: SOp) -> bool:
        """Whether a variable is a count or a mean, which a head computes up to rounding only."""
        return isinstance(var, Width) or (isinstance(var, Aggregate) and not self.picks(var))

    def _aggregated(self, node: Aggregate) -> Domain:
        default = [] if self.never_empty(node.selector) else [node.default]
        if self.picks(node):
            return Domain.of([*self.domain(node.value), *default])
        return self._limited(node, Domain.of([*self._means(node), *default]))

    def _means(self, node: Aggregate) -> list[Value]:
        """Single values, and every sum of m values over m: sums are taken to fill the whole progression.

        In lowest terms there are phi(m) fractions of denominator m from one whole number to the next.
        """
        domain, n = self.domain(node.value), self.setting.max_length
        low, high = domain.numbers[0], domain.numbers[-1]
        step = Fraction(1, math.lcm(*(number.denominator for number in domain.numbers)))
        step *= math.gcd(*(int((number - low) / step) for number in domain.numbers))
        levels = int((high - low) / step)
        count = 0
        for m in range(1, n + 1):
            count += levels * sum(1 for s in range(m) if math.gcd(s, m) == 1)
            if count > self.limits.values:
                raise refusal(
                    "too-many-values",
                    f"{self._called(node)} averages up to {n} of {len(domain)} values, "
                    f"to more than {self.limits.values} means",
                    "compile with a smaller max_length, or average an indicator instead",
                )
        means = [
            low + step * Fraction(s, m)
            for m in range(2, n + 1)
            for s in range(levels * m + 1)
            if m == 2 or math.gcd(s, m) == 1
        ]
        return [*domain, *means]


LENGTH = Width(Select(Constant(1), Constant(1), "=="))
"""The number of positions; `simplify` writes every count of all positions so."""


def is_length(node: Node | None) -> bool:
    """Whether the node counts all positions."""
    return node is LENGTH


def _defined(points: Sequence[Point], values: Sequence[Value | None]) -> list[tuple[Point, Value]]:
    return [(point, value) for point, value in zip(points, values, strict=True) if value is not None]


def _cone(node: SOp, known: Container[SOp]) -> list[SOp]:
    """The elementwise part above the variables, inputs first, without what is known and what is only above that."""
    seen: dict[int, SOp] = {}
    todo: list[SOp] = [node]
    while todo:
        current = todo.pop()
        if current.id not in seen and current not in known:
            seen[current.id] = current
            if isinstance(current, Map | Lookup):
                todo.extend(_args(current))
    return [seen[key] for key in sorted(seen)]


def _args(node: Map | Lookup) -> tuple[SOp, ...]:
    return node.args if isinstance(node, Map) else (node.arg,)


def _convert(value: Value, how: str) -> Value | None:
    try:
        return convert(value, how)
    except Undefined:
        return None


def _combine(a: Terms | None, b: Terms | None, sign: int) -> Terms | None:
    if a is None or b is None:
        return None
    terms = dict(a)
    for var, coefficient in b.items():
        terms[var] = terms.get(var, Fraction(0)) + sign * coefficient
    return {var: coefficient for var, coefficient in terms.items() if coefficient}


def _scale(a: Terms | None, factor: Fraction) -> Terms | None:
    return None if a is None else {var: coefficient * factor for var, coefficient in a.items() if factor}
