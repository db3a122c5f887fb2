"""What is fetched once, and what is looked for nowhere (C46, C47): the circuits they make, and that these are right."""

from __future__ import annotations

import random

import pytest

import compiler
import rasp
from compiler.circuit.layer import Head
from compiler.graph.claims import claims
from compiler.pipeline import Compiled
from compiler.trust.compare import check
from compiler.trust.verify import verify_model
from rasp.value import to_python

ATTENTION = pytest.mark.parametrize("attention", ["bidirectional", "causal"])


def made(text: str, attention: str, max_length: int = 12, vocab: str = "0123456789") -> Compiled:
    header = f'#@ vocab: "{vocab}"\n#@ max_length: {max_length}\n#@ attention: {attention}\n#@ output: x\n'
    return compiler.compile(rasp.parse(header + text))


def heads(compiled: Compiled) -> list[Head]:
    return [head for layer in compiled.circuit.layers for head in layer.heads]


def assert_right(compiled: Compiled) -> None:
    assert check(compiled, samples=200, max_exhaustive=110).ok
    assert verify_model(compiled.model).ok


@ATTENTION
@pytest.mark.parametrize("steps", [(0, 1), (0, 1, 3)])
def test_c46_squares_of_one_fetched_number_are_fetched_as_one(attention: str, steps: tuple[int, ...]) -> None:
    looks = "".join(f"y{k} = aggregate(select(tokens_int, p + {k}, ==), indices, -1);\n" for k in steps)
    total = " + ".join(f"y{k}" for k in steps)
    compiled = made(f"p = aggregate(select(indices, 0, ==), tokens_int, 0);\n{looks}x = {total};", attention, 6)
    (lowered,) = [head for head in compiled.lowered.layers[0].heads if head.single]
    (kept,) = [head for head in compiled.circuit.layers[0].heads if head.single]
    assert len(lowered.channels) > len(kept.channels) == 2
    assert check(compiled, samples=200, max_exhaustive=110).ok


@ATTENTION
def test_c46_what_an_empty_row_gets_is_the_same_sum_or_is_fetched_itself(attention: str) -> None:
    text = (
        "there = select(indices, tokens_int, ==);\n"
        "one = aggregate(there, tokens_int, {0});\n"
        "other = aggregate(there, 2 * tokens_int + 1, {1});\n"
        "x = 10 * one + other;"
    )
    for defaults, channels in (((0, 1), 1), ((3, 7), 1), ((3, 0), 2)):
        compiled = made(text.format(*defaults), attention)
        assert [len(head.channels) for head in heads(compiled)] == [channels]
        assert_right(compiled)


@ATTENTION
def test_c46_the_columns_of_little_range_are_kept(attention: str) -> None:
    text = "at = indices % 17;\nlast = indicator(at == 16);\ndue = (indices + 1) % 17;\n"
    compiled = made(text + "x = at if tokens_int > 5 else (due if tokens_int > 2 else last);", attention, 40)
    widest = max(max(map(abs, column)) for column in compiled.circuit.positions.values())
    assert len(compiled.circuit.positions) == 2 and widest == 16
    assert_right(compiled)


PLACES = {
    "none is -1": "tokens_int if tokens_int <= indices else -1",
    "none is far away": "tokens_int if tokens_int <= indices else 1000",
    "none is at the end": "indices - tokens_int if tokens_int <= indices else -7",
    "clipped": "indices - tokens_int if indices - tokens_int > -1 else -1",
}


@ATTENTION
@pytest.mark.parametrize("name", PLACES)
def test_c47_a_place_or_nowhere_takes_no_square(name: str, attention: str) -> None:
    """No neuron computes the baseline, and on every input tried at every stage nothing is found where nothing is."""
    compiled = made(f"p = {PLACES[name]};\nx = aggregate(select(indices, p, ==), tokens_int, 7);", attention, 40)
    (head,) = heads(compiled)
    assert head.nearest and not head.sure
    assert sum(len(layer.neurons) for layer in compiled.circuit.layers) <= 8
    assert any(
        "or select(1000" in claim.said({}) or "or select(-" in claim.said({}) for claim in claims(compiled.graph)
    )
    assert_right(compiled)
    rng = random.Random(name)
    inputs = ["".join(rng.choices("0123456789", k=40)) for _ in range(100)]
    wanted = [[to_python(value) for value in compiled.program["x"].exact(tokens)] for tokens in inputs]
    assert compiled.model.run_batch(inputs) == wanted == compiled.fast.run_batch(inputs)


@ATTENTION
@pytest.mark.parametrize(
    "place",
    [
        "tokens_int if tokens_int <= indices else -1 - tokens_int % 2",
        "tokens_int if tokens_int <= indices + 1 else -1",
        "tokens_int / 2 if tokens_int <= indices else -1",
    ],
)
def test_c47_says_nothing_of_two_numbers_or_of_one_that_may_be_missing_elsewhere(place: str, attention: str) -> None:
    compiled = made(f"p = {place};\nx = aggregate(select(indices, p, ==), tokens_int, 7);", attention, 14)
    assert not any(head.nearest for head in heads(compiled))
    assert check(compiled, samples=200, max_exhaustive=110).ok


def test_c47_where_nowhere_is_also_a_place_it_is_found_once_it_is_there() -> None:
    compiled = made("x = aggregate(select(indices, 3 + 0 * tokens_int, ==), tokens_int, 7);", "causal", 14)
    assert check(compiled, samples=200, max_exhaustive=110).ok
