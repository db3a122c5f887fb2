"""The library: every program parses clean, says what it promises, and compiles to a model that says the same."""

from __future__ import annotations

import pickle
import random
from collections import Counter

import pytest

import compiler
import rasp
from compiler.programs.library import INTERPRETED
from rasp import Program
from rasp.settings import token_text
from rasp.value import Value, to_python
from tests.places import LOOPS, PROGRAMS, SEQ2SEQ
from tests.programs.oracles import ORACLES

ENTRIES = {entry.name: entry for entry in compiler.library()}
PATHS = {name: entry.path for name, entry in ENTRIES.items()}
SAMPLE = 4
"""Every so manieth program is compiled in the core tests, all of them in the slow ones."""
SHORTER = {"numbers/trimmed_mean": 16, "numbers/variance": 16}
"""Programs with too many answers on inputs of 32 tokens."""

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
    assert settings.max_length is not None and settings.max_length >= SHORTER.get(name, 32)
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


def test_the_library_goes_through_the_folder_in_order() -> None:
    folder = PROGRAMS
    interpreted = {entry.path for theme in INTERPRETED for entry in compiler.library(theme)}
    assert {entry.path for entry in ENTRIES.values()} | interpreted == set(folder.rglob("*.rasp"))
    assert interpreted == {*SEQ2SEQ, *LOOPS}
    assert list(ENTRIES) == [*sorted(n for n in ENTRIES if "/" not in n), *sorted(n for n in ENTRIES if "/" in n)]
    assert all(entry.theme == (entry.path.parent.name if "/" in name else "basics") for name, entry in ENTRIES.items())


def test_a_theme_is_part_of_the_library() -> None:
    assert [e.name for e in compiler.library("words")] == [name for name in ENTRIES if name.startswith("words/")]
    with pytest.raises(rasp.RaspError, match="there is no theme `world`"):
        compiler.library("world")


def test_an_entry_travels_without_its_program() -> None:
    entry = ENTRIES["sort"]
    assert entry.program.outputs == ("sorted",)
    copy = pickle.loads(pickle.dumps(entry))
    assert (copy.name, copy.path) == (entry.name, entry.path)
    assert "program" not in vars(copy)


def test_there_are_150_programs_of_which_25_may_be_tables_of_the_token() -> None:
    themes = Counter(entry.theme for entry in ENTRIES.values())
    assert len(ENTRIES) - themes["elementwise"] + min(25, themes["elementwise"]) >= 150


def test_no_two_programs_have_the_same_text() -> None:
    def code(name: str) -> str:
        lines = PATHS[name].read_text(encoding="utf-8").splitlines()
        return "\n".join(line for line in lines if not line.startswith("# ") and not line.startswith("#@ example"))

    assert [twins for twins in Counter(map(code, PATHS)).items() if twins[1] > 1] == []


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
