"""Decodes: what goes wrong as sources are decoded.

In: the s-op that holds the next token, the settings of its program, which sources are meant. Out: `Searched`: a source
whose target meets no token of `stop`, one on which an answer is no token, and whether all targets are the same.
Tried are the examples, all short sources, then random ones of every length. Where a program has no answer on a source,
it promises nothing there.
Invariant: what is found was decoded; silence proves nothing, the search is bounded. The same seed tries the same.

    >>> from rasp.program import parse
    >>> header = '#@ source: "ab"\\n#@ vocab: "ab."\\n#@ stop: "."\\n'
    >>> search(parse(header + "next = aggregate(select(indices, 0, ==), source);").decoding).endless
    ('a',)
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from rasp.ask.generate import tokens_behind
from rasp.meaning.inputs import Input
from rasp.meaning.sop import Node, SOp
from rasp.settings import Settings, spellings, token_text
from rasp.text.source import Diagnostic, RaspError, Span, counted
from rasp.value import Value

SHORT, RANDOM = 150, 50
"""How many short sources, and how many random ones, are tried where nobody says."""
WORK, PARTS = 1_500_000, 8
"""How many pairs of positions are looked at in all, where nobody says: of a decode, at each of its tokens. And which
part of it one decode may take."""
LOOKED_AT = 10
"""How many times as many are looked at where `requires` leaves some out."""
ENOUGH = 30
"""So many sources are needed to say that all targets are the same."""
Source: TypeAlias = tuple[Value, ...]


class Decoding(NamedTuple):
    """What decodes: the s-op of the next token, as the decoder reads it, and the sources that are meant."""

    node: SOp
    settings: Settings
    is_meant: Callable[[Input], bool]
    spans: Mapping[Node, Span] = {}


@dataclass
class Searched:
    """What was found: the first source of each kind, with what was written or said; how many were decoded."""

    tried: int = 0
    endless: Source | None = None
    written: tuple[Value, ...] = ()
    """The target of the endless one."""
    no_token: tuple[Source, Diagnostic] | None = None
    work: int = 0
    same: bool = False
    """Whether every target was the same, of enough sources."""

    @property
    def endless_message(self) -> str:
        """The endless decode as a sentence; empty where none was found."""
        if self.endless is None:
            return ""
        count = counted(len(self.written), "token")
        return (
            f"on the source {shown(self.endless)} the target has no token of `stop` in {count}: {shown(self.written)}"
        )


def search(
    decoding: Decoding, short: int = SHORT, rand: int = RANDOM, seed: int = 0, work: int | None = WORK
) -> Searched:
    """Decode the examples, so many short and so many random sources, until there is one of each kind. With `work`, a
    decode that takes more than a part of it is given up, and no more are begun where it is spent."""
    found, targets, lengths = Searched(), set[Source](), set[int]()
    for source in _sources(decoding, short, rand, seed):
        if (work is not None and found.work > work) or (found.endless and found.no_token):
            break
        if (target := _decoded(decoding, source, found, None if work is None else work // PARTS)) is not None:
            found.tried += 1
            targets.add(target)
            lengths.add(len(source))
    found.same = len(targets) == 1 and found.tried >= ENOUGH and len(lengths) > 1
    return found


def _decoded(decoding: Decoding, source: Source, found: Searched, work: int | None) -> Source | None:
    """The target of a source, None where there is no answer or it takes too long; what is wrong with it is noted."""
    settings, target, spent = decoding.settings, [], 0
    try:
        for token in tokens_behind(decoding.node, settings, source, settings.longest, decoding.spans):
            target.append(token)
            spent += (len(source) + len(target)) ** 2
            if work is not None and spent > work:
                return None
    except RaspError as problem:
        first = problem.diagnostics[0]
        if found.no_token is None and first.code in {"generate", "mixed-kinds"}:
            found.no_token = source, first
        return None
    finally:
        found.work += spent
    ends = {token_text(token) for token in settings.stop}
    if found.endless is None and ends.isdisjoint(spellings(target[-1])):
        found.endless, found.written = source, tuple(target)
    return tuple(target)


def _sources(decoding: Decoding, short: int, rand: int, seed: int) -> Iterator[Source]:
    """Examples, all short sources, the shortest first, and random ones, half of few different tokens, of those that
    are meant; none twice."""
    settings = decoding.settings
    tokens, longest, rng = settings.source or (), settings.longest_source, random.Random(seed)
    every = itertools.chain.from_iterable(itertools.product(tokens, repeat=n) for n in range(1, longest + 1))
    few = [tokens, rng.sample(tokens, min(2, len(tokens)))]
    drawn = (tuple(rng.choices(few[at % 2], k=rng.randint(1, longest))) for at in range(LOOKED_AT * rand))
    examples = [example.input for example in settings.examples[:short]]
    seen: set[Source] = set()
    for sources, most in ((examples, short), (itertools.islice(every, LOOKED_AT * short), short), (drawn, rand)):
        new = (source for source in sources if source not in seen and decoding.is_meant(source))
        for source in itertools.islice(new, most):
            seen.add(source)
            yield source


def shown(tokens: tuple[Value, ...]) -> str:
    """A source or a target as it is given: a string of characters, or a list."""
    texts = [token_text(token) for token in tokens]
    return f'"{"".join(texts)}"' if all(len(text) == 1 for text in texts) else f"[{', '.join(texts)}]"
