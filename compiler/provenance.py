"""Provenance: which part of a transformer computes which variable of the program, and who reads what whom wrote.

In: a compiled `Transformer`. Out: JSON data, explained in `docs/provenance.md`, its form in `provenance.schema.json`:
variables, nodes (embeddings, heads, neurons, outputs) with their hooks in TransformerLens, and the edges between them.
Invariant: edges come from the tensors alone. There is one exactly where an earlier node's writing matrix and a reading
matrix are both not zero on a column; so what stands across a missing edge cannot matter, bit for bit.

    {"from": "L0H0", "to": "L1H0", "input": "q", "columns": [5], "constant": false}
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from compiler.model import Block, ModelError, Transformer
from rasp.parser import parse_text
from rasp.syntax import Assign, For, Statement

FORMAT = "rasp-provenance"
VERSION = 1
DOCUMENT = "provenance.json"
"""The name of the file in a checkpoint."""
INDICATOR = re.compile(r"(?P<name>\w+)=(?P<value>.*?)( #\d+)?", re.DOTALL)
"""The name of a column that is larger by 1 where a variable has a value."""
ATOMS = ("tokens", "indices", "length")


@dataclass(frozen=True)
class _Node:
    """A part of the model: the columns it reads by input and those it writes, each a mask [d_model]."""

    id: str
    step: int  # it writes into the stream after this step: 0 the embedding, 2L + 1 and 2L + 2 the sublayers of layer L
    reads: dict[str, Tensor]
    writes: Tensor
    constant: Tensor  # columns that it writes with the same number at every token
    shown: dict[str, Any]


def provenance(model: Transformer) -> dict[str, Any]:
    """The ground truth of a compiled model as JSON data. Raises `ModelError` for a model without labels."""
    labels = model.labels
    if "columns" not in labels:
        raise ModelError("the model has no labels, so nothing is known about its parts", "compile the program again")
    nodes = list(_nodes(model))
    source = labels.get("program", {}).get("source", "")
    lines = _lines(source)
    variables = [_numeric(variable, nodes, labels["columns"], lines) for variable in labels["variables"]]
    numeric = {variable["name"] for variable in variables}
    variables += [v for v in _categorical(nodes, labels["columns"], lines) if v["name"] not in numeric]
    return {
        "format": FORMAT,
        "version": VERSION,
        "compiler": labels.get("compiler", ""),
        "source": source,
        "bos_token": model.config.d_vocab - 1,
        "columns": list(labels["columns"]),
        "variables": variables,
        "nodes": [_shown(node, variables) for node in nodes],
        "edges": list(_edges(nodes)),
    }


def _nodes(model: Transformer) -> Iterator[_Node]:
    """Every node in the order in which they write."""
    yield from _embeddings(model)
    for number, block in enumerate(model.layers()):
        yield from _heads(model, number, block)
        yield from _neurons(model, number, block)
    yield from _outputs(model)


def _embeddings(model: Transformer) -> Iterator[_Node]:
    tables = {"embed": ("hook_embed", model.embed.W_E, model.embed.W_E[:-1])}
    if model.embed.W_pos is not None:
        tables["pos_embed"] = ("hook_pos_embed", model.embed.W_pos, model.embed.W_pos[1:])
    for name, (hook, table, tokens) in tables.items():
        constant = (tokens == tokens[0]).all(0)
        yield _Node(name, 0, {}, _used(table), constant, {"kind": "embedding", "output": {"hook": hook}})


def _heads(model: Transformer, number: int, block: Block) -> Iterator[_Node]:
    if block.attn is None:
        return
    hook = f"blocks.{number}.attn.hook_"
    reading = {"q": block.attn.W_Q, "k": block.attn.W_K, "v": block.attn.W_V}
    for h, label in enumerate(_labels(model, number, "heads")):
        shown = {
            "kind": "head",
            "layer": number,
            "index": h,
            "name": label["name"],
            "purpose": label["purpose"],
            "inputs": {letter: {"hook": hook + letter} for letter in reading},
            "output": {"hook": f"{hook}z"},
        }
        reads = {letter: _used(matrix[h].T) for letter, matrix in reading.items()}
        yield _varying(f"L{number}H{h}", 2 * number + 1, reads, _used(block.attn.W_O[h]), shown)


def _neurons(model: Transformer, number: int, block: Block) -> Iterator[_Node]:
    if block.mlp is None:
        return
    hook = f"blocks.{number}.mlp.hook_"
    reads, writes = block.mlp.W_in.T != 0, block.mlp.W_out != 0
    for n, label in enumerate(_labels(model, number, "neurons")):
        shown = {
            "kind": "neuron",
            "layer": number,
            "index": n,
            "name": label["name"],
            "purpose": label["does"],
            "inputs": {"in": {"hook": f"{hook}pre"}},
            "output": {"hook": f"{hook}post"},
        }
        constant = writes[n] & ~reads[n].any()  # with a bias alone it says the same everywhere
        yield _Node(f"L{number}N{n}", 2 * number + 2, {"in": reads[n]}, writes[n], constant, shown)


def _outputs(model: Transformer) -> Iterator[_Node]:
    start, last = 0, 2 * len(model.config.layers) + 1
    for output in model.config.outputs:
        stop = start + len(output.values)
        hook = {"hook": "unembed.hook_out"}
        shown = {"kind": "output", "name": output.name, "logits": [start, stop], "inputs": {"in": hook}, "output": hook}
        reads = _used(model.unembed.W_U[:, start:stop].T)
        yield _varying(f"output:{output.name}", last, {"in": reads}, torch.zeros_like(reads), shown)
        start = stop


def _varying(name: str, step: int, reads: dict[str, Tensor], writes: Tensor, shown: dict[str, Any]) -> _Node:
    return _Node(name, step, reads, writes, torch.zeros_like(writes), shown)


def _labels(model: Transformer, number: int, kind: str) -> list[dict[str, str]]:
    return model.labels["layers"][number][kind]  # type: ignore[no-any-return]


def _used(matrix: Tensor) -> Tensor:
    """Which columns of the stream a matrix [rows, d_model] touches."""
    return (matrix != 0).any(0)


def _columns(mask: Tensor) -> list[int]:
    return [int(column) for column in mask.nonzero()[:, 0]]


def _edges(nodes: list[_Node]) -> Iterator[dict[str, Any]]:
    """What each input reads of what each earlier node wrote. A sublayer's nodes do not see each other."""
    writes = torch.stack([node.writes for node in nodes])
    varying = torch.stack([node.writes & ~node.constant for node in nodes])
    for reader in nodes:
        earlier = sum(node.step < reader.step for node in nodes)
        for letter, reads in reader.reads.items():
            shared = writes[:earlier] & reads
            for writer in _columns(shared.any(1)):
                yield {
                    "from": nodes[writer].id,
                    "to": reader.id,
                    "input": letter,
                    "columns": _columns(shared[writer]),
                    "constant": not bool((varying[writer] & reads).any()),
                }


