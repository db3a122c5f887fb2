"""Tables: every value of an operation at every joint value, as the operator table has it, value and kind."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.table import LARGEST_INT, Table, along, apply, constant, points
from rasp.operators import OPERATORS, Undefined
from rasp.sop import Constant, Indices, Lookup, Map, Tokens
from rasp.value import Value

values = st.one_of(
    st.integers(-4, 4),
    st.sampled_from([LARGEST_INT - 1, LARGEST_INT, -LARGEST_INT, 1 << 70]),
    st.booleans(),
    st.fractions(-3, 3, max_denominator=4),
    st.sampled_from(["", "a", "1"]),
)
ints = st.integers(1 - LARGEST_INT, LARGEST_INT - 1)
columns = st.one_of(
    st.lists(values, min_size=1, max_size=6, unique_by=lambda v: (type(v), v)),
    st.lists(ints, min_size=1, max_size=6, unique=True),
)
BINARY = [symbol for symbol, operator in OPERATORS.items() if operator.arity == 2 and symbol != "^"]
UNARY = [symbol for symbol, operator in OPERATORS.items() if operator.arity == 1]


def answer(op: str, *operands: Value | None) -> Value | None:
    """What the operator table says, None where it has no answer or gets none."""
    if any(operand is None for operand in operands):
        return None
    try:
        return OPERATORS[op].apply(*operands)
    except Undefined:
        return None


def kinds(found: list[Value | None]) -> list[tuple[type, Value | None]]:
    """1, 1.0 and True told apart."""
    return [(type(value), value) for value in found]


@given(st.sampled_from(BINARY), columns, columns)
def test_an_operation_of_two_variables_is_taken_at_every_pair(op: str, a: list[Value], b: list[Value]) -> None:
    found = apply(Map(op, (Indices(), Tokens("asis"))), [along(a, 0, 2), along(b, 1, 2)])
    assert kinds(found.at_points()) == kinds([answer(op, x, y) for x in a for y in b])


@given(st.sampled_from(UNARY), columns)
def test_an_operation_of_one_variable(op: str, a: list[Value]) -> None:
    found = apply(Map(op, (Indices(),)), [along(a, 0, 1)])
    assert kinds(found.at_points()) == kinds([answer(op, x) for x in a])


@given(st.sampled_from(BINARY), st.sampled_from(BINARY), columns, columns)
def test_operations_nest_and_undefined_stays_undefined(first: str, second: str, a: list[Value], b: list[Value]) -> None:
    x, y = along(a, 0, 2), along(b, 1, 2)
    inner = apply(Map(first, (Indices(), Tokens("asis"))), [x, y])
    outer = apply(Map(second, (Indices(), Tokens("asis"))), [inner, x])
    assert kinds(outer.at_points()) == kinds([answer(second, answer(first, p, q), p) for p in a for q in b])


@given(columns, columns, columns)
def test_a_choice_of_three_variables(a: list[Value], b: list[Value], c: list[Value]) -> None:
    args = [along(column, axis, 3) for axis, column in enumerate((a, b, c))]
    found = apply(Map("if", (Indices(), Indices(), Indices())), args)
    assert kinds(found.at_points()) == kinds([answer("if", *operands) for operands in itertools.product(a, b, c)])


@given(columns, columns)
def test_only_values_that_occur_are_kept_and_each_once(a: list[Value], b: list[Value]) -> None:
    found = apply(Map("==", (Indices(), Indices())), [along(a, 0, 2), along(b, 1, 2)])
    assert sorted(set(found.codes.ravel().tolist())) == list(range(len(found.values)))
    assert len(set(kinds(list(found.values)))) == len(found.values)


@given(columns, st.data())
def test_a_lookup_leaves_out_what_it_lacks(a: list[Value], data: st.DataObject) -> None:
    entries = data.draw(st.lists(st.sampled_from(a), unique=True))
    node = Lookup(tuple((key, number) for number, key in enumerate(entries)), Indices())
    assert apply(node, [along(a, 0, 1)]).at_points() == [dict(node.table).get(value) for value in a]


def test_constants_broadcast() -> None:
    total = Map("+", (Indices(), Constant(1)))
    found = apply(total, [along((0, 5), 0, 2), constant(1).moved((), 2)])
    assert found.at_points(np.ones((2, 3), dtype=np.bool_)) == [1, 1, 1, 6, 6, 6]
    assert apply(Map("+", (Constant(1), Constant(1))), [constant(1), constant(1)]).at_points() == [2]


@pytest.mark.parametrize("axes", list(itertools.permutations(range(3), 2)))
def test_a_table_moves_to_other_axes(axes: tuple[int, int]) -> None:
    table = Table(tuple(range(6)), np.arange(6).reshape(2, 3))
    moved = table.moved(axes, 3)
    for place in itertools.product(range(2), range(3)):
        at = [0, 0, 0]
        for axis, index in zip(axes, place, strict=True):
            at[axis] = index
        assert moved.codes[tuple(at)] == table.codes[place]


def test_points_are_in_the_order_of_the_grid() -> None:
    kept = np.array([[True, False, True], [False, True, False]])
    table = apply(Map("+", (Indices(), Indices())), [along((10, 20), 0, 2), along((1, 2, 3), 1, 2)])
    assert points([(10, 20), (1, 2, 3)], kept) == [(10, 1), (10, 3), (20, 2)]
    assert table.at_points(kept) == [11, 13, 22]
    assert sorted(table.occurring(kept)) == [11, 13, 22]  # type: ignore[type-var]


def test_a_large_power_of_two_is_exact() -> None:
    edge = LARGEST_INT - 1
    found = apply(Map("*", (Indices(), Indices())), [along((edge, -edge), 0, 1), along((edge, -edge), 0, 1)])
    assert found.at_points() == [edge * edge, edge * edge]
    assert Fraction(found.values[0]) == Fraction(edge) ** 2  # type: ignore[arg-type]
