"""The line: what a document says of two streams, put on one line of steps, and in one row of columns.

In: a provenance document, and the circuit that it is about. Out: `Line`, and the document as if it were of one stream:
the steps of the decoder come behind those of its encoder, its columns too. One that has no encoder stays as it is.
Invariant: what is in the encoder's stream in the end is there `until` the first step of the decoder, in which nothing
of it is left; a head that crosses reads the stream after the step before that.

    encoder: 0 embedding, 1 attention, 2 MLP;  decoder: 3 embedding, 4 attention, 5 cross-attention, 6 MLP
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from compiler.circuit.circuit import Circuit
from compiler.observe.steps import DECODER, ONE_TAPE

ENCODER = "encoder"
"""Where a document says what it says of the encoder; of which stream an input of a head is, if it is that one's."""


@dataclass(frozen=True)
class Line:
    """The steps and columns of a model, numbered through: so many steps and columns `before` are the encoder's."""

    document: Mapping[str, Any]
    last: int
    before: int = 0
    columns: int = 0

    @staticmethod
    def of(document: Mapping[str, Any], circuit: Circuit) -> Line:
        """The line of a document."""
        if circuit.encoder is None:
            return Line(document, circuit.never - 1)
        before = circuit.encoder.never
        return Line(document, before + circuit.never - 1, before, len(document[ENCODER]["columns"]))

    @cached_property
    def parts(self) -> list[dict[str, Any]]:
        """What is said of each stream, on the line: of the encoder's, if there is one, and of that of the outputs."""
        kinds = DECODER if self.before else ONE_TAPE
        own = _moved(self.document, kinds, self.before, self.columns, self.last + 1 - self.before)
        return [_moved(self.document[ENCODER], ONE_TAPE, 0, 0, self.before), own] if self.before else [own]

    def all(self, what: str) -> list[dict[str, Any]]:
        """All directions, variables or nodes."""
        return [one for part in self.parts for one in part[what]]

    def seen(self, node: Mapping[str, Any], letter: str) -> int:
        """The step after which an input of a node reads the stream."""
        crosses = node["inputs"][letter].get("stream") == ENCODER
        return self.before - 1 if crosses else int(node["step"]) - 1

    def steps(self, step: int) -> range:
        """The steps of the stream that one is of."""
        return range(self.before, self.last + 1) if step >= self.before else range(self.before)

    def own(self, step: int) -> int:
        """The number that a step has in its stream."""
        return step - self.steps(step).start

    def name(self, step: int) -> str:
        """What a stream went through."""
        kinds = DECODER if self.before and step >= self.before else ONE_TAPE
        whose = "" if not self.before else "decoder " if step >= self.before else "encoder "
        layer, kind = divmod(self.own(step) - 1, len(kinds))
        return whose + (f"L{layer} {kinds[kind]}" if self.own(step) else "embedding")

    def column(self, column: int) -> str:
        """What a column is called."""
        if not self.before:
            return f"column {column}"
        return f"decoder column {column - self.columns}" if column >= self.columns else f"encoder column {column}"


def _moved(document: Mapping[str, Any], kinds: tuple[str, ...], steps: int, columns: int, never: int) -> dict[str, Any]:
    """What a document says of a stream, with so many more steps and columns in front; nodes have their step."""

    def moved(one: Mapping[str, Any]) -> dict[str, Any]:
        offset = one["offset"]
        return {
            **one,
            **{key: one[key] + steps for key in ("step", "until")},
            "column": one["column"] + columns,
            "offset": None if offset is None else {**offset, "until": offset["until"] + steps},
        }

    def summed(terms: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return [{**term, "column": term["column"] + columns} for term in terms]

    variables = [
        {
            **one,
            **{key: one[key] + steps for key in ("step", "until")},
            **{key: summed(one[key]) for key in ("read", "over")},
            "columns": [*map(moved, one["columns"])],
        }
        for one in document["variables"]
    ]
    nodes = [{**_read(node, columns), "step": steps + _step(node, kinds, never)} for node in document["nodes"]]
    return {"directions": [*map(moved, document["directions"])], "variables": variables, "nodes": nodes}


def _read(node: Mapping[str, Any], columns: int) -> dict[str, Any]:
    """A node with so many more columns in front. What crosses reads the encoder's, which stay where they are."""

    def read(place: Mapping[str, Any]) -> dict[str, Any]:
        more = 0 if place.get("stream") == ENCODER else columns
        return {**place, "columns": [column + more for column in place.get("columns", ())]}

    inputs = {letter: read(place) for letter, place in node.get("inputs", {}).items()}
    return {**node, "inputs": inputs, "output": read(node["output"])}


def _sublayer(node: Mapping[str, Any]) -> str:
    """The sublayer of a head or a neuron."""
    if node["kind"] == "neuron":
        return "MLP"
    return "cross-attention" if node["inputs"]["k"].get("stream") == ENCODER else "attention"


def _step(node: Mapping[str, Any], kinds: tuple[str, ...], never: int) -> int:
    """The step of a node in its stream; an output reads what is there in the end."""
    if node["kind"] in ("head", "neuron"):
        return len(kinds) * int(node["layer"]) + kinds.index(_sublayer(node)) + 1
    return never if node["kind"] == "output" else 0
