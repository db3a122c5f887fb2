"""Whole random programs: a header and statements, each kept if enough inputs still have an answer.

In: a seed. Out: `Case`: the text, and how it is to be compiled. The grammar writes what it likes; after every statement
the interpreter says on which of some inputs the program still has an answer, and what sort of values came out.
Invariant: the same seed gives the same case, in every process.

    case = drawn(7); case.text, case.dtype
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from rasp import RaspError
from rasp.meaning.interpreter import evaluate_each
from rasp.meaning.sop import Aggregate, Constant, Selector, SOp
from rasp.running.elaborate import Elaborator
from rasp.settings import token_text
from rasp.text.parser import parse_text
from rasp.value import Value
from tests.adversarial.grammar import EDGES, FAR, Grammar, Name, Sort

DTYPES = ("float32", "float64", "float16", "bfloat16")
POOL = 28
"""Inputs on which statements are tried."""
TRIES = 6
"""How often another statement is drawn where one leaves too few answers."""
LENGTHS = (*(1, 2, 3, 3, 4, 4, 4, 5, 5, 5, 6, 6, 6, 7, 8, 8) * 4, 12, 16, 16, 33)
VOCABULARIES: tuple[tuple[Value, ...], ...] = (
    ("a", "b", "c", "d", "e", "f"),
    ("0", "1", "2", "3", "4", "5"),
    ("a", 1, "2.5", True, Fraction(1, 2), "b"),
    ("a", 1, 2, "b", 0, -3),
    (0, 1, 2, 3, 10, -1),
    (Fraction(5, 2), 1, Fraction(-1, 10), 1000000, Fraction(1, 1000), 7),
    (True, False, "T", 0, 1, "x"),
    ("1", "2.5", "-3", " 7 ", "007", "True"),
    ("hi", "ab", "", "(", ")", "é"),
    ("1000000", "0.000001", "20000", "3", "65504", "0.1"),
)


@dataclass(frozen=True)
class Case:
    """A program as text, and how it is compiled."""

    seed: int
    text: str
    dtype: str
    optimize: str
    kinds: tuple[str, ...] = ()
    """What it contains of what is counted apart."""


def drawn(seed: int) -> Case:
    """The case of a seed."""
    rng = random.Random(f"adversary {seed}")
    dtype = rng.choice(DTYPES)
    text = Writer(rng, dtype).program()
    return Case(seed, text, dtype, rng.choice(("balanced", "balanced", "balanced", "depth", "size")))


class Draft:
    """Statements so far, their names, and the inputs on which they have an answer: a statement is kept if enough do."""

    MOST_VALUES = 60
    """How many different ones a statement may have on the inputs it is tried on."""

    def __init__(self, rng: random.Random, vocabulary: Sequence[Value], max_length: int, causal: bool) -> None:
        self.rng = rng
        self.lines: list[str] = []
        self.run = Elaborator()
        self.names: list[Name] = []
        self.vocabulary, self.max_length, self.causal = vocabulary, max_length, causal
        self.alive = self._pool()
        self.least = 0.5 * len(self.alive)

    def _pool(self) -> list[tuple[Value, ...]]:
        pool = [(token,) for token in self.vocabulary]
        while len(pool) < POOL:
            few = self.rng.sample(self.vocabulary, self.rng.randint(1, len(self.vocabulary)))
            pool.append(tuple(self.rng.choices(few, k=self.rng.randint(1, min(8, self.max_length)))))
        return pool

    def _kept(self, name: str, lines: tuple[str, ...]) -> bool:
        """Run a statement; keep it if it has an answer on enough inputs still."""
        before = dict(self.run.top.values)
        if self._run(lines) and (found := self._tried(self.run.top.values.get(name))):
            sort, varied, self.alive = found
            self.lines += lines
            self.names.append(Name(name, sort, varied))
            return True
        self.run.top.values.clear()
        self.run.top.values.update(before)
        return False

    def _run(self, lines: tuple[str, ...]) -> bool:
        try:
            for statement in parse_text("\n".join(lines)).statements:
                self.run.run(statement)
        except RaspError:
            return False
        return True

    def _tried(self, value: object) -> tuple[Sort, bool, list[tuple[Value, ...]]] | None:
        """The sort of what was bound, whether it varies, and the inputs with an answer; None if they are too few."""
        if not isinstance(value, SOp | Selector):
            return None
        node = Aggregate(value, Constant(1)) if isinstance(value, Selector) else value
        answers = evaluate_each([node], self.alive, self.causal)
        pairs = [(i, a[0]) for i, a in zip(self.alive, answers, strict=True) if not isinstance(a, RaspError)]
        values = [value for _, row in pairs for value in row]
        if len(pairs) < self.least or not values or not _bearable(values, self.MOST_VALUES):
            return None
        sort: Sort = "selector" if isinstance(value, Selector) else _sort_of(values)
        return sort, len(set(values)) > 1, [tokens for tokens, _ in pairs]

    def values_of(self, name: str) -> list[Value]:
        """The values of a name's s-op on the inputs with an answer."""
        answers = evaluate_each([self.run.top.values[name]], self.alive, self.causal)
        return [value for answer in answers if not isinstance(answer, RaspError) for value in answer[0]]


