"""Typed random programs with many numbers: sums, means, counts and ranks, written as one would write them by hand.

In: a seed. Out: a `Case`, with the kinds of number that its outputs are made of. A program is a few statements; each
comes from a recipe for one kind, over what was named before, and stays if most inputs have an answer still.
Invariant: the same seed gives the same case, in every process; a line is kept only if an output needs it.

    case = drawn(7); case.text, case.kinds
"""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rasp.value import Value
from tests.adversarial.grammar import Sort
from tests.adversarial.programs import Case, Draft, as_json

DTYPES = {"float32": 0.8, "float64": 0.1, "bfloat16": 0.05, "float16": 0.05}
OPTIMIZE = ("balanced", "balanced", "balanced", "depth", "size")
LONGEST = 12
TRIES = 30
"""How many statements are drawn at most, while none is deep enough."""
DEEPEST = 5
"""How many names may stand upon each other."""
DIGITS: tuple[Value, ...] = (0, 1, 2, 3, 4, 5)
WORDS = ("zero", "one", "two", "three", "four", "five")
VOCABULARIES: dict[tuple[Value, ...], tuple[str, float]] = {
    DIGITS: ("tokens_int", 4),
    tuple("012345"): ("tokens_int", 2),
    tuple("abcdef"): ('{"a": 1, "b": 2, "c": 3, "d": 4, "e": 5, "f": 6}[tokens]', 1.5),
    tuple("()[]{}"): ('(1 if tokens in ["(", "[", "{"] else -1)', 1),
    WORDS: ("{" + ", ".join(f'"{word}": {number}' for number, word in enumerate(WORDS)) + "}[tokens]", 0.7),
}
"""For each vocabulary what makes a number of a token, and how often it comes up."""
KINDS = {
    "sum": "a sum, as a mean times a width",
    "frequency": "a width in proportion to a length",
    "one key": "one key is selected, and it is a number",
    "agreeing": "all selected keys have the same value",
    "few keys": "a mean of at most a few keys",
    "same selector": "two means or counts over one selector",
    "mean compared": "a mean against a number",
    "turn": "a remainder by a variable",
    "wide": "a comparison of numbers with many values",
    "strings": "equality of strings",
    "position": "means and counts of positions alone",
    "product": "a product or quotient of counts, a variance",
    "rational": "an output that is no whole number",
    "bit": "the parity of a number chooses",
    "running": "the largest so far, by flags",
}


@dataclass(frozen=True)
class Line:
    """`name = text;`, what sort of value it has, its kinds, and how many names stand below it."""

    name: str
    text: str
    sort: Sort
    kinds: frozenset[str]
    depth: int

    def __str__(self) -> str:
        return f"{self.name} = {self.text};"


def drawn(seed: int) -> Case:
    """The case of a seed."""
    rng = random.Random(f"numeric {seed}")
    text, kinds = Author(rng).program()
    while not kinds:
        text, kinds = Author(rng).program()
    dtype = rng.choices(list(DTYPES), list(DTYPES.values()))[0]
    return Case(seed, text, dtype, rng.choice(OPTIMIZE), kinds)


