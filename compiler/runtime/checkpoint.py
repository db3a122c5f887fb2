"""Checkpoints: a folder with a transformer's weights, its config and its labels. No pickle.

In: config, tensors and labels, or a folder. Out: a folder, or a `Transformer`.
Invariants: a folder is written whole or not at all, and what else lies in it is kept; what is read is what was written
(hashes), all of it at one time; nothing in it is run, nothing outside of it is read, and memory and time are bounded.

    sort/
      config.json        format, shape, vocabulary, output values, hashes of the other files
      model.safetensors  the weights, by the names of `compiler.model`
      labels.json        what each column, head and neuron is; where variables are read; source and compiler version
      *.json             further documents, if there are any; `document` reads one
"""

from __future__ import annotations

import hashlib
import json
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

import safetensors
from safetensors.torch import load as tensors_of
from safetensors.torch import save as serialised
from safetensors.torch import save_file
from torch import Tensor

from compiler.model import DTYPES, Config, ModelError, Transformer, exact, value_from_json

if TYPE_CHECKING:
    from rasp import Program

T = TypeVar("T")
FORMAT = "rasp-transformer"
VERSION = 2
"""Since 2, a column may hold several directions, one after the other."""
CONFIG, WEIGHTS, LABELS = "config.json", "model.safetensors", "labels.json"
MAX_JSON, MAX_WEIGHTS, MAX_HEADER = 1 << 25, 1 << 33, 1 << 23
"""Largest files that are read and written, and the largest list of tensors in one, in bytes."""
MAX_PARTS = 1 << 21
"""Most lists and objects in a JSON file: an empty one is two bytes there, and a hundred in memory."""
MAX_DOCUMENTS = 16
"""How many further documents a checkpoint may have."""
MAX_TRIES = 100
"""How often reading begins again because the checkpoint was written meanwhile."""
MAX_LENGTH, MAX_LAYERS = 1 << 24, 1 << 12
"""Longest input and most layers: sizes that a config may name though no tensor has them."""
FULL = "is the disk full? what was there is left alone"
"""What to try where something cannot be written."""
FUNCTIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "number": ((), ("times", "plus")),
    "square": ((), ("centre", "times", "plus")),
    "is": (("value",), ("times", "plus")),
    "at_least": (("value",), ("times", "plus")),
    "among": (("values",), ("times", "plus")),
    "table": ((), ("numbers",)),
}
"""The functions that labels may name: their values and their numbers."""
PLAIN = re.compile(r"[A-Za-z0-9_-]{1,100}\.json")
"""The name of a document: no folder, no hidden file."""
LEFT_OUT = "left_out"
"""In the labels: why a document is missing, by its name."""


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
    from rasp import whole  # a model that was loaded needs nothing of this package but its own file

    folder = Path(folder)
    for name in documents:
        if not _is_document(name):
            raise ModelError(f"{name!r} is no name for a document", "take letters, digits, - and _, and end in .json")
    if folder.is_symlink() and not folder.exists():  # else the folder it points at is replaced, the link stays
        raise ModelError(f"{folder} is a link to nowhere", "choose another folder, or remove it")
    _refuse_foreign(folder)
    texts = {name: _json(data) for name, data in documents.items()}
    large = {name: f"it would have {excess}" for name, text in texts.items() if (excess := _excess(text.encode()))}
    left_out = {**missing, **large}
    told = {**labels, LEFT_OUT: left_out} if left_out else labels
    files = {LABELS: _json(told), **{name: text for name, text in texts.items() if name not in left_out}}
    try:
        with whole.folder(folder, own_files) as made:
            _write(made, config, tensors, files)
    except (OSError, safetensors.SafetensorError) as problem:
        raise unwritable(folder, problem) from None
    return left_out


def unwritable(folder: Path, problem: Exception) -> ModelError:
    """What to say where a folder cannot be written."""
    from rasp.whole import Taken

    hint = FULL
    if isinstance(problem, Taken):
        hint = "move it, or choose another folder"
    elif isinstance(problem, FileExistsError | NotADirectoryError | PermissionError):
        hint = "choose another folder"
    return ModelError(f"cannot write {folder}: {getattr(problem, 'strerror', None) or problem}", hint)


