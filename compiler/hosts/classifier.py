"""Token classifiers: one label a token, as the hosts bert and mobilebert give it.

In: a native model with one output. Out: labels for a configuration, tensors, forward pass, how the folder is used.
Invariant: label i is the native logit i.

    {'word': 'c', 'entity': 'a', ...}, {'word': 'a', 'entity': 'b', ...}
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from compiler.hosts import Page, huggingface
from compiler.hosts.tokenizer import Words, labels, words
from compiler.hosts.uniform import Uniform
from compiler.model import Transformer

if TYPE_CHECKING:
    from compiler.hosts import Forward


def label_config(model: Transformer, names: Words) -> dict[str, Any]:
    """What the configuration says of labels and special ids."""
    [output] = model.config.outputs
    found = labels(output)
    return {
        "id2label": dict(enumerate(found)),
        "label2id": {text: number for number, text in enumerate(found)},
        "bos_token_id": names.bos_id,
        "pad_token_id": names.pad_id,
    }


def state(model: str, inner: Uniform, size: int, gain: float) -> Iterator[tuple[str, Tensor]]:
    """The tensors of a classifier by the names of BERT and its relatives."""
    yield from stack(model, inner, size, gain)
    yield from huggingface.linear("classifier", inner.W_U)


def stack(model: str, inner: Uniform, size: int, gain: float = huggingface.GAIN) -> Iterator[tuple[str, Tensor]]:
    """Those without the unembedding. `gain`: the weight with which a norm does not divide."""
    embeddings = f"{model}.embeddings"
    yield f"{embeddings}.word_embeddings.weight", huggingface.rows(inner.W_E, size)
    yield f"{embeddings}.position_embeddings.weight", inner.W_pos
    yield f"{embeddings}.token_type_embeddings.weight", torch.zeros(1, inner.width)
    yield from huggingface.norm(f"{embeddings}.LayerNorm", inner.width, gain)
    for number, layer in enumerate(inner.layers):
        block = f"{model}.encoder.layer.{number}"
        yield from huggingface.linear(f"{block}.attention.self.query", layer.W_Q)
        yield from huggingface.linear(f"{block}.attention.self.key", layer.W_K)
        yield from huggingface.linear(f"{block}.attention.self.value", layer.W_V)
        yield from huggingface.linear(f"{block}.attention.output.dense", layer.W_O, layer.b_O)
        yield from huggingface.norm(f"{block}.attention.output.LayerNorm", inner.width, gain)
        yield from huggingface.linear(f"{block}.intermediate.dense", layer.W_in, layer.b_in)
        yield from huggingface.linear(f"{block}.output.dense", layer.W_out, layer.b_out)
        yield from huggingface.norm(f"{block}.output.LayerNorm", inner.width, gain)


def load(kind: Any, model: Transformer, folder: Path) -> Forward:
    """The forward pass of a token classifier."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    return huggingface.forward(
        words(model.config), huggingface.pretrained(kind, folder), tokenizer, lambda logits: logits
    )


def page(model: Transformer, names: Words) -> Page:
    """How the folder is used."""
    [output] = model.config.outputs
    shown = names.separator.join((model.config.vocabulary * 3)[: min(3, model.config.max_length)])
    between = f"separated by {names.separator!r}" if names.separator else "a character each"
    about = (
        f"Tokens are {between}; the tokenizer puts `{names.bos}` in front, and a token outside the vocabulary is an "
        f"error. The label of a token is the value of `{output.name}` at its position. The pipeline leaves out tokens "
        "with the label `O` unless it is told otherwise, hence `ignore_labels=[]`."
    )
    text = f"""
    from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

    folder = "."  # this folder
    classify = pipeline("token-classification", folder, ignore_labels=[])
    print([token["entity"] for token in classify({shown!r})])

    model = AutoModelForTokenClassification.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    logits = model(**tokenizer({shown!r}, return_tensors="pt")).logits
    best = logits[0, 1:].argmax(-1).tolist()  # behind {names.bos}
    print([model.config.id2label[label] for label in best])
    """
    header = {"library_name": "transformers", "pipeline_tag": "token-classification"}
    return Page("\n".join([about, "", "```python", inspect.cleandoc(text), "```"]), header)
