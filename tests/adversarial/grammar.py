"""Expressions of the language at random, as text: every construct, with little regard for what has an answer.

In: a seeded generator, the names bound so far with the sort each turned out to be, the texts of the tokens.
Out: text of an expression that is meant to be of a wanted sort. Whether it is one, and on which inputs it has an
answer, is found out by running it: a grammar that knew would not write what nobody thought of.

    Grammar(random.Random(0), [], ["a", "1"]).expression("number", 2)
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar

Sort: TypeAlias = Literal["number", "bool", "string", "mixed", "selector"]
T = TypeVar("T")
PREDICATES = ("==", "!=", "<", "<=", ">", ">=")
COMPARISONS = ("==", "<", "<=", ">", ">=")
PLAIN = ("0", "1", "2", "3", "5", "-1", "-2", "0.5", "1.5")
FAR = (
    *("1000000", "0.001", "0.000001", "(1 / 3)", "(-2 / 7)", "12345.678", "(2 ^ 20)", "(10 ^ 9)"),
    *("0.1", "(2 / 3)", "99.99", "300", "(-1000000)"),
)
"""Numbers that floats hold badly."""
EDGES = {
    "float16": ("20000", "65504", "30000", "2049", "1025", "0.0001", "(-40000)", "(2 ^ 11)", "65505"),
    "bfloat16": ("257", "129", "20000", "(10 ^ 29)", "(3 * 10 ^ 38)", "1.01", "(2 ^ 8)"),
    "float32": ("16777217", "8388609", "(10 ^ 29)", "(3 * 10 ^ 38)", "(-10 ^ 19)", "(2 ^ 24)", "0.0000001"),
    "float64": ("(2 ^ 53 + 1)", "(10 ^ 29)", "(10 ^ 160)", "(10 ^ 300)", "0.0000001", "16777217"),
}
"""Numbers about where a dtype ends, or ceases to hold every whole number; sums and squares of them are beyond it."""
WORDS = ("", "a", "b", "1", "0", "True", "x", "zz", "2.5", "é")


@dataclass(frozen=True)
class Name:
    """A name that is bound, what sort of values it has where it has any, and whether there are several."""

    text: str
    sort: Sort
    varied: bool = True


class Grammar:
    """Writes expressions of a wanted sort and at most a wanted depth. `far` numbers come up so `often`."""

    def __init__(
        self,
        rng: random.Random,
        names: Sequence[Name],
        tokens: Sequence[str],
        far: Sequence[str] = FAR,
        often: float = 0.1,
    ) -> None:
        self.rng = rng
        self.names = names
        self.tokens = tokens
        self.far = far
        self.often = often

    def beside(self, names: Sequence[Name]) -> Grammar:
        """The same with other names."""
        return Grammar(self.rng, names, self.tokens, self.far, self.often)

    def expression(self, sort: Sort, depth: int) -> str:
        """An expression of this sort."""
        if sort == "selector":
            return self.selector(depth)
        if depth <= 0 or self.rng.random() < 0.12:
            return self.leaf(sort)
        makers = {"number": self._numbers, "bool": self._bools, "string": self._strings, "mixed": self._mixed}
        return self._drawn(makers[sort]())(depth - 1)

    def _drawn(self, makers: dict[Callable[[int], str], float]) -> Callable[[int], str]:
        return self.rng.choices(list(makers), list(makers.values()))[0]

    def one_of(self, *options: T) -> T:
        """One of these."""
        return self.rng.choice(options)

    # -- leaves ------------------------------------------------------------------------------------------------------

    def leaf(self, sort: Sort) -> str:
        """A name, a part of the input, or a constant."""
        fitting = [name.text for name in self.names if name.sort == sort or (sort == "number" and name.sort == "bool")]
        if fitting and self.rng.random() < 0.65:
            return self.rng.choice(fitting[-4:])
        match sort:
            case "number":
                return self.one_of(
                    "indices", "indices", "indices", "length", "tokens_int", "tokens_float", self.number()
                )
            case "bool":
                return self.one_of(f"(tokens == {self.token()})", "tokens_bool", f"(indices < {self.number()})", "True")
            case "string":
                return self.one_of("tokens", "tokens", "tokens_str", "tokens_asis", self.word())
            case _:
                return self.one_of(
                    "tokens_asis", "tokens_asis", "tokens[1]", "tokens[-1]", "tokens_asis[0]", self.atom()
                )

    def number(self) -> str:
        """A number, plain or far."""
        return self.rng.choice(self.far if self.rng.random() < self.often else PLAIN)

    def token(self) -> str:
        """A token's text, mostly."""
        return f'"{self.rng.choice(self.tokens)}"' if self.rng.random() < 0.9 else self.word()

    def word(self) -> str:
        """A string."""
        return f'"{self.rng.choice((*WORDS, *self.tokens))}"'

    def atom(self) -> str:
        """A value of any kind."""
        return self.one_of(self.number(), self.number(), self.word(), "True", "False")

    def any(self, depth: int) -> str:
        """An s-op of any sort."""
        return self.expression(self.one_of("number", "number", "string", "bool", "mixed"), depth)

    # -- numbers -----------------------------------------------------------------------------------------------------

    def _numbers(self) -> dict[Callable[[int], str], float]:
        return {
            self.sum: 4.5,
            self.scaled: 3 if self.often else 0,
            self.remainder: 1,
            self.power: 1,
            self.sign: 0.6,
            self.rounded: 0.8,
            self.indicator: 1,
            self.choice("number"): 2.5,
            self.looked_up("number"): 1.2,
            self.width: 2,
            self.counted: 0.8,
            self.aggregate("number"): 3.5,
            self.mean_of_mixed: 2,
            self.gathered("number"): 1.5,
            self.at_place("number"): 0.5,
            self.extreme: 0.7,
        }

    def sum(self, depth: int) -> str:
        """`+`, `-`, `*` or `/`, now and then without parentheses."""
        left, right = self.expression("number", depth), self.expression("number", depth - self.rng.randrange(2))
        operator = self.one_of("+", "+", "-", "-", "*", "*", "/", "/", "/")
        if self.rng.random() < 0.4:
            right = self.number()
        return f"{left} {operator} {right}" if self.rng.random() < 0.1 else f"({left} {operator} {right})"

    def scaled(self, depth: int) -> str:
        """A number times a far one."""
        return f"({self.expression('number', depth)} * {self.rng.choice(self.far)})"

    def remainder(self, depth: int) -> str:
        """A remainder, of negative and of broken numbers too."""
        return f"({self.expression('number', depth)} % {self.one_of('2', '3', '1.5', '-3', self.number())})"

    def power(self, depth: int) -> str:
        """A power."""
        return f"({self.expression('number', depth)} ^ {self.one_of('2', '2', '3', '0.5', '-1', '0')})"

    def sign(self, depth: int) -> str:
        """A sign in front."""
        return f"({self.one_of('-', '+')}{self.expression('number', depth)})"

    def rounded(self, depth: int) -> str:
        """A number rounded to a whole one."""
        return f"round({self.expression('number', depth)})"

    def indicator(self, depth: int) -> str:
        """1 where something holds, or is not empty, or not zero."""
        return f"indicator({self.expression(self.one_of('bool', 'bool', 'bool', 'number', 'string'), depth)})"

    def width(self, depth: int) -> str:
        """How many keys a row selects."""
        return f"selector_width({self.selector(depth)})"

    def counted(self, depth: int) -> str:
        """How often a value stands somewhere."""
        return self.one_of(f"count({self.expression('string', depth)}, {self.token()})", self._counted_numbers(depth))

    def _counted_numbers(self, depth: int) -> str:
        return f"count({self.expression('number', depth)}, {self.number()})"

    def mean_of_mixed(self, depth: int) -> str:
        """A mean of what has numbers on some inputs only."""
        return f"aggregate({self.selector(depth)}, {self.expression('mixed', depth)}{self.default()})"

    def extreme(self, depth: int) -> str:
        """The larger, the smaller or the mean."""
        left, right = self.expression("number", depth), self.expression("number", depth)
        return self.one_of(f"max({left}, {right})", f"min({left}, {self.number()})", f"average({left})")

    # -- truth values ------------------------------------------------------------------------------------------------

    def _bools(self) -> dict[Callable[[int], str], float]:
        return {
            self.compared: 4,
            self.joined: 2,
            self.negated: 1,
            self.member: 2,
            self.anywhere: 1,
            self.choice("bool"): 1,
            self.looked_up("bool"): 0.4,
            self.aggregate("bool"): 1,
            self.at_place("bool"): 0.3,
        }

    def compared(self, depth: int) -> str:
        """A comparison; of strings with numbers for equality alone."""
        sort = self.one_of("number", "number", "string")
        if self.rng.random() < 0.15:
            return f"({self.any(depth)} == {self.any(depth)})"
        right = self.expression(sort, depth)
        if self.rng.random() < 0.5:
            right = self.number() if sort == "number" else self.token()
        return f"({self.expression(sort, depth)} {self.rng.choice(COMPARISONS)} {right})"

    def joined(self, depth: int) -> str:
        """`and`, `or`, of what is no truth value too."""
        other = self.expression(self.one_of("bool", "bool", "bool", "number", "string"), depth)
        return f"({self.expression('bool', depth)} {self.one_of('and', 'or')} {other})"

    def negated(self, depth: int) -> str:
        """`not`."""
        return f"(not {self.expression(self.one_of('bool', 'bool', 'bool', 'number', 'string'), depth)})"

    def member(self, depth: int) -> str:
        """`in`: a value in a list of atoms of any kinds, or an atom in an s-op."""
        if self.rng.random() < 0.3:
            sort = self.one_of("number", "string", "mixed")
            return f"({self.number() if sort == 'number' else self.token()} in {self.expression(sort, depth)})"
        atoms = ", ".join(self.one_of(self.atom(), self.token(), self.number()) for _ in range(self.rng.randint(1, 3)))
        return f"({self.any(depth)} in [{atoms}])"

    def anywhere(self, depth: int) -> str:
        """Library functions that say whether, and where."""
        return self.one_of(
            f"contains({self.expression('string', depth)}, {self.token()})",
            f"has_focus({self.selector(depth)})",
            f"mark_last_instance({self.expression('string', depth)}, {self.token()})",
            f"mark_first_instance({self.expression('number', depth)}, {self.number()})",
        )

    # -- strings -----------------------------------------------------------------------------------------------------

    def _strings(self) -> dict[Callable[[int], str], float]:
        return {
            self.appended: 1.5,
            self.repeated: 1.5,
            self.choice("string"): 2,
            self.looked_up("string"): 1.5,
            self.aggregate("string"): 2,
            self.gathered("string"): 1.5,
            self.at_place("string"): 0.8,
        }

    def appended(self, depth: int) -> str:
        """Two strings as one."""
        return f"({self.expression('string', depth)} + {self.one_of(self.word(), self.expression('string', depth))})"

    def repeated(self, depth: int) -> str:
        """A string a number of times: a whole number, or there is no answer."""
        text = self.expression(self.one_of("string", "string", "mixed"), depth)
        times = self.one_of(self.one_of("0", "1", "2", "True"), self.expression("number", depth))
        return f"({text} * {times})" if self.rng.random() < 0.7 else f"({times} * {text})"

    # -- what mixes --------------------------------------------------------------------------------------------------

    def _mixed(self) -> dict[Callable[[int], str], float]:
        return {
            self.choice("mixed"): 2,
            self.looked_up("mixed"): 3,
            self.first_or_default: 2,
            self.at_place("mixed"): 1.5,
            self.aggregate("mixed"): 1.5,
            self.repeated: 1,
            self.gathered("mixed"): 1,
        }

    def first_or_default(self, depth: int) -> str:
        """The same value at every position: a token if the input starts or ends so, else a default of another kind."""
        where = self.one_of("select(indices, 0, ==)", "select(indices, length - 1, ==)", "select(indices, 1, ==)")
        which = f"select({self.expression('string', depth)}, {self.token()}, {self.one_of('==', '==', '!=')})"
        value = self.expression(self.one_of("string", "string", "mixed"), 0)
        return f"aggregate({which} and {where}, {value}, {self.number()})"

    # -- of any sort -------------------------------------------------------------------------------------------------

    def choice(self, sort: Sort) -> Callable[[int], str]:
        """A ternary; where sorts mix, so do its branches."""

        def made(depth: int) -> str:
            sorts = ("number", "string", "bool", "mixed", "mixed") if sort == "mixed" else (sort,)
            then, other = (self.expression(self.rng.choice(sorts), depth) for _ in range(2))
            condition = self.expression("bool", depth)
            if sort == "mixed" and self.rng.random() < 0.5:  # the same on a whole input, so that it has an answer
                condition = self.one_of(f"(length > {self.one_of('1', '2', '3')})", f"contains(tokens, {self.token()})")
            return f"({then} if {condition} else {other})"

        return made

    def looked_up(self, sort: Sort) -> Callable[[int], str]:
        """A dictionary over the tokens, or a list over places."""

        def value() -> str:
            if self.rng.random() < 0.1:
                return self.atom()
            return {"number": self.number, "bool": lambda: self.one_of("True", "False"), "string": self.word}.get(
                sort, self.atom
            )()

        def made(depth: int) -> str:
            if self.rng.random() < 0.6:
                entries = ", ".join(f'"{token}": {value()}' for token in self.tokens)
                return f"{{{entries}}}[{self.one_of('tokens', 'tokens_str', self.leaf('string'))}]"
            size = self.rng.randint(1, 3)
            index = f"({self.expression('number', depth)} % {size})" if size > 1 else "0 * indices"
            if self.rng.random() < 0.5:
                return f"[{', '.join(value() for _ in range(size))}][{index}]"
            return f"{{{', '.join(f'{key}: {value()}' for key in range(size))}}}[{index}]"

        return made

    def aggregate(self, sort: Sort) -> Callable[[int], str]:
        """An aggregate, with any default or none; what has no mean mostly behind a selector of one key."""

        def made(depth: int) -> str:
            single = self.rng.random() < (0.3 if sort == "number" else 0.85)
            selector = self.one_key(depth) if single else self.selector(depth)
            return f"aggregate({selector}, {self.expression(sort, depth)}{self.default(sort)})"

        return made

    def default(self, sort: Sort = "number") -> str:
        """`, DEFAULT`, of the sort mostly, or nothing."""
        own = {"number": self.number, "bool": lambda: self.one_of("False", "True"), "string": self.word}
        if self.rng.random() < 0.3:
            return "" if sort in ("number", "mixed") or self.rng.random() < 0.3 else f", {self.word()}"
        return f", {own[sort]() if sort in own and self.rng.random() < 0.75 else self.atom()}"

    def gathered(self, sort: Sort) -> Callable[[int], str]:
        """Library functions that move values about."""

        def made(depth: int) -> str:
            value = self.expression(sort, depth)
            kind: Sort = "number" if self.rng.random() < 0.5 else "string"
            key, asked = self.expression(kind, depth - 1), self.expression(kind, 0)
            filler = self.default(sort) or ", 0"
            return self.one_of(
                f"shift({value}, {self.one_of('1', '2', '-1', self.expression('number', 0))}{filler})",
                f"sort({value}, {key})",
                f"load_from_location({value}, {self.place(depth)})",
                f"aggregate(select_from_last({key}, {self.leaf('string')}), {value}{filler})",
                f"aggregate(select_next_identical({key}), {value}{filler})",
                f"latest({key}, {asked}, {value}{filler})",
                f"aggregate(rightmost(select({key}, {asked}, ==)), {value}{filler})",
            )

        return made

    def at_place(self, sort: Sort) -> Callable[[int], str]:
        """What stands at one place, everywhere."""

        def made(depth: int) -> str:
            return f"{self.bound(sort)}[{self.one_of('0', '1', '-1', '-2', '3')}]"

        return made

    def bound(self, sort: Sort) -> str:
        """A name of this sort: only a name is indexed without ado."""
        fitting = [name.text for name in self.names if name.sort == sort and name.text.isidentifier()]
        base = {"number": ("indices",), "bool": ("tokens_bool",)}.get(sort, ("tokens", "tokens_asis"))
        return self.rng.choice(fitting or base)

    # -- selectors ---------------------------------------------------------------------------------------------------

    def selector(self, depth: int) -> str:
        """A selector: a comparison of any kind, a named one, or several joined."""
        named = [name.text for name in self.names if name.sort == "selector"]
        if named and self.rng.random() < 0.25:
            return self.rng.choice(named)
        if depth > 0 and self.rng.random() < 0.35:
            if self.rng.random() < 0.3:
                return f"(not {self.selector(depth - 1)})"
            return f"({self.selector(depth - 1)} {self.one_of('and', 'and', 'or')} {self.selector(depth - 1)})"
        return self._compared_keys(depth - 1)

    def _compared_keys(self, depth: int) -> str:
        sort = self.one_of("number", "number", "number", "string", "string", "bool", "mixed")
        predicate = self.one_of(*PREDICATES, "==", "==") if sort in ("number", "string") else self.one_of("==", "!=")
        key, query = (self.expression(sort, depth - self.rng.randrange(2)) for _ in range(2))
        chance = self.rng.random()
        if chance < 0.12:
            return "full_s"
        if chance < 0.25:
            return f"select({key}, {key}, {predicate})"
        if chance < 0.35:  # strings with numbers
            return f"select({key}, {self.any(depth)}, {self.one_of('==', '!=')})"
        if chance < 0.6:
            constant = {"number": self.number, "string": self.token, "bool": lambda: "True"}.get(sort, self.atom)()
            key, query = self.rng.sample((key, constant), 2)
        return f"select({key}, {query}, {predicate})"

    def one_key(self, depth: int) -> str:
        """A selector that asks for one place, mostly narrowed by another."""
        place = f"select({self.one_of('indices', 'indices', 'indices + 1')}, {self.place(depth)}, ==)"
        return f"({place} and {self.selector(depth - 1)})" if self.rng.random() < 0.4 else place

    def place(self, depth: int) -> str:
        """A number that is a place, mostly."""
        return self.one_of(
            *("0", "1", "length - 1", "length - 1 - indices", "indices", "indices - 1", "indices + 1"),
            self.expression("number", depth - 1),
        )
