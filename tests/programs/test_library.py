"""The library: every program parses clean, says what it promises, and compiles to a model that says the same."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

import compiler
import rasp
from rasp import Program
from rasp.settings import token_text
from rasp.value import Value, to_python
from tests.programs.oracles import ORACLES

LIBRARY = Path(__file__).parent.parent.parent / "programs"
PATHS = {path.relative_to(LIBRARY).with_suffix("").as_posix(): path for path in sorted(LIBRARY.rglob("*.rasp"))}
SAMPLE = 4
"""Every so manieth program is compiled in the core tests, all of them in the slow ones."""

every_program = pytest.mark.parametrize("name", PATHS)


def answer(program: Program, tokens: list[Value]) -> list[object]:
    """What the interpreter gives for the first output."""
    return [to_python(value) for value in program[program.outputs[0]].exact(tokens)]  # type: ignore[union-attr]


@every_program
def test_a_program_is_clean_and_declares_what_a_compiler_needs(name: str) -> None:
    program = rasp.load(PATHS[name])
    settings = program.settings
    assert not program.warnings
    assert settings.vocab is not None
    assert settings.max_length is not None and settings.max_length >= 8
    assert len(settings.examples) >= 3
    texts = set(map(token_text, settings.vocab))
    assert all(token_text(token) in texts for example in settings.examples for token in example.input)
    assert min(len(example.input) for example in settings.examples) <= 2, "one of the examples is an edge case"


@every_program
def test_a_program_gives_the_answers_of_its_header(name: str) -> None:
    program = rasp.load(PATHS[name])
    for example in program.settings.examples:
        assert isinstance(example.output, tuple)
        assert answer(program, list(example.input)) == [to_python(value) for value in example.output]


@pytest.mark.parametrize("name", ORACLES)
def test_a_program_gives_the_answers_of_its_oracle(name: str) -> None:
    program = rasp.load(PATHS[name])
    for tokens in drawn(program, 40):
        expected = [pytest.approx(value) if isinstance(value, float) else value for value in ORACLES[name](tokens)]
        assert answer(program, tokens) == expected, tokens


def drawn(program: Program, count: int) -> list[list[Value]]:
    """Random inputs of all lengths; some use few different tokens. A first token § stands in front and nowhere else."""
    rng = random.Random(count)
    vocab = list(program.settings.vocab or ())
    bos = [token for token in vocab[:1] if token == "§"]
    vocab = vocab[len(bos) :]
    inputs = []
    for number in range(count):
        few = rng.sample(vocab, min(2, len(vocab))) if number % 3 == 0 else vocab
        length = rng.randint(1, program.settings.max_length or 16)
        inputs.append([*bos, *rng.choices(few, k=length)][:length])
    return inputs


@pytest.mark.parametrize(
    "name", [name if at % SAMPLE == 0 else pytest.param(name, marks=pytest.mark.slow) for at, name in enumerate(PATHS)]
)
def test_the_compiled_model_gives_the_answers_of_the_header(name: str) -> None:
    program = rasp.load(PATHS[name])
    model = compiler.compile(program).model
    examples = program.settings.examples
    expected = [answer(program, list(example.input)) for example in examples]
    inputs = [[to_python(token) for token in example.input] for example in examples]
    assert model.run_batch(inputs) == expected
