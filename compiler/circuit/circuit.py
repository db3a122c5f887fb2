"""The circuit: layers of heads and neurons over named directions, target independent and exact.

In: what `lower` builds. Out: `Circuit`, which `emit` turns into weights for any architecture.
Invariants: a head reads what earlier layers wrote, a neuron what its own layer's heads wrote too; every direction is
written before it is read; at the BOS position every direction has a constant known when compiling (`Circuit.bos`).

A printed example, `reverse` over "abc" (shortened):

    embedding: tokens = [-1, 0, 1] by token
    L0H0 length: where 0 >= 0; sums key(1) -> length
    L1H0 reverse: where (2 length - 2 indices - 4) * key(indices - 1) ... at its largest; averages key(tokens)
    output reverse: nearest to reverse of 3 values
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property, reduce
from typing import Literal

from compiler.graph.specialise import Graph
from compiler.numbers.direction import BOS, ONE, Direction, Form, total
from compiler.numbers.exact import Multiples, plus, times, whole
from compiler.numbers.precision import FLOAT32, Precision
from rasp.meaning.sop import Node, SOp
from rasp.text.source import counted
from rasp.value import Value

Stream = dict[Direction, Fraction]


@dataclass(frozen=True)
class Channel:
    """One value a head moves: what it reads at the key, what an empty row gets, where it is added at the query."""

    read: Form
    default: Fraction
    write: Direction


@dataclass(frozen=True)
class Part:
    """One comparison's share of a score: the sum of q(query) * k(key) over `pairs`.

    It is the wanted score plus `baseline(query)`. A "parabola" is ``2qk - k^2`` with baseline ``q^2``.
    """

    kind: Literal["table", "parabola", "order"]
    pairs: tuple[tuple[Form, Form], ...]
    baseline: Form
    reach: Fraction  # of a parabola: the largest code

    def forms(self) -> Iterator[Form]:
        """Every form the part reads."""
        yield from (form for pair in self.pairs for form in pair)
        yield self.baseline

    def over(self, forms: Mapping[Direction, Form]) -> Part:
        """The part with directions replaced by forms."""
        pairs = tuple((query.substitute(forms), key.substitute(forms)) for query, key in self.pairs)
        return replace(self, pairs=pairs, baseline=self.baseline.substitute(forms))


@dataclass(frozen=True)
class Head:
    """One attention head. The score of (query, key) is the sum of its parts' scores.

    A key is selected when its score reaches ``baseline(query) + selected``; all others stay at least `step` below.
    With `sure`, every row is known to select something: the largest score is the selected one, no baseline is read.
    A "mean" head averages its channels over the selected keys, a "sum" head adds them up.
    """

    name: str
    node: SOp  # what it was opened for; other s-ops whose selectors are alike share it
    selects: str  # in words, for people
    mode: Literal["mean", "sum"]
    parts: tuple[Part, ...]
    sure: bool
    selected: Fraction
    step: Fraction
    lowest: Fraction  # no selected key scores below this
    exact: bool  # every form it scores with is free of rounding
    single: bool  # no row selects two keys
    channels: tuple[Channel, ...]

    @property
    def scores(self) -> tuple[tuple[Form, Form], ...]:
        """The pairs of all parts."""
        return tuple(pair for part in self.parts for pair in part.pairs)

    @property
    def baseline(self) -> Form | None:
        """What scores contain that depends on the query alone; None for a sure head, which needs none."""
        return None if self.sure else total(part.baseline for part in self.parts)

    def purpose(self) -> str:
        """What the head is for, in words."""
        moved = ", ".join(dict.fromkeys(str(channel.write) for channel in self.channels))
        return f"{moved}: {self.what()}"

    def what(self) -> str:
        """What the head does, in words, but for what it writes."""
        if all(channel.read.terms.keys() <= {ONE} for channel in self.channels):
            verb = "counts" if self.mode == "sum" else "looks for"
        else:
            verb = "adds up over" if self.mode == "sum" else "fetches from" if self.single else "averages over"
        return f"{verb} {self.selects}"

    def reads(self) -> Iterator[Form]:
        """Every form the head reads."""
        yield from (form for pair in self.scores for form in pair)
        if self.baseline is not None:
            yield self.baseline
        yield from (channel.read for channel in self.channels)

    def rows(self, streams: Sequence[Stream], causal: bool) -> Iterator[list[int]]:
        """For each position, the selected keys (position 0 is BOS, which selects itself and is never selected)."""
        pairs, baseline = self.scores, self.baseline
        keys = [[k.at(stream) for _, k in pairs] for stream in streams]
        yield [0]
        for query, stream in enumerate(streams[1:], start=1):
            reads = [q.at(stream) for q, _ in pairs]
            scores = [_product(reads, keys[key]) for key in range(1, query + 1 if causal else len(streams))]
            bound = max(scores) if baseline is None else plus(baseline.at(stream), self.selected)
            yield [key for key, score in enumerate(scores, start=1) if score >= bound]

    def __str__(self) -> str:
        scores = " + ".join(f"({q}) * key({k})" for q, k in self.scores) or "0"
        when = "at its largest" if self.baseline is None else f">= {self.baseline + Form.constant(self.selected)}"
        verb = "sums" if self.mode == "sum" else "averages"
        moves = "; ".join(f"{verb} key({c.read}) -> {c.write}" + _or_default(self, c) for c in self.channels)
        return f"{self.name}: where {scores} {when}; {moves}"


def _product(one: Sequence[Fraction], other: Sequence[Fraction]) -> Fraction:
    """The sum of the products, number by number."""
    return reduce(plus, map(times, one, other), whole(0))


def _or_default(head: Head, channel: Channel) -> str:
    return f" (else {channel.default})" if head.mode == "mean" and head.baseline is not None else ""


@dataclass(frozen=True)
class Neuron:
    """``relu(read)``, added to each direction of `writes` with its coefficient."""

    names: tuple[str, ...]  # what it computes steps of, for people
    read: Form
    writes: tuple[tuple[Direction, Fraction], ...]

    @property
    def name(self) -> str:
        """Its names."""
        return "; ".join(self.names)

    def __str__(self) -> str:
        adds = ", ".join(f"{coefficient} -> {direction}" for direction, coefficient in self.writes)
        return f"{self.name}: relu({self.read}) * {adds}"


@dataclass(frozen=True)
class Stairs:
    """What the neurons of one direction compute: a function of `read`, which takes the values `numbers`."""

    read: Form
    numbers: Multiples
    values: Multiples  # of the function, at the numbers

    def sums(self, across: Fraction, up: Fraction) -> Multiples:
        """A multiple of the number and a multiple of the function, added up, at each number."""
        return self.numbers.times(across).plus(self.values.times(up))


@dataclass
class Layer:
    """An attention sublayer and an MLP sublayer; either may be empty."""

    heads: list[Head] = field(default_factory=list)
    neurons: list[Neuron] = field(default_factory=list)
    erasers: list[Neuron] = field(default_factory=list)  # set directions that nobody reads any more to zero (C15)

    @property
    def mlp(self) -> list[Neuron]:
        """All neurons, the erasers last."""
        return [*self.neurons, *self.erasers]

    def writes(self) -> Iterator[Direction]:
        """Every direction the layer adds to; what it erases is not among them."""
        yield from (channel.write for head in self.heads for channel in head.channels)
        yield from (direction for neuron in self.neurons for direction, _ in neuron.writes)


@dataclass(frozen=True)
class Output:
    """What is decoded at the end: the value whose code, of one or more digits, is nearest to the forms."""

    name: str
    digits: tuple[Form, ...]
    codes: tuple[tuple[Value, tuple[Fraction, ...]], ...]

    @cached_property
    def columns(self) -> tuple[Multiples, ...]:
        """The numbers of each digit, code by code."""
        return tuple(Multiples.of([code[place] for _, code in self.codes]) for place in range(len(self.digits)))

    @cached_property
    def _values(self) -> dict[tuple[Fraction, ...], Value]:
        return {code: value for value, code in reversed(self.codes)}

    def decode(self, stream: Mapping[Direction, Fraction]) -> Value:
        """The value nearest to what the stream holds."""
        at = tuple(form.at(stream) for form in self.digits)
        if at in self._values:
            return self._values[at]
        return min(self.codes, key=lambda entry: sum((x - y) ** 2 for x, y in zip(entry[1], at, strict=True)))[0]

    def __str__(self) -> str:
        digits = ", ".join(map(str, self.digits))
        return f"output {self.name}: nearest to {digits} of {counted(len(self.codes), 'value')}"


@dataclass(frozen=True)
class Variable:
    """A program variable that lives in the stream: how to read it, from when on, and which numbers stand for what.

    A quotient that is divided nowhere is read from two forms: what is divided, and by what.
    """

    name: str
    read: Form
    ready: int  # as in `Circuit.written`
    numbers: tuple[tuple[Value, Fraction], ...]
    over: Form | None = None

    @property
    def directions(self) -> set[Direction]:
        """All that it is read from."""
        return {*self.read.terms, *(self.over.terms if self.over is not None else ())}

    def decode(self, stream: Mapping[Direction, Fraction]) -> Value:
        """The value whose number is nearest to what the stream holds."""
        number = self.read.at(stream) / (self.over.at(stream) if self.over is not None else 1)
        return min(self.numbers, key=lambda pair: abs(pair[1] - number))[0]


@dataclass(frozen=True)
class Circuit:
    """A transformer by name. `tokens[d][t]` and `positions[d][i]` are what the embeddings write along d.

    What is added to a direction of `offsets` is rounded, by the addition itself, until a neuron takes the offset away.
    A direction has a column of its own, or takes over that of an erased one, its home.
    """

    vocabulary: tuple[str, ...]
    max_length: int
    causal: bool
    tokens: dict[Direction, tuple[Fraction, ...]]
    positions: dict[Direction, tuple[Fraction, ...]]
    layers: tuple[Layer, ...]
    outputs: tuple[Output, ...]
    variables: tuple[Variable, ...]
    ranges: dict[Direction, tuple[Fraction, Fraction]]  # least and greatest value of what heads and neurons write
    stairs: dict[Direction, Stairs]
    precision: Precision = FLOAT32
    offsets: dict[Direction, Fraction] = field(default_factory=dict)  # written by the embedding at every position
    exclusive: frozenset[Direction] = frozenset()  # of the heads that count into it, at most one counts any one key
    homes: dict[Direction, Direction] = field(default_factory=dict)
    graph: Graph | None = field(default=None, compare=False, repr=False)  # whose s-ops it computes
    titles: dict[Node, str] = field(default_factory=dict, compare=False, repr=False)  # of s-ops made on the way

    def directions(self) -> list[Direction]:
        """Every direction, in the order in which they are first written."""
        return list(self.written())

    def written(self) -> dict[Direction, int]:
        """When each direction is complete: 0 after the embedding, 2L - 1 and 2L after the sublayers of layer L."""
        times = dict.fromkeys([ONE, BOS, *self.tokens, *self.positions, *self.offsets], 0)
        for number, layer in enumerate(self.layers, start=1):
            times |= {channel.write: 2 * number - 1 for head in layer.heads for channel in head.channels}
            times |= {direction: 2 * number for neuron in layer.neurons for direction, _ in neuron.writes}
        return times

    def timed(self, variables: Iterable[Variable]) -> Iterator[Variable]:
        """The variables, each ready when all that it is read from is complete; not those of which a part is missing."""
        written = self.written()
        for variable in variables:
            if written.keys() >= variable.directions:
                yield replace(variable, ready=max((written[d] for d in variable.directions), default=0))

    def erased(self) -> dict[Direction, int]:
        """When each direction that is erased is no longer there: 2L after layer L."""
        found: dict[Direction, int] = {}
        for number, layer in enumerate(self.layers, start=1):
            found |= {direction: 2 * number for neuron in layer.erasers for direction, _ in neuron.writes}
        return found

    def carried(self) -> dict[Direction, int]:
        """When each offset is taken away again: 2L after layer L, and never, one more than all steps, if it stays."""
        found = dict.fromkeys(self.offsets, 2 * len(self.layers) + 1)
        for number, layer in enumerate(self.layers, start=1):
            constant = (neuron for neuron in layer.neurons if neuron.read == Form.constant(1))
            taken = {direction: -weight for neuron in constant for direction, weight in neuron.writes}
            found |= {d: 2 * number for d, offset in self.offsets.items() if taken.get(d) == offset}
        return found

    def columns(self) -> dict[Direction, int]:
        """The column of each direction."""
        found: dict[Direction, int] = {}
        taken = 0
        for direction in self.directions():
            if direction in self.homes:
                found[direction] = found[self.homes[direction]]
            else:
                found[direction], taken = taken, taken + 1
        return found

    def widths(self, layer: Layer) -> tuple[int, int]:
        """`d_head` and `d_value`: the widest head's. BOS as a key takes one dimension, and its threshold another
        where the precision tells it from the scores (C2)."""
        scores = (len(h.scores) + (2 if self.precision.relative and not h.sure else 1) for h in layer.heads)
        return max(scores, default=0), max((len(head.channels) for head in layer.heads), default=0)

    def numbers_in_a_column(self) -> int:
        """How many numbers a checkpoint stores for each column of the stream: all but the biases."""
        numbers = len(self.vocabulary) + 1 + (self.max_length + 1 if self.positions else 0)
        for layer in self.layers:
            numbers += 2 * len(layer.heads) * sum(self.widths(layer)) + 2 * len(layer.mlp)
        return numbers + sum(len(output.codes) for output in self.outputs)

    def parameters(self) -> int:
        """How many numbers a checkpoint stores."""
        biases = sum(len(layer.mlp) for layer in self.layers)
        return len(set(self.columns().values())) * self.numbers_in_a_column() + biases

    def embed(self, tokens: Sequence[int]) -> list[Stream]:
        """The stream before the first layer: BOS, then one position a token."""
        streams: list[Stream] = [{ONE: Fraction(1), BOS: Fraction(1)} | self.offsets]
        for position, token in enumerate(tokens):
            stream = {ONE: Fraction(1)} | self.offsets
            for columns, place in ((self.tokens, token), (self.positions, position)):
                for direction, column in columns.items():
                    stream[direction] = stream.get(direction, Fraction(0)) + column[place]
            streams.append(stream)
        return streams

    def stages(self, tokens: Sequence[int]) -> Iterator[list[Stream]]:
        """The stream after the embedding and after each sublayer, computed exactly."""
        streams = self.embed(tokens)
        yield streams
        for layer in self.layers:
            streams = _attend(layer.heads, streams, self.causal)
            yield streams
            streams = [_activate(layer.mlp, stream) for stream in streams]
            yield streams

    def bos(self) -> Stream:
        """What every direction holds at BOS until it is erased: BOS attends to itself alone, so this is a constant."""
        return dict(self._bos)

    @cached_property
    def _bos(self) -> Stream:
        streams = self.embed([])
        for layer in self.layers:
            streams = [_activate(layer.neurons, stream) for stream in _attend(layer.heads, streams, self.causal)]
        return streams[0]

    def run(self, tokens: Sequence[int]) -> dict[str, list[Value]]:
        """Decoded outputs for token ids, in exact arithmetic."""
        *_, streams = self.stages(tokens)
        return {output.name: [output.decode(stream) for stream in streams[1:]] for output in self.outputs}

    def verify(self) -> None:
        """Raise `ValueError` where a direction is read before it is written, or where its column is another's."""
        known = {ONE, BOS, *self.tokens, *self.positions, *self.offsets}
        columns = self.columns()
        for number, layer in enumerate(self.layers):
            for head in layer.heads:
                _require(known, [*head.reads()], f"layer {number}, head {head.name}")
            known |= {channel.write for head in layer.heads for channel in head.channels}
            for neuron in layer.mlp:
                _require(known, [neuron.read], f"layer {number}, neuron {neuron.name}")
            known |= {direction for neuron in layer.neurons for direction, _ in neuron.writes}
            if len({columns[direction] for direction in known}) < len(known):
                raise ValueError(f"after layer {number} two directions live in one column")
            known -= {direction for neuron in layer.erasers for direction, _ in neuron.writes}
        _require(known, [form for output in self.outputs for form in output.digits], "unembedding")

    def __str__(self) -> str:
        lines = [f"embedding: {d} = {_column(column)} by token" for d, column in self.tokens.items()]
        lines += [f"embedding: {d} = {_column(column)} by position" for d, column in self.positions.items()]
        lines += [f"embedding: {d} = {offset}, so that it is rounded" for d, offset in self.offsets.items()]
        for number, layer in enumerate(self.layers):
            lines += [f"L{number}H{i} {head}" for i, head in enumerate(layer.heads)]
            lines += [f"L{number}N{i} {neuron}" for i, neuron in enumerate(layer.mlp)]
        lines += map(str, self.outputs)
        return "\n".join(lines)


