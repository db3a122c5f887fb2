"""Decodes: what a program writes for many sources, by the interpreter.

In: a program with a source, its setting, sources. Out: for each a `Decode`, or the error that says why there is none.
Invariant: it is what `program.decode` gives, source by source; here all are continued together.

    >>> import rasp
    >>> from compiler.pipeline import Compiled
    >>> copied = rasp.load("programs/seq2seq/copy.rasp")
    >>> decode_each(copied, Compiled(copied).setting, [("a", "b")])
    [Decode(values=['a', 'b', '.'], tokens=('a', 'b', '.'), ends=True)]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from compiler.graph.domain import Setting
from compiler.graph.witness import Case, run_each
from compiler.trust.compare.report import Input
from rasp import Program, RaspError
from rasp.meaning.answers import answers
from rasp.meaning.sop import SOp
from rasp.settings import Settings, spellings, token_text
from rasp.text.source import error
from rasp.value import Value

LEAST_GUESS = 4
"""How many tokens are guessed at first."""


class Decode(NamedTuple):
    """What is written for a source: the answers, those of them that are tokens of the target's vocabulary, as such, and
    whether the last one is of `stop`."""

    values: list[Value]
    tokens: Input
    ends: bool


def decode_each(
    program: Program, setting: Setting, sources: Sequence[Input], most: int | None = None
) -> list[Decode | RaspError]:
    """What the program writes for each source, at most so many tokens; without a number, as many as targets have."""
    node = program.node(program.writes_with())
    if not isinstance(node, SOp) or setting.start is None:
        raise AssertionError("a program with a source writes by an s-op, behind `start`")
    most = setting.max_length if most is None else min(most, setting.max_length)
    ends = frozenset(token_text(token) for token in program.settings.stop)
    targets = [_Target(program.settings, setting.start, most, ends) for _ in sources]
    while running := [pair for pair in zip(targets, sources, strict=True) if not pair[0].done]:
        cases = [Case(target.guess, source) for target, source in running]
        for (target, _), answer in zip(running, run_each([program.placed(node)], cases, setting), strict=True):
            if isinstance(answer, RaspError):
                target.fail(answer)
            else:
                target.go_on(answers(node, answer[0][len(target.text) - 1 :]))
    return [target.decode() for target in targets]


class _Target:
    """A target so far, and a guess how it goes on: where that turns out right, it need not be read again.

    The guess is what was answered behind a wrong token; in programs that hardly look at what is written, it is right.
    Where half of it is wrong, nothing is guessed any more.
    """

    def __init__(self, settings: Settings, start: Value, most: int, ends: frozenset[str]) -> None:
        self.settings, self.most, self.ends = settings, most, ends
        self.text, self.values = [start], list[Value]()
        self.tail: list[Value] = []
        self.guessing: bool = True
        self.informed = 0
        """How much of the tail is more than filling."""
        self.ended = False
        self.problem: RaspError | None = None

    @property
    def guess(self) -> Input:
        """What is to be read."""
        return (*self.text, *self.tail)

    @property
    def done(self) -> bool:
        """Whether there is no more to write."""
        return self.ended or self.problem is not None or len(self.values) == self.most

    def decode(self) -> Decode | RaspError:
        """What came out."""
        return self.problem or Decode(self.values, tuple(self.text[1:]), self.ended)

    def fail(self, problem: RaspError) -> None:
        """There is no answer; behind a guess, that says nothing yet."""
        if not self.tail:
            self.problem = problem
        self.tail, self.guessing = [], False

    def go_on(self, found: Sequence[Value]) -> None:
        """Take over the answers at the last token and at those of the guess, as far as that is right."""
        tail, gained = self.tail, 0
        for value in found:
            token = self._write(value)
            gained += 1
            if self.done or gained > len(tail) or tail[gained - 1] is not token:
                break
        self.guessing = self.guessing and 2 * gained > self.informed
        self._guess([self.settings.token(value) for value in found[gained:]])

    def _write(self, value: Value) -> Value | None:
        token, self.ended = self.settings.token(value), not self.ends.isdisjoint(spellings(value))
        if token is None and not self.ended:
            self.problem = error("generate", f'"{token_text(value)}" is no token of the target')
            return None
        self.values.append(value)
        self.text += [] if token is None else [token]
        return token

    def _guess(self, following: Sequence[Value | None]) -> None:
        """Guess that these follow, as far as there is room for them, and as much again."""
        size = max(LEAST_GUESS, 2 * len(following)) if self.guessing and not self.done else 0
        filled = [self.text[-1] if token is None else token for token in following]
        self.informed = len(filled)
        self.tail = [*filled, *[self.text[-1]] * size][: min(size, self.most - len(self.text))]
