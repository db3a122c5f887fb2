"""The machine: the model's runs, and what becomes of them where columns are copied from one run into another.

In: a model, inputs, pairs of them, columns, a step. Out: the stream after the later steps, and the decoded outputs.
Invariant: nothing but the columns of the tokens' positions is touched; the model runs on by its own modules. With an
encoder, steps and columns are those of the line: a stream of the decoder has empty columns in front.

    machine.swapped(step=2, columns=[15, 16], pairs=[Pair(0, 1, position=3)])
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor

from compiler.graph.witness import Case
from compiler.model import Block, Memory, Scalar, Stack, Transformer
from compiler.trust.interventions.line import Line
from compiler.trust.interventions.pool import Pair
from rasp.settings import token_text
from rasp.value import Value

Size: TypeAlias = tuple[int, int]
"""How long an input is, and its source; 0 where it has none."""


class Swapped(NamedTuple):
    """What became of a run: the stream [1 + n, d_model] after the swap and each later step, and the outputs."""

    streams: list[Tensor]
    answers: dict[str, list[Scalar]]


class Machine:
    """A model that has run on inputs."""

    def __init__(self, model: Transformer, line: Line, inputs: Sequence[Case]) -> None:
        self.model = model
        self.line = line
        self.inputs = inputs
        self.sizes = [(len(one.tokens), len(one.source or ())) for one in inputs]
        self.rows: list[int] = []
        numbers: dict[Size, list[int]] = {}
        for number, size in enumerate(self.sizes):
            same = numbers.setdefault(size, [])
            self.rows.append(len(same))
            same.append(number)
        self.numbers = numbers
        self.streams = {size: self._run(same) for size, same in numbers.items()}

    @torch.no_grad()
    def _run(self, numbers: Sequence[int]) -> list[Tensor]:
        """The streams of inputs of one size, after each step."""
        ids = self._ids(self.model.encode, [self.inputs[number].tokens for number in numbers])
        if self.model.encoder is None:
            return list(self.model.residuals(ids))
        sources = [self.inputs[number].source or () for number in numbers]
        encoded = list(self.model.encoder.sublayers(self._ids(self.model.encode_source, sources)))
        return [*encoded, *self._behind(self.model.residuals(ids, None, Memory(encoded[-1], None)))]

    def _ids(self, encode: Callable[[list[str]], list[int]], tapes: Sequence[Sequence[Value]]) -> Tensor:
        return torch.tensor(
            [encode([*map(token_text, tokens)]) for tokens in tapes], device=self.model.embed.W_E.device
        )

    def _behind(self, streams: Iterable[Tensor]) -> Iterator[Tensor]:
        """Streams of the decoder with the columns of the encoder in front, which are empty."""
        return (F.pad(stream, (self.line.columns, 0)) for stream in streams)

    def swapped(self, step: int, columns: Iterable[int], pairs: Sequence[Pair]) -> list[Swapped]:
        """What becomes of the base run of each pair."""
        found: dict[Pair, Swapped] = {}
        groups: dict[Size, list[Pair]] = {}
        for pair in pairs:
            groups.setdefault(self.sizes[pair.base], []).append(pair)
        for group in groups.values():
            found |= zip(group, self._of_one_size(step, list(columns), group), strict=True)
        return [found[pair] for pair in pairs]

    @torch.no_grad()
    def _of_one_size(self, step: int, columns: list[int], pairs: Sequence[Pair]) -> list[Swapped]:
        resid, source = (
            torch.stack([self._row(number, step) for number in side])
            for side in ([pair.base for pair in pairs], [pair.source for pair in pairs])
        )
        mask = torch.zeros_like(resid, dtype=torch.bool)
        for row, pair in enumerate(pairs):
            positions = slice(1, None) if pair.position is None else slice(pair.position + 1, pair.position + 2)
            mask[row, positions, columns] = True
        streams = list(self._onward(torch.where(mask, source, resid), step, pairs))
        answers = self._answers(streams[-1][..., self.line.columns :])
        rows = range(len(pairs))
        return [
            Swapped([one[row] for one in streams], {name: each[row] for name, each in answers.items()}) for row in rows
        ]

    def _row(self, number: int, step: int) -> Tensor:
        return self.streams[self.sizes[number]][step][self.rows[number]]

    def _onward(self, resid: Tensor, step: int, pairs: Sequence[Pair]) -> Iterator[Tensor]:
        """The streams from a step on, of base runs."""
        encoder, before = self.model.encoder, self.line.before
        if encoder is None:
            yield from _run_on(self.model, resid, step)
        elif step >= before:
            there = torch.stack([self._row(pair.base, before - 1) for pair in pairs])
            onward = _run_on(self.model, resid[..., self.line.columns :], step - before, Memory(there, None))
            yield from self._behind(onward)
        else:
            encoded = list(_run_on(encoder, resid, step))
            ids = self._ids(self.model.encode, [self.inputs[pair.base].tokens for pair in pairs])
            yield from encoded
            yield from self._behind(self.model.residuals(ids, None, Memory(encoded[-1], None)))

    def _answers(self, resid: Tensor) -> dict[str, list[list[Scalar]]]:
        """The decoded outputs of the last stream, for each row."""
        outputs = self.model.config.outputs
        logits = self.model.unembed(resid[:, 1:]).split([len(output.values) for output in outputs], -1)
        return {
            output.name: [[output.values[choice] for choice in row] for row in part.argmax(-1).tolist()]
            for output, part in zip(outputs, logits, strict=True)
        }


def _run_on(stack: Stack, resid: Tensor, step: int, memory: Memory | None = None) -> Iterator[Tensor]:
    """The stream after a step and each later one."""
    yield resid
    added = [one for block in stack.layers() for one in _sublayers(block, memory)]
    for adds in added[step:]:
        resid = resid if adds is None else resid + adds(resid)
        yield resid


def _sublayers(block: Block, memory: Memory | None) -> Iterator[Callable[[Tensor], Tensor] | None]:
    """What each sublayer of a block adds to a stream; None of an empty one."""
    attn, cross, mlp = block.attn, block.cross, block.mlp
    yield None if attn is None else lambda resid: attn(resid, None)
    if memory is not None:
        yield None if cross is None else lambda resid: cross(resid, cross.read(memory))
    yield mlp
