"""Attention: what a head adds to the stream, found from its matrices alone and named after what the program asks for.

In: the stream before the layer, W_Q, W_K, W_V, W_O of one head, the `Meaning` of the program. Out: for each channel a
`Known` number, or a `Sum` over selected keys that is named later, together with other heads' (`named`).
Invariants: a selection is accepted only with a margin above its error, at every joint value of what query and key read;
which keys are selected is read off the scores, never off a label.

    scores 256 (2qk - k^2) at their largest where key index = query index: margin 152 nats
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from compiler.trust.verify.machine import OWN, Machine
from compiler.trust.verify.meaning import Cases, Meaning, Relation
from compiler.trust.verify.space import Bits, CannotVerify, Classes, Codes, Known, Reals, Space, constant, grid, largest
from rasp.sop import Aggregate, Constant, Total, Width

MAX_PAIRS = 1 << 24
"""Most pairs of a query class and a key class that are looked at."""
Decide = Callable[[str, float, float], None]
"""Note a decision: what it is, its margin, its error."""


@dataclass(frozen=True)
class Column:
    """A column of the stream: its number at every position but BOS, its number at BOS, and what has no name yet."""

    known: Known
    bos: Known
    sums: tuple[Sum, ...] = ()
    base: Known | None = None  # what `sums` are added to


@dataclass(frozen=True)
class Scores:
    """The scores of a head over classes of queries and keys, in nats, counted from the score of BOS."""

    queries: Classes
    keys: Classes
    gaps: Reals  # [query, key]
    errors: Reals  # of the gaps


@dataclass(frozen=True)
class Sum:
    """The sum of ``weight(key)`` over the keys that are selected, where no name for it is known yet.

    A "pick" is a mean head that returns 0 for an empty row: it is this sum where it selects one key at most.
    """

    kind: Literal["sum", "pick"]
    queries: Classes
    keys: Classes
    selected: Bits  # [query, key]
    weight: Known
    error: float

    def largest(self, keys: int) -> float:
        """The largest it can be, of so many keys. A "pick" is a mean, so it is no larger than what is picked."""
        return self.weight.size * (keys if self.kind == "sum" else 1) if self.selected.any() else 0.0

    def times(self, factor: float) -> Sum:
        """A multiple of it."""
        weight = Known(self.weight.atoms, self.weight.table * factor, self.weight.error * abs(factor))
        return replace(self, weight=weight, error=self.error * abs(factor))

    def in_whole_numbers(self, keys: int) -> Sum:
        """With weights that are meant to be whole numbers made so; what that changes is error, for so many keys."""
        if self.kind != "sum":
            return self
        table = np.rint(self.weight.table)
        missed = largest(table - self.weight.table)
        if missed > 2.0**-10:
            return self
        return replace(self, weight=replace(self.weight, table=table), error=self.error + keys * missed)


@dataclass(frozen=True)
class Channel:
    """What one dimension of a head's values returns: a number or a sum, and what it is at BOS."""

    found: Known | Sum
    bos: Known


