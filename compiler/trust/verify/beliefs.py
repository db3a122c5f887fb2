"""Beliefs: what verification takes for granted of the program's values, tried on inputs.

In: the graph that a model was verified against, and the program. Out: `Tried`: how many claims on how many inputs,
whether these are all there are, and the first claim that one of them refutes.
Invariant: the interpreter alone decides; an input that is not meant, or has no answer, counts for nothing. Of a program
with a source an input is a source and a target so far; what is said of its encoder is tried on sources alone.

    what is taken for granted of values and rows was tried: 21 claims on 340 inputs, on every one that has an answer
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import rasp
from compiler.graph.claims import Claim, Refuted, claims, refuted
from compiler.graph.domain import Setting
from compiler.graph.specialise import Graph
from compiler.graph.witness import Case, asked_for, run_each
from compiler.trust.compare.inputs import awkward, chunks, of_length, random_input
from rasp.meaning.sop import SOp
from rasp.text.source import RaspError, counted
from rasp.value import Value

ALL = 1_000
"""Where there are at most so many inputs, all are tried."""
TOKENS = 10_000
"""Else short, awkward and random ones, as many as have so many tokens in all."""
SHORT = 200
"""How many of these are the first of all inputs, shortest first."""
CHUNK = 64


@dataclass(frozen=True)
class Tried:
    """How many claims were tried, on how many inputs with an answer; whether these were all inputs; what failed."""

    claims: int
    inputs: int
    every: bool
    refuted: Refuted | None = None

    @property
    def problem(self) -> str:
        """What is wrong with the claims; empty if nothing is."""
        if self.refuted is None:
            return ""
        one = Case(self.refuted.tokens, self.refuted.source)
        return f"the analysis is wrong: {self.refuted.claim}, but not on {one}: {self.refuted.values}"

    def to_json(self) -> dict[str, Any]:
        """The numbers as JSON data."""
        return {"claims": self.claims, "inputs": self.inputs, "every_input": self.every}

    def __str__(self) -> str:
        claims, inputs = counted(self.claims, "claim"), counted(self.inputs, "input")
        every = ", on every one that has an answer" if self.every else ""
        return f"what is taken for granted of values and rows was tried: {claims} on {inputs}{every}"


def tried(graph: Graph, program: rasp.Program, outputs: Sequence[SOp]) -> Tried:
    """Try whatever the graph's analysis has said, and that of its encoder."""
    setting, held = graph.setting, claims(graph)
    needed = asked_for(program)
    asked = [*(map(program.placed, outputs) if program.two_tapes else outputs), *needed]
    encoded = [] if graph.encoder is None else claims(graph.encoder)
    count = len(held) + len(encoded)
    every = _are_few(setting)
    inputs = 0
    for chunk in chunks(_cases(setting, every), CHUNK):
        answered = _answered(asked, len(needed), chunk, setting)
        inputs += len(answered)
        if (found := _refuted(graph, held, encoded, answered)) is not None:
            return Tried(count, inputs, every, found)
    return Tried(count, inputs, every)


def _refuted(graph: Graph, held: Sequence[Claim], encoded: Sequence[Claim], inputs: Sequence[Case]) -> Refuted | None:
    """The first claim that one of the inputs refutes, of the encoder's before the decoder's."""
    tokens = [one.tokens for one in inputs]
    if graph.encoder is None:
        return refuted(graph, held, tokens, graph.setting.causal)
    sources = [one.source or () for one in inputs]
    found = refuted(graph.encoder, encoded, [*dict.fromkeys(sources)], causal=False)
    if found is not None:
        return replace(found, tokens=tokens[sources.index(found.tokens)], source=found.tokens)
    return refuted(graph, held, tokens, graph.setting.causal, sources)


def _answered(asked: Sequence[SOp], needed: int, inputs: Sequence[Case], setting: Setting) -> list[Case]:
    """The inputs that have an answer and are meant: the last of what is asked is `needed` to be True everywhere."""
    answers = run_each(asked, inputs, setting)
    return [
        one
        for one, answer in zip(inputs, answers, strict=True)
        if not isinstance(answer, RaspError) and all(map(all, answer[len(asked) - needed :]))
    ]


def _are_few(setting: Setting) -> bool:
    """Whether all inputs are tried."""
    if setting.encoder is None:
        return _count(setting.vocabulary, 1, setting.max_length) <= ALL
    sources = _count(setting.encoder.vocabulary, 1, setting.encoder.max_length)
    return sources * _count(setting.written, 0, setting.max_length - 1) <= ALL


def _count(vocabulary: Sequence[Value], shortest: int, longest: int) -> int:
    return sum(len(vocabulary) ** n for n in range(shortest, longest + 1))


def _cases(setting: Setting, every: bool) -> Iterator[Case]:
    """Inputs, shortest first: every one, or some. Each of some sources is tried with another target."""
    if setting.encoder is None:
        yield from map(Case, _every(setting) if every else _some(setting))
        return
    assert setting.start is not None
    behind = replace(setting, vocabulary=setting.written, max_length=setting.max_length - 1)
    targets = itertools.chain([()], (_every if every else _some)(behind) if behind.max_length else ())
    sources = (_every if every else _some)(setting.encoder)
    pairs = itertools.product(sources, targets) if every else zip(sources, itertools.cycle(targets), strict=False)
    yield from (Case((setting.start, *target), source) for source, target in pairs)


def _every(setting: Setting) -> Iterator[tuple[Value, ...]]:
    """Every input, shortest first."""
    lengths = range(1, setting.max_length + 1)
    return itertools.chain.from_iterable(of_length(setting.vocabulary, length) for length in lengths)


def _some(setting: Setting) -> Iterator[tuple[Value, ...]]:
    """Short inputs, awkward and random ones, as far as `TOKENS` go."""
    rng = random.Random(0)
    endless = (random_input(setting.vocabulary, setting.max_length, rng) for _ in itertools.count())
    hard = awkward(setting.vocabulary, setting.max_length, random.Random(0))
    left = TOKENS
    for tokens in itertools.chain(itertools.islice(_every(setting), SHORT), hard, endless):
        left -= len(tokens)
        if left < 0:
            return
        yield tokens
