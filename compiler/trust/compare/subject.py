"""What is checked: a program with all of its stages, or a checkpoint with its model, beside the interpreter.

In: a program or a checkpoint folder; batches of inputs. Out: for each batch a `Finding`; for one input a `Difference`.
Invariants: the interpreter runs the program as written, never a simplified one; an output that has no answer on an
input, or an input that the program does not mean (`requires`), is never held against a stage. The stage "analysis" is
held to what it says of every s-op and selector, not to the outputs alone.

    subject.compare(Batch((("a", "b"),), ("model",))).wrong is None
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import rasp
from compiler.graph.claims import Claim, Refuted, claims, refuted
from compiler.graph.domain import Setting
from compiler.graph.witness import required
from compiler.model import ModelError, Scalar, Transformer
from compiler.observe.trace import trace
from compiler.pipeline import Compiled, compilations, faster
from compiler.runtime.origin import declared
from compiler.trust.compare.inputs import chunks
from compiler.trust.compare.report import CIRCUITS, Difference, Input, Place
from compiler.trust.compare.stages import (
    ANALYSIS,
    FAST,
    Stage,
    answers_of,
    circuit_of,
    ids,
    of_fast_path,
    of_model,
    plain,
    shown,
    stages_of,
)
from rasp import RaspError
from rasp.meaning.interpreter import evaluate_each
from rasp.meaning.sop import SOp
from rasp.settings import token_text

SHRUNK = 16
"""How many smaller inputs are tried at a time."""
SHRINKING = 1_000_000
"""How many tokens are tried in all to make an input small."""


@dataclass(frozen=True)
class Batch:
    """Inputs that are compared together, and the stages that are to answer them."""

    inputs: Sequence[Input]
    stages: Sequence[str]


@dataclass(frozen=True)
class Wrong:
    """An input on which a stage differs from the interpreter, as the row of a batch; both answers.

    Or an input that refutes what the analysis says.
    """

    stage: str
    output: str
    batch: Sequence[Input]
    row: int
    expected: list[Scalar]
    found: list[Scalar]
    refuted: Refuted | None = None

    @property
    def tokens(self) -> Input:
        """The input."""
        return self.batch[self.row]


@dataclass(frozen=True)
class Finding:
    """What came out for a batch: how many inputs had no answer, and why; the first difference."""

    tried: int
    skipped: int = 0
    reason: str = ""
    wrong: Wrong | None = None


@dataclass(frozen=True)
class Subject:
    """A program, and the stages whose answers are compared with the interpreter's."""

    compiled: Compiled
    stages: Mapping[str, Stage]
    model: Callable[[], Transformer]

    @property
    def setting(self) -> Setting:
        """The inputs that are meant."""
        return self.compiled.setting

    def meant(self, inputs: Sequence[Input]) -> list[Input]:
        """The inputs that the program promises something about: what it requires is True everywhere."""
        needed = required(self.compiled.program)
        if not needed:
            return list(inputs)
        found = evaluate_each(needed, inputs, self.setting.causal)
        return [
            tokens
            for tokens, answer in zip(inputs, found, strict=True)
            if not isinstance(answer, RaspError) and all(map(all, answer))
        ]

    def compare(self, batch: Batch) -> Finding:
        """Run the interpreter and the stages on the inputs of a batch."""
        outputs = list(self.compiled.sop)
        answers = answers_of(list(self.compiled.sop.values()), batch.inputs, self.setting.causal)
        known, expected, reason = [], [], ""
        for tokens, answer in zip(batch.inputs, answers, strict=True):
            problems = [values for values in answer if isinstance(values, RaspError)]
            if len(problems) < len(answer):
                known.append(tokens)
                expected.append([None if isinstance(values, RaspError) else plain(values) for values in answer])
            reason = reason or (problems[0].diagnostics[0].message if len(problems) == len(answer) else "")
        columns = {name: [row[i] for row in expected] for i, name in enumerate(outputs)}
        wrong = self._first_wrong(known, columns, batch.stages)
        return Finding(len(batch.inputs), len(batch.inputs) - len(known), reason, wrong)

    def _first_wrong(
        self, inputs: list[Input], expected: dict[str, list[list[Scalar] | None]], stages: Sequence[str]
    ) -> Wrong | None:
        for stage in stages if inputs else ():
            if stage == ANALYSIS:
                answered = [tokens for i, tokens in enumerate(inputs) if all(rows[i] for rows in expected.values())]
                if (refuted := self.analysed(answered)) is not None:
                    return Wrong(stage, refuted.name, [refuted.tokens], 0, plain(refuted.values), [], refuted)
                continue
            found = self.stages[stage](inputs)
            for output, rows in expected.items():
                for at, row in enumerate(rows):
                    if row is not None and row != found[output][at]:
                        return Wrong(stage, output, inputs, at, row, found[output][at])
        return None

    def analysed(self, inputs: Sequence[Input]) -> Refuted | None:
        """What the analysis says that one of these inputs refutes; the program has an answer on all of them."""
        return refuted(self.compiled.graph, self._claims, inputs, self.setting.causal)

    @cached_property
    def _claims(self) -> list[Claim]:
        """What the analysis said while the circuit was built, and says of the rest of the graph."""
        _ = self.compiled.circuit  # what is asked on the way is looked at, too
        return claims(self.compiled.graph)

    def smallest(self, wrong: Wrong) -> Difference:
        """The difference made small; which stage is the first to differ there, and in which s-op.

        Where an input differs only beside others, they are part of the difference.
        """
        alone = self._again(wrong, [wrong.tokens])
        if alone is None:
            return self._together(wrong)
        least = self._shrunk(alone, self._smaller_alone)
        first = (self.compare(Batch([least.tokens], (stage,))).wrong for stage in self.stages)
        found = next(filter(None, first), least)
        return _difference(found) if found.refuted else replace(_difference(found), place=self._place(found))

    def _together(self, wrong: Wrong) -> Difference:
        """A difference that an input alone does not make, beside as few others as possible."""
        if (again := self._again(wrong, wrong.batch)) is None:
            return replace(_difference(wrong), batch=tuple(wrong.batch), row=wrong.row, again=False)
        least = self._shrunk(again, self._smaller_together)
        return replace(_difference(least), batch=tuple(least.batch), row=least.row)

    def _shrunk(self, wrong: Wrong, smaller: Callable[[Wrong], Iterator[tuple[int, Wrong | None]]]) -> Wrong:
        """The first smaller difference, and of that, until there is none; how many tokens are tried is bounded."""
        left = SHRINKING
        found: Wrong | None = wrong
        while found is not None and left > 0:
            wrong, found = found, None
            for tried, found in smaller(wrong):
                left -= tried
                if found is not None:
                    break
        return wrong

    def _smaller_alone(self, wrong: Wrong) -> Iterator[tuple[int, Wrong | None]]:
        """For several smaller inputs at a time, how many tokens they have, and the difference that one makes alone."""
        for inputs in chunks(_smaller(wrong.tokens, self.setting.vocabulary), SHRUNK):
            found = self._again(wrong, inputs)
            yield sum(map(len, inputs)), found and self._again(found, [found.tokens])

    def _smaller_together(self, wrong: Wrong) -> Iterator[tuple[int, Wrong | None]]:
        """The same for fewer inputs beside the one that differs."""
        for inputs in _fewer(wrong):
            yield sum(map(len, inputs)), self._again(wrong, inputs)

    def _again(self, wrong: Wrong, inputs: Sequence[Input]) -> Wrong | None:
        """What the stage gets wrong in another batch, of those inputs that are meant."""
        return self.compare(Batch(self.meant(inputs), (wrong.stage,))).wrong

    def _place(self, wrong: Wrong) -> Place | None:
        """The first s-op that differs; the output itself where every variable of the stream is right.

        The fast path has a stream of its own, of which only what comes out is known.
        """
        if wrong.stage == FAST:
            return None
        try:
            first = next(self._places(wrong.stage, wrong.tokens), None)
        except (KeyError, IndexError, TypeError, ValueError, ArithmeticError, RuntimeError):
            return None  # labels that do not fit the model
        return first or Place(wrong.output, "unembedding", wrong.expected, wrong.found)

    def _places(self, stage: str, tokens: Input) -> Iterator[Place]:
        if stage == "graph":
            return self._in_graph(tokens)
        return self._in_circuit(stage, tokens) if stage in CIRCUITS else self._in_stream(tokens)

    def _known(self, name: str | None, tokens: Input) -> list[Scalar] | None:
        """What the interpreter says about an s-op of the program."""
        node = self.compiled.program.node(name) if name is not None and name in self.compiled.program else None
        [answer] = evaluate_each([node], [tokens], self.setting.causal) if isinstance(node, SOp) else [None]
        return None if answer is None or isinstance(answer, RaspError) else plain(answer[0])

    def _in_graph(self, tokens: Input) -> Iterator[Place]:
        graph = self.compiled.graph
        for node in graph.nodes:
            if isinstance(node, SOp) and (expected := self._known(graph.names.get(node), tokens)) is not None:
                [answer] = evaluate_each([node], [tokens], self.setting.causal)
                found = shown(answer if isinstance(answer, RaspError) else answer[0])
                if found != expected:
                    yield Place(graph.names[node], "graph", expected, found)

    def _in_circuit(self, stage: str, tokens: Input) -> Iterator[Place]:
        circuit = circuit_of(self.compiled, stage)
        streams = list(circuit.stages(ids(self.compiled, tokens)))
        for variable in sorted(circuit.variables, key=lambda variable: variable.ready):
            if (expected := self._known(variable.name, tokens)) is not None:
                nearest = [variable.decode(stream) for stream in streams[variable.ready][1:]]
                if plain(nearest) != expected:
                    yield Place(variable.name, _step(variable.ready), expected, plain(nearest))

    def _in_stream(self, tokens: Input) -> Iterator[Place]:
        rows = trace(self.model(), self.compiled.program, tokens).rows
        for row in sorted(rows, key=lambda row: next(i for i, values in enumerate(row.found) if values is not None)):
            ready, found = next((i, values) for i, values in enumerate(row.found) if values is not None)
            if found != row.expected:
                yield Place(row.name, _step(ready), row.expected, found)


