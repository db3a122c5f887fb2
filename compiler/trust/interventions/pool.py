"""The pool: inputs with the value of every s-op, from which the two runs of a swap are taken.

In: a compiled program, the s-ops that are asked for, a seed. Out: `Pool`. With a source, an input is a source and a
target so far: what is decoded so far, or anything.
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

from compiler.graph.domain import Setting
from compiler.graph.witness import Case, required, run_each
from compiler.pipeline import Compiled
from compiler.trust.compare.inputs import awkward, chunks, random_input
from compiler.trust.compare.report import Input
from compiler.trust.interventions.sops import SOps
from rasp import RaspError
from rasp.meaning.sop import SOp
from rasp.settings import token_text
from rasp.value import Value

Known: TypeAlias = Mapping[SOp, list[Value]]
"""The values of s-ops on one input."""
SHORT, LONG = 8, 24
"""Most inputs are up to so long; a few are longer, so that counts grow."""
SIZE, FEW_LONG, VARIANTS = 320, 60, 12
"""How many inputs are looked for, how many of them are long, and how many are like one that the program shows."""
DECODED = 64
"""So many sources, the most telling ones, have targets that the program writes."""
SEARCHED, TRIED = 12, 3
"""How many times as many are drawn, as many have no answer, and how many times as many are run, for rare answers."""


@dataclass(frozen=True)
class Pair:
    """Two inputs, as long as each other where columns are swapped, by their numbers in the pool, and at which position;
    None: everywhere."""

    base: int
    source: int
    position: int | None


@dataclass(frozen=True)
class Pool:
    """Inputs, and what every s-op is on each."""

    inputs: list[Case]
    values: list[Known]
    answers: list[tuple[tuple[Value, ...], ...]]

    @staticmethod
    def of(compiled: Compiled, sops: SOps, nodes: Sequence[SOp], seed: int, also: Iterable[Case] = ()) -> Pool:
        """Inputs that are given, and of many others as many of each kind of answer as there are."""
        rng = random.Random(seed)
        needed = sops.requires if compiled.program.two_tapes else required(compiled.program)
        given = list(_known(compiled.setting, needed, nodes, dict.fromkeys(also)))
        drawn = dict.fromkeys(itertools.islice(_drawn(compiled, rng), SEARCHED * SIZE))
        others = itertools.islice(
            _known(compiled.setting, needed, nodes, (one for one in drawn if one not in also)), TRIED * SIZE
        )
        outputs = list(sops.outputs.values())
        found = [*given, *itertools.islice(_in_turns(others, outputs), SIZE)]
        answers = [tuple(tuple(known[node]) for node in outputs) for _, known in found]
        return Pool([one for one, _ in found], [known for _, known in found], answers)

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


def _known(
    setting: Setting, needed: Sequence[SOp], nodes: Sequence[SOp], inputs: Iterable[Case]
) -> Iterator[tuple[Case, Known]]:
    """The inputs that are meant and have an answer, with the values of s-ops."""
    for chunk in chunks(inputs, 64):
        for one, answer in zip(chunk, run_each([*needed, *nodes], chunk, setting), strict=True):
            if not isinstance(answer, RaspError) and all(map(all, answer[: len(needed)])):
                yield one, dict(zip(nodes, answer[len(needed) :], strict=True))


def _in_turns(found: Iterable[tuple[Case, Known]], outputs: Sequence[SOp]) -> Iterator[tuple[Case, Known]]:
    """One of each kind of answer, then a second one, and so on: rare answers are not left out."""
    kinds: dict[tuple[frozenset[Value], ...], list[tuple[Case, Known]]] = {}
    for one, known in found:
        kinds.setdefault(tuple(frozenset(known[node]) for node in outputs), []).append((one, known))
    for turn in itertools.zip_longest(*kinds.values()):
        yield from (one for one in turn if one is not None)


def _drawn(compiled: Compiled, rng: random.Random) -> Iterator[Case]:
    """Endless inputs, the most telling first; where they are sources, each with a target so far."""
    setting = compiled.setting
    if setting.encoder is None:
        yield from map(Case, _tapes(compiled, setting, rng))
        return
    for number, source in enumerate(_tapes(compiled, setting.encoder, rng)):
        for written in _targets(compiled, source, rng, number < DECODED):
            yield Case(tuple(compiled.program.settings.read_target(written)), source)


def _targets(compiled: Compiled, source: Input, rng: random.Random, decoded: bool) -> Iterator[Input]:
    """Targets so far, without what they begin with: what the program writes if that is wanted, all, part, and with
    another token somewhere; then one of any tokens."""
    setting = compiled.setting
    most = min(setting.max_length - 1, LONG)
    if decoded and (written := _decoded(compiled, source)[:most]):
        yield from (written, written[: rng.randrange(len(written))], _changed(written, setting.written, rng))
    yield random_input(setting.written, min(most, SHORT), rng) if most else ()


def _decoded(compiled: Compiled, source: Input) -> Input:
    """What the program writes for a source, as tokens; nothing where it has no answer."""
    settings = compiled.program.settings
    try:
        return tuple(settings.read_target(compiled.program.decode(source)[:-1])[1:])
    except RaspError:
        return ()


def _tapes(compiled: Compiled, setting: Setting, rng: random.Random) -> Iterator[Input]:
    """Endless inputs, or sources, of a setting, the most telling first."""
    vocabulary, longest = setting.vocabulary, min(setting.max_length, LONG)
    shown = [tokens for example in compiled.program.settings.examples if _fits(tokens := tuple(example.input), setting)]
    for tokens in shown:
        yield tokens
        yield from (_changed(tokens, vocabulary, rng) for _ in range(VARIANTS))
    yield from itertools.islice(awkward(vocabulary, min(longest, SHORT), rng), VARIANTS)
    yield from (random_input(vocabulary, longest, rng) for _ in range(FEW_LONG))
    while True:
        tokens = random_input(vocabulary, min(longest, SHORT), rng)
        yield tokens
        yield _changed(rng.choice([tokens, *shown]), vocabulary, rng)


def _fits(tokens: Input, setting: Setting) -> bool:
    """Whether the model takes an input, or a source."""
    return len(tokens) <= setting.max_length and set(map(token_text, tokens)) <= set(setting.texts)


def _changed(tokens: Input, vocabulary: Sequence[Value], rng: random.Random) -> Input:
    """The input with another token somewhere."""
    at = rng.randrange(len(tokens))
    return (*tokens[:at], rng.choice(vocabulary), *tokens[at + 1 :])
