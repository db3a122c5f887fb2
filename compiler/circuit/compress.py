"""Compression: functions of one thing become as few columns as they have dimensions.

In: a circuit whose embedding writes many functions of the token and of the position, and whose neurons compute several
functions of one number. Out: the same circuit over a basis of them; others are forms over the basis, and nothing is
written that nobody reads.
Equal neurons of a layer become one.
Invariant: every reading keeps its value, exactly. Indicators are taken into the basis first, so that the forms of the
others have the plain function values as coefficients.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from compiler.circuit.channels import by_channels
from compiler.circuit.circuit import Circuit
from compiler.circuit.layer import Head, Layer, Neuron, needed
from compiler.circuit.loops import hastened, restored, shared
from compiler.numbers.direction import ONE, Direction, Form
from compiler.numbers.exact import Multiples, integers
from compiler.numbers.grid import common_distance

TERMS = 8
"""A computed number is a form over others only if it has no more terms: each carries their errors."""
Column = tuple[Fraction, ...]
FEW = 256
"""Up to this many functions the smallest basis is found by elimination; among more only full sets of indicators."""


def compress(circuit: Circuit) -> Circuit:
    """Drop what is never read, then write a basis of what is left. What is read decides what an encoder is to give."""
    circuit = _told_without_offsets(_without_unread(circuit))
    written = {direction for layer in circuit.layers for direction in layer.writes()}
    tokens, by_token = _basis(circuit.tokens, written)
    positions, by_position = _basis(circuit.positions, written)
    found = replace(circuit, tokens=tokens, positions=positions)
    found = _substituted(found, by_token | by_position | _by_stairs(circuit))
    found = _without_unread(_without_vanished(_substituted(found, by_channels(found))))
    if found.repeat is not None:
        found = restored(_without_unread(hastened(found)))
        found = replace(found, variables=tuple(found.timed(found.variables)))
    return found if found.encoder is None else _with_encoder(found, found.encoder)


def _without_vanished(circuit: Circuit) -> Circuit:
    """What neurons that read the same took away from each other is 0 everywhere, and nothing writes it any more."""
    written = circuit.written().keys()
    read = {direction for sublayer in circuit.sublayers() for reader in sublayer.readers for direction in _read(reader)}
    gone = (read | circuit.decoded()) - written
    return circuit if not gone else _without_vanished(_substituted(circuit, dict.fromkeys(gone, Form())))


def _read(reader: Head | Neuron) -> Iterator[Direction]:
    return (direction for form in reader.reads() for direction in form.terms)


def _with_encoder(circuit: Circuit, encoder: Circuit) -> Circuit:
    """The circuit over a compressed encoder."""
    exports = dict.fromkeys(form for head in circuit.crossing() for form in head.at_keys())
    encoder = compress(replace(encoder, exports=tuple(exports)))
    new = dict(zip(exports, encoder.exports, strict=True))
    layers = [replace(layer, cross=[_at_keys(head, new) for head in layer.cross]) for layer in circuit.layers]
    return replace(circuit, encoder=encoder, layers=tuple(layers))


def _at_keys(head: Head, new: Mapping[Form, Form]) -> Head:
    parts = [replace(part, pairs=tuple((query, new[key]) for query, key in part.pairs)) for part in head.parts]
    channels = [replace(channel, read=new[channel.read]) for channel in head.channels]
    return replace(head, parts=tuple(parts), channels=tuple(channels))


def _without_unread(circuit: Circuit) -> Circuit:
    """Keep what the outputs need: going back through the layers, only what writes a direction that is read later."""
    read = circuit.decoded()
    repeat, layers = circuit.repeat, circuit.layers
    if repeat is None:
        kept = _needed(layers, read)
    else:
        behind = _needed(layers[repeat.stop :], read)
        round_, before = _of_round(layers[repeat.start : repeat.stop], read, repeat.carried), layers[: repeat.start]
        before_ = _needed(before, read)
        start = len(before_)
        carries = tuple(carry for carry in repeat.carries if carry.direction in read)
        repeat = replace(repeat, start=start, stop=start + len(round_), carries=carries) if round_ else None
        kept = [*before_, *round_, *behind]
    return replace(
        circuit,
        tokens={d: column for d, column in circuit.tokens.items() if d in read},
        positions={d: column for d, column in circuit.positions.items() if d in read},
        offsets={d: offset for d, offset in circuit.offsets.items() if d in read},
        layers=tuple(kept),
        repeat=repeat,
    )


def _needed(layers: Sequence[Layer], read: set[Direction]) -> list[Layer]:
    """Those of some layers, without what is not read behind them; what they read is added to that."""
    kept: list[Layer] = []
    for layer in reversed(layers):
        neurons = needed(layer.neurons, read)
        carriers = needed(layer.carriers, read)
        cross = needed(layer.cross, read)
        kept.append(Layer(needed(layer.heads, read), neurons, cross, [], carriers))
    return [one for one in reversed(kept) if one.heads or one.cross or one.mlp]


def _of_round(layers: Sequence[Layer], read: set[Direction], carried: Set[Direction]) -> list[Layer]:
    """Those of a round: what it carries is read by the next one, too."""
    while True:
        within = set(read)
        kept = _needed(layers, within)
        if within & carried <= read:
            read |= within
            return kept
        read |= within & carried


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


def _by_stairs(circuit: Circuit) -> dict[Direction, Form]:
    """Functions of one number that an MLP computes side by side: those that are a few others', added up, are forms.

    Those with the fewest steps are kept, so that "is 3" is "is 3 or more" less "is 4 or more".
    """
    alone = _written_once(circuit)
    beside: dict[tuple[int, Form, tuple[int, ...], Fraction], dict[Direction, Multiples]] = {}
    for direction, stairs in circuit.stairs.items():
        if direction in alone:
            unit = stairs.numbers.step
            key = alone[direction], stairs.read, stairs.numbers.over(unit), unit
            beside.setdefault(key, {})[direction] = stairs.values
    forms: dict[Direction, Form] = {}
    for columns in beside.values():
        if 2 < len(columns) <= FEW:
            order = sorted(columns, key=lambda direction: np.count_nonzero(np.diff(columns[direction].counts)))
            _, dependent = _eliminated(columns, order)
            forms |= {direction: form for direction, form in dependent.items() if len(form.terms) <= TERMS}
    return forms


def _written_once(circuit: Circuit) -> dict[Direction, int]:
    """The directions that the neurons of one layer write and nobody else, with the number of the layer."""
    found: dict[Direction, int] = {}
    others = set(circuit.embedded())
    for number, layer in enumerate(circuit.layers):
        others |= {channel.write for head in (*layer.heads, *layer.cross) for channel in head.channels}
        for direction in {direction for neuron in layer.neurons for direction, _ in neuron.writes}:
            others |= {direction} if direction in found else set()
            found[direction] = number
    return {direction: number for direction, number in found.items() if direction not in others}


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
    found = {d: Multiples.of(column) for d, column in columns.items()}
    # The finest come first: 0 and 1 make -1 and 1 with whole factors, but the other way round with halves, and a count
    # that carries an offset has no room for these (C19). Of those the smallest, if that leaves fewer: `i % 17` and
    # where it is 16 make `(i + 1) % 17` with whole factors, but the other way round with seventeenths.
    others = sorted((d for d in columns if d not in places), key=lambda d: common_distance(found[d].numbers))
    by_size = sorted(others, key=lambda d: _grain(found[d]))
    orders = dict.fromkeys((tuple(others), tuple(by_size)))
    independent, forms = min((_eliminated(found, [*places, *order]) for order in orders), key=lambda kept: len(kept[0]))
    return {direction: columns[direction] for direction in independent}, forms


def _grain(column: Multiples) -> tuple[Fraction, Fraction]:
    """The smallest distance of a column's numbers, and how far apart the least and the greatest are."""
    return common_distance(column.numbers), max(column.numbers) - min(column.numbers)