class Head:
    """One head, lifted."""

    def __init__(
        self, name: str, machine: Machine, meaning: Meaning, decide: Decide, causal: bool, longest: int
    ) -> None:
        self.name = name
        self.machine = machine
        self.meaning = meaning
        self.space: Space = machine.space
        self.decide = decide
        self.causal = causal
        self.n = longest

    # -- scores ------------------------------------------------------------------------------------------------------

    def scores(self, stream: Sequence[Column], query: Reals, key: Reals) -> Scores:
        """The scores, and the check that BOS attends to itself alone."""
        dims = [i for i in range(query.shape[1]) if query[:, i].any() and key[:, i].any()]
        ask = [self._read(stream, query[:, i]) for i in dims]
        offer = [self._read(stream, key[:, i]) for i in dims]
        queries, q = self._rows([known for known, _ in ask])
        keys, k = self._rows([known for known, _ in offer])
        if len(q) * len(k) > MAX_PAIRS:
            raise CannotVerify(f"{self.name}: {len(q)} queries times {len(k)} keys are more than {MAX_PAIRS} pairs")
        q_error, k_error = (np.array([known.error for known, _ in side]) for side in (ask, offer))
        q_bos, k_bos = (np.array([float(bos.table) for _, bos in side]) for side in (ask, offer))
        q_bos_error, k_bos_error = (np.array([bos.error for _, bos in side]) for side in (ask, offer))
        score, error = self._products(q, q_error, k, k_error)
        to_bos, to_bos_error = self._products(q, q_error, k_bos[None, :], k_bos_error)
        self._require_fit(score + error, np.abs(to_bos) + to_bos_error)
        gaps, errors = score - to_bos, error + to_bos_error
        if not self.causal:
            own, own_error = self._products(q_bos[None, :], q_bos_error, k_bos[None, :], k_bos_error)
            other, other_error = self._products(q_bos[None, :], q_bos_error, k, k_error)
            margin = float(own[0, 0] - other.max(initial=-math.inf)) - self.machine.p.underflow
            self.decide(
                f"{self.name}, BOS sees itself alone", margin, float(own_error[0, 0] + other_error.max(initial=0))
            )
        return Scores(queries, keys, gaps, errors)

    def _require_fit(self, scores: Reals, to_bos: Reals) -> None:
        """No score is too large; that of BOS is there to be compared with, so it is not too far below 0 either."""
        size = max(float(scores.max(initial=0.0)), float(to_bos.max(initial=0.0)))
        self.machine.require_fit(size, size)

    def _read(self, stream: Sequence[Column], weights: Reals) -> tuple[Known, Known]:
        return read(self.machine, stream, weights, self.name)

    def _rows(self, forms: Sequence[Known]) -> tuple[Classes, Reals]:
        """The distinct vectors of several forms."""
        sides = [self.space.classes(known) for known in forms]
        joined, members = self.space.joint([classes for classes, _ in sides])
        if not sides:
            return joined, np.zeros((joined.count, 0))
        return joined, np.stack([numbers[m] for (_, numbers), m in zip(sides, members, strict=True)], axis=1)

    def _products(self, q: Reals, q_error: Reals, k: Reals, k_error: Reals) -> tuple[Reals, Reals]:
        """Scores of all pairs, and their errors."""
        p = self.machine.p
        with np.errstate(over="ignore", invalid="ignore"):
            score, size = q @ k.T, np.abs(q) @ np.abs(k).T
        self.machine.require_fit(0.0, float(size.max(initial=0.0)))
        with np.errstate(over="ignore", invalid="ignore"):
            error = (np.abs(q) @ k_error)[:, None] + (np.abs(k) @ q_error)[None, :] + q_error @ k_error
        if not (error < 2.0**126).all():
            raise CannotVerify(f"{self.name}: nothing is known of its scores, so large are their errors")
        exact = not q_error.any() and not k_error.any()
        units = [grid(q[:, i]) * grid(k[:, i]) for i in range(q.shape[1])]
        unit = min(units, default=math.inf)
        largest_size = float(size.max(initial=0.0))
        if not (exact and (math.isinf(unit) or largest_size / unit <= min(p.sum_whole, 2.0**53))):
            terms = q.shape[1] + 1
            error = error + terms * (p.sum_unit + OWN) * (size + error)
        if p.bits < p.accumulator:
            stored = ~self.machine.holds(score) | (error > 0.0)
            error = error + np.where(stored & (np.abs(score) + error > 0), p.unit * (np.abs(score) + error), 0.0)
        return score, error

    # -- channels ----------------------------------------------------------------------------------------------------

    def channels(self, stream: Sequence[Column], scores: Scores, value: Reals, used: Sequence[bool]) -> list[Channel]:
        """What each channel that is used returns."""
        values = [self._read(stream, value[:, i]) if used[i] else (constant(0), constant(0)) for i in range(len(used))]
        for known, bos in values:  # their sum may be divided by that of the weights in the end only
            self.machine.require_fit(0.0, self.n * known.size + bos.size)
        top = float(scores.gaps.max(initial=-math.inf))
        cut = -self.machine.p.underflow / 2
        inner = bool(((scores.gaps > -self.machine.p.underflow) & (scores.gaps < self.machine.p.underflow)).any())
        if inner and cut < top < 0:
            return [self._summed(scores, top, *pair) for pair in values]
        return list(self._fetched(scores, values))

    def _summed(self, scores: Scores, top: float, value: Known, bos: Known) -> Channel:
        """BOS outweighs every key: the sum of what is selected, times exp(top) (C6)."""
        p = self.machine.p
        if value.is_zero and bos.is_zero:
            return Channel(constant(0), bos)
        if not bos.is_zero:
            raise CannotVerify(f"{self.name} counts, but its value at BOS is not 0")
        selected = scores.gaps > top - 4
        rest = np.where(selected, -math.inf, scores.gaps + scores.errors)
        deviation = float(np.where(selected, np.abs(scores.gaps - top) + scores.errors, 0.0).max(initial=0.0))
        weight, beyond = math.exp(top), float(rest.max(initial=-math.inf))
        leak = 0.0 if beyond <= -p.underflow else self.n * math.exp(min(beyond, 600.0))
        crowd = self.n * math.exp(min(top + deviation, 600.0))
        relative = math.expm1(min(deviation, 600.0)) + crowd + (self.n / 2 + 8) * p.sum_unit
        relative *= 1 + 2.0**-8  # second order
        if leak == value.error == 0.0 and (whole := self._whole(value, weight, relative)) is not None:
            return Channel(Sum("sum", scores.queries, scores.keys, selected, whole, 0.0), bos)
        size = value.size
        error = self.n * size * weight * relative + leak * size + self.n * weight * value.error * (1 + relative)
        if p.bits < p.accumulator:
            error += p.rounding(2 * self.n * size * weight)
        found = Known(value.atoms, value.table * weight, 0.0)
        return Channel(Sum("sum", scores.queries, scores.keys, selected, found, error), bos)

    def _whole(self, value: Known, weight: float, relative: float) -> Known | None:
        """Multiples of a power of two, to which a narrow dtype rounds the sums of one value; None if it does not."""
        numbers = np.unique(value.table[~np.isnan(value.table) & (value.table != 0)])
        if len(numbers) != 1:
            return None
        power = 2.0 ** round(math.log2(abs(float(numbers[0])) * weight))
        off = abs(abs(float(numbers[0])) * weight / power - 1) + relative * 2
        fits = self.n <= self.machine.p.whole and bool(self.machine.holds(np.array([power, power * self.n])).all())
        if not (fits and off < self.machine.p.unit / 2):
            return None
        return Known(value.atoms, np.sign(value.table) * power)

    def _fetched(self, scores: Scores, values: Sequence[tuple[Known, Known]]) -> Iterator[Channel]:
        """One value, or a mean, or what BOS holds: named after an aggregate whose relation the scores follow."""
        matches = list(self._matches(scores))
        for value, bos in values:
            if value.is_zero and bos.is_zero:
                yield Channel(constant(0), bos)
                continue
            yield Channel(self._channel(scores, matches, value, bos), bos)

    def _channel(self, scores: Scores, matches: Sequence[Match], value: Known, bos: Known) -> Known | Sum:
        level = len(np.unique(value.table[~np.isnan(value.table)])) == 1
        for match in matches:
            if match.holds if not level else match.finds:
                named = self._named(match, value, bos, level)
                if named is not None:
                    for what, margin, error in match.decisions(level):
                        self.decide(f"{self.name}, {what}", margin, error)
                    return named
        if bos.is_zero and (pick := self._pick(scores, value)) is not None:
            return pick
        raise CannotVerify(f"{self.name}: its scores select by no relation of the program")

    def _pick(self, scores: Scores, value: Known) -> Sum | None:
        """Keys above BOS and keys below it, told apart."""
        beyond = np.abs(scores.gaps) - self.machine.p.underflow
        if not (beyond > scores.errors).all():
            return None
        tightest = np.unravel_index(np.argmin(beyond - scores.errors), beyond.shape)
        self.decide(f"{self.name}, selected keys, in nats", float(beyond[tightest]), float(scores.errors[tightest]))
        return Sum("pick", scores.queries, scores.keys, scores.gaps > 0, value, value.error)

    def _matches(self, scores: Scores) -> Iterator[Match]:
        """The aggregates' relations, those over the same atoms first."""
        atoms = (set(scores.queries.atoms), set(scores.keys.atoms))

        def distance(cases: Cases) -> int:
            relation = self.meaning.relation(cases)
            read = [
                {a for node in side for a in self.meaning.analysis.variables(node)}
                for side in (relation.queries, relation.keys)
            ]
            return sum(len(one ^ other) for one, other in zip(atoms, read, strict=True))

        for cases in sorted(self.meaning.groups, key=distance):
            try:
                match = self._matched(scores, cases)
            except CannotVerify:
                continue
            if match.finds:
                yield match
                if match.holds:
                    return

    def _matched(self, scores: Scores, cases: Cases) -> Match:
        relation = self.meaning.relation(cases)
        truth, undefined, queries, keys = agreement(self.meaning, relation, [scores.queries], [scores.keys])
        pairs = np.ix_(queries[0], keys[0])
        gaps, errors = scores.gaps[pairs], scores.errors[pairs]
        others, selecting = ~(truth | undefined), truth.any(axis=1)
        sure = all(self.meaning.analysis.never_empty(node.selector) for node in self.meaning.groups[cases])
        margins: list[tuple[float, float, float]] = []
        for slack in (0.0 * errors, errors):  # as designed, and as bad as errors can make it
            low = np.where(truth, gaps - slack, math.inf).min(axis=1)[selecting]
            over = np.where(others, gaps + slack, -math.inf).max(axis=1)
            apart = float((low - over[selecting]).min(initial=math.inf))
            below = math.inf if sure else -float(over.max(initial=-math.inf))
            margins.append((apart, float(low.min(initial=math.inf)), below))
        low = np.where(truth, gaps - errors, math.inf).min(axis=1)[selecting]
        high = np.where(truth, gaps + errors, -math.inf).max(axis=1)[selecting]
        return Match(
            cases, self.machine.p.underflow, margins[0], margins[1], float((high - low).max(initial=0.0)), sure
        )

    def _named(self, match: Match, value: Known, bos: Known, level: bool) -> Known | None:
        """The value as a function of what the aggregates of this relation return; None if it is none."""
        group = self.meaning.groups[match.cases]
        analysis = self.meaning.analysis
        picks = [node for node in group if analysis.picks(node)]
        fetched = tuple(node for node in self.meaning.fetched(group) if node in picks)
        for node in picks:
            found = self._picked((node,), match, value, bos, node in fetched)
            if found is not None:
                return found
        for node in group:
            if node not in picks and (found := self._averaged(node, match, value, bos)) is not None:
                return found
        return self._picked(fetched, match, value, bos, single=True) if len(fetched) > 1 else None

    def _picked(
        self, nodes: tuple[Aggregate, ...], match: Match, value: Known, bos: Known, single: bool
    ) -> Known | None:
        """A function of what is picked is picked (C7)."""
        sides = [self.meaning.classes(node.value) for node in nodes]
        own, numbers = self.space.classes(value)
        _, members = self.space.joint([*(classes for classes, _ in sides), own])
        atoms = self.space.union([nodes])
        shape = self.space.shape(atoms)
        axes = [atoms.index(node) for node in nodes]
        places = [{v: i for i, v in enumerate(self.space.values(node))} for node in nodes]
        table = np.full(shape, np.nan)
        rows: list[Codes] = [np.zeros(0, dtype=np.int64)] * len(nodes)
        for axis, (_, values), codes, place in zip(axes, sides, members, places, strict=False):
            rows[axis] = np.array([place.get(v, -1) for v in values], dtype=np.int64)[codes]
        if any((row < 0).any() for row in rows):
            return None
        table[tuple(rows)] = numbers[members[-1]]
        if not np.array_equal(table[tuple(rows)], numbers[members[-1]]):
            return None
        if not match.sure:
            empty = tuple(places[nodes.index(atom)].get(atom.default, -1) for atom in atoms)  # type: ignore[attr-defined]
            if -1 in empty or not (np.isnan(table[empty]) or table[empty] == float(bos.table)):
                return None
            table[empty] = float(bos.table)
        error = self._mean_error(match, value, bos, single)
        return self.space.known(atoms, table, error)

    def _averaged(self, node: Aggregate, match: Match, value: Known, bos: Known) -> Known | None:
        """The mean of ``a x + b`` is a times the mean of x, plus b. A string is only ever fetched alone."""
        classes, values = self.meaning.classes(node.value)
        own, numbers = self.space.classes(value)
        _, (one, other) = self.space.joint([classes, own])
        fetched = {values[i]: y for i, y in zip(one, numbers[other], strict=True) if isinstance(values[i], str)}
        if any(fetched.get(values[i], y) != y for i, y in zip(one, numbers[other], strict=True)):
            return None
        line = _line(
            [
                (float(v), y)
                for v, y in zip(map(values.__getitem__, one), numbers[other], strict=True)
                if v not in fetched
            ]
        )
        if line is None:
            return None
        a, b, missed = line
        if isinstance(node.default, str):
            fetched.setdefault(node.default, float(bos.table))
        if not match.sure:
            at_default = fetched.get(node.default)
            expected = a * float(node.default) + b if at_default is None else at_default
            missed = max(missed, abs(expected - float(bos.table)))
        if missed > 2.0**-20 * largest(value.table) or not math.isfinite(a):
            return None
        told = fetched | {v: a * float(v) + b for v in self.space.values(node) if not isinstance(v, str)}
        means = np.array([told.get(v, np.nan) for v in self.space.values(node)])  # a string that no key has: never
        error = self._mean_error(match, value, bos, False) + missed + OWN * 4 * (largest(means) + 2 * abs(b))
        return self.space.known((node,), means, error)

    def _mean_error(self, match: Match, value: Known, bos: Known, single: bool) -> float:
        """What weights that are not quite equal, and sums of them, add to the error of the values."""
        p = self.machine.p
        empty = 0.0 if match.sure else bos.error
        if value.is_zero:
            return empty
        left = self._left(min(match.worst), value.size + bos.size)
        if single and match.holds:
            return max(value.error, empty) + left
        numbers = value.table[~np.isnan(value.table)]
        spread = (float(numbers.max()) - float(numbers.min())) * math.expm1(min(match.spread, 600.0))
        summed = (self.n + 8) * p.sum_unit * value.size + p.rounding(2 * value.size)
        return max(value.error + spread + summed, empty) + left

    def _left(self, below: float, size: float) -> float:
        """What keys add that are so many nats below the best one: nothing, where it is rounded away."""
        p, left = self.machine.p, self.n * math.exp(min(-below, 0.0)) * size
        return 0.0 if below >= p.zero or left < p.rounding(p.smallest) else left


