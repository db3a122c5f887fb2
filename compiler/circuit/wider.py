"""Wider arithmetic: whether a certificate holds where the same weights run in a wider dtype.

In: a circuit in float32. Out: the names of the wider dtypes in which it is certified with the weights of float32.
Nothing is rounded more in float64, but less is rounded away: what a softmax leaves to keys that are not selected, and
what is added to an offset (C19). So circuits with offsets are not, and those of a half type, whose counts are made
whole by the rounding of a sum.
Invariant: the bounds are those of float32, with what float64 keeps and float32 does not.

    >>> import compiler, rasp
    >>> made = compiler.compile(rasp.parse('o = aggregate(select(indices, indices - 1, ==), tokens, "-");'), vocab="ab")
    >>> also(made.circuit)
    ('float64',)
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from compiler.circuit.certify import Certifier
from compiler.circuit.circuit import Circuit
from compiler.circuit.layer import Head, Neuron
from compiler.numbers.bound import SLACK, Bound
from compiler.numbers.direction import Direction
from compiler.numbers.precision import FLOAT32, FLOAT64
from compiler.numbers.rounding import unselected


def also(circuit: Circuit) -> tuple[str, ...]:
    """The wider dtypes in which the circuit's weights are right too."""
    if circuit.precision != FLOAT32 or circuit.offsets or (circuit.encoder and circuit.encoder.offsets):
        return ()
    return (FLOAT64.name,) if _Wider(circuit).certificate().ok else ()


class _Wider(Certifier):
    """The certifier of float32 over what is exact there and not in float64."""

    def head(self, head: Head) -> Iterator[tuple[Direction, Bound]]:
        """Keys that are not selected keep a weight, which float32 takes for zero: at most exp(-underflow) each."""
        defaults = [self.exact((channel.default,)).size for channel in head.channels]
        keys = self.at_keys(head)
        values = [keys.form(channel.read).size for channel in head.channels]
        kept = 2 * (keys.n + 1) * math.exp(-self.p.underflow) if head.mode == "mean" else 0.0
        for (direction, bound), size in zip(super().head(head), map(max, defaults, values), strict=True):
            error = bound.error + kept * size * SLACK
            yield direction, Bound(bound.low, bound.high, error, None if error else bound.grid, bound.spacing)

    def leak(self, head: Head, nats: float) -> float:
        """No key's weight is nothing."""
        return unselected(self.at_keys(head).n, head.sharpness(self.p) * float(head.score_gap) - nats)

    def preactivation(self, neuron: Neuron, read: Bound) -> float:
        """A difference that is exact at 24 bits is rounded at 53."""
        sizes = sum(abs(float(c)) * self.bounds[d].size for d, c in neuron.read.terms.items())
        rounding = 0.0 if read.grid else FLOAT64.sum_rounding(len(neuron.read.terms) + 1, sizes)
        return max(super().preactivation(neuron, read), rounding)
