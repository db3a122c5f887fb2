"""The machine: an ordinary transformer in PyTorch, in one file, which needs torch and nothing else of this project.

In: a `Config` and a state dict. Out: `Transformer`, an `nn.Module` from token ids to logits; `run` goes from tokens to
decoded values; `generate` writes on from a prompt. No norm, ReLU, hard-set weights, a hidden BOS position 0 that
callers never see.
Invariants: answers do not depend on padding, batching or the cache of a text that is generated, and rows of padding
reach nothing, whatever they hold; products are never rounded more than the model's dtype does, the addition to the
residual stream is rounded by itself; weights of another dtype than they were made for are refused.

    token ids [batch, n] -> embedding [batch, 1 + n, d_model] -> blocks -> logits [batch, n, d_vocab_out]
"""

from __future__ import annotations

import functools
import inspect
import math
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ParamSpec, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

P = ParamSpec("P")
Scalar: TypeAlias = bool | int | float | str
DTYPES = ("float32", "float64", "bfloat16", "float16")
FRACTION = re.compile(r"-?[0-9]{1,4000}(/0*[1-9][0-9]{0,3999})?")
LARGEST = Fraction(sys.float_info.max)
BATCH_CELLS = 1 << 22
"""`run_batch` splits its inputs so that no tensor it makes holds more numbers, where one input does not by itself."""


class ModelError(ValueError):
    """A caller's mistake: what is wrong (`message`) and what to try (`hint`)."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message}\n  hint: {hint}" if hint else message)
        self.message = message
        self.hint = hint


class NotFiniteError(ModelError):
    """There is no best value: on this input some of the logits are infinite, or no numbers."""

    def __init__(self, what: str, position: int) -> None:
        super().__init__(
            f"{what} at position {position} are not finite",
            "numbers on the way became too large for the model: compile with a wider dtype, or a smaller max_length",
        )


@dataclass(frozen=True)
class LayerShape:
    """How many heads, how wide their queries and keys (`d_head`) and values (`d_value`) are, and how many neurons."""

    n_heads: int
    d_head: int
    d_value: int
    d_mlp: int


@dataclass(frozen=True)
class OutputSlice:
    """One decoded output: its logits are the next `len(values)` ones; logit i stands for values[i]."""

    name: str
    values: tuple[Scalar, ...]


@dataclass(frozen=True)
class Config:
    """The shape of a transformer and the meaning of its ids and logits."""

    vocabulary: tuple[str, ...]  # the text of token id 0, 1, ...; BOS has the id after the last
    max_length: int
    causal: bool
    d_model: int
    layers: tuple[LayerShape, ...]
    outputs: tuple[OutputSlice, ...]
    has_positions: bool = True
    dtype: str = "float32"
    unknown: str | None = None  # the token that stands for tokens outside the vocabulary
    generate: str | None = None  # the output that is the next token; None: the first
    stop: tuple[str, ...] = ()  # the texts of the tokens after which generation ends

    @property
    def n_ctx(self) -> int:
        """Positions, BOS included."""
        return self.max_length + 1

    @property
    def d_vocab(self) -> int:
        """Rows of the embedding, BOS included."""
        return len(self.vocabulary) + 1

    @property
    def d_vocab_out(self) -> int:
        """Logits of all outputs together."""
        return sum(len(output.values) for output in self.outputs)

    @property
    def widest(self) -> int:
        """The most numbers that the model holds at once for one position."""
        inward = (3 * layer.n_heads * max(layer.d_head, layer.d_value) for layer in self.layers)
        return max(self.d_model, self.d_vocab_out, *inward, *(layer.d_mlp for layer in self.layers), 1)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every stored tensor by its name."""
        d = self.d_model
        shapes: dict[str, tuple[int, ...]] = {"embed.W_E": (self.d_vocab, d)}
        if self.has_positions:
            shapes["embed.W_pos"] = (self.n_ctx, d)
        for number, layer in enumerate(self.layers):
            if layer.n_heads:
                inward = (layer.n_heads, d, layer.d_head)
                shapes |= {f"blocks.{number}.attn.W_{letter}": inward for letter in "QK"}
                shapes[f"blocks.{number}.attn.W_V"] = (layer.n_heads, d, layer.d_value)
                shapes[f"blocks.{number}.attn.W_O"] = (layer.n_heads, layer.d_value, d)
            if layer.d_mlp:
                mlp = f"blocks.{number}.mlp"
                shapes |= {
                    f"{mlp}.W_in": (d, layer.d_mlp),
                    f"{mlp}.b_in": (layer.d_mlp,),
                    f"{mlp}.W_out": (layer.d_mlp, d),
                }
        return shapes | {"unembed.W_U": (d, self.d_vocab_out)}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Config:
        """A config from the JSON data of a checkpoint. Raises KeyError, TypeError, ValueError on foreign data."""
        fields = dict(data)
        fields["vocabulary"] = tuple(str(text) for text in fields["vocabulary"])
        if fields["dtype"] not in DTYPES:
            raise ValueError(f"unknown dtype {fields['dtype']!r}")
        fields["stop"] = tuple(str(text) for text in fields.get("stop", ()))
        fields["layers"] = tuple(LayerShape(**layer) for layer in fields["layers"])
        fields["outputs"] = tuple(
            OutputSlice(str(output["name"]), tuple(value_from_json(value) for value in output["values"]))
            for output in fields["outputs"]
        )
        return Config(**fields)


