"""Witnesses: what a warning says happens when the interpreter runs the input it names."""

from __future__ import annotations

import re

import pytest

import rasp
from compiler.graph.domain import Limits, Setting
from compiler.graph.witness import is_meant, witnesses
from rasp.text.source import RaspError


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


UNMET = "#@ requires: met\nmet = {};\nanswer = tokens;"


def test_a_program_that_means_none_of_a_few_inputs_is_refused() -> None:
    """No table says so: that neither token occurs is impossible only together."""
    none = 'selector_width(select(tokens, "a", ==)) + selector_width(select(tokens, "b", ==)) == 0'
    program = rasp.parse(UNMET.format(none)).replace(vocab="ab", max_length=3)
    with pytest.raises(RaspError, match=r"no input meets `requires` \(met\): all 14 were tried"):
        witnesses(program, Setting(("a", "b"), 3, False))


def test_where_no_input_that_was_tried_is_meant_a_warning_says_so() -> None:
    rare = 'selector_width(select(tokens, "a", ==)) == 8 and length == 8'
    (warning,) = found(UNMET.format(rare))
    assert warning.code == "nothing-meant" and warning.span is not None
    assert "none of the 120 inputs that were tried meets `requires` (met)" in warning.message
    assert found('#@ example: "aaaaaaaa" -> "aaaaaaaa"\n' + UNMET.format(rare)) == [], "what the hint says helps"


def test_all_inputs_are_tried_where_they_are_few() -> None:
    text = 'answer = 1 / (selector_width(select(tokens, "a", ==)) - 6);'
    program = rasp.parse(text).replace(vocab="a", max_length=9)
    (warning,) = witnesses(program, Setting(("a",), 9, False))
    assert "`a a a a a a`" in warning.message
