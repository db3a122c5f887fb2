"""Weights are finite, have the shapes of their config, and are what the circuit says."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

import compiler
import rasp
from compiler.circuit.circuit import Output
from compiler.circuit.compress import compress
from compiler.circuit.decoding import logits
from compiler.circuit.emit import Weights, emit
from compiler.lowering import Policy, lower
from compiler.model import Config
from compiler.numbers.direction import ONE, Direction, Form
from compiler.numbers.precision import FLOAT32
from compiler.pipeline import Compiled
from rasp.text.source import RaspError

SOURCES = {
    "tokens": "o = tokens;",
    "place": "o = indices * 2;",
    "constant": "o = 1 + 0 * indices;",
    "reverse": "o = aggregate(select(indices, length - 1 - indices, ==), tokens);",
    "histogram": "o = selector_width(select(tokens, tokens, ==));",
    "parity": "o = selector_width(select(tokens, tokens, ==)) % 2;",
}


def made(name: str, **settings: object) -> Compiled:
    return compiler.compile(rasp.parse(SOURCES[name]), vocab="abc", max_length=6, **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", SOURCES)
def test_shapes_are_those_of_the_config(name: str) -> None:
    weights = made(name).weights
    config = Config.from_json(weights.config)
    assert {key: tensor.shape for key, tensor in weights.tensors.items()} == config.shapes()


@pytest.mark.parametrize("name", SOURCES)
def test_labels_name_every_column_head_and_neuron(name: str) -> None:
    weights = made(name).weights
    columns, layers = weights.labels["columns"], weights.labels["layers"]
    assert len(columns) == len(set(columns)) == weights.config["d_model"]
    for shape, layer in zip(weights.config["layers"], layers, strict=True):
        assert len(layer["heads"]) == shape["n_heads"]
        assert len(layer["neurons"]) == shape["d_mlp"]
        assert all(part["name"] and part["does"] for part in layer["heads"] + layer["neurons"])


def test_a_weight_too_large_for_the_precision_does_not_verify() -> None:
    weights = made("reverse").weights
    weights.verify()
    too_large = weights.tensors | {"unembed.W_U": weights.tensors["unembed.W_U"] * 1e39}
    with pytest.raises(ValueError, match=r"unembed\.W_U"):
        Weights(weights.config, too_large, weights.labels).verify()


def test_positions_are_left_out_where_no_one_looks_at_them() -> None:
    assert "embed.W_pos" not in made("histogram").weights.tensors
    assert made("tokens").weights.config["layers"] == []


def test_emission_is_repeatable() -> None:
    circuit = made("parity").circuit
    first, second = emit(circuit), emit(circuit)
    assert first.config == second.config and first.labels == second.labels
    assert all(np.array_equal(first.tensors[key], second.tensors[key]) for key in first.tensors)


@pytest.mark.parametrize(
    "numbers",
    [range(50), range(-30, 31), [0, 1], [5], [Fraction(1, 7), Fraction(1, 3), Fraction(2, 5)], [0, 1_000], [-3, 900]],
    ids=str,
)
def test_the_best_logit_is_the_nearest_value_by_at_least_32_nats(numbers: list[Fraction]) -> None:
    x = Direction("x")
    values = tuple((Fraction(number), (Fraction(number),)) for number in numbers)
    of = logits(Output("o", (Form.of(x),), values), FLOAT32.logit_gap)
    for wanted, (number,) in values:
        found = [factor * number + constant for factor, constant in zip(of[x].numbers, of[ONE].numbers, strict=True)]
        best = values[found.index(max(found))][0]
        assert best == wanted
        assert all(max(found) - other >= FLOAT32.logit_gap for other in found if other != max(found))


@pytest.mark.parametrize("name", SOURCES)
def test_the_text_shows_every_tensor_and_its_size(name: str) -> None:
    weights = made(name).weights
    text = str(weights)
    assert all(key in text for key in weights.tensors)
    assert f"{sum(tensor.size for tensor in weights.tensors.values())} parameters" in text


KINDS = [
    ("o = indices / 2;", [0, {"float": "1/2"}, 1]),
    ("o = indices == 1;", [False, True]),
    ("o = aggregate(select(indices, indices, ==), indices == 1);", [0, 1]),
    ("o = 1.0 if indices == 0 else 1;", [1]),
    ("o = 1.0 if indices == 0 else (True if indices == 1 else 0);", [0, 1]),
    ("o = 0.5 if indices == 0 else (True if indices == 1 else 2.0);", [{"float": "1/2"}, 1, 2]),
]


@pytest.mark.parametrize(("text", "values"), KINDS)
@pytest.mark.parametrize("ranked", [False, True], ids=["by value", "by rank"])
def test_a_config_holds_each_value_once_in_the_kind_that_the_program_prints(
    text: str, values: list[object], ranked: bool
) -> None:
    graph = compiler.compile(rasp.parse(text), vocab="abc", max_length=3).graph
    [output] = emit(compress(lower(graph, policy=Policy(ranked=ranked)))).config["outputs"]
    assert list(map(repr, output["values"])) == list(map(repr, values))


def test_what_cannot_be_optimised_for_is_refused() -> None:
    with pytest.raises(RaspError, match="nothing can be optimised for 'speed'") as refused:
        made("histogram", optimize="speed")
    assert refused.value.diagnostics[0].hint == "choose one of depth, balanced, size"
