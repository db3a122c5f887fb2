"""`rasp programs`: what it lists is what compiles, and whatever is wrong with a program is named."""

import contextlib
import json
import os
import pty
import signal
import subprocess
from pathlib import Path

import pytest

import compiler
import compiler.programs.library
import rasp as language
from compiler.circuit.certificate import Certificate
from tests.places import PROGRAMS, RASP, ROOT

GOOD = """\
# Twice: each number twice.
# No head.
#@ output: answer
#@ vocab: [0, 1, 2]
#@ max_length: 8
#@ example: [1, 2] -> [2, 4]
answer = 2 * tokens_int;
"""
BAD = {
    "wrong_example": (GOOD.replace("[2, 4]", "[2, 5]"), "warning: the program answers [2, 4], the example says"),
    "unfinished": (GOOD.replace("2 * tokens_int;", "2 *"), "expected"),
    "without_vocabulary": (GOOD.replace("#@ vocab: [0, 1, 2]\n", ""), "the program declares no vocabulary"),
    "suspicious": (GOOD + "unused = not tokens_int == 2;\n", "warning: "),
    "undefined": (GOOD.replace("2 * tokens_int", "1 / tokens_int").replace("[2, 4]", "[1, 0.5]"), "warning: "),
}


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A library of our own: one good program, which stands in a theme."""
    monkeypatch.setattr(compiler.programs.library, "shipped_programs", lambda: tmp_path)
    (tmp_path / "doubling").mkdir()
    (tmp_path / "doubling" / "twice.rasp").write_text(GOOD)
    return tmp_path


def test_a_line_says_the_size_of_the_model(rasp) -> None:
    done = rasp("programs", "sort", "--jobs", "1")
    model = compiler.compile(language.load(PROGRAMS / "sort.rasp")).model
    layers = model.config.layers
    sizes = [len(layers), sum(s.n_heads for s in layers), sum(s.d_mlp for s in layers), f"{model.stored():,}"]
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[1].split() == ["basics", "sort", *map(str, sizes), "yes"]


def test_json_says_the_same(rasp) -> None:
    [line] = rasp("programs", "reverse", "--json", "--jobs", "1").out.splitlines()
    found = json.loads(line)
    assert {key: found[key] for key in ("name", "theme", "layers", "heads", "neurons", "certified", "problem")} == {
        "name": "reverse",
        "theme": "basics",
        "layers": 2,
        "heads": 2,
        "neurons": 0,
        "certified": True,
        "problem": "",
    }
    assert found["title"] == "Reverse: the tokens from last to first."


def test_a_theme_is_a_folder(rasp) -> None:
    out = rasp("programs", "--theme", "position", "--json", "--jobs", "1").out
    names = {json.loads(line)["name"] for line in out.splitlines()}
    assert names == {f"position/{path.stem}" for path in (PROGRAMS / "position").iterdir()}


def test_a_check_counts_the_inputs(rasp, shelf: Path) -> None:
    done = rasp("programs", "--check", "--samples", "10", "--max-exhaustive", "3", "--jobs", "1", "--json")
    assert done.code == 0
    assert json.loads(done.out)["checked"].startswith("3 short inputs, 10 random, ")


def test_the_summary_counts_by_theme(rasp, shelf: Path) -> None:
    (shelf / "twice_again.rasp").write_text(GOOD)
    lines = rasp("programs", "--jobs", "1").out.splitlines()
    table = [line.split()[:4] for line in lines[lines.index("") + 1 :]]
    assert table[1:] == [["basics", "1", "1", "0"], ["doubling", "1", "1", "0"], ["all", "2", "2", "0"]]


@pytest.mark.parametrize("name", BAD)
def test_a_failing_program_is_named_with_its_reason(name: str, rasp, shelf: Path) -> None:
    text, reason = BAD[name]
    (shelf / f"{name}.rasp").write_text(text)
    done = rasp("programs", "--check", "--samples", "10", "--max-exhaustive", "10", "--jobs", "1")
    assert (done.code, done.err) == (1, "")
    assert f"\n{name}: {reason}" in done.out
    assert "twice" in done.out and "yes, agrees" in done.out, "the others are reported all the same"


def test_a_model_that_is_not_certified_is_named(rasp, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Certificate, "ok", property(lambda certificate: False))
    done = rasp("programs", "--jobs", "1")
    assert done.code == 1
    assert "\ndoubling/twice: not certified: answer, nearest of 3 values: margin " in done.out


def test_a_model_that_differs_is_named(rasp, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(model: object, tokens: list[object], output: str) -> list[object]:
        return [0 for _ in tokens]

    monkeypatch.setattr(compiler.Transformer, "run", wrong)
    done = rasp("programs", "--check", "--jobs", "1")
    assert done.code == 1
    assert "\ndoubling/twice: the model answers [0, 0] to the example 1 2\n" in done.out


def test_an_unknown_program_gets_a_hint(rasp) -> None:
    done = rasp("programs", "sequence/medain")
    assert (done.code, done.out) == (2, "")
    assert "there is no `sequence/medain` in the library" in done.err
    assert "did you mean `sequence/median`?" in done.err


def test_an_unknown_theme_gets_a_hint(rasp) -> None:
    done = rasp("programs", "--theme", "word")
    assert (done.code, done.out) == (2, "")
    assert "did you mean `words`?" in done.err


@pytest.mark.slow
@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_bar_at_the_terminal_leaves_the_answers_in_the_pipe(form: tuple[str, ...], tmp_path: Path) -> None:
    terminal, slave = pty.openpty()
    command = [RASP, "programs", "reverse", "length", "--jobs", "1", *form]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=slave, text=True, cwd=tmp_path) as process:
        os.close(slave)
        shown = b""
        with contextlib.suppress(OSError):  # how a terminal says that nobody writes to it any more
            while piece := os.read(terminal, 65536):
                shown += piece
        out, _ = process.communicate(timeout=60)
    os.close(terminal)
    assert process.returncode == 0
    assert b"compiling" in shown and b"basics" not in shown
    assert [line for line in out.splitlines() if "reverse" in line and "basics" in line]
    assert [line for line in out.splitlines() if "length" in line and "basics" in line]


@pytest.mark.slow
def test_an_interruption_is_quiet_and_ends_every_process(tmp_path: Path) -> None:
    command = [RASP, "programs", "--theme", "paper", "--check", "--jobs", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("theme ")
        process.stdout.readline()  # one program is done: both processes are at work
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)  # ends when no process holds the pipes any more
    assert (process.returncode, err) == (130, "")


@pytest.mark.slow
def test_the_number_of_processes_changes_nothing(tmp_path: Path) -> None:
    def listed(jobs: str) -> list[dict[str, object]]:
        command = [RASP, "programs", "--theme", "position", "--json", "--jobs", jobs]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
        assert done.stderr == ""
        return [{**json.loads(line), "seconds": 0} for line in done.stdout.splitlines()]

    assert listed("1") == listed("2") != []


def test_the_page_has_a_row_for_every_program() -> None:
    page = (ROOT / "docs" / "library.md").read_text()
    for entry in compiler.library():
        name, title = entry.name.rpartition("/")[2], entry.title.replace("|", "&#124;")
        row = f"| [{name}](../programs/{entry.name}.rasp) | {title} |"
        assert row in page, "`rasp programs --markdown > docs/library.md` makes the page anew"
    assert page.count("](../programs/") == len(list(compiler.library()))


def test_the_page_is_what_the_command_prints(rasp, shelf: Path) -> None:
    parameters = compiler.compile(language.parse(GOOD)).model.stored()
    page = rasp("programs", "--markdown", "--jobs", "1").out
    assert page.endswith(
        "\n## Doubling\n\n"
        "| program | what it does | tokens | length | layers | heads | neurons | parameters | certified |\n"
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |\n"
        "| [twice](../programs/doubling/twice.rasp) | Twice: each number twice. "
        f"| 3 | 8 | 0 | 0 | 0 | {parameters} | yes |\n"
    )
