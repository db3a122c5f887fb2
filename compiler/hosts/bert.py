"""The host bert: a program as a stock `BertForTokenClassification`.

In: a native model with one output. Out: a folder for `AutoModelForTokenClassification`, and its forward pass.
Invariant: label i is the native logit i; a causal program becomes a BERT with `is_decoder`, which masks the future.

    a norm stands behind each sublayer: it subtracts the mean of the stream, which is rounding at most
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from compiler.hosts import Page, classifier, huggingface
from compiler.hosts.padding import bounded
from compiler.hosts.tokenizer import save_tokenizer, words
from compiler.hosts.uniform import mirrored, scaled, settled, uniform
from compiler.model import Transformer

if TYPE_CHECKING:
    from compiler.hosts import Forward


def write(model: Transformer, folder: Path) -> Page:
    """Write config, weights, tokenizer."""
    from transformers import BertConfig, BertForTokenClassification

    huggingface.require_float32(model, "bert")
    names = words(model.config)
    inner = bounded(mirrored(settled(scaled(uniform(model, copies=2)))), model, "bert")
    config = BertConfig(
        vocab_size=len(names.ids),
        max_position_embeddings=model.config.n_ctx,
        type_vocab_size=1,
        hidden_size=inner.width,
        num_hidden_layers=len(inner.layers),
        num_attention_heads=inner.n_heads,
        intermediate_size=inner.d_mlp,
        hidden_act="relu",
        layer_norm_eps=huggingface.EPSILON,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        is_decoder=model.config.causal,
        use_cache=False,
        **classifier.label_config(model, names),
    )
    huggingface.save(
        config,
        BertForTokenClassification,
        dict(classifier.state("bert", inner, len(names.ids), huggingface.GAIN)),
        folder,
    )
    save_tokenizer(names, model.config, folder)
    return classifier.page(model, names)


def load(model: Transformer, folder: Path) -> Forward:
    """The forward pass of `BertForTokenClassification`."""
    from transformers import BertForTokenClassification

    return classifier.load(BertForTokenClassification, model, folder)
