"""A plain transformer of a given shape, with random weights: what a compiled model's speed is compared with.

In: a `Config`. Out: `Plain`, written as anybody would: `nn.Linear`, one projection for query, key and value,
`scaled_dot_product_attention`, a ReLU MLP, no norm.
Invariant: the same hidden BOS position and masks, as many parameters; more where a compiled head's
values are not as wide as its queries, which one projection for all three does not know.

    token ids [batch, n] -> logits [batch, n, d_vocab_out]
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from compiler.model import Config, LayerShape


class PlainBlock(nn.Module):
    """Attention, then neurons; either may be missing, as in the compiled model."""

    def __init__(self, d_model: int, shape: LayerShape, causal: bool) -> None:
        super().__init__()
        self.shape = shape
        self.causal = causal
        self.d_head = max(shape.d_head, shape.d_value)
        width = shape.n_heads * self.d_head
        self.inward = nn.Linear(d_model, 3 * width, bias=False) if width else None
        self.outward = nn.Linear(width, d_model, bias=False) if width else None
        self.up = nn.Linear(d_model, shape.d_mlp) if shape.d_mlp else None
        self.down = nn.Linear(shape.d_mlp, d_model, bias=False) if shape.d_mlp else None

    def forward(self, resid: Tensor, mask: Tensor | None) -> Tensor:
        """[batch, pos, d_model] -> [batch, pos, d_model]."""
        if self.inward is not None and self.outward is not None:
            parts = self.inward(resid).unflatten(-1, (3, self.shape.n_heads, self.d_head))
            query, key, value = parts.permute(2, 0, 3, 1, 4)
            mixed = F.scaled_dot_product_attention(
                query, key, value, attn_mask=mask, is_causal=self.causal and mask is None
            )
            resid = resid + self.outward(mixed.transpose(1, 2).flatten(-2))
        if self.up is not None and self.down is not None:
            resid = resid + self.down(F.relu(self.up(resid)))
        return resid


class Plain(nn.Module):
    """Embedding, blocks, unembedding."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.bos = config.d_vocab - 1
        self.tokens = nn.Embedding(config.d_vocab, config.d_model)
        self.positions = nn.Embedding(config.n_ctx, config.d_model) if config.has_positions else None
        self.blocks = nn.ModuleList([PlainBlock(config.d_model, shape, config.causal) for shape in config.layers])
        self.unembed = nn.Linear(config.d_model, config.d_vocab_out, bias=False)

    def forward(self, token_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Token ids without BOS; `attention_mask` [batch, n] as in the compiled model."""
        token_ids = F.pad(token_ids, (1, 0), value=self.bos)
        mask = None
        if attention_mask is not None:
            mask = F.pad(attention_mask.bool(), (1, 0), value=True)[:, None, None, :]
        resid = self.tokens(token_ids)
        if self.positions is not None:
            resid = resid + self.positions.weight[: token_ids.shape[1]]
        for block in self.blocks:
            resid = block(resid, mask)
        logits: Tensor = self.unembed(resid[:, 1:])
        return logits


def plain(config: Config, seed: int = 0) -> Plain:
    """A plain transformer of this shape with random weights."""
    torch.manual_seed(seed)
    return Plain(config).eval()
