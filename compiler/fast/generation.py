"""Generation in constant time: a causal circuit as a recurrence, one step a token, the same work at every position.

In: a certified causal `Circuit`. Out: `Recurrence`, which is written as one Python function, `step(token, position)`;
`RecurrentReading`, which reads on as `compiler.model.Reading` does.
What a head needs of the past is kept, not searched: counts and sums of what it selects so far, the last value for each
number that a query can ask for, the values of all positions where it looks at one of them. Only a head whose selection
is not known scores all keys again. A staircase of neurons is a table of its values.
Invariant: in float64 a number of the stream is that of the exact circuit, but for the rounding of float64; where the
circuit's numbers are made whole by an offset (C19), or looked up in a staircase, it is that number again.

    >>> import compiler, rasp
    >>> program = rasp.parse("same = tokens;")
    >>> circuit = compiler.compile(program, vocab="ab", max_length=4, attention="causal").circuit
    >>> print(Recurrence(circuit).source.splitlines()[-1].strip())
    return (t0, )
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from compiler.circuit import Channel, Circuit, Head, Layer, Output, Stairs
from compiler.direction import BOS, ONE, Direction, Form
from compiler.emit import logits
from compiler.fast.selection import Selection, Selections, Window

if TYPE_CHECKING:
    from torch import Tensor

    from compiler.model import Transformer

Step: TypeAlias = Callable[[int, int], tuple[float, ...]]
Numbers: TypeAlias = npt.NDArray[np.float64]
MOST_KNOWN = 1 << 16
"""How many numbers between those of a staircase are remembered."""
MOST_CLASSES = 64
"""A head with more classes of keys than this scores them."""


class Nearest(dict[Any, Any]):
    """A function of the numbers given; any other number has the value of the nearest of them."""

    def __init__(self, numbers: Sequence[tuple[float, ...]], values: Sequence[Any]) -> None:
        super().__init__(zip((n[0] if len(n) == 1 else n for n in numbers), values, strict=True))
        self.numbers, self.found = np.array(numbers), list(values)

    def __missing__(self, number: Any) -> Any:
        distance = ((self.numbers - np.array(number)) ** 2).sum(-1)
        value = self.found[int(distance.argmin())]
        if len(self) < len(self.found) + MOST_KNOWN:
            self[number] = value
        return value


class Log:
    """What was selected so far for one code: where, and the sums of its values up to there."""

    def __init__(self, width: int) -> None:
        self.places: list[int] = []
        self.sums: list[tuple[float, ...]] = [(0.0,) * width]

    def add(self, place: int, values: tuple[float, ...]) -> None:
        """One more position."""
        self.places.append(place)
        self.sums.append(tuple(map(float.__add__, self.sums[-1], values)))

    def between(self, first: int, last: int) -> tuple[int, tuple[float, ...]]:
        """How many there are from the first position to the last, and the sums of their values."""
        start, end = bisect_left(self.places, first), bisect_right(self.places, last)
        return end - start, tuple(b - a for a, b in zip(self.sums[start], self.sums[end], strict=True))


class Logs:
    """A log for each code."""

    def __init__(self, width: int) -> None:
        self.logs: dict[object, Log] = {}
        self.nothing = 0, (0.0,) * width

    def add(self, code: object, place: int, values: tuple[float, ...]) -> None:
        """One more position of a code."""
        log = self.logs.get(code)
        if log is None:
            log = self.logs[code] = Log(len(values))
        log.add(place, values)

    def between(self, code: object, first: int, last: int) -> tuple[int, tuple[float, ...]]:
        """How many there are of a code from the first position to the last, and the sums of their values."""
        log = self.logs.get(code)
        return self.nothing if log is None else log.between(first, last)


class Scored:
    """The keys of a head that is scored: all that came so far, [position, pair], and their values."""

    def __init__(self, head: Head) -> None:
        self.head = head
        self.keys = np.empty((64, len(head.scores)))
        self.values = np.empty((64, len(head.channels)))
        self.length = 0

    def add(self, keys: tuple[float, ...], values: tuple[float, ...]) -> None:
        """One more position."""
        if self.length == len(self.keys):
            self.keys, self.values = (np.concatenate([old, np.empty_like(old)]) for old in (self.keys, self.values))
        self.keys[self.length], self.values[self.length] = keys, values
        self.length += 1

    def select(self, query: tuple[float, ...], baseline: float) -> tuple[int, tuple[float, ...]]:
        """How many keys are selected, and the sums of their values."""
        scores = self.keys[: self.length] @ np.array(query)
        least = scores.max() if self.head.sure else baseline + float(self.head.selected)
        chosen = self.values[: self.length][scores >= least - float(self.head.step) / 2]
        return len(chosen), tuple(chosen.sum(0).tolist())


@dataclass(frozen=True)
class Group:
    """Heads of one layer that do the same in windows side by side: one head that sees both windows."""

    head: Head
    selection: Selection | None


def groups(heads: Sequence[Head], selections: Selections) -> Iterator[Group]:
    """The heads of a layer, those that count the same in windows side by side as one."""
    found: list[Group] = []
    for head in heads:
        selection = selections.of(head)
        for number, other in enumerate(found):
            if joined := _joined(other, head, selection):
                found[number] = joined
                break
        else:
            found.append(Group(head, selection))
    yield from found


def _joined(group: Group, head: Head, selection: Selection | None) -> Group | None:
    other = group.selection
    if selection is None or other is None or not group.head.mode == head.mode == "sum":
        return None
    if group.head.channels != head.channels or replace(other, window=selection.window) != selection:
        return None
    window = other.window.before(selection.window) or selection.window.before(other.window)
    return None if window is None else Group(head, replace(selection, window=window))


class Recurrence:
    """A causal circuit as a function of the next token and its position, which keeps what it needs of the past."""

    def __init__(self, circuit: Circuit) -> None:
        writer = _Writer(circuit)
        self.source = writer.source()
        self._code = compile(self.source, "<recurrence>", "exec")
        self._names = writer.names
        self._unembedding: list[Numbers] = []
        self._outputs: dict[str, tuple[slice, Nearest]] = {}
        end = 0
        for output in circuit.outputs:
            start, end = end, end + len(output.digits)
            numbers = [tuple(map(float, code)) for _, code in output.codes]
            self._outputs[output.name] = slice(start, end), Nearest(numbers, range(len(numbers)))
            self._unembedding.append(_unembedding(output, circuit.precision.logit_gap))

    def begin(self) -> Step:
        """The step of a new text: for a token id and its position (the first is 0), all digits of all outputs."""
        names = dict(self._names)
        exec(self._code, names)
        step: Step = names["begin"]()
        return step

    def nearest(self, output: str, digits: tuple[float, ...]) -> int:
        """The number of the value of an output that is nearest to its digits (C10)."""
        own, values = self._outputs[output]
        found: int = values[digits[own] if own.stop - own.start > 1 else digits[own.start]]
        return found

    def logits(self, digits: tuple[float, ...]) -> list[float]:
        """The logits of all outputs, [d_vocab_out]."""
        found: list[float] = []
        for (own, _), matrix in zip(self._outputs.values(), self._unembedding, strict=True):
            found += (np.array([*digits[own], 1.0]) @ matrix).tolist()
        return found


def _unembedding(output: Output, logit_gap: int) -> Numbers:
    """The logits of an output as a function of its digits and 1, [digit + 1, value]."""
    digits = [Direction(str(number)) for number in range(len(output.digits))]
    forms = logits(replace(output, digits=tuple(map(Form.of, digits))), logit_gap)
    return np.array([[float(form.terms.get(d, 0)) for form in forms] for d in (*digits, ONE)])


# ------------------------------------------------------------------------------------------------- writing the function


@dataclass
class _Table:
    """Columns that depend on the token alone, or on the position alone, each once."""

    letter: str
    columns: dict[bytes, tuple[str, list[Any]]] = field(default_factory=dict)

    def name(self, column: npt.NDArray[Any]) -> str:
        """The variable that holds the column's entry."""
        name = f"{self.letter}{len(self.columns)}"
        return self.columns.setdefault(column.tobytes(), (name, column.tolist()))[0]

    def rows(self) -> list[Any]:
        """For each token or position what its variables hold."""
        columns = [column for _, column in self.columns.values()]
        return columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))

    def unpacked(self) -> str:
        """The variables, as the left side of an assignment."""
        return ", ".join(name for name, _ in self.columns.values())


