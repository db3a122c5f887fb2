"""The reader: every s-op as a linear form of the stream; what it is computed from is placed first.

In: an s-op whose values are numbers. Out: its `Reading`, after heads and neurons have been placed as they are needed.
Invariant: each s-op is placed once. Here alone the parts meet: heads and neurons read s-ops, reading places them.

    length - 1 - indices  is read as  length - indices - 1
"""

from __future__ import annotations

from fractions import Fraction

from compiler.graph.simplify import width
from compiler.lowering.attention import Reading, is_short, weighted
from compiler.lowering.draft import Draft
from compiler.lowering.gates import Gates
from compiler.lowering.heads import Heads
from compiler.lowering.logic import Logic
from compiler.lowering.neurons import Neurons
from compiler.lowering.pushed import pushed
from compiler.lowering.staircases import Staircases
from compiler.lowering.steps import Steps
from compiler.lowering.task import Task
from compiler.lowering.waists import Waists
from compiler.numbers.direction import Form
from rasp.sop import Aggregate, Constant, Indices, Map, SOp, Tokens, Total, Width


class Reader:
    """Reads s-ops, and lets them be placed."""

    def __init__(self, task: Task, draft: Draft) -> None:
        self.task = task
        self.analysis = task.analysis
        self.setting = task.graph.setting
        self.draft = draft
        self.readings: dict[SOp, Reading] = {}
        waists = Waists(task)
        logic = Logic(task, draft, self.read)
        staircases = Staircases(task, draft, waists, self.read)
        self._gates = Gates(task, draft, self.read)
        steps = Steps(task, draft, waists, logic, self._gates, self.read)
        self._neurons = Neurons(task, draft, waists, staircases, steps)
        self._heads = Heads(task, draft, self.read, staircases.exactly, logic.evidence)

    def read(self, node: SOp) -> Reading:
        """The s-op, whose values are numbers, as a linear form of the stream."""
        if node not in self.readings:
            self.readings[node] = self._find(node)
        return self.readings[node]

    def _find(self, node: SOp) -> Reading:
        variables = self.analysis.variables(node)
        if not variables or (not isinstance(node, Tokens | Indices) and len(self.analysis.domain(node)) == 1):
            value = self.analysis.domain(node).ends[0]
            return Reading(Form.constant(value), 0, is_short(value))
        if (linear := self._linear(node)) is not None:
            return linear
        match variables:
            case (Tokens(),):
                return self.draft.of_token(node, self.analysis.column(node, list(self.setting.texts)))
            case (Indices(),):
                return self.draft.of_position(node, self.analysis.column(node, range(self.setting.max_length)))
        if isinstance(node, Total) and (above := self._from_zero(node)) is not None:
            return above
        if isinstance(node, Width | Total):
            return self._heads.total(node)
        if isinstance(node, Aggregate):
            return self._heads.aggregate(node)
        if isinstance(node, Map) and node.op == "round" and self._is_exact(node.args[0]):
            return self._gates.held(node, node.args[0])
        if (at_keys := pushed(node, self.task, self.draft.names)) is not None:
            return self.read(at_keys)
        return self._neurons.computed(node)

    def _from_zero(self, node: Total) -> Reading | None:
        """A sum of numbers of which some are negative, as one of what is none and a count: a half type rounds these
        to what they should be (C19)."""
        low = self.task.range(node.value)[0]
        if not self.task.precision.relative or low >= 0 or not self.analysis.domain(node.value).whole:
            return None
        above = Total(node.selector, Map("-", (node.value, Constant(int(low)))))
        return weighted([(self.read(above), Fraction(1)), (self.read(width(node.selector, self.setting)), low)])

    def _is_exact(self, node: SOp) -> bool:
        """Whether the s-op is whole, and no mean, whose rounding errors are to be taken away, is in it."""
        variables = self.analysis.variables(node)
        noisy = any(isinstance(var, Aggregate) and self.analysis.noisy(var) for var in variables)
        return self.analysis.domain(node).whole and not noisy

    def _linear(self, node: SOp) -> Reading | None:
        """Sums, differences, multiples, and what is 0 or 1: no layer and no neuron."""
        numeric, is_bit = self.task.numeric, self.task.is_bit
        match node:
            case Map(op="+", args=(a, b)) if numeric(a, b):
                return weighted([(self.read(a), Fraction(1)), (self.read(b), Fraction(1))])
            case Map(op="-", args=(a, b)) if numeric(a, b):
                return weighted([(self.read(a), Fraction(1)), (self.read(b), Fraction(-1))])
            case Map(op="negate" | "plus" as op, args=(a,)) if numeric(a):
                return weighted([(self.read(a), Fraction(-1 if op == "negate" else 1))])
            case Map(op="*", args=(a, Constant(value=factor))) | Map(op="*", args=(Constant(value=factor), a)):
                return weighted([(self.read(a), Fraction(factor))]) if numeric(a) else None
            case Map(op="/", args=(a, Constant(value=factor))) if numeric(a) and factor != 0:
                return weighted([(self.read(a), 1 / Fraction(factor))])
            case Map(op="indicator", args=(a,)) if is_bit(a):
                return self.read(a)
            case Map(op="not", args=(a,)) if is_bit(a):
                return weighted([(self.read(Constant(1)), Fraction(1)), (self.read(a), Fraction(-1))])
        return None
