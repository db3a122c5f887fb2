"""Sizes: the largest numbers that a running model makes, sublayer by sublayer.

In: a circuit, and what its certifier knows of each direction. Out: `Size`s, each against the largest of the dtype.
Invariant: no weight, no stored number and no partial sum at any position of any input, BOS included, is larger. Only a
score of a key that is not selected may be too far below 0: it is minus infinity then, and its weight 0 all the same.

    L0 heads: numbers up to 4.8e+04, of 6.55e+04
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from fractions import Fraction

from compiler.circuit.certificate import Size
from compiler.circuit.circuit import Circuit
from compiler.circuit.emit import Emitter
from compiler.circuit.layer import Head, Neuron, Part
from compiler.circuit.readings import Readings
from compiler.numbers.bound import SLACK, Bound, product_error
from compiler.numbers.direction import ONE, Direction, Form
from compiler.numbers.exact import Multiples, real

ROUNDED = 4
"""Unit roundoffs by which a stored number may exceed the exact one: of a weight, a sum, storing it; one to spare."""


class Sizes:
    """Collects the largest number of one sublayer after the other; each method notes what one part of it makes.

    `readings` say what the stream holds, and what a reading of it can be, at every position but BOS.
    """

    def __init__(self, circuit: Circuit, readings: Readings) -> None:
        self.p, self.readings = circuit.precision, readings
        self.bounds, self.form = readings.bounds, readings.form
        self.emitter = Emitter(circuit)
        self.bos = {direction: real(value) for direction, value in readings.bos.items()}
        self.largest = 0.0
        self.found: list[Size] = []

    def end(self, what: str) -> None:
        """All of a sublayer has been noted."""
        self.found.append(Size(what, self.p.largest, self.largest * SLACK))
        self.largest = 0.0

    def note(self, stored: float, total: float = 0.0) -> None:
        """A number that is stored, and what the terms add up to that it is the sum of: sums have a limit of their own.

        Rounding takes what is stored up by a few units at most. What is no number has no bound.
        """
        for size in (stored * (1 + ROUNDED * self.p.unit), total * (self.p.largest / self.p.sum_largest)):
            self.largest = max(self.largest, math.inf if math.isnan(size) else size)

    def embedding(self) -> None:
        """W_E, W_pos, their sum, and what BOS holds, which stays as it is but for offsets that leave it."""
        circuit = self.emitter.circuit
        for direction in {**self.bos, **circuit.tokens, **circuit.positions}:
            parts = [_largest(part[direction]) for part in (circuit.tokens, circuit.positions) if direction in part]
            offset = abs(real(circuit.offsets.get(direction, Fraction(0))))
            self.note(offset + max(sum(parts), abs(self.bos.get(direction, 0.0))))

    def head(self, head: Head) -> None:
        """Queries, keys and values as they are stored, the best score, W_O.

        Values are mixed by weights of 1 at most, and their sum may be divided by that of the weights in the end only.
        """
        pairs, values = self.emitter.scores(head), self.emitter.values(head)
        keys = self.readings.at_keys(head)
        for query, key in pairs:
            self.reading(query)
            self.reading(key, keys)
        for form, channel in zip(values, head.channels, strict=True):
            self.reading(form, keys)
            self.note(0.0, keys.n * keys.form(form).size + abs(real(channel.default)))
        self.note(self.emitter.lift(head))
        self.note(self._best(head), sum(self.form(query).size * keys.form(key).size for query, key in pairs))

    def reading(self, form: Form, of: Readings | None = None) -> None:
        """A column of a matrix, and what it reads at tokens and at BOS."""
        if of is None or of is self.readings:
            self._product(form, self.form(form).size, 0.0)
            return
        self._terms(form, of.form(form).size, 0.0, of.bounds, {d: real(of.bos.get(d, Fraction(0))) for d in form.terms})

    def _product(self, form: Form, size: float, bias: float) -> float:
        return self._terms(form, size, bias, self.bounds, self.bos)

    def _terms(
        self, form: Form, size: float, bias: float, bounds: Mapping[Direction, Bound], bos: Mapping[Direction, float]
    ) -> float:
        """A column of a matrix, and the sum of its products, with a bias or without; what it is at BOS."""
        terms = [(real(c), bounds[d].size, bos.get(d, 0.0)) for d, c in form.terms.items() if c]
        at_bos = sum(c * first for c, _, first in terms)
        self.note(max((abs(c) for c, _, _ in terms), default=0.0))
        self.note(size, sum(abs(c) * held for c, held, _ in terms) + abs(bias))
        self.note(max(abs(at_bos), abs(at_bos - bias)), sum(abs(c * first) for c, _, first in terms))
        return at_bos

    def _best(self, head: Head) -> float:
        """No score is larger. A parabola relative to the selected score is ``-(q - k)^2``, 0 at best (C5)."""
        relative = self.p.relative_scores and head.baseline is not None
        best = sum(self._best_of(head, part, relative) for part in head.parts)
        best -= real(head.selected) if relative else 0.0
        return head.sharpness(self.p) * max(best, 0.0)

    def _best_of(self, head: Head, part: Part, relative: bool) -> float:
        keys = self.readings.at_keys(head)
        reads = [(self.form(query), keys.form(key)) for query, key in part.pairs]
        off = sum(product_error(q, k) for q, k in reads)
        if part.kind == "parabola":
            return off + (0.0 if relative else part.best)
        best = sum(max(q * k for q in (query.low, query.high) for k in (key.low, key.high)) for query, key in reads)
        return off + best - (self.form(part.baseline).low if relative else 0.0)

    def neurons(self, neurons: Iterable[Neuron]) -> dict[Direction, float]:
        """Preactivations, with and without their biases; what the terms that each direction gets add up to."""
        gets: dict[Direction, float] = {}
        for neuron in neurons:
            read, bias = self.form(neuron.read), real(neuron.read.terms.get(ONE, Fraction(0)))
            ends = [abs(end - offset) for end in (read.low, read.high) for offset in (0.0, bias)]
            at_bos = self._product(neuron.read, max(ends) + read.error, bias)
            active = max(read.high + read.error, at_bos, 0.0)
            for direction, weight in neuron.writes:
                self.note(abs(real(weight)))
                gets[direction] = gets.get(direction, 0.0) + abs(real(weight)) * active
        return gets

    def added(
        self, gets: Mapping[Direction, float], before: Mapping[Direction, float], after: Mapping[Direction, Bound]
    ) -> None:
        """What is added to a direction: at most all its terms, and what it holds before and after together."""
        for direction, total in gets.items():
            size = after[direction].size if direction in after else 0.0
            self.note(max(min(total, before.get(direction, math.inf) + size), size), total)

    def logits(self, coefficients: Mapping[Direction, Multiples], largest: float) -> None:
        """W_U, the largest logit, and what its terms add up to."""
        sizes = {direction: max(map(abs, map(real, found.range))) for direction, found in coefficients.items()}
        self.note(max(sizes.values(), default=0.0))
        self.note(largest, sum(size * self.bounds[direction].size for direction, size in sizes.items()))


def _largest(column: Iterable[Fraction]) -> float:
    return max(map(abs, map(real, column)), default=0.0)
