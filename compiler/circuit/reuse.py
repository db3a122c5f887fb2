"""Reuse: a column whose value nobody reads any more becomes the column of a later value (C15).

In: a circuit in which every direction has a column of its own. Out: the same circuit in which neurons set values that
are no longer read to zero, and later directions take over their columns, where that makes the model smaller.
Invariants: every value is what it was for as long as it is read; no layer is added; what the embedding writes keeps its
column until it is erased, and does not take over another's.

    L3N20 erases seen: relu(seen) * -1 -> seen
    the column of `seen` is that of `turned` from layer 4 on
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from compiler.circuit.circuit import Circuit
from compiler.circuit.layer import Neuron
from compiler.numbers.direction import Direction, Form

WORTH = {"depth": Fraction(1, 5), "balanced": Fraction(1, 5), "size": Fraction(0)}
"""The share of all parameters that must be saved: a column that means one thing is easier to look at."""


@dataclass(frozen=True)
class _Life:
    """When a direction is first written, and from which layer's MLP on it may be erased."""

    direction: Direction
    begins: int  # as in `Circuit.written`
    ends: int  # the number of the layer, counted from 1


def reuse(circuit: Circuit, optimize: str = "balanced") -> Circuit:
    """Let later directions take over the columns of earlier ones, if that saves enough; in an encoder, too."""
    if circuit.repeat is not None:  # what may be erased depends on the round
        return circuit
    if circuit.encoder is not None:
        circuit = replace(circuit, encoder=reuse(circuit.encoder, optimize))
    d_model, column = len(circuit.directions()), circuit.numbers_in_a_column()
    row = 2 * d_model + 1  # numbers of a neuron
    lives = sorted(_lives(circuit), key=lambda life: life.begins)
    dying = sorted(lives, key=lambda life: life.ends)
    homes: dict[Direction, Direction] = {}
    erasers: list[list[Neuron]] = [[] for _ in circuit.layers]
    embedded = set(circuit.embedded())
    bos = circuit.bos()
    for life in lives:
        before = circuit.slots.layer(life.begins) - 1  # the last layer that can make room for it
        while life.direction not in embedded and dying and dying[0].ends <= before:
            home = dying.pop(0).direction
            needed = list(_erasers(circuit, home, bos.get(home, Fraction(0))))
            if 0 < len(needed) * row < column:
                homes[life.direction] = home
                erasers[before - 1] += needed
                break
    saved = len(homes) * column - sum(map(len, erasers)) * row
    if saved <= WORTH[optimize] * d_model * column:
        return circuit
    layers = [replace(layer, erasers=found) for layer, found in zip(circuit.layers, erasers, strict=True)]
    return replace(circuit, layers=tuple(layers), homes=homes)


def _lives(circuit: Circuit) -> Iterator[_Life]:
    """Every direction but the two that are always there."""
    never = len(circuit.layers) + 1
    begins: dict[Direction, int] = {}
    ends = dict.fromkeys(circuit.embedded(), 1)
    begins |= dict.fromkeys(ends, 0)
    for sublayer in circuit.sublayers():
        read = [form for reader in sublayer.readers for form in reader.reads()]
        ends |= dict.fromkeys((direction for form in read for direction in form.terms), sublayer.layer)
        for direction in sublayer.writes:
            begins.setdefault(direction, sublayer.time)
            ends[direction] = sublayer.layer + circuit.slots.at(sublayer.time, "mlp")
    ends |= dict.fromkeys(circuit.decoded(), never)
    for direction, begun in begins.items():
        yield _Life(direction, begun, ends[direction])


def _erasers(circuit: Circuit, direction: Direction, at_bos: Fraction) -> Iterator[Neuron]:
    """Neurons that together take a value away to the last bit: one for what is positive, one for what is negative."""
    low, high = circuit.ranges.get(direction, (Fraction(0), Fraction(0)))
    for part in (circuit.tokens, circuit.positions):
        if direction in part:
            low, high = low + min(part[direction]), high + max(part[direction])
    offset = circuit.offsets.get(direction, Fraction(0))
    low, high = min(low + offset, low, at_bos), max(high + offset, high, at_bos)
    for sign, needed in ((1, high > 0), (-1, low < 0)):
        if needed:
            yield Neuron((f"erases {direction}",), Form({direction: sign}), ((direction, Fraction(-sign)),))
