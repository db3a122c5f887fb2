"""albert: loops in a stock AlbertForTokenClassification, which stores a round's layers once."""

from __future__ import annotations

from pathlib import Path

import pytest

import compiler
import rasp
from compiler.hosts import export
from compiler.model import ModelError
from compiler.pipeline import Compiled
from tests.hosts.fresh import card_prints
from tests.places import PROGRAMS


def loop(name: str, **settings: object) -> Compiled:
    return Compiled(rasp.load(PROGRAMS / "loops" / f"{name}.rasp", **settings))


@pytest.mark.slow
def test_rounds_take_no_more_parameters(tmp_path: Path) -> None:
    from transformers import AutoModelForTokenClassification

    sizes = []
    for rounds in (4, 200):
        export(loop("rule_110", rounds=rounds).model, "albert", tmp_path / str(rounds), samples=20)
        model = AutoModelForTokenClassification.from_pretrained(tmp_path / str(rounds))
        assert type(model).__name__ == "AlbertForTokenClassification"
        assert (model.config.num_hidden_layers, model.config.num_hidden_groups) == (rounds, 1)
        sizes.append(sum(tensor.numel() for tensor in model.parameters()))
    assert sizes[0] == sizes[1]


@pytest.mark.slow
def test_a_round_of_several_layers_is_one_group(tmp_path: Path) -> None:
    made = loop("pointer_doubling")
    assert len(made.model.config.layers) > 1
    assert export(made.model, "albert", tmp_path / "out", samples=60).inputs > 60
    assert card_prints(tmp_path / "out").strip()


@pytest.mark.slow
def test_a_program_without_a_loop_is_run_once(tmp_path: Path) -> None:
    assert export(
        compiler.compile(rasp.load(PROGRAMS / "sort.rasp")).model, "albert", tmp_path / "out", samples=40
    ).inputs


@pytest.mark.parametrize(("name", "said"), [("gcd", "1 before its loop"), ("parity", "1 behind it")])
def test_layers_beside_the_loop_are_refused_by_name(name: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        export(loop(name).model, "albert", tmp_path / "out")
    assert "albert shares all its layers" in str(caught.value) and said in str(caught.value)


def test_more_rounds_than_rows_of_padding_bear_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        export(loop("rule_110", rounds=2000).model, "albert", tmp_path / "out")
    assert "does not set rows of padding to zero" in str(caught.value)
