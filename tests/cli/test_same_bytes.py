"""One input text, one answer: a program and its checkpoint print the same bytes, whatever is asked.

Inputs are those that the program promises something about: over its vocabulary, meant, and with an answer. The whole
library and more random programs are slow; a part of them is not.
"""

from __future__ import annotations

import json
import random
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import compiler
import rasp
from compiler.graph.witness import is_meant
from compiler.pipeline import Compiled
from compiler.programs.library import library
from rasp import Program, RaspError
from rasp.meaning.sop import Constant, Node, SOp, reachable
from rasp.value import Value, to_python
from tests.cli.conftest import Rasp
from tests.places import RASP
from tests.random_programs import VOCABULARY, seeded

LIBRARY = {entry.name: entry.path for entry in library()}
SAMPLE = list(LIBRARY)[::20]
LONGEST, DRAWN = 12, 12


def answered(program: Program, drawn: int = DRAWN) -> Iterator[list[Value]]:
    """Inputs of a program that are meant and have an answer: those of the header, then random ones."""
    settings, rng = program.settings, random.Random(0)
    assert settings.vocab is not None
    lengths = range(1, min(settings.longest, LONGEST) + 1)
    given = [list(example.input) for example in settings.examples]
    for tokens in [*given, *(rng.choices(settings.vocab, k=rng.choice(lengths)) for _ in range(drawn))]:
        try:
            if is_meant(program, tokens) and all(program[name].exact(tokens) for name in program.outputs):
                yield tokens
        except RaspError:
            continue


def listed(inputs: Sequence[Sequence[Value]]) -> list[str]:
    """Inputs as the command line takes them with --list."""
    return [json.dumps([to_python(token) for token in tokens]) for tokens in inputs]


def require_same_bytes(call: Rasp, source: Path, folder: Path) -> int:
    """Compile a program, and hold what is printed of it and of its checkpoint against each other; how many inputs."""
    program = rasp.load(source)
    Compiled(program).save(folder)
    inputs = listed(list(answered(program)))
    for form in ((), ("--json",)) if inputs else ():
        ours, theirs = (call("run", str(target), "--list", *form, *inputs) for target in (source, folder))
        assert ours == theirs and ours.code == 0
    return len(inputs)


def slow_but(sample: Sequence[str]) -> list[Any]:
    """The programs of the library, all but a sample of them slow."""
    marks = (pytest.mark.slow, pytest.mark.nightly)
    return [name if name in sample else pytest.param(name, marks=marks) for name in LIBRARY]


@pytest.mark.parametrize("name", slow_but(SAMPLE))
def test_a_program_of_the_library(name: str, rasp: Rasp, tmp_path: Path) -> None:
    assert require_same_bytes(rasp, LIBRARY[name], tmp_path / "model")


def written(node: SOp) -> str:
    """An s-op as the text of a program, a statement for each node."""
    names: dict[Node, str] = {}
    lines = []
    for number, part in enumerate(reachable([node])):
        text = part.written(*(names[one] for one in part.inputs))
        names[part] = text if isinstance(part, Constant) else f"n{number}"
        lines += [] if isinstance(part, Constant) else [f"n{number} = {text};"]
    header = f'#@ vocab: "{"".join(VOCABULARY)}"\n#@ max_length: 6\n#@ output: {names[node]}\n'
    return header + "\n".join(lines) + "\n"


def compared(call: Rasp, seed: int, folder: Path) -> bool:
    """Whether the random program of a seed could be compared: most compile, some have no answer at all."""
    source = folder / f"{seed}.rasp"
    node = seeded(seed, 2 + seed % 3)
    if isinstance(node, Constant):
        return False
    source.write_text(written(node))
    try:
        return require_same_bytes(call, source, folder / str(seed)) > 0
    except RaspError:
        return False


def test_random_programs(rasp: Rasp, tmp_path: Path) -> None:
    assert sum(compared(rasp, seed, tmp_path) for seed in range(40)) >= 25


