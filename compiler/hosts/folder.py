"""An exported folder: written whole or not at all, with a record of what it is and a model card.

In: a place. Out: a folder that is put there when everything has been written, and `rasp.json` inside it.
Invariant: what was at that place is left alone unless it is an exported folder itself, and until the end in any case;
what lies in that and is none of its files is kept.

    sort-bert/
      ...                the host's own files
      rasp.json          format, version, host, what each logit stands for, program, verification, hashes
      README.md          the model card
"""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from compiler.hosts.card import card
from compiler.model import Config, ModelError, Transformer
from compiler.runtime.checkpoint import MAX_JSON
from compiler.runtime.folders import hashes, write_json

if TYPE_CHECKING:
    from compiler.hosts import Host, Page
    from compiler.hosts.verify import Verification

FORMAT = "rasp-host"
VERSION = 1
KIND = "an exported folder"
RECORD, CARD = "rasp.json", "README.md"


def own_files(place: Path) -> frozenset[str] | None:
    """The paths of an exported folder's own files: what its record lists. None where it is no exported folder."""
    try:
        listed = record(place).get("sha256")
    except ModelError:
        return None
    return frozenset({RECORD, CARD, *(listed if isinstance(listed, dict) else ())})


def finish(folder: Path, model: Transformer, host: Host, page: Page, result: Verification) -> None:
    """Write the record and the model card beside the host's files."""
    config = model.config
    data = {
        "format": FORMAT,
        "version": VERSION,
        "host": host.name,
        "vocabulary": list(config.vocabulary),
        "max_length": config.max_length,
        **_source(config),
        "attention": "causal" if config.causal else "bidirectional",
        "outputs": [{"name": output.name, "values": list(output.values)} for output in config.outputs],
        "program": model.labels["program"],
        "verification": result.to_json(),
        "compiler": metadata.version("rasp-compiler"),
        "sha256": hashes(folder),
    }
    write_json(folder / RECORD, data)
    (folder / CARD).write_text(card(model, host, page, result), encoding="utf-8")


def _source(config: Config) -> dict[str, Any]:
    """The source of a model that reads one, and how a target begins and ends."""
    if config.encoder is None:
        return {}
    source = {"vocabulary": list(config.encoder.vocabulary), "max_length": config.encoder.max_length}
    return {"source": source, "start": config.start, "stop": list(config.stop)}


def record(folder: str | Path) -> dict[str, Any]:
    """What an exported folder says about itself. Raises `ModelError` if it is missing, foreign or newer than we are."""
    path = Path(folder) / RECORD
    try:
        data = json.loads(path.read_text(encoding="utf-8")) if path.stat().st_size <= MAX_JSON else None
    except (OSError, ValueError, RecursionError):
        raise ModelError(
            f"{folder} is not {KIND}: it has no {RECORD}", "`rasp export DIR --to HOST -o OUT` makes one"
        ) from None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ModelError(f"{folder} was exported by another program", "give a folder that `rasp export` made")
    version = data.get("version")
    if not isinstance(version, int) or version > VERSION:
        raise ModelError(
            f"{folder} has format version {version}, newer than {VERSION}", "update this package, or export again"
        )
    return data
