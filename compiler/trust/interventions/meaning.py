"""Meaning: what the program answers where later readers see another value of a variable.

In: a `Moment`, and pairs of runs of one length. Out: for each pair an `Outcome`: what every s-op that is computed later
comes to, by the interpreter, and the outputs; or why the swap is not meant.
Invariant: the interpreter computes it, over the graph; nothing is asked of the model, the circuit, or an answer. A swap
is meant only if under it every s-op lies in its domain, what is claimed of selectors is true, and what is read at one
position together can stand there together.

    hist = [2, 1, 2] where the other run has 1 at position 0:  by_frequency sees [1, 1, 2]
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from compiler.trust.interventions.moment import Moment, Unit, View
from compiler.trust.interventions.pool import Known, Pair, Pool
from compiler.trust.interventions.sops import Claim, SOps
from rasp import RaspError
from rasp.meaning.inputs import Places
from rasp.meaning.interpreter import Run
from rasp.meaning.sop import Constant, Node, SOp
from rasp.value import Value

PARTS = 8
"""Where one of many pairs has no answer they are looked at in so many parts."""


@dataclass(frozen=True)
class Outcome:
    """What a swap comes to; where it is not meant, `reason` says why."""

    outputs: Known = field(default_factory=dict)
    later: Known = field(default_factory=dict)
    reason: str = ""


class Meaning:
    """What swaps mean in a program, on the inputs of a pool."""

    def __init__(self, sops: SOps, pool: Pool) -> None:
        self.sops = sops
        self.pool = pool
        self._domains: dict[SOp, frozenset[Value]] = {}
        self._claims: dict[Node, list[Claim]] = {}

    def of(self, moment: Moment, pairs: Sequence[Pair]) -> list[Outcome]:
        """The outcome of the swap on each pair."""
        if moment.reason or not pairs:
            return [Outcome(reason=moment.reason)] * len(pairs)
        try:
            return _Batch(self, moment, pairs).outcomes()
        except RaspError as problem:  # on one of them at least
            if len(pairs) == 1:
                return [Outcome(reason=problem.diagnostics[0].message)]
            size = -(-len(pairs) // PARTS)
            parts = (pairs[start : start + size] for start in range(0, len(pairs), size))
            return [outcome for part in parts for outcome in self.of(moment, part)]

    def domain(self, node: SOp) -> frozenset[Value]:
        """The values that an s-op can have."""
        if node not in self._domains:
            self._domains[node] = frozenset(self.sops.domain(node))
        return self._domains[node]

    def claims(self, node: Node) -> list[Claim]:
        """What is claimed of the rows that the node sees."""
        if node not in self._claims:
            self._claims[node] = list(self.sops.claims(node))
        return self._claims[node]


class _Batch:
    """Pairs that the interpreter runs as one input, end to end."""

    def __init__(self, meaning: Meaning, moment: Moment, pairs: Sequence[Pair]) -> None:
        self.meaning, self.sops, self.pool = meaning, meaning.sops, meaning.pool
        self.moment = moment
        self.pairs = pairs
        inputs = [self.pool.inputs[pair.base] for pair in pairs]
        self.tokens = list(itertools.chain.from_iterable(one.tokens for one in inputs))
        self.lengths = [len(one.tokens) for one in inputs]
        self.source = _sources([one.source for one in inputs])
        self.run = self._run()
        self.reasons = [""] * len(pairs)
        self.later: dict[SOp, list[Value]] = {}
        self.outputs: dict[SOp, list[Value]] = {}
        self._made: dict[tuple[SOp, View], list[Value]] = {}

    def outcomes(self) -> list[Outcome]:
        """The outcome of each pair."""
        for unit in self.moment.units:
            (self.outputs if unit.is_output else self.later)[unit.node] = self._computed(unit)
        return [self._outcome(number) for number in range(len(self.pairs))]

    def _outcome(self, number: int) -> Outcome:
        if self.reasons[number]:
            return Outcome(reason=self.reasons[number])
        base = self.pool.values[self.pairs[number].base]
        outputs = {
            node: self.outputs[node][self._parts(node)[number]] if node in self.outputs else base[node]
            for node in self.sops.outputs.values()
        }
        return Outcome(outputs, {node: values[self._parts(node)[number]] for node, values in self.later.items()})

    def _run(self) -> Run:
        return Run(self.tokens, self.sops.graph.setting.causal, lengths=self.lengths, source=self.source)

    def _parts(self, node: SOp) -> Sequence[slice]:
        """Where each input lies, on the tape that an s-op stands on."""
        return self.run.places(node).parts

    def _owner(self, node: SOp, at: int) -> int:
        """Which input a position of an s-op is of."""
        return next(number for number, part in enumerate(self._parts(node)) if at < part.stop)

    def _computed(self, unit: Unit) -> list[Value]:
        """What a unit comes to with what it sees."""
        run = self._run()
        for node, view in unit.sees.items():
            if unit.is_output or node is not unit.node:
                run.values[node] = self._seen(node, view)
                self._require_one_kind(node, run.values[node])
        for nodes in unit.together:
            self._require_together(unit, nodes)
        for node, views in unit.through:
            self._require_the_same(node, unit.sees[node], views)
        run.compute([unit.node])
        for part in unit.computed:
            if isinstance(part, SOp):
                self._require_in_domain(part, run.values[part])
                for claim in self.meaning.claims(part):
                    self._require_true(part, claim, run)
        return run.values[unit.node]

    def _seen(self, node: SOp, view: View) -> list[Value]:
        if view == "later":
            return self.later[node] if node in self.later else self._seen(node, "base")
        if (node, view) not in self._made:
            runs = [self._mixed(node, pair) if view == "source" else self._base(node, pair) for pair in self.pairs]
            self._made[node, view] = list(itertools.chain.from_iterable(runs))
        return self._made[node, view]

    def _base(self, node: SOp, pair: Pair) -> list[Value]:
        return self.pool.values[pair.base][node]

    def _mixed(self, node: SOp, pair: Pair) -> list[Value]:
        base, source = self._base(node, pair), self.pool.values[pair.source][node]
        if pair.position is None:
            return source
        return [*base[: pair.position], source[pair.position], *base[pair.position + 1 :]]

    def _require_one_kind(self, node: SOp, values: list[Value]) -> None:
        for number, part in enumerate(self._parts(node)):
            if str in (kinds := set(map(type, values[part]))) and len(kinds) > 1:
                self.reasons[number] = f"{self.sops.name(node)} would mix strings and numbers"

    def _require_the_same(self, node: SOp, seen: View, views: Mapping[SOp, View]) -> None:
        """What one input sees must be what it is to another, which sees what it is computed from."""
        run = self._run()
        run.values |= {one: self._seen(one, view) for one, view in views.items() if one is not node}
        run.compute([node])
        for at, (one, other) in enumerate(zip(self._seen(node, seen), run.values[node], strict=True)):
            if one != other:
                self.reasons[self._owner(node, at)] = f"{self.sops.name(node)} would be two things at once"

    def _require_in_domain(self, node: SOp, values: list[Value]) -> None:
        domain = self.meaning.domain(node)
        if not domain.issuperset(values):
            for at in (at for at, value in enumerate(values) if value not in domain):
                self.reasons[self._owner(node, at)] = f"{self.sops.name(node)} would leave its domain"

    def _require_true(self, node: SOp, claim: Claim, run: Run) -> None:
        if claim.never_empty or claim.at_most_one or claim.agree is not None:
            agree = claim.agree if claim.agree is not None else Constant(0)
            run.compute([claim.selector, agree])
            inputs = run.each(claim.selector, run.seen(claim.selector), run.values[agree])
            for number, (rows, values) in enumerate(inputs):
                for row in rows:
                    if not claim.holds(row, values if claim.agree is not None else ()):
                        several = "select two positions" if claim.at_most_one else "average what differs"
                        what = several if row else "select nothing"
                        self.reasons[number] = f"a selector of {self.sops.name(node)} would {what}"

    def _require_together(self, unit: Unit, nodes: tuple[SOp, ...]) -> None:
        """What depends on common variables must be met together at a position of some input."""
        views = [unit.sees.get(node, "base") for node in nodes]
        if all(view == "base" for view in views):
            return
        known = self.pool.seen(nodes)
        for at, joint in enumerate(zip(*map(self._seen, nodes, views), strict=True)):
            if joint not in known:
                names = ", ".join(dict.fromkeys(map(self.sops.name, nodes)))
                self.reasons[self._owner(nodes[0], at)] = f"{names} were not met with such values together"


def _sources(sources: Sequence[tuple[Value, ...] | None]) -> Places | None:
    """The places of the sources, end to end, if there are any."""
    given = [source for source in sources if source is not None]
    return Places(itertools.chain.from_iterable(given), list(map(len, given))) if given else None
