"""What is told of an encoder and a decoder is true: sizes, traces, provenance, of both streams."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import torch
from torch import Tensor

import compiler
import rasp
from compiler.model import ModelError, Transformer
from compiler.observe.provenance import provenance
from compiler.observe.view.plots import stream as drawn
from compiler.pipeline import Compiled
from rasp.meaning.interpreter import evaluate
from rasp.meaning.sop import Tape
from tests.compiler.test_provenance import SCHEMA, Stated, agree, held_by, nearest, noise, sample, summed, typed
from tests.compiler.two_tapes import SEVERAL, cases, compiled
from tests.places import PROGRAMS, ROOT

several = pytest.mark.parametrize("name", SEVERAL)
STACKS: tuple[tuple[str, Tape], ...] = (("encoder", "source"), ("decoder", "target"))

# ------------------------------------------------------------------------------------------------------ size and plan


def test_the_size_is_that_of_both_stacks() -> None:
    assert compiled("sort").summary() == (
        "encoder 1 layer, 3 heads, 15 neurons, d_model 18; decoder 1 layer, 0 heads, 1 head that crosses, 0 neurons, "
        "d_model 5; 2,277 parameters (331 not zero)"
    )


def test_the_page_names_every_part_of_both_stacks() -> None:
    made = compiled("addition")
    lines = made.info().splitlines()
    assert lines[1:5] == [
        "sources: 1 to 11 of 11 tokens (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, +)",
        "targets: 1 to 12 of 12 tokens (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ., <start>), <start> in front",
        "attention: bidirectional in the encoder, causal in the decoder, float32",
        "decodes: next is the next token; a target ends with .",
    ]
    found = provenance(made.model)
    parts = [node["id"] for node in [*found["encoder"]["nodes"], *found["nodes"]] if node["kind"] in ("head", "neuron")]
    told = [line.split()[0] for line in lines if line.startswith("  L")]
    assert told == [part.removeprefix("encoder.") for part in parts]
    titles = [line for line in lines if line.startswith(("encoder, ", "decoder, "))]
    assert titles[0] == "encoder, residual stream" and titles.count("decoder, layer 1") == 1


@several
def test_the_plan_counts_what_is_stored(name: str) -> None:
    program = compiled(name).program
    for mode in Compiled(program).plan().modes:
        model = Compiled(program, optimize=mode.name).model
        assert model.encoder is not None and mode.encoder is not None
        assert (mode.encoder.columns, mode.columns) == (model.encoder.config.d_model, model.config.d_model)
        assert (mode.encoder.layers, mode.layers) == (len(model.encoder.config.layers), len(model.config.layers))
        assert mode.heads == sum(shape.n_heads + shape.n_cross for shape in model.config.layers)
        assert mode.encoder.parameters == sum(parameter.numel() for parameter in model.encoder.parameters())
        assert mode.encoder.parameters + mode.parameters == model.stored()


def test_layers_are_counted_through_both_stacks() -> None:
    assert (compiled("sort").plan().rasp_layers, compiled("sort").plan().rasp_heads) == (2, 2)
    assert str(compiled("sort").plan()).splitlines()[2].split()[:3] == ["mode", "stack", "layers"]


# -------------------------------------------------------------------------------------------------------------- traces


@several
def test_every_variable_of_both_streams_is_read_off(name: str) -> None:
    made = compiled(name)
    for source, target in cases(made, 5):
        found = made.trace(source, target)
        assert found.ok, str(found)
        assert found.encoder is not None
        for part, tape in ((found.encoder, "source"), (found, "target")):
            wanted = len(source) if tape == "source" else len(target) + 1
            assert part.rows and all(len(row.expected) == wanted for row in part.rows)
            assert all(any(values is not None for values in row.found) for row in part.rows)
        [answers] = [row.expected for row in found.rows if row.name == "next"]
        assert answers == made.program.answers(source, target)["next"]


def test_a_trace_without_a_target_is_that_of_the_whole_decode() -> None:
    made = compiled("sort")
    assert made.trace("cab") == made.trace("cab", "abc")
    assert made.trace("cab").steps == ["embedding", "L0 attention", "L0 cross-attention", "L0 MLP"]
    declared = compiler.compile(rasp.load(PROGRAMS / "seq2seq" / "sort.rasp"))
    assert str(declared.trace("ba")) in (ROOT / "docs" / "tapes.md").read_text(encoding="utf-8")
    assert str(made.trace("ba")).splitlines() == [
        "encoder, at the source",
        "variable | interpreter | embedding | L0 attention | L0 MLP",
        "source   | b a         | b a       | b a          | b a",
        "place    | 1 0         |           | 1 0          | 1 0",
        "",
        "decoder, at the target",
        "variable       | interpreter | embedding | L0 attention | L0 cross-attention | L0 MLP",
        "indices@target | 0 1 2       | 0 1 2     | 0 1 2        | 0 1 2              | 0 1 2",
        "next           | a b .       |           |              | a b .              | a b .",
    ]


@pytest.mark.parametrize("stack", ["encoder", "decoder"])
def test_a_damaged_head_of_either_stack_is_seen(stack: str) -> None:
    made = Compiled(compiled("sort").program)
    block = made.model.encoder.blocks[0].attn if stack == "encoder" else made.model.blocks[0].cross  # type: ignore
    with torch.no_grad():
        block.W_O.mul_(-2)
    found = made.trace("cab")
    assert not found.ok and found.encoder is not None
    wrong = {row.name for row in [*found.encoder.rows, *found.rows] if not row.agrees}
    assert wrong >= ({"place"} if stack == "encoder" else {"next"})


def test_a_target_of_one_tape_is_refused() -> None:
    made = compiler.compile(rasp.parse("o = tokens;"), vocab="ab", max_length=3)
    with pytest.raises(ModelError, match="the program reads one tape"):
        made.trace("ab", "a")


# ---------------------------------------------------------------------------------------------------------- provenance


@several
def test_the_document_follows_the_schema(name: str) -> None:
    found = provenance(compiled(name).model)
    assert found["version"] == 3
    assert json.loads(json.dumps(found)) == found
    schema = jsonschema.Draft202012Validator(SCHEMA)
    schema.validate(found)
    ids = [node["id"] for node in [*found["encoder"]["nodes"], *found["nodes"]]]
    assert len({*ids}) == len(ids)
    for edge in [*found["encoder"]["edges"], *found["edges"]]:
        assert ids.index(edge["from"]) < ids.index(edge["to"])
    del found["encoder"]
    assert not schema.is_valid(found)


def test_a_checkpoint_holds_it(tmp_path: Any) -> None:
    compiled("sort").save(tmp_path / "sort")
    written = json.loads((tmp_path / "sort" / "provenance.json").read_text())
    assert written == provenance(compiler.load(tmp_path / "sort"))


def test_the_circuit_of_copy_crosses_once() -> None:
    found = provenance(compiled("copy").model)
    names = {"encoder": found["encoder"]["columns"], "": found["columns"]}
    carried = {
        (edge["from"], edge["to"], edge["input"]): [
            names["encoder" if edge["input"] in "kv" and "C" in edge["to"] else ""][column]
            for column in edge["columns"]
        ]
        for edge in found["edges"]
        if not edge["constant"]
    }
    assert carried == {
        ("pos_embed", "L0C0", "q"): ["indices@target", "(indices@target - 8)^2"],
        ("encoder.pos_embed", "L0C0", "k"): ["indices@source", "(indices@source - 8)^2"],
        ("encoder.embed", "L0C0", "v"): ["bos", "source"],
        ("L0C0", "output:next", "in"): ["next"],
    }
    [head] = [node for node in found["nodes"] if node["kind"] == "head"]
    assert [place.get("stream") for place in head["inputs"].values()] == [None, "encoder", "encoder"]
    assert head["inputs"]["k"]["hook"] == "blocks.0.cross_attn.hook_k"


def streams_of(model: Transformer, source: list[str], target: list[str]) -> dict[str, list[Tensor]]:
    """The streams of both stacks, [1, 1 + n, d_model] after each step."""
    assert model.encoder is not None
    sources = torch.tensor([model.encode_source(source)])
    targets = torch.tensor([model.encode([model.config.start, *target])])
    return {
        "encoder": list(model.encoder.sublayers(sources)),
        "decoder": list(model.residuals(targets, None, model.remember(sources))),
    }


@several
@torch.no_grad()
def test_every_column_of_both_streams_holds_what_the_document_says(name: str) -> None:
    made = compiled(name)
    found, program = provenance(made.model), made.program
    for source, target in cases(made, 6):
        runs = streams_of(made.model, source, target)
        read, written = program.settings.read_source(source), program.settings.read_target(target)
        for stack, tape in STACKS:
            streams = [stream[0, 1:].double() for stream in runs[stack]]
            for variable in (found["encoder"] if stack == "encoder" else found)["variables"]:
                node = program.instances.on(tape, program.node(variable["name"].partition("@")[0]))  # type: ignore
                answers = evaluate(node, written, True, source=read)
                holds_what_is_said(variable, streams, answers)


def holds_what_is_said(variable: dict[str, Any], streams: list[Tensor], answers: list[Any]) -> None:
    """The variable is read as the document says, and each of its columns is the function that it states."""
    values = [entry["value"] for entry in variable["values"]]
    if variable["read"]:
        stream = streams[variable["step"]]
        number = summed(variable["read"], stream) / (summed(variable["over"], stream) if variable["over"] else 1)
        assert [nearest(one, variable["values"]) for one in number.tolist()] == answers, variable["name"]
    for column in variable["columns"]:
        function = Stated(column["function"], values)
        wanted = [function(typed(value)) for value in answers]
        for step in {column["step"], column["until"] - 1}:
            assert agree(held_by(column, streams[step], step), wanted, function.gap), (variable["name"], column)  # type: ignore


SUBLAYERS = {"encoder": {"attn": 1, "neuron": 2}, "decoder": {"attn": 1, "cross": 2, "neuron": 3}}


def place(node: dict[str, Any], model: Transformer) -> tuple[str, int]:
    """The stack of a node, and after which step it has written."""
    stack = "encoder" if node["id"].startswith("encoder.") else "decoder"
    steps = SUBLAYERS[stack]
    if node["kind"] in ("head", "neuron"):
        kind = "neuron" if node["kind"] == "neuron" else "cross" if f"C{node['index']}" in node["id"] else "attn"
        return stack, len(steps) * int(node["layer"]) + steps[kind]
    return stack, 0 if node["kind"] == "embedding" else len(steps) * len(model.config.layers) + 1


def readings(model: Transformer, runs: dict[str, list[Tensor]], node: dict[str, Any]) -> Iterator[tuple[str, Tensor]]:
    """What each input of a node makes of the stream it sees."""
    stack, step = place(node, model)
    if node["kind"] == "output":
        start, stop = node["logits"]
        yield "in", runs[stack][-1] @ model.unembed.W_U[:, start:stop]
    elif node["kind"] != "embedding":
        block = list((model.encoder if stack == "encoder" else model).layers())[node["layer"]]  # type: ignore
        own = runs[stack][step - 1]
        if node["kind"] == "neuron":
            yield "in", own @ block.mlp.W_in[:, node["index"]]
            return
        crosses = "C" in node["id"]
        part, keys = (block.cross, runs["encoder"][-1]) if crosses else (block.attn, own)
        yield "q", own @ part.W_Q[node["index"]]
        yield "k", keys @ part.W_K[node["index"]]
        yield "v", keys @ part.W_V[node["index"]]


@several
@torch.no_grad()
def test_an_input_changes_with_what_it_has_an_edge_from_and_with_nothing_else(name: str) -> None:
    model = compiled(name).model
    found = provenance(model)
    nodes = sample([*found["encoder"]["nodes"], *found["nodes"]], 30)
    edges = {(edge["from"], edge["to"], edge["input"]) for edge in [*found["encoder"]["edges"], *found["edges"]]}
    runs = streams_of(model, *next(cases(compiled(name), 0)))
    for writer in nodes:
        stack, step = place(writer, model)
        more = noise(writer, model.encoder if stack == "encoder" else model)  # type: ignore[arg-type]
        moved = {**runs, stack: [stream + more for stream in runs[stack]]}
        for reader in nodes:
            where, seen = place(reader, model)
            pairs = zip(readings(model, runs, reader), readings(model, moved, reader), strict=True)
            for (letter, before), (_, after) in pairs:
                if (stack, where) == ("decoder", "encoder") or (stack == where and step >= seen):
                    continue
                expected = (writer["id"], reader["id"], letter) in edges
                assert torch.equal(before, after) != expected, (writer["id"], reader["id"], letter)


# ------------------------------------------------------------------------------------------------- what is for one tape


def test_what_knows_one_tape_says_so() -> None:
    model = compiled("sort").model
    with pytest.raises(ModelError, match=r"^the plots knows one tape so far"):
        drawn(model, "cab")
