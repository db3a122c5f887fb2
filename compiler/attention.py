"""Attention: a conjunction of comparisons as the QK circuit of one head.

In: a `Conjunction` and a way to `read` an s-op as a form. Out: `Scores`, pairs of forms whose products add up to
a score that tells the selected keys from the others by at least `step`.
Invariants: without `order`, all selected keys of a row have the same score; `baseline + selected` is that score.

Equality of many numbers is a parabola (C5), other comparisons are a table (C4), several add up (C3). Where it does not
matter how often a key is found, only whether one is, an order costs a single dimension (C16).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from compiler.direction import Form, total
from compiler.domain import Analysis, Domain, refusal
from compiler.relation import EQUAL, Comparison, Conjunction, compare
from rasp.operators import Undefined
from rasp.sop import Constant, Lookup, Map, SOp
from rasp.value import Value

SMALL_TABLE = 3
"""An equality with at most this many common values is a table, a larger one a parabola."""
LARGEST_TABLE = 1 << 16
"""Most pairs of joint values that an `or` of comparisons is tabulated over."""
LARGEST_CODE = 2_900
"""Codes up to this size on either side of zero have exact squares and products in fp32 scores."""


@dataclass(frozen=True)
class Reading:
    """A number as a linear form of the stream, from when on it can be read, and whether it is free of rounding."""

    form: Form
    ready: int
    exact: bool


Read = Callable[[SOp], Reading]


@dataclass
class Scores:
    """The score of a key for a query: the sum of q(query) * k(key) over `pairs`."""

    pairs: list[tuple[Form, Form]] = field(default_factory=list)
    baseline: list[Form] = field(default_factory=list)
    selected: Fraction = Fraction(0)
    lowest: Fraction = Fraction(0)
    ready: int = 0
    exact: bool = True

    def add(self, query: Reading, key: Reading, weight: Fraction) -> None:
        """Add a product to the score."""
        self.pairs.append((query.form * weight, key.form))
        self._after(query, key)

    def lift(self, baseline: Reading, weight: Fraction) -> None:
        """Every score of a row contains this much that depends on the query alone."""
        self.baseline.append(baseline.form * weight)
        self._after(baseline)

    def _after(self, *readings: Reading) -> None:
        self.ready = max(self.ready, *(reading.ready for reading in readings))
        self.exact = self.exact and all(reading.exact for reading in readings)

    def total_baseline(self) -> Form:
        """The part of the score that depends on the query alone."""
        return total(self.baseline)


def scores(
    cases: Sequence[Conjunction], analysis: Analysis, codes: Codes, read: Read, order: bool, absolute: bool
) -> Scores:
    """The scores of a conjunction, or of an `or` of several.

    `order`: finding some selected key is enough, so one order may score by its distance instead of by a table.
    `absolute`: rows may be empty, so the baseline is needed to tell.
    """
    found = Scores()
    if len(cases) != 1:
        _score_cases(cases, _Context(analysis, codes, read, absolute), found)
        return found
    (conjunction,) = cases
    slack = next((part for part in conjunction.parts if order and _is_order(part, analysis)), None)
    weight = Fraction(1)
    if slack is not None:
        weight = _score_order(*slack, analysis, read, found) + 1
    for part in conjunction.parts:
        if part is not slack:
            _score_part(*part, _Context(analysis, codes, read, absolute), found, weight)
    return found


class Codes:
    """A whole number for every value that is compared or moved as a name: the vocabulary first, centred on zero."""

    def __init__(self, vocabulary: Sequence[Value]) -> None:
        self._codes: dict[Value, int] = {}
        middle = (len(vocabulary) - 1) // 2
        for number, value in enumerate(vocabulary):
            self._codes[value] = number - middle

    def __getitem__(self, value: Value) -> Fraction:
        if value not in self._codes:
            self._codes[value] = max(self._codes.values(), default=-1) + 1
        return Fraction(self._codes[value])

    def of(self, node: SOp, domain: Domain) -> SOp:
        """The s-op's values as codes."""
        return Lookup(tuple((value, int(self[value])) for value in domain), node)


