"""Compression: the embedding's directions become as few columns as they have dimensions.

In: a circuit whose embedding writes many functions of the token (and of the position). Out: the same circuit over a
basis of them; every other function is a form over the basis, and nothing is written that nobody reads.
Invariant: every reading keeps its value, exactly. Indicators are taken into the basis first, so that the forms of the
others have the plain function values as coefficients.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

from compiler.circuit import Circuit, Head, Layer, Neuron
from compiler.direction import Direction, Form, total

Column = tuple[Fraction, ...]
FEW = 24
"""Up to this many functions the smallest basis is found by elimination; among more only full sets of indicators."""


def compress(circuit: Circuit) -> Circuit:
    """Drop what is never read, then write a basis of what is left."""
    circuit = _without_unread(circuit)
    written = {direction for layer in circuit.layers for direction in layer.writes()}
    tokens, by_token = _basis(circuit.tokens, written)
    positions, by_position = _basis(circuit.positions, written)
    return _substituted(replace(circuit, tokens=tokens, positions=positions), by_token | by_position)


def _without_unread(circuit: Circuit) -> Circuit:
    """Keep what the outputs need: going back through the layers, only what writes a direction that is read later."""
    read = {direction for output in circuit.outputs for form in output.digits for direction in form.terms}
    layers: list[Layer] = []
    for layer in reversed(circuit.layers):
        neurons = [
            replace(neuron, writes=tuple((d, weight) for d, weight in neuron.writes if d in read))
            for neuron in layer.neurons
        ]
        neurons = [neuron for neuron in neurons if neuron.writes]
        read |= {direction for neuron in neurons for direction in neuron.read.terms}
        heads = [replace(h, channels=tuple(c for c in h.channels if c.write in read)) for h in layer.heads]
        heads = [head for head in heads if head.channels]
        read |= {direction for head in heads for form in head.reads() for direction in form.terms}
        layers.append(Layer(heads, neurons))
    return replace(
        circuit,
        tokens={d: column for d, column in circuit.tokens.items() if d in read},
        positions={d: column for d, column in circuit.positions.items() if d in read},
        offsets={d: offset for d, offset in circuit.offsets.items() if d in read},
        layers=tuple(layer for layer in reversed(layers) if layer.heads or layer.neurons),
    )


def _basis(
    embedded: Mapping[Direction, Column], written: set[Direction]
) -> tuple[dict[Direction, Column], dict[Direction, Form]]:
    """Columns that span the others together with the constant, and each other column as a form over them.

    What heads or neurons write too is not a function of the token (or position) alone and stays as it is.
    """
    columns = {d: column for d, column in embedded.items() if d not in written}
    mixed = {d: column for d, column in embedded.items() if d in written}
    basis, forms = _spanning(columns)
    return basis | mixed, forms


def _spanning(columns: Mapping[Direction, Column]) -> tuple[dict[Direction, Column], dict[Direction, Form]]:
    indicators = {
        d: column for d, column in columns.items() if sorted(column)[-2:] in ([0, 1], [1]) and sum(column) == 1
    }
    if columns and len(indicators) == len(next(iter(columns.values()))):
        by_place = {column.index(1): direction for direction, column in indicators.items()}
        forms = {
            d: total(Form.of(by_place[place]) * value for place, value in enumerate(column) if value)
            for d, column in columns.items()
            if d not in indicators
        }
        return {by_place[place]: columns[by_place[place]] for place in sorted(by_place)}, forms
    if len(columns) > FEW:
        return dict(columns), {}
    return _eliminated(columns, [*indicators, *(d for d in columns if d not in indicators)])


def _eliminated(
    columns: Mapping[Direction, Column], order: Sequence[Direction]
) -> tuple[dict[Direction, Column], dict[Direction, Form]]:
    basis: dict[Direction, Column] = {}
    forms: dict[Direction, Form] = {}
    size = len(next(iter(columns.values()), ()))
    rows: list[tuple[int, Column, Form]] = []  # (pivot place, column with 1 there, how it is made)
    one = (Fraction(1),) * size
    for direction, column in ([(None, one)] if size else []) + [(d, columns[d]) for d in order]:
        made = Form.constant(1) if direction is None else Form.of(direction)
        rest, combination = column, made
        for pivot, row, how in rows:
            if factor := rest[pivot]:
                rest = tuple(x - factor * y for x, y in zip(rest, row, strict=True))
                combination = combination - how * factor
        place = next((i for i, x in enumerate(rest) if x), None)
        if place is None and direction is not None:
            form = made - combination
            if all(coefficient.denominator & (coefficient.denominator - 1) == 0 for coefficient in form.terms.values()):
                forms[direction] = form
            else:  # thirds would round, and equal scores must be equal to the bit
                basis[direction] = column
        if place is None:
            continue
        scale = 1 / rest[place]
        rows.append((place, tuple(x * scale for x in rest), combination * scale))
        if direction is not None:
            basis[direction] = column
    return basis, forms


def _substituted(circuit: Circuit, forms: Mapping[Direction, Form]) -> Circuit:
    written = circuit.written()
    variables = [replace(variable, read=variable.read.substitute(forms)) for variable in circuit.variables]
    return replace(
        circuit,
        layers=tuple(
            Layer([_head(head, forms) for head in layer.heads], [_neuron(neuron, forms) for neuron in layer.neurons])
            for layer in circuit.layers
        ),
        stairs={d: replace(stairs, read=stairs.read.substitute(forms)) for d, stairs in circuit.stairs.items()},
        outputs=tuple(
            replace(output, digits=tuple(form.substitute(forms) for form in output.digits))
            for output in circuit.outputs
        ),
        variables=tuple(
            replace(variable, ready=max((written[d] for d in variable.read.terms), default=0))
            for variable in variables
            if written.keys() >= variable.read.terms.keys()
        ),
    )


def _head(head: Head, forms: Mapping[Direction, Form]) -> Head:
    return replace(
        head,
        parts=tuple(part.over(forms) for part in head.parts),
        channels=tuple(replace(channel, read=channel.read.substitute(forms)) for channel in head.channels),
    )


def _neuron(neuron: Neuron, forms: Mapping[Direction, Form]) -> Neuron:
    return replace(neuron, read=neuron.read.substitute(forms))
