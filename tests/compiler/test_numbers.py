"""Grids, powers of two and bounds on rounding, against what they are said to be."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.numbers.bound import Bound
from compiler.numbers.exact import Multiples
from compiler.numbers.grid import common_distance, common_grid, common_step, grid_of_products
from compiler.numbers.powers import is_dyadic, is_power, odd, power_above, power_below
from compiler.numbers.precision import BFLOAT16, FLOAT16, FLOAT32, PRECISIONS, Precision
from compiler.numbers.rounding import MOST_NATS, added, holds_all, leak, mean_error, spread, stored, sum_error

NUMBERS = st.fractions(min_value=-50, max_value=50, max_denominator=12)
POSITIVE = st.fractions(min_value=Fraction(1, 1000), max_value=1000, max_denominator=1000)


@given(st.lists(NUMBERS, min_size=1, max_size=6))
def test_a_common_step_divides_all_and_none_is_larger(numbers: list[Fraction]) -> None:
    step = common_step(numbers)
    assert (step == 0) == (not any(numbers))
    if step:
        counts = [number / step for number in numbers]
        assert all(count.denominator == 1 for count in counts)
        assert math.gcd(*(int(count) for count in counts)) == 1


@given(st.lists(NUMBERS, min_size=1, max_size=6), NUMBERS)
def test_a_distance_does_not_depend_on_where_numbers_begin(numbers: list[Fraction], by: Fraction) -> None:
    assert common_distance(numbers) == common_distance([number + by for number in numbers])
    assert common_distance(numbers) == common_step([a - b for a in numbers for b in numbers])


@given(st.lists(st.tuples(st.integers(-40, 40), st.integers(0, 6), st.integers(-6, 0)), min_size=1, max_size=5))
def test_sums_of_products_are_on_the_grid_of_products(terms: list[tuple[int, int, int]]) -> None:
    grid = grid_of_products((Fraction(c, 1 << shift), 2.0**exponent) for c, shift, exponent in terms)
    assert grid is not None and grid <= 1.0
    value = sum(Fraction(c, 1 << shift) * 3 * Fraction(2) ** exponent for c, shift, exponent in terms)
    assert (value / Fraction(grid)).denominator == 1


def test_of_thirds_and_of_what_is_unknown_no_grid_is_known() -> None:
    assert grid_of_products([(Fraction(1, 3), 1.0)]) is None
    assert grid_of_products([(Fraction(1), None)]) is None
    assert common_grid(1.0, None) is None and common_grid(0.5, 4.0) == 0.5


@given(POSITIVE)
def test_powers_of_two_stand_around_a_number(number: Fraction) -> None:
    above, below = power_above(number), power_below(number)
    assert is_power(above) and is_power(below)
    assert above / 2 < number <= above and below <= number < 2 * below


@given(st.integers(1, 1 << 70))
def test_what_is_odd_is_left_of_a_number(number: int) -> None:
    assert odd(number) % 2 == 1 and is_power(Fraction(number, odd(number))) and odd(0) == 0


@pytest.mark.parametrize("p", PRECISIONS.values(), ids=PRECISIONS)
@given(st.lists(NUMBERS, min_size=1, max_size=4))
def test_many_numbers_are_held_where_each_is(p: Precision, numbers: list[Fraction]) -> None:
    assert holds_all(p, Multiples.of(numbers)) == all(map(p.holds, numbers))
    assert all(is_dyadic(number) for number in numbers if p.holds(number))


@given(st.integers(1, 200), st.integers(0, 10_000))
def test_c6_a_count_in_float32_is_as_near_as_its_bound_says(n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    selected = rng.random(n) < rng.random()
    weights = np.exp(np.where(selected, np.float32(0), np.float32(-FLOAT32.count_sharp)).astype(np.float32))
    bos = np.exp(np.float32(FLOAT32.counterweight))
    total = np.float32(weights.sum(dtype=np.float32) + bos)
    mixed = (weights / total)[rng.permutation(n)].cumsum(dtype=np.float32)[-1] * np.float32(FLOAT32.lift)
    assert abs(float(mixed) - selected.sum()) <= sum_error(FLOAT32, n, Bound(1, 1), 0.0, 0.0)


def test_bounds_on_a_softmax_grow_with_the_error_of_scores_and_stay_floats() -> None:
    value = Bound(0, 3, 0.0, 1.0)
    assert mean_error(FLOAT32, 8, value, 0.0, single=True) == 0.0
    assert 0 < mean_error(FLOAT32, 8, value, 0.0, single=False) < mean_error(FLOAT32, 8, value, 0.1, single=False)
    assert math.isfinite(spread(1e9)) and spread(1e9) == math.expm1(MOST_NATS)
    assert leak(FLOAT32, 8, 200.0) == 0.0 < leak(FLOAT32, 8, 10.0)


def test_half_types_make_counts_whole_as_they_are_stored() -> None:
    assert sum_error(BFLOAT16, 100, Bound(0, 1), 0.0, 0.0) == 0.0 < sum_error(BFLOAT16, 100, Bound(0, 1), 0.1, 0.0)
    assert stored(FLOAT32, 1000.0) == 0.0 < stored(FLOAT16, 1000.0) < stored(FLOAT16, 1000.0, 1000.0, held=False)
    assert added(FLOAT16, 2048.0, 1.0) == 0.0 < added(FLOAT16, 4096.0, 1.0)
