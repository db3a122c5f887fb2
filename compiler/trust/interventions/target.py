"""What is intervened in: a model, its provenance, and the compiled program that says what its columns hold.

In: a program, a compiled program, a model, or a checkpoint folder. Out: a `Study`.
Invariant: the compiled program has the labels of the model, so that what it says of columns holds for them.

    study_of("checkpoint")   the model and the provenance.json of the folder, its program compiled again
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from compiler.model import ModelError, Transformer
from compiler.observe.provenance import DOCUMENT
from compiler.pipeline import Compiled, compilations
from compiler.trust.interventions.study import Study
from rasp import Program, RaspError

Target: TypeAlias = Program | Compiled | Transformer | str | Path


def study_of(target: Target, document: Mapping[str, Any] | None = None, seed: int = 0) -> Study:
    """A study of a model. Raises `ModelError` where its program does not compile to its labels."""
    match target:
        case Program():
            return Study(Compiled(target), document=document, seed=seed)
        case Compiled():
            return Study(target, document=document, seed=seed)
        case Transformer():
            return Study(_compiled_again(target), target, document, seed)
    from compiler.runtime.checkpoint import document as read
    from compiler.runtime.checkpoint import documents, load

    model = load(target)
    kept = read(target, DOCUMENT) if document is None and DOCUMENT in documents(target) else document
    return Study(_compiled_again(model), model, kept, seed)


def _compiled_again(model: Transformer) -> Compiled:
    """The program of a model, compiled in the way that comes to its labels."""
    hint = "compile the program again"
    for compiled in compilations(model):
        try:
            if compiled.weights.labels.get("directions") == model.labels.get("directions"):
                return compiled
        except RaspError as problem:
            raise ModelError(f"its program does not compile any more: {problem.diagnostics[0].message}", hint) from None
    raise ModelError("its program compiles to other columns here: it was compiled by another version", hint)