def exact(text: object) -> Fraction:
    """A number as configs and labels write it: without an exponent, so no larger than it looks. Raises ValueError."""
    if not isinstance(text, str) or not FRACTION.fullmatch(text):
        raise ValueError("not a fraction")
    return Fraction(text)


def value_from_json(value: Any) -> Scalar:
    """A fraction is written as {"float": "1/3"}: JSON has no exact fractions. A whole number is an int."""
    if isinstance(value, dict):
        number = exact(value["float"])
        if abs(number) > LARGEST:
            raise ValueError("a number is larger than any float")
        return int(number) if number.denominator == 1 else float(number)
    if isinstance(value, bool | int | str):
        return value
    raise TypeError(f"not an output value: {value!r}")


class Embedding(nn.Module):
    """W_E [d_vocab, d_model] plus W_pos [n_ctx, d_model], if the program looks at positions at all."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.W_E = nn.Parameter(torch.zeros(config.d_vocab, config.d_model))
        self.W_pos = nn.Parameter(torch.zeros(config.n_ctx, config.d_model)) if config.has_positions else None

    def forward(self, token_ids: Tensor, start: int = 0) -> Tensor:
        """Token ids [batch, pos], the first one at position `start`, BOS being at 0 -> stream [batch, pos, d_model]."""
        resid = F.embedding(token_ids, self.W_E)
        return resid if self.W_pos is None else resid + self.W_pos[start : start + token_ids.shape[1]]


class Attention(nn.Module):
    """n_heads heads: pattern = softmax(resid W_Q (resid W_K)^T), not scaled; out = pattern resid W_V W_O."""

    def __init__(self, config: Config, shape: LayerShape) -> None:
        super().__init__()
        inward = (shape.n_heads, config.d_model, shape.d_head)
        self.W_Q = nn.Parameter(torch.zeros(inward))
        self.W_K = nn.Parameter(torch.zeros(inward))
        self.W_V = nn.Parameter(torch.zeros(shape.n_heads, config.d_model, shape.d_value))
        self.W_O = nn.Parameter(torch.zeros(shape.n_heads, shape.d_value, config.d_model))
        self.causal = config.causal
        self.n_heads = shape.n_heads
        self.width = max(shape.d_head, shape.d_value)

    def inward(self) -> Tensor:
        """W_Q, W_K and W_V as one matrix [3 * head * width, d_model]: one product instead of three.

        The fast kernels want queries, keys and values of one width; the zeros that fill up change nothing.
        """
        padded = [F.pad(W, (0, self.width - W.shape[-1])) for W in (self.W_Q, self.W_K, self.W_V)]
        return torch.stack(padded).transpose(-1, -2).flatten(0, 2)

    def outward(self) -> Tensor:
        """W_O as one matrix [d_model, head * width]."""
        return F.pad(self.W_O, (0, 0, 0, self.width - self.W_O.shape[1])).flatten(0, 1).T

    def forward(self, resid: Tensor, mask: Tensor | None, past: Past | None = None) -> Tensor:
        """[batch, pos, d_model] -> what the heads add, [batch, pos, d_model].

        `mask` [batch, 1, 1, pos] says which keys are there; None: all. Padding stands on the right, where causal
        attention does not look. With a `past`, the keys and values of earlier positions are taken from it and those
        of these are put there.
        """
        inward, outward = (self.inward(), self.outward()) if past is None else (past.inward, past.outward)
        parts = F.linear(resid, inward).view(*resid.shape[:2], 3, self.n_heads, self.width)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        seen, causal = None if self.causal else mask, self.causal
        if past is not None and past.length:
            seen, causal = past.seen_by(parts.shape[1]), False
        if past is not None:
            key, value = past.extend(key, value)
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=seen, is_causal=causal, scale=1.0)
        return F.linear(mixed.transpose(1, 2).flatten(2), outward)

    def pattern(self, resid: Tensor, mask: Tensor | None) -> Tensor:
        """The attention pattern, [batch, head, query, key], for looking at; in float32 or better."""
        query, key = (torch.einsum("bpm,hmd->bhpd", resid, W) for W in (self.W_Q, self.W_K))
        if resid.dtype.itemsize < 4:
            query, key = query.float(), key.float()
        scores = query @ key.transpose(-1, -2)
        if self.causal:
            scores = scores.masked_fill(torch.ones_like(scores, dtype=torch.bool).triu(1), -torch.inf)
        return (scores if mask is None else scores.masked_fill(~mask, -torch.inf)).softmax(-1)


def _present(resid: Tensor, mask: Tensor | None) -> Tensor:
    """The stream with zeros in the rows of padding: a weight of 0 times infinity would be no number."""
    return resid if mask is None else resid.where(mask.mT[:, 0], 0)


class Past:
    """The keys and values of a layer's earlier positions, [batch, head, pos, width], and its matrices, made once."""

    def __init__(self, attn: Attention, positions: int) -> None:
        self.inward, self.outward = attn.inward(), attn.outward()
        self.keys = self.inward.new_empty(1, attn.n_heads, positions, attn.width)
        self.values = torch.empty_like(self.keys)
        self.length = 0

    def seen_by(self, new: int) -> Tensor | None:
        """Which positions each of so many new ones sees, [query, key]; None: all, as a single one does.

        What `is_causal` puts beside each other are the first query and the first key, not the last of both.
        """
        if new == 1:
            return None
        return torch.ones(new, self.length + new, dtype=torch.bool, device=self.keys.device).tril(self.length)

    def extend(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Append those of new positions; all up to here."""
        start, self.length = self.length, self.length + key.shape[2]
        self.keys[:, :, start : self.length] = key
        self.values[:, :, start : self.length] = value
        return self.keys[:, :, : self.length], self.values[:, :, : self.length]


class MLP(nn.Module):
    """relu(resid W_in + b_in) W_out."""

    def __init__(self, config: Config, shape: LayerShape) -> None:
        super().__init__()
        self.W_in = nn.Parameter(torch.zeros(config.d_model, shape.d_mlp))
        self.b_in = nn.Parameter(torch.zeros(shape.d_mlp))
        self.W_out = nn.Parameter(torch.zeros(shape.d_mlp, config.d_model))

    def forward(self, resid: Tensor) -> Tensor:
        """[batch, pos, d_model] -> what the neurons add, [batch, pos, d_model]."""
        return F.linear(F.linear(resid, self.W_in.T, self.b_in).relu_(), self.W_out.T)


class Block(nn.Module):
    """One layer: heads, then neurons, each added to the residual stream. An empty sublayer holds no weights.

    The addition is an operation of its own, rounded once: numbers in the stream are made to be rounded there.
    """

    def __init__(self, config: Config, shape: LayerShape) -> None:
        super().__init__()
        self.attn = Attention(config, shape) if shape.n_heads else None
        self.mlp = MLP(config, shape) if shape.d_mlp else None

    def forward(self, resid: Tensor, mask: Tensor | None, past: Past | None = None) -> Tensor:
        """[batch, pos, d_model] -> [batch, pos, d_model]; `mask` as in `Attention`."""
        resid = _present(resid, mask)
        if self.attn is not None:
            resid = resid + self.attn(resid, mask, past)
        if self.mlp is not None:
            resid = resid + self.mlp(resid)
        return resid


class Unembedding(nn.Module):
    """resid W_U."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.W_U = nn.Parameter(torch.zeros(config.d_model, config.d_vocab_out))

    def forward(self, resid: Tensor) -> Tensor:
        """[batch, pos, d_model] -> [batch, pos, d_vocab_out]."""
        return resid @ self.W_U


def _all_at_once(stream: Callable[P, Iterator[Scalar]]) -> Callable[P, list[Scalar]]:
    """`generate` of a `stream`: the same arguments, and a list of what comes."""

    def generate(*arguments: P.args, **options: P.kwargs) -> list[Scalar]:
        return list(stream(*arguments, **options))

    functools.update_wrapper(generate, stream)
    generate.__name__ = "generate"
    vars(generate)["__signature__"] = inspect.signature(stream).replace(return_annotation="list[Scalar]")
    return generate


class Transformer(nn.Module):
    """The compiled program. `model(token_ids, attention_mask)` gives logits; `model.run("abc")` gives values.

    `labels` says what every column, head and neuron is; it is empty in a model that was not compiled.
    """

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.embed = Embedding(config)
        self.blocks = nn.ModuleList([Block(config, shape) for shape in config.layers])
        self.unembed = Unembedding(config)
        self.labels: dict[str, Any] = {}
        self._ids = {text: number for number, text in enumerate(config.vocabulary)}
        self.to(getattr(torch, config.dtype))

    def forward(self, token_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        """Token ids [batch, n] without BOS, mask [batch, n] (1 = real, 0 = padding on the right) -> logits
        [batch, n, d_vocab_out]."""
        token_ids, mask = self.with_bos(token_ids, attention_mask)
        resid = self.embed(token_ids)
        for block in self.blocks:
            resid = block(resid, mask)
        logits: Tensor = self.unembed(_present(resid, mask)[:, 1:])
        return logits

    def residuals(self, token_ids: Tensor, attention_mask: Tensor | None = None) -> Iterator[Tensor]:
        """The residual stream [batch, 1 + n, d_model] after the embedding and each of 2 n_layers sublayers; rows of
        padding hold zeros."""
        token_ids, mask = self.with_bos(token_ids, attention_mask)
        resid = _present(self.embed(token_ids), mask)
        yield resid
        for block in self.layers():
            if block.attn is not None:
                resid = _present(resid + block.attn(resid, mask), mask)
            yield resid
            if block.mlp is not None:
                resid = _present(resid + block.mlp(resid), mask)
            yield resid

    def require_dtype(self) -> torch.dtype:
        """The dtype of all weights. Any other than the one that the certificate is about is refused."""
        made, also = self.config.dtype, self.labels.get("certificate", {}).get("also", ())
        found = _dtypes(self)
        if not any(found == {getattr(torch, name)} for name in (made, *also)):
            other = str(next(dtype for dtype in found if dtype != getattr(torch, made))).removeprefix("torch.")
            raise ModelError(
                f"the model was made for {made}, and weights of it are in {other}",
                "load it again: a model in another dtype is another compilation (`--dtype`)",
            )
        return found.pop()

    def layers(self) -> Iterator[Block]:
        """The blocks, with their type."""
        for block in self.blocks:
            assert isinstance(block, Block)
            yield block

    def with_bos(self, token_ids: Tensor, attention_mask: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Put BOS in front, and make the mask of the positions that are there, [batch, 1, 1, pos]; None: all are."""
        _require_precision(token_ids.device.type, self.require_dtype())
        if token_ids.shape[1] > self.config.max_length:
            raise ModelError(
                f"the input has {token_ids.shape[1]} tokens, the model holds {self.config.max_length}",
                "compile with a larger max_length",
            )
        if attention_mask is not None:
            attention_mask = attention_mask.bool()
            _require_padding_on_the_right(attention_mask)
        token_ids = F.pad(token_ids, (1, 0), value=self.config.d_vocab - 1)
        if attention_mask is None:
            return token_ids, None
        return token_ids, F.pad(attention_mask, (1, 0), value=True)[:, None, None, :]

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
        start, chosen = self._slice(output)
        encoded = [self.encode(tokens) for tokens in inputs]
        order = sorted(range(len(encoded)), key=lambda number: len(encoded[number]))
        decoded: list[list[Scalar]] = [[] for _ in encoded]
        for batch in _batches(order, encoded, self.config.widest):
            logits = self._logits([encoded[number] for number in batch])[..., start : start + len(chosen.values)]
            _require_finite(logits, chosen.name)
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
        self._require_causal()
        ids = self.encode(prompt)
        _, chosen = self._slice(self.config.generate if output is None else output)
        ends = set(self.config.stop) if stop is None else {_text(token) for token in stop}
        most = self.config.max_length - len(ids) + 1
        most = most if max_tokens is None else min(most, max_tokens)
        draw = _drawing(temperature, seed, self.embed.W_E.device)
        reading = self.reading(1 + len(ids) + most) if cached else Rereading(self)
        known = [self.token_id(value) for value in chosen.values]
        ending = [not ends.isdisjoint(_spellings(value)) for value in chosen.values]
        for position in range(len(ids), len(ids) + most):
            choice = reading.best(ids, chosen.name) if draw is None else draw(reading.logits(ids, chosen.name))
            value, token = chosen.values[choice], known[choice]
            if token is None and not ending[choice]:
                raise ModelError(
                    f'the next token, "{value}" at position {position}, is not in the vocabulary',
                    f"what {chosen.name} gives must be tokens: compile with a vocabulary that holds it",
                )
            yield value
            if token is None or ending[choice]:
                return
            ids = [token]

    generate = _all_at_once(stream)

    def reading(self, positions: int) -> Reader:
        """What reads a text and goes on from there, with room for so many positions, BOS included."""
        return Reading(self, positions)

    def _require_causal(self) -> None:
        if not self.config.causal:
            raise ModelError(
                "a bidirectional model does not generate: each new token would change the answers before it",
                "compile with causal attention",
            )

    def _slice(self, name: str | None) -> tuple[int, OutputSlice]:
        start = 0
        for output in self.config.outputs:
            if name in (None, output.name):
                return start, output
            start += len(output.values)
        names = ", ".join(output.name for output in self.config.outputs)
        raise ModelError(f'the model has no output "{name}"', f"it has: {names}")

    def stored(self) -> int:
        """How many numbers the checkpoint holds, zeros included."""
        return sum(parameter.numel() for parameter in self.parameters())

    def nonzero(self) -> int:
        """How many of the stored numbers are not zero."""
        return sum(int(parameter.count_nonzero()) for parameter in self.parameters())

    def summary(self) -> str:
        """The size in one line."""
        layers = self.config.layers
        heads, neurons = (sum(getattr(shape, kind) for shape in layers) for kind in ("n_heads", "d_mlp"))
        return (
            f"{_plural(len(layers), 'layer')}, {_plural(heads, 'head')}, {_plural(neurons, 'neuron')}, "
            f"d_model {self.config.d_model}, {self.stored():,} parameters ({self.nonzero():,} not zero)"
        )

    def _verdict(self) -> Iterator[str]:
        if certificate := self.labels.get("certificate"):
            verdict = "certified" if certificate["certified"] else "NOT certified: rounding could change an answer"
            yield f"{verdict}; tightest: {certificate['tightest']}"

    def _writing(self) -> Iterator[str]:
        if self.config.generate is not None:
            ends = (
                f"ends with {' or '.join(self.config.stop)}"
                if self.config.stop
                else "ends where the model holds no more"
            )
            yield f"generates: {self.config.generate} is the next token; a text {ends}"

    def info(self) -> str:
        """What each column, head and neuron is for."""
        config = self.config
        shown = ", ".join(config.vocabulary[:20]) + (", ..." if len(config.vocabulary) > 20 else "")
        lines = [
            self.summary(),
            f"inputs: 1 to {config.max_length} of {_plural(len(config.vocabulary), 'token')} ({shown})",
            f"attention: {'causal' if config.causal else 'bidirectional'}, {config.dtype}",
            *self._writing(),
            *(f"output {output.name}: {_plural(len(output.values), 'value')}" for output in config.outputs),
            *self._verdict(),
            "",
            "residual stream",
            *(f"  {number:>3} {name}" for number, name in enumerate(self.labels.get("columns", []))),
        ]
        for number, layer in enumerate(self.labels.get("layers", [])):
            lines += ["", f"layer {number}"]
            lines += [f"  L{number}H{i} {head['purpose']}" for i, head in enumerate(layer["heads"])]
            lines += [f"  L{number}N{i} {neuron['does']}" for i, neuron in enumerate(layer["neurons"])]
        return "\n".join(lines)


class Reader(ABC):
    """What has read a text, so far `length` tokens of at most `room`, and reads on."""

    def __init__(self, model: Transformer, room: int) -> None:
        self.model = model
        self.dtype, self.device = model.require_dtype(), model.embed.W_E.device
        self.room = min(room, model.config.max_length)
        self.length = 0

    @abstractmethod
    def read(self, ids: Sequence[int]) -> Tensor:
        """The logits [d_vocab_out] behind these further tokens."""

    def logits(self, ids: Sequence[int], output: str) -> Tensor:
        """The logits [value] of one output behind these further tokens, all of them finite."""
        start, chosen = self.model._slice(output)
        found = self.read(ids)[start : start + len(chosen.values)]
        _require_finite(found[None], output, self.length - 1)
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
    """A causal model that reads on: what it has read stays in a cache of keys and values of `positions` positions."""

    def __init__(self, model: Transformer, positions: int) -> None:
        model._require_causal()
        super().__init__(model, positions - 1)
        with torch.inference_mode():
            self.pasts = [None if block.attn is None else Past(block.attn, positions) for block in model.layers()]

    @torch.inference_mode()
    def read(self, ids: Sequence[int]) -> Tensor:
        """The logits [d_vocab_out] behind these further tokens."""
        model, start = self.model, self.advance(ids)
        _require_precision(self.device.type, self.dtype)
        token_ids = torch.tensor([ids], device=self.device)
        if start == 0:
            token_ids, _ = model.with_bos(token_ids)
        resid = model.embed(token_ids, start and start + 1)  # BOS is at 0
        for block, past in zip(model.blocks, self.pasts, strict=True):
            resid = block(resid, None, past)
        logits: Tensor = model.unembed(resid[:, -1])
        return logits[0]


class Rereading(Reader):
    """The same without a cache: everything is read again."""

    def __init__(self, model: Transformer) -> None:
        super().__init__(model, model.config.max_length)
        self.ids: list[int] = []

    @torch.inference_mode()
    def read(self, ids: Sequence[int]) -> Tensor:
        """The logits [d_vocab_out] behind these further tokens."""
        self.advance(ids)
        self.ids += ids
        logits: Tensor = self.model(torch.tensor([self.ids], device=self.device))[0, -1]
        return logits


def _drawing(
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


def _dtypes(module: nn.Module) -> set[torch.dtype]:
    """Those of all weights. To ask `parameters()` takes ten times as long."""
    modules, found = [module], set()
    while modules:
        module = modules.pop()
        for child in module._modules.values():
            if child is not None:
                modules.append(child)
        for tensor in module._parameters.values():
            if tensor is not None:
                found.add(tensor.dtype)
    return found


def _require_precision(device: str, dtype: torch.dtype) -> None:
    """Refuse to run where torch was told to round products more than the model was compiled for.

    Such settings are the process's, not the model's, so they are not changed here behind its back.
    """
    if setting := _coarse_setting(device, dtype):
        raise ModelError(f"{setting[0]}, which rounds more than the model was compiled for", setting[1])


def _coarse_setting(device: str, dtype: torch.dtype) -> tuple[str, str] | None:
    """The setting of the process that makes products coarse, and how to take it back.

    A compiled graph asks once; torch makes a new one when autocast or the precision of products changes.
    """
    if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
        return "autocast is on", "run the model outside of it"
    backend = torch.backends.cuda if device == "cuda" else torch.backends.mkldnn
    if dtype == torch.float32:
        products = getattr(backend, "matmul", None)  # not in older torch, which has one setting for all
        precision = getattr(products, "fp32_precision", None) or torch.get_float32_matmul_precision()
        if precision not in ("none", "ieee", "highest"):
            return f"products of float32 are made in {precision}", 'torch.set_float32_matmul_precision("highest")'
    half = {torch.bfloat16: "bf16", torch.float16: "fp16"}.get(dtype)
    if device == "cuda" and half is not None:
        name = f"torch.backends.cuda.matmul.allow_{half}_reduced_precision_reduction"
        if getattr(torch.backends.cuda.matmul, name.rpartition(".")[-1]):
            return f"sums of {half} may be rounded on the way", f"{name} = False"
    return None


# As `torch.compiler.assume_constant_result` does, which loads the compiler: that takes as long as the rest of torch.
_coarse_setting._dynamo_marked_constant = True  # type: ignore[attr-defined]


def _require_finite(logits: Tensor, output: str, start: int = 0) -> None:
    """Refuse to decide by logits [..., position, value] that are not all numbers; the first position is `start`."""
    if not all(map(math.isfinite, logits.aminmax())):
        *_, place = (~logits.isfinite()).any(-1).nonzero()[0].tolist()
        raise NotFiniteError(f"the logits of {output}", start + place)


def _require_padding_on_the_right(mask: Tensor) -> None:
    """Positions are counted from the left. Not checked where there is nothing to look at: without data, in a graph."""
    if mask.device.type == "meta" or torch.compiler.is_compiling():
        return
    if (mask[:, 1:] & ~mask[:, :-1]).any():
        raise ModelError("the attention mask has padding in front of a token", "pad on the right")


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


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


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
