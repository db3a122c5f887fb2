"""Provenance is the truth: what it says nobody reads has no effect, what it says is read has one."""

from __future__ import annotations

import doctest
import itertools
import json
import random
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch
from torch import Tensor

import compiler
import rasp
from compiler.graph.witness import is_meant
from compiler.model import ModelError, Transformer
from compiler.observe.provenance import DOCUMENT, provenance
from compiler.pipeline import Compiled
from compiler.runtime import checkpoint
from rasp.meaning.interpreter import evaluate_each
from rasp.settings import token_text
from tests.library import LIBRARY as EVERY_PROGRAM
from tests.library import sampled
from tests.places import PROGRAMS, ROOT

SCHEMA = json.loads((ROOT / "compiler" / "observe" / "provenance.schema.json").read_text())

SOURCES = {
    "reverse": "opposite = select(indices, length - 1 - indices, ==);\nreverse = aggregate(opposite, tokens);",
    "histogram": "o = selector_width(select(tokens, tokens, ==));",
    "sorted": "o = sort(tokens, tokens);",
    "a function of the token": 'o = tokens == "a";',
    "two outputs": 'o = aggregate(select(indices, indices - 1, ==), tokens, "-");\np = length % 3;',
    "neurons that read neurons": """
        a = selector_width(select(tokens, tokens, ==));
        b = a * a % 3;
        o = b * selector_width(select(b, b, ==));
    """,
    "hidden loop": "o = 0;\nfor i in [1, 2] {\n  o = aggregate(select(indices, indices - i, ==), indices) + o;\n}",
}
OUTPUTS = {"two outputs": ["o", "p"]}
LIBRARY = ["neighbours/swap_pairs", "paper/dyck_1_ptf", "paper/most_frequent", "sequence/majority", "sort"]


@cache
def compiled(name: str, attention: str = "bidirectional") -> Compiled:
    """A program of `SOURCES` over "abc" and 8 tokens, or of the library as its header wants it."""
    if name in SOURCES:
        output = OUTPUTS.get(name)
        return compiler.compile(rasp.parse(SOURCES[name]), output, vocab="abc", max_length=8, attention=attention)
    return compiler.compile(rasp.load(PROGRAMS / f"{name}.rasp"))


def batch(model: Transformer) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    vocabulary = len(model.config.vocabulary)
    return torch.randint(vocabulary, (16, model.config.max_length), generator=generator)


def some(kind: str) -> Any:
    return pytest.mark.parametrize("name", [*SOURCES, *LIBRARY] if kind == "all" else SOURCES)


# ----------------------------------------------------------------------------------------------- by hand, and its form


def test_the_circuit_of_reverse_is_the_one_in_the_readme() -> None:
    found = provenance(compiled("reverse").model)
    assert found["columns"] == ["one", "bos", "tokens", "indices", "(indices - 3)^2", "length", "reverse"]
    carried = {
        (edge["from"], edge["to"], edge["input"]): [found["columns"][column] for column in edge["columns"]]
        for edge in found["edges"]
        if not edge["constant"]
    }
    assert carried == {
        ("pos_embed", "L1H0", "q"): ["indices"],
        ("L0H0", "L1H0", "q"): ["length"],
        ("pos_embed", "L1H0", "k"): ["indices", "(indices - 3)^2"],
        ("embed", "L1H0", "v"): ["tokens"],
        ("L1H0", "output:reverse", "in"): ["reverse"],
    }


def test_lines_are_those_that_bind_the_variable() -> None:
    found = provenance(compiled("reverse").model)
    assert {variable["name"]: (variable["lines"], variable["home"]) for variable in found["variables"]} == {
        "tokens": ([], "library"),
        "indices": ([], "library"),
        "length": ([], "library"),
        "reverse": ([2], None),
    }
    [head] = [node for node in found["nodes"] if node["id"] == "L1H0"]
    assert (head["variables"], head["lines"]) == (["reverse"], [2])
    looped = provenance(compiled("hidden loop").model)
    assert [variable["lines"] for variable in looped["variables"] if variable["name"] == "o"] == [[1, 3]]


def test_what_the_library_binds_has_the_line_that_calls_it() -> None:
    found = provenance(compiled("sorted").model)
    [place] = [variable for variable in found["variables"] if variable["name"] == "sort.place"]
    assert (place["lines"], place["home"]) == ([1], "library")


