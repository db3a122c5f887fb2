"""The ladder: one program, one input, run at every stage, all answers equal to the interpreter's."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

import compiler
import rasp
from compiler.model import Scalar, Transformer
from compiler.pipeline import Compiled
from rasp.value import to_python
from tests.inputs import every
from tests.places import BASICS

SHORT = ["".join(letters) for letters in every("abc", 5)]

every_program = pytest.mark.parametrize("path", BASICS, ids=lambda path: path.stem)


@cache
def compiled(path: Path, vocab: str, max_length: int) -> Compiled:
    return compiler.compile(rasp.load(path), vocab=vocab, max_length=max_length)


def program(name: str) -> Path:
    return next(path for path in BASICS if path.stem == name)


def answers(made: Compiled, tokens: str) -> dict[str, list[Scalar]]:
    """What the interpreter answers, for each output, to the program as it was written."""
    return {name: made.program[name](tokens) for name in made.program.outputs}


def ids(made: Compiled, tokens: str) -> list[int]:
    return [made.setting.texts.index(token) for token in tokens]


def plain(values: dict[str, list[rasp.value.Value]]) -> dict[str, list[Scalar]]:
    return {name: [to_python(value) for value in row] for name, row in values.items()}


def run_graph(made: Compiled, tokens: str) -> dict[str, list[Scalar]]:
    return plain(made.graph.run(tokens))


def run_circuit(made: Compiled, tokens: str) -> dict[str, list[Scalar]]:
    return plain(made.circuit.run(ids(made, tokens)))


def run_weights(made: Compiled, tokens: str) -> dict[str, list[Scalar]]:
    chosen = made.weights.run(ids(made, tokens))
    return {o.name: [o.values[choice] for choice in chosen[o.name]] for o in made.model.config.outputs}


def run_model(made: Compiled, tokens: str) -> dict[str, list[Scalar]]:
    return {name: made.model.run(tokens, name) for name in made.program.outputs}


@every_program
@pytest.mark.parametrize("run", [run_graph, run_circuit, run_weights, run_model], ids=lambda run: run.__name__[4:])
def test_a_stage_answers_as_the_interpreter_on_all_short_inputs(
    path: Path, run: Callable[[Compiled, str], dict[str, list[Scalar]]]
) -> None:
    made = compiled(path, "abc", 8)
    for tokens in SHORT:
        assert run(made, tokens) == answers(made, tokens), tokens


@every_program
def test_every_stage_verifies(path: Path) -> None:
    made = compiled(path, "abc", 8)
    made.graph.verify()
    made.circuit.verify()
    made.weights.verify()


@every_program
def test_a_reloaded_model_answers_as_the_interpreter_in_padded_batches(path: Path, tmp_path: Path) -> None:
    made = compiled(path, "abc", 64)
    made.save(tmp_path / "saved")
    assert_agrees(made, compiler.load(tmp_path / "saved"), SHORT + drawn(1_000, 64, "abc"))


def assert_agrees(made: Compiled, model: Transformer, inputs: list[str]) -> None:
    """The inputs go in as they come, so that a batch holds different lengths and therefore padding."""
    for name in made.program.outputs:
        for start in range(0, len(inputs), 100):
            batch = inputs[start : start + 100]
            found = model.run_batch(batch, name)
            for tokens, row in zip(batch, found, strict=True):
                assert row == answers(made, tokens)[name], tokens


def drawn(count: int, longest: int, vocab: str) -> list[str]:
    """Random inputs of all lengths; every other one holds few different tokens, so that counts get large."""
    rng = random.Random(count * longest)
    choices = (vocab, vocab[:1] * 9 + vocab)
    return ["".join(rng.choices(choices[i % 2], k=rng.randint(1, longest))) for i in range(count)]


@every_program
def test_the_header_s_examples_hold_for_the_transformer(path: Path) -> None:
    loaded = rasp.load(path)
    made = compiler.compile(loaded)
    assert loaded.settings.examples
    for example in loaded.settings.examples:
        assert not isinstance(example.output, dict)
        assert made.model.run(example.input) == [to_python(value) for value in example.output]  # type: ignore[union-attr]


FIFTY = "".join(chr(ord("A") + number) for number in range(50))


def test_reverse_of_fifty_tokens_is_two_layers_and_at_most_5000_parameters() -> None:
    model = compiled(program("reverse"), FIFTY, 50).model
    assert len(model.config.layers) <= 2
    assert model.stored() <= 5_000
    assert model.stored() == sum(tensor.numel() for tensor in model.state_dict().values())


def test_histogram_of_fifty_tokens_has_at_most_3000_parameters() -> None:
    model = compiled(program("histogram"), FIFTY, 50).model
    assert model.stored() <= 3_000


@pytest.mark.parametrize("name", ["histogram", "reverse"])
def test_fifty_tokens_are_answered_right(name: str) -> None:
    made = compiled(program(name), FIFTY, 50)
    assert_agrees(made, made.model, [*drawn(200, 50, FIFTY), FIFTY, FIFTY[::-1], "A" * 50])


@pytest.mark.parametrize("name", ["length", "histogram", "reverse"])
def test_a_thousand_tokens_are_answered_right(name: str) -> None:
    made = compiled(program(name), "abc", 1_000)
    long = ["a" * 1_000, "b" * 999, "ab" * 500, "a" * 999 + "c", "c" + "a" * 999, "".join(sorted("abc" * 333))]
    assert_agrees(made, made.model, long + [tokens.ljust(1_000, "b") for tokens in drawn(5, 1_000, "abc")] + ["a"])
