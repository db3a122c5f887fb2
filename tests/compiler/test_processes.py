"""Work in several processes: the results in order, every end counted, and no process left behind."""

import math
import multiprocessing
import os

import pytest

from compiler.runtime.processes import spread
from rasp import RaspError

ITEMS = [9, 1, 4]


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
class TestBoth:
    """One process and two do the same."""

    def test_results_come_in_order(self, jobs: int) -> None:
        assert list(spread(math.isqrt, ITEMS, jobs)) == [3, 1, 2]

    def test_every_end_is_counted(self, jobs: int) -> None:
        told: list[tuple[int, int]] = []
        list(spread(math.isqrt, ITEMS, jobs, lambda done, total: told.append((done, total))))
        assert told == [(1, 3), (2, 3), (3, 3)]

    def test_an_exception_comes_through(self, jobs: int) -> None:
        results = spread(math.isqrt, [4, -1, 9], jobs)
        assert next(results) == 2
        with pytest.raises(ValueError, match="nonnegative"):
            next(results)
        assert multiprocessing.active_children() == []

    def test_stopping_early_leaves_no_process(self, jobs: int) -> None:
        results = spread(math.isqrt, ITEMS, jobs)
        next(results)
        results.close()  # type: ignore[attr-defined]
        assert multiprocessing.active_children() == []


@pytest.mark.slow
def test_a_process_that_dies_is_reported() -> None:
    with pytest.raises(RaspError, match="a process that was at work has ended"):
        list(spread(os._exit, [3, 3], jobs=2))
    assert multiprocessing.active_children() == []
