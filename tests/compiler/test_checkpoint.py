"""A checkpoint comes back as it was written, or is refused in one clear sentence; nothing is ever half-written."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import compiler
import rasp
from compiler.model import ModelError
from compiler.observe.provenance import provenance
from compiler.observe.trace import trace
from compiler.observe.view.page import page
from compiler.pipeline import Compiled
from compiler.runtime import checkpoint
from compiler.runtime.checkpoint import files, writing
from compiler.trust.compare import check
from rasp import whole
from tests.places import CHECKPOINT, MACHINE, PROGRAMS, ROOT

FILES = [checkpoint.CONFIG, checkpoint.WEIGHTS, checkpoint.LABELS]


@pytest.fixture(scope="module")
def made() -> Compiled:
    source = "o = aggregate(select(indices, length - 1 - indices, ==), tokens);"
    return compiler.compile(rasp.parse(source), vocab="abc", max_length=8)


@pytest.fixture(scope="module")
def other() -> Compiled:
    return compiler.compile(rasp.parse("o = selector_width(select(tokens, tokens, ==));"), vocab="ab", max_length=4)


@pytest.fixture
def folder(made: Compiled, tmp_path: Path) -> Path:
    made.save(tmp_path / "saved")
    return tmp_path / "saved"


def told(compiled: Compiled, folder: Path) -> list[rasp.Diagnostic]:
    """What is said about saving a model."""
    said: list[rasp.Diagnostic] = []
    compiled.save(folder, said.append)
    return said


def change_config(folder: Path, **fields: Any) -> None:
    path = folder / checkpoint.CONFIG
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def refuses(folder: Path, message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        compiler.load(folder)
    assert caught.value.hint


# ------------------------------------------------------------------------------------------------------ there and back


def test_a_loaded_model_is_the_saved_one(made: Compiled, folder: Path) -> None:
    model = compiler.load(folder)
    assert model.config == made.model.config
    assert model.labels == json.loads(json.dumps(made.model.labels))
    assert not model.training
    saved = made.model.state_dict()
    assert all(torch.equal(tensor, saved[name]) for name, tensor in model.state_dict().items())
    assert model.run_batch(["abc", "cab", "a"]) == made.model.run_batch(["abc", "cab", "a"])


def test_the_folder_holds_three_files_the_documents_and_no_pickle(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == sorted([*FILES, *checkpoint.documents(folder)])
    assert all(b"pickle" not in data and not data.startswith(b"PK") for data in contents(folder).values())


def test_saving_twice_gives_the_same_bytes(made: Compiled, folder: Path, tmp_path: Path) -> None:
    made.save(tmp_path / "again")
    assert contents(tmp_path / "again") == contents(folder)


def test_a_fresh_process_runs_it_without_the_language_and_the_compiler(folder: Path) -> None:
    code = f"""
import sys
import compiler.model
import compiler.runtime.checkpoint
model = compiler.runtime.checkpoint.load({str(folder)!r})
assert model.run("abc") == ["c", "b", "a"], model.run("abc")
foreign = {{"rasp", "lark", "networkx"}} & {{name.split(".")[0] for name in sys.modules}}
assert not foreign, foreign
ours = {{name for name in sys.modules if name.startswith("compiler")}}
assert ours == {{"compiler", *{MACHINE}, *{CHECKPOINT}}}, ours
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr


def test_values_of_every_kind_come_back(tmp_path: Path) -> None:
    source = """
    text = tokens + "!";
    number = aggregate(full_s, indicator(tokens == "a"));
    truth = indices > 1;
    """
    program = rasp.parse(source)
    made = compiler.compile(program, ["text", "number", "truth"], vocab="aé", max_length=3)
    made.save(tmp_path / "kinds")
    model = compiler.load(tmp_path / "kinds")
    assert model.run("aéé", "text") == ["a!", "é!", "é!"]
    assert model.run("aéé", "number") == [1 / 3] * 3
    truth = model.run("aéé", "truth")
    assert truth == [False, False, True] and all(type(value) is bool for value in truth)


