"""Stages: what answers inputs beside the interpreter: every form that the passes make, the model, the fast path.

In: a compiled program, or a model. Out: `Stage`s by name, functions from inputs to the values of each output; of a
model with an encoder, to the targets that it writes as well.
Invariants: the names are those of `pipeline.PASSES`, in their order, so that the first that differs names the pass that
is wrong; the stage "analysis" has claims instead of answers, and a form that is no stage has no answers to give.

    stages_of(compiled)["circuit"]([Case(("c", "a", "b"))])  ->  {"sort": [["a", "b", "c"]]}
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from typing import TypeAlias

import torch

from compiler.circuit.circuit import Circuit
from compiler.graph.domain import Setting
from compiler.graph.witness import Case, run_each
from compiler.model import ModelError, NotFiniteError, Scalar, Transformer
from compiler.model.errors import require_finite
from compiler.model.texts import batches
from compiler.pipeline import Compiled
from compiler.runtime.fast.model import Fast
from compiler.trust.compare.report import CIRCUITS, DECODE, FAST_DECODE, FAST_GENERATE, GENERATE, REREAD, Input
from rasp import Program, RaspError
from rasp.meaning.answers import normalised
from rasp.meaning.sop import SOp
from rasp.settings import token_text
from rasp.text.source import error
from rasp.value import Value, to_python

Rows: TypeAlias = list[list[Scalar]]
Stage: TypeAlias = Callable[[Sequence[Case]], dict[str, Rows]]
Answers: TypeAlias = list[list[list[Value] | RaspError]]
"""For each input, for each of some s-ops, its values, or why it has none."""
_Way: TypeAlias = Callable[[Sequence[Case]], Rows]
"""How a model comes to the values of an output."""
ANALYSIS, MODEL, FAST = "analysis", "model", "fast"
"""The stages that are what the compiler takes for granted of the program's values, the model, and the fast path."""
NO_ANSWERS = ("syntax", "sop", "certificate")
"""The forms that cannot be held against the interpreter: the s-ops are what it runs."""


def stages_of(compiled: Compiled, fast: bool = False) -> dict[str, Stage]:
    """The stages of a compiled program; with `fast`, the fast path is the last of them."""

    def graph(inputs: Sequence[Case]) -> dict[str, Rows]:
        outputs = compiled.graph.meaning
        found = answers_of(list(outputs.values()), inputs, compiled.setting)
        return {name: [shown(answers[i]) for answers in found] for i, name in enumerate(outputs)}

    def analysis(inputs: Sequence[Case]) -> dict[str, Rows]:
        raise AssertionError("the analysis has claims, not answers")

    def exactly(name: str) -> Stage:
        def run(inputs: Sequence[Case]) -> dict[str, Rows]:
            circuit = circuit_of(compiled, name)
            found = [circuit.run(*ids(compiled, one)) for one in inputs]
            return {output: [plain(answer[output]) for answer in found] for output in found[0]}

        return run

    def weights(inputs: Sequence[Case]) -> dict[str, Rows]:
        values = {output.name: output.values for output in compiled.model.config.outputs}
        tapes = zip(*(ids(compiled, one) for one in inputs), strict=True)
        found = compiled.weights.run_batch(*tapes)
        return {name: [[values[name][i] for i in best] for best in rows] for name, rows in found.items()}

    stages: dict[str, Stage] = {ANALYSIS: analysis, "graph": graph}
    stages |= {name: exactly(name) for name in CIRCUITS}
    stages |= {"weights": weights, **of_model(compiled.model, compiled.program)}
    return stages | (of_fast_path(compiled.fast, compiled.program) if fast else {})


def circuit_of(compiled: Compiled, stage: str) -> Circuit:
    """The circuit that a stage runs."""
    circuits = {"lowered": compiled.lowered, "compressed": compiled.compressed, "circuit": compiled.circuit}
    return circuits[stage]


def of_model(model: Transformer, program: Program) -> dict[str, Stage]:
    """The stages that run a model of a program."""
    return {MODEL: answering(model)} | (writing(model, program, DECODE, GENERATE, REREAD) if program.two_tapes else {})


def answering(model: Transformer) -> Stage:
    """The stage of what a model answers in padded batches."""

    def run(inputs: Sequence[Case]) -> dict[str, Rows]:
        found = {}
        for output in model.config.outputs:
            way = partial(_answered, model, output.name)
            found[output.name] = _decided(way, inputs, NotFiniteError)
        return found

    return run


