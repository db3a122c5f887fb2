"""Loops: the end of a round, at which the stream is as it was at the beginning, but for what is carried (C44).

In: a circuit whose layers from one on are a round. Out: the same with neurons in the round's last layer that put what is
carried where it began, and take away all else that the round has written.
Invariant: behind a round, a direction that it writes holds what it held before; a carried one holds what the round made
of it; and at BOS nothing has changed at all.

    L3N0 carries cell: relu(cell.2 - cell) * 1 -> cell
    L3N1 carries cell: relu(-cell.2 + cell) * -1 -> cell
    L3N2 erases cell.2: relu(cell.2) * -1 -> cell.2
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction

from compiler.circuit.circuit import Carry, Circuit
from compiler.circuit.layer import Layer, Neuron, Stream
from compiler.numbers.direction import BOS, Direction, Form


def carriers(carry: Carry, at_bos: Fraction) -> Iterator[Neuron]:
    """Neurons that add what a round ends with less what it began with; `at_bos` is what that comes to at BOS."""
    change = carry.after - Form.of(carry.direction) - Form({BOS: at_bos})
    for sign in (1, -1):
        yield Neuron((f"carries {carry.direction}",), change * sign, ((carry.direction, Fraction(sign)),))


def with_carriers(circuit: Circuit) -> Circuit:
    """The circuit with what is carried put into its place by the last layer of a round."""
    repeat = circuit.repeat
    assert repeat is not None
    bos = circuit.bos()
    found = [
        neuron
        for carry in repeat.carries
        for neuron in carriers(carry, (carry.after - Form.of(carry.direction)).at(bos))
    ]
    last = replace(circuit.layers[repeat.stop - 1], carriers=found)
    return _with_last(circuit, last)


def restored(circuit: Circuit, inexact: Collection[Direction] = ()) -> Circuit:
    """The circuit with all else that a round writes taken away again; of what is `inexact`, whatever sign it has."""
    repeat = circuit.repeat
    if repeat is None:
        return circuit
    written = dict.fromkeys(d for layer in circuit.layers[repeat.start : repeat.stop] for d in layer.writes())
    bos, taken = circuit.bos(), circuit.carried()
    found: list[Neuron] = []
    for direction in written:
        if direction not in repeat.carried:
            found += _restoring(circuit, direction, bos, taken, direction in inexact)
    return _with_last(circuit, replace(circuit.layers[repeat.stop - 1], erasers=found))


def _with_last(circuit: Circuit, last: Layer) -> Circuit:
    assert circuit.repeat is not None
    place = circuit.repeat.stop - 1
    return replace(circuit, layers=(*circuit.layers[:place], last, *circuit.layers[place + 1 :]))


def _restoring(
    circuit: Circuit, direction: Direction, bos: Stream, taken: Mapping[Direction, int], inexact: bool
) -> Iterator[Neuron]:
    """Neurons that take a value away, and put the offset back that it was rounded by."""
    low, high = circuit.ranges[direction]
    offset = circuit.offsets.get(direction, Fraction(0))
    is_there = offset != 0 and taken[direction] == circuit.never
    read = Form.of(direction) - Form.constant(offset if is_there else 0)
    at_bos = read.at(bos)
    for sign, needed in ((1, max(high, at_bos) > 0), (-1, min(low, at_bos) < 0)):
        if needed or inexact:
            yield Neuron((f"erases {direction}",), read * sign, ((direction, Fraction(-sign)),))
    if offset and not is_there:
        yield Neuron((f"offset of {direction}",), Form.constant(1), ((direction, offset),))