def _line(points: Sequence[tuple[float, float]]) -> tuple[float, float, float] | None:
    """Slope and constant of the line through the outermost of some points, and how far the others are from it."""
    if not points:
        return None
    x, y = np.array(points).T
    low, high = int(np.argmin(x)), int(np.argmax(x))
    a = float(y[high] - y[low]) / float(x[high] - x[low]) if x[low] < x[high] else 0.0
    b = float(y[low]) - a * float(x[low])
    return a, b, float(np.abs(a * x + b - y).max())


@dataclass(frozen=True)
class Match:
    """How well scores follow a relation, in nats: the three distances as designed, and at worst.

    Of selected keys from others of the same query, of selected keys from BOS, and of BOS from other keys.
    """

    cases: Cases
    underflow: int
    designed: tuple[float, float, float]
    worst: tuple[float, float, float]
    spread: float  # between selected keys of one query, errors included
    sure: bool

    @property
    def finds(self) -> bool:
        """BOS is seen where no key is selected, and only there."""
        return min(self.worst[1:]) > self.underflow

    @property
    def holds(self) -> bool:
        """And no key is seen that is not selected, beside one that is."""
        return min(self.worst) > self.underflow

    def decisions(self, level: bool) -> Iterator[tuple[str, float, float]]:
        """What was decided: its margin and its error."""
        names = ("selected keys against others", "selected keys against BOS", "BOS against other keys")
        for name, designed, worst in list(zip(names, self.designed, self.worst, strict=True))[level:]:
            if math.isfinite(designed):
                yield f"{name}, in nats", designed - self.underflow, designed - worst


