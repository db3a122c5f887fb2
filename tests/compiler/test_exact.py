"""Many numbers over one denominator do what fractions do, number by number, beyond machine integers too."""

import itertools
import math
from fractions import Fraction

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from compiler.numbers.exact import Multiples

NUMBER = st.one_of(
    st.integers(-50, 50).map(Fraction),
    st.fractions(-9, 9, max_denominator=12),
    st.builds(Fraction, st.integers(-(1 << 70), 1 << 70), st.sampled_from([1, 3, 1 << 40])),
)
NUMBERS = st.lists(NUMBER, min_size=1, max_size=6)


@given(NUMBERS)
def test_the_numbers_come_back(numbers: list[Fraction]) -> None:
    found = Multiples.of(numbers)
    assert list(found.numbers) == numbers
    assert found.range == (min(numbers), max(numbers))


@given(NUMBERS)
def test_floats_are_the_nearest_and_no_zero_is_negative(numbers: list[Fraction]) -> None:
    found = Multiples.of(numbers).times(Fraction(-1)).floats
    assert found.tolist() == [float(-number) for number in numbers]
    assert not np.signbit(found[found == 0]).any()


@given(NUMBERS, NUMBER)
def test_times_multiplies_each(numbers: list[Fraction], factor: Fraction) -> None:
    found = Multiples.of(numbers).times(factor)
    assert list(found.numbers) == [number * factor for number in numbers]
    assert found.range == (min(found.numbers), max(found.numbers))


@given(st.lists(st.tuples(NUMBER, NUMBER), min_size=1, max_size=6), NUMBER)
@example([(Fraction(0), Fraction(0))], Fraction(1 << 70))
def test_plus_adds_number_by_number(pairs: list[tuple[Fraction, Fraction]], factor: Fraction) -> None:
    one, other = (Multiples.of(side) for side in zip(*pairs, strict=True))
    assert list(one.times(factor).plus(other).numbers) == [a * factor + b for a, b in pairs]


@given(NUMBERS)
def test_squares(numbers: list[Fraction]) -> None:
    assert list(Multiples.of(numbers).squared().numbers) == [number**2 for number in numbers]


@given(NUMBERS, NUMBER)
def test_all_are_whole_multiples_of_the_step_and_of_nothing_larger(numbers: list[Fraction], factor: Fraction) -> None:
    found = Multiples.of(numbers).times(factor)
    step = found.step
    if not any(found.numbers):
        assert step == 0
        return
    counts = found.over(step)
    assert step > 0 and math.gcd(*counts) == 1
    assert [count * step for count in counts] == list(found.numbers)


@given(st.lists(NUMBER, min_size=2, max_size=6, unique=True))
def test_the_gap_is_the_smallest_distance(numbers: list[Fraction]) -> None:
    ascending = sorted(numbers)
    least = min(b - a for a, b in itertools.pairwise(ascending))
    found = Multiples.of(ascending)
    assert found.gap == float(least)
    assert found.steps == (ascending[-1] - ascending[0]) / least
