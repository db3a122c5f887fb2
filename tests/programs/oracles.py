"""What the programs of the library should answer, said again in Python, independently of RASP."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

Oracle = Callable[[Sequence[Any]], list[Any]]


def verdicts(pairs: dict[str, str]) -> Oracle:
    """Brackets of several kinds: T balanced, P can still be closed, F beyond repair."""

    def run(w: Sequence[str]) -> list[str]:
        stack: list[str] = []
        out = []
        for token in w:
            if out and out[-1] == "F":
                out.append("F")
            elif token in pairs:
                stack.append(pairs[token])
                out.append("P")
            else:
                good = bool(stack) and stack.pop() == token
                out.append(("P" if stack else "T") if good else "F")
        return out

    return run


def shuffled(w: Sequence[str], pairs: tuple[str, ...] = ("()", "[]")) -> list[str]:
    prefixes = [w[: i + 1] for i in range(len(w))]
    depths = [[p.count(pair[0]) - p.count(pair[1]) for pair in pairs] for p in prefixes]
    worst = list(accumulate(map(min, depths), min))
    return ["F" if low < 0 else "T" if not any(d) else "P" for low, d in zip(worst, depths, strict=True)]


def double_histogram_bos(w: Sequence[str]) -> list[int]:
    """For inputs whose first token occurs only once."""
    counts = Counter(w[1:])
    return [0, *(list(counts.values()).count(counts[t]) for t in w[1:])]


def by_frequency(w: Sequence[Any]) -> list[Any]:
    return [token for token, _ in Counter(w).most_common()]


def long_addition(w: Sequence[str]) -> list[int]:
    text = "".join(w)
    first, _, second = text.rpartition("+")
    total = int(first.replace("+", "0") or 0) + int(second or 0)
    return [int(digit) for digit in str(total).zfill(len(w))][-len(w) :]


ORACLES: dict[str, Oracle] = {
    "paper/histogram_bos": lambda w: [w[1:].count(t) for t in w],
    "paper/double_histogram_bos": double_histogram_bos,
    "paper/sort_bos": lambda w: [w[0], *sorted(w[1:])],
    "paper/most_frequent": lambda w: (by_frequency(w) + ["-"] * len(w))[: len(w)],
    "paper/most_frequent_bos": lambda w: ([w[0], *by_frequency(w[1:])] + ["§"] * len(w))[: len(w)],
    "paper/dyck_1_ptf": verdicts({"(": ")"}),
    "paper/dyck_2_ptf": verdicts({"(": ")", "{": "}"}),
    "paper/dyck_3_ptf": verdicts({"(": ")", "{": "}", "[": "]"}),
    "paper/shuffle_dyck": shuffled,
    "paper/long_addition": long_addition,
}
