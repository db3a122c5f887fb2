"""The programs with a source: what they write is what Python says, on all short sources and on many long ones.

Interpreted and compiled: whole decodes, and the answers behind targets that are right and wrong.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice

import pytest

import compiler
import rasp
from rasp.value import to_python
from tests.places import PROGRAMS, SEQ2SEQ
from tests.programs.transductions import TASKS, Tokens

SHORT, RANDOM, DECODED = 700, 300, 10

every_program = pytest.mark.parametrize("name", [path.stem for path in SEQ2SEQ])


def load(name: str) -> rasp.Program:
    return rasp.load(PROGRAMS / "seq2seq" / f"{name}.rasp")


def tokens_of(program: rasp.Program) -> Tokens:
    return [str(token) for token in program.settings.source or ()]


def written(name: str, program: rasp.Program, source: Tokens) -> Tokens:
    """What the oracle says, and the token that ends it."""
    return [*TASKS[name].oracle(source), str(program.settings.stop[0])]


def drawn(name: str, program: rasp.Program, rng: random.Random) -> Tokens:
    """A random source as long as may be, or of any length."""
    longest = program.settings.longest_source
    length = rng.choice((longest, rng.randint(1, longest)))
    return TASKS[name].random(rng, tokens_of(program), length)


def long(name: str, program: rasp.Program) -> Iterator[Tokens]:
    """The sources with the longest targets, and many random ones."""
    characters = all(len(token) == 1 for token in tokens_of(program))
    yield from ([*text] if characters else text.split() for text in TASKS[name].extremes)
    rng = random.Random(name)
    yield from (drawn(name, program, rng) for _ in range(RANDOM))


def test_every_program_has_an_oracle() -> None:
    assert sorted(TASKS) == [path.stem for path in SEQ2SEQ]


@every_program
def test_a_program_is_clean_and_decodes_the_examples_of_its_header(name: str) -> None:
    program = load(name)
    assert not program.warnings
    assert len(program.settings.examples) >= 2
    for example in program.settings.examples:
        assert program.decode(example.input) == [*map(to_python, example.output)]
        assert program.is_meant(example.input, example.output[:-1])


@every_program
def test_a_program_decodes_short_sources_as_its_oracle_says(name: str) -> None:
    program = load(name)
    for source in islice(TASKS[name].shortest(tokens_of(program)), SHORT):
        assert program.is_meant(source), source
        assert program.decode(source) == written(name, program, source), source


@every_program
def test_the_answers_at_every_prefix_are_what_the_oracle_writes(name: str) -> None:
    """So every decoding is right: what is written next depends on what was written before, which is right by then."""
    program = load(name)
    for source in long(name, program):
        target = written(name, program, source)
        assert program.is_meant(source, target[:-1]), source
        assert len(target) <= program.settings.longest
        assert program.answers(source, target[:-1]) == {"next": target}, source


@every_program
def test_long_sources_are_decoded_as_the_oracle_says(name: str) -> None:
    program = load(name)
    for source in [*long(name, program)][-DECODED:]:
        assert program.decode(source) == written(name, program, source), source


@every_program
def test_there_is_a_token_behind_every_target(name: str) -> None:
    """A target may be anything: what comes next is a token, of a wrong beginning too."""
    program, rng = load(name), random.Random(7)
    tokens = [str(token) for token in program.settings.vocab or ()]
    for source in islice(long(name, program), 50):
        target = rng.choices(tokens, k=program.settings.longest - 1)
        assert {*program.answers(source, target)["next"]} <= {*tokens}, (source, target)


LAYERS = {
    "addition": (4, 2),
    "copy": (0, 1),
    "from_roman": (1, 1),
    "parity": (0, 1),
    "reverse": (0, 2),
    "run_length_decode": (2, 1),
    "sort": (1, 1),
    "to_morse": (1, 1),
    "to_latin": (1, 1),
    "translate": (1, 1),
    "unique": (2, 1),
}
"""Attention layers of the encoder and of the decoder, at most."""


@every_program
def test_a_program_is_compiled_and_decodes_as_the_oracle_does(name: str) -> None:
    program, rng = load(name), random.Random(1)
    assert f"seq2seq/{name}" not in {entry.name for entry in compiler.library()}
    assert f"seq2seq/{name}" in {entry.name for entry in compiler.library("seq2seq")}
    made = compiler.compile(program)
    assert made.certificate.ok and made.circuit.encoder is not None
    found = (
        sum(bool(one.heads) for one in made.circuit.encoder.layers),
        sum(bool(one.heads or one.cross) for one in made.circuit.layers),
    )
    assert all(one <= most for one, most in zip(found, LAYERS.get(name, found), strict=True))
    sources = [*islice(long(name, program), 60)]
    written = made.model.decode_batch(sources)
    assert written == [program.decode(source) for source in sources]
    for source in sources[:20]:
        target = rng.choices([*program.settings.known.values()], k=program.settings.longest - 1)
        if program.is_meant(source, target):
            assert made.model.answers(source, target) == program.answers(source, target)
