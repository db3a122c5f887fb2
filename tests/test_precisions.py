"""Models in every dtype, run in that dtype on this machine, against the interpreter."""

from __future__ import annotations

import random

import pytest
import torch

import compiler
import rasp
from compiler.model import DTYPES
from compiler.numbers.precision import PRECISIONS

HALF = [
    ("histogram", "abcdefgh", 64, "float16"),
    ("reverse", "abcdefgh", 64, "float16"),
    ("sort", "abcdefgh", 64, "float16"),
    ("paper/dyck_1_ptf", None, 64, "float16"),
    ("histogram", "abcdefgh", 64, "bfloat16"),
    ("reverse", "abcdefgh", 64, "bfloat16"),
    ("sort", "abcdefgh", 64, "bfloat16"),
    ("paper/dyck_1_ptf", None, 64, "bfloat16"),
    ("sort", "abcdefgh", 16, "float64"),
    ("paper/dyck_2_ptf", None, 16, "float64"),
]


def test_the_machine_has_the_dtypes_that_the_compiler_knows() -> None:
    assert [*DTYPES] == [*PRECISIONS]
    for name, precision in PRECISIONS.items():
        facts = torch.finfo(DTYPES[name])
        assert facts.dtype == name
        assert (facts.eps, facts.max, facts.tiny) == (2 * precision.unit, precision.largest, precision.smallest)
        assert precision.is_half == (DTYPES[name].itemsize < torch.float32.itemsize)


@pytest.mark.parametrize(("name", "vocab", "length", "dtype"), HALF, ids=lambda value: str(value))
def test_a_certified_model_is_right_in_its_dtype(name: str, vocab: str | None, length: int, dtype: str) -> None:
    program = rasp.load(f"programs/{name}.rasp")
    compiled = compiler.compile(program, vocab=vocab, max_length=length, dtype=dtype)
    assert compiled.certificate.ok
    assert {parameter.dtype for parameter in compiled.model.parameters()} == {getattr(torch, dtype)}
    texts = list(compiled.model.config.vocabulary)
    rng = random.Random(5)
    inputs = [rng.choices(texts, k=rng.choice((1, 2, 3, length // 2, length - 1, length))) for _ in range(150)]
    inputs += [[text] * length for text in texts]
    inputs += [[texts[0]] * (length - 1) + [texts[-1]], [texts[-1]] + [texts[0]] * (length - 1)]
    expected = [program.replace(vocab=texts, max_length=length)[program.outputs[0]](tokens) for tokens in inputs]
    assert compiled.model.run_batch(inputs) == expected
    assert [compiled.model.run(tokens) for tokens in inputs[:20]] == expected[:20]


def test_a_program_that_a_dtype_cannot_carry_is_refused() -> None:
    """Means of 24 bits have neighbours closer than bfloat16 can tell apart."""
    source = 'o = aggregate(select(indices, indices, <=), indicator(tokens == "a"));'
    with pytest.raises(rasp.RaspError, match="rounding"):
        compiler.compile(rasp.parse(source), vocab="ab", max_length=24, dtype="bfloat16")
    assert compiler.compile(rasp.parse(source), vocab="ab", max_length=24).certificate.ok
