"""Units: a number of which all that a direction ever holds is a whole multiple.

In: a `Circuit`. Out: the unit of each direction, and of a form, as far as it is known.
Invariant: at the exact numbers of the circuit, BOS apart, every value is a whole multiple of its unit; where the unit
is 0, every value is.

    length is counted, so its unit is 1; a third of it has the unit 1/3; a mean of equal values has theirs, of any other
    mean none is known
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import TypeAlias

from compiler.circuit.circuit import Circuit
from compiler.circuit.layer import Layer, Stairs
from compiler.numbers.direction import BOS, ONE, Direction, Form
from compiler.numbers.grid import common_step

Units: TypeAlias = Mapping[Direction, Fraction | None]


def units(circuit: Circuit) -> dict[Direction, Fraction | None]:
    """For each direction a number of which all it ever holds is a whole multiple, BOS apart; None where none is known.

    At the exact numbers of the circuit; 0 for a direction that holds nothing but 0.
    """
    found: dict[Direction, Fraction | None] = {ONE: Fraction(1), BOS: Fraction(1)}
    for columns in (circuit.tokens, circuit.positions):
        for direction, column in columns.items():
            _join(found, direction, common_unit(column))
    for direction, offset in circuit.offsets.items():
        _join(found, direction, offset)
    for layer in circuit.layers:
        _join_layer(found, layer, circuit)
    return found


def _join_layer(found: dict[Direction, Fraction | None], layer: Layer, circuit: Circuit) -> None:
    for head in layer.heads:
        for channel in head.channels:
            read = unit_of(found, channel.read, circuit.stairs)
            if head.mode == "sum":
                _join(found, channel.write, read)
            else:
                fetched = head.single or channel.picked or channel.read.terms.keys() <= {ONE}
                _join(found, channel.write, common_unit([read, channel.default]) if fetched else None)
    stairs: set[Direction] = set()
    for neuron in layer.neurons:
        read = unit_of(found, neuron.read, circuit.stairs)
        for direction, weight in neuron.writes:
            if direction in circuit.stairs:
                stairs.add(direction)
            else:
                _join(found, direction, None if read is None else read * weight)
    for direction in stairs:
        _join(found, direction, circuit.stairs[direction].values.step)


def unit_of(units: Units, form: Form, stairs: Mapping[Direction, Stairs]) -> Fraction | None:
    """The unit of a form. What is known of each direction may not be enough: a staircase and a line of its argument."""
    plain = common_unit(None if (unit := units[d]) is None else c * unit for d, c in form.terms.items() if d != BOS)
    if plain is not None:
        return plain
    for direction, factor in form.terms.items():
        argument = {d: c for d, c in stairs[direction].read.terms.items() if d != ONE} if direction in stairs else {}
        slopes = {form.terms.get(d, Fraction(0)) / c for d, c in argument.items()}
        if len(slopes) == 1 and any(units[d] is None for d in argument):
            (slope,) = slopes
            found = stairs[direction]
            sums = found.sums(slope, factor).step
            rest = form - found.read * slope - Form({direction: factor})
            return common_unit([sums, unit_of(units, rest, stairs)])
    return None


def _join(found: dict[Direction, Fraction | None], direction: Direction, unit: Fraction | None) -> None:
    found[direction] = common_unit([found.get(direction, Fraction(0)), unit])


def common_unit(numbers: Iterable[Fraction | None]) -> Fraction | None:
    """The largest number of which all are whole multiples; None if one is not known."""
    known = list(numbers)
    return None if None in known else common_step([number for number in known if number is not None])