def writing(model: Transformer, program: Program, decode: str, generate: str, reread: str = "") -> dict[str, Stage]:
    """The stages, so called, of the whole targets that a model writes: of many sources together, of one, of one without
    a cache.

    Their one output has the name that the program has for it.
    """

    def together(inputs: Sequence[Case]) -> Rows:
        return model.decode_batch([texts(one.source or ()) for one in inputs])

    def alone(inputs: Sequence[Case], cached: bool) -> Rows:
        return [model.generate(texts(one.source or ()), cached=cached) for one in inputs]

    def stage(way: _Way) -> Stage:
        return lambda inputs: {program.writes_with(): _decided(way, inputs, ModelError)}

    found = {decode: stage(together), generate: stage(partial(alone, cached=True))}
    return found | ({reread: stage(partial(alone, cached=False))} if reread else {})


def _decided(way: _Way, inputs: Sequence[Case], refusal: type[ModelError]) -> Rows:
    """What the model answers or writes, or what it says instead: where its logits decide nothing, or on no token."""
    try:
        return way(inputs)
    except refusal as problem:
        if len(inputs) == 1:
            return [[f"error: {problem.message}"]]
        return [_decided(way, [one], refusal)[0] for one in inputs]


def _answered(model: Transformer, output: str, inputs: Sequence[Case]) -> Rows:
    targets = [texts(one.tokens) for one in inputs]
    if model.config.encoder is None:
        return model.run_batch(targets, output)
    return _behind_sources(model, [texts(one.source or ()) for one in inputs], targets, output)


@torch.no_grad()
def _behind_sources(
    model: Transformer, sources: Sequence[Sequence[str]], targets: Sequence[Sequence[str]], output: str
) -> Rows:
    """The values at each position of targets behind their sources; both are padded, each to the longest of its own."""
    start, chosen = model.config.slice(output)
    read, written = [*map(model.encode_source, sources)], [*map(model.encode, targets)]
    longer = [max(pair, key=len) for pair in zip(read, written, strict=True)]
    order = sorted(range(len(longer)), key=lambda number: len(longer[number]))
    found: Rows = [[] for _ in longer]
    for batch in batches(order, longer, model.config.widest):
        source, target = (model.padded([tape[number] for number in batch]) for tape in (read, written))
        logits = model(*source, *target)[..., start : start + len(chosen.values)]
        require_finite(logits, output)
        for number, row in zip(batch, logits.argmax(-1).tolist(), strict=True):
            found[number] = [chosen.values[choice] for choice in row[: len(written[number])]]
    return found


def of_fast_path(model: Fast, program: Program) -> dict[str, Stage]:
    """The fast path, whatever is quicker; the targets that it writes, where it is a recurrence that does. Raises
    `RaspError` where there is none: it would pass for checked."""
    if model.plan is None:
        raise error("no-fast-path", f"there is no fast path to check: {model.reason}", hint="check without --fast")
    fast = Fast(model, model.plan, prefer="fast")
    writes = program.two_tapes and not isinstance(fast.recurrence, str)
    return {FAST: answering(fast)} | (writing(fast, program, FAST_DECODE, FAST_GENERATE) if writes else {})


def answers_of(nodes: Sequence[SOp], inputs: Sequence[Case], setting: Setting) -> Answers:
    """What each of the s-ops comes to, whether or not the others have an answer."""
    together = run_each(nodes, inputs, setting)
    if len(nodes) == 1:
        return [[answer] if isinstance(answer, RaspError) else list(answer) for answer in together]
    return [
        [answers_of([node], [one], setting)[0][0] for node in nodes] if isinstance(answer, RaspError) else list(answer)
        for one, answer in zip(inputs, together, strict=True)
    ]


def ids(compiled: Compiled, one: Case) -> list[list[int]]:
    """Token ids of an input; of a target and its source."""
    settings = (compiled.setting, compiled.setting.encoder)
    tapes = zip(settings, (one.tokens, one.source), strict=True)
    return [_numbers(setting, tokens) for setting, tokens in tapes if setting is not None and tokens is not None]


def _numbers(setting: Setting, tokens: Input) -> list[int]:
    place = {text: number for number, text in enumerate(setting.texts)}
    return [place[text] for text in texts(tokens)]


def texts(tokens: Input) -> list[str]:
    """Tokens as they are written."""
    return [token if type(token) is str else token_text(token) for token in tokens]


def shown(answer: list[Value] | RaspError) -> list[Scalar]:
    """An answer, or what is said instead."""
    return [f"error: {answer.diagnostics[0].message}"] if isinstance(answer, RaspError) else plain(answer)


def plain(values: Sequence[Value]) -> list[Scalar]:
    """Values to be compared: large whole numbers are not rounded to floats."""
    return [to_python(normalised(value, False)) if type(value) is Fraction else value for value in values]  # type: ignore[misc]
