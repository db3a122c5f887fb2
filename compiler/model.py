"""The machine: an ordinary transformer in PyTorch, in one file, which needs torch and nothing else of this project.

In: a `Config` and a state dict. Out: `Transformer`, an `nn.Module` from token ids to logits; `run` goes from tokens to
decoded values. No norm, ReLU, hard-set weights, a hidden BOS position 0 that callers never see.
Invariant: answers do not depend on padding or batching.

    token ids [batch, n] -> embedding [batch, 1 + n, d_model] -> blocks -> logits [batch, n, d_vocab_out]
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Scalar: TypeAlias = bool | int | float | str
DTYPES = ("float32", "float64", "bfloat16", "float16")
BATCH_CELLS = 1 << 22
"""`run_batch` splits its inputs so that batch * length^2 stays below this (attention scores of one head)."""


class ModelError(ValueError):
    """A caller's mistake: what is wrong (`message`) and what to try (`hint`)."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message}\n  hint: {hint}" if hint else message)
        self.message = message
        self.hint = hint


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
        fields["layers"] = tuple(LayerShape(**layer) for layer in fields["layers"])
        fields["outputs"] = tuple(
            OutputSlice(str(output["name"]), tuple(_value_from_json(value) for value in output["values"]))
            for output in fields["outputs"]
        )
        return Config(**fields)


def _value_from_json(value: Any) -> Scalar:
    """A fraction is written as {"float": "1/3"}: JSON has no exact fractions."""
    if isinstance(value, dict):
        return float(Fraction(str(value["float"])))
    if isinstance(value, bool | int | str):
        return value
    raise TypeError(f"not an output value: {value!r}")


