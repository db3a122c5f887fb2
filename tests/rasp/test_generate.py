"""Generation by the interpreter: what decoders write, against Python's own arithmetic and machines."""

from __future__ import annotations

import random
from collections import defaultdict

import pytest

import rasp
from rasp import Program, RaspError
from tests.places import PROGRAMS

DECODERS = PROGRAMS / "decoders"


def written(name: str, prompt: str, max_tokens: int | None = None) -> str:
    return "".join(map(str, rasp.load(DECODERS / f"{name}.rasp").generate(prompt, max_tokens)))


def parsed(source: str, vocab: object = "abc.", max_length: int | None = 8) -> Program:
    return rasp.parse(source).replace(vocab=vocab, max_length=max_length, attention="causal")


@pytest.mark.parametrize("seed", range(20))
def test_sums_are_those_of_arithmetic(seed: int) -> None:
    rng = random.Random(seed)
    width = rng.randint(1, 4)
    a, b = rng.randrange(10**width), rng.randrange(10**width)
    if seed % 2:  # sums of 9 pass a carry on
        b = 10**width - 1 - a + rng.randint(0, 1) * (a > 0)
    assert written("addition", f"{a:0{width}}+{b:0{width}}=") == f"{a + b:0{width + 1}}."


RULES = {
    ("a", 0): (1, 1, "b"),
    ("a", 1): (1, 1, "h"),
    ("b", 0): (0, 1, "c"),
    ("b", 1): (1, 1, "b"),
    ("c", 0): (1, -1, "c"),
    ("c", 1): (1, -1, "a"),
}


def busy_beaver(width: int, at: int) -> str:
    """The tapes after each step of the machine, started on an empty tape."""
    tape: dict[int, int] = defaultdict(int)
    state, blocks = "a", []
    while state != "h":
        tape[at], step, state = RULES[state, tape[at]]
        at += step
        cells = ["01"[tape[place]] for place in range(width)]
        cells[at] = state.upper() if tape[at] else state
        blocks.append("".join(cells))
    return "|".join(blocks) + "."


@pytest.mark.parametrize(("width", "at"), [(6, 1), (7, 1), (7, 2)])
def test_the_turing_machine_writes_its_tape(width: int, at: int) -> None:
    expected = busy_beaver(width, at)
    assert expected.count(".") == 1 and len(expected) == 14 * (width + 1)
    tape = "0" * at + "a" + "0" * (width - at - 1)
    assert written("turing_machine", tape + "|", 200) == expected


@pytest.mark.parametrize(
    ("name", "prompt", "expected"),
    [
        ("copy", "bad|", "bad."),
        ("reverse", "bad|", "dab."),
        ("sort", "bad|", "abd."),
        ("count_up", "4", ":1234."),
        ("close_brackets", "([", "])."),
        ("repeat_aab", "aab", "aabaabaabaab"),
        ("fibonacci_digits", "11", "235831459437"),
        ("induction", "abcab", "cabcabcabcab"),
    ],
)
def test_what_decoders_write(name: str, prompt: str, expected: str) -> None:
    assert written(name, prompt, 12) == expected


def test_words_are_tokens_too() -> None:
    lights = rasp.load(DECODERS / "traffic_light.rasp")
    assert lights.generate(["red"], 4) == ["yellow", "green", "yellow", "red"]


def test_each_token_is_given_as_soon_as_it_is_known() -> None:
    tokens = parsed("next = tokens;").stream("ab", 10**9)
    assert [next(tokens), next(tokens)] == ["b", "b"]


def test_without_a_number_it_writes_what_a_model_of_that_length_can() -> None:
    program = parsed("next = tokens;")
    assert program.generate("abc") == ["c"] * 6
    assert program.generate("abc", 20) == ["c"] * 20
    assert len(parsed("next = tokens;", max_length=None).generate("abc")) == 14


def test_a_prompt_beyond_the_declared_length_needs_a_number() -> None:
    program = parsed("next = tokens;")
    with pytest.raises(RaspError, match="the prompt has 9 tokens, the program is for 8"):
        program.generate("abcabcabc")
    assert program.generate("abcabcabc", 1) == ["c"]


def test_it_ends_with_a_stop_token() -> None:
    program = parsed('#@ stop: "c"\nnext = {"a": "b", "b": "c", "c": "a", ".": "."}[tokens];')
    assert program.generate("a") == ["b", "c"]


def test_a_stop_token_need_not_be_in_the_vocabulary() -> None:
    source = 'next = {"a": "b", "b": "", "c": "d", ".": "."}[tokens];'
    assert parsed('#@ stop: ""\n' + source).generate("a") == ["b", ""]
    with pytest.raises(RaspError, match='next token, "" at position 2, is not in the vocabulary'):
        parsed(source).generate("a")


def test_without_a_vocabulary_every_value_is_a_token() -> None:
    program = rasp.parse("#@ attention: causal\nnext = tokens_int * 2;")
    assert program.generate([1], 5) == [2, 4, 8, 16, 32]


def test_the_output_that_is_meant() -> None:
    source = '#@ output: first\n#@ generate: second\nfirst = tokens;\nsecond = shift(tokens, 1, "c");\n'
    program = parsed(source)
    assert program.generate("ab", 3) == ["a", "b", "a"]
    assert program.generate("ab", 3, "first") == ["b"] * 3
    assert parsed(source.replace("generate: second", "generate: true")).generate("ab", 3) == ["b"] * 3


def test_what_does_not_generate() -> None:
    with pytest.raises(RaspError, match="bidirectional"):
        rasp.parse("next = tokens;").generate("a")
    with pytest.raises(RaspError, match="selector"):
        parsed("s = select(tokens, tokens, ==);").generate("a", 1, "s")
    with pytest.raises(RaspError, match="has no `nxt`"):
        parsed("next = tokens;").generate("a", 1, "nxt")
    with pytest.raises(RaspError, match="at least one token"):
        parsed("next = tokens;").generate("")
    with pytest.raises(RaspError):
        parsed("s = select(tokens, tokens, ==);").generate("a", 1)
