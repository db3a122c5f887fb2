"""Steps: what the residual stream of a stack has gone through, in words.

In: the config of a network, or of its encoder. Out: the names of its steps: 0 is the embedding, then come the
sublayers of each layer, two, or three in a decoder that crosses to an encoder.
Invariant: the number of a step is its place among what `Stack.sublayers` yields.

    names(config)  ->  ["embedding", "L0 attention", "L0 cross-attention", "L0 MLP"]
"""

from __future__ import annotations

from compiler.model import Config

ONE_TAPE = ("attention", "MLP")
DECODER = ("attention", "cross-attention", "MLP")


def sublayers(config: Config) -> tuple[str, ...]:
    """The sublayers of every layer."""
    return ONE_TAPE if config.encoder is None else DECODER


def names(config: Config) -> list[str]:
    """The name of every step."""
    kinds = sublayers(config)
    return ["embedding", *(f"L{layer} {kind}" for layer in range(len(config.layers)) for kind in kinds)]
