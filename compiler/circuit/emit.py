"""Emission: directions become columns, forms become matrices, exact numbers become floats.

In: a `Circuit`. Out: `Weights`: a config, a state dict for `compiler.model.Transformer`, and labels that say what every
column, head and neuron is. The circuit's precision says in which dtype the numbers are to be held.
Invariants: the BOS row attends to itself alone; as a key, it is a head's threshold or counterweight (C1, C2, C6).

    W_Q[0] of reverse's second head: column "length" -> 512, column "one" -> -512, column "indices" -> -512 ...
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from compiler.circuit.circuit import Circuit
from compiler.circuit.decoding import unembedding
from compiler.circuit.functions import plain
from compiler.circuit.labels import labels
from compiler.circuit.layer import Head, Layer, Neuron, Stream
from compiler.numbers.direction import BOS, ONE, Form
from compiler.numbers.precision import FLOAT32, PRECISIONS

Array: TypeAlias = npt.NDArray[np.float64]
Integers: TypeAlias = npt.NDArray[np.int64]


SCORES = 1 << 20
"""At most so many scores of a head are in memory at a time, unless one input has more."""


@dataclass(frozen=True)
class Weights:
    """What a checkpoint holds: `config` and `labels` as JSON data, `tensors` by the names of `compiler.model`."""

    config: dict[str, Any]
    tensors: dict[str, Array]
    labels: dict[str, Any]

    def verify(self) -> None:
        """Raise `ValueError` where a weight is not finite in the model's precision."""
        largest = PRECISIONS[self.config["dtype"]].largest
        for name, tensor in self.tensors.items():
            if not (np.abs(tensor) <= largest).all():
                raise ValueError(f"{name} has entries too large for {self.config['dtype']}")

    def run(self, tokens: Sequence[int]) -> dict[str, list[int]]:
        """For each output the index of the best logit at each position, in plain numpy and float64."""
        return {name: best for name, [best] in self.run_batch([tokens]).items()}

    def run_batch(self, inputs: Sequence[Sequence[int]]) -> dict[str, list[list[int]]]:
        """The same for each of many inputs. Those of one length go through together, as long as they are short."""
        found: dict[str, list[list[int]]] = {output["name"]: [[]] * len(inputs) for output in self.config["outputs"]}
        by_length: dict[int, list[int]] = {}
        for number, tokens in enumerate(inputs):
            by_length.setdefault(len(tokens), []).append(number)
        for numbers in _in_parts(by_length):
            logits = self._logits(np.array([inputs[number] for number in numbers], dtype=np.int64))
            for best, part in zip(found.values(), logits, strict=True):
                for number, row in zip(numbers, part.argmax(-1).tolist(), strict=True):
                    best[number] = row
        return found

    def _logits(self, tokens: Integers) -> list[Array]:
        """Token ids [batch, n] -> the logits of each output, [batch, n, value]."""
        t = self.tensors
        resid = t["embed.W_E"][np.pad(tokens, ((0, 0), (1, 0)), constant_values=len(self.config["vocabulary"]))]
        if "embed.W_pos" in t:
            resid = resid + t["embed.W_pos"][: resid.shape[1]]
        for number in range(len(self.config["layers"])):
            attn, mlp = f"blocks.{number}.attn", f"blocks.{number}.mlp"
            if f"{attn}.W_Q" in t:
                heads = sum(
                    self._head(resid, *(t[f"{attn}.{name}"][head] for name in ("W_Q", "W_K", "W_V", "W_O")))
                    for head in range(len(t[f"{attn}.W_Q"]))
                )
                resid = self._stored(resid + heads)
            if f"{mlp}.W_in" in t:
                hidden = np.maximum(resid @ t[f"{mlp}.W_in"] + t[f"{mlp}.b_in"], 0)
                resid = resid + hidden @ t[f"{mlp}.W_out"]
        ends = np.cumsum([len(output["values"]) for output in self.config["outputs"]])[:-1]
        return np.split(resid[:, 1:] @ t["unembed.W_U"], ends, axis=-1)

    def _head(self, resid: Array, query: Array, key: Array, value: Array, out: Array) -> Array:
        scores = (resid @ query) @ (resid @ key).swapaxes(-1, -2)
        if self.config["causal"]:
            scores = np.where(np.tri(resid.shape[-2], dtype=bool), scores, -np.inf)
        pattern = np.exp(scores - scores.max(-1, keepdims=True))
        mixed: Array = (pattern / pattern.sum(-1, keepdims=True)) @ (resid @ value)
        return self._stored(mixed) @ out

    def _stored(self, numbers: Array) -> Array:
        """Numbers as a half type holds them: that rounding makes its counts whole (C19)."""
        bits = PRECISIONS[self.config["dtype"]].bits
        if bits >= FLOAT32.bits:
            return numbers
        mantissas, exponents = np.frexp(numbers)
        stored: Array = np.ldexp(np.rint(np.ldexp(mantissas, bits)), exponents - bits)
        return stored

    def __str__(self) -> str:
        lines = [f"{name:<24} {'x'.join(map(str, tensor.shape)):>14}" for name, tensor in self.tensors.items()]
        stored = sum(tensor.size for tensor in self.tensors.values())
        nonzero = sum(int(np.count_nonzero(tensor)) for tensor in self.tensors.values())
        lines += [f"{stored} parameters, {nonzero} of them not zero", ""]
        lines += [f"column {number}: {name}" for number, name in enumerate(self.labels["columns"])]
        for name, tensor in self.tensors.items():
            lines += ["", f"{name}:", np.array2string(tensor, precision=4, suppress_small=True, threshold=400)]
        return "\n".join(lines)


