"""The assembler: a program for a machine, as text, becomes the prompt that the machine goes on from.

In: a `Source`. Out: `Assembled`: the machine, the tokens of the prompt, the label of each place.
Invariant: every mistake is a diagnostic at its place, all of a text at once; what is assembled fits into the machine.

    .machine bytes                the machine; then what its registers are at first, `.a 5`
    loop:  load total             a label, an instruction, its operands: numbers, names, labels
           jnz  loop              ; the rest of the line is a comment
    total = 9                     a name for a number
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from rasp.machines.formats import MACHINES, Instruction, Machine, Token
from rasp.text.source import Diagnostic, RaspError, Source, Span, counted, did_you_mean

WORD = re.compile(r"[^\s;]+")
NAME = re.compile(r"[A-Za-z_]\w*")
NUMBER = re.compile(r"[+-]?\d{1,9}")
BAR = "|"


@dataclass(frozen=True)
class Assembled:
    """A prompt, the machine that it is for, and what places of the program are called."""

    machine: Machine
    tokens: tuple[Token, ...]
    labels: dict[int, str]


@dataclass
class Written:
    """A word of the text."""

    text: str
    span: Span


@dataclass
class Line:
    """An instruction, or data, and the place where it goes."""

    place: int
    words: list[Written]


@dataclass
class Text:
    """A program as it is read: what was found in it so far, and what is wrong with it."""

    machine: Machine
    lines: list[Line] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)
    labels: dict[int, str] = field(default_factory=dict)
    registers: dict[str, Written] = field(default_factory=dict)
    wrong: list[Diagnostic] = field(default_factory=list)
    size: int = 0

    def complain(self, code: str, message: str, word: Written, hint: str | None = None) -> None:
        """Note a mistake."""
        self.wrong.append(Diagnostic(code, "error", message, word.span, hint))

    def define(self, word: Written, number: int) -> None:
        """Give a number a name."""
        if word.text in self.names:
            self.complain("twice", f"`{word.text}` has been defined before", word)
        self.names[word.text] = number


def assembled(source: Source) -> Assembled:
    """The prompt. Raises `RaspError` with everything that is wrong."""
    text = _read(source)
    tokens = {"lines": _of_lines, "cells": _of_cells, "words": _of_words, "signs": _of_signs}[text.machine.layout](text)
    if text.wrong:
        raise RaspError(*sorted(text.wrong, key=lambda one: one.span.start if one.span else 0))
    return Assembled(text.machine, tuple(tokens), text.labels)


# -- reading -----------------------------------------------------------------------------------------------------------


def _words(source: Source) -> Iterator[list[Written]]:
    """The words of each line that has some."""
    start = 0
    for line in source.text.split("\n"):
        code = line.partition(";")[0]
        found = [Written(m[0], Span(source, start + m.start(), start + m.end())) for m in WORD.finditer(code)]
        if found:
            yield found
        start += len(line) + 1


def _read(source: Source) -> Text:
    lines = _words(source)
    first = next(lines, None)
    known = ", ".join(MACHINES)
    if first is None or first[0].text != ".machine" or len(first) != 2:
        span = first[0].span if first else Span(source, 0, 0)
        message = "a program says first which machine it is for"
        raise RaspError(Diagnostic("machine", "error", message, span, f"write `.machine` and one of {known}"))
    name = first[1]
    if name.text not in MACHINES:
        hint = did_you_mean(name.text, MACHINES) or f"there are {known}"
        raise RaspError(Diagnostic("machine", "error", f"there is no machine `{name.text}`", name.span, hint))
    text = Text(MACHINES[name.text])
    for words in lines:
        _read_line(text, words)
    return text


def _read_line(text: Text, words: list[Written]) -> None:
    if len(words) == 3 and words[1].text == "=" and text.machine.layout in ("lines", "cells"):
        _define(text, words[0], words[2])
        return
    if words[0].text.startswith(".") and words[0].text != ".data" and text.machine.layout != "signs":
        _set_register(text, words)
        return
    while words and words[0].text.endswith(":") and text.machine.layout in ("lines", "cells"):
        label = Written(words[0].text[:-1], words[0].span)
        if NAME.fullmatch(label.text):
            text.define(label, text.size)
            text.labels.setdefault(text.size, label.text)
        else:
            text.complain("name", f"`{label.text}` is no name", label, "letters, digits and _, a letter first")
        words = words[1:]
    if words:
        text.lines.append(Line(text.size, words))
        text.size += 1 if text.machine.layout == "lines" else _cells(text.machine, words)


def _cells(machine: Machine, words: list[Written]) -> int:
    return len(words) - 1 if words[0].text == ".data" else machine.width


def _define(text: Text, name: Written, value: Written) -> None:
    if not NAME.fullmatch(name.text):
        text.complain("name", f"`{name.text}` is no name", name, "letters, digits and _, a letter first")
    elif not NUMBER.fullmatch(value.text):
        text.complain("number", f"`{value.text}` is no number", value)
    else:
        text.define(name, int(value.text))


def _set_register(text: Text, words: list[Written]) -> None:
    name = words[0].text[1:]
    if name not in text.machine.registers:
        hint = did_you_mean(name, text.machine.registers) or f"there are {', '.join(text.machine.registers) or 'none'}"
        text.complain("register", f"`{text.machine.name}` has no register `{name}`", words[0], hint)
    elif len(words) != 2:
        text.complain("operands", f"`.{name}` takes one number", words[0])
    else:
        text.registers[name] = words[1]


# -- writing -----------------------------------------------------------------------------------------------------------


def _number(text: Text, word: Written) -> int:
    """What a word stands for; 0 where that is a mistake, which is noted."""
    low, high = text.machine.numbers
    value = int(word.text) if NUMBER.fullmatch(word.text) else text.names.get(word.text)
    if value is None:
        text.complain("unknown-name", f"`{word.text}` is not defined", word, did_you_mean(word.text, text.names))
    elif not low <= value <= high:
        text.complain("number", f"{value} is not from {low} to {high}", word)
    return value or 0


def _registers(text: Text) -> dict[str, int]:
    return {
        name: _number(text, text.registers[name]) if name in text.registers else value
        for name, value in text.machine.registers.items()
    }


def _operands(text: Text, line: Line, next_place: int) -> list[int]:
    """The operands of an instruction; places that are left out are the next one."""
    name, *operands = line.words
    known = text.machine.instructions
    if name.text not in known:
        hint = did_you_mean(name.text, known)
        text.complain("instruction", f"`{text.machine.name}` has no instruction `{name.text}`", name, hint)
        return []
    wanted: Instruction = known[name.text]
    most, least = len(wanted.operands), len(wanted.operands) - wanted.optional
    if not least <= len(operands) <= most:
        count = counted(most, "operand") if least == most else f"{least} to {counted(most, 'operand')}"
        at = operands[most] if len(operands) > most else name
        text.complain("operands", f"`{name.text}` takes {count}, not {len(operands)}", at)
        return []
    if len(operands) < most and next_place > text.machine.numbers[1]:
        text.complain("operands", f"there is no place behind this one to go on at, in `{text.machine.name}`", name)
    return [_number(text, word) for word in operands] + [next_place] * (most - len(operands))


def _require_room(text: Text, size: int, unit: str) -> None:
    if size > text.machine.most and text.lines:
        last = text.lines[-1].words[0]
        most = f"the {text.machine.most} of `{text.machine.name}`"
        text.complain("too-long", f"{counted(size, unit)} are more than {most}", last)


def _of_lines(text: Text) -> list[Token]:
    """Lines of one width, a bar, and what the registers are at first."""
    tokens: list[Token] = []
    for line in text.lines:
        operands = _operands(text, line, line.place + 1)
        tokens += [line.words[0].text, *WIDEN[text.machine.name](line, operands)]
    _require_room(text, text.size, "line")
    return [*tokens, BAR, *BEHIND[text.machine.name](_registers(text))]


def _byte_operands(line: Line, operands: list[int]) -> list[int]:
    return (operands or [0])[:1]


def _counter_operands(line: Line, operands: list[int]) -> list[int]:
    """Where to go on, and where to go on from 0. A single place of `decx` is that for 0; the next line is the other."""
    if line.words[0].text.startswith("dec") and len(line.words) == 2:
        return [line.place + 1, *operands[:1]]
    return (operands * 2)[:2] or [0, 0]


WIDEN: dict[str, Callable[[Line, list[int]], list[int]]] = {"bytes": _byte_operands, "counters": _counter_operands}
BEHIND: dict[str, Callable[[dict[str, int]], list[Token]]] = {
    "bytes": lambda registers: [registers["a"], registers["b"]],
    "counters": lambda registers: [*["x+"] * registers["x"], *["y+"] * registers["y"], registers["start"]],
}


def _of_cells(text: Text) -> list[Token]:
    """The cells of a memory, zeros behind them, and where it starts."""
    cells: list[Token] = []
    for line in text.lines:
        if line.words[0].text == ".data":
            cells += [_number(text, word) for word in line.words[1:]]
        else:
            cells += _operands(text, line, line.place + text.machine.width)
    _require_room(text, text.size, "cell")
    return [*cells, *[0] * (text.machine.most - len(cells)), _registers(text)["start"]]


def _of_words(text: Text) -> list[Token]:
    """Words as they are, and a bar."""
    words = [word for line in text.lines for word in line.words]
    for word in words:
        if word.text not in text.machine.instructions:
            hint = did_you_mean(word.text, text.machine.instructions)
            text.complain("instruction", f"`{word.text}` is no word of `{text.machine.name}`", word, hint)
    _require_room(text, len(words), "word")
    return [*(word.text for word in words), BAR]


def _of_signs(text: Text) -> list[Token]:
    """Signs as they are, and a bar."""
    tokens: list[Token] = []
    for word in (word for line in text.lines for word in line.words):
        for offset, sign in enumerate(word.text):
            if sign not in text.machine.instructions:
                start = word.span.start + offset
                found = Written(sign, Span(word.span.source, start, start + 1))
                text.complain("instruction", f"`{sign}` is no sign of `{text.machine.name}`", found)
            tokens.append(sign)
    _require_room(text, len(tokens), "sign")
    return [*tokens, BAR]
