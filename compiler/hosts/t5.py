"""The host t5: a program with a source as a stock `T5ForConditionalGeneration`.

In: a native model with an encoder and one output. Out: a folder for `AutoModelForSeq2SeqLM`, and its forward pass.
Invariants: norms change no bit; scores are not scaled; positions do not depend on padding, on either side.

T5 has one embedding for both stacks: each has columns of its own there, beside a constant, which is the bias of every
neuron. It has no positions either; both stacks count them. In the encoder, which sees everything, a bias by distance
hides later keys from one head. That table belongs to a head of every layer: the last one does nothing but count.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from compiler.hosts import Page, huggingface, seq2seq
from compiler.hosts.counting import Places, front, marked, places, room
from compiler.hosts.padding import both_bounded
from compiler.hosts.stacks import Stacks, stacks
from compiler.hosts.targets import Targets, targets
from compiler.hosts.tokenizer import save_tokenizer
from compiler.hosts.uniform import Heads, Uniform, UniformLayer, empty, with_constant
from compiler.model import Transformer

if TYPE_CHECKING:
    from compiler.hosts import Tapes

BUCKETS = 4
"""Of distances: none, one or more tokens back, none again, and one or more on."""
LATER = 3
"""The bucket of what stands behind a query."""
HIDDEN = -1e9
"""The bias, in nats, of a key that the head which counts does not see."""
SOURCE_TOO_LONG = 64.0
"""Nats of BOS in the head that looks for an excess in the source; a token too many has twice as much."""


def write(model: Transformer, folder: Path) -> Page:
    """Write config, weights, tokenizer."""
    from transformers import T5Config, T5ForConditionalGeneration

    huggingface.require_float32(model, "t5")
    outer = targets(model)
    inner = both_bounded(_counting(outer, model), model, "t5")
    decoder = inner.decoder
    config = T5Config(
        vocab_size=outer.size,
        d_model=decoder.width,
        d_kv=decoder.d_head,
        d_ff=decoder.d_mlp,
        num_layers=len(inner.encoder.layers),
        num_decoder_layers=len(decoder.layers),
        num_heads=decoder.n_heads,
        relative_attention_num_buckets=BUCKETS,
        feed_forward_proj="relu",
        layer_norm_epsilon=huggingface.EPSILON,
        dropout_rate=0.0,
        tie_word_embeddings=False,
        **outer.config_of_ids(),
    )
    # Version 5 of the library writes that embeddings are tied, whatever it was told; read so, it scales the logits.
    untied = {"tie_word_embeddings": False}
    huggingface.save(config, T5ForConditionalGeneration, dict(_state(inner)), folder, untied)
    seq2seq.save_generation(outer, folder)
    save_tokenizer(outer.words, model.config.encoder or model.config, folder)
    return seq2seq.page(model, outer, "answered with padding")


def _counting(outer: Targets, model: Transformer) -> Stacks:
    """Both stacks behind layers that count positions, over one embedding."""
    assert model.config.encoder is not None
    n_ctx = max(model.config.n_ctx, model.config.encoder.n_ctx)
    both = stacks(model, more=room(n_ctx), square=False, heads=1, apart=True)
    own = places(both.encoder, n_ctx)
    encoder, decoder = outer.read(both.encoder), outer.over_ids(both.decoder)
    embedding = with_constant(replace(encoder, W_E=encoder.W_E + decoder.W_E)).W_E
    encoder, decoder = (marked(replace(one, W_E=embedding), own, outer.words.bos_id) for one in (encoder, decoder))
    last = decoder.n_heads - 1
    encoder = _behind(encoder, front(encoder, own, last))
    decoder = _behind(decoder, front(decoder, own, last, crosses=True))
    _look_for_excess(decoder, own)
    return Stacks(_as_deep(encoder, decoder), outer.begun(decoder, own.bos, own.excess))


def _behind(model: Uniform, layers: tuple[UniformLayer, ...]) -> Uniform:
    return replace(model, W_pos=model.W_pos[:0], layers=(*layers, *model.layers))


def _look_for_excess(decoder: Uniform, own: Places) -> None:
    """A head of the first layer that fetches the excess of a source that is too long, else 0."""
    cross = decoder.layers[0].cross
    assert cross is not None
    cross.W_Q[decoder.one, 0] = 1
    cross.W_K[own.bos, 0], cross.W_K[own.excess, 0] = SOURCE_TOO_LONG, 2 * SOURCE_TOO_LONG
    cross.W_V[own.excess, 0], cross.W_O[0, own.excess] = 1, 1


def _as_deep(encoder: Uniform, decoder: Uniform) -> Uniform:
    """The encoder with idle layers behind it: the cache of some versions has as many layers as that one has."""
    idle = len(decoder.layers) - len(encoder.layers)
    return replace(encoder, layers=(*encoder.layers, *(empty(encoder) for _ in range(idle))))


def _state(inner: Stacks) -> Iterator[tuple[str, Tensor]]:
    """The tensors by T5's names; its matrices are [out, in]."""
    for name in ("shared", "encoder.embed_tokens", "decoder.embed_tokens"):
        yield f"{name}.weight", inner.encoder.W_E
    yield "lm_head.weight", inner.decoder.W_U.T
    for stack, model in (("encoder", inner.encoder), ("decoder", inner.decoder)):
        yield f"{stack}.final_layer_norm.weight", torch.full((model.width,), huggingface.GAIN)
        bias = torch.zeros(BUCKETS, model.n_heads)
        bias[LATER, -1] = (
            HIDDEN if stack == "encoder" else 0
        )  # a decoder sees nothing later, and its buckets are others
        yield f"{stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight", bias
        for number, layer in enumerate(model.layers):
            block = f"{stack}.block.{number}.layer"
            parts = 2 if layer.cross is None else 3
            for part in range(parts):
                yield f"{block}.{part}.layer_norm.weight", torch.full((model.width,), huggingface.GAIN)
            yield from _heads(f"{block}.0.SelfAttention", layer)
            if layer.cross is not None:
                yield from _heads(f"{block}.1.EncDecAttention", layer.cross)
            W_in = layer.W_in.clone()
            W_in[model.one] += (
                layer.b_in + layer.b_O @ layer.W_in
            )  # what the heads' bias takes away stays in the stream
            yield f"{block}.{parts - 1}.DenseReluDense.wi.weight", W_in.T
            yield f"{block}.{parts - 1}.DenseReluDense.wo.weight", layer.W_out.T


def _heads(name: str, heads: Heads) -> Iterator[tuple[str, Tensor]]:
    for letter in "qkvo":
        yield f"{name}.{letter}.weight", getattr(heads, f"W_{letter.upper()}").T


def load(model: Transformer, folder: Path) -> Tapes:
    """The forward pass of `T5ForConditionalGeneration`."""
    from transformers import T5ForConditionalGeneration

    with huggingface.no_warnings():
        loaded = huggingface.pretrained(T5ForConditionalGeneration, folder)
    return seq2seq.tapes(targets(model), loaded, folder)
