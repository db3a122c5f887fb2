"""The recorded answers of the original interpreter: every row agrees, or docs/differences.md lists it with the reason.

A listed row that does agree is a mistake in the list.
"""

from __future__ import annotations

import json
import math
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from rasp.meaning.interpreter import evaluate
from rasp.meaning.sop import Node, Selector
from rasp.running.elaborate import Elaborator
from rasp.running.environment import Function
from rasp.text.parser import parse_text
from rasp.text.source import RaspError
from rasp.value import kind_of_all, to_python

HERE = Path(__file__).parent
ROWS = [
    json.loads(line)
    for path in sorted((HERE / "golden").glob("*.jsonl"))
    for line in path.read_text("utf-8").splitlines()
]
LISTED = set(
    re.findall(
        r"`((?:atoms|ast|fuzz|lib|programs|quirks|sops)-\d+)`",
        (HERE.parent.parent / "docs" / "differences.md").read_text("utf-8"),
    )
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_agrees_or_is_listed(row: dict[str, Any]) -> None:
    agrees = tree_agrees(row) if "ast" in row else answer_agrees(row)
    assert agrees != (row["id"] in LISTED)


def test_every_listed_row_exists() -> None:
    assert {row["id"] for row in ROWS} >= LISTED


def tree_agrees(row: dict[str, Any]) -> bool:
    parsed = parse_text(row["ast"] + "\n")
    if not row["result"]["ok"]:
        return bool(parsed.diagnostics)
    return str(parsed.module) == row["result"]["tree"]


def answer_agrees(row: dict[str, Any]) -> bool:
    try:
        value = answer(row)
    except RaspError:
        return not row["result"]["ok"]
    return row["result"]["ok"] and same(row["result"], value)


def answer(row: dict[str, Any]) -> Any:
    run = Elaborator()
    run.run_all(parse_text(row.get("source", "")).statements)
    parsed = parse_text(row["expr"] + ";")
    if parsed.diagnostics:
        raise RaspError(*parsed.diagnostics)
    value = run.evaluate(parsed.statements[0].expression)
    if not isinstance(value, Node):
        return value
    return "selector" if isinstance(value, Selector) else "s-op", evaluate(value, row["input"])


def same(result: dict[str, Any], value: Any) -> bool:
    match result["kind"]:
        case "s-op":
            kind, values = value
            close = all(close_to(a, b) for a, b in zip(values, result["values"], strict=True))
            return kind == "s-op" and close and f"{kind_of_all(values)}s" == result["type"]
        case "selector":
            return value == ("selector", result["values"])
        case "function":
            return isinstance(value, Function)
        case "dict":
            return plain([list(item) for item in value.items()]) == result["values"]
        case "list":
            return plain(value) == result["values"]
        case _:
            return plain(value) == result["values"] and type(plain(value)).__name__ == result["type"]


def close_to(a: Any, b: Any) -> bool:
    """Equal, or equal up to the rounding that only the original does."""
    if isinstance(a, Fraction) and not isinstance(b, str):
        return math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-12)
    return bool(a == b)


def plain(value: Any) -> Any:
    return [plain(item) for item in value] if isinstance(value, list) else to_python(value)
