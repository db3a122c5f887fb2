"""The glossary's words are those of the code: each stands in the files that it points to."""

import re
from typing import NamedTuple

import pytest

from tests.places import ROOT

PAGE = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")


class Entry(NamedTuple):
    """A row of the table."""

    word: str
    field: str
    what: str
    files: tuple[str, ...]


def entry(row: str) -> Entry:
    word, field, what, where = row.strip("| ").split(" | ")
    return Entry(word, field, what, tuple(re.findall(r"\]\(\.\./(.*?)\)", where)))


def entries() -> list[Entry]:
    return [entry(line) for line in PAGE.splitlines() if line.startswith("| ")][2:]


@pytest.mark.parametrize("listed", entries(), ids=lambda listed: listed.word)
def test_a_word_stands_in_the_files_that_it_points_to(listed: Entry) -> None:
    assert listed.files
    for name in listed.files:
        assert (ROOT / name).is_file(), f"there is no {name}"
        text = (ROOT / name).read_text(encoding="utf-8")
        assert re.search(rf"\b{re.escape(listed.word)}", text, re.IGNORECASE), f"{name} does not say {listed.word}"


def test_words_are_in_alphabetical_order_and_there_once() -> None:
    words = [listed.word.casefold() for listed in entries()]
    assert words == sorted(set(words))


def test_a_word_for_several_things_has_a_file_for_each() -> None:
    several = {"Two things.": 2, "Three things.": 3}
    found = [(one, count) for one in entries() for start, count in several.items() if one.what.startswith(start)]
    assert found
    assert not [one.word for one, count in found if len(one.files) != count]


def test_an_entry_is_a_line_that_is_read_once() -> None:
    assert not [one.word for one in entries() if len(one.what) > 240]
