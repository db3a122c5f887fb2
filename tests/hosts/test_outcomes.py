"""Every program with a source in every host that takes one: what comes out is what the page of the hosts says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hosts.outcomes import HOSTS, NAMES, TRIED, YES, documented, outcomes_of, table


def test_the_page_has_a_line_for_each_program_and_a_column_for_each_host() -> None:
    assert {host: [*found] for host, found in documented().items()} == dict.fromkeys(TRIED, NAMES)


def test_reasons_stand_below_the_table_once() -> None:
    reasons = {"sort": "too coarse", "copy": "too coarse", "unique": YES}
    text = table({TRIED[0]: dict.fromkeys(NAMES, YES) | reasons})
    assert "| copy | no (1) |" in text and "| sort | no (1) |" in text and "| unique | yes |" in text
    assert text.endswith("\n\n1. too coarse")


@pytest.mark.slow
@pytest.mark.nightly
@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("name", NAMES)
def test_a_host_writes_what_a_program_decodes_or_refuses_it(name: str, host: str, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    pytest.importorskip("onnxruntime")
    found = outcomes_of([name], host, tmp_path)[name]
    assert not found.startswith("differs"), found
    assert host not in TRIED or (found == YES) == documented()[host][name], found
