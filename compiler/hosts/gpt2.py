"""The host gpt2: a causal program as a stock `GPT2LMHeadModel`.

In: a causal native model with one output. Out: a folder for `AutoModelForCausalLM`, and its forward pass.
Invariant: the logit of an output value is the logit of the id with that value's text; all other ids stay far below.

    values "a" and 7 over the vocabulary a b: ids a=0 b=1 <bos>=2 <pad>=3 "= 7"=4; logits [a, -32768, -32768, -32768, 7]
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from compiler.hosts import Page, huggingface
from compiler.hosts.lm import head, page, save_generation
from compiler.hosts.padding import bounded
from compiler.hosts.tokenizer import save_tokenizer
from compiler.hosts.uniform import Uniform, mirrored, scaled, settled, uniform
from compiler.model import Transformer

if TYPE_CHECKING:
    from compiler.hosts import Forward


def write(model: Transformer, folder: Path) -> Page:
    """Write config, weights, tokenizer."""
    from transformers import GPT2LMHeadModel

    huggingface.require_causal(model, "gpt2")
    huggingface.require_float32(model, "gpt2")
    outer = head(model)
    inner = bounded(mirrored(outer.over_ids(settled(scaled(uniform(model, copies=2))))), model, "gpt2")
    config = config_of(inner, outer.size, **outer.config())
    huggingface.save(config, GPT2LMHeadModel, dict(state(inner)), folder)
    save_generation(model, outer, folder)
    save_tokenizer(outer.words, model.config, folder, left=outer.generates)
    return page(model, outer, "gpt2")


def config_of(inner: Uniform, size: int, **more: Any) -> Any:
    """The configuration over so many ids."""
    from transformers import GPT2Config

    return GPT2Config(
        vocab_size=size,
        n_positions=len(inner.W_pos),
        n_embd=inner.width,
        n_layer=len(inner.layers),
        n_head=inner.n_heads,
        n_inner=inner.d_mlp,
        activation_function="relu",
        layer_norm_epsilon=huggingface.EPSILON,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        resid_pdrop=0.0,
        tie_word_embeddings=False,
        **more,
    )


def state(inner: Uniform) -> Iterator[tuple[str, Tensor]]:
    """The tensors by GPT-2's names; its matrices are [in, out]."""
    width = inner.width
    yield "transformer.wte.weight", inner.W_E
    yield "transformer.wpe.weight", inner.W_pos
    yield "lm_head.weight", inner.W_U.T
    yield from huggingface.norm("transformer.ln_f", width)
    for number, layer in enumerate(inner.layers):
        block = f"transformer.h.{number}"
        yield from huggingface.norm(f"{block}.ln_1", width)
        yield from huggingface.norm(f"{block}.ln_2", width)
        yield from huggingface.conv1d(f"{block}.attn.c_attn", torch.cat([layer.W_Q, layer.W_K, layer.W_V], dim=1))
        yield from huggingface.conv1d(f"{block}.attn.c_proj", layer.W_O, layer.b_O)
        if (cross := layer.cross) is not None:
            yield from huggingface.norm(f"{block}.ln_cross_attn", width)
            yield from huggingface.conv1d(f"{block}.crossattention.q_attn", cross.W_Q)
            yield from huggingface.conv1d(f"{block}.crossattention.c_attn", torch.cat([cross.W_K, cross.W_V], dim=1))
            yield from huggingface.conv1d(f"{block}.crossattention.c_proj", cross.W_O, cross.b_O)
        yield from huggingface.conv1d(f"{block}.mlp.c_fc", layer.W_in, layer.b_in)
        yield from huggingface.conv1d(f"{block}.mlp.c_proj", layer.W_out, layer.b_out)


def load(model: Transformer, folder: Path) -> Forward:
    """The forward pass of `GPT2LMHeadModel`."""
    from transformers import GPT2LMHeadModel

    return head(model).forward(huggingface.pretrained(GPT2LMHeadModel, folder), folder)
