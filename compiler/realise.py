"""Realisation: gives every s-op that is needed a place in the residual stream, on demand, as early as possible.

In: a `Graph`. Out: a `Circuit`. Going back from the outputs, each numeric s-op becomes a `Reading`: a linear form, a
column of the embedding, a channel of a head, or neurons, whichever is the cheapest that applies:

1. a function of the token alone, or of the position alone, is written by the embedding (C7);
2. a linear form of readings is only another reading matrix (C7);
3. a count is a "sum" head, an aggregate a "mean" head (C1, C6); heads that select alike are one head;
4. a function of what heads picked is moved to the keys and picked instead (C7);
5. anything else is a staircase of neurons over one number (C8), or one neuron for an `and`.

Invariant: readings are exact in exact arithmetic; a reading that is ready at time t is read at later times only.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Literal, NamedTuple, TypeAlias

from compiler.attention import Codes, Reading, Scores, Scoring, is_short, scores, weighted
from compiler.circuit import Channel, Circuit, Head, Layer, Neuron, Output, Stairs, Variable
from compiler.compress import compress
from compiler.direction import Direction, Form, total
from compiler.domain import Domain, refusal
from compiler.exact import counts, times
from compiler.graph import Graph
from compiler.mlp import Kink, Staircase, staircase
from compiler.precision import FLOAT32, Precision
from compiler.relation import ALWAYS, EQUAL, Comparison, Conjunction, exclusive, symbol
from compiler.simplify import rebuilt
from compiler.table import Curve, Scale
from rasp.operators import PREDICATES
from rasp.sop import Aggregate, Constant, Indices, Lookup, Map, Node, Select, SOp, Tokens, Width, reachable
from rasp.source import RaspError
from rasp.value import Value

SHORT = {"depth": 64, "balanced": 64, "size": 8}
"""A staircase of at most this many neurons is taken without looking for anything else, by what is optimised."""
WIDE = {"depth": 1 << 20, "balanced": 512, "size": 0}
"""How many neurons an s-op may cost to be ready earlier, by what is optimised."""
LONG_ORDER = 12
"""Numbers of more values are put in order by two digits where keys are counted (C4)."""


_Compared: TypeAlias = tuple[SOp, SOp, Comparison]


def after_attention(ready: int) -> int:
    """When an attention sublayer that reads something ready then has written: times are 0 for the embedding, 2L - 1
    and 2L for the attention and the MLP of layer L."""
    return ready + 1 + ready % 2


def after_mlp(ready: int) -> int:
    """When an MLP sublayer that reads something ready then has written."""
    return ready + 2 - ready % 2


@dataclass(frozen=True)
class _Waist:
    """A number, given as a sum of s-ops with factors, and a function of it."""

    terms: tuple[tuple[SOp, Fraction], ...]
    curve: Curve


@dataclass
class _OpenHead:
    """A head under construction: channels are added while it is shared."""

    head: Head
    written: int
    channels: list[Channel] = field(default_factory=list)


class Care(NamedTuple):
    """What is done against rounding, at a price."""

    whole: bool = False
    """Counts are rounded to whole numbers as they are added to the stream, at a neuron a layer (C19)."""
    ranked: bool = False
    """Outputs are decoded from the ranks of their values, which are whole numbers, at a neuron a value (C10)."""


DEFAULT_CARE = Care()


def realise(
    graph: Graph, optimize: str = "balanced", care: Care = DEFAULT_CARE, precision: Precision = FLOAT32
) -> Circuit:
    """Build the circuit of a graph. `optimize` is one of "depth", "balanced", "size"."""
    return _Realiser(graph, optimize, care, precision).circuit()


def cares(graph: Graph, precision: Precision) -> tuple[Care, ...]:
    """What to try, in order: rounding at once where counts are computed with, else if need be; ranks in the end.

    A sum or difference of counts that is only decoded, or compared with what is no count, can do without.
    """
    if not precision.counts_need_offset:
        return Care(), Care(ranked=True)
    counts: set[Node] = {node for node in graph.nodes if isinstance(node, Width)}
    for node in graph.nodes:  # inputs come first
        if counts.intersection(node.inputs) and _is_linear(node):
            counts.add(node)
    readers = [node for node in graph.nodes if counts.intersection(node.inputs) and node not in counts]
    compared = [node for node in readers if isinstance(node, Select) and sum(x in counts for x in node.inputs) == 1]
    wholes = (False, True) if len(compared) == len(readers) else (True, False)
    return *map(Care, wholes), Care(whole=True, ranked=True)


class _Realiser:
    def __init__(self, graph: Graph, optimize: str, care: Care, precision: Precision) -> None:
        self.graph = graph
        self.optimize = optimize
        self.precision = precision
        self.whole = care.whole and precision.counts_need_offset
        self.ranked = care.ranked
        self.offsets: dict[Direction, Fraction] = {}
        self.exclusive: set[Direction] = set()
        self.analysis = graph.analysis
        self.limits = graph.setting.limits
        self.codes = Codes(graph.setting.texts)
        self.readings: dict[SOp, Reading] = {}
        self.exact: dict[SOp, Reading] = {}
        self.numbers: dict[SOp, tuple[tuple[tuple[Value, Fraction], ...], SOp]] = {}
        self.evidence: dict[SOp, tuple[Reading, Fraction] | None] = {}
        self.tokens: dict[Direction, tuple[Fraction, ...]] = {}
        self.positions: dict[Direction, tuple[Fraction, ...]] = {}
        self.embedded: dict[tuple[bool, tuple[int, ...], int], Direction] = {}
        self.heads: dict[tuple[str, bool, tuple[Conjunction, ...]], list[_OpenHead]] = {}
        self.neurons: list[tuple[int, Neuron]] = []
        self.titles: dict[Node, str] = {}
        self.ranges: dict[Direction, tuple[Fraction, Fraction]] = {}
        self.stairs: dict[Direction, Stairs] = {}
        self.scales: dict[SOp, Scale] = {}
        self.digits: dict[tuple[SOp, ...], tuple[tuple[tuple[SOp, Fraction], ...], Scale]] = {}
        self.used: set[str] = {"one", "bos"}

    # -- the whole ---------------------------------------------------------------------------------------------------

    def circuit(self) -> Circuit:
        outputs = tuple(self._output(name, node) for name, node in self.graph.outputs.items())
        setting = self.graph.setting
        found = Circuit(
            setting.texts,
            setting.max_length,
            setting.causal,
            self.tokens,
            self.positions,
            tuple(self._layers()),
            outputs,
            tuple(self._variables()),
            self.ranges,
            self.stairs,
            self.precision,
            self.offsets,
            frozenset(self.exclusive),
        )
        return compress(found)

    def _output(self, name: str, node: SOp) -> Output:
        numbers, coded = self._as_numbers(node)
        column = [number for _, number in numbers]
        reach = (max(column) - min(column)) / Domain.of(column).gap
        if reach <= 2 * self.precision.largest_digit and not self.ranked:
            return Output(name, (self.read(coded).form,), tuple((value, (number,)) for value, number in numbers))
        return self._in_digits(name, node, len(numbers))

    def _in_digits(self, name: str, node: SOp, size: int) -> Output:
        """A large output is decoded from the digits of its rank: squares of larger numbers would be rounded (C10).

        A small one from its rank, where its values themselves would be rounded too much.
        """
        largest = 2 * self.precision.largest_digit + 1
        base = largest if size <= largest else min(largest, math.isqrt(size - 1) + 1)
        places = 1
        while base**places < size:
            places += 1
        codes = {
            value: [rank // base**i % base for i in range(places)]
            for rank, value in enumerate(self.analysis.domain(node))
        }
        digits = [Lookup(tuple((value, code[i]) for value, code in codes.items()), node) for i in range(places)]
        return Output(
            name,
            tuple(self.read(digit).form for digit in digits),
            tuple((value, tuple(map(Fraction, code))) for value, code in codes.items()),
        )

    def _as_numbers(self, node: SOp) -> tuple[tuple[tuple[Value, Fraction], ...], SOp]:
        """The domain with the number that stands for each value, and the s-op that takes these numbers."""
        if node not in self.numbers:
            domain = self.analysis.domain(node)
            if domain.numeric:
                self.numbers[node] = tuple(zip(domain.values, domain.numbers, strict=True)), node
            else:
                self.numbers[node] = tuple((v, self.codes[v]) for v in domain), self.codes.of(node, domain)
        return self.numbers[node]

    def _layers(self) -> Iterator[Layer]:
        heads = [opened for shared in self.heads.values() for opened in shared]
        last = max([opened.written for opened in heads] + [time for time, _ in self.neurons], default=0)
        for number in range(1, (last + 1) // 2 + 1):
            found = [replace(h.head, channels=tuple(h.channels)) for h in heads if h.written == 2 * number - 1]
            neurons = [neuron for time, neuron in self.neurons if time == 2 * number]
            ended = {d: offset for d, offset in self.offsets.items() if _counted_by(heads, d) == 2 * number - 1}
            yield Layer(found, [*_without_offsets(neurons, ended)])

    def _variables(self) -> Iterator[Variable]:
        """The named s-ops that can be read off the stream without further work."""
        functions: dict[SOp, list[Lookup]] = {}
        for read in self.readings:
            if isinstance(read, Lookup):
                functions.setdefault(read.arg, []).append(read)
        needed = set(self.graph.nodes)
        for node, name in self.graph.names.items():
            if isinstance(node, SOp) and node in needed:
                numbers, coded = self._as_numbers(node)
                if coded in self.readings:
                    reading = self.readings[coded]
                    yield Variable(name, reading.form, reading.ready, numbers)
                elif node in functions:
                    yield from self._told_apart(name, node, functions[node])

    def _told_apart(self, name: str, node: SOp, functions: Sequence[Lookup]) -> Iterator[Variable]:
        """A variable of which functions are read: one that differs for all values, or 1 for each value but one."""
        domain = dict.fromkeys(self.analysis.domain(node))
        tables = {read: {value: answer for value, answer in read.table if value in domain} for read in functions}
        whole = {read: table for read, table in tables.items() if len(table) == len(domain)}
        numeric = {read: table for read, table in whole.items() if not any(isinstance(x, str) for x in table.values())}
        for read, table in numeric.items():
            if len(set(table.values())) == len(domain):
                reading = self.readings[read]
                yield Variable(name, reading.form, reading.ready, tuple((v, Fraction(table[v])) for v in domain))
                return
        ones = {value: read for read, table in numeric.items() if (value := _only_one(table)) is not None}
        if len(ones) >= len(domain) - 1:
            readings = [(i, self.readings[read]) for i, read in enumerate(ones.values(), start=1)]
            form = total(reading.form * i for i, reading in readings)
            places = {value: Fraction(i) for i, value in enumerate(ones, start=1)}
            numbers = tuple((value, places.get(value, Fraction(0))) for value in domain)
            yield Variable(name, form, max(reading.ready for _, reading in readings), numbers)

    # -- one s-op ----------------------------------------------------------------------------------------------------

    def read(self, node: SOp) -> Reading:
        """The s-op, whose values are numbers, as a linear form of the stream."""
        if node not in self.readings:
            self.readings[node] = self._find(node)
        return self.readings[node]

    def _find(self, node: SOp) -> Reading:
        variables = self.analysis.variables(node)
        if not variables:
            value = self.analysis.domain(node).numbers[0]
            return Reading(Form.constant(value), 0, is_short(value))
        if (linear := self._linear(node)) is not None:
            return linear
        match variables:
            case (Tokens(),):
                return self._embedded(node, self.tokens, list(self.graph.setting.texts))
            case (Indices(),):
                return self._embedded(node, self.positions, list(range(self.graph.setting.max_length)))
        if isinstance(node, Width):
            return self._width(node)
        if isinstance(node, Aggregate):
            return self._aggregate(node)
        if (pushed := self._pushed(node)) is not None:
            return self.read(pushed)
        return self._computed(node)

    def _embedded(self, node: SOp, columns: dict[Direction, tuple[Fraction, ...]], inputs: list[Value]) -> Reading:
        column = self.analysis.column(node, inputs)
        numerators, common = counts(column)
        known = columns is self.tokens, tuple(numerators), common
        if known not in self.embedded:
            self.embedded[known] = self._direction(self._label(node))
        direction = self.embedded[known]
        columns[direction] = column
        return Reading(
            Form.of(direction), 0, all(is_short(Fraction(numerator, common)) for numerator in set(numerators))
        )

    def _linear(self, node: SOp) -> Reading | None:
        """Sums, differences, multiples, and what is 0 or 1: no layer and no neuron."""
        match node:
            case Map(op="+", args=(a, b)) if self._numeric(a, b):
                return weighted([(self.read(a), Fraction(1)), (self.read(b), Fraction(1))])
            case Map(op="-", args=(a, b)) if self._numeric(a, b):
                return weighted([(self.read(a), Fraction(1)), (self.read(b), Fraction(-1))])
            case Map(op="negate" | "plus" as op, args=(a,)) if self._numeric(a):
                return weighted([(self.read(a), Fraction(-1 if op == "negate" else 1))])
            case Map(op="*", args=(a, Constant(value=factor))) | Map(op="*", args=(Constant(value=factor), a)):
                return weighted([(self.read(a), Fraction(factor))]) if self._numeric(a) else None
            case Map(op="/", args=(a, Constant(value=factor))) if self._numeric(a) and factor != 0:
                return weighted([(self.read(a), 1 / Fraction(factor))])
            case Map(op="indicator", args=(a,)) if self._is_bit(a):
                return self.read(a)
            case Map(op="not", args=(a,)) if self._is_bit(a):
                return weighted([(self.read(Constant(1)), Fraction(1)), (self.read(a), Fraction(-1))])
        return None

    def _range(self, node: SOp) -> tuple[Fraction, Fraction]:
        numbers = self.analysis.domain(node).numbers
        return numbers[0], numbers[-1]

    def _numeric(self, *nodes: SOp) -> bool:
        return all(self.analysis.domain(node).numeric for node in nodes)

    def _is_bit(self, node: SOp) -> bool:
        return self._numeric(node) and set(self.analysis.domain(node)) <= {0, 1}

    # -- heads -------------------------------------------------------------------------------------------------------

    def _width(self, node: Width) -> Reading:
        """A "sum" head for each exclusive case, adding 1 or -1 for each key into one direction."""
        direction = self._direction(self._label(node))
        counted = [term for case in exclusive(self.analysis.disjuncts(node.selector)) for term in self._counted(case)]
        self.ranges[direction] = Fraction(0), Fraction(self.graph.setting.max_length)
        if all(sign > 0 for sign, _ in counted):
            self.exclusive.add(direction)
        readings = [
            self._channel("sum", (case,), Reading(Form.constant(sign), 0, True), Fraction(0), direction, node)
            for sign, case in counted
        ]
        if self.whole:
            self.offsets[direction] = self.precision.offset
        ready = max(reading.ready for reading in readings)
        return Reading(Form.of(direction), ready, exact=self.whole or not self.precision.counts_need_offset)

    def _counted(self, case: Conjunction) -> list[tuple[int, Conjunction]]:
        """What to count: all but the equal ones are all minus the equal ones, which is cheaper than a table."""
        for part in case.parts:
            key, query, comparison = part
            if (
                comparison == ALWAYS - EQUAL
                and len(self.analysis.domain(query)) > 3
                and len(self.analysis.domain(key)) > 3
            ):
                rest = [other for other in case.parts if other is not part]
                everything, equal = Conjunction.of(rest), Conjunction.of([*rest, (key, query, EQUAL)])
                assert everything is not None and equal is not None
                return self._counted(everything) + [(-sign, piece) for sign, piece in self._counted(equal)]
            if (digits := self._by_digits(*part)) is not None:
                rest = [other for other in case.parts if other is not part]
                pieces = [Conjunction.of([*rest, *piece]) for piece in digits]
                return [found for piece in pieces if piece is not None for found in self._counted(piece)]
        return [(1, case)]

    def _by_digits(self, key: SOp, query: SOp, comparison: Comparison) -> list[list[_Compared]] | None:
        """A long order as two exclusive cases: the high digits are in order, or equal with the low ones in order (C4).

        A table of an order has as many dimensions as there are values, those of the digits the square root of that.
        """
        keys, queries = (self.analysis.domain(node) for node in (key, query))
        strict = comparison - EQUAL
        if self.optimize != "size" and not all(self._is_embedded(node) for node in (key, query)):
            return None  # digits of a computed number may take a layer
        if len(strict) != 1 or min(len(keys), len(queries)) <= LONG_ORDER:
            return None
        both = Domain.of([*keys, *queries])
        if not both.numeric and not all(isinstance(value, str) for value in both):
            return None
        base = math.isqrt(len(both) - 1) + 1
        rank = {value: place for place, value in enumerate(both)}

        def digit(node: SOp, domain: Domain, of: Callable[[int, int], int], name: str) -> SOp:
            found = Lookup(tuple((value, of(rank[value], base)) for value in domain), node)
            self.titles.setdefault(found, f"{name} digit of {self._label(node)}")
            return found

        high_key, high = (digit(*side, operator.floordiv, "high") for side in ((key, keys), (query, queries)))
        low_key, low = (digit(*side, operator.mod, "low") for side in ((key, keys), (query, queries)))
        return [[(high_key, high, strict)], [(high_key, high, EQUAL), (low_key, low, comparison)]]

    def _is_embedded(self, node: SOp) -> bool:
        """A function of the token and the position."""
        return all(isinstance(variable, Tokens | Indices) for variable in self.analysis.variables(node))

    def _aggregate(self, node: Aggregate) -> Reading:
        cases = self.analysis.disjuncts(node.selector)
        default = node.default
        if isinstance(default, str):
            raise AssertionError(f"{node} is read as a number, but its default is a string")
        values = self.analysis.domain(node.value)
        if len(cases) > 1 and len(values) == 1:
            return self.read(self._any_case(cases, Constant(values.values[0]), default))
        if len(cases) > 1 and self.analysis.picks(node):
            return self._one_of(node, exclusive(cases), Fraction(default))
        return self._mean(node, tuple(cases), Fraction(default))

    def _mean(self, node: Aggregate, cases: tuple[Conjunction, ...], default: Fraction) -> Reading:
        """A "mean" head. A constant is counted from itself, so that a row that finds it gets an exact 0."""
        direction = self._direction(self._label(node))
        values = self.analysis.domain(node.value).numbers
        origin = values[0] if len(values) == 1 else Fraction(0)
        low, high = self._range(node)
        self.ranges[direction] = low - origin, high - origin
        value = self.read(node.value)
        moved = Reading(value.form - Form.constant(origin), value.ready, value.exact)
        found = self._channel("mean", cases, moved, default - origin, direction, node)
        return Reading(found.form + Form.constant(origin), found.ready, found.exact)

    def _any_case(self, cases: list[Conjunction], value: SOp, default: Value) -> SOp:
        """A constant where any case selects something, the default elsewhere."""
        found: SOp = Constant(False)
        for case in cases:
            count = Aggregate(case.selector(), Constant(1), 0)
            found = Map("or", (found, Map(">", (count, Constant(0)))))
        return Map("if", (found, value, Constant(default)))

    def _one_of(self, node: Aggregate, cases: list[Conjunction], default: Fraction) -> Reading:
        """At most one case selects a key, so what the cases find, counted from the default, adds up."""
        direction = self._direction(self._label(node))
        low, high = self._range(node)
        self.ranges[direction] = low - default, high - default
        value = self.read(node.value)
        moved = Reading(value.form - Form.constant(default), value.ready, value.exact)
        parts = [self._channel("mean", (case,), moved, Fraction(0), direction, node) for case in cases]
        form = parts[0].form + Form.constant(default)
        return Reading(form, max(part.ready for part in parts), all(part.exact for part in parts))

    def _channel(
        self,
        mode: Literal["mean", "sum"],
        cases: tuple[Conjunction, ...],
        value: Reading,
        default: Fraction,
        direction: Direction,
        node: SOp,
    ) -> Reading:
        """Let the head that selects by these cases carry one more value into the direction."""
        sure = mode == "mean" and any(map(self.analysis.surely_matches, cases))
        order = mode == "mean" and isinstance(node, Aggregate) and len(self.analysis.domain(node.value)) == 1
        shared = self.heads.setdefault((mode, order, cases), [])
        if not shared:
            found = scores(cases, self._scoring(order, sure))
            shared.append(self._open(mode, found, sure, cases, node))
        earliest = after_attention(value.ready)
        opened = next((head for head in shared if head.written >= earliest), None)
        if opened is None:
            opened = _OpenHead(shared[0].head, earliest)
            shared.append(opened)
        opened.channels.append(Channel(value.form, default, direction))
        if self._selects_one(cases, node):
            opened.head = replace(opened.head, single=True)
        exact = mode == "mean" and (order or (opened.head.single and value.exact))
        return Reading(Form.of(direction), opened.written, exact)

    def _scoring(self, order: bool, sure: bool) -> Scoring:
        largest = self.precision.largest_code
        return Scoring(self.analysis, self.codes, self.read, self._exactly, self._evidence, order, not sure, largest)

    def _selects_one(self, cases: tuple[Conjunction, ...], node: SOp) -> bool:
        unique = len(cases) == 1 and self.analysis.unique(cases[0])
        return unique or (isinstance(node, Aggregate) and self.analysis.selects_one(node))

    def _open(
        self, mode: Literal["mean", "sum"], found: Scores, sure: bool, cases: tuple[Conjunction, ...], node: SOp
    ) -> _OpenHead:
        head = Head(
            name=self._label(node),
            selects=" or ".join(self._in_words(case) for case in cases),
            mode=mode,
            parts=tuple(found.parts),
            sure=sure,
            selected=found.selected,
            step=Fraction(1),
            lowest=found.lowest,
            exact=found.exact,
            single=self._selects_one(cases, node),
            channels=(),
        )
        return _OpenHead(head, after_attention(found.ready))

    def _pushed(self, node: SOp) -> SOp | None:
        """A function of values picked by one selector is the pick of the function's value."""
        variables = self.analysis.variables(node)
        picks = [var for var in variables if isinstance(var, Aggregate) and self.analysis.picks(var)]
        if len(picks) < len(variables) or len({pick.selector for pick in picks}) != 1:
            return None
        at_key = _substituted(node, {pick: pick.value for pick in picks})
        empty = self.analysis.table(_substituted(node, {pick: Constant(pick.default) for pick in picks}))
        default = empty[0][1] if empty else 0  # undefined for an empty row: an input without an answer
        pushed = Aggregate(picks[0].selector, at_key, default)
        self.titles.setdefault(pushed, self._label(node))
        for pick in picks:
            self.analysis.numbered(pushed, pick)
        return pushed

    # -- neurons -----------------------------------------------------------------------------------------------------

    def _computed(self, node: SOp) -> Reading:
        """The best way to compute a function with neurons: a staircase if it is short, else whichever is best."""
        stairs = [self._staircase(node, waist) for waist in self._waists(node) if self._is_short(waist)]
        stairs = sorted((s for s in stairs if len(s[0].kinks) <= self.limits.neurons), key=lambda s: len(s[0].kinks))
        at_once = [option for option in stairs if all(self._is_free(term) for term, _ in option[1].terms)]
        wanted = stairs if self.optimize == "size" else at_once
        if wanted and len(wanted[0][0].kinks) <= SHORT[self.optimize]:
            return self._climb(node, *wanted[0])
        ways: list[Callable[[], Reading | None]] = [lambda: self._in_steps(node)]
        ways += [lambda option=option: self._climb(node, *option) for option in (at_once[:1] + stairs[:1])]  # type: ignore[misc]
        if not stairs:
            ways.append(lambda: self._after_inner(node))
        found = [option for way in ways if (option := self._cost(way)) is not None]
        if not found:
            raise refusal(
                "too-large",
                f"{self.graph.name(node)} combines its operands in too many ways",
                "round an operand, or compile with a smaller max_length or vocabulary",
            )
        affordable = [option for option in found if option[1] <= WIDE[self.optimize]]
        if affordable:
            return min(affordable, key=lambda option: (option[0].ready, option[1]))[0]
        return min(found, key=lambda option: (option[1], option[0].ready))[0]

    def _cost(self, way: Callable[[], Reading | None]) -> tuple[Reading, int] | None:
        """Try a way: its reading and how many neurons it adds. What is not chosen is swept away in the end."""
        before = len(self.neurons)
        try:
            reading = way()
        except RaspError:
            return None
        return None if reading is None else (reading, len(self.neurons) - before)

    def _in_steps(self, node: SOp) -> Reading | None:
        """Logic, choice and products from their operands' readings."""
        match node:
            case Map(op="and"):
                return self._all(node, [self.read(self._truth(x)) for x in _operands(node)])
            case Map(op="or") if (evidence := self._evidence(node)) is not None:
                absent = self._not(evidence[0])
                return self._not(self._neuron(node, absent.form, Fraction(1), absent.ready, absent.exact))
            case Map(op="or"):
                return self._not(self._all(node, [self._not(self.read(self._truth(x))) for x in _operands(node)]))
            case Map(op="if", args=(condition, a, b)) if self._numeric(a, b):
                return self._choice(node, self._truth(condition), a, b)
            case Map(op="*", args=(a, b)) if a is not b and self._numeric(a, b):
                return self._product(a, b)
        return self._in_branches(node)

    def _in_branches(self, node: SOp) -> Reading | None:
        """A function of a choice is a choice between the function's values."""
        choice = self._chosen(node)
        if choice is None:
            return None
        condition, a, b = choice.args
        return self.read(Map("if", (condition, self._on_branch(node, choice, a), self._on_branch(node, choice, b))))

    def _chosen(self, node: SOp) -> Map | None:
        """The choice that the s-op is a function of, if that is so."""
        choices = (inner for inner in self._links(node) if isinstance(inner, Map) and inner.op == "if")
        return next(choices, None)

    def _on_branch(self, node: SOp, choice: SOp, branch: SOp) -> SOp:
        new: dict[Node, Node] = {choice: branch}
        for current in reachable([node]):
            if current not in new:
                made = rebuilt(current, new) if isinstance(current, Map | Lookup) else current
                new[current] = (
                    self._looked_up(made, made.arg) if made is not current and isinstance(made, Lookup) else made
                )
        result = new[node]
        assert isinstance(result, SOp)
        return result

    def _looked_up(self, node: Lookup, branch: SOp) -> SOp:
        """The table on one branch of a choice. What it lacks can only occur while the other branch is taken."""
        entries = dict(node.table)
        some = node.table[0][1]
        return Lookup(tuple((value, entries.get(value, some)) for value in self.analysis.domain(branch)), branch)

    def _after_inner(self, node: SOp) -> Reading | None:
        """Compute what the s-op is a function of, then a staircase over that."""
        inner = next(self._chain(node), None)
        return None if inner is None else self._climb(node, *self._staircase(node, self._along(node, inner)))

    def _truth(self, node: SOp) -> SOp:
        """The s-op as a bit: whether it is neither 0 nor the empty string."""
        if self._is_bit(node):
            return node
        return Lookup(tuple((value, bool(value)) for value in self.analysis.domain(node)), node)

    def _not(self, bit: Reading) -> Reading:
        return weighted([(self.read(Constant(1)), Fraction(1)), (bit, Fraction(-1))])

    def _all(self, node: SOp, bits: Sequence[Reading]) -> Reading:
        """``a and b and c = relu(a + b + c - 2)``."""
        read = weighted([(bit, Fraction(1)) for bit in bits])
        return self._neuron(node, read.form - Form.constant(len(bits) - 1), Fraction(1), read.ready, read.exact)

    def _evidence(self, node: SOp) -> tuple[Reading, Fraction] | None:
        """A number that is 0 where a nested `and` and `or` is false, and positive, up to a bound, where it is true.

        As an `or` of `and`s, it is one neuron an `and`, all in one layer, and their sum. None where that is not worth
        it, or the bound would be large.
        """
        if not self._is_nested(node):
            return None
        if node not in self.evidence:
            cases = self._cases(node)
            self.evidence[node] = None if cases is None else self._gathered(node, cases)
        return self.evidence[node]

    def _gathered(self, node: SOp, cases: Sequence[tuple[SOp, ...]]) -> tuple[Reading, Fraction]:
        """The evidence of all cases: what takes neurons is added up in one direction, the rest is read as it is."""
        direction, free, largest, ready, exact = self._direction(self._label(node)), [], Fraction(0), 0, True
        bound = Fraction(0)
        for case in cases:
            reading, bits, most = self._case(case)
            bound += most
            if not bits:
                free.append((reading, Fraction(1)))
                continue
            read = weighted([(reading, Fraction(1)), *((bit, most) for bit in bits)])
            written = after_mlp(self._settled(read).ready)
            bent = read.form - Form.constant(most * len(bits))
            self.neurons.append((written, Neuron(self._label(node), bent, ((direction, Fraction(1)),))))
            largest, ready, exact = largest + most, max(ready, written), exact and read.exact
        if largest:
            self.ranges[direction] = Fraction(0), largest
            free.append((Reading(Form.of(direction), ready, exact), Fraction(1)))
        return weighted(free), bound

    def _is_nested(self, node: SOp) -> bool:
        """An `and` or `or` of too many variables for a short staircase."""
        logical = isinstance(node, Map) and node.op in ("and", "or")
        return logical and self.analysis.count_points(self.analysis.variables(node)) > SHORT[self.optimize]

    def _cases(self, node: SOp) -> list[tuple[SOp, ...]] | None:
        """The s-op as an `or` of `and`s; an `or` of plain s-ops counts as plain. None where there are too many."""
        if not (self._is_nested(node) and isinstance(node, Map)):
            return [(node,)]
        parts = [self._cases(x) if not self._is_plain_or(x) or node.op == "or" else [(x,)] for x in _operands(node)]
        found: list[tuple[SOp, ...]] = [] if node.op == "or" else [()]
        for part in parts:
            if part is None or len(found) * len(part) > self.limits.logic:
                return None
            found = [*found, *part] if node.op == "or" else [one + other for one in found for other in part]
        return found if len(found) <= self.limits.logic else None

    def _is_plain_or(self, node: SOp) -> bool:
        return isinstance(node, Map) and node.op == "or" and not any(map(self._is_nested, _operands(node)))

    def _case(self, case: tuple[SOp, ...]) -> tuple[Reading, list[Reading], Fraction]:
        """Evidence for an `and` is ``relu(e + M (bits - m))``: one operand e may itself be evidence up to M, and there
        are m bits. Returns e, the bits and M."""
        summed = next((x for x in case if self._is_plain_or(x) and self._is_nested(x)), None)
        bits = [self.read(self._truth(x)) for x in case if x is not summed]
        evidence, most = [bits.pop()] if summed is None else [], Fraction(1)
        if summed is not None:
            evidence = [self.read(self._truth(x)) for x in _operands(summed)]  # type: ignore[arg-type]
            most = Fraction(len(evidence))
        return weighted([(bit, Fraction(1)) for bit in evidence]), bits, most

    def _neuron(self, node: SOp, read: Form, largest: Fraction, ready: int, exact: bool) -> Reading:
        direction = self._direction(self._label(node))
        self.ranges[direction] = Fraction(0), largest
        written = after_mlp(self._settled(Reading(read, ready, exact)).ready)
        self.neurons.append((written, Neuron(self._label(node), read, ((direction, Fraction(1)),))))
        return Reading(Form.of(direction), written, exact)

    def _choice(self, node: SOp, condition: SOp, a: SOp, b: SOp) -> Reading:
        """``b + c (a - b)``; ``c d = relu(d - least + M (c - 1)) + least c``, M at least the range of d (C9)."""
        difference = Map("-", (a, b))
        numbers = self.analysis.domain(difference).numbers
        least, wide = numbers[0], numbers[-1] - numbers[0]
        size = Fraction(2) ** max(0, math.ceil(wide) - 1).bit_length()
        bit, gap, other = self.read(condition), self.read(difference), self.read(b)
        read = gap.form + bit.form * size - Form.constant(least + size)
        gated = self._neuron(node, read, wide, max(bit.ready, gap.ready), bit.exact and gap.exact)
        return weighted([(other, Fraction(1)), (gated, Fraction(1)), (bit, least)])

    def _product(self, a: SOp, b: SOp) -> Reading:
        """``4ab = (a + b)^2 - (a - b)^2``: two staircases."""
        squares = [Map("*", (form, form)) for form in (Map("+", (a, b)), Map("-", (a, b)))]
        return weighted([(self.read(squares[0]), Fraction(1, 4)), (self.read(squares[1]), Fraction(-1, 4))])

    def _exactly(self, node: SOp) -> Reading:
        """A whole number, free of rounding if that can be had: what is read from a mean is added to an offset (C19)."""
        noisy = any(map(self._noisy, self.analysis.variables(node)))
        waists = [waist for waist in self._waists(node) if self._is_short(waist)] if self.whole and noisy else []
        if not waists:
            return self.read(node)
        if node not in self.exact:
            self.exact[node] = self._upon_offset(node, min(waists, key=lambda waist: len(waist.curve.codes)))
        return self.exact[node]

    def _upon_offset(self, node: SOp, below: _Waist) -> Reading:
        """A staircase whose line is a kink too, so that one direction holds all of it, and the offset for good."""
        waist = self._settled(weighted([(self.read(term), factor) for term, factor in below.terms]))
        numbers = below.curve.arguments.numbers
        stairs = staircase(below.curve.points(), flat=False)
        side = stairs.kinks[0].side if stairs.kinks else 1
        line = Kink(numbers[0] if side > 0 else numbers[-1], side, stairs.slope * side)
        constant = stairs.constant + stairs.slope * line.at
        direction, ready = self._direction(self._label(node)), after_mlp(waist.ready)
        bends = below.curve.beyond(Fraction(0), constant)
        self.ranges[direction] = bends.range
        self.stairs[direction] = Stairs(waist.form, numbers, bends.numbers)
        self.offsets[direction] = self.precision.offset + constant
        self._ramps(self._label(node), [line, *stairs.kinks], waist.form, direction, ready)
        return Reading(Form.of(direction) - Form.constant(self.precision.offset), ready, exact=True)

    def _staircase(self, node: SOp, waist: _Waist) -> tuple[Staircase, _Waist]:
        """A bit that is read from a noisy number has plateaus. Others are interpolated: they cancel in scores (C5)."""
        noisy = any(self._noisy(var) for term, _ in waist.terms for var in self.analysis.variables(term))
        return staircase(waist.curve.corners(), flat=noisy and len(self.analysis.domain(node)) <= 2), waist

    def _climb(self, node: SOp, stairs: Staircase, below: _Waist) -> Reading:
        waist = self._settled(weighted([(self.read(term), factor) for term, factor in below.terms]))
        line = waist.form * stairs.slope + Form.constant(stairs.constant)
        if not stairs.kinks:
            return Reading(line, waist.ready, waist.exact and is_short(stairs.slope) and is_short(stairs.constant))
        ready, label = after_mlp(waist.ready), self._label(node)
        direction = self._direction(label)
        bends = below.curve.beyond(stairs.slope, stairs.constant)
        self.ranges[direction] = bends.range
        self.stairs[direction] = Stairs(waist.form, below.curve.arguments.numbers, bends.numbers)
        self._ramps(label, stairs.kinks, waist.form, direction, ready)
        exact = waist.exact and all(is_short(kink.at) and is_short(kink.weight) for kink in stairs.kinks)
        return Reading(line + Form.of(direction), ready, exact)

    def _noisy(self, variable: SOp) -> bool:
        """Whether the variable carries rounding errors."""
        whole = self.whole or not self.precision.counts_need_offset
        return self.analysis.noisy(variable) and not (whole and isinstance(variable, Width))

    def _settled(self, reading: Reading) -> Reading:
        """Numbers that still carry their offset can be added up in the same layer only if no sum grows beyond it."""
        carrying = {d: c for d, c in reading.form.terms.items() if d in self.offsets}
        if not carrying or reading.ready % 2 == 0:
            return reading
        up, down = (sum((s * c for c in carrying.values() if s * c > 0), Fraction(0)) for s in (1, -1))
        rest = [c for d, c in reading.form.terms.items() if d not in carrying]
        safe = max(up, down) <= 1 and all(c.denominator == 1 for c in rest)
        return reading if safe else replace(reading, ready=reading.ready + 1)

    def _ramps(self, label: str, kinks: Sequence[Kink], read: Form, direction: Direction, ready: int) -> None:
        for kink in kinks:
            bent = (read - Form.constant(kink.at)) * kink.side
            self.neurons.append((ready, Neuron(f"{label}, step at {kink.at}", bent, ((direction, kink.weight),))))

    def _is_short(self, waist: _Waist) -> bool:
        """Whether the range of the number, in units of its smallest step, is not too large for a staircase (C8)."""
        return waist.curve.steps <= self.limits.steps

    def _waists(self, node: SOp) -> Iterator[_Waist]:
        """Numbers, linear in the stream, that the s-op is a function of."""
        match node:
            case Map(op=op, args=(a, b)) if op in PREDICATES and self._numeric(a, b):
                difference = Map("-", (a, b))
                if self._is_free(difference):
                    yield self._along(Map(op, (difference, Constant(0))), difference)
        chain = [inner for inner in self._chain(node) if self._is_free(inner)]
        yield from (self._along(node, inner) for inner in chain)
        variables = self.analysis.variables(node)
        known = len(variables) == 1 and variables[0] in chain and self._is_plain(variables[0])
        if not known and self.analysis.count_points(variables) <= self.limits.neurons:
            yield self._digits(node, variables, joint=True)
        frontier = self.analysis.frontier(node)
        if set(frontier) != set(variables) and self.analysis.count_points(frontier) <= self.limits.neurons:
            yield self._digits(node, frontier)
        args = tuple(arg for arg in dict.fromkeys(node.inputs) if isinstance(arg, SOp) and self.analysis.variables(arg))
        coded = {self._as_numbers(arg)[1] for arg in args}
        new = set(args) not in (set(variables), set(frontier)) and node not in coded
        if new and self.analysis.count_points(args) <= self.limits.neurons:
            yield self._digits(node, args)

    def _is_plain(self, variable: SOp) -> bool:
        """Whether a variable of numbers is its own digit: they are 1 apart, and all of them may occur."""
        return self.analysis.domain(variable).gap == 1 and self.analysis.all_meant((variable,))

    def _is_free(self, node: SOp) -> bool:
        """Whether reading the s-op takes no neurons: a linear form of variables, or the code of one."""
        one = (
            len(self.analysis.variables(node)) <= 1
            and isinstance(node, Lookup)
            and not isinstance(node.arg, Map | Lookup)
        )
        return one or self.analysis.linear(node) is not None

    def _chain(self, node: SOp) -> Iterator[SOp]:
        """The numeric s-ops that the s-op is a function of, one of the other, outermost first."""
        return (inner for inner in self._links(node) if self._numeric(inner))

    def _links(self, node: SOp) -> Iterator[SOp]:
        """The s-ops that the s-op is a function of, one of the other, outermost first."""
        inner = node
        while isinstance(inner, Map | Lookup):
            varying = {arg for arg in inner.inputs if isinstance(arg, SOp) and self.analysis.variables(arg)}
            if len(varying) != 1:
                return
            inner = varying.pop()
            yield inner

    def _along(self, node: SOp, inner: SOp) -> _Waist:
        """The s-op as a function of one that its chain leads to."""
        if inner not in self.scales:
            self.scales[inner] = Scale.of([self.analysis.domain(inner).numbers])
        return _Waist(((inner, Fraction(1)),), self.analysis.curve(node, (inner,), self.scales[inner]))

    def _digits(self, node: SOp, parts: tuple[SOp, ...], joint: bool = False) -> _Waist:
        """Several s-ops as the digits of one number (C8); those with rounding errors are the low digits."""
        if parts not in self.digits:
            self.digits[parts] = self._placed(parts)
        terms, scale = self.digits[parts]
        return _Waist(terms, self.analysis.curve(node, parts, scale, joint))

    def _placed(self, parts: tuple[SOp, ...]) -> tuple[tuple[tuple[SOp, Fraction], ...], Scale]:
        """The number of which the s-ops are the digits, as their sum with factors and as a scale."""
        place = Fraction(1)
        terms: list[tuple[SOp, Fraction]] = []
        digits: dict[SOp, list[Fraction]] = {}
        for part in sorted(parts, key=lambda part: not any(map(self.analysis.noisy, self.analysis.variables(part)))):
            numbers, coded = self._as_numbers(part)
            found, common = counts([number for _, number in numbers])
            ascending = sorted(found)
            gap = min((b - a for a, b in itertools.pairwise(ascending)), default=common)
            terms.append((coded, place / Fraction(gap, common)))
            unit = place / gap
            digits[part] = [times(unit, count) for count in found]
            place *= Fraction(ascending[-1] - ascending[0], gap) + 1
        return tuple(terms), Scale.of([digits[part] for part in parts])

    # -- names -------------------------------------------------------------------------------------------------------

    def _label(self, node: SOp) -> str:
        if node in self.titles:
            return self.titles[node]
        match node:
            case Map(op="*", args=(a, b)) if a is b:
                return f"({self._label(a)})^2"
            case Lookup(table=table, arg=arg) if node not in self.graph.names:
                chosen = all(value in (0, 1) for _, value in table)
                return self._label(arg) + (_members(table) if chosen else "")
        return self.graph.name(node)

    def _in_words(self, case: Conjunction) -> str:
        compared = [f"its {self._named(key)} {symbol(c)} my {self._named(query)}" for key, query, c in case.parts]
        constant = [not self.analysis.variables(query) for _, query, _ in case.parts]
        words = [
            w.replace(" my ", " ") if is_constant else w for w, is_constant in zip(compared, constant, strict=True)
        ]
        return "positions where " + " and ".join(words) if words else "all positions"

    def _named(self, node: SOp) -> str:
        return self.titles.get(node) or self.graph.name(node)

    def _direction(self, name: str) -> Direction:
        unique, number = name, 1
        while unique in self.used:
            number += 1
            unique = f"{name} #{number}"
        self.used.add(unique)
        return Direction(unique)


