"""Decodes: a search finds targets without an end, answers that are no token, and outputs that are the same for all."""

from __future__ import annotations

import pytest

import rasp
from rasp.ask.decodes import SHORT, Searched, search
from rasp.text.source import RaspError
from tests.places import SEQ2SEQ

HEADER = '#@ source: "abc"\n#@ vocab: "abc."\n#@ stop: "."\n#@ max_source: 5\n'
FETCH = "aggregate(select(indices, indices, ==), source, "


def warned(text: str, header: str = HEADER) -> list[tuple[str, str]]:
    return [(one.code, one.message) for one in rasp.parse(header + text).warnings]


def test_the_library_ends() -> None:
    for path in SEQ2SEQ:
        found = search(rasp.load(path).decoding, short=30, rand=10)
        assert (found.endless, found.no_token, found.same, found.endless_message) == (None, None, False, "")
        assert found.tried > 1


def test_a_target_without_an_end_is_found_with_its_source() -> None:
    [(code, message)] = warned(f'next = {FETCH}"a");')
    assert (code, message) == ("endless", 'on the source "a" the target has no token of `stop` in 6 tokens: "aaaaaa"')
    rare = f'next = "b" if has_focus(select(source, "c", ==)) and source_length > 4 else {FETCH}".");'
    [(_, message)] = warned(rare)  # only a random source is so long
    assert "no token of `stop` in 6 tokens" in message


def test_a_target_that_may_be_as_long_as_it_is_has_no_warning() -> None:
    header = '#@ source: "ab"\n#@ vocab: "ab"\n#@ max_source: 3\n'
    text = "next = aggregate(select(indices, 0, ==), source);"
    assert warned(text, header) == []
    assert search(rasp.parse(header + text).decoding).endless == ("a",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f'next = {FETCH}"?");', '"?" at position 2, is not in the vocabulary'),
        ("next = sort(source, source);", "strings and numbers in one sequence"),
        (
            "next = aggregate(select(indices, indices, ==), source_length);",
            '"1" at position 1, is not in the vocabulary',
        ),
    ],
)
def test_an_answer_that_is_no_token_is_found(text: str, message: str) -> None:
    found = dict(warned(text))
    assert message in found["no-token"] and found["no-token"].startswith('on the source "a": ')


def test_the_s_op_that_writes_is_the_one_that_is_searched() -> None:
    text = f'fine = {FETCH}"."); bad = {FETCH}"?");'
    assert [code for code, _ in warned("#@ output: fine, bad\n#@ generate: bad\n" + text)] == ["no-token"]
    assert warned("#@ output: fine, bad\n" + text) == []


def test_what_is_the_same_for_every_source_is_found() -> None:
    assert warned('next = "." if indices > 0 else "a";') == [
        ("constant-output", "`next` depends on no token: it writes the same for every source")
    ]
    [(code, message)] = warned('next = "." if indices > 0 or source_length > 9 else "a";')
    assert code == "constant-output" and message.startswith("`next` writes the same for all of ")
    assert warned('next = "." if indices > 0 or source_length > 1 else "a";') == []


def test_a_source_that_is_not_meant_is_not_decoded() -> None:
    text = f'#@ requires: begun\nbegun = source[0] == "c"; next = {FETCH}".") if source[0] == "c" else "a";'
    assert warned(text) == []
    assert dict(warned(text.partition("\n")[2])).keys() == {"endless"}


def test_the_search_is_bounded_and_repeats_itself() -> None:
    long = rasp.parse(HEADER.replace("5", "900") + f'next = {FETCH}".");')
    assert search(long.decoding).tried > 100 and long.warnings == []
    endless = rasp.parse(HEADER.replace("5", "900") + f'next = {FETCH}"a");')
    assert search(endless.decoding) == Searched(work=search(endless.decoding).work)  # nobody waits for 901 tokens
    assert dict(warned(f'next = {FETCH}"?");', HEADER.replace("5", "900"))).keys() == {"no-token"}
    found = rasp.parse(HEADER + f'next = {FETCH}".");').decoding
    assert search(found, work=None) == search(found, work=None)
    assert search(found, 5, 0).tried == 5 and search(found).tried > SHORT


def test_without_a_source_nothing_decodes() -> None:
    with pytest.raises(RaspError, match="no source to decode from"):
        rasp.parse("x = indices;").decoding  # noqa: B018