class _Writer:
    """Writes `begin`: the state of a text, and the function that goes one token on."""

    def __init__(self, circuit: Circuit) -> None:
        self.circuit = circuit
        self.selections = Selections(circuit)
        self.names: dict[str, Any] = {}
        self.state: list[str] = []
        self.lines: list[str] = []
        self.tokens, self.positions = _Table("t"), _Table("p")
        self.token_columns = {d: _floats(column) for d, column in circuit.tokens.items()}
        self.position_columns = {d: _floats(column) for d, column in circuit.positions.items()}
        self.offsets = dict(circuit.offsets)  # what stands in a column beside the number that its variable holds
        self.variables: dict[Direction, str] = {}
        columns = [*circuit.tokens.items(), *circuit.positions.items()]
        self.rough = {direction for direction, column in columns if not all(map(_is_dyadic, column))}
        self.known: dict[str, str] = {}
        self.counter = itertools.count()

    def source(self) -> str:
        """The text of `begin`."""
        for layer in self.circuit.layers:
            self._attend(layer)
            self._activate(layer)
        digits = [self.read(form) for output in self.circuit.outputs for form in output.digits]
        returned = f"return {_tuple(digits)}"
        tables = [
            f"{table.unpacked()} = {rows}[{index}]"
            for table, rows, index in ((self.tokens, "TOKENS", "token"), (self.positions, "POSITIONS", "position"))
            if table.columns
        ]
        for table, rows in ((self.tokens, "TOKENS"), (self.positions, "POSITIONS")):
            self.names[rows] = table.rows() if table.columns else []
        kept = [line.split(" = ")[0] for line in self.state if line.startswith("s")]
        body = [f"nonlocal {', '.join(kept)}"] if kept else []
        body += [*tables, *self.lines, returned]
        return "\n".join(
            [
                "def begin():",
                *(f"    {line}" for line in self.state),
                "    def step(token, position):",
                *(f"        {line}" for line in body),
                "    return step",
            ]
        )

    # -- forms -------------------------------------------------------------------------------------------------------

    def read(self, form: Form) -> str:
        """A form as an expression: what depends on the token or the position alone is a table's column."""
        constant = form.terms.get(ONE, Fraction(0))
        terms: list[tuple[Fraction, str]] = []
        token, position = np.zeros(len(self.circuit.vocabulary)), np.zeros(self.circuit.max_length)
        for direction, coefficient in form.terms.items():
            if direction in (ONE, BOS):
                continue
            constant += coefficient * self.offsets.get(direction, Fraction(0))
            token = token + float(coefficient) * self.token_columns.get(direction, 0.0)
            position = position + float(coefficient) * self.position_columns.get(direction, 0.0)
            if direction in self.variables:
                terms.append((coefficient, self.variables[direction]))
        if token.any():
            terms.append((Fraction(1), self.tokens.name(token + float(constant))))
            constant = Fraction(0)
        if position.any():
            terms.append((Fraction(1), self.positions.name(position + float(constant))))
            constant = Fraction(0)
        return self._once(_sum(terms, constant))

    def _once(self, expression: str) -> str:
        """A name for an expression, which is computed once."""
        if " " not in expression:
            return expression
        if expression not in self.known:
            self.known[expression] = self._assign("e", expression)
        return self.known[expression]

    def _new(self, letter: str) -> str:
        return f"{letter}{next(self.counter)}"

    def _keep(self, letter: str, value: str) -> str:
        """A name for something that is kept from token to token."""
        name = self._new(letter)
        self.state.append(f"{name} = {value}")
        return name

    def _hold(self, value: object) -> str:
        """A name for something that does not change."""
        name = self._new("C")
        self.names[name] = value
        return name

    def _assign(self, letter: str, expression: str) -> str:
        """A new name for what an expression is now."""
        name = self._new(letter)
        self.lines.append(f"{name} = {expression}")
        return name

    def _write(self, direction: Direction, name: str, exact: bool) -> None:
        """Add to a direction. What is added to an offset becomes whole, by rounding as the machine's addition does."""
        before = self.variables.get(direction)
        total = name if before is None else f"{before} + {name}"
        unit = self.selections.units.get(direction)
        if not exact:
            self.rough.add(direction)
        if direction in self.circuit.offsets and (direction in self.rough or unit is None or unit.denominator != 1):
            total = f"float(round({total}))"
            self.rough.discard(direction)
        self.variables[direction] = name if total == name else self._assign("v", total)

    def _is_exact(self, form: Form) -> bool:
        """Whether the form is free of rounding in float64: sums of binary fractions."""
        return all(d not in self.rough and _is_dyadic(c) for d, c in form.terms.items())

    # -- heads -------------------------------------------------------------------------------------------------------

    def _attend(self, layer: Layer) -> None:
        added: list[tuple[Direction, str, bool]] = []
        for group in groups(layer.heads, self.selections):
            found = self._group(group)
            for channel, one in zip(group.head.channels, found, strict=True):
                exact = self._is_exact(channel.read) and _is_dyadic(channel.default)
                added.append((channel.write, one, exact and not _is_averaged(group.head, channel)))
        for direction, one, exact in added:
            self._write(direction, one, exact)

    def _group(self, group: Group) -> list[str]:
        """The lines of one head; for each of its channels what it adds."""
        head, selection = group.head, group.selection
        if selection is None or selection.orders or not all(map(_is_small, selection.classes)):
            return self._scored(head)
        plain = not selection.classes and not selection.matches
        if selection.window.narrow and plain:
            return self._at_a_place(head, selection)
        if selection.window.so_far or _is_behind(selection.window):
            return self._so_far(head, selection)
        if head.mode == "sum" and plain:
            return self._in_window(head, selection)
        return self._logged(head, selection)

    def _scored(self, head: Head) -> list[str]:
        """All keys are scored again."""
        past = self._keep("k", f"{self._hold(Scored)}({self._hold(head)})")
        keys = _tuple(self.read(key) for _, key in head.scores)
        values = _tuple(self.read(channel.read) for channel in head.channels)
        query = _tuple(self.read(form) for form, _ in head.scores)
        baseline = "0.0" if head.baseline is None else self.read(head.baseline)
        self.lines.append(f"{past}.add({keys}, {values})")
        return self._reduced(head, f"{past}.select({query}, {baseline})")

    def _reduced(self, head: Head, selected: str) -> list[str]:
        """What a head makes of the number of selected keys and the sums of their values."""
        number, sums = self._new("n"), [self._new("r") for _ in head.channels]
        self.lines.append(f"{number}, {_tuple(sums)} = {selected}")
        if head.mode == "sum":
            return sums
        return [
            self._assign("r", _if(number, f"{one} / {number}", _default(head, channel)))
            for channel, one in zip(head.channels, sums, strict=True)
        ]

    def _at_a_place(self, head: Head, selection: Selection) -> list[str]:
        """One position, the same for every text: the values of all of them are kept, behind a default for none."""
        pairs = zip(selection.window.first, selection.window.last, strict=True)
        place = self.positions.name(np.array([first + 1 if last >= first else 0 for first, last in pairs]))
        test, asked = self._test(selection.keys), self._test(selection.queries)
        found = []
        for channel in head.channels:
            default = _default(head, channel)
            past = self._keep("k", f"[{default}]")
            self.lines.append(f"{past}.append({_if(test, self.read(channel.read), default)})")
            found.append(self._assign("r", _if(asked, f"{past}[{place}]", default)))
        return found

    def _so_far(self, head: Head, selection: Selection) -> list[str]:
        """Every position so far, or those before: what they come to is kept, for each code that can be asked for."""
        keys, query = self._codes(selection)
        put: list[str] = []
        ask: list[str] = []

        def kept(start: str, value: str, adds: bool) -> str:
            name = self._keep("k" if query else "s", "{}" if query else start)
            place, before = (f"{name}[{{}}]", f"{name}.get({{}}, {start}) + ") if query else (name, f"{name} + ")
            put.append(f"{place} = {before if adds else ''}{value}")
            return f"{name}.get({query}, {start})" if query else name

        number = kept("0", "1", adds=True) if any(_is_averaged(head, one) for one in head.channels) else ""
        asked = self._test(selection.queries)
        for channel in head.channels:
            value, default, averaged = self.read(channel.read), _default(head, channel), _is_averaged(head, channel)
            adds = head.mode == "sum" or averaged
            one = kept("0.0" if adds else default, value, adds)
            ask.append(_if(asked, _if(number, f"{one} / {number}", default) if averaged else one, default))
        lines = [line for test, code in keys for line in _when(test, [one.format(code, code) for one in put])]
        if selection.window.so_far:
            self.lines += lines
        found = [self._assign("r", one) for one in ask]
        if not selection.window.so_far:
            self.lines += lines
        return found

    def _in_window(self, head: Head, selection: Selection) -> list[str]:
        """Sums up to every position; the difference of two of them."""
        first, last = (np.array(ends) for ends in (selection.window.first, selection.window.last))
        start, end = (self.positions.name(np.where(last < first, 0, ends)) for ends in (first, last + 1))
        test, asked = self._test(selection.keys), self._test(selection.queries)
        found = []
        for channel in head.channels:
            past = self._keep("k", "[0.0]")
            value = _if(test, self.read(channel.read), "0.0")
            self.lines.append(f"{past}.append({past}[-1] + ({value}))")
            found.append(self._assign("r", _if(asked, f"{past}[{end}] - {past}[{start}]", "0.0")))
        return found

    def _logged(self, head: Head, selection: Selection) -> list[str]:
        """For each code where it was, and the sums up to there: two bisections."""
        first, last = (self.positions.name(np.array(ends)) for ends in (selection.window.first, selection.window.last))
        keys, query = self._codes(selection)
        past = self._keep("k", f"{self._hold(Logs)}({len(head.channels)})")
        values = _tuple(self.read(channel.read) for channel in head.channels)
        for test, code in keys:
            self.lines += _when(test, [f"{past}.add({code or 0}, position, {values})"])
        ask = f"{past}.between({query or 0}, {first}, {last})"
        asked = self._test(selection.queries)
        return self._reduced(head, _if(asked, ask, f"(0, {_tuple(['0.0'] * len(head.channels))})"))

    def _test(self, bits: Iterable[Form]) -> str:
        """Whether all bits hold, as an expression; empty: yes."""
        return " and ".join(f"{self.read(bit)} >= 0.5" for bit in bits)

    def _codes(self, selection: Selection) -> tuple[list[tuple[str, str]], str]:
        """What a query asks for, as an expression, and for a key when it is that (a test) for which codes."""
        number = [self._number(match.key, match.unit) for match in selection.matches]
        wanted = [self._number(match.query, match.unit) for match in selection.matches]
        held = self._test(selection.keys)
        keys = []
        for chosen in itertools.product(*(range(len(pairs)) for pairs in selection.classes)):
            bits = [pairs[i][1] for pairs, i in zip(selection.classes, chosen, strict=True)]
            test = " and ".join(filter(None, [held, self._test(bits)]))
            keys.append((test, _code([*map(str, chosen), *number])))
        for pairs in selection.classes:
            choice = "".join(f"{i} if {self.read(bit)} >= 0.5 else " for i, (bit, _) in enumerate(pairs))
            wanted.insert(0, self._assign("c", f"{choice}-1"))
        return keys, _code([*reversed(wanted[: len(selection.classes)]), *wanted[len(selection.classes) :]])

    def _number(self, form: Form, unit: Fraction) -> str:
        """A number that is compared: as it is where it is exact, else in whole units."""
        number = self.read(form)
        return number if self._is_exact(form) else self._once(f"round({number} * {float(1 / unit)!r})")

    # -- neurons -----------------------------------------------------------------------------------------------------

    def _activate(self, layer: Layer) -> None:
        """Neurons that are always on change what stands beside a number; staircases are looked up."""
        after = dict(self.offsets)
        added: dict[Direction, tuple[str, bool]] = {}
        stairs: dict[Direction, Stairs] = {}
        for neuron in layer.neurons:
            stairs |= {d: self.circuit.stairs[d] for d, _ in neuron.writes if d in self.circuit.stairs}
            writes = [(d, weight) for d, weight in neuron.writes if d not in self.circuit.stairs]
            if neuron.read.terms.keys() <= {ONE}:
                active = max(neuron.read.terms.get(ONE, Fraction(0)), Fraction(0))
                after |= {d: after.get(d, Fraction(0)) + weight * active for d, weight in writes}
            elif writes:
                self._neuron(neuron.read, writes, added)
        counts = {channel.write for head in layer.heads for channel in head.channels}
        self.offsets = {d: offset for d, offset in after.items() if d not in counts}  # staircases read counts without
        for direction, one in stairs.items():
            added[direction] = self._stairs(one), all(map(_is_dyadic, one.values))
        self.offsets = after
        for direction, (name, exact) in added.items():
            self._write(direction, name, exact)

    def _neuron(
        self, read: Form, writes: Sequence[tuple[Direction, Fraction]], added: dict[Direction, tuple[str, bool]]
    ) -> None:
        """One neuron by itself. `added` has for each direction what adds up, and whether that is free of rounding."""
        number, lines = self.read(read), []
        for direction, weight in writes:
            exact = self._is_exact(read) and _is_dyadic(weight)
            if direction not in added:
                added[direction] = self._assign("m", "0.0"), exact
            name, before = added[direction]
            added[direction] = name, before and exact
            lines.append(f"{name} += {_sum([(weight, number)], Fraction(0))}")
        self.lines += _when(f"{number} > 0.0", lines)

    def _stairs(self, stairs: Stairs) -> str:
        """A staircase is looked up."""
        table = Nearest([(float(x),) for x in stairs.numbers], [float(y) for y in stairs.values])
        return self._assign("r", f"{self._hold(table)}[{self.read(stairs.read)}]")