def test_variables_name_the_nodes_that_write_them() -> None:
    found = provenance(compiled("neurons that read neurons").model)
    nodes = {variable["name"]: variable["nodes"] for variable in found["variables"]}
    assert nodes["tokens"] == ["embed"] and nodes["a"] == ["L0H0"]
    assert nodes["b"] and all(node.startswith("L0N") for node in nodes["b"])
    assert nodes["o"] and all("N" in node and node > "L1" for node in nodes["o"])


@some("all")
def test_the_document_follows_the_schema(name: str) -> None:
    found = provenance(compiled(name).model)
    assert json.loads(json.dumps(found)) == found
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.Draft202012Validator(SCHEMA).validate(found)


@some("all")
def test_ids_are_unique_and_edges_go_forward(name: str) -> None:
    found = provenance(compiled(name).model)
    ids = [node["id"] for node in found["nodes"]]
    assert len(set(ids)) == len(ids)
    for edge in found["edges"]:
        assert ids.index(edge["from"]) < ids.index(edge["to"])
    config = compiled(name).model.config
    assert sum(node["kind"] == "head" for node in found["nodes"]) == sum(layer.n_heads for layer in config.layers)
    assert sum(node["kind"] == "neuron" for node in found["nodes"]) == sum(layer.d_mlp for layer in config.layers)


def test_a_checkpoint_holds_it(tmp_path: Path) -> None:
    compiled("sorted").save(tmp_path / "sorted")
    assert checkpoint.document(tmp_path / "sorted", DOCUMENT) == provenance(compiler.load(tmp_path / "sorted"))


def test_a_model_that_was_not_compiled_is_refused() -> None:
    with pytest.raises(ModelError, match="labels") as caught:
        provenance(Transformer(compiled("reverse").model.config))
    assert caught.value.hint


# -------------------------------------------------------------------------------------------------- edges on real runs


def step(node: dict[str, Any], model: Transformer) -> int:
    """After which of `Transformer.residuals` a node has written."""
    match node["kind"]:
        case "embedding":
            return 0
        case "head":
            return 2 * int(node["layer"]) + 1
        case "neuron":
            return 2 * int(node["layer"]) + 2
        case _:
            return 2 * len(model.config.layers) + 1


def readings(model: Transformer, streams: list[Tensor], node: dict[str, Any]) -> Iterator[tuple[str, Tensor]]:
    """What each input of a node makes of the stream it sees."""
    seen = streams[min(step(node, model), len(streams)) - 1]
    if node["kind"] == "head":
        attn = list(model.layers())[node["layer"]].attn
        assert attn is not None
        for letter, matrix in (("q", attn.W_Q), ("k", attn.W_K), ("v", attn.W_V)):
            yield letter, seen @ matrix[node["index"]]
    elif node["kind"] == "neuron":
        mlp = list(model.layers())[node["layer"]].mlp
        assert mlp is not None
        yield "in", seen @ mlp.W_in[:, node["index"]]
    elif node["kind"] == "output":
        start, stop = node["logits"]
        yield "in", seen @ model.unembed.W_U[:, start:stop]


def noise(node: dict[str, Any], model: Transformer) -> Tensor:
    """Whole numbers on the columns that a node writes."""
    found = torch.zeros(model.config.d_model, dtype=model.embed.W_E.dtype)
    columns = node["output"]["columns"]
    found[columns] = torch.arange(3, 3 + len(columns), dtype=found.dtype)
    return found


@some("all")
@torch.no_grad()
def test_an_input_changes_with_what_it_has_an_edge_from_and_with_nothing_else(name: str) -> None:
    model = compiled(name).model
    found = provenance(model)
    edges = {(edge["from"], edge["to"], edge["input"]) for edge in found["edges"]}
    streams = list(model.residuals(batch(model)))
    for writer in sample(found["nodes"]):
        moved = [stream + noise(writer, model) for stream in streams]
        for reader in sample(found["nodes"]):
            if step(writer, model) >= step(reader, model):
                continue
            pairs = zip(readings(model, streams, reader), readings(model, moved, reader), strict=True)
            for (letter, before), (_, after) in pairs:
                expected = (writer["id"], reader["id"], letter) in edges
                assert torch.equal(before, after) != expected, (writer["id"], reader["id"], letter)


