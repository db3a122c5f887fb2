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

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property

from compiler.circuit.layer import DECODER, ENCODER, Head, Layer, Neuron, Slots, Stairs, Stream, Sublayer, sublayers
from compiler.circuit.walk import Exact, walk
from compiler.graph.specialise import Graph
from compiler.numbers.direction import BOS, ONE, Direction, Form
from compiler.numbers.exact import Multiples
from compiler.numbers.precision import FLOAT32, Precision
from rasp.meaning.sop import Node
from rasp.text.source import counted
from rasp.value import Value


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
class Computed:
    """What the last layer of a round computes itself: of a direction so much is added to what is carried."""

    direction: Direction
    factor: Fraction
    neurons: tuple[tuple[Neuron, Fraction], ...]


@dataclass(frozen=True)
class Carry:
    """A name that a loop carries: where it lives, the numbers it can be, what a round ends with."""

    direction: Direction
    numbers: tuple[Fraction, ...]
    after: Form
    """As the last layer of a round finds it, but for what that computes itself."""
    computed: tuple[Computed, ...] = ()


@dataclass(frozen=True)
class Repeat:
    """The layers from `start` on, before `stop`, are one round, and run so many times (C44)."""

    start: int
    stop: int
    rounds: int
    carries: tuple[Carry, ...]
    halt: Direction | None = None
    """Where a carried bit lives that may stop the loop before."""

    @property
    def carried(self) -> Set[Direction]:
        """Where the names live, in their order."""
        return dict.fromkeys(carry.direction for carry in self.carries).keys()

    def over(self, forms: Mapping[Direction, Form]) -> Repeat:
        """The same with directions replaced by forms."""
        return replace(self, carries=tuple(replace(one, after=one.after.substitute(forms)) for one in self.carries))


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
    disjoint_counts: frozenset[Direction] = frozenset()  # of the heads that count into one, at most one counts any key
    homes: dict[Direction, Direction] = field(default_factory=dict)
    encoder: Circuit | None = None  # of the source; heads that cross read the stream that it ends with
    exports: tuple[Form, ...] = ()  # what a decoder reads of the stream in the end
    repeat: Repeat | None = None
    graph: Graph | None = field(default=None, compare=False, repr=False)  # whose s-ops it computes
    titles: dict[Node, str] = field(default_factory=dict, compare=False, repr=False)  # of s-ops made on the way

    @property
    def slots(self) -> Slots:
        """The sublayers of every layer."""
        return ENCODER if self.encoder is None else DECODER

    def directions(self) -> list[Direction]:
        """Every direction, in the order in which they are first written."""
        return list(self.written())

    def sublayers(self) -> Iterator[Sublayer]:
        """All sublayers, in order."""
        return sublayers(self.layers, self.slots)

    def order(self, rounds: int | None = None) -> Iterator[int]:
        """The numbers of the layers as they run: those of a loop so many times, else as often as it has rounds."""
        if self.repeat is None:
            yield from range(len(self.layers))
            return
        start, stop = self.repeat.start, self.repeat.stop
        yield from range(start)
        for _ in range(self.repeat.rounds if rounds is None else rounds):
            yield from range(start, stop)
        yield from range(stop, len(self.layers))

    def crossing(self) -> list[Head]:
        """The heads that read the encoder's stream."""
        return [head for layer in self.layers for head in layer.cross]

    def written(self) -> dict[Direction, int]:
        """When each direction is complete: 0 after the embedding, else the number of the sublayer among all."""
        times = dict.fromkeys(self.at_first(), 0)
        for sublayer in self.sublayers():
            times |= dict.fromkeys(sublayer.writes, sublayer.time)
        return times

    def timed(self, variables: Iterable[Variable]) -> Iterator[Variable]:
        """The variables, each ready when all that it is read from is complete; not those of which a part is missing."""
        written = self.written()
        for variable in variables:
            if written.keys() >= variable.directions:
                yield replace(variable, ready=max((written[d] for d in variable.directions), default=0))

    def embedded(self) -> list[Direction]:
        """Every direction that the embedding writes, but for the two that are always there."""
        return [*self.tokens, *self.positions, *self.offsets]

    def at_first(self) -> list[Direction]:
        """Every direction that may be read before anything is written: what a loop carries may begin with 0."""
        return [ONE, BOS, *self.embedded(), *(() if self.repeat is None else self.repeat.carried)]

    def decoded(self) -> set[Direction]:
        """Every direction that an output is decoded from, or that a decoder reads."""
        read = [*(form for output in self.outputs for form in output.digits), *self.exports]
        if self.repeat is not None and self.repeat.halt is not None:
            read.append(Form.of(self.repeat.halt))
        return {direction for form in read for direction in form.terms}

    def erased(self) -> dict[Direction, int]:
        """When each direction that is erased is no longer there: after the last sublayer of a layer."""
        return {direction: sublayer.time for sublayer in self.sublayers() for direction in sublayer.erases}

    def carried(self) -> dict[Direction, int]:
        """When each offset is taken away again: after the MLP of a layer, or `never`."""
        found = dict.fromkeys(self.offsets, self.never)
        for number, layer in enumerate(self.layers, start=1):
            constant = (neuron for neuron in layer.neurons if neuron.read == Form.constant(1))
            taken = {direction: -weight for neuron in constant for direction, weight in neuron.writes}
            found |= {d: self.slots.time(number, "mlp") for d, offset in self.offsets.items() if taken.get(d) == offset}
        return found

    @property
    def never(self) -> int:
        """One more than all steps."""
        return len(self.slots.names) * len(self.layers) + 1

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

    @property
    def sees_ends(self) -> bool:
        """Whether some head sees the last or the first of several keys (C43)."""
        return any(head.sees != "all" for layer in self.layers for head in layer.heads)

    def widths(self, heads: Sequence[Head]) -> tuple[int, int]:
        """`d_head` and `d_value`: the widest head's. BOS as a key takes one dimension, and its threshold another
        where the precision tells it from the scores (C2)."""
        scores = (len(h.scores) + (2 if self.precision.relative_scores and not h.sure else 1) for h in heads)
        return max(scores, default=0), max((len(head.channels) for head in heads), default=0)

    def numbers_in_a_column(self) -> int:
        """How many numbers a checkpoint stores for each column of the stream: all but the biases, and what heads that
        cross have for the columns of the encoder."""
        numbers = len(self.vocabulary) + 1 + (self.max_length + 1 if self.positions else 0)
        for layer in self.layers:
            numbers += 2 * len(layer.heads) * sum(self.widths(layer.heads)) + 2 * len(layer.mlp)
        return numbers + self._crossed() + sum(len(output.codes) for output in self.outputs)

    def _crossed(self) -> int:
        """How many numbers heads that cross have for a column, of either stream."""
        return sum(len(layer.cross) * sum(self.widths(layer.cross)) for layer in self.layers)

    def parameters(self) -> int:
        """How many numbers a checkpoint stores."""
        biases = sum(len(layer.mlp) for layer in self.layers)
        own = len(set(self.columns().values())) * self.numbers_in_a_column() + biases
        if self.encoder is None:
            return own
        return own + self.encoder.parameters() + len(set(self.encoder.columns().values())) * self._crossed()

    def embed(self, tokens: Sequence[int]) -> list[Stream]:
        """The stream before the first layer: BOS, then one position a token."""
        return Exact(self, tokens).embed()

    def stages(self, tokens: Sequence[int], sources: Sequence[Stream] = ()) -> Iterator[list[Stream]]:
        """The stream after the embedding and after each sublayer, computed exactly, behind an encoder's streams."""
        return walk(self, Exact(self, tokens, sources=sources))

    def encoded(self, tokens: Sequence[int]) -> list[Stream]:
        """The stream that the encoder ends with."""
        assert self.encoder is not None
        *_, streams = self.encoder.stages(tokens)
        return streams

    def bos(self) -> Stream:
        """What every direction holds at BOS until it is erased: BOS attends to itself alone, so this is a constant."""
        return dict(self._bos)

    @cached_property
    def _bos(self) -> Stream:
        source = [] if self.encoder is None else [self.encoder.bos()]
        *_, [at_bos] = walk(self, Exact(self, [], erasing=False, sources=source))
        return at_bos

    def run(self, tokens: Sequence[int], source: Sequence[int] | None = None) -> dict[str, list[Value]]:
        """Decoded outputs for token ids, in exact arithmetic; with a source, for those of the target."""
        *_, streams = self.stages(tokens, () if source is None else self.encoded(source))
        return {output.name: [output.decode(stream) for stream in streams[1:]] for output in self.outputs}

    def verify(self) -> None:
        """Raise `ValueError` where a direction is read before it is written, or where its column is another's."""
        if self.encoder is not None:
            replace(self.encoder, exports=tuple(f for head in self.crossing() for f in head.at_keys())).verify()
        known = {*self.at_first()}
        columns = self.columns()
        for sublayer in self.sublayers():
            for reader in sublayer.readers:
                _require(known, [*reader.reads()], f"layer {sublayer.layer - 1}, {reader.name}")
            known |= {*sublayer.writes}
            if len({columns[direction] for direction in known}) < len(known):
                raise ValueError(f"after layer {sublayer.layer - 1} two directions live in one column")
            known -= {*sublayer.erases}
        _require(known, [*(form for output in self.outputs for form in output.digits), *self.exports], "unembedding")

    def __str__(self) -> str:
        if self.encoder is not None:
            return f"encoder\n{self.encoder}\n\ndecoder\n{self._listed()}"
        return self._listed()

    def _listed(self) -> str:
        lines = [f"embedding: {d} = {_column(column)} by token" for d, column in self.tokens.items()]
        lines += [f"embedding: {d} = {_column(column)} by position" for d, column in self.positions.items()]
        lines += [f"embedding: {d} = {offset}, so that it is rounded" for d, offset in self.offsets.items()]
        for number, layer in enumerate(self.layers):
            lines += [f"L{number}H{i} {head}" for i, head in enumerate(layer.heads)]
            lines += [f"L{number}C{i} {head}" for i, head in enumerate(layer.cross)]
            lines += [f"L{number}N{i} {neuron}" for i, neuron in enumerate(layer.mlp)]
        if self.repeat is not None:
            lines.append(
                f"layers {self.repeat.start} to {self.repeat.stop - 1} run {counted(self.repeat.rounds, 'time')}"
            )
        lines += map(str, self.outputs)
        return "\n".join(lines)


def _require(known: set[Direction], forms: Sequence[Form], where: str) -> None:
    for form in forms:
        if unknown := set(form.terms) - known:
            raise ValueError(f"{where} reads {sorted(map(str, unknown))}, which nothing before it writes")


def _column(column: Sequence[Fraction]) -> str:
    shown = [str(value) for value in column[:8]]
    return f"[{', '.join(shown)}{', ...' if len(column) > 8 else ''}]"
