"""Beliefs: what verification takes for granted of the program's values, tried on inputs.

In: the graph that a model was verified against, and the program's own s-ops. Out: `Tried`: how many claims on how many
inputs, whether these are all there are, and the first claim that one of them refutes.
Invariant: the interpreter alone decides; an input that is not meant, or has no answer, counts for nothing.

    what is taken for granted of values and rows was tried: 21 claims on 340 inputs, on every one that has an answer
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from compiler.graph.claims import Refuted, claims, refuted
from compiler.graph.domain import Setting
from compiler.graph.specialise import Graph
from compiler.trust.compare.inputs import awkward, chunks, of_length, random_input
from rasp.meaning.interpreter import evaluate_each
from rasp.meaning.sop import SOp
from rasp.settings import token_text
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
        shown = " ".join(map(token_text, self.refuted.tokens))
        return f"the analysis is wrong: {self.refuted.claim}, but not on the input {shown}: {self.refuted.values}"

    def to_json(self) -> dict[str, Any]:
        """The numbers as JSON data."""
        return {"claims": self.claims, "inputs": self.inputs, "every_input": self.every}

    def __str__(self) -> str:
        claims, inputs = counted(self.claims, "claim"), counted(self.inputs, "input")
        every = ", on every one that has an answer" if self.every else ""
        return f"what is taken for granted of values and rows was tried: {claims} on {inputs}{every}"


def tried(graph: Graph, outputs: Sequence[SOp], requires: Sequence[SOp]) -> Tried:
    """Try whatever the graph's analysis has said."""
    held, setting = claims(graph), graph.setting
    every = sum(len(setting.vocabulary) ** n for n in range(1, setting.max_length + 1)) <= ALL
    inputs = 0
    for chunk in chunks(_every(setting) if every else _some(setting), CHUNK):
        answers = evaluate_each([*outputs, *requires], chunk, setting.causal)
        answered = [
            tokens
            for tokens, answer in zip(chunk, answers, strict=True)
            if not isinstance(answer, RaspError) and all(map(all, answer[len(outputs) :]))
        ]
        inputs += len(answered)
        if (found := refuted(graph, held, answered, setting.causal)) is not None:
            return Tried(len(held), inputs, every, found)
    return Tried(len(held), inputs, every)


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
