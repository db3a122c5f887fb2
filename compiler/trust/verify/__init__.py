"""Verification: a certificate derived again from the stored tensors and the program, trusting nothing else.

In: a checkpoint, or a model and its program. Out: `Verdict`: verified, with every decision's margin and error, or the
reason why not. The tensors are lifted into functions of what the program's variables are, layer by layer, and what each
head returns is recognised as something the program asks for (docs/verification.md).
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


def verify(folder: str | Path) -> Verdict:
    """Verify a checkpoint. Raises `ModelError` if it cannot be read."""
    from compiler.runtime.checkpoint import load

    return verify_model(load(folder))


def verify_model(model: Transformer) -> Verdict:
    """Verify a model against the program in its labels. Raises `ModelError` where its weights were cast, and for one
    with an encoder."""
    from compiler.model import require_one_tape

    require_one_tape(model.encoder is not None, "the verifier")
    model.require_dtype()
    program = program_of(model)
    settings = {
        "output": list(program.outputs),
        "vocab": [token_text(token) for token in program.settings.vocab or ()],
        "max_length": program.settings.longest,
        "attention": program.settings.attention,
        "requires": list(program.settings.requires),
    }
    verdicts = (_judged(Lifted(model, program, way), settings) for way in range(len(Graphs.WAYS)))
    first = next(verdicts)
    return first if first.ok else next((verdict for verdict in verdicts if verdict.ok), first)


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
