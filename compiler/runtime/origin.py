"""Origin: the program that a model was compiled from and what was asked of the compiler, kept in its labels.

In: a program with options, or a model with labels. Out: JSON data for the labels, hashes for the certificate, the
program and the options again.
Invariant: a program comes back with all the files that it loads, and nothing is read from the disk for it.

    model.labels["program"] = recorded(program)
    program_of(model)["sorted"]("cab") -> ['a', 'b', 'c']
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import rasp
from compiler.graph.domain import Limits
from rasp import Program
from rasp.program import LIBRARY, Place
from rasp.running.elaborate import MAX_FILES, MAX_LOADED
from rasp.settings import Settings
from rasp.value import to_python

if TYPE_CHECKING:
    from compiler.model import ModelError, Transformer

LABEL, OPTIONS = "program", "options"
MODES = ("balanced", "depth", "size")
"""The ways to compile, the usual one first: what is tried where a model does not say which it was."""
MOST_RAISED = 16
"""By how much limits in a checkpoint may exceed the usual ones: they bound the work of who compiles it again."""


def recorded(program: Program) -> dict[str, Any]:
    """Text, files and settings of a program as JSON data. Its vocabulary must be declared."""
    files = {"files": dict(program.files)} if program.files else {}
    return {"source": program.source.text, **files, "settings": declared(program)}


def declared(program: Program) -> dict[str, Any]:
    """The settings a model is compiled under, as JSON data for `Program.replace`."""
    settings = program.settings
    assert settings.vocab is not None
    return {
        "output": list(program.outputs),
        "vocab": [to_python(token) for token in settings.vocab],
        "max_length": settings.longest,
        **({"attention": settings.attention} if settings.source is None else _of_source(settings)),
        **({"requires": list(settings.requires)} if settings.requires else {}),
        **({"rounds": settings.rounds} if settings.rounds is not None else {}),
        **({"unknown": to_python(settings.unknown)} if settings.unknown is not None else {}),
        **({"generate": settings.generate} if settings.generate else {}),
        **({"stop": [to_python(token) for token in settings.stop]} if settings.stop else {}),
    }


def _of_source(settings: Settings) -> dict[str, Any]:
    """What is declared of the source, and the token that a target begins with."""
    return {
        "source": [to_python(token) for token in settings.source or ()],
        "max_source": settings.longest_source,
        "start": to_python(settings.start),
    }


def located(program: Program, name: str) -> dict[str, Any]:
    """The lines of a program that give a name, and whose text gives it, if not the program's own. A name may say on
    which tape it is read: `place@source`."""
    place = program.places.get(name.partition("@")[0], Place((), LIBRARY))
    return {"lines": list(place.lines), "home": place.home}


def hashes(program: Program) -> dict[str, Any]:
    """The SHA-256 of the program's text and of each file that it loads, in hexadecimal."""
    files = {name: _hash(text) for name, text in program.files.items()}
    return {"program": _hash(program.source.text), **({"files": files} if files else {})}


def program_of(model: Transformer) -> Program:
    """The program under the settings of the compilation. Raises `ModelError`, or `RaspError` for one with errors."""
    try:
        told = model.labels[LABEL]
        source, files, settings = told["source"], told.get("files", {}), dict(told["settings"])
        _require_texts([source, *files, *files.values()])
        return rasp.parse(source, files=files, settings=settings)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise _unknown() from None


def asked(optimize: str, limits: Limits) -> dict[str, Any]:
    """What was asked of the compiler besides settings, as JSON data: the mode, and the limits that are unusual."""
    usual = asdict(Limits())
    return {
        "optimize": optimize,
        "limits": {name: limit for name, limit in asdict(limits).items() if limit != usual[name]},
    }


def options_of(model: Transformer) -> list[tuple[str, Limits]]:
    """Mode and limits that a model was compiled with; every mode, where its labels do not say it, or nothing usable."""
    try:
        told, usual = model.labels[OPTIONS], asdict(Limits())
        optimize, limits = told["optimize"], told["limits"]
        usable = optimize in MODES and all(0 <= limit <= MOST_RAISED * usual[name] for name, limit in limits.items())
        return [(optimize, Limits(**limits))] if usable else [(mode, Limits()) for mode in MODES]
    except (KeyError, TypeError, AttributeError):  # of a version that did not record it
        return [(mode, Limits()) for mode in MODES]


def _unknown() -> ModelError:
    from compiler.model import ModelError

    return ModelError("the model does not say which program it was compiled from", "compile the program again")


def _require_texts(items: list[object]) -> None:
    """Raise for what is no text, and for more than a program loads."""
    if len(items) > 2 * MAX_FILES + 1 or not all(isinstance(item, str) for item in items):
        raise ValueError("not a program and its files")
    if sum(len(str(item)) for item in items) > 2 * MAX_LOADED:
        raise ValueError("a program and its files are longer than any that is compiled")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
