"""Programs at 2,048 tokens: certified, and right on awkward and random inputs."""

from __future__ import annotations

import random

import pytest

import compiler
import rasp

LENGTH = 2_048
VOCABULARY = "abcdefgh"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["length", "histogram", "reverse", "shift", "sort"])
def test_certified_and_right_at_2048_tokens(name: str) -> None:
    program = rasp.load(f"programs/{name}.rasp").replace(vocab=VOCABULARY, max_length=LENGTH)
    compiled = compiler.compile(program)
    assert compiled.certificate.ok
    rng = random.Random(0)
    inputs = ["a" * LENGTH, "a" * (LENGTH - 1) + "h", "h" + "a" * (LENGTH - 1), "ab" * (LENGTH // 2)]
    inputs += ["".join(sorted(rng.choices(VOCABULARY, k=LENGTH))), "".join(rng.choices(VOCABULARY, k=LENGTH))]
    inputs += ["".join(rng.choices(VOCABULARY, k=length)) for length in (1, 2, 1_023, LENGTH - 1)]
    for tokens in inputs:
        assert compiled.model.run(tokens) == program[program.outputs[0]](tokens)