class Writer(Draft):
    """A program of any constructs in the making."""

    def __init__(self, rng: random.Random, dtype: str) -> None:
        size = rng.choice((1, 2, 2, 3, 3, 3, 4, 4, 5, 6))
        vocabulary = rng.sample(rng.choice(VOCABULARIES), size)
        super().__init__(rng, vocabulary, rng.choice(LENGTHS), causal=rng.random() < 0.4)
        self.least = len(self.alive) * rng.choice((0.2, 0.5, 0.5, 0.8, 0.8))
        texts = [token_text(token) for token in self.vocabulary]
        far = rng.choice((FAR, EDGES[dtype]))
        self.grammar = Grammar(rng, self.names, texts, far, often=rng.choice((0, 0, 0.05, 0.1, 0.3)))

    def program(self) -> str:
        """The text."""
        wanted = self.rng.randint(2, 9)
        for _ in range(3 * wanted):
            if len(self.names) < wanted:
                self._statement()
        while not any(name.sort != "selector" for name in self.names):
            self._statement()
        outputs = self._outputs()
        return "\n".join([*self._header(outputs), *self.lines]) + "\n"

    # -- statements --------------------------------------------------------------------------------------------------

    def _statement(self) -> None:
        makers: dict[Callable[[str], tuple[str, ...]], float] = {
            self._assignment: 8,
            self._selector: 1.5,
            self._function: 1.2,
            self._loop: 1,
            self._list: 0.7,
            self._constant: 0.4,
            self._same: 0.3,
        }
        name = f"{self.rng.choice(('x', 'y', 'kept', 'v'))}{len(self.names)}"
        make = self.rng.choices(list(makers), list(makers.values()))[0]
        for _ in range(TRIES):
            if self._kept(name, make(name)):
                return

    def _depth(self) -> int:
        return self.rng.choice((1, 2, 2, 3, 3, 4))

    def _sort(self) -> Sort:
        sorts: tuple[Sort, ...] = ("number", "number", "number", "bool", "string", "string", "mixed", "mixed")
        return self.rng.choice(sorts)

    def _assignment(self, name: str) -> tuple[str, ...]:
        return (f"{name} = {self.grammar.expression(self._sort(), self._depth())};",)

    def _selector(self, name: str) -> tuple[str, ...]:
        return (f"{name} = {self.grammar.selector(self._depth())};",)

    def _constant(self, name: str) -> tuple[str, ...]:
        """The same value everywhere, as an s-op."""
        atom = self.grammar.atom()
        return (self.rng.choice((f"{name} = aggregate(full_s, {atom});", f"{name} = {{0: {atom}}}[0 * indices];")),)

    def _same(self, name: str) -> tuple[str, ...]:
        """Another name for an s-op, or for the input."""
        given = [known.text for known in self.names if known.sort != "selector"]
        return (f"{name} = {self.rng.choice([*given, 'tokens', 'tokens_asis', 'indices'])};",)

    def _function(self, name: str) -> tuple[str, ...]:
        """A function of an s-op or two, called with what comes to hand."""
        sorts = [self._sort() for _ in range(self.rng.randint(1, 2))]
        inside = [Name(letter, sort) for letter, sort in zip("pq", sorts, strict=False)]
        body = self.grammar.beside(inside)
        sort, inner = self._sort(), self.rng.random() < 0.4
        step = f"r = {body.expression(sort, 1)}; " if inner else ""
        inside += [Name("r", sort)] if inner else []
        arguments = ", ".join(self.grammar.expression(sort, 1) for sort in sorts)
        head = f"def f_{name}({', '.join('pq'[: len(sorts)])})"
        return (
            f"{head} {{ {step}return {body.expression(self._sort(), self._depth())}; }}",
            f"{name} = f_{name}({arguments});",
        )

    def _loop(self, name: str) -> tuple[str, ...]:
        """Something made step by step from itself."""
        body = self.grammar.beside([*self.names, Name("i", "number")])
        over = self.rng.choice(("range(2)", "range(3)", "[1, 2]", "[0.5, -1]", "range(1, 4, 2)"))
        start, step = (
            (self.grammar.selector(1), f"{name} {self.rng.choice(('and', 'or'))} {body.selector(1)}")
            if self.rng.random() < 0.3
            else (
                self.grammar.expression("number", 1),
                f"{name} {self.rng.choice('+-*')} {body.expression('number', 2)}",
            )
        )
        return (f"{name} = {start};", f"for i in {over} {{ {name} = {step}; }}")

    def _list(self, name: str) -> tuple[str, ...]:
        """A list of s-ops, two of which are put together."""
        body = self.grammar.beside([*self.names, Name("i", "number")])
        sort = self.rng.choice(("number", "bool"))
        joined = self.rng.choice(("+", "-", "*") if sort == "number" else ("and", "or", "=="))
        return (
            f"l_{name} = [{body.expression(sort, 2)} for i in range({self.rng.randint(2, 3)})];",
            f"{name} = l_{name}[0] {joined} l_{name}[-1];",
        )

    # -- the header --------------------------------------------------------------------------------------------------

    def _outputs(self) -> list[str]:
        """One s-op or a few, the last ones rather; one name twice under two names now and then."""
        sops = [name.text for name in self.names if name.sort != "selector"]
        varied = [name.text for name in self.names if name.sort != "selector" and name.varied]
        count = self.rng.choice((1, 1, 1, 2, 2, 3))
        first = varied[-1] if varied and self.rng.random() < 0.85 else sops[-1]
        return list(dict.fromkeys([first, *self.rng.choices(sops, k=count - 1)]))

    def _header(self, outputs: Sequence[str]) -> list[str]:
        vocabulary = ", ".join(as_json(token) for token in self.vocabulary)
        lines = [f"#@ vocab: [{vocabulary}]", f"#@ max_length: {self.max_length}", f"#@ output: {', '.join(outputs)}"]
        if self.causal:
            lines.append("#@ attention: causal")
        if self.rng.random() < 0.12:
            lines.append(f"#@ unknown: {as_json(self.rng.choice(self.vocabulary))}")
        return lines + self._requires()

    def _requires(self) -> list[str]:
        """Now and then: only inputs on which something is True everywhere are meant."""
        if self.rng.random() > 0.2:
            return []
        for number in range(3 * TRIES):
            before, name = len(self.lines), f"meant{number}"
            if self._kept(name, (f"{name} = {self.grammar.expression('bool', self.rng.randint(1, 2))};",)):
                answers = evaluate_each([self.run.top.values[name]], self.alive, self.causal)
                meant = sum(not isinstance(a, RaspError) and all(a[0]) for a in answers)
                if 0.15 * POOL <= meant < len(self.alive):
                    return [f"#@ requires: {name}"]
                del self.lines[before:], self.names[-1]
        return []


def _bearable(values: Sequence[Value], most: int) -> bool:
    """Not too long, and not too many different ones: no compiler would have to hold them all."""
    texts = [value for value in values if isinstance(value, str)]
    if any(len(text) > 12 for text in texts) or len({(type(value), value) for value in values}) > most:
        return False
    sizes = [max(abs(n.numerator), n.denominator) for value in values if not isinstance(n := value, str)]
    return max(sizes, default=0) < 10**310


def _sort_of(values: Sequence[Value]) -> Sort:
    if all(isinstance(value, bool) for value in values):
        return "bool"
    strings = sum(isinstance(value, str) for value in values)
    return "number" if not strings else "string" if strings == len(values) else "mixed"


def as_json(token: Value) -> str:
    """As a header writes it."""
    return token_text(token) if isinstance(token, Fraction) else json.dumps(token, ensure_ascii=False)
