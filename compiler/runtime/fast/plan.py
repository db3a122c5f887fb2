"""Plans: which heads of a circuit run without scores, certified again with the errors that are then left.

In: a `Circuit`. Out: its `Plan`: for each layer the selections of its heads and the neurons that are still read.
Invariants: the certificate holds, by the same bounds as the circuit's, each head's error replaced by that of what runs
in its place (docs/constructions.md, C21); nothing is computed that no output reads.

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
    """A head that runs without scores.

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

    @property
    def single(self) -> bool:
        """Whether no query can find two keys: they stand at one position."""
        return self.selection.window.narrow or self.positions is not None

    @property
    def placed(self) -> bool:
        """Whether the one position that each query sees is all that is asked of where keys are."""
        return self.selection.window.narrow and not self.selection.matches and not self.selection.orders

    def numbers(self) -> Iterator[Form]:
        """Every form that is read as a number: those compared, and the values that are not constant."""
        yield from (form for digits in self.digits for form in digits.forms())
        yield from (form for order in self.selection.orders for form in (order.key, order.query))
        yield from (channel.read for channel in self.channels if not _is_constant(channel.read))

    def reads(self) -> Iterator[Form]:
        """Every form that is read."""
        yield from self.selection.bits()
        yield from self.numbers()

    def only(self, read: Collection[Direction]) -> Step | None:
        """The step without what nobody reads of what it writes."""
        channels = tuple(channel for channel in self.channels if channel.write in read)
        return replace(self, channels=channels) if channels else None

    def group(self) -> tuple[object, ...]:
        """Heads of one group find their keys in the same way; so do all that see one position, each its own."""
        found = self.selection
        alone = (self.name, found.keys, self.channels) if found.orders else ()
        return (found.matches, found.orders, None if self.placed else found.window, self.wide, alone)

    def __str__(self) -> str:
        verb = "adds up" if self.mode == "sum" else "averages"
        moves = "; ".join(f"{verb} key({channel.read}) -> {channel.write}" for channel in self.channels)
        return f"{self.name}: {self.selection}; {moves}"


@dataclass(frozen=True)
class Plan:
    """What runs in the place of each layer, and the certificate of all of it.

    `scored`: for each layer the heads that run as they are, if any do.
    """

    circuit: Circuit
    layers: tuple[tuple[tuple[Step, ...], tuple[Neuron, ...]], ...]
    certificate: Certificate
    scored: tuple[tuple[Head, ...], ...]

    def read(self) -> set[Direction]:
        """Every direction that is read."""
        movers: list[Step | Head] = [head for heads in self.scored for head in heads]
        movers += [step for steps, _ in self.layers for step in steps]
        forms = [form for mover in movers for form in mover.reads()]
        forms += [neuron.read for _, neurons in self.layers for neuron in neurons]
        return self.circuit.decoded().union(direction for form in forms for direction in form.terms)

    def __str__(self) -> str:
        lines = []
        for number, ((steps, neurons), heads) in enumerate(zip(self.layers, self.scored, strict=True)):
            lines += [f"L{number} {step}" for step in steps]
            lines += [f"L{number} scored: {head.purpose()}" for head in heads]
            lines += [f"L{number} {counted(len(neurons), 'neuron')}"] if neurons else []
        return "\n".join([*lines, str(self.certificate)])


def plan(circuit: Circuit, scored: bool = False) -> Plan | str:
    """How to run a circuit without scores; where that cannot be done, why not.

    With `scored`, heads whose keys only scores tell apart run as they are.
    """
    if circuit.encoder is not None:
        return "it reads a source and a target, and the fast path is for one tape"
    if circuit.repeat is not None:
        return "it has a loop, and the fast path runs each layer once"
    if circuit.precision.is_half:
        return f"exact counts need float32 or float64, not {circuit.precision.name}"
    circuit = replace(circuit, layers=tuple(Layer(layer.heads, layer.neurons) for layer in circuit.layers), homes={})
    replaced = _Replaced(circuit)
    certificate = replaced.certificate()
    if replaced.reasons and not scored:
        return replaced.reasons[0]
    if not certificate.ok:
        return f"it could not be certified: {certificate.overflow or certificate.tightest}"
    found = [
        _Layer(
            merged([replaced.steps[id(head)] for head in layer.heads if id(head) in replaced.steps]),
            tuple(head for head in layer.heads if id(head) not in replaced.steps),
            tuple(layer.neurons),
        )
        for layer in circuit.layers
    ]
    layers = _read_only(circuit, found)
    return Plan(
        circuit,
        tuple((layer.steps, layer.neurons) for layer in layers),
        certificate,
        tuple(layer.scored for layer in layers),
    )


