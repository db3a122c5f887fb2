"""Writing a checkpoint: whole, or not at all.

In: config, tensors and labels, further documents. Out: a folder.
Invariant: a checkpoint that is there is replaced at the end, at once; what else lies in its folder is kept; a folder
that is none of ours is left alone.

    save("sort", weights.config, tensors, weights.labels)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import safetensors
from safetensors.torch import save as serialised
from safetensors.torch import save_file
from torch import Tensor

from compiler.model import ModelError
from compiler.runtime.checkpoint.files import (
    CONFIG,
    FORMAT,
    LABELS,
    LEFT_OUT,
    VERSION,
    WEIGHTS,
    config_at,
    excess,
    hash_of,
    is_document,
)
from compiler.runtime.folders import sha256, unwritable, whole_folder


def save(
    folder: str | Path,
    config: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    labels: Mapping[str, Any],
    documents: Mapping[str, Any] = MappingProxyType({}),
    missing: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, str]:
    """Write a checkpoint. An existing checkpoint there is replaced at the end, at once; what else lies in it is kept.

    `documents` are further files, JSON data by plain file name. One that is too large is left out: the result says why,
    by its name. `missing` says why of those that could not be made. Raises `ModelError` if the folder exists and is not
    a checkpoint, or cannot be written.
    """
    folder = Path(folder)
    for name in documents:
        if not is_document(name):
            raise ModelError(f"{name!r} is no name for a document", "take letters, digits, - and _, and end in .json")
    texts = {name: _json(data) for name, data in documents.items()}
    large = {name: f"it would have {much}" for name, text in texts.items() if (much := excess(text.encode()))}
    left_out = {**missing, **large}
    told = {**labels, LEFT_OUT: left_out} if left_out else labels
    files = {LABELS: _json(told), **{name: text for name, text in texts.items() if name not in left_out}}
    try:
        with whole_folder(folder, own_files, "a checkpoint") as made:
            _write(made, config, tensors, files)
    except safetensors.SafetensorError as problem:
        raise unwritable(folder, problem) from None
    return left_out


def own_files(folder: Path) -> frozenset[str] | None:
    """The names of a checkpoint's own files: what its config lists. None where it is no checkpoint of ours."""
    try:
        hashes = config_at(folder).get("sha256")
    except ModelError:
        return None
    listed = hashes if isinstance(hashes, dict) else {}
    return frozenset({CONFIG, *(name for name in listed if name in (WEIGHTS, LABELS) or is_document(name))})


def further_files(folder: str | Path) -> list[str]:
    """What a checkpoint's folder holds besides its own files."""
    from rasp import whole

    return whole.kept(Path(folder), own_files) if Path(folder).is_dir() else []


def _write(folder: Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor], files: Mapping[str, str]) -> None:
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / WEIGHTS)
    for name, content in files.items():
        _write_small(folder / name, content)
    hashes = {name: sha256(folder / name) for name in (WEIGHTS, *files)}
    signed = {"format": FORMAT, "version": VERSION, **config}
    signed["sha256"] = {**hashes, CONFIG: hash_of(signed)}
    _write_small(folder / CONFIG, _json(signed))


def _write_small(path: Path, content: str) -> None:
    if much := excess(content.encode()):
        raise ModelError(f"{path.name} would have {much}", "compile for fewer or shorter inputs")
    path.write_text(content, encoding="utf-8")


def _json(data: Any) -> str:
    return json.dumps(data, indent=1, ensure_ascii=False)


def digest(tensors: Mapping[str, Tensor]) -> str:
    """The SHA-256 of the file that these weights are written to, in hexadecimal."""
    return hashlib.sha256(serialised({name: tensor.contiguous() for name, tensor in tensors.items()})).hexdigest()
