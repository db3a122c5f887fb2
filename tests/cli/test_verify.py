"""`rasp verify`: the verdict, the exit code, and one JSON object."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import compiler
import rasp
from compiler.cli import main
from compiler.runtime import checkpoint

TEXT = '#@ vocab: "abc"\n#@ max_length: 5\nanswer = selector_width(select(tokens, tokens, ==));'


def made(folder: Path, damage: bool = False) -> Path:
    compiled = compiler.compile(rasp.parse(TEXT))
    state = dict(compiled.model.state_dict())
    if damage:
        state["unembed.W_U"] = -state["unembed.W_U"]
    checkpoint.save(folder, compiled.weights.config, state, compiled.weights.labels)
    return folder


def test_a_checkpoint_is_verified(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = made(tmp_path / "model")
    assert main(["verify", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("verified: ")
    assert "for answer on inputs of 1 to 5 of the 3 tokens a b c, bidirectional" in shown
    assert main(["verify", str(folder), "--all"]) == 0
    assert "L0H0, BOS sees itself alone: margin" in capsys.readouterr().out


def test_a_changed_checkpoint_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = made(tmp_path / "model", damage=True)
    assert main(["verify", str(folder)]) == 1
    assert capsys.readouterr().out.startswith("NOT verified: output answer, best logit of 5")


def test_the_verdict_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(made(tmp_path / "good")), "--json"]) == 0
    good = json.loads(capsys.readouterr().out)
    assert good["verified"] and good["reason"] is None and good["settings"]["max_length"] == 5
    assert all(decision["error"] < decision["margin"] for decision in good["decisions"])
    assert main(["verify", str(made(tmp_path / "bad", damage=True)), "--json"]) == 1
    bad = json.loads(capsys.readouterr().out)
    assert not bad["verified"] and bad["reason"]


def test_what_is_no_checkpoint_is_a_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", str(tmp_path)]) == 2
    assert "not a checkpoint" in capsys.readouterr().err