def _indicated(column: Column) -> int | None:
    """Where a column is 1, if it is 0 everywhere else."""
    places = [place for place, value in enumerate(column) if value]
    return places[0] if len(places) == 1 and column[places[0]] == 1 else None


def _eliminated(
    columns: Mapping[Direction, Multiples], order: Sequence[Direction]
) -> tuple[list[Direction], dict[Direction, Form]]:
    """The columns that are kept, and the others as forms over them and the constant."""
    basis: list[Direction] = []
    forms: dict[Direction, Form] = {}
    span = _Span(max((len(column.counts) for column in columns.values()), default=0), len(columns))
    for direction in order:
        column = _Whole.of(columns[direction])
        if span.take(column):
            span.directions.append(direction)
            basis.append(direction)
            continue
        factors = span.factors(column)
        if factors is None:  # thirds would round, and equal scores must be equal to the bit
            basis.append(direction)
        else:
            forms[direction] = Form(dict(zip([ONE, *span.directions], factors, strict=True)))
    return basis, forms


class _Span:
    """The columns that the constant and independent columns span, by elimination modulo a prime.

    What is independent modulo the prime is independent. What is not has factors that are read off their residues, as
    binary fractions, and proved by adding up; where that fails it is none of the combinations that are asked for.
    """

    def __init__(self, size: int, most: int) -> None:
        """Columns of so many numbers, and so many columns at most."""
        self.directions: list[Direction] = []  # of the columns after the constant
        self.columns: list[_Whole] = []
        self.pivots: list[int] = []
        rank = min(size, most + 1)
        self.rows = np.zeros((rank, size), np.int64)  # residues: 1 at the row's own pivot, 0 at those of others
        self.made = np.zeros((rank, rank), np.int64)  # the factors of the columns that each row is the sum of
        if size:
            self.take(_Whole.of(Multiples(np.ones(size, np.int64), Fraction(1))))

    def take(self, new: _Whole) -> bool:
        """Take the column in, if it is independent."""
        count = len(self.pivots)
        at_pivots = new.residues[self.pivots]
        rest = (new.residues - _times(at_pivots, self.rows)) % PRIME
        places = np.flatnonzero(rest)
        if not len(places):
            return False
        place = int(places[0])
        scale = pow(int(rest[place]), -1, PRIME)
        row = rest * scale % PRIME
        made = -_times(at_pivots, self.made) * scale % PRIME
        made[count] = scale
        above = np.flatnonzero(self.rows[:count, place])
        if len(above):
            factors = self.rows[above, place][:, None]
            self.rows[above] = (self.rows[above] - factors * row) % PRIME
            self.made[above] = (self.made[above] - factors * made) % PRIME
        self.rows[count], self.made[count] = row, made
        self.pivots.append(place)
        self.columns.append(new)
        return True

    def factors(self, new: _Whole) -> list[Fraction] | None:
        """The factors of the columns whose sum a dependent one is; None if they are not short binary fractions."""
        residues = _times(new.residues[self.pivots], self.made)[: len(self.columns)]
        factors = [Fraction(0)] * len(residues)
        for place in np.flatnonzero(residues).tolist():
            factor = _binary(int(residues[place]))
            if factor is None:
                return None
            factors[place] = factor
        return factors if new.is_sum(self.columns, factors) else None


