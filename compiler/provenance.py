"""Provenance: which part of a transformer computes which variable of the program, and who reads what whom wrote.

In: a compiled `Transformer`. Out: JSON data, explained in `docs/provenance.md`, its form in `provenance.schema.json`:
variables, nodes (embeddings, heads, neurons, outputs) with their hooks in TransformerLens, and the edges between them.
Invariant: edges come from the tensors alone. There is one exactly where an earlier node's writing matrix and a reading
matrix are both not zero on a column; so what stands across a missing edge cannot matter, bit for bit.

    {"from": "L0H0", "to": "L1H0", "input": "q", "columns": [5], "constant": false, "erased": false}
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

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


_Places: TypeAlias = Mapping[str, Mapping[str, Any]]
"""The labels of the directions, by name."""


@dataclass(frozen=True)
class _Node:
    """A part of the model: the columns it reads by input and those it writes."""

    id: str
    step: int  # it writes into the stream after this step: 0 the embedding, 2L + 1 and 2L + 2 the sublayers of layer L
    reads: dict[str, list[int]]
    writes: list[int]
    varying: frozenset[int]  # those that it does not write with the same number at every token
    shown: dict[str, Any]


def provenance(model: Transformer) -> dict[str, Any]:
    """The ground truth of a compiled model as JSON data. Raises `ModelError` for a model without labels."""
    labels = model.labels
    if "columns" not in labels:
        raise ModelError("the model has no labels, so nothing is known about its parts", "compile the program again")
    nodes = list(_nodes(model))
    source = labels.get("program", {}).get("source", "")
    lines = _lines(source)
    places = {direction["name"]: direction for direction in labels["directions"]}
    categorical = {variable["name"]: variable for variable in _categorical(nodes, places, lines)}
    variables = [
        _numeric(variable, nodes, places, lines, categorical.pop(variable["name"], {}).get("indicators", []))
        for variable in labels["variables"]
    ]
    variables += categorical.values()
    written: dict[str, list[dict[str, Any]]] = {}
    for variable in variables:
        for writer in variable["nodes"]:
            written.setdefault(writer, []).append(variable)
    return {
        "format": FORMAT,
        "version": VERSION,
        "compiler": labels.get("compiler", ""),
        "source": source,
        "bos_token": model.config.d_vocab - 1,
        "columns": list(labels["columns"]),
        "variables": variables,
        "nodes": [_shown(node, written.get(node.id, [])) for node in nodes],
        "edges": list(_edges(nodes, places.values())),
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
        varying = frozenset(_columns(tokens != tokens[0]))
        yield _Node(name, 0, {}, _columns(table), varying, {"kind": "embedding", "output": {"hook": hook}})


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
        reads = {letter: _columns(matrix[h].T) for letter, matrix in reading.items()}
        writes = _columns(block.attn.W_O[h])
        yield _Node(f"L{number}H{h}", 2 * number + 1, reads, writes, frozenset(writes), shown)


def _neurons(model: Transformer, number: int, block: Block) -> Iterator[_Node]:
    if block.mlp is None:
        return
    hook = f"blocks.{number}.mlp.hook_"
    reads, writes = _rows(block.mlp.W_in.T), _rows(block.mlp.W_out)
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
        varying = frozenset(writes[n] if reads[n] else [])  # with a bias alone it says the same everywhere
        yield _Node(f"L{number}N{n}", 2 * number + 2, {"in": reads[n]}, writes[n], varying, shown)


def _outputs(model: Transformer) -> Iterator[_Node]:
    start, last = 0, 2 * len(model.config.layers) + 1
    for output in model.config.outputs:
        stop = start + len(output.values)
        hook = {"hook": "unembed.hook_out"}
        shown = {"kind": "output", "name": output.name, "logits": [start, stop], "inputs": {"in": hook}, "output": hook}
        reads = {"in": _columns(model.unembed.W_U[:, start:stop].T)}
        yield _Node(f"output:{output.name}", last, reads, [], frozenset(), shown)
        start = stop


def _labels(model: Transformer, number: int, kind: str) -> list[dict[str, str]]:
    return model.labels["layers"][number][kind]  # type: ignore[no-any-return]


def _columns(matrix: Tensor) -> list[int]:
    """The columns of the stream that a matrix [rows, d_model] touches."""
    return (matrix != 0).any(0).nonzero()[:, 0].tolist()


def _rows(matrix: Tensor) -> list[list[int]]:
    """For each row of a matrix [rows, d_model] the columns of the stream that it touches."""
    found: list[list[int]] = [[] for _ in matrix]
    for row, column in matrix.nonzero().tolist():
        found[row].append(column)
    return found


def _edges(nodes: list[_Node], directions: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """What each input reads of what each earlier node wrote. A sublayer's nodes do not see each other."""
    steps = [node.step for node in nodes]
    cleared: dict[int, list[int]] = {}
    for direction in directions:
        cleared.setdefault(direction["column"], []).append(direction["until"])
    writers: dict[int, list[int]] = {}
    for number, node in enumerate(nodes):
        for column in node.writes:
            writers.setdefault(column, []).append(number)
    for reader in nodes:
        earlier = bisect_left(steps, reader.step)
        for letter, reads in reader.reads.items():
            shared: dict[int, list[int]] = {}
            for column in reads:
                numbers = writers.get(column, [])
                for number in numbers[: bisect_left(numbers, earlier)]:
                    shared.setdefault(number, []).append(column)
            for number, columns in sorted(shared.items()):
                yield {
                    "from": nodes[number].id,
                    "to": reader.id,
                    "input": letter,
                    "columns": columns,
                    "constant": nodes[number].varying.isdisjoint(columns),
                    "erased": all(
                        any(nodes[number].step <= step < reader.step for step in cleared.get(column, ()))
                        for column in columns
                    ),
                }


