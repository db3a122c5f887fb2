"""The host onnx: the native model as an ONNX graph, `model.onnx`, for onnxruntime and whatever else reads ONNX.

In: a native model in float32 or float64. Out: `model.onnx`, and its forward pass in onnxruntime.
Invariant: one graph for every batch and every length up to max_length; vocabulary and output values are in the file.

    InferenceSession("model.onnx").run(["logits"], {"token_ids": ..., "attention_mask": ...})
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from compiler.hosts import Page
from compiler.hosts.torch_export import INPUTS, cut, meaning, padded, traced
from compiler.model import ModelError, Transformer
from compiler.numbers.precision import PRECISIONS

if TYPE_CHECKING:
    from compiler.hosts import Forward

FILE = "model.onnx"


def write(model: Transformer, folder: Path) -> Page:
    """Convert the traced model and write the graph. Raises `ModelError` for precisions that onnxruntime lacks."""
    import onnx

    if PRECISIONS[model.config.dtype].is_half:
        raise ModelError(
            f"onnxruntime computes {model.config.dtype} in part only", "compile the program in float32 or float64"
        )
    names = {0: "batch"} | ({1: "length"} if model.config.max_length > 1 else {})
    with _quiet():
        converted = torch.onnx.export(
            traced(model),
            dynamo=True,
            verbose=False,
            output_names=["logits"],
            dynamic_shapes=dict.fromkeys(INPUTS, names),
        )
    assert converted is not None
    graph = converted.model_proto
    for node in graph.graph.node:
        del node.metadata_props[:]
    onnx.helper.set_model_props(graph, {key: json.dumps(value) for key, value in meaning(model.config).items()})
    onnx.checker.check_model(graph)
    onnx.save(graph, folder / FILE)
    return Page(_USAGE.format(file=FILE))


_USAGE = """
```python
import json
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("{file}")
meaning = {{key: json.loads(text) for key, text in session.get_modelmeta().custom_metadata_map.items()}}
token_ids = np.array([[1, 0], [0, 0]])              # places in meaning["vocabulary"]; padding on the right
attention_mask = np.array([[1, 1], [1, 0]])         # 1 for a token, 0 for padding
[logits] = session.run(["logits"], {{"token_ids": token_ids, "attention_mask": attention_mask}})
start = 0                                           # logits: [batch, length, values of all outputs in a row]
for output in meaning["outputs"]:
    stop = start + len(output["values"])
    print(output["name"], [[output["values"][i] for i in row] for row in logits[..., start:stop].argmax(-1)])
    start = stop
```
"""


def load(model: Transformer, folder: Path) -> Forward:
    """The forward pass in onnxruntime, on the processor, with its usual optimisations."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(folder / FILE), providers=["CPUExecutionProvider"])

    def run(inputs: Sequence[Sequence[int]]) -> list[Tensor]:
        given = zip(INPUTS, padded(inputs), strict=True)
        [logits] = session.run(["logits"], {name: tensor.numpy() for name, tensor in given})
        return cut(torch.from_numpy(logits), inputs)

    return run


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what torch's exporter says about packages of its own and about its own old calls."""
    logger = logging.getLogger("torch.onnx")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", UserWarning)
            yield
    finally:
        logger.setLevel(before)
