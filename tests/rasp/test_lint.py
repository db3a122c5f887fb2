"""Warnings appear where they help, and nowhere else. Their texts: see diagnostics/warnings.txt."""

from __future__ import annotations

import pytest

import rasp


def codes(text: str) -> list[str]:
    return [one.code for one in rasp.parse(text).warnings]


@pytest.mark.parametrize(
    "text",
    [
        'x = not tokens == "a";',
        'x = not tokens in ["a"];',
        "x = indices == 0 or indices == 1 and indices == 2;",
        'x = tokens == "a" and tokens in ["a"];',
        'def f(a) { return not a == "b"; }',
        "x = [not i == 1 for i in [1]];",
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
        "x = aggregate(select(indices, length - 1 - indices, ==), tokens);",
        'x = aggregate(select(indices, indices - 1, ==), tokens, "-");',
        "x = aggregate(select(indices, indices - 1, ==), indices);",
        "x = aggregate(select(indices, 100, ==), tokens);",
    ],
)
def test_no_false_alarm(text: str) -> None:
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