def _step(number: int) -> str:
    """What the stream went through: 0 the embedding, then attention and MLP of each layer."""
    if number == 0:
        return "after the embedding"
    return f"after L{(number - 1) // 2} {'attention' if number % 2 else 'MLP'}"


def _difference(wrong: Wrong) -> Difference:
    claim = wrong.refuted.claim if wrong.refuted else ""
    return Difference(wrong.stage, wrong.output, wrong.tokens, wrong.expected, wrong.found, claim=claim)


def _fewer(wrong: Wrong) -> Iterator[Sequence[Input]]:
    """The batch without some of the inputs beside the one that differs, many before few."""
    others = [i for i in range(len(wrong.batch)) if i != wrong.row]
    size = (len(others) + 1) // 2
    while size:
        for start in range(0, len(others), size):
            left_out = set(others[start : start + size])
            yield [tokens for i, tokens in enumerate(wrong.batch) if i not in left_out]
        size //= 2


def _smaller(tokens: Input, vocabulary: Input) -> Iterator[Input]:
    """Shorter inputs first, large pieces left out before small ones; then those with earlier tokens in them."""
    size = len(tokens) // 2
    while size:
        yield from (tokens[:i] + tokens[i + size :] for i in range(0, len(tokens), size) if len(tokens) > size)
        size //= 2
    order = {token_text(token): number for number, token in enumerate(vocabulary)}
    for text in sorted({token_text(token) for token in tokens}, key=order.__getitem__):
        for earlier in vocabulary[: order[text]]:
            yield tuple(earlier if token_text(token) == text else token for token in tokens)
    for i, token in enumerate(tokens):
        for earlier in vocabulary[: order[token_text(token)]]:
            yield (*tokens[:i], earlier, *tokens[i + 1 :])


