"""The network: embedding, blocks of attention and neurons, unembedding, in PyTorch.

In: a `Config` and a state dict. Out: `Network`, an `nn.Module` from token ids to logits. No norm, ReLU, a hidden BOS
position 0 that callers never see.
Invariants: answers do not depend on padding, and rows of padding reach nothing, whatever they hold; the addition to the
residual stream is rounded by itself; weights of another dtype than they were made for are refused.

    token ids [batch, n] -> embedding [batch, 1 + n, d_model] -> blocks -> logits [batch, n, d_vocab_out]
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import DTYPES, Config, LayerShape
from .errors import ModelError, dtypes, require_padding_on_the_right, require_precision


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


def present(resid: Tensor, mask: Tensor | None) -> Tensor:
    """The stream with zeros in the rows of padding: a weight of 0 times infinity would be no number."""
    return resid if mask is None else resid.where(mask.mT[:, 0], 0)


class Past:
    """The keys and values of a layer's earlier positions, [batch, head, pos, width], and its matrices, made once."""

    def __init__(self, attn: Attention, positions: int) -> None:
        self.inward, self.outward = attn.inward(), attn.outward()
        self.keys = self.inward.new_empty(1, attn.n_heads, positions, attn.width)
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
    """One layer: heads, then neurons, each added to the residual stream. An empty sublayer holds no weights.

    The addition is an operation of its own, rounded once: numbers in the stream are made to be rounded there.
    """

    def __init__(self, config: Config, shape: LayerShape) -> None:
        super().__init__()
        self.attn = Attention(config, shape) if shape.n_heads else None
        self.mlp = MLP(config, shape) if shape.d_mlp else None

    def forward(self, resid: Tensor, mask: Tensor | None, past: Past | None = None) -> Tensor:
        """[batch, pos, d_model] -> [batch, pos, d_model]; `mask` as in `Attention`."""
        resid = present(resid, mask)
        if self.attn is not None:
            resid = resid + self.attn(resid, mask, past)
        if self.mlp is not None:
            resid = resid + self.mlp(resid)
        return resid


class Unembedding(nn.Module):
    """resid W_U."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.W_U = nn.Parameter(torch.zeros(config.d_model, config.d_vocab_out))

    def forward(self, resid: Tensor) -> Tensor:
        """[batch, pos, d_model] -> [batch, pos, d_vocab_out]."""
        return resid @ self.W_U


class Network(nn.Module):
    """The transformer of a config, without texts. `labels` says what it was compiled from; empty in any other."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.embed = Embedding(config)
        self.blocks = nn.ModuleList([Block(config, shape) for shape in config.layers])
        self.unembed = Unembedding(config)
        self.labels: dict[str, Any] = {}
        self.to(DTYPES[config.dtype])

    def forward(self, token_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Token ids [batch, n] without BOS, mask [batch, n] (1 = real, 0 = padding on the right) -> logits
        [batch, n, d_vocab_out]."""
        token_ids, mask = self.with_bos(token_ids, attention_mask)
        resid = self.embed(token_ids)
        for block in self.blocks:
            resid = block(resid, mask)
        logits: Tensor = self.unembed(present(resid, mask)[:, 1:])
        return logits

    def residuals(self, token_ids: Tensor, attention_mask: Tensor | None = None) -> Iterator[Tensor]:
        """The residual stream [batch, 1 + n, d_model] after the embedding and each of 2 n_layers sublayers; rows of
        padding hold zeros."""
        token_ids, mask = self.with_bos(token_ids, attention_mask)
        resid = present(self.embed(token_ids), mask)
        yield resid
        for block in self.layers():
            if block.attn is not None:
                resid = present(resid + block.attn(resid, mask), mask)
            yield resid
            if block.mlp is not None:
                resid = present(resid + block.mlp(resid), mask)
            yield resid

    def require_dtype(self) -> torch.dtype:
        """The dtype of all weights. Any other than the one that the certificate is about is refused."""
        made, also = self.config.dtype, self.labels.get("certificate", {}).get("also", ())
        found = dtypes(self)
        if not any(found == {DTYPES[name]} for name in (made, *also)):
            other = str(next(dtype for dtype in found if dtype != DTYPES[made])).removeprefix("torch.")
            raise ModelError(
                f"the model was made for {made}, and weights of it are in {other}",
                "load it again: a model in another dtype is another compilation (`--dtype`)",
            )
        return found.pop()

    def require_causal(self) -> None:
        if not self.config.causal:
            raise ModelError(
                "a bidirectional model does not generate: each new token would change the answers before it",
                "compile with causal attention",
            )

    def layers(self) -> Iterator[Block]:
        """The blocks, with their type."""
        for block in self.blocks:
            assert isinstance(block, Block)
            yield block

    def with_bos(self, token_ids: Tensor, attention_mask: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Put BOS in front, and make the mask of the positions that are there, [batch, 1, 1, pos]; None: all are."""
        require_precision(token_ids.device.type, self.require_dtype())
        if token_ids.shape[1] > self.config.max_length:
            raise ModelError(
                f"the input has {token_ids.shape[1]} tokens, the model holds {self.config.max_length}",
                "compile with a larger max_length",
            )
        if attention_mask is not None:
            attention_mask = attention_mask.bool()
            require_padding_on_the_right(attention_mask)
        token_ids = F.pad(token_ids, (1, 0), value=self.config.d_vocab - 1)
        if attention_mask is None:
            return token_ids, None
        return token_ids, F.pad(attention_mask, (1, 0), value=True)[:, None, None, :]

    def stored(self) -> int:
        """How many numbers the checkpoint holds, zeros included."""
        return sum(parameter.numel() for parameter in self.parameters())

    def nonzero(self) -> int:
        """How many of the stored numbers are not zero."""
        return sum(int(parameter.count_nonzero()) for parameter in self.parameters())
