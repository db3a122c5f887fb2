"""Values of several kinds in one s-op: what an input does to one of them says nothing about the others."""

from __future__ import annotations

from typing import Any

import pytest

import compiler
import rasp
from compiler.trust.compare import check
from compiler.trust.verify import verify_model
from tests.inputs import every

HEADER = "#@ output: x\n#@ vocab: {vocab}\n#@ max_length: {n}\n"
AT_FIRST = 'select(tokens, "b", ==) and select(indices, 0, ==)'

PROGRAMS = {
    "a number beside a string that some inputs fetch": (
        '"ab"',
        4,
        f"d = aggregate({AT_FIRST}, tokens, 0); e = 5 if indices == 0 else d; x = aggregate(full_s, e);",
    ),
    "tokens as they are": ('["a", 1, 2]', 4, "x = aggregate(full_s, tokens_asis);"),
    "fractions and strings": (
        '"abc"',
        4,
        't = {"a": "a", "b": 1, "c": 0.5}; x = aggregate(select(indices, indices, <=), t[tokens]);',
    ),
    "a function of such a mean": (
        '["a", 1, 2]',
        4,
        'm = aggregate(full_s, tokens_asis); x = "text" if m == "a" else "half" if m == 3 / 2 else "-";',
    ),
    "such a mean, compared with others": (
        '["a", 1, 2]',
        3,
        "m = aggregate(select(indices, indices, <=), tokens_asis); x = selector_width(select(m, m, ==));",
    ),
    "a mean of such means": (
        '["a", 1, 2]',
        3,
        "m = aggregate(select(indices, indices, <=), tokens_asis); x = aggregate(full_s, m);",
    ),
    "a default that is a string": ("[0, 1, 2]", 4, 'x = aggregate(select(tokens_int, 1, <), tokens_int, "z");'),
    "bools beside numbers": (
        "[0, 1, 2]",
        4,
        "b = (indices == 0) if tokens_int == 0 else tokens_int; x = aggregate(full_s, b);",
    ),
    "a string times a whole number that may be a fraction": (
        '"abc"',
        4,
        f"first = aggregate({AT_FIRST}, tokens, 2); x = first * aggregate(select(tokens, tokens, ==), indices);",
    ),
    "a string times what is a fraction elsewhere": (
        '"abc"',
        3,
        "m = aggregate(select(tokens, tokens, ==), indices); x = tokens * m;",
    ),
    "cases that may select several equal numbers": (
        '["a", 2, 3]',
        4,
        's = select(tokens, 2, ==) or select(tokens, "a", ==); x = aggregate(s, tokens_asis);',
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("attention", ["bidirectional", "causal"])
def test_every_input_with_an_answer_gets_it(name: str, attention: str) -> None:
    vocab, n, text = PROGRAMS[name]
    program = rasp.parse(HEADER.format(vocab=vocab, n=n) + text.replace("; ", ";\n")).replace(attention=attention)
    compiled = compiler.compile(program)
    wrong = [(tokens, *both) for tokens in _inputs(program) if (both := _both(program, compiled, tokens)) is not None]
    assert wrong == []
    assert sum(_answer(program, tokens) is not None for tokens in _inputs(program)) > 10
    assert check(compiled, samples=50).differences == []
    verdict = verify_model(compiled.model)
    assert verdict.ok and verdict.tried is not None and verdict.tried.every


def _inputs(program: rasp.Program) -> list[tuple[Any, ...]]:
    vocabulary, longest = program.settings.vocab, program.settings.longest
    assert vocabulary is not None
    return list(every(vocabulary, longest))


def _answer(program: rasp.Program, tokens: tuple[Any, ...]) -> list[Any] | None:
    try:
        return program["x"](tokens)
    except rasp.RaspError:
        return None


def _both(program: rasp.Program, compiled: compiler.Compiled, tokens: tuple[Any, ...]) -> tuple[Any, Any] | None:
    expected = _answer(program, tokens)
    found = compiled.model.run(tokens)
    return None if expected is None or expected == found else (expected, found)


@pytest.mark.parametrize("outputs", [["x", "y"], ["y", "x"]])
@pytest.mark.parametrize(
    "text",
    [
        'y = 1 if aggregate(full_s, tokens) == "a" else 0; x = aggregate(full_s, 1 if tokens == "a" else 0);',
        'y = {"a": 1, "b": 0}[aggregate(full_s, tokens)]; x = aggregate(full_s, {"a": 1, "b": 0}[tokens]);',
    ],
)
def test_an_output_is_right_where_another_one_has_no_answer(text: str, outputs: list[str]) -> None:
    program = rasp.parse('#@ vocab: "ab"\n#@ max_length: 4\n' + text.replace("; ", ";\n")).replace(output=outputs)
    compiled = compiler.compile(program)
    for tokens in _inputs(program):
        assert compiled.model.run(tokens, "x") == pytest.approx(program["x"](tokens), abs=0)
    assert check(compiled, samples=50).differences == []


def test_a_string_that_no_key_can_have_is_no_hindrance_to_verification() -> None:
    text = (
        '#@ vocab: ["(", "", ")"]\n#@ max_length: 4\n#@ attention: causal\n#@ requires: meant\n#@ output: x\n'
        'x = aggregate(select_next_identical(indices * 0), {"(": "a", "": False, ")": True}[tokens], 0);\n'
        "meant = tokens_bool;"
    )
    assert verify_model(compiler.compile(rasp.parse(text)).model).problem == ""