def _numeric(
    label: dict[str, Any], nodes: list[_Node], columns: list[str], lines: dict[str, list[int]]
) -> dict[str, Any]:
    """A variable that stands in the stream as a number."""
    read = [(columns.index(name), coefficient) for name, coefficient in label["read"].items()]
    return {
        **_place(label["name"], label["ready"], [column for column, _ in read], nodes, lines),
        "read": [{"column": column, "coefficient": coefficient} for column, coefficient in read],
        "values": [
            {"number": number, "value": value} for number, value in zip(label["numbers"], label["values"], strict=True)
        ],
        "indicators": [],
    }


def _categorical(nodes: list[_Node], columns: list[str], lines: dict[str, list[int]]) -> Iterator[dict[str, Any]]:
    """The variables that have a column for each value, by the names of the columns."""
    found: dict[str, dict[int, str]] = {}
    for number, column in enumerate(columns):
        if (match := INDICATOR.fullmatch(column)) and match["name"] in {*lines, *ATOMS}:
            found.setdefault(match["name"], {})[number] = match["value"]
    for name, values in found.items():
        step = max(node.step for node in nodes if bool(node.writes[[*values]].any()))
        yield {
            **_place(name, step, list(values), nodes, lines),
            "read": [],
            "values": [],
            "indicators": [{"column": column, "value": text} for column, text in values.items()],
        }


def _place(name: str, step: int, columns: list[int], nodes: list[_Node], lines: dict[str, list[int]]) -> dict[str, Any]:
    """Where a variable is bound in the program and stands in the stream, and the nodes that put it there."""
    writes = {node.id: node.writes & ~node.constant for node in nodes if node.step <= step}
    return {
        "name": name,
        "lines": lines.get(name, []),
        "step": step,
        "layer": None if step == 0 else (step - 1) // 2,
        "hook": _stream(step),
        "nodes": [writer for writer, mask in writes.items() if bool(mask[columns].any())],
    }


def _stream(step: int) -> str:
    """The hook of the residual stream after a step."""
    if step == 0:
        return "blocks.0.hook_resid_pre"
    return f"blocks.{(step - 1) // 2}.hook_resid_{'mid' if step % 2 else 'post'}"


def _shown(node: _Node, variables: list[dict[str, Any]]) -> dict[str, Any]:
    """The node as JSON data, with the variables it writes and the lines that bind them."""
    written = [variable for variable in variables if node.id in variable["nodes"]]
    data = {"id": node.id, **node.shown, "output": {**node.shown["output"], "columns": _columns(node.writes)}}
    if node.reads:
        data["inputs"] = {
            letter: {**data["inputs"][letter], "columns": _columns(reads)} for letter, reads in node.reads.items()
        }
    return data | {
        "variables": [variable["name"] for variable in written],
        "lines": sorted({line for variable in written for line in variable["lines"]}),
    }


def _lines(source: str) -> dict[str, list[int]]:
    """The lines of a program that bind each of its names."""
    found: dict[str, list[int]] = {}
    for statement in _assignments(parse_text(source).statements):
        for target in statement.targets:
            line, _ = target.span.source.position(target.span.start)
            found.setdefault(target.name, []).append(line)
    return found


def _assignments(statements: Iterable[Statement]) -> Iterator[Assign]:
    for statement in statements:
        if isinstance(statement, Assign):
            yield statement
        elif isinstance(statement, For):
            yield from _assignments(statement.body)
