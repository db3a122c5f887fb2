"""The recorded answers of the original, printed by the console: the bytes the original prints for these values.

The original rounds binary floats, the console exact fractions: here both become text.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from rasp.console.console import Console
from rasp.console.session import Session
from tests.places import ROOT

FILES = sorted((ROOT / "tests" / "rasp" / "golden").glob("*.jsonl"))
LISTED = set(re.findall(r"`([a-z]+-\d+)`", (ROOT / "docs" / "differences.md").read_text("utf-8")))


def rows(path: Path) -> list[dict[str, Any]]:
    """The rows that agree, of the kinds that are printed by their values."""
    read = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [row for row in read if "expr" in row and row["id"] not in LISTED and row["id"] != "programs-065"]


def cell(value: Any) -> str:
    if isinstance(value, bool):
        return "T" if value else "F"
    return str(round(value, 3) if isinstance(value, float) else value)


def printed(row: dict[str, Any]) -> str | None:
    """The end of what the original prints, None where the kind of value is not looked at here."""
    result = row["result"]
    values = result.get("values")
    if not result["ok"]:
        return "error["
    if result["kind"] == "s-op":
        same = len(set(values)) == 1 and len(values) > 1
        shown = f"[{cell(values[0])}]*{len(values)}" if same else f"[{', '.join(map(cell, values))}]"
        return f") = {shown} ({result['type']})"
    if result["kind"] == "selector":
        tokens = [str(token) for token in row["input"]]
        lines = [
            f" \t\t\t {token} | " + " ".join(" 1"[on] for on in line)
            for token, line in zip(tokens, values, strict=True)
        ]
        return "\n".join([" \t Example:", " \t\t\t     " + " ".join(tokens), *lines])
    if result["kind"] == "atom" and isinstance(values, (bool, int, float, str)):
        return f' =  "{values}"' if isinstance(values, str) else f" =  {values}"
    return None


def answered(row: dict[str, Any]) -> str:
    """What the console says to the row's expression."""
    written: list[str] = []
    session = Session(Console(written.append))
    given = row["input"]
    session.line("set example " + (f'"{given}"' if isinstance(given, str) else str(given)))
    for line in row.get("source", "").split("\n"):
        session.line(line)
    written.clear()
    session.line(row["expr"] + ";")
    return "\n".join(written)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_recorded_answers_are_printed_as_the_original_prints_them(path: Path) -> None:
    for row in rows(path):
        wanted, said = printed(row), answered(row)
        if wanted == "error[":
            assert wanted in said, (row["id"], said)
        elif wanted is not None:
            assert said.endswith(wanted), (row["id"], wanted, said)
