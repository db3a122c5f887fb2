"""The host llama: a causal program as a stock `LlamaForCausalLM`.

In: a causal native model with one output. Out: a folder for `AutoModelForCausalLM`, and its forward pass.
Invariants: norms and rotary embeddings change no bit; the logit of an output value is that of the id with its text; an
input that is too long is answered with padding.

Llama has no position embeddings. Two layers in front make them (C6, C19): a head counts the tokens up to each position,
and the bias of its sum rounds the count; the first MLP makes of it a column for each position that is 1 there and 0
elsewhere, the second adds that position's row of W_pos.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from compiler.hosts import Page, huggingface
from compiler.hosts.lm import FAR, Head, head, page, save_generation
from compiler.hosts.padding import bounded
from compiler.hosts.tokenizer import save_tokenizer
from compiler.hosts.uniform import Uniform, UniformLayer, empty, scaled, uniform
from compiler.model import Transformer

if TYPE_CHECKING:
    from compiler.hosts import Forward

COUNTERWEIGHT = 24
"""Nats by which BOS outweighs a token in the head that counts."""
OFFSET = 1.5 * 2.0**23
"""What is added to it in float32 is rounded to a whole number."""
SLOW = {"rope_type": "linear", "factor": 1e30}
"""Positions divided by this: the rotary embedding turns by nothing."""
THETA = 10000.0


def write(model: Transformer, folder: Path) -> Page:
    """Write config, weights, tokenizer."""
    from transformers import LlamaConfig, LlamaForCausalLM

    huggingface.require_causal(model, "llama")
    huggingface.require_float32(model, "llama")
    outer = head(model)
    inner = bounded(_counting(outer, uniform(model, more=model.config.n_ctx + COLUMNS, square=False)), model, "llama")
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


COLUMNS = 3
"""Columns of our own beside those of the positions: BOS, the count, what is too much of it."""


def _counting(outer: Head, model: Uniform) -> Uniform:
    """Two layers in front that do what W_pos does; the columns of our own stand behind the constant."""
    n_ctx, width = len(model.W_pos), model.width
    bos, count, excess = (model.spare + 1 + number for number in range(COLUMNS))
    places = slice(excess + 1, excess + 1 + n_ctx)
    model = replace(model, d_mlp=max(model.d_mlp, n_ctx + 2))
    model = replace(model, layers=tuple(_widened(layer, model.d_mlp) for layer in model.layers))
    model = outer.over_ids(model)

    W_E = model.W_E.clone()
    W_E[outer.words.bos_id, bos] = 1
    W_E[:, count] = OFFSET
    W_U = model.W_U.clone()
    W_U[excess, outer.words.pad_id] = FAR**3

    first, second = empty(model), empty(model)
    first.W_Q[model.one, 0], first.W_K[bos, 0] = COUNTERWEIGHT, 1
    first.W_V[model.one, 0], first.W_V[bos, 0] = 1, -1
    first.W_O[0, count], first.b_O[count] = math.exp(COUNTERWEIGHT), -OFFSET
    steps = torch.arange(-1, n_ctx + 1)  # neuron i + 1 is relu(count - i)
    first.W_in[count, : n_ctx + 2], first.b_in[: n_ctx + 2] = 1, -steps.double()
    for place in range(n_ctx):
        first.W_out[place : place + 3, places.start + place] = torch.tensor([1.0, -2.0, 1.0], dtype=torch.float64)
    first.W_out[n_ctx, excess] = 1  # relu(count - (n_ctx - 1))
    second.W_in[places, :n_ctx] = torch.eye(n_ctx, dtype=torch.float64)
    second.W_out[:n_ctx] = model.W_pos
    layers = (first, second, *model.layers)
    return scaled(replace(model, W_E=W_E, W_pos=torch.zeros(0, width), W_U=W_U, layers=layers))


def _widened(layer: UniformLayer, d_mlp: int) -> UniformLayer:
    """More neurons, which do nothing."""
    more = d_mlp - len(layer.b_in)
    pad = torch.nn.functional.pad
    return replace(
        layer,
        W_in=pad(layer.W_in, (0, more)),
        b_in=pad(layer.b_in, (0, more)),
        W_out=pad(layer.W_out, (0, 0, 0, more)),
    )


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