@pytest.mark.slow
@pytest.mark.nightly
@pytest.mark.parametrize("block", range(20))
def test_many_random_programs(block: int, rasp: Rasp, tmp_path: Path) -> None:
    assert sum(compared(rasp, 1000 + seed, tmp_path) for seed in range(40 * block, 40 * (block + 1))) >= 20


ANSWERS = [
    ("x = aggregate(select(indices, indices, <=), 2 * indices);", "[0, 1, 2]", "ints"),
    ("x = indices / 2;", "[0, 0.5, 1]", "floats"),
    ("x = (indices + 1) / 1;", "[1, 2, 3]", "ints"),
    ("x = 0 if indices == 0 else indices == 1;", "[0, 1, 0]", "ints"),
    ("x = indices if indices != 1 else indices == 1;", "[0, 1, 2]", "ints"),
    ("x = 0.5 if indices == 0 else indices == 1;", "[0.5, 1, 0]", "floats"),
    ("x = indices == 1;", "[F, T, F]", "bools"),
    ("x = True if indices == 0 else indices == 1;", "[T, T, F]", "bools"),
    ('x = tokens in ["a", "c"];', "[T, F, T]", "bools"),
    ('x = {"a": True, "b": False, "c": False}[tokens];', "[T, F, F]", "bools"),
    ('x = {"a": True, "b": False, "c": 7}[tokens];', "[1, 0, 7]", "ints"),
    ("x = [True, False, False][indices];", "[T, F, F]", "bools"),
    ("x = aggregate(select(indices, indices, ==), indices == 1);", "[0, 1, 0]", "ints"),
    ("x = aggregate(select(indices, indices, ==), indices == 1, False);", "[F, T, F]", "bools"),
    ("x = aggregate(select(indices, indices + 1, ==), indices == 1, 0.0);", "[1, 0, 0]", "ints"),
    ("x = tokens_bool;", "[T]*3", "bools"),
    ('x = tokens_bool[0] or tokens == "c";', "[T]*3", "bools"),
    ("x = tokens_bool[0];", "[1]*3", "ints"),
    ("x = (indices == 1) + 0;", "[0, 1, 0]", "ints"),
    ("x = True + (indices == 1);", "[1, 2, 1]", "ints"),
    ("x = round(indices / 2);", "[0, 0, 1]", "ints"),
    ("x = indicator(indices == 1);", "[0, 1, 0]", "ints"),
    ("x = 10.0 ^ 20 + 0 * indices;", "[100000000000000000000]*3", "ints"),
    ("x = tokens_str + tokens;", "[aa, bb, cc]", "strings"),
]


