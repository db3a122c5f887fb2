"""Verification: a host's own forward pass against the interpreter, and against the native model's logits.

In: a native model, whose labels hold its program, and a host's `Forward`. Out: `Verification`, or a refusal.
Invariants: no difference from the interpreter on the sample; the host's rounding takes away a small part of what the
best logit leads by, so that other inputs have room.

    244 inputs equal the interpreter's; logits within 2.0e-03 of the native model's; 0.01% of a lead used
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from compiler.graph.witness import Case
from compiler.model import ModelError, Scalar, Transformer
from compiler.pipeline import Compiled
from compiler.runtime.origin import program_of
from compiler.trust.compare.inputs import awkward, chunks, of_length, random_input
from compiler.trust.compare.shrinking import smallest
from compiler.trust.compare.stages import Rows
from compiler.trust.compare.subject import Batch, Subject
from rasp.settings import token_text
from rasp.text.source import counted

if TYPE_CHECKING:
    from compiler.hosts import Forward

SHORT, LONGEST = 100, 512
"""At most so many short inputs, shortest first; the other inputs are at most so long."""
SEARCHED = 20
"""How many times as many inputs are looked at where `requires` leaves some out."""
ROOM = 8
"""The bound on the logits' error is at least so many times the largest one seen."""
LEAST_BOUND = 2.0**-21
"""And at least this part of the largest logit: a few steps of float32."""
MOST_USED = 1 / 8
"""The largest part of a lead that rounding may take away on the sample."""
CHUNK = 64


@dataclass(frozen=True)
class Verification:
    """What was compared, and how well it agreed. Logits in nats."""

    inputs: int  # inputs whose answers equal the interpreter's
    skipped: int  # inputs on which the interpreter has no answer
    difference: float  # largest distance of a logit of the host from the native model's
    bound: float  # no logit is further from the native model's than this
    lead: float | None  # least distance between the best logit and another; None where there is one value only
    used: float  # largest part of such a distance that the host's rounding takes away

    def to_json(self) -> dict[str, Any]:
        """For the record."""
        return asdict(self)

    def __str__(self) -> str:
        equal = "equals" if self.inputs == 1 else "equal"
        return (
            f"{counted(self.inputs, 'input')} {equal} the interpreter's; "
            f"logits within {self.bound:.1e} of the native model's; {self.used:.2%} of a lead used"
        )


def narrowed(model: Transformer, output: str | None, several: bool) -> Transformer:
    """The model with one output, the named one, else what a target is written with, or the first one; with all of them
    if several are allowed and none is named."""
    if model.config.encoder is not None and not several:
        output = output or model.config.generate
    start, chosen = model.config.slice(output)
    if len(model.config.outputs) == 1 or (several and output is None):
        return model
    generate = chosen.name if model.config.generate == chosen.name else None
    result = Transformer(replace(model.config, outputs=(chosen,), generate=generate))
    state = dict(model.state_dict())
    state["unembed.W_U"] = state["unembed.W_U"][:, start : start + len(chosen.values)]
    result.load_state_dict(state)
    result.labels = model.labels
    return result.eval()


def verify(model: Transformer, forward: Forward, name: str, samples: int = 100, seed: int = 0) -> Verification:
    """Compare on short, random and awkward inputs.

    Raises `ModelError` where the host answers differently, or is too coarse to promise an answer.
    """
    watch = _Runs(model, forward)
    program = program_of(model).replace(output=[output.name for output in model.config.outputs])
    subject = Subject(Compiled(program), {name: watch.answers}, lambda: model)
    tried = skipped = 0
    for inputs in chunks(_sample(subject, samples, random.Random(seed)), CHUNK):
        finding = subject.compare(Batch(inputs, (name,)))
        if finding.wrong is not None:
            difference = replace(smallest(subject, finding.wrong), place=None)
            raise ModelError(f"the host {name} does not carry this program: {difference}", SUGGESTION)
        tried, skipped = tried + finding.tried, skipped + finding.skipped
    if not tried:
        raise ModelError("no input was found that meets `requires`", "compile with a `requires` that more inputs meet")
    if tried < 2 * skipped:
        raise ModelError(f"the program has an answer on {tried - skipped} of {tried} inputs only", "use `requires`")
    return watch.verification(name, tried - skipped, skipped)


