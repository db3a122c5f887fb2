"""Checkpoints: a folder with a transformer's weights, its config and its labels. No pickle.

In: config, tensors and labels, or a folder. Out: a folder, or a `Transformer`.
Invariants: a folder is written whole or not at all; what is read is what was written (hashes); nothing in it is run.

    sort/
      config.json        format, shape, vocabulary, output values, hashes of the other files
      model.safetensors  the weights, by the names of `compiler.model`
      labels.json        what each column, head and neuron is; where variables are read; source and compiler version
      *.json             further documents, if there are any; `document` reads one
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import safetensors
from safetensors.torch import load_file, save_file
from torch import Tensor

from compiler.model import Config, ModelError, Transformer

FORMAT = "rasp-transformer"
VERSION = 1
CONFIG, WEIGHTS, LABELS = "config.json", "model.safetensors", "labels.json"
MAX_JSON = 1 << 28
"""Largest JSON file that is read, in bytes."""


PLAIN = re.compile(r"[A-Za-z0-9_-]{1,100}\.json")
"""The name of a document: no folder, no hidden file."""


def save(
    folder: str | Path,
    config: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    labels: Mapping[str, Any],
    documents: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Write a checkpoint. An existing checkpoint there is replaced at the end, at once; anything else is left alone.

    `documents` are further files, JSON data by plain file name. Raises `ModelError` if the folder exists and is not a
    checkpoint, or cannot be written.
    """
    folder = Path(folder)
    for name in documents:
        if not _is_document(name):
            raise ModelError(f"{name!r} is no name for a document", "take letters, digits, - and _, and end in .json")
    if folder.is_symlink():  # the folder it points at is replaced, the link stays
        if not folder.exists():
            raise ModelError(f"{folder} is a link to nowhere", "choose another folder, or remove it")
        folder = folder.resolve()
    _refuse_foreign(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as problem:
        raise ModelError(f"cannot write {folder}: {problem.strerror}", "choose another folder") from None
    try:
        _write(made, config, tensors, {LABELS: labels, **documents})
        _exchange(made, folder)
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _refuse_foreign(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ModelError(f"{folder} is a file", "choose a folder that does not exist yet")
    if any(folder.iterdir()):
        try:
            _config(folder)
        except ModelError:
            raise ModelError(
                f"{folder} exists and is not a checkpoint, so it is left alone", "choose another folder, or remove it"
            ) from None


def _write(
    folder: Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor], documents: Mapping[str, Any]
) -> None:
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / WEIGHTS)
    for name, data in documents.items():
        (folder / name).write_text(json.dumps(data, indent=1, ensure_ascii=False), encoding="utf-8")
    hashes = {name: _hash(folder / name) for name in (WEIGHTS, *documents)}
    whole = {"format": FORMAT, "version": VERSION, **config}
    whole["sha256"] = {**hashes, CONFIG: _hash_of(whole)}
    (folder / CONFIG).write_text(json.dumps(whole, indent=1, ensure_ascii=False), encoding="utf-8")
    mask = os.umask(0)
    os.umask(mask)
    folder.chmod(0o777 & ~mask)  # mkdtemp makes private folders


def _exchange(made: Path, folder: Path) -> None:
    """Put the new folder in the old one's place. The old one is moved aside first and removed last."""
    if not folder.exists():
        made.rename(folder)
        return
    old = made.with_name(made.name + ".old")
    folder.rename(old)
    try:
        made.rename(folder)
    except BaseException:  # an interrupt, too, must not leave the place empty
        old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def load(folder: str | Path) -> Transformer:
    """Read a checkpoint. Raises `ModelError` if it is missing, foreign, from a newer version, or damaged."""
    folder = Path(folder)
    data = _signed_config(folder)
    for name in (WEIGHTS, LABELS, *_documents(data)):
        _require_hash(folder, name, data)
    try:
        shape = {key: value for key, value in data.items() if key not in ("format", "version", "sha256")}
        config = Config.from_json(shape)
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as problem:
        raise _damaged(folder, f"{CONFIG} does not describe a model ({problem})") from None
    model = _model(folder, config)
    model.labels = _json(folder / LABELS)
    return model.eval()


