"""Verification: a certificate derived again from the stored tensors and the program, trusting nothing else.

In: a checkpoint, or a model and its program. Out: `Verdict`: verified, with every decision's margin and error, or the
reason why not. The tensors are lifted into functions of what the program's variables are, layer by layer, an encoder's
before a decoder's, and what each head returns is recognised as something the program asks for (docs/verification.md).
Invariant: if a model is verified, then on every input of the stated settings on which the interpreter has an answer the
model gives that answer, in the arithmetic of `compiler.numbers.precision`.

    verified: 12 decisions hold; the tightest: output hist, nearest value: margin 32, error 0.0068
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import rasp
from compiler.circuit.certificate import Certificate
from compiler.graph.specialise import Graphs
from compiler.runtime.origin import program_of
from compiler.trust.verify.lifted import Lifted
from compiler.trust.verify.space import CannotVerify
from compiler.trust.verify.verdict import Verdict
from rasp.settings import token_text

if TYPE_CHECKING:
    from compiler.model import Transformer

__all__ = ["Verdict", "verify", "verify_model"]


LOOP = "it has a loop, and the tensors are followed through layers that run once"
"""Why a model with a loop is not verified."""


def verify(folder: str | Path) -> Verdict:
    """Verify a checkpoint. Raises `ModelError` if it cannot be read."""
    from compiler.runtime.checkpoint import load

    return verify_model(load(folder))


def verify_model(model: Transformer) -> Verdict:
    """Verify a model against the program in its labels. Raises `ModelError` where its weights were cast."""
    model.require_dtype()
    program = program_of(model)
    settings = _settings(program)
    if model.config.loop is not None:
        return Verdict(Certificate((), model.config.dtype), settings, LOOP, None)
    verdicts = (_judged(Lifted(model, program, way), settings) for way in range(len(Graphs.WAYS)))
    first = next(verdicts)
    return first if first.ok else next((verdict for verdict in verdicts if verdict.ok), first)


def _settings(program: rasp.Program) -> dict[str, Any]:
    """The inputs that a verdict is about, as JSON data."""
    declared = program.settings
    found = {
        "output": list(program.outputs),
        "vocab": [token_text(token) for token in declared.vocab or ()],
        "max_length": declared.longest,
        "attention": "causal" if declared.two_tapes else declared.attention,
        "requires": list(declared.requires),
    }
    if declared.source is None:
        return found
    source = {"source": [token_text(token) for token in declared.source], "max_source": declared.longest_source}
    return found | source | {"start": token_text(declared.start)}


def _judged(verifier: Lifted, settings: dict[str, Any]) -> Verdict:
    """What comes out where the program is read in one way."""
    problem, found = "", None
    try:
        verifier.run()
        found = verifier.tried()
        problem = found.problem
    except CannotVerify as reason:
        problem = str(reason)
    except rasp.RaspError as refused:
        problem = refused.diagnostics[0].message
    return Verdict(Certificate(tuple(verifier.decisions), verifier.config.dtype), settings, problem, found)
