"""Which s-ops determine which among the keys of a row (C22): each rule, where it ends, and random selectors."""

from __future__ import annotations

import random

import pytest

import compiler
import rasp
from compiler.graph.claims import claims, refuted
from compiler.graph.domain import Setting
from compiler.graph.specialise import Graph, specialise
from compiler.trust.compare import check
from rasp.meaning.interpreter import evaluate_each
from rasp.meaning.sop import Aggregate, SOp
from tests.inputs import every

ORDER = "select(tokens_int, tokens_int, <) or (select(tokens_int, tokens_int, ==) and select(indices, indices, <))"

ONE_KEY = {
    "the position": "select(indices, 2, ==)",
    "a function of the position that tells all apart": "select(3 - indices, 1, ==)",
    "two functions that do so together": "select(indices % 2, 1, ==) and select((indices - indices % 2) / 2, 0, ==)",
    "linear in the position, with what is the same everywhere": "select(length - indices, 1, ==)",
    "the rank in a lexicographic order": f"select(selector_width({ORDER}), indices, ==)",
    "a linear form of it": f"select(2 * selector_width({ORDER}) + 1, indices, ==)",
    "the count of my class so far": (
        "select(tokens, tokens, ==) and "
        "select(selector_width(select(tokens, tokens, ==) and select(indices, indices, <)), 1, ==)"
    ),
    "a condition that is stated again": (
        "select(tokens_int, 1, ==) and "
        "select(selector_width(select(tokens_int, 1, ==) and select(indices, indices, <=)), 2, ==)"
    ),
    "the first, as the library says it": 'select_from_first(tokens, "1")',
    "the last, as the library says it": 'select_from_last(tokens, "1")',
    "the next of my kind": "select_next_identical(tokens)",
}
NOT_ONE_KEY = {
    "a token": "select(tokens_int, 1, ==)",
    "a function of the position that does not": "select(indices % 2, 1, ==)",
    "a rank with ties": "select(selector_width(select(tokens_int, tokens_int, <)), 0, ==)",
    "a condition that is not stated": (
        "select(selector_width(select(tokens_int, tokens_int, <) and select(tokens_int, 1, ==)), 0, ==)"
    ),
    "a class that is not asked for": (
        "select(selector_width(select(tokens, tokens, ==) and select(indices, indices, <)), 1, ==)"
    ),
    "two orders side by side": (
        "select(selector_width(select(tokens_int, tokens_int, <) and select(indices, indices, >)), 1, ==)"
    ),
    "a condition on the query": (
        "select(selector_width(select(1, tokens_int, ==) and select(indices, indices, <)), 0, ==)"
    ),
}
CAUSAL = {"the count of my class so far", "a condition that is stated again", "the first, as the library says it"}


def graph_of(selector: str, value: str = "3 * indices + tokens_int", attention: str = "bidirectional") -> Graph:
    program = rasp.parse(f"s = {selector};\nx = aggregate(s, {value}, 9);")
    setting = Setting((0, 1, 2), 4, attention == "causal")
    node = program.node("x")
    assert isinstance(node, SOp)
    return specialise({"x": node}, program.names, setting)


def assert_true(graph: Graph, inputs: list[tuple[int, ...]]) -> None:
    answers = evaluate_each(list(graph.outputs.values()), inputs, graph.setting.causal)
    answered = [
        tokens for tokens, answer in zip(inputs, answers, strict=True) if not isinstance(answer, rasp.RaspError)
    ]
    assert refuted(graph, claims(graph), answered, graph.setting.causal) is None


EVERY = list(every((0, 1, 2), 4))


def aggregated(graph: Graph) -> Aggregate:
    node = graph.outputs["x"]
    assert isinstance(node, Aggregate)
    return node


@pytest.mark.parametrize("name", ONE_KEY)
def test_one_key_is_selected(name: str) -> None:
    graph = graph_of(ONE_KEY[name])
    assert graph.analysis.selects_one(aggregated(graph))
    assert_true(graph, EVERY)


