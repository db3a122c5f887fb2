"""Tracing: the native model as graphs of torch.export: one, or one of its encoder and one of its decoder.

In: a native model. Out: `Part`s, each traced for every batch and every length that the model holds.
Invariants: weights have their native names; rows of padding reach nothing, whatever they hold, also where a caller
hands them to the decoder; no graph holds file names of the machine it is made on.

    encoder: source_ids, source_mask -> memory, memory_mask
    decoder: target_ids, target_mask, memory, memory_mask -> logits
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from compiler.hosts import Tapes
from compiler.hosts.meaning import tapes
from compiler.model import Config, Transformer
from compiler.model.layers import Memory, present
from compiler.model.network import Stack

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from compiler.hosts import Pair

INPUTS = ("token_ids", "attention_mask")
SOURCE, TARGET = ("source_ids", "source_mask"), ("target_ids", "target_mask")
MEMORY = ("memory", "memory_mask")
_PLACES = ("stack_trace", "source_fn_stack", "nn_module_stack", "from_node", "custom")
"""What tracing notes about the source: file names and lines of this machine."""
_SHOWN = 3
"""The length of the example, where the model holds so much."""


@dataclass(frozen=True)
class Part:
    """What becomes one graph: a module, its inputs as an example, their free dimensions, the names of its outputs."""

    name: str
    module: nn.Module
    example: dict[str, Tensor]
    sizes: dict[str, dict[int, Any]]
    outputs: tuple[str, ...]

    def traced(self) -> ExportedProgram:
        """The graph."""
        program = torch.export.export(self.module, tuple(self.example.values()), dynamic_shapes=self.sizes)
        for module in program.graph_module.modules():
            if isinstance(module, torch.fx.GraphModule):
                for node in module.graph.nodes:
                    for key in _PLACES:
                        node.meta.pop(key, None)
        return program

    def names(self) -> dict[str, dict[int, str]]:
        """What the free dimensions of each input are called."""
        return {name: {axis: size.__name__ for axis, size in sizes.items()} for name, sizes in self.sizes.items()}


def parts(model: Transformer, steady: bool = False) -> list[Part]:
    """The model, or its encoder and its decoder. `steady`: the graphs switch autocast off for themselves."""
    config, batch = model.config, torch.export.Dim("batch", min=1)
    if config.encoder is None:
        sizes = _free(INPUTS, batch, "length", 1, config.max_length)
        return [Part("model", Steady(model) if steady else model, _example(INPUTS, config), sizes, ("logits",))]
    encoder, decoder = Encoding(model, steady), Decoding(model, steady)
    source = _example(SOURCE, config.encoder)
    with torch.no_grad():
        memory = dict(zip(MEMORY, encoder(*source.values()), strict=True))
    read = _free(SOURCE, batch, "source_length", 1, config.encoder.max_length)
    written = _free(TARGET, batch, "target_length", 1, config.max_length)
    written |= _free(MEMORY, batch, "memory_length", 2, config.encoder.n_ctx)  # BOS is one of them
    return [
        Part("encoder", encoder, source, read, MEMORY),
        Part("decoder", decoder, _example(TARGET, config) | memory, written, ("logits",)),
    ]


def _example(names: Sequence[str], config: Config) -> dict[str, Tensor]:
    ids = torch.zeros(2, min(_SHOWN, config.max_length), dtype=torch.int64)
    return dict(zip(names, (ids, torch.ones_like(ids)), strict=True))


def _free(names: Sequence[str], batch: Any, length: str, least: int, most: int) -> dict[str, dict[int, Any]]:
    """The free dimensions of ids or streams, and of their mask."""
    sizes = {0: batch}
    if most > least:
        sizes[1] = torch.export.Dim(length, min=least, max=most)
    return dict.fromkeys(names, sizes)


def steadily(steady: bool) -> ExitStack:
    """Where it is to be so, autocast is off inside, on a processor and a graphics card."""
    stack = ExitStack()
    for device in ("cpu", "cuda") if steady else ():
        stack.enter_context(torch.autocast(device, enabled=False))
    return stack


class Steady(Transformer):
    """A model whose graph switches autocast off: nothing in it could refuse to run there."""

    def __init__(self, model: Transformer) -> None:
        self.share(model)

    def forward(
        self,
        token_ids: Tensor,
        attention_mask: Tensor | None = None,
        target_ids: Tensor | None = None,
        target_mask: Tensor | None = None,
    ) -> Tensor:
        """The model's forward pass, on a processor or a graphics card."""
        with steadily(True):
            return super().forward(token_ids, attention_mask, target_ids, target_mask)


class Encoding(nn.Module):
    """The encoder alone, over the model's weights."""

    def __init__(self, model: Transformer, steady: bool) -> None:
        super().__init__()
        assert model.encoder is not None
        self.encoder, self.steady = model.encoder, steady

    def forward(self, source_ids: Tensor, source_mask: Tensor) -> tuple[Tensor, Tensor]:
        """Ids and mask [batch, n] -> memory [batch, 1 + n, d_encoder] and its mask [batch, 1 + n], BOS in front."""
        with steadily(self.steady):
            resid, mask = self.encoder.last(source_ids, source_mask)
            assert mask is not None
            return resid, mask[:, 0, 0].long()


class Decoding(Stack):
    """The decoder alone, over the model's weights: it reads what the encoder's graph gives."""

    def __init__(self, model: Transformer, steady: bool) -> None:
        nn.Module.__init__(self)
        self.config, self.embed, self.blocks, self.unembed = model.config, model.embed, model.blocks, model.unembed
        self.steady = steady

    def forward(self, target_ids: Tensor, target_mask: Tensor, memory: Tensor, memory_mask: Tensor) -> Tensor:
        """Ids and mask [batch, m], memory [batch, 1 + n, d_encoder] and mask -> logits [batch, m, d_vocab_out]."""
        with steadily(self.steady):
            mask = memory_mask.bool()[:, None, None]
            resid, _ = self.last(target_ids, target_mask, Memory(present(memory, mask), mask))
            logits: Tensor = self.unembed(resid[:, 1:])
            return logits


def both(told: dict[str, Any], encode: Callable[..., Sequence[Tensor]], decode: Callable[..., Tensor]) -> Tapes:
    """The `Tapes` of two graphs: sources and targets of several lengths go through together, padded on the right."""

    def logits(pairs: Sequence[Pair]) -> list[Tensor]:
        targets = [target for _, target in pairs]
        memory = encode(*padded([source for source, _ in pairs]))
        return cut(decode(*padded(targets), *memory), targets)

    return tapes(told, logits)


def padded(inputs: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Inputs of different lengths as one batch: token ids and mask [batch, length]."""
    longest = max(map(len, inputs))
    ids = [[*tokens, *[0] * (longest - len(tokens))] for tokens in inputs]
    mask = [[1] * len(tokens) + [0] * (longest - len(tokens)) for tokens in inputs]
    return torch.tensor(ids), torch.tensor(mask)


def cut(logits: Tensor, inputs: Sequence[Sequence[int]]) -> list[Tensor]:
    """The logits of each input, without those of its padding."""
    return [row[: len(tokens)] for row, tokens in zip(logits, inputs, strict=True)]
