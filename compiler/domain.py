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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from compiler.relation import EQUAL, Conjunction, disjuncts
from rasp.operators import OPERATORS, Undefined, convert, show
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
    reachable,
)
from rasp.source import RaspError, error
from rasp.value import Kind, Value, kind_of_all

MAX_POINTS = 60_000
"""Largest number of joint values an s-op is tabulated over."""
MAX_VALUES = 8_192
"""Largest number of values of a domain."""


def refusal(code: str, message: str, hint: str) -> RaspError:
    """The error with which the compiler declines a program."""
    return error(code, message, None, hint)


@dataclass(frozen=True)
class Setting:
    """The inputs a compilation is for: sequences of 1 to max_length elements of the vocabulary."""

    vocabulary: tuple[Value, ...]
    max_length: int
    causal: bool

    @property
    def texts(self) -> tuple[str, ...]:
        """The vocabulary as text: what tells tokens apart."""
        return tuple(token_text(element) for element in self.vocabulary)

    def converted(self, how: str) -> dict[Value, Value | None]:
        """What a conversion makes of each text of the vocabulary; None where it is undefined."""
        return {text: _convert(element, how) for text, element in zip(self.texts, self.vocabulary, strict=True)}


def _order(value: Value) -> tuple[bool, Value]:
    return isinstance(value, str), value


@dataclass(frozen=True)
class Domain:
    """A finite set of values, numbers ascending before strings; 1, 1.0 and True are one value here."""

    values: tuple[Value, ...]
    kind: Kind | None  # the printed kind of a sequence of such values; None where strings and numbers mix

    @staticmethod
    def of(values: Iterator[Value] | Sequence[Value]) -> Domain:
        """The domain of these values; where equal values of several kinds meet, the widest kind wins."""
        found = list(dict.fromkeys((type(value), value) for value in values))
        kind = kind_of_all([value for _, value in found]) if found else None
        distinct: dict[Value, Value] = {}
        for _, value in found:
            distinct.setdefault(value, _as_kind(value, kind))
        return Domain(tuple(sorted(distinct.values(), key=_order)), kind)

    @property
    def numeric(self) -> bool:
        """Whether every value is a number (or a bool)."""
        return not any(isinstance(value, str) for value in self.values)

    @cached_property
    def numbers(self) -> tuple[Fraction, ...]:
        """The values of a numeric domain, as fractions, ascending."""
        return tuple(Fraction(value) for value in self.values)

    @cached_property
    def gap(self) -> Fraction:
        """The smallest distance between two values of a numeric domain; 1 where there is only one."""
        return min((b - a for a, b in itertools.pairwise(self.numbers)), default=Fraction(1))

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


TOKEN = Tokens("str")
"""The variable behind every conversion of the input element: its text, which tells elements apart."""

Point = tuple[Value, ...]


