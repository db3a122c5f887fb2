"""Crossing: which selector of a program with a source each head of its encoder and of its decoder realises.

In: a model with labels and an encoder, its program. Out: a `Link` for each head, as `links` gives it for one tape.
Invariant: a link was tried, on sources that the program promises an answer for, and the targets that the model writes.

    L0C0 of addition: select(source[indices], plus_at + indices, ==), line 28, as seen on 64 inputs
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import torch

from compiler.graph.domain import Setting
from compiler.graph.halves import Half, halves
from compiler.graph.specialise import Graph, Graphs
from compiler.graph.witness import required
from compiler.model import Memory, ModelError, Stack, Transformer
from compiler.observe.view.links import LONGEST, SAMPLES, Link, Rows, Search, attended, enlarged
from compiler.runtime.origin import options_of
from rasp import Program, RaspError
from rasp.meaning.inputs import Places
from rasp.meaning.interpreter import Run
from rasp.meaning.sop import Node, SOp
from rasp.settings import token_text
from rasp.value import Value

Links: TypeAlias = list[list[Link]]
SHORT = 8
"""Sources are drawn of up to so many tokens, and as often of any length: what is required may ask for either."""


@dataclass(frozen=True)
class Found:
    """A half of the program, and the links of the heads that compute it."""

    half: Half
    links: Links


class Both(NamedTuple):
    """What was found of either half."""

    encoder: Found
    decoder: Found


def links_of(model: Transformer, program: Program) -> Both:
    """The links of each head, layer by layer. Raises `RaspError` for a program that would be refused now."""
    outputs = {name: node for name in program.outputs if isinstance(node := program.node(name), SOp)}
    setting = _setting(model, program)
    decoder, encoder = halves(outputs, required(program), program.called, program.instances, setting)
    graph = _graph(decoder, encoder)
    searches = [
        _search(program, half, own)
        for half, own in ((encoder, None if graph is None else graph.encoder), (decoder, graph))
    ]
    for source, target in _inputs(model, program, setting):
        _look(model, searches, source, target)
    labels = [model.labels["encoder"]["layers"], model.labels["layers"]]
    heads = [[[*layer["heads"], *layer.get("cross", ())] for layer in layers] for layers in labels]
    of_source, of_target = (search.links(found) for search, found in zip(searches, heads, strict=True))
    return Both(Found(encoder, of_source), Found(decoder, of_target))


def _setting(model: Transformer, program: Program) -> Setting:
    """The setting of the targets, as the compiler had it."""
    settings, (_, limits) = program.settings, options_of(model)[0]
    written = settings.vocab or ()
    known = {token_text(token): token for token in (settings.start, *written)}
    vocabulary = tuple(known[text] for text in model.config.vocabulary)
    sources = Setting(settings.source or (), settings.longest_source, False, limits)
    start = known[token_text(settings.start)]
    return Setting(vocabulary, settings.longest, True, limits, sources, start, written)


def _graph(decoder: Half, encoder: Half) -> Graph | None:
    """The s-ops as the compiler saw them, None where it would refuse them now."""
    try:
        return Graphs(decoder, encoder)[0]
    except RaspError:
        return None


def _search(program: Program, half: Half, graph: Graph | None) -> Search:
    bound: dict[str, Node] = {name.partition("@")[0]: node for node, name in half.names.items()}
    roots = [*half.outputs.values(), *half.names]
    return Search(program, graph, roots, bound, lambda selector: program.span(half.written.get(selector, selector)))


# -- inputs ------------------------------------------------------------------------------------------------------------


def _inputs(model: Transformer, program: Program, setting: Setting) -> Iterator[tuple[list[Value], list[Value]]]:
    """Sources and what the model reads of the targets that it writes for them, `start` in front."""
    assert setting.start is not None
    for source in _sources(program):
        try:
            written = model.decode([token_text(token) for token in source])
        except ModelError:
            continue
        ids = [number for value in written[:-1] if (number := model.token_id(value)) is not None]
        yield source, [setting.start, *(setting.vocabulary[number] for number in ids[: LONGEST - 1])]


def _sources(program: Program) -> Iterator[list[Value]]:
    """The examples of the header and random sources that are meant, half of them of few different tokens."""
    settings = program.settings
    for example in settings.examples:
        yield list(example.input)
    rng, vocabulary, drawn = random.Random(0), list(settings.source or ()), 0
    for attempt in range(20 * SAMPLES if vocabulary else 0):
        few = rng.sample(vocabulary, min(len(vocabulary), 2)) if attempt % 2 else vocabulary
        longest = min(settings.longest_source, SHORT if attempt % 4 < 2 else LONGEST)
        tokens = rng.choices(few, k=rng.randint(1, longest))
        if program.is_meant(tokens):
            drawn += 1
            yield tokens
        if drawn == SAMPLES:
            return


# -- what is seen ------------------------------------------------------------------------------------------------------


def _look(model: Transformer, searches: list[Search], source: list[Value], target: list[Value]) -> None:
    """Keep what selectors and heads of both halves select on an input."""
    assert model.encoder is not None
    ids = _row(model, model.encode_source([token_text(token) for token in source]))
    read = _row(model, model.encode([token_text(token) for token in target]))
    encoder, decoder = searches
    with torch.no_grad():
        if encoder.knows_of(Run(source)):
            encoder.patterns.append(_patterns(model.encoder, model.labels["encoder"], ids, None))
        if decoder.knows_of(Run(target, True, source=Places(source))):
            decoder.patterns.append(_patterns(model, model.labels, read, model.remember(ids)))


def _row(model: Transformer, ids: list[int]) -> torch.Tensor:
    return torch.tensor([ids], device=model.embed.W_E.device)


def _patterns(stack: Stack, labels: Any, ids: torch.Tensor, memory: Memory | None) -> list[list[Rows]]:
    """Which tokens each token looks at, by layer and head, those that cross behind the others."""
    _, mask = stack.with_bos(ids)
    streams = list(stack.sublayers(ids, None, memory))
    every = 2 if memory is None else 3
    found = []
    for number, block in enumerate(stack.layers()):
        patterns = [] if block.attn is None else list(block.attn.pattern(streams[every * number], mask)[0])
        if block.cross is not None and memory is not None:
            patterns += block.cross.pattern(streams[every * number + 1], memory)[0]
        factors = enlarged(block, labels["layers"][number])
        found.append([attended(pattern, factor) for pattern, factor in zip(patterns, factors, strict=True)])
    return found
