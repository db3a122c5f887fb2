"""Heads: counts and aggregates as channels of attention heads.

In: a `Width`, a `Total` or an `Aggregate`. Out: its `Operand`: what "sum" heads add up (C6), or "mean" heads fetch or
average (C1).
Invariants: heads that select alike are one head in each layer; a value is moved as soon as it is ready, by the first
such head that comes after it.

    selector_width(s)      a "sum" head for each exclusive case of s, 1 for each key
    total(s, indices)      the same, `indices` for each key
    aggregate(s, indices)  a "mean" head, which reads `indices` at the keys
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction

from compiler.circuit.layer import Channel, Head, Sees
from compiler.graph.domain import LENGTH, Rightmost
from compiler.graph.relation import Conjunction
from compiler.lowering.attention import Operand, Read, Scores, Scoring, scores, weighted
from compiler.lowering.builder import Alike, Builder, Mode, OpenHead
from compiler.lowering.context import FEW, Context
from compiler.lowering.counting import Counting
from compiler.lowering.lines import minus
from compiler.lowering.rewrites import default_number
from compiler.lowering.rightmost import scores_of_end
from compiler.numbers.direction import Direction, Form
from rasp.meaning.sop import Aggregate, Constant, Indices, Lookup, SOp, Total, Width


class Heads:
    """What attention is needed for.

    `exactly` and `evidence` are what scores may be read from, as `Scoring` says.
    """

    def __init__(
        self,
        context: Context,
        builder: Builder,
        read: Read,
        exactly: Read,
        evidence: Callable[[SOp], tuple[Operand, Fraction] | None],
    ) -> None:
        self.context = context
        self.analysis = context.analysis
        self.precision = context.precision
        self.builder = builder
        self.counting = Counting(context, builder.names)
        self.read = read
        self.exactly = exactly
        self.evidence = evidence
        self._ends: dict[Rightmost, Scores | None] = {}

    def total(self, node: Width | Total) -> Operand:
        """A "sum" head for each exclusive case (a query finds no key by two of them), all into one direction.

        It adds up each key's number, which is 1 for a count.
        """
        direction = self.builder.direction(node)
        cases = self.analysis.exclusive(node.selector)
        counted = [term for case in cases for term in self.counting.of(case)]
        value = self.read(node.value if isinstance(node, Total) else Constant(1))
        self.builder.ranges[direction] = self._sums(node)
        if isinstance(node, Width) and all(sign > 0 for sign, _ in counted):
            self.builder.disjoint_counts.add(direction)
        operands = [
            self._channel("sum", (case,), weighted([(value, Fraction(sign))]), Fraction(0), direction, node)
            for sign, case in counted
        ]
        whole = self.context.whole and self.analysis.domain(node).whole
        if whole:
            self.builder.offsets[direction] = self.precision.offset
        ready = max(operand.ready for operand in operands)
        return Operand(Form.of(direction), ready, exact=whole or not self.precision.counts_need_offset)

    def of_length(self, node: SOp) -> Operand | None:
        """A function of the length: what each position adds to it, added up (C40).

        None where a staircase has few knots, or the stream would not round what is added up.
        """
        longest = self.context.graph.setting.max_length
        domain = self.analysis.domain(node)
        numbers = self.analysis.column(node, range(1, longest + 1))
        added = [Fraction(0), *(here - before for before, here in itertools.pairwise(numbers))]
        bends = sum(one != other for one, other in itertools.pairwise(added[1:]))
        small = longest * max(map(abs, added)) <= self.precision.sum_whole / 4
        if self.precision.is_half or not (self.context.whole and domain.whole and small):
            return None
        if bends <= max(FEW, 2 * self.context.neurons_per_column):
            return None
        step = Lookup(tuple(enumerate(map(int, added))), Indices())
        direction = self.builder.direction(node, minus(self.builder.names.meant(node), numbers[0]))
        reach = max(abs(number - numbers[0]) for number in numbers)
        self.builder.ranges[direction] = -reach, reach
        self.builder.offsets[direction] = self.precision.offset
        found = self._channel("sum", (Conjunction(()),), self.read(step), Fraction(0), direction, LENGTH)
        return Operand(Form.of(direction) + Form.constant(numbers[0]), found.ready, exact=True)

    def _sums(self, node: Width | Total) -> tuple[Fraction, Fraction]:
        """The least and the greatest sum, on the way to it too: what is left out may be added first and taken away."""
        if isinstance(node, Width):
            return Fraction(0), Fraction(self.analysis.longest(node.selector))
        largest = max(map(abs, self.context.range(node)))
        return -largest, largest

    def aggregate(self, node: Aggregate) -> Operand:
        """A "mean" head, or one for each case where the cases can be added up."""
        cases = self.analysis.disjuncts(node.selector)
        empty = Fraction(default_number(node, self.context))
        if len(cases) > 1 and self.analysis.selects_one(node):
            return self._one_of(node, self.analysis.exclusive(node.selector), empty)
        return self._mean(node, tuple(cases), empty)

    def _mean(self, node: Aggregate, cases: tuple[Conjunction, ...], default: Fraction) -> Operand:
        """A "mean" head, whose direction holds the mean minus a zero point: the number that is written as 0.

        Of a constant that is the constant itself, so that a row that finds it gets an exact 0.
        """
        values = self.analysis.domain(node.value).numbers
        zero_point = values[0] if len(values) == 1 else Fraction(0)
        if self.precision.is_half and not self.analysis.selects_one(node) and self.analysis.domain(node.value).whole:
            # what is averaged is rounded in proportion to its size
            zero_point = Fraction((values[0] + values[-1]) // 2)
        direction = self.builder.direction(node, minus(self.builder.names.meant(node), zero_point))
        low, high = self.context.range(node)
        self.builder.ranges[direction] = low - zero_point, high - zero_point
        value = self.read(node.value)
        shifted = Operand(value.form - Form.constant(zero_point), value.ready, value.exact)
        found = self._channel("mean", cases, shifted, default - zero_point, direction, node)
        return Operand(found.form + Form.constant(zero_point), found.ready, found.exact)

    def _one_of(self, node: Aggregate, cases: list[Conjunction], default: Fraction) -> Operand:
        """At most one case selects a key, so what the cases find, minus the default, adds up."""
        direction = self.builder.direction(node, minus(self.builder.names.meant(node), default))
        low, high = self.context.range(node)
        self.builder.ranges[direction] = low - default, high - default
        value = self.read(node.value)
        shifted = Operand(value.form - Form.constant(default), value.ready, value.exact)
        parts = [self._channel("mean", (case,), shifted, Fraction(0), direction, node) for case in cases]
        form = parts[0].form + Form.constant(default)
        return Operand(form, max(part.ready for part in parts), all(part.exact for part in parts))

    def _channel(
        self,
        mode: Mode,
        cases: tuple[Conjunction, ...],
        value: Operand,
        default: Fraction,
        direction: Direction,
        node: SOp,
    ) -> Operand:
        """Let the head that selects by these cases carry one more value into the direction.

        Where the value is one constant, the head is an `existence` head: it is enough that some selected key is found.
        """
        existence = mode == "mean" and isinstance(node, Aggregate) and len(self.analysis.domain(node.value)) == 1
        single = self._selects_one(cases, node)
        cases, sees, found = self._end(mode, cases, existence)
        sure = mode == "mean" and any(map(self.analysis.surely_matches, cases))
        alike = self.builder.heads(Alike(mode, existence, single and self.context.has_several_outputs, cases, sees))
        crosses = any(case.crosses for case in cases)
        if not alike:
            nowhere = None if sure or found is not None or mode == "sum" else self._nowhere(cases)
            found = found or scores(cases, self._scoring(mode, existence, sure, nowhere))
            first = self._open(mode, found, sure, cases, node, sees)
            first.head = replace(first.head, nearest=nowhere is not None)
            alike.append(first)
        earliest = self._after(value.ready, crosses)
        opened = next((head for head in alike if head.written >= earliest), None)
        if opened is None:
            opened = OpenHead(alike[0].head, earliest)
            alike.append(opened)
        picked = isinstance(node, Aggregate) and self.analysis.picks(node)
        opened.channels.append(Channel(value.form, default, direction, picked))
        if single:
            opened.head = replace(opened.head, single=True)
        exact = mode == "mean" and (existence or (opened.head.single and value.exact))
        return Operand(Form.of(direction), opened.written, exact)

    def _end(
        self, mode: Mode, cases: tuple[Conjunction, ...], existence: bool
    ) -> tuple[tuple[Conjunction, ...], Sees, Scores | None]:
        """Where a case asks for the last or the first key of a simpler one: that case, which key, and its scores (C43).

        If there is a last one, there is one, so whether it is found is asked of the simpler case.
        """
        asked = mode == "mean" and len(cases) == 1 and not self.context.keeps_numbers
        end = self.analysis.rightmost(cases[0]) if asked else None
        if end is None:
            return cases, "all", None
        if existence:
            return (end.among,), "all", None
        if end not in self._ends:
            sure = self.analysis.surely_matches(end.among)
            self._ends[end] = scores_of_end(end, self._scoring(mode, existence, sure, None), self.precision)
        found = self._ends[end]
        return (cases, "all", None) if found is None else ((end.among,), "first" if end.first else "last", found)

    def _after(self, ready: int, crosses: bool) -> int:
        """When heads have written that read something ready then."""
        return self.builder.slots.after(ready, "cross" if crosses else "self")

    def _scoring(self, mode: Mode, existence: bool, sure: bool, nowhere: Fraction | None) -> Scoring:
        codes, largest, fetches = self.context.codes, self.precision.largest_code, mode == "mean"
        read, exactly, evidence, sums = self.read, self.exactly, self.evidence, self.precision.sum_whole
        asked = existence, fetches, not sure, nowhere
        return Scoring(self.analysis, codes, read, exactly, evidence, *asked, largest, sums)

    def _nowhere(self, cases: tuple[Conjunction, ...]) -> Fraction | None:
        """The number that asks for no position, of a query that finds one with all others; not where scores are
        relative to the baseline, which is no selected key's then (C47)."""
        return None if len(cases) != 1 or self.precision.relative_scores else self.analysis.nowhere(cases[0])

    def _selects_one(self, cases: tuple[Conjunction, ...], node: SOp) -> bool:
        unique = len(cases) == 1 and self.analysis.unique(cases[0])
        return unique or (isinstance(node, Aggregate) and self.analysis.selects_one(node))

    def _open(
        self, mode: Mode, found: Scores, sure: bool, cases: tuple[Conjunction, ...], node: SOp, sees: Sees
    ) -> OpenHead:
        head = Head(
            name=self.builder.names.label(node),
            node=self.builder.names.meant(node),
            selects=self.builder.names.selected(cases),
            mode=mode,
            parts=tuple(found.parts),
            sure=sure,
            selected=found.selected,
            score_gap=Fraction(1),
            least_selected=found.least_selected,
            exact=found.exact,
            single=sees != "all" or self._selects_one(cases, node),
            channels=(),
            crosses=any(case.crosses for case in cases),
            sees=sees,
        )
        return OpenHead(head, self._after(found.ready, head.crosses))
