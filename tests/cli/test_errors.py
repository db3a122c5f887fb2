"""Every mistake a user can make gives one clear message, exit code 2, no traceback, and leaves nothing half-written.

The messages are golden files, `golden/NAME.txt`: they are read by people, so changes to them are reviewed.
`RASP_WRITE_GOLDEN=1` rewrites them.
"""

import os
import shlex
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent / "golden"

MISTAKES = {
    "syntax-error": "run broken.rasp abc",
    "syntax-error-compile": "compile broken.rasp -o out",
    "syntax-error-lint": "lint broken.rasp",
    "unfinished": "run unfinished.rasp abc",
    "undefined-name": "run undefined.rasp abc",
    "bad-header": "run bad-header.rasp abc",
    "unknown-output": "run reverse.rasp abc --output revers",
    "unknown-output-compile": "compile reverse.rasp -o out --output revers",
    "unknown-output-checkpoint": "run reversed abc --output revers",
    "undefined-value": "run division.rasp ab",
    "undefined-value-among-others": "run division.rasp a ab",
    "no-output": "run nothing.rasp ab",
    "no-output-compile": "compile nothing.rasp -o out",
    "no-output-draw": "draw nothing.rasp ab",
    "no-output-generate": "generate nothing.rasp ab",
    "missing-folder-draw": "draw reverse.rasp ab -o nowhere/flow.svg",
    "missing-folder-view": "view reversed ab -o nowhere/page.html",
    "no-name": "run '' ab",
    "link-to-nowhere": "run dangling.rasp ab",
    "no-vocabulary": "compile no-header.rasp -o out --output a",
    "token-outside-vocabulary": "run reversed abz",
    "input-too-long": "run reversed abcab",
    "input-too-long-among-others": "run reversed abc abcab",
    "empty-input": "run reverse.rasp ''",
    "empty-input-checkpoint": "run reversed ''",
    "empty-list": "run reverse.rasp --list []",
    "list-not-json": "run reverse.rasp --list [a,b]",
    "list-not-flat": "run reverse.rasp --list [[1],[2]]",
    "list-with-half-a-character": r"""run reverse.rasp --list '["\ud800"]'""",
    "missing-file": "run revers.rasp abc",
    "missing-file-compile": "compile revers.rasp -o out",
    "missing-file-check": "check no/such/place.rasp",
    "missing-file-info": "info reverse",
    "missing-program": "run programs/sorted.rasp abc",
    "not-text": "run binary.rasp abc",
    "folder-as-program": "compile notes -o out",
    "file-as-checkpoint": "info reverse.rasp",
    "not-a-checkpoint": "run notes abc",
    "cut-config": "run cut-config abc",
    "cut-weights": "run cut-weights abc",
    "no-weights": "info no-weights",
    "foreign-checkpoint": "run foreign abc",
    "output-folder-in-use": "compile reverse.rasp -o notes",
    "output-folder-of-another": "compile twice.rasp -o reversed",
    "output-folder-is-a-file": "compile reverse.rasp -o broken.rasp",
    "output-below-a-file": "compile reverse.rasp -o broken.rasp/out",
    "checkpoint-is-fixed": "run reversed abc --vocab abcd",
    "checkpoint-is-fixed-check": "check reversed --max-length 9",
    "misspelt-flag": "compile reverse.rasp --optimise size -o out",
    "unknown-flag": "run reverse.rasp abc --zzz",
    "never-an-answer": "compile mixed.rasp -o out",
    "nothing-to-do": "compile reverse.rasp",
    "unknown-stage": "compile reverse.rasp --emit wieghts",
    "unknown-command": "complie reverse.rasp",
    "no-input": "run reverse.rasp",
    "dash-input": "run reverse.rasp -3+4",
    "bad-number": "check reverse.rasp --samples many",
    "no-length": "compile reverse.rasp -o out --max-length 0",
    "bad-vocabulary": "compile reverse.rasp -o out --vocab '[1,'",
    "vocabulary-of-nothing": "compile reverse.rasp -o out --vocab '[null]'",
    "too-many-combinations": "compile product.rasp -o out",
    "too-many-values": "compile average.rasp -o out",
    "too-many-steps": "compile deep.rasp -o out",
    "too-large-for-float16": "compile programs/languages/b_between_any_two_a.rasp -o out --dtype float16 --uncertified",
    "no-input-meant": "compile unmet.rasp -o out",
    "no-input-meant-check": "check unmet.rasp",
    "too-large-for-floats": "compile astronomic.rasp -o out",
    "vocabulary-with-half-a-character": "compile half-character.rasp -o out",
    "vocabulary-beyond-floats": "compile reverse.rasp -o out --vocab '[1e400, 1]'",
    "same-token-twice": "compile reverse.rasp -o out --vocab aba",
}


def tree(root: Path) -> dict[Path, bytes]:
    """Every file below a folder."""
    return {path.relative_to(root): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_gives_one_clear_message(name: str, rasp, room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "compiler.observe.remedies.SECONDS", 60.0
    )  # what is found must not depend on how busy the machine is
    before = tree(room)
    done = rasp(*shlex.split(MISTAKES[name]))
    assert done.code == 2
    assert done.out == ""
    assert tree(room) == before
    agree_with_golden(name, f"$ rasp {MISTAKES[name]}\n{done.err}")


@pytest.mark.parametrize("words", [["--list", 20_000 * "["], ["\udcff"]], ids=["too deep", "not UTF-8"])
def test_an_input_that_is_no_input(words: list[str], rasp, room: Path) -> None:
    done = rasp("run", "reverse.rasp", *words)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("error[input]: ")
    assert len(done.err) < 300


def agree_with_golden(name: str, text: str) -> None:
    assert "Traceback" not in text
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("RASP_WRITE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text)
    assert text == golden.read_text()


def test_every_golden_file_belongs_to_a_mistake() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(MISTAKES)
