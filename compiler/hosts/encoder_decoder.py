"""The host encoder-decoder: a program with a source as a stock `EncoderDecoderModel`, RoBERTa in front of GPT-2.

In: a native model with an encoder and one output. Out: a folder for `AutoModelForSeq2SeqLM`, and its forward pass.
Invariants: as in the hosts bert and gpt2; positions of a source are made from its ids, whatever side padding stands on.

    ids of a source -> RobertaModel -> GPT2LMHeadModel with add_cross_attention -> logits over all ids
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from compiler.hosts import Page, classifier, gpt2, huggingface, seq2seq
from compiler.hosts.padding import both_bounded
from compiler.hosts.stacks import Stacks, stacks
from compiler.hosts.targets import Targets, targets
from compiler.hosts.tokenizer import save_tokenizer
from compiler.hosts.uniform import Uniform, mirrored, scaled, settled
from compiler.model import Transformer

if TYPE_CHECKING:
    from compiler.hosts import Tapes


def write(model: Transformer, folder: Path) -> Page:
    """Write config, weights, tokenizer."""
    from transformers import EncoderDecoderConfig, EncoderDecoderModel

    assert model.config.encoder is not None
    huggingface.require_float32(model, "encoder-decoder")
    outer = targets(model)
    inner = both_bounded(_over_ids(outer, model), model, "encoder-decoder")
    config = EncoderDecoderConfig.from_encoder_decoder_configs(
        _encoder(outer, inner.encoder), _decoder(outer, inner.decoder), **outer.config_of_ids()
    )
    huggingface.save(config, EncoderDecoderModel, dict(_state(outer, inner)), folder)
    seq2seq.save_generation(outer, folder)
    save_tokenizer(outer.words, model.config.encoder, folder)
    return seq2seq.page(model, outer, "an error")


def _over_ids(outer: Targets, model: Transformer) -> Stacks:
    """Both stacks as LayerNorms carry them; behind BOS the decoder writes `start`."""
    both = stacks(model, copies=2, more=2)
    encoder, decoder = (settled(scaled(stack)) for stack in (both.encoder, both.decoder))
    decoder = outer.over_ids(decoder)
    bos = decoder.one + 1
    decoder.W_E[:, decoder.one], decoder.W_E[outer.words.bos_id, bos] = 1, 1
    return Stacks(mirrored(outer.read(encoder)), mirrored(outer.begun(decoder, bos)))


def _encoder(outer: Targets, inner: Uniform) -> Any:
    from transformers import RobertaConfig

    return RobertaConfig(
        vocab_size=outer.size,
        max_position_embeddings=_first(outer) + len(inner.W_pos),
        type_vocab_size=1,
        hidden_size=inner.width,
        num_hidden_layers=len(inner.layers),
        num_attention_heads=inner.n_heads,
        intermediate_size=inner.d_mlp,
        hidden_act="relu",
        layer_norm_eps=huggingface.EPSILON,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        pad_token_id=outer.words.pad_id,
        bos_token_id=outer.words.bos_id,
        eos_token_id=None,
    )


def _decoder(outer: Targets, inner: Uniform) -> Any:
    ids = {name: value for name, value in outer.config_of_ids().items() if name.endswith("_id")}
    return gpt2.config_of(inner, outer.size, add_cross_attention=True, is_decoder=True, **ids)


def _first(outer: Targets) -> int:
    """RoBERTa's number of a source's first position."""
    return outer.words.pad_id + 1


def _state(outer: Targets, inner: Stacks) -> Iterator[tuple[str, Tensor]]:
    """The tensors by the library's names. Nothing reads the pooler."""
    width, W_pos = inner.encoder.width, inner.encoder.W_pos
    unused = torch.zeros(_first(outer), width, dtype=W_pos.dtype)
    yield from classifier.stack("encoder", replace(inner.encoder, W_pos=torch.cat([unused, W_pos])), outer.size)
    yield from huggingface.linear("encoder.pooler.dense", torch.zeros(width, width))
    for name, tensor in gpt2.state(inner.decoder):
        yield f"decoder.{name}", tensor


def load(model: Transformer, folder: Path) -> Tapes:
    """The forward pass of `EncoderDecoderModel`."""
    from transformers import EncoderDecoderModel

    return seq2seq.tapes(targets(model), huggingface.pretrained(EncoderDecoderModel, folder), folder)
