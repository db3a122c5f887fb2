"""Certification: every decision of a circuit, its margin, and a bound on the error that can reach it.

In: a `Circuit`, with the range of each direction. Out: `Certificate`: the decisions and the tightest of them.
Assumed arithmetic: products exact or rounded once, sums accumulated in float32 in any order, one rounding an operation.
Errors are bounded, not sampled: each direction carries the largest distance between what the stream
holds and the exact value, anywhere (docs/constructions.md, C17).
Invariant: if every margin exceeds its error, the decoded output is the interpreter's wherever it has an answer.

    hist, nearest of 16 values: margin 0.5, error 7.7e-05
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from compiler.circuit import Circuit, Head, Neuron, Output, Part
from compiler.direction import BOS, ONE, Direction, Form
from compiler.emit import COUNTERWEIGHT, UNDERFLOW, logit_scale, sharpness

UNIT = 2.0**-24
"""Unit roundoff of float32."""
MANTISSA = 2.0**24
"""Whole multiples of a power of two up to this many are exact in float32, however they are added up."""
SLACK = 1 + 2.0**-10
"""Factor on every bound, for second-order terms and for the rounding of this analysis itself."""


@dataclass(frozen=True)
class Decision:
    """A place where a real number becomes a choice: it is right while the error stays below the margin."""

    what: str
    margin: float
    error: float

    @property
    def holds(self) -> bool:
        """Whether the margin exceeds the error."""
        return self.error < self.margin

    @property
    def tightness(self) -> float:
        """Error over margin: 1 or more does not hold."""
        return self.error / self.margin if self.margin > 0 else math.inf

    def __str__(self) -> str:
        error = f"error {self.error:.2g}" if self.tightness < 1e6 else "no useful bound on the error"
        return f"{self.what}: margin {self.margin:.3g}, {error}"


@dataclass(frozen=True)
class Certificate:
    """All decisions of a circuit."""

    decisions: tuple[Decision, ...]

    @property
    def ok(self) -> bool:
        """Whether every decision holds."""
        return all(decision.holds for decision in self.decisions)

    @property
    def tightest(self) -> Decision:
        """The decision whose error uses up most of its margin."""
        return max(self.decisions, key=lambda decision: decision.tightness)

    def to_json(self) -> dict[str, Any]:
        """The certificate as JSON data."""
        decisions = [{"what": d.what, "margin": d.margin, "error": d.error} for d in self.decisions]
        return {"certified": self.ok, "tightest": str(self.tightest), "decisions": decisions}

    def __str__(self) -> str:
        verdict = "certified" if self.ok else "not certified"
        return f"{verdict}; the tightest of {len(self.decisions)} decisions is {self.tightest}"


@dataclass(frozen=True)
class Bound:
    """What is known of a number: its range, the error it carries, and the power of two it is a whole multiple of."""

    low: float
    high: float
    error: float = 0.0
    grid: float | None = 1.0  # None: no such power is known

    @property
    def size(self) -> float:
        """The largest absolute value, error included."""
        return max(abs(self.low), abs(self.high)) + self.error


class _Certifier:
    def __init__(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self.n = circuit.max_length
        self.decisions: list[Decision] = []
        self._own: dict[Direction, float] = {}
        self.bounds: dict[Direction, Bound] = {ONE: Bound(1, 1), BOS: Bound(0, 0)}
        self.mixed = {d for layer in circuit.layers for d in layer.writes()}
        self.columns = {d: np.array([float(x) for x in column]) for d, column in self._embedded()}
        for direction, column in self._embedded():
            self.bounds[direction] = _exact_bound(column)

    def _embedded(self) -> Iterator[tuple[Direction, tuple[Fraction, ...]]]:
        yield from self.circuit.tokens.items()
        yield from self.circuit.positions.items()

    def certificate(self) -> Certificate:
        for layer in self.circuit.layers:
            written: dict[Direction, Bound] = {}
            for head in layer.heads:
                for direction, bound in self._head(head):
                    written[direction] = self._added(direction, bound, written)
            self.bounds |= written
            groups: dict[Direction, list[tuple[Neuron, Fraction]]] = {}
            for neuron in layer.neurons:
                for direction, weight in neuron.writes:
                    groups.setdefault(direction, []).append((neuron, weight))
            for direction, group in groups.items():
                self.bounds[direction] = self._added(direction, self._neurons(direction, group), {})
        for output in self.circuit.outputs:
            self._output(output)
        return Certificate(tuple(self.decisions))

    def _added(self, direction: Direction, bound: Bound, written: dict[Direction, Bound]) -> Bound:
        """Several heads add into one direction: errors add, and so does the rounding of the sum."""
        low, high = self._written_range(direction)
        before = written.get(direction, self.bounds.get(direction))
        if before is None:
            return Bound(low, high, bound.error, bound.grid)
        grid = min(before.grid, bound.grid) if before.grid and bound.grid else None
        size = max(abs(low), abs(high))
        rounding = 0.0 if grid and size / grid <= MANTISSA else 2 * size * UNIT
        return Bound(low, high, (before.error + bound.error + rounding) * SLACK, grid)

    def _written_range(self, direction: Direction) -> tuple[float, float]:
        """What the stream can hold there: what heads and neurons write, and what the embedding puts below it."""
        low, high = map(float, self.circuit.ranges[direction])
        for part in (self.circuit.tokens, self.circuit.positions):
            if direction in part:
                low, high = low + float(min(part[direction])), high + float(max(part[direction]))
        return low, high

    # -- forms -------------------------------------------------------------------------------------------------------

    def form(self, form: Form) -> Bound:
        """A reading: a row of the stream times a column of a matrix."""
        low, high = self._range(form)
        terms = [(float(c), self.bounds[d], c) for d, c in form.terms.items()]
        total = sum(abs(c) * bound.size for c, bound, _ in terms)
        carried = sum(abs(c) * bound.error for c, bound, _ in terms)
        grid = _common_grid([(c, bound.grid) for _, bound, c in terms])
        if grid is not None and total / grid <= MANTISSA:
            return Bound(low, high, carried * SLACK, grid)
        plain = len(terms) == 1 and _is_power(terms[0][2])
        rounding = 0.0 if plain else (len(terms) + 1) * UNIT * total
        return Bound(low, high, (carried + rounding) * SLACK, None)

    def _range(self, form: Form) -> tuple[float, float]:
        """Token part and position part are taken jointly, everything else as independent."""
        low = high = 0.0
        for part in (self.circuit.tokens, self.circuit.positions):
            columns = [float(c) * self.columns[d] for d, c in form.terms.items() if d in part and d not in self.mixed]
            if columns:
                values = np.sum(columns, axis=0)
                low, high = low + float(values.min()), high + float(values.max())
        for direction, coefficient in form.terms.items():
            if direction not in self.columns or direction in self.mixed:
                bound = self.bounds[direction]
                ends = sorted((float(coefficient) * bound.low, float(coefficient) * bound.high))
                low, high = low + ends[0], high + ends[1]
        return low, high

    # -- heads -------------------------------------------------------------------------------------------------------

    def _head(self, head: Head) -> Iterator[tuple[Direction, Bound]]:
        sharp = sharpness(head)
        nats = 2 * sharp * sum(self._part(part) for part in head.parts) * SLACK
        nats += 2 * self._score_rounding(head, sharp)
        margin = sharp * float(head.step) * (1.0 if head.sure else 0.5) - UNDERFLOW
        if head.mode == "mean":
            self.decisions.append(Decision(f"{head.name}, selected keys, in nats", margin, nats))
        spread = math.expm1(min(nats, 600.0))
        for channel in head.channels:
            value = self.form(channel.read)
            error = self._mean_error(head, value, spread) if head.mode == "mean" else self._sum_error(head, value, nats)
            empty = _exact_bound((channel.default,))
            grid = min(value.grid, empty.grid) if value.grid and empty.grid and error == 0.0 else None
            yield channel.write, Bound(value.low, value.high, max(error, empty.error) * SLACK, grid)

    def _part(self, part: Part) -> float:
        """How far a score and its threshold may move, in units of the score."""
        if part.kind == "parabola":
            return self._parabola(part)
        lifted = self.form(part.baseline).error
        return lifted + sum(_product_error(self.form(query), self.form(key)) for query, key in part.pairs)

    def _parabola(self, part: Part) -> float:
        """The square is interpolated at the erroneous number, so the error is that of -(q - k)^2, not of 2qk (C5)."""
        (query, key), (_, square) = part.pairs
        q, k = self.form(query), self.form(key)
        own = self._own_error(square) + self._own_error(part.baseline)
        return (q.error / 2 + k.error) + own + 2 * (q.error / 2) * k.error

    def _own_error(self, form: Form) -> float:
        """The error of a staircase that does not come from the number it is read at."""
        rounding = self.form(form).error - sum(abs(float(c)) * self.bounds[d].error for d, c in form.terms.items())
        return max(rounding, 0.0) + sum(abs(float(c)) * self._own.get(d, 0.0) for d, c in form.terms.items())

    def _score_rounding(self, head: Head, sharp: int) -> float:
        """Rounding of the sum of products, as long as it is not exact."""
        forms = [[(self.form(query), self.form(key)) for query, key in part.pairs] for part in head.parts]
        total = sum(_largest_score(part, pairs) for part, pairs in zip(head.parts, forms, strict=True))
        pairs = [pair for part in forms for pair in part]
        grid = _common_grid([(Fraction(q.grid), k.grid) if q.grid else (None, None) for q, k in pairs])
        if grid is not None and total / grid <= MANTISSA:
            return 0.0
        return sharp * (len(pairs) + 1) * UNIT * total

    def _mean_error(self, head: Head, value: Bound, spread: float) -> float:
        """Weights that should be equal differ by the spread; a single key has weight 1 exactly."""
        if head.single:
            return value.error
        return value.error + (value.high - value.low) * spread + (self.n + 8) * UNIT * value.size

    def _sum_error(self, head: Head, value: Bound, nats: float) -> float:
        """C6: spread of the weights, saturation of the softmax, rounding of the sum, and unselected keys."""
        n, gap = self.n, sharpness(head) * float(head.step)
        leak = 0.0 if gap + COUNTERWEIGHT - nats >= UNDERFLOW else n * math.exp(min(nats - gap, 600.0))
        relative = math.expm1(min(nats, 600.0)) + n * math.exp(-COUNTERWEIGHT) + (n / 2 + 8) * UNIT
        return (n * relative + leak) * value.size + n * value.error

    # -- neurons -----------------------------------------------------------------------------------------------------

    def _neurons(self, direction: Direction, group: list[tuple[Neuron, Fraction]]) -> Bound:
        low, high = self._written_range(direction)
        reads = [self.form(neuron.read) for neuron, _ in group]
        weights = [float(weight) for _, weight in group]
        rounding = [self._preactivation(neuron, read) for (neuron, _), read in zip(group, reads, strict=True)]
        sums = sum(abs(w) * max(read.high, 0.0) for w, read in zip(weights, reads, strict=True))
        own = sum(abs(w) * r for w, r in zip(weights, rounding, strict=True))
        grid = _common_grid([(weight, read.grid) for (_, weight), read in zip(group, reads, strict=True)])
        if grid is None or sums / grid > MANTISSA:
            own += 0.0 if _is_step(group, own) else len(group) * UNIT * sums
            grid = None
        carried = self._carried(direction, group, reads)
        self._own[direction] = own * SLACK
        clean = own + carried == 0.0 and all(_is_dyadic(weight) for _, weight in group)
        return Bound(low, high, (own + carried) * SLACK, (grid or 1.0) if clean else grid)

    def _preactivation(self, neuron: Neuron, read: Bound) -> float:
        """Its rounding. One direction times a power of two, less a short number, is exact where it is positive."""
        if read.grid is not None:
            return 0.0
        sizes = {d: float(c) * self.bounds[d].size for d, c in neuron.read.terms.items() if d != ONE}
        bias = neuron.read.terms.get(ONE, Fraction(0))
        ((direction, size),) = sizes.items() if len(sizes) == 1 else ((ONE, -1.0),)
        short = _is_dyadic(bias) and bias.denominator * size <= MANTISSA / 4
        if size > 0 and bias <= 0 and short and _is_power(neuron.read.terms[direction]):
            return 0.0
        return (len(sizes) + 2) * UNIT * (sum(map(abs, sizes.values())) + abs(float(bias)))

    def _carried(self, direction: Direction, group: list[tuple[Neuron, Fraction]], reads: list[Bound]) -> float:
        """The error of what is read, times the steepest slope that it can meet."""
        stairs = self.circuit.stairs.get(direction)
        if stairs is None:
            return sum(
                abs(float(weight)) * sum(abs(float(c)) * self.bounds[d].error for d, c in neuron.read.terms.items())
                for neuron, weight in group
            )
        error = self.form(stairs.read).error
        if error == 0.0:
            return 0.0
        gap = min((float(b - a) for a, b in itertools.pairwise(stairs.numbers)), default=math.inf)
        self.decisions.append(Decision(f"{direction}, steps", gap / 4, error))
        return error * self._steepest(stairs.read, stairs.numbers, group, error)

    def _steepest(
        self, read: Form, numbers: tuple[Fraction, ...], group: list[tuple[Neuron, Fraction]], error: float
    ) -> float:
        """The largest slope of the staircase within the error of any of its arguments."""
        kinks = []
        for neuron, weight in group:
            side = (
                1.0
                if neuron.read.terms.items() >= (read - Form.constant(read.terms.get(ONE, Fraction(0)))).terms.items()
                else -1.0
            )
            offset = neuron.read - read * Fraction(side)
            kinks.append((-side * float(offset.terms.get(ONE, Fraction(0))), side, float(weight)))
        kinks.sort()
        at = np.array([kink[0] for kink in kinks])
        change = np.array([weight for _, _, weight in kinks])  # a kink adds its weight to the slope, from left to right
        start = sum(-weight for _, side, weight in kinks if side < 0)
        slopes = np.abs(start + np.concatenate([[0.0], np.cumsum(change)]))
        steepest = 0.0
        for number in map(float, numbers):
            first, last = np.searchsorted(at, number - error, "left"), np.searchsorted(at, number + error, "right")
            steepest = max(steepest, float(slopes[first : last + 1].max()))
        return steepest

    # -- outputs -----------------------------------------------------------------------------------------------------

    def _output(self, output: Output) -> None:
        """Nearest of the numbers: the error of the form, and the rounding of the logits in units of the form (C10)."""
        numbers = sorted(number for _, number in output.numbers)
        gap = min((float(b - a) for a, b in itertools.pairwise(numbers)), default=1.0)
        centre, _ = logit_scale(numbers)
        read = self.form(output.read)
        reach = max(abs(float(number - centre)) for number in numbers)
        terms = sum(abs(float(c)) * self.bounds[d].size for d, c in output.read.terms.items()) + abs(float(centre))
        rounding = (len(output.read.terms) + 2) * UNIT * (2 * reach * terms + reach * reach)
        error = (read.error + rounding / gap) * SLACK
        self.decisions.append(Decision(f"{output.name}, nearest of {len(numbers)} values", gap / 2, error))


def _exact_bound(column: tuple[Fraction, ...]) -> Bound:
    low, high = float(min(column)), float(max(column))
    if all(_is_dyadic(x) and abs(x.numerator) < MANTISSA for x in column):
        return Bound(low, high, 0.0, min(1 / x.denominator for x in column))
    return Bound(low, high, max(abs(low), abs(high)) * UNIT, None)


def _largest_score(part: Part, pairs: Sequence[tuple[Bound, Bound]]) -> float:
    """What the products of a part add up to in size. The codes of a parabola are known from the domains."""
    if part.kind == "parabola":
        return 3 * float(part.reach) ** 2
    return sum(query.size * key.size for query, key in pairs)


def _product_error(a: Bound, b: Bound) -> float:
    return a.size * b.error + b.size * a.error


def _common_grid(factors: list[tuple[Fraction | None, float | None]]) -> float | None:
    """A power of two that divides every coefficient times its grid."""
    grid = 1.0
    for coefficient, unit in factors:
        if coefficient is None or unit is None or not _is_dyadic(coefficient):
            return None
        grid = min(grid, unit / coefficient.denominator)
    return grid


def _is_dyadic(number: Fraction) -> bool:
    return number.denominator & (number.denominator - 1) == 0


def _is_power(number: Fraction) -> bool:
    """Plus or minus a power of two."""
    size = abs(number.numerator)
    return _is_dyadic(number) and size & (size - 1) == 0 and size > 0


def _is_step(group: list[tuple[Neuron, Fraction]], own: float) -> bool:
    """Two exact ramps whose difference is a power of two beyond the second: their sum is exact there."""
    if len(group) != 2 or own != 0.0:
        return False
    (_, up), (_, down) = group
    return up == -down and _is_power(up)


def certify(circuit: Circuit) -> Certificate:
    """Derive the certificate of a circuit, in float32."""
    return _Certifier(circuit).certificate()