@pytest.mark.parametrize("name", NOT_ONE_KEY)
@pytest.mark.parametrize("attention", ["bidirectional", "causal"])
def test_more_than_one_may_be(name: str, attention: str) -> None:
    graph = graph_of(NOT_ONE_KEY[name], attention=attention)
    assert not graph.analysis.selects_one(aggregated(graph))
    assert_true(graph, EVERY)


@pytest.mark.parametrize("name", ONE_KEY)
def test_where_the_future_is_hidden_only_what_grows_with_every_key_counts(name: str) -> None:
    graph = graph_of(ONE_KEY[name], attention="causal")
    if "rank" in name or "linear form" in name:
        assert not graph.analysis.selects_one(aggregated(graph))
    if name in CAUSAL:
        assert graph.analysis.selects_one(aggregated(graph))
    assert_true(graph, EVERY)


@pytest.mark.parametrize(
    ("selector", "value"),
    [
        ("select(selector_width(select(tokens_int, tokens_int, >)), 0, ==)", "tokens_int"),
        ("select(selector_width(select(tokens_int, tokens_int, >)), 0, ==)", "2 * tokens_int + 1"),
        ("select(tokens, tokens, ==)", "tokens_int * tokens_int"),
        ("select(tokens, tokens, ==)", "selector_width(select(tokens, tokens, ==))"),
        ("select(tokens_int + length, 4, ==)", "tokens_int"),
    ],
)
def test_all_selected_keys_agree(selector: str, value: str) -> None:
    graph = graph_of(selector, value)
    node = aggregated(graph)
    assert graph.analysis.picks(node) and not graph.analysis.selects_one(node)
    assert set(graph.analysis.domain(node)) <= {*graph.analysis.domain(node.value), 9}
    assert_true(graph, EVERY)


NUMBERS = ["tokens_int", "indices", "length", "tokens_int * 2 + 1", "indices % 2", "(indices - indices % 2) / 2"]
PARTS = [
    "select({0}, {0}, ==)",
    "select({0}, {0}, <)",
    "select({0}, {0}, >=)",
    "select({0}, {1}, ==)",
    "select({0}, 1, ==)",
]


def random_number(rng: random.Random, depth: int) -> str:
    if depth == 0 or rng.random() < 0.3:
        return rng.choice(NUMBERS)
    one, other = (random_number(rng, depth - 1) for _ in range(2))
    made = ["{0} + {1}", "({0}) * 2", "selector_width({2})", "selector_width({2})", "aggregate({2}, {0}, 7)"]
    return rng.choice(made).format(one, other, random_selector(rng, depth - 1))


def random_selector(rng: random.Random, depth: int) -> str:
    one = rng.choice(PARTS).format(random_number(rng, depth), random_number(rng, depth))
    if rng.random() < 0.5:
        return one
    other = random_selector(rng, depth)
    return f"({one} {rng.choice(['and', 'and', 'or'])} {other})"


@pytest.mark.parametrize("attention", ["bidirectional", "causal"])
@pytest.mark.parametrize("seed", range(60))
def test_what_is_said_of_random_selectors_is_true(seed: int, attention: str) -> None:
    rng = random.Random(seed)
    inputs = [tuple(rng.choices((0, 1, 2), k=rng.randint(1, 4))) for _ in range(60)]
    for _ in range(4):
        assert_true(graph_of(random_selector(rng, 2), random_number(rng, 1), attention), inputs)


def test_a_bit_of_what_keys_agree_on_is_found_at_several() -> None:
    """A program cannot average bools, so it finds one at most; what is made of numbers on the way finds several."""
    text = 'last = tokens[-1];\nx = "1" in last;\ny = aggregate(select(tokens_int, tokens_int, ==), tokens_int) == 1;'
    program = rasp.parse(f'#@ output: ["x", "y"]\n#@ vocab: "12"\n#@ max_length: 4\n{text}')
    for optimize in ("balanced", "depth", "size"):
        compiled = compiler.compile(program, optimize=optimize)
        assert check(compiled, samples=40).ok
