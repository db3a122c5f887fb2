"""`rasp info`: what a checkpoint is for, how it generates, and which part computes which variable."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import compiler
import rasp as language
from compiler.observe.provenance import provenance


def test_how_a_model_generates_is_said(rasp, tmp_path: Path) -> None:
    compiler.compile(language.load("programs/decoders/sort.rasp")).save(tmp_path / "sort")
    out = rasp("info", str(tmp_path / "sort")).out
    assert "generates: next is the next token; a text ends with ." in out.splitlines()


def test_a_model_that_does_not_generate_says_nothing_of_it(rasp, room: Path) -> None:
    assert "generates" not in rasp("info", "reversed").out


def test_provenance_says_what_computes_which_variable(rasp, room: Path) -> None:
    done = rasp("info", "reversed", "--provenance")
    assert done.code == 0
    head, *rows = [[cell.strip() for cell in line.split(" | ")] for line in done.out.splitlines()]
    assert head == ["variable", "lines", "there after", "computed by", "columns"]
    found = {row[0]: row[1:] for row in rows}
    told = {
        variable["name"]: variable for variable in json.loads(Path("reversed/provenance.json").read_text())["variables"]
    }
    assert set(found) == set(told)
    assert found["length"][:3] == ["", "L0 attention", "L0H0"]
    assert found["reversed"][:3] == ["6", "L1 attention", "L1H0"]
    assert found["tokens"][1:3] == ["the embedding", "embed"]
    for name, (_, _, _, columns) in found.items():
        places = dict.fromkeys(entry["column"] for entry in told[name]["read"] + told[name]["columns"])
        assert columns == " ".join(map(str, places))


@pytest.mark.parametrize("name", ["sort", "paper/dyck_2_ptf", "double_histogram"])
def test_ranges_of_neurons_stand_for_all_of_them(rasp, tmp_path: Path, name: str) -> None:
    made = compiler.compile(language.load(f"programs/{name}.rasp"), max_length=8)
    made.save(tmp_path / "saved")
    lines = rasp("info", str(tmp_path / "saved"), "--provenance").out.splitlines()[1:]
    for line, variable in zip(lines, provenance(made.model)["variables"], strict=True):
        listed = line.split(" | ")[3].split()
        spread: list[str] = []
        for part in listed:
            first, _, last = part.partition("-")
            layer, kind, number = first.partition("N")
            spread += [f"{layer}{kind}{i}" for i in range(int(number), int(last) + 1)] if last else [first]
        assert spread == variable["nodes"]


def test_provenance_needs_labels(rasp, room: Path) -> None:
    done = rasp("info", "notes", "--provenance")
    assert done.code == 2 and "config.json" in done.err
