"""Generation in constant time: a causal circuit as a recurrence, one step a token, the same work at every position.

In: the `Plan` of a causal circuit. Out: `Recurrence`, which is written as one Python function, `step(token, position)`;
`RecurrentReading`, which reads on as `compiler.model.Reading` does.
What a head needs of the past is kept, not searched: counts and sums of what it selects so far, the last value for each
number that a query can ask for, the values of all positions where it looks at one of them. A staircase of neurons is a
table of its values. Only a head that is known by its scores alone scores all keys again.
Invariant: a number of the stream is that of the exact circuit, but for the rounding of float64; what a staircase gives,
and what is added to an offset (C19), is that number again. So the plan's certificate, whose errors are larger, holds.

    >>> import compiler, rasp
    >>> from compiler.runtime.fast.plan import plan
    >>> program = rasp.parse("seen = selector_width(select(tokens, tokens, ==));")
    >>> compiled = compiler.compile(program, vocab="abcd", max_length=4, attention="causal")
    >>> print(*Recurrence(plan(compiled.circuit)).source.splitlines()[-4:-1], sep="\\n")
            k0[t0] = k0.get(t0, 0.0) + 1.0
            r1 = k0.get(t0, 0.0)
            return (r1, )
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from torch import Tensor

from compiler.circuit.circuit import Channel, Head, Neuron, Output, Stairs
from compiler.circuit.emit import logits
from compiler.model import NotFiniteError, Reader, Transformer
from compiler.numbers.direction import BOS, ONE, Direction, Form
from compiler.runtime.fast.plan import Plan, Step
from compiler.runtime.fast.selection import Selection, Window

Next: TypeAlias = Callable[[int, int], tuple[float, ...]]
Numbers: TypeAlias = npt.NDArray[np.float64]
MOST_CODES = 64
"""A head that tells more classes of keys apart is not written as a recurrence."""
MOST_KNOWN = 1 << 16
"""How many numbers between those of a staircase are remembered."""


class Nearest(dict[Any, Any]):
    """A function of the numbers given; any other number has the value of the nearest of them."""

    def __init__(self, numbers: Sequence[tuple[float, ...]], values: Sequence[Any]) -> None:
        super().__init__(zip((n[0] if len(n) == 1 else n for n in numbers), values, strict=True))
        self.numbers, self.found = np.array(numbers), list(values)

    def __missing__(self, number: Any) -> Any:
        if not np.isfinite(number).all():
            raise OverflowError("nothing is near to it")
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
        start = bisect_left(self.places, first)
        end = max(start, bisect_right(self.places, last))
        return end - start, tuple(b - a for a, b in zip(self.sums[start], self.sums[end], strict=True))


class Logs:
    """A log for each code."""

    def __init__(self, width: int) -> None:
        self.logs: dict[object, Log] = {}
        self.width = width

    def add(self, code: object, place: int, values: tuple[float, ...]) -> None:
        """One more position of a code."""
        if code not in self.logs:
            self.logs[code] = Log(self.width)
        self.logs[code].add(place, values)

    def between(self, codes: Iterable[object], first: int, last: int) -> tuple[int, list[float]]:
        """How many there are of the codes from the first position to the last, and the sums of their values."""
        number, sums = 0, [0.0] * self.width
        for code in codes:
            if code in self.logs:
                more, values = self.logs[code].between(first, last)
                number += more
                sums = [a + b for a, b in zip(sums, values, strict=True)]
        return number, sums


class Scores:
    """The keys so far of a head that is known by its scores only, [position, pair], and their values."""

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

    def select(self, query: tuple[float, ...], baseline: float) -> tuple[int, list[float]]:
        """How many keys are selected, and the sums of their values. Between a selected key and the others is a step."""
        scores = self.keys[: self.length] @ np.array(query)
        least = scores.max() if self.head.sure else baseline + float(self.head.selected)
        chosen = self.values[: self.length][scores >= least - float(self.head.step) / 2]
        return len(chosen), chosen.sum(0).tolist()


class Recurrence:
    """A causal circuit as a function of the next token and its position, which keeps what it needs of the past."""

    def __init__(self, plan: Plan) -> None:
        circuit = plan.circuit
        writer = _Writer(plan)
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

    def begin(self) -> Next:
        """The step of a new text: for a token id and its position (the first is 0), all digits of all outputs."""
        names = dict(self._names)
        exec(self._code, names)
        step: Next = names["begin"]()
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


def recurrence(plan: Plan) -> Recurrence | str:
    """A plan as a recurrence; where that would be long, why."""
    if not plan.circuit.causal:
        return "a bidirectional model has no recurrence: each new token would change the answers before it"
    for step in itertools.chain.from_iterable(steps for steps, _ in plan.layers):
        if math.prod(map(len, step.selection.classes)) > MOST_CODES:
            return f"{step.name} tells more than {MOST_CODES} classes of keys apart"
    return Recurrence(plan)


def _unembedding(output: Output, logit_gap: int) -> Numbers:
    """The logits of an output as a function of its digits and 1, [digit + 1, value]."""
    digits = [Direction(str(number)) for number in range(len(output.digits))]
    found = logits(replace(output, digits=tuple(map(Form.of, digits))), logit_gap)
    return np.array([found[direction].floats for direction in (*digits, ONE)])


# ------------------------------------------------------------------------------------------------- writing the function


@dataclass
class _Table:
    """Columns that depend on the token or on the position alone, each once. Places are no numbers: 0 is not 0.0."""

    letter: str
    columns: dict[tuple[str, bytes], tuple[str, list[Any]]] = field(default_factory=dict)

    def name(self, column: npt.NDArray[Any]) -> str:
        """The variable that holds the column's entry."""
        name = f"{self.letter}{len(self.columns)}"
        return self.columns.setdefault((column.dtype.str, column.tobytes()), (name, column.tolist()))[0]

    def rows(self) -> list[Any]:
        """For each token or position what its variables hold."""
        columns = [column for _, column in self.columns.values()]
        return columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))

    def unpacked(self) -> str:
        """The variables, as the left side of an assignment."""
        return ", ".join(name for name, _ in self.columns.values())


