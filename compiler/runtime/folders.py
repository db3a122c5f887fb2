"""Folders of ours, written whole or not at all: checkpoints, exported models, test beds.

In: a place, and what tells which files of a folder there are its own. Out: the folder, put there when all is written;
hashes of what lies in it.
Invariant: where a folder cannot be written, what was there is left alone, and a `ModelError` names the folder that was
asked for.

    with whole_folder(Path("sort-bert"), own_files, "an exported folder") as made:
        write_json(made / "config.json", {})
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from compiler.model import ModelError

if TYPE_CHECKING:
    from rasp.whole import Listed

FULL = "is the disk full? what was there is left alone"
"""What to try where something cannot be written."""


@contextmanager
def whole_folder(place: Path, own_files: Listed, kind: str) -> Iterator[Path]:
    """An empty folder to write into; it takes its place when the block ends without an exception.

    What lies at the place and is none of its own files is kept. Raises `ModelError` if there is something else than a
    folder of that kind, or if it cannot be written.
    """
    from rasp import whole  # a model that is loaded needs nothing of the language

    try:
        _refuse_foreign(place, own_files, kind)
        with whole.folder(place, own_files) as made:
            yield made
    except OSError as problem:
        raise unwritable(place, problem) from None


def _refuse_foreign(place: Path, own_files: Listed, kind: str) -> None:
    if place.is_symlink() and not place.exists():  # else the folder it points at is replaced, the link stays
        raise ModelError(f"{place} is a link to nowhere", "choose another folder, or remove it")
    if place.exists() and not place.is_dir():
        raise ModelError(f"{place} is a file", "choose a folder that does not exist yet")
    if place.is_dir() and any(place.iterdir()) and own_files(place) is None:
        raise ModelError(
            f"{place} exists and is not {kind}, so it is left alone", "choose another folder, or remove it"
        )


def unwritable(folder: Path, problem: Exception) -> ModelError:
    """What to say where a folder cannot be written."""
    from rasp.whole import Taken

    hint = FULL
    if isinstance(problem, Taken):
        hint = "move it, or choose another folder"
    elif isinstance(problem, FileExistsError | NotADirectoryError | PermissionError):
        hint = "choose another folder"
    return ModelError(f"cannot write {folder}: {getattr(problem, 'strerror', None) or problem}", hint)


def write_json(path: Path, data: object) -> None:
    """JSON as people read it: a line an entry, texts as they are. The same bytes on every system."""
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")


def sha256(path: Path) -> str:
    """The hash of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def hashes(folder: Path) -> dict[str, str]:
    """The hash of every file below a folder, by its path there, in the order of the paths."""
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: sha256(paths[name]) for name in sorted(paths)}
