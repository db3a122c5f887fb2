"""Walks: a circuit followed from the embedding to the last layer, with whatever stands for its numbers.

In: layers, and an `Algebra`. Out: its state after the embedding and after each sublayer.
Invariant: attention comes before the MLP of its layer, and a state is what the next sublayer reads.

    exact numbers: `Exact` below;  bounds, errors and sizes: `compiler.circuit.certify`
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from functools import reduce
from typing import TYPE_CHECKING, Protocol, TypeVar

from compiler.circuit.layer import Channel, Head, Layer, Neuron, Stream
from compiler.numbers.direction import BOS, ONE
from compiler.numbers.exact import plus, times, whole

if TYPE_CHECKING:
    from compiler.circuit.circuit import Circuit

S = TypeVar("S")


class Algebra(Protocol[S]):
    """What stands for the stream, and what becomes of it."""

    def embed(self) -> S:
        """After the embedding."""

    def attend(self, state: S, number: int, heads: Sequence[Head]) -> S:
        """After some heads of a layer, whose number is counted from 0: its own ones, or those that cross."""

    def activate(self, state: S, number: int, layer: Layer) -> S:
        """After its neurons."""

    def order(self) -> Iterable[int]:
        """The numbers of the layers, in the order in which they run: those of a loop once, or round by round."""


def walk(circuit: Circuit, algebra: Algebra[S]) -> Iterator[S]:
    """The state after the embedding and after each sublayer."""
    state = algebra.embed()
    yield state
    for number in algebra.order():
        layer = circuit.layers[number]
        for name in circuit.slots.names[:-1]:
            state = algebra.attend(state, number, layer.cross if name == "cross" else layer.heads)
            yield state
        state = algebra.activate(state, number, layer)
        yield state


class Exact:
    """The stream itself, at BOS and at every token, in exact arithmetic. Without `erasing`, nothing is taken away.

    `sources` are the streams that an encoder ends with.
    """

    def __init__(
        self, circuit: Circuit, tokens: Sequence[int], erasing: bool = True, sources: Sequence[Stream] = ()
    ) -> None:
        self.circuit = circuit
        self.tokens = tokens
        self.erasing = erasing
        self.sources = sources

    def order(self) -> list[int]:
        """All rounds, unless nothing is erased: then a second one would add to what the first one has written."""
        return [*self.circuit.order(1 if not self.erasing else None)]

    def embed(self) -> list[Stream]:
        """BOS, then one position a token."""
        circuit = self.circuit
        streams: list[Stream] = [{ONE: Fraction(1), BOS: Fraction(1)} | circuit.offsets]
        for position, token in enumerate(self.tokens):
            stream = {ONE: Fraction(1)} | circuit.offsets
            for columns, place in ((circuit.tokens, token), (circuit.positions, position)):
                for direction, column in columns.items():
                    stream[direction] = stream.get(direction, Fraction(0)) + column[place]
            streams.append(stream)
        return streams

    def attend(self, state: list[Stream], number: int, heads: Sequence[Head]) -> list[Stream]:
        """Each head adds what its channels make of the selected keys."""
        after = [dict(stream) for stream in state]
        for head in heads:
            sources = self.sources if head.crosses else state
            reads = [[channel.read.at(stream) for channel in head.channels] for stream in sources]
            causal = self.circuit.causal and not head.crosses
            for query, keys in enumerate(head.rows(state, sources, causal)):
                for i, channel in enumerate(head.channels):
                    value = _reduced(head, channel, [reads[key][i] for key in keys], at_bos=query == 0)
                    after[query][channel.write] = plus(after[query].get(channel.write, whole(0)), value)
        return after

    def activate(self, state: list[Stream], number: int, layer: Layer) -> list[Stream]:
        """Each neuron adds what it reads, where that is positive."""
        neurons = layer.mlp if self.erasing else layer.neurons
        return [_activated(neurons, stream) for stream in state]


def _reduced(head: Head, channel: Channel, values: list[Fraction], at_bos: bool) -> Fraction:
    if head.mode == "sum":
        return whole(0) if at_bos else reduce(plus, values, whole(0))
    return channel.default if at_bos or not values else reduce(plus, values, whole(0)) / len(values)


def _activated(neurons: Sequence[Neuron], stream: Stream) -> Stream:
    after = dict(stream)
    for neuron in neurons:
        active = max(neuron.read.at(stream), whole(0))
        for direction, coefficient in neuron.writes:
            after[direction] = plus(after.get(direction, whole(0)), times(active, coefficient))
    return after
