"""One shape for every layer: what other people's architectures ask for.

In: a native `Transformer`, whose layers differ in shape and may be empty. Out: `Uniform`, the same function with as
many heads and neurons in every layer; what is missing is zeros.
Invariant: columns, heads and neurons keep their numbers; what is added reads and writes zeros.

    2 layers of 1 head and 0 neurons, d_model 7 -> 2 layers of 3 heads, d_head 4, 1 neuron, width 12
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar

import torch
from torch import Tensor

from compiler.model import Attention, Block, CrossAttention, LayerShape, Stack, Transformer

HeadsT = TypeVar("HeadsT", bound="Heads")
Change: TypeAlias = "Callable[[Tensor], Tensor]"
"""From a matrix to another one."""


@dataclass(frozen=True)
class Heads:
    """The matrices of an attention, [in, out], all heads side by side."""

    W_Q: Tensor
    W_K: Tensor
    W_V: Tensor
    W_O: Tensor
    b_O: Tensor


@dataclass(frozen=True)
class UniformLayer(Heads):
    """The matrices of one layer; in a decoder it has heads that cross, too."""

    W_in: Tensor
    b_in: Tensor
    W_out: Tensor
    b_out: Tensor
    cross: Heads | None = None


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
        """The column that `with_constant` makes 1 at every position."""
        return self.spare


def uniform(model: Transformer, copies: int = 1, more: int = 0, square: bool = True) -> Uniform:
    """The model with equal layers, at least one. `d_head` is a power of 4, so that its root folds into W_Q exactly.

    The stream has room for `copies` of the native columns and a constant, and for `more` columns. `square`: the heads
    together are as wide as the stream.
    """
    blank = blank_of(model.config.layers, model.config.d_model, copies, more, square)
    return replace(filled(blank, model), W_U=padded(model.unembed.W_U, blank.width, model.config.d_vocab_out))


def blank_of(
    shapes: Sequence[LayerShape], spare: int, copies: int = 1, more: int = 0, square: bool = True, heads: int = 0
) -> Uniform:
    """The sizes that hold layers of these shapes, with so many `heads` more, over so many columns, and no weights."""
    d_head = 4
    while d_head < max((max(s.d_head, s.d_value, s.d_cross, s.d_cross_value) for s in shapes), default=0):
        d_head *= 4
    width = copies * (spare + 1) + more
    n_heads = max(1, *(max(shape.n_heads, shape.n_cross) for shape in shapes), 0) + heads
    if square:
        n_heads = max(n_heads, -(-width // d_head))
        width = n_heads * d_head
    width += -width % n_heads  # a multiple, as some configurations ask for
    d_mlp = max(1, *(shape.d_mlp for shape in shapes), 0)
    none = torch.empty(0)
    return Uniform(n_heads, d_head, d_mlp, width, spare, W_E=none, W_pos=none, layers=(), W_U=none)


def filled(blank: Uniform, stack: Stack, crosses: bool = False) -> Uniform:
    """A stack in these sizes, its columns first; without an unembedding."""
    config, W_pos = stack.config, stack.embed.W_pos
    positions = torch.zeros(config.n_ctx, config.d_model) if W_pos is None else W_pos
    return replace(
        blank,
        W_E=padded(stack.embed.W_E, config.d_vocab, blank.width),
        W_pos=padded(positions, config.n_ctx, blank.width),
        layers=tuple(layer_of(blank, block, crosses) for block in stack.layers()) or (empty(blank, crosses),),
        W_U=torch.zeros(blank.width, 0, dtype=torch.float64),
    )


def padded(tensor: Tensor, *shape: int) -> Tensor:
    """The tensor in the first corner of zeros, in float64."""
    result = torch.zeros(shape, dtype=torch.float64)
    result[tuple(slice(size) for size in tensor.shape)] = tensor.detach().double()
    return result


def empty(blank: Uniform, crosses: bool = False) -> UniformLayer:
    """A layer that adds nothing; with heads that cross, which add nothing either."""
    width = blank.width
    heads = {name: torch.zeros(shape, dtype=torch.float64) for name, shape in _attention(blank).items()}
    shapes = {"W_in": (width, blank.d_mlp), "b_in": (blank.d_mlp,), "W_out": (blank.d_mlp, width), "b_out": (width,)}
    neurons = {name: torch.zeros(shape, dtype=torch.float64) for name, shape in shapes.items()}
    cross = Heads(**{name: zeros.clone() for name, zeros in heads.items()}) if crosses else None
    return UniformLayer(**heads, **neurons, cross=cross)


def _attention(blank: Uniform) -> dict[str, tuple[int, ...]]:
    inner, width = blank.n_heads * blank.d_head, blank.width
    inward = dict.fromkeys(("W_Q", "W_K", "W_V"), (width, inner))
    return {**inward, "W_O": (inner, width), "b_O": (width,)}


def layer_of(blank: Uniform, block: Block, crosses: bool = False) -> UniformLayer:
    """A native layer, as wide as all."""
    layer = empty(blank, crosses)
    if (attn := block.attn) is not None:
        layer = _side_by_side(layer, blank, attn)
    if (cross := block.cross) is not None and layer.cross is not None:
        layer = replace(layer, cross=_side_by_side(layer.cross, blank, cross))
    if (mlp := block.mlp) is not None:
        layer = replace(
            layer,
            W_in=padded(mlp.W_in, blank.width, blank.d_mlp),
            b_in=padded(mlp.b_in, blank.d_mlp),
            W_out=padded(mlp.W_out, blank.d_mlp, blank.width),
        )
    return layer


def _side_by_side(given: HeadsT, blank: Uniform, attn: Attention | CrossAttention) -> HeadsT:
    heads, d, width = blank.n_heads, blank.d_head, blank.width
    query, key, value = (
        padded(W, heads, width, d).permute(1, 0, 2).reshape(width, heads * d) for W in (attn.W_Q, attn.W_K, attn.W_V)
    )
    out = padded(attn.W_O, heads, d, width).reshape(heads * d, width)
    return replace(given, W_Q=query, W_K=key, W_V=value, W_O=out)


def scaled(model: Uniform) -> Uniform:
    """For hosts that divide scores by the root of d_head: W_Q multiplied by it."""
    root = float(model.d_head) ** 0.5

    def larger(heads: HeadsT) -> HeadsT:
        return replace(heads, W_Q=heads.W_Q * root)

    layers = (larger(replace(layer, cross=layer.cross and larger(layer.cross))) for layer in model.layers)
    return replace(model, layers=tuple(layers))


def with_constant(model: Uniform) -> Uniform:
    """A 1 at every position, for heads without a bias."""
    W_E = model.W_E.clone()
    W_E[:, model.one] = 1
    return replace(model, W_E=W_E)


COARSE = 2.0**22
"""The least offset that rounds what is added to it: from here on float32 has no halves, or soon none."""


def settled(model: Uniform) -> Uniform:
    """Offsets leave the stream before the MLPs, where norms would have to carry them.

    The embedding may fill a column with a large number, so that adding to it rounds to whole numbers, until an MLP
    takes it away. Here the attention in front of that MLP (heads that cross, where there are some) has minus the offset
    as its bias: what the heads add is rounded when the bias is added, the stream holds the whole number, and the MLP's
    biases make up for the difference.
    """
    layers = list(model.layers)
    for column in range(model.spare):
        offset = model.W_E[0, column]
        first = next((i for i, layer in enumerate(layers) if _meets(layer, column)), None)
        if first is None or abs(offset) < COARSE or not bool((model.W_E[:, column] == offset).all()):
            continue
        unit = torch.zeros(model.width, dtype=torch.float64)
        unit[column] = offset
        layer = layers[first]
        layer = replace(layer, b_in=layer.b_in + unit @ layer.W_in, b_out=layer.b_out + unit)
        if layer.cross is None:
            layers[first] = replace(layer, b_O=layer.b_O - unit)
        else:
            layers[first] = replace(layer, cross=replace(layer.cross, b_O=layer.cross.b_O - unit))
    return replace(model, layers=tuple(layers))


def _meets(layer: UniformLayer, column: int) -> bool:
    """Whether the MLP reads or writes the column."""
    return bool(layer.W_in[column].any()) or bool(layer.W_out[:, column].any())


def mirrored(model: Uniform) -> Uniform:
    """For hosts whose norm subtracts the mean of the columns, and does nothing else.

    The second half of the stream is minus the first, so that the mean is 0 up to rounding. Half the difference is read,
    and the mean cancels: ((x - m) - (-x - m)) / 2 = x. Both roundings are alike, so theirs cancels, too.
    """
    half = model.width // 2

    def written(matrix: Tensor) -> Tensor:
        return torch.cat([matrix[..., :half], -matrix[..., :half]], dim=-1)

    def read(matrix: Tensor) -> Tensor:
        return torch.cat([matrix[:half], -matrix[:half]]) / 2

    return mapped(model, read, written)


def mapped(model: Uniform, read: Change, written: Change, keys: Change | None = None) -> Uniform:
    """The model in other columns. `read`: of a matrix [column, ...]; `written`: of one [..., column]; `keys`: of what
    heads that cross read of the other stream, if that is another change."""

    def heads(given: HeadsT, inward: Change) -> HeadsT:
        return replace(
            given,
            W_Q=read(given.W_Q),
            **{name: inward(getattr(given, name)) for name in ("W_K", "W_V")},
            **{name: written(getattr(given, name)) for name in ("W_O", "b_O")},
        )

    layers = tuple(
        replace(
            heads(layer, read),
            W_in=read(layer.W_in),
            **{name: written(getattr(layer, name)) for name in ("W_out", "b_out")},
            cross=layer.cross and heads(layer.cross, keys or read),
        )
        for layer in model.layers
    )
    return replace(model, W_E=written(model.W_E), W_pos=written(model.W_pos), layers=layers, W_U=read(model.W_U))
