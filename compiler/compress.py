"""Compression: the embedding's directions become as few columns as they have dimensions.

In: a circuit whose embedding writes many functions of the token (and of the position). Out: the same circuit over a
basis of them; every other function is a form over the basis, and nothing is written that nobody reads.
Equal neurons of a layer become one.
Invariant: every reading keeps its value, exactly. Indicators are taken into the basis first, so that the forms of the
others have the plain function values as coefficients.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from compiler.circuit import Circuit, Head, Layer, Neuron
from compiler.direction import ONE, Direction, Form

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
    places = {d: place for d, column in columns.items() if (place := _indicated(column)) is not None}
    if columns and len(places) == len(next(iter(columns.values()))):
        by_place = {place: direction for direction, place in places.items()}
        forms = {
            d: Form({by_place[place]: value for place, value in enumerate(column) if value})
            for d, column in columns.items()
            if d not in places
        }
        return {by_place[place]: columns[by_place[place]] for place in sorted(by_place)}, forms
    if len(columns) > FEW:
        return dict(columns), {}
    return _eliminated(columns, [*places, *(d for d in columns if d not in places)])


def _indicated(column: Column) -> int | None:
    """Where a column is 1, if it is 0 everywhere else."""
    places = [place for place, value in enumerate(column) if value]
    return places[0] if len(places) == 1 and column[places[0]] == 1 else None


def _eliminated(
    columns: Mapping[Direction, Column], order: Sequence[Direction]
) -> tuple[dict[Direction, Column], dict[Direction, Form]]:
    basis: dict[Direction, Column] = {}
    forms: dict[Direction, Form] = {}
    span = _Span(len(next(iter(columns.values()), ())))
    for direction in order:
        factors = span.factors(columns[direction])
        form = None if factors is None else Form(dict(zip([ONE, *span.directions], factors, strict=True)))
        if form is None:
            span.directions.append(direction)
            basis[direction] = columns[direction]
        elif all(_is_dyadic(coefficient) for coefficient in form.terms.values()):
            forms[direction] = form
        else:  # thirds would round, and equal scores must be equal to the bit
            basis[direction] = columns[direction]
    return basis, forms


def _is_dyadic(number: Fraction) -> bool:
    return number.denominator & (number.denominator - 1) == 0


class _Span:
    """The columns that the constant and independent columns span, by exact elimination.

    Of each reduced row only its entries at the pivots are kept, and how it is made of the columns: a column's factors
    follow from its entries at the pivots, and whether they are right everywhere is one product of integers.
    """

    def __init__(self, size: int) -> None:
        self.directions: list[Direction] = []  # of the columns after the constant
        self.columns: list[_Whole] = []
        self.pivots: list[int] = []
        self.rows: list[list[Fraction]] = []  # entries at the pivots: 1 at its own, 0 at earlier ones
        self.made: list[list[Fraction]] = []  # factors of the columns
        if size:
            self.factors((Fraction(1),) * size)

    def factors(self, column: Column) -> list[Fraction] | None:
        """The factors of the columns whose sum this one is; None if it is independent, and then it is taken in."""
        rest = [column[pivot] for pivot in self.pivots]
        factors = [Fraction(0)] * len(self.columns)
        for number, (row, made) in enumerate(zip(self.rows, self.made, strict=True)):
            if factor := rest[number]:
                rest = [x - factor * y if y else x for x, y in zip(rest, row, strict=True)]
                factors = [x + factor * y if y else x for x, y in zip(factors, made, strict=True)]
        new = _Whole.of(column)
        place = new.first_difference(self.columns, factors)
        if place is None:
            return factors
        self._take(new, place, factors)
        return None

    def _take(self, new: _Whole, place: int, factors: Sequence[Fraction]) -> None:
        """A row more: the column less what is spanned already, scaled to 1 at the place."""
        self.columns.append(new)
        for row, made in zip(self.rows, self.made, strict=True):
            row.append(self._at(place, made))
            made.append(Fraction(0))
        made = [*(-factor for factor in factors), Fraction(1)]
        scale = 1 / self._at(place, made)
        self.pivots.append(place)
        self.rows.append([*[Fraction(0)] * (len(self.pivots) - 1), Fraction(1)])
        self.made.append([factor * scale for factor in made])

    def _at(self, place: int, factors: Sequence[Fraction]) -> Fraction:
        terms = (f * column.at(place) for f, column in zip(factors, self.columns, strict=False) if f)
        return sum(terms, Fraction(0))


@dataclass(frozen=True)
class _Whole:
    """A column as whole multiples of one fraction."""

    multiples: npt.NDArray[Any]  # of Python's integers, which do not overflow
    unit: Fraction

    @staticmethod
    def of(column: Column) -> _Whole:
        common = math.lcm(*(value.denominator for value in column))
        multiples = [value.numerator * (common // value.denominator) for value in column]
        return _Whole(np.array(multiples, dtype=object), Fraction(1, common))

    def at(self, place: int) -> Fraction:
        """One value."""
        return self.unit * int(self.multiples[place])

    def first_difference(self, columns: Sequence[_Whole], factors: Sequence[Fraction]) -> int | None:
        """The first place at which the column is not the sum of the others times their factors."""
        weights = [self.unit, *(-f * column.unit for f, column in zip(factors, columns, strict=True))]
        common = math.lcm(*(weight.denominator for weight in weights))
        rest = sum(
            part.multiples * int(weight * common)
            for part, weight in zip([self, *columns], weights, strict=True)
            if weight
        )
        places = np.flatnonzero(rest)
        return int(places[0]) if len(places) else None


def _substituted(circuit: Circuit, forms: Mapping[Direction, Form]) -> Circuit:
    written = circuit.written()
    kept = _kept_offsets(circuit)
    variables = [
        replace(variable, read=variable.read.substitute(forms) - _offset(variable.read, kept))
        for variable in circuit.variables
    ]
    return replace(
        circuit,
        layers=tuple(
            Layer([_head(head, forms) for head in layer.heads], _shared(_neuron(n, forms) for n in layer.neurons))
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


def _kept_offsets(circuit: Circuit) -> dict[Direction, Fraction]:
    """Offsets of counts that nobody takes away, because nobody reads the count after its own layer (C19)."""
    counted = {channel.write for layer in circuit.layers for head in layer.heads for channel in head.channels}
    by_neurons = {direction for layer in circuit.layers for neuron in layer.neurons for direction, _ in neuron.writes}
    return {d: offset for d, offset in circuit.offsets.items() if d in counted - by_neurons}


def _offset(form: Form, offsets: Mapping[Direction, Fraction]) -> Form:
    return Form.constant(sum((c * offsets[d] for d, c in form.terms.items() if d in offsets), Fraction(0)))


def _head(head: Head, forms: Mapping[Direction, Form]) -> Head:
    return replace(
        head,
        parts=tuple(part.over(forms) for part in head.parts),
        channels=tuple(replace(channel, read=channel.read.substitute(forms)) for channel in head.channels),
    )


def _shared(neurons: Iterable[Neuron]) -> list[Neuron]:
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
        name = same.name if neuron.name in same.name.split("; ") else f"{same.name}; {neuron.name}"
        found[neuron.read] = Neuron(name, same.read, tuple((d, weight) for d, weight in writes.items() if weight))
    return list(found.values())


def _neuron(neuron: Neuron, forms: Mapping[Direction, Form]) -> Neuron:
    return replace(neuron, read=neuron.read.substitute(forms))
