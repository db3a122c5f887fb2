"""One sum of counts, all but me, defaults chosen away, orders asked at the keys (C34 to C37): models, and ends."""

from __future__ import annotations

from functools import cache

import pytest

import compiler
import rasp
from compiler.graph.specialise import specialise
from compiler.pipeline import Compiled
from compiler.trust.compare import check
from compiler.trust.verify import verify_model
from rasp.meaning.sop import Aggregate, SOp, Total, Width

HEADER = "#@ vocab: {}\n#@ max_length: {}\n#@ output: y\nup = select(indices, indices, <=);\n"
DIGITS = '"0123456789"'
OPENED = 'selector_width(up and select(tokens, "1", ==))'
CLOSED = 'selector_width(up and select(tokens, "2", ==))'

PAIRS = {
    "a difference": (f"y = {OPENED} - {CLOSED};", 'y = aggregate(up, {"1": 1, "2": -1}[tokens]) * (indices + 1);'),
    "multiples": (
        f"y = 1 + 3 * {CLOSED} - 2 * {OPENED};",
        'y = 1 + aggregate(up, {"1": -2, "2": 3}[tokens]) * (indices + 1);',
    ),
    "a comparison": (f"y = {OPENED} > {CLOSED};", 'y = aggregate(up, {"1": 1, "2": -1}[tokens]) > 0;'),
    "the rest": (
        'y = count(tokens, "1") < length - count(tokens, "1");',
        'y = average(indicator(tokens == "1")) < 1 / 2;',
    ),
    "all but me": (
        "y = selector_width(select(tokens, tokens, ==) and select(indices, indices, !=));",
        "y = selector_width(select(tokens, tokens, ==)) - 1;",
    ),
    "found elsewhere": (
        "y = has_focus(select(tokens, tokens, ==) and select(indices, indices, !=));",
        "y = selector_width(select(tokens, tokens, ==)) > 1;",
    ),
    "a sum of others": (
        "s = select(indices, indices, !=); y = aggregate(s, tokens_int) * selector_width(s);",
        "y = aggregate(full_s, tokens_int) * length - tokens_int;",
    ),
    "a default of no letter": (
        'y = indices > 0 and tokens == shift(tokens, 1, "");',
        'y = tokens == shift(tokens, 1, "");',
    ),
    "another default": (
        "y = indices > 0 and tokens_int > shift(tokens_int, 1, 0);",
        "y = tokens_int > shift(tokens_int, 1, 9);",
    ),
    "the same": (
        'y = indices == 0 or shift(tokens, 1, "1") == "1";',
        'y = shift(tokens, 1, "1") == "1";',
    ),
    "my own": (
        "y = 0 if indices == 0 else tokens_int - shift(tokens_int, 1, 0);",
        "y = tokens_int - aggregate(select(indices, max(indices - 1, 0), ==), tokens_int);",
    ),
}
"""What one writes, and what takes little."""


def program(text: str, longest: int, vocab: str) -> rasp.Program:
    return rasp.parse(HEADER.format(vocab, longest) + text)


@cache
def made(text: str, longest: int = 16, vocab: str = '"12"') -> Compiled:
    return compiler.compile(program(text, longest, vocab))


def graph(text: str, vocab: str = DIGITS) -> list[object]:
    """What attention returns in the graph of a program, 16 tokens long."""
    parsed = program(text, 16, vocab)
    sop = parsed.node("y")
    assert isinstance(sop, SOp)
    found = specialise({"y": sop}, {}, Compiled(parsed).setting)
    return [node for node in found.nodes if isinstance(node, Width | Total | Aggregate)]


@pytest.mark.parametrize("name", PAIRS)
def test_c34_to_c36_what_one_writes_takes_as_little_as_what_takes_little(name: str) -> None:
    vocab = '"12"' if "tokens]" in PAIRS[name][1] else DIGITS
    plain, small = (made(text, vocab=vocab) for text in PAIRS[name])
    assert plain.certificate.ok
    assert plain.circuit.parameters() <= small.circuit.parameters()
    assert len(plain.circuit.layers) <= len(small.circuit.layers)


