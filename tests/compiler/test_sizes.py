"""Numbers stay finite: nothing in a certified model leaves the range of its dtype; `compile` and `verify` agree."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode

import compiler
import rasp
from compiler.model import Transformer
from compiler.numbers.precision import FLOAT16, FLOAT32, PRECISIONS
from compiler.pipeline import Compiled
from compiler.trust.verify import verify_model
from rasp.value import to_python
from tests.inputs import every
from tests.library import LIBRARY

HALF = ("float16", "bfloat16")


class Finite(TorchFunctionMode):
    """Every result must be finite; a score may be too far below zero, but not the best of its query."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is torch.nn.functional.scaled_dot_product_attention:
            scores = args[0] @ args[1].transpose(-1, -2)
            causal = (kwargs or {}).get("is_causal")
            allowed = torch.ones(scores.shape[-2:], dtype=torch.bool)
            scores = scores.masked_fill(~(allowed.tril() if causal else allowed), -torch.inf)
            assert scores.amax(-1).isfinite().all(), "a score"
        if isinstance(result, torch.Tensor) and result.is_floating_point():
            assert result.isfinite().all(), func
        return result


def require_finite(model: Transformer, inputs: Iterable[Sequence[object]]) -> None:
    """Run a model on inputs, one at a time, and look at everything that it computes."""
    for tokens in inputs:
        ids = torch.tensor([model.encode(tokens)])
        with torch.no_grad():
            logits = model(ids)
            with Finite():
                assert model(ids).equal(logits)


def plain(value: Any) -> Any:
    """A number as the float that a model gives: its values are floats where the program divides."""
    try:
        return value if isinstance(value, str) else float(value)
    except OverflowError:
        return value


def answers(program: rasp.Program, tokens: Sequence[object]) -> list[Any] | None:
    try:
        return [plain(to_python(value)) for value in program[program.outputs[0]](tokens)]
    except rasp.RaspError:
        return None


REVERSED = "o = aggregate(select(indices, length - 1 - indices, ==), {} * indices);"
SUM = 'o = length * aggregate(select(indices, indices, <=), {} * indicator(tokens == "0"));'
EQUAL = 'y = {} * indicator(tokens == "0") + indices; o = selector_width(select(y, y, ==));'
ORDER = "y = {} * selector_width(select(tokens, tokens, ==)); o = aggregate(select(y, y, <), 1, 0);"
STEPS = "y = {} * indices; o = 1 if y > {} else 0;"
SQUARE = "y = {} * indices; o = y * y;"
TINY = "o = aggregate(select(indices, length - 1 - indices, ==), indices / {});"
MEAN = 'o = aggregate(select(indices, indices, <=), {} * indicator(tokens == "0"));'
SOURCES = (REVERSED, SUM, EQUAL, ORDER, STEPS, SQUARE, TINY, MEAN)
SIZES = {"float16": (250, 20_000), "bfloat16": (10**37,), "float32": (10**29, 10**38), "float64": (10**307,)}
MORE = {
    "float16": (3, 1_000, 70_000, 10**6),
    "bfloat16": (3, 10**6, 10**20, 10**39),
    "float32": (3, 10**6, 10**12, 10**19, 10**39, 10**200),
    "float64": (3, 10**12, 10**150, 10**250),
}


def require_right_or_refused(source: str, dtype: str) -> bool:
    """On all short inputs, and with every number finite; whether it is certified."""
    program = rasp.parse(source).replace(vocab="012", max_length=5)
    compiled = Compiled(program, dtype=dtype, uncertified=True)
    if not compiled.certificate.ok:
        return False
    model = compiled.model
    inputs = [tokens for tokens in every("012", 4) if answers(program, tokens) is not None]
    for run in (model.run_batch, compiled.fast.run_batch):
        found = [[plain(value) for value in row] for row in run(inputs)]
        assert found == [answers(program, tokens) for tokens in inputs]
    require_finite(model, random.Random(0).sample(inputs, 10))
    assert "overflow" not in verify_model(model).reason
    return True


@pytest.mark.parametrize("dtype", SIZES)
@pytest.mark.parametrize("source", SOURCES)
def test_numbers_at_the_edge_of_a_dtype_are_right_or_refused(source: str, dtype: str) -> None:
    for size in SIZES[dtype]:
        require_right_or_refused(source.replace("{}", str(size)), dtype)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", MORE)
@pytest.mark.parametrize("source", SOURCES)
def test_large_and_small_numbers_are_right_or_refused(source: str, dtype: str) -> None:
    certified = [require_right_or_refused(source.replace("{}", str(size)), dtype) for size in MORE[dtype]]
    assert certified[0] or dtype in HALF, "small numbers are nothing special"


def test_a_program_that_overflowed_is_right_on_every_input() -> None:
    source = "y = indices * 20000; x = aggregate(select(indices, length - 1 - indices, ==), y);"
    program = rasp.parse(source).replace(vocab="012", max_length=6, output="x")
    compiled = compiler.compile(program, dtype="float16")
    inputs = [tokens for tokens in every("012", 6) if answers(program, tokens) is not None]
    assert len(inputs) == 1092
    assert compiled.model.run_batch(inputs) == [answers(program, tokens) for tokens in inputs]
    assert verify_model(compiled.model).ok


