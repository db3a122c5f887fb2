"""Channels: of what one head fetches, what is a sum of other things that it fetches needs no channel of its own.

In: a circuit. Out: for directions that a head writes, the forms over other directions of that head that they are.
Invariant: every reading keeps its value, exactly (C46).

    fetched from one key: p, p^2 and (p - 1)^2      (p - 1)^2  is  p^2 - 2 p + 1
"""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from typing import TypeAlias

from compiler.circuit.circuit import Circuit
from compiler.circuit.layer import Channel, Head, Neuron
from compiler.numbers.direction import Direction, Form
from compiler.numbers.powers import is_dyadic

Vector: TypeAlias = dict[Direction, Fraction]
EMPTY = Direction("empty")
"""Stands in a vector for what an empty row gets."""
FACTOR = 1 << 14
"""A larger factor would leave little room for what it multiplies."""


def by_channels(circuit: Circuit) -> dict[Direction, Form]:
    """The directions that are forms over what the same head fetches from one key, so that nothing is rounded."""
    writers = Counter(d for sublayer in circuit.sublayers() for reader in sublayer.readers for d in _writes(reader))
    alone = {d for d, times in writers.items() if times == 1 and d not in set(circuit.embedded())}
    heads = [head for layer in circuit.layers for head in (*layer.heads, *layer.cross)]
    found: dict[Direction, Form] = {}
    for head in heads:
        if head.single and head.mode == "mean":
            found |= _dependent([channel for channel in head.channels if channel.write in alone])
    return found


def _writes(reader: Head | Neuron) -> list[Direction]:
    return [channel.write for channel in reader.channels] if isinstance(reader, Head) else [d for d, _ in reader.writes]


def _dependent(channels: list[Channel]) -> dict[Direction, Form]:
    """Those that are sums of others and a number, as forms; the ones that read least are kept."""
    rows = [(_vector(Form.constant(1), Fraction(1)), Form.constant(1))]
    found: dict[Direction, Form] = {}
    for channel in sorted(channels, key=lambda channel: len(channel.read.terms)):
        rest, form = _reduced(_vector(channel.read, channel.default), rows)
        if rest:
            rows.append((rest, Form.of(channel.write) - form))
        elif all(is_dyadic(factor) and abs(factor.numerator) < FACTOR for factor in form.terms.values()):
            found[channel.write] = form
    return found


def _vector(read: Form, default: Fraction) -> Vector:
    """What a channel moves: how much of each direction at the key, and what an empty row gets."""
    return {**read.terms, EMPTY: default} if default else {**read.terms}


def _reduced(vector: Vector, rows: list[tuple[Vector, Form]]) -> tuple[Vector, Form]:
    """What is left of a vector when multiples of rows are taken away, and the form that stands for those."""
    form = Form()
    for row, meant in rows:
        pivot = next(iter(row))
        if factor := vector.get(pivot, Fraction(0)) / row[pivot]:
            left = {at: vector.get(at, Fraction(0)) - factor * row.get(at, Fraction(0)) for at in {**row, **vector}}
            vector = {at: number for at, number in left.items() if number}
            form = form + meant * factor
    return vector, form
