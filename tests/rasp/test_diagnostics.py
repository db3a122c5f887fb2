"""Errors and warnings as reviewed texts: each .rasp in diagnostics/ has what is said about it in a .txt beside it.

``RASP_WRITE_GOLDEN=1 pytest`` rewrites the texts, to be reviewed in the diff.
A first line `# run: NAME on INPUT` asks for the error of running an s-op instead.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

import rasp
from rasp.text.source import Diagnostic, RaspError, Source, Span, did_you_mean, render, render_json

CASES = sorted((Path(__file__).parent / "diagnostics").glob("*.rasp"))


def said_about(path: Path) -> str:
    text = path.read_text("utf-8")
    try:
        program = rasp.parse(text, path.name)
        if run := re.match(r"# run: (\w+) on (.+)", text):
            program[run[1]](json.loads(run[2]))
        return render(program.warnings)
    except RaspError as error:
        return str(error)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_is_said_as_reviewed(path: Path) -> None:
    golden = path.with_suffix(".txt")
    said = said_about(path) + "\n"
    if os.environ.get("RASP_WRITE_GOLDEN"):
        golden.write_text(said, "utf-8")
    assert said == golden.read_text("utf-8")


def test_json_for_tools() -> None:
    source = Source("x = 1\ny = 2;\n", "f.rasp")
    one = Diagnostic("missing-semicolon", "error", "expected `;`", Span(source, 5, 5), "a statement ends with `;`")
    assert json.loads(render_json([one])) == [
        {
            "code": "missing-semicolon",
            "severity": "error",
            "message": "expected `;`",
            "file": "f.rasp",
            "line": 1,
            "column": 6,
            "end_line": 1,
            "end_column": 6,
            "hint": "a statement ends with `;`",
        }
    ]


def test_a_long_line_is_shown_in_part() -> None:
    source = Source("x" * 5_000 + "!" + "y" * 5_000)
    assert all(len(line) < 300 for line in str(Diagnostic("c", "error", "m", Span(source, 5_000, 5_001))).splitlines())


@pytest.mark.parametrize(("word", "hint"), [("lenght", "did you mean `length`?"), ("qqq", None)])
def test_did_you_mean(word: str, hint: str | None) -> None:
    assert did_you_mean(word, ["length", "indices"]) == hint
