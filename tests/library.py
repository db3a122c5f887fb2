"""The programs that come along, by name: each is read and parsed once, however many modules ask for it.

LIBRARY["paper/rover"].program
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

import compiler

LIBRARY = {entry.name: entry for entry in compiler.library()}
CAUSAL = {name for name, entry in LIBRARY.items() if "\n#@ attention: causal\n" in entry.path.read_text("utf-8")}
NIGHT = (pytest.mark.slow, pytest.mark.nightly)


def sampled(names: Iterable[str], every: int) -> list[Any]:
    """Slow tests, a program each: every so manieth by day, the others for the night."""
    return [pytest.param(name, marks=NIGHT if at % every else pytest.mark.slow) for at, name in enumerate(names)]


def both_attentions(names: Iterable[str], every: int = 4) -> list[Any]:
    """Slow tests, a program and an attention each. Where it is not the one declared, most are for the night."""
    numbered = list(enumerate(names))
    return [
        pytest.param(name, attention, marks=pytest.mark.slow if declared or at % every == 0 else NIGHT)
        for attention in ("bidirectional", "causal")
        for at, name in numbered
        for declared in [(attention == "causal") == (name in CAUSAL)]
    ]
