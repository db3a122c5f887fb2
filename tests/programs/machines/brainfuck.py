"""Brainfuck as Python: what `programs/machines/brainfuck.rasp` writes behind a prompt, and prompts to draw.

written([*"++.", "|"]) == [0, 1, 2, "=2", 3, "end"]
"""

from __future__ import annotations

import random

LENGTH, PLACES, VALUES = 160, 24, 16
HALTS, ERRORS = {"end"}, {"outside", "unbalanced", "endless"}


def partners(program: list[object]) -> dict[int, int] | None:
    """The other bracket of each; None where they do not match."""
    found, open_ones = dict[int, int](), list[int]()
    for place, sign in enumerate(program):
        if sign == "[":
            open_ones.append(place)
        elif sign == "]":
            if not open_ones:
                return None
            found[place] = open_ones.pop()
            found[found[place]] = place
    return None if open_ones else found


def written(prompt: list[object]) -> list[object]:
    """What follows a program and a bar."""
    program = prompt[:-1]
    other = partners(program)
    if other is None:
        return ["unbalanced"]
    tape, at, place, text = dict[int, int](), 0, 0, list[object]()
    while len(prompt) + len(text) < LENGTH:
        if place >= PLACES:
            return [*text, "outside"]
        text.append(place)
        if place == len(program):
            text.append("end")
            break
        sign = program[place]
        tape[at] = (tape.get(at, 0) + {"+": 1, "-": -1}.get(str(sign), 0)) % VALUES
        at += {">": 1, "<": -1}.get(str(sign), 0)
        if sign == ".":
            text.append(f"={tape.get(at, 0)}")
        if (sign == "[" and tape.get(at, 0) == 0) or (sign == "]" and tape.get(at, 0) != 0):
            place = other[place]
        place += 1
    ended = text[-1] in HALTS and len(prompt) + len(text) <= LENGTH
    return text if ended else [*text[: LENGTH - len(prompt)], "endless"]


def drawn(rng: random.Random) -> list[object]:
    """A program of loops in loops; sometimes with a bracket too many, or a sign too many."""
    signs: list[object] = []

    def add(depth: int) -> None:
        for _ in range(rng.randint(1, 5)):
            if depth and rng.random() < 0.25:
                signs.append("[")
                add(depth - 1)
                signs.append("]")
            else:
                signs.append(rng.choice("+++-<>>."))

    add(2)
    if rng.random() < 0.15:
        signs.insert(rng.randint(0, len(signs)), rng.choice("[]"))
    return [*signs[: PLACES - 1 + (rng.random() < 0.1)], "|"]
