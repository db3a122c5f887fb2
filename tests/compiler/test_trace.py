"""A trace decodes every variable from the stream alone, and shows where a damaged weight first tells."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import compiler
import rasp
from compiler.observe.trace import trace
from compiler.pipeline import Compiled
from compiler.programs.library import Entry, library
from tests.places import BASICS


@pytest.fixture
def reverse() -> Compiled:
    return compiler.compile(rasp.load(next(path for path in BASICS if path.stem == "reverse")))


@pytest.mark.parametrize("path", BASICS, ids=lambda path: path.stem)
@pytest.mark.parametrize("tokens", ["a", "hgfedcba", "abababab", "hhhhhhhhhhhhhhhh"])
def test_every_variable_of_every_program_is_read_off_the_stream(path: Path, tokens: str) -> None:
    made = compiler.compile(rasp.load(path))
    found = made.trace(tokens)
    assert found.ok, str(found)
    named = {row.name for row in found.rows}
    assert set(made.program.outputs) <= named
    for row in found.rows:
        assert row.expected == made.program[row.name](tokens)
        assert any(values is not None for values in row.found)


@pytest.mark.slow
@pytest.mark.parametrize("entry", [*library()], ids=lambda entry: entry.name)
def test_every_variable_of_the_library_is_what_the_interpreter_says(entry: Entry) -> None:
    made = compiler.compile(entry.program)
    for example in made.program.settings.examples[:3]:
        assert made.trace(example.input).ok, str(made.trace(example.input))


def test_a_count_that_is_only_looked_for_is_no_variable_of_the_stream() -> None:
    """The head says whether there is one: 1, not how many. That is not what the program calls `bigger`."""
    text = "bigger = selector_width(select(tokens, tokens, >)); top = aggregate(select(bigger, 0, ==), tokens);"
    made = compiler.compile(rasp.parse(text), vocab="abc", max_length=6)
    found = made.trace("bca")
    assert found.ok and [row.name for row in found.rows] == ["tokens", "top"]
    assert "bigger" not in [one["name"] for one in made.model.labels["variables"]]


def test_a_variable_is_there_from_its_layer_on_and_not_before(reverse: Compiled) -> None:
    found = reverse.trace("abc")
    length = next(row for row in found.rows if row.name == "length")
    assert found.steps == ["embedding", "L0 attention", "L0 MLP", "L1 attention", "L1 MLP"]
    assert length.found == [None, [3, 3, 3], [3, 3, 3], [3, 3, 3], [3, 3, 3]]


def test_a_trace_works_on_a_loaded_model(reverse: Compiled, tmp_path: Path) -> None:
    reverse.save(tmp_path / "saved")
    found = trace(compiler.load(tmp_path / "saved"), reverse.program, "abc")
    assert found == reverse.trace("abc")


def test_a_damaged_head_is_seen_from_its_layer_on(reverse: Compiled) -> None:
    with torch.no_grad():
        reverse.model.blocks[0].attn.W_O.mul_(2)
    found = reverse.trace("abc")
    assert not found.ok
    assert {row.name for row in found.rows if not row.agrees} == {"length", "reverse"}


def test_the_text_is_a_table_with_a_row_a_variable(reverse: Compiled) -> None:
    found = reverse.trace("abc")
    head, *rows = str(found).splitlines()
    assert head.split(" | ")[0].strip() == "variable"
    assert [line.split(" | ")[0].strip() for line in rows] == [row.name for row in found.rows]


def test_a_token_outside_the_vocabulary_is_a_clear_mistake(reverse: Compiled) -> None:
    with pytest.raises(compiler.ModelError, match='"z"'):
        reverse.trace("az")


def test_causal_variables_are_the_causal_interpreter_s() -> None:
    source = (
        "seen = selector_width(select(tokens, tokens, ==));\nlast = aggregate(select(indices, length - 1, ==), tokens);"
    )
    made = compiler.compile(rasp.parse(source), "last", vocab="ab", max_length=6, attention="causal")
    assert made.trace("abba").ok


@pytest.mark.parametrize("name", ["decoders/sort", "double_histogram", "paper/most_frequent", "paper/dyck_2_ptf"])
def test_counts_that_carry_an_offset_are_read_past_it(name: str) -> None:
    """Whether it is taken away by the layer's MLP or, where nobody reads the count later, stays in the stream."""
    program = rasp.load(f"programs/{name}.rasp")
    tokens = program.settings.examples[0].input
    found = compiler.compile(program).trace(tokens)
    assert found.rows
    assert found.ok, str(found)


KEPT_BY_VALUE = {"double_histogram": "first", "decoders/addition": "equals_seen", "words/abbreviation": "is_initial"}
"""Variables that are only asked for one of their values."""


@pytest.mark.parametrize("name", KEPT_BY_VALUE)
def test_a_variable_that_is_kept_by_value_is_decoded_too(name: str) -> None:
    program = rasp.load(f"programs/{name}.rasp")
    found = compiler.compile(program).trace(program.settings.examples[0].input)
    [row] = [row for row in found.rows if row.name == KEPT_BY_VALUE[name]]
    assert row.expected in row.found and row.agrees


def test_a_variable_with_a_column_for_each_value_is_decoded() -> None:
    program = rasp.load("programs/languages/parity.rasp")
    found = compiler.compile(program, max_length=8).trace("101101")
    [row] = [row for row in found.rows if row.name == "indices"]
    assert row.expected == [0, 1, 2, 3, 4, 5]
    assert row.found[0] == row.expected


def test_what_a_name_held_for_a_while_is_shown_too() -> None:
    text = """
    best = 0;
    for letter in ["a", "b"] {
        seen = selector_width(select(indices, indices, <=) and select(tokens, letter, ==));
        best = max(seen, best);
    }
    """
    rows = {
        row.name: row for row in compiler.compile(rasp.parse(text), "best", vocab="ab", max_length=8).trace("abb").rows
    }
    assert rows["seen.1"].expected == [1, 1, 1]  # of a
    assert rows["seen"].expected == [0, 1, 2]  # of b, the last one
    assert all(row.agrees for row in rows.values())


def test_decoded_values_are_of_the_kinds_that_the_program_prints() -> None:
    text = """
    mean = aggregate(select(indices, indices, <=), indices);
    truth = tokens == "a";
    fetched = aggregate(select(indices, length - 1 - indices, ==), truth);
    sure = aggregate(select(indices, length - 1 - indices, ==), truth, False);
    """
    made = compiler.compile(rasp.parse(text), output=["mean", "truth", "fetched", "sure"], vocab="ab", max_length=3)
    rows = {row.name: row for row in made.trace("abb").rows}
    assert repr(rows["mean"].found[-1]) == repr(rows["mean"].expected) == "[0, 0.5, 1]"
    assert repr(rows["fetched"].found[-1]) == repr(rows["fetched"].expected) == "[0, 0, 1]"
    assert repr(rows["sure"].found[-1]) == repr(rows["sure"].expected) == "[False, False, True]"
