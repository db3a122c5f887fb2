"""Choices by a comparison: two numbers, of which a third decides, in one layer.

In: ``a if x >= y else b``, or with any other comparison. Out: its `Operand`, or None where another way is taken.
Invariants: joint values are never tabulated; a difference that carries rounding may be wrong by a quarter
(docs/constructions.md, C39).

    a if d >= 0 else b  =  b + relu(a - b - l + M d) - relu(M d - l),   l <= 0, a - b from l to l + M
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from compiler.graph.domain import TOKEN
from compiler.graph.domain.variables import POSITION
from compiler.lowering.attention import Operand, Read, weighted
from compiler.lowering.context import Context
from compiler.lowering.gates import Gates, Relu
from compiler.lowering.lines import minus
from compiler.lowering.rewrites import Facts, choice_in
from compiler.numbers.grid import common_step
from compiler.numbers.powers import power_above
from rasp.meaning.operators import PREDICATES
from rasp.meaning.sop import Constant, Map, SOp

STARTS: dict[str, tuple[int, ...]] = {">=": (0,), "<": (0,), ">": (1,), "<=": (1,), "==": (0, 1), "!=": (0, 1)}
"""The difference ``x - y`` from which on the gate is open; for ``==`` and ``!=``, the one, too, at which it shuts."""


class Choices:
    """Choices that read what is compared instead of a bit."""

    def __init__(self, context: Context, facts: Facts, gates: Gates, read: Read) -> None:
        self.context = context
        self.analysis = context.analysis
        self.facts = facts
        self.gates = gates
        self.read = read

    def applies_to(self, node: SOp) -> bool:
        """Whether the s-op is a choice, or a function of one that nobody else reads, or one of a comparison.

        Where this is so, `Neurons` weighs neurons against layers, whichever way is taken in the end.
        """
        if self.context.precision.is_half:  # what gates take away again is rounded there
            return False
        match node if isinstance(node, Map) else choice_in(node, self.facts):
            case Map(op="if", args=(_, a, b)) as inner if inner is node:
                return self.context.all_numeric(a, b)
            case Map(op="and" | "or") as inner if inner is node and not self.context.has_several_readers(node):
                return True
            case Map(op="if") as inner:
                return not self.context.has_several_readers(inner)
        return self._compared_in(node) is not None

    def of(self, node: SOp) -> Operand | None:
        """A choice by what is compared, or a function of a comparison, which is linear in the comparison's bit.

        An order takes one gate; ``==`` and ``!=`` take two, which cancel where x is not y.
        """
        if not self.applies_to(node):
            return None
        match node:
            case Map(op="if", args=(Map(op=op, args=(x, y)) as condition, a, b)):
                if not self._is_computed(condition) or not self.context.all_numeric(a, b):
                    return None
                reached, otherwise = (b, a) if op in ("<", "<=", "!=") else (a, b)
                return self._gated(node, x, y, reached, otherwise, STARTS[op])
        inner = self._compared_in(node)
        if inner is None or inner is node:
            return None
        at_false, at_true = (number or Fraction(0) for number in self.analysis.numbers_over(node, inner))
        return weighted([(self.read(inner), at_true - at_false), (self.read(Constant(1)), at_false)])

    def _compared_in(self, node: SOp) -> SOp | None:
        """The comparison that the s-op is, or is a function of."""
        return next((inner for inner in (node, *self.facts.pivots.links(node)) if self._is_computed(inner)), None)

    def _is_computed(self, condition: SOp) -> bool:
        """Whether a condition is a comparison that takes neurons: not one of a token, of a position, or of a bit."""
        if not isinstance(condition, Map) or condition.op not in PREDICATES:
            return False
        if self.analysis.variables(condition) in ((TOKEN,), (POSITION,)):
            return False
        few = sum(len(self.analysis.domain(side)) for side in condition.args) <= 3
        return not few and (self.context.all_numeric(*condition.args) or self.gates.compares_codes(condition))

    def _gated(self, node: SOp, x: SOp, y: SOp, reached: SOp, otherwise: SOp, starts: Sequence[int]) -> Operand | None:
        """``reached`` where ``x - y`` is at least the first start, but not the second, and ``otherwise`` elsewhere."""
        found, gap = self.gates.difference(x, y), Map("-", (reached, otherwise))
        if found is None:
            return None
        number, reach = found
        domain = self.analysis.domain(gap)
        low, high = min(domain.ends[0], Fraction(0)), max(domain.ends[1], Fraction(0))
        size = power_above(high - low) if number.exact else 4 * power_above(max(-low, high))
        step = common_step([domain.step, *domain.ends]) or Fraction(1)
        if (reach + 1) * size / step > self.context.precision.sum_whole / 8:
            return None
        opened = -low if number.exact else size / 2
        shut = weighted([(number, size)])
        both = weighted([(self.read(gap), Fraction(1)), (shut, Fraction(1))])
        relus: list[Relu] = []
        for sign, start in zip((1, -1), starts, strict=False):
            relus += [(both, size * start - opened, Fraction(sign)), (shut, size * start - opened, Fraction(-sign))]
        added = self.gates.placed_together(
            node, minus(node, Fraction(0), [(otherwise, Fraction(1))]), relus, (low, high)
        )
        return weighted([(added, Fraction(1)), (self.read(otherwise), Fraction(1))])