# --------------------------------------------------------------------------------------------------------------- damage


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    refuses(folder, name)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("keep", [0, 1, 2, -1])
def test_a_truncated_file_is_refused(folder: Path, name: str, keep: int) -> None:
    path = folder / name
    data = path.read_bytes()
    path.write_bytes(data[: keep if keep >= 0 else len(data) - 1])
    refuses(folder, name)


@pytest.mark.parametrize("name", [checkpoint.WEIGHTS, checkpoint.LABELS])
def test_a_flipped_bit_anywhere_is_refused(folder: Path, name: str) -> None:
    path = folder / name
    data = path.read_bytes()
    for place in range(0, len(data), max(1, len(data) // 25)):
        flipped = bytearray(data)
        flipped[place] ^= 1 << place % 8
        path.write_bytes(flipped)
        refuses(folder, name)


def test_a_flipped_bit_of_the_config_is_refused(made: Compiled, folder: Path) -> None:
    path = folder / checkpoint.CONFIG
    data = path.read_bytes()
    for place in range(len(data)):
        flipped = bytearray(data)
        flipped[place] ^= 1
        path.write_bytes(flipped)
        with pytest.raises(ModelError):
            compiler.load(folder)


def test_a_damaged_config_gives_a_model_error_and_nothing_else(folder: Path) -> None:
    """Whatever bit is flipped, loading ends with a model or with a `ModelError`."""
    path = folder / checkpoint.CONFIG
    data = path.read_bytes()
    for place in range(len(data)):
        flipped = bytearray(data)
        flipped[place] ^= 1 << place % 7
        path.write_bytes(flipped)
        try:
            compiler.load(folder)
        except ModelError:
            continue


@pytest.mark.parametrize("name", FILES)
def test_files_of_two_checkpoints_do_not_mix(folder: Path, other: Compiled, tmp_path: Path, name: str) -> None:
    other.save(tmp_path / "other")
    shutil.copy(tmp_path / "other" / name, folder / name)
    refuses(folder, "damaged")


@pytest.mark.parametrize("name", FILES)
def test_a_folder_in_a_file_s_place_is_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    (folder / name).mkdir()
    refuses(folder, name)


@pytest.mark.parametrize("name", [checkpoint.CONFIG, checkpoint.LABELS])
@pytest.mark.parametrize("text", ["", "[]", "null", "{", "[" * 100_000, "\ufeff{}", '{"format": 1}'])
def test_json_that_is_no_checkpoint_s_is_refused(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)
    with pytest.raises(ModelError):
        compiler.load(folder)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("d_model", 10**12),
        ("max_length", 10**12),
        ("layers", [{"n_heads": 10**9, "d_head": 10**9, "d_mlp": 0}]),
        ("layers", []),
        ("d_model", -1),
        ("d_model", "7"),
        ("vocabulary", ["a"]),
        ("vocabulary", None),
        ("outputs", []),
        ("outputs", [{"name": "o", "values": [[1]]}]),
        ("outputs", [{"name": "o", "values": [{"float": "1/0"}]}]),
        ("surprise", 1),
        ("sha256", None),
        ("sha256", {}),
    ],
    ids=str,
)
def test_a_config_that_disagrees_with_the_weights_is_refused_before_anything_is_allocated(
    folder: Path, field: str, value: Any
) -> None:
    change_config(folder, **{field: value})
    refuses(folder, "damaged")


@pytest.mark.parametrize("name", ["reverse", "double_histogram", "decoders/sort"])
def test_a_checkpoint_of_the_first_version_is_read_and_checked(tmp_path: Path, name: str) -> None:
    """It named columns, where now there are directions in columns."""
    made = compiler.compile(rasp.load(PROGRAMS / f"{name}.rasp"), max_length=8)
    labels = without_contents(made)
    now = {"directions": labels.pop("directions"), "variables": labels["variables"]}
    labels["variables"] = [{k: v for k, v in one.items() if k != "until"} for one in labels["variables"]]
    checkpoint.save(tmp_path / "old", made.weights.config, made.model.state_dict(), labels)
    config = json.loads((tmp_path / "old" / checkpoint.CONFIG).read_text()) | {"version": 1}
    config["sha256"][checkpoint.CONFIG] = files.hash_of({k: v for k, v in config.items() if k != "sha256"})
    (tmp_path / "old" / checkpoint.CONFIG).write_text(json.dumps(config))
    model = compiler.load(tmp_path / "old")
    assert {key: model.labels[key] for key in now} == now
    assert trace(model, made.program, made.program.settings.examples[0].input).ok
    assert check(tmp_path / "old", samples=50).ok


