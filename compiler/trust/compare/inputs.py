"""Which inputs a check tries: all short ones, random ones, and those on which attention has its hardest time.

In: a vocabulary, a longest length, a seeded generator. Out: inputs of one tape, tuples of tokens.
Invariant: the same seed gives the same inputs in every process.

    >>> list(of_length(("a", "b"), 2))
    [('a', 'a'), ('a', 'b'), ('b', 'a'), ('b', 'b')]
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from compiler.graph.domain import Setting
from compiler.graph.witness import Case
from compiler.trust.compare.report import Input
from rasp.meaning.inputs import Places
from rasp.meaning.interpreter import Run
from rasp.meaning.sop import Aggregate, Selector, SOp, Total, Width, reachable
from rasp.settings import token_text
from rasp.text.source import RaspError

LONGEST = 8192
"""The longest input that is tried, in tokens, whatever a model says that it holds."""
POOL, POOL_LENGTH, SELECTORS = 60, 32, 20
"""Random inputs looked at for their rows, their length at most, and how many selectors are looked at."""
T = TypeVar("T")


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of that many items, the last one shorter."""
    items = iter(items)
    while chunk := list(itertools.islice(items, size)):
        yield chunk


def of_length(vocabulary: Sequence[T], length: int) -> Iterator[tuple[T, ...]]:
    """Every input of a length, in order."""
    return itertools.product(vocabulary, repeat=length)


def random_input(vocabulary: Input, max_length: int, rng: random.Random, least: int = 1) -> Input:
    """An input of any length from the least one on. Half of them draw from a few tokens only, so that repetitions
    occur."""
    few = rng.sample(vocabulary, min(len(vocabulary), rng.choice((1, 2, 3, len(vocabulary), len(vocabulary)))))
    return tuple(rng.choice(few) for _ in range(rng.randint(least, max_length)))


def awkward(vocabulary: Input, max_length: int, rng: random.Random) -> Iterator[Input]:
    """All equal, one odd, two in turns, sorted, reverse sorted; at the longest length, next to it, and half."""
    for length in dict.fromkeys((max_length, max(1, max_length - 1), max(1, max_length // 2))):
        spread = tuple(vocabulary[i * len(vocabulary) // length] for i in range(length))
        yield from (spread, spread[::-1], (spread[::2] + spread[1::2])[:length])
        for token in dict.fromkeys((vocabulary[0], vocabulary[-1], rng.choice(vocabulary))):
            same = (token,) * length
            odd, at = rng.choice(vocabulary), rng.randrange(length)
            yield from (same, (odd, *same[1:]), (*same[1:], odd), (*same[:at], odd, *same[at + 1 :]))
            yield tuple(odd if i % 2 else token for i in range(length))


def by_rows(outputs: Iterable[SOp], pool: Iterable[Case], setting: Setting) -> Iterator[Case]:
    """For each selector that is aggregated or counted, of some inputs: the one with most empty rows, and the one that
    selects most."""
    nodes = reachable(outputs)
    selectors = dict.fromkeys(node.selector for node in nodes if isinstance(node, Aggregate | Total | Width))
    runs = [(_run(one, setting), one) for one in pool]
    for selector in itertools.islice(selectors, SELECTORS):
        counted = [(rows, run.sides(selector)[0].n, one) for run, one in runs if (rows := _rows(run, selector))]
        if counted:
            yield max(counted, key=lambda found: found[0].count(0) / len(found[0]))[2]
            yield max(counted, key=lambda found: sum(map(int.bit_count, found[0])) / (len(found[0]) * found[1]))[2]


def _run(one: Case, setting: Setting) -> Run:
    return Run(one.tokens, setting.causal, source=None if one.source is None else Places(one.source))


def _rows(run: Run, selector: Selector) -> list[int]:
    try:
        run.compute([selector])
    except RaspError:
        return []
    return run.seen(selector)


def shorter(tokens: Input) -> Iterator[Input]:
    """An input without some of its tokens, but not without all: large pieces left out before small ones."""
    size = len(tokens) // 2
    while size:
        yield from (tokens[:i] + tokens[i + size :] for i in range(0, len(tokens), size) if len(tokens) > size)
        size //= 2


def earlier(tokens: Input, vocabulary: Input) -> Iterator[Input]:
    """An input with earlier tokens of the vocabulary in it, everywhere or in one place."""
    order = {token_text(token): number for number, token in enumerate(vocabulary)}
    for text in sorted({token_text(token) for token in tokens}, key=order.__getitem__):
        for other in vocabulary[: order[text]]:
            yield tuple(other if token_text(token) == text else token for token in tokens)
    for i, token in enumerate(tokens):
        for other in vocabulary[: order[token_text(token)]]:
            yield (*tokens[:i], other, *tokens[i + 1 :])
