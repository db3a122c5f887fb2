"""The disassembler: the prompt of a machine as the text that assembles to it.

In: the name of a machine, tokens. Out: the text.
Invariant: what it writes assembles to the same tokens; what no text assembles to is an error that says why.

    >>> print(disassembled("bytes", ["set", 7, "jump", 0, "|", 0, 3]), end="")
    .machine bytes
    .b 3
    L0: set 7
        jump L0
"""

from __future__ import annotations

from collections.abc import Sequence

from rasp.machines.assembler import BAR, assembled
from rasp.machines.formats import MACHINES, Machine, Token
from rasp.text.source import RaspError, Source, error


def disassembled(name: str, tokens: Sequence[Token]) -> str:
    """The text. Raises `RaspError` where there is none."""
    if name not in MACHINES:
        raise error("machine", f"there is no machine `{name}`", hint=f"there are {', '.join(MACHINES)}")
    machine = MACHINES[name]
    found = "\n".join([f".machine {name}", *_lines(machine, list(tokens))]) + "\n"
    try:
        same = list(assembled(Source(found)).tokens) == list(tokens)
    except RaspError:
        same = False
    if not same:
        raise error("disassemble", f"no program of `{name}` is this prompt", hint="a prompt ends where its text begins")
    return found


def _lines(machine: Machine, tokens: list[Token]) -> list[str]:
    program = tokens[: tokens.index(BAR)] if BAR in tokens else tokens
    behind = tokens[len(program) + 1 :]
    match machine.layout:
        case "signs":
            return ["".join(map(str, program))]
        case "words":
            return [" ".join(map(str, program[at : at + 2])) for at in range(0, len(program), 2)]
        case "cells":
            rows = [program[: machine.most][at : at + 3] for at in range(0, machine.most, 3)]
            return [f".start {program[-1]}", *("    .data " + " ".join(map(str, row)) for row in rows)]
        case "lines":
            return [*_registers(machine, behind), *_instructions(machine, program)]


def _registers(machine: Machine, behind: list[Token]) -> list[str]:
    values = [behind.count("x+"), behind.count("y+"), *behind[-1:]] if machine.name == "counters" else behind
    named = zip(machine.registers, values, strict=False)
    return [f".{name} {value}" for name, value in named if value != machine.registers[name]]


def _instructions(machine: Machine, program: list[Token]) -> list[str]:
    """A line each, with a label where others go to."""
    lines = [program[at : at + machine.width] for at in range(0, len(program), machine.width)]
    read = [(str(name), _operands(machine, str(name), operands)) for name, *operands in lines]
    goals = {place for name, operands in read for place in operands if _goes(machine, name)}
    texts = []
    for place, (name, operands) in enumerate(read):
        goes = _goes(machine, name)
        words = [f"L{one}" if goes and isinstance(one, int) and one < len(read) else str(one) for one in operands]
        label = f"L{place}:" if place in goals else ""
        texts.append(f"{label:3} {' '.join([name, *words])}")
    return texts


def _operands(machine: Machine, name: str, operands: list[Token]) -> list[Token]:
    """Those that are written: `incx` goes on at one place, whichever it is."""
    known = machine.instructions.get(name)
    return operands[: len(known.operands)] if known is not None else operands


def _goes(machine: Machine, name: str) -> bool:
    known = machine.instructions.get(name)
    return known is not None and "place" in known.operands
