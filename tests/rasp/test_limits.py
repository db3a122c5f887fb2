"""Limits instead of hangs: bounded time, bounded memory, an error that says what was too much. And fuzzing."""

from __future__ import annotations

import random
import time
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rasp
from rasp.console.console import Console
from rasp.console.session import Session
from rasp.text.source import RaspError
from tests.places import BASICS

ENDLESS = [
    "def f(x) { return f(x + 1); } y = f(1);",
    "def f(n) { return 0 if n == 0 else f(n - 1) + 1; } x = f(indices);",
    "def fib(n) { return n if n < 2 else fib(n - 1) + fib(n - 2); } x = fib(40);",
    "x = range(10 ^ 9);",
    "x = range(10 ^ 30);",
    "x = [i for i in range(1000000)];",
    "x = (10 ^ 10) ^ (10 ^ 10);",
    'x = "a" * 10 ^ 9;',
    "x = [1] * 10 ^ 9;",
    "x = [1]; for i in range(1000) { x = x + x; }",
    "x = 2; for i in range(100000) { x = x * x; }",
    "x = 1 / 3; for i in range(10000) { x = x * x + 1 / 7; }",
    "x = []; y = []; for i in range(90000) { x = [x]; y = [y]; } z = x == y; w = [x, 1] < [y, ab];",
    "for i in range(90000) { for j in range(90000) { x = 1; } }",
    'x = tokens("a" * 60000);',
    "y = [[[[1 for a in range(100)] for b in range(100)] for c in range(100)] for d in range(100)];",
    "x = " + "9" * 5_000 + ";",
    # each within its limits, but not together
    "".join(f"x{i} = range(100000);\n" for i in range(400)),
    "y = range(90000);" + "".join(f"x{i} = y + [{i}];\n" for i in range(400)),
    's = "ab" * 30000; ' + "".join(f'x{i} = [s + "c" for j in range(4000)];\n' for i in range(200)),
    "d = {j: j for j in range(90000)};" + "".join(f"x{i} = d[indices + {i}];" for i in range(300)),
    "d = range(90000);" + "".join(f"x{i} = (indices + {i}) in d;" for i in range(300)),
    # what walks a list takes its length
    "d = range(90000); for i in range(10000) { x = -1 in d; }",
    "d = range(90000); e = range(90000); for i in range(10000) { x = d == e; }",
    "d = range(90000); e = range(90000); for i in range(10000) { x = d < e; }",
    "x = [[1, 2], [1, 3]]; y = [x, x]; for i in range(90000) { z = y == [x, x] and y == [x, y]; }",
    "d = range(90000); x = zip(d, d, d, d, d, d, d, d, d, d);",
    "for i in range(90000) { for j in range(90000) {\n# nothing\n} }",
    # what an application holds
    "x = indices; for i in range(20000) { x = x + 1; } " + 'y = x("ab" * 3000);' * 9,
    "x = tokens; for i in range(16) { x = x + x; } " + 'y = x("ab" * 50);' * 500,
    "x = 1 / (indices + 3); y = aggregate(select(indices, indices, <=), x); " + 'z = y("ab" * 3000);',
    # the text itself
    "x = 1;\n" * 30_000,
    "#" * 2_000_000,
    "#@" + " " * 100_000,
    "#@ vocab: a" + " " * 100_000 + "b",
    "#@ output: a" + " " * 100_000 + "-",
    "#@ output: " + "a ," * 100_000 + " -",
    "#@ vocab: [1e99999999, 1]",
    "#@ vocab: [1e-99999999, 1]",
    "#@ vocab: [1e400, 1]",
    "#@ example: [1e" + "9" * 100_000 + "] -> [1]",
    "#@ vocab: [" + "9" * 4_200 + "]",
    '#@ example: "ab" -> "ab"\n' * 20_000,
]


@pytest.mark.parametrize("text", ENDLESS)
def test_ends_with_an_error(text: str) -> None:
    started = time.process_time()
    with pytest.raises(RaspError):
        rasp.parse(text)
    assert time.process_time() - started < 10