class Embedding(nn.Module):
    """W_E [d_vocab, d_model] plus W_pos [n_ctx, d_model], if the program looks at positions at all."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.W_E = nn.Parameter(torch.zeros(config.d_vocab, config.d_model))
        self.W_pos = nn.Parameter(torch.zeros(config.n_ctx, config.d_model)) if config.has_positions else None

    def forward(self, token_ids: Tensor) -> Tensor:
        """Token ids, BOS included, [batch, pos] -> residual stream [batch, pos, d_model]."""
        resid = F.embedding(token_ids, self.W_E)
        return resid if self.W_pos is None else resid + self.W_pos[: token_ids.shape[1]]


class Attention(nn.Module):
    """n_heads heads: pattern = softmax(resid W_Q (resid W_K)^T), not scaled; out = pattern resid W_V W_O."""

    def __init__(self, config: Config, shape: LayerShape) -> None:
        super().__init__()
        inward = (shape.n_heads, config.d_model, shape.d_head)
        self.W_Q = nn.Parameter(torch.zeros(inward))
        self.W_K = nn.Parameter(torch.zeros(inward))
        self.W_V = nn.Parameter(torch.zeros(shape.n_heads, config.d_model, shape.d_value))
        self.W_O = nn.Parameter(torch.zeros(shape.n_heads, shape.d_value, config.d_model))

    def forward(self, resid: Tensor, mask: Tensor | None) -> Tensor:
        """[batch, pos, d_model] -> what the heads add, [batch, pos, d_model]. `mask` is [batch, 1, 1 or pos, pos]."""
        query, key, value = (torch.einsum("bpm,hmd->bhpd", resid, W) for W in (self.W_Q, self.W_K, self.W_V))
        width = max(query.shape[-1], value.shape[-1])  # the fast kernels want one width; zeros change nothing
        query, key, value = (F.pad(x, (0, width - x.shape[-1])) for x in (query, key, value))
        mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, scale=1.0)
        return torch.einsum("bhpd,hdm->bpm", mixed[..., : self.W_O.shape[1]], self.W_O)

    def pattern(self, resid: Tensor, mask: Tensor | None) -> Tensor:
        """The attention pattern, [batch, head, query, key], for looking at."""
        query, key = (torch.einsum("bpm,hmd->bhpd", resid, W) for W in (self.W_Q, self.W_K))
        scores = query @ key.transpose(-1, -2)
        return (scores if mask is None else scores.masked_fill(~mask, -torch.inf)).softmax(-1)


class MLP(nn.Module):
    """relu(resid W_in + b_in) W_out."""

    def __init__(self, config: Config, shape: LayerShape) -> None:
        super().__init__()
        self.W_in = nn.Parameter(torch.zeros(config.d_model, shape.d_mlp))
        self.b_in = nn.Parameter(torch.zeros(shape.d_mlp))
        self.W_out = nn.Parameter(torch.zeros(shape.d_mlp, config.d_model))

    def forward(self, resid: Tensor) -> Tensor:
        """[batch, pos, d_model] -> what the neurons add, [batch, pos, d_model]."""
        return F.relu(resid @ self.W_in + self.b_in) @ self.W_out


class Block(nn.Module):
    """One layer: heads, then neurons, each added to the residual stream. An empty sublayer holds no weights."""

    def __init__(self, config: Config, shape: LayerShape) -> None:
        super().__init__()
        self.attn = Attention(config, shape) if shape.n_heads else None
        self.mlp = MLP(config, shape) if shape.d_mlp else None

    def forward(self, resid: Tensor, mask: Tensor | None) -> Tensor:
        """[batch, pos, d_model] -> [batch, pos, d_model]."""
        if self.attn is not None:
            resid = resid + self.attn(resid, mask)
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
        logits: Tensor = self.unembed(resid[:, 1:])
        return logits

    def residuals(self, token_ids: Tensor, attention_mask: Tensor | None = None) -> Iterator[Tensor]:
        """The residual stream [batch, 1 + n, d_model] after the embedding and each of 2 n_layers sublayers."""
        token_ids, mask = self.with_bos(token_ids, attention_mask)
        resid = self.embed(token_ids)
        yield resid
        for block in self.layers():
            if block.attn is not None:
                resid = resid + block.attn(resid, mask)
            yield resid
            if block.mlp is not None:
                resid = resid + block.mlp(resid)
            yield resid

    def layers(self) -> Iterator[Block]:
        """The blocks, with their type."""
        for block in self.blocks:
            assert isinstance(block, Block)
            yield block

    def with_bos(self, token_ids: Tensor, attention_mask: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Put BOS in front, and make the boolean attention mask [batch, 1, 1 or pos, pos]; None where all see all."""
        if token_ids.shape[1] > self.config.max_length:
            raise ModelError(
                f"the input has {token_ids.shape[1]} tokens, the model holds {self.config.max_length}",
                "compile with a larger max_length",
            )
        token_ids = F.pad(token_ids, (1, 0), value=self.config.d_vocab - 1)
        mask = None
        if attention_mask is not None:
            mask = F.pad(attention_mask.bool(), (1, 0), value=True)[:, None, None, :]
        if self.config.causal:
            length = token_ids.shape[1]
            past = torch.ones(length, length, dtype=torch.bool, device=token_ids.device).tril()[None, None]
            mask = past if mask is None else mask & past
        return token_ids, mask

    def encode(self, tokens: Iterable[object]) -> list[int]:
        """Token ids of a string (one token a character) or of any sequence of scalars, told apart by their text."""
        texts = [str(float(token) if isinstance(token, Fraction) else token) for token in tokens]
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

    def run(self, tokens: Iterable[object], output: str | None = None) -> list[Scalar]:
        """The decoded output for one input: one value a token."""
        return self.run_batch([tokens], output)[0]

    def run_batch(self, inputs: Sequence[Iterable[object]], output: str | None = None) -> list[list[Scalar]]:
        """The decoded output for many inputs of different lengths; they are padded and run together."""
        start, chosen = self._slice(output)
        encoded = [self.encode(tokens) for tokens in inputs]
        order = sorted(range(len(encoded)), key=lambda number: len(encoded[number]))
        decoded: list[list[Scalar]] = [[] for _ in encoded]
        for batch in _batches(order, encoded):
            best = self._logits([encoded[number] for number in batch])[..., start : start + len(chosen.values)].argmax(
                -1
            )
            for row, number in zip(best.tolist(), batch, strict=True):
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

    def info(self) -> str:
        """What each column, head and neuron is for."""
        config = self.config
        shown = ", ".join(config.vocabulary[:20]) + (", ..." if len(config.vocabulary) > 20 else "")
        lines = [
            self.summary(),
            f"inputs: 1 to {config.max_length} of {len(config.vocabulary)} tokens ({shown})",
            f"attention: {'causal' if config.causal else 'bidirectional'}, {config.dtype}",
            *(f"output {output.name}: {len(output.values)} values" for output in config.outputs),
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


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _batches(order: list[int], encoded: list[list[int]]) -> Iterable[list[int]]:
    """Inputs of similar length together; `order` is ascending by length."""
    batch: list[int] = []
    for number in order:
        if batch and (len(batch) + 1) * (len(encoded[number]) + 1) ** 2 > BATCH_CELLS:
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch
