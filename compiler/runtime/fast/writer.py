"""Writing a recurrence: the lines of each head and of each layer's neurons.

In: the `Plan` of a causal circuit. Out: the text of `begin`, and the names that it uses.
Invariant: a head is written after all that it reads; what a sublayer's heads add is added when all of them have read,
and so it is with its neurons. What a head keeps of a key is written once for both kinds: behind each token for a head
of the target, for one that crosses at each position of the source, before the first token.

    k0[t0] = k0.get(t0, 0.0) + 1.0
    r1 = k0.get(t0, 0.0)
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence, Set
from fractions import Fraction

import numpy as np

from compiler.circuit.layer import Channel, Head, Neuron, Stairs
from compiler.numbers.direction import ONE, Direction, Form
from compiler.runtime.fast.expressions import code_of, either, first, linear, put, total, tuple_of, when
from compiler.runtime.fast.kept import Logs, Nearest, Scores, Spans
from compiler.runtime.fast.plan import Plan, Step
from compiler.runtime.fast.selection import Match
from compiler.runtime.fast.source import Crossing, Source, common_grid, grid_of


class Writer(Source):
    """Writes a plan, layer by layer."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan.circuit)
        heads = [head for layer in self.circuit.layers for head in (*layer.heads, *layer.cross) if not head.single]
        self.several = {channel.write for head in heads for channel in head.channels}  # of more than one key, perhaps
        for layer in plan.layers:
            for crosses in (False, True):
                self._attend(layer.moving(crosses))
            self._activate(layer.neurons, {channel.write for head in layer.movers for channel in head.channels})

    def keys(self, head: Step | Head) -> Source | Crossing:
        """Where a head reads its keys, and what is done with each."""
        return self.crossing if head.crosses else self

    # -- heads -------------------------------------------------------------------------------------------------------

    def _attend(self, heads: Sequence[Step | Head]) -> None:
        added: list[tuple[Direction, str, int | None]] = []
        for head in heads:
            found = self._step(head) if isinstance(head, Step) else self._scored(head)
            for channel, one in zip(head.channels, found, strict=True):
                grid = common_grid(self.keys(head).grid(channel.read), grid_of([channel.default]))
                added.append((channel.write, one, None if self._is_averaged(head, channel) else grid))
        for direction, one, grid in added:
            self.write(direction, one, grid)

    def _step(self, step: Step) -> list[str]:
        """The lines of one head; for each of its channels what it adds."""
        selection, window = step.selection, step.selection.window
        if selection.orders:
            return self._ordered(step)
        if selection.intervals:
            return self._within(step)
        by_code = window.so_far or window.behind or (step.crosses and (window.whole or window.narrow))
        if by_code and not (selection.ended and selection.sees == "first"):
            return self._by_code(step)
        plain = not selection.classes and not selection.matches and not step.crosses
        if window.narrow and plain:
            return self._at_a_place(step)
        return self._in_window(step) if step.mode == "sum" and plain else self._logged(step)

    def _ordered(self, step: Step) -> list[str]:
        """Whether some key so far is large enough: the largest number up to every position."""
        (order,) = step.selection.orders
        last, keys = self.positions.name(np.array(step.selection.window.last) + 1), self.keys(step)
        past = self.keep("k", "[-1e300]")
        number = either(_test(step.selection.keys, keys), keys.read(order.key), "-1e300")
        keys.lines.append(f"{past}.append(max({past}[-1], {number}))")
        place = f"min({last}, len({past}) - 1)" if step.crosses else last
        asked = [
            *filter(None, [_test(step.selection.queries, self)]),
            f"{past}[{place}] >= {self.read(order.query)} - 0.5",
        ]
        pairs = [(self.read(channel.read), _default(step, channel)) for channel in step.channels]
        return [self.assign("r", either(" and ".join(asked), value, default)) for value, default in pairs]

    def _within(self, step: Step) -> list[str]:
        """The key whose interval holds a number: a bisection."""
        (interval,), keys, width = step.selection.intervals, self.keys(step), len(step.channels)
        first, last = (self.positions.name(np.array(ends)) for ends in step.selection.window.ends)
        past = self.keep("k", f"{self.hold(Spans)}({width})")
        values = tuple_of(keys.read(channel.read) for channel in step.channels)
        added = f"{past}.add(position, {keys.read(interval.middle)}, {keys.read(interval.square)}, {values})"
        keys.lines += when(_test(step.selection.keys, keys), [added])
        asked, nothing = _test(step.selection.queries, self), tuple_of(["0", tuple_of(["0.0"] * width)])
        return self._reduced(step, either(asked, f"{past}.at({self.read(interval.query)}, {first}, {last})", nothing))

    def _scored(self, head: Head) -> list[str]:
        """All keys are scored again."""
        past, keys = self.keep("k", f"{self.hold(Scores)}({self.hold(head)})"), self.keys(head)
        there = tuple_of(keys.read(form) for _, form in head.scores)
        values = tuple_of(keys.read(channel.read) for channel in head.channels)
        query = tuple_of(self.read(form) for form, _ in head.scores)
        baseline = "0.0" if head.baseline is None else self.read(head.baseline)
        keys.lines.append(f"{past}.add({there}, {values})")
        return self._reduced(head, f"{past}.select({query}, {baseline})")

    def _reduced(self, step: Step | Head, selected: str) -> list[str]:
        """What a head makes of the number of selected keys and the sums of their values."""
        number, sums = self.new("n"), [self.new("r") for _ in step.channels]
        self.lines.append(f"{number}, {tuple_of(sums)} = {selected}")
        if step.mode == "sum":
            return sums
        return [
            self.assign("r", either(number, f"{one} / {number}", _default(step, channel)))
            for channel, one in zip(step.channels, sums, strict=True)
        ]

    def _at_a_place(self, step: Step) -> list[str]:
        """One position, the same for every text: the values of all of them are kept, behind a default for none."""
        pairs = zip(step.selection.window.first, step.selection.window.last, strict=True)
        place = self.positions.name(np.array([first + 1 if last >= first else 0 for first, last in pairs]))
        test, asked = _test(step.selection.keys, self), _test(step.selection.queries, self)
        found = []
        for channel in step.channels:
            default = _default(step, channel)
            past = self.keep("k", f"[{default}]")
            self.lines.append(f"{past}.append({either(test, self.read(channel.read), default)})")
            found.append(self.assign("r", either(asked, f"{past}[{place}]", default)))
        return found

    def _by_code(self, step: Step) -> list[str]:
        """Every position so far, or those before, or of a source: what they come to is kept, for each code that can be
        asked for."""
        keys, queries = self._codes(step)
        asked, at = _test(step.selection.queries, self), self.keys(step)
        kept: list[tuple[str, str, bool]] = []  # a name, what is put there, whether it is added

        def keep(start: str, value: str, adds: bool) -> str:
            kept.append((self.keep("k" if queries[0][1] else "s", "{}" if queries[0][1] else start), value, adds))
            return kept[-1][0]

        averaged = [self._is_averaged(step, channel) for channel in step.channels]
        ask = [total(keep("0.0", "1.0", True), queries)] if any(averaged) else []
        for channel, several in zip(step.channels, averaged, strict=True):
            value, default = at.read(channel.read), _default(step, channel)
            if step.mode == "sum" or several:
                ask.append(total(keep("0.0", value, True), queries))
            else:
                ask.append(first(keep(default, value, False), queries, default))
        lines = [line for test, code in keys for line in when(test, [put(*one, code) for one in kept])]
        at.lines += [] if step.selection.window.behind else lines
        found = [self.assign("r", one) for one in ask]
        at.lines += lines if step.selection.window.behind else []
        number = found.pop(0) if any(averaged) else ""
        for place, (channel, several) in enumerate(zip(step.channels, averaged, strict=True)):
            default = _default(step, channel)
            test = " and ".join(filter(None, [asked, number if several else ""]))
            if test:
                one = f"{found[place]} / {number}" if several else found[place]
                found[place] = self.assign("r", either(test, one, default))
        return found

    def _in_window(self, step: Step) -> list[str]:
        """Sums up to every position; the difference of two of them."""
        first, last = (np.array(ends) for ends in step.selection.window.ends)
        start, end = (self.positions.name(np.where(last < first, 0, ends)) for ends in (first, last + 1))
        test, asked = _test(step.selection.keys, self), _test(step.selection.queries, self)
        found = []
        for channel in step.channels:
            past = self.keep("k", "[0.0]")
            value = either(test, self.read(channel.read), "0.0")
            self.lines.append(f"{past}.append({past}[-1] + ({value}))")
            found.append(self.assign("r", either(asked, f"{past}[{end}] - {past}[{start}]", "0.0")))
        return found

    def _logged(self, step: Step) -> list[str]:
        """For each code where it was, and the sums up to there: two bisections."""
        window, at = step.selection.window, self.keys(step)
        first, last = (self.positions.name(np.array(ends)) for ends in window.ends)
        keys, queries = self._codes(step)
        past = self.keep("k", f"{self.hold(Logs)}({len(step.channels)})")
        values = tuple_of(at.read(channel.read) for channel in step.channels)
        for test, code in keys:
            at.lines += when(test, [f"{past}.add({code or 0}, position, {values})"])
        codes = tuple_of(code or "0" for _, code in queries)
        if any(test for test, _ in queries):
            chosen = tuple_of(f"({test or 'True'}, {code})" for test, code in queries)
            codes = f"[code for test, code in {chosen} if test]"
        sees = step.selection.sees
        asked = f"{either(_test(step.selection.queries, self), codes, '()')}, {first}, {last}"
        found = f"{past}.between({asked})" if sees == "all" else f"{past}.end({asked}, {sees!r})"
        return self._reduced(step, found)

    def _codes(self, step: Step) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """For a key, and for a query: tests, and the code that it has if the test holds. Equal codes are a match.

        A place of the source, the same for every text, is a code too."""
        selection, at = step.selection, self.keys(step)
        numbers = [self._numbers(match, at) for match in selection.matches]
        if step.crosses and selection.window.narrow:
            numbers.append(("position", self.positions.name(np.array(selection.window.places))))
        keys, queries = [key for key, _ in numbers], [query for _, query in numbers]
        held = _test(selection.keys, at)
        found: tuple[list[tuple[str, str]], list[tuple[str, str]]] = ([], [])
        for chosen in itertools.product(*(range(len(pairs)) for pairs in selection.classes)):
            bits = [pairs[i] for pairs, i in zip(selection.classes, chosen, strict=True)]
            test = " and ".join(filter(None, [held, _test((key for _, key in bits), at)]))
            found[0].append((test, code_of([*map(str, chosen), *keys])))
            found[1].append((_test((query for query, _ in bits), self), code_of([*map(str, chosen), *queries])))
        return found

    def _numbers(self, match: Match, at: Source | Crossing) -> tuple[str, str]:
        """What is compared at key and query: as it is where both are exact, else both in whole units."""
        key, query = at.read(match.key), self.read(match.query)
        if at.grid(match.key) and self.grid(match.query):
            return key, query
        units = "" if match.unit == 1 else f" * {float(1 / match.unit)!r}"
        return at.once(f"round({key}{units})"), self.once(f"round({query}{units})")

    def _is_averaged(self, step: Step | Head, channel: Channel) -> bool:
        """Whether different values can be averaged: not where one key is selected, or all have the same value."""
        return step.mode == "mean" and channel.write in self.several and not channel.read.terms.keys() <= {ONE}

    # -- neurons -----------------------------------------------------------------------------------------------------

    def _activate(self, neurons: Sequence[Neuron], counts: Set[Direction]) -> None:
        """Neurons that are always on change what stands beside a number; staircases are looked up.

        A staircase reads the `counts` of its layer without their offsets.
        """
        after = dict(self.offsets)
        added: dict[Direction, tuple[str, int | None]] = {}
        stairs: dict[Direction, Stairs] = {}
        for neuron in neurons:
            stairs |= {d: self.circuit.stairs[d] for d, _ in neuron.writes if d in self.circuit.stairs}
            writes = [(d, weight) for d, weight in neuron.writes if d not in self.circuit.stairs]
            if neuron.read.terms.keys() <= {ONE}:
                active = max(neuron.read.terms.get(ONE, Fraction(0)), Fraction(0))
                after |= {d: after.get(d, Fraction(0)) + weight * active for d, weight in writes}
            elif writes:
                self._neuron(neuron.read, writes, added)
        self.offsets = {d: offset for d, offset in after.items() if d not in counts}
        for direction, one in stairs.items():
            added[direction] = self._stairs(one), grid_of([one.values.step])
        self.offsets = after
        for direction, (name, grid) in added.items():
            self.write(direction, name, grid)

    def _neuron(
        self, read: Form, writes: Sequence[tuple[Direction, Fraction]], added: dict[Direction, tuple[str, int | None]]
    ) -> None:
        """One neuron by itself. `added` has for each direction what adds up, and its grid."""
        number, lines = self.read(read), []
        for direction, weight in writes:
            if direction not in added:
                added[direction] = self.assign("m", "0.0"), 1
            name, before = added[direction]
            added[direction] = name, common_grid(before, self.grid(read * weight))
            lines.append(f"{name} += {linear([(weight, number)], Fraction(0))}")
        self.lines += when(f"{number} > 0.0", lines)

    def _stairs(self, stairs: Stairs) -> str:
        """A staircase is looked up."""
        table = Nearest([(x,) for x in stairs.numbers.floats.tolist()], stairs.values.floats.tolist())
        return self.assign("r", f"{self.hold(table)}[{self.read(stairs.read)}]")


def _default(step: Step | Head, channel: Channel) -> str:
    return repr(float(channel.default)) if step.mode == "mean" else "0.0"


def _test(bits: Iterable[Form], at: Source | Crossing) -> str:
    """Whether all bits hold, as an expression; empty: yes."""
    return " and ".join(f"{at.read(bit)} >= 0.5" for bit in bits)
