"""What the tests of a host ask an exported folder, in a process that knows nothing of ours.

`Question`s have the interpreter's answers beside them; `answered` runs a script, which reads folders and token ids as
JSON, opens each folder with the host's own classes, and prints for each input the best value of each output.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rasp
from compiler.model import Transformer
from compiler.pipeline import Compiled
from tests.inputs import short
from tests.places import PROGRAMS

TWO = 'o = selector_width(select(tokens, tokens, ==));\np = tokens + "!";'
ASKED = """
import itertools, json, sys

for line in sys.stdin:
    results = []
    for folder, inputs in json.loads(line):
        run, sizes = opened(folder)
        ends = list(itertools.accumulate(sizes))
        answers = []
        for size in (1, 2, 77):  # one at a time, in pairs, in large batches; each input once in each
            found = []
            for start in range(0, len(inputs), size):
                batch = inputs[start : start + size]
                width = max(map(len, batch))
                ids = [row + [0] * (width - len(row)) for row in batch]
                mask = [[1] * len(row) + [0] * (width - len(row)) for row in batch]
                for row, logits in zip(batch, run(ids, mask)):
                    parts = [logits[: len(row), end - values : end] for end, values in zip(ends, sizes)]
                    found.append([part.argmax(-1).tolist() for part in parts])
            answers.append(found)
        assert answers[0] == answers[1] == answers[2]
        results.append(answers[0])
    print(json.dumps(results))
"""
"""The rest of a script that defines `opened`: of a folder, what gives logits [batch, position, value] for rows of token
ids and of a mask, and how many values each output has."""
SHORT, RANDOM = 120, 200
"""All inputs of the lengths that fit into `SHORT`, and so many random ones."""


@dataclass(frozen=True)
class Question:
    """An input, and the interpreter's answer to it: for each output a list of values."""

    ids: list[int]
    answer: list[list[Any]]


def compiled(program: str, output: Sequence[str] | None = None, **settings: Any) -> Compiled:
    """A program of the library by name, or a text."""
    import compiler

    parsed = rasp.parse(program) if ";" in program else rasp.load(PROGRAMS / f"{program}.rasp")
    return compiler.compile(parsed, output, **settings)


def questions(made: Compiled) -> list[Question]:
    """Short and random inputs on which the interpreter has an answer and that the program is meant for."""
    found = (_question(made, tokens) for tokens in _inputs(made))
    return [question for question in found if question is not None]


def _inputs(made: Compiled) -> Iterator[tuple[Any, ...]]:
    vocabulary, longest = made.setting.vocabulary, made.setting.max_length
    yield from short(vocabulary, longest, SHORT)
    rng = random.Random(3)
    for _ in range(RANDOM):
        few = rng.choices(vocabulary, k=rng.randint(1, len(vocabulary)))
        yield tuple(rng.choices(few, k=rng.randint(1, longest)))


def _question(made: Compiled, tokens: tuple[Any, ...]) -> Question | None:
    program = made.program
    try:
        if not all(all(program[name](tokens)) for name in program.settings.requires or ()):
            return None
        answer = [program[output.name](tokens) for output in made.model.config.outputs]
    except rasp.RaspError:
        return None
    return Question(made.model.encode(tokens), answer)


def answered(script: str, folders: Sequence[Path], asked: Sequence[list[Question]]) -> list[list[list[list[int]]]]:
    """What the script prints: folder, input, output, and there the index of the best value at each position."""
    given = [[str(folder), [question.ids for question in one]] for folder, one in zip(folders, asked, strict=True)]
    check = "\nimport sys\nassert not {'compiler', 'rasp'} & set(sys.modules)\n"
    done = subprocess.run(
        [sys.executable, "-I", "-c", script + check],
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def decoded(model: Transformer, answer: list[list[int]]) -> list[list[Any]]:
    """The values of the best logits."""
    return [[output.values[choice] for choice in row] for output, row in zip(model.config.outputs, answer, strict=True)]


def require_right(made: Sequence[Compiled], folders: Sequence[Path], script: str) -> None:
    """Every answer is the interpreter's: all short inputs, and the random ones."""
    asked = [questions(one) for one in made]
    for one, some, found in zip(made, asked, answered(script, folders, asked), strict=True):
        assert len(some) > 100, "few inputs have an answer"
        for question, answer in zip(some, found, strict=True):
            assert decoded(one.model, answer) == question.answer, (one.program.source.name, question.ids)


def card_code(folder: Path) -> str:
    """The Python code of a model card."""
    text = (folder / "README.md").read_text()
    return text.split("```python\n")[1].split("```")[0]


def card_prints(folder: Path) -> str:
    """What the code of a model card prints, run inside its folder."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", card_code(folder)], capture_output=True, text=True, cwd=folder, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