def _require(known: set[Direction], forms: Sequence[Form], where: str) -> None:
    for form in forms:
        if unknown := set(form.terms) - known:
            raise ValueError(f"{where} reads {sorted(map(str, unknown))}, which nothing before it writes")


def _column(column: Sequence[Fraction]) -> str:
    shown = [str(value) for value in column[:8]]
    return f"[{', '.join(shown)}{', ...' if len(column) > 8 else ''}]"


def _attend(heads: Sequence[Head], streams: list[Stream], causal: bool) -> list[Stream]:
    after = [dict(stream) for stream in streams]
    for head in heads:
        reads = [[channel.read.at(stream) for channel in head.channels] for stream in streams]
        for query, keys in enumerate(head.rows(streams, causal)):
            for number, channel in enumerate(head.channels):
                value = _reduce(head, channel, [reads[key][number] for key in keys], at_bos=query == 0)
                after[query][channel.write] = plus(after[query].get(channel.write, whole(0)), value)
    return after


def _reduce(head: Head, channel: Channel, values: list[Fraction], at_bos: bool) -> Fraction:
    if head.mode == "sum":
        return whole(0) if at_bos else reduce(plus, values, whole(0))
    return channel.default if at_bos or not values else reduce(plus, values, whole(0)) / len(values)


def _activate(neurons: Sequence[Neuron], stream: Stream) -> Stream:
    after = dict(stream)
    for neuron in neurons:
        active = max(neuron.read.at(stream), whole(0))
        for direction, coefficient in neuron.writes:
            after[direction] = plus(after.get(direction, whole(0)), times(active, coefficient))
    return after
