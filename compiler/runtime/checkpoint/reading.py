"""Reading a checkpoint: its model, its program, its documents.

In: a folder. Out: a `Transformer` with its labels, or the JSON data of a document; `ModelError` where it is damaged.
Invariant: all that is read is of one time, though the checkpoint may be written meanwhile; what a config says is
compared with the tensors before anything of its sizes is allocated.

    load("sort").run("cab")
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import safetensors
from safetensors.torch import load as tensors_of

from compiler.model import Config, Loop, ModelError, Transformer
from compiler.runtime.checkpoint.files import (
    CONFIG,
    LABELS,
    LEFT_OUT,
    WEIGHTS,
    damaged,
    document_names,
    parsed,
    read,
    signed_config,
)
from compiler.runtime.checkpoint.labels import require_all, require_labels, with_directions

if TYPE_CHECKING:
    from rasp import Program

T = TypeVar("T")
MAX_HEADER = 1 << 23
"""The largest list of tensors in a file, in bytes."""
MAX_TRIES = 100
"""How often reading begins again because the checkpoint was written meanwhile."""
MAX_LENGTH, MAX_LAYERS, MAX_ROUNDS = 1 << 24, 1 << 12, 100_000
"""Longest input and most layers: sizes that a config may name though no tensor has them."""


def load(folder: str | Path) -> Transformer:
    """Read a checkpoint. Raises `ModelError` if it is missing, foreign, from a newer version, or damaged."""
    return _at_one_time(Path(folder), _loaded)


def program(folder: str | Path) -> Program:
    """The program of a checkpoint, with the files it loads. Raises `ModelError`, or `RaspError` if it has an error."""
    from compiler.runtime.origin import program_of

    return program_of(load(folder))


def documents(folder: str | Path) -> list[str]:
    """The names of the further documents of a checkpoint."""
    return _at_one_time(Path(folder), lambda folder: document_names(signed_config(folder)))


def document(folder: str | Path, name: str) -> Any:
    """The JSON data of one further document, its hash verified. Raises `ModelError` if it is missing or damaged."""
    return _at_one_time(Path(folder), lambda folder: _document(folder, name))


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
    data = signed_config(folder)
    for name in document_names(data):
        read(folder, name, data)
    shape = {key: value for key, value in data.items() if key not in ("format", "version", "sha256")}
    try:
        config = Config.from_json(shape)
        _require_sizes(config)
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as problem:
        raise damaged(folder, f"{CONFIG} does not describe a model ({_brief(problem)})") from None
    labels = parsed(folder, LABELS, read(folder, LABELS, data))
    model = _model(folder, config, data)
    try:
        labels = with_directions(labels, model) if data["version"] < 2 else labels
        require_labels(labels)
        require_all(labels, config)
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise damaged(folder, f"{LABELS} does not describe a model ({_brief(problem)})") from None
    model.labels = labels
    return model.eval()


def _model(folder: Path, config: Config, data: Mapping[str, Any]) -> Transformer:
    """The tensors' names, shapes and dtypes are compared before anything of the config's sizes is allocated."""
    content = read(folder, WEIGHTS, data)
    if int.from_bytes(content[:8], "little") > MAX_HEADER:
        raise damaged(folder, f"{WEIGHTS} lists too many tensors")
    try:
        tensors = tensors_of(content)
    except (safetensors.SafetensorError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as problem:
        raise damaged(folder, f"{WEIGHTS} cannot be read ({_brief(problem)})") from None
    expected = {name: (shape, f"torch.{config.dtype}") for name, shape in config.shapes().items()}
    found = {name: (tuple(tensor.shape), str(tensor.dtype)) for name, tensor in tensors.items()}
    if found != expected:
        differing = min(name for name in found.keys() | expected.keys() if found.get(name) != expected.get(name))
        raise damaged(folder, f"{CONFIG} and {WEIGHTS} disagree about {differing}")
    model = Transformer(config)
    model.load_state_dict(tensors)
    return model


def _require_sizes(config: Config) -> None:
    """Raise `ValueError` for sizes of a kind that no model has: `from_json` takes whatever JSON holds."""
    _require_stack(config)
    if config.encoder is not None:
        _require_stack(config.encoder)
        if config.start not in config.vocabulary or not config.causal:
            raise ValueError("no token to begin a target with, or a decoder that looks ahead")
    elif any(layer.n_cross for layer in config.layers):
        raise ValueError("heads that cross, and no encoder")
    if config.loop is not None:
        _require_loop(config.loop, len(config.layers), config.d_model)
        if config.encoder is not None:
            raise ValueError("a loop beside an encoder")
    if not all(text is None or isinstance(text, str) for text in (config.unknown, config.generate)):
        raise ValueError("a name is no text")
    if not config.outputs or not all(output.values for output in config.outputs):
        raise ValueError("an output has no values")


def _require_loop(loop: Loop, layers: int, columns: int) -> None:
    sizes = (loop.start, loop.stop, loop.rounds)
    if not all(type(size) is int for size in sizes) or not 0 <= loop.start < loop.stop <= layers:
        raise ValueError("a loop of layers that are not there")
    if not 1 <= loop.rounds <= MAX_ROUNDS:
        raise ValueError(f"a loop of more than {MAX_ROUNDS} rounds, or of none")
    if loop.halt is not None and not (type(loop.halt) is int and 0 <= loop.halt < columns):
        raise ValueError("a loop that halts by a column that is not there")


def _require_stack(config: Config) -> None:
    """The sizes of an embedding and its layers, of a network or of its encoder."""
    sizes = [(config.d_model, 1), (config.max_length, 1)]
    for layer in config.layers:
        least, crossing = (1 if heads else 0 for heads in (layer.n_heads, layer.n_cross))
        sizes += [(layer.n_heads, 0), (layer.d_head, least), (layer.d_value, least), (layer.d_mlp, 0)]
        sizes += [(layer.n_cross, 0), (layer.d_cross, crossing), (layer.d_cross_value, crossing)]
    if not all(type(size) is int and size >= least for size, least in sizes):
        raise ValueError("a size is no whole number, or too small")
    if config.max_length > MAX_LENGTH or len(config.layers) > MAX_LAYERS:
        raise ValueError(f"more than {MAX_LENGTH} tokens or {MAX_LAYERS} layers")
    if not all(type(flag) is bool for flag in (config.causal, config.has_positions)):
        raise ValueError("a flag is neither true nor false")


def _brief(problem: Exception) -> str:
    text = f"{type(problem).__name__}: {problem}"
    return text if len(text) <= 100 else text[:97] + "..."


def _document(folder: Path, name: str) -> Any:
    data = signed_config(folder)
    if name not in document_names(data):
        raise _missing(folder, name, parsed(folder, LABELS, read(folder, LABELS, data)).get(LEFT_OUT))
    return parsed(folder, name, read(folder, name, data), dict | list | str | int | float | None)


def _missing(folder: Path, name: str, left_out: Any) -> ModelError:
    """There is no such document; where it was left out, the labels say why."""
    reason = left_out.get(name) if isinstance(left_out, dict) else None
    if not isinstance(reason, str):
        return ModelError(f"the checkpoint {folder} has no {name}", "compile the program again")
    hint = "compile for fewer or shorter inputs; in Python, what would be in it can be made from the model"
    return ModelError(f"the checkpoint {folder} has no {name}: {reason[:100]}", hint)
