"""Staircases go through their points exactly, from either side, and plateaus swallow small errors."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from compiler.lowering.mlp import staircase

Points = Sequence[tuple[Fraction, Fraction]]
numbers = st.fractions(min_value=-20, max_value=20, max_denominator=6)
points = st.dictionaries(numbers, numbers, min_size=1, max_size=9).map(lambda table: sorted(table.items()))
bits = st.dictionaries(numbers, st.sampled_from([Fraction(0), Fraction(1)]), min_size=1, max_size=9).map(
    lambda table: sorted(table.items())
)


def ints(*pairs: tuple[int, int]) -> Points:
    return [(Fraction(x), Fraction(y)) for x, y in pairs]


@given(points)
def test_a_staircase_goes_through_its_points(given_points: Points) -> None:
    stairs = staircase(given_points, flat=False)
    assert all(stairs(x) == y for x, y in given_points)


@given(points)
def test_a_flat_staircase_goes_through_its_points(given_points: Points) -> None:
    stairs = staircase(given_points, flat=True)
    assert all(stairs(x) == y for x, y in given_points)


@given(points, st.fractions(min_value=0, max_value=1))
def test_between_two_points_a_staircase_is_straight_or_level_first(given_points: Points, part: Fraction) -> None:
    stairs = staircase(given_points, flat=False)
    for (x0, y0), (x1, y1) in itertools.pairwise(given_points):
        found = stairs(x0 + part * (x1 - x0))
        assert (
            found == y0 + part * (y1 - y0)
            or (y0 <= found <= y0 + part * (y1 - y0))
            or (y0 + part * (y1 - y0) <= found <= y0)
        )


@given(
    st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=2, max_size=12, unique_by=lambda p: p[0])
)
def test_whole_points_have_knots_that_are_binary_fractions(pairs: list[tuple[int, int]]) -> None:
    for flat in (False, True):
        for knot in staircase(ints(*sorted(pairs)), flat=flat).knots:
            assert all(x.denominator & (x.denominator - 1) == 0 for x in (knot.at, knot.weight))


@given(bits, st.fractions(min_value=0, max_value=1))
def test_a_plateau_keeps_its_value_up_to_a_quarter_of_the_way(given_points: Points, part: Fraction) -> None:
    stairs = staircase(given_points, flat=True)
    for (x0, y0), (x1, y1) in itertools.pairwise(given_points):
        quarter = part * (x1 - x0) / 4
        assert stairs(x0 + quarter) == y0
        assert stairs(x1 - quarter) == y1


@given(points)
def test_all_knots_of_a_staircase_look_to_one_side(given_points: Points) -> None:
    stairs = staircase(given_points, flat=False)
    assert len({knot.side for knot in stairs.knots}) <= 1
    assert len(stairs.knots) <= max(2 * len(given_points) - 3, 0)


def test_knots_look_to_the_side_on_which_they_add_up_to_less() -> None:
    """A knot far from the end at which it is inactive costs its whole height in rounding."""
    early = ints((0, 0), (1, 1), (2, 2), (3, 2), (100, 2))
    late = ints(*((x, 2 - y) for x, y in early), (0, 0))[:5]
    mirrored = [(Fraction(-x), y) for x, y in reversed(early)]
    assert [knot.side for knot in staircase(early, flat=False).knots] == [-1]
    assert [knot.side for knot in staircase(mirrored, flat=False).knots] == [1]
    assert [knot.side for knot in staircase(late, flat=False).knots] == [-1]


def test_a_line_has_no_knot_and_a_threshold_two() -> None:
    assert staircase([(Fraction(x), Fraction(3 * x - 1)) for x in range(50)], flat=False).knots == ()
    assert staircase(ints((7, 4)), flat=True)(Fraction(1_000)) == 4
    threshold = [(Fraction(x), Fraction(x > 5)) for x in range(50)]
    assert len(staircase(threshold, flat=False).knots) == 2
    assert len(staircase(threshold, flat=True).knots) == 2


def test_a_flat_staircase_is_level_beyond_its_ends() -> None:
    stairs = staircase([(Fraction(x), Fraction(x > 1)) for x in range(4)], flat=True)
    assert [stairs(x + Fraction(1, 5)) for x in range(4)] == [0, 0, 1, 1]
    assert stairs(Fraction(-1, 5)) == 0
    assert stairs(Fraction(16, 5)) == 1