class _Writer:
    """Writes `begin`: the state of a text, and the function that goes one token on."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.circuit = circuit = plan.circuit
        heads = [head for layer in circuit.layers for head in layer.heads if not head.single]
        self.several = {channel.write for head in heads for channel in head.channels}  # of more than one key, perhaps
        self.names: dict[str, Any] = {}
        self.state: list[str] = []
        self.lines: list[str] = []
        self.tokens, self.positions = _Table("t"), _Table("p")
        self.token_columns = {d: _floats(column) for d, column in circuit.tokens.items()}
        self.position_columns = {d: _floats(column) for d, column in circuit.positions.items()}
        self.offsets = dict(circuit.offsets)  # what stands in a column beside the number that its variable holds
        self.variables: dict[Direction, str] = {}
        self.grids: dict[Direction, int | None] = {ONE: 1, BOS: 1}
        for direction, column in (*circuit.tokens.items(), *circuit.positions.items()):
            self.grids[direction] = _both(self.grids.get(direction, 1), _grid(column))
        self.known: dict[str, str] = {}
        self.counter = itertools.count()

    def source(self) -> str:
        """The text of `begin`."""
        for (steps, neurons), scored in zip(self.plan.layers, self.plan.scored, strict=True):
            heads: list[Step | Head] = [*steps, *scored]
            self._attend(heads)
            self._activate(neurons, {channel.write for head in heads for channel in head.channels})
        digits = [self.read(form) for output in self.circuit.outputs for form in output.digits]
        changing = [line.split()[0] for line in self.state if line.startswith("s")]
        body = [f"nonlocal {', '.join(changing)}"] if changing else []
        for table, argument in ((self.tokens, "token"), (self.positions, "position")):
            if table.columns:
                body.append(f"{table.unpacked()} = {self._hold(table.rows())}[{argument}]")
        body += [*self.lines, f"return {_tuple(digits)}"]
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

    def _write(self, direction: Direction, name: str, grid: int | None) -> None:
        """Add to a direction. What is added to an offset becomes whole, by rounding as the machine's addition does."""
        before = self.variables.get(direction)
        total = name if before is None else f"{before} + {name}"
        self.grids[direction] = _both(self.grids.get(direction, 1), grid)
        if direction in self.circuit.offsets and self.grids[direction] != 1:
            self.grids[direction], total = 1, f"float(round({total}))"
        self.variables[direction] = name if total == name else self._assign("v", total)

    def grid(self, form: Form) -> int | None:
        """A power of two whose inverse divides every value of the form, which is free of rounding; None: it is not."""
        found: int | None = 1
        for direction, coefficient in form.terms.items():
            one, other = self.grids.get(direction), _grid([coefficient])
            found = _both(found, None if one is None or other is None else one * other)
        return found

    # -- heads -------------------------------------------------------------------------------------------------------

    def _attend(self, heads: Sequence[Step | Head]) -> None:
        added: list[tuple[Direction, str, int | None]] = []
        for head in heads:
            found = self._step(head) if isinstance(head, Step) else self._scored(head)
            for channel, one in zip(head.channels, found, strict=True):
                grid = _both(self.grid(channel.read), _grid([channel.default]))
                added.append((channel.write, one, None if self._is_averaged(head, channel) else grid))
        for direction, one, grid in added:
            self._write(direction, one, grid)

    def _step(self, step: Step) -> list[str]:
        """The lines of one head; for each of its channels what it adds."""
        selection, window = step.selection, step.selection.window
        if selection.orders:
            return self._ordered(step)
        plain = not selection.classes and not selection.matches
        if window.narrow and plain:
            return self._at_a_place(step)
        if window.so_far or _is_behind(window):
            return self._so_far(step)
        return self._in_window(step) if step.mode == "sum" and plain else self._logged(step)

    def _ordered(self, step: Step) -> list[str]:
        """Whether some key so far is large enough: the largest number up to every position."""
        (order,) = step.selection.orders
        last = self.positions.name(np.array(step.selection.window.last) + 1)
        past = self._keep("k", "[-1e300]")
        number = _if(self._test(step.selection.keys), self.read(order.key), "-1e300")
        self.lines.append(f"{past}.append(max({past}[-1], {number}))")
        asked = [
            *filter(None, [self._test(step.selection.queries)]),
            f"{past}[{last}] >= {self.read(order.query)} - 0.5",
        ]
        pairs = [(self.read(channel.read), _default(step, channel)) for channel in step.channels]
        return [self._assign("r", _if(" and ".join(asked), value, default)) for value, default in pairs]

    def _scored(self, head: Head) -> list[str]:
        """All keys are scored again."""
        past = self._keep("k", f"{self._hold(Scores)}({self._hold(head)})")
        keys = _tuple(self.read(form) for _, form in head.scores)
        values = _tuple(self.read(channel.read) for channel in head.channels)
        query = _tuple(self.read(form) for form, _ in head.scores)
        baseline = "0.0" if head.baseline is None else self.read(head.baseline)
        self.lines.append(f"{past}.add({keys}, {values})")
        return self._reduced(head, f"{past}.select({query}, {baseline})")

    def _reduced(self, step: Step | Head, selected: str) -> list[str]:
        """What a head makes of the number of selected keys and the sums of their values."""
        number, sums = self._new("n"), [self._new("r") for _ in step.channels]
        self.lines.append(f"{number}, {_tuple(sums)} = {selected}")
        if step.mode == "sum":
            return sums
        return [
            self._assign("r", _if(number, f"{one} / {number}", _default(step, channel)))
            for channel, one in zip(step.channels, sums, strict=True)
        ]

    def _at_a_place(self, step: Step) -> list[str]:
        """One position, the same for every text: the values of all of them are kept, behind a default for none."""
        pairs = zip(step.selection.window.first, step.selection.window.last, strict=True)
        place = self.positions.name(np.array([first + 1 if last >= first else 0 for first, last in pairs]))
        test, asked = self._test(step.selection.keys), self._test(step.selection.queries)
        found = []
        for channel in step.channels:
            default = _default(step, channel)
            past = self._keep("k", f"[{default}]")
            self.lines.append(f"{past}.append({_if(test, self.read(channel.read), default)})")
            found.append(self._assign("r", _if(asked, f"{past}[{place}]", default)))
        return found

    def _so_far(self, step: Step) -> list[str]:
        """Every position so far, or those before: what they come to is kept, for each code that can be asked for."""
        keys, queries = self._codes(step.selection)
        asked = self._test(step.selection.queries)
        kept: list[tuple[str, str, bool]] = []  # a name, what is put there, whether it is added

        def keep(start: str, value: str, adds: bool) -> str:
            kept.append((self._keep("k" if queries[0][1] else "s", "{}" if queries[0][1] else start), value, adds))
            return kept[-1][0]

        averaged = [self._is_averaged(step, channel) for channel in step.channels]
        ask = [_total(keep("0.0", "1.0", True), queries)] if any(averaged) else []
        for channel, several in zip(step.channels, averaged, strict=True):
            value, default = self.read(channel.read), _default(step, channel)
            if step.mode == "sum" or several:
                ask.append(_total(keep("0.0", value, True), queries))
            else:
                ask.append(_first(keep(default, value, False), queries, default))
        lines = [line for test, code in keys for line in _when(test, [_put(*one, code) for one in kept])]
        self.lines += lines if step.selection.window.so_far else []
        found = [self._assign("r", one) for one in ask]
        self.lines += [] if step.selection.window.so_far else lines
        number = found.pop(0) if any(averaged) else ""
        for place, (channel, several) in enumerate(zip(step.channels, averaged, strict=True)):
            default = _default(step, channel)
            test = " and ".join(filter(None, [asked, number if several else ""]))
            if test:
                one = f"{found[place]} / {number}" if several else found[place]
                found[place] = self._assign("r", _if(test, one, default))
        return found

    def _in_window(self, step: Step) -> list[str]:
        """Sums up to every position; the difference of two of them."""
        first, last = (np.array(ends) for ends in (step.selection.window.first, step.selection.window.last))
        start, end = (self.positions.name(np.where(last < first, 0, ends)) for ends in (first, last + 1))
        test, asked = self._test(step.selection.keys), self._test(step.selection.queries)
        found = []
        for channel in step.channels:
            past = self._keep("k", "[0.0]")
            value = _if(test, self.read(channel.read), "0.0")
            self.lines.append(f"{past}.append({past}[-1] + ({value}))")
            found.append(self._assign("r", _if(asked, f"{past}[{end}] - {past}[{start}]", "0.0")))
        return found

    def _logged(self, step: Step) -> list[str]:
        """For each code where it was, and the sums up to there: two bisections."""
        window = step.selection.window
        first, last = (self.positions.name(np.array(ends)) for ends in (window.first, window.last))
        keys, queries = self._codes(step.selection)
        past = self._keep("k", f"{self._hold(Logs)}({len(step.channels)})")
        values = _tuple(self.read(channel.read) for channel in step.channels)
        for test, code in keys:
            self.lines += _when(test, [f"{past}.add({code or 0}, position, {values})"])
        codes = _tuple(code or "0" for _, code in queries)
        if any(test for test, _ in queries):
            chosen = _tuple(f"({test or 'True'}, {code})" for test, code in queries)
            codes = f"[code for test, code in {chosen} if test]"
        asked = self._test(step.selection.queries)
        return self._reduced(step, f"{past}.between({_if(asked, codes, '()')}, {first}, {last})")

    def _test(self, bits: Iterable[Form]) -> str:
        """Whether all bits hold, as an expression; empty: yes."""
        return " and ".join(f"{self.read(bit)} >= 0.5" for bit in bits)

    def _codes(self, selection: Selection) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
        """For a key, and for a query: tests, and the code that it has if the test holds. Equal codes are a match."""
        keys = [self._number(match.key, match.unit) for match in selection.matches]
        queries = [self._number(match.query, match.unit) for match in selection.matches]
        held = self._test(selection.keys)
        found: tuple[list[tuple[str, str]], list[tuple[str, str]]] = ([], [])
        for chosen in itertools.product(*(range(len(pairs)) for pairs in selection.classes)):
            bits = [pairs[i] for pairs, i in zip(selection.classes, chosen, strict=True)]
            test = " and ".join(filter(None, [held, self._test(key for _, key in bits)]))
            found[0].append((test, _code([*map(str, chosen), *keys])))
            found[1].append((self._test(query for query, _ in bits), _code([*map(str, chosen), *queries])))
        return found

    def _number(self, form: Form, unit: Fraction) -> str:
        """A number that is compared: as it is where it is exact, else in whole units."""
        number = self.read(form)
        return number if self.grid(form) else self._once(f"round({number} * {float(1 / unit)!r})")

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
            added[direction] = self._stairs(one), _grid([one.values.step])
        self.offsets = after
        for direction, (name, grid) in added.items():
            self._write(direction, name, grid)

    def _neuron(
        self, read: Form, writes: Sequence[tuple[Direction, Fraction]], added: dict[Direction, tuple[str, int | None]]
    ) -> None:
        """One neuron by itself. `added` has for each direction what adds up, and its grid."""
        number, lines = self.read(read), []
        for direction, weight in writes:
            if direction not in added:
                added[direction] = self._assign("m", "0.0"), 1
            name, before = added[direction]
            added[direction] = name, _both(before, self.grid(read * weight))
            lines.append(f"{name} += {_sum([(weight, number)], Fraction(0))}")
        self.lines += _when(f"{number} > 0.0", lines)

    def _stairs(self, stairs: Stairs) -> str:
        """A staircase is looked up."""
        table = Nearest([(x,) for x in stairs.numbers.floats.tolist()], stairs.values.floats.tolist())
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


