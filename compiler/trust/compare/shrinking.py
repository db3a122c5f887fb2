"""Shrinking: a difference made small, and where it begins; a decode without an end made short.

In: what is checked, an input on which a stage differs, perhaps in a batch only. Out: a `Difference`, or an `Endless`.
Invariants: what is reported was seen on just that input, which the program means; the stage is the first that differs
there.

    model differs from the interpreter in o on the input `a a`, which was found as `c a b b a c`
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from compiler.graph.witness import Case
from compiler.trust.compare.decodes import Decode
from compiler.trust.compare.inputs import chunks
from compiler.trust.compare.places import Places
from compiler.trust.compare.report import WHOLE, Difference, Endless, Place
from compiler.trust.compare.stages import FAST, plain
from compiler.trust.compare.subject import Batch, Subject, Wrong

SHRUNK = 16
"""How many smaller inputs are tried at a time."""
SHRINKING = 1_000_000
"""How many tokens are tried in all to make an input small."""
T = TypeVar("T")
Smaller = Callable[[T], Iterator[tuple[int, "T | None"]]]
"""Tries smaller ones: how many tokens that takes, and the one that was found."""


def smallest(subject: Subject, wrong: Wrong) -> Difference:
    """The difference made small; which stage is the first to differ there, and in which s-op.

    Where an input differs only beside others, they are part of the difference.
    """
    shrink = _Shrink(subject)
    alone = shrink.again(wrong, [wrong.case])
    if alone is None:
        return _together(shrink, wrong)
    least = _shrunk(alone, shrink.alone)
    first = (subject.compare(Batch([least.case], (stage,))).wrong for stage in subject.stages)
    found = next(filter(None, first), least)
    return _difference(found) if found.refuted else replace(_difference(found), place=_place(subject, found))


def _together(shrink: _Shrink, wrong: Wrong) -> Difference:
    """A difference that an input alone does not make, beside as few others as possible."""
    if (again := shrink.again(wrong, wrong.batch)) is None:
        return replace(_difference(wrong), batch=tuple(wrong.batch), row=wrong.row, again=False)
    least = _shrunk(again, shrink.together)
    return replace(_difference(least), batch=tuple(least.batch), row=least.row)


def shortest(subject: Subject, endless: Case) -> Endless:
    """A small source whose target has no end."""
    least = _shrunk(endless, _Shrink(subject).endless)
    [decode] = subject.decoded([least])
    return Endless(least.source or (), plain(decode.values) if isinstance(decode, Decode) else [])


def _shrunk(found: T, smaller: Smaller[T]) -> T:
    """The first smaller one, and of that, until there is none; how many tokens are tried is bounded."""
    left = SHRINKING
    following: T | None = found
    while following is not None and left > 0:
        found, following = following, None
        for tried, following in smaller(found):
            left -= tried
            if following is not None:
                break
    return found


class _Shrink:
    """What is tried of a subject to make a difference small."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject

    def alone(self, wrong: Wrong) -> Iterator[tuple[int, Wrong | None]]:
        """For several smaller inputs at a time, how many tokens they have, and the difference that one makes alone."""
        for inputs in chunks(self.subject.generator.smaller(wrong.case), SHRUNK):
            found = self.again(wrong, inputs)
            yield _tokens(inputs), found and self.again(found, [found.case])

    def together(self, wrong: Wrong) -> Iterator[tuple[int, Wrong | None]]:
        """The same for fewer inputs beside the one that differs."""
        for inputs in _fewer(wrong):
            yield _tokens(inputs), self.again(wrong, inputs)

    def endless(self, one: Case) -> Iterator[tuple[int, Case | None]]:
        """The same for a source whose target has no end."""
        for inputs in chunks(self.subject.generator.smaller(one), SHRUNK):
            decodes = zip(inputs, self.subject.decoded(inputs), strict=True)
            yield _tokens(inputs), next((one for one, decode in decodes if self.subject.is_endless(decode)), None)

    def again(self, wrong: Wrong, inputs: Sequence[Case]) -> Wrong | None:
        """What the stage gets wrong in another batch, of those inputs that are meant."""
        return self.subject.compare(Batch(self.subject.meant(inputs), (wrong.stage,))).wrong


def _tokens(inputs: Sequence[Case]) -> int:
    return sum(len(one.tokens) + len(one.source or ()) for one in inputs)


def _fewer(wrong: Wrong) -> Iterator[Sequence[Case]]:
    """The batch without some of the inputs beside the one that differs, many before few."""
    others = [i for i in range(len(wrong.batch)) if i != wrong.row]
    size = (len(others) + 1) // 2
    while size:
        for start in range(0, len(others), size):
            left_out = set(others[start : start + size])
            yield [one for i, one in enumerate(wrong.batch) if i not in left_out]
        size //= 2


def _place(subject: Subject, wrong: Wrong) -> Place | None:
    """The first s-op that differs; the output itself where every variable of the stream is right.

    The fast path has a stream of its own, of which only what comes out is known; what is written alone differs where
    all that is answered is right.
    """
    if wrong.stage in (FAST, *WHOLE):
        return None
    try:
        first = next(Places(subject.compiled, subject.model, wrong.case).of(wrong.stage), None)
    except (KeyError, IndexError, TypeError, ValueError, ArithmeticError, RuntimeError):
        return None  # labels that do not fit the model
    return first or Place(wrong.output, "unembedding", wrong.expected, wrong.found)


def _difference(wrong: Wrong) -> Difference:
    claim = wrong.refuted.claim if wrong.refuted else ""
    return Difference(wrong.stage, wrong.output, wrong.case, wrong.expected, wrong.found, claim=claim)
