"""Numbers stay finite: nothing that a certified model makes leaves the range of its dtype; `compile` and `verify` agree."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest
import torch
from torch.overrides import TorchFunctionMode

import compiler
import rasp
from compiler.model import Transformer
from compiler.pipeline import Compiled
from compiler.precision import PRECISIONS
from compiler.verify import verify_model
from rasp.sop import Aggregate, Constant, Map, Select, SOp
from rasp.value import to_python
from tests.random_programs import VOCABULARY, Programs

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


def everything(vocabulary: Sequence[object], length: int) -> list[tuple[object, ...]]:
    return [tokens for n in range(1, length + 1) for tokens in itertools.product(vocabulary, repeat=n)]


def plain(value: Any) -> Any:
    """A number as the float that a model gives: its values are floats where the program divides."""
    return value if isinstance(value, str) or abs(value) > 10**300 else float(value)


def answers(program: rasp.Program, tokens: Sequence[object]) -> list[Any] | None:
    try:
        return [plain(to_python(value)) for value in program[program.outputs[0]](tokens)]
    except rasp.RaspError:
        return None


REVERSED = "o = aggregate(select(indices, length - 1 - indices, ==), indices * {});"
SUM = 'o = length * aggregate(select(indices, indices, <=), {} * indicator(tokens == "0"));'
EQUAL = 'y = {} * indicator(tokens == "0") + indices; o = selector_width(select(y, y, ==));'
ORDER = "y = {} * indices; o = aggregate(select(y, y, <), 1, 0);"
STEPS = "y = {} * indices; o = 1 if y > {} else 0;"
SQUARE = "y = {} * indices; o = y * y;"
TINY = "o = aggregate(select(indices, length - 1 - indices, ==), indices / {});"
MEAN = 'o = aggregate(select(indices, indices, <=), {} * indicator(tokens == "0"));'
SIZES = {
    "float16": (3, 250, 1_000, 20_000, 70_000, 10**6),
    "bfloat16": (3, 10**6, 10**20, 10**37, 10**39),
    "float32": (3, 10**6, 10**12, 10**19, 10**29, 10**38, 10**39, 10**200),
    "float64": (3, 10**12, 10**150, 10**250, 10**307),
}
EDGES = [
    (source.replace("{}", str(size)), dtype)
    for dtype, sizes in SIZES.items()
    for source in (REVERSED, SUM, EQUAL, ORDER, STEPS, SQUARE, TINY, MEAN)
    for size in sizes
]


@pytest.mark.parametrize(("source", "dtype"), EDGES, ids=lambda value: value.replace("0" * 6, "~") if value else "")
def test_large_and_small_numbers_are_right_or_refused(source: str, dtype: str) -> None:
    program = rasp.parse(source).replace(vocab="012", max_length=5)
    compiled = Compiled(program, dtype=dtype, uncertified=True)
    if not compiled.certificate.ok:
        return
    model = compiled.model
    inputs = [tokens for tokens in everything("012", 4) if answers(program, tokens) is not None]
    found = [[plain(value) for value in row] for row in model.run_batch(inputs)]
    assert found == [answers(program, tokens) for tokens in inputs]
    require_finite(model, random.Random(0).sample(inputs, 20))
    assert "overflow" not in verify_model(model).reason
