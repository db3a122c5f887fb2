"""The config: the shape of a transformer, and what its ids and logits stand for.

In: a checkpoint's JSON data, or sizes. Out: `Config`, with the shape of every tensor by its name; `DTYPES`.
Invariant: a config is data alone; whatever JSON holds, reading it ends, and takes no more memory than its text.

    Config.from_json(json.loads(text)).shapes()["embed.W_E"]
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import torch

from .errors import ModelError

Scalar: TypeAlias = bool | int | float | str
DTYPES = {
    "float32": torch.float32,
    "float64": torch.float64,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
"""What torch calls the dtypes of `numbers.precision`: that one loads no torch, this one is copied out."""
FRACTION = re.compile(r"-?[0-9]{1,4000}(/0*[1-9][0-9]{0,3999})?")
LARGEST = Fraction(sys.float_info.max)


@dataclass(frozen=True)
class LayerShape:
    """How many heads, how wide their queries and keys (`d_head`) and values (`d_value`) are, and how many neurons; the
    same of the heads of a decoder that cross (`n_cross`, `d_cross`, `d_cross_value`)."""

    n_heads: int
    d_head: int
    d_value: int
    d_mlp: int
    n_cross: int = 0
    d_cross: int = 0
    d_cross_value: int = 0


@dataclass(frozen=True)
class OutputSlice:
    """One decoded output: its logits are the next `len(values)` ones; logit i stands for values[i]."""

    name: str
    values: tuple[Scalar, ...]


@dataclass(frozen=True)
class Loop:
    """The layers from `start` on, before `stop`, are one round of a loop, and run so many times; fewer, where behind
    one of them the column `halt` holds 1 in every row of a token."""

    start: int
    stop: int
    rounds: int
    halt: int | None = None


@dataclass(frozen=True)
class Config:
    """The shape of a transformer and the meaning of its ids and logits."""

    vocabulary: tuple[str, ...]  # the text of token id 0, 1, ...; BOS has the id after the last
    max_length: int
    causal: bool
    d_model: int
    layers: tuple[LayerShape, ...]
    outputs: tuple[OutputSlice, ...]
    has_positions: bool = True
    dtype: str = "float32"
    unknown: str | None = None  # the token that stands for tokens outside the vocabulary
    generate: str | None = None  # the output that is the next token; None: the first
    stop: tuple[str, ...] = ()  # the texts of the tokens after which generation ends
    encoder: Config | None = None  # of the source; it has no outputs
    start: str | None = None  # the token that a target begins with
    loop: Loop | None = None

    @property
    def n_ctx(self) -> int:
        """Positions, BOS included."""
        return self.max_length + 1

    @property
    def d_vocab(self) -> int:
        """Rows of the embedding, BOS included."""
        return len(self.vocabulary) + 1

    @property
    def d_vocab_out(self) -> int:
        """Logits of all outputs together."""
        return sum(len(output.values) for output in self.outputs)

    @property
    def widest(self) -> int:
        """The most numbers that the model holds at once for one position."""
        inward = [3 * layer.n_heads * max(layer.d_head, layer.d_value) for layer in self.layers]
        inward += [2 * layer.n_cross * max(layer.d_cross, layer.d_cross_value) for layer in self.layers]
        inward += [self.encoder.widest] if self.encoder is not None else []
        return max(self.d_model, self.d_vocab_out, *inward, *(layer.d_mlp for layer in self.layers), 1)

    def slice(self, name: str | None) -> tuple[int, OutputSlice]:
        """Where an output's logits begin, and the output; None: the first. Raises `ModelError` for an unknown name."""
        start = 0
        for output in self.outputs:
            if name in (None, output.name):
                return start, output
            start += len(output.values)
        names = ", ".join(output.name for output in self.outputs)
        raise ModelError(f'the model has no output "{name}"', f"it has: {names}")

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every stored tensor by its name."""
        shapes = self._of_blocks()
        if self.encoder is not None:
            shapes |= {f"encoder.{name}": shape for name, shape in self.encoder._of_blocks().items()}
        return shapes | {"unembed.W_U": (self.d_model, self.d_vocab_out)}

    def _of_blocks(self) -> dict[str, tuple[int, ...]]:
        d = self.d_model
        shapes: dict[str, tuple[int, ...]] = {"embed.W_E": (self.d_vocab, d)}
        if self.has_positions:
            shapes["embed.W_pos"] = (self.n_ctx, d)
        for number, layer in enumerate(self.layers):
            if layer.n_heads:
                inward = (layer.n_heads, d, layer.d_head)
                shapes |= {f"blocks.{number}.attn.W_{letter}": inward for letter in "QK"}
                shapes[f"blocks.{number}.attn.W_V"] = (layer.n_heads, d, layer.d_value)
                shapes[f"blocks.{number}.attn.W_O"] = (layer.n_heads, layer.d_value, d)
            if layer.n_cross and self.encoder is not None:
                keys = self.encoder.d_model
                shapes[f"blocks.{number}.cross.W_Q"] = (layer.n_cross, d, layer.d_cross)
                shapes[f"blocks.{number}.cross.W_K"] = (layer.n_cross, keys, layer.d_cross)
                shapes[f"blocks.{number}.cross.W_V"] = (layer.n_cross, keys, layer.d_cross_value)
                shapes[f"blocks.{number}.cross.W_O"] = (layer.n_cross, layer.d_cross_value, d)
            if layer.d_mlp:
                mlp = f"blocks.{number}.mlp"
                shapes |= {
                    f"{mlp}.W_in": (d, layer.d_mlp),
                    f"{mlp}.b_in": (layer.d_mlp,),
                    f"{mlp}.W_out": (layer.d_mlp, d),
                }
        return shapes

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Config:
        """A config from the JSON data of a checkpoint. Raises KeyError, TypeError, ValueError on foreign data."""
        fields = dict(data)
        fields["vocabulary"] = tuple(str(text) for text in fields["vocabulary"])
        if fields["dtype"] not in DTYPES:
            raise ValueError(f"unknown dtype {fields['dtype']!r}")
        fields["stop"] = tuple(str(text) for text in fields.get("stop", ()))
        fields["layers"] = tuple(LayerShape(**layer) for layer in fields["layers"])
        if fields.get("loop") is not None:
            fields["loop"] = Loop(**fields["loop"])
        fields["outputs"] = tuple(
            OutputSlice(str(output["name"]), tuple(value_from_json(value) for value in output["values"]))
            for output in fields["outputs"]
        )
        if fields.get("encoder") is not None:
            fields["encoder"] = _encoder(fields["encoder"], fields["dtype"])
        return Config(**fields)


def _encoder(data: Mapping[str, Any], dtype: str) -> Config:
    """The config of an encoder, which is written without what only a network has."""
    foreign = data.keys() - {"vocabulary", "max_length", "d_model", "layers", "has_positions"}
    if foreign:
        raise ValueError(f"an encoder has no {min(foreign)}")
    return Config.from_json({**data, "causal": False, "outputs": [], "dtype": dtype})


def exact(text: object) -> Fraction:
    """A number as configs and labels write it: without an exponent, so no larger than it looks. Raises ValueError."""
    if not isinstance(text, str) or not FRACTION.fullmatch(text):
        raise ValueError("not a fraction")
    return Fraction(text)


def value_from_json(value: Any) -> Scalar:
    """A fraction is written as {"float": "1/3"}: JSON has no exact fractions. A whole number is an int."""
    if isinstance(value, dict):
        number = exact(value["float"])
        if abs(number) > LARGEST:
            raise ValueError("a number is larger than any float")
        return int(number) if number.denominator == 1 else float(number)
    if isinstance(value, bool | int | str):
        return value
    raise TypeError(f"not an output value: {value!r}")
