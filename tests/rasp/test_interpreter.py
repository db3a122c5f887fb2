"""The interpreter against a deliberately naive one: whole matrices of booleans, one cell at a time."""

from __future__ import annotations

import random
import time
from fractions import Fraction
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rasp
from rasp.meaning.interpreter import evaluate, evaluate_each
from rasp.meaning.operators import MAX_BITS, OPERATORS, PREDICATES, Undefined
from rasp.meaning.sop import (
    Aggregate,
    And,
    Constant,
    Indices,
    Lookup,
    Map,
    Node,
    Not,
    Or,
    Select,
    Selector,
    SOp,
    Tokens,
    Total,
    Width,
)
from rasp.text.source import RaspError
from rasp.value import Value, kind, kind_of_all
from tests.random_programs import VOCABULARY, seeded


class Refused(Exception):
    pass


def naive(node: Node, tokens: list[Value], causal: bool) -> Any:
    """The definitions of the language, written down cell by cell."""
    n = len(tokens)
    match node:
        case Select(key, query, predicate):
            keys, queries = naive(key, tokens, causal), naive(query, tokens, causal)
            return [[PREDICATES[predicate](keys[k], queries[q]) for k in range(n)] for q in range(n)]
        case Not(arg):
            return [[not cell for cell in row] for row in naive(arg, tokens, causal)]
        case And(left, right):
            a, b = naive(left, tokens, causal), naive(right, tokens, causal)
            return [[a[q][k] and b[q][k] for k in range(n)] for q in range(n)]
        case Or(left, right):
            a, b = naive(left, tokens, causal), naive(right, tokens, causal)
            return [[a[q][k] or b[q][k] for k in range(n)] for q in range(n)]
        case _:
            values = naive_values(node, tokens, causal)
            if kind_of_all(values) is None:
                raise Refused
            return values


def naive_values(node: Node, tokens: list[Value], causal: bool) -> list[Value]:
    n = len(tokens)
    match node:
        case Tokens():
            return list(tokens)
        case Indices():
            return list(range(n))
        case Constant(value):
            return [value for _ in range(n)]
        case Map(op, args):
            columns = [naive(arg, tokens, causal) for arg in args]
            return [OPERATORS[op].apply(*[column[at] for column in columns]) for at in range(n)]
        case Lookup(table, arg):
            return [dict(table)[key] for key in naive(arg, tokens, causal)]
        case Width(selector):
            rows = naive(selector, tokens, causal)
            return [sum(1 for k in range(n) if rows[q][k] and (k <= q or not causal)) for q in range(n)]
        case Aggregate(selector, value, default):
            rows, values = naive(selector, tokens, causal), naive(value, tokens, causal)
            return [
                naive_mean([k for k in range(n) if rows[q][k] and (k <= q or not causal)], values, default)
                for q in range(n)
            ]
        case Total(selector, value):
            rows, values = naive(selector, tokens, causal), naive(value, tokens, causal)
            return [
                naive_total([k for k in range(n) if rows[q][k] and (k <= q or not causal)], values) for q in range(n)
            ]
    raise AssertionError(node)


def naive_mean(keys: list[int], values: list[Any], default: Value) -> Value:
    if not keys:
        return default
    if len(keys) == 1:
        return values[keys[0]]
    if kind_of_all(values) not in {"int", "float"}:
        raise Refused
    return sum((Fraction(values[key]) for key in keys), Fraction(0)) / len(keys)


def naive_total(keys: list[int], values: list[Any]) -> Value:
    if kind_of_all(values) == "string":
        raise Refused
    if not keys:
        return 0
    return sum((values[key] for key in keys), Fraction(0) if any(isinstance(v, Fraction) for v in values) else 0)


EVERYWHERE = Select(Constant(1), Constant(1), "==")
atoms = st.sampled_from([0, 1, 2, -1, True, False, Fraction(1, 2), Fraction(2), "a", "b", "c"])


BINARY = [op for op in OPERATORS if OPERATORS[op].arity == 2 and op != "^"]
UNARY = [op for op in OPERATORS if OPERATORS[op].arity == 1]
TABLE = (("a", 1), ("b", "x"), (0, "y"), (1, 3), (2, 4))


