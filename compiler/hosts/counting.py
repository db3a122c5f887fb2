"""Positions by counting, for architectures that have no embedding of positions.

In: a `Uniform` whose stream has room. Out: two layers to put in front, which do what W_pos does (C6, C19).
Invariant: positions do not depend on padding on the left; of an input that is too long, the excess is known.

    a head counts the tokens up to each position, the bias of its sum rounds the count; the first MLP makes of it a
    column for each position, 1 there and 0 elsewhere; the second adds that position's row of W_pos
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch

from compiler.hosts.uniform import Uniform, UniformLayer, empty

COUNTERWEIGHT = 24
"""Nats by which BOS outweighs a token in the head that counts."""
OFFSET = 1.5 * 2.0**23
"""What is added to it in float32 is rounded to a whole number."""
COLUMNS = 3
"""Columns beside those of the positions: BOS, the count, what is too much of it."""


@dataclass(frozen=True)
class Places:
    """The columns that counting needs, behind the constant, for so many positions."""

    bos: int
    n_ctx: int

    @property
    def count(self) -> int:
        """Tokens so far, above an offset until it is rounded."""
        return self.bos + 1

    @property
    def excess(self) -> int:
        """Tokens so far that are too many."""
        return self.bos + 2

    @property
    def each(self) -> slice:
        """A column for each position."""
        return slice(self.bos + COLUMNS, self.bos + COLUMNS + self.n_ctx)


def room(n_ctx: int) -> int:
    """How many columns counting needs."""
    return COLUMNS + n_ctx


def places(model: Uniform, n_ctx: int) -> Places:
    """The columns of a model that are behind its constant."""
    return Places(model.one + 1, n_ctx)


def marked(model: Uniform, own: Places, bos_id: int) -> Uniform:
    """The embedding of what is counted, over ids that have BOS among them, with room for the neurons that count."""
    W_E = model.W_E.clone()
    W_E[bos_id, own.bos] = 1
    W_E[:, own.count] = OFFSET
    d_mlp = max(model.d_mlp, own.n_ctx + 2)
    return replace(model, W_E=W_E, d_mlp=d_mlp, layers=tuple(_widened(layer, d_mlp) for layer in model.layers))


def front(model: Uniform, own: Places, head: int = 0, crosses: bool = False) -> tuple[UniformLayer, UniformLayer]:
    """Two layers that do what W_pos does; the head of this number counts, if it sees no later position."""
    d, n_ctx = head * model.d_head, len(model.W_pos)
    first, second = empty(model, crosses), empty(model, crosses)
    first.W_Q[model.one, d], first.W_K[own.bos, d] = COUNTERWEIGHT, 1
    first.W_V[model.one, d], first.W_V[own.bos, d] = 1, -1
    first.W_O[d, own.count], first.b_O[own.count] = math.exp(COUNTERWEIGHT), -OFFSET
    steps = torch.arange(-1, n_ctx + 1)  # neuron i + 1 is relu(count - i)
    first.W_in[own.count, : n_ctx + 2], first.b_in[: n_ctx + 2] = 1, -steps.double()
    for place in range(n_ctx):
        first.W_out[place : place + 3, own.each.start + place] = torch.tensor([1.0, -2.0, 1.0], dtype=torch.float64)
    first.W_out[n_ctx, own.excess] = 1  # relu(count - (n_ctx - 1))
    second.W_in[own.each.start : own.each.start + n_ctx, :n_ctx] = torch.eye(n_ctx, dtype=torch.float64)
    second.W_out[:n_ctx] = model.W_pos
    return first, second


def _widened(layer: UniformLayer, d_mlp: int) -> UniformLayer:
    """More neurons, which do nothing."""
    more = d_mlp - len(layer.b_in)
    pad = torch.nn.functional.pad
    return replace(
        layer,
        W_in=pad(layer.W_in, (0, more)),
        b_in=pad(layer.b_in, (0, more)),
        W_out=pad(layer.W_out, (0, 0, 0, more)),
    )
