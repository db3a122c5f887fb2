"""The host mobilebert: a bidirectional program as a stock `MobileBertForTokenClassification`.

In: a bidirectional native model with one output. Out: a folder for `AutoModelForTokenClassification`, its forward pass.
Invariant: label i is the native logit i; the configuration has no norms, so the stream is the native one, bit for bit.

    normalization_type "no_norm", no bottlenecks, one feed-forward network a layer
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from compiler.hosts import Page, classifier, huggingface
from compiler.hosts.padding import bounded
from compiler.hosts.tokenizer import save_tokenizer, words
from compiler.hosts.uniform import scaled, uniform
from compiler.model import Transformer

if TYPE_CHECKING:
    from compiler.hosts import Forward


def write(model: Transformer, folder: Path) -> Page:
    """Write config, weights, tokenizer."""
    from transformers import MobileBertConfig, MobileBertForTokenClassification

    huggingface.require_bidirectional(model, "mobilebert")
    huggingface.require_float32(model, "mobilebert")
    names = words(model.config)
    inner = bounded(scaled(uniform(model)), model, "mobilebert")
    config = MobileBertConfig(
        vocab_size=len(names.ids),
        max_position_embeddings=model.config.n_ctx,
        type_vocab_size=1,
        hidden_size=inner.width,
        embedding_size=inner.width,
        num_hidden_layers=len(inner.layers),
        num_attention_heads=inner.n_heads,
        intermediate_size=inner.d_mlp,
        hidden_act="relu",
        normalization_type="no_norm",
        use_bottleneck=False,
        trigram_input=False,
        num_feedforward_networks=1,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        **classifier.label_config(model, names),
    )
    state = dict(classifier.state("mobilebert", inner, len(names.ids), 1.0))
    # Idle, as the embedding is as wide as the stream, but part of the architecture.
    unused = "mobilebert.embeddings.embedding_transformation"
    state |= dict(huggingface.linear(unused, torch.eye(inner.width)))
    huggingface.save(config, MobileBertForTokenClassification, state, folder)
    save_tokenizer(names, model.config, folder)
    return classifier.page(model, names)


def load(model: Transformer, folder: Path) -> Forward:
    """The forward pass of `MobileBertForTokenClassification`."""
    from transformers import MobileBertForTokenClassification

    return classifier.load(MobileBertForTokenClassification, model, folder)
