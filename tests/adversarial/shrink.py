"""A case made small: statements, parts of expressions and of the header are left out while the finding stays.

In: a case with a finding. Out: the smallest case met that has a finding of the same kind at the same stage.
Invariant: what comes out was judged; it has the finding.

    python -m tests.adversarial.shrink 7
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import replace

from tests.adversarial.judge import EVERY, judge, steady
from tests.adversarial.programs import Case, drawn

SIMPLE = ("indices", "tokens", "0", "1", '"a"', "True", "full_s")
ATTEMPTS = 3_000


def shrunk(case: Case) -> Case:
    """A small case with the finding of a larger one."""
    wanted, left = _finding(case), ATTEMPTS
    while left:
        for text in _smaller(case.text):
            left -= 1
            if left == 0 or (_size(text) < _size(case.text) and _finding(replace(case, text=text)) == wanted):
                break
        else:
            return case
        if left:
            case = replace(case, text=text)
    return case


def _finding(case: Case) -> tuple[str, ...]:
    found = judge(case, lambda stage: None).findings
    if not found:
        return ()
    last = found[0].detail.strip().splitlines()[-1] if found[0].kind == "TRACEBACK" else ""
    return found[0].kind, found[0].stage.split()[0], re.split(r"[:(]", last)[0]


def _size(text: str) -> tuple[int, int]:
    return len(text), sum(map(ord, text))


def _smaller(text: str) -> Iterator[str]:
    """Texts with something left out, or put more simply."""
    lines = text.splitlines()
    for at in range(len(lines)):
        yield "\n".join(lines[:at] + lines[at + 1 :]) + "\n"
    yield from _settings(text)
    for start, end in sorted(_groups(text), key=lambda group: group[0] - group[1]):
        inside = text[start + 1 : end - 1]
        begin = start - len(re.search(r"\w*$", text[:start])[0])  # type: ignore[index]
        for piece in (*SIMPLE, *_parts(inside)):
            yield text[:begin] + piece + text[end:]
            yield text[: start + 1] + piece + text[end - 1 :]
    for word in re.finditer(r'"[^"\n]*"|[\w.]+', text):
        for piece in SIMPLE:
            yield text[: word.start()] + piece + text[word.end() :]


def _settings(text: str) -> Iterator[str]:
    """A shorter longest input, fewer tokens, fewer outputs."""
    for line in re.finditer(r"#@ max_length: (\d+)", text):
        for length in range(1, int(line[1])):
            yield text.replace(line[0], f"#@ max_length: {length}")
    for line in re.finditer(r"#@ (vocab: \[|output: )(.*?)(\]?)\n", text):
        items = line[2].split(", ")
        for at in range(len(items) if len(items) > 1 else 0):
            yield text.replace(line[0], f"#@ {line[1]}{', '.join(items[:at] + items[at + 1 :])}{line[3]}\n")


def _groups(text: str) -> Iterator[tuple[int, int]]:
    """Where parentheses, brackets and braces open and close."""
    opened: list[int] = []
    for at, letter in enumerate(text):
        if letter in "([{":
            opened.append(at)
        elif letter in ")]}" and opened:
            yield opened.pop(), at + 1


def _parts(inside: str) -> list[str]:
    """The operands and arguments within a group."""
    depth, found, start = 0, [], 0
    pieces = re.split(r"(, | [-+*/%^<>=!]+ | and | or | if | else | in |[()\[\]{}])", inside)
    text = ""
    for piece in pieces:
        depth += (piece in tuple("([{")) - (piece in tuple(")]}"))
        if depth == 0 and piece[:1] in (" ", ",") and piece.strip():
            found.append(text)
            text = ""
        else:
            text += piece
    return [part for part in (*found, text) if part and part != inside and start == 0]


if __name__ == "__main__":
    steady()
    EVERY.clear()
    small = shrunk(drawn(int(sys.argv[1])))
    print(small.text, f"\n{small.dtype}, {small.optimize}", *judge(small, lambda stage: None).findings, sep="\n")