def sample(nodes: list[dict[str, Any]], most: int = 40) -> list[dict[str, Any]]:
    """All nodes but neurons, and neurons from all over the model."""
    neurons = [node for node in nodes if node["kind"] == "neuron"]
    return [node for node in nodes if node["kind"] != "neuron"] + neurons[:: len(neurons) // most + 1]


def descendants(edges: list[dict[str, Any]], start: str) -> set[str]:
    """Edges come in the order of their readers, so one pass finds all."""
    reached = {start}
    for edge in edges:
        if edge["from"] in reached:
            reached.add(edge["to"])
    return reached - {start}


@torch.no_grad()
def values(model: Transformer, ids: Tensor, nodes: list[dict[str, Any]]) -> dict[str, list[Tensor]]:
    streams = list(model.residuals(ids))
    return {node["id"]: [value for _, value in readings(model, streams, node)] for node in nodes}


@some("all")
def test_ablating_a_node_reaches_its_descendants_and_nothing_else(name: str) -> None:
    original = compiled(name).model
    found = provenance(original)
    ids = batch(original)
    before = values(original, ids, found["nodes"])
    for node in sample(found["nodes"], 8):
        if node["kind"] == "output":
            continue
        after = values(without(original, node), ids, found["nodes"])
        reached = descendants(found["edges"], node["id"])
        assert reached
        for other in found["nodes"]:
            if other["id"] not in reached:
                pairs = zip(before[other["id"]], after[other["id"]], strict=True)
                assert all(torch.equal(a, b) for a, b in pairs), (node["id"], other["id"])


def without(model: Transformer, node: dict[str, Any]) -> Transformer:
    """The same model, in which a node writes nothing."""
    changed = Transformer(model.config)
    changed.load_state_dict(model.state_dict())
    with torch.no_grad():
        if node["kind"] == "embedding":
            table = changed.embed.W_E if node["id"] == "embed" else changed.embed.W_pos
            assert table is not None
            table.zero_()
            return changed
        block = list(changed.layers())[node["layer"]]
        if node["kind"] == "head":
            assert block.attn is not None
            block.attn.W_O[node["index"]] = 0
        else:
            assert block.mlp is not None
            block.mlp.W_out[node["index"]] = 0
    return changed


@some("few")
@pytest.mark.parametrize("attention", ["bidirectional", "causal"])
def test_answers_need_every_head(name: str, attention: str) -> None:
    """No head is idle: without it some logit differs. So the graph has no decoys."""
    model = compiled(name, attention).model
    ids = batch(model)
    with torch.no_grad():
        for node in provenance(model)["nodes"]:
            if node["kind"] == "head":
                assert not torch.equal(model(ids), without(model, node)(ids)), node["id"]


# ----------------------------------------------------------------------------------------------------------- variables


@some("all")
@torch.no_grad()
def test_a_variable_is_read_where_the_document_says(name: str) -> None:
    read_where_it_is_said(compiled(name))


@some("all")
@torch.no_grad()
def test_every_column_holds_what_the_document_says(name: str) -> None:
    assert hold_what_is_said(compiled(name), inputs=12)


@pytest.mark.parametrize("name", sampled(EVERY_PROGRAM, every=2))
@torch.no_grad()
def test_every_column_of_the_library_holds_what_the_document_says(name: str) -> None:
    made = compiler.compile(EVERY_PROGRAM[name].program)
    read_where_it_is_said(made)
    assert hold_what_is_said(made, inputs=24)


def told(made: Compiled, name: str) -> dict[str, Any]:
    """A variable of the document."""
    [found] = [variable for variable in provenance(made.model)["variables"] if variable["name"] == name]
    return found  # type: ignore[no-any-return]


def members(variable: dict[str, Any]) -> list[Any]:
    """The values that have a column of their own."""
    return [column["function"]["value"] for column in variable["columns"] if column["function"]["kind"] == "is"]


def test_the_value_whose_number_is_0_has_its_column_too() -> None:
    tokens = told(compiled("sort"), "tokens")
    assert [entry["value"] for entry in tokens["values"] if entry["number"] == "0"] == ["d"]
    assert sorted(members(tokens)) == [entry["value"] for entry in tokens["values"]] == list("abcdefgh")
    assert len({column["column"] for column in tokens["columns"]}) == 8


def test_values_that_look_like_each_other_s_names_are_told_apart() -> None:
    made = compiler.compile(rasp.parse(SOURCES["sorted"]), vocab=["a", "a #2", "b", "=a"], max_length=4)
    tokens = told(made, "tokens")
    assert sorted(members(tokens)) == ["=a", "a", "a #2", "b"]
    assert hold_what_is_said(made, 12)


def test_columns_for_single_values_of_a_count_are_among_its_columns() -> None:
    hist = told(compiled("paper/most_frequent"), "hist")
    kinds = {column["function"]["kind"] for column in hist["columns"]}
    assert 1 in members(hist) and kinds >= {"number", "is", "at_least", "square"}


def test_a_column_that_holds_a_square_less_a_line_is_not_called_the_square() -> None:
    made = compiled("sort")
    found = provenance(made.model)
    [one] = [one for one in found["directions"] if one["name"] == "(sort.place - 16)^2 less a line"]
    [function] = [c["function"] for c in told(made, "sort.place")["columns"] if c["column"] == one["column"]]
    assert function == {"kind": "square", "centre": "1/2", "times": "1", "plus": "-1/4"}


@some("all")
def test_every_column_that_is_written_is_told_of(name: str) -> None:
    """Neurons that clear a column or take an offset away write nothing that it holds."""
    found = provenance(compiled(name).model)
    for node in found["nodes"]:
        for column in node["output"]["columns"]:
            there = [one for one in found["directions"] if one["column"] == column]
            written = any(node["id"] in one["nodes"] for one in there)
            offset = any(one["offset"] is not None for one in there)
            cleared = node["kind"] == "neuron" and len(there) > 1
            constant = {one["role"] for one in there} != {"value"}
            assert written or offset or cleared or constant, (node["id"], column)
    known = {variable["name"] for variable in found["variables"]}
    assert all(known >= set(one["variables"]) for one in found["directions"])


@some("all")
def test_an_offset_is_what_the_embedding_writes_at_every_token(name: str) -> None:
    model = compiled(name).model
    seen: set[int] = set()
    for one in sorted(provenance(model)["directions"], key=lambda one: one["step"]):
        if one["column"] in seen:  # what was there before was erased, with its offset
            continue
        seen.add(one["column"])
        first, *others = model.embed.W_E[:-1, one["column"]].tolist()
        constant = abs(first) > 256 and set(others) <= {first}
        assert constant == (one["offset"] is not None)
        assert one["offset"] is None or float(Fraction(one["offset"]["number"])) == first


def summed(terms: list[dict[str, Any]], stream: torch.Tensor) -> torch.Tensor:
    """What is read of a stream [n, d_model], in float64."""
    parts = [float(Fraction(term["coefficient"])) * stream[:, term["column"]].double() for term in terms]
    return torch.stack([torch.zeros(len(stream), dtype=torch.float64), *parts]).sum(0)


def read_where_it_is_said(made: Compiled) -> None:
    """Every variable that is kept as a number is decoded as the interpreter has it."""
    variables = provenance(made.model)["variables"]
    kept = [variable for variable in variables if variable["read"]]
    assert kept
    for given, streams, answers in runs(made, {variable["name"] for variable in kept}, 4):
        for variable in kept:
            stream = streams[variable["step"]]
            number = summed(variable["read"], stream) / (summed(variable["over"], stream) if variable["over"] else 1)
            read = [nearest(one, variable["values"]) for one in number.tolist()]
            assert read == answers[variable["name"]], (variable["name"], given)


def hold_what_is_said(made: Compiled, inputs: int) -> int:
    """Every column, at every step at which it is there, is the function of the variable that the document states.

    It is nearer to the number that is stated than to any other that the function has. Returns how many were compared.
    """
    variables = provenance(made.model)["variables"]
    stated = [
        (variable["name"], column, Stated(column["function"], [entry["value"] for entry in variable["values"]]))
        for variable in variables
        for column in variable["columns"]
    ]
    compared = 0
    for given, streams, answers in runs(made, {variable["name"] for variable in variables}, inputs):
        for name, column, function in stated:
            for step in {column["step"], column["until"] - 1}:
                held = held_by(column, streams[step], step)
                wanted = [function(typed(value)) for value in answers[name]]
                assert None not in wanted, (name, column, given)
                assert agree(held, wanted, function.gap), (name, column, given, held, wanted)
                compared += len(held)
    return compared


def runs(made: Compiled, names: set[str], count: int) -> Iterator[tuple[list[Any], list[Tensor], dict[str, list[Any]]]]:
    """Random inputs on which the program has an answer, with the streams without BOS and the exact values by name."""
    rng = random.Random(1)
    nodes = {name: node for node, name in made.program.called.items() if name in names}
    assert names <= nodes.keys()
    longest = min(made.setting.max_length, 12)
    found = 0
    for _ in range(20 * count):
        given = rng.choices(made.setting.vocabulary, k=rng.randint(1, longest))
        wanted = [*made.sop.values(), *nodes.values()]
        [answer] = evaluate_each(wanted, [given], made.setting.causal)  # type: ignore[arg-type]
        if isinstance(answer, rasp.RaspError) or not is_meant(made.program, given):
            continue
        ids = torch.tensor([made.model.encode([token_text(token) for token in given])])
        streams = [stream[0, 1:].double() for stream in made.model.residuals(ids)]
        yield given, streams, dict(zip(nodes, answer[len(made.sop) :], strict=True))
        found += 1
        if found == count:
            return
    assert found, "no input has an answer"


def held_by(column: dict[str, Any], stream: Tensor, step: int) -> list[float]:
    """What a column holds beside its offset."""
    offset = column["offset"]
    carried = float(Fraction(offset["number"])) if offset and step < offset["until"] else 0.0
    return (stream[:, column["column"]] - carried).tolist()


def agree(held: list[float], wanted: list[Fraction], gap: float) -> bool:
    """Whether each number is the one that is wanted, with an error far below the distance of those that are stated."""
    return all(abs(x - float(y)) < gap / 16 for x, y in zip(held, wanted, strict=True))


class Stated:
    """The function that a column is stated to be, of a variable with these values."""

    def __init__(self, function: dict[str, Any], values: list[Any]) -> None:
        self.function = function
        self.places = {exactly(value): place for place, value in reversed(list(enumerate(values)))}
        numbers = sorted({number for value in values if (number := self(value)) is not None})
        self.gap = float(min((b - a for a, b in itertools.pairwise(numbers)), default=Fraction(1)))
        """The least distance between two of its numbers."""

    def __call__(self, value: Any) -> Fraction | None:
        """The number at a value."""
        if self.function["kind"] == "table":
            number = self.function["numbers"][self.places[exactly(value)]]
            return None if number is None else Fraction(number)
        return at(self.function, value)


def at(function: dict[str, Any], value: Any) -> Fraction:
    """The number of a function that is no table at a value, as `docs/provenance.md` defines it."""
    times, plus = Fraction(function["times"]), Fraction(function["plus"])
    match function["kind"]:
        case "number":
            return plus + times * exactly(value) if times else plus
        case "square":
            return plus + times * (exactly(value) - Fraction(function["centre"])) ** 2
        case "is":
            return plus + times * same(value, function["value"])
        case "at_least":
            return plus + times * (exactly(value) >= exactly(function["value"]))
        case "among":
            return plus + times * any(same(value, other) for other in function["values"])
    raise AssertionError(function)


def exactly(value: Any) -> Any:
    """A value as what it is equal to: numbers are compared by size, a string is no number."""
    return value if isinstance(value, str) else Fraction(value["float"] if isinstance(value, dict) else value)


def same(one: Any, other: Any) -> bool:
    """Whether two values are one."""
    return bool(exactly(one) == exactly(other))


def typed(value: Any) -> Any:
    """A value as the document writes it."""
    return {"float": str(value)} if isinstance(value, Fraction) else value


def nearest(number: float, entries: list[dict[str, Any]]) -> object:
    value = min(entries, key=lambda entry: abs(float(Fraction(entry["number"])) - number))["value"]
    return Fraction(value["float"]) if isinstance(value, dict) else value


def test_the_examples_of_the_documentation_are_true(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = doctest.testfile(str(ROOT / "docs" / "provenance.md"), module_relative=False)
    assert result.attempted > 5 and result.failed == 0
