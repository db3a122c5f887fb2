"""Warnings appear where they help, and nowhere else. Their texts: see diagnostics/warnings.txt."""

from __future__ import annotations

from pathlib import Path

import pytest

import rasp
from rasp.ask.lint import precedence
from rasp.text.parser import parse_text
from rasp.text.syntax import Module


def codes(text: str) -> list[str]:
    return [one.code for one in rasp.parse(text).warnings]


def module_of(expression: str) -> Module:
    module = parse_text(f"x = {expression};").module
    assert module is not None
    return module


@pytest.mark.parametrize(
    "text",
    [
        'x = not tokens == "a";',
        'x = not tokens in ["a"];',
        "x = indices == 0 or indices == 1 and indices == 2;",
        'x = tokens == "a" and tokens in ["a"];',
        'def f(a) { return not a == "b"; }',
        "x = [not i == 1 for i in [1]];",
        "x = 0 < indices < 2;",
        "x = 0 < indices < 2 < 3;",
        "x = indices == length == 2;",
        "x = 1 if indices == 0 else 2 if indices == 1 else 3;",
        "x = 1 if indices == 0 else 2 if indices == 1 else 3 if indices == 2 else 4;",
        "x = 7 % 2 * 3;",
        "x = 7 % 2 / 3 * 4;",
        "x = 2 * indices % 2 * 3;",
        "x = -indices ^ 2;",
        "x = -2 ^ 2;",
        "x = 2 ^ 3 ^ 2;",
        "x = 2 ^ 1 ^ 2 ^ 1;",
        "x = 1 == 1 in [True];",
        'x = "a" in tokens == "a";',
        'x = "a" in ["a"] if 1 == 1 else ["b"];',
        'x = "a" if 1 == 1 else "b" in ["b"];',
    ],
)
def test_precedence_traps(text: str) -> None:
    assert codes(text) == ["precedence"]


@pytest.mark.parametrize(
    "text",
    [
        'x = (not tokens) == "a";',
        'x = not (tokens == "a");',
        "x = (indices == 0 or indices == 1) and indices == 2;",
        "x = indices == 0 and indices == 1 or indices == 2;",
        'x = (tokens == "a") and (tokens in ["a"]);',
        "x = (0 < indices) < 2;",
        "x = 0 < (indices < 2);",
        "x = 0 < indices and indices < 2;",
        "x = 1 if indices == 0 else (2 if indices == 1 else 3);",
        "x = (1 if indices == 0 else 2) if indices == 1 else 3;",
        "x = 1 if (2 if indices == 0 else 3) else 4;",
        "x = 7 % (2 * 3);",
        "x = (7 % 2) * 3;",
        "x = 2 * 7 % 4 % 3 + 1 % 2;",
        "x = (-indices) ^ 2;",
        "x = -(indices ^ 2);",
        "x = 2 ^ -indices;",
        "x = 3 - indices ^ 2;",
        "x = (2 ^ 3) ^ 2;",
        "x = 2 ^ (3 ^ 2);",
        "x = (1 == 1) in [True];",
        'x = ("a" in ["a"]) if 1 == 1 else 0;',
        'x = 1 if "a" in ["a"] else 0;',
        'x = "a" + "b" in ["ab"];',
        "x = aggregate(select(indices, length - 1 - indices, ==), tokens);",
        'x = aggregate(select(indices, indices - 1, ==), tokens, "-");',
        "x = aggregate(select(indices, indices - 1, ==), indices);",
        "x = aggregate(select(indices, 100, ==), tokens);",
    ],
)
def test_no_False_alarm(text: str) -> None:
    assert codes(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "x = aggregate(select(indices, indices - 1, ==), tokens);",
        '#@ vocab: xyz\nx = aggregate(select(tokens, "y", ==) and select(indices, indices, <), tokens + "!");',
        "x = load_from_location(tokens, indices - 1);",
    ],
)
def test_a_missing_default_among_strings(text: str) -> None:
    assert codes(text) == ["missing-default"]


def test_the_witness_is_named() -> None:
    (warning,) = rasp.parse("x = aggregate(select(indices, indices - 1, ==), tokens);").warnings
    assert 'on "he", position 0 selects nothing' in warning.message


@pytest.mark.parametrize(
    ("text", "read", "meant"),
    [
        ("0 < indices < 2", "(0 < indices) < 2", "0 < indices and indices < 2"),
        (
            "1 if True else 2 if False else 3",
            "(1 if True else 2) if False else 3",
            "1 if True else (2 if False else 3)",
        ),
        ("7 % 2 * 3", "7 % (2 * 3)", "(7 % 2) * 3"),
        ("7 % 2 / 3 * 4", "7 % (2 / 3 * 4)", "(7 % 2) / 3 * 4"),
        ("-3 ^ 2", "(-3) ^ 2", "-(3 ^ 2)"),
        ("2 ^ 3 ^ 2", "(2 ^ 3) ^ 2", "2 ^ (3 ^ 2)"),
        ("1 in [1] == True", "1 in ([1] == True)", "(1 in [1]) == True"),
        ("1 in [1] if True else [2]", "1 in ([1] if True else [2])", "(1 in [1]) if True else [2]"),
        ("3 if True else 4 in [4]", "(3 if True else 4) in [4]", "3 if True else (4 in [4])"),
    ],
)
def test_both_readings_are_shown(text: str, read: str, meant: str) -> None:
    (warning,) = precedence(module_of(text))
    assert warning.span is not None
    assert warning.span.text == text
    assert warning.message.endswith(f": this reads `{read}`")
    assert warning.hint is not None
    assert warning.hint.startswith(f"write `{meant}`, ")
    assert str(module_of(text)) == str(module_of(read)) != str(module_of(meant))
    assert precedence(module_of(read)) == precedence(module_of(meant)) == []


def test_a_long_chain_is_told_once() -> None:
    for op in ("<", "^"):
        assert len(precedence(module_of(f" {op} ".join(["1"] * 1000)))) == 1


def test_the_prelude_has_no_traps() -> None:
    text = (Path(rasp.__file__).parent / "running" / "prelude.rasp").read_text("utf-8")
    module = parse_text(text).module
    assert module is not None
    assert precedence(module) == []
