"""Steps: what a machine writes, as a table with a row for each step.

In: a machine, its prompt, the tokens that follow, one at a time. Out: a `Step` for each, with what each column shows.
Invariant: a step is given as soon as its last token has been read; every token read is told in some step.

    pc  instruction  a  b
    0   set 7        7  0
    1   halt               halt
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from rasp.machines.assembler import BAR
from rasp.machines.formats import ACTIONS, Token

CELLS = 16


@dataclass(frozen=True)
class Step:
    """One step: what each column shows; the word that ended the text, in the last one."""

    shows: dict[str, str]
    ended: str = ""


Steps: TypeAlias = Iterator[Step]


class Text:
    """What follows a prompt, token by token; a word that ends it is kept apart."""

    def __init__(self, tokens: Iterable[object], ends: frozenset[str]) -> None:
        self._tokens = iter(tokens)
        self._ends = ends
        self.ended = ""

    def next(self) -> str:
        """The next token, or nothing where the text has ended."""
        found = "" if self.ended else next(self._tokens, "")
        token = str(found)
        if token in self._ends:
            self.ended = token
            return ""
        return token


def steps(machine: str, prompt: Sequence[Token], tokens: Iterable[object], ends: Iterable[str]) -> Steps:
    """The steps that tokens behind a prompt tell; `ends` are the words that end a text."""
    texts = Text(tokens, frozenset(ends) - set(ACTIONS))
    yield from READ[machine](list(prompt), texts)


def _bytes(prompt: list[Token], text: Text) -> Steps:
    a, b = str(prompt[-2]), str(prompt[-1])
    while line := text.next():
        place = int(line[1:])
        name, operand = prompt[2 * place : 2 * place + 2] if 2 * place < prompt.index(BAR) else ("", "")
        memory = {"store": f"M[{operand}]={a}", "put": f"M[{b}]={a}"}.get(str(name), "")
        new = text.next(), text.next()
        shown = f"a={new[0]}" if name == "out" and new[0] else ""
        columns = {"pc": str(place), "instruction": f"{name} {operand}", "a": new[0], "b": new[1]}
        yield Step({**columns, "memory": memory, "out": shown}, text.ended)
        if text.ended:
            return
        a, b = new
    yield from _last(text)


def _last(text: Text) -> Steps:
    """What ended a text between two steps."""
    if text.ended:
        yield Step({"pc": ""}, text.ended)


def _counters(prompt: list[Token], text: Text) -> Steps:
    counters = {name: prompt.count(f"{name}+") - prompt.count(f"{name}-") for name in "xy"}
    place = int(str(prompt[-1]))
    while True:
        line = prompt[3 * place : 3 * place + 3] if 3 * place < prompt.index(BAR) else []
        done = text.next()
        goes = text.next()
        if not done and not text.ended:
            return
        if done:
            counters[done[0]] += {"+": 1, "-": -1, "0": 0}[done[1]]
        columns = {"pc": str(place), "instruction": " ".join(map(str, line)), "done": done}
        yield Step({**columns, **{name: str(number) for name, number in counters.items()}}, text.ended)
        if text.ended or not goes:
            return
        place = int(goes)


def _subleq(prompt: list[Token], text: Text) -> Steps:
    memory, place = [str(cell) for cell in prompt[:CELLS]], str(prompt[CELLS])
    while True:
        block = [text.next() for _ in range(CELLS + 1)]
        if not block[0] and not text.ended:
            return
        at = int(place)
        cells = memory[at : at + 3] if 0 <= at <= CELLS - 3 else []
        whole = all(block[:CELLS])
        wrote = f"M[{cells[1]}]={block[int(cells[1])]}" if whole and cells else ""
        shown = " ".join(filter(None, block[:CELLS]))
        yield Step({"pc": place, "instruction": " ".join(cells), "memory": wrote, "cells": shown}, text.ended)
        if not whole or not block[CELLS]:
            return
        memory, place = block[:CELLS], block[CELLS]


def _turing(prompt: list[Token], text: Text) -> Steps:
    tape, head, state = dict[int, str](), 0, "a"

    def act(action: str) -> None:
        nonlocal head, state
        tape[head] = action[0]
        head += 1 if action[1] == "R" else -1
        state = action[2]

    for done in prompt[prompt.index(BAR) + 1 :]:
        act(str(done))
    number = 0
    while action := text.next():
        case, before = state + tape.get(head, "0"), head
        act(action)
        shown = "".join(tape.get(at, "0") for at in range(min(tape), max(tape) + 1))
        columns = {"pc": str(number), "case": case, "action": action, "head": str(before), "tape": shown}
        yield Step(columns, "halt" if state == "h" else "")
        number += 1
        if state == "h":
            return
    yield from _last(text)


def _brainfuck(prompt: list[Token], text: Text) -> Steps:
    tape, at = dict[int, int](), 0
    place = text.next()
    while place:
        sign = str(prompt[int(place)])
        tape[at] = (tape.get(at, 0) + {"+": 1, "-": -1}.get(sign, 0)) % 16
        at += {">": 1, "<": -1}.get(sign, 0)
        shown = text.next() if sign == "." else ""
        goes = text.next()
        columns = {"pc": place, "sign": sign, "cell": str(at), "holds": str(tape.get(at, 0)), "out": shown}
        yield Step(columns, text.ended)
        if text.ended:
            return
        place = goes
    yield from _last(text)


READ: dict[str, Callable[[list[Token], Text], Steps]] = {
    "brainfuck": _brainfuck,
    "bytes": _bytes,
    "counters": _counters,
    "subleq": _subleq,
    "turing": _turing,
}


def table(found: Sequence[Step]) -> str:
    """The steps as a table, columns side by side."""
    names = list(dict.fromkeys(name for step in found for name in step.shows))
    rows = [names, *([step.shows.get(name, "") for name in names] for step in found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(names))]
    ends = ["", *(step.ended for step in found)]
    lines = [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=True)), end]).rstrip()
        for row, end in zip(rows, ends, strict=True)
    ]
    return "\n".join(lines)
