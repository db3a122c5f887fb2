"""The machine: the model's runs, and what becomes of them where columns are copied from one run into another.

In: a model, inputs, pairs of them, columns, a step. Out: the stream after the later steps, and the decoded outputs.
Invariant: nothing but the columns of the tokens' positions is touched; the model runs on by its own modules.

    machine.swapped(step=2, columns=[15, 16], pairs=[Pair(0, 1, position=3)])
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

from compiler.model import Scalar, Transformer
from compiler.trust.interventions.pool import Pair


class Machine:
    """A model that has run on inputs."""

    def __init__(self, model: Transformer, inputs: Sequence[Sequence[str]]) -> None:
        self.model = model
        self.lengths = list(map(len, inputs))
        self.rows: list[int] = []
        numbers: dict[int, list[int]] = {}
        for number, length in enumerate(self.lengths):
            same = numbers.setdefault(length, [])
            self.rows.append(len(same))
            same.append(number)
        self.numbers = numbers
        self.streams = {length: self._run([inputs[number] for number in same]) for length, same in numbers.items()}

    @torch.no_grad()
    def _run(self, inputs: Sequence[Sequence[str]]) -> list[Tensor]:
        ids = torch.tensor([self.model.encode(tokens) for tokens in inputs], device=self.model.embed.W_E.device)
        return list(self.model.residuals(ids))

    @torch.no_grad()
    def swapped(self, step: int, columns: Iterable[int], pairs: Sequence[Pair]) -> list[Tensor]:
        """The stream [pair, 1 + n, d_model] after this step and each later one, for pairs of one length."""
        before = self.streams[self.lengths[pairs[0].base]][step]
        resid = before[[self.rows[pair.base] for pair in pairs]]
        source = before[[self.rows[pair.source] for pair in pairs]]
        mask = torch.zeros_like(resid, dtype=torch.bool)
        for row, pair in enumerate(pairs):
            positions = slice(1, None) if pair.position is None else slice(pair.position + 1, pair.position + 2)
            mask[row, positions, list(columns)] = True
        return list(self._onward(torch.where(mask, source, resid), step))

    def _onward(self, resid: Tensor, step: int) -> Iterator[Tensor]:
        yield resid
        for number, block in enumerate(self.model.layers()):
            if step <= 2 * number:
                resid = resid if block.attn is None else resid + block.attn(resid, None)
                yield resid
            if step <= 2 * number + 1:
                resid = resid if block.mlp is None else resid + block.mlp(resid)
                yield resid

    @torch.no_grad()
    def answers(self, resid: Tensor) -> dict[str, list[list[Scalar]]]:
        """The decoded outputs of the last stream, for each row."""
        outputs = self.model.config.outputs
        logits = self.model.unembed(resid[:, 1:]).split([len(output.values) for output in outputs], -1)
        return {
            output.name: [[output.values[choice] for choice in row] for row in part.argmax(-1).tolist()]
            for output, part in zip(outputs, logits, strict=True)
        }
