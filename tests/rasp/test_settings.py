"""The header of a program: `#@ key: value`."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import rasp
from rasp.settings import Example, Settings, token_text
from rasp.text.source import RaspError


def header(*lines: str) -> Settings:
    names = "hits = indices; other = indices; ok = indices == indices;"
    return rasp.parse("\n".join([*(f"#@ {line}" for line in lines), names])).settings


def test_everything() -> None:
    settings = header(
        "output: hits",
        'vocab: "abc"',
        "max_length: 8",
        "attention: causal",
        'example: "ab" -> [0, 1]',
        'example: ["a"] -> [0]',
        "requires: ok",
        'unknown: "?"',
        "generate: hits",
        'stop: "."',
    )
    assert settings == Settings(
        output=("hits",),
        vocab=("a", "b", "c"),
        max_length=8,
        attention="causal",
        examples=(Example(("a", "b"), (0, 1)), Example(("a",), (0,))),
        requires=("ok",),
        unknown="?",
        generate="hits",
        stop=(".",),
    )


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("vocab: abc", "vocab", ("a", "b", "c")),
        ('vocab: ["ab", "c"]', "vocab", ("ab", "c")),
        ("vocab: [1, 2.5, true]", "vocab", (1, Fraction(5, 2), True)),
        ('output: ["hits", "other"]', "output", ("hits", "other")),
        ("output: hits, other", "output", ("hits", "other")),
        ('output: "hits"', "output", ("hits",)),
        ("attention: bidirectional", "attention", "bidirectional"),
        ("unknown: ?", "unknown", "?"),
        ("generate: true", "generate", True),
        ("stop: [1, 2]", "stop", (1, 2)),
        ('vocab: "§é"', "vocab", ("§", "é")),
        ("example: ab -> ba", "examples", (Example(("a", "b"), ("b", "a")),)),
        ('example: "a->" -> [1, 2.0, true]', "examples", (Example(("a", "-", ">"), (1, Fraction(2), True)),)),
        ('example: "a" -> {"hits": [0]}', "examples", (Example(("a",), {"hits": (0,)}),)),
    ],
)
def test_values(line: str, field: str, value: Any) -> None:
    assert getattr(header(line), field) == value


@pytest.mark.parametrize(
    "line",
    [
        "vocab: []",
        'vocab: ["1", 1]',
        'vocab: ["2.0", 2.0]',
        "vocab: [[1]]",
        "vocab: 3",
        "max_length: 0",
        "max_length: 2.5",
        "max_length: true",
        "max_length: 99999999999",
        "attention: sideways",
        "output: nowhere",
        "output: 3",
        "output: []",
        "output: sort",
        "requires: nowhere",
        'example: "ab"',
        'example: "ab" -> "a"',
        'example: "" -> ""',
        'example: "a" -> "b" "c"',
        "colour: red",
        "vocab:",
        "vocab",
        'vocab: "a" "b"',
        'vocab: ["a"',
        "vocab: " + "[" * 5_000,
        r'vocab: ["\ud800"]',
        r'unknown: "\udfff"',
    ],
)
def test_what_is_wrong_is_refused_with_its_place(line: str) -> None:
    with pytest.raises(RaspError) as caught:
        header(line)
    assert [one.span is not None for one in caught.value.diagnostics] == [True]


def test_an_example_fits_the_maximum_length() -> None:
    with pytest.raises(RaspError, match="longer than the maximum"):
        header("max_length: 2", 'example: "abc" -> "abc"')


def test_overrides_are_checked_like_a_header() -> None:
    program = rasp.parse("#@ vocab: ab\nx = indices; y = indices + 1;")
    assert program.replace(vocab="xyz", max_length=3, output="x").settings.vocab == ("x", "y", "z")
    assert program.replace(vocab=None).settings.vocab == ("a", "b")
    assert program.replace(output=["x", "y"]).outputs == ("x", "y")
    assert program.replace(attention="causal")["x"]("ab") == [0, 1]
    assert program.outputs == ("y",)
    for wrong in ({"vocab": ["1", 1]}, {"max_length": 0}, {"output": "nowhere"}, {"attention": "x"}, {"colour": 1}):
        with pytest.raises(RaspError):
            program.replace(**wrong)


@pytest.mark.parametrize(("value", "text"), [(1, "1"), (Fraction(2), "2.0"), (True, "True"), ("a", "a")])
def test_token_text(value: Any, text: str) -> None:
    assert token_text(value) == text


@pytest.mark.parametrize(
    ("lines", "given", "wanted"),
    [
        (['vocab: ["1", "2"]'], [1, 2], ["1", "2"]),
        (["vocab: [1, 2]"], "12", [1, 2]),
        (["vocab: [1, 1.0]"], [1.0, "1", 1], [Fraction(1), 1, 1]),
        (["vocab: [true, false]"], ["True", False], [True, False]),
        (['vocab: "ab"'], "abz", ["a", "b", "z"]),
        (['vocab: "ab"', "unknown: b"], "azb", ["a", "b", "b"]),
        (['vocab: "ab"', "unknown: x"], "axz", ["a", "x", "z"]),
        (["max_length: 4"], [1, "1", 1.0], [1, "1", Fraction(1)]),
    ],
)
def test_a_token_is_the_one_of_the_vocabulary_with_its_text(lines: list[str], given: Any, wanted: list[Any]) -> None:
    found = header(*lines).read(given)
    assert [(type(token), token) for token in found] == [(type(token), token) for token in wanted]


@pytest.mark.parametrize("given", ["", 5, [None], [float("inf")], [[1]]])
def test_what_is_no_input_is_none_with_a_vocabulary_either(given: Any) -> None:
    with pytest.raises(RaspError, match="an input"):
        header('vocab: "ab"').read(given)


@pytest.mark.parametrize(
    ("vocabulary", "value", "wanted"),
    [
        ("01", 1, "1"),
        ([0.5, 1.0], 1, Fraction(1)),
        ([True, False], 1, True),
        ([1, 1.0], 1, 1),
        ([1, 2], True, 1),
        ("ab", 1, None),
        (["0.5"], Fraction(1, 2), "0.5"),
        (["T"], True, None),
    ],
)
def test_an_answer_is_the_token_that_is_spelled_like_it(vocabulary: Any, value: Any, wanted: Any) -> None:
    found = Settings().replace(vocab=vocabulary).token(value)
    assert (type(found), found) == (type(wanted), wanted)


def test_a_decimal_token_is_the_one_that_its_text_spells() -> None:
    token = Fraction("0.12345678901234568")
    assert header("vocab: [0.1234567890123456789, 1e16, 1]").vocab == (token, Fraction(10**16), 1)
    assert Settings().replace(vocab=[0.1234567890123456789]).vocab == (token,)


@pytest.mark.parametrize("key", ["vocab", "stop", "unknown"])
def test_a_number_beyond_floats_is_no_token(key: str) -> None:
    value = "1e400" if key == "unknown" else "[1e400, 1]"
    with pytest.raises(RaspError, match="is a number that is too large"):
        header(f"{key}: {value}")


@pytest.mark.parametrize("examples", ["ab", [1], [("ab",)], [("a", "b", "c")]])
def test_an_example_of_a_caller_is_an_input_with_its_answer(examples: Any) -> None:
    with pytest.raises(RaspError, match="an example is an input with its answer"):
        Settings().replace(example=examples)


def test_settings_given_with_a_file_stand_in_for_wrong_lines_of_its_header(tmp_path: Path) -> None:
    path = tmp_path / "mine.rasp"
    path.write_text('#@ output: nobody\n#@ vocab: "aa"\nx = indices;\n')
    program = rasp.load(path, output="x", vocab="ab", max_length=None)
    assert (program.outputs, program.settings.vocab, program["x"]("ab")) == (("x",), ("a", "b"), [0, 1])
    with pytest.raises(RaspError, match="two tokens of the vocabulary"):
        rasp.load(path, output="x")
    with pytest.raises(RaspError, match="`output` names `nobody`"):
        rasp.load(path, vocab="ab")
    with pytest.raises(RaspError, match="`output` names `nothing`"):
        rasp.load(path, vocab="ab", output="nothing")


def test_a_program_is_iterated_by_what_it_binds() -> None:
    assert list(rasp.parse("x = 1; def f(a) { return a; } y = indices;")) == ["x", "f", "y"]
