"""`rasp compile`, `info`, `check` and `lint`."""

import json
from pathlib import Path

import pytest

import compiler
from compiler.cli.compile import FORMS
from compiler.pipeline import PASSES
from compiler.runtime.checkpoint import save
from rasp import Diagnostic, Program, parse


def test_a_checkpoint_is_five_files(room: Path) -> None:
    names = {path.name for path in (room / "reversed").iterdir()}
    assert names == {"model.safetensors", "config.json", "labels.json", "certificate.json", "provenance.json"}


def test_compile_says_what_it_made(rasp, room: Path) -> None:
    done = rasp("compile", "reverse.rasp", "-o", "fresh")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("fresh: 2 layers, ")


def test_a_checkpoint_may_be_written_again(rasp, room: Path) -> None:
    assert rasp("compile", "reverse.rasp", "-o", "reversed", "--vocab", "xyz").code == 0
    assert rasp("run", "reversed", "xyz").out == "[z, y, x] (strings)\n"


def test_an_empty_folder_may_be_filled(rasp, room: Path) -> None:
    (room / "empty").mkdir()
    assert rasp("compile", "reverse.rasp", "-o", "empty").code == 0


def test_folders_above_are_made(rasp, room: Path) -> None:
    assert rasp("compile", "reverse.rasp", "-o", "deep/er/folder").code == 0
    assert rasp("run", "deep/er/folder", "ab").out == "[b, a] (strings)\n"


def test_flags_override_the_header(rasp, room: Path) -> None:
    flags = ("--output", "doubled", "--vocab", '["hi", "there"]', "--max-length", "3")
    assert rasp("compile", "reverse.rasp", "-o", "doubled", *flags).code == 0
    assert rasp("run", "doubled", "--list", '["hi", "there", "hi"]').out == "[0, 2, 4] (ints)\n"
    assert rasp("run", "doubled", "--list", '["hi", "hi", "hi", "hi"]').code == 2


@pytest.mark.parametrize("form", FORMS)
def test_what_every_pass_makes_is_printed(form: str, rasp, room: Path) -> None:
    done = rasp("compile", "reverse.rasp", "--emit", form)
    assert (done.code, done.err) == (0, "")
    assert done.out.strip()


def test_the_command_knows_every_pass() -> None:
    assert tuple(one.makes for one in PASSES) == FORMS


def test_info_names_the_heads(rasp, room: Path) -> None:
    done = rasp("info", "reversed")
    assert (done.code, done.err) == (0, "")
    assert "L0H0" in done.out


@pytest.mark.parametrize("target", ["reverse.rasp", "reversed"])
def test_check_passes(target: str, rasp, room: Path) -> None:
    done = rasp("check", target, "--samples", "20")
    assert (done.code, done.err) == (0, "")


def test_check_fails_when_a_weight_is_wrong(rasp, room: Path) -> None:
    model = compiler.load("reversed")
    config = json.loads((room / "reversed" / "config.json").read_text())
    del config["sha256"]
    weights = model.state_dict()
    weights["unembed.W_U"] = weights["unembed.W_U"].flip(-1)
    save("reversed", config, weights, model.labels)
    done = rasp("check", "reversed", "--samples", "20")
    assert done.code == 1
    assert "Traceback" not in done.err


def test_lint_is_quiet_about_a_good_program(rasp, room: Path) -> None:
    assert rasp("lint", "reverse.rasp") == (0, "", "")


def test_lint_explains_a_likely_mistake(rasp, room: Path) -> None:
    (room / "suspicious.rasp").write_text('#@ output: a\na = not tokens == "a";\n')
    done = rasp("lint", "suspicious.rasp")
    assert (done.code, done.err) == (1, "")
    assert 'suspicious.rasp:2:5\n2 | a = not tokens == "a";\n' in done.out


@pytest.fixture
def finding(monkeypatch: pytest.MonkeyPatch) -> Diagnostic:
    """Whatever the language warns about: here, one thing."""
    span = parse('a = not tokens == "a";').syntax.span
    found = Diagnostic("precedence", "warning", "`not` binds tighter than `==`", span, "write `not (tokens == ...)`")
    monkeypatch.setattr(Program, "warnings", [found])
    return found


def test_lint_points_at_a_likely_mistake(rasp, room: Path, finding: Diagnostic) -> None:
    assert rasp("lint", "reverse.rasp") == (1, f"{finding}\n", "")


def test_lint_for_tools(rasp, room: Path, finding: Diagnostic) -> None:
    [line] = rasp("lint", "reverse.rasp", "--json").out.splitlines()
    assert json.loads(line) == finding.to_json()


def test_compile_repeats_the_warnings(rasp, room: Path, finding: Diagnostic) -> None:
    done = rasp("compile", "reverse.rasp", "-o", "fresh")
    assert (done.code, done.err) == (0, f"{finding}\n")


def test_flags_stand_in_for_wrong_lines_of_the_header_in_the_checkpoint_too(rasp, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.rasp").write_text('#@ output: nobody\n#@ vocab: "aa"\n#@ max_length: 3\nx = indices;\n')
    assert rasp("compile", "mine.rasp", "-o", "mine", "--output", "x", "--vocab", "ab").code == 0
    assert rasp("check", "mine", "--samples", "3").code == 0
    assert rasp("run", "mine", "ab").out == "[0, 1] (ints)\n"


def test_a_path_is_no_program() -> None:
    with pytest.raises(TypeError, match=r"a program is compiled, not 'sort.rasp': `rasp.load\(path\)` reads one"):
        compiler.compile("sort.rasp")  # type: ignore[arg-type]


def test_another_program_is_replaced_by_force_only_and_a_changed_one_at_once(rasp, room: Path) -> None:
    assert rasp("compile", "twice.rasp", "-o", "reversed").code == 2
    assert rasp("compile", "twice.rasp", "-o", "reversed", "--force").code == 0
    assert rasp("run", "reversed", "ab").out == "[aa, bb] (strings)\n"
    (room / "twice.rasp").write_text((room / "twice.rasp").read_text().replace("tokens + tokens", "tokens"))
    assert rasp("compile", "twice.rasp", "-o", "reversed").code == 0
