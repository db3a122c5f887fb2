"""Transcripts of the original's console, replayed: every byte but the text of error messages.

The files were derived by hand from the print formats of the original; `NAME.in` is typed, `NAME.out` answered.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from rasp.console.repl import WELCOME

FOLDER = Path(__file__).parent / "transcripts"
Replay = Callable[[str], str]


def answered(*lines: str) -> str:
    return "\n".join([WELCOME, *lines])


@pytest.mark.parametrize("name", sorted(path.stem for path in FOLDER.glob("*.in")))
def test_transcript(name: str, replay: Replay) -> None:
    given, wanted = [(FOLDER / f"{name}.{kind}").read_text("utf-8") for kind in ("in", "out")]
    assert replay(given) == wanted


def test_the_last_line_needs_no_line_break(replay: Replay) -> None:
    assert replay("1;") == answered(">>     value: out =  1", ">> ", "")


def test_windows_line_ends(replay: Replay) -> None:
    assert replay("1;\r\n\r\n2;") == answered(">>     value: out =  1", ">> ..     value: out =  2", ">> ", "")


# ------------------------------------------------------------------------------------------------------------- errors


def at_statements(transcript: str) -> list[str]:
    """What was answered to each statement; an error as its code alone."""
    answers = transcript.removeprefix(WELCOME + "\n").split(">> ")[1:]
    return [
        answer.partition("]")[0] + "]" if answer.startswith("error[") else answer.rstrip("\n") for answer in answers
    ]


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("nosuch;", "unknown-name"),
        ("x = tokens_int + 1;", "token"),
        ("x = 1 / tokens;", "undefined"),
        ("x = 1 / (indices - 2);", "undefined"),
        ("x = aggregate(full_s, tokens);", "mean-of-non-numbers"),
        ('x = "a" if indices == 0 else 1;', "mixed-kinds"),
        ('x = {"a": 1}[tokens];', "index"),
        ("x = [1, 2][5];", "undefined"),
        ("length = 3;", "reserved-name"),
        ("indices = 3;", "reserved-name"),
        ("out = 3;", "reserved-name"),
        ("x, y = 5;", "undefined"),
        ("sort(tokens);", "arguments"),
        ("indices(1, 2);", "arguments"),
        ('indices("");', "empty-input"),
        ("indices(3);", "input"),
        ("3(4);", "undefined"),
        ('load "nosuch";', "load"),
        ("draw(full_s);", "draw"),
        ("set example 3", "input"),
        ('set example ""', "input"),
        ("set example [indices]", "input"),
        ("x = (1;", "syntax"),
        ("x = 'a';", "unknown-character"),
        ('x = "a;', "unclosed-string"),
        ("show example;", "syntax"),
        ("tokens;;", "syntax"),
        ("def f(x) { return f(x); } f(1);", "recursion"),
    ],
)
def test_a_failing_statement_binds_nothing_and_the_session_goes_on(statement: str, code: str, replay: Replay) -> None:
    first, failed, kept, last = at_statements(replay(f"x = 7;\n{statement}\nx;\nindices;\n"))[:4]
    assert first.strip() == "value: x =  7"
    assert failed == f"error[{code}]" or (code == "recursion" and f"error[{code}]" in failed)
    assert kept.strip() == "value: x =  7"
    assert last.startswith("     s-op: indices\n")


def test_an_error_ends_the_statement_at_once_and_drops_what_was_begun(replay: Replay) -> None:
    assert at_statements(replay("def f(a) {\n  b = );\n1;\n"))[0].startswith("..   error[")
    assert at_statements(replay("def f(a) {\n  b = );\n1;\n"))[1].strip() == "value: out =  1"


def test_a_forgotten_semicolon_is_reported_where_the_next_statement_begins(replay: Replay) -> None:
    answers = replay("a = 1\nb = 2;\nc = 3;\n")
    assert answers.startswith(answered(">> .. error[missing-semicolon]"))
    assert answers.endswith(">>     value: c =  3\n>> \n")


def test_an_unfinished_statement_at_the_end_is_reported(replay: Replay) -> None:
    assert answered(">> .. ", "error[unfinished]: ") in replay("a = (1 +\n")


def test_a_definition_is_judged_by_the_example_of_the_moment(say) -> None:
    assert say("x = tokens_int + 1;").startswith('error[token]: on the example "hello": ')
    say('set example "123"')
    assert say("x = tokens_int + 1;").endswith("= [2, 3, 4] (ints)")
    say('set example "hello"')
    assert say("x;").startswith("error[token]")
    assert say('x("12");') == "\t =  [2, 3] (ints)"


def test_inside_of_functions_too(say) -> None:
    assert "error[token]" in say("def f(s) { t = tokens_int; return s; } f(3);")
    assert say("f([1, 2]);").startswith("error[token]")


def test_a_selector_example_may_fail_alone(say) -> None:
    say('set selector example "ab"')
    say('set s-op example "12"')
    assert say("s = select(tokens_int, 1, ==);").startswith(
        "     selector: s\n \t Example:\n \t\t\t     a b\nerror[token]"
    )
    assert say("s([1]);") == "\t = \n \t\t\t     1\n \t\t\t 1 | 1"


def test_a_container_whose_parts_fail_on_a_new_example(say) -> None:
    say("l = [1 / (indices - 7), indices];")
    say('set example "hello world"')
    answer = say("l;")
    assert '\t\t \t Example: ( 1 / ( indices - 7 ) )("hello world") = EVALUATION FAILURE' in answer
    assert answer.endswith("(ints)\n               ]")


# -------------------------------------------------------------------------------------------------------------- files


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "inner.rasp").write_text("b = 7;\n_b = 8;\n")
    (tmp_path / "outer.rasp").write_text(
        'a = 1;\nindices;\na;\nload "inner";\na = 2;\nc, d = b, a;\n_e = 4;\ne = _e;\ntokens("ab");\ns = full_s;\n'
    )
    (tmp_path / "wrong.rasp").write_text("a = 1;\nb = nosuch;\na = 2;\n")
    (tmp_path / "broken.rasp").write_text("a = 1;\nb = (;\nc = 3;\n")
    (tmp_path / "orders.rasp").write_text('a = 1;\nset example "xy"\nexamples on\nfull seq display on\nexit\nb = 2;\n')
    (tmp_path / "shadow.rasp").write_text("length = 3;\nmine = length;\n")
    (tmp_path / "circle.rasp").write_text('load "circle";\nx = 1;\n')
    (tmp_path / "open.rasp").write_text("a = 1;\nb = 2")
    (tmp_path / "functions.rasp").write_text("def f(x) { return x; }\ng = f;\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_file_shows_each_public_name_once_at_its_last_binding(files: Path, replay: Replay) -> None:
    assert replay('load "outer";\na;\n_e;\nindices;\n').split("error[")[0] == answered(
        # what stands before a nested `load` is shown with it; a variable that is named alone is shown too
        ">>      s-op: indices",
        "    value: a =  1",
        "    value: b =  7",
        "    value: a =  2",
        "    value: c =  7",
        "    value: d =  2",
        "    value: e =  4",
        "     selector: s",
        ">>     value: a =  2",
        ">> ",
    )


def test_after_an_error_everything_is_shown(files: Path, say) -> None:
    lines = say('load "wrong";').split("\n")
    assert lines[0] == "    value: a =  1"
    assert lines[1] == "error[unknown-name]: `nosuch` is not defined"
    assert lines[2].endswith("wrong.rasp:2:5")
    assert lines[-1] == "    value: a =  2"


def test_syntax_errors_come_first_and_lose_nothing_else(files: Path, say) -> None:
    answer = say('load "broken";')
    assert answer.startswith("error[syntax]")
    assert "broken.rasp:2:6" in answer
    assert answer.endswith("    value: a =  1\n    value: c =  3")
    assert say("c;") == "    value: c =  3"


def test_an_unfinished_file_is_reported(files: Path, say) -> None:
    assert "error[unfinished]" in say('load "open";')
    assert say("a;") == "    value: a =  1"


def test_orders_in_a_file_last_and_exit_ends_the_file_only(files: Path, say) -> None:
    assert say('load "orders";') == "    value: a =  1"
    assert say("indices;") == " ".join(["    ", "s-op: indices\n", "\t Example:\n", "\t\tinput:  "]) + (
        " x y \t (strings)\n \t\toutput:  0 1 \t (ints)"
    )
    assert say("b;").startswith("error[unknown-name]")


def test_a_file_may_use_a_name_of_the_library_for_itself(files: Path, say) -> None:
    assert "warning[shadowed-library]" in say('load "shadow";')
    assert say("mine;") == "    value: mine =  3"
    assert say("length;").startswith("     s-op: length")


def test_files_that_load_each_other(files: Path, say) -> None:
    assert "error[load]" in say('load "circle";')
    assert say("x;") == "    value: x =  1"


def test_functions_of_a_file_say_where_they_are_from(files: Path, say) -> None:
    assert say('load "functions";') == "     functions function: f(x)\n     functions function: f(x)"


def test_a_file_does_not_see_the_console(files: Path, say) -> None:
    say("nosuch = 3;")
    assert "error[unknown-name]" in say('load "wrong";')


def test_what_is_typed_may_be_loaded_from_anywhere_but_files_stay_below(files: Path, say) -> None:
    (files / "below").mkdir()
    (files / "below" / "escaping.rasp").write_text('load "../inner";\n')
    assert say(f'load "{files}/inner";') == "    value: b =  7"
    assert "error[load]" in say('load "../../etc/passwd";')
    assert "error[load]" in say('load "below/escaping";')


def test_the_programs_that_come_with_us_load_from_anywhere(files: Path, say) -> None:
    assert "s-op: " in say('load "programs/reverse";')