def test_memory_stays_bounded() -> None:
    tracemalloc.start()
    for text in [ENDLESS[5], ENDLESS[9], ENDLESS[11], "x = [1]; y = [x * 99999 for i in range(99999)];"]:
        with pytest.raises(RaspError):
            rasp.parse(text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 300 << 20


@pytest.mark.parametrize(
    "text",
    [
        "#@ vocab: [1e300, 1e-300, " + "9" * 4_000 + "]",
        "d = range(1000); x = [d[i] for i in range(1000)];",
        "def f(n) { return 1 if n == 0 else n * f(n - 1); } x = f(900);",
        "def f(x) { return [x, x]; } x = 1; y = 1; for i in range(500) { x = f(x); y = f(y); } z = x == y;",
        "x = indices" + " + indices" * 5_000 + ";",
        "x = indices" + " if indices else indices" * 2_000 + ";",
        "x = 10 ^ 10 ^ 10;",
    ],
)
def test_large_but_fine(text: str) -> None:
    rasp.parse(text)


def test_behind_many_errors_the_rest_is_not_run_and_nothing_more_said() -> None:
    text = "".join(f"x{i} = y{i};\n" for i in range(1_000)) + "z = indices;\n#@ output: z"
    with pytest.raises(RaspError) as caught:
        rasp.parse(text)
    assert [one.code for one in caught.value.diagnostics] == ["unknown-name"] * 20


def test_a_long_input_is_refused_before_memory_is_taken() -> None:
    program = rasp.parse("s = select(tokens, tokens, ==); x = selector_width(s);")
    assert program["x"]("ab" * 1_000)[:2] == [1_000, 1_000]
    for name in ("s", "x"):
        started = time.process_time()
        with pytest.raises(RaspError, match="too much memory"):
            program[name]("ab" * 100_000)
        assert time.process_time() - started < 5


def test_a_console_counts_the_steps_of_what_was_entered_together() -> None:
    lines: list[str] = []
    session = Session(Console(lines.append))
    for _ in range(15):
        session.line("x = range(90000); x = 1;")
    assert not any("too-long" in line for line in lines)
    session.line("x = range(90000);" * 15)
    assert any("too-long" in line for line in lines)


_MORE_WORDS = """
x y f tokens indices length sort select( aggregate( range( zip( len( round( indicator( 1 2.5 True
( ) [ ] { } , ; : = == != < > <= >= + - * / % ^ not and or in if else def for return
load draw set example show s-op exit # #@ "a" "b" "" 0
"""
WORDS = ["\n", *_MORE_WORDS.split()]


@settings(max_examples=300)
@given(st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join))
def test_any_words_give_a_program_or_a_rasp_error(text: str) -> None:
    survives(text)


@settings(max_examples=200)
@given(st.one_of(st.text(max_size=60), st.binary(max_size=60).map(lambda data: data.decode("latin-1"))))
def test_any_text_gives_a_program_or_a_rasp_error(text: str) -> None:
    survives(text)


PROGRAMS = [
    *(path.read_text("utf-8") for path in BASICS),
    "def f(a, b) { c = a + b; for i in range(3) { c = c + i; } return c, a; }\nx, y = f(indices, 2);\n",
    'a = [i * j for i, j in zip([1, 2], [3, 4])];\nb = "abc"[indices % 3] in ["a"];\nc = tokens[-1];\n',
    'd = indices("abc");\nz = {1: d, 2: indices}[1];\nu = {k: v for k, v in ["ab", "cd"]}[tokens];\n',
]


@settings(max_examples=300)
@given(st.integers(0, 2**32))
def test_mutated_programs_give_a_program_or_a_rasp_error(seed: int) -> None:
    chance = random.Random(seed)
    text = chance.choice(PROGRAMS)
    for _ in range(chance.randint(1, 6)):
        at, other = chance.randrange(len(text) + 1), chance.choice(PROGRAMS)
        start = chance.randrange(len(other))
        piece = chance.choice(["", chance.choice(WORDS), other[start : start + chance.randint(1, 20)]])
        text = text[:at] + piece + text[at + chance.randint(0, 8) :]
    survives(text)


def survives(text: str) -> None:
    try:
        program = rasp.parse(text)
        assert isinstance(rasp.render(program.warnings), str)
        for name in program.outputs:
            program[name]("ab")
    except RaspError as problem:
        str(problem)


@pytest.mark.parametrize("text", ['"" * (10 ^ 29)', '"ab" * (-(10 ^ 29))', '(10 ^ 29) * ""'])
def test_a_string_as_often_as_no_machine_counts_is_empty(text: str) -> None:
    program = rasp.parse(f"x = tokens if indices < 0 else {text}; y = tokens * (-(10 ^ 29));")
    assert program["x"]("ab") == program["y"]("ab") == ["", ""]
