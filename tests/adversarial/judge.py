"""The judge of one case: compiled, run in every way, and held against the interpreter.

In: a `Case`. Out: `Verdict`: refused, right, or the findings: wrong answers, false beliefs, tracebacks.
Invariant: the truth is the interpreter, on the program as it was written; an input on which it raises, or that the
program does not mean, is never held against anything.

    judge(drawn(7), lambda stage: None).outcome
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import random
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeAlias

import compiler
import rasp
from compiler.cli import main as command
from compiler.graph.witness import required
from compiler.model import ModelError, Transformer
from compiler.pipeline import Compiled
from compiler.runtime.fast.model import Fast
from compiler.trust.verify import verify_model
from rasp import RaspError
from rasp.meaning.interpreter import evaluate_each
from rasp.settings import token_text
from rasp.value import Value, to_python
from tests.adversarial.facts import false_beliefs
from tests.adversarial.programs import Case
from tests.inputs import short

Input: TypeAlias = tuple[Value, ...]
Rows: TypeAlias = list[list[Any]]
SHORT, RANDOM = 80, 60
"""Inputs that are tried: so many short ones, a whole length at a time, and so many random ones."""
SINGLE, EXACT, PRINTED = 8, 4, 3
"""How many of them are run alone, in the exact circuit, and on the command line."""
EVERY = {"verify": 4, "checkpoint": 6, "trace": 5, "check": 30}
"""Of so many cases, one goes through these stages."""


@dataclass(frozen=True)
class Finding:
    """Something that must not be: its kind, the stage it was met at, and what it is."""

    kind: str
    stage: str
    detail: str


@dataclass
class Verdict:
    """What came out for a case."""

    code: str = ""
    inputs: int = 0
    skipped: int = 0
    notes: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def outcome(self) -> str:
        """ "refused", "right", or the kind of the first finding."""
        return self.findings[0].kind if self.findings else "refused" if self.code else "right"


def judge(case: Case, tell: Callable[[str], None]) -> Verdict:
    """Try a case at every stage; `tell` hears of each before it begins."""
    run = _Trial(case, tell)
    run.all()
    return run.verdict


class _Trial:
    """One case: what is known of it so far."""

    def __init__(self, case: Case, tell: Callable[[str], None]) -> None:
        self.case = case
        self.tell = tell
        self.rng = random.Random(f"inputs {case.seed}")
        self.verdict = Verdict()
        self.known: list[Input] = []
        self.expected: dict[str, Rows] = {}

    def all(self) -> None:
        """Compile, then every stage."""
        program = self._stage("parse", lambda: rasp.parse(self.case.text))
        compiled = program and self._stage("compile", lambda: self._compiled(program))
        if not compiled:
            return
        self._stage("interpret", lambda: self._interpret(compiled))
        if not self.known:
            return
        for name, stage in self._stages(compiled.model).items():
            if self.case.seed % EVERY.get(name, 1) == 0:
                self._stage(name, lambda stage=stage: stage(compiled))

    def _stages(self, model: Transformer) -> dict[str, Callable[[Compiled], None]]:
        return {
            "beliefs": self._beliefs,
            "graph": self._graph,
            "single": lambda compiled: self._model("single", compiled.model, alone=True),
            "batch": lambda compiled: self._model("batch", compiled.model),
            "unknown": self._unknown,
            "reading": self._reading,
            "fast": self._fast,
            "circuit": self._circuit,
            "trace": self._trace,
            "verify": self._verify,
            "checkpoint": self._checkpoint,
            "check": self._check,
        }

    def _stage(self, name: str, work: Callable[[], Any]) -> Any:
        """What the work comes to; None where it is refused or ends in an exception, which is a finding."""
        self.tell(name)
        start = time.process_time()
        try:
            return work()
        except RaspError as refused:
            if name in ("parse", "compile"):
                self.verdict.code = refused.diagnostics[0].code
                self.verdict.notes.append(refused.diagnostics[0].message)
            else:
                self._found("REFUSED-LATE", name, str(refused))
        except ModelError as refused:
            self._found("REFUSED-LATE", name, str(refused))
        except Exception:
            self._found("TRACEBACK", name, traceback.format_exc(limit=-4))
        finally:
            self.verdict.seconds[name] = round(time.process_time() - start, 3)
        return None

    def _found(self, kind: str, stage: str, detail: str) -> None:
        self.verdict.findings.append(Finding(kind, stage, detail))

    # -- the truth ---------------------------------------------------------------------------------------------------

    def _compiled(self, program: rasp.Program) -> Compiled:
        return compiler.compile(program, optimize=self.case.optimize, dtype=self.case.dtype)

    def _interpret(self, compiled: Compiled) -> None:
        """The inputs that are meant and have an answer, and these answers."""
        inputs = list(dict.fromkeys(tuple(tokens) for tokens in self._inputs(compiled)))
        causal = compiled.setting.causal
        if needed := required(compiled.program):
            truths = evaluate_each(needed, inputs, causal)
            inputs = [
                i for i, t in zip(inputs, truths, strict=True) if not isinstance(t, RaspError) and all(map(all, t))
            ]
        answers = evaluate_each(list(compiled.sop.values()), inputs, causal)
        pairs = [(i, a) for i, a in zip(inputs, answers, strict=True) if not isinstance(a, RaspError)]
        self.known = [tokens for tokens, _ in pairs]
        self.expected = {name: [_plain(a[number]) for _, a in pairs] for number, name in enumerate(compiled.sop)}
        self.verdict.inputs, self.verdict.skipped = len(pairs), len(inputs) - len(pairs)

    def _inputs(self, compiled: Compiled) -> Iterator[Sequence[Value]]:
        vocabulary, longest = compiled.setting.vocabulary, compiled.setting.max_length
        yield from short(vocabulary, longest, SHORT)
        for number in range(RANDOM):
            few = self.rng.sample(vocabulary, self.rng.randint(1, len(vocabulary)))
            yield self.rng.choices(few, k=longest if number % 3 == 0 else self.rng.randint(1, longest))

    # -- stages ------------------------------------------------------------------------------------------------------

    def _compare(self, stage: str, name: str, inputs: Sequence[Input], found: Rows, expected: Rows) -> None:
        """Note the shortest input on which a stage differs."""
        wrong = [one for one in zip(inputs, expected, found, strict=True) if one[1] != one[2]]
        if wrong:
            tokens, wanted, answer = min(wrong, key=lambda one: len(one[0]))
            shown = [token_text(token) for token in tokens]
            detail = f"{name} on {shown}: {answer} instead of {wanted}; {len(wrong)} of {len(inputs)} differ"
            self._found("WRONG", stage, detail)

    def _beliefs(self, compiled: Compiled) -> None:
        for belief in itertools.islice(false_beliefs(compiled.graph, self.known), 3):
            self._found("FALSE-BELIEF", "beliefs", belief)

    def _graph(self, compiled: Compiled) -> None:
        answers = evaluate_each(list(compiled.graph.outputs.values()), self.known, compiled.setting.causal)
        for number, name in enumerate(compiled.graph.outputs):
            found = [["error"] if isinstance(a, RaspError) else _plain(a[number]) for a in answers]
            self._compare("graph", name, self.known, found, self.expected[name])

    def _model(self, stage: str, model: Transformer, alone: bool = False) -> None:
        """Every output; in one batch of all lengths, or some inputs alone."""
        number = SINGLE if alone else len(self.known)
        for name, rows in self.expected.items():
            chosen = self.rng.sample(range(len(self.known)), min(number, len(self.known)))
            inputs = [self.known[i] for i in chosen]
            found = [model.run(tokens, name) for tokens in inputs] if alone else model.run_batch(inputs, name)
            self._compare(stage, name, inputs, found, [rows[i] for i in chosen])

    def _unknown(self, compiled: Compiled) -> None:
        """A token outside of the vocabulary is answered as the one that stands for it."""
        unknown = compiled.program.settings.unknown
        foreign = "outside"
        inputs = [tokens for tokens in self.known if unknown is not None and unknown in tokens][:SINGLE]
        for name in self.expected if inputs else ():
            text = token_text(unknown)  # type: ignore[arg-type]
            strange = [[foreign if token_text(token) == text else token for token in tokens] for tokens in inputs]
            wanted = [self.expected[name][self.known.index(tokens)] for tokens in inputs]
            self._compare("unknown", name, inputs, compiled.model.run_batch(strange, name), wanted)

    def _reading(self, compiled: Compiled) -> None:
        """A causal model that reads in pieces: of any sizes, one after the other."""
        model = compiled.model
        long = [tokens for tokens in self.known if len(tokens) > 1][-EXACT:] if model.config.causal else []
        for number, (name, tokens) in enumerate(itertools.product(self.expected, long)):
            ids, cut = model.encode(tokens), self.rng.randint(1, len(tokens) - 1)
            reader = (model if number % 2 else compiled.fast).reading(len(ids) + 1)
            reader.read(ids[:cut])
            values = next(output.values for output in model.config.outputs if output.name == name)
            found = values[reader.best(ids[cut:], name)]
            wanted = self.expected[name][self.known.index(tokens)][-1]
            self._compare(f"reading [{cut}, {len(ids) - cut}]", name, [tokens], [[found]], [[wanted]])

    def _fast(self, compiled: Compiled) -> None:
        fast = compiled.fast
        if fast.plan is None:
            self.verdict.notes.append(f"no fast path: {fast.reason}")
        else:
            self._model("fast", Fast(compiled.model, fast.plan, prefer="fast"))

    def _circuit(self, compiled: Compiled) -> None:
        inputs = [*sorted(self.known, key=len)[: EXACT - 1], max(self.known, key=len)]
        answers = [compiled.circuit.run([compiled.setting.texts.index(token_text(t)) for t in i]) for i in inputs]
        for name, rows in self.expected.items():
            found = [_plain(answer[name]) for answer in answers]
            self._compare("circuit", name, inputs, found, [rows[self.known.index(tokens)] for tokens in inputs])

    def _trace(self, compiled: Compiled) -> None:
        tokens = self.rng.choice(self.known)
        for row in compiled.trace(tokens).rows:
            if not row.agrees:
                found = next(values for values in row.found if values not in (None, row.expected))
                self._found("WRONG", "trace", f"{row.name} on {list(tokens)}: {found} instead of {row.expected}")

    def _verify(self, compiled: Compiled) -> None:
        verdict = verify_model(compiled.model)
        if not verdict.ok:
            self.verdict.notes.append(f"not verified: {verdict.reason}")

    def _checkpoint(self, compiled: Compiled) -> None:
        """Saved and loaded, the answers are the same; the command line prints the same for program and checkpoint."""
        with tempfile.TemporaryDirectory() as folder:
            kept, text = Path(folder, "kept"), Path(folder, "program.rasp")
            compiled.save(kept)
            self._model("checkpoint", compiler.load(kept))
            text.write_text(self.case.text, encoding="utf-8")
            for tokens in self.rng.sample(self.known, min(PRINTED, len(self.known))):
                given = json.dumps([to_python(token) for token in tokens], ensure_ascii=False)
                printed = [_printed(["run", str(path), "--list", "--", given]) for path in (text, kept)]
                if printed[0] != printed[1]:
                    self._found("PRINTED", "checkpoint", f"{given}: {printed[0]!r} by program, {printed[1]!r} by model")
                    break

    def _check(self, compiled: Compiled) -> None:
        report = compiler.check(compiled, samples=50, max_exhaustive=50)
        for difference in report.differences:
            self._found("WRONG", "check", str(difference))


def _printed(words: list[str]) -> str:
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
        command(words)
    return out.getvalue()


def _plain(values: Sequence[Value]) -> list[Any]:
    """As answers are given: a whole number is an int, however large, another one the nearest float."""
    return [int(value) if type(value) is Fraction and value.denominator == 1 else to_python(value) for value in values]
