"""Stages: what answers inputs beside the interpreter: every form that the passes make, the model, the fast path.

In: a compiled program, or a model. Out: `Stage`s by name, functions from inputs to the values of each output.
Invariants: the names are those of `pipeline.PASSES`, in their order, so that the first that differs names the pass that
is wrong; the stage "analysis" has claims instead of answers, and a form that is no stage has no answers to give.

    stages_of(compiled)["circuit"]([("c", "a", "b")])  ->  {"sort": [["a", "b", "c"]]}
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import TypeAlias

from compiler.circuit.circuit import Circuit
from compiler.model import NotFiniteError, Scalar, Transformer
from compiler.pipeline import Compiled
from compiler.runtime.fast.model import Fast
from compiler.trust.compare.report import CIRCUITS, Input
from rasp import RaspError
from rasp.meaning.answers import normalised
from rasp.meaning.interpreter import evaluate_each
from rasp.meaning.sop import SOp
from rasp.settings import token_text
from rasp.text.source import error
from rasp.value import Value, to_python

Rows: TypeAlias = list[list[Scalar]]
Stage: TypeAlias = Callable[[Sequence[Input]], dict[str, Rows]]
Answers: TypeAlias = list[list[list[Value] | RaspError]]
"""For each input, for each of some s-ops, its values, or why it has none."""
ANALYSIS, FAST = "analysis", "fast"
"""The stage that is what the compiler takes for granted of the program's values, and the fast path."""
NO_ANSWERS = ("syntax", "sop", "certificate")
"""The forms that cannot be held against the interpreter: the s-ops are what it runs."""


def stages_of(compiled: Compiled, fast: bool = False) -> dict[str, Stage]:
    """The stages of a compiled program; with `fast`, the fast path is the last of them."""

    def graph(inputs: Sequence[Input]) -> dict[str, Rows]:
        outputs = compiled.graph.outputs
        found = answers_of(list(outputs.values()), inputs, compiled.setting.causal)
        return {name: [shown(answers[i]) for answers in found] for i, name in enumerate(outputs)}

    def analysis(inputs: Sequence[Input]) -> dict[str, Rows]:
        raise AssertionError("the analysis has claims, not answers")

    def exactly(name: str) -> Stage:
        def run(inputs: Sequence[Input]) -> dict[str, Rows]:
            circuit = circuit_of(compiled, name)
            found = [circuit.run(ids(compiled, tokens)) for tokens in inputs]
            return {output: [plain(answer[output]) for answer in found] for output in found[0]}

        return run

    def weights(inputs: Sequence[Input]) -> dict[str, Rows]:
        values = {output.name: output.values for output in compiled.model.config.outputs}
        found = compiled.weights.run_batch([ids(compiled, tokens) for tokens in inputs])
        return {name: [[values[name][i] for i in best] for best in rows] for name, rows in found.items()}

    stages: dict[str, Stage] = {ANALYSIS: analysis, "graph": graph}
    stages |= {name: exactly(name) for name in CIRCUITS}
    stages |= {"weights": weights, "model": of_model(compiled.model)}
    return stages | (of_fast_path(compiled.fast) if fast else {})


def circuit_of(compiled: Compiled, stage: str) -> Circuit:
    """The circuit that a stage runs."""
    circuits = {"lowered": compiled.lowered, "compressed": compiled.compressed, "circuit": compiled.circuit}
    return circuits[stage]


def of_model(model: Transformer) -> Stage:
    """The stage that runs a model."""

    def run(inputs: Sequence[Input]) -> dict[str, Rows]:
        written = list(map(texts, inputs))
        return {output.name: _decided(model, written, output.name) for output in model.config.outputs}

    return run


def _decided(model: Transformer, written: list[list[str]], output: str) -> Rows:
    """What the model answers, or what it says instead, where its logits decide nothing."""
    try:
        return model.run_batch(written, output)
    except NotFiniteError as problem:
        if len(written) == 1:
            return [[f"error: {problem.message}"]]
        return [_decided(model, [text], output)[0] for text in written]


def of_fast_path(model: Fast) -> dict[str, Stage]:
    """The fast path, whatever is quicker. Raises `RaspError` where there is none: it would pass for checked."""
    if model.plan is None:
        raise error("no-fast-path", f"there is no fast path to check: {model.reason}", hint="check without --fast")
    return {FAST: of_model(Fast(model, model.plan, prefer="fast"))}


def answers_of(nodes: Sequence[SOp], inputs: Sequence[Input], causal: bool) -> Answers:
    """What each of the s-ops comes to, whether or not the others have an answer."""
    together = evaluate_each(nodes, inputs, causal)
    if len(nodes) == 1:
        return [[answer] if isinstance(answer, RaspError) else list(answer) for answer in together]
    return [
        [answers_of([node], [tokens], causal)[0][0] for node in nodes]
        if isinstance(answer, RaspError)
        else list(answer)
        for tokens, answer in zip(inputs, together, strict=True)
    ]


def ids(compiled: Compiled, tokens: Input) -> list[int]:
    """Token ids."""
    place = {text: number for number, text in enumerate(compiled.setting.texts)}
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
