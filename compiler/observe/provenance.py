"""Provenance: which part of a transformer computes which variable of the program, and who reads what whom wrote.

In: a compiled `Transformer`. Out: JSON data, explained in `docs/provenance.md`, its form in `provenance.schema.json`:
what each direction of the stream holds, the variables, nodes (embeddings, heads, neurons, outputs) with their hooks in
TransformerLens, and the edges between them; of a model with an encoder the same of that, as its `encoder`.
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

from compiler.model import Attention, Block, CrossAttention, ModelError, Stack, Transformer
from compiler.observe.steps import sublayers

FORMAT = "rasp-provenance"
VERSION, OF_TWO_TAPES = 2, 3
"""The version of a document; that of one with an `encoder`, which must not be read without it."""
DOCUMENT = "provenance.json"
"""The name of the file in a checkpoint."""

MAX_EDGES = 1 << 18
"""Edges of a document; one of more could not be read again, and takes minutes to write."""

_Label: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class _Node:
    """A part of the model: the columns it reads by input and those it writes."""

    id: str
    step: int  # it writes into the stream after this step: 0 the embedding, then the sublayers of each layer
    reads: dict[str, list[int]]
    writes: list[int]
    varying: frozenset[int]  # those that it does not write with the same number at every token
    shown: dict[str, Any]
    crosses: frozenset[str] = frozenset()  # the inputs that read the encoder's stream, as it is in the end


@dataclass(frozen=True)
class _Half:
    """The stack of a model that ends with the outputs, or its encoder, with the labels; ids and hooks have a prefix."""

    stack: Stack
    labels: _Label
    prefix: str = ""

    @property
    def sublayers(self) -> tuple[str, ...]:
        return sublayers(self.stack.config)

    @property
    def never(self) -> int:
        """One more than all steps."""
        return len(self.sublayers) * len(self.stack.config.layers) + 1

    def step(self, layer: int, sublayer: str) -> int:
        """The number of a sublayer among all."""
        return len(self.sublayers) * layer + self.sublayers.index(sublayer) + 1

    def layer(self, step: int) -> int | None:
        """The layer of a step; None of the embedding."""
        return None if step == 0 else (step - 1) // len(self.sublayers)

    def hook(self, step: int) -> str:
        """The hook of the residual stream after a step."""
        layer = self.layer(step)
        if layer is None:
            return f"{self.prefix}blocks.0.hook_resid_pre"
        return f"{self.prefix}blocks.{layer}.hook_resid_{_AFTER[self.sublayers[(step - 1) % len(self.sublayers)]]}"

    def block(self, layer: int) -> str:
        """What the hooks of a layer begin with."""
        return f"{self.prefix}blocks.{layer}."


_AFTER = {"attention": "mid", "cross-attention": "mid_cross", "MLP": "post"}
"""What TransformerLens calls the stream after each sublayer."""


def provenance(model: Transformer) -> dict[str, Any]:
    """The ground truth of a compiled model as JSON data.

    Raises `ModelError` for one whose labels do not tell it, and where it would have too many edges to be written.
    """
    labels = model.labels
    model.require_no_loop("provenance")
    if "columns" not in labels:
        raise ModelError("the model has no labels, so nothing is known about its parts", "compile the program again")
    if "named" not in labels:
        missing = "the labels are of an older version: they do not say what columns hold"
        raise ModelError(missing, "compile the program again")
    source = None if model.encoder is None else _Half(model.encoder, labels["encoder"], "encoder.")
    read = None if source is None else _Stream(source, [*_nodes(source)])
    own = _Half(model, labels)
    stream = _Stream(own, [*_nodes(own), *_outputs(model, own)])
    found = {
        "format": FORMAT,
        "version": VERSION if read is None else OF_TWO_TAPES,
        "compiler": labels.get("compiler", ""),
        "source": labels.get("program", {}).get("source", ""),
        **stream.told(read),
    }
    return found if read is None else found | {"encoder": read.told()}


def _few(edges: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    """The edges, of which each neuron may have one to every neuron behind it."""
    found = list(itertools.islice(edges, MAX_EDGES + 1))
    if len(found) > MAX_EDGES:
        raise ModelError(
            f"its nodes have more than {MAX_EDGES:,} edges between them", "compile for fewer or shorter inputs"
        )
    return found


def _nodes(half: _Half) -> Iterator[_Node]:
    """Every node but the outputs, in the order in which they write."""
    yield from _embeddings(half)
    for number, block in enumerate(half.stack.layers()):
        yield from _heads(half, number, block)
        yield from _crossing(half, number, block)
        yield from _neurons(half, number, block)


def _embeddings(half: _Half) -> Iterator[_Node]:
    embed = half.stack.embed
    tables = {"embed": (embed.W_E, embed.W_E[:-1])}
    if embed.W_pos is not None:
        tables["pos_embed"] = (embed.W_pos, embed.W_pos[1:])
    for name, (table, tokens) in tables.items():
        varying = frozenset(_columns(tokens != tokens[0]))
        shown = {"kind": "embedding", "output": {"hook": f"{half.prefix}hook_{name}"}}
        yield _Node(f"{half.prefix}{name}", 0, {}, _columns(table), varying, shown)


def _heads(half: _Half, number: int, block: Block) -> Iterator[_Node]:
    if block.attn is not None:
        yield from _attending(half, number, block.attn, "attention")


def _crossing(half: _Half, number: int, block: Block) -> Iterator[_Node]:
    if block.cross is not None:
        yield from _attending(half, number, block.cross, "cross-attention")


def _attending(half: _Half, number: int, attn: Attention | CrossAttention, sublayer: str) -> Iterator[_Node]:
    """The heads of a sublayer. What crosses has its keys and values of the encoder."""
    letter, name, labels = ("H", "attn", "heads") if sublayer == "attention" else ("C", "cross_attn", "cross")
    crosses = frozenset("kv" if sublayer == "cross-attention" else "")
    hook = f"{half.block(number)}{name}.hook_"
    reading = {"q": attn.W_Q, "k": attn.W_K, "v": attn.W_V}
    for h, label in enumerate(half.labels["layers"][number][labels]):
        shown = {
            "kind": "head",
            "layer": number,
            "index": h,
            "name": label["name"],
            "purpose": label["purpose"],
            "inputs": {
                one: {"hook": hook + one, **({"stream": "encoder"} if one in crosses else {})} for one in reading
            },
            "output": {"hook": f"{hook}z"},
        }
        reads = {one: _columns(matrix[h].T) for one, matrix in reading.items()}
        writes = _columns(attn.W_O[h])
        node = f"{half.prefix}L{number}{letter}{h}"
        yield _Node(node, half.step(number, sublayer), reads, writes, frozenset(writes), shown, crosses)


def _neurons(half: _Half, number: int, block: Block) -> Iterator[_Node]:
    if block.mlp is None:
        return
    hook = f"{half.block(number)}mlp.hook_"
    reads, writes = _rows(block.mlp.W_in.T), _rows(block.mlp.W_out)
    for n, label in enumerate(half.labels["layers"][number]["neurons"]):
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
        step = half.step(number, "MLP")
        yield _Node(f"{half.prefix}L{number}N{n}", step, {"in": reads[n]}, writes[n], varying, shown)


def _outputs(model: Transformer, half: _Half) -> Iterator[_Node]:
    start = 0
    for output in model.config.outputs:
        stop = start + len(output.values)
        hook = {"hook": "unembed.hook_out"}
        shown = {"kind": "output", "name": output.name, "logits": [start, stop], "inputs": {"in": hook}, "output": hook}
        reads = {"in": _columns(model.unembed.W_U[:, start:stop].T)}
        yield _Node(f"output:{output.name}", half.never, reads, [], frozenset(), shown)
        start = stop


def _columns(matrix: Tensor) -> list[int]:
    """The columns of the stream that a matrix [rows, d_model] touches."""
    return (matrix != 0).any(0).nonzero()[:, 0].tolist()


def _rows(matrix: Tensor) -> list[list[int]]:
    """For each row of a matrix [rows, d_model] the columns of the stream that it touches."""
    found: list[list[int]] = [[] for _ in matrix]
    for row, column in matrix.nonzero().tolist():
        found[row].append(column)
    return found


class _Writers:
    """The nodes of a stream by the columns that they write."""

    def __init__(self, nodes: list[_Node], cleared: Mapping[int, list[int]]) -> None:
        self.nodes = nodes
        self.cleared = cleared
        self.steps = [node.step for node in nodes]
        self.of: dict[int, list[int]] = {}
        for number, node in enumerate(nodes):
            for column in node.writes:
                self.of.setdefault(column, []).append(number)

    def edges(self, reader: _Node, letter: str, end: int) -> Iterator[dict[str, Any]]:
        """What an input reads of what each node wrote before a step. A sublayer's nodes do not see each other."""
        earlier = bisect_left(self.steps, end)
        shared: dict[int, list[int]] = {}
        for column in reader.reads[letter]:
            numbers = self.of.get(column, [])
            for number in numbers[: bisect_left(numbers, earlier)]:
                shared.setdefault(number, []).append(column)
        for number, columns in sorted(shared.items()):
            writer = self.nodes[number]
            yield {
                "from": writer.id,
                "to": reader.id,
                "input": letter,
                "columns": columns,
                "constant": writer.varying.isdisjoint(columns),
                "erased": all(
                    any(writer.step <= step < end for step in self.cleared.get(column, ())) for column in columns
                ),
            }


