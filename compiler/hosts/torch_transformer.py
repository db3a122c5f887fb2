"""The host torch-transformer: a program with a source in `torch.nn.Transformer`, the class of 2017 itself.

In: a native model with an encoder and one output. Out: `transformer.pt`, the tensors, and `transformer.json`, the
arguments of the class and what ids and logits stand for; its forward pass. It needs torch and nothing of ours.
Invariants: norms stand in front of their sublayers and do not divide; ids and logits are the native ones.

    memory = model.encoder(W_E[ids] + W_pos); logits = model.decoder(W_E[target] + W_pos, memory, tgt_mask) @ W_U
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from compiler.hosts import Page, Tapes, huggingface
from compiler.hosts.meaning import shown_source, tapes, two_tapes
from compiler.hosts.padding import both_bounded
from compiler.hosts.stacks import Stacks, stacks
from compiler.hosts.uniform import Heads, Uniform, mirrored, scaled, settled
from compiler.model import Transformer
from compiler.runtime.folders import write_json

if TYPE_CHECKING:
    from compiler.hosts import Pair

TENSORS, MEANING = "transformer.pt", "transformer.json"


def write(model: Transformer, folder: Path) -> Page:
    """Write the tensors, and what they mean."""
    assert model.config.encoder is not None
    huggingface.require_float32(model, "torch-transformer")
    both = stacks(model, copies=2)
    encoder, decoder = (mirrored(settled(scaled(stack))) for stack in (both.encoder, both.decoder))
    inner = both_bounded(Stacks(encoder, decoder), model, "torch-transformer")
    tensors = {**dict(_outside(inner)), **dict(_state(inner))}
    torch.save({name: tensor.float().contiguous() for name, tensor in tensors.items()}, folder / TENSORS)
    write_json(folder / MEANING, meaning(model, inner.decoder, len(inner.encoder.layers)))
    return Page(_CODE.format(tensors=TENSORS, meaning=MEANING, shown=shown_source(model.config)))


def meaning(model: Transformer, decoder: Uniform, encoder_layers: int) -> dict[str, Any]:
    """What the class is made with; what ids and logits stand for."""
    return {
        "arguments": {
            "d_model": decoder.width,
            "nhead": decoder.n_heads,
            "num_encoder_layers": encoder_layers,
            "num_decoder_layers": len(decoder.layers),
            "dim_feedforward": decoder.d_mlp,
            "dropout": 0.0,
            "activation": "relu",
            "layer_norm_eps": huggingface.EPSILON,
            "batch_first": True,
            "norm_first": True,
        },
        **two_tapes(model),
    }


def _outside(inner: Stacks) -> Iterator[tuple[str, Tensor]]:
    """What the class has no room for: embeddings, whose last row is BOS, and the unembedding."""
    for tape, stack in (("source", inner.encoder), ("target", inner.decoder)):
        yield f"{tape}.W_E", stack.W_E
        yield f"{tape}.W_pos", stack.W_pos
    yield "W_U", inner.decoder.W_U


def _state(inner: Stacks) -> Iterator[tuple[str, Tensor]]:
    """The tensors by the class's names; its matrices are [out, in]."""
    for name, stack in (("encoder", inner.encoder), ("decoder", inner.decoder)):
        yield from huggingface.norm(f"{name}.norm", stack.width)
        for number, layer in enumerate(stack.layers):
            block = f"{name}.layers.{number}"
            yield from _attention(f"{block}.self_attn", layer)
            if layer.cross is not None:
                yield from _attention(f"{block}.multihead_attn", layer.cross)
            yield from huggingface.linear(f"{block}.linear1", layer.W_in, layer.b_in)
            yield from huggingface.linear(f"{block}.linear2", layer.W_out, layer.b_out)
            for norm in range(2 if layer.cross is None else 3):
                yield from huggingface.norm(f"{block}.norm{norm + 1}", stack.width)