def own_files(folder: Path) -> frozenset[str] | None:
    """The names of a checkpoint's own files: what its config lists. None where it is no checkpoint of ours."""
    try:
        hashes = _config(folder).get("sha256")
    except ModelError:
        return None
    listed = hashes if isinstance(hashes, dict) else {}
    return frozenset({CONFIG, *(name for name in listed if name in (WEIGHTS, LABELS) or _is_document(name))})


def further_files(folder: str | Path) -> list[str]:
    """What a checkpoint's folder holds besides its own files."""
    from rasp import whole

    return whole.kept(Path(folder), own_files) if Path(folder).is_dir() else []


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


def _write(folder: Path, config: Mapping[str, Any], tensors: Mapping[str, Tensor], files: Mapping[str, str]) -> None:
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, folder / WEIGHTS)
    for name, content in files.items():
        _write_small(folder / name, content)
    hashes = {name: _hash(folder / name) for name in (WEIGHTS, *files)}
    signed = {"format": FORMAT, "version": VERSION, **config}
    signed["sha256"] = {**hashes, CONFIG: _hash_of(signed)}
    _write_small(folder / CONFIG, _json(signed))


def _write_small(path: Path, content: str) -> None:
    if excess := _excess(content.encode()):
        raise ModelError(f"{path.name} would have {excess}", "compile for fewer or shorter inputs")
    path.write_text(content, encoding="utf-8")


def _excess(content: bytes) -> str:
    """What is too much in a JSON file; nothing, if it may be read."""
    parts = content.count(b"[") + content.count(b"{")
    if len(content) > MAX_JSON:
        return f"{len(content)} bytes, more than {MAX_JSON}"
    return f"{parts} lists and objects, more than {MAX_PARTS}" if parts > MAX_PARTS else ""


def _json(data: Any) -> str:
    return json.dumps(data, indent=1, ensure_ascii=False)


def digest(tensors: Mapping[str, Tensor]) -> str:
    """The SHA-256 of the file that these weights are written to, in hexadecimal."""
    return hashlib.sha256(serialised({name: tensor.contiguous() for name, tensor in tensors.items()})).hexdigest()


def load(folder: str | Path) -> Transformer:
    """Read a checkpoint. Raises `ModelError` if it is missing, foreign, from a newer version, or damaged."""
    return _at_one_time(Path(folder), _loaded)


def _at_one_time(folder: Path, read: Callable[[Path], T]) -> T:
    """What is read of a checkpoint; where that fails because it was written anew meanwhile, it is read again."""
    for _ in range(MAX_TRIES):
        before = _identity(folder)
        try:
            return read(folder)
        except ModelError:
            if _identity(folder) == before:
                raise
    return read(folder)


def _identity(folder: Path) -> tuple[int, ...]:
    """What tells a folder from the one that takes its place."""
    try:
        found = [folder.stat(), (folder / CONFIG).lstat()]
    except OSError:
        return ()
    return tuple(number for one in found for number in (one.st_ino, one.st_ctime_ns))


def _loaded(folder: Path) -> Transformer:
    data = _signed_config(folder)
    for name in _documents(data):
        _read(folder, name, data)
    shape = {key: value for key, value in data.items() if key not in ("format", "version", "sha256")}
    try:
        config = Config.from_json(shape)
        _require_sizes(config)
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as problem:
        raise _damaged(folder, f"{CONFIG} does not describe a model ({_brief(problem)})") from None
    labels = _parsed(folder, LABELS, _read(folder, LABELS, data))
    model = _model(folder, config, data)
    try:
        labels = _with_directions(labels, model) if data["version"] < 2 else labels
        _require_labels(labels)
        _require_all(labels, config)
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise _damaged(folder, f"{LABELS} does not describe a model ({_brief(problem)})") from None
    model.labels = labels
    return model.eval()