def _numeric(
    label: dict[str, Any],
    nodes: list[_Node],
    places: _Places,
    lines: dict[str, list[int]],
    indicators: list[dict[str, Any]],
) -> dict[str, Any]:
    """A variable that stands in the stream as a number, which may be a sum of some of its indicators."""
    read = label["read"]
    columns = {places[name]["column"] for name in read}
    return {
        **_place(label["name"], list(read), nodes, places, lines),
        "read": [{"column": places[name]["column"], "coefficient": coefficient} for name, coefficient in read.items()],
        "values": [
            {"number": number, "value": value} for number, value in zip(label["numbers"], label["values"], strict=True)
        ],
        "indicators": [indicator for indicator in indicators if indicator["column"] in columns],
    }


def _categorical(nodes: list[_Node], places: _Places, lines: dict[str, list[int]]) -> Iterator[dict[str, Any]]:
    """The variables that have a column for each value, by the names of the directions."""
    found: dict[str, dict[str, str]] = {}
    for direction in places:
        if (match := INDICATOR.fullmatch(direction)) and match["name"] in {*lines, *ATOMS}:
            found.setdefault(match["name"], {})[direction] = match["value"]
    for name, values in found.items():
        yield {
            **_place(name, list(values), nodes, places, lines),
            "read": [],
            "values": [],
            "indicators": [{"column": places[name]["column"], "value": text} for name, text in values.items()],
        }


def _place(
    name: str, directions: list[str], nodes: list[_Node], places: _Places, lines: dict[str, list[int]]
) -> dict[str, Any]:
    """Where a variable is bound in the program and stands in the stream, and the nodes that put it there."""
    read = [places[direction] for direction in directions]
    step = max((direction["ready"] for direction in read), default=0)
    emptied = {direction["column"]: _emptied(direction, places) for direction in read}

    def puts(node: _Node) -> bool:
        return node.step <= step and any(emptied.get(column, node.step) < node.step for column in node.varying)

    return {
        "name": name,
        "lines": lines.get(name, []),
        "step": step,
        "until": min((direction["until"] for direction in read), default=nodes[-1].step),
        "layer": None if step == 0 else (step - 1) // 2,
        "hook": _stream(step),
        "nodes": [node.id for node in nodes if puts(node)],
    }


def _emptied(direction: Mapping[str, Any], places: _Places) -> int:
    """The step in which the column was cleared of the value before; before all steps if there was none."""
    before = (other["until"] for other in places.values() if other["column"] == direction["column"])
    return max((until for until in before if until <= direction["ready"]), default=-1)


def _stream(step: int) -> str:
    """The hook of the residual stream after a step."""
    if step == 0:
        return "blocks.0.hook_resid_pre"
    return f"blocks.{(step - 1) // 2}.hook_resid_{'mid' if step % 2 else 'post'}"


def _shown(node: _Node, written: list[dict[str, Any]]) -> dict[str, Any]:
    """The node as JSON data, with the variables it writes and the lines that bind them."""
    data = {"id": node.id, **node.shown, "output": {**node.shown["output"], "columns": node.writes}}
    if node.reads:
        data["inputs"] = {letter: {**data["inputs"][letter], "columns": reads} for letter, reads in node.reads.items()}
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