def _put(name: str, value: str, adds: bool, code: str) -> str:
    """Keep a value, or add it, under a code; without one there is a variable."""
    place = f"{name}[{code}]" if code else name
    return f"{place} = {_held(name, code, '0.0')} + {value}" if adds else f"{place} = {value}"


def _held(name: str, code: str, default: str) -> str:
    return f"{name}.get({code}, {default})" if code else name


def _total(name: str, queries: Sequence[tuple[str, str]]) -> str:
    """What is kept under all codes of a query."""
    return " + ".join(_if(test, _held(name, code, "0.0"), "0.0") for test, code in queries)


def _first(name: str, queries: Sequence[tuple[str, str]], default: str) -> str:
    """What is kept under one of the codes of a query."""
    *others, (test, code) = queries
    found = _if(test, _held(name, code, default), default)
    for test, code in others:
        found = _if(" and ".join(filter(None, [test, f"{code} in {name}"])), f"{name}[{code}]", found)
    return found


def _when(test: str, lines: Sequence[str]) -> list[str]:
    return [f"if {test}:", *(f"    {line}" for line in lines)] if test else list(lines)


def _default(step: Step | Head, channel: Channel) -> str:
    return repr(float(channel.default)) if step.mode == "mean" else "0.0"


def _is_behind(window: Window) -> bool:
    """Whether every query sees the positions in front of its own."""
    return not any(window.first) and window.last == tuple(range(-1, len(window.last) - 1))