@pytest.mark.parametrize(("text", "shown", "kind"), ANSWERS)
def test_the_kind_follows_from_the_text(
    text: str, shown: str, kind: str, rasp: Rasp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.rasp").write_text(f'#@ vocab: "abc"\n#@ max_length: 3\n#@ output: x\n{text}\n')
    assert rasp("compile", "x.rasp", "-o", "x").code == 0
    for form in ((), ("--json",)):
        ours, theirs = (rasp("run", target, "abc", *form) for target in ("x.rasp", "x"))
        assert ours == theirs
        assert form or ours.out == f"{shown} ({kind})\n"


@pytest.mark.parametrize(("text", "shown", "kind"), ANSWERS)
def test_python_gets_the_same_values_of_the_same_types(text: str, shown: str, kind: str) -> None:
    made = compiler.compile(rasp.parse(text).replace(output="x", vocab="abc", max_length=3))
    theirs = [made.model.run("abc"), *made.model.run_batch(["abc"]), made.fast.run("abc")]
    for answer in theirs:
        assert list(map(repr, answer)) == list(map(repr, made.program["x"]("abc")))


TOKENS = [
    ('["1", "2"]', ["--list", "[1, 2]"]),
    ('["1", "2"]', ["12"]),
    ("[1, 2]", ["12"]),
    ("[1, 2]", ["--list", '["1", 2]']),
    ("[0.5, 1.0, 2.5]", ["--list", "[1.0, 0.5, 2.5]"]),
    ("[0.5, 1.0, 2.5]", ["--list", '["1.0", "2.5"]']),
    ("[0.5, 1, 1.0]", ["--list", "[1, 1.0, 0.5]"]),
    ("[true, false]", ["--list", "[true, false]"]),
    ("[true, false]", ["--list", '["True", "False"]']),
    ('["True", "False"]', ["--list", "[true, false]"]),
    ('["1.0", "1"]', ["--list", "[1.0, 1]"]),
    ("[1, 2, 9]\n#@ unknown: 9", ["--list", '[1, "z", 7, 9]']),
    ("[1, 2, 9]\n#@ unknown: 9", ["1x2"]),
    ('["a", 1, 2.5]', ["--list", "[1, 2.5, 1]"]),
    ('["a", 1, 2.5]', ["--list", '["a", "a"]']),
    ("[1e2, -1.50, 3]", ["--list", '[100.0, -1.5, "3", "-1.5"]']),
    ("[7.0, true, 0]", ["--list", '[true, 0, "7.0"]']),
    ('"12?"\n#@ unknown: "?"', ["1x2"]),
]
WAYS = ["asis", "str", "int", "float", "bool"]


@pytest.mark.parametrize(("vocabulary", "words"), TOKENS)
def test_an_input_is_understood_alike(
    vocabulary: str, words: list[str], rasp: Rasp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for way in WAYS:
        Path("x.rasp").write_text(f"#@ vocab: {vocabulary}\n#@ max_length: 4\n#@ output: x\nx = tokens_{way};\n")
        ours = rasp("run", "x.rasp", *words)
        if ours.code == 0:
            assert rasp("compile", "x.rasp", "-o", "x").code == 0
            assert ours == rasp("run", "x", *words)
        else:
            assert way in ("int", "float")


WRITTEN = [
    (
        "[0.0, 0.5, 1.0]",
        "aggregate(select(indices, indices, <=), tokens_float)",
        ["--list", "[1.0, 0.0]", "--max-tokens", "3"],
    ),
    ("[true, false]", "aggregate(select(indices, indices, ==), tokens_asis)", ["--list", "[true]"]),
    ("[1, 2, 3]", "(tokens_int % 3 + 2) / 2 * 2 - 1", ["12"]),
    ('"abz"\n#@ unknown: z', "tokens", ["aby"]),
]


@pytest.mark.parametrize(("vocabulary", "text", "words"), WRITTEN)
@pytest.mark.parametrize("form", [(), ("--json",)], ids=["text", "json"])
def test_what_is_generated(
    vocabulary: str,
    text: str,
    words: list[str],
    form: tuple[str, ...],
    rasp: Rasp,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    header = f"#@ vocab: {vocabulary}\n#@ max_length: 5\n#@ output: x\n#@ attention: causal\n"
    Path("x.rasp").write_text(f"{header}x = {text};\n")
    assert rasp("compile", "x.rasp", "-o", "x").code == 0
    ours, theirs, fast = (
        rasp("generate", target, *words, *form, *flags) for target, *flags in (("x.rasp",), ("x",), ("x", "--fast"))
    )
    assert ours.code == 0 and ours == theirs and ours.out == fast.out


@pytest.fixture(scope="module")
def compiled_elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a program and its checkpoint, which a process of its own made."""
    folder = tmp_path_factory.mktemp("elsewhere")
    header = '#@ unknown: "c"\n#@ vocab: "abc"\n#@ max_length: 3\n#@ output: x\n'
    (folder / "x.rasp").write_text(header + 'x = indices / 2 if tokens == "a" else True;\n')
    subprocess.run([RASP, "compile", "x.rasp", "-o", "x"], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.mark.parametrize("words", [["abc"], ["abc", "--json"], ["--list", '["a", "z"]']])
def test_in_processes_of_their_own(words: list[str], compiled_elsewhere: Path) -> None:
    ours, theirs = (
        subprocess.run([RASP, "run", target, *words], cwd=compiled_elsewhere, check=True, capture_output=True).stdout
        for target in ("x.rasp", "x")
    )
    assert ours == theirs