class Analysis:
    """Domains and tables of the s-ops of one setting; everything is computed once."""

    def __init__(self, setting: Setting, requires: tuple[SOp, ...] = ()) -> None:
        """`requires` are s-ops that are True everywhere on the inputs that are meant: they narrow what is tabulated."""
        self.setting = setting
        self.requires = requires
        self._variables: dict[SOp, tuple[SOp, ...]] = {}
        self._domains: dict[SOp, Domain] = {}
        self._points: dict[tuple[SOp, ...], list[Point]] = {}
        self._names: set[SOp] = set()
        self._disjuncts: dict[Selector, list[Conjunction]] = {}

    def variables(self, node: SOp) -> tuple[SOp, ...]:
        """What the s-op is computed from, position by position: the token, the position, results of attention."""
        if node not in self._variables:
            for current in _cone(node):
                if current not in self._variables:
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
            for current in reachable([node]):
                if isinstance(current, SOp) and current not in self._domains:
                    self._domains[current] = self._domain(current)
        return self._domains[node]

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
        points = self.count_points(self.variables(node))
        if points <= MAX_POINTS:
            values = {(type(value), value): value for _, value in self.table(node)}
        else:
            values = {(type(value), value): value for value in self._loosely(node)}
        if not values:
            raise refusal(
                "never-defined",
                f"{node} has no value for any input",
                "check its operands: every combination is an error",
            )
        return self._limited(node, Domain.of(list(values.values())))

    def _limited(self, node: SOp, domain: Domain) -> Domain:
        if len(domain) > MAX_VALUES:
            raise refusal(
                "too-many-values",
                f"{node} can take {len(domain)} different values, more than {MAX_VALUES}",
                "round it, or compile with a smaller max_length or vocabulary",
            )
        return domain

    def _loosely(self, node: SOp) -> Iterator[Value]:
        """Values over the arguments' domains, taken as independent."""
        args = tuple(arg for arg in dict.fromkeys(node.inputs) if isinstance(arg, SOp) and self.variables(arg))
        count = self.count_points(args)
        if count > 16 * MAX_POINTS:
            raise refusal(
                "too-many-combinations",
                f"{node} combines operands in {count} ways, more than can be tabulated",
                "round an operand, or compile with a smaller max_length or vocabulary",
            )
        for _, value in self.over(node, args):
            yield value

    def _progression(self, node: SOp) -> Domain | None:
        """The domain of a linear form of integers with integer coefficients, where tabulating would be long."""
        terms = self.linear(node) if isinstance(node, Map) else None
        if terms is None or self.count_points(self.variables(node)) <= 2_000:
            return None
        domains = {var: self._domains[var] for var in terms if var is not None}
        whole = all(number.denominator == 1 for domain in domains.values() for number in domain.numbers)
        if not whole or any(c.denominator != 1 for c in terms.values()):
            return None
        low, high = self.bounds(terms)
        step = math.gcd(*(int(c) for var, c in terms.items() if var is not None))
        if (high - low) / step > MAX_VALUES:
            return None
        return Domain.of(range(int(low), int(high) + 1, step))

    def linear(self, node: SOp) -> dict[SOp | None, Fraction] | None:
        """The s-op as a linear form of numeric variables (None stands for 1), where it visibly is one."""
        forms: dict[SOp, dict[SOp | None, Fraction] | None] = {}
        for current in _cone(node):
            forms[current] = self._linear(current, forms)
        return forms[node]

    def _linear(
        self, node: SOp, forms: dict[SOp, dict[SOp | None, Fraction] | None]
    ) -> dict[SOp | None, Fraction] | None:
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

    def bounds(self, terms: dict[SOp | None, Fraction]) -> tuple[Fraction, Fraction]:
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
            product = itertools.product(*(self.domain(var) for var in variables))
            index = next((i for i, var in enumerate(variables) if var is Indices()), None)
            length = next((i for i, var in enumerate(variables) if is_length(var)), None)
            points = [
                point
                for point in product
                if index is None or length is None or point[index] < point[length]  # type: ignore[operator]
            ]
            for required in self.requires:
                if set(self.variables(required)) <= set(variables):
                    truths = self._evaluated(required, variables, points)
                    points = [point for point, truth in zip(points, truths, strict=True) if truth]
            self._points[variables] = points
        return self._points[variables]

    def table(self, node: SOp, variables: tuple[SOp, ...] | None = None) -> list[tuple[Point, Value]]:
        """The s-op's value at each joint value of its variables; points where it is undefined are left out."""
        variables = self.variables(node) if variables is None else variables
        points = self.points(variables)
        values = self._evaluated(node, variables, points)
        return [(point, value) for point, value in zip(points, values, strict=True) if value is not None]

    def _evaluated(self, node: SOp, variables: tuple[SOp, ...], points: list[Point]) -> list[Value | None]:
        columns: dict[SOp, list[Value | None]] = {}
        for current in _cone(node):
            columns[current] = self._column(current, variables, points, columns)
        return columns[node]

    def _column(
        self, node: SOp, variables: tuple[SOp, ...], points: list[Point], columns: dict[SOp, list[Value | None]]
    ) -> list[Value | None]:
        match node:
            case Constant(value=value):
                return [value] * len(points)
            case Tokens(convert=how):
                place = variables.index(TOKEN)
                converted = self.setting.converted(how)
                return [converted.get(point[place]) for point in points]
            case Map() | Lookup():
                args = [columns[arg] for arg in _args(node)]
                return list(map(_evaluator(node), *args))
            case _:
                place = variables.index(node)
                return [point[place] for point in points]

    def disjuncts(self, selector: Selector) -> list[Conjunction]:
        """The selector as an `or` of conjunctions. Raises `RaspError` when they are too many."""
        if selector not in self._disjuncts:
            try:
                self._disjuncts[selector] = disjuncts(selector)
            except ValueError as error:
                raise refusal("selector-too-large", str(error), "write it with fewer alternatives") from None
        return self._disjuncts[selector]

    def over(self, node: SOp, leaves: tuple[SOp, ...]) -> list[tuple[Point, Value]]:
        """The s-op's value for each combination of values of s-ops that it is a function of, taken as independent."""
        points = list(itertools.product(*(self.domain(leaf) for leaf in leaves)))
        columns: dict[SOp, list[Value | None]] = {leaf: [p[i] for p in points] for i, leaf in enumerate(leaves)}
        for current in _cone(node):
            if current in columns:
                continue
            if not self.variables(current):
                columns[current] = [self.domain(current).values[0]] * len(points)
            elif isinstance(current, Tokens) and TOKEN in columns:
                converted = self.setting.converted(current.convert)
                columns[current] = [converted.get(text) for text in columns[TOKEN]]  # type: ignore[arg-type]
            elif isinstance(current, Map | Lookup) and all(arg in columns for arg in current.inputs):
                columns[current] = list(map(_evaluator(current), *(columns[arg] for arg in _args(current))))
        return [(point, value) for point, value in zip(points, columns[node], strict=True) if value is not None]

    def frontier(self, node: SOp) -> tuple[SOp, ...]:
        """What the s-op is a function of, as far up as possible: linear forms of variables, the token, the position."""
        leaves: dict[SOp, None] = {}
        todo: list[SOp] = [node]
        while todo:
            current = todo.pop()
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
        last: dict[SOp | None, Fraction]
        last = {Indices(): Fraction(1)} if self.setting.causal else {LENGTH: Fraction(1), None: Fraction(-1)}
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
        if self.setting.causal:
            return not self.variables(node)
        return all(self._uniform_variable(var) for var in self.variables(node))

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
        if self.selects_one(original):
            self._names.add(node)

    def noisy(self, var: SOp) -> bool:
        """Whether a variable is a count or a mean, which a head computes up to rounding only."""
        return isinstance(var, Width) or (isinstance(var, Aggregate) and not self.picks(var))

    def _aggregated(self, node: Aggregate) -> Domain:
        values = list(self.domain(node.value)) if self.picks(node) else self._means(node)
        if not self.never_empty(node.selector):
            values.append(node.default)
        return self._limited(node, Domain.of(values))

    def _means(self, node: Aggregate) -> list[Value]:
        """Single values, and every sum of m values over m: sums are taken to fill the whole progression."""
        domain = self.domain(node.value)
        low, high = domain.numbers[0], domain.numbers[-1]
        step = Fraction(1, math.lcm(*(number.denominator for number in domain.numbers)))
        step *= math.gcd(*(int((number - low) / step) for number in domain.numbers))
        levels = int((high - low) / step)
        n = self.setting.max_length
        if levels * n * n // 2 > 16 * MAX_POINTS:
            raise refusal(
                "too-many-values",
                f"{node} averages up to {n} of {len(domain)} values: too many different means",
                "compile with a smaller max_length, or average an indicator instead",
            )
        means = {low + step * Fraction(s, m) for m in range(2, n + 1) for s in range(levels * m + 1)}
        return [*domain, *means]


