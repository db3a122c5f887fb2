"""`latest` and `rightmost` of the library, against loops over positions that know nothing of running numbers."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import pytest

import rasp
from rasp.value import Value
from tests.inputs import every

ATTENTION = ("bidirectional", "causal")
INPUTS = [*every("abc", 3), "aabab", "abcabcabcacb", "ccccccab", "abbbbbbbbbbbbbbbba"]


def last_of(length: int, causal: bool, holds: Callable[[int, int], bool]) -> list[int | None]:
    """For each query the last key that holds, if there is one."""
    found: list[int | None] = []
    for query in range(length):
        seen = range(query + 1 if causal else length)
        found.append(next((key for key in reversed(seen) if holds(key, query)), None))
    return found


def latest(
    keys: Sequence[Value], queries: Sequence[Value], values: Sequence[Value], default: Value, causal: bool
) -> list[Value]:
    """The value at the last equal key."""
    places = last_of(len(keys), causal, lambda key, query: keys[key] == queries[query])
    return [default if place is None else values[place] for place in places]


def answers(text: str, tokens: str, attention: str) -> list[Value]:
    answer = rasp.parse(f"y = {text};").replace(output="y", attention=attention)["y"](tokens)
    assert isinstance(answer, list)
    return answer


@pytest.mark.parametrize("attention", ATTENTION)
@pytest.mark.parametrize("tokens", INPUTS)
def test_latest_is_the_value_at_the_last_equal_key(tokens: str, attention: str) -> None:
    causal = attention == "causal"
    places = list(range(len(tokens)))
    before = ["", *tokens[:-1]]
    thirds = [place % 3 for place in places]
    for text, keys, queries, values, default in (
        ('latest(tokens, "b", indices, -1)', tokens, ["b"] * len(tokens), places, -1),
        ("latest(tokens, tokens, indices, -1)", tokens, tokens, places, -1),
        ('latest(tokens, shift(tokens, 1, ""), tokens, "-")', tokens, before, tokens, "-"),
        ('latest(shift(tokens, 1, ""), tokens, tokens, "-")', before, tokens, tokens, "-"),
        ('latest(indices % 3, 2, tokens, "-")', thirds, [2] * len(tokens), tokens, "-"),
    ):
        assert answers(text, tokens, attention) == latest(keys, queries, values, default, causal), text


@pytest.mark.parametrize("attention", ATTENTION)
@pytest.mark.parametrize("tokens", INPUTS)
def test_rightmost_is_the_last_selected_position(tokens: str, attention: str) -> None:
    for text, holds in (
        ("select(tokens, tokens, ==)", lambda key, query: tokens[key] == tokens[query]),
        ("select(indices, indices, <)", lambda key, query: key < query),
        ("select(tokens, tokens, <) or select(indices, 1, ==)", lambda k, q: tokens[k] < tokens[q] or k == 1),
        ("not select(tokens, tokens, ==)", lambda key, query: tokens[key] != tokens[query]),
        ("select(tokens, tokens, >) and select(indices, indices, !=)", lambda key, query: tokens[key] > tokens[query]),
    ):
        wanted = last_of(len(tokens), attention == "causal", holds)
        found = answers(f"aggregate(rightmost({text}), indices, -1)", tokens, attention)
        assert found == [-1 if place is None else place for place in wanted], text
        width = answers(f"selector_width(rightmost({text}))", tokens, attention)
        assert width == [int(place is not None) for place in wanted]


def test_rightmost_finds_any_of_many_positions() -> None:
    rng = random.Random(3)
    tokens = "".join(rng.choices("ab", [99, 1], k=1500))
    found = answers('aggregate(rightmost(select(tokens, "b", ==)), indices, -1)', tokens, "bidirectional")
    assert found == [tokens.rfind("b")] * len(tokens)


def test_a_program_may_bind_their_names() -> None:
    program = rasp.parse("def latest(a) { return a + 1; } rightmost = latest(indices); y = rightmost * 2;")
    assert program["y"]("abc") == [2, 4, 6]
