"""Examples: what a header says that the program answers, held against what it does answer.

In: examples, the settings that hold and those of the header, what runs the program. Out: `Judged`.
Where settings were replaced, an example of the header that is no input of theirs, or was written for other answers, is
left out. Where nothing was replaced, an example that does not fit is wrong.
Invariant: every example either holds, or is left out with a reason, or is wrong with what came instead.

    >>> from rasp.program import parse
    >>> print(*[one.message for one in parse('#@ example: "ab" -> [1, 1]\\nx = indices;').examples.wrong])
    the program answers [0, 1], the example says [1, 1]: they differ at position 0
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from rasp.meaning.inputs import Input
from rasp.settings import Example, Settings, cut, spellings, token_text
from rasp.text.source import Diagnostic, RaspError, counted
from rasp.value import Value, to_python

WORK = 20_000_000
"""How many pairs of positions are looked at in all; examples behind that are left out."""
ANSWERING = ("output", "attention", "requires", "stop", "start", "rounds")
"""Settings that say what is answered: with another one of them, an example of the header says nothing."""


@dataclass
class Judged:
    """How many examples hold; what was said of those that do not, and of those that do not fit."""

    held: int = 0
    wrong: list[Diagnostic] = field(default_factory=list)
    left_out: list[Diagnostic] = field(default_factory=list)

    @property
    def note(self) -> list[Diagnostic]:
        """That some were left out, with the reason of the first; nothing where none was."""
        if not self.left_out:
            return []
        count, first = len(self.left_out), self.left_out[0]
        message = f"{counted(count, 'example')} {'is' if count == 1 else 'are'} left out: {first.message}"
        return [Diagnostic("example", "note", message, first.span)]


class Claimed(NamedTuple):
    """A program, as far as its examples are asked about."""

    settings: Settings
    header: Settings
    outputs: tuple[tuple[str, ...], tuple[str, ...]]
    """The outputs as they are, and as they were by the header."""
    answer: Callable[[str, Input, int], Sequence[Value]]
    """What an output is on an input; with a source, what is decoded with it, at most so many tokens."""
    is_meant: Callable[[Input, Input], bool]
    """Whether all that the program requires is True; with a source, beside a target so far."""


def judged(claimed: Claimed) -> Judged:
    """What the examples are worth."""
    found, left = Judged(), WORK
    for example in claimed.settings.examples:
        left -= _work(claimed.settings, example)
        reason = "there are too many long ones" if left < 0 else _elsewhere(claimed, example)
        if reason:
            found.left_out.append(Diagnostic("example", "note", reason, example.span))
        elif message := _wrong(claimed, example):
            found.wrong.append(Diagnostic("example", "warning", message, example.span))
        else:
            found.held += 1
    return found


def _work(settings: Settings, example: Example) -> int:
    """Pairs of positions that an example asks about; of a target, at each of its tokens."""
    written = _written(example) if settings.two_tapes else 0
    size = len(example.input) + written
    return size * size * max(written, 1)


def _written(example: Example) -> int:
    """How many tokens of a target tell whether an example is right: those that it says, and another one."""
    return max(map(len, [example.output] if isinstance(example.output, tuple) else example.output.values())) + 1


def _elsewhere(claimed: Claimed, example: Example) -> str | None:
    """Why an example of the header says nothing under the settings that replace it."""
    settings, header = claimed.settings, claimed.header
    changed = [key for key in ANSWERING if getattr(settings, key) != getattr(header, key)]
    if claimed.outputs[0] == claimed.outputs[1]:
        changed = [key for key in changed if key != "output"]
    if changed and example.span is not None:
        return f"`{changed[0]}` is not that of the header"
    return (_misfit(settings, example) or _misread(claimed, example)) if _replaced(settings, header) else None


def _replaced(settings: Settings, header: Settings) -> bool:
    """Whether another input, or a longer target, may be meant than by the header."""
    keys = ("vocab", "source", "unknown", "longest", "longest_source")
    return any(getattr(settings, key) != getattr(header, key) for key in keys)


def _misread(claimed: Claimed, example: Example) -> str | None:
    """That its tokens are other values now, or that its target ended for want of room."""
    settings, header = claimed.settings, claimed.header
    before, now = ([(type(one), one) for one in _read(chosen, example)] for chosen in (header, settings))
    if before != now:
        return "its tokens are other ones than those of the header"
    ends = {token_text(token) for token in settings.stop}
    given = example.output if isinstance(example.output, tuple) else ()
    if settings.two_tapes and settings.longest != header.longest and not (given and token_text(given[-1]) in ends):
        return "no token of `stop` ends its target, and the longest target is another one"
    return None


def _read(settings: Settings, example: Example) -> list[Value]:
    try:
        return settings.read_source(example.input) if settings.two_tapes else settings.read(example.input)
    except RaspError:
        return []


def _misfit(settings: Settings, example: Example) -> str | None:
    """Why its input is none that the settings mean, or its target none."""
    known = {token_text(token) for token in (settings.source if settings.two_tapes else settings.vocab) or ()}
    tape = "source" if settings.two_tapes else "vocabulary"
    if known and settings.unknown is None:
        for at, token in enumerate(example.input):
            if token_text(token) not in known:
                return f"`{cut(token_text(token))}` at position {at} of its input is no token of the {tape}"
    longest = settings.longest_source if settings.two_tapes else settings.max_length
    if longest is not None and len(example.input) > longest:
        return f"its input has {counted(len(example.input), 'token')}, and the longest has {longest}"
    if settings.two_tapes and len(example.output) > settings.longest:
        return f"its target has {counted(len(example.output), 'token')}, and the longest has {settings.longest}"
    return None


def _wrong(claimed: Claimed, example: Example) -> str | None:
    """What is wrong with an example; None where it holds."""
    if misfit := _misfit(claimed.settings, example):
        return f"this is no example: {misfit}"
    written = example.output[:-1] if claimed.settings.two_tapes and isinstance(example.output, tuple) else ()
    if claimed.settings.requires and not claimed.is_meant(example.input, written):
        names = ", ".join(f"`{name}`" for name in claimed.settings.requires)
        return f"on this example {names} is not True everywhere, and the program requires it"
    return next(_differences(claimed, example), None)


def _differences(claimed: Claimed, example: Example) -> Iterator[str]:
    for name, expected in _told(claimed, example).items():
        if name not in claimed.outputs[0]:
            yield f"`{name}` is no output of the program: its outputs are {', '.join(claimed.outputs[0])}"
            continue
        said = f"the example says {_shown(expected)}"
        who = "the program" if len(claimed.outputs[0]) == 1 else f"`{name}`"
        try:
            found = claimed.answer(name, example.input, _written(example))
        except RaspError as problem:
            yield f"{who} has no answer, {said}: {problem.diagnostics[0].message}"
            continue
        pairs = enumerate(zip(found, expected, strict=False))
        same = _same_token if claimed.settings.two_tapes else _same_value
        at = next((at for at, (one, other) in pairs if not same(one, other)), min(len(found), len(expected)))
        if at < max(len(found), len(expected)):
            verb = "writes" if claimed.settings.two_tapes else "answers"
            yield f"{who} {verb} {_shown(found)}, {said}: they differ at position {at}"


def _told(claimed: Claimed, example: Example) -> Mapping[str, tuple[Value, ...]]:
    """What the example says of each output; an answer without a name is the first output's."""
    if isinstance(example.output, tuple):
        return dict.fromkeys(claimed.outputs[0][:1], example.output)
    return example.output


def _same_value(found: Value, expected: Value) -> bool:
    """Whether an answer is the one that is said, as Python sees both: a third is the float that is nearest to it."""
    return found == expected or to_python(found) == to_python(expected)


def _same_token(found: Value, expected: Value) -> bool:
    """Whether what was written is the token that is said: a token is known by its text."""
    return token_text(expected) in spellings(found)


def _shown(values: Sequence[Value]) -> str:
    """Values as a header has them: a string of characters, or a JSON list."""
    if values and all(isinstance(value, str) and len(value) == 1 for value in values):
        return cut(json.dumps("".join(map(str, values)), ensure_ascii=False))
    return cut(json.dumps([to_python(value) for value in values], ensure_ascii=False))
