"""A case made small: statements, parts of expressions and of the header are left out while the finding stays.

In: a case with a finding. Out: the smallest case met that has a finding of the same kind at the same stage.
Invariant: what comes out was judged; it has the finding.

    python -m tests.adversarial.shrink 7
    python -m tests.adversarial.shrink 7 numeric
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import TypeAlias

import torch

from tests.adversarial.judge import EVERY, judge
from tests.adversarial.programs import Case
from tests.adversarial.worker import PROGRAMS

SIMPLE = ("indices", "tokens", "0", "1", '"a"', "True", "full_s")
ATTEMPTS = 3_000
Signature: TypeAlias = tuple[str, str, str]
WORST = ("WRONG", "TRACEBACK", "REFUSED-LATE", "FALSE-BELIEF", "PRINTED")


def shrunk(case: Case, wanted: Signature | None = None) -> Case:
    """A small case with a finding of a larger one: the wanted, else its worst."""
    wanted, left = wanted or min(signatures(case), key=lambda one: WORST.index(one[0])), ATTEMPTS
    while left:
        for text in _smaller(case.text):
            left -= 1
            if left == 0 or (_size(text) < _size(case.text) and wanted in signatures(replace(case, text=text))):
                break
        else:
            return case
        if left:
            case = replace(case, text=text)
    return case


def signatures(case: Case) -> set[Signature]:
    """What tells the findings of a case from others: kind, stage, and the beginning of what is said at the end."""
    found = judge(case, lambda stage: None).findings
    return {(one.kind, one.stage.split()[0], _said(one.kind, one.detail)) for one in found}


def _said(kind: str, detail: str) -> str:
    if kind == "TRACEBACK":
        return re.split(r"[:(]", detail.strip().splitlines()[-1])[0]
    return re.sub(r"\S*\d\S*", "", detail.rpartition(": ")[2]) if kind == "FALSE-BELIEF" else ""


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
    torch.set_num_threads(1)
    EVERY.clear()
    small = shrunk(PROGRAMS[sys.argv[2] if len(sys.argv) > 2 else "any"](int(sys.argv[1])))
    print(small.text, f"\n{small.dtype}, {small.optimize}", *judge(small, lambda stage: None).findings, sep="\n")
