"""Tracing: what the residual stream says about each program variable, layer by layer.

In: a model with labels, its program, an input. Out: `Trace`, a table of decoded values beside the interpreter's. Of a
program with a source, for a source and a target so far: two of them, of the encoder's stream and of the decoder's.
Invariant: a variable is decoded from the stream alone, with the form and the values that its label names.

    variable | interpreter | embedding | L0 attention | L0 MLP | L1 attention
    length   | 3 3 3       |           | 3 3 3        | 3 3 3  | 3 3 3
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import torch
from torch import Tensor

from compiler.model import Loop, ModelError, Scalar, Transformer, value_from_json
from compiler.observe.steps import names
from rasp import Program, RaspError
from rasp.ask.show import cell
from rasp.meaning.answers import answers, is_boolean, normalised
from rasp.meaning.interpreter import evaluate
from rasp.meaning.sop import Node, SOp, Tape
from rasp.value import from_python, to_python

Expected: TypeAlias = Callable[[str], "list[Scalar] | None"]
"""The interpreter's values of a variable; None where it has no answer, though the program has one."""


@dataclass(frozen=True)
class TraceRow:
    """One variable: the interpreter's values, and what each stream decodes to (None before it is written, and after it
    is erased)."""

    name: str
    expected: list[Scalar]
    found: list[list[Scalar] | None]
    each: list[list[Scalar]] | None = None
    """Of a name that a loop carries: the interpreter's values at each step; `expected` are the last ones."""

    @property
    def agrees(self) -> bool:
        """Whether the stream holds the interpreter's values for as long as it is there."""
        if self.each is not None:
            return self.found == self.each
        return all(values is None or values == self.expected for values in self.found)


@dataclass(frozen=True)
class Trace:
    """All variables of a program on one input; with a source those at the positions of the target so far, and those of
    the source in `encoder`."""

    steps: list[str]
    rows: list[TraceRow]
    encoder: Trace | None = None

    @property
    def ok(self) -> bool:
        """Whether every variable agrees everywhere."""
        return all(row.agrees for row in self.rows) and (self.encoder is None or self.encoder.ok)

    def __str__(self) -> str:
        if self.encoder is None:
            return self._table()
        return f"encoder, at the source\n{self.encoder}\n\ndecoder, at the target\n{self._table()}"

    def _table(self) -> str:
        table = [["variable", "interpreter", *self.steps]]
        for row in self.rows:
            table.append([row.name, _cells(row.expected), *("" if v is None else _cells(v) for v in row.found)])
        widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
        return "\n".join(
            " | ".join(f"{text:<{w}}" for text, w in zip(line, widths, strict=True)).rstrip() for line in table
        )


def _cells(values: list[Scalar]) -> str:
    return " ".join(cell(from_python(value)) for value in values)


def trace(
    model: Transformer, program: Program, tokens: Iterable[object], target: Iterable[object] | None = None
) -> Trace:
    """Run the model and the interpreter on one input and compare every variable that lives in the stream.

    Of a program with a source these are the source's tokens; `target` is what is written so far, and where it is not
    given, all that the program writes and reads again.
    """
    given = list(tokens)
    if program.two_tapes:
        return _of_both(model, program, given, program.decode(given)[:-1] if target is None else list(target))
    if target is not None:
        raise ModelError("the program reads one tape", "`target` is for a program with a source")
    ids = torch.tensor([model.encode(given)], device=model.embed.W_E.device)

    def expected(name: str) -> list[Scalar] | None:
        return _unless_refused(lambda: program[name](given))

    with torch.no_grad():
        streams = _read(model.residuals(ids))
    if model.config.loop is not None:
        return _in_rounds(model, program, given, streams, model.config.loop)
    return Trace(names(model.config), _rows(model.labels, program, streams, expected))