SUGGESTION = "its arithmetic is too coarse for it; compile with a smaller max_length, or choose another host"


def _sample(subject: Subject, samples: int, rng: random.Random) -> Iterator[Case]:
    """Inputs the program means."""
    vocabulary, longest = subject.setting.vocabulary, min(subject.setting.max_length, LONGEST)
    short = (tokens for length in range(1, longest + 1) for tokens in of_length(vocabulary, length))
    endless = (random_input(vocabulary, longest, rng) for _ in itertools.count())
    for inputs, most in (
        (short, SHORT),
        (endless, samples),
        (dict.fromkeys(awkward(vocabulary, longest, rng)), SHORT),
    ):
        looked_at = map(Case, itertools.islice(inputs, SEARCHED * most))
        meant = (one for some in chunks(looked_at, CHUNK) for one in subject.meant(some))
        yield from itertools.islice(meant, most)


class Watch:
    """Looks at the logits of a host and of the native model side by side, and remembers how far they differ."""

    def __init__(self, model: Transformer) -> None:
        self.model = model
        self.difference = 0.0
        self.largest = 0.0
        self.lead = math.inf
        self.used = 0.0

    def look(self, host: Tensor, ours: Tensor) -> dict[str, list[Scalar]]:
        """The host's best values of each output at each position of one input; both logits are [n, d_vocab_out]."""
        host, ours = host.double().cpu(), ours.double().cpu()
        if host.shape != ours.shape:
            raise ModelError(f"the host gives logits of shape {tuple(host.shape)}, not {tuple(ours.shape)}")
        self.difference = max(self.difference, _most((host - ours).abs()))
        self.largest = max(self.largest, _most(ours.abs()))
        outputs = self.model.config.outputs
        sizes = [len(output.values) for output in outputs]
        found = {}
        parts = zip(outputs, torch.split(host, sizes, -1), torch.split(ours, sizes, -1), strict=True)
        for output, own, native in parts:
            self._compare_leads(own, native)
            found[output.name] = [output.values[choice] for choice in own.argmax(-1).tolist()]
        return found

    def _compare_leads(self, own: Tensor, native: Tensor) -> None:
        """How far the native model's best logit is above each other one, and how much of that the host changes."""
        best = native.argmax(-1, keepdim=True)
        lead, there = native.gather(-1, best) - native, own.gather(-1, best) - own
        others = lead.new_ones(lead.shape).scatter_(-1, best, 0).bool()
        if bool(others.any()):
            self.lead = min(self.lead, -_most(-there[others]))
            self.used = max(self.used, _most(((there - lead).abs() / lead)[others]))

    def verification(self, name: str, inputs: int, skipped: int) -> Verification:
        """The result. Raises `ModelError` where rounding takes too much of a lead."""
        if not (self.used <= MOST_USED and math.isfinite(self.difference)):
            raise ModelError(
                f"the host {name} is too coarse for this program: where a logit is to be the best one, rounding takes "
                f"away {self.used:.0%} of its lead",
                SUGGESTION,
            )
        bound = 2.0 ** math.ceil(math.log2(max(ROOM * self.difference, LEAST_BOUND * self.largest, LEAST_BOUND)))
        lead = self.lead if math.isfinite(self.lead) else None
        return Verification(inputs, skipped, self.difference, bound, lead, self.used)


class _Runs(Watch):
    """Runs a host and the native model, and decodes what the host answers."""

    def __init__(self, model: Transformer, forward: Forward) -> None:
        super().__init__(model)
        self.forward = forward

    def answers(self, inputs: Sequence[Case]) -> dict[str, Rows]:
        """The host's answers: a stage of `compiler.trust.compare`."""
        encoded = [self.model.encode([token_text(token) for token in one.tokens]) for one in inputs]
        found: dict[str, Rows] = {output.name: [] for output in self.model.config.outputs}
        for ids, host, ours in zip(encoded, self.forward(encoded), self.model._logits(encoded), strict=True):
            for name, values in self.look(host, ours[: len(ids)]).items():
                found[name].append(values)
        return found


def _most(numbers: Tensor) -> float:
    """The largest number; what is no number is infinitely large."""
    value = float(numbers.max())
    return math.inf if math.isnan(value) else value
