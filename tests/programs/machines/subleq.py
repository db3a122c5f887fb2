"""SUBLEQ as Python: what the machine of `programs/machines/subleq.rasp` writes behind a prompt, and prompts to draw.

written([3, 4, 6, 7, 7, 7, 5, 1, -1, 3, 4, -1, 0, 0, 0, 0, 0])[-1] == "halt"
"""

from __future__ import annotations

import random

CELLS, LEAST, MOST, STEPS = 16, -16, 16, 19
HALTS, ERRORS = {"halt"}, {"outside", "endless"}


def wrapped(number: int) -> int:
    """What is beyond one end comes in again at the other."""
    return (number - LEAST) % (MOST - LEAST + 1) + LEAST


def written(prompt: list[object]) -> list[object]:
    """What follows the 16 cells and the program counter, the word that ends it included."""
    memory, pc = [int(str(cell)) for cell in prompt[:CELLS]], int(str(prompt[CELLS]))
    text: list[object] = []
    for _ in range(STEPS):
        if not 0 <= pc <= CELLS - 3:
            return [*text, *memory, "outside"]
        a, b, c = memory[pc : pc + 3]
        if not 0 <= b < CELLS:
            return [*text, *memory, "outside"]
        if not 0 <= a < CELLS:
            return [*text, *memory[:b], "outside"]
        memory[b] = wrapped(memory[b] - memory[a])
        jumps = memory[b] <= 0
        if jumps and c < 0:
            return [*text, *memory, "halt"]
        pc = c if jumps else pc + 3
        text += [*memory, pc]
    return [*text, "endless"]


def drawn(rng: random.Random) -> list[object]:
    """Three instructions over the cells behind them; sometimes with mistakes, sometimes any numbers at all."""
    if rng.random() < 0.2:
        return [rng.randint(LEAST, MOST) for _ in range(CELLS + 1)]
    cells: list[object] = []
    for _ in range(3):
        cells += [rng.randint(9, 15), rng.randint(9, 15), rng.choice((0, 3, 6, 6, -1))]
    cells += [rng.randint(-6, 6) for _ in range(7)]
    if rng.random() < 0.3:
        cells[rng.randrange(9)] = rng.randint(LEAST, MOST)
    return [*cells, rng.choice((0, 0, 0, 3, 6, rng.randint(LEAST, MOST)))]
