"""Gates: functions of two whole numbers that no table is made of: comparisons, products, remainders, quotients.

A gate lets a number through where a condition holds, and gives 0 elsewhere; what it lets through is said to be gated.

In: an s-op of two operands, which are read as forms. Out: its `Operand`, all neurons in one layer and one direction.
Invariants: joint values of the operands are never tabulated; every neuron reads whole numbers (docs/constructions.md,
C24).

    a >= b          2 relu(a - b + 3/4) - 2 relu(a - b + 1/4)
    b [a >= 0]      relu(b + M a) - relu(M a),   0 <= b <= M
    a * b           the sum over j = 1 .. max a of  b [a - j >= 0]
    a % b           a - the sum over j = 1 .. of  b [a - j b >= 0]
    round(a / b)    the sum over j of  [2 a - (2 j - 1) b >= 0], or > 0 where j is odd
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import assert_never

from compiler.circuit.layer import Neuron, Stairs
from compiler.lowering.attention import Operand, Read, weighted
from compiler.lowering.builder import Builder
from compiler.lowering.context import Context
from compiler.lowering.lines import minus
from compiler.numbers.direction import Form
from compiler.numbers.exact import Multiples
from compiler.numbers.grid import common_step
from rasp.meaning.sop import Constant, Map, Predicate, SOp

QUARTER = Fraction(1, 4)
Relu = tuple[Operand, Fraction, Fraction]
"""A neuron ``weight * relu(operand - threshold)``, as operand, threshold and weight."""


class Gates:
    """Functions of two operands, neuron by neuron."""

    def __init__(self, context: Context, builder: Builder, read: Read) -> None:
        self.context = context
        self.analysis = context.analysis
        self.builder = builder
        self.read = read

    def compared(self, node: SOp, op: Predicate, a: SOp, b: SOp) -> Operand | None:
        """A comparison of two numbers, by the difference, in units of what all differences are multiples of."""
        found = self.difference(a, b)
        if found is None:
            return None
        number, _ = found
        at_least, above = _step_function(number, False), _step_function(number, True)
        match op:
            case ">=" | ">":
                relus, constant = at_least if op == ">=" else above, 0
            case "<" | "<=":
                relus, constant = _times(at_least if op == "<" else above, -1), 1
            case "==" | "!=":
                relus, constant = [*at_least, *_times(above, -1)], 0
                if op == "!=":
                    relus, constant = _times(relus, -1), 1
            case _:
                assert_never(op)
        ends = (Fraction(-1), Fraction(0)) if constant else (Fraction(0), Fraction(1))
        return weighted(
            [
                (self.placed_together(node, minus(node, Fraction(constant)), relus, ends), Fraction(1)),
                self._number(constant),
            ]
        )

    def difference(self, a: SOp, b: SOp) -> tuple[Operand, Fraction] | None:
        """``a - b`` in units of what all differences are multiples of, and its largest size; None if that is too large.

        Strings stand for their codes, which are the same for all s-ops.
        """
        if not self.context.all_numeric(a, b):
            a, b = (self.context.codes.of(side, self.analysis.domain(side)) for side in (a, b))
        one, other = self.analysis.domain(a), self.analysis.domain(b)
        between = one.ends[0] - other.ends[0]
        unit = common_step([one.step, other.step, between]) or Fraction(1)
        if max(abs(end) for end in (*one.ends, *other.ends)) / unit > self.context.precision.sum_whole / 8:
            return None
        reach = max(abs(x - y) for x in one.ends for y in other.ends) / unit
        return weighted([(self.read(a), 1 / unit), (self.read(b), -1 / unit)]), reach

    def compares_codes(self, node: Map) -> bool:
        """Whether strings are asked whether they are equal, and none of them is averaged."""
        if node.op not in ("==", "!=") or self.context.all_numeric(*node.args):
            return False
        return not any(self.analysis.domain(side).averaged for side in node.args)

    def product(self, node: SOp, a: SOp, b: SOp) -> Operand | None:
        """``a b`` for whole a of few values: a gate for each of them but the least."""
        counted, gated = self.analysis.domain(a), self.analysis.domain(b)
        if not counted.whole or len(counted) > self.context.limits.gates:
            return None
        (low, high), (least, most) = counted.ends, gated.ends
        size = Fraction(math.ceil((most - least) / counted.gap))
        x, y = self.read(a), self.read(b)
        part = weighted([(y, Fraction(1)), self._number(-least)])
        relus: list[Relu] = []
        for below, here in zip(counted.numbers, counted.numbers[1:], strict=False):
            relus += _gate(part, weighted([(x, Fraction(1)), self._number(-here)]), size, here - below)
        line = [(b, low), (a, least)]
        found = self.placed_together(
            node, minus(node, -low * least, line), relus, (Fraction(0), (high - low) * (most - least))
        )
        return weighted([(found, Fraction(1)), (y, low), (x, least), self._number(-low * least)])

    def remainder(self, node: SOp, a: SOp, b: SOp) -> Operand | None:
        """``a % b`` for positive b: a gate for each quotient but the least."""
        if not (self.analysis.domain(a).whole and self.analysis.domain(b).whole):
            return None
        ends = self._quotients(a, b)
        if ends is None:
            return None
        first, last = ends
        if isinstance(b, Constant) and len(self.analysis.domain(a)) <= self.context.limits.points:
            return self._by_number(a, Fraction(b.value), first, last)
        x, (least, greatest) = self.read(a), self.context.range(a)
        y, most = self._up_to(b, greatest + 1) if least >= 0 else (self.read(b), self.context.range(b)[1])
        relus: list[Relu] = []
        for j in range(first + 1, last + 1):
            relus += _gate(y, weighted([(x, Fraction(1)), (y, Fraction(-j))]), most, Fraction(-1))
        low = self.context.range(a)[0]
        relus.append((x, low, Fraction(1)))
        relus += [(y, Fraction(0), Fraction(-first))] if first else []
        found = self.placed_together(node, minus(node, low), relus, (-low, most - 1 - low))
        return weighted([(found, Fraction(1)), self._number(low)])

    def _up_to(self, node: SOp, most: Fraction) -> tuple[Operand, Fraction]:
        """A number, or another one where it is larger, ``m - relu(m - x)``, and its larger end."""
        low, high = self.context.range(node)
        if high <= most or most <= low:
            return self.read(node), high
        left = weighted([self._number(most), (self.read(node), Fraction(-1))])
        end = Constant(int(most))
        holds = Map("if", (Map("<", (node, end)), Map("-", (end, node)), Constant(0)))
        found = self.builder.neuron(node, left, most - low, holds, f"{most} - {{}}")
        return weighted([self._number(most), (found, Fraction(-1))]), most

    def _by_number(self, a: SOp, number: Fraction, first: int, last: int) -> Operand:
        """``a - number floor(a / number)``: the quotient grows with a: nothing large is added and taken away."""
        quotient = Map(
            "-",
            (
                Map("/", (a, Constant(int(number)))),
                Map("/", (Map("%", (a, Constant(int(number)))), Constant(int(number)))),
            ),
        )
        x = self.read(a)
        if first == last:
            return weighted([(x, Fraction(1)), self._number(-first * number)])
        relus: list[Relu] = []
        for j in range(first + 1, last + 1):
            relus += _step_function(weighted([(x, Fraction(1)), self._number(-j * number)]), above=False)
        found = self.placed_together(
            quotient, minus(quotient, Fraction(first)), relus, (Fraction(0), Fraction(last - first))
        )
        (direction,) = found.form.terms
        numbers = self.analysis.domain(a).numbers
        values = Multiples.of([Fraction(x // number - first) for x in numbers])
        self.builder.stairs[direction] = Stairs(x.form, Multiples.of(numbers), values)
        return weighted([(x, Fraction(1)), (found, -number), self._number(-first * number)])

    def rounded(self, node: SOp, a: SOp, b: SOp) -> Operand | None:
        """``round(a / b)`` for positive b, half to even: a step function for each whole number but the least."""
        if not (self.analysis.domain(a).whole and self.analysis.domain(b).whole):
            return None
        ends = self._quotients(a, b, rounded=True)
        if ends is None:
            return None
        first, last = ends
        x, y = self.read(a), self.read(b)
        relus: list[Relu] = []
        for j in range(first + 1, last + 1):
            relus += _step_function(weighted([(x, Fraction(2)), (y, Fraction(1 - 2 * j))]), above=j % 2 == 1)
        found = self.placed_together(node, minus(node, Fraction(first)), relus, (Fraction(0), Fraction(last - first)))
        return weighted([(found, Fraction(1)), self._number(first)])

    def copied(self, node: SOp, a: SOp) -> Operand:
        """A whole number copied into a direction of its own: what it is a sum of may be larger than it can be."""
        low, high = self.context.range(a)
        read = weighted([(self.read(a), Fraction(1)), self._number(-low)])
        found = self.builder.neuron(node, read, high - low, minus(node, low))
        return weighted([(found, Fraction(1)), self._number(low)])

    def _quotients(self, a: SOp, b: SOp, rounded: bool = False) -> tuple[int, int] | None:
        """The least and the greatest quotient, if they are few, and what divides is positive."""
        if self.context.range(b)[1] <= 0 or self.context.range(b)[0] < 0:
            return None
        pairs = self.analysis.joint((a, b))
        if pairs is None:
            found = [x / max(y, Fraction(1)) for x in self.context.range(a) for y in self.context.range(b)]
            ends = (
                (round(min(found)), round(max(found))) if rounded else (math.floor(min(found)), math.floor(max(found)))
            )
        else:
            defined = pairs[pairs[:, 1] > 0]
            if not len(defined):
                return None
            over, under = defined[:, 0], defined[:, 1]
            down = over // under
            if rounded:
                twice = 2 * (over - down * under)
                down = down + ((twice > under) | ((twice == under) & (down % 2 == 1)))
            ends = int(down.min()), int(down.max())
        return ends if ends[1] - ends[0] <= self.context.limits.gates else None

    def _number(self, number: Fraction | int) -> tuple[Operand, Fraction]:
        return self.read(Constant(1)), Fraction(number)

    def placed_together(self, node: SOp, holds: SOp, relus: Sequence[Relu], ends: tuple[Fraction, Fraction]) -> Operand:
        """The neurons, all into one direction; 0 where there are none, since only one quotient or value occurs."""
        if not relus:
            return Operand(Form.constant(0), 0, exact=True)
        direction = self.builder.direction(node, holds)
        self.builder.ranges[direction] = ends
        ready, exact = 0, True
        for operand, _, _ in relus:
            ready = max(ready, self.builder.after_mlp(self.builder.after_offsets(operand).ready))
            exact = exact and operand.exact
        label = self.builder.names.label(node)
        for operand, threshold, weight in relus:
            read = operand.form - Form.constant(threshold)
            self.builder.neurons.append((ready, Neuron((label,), read, ((direction, weight),))))
        return Operand(Form.of(direction), ready, exact)


def _step_function(number: Operand, above: bool) -> list[Relu]:
    """1 where a whole number is at least 0, or above 0; flat for a quarter around each, unless it is exact."""
    if number.exact:
        start = Fraction(0 if above else -1)
        return [(number, start, Fraction(1)), (number, start + 1, Fraction(-1))]
    start = QUARTER if above else QUARTER - 1
    return [(number, start, Fraction(2)), (number, start + 2 * QUARTER, Fraction(-2))]


def _gate(gated: Operand, number: Operand, size: Fraction, weight: Fraction) -> list[Relu]:
    """A weight times what is gated, from 0 to `size`, where a whole number is at least 0."""
    opened = weighted([(gated, Fraction(1)), (number, size)])
    return [(opened, Fraction(0), weight), (weighted([(number, size)]), Fraction(0), -weight)]


def _times(relus: Iterable[Relu], factor: int) -> list[Relu]:
    return [(operand, threshold, weight * factor) for operand, threshold, weight in relus]
