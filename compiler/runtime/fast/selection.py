"""Selections: what a head selects, in terms that need no scores.

In: a `Circuit` and one of its heads. Out: its `Selection`: tests of the key alone and of the query alone, numbers that
must be equal, a window of positions; or None where the head's parts do not say.
Invariant: at the exact numbers of the circuit, a selection has the rows of the head (`Head.rows`), with two exceptions:
a sure head that fetches a constant selects but the largest of an order, which makes no difference; where a sure head's
selection is empty, the input is one that the program does not mean.

    >>> import compiler, rasp
    >>> program = rasp.parse("hist = selector_width(select(tokens, tokens, ==));")
    >>> circuit = compiler.compile(program, vocab="abcd").circuit
    >>> print(selection_of(circuit, circuit.layers[0].heads[0]))
    key(tokens) = tokens in steps of 1
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import assert_never

import numpy as np
import numpy.typing as npt

from compiler.circuit.circuit import Circuit
from compiler.circuit.layer import Head, Part, Sees, Stream
from compiler.numbers.direction import ONE, Form
from compiler.runtime.fast.units import Units, common_unit

MOST_PAIRS = 1 << 24
"""How many pairs of positions are looked at to find a window."""
HALF = Fraction(1, 2)

Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Match:
    """The key's number equals the query's. Both are whole multiples of `unit`."""

    query: Form
    key: Form
    unit: Fraction

    def __str__(self) -> str:
        return f"key({self.key}) = {self.query} in steps of {self.unit}"


@dataclass(frozen=True)
class Order:
    """The key's number is at least the query's; where it is not, it is at least 1 below."""

    query: Form
    key: Form

    def __str__(self) -> str:
        return f"key({self.key}) >= {self.query}"


@dataclass(frozen=True)
class Interval:
    """The query's number is less than v away from the key's middle (C32). `square` is that of v; all are whole numbers.

    No two keys' intervals meet, and behind a key, they are farther up.
    """

    query: Form
    middle: Form
    square: Form

    def holds(self, query: Stream, key: Stream) -> bool:
        """Whether the query is in the key's interval."""
        return self.square.at(key) - (self.query.at(query) - self.middle.at(key)) ** 2 >= 1

    def __str__(self) -> str:
        return f"({self.query} - key({self.middle}))^2 < key({self.square})"


@dataclass(frozen=True)
class Window:
    """For the query at each position the first and the last position it sees; last < first: none. BOS is not counted.

    Positions behind the end of the input are not there, whatever the window says. `source`: how many positions there
    are to see, where they are those of a source.
    """

    first: tuple[int, ...]
    last: tuple[int, ...]
    source: int | None = None

    @staticmethod
    def all(length: int, causal: bool) -> Window:
        """Every position, or every position so far."""
        return Window((0,) * length, tuple(range(length)) if causal else (length - 1,) * length)

    @staticmethod
    def across(length: int, source: int) -> Window:
        """Every position of a source, at each position of a target."""
        return Window((0,) * length, (source - 1,) * length, source)

    @functools.cached_property
    def whole(self) -> bool:
        """Whether every query sees every position."""
        keys = len(self.last) if self.source is None else self.source
        return not any(self.first) and set(self.last) == {keys - 1}

    @functools.cached_property
    def so_far(self) -> bool:
        """Whether every query sees the positions up to its own."""
        return self.source is None and not any(self.first) and self.last == tuple(range(len(self.last)))

    @functools.cached_property
    def behind(self) -> bool:
        """Whether every query sees the positions in front of its own."""
        return self.source is None and not any(self.first) and self.last == tuple(range(-1, len(self.last) - 1))

    @functools.cached_property
    def narrow(self) -> bool:
        """Whether every query sees at most one position."""
        return all(last <= first for first, last in zip(self.first, self.last, strict=True))

    @property
    def ends(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The first positions, and the last."""
        return self.first, self.last

    @property
    def places(self) -> tuple[int, ...]:
        """Of a narrow window the position that each query sees, -1 where it sees none."""
        return tuple(last if last >= first else -1 for first, last in zip(self.first, self.last, strict=True))

    def before(self, other: Window) -> Window | None:
        """Both windows as one, where the other always begins behind the end of this one; else None."""
        found = []
        for a, b, c, d in zip(self.first, self.last, other.first, other.last, strict=True):
            if b >= a and d >= c and c != b + 1:
                return None
            found.append((c, d) if b < a else (a, b) if d < c else (a, d))
        return Window(tuple(first for first, _ in found), tuple(last for _, last in found), self.source)

    def __str__(self) -> str:
        if self.whole:
            return "any position" if self.source is None else "any position of the source"
        return "positions so far" if self.so_far else "a window of positions"


@dataclass(frozen=True)
class Selection:
    """A key is selected by a query if everything here holds; of several, the query may see the last or first alone.

    A bit is a form that is 1 or more where it holds and 0 or less where not. Of `classes`, each a list of pairs (query
    bit, key bit), one pair must hold at both; at most one does.
    """

    keys: tuple[Form, ...]
    queries: tuple[Form, ...]
    classes: tuple[tuple[tuple[Form, Form], ...], ...]
    matches: tuple[Match, ...]
    orders: tuple[Order, ...]
    window: Window
    intervals: tuple[Interval, ...] = ()
    sees: Sees = "all"

    @property
    def ended(self) -> bool:
        """Whether of several keys a query sees one, which comes last or first."""
        return self.sees != "all" and not self.window.narrow

    def key_bits(self) -> Iterator[Form]:
        """Every form that is read as a bit at the key."""
        yield from self.keys
        yield from (key for pairs in self.classes for _, key in pairs)

    def query_bits(self) -> Iterator[Form]:
        """Every form that is read as a bit at the query."""
        yield from self.queries
        yield from (query for pairs in self.classes for query, _ in pairs)

    def selects(self, query: Stream, key: Stream) -> bool:
        """Whether the key is selected, as far as that does not depend on the window."""
        return (
            all(form.at(key) >= HALF for form in self.keys)
            and all(form.at(query) >= HALF for form in self.queries)
            and all(any(q.at(query) >= HALF and k.at(key) >= HALF for q, k in pairs) for pairs in self.classes)
            and all(match.query.at(query) == match.key.at(key) for match in self.matches)
            and all(order.key.at(key) >= order.query.at(query) for order in self.orders)
            and all(interval.holds(query, key) for interval in self.intervals)
        )

    def rows(self, streams: Sequence[Stream], sources: Sequence[Stream]) -> Iterator[list[int]]:
        """For each position, the selected keys, as `Head.rows` gives them; `sources` are the streams of the keys."""
        yield [0]
        for place, query in enumerate(streams[1:]):
            seen = range(self.window.first[place], min(self.window.last[place], len(sources) - 2) + 1)
            found = [key + 1 for key in seen if self.selects(query, sources[key + 1])]
            yield {"all": found, "last": found[-1:], "first": found[:1]}[self.sees]

    def __str__(self) -> str:
        told = [f"key({form})" for form in self.keys] + [str(form) for form in self.queries]
        told += [" or ".join(f"{q} and key({k})" for q, k in pairs) for pairs in self.classes]
        told += [*map(str, self.matches), *map(str, self.orders), *map(str, self.intervals)]
        text = " and ".join([*told, str(self.window)] if not self.window.whole or not told else told)
        return text if self.sees == "all" else f"{text}, the {self.sees} one"


def selection_of(circuit: Circuit, head: Head) -> Selection | None:
    """What one head selects; None where its parts do not say."""
    return Selections(circuit).of(head)


class Selections:
    """The selections of a circuit's heads. What is known of the directions is found out once.

    `encoder` are those of the encoder's, if heads cross to its stream.
    """

    def __init__(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self.encoder = None if circuit.encoder is None else Selections(circuit.encoder)
        self.units: Units = Units(circuit, None if self.encoder is None else self.encoder.units)
        written = {direction for layer in circuit.layers for direction in layer.writes()} | circuit.offsets.keys()
        self.places = {d: column for d, column in circuit.positions.items() if d not in written | circuit.tokens.keys()}

    def at_keys(self, head: Head) -> Selections:
        """What is known of what the head reads at keys."""
        if not head.crosses:
            return self
        assert self.encoder is not None
        return self.encoder

    def of(self, head: Head) -> Selection | None:
        """What the head selects; None where its parts do not say."""
        keys, length = self.at_keys(head), self.circuit.max_length
        everything = Window.all(length, self.circuit.causal)
        if head.crosses:
            everything = Window.across(length, keys.circuit.max_length)
        parts = [part for part in head.parts if part.kind != "place"]  # which of several keys is seen
        if not all(_is_parabola(part) for part in parts if part.kind == "parabola"):
            return None
        static = [part for part in parts if self._is_static_part(part, keys)]
        window = self._window(static, keys) if static else everything
        rest = [part for part in parts if part not in static] if window is not None else parts
        found = _Tests()
        for part in rest:
            if not self._add(part, keys, found):
                return None
        return found.selection(window or everything, head.sees)

    def _add(self, part: Part, keys: Selections, found: _Tests) -> bool:
        """Add one part's tests; False where it has another form than is known here."""
        match part.kind:
            case "table":
                found.add_table([(query * (1 / part.weight), key) for query, key in part.pairs])
            case "parabola":
                query, key = _codes(part)
                unit = common_unit([self.units.of(query), keys.units.of(key)])
                if unit is None:
                    return False
                if unit:  # else both are 0 everywhere, so they are equal
                    found.matches.append(Match(query, key, unit))
            case "order":
                if len(part.pairs) != 1 or not _is_constant(part.pairs[0][0]):
                    return False
                ((factor, key),) = part.pairs
                found.add_order(part.baseline + Form.constant(1), key * factor.terms.get(ONE, Fraction(0)))
            case "interval":
                (asked, middle), _, (_, square) = part.pairs
                found.intervals.append(Interval(asked * HALF, middle, square))
            case "place":
                return False
            case _:
                assert_never(part.kind)
        return True

    # -- positions ---------------------------------------------------------------------------------------------------

    def _is_static_part(self, part: Part, keys: Selections) -> bool:
        """Whether a part depends on the positions of key and query alone."""
        queries = [part.baseline, *(query for query, _ in part.pairs)]
        return all(map(self._is_static, queries)) and all(keys._is_static(key) for _, key in part.pairs)

    def _is_static(self, form: Form) -> bool:
        """Whether the form is a function of the position alone."""
        return all(direction == ONE or direction in self.places for direction in form.terms)

    def column(self, form: Form) -> Numbers | None:
        """The form at every position, [position], where it is a function of the position alone."""
        return self._at(form) if self._is_static(form) else None

    def _at(self, form: Form) -> Numbers:
        """The form at every position, [position]."""
        found = np.full(self.circuit.max_length, float(form.terms.get(ONE, 0)))
        for direction, coefficient in form.terms.items():
            if direction != ONE:
                found += float(coefficient) * np.array([float(x) for x in self.places[direction]])
        return found

    def _window(self, parts: Sequence[Part], keys: Selections) -> Window | None:
        """The positions that parts of positions alone select, if they lie side by side for every query."""
        length, there = self.circuit.max_length, keys.circuit.max_length
        tests = [self._test(part, keys) for part in parts]
        bounds: list[tuple[int, int]] = []
        step = max(1, MOST_PAIRS // there // 8)
        if length * there > MOST_PAIRS:
            return None
        for start in range(0, length, step):
            queries = np.arange(start, min(start + step, length))
            seen = np.ones((len(queries), there), bool)
            if self.circuit.causal and keys is self:
                seen = np.tri(length, dtype=bool)[queries]
            for pairs, bound in tests:
                score = sum((query[queries, None] * key for query, key in pairs), np.zeros(seen.shape))
                seen &= score >= bound[queries, None]
            count, first = seen.sum(1), seen.argmax(1)
            last = there - 1 - seen[:, ::-1].argmax(1)
            if not ((last - first + 1 == count) | (count == 0)).all():
                return None
            bounds += zip(np.where(count, first, 0).tolist(), np.where(count, last, -1).tolist(), strict=True)
        ends = tuple(first for first, _ in bounds), tuple(last for _, last in bounds)
        return Window(*ends, None if keys is self else there)

    def _test(self, part: Part, keys: Selections) -> tuple[list[tuple[Numbers, Numbers]], Numbers]:
        """A part at all positions: the factors of its score, and the least score that selects, by query."""
        if part.kind == "parabola":  # -(q - k)^2 from the numbers themselves: a sure head has no baseline
            asked, sought = _codes(part)
            query, key = self._at(asked), keys._at(sought)
            minus = -np.ones_like(query)
            return [(2 * query, key), (minus, key * key)], query * query - 0.5
        pairs = [(self._at(query), keys._at(key)) for query, key in part.pairs]
        if part.kind == "interval":
            return pairs, pairs[0][0] ** 2 / 4 + 0.5
        selected = float(part.weight) if part.kind == "table" else 1.0
        return pairs, self._at(part.baseline) + selected - 0.5


class _Tests:
    """A selection that grows part by part."""

    def __init__(self) -> None:
        self.keys: list[Form] = []
        self.queries: list[Form] = []
        self.classes: list[tuple[tuple[Form, Form], ...]] = []
        self.matches: list[Match] = []
        self.orders: list[Order] = []
        self.intervals: list[Interval] = []

    def add_table(self, pairs: Sequence[tuple[Form, Form]]) -> None:
        """Pairs of bits, one of which must hold on both sides. A single pair is a test of each side."""
        if len(pairs) != 1:
            self.classes.append(tuple(pairs))
            return
        ((query, key),) = pairs
        self.queries += [] if query == Form.constant(1) else [query]
        self.keys += [] if key == Form.constant(1) else [key]

    def add_order(self, query: Form, key: Form) -> None:
        """A key that is at least the query; at least 1, it is a bit."""
        if query == Form.constant(1):
            self.keys.append(key)
        else:
            self.orders.append(Order(query, key))

    def selection(self, window: Window, sees: Sees) -> Selection:
        """All of it, each test once."""
        return Selection(
            tuple(dict.fromkeys(self.keys)),
            tuple(dict.fromkeys(self.queries)),
            tuple(self.classes),
            tuple(self.matches),
            tuple(self.orders),
            window,
            tuple(self.intervals),
            sees,
        )


def _is_parabola(part: Part) -> bool:
    return len(part.pairs) == 2 and _is_constant(part.pairs[1][0])


def _codes(part: Part) -> tuple[Form, Form]:
    """The numbers that a parabola ``2qk - k^2`` compares."""
    (query, key), _ = part.pairs
    return query * (1 / (2 * part.weight)), key


def _is_constant(form: Form) -> bool:
    return form.terms.keys() <= {ONE}
