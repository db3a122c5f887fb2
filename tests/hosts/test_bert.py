"""bert: programs of the library in a stock BertForTokenClassification, in a process without this project."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tests.hosts.conftest import exported, opened, require_right
from tests.hosts.fresh import compiled
from tests.places import ALL_PROGRAMS, PROGRAMS

EVERY = 9
"""Every so manieth program of the library."""
REFUSED = {"numbers/remainder_by_7", "numbers/sum_of_squares", "numbers/variance"}
"""Rows of padding may hold numbers that are too large, or logits are too close for the host, which says so."""
SLOW = {"paper/rover", "languages/turing_machine_step"}
LIBRARY = [path.relative_to(PROGRAMS).with_suffix("").as_posix() for path in ALL_PROGRAMS]
CHOSEN = ["histogram", "sort", "reverse", *[name for name in sorted(LIBRARY)[::EVERY] if name not in SLOW | REFUSED]]


@pytest.mark.slow
def test_programs_of_the_library_give_the_interpreters_answers(tmp_path: Path) -> None:
    made = exported([compiled(name) for name in dict.fromkeys(CHOSEN)], "bert", tmp_path)
    made = [dataclasses.replace(one, prompts=[one.text(q.ids) for q in one.asked[-3:]]) for one in made]
    for one, found in zip(made, opened("classifier", "token-classification", made, tmp_path), strict=True):
        assert found.kind == "BertForTokenClassification"
        require_right(one, found)
        assert found.piped == found.answers[-3:]