def _brief(problem: Exception) -> str:
    text = f"{type(problem).__name__}: {problem}"
    return text if len(text) <= 100 else text[:97] + "..."


def _require_sizes(config: Config) -> None:
    """Raise `ValueError` for sizes of a kind that no model has: `from_json` takes whatever JSON holds."""
    sizes = [(config.d_model, 1), (config.max_length, 1)]
    for layer in config.layers:
        least = 1 if layer.n_heads else 0
        sizes += [(layer.n_heads, 0), (layer.d_head, least), (layer.d_value, least), (layer.d_mlp, 0)]
    if not all(type(size) is int and size >= least for size, least in sizes):
        raise ValueError("a size is no whole number, or too small")
    if config.max_length > MAX_LENGTH or len(config.layers) > MAX_LAYERS:
        raise ValueError(f"more than {MAX_LENGTH} tokens or {MAX_LAYERS} layers")
    if not all(type(flag) is bool for flag in (config.causal, config.has_positions)):
        raise ValueError("a flag is neither true nor false")
    if not all(text is None or isinstance(text, str) for text in (config.unknown, config.generate)):
        raise ValueError("a name is no text")
    if not config.outputs or not all(output.values for output in config.outputs):
        raise ValueError("an output has no values")


def _with_directions(labels: Mapping[str, Any], model: Transformer) -> dict[str, Any]:
    """Labels of version 1: every direction has a column of its own, from its last writer to the end."""
    ready, until = [0] * model.config.d_model, 2 * len(model.config.layers) + 1
    for step, matrix in _writing(model):
        for column in (matrix != 0).any(0).nonzero()[:, 0].tolist():
            ready[column] = step
    directions = [
        {"name": name, "column": column, "ready": step, "until": until}
        for column, (name, step) in enumerate(zip(labels.get("columns", []), ready, strict=False))
    ]
    variables = [{**variable, "until": until} for variable in labels.get("variables", [])]
    return {**labels, "directions": directions, "variables": variables}


def _writing(model: Transformer) -> Iterator[tuple[int, Tensor]]:
    """What each sublayer writes with, [rows, d_model], and its step: 2L + 1 and 2L + 2 in layer L."""
    for number, block in enumerate(model.layers()):
        if block.attn is not None:
            yield 2 * number + 1, block.attn.W_O.flatten(0, 1)
        if block.mlp is not None:
            yield 2 * number + 2, block.mlp.W_out


def _require_labels(labels: Mapping[str, Any]) -> None:
    """Raise `ValueError`, `TypeError` or `KeyError` where what readers of labels look for has another form."""
    columns = labels.get("columns", [])
    _texts(columns)
    directions = {}
    for direction in labels.get("directions", []):
        _texts([direction["name"]])
        _steps(direction)
        if type(direction["column"]) is not int or not 0 <= direction["column"] < len(columns):
            raise ValueError("a direction without a column")
        _held(direction)
        directions[direction["name"]] = direction["column"]
    for layer in labels.get("layers", []):
        for head in layer["heads"]:
            _texts([head[key] for key in ("name", "purpose", "does")])
            _texts([head[key] for key in ("what", "mode", "for") if head.get(key) is not None])
            _whole([head.get("group", 0)])
        _texts([neuron[key] for neuron in layer["neurons"] for key in ("name", "does")])
    if certificate := labels.get("certificate"):
        _texts([certificate["tightest"]])
        bool(certificate["certified"])
        if not set(certificate.get("also", [])) <= set(DTYPES):
            raise ValueError("certified in an unknown dtype")
    for variable in labels.get("variables", []):
        _variable(variable, directions)
    for named in labels.get("named", []):
        _texts([named["name"], *([] if named["home"] is None else [named["home"]])])
        _whole(named["lines"])
        _values(named["values"])


