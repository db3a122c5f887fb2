"""The network: embedding, blocks of attention and neurons, unembedding, in PyTorch.

In: a `Config` and a state dict. Out: `Network`, an `nn.Module` from token ids to logits. No norm, ReLU, a hidden BOS
position 0 that callers never see.
Invariants: answers do not depend on padding, and rows of padding reach nothing, whatever they hold; the addition to the
residual stream is rounded by itself; weights of another dtype than they were made for are refused.

    token ids [batch, n] -> embedding [batch, 1 + n, d_model] -> blocks -> logits [batch, n, d_vocab_out]
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import DTYPES, Config, Loop
from .errors import ModelError, dtypes, require_padding_on_the_right, require_precision
from .layers import Block, Embedding, Memory, present


class Unembedding(nn.Module):
    """resid W_U."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.W_U = nn.Parameter(torch.zeros(config.d_model, config.d_vocab_out))

    def forward(self, resid: Tensor) -> Tensor:
        """[batch, pos, d_model] -> [batch, pos, d_vocab_out]."""
        return resid @ self.W_U


class Stack(nn.Module):
    """An embedding and the blocks behind it: an encoder, or what comes before the unembedding of a network."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.rounds = 0  # of a loop, in the last pass
        self.embed = Embedding(config)
        self.blocks = nn.ModuleList([Block(config, shape) for shape in config.layers])

    def layers(self) -> Iterator[Block]:
        """The blocks, with their type."""
        for block in self.blocks:
            assert isinstance(block, Block)
            yield block

    def with_bos(self, token_ids: Tensor, attention_mask: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Put BOS in front, and make the mask of the positions that are there, [batch, 1, 1, pos]; None: all are."""
        if token_ids.shape[1] > self.config.max_length:
            raise ModelError(
                f"the input has {token_ids.shape[1]} tokens, the model holds {self.config.max_length}",
                "compile with a larger max_length",
            )
        if attention_mask is not None:
            attention_mask = attention_mask.bool()
            require_padding_on_the_right(attention_mask)
        token_ids = F.pad(token_ids, (1, 0), value=self.config.d_vocab - 1)
        if attention_mask is None:
            return token_ids, None
        return token_ids, F.pad(attention_mask, (1, 0), value=True)[:, None, None, :]

    def last(
        self, token_ids: Tensor, attention_mask: Tensor | None = None, memory: Memory | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """The residual stream [batch, 1 + n, d_model] behind the last block, and its mask."""
        token_ids, mask = self.with_bos(token_ids, attention_mask)
        resid = self.embed(token_ids)
        if self.config.loop is not None:
            return self._looped(resid, mask, self.config.loop), mask
        for block in self.layers():
            source = None if memory is None or block.cross is None else block.cross.read(memory)
            resid = block(resid, mask, None, source)
        return present(resid, mask), mask

    def _looped(self, resid: Tensor, mask: Tensor | None, loop: Loop) -> Tensor:
        """The stream behind the last block, those of the loop run round by round.

        A round is a function of the stream. As soon as it leaves it as it is, to the bit, all further ones would.
        """
        blocks = [*self.layers()]
        for block in blocks[: loop.start]:
            resid = block(resid, mask)
        resid = present(resid, mask)
        self.rounds = 0
        for _ in range(loop.rounds):
            before = resid
            for block in blocks[loop.start : loop.stop]:
                resid = block(resid, mask)
            resid = present(resid, mask)
            self.rounds += 1
            if torch.equal(before, resid) or self._halts(resid, mask, loop):
                break
        for block in blocks[loop.stop :]:
            resid = block(resid, mask)
        return present(resid, mask)

    def _halts(self, resid: Tensor, mask: Tensor | None, loop: Loop) -> bool:
        """Whether the column that says so holds 1 in every row of a token, in all inputs."""
        if loop.halt is None:
            return False
        done = resid[:, 1:, loop.halt] == 1
        return bool((done if mask is None else done | ~mask[:, 0, 0, 1:]).all())

    def running(self) -> Iterator[Block]:
        """The blocks as they run, without an exit: those of a loop in each of its rounds."""
        blocks, loop = [*self.layers()], self.config.loop
        if loop is None:
            yield from blocks
            return
        yield from blocks[: loop.start]
        for _ in range(loop.rounds):
            yield from blocks[loop.start : loop.stop]
        yield from blocks[loop.stop :]

    def sublayers(
        self, token_ids: Tensor, attention_mask: Tensor | None = None, memory: Memory | None = None
    ) -> Iterator[Tensor]:
        """The residual stream [batch, 1 + n, d_model] after the embedding and after each sublayer as it runs, those of
        a loop in each of its rounds; rows of padding hold zeros."""
        token_ids, mask = self.with_bos(token_ids, attention_mask)
        resid = present(self.embed(token_ids), mask)
        yield resid
        for block in self.running():
            if block.attn is not None:
                resid = present(resid + block.attn(resid, mask), mask)
            yield resid
            if memory is not None:
                if block.cross is not None:
                    resid = present(resid + block.cross(resid, block.cross.read(memory)), mask)
                yield resid
            if block.mlp is not None:
                resid = present(resid + block.mlp(resid), mask)
            yield resid


class Network(Stack):
    """The transformer of a config, without texts. `labels` says what it was compiled from; empty in any other.

    With an encoder, it is the decoder that has the unembedding, and reads what the encoder made of a source.
    """

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.encoder = None if config.encoder is None else Stack(config.encoder)
        self.unembed = Unembedding(config)
        self.labels: dict[str, Any] = {}
        self.to(DTYPES[config.dtype])

    def forward(
        self,
        token_ids: Tensor,
        attention_mask: Tensor | None = None,
        target_ids: Tensor | None = None,
        target_mask: Tensor | None = None,
    ) -> Tensor:
        """Token ids [batch, n] without BOS, mask [batch, n] (1 = real, 0 = padding on the right) -> logits
        [batch, n, d_vocab_out].

        With an encoder these are the source's, and the logits [batch, m, d_vocab_out] are the target's, which has ids
        and a mask of its own.
        """
        memory = self.remember(token_ids, attention_mask) if self._asks_for(target_ids) else None
        if memory is not None and target_ids is not None:
            token_ids, attention_mask = target_ids, target_mask
        resid, _ = self.last(token_ids, attention_mask, memory)
        logits: Tensor = self.unembed(resid[:, 1:])
        return logits

    def with_bos(self, token_ids: Tensor, attention_mask: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """As in `Stack`; where the weights' dtype or the process's settings are others than those of the certificate,
        nothing is run."""
        require_precision(token_ids.device.type, self.require_dtype())
        return super().with_bos(token_ids, attention_mask)

    def _asks_for(self, target_ids: Tensor | None) -> bool:
        """Whether there is an encoder; then a target is needed, and there is none else."""
        if (self.encoder is None) != (target_ids is None):
            what = "a target, its `start` in front" if target_ids is None else "one tape alone"
            raise ModelError(f"the model reads {what}", "see `config.encoder`: a model that has one reads a source too")
        return self.encoder is not None

    def remember(self, source_ids: Tensor, source_mask: Tensor | None = None) -> Memory:
        """What the encoder makes of sources, ids and mask [batch, n]. Raises `ModelError` where there is no encoder."""
        if self.encoder is None:
            raise ModelError("the model has no encoder", "compile a program with a line `#@ source: VOCAB`")
        require_precision(source_ids.device.type, self.require_dtype())
        return Memory(*self.encoder.last(source_ids, source_mask))

    def residuals(
        self, token_ids: Tensor, attention_mask: Tensor | None = None, memory: Memory | None = None
    ) -> Iterator[Tensor]:
        """The residual stream [batch, 1 + n, d_model] after the embedding and each sublayer of every layer: two, or
        three behind an encoder; rows of padding hold zeros."""
        yield from self.sublayers(token_ids, attention_mask, memory)

    def require_dtype(self) -> torch.dtype:
        """The dtype of all weights. Any other than the one that the certificate is about is refused."""
        made, also = self.config.dtype, self.labels.get("certificate", {}).get("also", ())
        found = dtypes(self)
        if not any(found == {DTYPES[name]} for name in (made, *also)):
            other = str(next(dtype for dtype in found if dtype != DTYPES[made])).removeprefix("torch.")
            raise ModelError(
                f"the model was made for {made}, and weights of it are in {other}",
                "load it again: a model in another dtype is another compilation (`--dtype`)",
            )
        return found.pop()

    def require_no_loop(self, what: str) -> None:
        """Raise `ModelError` where layers run several times, and nothing knows how to say that."""
        if self.config.loop is not None:
            raise ModelError(
                f"{what} knows layers that run once, and this model has a loop", "unroll it: leave out `loop`"
            )

    def require_causal(self) -> None:
        if not self.config.causal:
            raise ModelError(
                "a bidirectional model does not generate: each new token would change the answers before it",
                "compile with causal attention",
            )

    def stored(self) -> int:
        """How many numbers the checkpoint holds, zeros included."""
        return sum(parameter.numel() for parameter in self.parameters())

    def nonzero(self) -> int:
        """How many of the stored numbers are not zero."""
        return sum(int(parameter.count_nonzero()) for parameter in self.parameters())