def read(machine: Machine, stream: Sequence[Column], weights: Reals, who: str) -> tuple[Known, Known]:
    """A column of a reading matrix: what it reads at a token, and at BOS."""
    terms = [(float(weights[c]), stream[c]) for c in np.flatnonzero(weights).tolist()]
    for _, column in terms:
        if column.sums:
            raise CannotVerify(f"{who} reads a sum over keys that is nothing the program counts or aggregates")
    known = machine.form([(w, column.known) for w, column in terms])
    return known, machine.form([(w, column.bos) for w, column in terms])


def agreement(
    meaning: Meaning, relation: Relation, queries: Sequence[Classes], keys: Sequence[Classes]
) -> tuple[Bits, Bits, list[Codes], list[Codes]]:
    """Truth of a relation over joint classes of its own s-ops and of others; the others' class in each."""
    asked = [meaning.classes(node)[0] for node in relation.queries]
    offered = [meaning.classes(node)[0] for node in relation.keys]
    _, q = meaning.space.joint([*queries, *asked])
    _, k = meaning.space.joint([*keys, *offered])
    wide, high = len(q[0]), len(k[0])
    if wide * high > MAX_PAIRS:
        raise CannotVerify(f"{wide} queries times {high} keys are more than {MAX_PAIRS} pairs")
    truth, undefined = meaning.truth(relation, q[len(queries) :], k[len(keys) :])
    shape = (wide, high)
    return np.broadcast_to(truth, shape), np.broadcast_to(undefined, shape), q[: len(queries)], k[: len(keys)]