@pytest.mark.parametrize("name", PAIRS)
def test_c34_to_c36_models_answer_as_the_program_does(name: str) -> None:
    found = made(PAIRS[name][0], 5, '"120"')
    assert check(found, samples=0, max_exhaustive=400).ok
    assert verify_model(found.model).ok


def test_c34_counts_that_are_read_otherwise_stay() -> None:
    widths = graph(f"a = {OPENED}; b = {CLOSED}; y = a - b + 100 * (a % 2) + 1000 * (b % 3);")
    assert [type(node) for node in widths] == [Width, Width]


def test_c34_two_differences_of_three_counts_are_two_sums() -> None:
    counts = [f'count(tokens, "{letter}")' for letter in "123"]
    found = graph("y = {0} == {1} and {1} == {2};".format(*counts))
    assert [type(node) for node in found] == [Total, Total]


def test_c34_counts_over_other_keys_are_not_added_up() -> None:
    found = graph('y = selector_width(up and select(tokens, "1", ==)) - count(tokens, "2");')
    assert [type(node) for node in found] == [Width, Width]


@pytest.mark.parametrize(
    "text",
    [
        "x = tokens_float; y = x - x + {} - {};",
        "x = 1 / 2; y = {} - {} + x;",
        "y = ({} - {}) / 1;",
        "x = tokens == tokens; y = {} + x - {};",
    ],
)
def test_c34_what_is_a_float_stays_one(text: str) -> None:
    """Kinds show in what a text is repeated by, and in what prints."""
    found = program(text.format(OPENED, CLOSED), 5, '"12"')
    compiled = compiler.compile(found)
    for tokens in ("1", "12", "221"):
        assert str(compiled.model.run(list(tokens))) == str(found["y"](list(tokens)))


@pytest.mark.parametrize("order", ["<", "<="])
def test_c35_an_order_leaves_my_own_key_out_or_in(order: str) -> None:
    (found,) = graph(f"y = selector_width(select(tokens_int, tokens_int, {order}) and select(indices, indices, !=));")
    assert str(found) == f"selector_width(select(tokens_int, tokens_int, {order}))"


def test_c36_a_default_that_is_read_stays() -> None:
    text = "b = shift(tokens_int, 1, 3); y = (indices > 0 and tokens_int > b) or b == 5;"
    (found,) = graph(text)
    assert isinstance(found, Aggregate) and found.default == 3
    assert check(made(text, 4, DIGITS), samples=200).ok


def test_c36_a_condition_of_other_places_stays() -> None:
    text = "y = indices > 1 and tokens_int > shift(tokens_int, 1, 0);"
    assert check(made(text, 4, DIGITS), samples=200).ok
    assert made(text, 4, DIGITS).program["y"]([1, 2, 3]) == [False, False, True]


ENDS = {
    "a count at the end": 'y = selector_width(select(indices, length - 3, >=) and select(tokens, "1", ==));',
    "a mean of the first half": "y = aggregate(select(indices, length / 2, <), tokens_int) > 4;",
    "a mean of the last": "y = aggregate(select(indices, length - 3, >=), tokens_int);",
    "a count above a count": 'y = selector_width(select(tokens_int, count(tokens, "1"), >));',
}


@pytest.mark.parametrize("name", ENDS)
def test_c37_an_order_with_what_is_the_same_everywhere_takes_a_column(name: str) -> None:
    found = made(ENDS[name], 32, DIGITS)
    unembedding = found.weights.tensors["unembed.W_U"].size
    assert found.circuit.parameters() - unembedding < 1_500
    assert check(found, samples=200).ok
    assert verify_model(found.model).ok


def test_c37_where_the_future_is_hidden_each_query_has_its_own_length() -> None:
    text = ENDS["a count at the end"]
    parsed = rasp.parse("#@ attention: causal\n" + HEADER.format(DIGITS, 6) + text)
    found = compiler.compile(parsed)
    assert check(found, samples=300).ok


def test_c16_of_two_orders_the_longer_one_takes_a_single_column() -> None:
    orders = ["select(tokens_int, tokens_int, >=)", "select(indices, indices, <)"]
    one, other = (made(f"y = has_focus({a} and {b});", 32, DIGITS) for a, b in (orders, orders[::-1]))
    assert one.circuit.parameters() == other.circuit.parameters() < 1_200
