"""Drawings: the flow of a computation as a picture, layer by layer."""

from __future__ import annotations

import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

import rasp
from rasp.ask.drawing import Flow, flow, render, texts, write
from rasp.ask.picture import svg
from rasp.meaning.sop import reachable
from rasp.meaning.tapes import named
from tests.places import PROGRAMS
from tests.rasp.test_picture import cells
from tests.rasp.test_picture import texts as shown


def drawn(path: str, tokens: str) -> Flow:
    program = rasp.load(PROGRAMS / path)
    return flow(program.node(program.outputs[0]), tokens, program.names, program.settings.attention == "causal")


def test_a_layer_shows_its_selectors_what_they_fetch_and_what_comes_of_it() -> None:
    picture = drawn("reverse.rasp", "abc")
    found = shown(picture.svg())
    for text in ("input", "layer 1", "layer 2", "length", "opposite", "select(indices, ((length - 1) - indices), ==)"):
        assert text in found
    at = found.index("reverse")
    assert found[at + 1 : at + 4] == ["c", "b", "a"]
    [full, opposite] = [head for layer in picture.layers for head in layer.heads]
    assert cells(svg(opposite.box(), ""), 3) == {(0, 2), (1, 1), (2, 0)}
    assert full.rows == [[True] * 3] * 3


def test_what_is_computed_position_by_position_stands_below_the_heads() -> None:
    found = shown(drawn("paper/dyck_2_ptf.rasp", "({})}").svg())
    start = found.index("depth = (opened - closed)")
    assert found[start + 1 : start + 6] == ["1", "2", "1", "0", "-1"]
    assert found.index("then, position by position") < start
    assert found[-5:] == list("PPPTF")


def test_an_aggregate_without_a_name_is_not_spelled_out_twice() -> None:
    found = shown(drawn("sort.rasp", "cab").svg())
    assert "selector_width" in found
    assert not any(text.startswith("selector_width(") for text in found)


@pytest.mark.parametrize("path", ["sort.rasp", "paper/most_frequent.rasp", "decoders/induction.rasp"])
@pytest.mark.parametrize("length", [1, 5, 40])
def test_every_length_gives_a_well_formed_picture(path: str, length: int) -> None:
    root = ElementTree.fromstring(drawn(path, ("abcde" * length)[:length]).svg())
    assert root.get("role") == "img"


def test_hostile_tokens_are_texts() -> None:
    program = rasp.parse("same = select(tokens, tokens, ==); n = selector_width(same);")
    hostile = ["</text><script>", "a&b", "\x00"]
    picture = flow(program.node("n"), hostile, program.names).svg()
    assert {"</text><script>"[:13] + "…", "a&b", "\ufffd"} <= set(shown(picture))


def test_a_picture_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = drawn("reverse.rasp", "abc")
    write(picture, tmp_path / "flow.svg")
    assert (tmp_path / "flow.svg").read_text(encoding="utf-8") == picture.svg()
    monkeypatch.setenv("PATH", "")
    (tmp_path / "flow.pdf").write_text("old")
    with pytest.raises(OSError, match="graphviz is not installed"):
        write(picture, tmp_path / "flow.pdf")
    assert (tmp_path / "flow.pdf").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["flow.pdf", "flow.svg"]
    assert render(picture, "x") == []


def test_the_names_of_parts_are_used_within_larger_parts() -> None:
    program = rasp.parse("a = indices + 1; b = a * a;")
    assert list(texts(reachable([program.node("b")]), program.names).values())[-1] == "b"
    unnamed = {node: name for node, name in program.names.items() if name != "b"}
    assert list(texts(reachable([program.node("b")]), unnamed).values())[-1] == "(a * a)"


@pytest.mark.skipif(shutil.which("dot") is None, reason="graphviz is not installed")
def test_graphviz_makes_pdf_and_png(tmp_path: Path) -> None:
    picture = drawn("reverse.rasp", "abc")
    for kind, magic in (("pdf", b"%PDF"), ("png", b"\x89PNG")):
        write(picture, tmp_path / f"flow.{kind}")
        assert (tmp_path / f"flow.{kind}").read_bytes().startswith(magic)


def test_a_graphviz_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hang(*args: object, **kwargs: object) -> None:
        raise subprocess.TimeoutExpired("dot", 30)

    monkeypatch.setattr(shutil, "which", lambda name: "/bin/dot")
    monkeypatch.setattr(subprocess, "run", hang)
    with pytest.raises(OSError, match="took more than"):
        write(drawn("reverse.rasp", "abc"), tmp_path / "flow.pdf")


def test_cross_attention_is_a_grid_of_target_by_source_and_each_table_stands_on_its_tape() -> None:
    program = rasp.load(PROGRAMS / "seq2seq" / "sort.rasp")
    names = named([program.placed(program.node("next"))], program.instances, program.called)
    target = program.settings.read_target("ab")
    picture = flow(program.placed(program.node("next")), target, names, True, source="baab")
    found = shown(picture.svg())
    assert found[found.index("source") : found.index("source") + 5] == ["source", *"baab"]
    assert found[found.index("target") : found.index("target") + 4] == ["target", "<start>", "a", "b"]
    [before, cross] = [head for layer in picture.layers for head in layer.heads]
    assert cells(svg(cross.box(), ""), 4, 3) == {(0, 1), (1, 2), (2, 0)}
    assert found[found.index("next") :][:4] == ["next", "a", "a", "b"]
    assert (len(before.rows), len(cross.rows), len(cross.rows[0])) == (4, 3, 4)
    assert '"input: b a a b, target: <start> a b"' in picture.dot()


def test_a_table_of_steps_has_the_tokens_of_its_tape() -> None:
    header = '#@ source: "abc"\n#@ vocab: "abc."\n'
    text = 'isa = source == "a"; n = aggregate(select(isa, True, ==), indices); m = n + 1 if tokens == "b" else 0;'
    program = rasp.parse(header + text)
    node = program.placed(program.node("m"))
    picture = flow(
        node, program.settings.read_target("bb"), named([node], program.instances, program.called), True, source="cab"
    )
    [isa] = [step for step in picture.layers[0].steps if step.name == "isa"]
    [m] = [step for step in picture.layers[1].steps if step.name == "m"]
    assert (isa.tokens, m.tokens) == ([*"cab"], ["<start>", "b", "b"])
    assert ElementTree.fromstring(picture.svg()).get("role") == "img"
