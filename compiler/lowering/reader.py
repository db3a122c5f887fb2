"""The reader: every s-op as a linear form of the stream; what it is computed from is placed first.

In: an s-op whose values are numbers. Out: its `Operand`, after heads and neurons have been placed as they are needed.
Invariant: each s-op is placed once. Here alone the parts meet: heads and neurons read s-ops, reading places them.

    length - 1 - indices  is read as  length - indices - 1
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from compiler.graph.domain import LENGTH, summands
from compiler.graph.simplify import width
from compiler.lowering.attention import Operand, has_few_digits, weighted
from compiler.lowering.builder import Builder
from compiler.lowering.choices import Choices
from compiler.lowering.context import Context
from compiler.lowering.gates import Gates
from compiler.lowering.heads import Heads
from compiler.lowering.logic import Logic
from compiler.lowering.neurons import Neurons
from compiler.lowering.operations import Operations
from compiler.lowering.pivots import Pivots
from compiler.lowering.rewrites import ANY_CASE, PUSHED, Facts, replaced
from compiler.lowering.staircases import Staircases
from compiler.numbers.direction import Form
from rasp.meaning.sop import Aggregate, Constant, Indices, Map, SOp, Tokens, Total, Width, at_source


class Reader:
    """Reads s-ops, and lets them be placed."""

    def __init__(self, context: Context, builder: Builder, encoder: Reader | None = None) -> None:
        """`encoder` reads the s-ops of the source."""
        self.encoder = encoder
        self.context = context
        self.analysis = context.analysis
        self.setting = context.graph.setting
        self.builder = builder
        self.operands: dict[SOp, Operand] = {}
        pivots = Pivots(context)
        self._facts = Facts(context, builder.names, pivots)
        logic = Logic(context, builder, self.read)
        staircases = Staircases(context, builder, pivots, self.read)
        self._gates = Gates(context, builder, self.read)
        operations = Operations(context, builder, self._facts, logic, self._gates, self.read)
        choices = Choices(context, self._facts, self._gates, self.read)
        self._neurons = Neurons(context, builder, pivots, staircases, operations, choices)
        self._staircases, self._logic = staircases, logic
        self._heads = Heads(context, builder, self.read, self._exactly, self._evidence)

    def read(self, node: SOp) -> Operand:
        """The s-op, whose values are numbers, as a linear form of the stream."""
        if node not in self.operands:
            self.operands[node] = self._find(node)
        return self.operands[node]

    def _exactly(self, node: SOp) -> Operand:
        if node.encoded:  # it stands on the source's tape, so the encoder's reader places it
            return _in_the_end(self._of_source()._exactly(at_source(node)))
        return self._staircases.exactly(node)

    def _evidence(self, node: SOp) -> tuple[Operand, Fraction] | None:
        if not node.encoded:
            return self._logic.evidence(node)
        found = self._of_source()._evidence(at_source(node))
        return found and (_in_the_end(found[0]), found[1])

    def _of_source(self) -> Reader:
        assert self.encoder is not None
        return self.encoder

    def _find(self, node: SOp) -> Operand:
        if node.encoded:
            return _in_the_end(self._of_source().read(at_source(node)))
        variables = self.analysis.variables(node)
        if not variables or (not isinstance(node, Tokens | Indices) and len(self.analysis.domain(node)) == 1):
            value = self.analysis.domain(node).ends[0]
            return Operand(Form.constant(value), 0, has_few_digits(value))
        if (linear := self._linear(node)) is not None:
            return linear
        match variables:
            case (Tokens(),):
                return self.builder.of_token(node, self.analysis.column(node, list(self.setting.texts)))
            case (Indices(),):
                return self.builder.of_position(node, self.analysis.column(node, range(self.setting.max_length)))
        if isinstance(node, Total) and (above := self._from_zero(node)) is not None:
            return above
        if isinstance(node, Width | Total):
            return self._heads.total(node)
        if variables == (LENGTH,) and (summed := self._heads.of_length(node)) is not None:
            return summed
        if isinstance(node, Aggregate):
            found = replaced(node, ANY_CASE, self._facts)
            return self._heads.aggregate(node) if found is None else self.read(found)
        if isinstance(node, Map) and node.op == "round" and self._is_whole_without_means(node.args[0]):
            return self._gates.copied(node, node.args[0])
        if (at_keys := replaced(node, PUSHED, self._facts)) is not None:
            return self.read(at_keys)
        return self._neurons.computed(node)

    def _from_zero(self, node: Total) -> Operand | None:
        """``sum of v = sum of (v - low) + low * width``, low being the least v, where that is negative.

        Neither sum has a negative summand, and of such sums a half type rounds each to what it should be (C19).
        """
        low = self.context.range(node.value)[0]
        if not self.context.precision.is_half or low >= 0 or not self.analysis.domain(node.value).whole:
            return None
        above = Total(node.selector, Map("-", (node.value, Constant(int(low)))))
        return weighted([(self.read(above), Fraction(1)), (self.read(width(node.selector, self.setting)), low)])

    def _is_whole_without_means(self, node: SOp) -> bool:
        """Whether the s-op is whole, and no mean is in it: of a mean, `round` has rounding errors to take away."""
        variables = self.analysis.variables(node)
        has_means = any(isinstance(var, Aggregate) and self.analysis.inexact(var) for var in variables)
        return self.analysis.domain(node).whole and not has_means

    def _linear(self, node: SOp) -> Operand | None:
        """Sums, differences, multiples, and what is 0 or 1: no layer and no neuron."""
        parts = summands(node)
        if parts is not None and self.context.all_numeric(*(arg for arg, _ in parts)):
            return weighted([(self.read(arg), factor) for arg, factor in parts])
        is_bit = self.context.is_bit
        match node:
            case Map(op="indicator", args=(a,)) if is_bit(a):
                return self.read(a)
            case Map(op="not", args=(a,)) if is_bit(a):
                return weighted([(self.read(Constant(1)), Fraction(1)), (self.read(a), Fraction(-1))])
        return None


def _in_the_end(operand: Operand) -> Operand:
    """A reading of the encoder's stream: heads that cross find it as the last layer leaves it."""
    return replace(operand, ready=0)
