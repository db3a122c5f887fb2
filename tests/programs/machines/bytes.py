"""The byte machine as Python: what `programs/machines/bytes.rasp` writes behind a prompt, and prompts to draw.

written(["set", 7, "halt", 0, "|", 0, 0]) == ["@0", 7, 0, "@1", "halt"]
"""

from __future__ import annotations

import random
from collections.abc import Callable

LENGTH, LINES = 1024, 64
HALTS, ERRORS = {"halt"}, {"outside", "endless"}
READING = ("load", "add", "sub", "and", "or", "xor", "lt", "eq", "store")
ALONE = ("get", "put", "not", "shl", "shr", "tab", "tba", "swap", "incb", "decb", "out", "nop")
JUMPING = ("jump", "jz", "jnz", "jneg")
OPERATIONS = (*READING, "set", "addi", *ALONE, *JUMPING, "halt")


def written(prompt: list[object]) -> list[object]:
    """What follows a program, a bar, and what a and b are at first."""
    bar = prompt.index("|")
    a, b = (int(str(register)) for register in prompt[bar + 1 : bar + 3])
    memory, line, text = [0] * 256, 0, list[object]()
    while len(prompt) + len(text) < LENGTH:
        if line >= LINES:
            text.append("outside")
            break
        text.append(f"@{line}")
        op, n = prompt[2 * line : 2 * line + 2] if 2 * line < bar else ("", 0)
        if op == "halt" or op not in OPERATIONS or not isinstance(n, int):
            text.append("halt" if op == "halt" and isinstance(n, int) else "outside")
            break
        a, b = done(op, int(str(n)), a, b, memory)
        text += [a, b]
        taken = {"jump": True, "jz": a == 0, "jnz": a != 0, "jneg": a >= 128}.get(op, False)
        line = int(str(n)) if taken else line + 1
    ended = text[-1] in HALTS | ERRORS and len(prompt) + len(text) <= LENGTH
    return text if ended else [*text[: LENGTH - len(prompt)], "endless"]


RESULTS: dict[str, Callable[[int, int, int, int], tuple[int, int]]] = {
    "set": lambda a, b, n, m: (n, b),
    "load": lambda a, b, n, m: (m, b),
    "get": lambda a, b, n, m: (m, b),
    "add": lambda a, b, n, m: (a + m, b),
    "sub": lambda a, b, n, m: (a - m, b),
    "addi": lambda a, b, n, m: (a + n, b),
    "and": lambda a, b, n, m: (a & m, b),
    "or": lambda a, b, n, m: (a | m, b),
    "xor": lambda a, b, n, m: (a ^ m, b),
    "not": lambda a, b, n, m: (~a, b),
    "shl": lambda a, b, n, m: (a << 1, b),
    "shr": lambda a, b, n, m: (a >> 1, b),
    "lt": lambda a, b, n, m: (int(a < m), b),
    "eq": lambda a, b, n, m: (int(a == m), b),
    "tab": lambda a, b, n, m: (a, a),
    "tba": lambda a, b, n, m: (b, b),
    "swap": lambda a, b, n, m: (b, a),
    "incb": lambda a, b, n, m: (a, b + 1),
    "decb": lambda a, b, n, m: (a, b - 1),
}
"""a and b behind an instruction with n, where the memory it looks at holds m; others leave both."""


def done(op: str, n: int, a: int, b: int, memory: list[int]) -> tuple[int, int]:
    """The registers behind one instruction; the memory is changed where it is stored to."""
    found = memory[b if op == "get" else n]
    if op in ("store", "put"):
        memory[n if op == "store" else b] = a
    new_a, new_b = RESULTS.get(op, lambda a, b, n, m: (a, b))(a, b, n, found)
    return new_a % 256, new_b % 256


def drawn(rng: random.Random) -> list[object]:
    """Programs over a few addresses, with jumps; sometimes without an end, or with a token out of place."""
    lines = rng.randint(3, 24)
    places = [rng.randrange(256) for _ in range(3)]
    prompt: list[object] = []
    for _ in range(lines):
        op, operand = rng.choices(
            [
                (rng.choice(READING), rng.choice(places)),
                (rng.choice(("set", "addi")), rng.choice((rng.randrange(256), *places))),
                (rng.choice(ALONE), 0),
                (rng.choice(JUMPING), rng.randrange(lines + 1 if rng.random() < 0.9 else 256)),
            ],
            (6, 3, 5, 2),
        )[0]
        prompt += [op, operand]
    prompt += ["halt", 0] if rng.random() < 0.8 else []
    if rng.random() < 0.05:
        prompt[rng.randrange(2 * lines)] = rng.choice((rng.randrange(256), "nop"))
    return [*prompt, "|", rng.randrange(256), rng.choice((0, *places))]
