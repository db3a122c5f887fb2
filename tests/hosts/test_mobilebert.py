"""mobilebert: a handful of programs in a stock MobileBertForTokenClassification, in a process without this project."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from compiler.hosts import export
from compiler.model import ModelError
from tests.hosts.conftest import exported, opened, require_right
from tests.hosts.fresh import compiled

CHOSEN = ["histogram", "sort", "words/isogram", "sequence/fraction_so_far", "paper/double_histogram_bos"]


@pytest.mark.slow
def test_programs_give_the_interpreters_answers(tmp_path: Path) -> None:
    made = exported([compiled(name) for name in CHOSEN], "mobilebert", tmp_path)
    made = [dataclasses.replace(one, prompts=[one.text(q.ids) for q in one.asked[-3:]]) for one in made]
    for one, found in zip(made, opened("classifier", "token-classification", made, tmp_path), strict=True):
        assert found.kind == "MobileBertForTokenClassification"
        require_right(one, found)
        assert found.piped == found.answers[-3:]


@pytest.mark.slow
def test_a_causal_program_is_refused(tmp_path: Path) -> None:
    causal = compiled("o = selector_width(select(1, 1, ==));", vocab="ab", max_length=4, attention="causal")
    with pytest.raises(ModelError, match="sees the whole input") as refused:
        export(causal.model, "mobilebert", tmp_path / "refused")
    assert "gpt2 or llama" in refused.value.hint
    assert not list(tmp_path.iterdir())