@st.composite
def programs(draw: st.DrawFn, depth: int = 4) -> SOp:
    """A random s-op."""

    def inner() -> SOp:
        return draw(programs(depth - 1))

    match draw(st.integers(0, 10)) if depth else draw(st.integers(0, 2)):
        case 0:
            return Tokens("asis")
        case 1:
            return Indices()
        case 2:
            return Constant(draw(atoms))
        case 3 | 4:
            return Map(draw(st.sampled_from(BINARY)), (inner(), inner()))
        case 5:
            return Map(draw(st.sampled_from(UNARY)), (inner(),))
        case 6:
            return draw(
                st.sampled_from([Lookup(TABLE, inner()), Map("in", (inner(), Constant("a"), Constant(draw(atoms))))])
            )
        case 7:
            return Map("if", (inner(), inner(), inner()))
        case 8:
            return Width(draw(selectors(depth - 1)))
        case 9:
            return Total(draw(selectors(depth - 1)), inner())
        case _:
            return Aggregate(draw(selectors(depth - 1)), inner(), draw(atoms))


@st.composite
def selectors(draw: st.DrawFn, depth: int = 4) -> Selector:
    """A random selector."""
    match draw(st.integers(0, 5)) if depth else 0:
        case 3:
            return Not(draw(selectors(depth - 1)))
        case 4:
            return And(draw(selectors(depth - 1)), draw(selectors(depth - 1)))
        case 5:
            return Or(draw(selectors(depth - 1)), draw(selectors(depth - 1)))
        case _:
            level = max(depth - 2, 0)
            return Select(draw(programs(level)), draw(programs(level)), draw(st.sampled_from(list(PREDICATES))))


inputs = st.one_of(
    st.lists(st.sampled_from("abc"), min_size=1, max_size=6), st.lists(st.integers(-2, 3), min_size=1, max_size=6)
)


def outcome(compute: Any) -> Any:
    try:
        values = compute()
    except (Refused, Undefined, RaspError, KeyError):
        return "no answer"
    return [(kind(value), value) for value in values]


@pytest.mark.parametrize("size", [1, 3, 10**6])
@pytest.mark.parametrize("unit", [Fraction(1), Fraction(1, 12)])
@pytest.mark.parametrize("length", [63, 64, 65, 300])
def test_means_of_long_sequences_are_exact(size: int, unit: Fraction, length: int) -> None:
    """Small numbers are added up bit by bit, large ones as they are; negative ones and fractions among them."""
    rng = random.Random(length)
    tokens = [rng.randint(-size, size) * unit for _ in range(length)]
    node = Aggregate(
        Select(Map("%", (Indices(), Constant(7))), Map("%", (Indices(), Constant(5))), "<"), Tokens("asis")
    )
    for causal in (False, True):
        assert evaluate(node, tokens, causal) == naive(node, tokens, causal)


