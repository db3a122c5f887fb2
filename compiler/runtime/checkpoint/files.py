"""The files of a checkpoint: their names, how large they may be, and how one is read.

In: a folder and a name. Out: the content of a file whose hash the config names, JSON data, or `ModelError`.
Invariant: what is hashed is what is used; nothing outside of the folder is read, no link is followed, and memory is
bounded by the limits below.

    config = signed_config(folder)
    labels = parsed(folder, LABELS, read(folder, LABELS, config))
"""

from __future__ import annotations

import hashlib
import json
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from compiler.model import ModelError

FORMAT = "rasp-transformer"
VERSION = 2
"""Since 2, a column may hold several directions, one after the other."""
CONFIG, WEIGHTS, LABELS = "config.json", "model.safetensors", "labels.json"
MAX_JSON, MAX_WEIGHTS = 1 << 25, 1 << 33
"""Largest files that are read and written, in bytes."""
MAX_PARTS = 1 << 21
"""Most lists and objects in a JSON file: an empty one is two bytes there, and a hundred in memory."""
MAX_DOCUMENTS = 16
"""How many further documents a checkpoint may have."""
PLAIN = re.compile(r"[A-Za-z0-9_-]{1,100}\.json")
"""The name of a document: no folder, no hidden file."""
LEFT_OUT = "left_out"
"""In the labels: why a document is missing, by its name."""


def config_at(folder: Path) -> dict[str, Any]:
    """The config of a checkpoint of ours."""
    if not folder.exists():
        raise ModelError(f"there is no folder {folder}", "`rasp compile PROGRAM -o DIR` makes a checkpoint")
    if not (folder / CONFIG).is_file():
        raise ModelError(f"{folder} is not a checkpoint: it has no {CONFIG}", "give a folder that `rasp compile` made")
    data: dict[str, Any] = parsed(folder, CONFIG, _content(folder, CONFIG))
    if data.get("format") != FORMAT:
        raise ModelError(f"{folder} is a checkpoint of another program", "give a folder that `rasp compile` made")
    version = data.get("version")
    if not isinstance(version, int) or version > VERSION:
        raise ModelError(
            f"{folder} has format version {version}, newer than {VERSION}", "update this package, or compile again"
        )
    return data


def signed_config(folder: Path) -> dict[str, Any]:
    """The config of a checkpoint of ours, with a hash for each file it names, its own verified."""
    data = config_at(folder)
    hashes = data.get("sha256")
    content = {key: value for key, value in data.items() if key != "sha256"}
    if not isinstance(hashes, dict) or hash_of(content) != hashes.get(CONFIG):
        raise damaged(folder, f"{CONFIG} is not the file that was written")
    if foreign := [name for name in hashes if name not in (CONFIG, WEIGHTS, LABELS) and not is_document(name)]:
        raise damaged(folder, f"{CONFIG} names a file that is none of a checkpoint's: {foreign[0][:100]!r}")
    if len(hashes) > MAX_DOCUMENTS + 3:
        raise damaged(folder, f"{CONFIG} names more than {MAX_DOCUMENTS} documents")
    return data


def document_names(data: Mapping[str, Any]) -> list[str]:
    """The further documents that a config names, in their order."""
    return sorted(name for name in data["sha256"] if is_document(name))


def is_document(name: str) -> bool:
    """Whether a file of this name can be a further document."""
    return PLAIN.fullmatch(name) is not None and name not in (CONFIG, LABELS)


def parsed(folder: Path, name: str, content: bytes, wanted: Any = dict) -> Any:
    """JSON data. In a config, numbers that JSON does not have are refused."""
    if much := excess(content):
        raise damaged(folder, f"{name} has {much}")
    try:
        data = json.loads(content.decode("utf-8"), parse_constant=_refused if name == CONFIG else None)
    except (ValueError, RecursionError):
        raise damaged(folder, f"{name} cannot be read") from None
    if not isinstance(data, wanted):
        raise damaged(folder, f"{name} holds no object")
    return data


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def read(folder: Path, name: str, data: Mapping[str, Any]) -> bytes:
    """The content of a file whose hash the config names. What is hashed is what is used."""
    content = _content(folder, name)
    if hashlib.sha256(content).hexdigest() != data["sha256"].get(name):
        raise damaged(folder, f"{name} is not the file that was written")
    return content


def _content(folder: Path, name: str) -> bytes:
    """The content of an ordinary file of the folder: no link, no device, not too long."""
    try:
        found = (folder / name).lstat()
        if not stat.S_ISREG(found.st_mode):
            raise damaged(folder, f"{name} is not an ordinary file")
        if found.st_size > (MAX_WEIGHTS if name == WEIGHTS else MAX_JSON):
            raise damaged(folder, f"{name} is too large")
        return (folder / name).read_bytes()
    except FileNotFoundError:
        raise damaged(folder, f"{name} is missing") from None
    except OSError:
        raise damaged(folder, f"{name} cannot be read") from None


def excess(content: bytes) -> str:
    """What is too much in a JSON file; nothing, if it may be read."""
    parts = content.count(b"[") + content.count(b"{")
    if len(content) > MAX_JSON:
        return f"{len(content)} bytes, more than {MAX_JSON}"
    return f"{parts} lists and objects, more than {MAX_PARTS}" if parts > MAX_PARTS else ""


def hash_of(data: Mapping[str, Any]) -> str:
    """The hash of JSON data, however it is laid out in its file."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def damaged(folder: Path, what: str) -> ModelError:
    """What to say of a checkpoint that is not what was written."""
    return ModelError(f"the checkpoint {folder} is damaged: {what}", "compile the program again")