def _only_one(table: Mapping[Value, Value]) -> Value | None:
    """The value for which a table says 1, where it says 0 for all others."""
    members = [key for key, value in table.items() if value]
    return members[0] if len(members) == 1 and table[members[0]] == 1 else None


def _members(table: Sequence[tuple[Value, Value]]) -> str:
    """Which values a table chooses, as short as that can be said."""
    members = [key for key, value in table if value]
    if len(members) == 1:
        return f"={members[0]}"
    keys = [key for key, _ in table if not isinstance(key, str)]
    if 1 < len(members) < len(keys) == len(table):
        numbers, common = counts(keys)
        chosen = [number for number, (_, value) in zip(numbers, table, strict=True) if value]
        least, greatest = min(chosen), max(chosen)
        if sum(number >= least for number in numbers) == len(chosen):
            return f" >= {Fraction(least, common)}"
        if sum(number <= greatest for number in numbers) == len(chosen):
            return f" <= {Fraction(greatest, common)}"
    shown = [str(key) for key in (members if len(members) <= 4 else members[:3])]
    return f" in {{{','.join([*shown, f'{len(members) - 3} more'] if len(members) > 4 else shown)}}}"


def _counted_by(heads: Sequence[_OpenHead], direction: Direction) -> int:
    """When the last head has written the direction; 0 if none does."""
    return max((h.written for h in heads if any(channel.write == direction for channel in h.channels)), default=0)


