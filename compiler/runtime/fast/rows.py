"""Rows: the residual stream with a row for each direction, so that what is read or written lies side by side.

In: forms and neurons of a circuit. Out: what reads and what changes a stream [row, batch, position], in torch.
Invariants: sums have the terms of the model's matrices that are not zero; what is added to a row that holds something
is added by an operation of its own, rounded once.

    rows.of = {one: 0, tokens: 1, opened: 2, closed: 3}; Readings([opened - closed - 1], ...)  ->  [-1, 0, 1, -1] rows
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple, TypeAlias

import torch
from torch import Tensor

from compiler.circuit.layer import Neuron
from compiler.numbers.direction import Direction, Form


@dataclass(frozen=True)
class Kind:
    """The dtype of numbers, and the device they are on."""

    dtype: torch.dtype
    device: torch.device

    def numbers(self, rows: Sequence[Sequence[Fraction | float]], width: int) -> Tensor:
        """Exact numbers as a matrix [row, width], each rounded once."""
        data = [[float(number) for number in row] for row in rows]
        return torch.tensor(data, dtype=torch.float64).view(len(rows), width).to(self.device, self.dtype)

    def column(self, numbers: Sequence[Fraction | float]) -> Tensor:
        """Numbers for a stream's rows, [row, 1, 1]."""
        return self.numbers([[number] for number in numbers], 1)[..., None]

    def places(self, numbers: Sequence[int] | Sequence[Sequence[int]]) -> Tensor:
        """Indices, in rows or in one."""
        return torch.tensor(numbers, dtype=torch.long, device=self.device)


class Tape(NamedTuple):
    """A stream [row, batch, position] and which positions are there, [batch, position]; None: all are."""

    stream: Tensor
    mask: Tensor | None


class Rows:
    """The row of each direction, given out as directions are first written."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.of: dict[Direction, int] = {}

    def add(self, directions: Iterable[Direction]) -> slice:
        """Give those directions that have none yet the next rows; which these are."""
        start = len(self.of)
        for direction in directions:
            self.of.setdefault(direction, len(self.of))
        return slice(start, len(self.of))


class Picked:
    """Some rows of a tensor [row, ...]: a view where they are successive."""

    def __init__(self, numbers: Sequence[int], kind: Kind) -> None:
        self.numbers = list(numbers)
        self.first = self.numbers == list(range(len(self.numbers)))
        start = self.numbers[0] if self.numbers else 0
        self.run = slice(start, start + len(self.numbers)) if _successive(self.numbers) else None
        self.index = kind.places(self.numbers)

    def __call__(self, rows: Tensor) -> Tensor:
        """[row, ...] -> [picked, ...]; not to be changed in place."""
        if self.first and len(rows) == len(self.numbers):
            return rows
        return rows[self.run] if self.run else rows.index_select(0, self.index)


def _successive(numbers: Sequence[int]) -> bool:
    return len(numbers) == 0 or list(numbers) == list(range(numbers[0], numbers[0] + len(numbers)))


class Readings:
    """Forms of the stream: one product with the rows that they read."""

    def __init__(self, columns: Mapping[Direction, Sequence[Fraction | float]], count: int, rows: Rows) -> None:
        """So many forms; for each direction its coefficient in each of them."""
        read = sorted(columns, key=rows.of.__getitem__)
        self.live = Picked([rows.of[direction] for direction in read], rows.kind)
        self.matrix = rows.kind.numbers([columns[direction] for direction in read], count).T.contiguous()

    @staticmethod
    def of(forms: Sequence[Form], rows: Rows) -> Readings:
        """The readings of these forms."""
        columns: dict[Direction, list[Fraction | float]] = {}
        for number, form in enumerate(forms):
            for direction, coefficient in form.terms.items():
                columns.setdefault(direction, [0.0] * len(forms))[number] = coefficient
        return Readings(columns, len(forms), rows)

    def __call__(self, stream: Tensor) -> Tensor:
        """[row, place] -> [form, place]."""
        return self.matrix @ self.live(stream)

    def transposed(self, stream: Tensor) -> Tensor:
        """[row, place] -> [place, form]."""
        return self.live(stream).T @ self.matrix.T


class Writing:
    """Adds to rows of the stream. Rows that nothing has written before are filled."""

    def __init__(self, directions: Sequence[Direction], rows: Rows) -> None:
        self.new = rows.add(directions)
        self.fills = self.new.stop - self.new.start == len(directions)
        self.target = rows.kind.places([rows.of[direction] for direction in directions])

    def __call__(self, stream: Tensor, change: Tensor) -> None:
        """Add the change [direction, ...] to the stream [row, ...], in place."""
        if self.fills:
            stream[self.new] = change
            return
        if self.new.stop > self.new.start:
            stream[self.new] = 0
        stream.index_add_(0, self.target, change.to(stream.dtype).expand(-1, *stream.shape[1:]))


@dataclass(frozen=True)
class Place:
    """Where each bit and each number that is read stands among the factors."""

    bits: Mapping[Form, int]
    numbers: Mapping[Form, int]

    @property
    def one(self) -> int:
        """The factor that is 1 everywhere."""
        return self.numbers[Form.constant(1)]


Places: TypeAlias = tuple[Place, Place]
"""Those of the keys and those of the queries."""


class Factors:
    """Everything that heads read on one side, at once: bits, made 0 or 1, and numbers; 1 is among them."""

    def __init__(self, bits: Iterable[Form], numbers: Iterable[Form], rows: Rows) -> None:
        asked = dict.fromkeys(bits)
        also = dict.fromkeys([Form.constant(1), *numbers])
        self.bits = slice(0, len(asked)) if asked else None
        self.read = Readings.of([*asked, *also], rows)
        self.place = Place(
            {form: number for number, form in enumerate(asked)},
            {form: len(asked) + number for number, form in enumerate(also)},
        )

    def __call__(self, stream: Tensor, mask: Tensor | None) -> Tensor:
        """The stream [row, batch, position] -> factors [factor, batch, position], 0 where there is padding."""
        found = present(self.read(stream.flatten(1)).view(-1, *stream.shape[1:]), mask)
        if self.bits:
            found[self.bits].gt_(0.5)
        return found


def present(read: Tensor, mask: Tensor | None) -> Tensor:
    """What is read, [..., batch, position], in place; 0 in padding, whatever stands there: 0 times it may be NaN."""
    return read if mask is None else read.masked_fill_(~mask, 0)


class Neurons:
    """relu(readings), added up in the directions that the neurons write."""

    def __init__(self, neurons: Sequence[Neuron], rows: Rows) -> None:
        self.read = Readings.of([neuron.read for neuron in neurons], rows)
        directions = list(dict.fromkeys(direction for neuron in neurons for direction, _ in neuron.writes))
        place = {direction: number for number, direction in enumerate(directions)}
        weights = [[0.0] * len(neurons) for _ in directions]
        for number, neuron in enumerate(neurons):
            for direction, weight in neuron.writes:
                weights[place[direction]][number] += float(weight)
        self.weights = rows.kind.numbers(weights, len(neurons))
        self.write = Writing(directions, rows)

    def __call__(self, own: Tape, source: Tape | None) -> None:
        """Add to the stream, in place; neurons see no other positions, so no mask."""
        flat = own.stream.flatten(1)
        self.write(flat, self.weights @ self.read(flat).relu_())
