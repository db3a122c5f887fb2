"""Columns change hands when a value dies (C15): what is read stays what it was, to the bit, and models are smaller."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from fractions import Fraction

import pytest
import torch

import compiler
import rasp
from compiler.circuit.certify import certify
from compiler.circuit.circuit import Circuit, Output
from compiler.circuit.layer import Channel, Head, Layer, Neuron
from compiler.circuit.reuse import reuse
from compiler.numbers.direction import Direction, Form
from compiler.observe.provenance import provenance
from compiler.pipeline import Compiled
from rasp.meaning.sop import Constant
from tests.places import PROGRAMS

REUSING = ["languages/nested_brackets_3_deep", "languages/prefix_formula", "neighbours/oscillates", "decoders/reverse"]

SENTENCE = "a<A,x<A:x<B,a<B?"

LETTER, FIRST, SECOND, THIRD = map(Direction, ["letter", "first", "second", "third"])


def bend(read: Form, write: Direction, factor: int = 1) -> Neuron:
    return Neuron((f"writes {write}",), read, ((write, Fraction(factor)),))


def chain(*, factor: int = 1, ballast: int = 40) -> Circuit:
    """letter -> first -> second -> third, each read by the next layer alone; columns dear, neurons cheap."""
    reads = [Form.of(LETTER), Form.of(FIRST) * factor, Form.of(SECOND)]
    layers = tuple(
        Layer([], [bend(read, write, factor if write == FIRST else 1)])
        for read, write in zip(reads, (FIRST, SECOND, THIRD), strict=True)
    )
    return Circuit(
        tuple(str(number) for number in range(ballast)),
        4,
        False,
        {LETTER: tuple(Fraction(number) for number in range(ballast))},
        {},
        layers,
        (Output("o", (Form.of(THIRD),), tuple((number, (Fraction(number),)) for number in range(ballast))),),
        variables=(),
        ranges={
            direction: tuple(sorted((Fraction(0), Fraction(sign * (ballast - 1)))))  # type: ignore[misc]
            for direction, sign in ((FIRST, factor), (SECOND, 1), (THIRD, 1))
        },
        stairs={},
    )


def compiled(name: str, optimize: str = "size") -> Compiled:
    return compiler.compile(rasp.load(PROGRAMS / f"{name}.rasp"), optimize=optimize)


@pytest.mark.parametrize("factor", [1, -1])
def test_a_value_that_is_read_no_more_makes_room(factor: int) -> None:
    plain = chain(factor=factor)
    made = reuse(plain, "size")
    made.verify()
    assert made.homes == {SECOND: LETTER, THIRD: FIRST}
    assert max(made.columns().values()) + 1 == len(plain.directions()) - 2
    assert len(made.layers) == len(plain.layers)
    for tokens in ([0], [3, 7, 39], [1, 0]):
        assert made.run(tokens) == plain.run(tokens) == {"o": tokens}
        before, after = (stage[-1] for stage in itertools.islice(made.stages(tokens), 1, 5, 3))
        assert before[LETTER] == tokens[-1] and after[LETTER] == 0
    assert certify(made).ok


def test_nothing_is_reused_where_it_does_not_pay() -> None:
    made = chain(ballast=2)
    assert reuse(made, "size") == made


def test_a_share_of_the_parameters_must_be_saved_unless_size_is_all() -> None:
    sort = compiled("sort", "balanced")
    assert not sort.circuit.homes
    assert compiled("sort").circuit.homes
    assert reuse(sort.circuit, "depth") == sort.circuit


def test_a_circuit_in_which_two_live_in_one_column_is_refused() -> None:
    made = reuse(chain(), "size")
    kept = tuple(replace(layer, erasers=[]) for layer in made.layers)
    with pytest.raises(ValueError, match="two directions live in one column"):
        replace(made, layers=kept).verify()


def test_what_a_inexact_value_may_leave_behind_is_an_error_of_the_next() -> None:
    """A mean that should be 0 can be a little less, and a neuron for positive numbers does not see that."""
    made = chain()
    third = Head(
        name="mean",
        node=Constant(0),
        selects="all positions",
        mode="mean",
        parts=(),
        sure=True,
        selected=Fraction(0),
        score_gap=Fraction(1),
        least_selected=Fraction(0),
        exact=True,
        single=False,
        channels=(Channel(Form.of(LETTER) * Fraction(1, 3), Fraction(0), FIRST),),
    )
    last = Layer([], [bend(Form.of(SECOND), THIRD)])
    layers = (Layer([third], []), Layer([], [bend(Form.of(FIRST), SECOND)]), last)
    inexact = reuse(replace(made, layers=layers), "size")
    assert inexact.homes[THIRD] == FIRST
    alone = certify(replace(inexact, layers=layers, homes={}))
    assert certify(inexact).decisions[-1].error > alone.decisions[-1].error + 1e-5


@pytest.mark.parametrize("name", REUSING)
def test_a_program_with_reused_columns_answers_as_before(name: str) -> None:
    made = compiled(name)
    circuit = made.circuit
    assert circuit.homes
    alone = replace(circuit, layers=tuple(replace(layer, erasers=[]) for layer in circuit.layers), homes={})
    rng = random.Random(0)
    output = made.program.outputs[0]
    for _ in range(40):
        ids = [rng.randrange(len(circuit.vocabulary)) for _ in range(rng.randint(1, circuit.max_length))]
        tokens = [circuit.vocabulary[number] for number in ids]
        try:
            expected = made.program[output](tokens)
        except rasp.RaspError:
            continue
        assert made.model.run(tokens, output) == expected
        if len(ids) <= 8:
            assert circuit.run(ids) == alone.run(ids)


@pytest.mark.parametrize("name", REUSING)
def test_what_is_erased_is_zero_in_the_model_to_the_last_bit(name: str) -> None:
    made = compiled(name)
    model, circuit = made.model, made.circuit
    columns, erased = circuit.columns(), circuit.erased()
    tokens = random.Random(1).choices(range(len(circuit.vocabulary)), k=circuit.max_length)
    with torch.no_grad():
        streams = list(model.residuals(torch.tensor([tokens])))
    for later, home in circuit.homes.items():
        assert not streams[erased[home]][..., columns[later]].any(), (later, home)


def test_the_trace_shows_a_variable_until_it_is_erased() -> None:
    made = compiled("paper/rover")
    traced = made.trace(SENTENCE)
    assert traced.ok
    rows = {row.name: [values is not None for values in row.found] for row in traced.rows}
    variables = [variable for variable in made.model.labels["variables"] if variable["name"] in rows]
    ended = [variable for variable in variables if variable["until"] < len(traced.steps)]
    assert len(ended) > 5
    for variable in ended:
        there = [variable["ready"] <= step < variable["until"] for step in range(len(traced.steps))]
        assert rows[variable["name"]] == there


def test_provenance_tells_the_tenants_of_a_column_apart() -> None:
    found = provenance(compiled("paper/rover").model)
    nodes = {node["id"]: node for node in found["nodes"]}
    for variable in found["variables"]:
        columns = {entry["column"] for entry in variable["read"] or variable["columns"]}
        for name in variable["nodes"]:
            assert columns & set(nodes[name]["output"]["columns"])
            assert not nodes[name].get("purpose", "").startswith("erases"), (variable["name"], name)
    ended = [variable for variable in found["variables"] if variable["until"] <= found["nodes"][-2]["layer"] * 2]
    assert ended and all(variable["step"] < variable["until"] for variable in ended)
    for variable in ended:
        shared = {entry["column"] for entry in variable["read"] or variable["columns"]}
        writers = {node["id"] for node in found["nodes"] if shared & set(node["output"]["columns"])}
        assert writers > set(variable["nodes"])  # there are those that erase it, at least


def test_edges_of_erased_values_are_marked() -> None:
    made = compiled("neighbours/oscillates")
    found = provenance(made.model)
    nodes = {node["id"]: node for node in found["nodes"]}
    erased = [edge for edge in found["edges"] if edge["erased"]]
    assert erased
    for edge in erased:
        writer, reader = nodes[edge["from"]], nodes[edge["to"]]
        for column in edge["columns"]:
            assert any(
                node["name"].startswith("erases")
                and column in node["output"]["columns"]
                and node["layer"] >= writer.get("layer", 0)
                and node["layer"] < reader.get("layer", len(made.circuit.layers))
                for node in nodes.values()
                if node["kind"] == "neuron"
            )


def test_rover_needs_half_the_columns() -> None:
    made = Compiled(rasp.load(PROGRAMS / "paper/rover.rasp"))
    assert len(set(made.circuit.columns().values())) <= len(made.circuit.directions()) / 2
    assert made.certificate.ok


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", ["sort", "neighbours/oscillates", "paper/dyck_1_ptf", "reverse"])
def test_a_circuit_knows_how_many_numbers_are_stored(name: str, dtype: str) -> None:
    made = compiler.compile(rasp.load(PROGRAMS / f"{name}.rasp"), optimize="size", max_length=8, dtype=dtype)
    assert made.circuit.parameters() == made.model.stored()


@pytest.mark.parametrize("name", ["paper/rover", "sort", "paper/dyck_2_ptf", "languages/nested_brackets_3_deep"])
def test_size_is_never_larger_than_balanced(name: str) -> None:
    program = rasp.load(PROGRAMS / f"{name}.rasp")
    small, balanced = (Compiled(program, optimize).circuit.parameters() for optimize in ("size", "balanced"))
    assert small <= balanced
