"""Units: a number of which all that a direction ever holds is a whole multiple.

In: a `Circuit`. Out: the unit of each direction, and of a form, as far as it is known: `Units`.
Invariant: at the exact numbers of the circuit, BOS apart, every value is a whole multiple of its unit; where the unit
is 0, every value is.

    length is counted, so its unit is 1; a third of it has the unit 1/3; a mean of equal values has theirs, of any other
    mean none is known
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from compiler.circuit.circuit import Circuit
from compiler.circuit.layer import Head, Layer
from compiler.numbers.direction import BOS, ONE, Direction, Form
from compiler.numbers.grid import common_step


class Units:
    """For each direction a number of which all it ever holds is a whole multiple, BOS apart; None where none is known.

    At the exact numbers of the circuit; 0 for a direction that holds nothing but 0. `encoder` are those of the stream
    that heads cross to.
    """

    def __init__(self, circuit: Circuit, encoder: Units | None = None) -> None:
        self.stairs, self.encoder = circuit.stairs, encoder
        self.known: dict[Direction, Fraction | None] = {ONE: Fraction(1), BOS: Fraction(1)}
        for columns in (circuit.tokens, circuit.positions):
            for direction, column in columns.items():
                self._join(direction, common_unit(column))
        for direction, offset in circuit.offsets.items():
            self._join(direction, offset)
        for layer in circuit.layers:
            for head in (*layer.heads, *layer.cross):
                self._join_head(head)
            self._join_neurons(layer)

    def _join_head(self, head: Head) -> None:
        keys = self.encoder if head.crosses else self
        assert keys is not None
        for channel in head.channels:
            read = keys.of(channel.read)
            if head.mode == "sum":
                self._join(channel.write, read)
            else:
                fetched = head.single or channel.picked or channel.read.terms.keys() <= {ONE}
                self._join(channel.write, common_unit([read, channel.default]) if fetched else None)

    def _join_neurons(self, layer: Layer) -> None:
        stairs: set[Direction] = set()
        for neuron in layer.neurons:
            read = self.of(neuron.read)
            for direction, weight in neuron.writes:
                if direction in self.stairs:
                    stairs.add(direction)
                else:
                    self._join(direction, None if read is None else read * weight)
        for direction in stairs:
            self._join(direction, self.stairs[direction].values.step)

    def of(self, form: Form) -> Fraction | None:
        """The unit of a form. What is known of each direction may not be enough: a staircase and a line of its
        argument."""
        units, stairs = self.known, self.stairs
        plain = common_unit(None if (unit := units[d]) is None else c * unit for d, c in form.terms.items() if d != BOS)
        if plain is not None:
            return plain
        for direction, factor in form.terms.items():
            argument = (
                {d: c for d, c in stairs[direction].read.terms.items() if d != ONE} if direction in stairs else {}
            )
            slopes = {form.terms.get(d, Fraction(0)) / c for d, c in argument.items()}
            if len(slopes) == 1 and any(units[d] is None for d in argument):
                (slope,) = slopes
                found = stairs[direction]
                sums = found.sums(slope, factor).step
                rest = form - found.read * slope - Form({direction: factor})
                return common_unit([sums, self.of(rest)])
        return None

    def _join(self, direction: Direction, unit: Fraction | None) -> None:
        self.known[direction] = common_unit([self.known.get(direction, Fraction(0)), unit])


def common_unit(numbers: Iterable[Fraction | None]) -> Fraction | None:
    """The largest number of which all are whole multiples; None if one is not known."""
    known = list(numbers)
    return None if None in known else common_step([number for number in known if number is not None])
