"""Random expressions over means, counts and fractions, for what turns means into ratios.

In: a seed. Out: the text of an s-op, and whether it is meant causally.
Invariant: the same seed draws the same text; operands may be 0, so some inputs have no answer.

    round(aggregate(select(tokens, tokens, ==), indices / 2, 3) * (length ^ -1))
"""

from __future__ import annotations

import random

NUMBERS = ("0", "1", "2", "3", "-1", "-2", "(1 / 2)", "(2 / 3)", "(-3 / 4)", "0.5", "5")
SELECTORS = (
    "full_s",
    "select(tokens, tokens, ==)",
    "select(indices, indices, <=)",
    "select(tokens_int, tokens_int, <)",
    "select(indices, 0, ==)",
    "select(tokens_int, 1, ==)",
)


def drawn(seed: int) -> tuple[str, bool]:
    """An s-op that is computed from the input, and whether the future is hidden."""
    rng = random.Random(seed)
    text = _root(rng)
    while "indices" not in text and "tokens" not in text:
        text = _root(rng)
    return text, rng.random() < 0.3


def _root(rng: random.Random) -> str:
    match rng.randrange(4):
        case 0:
            return _comparison(rng, 3)
        case 1:
            return _number(rng, 3)
        case 2:
            return f"round({_number(rng, 3)})"
    sign = rng.choice(("<", "<=", ">", ">="))
    return f"selector_width(select({_number(rng, 2)}, {_number(rng, 2)}, {sign}))"


def _comparison(rng: random.Random, depth: int) -> str:
    return f"{_number(rng, depth)} {rng.choice(('<', '<=', '>', '>=', '==', '!='))} {_number(rng, depth)}"


def _number(rng: random.Random, depth: int) -> str:
    kind = rng.randrange(16)
    if depth == 0 or kind < 3:
        width = f"selector_width({rng.choice(SELECTORS)})"
        return rng.choice(("tokens_int", "indices", "length", "(indices + 1)", width, rng.choice(NUMBERS)))
    if kind < 7:
        default = rng.choice(("", ", 1", ", -2", ", 1 / 2", ", 3"))
        return f"aggregate({rng.choice(SELECTORS)}, {_number(rng, depth - 1)}{default})"
    if kind < 13:
        return f"({_number(rng, depth - 1)} {'+-**//'[kind - 7]} {_number(rng, depth - 1)})"
    if kind == 13:
        return f"({_number(rng, depth - 1)} ^ {rng.choice(('2', '3', '1', '0', '-1'))})"
    if kind == 14:
        return f"({_number(rng, depth - 1)} if {_comparison(rng, depth - 1)} else {_number(rng, depth - 1)})"
    return f"round({_number(rng, depth - 1)})"
