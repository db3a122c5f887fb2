"""Random typed programs, for fuzzing: every kind of node, any nesting, as s-ops.

In: a `Chooser` (hypothesis' draws, or a seeded generator). Out: an s-op over the vocabulary "0123".
The programs are typed, so that most inputs have an answer; what still raises is left to the interpreter to say.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, Protocol, TypeVar

from hypothesis import strategies as st

from rasp.meaning.sop import (
    Aggregate,
    And,
    Constant,
    Indices,
    Lookup,
    Map,
    Not,
    Or,
    Select,
    Selector,
    SOp,
    Tokens,
    Width,
)

VOCABULARY = ("0", "1", "2", "3")
PREDICATES = ("==", "!=", "<", "<=", ">", ">=")
T = TypeVar("T")


class Chooser(Protocol):
    """Where the choices come from."""

    def choice(self, options: Sequence[T], /) -> T: ...


class Programs:
    """Builds s-ops of a wanted type and at most a wanted depth."""

    def __init__(self, chooser: Chooser) -> None:
        self.pick = chooser.choice

    def sop(self, depth: int) -> SOp:
        """An s-op of any type."""
        return self._one_of(self.integer, self.boolean, self.string, self.number)(depth)

    def _one_of(self, *makers: Callable[[int], Any]) -> Callable[[int], Any]:
        return self.pick(makers)

    def integer(self, depth: int) -> SOp:
        """An s-op of integers."""
        if depth <= 0:
            return self.pick([Indices(), Indices(), Tokens("int"), Constant(self.pick([-2, 0, 1, 2, 3, 5]))])
        d = depth - 1
        makers: list[Callable[[], SOp]] = [
            lambda: Map(self.pick("+-*"), (self.integer(d), self.integer(d))),
            lambda: Map("%", (self.integer(d), Constant(self.pick([2, 3, 5])))),
            lambda: Map("^", (self.integer(d), Constant(2))),
            lambda: Map(self.pick(["negate", "plus"]), (self.integer(d),)),
            lambda: Map("round", (self.number(d),)),
            lambda: Map("indicator", (self.boolean(d),)),
            lambda: Map("if", (self.boolean(d), self.integer(d), self.integer(d))),
            lambda: Lookup(((0, 5), (1, -1), (2, 2)), Map("%", (self.integer(d), Constant(3)))),
            lambda: Width(self.selector(d)),
            lambda: Width(self.selector(d)),
            lambda: Aggregate(self.unique(d), self.integer(d), self.pick([0, 0, -1, 7])),
        ]
        return self.pick(makers)()

    def number(self, depth: int) -> SOp:
        """An s-op of numbers, mostly fractions."""
        if depth <= 0:
            return self.pick([Tokens("float"), Constant(Fraction(1, 2)), Map("/", (Indices(), Constant(2)))])
        d = depth - 1
        makers: list[Callable[[], SOp]] = [
            lambda: Aggregate(self.selector(d), self.integer(d), self.pick([0, -1, Fraction(1, 2)])),
            lambda: Aggregate(self.selector(d), Map("indicator", (self.boolean(d),)), 0),
            lambda: Map("/", (self.integer(d), Constant(self.pick([2, 3])))),
            lambda: Map("/", (self.integer(d), Map("+", (Indices(), Constant(1))))),
            lambda: Map(self.pick("+-"), (self.number(d), self.integer(d))),
            lambda: Map("if", (self.boolean(d), self.number(d), self.integer(d))),
        ]
        return self.pick(makers)()

    def boolean(self, depth: int) -> SOp:
        """An s-op of truth values."""
        if depth <= 0:
            return self.pick(
                [Tokens("bool"), Map("==", (Tokens("str"), Constant("1"))), Map("<", (Indices(), Constant(2)))]
            )
        d = depth - 1
        makers: list[Callable[[], SOp]] = [
            lambda: Map(self.pick(PREDICATES), (self.integer(d), self.integer(d))),
            lambda: Map(self.pick(PREDICATES), (self.number(d), Constant(self.pick([0, 1, Fraction(1, 2)])))),
            lambda: Map(self.pick(PREDICATES), (self.string(d), self.pick([Constant("1"), self.string(d)]))),
            lambda: Map(self.pick(["and", "or"]), (self.boolean(d), self.boolean(d))),
            lambda: Map("not", (self.boolean(d),)),
            lambda: Map("in", (self.integer(d), Constant(0), Constant(2))),
            lambda: Map("in", (self.string(d), Constant("0"), Constant("3"))),
            lambda: Map(">", (Aggregate(self.selector(d), Constant(1), 0), Constant(0))),
            lambda: Map("if", (self.boolean(d), self.boolean(d), self.boolean(d))),
        ]
        return self.pick(makers)()

    def string(self, depth: int) -> SOp:
        """An s-op of strings."""
        if depth <= 0:
            return self.pick([Tokens("str"), Tokens("str"), Constant(self.pick(["a", "1"]))])
        d = depth - 1
        makers: list[Callable[[], SOp]] = [
            lambda: Map("+", (self.string(0), self.string(d))),
            lambda: Map("if", (self.boolean(d), self.string(d), self.string(d))),
            lambda: Lookup((("0", "x"), ("1", "y"), ("2", "x"), ("3", "z")), Tokens("str")),
            lambda: Lookup(((0, "even"), (1, "odd")), Map("%", (self.integer(d), Constant(2)))),
            lambda: Aggregate(self.unique(d), self.string(d), self.pick(["", "-", "0"])),
        ]
        return self.pick(makers)()

    def selector(self, depth: int) -> Selector:
        """A selector."""
        d = depth - 1
        makers: list[Callable[[], Selector]] = [
            lambda: Select(self.integer(d), self.integer(d), self.pick(PREDICATES)),
            lambda: Select(self.string(d), self.string(d), self.pick(PREDICATES)),
            lambda: Select(self.boolean(d), Constant(True), "=="),
            lambda: Select(Constant(1), self.integer(d), self.pick(PREDICATES)),
        ]
        if depth > 1:
            makers += [
                lambda: And(self.selector(d), self.selector(d)),
                lambda: Or(self.selector(d), self.selector(d)),
                lambda: Not(self.selector(d)),
            ]
        return self.pick(makers)()

    def unique(self, depth: int) -> Selector:
        """A selector that selects at most one key a row."""
        wanted = Select(Indices(), self.integer(depth - 1), "==")
        return And(wanted, self.selector(depth - 1)) if depth > 2 and self.pick([True, False]) else wanted


@st.composite
def programs(draw: st.DrawFn, depth: int) -> SOp:
    """Random programs for hypothesis."""

    class Draws:
        def choice(self, options: Sequence[T], /) -> T:
            return options[draw(st.integers(0, len(options) - 1))]

    return Programs(Draws()).sop(depth)


def seeded(seed: int, depth: int) -> SOp:
    """The random program of a seed."""
    return Programs(random.Random(seed)).sop(depth)