@dataclass(frozen=True)
class _Context:
    analysis: Analysis
    codes: Codes
    read: Read
    absolute: bool


def _is_order(part: tuple[SOp, SOp, Comparison], analysis: Analysis) -> bool:
    key, query, comparison = part
    domains = [analysis.domain(node) for node in (key, query)]
    monotone = not comparison >= {"<", ">"} and comparison != EQUAL
    return monotone and all(domain.numeric and len(domain) > 2 and _whole(domain) for domain in domains)


def _score_order(
    key: SOp, query: SOp, comparison: Comparison, analysis: Analysis, read: Read, found: Scores
) -> Fraction:
    """``query - key`` (or its opposite): at least 1 where the order holds, else at most 0. Returns its size."""
    domains = [analysis.domain(node) for node in (key, query)]
    sign = Fraction(1 if "<" in comparison else -1)
    shift = Fraction(1 if "=" in comparison else 0)
    one = read(Constant(1))
    found.add(one, read(key), -sign)
    found.lift(read(query), -sign)
    found.lift(one, -shift)
    found.selected += 1
    size = max(abs(a - b) for a in _ends(domains[0]) for b in _ends(domains[1])) + 1
    found.lowest -= max(abs(number) for number in _ends(domains[0]))
    return size


def _whole(domain: Domain) -> bool:
    return all(number.denominator == 1 for number in domain.numbers)


def _ends(domain: Domain) -> tuple[Fraction, Fraction]:
    return domain.numbers[0], domain.numbers[-1]


def _score_part(
    key: SOp, query: SOp, comparison: Comparison, context: _Context, found: Scores, weight: Fraction
) -> None:
    keys, queries = context.analysis.domain(key), context.analysis.domain(query)
    common = len(set(keys) & set(queries))
    if comparison == EQUAL and common > SMALL_TABLE and _parabola(key, query, context, found, weight):
        return
    table = _truth(keys.values, queries.values, lambda k, q: _holds(comparison, k, q))
    _score_table(key, query, table, context, found, weight)


