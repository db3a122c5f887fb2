"""Attention: a conjunction of comparisons as the QK circuit of one head.

In: a `Conjunction` and a way to `read` an s-op as a form. Out: `Scores`, pairs of forms whose products add up to
a score that tells the selected keys from the others by at least `score_gap`, which is 1.
Invariant: the selected keys of a row have the same score, `baseline + selected`; in an existence head, at least that.

Equality of many numbers is a parabola (C5), other comparisons are a table (C4), several add up (C3). In an existence
head it only matters whether some selected key is found, not which or how many: there an order, such as `<`, costs a
single dimension, since keys may score by how far they are from the query (C16).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Literal

from compiler.circuit.layer import Part
from compiler.graph.domain import Analysis, Interval, refusal
from compiler.graph.relation import EQUAL, PREDICATE_OF, Compared, Comparison, Conjunction, compare
from compiler.lowering.codes import Codes
from compiler.numbers.direction import Form, total
from compiler.numbers.powers import is_dyadic
from rasp.meaning.operators import Undefined
from rasp.meaning.sop import Constant, Lookup, Map, SOp
from rasp.value import Value

SHORT_NUMERATOR = 1 << 20
"""A numerator below this leaves float32 four bits for what the number is multiplied by."""
SMALL_TABLE = 3
"""An equality with at most this many common values is a table, a larger one a parabola."""


@dataclass(frozen=True)
class Operand:
    """A number as a linear form of the stream, from when on it can be read, and whether it has no rounding error."""

    form: Form
    ready: int
    exact: bool


Read = Callable[[SOp], Operand]


def weighted(terms: Sequence[tuple[Operand, Fraction]]) -> Operand:
    """A linear combination of operands."""
    form = total(operand.form * factor for operand, factor in terms)
    exact = all(operand.exact and has_few_digits(factor) for operand, factor in terms)
    return Operand(form, max(operand.ready for operand, _ in terms), exact)


def has_few_digits(number: Fraction) -> bool:
    """Whether a number is a binary fraction of few digits, so that its multiples by small numbers are exact."""
    return is_dyadic(number) and abs(number.numerator) < SHORT_NUMERATOR


@dataclass
class Scores:
    """The score of a key for a query, part by part."""

    parts: list[Part] = field(default_factory=list)
    selected: Fraction = Fraction(0)
    least_selected: Fraction = Fraction(0)  # no selected key scores below this
    ready: int = 0
    exact: bool = True

    def add(
        self,
        kind: Literal["table", "parabola", "order", "interval", "place"],
        pairs: Sequence[tuple[Operand, Operand, Fraction]],
        baseline: Sequence[tuple[Operand, Fraction]] = (),
        reach: Fraction = Fraction(1),
        weight: Fraction = Fraction(1),
    ) -> None:
        """Add a part: products of (query, key, weight), and what of them depends on the query alone."""
        products = tuple((query.form * weight, key.form) for query, key, weight in pairs)
        of_the_query_alone = total(operand.form * weight for operand, weight in baseline)
        self.parts.append(Part(kind, products, of_the_query_alone, reach, weight))
        operands = [operand for query, key, _ in pairs for operand in (query, key)] + [
            operand for operand, _ in baseline
        ]
        self.ready = max([self.ready, *(operand.ready for operand in operands)])
        self.exact = self.exact and all(operand.exact for operand in operands)


def scores(cases: Sequence[Conjunction], scoring: Scoring) -> Scores:
    """The scores of a conjunction, or of an `or` of several.

    One part may be scored unevenly: by any amount from 1 to `size` where it holds, by 0 or less where not. The others
    then weigh ``size + 1``, so that a key that fails one of them cannot make up for it.
    """
    found = Scores()
    if len(cases) != 1:
        _score_cases(cases, scoring, found)
        return found
    (conjunction,) = cases
    uneven: tuple[Compared, ...] = ()
    weight = Fraction(1)
    interval = scoring.analysis.interval(conjunction) if scoring.fetches else None
    if interval is not None and (size := _score_interval(interval, scoring, found)) is not None:
        uneven, weight = (interval.lower, interval.upper), size + 1
    for part in _longest_first(conjunction.parts, scoring.analysis) if scoring.existence and not uneven else ():
        if (size := _score_unevenly(part, scoring, found)) is not None:
            uneven, weight = (part,), size + 1
            break
    even = [part for part in conjunction.parts if part not in uneven]
    for part in even:
        score_part(*part, scoring.times(weight, even) if weight > 1 else scoring, found, weight)
    return found


def _score_interval(interval: Interval, scoring: Scoring, found: Scores) -> Fraction | None:
    """``v^2 - (2q - m)^2``, v being the interval's width and m the sum of its least and its greatest whole number.

    A whole number q of the interval is nearer to its middle than half of the width, all others are farther away: at
    least 1 in it, else at most -1 (C32). Returns the size; None for numbers that are not whole.
    """
    (low, query, above), (high, _, _), width = interval
    nodes = (low, high, query, width)
    if not all(domain.numeric and domain.whole for domain in map(scoring.analysis.domain, nodes)):
        return None
    middle = Map("+", (Map("+", (low, high)), Constant(-1 if "=" in above else 1)))
    centre = Constant(int(sum(scoring.analysis.domain(middle).ends) / 2))
    k, q = (Map("-", (node, centre)) for node in (middle, Map("*", (query, Constant(2)))))
    q_squared, k_squared, width_squared = (Map("*", (node, node)) for node in (q, k, width))
    one, read = scoring.read(Constant(1)), scoring.exactly
    pairs = [(read(q), read(k), Fraction(2)), (one, read(k_squared), Fraction(-1))]
    pairs.append((one, read(width_squared), Fraction(1)))
    found.add("interval", pairs, [(read(q_squared), Fraction(1))] if scoring.needs_baseline else [])
    found.selected += 1
    found.least_selected += 1
    return scoring.analysis.domain(width).ends[1] ** 2


@dataclass(frozen=True)
class Scoring:
    """How to score.

    `exactly`: reads a whole number free of rounding, if that can be had.
    `evidence`: reads a number that is positive where an s-op is true, and its largest value, if that saves layers.
    `existence`: finding some selected key is enough, so an order may score by its distance instead of by a table.
    `fetches`: it is a "mean" head, where a key that is selected alone may score more than `selected`.
    `needs_baseline`: rows may be empty, so scores meet a threshold, to which what depends on the query alone is added.
    `nowhere`: rows are empty where the query, which is compared with the position alone, is this number, if at all.
    `largest_code`: numbers farther from their middle than this are compared digit by digit.
    `largest_sum`: products that add up to more are rounded.
    """

    analysis: Analysis
    codes: Codes
    read: Read
    exactly: Read
    evidence: Callable[[SOp], tuple[Operand, Fraction] | None]
    existence: bool
    fetches: bool
    needs_baseline: bool
    nowhere: Fraction | None
    largest_code: int
    largest_sum: float

    def times(self, weight: Fraction, parts: Sequence[Compared]) -> Scoring:
        """The same where comparisons weigh so much: squares stay as small as they have to be, and digits can be."""
        squares = weight * max(1, sum(comparison == EQUAL for _, _, comparison in parts))
        largest = math.isqrt(int(self.largest_sum / (4 * squares)))
        return replace(self, largest_code=max(1, min(self.largest_code, largest)))


def _score_unevenly(part: tuple[SOp, SOp, Comparison], scoring: Scoring, found: Scores) -> Fraction | None:
    """Score one comparison by a distance or by evidence, if it can be: by 1 or more where it holds, else by 0 or less.

    Returns the most that it comes to.

    Evidence for a bit is a number that is 0 where the bit is False and at least 1 where it is True.
    """
    key, query, comparison = part
    if _is_order(part, scoring.analysis):
        return _score_order(*part, scoring, found)
    if comparison != EQUAL or scoring.analysis.domain(query).values != (True,):
        return None
    evidence = scoring.evidence(key)
    if evidence is None:
        return None
    operand, most = evidence
    found.add("order", [(scoring.read(Constant(1)), operand, Fraction(1))])
    found.selected += 1
    found.least_selected += 1
    return most


def _longest_first(parts: Sequence[Compared], analysis: Analysis) -> list[Compared]:
    """The parts, with orders among each other by how many columns a table of them would take."""
    orders = [part for part in parts if _is_order(part, analysis)]
    longest = iter(sorted(orders, key=lambda part: -min(len(analysis.domain(node)) for node in part[:2])))
    return [next(longest) if part in orders else part for part in parts]


def _is_order(part: tuple[SOp, SOp, Comparison], analysis: Analysis) -> bool:
    key, query, comparison = part
    domains = [analysis.domain(node) for node in (key, query)]
    monotone = not comparison >= {"<", ">"} and comparison != EQUAL
    return monotone and all(domain.numeric and len(domain) > 2 and domain.whole for domain in domains)


def _score_order(key: SOp, query: SOp, comparison: Comparison, scoring: Scoring, found: Scores) -> Fraction:
    """``query - key`` (or its opposite): at least 1 where the order holds, else at most 0. Returns its size."""
    read = scoring.read
    domains = [scoring.analysis.domain(node) for node in (key, query)]
    sign = Fraction(1 if "<" in comparison else -1)
    shift = Fraction(1 if "=" in comparison else 0)
    one = read(Constant(1))
    found.add("order", [(one, read(key), -sign)], [(read(query), -sign), (one, -shift)])
    found.selected += 1
    size = max(abs(a - b) for a in domains[0].ends for b in domains[1].ends) + 1
    found.least_selected -= max(abs(number) for number in domains[0].ends)
    return size


def score_part(key: SOp, query: SOp, comparison: Comparison, scoring: Scoring, found: Scores, weight: Fraction) -> None:
    """Score one comparison: by `weight` where it holds, by 0 or less where not."""
    keys, queries = scoring.analysis.domain(key), scoring.analysis.domain(query)
    common = len(set(keys) & set(queries))
    if comparison == EQUAL and common > SMALL_TABLE:
        _parabola(key, query, scoring, found, weight)
        return
    if is_compared_at_keys(key, query, comparison, scoring.analysis):
        compared = scoring.read(Map(PREDICATE_OF[comparison], (key, query)))
        found.selected += weight
        found.least_selected += weight
        found.add("table", [(scoring.read(Constant(1)), compared, weight)], weight=weight)
        return
    table = _selection_table(keys.values, queries.values, lambda k, q: _holds(comparison, k, q))
    _score_table(key, query, table, scoring, found, weight)


def is_compared_at_keys(key: SOp, query: SOp, comparison: Comparison, analysis: Analysis) -> bool:
    """Whether an order is computed where the keys are: the query is the same everywhere, but no constant (C37)."""
    if key.encoded or len(comparison - EQUAL) != 1 or not analysis.variables(query) or not analysis.is_uniform(query):
        return False
    domains = [analysis.domain(node) for node in (key, query)]
    return all(domain.numeric and len(domain) > SMALL_TABLE for domain in domains)


def _parabola(key: SOp, query: SOp, scoring: Scoring, found: Scores, weight: Fraction) -> None:
    """``-(q - k)^2 = 2qk - k^2 - q^2``: 0 for the equal key, at most -1 for others (C5)."""
    domains = [scoring.analysis.domain(node) for node in (key, query)]
    if not all(domain.numeric for domain in domains):
        codes = [scoring.codes.of(node, domain) for node, domain in zip((key, query), domains, strict=True)]
        score_part(codes[0], codes[1], EQUAL, scoring, found, weight)  # they may be few, of the tokens that are meant
        return
    numbers = _values(key, query, scoring)
    if any(number.denominator != 1 for number in numbers):  # ranks are whole, thirds would be rounded
        rank = {number: ordinal for ordinal, number in enumerate(numbers)}
        score_part(_looked_up(key, rank, scoring), _looked_up(query, rank, scoring), EQUAL, scoring, found, weight)
        return
    gap = min(b - a for a, b in itertools.pairwise(numbers))
    centre = Fraction((numbers[0] + numbers[-1]) // 2)
    if (numbers[-1] - centre) / gap > scoring.largest_code:
        _compare_digits(key, query, numbers, scoring, found, weight)
        return
    k, q = (_scaled(node, centre, gap) for node in (key, query))
    k_squared, q_squared = (Map("*", (node, node)) for node in (k, q))
    read = scoring.exactly
    pairs = [(read(q), read(k), 2 * weight), (scoring.read(Constant(1)), read(k_squared), -weight)]
    reach = max(abs(number - centre) / gap for number in numbers)
    baseline = [(read(q_squared), weight)] if scoring.needs_baseline and scoring.nowhere is None else []
    if scoring.nowhere is not None:  # the tangent of q^2 at that number, which is below q^2 elsewhere (C47)
        none = (scoring.nowhere - centre) / gap
        baseline = [(read(q), 2 * none * weight), (scoring.read(Constant(1)), -none * none * weight)]
    found.add("parabola", pairs, baseline, reach, weight)


def _compare_digits(
    key: SOp, query: SOp, numbers: Sequence[Fraction], scoring: Scoring, found: Scores, weight: Fraction
) -> None:
    """Equal numbers have equal digits: a parabola for each, of the ranks among all numbers (C4)."""
    rank = {number: ordinal for ordinal, number in enumerate(numbers)}
    base = min(2 * scoring.largest_code + 1, math.isqrt(len(numbers) - 1) + 1)
    scoring = replace(scoring, nowhere=None)
    for high in (True, False):
        digit = {number: ordinal // base if high else ordinal % base for number, ordinal in rank.items()}
        one, other = (_looked_up(node, digit, scoring) for node in (key, query))
        score_part(one, other, EQUAL, scoring, found, weight)


def _values(key: SOp, query: SOp, scoring: Scoring) -> list[Fraction]:
    return sorted({number for node in (key, query) for number in scoring.analysis.domain(node).numbers})


def _looked_up(node: SOp, table: Mapping[Fraction, int], scoring: Scoring) -> SOp:
    return Lookup(tuple((value, table[Fraction(value)]) for value in scoring.analysis.domain(node)), node)


def _scaled(node: SOp, centre: Fraction, gap: Fraction) -> SOp:
    shifted = node if centre == 0 else Map("-", (node, Constant(int(centre))))
    return shifted if gap == 1 else Map("/", (shifted, Constant(gap)))


@dataclass(frozen=True)
class _SelectionTable:
    """Which keys each query value selects."""

    keys: tuple[Value, ...]
    queries: tuple[Value, ...]
    rows: tuple[tuple[bool, ...], ...]  # [query][key]

    def columns(self) -> tuple[tuple[bool, ...], ...]:
        return tuple(zip(*self.rows, strict=True))


def _selection_table(
    keys: Sequence[Value], queries: Sequence[Value], holds: Callable[[Value, Value], bool]
) -> _SelectionTable:
    return _SelectionTable(
        tuple(keys), tuple(queries), tuple(tuple(holds(key, query) for key in keys) for query in queries)
    )


def _holds(comparison: Comparison, key: Value, query: Value) -> bool:
    try:
        return compare(comparison, key, query)
    except Undefined:  # an input on which the program has no answer
        return False


def _score_cases(cases: Sequence[Conjunction], scoring: Scoring, found: Scores) -> None:
    """A table over the joint values of all keys and all queries that the cases compare (C4)."""
    key, keys = _joint([key for case in cases for key, _, _ in case.parts], scoring.analysis)
    query, queries = _joint([query for case in cases for _, query, _ in case.parts], scoring.analysis)
    if len(keys) * len(queries) > scoring.analysis.setting.limits.pairs:
        raise refusal(
            "selector-too-large",
            f"an `or` of {len(cases)} selections compares {len(keys)} keys with {len(queries)} queries",
            "write it with fewer alternatives, or compile with a smaller max_length or vocabulary",
        )

    def holds(k: Value, q: Value) -> bool:
        return any(all(_holds(c, keys[k][kn], queries[q][qn]) for kn, qn, c in case.parts) for case in cases)

    _score_table(key, query, _selection_table(list(keys), list(queries), holds), scoring, found, Fraction(1))


def _joint(nodes: Sequence[SOp], analysis: Analysis) -> tuple[SOp, dict[Value, dict[SOp, Value]]]:
    """One number for the joint values of several s-ops, and the values that each number stands for."""
    distinct = list(dict.fromkeys(nodes))
    if len(distinct) == 1:
        return distinct[0], {value: {distinct[0]: value} for value in analysis.domain(distinct[0])}
    joint: SOp = Constant(0)
    unit, digits = 1, []
    for node in distinct:
        values = analysis.domain(node).values
        digit = Lookup(tuple((value, number * unit) for number, value in enumerate(values)), node)
        joint = Map("+", (joint, digit))
        digits.append((node, unit, values))
        unit *= len(values)
    return joint, {
        number: {node: values[int(number) // unit % len(values)] for node, unit, values in digits}
        for number in analysis.domain(joint)
    }


def _score_table(
    key: SOp, query: SOp, table: _SelectionTable, scoring: Scoring, found: Scores, weight: Fraction
) -> None:
    """1 where the table holds, 0 elsewhere: one product for each class of equal rows (or columns, if fewer) (C4)."""
    rows, columns = _classes(table.queries, table.rows), _classes(table.keys, table.columns())
    found.selected += weight
    found.least_selected += weight
    if len(rows) <= len(columns):
        bits = [(chosen, _members(table.keys, row)) for row, chosen in rows.items()]
    else:
        bits = [(_members(table.queries, column), chosen) for column, chosen in columns.items()]
    found.add(
        "table",
        [(_bit(query, q, table.queries, scoring), _bit(key, k, table.keys, scoring), weight) for q, k in bits],
        weight=weight,
    )


def _members(values: Sequence[Value], line: Sequence[bool]) -> list[Value]:
    return [value for value, is_member in zip(values, line, strict=True) if is_member]


def _classes(values: Sequence[Value], lines: Sequence[tuple[bool, ...]]) -> dict[tuple[bool, ...], list[Value]]:
    """Values grouped by their line of the table; those that select nothing are left out."""
    classes: dict[tuple[bool, ...], list[Value]] = {}
    for value, line in zip(values, lines, strict=True):
        if any(line):
            classes.setdefault(line, []).append(value)
    return classes


def _bit(node: SOp, members: Sequence[Value], domain: Sequence[Value], scoring: Scoring) -> Operand:
    """1 where the s-op is one of the members, else 0."""
    if len(members) == len(domain):
        return scoring.read(Constant(1))
    chosen = set(members)
    return scoring.read(Lookup(tuple((value, int(value in chosen)) for value in domain), node))
