"""Loops: the end of a round, at which the stream is as it was at the beginning, but for what is carried (C44).

In: a circuit whose layers from one on are a round. Out: the same with neurons in the round's last layer that put what
is carried where it began, and take away all else that the round has written.
Invariant: behind a round, a direction that it writes holds what it held before; a carried one holds what the round made
of it; and at BOS nothing has changed at all.

    L3N0 carries cell: relu(cell.2 - cell) * 1 -> cell
    L3N1 carries cell: relu(-cell.2 + cell) * -1 -> cell
    L3N2 erases cell.2: relu(cell.2) * -1 -> cell.2
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from compiler.circuit.circuit import Carry, Circuit, Computed, Repeat
from compiler.circuit.layer import Layer, Neuron, Stream
from compiler.circuit.walk import Exact, walk
from compiler.numbers.direction import BOS, ONE, Direction, Form


def carriers(circuit: Circuit, carry: Carry, bos: Stream) -> Iterator[Neuron]:
    """Neurons that add what a round ends with less what it began with, and at BOS nothing."""
    copies = [
        Neuron(neuron.names, neuron.read, ((carry.direction, weight * part.factor),))
        for part in carry.computed
        for neuron, weight in part.neurons
    ]
    change = carry.after - Form.of(carry.direction)
    copied = sum((max(one.read.at(bos), Fraction(0)) * one.writes[0][1] for one in copies), Fraction(0))
    change -= Form({BOS: change.at(bos) + copied})
    yield from copies
    low, high = _ends(circuit, change)
    for sign, needed in ((1, max(high, -copied) > 0), (-1, min(low, -copied) < 0)):
        if needed:
            yield Neuron((f"carries {carry.direction}",), change * sign, ((carry.direction, Fraction(sign)),))


def _ends(circuit: Circuit, form: Form) -> tuple[Fraction, Fraction]:
    """Numbers between which a form is at every token, in any round."""
    assert circuit.repeat is not None
    numbers = {carry.direction: carry.numbers for carry in circuit.repeat.carries}
    low = high = form.terms.get(ONE, Fraction(0))
    for direction, factor in form.terms.items():
        if direction not in (ONE, BOS):
            ends = sorted(factor * end for end in _range(circuit, direction, numbers.get(direction, ())))
            low, high = low + ends[0], high + ends[-1]
    return low, high


def _range(circuit: Circuit, direction: Direction, numbers: Sequence[Fraction]) -> list[Fraction]:
    """The ends of what a direction holds: of what is carried, these numbers; else of what is written and embedded."""
    if numbers:
        return [min(numbers), max(numbers)]
    low, high = circuit.ranges.get(direction, (Fraction(0), Fraction(0)))
    for part in (circuit.tokens, circuit.positions):
        if direction in part:
            low, high = low + min(part[direction]), high + max(part[direction])
    offset = circuit.offsets.get(direction, Fraction(0))
    return [min(low, low + offset), max(high, high + offset)]


def with_carriers(circuit: Circuit) -> Circuit:
    """The circuit with what is carried put into its place by the last layer of a round."""
    repeat = circuit.repeat
    assert repeat is not None
    bos = _bos_at_end(circuit, repeat)
    found = [neuron for carry in repeat.carries for neuron in carriers(circuit, carry, bos)]
    return _with_last(circuit, replace(circuit.layers[repeat.stop - 1], carriers=shared(found)))


def hastened(circuit: Circuit) -> Circuit:
    """The circuit of a loop in which the last layer but one of a round carries: what its neurons compute is added to
    what is carried at once."""
    repeat = circuit.repeat
    if repeat is None or repeat.stop - repeat.start < 2 or circuit.layers[repeat.stop - 1].neurons:
        return circuit
    place = repeat.stop - 2
    neurons = circuit.layers[place].neurons
    before = {*circuit.at_first(), *(d for layer in circuit.layers[:place] for d in layer.writes())}
    before |= {channel.write for head in circuit.layers[place].heads for channel in head.channels}
    carries = tuple(_at_once(carry, neurons, before) for carry in repeat.carries)
    if any(part.direction in circuit.offsets for carry in carries for part in carry.computed):
        return circuit  # it is rounded where it is added (C19), and nowhere else
    layers = (*circuit.layers[: place + 1], *circuit.layers[place + 2 :])
    return with_carriers(replace(circuit, layers=layers, repeat=replace(repeat, stop=repeat.stop - 1, carries=carries)))


def _at_once(carry: Carry, neurons: Sequence[Neuron], before: Collection[Direction]) -> Carry:
    """What is carried, as it is before some neurons, and what these compute of it."""
    after, computed = carry.after, []
    for direction, factor in carry.after.terms.items():
        group = [(neuron, weight) for neuron in neurons for d, weight in neuron.writes if d is direction]
        constant = [(neuron, weight) for neuron, weight in group if neuron.read.terms.keys() <= {ONE}]
        for neuron, weight in constant:
            after += Form.constant(max(neuron.read.at({ONE: Fraction(1)}), Fraction(0)) * weight * factor)
        if varying := tuple(one for one in group if one not in constant):
            computed.append(Computed(direction, factor, varying))
        if direction not in before:
            after -= Form({direction: factor})
    return replace(carry, after=after, computed=tuple(computed))


def restored(circuit: Circuit, inexact: Collection[Direction] = ()) -> Circuit:
    """The circuit with all else that a round writes taken away again; of what is `inexact`, whatever sign it has."""
    repeat = circuit.repeat
    if repeat is None:
        return circuit
    written = dict.fromkeys(d for layer in circuit.layers[repeat.start : repeat.stop] for d in layer.writes())
    circuit = _with_offsets_on(circuit, repeat)
    bos, taken = _bos_at_end(circuit, repeat), circuit.carried()
    found: list[Neuron] = []
    for direction in written:
        if direction not in repeat.carried:
            found += _restoring(circuit, direction, bos, taken, direction in inexact)
    return _with_last(circuit, replace(circuit.layers[repeat.stop - 1], erasers=found))


def _bos_at_end(circuit: Circuit, repeat: Repeat) -> Stream:
    """What BOS holds where the neurons of a round's last layer read it."""
    states = [*walk(circuit, Exact(circuit, [], erasing=False))]
    return states[circuit.slots.time(repeat.stop, "self")][0]


