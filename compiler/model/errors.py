"""Errors: what the machine refuses, and the checks that say so.

In: logits, a mask, the weights' dtypes, the settings of the process. Out: nothing, or an error that is a caller's
mistake, with what to try.
Invariant: no setting of the process is changed; what cannot be seen while a graph is traced is not looked at then.

    the logits of sorted at position 3 are not finite
      hint: numbers on the way became too large for the model: compile with a wider dtype, or a smaller max_length
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class ModelError(ValueError):
    """A caller's mistake: what is wrong (`message`) and what to try (`hint`)."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message}\n  hint: {hint}" if hint else message)
        self.message = message
        self.hint = hint


class NotFiniteError(ModelError):
    """There is no best value: on this input some of the logits are infinite, or no numbers."""

    def __init__(self, what: str, position: int) -> None:
        super().__init__(
            f"{what} at position {position} are not finite",
            "numbers on the way became too large for the model: compile with a wider dtype, or a smaller max_length",
        )


def require_one_tape(has_source: bool, what: str) -> None:
    """Refuse a program or a model with a source, where something knows nothing of two tapes yet."""
    if has_source:
        raise ModelError(
            f"{what} knows one tape so far, and this reads a source and a target",
            "`rasp run`, `rasp info`, `rasp view`, `rasp verify` and `rasp check` know both",
        )


def dtypes(module: nn.Module) -> set[torch.dtype]:
    """Those of all weights. To ask `parameters()` takes ten times as long."""
    modules, found = [module], set()
    while modules:
        module = modules.pop()
        for child in module._modules.values():
            if child is not None:
                modules.append(child)
        for tensor in module._parameters.values():
            if tensor is not None:
                found.add(tensor.dtype)
    return found


def require_precision(device: str, dtype: torch.dtype) -> None:
    """Refuse to run where torch was told to round products more than the model was compiled for.

    Such settings are the process's, not the model's, so they are not changed here behind its back.
    """
    if setting := _coarse_setting(device, dtype):
        raise ModelError(f"{setting[0]}, which rounds more than the model was compiled for", setting[1])


def _coarse_setting(device: str, dtype: torch.dtype) -> tuple[str, str] | None:
    """The setting of the process that makes products coarse, and how to take it back.

    A compiled graph asks once; torch makes a new one when autocast or the precision of products changes.
    """
    if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
        return "autocast is on", "run the model outside of it"
    backend = torch.backends.cuda if device == "cuda" else torch.backends.mkldnn
    if dtype == torch.float32:
        products = getattr(backend, "matmul", None)  # not in older torch, which has one setting for all
        precision = getattr(products, "fp32_precision", None) or torch.get_float32_matmul_precision()
        if precision not in ("none", "ieee", "highest"):
            return f"products of float32 are made in {precision}", 'torch.set_float32_matmul_precision("highest")'
    half = {torch.bfloat16: "bf16", torch.float16: "fp16"}.get(dtype)
    if device == "cuda" and half is not None:
        name = f"torch.backends.cuda.matmul.allow_{half}_reduced_precision_reduction"
        if getattr(torch.backends.cuda.matmul, name.rpartition(".")[-1]):
            return f"sums of {half} may be rounded on the way", f"{name} = False"
    return None


# As `torch.compiler.assume_constant_result` does, which loads the compiler: that takes as long as the rest of torch.
_coarse_setting._dynamo_marked_constant = True  # type: ignore[attr-defined]


def require_finite(logits: Tensor, output: str, start: int = 0) -> None:
    """Refuse to decide by logits [..., position, value] that are not all numbers; the first position is `start`."""
    if not all(map(math.isfinite, logits.aminmax())):
        *_, place = (~logits.isfinite()).any(-1).nonzero()[0].tolist()
        raise NotFiniteError(f"the logits of {output}", start + place)


def require_padding_on_the_right(mask: Tensor) -> None:
    """Positions are counted from the left. Not checked where there is nothing to look at: without data, in a graph."""
    if mask.device.type == "meta" or torch.compiler.is_compiling():
        return
    if (mask[:, 1:] & ~mask[:, :-1]).any():
        raise ModelError("the attention mask has padding in front of a token", "pad on the right")
