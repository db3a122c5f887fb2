"""The transformer: the compiled program, of one tape or of a source and a target.

In: tokens, or the tokens of a source. Out: decoded values; `decode` writes the target for a source.
Invariant: what is decoded does not depend on what else is in the batch, nor on the cache.

    Transformer(config).decode("abc")   ->   ["c", "b", "a", "."]
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch

from .config import OutputSlice, Scalar
from .errors import require_finite
from .reading import Reading
from .summary import info, size
from .texts import Texts, batches, no_token, spellings


class Transformer(Texts):
    """The compiled program. `model(token_ids, attention_mask)` gives logits; `model.run("abc")` gives values.

    With an encoder `model(source_ids, source_mask, target_ids, target_mask)` gives the logits of the target, and
    `model.decode("abc")` writes it. `labels` says what every column, head and neuron is; it is empty in a model that
    was not compiled.
    """

    @torch.no_grad()
    def answers(self, source: Iterable[object], target: Iterable[object] = ()) -> dict[str, list[Scalar]]:
        """The values of every output at each position of a target so far, whose `start` is not given: the last one is
        the next token."""
        device = self.embed.W_E.device
        sources = torch.tensor([self.encode_source(source)], device=device)
        targets = torch.tensor([self.encode([self.config.start, *target])], device=device)
        logits = self(sources, None, targets)[0]
        found = {}
        for output in self.config.outputs:
            start, _ = self.config.slice(output.name)
            own = logits[:, start : start + len(output.values)]
            require_finite(own, output.name)
            found[output.name] = [output.values[choice] for choice in own.argmax(-1).tolist()]
        return found

    def decode(self, source: Iterable[object], output: str | None = None) -> list[Scalar]:
        """The target that is written for a source: up to a token of `stop`, the last one given, or as long as targets
        may be. It is what `generate` writes where nothing is drawn."""
        return self.decode_batch([source], output)[0]

    @torch.inference_mode()
    def decode_batch(self, sources: Sequence[Iterable[object]], output: str | None = None) -> list[list[Scalar]]:
        """The targets for many sources of different lengths; they are padded and written together."""
        encoded = [self.encode_source(source) for source in sources]
        order = sorted(range(len(encoded)), key=lambda number: len(encoded[number]))
        chosen = self.writes_with(output)
        written: list[list[Scalar]] = [[] for _ in encoded]
        for batch in batches(order, encoded, max(self.config.widest, self.config.n_ctx)):
            found = self.written([encoded[number] for number in batch], chosen)
            for number, values in zip(batch, found, strict=True):
                written[number] = values
        return written

    def written(self, sources: list[list[int]], chosen: OutputSlice) -> list[list[Scalar]]:
        """The best tokens, one after the other, for the ids of every source at once. A row that has ended goes on
        unheard."""
        memory = self.remember(*self.padded(sources))
        start, _ = self.config.slice(chosen.name)
        known = [self.token_id(value) for value in chosen.values]
        ending = [not set(self.config.stop).isdisjoint(spellings(value)) for value in chosen.values]
        reading = Reading(self, self.config.n_ctx, memory)
        rows = [self.encode([self.config.start])] * len(memory.resid)
        written: list[list[Scalar]] = [[] for _ in rows]
        running = list(range(len(rows)))
        for position in range(1, self.config.n_ctx):
            logits = reading.extend(rows)[running, start : start + len(chosen.values)]
            require_finite(logits, chosen.name, position - 1)
            rows = [[0] for _ in rows]
            for number, choice in zip(tuple(running), logits.argmax(-1).tolist(), strict=True):
                token = known[choice]
                if token is None and not ending[choice]:
                    raise no_token(chosen.values[choice], position, chosen.name)
                written[number].append(chosen.values[choice])
                rows[number] = [token or 0]
                if token is None or ending[choice]:
                    running.remove(number)
            if not running:
                break
        return written

    def summary(self) -> str:
        """The size in one line."""
        return size(self)

    def info(self) -> str:
        """What each column, head and neuron is for."""
        return info(self)
