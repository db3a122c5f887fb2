"""The two counters as Python: what `programs/machines/counters.rasp` writes behind a prompt, and prompts to draw.

written(["decx", 1, 2, "incy", 0, 0, "end", 0, 0, "|", "x+", 0]) == ["x-", 1, "y+", 0, "x0", 2, "halt"]
"""

from __future__ import annotations

import random

LENGTH, LINES = 256, 16
HALTS, ERRORS = {"halt"}, {"outside", "endless"}
OPERATIONS = ("incx", "incy", "decx", "decy", "end")


def line_of(prompt: list[object], number: int) -> tuple[str, int, int] | None:
    """The three tokens of a line, if that is what stands there."""
    found = prompt[3 * number : 3 * number + 3]
    if len(found) < 3 or found[0] not in OPERATIONS or not all(isinstance(part, int) for part in found[1:]):
        return None
    return found[0], found[1], found[2]  # type: ignore[return-value]


def written(prompt: list[object]) -> list[object]:
    """What follows a program, a bar, what has been done, and the number of the line to go on at."""
    program = prompt[: prompt.index("|")]
    counters = {r: prompt.count(f"{r}+") - prompt.count(f"{r}-") for r in "xy"}
    at, text = int(str(prompt[-1])), list[object]()
    while len(prompt) + len(text) < LENGTH:
        line = line_of(program, at)
        if line is None or line[0] == "end":
            text.append("outside" if line is None else "halt")
            break
        operation, first, second = line
        name, goes = operation[-1], first
        if operation.startswith("inc"):
            counters[name] += 1
            text.append(f"{name}+")
        elif counters[name] > 0:
            counters[name] -= 1
            text.append(f"{name}-")
        else:
            text.append(f"{name}0")
            goes = second
        text.append(goes)
        at = goes
    ended = text[-1] in HALTS | ERRORS and len(prompt) + len(text) <= LENGTH
    return text if ended else [*text[: LENGTH - len(prompt)], "endless"]


def drawn(rng: random.Random) -> list[object]:
    """Lines that lead to each other, and what x and y are; sometimes a line too few, or a token out of place."""
    lines = rng.randint(1, 6)
    prompt: list[object] = []
    for _ in range(lines):
        operation = rng.choices(OPERATIONS, (2, 2, 3, 3, 1))[0]
        prompt += [operation, rng.randrange(lines), rng.randrange(lines if rng.random() < 0.9 else LINES)]
    if rng.random() < 0.15:
        prompt[rng.randrange(len(prompt))] = rng.choice((rng.randrange(LINES), *OPERATIONS))
    done = [f"{r}+" for r in "xy" for _ in range(rng.randint(0, 4))]
    return [*prompt, "|", *done, rng.choice((0, 0, 0, rng.randrange(LINES)))]
