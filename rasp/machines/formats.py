"""Formats: what instructions each machine has, and how a program becomes a prompt.

In: nothing. Out: `MACHINES`, a `Machine` for each program of `programs/machines/`, by its name.
Invariant: an instruction is as many tokens as its machine says, however many operands are written.

    >>> MACHINES["bytes"].instructions["set"].operands
    ('number',)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["number", "place"]
"""An operand: a number, or a place in the program, which is a number or a label."""
Token: TypeAlias = int | str


@dataclass(frozen=True)
class Instruction:
    """The operands of an instruction; of places, `optional` ones may be left out: the next place then."""

    operands: tuple[Kind, ...] = ()
    optional: int = 0


@dataclass(frozen=True)
class Machine:
    """How a machine is programmed.

    `layout`: an instruction is a line of `width` tokens, or so many cells of a memory; or a program is words, or signs.
    `registers` are what is there at first, each with what it is if nothing is said of it.
    """

    name: str
    layout: Literal["lines", "cells", "words", "signs"]
    instructions: Mapping[str, Instruction] = field(default_factory=dict)
    width: int = 1
    most: int = 0
    """Lines, cells, words or signs at most."""
    numbers: tuple[int, int] = (0, 0)
    """The least and the greatest number."""
    registers: Mapping[str, int] = field(default_factory=dict)


NUMBER, PLACE = Instruction(("number",)), Instruction(("place",))
BYTES: dict[str, Instruction] = {
    **dict.fromkeys(("set", "load", "store", "add", "sub", "addi", "and", "or", "xor", "lt", "eq"), NUMBER),
    **dict.fromkeys(("get", "put", "not", "shl", "shr", "tab", "tba", "swap", "incb", "decb"), Instruction()),
    **dict.fromkeys(("out", "nop", "halt"), Instruction()),
    **dict.fromkeys(("jump", "jz", "jnz", "jneg"), PLACE),
}
COUNTERS = {
    **dict.fromkeys(("incx", "incy"), Instruction(("place",), 1)),
    **dict.fromkeys(("decx", "decy"), Instruction(("place", "place"), 1)),
    "end": Instruction(),
}
SIGNS = "+-<>[]."
STATES, SYMBOLS = "abcd", "01"
CASES = [state + symbol for state in STATES for symbol in SYMBOLS]
ACTIONS = [symbol + move + state for symbol in SYMBOLS for move in "LR" for state in STATES + "h"]

MACHINES: dict[str, Machine] = {
    machine.name: machine
    for machine in (
        Machine("brainfuck", "signs", dict.fromkeys(SIGNS, Instruction()), most=23),
        Machine("bytes", "lines", BYTES, 2, 64, (0, 255), {"a": 0, "b": 0}),
        Machine("counters", "lines", COUNTERS, 3, 16, (0, 15), {"x": 0, "y": 0, "start": 0}),
        Machine("subleq", "cells", {"subleq": Instruction(("place",) * 3, 1)}, 3, 16, (-16, 16), {"start": 0}),
        Machine("turing", "words", dict.fromkeys([*CASES, *ACTIONS], Instruction()), most=2 * len(CASES)),
    )
}
