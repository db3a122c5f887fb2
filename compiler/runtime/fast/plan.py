"""Plans: which heads of a circuit run without scores, certified again with the errors that are then left.

In: a `Circuit`. Out: its `Plan`: for each layer the selections of its heads and the neurons that are still read.
Invariants: the certificate holds, by the same bounds as the circuit's, each head's error replaced by that of what runs
in its place (docs/constructions.md, C21); nothing is computed that no output reads. Of an encoder there is a plan of
its own, for what the decoder's heads read of its stream in the end.

    L1H0 number: key(level) = level in steps of 1 and positions so far; adds up 1 -> number
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

import numpy as np

from compiler.circuit.certificate import Certificate, Decision
from compiler.circuit.certify import Certifier
from compiler.circuit.circuit import Circuit
from compiler.circuit.layer import Channel, Head, Layer, Neuron, needed
from compiler.circuit.readings import Readings
from compiler.numbers.bound import SLACK, Bound, summed
from compiler.numbers.direction import ONE, Direction, Form
from compiler.numbers.exact import real
from compiler.runtime.fast.selection import Match, Selection, Selections
from rasp.text.source import counted

CODES = 1 << 62
"""Numbers that are compared together become one whole number below this."""
POINTERS = 1 << 20
"""A table from numbers to positions has at most this many entries."""
WIDE = 2.0**53
"""Whole numbers up to this are exact in float64."""


@dataclass(frozen=True)
class Digits:
    """A match as whole numbers: (value - low) / unit is 0 .. size - 1 on both sides."""

    match: Match
    low: int
    size: int

    def forms(self) -> tuple[Form, Form]:
        """What is read at the key and at the query, in units."""
        return self.match.key * (1 / self.match.unit), self.match.query * (1 / self.match.unit)


@dataclass(frozen=True)
class Step:
    """A head that runs without scores. One that `crosses` reads the encoder's stream at keys.

    `positions`: the number that the matches compare, for the key at each position, where it tells all positions apart.
    `wide`: sums of its values are made in float64.
    """

    name: str
    mode: Literal["mean", "sum"]
    selection: Selection
    digits: tuple[Digits, ...]
    positions: tuple[int, ...] | None
    channels: tuple[Channel, ...]
    wide: bool
    crosses: bool = False

    @property
    def single(self) -> bool:
        """Whether no query can find two keys: they stand at one position."""
        found = self.selection
        return found.window.narrow or found.ended or self.positions is not None or bool(found.intervals)

    @property
    def placed(self) -> bool:
        """Whether the one position that each query sees is all that is asked of where keys are."""
        found = self.selection
        return found.window.narrow and not (found.matches or found.orders or found.intervals)

    def key_numbers(self) -> Iterator[Form]:
        """Every form that is read as a number at the key: those compared, and the values that are not constant."""
        yield from (digits.forms()[0] for digits in self.digits)
        yield from (order.key for order in self.selection.orders)
        yield from (form for one in self.selection.intervals for form in (one.middle, one.square))
        yield from (channel.read for channel in self.channels if not _is_constant(channel.read))

    def query_numbers(self) -> Iterator[Form]:
        """Every form that is read as a number at the query."""
        yield from (digits.forms()[1] for digits in self.digits)
        yield from (order.query for order in self.selection.orders)
        yield from (interval.query for interval in self.selection.intervals)

    def at_keys(self) -> Iterator[Form]:
        """Every form that is read at the key."""
        yield from self.selection.key_bits()
        yield from self.key_numbers()

    def at_queries(self) -> Iterator[Form]:
        """Every form that is read at the query."""
        yield from self.selection.query_bits()
        yield from self.query_numbers()

    def reads(self) -> Iterator[Form]:
        """Every form that is read of the stream that the step adds to."""
        yield from self.at_queries()
        yield from () if self.crosses else self.at_keys()

    def only(self, read: Collection[Direction]) -> Step | None:
        """The step without what nobody reads of what it writes."""
        channels = tuple(channel for channel in self.channels if channel.write in read)
        return replace(self, channels=channels) if channels else None

    def group(self) -> tuple[object, ...]:
        """Heads of one group find their keys in the same way; so do all that see one position, each its own."""
        found = self.selection
        alone = (self.name, found.keys, self.channels) if found.orders else ()
        where = None if self.placed else (found.window, found.sees)
        return (found.matches, found.orders, found.intervals, where, self.wide, alone)

    def __str__(self) -> str:
        verb = "adds up" if self.mode == "sum" else "averages"
        moves = "; ".join(f"{verb} key({channel.read}) -> {channel.write}" for channel in self.channels)
        return f"{self.name}: {self.selection}; {moves}"


@dataclass(frozen=True)
class Planned:
    """What runs in the place of a layer: steps, heads that run as they are, neurons.

    Steps and heads that cross read what the others of their layer write.
    """

    steps: tuple[Step, ...]
    scored: tuple[Head, ...]
    neurons: tuple[Neuron, ...]

    @property
    def movers(self) -> tuple[Step | Head, ...]:
        """Whatever reads at keys."""
        return (*self.steps, *self.scored)

    def moving(self, crosses: bool) -> list[Step | Head]:
        """Whatever reads at keys of the source, or of its own stream."""
        return [mover for mover in self.movers if mover.crosses == crosses]

    def needed(self, read: set[Direction]) -> Planned:
        """What writes something that is read behind it; what it reads is added to that."""
        neurons = needed(self.neurons, read)
        movers = needed(self.moving(crosses=True), read)
        movers += needed(self.moving(crosses=False), read)
        steps = tuple(mover for mover in movers if isinstance(mover, Step))
        heads = tuple(mover for mover in movers if isinstance(mover, Head))
        return Planned(steps, heads, tuple(neurons))


@dataclass(frozen=True)
class Plan:
    """What runs in the place of each layer, and the certificate of all of it, an encoder's plan included."""

    circuit: Circuit
    layers: tuple[Planned, ...]
    certificate: Certificate
    encoder: Plan | None = None

    @property
    def scored(self) -> list[Head]:
        """The heads that run as they are; not an encoder's."""
        return [head for layer in self.layers for head in layer.scored]

    def crossing(self) -> Iterator[Step | Head]:
        """Whatever reads the encoder's stream."""
        return (mover for layer in self.layers for mover in layer.moving(crosses=True))

    def read(self) -> set[Direction]:
        """Every direction that is read."""
        forms = [form for layer in self.layers for mover in layer.movers for form in mover.reads()]
        forms += [neuron.read for layer in self.layers for neuron in layer.neurons]
        return self.circuit.decoded().union(direction for form in forms for direction in form.terms)

    def __str__(self) -> str:
        lines = self._listed()
        if self.encoder is not None:
            lines = ["encoder", *self.encoder._listed(), "", "decoder", *lines]
        return "\n".join([*lines, str(self.certificate)])

    def _listed(self) -> list[str]:
        lines = []
        for number, layer in enumerate(self.layers):
            lines += [f"L{number} {step}" for step in layer.steps]
            lines += [f"L{number} scored: {head.purpose()}" for head in layer.scored]
            lines += [f"L{number} {counted(len(layer.neurons), 'neuron')}"] if layer.neurons else []
        return lines


