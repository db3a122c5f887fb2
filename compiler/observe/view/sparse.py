"""Tensors as JSON data: mostly zeros, and few different numbers.

In: a tensor. Out: its shape, the distance from each entry that is not zero to the one before, and which number it is.
Invariant: `unpacked(packed(t))` is `t`, bit for bit but for the sign of zero, in every dtype up to float64.

    >>> packed(torch.tensor([[0.0, 2.0], [0.0, 2.0]]))
    {'shape': [2, 2], 'skip': [1, 2], 'numbers': [2.0], 'pick': [0, 0]}
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def packed(tensor: Tensor) -> dict[str, Any]:
    """The data of a tensor; numbers are the shortest decimals of their binary64 value."""
    flat = tensor.detach().cpu().double().flatten()
    places = flat.nonzero().flatten()
    numbers, pick = torch.unique(flat[places], return_inverse=True)
    skips = torch.diff(places, prepend=torch.zeros(1, dtype=places.dtype))
    return {
        "shape": list(tensor.shape),
        "skip": skips.tolist(),
        "numbers": numbers.tolist(),
        "pick": pick.tolist(),
    }


def unpacked(data: dict[str, Any]) -> Tensor:
    """The tensor, in float64."""
    found = torch.zeros(data["shape"], dtype=torch.float64)
    places = torch.tensor(data["skip"], dtype=torch.long).cumsum(0)
    numbers = torch.tensor(data["numbers"], dtype=torch.float64)
    found.view(-1)[places] = numbers[torch.tensor(data["pick"], dtype=torch.long)]
    return found
