"""Parsing: spans, recovery, comments, several statements on a line, unfinished text. Precedence: see test_golden."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rasp.text import tables
from rasp.text.parser import parse_text
from rasp.text.syntax import Assign, Binary, Command


def codes(text: str) -> list[str]:
    return [one.code for one in parse_text(text).diagnostics]


def test_spans_are_what_was_written() -> None:
    (statement,) = parse_text("  x = a +\n (b*2) ;").statements
    assert isinstance(statement, Assign)
    assert statement.span.text == "x = a +\n (b*2) ;"
    (value,) = statement.values
    assert isinstance(value, Binary)
    assert (value.span.text, value.left.span.text, value.right.span.text) == ("a +\n (b*2)", "a", "(b*2)")


@pytest.mark.parametrize(
    "text",
    [
        "x = # why\n 3 # here\n ;",
        "# only a comment",
        "",
        " \n\t",
        "for i in [1] { # nothing\n }",
        "def f(a, # first\n b) { # body\n return a; # done\n } # end",
        "a = 1; b = 2; c = a + b;",
        "x = select (a, b, ==);",
        "x = a != b;",
        'set example "abc"\nx = 1;\nexamples off\nfull seq display on\nexit',
        "set example x\n- 1;",
        "s-op examples off",
    ],
)
def test_is_accepted(text: str) -> None:
    assert codes(text) == []


def test_a_command_ends_with_its_line() -> None:
    first, second = parse_text('set example "abc"\n[1, 2];').statements
    assert isinstance(first, Command)
    assert (str(first), str(second)) == ('(set example "abc")', "(([ (1 , 2) ]) ;)")


@pytest.mark.parametrize("text", ["x = 1", "def f(a) {", "x = [1,", "for i in [1] { x = 1;", "set example", "draw(a"])
def test_is_unfinished(text: str) -> None:
    assert parse_text(text).unfinished


@pytest.mark.parametrize("text", ["x = 1 2", "x = );", "x = 1;;", '"abc', "x = $"])
def test_is_wrong_and_not_unfinished(text: str) -> None:
    parsed = parse_text(text)
    assert parsed.diagnostics
    assert not parsed.unfinished


def test_every_error_is_reported_once() -> None:
    text = "a = 1 +;\nb = 2;\ndef f(x) { y = ;\n return y; }\nc = (3;\nd = 4;\nfor i in { x = 1; }\ne = ];\n"
    lines = [one.span.source.position(one.span.start)[0] for one in parse_text(text).diagnostics if one.span]
    assert lines == [1, 3, 5, 7, 8]


@pytest.mark.parametrize("text", ["x = " + "1 + " * 20_000 + "1;", "x = f" + "(1)" * 5_000 + ";"])
def test_long_chains_are_fine(text: str) -> None:
    assert parse_text(text).diagnostics == []


@pytest.mark.parametrize(
    "text",
    ["(" * 300 + "1" + ")" * 300, "not " * 300 + "1", "[" * 9_000, "{" * 300, "-" * 9_000 + "1"],
)
def test_deep_nesting_is_refused(text: str) -> None:
    assert set(codes(f"x = {text};")) & {"nesting", "syntax"}


def test_at_most_twenty_errors() -> None:
    assert len(codes("x = ;\n" * 1_000)) == 20


def test_stored_tables_are_up_to_date() -> None:
    """If this fails: python -m rasp.text.tables"""
    folder = Path(tables.__file__).parent
    fresh = json.loads(tables.stored((folder / "grammar.lark").read_text("utf-8")))
    assert json.loads((folder / "grammar.json").read_text("utf-8"))["key"] == fresh["key"]


def test_without_stored_tables_the_grammar_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "_key", lambda grammar: "another version")
    tables.load.cache_clear()
    try:
        assert str(parse_text("1 + 2 * 3;").module) == "((1 + (2 * 3)) ;)"
    finally:
        tables.load.cache_clear()