def plan(circuit: Circuit, scored: bool = False) -> Plan | str:
    """How to run a circuit without scores; where that cannot be done, why not.

    With `scored`, heads whose keys only scores tell apart run as they are.
    """
    if any(one is not None and one.repeat is not None for one in (circuit, circuit.encoder)):
        return "it has a loop, and the fast path runs each layer once"
    if circuit.precision.is_half:
        return f"exact counts need float32 or float64, not {circuit.precision.name}"
    replaced = _Replaced(_without_columns(circuit))
    certificate = replaced.certificate()
    if (reasons := replaced.all_reasons()) and not scored:
        return reasons[0]
    if not certificate.ok:
        return f"it could not be certified: {certificate.overflow or certificate.tightest}"
    return replaced.plan(certificate)


def _without_columns(circuit: Circuit) -> Circuit:
    """The circuit with a place for each direction, so that nothing is erased."""
    layers = tuple(Layer(layer.heads, layer.neurons, layer.cross) for layer in circuit.layers)
    encoder = None if circuit.encoder is None else _without_columns(circuit.encoder)
    return replace(circuit, layers=layers, homes={}, encoder=encoder)


class _Replaced(Certifier):
    """The certifier, with what runs in the place of each head."""

    def __init__(self, circuit: Circuit) -> None:
        super().__init__(circuit)
        self.selections = Selections(circuit)
        self.steps: dict[int, Step] = {}
        self.reasons: list[str] = []

    @property
    def before(self) -> _Replaced | None:
        """The same of the encoder, if there is one."""
        return self.encoder if isinstance(self.encoder, _Replaced) else None

    def all_reasons(self) -> list[str]:
        """Why some heads run as they are, an encoder's first."""
        return [*(self.before.all_reasons() if self.before else []), *self.reasons]

    def plan(self, certificate: Certificate, exports: tuple[Form, ...] = ()) -> Plan:
        """What was found, without what no output reads, nor `exports`, which a decoder reads in the end."""
        circuit = replace(self.circuit, exports=exports)
        read, layers = circuit.decoded(), []
        for layer in reversed(circuit.layers):
            steps = (*self._merged(layer.heads), *self._merged(layer.cross))
            scored = tuple(head for head in (*layer.heads, *layer.cross) if id(head) not in self.steps)
            layers.append(Planned(steps, scored, tuple(layer.neurons)).needed(read))
        found = Plan(circuit, tuple(reversed(layers)), certificate)
        if self.before is None:
            return found
        crossed = (form for mover in found.crossing() for form in mover.at_keys())
        return replace(found, encoder=self.before.plan(certificate, tuple(dict.fromkeys(crossed))))

    def _merged(self, heads: Sequence[Head]) -> tuple[Step, ...]:
        return merged([self.steps[id(head)] for head in heads if id(head) in self.steps])

    def head(self, head: Head) -> Iterator[tuple[Direction, Bound]]:
        """Every number that is compared is nearer to its exact value than to the next; sums are exact or wide."""
        step = self._step(head)
        if isinstance(step, str):
            self.reasons.append(step)
            yield from super().head(head)
            return
        self.steps[id(head)] = step
        keys = self.at_keys(head)
        self.decisions += self._compared(step, keys)
        self._sized(step, keys)
        for channel in head.channels:
            yield channel.write, self._channel(head, channel, step)

    def _sized(self, step: Step, keys: Readings) -> None:
        """What a step reads, and its sums: no more terms than positions, for each pair of classes (C21)."""
        pairs = math.prod(map(len, step.selection.classes))
        for form in step.at_queries():
            self.sizes.reading(form)
        for form in step.at_keys():
            self.sizes.reading(form, keys)
        for channel in step.channels:
            size = keys.n * pairs * keys.form(channel.read).size + abs(real(channel.default))
            self.sizes.note(size, size)

    def _step(self, head: Head) -> Step | str:
        """What runs in the place of a head, or why nothing does."""
        selection = self.selections.of(head)
        if selection is None or not _is_known(head, selection):
            return f"what {head.name} selects is known by its scores only: {head.selects}"
        keys = self.at_keys(head)
        digits = tuple(self._digits(match, keys) for match in selection.matches)
        if keys.n * math.prod(digit.size for digit in digits) >= CODES:
            return f"{head.name} compares more numbers than a whole number of 64 bits can tell"
        summed = [c.read for c in head.channels if head.mode == "sum" or not _is_constant(c.read)]
        wide = not all(self._is_exact(form, keys) for form in summed)
        positions = self._positions(digits, self.selections.at_keys(head))
        step = Step(head.name, head.mode, selection, digits, positions, head.channels, wide, head.crosses)
        failed = [str(decision) for decision in self._compared(step, keys) if not decision.holds]
        return failed[0] if failed else step

    def _compared(self, step: Step, keys: Readings) -> Iterator[Decision]:
        """What is compared, in units in which different numbers are at least 1 apart."""
        found = [("bits", self.form(form).error) for form in step.selection.query_bits()]
        found += [("bits", keys.form(form).error) for form in step.selection.key_bits()]
        for key, query in (digit.forms() for digit in step.digits):
            found += [("equal numbers", self.form(query).error), ("equal numbers", keys.form(key).error)]
        for order in step.selection.orders:
            found.append(("ordered numbers", keys.form(order.key).error + self.form(order.query).error))
        for one in step.selection.intervals:
            found += [("whole numbers", keys.form(form).error) for form in (one.middle, one.square)]
            found.append(("whole numbers", self.form(one.query).error))
        for what, error in found:
            yield Decision(f"{step.name}, {what} without scores", 0.5, error)

    def _digits(self, match: Match, keys: Readings) -> Digits:
        ends = [end / float(match.unit) for end in (*self.range(match.query), *keys.range(match.key))]
        low, high = round(min(ends)), round(max(ends))
        return Digits(match, low, high - low + 1)

    def _positions(self, digits: Sequence[Digits], keys: Selections) -> tuple[int, ...] | None:
        """The codes of the keys at all positions, where they follow from the position and are all different."""
        length = keys.circuit.max_length
        if math.prod(digit.size for digit in digits) > POINTERS:
            return None
        codes = np.zeros(length, dtype=np.int64)
        for digit in digits:
            column = keys.column(digit.forms()[0])
            if column is None:
                return None
            codes = codes * digit.size + np.rint(column).astype(np.int64) - digit.low
        return tuple(codes.tolist()) if digits and len(set(codes.tolist())) == length else None

    def _is_exact(self, form: Form, keys: Readings) -> bool:
        """Whether the sum of the form over all positions is exact, however it is added up."""
        value = keys.form(form)
        return bool(value.grid and value.error == 0.0 and keys.n * value.size / value.grid <= self.p.whole)

    def _channel(self, head: Head, channel: Channel, step: Step) -> Bound:
        """What is added at the query: the error of the value, and how the sum is rounded."""
        keys = self.at_keys(head)
        value, empty, n = keys.form(channel.read), self.exact((channel.default,)), keys.n
        spacing = min(value.grid, empty.grid) if value.grid and empty.grid else None
        counted = head.mode == "sum"
        low, high = summed(value, n) if counted else (value.low, value.high)
        size = max(abs(low), abs(high)) + (n if counted else 1) * value.error
        error = value.error * (n if counted else 1)
        fetched = not counted and (head.single or _is_constant(channel.read))
        if step.wide and not (fetched and value.error == 0.0 and value.grid and n * value.size <= value.grid * WIDE):
            error += 4 * n**2 * value.size / WIDE + 2 * self.p.unit * size
        elif not (fetched or counted):
            error += 2 * self.p.unit * size
        constant = channel.read.terms.get(ONE, Fraction(0)) if _is_constant(channel.read) else Fraction(0)
        error = max(error, empty.error, self.exact((constant,)).error)
        exact = error == 0.0
        return Bound(low, high, error * SLACK, spacing if exact else None, spacing if counted else None)


