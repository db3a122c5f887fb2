"""Encoder-decoders of Hugging Face: generation, the forward pass over both tapes, the model card.

In: `Targets`, a stock class. Out: generation settings; `Tapes`, which runs a folder as it is used; its `Page`.
Invariant: sources go through the tokenizer, targets are written by stock `generate`.

    tokenizer("cab") -> generate -> <bos> <start> a b c .
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from compiler.hosts import Page, Tapes
from compiler.hosts.huggingface import no_warnings
from compiler.hosts.targets import Targets
from compiler.model import ModelError, Scalar, Transformer
from compiler.runtime.folders import write_json

if TYPE_CHECKING:
    from compiler.hosts import Pair


def save_generation(outer: Targets, folder: Path) -> None:
    """How a target is written: the best token each time, until one that ends it, or the longest target."""
    data = {
        "bos_token_id": outer.words.bos_id,
        "pad_token_id": outer.words.pad_id,
        "eos_token_id": outer.stop_ids or None,
        "decoder_start_token_id": outer.words.bos_id,
        "do_sample": False,
        "max_length": outer.config.n_ctx + 1,  # BOS, `start`, and as many tokens as are written behind it
    }
    write_json(folder / "generation_config.json", data)


def tapes(outer: Targets, model: Any, folder: Path) -> Tapes:
    """A loaded model with its tokenizer."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)

    def encoded(sources: Sequence[Sequence[int]]) -> dict[str, Tensor]:
        found = tokenizer([outer.words.text(ids) for ids in sources], padding=True, return_tensors="pt")
        for ids, row, mask in zip(sources, found["input_ids"], found["attention_mask"], strict=True):
            if row[mask.bool()].tolist() != [outer.words.bos_id, *ids]:
                raise ModelError(
                    f"the tokenizer reads {outer.words.text(ids)!r} as other tokens", "choose other tokens"
                )
        return {name: found[name] for name in ("input_ids", "attention_mask")}

    @torch.no_grad()
    def logits(pairs: Sequence[Pair]) -> list[Tensor]:
        given = [outer.prefix(target) for _, target in pairs]
        longest = max(map(len, given))
        ids = torch.tensor([row + [outer.words.pad_id] * (longest - len(row)) for row in given])
        mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in given])
        sources = encoded([source for source, _ in pairs])
        found = model(**sources, decoder_input_ids=ids, decoder_attention_mask=mask).logits
        return [outer.values(row[1 : len(own)]) for row, own in zip(found, given, strict=True)]  # from `start` on

    @torch.no_grad()
    def write(sources: Sequence[Sequence[int]]) -> list[list[Scalar]]:
        with no_warnings():
            found = model.generate(**encoded(sources))
        return [outer.written(row.tolist()) for row in found]

    return Tapes(logits, write)


def page(model: Transformer, outer: Targets, too_long: str) -> Page:
    """How the folder is used. `too_long`: what a source or target is that has too many tokens."""
    assert model.config.encoder is not None
    vocabulary = model.config.encoder.vocabulary
    shown = outer.words.separator.join((vocabulary * 3)[: min(3, model.config.encoder.max_length)])
    code = f"""
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    folder = "."  # this folder
    model = AutoModelForSeq2SeqLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    found = model.generate(**tokenizer([{shown!r}], return_tensors="pt", padding=True))
    print(tokenizer.batch_decode(found, skip_special_tokens=True))
    """
    between = f"separated by {outer.words.separator!r}" if outer.words.separator else "a character each"
    text = [
        f"Tokens are {between}; the tokenizer puts `{outer.words.bos}` in front of a source, and a token that is none "
        f"of the source's is an error. The decoder begins with `{outer.words.bos}`; behind that it writes "
        f"`{outer.words.start}`, and then the target. Tokens that only a target has are written `{outer.words.mark} "
        "token` in the list of ids, so that no source is read as one; decoding drops the mark. `model.config.label2id` "
        f"has the id of each token and value. A source or target that is too long is {too_long}.",
        "",
        "```python",
        inspect.cleandoc(code),
        "```",
    ]
    return Page("\n".join(text), {"library_name": "transformers", "pipeline_tag": "text2text-generation"})
