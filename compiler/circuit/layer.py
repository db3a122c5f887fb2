"""Layers: heads and neurons over named directions, and what each of them reads, adds and is for.

In: forms and directions. Out: `Head`, `Neuron`, `Layer`; `Sublayer`, which says who reads and what is written, when.
Invariants: a head reads what earlier layers wrote, a neuron what its own layer's heads wrote too; whatever is written
is added to what stands there.

    L0H0 length: where 0 >= 0; sums key(1) -> length
    L0N0 [length > 2]: relu(length - 2) * 1 -> [length > 2]
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import reduce
from typing import Literal, Protocol, Self, TypeAlias, TypeVar

from compiler.numbers.bound import square
from compiler.numbers.direction import ONE, Direction, Form, total
from compiler.numbers.exact import Multiples, plus, real, times, whole
from compiler.numbers.precision import Precision
from rasp.meaning.sop import SOp

Stream: TypeAlias = dict[Direction, Fraction]
"""What stands at one position."""
Sees: TypeAlias = Literal["all", "last", "first"]
"""Which of the selected keys a head sees."""


@dataclass(frozen=True)
class Channel:
    """One value a head moves: what it reads at the key, what an empty row gets, where it is added at the query."""

    read: Form
    default: Fraction
    write: Direction
    picked: bool = False  # all selected keys of a row hold the same (C22), so that a mean is one of the values


@dataclass(frozen=True)
class Part:
    """One comparison's share of a score: the sum of q(query) * k(key) over `pairs`.

    It is the wanted score plus `baseline(query)`, times `weight`. A "parabola" is ``2qk - k^2`` with baseline ``q^2``.
    An "interval" is ``2qm - m^2 + v^2`` with that baseline, whole numbers (C32); those of the keys follow each other by
    position. A "place" is the position of the key, or its opposite: it tells which of several keys comes last, or
    first (C43).
    """

    kind: Literal["table", "parabola", "order", "interval", "place"]
    pairs: tuple[tuple[Form, Form], ...]
    baseline: Form
    reach: Fraction  # of a parabola: the largest code
    weight: Fraction = Fraction(1)  # what tables and parabolas are multiplied by

    @property
    def best(self) -> float:
        """Of a parabola the largest score, a square."""
        return real(self.weight) * square(self.reach)

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

    A key is selected when its score reaches ``baseline(query) + selected``; all others stay at least `score_gap` below.
    With `nearest`, others may reach it too, but stay below the selected key.
    With `sure`, every row is known to select something: the largest score is the selected one, no baseline is read.
    A "mean" head averages its channels over the selected keys, a "sum" head adds them up. Of several selected keys all
    are seen, or the one that comes `last` or `first` alone, which scores at least `score_gap` more (C43).
    """

    name: str
    node: SOp  # what it was opened for; other s-ops whose selectors are alike share it
    selects: str  # in words, for people
    mode: Literal["mean", "sum"]
    parts: tuple[Part, ...]
    sure: bool
    selected: Fraction
    score_gap: Fraction
    least_selected: Fraction  # no selected key scores below this
    exact: bool  # every form it scores with is free of rounding
    single: bool  # no row selects two keys
    channels: tuple[Channel, ...]
    nearest: bool = False  # of the keys that reach the threshold the one that scores most is selected (C47)
    crosses: bool = False  # what it reads at keys are forms of the encoder's stream, as it is in the end
    sees: Sees = "all"

    @property
    def scores(self) -> tuple[tuple[Form, Form], ...]:
        """The pairs of all parts."""
        return tuple(pair for part in self.parts for pair in part.pairs)

    def sharpness(self, precision: Precision) -> int:
        """Nats, the unit of what a softmax reads, between a selected key and any other: the factor on its scores."""
        if self.mode == "mean":
            return precision.sharp
        return precision.count_sharp if self.exact else precision.count_blunt

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
        which = "" if self.sees == "all" else f"the {self.sees} of "
        return f"{verb} {which}{self.selects}"

    def reads(self) -> Iterator[Form]:
        """Every form the head reads of the stream that it adds to."""
        yield from (query for query, _ in self.scores)
        if self.baseline is not None:
            yield self.baseline
        if not self.crosses:
            yield from self.at_keys()

    def at_keys(self) -> Iterator[Form]:
        """Every form the head reads at keys."""
        yield from (key for _, key in self.scores)
        yield from (channel.read for channel in self.channels)

    def only(self, read: Collection[Direction]) -> Head | None:
        """The head without what nobody reads of what it writes."""
        channels = tuple(channel for channel in self.channels if channel.write in read)
        return replace(self, channels=channels) if channels else None

    def rows(self, streams: Sequence[Stream], sources: Sequence[Stream], causal: bool) -> Iterator[list[int]]:
        """For each position, the selected keys (position 0 is BOS, which selects BOS, and BOS is never selected).

        `sources` are the streams of the keys; `causal`: they are the same ones, of which the later are not seen.
        """
        pairs, baseline = self.scores, self.baseline
        keys = [[k.at(stream) for _, k in pairs] for stream in sources]
        yield [0]
        for query, stream in enumerate(streams[1:], start=1):
            reads = [q.at(stream) for q, _ in pairs]
            scores = [_product(reads, keys[key]) for key in range(1, query + 1 if causal else len(sources))]
            bound = max(scores) if baseline is None else plus(baseline.at(stream), self.selected)
            bound = bound if self.sees == "all" and not self.nearest else max(bound, *scores)
            yield [key for key, score in enumerate(scores, start=1) if score >= bound]

    def __str__(self) -> str:
        scores = " + ".join(f"({q}) * key({k})" for q, k in self.scores) or "0"
        when = "at its largest" if self.baseline is None else f">= {self.baseline + Form.constant(self.selected)}"
        verb = "sums" if self.mode == "sum" else "averages"
        verb = verb if self.sees == "all" else f"{self.sees} of them"
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

    def reads(self) -> Iterator[Form]:
        """The one form that it reads."""
        yield self.read

    def only(self, read: Collection[Direction]) -> Neuron | None:
        """The neuron without what nobody reads of what it writes."""
        writes = tuple((direction, weight) for direction, weight in self.writes if direction in read)
        return replace(self, writes=writes) if writes else None

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
    """Sublayers of self-attention, of cross-attention in a decoder, of an MLP; each of them may be empty."""

    heads: list[Head] = field(default_factory=list)
    neurons: list[Neuron] = field(default_factory=list)
    cross: list[Head] = field(default_factory=list)
    erasers: list[Neuron] = field(default_factory=list)  # set directions that nobody reads any more to zero (C15)
    carriers: list[Neuron] = field(default_factory=list)  # put what a round ends with where it began (C44)

    @property
    def mlp(self) -> list[Neuron]:
        """All neurons, those of a round's end last."""
        return [*self.neurons, *self.erasers, *self.carriers]

    def writes(self) -> Iterator[Direction]:
        """Every direction the layer adds to; what it erases is not among them."""
        yield from (channel.write for head in (*self.heads, *self.cross) for channel in head.channels)
        yield from (direction for neuron in (*self.neurons, *self.carriers) for direction, _ in neuron.writes)


Slot: TypeAlias = Literal["self", "cross", "mlp"]
"""A sublayer's place in its layer."""


@dataclass(frozen=True)
class Slots:
    """The sublayers that every layer has, in order; the last one is the MLP."""

    names: tuple[Slot, ...]

    def time(self, layer: int, name: Slot) -> int:
        """When a sublayer has written: its number among all sublayers, the first of which is 1. Layers, too."""
        return (layer - 1) * len(self.names) + self.names.index(name) + 1

    def after(self, ready: int, name: Slot) -> int:
        """When the first such sublayer has written that reads something ready then."""
        place = self.names.index(name) + 1
        return ready + 1 + (place - ready - 1) % len(self.names)

    def layer(self, time: int) -> int:
        """The layer, counted from 1, of which a sublayer writes then; 0 for the embedding."""
        return -(-time // len(self.names))

    def at(self, time: int, name: Slot) -> bool:
        """Whether such a sublayer writes then."""
        return time > 0 and (time - self.names.index(name) - 1) % len(self.names) == 0


ENCODER = Slots(("self", "mlp"))
"""Those of a model of one tape, too."""
DECODER = Slots(("self", "cross", "mlp"))
"""Those of a decoder: the heads of the second one read the encoder's stream."""


@dataclass(frozen=True)
class Sublayer:
    """One sublayer of a layer, counted from 1: who reads, which directions get something, which are erased.

    Its time is its number among all sublayers; the embedding's is 0.
    """

    time: int
    layer: int
    readers: Sequence[Head | Neuron]
    writes: Sequence[Direction]
    erases: Sequence[Direction] = ()


def sublayers(layers: Iterable[Layer], slots: Slots) -> Iterator[Sublayer]:
    """All sublayers, in order."""
    for number, layer in enumerate(layers, start=1):
        for name in slots.names[:-1]:
            heads = layer.cross if name == "cross" else layer.heads
            moved = [channel.write for head in heads for channel in head.channels]
            yield Sublayer(slots.time(number, name), number, heads, moved)
        added, erased = ([d for neuron in some for d, _ in neuron.writes] for some in (layer.neurons, layer.erasers))
        yield Sublayer(slots.time(number, "mlp"), number, layer.mlp, added, erased)


class Writer(Protocol):
    """Whoever reads forms and adds to directions."""

    def reads(self) -> Iterator[Form]:
        """Every form it reads."""

    def only(self, read: Collection[Direction]) -> Self | None:
        """The writer without what nobody reads of what it writes; None if nothing is left."""


W = TypeVar("W", bound=Writer)


def needed(writers: Iterable[W], read: set[Direction]) -> list[W]:
    """Those of one sublayer that write what is read behind it; what they read is added to that."""
    kept = [found for writer in writers if (found := writer.only(read)) is not None]
    read |= {direction for writer in kept for form in writer.reads() for direction in form.terms}
    return kept
