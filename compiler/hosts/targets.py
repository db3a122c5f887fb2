"""Two tapes in one list of ids: what a source is read as, and what a target is written with.

In: a native model with an encoder and one output. Out: `Targets`, which knows the id of every token and output value.
Invariants: a text is read as tokens of the source alone; what is written has the id of the source's token with its
text, or else one of its own, that no text is read as. Behind BOS a host writes `start`, and behind that the target.

    source a b, target b . : a=0 b=1 <bos>=2 <pad>=3 <start>=4 "= ."=5
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from compiler.hosts.lm import FAR, told_apart
from compiler.hosts.tokenizer import Words, labels, mark, words
from compiler.hosts.uniform import Uniform
from compiler.model import Config, ModelError, OutputSlice, Scalar, Transformer
from compiler.model.texts import spellings


@dataclass(frozen=True)
class Targets:
    """The ids of a model that reads a source and writes a target."""

    config: Config
    output: OutputSlice
    words: Words
    tokens: tuple[int | None, ...]  # for each logit the native id of the token that its value is
    ends: tuple[bool, ...]  # for each logit whether the target ends behind it

    @property
    def size(self) -> int:
        """All ids."""
        return len(self.words.ids)

    @property
    def start_id(self) -> int:
        """The id of what a target begins with, a copy of the token that the program names."""
        return self.words.ids[self.words.start]

    @cached_property
    def ids(self) -> list[int]:
        """The id of each logit."""
        return [self.words.ids[text] for text in told_apart(self.output, self.words.vocabulary)]

    @cached_property
    def native(self) -> dict[int, int]:
        """The ids of tokens of the target, each with its native id."""
        texts = (_spelled(text, self.words.vocabulary) for text in self.config.vocabulary)
        found = {self.words.ids[text]: number for number, text in enumerate(texts) if text in self.words.ids}
        found |= {one: token for one, token in zip(self.ids, self.tokens, strict=True) if token is not None}
        start = self.config.vocabulary.index(str(self.config.start))
        return {**found, self.words.bos_id: len(self.config.vocabulary), self.start_id: start}

    @cached_property
    def target(self) -> dict[int, int]:
        """The id of each native id that may stand behind `start`."""
        special = {self.words.bos_id, self.start_id}
        return {token: number for number, token in reversed(self.native.items()) if number not in special}

    @property
    def stop_ids(self) -> list[int]:
        """The ids behind which a target ends: those of `stop`, and of values that are no token."""
        return list(dict.fromkeys(one for one, end in zip(self.ids, self.ends, strict=True) if end))

    def prefix(self, target: Sequence[int]) -> list[int]:
        """What a decoder is given for native ids, `start` in front: BOS, `start`, and the rest."""
        return [self.words.bos_id, self.start_id, *(self.target[token] for token in target[1:])]

    def written(self, ids: Sequence[int]) -> list[Scalar]:
        """The values of what was written, BOS and `start` in front, up to where it ends."""
        if [*ids[:2]] != [self.words.bos_id, self.start_id]:
            raise ModelError("the host does not begin a target with <bos> and `start`", "choose another host")
        found: list[Scalar] = []
        for one in ids[2:]:
            if one not in self.ids:
                raise ModelError("the host writes what is no output value", "choose another host")
            place = self.ids.index(one)
            found.append(self.output.values[place])
            if self.ends[place]:
                break
        return found

    def config_of_ids(self) -> dict[str, Any]:
        """What a configuration says of ids."""
        named = {number: text for text, number in self.words.ids.items()}
        texts = {number: self.config.vocabulary[token] for token, number in self.target.items()}
        named |= texts | dict(zip(self.ids, labels(self.output), strict=True))
        return {
            "bos_token_id": self.words.bos_id,
            "pad_token_id": self.words.pad_id,
            "eos_token_id": self.stop_ids or None,
            "decoder_start_token_id": self.words.bos_id,
            "id2label": named,
            "label2id": {text: number for number, text in reversed(named.items())},
        }

    def read(self, encoder: Uniform) -> Uniform:
        """The encoder over all ids: those of the source have their tokens' rows."""
        W_E = torch.zeros(self.size, encoder.width, dtype=torch.float64)
        W_E[: len(encoder.W_E)] = encoder.W_E
        return replace(encoder, W_E=W_E)

    def over_ids(self, decoder: Uniform) -> Uniform:
        """The decoder with embedding and logits over all ids, the constant in its stream."""
        W_E = torch.zeros(self.size, decoder.width, dtype=torch.float64)
        W_E[[*self.native]] = decoder.W_E[[*self.native.values()]]
        W_U = torch.zeros(decoder.width, self.size, dtype=torch.float64)
        W_U[decoder.one] = -FAR
        W_U[:, self.ids] = decoder.W_U
        return replace(decoder, W_E=W_E, W_U=W_U)

    def begun(self, decoder: Uniform, bos: int, excess: int | None = None) -> Uniform:
        """The decoder, which writes `start` behind BOS, and padding where a column says that a tape is too long.

        `start` is no further away than FAR**2: a norm that subtracts the mean of large columns leaves up to a tenth of
        1 in all columns. In `mirrored` it cancels, but times 2**44 it has rounded the -FAR beside it to 0 before.
        """
        W_U = decoder.W_U.clone()
        W_U[bos, self.start_id] = FAR**2
        if excess is not None:
            W_U[excess, self.words.pad_id] = FAR**3
        return replace(decoder, W_U=W_U)

    def values(self, logits: Tensor) -> Tensor:
        """The logits of the output values; every other id must stay below the best of them."""
        chosen = logits[..., self.ids]
        others = [number for number in range(self.size) if number not in set(self.ids)]
        if others and not bool((logits[..., others].amax(-1) < chosen.amax(-1)).all()):
            raise ModelError("an id that is no output value has the best logit", "choose another host")
        return chosen


def _spelled(text: str, vocabulary: Sequence[str]) -> str:
    """The text of a target's token in the list of ids."""
    return text if text in vocabulary else f"{mark(vocabulary)} {text}"


def targets(model: Transformer) -> Targets:
    """The ids of a model's tapes. Raises `ModelError` where no tokenizer can hold its tokens."""
    config, source = model.config, model.config.encoder
    assert source is not None
    [output] = config.outputs
    known = source.vocabulary
    written = [text for text in config.vocabulary if text != config.start or text in labels(output)]
    own = [*told_apart(output, known), *(_spelled(text, known) for text in written)]
    unknown = config.unknown if config.unknown in known else None
    names = words(
        replace(source, unknown=unknown), list(dict.fromkeys(text for text in own if text not in known)), written
    )
    return Targets(config, output, names, *ending(model, output))


def ending(model: Transformer, output: OutputSlice) -> tuple[tuple[int | None, ...], tuple[bool, ...]]:
    """For each logit the native id of the token that its value is, and whether a target ends behind it."""
    tokens = tuple(model.token_id(value) for value in output.values)
    stops = [not set(model.config.stop).isdisjoint(spellings(value)) for value in output.values]
    return tokens, tuple(token is None or stop for token, stop in zip(tokens, stops, strict=True))