def _require_all(labels: Mapping[str, Any], config: Config) -> None:
    """Raise `ValueError` or `KeyError` where labels that say what columns hold do not speak of every part."""
    if "named" not in labels:
        return
    _texts([labels.get("compiler", ""), labels.get("program", {"source": ""}).get("source", "")])
    if not all("holds" in direction for direction in labels["directions"]):
        raise ValueError("a direction that does not say what it holds")
    told = [(len(layer["heads"]), len(layer["neurons"])) for layer in labels["layers"]]
    if told != [(layer.n_heads, layer.d_mlp) for layer in config.layers]:
        raise ValueError("heads or neurons that are not those of the model")
    if len(labels["columns"]) != config.d_model or not isinstance(labels["variables"], list):
        raise ValueError("columns that are not those of the model")


def _variable(variable: Mapping[str, Any], directions: Mapping[str, int]) -> None:
    over = variable.get("over", {})
    _texts([variable["name"], *variable["read"], *over])
    _values(variable["values"])
    for number in [*variable["read"].values(), *over.values(), *variable["numbers"]]:
        exact(number)
    _steps(variable)
    if not variable["read"].keys() | over.keys() <= directions.keys():
        raise ValueError("a variable is read from nowhere")
    if len(variable["values"]) != len(variable["numbers"]):
        raise ValueError("a variable has more values than numbers, or fewer")


def _values(values: object) -> None:
    if not isinstance(values, list):
        raise TypeError("not a list of values")
    for value in values:
        value_from_json(value)


def _held(direction: Mapping[str, Any]) -> None:
    """What a direction holds, and is offset by; labels of older versions do not say."""
    if (offset := direction.get("offset")) is not None:
        exact(offset["number"])
    if "holds" in direction:
        _texts([direction["role"], direction["what"], *direction["of"]])
        _whole([0 if direction["offset"] is None else direction["offset"]["until"]])
    for statement in direction.get("holds", []):
        _texts([statement["of"]])
        _function(statement["function"])
        if type(statement["named"]) is not bool:
            raise TypeError("not a flag")


def _function(function: Mapping[str, Any]) -> None:
    """Raise where this is no function of a variable, as `compiler.circuit.functions` writes them."""
    values, numbers = FUNCTIONS[function["kind"]]
    for key in values:
        _values(function[key] if key == "values" else [function[key]])
    for key in numbers:
        for number in function[key] if key == "numbers" else [function[key]]:
            if number is not None:
                exact(number)


def _steps(item: Mapping[str, Any]) -> None:
    _whole([item[key] for key in ("ready", "until")])


def _whole(items: object) -> None:
    if not isinstance(items, list) or not all(type(item) is int for item in items):
        raise TypeError("not a list of whole numbers")


def _texts(items: object) -> None:
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise TypeError("not a list of texts")


def program(folder: str | Path) -> Program:
    """The program of a checkpoint, with the files it loads. Raises `ModelError`, or `RaspError` if it has an error."""
    from compiler.runtime.origin import program_of

    return program_of(load(folder))


def documents(folder: str | Path) -> list[str]:
    """The names of the further documents of a checkpoint."""
    return _at_one_time(Path(folder), lambda folder: _documents(_signed_config(folder)))


def document(folder: str | Path, name: str) -> Any:
    """The JSON data of one further document, its hash verified. Raises `ModelError` if it is missing or damaged."""
    return _at_one_time(Path(folder), lambda folder: _document(folder, name))


def _document(folder: Path, name: str) -> Any:
    data = _signed_config(folder)
    if name not in _documents(data):
        raise _missing(folder, name, _parsed(folder, LABELS, _read(folder, LABELS, data)).get(LEFT_OUT))
    return _parsed(folder, name, _read(folder, name, data), dict | list | str | int | float | None)


def _missing(folder: Path, name: str, left_out: Any) -> ModelError:
    """There is no such document; where it was left out, the labels say why."""
    reason = left_out.get(name) if isinstance(left_out, dict) else None
    if not isinstance(reason, str):
        return ModelError(f"the checkpoint {folder} has no {name}", "compile the program again")
    hint = "compile for fewer or shorter inputs; in Python, what would be in it can be made from the model"
    return ModelError(f"the checkpoint {folder} has no {name}: {reason[:100]}", hint)


