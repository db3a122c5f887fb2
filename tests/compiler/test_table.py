"""Tables: every value of an operation at every joint value, as the operator table has it, value and kind."""

from __future__ import annotations

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from compiler.graph.table import LARGEST_INT, Curve, Scale, Table, along, apply, constant, points
from rasp.meaning.operators import OPERATORS, Undefined
from rasp.meaning.sop import Constant, Indices, Lookup, Map, Tokens
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


fractions = st.fractions(-5, 5, max_denominator=6)


@given(st.lists(st.lists(fractions, min_size=1, max_size=4, unique=True), min_size=1, max_size=3), st.data())
def test_a_curve_has_the_value_of_each_sum_of_digits(digits: list[list[Fraction]], data: st.DataObject) -> None:
    """Against the sums themselves; ambiguous digits are left to the caller, who promises there are none."""
    sums = [sum(point, Fraction(0)) for point in itertools.product(*digits)]
    assume(len(set(sums)) == len(sums))
    numbers = data.draw(st.lists(st.sampled_from([None, 0, 1, True, Fraction(1, 3)]), min_size=3, max_size=3))
    codes = data.draw(st.lists(st.integers(0, 2), min_size=len(sums), max_size=len(sums)))
    kept = data.draw(st.lists(st.booleans(), min_size=len(sums), max_size=len(sums)))
    shape = [len(line) for line in digits]
    curve = Curve.of(
        Table(tuple(numbers), np.array(codes).reshape(shape)),
        Scale.of(digits),
        np.array(kept, dtype=np.bool_).reshape(shape),
    )
    expected = sorted(
        (x, Fraction(y))
        for x, code, keep in zip(sums, codes, kept, strict=True)
        if keep and (y := numbers[code]) is not None
    )
    assert curve.points() == expected
    steps = [(b - a) for (a, _), (b, _) in itertools.pairwise(expected)]
    assert curve.steps == ((expected[-1][0] - expected[0][0]) / min(steps) if steps else 1)


@given(st.lists(st.sampled_from([0, 1, True, Fraction(1), 2]), min_size=1, max_size=12))
def test_the_corners_of_a_curve_draw_the_same_line(heights: list[Value]) -> None:
    distinct = list(dict.fromkeys((type(value), value) for value in heights))
    codes = np.array([distinct.index((type(value), value)) for value in heights])
    curve = Curve.of(
        Table(tuple(value for _, value in distinct), codes),
        Scale.of([[Fraction(place, 2) for place in range(len(heights))]]),
    )
    corners = curve.corners()
    assert set(corners) <= set(curve.points())
    for x, y in curve.points():
        before, after = max(c for c in corners if c[0] <= x), min(c for c in corners if c[0] >= x)
        assert (x, y) in corners or y == before[1] == after[1]
    inner = curve.points()[1:-1]
    flat = [b for a, b, c in zip(curve.points(), inner, curve.points()[2:], strict=False) if a[1] == b[1] == c[1]]
    assert len(corners) == len(heights) - len(flat)


def test_digits_beyond_machine_integers_are_exact() -> None:
    huge = Fraction(1 << 80)
    curve = Curve.of(along((0, 1, 2), 0, 1), Scale.of([[huge, huge + 1, -huge]]))
    assert curve.points() == [(-huge, 2), (huge, 0), (huge + 1, 1)]
