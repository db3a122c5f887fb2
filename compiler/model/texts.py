"""Texts: the network from tokens to the values that they stand for, and from a prompt to what follows it.

In: tokens, any scalars, told apart by their text. Out: decoded values; `generate` writes on from a prompt.
Invariant: answers do not depend on batching, nor on the cache of a text that is generated.

    Transformer(config).run("cab")
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from fractions import Fraction
from typing import ParamSpec

import torch
from torch import Tensor

from .config import Config, Scalar
from .errors import ModelError, require_finite
from .network import Network
from .reading import Reader, Reading, Rereading, drawing
from .summary import info, size

P = ParamSpec("P")
BATCH_CELLS = 1 << 22
"""`run_batch` splits its inputs so that no tensor it makes holds more numbers, where one input does not by itself."""


def _all_at_once(stream: Callable[P, Iterator[Scalar]]) -> Callable[P, list[Scalar]]:
    """`generate` of a `stream`: the same arguments, and a list of what comes."""

    def generate(*arguments: P.args, **options: P.kwargs) -> list[Scalar]:
        return list(stream(*arguments, **options))

    functools.update_wrapper(generate, stream)
    generate.__name__ = "generate"
    vars(generate)["__signature__"] = inspect.signature(stream).replace(return_annotation="list[Scalar]")
    return generate


class Transformer(Network):
    """The compiled program. `model(token_ids, attention_mask)` gives logits; `model.run("abc")` gives values.

    `labels` says what every column, head and neuron is; it is empty in a model that was not compiled.
    """

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._ids = {text: number for number, text in enumerate(config.vocabulary)}

    def encode(self, tokens: Iterable[object]) -> list[int]:
        """Token ids of a string (one token a character) or of any sequence of scalars, told apart by their text."""
        texts = [_text(token) for token in tokens]
        if not texts:
            raise ModelError("the input is empty", "give at least one token")
        if len(texts) > self.config.max_length:
            raise ModelError(
                f"the input has {len(texts)} tokens, the model holds {self.config.max_length}",
                f"shorten it, or compile with max_length {len(texts)} or more",
            )
        return [self._id(text, position) for position, text in enumerate(texts)]

    def _id(self, text: str, position: int) -> int:
        known = self._ids.get(text, self._ids.get(self.config.unknown) if self.config.unknown is not None else None)
        if known is None:
            shown = ", ".join(self.config.vocabulary[:12]) + (", ..." if len(self.config.vocabulary) > 12 else "")
            raise ModelError(
                f'token "{text}" at position {position} is not in the vocabulary',
                f"it knows: {shown}; compile with a vocabulary that holds it",
            )
        return known

    def token_id(self, value: Scalar) -> int | None:
        """The id of the token that an output value is; None where it is none."""
        return next((self._ids[text] for text in _spellings(value) if text in self._ids), None)

    def run(self, tokens: Iterable[object], output: str | None = None) -> list[Scalar]:
        """The decoded output for one input: one value a token."""
        return self.run_batch([tokens], output)[0]

    def run_batch(self, inputs: Sequence[Iterable[object]], output: str | None = None) -> list[list[Scalar]]:
        """The decoded output for many inputs of different lengths; they are padded and run together."""
        start, chosen = self.config.slice(output)
        encoded = [self.encode(tokens) for tokens in inputs]
        order = sorted(range(len(encoded)), key=lambda number: len(encoded[number]))
        decoded: list[list[Scalar]] = [[] for _ in encoded]
        for batch in _batches(order, encoded, self.config.widest):
            logits = self._logits([encoded[number] for number in batch])[..., start : start + len(chosen.values)]
            require_finite(logits, chosen.name)
            for row, number in zip(logits.argmax(-1).tolist(), batch, strict=True):
                decoded[number] = [chosen.values[choice] for choice in row[: len(encoded[number])]]
        return decoded

    @torch.no_grad()
    def _logits(self, encoded: list[list[int]]) -> Tensor:
        longest = max(map(len, encoded))
        device = self.embed.W_E.device
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in encoded], device=device)
        if all(len(row) == longest for row in encoded):
            return self(ids)  # type: ignore[no-any-return]
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in encoded], device=device)
        return self(ids, mask)  # type: ignore[no-any-return]

    @torch.no_grad()
    def patterns(self, tokens: Iterable[object] | Tensor) -> list[Tensor]:
        """What every head looks at in one input (tokens, or a tensor of token ids): for each layer
        [head, query, key], BOS at position 0."""
        ids = tokens if isinstance(tokens, Tensor) else torch.tensor(self.encode(tokens), device=self.embed.W_E.device)
        if ids.numel() != ids.shape[-1]:
            raise ModelError("patterns are those of one input", "give one input at a time")
        streams = list(self.residuals(ids.reshape(1, -1)))
        nothing = streams[0].new_zeros(0, len(streams[0][0]), len(streams[0][0]))
        return [
            nothing if block.attn is None else block.attn.pattern(resid, None)[0]
            for block, resid in zip(self.layers(), streams[:-1:2], strict=True)
        ]

    def stream(
        self,
        prompt: Iterable[object],
        max_tokens: int | None = None,
        *,
        output: str | None = None,
        stop: Iterable[object] | None = None,
        temperature: float = 0.0,
        seed: int | torch.Generator | None = None,
        cached: bool = True,
    ) -> Iterator[Scalar]:
        """The tokens that follow the prompt, each the output at the last position so far.

        `stream` gives each as soon as it is known, `generate` all of them.

        It ends with a token of `stop` (that token is the last one given), after `max_tokens`, or where the model holds
        no more, which is after `max_length - len(prompt) + 1` tokens. `output` and `stop` are the config's unless
        given. `temperature` 0 takes the best logit; above that tokens are drawn. `cached` False reads everything again
        for each token.
        """
        self.require_causal()
        ids = self.encode(prompt)
        _, chosen = self.config.slice(self.config.generate if output is None else output)
        ends = set(self.config.stop) if stop is None else {_text(token) for token in stop}
        most = self.config.max_length - len(ids) + 1
        most = most if max_tokens is None else min(most, max_tokens)
        draw = drawing(temperature, seed, self.embed.W_E.device)
        reading = self.reading(1 + len(ids) + most) if cached else Rereading(self)
        known = [self.token_id(value) for value in chosen.values]
        ending = [not ends.isdisjoint(_spellings(value)) for value in chosen.values]
        for position in range(len(ids), len(ids) + most):
            choice = reading.best(ids, chosen.name) if draw is None else draw(reading.logits(ids, chosen.name))
            value, token = chosen.values[choice], known[choice]
            if token is None and not ending[choice]:
                raise _no_token(value, position, chosen.name)
            yield value
            if token is None or ending[choice]:
                return
            ids = [token]

    generate = _all_at_once(stream)

    def reading(self, positions: int) -> Reader:
        """What reads a text and goes on from there, with room for so many positions, BOS included."""
        return Reading(self, positions)

    def summary(self) -> str:
        """The size in one line."""
        return size(self)

    def info(self) -> str:
        """What each column, head and neuron is for."""
        return info(self)


def _no_token(value: Scalar, position: int, output: str) -> ModelError:
    """A text cannot go on with what is no token."""
    return ModelError(
        f'the next token, "{value}" at position {position}, is not in the vocabulary',
        f"what {output} gives must be tokens: compile with a vocabulary that holds it",
    )


def _text(token: object) -> str:
    """The text that is a token's identity."""
    return str(float(token) if isinstance(token, Fraction) else token)


def _spellings(value: Scalar) -> list[str]:
    """The texts of the tokens that a value may be, the one it prints as first: 1, 1.0 and True are one value."""
    if isinstance(value, str) or value != int(value):
        return [str(value)]
    whole = int(value)
    decimal = [str(float(whole))] if whole.bit_length() <= 53 else []
    truth = [str(whole == 1)] if whole in (0, 1) else []
    return [str(value), str(whole), *decimal, *truth]


def _batches(order: list[int], encoded: list[list[int]], widest: int) -> Iterable[list[int]]:
    """Inputs of similar length together; `order` is ascending by length. Room is left for a square of scores."""
    batch: list[int] = []
    for number in order:
        length = len(encoded[number]) + 1
        if batch and (len(batch) + 1) * length * max(length, widest) > BATCH_CELLS:
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch
