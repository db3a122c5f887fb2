"""`rasp asm` and `rasp machine`: from the text of a program to what a machine does with it."""

import json
from pathlib import Path

import pytest

from tests.places import PROGRAMS

ADD = str(PROGRAMS / "machines" / "asm" / "add.asm")


def test_asm_prints_the_prompt_and_takes_it_back(rasp, tmp_path: Path) -> None:
    done = rasp("asm", ADD)
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == [9, 11, 3, 11, 10, 6, 11, 11, -1, 5, 3, 0, 0, 0, 0, 0, 0]
    (tmp_path / "prompt.json").write_text(done.out)
    back = rasp("asm", str(tmp_path / "prompt.json"), "--disassemble", "subleq")
    (tmp_path / "back.asm").write_text(back.out)
    assert rasp("asm", str(tmp_path / "back.asm")).out == done.out


@pytest.mark.parametrize("fast", [(), ("--fast",)])
def test_a_machine_is_run_step_by_step(rasp, fast: tuple[str, ...]) -> None:
    done = rasp("machine", "run", ADD, *fast)
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "pc  instruction  memory    cells",
        "0   9 11 3       M[11]=-5  9 11 3 11 10 6 11 11 -1 5 3 -5 0 0 0 0",
        "3   11 10 6      M[10]=8   9 11 3 11 10 6 11 11 -1 5 8 -5 0 0 0 0",
        "6   11 11 -1     M[11]=0   9 11 3 11 10 6 11 11 -1 5 8 0 0 0 0 0   halt",
    ]


def test_it_ends_where_a_column_shows_what_is_looked_for(rasp) -> None:
    assert len(rasp("machine", "run", ADD, "--until", "pc=3").out.splitlines()) == 3
    assert len(rasp("machine", "run", ADD, "--steps", "1").out.splitlines()) == 2


def test_mistakes_are_explained(rasp, tmp_path: Path) -> None:
    (tmp_path / "wrong.asm").write_text(".machine subleq\nsubleq 1\n")
    for words in (["asm"], ["machine", "run"]):
        done = rasp(*words, str(tmp_path / "wrong.asm"))
        assert done.code == 2
        assert "error[operands]: `subleq` takes 2 to 3 operands, not 1" in done.err and "2 | subleq 1" in done.err
    assert "there is no column `line`" in rasp("machine", "run", ADD, "--until", "line=3").err
    assert 'such as pc=12, got "3"' in rasp("machine", "run", ADD, "--until", "3").err
    (tmp_path / "prompt.json").write_text("[1, 2]")
    assert (
        "no program of `bytes` is this prompt"
        in rasp("asm", str(tmp_path / "prompt.json"), "--disassemble", "bytes").err
    )
    assert rasp("asm", str(tmp_path / "gone.asm")).code == 2
