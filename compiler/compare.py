"""Checking: every stage against the interpreter, on all short inputs, random ones and awkward ones.

In: a program or a checkpoint folder. Out: `Report`: how many inputs, how many skipped, the first difference, shrunk.
Invariants: the interpreter runs the program as written, never a simplified one; inputs on which it raises are skipped
and counted, and a check that skips more than half fails.

    363 short inputs, 1000 random, 40 awkward: graph, circuit, weights and model agree with the interpreter
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import rasp
from compiler.model import Scalar, Transformer
from compiler.pipeline import Compiled
from compiler.witness import is_meant
from rasp import Program, RaspError, evaluate
from rasp.settings import token_text
from rasp.value import Value, to_python

Input: TypeAlias = tuple[Value, ...]
Answers: TypeAlias = dict[str, list[Scalar]]
Stage: TypeAlias = Callable[[Sequence[Input]], list[Answers]]
Progress: TypeAlias = Callable[[int, int], None]

CIRCUIT_TOKENS = 600
"""The exact simulation of the circuit is slow, so it sees inputs of about this many tokens in all."""
CHUNK = 256
SEARCHED = 20
"""How many times as many inputs are looked at where `requires` leaves some out."""


@dataclass(frozen=True)
class Difference:
    """The smallest input found on which a stage differs from the interpreter."""

    stage: str
    output: str
    tokens: Input
    expected: list[Scalar]
    found: list[Scalar]

    def __str__(self) -> str:
        tokens = " ".join(map(str, self.tokens))
        return (
            f"{self.stage} differs from the interpreter in {self.output}\n"
            f"  input        {tokens}\n  interpreter  {self.expected}\n  {self.stage:<11}  {self.found}"
        )


@dataclass
class Report:
    """What a check found."""

    stages: list[str]
    short: int = 0
    random: int = 0
    awkward: int = 0
    skipped: int = 0
    reason: str = ""
    differences: list[Difference] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """No difference, and at least half of the inputs had an answer to compare."""
        return not self.differences and 2 * self.skipped <= self.short + self.random + self.awkward

    def __str__(self) -> str:
        counts = f"{self.short} short inputs, {self.random} random, {self.awkward} awkward"
        if self.skipped:
            counts += f" ({self.skipped} skipped, the interpreter has no answer: {self.reason})"
        if self.differences:
            return "\n".join([counts, *map(str, self.differences)])
        if not self.ok:
            return f"{counts}: too few had an answer to tell anything"
        agree = "agrees" if len(self.stages) == 1 else "agree"
        return f"{counts}: {', '.join(self.stages)} {agree} with the interpreter"


def check(
    target: Program | str | Path,
    samples: int = 1000,
    seed: int = 0,
    max_exhaustive: int = 400,
    progress: Progress | None = None,
) -> Report:
    """Check a program (every stage) or a checkpoint folder (its model) against the interpreter.

    `samples` random inputs of all lengths up to the longest, and at most `max_exhaustive` short ones: all of one length
    before the next length begins.
    """
    if isinstance(target, Program):
        compiled = Compiled(target)
        stages = _stages(compiled)
    else:
        compiled, model = _loaded(target)
        stages = {"model": _model_stage(model)}
    return _Check(compiled, stages, progress).run(samples, random.Random(seed), max_exhaustive)


def _loaded(folder: str | Path) -> tuple[Compiled, Transformer]:
    from compiler.checkpoint import load

    model = load(folder)
    program = rasp.parse(model.labels["program"]["source"]).replace(**model.labels["program"]["settings"])
    return Compiled(program), model


def _stages(compiled: Compiled) -> dict[str, Stage]:
    texts = {text: number for number, text in enumerate(compiled.setting.texts)}

    def ids(tokens: Input) -> list[int]:
        return [texts[token_text(token)] for token in tokens]

    def graph(inputs: Sequence[Input]) -> list[Answers]:
        return [_plain(compiled.graph.run(tokens)) for tokens in inputs]

    def circuit(inputs: Sequence[Input]) -> list[Answers]:
        return [_plain(compiled.circuit.run(ids(tokens))) for tokens in inputs]

    def weights(inputs: Sequence[Input]) -> list[Answers]:
        values = {output.name: output.values for output in compiled.model.config.outputs}
        found = [compiled.weights.run(ids(tokens)) for tokens in inputs]
        return [{name: [values[name][i] for i in best] for name, best in row.items()} for row in found]

    return {"graph": graph, "circuit": circuit, "weights": weights, "model": _model_stage(compiled.model)}


def _model_stage(model: Transformer) -> Stage:
    def run(inputs: Sequence[Input]) -> list[Answers]:
        texts = [[token_text(token) for token in tokens] for tokens in inputs]
        found = {output.name: model.run_batch(texts, output.name) for output in model.config.outputs}
        return [{name: rows[i] for name, rows in found.items()} for i in range(len(inputs))]

    return run


def _plain(answers: dict[str, list[Value]]) -> Answers:
    return {name: [to_python(value) for value in values] for name, values in answers.items()}


class _Check:
    def __init__(self, compiled: Compiled, stages: dict[str, Stage], progress: Progress | None) -> None:
        self.compiled = compiled
        self.stages = stages
        self.progress = progress or (lambda done, total: None)
        self.report = Report(list(stages))
        self.exact_tokens = 0

    def run(self, samples: int, rng: random.Random, max_exhaustive: int) -> Report:
        setting = self.compiled.setting
        given = setting.vocabulary, setting.max_length
        short = list(itertools.islice(self._meant(_short(*given, SEARCHED * max_exhaustive)), max_exhaustive))
        endless = (_random(*given, rng) for _ in range(SEARCHED * samples))
        drawn = list(itertools.islice(self._meant(endless), samples))
        awkward = list(self._meant(dict.fromkeys(_awkward(*given, rng))))
        self.report.short, self.report.random, self.report.awkward = len(short), len(drawn), len(awkward)
        inputs = short + drawn + awkward
        for start in range(0, len(inputs), CHUNK):
            self._compare(inputs[start : start + CHUNK])
            self.progress(min(start + CHUNK, len(inputs)), len(inputs))
            if self.report.differences:
                break
        return self.report

    def _meant(self, inputs: Iterable[Input]) -> Iterator[Input]:
        return (tokens for tokens in inputs if is_meant(self.compiled.program, tokens))

    def _compare(self, inputs: Sequence[Input]) -> None:
        known = [(tokens, answers) for tokens in inputs if (answers := self._expected(tokens)) is not None]
        self.report.skipped += len(inputs) - len(known)
        for name, stage in self.stages.items():
            seen = [tokens for tokens, _ in known]
            if name == "circuit":
                seen = list(self._few(seen))
            for (tokens, expected), found in zip(known, stage(seen), strict=False):
                if wrong := next((o for o in expected if expected[o] != found[o]), None):
                    self.report.differences.append(self._shrunk(name, wrong, tokens))
                    return

    def _few(self, inputs: Iterable[Input]) -> Iterator[Input]:
        for tokens in inputs:
            self.exact_tokens += len(tokens)
            if self.exact_tokens > CIRCUIT_TOKENS:
                return
            yield tokens

    def _expected(self, tokens: Input) -> Answers | None:
        causal = self.compiled.setting.causal
        try:
            exact = evaluate(list(self.compiled.sop.values()), tokens, causal=causal)
            return _plain(dict(zip(self.compiled.sop, exact, strict=True)))
        except RaspError as problem:
            self.report.reason = self.report.reason or problem.diagnostics[0].message
            return None

    def _shrunk(self, stage: str, output: str, tokens: Input) -> Difference:
        """Drop tokens, then replace them by the first of the vocabulary, as long as the stage still differs."""
        least = self.compiled.setting.vocabulary[0]
        while True:
            shorter = [tokens[:i] + tokens[i + 1 :] for i in range(len(tokens)) if len(tokens) > 1]
            plainer = [(*tokens[:i], least, *tokens[i + 1 :]) for i, token in enumerate(tokens) if token != least]
            smaller = next((found for found in shorter + plainer if self._differs(stage, output, found)), None)
            if smaller is None:
                break
            tokens = smaller
        expected = self._expected(tokens)
        assert expected is not None
        return Difference(stage, output, tokens, expected[output], self.stages[stage]([tokens])[0][output])

    def _differs(self, stage: str, output: str, tokens: Input) -> bool:
        expected = self._expected(tokens)
        return expected is not None and expected[output] != self.stages[stage]([tokens])[0][output]


def _short(vocabulary: Input, max_length: int, most: int) -> Iterator[Input]:
    """All inputs of length 1, 2, ... as long as a whole length fits; then a few of the next."""
    lengths = range(1, max_length + 1)
    yield from itertools.islice((t for n in lengths for t in itertools.product(vocabulary, repeat=n)), most)


def _random(vocabulary: Input, max_length: int, rng: random.Random) -> Input:
    """Half of the inputs draw from a few tokens only, so that repetitions occur."""
    few = rng.sample(vocabulary, min(len(vocabulary), rng.choice((1, 2, 3, len(vocabulary), len(vocabulary)))))
    return tuple(rng.choice(few) for _ in range(rng.randint(1, max_length)))


def _awkward(vocabulary: Input, max_length: int, rng: random.Random) -> Iterator[Input]:
    """All equal, one odd, sorted, reverse sorted; at the longest length and next to it."""
    for length in dict.fromkeys((max_length, max(1, max_length - 1), max(1, max_length // 2))):
        spread = tuple(vocabulary[i * len(vocabulary) // length] for i in range(length))
        yield from (spread, spread[::-1])
        for token in dict.fromkeys((vocabulary[0], vocabulary[-1], rng.choice(vocabulary))):
            same = (token,) * length
            odd = rng.choice(vocabulary)
            yield from (same, (odd, *same[1:]), (*same[1:], odd))
