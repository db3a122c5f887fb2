"""Rounds: what a program has that carries names through a loop: its rounds, and any one of them.

In: a program that has been run. Out: what the names hold round by round; the program over any round; when it is over.
Invariant: the interpreter runs all rounds; that any round stands for all of them is checked as the program is read.

    >>> from rasp.program import parse
    >>> program = parse("#@ loop: x\\nx = tokens_int;\\nfor i in range(9) { x = max(x, shift(x, 1, 0)); }")
    >>> len(program.states), program.rounds_until_still([2, 1, 1])
    (10, 2)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from itertools import pairwise
from typing import Self

from rasp.meaning.inputs import Input
from rasp.meaning.interpreter import evaluate
from rasp.meaning.sop import Node
from rasp.running.elaborate import Elaborator
from rasp.running.loops import Carrying, Round, States, outermost
from rasp.settings import Settings
from rasp.text.source import Diagnostic, Span
from rasp.text.syntax import Module


def carrying_of(header: Settings, rounds: int | None) -> Carrying | None:
    """The loop that a header names, with as many rounds as somebody or it says."""
    return Carrying(header.loop, header.replace(rounds=rounds).rounds) if header.loop else None


class Looping:
    """The loop of a program; without one there are no states."""

    syntax: Module
    settings: Settings
    header: Settings
    _run: Elaborator
    _generic: Elaborator | None = None

    def __init__(self, syntax: Module, settings: Settings, run: Elaborator) -> None:
        raise NotImplementedError

    @property
    def spans(self) -> Mapping[Node, Span]:
        """Where nodes were first written."""
        raise NotImplementedError

    @property
    def states(self) -> States:
        """What each name that a loop carries holds before the first round and after each; empty without a loop."""
        return () if self._run.carrying is None else tuple(self._run.carrying.states)

    @property
    def generic(self) -> Self:
        """The program with any round of its loop in the place of all of them. Raises `ValueError` without a loop."""
        if self._generic is None:
            raise ValueError("the program has no loop that carries names")
        return type(self)(self.syntax, self.settings, self._generic)

    @property
    def round(self) -> Round:
        """Any round of the loop, of the `generic` program."""
        carrying = None if self._generic is None else self._generic.carrying
        assert carrying is not None and carrying.round is not None
        return carrying.round

    def rounds_until_still(self, tokens: Input) -> int:
        """After how many rounds no carried name changes any more on an input; all, where that is never seen."""
        nodes = [node for state in self.states for node in state.values()]
        values = iter(evaluate(nodes, self.settings.read(tokens), self._causal, self.spans))
        found = [{name: next(values) for name in state} for state in self.states]
        return next((r for r, (one, other) in enumerate(pairwise(found)) if one == other), len(found) - 1)

    def has_halted(self, tokens: Input) -> bool:
        """Whether what `halt` names is True everywhere behind the last round; True where nothing is named."""
        halt = self.settings.halt
        if halt is None:
            return True
        return all(evaluate(self.states[-1][halt], self.settings.read(tokens), self._causal, self.spans))

    @property
    def _causal(self) -> bool:
        return self.settings.attention == "causal"

    def _check_loop(self, carrying: Carrying, wrong: bool) -> list[Diagnostic]:
        """What is wrong with the loop; if nothing is, and was before, its rounds are found to be one."""
        statements = self.syntax.statements
        found = [*outermost(statements, carrying.names, self.settings.spans.get("loop"))]
        if found or wrong:
            return found
        again = dataclasses.replace(carrying, generic=True, states=[])
        self._generic = Elaborator(self._run.folder, kept=self._run.files, carrying=again)
        self._generic.run_all(statements)
        return [one for one in self._generic.diagnostics if one.severity == "error"]

    def _check_rounds(self) -> list[Diagnostic]:
        """The loop and its rounds are as they were when the program was run."""
        ran = self._run.carrying
        if (
            (self.settings.loop, self.settings.rounds) == ((), None)
            if ran is None
            else ((self.settings.loop, self.settings.rounds) == (ran.names, ran.rounds))
        ):
            return []
        message = "`loop` and `rounds` say how a program is run: give them as it is read"
        return [Diagnostic("setting", "error", message)]
