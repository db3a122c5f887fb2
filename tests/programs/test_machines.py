"""The machines: what they write is what Python says, on programs that mean something, on random ones and on wrong ones.

A text is compared at once, not token by token: at every place behind the prompt the next token is asked for, given what
stands there. If all of them are right, so is what is generated.
"""

from __future__ import annotations

import random
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest

import rasp
from compiler.pipeline import Compiled
from rasp.machines.assembler import assembled
from rasp.machines.steps import Step, steps
from rasp.text.source import Source
from rasp.value import to_python
from tests.places import PROGRAMS
from tests.programs.machines import brainfuck, bytes, counters, subleq, turing

MACHINES: dict[str, ModuleType] = {
    "brainfuck": brainfuck,
    "bytes": bytes,
    "counters": counters,
    "subleq": subleq,
    "turing": turing,
}
ASSEMBLED = sorted((PROGRAMS / "machines" / "asm").glob("*.asm"))
INTERPRETED, PLAIN, FAST, MANY = 40, 200, 1_000, 4_000

every_machine = pytest.mark.parametrize("name", MACHINES)

Text = tuple[list[str], list[str]]
"""A prompt and what follows it."""


@cache
def program(name: str) -> rasp.Program:
    return rasp.load(PROGRAMS / "machines" / f"{name}.rasp")


@cache
def compiled(name: str) -> Compiled:
    return Compiled(program(name))


def texts(name: str, count: int, seed: int = 0) -> list[Text]:
    rng = random.Random(seed)
    prompts = [MACHINES[name].drawn(rng) for _ in range(count)]
    return [([*map(str, prompt)], [*map(str, MACHINES[name].written(prompt))]) for prompt in prompts]


def inputs(found: list[Text]) -> list[list[str]]:
    """Each text but for its last token, which nothing follows."""
    return [[*prompt, *written][:-1] for prompt, written in found]


def require_written(found: list[Text], answers: list[list[object]]) -> None:
    for (prompt, written), answer in zip(found, answers, strict=True):
        assert [str(token) for token in answer[len(prompt) - 1 :]] == written, " ".join(prompt)


def written(name: str, prompt: list[object]) -> list[str]:
    return [str(token) for token in compiled(name).fast.stream(prompt)]


def test_every_machine_has_a_reference() -> None:
    assert sorted(MACHINES) == sorted(path.stem for path in (PROGRAMS / "machines").glob("*.rasp"))


@every_machine
def test_random_programs_end_in_every_way_there_is(name: str) -> None:
    ends = {written[-1] for _, written in texts(name, FAST)}
    assert ends >= MACHINES[name].HALTS and len(ends & MACHINES[name].ERRORS) >= 2
    assert ends <= MACHINES[name].HALTS | MACHINES[name].ERRORS
    assert set(program(name).settings.stop) == MACHINES[name].HALTS | MACHINES[name].ERRORS


@every_machine
def test_the_interpreter_writes_what_python_does(name: str) -> None:
    found = texts(name, INTERPRETED)
    answers = [program(name)["next"].exact(tokens) for tokens in inputs(found)]  # type: ignore[union-attr]
    require_written(found, [[to_python(value) for value in answer] for answer in answers])


@every_machine
def test_the_transformer_writes_what_python_does(name: str) -> None:
    found = texts(name, PLAIN, seed=1)
    require_written(found, compiled(name).model.run_batch(inputs(found)))


@every_machine
def test_the_fast_path_writes_what_python_does(name: str) -> None:
    found = texts(name, FAST, seed=2)
    require_written(found, compiled(name).fast.run_batch(inputs(found)))


@pytest.mark.slow
@every_machine
def test_the_fast_path_writes_what_python_does_of_thousands_of_programs(name: str) -> None:
    found = texts(name, MANY, seed=3)
    require_written(found, compiled(name).fast.run_batch(inputs(found)))


@every_machine
def test_a_machine_is_certified(name: str) -> None:
    assert compiled(name).certificate.ok