class _Stream:
    """What the labels say about the directions of the stream, and the nodes that write them."""

    def __init__(self, half: _Half, nodes: list[_Node]) -> None:
        self.half = half
        self.nodes = nodes
        labels = half.labels
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

    def told(self, read: _Stream | None = None) -> dict[str, Any]:
        """What a document says of the stream, and of the nodes that write it; `read` is the encoder's."""
        variables = [self.variable(label) for label in self.half.labels["named"]]
        written: dict[str, list[dict[str, Any]]] = {}
        for variable in variables:
            for writer in variable["nodes"]:
                written.setdefault(writer, []).append(variable)
        return {
            "bos_token": self.half.stack.config.d_vocab - 1,
            "columns": list(self.half.labels["columns"]),
            "directions": [self.direction(label) for label in self.directions],
            "variables": variables,
            "nodes": [_shown(node, written.get(node.id, [])) for node in self.nodes],
            "edges": _few(self._edges(read)),
        }

    def _edges(self, read: _Stream | None) -> Iterator[dict[str, Any]]:
        """What each input reads of what each earlier node wrote, here or in the encoder."""
        own = _Writers(self.nodes, self.cleared)
        there = None if read is None else _Writers(read.nodes, read.cleared)
        for reader in self.nodes:
            for letter in reader.reads:
                if letter not in reader.crosses:
                    yield from own.edges(reader, letter, reader.step)
                elif read is not None and there is not None:
                    yield from there.edges(reader, letter, read.half.never)

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
            "until": min((direction["until"] for direction in directions), default=self.half.never),
            "layer": self.half.layer(step),
            "hook": self.half.hook(step),
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


def _shown(node: _Node, written: list[dict[str, Any]]) -> dict[str, Any]:
    """The node as JSON data, with the variables it writes and the lines that bind them."""
    data = {"id": node.id, **node.shown, "output": {**node.shown["output"], "columns": node.writes}}
    if node.reads:
        data["inputs"] = {letter: {**data["inputs"][letter], "columns": reads} for letter, reads in node.reads.items()}
    return data | {
        "variables": [variable["name"] for variable in written],
        "lines": sorted({line for variable in written for line in variable["lines"]}),
    }
