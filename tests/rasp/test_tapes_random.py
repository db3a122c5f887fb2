"""Random programs with a source: the interpreter of instances against a direct reading of the definition.

Here a value is asked for at one position of one tape, and nothing is specialised, kept or run side by side.
"""

from __future__ import annotations

import random
from fractions import Fraction
from typing import NamedTuple

import pytest

import rasp
from rasp.meaning.operators import OPERATORS, PREDICATES, convert
from rasp.meaning.sop import (
    Aggregate,
    And,
    Constant,
    Indices,
    Map,
    Node,
    Not,
    Or,
    Select,
    Selector,
    SOp,
    Tape,
    Tokens,
    Width,
)
from rasp.text.source import RaspError
from rasp.value import Value, to_python

HEADER = '#@ source: "abc"\n#@ vocab: "abc"\n'
LEAVES = ("indices", "source_length", "1", "2", 'indicator(source == "a")', 'indicator(tokens == "b")', "indices")


class Pair(NamedTuple):
    """The tokens of each tape."""

    source: list[str]
    target: list[str]

    def tokens(self, tape: Tape) -> list[str]:
        return self.source if tape == "source" else self.target


def tape(node: SOp) -> Tape | None:
    match node:
        case Tokens(tape=own) | Indices(tape=own) | Constant(tape=own):
            return own
        case Map(args=args):
            return next((found for arg in args if (found := tape(arg))), None)
        case Aggregate(selector, value):
            keys, queries = sides(selector)
            return "target" if "target" in (keys, tape(value)) else queries
        case Width(selector):
            return sides(selector)[1]
    raise TypeError(node)


def sides(selector: Selector) -> tuple[Tape | None, Tape | None]:
    match selector:
        case Select(key, query):
            found = tape(key), tape(query)
        case Not(arg):
            found = sides(arg)
        case And(left, right) | Or(left, right):
            (a, b), (c, d) = sides(left), sides(right)
            found = a or c, b or d
        case _:
            raise TypeError(selector)
    return ("target", "target") if found[0] == "target" else found


def value(node: SOp, on: Tape, at: int, pair: Pair) -> Value:
    match node:
        case Tokens(how):
            return convert(pair.tokens(on)[at], how)
        case Indices():
            return at
        case Constant(constant):
            return constant
        case Map(op, args):
            return OPERATORS[op].apply(*(value(arg, on, at, pair) for arg in args))
        case Width(selector):
            return len(seen(selector, sides(selector)[0] or on, on, at, pair))
        case Aggregate(selector, fetched, default):
            keys = sides(selector)[0] or tape(fetched) or on
            found = [value(fetched, keys, key, pair) for key in seen(selector, keys, on, at, pair)]
            return sum(map(Fraction, found), Fraction()) / len(found) if found else default  # type: ignore[arg-type]
    raise TypeError(node)


def seen(selector: Selector, keys: Tape, queries: Tape, query: int, pair: Pair) -> list[int]:
    """The keys that a query selects: of its own target those at or before it, else any."""
    count = query + 1 if keys == queries == "target" else len(pair.tokens(keys))
    return [key for key in range(count) if holds(selector, keys, key, queries, query, pair)]


def holds(selector: Node, keys: Tape, key: int, queries: Tape, query: int, pair: Pair) -> bool:
    def part(one: Selector) -> bool:
        return holds(one, keys, key, queries, query, pair)

    match selector:
        case Select(left, right, predicate):
            return bool(PREDICATES[predicate](value(left, keys, key, pair), value(right, queries, query, pair)))
        case Not(arg):
            return not part(arg)
        case And(left, right):
            return part(left) and part(right)
        case Or(left, right):
            return part(left) or part(right)
    raise TypeError(selector)


def numbers(rng: random.Random, depth: int) -> str:
    """The text of an s-op of numbers."""
    if depth == 0 or rng.random() < 0.15:
        return rng.choice(LEAVES)
    a, b, c = (numbers(rng, depth - 1) for _ in range(3))
    return rng.choice(
        [
            f"({a} + {b})",
            f"({a} * 2 - {b})",
            f"({a} if {b} > {c} else {c})",
            f"selector_width({selectors(rng, depth - 1)})",
            f"aggregate({selectors(rng, depth - 1)}, {a}, {rng.randint(0, 2)})",
            f"aggregate({selectors(rng, depth - 1)}, {a}, {rng.randint(0, 2)})",
            f"(indices + 0 * {a})[{rng.randint(-2, 2)}]",
        ]
    )


def selectors(rng: random.Random, depth: int) -> str:
    """The text of a selector."""
    kind = rng.random()
    if depth > 0 and kind < 0.4:
        a, b = selectors(rng, depth - 1), selectors(rng, depth - 1)
        return rng.choice([f"(not {a})", f"({a} and {b})", f"({a} or {b})"])
    left, right = numbers(rng, max(depth - 1, 0)), numbers(rng, max(depth - 1, 0))
    if kind > 0.8:
        left, right = rng.choice([("source", "tokens"), ("source", "source"), ("tokens", "tokens")])
    return f"select({left}, {right}, {rng.choice(['==', '!=', '<', '<=', '>', '>='])})"


def programs(rng: random.Random) -> rasp.Program:
    """A random program that stands on its tapes; whatever else is tried is refused for its tapes alone."""
    while True:
        text = f"x = {numbers(rng, 3)};\nnext = aggregate(select(indices, indices, ==), source) == tokens;"
        try:
            found = rasp.parse(HEADER + text)
            if isinstance(found.bindings["x"], SOp):
                return found
        except RaspError as problem:
            if {one.code for one in problem.diagnostics} != {"tapes"}:
                raise


@pytest.mark.parametrize("seed", range(8))
def test_the_interpreter_gives_what_the_definition_says(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(25):
        program = programs(rng)
        node = program.node("x")
        assert isinstance(node, SOp)
        on = tape(node) or "target"
        assert program.instances.tapes.of(node) == tape(node)
        for _ in range(3):
            source, target = rng.choices("abc", k=rng.randint(1, 4)), rng.choices("abc", k=rng.randint(0, 3))
            pair = Pair(source, ["<start>", *target])
            wanted = [value(node, on, at, pair) for at in range(len(pair.tokens(on)))]
            assert program["x"](source, target) == [to_python(one) for one in wanted], program.source.text
