"""The fast path: a compiled transformer that counts and looks up where its heads would compare all pairs.

In: a `Transformer` and the `Plan` of its circuit. Out: `Fast`, a transformer with the model's weights and answers.
Invariants: answers are those of the circuit, by the plan's own certificate; inputs are checked as the model checks
them; where gradients are wanted, the model itself runs.

    Fast(compiled.model, plan(compiled.circuit)).run("cab")
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import cached_property
from typing import Literal, TypeAlias

import torch
from torch import Tensor

from compiler.circuit.decoding import unembedding
from compiler.model import DTYPES, ModelError, Reader, Transformer
from compiler.numbers.direction import ONE, Direction
from compiler.runtime.fast.generation import Recurrence, RecurrentReading, recurrence
from compiler.runtime.fast.heads import Attention, Scored, present
from compiler.runtime.fast.plan import Plan
from compiler.runtime.fast.rows import Kind, Neurons, Readings, Rows

Way: TypeAlias = Literal["auto", "fast", "plain"]


class Fast(Transformer):
    """A model with a second way through it. It shares the model's weights, which must not be changed any more.

    With `prefer` "auto", the quicker way is taken: at a new size both are, and timed, until that is known. "fast" and
    "plain" settle it. Where there is no plan, `reason` says why, and the model itself runs.
    """

    def __init__(
        self, model: Transformer, found: Plan | str, prefer: Literal["auto", "fast", "plain"] = "auto"
    ) -> None:
        self.share(model)
        self.plan = None if isinstance(found, str) else found
        self.reason = found if isinstance(found, str) else None
        self.prefer = prefer
        self._path: Path | None = None
        self._clocks: dict[tuple[int, int, bool], Clock] = {}
        self.eval()

    def forward(
        self,
        token_ids: Tensor,
        attention_mask: Tensor | None = None,
        target_ids: Tensor | None = None,
        target_mask: Tensor | None = None,
    ) -> Tensor:
        """As in `Network`. There is no plan for a model that reads a source and a target."""
        wanted = torch.is_grad_enabled() and any(parameter.requires_grad for parameter in self.parameters())
        if self.plan is None or wanted or self.prefer == "plain":
            return super().forward(token_ids, attention_mask, target_ids, target_mask)
        if self.prefer == "fast" or torch.compiler.is_compiling():
            return self.count(token_ids, attention_mask)
        size = len(token_ids).bit_length(), token_ids.shape[1].bit_length(), attention_mask is None
        clock = self._clocks.setdefault(size, Clock())
        return clock.run(
            lambda: super(Fast, self).forward(token_ids, attention_mask), lambda: self.count(token_ids, attention_mask)
        )

    def count(self, token_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """The fast path, whatever is preferred. It gives no gradients."""
        path = self.path()
        token_ids, mask = self.with_bos(token_ids, attention_mask)
        token_ids, mask = token_ids[:, 1:], None if mask is None else mask[:, 0, 0, 1:]
        if torch.compiler.is_compiling():
            return path.logits(path.stream(token_ids, mask)).to(self.embed.W_E.dtype)
        with torch.inference_mode():  # operations on small tensors take two thirds of their time in it
            stream = path.stream(token_ids, mask)
        with torch.no_grad():  # outside of that mode, so that logits can be used like any tensor
            return path.logits(stream).to(self.embed.W_E.dtype)

    def reading(self, positions: int, source_ids: Sequence[int] | None = None) -> Reader:
        """What reads a text and goes on from there: a recurrence where there is one, unless "plain" is preferred."""
        if isinstance(self.recurrence, str) or self.prefer == "plain":
            return super().reading(positions, source_ids)
        return RecurrentReading(self.recurrence, self)

    @cached_property
    def recurrence(self) -> Recurrence | str:
        """The model as a recurrence; where it is none, why."""
        if self.plan is None:
            return self.reason or ""
        return "some of its heads need scores" if any(self.plan.scored) else recurrence(self.plan)

    def path(self) -> Path:
        """The plan in torch, on the device that the weights are on."""
        if self.plan is None:
            raise ModelError(f"there is no fast path: {self.reason}", "run the model itself")
        kind = Kind(DTYPES[self.config.dtype], self.embed.W_E.device)  # the plan's, whatever the weights are in
        if self._path is None or self._path.kind != kind:
            self._path = Path(self.plan, kind)
        return self._path


class Clock:
    """Two ways to one answer: both are taken and timed a few times, then the quicker one."""

    TRIALS = 3

    def __init__(self) -> None:
        self.best = [math.inf, math.inf]
        self.trials = 0

    def run(self, *ways: Callable[[], Tensor]) -> Tensor:
        """The answer."""
        if self.trials == self.TRIALS:
            return ways[self.best[1] < self.best[0]]()
        self.trials += 1
        for number, way in enumerate(ways):
            start = time.perf_counter()
            found = way()
            if found.device.type == "cuda":
                torch.cuda.synchronize(found.device)
            self.best[number] = min(self.best[number], time.perf_counter() - start)
        return found


class Path:
    """A plan in torch: embedding, what runs in the place of each layer, unembedding."""

    def __init__(self, plan: Plan, kind: Kind) -> None:
        self.kind = kind
        rows = Rows(kind)
        self.embed = Embedding(plan, rows)
        circuit = plan.circuit
        self.steps: list[Attention | Scored | Neurons] = []
        for (steps, neurons), heads in zip(plan.layers, plan.scored, strict=True):
            self.steps += [Attention(steps, rows)] if steps else []
            self.steps += [Scored(heads, circuit, rows)] if heads else []
            self.steps += [Neurons(neurons, rows)] if neurons else []
        logits = {direction: column.tolist() for direction, column in unembedding(circuit).items()}
        self.unembed = Readings(logits, sum(len(output.codes) for output in circuit.outputs), rows)
        self.rows = rows.of

    def logits(self, stream: Tensor) -> Tensor:
        """The stream after the last layer -> logits [batch, n, d_vocab_out]."""
        return self.unembed.transposed(stream.flatten(1)).view(*stream.shape[1:], -1)

    def stream(self, token_ids: Tensor, mask: Tensor | None) -> Tensor:
        """Token ids and mask [batch, n] -> the stream after the last layer, [row, batch, position], 0 in padding."""
        stream = token_ids.new_empty(len(self.rows), *token_ids.shape, dtype=self.kind.dtype)
        self.embed(stream, token_ids)
        for step in self.steps:
            step(stream, mask)
        return present(stream, mask)


class Embedding:
    """What the embedding writes: a row of ones, offsets, rows of the token, rows of the position alone."""

    def __init__(self, plan: Plan, rows: Rows) -> None:
        circuit, read, kind = plan.circuit, plan.read(), rows.kind
        tokens = [direction for direction in circuit.tokens if direction in read]
        alone = [direction for direction in circuit.positions if direction in read and direction not in circuit.tokens]
        both = [direction for direction in circuit.positions if direction in read and direction in circuit.tokens]
        constants = {ONE: Fraction(1)} | {direction: c for direction, c in circuit.offsets.items() if direction in read}
        self.constant, self.tokens, self.alone = (rows.add(directions) for directions in (constants, tokens, alone))
        self.by_token = kind.numbers([circuit.tokens[d] for d in tokens], len(circuit.vocabulary))
        self.by_position = self._table(alone, plan, kind)
        self.both, self.added = kind.places([rows.of[d] for d in both]), self._table(both, plan, kind)
        self.constants = kind.column(list(constants.values()))

    def _table(self, directions: Sequence[Direction], plan: Plan, kind: Kind) -> Tensor:
        columns = [plan.circuit.positions[direction] for direction in directions]
        return kind.numbers(columns, plan.circuit.max_length)[:, None]

    def __call__(self, stream: Tensor, token_ids: Tensor) -> None:
        """Fill the rows [row, batch, position] that the embedding writes, for token ids [batch, position]."""
        n = token_ids.shape[1]
        stream[self.constant] = self.constants
        if len(self.by_token):
            stream[self.tokens] = self.by_token.index_select(1, token_ids.flatten()).view(-1, *token_ids.shape)
        if len(self.by_position):
            stream[self.alone] = self.by_position[..., :n]
        if len(self.both):
            stream.index_add_(0, self.both, self.added[..., :n].expand(-1, *token_ids.shape))
