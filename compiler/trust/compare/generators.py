"""Generators: the inputs of a setting, be they of one tape, or a source and a target so far.

In: a compiled program, seeded chance. Out: all inputs of a size, random ones, awkward ones, and those a little smaller
than a given one.
Invariants: the same seed gives the same inputs in every process; what is smaller than something comes to an end.

    >>> import rasp
    >>> from compiler.pipeline import Compiled
    >>> copy = generator_of(Compiled(rasp.load("programs/seq2seq/copy.rasp").replace(source="ab")))
    >>> [str(one) for one in copy.of_size(1)]
    ['the source `a` and the target `<start>`', 'the source `b` and the target `<start>`']
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from random import Random
from typing import Protocol

from compiler.graph.domain import Setting
from compiler.graph.witness import Case, examples, meant
from compiler.pipeline import Compiled
from compiler.trust.compare.decodes import Decode, decode_each
from compiler.trust.compare.inputs import (
    LONGEST,
    POOL,
    POOL_LENGTH,
    awkward,
    by_rows,
    earlier,
    of_length,
    random_input,
    shorter,
)
from compiler.trust.compare.report import Input

TOGETHER = 64
"""Random sources whose targets are found together."""
WRITTEN = 64
"""So many tokens of a right target are found, at most, for a random or awkward source."""

RIGHT, NEARLY, RANDOM = range(3)
"""Kinds of random targets, in turns: right so far, right but for a token, and whatever comes."""


class Generator(Protocol):
    """The inputs of a setting."""

    @property
    def longest(self) -> int:
        """The largest size of an input that is tried."""

    def count(self, size: int) -> int:
        """How many inputs of a size there are."""

    def of_size(self, size: int) -> Iterator[Case]:
        """All inputs of a size."""

    def random(self, rng: Random) -> Iterator[Case]:
        """Random ones, without end."""

    def awkward(self, rng: Random) -> Iterator[Case]:
        """Those on which attention has its hardest time."""

    def smaller(self, one: Case) -> Iterator[Case]:
        """Shorter inputs first, large pieces left out before small ones; then those with earlier tokens in them."""


def generator_of(compiled: Compiled) -> Generator:
    """The generator for the inputs of a program."""
    return OneTape(compiled) if compiled.setting.encoder is None else TwoTapes(compiled, compiled.setting.encoder)


class OneTape:
    """Inputs of one tape. Their size is their length."""

    def __init__(self, compiled: Compiled) -> None:
        self.compiled = compiled
        self.vocabulary = compiled.setting.vocabulary
        self.longest = min(compiled.setting.max_length, LONGEST)

    def count(self, size: int) -> int:
        """How many inputs of a length there are."""
        found: int = len(self.vocabulary) ** size
        return found

    def of_size(self, size: int) -> Iterator[Case]:
        """All inputs of a length."""
        return map(Case, of_length(self.vocabulary, size))

    def random(self, rng: Random) -> Iterator[Case]:
        """Random ones of all lengths, without end."""
        while True:
            yield Case(random_input(self.vocabulary, self.longest, rng))

    def awkward(self, rng: Random) -> Iterator[Case]:
        """Awkward ones, then those with the emptiest and the fullest rows of a pool."""
        yield from map(Case, awkward(self.vocabulary, self.longest, rng))
        longest = min(self.longest, POOL_LENGTH)
        pool = [Case(random_input(self.vocabulary, longest, rng)) for _ in range(POOL)]
        yield from by_rows(self.compiled.sop.values(), pool, self.compiled.setting)

    def smaller(self, one: Case) -> Iterator[Case]:
        """Shorter ones, then those with earlier tokens."""
        yield from map(Case, shorter(one.tokens))
        yield from map(Case, earlier(one.tokens, self.vocabulary))


class TwoTapes:
    """A source and a target so far, `start` in front of it. Their size is the length of the longer one."""

    def __init__(self, compiled: Compiled, sources: Setting) -> None:
        self.compiled = compiled
        self.vocabulary, self.written = sources.vocabulary, compiled.setting.written
        self.longest_source = min(sources.max_length, LONGEST)
        self.most_written = min(compiled.setting.max_length, LONGEST) - 1
        self.longest = max(self.longest_source, self.most_written + 1)
        known = [one.source for one in examples(compiled.program, compiled.setting) if one.source is not None]
        self.examples = [source for source in known if len(source) <= self.longest_source]

    def case(self, source: Input, written: Input) -> Case:
        """A source and what is written behind `start`, as much of it as there is room for."""
        assert self.compiled.setting.start is not None
        return Case((self.compiled.setting.start, *written[: self.most_written]), source)

    def count(self, size: int) -> int:
        """How many pairs of a size there are."""
        return self._up_to(size) - self._up_to(size - 1)

    def _up_to(self, size: int) -> int:
        sources = (len(self.vocabulary) ** n for n in range(1, min(size, self.longest_source) + 1))
        targets = (len(self.written) ** n for n in range(min(size, self.most_written + 1)))
        found: int = sum(sources) * sum(targets)
        return found

    def of_size(self, size: int) -> Iterator[Case]:
        """All pairs of a size, those with fewer tokens in all first."""
        sources, targets = range(1, self.longest_source + 1), range(1, self.most_written + 2)
        lengths = [(n, m) for n in sources[:size] for m in targets[:size] if max(n, m) == size]
        for n, m in sorted(lengths, key=sum):
            for source, written in itertools.product(of_length(self.vocabulary, n), of_length(self.written, m - 1)):
                yield self.case(source, written)

    def random(self, rng: Random) -> Iterator[Case]:
        """Random sources, half of them as long as may be. In turns, what is written is right so far, right but for a
        token, or random."""
        return self._drawn(rng, self.longest_source, self.most_written)

    def _drawn(self, rng: Random, longest: int, most: int) -> Iterator[Case]:
        while True:
            sources = [self._source(number, longest, rng) for number in range(TOGETHER)]
            right = self._right([source for number, source in enumerate(sources) if number % 3 != RANDOM])
            for number, source in enumerate(sources):
                yield self.case(source, self._target(right.get(source, ())[:most], number % 3, most, rng))

    def _source(self, number: int, longest: int, rng: Random) -> Input:
        """A random source. Where something is required, which hardly any may meet, half of them are examples of the
        program, a few tokens changed."""
        known = [source for source in self.examples if len(source) <= longest]
        if not (known and self.compiled.program.settings.requires and number // 2 % 2):
            return random_input(self.vocabulary, longest, rng, longest if number % 2 else 1)
        source = list(rng.choice(known))
        for at in rng.sample(range(len(source)), rng.randint(0, len(source))):
            source[at] = rng.choice(self.vocabulary)
        return tuple(source)

    def _right(self, sources: Sequence[Input]) -> dict[Input, Input]:
        """What the program writes for each of them that it means, if it has an answer."""
        cases = [self.case(source, ()) for source in sources]
        kept = set(meant(self.compiled.program, cases, self.compiled.setting))
        asked = [source for source, one in zip(sources, cases, strict=True) if one in kept]
        found = decode_each(self.compiled.program, self.compiled.setting, asked, WRITTEN)
        return {
            source: decode.tokens for source, decode in zip(asked, found, strict=True) if isinstance(decode, Decode)
        }

    def _target(self, right: Input, kind: int, most: int, rng: Random) -> Input:
        """Half of the targets that are right are so to their end."""
        if not most:
            return ()
        if kind == RANDOM or not right:
            return random_input(self.written, most, rng)[: rng.choice((most, rng.randint(0, most)))]
        so_far = right[: rng.choice((len(right), rng.randint(0, len(right))))]
        if kind == RIGHT or not so_far:
            return so_far
        at = rng.randrange(len(so_far))
        return (*so_far[:at], rng.choice(self.written), *so_far[at + 1 :])

    def awkward(self, rng: Random) -> Iterator[Case]:
        """Awkward sources and examples with the right target, and with an awkward one; then pairs with the emptiest and
        the fullest rows of a pool."""
        sources = [*awkward(self.vocabulary, self.longest_source, rng), *self.examples]
        targets = itertools.cycle(awkward(self.written, self.most_written, rng) if self.most_written else [()])
        right = self._right(sources)
        for source, target in zip(sources, targets, strict=False):
            yield self.case(source, right.get(source, ()))
            yield self.case(source, target)
        longest, most = min(self.longest_source, POOL_LENGTH), min(self.most_written, POOL_LENGTH)
        pool = list(itertools.islice(self._drawn(rng, longest, most), POOL))
        outputs = [self.compiled.program.placed(node) for node in self.compiled.sop.values()]
        yield from by_rows(outputs, pool, self.compiled.setting)

    def smaller(self, one: Case) -> Iterator[Case]:
        """Shorter targets and sources, then those with earlier tokens."""
        source, written = one.source or (), one.tokens[1:]
        yield from (self.case(source, target) for target in ((), *shorter(written)) if target != written)
        yield from (self.case(fewer, written) for fewer in shorter(source))
        yield from (self.case(source, target) for target in earlier(written, self.written))
        yield from (self.case(other, written) for other in earlier(source, self.vocabulary))
