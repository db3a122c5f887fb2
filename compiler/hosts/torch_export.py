"""The host torch-export: the native model as one traced program, `model.pt2`, that needs torch and nothing of ours.

In: a native model. Out: `model.pt2`, which `torch.export.load` opens, and its forward pass.
Invariants: one graph for every batch and every length up to max_length, without file names of the machine it is made
on; autocast around it changes nothing.

    torch.export.load("model.pt2").module()(token_ids, attention_mask) -> logits [batch, length, d_vocab_out]
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from compiler.hosts import Page
from compiler.model import Config, Transformer

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from compiler.hosts import Forward

FILE = "model.pt2"
INPUTS = ("token_ids", "attention_mask")
MEANING = "meaning.json"
"""The name under which vocabulary and output values are kept inside the file."""
_PLACES = ("stack_trace", "source_fn_stack", "nn_module_stack", "from_node", "custom")
"""What tracing notes about the source: file names and lines of this machine."""


def write(model: Transformer, folder: Path) -> Page:
    """Trace the model and write the program."""
    program = traced(Steady(model))
    torch.export.save(program, folder / FILE, extra_files={MEANING: json.dumps(meaning(model.config))})
    return Page(_USAGE.format(file=FILE, name=MEANING))


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


def load(model: Transformer, folder: Path) -> Forward:
    """The forward pass of the program in the file."""
    program = torch.export.load(folder / FILE).module()

    def run(inputs: Sequence[Sequence[int]]) -> list[Tensor]:
        with torch.no_grad():
            return cut(program(*padded(inputs)), inputs)

    return run


class Steady(Transformer):
    """A model whose graph switches autocast off: nothing in it could refuse to run there."""

    def __init__(self, model: Transformer) -> None:
        self.share(model)

    def forward(
        self,
        token_ids: Tensor,
        attention_mask: Tensor | None = None,
        target_ids: Tensor | None = None,
        target_mask: Tensor | None = None,
    ) -> Tensor:
        """The model's forward pass, on a processor or a graphics card."""
        with torch.autocast("cpu", enabled=False), torch.autocast("cuda", enabled=False):
            return super().forward(token_ids, attention_mask, target_ids, target_mask)


def traced(model: Transformer) -> ExportedProgram:
    """The model's forward pass as a graph over token ids and attention mask, both int64 [batch, length]."""
    length = min(3, model.config.max_length)
    example = (torch.zeros(2, length, dtype=torch.int64), torch.ones(2, length, dtype=torch.int64))
    sizes: dict[int, Any] = {0: torch.export.Dim("batch", min=1)}
    if model.config.max_length > 1:
        sizes[1] = torch.export.Dim("length", min=1, max=model.config.max_length)
    program = torch.export.export(model, example, dynamic_shapes=dict.fromkeys(INPUTS, sizes))
    for module in program.graph_module.modules():
        if isinstance(module, torch.fx.GraphModule):
            for node in module.graph.nodes:
                for key in _PLACES:
                    node.meta.pop(key, None)
    return program


def meaning(config: Config) -> dict[str, Any]:
    """What token ids and logits stand for."""
    return {
        "vocabulary": list(config.vocabulary),
        "max_length": config.max_length,
        "outputs": [{"name": output.name, "values": list(output.values)} for output in config.outputs],
    }


def padded(inputs: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Inputs of different lengths as one batch: token ids and mask [batch, length]."""
    longest = max(map(len, inputs))
    ids = [[*tokens, *[0] * (longest - len(tokens))] for tokens in inputs]
    mask = [[1] * len(tokens) + [0] * (longest - len(tokens)) for tokens in inputs]
    return torch.tensor(ids), torch.tensor(mask)


def cut(logits: Tensor, inputs: Sequence[Sequence[int]]) -> list[Tensor]:
    """The logits of each input, without those of its padding."""
    return [row[: len(tokens)] for row, tokens in zip(logits, inputs, strict=True)]
