"""Operations: `and`, `or`, choices and arithmetic, computed from their operands.

In: an s-op that is an `and`, an `or`, a choice, a product, or a function of a choice. Out: its `Operand`, or None.
Invariant: joint values of the operands are never tabulated.

    a if c else b  is  b + c (a - b)
    a * b          is  ((a + b)^2 - (a - b)^2) / 4
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from compiler.circuit.layer import Neuron
from compiler.lowering.attention import Operand, Read, weighted
from compiler.lowering.builder import Builder
from compiler.lowering.context import Context
from compiler.lowering.gates import Gates
from compiler.lowering.lines import minus
from compiler.lowering.logic import Logic
from compiler.lowering.rewrites import DISTRIBUTED, Facts, choice_in, distribute, replaced
from compiler.numbers.direction import Form
from compiler.numbers.powers import power_above
from rasp.meaning.sop import Constant, Lookup, Map, Predicate, SOp


class Operations:
    """Operations from their operands."""

    def __init__(
        self, context: Context, builder: Builder, facts: Facts, logic: Logic, gates: Gates, read: Read
    ) -> None:
        self.context = context
        self.analysis = context.analysis
        self.builder = builder
        self.facts = facts
        self.logic = logic
        self.gates = gates
        self.read = read

    def computed(self, node: SOp) -> Operand | None:
        """Logic, choice and products from their operands."""
        match node:
            case Map(op="and"):
                return self.logic.conjunction(node)
            case Map(op="or"):
                return self.logic.disjunction(node)
            case Map(op="if", args=(condition, a, b)) if self.context.all_numeric(a, b):
                branches, other = self._branches(node)
                if len(branches) > 2:
                    return self._first_of(node, branches, other)
                return self._choice(node, self.context.as_bit(condition), a, b)
            case Map(op="*", args=(a, b)) if a is not b and self.context.all_numeric(a, b):
                return self._product(node, a, b)
            case Map(op="%", args=(a, b)) if self.context.all_numeric(a, b):
                return self.gates.remainder(node, a, b) or self._distributed(node)
            case Map(op="round", args=(Map(op="/", args=(a, b)),)) if self.context.all_numeric(a, b):
                return self.gates.rounded(node, a, b) or self._distributed(node)
            case Map(op="==" | "!=" | "<" | "<=" | ">" | ">=" as op, args=(a, b)):
                return self._compared(node, op, a, b) or self._distributed(node)
        return self._distributed(node)

    def _compared(self, node: SOp, op: Predicate, a: SOp, b: SOp) -> Operand | None:
        """Numbers by their difference; strings by that of their codes, which are the same for all s-ops."""
        comparable = self.context.all_numeric(a, b) or self.gates.compares_codes(Map(op, (a, b)))
        return self.gates.compared(node, op, a, b) if comparable else None

    def _choice(self, node: SOp, condition: SOp, a: SOp, b: SOp) -> Operand:
        """``b + c (a - b)``; ``c d = relu(d - least + M (c - 1)) + least c``, M at least the range of d (C9)."""
        difference = Map("-", (a, b))
        least, greatest = self.context.range(difference)
        span = greatest - least
        size = power_above(max(span, Fraction(1)))
        bit, gap, other = self.read(condition), self.read(difference), self.read(b)
        preactivation = gap.form + bit.form * size - Form.constant(least + size)
        holds = Map("if", (condition, minus(difference, least), Constant(0)))
        read = Operand(preactivation, max(bit.ready, gap.ready), bit.exact and gap.exact)
        product = self.builder.neuron(node, read, span, holds, "{}, gated")
        return weighted([(other, Fraction(1)), (product, Fraction(1)), (bit, least)])

    def _branches(self, node: SOp) -> tuple[list[tuple[SOp, SOp]], SOp]:
        """Choices inside each other, as branches, and what is taken where the condition of none is true.

        A branch is a condition with what is chosen where it is the first that is true.
        """
        branches: list[tuple[SOp, SOp]] = []
        while (
            not (branches and self.context.has_several_readers(node)) and (choice := self._as_choice(node)) is not None
        ):
            condition, chosen, node = choice.args
            if not self.context.all_numeric(chosen, node):
                return [], node
            branches.append((self.context.as_bit(condition), chosen))
        return branches, node

    def _as_choice(self, node: SOp) -> Map | None:
        """A choice, or a table of a choice as a choice of tables."""
        if isinstance(node, Map):
            return node if node.op == "if" else None
        choice = choice_in(node, self.facts) if isinstance(node, Lookup) else None
        return (
            None if choice is None or self.context.has_several_readers(choice) else distribute(node, choice, self.facts)
        )

    def _first_of(self, node: SOp, branches: Sequence[tuple[SOp, SOp]], other: SOp) -> Operand:
        """All branches in one layer: ``relu(a_k - low + M (c_k - 1 - c_1 - ... - c_(k-1)))`` is open for the first that
        is true, and one more neuron where none is (C25)."""
        ends = [end for part in (*(chosen for _, chosen in branches), other) for end in self.context.range(part)]
        low, high = min(ends), max(ends)
        size = power_above(max(high - low, Fraction(1)))
        one = self.read(Constant(1))
        direction = self.builder.direction(node, minus(node, low))
        self.builder.ranges[direction] = Fraction(0), high - low
        before: list[tuple[Operand, Fraction]] = []
        reads: list[Operand] = []
        for condition, chosen in branches:
            bit = self.read(condition)
            opened = [(self.read(chosen), Fraction(1)), (one, -low - size), (bit, size)]
            reads.append(weighted([*opened, *before]))
            before.append((bit, -size))
        reads.append(weighted([(self.read(other), Fraction(1)), (one, -low), *before]))
        ready = max(self.builder.after_mlp(self.builder.after_offsets(read).ready) for read in reads)
        label = self.builder.names.label(node)
        for read in reads:
            self.builder.neurons.append((ready, Neuron((label,), read.form, ((direction, Fraction(1)),))))
        found = Operand(Form.of(direction), ready, all(read.exact for read in reads))
        return weighted([(found, Fraction(1)), (one, low)])

    def _product(self, node: SOp, a: SOp, b: SOp) -> Operand:
        """Gates for each value of one factor, if those are few."""
        few, other = sorted((a, b), key=lambda side: len(self.analysis.domain(side)))
        return self.gates.product(node, few, other) or self._by_squares(a, b)

    def _by_squares(self, a: SOp, b: SOp) -> Operand:
        """``4ab = (a + b)^2 - (a - b)^2``: two staircases."""
        squares = [Map("*", (form, form)) for form in (Map("+", (a, b)), Map("-", (a, b)))]
        return weighted([(self.read(squares[0]), Fraction(1, 4)), (self.read(squares[1]), Fraction(-1, 4))])

    def _distributed(self, node: SOp) -> Operand | None:
        """A function of a choice is a choice between the function's values."""
        found = replaced(node, DISTRIBUTED, self.facts)
        return None if found is None else self.read(found)