def _with_offsets_on(circuit: Circuit, repeat: Repeat) -> Circuit:
    """The circuit without taking offsets away in the last layer of a round: the next one adds to them again."""
    last, time = circuit.layers[repeat.stop - 1], circuit.slots.time(repeat.stop, "mlp")
    kept = {d: circuit.offsets[d] for d, taken in circuit.carried().items() if taken == time}
    if not kept:
        return circuit
    neurons = [
        replace(neuron, writes=tuple(one for one in neuron.writes if one[0] not in kept))
        if neuron.read == Form.constant(1)
        else neuron
        for neuron in last.neurons
    ]
    found = _with_last(circuit, replace(last, neurons=[neuron for neuron in neurons if neuron.writes]))
    lifts = {d: Form.of(d) - Form.constant(offset) for d, offset in kept.items()}
    variables = [
        replace(one, read=one.read.substitute(lifts), over=one.over and one.over.substitute(lifts))
        for one in circuit.variables
    ]
    return replace(found, variables=tuple(found.timed(variables)))


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


def shared(neurons: Iterable[Neuron]) -> list[Neuron]:
    """Neurons of a layer that read the same are one neuron, which writes what they wrote."""
    found: dict[Form, Neuron] = {}
    for neuron in neurons:
        same = found.get(neuron.read)
        if same is None:
            found[neuron.read] = neuron
            continue
        writes = dict(same.writes)
        for direction, weight in neuron.writes:
            writes[direction] = writes.get(direction, Fraction(0)) + weight
        names = tuple(dict.fromkeys([*same.names, *neuron.names]))
        found[neuron.read] = Neuron(names, same.read, tuple((d, weight) for d, weight in writes.items() if weight))
    return list(found.values())