def test_labels_that_do_not_say_what_columns_hold_are_read_and_shown(tmp_path: Path) -> None:
    """Those of versions before this one. What they do not say is not made up: there is no provenance then."""
    made = compiler.compile(rasp.load(PROGRAMS / "sort.rasp"), max_length=8)
    checkpoint.save(tmp_path / "old", made.weights.config, made.model.state_dict(), without_contents(made))
    model = compiler.load(tmp_path / "old")
    assert model.run("cab") == made.model.run("cab")
    assert trace(model, made.program, "cab").ok
    assert "sort.place" in model.info()
    assert len(page(model, "cab")) > 10_000
    with pytest.raises(ModelError, match="older version") as caught:
        provenance(model)
    assert caught.value.hint == "compile the program again"


def without_contents(made: Compiled) -> dict[str, Any]:
    """The labels of a model as they were before they told what columns hold."""
    labels: dict[str, Any] = json.loads(json.dumps(made.model.labels))
    del labels["named"]
    kept = ("name", "column", "ready", "until")
    labels["directions"] = [{key: direction[key] for key in kept} for direction in labels["directions"]]
    for layer in labels["layers"]:
        layer["heads"] = [{key: head[key] for key in ("name", "purpose", "does")} for head in layer["heads"]]
    return labels


def test_a_newer_format_and_a_foreign_one_are_told_apart_from_damage(folder: Path, tmp_path: Path) -> None:
    change_config(folder, version=files.VERSION + 1)
    refuses(folder, "newer")
    change_config(folder, version=1, format="someone-elses")
    refuses(folder, "another program")
    refuses(tmp_path / "nowhere", "no folder")
    (tmp_path / "empty").mkdir()
    refuses(tmp_path / "empty", "not a checkpoint")
    (tmp_path / "file").write_text("x")
    refuses(tmp_path / "file", "not a checkpoint")


# --------------------------------------------------------------------------------------------------------------- saving


def test_a_checkpoint_is_replaced_whole(other: Compiled, folder: Path) -> None:
    other.save(folder)
    assert compiler.load(folder).run("aba") == [2, 1, 2]
    assert sorted(path.name for path in folder.iterdir()) == sorted([*FILES, *checkpoint.documents(folder)])
    assert [path.name for path in folder.parent.iterdir()] == ["saved"]


def test_what_is_no_part_of_a_checkpoint_is_kept_and_told(other: Compiled, folder: Path) -> None:
    (folder / "notes.txt").write_text("mine")
    (folder / "export").mkdir()
    (folder / "export" / "config.json").write_text("mine")
    before = contents(folder)
    (note,) = told(other, folder)
    assert note.severity == "note"
    assert note.message.endswith("it is kept: export, notes.txt")
    assert {name: data for name, data in contents(folder).items() if data == b"mine"} == {
        name: data for name, data in before.items() if data == b"mine"
    }
    assert compiler.load(folder).run("aba") == [2, 1, 2]


def test_a_file_of_a_document_s_name_that_is_none_is_not_written_over(made: Compiled, folder: Path) -> None:
    checkpoint.save(folder, made.weights.config, made.model.state_dict(), made.weights.labels)
    (folder / "provenance.json").write_text("mine")
    with pytest.raises(ModelError, match=r"provenance\.json is none of its own files") as caught:
        made.save(folder)
    assert "move it" in caught.value.hint
    assert (folder / "provenance.json").read_text() == "mine"


