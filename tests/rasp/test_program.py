"""The public face, the library, files that load files, and the programs that come with the language."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import rasp
from rasp.meaning.sop import Constant, Indices, Node, SOp, Tokens, Width
from rasp.running.elaborate import library
from rasp.running.environment import Function
from rasp.settings import Example
from rasp.text.source import RaspError
from tests.places import BASICS


@pytest.mark.parametrize("path", BASICS, ids=lambda path: path.stem)
def test_programs_give_the_answers_in_their_headers(path: Path) -> None:
    program = rasp.load(path)
    assert len(program.settings.examples) >= 3
    assert program.settings.output
    for example in program.settings.examples:
        for name in program.outputs:
            wanted = example.output[name] if isinstance(example.output, dict) else example.output
            assert program[name].exact(example.input) == list(wanted)


@pytest.mark.parametrize("path", BASICS, ids=lambda path: path.stem)
def test_programs_have_no_warnings(path: Path) -> None:
    assert rasp.load(path).warnings == []


def test_a_dictionary_has_its_keys_in_it() -> None:
    program = rasp.parse(
        'd = {"a": 1, "b": 2}; x = tokens in d; y = indices + (2 if "b" in d else 1) + (9 if "c" in d else 0);'
    )
    assert program["x"]("abc") == [True, True, False] and program["y"]("ab") == [2, 3]
    with pytest.raises(RaspError, match="the right side of `in` is a list, a dictionary or an s-op, not 3"):
        rasp.parse('x = "a" in 3;')


def test_plain_values_come_out() -> None:
    program = rasp.parse("half = indices / 2; s = select(indices, indices, <); def f(a, b) { return a + b; } k = 3;")
    assert program["half"]("abc") == [0.0, 0.5, 1.0]
    assert [type(value) for value in program["half"]("ab")] == [int, float]
    assert program["s"]("ab") == [[False, False], [True, False]]
    assert program["f"](1, 2) == 3
    assert program["f"](program["half"], 1)("ab") == [1.0, 1.5]
    assert program["f"]([1], [2]) == [1, 2]
    assert program["k"].node is Constant(3)
    assert program["length"]("abc") == [3, 3, 3]


def test_names_and_spans() -> None:
    program = rasp.parse("a = indices + 1;\nb = a;\nn = sort(tokens, -indices);")
    assert program.names[program["a"].node] == "b"
    assert program.names[program["length"].node] == "length"
    assert {program.names[node] for node in (Indices(), Tokens("str"))} == {"indices", "tokens"}
    assert str(program.span(program["n"].node)) == "<text>:3:5"
    assert program.outputs == ("n",)
    assert "a" in program
    assert "c" not in program


def test_what_is_not_there() -> None:
    program = rasp.parse("apple = indices;")
    with pytest.raises(RaspError, match="did you mean `apple`"):
        program["aple"]
    with pytest.raises(RaspError, match="not an s-op"):
        _ = program["sort"].node


def test_library_names() -> None:
    names = """
        full_s length selector_width has_focus count contains max min average load_from_location shift sort
        mark_last_instance mark_first_instance select_from_last select_from_first select_next_identical
        latest rightmost
    """
    assert set(names.split()) <= library().values.keys()
    assert not any(name.startswith("_") for name in library().values)


def test_length_is_one_width() -> None:
    assert isinstance(library().values["length"], Width)
    assert isinstance(library().values["selector_width"], Function)


@pytest.mark.parametrize(
    ("expression", "tokens", "expected"),
    [
        ("has_focus(select(indices, indices - 1, ==))", "abc", [False, True, True]),
        ('contains(tokens, "b")', "ab", [True, True]),
        ("max(indices, 1)", "abc", [1, 1, 2]),
        ("min(2, 1)", "a", None),
        ("average(indices)", "ab", [0.5, 0.5]),
        ('shift(tokens, -1, "-")', "abc", ["b", "c", "-"]),
        ('shift(tokens, indices, "-")', "ab", ["a", "-"]),
        ("load_from_location(tokens, 1)", "ab", ["b", "b"]),
        ("mark_first_instance(tokens, tokens)", "aba", [True, True, False]),
        ('aggregate(select_from_last(tokens, "a"), indices)', "aba", [2, 2, 2]),
        ("aggregate(select_next_identical(tokens), indices, -1)", "abab", [2, 3, -1, -1]),
        ("sort(tokens, -indices)", "abc", ["c", "b", "a"]),
        ("tokens[-2]", "abc", ["b", "b", "b"]),
        ('"b" in tokens', "abc", [True, True, True]),
        ("[4, 5, 6][indices]", "abc", [4, 5, 6]),
        ('{"a": "x", "b": "y"}[tokens]', "ab", ["x", "y"]),
    ],
)
def test_library(expression: str, tokens: str, expected: Any) -> None:
    program = rasp.parse(f"answer = {expression};")
    value = program.bindings["answer"]
    assert (program["answer"](tokens) if isinstance(value, SOp) else None) == expected


def test_load(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "more.rasp").write_text(
        "_hidden = 2; shown = indices * _hidden; def f(a) { return a * _hidden; }"
    )
    (tmp_path / "main.rasp").write_text('shown = 1; load "lib/more"; g = f(3); x = shown + 1;')
    program = rasp.load(tmp_path / "main.rasp")
    assert program["x"]("ab") == [1, 3]
    assert program.bindings["g"] == 6
    assert "_hidden" not in program.bindings


def test_load_may_shadow_the_library_for_itself(tmp_path: Path) -> None:
    (tmp_path / "own.rasp").write_text("length = 7; mine = length + 0 * indices;")
    (tmp_path / "main.rasp").write_text('load "own"; a = length; b = mine;')
    program = rasp.load(tmp_path / "main.rasp")
    assert (program["a"]("abc"), program["b"]("abc")) == ([3, 3, 3], [7, 7, 7])
    assert [one.code for one in program.warnings] == ["shadowed-library"]


def test_load_stays_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "secret.rasp").write_text("x = 1;")
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "link.rasp").symlink_to(tmp_path / "secret.rasp")
    (tmp_path / "own" / "loop.rasp").symlink_to(tmp_path / "own" / "loop.rasp")
    (tmp_path / "own" / "a.rasp").write_text('load "b";')
    (tmp_path / "own" / "b.rasp").write_text('load "a";')
    (tmp_path / "own" / "folder.rasp").mkdir()
    for name in ["../secret", str(tmp_path / "secret"), "link", "loop", "a", "missing", "folder", "x" * 300]:
        with pytest.raises(RaspError):
            rasp.parse(f'load "{name}";', tmp_path / "own" / "main.rasp")
    with pytest.raises(RaspError, match="no folder"):
        rasp.parse('load "a";')


def test_errors_of_a_loaded_file_name_it(tmp_path: Path) -> None:
    (tmp_path / "bad.rasp").write_text("x = 1 +;")
    (tmp_path / "main.rasp").write_text('load "bad";')
    with pytest.raises(RaspError, match=r"bad\.rasp:1:8"):
        rasp.load(tmp_path / "main.rasp")


def test_statements_behind_a_failed_one_are_still_checked() -> None:
    with pytest.raises(RaspError) as caught:
        rasp.parse("a = nowhere; b = a + 1; c = b; d = 1 + full_s;")
    assert len(caught.value.diagnostics) == 2


def test_definitions_are_not_tried_on_an_example() -> None:
    assert rasp.parse("x = tokens_int + 1;")["x"]([1, 2]) == [2, 3]


def test_importing_is_light() -> None:
    code = "import sys, rasp; print([name for name in ('numpy', 'torch', 'networkx') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_starts_quickly() -> None:
    path = BASICS[0].with_name("sort.rasp")
    run = f"import rasp; rasp.load({str(path)!r})['sorted']('cab')"
    code = f"import time; started = time.process_time(); {run}; print(time.process_time() - started)"
    times = [
        float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout)
        for _ in range(3)
    ]
    assert min(times) < 0.3


def test_examples_may_be_compared() -> None:
    assert Example(("a",), ("b",)) == Example(("a",), ("b",))
    assert all(isinstance(node, Node) for node in rasp.parse("x = indices;").names)


def test_half_of_a_character_is_refused_where_it_stands() -> None:
    """Python holds it in a string, and no file of ours could."""
    with pytest.raises(RaspError) as refused:
        rasp.parse('o = tokens == "\ud800";')
    (problem,) = refused.value.diagnostics
    assert (problem.code, problem.span and problem.span.start) == ("encoding", 15)


def called(text: str) -> set[str]:
    program = rasp.parse(text)
    return set(program.called.values()) - set(program.names.values()) - {"tokens_asis"}


def test_what_the_library_binds_inside_of_a_call_is_called_after_it() -> None:
    assert called("o = sort(tokens, tokens);") == {"sort.before", "sort.place"}


def test_each_call_has_names_of_its_own() -> None:
    text = 'o = [mark_last_instance(tokens, "a"), mark_last_instance(tokens, "b")];'
    assert called(text) == {"mark_last_instance.behind", "mark_last_instance#2.behind", "o[0]", "o[1]"}


def test_calls_inside_of_calls_are_all_named() -> None:
    text = """
        def first(s) { x = indices + s; return x * 2; }
        def both(s) { y = first(s) + 1; return y + first(s + 1); }
        a = both(5);
        b = first(9) + both(7);
    """
    expected = {"both.y", "both.first.x", "both.first#2.x", "first.x", "both#2.y", "both#2.first.x", "both#2.first#2.x"}
    assert called(text) == expected


def test_of_several_names_the_outermost_counts() -> None:
    text = "def f(s) { inner = indices + s; return inner; }\nfor i in [1, 2] {\n  o = f(i);\n}"
    assert called(text) == {"o.1"}


def test_names_of_deep_recursions_stay_short_and_apart() -> None:
    text = "def f(n) { x = indices + n; return x if n == 0 else x * f(n - 1); }\no = f(40);"
    program = rasp.parse(text)
    names = list(program.called.values())
    assert len(set(names)) == len(names) and max(map(len, names)) < 40
    assert sum(name.startswith("f.") for name in names) == 41


def test_places_are_lines_of_the_program(tmp_path: Path) -> None:
    (tmp_path / "more.rasp").write_text("def g(s) {\n  w = s + 1;\n  return w * 2;\n}\nkept = indices + 3;\n")
    text = 'load "more";\n\no = sort(tokens,\n  tokens);\np = g(indices);\nx = 1;\nx = indices * 2;\n'
    places = rasp.parse(text, tmp_path / "main.rasp").places
    assert places["sort.place"] == ((3,), "library")
    assert places["g.w"] == ((5,), "more")
    assert places["o"] == ((3,), None)
    assert places["x"] == ((6, 7), None)
    assert places["kept"] == ((), "more")


def test_what_is_bound_inside_of_a_call_is_asked_for_by_its_name() -> None:
    program = rasp.parse("o = sort(tokens, tokens);\nx = indices + 1;\nx = x * 2;")
    assert "sort.place" in program and "sort.nothing" not in program
    assert program["sort.place"]("cab") == [2, 0, 1] and program["x.1"]("ab") == [1, 2]