class _Replaced(Certifier):
    """The certifier, with what runs in the place of each head."""

    def __init__(self, circuit: Circuit) -> None:
        super().__init__(circuit)
        self.selections = Selections(circuit)
        self.steps: dict[int, Step] = {}
        self.reasons: list[str] = []

    def head(self, head: Head) -> Iterator[tuple[Direction, Bound]]:
        """Every number that is compared is nearer to its exact value than to the next; sums are exact or wide."""
        step = self._step(head)
        if isinstance(step, str):
            self.reasons.append(step)
            yield from super().head(head)
            return
        self.steps[id(head)] = step
        self.decisions += self._compared(step)
        self._sized(step)
        for channel in head.channels:
            yield channel.write, self._channel(head, channel, step.wide)

    def _sized(self, step: Step) -> None:
        """What a step reads, and its sums: no more terms than positions, for each pair of classes (C21)."""
        pairs = math.prod(map(len, step.selection.classes))
        for form in step.reads():
            self.sizes.reading(form)
        for channel in step.channels:
            size = self.n * pairs * self.form(channel.read).size + abs(real(channel.default))
            self.sizes.note(size, size)

    def _step(self, head: Head) -> Step | str:
        """What runs in the place of a head, or why nothing does."""
        selection = self.selections.of(head)
        if selection is None or not _is_known(head, selection):
            return f"what {head.name} selects is known by its scores only: {head.selects}"
        digits = tuple(map(self._digits, selection.matches))
        if self.n * math.prod(digit.size for digit in digits) >= CODES:
            return f"{head.name} compares more numbers than a whole number of 64 bits can tell"
        summed = [c.read for c in head.channels if head.mode == "sum" or not _is_constant(c.read)]
        wide = not all(map(self._is_exact, summed))
        step = Step(head.name, head.mode, selection, digits, self._positions(digits), head.channels, wide)
        failed = [str(decision) for decision in self._compared(step) if not decision.holds]
        return failed[0] if failed else step

    def _compared(self, step: Step) -> Iterator[Decision]:
        """What is compared, in units in which different numbers are at least 1 apart."""
        forms = [("bits", form) for form in step.selection.bits()]
        forms += [("equal numbers", form) for digit in step.digits for form in digit.forms()]
        forms += [("ordered numbers", order.key - order.query) for order in step.selection.orders]
        for what, form in forms:
            yield Decision(f"{step.name}, {what} without scores", 0.5, self.form(form).error)

    def _digits(self, match: Match) -> Digits:
        ends = [end / float(match.unit) for form in (match.query, match.key) for end in self.range(form)]
        low, high = round(min(ends)), round(max(ends))
        return Digits(match, low, high - low + 1)

    def _positions(self, digits: Sequence[Digits]) -> tuple[int, ...] | None:
        """The codes of the keys at all positions, where they follow from the position and are all different."""
        if math.prod(digit.size for digit in digits) > POINTERS:
            return None
        codes = np.zeros(self.n, dtype=np.int64)
        for digit in digits:
            column = self.selections.column(digit.forms()[0])
            if column is None:
                return None
            codes = codes * digit.size + np.rint(column).astype(np.int64) - digit.low
        return tuple(codes.tolist()) if digits and len(set(codes.tolist())) == self.n else None

    def _is_exact(self, form: Form) -> bool:
        """Whether the sum of the form over all positions is exact, however it is added up."""
        value = self.form(form)
        return bool(value.grid and value.error == 0.0 and self.n * value.size / value.grid <= self.p.whole)

    def _channel(self, head: Head, channel: Channel, wide: bool) -> Bound:
        """What is added at the query: the error of the value, and how the sum is rounded."""
        value, empty = self.form(channel.read), self.exact((channel.default,))
        spacing = min(value.grid, empty.grid) if value.grid and empty.grid else None
        counted = head.mode == "sum"
        low, high = summed(value, self.n) if counted else (value.low, value.high)
        size = max(abs(low), abs(high)) + (self.n if counted else 1) * value.error
        error = value.error * (self.n if counted else 1)
        fetched = not counted and (head.single or _is_constant(channel.read))
        if wide and not (fetched and value.error == 0.0 and value.grid and self.n * value.size <= value.grid * WIDE):
            error += 4 * self.n**2 * value.size / WIDE + 2 * self.p.unit * size
        elif not (fetched or counted):
            error += 2 * self.p.unit * size
        constant = channel.read.terms.get(ONE, Fraction(0)) if _is_constant(channel.read) else Fraction(0)
        error = max(error, empty.error, self.exact((constant,)).error)
        exact = error == 0.0
        return Bound(low, high, error * SLACK, spacing if exact else None, spacing if counted else None)


def _is_constant(form: Form) -> bool:
    return form.terms.keys() <= {ONE}


def _is_known(head: Head, selection: Selection) -> bool:
    """Whether there is something that runs a selection: an order needs a head that only asks whether there is a key."""
    constant = head.mode == "mean" and all(_is_constant(channel.read) for channel in head.channels)
    simple = not selection.matches and not selection.classes and not any(selection.window.first)
    return not selection.orders or (constant and simple and len(selection.orders) == 1)


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


@dataclass(frozen=True)
class _Layer:
    steps: tuple[Step, ...]
    scored: tuple[Head, ...]
    neurons: tuple[Neuron, ...]

    @property
    def movers(self) -> list[Step | Head]:
        """Whatever reads at the keys."""
        return [*self.steps, *self.scored]


def _read_only(circuit: Circuit, layers: Sequence[_Layer]) -> list[_Layer]:
    """Keep what the outputs need: without scores, squares and digits are read no more."""
    read = circuit.decoded()
    found = []
    for layer in reversed(layers):
        neurons = needed(layer.neurons, read)
        movers = needed(layer.movers, read)
        steps = tuple(mover for mover in movers if isinstance(mover, Step))
        heads = tuple(mover for mover in movers if isinstance(mover, Head))
        found.append(_Layer(steps, heads, tuple(neurons)))
    return found[::-1]