def of_compilation(compiled: Compiled, fast: bool = False) -> Subject:
    """A compiled program and each of its stages; with `fast`, the fast path is the last of them."""
    return Subject(compiled, stages_of(compiled, fast), lambda: compiled.model)


def of_checkpoint(folder: Path, fast: bool = False) -> Subject:
    """A checkpoint's model, beside the program that its labels hold; with `fast`, its fast path too.

    Raises `ModelError` where model and program do not fit, `RaspError` where there is no fast path.
    """
    from compiler.runtime.checkpoint import load

    model = load(folder)
    compiled = next(compilations(model))
    setting = compiled.setting
    told = setting.texts, setting.max_length, setting.causal, tuple(compiled.sop)
    config = model.config
    held = config.vocabulary, config.max_length, config.causal, tuple(output.name for output in config.outputs)
    if told != held:
        raise ModelError(f"{folder} was not compiled under the settings that it names", "compile the program again")
    stages = {"model": of_model(model)} | (of_fast_path(faster(model)) if fast else {})
    return Subject(compiled, stages, lambda: model)


# ------------------------------------------------------------------------------------------- in a process of its own


@dataclass(frozen=True)
class Recipe:
    """What a subject is made from, as plain data, so that another process can make it."""

    folder: str | None
    source: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    fast: bool = False

    def subject(self) -> Subject:
        """Load the checkpoint, or compile the program."""
        if self.folder is not None:
            return of_checkpoint(Path(self.folder), self.fast)
        program = rasp.parse(self.source, files=self.files, settings=self.settings)
        return of_compilation(Compiled(program, **self.options), self.fast)


def recipe_of(target: Compiled | Path, fast: bool = False) -> Recipe:
    """How to make the subject of a compiled program, or of a checkpoint folder."""
    if isinstance(target, Path):
        return Recipe(str(target), fast=fast)
    program = target.program
    options = {one.name: getattr(target, one.name) for one in fields(target) if one.name != "program"}
    return Recipe(None, program.source.text, dict(program.files), declared(program), options, fast)
