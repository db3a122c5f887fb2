"""Logic: `and` and `or` of bits as neurons, and evidence for them, which saves layers.

In: nested `and` and `or`. Out: `Operand`s: a bit, or a number that is positive where the s-op is true (C20).
Invariant: a bit is 0 or 1, exactly, in exact arithmetic; evidence is 0 where the s-op is false, and within its bound.

    a and b and c  =  relu(a + b + c - 2)
    evidence for (a and b) or c:  relu(a + b - 1) + c, up to 2
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from compiler.circuit.layer import Neuron
from compiler.lowering.attention import Operand, Read, weighted
from compiler.lowering.builder import Builder
from compiler.lowering.context import Context
from compiler.lowering.lines import sum_of
from compiler.numbers.direction import Form
from rasp.meaning.sop import Constant, Map, SOp


class Logic:
    """Bits computed from bits."""

    def __init__(self, context: Context, builder: Builder, read: Read) -> None:
        self.context = context
        self.analysis = context.analysis
        self.limits = context.limits
        self.builder = builder
        self.read = read
        self._evidence: dict[SOp, tuple[Operand, Fraction] | None] = {}

    def conjunction(self, node: Map) -> Operand:
        """An `and` of as many operands as it nests."""
        read = self._sum([self.read(self.context.as_bit(x)) for x in _operands(node)])
        return self.builder.neuron(node, read, Fraction(1), node)

    def disjunction(self, node: Map) -> Operand:
        """An `or`: not all of the opposites, or what its evidence says."""
        if (evidence := self.evidence(node)) is not None:
            return self._not(self._none(node, self._not(evidence[0])))
        none = self._sum([self._not(self.read(self.context.as_bit(x))) for x in _operands(node)])
        return self._not(self._none(node, none))

    def evidence(self, node: SOp) -> tuple[Operand, Fraction] | None:
        """A number that is 0 where a nested `and` and `or` is false, and positive, up to a bound, where it is true.

        As an `or` of `and`s, it is one neuron an `and`, all in one layer, and their sum. None where that is not worth
        it, or the bound would be large.
        """
        if not self._is_nested(node):
            return None
        if node not in self._evidence:
            clauses = self._clauses(node)
            self._evidence[node] = None if clauses is None else self._gathered(node, clauses)
        return self._evidence[node]

    def _not(self, bit: Operand) -> Operand:
        return weighted([(self.read(Constant(1)), Fraction(1)), (bit, Fraction(-1))])

    def _none(self, node: SOp, read: Operand) -> Operand:
        """The opposite of an `or`."""
        return self.builder.neuron(node, read, Fraction(1), Map("not", (node,)), "not {}")

    def _sum(self, bits: Sequence[Operand]) -> Operand:
        """``a and b and c = relu(a + b + c - 2)``: what the neuron reads."""
        read = weighted([(bit, Fraction(1)) for bit in bits])
        return Operand(read.form - Form.constant(len(bits) - 1), read.ready, read.exact)

    def _gathered(self, node: SOp, clauses: Sequence[tuple[SOp, ...]]) -> tuple[Operand, Fraction]:
        """The evidence of all clauses: what takes neurons is added up in one direction, the rest is read as it is."""
        weights = [self._weight(clause) for clause in clauses if len(clause) > 1]
        direction = self.builder.direction(node, sum_of(weights) if weights else None, "evidence for {}")
        summands, largest, ready, exact = [], Fraction(0), 0, True
        bound = Fraction(0)
        for clause in clauses:
            operand, bits, most = self._clause(clause)
            bound += most
            if not bits:
                summands.append((operand, Fraction(1)))
                continue
            read = weighted([(operand, Fraction(1)), *((bit, most) for bit in bits)])
            written = self.builder.after_mlp(self.builder.after_offsets(read).ready)
            preactivation = read.form - Form.constant(most * len(bits))
            neuron = Neuron((self.builder.names.label(node),), preactivation, ((direction, Fraction(1)),))
            self.builder.neurons.append((written, neuron))
            largest, ready, exact = largest + most, max(ready, written), exact and read.exact
        if largest:
            self.builder.ranges[direction] = Fraction(0), largest
            summands.append((Operand(Form.of(direction), ready, exact), Fraction(1)))
        return weighted(summands), bound

    def _is_nested(self, node: SOp) -> bool:
        """An `and` or `or` of too many variables for a staircase that is taken at once."""
        logical = isinstance(node, Map) and node.op in ("and", "or")
        return logical and self.analysis.count_points(self.analysis.variables(node)) > self.context.short_staircase

    def _clauses(self, node: SOp) -> list[tuple[SOp, ...]] | None:
        """The s-op as an `or` of clauses, each an `and` of s-ops. None where there are too many.

        In an `and`, a shallow `or` stays one operand: it can be evidence itself.
        """
        if not (self._is_nested(node) and isinstance(node, Map)):
            return [(node,)]
        parts = [self._clauses(x) if not self._is_shallow_or(x) or node.op == "or" else [(x,)] for x in _operands(node)]
        found: list[tuple[SOp, ...]] = [] if node.op == "or" else [()]
        for part in parts:
            if part is None or len(found) * len(part) > self.limits.logic:
                return None
            found = [*found, *part] if node.op == "or" else [one + other for one in found for other in part]
        return found if len(found) <= self.limits.logic else None

    def _is_shallow_or(self, node: SOp) -> bool:
        """Whether the s-op is an `or` with nothing nested in its operands."""
        return isinstance(node, Map) and node.op == "or" and not any(map(self._is_nested, _operands(node)))

    def _clause(self, clause: tuple[SOp, ...]) -> tuple[Operand, list[Operand], Fraction]:
        """Evidence for an `and` is ``relu(e + M (bits - m))``: one operand e may itself be evidence up to M, and there
        are m bits. Returns e, the bits and M."""
        summed = self._summed(clause)
        bits = [self.read(self.context.as_bit(x)) for x in clause if x is not summed]
        evidence, most = [bits.pop()] if summed is None else [], Fraction(1)
        if summed is not None:
            evidence = [self.read(self.context.as_bit(x)) for x in _operands(summed)]  # type: ignore[arg-type]
            most = Fraction(len(evidence))
        return weighted([(bit, Fraction(1)) for bit in evidence]), bits, most

    def _summed(self, clause: tuple[SOp, ...]) -> SOp | None:
        """The operand of an `and` that is itself evidence."""
        return next((x for x in clause if self._is_shallow_or(x) and self._is_nested(x)), None)

    def _weight(self, clause: tuple[SOp, ...]) -> SOp:
        """What evidence a clause adds: how many operands of the `or` in it are true, or 1, where the rest is true."""
        summed = self._summed(clause)
        operands = [] if summed is None else [*map(self.context.as_bit, _operands(summed))]  # type: ignore[arg-type]
        rest = [self.context.as_bit(x) for x in clause if x is not summed]
        both = rest[0]
        for bit in rest[1:]:
            both = Map("and", (both, bit))
        return Map("if", (both, sum_of(operands) if operands else Constant(1), Constant(0)))


def _operands(node: Map) -> list[SOp]:
    """The operands of nested operations of one kind, such as ``a and b and c``, each once."""
    found: dict[SOp, None] = {}
    todo: list[SOp] = [node]
    while todo:
        current = todo.pop()
        if isinstance(current, Map) and current.op == node.op:
            todo.extend(reversed(current.args))
        else:
            found[current] = None
    return list(found)
