"""What heads and columns are called: after the program's own names wherever there is one near."""

from __future__ import annotations

import re

import pytest

import compiler
import rasp
from compiler.model import Transformer


def model(text: str) -> Transformer:
    return compiler.compile(rasp.parse(text), vocab="abc", max_length=4).model


def heads(found: Transformer) -> list[str]:
    return [head["name"] for layer in found.labels["layers"] for head in layer["heads"]]


def test_a_name_that_is_bound_again_in_a_loop_counts_on() -> None:
    text = """
        past, total = select(indices, indices, <=), 0;
        for token in ["a", "b"] {
            seen = selector_width(past and select(tokens, token, ==));
            total = total + (1 if seen > 1 else 0);
        }
        o = total;
    """
    assert heads(model(text)) == ["seen.1", "seen"]


def test_members_of_a_list_and_of_a_dictionary_have_their_place_in_it() -> None:
    found = model('x = [count(tokens, "a"), count(tokens, "b")];\no = x[0] if x[1] > 1 else 7;')
    assert sorted(heads(found)) == ["x[0]", "x[1]"]
    assert heads(model('x = {"k": count(tokens, "a")};\no = x["k"] + 1;')) == ['x["k"]']


def test_names_inside_of_functions_are_names() -> None:
    text = (
        "def doubled(s) { width = selector_width(s); return width + width; }\no = doubled(select(tokens, tokens, ==));"
    )
    assert heads(model(text)) == ["doubled.width"]


def test_what_has_no_name_is_called_after_what_it_is_for() -> None:
    text = (
        "wide = select(tokens, tokens, ==) and select(indices, indices, <=) and not select(indices, 1, ==);\n"
        "o = selector_width(wide and select(tokens, 'a', !=)) > 1;"
    ).replace("'", '"')
    assert heads(model(text)) == ["selector_width in o"]


def test_a_program_knows_what_its_nodes_were_called() -> None:
    program = rasp.parse("x = indices + 1;\nx = x + 1;\ny = [x, x * 2];")
    assert sorted(program.called[node] for node in program.called if node not in program.names) == ["x.1", "y[1]"]
    assert program.names[program.node("x")] == "x"


def test_a_name_of_a_function_s_own_does_not_take_the_program_s_place() -> None:
    program = rasp.parse("def f() { x = indices * 3; return x + 1; }\nx = indices + 1;\ny = f();")
    called = {name: node for node, name in program.called.items()}
    assert called["x"] is program.node("x")
    assert len(called) == len(program.called)


@pytest.mark.slow
def test_hardly_any_head_of_the_library_has_a_name_that_is_cut() -> None:
    cut = []
    for entry in compiler.library():
        made = compiler.compile(entry.program, max_length=min(8, entry.program.settings.max_length or 8))
        names = heads(made.model)
        cut += [(entry.name, name) for name in names if "..." in name]
        columns = [direction["name"] for direction in made.model.labels["directions"]]
        assert len(set(columns)) == len(columns)
        assert all(re.search(r"\S", name) for name in names)
    assert len(cut) <= 5, cut
