"""Labels as they are read: the form that everyone who reads them looks for, and those of older versions made new.

In: the JSON data of `labels.json`, the config, the model. Out: labels, or a `ValueError`, `TypeError` or `KeyError`.
Invariant: behind `require_labels`, whoever reads labels finds texts, whole numbers and exact numbers where they are.

    require_labels({"columns": ["one"], "directions": [{"name": "one", "column": 0, "ready": 0, "until": 1}]})
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor

from compiler.model import DTYPES, Config, Transformer, exact, value_from_json

FUNCTIONS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "number": ((), ("times", "plus")),
    "square": ((), ("centre", "times", "plus")),
    "is": (("value",), ("times", "plus")),
    "at_least": (("value",), ("times", "plus")),
    "among": (("values",), ("times", "plus")),
    "table": ((), ("numbers",)),
}
"""The functions that labels may name: their values and their numbers."""


def with_directions(labels: Mapping[str, Any], model: Transformer) -> dict[str, Any]:
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


def require_labels(labels: Mapping[str, Any]) -> None:
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
        for head in (*layer["heads"], *layer.get("cross", ())):
            _texts([head[key] for key in ("name", "purpose", "does")])
            _texts([head[key] for key in ("what", "mode", "for") if head.get(key) is not None])
            _whole([head.get("group", 0)])
        _texts([neuron[key] for neuron in layer["neurons"] for key in ("name", "does")])
    if certificate := labels.get("certificate"):
        _texts([certificate["tightest"]])
        bool(certificate["certified"])
        if not set(certificate.get("also", [])) <= set(DTYPES):
            raise ValueError("certified in an unknown dtype")
    if options := labels.get("options"):
        _texts([options["optimize"], *options["limits"]])
        _whole([*options["limits"].values()])
    if "encoder" in labels:
        require_labels(labels["encoder"])
    for variable in labels.get("variables", []):
        _variable(variable, directions)
    for named in labels.get("named", []):
        _texts([named["name"], *([] if named["home"] is None else [named["home"]])])
        _whole(named["lines"])
        _values(named["values"])


def require_all(labels: Mapping[str, Any], config: Config) -> None:
    """Raise `ValueError` or `KeyError` where labels that say what columns hold do not speak of every part."""
    if "named" not in labels:
        return
    _texts([labels.get("compiler", ""), labels.get("program", {"source": ""}).get("source", "")])
    _require_parts(labels, config)
    if (labels.get("encoder") is None) != (config.encoder is None):
        raise ValueError("labels of an encoder that is not there, or none of one that is")
    if config.encoder is not None:
        _require_parts(labels["encoder"], config.encoder)


def _require_parts(labels: Mapping[str, Any], config: Config) -> None:
    if not all("holds" in direction for direction in labels["directions"]):
        raise ValueError("a direction that does not say what it holds")
    told = [(len(layer["heads"]), len(layer.get("cross", ())), len(layer["neurons"])) for layer in labels["layers"]]
    if told != [(layer.n_heads, layer.n_cross, layer.d_mlp) for layer in config.layers]:
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