def _parabola(key: SOp, query: SOp, context: _Context, found: Scores, weight: Fraction) -> bool:
    """``-(q - k)^2 = 2qk - k^2 - q^2``: 0 for the equal key, at most -1 for others (C5). False for large codes."""
    domains = [context.analysis.domain(node) for node in (key, query)]
    if not all(domain.numeric for domain in domains):
        key, query = (context.codes.of(node, domain) for node, domain in zip((key, query), domains, strict=True))
    numbers = sorted({n for node in (key, query) for n in context.analysis.domain(node).numbers})
    gap = min(b - a for a, b in itertools.pairwise(numbers))
    centre = Fraction((numbers[0] + numbers[-1]) // 2)
    if (numbers[-1] - centre) / gap > LARGEST_CODE:
        return False
    k, q = (_scaled(node, centre, gap) for node in (key, query))
    found.add(context.read(q), context.read(k), 2 * weight)
    found.add(context.read(Constant(1)), context.read(_square(k)), -weight)
    if context.absolute:
        found.lift(context.read(_square(q)), weight)
    largest = max(abs(number - centre) / gap for number in numbers)
    found.lowest -= 3 * largest * largest * weight
    return True


def _scaled(node: SOp, centre: Fraction, gap: Fraction) -> SOp:
    shifted = node if centre == 0 else Map("-", (node, Constant(int(centre))))
    return shifted if gap == 1 else Map("/", (shifted, Constant(gap)))


def _square(node: SOp) -> SOp:
    return Map("*", (node, node))


@dataclass(frozen=True)
class _Truth:
    """Which keys each query value selects."""

    keys: tuple[Value, ...]
    queries: tuple[Value, ...]
    rows: tuple[tuple[bool, ...], ...]  # [query][key]

    def columns(self) -> tuple[tuple[bool, ...], ...]:
        return tuple(zip(*self.rows, strict=True))


def _truth(keys: Sequence[Value], queries: Sequence[Value], holds: Callable[[Value, Value], bool]) -> _Truth:
    return _Truth(tuple(keys), tuple(queries), tuple(tuple(holds(key, query) for key in keys) for query in queries))


def _holds(comparison: Comparison, key: Value, query: Value) -> bool:
    try:
        return compare(comparison, key, query)
    except Undefined:  # an input on which the program has no answer
        return False


def _score_cases(cases: Sequence[Conjunction], context: _Context, found: Scores) -> None:
    """A table over the joint values of all keys and all queries that the cases compare (C4)."""
    key, keys = _joint([key for case in cases for key, _, _ in case.parts], context.analysis)
    query, queries = _joint([query for case in cases for _, query, _ in case.parts], context.analysis)
    if len(keys) * len(queries) > LARGEST_TABLE:
        raise refusal(
            "selector-too-large",
            f"an `or` of {len(cases)} selections compares {len(keys)} keys with {len(queries)} queries",
            "write it with fewer alternatives, or compile with a smaller max_length or vocabulary",
        )

    def holds(k: Value, q: Value) -> bool:
        return any(all(_holds(c, keys[k][kn], queries[q][qn]) for kn, qn, c in case.parts) for case in cases)

    _score_table(key, query, _truth(list(keys), list(queries), holds), context, found, Fraction(1))


def _joint(nodes: Sequence[SOp], analysis: Analysis) -> tuple[SOp, dict[Value, dict[SOp, Value]]]:
    """One number for the joint values of several s-ops, and the values that each number stands for."""
    distinct = list(dict.fromkeys(nodes))
    if len(distinct) == 1:
        return distinct[0], {value: {distinct[0]: value} for value in analysis.domain(distinct[0])}
    joint: SOp = Constant(0)
    place, digits = 1, []
    for node in distinct:
        values = analysis.domain(node).values
        digit = Lookup(tuple((value, number * place) for number, value in enumerate(values)), node)
        joint = Map("+", (joint, digit))
        digits.append((node, place, values))
        place *= len(values)
    return joint, {
        number: {node: values[int(number) // place % len(values)] for node, place, values in digits}
        for number in analysis.domain(joint)
    }


def _score_table(key: SOp, query: SOp, table: _Truth, context: _Context, found: Scores, weight: Fraction) -> None:
    """1 where the table holds, 0 elsewhere: one product for each class of equal rows (or columns, if fewer) (C4)."""
    rows, columns = _classes(table.queries, table.rows), _classes(table.keys, table.columns())
    found.selected += weight
    if len(rows) <= len(columns):
        for row, queries in rows.items():
            selects = [value for value, held in zip(table.keys, row, strict=True) if held]
            found.add(_bit(query, queries, table.queries, context), _bit(key, selects, table.keys, context), weight)
    else:
        for column, keys in columns.items():
            selected = [value for value, held in zip(table.queries, column, strict=True) if held]
            found.add(_bit(query, selected, table.queries, context), _bit(key, keys, table.keys, context), weight)


def _classes(values: Sequence[Value], lines: Sequence[tuple[bool, ...]]) -> dict[tuple[bool, ...], list[Value]]:
    """Values grouped by their line of the table; those that select nothing are left out."""
    classes: dict[tuple[bool, ...], list[Value]] = {}
    for value, line in zip(values, lines, strict=True):
        if any(line):
            classes.setdefault(line, []).append(value)
    return classes


def _bit(node: SOp, members: Sequence[Value], domain: Sequence[Value], context: _Context) -> Reading:
    """1 where the s-op is one of the members, else 0."""
    if len(members) == len(domain):
        return context.read(Constant(1))
    chosen = set(members)
    return context.read(Lookup(tuple((value, int(value in chosen)) for value in domain), node))