def test_a_document_that_is_too_large_is_left_out_and_the_model_saved(
    made: Compiled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = len(json.dumps(made.certificate.to_json(), indent=1)) + 1000
    labels = len(json.dumps(made.weights.labels, indent=1, ensure_ascii=False)) + 1000
    monkeypatch.setattr(files, "MAX_JSON", max(certificate, labels))
    (warning,) = told(made, tmp_path / "large")
    assert warning.severity == "warning" and "provenance.json is left out: it would have" in warning.message
    assert compiler.load(tmp_path / "large").run("abc") == ["c", "b", "a"]
    assert checkpoint.documents(tmp_path / "large") == ["certificate.json"]
    with pytest.raises(ModelError, match=r"has no provenance\.json: it would have \d+ bytes, more than"):
        checkpoint.document(tmp_path / "large", "provenance.json")


def test_a_model_that_is_read_while_it_is_written_again_is_one_of_the_two(made: Compiled, folder: Path) -> None:
    """Fifty times, by another process: the files of a model are those of one time."""
    code = f"""
from pathlib import Path
import compiler
from compiler.runtime import checkpoint
from compiler.runtime.checkpoint import files
model = compiler.load({str(folder)!r})
config = {{k: v for k, v in files.config_at(Path({str(folder)!r})).items()
          if k not in ("format", "version", "sha256")}}
print("ready", flush=True)
for number in range(50):
    labels = dict(model.labels, padding="x" * 1000 * number)
    checkpoint.save({str(folder)!r}, config, model.state_dict(), labels, documents={{"certificate.json": [number]}})
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT) as writer:
        assert writer.stdout is not None and writer.stdout.readline() == "ready\n"
        read = 0
        while writer.poll() is None:
            assert compiler.load(folder).run("abc") == ["c", "b", "a"]
            assert checkpoint.document(folder, "certificate.json")
            read += 1
        assert writer.returncode == 0 and read > 5
    assert [path.name for path in folder.parent.iterdir()] == ["saved"]


def test_an_empty_folder_may_be_filled(other: Compiled, tmp_path: Path) -> None:
    (tmp_path / "new" / "empty").mkdir(parents=True)
    other.save(tmp_path / "new" / "empty")
    other.save(tmp_path / "deep" / "er" / "one")
    assert compiler.load(tmp_path / "new" / "empty").run("aa") == compiler.load(tmp_path / "deep/er/one").run("aa")


@pytest.mark.parametrize("names", [["notes.txt"], ["config.json"], ["model.safetensors", "x/y"]], ids=str)
def test_a_folder_that_is_no_checkpoint_is_left_alone(other: Compiled, tmp_path: Path, names: list[str]) -> None:
    for name in names:
        (tmp_path / "mine" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mine" / name).write_text('{"mine": true}')
    before = contents(tmp_path)
    with pytest.raises(ModelError, match="not a checkpoint"):
        other.save(tmp_path / "mine")
    assert contents(tmp_path) == before


def test_a_file_is_left_alone(other: Compiled, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(ModelError, match="is a file"):
        other.save(tmp_path / "mine")
    with pytest.raises(ModelError):
        other.save(tmp_path / "mine" / "below")
    assert contents(tmp_path) == {"mine": b"mine"}


class Stop(BaseException):
    """What an interruption raises: not an `Exception`."""


def stopping(*args: object, **kwargs: object) -> None:
    raise Stop


@pytest.mark.parametrize("where", ["safetensors", "hash", "config", "rename"])
def test_an_interrupted_save_leaves_the_old_checkpoint_or_nothing(
    other: Compiled, folder: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    before = contents(folder)
    targets: dict[str, Callable[[], None]] = {
        "safetensors": lambda: monkeypatch.setattr(writing, "save_file", stopping),
        "hash": lambda: monkeypatch.setattr(writing, "sha256", stopping),
        "config": lambda: monkeypatch.setattr(Path, "write_text", stopping),
        "rename": lambda: monkeypatch.setattr(whole, "_put", stopping),
    }
    with monkeypatch.context():
        targets[where]()
        for target in (folder, folder.parent / "new"):
            with pytest.raises(Stop):
                other.save(target)
        monkeypatch.undo()
    assert contents(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["saved"]
    assert compiler.load(folder).run("ab") == ["b", "a"]


def test_a_failed_exchange_puts_the_old_checkpoint_back(
    other: Compiled, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(folder)
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if Path(target) == folder and not self.name.endswith("-exchange.old"):
            raise OSError(28, "No space left on device")
        return rename(self, target)

    monkeypatch.setattr(whole, "_swapped", lambda one, other: False)
    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises((OSError, ModelError)):
        other.save(folder)
    monkeypatch.undo()
    assert contents(folder) == before
    assert [path.name for path in folder.parent.iterdir()] == ["saved"]


@pytest.mark.parametrize("error", [Stop(), KeyboardInterrupt()], ids=lambda error: type(error).__name__)
def test_an_interruption_between_the_two_renames_loses_nothing(
    other: Compiled, folder: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    before = contents(folder)
    rename = Path.rename

    def failing(self: Path, target: Path) -> Path:
        if Path(target) == folder and not self.name.endswith("-exchange.old"):
            raise error
        return rename(self, target)

    monkeypatch.setattr(whole, "_swapped", lambda one, other: False)
    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(type(error)):
        other.save(folder)
    monkeypatch.undo()
    assert contents(folder) == before


def test_a_link_stays_a_link(made: Compiled, other: Compiled, folder: Path) -> None:
    link = folder.parent / "link"
    link.symlink_to(folder, target_is_directory=True)
    assert compiler.load(link).run("ab") == ["b", "a"]
    other.save(link)
    assert link.is_symlink()
    assert compiler.load(link).run("aa") == compiler.load(folder).run("aa") == [2, 2]


def test_a_link_to_nowhere_is_not_overwritten(other: Compiled, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "gone")
    with pytest.raises(ModelError):
        other.save(link)
    assert link.is_symlink()
    assert not (tmp_path / "gone").exists()


# ------------------------------------------------------------------------------------------------- further documents


DOCUMENTS = {"certificate.json": {"margins": [1, "1/3", None]}, "provenance.json": ["é", {}]}


@pytest.fixture
def documented(made: Compiled, tmp_path: Path) -> Path:
    checkpoint.save(
        tmp_path / "more", made.weights.config, made.model.state_dict(), made.weights.labels, documents=DOCUMENTS
    )
    return tmp_path / "more"


def test_documents_come_back(documented: Path) -> None:
    assert compiler.load(documented).run("ab") == ["b", "a"]
    assert checkpoint.documents(documented) == sorted(DOCUMENTS)
    for name, data in DOCUMENTS.items():
        assert checkpoint.document(documented, name) == data


def test_a_checkpoint_without_documents_says_so(made: Compiled, folder: Path) -> None:
    checkpoint.save(folder, made.weights.config, made.model.state_dict(), made.weights.labels)
    assert checkpoint.documents(folder) == []
    with pytest.raises(ModelError, match="has no certificate"):
        checkpoint.document(folder, "certificate.json")


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_a_damaged_or_missing_document_is_found_before_the_first_answer(documented: Path, name: str) -> None:
    path = documented / name
    path.write_text(path.read_text().replace("1", "2").replace("é", "e"))
    refuses(documented, f"{name} is not the file that was written")
    with pytest.raises(ModelError, match=name):
        checkpoint.document(documented, name)
    path.unlink()
    refuses(documented, f"{name} is missing")


@pytest.mark.parametrize("name", ["../x.json", "a/b.json", ".x.json", "x.txt", "config.json", "labels.json", ""])
def test_a_document_s_name_is_plain(made: Compiled, tmp_path: Path, name: str) -> None:
    with pytest.raises(ModelError, match="no name for a document"):
        checkpoint.save(tmp_path / "new", made.weights.config, made.model.state_dict(), {}, documents={name: 1})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["../outside.json", "/etc/passwd", "deep/er.json", ".."])
def test_a_config_cannot_name_files_outside_its_folder(folder: Path, name: str) -> None:
    (folder.parent / "outside.json").write_text("{}")
    hashes = json.loads((folder / checkpoint.CONFIG).read_text())["sha256"]
    change_config(folder, sha256=hashes | {name: "0" * 64})
    refuses(folder, "names a file")
    with pytest.raises(ModelError):
        checkpoint.document(folder, name)
