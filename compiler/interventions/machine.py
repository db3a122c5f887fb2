"""The machine under the knife: the model's answers where columns are copied from one run into another."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from compiler.model import Transformer


class Machine:
    """Runs of a pool of inputs, and what becomes of them."""

    def __init__(self, model: Transformer, inputs: Sequence[Sequence[str]]) -> None:
        self.model = model
        self.streams: dict[int, list[Tensor]] = {}
        self.rows: list[int] = [0] * len(inputs)
        by_length: dict[int, list[int]] = {}
        for number, tokens in enumerate(inputs):
            self.rows[number] = len(by_length.setdefault(len(tokens), []))
            by_length[len(tokens)].append(number)
        self.lengths = [len(tokens) for tokens in inputs]
        with torch.no_grad():
            for length, numbers in by_length.items():
                ids = torch.tensor([model.encode(inputs[number]) for number in numbers])
                self.streams[length] = list(model.residuals(ids))

    @torch.no_grad()
    def swapped(self, length: int, step: int, columns: Sequence[int], pairs) -> dict[str, list[list[int]]]:
        before = self.streams[length][step]
        resid = before[[self.rows[pair.base] for pair in pairs]].clone()
        other = before[[self.rows[pair.source] for pair in pairs]]
        where = torch.zeros(resid.shape[:2], dtype=torch.bool)
        for number, pair in enumerate(pairs):
            if pair.position is None:
                where[number, 1:] = True
            else:
                where[number, pair.position + 1] = True
        mask = where[:, :, None] & torch.zeros(resid.shape[-1], dtype=torch.bool).index_fill(0, torch.tensor(sorted(columns)), True)
        resid = torch.where(mask, other, resid)
        for number, block in enumerate(self.model.layers()):
            if step < 2 * number + 1 and block.attn is not None:
                resid = resid + block.attn(resid, None)
            if step < 2 * number + 2 and block.mlp is not None:
                resid = resid + block.mlp(resid)
        logits = self.model.unembed(resid[:, 1:])
        sizes = [len(output.values) for output in self.model.config.outputs]
        return {
            output.name: [[output.values[i] for i in row] for row in part.argmax(-1).tolist()]
            for output, part in zip(self.model.config.outputs, logits.split(sizes, -1), strict=True)
        }
