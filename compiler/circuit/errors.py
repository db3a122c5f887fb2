"""Errors: how far what heads, neurons and logits compute can be from what they should, and the decisions they rest on.

In: heads, neurons and outputs of a circuit, and the readings of its stream. Out: a `Bound` for each direction that is
written; decisions on the way.
Invariant: while the decisions hold, no error is larger than its bound, at any token of any input (C17).

    hist, selected keys, in nats: margin 24, error 0
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from compiler.circuit.certificate import Decision
from compiler.circuit.circuit import Circuit, Output
from compiler.circuit.decoding import Digit, scaling
from compiler.circuit.layer import Channel, Head, Neuron, Part
from compiler.circuit.readings import Readings
from compiler.numbers.bound import SLACK, Bound, product_error, summed
from compiler.numbers.direction import ONE, Direction, Form
from compiler.numbers.exact import Multiples, real, whole
from compiler.numbers.grid import common_grid, grid_of_products
from compiler.numbers.powers import is_dyadic, is_power, odd
from compiler.numbers.rounding import holds_all, leak, left_over, mean_error, stored, sum_error, sum_stored
from rasp.text.source import counted

PLATEAU = 1 / 4
"""Share of the distance between two numbers over which a step between them is flat, on both sides (C8)."""
THRESHOLD = 1 / 2
"""Where BOS stands between the score of a selected key and that of the next one, in steps (C2)."""
NEAREST = 1 / 2
"""What is decoded as the nearest of several numbers, or rounded to a whole one, may be off by less, in distances."""


class HeadErrors(Readings):
    """What heads add."""

    def __init__(self, circuit: Circuit, encoder: Readings | None = None) -> None:
        super().__init__(circuit, encoder)
        self.leaks: set[Direction] = set()  # of heads that move inexact values, or add what unselected keys have

    def head(self, head: Head) -> Iterator[tuple[Direction, Bound]]:
        """What a head adds to each direction that it writes."""
        sharp = head.sharpness(self.p)
        nats = self._deviation(head, sharp)
        margin = sharp * float(head.score_gap) * (1.0 if head.sure else THRESHOLD) - self.p.underflow
        if head.mode == "mean":
            self.decisions.append(Decision(f"{head.name}, selected keys, in nats", margin, nats, head.node))
        below = margin + self.p.underflow - nats
        leaked = self.leak(head, nats) if head.mode == "sum" else 0.0
        for channel in head.channels:
            if leaked or self.at_keys(head).form(channel.read).error:
                self.leaks.add(channel.write)
            yield channel.write, self._moved(head, channel, nats, below, leaked)

    def _moved(self, head: Head, channel: Channel, nats: float, below: float, leaked: float) -> Bound:
        """What one channel adds: over a row that selects something, or the default of an empty one."""
        keys = self.at_keys(head)
        value, empty = keys.form(channel.read), self.exact((channel.default,))
        spacing = common_grid(value.grid, empty.grid)
        if head.mode == "sum":
            error = sum_error(self.p, keys.n, value, nats, leaked)
            low, high = summed(value, keys.n)
            kept = 1.0 if channel.write in self.circuit.offsets else None
        else:
            error = mean_error(self.p, keys.n, value, nats, head.single)
            error += left_over(self.p, keys.n, below, value.size + empty.size)
            low, high, kept = value.low, value.high, None
        exact = error == 0.0 and empty.error == 0.0
        return Bound(low, high, max(error, empty.error) * SLACK, spacing if exact else None, kept)

    def leak(self, head: Head, nats: float) -> float:
        """What unselected keys of a count add up to, in units of a selected one."""
        return leak(self.p, self.at_keys(head).n, head.sharpness(self.p) * float(head.score_gap) - nats)

    def _deviation(self, head: Head, sharp: int) -> float:
        """By how many nats a score may move against another: both carry errors and are rounded, BOS misses its own."""
        carried = 2 * sharp * sum(self._part(head, part) for part in head.parts) * SLACK
        return carried + (2 * self._score_rounding(head, sharp) + sharp * self._at_bos(head))

    def _at_bos(self, head: Head) -> float:
        """How far BOS, as a key, misses its score: by the rounding of the weight that puts it there."""
        missed, bos = 0.0, self.at_keys(head).bos
        for query, key in head.scores:
            if not self.p.holds(key.at(bos)):
                missed += self.form(query).size * self.p.rounding(abs(real(key.at(bos))))
        return missed

    def _part(self, head: Head, part: Part) -> float:
        """How far a score and its threshold may move, in units of the score."""
        lifted, keys = self.form(part.baseline).error, self.at_keys(head)
        return lifted + sum(product_error(self.form(query), keys.form(key)) for query, key in part.pairs)

    def _score_rounding(self, head: Head, sharp: int) -> float:
        """Rounding of the sum of products, in nats, as long as it is not exact, and of storing it (C5, C17).

        Counted from the selected one, which is 0 then, a score is not rounded where it matters. The domains say what a
        parabola can be: its products are 3 reach^2 together, the best score reach^2.
        """
        keys = self.at_keys(head)
        forms = [[(self.form(query), keys.form(key)) for query, key in part.pairs] for part in head.parts]
        total = sum(_largest_score(part, pairs) for part, pairs in zip(head.parts, forms, strict=True))
        pairs = [pair for part in forms for pair in part]
        grid = grid_of_products((Fraction(q.grid), k.grid) if q.grid else (None, None) for q, k in pairs)
        relative = self.p.relative_scores and head.baseline is not None
        if relative and head.baseline is not None:
            baseline = self.form(head.baseline + Form.constant(head.selected))
            total, grid = total + baseline.size, common_grid(grid, baseline.grid)
        # what is summed is `sharp` times as large, on a grid that is as many powers of two coarser
        exact = grid is not None and self.p.sums(total * odd(sharp), grid)
        rounding = 0.0 if exact else self.p.sum_rounding(len(pairs) + 1, total)
        if self.p.bits < self.p.accumulator and not (relative and exact):
            best = sum(part.best if part.kind == "parabola" else total for part in head.parts)
            rounding += 0.0 if exact and grid and self.p.stores(best, grid) else self.p.rounding(best)
        return sharp * rounding


class NeuronErrors(Readings):
    """What neurons add."""

    def neurons(self, direction: Direction, group: list[tuple[Neuron, Fraction]]) -> Bound:
        """What the neurons that write a direction add to it, each with its weight."""
        low, high = self.written(direction)
        reads = [self.form(neuron.read) for neuron, _ in group]
        weights = [real(weight) for _, weight in group]
        rounding = [self.preactivation(neuron, read) for (neuron, _), read in zip(group, reads, strict=True)]
        sums = sum(abs(w) * max(read.high, 0.0) for w, read in zip(weights, reads, strict=True))
        own = sum(abs(w) * r for w, r in zip(weights, rounding, strict=True))
        grid = grid_of_products((weight, read.grid) for (_, weight), read in zip(group, reads, strict=True))
        held = all(self.p.holds(weight) for _, weight in group)
        size = max(abs(low), abs(high))
        if grid is None or not (held and self.p.sums(sums, grid) and self.p.stores(size, grid)):
            exact = held and _is_step(group, own) and self.p.bits == self.p.accumulator
            own += 0.0 if exact else sum_stored(self.p, len(group), sums, size, held)
            grid = None
        carried = self._carried(direction, group, reads)
        stairs = self.circuit.stairs.get(direction)
        if grid is None and own + carried == 0.0 and stairs and is_dyadic(stairs.values.step):
            grid = 1 / stairs.values.step.denominator
        rounded = direction in self.circuit.offsets and stairs and stairs.values.step.denominator == 1
        return Bound(low, high, (own + carried) * SLACK, grid, 1.0 if rounded else None)

    def preactivation(self, neuron: Neuron, read: Bound) -> float:
        """Its rounding (C18). One direction times a power of two, less a short number, is exact where it is positive.

        Let b be a whole multiple of 2^-k, and b < x <= 2^(bits - 2 - k). Up to 2b, x is within a factor of two of b;
        beyond, floats near x are 2^(-1 - k) apart at most: x - b is on their grid, and smaller than x. Both are exact.
        """
        bias = neuron.read.terms.get(ONE, Fraction(0))
        unbiased = max(abs(read.low - real(bias)), abs(read.high - real(bias)))  # stored before the bias is added
        if read.grid is not None and self.p.stores(unbiased, read.grid):
            return 0.0
        sizes = {d: real(c) * self.bounds[d].size for d, c in neuron.read.terms.items() if d != ONE}
        ((direction, size),) = sizes.items() if len(sizes) == 1 else ((ONE, -1.0),)
        short = is_dyadic(bias) and size <= self.p.whole / 4 * real(Fraction(1, bias.denominator))
        short = short and all(map(self.p.holds, neuron.read.terms.values()))
        if size > 0 and bias <= 0 and short and is_power(neuron.read.terms[direction]):
            return 0.0
        return (len(sizes) + 2) * self.p.rounding(sum(map(abs, sizes.values())) + abs(real(bias)))

    def _carried(self, direction: Direction, group: list[tuple[Neuron, Fraction]], reads: list[Bound]) -> float:
        """The error of what is read, times the steepest slope that it can meet (C8)."""
        stairs = self.circuit.stairs.get(direction)
        if stairs is None:
            return sum(
                abs(real(weight)) * sum(abs(real(c)) * self.bounds[d].error for d, c in neuron.read.terms.items())
                for neuron, weight in group
            )
        error = self.form(stairs.read).error
        if error == 0.0:
            return 0.0
        margin = stairs.numbers.gap * PLATEAU
        self.decisions.append(Decision(f"{direction}, steps", margin, error, direction.holds))
        return error * _steepest(stairs.read, stairs.numbers.floats, group, error)


class OutputErrors(Readings):
    """What outputs are decoded from."""

    def output(self, output: Output, coefficients: dict[Direction, Multiples]) -> float:
        """Nearest of the codes: each digit's error, and the rounding of the logits in units of the digit (C10).

        Logits are scaled so that a digit's gap is 1 here; a power of two rounds nothing. Returns the largest logit.
        """
        node = None if self.circuit.graph is None else self.circuit.graph.outputs.get(output.name)
        digits = [Digit.of(form, column) for form, column in zip(output.digits, output.columns, strict=True)]
        reads = [self.form(form) for form in output.digits]
        scales = [real(scaling(column, self.p.logit_gap)) for column in output.columns]
        held = all(holds_all(self.p, column) for column in coefficients.values())
        rounding = self._logit_rounding(digits, reads, scales, held) + self._vanishing(coefficients) / self.p.logit_gap
        for number, (digit, read) in enumerate(zip(digits, reads, strict=True), start=1):
            place = f", digit {number}" if len(digits) > 1 else ""
            what = f"{output.name}{place}, nearest of {counted(digit.size, 'value')}"
            error = (read.error + rounding * digit.gap) * SLACK
            self.decisions.append(Decision(what, digit.gap * NEAREST, error, node))
        largest = [digit.reach * (3 * digit.reach + 2 * read.error) for digit, read in zip(digits, reads, strict=True)]
        return sum(s * x for s, x in zip(scales, largest, strict=True))  # of 2vx - v^2, x being one of the v

    def _vanishing(self, coefficients: dict[Direction, Multiples]) -> float:
        """What coefficients below the smallest number lose in a logit."""
        tiny = [d for d, found in coefficients.items() if 0 < real(found.step) < self.p.smallest]
        return sum(self.p.rounding(self.p.smallest) * self.bounds[d].size for d in tiny)

    def _logit_rounding(self, digits: list[Digit], reads: list[Bound], scales: Sequence[float], held: bool) -> float:
        """The rounding of a logit, in units of the squared gap (C10).

        Its terms are 2 v c_d x_d and v^2, with v up to `reach`: 2 reach sum |c_d x_d| + reach^2 for each digit. Nothing
        is rounded while the sum stays on the digits' common grid, and the best logit, reach^2, is stored exactly.
        """
        total = best = scaled = 0.0
        terms, finest = 1, math.inf
        for digit, read, scale in zip(digits, reads, scales, strict=True):
            size = sum(abs(real(c)) * self.bounds[d].size for d, c in digit.form.terms.items()) + abs(digit.middle)
            reach = digit.reach / digit.gap
            total += reach * (2 * size / digit.gap + reach)
            scaled += scale * digit.reach * (2 * size + digit.reach)
            best += reach * reach
            terms += len(digit.form.terms)
            grid = grid_of_products((c, self.bounds[d].grid) for d, c in digit.form.terms.items())
            unit = scale * digit.grid * min(grid, digit.grid) if grid and read.error == 0.0 else 0.0
            finest = min(finest, unit)
        if held and 0.0 < finest < math.inf and scaled / finest <= self.p.sum_whole and best <= self.p.whole:
            return 0.0
        return self.p.sum_rounding(terms + 1, total) + stored(self.p, 2 * total)


def _steepest(
    read: Form, numbers: npt.NDArray[np.float64], group: list[tuple[Neuron, Fraction]], error: float
) -> float:
    """The largest slope of a staircase within the error of any of its arguments."""
    knots = sorted((*_knot(neuron.read, read), real(weight)) for neuron, weight in group)
    at = np.array([place for place, _, _ in knots])
    change = np.array([weight for _, _, weight in knots])  # a knot adds its weight to the slope, from left to right
    start = sum(-weight for _, side, weight in knots if side < 0)
    slopes = np.abs(start + np.concatenate([[0.0], np.cumsum(change)]))
    first, last = np.searchsorted(at, numbers - error, "left"), np.searchsorted(at, numbers + error, "right")
    ends = np.stack([first, last + 1], axis=1).ravel()  # the slopes from each `first` to its `last`
    return float(np.maximum.reduceat(np.append(slopes, 0.0), ends)[::2].max())


def _knot(read: Form, pivot: Form) -> tuple[float, float]:
    """Where a neuron bends, and its side: it reads the pivot or its opposite, less a constant."""
    direction = next((d for d in pivot.terms if d != ONE), ONE)
    side = 1 if direction == ONE or read.terms.get(direction) == pivot.terms[direction] else -1
    zero = whole(0)
    return -side * real(read.terms.get(ONE, zero) - side * pivot.terms.get(ONE, zero)), float(side)


def _largest_score(part: Part, pairs: Sequence[tuple[Bound, Bound]]) -> float:
    """What the products of a part add up to in size. The codes of a parabola are known from the domains."""
    if part.kind == "parabola":
        return 3 * part.best
    return sum(query.size * key.size for query, key in pairs)


def _is_step(group: list[tuple[Neuron, Fraction]], own: float) -> bool:
    """Two exact ramps whose difference is a power of two beyond the second: their sum is exact there (C18)."""
    if len(group) != 2 or own != 0.0:
        return False
    (_, up), (_, down) = group
    return up == -down and is_power(up)
