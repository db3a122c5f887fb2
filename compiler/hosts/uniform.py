"""One shape for every layer: what other people's architectures ask for.

In: a native `Transformer`, whose layers differ in shape and may be empty. Out: `Uniform`, the same function with as
many heads and neurons in every layer; what is missing is zeros.
Invariant: columns, heads and neurons keep their numbers; what is added reads and writes zeros.

    2 layers of 1 head and 0 neurons, d_model 7 -> 2 layers of 3 heads, d_head 4, 1 neuron, width 12
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from compiler.model import Block, Transformer


@dataclass(frozen=True)
class UniformLayer:
    """The matrices of one layer, [in, out], all heads side by side."""

    W_Q: Tensor
    W_K: Tensor
    W_V: Tensor
    W_O: Tensor
    W_in: Tensor
    b_in: Tensor
    W_out: Tensor


@dataclass(frozen=True)
class Uniform:
    """A transformer of one shape, in float64. `spare` is the first column that the native model does not have."""

    n_heads: int
    d_head: int
    d_mlp: int
    width: int
    spare: int
    W_E: Tensor
    W_pos: Tensor
    layers: tuple[UniformLayer, ...]
    W_U: Tensor

    @property
    def one(self) -> int:
        """The column that is 1 at every position, where `with_constant` has made it so."""
        return self.spare

    @property
    def null(self) -> int:
        """The column that is 0 everywhere: it shows what a norm has subtracted."""
        return self.spare + 1

    @property
    def balance(self) -> int:
        """The column that holds minus the sum of the others."""
        return self.spare + 2


SPARE = 3
"""Columns beside the native ones: constant, null, balance."""


def uniform(model: Transformer, square: bool = True) -> Uniform:
    """The model with equal layers, at least one. `d_head` is a power of 4, so that its root folds into W_Q exactly.

    `square`: the heads together are as wide as the stream.
    """
    shapes = model.config.layers
    d_head = 4
    while d_head < max((max(shape.d_head, shape.d_value) for shape in shapes), default=0):
        d_head *= 4
    width = model.config.d_model + SPARE
    n_heads = max(1, *(shape.n_heads for shape in shapes), 0)
    if square:
        n_heads = max(n_heads, -(-width // d_head))
        width = n_heads * d_head
    d_mlp = max(1, *(shape.d_mlp for shape in shapes), 0)
    blank = Uniform(n_heads, d_head, d_mlp, width, model.config.d_model, *[torch.empty(0)] * 2, (), torch.empty(0))
    d = model.config.d_model
    positions = torch.zeros(model.config.n_ctx, d) if model.embed.W_pos is None else model.embed.W_pos
    layers = [_layer(blank, block) for block in model.layers()] or [_empty(blank)]
    return replace(
        blank,
        W_E=_padded(model.embed.W_E, model.config.d_vocab, width),
        W_pos=_padded(positions, model.config.n_ctx, width),
        layers=tuple(layers),
        W_U=_padded(model.unembed.W_U, width, model.config.d_vocab_out),
    )


def _padded(tensor: Tensor, *shape: int) -> Tensor:
    """The tensor in the first corner of zeros, in float64."""
    result = torch.zeros(shape, dtype=torch.float64)
    result[tuple(slice(size) for size in tensor.shape)] = tensor.detach().double()
    return result


def _empty(blank: Uniform) -> UniformLayer:
    inner = blank.n_heads * blank.d_head
    return UniformLayer(
        *(torch.zeros(blank.width, inner, dtype=torch.float64) for _ in range(3)),
        torch.zeros(inner, blank.width, dtype=torch.float64),
        torch.zeros(blank.width, blank.d_mlp, dtype=torch.float64),
        torch.zeros(blank.d_mlp, dtype=torch.float64),
        torch.zeros(blank.d_mlp, blank.width, dtype=torch.float64),
    )


def _layer(blank: Uniform, block: Block) -> UniformLayer:
    layer = _empty(blank)
    heads, d, width = blank.n_heads, blank.d_head, blank.width
    if (attn := block.attn) is not None:
        query, key, value = (
            _padded(W, heads, width, d).permute(1, 0, 2).reshape(width, heads * d)
            for W in (attn.W_Q, attn.W_K, attn.W_V)
        )
        out = _padded(attn.W_O, heads, d, width).reshape(heads * d, width)
        layer = replace(layer, W_Q=query, W_K=key, W_V=value, W_O=out)
    if (mlp := block.mlp) is not None:
        layer = replace(
            layer,
            W_in=_padded(mlp.W_in, width, blank.d_mlp),
            b_in=_padded(mlp.b_in, blank.d_mlp),
            W_out=_padded(mlp.W_out, blank.d_mlp, width),
        )
    return layer


def scaled(model: Uniform) -> Uniform:
    """For hosts that divide scores by the root of d_head: W_Q multiplied by it."""
    root = float(model.d_head) ** 0.5
    return replace(model, layers=tuple(replace(layer, W_Q=layer.W_Q * root) for layer in model.layers))


def with_constant(model: Uniform) -> Uniform:
    """A 1 at every position, for heads without a bias."""
    W_E = model.W_E.clone()
    W_E[:, model.one] = 1
    return replace(model, W_E=W_E)


def balanced(model: Uniform) -> Uniform:
    """For hosts whose norm subtracts the mean of the columns, and does nothing else.

    Every matrix that writes into the stream makes the sum of the columns zero, so that the mean is small; every matrix
    that reads from it also reads minus the sum of its weights from the null column, so that a mean m cancels:
    sum w_i (x_i - m) - (sum w_i) (0 - m) = sum w_i x_i.
    """
    layers = tuple(
        replace(
            layer,
            **{name: _blind(getattr(layer, name), model.null) for name in ("W_Q", "W_K", "W_V", "W_in")},
            **{name: _level(getattr(layer, name), model.balance) for name in ("W_O", "W_out")},
        )
        for layer in model.layers
    )
    return replace(
        model,
        W_E=_level(model.W_E, model.balance),
        W_pos=_level(model.W_pos, model.balance),
        layers=layers,
        W_U=_blind(model.W_U, model.null),
    )


def _level(writes: Tensor, balance: int) -> Tensor:
    """[..., width]: rows that add up to zero."""
    writes = writes.clone()
    writes[..., balance] -= writes.sum(-1)
    return writes


def _blind(reads: Tensor, null: int) -> Tensor:
    """[width, ...]: columns that add up to zero."""
    reads = reads.clone()
    reads[null] -= reads.sum(0)
    return reads


def tensors(model: Uniform) -> Iterator[Tensor]:
    """Every matrix."""
    yield from (model.W_E, model.W_pos, model.W_U)
    for layer in model.layers:
        yield from vars(layer).values()
