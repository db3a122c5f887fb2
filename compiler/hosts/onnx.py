"""The host onnx: the native model as an ONNX graph, `model.onnx`, for onnxruntime and whatever else reads ONNX.

In: a native model in float32 or float64. Out: `model.onnx`, and its forward pass in onnxruntime; of a model with an
encoder `encoder.onnx` and `decoder.onnx`.
Invariant: one graph for every batch and every length up to max_length; vocabulary and output values are in the file.

    InferenceSession("model.onnx").run(["logits"], {"token_ids": ..., "attention_mask": ...})
"""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from compiler.hosts import Page, Tapes
from compiler.hosts.meaning import meaning, shown_source
from compiler.hosts.tracing import Part, both, cut, padded, parts
from compiler.model import ModelError, Transformer
from compiler.numbers.precision import PRECISIONS

if TYPE_CHECKING:
    from compiler.hosts import Forward

SUFFIX = ".onnx"


def write(model: Transformer, folder: Path) -> Page:
    """Convert the traced model, or its two parts. Raises `ModelError` for precisions that onnxruntime lacks."""
    if PRECISIONS[model.config.dtype].is_half:
        raise ModelError(
            f"onnxruntime computes {model.config.dtype} in part only", "compile the program in float32 or float64"
        )
    told = {key: json.dumps(value) for key, value in meaning(model).items()}
    for part in parts(model):
        _save(part, told, folder / f"{part.name}{SUFFIX}")
    if model.config.encoder is None:
        return Page(_USAGE.format(file=f"model{SUFFIX}"))
    code = _DECODING.format(suffix=SUFFIX, shown=shown_source(model.config))
    return Page(code, about="two ONNX graphs, encoder and decoder")


def _save(part: Part, told: dict[str, str], path: Path) -> None:
    """Convert a part and write its graph."""
    import onnx

    with _quiet():
        converted = torch.onnx.export(
            part.traced(), dynamo=True, verbose=False, output_names=part.outputs, dynamic_shapes=part.names()
        )
    assert converted is not None
    graph = converted.model_proto
    for node in graph.graph.node:
        del node.metadata_props[:]
    onnx.helper.set_model_props(graph, told)
    onnx.checker.check_model(graph)
    onnx.save(graph, path)


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


_DECODING = """
```python
import json
import numpy as np
import onnxruntime

encoder, decoder = (onnxruntime.InferenceSession(name + "{suffix}") for name in ("encoder", "decoder"))
told = {{key: json.loads(text) for key, text in decoder.get_modelmeta().custom_metadata_map.items()}}

ids = np.array([[told["source"]["vocabulary"].index(token) for token in {shown}]])
memory, memory_mask = encoder.run(None, {{"source_ids": ids, "source_mask": np.ones_like(ids)}})
target, written = [told["target"]["vocabulary"].index(told["target"]["start"])], []
while target[-1] is not None and len(written) < told["target"]["max_length"]:
    ids = np.array([target])
    given = {{"target_ids": ids, "target_mask": np.ones_like(ids), "memory": memory, "memory_mask": memory_mask}}
    best = decoder.run(["logits"], given)[0][0, -1].argmax()
    written.append(told["values"][best])
    target.append(told["next"][best])               # None where the target ends
print(written)
```

Sources, and targets, of several lengths go through together: masks have 1 for a token and 0 for padding on the right.
"""


def load(model: Transformer, folder: Path) -> Forward | Tapes:
    """The forward pass in onnxruntime, on the processor, with its usual optimisations."""
    if model.config.encoder is None:
        run, _ = _opened(folder, "model")
        return lambda inputs: cut(run(*padded(inputs))[0], inputs)
    encode, _ = _opened(folder, "encoder")
    decode, told = _opened(folder, "decoder")
    return both(told, encode, lambda *given: decode(*given)[0])


def _opened(folder: Path, part: str) -> tuple[Callable[..., list[Tensor]], dict[str, Any]]:
    """What a graph computes of its inputs, and what is kept in its file."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(folder / f"{part}{SUFFIX}"), providers=["CPUExecutionProvider"])

    def run(*given: Tensor) -> list[Tensor]:
        named = zip(session.get_inputs(), given, strict=True)
        found = session.run(None, {one.name: tensor.numpy() for one, tensor in named})
        return [torch.from_numpy(array) for array in found]

    return run, {key: json.loads(text) for key, text in session.get_modelmeta().custom_metadata_map.items()}


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
