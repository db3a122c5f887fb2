"""The compiler: s-ops -> graph -> circuit -> weights -> a running transformer.

In: a `rasp.Program`. Out: `Compiled`, which holds every stage and the model; `load` reads a saved one back.
Invariant: importing this package, or `compiler.model`, pulls in nothing else: the names below load when first used.

    compiled = compiler.compile(rasp.load("programs/sort.rasp"))
    compiled.save("sort"); compiler.load("sort").run("cab")
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from compiler.hosts import export
    from compiler.model import ModelError, Transformer
    from compiler.pipeline import Compiled, compile
    from compiler.programs.library import library
    from compiler.runtime.checkpoint import load
    from compiler.trust.compare import Report, check
    from compiler.trust.interventions import intervene

__all__ = [
    "Compiled",
    "ModelError",
    "Report",
    "Transformer",
    "check",
    "compile",
    "export",
    "intervene",
    "library",
    "load",
]

_HOMES = {
    "Compiled": "pipeline",
    "ModelError": "model",
    "Report": "trust.compare",
    "Transformer": "model",
    "check": "trust.compare",
    "compile": "pipeline",
    "export": "hosts",
    "intervene": "trust.interventions",
    "library": "programs.library",
    "load": "runtime.checkpoint",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"compiler.{_HOMES[name]}"), name)
    globals()[name] = value  # a submodule of the same name must not take its place
    return value