def _documents(data: Mapping[str, Any]) -> list[str]:
    return sorted(name for name in data["sha256"] if _is_document(name))


def _is_document(name: str) -> bool:
    return PLAIN.fullmatch(name) is not None and name not in (CONFIG, LABELS)


def _model(folder: Path, config: Config, data: Mapping[str, Any]) -> Transformer:
    """The tensors' names, shapes and dtypes are compared before anything of the config's sizes is allocated."""
    content = _read(folder, WEIGHTS, data)
    if int.from_bytes(content[:8], "little") > MAX_HEADER:
        raise _damaged(folder, f"{WEIGHTS} lists too many tensors")
    try:
        tensors = tensors_of(content)
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as problem:
        raise _damaged(folder, f"{WEIGHTS} cannot be read ({_brief(problem)})") from None
    expected = {name: (shape, f"torch.{config.dtype}") for name, shape in config.shapes().items()}
    found = {name: (tuple(tensor.shape), str(tensor.dtype)) for name, tensor in tensors.items()}
    if found != expected:
        differing = min(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
        raise _damaged(folder, f"{CONFIG} and {WEIGHTS} disagree about {differing}")
    model = Transformer(config)
    model.load_state_dict(tensors)
    return model


def _config(folder: Path) -> dict[str, Any]:
    """The config of a checkpoint of ours."""
    if not folder.exists():
        raise ModelError(f"there is no folder {folder}", "`rasp compile PROGRAM -o DIR` makes a checkpoint")
    if not (folder / CONFIG).is_file():
        raise ModelError(f"{folder} is not a checkpoint: it has no {CONFIG}", "give a folder that `rasp compile` made")
    data: dict[str, Any] = _parsed(folder, CONFIG, _content(folder, CONFIG))
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
        raise _damaged(folder, f"{CONFIG} names a file that is none of a checkpoint's: {foreign[0][:100]!r}")
    if len(hashes) > MAX_DOCUMENTS + 3:
        raise _damaged(folder, f"{CONFIG} names more than {MAX_DOCUMENTS} documents")
    return data


def _parsed(folder: Path, name: str, content: bytes, wanted: Any = dict) -> Any:
    """JSON data. In a config, numbers that JSON does not have are refused."""
    if excess := _excess(content):
        raise _damaged(folder, f"{name} has {excess}")
    try:
        data = json.loads(content.decode("utf-8"), parse_constant=_refused if name == CONFIG else None)
    except (ValueError, RecursionError):
        raise _damaged(folder, f"{name} cannot be read") from None
    if not isinstance(data, wanted):
        raise _damaged(folder, f"{name} holds no object")
    return data


def _refused(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _read(folder: Path, name: str, data: Mapping[str, Any]) -> bytes:
    """The content of a file whose hash the config names. What is hashed is what is used."""
    content = _content(folder, name)
    if hashlib.sha256(content).hexdigest() != data["sha256"].get(name):
        raise _damaged(folder, f"{name} is not the file that was written")
    return content


def _content(folder: Path, name: str) -> bytes:
    """The content of an ordinary file of the folder: no link, no device, not too long."""
    try:
        found = (folder / name).lstat()
        if not stat.S_ISREG(found.st_mode):
            raise _damaged(folder, f"{name} is not an ordinary file")
        if found.st_size > (MAX_WEIGHTS if name == WEIGHTS else MAX_JSON):
            raise _damaged(folder, f"{name} is too large")
        return (folder / name).read_bytes()
    except FileNotFoundError:
        raise _damaged(folder, f"{name} is missing") from None
    except OSError:
        raise _damaged(folder, f"{name} cannot be read") from None


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _hash_of(data: Mapping[str, Any]) -> str:
    """The hash of JSON data, however it is laid out in its file."""
    return hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()


def _damaged(folder: Path, what: str) -> ModelError:
    return ModelError(f"the checkpoint {folder} is damaged: {what}", "compile the program again")
