"""The programs with a loop: what they answer, and what their models do, is what Python says."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

import compiler
import rasp
from compiler.pipeline import Compiled
from tests.places import PROGRAMS

Tokens = Sequence[Any]


def rule_110(cells: Tokens, rounds: int) -> list[int]:
    row = list(cells)
    for _ in range(rounds):
        padded = [0, *row, 0]
        row = [110 >> (4 * a + 2 * b + c) & 1 for a, b, c in zip(padded, padded[1:], padded[2:], strict=False)]
    return row


def life(cells: Tokens, rounds: int) -> list[int]:
    alive = {divmod(place, 4) for place, cell in enumerate(cells) if cell}
    for _ in range(rounds):
        counts = {
            divmod(place, 4): sum(
                (place // 4 + down, (place % 4 + aside) % 4) in alive
                for down in (-1, 0, 1)
                for aside in (-1, 0, 1)
                if (down, aside) != (0, 0)
            )
            for place in range(len(cells))
        }
        alive = {cell for cell, count in counts.items() if count == 3 or (count == 2 and cell in alive)}
    return [int(divmod(place, 4) in alive) for place in range(len(cells))]


def roots(parents: Tokens, rounds: int) -> list[int]:
    found = []
    for start in range(len(parents)):
        up = start
        for _ in range(2**rounds):
            up = parents[up]
        found.append(up)
    return found


def gcds(numbers: Tokens, rounds: int) -> list[int]:
    found = []
    for number in numbers:
        a, b = numbers[0], number
        while b:
            a, b = b, a % b
        found.append(a)
    return found


def parity(bits: Tokens, rounds: int) -> list[bool]:
    return [bits.count("1") % 2 == 1] * len(bits)  # type: ignore[attr-defined]


ORACLES: dict[str, Callable[[Tokens, int], list[Any]]] = {
    "bubble_sort": lambda tokens, _: sorted(tokens),
    "gcd": gcds,
    "life_on_a_ring": life,
    "parity": parity,
    "pointer_doubling": roots,
    "rule_110": rule_110,
    "transposition_sort": lambda tokens, _: sorted(tokens),
}
COMPILED: dict[str, Compiled] = {}
every_program = pytest.mark.parametrize("name", sorted(ORACLES))


def compiled(name: str) -> Compiled:
    if name not in COMPILED:
        COMPILED[name] = Compiled(rasp.load(PROGRAMS / "loops" / f"{name}.rasp"))
    return COMPILED[name]


def inputs(name: str, program: rasp.Program, count: int) -> list[list[Any]]:
    rng = random.Random(name)
    longest, vocab = program.settings.longest, program.settings.vocab
    lengths = [longest, 1, *(rng.randint(1, longest) for _ in range(count - 2))]
    if name == "pointer_doubling":  # a parent stands before its children, so that it is a forest, and anywhere
        return [rng.sample(forest(rng, length), 1)[0] for length in lengths]
    return [[rng.choice(vocab) for _ in range(length)] for length in lengths]


def forest(rng: random.Random, length: int) -> list[list[int]]:
    order = list(range(length))
    rng.shuffle(order)
    parents = [0] * length
    for place, node in enumerate(order):
        parents[node] = order[rng.randint(0, place)]
    return [parents]


def test_every_program_has_an_oracle() -> None:
    assert sorted(ORACLES) == sorted(path.stem for path in (PROGRAMS / "loops").glob("*.rasp"))
    assert {f"loops/{name}" for name in ORACLES} == {entry.name for entry in compiler.library("loops")}


@every_program
def test_a_program_is_clean_and_its_examples_are_what_python_says(name: str) -> None:
    program = compiled(name).program
    assert program.warnings == []
    rounds = len(program.states) - 1
    for example in program.settings.examples:
        assert list(example.output) == ORACLES[name](example.input, rounds)


@every_program
def test_interpreter_and_model_say_what_python_says(name: str) -> None:
    made = compiled(name)
    program, output = made.program, made.program.outputs[0]
    given = inputs(name, program, 60)
    rounds = len(program.states) - 1
    wanted = [ORACLES[name](tokens, rounds) for tokens in given]
    assert [program[output](tokens) for tokens in given[:10]] == wanted[:10]
    assert made.model.run_batch(given) == wanted


@pytest.mark.slow
@every_program
def test_every_stage_agrees(name: str) -> None:
    report = compiler.check(compiled(name), samples=30, max_exhaustive=30)
    assert report.differences == []


@pytest.mark.slow
@pytest.mark.parametrize(("length", "most"), [(32, 500), (64, 800)])
def test_rule_110_takes_few_parameters_whatever_the_number_of_steps(length: int, most: int) -> None:
    made = [
        compiler.compile(rasp.load(PROGRAMS / "loops" / "rule_110.rasp", rounds=rounds), max_length=length)
        for rounds in (1, 1000)
    ]
    few, many = (one.model for one in made)
    assert few.stored() == many.stored() <= most
    assert made[1].graph.loop is not None and made[1].graph.loop.closed
    tokens = [random.Random(0).randint(0, 1) for _ in range(length)]
    assert many.run(tokens) == rule_110(tokens, 1000)
