"""The host transformer-lens: the native model as a `TransformerBridge`, for research with hooks.

In: a native model. Out: a folder with config, weights, tokenizer, labels and provenance, and its forward pass.
Invariant: columns, heads and neurons keep their numbers; what fills layers up to one shape reads and writes zeros, and
says so in `model.labels`. The unembedding is there, so that logits are answers.

    model.labels["heads"][1][0] -> "reverse: fetches from positions where its indices = ..."
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from compiler.hosts import Page
from compiler.hosts.padding import bounded
from compiler.hosts.tokenizer import save_tokenizer, words
from compiler.hosts.tracing import cut, padded
from compiler.hosts.uniform import Uniform, scaled, uniform
from compiler.model import DTYPES, ModelError, Transformer
from compiler.numbers.precision import PRECISIONS
from compiler.observe.provenance import DOCUMENT, provenance
from compiler.runtime.folders import write_json

if TYPE_CHECKING:
    from compiler.hosts import Forward

CONFIG, WEIGHTS, LABELS = "config.json", "model.safetensors", "labels.json"
UNUSED = "unused"


def write(model: Transformer, folder: Path) -> Page:
    """Write config, weights, tokenizer, labels, provenance. Raises `ModelError` for half precisions."""
    from safetensors.torch import save_file

    if PRECISIONS[model.config.dtype].is_half:
        raise ModelError(
            f"TransformerLens rounds attention patterns to {model.config.dtype}, which no certificate covers",
            "compile the program in float32 or float64",
        )
    inner = bounded(scaled(uniform(model, square=False)), model, "transformer-lens")
    ours = words(model.config)
    dtype = DTYPES[model.config.dtype]
    state = {name: tensor.to(dtype).contiguous() for name, tensor in _state(model, inner)}
    save_file(state, folder / WEIGHTS)
    save_tokenizer(ours, model.config, folder)
    documents = {
        CONFIG: _config(model, inner),
        LABELS: labels(model, [*ours.vocabulary, ours.bos, ours.pad], inner),
        DOCUMENT: provenance(model),
    }
    for name, data in documents.items():
        write_json(folder / name, data)
    text = json.dumps(ours.text([0, len(ours.vocabulary) - 1][: model.config.max_length]), ensure_ascii=False)
    return Page(_USAGE.replace("TEXT", text).replace("DTYPE", model.config.dtype), {"library_name": "transformer-lens"})


_USAGE = """
```python
import json
import torch
from safetensors.torch import load_file
from transformer_lens.config import TransformerBridgeConfig
from transformer_lens.model_bridge import TransformerBridge
from transformers import AutoTokenizer

config = TransformerBridgeConfig(**json.load(open("config.json")), dtype=torch.DTYPE)
model = TransformerBridge.boot_native(config, dtype=torch.DTYPE)
model.load_state_dict(load_file("model.safetensors"))
model.tokenizer = AutoTokenizer.from_pretrained(".")
model.labels = json.load(open("labels.json"))       # columns, heads, neurons, tokens, logits

tokens = model.to_tokens(TEXT)                      # position 0 is BOS
logits, cache = model.run_with_cache(tokens)
print([model.labels["logits"][0][i] for i in logits[0, 1:, : len(model.labels["logits"][0])].argmax(-1)])
```

