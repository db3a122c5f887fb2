"""A study: everything that interventions in one model need, made once.

In: a compiled program, its model, a provenance document. Out: `Swap`s.
Invariant: the columns that are copied are those that the document lists for the variable, and no others.

    Study(compiled).swap("hist", "abca", "aaaa", position=1).ok
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from torch import Tensor

from compiler.graph.witness import Case
from compiler.model import ModelError, Scalar, Transformer
from compiler.observe.provenance import provenance
from compiler.pipeline import Compiled
from compiler.trust.interventions.claims import Claims, Held
from compiler.trust.interventions.line import Line
from compiler.trust.interventions.machine import Machine, Swapped
from compiler.trust.interventions.meaning import Meaning, Outcome
from compiler.trust.interventions.moment import Moment, Moments
from compiler.trust.interventions.pool import Pair, Pool
from compiler.trust.interventions.report import Swap
from compiler.trust.interventions.sops import SOps
from compiler.trust.interventions.stated import Stated, stated
from rasp.meaning.inputs import read_input
from rasp.meaning.operators import show
from rasp.meaning.sop import SOp
from rasp.text.source import did_you_mean
from rasp.value import Value, to_python


@dataclass(frozen=True)
class Bench:
    """Inputs, the model's runs on them, and what swaps between them mean."""

    pool: Pool
    machine: Machine
    meaning: Meaning


class Study:
    """A model, what its provenance says, and inputs to compare its runs on."""

    def __init__(
        self,
        compiled: Compiled,
        model: Transformer | None = None,
        document: Mapping[str, Any] | None = None,
        seed: int = 0,
    ) -> None:
        self.compiled = compiled
        self.model = model or compiled.model
        self.document = document or provenance(self.model)
        self.seed = seed
        self.sops = SOps(compiled.graph)
        self.line = Line.of(self.document, compiled.circuit)
        self.claims = Claims.of(self.line, self.sops, compiled.circuit)
        self.moments = Moments(self.claims)
        self.bench = self._bench()

    def _bench(self, also: Iterable[Case] = ()) -> Bench:
        nodes = [node for node in self.sops.nodes if isinstance(node, SOp)]
        needed = dict.fromkeys([*nodes, *(held.node for held in self.claims.held), *self.sops.places])
        pool = Pool.of(self.compiled, self.sops, list(needed), self.seed, also)
        return Bench(pool, Machine(self.model, self.line, pool.inputs), Meaning(self.sops, pool))

    @cached_property
    def stated(self) -> dict[str, list[Stated]]:
        """What the document states of the columns of each variable."""
        return {data["name"]: list(stated(data)) for data in self.line.all("variables")}

    def held(self, name: str) -> Held:
        """A variable of the document. Raises `ModelError` if there is none of this name."""
        if name not in self.claims.named:
            known = list(self.claims.named)
            hint = did_you_mean(name, known) or f"there are {', '.join(known)}"
            raise ModelError(f'the provenance lists no variable "{name}"', hint)
        return self.claims.named[name]

    def swap(
        self,
        variable: str,
        base: Iterable[object],
        source: Iterable[object],
        position: int | None = None,
        step: int | None = None,
    ) -> Swap:
        """Copy a variable's columns from one run into another: what the model answers, and what the program does.

        `step` is counted in the stream of the variable.
        """
        held = self.held(variable)
        one, other = self._case(base), self._case(source)
        step = held.step if step is None else self.line.steps(held.step).start + step
        self._require_swap(held, one, other, position, step)
        bench = self.bench if {one, other} <= set(self.bench.pool.inputs) else self._bench([one, other])
        numbers = {case: number for number, case in enumerate(bench.pool.inputs)}
        if not {one, other} <= numbers.keys():
            raise ModelError("the program has no answer on one of the inputs, or does not mean it", "give another one")
        pair = Pair(numbers[one], numbers[other], position)
        moment = self.moments.at(held, step)
        [outcome] = bench.meaning.of(moment, [pair])
        return self.swaps(bench, moment, [pair], [outcome])[0]

    def _case(self, given: Iterable[object]) -> Case:
        """An input; of a program with a source, from a source and a target so far."""
        settings = self.compiled.program.settings
        if not settings.two_tapes:
            return Case(tuple(read_input(given)))
        tapes = [] if isinstance(given, str) else list(given)
        if len(tapes) != 2:
            raise ModelError("the program reads a source and a target", 'an input is a pair of them: ("cab", "ab")')
        source, target = tapes
        return Case(tuple(settings.read_target(target)), tuple(settings.read_source(source)))  # type: ignore[arg-type]

    def _require_swap(self, held: Held, base: Case, source: Case, position: int | None, step: int) -> None:
        lengths = [len(self._tape(held, one)) for one in (base, source)]
        if lengths[0] != lengths[1]:
            raise ModelError("the two inputs have different lengths", "an intervention needs two inputs of one length")
        if position is not None and not 0 <= position < lengths[0]:
            raise ModelError(f"there is no position {position}", f"positions go from 0 to {lengths[0] - 1}")
        if step not in held.steps(self.line):
            first, name = self.line.steps(held.step).start, self.line.name
            steps = ", ".join(f"{one - first} ({name(one)})" for one in held.steps(self.line))
            raise ModelError(f"{held.name} is not in the stream after step {step - first}", f"it is after {steps}")

    def _tape(self, held: Held, one: Case) -> tuple[Value, ...]:
        """The tokens of an input at whose positions a variable stands."""
        return one.tokens if one.source is None or held.step >= self.line.before else one.source

    def swaps(self, bench: Bench, moment: Moment, pairs: Sequence[Pair], outcomes: Sequence[Outcome]) -> list[Swap]:
        """What the model answers where the columns are copied, beside what it must; pairs are of one length."""
        found = bench.machine.swapped(moment.step, moment.columns, pairs)
        swaps: list[Swap] = []
        for pair, outcome, one in zip(pairs, outcomes, found, strict=True):
            swap = self._swap(bench, moment, pair, outcome, one)
            swaps.append(swap if swap.ok else replace(swap, first=self._first_wrong(moment, outcome, one.streams)))
        return swaps

    def _swap(self, bench: Bench, moment: Moment, pair: Pair, outcome: Outcome, found: Swapped) -> Swap:
        return Swap(
            moment.held.name,
            self.line.own(moment.step),
            self.line.name(moment.step),
            pair.position,
            bench.pool.inputs[pair.base],
            bench.pool.inputs[pair.source],
            self._answers(bench.pool.values[pair.base]),
            found.answers,
            None if outcome.reason else self._answers(outcome.outputs),
            outcome.reason,
        )

    def _first_wrong(self, moment: Moment, outcome: Outcome, streams: Sequence[Tensor]) -> str:
        """The first column of a later variable that does not hold what is stated for what the program says."""
        later = [(held, values) for held in self.claims.held if (values := outcome.later.get(held.node)) is not None]
        for step, stream in enumerate(streams[1:], start=moment.step + 1):
            for held, values in later:
                for entry in (one for one in self.stated.get(held.name, ()) if one.there(step)):
                    for at in entry.wrong(stream[1:, entry.column], step, values):
                        where = f"{self.line.column(entry.column)}, after {self.line.name(step)}, at position {at}"
                        return f"{held.name}, which is {show(values[at])} there: {where}"
        return ""

    def _answers(self, values: Mapping[SOp, list[Value]]) -> dict[str, list[Scalar]]:
        return {name: list(map(to_python, values[node])) for name, node in self.sops.outputs.items()}
