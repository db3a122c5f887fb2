"""A program comes back from the checkpoint alone, with the files that it loads."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

import pytest
import torch

import compiler
import rasp
from compiler.cli import main
from compiler.hosts import HOSTS, Page
from compiler.hosts.card import card
from compiler.hosts.verify import Verification
from compiler.hosts.verify import verify as compared
from compiler.model import ModelError
from compiler.observe.view import show
from compiler.runtime.checkpoint import program
from compiler.runtime.origin import program_of
from compiler.trust.compare import check
from compiler.trust.verify import verify

DEEP = "def twice(x) { return 2 * x; }"
PART = 'load "sub/deep";\nsame = selector_width(select(tokens, tokens, ==));'
MAIN = '#@ vocab: "ab"\n#@ max_length: 4\n#@ output: o\nload "part";\no = twice(same);'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A checkpoint of a program that loads two files, one of them below its folder; the sources are gone."""
    home = tmp_path / "home"
    (home / "sub").mkdir(parents=True)
    (home / "sub" / "deep.rasp").write_text(DEEP)
    (home / "part.rasp").write_text(PART)
    (home / "main.rasp").write_text(MAIN)
    compiler.compile(rasp.load(home / "main.rasp")).save(tmp_path / "saved")
    shutil.rmtree(home)
    return tmp_path / "saved"


def test_the_program_comes_back_with_the_files_it_loads(folder: Path) -> None:
    again = program(folder)
    assert again.source.text == MAIN
    assert again.files == {"part": PART, "sub/deep": DEEP}
    assert again["o"]("aba") == compiler.load(folder).run("aba") == [4, 2, 4]


def test_the_certificate_holds_the_hash_of_each_source(folder: Path) -> None:
    hashes = json.loads((folder / "certificate.json").read_text())["sha256"]
    assert hashes["program"] == hashlib.sha256(MAIN.encode()).hexdigest()
    assert hashes["files"] == {
        "part": hashlib.sha256(PART.encode()).hexdigest(),
        "sub/deep": hashlib.sha256(DEEP.encode()).hexdigest(),
    }


def test_every_reader_of_a_checkpoint_has_the_files(folder: Path) -> None:
    model = compiler.load(folder)
    assert check(folder, samples=20, max_exhaustive=20).ok
    assert check(folder, samples=20, max_exhaustive=20, jobs=2).ok
    assert verify(folder).ok
    assert show(model, "aba")
    assert compared(model, lambda rows: [model(torch.tensor([row]))[0].detach() for row in rows], "itself").inputs > 20
    assert main(["check", str(folder), "--samples", "10", "--seconds", "0"]) == 0


def test_the_card_of_an_export_shows_the_files(folder: Path) -> None:
    result = Verification(1, 0, 0.0, 0.0, 32.0, 0.0)
    text = card(compiler.load(folder), HOSTS["onnx"], Page("", {}), result)
    assert MAIN in text and PART in text and DEEP in text
    assert text.index("sub/deep.rasp") < text.index(DEEP)


def test_in_a_program_of_several_processes_the_files_are_those_that_were_read(tmp_path: Path) -> None:
    """What is checked is what was compiled, though a file has changed since."""
    (tmp_path / "part.rasp").write_text("part = indices;")
    (tmp_path / "main.rasp").write_text('#@ vocab: "ab"\n#@ max_length: 4\nload "part";\no = part + 1;')
    compiled = compiler.compile(rasp.load(tmp_path / "main.rasp"))
    (tmp_path / "part.rasp").write_text("part = 100 * indices;")
    assert check(compiled, samples=20, max_exhaustive=20, jobs=2).ok


def test_a_checkpoint_without_files_is_read_as_before(tmp_path: Path) -> None:
    compiled = compiler.compile(rasp.parse('#@ vocab: "ab"\n#@ max_length: 4\no = indices;'))
    compiled.save(tmp_path / "saved")
    assert "files" not in compiler.load(tmp_path / "saved").labels["program"]
    assert program(tmp_path / "saved")["o"]("ab") == [0, 1]


def test_a_model_without_labels_has_no_program(folder: Path) -> None:
    model = compiler.load(folder)
    model.labels = {}
    with pytest.raises(ModelError, match="does not say which program"):
        program_of(model)


def test_settings_that_were_changed_come_back_too(tmp_path: Path) -> None:
    changed = rasp.parse("#@ unknown: a\no = tokens;").replace(unknown="b", stop="b", generate="o", attention="causal")
    compiler.compile(changed, vocab="ab", max_length=3).save(tmp_path / "saved")
    model, again = compiler.load(tmp_path / "saved"), program(tmp_path / "saved")
    assert (again.settings.unknown, again.settings.stop, again.settings.generate) == ("b", ("b",), "o")
    assert again["o"]("az") == model.run("az") == ["a", "b"]
    assert verify(tmp_path / "saved").ok
