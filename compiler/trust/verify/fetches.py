"""Fetches: what a head returns that selects as an aggregate of the program does, named after that aggregate.

In: the scores of a head, its values, the `Meaning` of the program. Out: for each value the `Known` that is returned;
None where the scores follow no relation that would tell.
Invariant: at all joint values that can occur, what is selected lies above BOS and above what is not, by more than
what underflows and the error (C7, C16).

    scores 256 (2qk - k^2) at their largest where key index = query index: margin 152 nats
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from compiler.graph.domain import POSITION
from compiler.trust.verify.machine import OWN, Machine
from compiler.trust.verify.meaning import Cases, Meaning, Relation
from compiler.trust.verify.space import Bits, CannotVerify, Classes, Codes, Known, Reals, Space, largest
from rasp.meaning.sop import Aggregate


@dataclass(frozen=True)
class Scores:
    """The scores of a head over classes of queries and keys, in nats, counted from the score of BOS."""

    queries: Classes
    keys: Classes
    gaps: Reals  # [query, key]
    errors: Reals  # of the gaps


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


class Fetches:
    """The aggregates of a program that the scores of a head may follow."""

    def __init__(self, machine: Machine, meaning: Meaning, longest: int, crosses: bool) -> None:
        """`longest`: how many keys there are at most; `crosses`: whether they stand on the source."""
        self.machine = machine
        self.meaning = meaning
        self.space: Space = machine.space
        self.key_space = meaning.of_keys(crosses).space
        self.n = longest
        self.crosses = crosses

    def matches(self, scores: Scores) -> Iterator[Match]:
        """The aggregates' relations, those over the same atoms first."""
        atoms = (set(scores.queries.atoms), set(scores.keys.atoms))

        def distance(cases: Cases) -> int:
            relation = self.meaning.relation(cases)
            read = [
                {a for node in side for a in self.meaning.variables(node)} for side in (relation.queries, relation.keys)
            ]
            return sum(len(one ^ other) for one, other in zip(atoms, read, strict=True))

        for cases in sorted((one for one in self.meaning.groups if one.crosses == self.crosses), key=distance):
            for match in self._followed(scores, cases):
                yield match
                if match.holds:
                    return

    def _followed(self, scores: Scores, cases: Cases) -> Iterator[Match]:
        for relation in self.meaning.relations(cases):
            try:
                match = self._matched(scores, cases, relation)
            except CannotVerify:
                continue
            if match.finds:
                yield match

    def _matched(self, scores: Scores, cases: Cases, relation: Relation) -> Match:
        sure = all(self.meaning.analysis.never_empty(node.selector) for node in self.meaning.groups[cases])
        nowhere = self.meaning.nowhere(cases) if not sure and relation.sees == "all" else None
        place = [self.meaning.classes(POSITION)[0]] if relation.sees != "all" or nowhere is not None else []
        truth, undefined, queries, keys = self.meaning.agreement(relation, [scores.queries], [scores.keys, *place])
        pairs = np.ix_(queries[0], keys[0])
        gaps, errors = scores.gaps[pairs], scores.errors[pairs]
        steps = [keys[1] if relation.sees == "last" else -keys[1]] if relation.sees != "all" else []
        others, selecting = ~(truth | undefined), truth.any(axis=1)
        empty = np.ones_like(selecting)
        if nowhere is not None:  # a query that finds its place may have others above BOS beside it (C47)
            empty = np.asarray(~selecting | truth[:, keys[1] == int(nowhere)].any(axis=1))
        margins: list[tuple[float, float, float]] = []
        for slack in (0.0 * errors, errors):  # as designed, and as bad as errors can make it
            low = np.where(truth, gaps - slack, math.inf).min(axis=1)[selecting]
            over = np.where(others, gaps + slack, -math.inf).max(axis=1)
            apart = float((low - over[selecting]).min(initial=math.inf))
            apart = min([apart, *(_least_step(step, gaps, slack, truth) for step in steps)])
            below = math.inf if sure else -float(over[empty].max(initial=-math.inf))
            margins.append((apart, float(low.min(initial=math.inf)), below))
        low = np.where(truth, gaps - errors, math.inf).min(axis=1)[selecting]
        high = np.where(truth, gaps + errors, -math.inf).max(axis=1)[selecting]
        spread = 0.0 if steps else float((high - low).max(initial=0.0))  # one key is seen
        return Match(cases, self.machine.p.underflow, margins[0], margins[1], spread, sure)

    def named(self, match: Match, value: Known, bos: Known) -> Known | None:
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
        own, numbers = self.key_space.classes(value)
        _, members = self.key_space.joint([*(classes for classes, _ in sides), own])
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
        own, numbers = self.key_space.classes(value)
        _, (one, other) = self.key_space.joint([classes, own])
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


def _least_step(places: Codes, gaps: Reals, slack: Reals, truth: Bits) -> float:
    """By how much the scores of selected keys rise, at least, from one place to any later one. `places` are those of
    the keys, [key]; at one place there is one key, whichever of the joint values it has."""
    order = np.argsort(places, kind="stable")
    starts = np.flatnonzero(np.diff(places[order], prepend=places[order[0]] - 1))
    low = np.minimum.reduceat(np.where(truth, gaps - slack, math.inf)[:, order], starts, axis=1)
    high = np.maximum.reduceat(np.where(truth, gaps + slack, -math.inf)[:, order], starts, axis=1)
    before = np.maximum.accumulate(high, axis=1)[:, :-1]
    there = np.isfinite(before) & np.isfinite(low[:, 1:])
    return float((low[:, 1:] - before)[there].min(initial=math.inf))


def _line(points: Sequence[tuple[float, float]]) -> tuple[float, float, float] | None:
    """Slope and constant of the line through the outermost of some points, and how far the others are from it."""
    if not points:
        return None
    x, y = np.array(points).T
    low, high = int(np.argmin(x)), int(np.argmax(x))
    a = float(y[high] - y[low]) / float(x[high] - x[low]) if x[low] < x[high] else 0.0
    b = float(y[low]) - a * float(x[low])
    return a, b, float(np.abs(a * x + b - y).max())
