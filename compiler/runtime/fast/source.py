"""The source of a recurrence, as it grows: names, lines, what is kept, and forms as expressions.

In: a causal circuit; forms to read, and what is added to directions. Out: `Source`, the text of one Python function;
`Crossing`, its loop over the positions of a source, for what heads that cross read there.
Invariant: a variable holds its direction's number without the offset that stands beside it; `grid` says of which
numbers rounding is known to leave nothing behind.

    e3 = v1 + 2.0 * v2 - 1.0
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from compiler.circuit.circuit import Circuit
from compiler.numbers.direction import BOS, ONE, Direction, Form
from compiler.runtime.fast.expressions import linear, tuple_of

Numbers: TypeAlias = npt.NDArray[np.float64]


@dataclass
class Table:
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


class Lines:
    """Lines of the text that run together, and names for what they compute."""

    def __init__(self, counter: Iterator[int]) -> None:
        self.lines: list[str] = []
        self.known: dict[str, str] = {}
        self.counter = counter

    def assign(self, letter: str, expression: str) -> str:
        """A new name for what an expression is now."""
        name = self.new(letter)
        self.lines.append(f"{name} = {expression}")
        return name

    def once(self, expression: str) -> str:
        """A name for an expression, which is computed once."""
        if " " not in expression and "(" not in expression:
            return expression
        if expression not in self.known:
            self.known[expression] = self.assign("e", expression)
        return self.known[expression]

    def new(self, letter: str) -> str:
        return f"{letter}{next(self.counter)}"


class Crossing(Lines):
    """What is done at each position of a source, before the first token is read. Forms were read of the encoder's
    stream; all that is known of them is what the plan says of their errors."""

    def __init__(self, counter: Iterator[int]) -> None:
        super().__init__(counter)
        self.forms: dict[Form, str] = {}

    def read(self, form: Form) -> str:
        """The variable that holds a form; a constant is what it is."""
        if form.terms.keys() <= {ONE}:
            return repr(float(form.terms.get(ONE, Fraction(0))))
        if form not in self.forms:
            self.forms[form] = self.new("x")
        return self.forms[form]

    def grid(self, form: Form) -> int | None:
        """As of `Source`."""
        return grid_of([form.terms.get(ONE, Fraction(0))]) if form.terms.keys() <= {ONE} else None

    def loop(self) -> list[str]:
        """All of it."""
        head = f"for position, {tuple_of(self.forms.values())} in enumerate(source):"
        return [head, *(f"    {line}" for line in self.lines)] if self.lines else []


class Source(Lines):
    """Forms as expressions, and the lines that compute them: `begin` makes the state of a text, and its step."""

    def __init__(self, circuit: Circuit) -> None:
        super().__init__(itertools.count())
        self.circuit = circuit
        self.crossing = Crossing(self.counter)
        self.names: dict[str, Any] = {}
        self.state: list[str] = []
        self.tokens, self.positions = Table("t"), Table("p")
        self.token_columns = {d: _floats(column) for d, column in circuit.tokens.items()}
        self.position_columns = {d: _floats(column) for d, column in circuit.positions.items()}
        self.offsets = dict(circuit.offsets)  # what stands in a column beside the number that its variable holds
        self.variables: dict[Direction, str] = {}
        self.grids: dict[Direction, int | None] = {ONE: 1, BOS: 1}
        for direction, column in (*circuit.tokens.items(), *circuit.positions.items()):
            self.grids[direction] = common_grid(self.grids.get(direction, 1), grid_of(column))

    def text(self) -> str:
        """The text of `begin`, which returns a step to all digits of all outputs."""
        digits = [self.read(form) for output in self.circuit.outputs for form in output.digits]
        changing = [line.split()[0] for line in self.state if line.startswith("s")]
        body = [f"nonlocal {', '.join(changing)}"] if changing else []
        for table, argument in ((self.tokens, "token"), (self.positions, "position")):
            if table.columns:
                body.append(f"{table.unpacked()} = {self.hold(table.rows())}[{argument}]")
        body += [*self.lines, f"return {tuple_of(digits)}"]
        return "\n".join(
            [
                "def begin(source):",
                *(f"    {line}" for line in (*self.state, *self.crossing.loop())),
                "    def step(token, position):",
                *(f"        {line}" for line in body),
                "    return step",
            ]
        )

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
        return self.once(linear(terms, constant))

    def grid(self, form: Form) -> int | None:
        """A power of two whose inverse divides every value of the form, which is free of rounding; None: it is not."""
        found: int | None = 1
        for direction, coefficient in form.terms.items():
            one, other = self.grids.get(direction), grid_of([coefficient])
            found = common_grid(found, None if one is None or other is None else one * other)
        return found

    def write(self, direction: Direction, name: str, grid: int | None) -> None:
        """Add to a direction. What is added to an offset becomes whole, by rounding as the machine's addition does."""
        before = self.variables.get(direction)
        total = name if before is None else f"{before} + {name}"
        self.grids[direction] = common_grid(self.grids.get(direction, 1), grid)
        if direction in self.circuit.offsets and self.grids[direction] != 1:
            self.grids[direction], total = 1, f"float(round({total}))"
        self.variables[direction] = name if total == name else self.assign("v", total)

    def keep(self, letter: str, value: str) -> str:
        """A name for something that is kept from token to token."""
        name = self.new(letter)
        self.state.append(f"{name} = {value}")
        return name

    def hold(self, value: object) -> str:
        """A name for something that does not change."""
        name = self.new("C")
        self.names[name] = value
        return name


def grid_of(numbers: Iterable[Fraction]) -> int | None:
    """A power of two whose inverse divides all numbers, if there is one."""
    most = max(number.denominator for number in numbers)
    return most if all(most % number.denominator == 0 for number in numbers) and most & (most - 1) == 0 else None


def common_grid(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else max(one, other)


def _floats(column: Sequence[Fraction]) -> Numbers:
    return np.array([float(number) for number in column])