def _is_constant(form: Form) -> bool:
    return form.terms.keys() <= {ONE}


def _is_known(head: Head, selection: Selection) -> bool:
    """Whether there is something that runs a selection: an order needs a head that only asks whether there is a key, an
    interval one that fetches."""
    constant = head.mode == "mean" and all(_is_constant(channel.read) for channel in head.channels)
    alone = not selection.matches and not selection.classes and len(selection.orders + selection.intervals) == 1
    if selection.intervals:
        return head.mode == "mean" and alone
    return not selection.orders or (constant and alone and not any(selection.window.first))


# ------------------------------------------------------------------------------------------------------------- fewer


def merged(steps: Iterable[Step]) -> tuple[Step, ...]:
    """Heads that add up the same over windows side by side are one: the digits of an order on positions (C4)."""
    found: list[Step] = []
    for step in steps:
        for other, (one, two) in itertools.product(list(found), ((0, 1), (1, 0))):
            pair = (other, step) if one < two else (step, other)
            both = _both(*pair)
            if both is not None:
                found.remove(other)
                step = both
                break
        found.append(step)
    return tuple(found)


def _both(one: Step, other: Step) -> Step | None:
    if one.mode != "sum" or other.mode != "sum" or one.channels != other.channels:
        return None
    if replace(one.selection, window=other.selection.window) != other.selection:
        return None
    window = one.selection.window.before(other.selection.window)
    return None if window is None else replace(one, selection=replace(one.selection, window=window))