# -- sums --------------------------------------------------------------------------------------------------------------


def named(meaning: Meaning, sums: Sequence[Sum]) -> tuple[Known, float] | None:
    """The sums together, as a multiple of a count or total or as what an aggregate picks, and how far they are off."""
    atoms = {atom for one in sums for atom in (*one.queries.atoms, *one.keys.atoms)}
    candidates: list[Width | Total | Aggregate] = [*meaning.sums]
    candidates += [node for group in meaning.groups.values() for node in group if meaning.analysis.selects_one(node)]

    def distance(node: Width | Total | Aggregate) -> int:
        relation = meaning.relation(meaning.cases(node.selector))
        variables = {a for one in (*relation.queries, *relation.keys) for a in meaning.analysis.variables(one)}
        return len(atoms ^ variables)

    for node in sorted(candidates, key=distance):
        try:
            found = _one_of(meaning, sums, node) if isinstance(node, Aggregate) else _added(meaning, sums, node)
        except CannotVerify:
            continue
        if found is not None:
            return found
    return None


def _weights(
    meaning: Meaning, sums: Sequence[Sum], node: Width | Total | Aggregate, more: Sequence[Classes]
) -> tuple[Bits, Bits, list[Bits], Reals, list[Codes]]:
    """Truth, undefined, what each sum selects, and what all give, [query, key]; the classes of `more` at the keys."""
    relation = meaning.relation(meaning.cases(node.selector))
    sides = [meaning.space.classes(one.weight) for one in sums]
    truth, undefined, q, k = agreement(
        meaning,
        relation,
        [one.queries for one in sums],
        [*(one.keys for one in sums), *(classes for classes, _ in sides), *more],
    )
    count = len(sums)
    selected = [one.selected[np.ix_(a, b)] for one, a, b in zip(sums, q, k, strict=False)]
    weights = [numbers[code] for (_, numbers), code in zip(sides, k[count:], strict=False)]
    given = sum((s * w[None, :] for s, w in zip(selected, weights, strict=True)), np.zeros(truth.shape))
    return truth, undefined, selected, given, k[2 * count :]


