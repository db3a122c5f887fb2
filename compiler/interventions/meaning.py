"""Meaning: what the program says where later readers see another value of a variable.

In: a `Moment`, and pairs of runs of one length. Out: for each pair the outputs by the interpreter, or the reason why
the swap is not meant.
Invariant: the interpreter computes it, over the graph; nothing is asked of the model or the circuit. A swap is meant
only if under it every s-op lies in its domain and all that is claimed of selectors is true.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from compiler.interventions.claims import Claims, Variable
from compiler.interventions.moment import Moment, Unit
from compiler.domain import Analysis
from rasp.interpreter import Run
from rasp.sop import Aggregate, Indices, Node, Selector, SOp, Width
from rasp.source import RaspError
from rasp.value import Value

Known: TypeAlias = dict[SOp, list[Value]]
"""The values of s-ops on an input."""


@dataclass(frozen=True)
class Pair:
    """Two inputs of one length by their numbers in the pool, and where columns are swapped; None: everywhere."""

    base: int
    source: int
    position: int | None


class Pool:
    """Inputs, with the values of every s-op."""

    def __init__(self, inputs, nodes: list[SOp], causal: bool) -> None:
        self.inputs = inputs
        self.causal = causal
        self.values: list[Known] = []
        for tokens in inputs:
            run = Run(tokens, causal)
            run.compute(nodes)
            self.values.append(run.values)
        self._seen: dict[tuple[SOp, ...], set[tuple[Value, ...]]] = {}

    def seen(self, nodes: tuple[SOp, ...]) -> set[tuple[Value, ...]]:
        """The values that s-ops have together at one position of some input."""
        if nodes not in self._seen:
            self._seen[nodes] = {
                joint for known in self.values for joint in zip(*(known[node] for node in nodes), strict=True)
            }
        return self._seen[nodes]


class Meaning:
    """What swaps mean."""

    def __init__(self, claims: Claims, pool: Pool) -> None:
        self.claims = claims
        self.analysis: Analysis = claims.graph.analysis
        self.pool = pool
        self.causal = claims.graph.setting.causal
        self._domains: dict[SOp, frozenset[Value]] = {}
        self._facts: dict[Node, list[tuple[Selector, bool, bool]]] = {}

    def of(self, moment: Moment, pairs: Sequence[Pair]) -> list[dict[str, list[Value]] | str]:
        """For each pair the outputs, or why the swap is not meant."""
        if not pairs:
            return []
        if moment.reason:
            return [moment.reason] * len(pairs)
        try:
            return _Batch(self, moment, pairs).outcome()
        except RaspError as problem:
            if len(pairs) == 1:
                return [problem.diagnostics[0].message]
            step = -(-len(pairs) // 8)
            parts = [pairs[start : start + step] for start in range(0, len(pairs), step)]
            return [outcome for part in parts for outcome in self.of(moment, part)]

    def domain(self, node: SOp) -> frozenset[Value]:
        if node not in self._domains:
            self._domains[node] = frozenset(self.analysis.domain(node))
        return self._domains[node]

    def facts(self, node: Node) -> list[tuple[Selector, bool, bool]]:
        """What is claimed of the rows that a count or an aggregate sees: never empty, never two keys."""
        if node not in self._facts:
            self._facts[node] = list(self._claimed(node))
        return self._facts[node]

    def _claimed(self, node: Node) -> Iterator[tuple[Selector, bool, bool]]:
        if isinstance(node, Aggregate | Width):
            for case in self.analysis.disjuncts(node.selector):
                sure, unique = self.analysis.surely_matches(case), self.analysis.unique(case)
                if sure or unique:
                    yield case.selector(), sure, unique
            if isinstance(node, Aggregate) and self.analysis.selects_one(node):
                yield node.selector, False, True


class _Batch:
    """Pairs that are run as one."""

    def __init__(self, meaning: Meaning, moment: Moment, pairs: Sequence[Pair]) -> None:
        self.meaning = meaning
        self.moment = moment
        self.pairs = pairs
        self.pool = meaning.pool
        self.tokens = [token for pair in pairs for token in self.pool.inputs[pair.base]]
        self.lengths = [len(self.pool.inputs[pair.base]) for pair in pairs]
        self.why = [""] * len(pairs)
        self.owner = [number for number, length in enumerate(self.lengths) for _ in range(length)]
        self.later: dict[SOp, list[Value]] = {}
        self.made: dict[tuple[SOp, str], list[Value]] = {}
        self.spans = []
        start = 0
        for length in self.lengths:
            self.spans.append(slice(start, start + length))
            start += length

    def outcome(self):
        outputs = {}
        for unit in self.moment.units:
            values = self._value(unit)
            if unit.name.startswith("output "):
                outputs[unit.name.removeprefix("output ")] = values
            else:
                self.later[unit.node] = values
        found = []
        for number, pair in enumerate(self.pairs):
            if self.why[number]:
                found.append(self.why[number])
                continue
            base = self.pool.values[pair.base]
            found.append(
                {
                    name: outputs[name][self.spans[number]] if name in outputs else list(base[node])
                    for name, node in self.meaning.claims.graph.outputs.items()
                }
            )
        return found

    def _seen(self, node: SOp, view: str) -> list[Value]:
        if view == "later":
            return self.later.get(node) or self._seen(node, "base")
        if (node, view) not in self.made:
            found: list[Value] = []
            for pair in self.pairs:
                base, source = self.pool.values[pair.base][node], self.pool.values[pair.source][node]
                if view == "base":
                    found += base
                elif pair.position is None:
                    found += source
                else:
                    found += [*base[: pair.position], source[pair.position], *base[pair.position + 1 :]]
            self.made[node, view] = found
        return self.made[node, view]

    def _value(self, unit: Unit) -> list[Value]:
        run = Run(self.tokens, self.meaning.causal, lengths=self.lengths)
        for held, view in unit.sees.items():
            if held.node is not unit.node or unit.node not in unit.computed:
                run.values[held.node] = self._seen(held.node, view)
                self._kinds(held.node, run.values[held.node])
        self._together(unit, run)
        run.compute([unit.node])
        for node in unit.computed:
            if isinstance(node, SOp):
                self._in_domain(node, run.values[node])
            for selector, sure, unique in self.meaning.facts(node):
                run.compute([selector])
                rows = run.seen(selector)
                for at, row in enumerate(rows):
                    if (sure and not row) or (unique and row & (row - 1)):
                        self.why[self.owner[at]] = f"a fact of {self.meaning.claims.graph.name(node)}"
        return run.values[unit.node]

    def _kinds(self, node: SOp, values: list[Value]) -> None:
        for number, span in enumerate(self.spans):
            kinds = set(map(type, values[span]))
            if str in kinds and len(kinds) > 1:
                self.why[number] = "kinds"

    def _in_domain(self, node: SOp, values: list[Value]) -> None:
        domain = self.meaning.domain(node)
        if not domain.issuperset(values):
            for at, value in enumerate(values):
                if value not in domain:
                    self.why[self.owner[at]] = f"{self.meaning.claims.graph.name(node)} leaves its domain"

    def _together(self, unit: Unit, run: Run) -> None:
        for members in unit.together:
            if all(unit.sees[held] == "base" for held in members):
                continue
            nodes = tuple(held.node for held in members)
            known = self.pool.seen(nodes)
            for at, joint in enumerate(zip(*(self._seen(held.node, unit.sees[held]) for held in members), strict=True)):
                if joint not in known:
                    self.why[self.owner[at]] = f"{', '.join(held.name for held in members)} never occur so together"
