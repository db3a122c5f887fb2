"""A survey of the library: the size of each program's model, its certificate, and whether it does what it says.

In: entries of the library. Out: a `Finding` for each: sizes, certificate, and the first thing that is wrong.
Invariant: a program that fails is a finding, not an exception.

    survey(entry) -> Finding(name="reverse", layers=2, heads=2, ..., certified=True, problem="")
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from compiler.pipeline import Compiled
from compiler.programs.library import Entry
from compiler.runtime.processes import Progress, spread
from compiler.trust.compare import check
from rasp import RaspError
from rasp.value import to_python


@dataclass(frozen=True)
class Finding:
    """What is known of one program. Sizes are 0 where there is no model."""

    name: str
    theme: str
    title: str = ""
    vocabulary: int = 0
    max_length: int = 0
    layers: int = 0
    heads: int = 0
    neurons: int = 0
    d_model: int = 0
    parameters: int = 0
    certified: bool = False
    problem: str = ""
    """Why there is no model, why it is not certified, or what it does wrong; empty if all is well."""
    checked: str = ""
    """What the check says, if one was made."""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        """Nothing is wrong."""
        return not self.problem

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Effort:
    """How much a check tries, as for `compiler.check`."""

    samples: int = 1000
    seed: int = 0
    max_exhaustive: int = 400


def findings(
    entries: Sequence[Entry], effort: Effort | None = None, jobs: int = 1, progress: Progress | None = None
) -> Iterator[Finding]:
    """A finding for each entry, in their order; with an effort each program is checked as well."""
    return spread(partial(survey, effort=effort), entries, jobs, progress)


def survey(entry: Entry, effort: Effort | None = None) -> Finding:
    """Compile a program and, with an effort, hold it against its header and every stage against the interpreter."""
    start = time.perf_counter()
    found: dict[str, Any] = {}
    try:
        found["title"] = entry.title
        compiled = Compiled(entry.program, uncertified=True)
        found |= _sizes(compiled)
        if effort is not None and not found["problem"]:
            found |= _checked(compiled, effort)
    except RaspError as refused:
        found["problem"] = refused.diagnostics[0].message
    except Exception as fault:  # one broken program must not hide what there is to say about the others
        found["problem"] = f"{type(fault).__name__}: {fault}"
    return Finding(entry.name, entry.theme, **found, seconds=time.perf_counter() - start)


def _sizes(compiled: Compiled) -> dict[str, Any]:
    certificate, model = compiled.certificate, compiled.model
    layers = model.config.layers
    return {
        "vocabulary": len(compiled.setting.vocabulary),
        "max_length": compiled.setting.max_length,
        "layers": len(layers),
        "heads": sum(layer.n_heads for layer in layers),
        "neurons": sum(layer.d_mlp for layer in layers),
        "d_model": model.config.d_model,
        "parameters": model.stored(),
        "certified": certificate.ok,
        "problem": "" if certificate.ok else f"not certified: {certificate.tightest}",
    }


def _checked(compiled: Compiled, effort: Effort) -> dict[str, str]:
    if problem := next(_mistakes(compiled), ""):
        return {"problem": problem}
    report = check(compiled, effort.samples, effort.seed, effort.max_exhaustive)
    return {"checked": str(report), "problem": "" if report.ok else str(report)}


def _mistakes(compiled: Compiled) -> Iterator[str]:
    """Warnings, wrong examples among them, and examples that the model answers otherwise."""
    program = compiled.program
    yield from (f"warning: {warning.message}" for warning in compiled.warnings)
    for example in program.settings.examples:
        answer = example.output
        expected = {program.outputs[0]: answer} if isinstance(answer, tuple) else answer
        tokens = [to_python(token) for token in example.input]
        for name, values in expected.items():
            if (found := compiled.model.run(tokens, name)) != [to_python(value) for value in values]:
                yield f"the model answers {found} to the example {' '.join(map(str, tokens))}"
