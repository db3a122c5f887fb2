"""Directions: linear algebra by name.

In: names, and the s-ops they stand for. Out: `Direction`, an axis of the residual stream, and `Form`, a linear
functional over directions with exact coefficients. Columns are assigned much later (`emit`); until then a matrix is
what it does to directions.
Invariants: a direction is itself and no other, whatever it is called: its name is for people and decides nothing. A
form has no zero coefficient. `ONE` is 1 at every position; `BOS` is 1 at the hidden position 0 only.

    >>> print(Form.of(Direction("indices")) * 2 - Form.constant(1))
    2 indices - 1
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from compiler.numbers.exact import plus, times, whole
from rasp.meaning.sop import SOp


@dataclass(frozen=True, eq=False, slots=True)
class Direction:
    """An axis of the residual stream.

    Once it is written, `holds` is the s-op whose value it is at every token, exactly, beside its offset (C19); None for
    what no program computes.
    """

    name: str
    holds: SOp | None = None

    def __str__(self) -> str:
        return self.name


ONE = Direction("one")
BOS = Direction("bos")


class Form:
    """A linear functional on the residual stream: a sum of coefficient times direction."""

    __slots__ = ("terms",)

    def __init__(self, terms: Mapping[Direction, Fraction | int] = {}) -> None:
        self.terms: dict[Direction, Fraction] = {
            d: c if isinstance(c, Fraction) else whole(c) for d, c in terms.items() if c
        }

    @staticmethod
    def of(direction: Direction) -> Form:
        """The coordinate along one direction."""
        return _form({direction: whole(1)})

    @staticmethod
    def constant(value: Fraction | int) -> Form:
        """The same number at every position."""
        return Form({ONE: value})

    def __add__(self, other: Form) -> Form:
        return total((self, other))

    def __mul__(self, factor: Fraction | int) -> Form:
        if factor == 1:
            return self
        if factor == 0:
            return Form()
        return _form({direction: times(coefficient, factor) for direction, coefficient in self.terms.items()})

    def __neg__(self) -> Form:
        return self * -1

    def __sub__(self, other: Form) -> Form:
        return total((self, -other))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Form) and self.terms == other.terms

    def __hash__(self) -> int:
        return hash(frozenset((d, c.numerator, c.denominator) for d, c in self.terms.items()))

    def at(self, stream: Mapping[Direction, Fraction]) -> Fraction:
        """The form's value where the stream holds these coordinates; a missing one is 0."""
        found = whole(0)
        for direction, coefficient in self.terms.items():
            if value := stream.get(direction):
                found = plus(found, times(value, coefficient))
        return found

    def substitute(self, forms: Mapping[Direction, Form]) -> Form:
        """The form with some directions replaced by forms over others."""
        if forms.keys().isdisjoint(self.terms):
            return self
        terms: dict[Direction, Fraction] = {}
        for direction, coefficient in self.terms.items():
            if direction in forms:
                for inner, factor in forms[direction].terms.items():
                    _accumulate(terms, inner, times(factor, coefficient))
            else:
                _accumulate(terms, direction, coefficient)
        return Form(terms)

    def __str__(self) -> str:
        if not self.terms:
            return "0"
        ordered = sorted(self.terms.items(), key=lambda term: term[0] is ONE)
        text = " ".join(_signed(coefficient, direction) for direction, coefficient in ordered)
        return text.removeprefix("+ ") if text.startswith("+") else "-" + text.removeprefix("- ")

    __repr__ = __str__


def _signed(coefficient: Fraction, direction: Direction) -> str:
    sign, size = "-" if coefficient < 0 else "+", abs(coefficient)
    if direction is ONE:
        return f"{sign} {size}"
    name = f"[{direction}]" if " " in direction.name else direction.name
    return f"{sign} {name}" if size == 1 else f"{sign} {size} {name}"


def total(forms: Iterable[Form]) -> Form:
    """The sum of forms."""
    terms: dict[Direction, Fraction] = {}
    vanished = False
    for form in forms:
        for direction, coefficient in form.terms.items():
            before = terms.get(direction)
            if before is None:
                terms[direction] = coefficient
            else:
                terms[direction] = plus(before, coefficient)
                vanished = vanished or not terms[direction]
    return Form(terms) if vanished else _form(terms)


def _form(terms: dict[Direction, Fraction]) -> Form:
    """The form of coefficients none of which is zero."""
    form = Form.__new__(Form)
    form.terms = terms
    return form


def _accumulate(terms: dict[Direction, Fraction], direction: Direction, coefficient: Fraction) -> None:
    before = terms.get(direction)
    terms[direction] = coefficient if before is None else plus(before, coefficient)
