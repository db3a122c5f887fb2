"""Choices between places, and comparisons with what a place holds, against the interpreter (C38 to C40)."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

import compiler
import rasp
from compiler.graph.domain import LENGTH, Analysis, Setting
from compiler.graph.relation import disjuncts
from compiler.graph.simplify import simplify
from compiler.graph.specialise import specialise
from compiler.pipeline import Compiled
from compiler.trust.compare import check
from compiler.trust.verify import verify_model
from rasp.meaning.interpreter import evaluate
from rasp.meaning.sop import Constant, Indices, Map, Node, Select, SOp, Width
from rasp.text.source import RaspError
from tests.inputs import every
from tests.random_programs import VOCABULARY, Programs

COMPARISONS = ["<", "<=", ">", ">=", "==", "!="]
INPUTS = [list(word) for word in every("0123", 2)] + [list(word) for word in ("131", "2021", "00300", "31231")]
HALF = "h = (length - length % 2) / 2; "


def made(text: str, vocab: str = "abcd", longest: int = 24, attention: str = "bidirectional") -> Compiled:
    settings = f'#@ vocab: "{vocab}"\n#@ max_length: {longest}\n#@ attention: {attention}\n#@ output: y\n'
    return compiler.compile(rasp.parse(settings + text))


def neurons(compiled: Compiled) -> int:
    return sum(len(layer.mlp) for layer in compiled.circuit.layers)


def assert_right(compiled: Compiled) -> None:
    assert check(compiled, samples=60, max_exhaustive=340).ok
    assert verify_model(compiled.model).ok


# -------------------------------------------------------------------------------------------- C38 a place that is there


def a_place(p: Programs, depth: int) -> SOp:
    """Positions, the length and counts, added up, chosen, or taken modulo something."""
    if not depth:
        return p.pick([Indices(), Indices(), LENGTH, Constant(p.pick([0, 1, 2])), Width(p.selector(1))])
    a, b = a_place(p, depth - 1), a_place(p, p.pick([0, depth - 1]))
    condition = Map(p.pick(COMPARISONS), (a_place(p, 0), a_place(p, 0)))
    low = Map("if", (Map("<", (a, b)), a, b))
    return p.pick([Map("-", (a, b)), Map("%", (a, LENGTH)), Map("%", (a, b)), Map("if", (condition, a, b)), low])


def surely_found(causal: bool) -> Iterator[tuple[SOp, Node]]:
    """Random places of which the analysis says that they are places of the sequence."""
    setting, p = Setting(VOCABULARY, 5, causal), Programs(random.Random(7))
    for _ in range(400):
        place = a_place(p, p.pick([1, 2, 2]))
        selector = Select(p.pick([Indices(), Map("+", (Indices(), Constant(1)))]), place, "==")
        found = simplify([Width(selector)], setting)[selector]
        analysis = Analysis(setting)
        cases = disjuncts(found)  # type: ignore[arg-type]
        if analysis.linear(place) is None and any(map(analysis.surely_matches, cases)):
            yield place, selector


@pytest.mark.parametrize("causal", [False, True])
def test_c38_a_place_that_is_surely_there_is_there(causal: bool) -> None:
    met = 0
    for place, selector in surely_found(causal):
        for tokens in INPUTS:
            try:
                (found,) = evaluate([Width(selector)], tokens, causal=causal)  # type: ignore[arg-type]
            except RaspError:
                continue
            assert 0 not in found, (str(place), tokens)
        met += 1
    assert met > 30


@pytest.mark.parametrize(
    "place",
    [
        "indices + h if indices < h else indices - h",
        "(indices + h) % length",
        "indices - c if indices >= c else 0",
        "indices + c if indices + c < length else indices + c - length",
        "(indices + 3 * c) % length",
    ],
)
def test_c38_a_fetch_from_a_place_that_is_there_takes_no_squares(place: str) -> None:
    compiled = made(f'{HALF}c = count(tokens, "a"); y = aggregate(select(indices, {place}, ==), tokens);')
    heads = [head for layer in compiled.circuit.layers for head in layer.heads]
    assert any(head.sure and head.mode == "mean" for head in heads)
    assert_right(compiled)


# ---------------------------------------------------------------------------------------- C39 a choice by a comparison

CHOSEN = {
    "whole numbers of both signs": ("2 * indices - 7", "x - 9", "x", "indices"),
    "counts": ('count(tokens, "b")', "indices", 'count(tokens, "a")', "length - indices"),
    "what is compared": ("x", "indices", "x", "indices"),
    "halves": ("x / 2", "indices", "x", "h"),
    "texts": ("tokens", '"-"', "tokens", "tokens[0]"),
    "bools": ("tokens_str == 'a'".replace("'", '"'), "indices == 1", "x", "2"),
}


@pytest.mark.parametrize("comparison", COMPARISONS)
@pytest.mark.parametrize("name", CHOSEN)
def test_c39_a_choice_by_a_comparison(name: str, comparison: str) -> None:
    a, b, x, y = CHOSEN[name]
    if name == "texts" and comparison not in ("==", "!="):
        comparison = {"<": "==", "<=": "!="}.get(comparison, "==")
    compiled = made(f'{HALF}x = selector_width(select(tokens, "a", ==)); y = {a} if {x} {comparison} {y} else {b};')
    assert check(compiled, samples=80, max_exhaustive=340).ok


@pytest.mark.parametrize(
    "text",
    [
        "y = tokens == shift(tokens, 1, '');",
        "y = tokens if tokens != shift(tokens, 1, '') else '-';",
        "y = count(tokens == aggregate(select(indices, length - 1 - indices, ==), tokens), False);",
        "y = not contains(tokens == aggregate(select(indices, length - 1 - indices, ==), tokens), False);",
        "y = tokens == tokens[0];",
    ],
)
@pytest.mark.parametrize("vocab", ["abcdefghij", "abcdefghijklmnopqrstuvwxyz"])
def test_c39_equal_texts_take_a_few_neurons_whatever_the_vocabulary(text: str, vocab: str) -> None:
    compiled = made(text.replace("'", '"'), vocab)
    assert neurons(compiled) <= 6
    assert_right(compiled)


# ----------------------------------------------------------------------------------------- C40 functions of the length


@pytest.mark.parametrize(
    "text",
    [
        "length % 2",
        "(length - length % 2) / 2",
        "length % 5 == 3",
        "17 if length % 3 == 1 else -length",
        "(length - 20) ^ 2",
        '"even" if length % 2 == 0 else "odd"',
    ],
)
def test_c40_a_function_of_the_length_is_a_sum_over_places(text: str) -> None:
    compiled = made(f"y = {text};", vocab="ab", longest=40)
    assert neurons(compiled) <= 3
    inputs = ["a" * length for length in range(1, 41)]
    assert compiled.model.run_batch(inputs) == [compiled.program["y"](tokens) for tokens in inputs]
    assert verify_model(compiled.model).ok


def test_c40_half_of_long_inputs() -> None:
    place = "indices + h if indices < h else indices - h"
    compiled = made(f"{HALF}y = aggregate(select(indices, {place}, ==), tokens, 0);", longest=200)
    assert neurons(compiled) <= 4
    rng = random.Random(1)
    inputs = ["".join(rng.choices("abcd", k=length)) for length in (1, 2, 3, 99, 100, 101, 198, 199, 200)]
    assert compiled.model.run_batch(inputs) == [compiled.program["y"](tokens) for tokens in inputs]


# ------------------------------------------------------------------------------------- what is known of places and bits


@pytest.mark.parametrize("attention", ["bidirectional", "causal"])
@pytest.mark.parametrize("text", ["[5, 6, 7][m]", '"ab" * m'])
def test_the_mean_of_one_place_is_an_int_where_that_is_told(text: str, attention: str) -> None:
    program = rasp.parse(f"m = aggregate(full_s, indices); y = {text};")
    node = program.node("y")
    assert isinstance(node, SOp)
    graph = specialise({"y": node}, {}, Setting(("a",), 5, attention == "causal"))
    assert graph.run(["a"])["y"] == evaluate([node], ["a"], causal=attention == "causal")[0]


def test_a_share_so_far_has_one_domain_however_the_keys_are_written() -> None:
    every_key, so_far = (
        made(f'y = aggregate({keys}, indicator(tokens == "a"));', "ab", 32, "causal").graph
        for keys in ("full_s", "select(indices, indices, <=)")
    )
    domains = [graph.analysis.domain(graph.outputs["y"]).values for graph in (every_key, so_far)]
    assert domains[0] == domains[1]
