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

from compiler.compare.inputs import awkward, chunks, random_input
from compiler.compare.report import Input
from compiler.pipeline import Compiled
from compiler.witness import required
from rasp import RaspError
from rasp.interpreter import evaluate_each
from rasp.sop import SOp
from rasp.value import Value

Known: TypeAlias = Mapping[SOp, list[Value]]
"""The values of s-ops on one input."""
SHORT, LONG = 8, 24
"""Most inputs are up to so long; a few are longer, so that counts grow."""
SIZE, FEW_LONG, VARIANTS = 320, 60, 12
"""How many inputs are looked for, how many of them are long, and how many are like one that the program shows."""
SEARCHED = 12
"""How many times as many are looked at where many have no answer."""


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

    @staticmethod
    def of(compiled: Compiled, nodes: Sequence[SOp], seed: int, also: Iterable[Input] = ()) -> Pool:
        """Inputs that are given, the program's examples and inputs like them, random ones, awkward ones."""
        rng = random.Random(seed)
        drawn = dict.fromkeys(itertools.islice(_drawn(compiled, rng), SEARCHED * SIZE))
        given = dict.fromkeys(also)
        found = Pool([], [])
        for chunk in chunks([*given, *(tokens for tokens in drawn if tokens not in given)], 64):
            found._take(compiled, nodes, chunk)
            if len(found.inputs) >= SIZE + len(given):
                break
        return found

    def _take(self, compiled: Compiled, nodes: Sequence[SOp], inputs: Sequence[Input]) -> None:
        needed = required(compiled.program)
        answers = evaluate_each([*needed, *nodes], inputs, compiled.setting.causal)
        for tokens, answer in zip(inputs, answers, strict=True):
            if not isinstance(answer, RaspError) and all(map(all, answer[: len(needed)])):
                self.inputs.append(tokens)
                self.values.append(dict(zip(nodes, answer[len(needed) :], strict=True)))

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
        return Choices([(at[1], list(held.values())) for at, held in found.items() if len(held) > 1])


@dataclass(frozen=True)
class Choices:
    """For each length and position the inputs that have one value there, value by value."""

    places: list[tuple[int, list[list[int]]]]

    def draw(self, rng: random.Random, count: int, everywhere: bool) -> Iterator[Pair]:
        """Pairs of one length; the s-op differs at the position of each."""
        position, held = rng.choice(self.places)
        for _ in range(count):
            one, other = rng.sample(held, 2)
            yield Pair(rng.choice(one), rng.choice(other), None if everywhere else position)


def _drawn(compiled: Compiled, rng: random.Random) -> Iterator[Input]:
    """Endless inputs, the most telling first."""
    vocabulary, longest = compiled.setting.vocabulary, min(compiled.setting.max_length, LONG)
    shown = [tuple(example.input) for example in compiled.program.settings.examples]
    for tokens in shown:
        yield tokens
        yield from (_changed(tokens, vocabulary, rng) for _ in range(VARIANTS))
    yield from itertools.islice(awkward(vocabulary, min(longest, SHORT), rng), VARIANTS)
    yield from (random_input(vocabulary, longest, rng) for _ in range(FEW_LONG))
    while True:
        tokens = random_input(vocabulary, min(longest, SHORT), rng)
        yield tokens
        yield _changed(rng.choice([tokens, *shown]), vocabulary, rng)


def _changed(tokens: Input, vocabulary: Sequence[Value], rng: random.Random) -> Input:
    """The input with another token somewhere."""
    at = rng.randrange(len(tokens))
    return (*tokens[:at], rng.choice(vocabulary), *tokens[at + 1 :])
