"""The builder: the circuit under construction, as far as it has been placed.

In: columns of the embedding, heads with their channels, neurons, each with its time of writing. Out: `Builder`,
and from it the layers of a `Circuit`.
Invariants: every direction has a name of its own; nothing that is placed is taken away again (`compress` removes dead
code: what nobody reads in the end).

    time  0          1             2       3             4
          embedding  L0 attention  L0 MLP  L1 attention  L1 MLP

A layer of a decoder has three sublayers (its `slots`): attention, cross-attention, MLP, so L1 begins at time 4 there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Literal, NamedTuple, TypeAlias

from compiler.circuit.circuit import Circuit, Output, Repeat, Variable
from compiler.circuit.layer import DECODER, ENCODER, Channel, Head, Layer, Neuron, Sees, Stairs
from compiler.graph.relation import Conjunction
from compiler.lowering.attention import Operand, has_few_digits
from compiler.lowering.names import Names
from compiler.numbers.direction import ONE, Direction, Form
from compiler.numbers.exact import counts, times
from compiler.numbers.precision import Precision
from rasp.meaning.sop import SOp

Mode: TypeAlias = Literal["mean", "sum"]


class Alike(NamedTuple):
    """What heads have in common that select alike, so that they are one head in each layer."""

    mode: Mode
    existence: bool
    """Whether it is enough that some selected key is found (C16)."""
    single_for_one: bool
    """Whether it selects one key where one output has an answer, but perhaps several where only another has."""
    cases: tuple[Conjunction, ...]
    """What it selects: keys that satisfy one of them."""
    sees: Sees = "all"
    """Which of these keys it sees (C43)."""


@dataclass
class OpenHead:
    """A head under construction: channels are added for every s-op that selects alike."""

    head: Head
    written: int
    channels: list[Channel] = field(default_factory=list)


class Builder:
    """A circuit under construction: what has been placed."""

    def __init__(self, names: Names, precision: Precision, behind: Builder | None = None) -> None:
        """Layers `behind` those of another one have their own times, and share with these what is embedded and known of
        directions."""
        self.names = names
        self.precision = precision
        self.slots = ENCODER if names.graph.encoder is None else DECODER
        self.neurons: list[tuple[int, Neuron]] = []
        self._heads: dict[Alike, list[OpenHead]] = {}
        self.ranges: dict[Direction, tuple[Fraction, Fraction]] = {} if behind is None else behind.ranges
        self.stairs: dict[Direction, Stairs] = {} if behind is None else behind.stairs
        self.offsets: dict[Direction, Fraction] = {} if behind is None else behind.offsets
        self.disjoint_counts: set[Direction] = set() if behind is None else behind.disjoint_counts
        self._tokens: dict[Direction, tuple[Fraction, ...]] = {} if behind is None else behind._tokens
        self._positions: dict[Direction, tuple[Fraction, ...]] = {} if behind is None else behind._positions
        self._embedded: dict[tuple[bool, tuple[int, ...], int], Direction] = {} if behind is None else behind._embedded
        self._used: set[str] = {"one", "bos"} if behind is None else behind._used

    def direction(self, node: SOp, holds: SOp | None = None, called: str = "{}") -> Direction:
        """A new direction, named after an s-op; it holds that s-op's number, or that of another, and is `called` so."""
        name = called.format(self.names.label(node))
        return Direction(self.unused(name), holds or self.names.meant(node))

    def unused(self, name: str) -> str:
        """The name, with a number if another direction has it."""
        unique, number = name, 1
        while unique in self._used:
            number += 1
            unique = f"{name} #{number}"
        self._used.add(unique)
        return unique

    def of_token(self, node: SOp, column: tuple[Fraction, ...]) -> Operand:
        """A function of the token: its number for each element of the vocabulary, written by the embedding (C7)."""
        return self._written_by(self._tokens, node, column)

    def put(self, direction: Direction, form: Form) -> bool:
        """Write a number where the embedding can: a sum of functions of the token and of the position, and a constant.

        False where something else is read.
        """
        parts = self._tokens, self._positions
        if any(d is not ONE and not any(d in part for part in parts) for d in form.terms):
            return False
        setting = self.names.graph.setting
        tokens = [form.terms.get(ONE, Fraction(0))] * len(setting.texts)
        positions = [Fraction(0)] * setting.max_length
        for d, c in form.terms.items():
            for column, part in ((tokens, self._tokens), (positions, self._positions)):
                for place, number in enumerate(part.get(d, ())):
                    column[place] += c * number
        for column, part in ((tokens, self._tokens), (positions, self._positions)):
            if any(column):
                part[direction] = tuple(column)
        return True

    def of_position(self, node: SOp, column: tuple[Fraction, ...]) -> Operand:
        """A function of the position: its number at each, written by the embedding (C7)."""
        return self._written_by(self._positions, node, column)

    def _written_by(
        self, columns: dict[Direction, tuple[Fraction, ...]], node: SOp, column: tuple[Fraction, ...]
    ) -> Operand:
        numerators, common = counts(column)
        key = columns is self._tokens, tuple(numerators), common
        if key not in self._embedded:
            self._embedded[key] = self.direction(node)
        direction = self._embedded[key]
        columns[direction] = column
        return Operand(
            Form.of(direction), 0, all(has_few_digits(Fraction(numerator, common)) for numerator in set(numerators))
        )

    def after_mlp(self, ready: int) -> int:
        """When an MLP sublayer that reads something ready then has written."""
        return self.slots.after(ready, "mlp")

    def heads(self, alike: Alike) -> list[OpenHead]:
        """The heads that select alike, one for each layer, to add to."""
        return self._heads.setdefault(alike, [])

    def neuron(self, node: SOp, read: Operand, largest: Fraction, holds: SOp, called: str = "{}") -> Operand:
        """One neuron, ``relu(read)``, in a direction of its own, which holds the s-op or another."""
        direction = self.direction(node, holds, called)
        self.ranges[direction] = Fraction(0), largest
        written = self.after_mlp(self.after_offsets(read).ready)
        self.neurons.append((written, Neuron((self.names.label(node),), read.form, ((direction, Fraction(1)),))))
        return Operand(Form.of(direction), written, read.exact)

    def needed(self, form: Form, since: int) -> int:
        """How many of the neurons that were placed since there were so many does a form depend on."""
        writers: dict[Direction, list[Neuron]] = {}
        for _, neuron in self.neurons[since:]:
            for direction, _ in neuron.writes:
                writers.setdefault(direction, []).append(neuron)
        fetched: dict[Direction, list[Form]] = {}
        for opened in (one for alike in self._heads.values() for one in alike):
            for channel in opened.channels:
                fetched.setdefault(channel.write, []).extend((channel.read, *opened.head.reads()))
        found: set[int] = set()
        seen: set[Direction] = set()
        todo = [*form.terms]
        while todo:
            direction = todo.pop()
            if direction not in seen:
                seen.add(direction)
                neurons = writers.get(direction, ())
                found |= {id(neuron) for neuron in neurons}
                todo += [term for neuron in neurons for term in neuron.read.terms]
                todo += [term for read in fetched.get(direction, ()) for term in read.terms]
        return len(found)

    def after_offsets(self, operand: Operand) -> Operand:
        """The operand, at its own time if a neuron's bias can subtract the offsets of that layer; else an MLP later.

        It can if the offsets that are added come to one at most, and those that are subtracted too: then all sums on
        the way stay below 2^24, where floats have every whole number. What else is read must be whole multiples.
        """
        carrying = {d: c for d, c in operand.form.terms.items() if d in self.offsets}
        if not carrying or operand.ready == 0 or self.slots.at(operand.ready, "mlp"):
            return operand
        up, down = (sum((s * c for c in carrying.values() if s * c > 0), Fraction(0)) for s in (1, -1))
        rest = [c for d, c in operand.form.terms.items() if d not in carrying]
        safe = max(up, down) <= 1 and all(c.denominator == 1 for c in rest)
        return operand if safe else replace(operand, ready=self.after_mlp(operand.ready))

    def finished(
        self,
        outputs: Sequence[Output],
        variables: Sequence[Variable],
        encoder: Circuit | None = None,
        layers: Sequence[Layer] | None = None,
        repeat: Repeat | None = None,
    ) -> Circuit:
        """The circuit, with everything that has been placed, behind an encoder that heads read; or with these layers,
        of which some are repeated."""
        setting = self.names.graph.setting
        circuit = Circuit(
            setting.texts,
            setting.max_length,
            setting.causal,
            self._tokens,
            self._positions,
            tuple(self.layers() if layers is None else layers),
            tuple(outputs),
            (),
            self.ranges,
            self.stairs,
            self.precision,
            self.offsets,
            frozenset(self.disjoint_counts),
            encoder=encoder,
            repeat=repeat,
            graph=self.names.graph,
            titles=self.names.titles,
        )
        return replace(circuit, variables=tuple(circuit.timed(variables)))

    def layers(self) -> Iterator[Layer]:
        """All layers, as far as something has been placed in them."""
        heads = [opened for alike in self._heads.values() for opened in alike]
        last = max([opened.written for opened in heads] + [time for time, _ in self.neurons], default=0)
        for number in range(1, self.slots.layer(last) + 1):
            found = [
                replace(h.head, channels=tuple(h.channels)) for h in heads if self.slots.layer(h.written) == number
            ]
            neurons = [neuron for time, neuron in self.neurons if self.slots.layer(time) == number]
            ended = {d: offset for d, offset in self.offsets.items() if self._layer_last_written(heads, d) == number}
            own, cross = ([head for head in found if head.crosses == crosses] for crosses in (False, True))
            yield Layer(own, [*_without_offsets(neurons, ended)], cross)

    def _layer_last_written(self, heads: Sequence[OpenHead], direction: Direction) -> int:
        """The layer whose heads are the last that write the direction; 0 if none does."""
        return self.slots.layer(_last_written(heads, direction))


def _last_written(heads: Sequence[OpenHead], direction: Direction) -> int:
    """When the last head has written the direction; 0 if none does."""
    return max((h.written for h in heads if any(channel.write == direction for channel in h.channels)), default=0)


def _without_offsets(neurons: Sequence[Neuron], ended: Mapping[Direction, Fraction]) -> Iterator[Neuron]:
    """Neurons that read past the offsets of their layer, and one that takes the offsets away."""
    for neuron in neurons:
        carried = sum([times(ended[d], c) for d, c in neuron.read.terms.items() if d in ended])
        yield replace(neuron, read=neuron.read - Form.constant(carried)) if carried else neuron
    if ended:
        yield Neuron(("offsets off",), Form.constant(1), tuple((d, -offset) for d, offset in ended.items()))
