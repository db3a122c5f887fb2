"""Examples: what a header says of its program is held against what the program says."""

from __future__ import annotations

import pytest

import rasp
from rasp.program import shipped_programs

ONE = '#@ vocab: "abc"\n#@ max_length: 4\n#@ output: last\nlast = tokens[-1]; place = indices;'
TWO = '#@ source: "abc"\n#@ vocab: "abc."\n#@ max_source: 4\n#@ stop: "."\n'
COPY = TWO + 'next = aggregate(select(indices, indices, ==), source, ".");'


def said(text: str, **settings: object) -> tuple[int, list[str], list[str]]:
    """How many examples hold; what is said of wrong ones, and of those left out."""
    found = rasp.parse(text).replace(**settings).examples
    return found.held, [one.message for one in found.wrong], [one.message for one in found.left_out]


def test_every_example_of_the_library_holds() -> None:
    judged = {path: rasp.load(path).examples for path in sorted(shipped_programs().rglob("*.rasp"))}
    assert [path for path, found in judged.items() if found.wrong or found.left_out] == []
    assert all(found.held >= 2 for found in judged.values())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            '#@ example: "ab" -> "ab"\n' + ONE,
            'the program answers "bb", the example says "ab": they differ at position 0',
        ),
        (
            '#@ vocab: "12"\n#@ example: "12" -> [2, 2]\nx = tokens[-1];',
            'the program answers "22", the example says [2, 2]: they differ at position 0',
        ),
        (
            '#@ example: "ab" -> [1, 1]\nx = 1 / indices;',
            "the program has no answer, the example says [1, 1]: at position 0: division by zero (1 / 0)",
        ),
        (
            '#@ example: "ax" -> "xx"\n' + ONE,
            "this is no example: `x` at position 1 of its input is no token of the vocabulary",
        ),
        (
            '#@ requires: few\n#@ example: "ab" -> "bb"\nfew = indices < 1;' + ONE,
            "on this example `few` is not True everywhere, and the program requires it",
        ),
        (
            '#@ output: x, y\n#@ example: "ab" -> {"x": [0, 1], "y": [0, 1]}\nx = indices; y = x + 1;',
            "`y` answers [1, 2], the example says [0, 1]: they differ at position 0",
        ),
        ('#@ example: "a" -> {"z": [0]}\nx = indices;', "`z` is no output of the program: its outputs are x"),
        (
            '#@ example: "ab" -> "ab"\n' + COPY,
            'the program writes "ab.", the example says "ab": they differ at position 2',
        ),
        (
            '#@ example: "ab" -> "ba."\n' + COPY,
            'the program writes "ab.", the example says "ba.": they differ at position 0',
        ),
        (
            '#@ example: "ax" -> "a."\n' + COPY,
            "this is no example: `x` at position 1 of its input is no token of the source",
        ),
    ],
)
def test_a_wrong_example_says_what_came_and_where_it_stands(text: str, message: str) -> None:
    program = rasp.parse(text)
    [one] = program.warnings
    assert (one.code, one.severity, one.message) == ("example", "warning", message)
    assert one.span is not None and one.span.text.startswith('"a' if '"a' in one.span.text else '"1')
    assert not program.notes or program.two_tapes


def test_answers_are_compared_by_value_and_what_is_written_by_text() -> None:
    assert said('#@ example: "ab" -> [false, 1.0]\nx = indices;') == (1, [], [])
    assert (
        said('#@ example: "abc" -> [0.3333333333333333, 0.3333333333333333, 0.3333333333333333]\nx = 1 / length;')[0]
        == 1
    )
    digits = '#@ source: "ab"\n#@ vocab: "0123"\n#@ start: "0"\n#@ stop: "3"\n'
    assert said(digits + '#@ example: "a" -> "123"\nnext = tokens_int + 1;') == (1, [], [])


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"max_length": 2}, "its input has 3 tokens, and the longest has 2"),
        ({"vocab": "ab"}, "`c` at position 2 of its input is no token of the vocabulary"),
        ({"output": "place"}, "`output` is not that of the header"),
        ({"attention": "causal"}, "`attention` is not that of the header"),
    ],
)
def test_an_example_that_does_not_fit_replaced_settings_is_left_out(settings: dict[str, object], reason: str) -> None:
    text = '#@ example: "abc" -> "ccc"\n' + ONE
    assert said(text, **settings) == (0, [], [reason])
    assert [one.message for one in rasp.parse(text).replace(**settings).notes] == [f"1 example is left out: {reason}"]
    assert said(text, max_length=9, vocab="abcd") == said(text, output="last") == (1, [], [])


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"max_source": 2}, "its input has 3 tokens, and the longest has 2"),
        ({"max_length": 3}, "its target has 4 tokens, and the longest has 3"),
        ({"source": "ab"}, "`c` at position 2 of its input is no token of the source"),
        ({"stop": "c"}, "`stop` is not that of the header"),
        ({"source": ["a", "b", "c", 1]}, None),
    ],
)
def test_with_a_source_too(settings: dict[str, object], reason: str | None) -> None:
    text = '#@ example: "abc" -> "abc."\n' + COPY
    assert said(text, **settings) == ((0, [], [reason]) if reason else (1, [], []))


def test_an_endless_target_is_as_long_as_the_header_says() -> None:
    header = '#@ source: "ab"\n#@ vocab: "ab"\n#@ max_source: 3\n#@ example: "b" -> "bbbb"\n'
    text = header + "next = aggregate(select(indices, 0, ==), source);"
    assert said(text) == (1, [], [])
    assert said(text, max_length=9)[2] == ["no token of `stop` ends its target, and the longest target is another one"]


def test_tokens_that_became_other_values_are_other_inputs() -> None:
    text = '#@ vocab: "12"\n#@ example: "12" -> "22"\nx = tokens[-1];'
    assert said(text, vocab=[1, 2])[2] == ["its tokens are other ones than those of the header"]


def test_an_example_given_in_python_is_judged_under_what_is_given_with_it() -> None:
    text = ONE.replace("output: last", "output: place")
    assert said(text, output="last", example=[["ab", "bb"], ["ab", "ab"]])[:2] == (
        1,
        ['the program answers "bb", the example says "ab": they differ at position 0'],
    )


def test_what_takes_long_is_left_out() -> None:
    long = "a" * 9000
    assert said(f'#@ example: "{long}" -> "{long}"\nx = tokens;')[2] == ["there are too many long ones"]
