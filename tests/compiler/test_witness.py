"""Witnesses: what a warning says happens when the interpreter runs the input it names."""

from __future__ import annotations

import re

import pytest

import rasp
from compiler.domain import Limits, Setting
from compiler.witness import is_meant, witnesses
from rasp.source import RaspError


def found(text: str, **limits: int) -> list[rasp.Diagnostic]:
    program = rasp.parse(text).replace(vocab="ab", max_length=8)
    return witnesses(program, Setting(("a", "b"), 8, False, Limits(**limits)))


def test_an_input_without_an_answer_is_shown_with_the_position_and_the_place() -> None:
    text = 'answer = 1 / (length - 1) if tokens == "a" else 0;'
    (warning,) = found(text)
    tokens = re.search(r"the input `(.*?)`: at position (\d+)", warning.message)
    assert tokens is not None and warning.span is not None
    with pytest.raises(RaspError) as caught:
        rasp.parse(text)["answer"].exact(tokens[1].split(" "))
    assert caught.value.diagnostics[0].message in warning.message
    there = caught.value.diagnostics[0].span
    assert there is not None and (there.start, there.end) == (warning.span.start, warning.span.end)


def test_each_kind_of_failure_is_shown_once() -> None:
    text = """
    #@ output: first, second
    first = 1 / (length - 1);
    second = {"a": 1}[tokens];
    """
    assert sorted(warning.code for warning in found(text)) == ["index", "undefined"]


def test_a_program_that_always_answers_has_none() -> None:
    assert found("answer = aggregate(select(indices, length - 1 - indices, ==), tokens);") == []


def test_a_program_that_never_answers_is_refused() -> None:
    with pytest.raises(RaspError, match="no answer on any"):
        found("answer = 1 / (length - length);")


def test_inputs_that_are_not_meant_are_no_witnesses() -> None:
    text = 'inside = tokens != "b";\nanswer = {"a": 1}[tokens];'
    assert [warning.code for warning in found(text)] == ["index"]
    assert found("#@ requires: inside\n" + text) == []
    program = rasp.parse("#@ requires: inside\n" + text)
    assert is_meant(program, "aa") and not is_meant(program, "ab")


def test_how_many_inputs_are_tried_is_a_setting() -> None:
    text = "answer = 1 / (length - 7);"
    assert [warning.code for warning in found(text)] == ["undefined"]
    assert found(text, tried_length=6) == []
