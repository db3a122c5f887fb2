"""A Turing machine as Python: what `programs/machines/turing.rasp` writes behind a prompt, and prompts to draw.

written(["a0", "1Rb", "b0", "1Rh", "|"]) == ["1Rb", "1Rh"]
"""

from __future__ import annotations

import random
from itertools import pairwise

LENGTH = 128
HALTS, ERRORS = {"0Lh", "0Rh", "1Lh", "1Rh"}, {"stuck", "endless"}
CASES = [state + symbol for state in "abcd" for symbol in "01"]
ACTIONS = [symbol + move + state for symbol in "01" for move in "LR" for state in "abcdh"]


def written(prompt: list[object]) -> list[object]:
    """What follows a table, a bar, and what has been done."""
    bar = prompt.index("|")
    table: dict[object, object] = {}
    for before, behind in pairwise(prompt[: bar + 1]):
        table.setdefault(before, behind)
    tape, head, state = dict[int, str](), 0, "a"
    text: list[object] = []
    todo = [str(action) for action in prompt[bar + 1 :]]
    while len(prompt) + len(text) < LENGTH:
        if todo:
            action = todo.pop(0)
        else:
            action = str(table.get(state + tape.get(head, "0"), "stuck"))
            text.append(action if action in ACTIONS else "stuck")
            if text[-1] in HALTS | ERRORS:
                return text
        tape[head] = action[0]
        head += 1 if action[1] == "R" else -1
        state = action[2]
    return [*text, "endless"]


def drawn(rng: random.Random) -> list[object]:
    """A table of two to four states, and some ones on the tape; sometimes a case is missing, or there twice."""
    states = "abcd"[: rng.randint(2, 4)]
    prompt: list[object] = []
    for case in CASES:
        if case[0] in states:
            goes = "h" if rng.random() < 0.12 else rng.choice(states)
            prompt += [case, rng.choice("01") + rng.choice("LR") + goes]
    if rng.random() < 0.2:
        at = 2 * rng.randrange(len(prompt) // 2)
        prompt[at : at + 2] = rng.choice(([], [rng.choice(CASES), rng.choice(ACTIONS)], [rng.choice(CASES)]))
    return [*prompt, "|", *(rng.choice("01") + rng.choice("LR") + rng.choice(states) for _ in range(rng.randint(0, 5)))]