@every_machine
def test_generating_token_by_token_writes_the_same(name: str) -> None:
    (prompt, written), *_ = sorted(texts(name, 50, seed=4), key=lambda text: abs(len(text[1]) - 40))
    assert [str(token) for token in compiled(name).model.stream(prompt)] == written
    assert [str(token) for token in program(name).stream(prompt)] == written


def test_subleq_fits_into_12_500_parameters_and_3_layers_of_attention() -> None:
    circuit = compiled("subleq").circuit
    assert compiled("subleq").model.stored() <= 12_500
    assert sum(bool(layer.heads) for layer in circuit.layers) == 3


WRONG: dict[str, list[tuple[list[object], str]]] = {
    "brainfuck": [
        (list("][|"), "unbalanced"),
        (list("[|"), "unbalanced"),
        ([*"+" * 24, "|"], "outside"),
        (["|"], "end"),
    ],
    "bytes": [
        (["set", 7, "|", 0, 0], "outside"),
        (["jump", 200, "|", 0, 0], "outside"),
        (["jump", 64, "|", 0, 0], "outside"),
        (["set", "set", 3, "halt", 0, "|", 0, 0], "outside"),
        ([3, 0, "halt", 0, "|", 0, 0], "outside"),
        (["set", 7, "halt", 0, "|"], "outside"),
        (["jump", 0, "|", 0, 0], "endless"),
    ],
    "counters": [
        (["incx", 1, 1, "|", 0], "outside"),
        (["end", 0, 0, "|", 15], "outside"),
        (["decx", "|", 0], "outside"),
        (["decx", 0, "|", 0], "outside"),
        (["incx", "incx", 1, "|", 0], "outside"),
        (["incx", 0, 0, "|", 0], "endless"),
    ],
    "subleq": [
        ([0, 0, 0], "outside"),
        ([0] * 16, "outside"),
        ([*[0] * 16, -1], "outside"),
        ([*[0] * 16, 14], "outside"),
        ([*[0] * 9, "halt", *[0] * 6, 0], "outside"),
        ([3, "endless", *[0] * 15], "outside"),
        ([-1, 3, 0, *[0] * 14], "outside"),
        ([3, 16, 0, *[0] * 14], "outside"),
        ([0] * 17, "endless"),
    ],
    "turing": [
        (["|"], "stuck"),
        (["a0", "a1", "1Rb", "|"], "stuck"),
        (["a1", "1Rh", "|"], "stuck"),
        (["a0", "|"], "stuck"),
        (["a0", "1Ra", "|"], "endless"),
    ],
}


@pytest.mark.parametrize(("name", "prompt", "end"), [(n, *case) for n in WRONG for case in WRONG[n]])
def test_a_wrong_program_ends_in_a_word_that_says_so(name: str, prompt: list[object], end: str) -> None:
    assert written(name, prompt)[-1] == end


# -- programs that mean something --------------------------------------------------------------------------------------


def primes(below: int) -> list[int]:
    return [n for n in range(2, below) if all(n % d for d in range(2, n))]


