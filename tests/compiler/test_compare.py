"""A check finds what is wrong, makes it small, and counts what it could not compare."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import compiler
import rasp
from compiler import checkpoint
from compiler.compare import Report, check
from compiler.model import Config, Transformer
from rasp import Program

ROOT = Path(__file__).parent.parent.parent
HISTOGRAM = '#@ vocab: "abc"\n#@ max_length: 6\no = selector_width(select(tokens, tokens, ==));'


def reference(text: str = HISTOGRAM) -> Program:
    return rasp.parse(text)


def small(target: Program | Path, **settings: int) -> Report:
    return check(target, samples=60, max_exhaustive=60, **settings)


def test_a_right_program_passes_at_every_stage() -> None:
    report = small(reference())
    assert report.ok
    assert report.stages == ["graph", "circuit", "weights", "model"]
    assert (report.short, report.random, report.skipped) == (60, 60, 0)
    assert "agree with the interpreter" in str(report)


def test_all_inputs_are_tried_where_they_are_few() -> None:
    report = check(rasp.parse('#@ vocab: "ab"\n#@ max_length: 3\no = tokens;'), samples=0)
    assert report.short == 2 + 4 + 8
    assert report.ok


def saved(tmp_path: Path, text: str = HISTOGRAM) -> Path:
    compiler.compile(reference(text)).save(tmp_path / "saved")
    return tmp_path / "saved"


def with_changed_weight(folder: Path, name: str, place: tuple[int, ...], by: float) -> None:
    """Change one stored number and sign the checkpoint again, as someone who edits weights would."""
    tensors = load_file(folder / checkpoint.WEIGHTS)
    tensors[name][place] += by
    model = checkpoint.load(folder)
    checkpoint.save(folder, shape_of(folder), tensors, model.labels)


def shape_of(folder: Path) -> dict[str, Any]:
    """The config as it was before the checkpoint added its own fields."""
    data = json.loads((folder / checkpoint.CONFIG).read_text())
    return {key: value for key, value in data.items() if key not in ("format", "version", "sha256")}


def test_a_saved_model_passes(tmp_path: Path) -> None:
    report = small(saved(tmp_path))
    assert report.ok
    assert report.stages == ["model"]


def test_one_changed_weight_is_found_and_the_input_made_small(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    with_changed_weight(folder, "unembed.W_U", (0, 5), 1e6)  # the logit of 6
    report = small(folder)
    assert not report.ok
    (difference,) = report.differences
    assert (difference.stage, difference.output) == ("model", "o")
    assert difference.tokens == ("a",)
    assert difference.expected == [1] and difference.found == [6]
    assert "model differs from the interpreter in o" in str(report)


def test_a_difference_that_needs_two_tokens_shrinks_to_two(tmp_path: Path) -> None:
    """With the answer for 2 made unreachable, the smallest inputs that tell have a token twice."""
    folder = saved(tmp_path)
    with_changed_weight(folder, "unembed.W_U", (0, 1), -1e6)  # the logit of 2
    report = small(folder)
    (difference,) = report.differences
    assert difference.tokens == ("a", "a")
    assert difference.expected == [2, 2] != difference.found


def test_a_difference_on_rare_inputs_is_found_by_the_random_ones(tmp_path: Path) -> None:
    text = HISTOGRAM.replace("6", "24")
    folder = saved(tmp_path, text)
    with_changed_weight(folder, "unembed.W_U", (0, 8), -1e7)  # the logit of 9
    report = check(folder, samples=200, max_exhaustive=20)
    (difference,) = report.differences
    assert len(difference.tokens) == 9 and len(set(difference.tokens)) == 1


def test_an_untouched_copy_of_a_changed_model_is_told_apart(tmp_path: Path) -> None:
    """A zero change is no change: the test above fails for the weight, not for the signing."""
    folder = saved(tmp_path)
    with_changed_weight(folder, "unembed.W_U", (0, 2), 0.0)
    assert small(folder).ok


def test_inputs_without_an_answer_are_skipped_and_counted() -> None:
    some = rasp.parse('#@ vocab: "abc"\n#@ max_length: 3\no = {"a": 1, "b": 2}[tokens]; # "c" has no answer')
    report = check(some, samples=0, max_exhaustive=39)
    short = sum(3**n - 2**n for n in (1, 2, 3))
    assert short <= report.skipped <= short + report.awkward
    assert "skipped" in str(report)


def test_a_check_that_skips_more_than_half_fails() -> None:
    most = rasp.parse('#@ vocab: "abc"\n#@ max_length: 6\no = {"a": 1}[tokens];')
    report = check(most, samples=200)
    assert 2 * report.skipped > report.short + report.random + report.awkward
    assert not report.differences
    assert not report.ok
    assert "too few" in str(report)


def test_a_check_that_compares_nothing_fails() -> None:
    none = rasp.parse('#@ vocab: "a"\n#@ max_length: 3\no = 1 / (length - length) + {"a": 1}[tokens] - 1 / indices;')
    with pytest.raises(rasp.RaspError):
        check(none)


def test_the_same_seed_gives_the_same_report(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    with_changed_weight(folder, "unembed.W_U", (0, 3), -1e6)
    assert str(small(folder, seed=4)) == str(small(folder, seed=4))


def test_the_same_seed_gives_the_same_inputs_in_every_process() -> None:
    code = "import random; from compiler.compare import _awkward as a; print(*a(tuple('abcd'), 9, random.Random(0)))"
    runs = [
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": seed},
        )
        for seed in ("0", "1")
    ]
    assert len({run.stdout for run in runs}) == 1


def test_progress_is_told_up_to_the_end() -> None:
    told: list[tuple[int, int]] = []
    report = check(reference(), samples=300, max_exhaustive=30, progress=lambda done, total: told.append((done, total)))
    total = report.short + report.random + report.awkward
    assert told[-1] == (total, total)
    assert told == sorted(told)


def test_an_ablated_model_is_wrong(tmp_path: Path) -> None:
    """Zeroing any tensor of a small model changes an answer: no weight is there for show."""
    folder = saved(tmp_path)
    model = compiler.load(folder)
    inputs = ["abcabc", "aab", "c", "bbbbbb"]
    right = model.run_batch(inputs)
    state = model.state_dict()
    for name in state:
        broken = Transformer(Config.from_json(shape_of(folder)))
        broken.load_state_dict(state | {name: torch.zeros_like(state[name])})
        assert broken.run_batch(inputs) != right, name
