"""The page about the machines is what they write."""

import pytest

from benchmarks import machines
from tests.places import ROOT


@pytest.mark.slow
def test_the_page_is_what_the_machines_write() -> None:
    again = "`python -m benchmarks.machines --write docs/machines.md` makes the page anew"
    assert (ROOT / "docs" / "machines.md").read_text(encoding="utf-8") == machines.made(), again
