"""Layers: embedding, attention, cross-attention, neurons, and the block that they form, in PyTorch.

In: a `Config` and the shape of a layer. Out: modules from streams to streams, [batch, pos, d_model].
Invariants: rows of padding reach nothing, whatever they hold; the addition to the residual stream is rounded by itself.

    resid = resid + attention(resid); resid = resid + cross(resid, memory); resid = resid + neurons(resid)
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config, LayerShape


class Memory(NamedTuple):
    """What an encoder made of sources: its stream [batch, 1 + n, d_encoder], and which of its rows are there,
    [batch, 1, 1, 1 + n]; None: all are."""

    resid: Tensor
    mask: Tensor | None


class Embedding(nn.Module):
    """W_E [d_vocab, d_model] plus W_pos [n_ctx, d_model], if the program looks at positions at all."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.W_E = nn.Parameter(torch.zeros(config.d_vocab, config.d_model))
        self.W_pos = nn.Parameter(torch.zeros(config.n_ctx, config.d_model)) if config.has_positions else None

    def forward(self, token_ids: Tensor, start: int = 0) -> Tensor:
        """Token ids [batch, pos], the first one at position `start`, BOS being at 0 -> stream [batch, pos, d_model]."""
        resid = F.embedding(token_ids, self.W_E)
        return resid if self.W_pos is None else resid + self.W_pos[start : start + token_ids.shape[1]]


class Attention(nn.Module):
    """n_heads heads: pattern = softmax(resid W_Q (resid W_K)^T), not scaled; out = pattern resid W_V W_O."""

    def __init__(self, config: Config, shape: LayerShape) -> None:
        super().__init__()
        inward = (shape.n_heads, config.d_model, shape.d_head)
        self.W_Q = nn.Parameter(torch.zeros(inward))
        self.W_K = nn.Parameter(torch.zeros(inward))
        self.W_V = nn.Parameter(torch.zeros(shape.n_heads, config.d_model, shape.d_value))
        self.W_O = nn.Parameter(torch.zeros(shape.n_heads, shape.d_value, config.d_model))
        self.causal = config.causal
        self.n_heads = shape.n_heads
        self.width = max(shape.d_head, shape.d_value)

    def inward(self) -> Tensor:
        """W_Q, W_K and W_V as one matrix [3 * head * width, d_model]: one product instead of three.

        The fast kernels want queries, keys and values of one width; the zeros that fill up change nothing.
        """
        padded = [F.pad(W, (0, self.width - W.shape[-1])) for W in (self.W_Q, self.W_K, self.W_V)]
        return torch.stack(padded).transpose(-1, -2).flatten(0, 2)

    def outward(self) -> Tensor:
        """W_O as one matrix [d_model, head * width]."""
        return F.pad(self.W_O, (0, 0, 0, self.width - self.W_O.shape[1])).flatten(0, 1).T

    def forward(self, resid: Tensor, mask: Tensor | None, past: Past | None = None) -> Tensor:
        """[batch, pos, d_model] -> what the heads add, [batch, pos, d_model].

        `mask` [batch, 1, 1, pos] says which keys are there; None: all. Padding stands on the right, where causal
        attention does not look. With a `past`, the keys and values of earlier positions are taken from it and those
        of these are put there.
        """
        inward, outward = (self.inward(), self.outward()) if past is None else (past.inward, past.outward)
        parts = F.linear(resid, inward).view(*resid.shape[:2], 3, self.n_heads, self.width)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        seen, causal = None if self.causal else mask, self.causal
        if past is not None and past.length:
            seen, causal = past.seen_by(parts.shape[1]), False
        if past is not None:
            key, value = past.extend(key, value)
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=seen, is_causal=causal, scale=1.0)
        return F.linear(mixed.transpose(1, 2).flatten(2), outward)

    def pattern(self, resid: Tensor, mask: Tensor | None) -> Tensor:
        """The attention pattern, [batch, head, query, key], for looking at; in float32 or better."""
        query, key = (torch.einsum("bpm,hmd->bhpd", resid, W) for W in (self.W_Q, self.W_K))
        if resid.dtype.itemsize < 4:
            query, key = query.float(), key.float()
        scores = query @ key.transpose(-1, -2)
        if self.causal:
            scores = scores.masked_fill(torch.ones_like(scores, dtype=torch.bool).triu(1), -torch.inf)
        return (scores if mask is None else scores.masked_fill(~mask, -torch.inf)).softmax(-1)


