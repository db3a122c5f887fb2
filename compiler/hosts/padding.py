"""Padding: whatever a row of it holds, it stays finite, so that no real row sees it.

In: a `Uniform`, or `Stacks`, as a stock class runs it. Out: the same, or a refusal.
Invariant: no number of any sublayer overflows, for any id at any position, whatever the heads see.

Nothing sets rows of padding to zero in other people's classes. The mask gives them the weight 0, but 0 times infinity
is no number, and a head adds it to every row. So each column has an interval here that holds in all rows, real or not;
only the functions that neurons compute are looked at closely, since steps would otherwise grow from layer to layer.

    count: 0 to 2.6e+10, as if BOS were not seen; is it at least 3: 0 to 1
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from compiler.hosts.stacks import Stacks
from compiler.hosts.uniform import Heads, Uniform, UniformLayer
from compiler.model import ModelError, Transformer
from compiler.numbers.precision import FLOAT64

STREAM = 2.0**55
"""The largest number in the stream: the squares of a row, which a norm adds up, stay finite."""
SUMS = 2.0**100
"""The largest partial sum, score or weight. A mask hides a key by adding the most negative number, which a score of
this size does not move."""
UNDIVIDED = 2.0**36
"""Below this a norm with our epsilon, 2^100, does not divide; above it may make less of a number."""
UNIT = 2.0**-24
"""Of the rounding of float32. What is near a step that a large number has left behind is no longer 0 or 1."""
SUGGESTION = "compute with smaller numbers, or export to torch-export or onnx, which set them to zero"
WIDER = 8
"""float64 holds the eighth power of what float32 holds."""


@dataclass(frozen=True)
class Interval:
    """Between which numbers each column lies."""

    low: Tensor
    high: Tensor

    @staticmethod
    def of(rows: Tensor) -> Interval:
        """What the rows of a matrix hold, or zero: an id that is no input has no row, and positions may be missing."""
        return Interval(rows.new_zeros(rows.shape[1]), rows.new_zeros(rows.shape[1])).over(rows)

    def over(self, rows: Tensor) -> Interval:
        """And what these rows hold."""
        both = torch.cat([self.low[None], self.high[None], rows])
        return Interval(both.amin(0), both.amax(0))

    @property
    def size(self) -> Tensor:
        """The largest absolute value of each."""
        return torch.maximum(self.low.abs(), self.high.abs())

    @property
    def normed(self) -> Interval:
        """Behind a norm, which does not change small numbers."""
        return self if bool((self.size < UNDIVIDED).all()) else self.over(torch.zeros_like(self.low)[None])

    def __matmul__(self, matrix: Tensor) -> Interval:
        up, down = matrix.clamp(min=0), matrix.clamp(max=0)
        return Interval(self.low @ up + self.high @ down, self.high @ up + self.low @ down)

    def __add__(self, other: Interval) -> Interval:
        return Interval(self.low + other.low, self.high + other.high)

    def wider(self, by: Tensor) -> Interval:
        """By so much on either side."""
        return Interval(self.low - by, self.high + by)


def bounded(inner: Uniform, model: Transformer, host: str) -> Uniform:
    """A model as a host runs it, as it is. Raises `ModelError` where a row of padding might overflow there."""
    power = WIDER if model.config.dtype == FLOAT64.name else 1
    _Bounds(inner, model.config.n_ctx, host, power).end()
    return inner


def both_bounded(inner: Stacks, model: Transformer, host: str) -> Stacks:
    """The same of an encoder and a decoder, for any rows of both."""
    assert model.config.encoder is not None
    power = WIDER if model.config.dtype == FLOAT64.name else 1
    keys = max(model.config.n_ctx, model.config.encoder.n_ctx)
    memory = _Bounds(inner.encoder, keys, host, power, "encoder ").end()
    _Bounds(inner.decoder, keys, host, power, "decoder ").end(memory)
    return inner


class _Bounds:
    """The stream of a host, sublayer by sublayer."""

    def __init__(self, model: Uniform, keys: int, host: str, power: int, stack: str = "") -> None:
        self.model, self.host, self.power = model, host, power
        self.keys = keys
        self.stack = stack

    def end(self, memory: Interval | None = None) -> Interval:
        """All of it: what is behind the last norm. `memory`: that of an encoder."""
        stream = Interval.of(self.model.W_E) + Interval.of(self.model.W_pos)
        for number, layer in enumerate(self.model.layers):
            where = f"of {self.stack}layer {number}"
            for weights in _weights(layer):
                self._require(weights, SUMS, f"as a weight {where}")
            stream += self._attended(layer, stream.normed, stream.normed, f"in the attention {where}")
            self._require(stream.size, STREAM, f"in the stream {where}")
            if layer.cross is not None and memory is not None:
                stream += self._attended(layer.cross, stream.normed, memory, f"in the cross-attention {where}")
                self._require(stream.size, STREAM, f"in the stream {where}")
            stream += self._activated(layer, stream.normed, f"in the neurons {where}")
            self._require(stream.size, STREAM, f"in the stream {where}")
        if self.model.W_U.shape[1]:
            self._summed(stream.normed.size, self.model.W_U, "as a logit")
        return stream.normed

    def _require(self, numbers: Tensor, largest: float, what: str) -> None:
        size = float(numbers.abs().max())
        if not size <= largest**self.power:
            raise ModelError(
                f"the host {self.host} does not set rows of padding to zero, and what one holds may be too large "
                f"for it: {size:.2g} {what}",
                SUGGESTION,
            )

    def _summed(self, sizes: Tensor, matrix: Tensor, what: str) -> Tensor:
        """What the products of a matrix add up to in size."""
        found = sizes @ matrix.abs()
        self._require(found, SUMS, what)
        return found

    def _attended(self, layer: Heads, stream: Interval, keys: Interval, what: str) -> Interval:
        """Any mixture of values, or none, where every key is hidden; their sum may be divided in the end only."""
        query = self._summed(stream.size, layer.W_Q, what)
        key, value = (self._summed(keys.size, W, what) for W in (layer.W_K, layer.W_V))
        self._require((query * key).view(self.model.n_heads, self.model.d_head).sum(-1), SUMS, what)
        self._require(value * self.keys, SUMS, what)
        read = (keys @ layer.W_V).wider(value * _rounding(layer.W_V))
        mixed = read.over(torch.zeros_like(value)[None]).wider(value * self.keys * UNIT)
        sums = self._summed(mixed.size, layer.W_O, what)
        return (mixed @ layer.W_O).wider(sums * _rounding(layer.W_O)) + Interval(layer.b_O, layer.b_O)

    def _activated(self, layer: UniformLayer, stream: Interval, what: str) -> Interval:
        """Neurons that read one number are one function of it, which bends where one of them begins."""
        active = self._summed(stream.size, layer.W_in, what) + layer.b_in.abs()
        sums = self._summed(active, layer.W_out, what)
        error = (active * _rounding(layer.W_in)) @ layer.W_out.abs() + sums * _rounding(layer.W_out)
        added = Interval(layer.b_out, layer.b_out).wider(error)
        signs, groups = _reading_alike(layer.W_in)
        for members in groups:
            side, bias = signs[members], layer.b_in[members]
            read = stream @ (layer.W_in[:, members[:1]] * side[0])
            points = torch.cat([read.low, read.high, (-bias * side).clamp(read.low, read.high)])
            values = (points[:, None] * side + bias).clamp(min=0) @ layer.W_out[members]
            added += Interval(values.amin(0), values.amax(0))
        return added


def _weights(heads: Heads) -> Iterator[Tensor]:
    """Every matrix of a layer."""
    for field in fields(heads):
        weights = getattr(heads, field.name)
        if isinstance(weights, Heads):
            yield from _weights(weights)
        elif weights is not None:
            yield weights


def _rounding(matrix: Tensor) -> Tensor:
    """Of the sums of its products, relative to what they add up to in size."""
    return ((matrix != 0).sum(0) + 2) * UNIT


def _reading_alike(inward: Tensor) -> tuple[Tensor, list[list[int]]]:
    """The neurons that read the same number, or its opposite, and which of both each does."""
    groups: dict[bytes, list[int]] = {}
    signs = torch.ones(inward.shape[1], dtype=inward.dtype)
    for neuron, column in enumerate(inward.T):
        read = column[column != 0]
        signs[neuron] = -1 if len(read) and read[0] < 0 else 1
        groups.setdefault((column * signs[neuron] + 0.0).numpy().tobytes(), []).append(neuron)
    return signs, list(groups.values())
