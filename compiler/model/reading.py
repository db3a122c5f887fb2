"""Reading on: a text that grows, and what the network says behind it.

In: a causal `Network`, further token ids. Out: the logits behind them; the best of an output's values, or one drawn.
Invariant: answers do not depend on the cache: `Reading` keeps keys and values, `Rereading` reads everything again.

    Reading(model, positions=33).best([2, 0, 1], "sorted")
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .errors import ModelError, require_finite, require_precision
from .layers import Memory, Past
from .network import Network


class Reader(ABC):
    """What has read a text, so far `length` tokens of at most `room`, and reads on."""

    def __init__(self, model: Network, room: int) -> None:
        self.model = model
        self.dtype, self.device = model.require_dtype(), model.embed.W_E.device
        self.room = min(room, model.config.max_length)
        self.length = 0

    @abstractmethod
    def read(self, ids: Sequence[int]) -> Tensor:
        """The logits [d_vocab_out] behind these further tokens."""

    def logits(self, ids: Sequence[int], output: str) -> Tensor:
        """The logits [value] of one output behind these further tokens, all of them finite."""
        start, chosen = self.model.config.slice(output)
        found = self.read(ids)[start : start + len(chosen.values)]
        require_finite(found[None], output, self.length - 1)
        return found

    def best(self, ids: Sequence[int], output: str) -> int:
        """Which of an output's values is the best behind these further tokens."""
        return int(self.logits(ids, output).argmax())

    def advance(self, ids: Sequence[int]) -> int:
        """Where these further tokens begin; they count as read."""
        start, end = self.length, self.length + len(ids)
        if not start < end <= self.room:
            raise ModelError(
                f"the text has {end} tokens, {len(ids)} of them new; there is room for {self.room}",
                "read at least one token, and no more than there is room for",
            )
        self.length = end
        return start


class Reading(Reader):
    """A causal model that reads on: what it has read stays in a cache of keys and values of `positions` positions.

    With a `memory` it reads targets, as many at a time as there are sources; the keys of these are made once.
    """

    def __init__(self, model: Network, positions: int, memory: Memory | None = None) -> None:
        model.require_causal()
        super().__init__(model, positions - 1)
        batch = 1 if memory is None else len(memory.resid)
        with torch.inference_mode():
            self.pasts = [None if b.attn is None else Past(b.attn, positions, batch) for b in model.running()]
            self.sources = [
                None if memory is None or block.cross is None else block.cross.read(memory) for block in model.running()
            ]

    def read(self, ids: Sequence[int]) -> Tensor:
        """The logits [d_vocab_out] behind these further tokens."""
        return self.extend([ids])[0]

    @torch.inference_mode()
    def extend(self, rows: Sequence[Sequence[int]]) -> Tensor:
        """The logits [batch, d_vocab_out] behind further tokens, as many of each text."""
        model, start = self.model, self.advance(rows[0])
        require_precision(self.device.type, self.dtype)
        token_ids = torch.tensor(rows, device=self.device)
        if start == 0:
            token_ids, _ = model.with_bos(token_ids)
        resid = model.embed(token_ids, start and start + 1)  # BOS is at 0
        for block, past, source in zip(model.running(), self.pasts, self.sources, strict=True):
            resid = block(resid, None, past, source)
        logits: Tensor = model.unembed(resid[:, -1])
        return logits


class Rereading(Reader):
    """The same without a cache: everything is read again, behind a source if there is one."""

    def __init__(self, model: Network, source_ids: Sequence[int] | None = None) -> None:
        super().__init__(model, model.config.max_length)
        self.source = None if source_ids is None else torch.tensor([source_ids], device=self.device)
        self.ids: list[int] = []

    @torch.inference_mode()
    def read(self, ids: Sequence[int]) -> Tensor:
        """The logits [d_vocab_out] behind these further tokens."""
        self.advance(ids)
        self.ids += ids
        tokens = torch.tensor([self.ids], device=self.device)
        logits: Tensor = self.model(tokens) if self.source is None else self.model(self.source, None, tokens)
        return logits[0, -1]


def drawing(
    temperature: float, seed: int | torch.Generator | None, device: torch.device
) -> Callable[[Tensor], int] | None:
    """How a token is drawn from logits [values] at a temperature; None at 0, which takes the best one."""
    if not temperature:
        return None
    if not 0 < temperature < math.inf:
        raise ModelError(f"the temperature is {temperature}", "0 takes the best token; 1 and more draw one")
    generator = seed if isinstance(seed, torch.Generator) else torch.Generator(device)
    if seed is None:
        generator.seed()
    elif isinstance(seed, int):
        generator.manual_seed(seed)
    return lambda logits: int(torch.multinomial((logits.double() / temperature).softmax(-1), 1, generator=generator))
