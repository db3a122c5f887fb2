"""Generation in constant time: a causal circuit as a recurrence, one step a token, the same work at every position.

In: the `Plan` of a causal circuit. Out: `Recurrence`, which is written as one Python function, `step(token, position)`;
`RecurrentReading`, which reads on as `compiler.model.Reading` does. What heads that cross need of a source is kept
before the first token, by the same rules: what they read there comes from the encoder's plan.
What a head needs of the past is kept, not searched: counts and sums of what it selects so far, the last value for each
number that a query can ask for, the values of all positions where it looks at one of them. A staircase of neurons is a
table of its values. Only a head that is known by its scores alone scores all keys again.
Invariant: a number of the stream is that of the exact circuit, but for the rounding of float64 and the errors of what
is read of a source; what a staircase gives, and what is added to an offset (C19), is that number again. So the plan's
certificate, whose errors are larger, holds.

    >>> import compiler, rasp
    >>> from compiler.runtime.fast.plan import plan
    >>> program = rasp.parse("seen = selector_width(select(tokens, tokens, ==));")
    >>> compiled = compiler.compile(program, vocab="abcd", max_length=4, attention="causal")
    >>> print(*Recurrence(plan(compiled.circuit)).source.splitlines()[-4:-1], sep="\\n")
            k0[t0] = k0.get(t0, 0.0) + 1.0
            r1 = k0.get(t0, 0.0)
            return (r1, )
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np
from torch import Tensor

from compiler.circuit.circuit import Output
from compiler.circuit.decoding import logits
from compiler.model import NotFiniteError, Reader, Transformer
from compiler.numbers.direction import ONE, Direction, Form
from compiler.runtime.fast.kept import Nearest
from compiler.runtime.fast.plan import Plan
from compiler.runtime.fast.source import Numbers
from compiler.runtime.fast.writer import Writer

Next: TypeAlias = Callable[[int, int], tuple[float, ...]]
Crossed: TypeAlias = Sequence[Sequence[float]]
"""What heads that cross read of a source, `Recurrence.keys`, at each of its positions."""
MOST_CODES = 64
"""A head that tells more classes of keys apart is not written as a recurrence."""


class Recurrence:
    """A causal circuit as a function of the next token and its position, which keeps what it needs of the past."""

    def __init__(self, plan: Plan) -> None:
        circuit = plan.circuit
        writer = Writer(plan)
        self.source = writer.text()
        names = dict(writer.names)
        exec(compile(self.source, "<recurrence>", "exec"), names)
        self._begin: Callable[[Crossed], Next] = names["begin"]
        self.keys = tuple(writer.crossing.forms)
        self._unembedding: list[Numbers] = []
        self._outputs: dict[str, tuple[slice, Nearest]] = {}
        end = 0
        for output in circuit.outputs:
            start, end = end, end + len(output.digits)
            numbers = [tuple(map(float, code)) for _, code in output.codes]
            self._outputs[output.name] = slice(start, end), Nearest(numbers, range(len(numbers)))
            self._unembedding.append(_unembedding(output, circuit.precision.logit_gap))

    def begin(self, source: Crossed = ()) -> Next:
        """The step of a new text: for a token id and its position (the first is 0), all digits of all outputs."""
        return self._begin(source)

    def nearest(self, output: str, digits: tuple[float, ...]) -> int:
        """The number of the value of an output that is nearest to its digits (C10)."""
        own, values = self._outputs[output]
        found: int = values[digits[own] if own.stop - own.start > 1 else digits[own.start]]
        return found

    def logits(self, digits: tuple[float, ...]) -> list[float]:
        """The logits of all outputs, [d_vocab_out]."""
        found: list[float] = []
        for (own, _), matrix in zip(self._outputs.values(), self._unembedding, strict=True):
            found += (np.array([*digits[own], 1.0]) @ matrix).tolist()
        return found


def recurrence(plan: Plan) -> Recurrence | str:
    """A plan as a recurrence; where that would be long, why."""
    if not plan.circuit.causal:
        return "a bidirectional model has no recurrence: each new token would change the answers before it"
    for step in itertools.chain.from_iterable(layer.steps for layer in plan.layers):
        if math.prod(map(len, step.selection.classes)) > MOST_CODES:
            return f"{step.name} tells more than {MOST_CODES} classes of keys apart"
    return Recurrence(plan)


def _unembedding(output: Output, logit_gap: int) -> Numbers:
    """The logits of an output as a function of its digits and 1, [digit + 1, value]."""
    digits = [Direction(str(number)) for number in range(len(output.digits))]
    found = logits(replace(output, digits=tuple(map(Form.of, digits))), logit_gap)
    return np.array([found[direction].floats for direction in (*digits, ONE)])


class RecurrentReading(Reader):
    """A compiled model that reads on, one step a token, behind a source if there is one: what `compiler.model.Reading`
    does with a cache."""

    def __init__(self, recurrence: Recurrence, model: Transformer, source: Crossed = ()) -> None:
        super().__init__(model, model.config.max_length)
        self.recurrence = recurrence
        self.step = recurrence.begin(source)

    def _digits(self, ids: Sequence[int]) -> tuple[float, ...]:
        """All digits of all outputs behind these further tokens."""
        start = self.advance(ids)
        try:
            for position, token in enumerate(ids, start=start):
                digits = self.step(token, position)
        except (OverflowError, ValueError):  # of what is rounded, or looked up
            raise NotFiniteError("the numbers", position) from None
        return digits

    def read(self, ids: Sequence[int]) -> Tensor:
        """The logits [d_vocab_out] behind these further tokens."""
        return self.model.unembed.W_U.new_tensor(self.recurrence.logits(self._digits(ids)))

    def best(self, ids: Sequence[int], output: str) -> int:
        """The number of the value of an output that is the best behind these further tokens."""
        digits = self._digits(ids)
        try:
            return self.recurrence.nearest(output, digits)
        except OverflowError:
            raise NotFiniteError(f"the logits of {output}", self.length - 1) from None
