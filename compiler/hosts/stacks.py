"""Two stacks of one shape: what other people's encoder-decoders ask for.

In: a native `Transformer` that has an encoder. Out: `Stacks`, two `Uniform`s with as many heads and neurons in every
layer.
Invariant: columns keep their numbers, or, where both stacks share an embedding, those of the decoder stand behind those
of the encoder: a row of it then writes both, and each stack reads its own.

    encoder of d_model 4, decoder of 2: columns 0 to 3 and 4 to 5; the constant is column 6 of both
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from compiler.hosts.uniform import Uniform, blank_of, filled, mapped, padded
from compiler.model import Transformer


@dataclass(frozen=True)
class Stacks:
    """An encoder and a decoder, whose layers have heads that cross."""

    encoder: Uniform
    decoder: Uniform


def stacks(
    model: Transformer, copies: int = 1, more: int = 0, square: bool = True, heads: int = 0, apart: bool = False
) -> Stacks:
    """Both stacks, with room as in `uniform` and so many `heads` more. `apart`: no column is one of both."""
    assert model.encoder is not None
    own, source = model.config, model.encoder.config
    columns = source.d_model + own.d_model if apart else max(source.d_model, own.d_model)
    blank = blank_of((*source.layers, *own.layers), columns, copies, more, square, heads)
    decoder = filled(blank, model, crosses=True)
    decoder = replace(decoder, W_U=padded(model.unembed.W_U, blank.width, own.d_vocab_out))
    return Stacks(filled(blank, model.encoder), moved(decoder, source.d_model) if apart else decoder)


def moved(decoder: Uniform, by: int) -> Uniform:
    """The decoder in columns further on; its last ones hold nothing yet. What it reads of the encoder stays there."""

    def read(matrix: Tensor) -> Tensor:
        return matrix.roll(by, 0)

    def written(matrix: Tensor) -> Tensor:
        return matrix.roll(by, -1)

    return mapped(decoder, read, written, keys=lambda matrix: matrix)
