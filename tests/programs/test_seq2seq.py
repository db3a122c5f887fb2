"""The programs with a source: what they write is what Python says, on all short sources and on many long ones.

They are interpreted only. The day the compiler takes them, a test here fails, and they join the library.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import islice, product

import pytest

import compiler
import rasp
from compiler.graph.domain import Refusal
from rasp.value import to_python
from tests.places import PROGRAMS, SEQ2SEQ

Tokens = list[str]
FRENCH = {"the": "le", "red": "rouge", "green": "vert", "car": "voiture", "house": "maison", "truck": "camion"} | {
    "sees": "voit"
}
FEMININE = {"le": "la", "vert": "verte"}
SHORT, RANDOM = 700, 300

every_program = pytest.mark.parametrize("name", [path.stem for path in SEQ2SEQ])


def load(name: str) -> rasp.Program:
    return rasp.load(PROGRAMS / "seq2seq" / f"{name}.rasp")


def translated(words: Tokens) -> Tokens:
    """Word by word, each agreeing with the first noun among itself and the two behind it; then adjectives move."""
    feminine = {"car": True, "house": True, "truck": False}
    french = []
    for at, word in enumerate(words):
        genders = [feminine[noun] for noun in words[at : at + 3] if noun in feminine]
        plain = FRENCH[word]
        french.append(FEMININE.get(plain, plain) if genders[:1] == [True] else plain)
    for at in range(len(words) - 1):
        if words[at] in ("red", "green") and words[at + 1] in feminine:
            french[at : at + 2] = french[at : at + 2][::-1]
    return french


def added(text: Tokens) -> Tokens:
    first, second = "".join(text).split("+")
    return [*str(int("0" + first) + int("0" + second)).zfill(len(first) + 1)]


ORACLES: dict[str, Callable[[Tokens], Tokens]] = {
    "addition": added,
    "copy": lambda source: source,
    "reverse": lambda source: source[::-1],
    "sort": sorted,
    "translate": translated,
}


def summands(rng: random.Random, digits: int) -> Tokens:
    return [*rng.choices("0123456789", k=digits), "+", *rng.choices("0123456789", k=digits)]


def short(name: str, tokens: list[str]) -> Iterator[Tokens]:
    """All sources, the shortest first; of the addition all that it is meant for."""
    if name == "addition":
        for digits in range(3):
            for drawn in product("0123456789", repeat=2 * digits):
                yield [*drawn[:digits], "+", *drawn[digits:]]
    else:
        for length in range(1, 10):
            yield from map(list, product(tokens, repeat=length))


def long(name: str, program: rasp.Program, rng: random.Random) -> Tokens:
    """A random source as long as may be, or of any length."""
    longest = program.settings.longest_source
    length = rng.choice((longest, rng.randint(1, longest)))
    if name == "addition":
        return summands(rng, (length - 1) // 2)
    return rng.choices([str(token) for token in program.settings.source or ()], k=length)


def test_every_program_has_an_oracle() -> None:
    assert sorted(ORACLES) == [path.stem for path in SEQ2SEQ]


@every_program
def test_a_program_is_clean_and_decodes_the_examples_of_its_header(name: str) -> None:
    program = load(name)
    assert not program.warnings
    assert len(program.settings.examples) >= 2
    for example in program.settings.examples:
        assert program.decode(example.input) == [*map(to_python, example.output)]
        assert program.is_meant(example.input, example.output[:-1])


@every_program
def test_a_program_decodes_what_its_oracle_says(name: str) -> None:
    program, oracle, rng = load(name), ORACLES[name], random.Random(name)
    tokens = [str(token) for token in program.settings.source or ()]
    sources = [*islice(short(name, tokens), SHORT), *(long(name, program, rng) for _ in range(RANDOM))]
    for source in sources:
        assert program.is_meant(source)
        assert program.decode(source) == [*oracle(source), "."], source


@every_program
def test_the_answers_at_every_prefix_are_those_of_the_decoding(name: str) -> None:
    program, rng = load(name), random.Random(7)
    for _ in range(20):
        source = long(name, program, rng)
        written = program.decode(source)
        assert program.answers(source, written[:-1]) == {"next": written}


@every_program
def test_a_program_is_interpreted_and_not_compiled_yet(name: str) -> None:
    with pytest.raises(Refusal, match="a program with a source is not compiled yet"):
        compiler.compile(load(name))
    assert f"seq2seq/{name}" not in {entry.name for entry in compiler.library()}
    assert f"seq2seq/{name}" in {entry.name for entry in compiler.library("seq2seq")}