def _sum(terms: Sequence[tuple[Fraction, str]], constant: Fraction) -> str:
    """A linear combination as an expression."""
    text = ""
    for coefficient, name in terms:
        factor = "" if abs(coefficient) == 1 else f"{float(abs(coefficient))!r} * "
        sign = "-" if coefficient < 0 else "+" if text else ""
        text += f" {sign} {factor}{name}" if text else f"{sign}{factor}{name}"
    if constant or not text:
        text += f" {'-' if constant < 0 else '+'} {float(abs(constant))!r}" if text else repr(float(constant))
    return text


def _tuple(expressions: Iterable[str]) -> str:
    return f"({''.join(f'{one}, ' for one in expressions)})"


def _code(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else _tuple(parts) if parts else ""


def _if(test: str, expression: str, other: str) -> str:
    return f"({expression} if {test} else {other})" if test else expression


def _when(test: str, lines: Sequence[str]) -> list[str]:
    return [f"if {test}:", *(f"    {line}" for line in lines)] if test else list(lines)


def _default(head: Head, channel: Channel) -> str:
    return repr(float(channel.default)) if head.mode == "mean" else "0.0"


def _is_averaged(head: Head, channel: Channel) -> bool:
    """Whether different values can be averaged: not where one key is selected, or all have the same value."""
    return head.mode == "mean" and not head.single and not channel.read.terms.keys() <= {ONE}


def _is_behind(window: Window) -> bool:
    """Whether every query sees the positions in front of its own."""
    return not any(window.first) and window.last == tuple(range(-1, len(window.last) - 1))


def _is_small(classes: Sequence[object]) -> bool:
    return len(classes) <= MOST_CLASSES


def _is_dyadic(number: Fraction) -> bool:
    return number.denominator & (number.denominator - 1) == 0


def _floats(column: Sequence[Fraction]) -> Numbers:
    return np.array([float(number) for number in column])


# -------------------------------------------------------------------------------------------------------------- reading


class RecurrentReading:
    """A compiled model that reads on, one step a token: what `compiler.model.Reading` does with a cache."""

    def __init__(self, recurrence: Recurrence, model: Transformer) -> None:
        self.recurrence = recurrence
        self.model = model
        self.step = recurrence.begin()
        self.length = 0

    def _digits(self, ids: Sequence[int]) -> tuple[float, ...]:
        """All digits of all outputs behind these further tokens."""
        for length, token in enumerate(ids, start=self.length):
            digits = self.step(token, length)
        self.length += len(ids)
        return digits

    def read(self, ids: Sequence[int]) -> Tensor:
        """The logits [d_vocab_out] behind these further tokens."""
        return self.model.unembed.W_U.new_tensor(self.recurrence.logits(self._digits(ids)))

    def best(self, ids: Sequence[int], output: str) -> int:
        """The number of the value of an output that is the best behind these further tokens."""
        return self.recurrence.nearest(output, self._digits(ids))
