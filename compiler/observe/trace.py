"""Tracing: what the residual stream says about each program variable, layer by layer.

In: a model with labels, its program, an input. Out: `Trace`, a table of decoded values beside the interpreter's.
Invariant: a variable is decoded from the stream alone, with the form and the values that its label names.

    variable | interpreter | embedding | L0 attention | L0 MLP | L1 attention
    length   | 3 3 3       |           | 3 3 3        | 3 3 3  | 3 3 3
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import torch

from compiler.model import Scalar, Transformer, value_from_json
from rasp import Program, RaspError
from rasp.ask.show import cell
from rasp.face import Face
from rasp.meaning.answers import is_boolean, normalised
from rasp.meaning.sop import Node, SOp
from rasp.value import from_python, to_python


@dataclass(frozen=True)
class TraceRow:
    """One variable: the interpreter's values, and what each stream decodes to (None before it is written, and after it
    is erased)."""

    name: str
    expected: list[Scalar]
    found: list[list[Scalar] | None]

    @property
    def agrees(self) -> bool:
        """Whether the stream holds the interpreter's values for as long as it is there."""
        return all(values is None or values == self.expected for values in self.found)


@dataclass(frozen=True)
class Trace:
    """All variables of a program on one input."""

    steps: list[str]
    rows: list[TraceRow]

    @property
    def ok(self) -> bool:
        """Whether every variable agrees everywhere."""
        return all(row.agrees for row in self.rows)

    def __str__(self) -> str:
        table = [["variable", "interpreter", *self.steps]]
        for row in self.rows:
            table.append([row.name, _cells(row.expected), *("" if v is None else _cells(v) for v in row.found)])
        widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
        return "\n".join(
            " | ".join(f"{text:<{w}}" for text, w in zip(line, widths, strict=True)).rstrip() for line in table
        )


def _cells(values: list[Scalar]) -> str:
    return " ".join(cell(from_python(value)) for value in values)


def trace(model: Transformer, program: Program, tokens: Iterable[object]) -> Trace:
    """Run the model and the interpreter on one input and compare every variable that lives in the stream."""
    tokens = list(tokens)
    ids = torch.tensor([model.encode(tokens)], device=model.embed.W_E.device)
    with torch.no_grad():
        streams = [stream[0, 1:].double().cpu() for stream in model.residuals(ids)]
    steps = ["embedding"]
    for layer in range(len(model.config.layers)):
        steps += [f"L{layer} attention", f"L{layer} MLP"]
    rows = []
    for variable in model.labels["variables"]:
        name = variable["name"]
        if name in program and (expected := _expected(program[name], tokens)) is not None:
            there = range(variable["ready"], variable["until"])
            values = _printed(program[name].node, variable["values"])
            found = [
                _decode(model, variable, values, stream) if at in there else None for at, stream in enumerate(streams)
            ]
            rows.append(TraceRow(name, expected, found))
    return Trace(steps, rows)


def _expected(variable: Face, tokens: list[object]) -> list[Scalar] | None:
    """The interpreter's values; None where it has no answer, though the program has one."""
    try:
        return variable(tokens)  # type: ignore[no-any-return]
    except RaspError:
        return None


def _printed(node: Node, values: list[Any]) -> list[Scalar]:
    """The values that a label names, in the kinds that those of its s-op print in."""
    boolean = isinstance(node, SOp) and is_boolean(node)
    return [to_python(normalised(from_python(value_from_json(value)), boolean)) for value in values]


def _decode(model: Transformer, variable: dict[str, Any], values: list[Scalar], stream: torch.Tensor) -> list[Scalar]:
    """The value whose number is nearest to what is read, at each position of the stream [n, d_model]."""
    columns = {direction["name"]: direction["column"] for direction in model.labels["directions"]}

    def read(form: dict[str, str]) -> torch.Tensor:
        weights = torch.zeros(stream.shape[-1], dtype=torch.float64)
        for name, coefficient in form.items():
            weights[columns[name]] = float(Fraction(coefficient))
        return stream @ weights

    found = read(variable["read"]) / (read(variable["over"]) if "over" in variable else 1)
    numbers = torch.tensor([float(Fraction(number)) for number in variable["numbers"]], dtype=torch.float64)
    nearest = found[:, None].sub(numbers[None]).abs().argmin(-1)
    return [values[choice] for choice in nearest.tolist()]
