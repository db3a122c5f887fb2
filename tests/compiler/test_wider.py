"""A model runs in a wider dtype where that is certified, and nowhere else."""

from __future__ import annotations

import random

import pytest
import torch

import compiler
import rasp
from compiler.circuit.wider import also
from compiler.model import ModelError
from tests.fast.test_fast import LIBRARY, assert_interpreters_answers, compiled_at, inputs_of

SLOW = (pytest.mark.slow, pytest.mark.nightly)
SOME = ("shift", "histogram", "sort", "paper/shuffle_dyck", "words/word_chain")


@pytest.mark.parametrize("name", [name if name in SOME else pytest.param(name, marks=SLOW) for name in LIBRARY])
def test_what_is_certified_in_float64_is_right_there_and_the_rest_is_refused(name: str) -> None:
    compiled = compiled_at(name)
    model = compiled.model.double()
    if model.labels["certificate"]["also"]:
        assert_interpreters_answers(compiled, inputs_of(compiled, 20, random.Random(name)), model)
    else:
        with pytest.raises(ModelError, match="made for float32, and weights of it are in float64"):
            model(torch.tensor([[0]]))


def test_counts_that_an_offset_rounds_are_not_certified_and_neither_is_what_needs_exact_scores() -> None:
    circuits = [compiled_at(name).circuit for name in SOME]
    assert [bool(also(circuit)) for circuit in circuits] == [True, True, True, False, False]
    assert [bool(circuit.offsets) for circuit in circuits] == [False, False, False, True, False]


@pytest.mark.parametrize("dtype", ["float64", "bfloat16", "float16"])
def test_only_what_was_made_for_float32_is_looked_at(dtype: str) -> None:
    compiled = compiler.compile(rasp.parse("o = tokens;"), vocab="ab", max_length=4, dtype=dtype)
    assert compiled.certificate.ok and also(compiled.circuit) == ()


@pytest.mark.slow
def test_what_is_not_certified_at_all_is_not_certified_in_a_wider_dtype() -> None:
    text = """
        mean = aggregate(select(indices, indices, <=), indicator(tokens == "a"));
        o = aggregate(select(indices, indices, >=), mean);
    """
    compiled = compiler.compile(rasp.parse(text), vocab="ab", max_length=8, output="o", uncertified=True)
    assert not compiled.certificate.ok and compiled.model.labels["certificate"]["also"] == []
