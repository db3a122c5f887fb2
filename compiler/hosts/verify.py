"""Verification: a host's own forward pass against the interpreter, and against the native model's logits.

In: a native model, whose labels hold its program, and a host's `Forward`. Out: `Verification`, or a refusal.
Invariant: no difference from the interpreter on the sample; twice the bound on the logits' error is below the lead of
the best logit, so that no input within the bound can be decoded otherwise.

    340 inputs equal the interpreter's; logits within 2.4e-04 of the native model's, best one leads by 32.0
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

import rasp
from compiler.compare import Answers, Input, _Check
from compiler.model import Config, ModelError, Scalar, Transformer
from compiler.pipeline import Compiled
from rasp.settings import token_text

if TYPE_CHECKING:
    from compiler.hosts import Forward

SHORT = 100
"""At most so many short inputs, shortest first."""
ROOM = 8
"""The bound on the logits' error is at least so many times the largest one seen."""
LEAST_BOUND = 2.0**-12
CHUNK = 64


@dataclass(frozen=True)
class Verification:
    """What was compared, and how well it agreed. Logits in nats."""

    inputs: int  # inputs whose answers equal the interpreter's
    skipped: int  # inputs on which the interpreter has no answer
    difference: float  # largest distance of a host's logit from the native model's
    lead: float  # least distance between the best logit and the next
    bound: float  # no logit is further from the native model's than this

    def to_json(self) -> dict[str, Any]:
        """For the record."""
        return asdict(self) | {"lead": self.lead if math.isfinite(self.lead) else None}

    def __str__(self) -> str:
        return f"{self.inputs} inputs equal the interpreter's; logits within {self.bound:.1e} of the native model's" + (
            f", the best one leads by {self.lead:.1f}" if math.isfinite(self.lead) else ""
        )


def narrowed(model: Transformer, output: str | None, several: bool) -> Transformer:
    """The model with one output, the named or first one; with all of them if several are allowed and none is named."""
    start, chosen = model._slice(output)
    if len(model.config.outputs) == 1 or (several and output is None):
        return model
    from dataclasses import replace

    config: Config = replace(model.config, outputs=(chosen,))
    result = Transformer(config)
    state = dict(model.state_dict())
    state["unembed.W_U"] = state["unembed.W_U"][:, start : start + len(chosen.values)]
    result.load_state_dict(state)
    result.labels = model.labels
    return result.eval()


def program_of(model: Transformer) -> rasp.Program:
    """The program a model was compiled from, with the settings it was compiled under and the outputs that it has."""
    program = model.labels.get("program")
    if program is None:
        raise ModelError("the model does not say which program it is", "compile it, and export what `compile` returns")
    names = [output.name for output in model.config.outputs]
    return rasp.parse(program["source"]).replace(**{**program["settings"], "output": names})


def verify(model: Transformer, forward: Forward, name: str, samples: int = 100, seed: int = 0) -> Verification:
    """Compare. Raises `ModelError` where the host answers differently, or is too imprecise to promise an answer."""
    watch = _Watch(model, forward)
    compiled = Compiled(program_of(model))
    report = _Check(compiled, {name: watch.answers}, None).run(samples, random.Random(seed), SHORT)
    if not report.ok:
        raise ModelError(f"the host {name} does not carry this program: {report}", _SUGGESTION)
    return watch.verification(name, report.short + report.random + report.awkward - report.skipped, report.skipped)


_SUGGESTION = "its arithmetic is too coarse for it; compile with a smaller max_length, or choose another host"


class _Watch:
    """Runs host and native model side by side, decodes the host's answers and remembers how far the logits differ."""

    def __init__(self, model: Transformer, forward: Forward) -> None:
        self.model = model
        self.forward = forward
        self.difference = 0.0
        self.lead = math.inf

    def answers(self, inputs: Sequence[Input]) -> list[Answers]:
        """The host's answers: a stage of `compiler.compare`."""
        encoded = [self.model.encode([token_text(token) for token in tokens]) for tokens in inputs]
        found: list[Answers] = []
        for start in range(0, len(encoded), CHUNK):
            chunk = encoded[start : start + CHUNK]
            native = self.model._logits(chunk)
            for ids, logits, ours in zip(chunk, self.forward(chunk), native, strict=True):
                found.append(self._decoded(logits, ours[: len(ids)]))
        return found

    def _decoded(self, logits: Tensor, native: Tensor) -> Answers:
        if logits.shape != native.shape:
            raise ModelError(f"the host gives logits of shape {tuple(logits.shape)}, not {tuple(native.shape)}")
        logits = logits.double().cpu()
        self.difference = max(self.difference, _finite((logits - native.double().cpu()).abs().max()))
        answers: dict[str, list[Scalar]] = {}
        start = 0
        for output in self.model.config.outputs:
            own = logits[:, start : start + len(output.values)]
            start += len(output.values)
            if len(output.values) > 1:
                best = own.topk(2).values
                self.lead = min(self.lead, _finite((best[:, 0] - best[:, 1]).min()))
            answers[output.name] = [output.values[choice] for choice in own.argmax(-1).tolist()]
        return answers

    def verification(self, name: str, inputs: int, skipped: int) -> Verification:
        """The result. Raises `ModelError` where rounding could change an answer."""
        bound = (
            max(LEAST_BOUND, 2.0 ** math.ceil(math.log2(ROOM * self.difference))) if self.difference else LEAST_BOUND
        )
        if not 2 * bound < self.lead:
            raise ModelError(
                f"the host {name} is too coarse for this program: its logits are up to {self.difference:.1e} from the "
                f"native model's, and the best one leads by {self.lead:.1e}",
                _SUGGESTION,
            )
        return Verification(inputs, skipped, self.difference, self.lead, bound)


def _finite(number: Tensor) -> float:
    """As a float; what is no number is infinitely far away."""
    value = float(number)
    return math.inf if math.isnan(value) else value