def _in_parts(by_length: dict[int, list[int]]) -> Iterator[list[int]]:
    for length, numbers in by_length.items():
        size = max(1, SCORES // (length + 1) ** 2)
        yield from (numbers[start : start + size] for start in range(0, len(numbers), size))


class Emitter:
    """Fills the matrices of a circuit, column by column."""

    def __init__(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self.precision = circuit.precision
        self.columns = circuit.columns()
        self.d_model = max(self.columns.values()) + 1
        self.bos: Stream = circuit.bos()
        self.tensors: dict[str, Array] = {}

    def weights(self) -> Weights:
        """All tensors, with config and labels."""
        self._embedding()
        shapes = [self._layer(number, layer) for number, layer in enumerate(self.circuit.layers)]
        self._unembedding()
        config = {
            "vocabulary": list(self.circuit.vocabulary),
            "max_length": self.circuit.max_length,
            "causal": self.circuit.causal,
            "d_model": self.d_model,
            "layers": shapes,
            "outputs": [
                {"name": output.name, "values": [plain(value) for value, _ in output.codes]}
                for output in self.circuit.outputs
            ],
            "has_positions": bool(self.circuit.positions),
            "dtype": self.precision.name,
            "unknown": None,
        }
        return Weights(config, self.tensors, labels(self.circuit))

    def vector(self, form: Form) -> Array:
        """The column of a reading matrix: [d_model]."""
        column = np.zeros(self.d_model)
        for direction, coefficient in form.terms.items():
            column[self.columns[direction]] = float(coefficient)
        return column

    def centred(self, form: Form, at_bos: Fraction = Fraction(0)) -> Form:
        """The form, changed at the BOS position only, so that it has the given value there."""
        return form + Form({BOS: at_bos - form.at(self.bos)})

    def _embedding(self) -> None:
        size = len(self.circuit.vocabulary)
        embed = np.zeros((size + 1, self.d_model))
        embed[:, self.columns[ONE]] = 1
        embed[size, self.columns[BOS]] = 1
        for direction, offset in self.circuit.offsets.items():
            embed[:, self.columns[direction]] = float(offset)
        for direction, values in self.circuit.tokens.items():
            embed[:size, self.columns[direction]] = [float(value) for value in values]
        self.tensors["embed.W_E"] = embed
        if self.circuit.positions:
            positions = np.zeros((self.circuit.max_length + 1, self.d_model))
            for direction, values in self.circuit.positions.items():
                positions[1:, self.columns[direction]] = [float(value) for value in values]
            self.tensors["embed.W_pos"] = positions

    def _layer(self, number: int, layer: Layer) -> dict[str, int]:
        d_head, d_value = self.circuit.widths(layer)
        if layer.heads:
            self._heads(f"blocks.{number}.attn", layer.heads, d_head, d_value)
        neurons = layer.mlp
        if neurons:
            self._neurons(f"blocks.{number}.mlp", neurons)
        return {"n_heads": len(layer.heads), "d_head": d_head, "d_value": d_value, "d_mlp": len(neurons)}

    def _heads(self, name: str, heads: Sequence[Head], d_head: int, d_value: int) -> None:
        inward = (len(heads), self.d_model, d_head)
        query, key = np.zeros(inward), np.zeros(inward)
        value = np.zeros((len(heads), self.d_model, d_value))
        out = np.zeros((len(heads), d_value, self.d_model))
        for h, head in enumerate(heads):
            for i, (q, k) in enumerate(self.scores(head)):
                query[h, :, i], key[h, :, i] = self.vector(q), self.vector(k)
            for i, (channel, read) in enumerate(zip(head.channels, self.values(head), strict=True)):
                value[h, :, i] = self.vector(read)
                out[h, i, self.columns[channel.write]] = self.lift(head)
        for letter, tensor in zip("QKVO", (query, key, value, out), strict=True):
            self.tensors[f"{name}.W_{letter}"] = tensor

    def values(self, head: Head) -> list[Form]:
        """What each channel reads at a key, times its share of the lift; at BOS the default."""
        share = Fraction(self.precision.value_lift if head.mode == "sum" else 1)
        defaults = [channel.default if head.mode == "mean" else Fraction(0) for channel in head.channels]
        pairs = zip(head.channels, defaults, strict=True)
        return [self.centred(channel.read, default) * share for channel, default in pairs]

    def lift(self, head: Head) -> float:
        """What is in W_O."""
        return self.precision.lift / self.precision.value_lift if head.mode == "sum" else 1.0

    def scores(self, head: Head) -> list[tuple[Form, Form]]:
        """Query and key forms in nats. The last pair is BOS as a key; as a query BOS scores 0 with all but itself."""
        gap = head.sharpness(self.precision)
        pairs = [(self.centred(query * gap), self.centred(key)) for query, key in head.scores]
        bos = head.baseline
        if bos is None:
            bos = Form.constant(gap * (head.least_selected - head.score_gap))
        else:
            bos = bos + Form.constant(head.selected)
            if self.precision.relative_scores:
                pairs.append((self.centred(-bos), self.centred(Form.constant(gap))))
                bos = Form()
            below = Fraction(self.precision.counterweight) if head.mode == "sum" else -gap * head.score_gap / 2
            bos = bos * gap + Form.constant(below)
        return [*pairs, (self.centred(bos, at_bos=Fraction(self.precision.sharp)), Form.of(BOS))]

    def _neurons(self, name: str, neurons: Sequence[Neuron]) -> None:
        inward, out = np.zeros((self.d_model, len(neurons))), np.zeros((len(neurons), self.d_model))
        bias = np.zeros(len(neurons))
        for n, neuron in enumerate(neurons):
            read = dict(neuron.read.terms)
            bias[n] = float(read.pop(ONE, Fraction(0)))
            inward[:, n] = self.vector(Form(read))
            for direction, coefficient in neuron.writes:
                out[n, self.columns[direction]] += float(coefficient)
        self.tensors |= {f"{name}.W_in": inward, f"{name}.b_in": bias, f"{name}.W_out": out}

    def _unembedding(self) -> None:
        found = unembedding(self.circuit)
        out = np.zeros((self.d_model, sum(len(output.codes) for output in self.circuit.outputs)))
        for direction, coefficients in found.items():
            out[self.columns[direction]] = coefficients
        self.tensors["unembed.W_U"] = out


def emit(circuit: Circuit) -> Weights:
    """Assign columns and fill the matrices. Raises `OverflowError` where a number is larger than any float."""
    return Emitter(circuit).weights()
