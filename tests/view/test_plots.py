"""Plots: what matplotlib draws is what the model holds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import compiler
import rasp
from compiler.model import ModelError
from compiler.observe.view import plots
from tests.view.conftest import Model


def images(figure: Any) -> dict[str, list[list[float]]]:
    """The matrix of each panel by its title."""
    return {axis.get_title(): axis.images[0].get_array().tolist() for axis in figure.axes if axis.get_visible()}


def test_the_pattern_of_reverse_is_the_other_diagonal(model_of: Model) -> None:
    found = images(plots.patterns(model_of("reverse"), "abcd"))
    assert found["L1H0 reverse"] == [[float(column == 4 - row) for column in range(5)] for row in range(4)]


def test_a_counting_head_shows_what_each_key_adds(model_of: Model) -> None:
    [pattern] = images(plots.patterns(model_of("histogram"), "aba")).values()
    assert [[round(x, 6) for x in row[1:]] for row in pattern] == [[1, 0, 1], [0, 1, 0], [1, 0, 1]]


def test_the_stream_shows_each_direction_in_parts_of_its_largest_size(model_of: Model) -> None:
    model = model_of("histogram")
    found = images(plots.stream(model, "abaa"))
    row = -1  # what is written last
    assert list(found)[:2] == ["embedding", "L0 attention"]
    assert found["embedding"][row] == [0, 0, 0, 0]
    assert found["L0 attention"][row] == pytest.approx([1, 1 / 3, 1, 1], abs=1e-4)


def test_a_constant_that_rounds_is_not_drawn(model_of: Model) -> None:
    figure = plots.stream(model_of("paper/dyck_2_ptf"), "({})")
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    found = images(figure)
    assert found["embedding"][names.index("number")] == [0, 0, 0, 0]
    assert found["L1 attention"][names.index("number")] == [0.5, 0.5, 1, 1]


def test_dollars_and_other_signs_are_texts(tmp_path: Path) -> None:
    model = compiler.compile(rasp.parse("a = tokens;"), output="a", vocab=["$x", "_$^", "%"], max_length=4).model
    plots.stream(model, ["$x", "_$^", "%"]).savefig(tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_text(encoding="utf-8")
    assert "<!-- $x -->" in text and "<!-- _$^ -->" in text
    with pytest.raises(ModelError, match="no heads"):
        plots.patterns(model, ["%"])


def test_without_matplotlib_the_message_says_what_to_install(model_of: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ModelError, match=r"rasp-compiler\[plots\]"):
        plots.patterns(model_of("histogram"), "ab")


def test_plots_of_two_tapes_are_refused(model_of: Model) -> None:
    for plot in (plots.patterns, plots.stream):
        with pytest.raises(ModelError, match="one tape"):
            plot(model_of("seq2seq/copy"), "abc")