def refused(source: str, dtype: str) -> rasp.Diagnostic:
    with pytest.raises(rasp.RaspError) as error:
        compiler.compile(rasp.parse(source), vocab="012", max_length=5, dtype=dtype)
    (diagnostic,) = error.value.diagnostics
    return diagnostic


def test_a_refusal_says_which_numbers_are_too_large_and_what_helps() -> None:
    """A difference of counts is multiplied by what tells keys apart."""
    source = ORDER.replace("{}", "20000")
    diagnostic = refused(source, "float16")
    assert diagnostic.code == "not-certified"
    assert diagnostic.message == (
        "the program's numbers may be too large for float16: "
        "L1 heads: numbers up to 6.42e+06, where 6.55e+04 is the largest"
    )
    assert diagnostic.hint is not None and diagnostic.hint.startswith("it compiles with --dtype float32 (")
    assert "max_length 2 (" in diagnostic.hint
    assert compiler.compile(rasp.parse(source), vocab="012", max_length=5).certificate.ok


def test_a_refusal_offers_no_dtype_that_would_not_do() -> None:
    """A mean that large is compiled and right, its ranks being decoded; a difference of counts is not."""
    assert compiler.compile(
        rasp.parse(MEAN.replace("{}", str(10**308))), vocab="012", max_length=5, dtype="float64"
    ).certificate.ok
    diagnostic = refused(ORDER.replace("{}", str(10**304)), "float64")
    assert "too large for float64" in diagnostic.message
    assert diagnostic.hint is not None and "dtype" not in diagnostic.hint


def test_a_certificate_has_the_size_of_every_sublayer() -> None:
    compiled = compiler.compile(rasp.load("programs/sort.rasp"), dtype="float16")
    sizes = compiled.certificate.to_json()["sizes"]
    assert [size["what"] for size in sizes][:3] == ["embedding", "L0 heads", "L0 neurons"]
    assert sizes[-1]["what"] == "logits" and all(0 < size["size"] <= size["limit"] == 65504 for size in sizes)


def test_sizes_are_no_smaller_than_the_weights_and_the_stream() -> None:
    for name, dtype in (("sort", "float32"), ("histogram", "float16"), ("paper/dyck_1_ptf", "bfloat16")):
        compiled = Compiled(LIBRARY[name].program.replace(max_length=8), dtype=dtype)
        largest = max(size.size for size in compiled.certificate.sizes)
        assert largest >= max(float(abs(tensor).max()) for tensor in compiled.weights.tensors.values())
        ids = torch.randint(len(compiled.model.config.vocabulary), (50, 8))
        assert largest >= max(float(stream.detach().abs().max()) for stream in compiled.model.residuals(ids))


@pytest.mark.parametrize("name", PRECISIONS)
def test_a_precision_holds_what_its_dtype_holds(name: str) -> None:
    """Powers of two and odd multiples around every end; subnormal numbers are nothing to rely on."""
    precision, dtype = PRECISIONS[name], getattr(torch, name)
    limits = torch.finfo(dtype)
    assert (precision.smallest, precision.largest) == (limits.tiny, limits.max)
    for exponent in {
        *range(precision.lowest - 2, precision.lowest + 3),
        *range(precision.highest - 2, precision.highest + 1),
    }:
        for odd in (1, 3, (1 << precision.bits) - 1, (1 << precision.bits) + 1):
            number = Fraction(odd) * Fraction(2) ** (exponent - odd.bit_length() + 1)
            held = torch.tensor(float(number), dtype=torch.float64).to(dtype)
            exactly = bool(held.isfinite()) and Fraction(float(held)) == number and abs(held) >= limits.tiny
            assert precision.holds(number) == exactly, (odd, exponent)
            assert precision.holds(-number) == exactly


def test_what_is_too_small_for_a_dtype_is_not_exact() -> None:
    assert FLOAT32.stores(3, 2.0**-20) and not FLOAT16.stores(2.0**-18, 2.0**-20)
    assert FLOAT16.rounding(2.0**-20) == 2.0**-25 and FLOAT16.rounding(0.0) == 0.0


@pytest.mark.slow
@pytest.mark.nightly
@pytest.mark.parametrize("dtype", HALF)
@pytest.mark.parametrize("name", LIBRARY)
def test_what_compile_certifies_verify_does_not_call_too_large(name: str, dtype: str) -> None:
    compiled = Compiled(LIBRARY[name].program, dtype=dtype, uncertified=True)
    if not compiled.certificate.ok:
        assert compiled.certificate.overflow or not compiled.certificate.tightest.holds
        return
    assert "overflow" not in verify_model(compiled.model).reason
    rng, texts = random.Random(0), compiled.model.config.vocabulary
    inputs = [rng.choices(texts, k=rng.randint(1, compiled.setting.max_length)) for _ in range(20)]
    require_finite(compiled.model, [tokens for tokens in inputs if _answered(compiled, tokens)])


def _answered(compiled: Compiled, texts: Sequence[str]) -> bool:
    """Whether the interpreter has an answer to an input that is meant."""
    by_text = dict(zip(compiled.model.config.vocabulary, compiled.setting.vocabulary, strict=True))
    tokens = [by_text[text] for text in texts]
    names = (*compiled.program.settings.requires, *compiled.program.outputs)
    try:
        values = [compiled.program[name](tokens) for name in names]
    except rasp.RaspError:
        return False
    return all(all(row) for row in values[: len(compiled.program.settings.requires)])
