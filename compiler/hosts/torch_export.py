"""The host torch-export: the native model as one traced program, `model.pt2`, that needs torch and nothing of ours.

In: a native model. Out: `model.pt2`, which `torch.export.load` opens, and its forward pass; of a model with an encoder
`encoder.pt2` and `decoder.pt2`.
Invariants: one graph for every batch and every length up to max_length, without file names of the machine it is made
on; autocast around it changes nothing.

    torch.export.load("model.pt2").module()(token_ids, attention_mask) -> logits [batch, length, d_vocab_out]
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from compiler.hosts import Page, Tapes
from compiler.hosts.meaning import meaning, shown_source
from compiler.hosts.tracing import both, cut, padded, parts
from compiler.model import Transformer

if TYPE_CHECKING:
    from compiler.hosts import Forward

SUFFIX = ".pt2"
MEANING = "meaning.json"
"""The name under which vocabulary and output values are kept inside the file."""


def write(model: Transformer, folder: Path) -> Page:
    """Trace the model, or its two parts, and write the programs."""
    told = json.dumps(meaning(model))
    for part in parts(model, steady=True):
        torch.export.save(part.traced(), folder / f"{part.name}{SUFFIX}", extra_files={MEANING: told})
    if model.config.encoder is None:
        return Page(_USAGE.format(file=f"model{SUFFIX}", name=MEANING))
    code = _DECODING.format(suffix=SUFFIX, name=MEANING, shown=shown_source(model.config))
    return Page(code, about="two programs of torch.export, encoder and decoder")


_USAGE = """
```python
import json
import torch

names = {{"{name}": ""}}
model = torch.export.load("{file}", extra_files=names).module()
meaning = json.loads(names["{name}"])               # the vocabulary, and the values of each output
token_ids = torch.tensor([[1, 0], [0, 0]])          # places in the vocabulary; padding on the right
attention_mask = torch.tensor([[1, 1], [1, 0]])     # 1 for a token, 0 for padding
logits = model(token_ids, attention_mask)           # [batch, length, values of all outputs in a row]
start = 0
for output in meaning["outputs"]:
    stop = start + len(output["values"])
    print(output["name"], [[output["values"][i] for i in row] for row in logits[..., start:stop].argmax(-1).tolist()])
    start = stop
```

The graph switches autocast off for itself.
"""


_DECODING = """
```python
import json
import torch

names = {{"{name}": ""}}
encoder = torch.export.load("encoder{suffix}").module()
decoder = torch.export.load("decoder{suffix}", extra_files=names).module()
told = json.loads(names["{name}"])                  # both vocabularies, and the values of the logits

ids = torch.tensor([[told["source"]["vocabulary"].index(token) for token in {shown}]])
memory, memory_mask = encoder(ids, torch.ones_like(ids))
target, written = [told["target"]["vocabulary"].index(told["target"]["start"])], []
while target[-1] is not None and len(written) < told["target"]["max_length"]:
    ids = torch.tensor([target])
    best = int(decoder(ids, torch.ones_like(ids), memory, memory_mask)[0, -1].argmax())
    written.append(told["values"][best])
    target.append(told["next"][best])               # None where the target ends
print(written)
```

Sources, and targets, of several lengths go through together: masks have 1 for a token and 0 for padding on the right.
The graphs switch autocast off for themselves.
"""


def load(model: Transformer, folder: Path) -> Forward | Tapes:
    """The forward pass of the programs in the files."""
    if model.config.encoder is None:
        run, _ = _opened(folder, "model")
        return lambda inputs: cut(run(*padded(inputs)), inputs)
    encode, _ = _opened(folder, "encoder")
    decode, told = _opened(folder, "decoder")
    return both(told, encode, decode)


def _opened(folder: Path, part: str) -> tuple[Callable[..., Any], dict[str, Any]]:
    """What a program computes, and what is kept in its file."""
    names = {MEANING: ""}
    program = torch.export.load(folder / f"{part}{SUFFIX}", extra_files=names).module()

    @torch.no_grad()
    def run(*given: Tensor) -> Any:
        return program(*given)

    return run, json.loads(names[MEANING])
