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
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import TypeAlias

from compiler.circuit.certificate import Certificate, Decision
from compiler.circuit.circuit import Carry, Circuit, Repeat
from compiler.circuit.decoding import logits
from compiler.circuit.errors import NEAREST, HeadErrors, NeuronErrors, OutputErrors
from compiler.circuit.layer import Head, Layer, Neuron
from compiler.circuit.sizes import Sizes
from compiler.circuit.walk import walk
from compiler.numbers.bound import SLACK, Bound
from compiler.numbers.direction import ONE, Direction, Form
from compiler.numbers.exact import Multiples, real
from compiler.numbers.grid import common_grid, grid_of_products
from compiler.numbers.rounding import added

Bounds: TypeAlias = dict[Direction, Bound]
"""What is known of each direction."""


class Certifier(HeadErrors, NeuronErrors, OutputErrors):
    """Derives a certificate, sublayer by sublayer; how a head's error comes about may be replaced (C21).

    As an algebra of `walk`, its state is what is known of each direction, `bounds`.
    """

    def __init__(self, circuit: Circuit) -> None:
        super().__init__(circuit, None if circuit.encoder is None else type(self)(circuit.encoder))
        self.left: dict[Direction, float] = {}  # what erasing a direction may leave behind in its column
        self.sizes = Sizes(circuit, self)

    def certificate(self) -> Certificate:
        """Every decision, in the order of computation, and the largest number of every sublayer, an encoder's first."""
        before = Certificate((), self.p.name)
        if isinstance(self.encoder, Certifier):
            before = self.encoder.certificate()
        for _ in walk(self.circuit, self):
            self.forget()
        for output in self.circuit.outputs:
            coefficients = logits(output, self.p.logit_gap)
            self.sizes.logits(coefficients, self.output(output, coefficients))
        if self.circuit.outputs:
            self.sizes.end("logits")
        sizes = (*(replace(size, what=f"encoder, {size.what}") for size in before.sizes), *self.sizes.found)
        return Certificate((*before.decisions, *self.decisions), self.p.name, sizes)

    def order(self) -> Iterator[int]:
        """One round stands for all (C44): what is carried can be all that it is in any of them."""
        repeat = self.circuit.repeat
        for number in self.circuit.order(1):
            if repeat is not None and number == repeat.start:
                self._begin(repeat)
            yield number

    def _begin(self, repeat: Repeat) -> None:
        """What is carried into the first round is there to the bit, as it is in all others."""
        for carry in repeat.carries:
            held = self.bounds.get(carry.direction, Bound(0, 0))
            self._exactly(carry, "at first", held.error == 0.0)
            self.bounds[carry.direction] = self.exact(carry.numbers)

    def _exactly(self, carry: Carry, when: str, holds: bool) -> None:
        gap = Multiples.of(carry.numbers).distance or Fraction(1)
        what = f"{carry.direction}, carried to the bit, {when}"
        error = 0.0 if holds and self.exact(carry.numbers).error == 0.0 else math.inf
        self.decisions.append(Decision(what, NEAREST * real(gap), error, carry.direction.holds))

    def _carry(self) -> None:
        """The change is computed exactly, and so is its sum with what stands there: both are multiples of one power of
        two that the dtype holds."""
        repeat = self.circuit.repeat
        assert repeat is not None
        exact = [self._is_carried(carry) for carry in repeat.carries]
        for carry, fine in zip(repeat.carries, exact, strict=True):
            self._exactly(carry, "behind a round", fine)
        for carry in repeat.carries:
            self.bounds[carry.direction] = self.exact(carry.numbers)

    def _is_carried(self, carry: Carry) -> bool:
        """Whether nothing is rounded where the change is made."""
        change = carry.after - Form.of(carry.direction)
        own = [Neuron((), change * sign, ()) for sign in (1, -1)]
        read = self.form(change)
        total, grid = read.size, read.grid
        fine = (
            read.error == 0.0
            and self.p.holds(change.at(self.bos))
            and all(self.preactivation(neuron, read) == 0.0 for neuron in own)
        )
        for part in carry.computed:
            bound = self.neurons(part.direction, [*part.neurons])
            added = sum(abs(real(weight)) * max(self.form(neuron.read).high, 0.0) for neuron, weight in part.neurons)
            total += abs(real(part.factor)) * added
            grid = common_grid(grid, grid_of_products([(part.factor, bound.grid)]))
            held = all(self.p.holds(weight * part.factor) for _, weight in part.neurons)
            fine = fine and bound.error == 0.0 and held
        return fine and grid is not None and self.p.sums(total, grid)

    def _left_behind(self, layer: Layer) -> None:
        """What a round leaves in a direction that it has written would be there in the next one, too."""
        for direction in {direction for neuron in layer.erasers for direction, _ in neuron.writes}:
            rounded = direction in self.circuit.offsets and self.bounds[direction].error > 0.0
            if (left := math.inf if rounded else self.left.get(direction, 0.0)) > 0.0:
                self.decisions.append(Decision(f"{direction}, gone behind a round", 0.0, left, direction.holds))

    def embed(self) -> Bounds:
        """What the embedding writes is exact, or rounded once."""
        self.sizes.embedding()
        self.sizes.end("embedding")
        return self.bounds

    def attend(self, state: Bounds, number: int, heads: Sequence[Head]) -> Bounds:
        """What heads add, one after the other; what is added to an offset is rounded by that (C19)."""
        written: Bounds = {}
        gets: dict[Direction, float] = {}
        for head in heads:
            for direction, bound in self.head(head):
                gets[direction] = gets.get(direction, 0.0) + bound.size
                written[direction] = self._added(direction, bound, written)
        after = {d: self._rounded(d, b) if d in self.circuit.offsets else b for d, b in written.items()}
        self.sizes.added(gets, {}, after)
        state |= after
        if heads:
            self.sizes.end(f"L{number} heads" if not heads[0].crosses else f"L{number} heads that cross")
        return state

    def activate(self, state: Bounds, number: int, layer: Layer) -> Bounds:
        """What neurons add, those of one direction together, and what is erased."""
        gets = self.sizes.neurons(layer.mlp)
        groups: dict[Direction, list[tuple[Neuron, Fraction]]] = {}
        for neuron in layer.neurons:
            for direction, weight in neuron.writes:
                groups.setdefault(direction, []).append((neuron, weight))
        before = {d: state[d].size if d in state else 0.0 for d in groups}
        for direction, group in groups.items():
            bound = self._added(direction, self.neurons(direction, group), {})
            state[direction] = self._rounded(direction, bound) if bound.spacing else bound
        self.sizes.added(gets, before, state)
        self._erase(layer)
        if layer.carriers:
            self._carry()
            self._left_behind(layer)
        if layer.mlp:
            self.sizes.end(f"L{number} neurons")
        return state

    def head(self, head: Head) -> Iterator[tuple[Direction, Bound]]:
        """What a head adds to each direction that it writes."""
        self.sizes.head(head)
        yield from super().head(head)

    def _added(self, direction: Direction, bound: Bound, written: Bounds) -> Bound:
        """Several heads add into one direction: errors add, and so does the rounding of the sum."""
        low, high = self.written(direction)
        below = None if direction in self.circuit.offsets and bound.spacing else self.bounds.get(direction)
        before = written.get(direction, below)
        if before is None and (left := self.left.get(self.circuit.homes.get(direction, direction))):
            before = Bound(0, 0, left, None)
        if before is None:
            return Bound(low, high, bound.error, bound.grid, bound.spacing)
        grid = common_grid(before.grid, bound.grid)
        rounding = added(self.p, max(abs(low), abs(high)), grid)
        both = before.error + bound.error
        if direction in self.circuit.disjoint_counts and direction not in self.leaks and direction in written:
            # each error is a share of its count, and the counts are n in all (C6)
            both = max(before.error, bound.error) + high * self.p.sum_unit
        return Bound(low, high, (both + rounding) * SLACK, grid, common_grid(before.spacing, bound.spacing))

    def _erase(self, layer: Layer) -> None:
        """A neuron takes a number away as it is, with its error, unless the error has turned its sign (C15)."""
        seen: dict[Direction, int] = {}
        for neuron in layer.erasers:
            for direction, _ in neuron.writes if neuron.read.terms.keys() != {ONE} else ():
                seen[direction] = seen.get(direction, 0) + 1
        self.left |= {d: 0.0 if neurons == 2 else self.bounds[d].error for d, neurons in seen.items()}

    def _rounded(self, direction: Direction, added: Bound) -> Bound:
        """Added to an offset near which numbers are 1 apart, a number close to a whole one becomes whole (C19).

        They are so between half of the largest whole number that the dtype holds and that itself.
        """
        below = self.bounds[direction]
        low, high = below.low + added.low, below.high + added.high
        near = self.p.whole / 2 <= low and high <= self.p.whole and below.error == 0.0
        if added.spacing is None or added.spacing < 1 or not near:
            return Bound(low, high, added.error + self.p.rounding(high), None)
        if added.error > 0.0:
            what = f"{direction}, rounded to a whole number"
            self.decisions.append(Decision(what, NEAREST, added.error, direction.holds))
        return Bound(low, high)


def certify(circuit: Circuit) -> Certificate:
    """Derive the certificate of a circuit, in its precision. Where floats are too few to bound it, nothing holds."""
    try:
        return Certifier(circuit).certificate()
    except (OverflowError, ZeroDivisionError):
        return Certificate((Decision("the range of floats", sys.float_info.max, math.inf),), circuit.precision.name)
