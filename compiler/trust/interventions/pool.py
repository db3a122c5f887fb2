"""The pool: inputs with the value of every s-op, from which the two runs of a swap are taken.

In: a compiled program, the s-ops that are asked for, a seed. Out: `Pool`.
Invariant: on every input of it the program means something and every s-op has a value.

    pool.values[3][hist]  ->  [2, 1, 2]
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from compiler.graph.witness import required
from compiler.pipeline import Compiled
from compiler.trust.compare.inputs import awkward, chunks, random_input
from compiler.trust.compare.report import Input
from rasp import RaspError
from rasp.meaning.interpreter import evaluate_each
from rasp.meaning.sop import SOp
from rasp.settings import token_text
from rasp.value import Value

Known: TypeAlias = Mapping[SOp, list[Value]]
"""The values of s-ops on one input."""
SHORT, LONG = 8, 24
"""Most inputs are up to so long; a few are longer, so that counts grow."""
SIZE, FEW_LONG, VARIANTS = 320, 60, 12
"""How many inputs are looked for, how many of them are long, and how many are like one that the program shows."""
SEARCHED, TRIED = 12, 3
"""How many times as many are drawn, as many have no answer, and how many times as many are run, for rare answers."""


@dataclass(frozen=True)
class Pair:
    """Two inputs of one length, by their numbers in the pool, and where columns are swapped; None: everywhere."""

    base: int
    source: int
    position: int | None


@dataclass(frozen=True)
class Pool:
    """Inputs, and what every s-op is on each."""

    inputs: list[Input]
    values: list[Known]
    answers: list[tuple[tuple[Value, ...], ...]]

    @staticmethod
    def of(compiled: Compiled, nodes: Sequence[SOp], seed: int, also: Iterable[Input] = ()) -> Pool:
        """Inputs that are given, and of many others as many of each kind of answer as there are."""
        rng = random.Random(seed)
        given = list(_known(compiled, nodes, dict.fromkeys(also)))
        drawn = dict.fromkeys(itertools.islice(_drawn(compiled, rng), SEARCHED * SIZE))
        others = itertools.islice(
            _known(compiled, nodes, (tokens for tokens in drawn if tokens not in also)), TRIED * SIZE
        )
        outputs = list(compiled.graph.outputs.values())
        found = [*given, *itertools.islice(_in_turns(others, outputs), SIZE)]
        answers = [tuple(tuple(known[node]) for node in outputs) for _, known in found]
        return Pool([tokens for tokens, _ in found], [known for _, known in found], answers)

    @cached_property
    def _seen(self) -> dict[tuple[SOp, ...], set[tuple[Value, ...]]]:
        return {}

    def seen(self, nodes: tuple[SOp, ...]) -> set[tuple[Value, ...]]:
        """The values that s-ops have together at a position of some input."""
        if nodes not in self._seen:
            columns = ([known[node] for node in nodes] for known in self.values)
            self._seen[nodes] = {joint for column in columns for joint in zip(*column, strict=True)}
        return self._seen[nodes]

    def choices(self, node: SOp) -> Choices:
        """Pairs on which an s-op differs."""
        found: dict[tuple[int, int], dict[Value, list[int]]] = {}
        for number, known in enumerate(self.values):
            for position, value in enumerate(known[node]):
                found.setdefault((len(known[node]), position), {}).setdefault(value, []).append(number)
        return Choices([(at[1], list(held.values())) for at, held in found.items() if len(held) > 1], self.answers)


@dataclass(frozen=True)
class Choices:
    """For each length and position the inputs that have one value there, value by value; and the answers of all."""

    places: list[tuple[int, list[list[int]]]]
    answers: list[tuple[tuple[Value, ...], ...]]

    def draw(self, rng: random.Random, count: int, everywhere: bool) -> Iterator[Pair]:
        """Pairs of one length; the s-op differs at the position of each."""
        position, held = rng.choice(self.places)
        for _ in range(count):
            base, source = self._pair(rng, held)
            yield Pair(base, source, None if everywhere else position)

    def _pair(self, rng: random.Random, held: list[list[int]]) -> tuple[int, int]:
        """Two inputs that differ, with different answers if such are soon found."""
        for _ in range(TRIED):
            base, source = map(rng.choice, rng.sample(held, 2))
            if self.answers[base] != self.answers[source]:
                break
        return base, source


def _known(compiled: Compiled, nodes: Sequence[SOp], inputs: Iterable[Input]) -> Iterator[tuple[Input, Known]]:
    """The inputs that are meant and have an answer, with the values of s-ops."""
    needed = required(compiled.program)
    for chunk in chunks(inputs, 64):
        answers = evaluate_each([*needed, *nodes], chunk, compiled.setting.causal)
        for tokens, answer in zip(chunk, answers, strict=True):
            if not isinstance(answer, RaspError) and all(map(all, answer[: len(needed)])):
                yield tokens, dict(zip(nodes, answer[len(needed) :], strict=True))


def _in_turns(found: Iterable[tuple[Input, Known]], outputs: Sequence[SOp]) -> Iterator[tuple[Input, Known]]:
    """One of each kind of answer, then a second one, and so on: rare answers are not left out."""
    kinds: dict[tuple[frozenset[Value], ...], list[tuple[Input, Known]]] = {}
    for tokens, known in found:
        kinds.setdefault(tuple(frozenset(known[node]) for node in outputs), []).append((tokens, known))
    for turn in itertools.zip_longest(*kinds.values()):
        yield from (one for one in turn if one is not None)


def _drawn(compiled: Compiled, rng: random.Random) -> Iterator[Input]:
    """Endless inputs, the most telling first."""
    vocabulary, longest = compiled.setting.vocabulary, min(compiled.setting.max_length, LONG)
    shown = [
        tokens for example in compiled.program.settings.examples if _fits(tokens := tuple(example.input), compiled)
    ]
    for tokens in shown:
        yield tokens
        yield from (_changed(tokens, vocabulary, rng) for _ in range(VARIANTS))
    yield from itertools.islice(awkward(vocabulary, min(longest, SHORT), rng), VARIANTS)
    yield from (random_input(vocabulary, longest, rng) for _ in range(FEW_LONG))
    while True:
        tokens = random_input(vocabulary, min(longest, SHORT), rng)
        yield tokens
        yield _changed(rng.choice([tokens, *shown]), vocabulary, rng)


def _fits(tokens: Input, compiled: Compiled) -> bool:
    """Whether the model takes an input."""
    return len(tokens) <= compiled.setting.max_length and set(map(token_text, tokens)) <= set(compiled.setting.texts)


def _changed(tokens: Input, vocabulary: Sequence[Value], rng: random.Random) -> Input:
    """The input with another token somewhere."""
    at = rng.randrange(len(tokens))
    return (*tokens[:at], rng.choice(vocabulary), *tokens[at + 1 :])
