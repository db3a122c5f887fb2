"""Emission: directions become columns, forms become matrices, exact numbers become floats.

In: a `Circuit`. Out: `Weights`: a config, a state dict for `compiler.model.Transformer`, and labels that say what every
column, head and neuron is. The circuit's precision says in which dtype the numbers are to be held.
Invariants: the BOS row attends to itself alone; as a key, it is a head's threshold or counterweight (C1, C2, C6).

    W_Q[0] of reverse's second head: column "length" -> 512, column "one" -> -512, column "indices" -> -512 ...
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
from compiler.numbers.precision import PRECISIONS

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

    def run(self, tokens: Sequence[int], source: Sequence[int] | None = None) -> dict[str, list[int]]:
        """For each output the index of the best logit at each position, in plain numpy and float64."""
        return {name: best for name, [best] in self.run_batch([tokens], None if source is None else [source]).items()}

    def run_batch(
        self, inputs: Sequence[Sequence[int]], sources: Sequence[Sequence[int]] | None = None
    ) -> dict[str, list[list[int]]]:
        """The same for each of many inputs. Those of one length go through together, as long as they are short.

        With `sources` the inputs are targets, each of the source of its number.
        """
        found: dict[str, list[list[int]]] = {output["name"]: [[]] * len(inputs) for output in self.config["outputs"]}
        by_length: dict[tuple[int, int], list[int]] = {}
        for number, tokens in enumerate(inputs):
            by_length.setdefault((len(tokens), len(sources[number]) if sources else 0), []).append(number)
        for numbers in _in_parts(by_length):
            source = None if sources is None else self.encoded([sources[number] for number in numbers])
            logits = self._logits(np.array([inputs[number] for number in numbers], dtype=np.int64), source)
            for best, part in zip(found.values(), logits, strict=True):
                for number, row in zip(numbers, part.argmax(-1).tolist(), strict=True):
                    best[number] = row
        return found

    def encoded(self, sources: Sequence[Sequence[int]]) -> Array:
        """What the encoder makes of sources of one length: [batch, 1 + n, d_model of the encoder]."""
        return self._stream(np.array(sources, dtype=np.int64), self.config["encoder"], "encoder.", causal=False)

    def _logits(self, tokens: Integers, source: Array | None) -> list[Array]:
        """Token ids [batch, n] -> the logits of each output, [batch, n, value]."""
        resid = self._stream(tokens, self.config, "", self.config["causal"], source)
        ends = np.cumsum([len(output["values"]) for output in self.config["outputs"]])[:-1]
        return np.split(resid[:, 1:] @ self.tensors["unembed.W_U"], ends, axis=-1)

    def _stream(
        self, tokens: Integers, config: dict[str, Any], prefix: str, causal: bool, source: Array | None = None
    ) -> Array:
        """The stream after all layers of a stack, [batch, 1 + n, d_model]."""
        t = {name.removeprefix(prefix): tensor for name, tensor in self.tensors.items() if name.startswith(prefix)}
        resid: Array = t["embed.W_E"][np.pad(tokens, ((0, 0), (1, 0)), constant_values=len(config["vocabulary"]))]
        if "embed.W_pos" in t:
            resid = resid + t["embed.W_pos"][: resid.shape[1]]
        for number in _order(config):
            block = f"blocks.{number}"
            resid = self._attended(resid, resid, t, f"{block}.attn", causal)
            if source is not None:
                resid = self._attended(resid, source, t, f"{block}.cross", causal=False)
            if f"{block}.mlp.W_in" in t:
                hidden = np.maximum(resid @ t[f"{block}.mlp.W_in"] + t[f"{block}.mlp.b_in"], 0)
                resid = self._stored(resid + hidden @ t[f"{block}.mlp.W_out"])
        return resid

    def _attended(self, resid: Array, keys: Array, t: dict[str, Array], name: str, causal: bool) -> Array:
        if f"{name}.W_Q" not in t:
            return resid
        matrices = [t[f"{name}.W_{letter}"] for letter in "QKVO"]
        heads = sum(self._head(resid, keys, [m[head] for m in matrices], causal) for head in range(len(matrices[0])))
        return self._stored(resid + heads)

    def _head(self, resid: Array, keys: Array, matrices: Sequence[Array], causal: bool) -> Array:
        query, key, value, out = matrices
        scores = (resid @ query) @ (keys @ key).swapaxes(-1, -2)
        if causal:
            scores = np.where(np.tri(resid.shape[-2], dtype=bool), scores, -np.inf)
        pattern = np.exp(scores - scores.max(-1, keepdims=True))
        mixed: Array = (pattern / pattern.sum(-1, keepdims=True)) @ (keys @ value)
        return self._stored(mixed) @ out

    def _stored(self, numbers: Array) -> Array:
        """Numbers as the dtype holds them: that rounding makes counts whole (C19)."""
        bits = PRECISIONS[self.config["dtype"]].bits
        mantissas, exponents = np.frexp(numbers)
        stored: Array = np.ldexp(np.rint(np.ldexp(mantissas, bits)), exponents - bits)
        return stored

    def __str__(self) -> str:
        lines = [f"{name:<24} {'x'.join(map(str, tensor.shape)):>14}" for name, tensor in self.tensors.items()]
        stored = sum(tensor.size for tensor in self.tensors.values())
        nonzero = sum(int(np.count_nonzero(tensor)) for tensor in self.tensors.values())
        lines += [f"{stored} parameters, {nonzero} of them not zero", ""]
        for stack, columns in (
            ("", self.labels["columns"]),
            ("encoder ", self.labels.get("encoder", {}).get("columns", ())),
        ):
            lines += [f"{stack}column {number}: {name}" for number, name in enumerate(columns)]
        for name, tensor in self.tensors.items():
            lines += ["", f"{name}:", np.array2string(tensor, precision=4, suppress_small=True, threshold=400)]
        return "\n".join(lines)


def _order(config: Mapping[str, Any]) -> Iterator[int]:
    """The layers as they run: those of a loop round by round."""
    count, loop = len(config["layers"]), config.get("loop") or {"start": 0, "stop": 0, "rounds": 0}
    yield from range(loop["start"])
    for _ in range(loop["rounds"]):
        yield from range(loop["start"], loop["stop"])
    yield from range(loop["stop"], count)


def _in_parts(by_length: dict[tuple[int, int], list[int]]) -> Iterator[list[int]]:
    for lengths, numbers in by_length.items():
        size = max(1, SCORES // (max(lengths) + 1) ** 2)
        yield from (numbers[start : start + size] for start in range(0, len(numbers), size))


class Emitter:
    """Fills the matrices of a circuit, column by column."""

    def __init__(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self.encoder = None if circuit.encoder is None else Emitter(circuit.encoder)
        self.precision = circuit.precision
        self.columns = circuit.columns()
        self.d_model = max(self.columns.values()) + 1
        self.bos: Stream = circuit.bos()
        self.tensors: dict[str, Array] = {}

    def weights(self) -> Weights:
        """All tensors, with config and labels."""
        config = self._stack() | {
            "causal": self.circuit.causal,
            "outputs": [
                {"name": output.name, "values": [plain(value) for value, _ in output.codes]}
                for output in self.circuit.outputs
            ],
            "dtype": self.precision.name,
            "unknown": None,
        }
        if (repeat := self.circuit.repeat) is not None:
            halt = None if repeat.halt is None else self.columns[repeat.halt]
            config["loop"] = {"start": repeat.start, "stop": repeat.stop, "rounds": repeat.rounds, "halt": halt}
        self._unembedding()
        if self.encoder is not None:
            config["encoder"] = self.encoder._stack()
            self.tensors |= {f"encoder.{name}": tensor for name, tensor in self.encoder.tensors.items()}
        return Weights(config, self.tensors, labels(self.circuit))

    def _stack(self) -> dict[str, Any]:
        """Fill the tensors of the embedding and of all layers. Returns their part of the config."""
        self._embedding()
        return {
            "vocabulary": list(self.circuit.vocabulary),
            "max_length": self.circuit.max_length,
            "d_model": self.d_model,
            "layers": [self._layer(number, layer) for number, layer in enumerate(self.circuit.layers)],
            "has_positions": bool(self.circuit.positions),
        }

    def at_keys(self, head: Head) -> Emitter:
        """Whose columns a head reads at keys."""
        if not head.crosses:
            return self
        assert self.encoder is not None
        return self.encoder

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
        d_head, d_value = self._heads(f"blocks.{number}.attn", layer.heads)
        shape = {"n_heads": len(layer.heads), "d_head": d_head, "d_value": d_value, "d_mlp": len(layer.mlp)}
        if layer.mlp:
            self._neurons(f"blocks.{number}.mlp", layer.mlp)
        if self.encoder is not None:
            d_head, d_value = self._heads(f"blocks.{number}.cross", layer.cross)
            shape |= {"n_cross": len(layer.cross), "d_cross": d_head, "d_cross_value": d_value}
        return shape

    def _heads(self, name: str, heads: Sequence[Head]) -> tuple[int, int]:
        """The matrices of heads that stand side by side, if there are any. Returns their widths."""
        d_head, d_value = self.circuit.widths(heads)
        if not heads:
            return d_head, d_value
        keys = self.at_keys(heads[0])
        query = np.zeros((len(heads), self.d_model, d_head))
        key = np.zeros((len(heads), keys.d_model, d_head))
        value = np.zeros((len(heads), keys.d_model, d_value))
        out = np.zeros((len(heads), d_value, self.d_model))
        for h, head in enumerate(heads):
            for i, (q, k) in enumerate(self.scores(head)):
                query[h, :, i], key[h, :, i] = self.vector(q), keys.vector(k)
            for i, (channel, read) in enumerate(zip(head.channels, self.values(head), strict=True)):
                value[h, :, i] = keys.vector(read)
                out[h, i, self.columns[channel.write]] = self.lift(head)
        for letter, tensor in zip("QKVO", (query, key, value, out), strict=True):
            self.tensors[f"{name}.W_{letter}"] = tensor
        return d_head, d_value

    def values(self, head: Head) -> list[Form]:
        """What each channel reads at a key, times its share of the lift; at BOS the default."""
        share = Fraction(self.precision.value_lift if head.mode == "sum" else 1)
        defaults = [channel.default if head.mode == "mean" else Fraction(0) for channel in head.channels]
        pairs = zip(head.channels, defaults, strict=True)
        keys = self.at_keys(head)
        return [keys.centred(channel.read, default) * share for channel, default in pairs]

    def lift(self, head: Head) -> float:
        """What is in W_O."""
        return self.precision.lift / self.precision.value_lift if head.mode == "sum" else 1.0

    def scores(self, head: Head) -> list[tuple[Form, Form]]:
        """Query and key forms in nats. The last pair is BOS as a key; as a query BOS scores 0 with all but itself."""
        gap, keys = head.sharpness(self.precision), self.at_keys(head)
        pairs = [(self.centred(query * gap), keys.centred(key)) for query, key in head.scores]
        bos = head.baseline
        if bos is None:
            bos = Form.constant(gap * (head.least_selected - head.score_gap))
        else:
            bos = bos + Form.constant(head.selected)
            if self.precision.relative_scores:
                pairs.append((self.centred(-bos), keys.centred(Form.constant(gap))))
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
