"""Certification: every decision of a circuit, its margin, and a bound on the error that can reach it.

In: a `Circuit`, with the range of each direction. Out: `Certificate`: the decisions, and the largest numbers.
The assumed arithmetic is that of `compiler.numbers.precision`: exact products, sums accumulated in float32 or better
in any order, one rounding an operation, scores possibly rounded to the dtype.
Errors are bounded, not sampled: each direction carries the largest distance between what the stream
holds and the exact value, anywhere (docs/constructions.md, C17).
Invariant: if every margin exceeds its error and every number is finite, the decoded output is the interpreter's
wherever it has an answer.

    hist, nearest of 16 values: margin 0.5, error 7.7e-05
"""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from compiler.circuit.bound import (
    SLACK,
    Bound,
    common_grid,
    is_dyadic,
    is_held,
    is_power,
    product_error,
    reach,
    square,
    summed,
)
from compiler.circuit.certificate import Certificate, Decision
from compiler.circuit.circuit import Circuit, Head, Layer, Neuron, Output, Part
from compiler.circuit.emit import centre, logits, scaling, sharpness
from compiler.circuit.sizes import Sizes
from compiler.numbers.direction import BOS, ONE, Direction, Form
from compiler.numbers.exact import Multiples, real, whole
from rasp.text.source import counted


