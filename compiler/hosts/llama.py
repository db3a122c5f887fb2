"""The host llama: a causal program as a stock `LlamaForCausalLM`.

In: a causal native model with one output. Out: a folder for `AutoModelForCausalLM`, and its forward pass.
Invariants: norms and rotary embeddings change no bit; the logit of an output value is that of the id with its text; an
input that is too long is answered with padding.

Llama has no position embeddings: they are counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from compiler.hosts import Page, huggingface
from compiler.hosts.counting import front, marked, places, room
from compiler.hosts.lm import FAR, Head, head, page, save_generation
from compiler.hosts.padding import bounded
from compiler.hosts.tokenizer import save_tokenizer
from compiler.hosts.uniform import Uniform, scaled, uniform
from compiler.model import Transformer

if TYPE_CHECKING:
    from compiler.hosts import Forward

SLOW = {"rope_type": "linear", "factor": 1e30}
"""Positions divided by this: the rotary embedding turns by nothing."""
THETA = 10000.0


def write(model: Transformer, folder: Path) -> Page:
    """Write config, weights, tokenizer."""
    from transformers import LlamaConfig, LlamaForCausalLM

    huggingface.require_causal(model, "llama")
    huggingface.require_float32(model, "llama")
    outer = head(model)
    inner = bounded(_counting(outer, uniform(model, more=room(model.config.n_ctx), square=False)), model, "llama")
    config = LlamaConfig(
        vocab_size=outer.size,
        max_position_embeddings=model.config.n_ctx,
        hidden_size=inner.width,
        intermediate_size=inner.d_mlp,
        num_hidden_layers=len(inner.layers),
        num_attention_heads=inner.n_heads,
        num_key_value_heads=inner.n_heads,
        head_dim=inner.d_head,
        hidden_act="relu",
        rms_norm_eps=huggingface.EPSILON,
        attention_bias=True,
        mlp_bias=True,
        tie_word_embeddings=False,
        rope_theta=THETA,
        rope_scaling=dict(SLOW),
        **outer.config(),
    )
    # Version 4 of the library reads the first two keys, version 5 the third.
    rotary: dict[str, Any] = {
        "rope_theta": THETA,
        "rope_scaling": SLOW,
        "rope_parameters": SLOW | {"rope_theta": THETA},
    }
    huggingface.save(config, LlamaForCausalLM, dict(_state(inner)), folder, rotary)
    save_generation(model, outer, folder)
    save_tokenizer(outer.words, model.config, folder, left=outer.generates)
    return page(model, outer, "llama")


def _counting(outer: Head, model: Uniform) -> Uniform:
    """Two layers in front that do what W_pos does; what is too long is answered with padding."""
    own = places(model, len(model.W_pos))
    model = marked(outer.over_ids(model), own, outer.words.bos_id)
    W_U = model.W_U.clone()
    W_U[own.excess, outer.words.pad_id] = FAR**3
    layers = (*front(model, own), *model.layers)
    return scaled(replace(model, W_pos=torch.zeros(0, model.width), W_U=W_U, layers=layers))


def _state(inner: Uniform) -> Iterator[tuple[str, Tensor]]:
    """The tensors by Llama's names; its matrices are [out, in]. A neuron is relu(gate) * up, and up is 1."""
    yield "model.embed_tokens.weight", inner.W_E
    yield "model.norm.weight", torch.full((inner.width,), huggingface.GAIN)
    yield "lm_head.weight", inner.W_U.T
    for number, layer in enumerate(inner.layers):
        block = f"model.layers.{number}"
        yield f"{block}.input_layernorm.weight", torch.full((inner.width,), huggingface.GAIN)
        yield f"{block}.post_attention_layernorm.weight", torch.full((inner.width,), huggingface.GAIN)
        yield from huggingface.linear(f"{block}.self_attn.q_proj", layer.W_Q)
        yield from huggingface.linear(f"{block}.self_attn.k_proj", layer.W_K)
        yield from huggingface.linear(f"{block}.self_attn.v_proj", layer.W_V)
        yield from huggingface.linear(f"{block}.self_attn.o_proj", layer.W_O, layer.b_O)
        yield from huggingface.linear(f"{block}.mlp.gate_proj", layer.W_in, layer.b_in)
        yield from huggingface.linear(f"{block}.mlp.up_proj", torch.zeros_like(layer.W_in), torch.ones_like(layer.b_in))
        yield from huggingface.linear(f"{block}.mlp.down_proj", layer.W_out, layer.b_out)


def load(model: Transformer, folder: Path) -> Forward:
    """The forward pass of `LlamaForCausalLM`."""
    from transformers import LlamaForCausalLM

    return head(model).forward(huggingface.pretrained(LlamaForCausalLM, folder), folder)
