"""Language-model heads: the logits of an output over the ids of a tokenizer.

In: a native model with one output. Out: `Head`, which knows the id of every output value; generation settings; how the
folder is used, for the model card.
Invariant: a value with a token's text has the token's id, any other value an id of its own that no text is read as. A
value that has several logits has an id for each; one that is a token is read as the token by any of them.

    next-token programs write over the vocabulary itself, so that stock `generate` continues a text
"""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from compiler.hosts import Page, huggingface
from compiler.hosts.tokenizer import Words, labels, mark, words
from compiler.hosts.uniform import Uniform, with_constant
from compiler.model import ModelError, OutputSlice, Transformer
from compiler.runtime.folders import write_json

if TYPE_CHECKING:
    from compiler.hosts import Forward

FAR = 2.0**15
"""Minus this is the logit of an id that stands for no output value."""


@dataclass(frozen=True)
class Head:
    """The output of a language model, and its ids."""

    output: OutputSlice
    words: Words
    stops: tuple[str, ...]  # tokens that end a text
    generates: bool

    @property
    def size(self) -> int:
        """All ids."""
        return len(self.words.ids)

    @cached_property
    def ids(self) -> list[int]:
        """The id of each logit."""
        return [self.words.ids[text] for text in told_apart(self.output, self.words.vocabulary)]

    @property
    def stop_ids(self) -> list[int]:
        """The ids behind which a text ends."""
        tokens = [self.words.ids[text] for text in self.stops if text in self.words.vocabulary]
        values = [number for number, label in zip(self.ids, labels(self.output), strict=True) if label in self.stops]
        return list(dict.fromkeys(tokens + values))

    def config(self) -> dict[str, Any]:
        """What the configuration says of ids."""
        named = {number: text for text, number in self.words.ids.items()}
        named |= dict(zip(self.ids, labels(self.output), strict=True))
        return {
            "bos_token_id": self.words.bos_id,
            "pad_token_id": self.words.pad_id,
            "eos_token_id": self.stop_ids or None,
            "id2label": named,
            "label2id": {text: number for number, text in reversed(named.items())},
        }

    def over_ids(self, model: Uniform) -> Uniform:
        """The model with embedding and logits over all ids, instead of tokens and values."""
        model = with_constant(model)
        W_U = torch.zeros(model.width, self.size, dtype=torch.float64)
        W_U[model.one] = -FAR
        W_U[:, self.ids] = model.W_U
        W_E = huggingface.rows(model.W_E, self.size)
        for number, label in zip(self.ids, labels(self.output), strict=True):
            if label in self.words.vocabulary:
                W_E[number] = model.W_E[self.words.ids[label]]
        return replace(model, W_E=W_E, W_U=W_U)

    def forward(self, model: Any, folder: Path) -> Forward:
        """The logits of the output values; every other id must stay below the best of them."""
        from transformers import AutoTokenizer

        others = [number for number in range(self.size) if number not in set(self.ids)]

        def choose(logits: Tensor) -> Tensor:
            chosen = logits[..., self.ids]
            if others and not bool((logits[..., others].amax(-1) < chosen.amax(-1)).all()):
                raise ModelError("an id that is no output value has the best logit", "choose another host")
            return chosen

        return huggingface.forward(self.words, model, AutoTokenizer.from_pretrained(folder), choose)


def told_apart(output: OutputSlice, vocabulary: Sequence[str]) -> Iterator[str]:
    """A text for each logit: the token, where its value has the text of one, else the value marked as such.

    Where a value has several logits, those behind the first are numbered: ``=2 0.5``.
    """
    seen: Counter[str] = Counter()
    for label in labels(output):
        seen[label] += 1
        again = seen[label] if seen[label] > 1 else ""
        yield label if label in vocabulary and not again else f"{mark(vocabulary)}{again} {label}"


def head(model: Transformer) -> Head:
    """The ids of a model's only output. Raises `ModelError` where no tokenizer can hold its tokens."""
    [output] = model.config.outputs
    vocabulary, stop = model.config.vocabulary, model.config.stop
    own = [text for text in told_apart(output, vocabulary) if text not in vocabulary]
    names = words(model.config, own)
    generates = model.config.generate == output.name and set(labels(output)) <= {*vocabulary, *stop}
    return Head(output, names, tuple(stop) if generates else (), generates)


def save_generation(model: Transformer, outer: Head, folder: Path) -> None:
    """How a text is continued: the best token each time, until a stop token or the longest input.

    Where the output is no next token, every value ends the text: the one at the last position is put behind it.
    """
    data = {
        "bos_token_id": outer.words.bos_id,
        "pad_token_id": outer.words.pad_id,
        "eos_token_id": (outer.stop_ids or None) if outer.generates else outer.ids,
        "do_sample": False,
        "max_length": model.config.n_ctx + 1,  # the longest input, BOS, and what it is answered with
    }
    write_json(folder / "generation_config.json", data)


def page(model: Transformer, outer: Head, architecture: str) -> Page:
    """How the folder is used."""
    shown = outer.words.separator.join((model.config.vocabulary * 3)[: min(3, model.config.max_length)])
    every = f"""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = "."  # this folder
    model = AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    logits = model(**tokenizer({shown!r}, return_tensors="pt")).logits
    best = logits[0, 1:].argmax(-1).tolist()  # behind <bos>, one value a token
    print([model.config.id2label[id] for id in best])
    """
    text = [_how(outer), "", "```python", inspect.cleandoc(every), "```"]
    if outer.generates:
        ends = f" It stops behind {_or(outer.stops)}." if outer.stops else ""
        text += [
            "",
            f"The output is the next token, so the stock text generation continues a text.{ends}",
            "",
            "```python",
            "from transformers import pipeline",
            "",
            f'print(pipeline("text-generation", ".")({shown!r}))',
            "```",
        ]
    header = {"library_name": "transformers", "pipeline_tag": "text-generation"}
    return Page("\n".join(text), header)


def _how(outer: Head) -> str:
    between = f"separated by {outer.words.separator!r}" if outer.words.separator else "a character each"
    own = (
        f" Other values have ids of their own, written `{outer.words.mark} value`, which no text is read as."
        if outer.words.values
        else ""
    )
    return (
        f"Tokens are {between}; the tokenizer puts `{outer.words.bos}` in front, and a token outside the vocabulary is "
        f"an error. The logits are those of `{outer.output.name}` at each position; `id2label` names the values.{own} "
        f"Every id that is no value has the logit {-FAR:.0f}."
    )


def _or(texts: tuple[str, ...]) -> str:
    return " or ".join(f"`{text}`" for text in texts)
