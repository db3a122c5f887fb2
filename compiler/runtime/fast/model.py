"""The fast path: a compiled transformer that counts and looks up where its heads would compare all pairs.

In: a `Transformer` and the `Plan` of its circuit. Out: `Fast`, a transformer with the model's weights and answers. What
an encoder makes of a source is looked up by the decoder's heads, in whole targets and as one is written.
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
from typing import Literal, TypeAlias, TypeVar

import torch
from torch import Tensor

from compiler.circuit.decoding import unembedding
from compiler.model import DTYPES, ModelError, NotFiniteError, OutputSlice, Reader, Scalar, Transformer
from compiler.model.errors import require_precision
from compiler.numbers.direction import ONE, Direction, Form
from compiler.runtime.fast.generation import Crossed, Recurrence, RecurrentReading, recurrence
from compiler.runtime.fast.heads import Attention, Scored
from compiler.runtime.fast.plan import Plan
from compiler.runtime.fast.rows import Kind, Neurons, Readings, Rows, Tape, present

T = TypeVar("T")
Way: TypeAlias = Literal["auto", "fast", "plain"]
Given: TypeAlias = tuple[Tensor, Tensor | None]
"""Token ids and mask, [batch, n]."""


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
        self._clocks: dict[tuple[int, ...], Clock] = {}
        self.eval()

    def forward(
        self,
        token_ids: Tensor,
        attention_mask: Tensor | None = None,
        target_ids: Tensor | None = None,
        target_mask: Tensor | None = None,
    ) -> Tensor:
        """As in `Network`."""
        given = token_ids, attention_mask, target_ids, target_mask
        wanted = torch.is_grad_enabled() and any(parameter.requires_grad for parameter in self.parameters())
        if self.plan is None or wanted or self.prefer == "plain":
            return super().forward(*given)
        if self.prefer == "fast" or torch.compiler.is_compiling():
            return self.count(*given)
        tapes = [(ids, mask) for ids, mask in zip(given[::2], given[1::2], strict=True) if ids is not None]
        size = *(ids.shape[1].bit_length() for ids, _ in tapes), *(mask is None for _, mask in tapes)
        clock = self._clocks.setdefault((len(token_ids).bit_length(), *size), Clock())
        return clock.run(lambda: super(Fast, self).forward(*given), lambda: self.count(*given))

    def count(
        self,
        token_ids: Tensor,
        attention_mask: Tensor | None = None,
        target_ids: Tensor | None = None,
        target_mask: Tensor | None = None,
    ) -> Tensor:
        """The fast path, whatever is preferred. It gives no gradients."""
        path, source = self.path(), None
        if self._asks_for(target_ids):
            assert self.encoder is not None and target_ids is not None
            source = without_bos(*self.encoder.with_bos(token_ids, attention_mask))
            token_ids, attention_mask = target_ids, target_mask
        own = without_bos(*self.with_bos(token_ids, attention_mask))
        if torch.compiler.is_compiling():
            return path.logits(path.stream(own, path.encoded(source))).to(self.embed.W_E.dtype)
        with torch.inference_mode():  # operations on small tensors take two thirds of their time in it
            stream = path.stream(own, path.encoded(source))
        with torch.no_grad():  # outside of that mode, so that logits can be used like any tensor
            return path.logits(stream).to(self.embed.W_E.dtype)

    def reading(self, positions: int, source_ids: Sequence[int] | None = None) -> Reader:
        """What reads a text and goes on from there: a recurrence where there is one, unless "plain" is preferred."""
        if isinstance(self.recurrence, str) or self.prefer == "plain":
            return super().reading(positions, source_ids)
        if source_ids is None:
            return RecurrentReading(self.recurrence, self)
        [source] = self._looked_up(self.recurrence, [source_ids])
        return RecurrentReading(self.recurrence, self, source)

    def written(self, sources: list[list[int]], chosen: OutputSlice) -> list[list[Scalar]]:
        """As in `Transformer`; the other way is to encode sources together and to write each target by a recurrence."""
        made = self.recurrence
        if isinstance(made, str) or self.prefer == "plain":
            return super().written(sources, chosen)
        if self.prefer == "fast":
            return self._written(made, sources, chosen)
        size = len(sources).bit_length(), max(map(len, sources)).bit_length()
        clock = self._clocks.setdefault(size, Clock())
        return clock.run(
            lambda: super(Fast, self).written(sources, chosen), lambda: self._written(made, sources, chosen)
        )

    def _written(self, recurrence: Recurrence, sources: list[list[int]], chosen: OutputSlice) -> list[list[Scalar]]:
        start, most, ends = self.encode([self.config.start]), self.config.max_length, set(self.config.stop)
        readers = (RecurrentReading(recurrence, self, source) for source in self._looked_up(recurrence, sources))
        return [[*self.writing(reader, start, chosen, most, ends)] for reader in readers]

    @torch.inference_mode()
    def _looked_up(self, recurrence: Recurrence, sources: Sequence[Sequence[int]]) -> list[Crossed]:
        """For each source what heads that cross read of it, at each of its positions."""
        require_precision(self.embed.W_E.device.type, self.require_dtype())
        path, encoder = self.path(), self.encoder
        if encoder is None or path.encoder is None:
            raise ModelError("the model has no encoder", "it reads no source")
        ids, mask = self.padded([*map(list, sources)])
        tape = path.encoded(without_bos(*encoder.with_bos(ids, mask)))
        assert tape is not None
        numbers = path.encoder.read(recurrence.keys, tape.stream)
        for position in (~numbers.isfinite()).any(0).any(0).nonzero().flatten().tolist()[:1]:
            raise NotFiniteError("the numbers of the source", position)
        rows = numbers.permute(1, 2, 0).tolist()
        return [found[: len(source)] for found, source in zip(rows, sources, strict=True)]

    @cached_property
    def recurrence(self) -> Recurrence | str:
        """The model as a recurrence; where it is none, why."""
        if self.plan is None:
            return self.reason or ""
        return "some of its heads need scores" if self.plan.scored else recurrence(self.plan)

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

    def run(self, *ways: Callable[[], T]) -> T:
        """The answer."""
        if self.trials == self.TRIALS:
            return ways[self.best[1] < self.best[0]]()
        self.trials += 1
        for number, way in enumerate(ways):
            start = time.perf_counter()
            found = way()
            if isinstance(found, Tensor) and found.device.type == "cuda":
                torch.cuda.synchronize(found.device)
            self.best[number] = min(self.best[number], time.perf_counter() - start)
        return found


def without_bos(token_ids: Tensor, mask: Tensor | None) -> Given:
    """Token ids and mask that were checked, [batch, n]."""
    return token_ids[:, 1:], None if mask is None else mask[:, 0, 0, 1:]


class Path:
    """A plan in torch: embedding, what runs in the place of each layer, unembedding; before them an encoder's."""

    def __init__(self, plan: Plan, kind: Kind) -> None:
        self.kind = kind
        self.encoder = None if plan.encoder is None else Path(plan.encoder, kind)
        self.rows = rows = Rows(kind)
        self.embed = Embedding(plan, rows)
        self.steps: list[Attention | Scored | Neurons] = []
        for layer in plan.layers:
            for keys in (None,) if self.encoder is None else (None, self.encoder.rows):
                steps = [step for step in layer.steps if step.crosses == (keys is not None)]
                heads = [head for head in layer.scored if head.crosses == (keys is not None)]
                self.steps += [Attention(steps, rows, keys)] if steps else []
                self.steps += [Scored(heads, plan.circuit, rows, keys)] if heads else []
            self.steps += [Neurons(layer.neurons, rows)] if layer.neurons else []
        logits = {direction: column.tolist() for direction, column in unembedding(plan.circuit).items()}
        self.unembed = Readings(logits, sum(len(output.codes) for output in plan.circuit.outputs), rows)
        self._readings: dict[tuple[Form, ...], Readings] = {}

    def logits(self, stream: Tensor) -> Tensor:
        """The stream after the last layer -> logits [batch, n, d_vocab_out]."""
        return self.unembed.transposed(stream.flatten(1)).view(*stream.shape[1:], -1)

    def read(self, forms: tuple[Form, ...], stream: Tensor) -> Tensor:
        """Forms of the stream after the last layer, [form, batch, n]."""
        if forms not in self._readings:
            self._readings[forms] = Readings.of(forms, self.rows)
        return self._readings[forms](stream.flatten(1)).view(len(forms), *stream.shape[1:])

    def encoded(self, source: Given | None) -> Tape | None:
        """Token ids and mask of sources -> the encoder's stream; None where there is no source."""
        return None if source is None or self.encoder is None else Tape(self.encoder.stream(source), source[1])

    def stream(self, given: Given, source: Tape | None = None) -> Tensor:
        """Token ids and mask [batch, n] -> the stream after the last layer, [row, batch, position], 0 in padding.

        Behind an encoder's stream, where heads cross to one."""
        token_ids, mask = given
        own = Tape(token_ids.new_empty(len(self.rows.of), *token_ids.shape, dtype=self.kind.dtype), mask)
        self.embed(own.stream, token_ids)
        for step in self.steps:
            step(own, source)
        return present(*own)


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