def _added(meaning: Meaning, sums: Sequence[Sum], node: Width | Total) -> tuple[Known, float] | None:
    """Weights that are a multiple of the number that each key counts for, and 0 at other keys."""
    if any(one.kind != "sum" for one in sums):
        return None
    classes, values = meaning.classes(node.value if isinstance(node, Total) else Constant(1))
    truth, undefined, _, given, (codes,) = _weights(meaning, sums, node, [classes])
    wanted = np.broadcast_to(np.array([float(v) for v in values])[codes], truth.shape) * truth
    at = np.unravel_index(int(np.abs(wanted).argmax()), wanted.shape)
    if wanted[at] == 0.0:
        return None
    factor = float(round(float(given[at] / wanted[at]) * 2**10)) / 2**10
    if factor == 0.0:
        return None
    missed = float(np.abs(np.where(undefined, 0.0, given - factor * wanted)).max())
    if missed > abs(factor) / 16:
        return None
    table = factor * np.array([float(v) for v in meaning.space.values(node)])
    return Known((node,), table), missed * meaning.analysis.setting.max_length


def _one_of(meaning: Meaning, sums: Sequence[Sum], node: Aggregate) -> tuple[Known, float] | None:
    """Heads of which one at most finds a key, together: the one that the aggregate picks."""
    classes, values = meaning.classes(node.value)
    truth, undefined, selected, given, (codes,) = _weights(meaning, sums, node, [classes])
    inside = truth | undefined
    if any((one & ~inside).any() for one in selected):
        return None
    place = {v: i for i, v in enumerate(meaning.space.values(node))}
    table = np.full(len(place), np.nan)
    for code, value in enumerate(values):
        held = given[:, codes == code][truth[:, codes == code]]
        if len(held):
            if held.min() != held.max() or value not in place:
                return None
            table[place[value]] = held[0]
    if not meaning.analysis.never_empty(node.selector):
        empty = place.get(node.default, -1)
        if empty < 0 or not (np.isnan(table[empty]) or table[empty] == 0.0):
            return None
        table[empty] = 0.0
    return meaning.space.known((node,), table, 0.0), 0.0
