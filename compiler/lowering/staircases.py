"""Staircases of neurons: a function of one number, added to the stream.

In: an s-op as a function of a number (a `Pivot`). Out: `Operand`s; each knot of the function is a neuron (C8).
Invariant: a number that is read `exactly` is whole and free of rounding, where the context's policy has it so (C19).

    h > 2  over h:  0 + 0 x + 2 relu(x - 9/4) + -2 relu(x - 11/4)
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from compiler.circuit.layer import Neuron, Stairs
from compiler.lowering.attention import Operand, Read, has_few_digits, weighted
from compiler.lowering.builder import Builder
from compiler.lowering.context import Context
from compiler.lowering.lines import minus
from compiler.lowering.mlp import Knot, Staircase, staircase
from compiler.lowering.pivots import Pivot, Pivots
from compiler.numbers.direction import Direction, Form
from compiler.numbers.exact import counts
from rasp.meaning.sop import SOp, Total, Width


class Staircases:
    """Functions of one number, each a neuron a knot."""

    def __init__(self, context: Context, builder: Builder, pivots: Pivots, read: Read) -> None:
        self.analysis = context.analysis
        self.precision = context.precision
        self.whole = context.whole
        self.coarse = context.coarse
        self.builder = builder
        self.pivots = pivots
        self.read = read
        self._exact: dict[SOp, Operand] = {}

    def over(self, node: SOp, pivot: Pivot) -> Staircase:
        """The s-op as a staircase over the pivot's number: with plateaus for a bit read from an inexact number.

        Between the points of others it is linear: what that gets wrong of two squares cancels in a parabola (C5).
        """
        inexact = any(self._inexact(var) for term, _ in pivot.terms for var in self.analysis.variables(term))
        flat = inexact and len(self.analysis.domain(node)) <= 2
        found = staircase(pivot.curve.corners(), flat)
        if flat or not self.coarse or self._fits_on_grid(found, pivot):
            return found
        coarse = staircase(pivot.curve.corners(), flat, coarse=True)
        return coarse if self._fits_on_grid(coarse, pivot) else found

    def _fits_on_grid(self, stairs: Staircase, pivot: Pivot) -> bool:
        """Whether what the knots add up to, in units of the grid that it is on, is small enough to be exact (C8)."""
        low, high = pivot.curve.arguments.range
        weights, common = counts([knot.weight for knot in stairs.knots])
        grid = pivot.curve.arguments.unit / common
        return sum(map(abs, weights)) * (high - low) / common <= self.precision.sum_whole * grid

    def computed(self, node: SOp, stairs: Staircase, pivot: Pivot) -> Operand:
        """The s-op, by the staircase over a number: a line, which is only read, and the knots."""
        number = self._number(pivot)
        line = number.form * stairs.slope + Form.constant(stairs.constant)
        if not stairs.knots:
            return Operand(
                line, number.ready, number.exact and has_few_digits(stairs.slope) and has_few_digits(stairs.constant)
            )
        ready, label = self.builder.after_mlp(number.ready), self.builder.names.label(node)
        along = [(term, factor * stairs.slope) for term, factor in pivot.terms]
        holds = minus(self.builder.names.meant(node), stairs.constant, along)
        direction = self.builder.direction(node, holds, "{} less a line" if stairs.slope else "{}")
        rest = pivot.curve.beyond(stairs.slope, stairs.constant)
        self.builder.ranges[direction] = rest.range
        self.builder.stairs[direction] = Stairs(number.form, pivot.curve.arguments, rest)
        self._ramps(label, stairs.knots, number.form, direction, ready)
        exact = number.exact and all(has_few_digits(knot.at) and has_few_digits(knot.weight) for knot in stairs.knots)
        return Operand(line + Form.of(direction), ready, exact)

    def exactly(self, node: SOp) -> Operand:
        """A whole number, free of rounding if that can be had: what is read from a mean is added to an offset (C19)."""
        inexact = any(map(self._inexact, self.analysis.variables(node)))
        pivots = [*self.pivots.within_limits(node)] if self.whole and inexact else []
        if not pivots:
            return self.read(node)
        if node not in self._exact:
            self._exact[node] = self._upon_offset(node, min(pivots, key=lambda pivot: len(pivot.curve.codes)))
        return self._exact[node]

    def _upon_offset(self, node: SOp, pivot: Pivot) -> Operand:
        """A staircase whose line is a knot too, so that one direction holds all of it, on an offset.

        The offset stays: no head writes the direction, so no MLP takes it away, and whoever reads subtracts it.
        """
        number = self._number(pivot)
        low, high = pivot.curve.arguments.range
        stairs = staircase(pivot.curve.points(), flat=False)
        side = stairs.knots[0].side if stairs.knots else 1
        line = Knot(low if side > 0 else high, side, stairs.slope * side)
        constant = stairs.constant + stairs.slope * line.at
        direction, ready = self.builder.direction(node, minus(node, constant)), self.builder.after_mlp(number.ready)
        rest = pivot.curve.beyond(Fraction(0), constant)
        self.builder.ranges[direction] = rest.range
        self.builder.stairs[direction] = Stairs(number.form, pivot.curve.arguments, rest)
        self.builder.offsets[direction] = self.precision.offset + constant
        self._ramps(self.builder.names.label(node), [line, *stairs.knots], number.form, direction, ready)
        return Operand(Form.of(direction) - Form.constant(self.precision.offset), ready, exact=True)

    def _number(self, pivot: Pivot) -> Operand:
        return self.builder.after_offsets(weighted([(self.read(term), factor) for term, factor in pivot.terms]))

    def _inexact(self, variable: SOp) -> bool:
        """Whether the variable carries rounding errors, as the policy leaves it: counts that are made whole do not."""
        whole = self.whole or not self.precision.counts_need_offset
        return self.analysis.inexact(variable) and not (whole and isinstance(variable, Width | Total))

    def _ramps(self, label: str, knots: Sequence[Knot], read: Form, direction: Direction, ready: int) -> None:
        for knot in knots:
            preactivation = (read - Form.constant(knot.at)) * knot.side
            neuron = Neuron((f"{label}, step at {knot.at}",), preactivation, ((direction, knot.weight),))
            self.builder.neurons.append((ready, neuron))