class CrossAttention(nn.Module):
    """n_cross heads that look from the target at the source: keys and values are those of an encoder's stream."""

    def __init__(self, config: Config, shape: LayerShape) -> None:
        super().__init__()
        assert config.encoder is not None
        d_keys = config.encoder.d_model
        self.W_Q = nn.Parameter(torch.zeros(shape.n_cross, config.d_model, shape.d_cross))
        self.W_K = nn.Parameter(torch.zeros(shape.n_cross, d_keys, shape.d_cross))
        self.W_V = nn.Parameter(torch.zeros(shape.n_cross, d_keys, shape.d_cross_value))
        self.W_O = nn.Parameter(torch.zeros(shape.n_cross, shape.d_cross_value, config.d_model))

    def read(self, memory: Memory) -> Crossed:
        """The keys and values of a source, made once."""
        key, value = (torch.einsum("bpm,hmd->bhpd", memory.resid, W) for W in (self.W_K, self.W_V))
        return Crossed(key, value, memory.mask)

    def forward(self, resid: Tensor, source: Crossed) -> Tensor:
        """[batch, pos, d_model] -> what the heads add, [batch, pos, d_model]."""
        query = torch.einsum("bpm,hmd->bhpd", resid, self.W_Q)
        width = max(query.shape[-1], source.values.shape[-1])
        query, key, value = (F.pad(one, (0, width - one.shape[-1])) for one in (query, source.keys, source.values))
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=source.mask, scale=1.0)
        outward = F.pad(self.W_O, (0, 0, 0, width - self.W_O.shape[1])).flatten(0, 1).T
        return F.linear(mixed.transpose(1, 2).flatten(2), outward)

    def pattern(self, resid: Tensor, memory: Memory) -> Tensor:
        """The attention pattern, [batch, head, query, key of the source], for looking at; in float32 or better."""
        query, key = torch.einsum("bpm,hmd->bhpd", resid, self.W_Q), self.read(memory).keys
        if resid.dtype.itemsize < 4:
            query, key = query.float(), key.float()
        scores = query @ key.transpose(-1, -2)
        return (scores if memory.mask is None else scores.masked_fill(~memory.mask, -torch.inf)).softmax(-1)


class Crossed(NamedTuple):
    """The keys and values that a layer's cross-attention has of a source, [batch, head, key, width], and which of them
    are there, [batch, 1, 1, key]; None: all are."""

    keys: Tensor
    values: Tensor
    mask: Tensor | None


def present(resid: Tensor, mask: Tensor | None) -> Tensor:
    """The stream with zeros in the rows of padding: a weight of 0 times infinity would be no number."""
    return resid if mask is None else resid.where(mask.mT[:, 0], 0)


class Past:
    """The keys and values of a layer's earlier positions, [batch, head, pos, width], and its matrices, made once."""

    def __init__(self, attn: Attention, positions: int, batch: int = 1) -> None:
        self.inward, self.outward = attn.inward(), attn.outward()
        self.keys = self.inward.new_empty(batch, attn.n_heads, positions, attn.width)
        self.values = torch.empty_like(self.keys)
        self.length = 0

    def seen_by(self, new: int) -> Tensor | None:
        """Which positions each of so many new ones sees, [query, key]; None: all, as a single one does.

        What `is_causal` puts beside each other are the first query and the first key, not the last of both.
        """
        if new == 1:
            return None
        return torch.ones(new, self.length + new, dtype=torch.bool, device=self.keys.device).tril(self.length)

    def extend(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Append those of new positions; all up to here."""
        start, self.length = self.length, self.length + key.shape[2]
        self.keys[:, :, start : self.length] = key
        self.values[:, :, start : self.length] = value
        return self.keys[:, :, : self.length], self.values[:, :, : self.length]


class MLP(nn.Module):
    """relu(resid W_in + b_in) W_out."""

    def __init__(self, config: Config, shape: LayerShape) -> None:
        super().__init__()
        self.W_in = nn.Parameter(torch.zeros(config.d_model, shape.d_mlp))
        self.b_in = nn.Parameter(torch.zeros(shape.d_mlp))
        self.W_out = nn.Parameter(torch.zeros(shape.d_mlp, config.d_model))

    def forward(self, resid: Tensor) -> Tensor:
        """[batch, pos, d_model] -> what the neurons add, [batch, pos, d_model]."""
        return F.linear(F.linear(resid, self.W_in.T, self.b_in).relu_(), self.W_out.T)


class Block(nn.Module):
    """One layer: heads, in a decoder heads that cross, then neurons, each added to the residual stream. An empty
    sublayer holds no weights.

    The addition is an operation of its own, rounded once: numbers in the stream are made to be rounded there.
    """

    def __init__(self, config: Config, shape: LayerShape) -> None:
        super().__init__()
        self.attn = Attention(config, shape) if shape.n_heads else None
        self.cross = CrossAttention(config, shape) if shape.n_cross else None
        self.mlp = MLP(config, shape) if shape.d_mlp else None

    def forward(
        self, resid: Tensor, mask: Tensor | None, past: Past | None = None, source: Crossed | None = None
    ) -> Tensor:
        """[batch, pos, d_model] -> [batch, pos, d_model]; `mask` as in `Attention`; `source` is what is crossed to."""
        resid = present(resid, mask)
        if self.attn is not None:
            resid = resid + self.attn(resid, mask, past)
        if self.cross is not None and source is not None:
            resid = resid + self.cross(resid, source)
        if self.mlp is not None:
            resid = resid + self.mlp(resid)
        return resid
