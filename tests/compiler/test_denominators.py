"""What is divided and put in order is compared as a whole (C31)."""

from __future__ import annotations

import random

import pytest

import compiler
import rasp
from compiler.graph.denominators import ORDERS, RULES
from compiler.graph.domain import Setting
from compiler.graph.known import Known
from compiler.graph.rules import rewritten
from rasp.meaning.interpreter import evaluate, evaluate_each
from rasp.meaning.sop import Aggregate, Constant, Map, Node, Select, SOp, reachable
from tests.inputs import every

ATOMS = ("tokens_int", "indices", "length", "2", "1/3")
HEADER = '#@ vocab: "0123"\n#@ max_length: 3\n'


def drawn(rng: random.Random, deep: int) -> str:
    """A linear form with parts that are divided."""
    if not deep or rng.random() < 0.2:
        return rng.choice(ATOMS)
    inner = drawn(rng, deep - 1)
    match rng.randrange(5):
        case 0 | 1:
            return f"({inner} / {rng.randint(1, 6)})"
        case 2:
            return f"({rng.randint(-3, 6)} * {inner})"
    return f"({inner} {rng.choice('+-')} {drawn(rng, deep - 1)})"


def written(text: str) -> SOp:
    node = rasp.parse(HEADER + f"y = {text};").node("y")
    assert isinstance(node, SOp)
    return node


def cleared(node: Node) -> Node:
    """What the rule makes of a comparison."""
    return rewritten(node, RULES, Known(Setting(tuple("0123"), 3, causal=False)))


def divisions(node: Node) -> int:
    return sum(isinstance(part, Map) and part.op == "/" for part in reachable([node]))


@pytest.mark.parametrize("start", range(0, 60, 20))
def test_c31_a_comparison_of_wholes_is_that_of_the_parts(start: int) -> None:
    inputs = list(every("0123", 3))
    for seed in range(start, start + 20):
        rng = random.Random(seed)
        left, right = drawn(rng, 3), drawn(rng, 3)
        for op in ORDERS:
            node = written(f"{left} {op} {right}")
            if isinstance(node, Map) and node.op == op:
                found = cleared(node)
                assert isinstance(found, Map)
                assert evaluate_each([found], inputs) == evaluate_each([node], inputs), (left, op, right)
            selected = written(f"aggregate(select({left}, {right}, {op}), indices, -1)")
            assert isinstance(selected, Aggregate) and isinstance(selected.selector, Select)
            whole = Aggregate(cleared(selected.selector), selected.value, -1)  # type: ignore[arg-type]
            assert evaluate_each([whole], inputs) == evaluate_each([selected], inputs), (left, op, right)


def test_c31_nothing_is_left_divided() -> None:
    node = written("(indices + 1) / 2 - length / 3 < 2 * (tokens_int / 4) + 1")
    assert isinstance(node, Map) and divisions(node) == 3
    assert divisions(cleared(node)) == 0


@pytest.mark.parametrize(
    "text", ["indices < length", "2 * indices < length - 1", "indices / 2 < 3", "indices < length / tokens_int"]
)
def test_c31_what_is_not_divided_by_a_number_is_left_alone(text: str) -> None:
    node = written(text)
    assert isinstance(node, Map) and cleared(node) is node


def test_c31_a_text_is_still_no_number() -> None:
    node = written("tokens < indices / 2")
    assert isinstance(node, Map) and isinstance(cleared(node), Map)
    for one in (node, cleared(node)):
        with pytest.raises(rasp.RaspError):
            evaluate([one], ["1"])  # type: ignore[list-item]
    assert not isinstance(cleared(node), Constant)


def test_c31_both_ways_to_write_a_half_are_one_model() -> None:
    header = '#@ vocab: "0123"\n#@ max_length: 12\n#@ output: y\n'
    one = compiler.compile(rasp.parse(header + "y = indices < (length - 1) / 2;"))
    other = compiler.compile(rasp.parse(header + "y = 2 * indices < length - 1;"))
    assert one.circuit.parameters() == other.circuit.parameters()
