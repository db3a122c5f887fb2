"""`rasp dataset`: the same bytes from the same seed, answers that the interpreter gives, nothing half-written."""

import errno
import hashlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

import compiler
import compiler.programs.library
import rasp as language
from compiler.programs.dataset import read, write
from rasp.value import to_python
from tests.places import RASP

SOME = ("reverse", "neighbours/trend", "elementwise/sine", "decoders/copy")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A test bed of a few programs."""
    folder = tmp_path_factory.mktemp("beds") / "bed"
    write(folder, compiler.programs.library.chosen(SOME), seed=7, examples=30)
    return folder


@pytest.mark.slow
def test_other_processes_write_the_same_bytes(bed: Path, tmp_path: Path) -> None:
    """In two processes and in one, under other hash seeds, from other directories."""
    for number, jobs in enumerate(("1", "2")):
        words = ["dataset", *SOME, "-o", "bed", "--seed", "7", "--examples", "30", "--jobs", jobs]
        home = tmp_path / str(number)
        home.mkdir()
        environment = {**os.environ, "PYTHONHASHSEED": str(number + 1)}
        command = [RASP, *words]
        done = subprocess.run(command, capture_output=True, text=True, cwd=home, env=environment, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert contents(home / "bed") == contents(bed)


def test_the_index_has_the_hash_of_every_file(bed: Path) -> None:
    index = json.loads((bed / "index.json").read_text())
    listed = {f"{p['name']}/{file}": digest for p in index["programs"] for file, digest in p["sha256"].items()}
    found = {name: hashlib.sha256(data).hexdigest() for name, data in contents(bed).items() if name != "index.json"}
    assert listed == found
    assert (index["format"], index["seed"], index["examples"]) == ("rasp-dataset", 7, 30)
    assert [p["name"] for p in index["programs"]] == list(SOME)


def test_the_command_names_the_hash_of_the_index(rasp, tmp_path: Path) -> None:
    done = rasp("dataset", "reverse", "-o", str(tmp_path / "bed"), "--examples", "5", "--jobs", "1")
    digest = hashlib.sha256((tmp_path / "bed" / "index.json").read_bytes()).hexdigest()
    expected = f"{tmp_path / 'bed'}: 1 program, 5 examples, sha256 of the index {digest}\n"
    assert (done.code, done.out, done.err) == (0, expected, "")


def test_nothing_says_where_it_was_written(bed: Path) -> None:
    root = str(Path(language.__file__).parent.parent).encode()
    assert [name for name, data in contents(bed).items() if root in data or str(bed.parent).encode() in data] == []


def test_every_answer_is_the_interpreters_and_the_models(bed: Path) -> None:
    for case in read(bed):
        assert len(case.examples) == 30
        for tokens, answers in case.examples:
            assert answers == {name: case.program[name](tokens) for name in case.program.outputs}
            assert answers == {name: case.model.run(tokens, name) for name in answers}


def test_the_inputs_are_different_and_within_the_settings(bed: Path) -> None:
    for case in read(bed):
        inputs = [tokens for tokens, _ in case.examples]
        settings = case.program.settings
        assert len({json.dumps(tokens) for tokens in inputs}) == len(inputs)
        assert settings.max_length is not None and settings.vocab is not None
        assert all(1 <= len(tokens) <= settings.max_length for tokens in inputs)
        assert {token for tokens in inputs for token in tokens} <= {to_python(token) for token in settings.vocab}
        given = [list(map(to_python, example.input)) for example in settings.examples]
        assert inputs[: len(given)] == given


def test_the_checkpoint_and_the_provenance_are_those_of_the_program(bed: Path, tmp_path: Path) -> None:
    [reverse, *_] = read(bed)
    program = language.load(bed / "reverse" / "program.rasp")
    compiler.compile(program).save(tmp_path / "reverse")
    weights = "model.safetensors"
    assert (tmp_path / "reverse" / weights).read_bytes() == (reverse.folder / "model" / weights).read_bytes()
    record = json.loads((bed / "reverse" / "provenance.json").read_text())
    assert {"L0H0", "L1H0"} <= {node["id"] for node in record["nodes"]}


def test_another_seed_gives_other_examples_and_the_same_models(bed: Path, tmp_path: Path) -> None:
    write(tmp_path / "bed", compiler.programs.library.chosen(["reverse"]), seed=8, examples=30)
    here, there = contents(bed / "reverse"), contents(tmp_path / "bed" / "reverse")
    assert {name for name in here if here[name] != there[name]} == {"examples.jsonl"}


@pytest.mark.slow
def test_the_programs_written_before_change_nothing(tmp_path: Path) -> None:
    """Programs share nodes, and one that is still there must not order the heads of the next."""
    name = "words/first_letter_to_end"
    write(tmp_path / "alone", compiler.programs.library.chosen([name]), examples=3)
    write(
        tmp_path / "last",
        compiler.programs.library.chosen(["words/abbreviation", "words/capitalise", name]),
        examples=3,
    )
    assert contents(tmp_path / "alone" / name) == contents(tmp_path / "last" / name)


def test_few_inputs_are_all_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inputs without an answer, and inputs that are not meant, are left out."""
    (tmp_path / "shelf").mkdir()
    text = "#@ vocab: [0, 1, 2]\n#@ max_length: 1\n#@ requires: meant\n#@ output: inverse\nmeant = tokens_int < 2;\n"
    (tmp_path / "shelf" / "inverse.rasp").write_text(text + "inverse = 1 / tokens_int;\n")
    monkeypatch.setattr(compiler.programs.library, "shipped_programs", lambda: tmp_path / "shelf")
    write(tmp_path / "bed", list(compiler.library()), examples=10)
    assert (
        tmp_path / "bed" / "inverse" / "examples.jsonl"
    ).read_text() == '{"input": [1], "answers": {"inverse": [1]}}\n'


