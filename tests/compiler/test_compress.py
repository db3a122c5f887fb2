"""Compression keeps every reading, and leaves as few columns as the functions have dimensions."""

from __future__ import annotations

import itertools
import random
from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import compiler
import rasp
from compiler.circuit.circuit import Circuit, Output
from compiler.circuit.compress import TERMS, compress
from compiler.circuit.layer import Layer, Neuron
from compiler.numbers.direction import Direction, Form
from tests.places import PROGRAMS

numbers = st.fractions(min_value=-4, max_value=4, max_denominator=3)
Columns = dict[Direction, tuple[Fraction, ...]]
TEXTS = ("a", "b", "c", "d")
LENGTH = 5


def columns(prefix: str, size: int) -> st.SearchStrategy[Columns]:
    column = st.one_of(
        st.tuples(*[numbers] * size),
        st.integers(0, size - 1).map(lambda place: tuple(Fraction(i == place) for i in range(size))),
    )
    return st.lists(column, max_size=6, unique=True).map(
        lambda found: {Direction(f"{prefix}{number}"): column for number, column in enumerate(found)}
    )


def circuit(tokens: Columns, positions: Columns, unread: int = 0) -> Circuit:
    """A neuron for each embedded direction but the last few, so that each of them is read."""
    read = [*tokens, *positions][unread:]
    target = Direction("sum")
    forms = [Form.constant(1), *(Form.of(d) - Form.constant(1) for d in read)]
    neurons = [Neuron((f"of {form}",), form, ((target, Fraction(1)),)) for form in forms]
    outputs = (Output("sum", (Form.of(target),), ((0, (Fraction(0),)),)),)
    return Circuit(TEXTS, LENGTH, False, tokens, positions, (Layer([], neurons),), outputs, (), {}, {})


def readings(made: Circuit, tokens: list[int]) -> list[list[Fraction]]:
    return [[neuron.read.at(s) for neuron in made.layers[0].neurons] for s in made.embed(tokens)[1:]]


def rank(embedded: Columns, size: int) -> int:
    """How many dimensions the functions add to the constant, which every stream holds anyway."""
    rows = [[1.0] * size, *([float(x) for x in column] for column in embedded.values())]
    return int(np.linalg.matrix_rank(np.array(rows))) - 1


@given(columns("t", len(TEXTS)), columns("p", LENGTH), st.integers(0, 3))
def test_compression_keeps_every_reading(tokens: Columns, positions: Columns, unread: int) -> None:
    before = circuit(tokens, positions, unread)
    after = compress(before)
    after.verify()
    for inputs in ([0], [3, 1, 2], [2, 2, 0, 1, 3]):
        assert readings(after, inputs) == readings(before, inputs)
        assert after.run(inputs) == before.run(inputs)


def one_hot(place: int, size: int) -> tuple[Fraction, ...]:
    return tuple(Fraction(place == i) for i in range(size))


@given(columns("t", len(TEXTS)), columns("p", LENGTH))
def test_the_basis_spans_no_more_than_what_is_read(tokens: Columns, positions: Columns) -> None:
    """Never fewer columns than dimensions, never more than there were."""
    made = compress(circuit(tokens, positions))
    for before, after, size in ((tokens, made.tokens, len(TEXTS)), (positions, made.positions, LENGTH)):
        assert rank(before, size) == rank(after, size) <= len(after) <= len(before)


@given(
    st.sets(st.integers(0, 3), min_size=1), st.lists(st.lists(st.integers(-5, 5), min_size=5, max_size=5), max_size=6)
)
def test_what_indicators_and_the_constant_span_costs_no_column(places: set[int], weights: list[list[int]]) -> None:
    indicators = [one_hot(place, 4) for place in sorted(places)]
    sums = [
        tuple(constant + sum(w * column[i] for w, column in zip(row, indicators, strict=False)) for i in range(4))
        for constant, *row in weights
    ]
    distinct = list(dict.fromkeys(indicators + [tuple(map(Fraction, column)) for column in sums]))
    tokens = {Direction(f"t{number}"): column for number, column in enumerate(reversed(distinct))}
    made = compress(circuit(tokens, {}))
    assert len(made.tokens) <= len(places)
    assert readings(made, [0, 1, 2, 3]) == readings(circuit(tokens, {}), [0, 1, 2, 3])