class Certifier:
    """Derives a certificate, sublayer by sublayer; how a head's error comes about may be replaced (C21)."""

    def __init__(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self.p = circuit.precision
        self.n = circuit.max_length
        self.bos = circuit.bos()
        self.decisions: list[Decision] = []
        self._leaks: set[Direction] = set()
        self._read: dict[int, tuple[Form, Bound]] = {}  # by identity, of one sublayer: `bounds` are the same all along
        self.left: dict[Direction, float] = {}  # what erasing a direction may leave behind in its column
        self.bounds: dict[Direction, Bound] = {ONE: Bound(1, 1), BOS: Bound(0, 0)}
        self.mixed = {d for layer in circuit.layers for d in layer.writes()}
        self.columns = {d: Multiples.of(column).floats for d, column in self._embedded()}
        for direction, column in self._embedded():
            self.bounds[direction] = self._exact_bound(column)
        for direction, offset in circuit.offsets.items():
            self.bounds[direction] = self._exact_bound((offset,))
        self.sizes = Sizes(circuit, self.bounds, self.form)

    def _embedded(self) -> Iterator[tuple[Direction, tuple[Fraction, ...]]]:
        yield from self.circuit.tokens.items()
        yield from self.circuit.positions.items()

    def certificate(self) -> Certificate:
        """Every decision, in the order of computation, and the largest number of every sublayer."""
        self.sizes.embedding()
        self.sizes.end("embedding")
        for number, layer in enumerate(self.circuit.layers):
            self._attend(number, layer)
            self._activate(number, layer)
        self._read.clear()
        for output in self.circuit.outputs:
            self._output(output)
        self.sizes.end("logits")
        return Certificate(tuple(self.decisions), self.p.name, tuple(self.sizes.found))

    def _attend(self, number: int, layer: Layer) -> None:
        written: dict[Direction, Bound] = {}
        gets: dict[Direction, float] = {}
        self._read.clear()
        for head in layer.heads:
            for direction, bound in self._head(head):
                gets[direction] = gets.get(direction, 0.0) + bound.size
                written[direction] = self._added(direction, bound, written)
        after = {d: self._rounded(d, b) if d in self.circuit.offsets else b for d, b in written.items()}
        self.sizes.added(gets, {}, after)
        self.bounds |= after
        if layer.heads:
            self.sizes.end(f"L{number} heads")

    def _activate(self, number: int, layer: Layer) -> None:
        self._read.clear()
        gets = self.sizes.neurons(layer.mlp)
        groups: dict[Direction, list[tuple[Neuron, Fraction]]] = {}
        for neuron in layer.neurons:
            for direction, weight in neuron.writes:
                groups.setdefault(direction, []).append((neuron, weight))
        before = {d: self.bounds[d].size if d in self.bounds else 0.0 for d in groups}
        for direction, group in groups.items():
            bound = self._added(direction, self._neurons(direction, group), {})
            self.bounds[direction] = self._rounded(direction, bound) if bound.spacing else bound
        self.sizes.added(gets, before, self.bounds)
        self._erase(layer)
        if layer.mlp:
            self.sizes.end(f"L{number} neurons")

    def _added(self, direction: Direction, bound: Bound, written: dict[Direction, Bound]) -> Bound:
        """Several heads add into one direction: errors add, and so does the rounding of the sum."""
        low, high = self._written_range(direction)
        below = None if direction in self.circuit.offsets and bound.spacing else self.bounds.get(direction)
        before = written.get(direction, below)
        if before is None and (left := self.left.get(self.circuit.homes.get(direction, direction))):
            before = Bound(0, 0, left, None)
        if before is None:
            return Bound(low, high, bound.error, bound.grid, bound.spacing)
        grid = min(before.grid, bound.grid) if before.grid and bound.grid else None
        spacing = min(before.spacing, bound.spacing) if before.spacing and bound.spacing else None
        size = max(abs(low), abs(high))
        rounding = 0.0 if grid and self.p.stores(size, grid) else 2 * self.p.rounding(size)
        both = before.error + bound.error
        if direction in self.circuit.exclusive and direction not in self._leaks and direction in written:
            both = max(before.error, bound.error) + high * self.p.sum_unit  # errors are shares of counts, n in all (C6)
        return Bound(low, high, (both + rounding) * SLACK, grid, spacing)

    def _erase(self, layer: Layer) -> None:
        """A neuron takes a number away as it is, with its error, unless the error has turned its sign."""
        seen: dict[Direction, int] = {}
        for neuron in layer.erasers:
            for direction, _ in neuron.writes:
                seen[direction] = seen.get(direction, 0) + 1
        self.left |= {d: 0.0 if neurons == 2 else self.bounds[d].error for d, neurons in seen.items()}

    def _rounded(self, direction: Direction, added: Bound) -> Bound:
        """Added to an offset near which numbers are 1 apart, a number close to a whole one becomes whole (C19)."""
        below = self.bounds[direction]
        low, high = below.low + added.low, below.high + added.high
        near = self.p.whole / 2 <= low and high <= self.p.whole and below.error == 0.0
        if added.spacing is None or added.spacing < 1 or not near:
            return Bound(low, high, added.error + self.p.rounding(high), None)
        if added.error > 0.0:
            self.decisions.append(
                Decision(f"{direction}, rounded to a whole number", 0.5, added.error, direction.holds)
            )
        return Bound(low, high)

    def _written_range(self, direction: Direction) -> tuple[float, float]:
        """What the stream can hold there: what heads and neurons write, and what the embedding puts below it."""
        low, high = map(real, self.circuit.ranges[direction])
        for part in (self.circuit.tokens, self.circuit.positions):
            if direction in part:
                low, high = low + real(min(part[direction])), high + real(max(part[direction]))
        return low, high

    # -- forms -------------------------------------------------------------------------------------------------------

    def form(self, form: Form) -> Bound:
        """A reading: a row of the stream times a column of a matrix."""
        known = self._read.get(id(form))
        if known is None:
            known = self._read[id(form)] = form, self._bound(form)
        return known[1]

    def _bound(self, form: Form) -> Bound:
        low, high = self._range(form)
        terms = [(real(c), self.bounds[d], c) for d, c in form.terms.items()]
        total = sum(max(abs(c), self.p.smallest) * bound.size for c, bound, _ in terms)
        carried = sum(abs(c) * bound.error for c, bound, _ in terms)
        grid = common_grid([(c, bound.grid) for _, bound, c in terms])
        held = all(self.p.holds(c) for _, _, c in terms)
        stored = max(abs(low), abs(high))
        if grid is not None and held and self.p.sums(reach(terms), grid) and self.p.stores(stored, grid):
            return Bound(low, high, carried * SLACK, grid)
        plain = len(terms) == 1 and held and is_power(terms[0][2])
        rounding = self.p.sum_rounding(len(terms) + 1, total) + self._stored(stored, total, held)
        rounding = self.p.rounding(self.p.smallest * (abs(terms[0][0]) < 1)) if plain else rounding
        return Bound(low, high, (carried + rounding) * SLACK, None)

    def _stored(self, size: float, total: float, held: bool) -> float:
        """What storing a sum and its coefficients in a narrow dtype rounds, beyond the rounding of the sum."""
        if self.p.bits == self.p.accumulator:
            return 0.0
        return self.p.rounding(size + (0.0 if held else total))

    def _range(self, form: Form) -> tuple[float, float]:
        """Token part, position part, a staircase and its argument are taken jointly, everything else as independent."""
        low = high = 0.0
        for direction in [d for d in form.terms if d in self.circuit.stairs]:
            joint = self._with_argument(form, direction)
            if joint is not None:
                form, (least, greatest) = joint
                low, high = low + least, high + greatest
        for part in (self.circuit.tokens, self.circuit.positions):
            joint_terms = [(d, real(c)) for d, c in form.terms.items() if d in part and d not in self.mixed]
            if len(joint_terms) > 1:
                values = np.sum([c * self.columns[d] for d, c in joint_terms], axis=0)
                low, high = low + float(values.min()), high + float(values.max())
            elif joint_terms:
                least, greatest = self._ends(*joint_terms[0])
                low, high = low + least, high + greatest
        for direction, coefficient in form.terms.items():
            if direction not in self.columns or direction in self.mixed:
                least, greatest = self._ends(direction, real(coefficient))
                low, high = low + least, high + greatest
        return low, high

    def _ends(self, direction: Direction, factor: float) -> tuple[float, float]:
        bound = self.bounds[direction]
        ends = factor * bound.low, factor * bound.high
        return (ends[1], ends[0]) if factor < 0 else ends

    def _with_argument(self, form: Form, direction: Direction) -> tuple[Form, tuple[float, float]] | None:
        """What is left of a form without a staircase and a multiple of its argument, and the range of these two."""
        stairs, factor = self.circuit.stairs[direction], form.terms.get(direction)
        argument = {d: c for d, c in stairs.read.terms.items() if d != ONE}
        if factor is None or not argument.keys() <= form.terms.keys():
            return None
        (multiple, *others) = {form.terms[d] / c for d, c in argument.items()} or {Fraction(0)}
        if others:
            return None
        low, high = stairs.sums(multiple, factor).range
        return form - stairs.read * multiple - Form({direction: factor}), (real(low), real(high))

    # -- heads -------------------------------------------------------------------------------------------------------

    def _head(self, head: Head) -> Iterator[tuple[Direction, Bound]]:
        self.sizes.head(head)
        sharp = sharpness(head, self.p)
        nats = 2 * sharp * sum(self._part(part) for part in head.parts) * SLACK
        nats += 2 * self._score_rounding(head, sharp) + sharp * self._at_bos(head)
        margin = sharp * float(head.step) * (1.0 if head.sure else 0.5) - self.p.underflow
        if head.mode == "mean":
            self.decisions.append(Decision(f"{head.name}, selected keys, in nats", margin, nats, head.node))
        spread = math.expm1(min(nats, 600.0))
        for channel in head.channels:
            value = self.form(channel.read)
            counted = head.mode == "sum"
            leak = self._leak(head, nats) if counted else 0.0
            if leak or value.error:
                self._leaks.add(channel.write)
            empty = self._exact_bound((channel.default,))
            left = self._left(margin + self.p.underflow - nats, value.size + empty.size)
            error = (
                self._sum_error(head, value, nats, leak) if counted else self._mean_error(head, value, spread) + left
            )
            spacing = min(value.grid, empty.grid) if value.grid and empty.grid else None
            exact = error == 0.0 and empty.error == 0.0
            low, high = (value.low, value.high) if head.mode == "mean" else summed(value, self.n)
            yield (
                channel.write,
                Bound(
                    low,
                    high,
                    max(error, empty.error) * SLACK,
                    spacing if exact else None,
                    1.0 if head.mode == "sum" and channel.write in self.circuit.offsets else None,
                ),
            )

    def _at_bos(self, head: Head) -> float:
        """How far BOS, as a key, misses its score: by the rounding of the weight that puts it there."""
        missed = 0.0
        for query, key in head.scores:
            if not self.p.holds(key.at(self.bos)):
                missed += self.form(query).size * self.p.rounding(abs(real(key.at(self.bos))))
        return missed

    def _part(self, part: Part) -> float:
        """How far a score and its threshold may move, in units of the score."""
        lifted = self.form(part.baseline).error
        return lifted + sum(product_error(self.form(query), self.form(key)) for query, key in part.pairs)

    def _score_rounding(self, head: Head, sharp: int) -> float:
        """Rounding of the sum of products, as long as it is not exact."""
        forms = [[(self.form(query), self.form(key)) for query, key in part.pairs] for part in head.parts]
        total = sum(_largest_score(part, pairs) for part, pairs in zip(head.parts, forms, strict=True))
        pairs = [pair for part in forms for pair in part]
        grid = common_grid([(Fraction(q.grid), k.grid) if q.grid else (None, None) for q, k in pairs])
        relative = self.p.relative and head.baseline is not None
        if relative and head.baseline is not None:
            baseline = self.form(head.baseline + Form.constant(head.selected))
            total, grid = total + baseline.size, min(grid, baseline.grid) if grid and baseline.grid else None
        factor = sharp // (sharp & -sharp)  # scores are so much larger, on a grid that is as fine
        exact = grid is not None and self.p.sums(total * factor, grid)
        rounding = 0.0 if exact else (len(pairs) + 1) * self.p.sum_unit * total
        if self.p.bits < self.p.accumulator and not (relative and exact):  # a selected score of 0 is not rounded
            best = sum(square(part.reach) if part.kind == "parabola" else total for part in head.parts)
            rounding += 0.0 if exact and grid and self.p.stores(best, grid) else self.p.rounding(best)
        return sharp * rounding

    def _mean_error(self, head: Head, value: Bound, spread: float) -> float:
        """Weights that should be equal differ by the spread; a single key has weight 1 exactly."""
        if head.single and (value.grid or self.p.bits == self.p.accumulator):
            return value.error
        rounding = (self.n + 8) * self.p.sum_unit * value.size + self._stored(2 * value.size, 0.0, True)
        return value.error + (value.high - value.low) * spread + rounding

    def _left(self, below: float, size: float) -> float:
        """What keys so many nats below the best one add. Their weights are 0, or what they add is rounded away."""
        left = self.n * math.exp(min(-below, 0.0)) * size
        return 0.0 if below >= self.p.zero or left < self.p.rounding(self.p.smallest) else left

    def _leak(self, head: Head, nats: float) -> float:
        """What unselected keys add up to, in units of a selected one."""
        below = sharpness(head, self.p) * float(head.step) - nats
        if self._left(below + self.p.counterweight, self.p.largest) == 0.0:
            return 0.0
        return self.n * math.exp(min(-below, 600.0))

    def _sum_error(self, head: Head, value: Bound, nats: float, leak: float) -> float:
        """C6: spread of the weights, saturation of the softmax, rounding of the sum, and unselected keys."""
        n, p = self.n, self.p
        lift = p.lift / p.value_lift
        relative = math.expm1(min(nats, 600.0)) + n * math.exp(-p.counterweight) + (n / 2 + 8) * p.sum_unit
        relative += abs(p.lift * math.exp(-p.counterweight) - 1)
        if value.grid and value.low >= 0.0 and nats == leak == 0.0:
            whole = p.stores(n * value.high / lift, value.grid / lift)
            if whole and relative < p.unit / 2:  # storing the sum rounds it to what it should be (C19)
                return 0.0
        stored = self._stored(2 * n * value.size / lift, 0.0, True) * lift  # a share of the lift comes behind it
        return (n * relative + leak) * value.size + n * value.error + stored

    # -- neurons -----------------------------------------------------------------------------------------------------

    def _neurons(self, direction: Direction, group: list[tuple[Neuron, Fraction]]) -> Bound:
        low, high = self._written_range(direction)
        reads = [self.form(neuron.read) for neuron, _ in group]
        weights = [real(weight) for _, weight in group]
        rounding = [self._preactivation(neuron, read) for (neuron, _), read in zip(group, reads, strict=True)]
        sums = sum(abs(w) * max(read.high, 0.0) for w, read in zip(weights, reads, strict=True))
        own = sum(abs(w) * r for w, r in zip(weights, rounding, strict=True))
        grid = common_grid([(weight, read.grid) for (_, weight), read in zip(group, reads, strict=True)])
        held = all(self.p.holds(weight) for _, weight in group)
        size = max(abs(low), abs(high))
        if grid is None or not (held and self.p.sums(sums, grid) and self.p.stores(size, grid)):
            rounding_of_sum = self.p.sum_rounding(len(group), sums) + self._stored(size, sums, held)
            own += 0.0 if held and _is_step(group, own) and self.p.bits == self.p.accumulator else rounding_of_sum
            grid = None
        carried = self._carried(direction, group, reads)
        stairs = self.circuit.stairs.get(direction)
        if grid is None and own + carried == 0.0 and stairs and is_dyadic(stairs.values.step):
            grid = 1 / stairs.values.step.denominator
        whole = direction in self.circuit.offsets and stairs and stairs.values.step.denominator == 1
        return Bound(low, high, (own + carried) * SLACK, grid, 1.0 if whole else None)

    def _preactivation(self, neuron: Neuron, read: Bound) -> float:
        """Its rounding. One direction times a power of two, less a short number, is exact where it is positive."""
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
        """The error of what is read, times the steepest slope that it can meet."""
        stairs = self.circuit.stairs.get(direction)
        if stairs is None:
            return sum(
                abs(real(weight)) * sum(abs(real(c)) * self.bounds[d].error for d, c in neuron.read.terms.items())
                for neuron, weight in group
            )
        error = self.form(stairs.read).error
        if error == 0.0:
            return 0.0
        self.decisions.append(Decision(f"{direction}, steps", stairs.numbers.gap / 4, error, direction.holds))
        return error * _steepest(stairs.read, stairs.numbers.floats, group, error)

    # -- outputs -----------------------------------------------------------------------------------------------------

    def _output(self, output: Output) -> None:
        """Nearest of the codes: each digit's error, and the rounding of the logits in units of the digit (C10).

        Logits are scaled so that a digit's gap is 1 here; a power of two rounds nothing.
        """
        coefficients = logits(output, self.p.logit_gap)
        node = None if self.circuit.graph is None else self.circuit.graph.outputs.get(output.name)
        digits = [_Digit.of(form, column) for form, column in zip(output.digits, output.columns, strict=True)]
        reads = [self.form(form) for form in output.digits]
        scales = [real(scaling(column, self.p.logit_gap)) for column in output.columns]
        largest = [digit.reach * (3 * digit.reach + 2 * read.error) for digit, read in zip(digits, reads, strict=True)]
        self.sizes.logits(coefficients, sum(map(operator.mul, scales, largest)))  # of 2vx - v^2, x being one of the v
        held = all(is_held(column, self.p) for column in coefficients.values())
        rounding = self._logit_rounding(digits, reads, scales, held) + self._vanishing(coefficients) / self.p.logit_gap
        for number, (digit, read) in enumerate(zip(digits, reads, strict=True), start=1):
            place = f", digit {number}" if len(digits) > 1 else ""
            what = f"{output.name}{place}, nearest of {counted(digit.size, 'value')}"
            error = (read.error + rounding * digit.gap) * SLACK
            self.decisions.append(Decision(what, digit.gap / 2, error, node))

    def _vanishing(self, coefficients: dict[Direction, Multiples]) -> float:
        """What coefficients below the smallest number lose in a logit."""
        tiny = [d for d, found in coefficients.items() if 0 < real(found.step) < self.p.smallest]
        return sum(self.p.rounding(self.p.smallest) * self.bounds[d].size for d in tiny)

    def _logit_rounding(self, digits: list[_Digit], reads: list[Bound], scales: Sequence[float], held: bool) -> float:
        """The rounding of a logit, in units of the squared gap."""
        total = best = scaled = 0.0
        terms, finest = 1, math.inf
        for digit, read, scale in zip(digits, reads, scales, strict=True):
            size = sum(abs(real(c)) * self.bounds[d].size for d, c in digit.form.terms.items()) + abs(digit.middle)
            reach = digit.reach / digit.gap
            total += reach * (2 * size / digit.gap + reach)
            scaled += scale * digit.reach * (2 * size + digit.reach)
            best += reach * reach
            terms += len(digit.form.terms)
            grid = common_grid([(c, self.bounds[d].grid) for d, c in digit.form.terms.items()])
            unit = scale * digit.grid * min(grid, digit.grid) if grid and read.error == 0.0 else 0.0
            finest = min(finest, unit)
        narrow = self.p.bits < self.p.accumulator
        if held and 0.0 < finest < math.inf and scaled / finest <= self.p.sum_whole and best <= self.p.whole:
            return 0.0
        return (terms + 1) * self.p.sum_unit * total + (2 * self.p.unit * total if narrow else 0.0)

    def _exact_bound(self, column: tuple[Fraction, ...]) -> Bound:
        found = Multiples.of(column)
        low, high = map(real, found.range)
        if is_held(found, self.p):
            return Bound(low, high, 0.0, real(found.unit))
        return Bound(low, high, self.p.rounding(max(abs(low), abs(high))), None)


@dataclass(frozen=True)
class _Digit:
    """One digit of an output: what it reads, and the numbers it can be."""

    form: Form
    size: int
    gap: float
    middle: float
    reach: float  # from the middle to the farthest number
    grid: float  # a power of two that all are multiples of, counted from the middle; 0 where there is none

    @staticmethod
    def of(form: Form, numbers: Multiples) -> _Digit:
        distance, middle = numbers.distance, centre(numbers)
        from_middle = numbers.shifted(-middle)
        step = from_middle.step
        grid = real(Fraction(step.numerator & -step.numerator, step.denominator)) if is_dyadic(step) else 0.0
        reach = real(max(abs(end) for end in from_middle.range))
        return _Digit(form, len(np.unique(numbers.counts)), real(distance) or math.ulp(0.0), real(middle), reach, grid)


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
        return 3 * square(part.reach)
    return sum(query.size * key.size for query, key in pairs)


def _is_step(group: list[tuple[Neuron, Fraction]], own: float) -> bool:
    """Two exact ramps whose difference is a power of two beyond the second: their sum is exact there."""
    if len(group) != 2 or own != 0.0:
        return False
    (_, up), (_, down) = group
    return up == -down and is_power(up)


def certify(circuit: Circuit) -> Certificate:
    """Derive the certificate of a circuit, in its precision. Where floats are too few to bound it, nothing holds."""
    try:
        return Certifier(circuit).certificate()
    except (OverflowError, ZeroDivisionError):
        return Certificate((Decision("the range of floats", sys.float_info.max, math.inf),), circuit.precision.name)
