"""`load`: which files a program reads, what is kept of them, and that it comes to an end."""

from __future__ import annotations

from pathlib import Path

import pytest

import rasp
from rasp.console.console import Console
from rasp.text.source import RaspError


@pytest.fixture
def main(tmp_path: Path) -> Path:
    """A program that loads a file, which loads another one."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "deep.rasp").write_text("deep = indices;")
    (tmp_path / "part.rasp").write_text('load "sub/deep";\npart = deep + 1;')
    (tmp_path / "main.rasp").write_text('load "part";\no = part + 1;')
    return tmp_path / "main.rasp"


def test_a_program_knows_the_files_it_loaded(main: Path) -> None:
    assert rasp.load(main).files == {"sub/deep": "deep = indices;", "part": 'load "sub/deep";\npart = deep + 1;'}
    assert rasp.parse("o = indices;").files == {}


def test_kept_files_take_the_place_of_those_on_the_disk(main: Path) -> None:
    program = rasp.load(main)
    (main.parent / "part.rasp").write_text("part = 100;")
    again = rasp.parse(program.source.text, main, program.files)
    assert again["o"]("ab") == program["o"]("ab") == [2, 3]
    assert again.files == program.files


def test_a_file_that_was_not_kept_is_not_looked_for(main: Path) -> None:
    with pytest.raises(RaspError, match="`sub/deep` was not kept"):
        rasp.parse(main.read_text(), main, {"part": rasp.load(main).files["part"]})


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "sub/../../secret", "..", "a\0b"])
def test_kept_files_have_no_names_that_lead_out(name: str) -> None:
    with pytest.raises(RaspError, match="own folder"):
        rasp.parse(f'load "{name}";\no = indices;', files={name: "secret = 1;"})


def test_kept_files_that_load_each_other_are_a_circle() -> None:
    with pytest.raises(RaspError, match="circle"):
        rasp.parse('load "a";\no = indices;', files={"a": 'load "./b";', "b": 'load "a";', "./b": 'load "a";'})


def test_files_that_load_each_other_twice_come_to_an_end(tmp_path: Path) -> None:
    """Each name is loaded twice by the one before it: 2^40 files without a limit."""
    for number in range(40):
        (tmp_path / f"f{number}.rasp").write_text(f'load "f{number + 1}";\nload "f{number + 1}";')
    (tmp_path / "f40.rasp").write_text("x = indices;")
    with pytest.raises(RaspError, match="more than 1000 files"):
        rasp.load(tmp_path / "f0.rasp")


def test_files_that_are_long_and_loaded_often_come_to_an_end() -> None:
    long = "# " + "-" * 1_000_000
    with pytest.raises(RaspError, match="characters"):
        rasp.parse('load "long";\n' * 10 + "o = indices;", files={"long": long})


def test_the_console_comes_to_an_end_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for number in range(40):
        (tmp_path / f"f{number}.rasp").write_text(f'load "f{number + 1}";\nload "f{number + 1}";')
    (tmp_path / "f40.rasp").write_text("x = indices;")
    said: list[str] = []
    Console(said.append).enter('load "f0";\n')
    assert any("more than 1000 files" in line for line in said)


def test_a_file_that_is_no_text_is_said_to_be_none(tmp_path: Path) -> None:
    (tmp_path / "part.rasp").write_bytes(b"\xff\xfeo\0")
    (tmp_path / "main.rasp").write_text('load "part";\no = indices;')
    with pytest.raises(RaspError, match=r"part.rasp` is not UTF-8 text"):
        rasp.load(tmp_path / "main.rasp")
