"""The fast path: a compiled transformer that counts and looks up where its heads would compare all pairs.

In: a `Transformer` and the `Plan` of its circuit. Out: `Fast`, a transformer with the model's weights and answers.
Invariants: answers are those of the circuit, by the plan's own certificate; inputs are checked as the model checks
them; where gradients are wanted, the model itself runs.

    Fast(compiled.model, plan(compiled.circuit)).run("cab")
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

import torch
from torch import Tensor, nn

from compiler.direction import Direction
from compiler.emit import logits
from compiler.fast.heads import Attention
from compiler.fast.plan import Plan
from compiler.fast.rows import Neurons, Readings, Rows, keep
from compiler.model import Transformer


class Fast(Transformer):
    """A model with a second way through it. It shares the model's weights, which must not be changed any more."""

    def __init__(self, model: Transformer, plan: Plan) -> None:
        nn.Module.__init__(self)
        self.config, self.labels = model.config, model.labels
        self.embed, self.blocks, self.unembed = model.embed, model.blocks, model.unembed
        self._ids = model._ids
        self.path = Path(plan, model.embed.W_E.dtype).to(model.embed.W_E.device)
        self.eval()

    def forward(self, token_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Token ids [batch, n] without BOS, mask [batch, n] (1 = real, 0 = padding on the right) -> logits
        [batch, n, d_vocab_out]."""
        if torch.is_grad_enabled() and any(parameter.requires_grad for parameter in self.parameters()):
            return super().forward(token_ids, attention_mask)
        token_ids, mask = self.with_bos(token_ids, attention_mask)
        found: Tensor = self.path(token_ids[:, 1:], None if mask is None else mask[:, 0, 0, 1:])
        return found


class Path(nn.Module):
    """A plan as torch modules: embedding, what runs in the place of each layer, unembedding."""

    def __init__(self, plan: Plan, dtype: torch.dtype) -> None:
        super().__init__()
        rows = Rows()
        self.embed = Embedding(plan, rows, dtype)
        self.steps = nn.ModuleList()
        for steps, neurons in plan.layers:
            if steps:
                self.steps.append(Attention(steps, rows, dtype))
            if neurons:
                self.steps.append(Neurons(neurons, rows, dtype))
        self.rows = len(rows.of)
        self.unembed = Readings(
            [form for output in plan.circuit.outputs for form in logits(output, plan.circuit.precision.logit_gap)],
            rows,
            dtype,
        )

    def forward(self, token_ids: Tensor, mask: Tensor | None) -> Tensor:
        """Token ids and mask [batch, n] -> logits [batch, n, d_vocab_out]."""
        stream = self.embed(token_ids, self.rows)
        for step in self.steps:
            if isinstance(step, Attention):
                step(stream, mask)
            else:
                step(stream.flatten(1))
        read = self.unembed.rows(stream.flatten(1))
        found = torch.addmm(self.unembed.constant.T, read.T, self.unembed.matrix.T)
        return found.view(*token_ids.shape, -1)


class Embedding(nn.Module):
    """What the embedding writes: rows of the token, rows of the position alone, and offsets."""

    by_token: Tensor
    by_position: Tensor
    offsets: Tensor
    both: Tensor

    def __init__(self, plan: Plan, rows: Rows, dtype: torch.dtype) -> None:
        super().__init__()
        circuit, read = plan.circuit, plan.read()
        tokens = [direction for direction in circuit.tokens if direction in read]
        positions = [direction for direction in circuit.positions if direction in read]
        alone = [direction for direction in positions if direction not in circuit.tokens]
        offsets = [direction for direction in circuit.offsets if direction in read and direction not in rows.of]
        self.tokens, self.alone, self.constant = (rows.add(directions) for directions in (tokens, alone, offsets))
        keep(self, "by_token", _table([circuit.tokens[d] for d in tokens], len(circuit.vocabulary)), dtype)
        columns = [circuit.positions[d] for d in [*alone, *_without(positions, alone)]]
        keep(self, "by_position", _table(columns, circuit.max_length), dtype)
        keep(self, "offsets", _table([[circuit.offsets[d]] for d in offsets], 1)[..., None], dtype)
        keep(self, "both", [rows.of[d] for d in _without(positions, alone)], torch.long)

    def forward(self, token_ids: Tensor, rows: int) -> Tensor:
        """Token ids [batch, n] -> stream [row, batch, position]; rows that are written later are not filled."""
        stream = self.by_token.new_empty(rows, *token_ids.shape)
        places = self.by_position[:, None, : token_ids.shape[1]]
        alone = self.alone.stop - self.alone.start
        stream[self.tokens] = self.by_token.index_select(1, token_ids.flatten()).view(-1, *token_ids.shape)
        stream[self.alone] = places[:alone]
        stream[self.constant] = self.offsets
        if len(self.both):
            stream.index_add_(0, self.both, places[alone:].expand(-1, *token_ids.shape))
        return stream


def _without(directions: Sequence[Direction], others: Sequence[Direction]) -> list[Direction]:
    return [direction for direction in directions if direction not in others]


def _table(columns: Sequence[Sequence[Fraction]], width: int) -> Tensor:
    return torch.tensor([[float(number) for number in column] for column in columns], dtype=torch.float64).view(
        len(columns), width
    )