@pytest.mark.parametrize("tokens", [[2, 2], [Fraction(1, 3**20000), Fraction(1, 5**20000)]])
def test_a_total_that_is_too_large_is_refused_as_a_mean_is(tokens: list[Value]) -> None:
    """A sum of more bits than a number may have, and one whose common denominator has too many."""
    large = Map("^", (Constant(2), Constant(MAX_BITS // 2 - 1)))
    value = Map("*", (Tokens("asis"), Map("*", (large, large)))) if tokens[0] == 2 else Tokens("asis")
    assert evaluate(value, tokens[:1])
    with pytest.raises(RaspError, match="bits"):
        evaluate(Total(EVERYWHERE, value), tokens)
    with pytest.raises(RaspError):
        evaluate(Aggregate(EVERYWHERE, value), tokens)


@given(programs(), inputs, st.booleans())
def test_agrees_with_the_naive_interpreter(node: SOp, tokens: list[Value], causal: bool) -> None:
    assert outcome(lambda: evaluate(node, tokens, causal)) == outcome(lambda: naive(node, tokens, causal))


@given(selectors(), inputs)
def test_selectors_agree(node: Selector, tokens: list[Value]) -> None:
    def cells(matrix: Any) -> Any:
        return [cell for row in matrix for cell in row]

    assert outcome(lambda: cells(evaluate(node, tokens))) == outcome(lambda: cells(naive(node, tokens, False)))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("length", [1, 2, 3]),
        ("tokens[-1]", ["a", "b", "c"]),
        ("indices[1]", [0, 1, 1]),
        ("selector_width(not select(indices, indices, <))", [1, 1, 1]),
        ('aggregate(select(indices, indices, >), tokens, "-")', ["-", "-", "-"]),
    ],
)
def test_causal_hides_the_future_once(expression: str, expected: list[Value]) -> None:
    assert rasp.parse(f"answer = {expression};")["answer"].exact("abc", causal=True) == expected


def test_a_selector_itself_is_never_restricted() -> None:
    program = rasp.parse("#@ attention: causal\ns = select(1, 1, ==);")
    assert program["s"]("ab") == [[True, True], [True, True]]


def test_division_is_exact_for_every_length() -> None:
    answer = rasp.parse("answer = length * (1 / length) == 1;")["answer"]
    assert all(all(answer("a" * n)) for n in range(1, 60))


@pytest.mark.parametrize("tokens", ["", [], ()])
def test_an_empty_input_is_refused(tokens: Any) -> None:
    with pytest.raises(RaspError, match="at least one token"):
        rasp.parse("answer = tokens;")["answer"](tokens)


@pytest.mark.parametrize("tokens", [[[1]], [None], [float("nan")], 3, [float("inf")]])
def test_odd_inputs_are_refused(tokens: Any) -> None:
    with pytest.raises(RaspError):
        rasp.parse("answer = tokens_asis;")["answer"](tokens)


def test_scalars_of_other_libraries_are_plain_values() -> None:
    """They are floats and strings whose `repr` and type are their own."""
    half, letter = evaluate(Tokens("asis"), [numpy.float64(0.5)]), evaluate(Tokens("asis"), numpy.array(["a", "b"]))
    assert half == [Fraction(1, 2)] and type(half[0]) is Fraction
    assert letter == ["a", "b"] and {type(token) for token in letter} == {str}


MOST_FREQUENT = """
same = select(tokens, tokens, ==);
count_of = selector_width(same);
first = not has_focus(same and select(indices, indices, <));
weight = count_of if first else -1;
answer = sort(tokens, -weight);
"""


@pytest.mark.parametrize(
    ("text", "n", "seconds"),
    [
        ("answer = sort(tokens, tokens);", 200, 0.2),
        ("answer = sort(tokens, tokens);", 1_000, 1.0),
        (MOST_FREQUENT, 200, 0.3),
        ("answer = aggregate(select(indices, indices, <=), indices / (indices + 1));", 500, 2.0),
    ],
)
def test_is_fast_enough_to_be_a_reference(text: str, n: int, seconds: float) -> None:
    answer = rasp.parse(text)["answer"]
    tokens = [chr(97 + (7 * at * at) % 26) for at in range(n)]
    started = time.process_time()
    answer(tokens)
    assert time.process_time() - started < seconds


def test_a_deep_graph_needs_no_recursion() -> None:
    node: SOp = Indices()
    for at in range(20_000):
        node = Map("+", (node, Constant(at % 3)))
    assert evaluate(node, "a") == [sum(at % 3 for at in range(20_000))]


def alone(node: SOp, tokens: list[str], causal: bool) -> list[tuple[str, Value]] | str:
    """The values with their kinds, or the error as text."""
    try:
        return [(kind(value), value) for value in evaluate(node, tokens, causal)]
    except RaspError as problem:
        return str(problem)


@pytest.mark.parametrize("causal", [False, True])
def test_many_inputs_at_once_have_the_answers_that_each_has_alone(causal: bool) -> None:
    """Errors too, to the letter: one input without an answer takes none from the others."""
    chance = random.Random(0)
    failed = answered = 0
    for seed in range(150):
        node = seeded(seed, depth=2 + seed % 4)
        inputs = [
            [chance.choice([*VOCABULARY, "a"][: 4 + seed % 2]) for _ in range(chance.randint(0, 6))] for _ in range(40)
        ]
        together = evaluate_each([node], inputs, causal)
        for tokens, found in zip(inputs, together, strict=True):
            if isinstance(found, RaspError):
                assert str(found) == alone(node, tokens, causal)
                failed += 1
            else:
                assert [(kind(value), value) for value in found[0]] == alone(node, tokens, causal)
                answered += 1
    assert failed > 500 and answered > 3000


def test_no_inputs_have_no_answers() -> None:
    assert evaluate_each([Indices()], []) == []