LENGTH = Width(Select(Constant(1), Constant(1), "=="))
"""The number of positions; `simplify` writes every count of all positions so."""


def is_length(node: Node | None) -> bool:
    """Whether the node counts all positions."""
    return node is LENGTH


def _cone(node: SOp) -> list[SOp]:
    """The elementwise part above the variables, inputs first."""
    seen: dict[int, SOp] = {}
    todo: list[SOp] = [node]
    while todo:
        current = todo.pop()
        if current.id not in seen:
            seen[current.id] = current
            if isinstance(current, Map | Lookup):
                todo.extend(_args(current))
    return [seen[key] for key in sorted(seen)]


def _args(node: Map | Lookup) -> list[SOp]:
    return [arg for arg in node.inputs if isinstance(arg, SOp)]


def _evaluator(node: SOp) -> Callable[..., Value | None]:
    """The elementwise operation of a node as a function of its arguments' values; None is "undefined"."""
    if isinstance(node, Lookup):
        return dict(node.table).get
    assert isinstance(node, Map)
    apply = OPERATORS[node.op].apply

    def evaluate(*values: Value | None) -> Value | None:
        if None in values:
            return None
        try:
            return apply(*values)
        except Undefined:
            return None

    return evaluate


def _convert(value: Value, how: str) -> Value | None:
    try:
        return convert(value, how)
    except Undefined:
        return None


def _combine(
    a: dict[SOp | None, Fraction] | None, b: dict[SOp | None, Fraction] | None, sign: int
) -> dict[SOp | None, Fraction] | None:
    if a is None or b is None:
        return None
    terms = dict(a)
    for var, coefficient in b.items():
        terms[var] = terms.get(var, Fraction(0)) + sign * coefficient
    return {var: coefficient for var, coefficient in terms.items() if coefficient}


def _scale(a: dict[SOp | None, Fraction] | None, factor: Fraction) -> dict[SOp | None, Fraction] | None:
    return None if a is None else {var: coefficient * factor for var, coefficient in a.items() if factor}
