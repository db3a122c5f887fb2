"""Damaged programs: whatever stands in the file, the command answers or explains, and never shows a traceback."""

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from compiler.cli import main
from tests.places import BASICS

MIXED = """\
#@ output: o
#@ vocab: "123"
#@ max_length: 4
a = tokens_int + 1 if indices % 2 == 1 else length / (1 + indices);
s = select(tokens, "1", ==) and not select(indices, indices, <) or select(a, indices, >);
o = aggregate(s, indices ^ 2, 0.5) * 3 - round(a);
"""
SOURCES = [MIXED, *(path.read_text() for path in BASICS)]
WORDS = [re.findall(r"\w+|\s+|[^\w\s]", source) for source in SOURCES]
LOOSE = [
    *(
        "for",
        "in",
        "def",
        "return",
        "if",
        "else",
        "not",
        "and",
        "or",
        "round",
        "aggregate(",
        "select(",
        "range(",
        "len(",
    ),
    *(
        "load",
        "draw",
        "set example",
        "{",
        "}",
        "[1,2]",
        '{"a":1}',
        '"',
        "0",
        "-1",
        "3.5",
        "^",
        "%",
        "/",
        "#@",
        "\x00",
        "é",
    ),
]

replacements = st.sampled_from(LOOSE) | st.sampled_from(sorted({word for words in WORDS for word in words}))
edits = st.tuples(st.floats(0, 1, exclude_max=True), st.sampled_from(["drop", "put", "swap"]), replacements)
commands = st.sampled_from(
    [
        ("run", "damaged.rasp", "123", "a"),
        ("lint", "damaged.rasp"),
        ("compile", "damaged.rasp", "--emit", "weights", "--max-length", "8"),
        ("compile", "damaged.rasp", "-o", "damaged"),
    ]
)


@st.composite
def damaged(draw: st.DrawFn) -> str:
    """A program with a few words dropped, put in or swapped."""
    words = list(draw(st.sampled_from(WORDS)))
    for where, what, word in draw(st.lists(edits, min_size=1, max_size=4)):
        at = int(where * len(words))
        words[at : at + (what != "put")] = [] if what == "drop" else [word]
    return "".join(words)


def answers_or_explains(text: str, command: tuple[str, ...]) -> None:
    Path("damaged.rasp").write_text(text)
    assert main(command) in (0, 1, 2)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damaged(), commands)
def test_a_damaged_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, command: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    answers_or_explains(text, command)


@pytest.mark.slow
@settings(max_examples=4000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damaged(), commands)
def test_many_damaged_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, command: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    answers_or_explains(text, command)
