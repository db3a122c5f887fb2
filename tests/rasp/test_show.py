"""The print formats of the original."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import pytest

import rasp
from rasp.ask import show
from rasp.meaning.sop import Node


@pytest.mark.parametrize(
    ("values", "text"),
    [
        (["a", "b"], "[a, b] (strings)"),
        ([1, 1, 1], "[1]*3 (ints)"),
        ([1], "[1] (ints)"),
        ([True, False], "[T, F] (bools)"),
        ([0, True], "[0, T] (ints)"),
        ([Fraction(1, 3), 1], "[0.333, 1] (floats)"),
        ([Fraction(1, 10**6), 2], "[0.0, 2] (floats)"),
        ([True, 1, Fraction(1)], "[T]*3 (floats)"),
        ([10**300], f"[{10**300}] (ints)"),
    ],
)
def test_sequences(values: list[Any], text: str) -> None:
    assert show.sequence(values) == text


def test_matrix() -> None:
    rows = rasp.parse("s = select(indices, indices, <=);")["s"]("abc")
    assert show.matrix("abc", rows) == " \t\t\t     a b c\n \t\t\t a | 1    \n \t\t\t b | 1 1  \n \t\t\t c | 1 1 1"


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("x = 3;", "    value: x =  3"),
        ('x = "a";', '    value: x =  "a"'),
        ("x = 1 / 4;", "    value: x =  0.25"),
        ("x = [1, 2.5];", "     list: x = [1, 2.5]"),
        ('x = {"a": 1};', "     dict: x = {'a': 1}"),
        ("def x(a, b) { return a; }", "     console function: x(a, b)"),
        ("x = indices;", '     s-op: x\n \t Example: x("ab") = [0, 1] (ints)'),
        ("x = [[1], 2];", "     list: x =  [\n\t\t     list: [1]\n\t\t    value:  2\n               ]"),
    ],
)
def test_values(text: str, printed: str) -> None:
    program = rasp.parse(text)
    assert "\n".join(show.value("x", program.bindings["x"], Known())) == printed


class Known:
    """Every node is called `n`; its example is "ab"."""

    def name(self, node: Node) -> str:
        return "n"

    def example(self, name: str, node: Node, indent: str) -> Iterator[str]:
        yield show.sop_example(f'{name}("ab")', rasp.evaluate(node, "ab"), indent)


@pytest.mark.parametrize(
    "text",
    [
        "x = [1]; for i in range(5000) { x = [x, x]; }",
        'a = "a" * 60000; x = [a for i in range(90000)];',
        'a = "a" * 60000; x = [[a] for i in range(90000)];',
    ],
)
def test_containers_too_large_to_read_are_shown_in_part(text: str) -> None:
    lines = show.value("x", rasp.parse(text).bindings["x"], Known())
    assert sum(map(len, lines)) < 1_000_000
