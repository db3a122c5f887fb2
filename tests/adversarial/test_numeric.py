"""Programs with many numbers: of every kind, the same each time, with answers, and right or refused."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

import rasp
from rasp import RaspError
from rasp.meaning.interpreter import evaluate_each
from tests.adversarial.__main__ import summary
from tests.adversarial.judge import judge
from tests.adversarial.numeric import DTYPES, KINDS, WORDS, _tidy, drawn
from tests.adversarial.programs import Case
from tests.places import ROOT


@cache
def cases() -> tuple[Case, ...]:
    return tuple(map(drawn, range(400)))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_comes_up(kind: str) -> None:
    assert sum(kind in case.kinds for case in cases()) >= 0.05 * len(cases())


@pytest.mark.parametrize(
    ("written", "least", "most"),
    [
        ("attention: causal", 0.2, 0.3),
        ("output: .*,", 0.05, 0.25),
        (r"\bnot \(", 0.02, 1),
        (r"\band not \(|\bor not \(|\) (and|or) \(", 0.05, 1),
        (r"else \(.* else", 0.05, 1),
        ('vocab: "abcdef"', 0.1, 0.3),
        (WORDS[-1], 0.02, 0.2),
    ],
)
def test_what_is_written(written: str, least: float, most: float) -> None:
    share = sum(bool(re.search(written, case.text)) for case in cases()) / len(cases())
    assert least <= share <= most


def test_most_are_float32_and_every_dtype_comes_up() -> None:
    dtypes = Counter(case.dtype for case in cases())
    assert set(dtypes) == set(DTYPES)
    assert 0.75 < dtypes["float32"] / len(cases()) < 0.85


def test_everything_drawn_has_an_answer() -> None:
    for case in cases():
        program = rasp.parse(case.text)
        tokens = program.settings.vocab
        assert tokens is not None
        inputs = [tokens[:3], tokens, (tokens[1], tokens[0], tokens[1], tokens[2]), tokens[:1]]
        answers = evaluate_each([program.node(name) for name in program.outputs], inputs, "causal" in case.text)
        assert not all(isinstance(answer, RaspError) for answer in answers), case.text


def test_every_line_is_needed() -> None:
    for case in cases():
        outputs = re.search("output: (.*)", case.text)
        names = re.findall(r"^(\w+) =", case.text, re.MULTILINE)
        assert outputs
        for name in names:
            assert name in outputs[1].split(", ") or len(re.findall(rf"\b{name}\b", case.text)) > 1


def test_a_seed_gives_the_same_case_in_every_process() -> None:
    code = "from tests.adversarial.numeric import drawn; print([drawn(seed) for seed in range(20)])"
    for salt in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": salt, "PYTHONPATH": str(ROOT)}
        found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=ROOT)
        assert found.stdout.strip() == str(list(cases()[:20])), found.stderr


def test_parentheses_that_say_nothing_are_not_written() -> None:
    assert _tidy("(f((a + b), (c)) + (d * e))") == "f(a + b, c) + (d * e)"
    assert _tidy('(x == "(")') == 'x == "("'
    assert _tidy("(a) + (b)") == "(a) + (b)"


def test_some_cases_are_right_or_refused() -> None:
    verdicts = {case.seed: judge(case, lambda stage: None) for case in cases()[164:184]}
    assert {seed: verdict.findings for seed, verdict in verdicts.items() if verdict.findings} == {}


def test_the_summary_tells_kinds_apart(tmp_path: Path) -> None:
    rows = [
        {"outcome": "right", "kinds": ["sum"]},
        {"outcome": "refused", "code": "far", "kinds": ["sum", "bit"], "seconds": {"compile": 3}},
    ]
    path = tmp_path / "found.jsonl"
    path.write_text(
        "".join(f"{json.dumps(row | {'seed': n, 'findings': []})}\n" for n, row in enumerate(rows)), "utf-8"
    )
    said = summary(path)[0]
    assert "sum                2 programs,  50% right  1 far" in said
    assert "seed 1: far after 3.0 s" in said
