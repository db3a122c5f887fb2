"""Texts: the network from tokens to the values that they stand for, and from a prompt to what follows it.

In: tokens, any scalars, told apart by their text. Out: decoded values; `generate` writes on from a prompt.
Invariant: answers do not depend on batching, nor on the cache of a text that is generated.

    Texts(config).run("cab")
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from typing import ParamSpec

import torch
from torch import Tensor, nn

from .config import Config, OutputSlice, Scalar
from .errors import ModelError, require_finite
from .network import Network
from .reading import Reader, Reading, Rereading, drawing

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


class Texts(Network):
    """A network that reads and writes tokens."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._ids = _numbered(config)
        self._source_ids = {} if config.encoder is None else _numbered(config.encoder)

    def share(self, other: Texts) -> None:
        """Be another model, over its modules: in place of an initialisation."""
        nn.Module.__init__(self)
        self.config, self.labels = other.config, other.labels
        self.encoder, self.embed, self.blocks, self.unembed = other.encoder, other.embed, other.blocks, other.unembed
        self._ids, self._source_ids = other._ids, other._source_ids

    def encode(self, tokens: Iterable[object]) -> list[int]:
        """Token ids of a string (one token a character) or of any sequence of scalars, told apart by their text."""
        return _encoded(tokens, self.config, self._ids, self.config.unknown)

    def encode_source(self, tokens: Iterable[object]) -> list[int]:
        """The same of a source, for the encoder. Raises `ModelError` where there is none."""
        if self.config.encoder is None:
            raise ModelError("the model has no encoder", "`run` and `generate` are for models of one tape")
        return _encoded(tokens, self.config.encoder, self._source_ids, self.config.unknown, "max_source")

    def token_id(self, value: Scalar) -> int | None:
        """The id of the token that an output value is; None where it is none."""
        return next((self._ids[text] for text in spellings(value) if text in self._ids), None)

    def run(self, tokens: Iterable[object], output: str | None = None) -> list[Scalar]:
        """The decoded output for one input: one value a token. A model with an encoder decodes: see `answers`."""
        return self.run_batch([tokens], output)[0]

    def run_batch(self, inputs: Sequence[Iterable[object]], output: str | None = None) -> list[list[Scalar]]:
        """The decoded output for many inputs of different lengths; they are padded and run together."""
        self._require_one_tape()
        start, chosen = self.config.slice(output)
        encoded = [self.encode(tokens) for tokens in inputs]
        order = sorted(range(len(encoded)), key=lambda number: len(encoded[number]))
        decoded: list[list[Scalar]] = [[] for _ in encoded]
        for batch in batches(order, encoded, self.config.widest):
            logits = self._logits([encoded[number] for number in batch])[..., start : start + len(chosen.values)]
            require_finite(logits, chosen.name)
            for row, number in zip(logits.argmax(-1).tolist(), batch, strict=True):
                decoded[number] = [chosen.values[choice] for choice in row[: len(encoded[number])]]
        return decoded

    def _require_one_tape(self) -> None:
        if self.config.encoder is not None:
            hint = "`decode(source)` writes the target, `answers(source, target)` says what comes behind each token"
            raise ModelError("the model reads a source and a target", hint)

    def writes_with(self, output: str | None = None) -> OutputSlice:
        """The output that is the next token: the one given, the config's, or the first."""
        return self.config.slice(self.config.generate if output is None else output)[1]

    @torch.no_grad()
    def _logits(self, encoded: list[list[int]]) -> Tensor:
        return self(*self.padded(encoded))  # type: ignore[no-any-return]

    def padded(self, encoded: list[list[int]]) -> tuple[Tensor, Tensor | None]:
        """Ids and mask [batch, n] of inputs of different lengths; no mask where all are as long."""
        longest = max(map(len, encoded))
        device = self.embed.W_E.device
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in encoded], device=device)
        if all(len(row) == longest for row in encoded):
            return ids, None
        return ids, torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in encoded], device=device)

    @torch.no_grad()
    def patterns(self, tokens: Iterable[object] | Tensor) -> list[Tensor]:
        """What every head looks at in one input (tokens, or a tensor of token ids): for each layer
        [head, query, key], BOS at position 0."""
        self._require_one_tape()
        ids = tokens if isinstance(tokens, Tensor) else torch.tensor(self.encode(tokens), device=self.embed.W_E.device)
        if ids.numel() != ids.shape[-1]:
            raise ModelError("patterns are those of one input", "give one input at a time")
        streams = list(self.residuals(ids.reshape(1, -1)))
        nothing = streams[0].new_zeros(0, len(streams[0][0]), len(streams[0][0]))
        return [
            nothing if block.attn is None else block.attn.pattern(resid, None)[0]
            for block, resid in zip(self.running(), streams[:-1:2], strict=True)
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
        """The tokens that follow the prompt, each the output at the last position so far; with an encoder, the prompt
        is a source, and they are the target. `stream` gives each as soon as it is known, `generate` all of them.

        It ends with a token of `stop` (that token is the last one given), after `max_tokens`, or where the model holds
        no more, which is after `max_length - len(prompt) + 1` tokens. `output` and `stop` are the config's unless
        given. `temperature` 0 takes the best logit; above that tokens are drawn. `cached` False reads everything again
        for each token.
        """
        self.require_causal()
        source = None if self.config.encoder is None else self.encode_source(prompt)
        ids = self.encode(prompt if source is None else [self.config.start])
        chosen = self.writes_with(output)
        ends = set(self.config.stop) if stop is None else {_text(token) for token in stop}
        most = self.config.max_length - len(ids) + 1
        most = most if max_tokens is None else min(most, max_tokens)
        draw = drawing(temperature, seed, self.embed.W_E.device)
        reading = self.reading(1 + len(ids) + most, source) if cached else Rereading(self, source)
        yield from self.writing(reading, ids, chosen, most, ends, draw)

    generate = _all_at_once(stream)

    def writing(
        self,
        reading: Reader,
        ids: Sequence[int],
        chosen: OutputSlice,
        most: int,
        ends: Collection[str],
        draw: Callable[[Tensor], int] | None = None,
    ) -> Iterator[Scalar]:
        """What a reader writes behind some ids: at most so many tokens, up to one that is spelled like an end."""
        known = [self.token_id(value) for value in chosen.values]
        ending = [not set(ends).isdisjoint(spellings(value)) for value in chosen.values]
        for position in range(len(ids), len(ids) + most):
            choice = reading.best(ids, chosen.name) if draw is None else draw(reading.logits(ids, chosen.name))
            value, token = chosen.values[choice], known[choice]
            if token is None and not ending[choice]:
                raise no_token(value, position, chosen.name)
            yield value
            if token is None or ending[choice]:
                return
            ids = [token]

    def reading(self, positions: int, source_ids: Sequence[int] | None = None) -> Reader:
        """What reads a text and goes on from there, with room for so many positions, BOS included."""
        if source_ids is None:
            return Reading(self, positions)
        with torch.inference_mode():
            return Reading(self, positions, self.remember(torch.tensor([source_ids], device=self.embed.W_E.device)))


def _numbered(config: Config) -> dict[str, int]:
    return {text: number for number, text in enumerate(config.vocabulary)}


def _encoded(
    tokens: Iterable[object], config: Config, known: Mapping[str, int], unknown: str | None, longest: str = "max_length"
) -> list[int]:
    """The ids of a tape's tokens; its length is bounded by the setting that is called `longest`."""
    texts = [_text(token) for token in tokens]
    if not texts:
        raise ModelError("the input is empty", "give at least one token")
    if len(texts) > config.max_length:
        raise ModelError(
            f"the input has {len(texts)} tokens, the model holds {config.max_length}",
            f"shorten it, or compile with {longest} {len(texts)} or more",
        )
    other = None if unknown is None else known.get(unknown)
    ids = [known.get(text, other) for text in texts]
    if None in ids:
        position = ids.index(None)
        shown = ", ".join(config.vocabulary[:12]) + (", ..." if len(config.vocabulary) > 12 else "")
        raise ModelError(
            f'token "{texts[position]}" at position {position} is not in the vocabulary',
            f"it knows: {shown}; compile with a vocabulary that holds it",
        )
    return [number for number in ids if number is not None]


def no_token(value: Scalar, position: int, output: str) -> ModelError:
    """A text cannot go on with what is no token."""
    return ModelError(
        f'the next token, "{value}" at position {position}, is not in the vocabulary',
        f"what {output} gives must be tokens: compile with a vocabulary that holds it",
    )


def _text(token: object) -> str:
    """The text that is a token's identity."""
    return str(float(token) if isinstance(token, Fraction) else token)


def spellings(value: Scalar) -> list[str]:
    """The texts of the tokens that a value may be, the one it prints as first: 1, 1.0 and True are one value."""
    if isinstance(value, str) or value != int(value):
        return [str(value)]
    whole = int(value)
    decimal = [str(float(whole))] if whole.bit_length() <= 53 else []
    truth = [str(whole == 1)] if whole in (0, 1) else []
    return [str(value), str(whole), *decimal, *truth]


def batches(order: list[int], encoded: list[list[int]], widest: int) -> Iterable[list[int]]:
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