def collatz(n: int) -> list[int]:
    return [n] if n == 1 else [n, *collatz(3 * n + 1 if n % 2 else n // 2)]


def fibonacci(most: int) -> list[int]:
    found = [1, 1]
    while found[-1] + found[-2] <= most:
        found.append(found[-1] + found[-2])
    return found


SHOWN: dict[str, list[str]] = {
    "collatz": [f"a={n}" for n in collatz(7)],
    "fibonacci": [f"a={n}" for n in fibonacci(255)],
    "hello": [f"a={ord(letter)}" for letter in "HELLO"],
    "multiply": [f"a={13 * 11}"],
    "primes": [f"a={n}" for n in primes(16)],
    "six": ["=6"],
    "sort": [f"a={n}" for n in sorted((9, 4, 7, 1))],
}
LEFT: dict[str, dict[str, str]] = {
    "add": {"memory": "M[11]=0", "cells": "9 11 3 11 10 6 11 11 -1 5 8 0 0 0 0 0"},
    "busy_beaver": {"tape": "1" * 6},
    "double": {"x": "0", "y": "10"},
}
"""What a machine that shows nothing has left in the end."""


@cache
def steps_of(path: Path) -> list[Step]:
    """What the transformer does with a program, token by token."""
    prompt = assembled(Source(path.read_text("utf-8"), path.name))
    name = prompt.machine.name
    tokens = compiled(name).fast.stream(list(prompt.tokens))
    return list(steps(name, prompt.tokens, tokens, map(str, program(name).settings.stop)))


@pytest.mark.parametrize("path", ASSEMBLED, ids=lambda path: path.stem)
def test_a_program_that_comes_along_does_what_it_says(path: Path) -> None:
    found = steps_of(path)
    assert found[-1].ended in ("halt", "end") and not any(step.ended for step in found[:-1])
    shown = [step.shows["out"] for step in found if step.shows.get("out")]
    assert shown == SHOWN.get(path.stem, [])
    assert found[-1].shows.items() >= LEFT.get(path.stem, {}).items()
    assert path.stem in SHOWN or path.stem in LEFT


@pytest.mark.parametrize(("one", "other"), [(5, 3), (0, 7), (12, -4), (9, 9)])
def test_subleq_adds(one: int, other: int) -> None:
    """z -= a; b -= z; halt: cell 13 is z, and gets -a; so b becomes a + b, or what is left of it in -16 to 16."""
    prompt = [12, 13, 3, 13, 14, 6, 15, 15, -1, 0, 0, 0, one, 0, other, 0, 0]
    text = written("subleq", prompt)
    last = text[-17:-1]
    assert text[-1] == "halt"
    assert last[14] == str(subleq.wrapped(one + other))


def test_counters_multiply_by_three() -> None:
    """While x can be taken away, y is added to three times."""
    program = ["decx", 1, 4, "incy", 2, 2, "incy", 3, 3, "incy", 0, 0, "end", 0, 0, "|"]
    for x in range(6):
        text = written("counters", [*program, *["x+"] * x, 0])
        assert text[-1] == "halt" and text.count("y+") == 3 * x


def test_counters_tell_odd_from_even() -> None:
    """x loses two at a time; at 1 it goes through line 3, which makes y a 1."""
    program = ["decx", 1, 2, "decx", 0, 3, "end", 0, 0, "incy", 2, 2, "|"]
    for x in range(8):
        text = written("counters", [*program, *["x+"] * x, 0])
        assert text[-1] == "halt" and text.count("y+") == x % 2


def test_the_busy_beavers_of_two_and_three_states_write_what_is_known() -> None:
    two = ["a0", "1Rb", "a1", "1Lb", "b0", "1La", "b1", "1Rh", "|"]
    three = ["a0", "1Rb", "a1", "1Rh", "b0", "0Rc", "b1", "1Rb", "c0", "1Lc", "c1", "1La", "|"]
    assert [len(written("turing", table)) for table in (two, three)] == [6, 14]


def test_a_turing_machine_adds_1_to_a_binary_number() -> None:
    """The head is brought to the right end, carries to the left, and halts where a 0 becomes a 1."""
    table = ["a0", "1Lh", "a1", "0La", "|"]
    for number in range(1, 16):
        digits = f"0{number:b}"
        history = [f"{digit}Ra" for digit in digits[:-1]] + [f"{digits[-1]}Ra", "0La"]
        text = written("turing", [*table, *history])
        ones = len(digits) - len(digits.rstrip("1"))
        assert text == ["0La"] * ones + ["1Lh"]


def test_brainfuck_multiplies_and_shows() -> None:
    for one, other in ((2, 3), (3, 2), (1, 5)):
        signs = [*"+" * one, "[", ">", *"+" * other, "<", "-", "]", ">", ".", "|"]
        text = written("brainfuck", signs)
        assert text[-1] == "end"
        assert [token for token in text if token.startswith("=")] == [f"={one * other}"]
