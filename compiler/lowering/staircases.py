"""Staircases of neurons: a function of one number, added to the stream.

In: an s-op as a function of a number (a `Waist`). Out: `Reading`s; each kink of the function is a neuron (C8).
Invariant: a number that is read `exactly` is whole and free of rounding, where the task's care has it so (C19).

    h > 2  over h:  0 + 0 x + 2 relu(x - 9/4) + -2 relu(x - 11/4)
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from compiler.circuit.circuit import Neuron, Stairs
from compiler.lowering.attention import Read, Reading, is_short, weighted
from compiler.lowering.draft import Draft, after_mlp
from compiler.lowering.lines import less
from compiler.lowering.mlp import Kink, Staircase, staircase
from compiler.lowering.task import Task
from compiler.lowering.waists import Waist, Waists
from compiler.numbers.direction import Direction, Form
from rasp.sop import SOp, Total, Width


class Staircases:
    """Functions of one number, each a neuron a kink."""

    def __init__(self, task: Task, draft: Draft, waists: Waists, read: Read) -> None:
        self.analysis = task.analysis
        self.precision = task.precision
        self.whole = task.whole
        self.draft = draft
        self.waists = waists
        self.read = read
        self._exact: dict[SOp, Reading] = {}

    def over(self, node: SOp, waist: Waist) -> Staircase:
        """A bit that is read from a noisy number has plateaus. Others are interpolated: they cancel in scores (C5)."""
        noisy = any(self._noisy(var) for term, _ in waist.terms for var in self.analysis.variables(term))
        return staircase(waist.curve.corners(), flat=noisy and len(self.analysis.domain(node)) <= 2)

    def climb(self, node: SOp, stairs: Staircase, below: Waist) -> Reading:
        """The s-op, by the staircase over a number: a line, which is only read, and the kinks."""
        waist = self._number(below)
        line = waist.form * stairs.slope + Form.constant(stairs.constant)
        if not stairs.kinks:
            return Reading(line, waist.ready, waist.exact and is_short(stairs.slope) and is_short(stairs.constant))
        ready, label = after_mlp(waist.ready), self.draft.names.label(node)
        along = [(term, factor * stairs.slope) for term, factor in below.terms]
        holds = less(self.draft.names.meant(node), stairs.constant, along)
        direction = self.draft.direction(node, holds, "{} less a line" if stairs.slope else "{}")
        bends = below.curve.beyond(stairs.slope, stairs.constant)
        self.draft.ranges[direction] = bends.range
        self.draft.stairs[direction] = Stairs(waist.form, below.curve.arguments, bends)
        self._ramps(label, stairs.kinks, waist.form, direction, ready)
        exact = waist.exact and all(is_short(kink.at) and is_short(kink.weight) for kink in stairs.kinks)
        return Reading(line + Form.of(direction), ready, exact)

    def exactly(self, node: SOp) -> Reading:
        """A whole number, free of rounding if that can be had: what is read from a mean is added to an offset (C19)."""
        noisy = any(map(self._noisy, self.analysis.variables(node)))
        waists = [*self.waists.short(node)] if self.whole and noisy else []
        if not waists:
            return self.read(node)
        if node not in self._exact:
            self._exact[node] = self._upon_offset(node, min(waists, key=lambda waist: len(waist.curve.codes)))
        return self._exact[node]

    def _upon_offset(self, node: SOp, below: Waist) -> Reading:
        """A staircase whose line is a kink too, so that one direction holds all of it, and the offset for good."""
        waist = self._number(below)
        low, high = below.curve.arguments.range
        stairs = staircase(below.curve.points(), flat=False)
        side = stairs.kinks[0].side if stairs.kinks else 1
        line = Kink(low if side > 0 else high, side, stairs.slope * side)
        constant = stairs.constant + stairs.slope * line.at
        direction, ready = self.draft.direction(node, less(node, constant)), after_mlp(waist.ready)
        bends = below.curve.beyond(Fraction(0), constant)
        self.draft.ranges[direction] = bends.range
        self.draft.stairs[direction] = Stairs(waist.form, below.curve.arguments, bends)
        self.draft.offsets[direction] = self.precision.offset + constant
        self._ramps(self.draft.names.label(node), [line, *stairs.kinks], waist.form, direction, ready)
        return Reading(Form.of(direction) - Form.constant(self.precision.offset), ready, exact=True)

    def _number(self, waist: Waist) -> Reading:
        return self.draft.settled(weighted([(self.read(term), factor) for term, factor in waist.terms]))

    def _noisy(self, variable: SOp) -> bool:
        """Whether the variable carries rounding errors."""
        whole = self.whole or not self.precision.counts_need_offset
        return self.analysis.noisy(variable) and not (whole and isinstance(variable, Width | Total))

    def _ramps(self, label: str, kinks: Sequence[Kink], read: Form, direction: Direction, ready: int) -> None:
        for kink in kinks:
            bent = (read - Form.constant(kink.at)) * kink.side
            neuron = Neuron((f"{label}, step at {kink.at}",), bent, ((direction, kink.weight),))
            self.draft.neurons.append((ready, neuron))
