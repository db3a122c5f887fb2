"""What is checked: a program with all of its stages, or a checkpoint with its model, beside the interpreter.

In: a program or a checkpoint folder; batches of inputs. Out: for each batch a `Finding`; for one input a `Difference`.
Invariants: the interpreter runs the program as written, never a simplified one; an output that has no answer on an
input, or an input that the program does not mean (`requires`), is never held against a stage. The stage "analysis" is
held to what it says of every s-op and selector, not to the outputs alone.

    subject.compare(Batch((("a", "b"),), ("model",))).wrong is None
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import rasp
from compiler.graph.claims import Claim, Refuted, claims, refuted
from compiler.graph.domain import Setting
from compiler.graph.witness import Case, meant
from compiler.model import ModelError, Scalar, Transformer
from compiler.pipeline import Compiled, compilations, faster
from compiler.runtime.origin import declared
from compiler.trust.compare.decodes import Decode, decode_each
from compiler.trust.compare.generators import Generator, generator_of
from compiler.trust.compare.report import WHOLE
from compiler.trust.compare.stages import ANALYSIS, Answers, Stage, answers_of, of_fast_path, of_model, plain, stages_of
from rasp import RaspError
from rasp.text.source import error


@dataclass(frozen=True)
class Batch:
    """Inputs that are compared together, and the stages that are to answer them."""

    inputs: Sequence[Case]
    stages: Sequence[str]


@dataclass(frozen=True)
class Wrong:
    """An input on which a stage differs from the interpreter, as the row of a batch; both answers.

    Or an input that refutes what the analysis says.
    """

    stage: str
    output: str
    batch: Sequence[Case]
    row: int
    expected: list[Scalar]
    found: list[Scalar]
    refuted: Refuted | None = None

    @property
    def case(self) -> Case:
        """The input."""
        return self.batch[self.row]


@dataclass(frozen=True)
class Finding:
    """What came out for a batch: how many inputs had no answer, and why; the first difference.

    Where whole targets were written: how many of them met no token of `stop`, and the source of the first.
    """

    tried: int
    skipped: int = 0
    reason: str = ""
    wrong: Wrong | None = None
    unended: int = 0
    endless: Case | None = None


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

    @cached_property
    def generator(self) -> Generator:
        """What makes the inputs."""
        return generator_of(self.compiled)

    def meant(self, inputs: Sequence[Case]) -> list[Case]:
        """The inputs that the program promises something about: what it requires is True everywhere."""
        return meant(self.compiled.program, inputs, self.setting)

    def compare(self, batch: Batch) -> Finding:
        """Run the interpreter and the stages on the inputs of a batch. Stages that write whole targets come alone."""
        if not {*WHOLE}.isdisjoint(batch.stages):
            return self._compared_whole(batch)
        return self._compared(batch, list(self.compiled.sop), self._answers(batch.inputs))

    def _compared(self, batch: Batch, outputs: Sequence[str], answers: Answers) -> Finding:
        known, expected, reason = [], [], ""
        for one, answer in zip(batch.inputs, answers, strict=True):
            problems = [values for values in answer if isinstance(values, RaspError)]
            if len(problems) < len(answer):
                known.append(one)
                expected.append([None if isinstance(values, RaspError) else plain(values) for values in answer])
            reason = reason or (problems[0].diagnostics[0].message if len(problems) == len(answer) else "")
        columns = {name: [row[i] for row in expected] for i, name in enumerate(outputs)}
        wrong = self._first_wrong(known, columns, batch.stages)
        return Finding(len(batch.inputs), len(batch.inputs) - len(known), reason, wrong)

    def _compared_whole(self, batch: Batch) -> Finding:
        decodes = self.decoded(batch.inputs)
        answers: Answers = [[one.values if isinstance(one, Decode) else one] for one in decodes]
        finding = self._compared(batch, [self.compiled.program.writes_with()], answers)
        endless = [one for one, decode in zip(batch.inputs, decodes, strict=True) if self.is_endless(decode)]
        return replace(finding, unended=len(endless), endless=next(iter(endless), None))

    def _answers(self, inputs: Sequence[Case]) -> Answers:
        outputs = [self.compiled.program.placed(node) for node in self.compiled.sop.values()]
        return answers_of(outputs, inputs, self.setting)

    def decoded(self, inputs: Sequence[Case]) -> list[Decode | RaspError]:
        """What the interpreter decodes from the sources; an error where it does not mean what is written so far."""
        found = decode_each(self.compiled.program, self.setting, [one.source or () for one in inputs])
        read = {
            number: Case((*one.tokens[:1], *decode.tokens[: len(decode.values) - 1]), one.source)
            for number, (one, decode) in enumerate(zip(inputs, found, strict=True))
            if isinstance(decode, Decode)
        }
        kept = set(self.meant([*read.values()]))
        unmet = error("requires", "what is written does not meet `requires`")
        return [unmet if number in read and read[number] not in kept else one for number, one in enumerate(found)]

    def is_endless(self, decode: Decode | RaspError) -> bool:
        """Whether a target has no end, where it should have one."""
        return isinstance(decode, Decode) and not decode.ends and bool(self.compiled.program.settings.stop)

    def _first_wrong(
        self, inputs: list[Case], expected: dict[str, list[list[Scalar] | None]], stages: Sequence[str]
    ) -> Wrong | None:
        for stage in stages if inputs else ():
            if stage == ANALYSIS:
                answered = [one for i, one in enumerate(inputs) if all(rows[i] for rows in expected.values())]
                if (wrong := self._analysed(answered)) is not None:
                    return wrong
                continue
            found = self.stages[stage](inputs)
            for output, rows in expected.items():
                for at, row in enumerate(rows):
                    if row is not None and row != found[output][at]:
                        return Wrong(stage, output, inputs, at, row, found[output][at])
        return None

    def _analysed(self, inputs: Sequence[Case]) -> Wrong | None:
        """What the analysis says that one of these inputs refutes; the program has an answer on all of them. The
        encoder is claimed about on their sources."""
        encoder, decoder = self._claims
        sources = None if self.setting.encoder is None else [one.source or () for one in inputs]
        found = None
        if sources is not None and self.compiled.graph.encoder is not None:
            found = refuted(self.compiled.graph.encoder, encoder, [*dict.fromkeys(sources)], causal=False)
            found = found and replace(found, tokens=inputs[sources.index(found.tokens)].tokens[:1], source=found.tokens)
        targets = [one.tokens for one in inputs]
        found = found or refuted(self.compiled.graph, decoder, targets, self.setting.causal, sources)
        if found is None:
            return None
        return Wrong(ANALYSIS, found.name, [Case(found.tokens, found.source)], 0, plain(found.values), [], found)

    @cached_property
    def _claims(self) -> tuple[list[Claim], list[Claim]]:
        """What the analysis said while the circuit was built, and says of the rest of the graph, its encoder's first;
        of one tape, only of the graph."""
        _ = self.compiled.circuit  # what is asked on the way is looked at, too
        graph = self.compiled.graph
        return [] if graph.encoder is None else claims(graph.encoder), claims(graph)


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
    stages = of_model(model, compiled.program) | (of_fast_path(faster(model), compiled.program) if fast else {})
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