PRIME = (1 << 31) - 1
"""Products of two residues fit into 64 bits."""


def _times(factors: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The sum of rows, each by its factor, as residues."""
    used = np.flatnonzero(factors)
    if not len(used):
        return np.zeros(rows.shape[1], np.int64)
    return (factors[used, None] * rows[used] % PRIME).sum(0) % PRIME  # type: ignore[no-any-return]


def _binary(residue: int) -> Fraction | None:
    """The binary fraction with a small numerator and denominator that has this residue, if there is one."""
    for shift in range(SHORT):
        numerator = (residue << shift) % PRIME
        numerator -= PRIME if numerator > PRIME // 2 else 0
        if abs(numerator) < 1 << SHORT:
            return Fraction(numerator, 1 << shift)
    return None


SHORT = 14
"""Bits of numerators and denominators that are looked for: beyond, different fractions have one residue."""


@dataclass(frozen=True)
class _Whole:
    """A column as whole multiples of one fraction, and its residues modulo the prime."""

    multiples: Multiples
    residues: npt.NDArray[np.int64]

    @staticmethod
    def of(multiples: Multiples) -> _Whole:
        inverse = pow(multiples.unit.denominator, -1, PRIME)
        factor = multiples.unit.numerator * inverse % PRIME
        return _Whole(multiples, (multiples.counts % PRIME).astype(np.int64) * factor % PRIME)

    def is_sum(self, columns: Sequence[_Whole], factors: Sequence[Fraction]) -> bool:
        """Whether the column is the sum of the others, each by its factor, exactly."""
        pairs = [(column.multiples, factor) for column, factor in zip(columns, factors, strict=True) if factor]
        terms = [(found.counts, factor * found.unit / self.multiples.unit) for found, factor in pairs]
        common = math.lcm(*(weight.denominator for _, weight in terms))
        sizes = [found.size * abs(int(weight * common)) for (found, _), (_, weight) in zip(pairs, terms, strict=True)]
        dtype = integers(self.multiples.size * common + sum(sizes))
        rest = self.multiples.counts.astype(dtype) * -common
        for counted, weight in terms:
            rest = rest + counted.astype(dtype) * int(weight * common)
        return not rest.any()


def _substituted(circuit: Circuit, forms: Mapping[Direction, Form]) -> Circuit:
    variables = [
        replace(variable, read=variable.read.substitute(forms), over=variable.over and variable.over.substitute(forms))
        for variable in circuit.variables
    ]
    return replace(
        circuit,
        layers=tuple(
            Layer(
                [_head(head, forms) for head in layer.heads],
                shared(_neuron(n, forms) for n in layer.neurons),
                [_head(head, forms) for head in layer.cross],
                [],
                [_neuron(neuron, forms) for neuron in layer.carriers],
            )
            for layer in circuit.layers
        ),
        repeat=circuit.repeat and circuit.repeat.over(forms),
        stairs={d: replace(stairs, read=stairs.read.substitute(forms)) for d, stairs in circuit.stairs.items()},
        outputs=tuple(
            replace(output, digits=tuple(form.substitute(forms) for form in output.digits))
            for output in circuit.outputs
        ),
        exports=tuple(form.substitute(forms) for form in circuit.exports),
        variables=tuple(circuit.timed(variables)),
    )


def _told_without_offsets(circuit: Circuit) -> Circuit:
    """What is told of variables, where an offset stays in the stream, is said of what stands beside it."""
    kept = _kept_offsets(circuit)
    variables = [
        replace(
            variable,
            read=variable.read - _offset(variable.read, kept),
            over=variable.over and variable.over - _offset(variable.over, kept),
        )
        for variable in circuit.variables
    ]
    return replace(circuit, variables=tuple(variables))


def _kept_offsets(circuit: Circuit) -> dict[Direction, Fraction]:
    """Offsets of counts that nobody takes away, because nobody reads the count after its own layer (C19)."""
    heads = [head for layer in circuit.layers for head in (*layer.heads, *layer.cross)]
    counted = {channel.write for head in heads for channel in head.channels}
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


def _neuron(neuron: Neuron, forms: Mapping[Direction, Form]) -> Neuron:
    read = neuron.read.substitute(forms)
    return neuron if read is neuron.read else replace(neuron, read=read)
