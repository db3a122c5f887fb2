"""Rows: the residual stream with a row for each direction, so that what is read or written lies side by side.

In: forms and neurons of a circuit. Out: torch modules over a stream [row, batch, position].
Invariants: sums have the terms of the model's matrices that are not zero; what is added to a row that holds something
is added by an operation of its own, rounded once.

    rows.of = {tokens: 0, opened: 1, closed: 2}; Readings([opened - closed - 1], ...)  ->  [0, 1, -1] rows - 1
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from compiler.circuit import Neuron
from compiler.direction import ONE, Direction, Form


class Rows:
    """The row of each direction, given out as directions are first written."""

    def __init__(self) -> None:
        self.of: dict[Direction, int] = {}

    def add(self, directions: Iterable[Direction]) -> slice:
        """Give those directions that have none yet the next rows; which these are."""
        start = len(self.of)
        for direction in directions:
            self.of.setdefault(direction, len(self.of))
        return slice(start, len(self.of))


def keep(module: nn.Module, name: str, values: Tensor | Sequence[object], dtype: torch.dtype) -> None:
    """Constants that move with a module from device to device, but are not in its state dict."""
    tensor = values if isinstance(values, Tensor) else torch.tensor(values, dtype=dtype)
    module.register_buffer(name, tensor.to(dtype), persistent=False)


def run_of(numbers: Sequence[int]) -> slice | None:
    """The numbers as a slice, if they are successive."""
    together = len(numbers) > 0 and list(numbers) == list(range(numbers[0], numbers[0] + len(numbers)))
    return slice(numbers[0], numbers[-1] + 1) if together else None


class Readings(nn.Module):
    """Forms of the stream: one product with the rows that they read."""

    live: Tensor
    matrix: Tensor
    constant: Tensor

    def __init__(self, forms: Sequence[Form], rows: Rows, dtype: torch.dtype) -> None:
        super().__init__()
        live = sorted({rows.of[direction] for form in forms for direction in form.terms if direction != ONE})
        place = {row: number for number, row in enumerate(live)}
        matrix = torch.zeros(len(forms), len(live), dtype=dtype)
        for number, form in enumerate(forms):
            for direction, coefficient in form.terms.items():
                if direction != ONE:
                    matrix[number, place[rows.of[direction]]] = float(coefficient)
        keep(self, "matrix", matrix, dtype)
        keep(self, "constant", [[float(form.terms.get(ONE, 0))] for form in forms], dtype)
        keep(self, "live", live, torch.long)
        self.run = run_of(live)

    def rows(self, stream: Tensor) -> Tensor:
        """What is read of a stream [row, place]."""
        return stream[self.run] if self.run else stream.index_select(0, self.live)

    def forward(self, stream: Tensor) -> Tensor:
        """[row, place] -> [form, place]."""
        return torch.addmm(self.constant, self.matrix, self.rows(stream))


class Writing(nn.Module):
    """Adds to rows of the stream. Rows that nothing has written before are filled."""

    target: Tensor

    def __init__(self, directions: Sequence[Direction], rows: Rows) -> None:
        super().__init__()
        self.new = rows.add(directions)
        self.fills = self.new.stop - self.new.start == len(directions)
        keep(self, "target", [rows.of[direction] for direction in directions], torch.long)

    def forward(self, stream: Tensor, change: Tensor) -> None:
        """Add the change [direction, ...] to the stream [row, ...], in place."""
        if self.fills:
            stream[self.new] = change
        else:
            stream[self.new] = 0
            stream.index_add_(0, self.target, change.to(stream.dtype).expand(-1, *stream.shape[1:]))


class Neurons(nn.Module):
    """relu(readings), added up in the directions that the neurons write."""

    weights: Tensor

    def __init__(self, neurons: Sequence[Neuron], rows: Rows, dtype: torch.dtype) -> None:
        super().__init__()
        self.read = Readings([neuron.read for neuron in neurons], rows, dtype)
        directions = list(dict.fromkeys(direction for neuron in neurons for direction, _ in neuron.writes))
        place = {direction: number for number, direction in enumerate(directions)}
        weights = torch.zeros(len(directions), len(neurons), dtype=dtype)
        for number, neuron in enumerate(neurons):
            for direction, weight in neuron.writes:
                weights[place[direction], number] += float(weight)
        keep(self, "weights", weights, dtype)
        self.write = Writing(directions, rows)

    def forward(self, stream: Tensor) -> None:
        """Add to the stream [row, place], in place."""
        self.write(stream, self.weights @ self.read(stream).relu_())
