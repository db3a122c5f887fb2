"""Attention: what a head adds to the stream, found from its matrices alone and named after what the program asks for.

In: the stream before the layer, of a head that crosses also the encoder's last one, W_Q, W_K, W_V, W_O of the head, the
`Meaning` of the program. Out: for each channel a `Known` number, or a `Sum` over selected keys that is named later,
together with other heads' (`sums`).
Invariants: a selection is accepted only with a margin above its error, at every joint value of what query and key read;
which keys are selected is read off the scores, never off a label.

    scores 256 (2qk - k^2) at their largest where key index = query index: margin 152 nats
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from compiler.trust.verify.columns import Channel, Column, Sum, read
from compiler.trust.verify.fetches import Fetches, Match, Scores
from compiler.trust.verify.machine import OWN, Machine
from compiler.trust.verify.meaning import Meaning
from compiler.trust.verify.space import MAX_PAIRS, Bits, CannotVerify, Classes, Known, Reals, Space, constant, grid

Decide = Callable[[str, float, float], None]
"""Note a decision: what it is, its margin, its error."""


@dataclass(frozen=True)
class Keys:
    """What a head looks at: the same stream that it reads at queries, or, where it `crosses`, the encoder's."""

    machine: Machine
    stream: Sequence[Column]
    longest: int  # how many keys there are at most, without BOS
    causal: bool  # whether a query sees no further than its own position
    crosses: bool = False


class Head:
    """One head, lifted."""

    def __init__(self, name: str, machine: Machine, meaning: Meaning, decide: Decide, keys: Keys) -> None:
        self.name = name
        self.machine = machine
        self.meaning = meaning
        self.decide = decide
        self.keys = keys
        self.n = keys.longest
        self.fetches = Fetches(machine, meaning, keys.longest, keys.crosses)

    # -- scores ------------------------------------------------------------------------------------------------------

    def scores(self, stream: Sequence[Column], query: Reals, key: Reals) -> Scores:
        """The scores, and the check that BOS attends to BOS alone: to itself, or to that of the source."""
        dims = [i for i in range(query.shape[1]) if query[:, i].any() and key[:, i].any()]
        ask = [read(self.machine, stream, query[:, i], self.name) for i in dims]
        offer = [self._at_keys(key[:, i]) for i in dims]
        queries, q = _rows(self.machine.space, [known for known, _ in ask])
        keys, k = _rows(self.keys.machine.space, [known for known, _ in offer])
        if len(q) * len(k) > MAX_PAIRS:
            raise CannotVerify(f"{self.name}: {len(q)} queries times {len(k)} keys are more than {MAX_PAIRS} pairs")
        q_error, k_error = (np.array([known.error for known, _ in side]) for side in (ask, offer))
        q_bos, k_bos = (np.array([float(bos.table) for _, bos in side]) for side in (ask, offer))
        q_bos_error, k_bos_error = (np.array([bos.error for _, bos in side]) for side in (ask, offer))
        score, error = self._products(q, q_error, k, k_error)
        to_bos, to_bos_error = self._products(q, q_error, k_bos[None, :], k_bos_error)
        self._require_fit(score + error, np.abs(to_bos) + to_bos_error)
        gaps, errors = score - to_bos, error + to_bos_error
        if not self.keys.causal:
            own, own_error = self._products(q_bos[None, :], q_bos_error, k_bos[None, :], k_bos_error)
            other, other_error = self._products(q_bos[None, :], q_bos_error, k, k_error)
            margin = float(own[0, 0] - other.max(initial=-math.inf)) - self.machine.p.underflow
            alone = "BOS sees that of the source alone" if self.keys.crosses else "BOS sees itself alone"
            self.decide(f"{self.name}, {alone}", margin, float(own_error[0, 0] + other_error.max(initial=0)))
        return Scores(queries, keys, gaps, errors)

    def _require_fit(self, scores: Reals, to_bos: Reals) -> None:
        """No score is too large; that of BOS is there to be compared with, so it is not too far below 0 either."""
        size = max(float(scores.max(initial=0.0)), float(to_bos.max(initial=0.0)))
        self.machine.require_fit(size, size)

    def _at_keys(self, weights: Reals) -> tuple[Known, Known]:
        return read(self.keys.machine, self.keys.stream, weights, self.name)

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

    def channels(self, scores: Scores, value: Reals, used: Sequence[bool]) -> list[Channel]:
        """What each channel that is used returns."""
        values = [self._at_keys(value[:, i]) if used[i] else (constant(0), constant(0)) for i in range(len(used))]
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
            return Channel(self._sum("sum", scores, selected, whole, 0.0), bos)
        size = value.size
        error = self.n * size * weight * relative + leak * size + self.n * weight * value.error * (1 + relative)
        if p.bits < p.accumulator:
            error += p.rounding(2 * self.n * size * weight)
        found = Known(value.atoms, value.table * weight, 0.0)
        return Channel(self._sum("sum", scores, selected, found, error), bos)

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
        matches = list(self.fetches.matches(scores))
        for value, bos in values:
            if value.is_zero and bos.is_zero:
                yield Channel(constant(0), bos)
                continue
            yield Channel(self._channel(scores, matches, value, bos), bos)

    def _channel(self, scores: Scores, matches: Sequence[Match], value: Known, bos: Known) -> Known | Sum:
        level = len(np.unique(value.table[~np.isnan(value.table)])) == 1
        for match in matches:
            if match.holds if not level else match.finds:
                named = self.fetches.named(match, value, bos)
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
        return self._sum("pick", scores, scores.gaps > 0, value, value.error)

    def _sum(self, kind: Literal["sum", "pick"], scores: Scores, selected: Bits, weight: Known, error: float) -> Sum:
        return Sum(kind, scores.queries, scores.keys, selected, weight, error, self.n, self.keys.crosses)


def _rows(space: Space, forms: Sequence[Known]) -> tuple[Classes, Reals]:
    """The distinct vectors of several forms."""
    sides = [space.classes(known) for known in forms]
    joined, members = space.joint([classes for classes, _ in sides])
    if not sides:
        return joined, np.zeros((joined.count, 0))
    return joined, np.stack([numbers[m] for (_, numbers), m in zip(sides, members, strict=True)], axis=1)