def test_what_is_never_read_is_not_written() -> None:
    kept, dropped = Direction("kept"), Direction("dropped")
    columns = {dropped: (Fraction(1), Fraction(5), Fraction(1), Fraction(1)), kept: (Fraction(2), *(Fraction(0),) * 3)}
    made = compress(circuit(columns, {}, unread=1))
    assert list(made.tokens) == [kept]


def test_many_functions_beside_a_full_set_of_indicators_cost_no_column() -> None:
    rng = random.Random(0)
    indicators = {Direction(f"is {i}"): tuple(Fraction(i == j) for j in range(4)) for i in range(4)}
    others = {Direction(f"f{i}"): tuple(Fraction(rng.randint(-9, 9)) for _ in range(4)) for i in range(60)}
    made = compress(circuit(indicators | others, {}))
    assert set(made.tokens) == set(indicators)


def test_neurons_that_read_the_same_are_one() -> None:
    """Two functions with knots at the same places share their neurons; the answers stay."""
    source = "h = selector_width(select(tokens, tokens, ==));\na = h % 3;\nb = (h % 3) * 5 + h;"
    made = compiler.compile(rasp.parse(source), ["a", "b"], vocab="ab", max_length=12)
    for layer in made.circuit.layers:
        assert len({neuron.read for neuron in layer.neurons}) == len(layer.neurons)
    alone = compiler.compile(rasp.parse(source), "a", vocab="ab", max_length=12)
    neurons = [sum(len(layer.neurons) for layer in one.circuit.layers) for one in (alone, made)]
    assert neurons[0] == neurons[1]
    for tokens in ("a", "ab" * 6, "aaaaaaab", "abbabbabbabb"):
        assert [made.model.run(tokens, name) for name in "ab"] == [made.program[name](tokens) for name in "ab"]


def test_of_computed_indicators_and_thresholds_only_the_thresholds_are_kept() -> None:
    """An order of counts asks for both, "my count is k" and "its count is more than k"."""
    source = """
    hist = selector_width(select(tokens, tokens, ==));
    o = selector_width(select(hist, hist, <));
    """
    made = compiler.compile(rasp.parse(source), vocab="abcd", max_length=8)
    computed = {str(direction) for direction in made.circuit.stairs if direction in made.circuit.directions()}
    assert len(computed) == 7 and not computed & {f"hist={k}" for k in range(2, 8)}
    indicators = {form for head in made.circuit.layers[1].heads for query, _ in head.scores for form in (query,)}
    assert any(len(form.terms) == 2 for form in indicators)
    for tokens in itertools.islice(itertools.product("abcd", repeat=6), 0, None, 97):
        assert made.model.run(tokens) == made.program["o"](tokens)
        assert made.circuit.run(made.model.encode(tokens))["o"] == made.program["o"](tokens)


def test_a_form_of_many_computed_functions_is_a_column_of_its_own() -> None:
    """The square is a sum of all thresholds, which would carry all their errors."""
    program = rasp.load(PROGRAMS / "paper/most_frequent.rasp")
    circuit = compiler.compile(program).circuit
    assert any("^2" in str(direction) for direction in circuit.stairs if direction in circuit.directions())
    reads = [form for layer in circuit.layers for head in layer.heads for form in head.reads()]
    computed = set(circuit.stairs)
    assert max(len(computed & form.terms.keys()) for form in reads) <= TERMS


def test_neurons_that_take_away_from_each_other_leave_nothing_unwritten() -> None:
    text = "x = aggregate(select(indices, 1, <), 2 * (indices if length > indices + tokens_int else indices), 1);"
    made = compiler.compile(rasp.parse(text), vocab="012", max_length=5)
    made.circuit.verify()
    assert compiler.check(made, samples=100).ok