class Author(Draft):
    """A program in the making.

    The text of an expression carries the kinds within it as marks, `@kind@`, until a line is made of it.
    """

    MOST_VALUES = 400

    def __init__(self, rng: random.Random) -> None:
        weights = [often for _, often in VOCABULARIES.values()]
        vocabulary = rng.choices(list(VOCABULARIES), weights)[0]
        super().__init__(rng, vocabulary, LONGEST, causal=rng.random() < 0.25)
        self.least = 0.8 * len(self.alive)
        self.value = self.plain = VOCABULARIES[vocabulary][0]
        self.known: list[Line] = []
        self.pending: list[Line] = []
        self.multiplied = False

    def program(self) -> tuple[str, tuple[str, ...]]:
        """The text, and the kinds in it."""
        recipes: list[Callable[[], tuple[Sort, str]]] = [
            self._sum, self._frequency, self._one_key, self._agreeing, self._few_keys, self._same_selector,
            self._compared_mean, self._turn, self._wide, self._strings, self._position, self._product,
            self._rational, self._bit, self._running, self._choice, self._formula,
        ]  # fmt: skip
        rarer = (self._position, self._product, self._frequency, self._wide)
        weights = [3 if recipe in rarer else 2 for recipe in recipes]
        if self.value != "tokens_int" or self.rng.random() < 0.5:
            self.value = self.named(self.one_of("x", "value", "number"), self.value, "number")
            self._keep(self.value)
        self.plain = self.value
        finals: list[Line] = []
        wanted, deep, tries = self.rng.choice((1, 2, 2, 3, 3, 4)), self.rng.randint(1, 5), 0
        while not finals or ((len(finals) < wanted or finals[-1].depth < deep) and tries < TRIES):
            tries += 1
            self.pending = []
            self.value = self.one_of(self.plain, self.plain, *self.earlier("number")[-2:])
            sort, text = self.rng.choices(recipes, weights)[0]()
            name = self.named(self.one_of("result", "answer", "y", "z", "part"), text, sort)
            if any(line.kinds for line in self.pending) and self.pending[-1].name == name and self._keep(name):
                finals.append(self.known[-1])
        outputs = [finals[-1]]
        if len(finals) > 1 and self.rng.random() < 0.2:
            outputs.append(finals[-2])
        return self._text(outputs)

    # -- lines -------------------------------------------------------------------------------------------------------

    def named(self, hint: str, text: str, sort: Sort, often: float = 1.0) -> str:
        """A name for an expression, as a line of its own; or the expression, if it is not given one."""
        if self.rng.random() >= often:
            return text
        if word := re.fullmatch(r"(?:@[a-z ]+@)?(\w+)", text):
            return word[1]
        self.pending.append(self._line(hint, text, sort))
        return self.pending[-1].name

    def _line(self, hint: str, text: str, sort: Sort) -> Line:
        plain = _tidy(re.sub(r"@[a-z ]+@", "", text))
        below = [line for line in (*self.known, *self.pending) if line.name in _words(plain)]
        taken = {line.name for line in (*self.known, *self.pending)}
        name, number = hint, 1
        while name in taken:
            name, number = f"{hint}{number + 1}", number + 1
        kinds = frozenset(re.findall(r"@([a-z ]+)@", text))
        return Line(name, plain, sort, kinds, 1 + max((line.depth for line in below), default=0))

    def _keep(self, name: str) -> bool:
        """Whether the pending lines, of which this is the last, may stay."""
        if not self._kept(name, tuple(map(str, self.pending))):
            return False
        sort, varied = self.names[-1].sort, self.names[-1].varied
        if not varied or sort == "mixed":
            return False
        self.known += self.pending
        return True

    def _text(self, outputs: list[Line]) -> tuple[str, tuple[str, ...]]:
        needed = {line.name for line in outputs}
        for line in reversed(self.known):
            needed |= _words(line.text) if line.name in needed else set()
        lines = [line for line in self.known if line.name in needed]
        new = dict(self._renamed(lines))
        kinds = {kind for line in lines for kind in line.kinds}
        if any(self._broken(line.name) for line in outputs):
            kinds.add("rational")
        text = "\n".join([*self._heading([line.name for line in outputs]), *map(str, lines)]) + "\n"
        return re.sub(r"[a-z]+\d+\b", lambda name: new.get(name[0], name[0]), text), tuple(
            kind for kind in KINDS if kind in kinds
        )

    def _renamed(self, lines: list[Line]) -> Iterator[tuple[str, str]]:
        """Names and what they are called, counted without a gap."""
        seen: Counter[str] = Counter()
        for line in lines:
            hint = line.name.rstrip("0123456789")
            seen[hint] += 1
            yield line.name, f"{hint}{seen[hint]}" if seen[hint] > 1 else hint

    def _broken(self, name: str) -> bool:
        """Whether a name has values that are no whole numbers."""
        return any(not isinstance(value, str) and value % 1 for value in self.values_of(name))

    def _heading(self, outputs: list[str]) -> Iterator[str]:
        short = all(isinstance(token, str) and len(token) == 1 for token in self.vocabulary)
        listed = ", ".join(map(as_json, self.vocabulary))
        yield f'#@ vocab: "{"".join(map(str, self.vocabulary))}"' if short else f"#@ vocab: [{listed}]"
        yield f"#@ max_length: {self.max_length}"
        yield f"#@ output: {', '.join(outputs)}"
        if self.causal:
            yield "#@ attention: causal"

    # -- parts -------------------------------------------------------------------------------------------------------

    def one_of(self, *options: str) -> str:
        """One of these."""
        return self.rng.choice(options)

    def earlier(self, sort: Sort) -> list[str]:
        """Names of this sort that may be built upon; the later ones."""
        return [line.name for line in self.known if line.sort == sort and line.depth < DEEPEST][-3:]

    def token(self) -> str:
        """A token as a string."""
        return f'"{self.rng.choice(self.vocabulary)}"'

    def two_tokens(self) -> str:
        """Two of them, as in a list."""
        return ", ".join(f'"{token}"' for token in self.rng.sample(self.vocabulary, 2))

    def small(self) -> str:
        """A small number."""
        return self.one_of("1", "1", "2", "2", "3", "4")

    def number(self, depth: int = 2) -> str:
        """Whole numbers, one a position."""
        if (named := self.earlier("number")) and self.rng.random() < 0.5:
            return self.one_of(*named)
        if depth <= 0 or self.rng.random() < 0.4:
            return self.one_of(self.value, self.value, self.value, "indices", "indices", "length")
        d = depth - 1
        makers: list[Callable[[], str]] = [
            lambda: self.tally(d),
            lambda: self.tally(d),
            lambda: f"({self.number(d)} {self.one_of('+', '-')} {self.number(d)})",
            lambda: f"({self.small()} * {self.number(d)} {self.one_of('+', '-')} {self.small()})",
            lambda: f"({self.number(d)} if {self.condition(d)} else {self.one_of(self.number(d), '0')})",
            lambda: f"{self.one_of('max', 'min')}({self.number(d)}, {self.number(d)})",
            lambda: f"({self.number(d)} % {self.one_of('2', '3', '5')})",
            lambda: self._sum()[1],
            lambda: self._turn()[1],
        ]
        return self.rng.choice(makers)()

    def tally(self, depth: int = 2) -> str:
        """How many there are of something."""
        counts = [name for name in self.earlier("number") if re.fullmatch(r"(n|many|k|nth|rank)\d*", name)]
        if counts and self.rng.random() < 0.4:
            return self.one_of(*counts)
        if self.rng.random() < 0.3:
            return self.named("n", f"count(tokens, {self.token()})", "number", 0.4)
        return self.named(self.one_of("n", "many", "k"), self.over(depth)[1], "number", 0.5)

    def condition(self, depth: int = 2) -> str:
        """Truth values, one a position."""
        if (named := self.earlier("bool")) and self.rng.random() < 0.4:
            return self.one_of(*named)
        simple = (
            f"(tokens == {self.token()})",
            f"(tokens in [{self.two_tokens()}])",
            f"({self.value} {self.one_of('>', '>=', '<')} {self.small()})",
            f"({self.value} % 2 == {self.one_of('0', '1')})",
            f"(indices % 2 == {self.one_of('0', '1')})",
            f"(indices {self.one_of('<', '>')} {self.small()})",
        )
        if depth <= 0 or self.rng.random() < 0.5:
            return self.one_of(*simple)
        d = depth - 1
        makers: list[Callable[[], str]] = [
            lambda: f"({self.condition(d)} {self.one_of('and', 'or')} {self.condition(d)})",
            lambda: f"(not {self.condition(d)})",
            lambda: f"({self.tally(d)} {self.one_of('>', '>=', '==')} {self.small()})",
            lambda: f"({self.number(d)} {self.one_of('>', '<', '==')} {self.number(d)})",
            lambda: self._compared_mean()[1],
            lambda: self._strings()[1],
        ]
        return self.rng.choice(makers)()

    def term(self, depth: int = 2) -> str:
        """What is added up, or of which the mean is taken."""
        return self.one_of(
            self.value,
            self.value,
            f"(1 if {self.condition(depth)} else 0)",
            f"indicator({self.condition(depth)})",
            f"({self.plain} * {self.plain})",
            f"({self.plain} * (indices + 1))",
            f"({self.value} if {self.condition(depth)} else 0)",
            self.number(depth),
            self.number(depth),
        )

    def over(self, depth: int = 2) -> tuple[str, str]:
        """A selector, and how many keys it selects."""
        if (named := self.earlier("selector")) and self.rng.random() < 0.3:
            chosen = self.one_of(*named)
            return chosen, f"selector_width({chosen})"
        condition, number, d = self.condition, self.number, depth - 1
        makers: list[Callable[[], tuple[str, str, str]]] = [
            lambda: ("full_s", "full_s", self.one_of("length", "length", "selector_width(full_s)")),
            lambda: ("full_s", "full_s", "length"),
            lambda: ("before", "select(indices, indices, <=)", self.one_of("(indices + 1)", "")),
            lambda: ("before", "select(indices, indices, <)", self.one_of("indices", "")),
            lambda: ("after", f"select(indices, indices, {self.one_of('>', '>=')})", ""),
            lambda: ("same", "select(tokens, tokens, ==)", ""),
            lambda: ("same", "(select(tokens, tokens, ==) and select(indices, indices, <=))", ""),
            lambda: ("chosen", f"select({condition(d)}, True, ==)", ""),
            lambda: ("chosen", f"(select({condition(d)}, True, ==) and select(indices, indices, <=))", ""),
            lambda: ("lower", f"select({self.value}, {self.value}, {self.one_of('<', '<=', '>')})", ""),
            lambda: ("fitting", f"select({number(d)}, {number(d)}, {self.one_of('<', '<=', '==')})", ""),
            lambda: ("near", self._window(), ""),
        ]
        hint, text, width = self.rng.choice(makers)()
        name = self.named(hint, text, "selector", 0.7)
        return name, width or f"selector_width({name})"

    def mean(self, depth: int = 2) -> str:
        """A mean, or what else is broken."""
        if (named := self.earlier("mixed")) and self.rng.random() < 0.3:
            return self.one_of(*named)
        if self.rng.random() < 0.25:
            return self.one_of(f"average({self.term(depth)})", self._position()[1])
        return f"aggregate({self.over(depth)[0]}, {self.term(depth)})"

    def _window(self) -> str:
        return self.one_of(
            "(select(indices, indices - 1, >=) and select(indices, indices + 1, <=))",
            "(select(indices, indices - 2, >=) and select(indices, indices, <=))",
            "(select(indices, indices - 1, ==) or select(indices, indices, ==))",
            "(select(indices, indices - 1, ==) or select(indices, indices + 1, ==))",
        )

    # -- a recipe for each kind --------------------------------------------------------------------------------------

    def _sum(self) -> tuple[Sort, str]:
        over, width = self.over()
        mean = self.named(self.one_of("mean", "avg"), f"aggregate({over}, {self.term()})", "mixed", 0.3)
        product = self.one_of(f"{mean} * {width}", f"{mean} * {width}", f"{width} * {mean}")
        total = self.one_of(f"@sum@({product})", f"@sum@round({product})")
        return "number", self.named(self.one_of("total", "sum", "acc"), total, "number", 0.6)

    def _frequency(self) -> tuple[Sort, str]:
        some, width = self.over()
        part = self.one_of(f"selector_width({some})", f"count(tokens, {self.token()})", width)
        share = self.named(
            "share", f"@frequency@({part} / {self.one_of('length', 'length', '(indices + 1)')})", "mixed"
        )
        return self._used(share)

    def _used(self, rational: str) -> tuple[Sort, str]:
        """What is done with a broken number: it is an answer itself, it is compared, rounded or chosen by."""
        return self.rng.choice((
            ("mixed", rational),
            ("mixed", rational),
            ("mixed", f"(1 - {rational})"),
            ("bool", f"({rational} {self.one_of('>', '>=', '<')} {self.one_of('1 / 2', '0.5', '1 / 3', '0.25')})"),
            ("number", f"round({self.one_of('10', '100', '4')} * {rational})"),
            ("number", f"(1 if {rational} > 1 / 2 else 0)"),
        ))  # fmt: skip

    def _one_key(self) -> tuple[Sort, str]:
        makers = (self._rank, self._rank, self._last, self._neighbour, self._nth, self._at, self._at)
        fetched, default = self.rng.choice(makers)(), self.one_of("", "", ", -1", ", 0")
        value = self.one_of(self.value, "indices", self.value, self.number())
        text = f"@one key@aggregate({fetched}, {value}{default})"
        if self.rng.random() < 0.3:
            found = self.named("found", text, "number")
            text = self.one_of(f"({found} - {self.value})", f"(indices - {found})", f"({found} + {self.number(0)})")
        return "number", text

    def _rank(self) -> str:
        """The key at a place in the order: the first, the k-th, each its own."""
        by, down = self.one_of(self.value, self.value, self.number()), self.one_of("<", "<", ">")
        by = self.named("key", by, "number")
        earlier = f"(select({by}, {by}, ==) and select(indices, indices, <))"
        order = self.named("order", f"(select({by}, {by}, {down}) or {earlier})", "selector", 0.6)
        rank = self.named("rank", f"selector_width({order})", "number")
        return f"select({rank}, {self.one_of('indices', 'indices', '0', '1', 'length - 1', self.number(0))}, ==)"

    def _last(self) -> str:
        """The last or first one of a kind, of all or so far."""
        if self.rng.random() < 0.4:
            return f"{self.one_of('select_from_last', 'select_from_first')}(tokens, {self.token()})"
        chosen = self.named("hit", self.condition(0), "bool")
        far = f"(select({chosen}, True, ==) and select(indices, indices, <=))"
        nth = self.named("nth", f"selector_width({far})", "number")
        return f"select({chosen}, True, ==) and select({nth}, {nth}, ==)"

    def _neighbour(self) -> str:
        """The next or previous one like it."""
        if self.rng.random() < 0.3:
            return "select_next_identical(tokens)"
        return (
            f"select({(nth := self._numbered())}, {nth} {self.one_of('-', '+')} 1, ==) and select(tokens, tokens, ==)"
        )

    def _nth(self) -> str:
        return f"select(tokens, {self.token()}, ==) and select({self._numbered()}, {self.small()}, ==)"

    def _numbered(self) -> str:
        """Each the how-manieth of its class it is."""
        earlier = "(select(tokens, tokens, ==) and select(indices, indices, <=))"
        return self.named("nth", f"selector_width({earlier})", "number")

    def _at(self) -> str:
        """The key at a position that is computed."""
        place = self.one_of(
            "length - 1 - indices",
            f"indices - {self.value}",
            f"{self._turned('(indices + ' + self.small() + ')', 'length')}",
            f"{self._turned(f'(indices + {self.value})', 'length')}",
            f"{self.tally()} - 1",
            f"{self.number()}",
        )
        return f"select(indices, {self.named('place', place, 'number', 0.5)}, ==)"

    def _agreeing(self) -> tuple[Sort, str]:
        """The largest or smallest by what no other one passes; a property of equal ones."""
        by = self.named("score", self.one_of(self.value, self.value, self.tally(), self.number()), "number")
        others = self.named("above", f"select({by}, {by}, {self.one_of('>', '<')})", "selector", 0.4)
        best = self.named("best", f"(selector_width({others}) == 0)", "bool", 0.7)
        alike = self.named("same", "select(tokens, tokens, ==)", "selector", 0.4)
        alike = self.one_of(alike, "(select(tokens, tokens, ==) and select(indices, indices, <=))")
        return "number", self.one_of(
            f"@agreeing@aggregate(select({best}, True, ==), {by})",
            f"(@agreeing@aggregate(select({best}, True, ==), {by}) - {by})",
            f"@agreeing@aggregate({alike}, {self.plain} + {self.small()})",
            f"(@agreeing@aggregate({alike}, {self.plain} * {self.plain}) + {self.number(0)})",
        )

    def _few_keys(self) -> tuple[Sort, str]:
        near = self.named("near", self._window(), "selector", 0.7)
        x = self.one_of(self.value, self.value, self.term(0))
        around = self.one_of(
            f"aggregate({near}, {x})",
            f"aggregate({near}, {x})",
            f"((shift({x}, 1, 0) + {x} + shift({x}, -1, 0)) / 3)",
            f"((shift({x}, 1, 0) + {x}) / 2)",
        )
        return self._used(self.named(self.one_of("smooth", "around"), f"@few keys@{around}", "mixed"))

    def _same_selector(self) -> tuple[Sort, str]:
        over, _ = self.over()
        if over.startswith(("select", "(")):
            over = self.named("these", over, "selector")
        if self.rng.random() < 0.5:
            left, right = (f"aggregate({over}, {self.term()})" for _ in range(2))
            left, right = (self.named("mean", one, "mixed", 0.4) for one in (left, right))
        else:
            left, right = (f"selector_width({over} and select({self.condition(0)}, True, ==))" for _ in range(2))
            left, right = (self.named("n", one, "number", 0.6) for one in (left, right))
        return self.rng.choice((
            ("mixed", f"@same selector@({left} - {right})"),
            ("mixed", f"@same selector@({left} + {right})"),
            ("bool", f"@same selector@({left} {self.one_of('>', '>=', '==')} {right})"),
            ("string", f'@same selector@("{self.one_of("a", "+", "yes")}" if {left} > {right} else "-")'),
        ))  # fmt: skip

    def _compared_mean(self) -> tuple[Sort, str]:
        mean = self.named(self.one_of("mean", "avg"), self.mean(0), "mixed", 0.6)
        if self.rng.random() < 0.3:
            return (
                "bool",
                f"@mean compared@({mean} {self.one_of('>', '<', '>=', '==')} {self.one_of('1 / 2', '1', '2.5')})",
            )
        return "bool", f"@mean compared@({self.number(0)} {self.one_of('>', '<', '>=', '==')} {mean})"

    def _turned(self, left: str, by: str) -> str:
        return f"@turn@({left} % {by})"

    def _turn(self) -> tuple[Sort, str]:
        if self.rng.random() < 0.35:
            left = self.named("a", self.one_of(self.number(), f"indices + {self.value}"), "number")
            right = self.named("b", self.one_of("length", self.number(0), self.small()), "number")
            return "number", f"@turn@({left} - {right} if {left} >= {right} else {left})"
        by = self.one_of(self.small(), self.number(0))
        shifted = f"({self.one_of('indices', self.value)} {self.one_of('+', '-')} {by})"
        by = self.one_of("length", "length", "(indices + 1)", f"({self.value} + 1)", f"({self.tally(0)} + 1)")
        return "number", self._turned(self.one_of(shifted, self.number(0), self.tally(0)), by)

    def _wide(self) -> tuple[Sort, str]:
        a, b, c = self.number(), self.number(), self.number()
        n, m, sign = self.tally(), self.tally(), self.one_of("==", "<", ">", ">=")
        return "bool", self.one_of(
            f"@wide@(indices % {self.one_of('3', '5')} == {n})",
            f"@wide@({a} - {b} {sign} {c})",
            f"@wide@({n} + {a} {sign} {m} + {b})",
            f"@wide@({n} - {m} {sign} {self.value})",
            f"@wide@({self._sum()[1]} {sign} {a})",
            f"@wide@({self._sum()[1]} {sign} {self._sum()[1]})",
        )

    def _strings(self) -> tuple[Sort, str]:
        other = self.one_of(
            f'shift(tokens, {self.one_of("1", "1", "2")}, "")',
            'aggregate(select(indices, length - 1 - indices, ==), tokens, "")',
            "tokens[0]",
            "tokens[-1]",
            f'aggregate(select(indices, {self.number(0)}, ==), tokens, "")',
        )
        other = self.named(self.one_of("other", "prev"), other, "string", 0.5)
        return "bool", f"@strings@({other} == tokens)"

    def _position(self) -> tuple[Sort, str]:
        before = f"select(indices, indices, {self.one_of('<=', '<', '>', '>=')})"
        before = self.named("before", before, "selector", 0.4)
        of = self.one_of("indices", "indices % 2", "indices * indices", "indices % 3", "(1 if indices > 2 else 0)")
        place = self.one_of(
            f"aggregate({before}, {of})",
            f"aggregate(select(indices, indices + {self.small()}, <=), {of})",
            f"aggregate(full_s, {of})",
            f"selector_width(select(indices, indices % {self.small()}, <))",
        )
        place = self.named("place", f"@position@{place}", "mixed", 0.5)
        return "mixed", self.one_of(place, f"(indices - {place})", f"({place} + {self.number(0)})")

    def _product(self) -> tuple[Sort, str]:
        n, m = self.tally(), self.tally()
        if self.multiplied or self.rng.random() < 0.6:
            return "mixed", self.one_of(
                f"@product@({n} * {m})",
                f"@product@({n} * {n})",
                f"@product@({n} ^ 2 - {m})",
                f"@product@({n} / ({m} + 1))",
                f"@product@({n} / {self.one_of('length', '(indices + 1)')})",
                f"@product@({n} * {self.plain})",
            )
        self.multiplied = True  # a mean times what is no constant: once a program
        over, _ = self.over(0)
        over = self.named("these", over, "selector") if over.startswith(("select", "(")) else over
        mean = self.named("mean", f"aggregate({over}, {self.plain})", "mixed")
        return "mixed", self.one_of(
            f"@product@(aggregate({over}, {self.plain} * {self.plain}) - {mean} * {mean})",
            f"@product@({mean} * {self.plain})",
            f"@product@({mean} * {mean})",
        )

    def _rational(self) -> tuple[Sort, str]:
        mean = self.named("mean", self.mean(), "mixed", 0.5)
        return "mixed", self.one_of(
            f"@mean@{mean}",
            f"@mean@({mean} - {self.mean()})",
            f"@mean@({self.number(0)} - {mean})",
            f"@mean@({mean} if {self.condition()} else {self.value})",
            f"@mean@({mean} / {self.one_of('2', '3', '4')})",
        )

    def _bit(self) -> tuple[Sort, str]:
        n = self.one_of(self.tally(), self.tally(), self.number(), self._sum()[1])
        odd = self.named("odd", f"({n} % 2 == {self.one_of('1', '0')})", "bool", 0.4)
        return self.rng.choice((
            ("string", f'@bit@("*" if {odd} else tokens)'),
            ("string", f'@bit@("odd" if {odd} else "even")'),
            ("number", f"@bit@({self.value} if {odd} else {self.one_of('0', '-' + self.value, self.number(0))})"),
        ))  # fmt: skip

    def _running(self) -> tuple[Sort, str]:
        some = self.rng.sample(self.vocabulary, 3)
        before = self.named("before", "select(indices, indices, <=)", "selector", 0.6)
        seen = [f'has_focus(select(tokens, "{token}", ==) and {before})' for token in some]
        seen = [self.named("seen", flag, "bool", 0.8) for flag in seen]
        if self.rng.random() < 0.5:
            first, second, third, none = (f'"{token}"' for token in (*some, self.one_of("-", "none")))
            chosen = f"({second} if {seen[1]} else ({third} if {seen[2]} else {none}))"
            return "string", f"@running@({first} if {seen[0]} else {chosen})"
        three, two, one = (f"({n} if {flag} else 0)" for n, flag in zip("321", seen, strict=True))
        return "number", self.one_of(f"@running@max({three}, max({two}, {one}))", f"@running@({three} + {two})")

    # -- what puts them together -------------------------------------------------------------------------------------

    def _choice(self) -> tuple[Sort, str]:
        """Nested choices by what was found before."""
        first, second = self.condition(), self.condition()
        if self.rng.random() < 0.5:
            return "string", f'@choice@(tokens if {first} else ("{self.one_of("*", "+")}" if {second} else "-"))'
        return "number", f"@choice@({self.number()} if {first} else ({self.number(0)} if {second} else 0))"

    def _formula(self) -> tuple[Sort, str]:
        """A sum or difference of numbers that were found before, or a condition of several."""
        if self.rng.random() < 0.4:
            joined = f"{self.condition()} {self.one_of('and', 'or')} {self.one_of('', 'not ')}{self.condition()}"
            return "bool", f"@choice@({joined})"
        return "number", f"@choice@({self.number()} {self.one_of('+', '-')} {self.number()})"


def _words(text: str) -> set[str]:
    return set(re.findall(r"[A-Za-z_]\w*", text))


def _tidy(text: str) -> str:
    """Without parentheses around all of it, or all of an argument."""
    opened: list[int] = []
    dropped: set[int] = set()
    plain = re.sub(r'"[^"]*"', lambda quoted: "_" * len(quoted[0]), text)
    for at, letter in enumerate(plain):
        if letter == "(":
            opened.append(at)
        elif letter == ")":
            start = opened.pop()
            if re.search(r"(^|\(|, )$", plain[:start]) and re.match(r"$|[,)]", plain[at + 1 :]):
                dropped |= {start, at}
    return "".join(letter for at, letter in enumerate(text) if at not in dropped)
