"""Readings: what a linear form of the stream can be, and how far it is from what it should be.

In: a circuit, and a `Bound` for each direction. Out: the `Bound` of any form.
Invariant: the range holds every value that the form has at any token of any input; the error is never too small (C17).

    length - indices, of 1 to 8 and 0 to 7:  from -6 to 8, in float32 held to the bit
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np

from compiler.circuit.certificate import Decision
from compiler.circuit.circuit import Circuit
from compiler.circuit.layer import Head
from compiler.numbers.bound import SLACK, Bound, reach
from compiler.numbers.direction import BOS, ONE, Direction, Form
from compiler.numbers.exact import Multiples, real
from compiler.numbers.grid import grid_of_products
from compiler.numbers.powers import is_power
from compiler.numbers.rounding import holds_all, sum_stored


class Readings:
    """The forms of a circuit, over what is known of its directions so far, and the decisions that were met so far.

    `encoder` are those of the encoder's stream as it is in the end, if heads cross.
    """

    def __init__(self, circuit: Circuit, encoder: Readings | None = None) -> None:
        self.circuit = circuit
        self.encoder = encoder
        self.p = circuit.precision
        self.n = circuit.max_length
        self.bos = circuit.bos()
        self.decisions: list[Decision] = []
        self.bounds: dict[Direction, Bound] = {ONE: Bound(1, 1), BOS: Bound(0, 0)}
        self._mixed = {d for layer in circuit.layers for d in layer.writes()}
        self._columns = {d: Multiples.of(column).floats for d, column in self._embedded()}
        self._read: dict[int, tuple[Form, Bound]] = {}  # by identity, of one sublayer: `bounds` are the same all along
        for direction, column in self._embedded():
            self.bounds[direction] = self.exact(column)
        for direction, offset in circuit.offsets.items():
            self.bounds[direction] = self.exact((offset,))

    def _embedded(self) -> Iterator[tuple[Direction, tuple[Fraction, ...]]]:
        yield from self.circuit.tokens.items()
        yield from self.circuit.positions.items()

    def at_keys(self, head: Head) -> Readings:
        """The readings of what a head reads at keys."""
        if not head.crosses:
            return self
        assert self.encoder is not None
        return self.encoder

    def exact(self, numbers: Sequence[Fraction]) -> Bound:
        """What is known of exact numbers that the dtype holds, or rounds once."""
        found = Multiples.of(numbers)
        low, high = map(real, found.range)
        if holds_all(self.p, found):
            return Bound(low, high, 0.0, real(found.unit))
        return Bound(low, high, self.p.rounding(max(abs(low), abs(high))), None)

    def forget(self) -> None:
        """The bounds have changed: forms are read anew."""
        self._read.clear()

    def form(self, form: Form) -> Bound:
        """A reading: a row of the stream times a column of a matrix."""
        known = self._read.get(id(form))
        if known is None:
            known = self._read[id(form)] = form, self._bound(form)
        return known[1]

    def _bound(self, form: Form) -> Bound:
        """Errors are carried along; nothing is rounded while partial sums stay on a grid that sums hold (C17)."""
        low, high = self.range(form)
        terms = [(real(c), self.bounds[d], c) for d, c in form.terms.items()]
        total = sum(max(abs(c), self.p.smallest) * bound.size for c, bound, _ in terms)
        carried = sum(abs(c) * bound.error for c, bound, _ in terms)
        grid = grid_of_products((c, bound.grid) for _, bound, c in terms)
        held = all(self.p.holds(c) for _, _, c in terms)
        size = max(abs(low), abs(high))
        if grid is not None and held and self.p.sums(reach(terms), grid) and self.p.stores(size, grid):
            return Bound(low, high, carried * SLACK, grid)
        if len(terms) == 1 and held and is_power(terms[0][2]):  # it is shifted, unless it becomes too small
            rounding = self.p.rounding(self.p.smallest * (abs(terms[0][0]) < 1))
        else:  # one addition more than terms have: the bias is added on its own
            rounding = sum_stored(self.p, len(terms) + 1, total, size, held)
        return Bound(low, high, (carried + rounding) * SLACK, None)

    def range(self, form: Form) -> tuple[float, float]:
        """Token part, position part, a staircase and its argument are taken jointly, everything else as independent."""
        low = high = 0.0
        for direction in [d for d in form.terms if d in self.circuit.stairs]:
            joint = self._with_argument(form, direction)
            if joint is not None:
                form, (least, greatest) = joint
                low, high = low + least, high + greatest
        for part in (self.circuit.tokens, self.circuit.positions):
            joint_terms = [(d, real(c)) for d, c in form.terms.items() if d in part and d not in self._mixed]
            if len(joint_terms) > 1:
                values = np.sum([c * self._columns[d] for d, c in joint_terms], axis=0)
                low, high = low + float(values.min()), high + float(values.max())
            elif joint_terms:
                least, greatest = self._ends(*joint_terms[0])
                low, high = low + least, high + greatest
        for direction, coefficient in form.terms.items():
            if direction not in self._columns or direction in self._mixed:
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

    def written(self, direction: Direction) -> tuple[float, float]:
        """What the stream can hold there: what heads and neurons write, and what the embedding puts below it."""
        low, high = map(real, self.circuit.ranges[direction])
        for part in (self.circuit.tokens, self.circuit.positions):
            if direction in part:
                low, high = low + real(min(part[direction])), high + real(max(part[direction]))
        return low, high