def documents(folder: str | Path) -> list[str]:
    """The names of the further documents of a checkpoint."""
    return _documents(_signed_config(Path(folder)))


def document(folder: str | Path, name: str) -> Any:
    """The JSON data of one further document, its hash verified. Raises `ModelError` if it is missing or damaged."""
    folder = Path(folder)
    data = _signed_config(folder)
    if name not in _documents(data):
        raise ModelError(f"the checkpoint {folder} has no {name}", "compile the program again")
    _require_hash(folder, name, data)
    return _data(folder / name)


def _documents(data: Mapping[str, Any]) -> list[str]:
    return sorted(name for name in data["sha256"] if _is_document(name))


def _is_document(name: str) -> bool:
    return PLAIN.fullmatch(name) is not None and name not in (CONFIG, LABELS)


def _model(folder: Path, config: Config) -> Transformer:
    """Shapes are compared before anything of the config's sizes is allocated."""
    try:
        tensors = load_file(folder / WEIGHTS)
    except (safetensors.SafetensorError, OSError) as problem:
        raise _damaged(folder, f"{WEIGHTS} cannot be read ({problem})") from None
    expected = config.shapes()
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if found != expected:
        differing = min(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
        raise _damaged(folder, f"{CONFIG} and {WEIGHTS} disagree about {differing}")
    model = Transformer(config)
    model.load_state_dict(tensors)
    return model


def _config(folder: Path) -> dict[str, Any]:
    if not folder.exists():
        raise ModelError(f"there is no folder {folder}", "`rasp compile PROGRAM -o DIR` makes a checkpoint")
    if not (folder / CONFIG).is_file():
        raise ModelError(f"{folder} is not a checkpoint: it has no {CONFIG}", "give a folder that `rasp compile` made")
    data = _json(folder / CONFIG)
    if data.get("format") != FORMAT:
        raise ModelError(f"{folder} is a checkpoint of another program", "give a folder that `rasp compile` made")
    version = data.get("version")
    if not isinstance(version, int) or version > VERSION:
        raise ModelError(
            f"{folder} has format version {version}, newer than {VERSION}", "update this package, or compile again"
        )
    return data


def _signed_config(folder: Path) -> dict[str, Any]:
    """The config of a checkpoint of ours, with a hash for each file it names, its own verified."""
    data = _config(folder)
    hashes = data.get("sha256")
    content = {key: value for key, value in data.items() if key != "sha256"}
    if not isinstance(hashes, dict) or _hash_of(content) != hashes.get(CONFIG):
        raise _damaged(folder, f"{CONFIG} is not the file that was written")
    if foreign := [name for name in hashes if name not in (CONFIG, WEIGHTS, LABELS) and not _is_document(name)]:
        raise _damaged(folder, f"{CONFIG} names a file that is none of a checkpoint's: {foreign[0]!r}")
    return data


def _json(path: Path) -> dict[str, Any]:
    data = _data(path)
    if not isinstance(data, dict):
        raise _damaged(path.parent, f"{path.name} holds no object")
    return data


def _data(path: Path) -> Any:
    try:
        if path.stat().st_size > MAX_JSON:
            raise _damaged(path.parent, f"{path.name} is too large")
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        raise _damaged(path.parent, f"{path.name} cannot be read") from None


def _require_hash(folder: Path, name: str, data: Mapping[str, Any]) -> None:
    if not (folder / name).is_file():
        raise _damaged(folder, f"{name} is missing")
    if _hash(folder / name) != data["sha256"].get(name):
        raise _damaged(folder, f"{name} is not the file that was written")


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hash_of(data: Mapping[str, Any]) -> str:
    """The hash of JSON data, however it is laid out in its file."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def _damaged(folder: Path, what: str) -> ModelError:
    return ModelError(f"the checkpoint {folder} is damaged: {what}", "compile the program again")