def _in_rounds(model: Transformer, program: Program, tokens: list[object], streams: list[Tensor], loop: Loop) -> Trace:
    """What each name that a loop carries holds before the first round and behind each that changes something."""
    rows = []
    last = program.rounds_until_still(tokens)
    for variable in model.labels["variables"]:
        if (name := variable["name"]) in program.states[0]:
            values = printed(program.node(name), variable["values"])
            places = [2 * (loop.start + number * (loop.stop - loop.start)) for number in range(last + 1)]
            found = [decoded(model.labels, variable, values, streams[at]) for at in places]
            each = [_held(program, name, number, tokens) for number in range(last + 1)]
            rows.append(TraceRow(name, each[-1], [*found], each))
    return Trace(["before", *(f"round {number}" for number in range(1, last + 1))], rows)


def _held(program: Program, name: str, number: int, tokens: list[object]) -> list[Scalar]:
    """What the interpreter has for a carried name behind so many rounds."""
    settings, node = program.settings, program.states[number][name]
    found = evaluate(node, settings.read(tokens), settings.attention == "causal", program.spans)
    return [*map(to_python, answers(node, found))]


def _of_both(model: Transformer, program: Program, source: list[object], target: list[object]) -> Trace:
    """The traces of both streams."""
    assert model.encoder is not None
    device = model.embed.W_E.device
    sources = torch.tensor([model.encode_source(source)], device=device)
    targets = torch.tensor([model.encode([model.config.start, *target])], device=device)
    read, written = program.settings.read_source(source), program.settings.read_target(target)

    def on(tape: Tape) -> Expected:
        def expected(name: str) -> list[Scalar] | None:
            node = program.node(name.partition("@")[0])
            placed = program.instances.on(tape, node)  # type: ignore[arg-type]
            return _unless_refused(
                lambda: [*map(to_python, answers(placed, evaluate(placed, written, True, program.spans, read)))]
            )

        return expected

    with torch.no_grad():
        encoded = _read(model.encoder.sublayers(sources))
        streams = _read(model.residuals(targets, None, model.remember(sources)))
    encoder = _rows(model.labels["encoder"], program, encoded, on("source"))
    rows = _rows(model.labels, program, streams, on("target"))
    return Trace(names(model.config), rows, Trace(names(model.encoder.config), encoder))


def _read(streams: Iterable[Tensor]) -> list[Tensor]:
    """The streams [n, d_model] of one input, without BOS, to be read in float64."""
    return [stream[0, 1:].double().cpu() for stream in streams]


def _rows(labels: Mapping[str, Any], program: Program, streams: Sequence[Tensor], expected: Expected) -> list[TraceRow]:
    """A row for every variable that the labels of a stack name."""
    rows = []
    for variable in labels["variables"]:
        name = variable["name"]
        written = name.partition("@")[0]
        if written in program and (wanted := expected(name)) is not None:
            there = range(variable["ready"], variable["until"])
            values = printed(program.node(written), variable["values"])
            found = [
                decoded(labels, variable, values, stream) if at in there else None for at, stream in enumerate(streams)
            ]
            rows.append(TraceRow(name, wanted, found))
    return rows


def _unless_refused(values: Callable[[], list[Scalar]]) -> list[Scalar] | None:
    try:
        return values()
    except RaspError:
        return None


def printed(node: Node, values: list[Any]) -> list[Scalar]:
    """The values that a label names, in the kinds that those of its s-op print in."""
    boolean = isinstance(node, SOp) and is_boolean(node)
    return [to_python(normalised(from_python(value_from_json(value)), boolean)) for value in values]


def decoded(labels: Mapping[str, Any], variable: dict[str, Any], values: list[Scalar], stream: Tensor) -> list[Scalar]:
    """The value whose number is nearest to what is read, at each position of the stream [n, d_model]."""
    columns = {direction["name"]: direction["column"] for direction in labels["directions"]}

    def read(form: dict[str, str]) -> Tensor:
        weights = torch.zeros(stream.shape[-1], dtype=torch.float64)
        for name, coefficient in form.items():
            weights[columns[name]] = float(Fraction(coefficient))
        return stream @ weights

    found = read(variable["read"]) / (read(variable["over"]) if "over" in variable else 1)
    numbers = torch.tensor([float(Fraction(number)) for number in variable["numbers"]], dtype=torch.float64)
    nearest = found[:, None].sub(numbers[None]).abs().argmin(-1)
    return [values[choice] for choice in nearest.tolist()]
