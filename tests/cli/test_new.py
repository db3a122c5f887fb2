"""`rasp new`: what it writes is a program that holds as it stands."""

import resource
import signal
from pathlib import Path

import pytest

import compiler
import rasp as language
from compiler.cli.new import TEMPLATES

THEMES = [None, *TEMPLATES]


def written(rasp, theme: str | None) -> Path:
    done = rasp("new", "count_vowels", *([] if theme is None else ["--theme", theme]))
    path = Path("count_vowels.rasp") if theme is None else Path("programs") / theme / "count_vowels.rasp"
    assert (done.code, done.out, done.err) == (0, f"{path}: change it, then `rasp check {path}`\n", "")
    return path


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_theme_of_the_library_has_a_template() -> None:
    """Whoever writes about numbers begins with the general one, who writes a machine with that of a decoder."""
    themes = {entry.theme for entry in compiler.library()}
    assert set(TEMPLATES) == themes - {"basics", "machines", "numbers", "paper"}


@pytest.mark.parametrize("theme", THEMES)
def test_the_program_is_clean_and_gives_the_answers_of_its_header(theme: str | None, rasp) -> None:
    program = language.load(written(rasp, theme))
    assert program.warnings == []
    assert len(program.settings.examples) >= 3
    for example in program.settings.examples:
        assert tuple(program[program.outputs[0]].exact(example.input)) == example.output


@pytest.mark.parametrize("theme", THEMES)
def test_the_program_can_be_checked(theme: str | None, rasp) -> None:
    path = written(rasp, theme)
    done = rasp("check", str(path), "--samples", "20", "--max-exhaustive", "20")
    assert (done.code, done.err) == (0, "")


def test_the_title_is_the_name(rasp) -> None:
    assert written(rasp, None).read_text().startswith("# Count vowels: ")


def test_the_ending_may_be_given(rasp, inside: Path) -> None:
    assert rasp("new", "mine.rasp").code == 0
    assert [path.name for path in inside.iterdir()] == ["mine.rasp"]


def test_nothing_is_written_over(rasp, inside: Path) -> None:
    (inside / "mine.rasp").write_text("precious = 1;\n")
    done = rasp("new", "mine")
    assert (done.code, done.out) == (2, "")
    assert "`mine.rasp` exists and is left alone" in done.err
    assert (inside / "mine.rasp").read_text() == "precious = 1;\n"


@pytest.mark.parametrize("name", ["", "Mine", "../mine", "two words", "1st", "a/b"])
def test_a_name_that_is_none_is_refused(name: str, rasp, inside: Path) -> None:
    done = rasp("new", name)
    assert (done.code, done.out) == (2, "")
    assert "is no name for a program" in done.err
    assert list(inside.iterdir()) == []


def test_a_theme_that_is_none_is_refused(rasp, inside: Path) -> None:
    done = rasp("new", "mine", "--theme", "../x")
    assert done.code == 2
    assert list(inside.iterdir()) == []


def test_a_full_disk_leaves_nothing(rasp, inside: Path) -> None:
    """A limit on the length of files stands in for a full disk."""
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, old[1]))
    try:
        done = rasp("new", "count_vowels")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, ignored)
    assert done.code == 2
    assert done.err == "error[file]: count_vowels.rasp: File too large\n"
    assert list(inside.iterdir()) == []