def _without_offsets(neurons: Sequence[Neuron], ended: Mapping[Direction, Fraction]) -> Iterator[Neuron]:
    """Neurons that read past the offsets of their layer, and one that takes the offsets away."""
    for neuron in neurons:
        carried = sum([times(ended[d], c) for d, c in neuron.read.terms.items() if d in ended])
        yield replace(neuron, read=neuron.read - Form.constant(carried)) if carried else neuron
    if ended:
        yield Neuron("offsets off", Form.constant(1), tuple((d, -offset) for d, offset in ended.items()))


def _is_linear(node: Node) -> bool:
    """A sum, a difference or a multiple."""
    if not isinstance(node, Map):
        return False
    return node.op in ("+", "-", "negate", "plus") or (
        node.op in ("*", "/") and any(isinstance(arg, Constant) for arg in node.args)
    )


def _operands(node: Map) -> list[SOp]:
    """The operands of nested operations of one kind, such as ``a and b and c``, each once."""
    found: dict[SOp, None] = {}
    todo: list[SOp] = [node]
    while todo:
        current = todo.pop()
        if isinstance(current, Map) and current.op == node.op:
            todo.extend(reversed(current.args))
        else:
            found[current] = None
    return list(found)


def _substituted(node: SOp, new: dict[SOp, SOp]) -> SOp:
    """The elementwise part of the s-op over other variables."""
    found: dict[Node, Node] = {old: new[old] for old in new}
    for current in reachable([node]):
        if current not in found:
            found[current] = rebuilt(current, found) if isinstance(current, Map | Lookup) else current
    result = found[node]
    assert isinstance(result, SOp)
    return result