def test_a_test_bed_is_replaced_and_anything_else_left_alone(rasp, tmp_path: Path) -> None:
    bed = tmp_path / "bed"
    for name in ("reverse", "length"):
        write(bed, compiler.programs.library.chosen([name]), examples=3)
        assert sorted(path.name for path in bed.iterdir()) == ["index.json", name]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("water the plants\n")
    done = rasp("dataset", "reverse", "-o", str(tmp_path / "mine"), "--jobs", "1")
    assert (done.code, done.out) == (2, "")
    assert "mine exists and is not a data set, so it is left alone" in done.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bed", "mine"]
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("file", "where"),
    [
        ("program.rasp", "bed"),
        ("labels.json", "bed/reverse/model"),
        ("provenance.json", "bed/reverse/model"),
        ("examples.jsonl", "bed"),
        ("index.json", "bed"),
    ],
)
def test_a_full_disk_is_told_of_the_folder_that_was_given(
    file: str, where: str, rasp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not of the hidden one that is written first."""
    monkeypatch.chdir(tmp_path)
    write(Path("bed"), compiler.programs.library.chosen(["length"]), examples=3)
    before, written = contents(Path("bed")), Path.write_text

    def write_text(path: Path, *given: Any, **options: Any) -> int:
        if path.name == file:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return written(path, *given, **options)

    monkeypatch.setattr(Path, "write_text", write_text)
    assert rasp("dataset", "reverse", "-o", "bed", "--jobs", "1", "--examples", "3") == (
        2,
        "",
        f"error[model]: cannot write {where}: No space left on device\n"
        "  hint: is the disk full? what was there is left alone\n",
    )
    assert contents(Path("bed")) == before
    assert [path.name for path in tmp_path.iterdir()] == ["bed"]


def test_a_refused_program_is_named_and_nothing_is_written(rasp, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "shelf").mkdir()
    (tmp_path / "shelf" / "wild.rasp").write_text("#@ output: answer\nanswer = tokens;\n")
    monkeypatch.setattr(compiler.programs.library, "shipped_programs", lambda: tmp_path / "shelf")
    done = rasp("dataset", "-o", str(tmp_path / "bed"), "--jobs", "1")
    assert (done.code, done.out) == (2, "")
    assert "the program declares no vocabulary" in done.err
    assert "in the program wild" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["shelf"]


def test_a_model_that_differs_is_refused(rasp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler.Transformer, "run_batch", lambda model, inputs, name: [[0] for _ in inputs])
    done = rasp("dataset", "reverse", "-o", str(tmp_path / "bed"), "--jobs", "1")
    assert (done.code, done.out) == (2, "")
    assert "reverse: the model differs from the interpreter on " in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["reverse/examples.jsonl", "reverse/model/model.safetensors", "reverse/program.rasp"])
def test_a_changed_file_is_noticed(name: str, tmp_path: Path) -> None:
    write(tmp_path / "bed", compiler.programs.library.chosen(["reverse"]), examples=3)
    path = tmp_path / "bed" / name
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(compiler.ModelError, match="is not the file that was written"):
        read(tmp_path / "bed")


def test_what_is_no_test_bed_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(compiler.ModelError, match="is not a data set"):
        read(tmp_path)
