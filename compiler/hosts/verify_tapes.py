"""Verification of hosts that read a source and write a target, beside interpreter and native model.

In: a native model, whose labels hold its program, and a host's `Tapes`. Out: `Verification`, or a refusal.
Invariants: for every source of the sample the host writes what the interpreter decodes; its answers at every position
of that target, and of another one of random tokens, are the interpreter's; rounding takes away little of any lead.

    sources: those of the examples, short ones, random ones, awkward ones
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from compiler.hosts.verify import CHUNK, LONGEST, SEARCHED, SHORT, SUGGESTION, Verification, Watch
from compiler.model import ModelError, Scalar, Transformer
from compiler.pipeline import Compiled
from compiler.runtime.origin import program_of
from compiler.trust.compare.inputs import awkward, chunks, of_length, random_input
from compiler.trust.compare.report import Input
from rasp import Program, RaspError
from rasp.settings import token_text
from rasp.value import Value

if TYPE_CHECKING:
    from compiler.hosts import Tapes


class Expected(NamedTuple):
    """A source, a target so far without `start`, and the interpreter's answers at each of its positions."""

    source: Input
    target: tuple[Any, ...]
    answers: dict[str, list[Scalar]]
    decoded: Sequence[Scalar] | None  # what is decoded, if the target is that up to its last token but one


def verify_tapes(model: Transformer, tapes: Tapes, name: str, samples: int = 100, seed: int = 0) -> Verification:
    """Compare on short, random and awkward sources. Raises `ModelError` where the host differs, or is too coarse."""
    [output] = model.config.outputs
    program = program_of(model).replace(output=[output.name])
    watch, rng = Watch(model), random.Random(seed)
    others = Compiled(program).setting.written
    compared = skipped = 0
    for sources in chunks(_sample(program, samples, rng), CHUNK):
        cases = []
        for source, decoded in zip(sources, _decoded(model, sources), strict=True):
            found = [] if decoded is None else list(_cases(program, source, decoded, others, rng))
            skipped += not found
            cases += found
        if cases:
            _compare(model, tapes, name, cases, watch)
            compared += len(cases)
    if not compared:
        raise ModelError("no source was found that meets `requires`", "compile with a `requires` that more inputs meet")
    return watch.verification(name, compared, skipped)


def _sample(program: Program, samples: int, rng: random.Random) -> Iterator[Input]:
    """Sources that the program means."""
    settings = program.settings
    vocabulary, longest = settings.source or (), min(settings.longest_source, LONGEST)
    examples = (example.input for example in settings.examples if len(example.input) <= longest)
    short = (tokens for length in range(1, longest + 1) for tokens in of_length(vocabulary, length))
    endless = (random_input(vocabulary, longest, rng) for _ in itertools.count())
    for sources, most in (
        (examples, SHORT),
        (short, SHORT),
        (endless, samples),
        (dict.fromkeys(awkward(vocabulary, longest, rng)), SHORT),
    ):
        looked_at = itertools.islice(sources, SEARCHED * most)
        yield from itertools.islice((source for source in looked_at if program.is_meant(source)), most)


def _decoded(model: Transformer, sources: Sequence[Input]) -> list[list[Scalar] | None]:
    """What the native model decodes; None where that is what is no token."""
    try:
        return [*model.decode_batch(sources)]
    except ModelError:
        return [None] if len(sources) == 1 else [_decoded(model, [source])[0] for source in sources]


def _cases(
    program: Program, source: Input, decoded: Sequence[Scalar], others: Sequence[Value], rng: random.Random
) -> Iterator[Expected]:
    """What is decoded for a source, and another target; each if the program means it and has an answer.

    The interpreter answers at every position of a target at once: where these answers are the target itself, it decodes
    that target, token by token.
    """
    other = tuple(rng.choice(others) for _ in range(rng.randint(0, program.settings.longest - 1)))
    for target, whole in ((tuple(decoded[:-1]), decoded), (other, None)):
        try:
            meant, answers = program.is_meant(source, target), program.answers(source, target)
        except RaspError:
            continue
        if meant:
            yield Expected(source, target, answers, whole)


def _compare(model: Transformer, tapes: Tapes, name: str, cases: Sequence[Expected], watch: Watch) -> None:
    """The answers to cases in one batch, and what is written for their sources."""
    sources = [model.encode_source(case.source) for case in cases]
    targets = [model.encode([model.config.start, *case.target]) for case in cases]
    pairs = list(zip(sources, targets, strict=True))
    with torch.no_grad():
        ours = model(*model.padded(sources), *model.padded(targets))
    for case, host, native, target in zip(cases, tapes.logits(pairs), ours, targets, strict=True):
        found = watch.look(host, native[: len(target)])
        for output, answers in case.answers.items():
            if found[output] != answers:
                raise _wrong(name, case, answers, found[output])
    decoded = [case for case in cases if case.decoded is not None]
    written = tapes.write([model.encode_source(case.source) for case in decoded])
    for case, values in zip(decoded, written, strict=True):
        [answers] = case.answers.values()
        if not values == answers == case.decoded:
            raise _wrong(name, case, answers, values)


def _wrong(name: str, case: Expected, expected: list[Scalar], found: list[Scalar]) -> ModelError:
    texts = " ".join(map(token_text, case.source)), " ".join(map(token_text, case.target))
    return ModelError(
        f"the host {name} does not carry this program: behind the source {texts[0]} and the target {texts[1]!r} it "
        f"answers {found}, and the interpreter {expected}",
        SUGGESTION,
    )
