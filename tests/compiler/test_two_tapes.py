"""Programs with a source, compiled: every form against the interpreter, and what holds of one tape only."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

import compiler
import rasp
from compiler.circuit.layer import DECODER, ENCODER
from compiler.graph.relation import Conjunction
from compiler.lowering import _reader
from compiler.lowering.attention import Operand
from compiler.lowering.context import NEURONS_PER_LAYER
from compiler.lowering.policy import DEFAULT_POLICY
from compiler.model import ModelError
from compiler.numbers.direction import Form
from compiler.numbers.precision import FLOAT32
from compiler.pipeline import Compiled
from rasp.meaning.sop import Constant, Encoded, Indices, Map, SOp, Tokens
from rasp.text.source import RaspError
from rasp.value import Value
from tests.rasp.test_tapes_random import programs

HEADER = '#@ source: "abc"\n#@ vocab: "abc"\n#@ max_source: 3\n#@ max_length: 4\n#@ output: x\n'
STOP = '#@ source: "abc"\n#@ vocab: "abc."\n#@ stop: "."\n#@ max_source: {}\n'
COPY = STOP + 'next = aggregate(select(indices, indices, ==), source, ".");'
SOURCES = ["".join(one) for length in (1, 2, 3) for one in itertools.product("abc", repeat=length)]


def compiled(text: str, **settings: object) -> Compiled:
    return compiler.compile(rasp.parse(text), **settings)  # type: ignore[arg-type]


def alike(values: Sequence[object]) -> list[object]:
    """Values as one compares them: a whole number is one, however it is written."""
    return [value if isinstance(value, str) else float(value) for value in values]  # type: ignore[arg-type]


def wrong(made: Compiled, source: Sequence[Value], target: Sequence[Value]) -> list[str]:
    """The forms that do not answer as the interpreter on a source and a target so far."""
    wanted = {name: alike(values) for name, values in made.program.answers(source, target).items()}
    read = [made.setting.start, *target]
    ids = [made.setting.texts.index(str(token)) for token in read]
    assert made.setting.encoder is not None
    source_ids = [made.setting.encoder.texts.index(str(token)) for token in source]
    values = {output.name: output.values for output in made.model.config.outputs}
    best = made.weights.run(ids, source_ids)
    found = {
        "graph": made.graph.run(read, source),  # type: ignore[arg-type]
        "lowered": made.lowered.run(ids, source_ids),
        "compressed": made.compressed.run(ids, source_ids),
        "circuit": made.circuit.run(ids, source_ids),
        "weights": {name: [values[name][i] for i in row] for name, row in best.items()},
        "model": made.model.answers(source, target),
    }
    return [stage for stage, rows in found.items() if {name: alike(row) for name, row in rows.items()} != wanted]


def random_program(rng: random.Random) -> rasp.Program:
    while True:
        text = programs(rng).source.text
        try:
            return rasp.parse(HEADER + text.split("\n", 2)[2])
        except RaspError as problem:  # x stands on the source
            if {one.code for one in problem.diagnostics} != {"tapes"}:
                raise


def try_random(seed: int, count: int) -> None:
    rng = random.Random(seed)
    certified = 0
    for _ in range(count):
        made = Compiled(random_program(rng))
        try:
            made.circuit.verify()
        except RaspError as problem:
            if {one.code for one in problem.diagnostics} != {"not-certified"}:
                raise
            continue
        certified += 1
        for _ in range(12):
            source, target = rng.choices("abc", k=rng.randint(1, 3)), rng.choices("abc", k=rng.randint(0, 3))
            assert not wrong(made, source, target), (made.program.source.text, source, target)
    assert certified > 0.9 * count


@pytest.mark.parametrize("seed", range(3))
def test_random_programs_are_computed_by_every_form(seed: int) -> None:
    try_random(seed, 20)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 104))
def test_many_random_programs_are_computed_by_every_form(seed: int) -> None:
    try_random(seed, 80)


@pytest.mark.parametrize(
    "text",
    [
        "selector_width(not select(source_length, 2, <))",  # a count of the source is no rank on the target
        "aggregate(select(source_length, 1, ==), indices, 1)",
        "selector_width(select(source, tokens, ==)) <= indices + 1",  # nor is it bounded by the place
        "selector_width(select(indices, indices, <=)) - selector_width(select(source, tokens, <=))",
        "(source_length + 0 * indices) + indices[-1]",  # both lengths, each of its own tape
        "aggregate(select(source, tokens, <=), source_length, 0) + (indices + 0)[-2]",
        "round((indices + 1) * aggregate(select(indices, indices, <=), indicator(source == 'a')))",
        "aggregate(select(indices, indices, <=), indicator(source == 'a')) * (indices + 1)",
    ],
)
def test_laws_of_one_tape_are_not_taken_for_laws_of_two(text: str) -> None:
    made = compiled(HEADER + f"x = {text};\n".replace("'", '"'))
    for source, target in itertools.product(SOURCES[:24], ("", "a", "bc", "cab")):
        assert not wrong(made, source, target), (source, target)


def test_both_halves_are_one_when_keys_cross() -> None:
    made = compiled(COPY.format(4))
    graph = made.graph
    assert graph.encoder is not None and graph.setting.encoder is graph.encoder.setting
    leaves = [node for node in graph.nodes if isinstance(node, Encoded)]
    assert {leaf.node for leaf in leaves} == set(graph.encoder.outputs.values())
    assert all(leaf.encoded and not leaf.inputs for leaf in leaves)
    assert "of the source:" in str(graph) and "of the target:" in str(graph)


def test_a_conjunction_that_crosses_is_no_other() -> None:
    across, own = Encoded(Constant(1)), Constant(1)
    crossing = Conjunction.of([(across, own, frozenset("="))])
    everything = Conjunction.of([(own, own, frozenset("="))])
    assert crossing is not None and everything is not None
    assert crossing.parts == everything.parts == () and crossing.crosses and crossing != everything
    assert not crossing.implies(everything) and not crossing.excludes(everything)
    assert crossing.selector().encoded and not everything.selector().encoded
    key: SOp = Map("+", (Encoded(Indices()), Constant(1)))
    assert key.encoded and not Map("+", (Tokens("int"), Constant(1))).encoded


def test_slots_say_when_a_sublayer_writes() -> None:
    assert [ENCODER.time(layer, name) for layer in (1, 2) for name in ENCODER.names] == [1, 2, 3, 4]
    assert [DECODER.time(layer, name) for layer in (1, 2) for name in DECODER.names] == [1, 2, 3, 4, 5, 6]
    for slots in (ENCODER, DECODER):
        times = [(slots.time(layer, name), name) for layer in range(1, 6) for name in slots.names]
        for ready, name in itertools.product(range(8), slots.names):
            first = min(time for time, of in times if time > ready and of == name)
            assert slots.after(ready, name) == first and slots.at(first, name)
        assert [slots.layer(time) for time, _ in times] == [n for n in range(1, 6) for _ in slots.names]


def test_a_layer_counts_as_so_many_neurons_on_either_tape() -> None:
    graph = compiled(COPY.format(3)).graph
    assert graph.encoder is not None
    price = NEURONS_PER_LAYER["balanced"]
    for part, slots in ((graph.encoder, ENCODER), (graph, DECODER)):
        neurons = _reader(part, "balanced", DEFAULT_POLICY, FLOAT32)._neurons
        for layer in (1, 2, 3):
            here, later = (Operand(Form.constant(0), slots.time(at, "mlp"), exact=True) for at in (layer, layer + 1))
            assert neurons._worth([(here, price - 1), (later, 0)]) is here
            assert neurons._worth([(here, price + 1), (later, 0)]) is later


def test_copying_is_one_head_that_crosses_and_no_neuron() -> None:
    circuit = compiled(COPY.format(64)).circuit
    assert circuit.encoder is not None and not circuit.encoder.layers
    (layer,) = circuit.layers
    assert (len(layer.heads), len(layer.cross), len(layer.neurons)) == (0, 1, 0)


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16"])
def test_decoding_does_not_depend_on_the_batch_or_the_cache(dtype: str) -> None:
    made = compiled(COPY.format(3), dtype=dtype)
    wanted = [made.program.decode(source) for source in SOURCES]
    assert made.model.decode_batch(SOURCES) == wanted
    assert [made.model.decode(source) for source in SOURCES[:6]] == wanted[:6]
    assert [made.model.generate(source) for source in SOURCES[:6]] == wanted[:6]
    assert [made.model.generate(source, cached=False) for source in SOURCES[:6]] == wanted[:6]
    assert made.model.decode_batch([]) == []


def test_padding_of_either_tape_changes_nothing() -> None:
    model = compiled(COPY.format(3)).model
    sources, targets = [[0], [1, 2], [2, 1, 0]], [[4, 0], [4], [4, 2, 1]]

    def padded(rows: list[list[int]], filler: int) -> tuple[torch.Tensor, torch.Tensor]:
        ids = torch.tensor([[*row, *[filler] * (3 - len(row))] for row in rows])
        return ids, torch.tensor([[1] * len(row) + [0] * (3 - len(row)) for row in rows])

    for filler in (0, 1):
        logits = model(*padded(sources, filler), *padded(targets, filler))
        for row, (source, target) in enumerate(zip(sources, targets, strict=True)):
            alone = model(torch.tensor([source]), None, torch.tensor([target]))
            assert torch.equal(logits[row, : len(target)].argmax(-1), alone[0].argmax(-1))


def test_it_is_saved_and_loaded(tmp_path: Path) -> None:
    made = compiled(COPY.format(3))
    made.save(tmp_path / "copy")
    model = compiler.load(tmp_path / "copy")
    assert model.config == made.model.config and model.config.start == "<start>"
    assert model.decode_batch(SOURCES) == made.model.decode_batch(SOURCES)
    assert {*model.state_dict()} == {*model.config.shapes()}
    assert [layer["cross"][0]["name"] for layer in model.labels["layers"]] == ["next"]


def test_what_a_model_with_a_source_refuses() -> None:
    two, one = compiled(COPY.format(3)).model, compiled('#@ vocab: "ab"\nx = tokens;').model
    for call in (
        lambda: two.run("abc"),
        lambda: two.run_batch(["abc"]),
        lambda: two.patterns("abc"),
        lambda: two(torch.tensor([[0]])),
        lambda: two.decode("abca"),
        lambda: two.decode("x"),
        lambda: two.decode(""),
        lambda: one.decode("ab"),
        lambda: one.answers("ab"),
        lambda: one(torch.tensor([[0]]), None, torch.tensor([[0]])),
    ):
        with pytest.raises(ModelError):
            call()


# ------------------------------------------------------------------------------------------------------ running sums

RUNS = """
times = {"a": 0, "b": 1, "c": 3}[source];
end = aggregate(select(indices, indices, <=), times) * (indices + 1);
here = select(end - times, indices, <=) and select(end, indices, >);
"""


@pytest.mark.parametrize(
    "here",
    [
        "select(end - times, indices, <=) and select(end, indices, >)",
        "select(end, indices, >) and select(end - times, indices, <=)",
        "select(end - times, indices, <) and select(end, indices, >=)",
        "select(end - times - 1, indices, <=) and select(end - 1, indices, >)",
    ],
)
def test_c32_an_interval_of_a_running_sum_is_one_key(here: str) -> None:
    text = STOP.format(4) + "#@ max_length: 13\n#@ output: x\n" + RUNS + f"here = {here};\n"
    made = compiled(text + "x = aggregate(here, 2 * indices + times, 99);")
    (head,) = [head for head in made.circuit.crossing() if head.single]
    assert [part.kind for part in head.parts] == ["interval"]
    for source in ["".join(one) for n in (1, 2, 3, 4) for one in itertools.product("abc", repeat=n)]:
        assert not wrong(made, source, "ab.cab.cabca"), source


@pytest.mark.parametrize(
    "here",
    [
        "select(end - times, indices, <=) and select(end, indices, >=)",  # both ends: neighbours share one
        "select(end - times - 1, indices, <=) and select(end, indices, >)",  # longer than what is added
        "select(end - times, indices, <=) and select(end, indices + 1, >)",  # not one number
    ],
)
def test_c32_what_is_no_interval_is_not_taken_for_one(here: str) -> None:
    text = STOP.format(4) + "#@ max_length: 13\n#@ output: x\n" + RUNS + f"here = {here};\n"
    made = compiled(text + "x = aggregate(here, times, 9);")
    assert all(part.kind != "order" for head in made.circuit.crossing() for part in head.parts)
    for source in ["".join(one) for n in (1, 2, 3) for one in itertools.product("abc", repeat=n)]:
        assert not wrong(made, source, "ab.cab.cabca"), source


def test_c32_what_may_be_negative_has_no_intervals() -> None:
    runs = RUNS.replace('"b": 1', '"b": -1')
    text = STOP.format(3) + "#@ max_length: 9\n#@ output: x\n" + runs + "x = aggregate(here, times, 9);"
    made = compiled(text)
    assert all(part.kind != "order" for head in made.circuit.crossing() for part in head.parts)
    for source in SOURCES:
        assert not wrong(made, source, "ab.cab.c"), source


def test_c32_on_one_tape() -> None:
    text = (
        '#@ vocab: "abc"\n#@ max_length: 6\n' + RUNS.replace("source", "tokens") + 'x = aggregate(here, tokens, "-");'
    )
    made = compiled(text)
    assert compiler.check(made.program, samples=300).ok
    assert any(part.kind == "interval" for layer in made.circuit.layers for head in layer.heads for part in head.parts)
