"""The host albert: a program, above all one with a loop, as a stock `AlbertForTokenClassification`: it shares layers.

In: a bidirectional native model with one output; if it has a loop, all of its layers are one round. Out: a folder for
`AutoModelForTokenClassification`, and its forward pass.
Invariant: label i is the native logit i; the layers of a round are stored once, as ALBERT's one group, and the group is
run as often as there are rounds.

    num_hidden_groups 1, inner_group_num: the layers of a round, num_hidden_layers: how many rounds
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from compiler.hosts import Page, classifier, huggingface
from compiler.hosts.padding import bounded
from compiler.hosts.tokenizer import save_tokenizer, words
from compiler.hosts.uniform import Uniform, mirrored, scaled, settled, uniform
from compiler.model import ModelError, Transformer

if TYPE_CHECKING:
    from compiler.hosts import Forward


def write(model: Transformer, folder: Path) -> Page:
    """Write config, weights, tokenizer."""
    from transformers import AlbertConfig, AlbertForTokenClassification

    huggingface.require_bidirectional(model, "albert")
    huggingface.require_float32(model, "albert")
    rounds = _rounds(model)
    names = words(model.config)
    inner = mirrored(settled(scaled(uniform(model, copies=2))))
    bounded(replace(inner, layers=inner.layers * rounds), model, "albert")
    config = AlbertConfig(
        vocab_size=len(names.ids),
        max_position_embeddings=model.config.n_ctx,
        type_vocab_size=1,
        embedding_size=inner.width,
        hidden_size=inner.width,
        num_hidden_layers=rounds,
        num_hidden_groups=1,
        inner_group_num=len(inner.layers),
        num_attention_heads=inner.n_heads,
        intermediate_size=inner.d_mlp,
        hidden_act="relu",
        layer_norm_eps=huggingface.EPSILON,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        classifier_dropout_prob=0.0,
        **classifier.label_config(model, names),
    )
    state = dict(_state(inner, len(names.ids)))
    huggingface.save(config, AlbertForTokenClassification, state, folder)
    save_tokenizer(names, model.config, folder)
    return classifier.page(model, names)


def _rounds(model: Transformer) -> int:
    """How often all layers run. Raises `ModelError` where some run once, and a loop is beside them."""
    loop = model.config.loop
    if loop is None:
        return 1
    if (loop.start, loop.stop) != (0, len(model.config.layers)):
        before, behind = loop.start, len(model.config.layers) - loop.stop
        raise ModelError(
            f"albert shares all its layers, and this model has {before} before its loop and {behind} behind it",
            "let the loop begin with the tokens and their places, and the output be what it carries",
        )
    return loop.rounds


def _state(inner: Uniform, size: int) -> Iterator[tuple[str, Tensor]]:
    """The tensors by their names."""
    embeddings, encoder = "albert.embeddings", "albert.encoder"
    yield f"{embeddings}.word_embeddings.weight", huggingface.rows(inner.W_E, size)
    yield f"{embeddings}.position_embeddings.weight", inner.W_pos
    yield f"{embeddings}.token_type_embeddings.weight", torch.zeros(1, inner.width)
    yield from huggingface.norm(f"{embeddings}.LayerNorm", inner.width)
    yield from huggingface.linear(f"{encoder}.embedding_hidden_mapping_in", torch.eye(inner.width))
    for number, layer in enumerate(inner.layers):
        block = f"{encoder}.albert_layer_groups.0.albert_layers.{number}"
        yield from huggingface.linear(f"{block}.attention.query", layer.W_Q)
        yield from huggingface.linear(f"{block}.attention.key", layer.W_K)
        yield from huggingface.linear(f"{block}.attention.value", layer.W_V)
        yield from huggingface.linear(f"{block}.attention.dense", layer.W_O, layer.b_O)
        yield from huggingface.norm(f"{block}.attention.LayerNorm", inner.width)
        yield from huggingface.linear(f"{block}.ffn", layer.W_in, layer.b_in)
        yield from huggingface.linear(f"{block}.ffn_output", layer.W_out, layer.b_out)
        yield from huggingface.norm(f"{block}.full_layer_layer_norm", inner.width)
    yield from huggingface.linear("classifier", inner.W_U)


def load(model: Transformer, folder: Path) -> Forward:
    """The forward pass of `AlbertForTokenClassification`."""
    from transformers import AlbertForTokenClassification

    return classifier.load(AlbertForTokenClassification, model, folder)