def _attention(name: str, heads: Heads) -> Iterator[tuple[str, Tensor]]:
    inward = torch.cat([heads.W_Q, heads.W_K, heads.W_V], dim=1)
    yield f"{name}.in_proj_weight", inward.T
    yield f"{name}.in_proj_bias", torch.zeros(inward.shape[1])
    yield from huggingface.linear(f"{name}.out_proj", heads.W_O, heads.b_O)


def load(model: Transformer, folder: Path) -> Tapes:
    """The forward pass of `torch.nn.Transformer`; targets are written by going over them again for each token."""
    told = json.loads((folder / MEANING).read_text(encoding="utf-8"))
    network, outside = _opened(told["arguments"], torch.load(folder / TENSORS, weights_only=True))

    def embedded(tape: str, rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
        """Rows of several lengths with BOS in front, and where there is none of them."""
        table, longest = outside[f"{tape}.W_E"], max(map(len, rows))
        bos = len(table) - 1
        ids = torch.tensor([[bos, *row, *[bos] * (longest - len(row))] for row in rows])
        hidden = torch.tensor([[place > len(row) for place in range(longest + 1)] for row in rows])
        return table[ids] + outside[f"{tape}.W_pos"][: longest + 1], hidden

    @torch.no_grad()
    def logits(pairs: Sequence[Pair]) -> list[Tensor]:
        source, hidden = embedded("source", [source for source, _ in pairs])
        target, _ = embedded("target", [target for _, target in pairs])
        causal = torch.nn.Transformer.generate_square_subsequent_mask(target.shape[1])
        found = network(source, target, tgt_mask=causal, src_key_padding_mask=hidden, memory_key_padding_mask=hidden)
        found = found @ outside["W_U"]
        return [row[1 : 1 + len(own)] for row, (_, own) in zip(found, pairs, strict=True)]

    return tapes(told, logits)


def _opened(arguments: dict[str, Any], tensors: dict[str, Tensor]) -> tuple[torch.nn.Transformer, dict[str, Tensor]]:
    """The class with its tensors, and those that stand outside of it."""
    own = {name: tensor for name, tensor in tensors.items() if name.startswith(("encoder.", "decoder."))}
    with warnings.catch_warnings(action="ignore", category=UserWarning):  # that it nests no tensors
        network = torch.nn.Transformer(**arguments).eval()
    network.load_state_dict(own)
    return network, {name: tensor for name, tensor in tensors.items() if name not in own}


_CODE = """
```python
import json
import torch

told, tensors = json.load(open("{meaning}")), torch.load("{tensors}")
outside = {{name: tensors.pop(name) for name in ("source.W_E", "source.W_pos", "target.W_E", "target.W_pos", "W_U")}}
model = torch.nn.Transformer(**told["arguments"]).eval()
model.load_state_dict(tensors)


def embedded(tape, ids):  # BOS, the last row, in front
    ids = [len(outside[tape + ".W_E"]) - 1, *ids]
    return (outside[tape + ".W_E"][ids] + outside[tape + ".W_pos"][: len(ids)])[None]


with torch.no_grad():
    source = [told["source"]["vocabulary"].index(token) for token in {shown}]
    memory = model.encoder(embedded("source", source))
    target, written = [told["target"]["vocabulary"].index(told["target"]["start"])], []
    while target[-1] is not None and len(written) < told["target"]["max_length"]:
        causal = model.generate_square_subsequent_mask(len(target) + 1)
        logits = model.decoder(embedded("target", target), memory, tgt_mask=causal) @ outside["W_U"]
        best = int(logits[0, -1].argmax())
        written.append(told["values"][best])
        target.append(told["next"][best])  # None where the target ends
print(written)
```

Sources of several lengths go through together, padded on the right, with `src_key_padding_mask` and
`memory_key_padding_mask`. The class itself warns that it nests no tensors where norms come first.
"""
