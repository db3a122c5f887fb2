"""Provenance: which part of a transformer computes which variable of the program, and who reads what whom wrote.

In: a compiled `Transformer`. Out: JSON data, explained in `docs/provenance.md`, its form in `provenance.schema.json`:
what each direction of the stream holds, the variables, nodes (embeddings, heads, neurons, outputs) with their hooks in
TransformerLens, and the edges between them.
Invariants: what columns hold is said by the data of the labels, never by a name. Edges come from the tensors alone.
There is one exactly where an earlier node's writing matrix and a reading matrix are both not zero on a column; so what
stands across a missing edge cannot matter, bit for bit.

    {"from": "L0H0", "to": "L1H0", "input": "q", "columns": [5], "constant": false, "erased": false}
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from torch import Tensor

from compiler.model import Block, ModelError, Transformer

FORMAT = "rasp-provenance"
VERSION = 2
DOCUMENT = "provenance.json"
"""The name of the file in a checkpoint."""

MAX_EDGES = 1 << 18
"""Edges of a document; one of more could not be read again, and takes minutes to write."""

_Label: TypeAlias = Mapping[str, Any]


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
    """The ground truth of a compiled model as JSON data.

    Raises `ModelError` for one whose labels do not tell it, and where it would have too many edges to be written.
    """
    labels = model.labels
    if "columns" not in labels:
        raise ModelError("the model has no labels, so nothing is known about its parts", "compile the program again")
    if "named" not in labels:
        missing = "the labels are of an older version: they do not say what columns hold"
        raise ModelError(missing, "compile the program again")
    nodes = list(_nodes(model))
    stream = _Stream(labels, nodes)
    variables = [stream.variable(label) for label in labels["named"]]
    written: dict[str, list[dict[str, Any]]] = {}
    for variable in variables:
        for writer in variable["nodes"]:
            written.setdefault(writer, []).append(variable)
    return {
        "format": FORMAT,
        "version": VERSION,
        "compiler": labels.get("compiler", ""),
        "source": labels.get("program", {}).get("source", ""),
        "bos_token": model.config.d_vocab - 1,
        "columns": list(labels["columns"]),
        "directions": [stream.direction(label) for label in labels["directions"]],
        "variables": variables,
        "nodes": [_shown(node, written.get(node.id, [])) for node in nodes],
        "edges": _few(_edges(nodes, stream.cleared)),
    }


def _few(edges: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    """The edges, of which each neuron may have one to every neuron behind it."""
    found = list(itertools.islice(edges, MAX_EDGES + 1))
    if len(found) > MAX_EDGES:
        raise ModelError(
            f"its nodes have more than {MAX_EDGES:,} edges between them", "compile for fewer or shorter inputs"
        )
    return found


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


def _edges(nodes: list[_Node], cleared: Mapping[int, list[int]]) -> Iterator[dict[str, Any]]:
    """What each input reads of what each earlier node wrote. A sublayer's nodes do not see each other."""
    steps = [node.step for node in nodes]
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


class _Stream:
    """What the labels say about the directions of the stream, and the nodes that write them."""

    def __init__(self, labels: _Label, nodes: list[_Node]) -> None:
        self.nodes = nodes
        self.writers: dict[int, list[int]] = {}
        for number, node in enumerate(nodes):
            for column in node.varying:
                self.writers.setdefault(column, []).append(number)
        self.directions: list[_Label] = labels["directions"]
        self.by_name = {direction["name"]: direction for direction in self.directions}
        self.cleared: dict[int, list[int]] = {}
        for direction in self.directions:
            self.cleared.setdefault(direction["column"], []).append(direction["until"])
        self.read = {variable["name"]: variable for variable in labels["variables"]}
        self.holding: dict[str, list[tuple[_Label, _Label]]] = {}
        for direction in self.directions:
            for statement in direction["holds"]:
                if statement["named"]:
                    self.holding.setdefault(statement["of"], []).append((direction, statement["function"]))

    def direction(self, label: _Label) -> dict[str, Any]:
        """A direction: where and when it is, what it holds, of which variables it is a function."""
        return {
            "name": label["name"],
            **self._place(label),
            "role": label["role"],
            "holds": label["what"],
            "of": list(label["of"]),
            "variables": [statement["of"] for statement in label["holds"] if statement["named"]],
            "nodes": self._writers([label], label["ready"]),
        }

    def variable(self, named: _Label) -> dict[str, Any]:
        """A variable: how it is read as a number, and every column that is a function of it."""
        name = named["name"]
        read = self.read.get(name)
        terms = {} if read is None else read["read"]
        over = {} if read is None else read.get("over", {})
        holding = self.holding.get(name, [])
        numbers = {} if read is None else {_key(v): n for v, n in zip(read["values"], read["numbers"], strict=True)}
        values = [{"value": value, "number": numbers.get(_key(value))} for value in named["values"]]
        directions = [self.by_name[one] for one in terms | over] or [direction for direction, _ in holding]
        step = read["ready"] if read is not None else max((direction["ready"] for direction in directions), default=0)
        return {
            "name": name,
            "lines": list(named["lines"]),
            "home": named["home"],
            "step": step,
            "until": min((direction["until"] for direction in directions), default=self.nodes[-1].step),
            "layer": None if step == 0 else (step - 1) // 2,
            "hook": _stream(step),
            "read": self._sum(terms),
            "over": self._sum(over),
            "values": values,
            "columns": [{**self._place(direction), "function": function} for direction, function in holding],
            "nodes": self._writers(directions, step),
        }

    def _sum(self, terms: Mapping[str, str]) -> list[dict[str, Any]]:
        """A sum of columns, each by its coefficient."""
        return [{"column": self.by_name[one]["column"], "coefficient": c} for one, c in terms.items()]

    def _place(self, direction: _Label) -> dict[str, Any]:
        """In which column a direction is, after which steps, and how much more than what it holds stands there."""
        place = {"column": direction["column"], "step": direction["ready"], "until": direction["until"]}
        return {**place, "offset": direction["offset"]}

    def _writers(self, directions: Iterable[_Label], step: int) -> list[str]:
        """The nodes that put directions into the stream, up to a step."""
        found: set[int] = set()
        for direction in directions:
            emptied = self._emptied(direction)
            writers = self.writers.get(direction["column"], ())
            found.update(number for number in writers if emptied < self.nodes[number].step <= step)
        return [self.nodes[number].id for number in sorted(found)]

    def _emptied(self, direction: _Label) -> int:
        """The step in which the column was cleared of the value before; before all steps if there was none."""
        before = self.cleared[direction["column"]]
        return max((until for until in before if until <= direction["ready"]), default=-1)


def _key(value: object) -> tuple[type, object]:
    """What tells a value of the labels from others: 1 and True are two."""
    return type(value), value["float"] if isinstance(value, dict) else value


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