The logits of the outputs stand one after the other; `model.labels["logits"]` has the values of each.
`model.labels["columns"]` names the columns of the residual stream, `["heads"][layer][head]` and
`["neurons"][layer][neuron]` say what each is for. Layers were filled up with zeros to one shape; what is "unused" does
nothing. `provenance.json` holds the circuit: who reads what whom wrote, with the names of the hooks.
"""


def load(model: Transformer, folder: Path) -> Forward:
    """The forward pass of the bridge; the mask hides padding, BOS stands in front."""
    bridge = open_bridge(folder)
    bos = model.config.d_vocab - 1

    def run(inputs: Sequence[Sequence[int]]) -> list[Tensor]:
        ids, mask = padded([[bos, *tokens] for tokens in inputs])
        with torch.no_grad():
            logits = bridge(ids, attention_mask=mask)
        return cut(logits[:, 1:], inputs)

    return run


def open_bridge(folder: str | Path) -> Any:
    """The `TransformerBridge` in a folder, with its labels, in the dtype of its weights."""
    from safetensors.torch import load_file
    from transformer_lens.config import TransformerBridgeConfig
    from transformer_lens.model_bridge import TransformerBridge
    from transformers import AutoTokenizer

    folder = Path(folder)
    weights = load_file(folder / WEIGHTS)
    dtype = weights["embed.weight"].dtype
    config = TransformerBridgeConfig(**json.loads((folder / CONFIG).read_text(encoding="utf-8")), dtype=dtype)
    bridge = TransformerBridge.boot_native(config, dtype=dtype)  # type: ignore[attr-defined]
    bridge.load_state_dict(weights)
    bridge.tokenizer = AutoTokenizer.from_pretrained(folder)  # given to boot_native, it would be tried with an "a"
    bridge.labels = json.loads((folder / LABELS).read_text(encoding="utf-8"))
    return bridge


def _config(model: Transformer, inner: Uniform) -> dict[str, Any]:
    """Arguments of `TransformerBridgeConfig`. One embedding more than the native model has, for padding."""
    config = model.config
    return {
        "d_model": config.d_model,
        "n_layers": len(inner.layers),
        "n_heads": inner.n_heads,
        "d_head": inner.d_head,
        "d_mlp": inner.d_mlp,
        "n_ctx": config.n_ctx,
        "d_vocab": config.d_vocab + 1,
        "d_vocab_out": config.d_vocab_out,
        "act_fn": "relu",
        "attention_dir": "causal" if config.causal else "bidirectional",
        "normalization_type": None,
        "init_weights": False,
    }


def _state(model: Transformer, inner: Uniform) -> Iterator[tuple[str, Tensor]]:
    """The tensors by the bridge's names; its matrices are [out, in]. Only the native columns."""
    own = slice(model.config.d_model)
    yield "embed.weight", torch.cat([inner.W_E[:, own], torch.zeros(1, model.config.d_model)])
    yield "pos_embed.weight", inner.W_pos[:, own]
    yield "unembed.weight", inner.W_U[own].T
    yield "unembed.bias", torch.zeros(model.config.d_vocab_out)
    for number, layer in enumerate(inner.layers):
        attn, mlp = f"blocks.{number}.attn", f"blocks.{number}.mlp"
        for letter in "QKV":
            weight = getattr(layer, f"W_{letter}")[own].T
            yield f"{attn}.{letter.lower()}.weight", weight
            yield f"{attn}.{letter.lower()}.bias", torch.zeros(len(weight))
        yield f"{attn}.o.weight", layer.W_O[:, own].T
        yield f"{attn}.o.bias", torch.zeros(model.config.d_model)
        yield f"{mlp}.in.weight", layer.W_in[own].T
        yield f"{mlp}.in.bias", layer.b_in
        yield f"{mlp}.out.weight", layer.W_out[:, own].T
        yield f"{mlp}.out.bias", torch.zeros(model.config.d_model)


def labels(model: Transformer, tokens: Sequence[str], inner: Uniform) -> dict[str, Any]:
    """What every column, head, neuron, token id and logit is, by number."""
    known = [*model.labels["layers"], *[{"heads": [], "neurons": []}] * len(inner.layers)][: len(inner.layers)]
    return {
        "columns": model.labels["columns"],
        "heads": [_filled([head["purpose"] for head in layer["heads"]], inner.n_heads) for layer in known],
        "neurons": [_filled([neuron["does"] for neuron in layer["neurons"]], inner.d_mlp) for layer in known],
        "tokens": list(tokens),
        "outputs": [output.name for output in model.config.outputs],
        "logits": [list(output.values) for output in model.config.outputs],
    }


def _filled(names: list[str], count: int) -> list[str]:
    return names + [UNUSED] * (count - len(names))
