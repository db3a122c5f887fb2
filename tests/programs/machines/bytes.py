"""The byte machine as Python: what `programs/machines/bytes.rasp` writes behind a prompt, and prompts to draw.

written(["set", 7, "halt", 0, "|", 0, 0]) == ["@0", 7, 0, "@1", "halt"]
"""

from __future__ import annotations

import random

LENGTH, LINES = 512, 64
HALTS, ERRORS = {"halt"}, {"outside", "endless"}
READING = ("load", "add", "sub", "and", "or", "xor", "lt", "eq", "store")
ALONE = ("get", "put", "not", "shl", "shr", "tab", "tba", "swap", "incb", "decb", "out", "nop")
JUMPING = ("jump", "jz", "jnz", "jneg")


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
        if op == "halt" or not isinstance(op, str) or op == "":
            text.append("halt" if op == "halt" else "outside")
            break
        a, b = done(op, int(str(n)), a, b, memory)
        text += [a, b]
        taken = {"jump": True, "jz": a == 0, "jnz": a != 0, "jneg": a >= 128}.get(op, False)
        line = int(str(n)) if taken else line + 1
    ended = text[-1] in HALTS | ERRORS and len(prompt) + len(text) <= LENGTH
    return text if ended else [*text[: LENGTH - len(prompt)], "endless"]


def done(op: str, n: int, a: int, b: int, memory: list[int]) -> tuple[int, int]:
    """The registers behind one instruction; the memory is changed where it is stored to."""
    match op:
        case "store":
            memory[n] = a
        case "put":
            memory[b] = a
        case "set":
            a = n
        case "load":
            a = memory[n]
        case "get":
            a = memory[b]
        case "add":
            a += memory[n]
        case "sub":
            a -= memory[n]
        case "addi":
            a += n
        case "and":
            a &= memory[n]
        case "or":
            a |= memory[n]
        case "xor":
            a ^= memory[n]
        case "not":
            a = ~a
        case "shl":
            a <<= 1
        case "shr":
            a >>= 1
        case "lt":
            a = int(a < memory[n])
        case "eq":
            a = int(a == memory[n])
        case "tab":
            b = a
        case "tba":
            a = b
        case "swap":
            a, b = b, a
        case "incb":
            b += 1
        case "decb":
            b -= 1
    return a % 256, b % 256


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
        prompt[2 * rng.randrange(lines)] = rng.randrange(256)
    return [*prompt, "|", rng.randrange(256), rng.choice((0, *places))]