def _grid(numbers: Iterable[Fraction]) -> int | None:
    """A power of two whose inverse divides all numbers, if there is one."""
    most = max(number.denominator for number in numbers)
    return most if all(most % number.denominator == 0 for number in numbers) and most & (most - 1) == 0 else None


def _both(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else max(one, other)


def _floats(column: Sequence[Fraction]) -> Numbers:
    return np.array([float(number) for number in column])


# -------------------------------------------------------------------------------------------------------------- reading


class RecurrentReading(Reader):
    """A compiled model that reads on, one step a token: what `compiler.model.Reading` does with a cache."""

    def __init__(self, recurrence: Recurrence, model: Transformer) -> None:
        super().__init__(model, model.config.max_length)
        self.recurrence = recurrence
        self.step = recurrence.begin()

    def _digits(self, ids: Sequence[int]) -> tuple[float, ...]:
        """All digits of all outputs behind these further tokens."""
        start = self.advance(ids)
        try:
            for position, token in enumerate(ids, start=start):
                digits = self.step(token, position)
        except (OverflowError, ValueError):  # of what is rounded, or looked up
            raise NotFiniteError("the numbers", position) from None
        return digits

    def read(self, ids: Sequence[int]) -> Tensor:
        """The logits [d_vocab_out] behind these further tokens."""
        return self.model.unembed.W_U.new_tensor(self.recurrence.logits(self._digits(ids)))

    def best(self, ids: Sequence[int], output: str) -> int:
        """The number of the value of an output that is the best behind these further tokens."""
        digits = self._digits(ids)
        try:
            return self.recurrence.nearest(output, digits)
        except OverflowError:
            raise NotFiniteError(f"the logits of {output}", self.length - 1) from None
