"""What the Hugging Face hosts share: writing a folder for `from_pretrained`, and running it.

In: a `transformers` configuration and a state dict. Out: `config.json`, `model.safetensors`; a `Forward` over tokenizer
and model as `from_pretrained` makes them from the folder.
Invariant: the weights are float32, nothing is left as the library initialised it, and no code travels with the folder.

    save(BertConfig(...), BertForTokenClassification, state, folder)
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from compiler.hosts.tokenizer import Words
from compiler.model import ModelError, Transformer
from compiler.numbers.precision import FLOAT32, PRECISIONS

if TYPE_CHECKING:
    from compiler.hosts import Forward

EPSILON, GAIN = 2.0**100, 2.0**50
"""A norm with this epsilon and this weight does not divide: gain / sqrt(variance + epsilon) = 1."""


def require_float32(model: Transformer, name: str) -> None:
    """Narrower weights are float32 weights too; wider ones would be cut off."""
    if PRECISIONS[model.config.dtype].bits > FLOAT32.bits:
        raise ModelError(
            f"the host {name} holds float32, the model is {model.config.dtype}", "compile it for float32, or use onnx"
        )


def require_causal(model: Transformer, name: str) -> None:
    """A position of a causal host sees what stands before it."""
    if not model.config.causal:
        raise ModelError(
            f"the program looks at later positions, which {name} cannot: it is a causal host",
            "export it to bert or mobilebert, or compile it with --attention causal if that is what it means",
        )


def require_bidirectional(model: Transformer, name: str) -> None:
    """Every position of an encoder sees the whole input."""
    if model.config.causal:
        raise ModelError(
            f"the program was compiled with causal attention, and every position of {name} sees the whole input",
            "export it to gpt2 or llama, or compile it with --attention bidirectional",
        )


def save(
    config: Any, kind: Any, state: Mapping[str, Tensor], folder: Path, extra: Mapping[str, Any] | None = None
) -> None:
    """Write the model. `extra`: keys of config.json that not every supported version of the library writes.

    What is one tensor under several names is stored once.
    """
    with torch.device("meta"):  # no memory, no random numbers: every weight comes from the state dict
        host = kind(config)
    stored = {id(tensor): tensor.float().contiguous() for tensor in state.values()}
    host.load_state_dict({name: stored[id(tensor)] for name, tensor in state.items()}, assign=True)
    with no_progress_bars():
        host.save_pretrained(folder)
    path = folder / "config.json"
    written = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**written, **(extra or {})}, indent=2, ensure_ascii=False), encoding="utf-8")


def rows(embedding: Tensor, size: int) -> Tensor:
    """[size, width]: an id that is no input has a row of zeros."""
    result = torch.zeros(size, embedding.shape[1], dtype=embedding.dtype)
    result[: len(embedding)] = embedding
    return result


def norm(name: str, width: int, gain: float = GAIN) -> Iterator[tuple[str, Tensor]]:
    """A norm that does not divide."""
    yield f"{name}.weight", torch.full((width,), gain)
    yield f"{name}.bias", torch.zeros(width)


def linear(name: str, weight: Tensor, bias: Tensor | None = None) -> Iterator[tuple[str, Tensor]]:
    """An `nn.Linear`, which holds its matrix as [out, in]."""
    yield f"{name}.weight", weight.T
    yield f"{name}.bias", torch.zeros(weight.shape[1]) if bias is None else bias


def conv1d(name: str, weight: Tensor, bias: Tensor | None = None) -> Iterator[tuple[str, Tensor]]:
    """A `Conv1D` of GPT-2, which holds its matrix as [in, out]."""
    yield f"{name}.weight", weight
    yield f"{name}.bias", torch.zeros(weight.shape[1]) if bias is None else bias


@contextmanager
def no_progress_bars() -> Iterator[None]:
    """The library shows a bar for every file, however small."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


@contextmanager
def no_warnings() -> Iterator[None]:
    """The library says of T5 that embeddings are not tied which it expects to be, and of GPT-2 that targets which
    have ended are not masked while others are written."""
    from transformers.utils import logging

    told = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(told)


def pretrained(kind: Any, folder: Path) -> Any:
    """The model in a folder, with its own class, in evaluation mode."""
    with no_progress_bars():
        return kind.from_pretrained(folder).eval()


def forward(words: Words, model: Any, tokenizer: Any, choose: Callable[[Tensor], Tensor]) -> Forward:
    """The host's forward pass, from the text of an input. `choose`: from the host's logits to the native ones."""

    @torch.no_grad()
    def run(inputs: Sequence[Sequence[int]]) -> list[Tensor]:
        found = tokenizer([words.text(ids) for ids in inputs], padding=True, padding_side="right", return_tensors="pt")
        logits = model(input_ids=found["input_ids"], attention_mask=found["attention_mask"]).logits
        rows = zip(inputs, found["input_ids"], found["attention_mask"], logits, strict=True)
        return [choose(_own(words, *row)) for row in rows]

    return run


def _own(words: Words, ids: Sequence[int], read: Tensor, mask: Tensor, logits: Tensor) -> Tensor:
    """The logits of the tokens of one input: without BOS and padding. Its text must have been read as it was meant."""
    if read[mask.bool()].tolist() != [words.bos_id, *ids]:
        raise ModelError(f"the tokenizer reads {words.text(ids)!r} as other tokens", "choose other tokens")
    return logits[mask.bool()][1:]
