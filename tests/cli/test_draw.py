"""`rasp draw`: the flow of a computation, printed or written as a picture."""

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.cli.conftest import Rasp


def test_it_prints_the_flow(rasp: Rasp, room: Path) -> None:
    done = rasp("draw", "reverse.rasp", "abc")
    assert done.code == 0
    assert done.err == ""
    assert done.out.splitlines()[0] == "input   a b c"
    assert "reversed = [c, b, a] (strings)" in done.out


def test_it_writes_svg_without_graphviz(rasp: Rasp, room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert rasp("draw", "reverse.rasp", "abc", "-o", "flow.svg") == (0, "wrote flow.svg\n", "")
    assert ElementTree.parse("flow.svg").getroot().tag.endswith("svg")
    done = rasp("draw", "reverse.rasp", "abc", "-o", "flow.png")
    assert done.code == 2
    assert "graphviz is not installed" in done.err
    assert "hint: install graphviz (https://graphviz.org), or choose a name that ends in .svg" in done.err
    assert not Path("flow.png").exists()


def test_it_draws_the_s_op_that_is_asked_for(rasp: Rasp, room: Path) -> None:
    assert "doubled = [0, 2] (ints)" in rasp("draw", "reverse.rasp", "ab", "--output", "doubled").out
    assert "reversed = [2, 1] (strings)" in rasp("draw", "reverse.rasp", "--list", "[1, 2]").out


def test_it_shows_values_as_run_prints_them(rasp: Rasp, room: Path) -> None:
    (room / "mean.rasp").write_text("#@ vocab: [1, 2]\nmean = aggregate(select(1, 1, ==), tokens_asis);\n")
    assert "mean = [2]*2 (ints)" in rasp("draw", "mean.rasp", "22").out
    assert rasp("run", "mean.rasp", "22").out == "[2]*2 (ints)\n"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("reverse.rasp", "ab", "-o", "flow.doc"), "is no picture"),
        (("reversed", "ab"), "is a folder"),
        (("missing.rasp", "ab"), "there is no file"),
        (("division.rasp", "ab"), "division by zero"),
        (("broken.rasp", "ab"), "error["),
        (("reverse.rasp", ""), "at least one token"),
        (("reverse.rasp", "ab", "-o", "nowhere/flow.svg"), "No such file"),
    ],
)
def test_a_mistake_is_explained(rasp: Rasp, room: Path, words: tuple[str, ...], complaint: str) -> None:
    done = rasp("draw", *words)
    assert done.code == 2
    assert complaint in done.err
    assert "Traceback" not in done.err
    assert done.out == ""
