"""The kind of an answer follows from its value and the text of its s-op."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest

from rasp import RaspError, evaluate
from rasp.meaning.answers import answers, is_boolean, normalised
from rasp.meaning.operators import OPERATORS, TRUTHS, Undefined
from rasp.meaning.sop import Aggregate, Constant, Indices, Lookup, Map, Select, SOp, Tokens, Width
from rasp.value import Value
from tests.random_programs import seeded

OPERANDS: list[Value] = [True, False, 0, 1, 2, Fraction(1), Fraction(1, 2), "a", ""]
EVERYWHERE = Select(Constant(1), Constant(1), "==")
FIRST = Map("==", (Indices(), Constant(0)))


def results(symbol: str) -> list[Value]:
    """What an operation gives for all operands that it takes."""
    operator, found = OPERATORS[symbol], []
    for operands in itertools.product(OPERANDS, repeat=operator.arity or 2):
        try:
            found.append(operator.apply(*operands))
        except Undefined:
            continue
    return found


@pytest.mark.parametrize("symbol", sorted(TRUTHS))
def test_a_truth_is_a_bool_whatever_it_is_of(symbol: str) -> None:
    assert {type(value) for value in results(symbol)} == {bool}


@pytest.mark.parametrize("symbol", sorted(OPERATORS.keys() - TRUTHS - {"if"}))
def test_no_other_operation_gives_a_bool(symbol: str) -> None:
    assert results(symbol) and not any(isinstance(value, bool) for value in results(symbol))


BOOLEAN = [
    FIRST,
    Constant(True),
    Tokens("bool"),
    Map("in", (Indices(), Constant(1))),
    Map("if", (Tokens("str"), FIRST, Constant(False))),
    Map("if", (Indices(), Map("if", (FIRST, FIRST, FIRST)), Tokens("bool"))),
    Lookup(((0, True), (1, False)), Indices()),
    Aggregate(EVERYWHERE, FIRST, False),
    Aggregate(EVERYWHERE, Aggregate(EVERYWHERE, FIRST, True), False),
]
OTHER = [
    Indices(),
    Constant(1),
    Constant("T"),
    Tokens("asis"),
    Width(EVERYWHERE),
    Map("indicator", (FIRST,)),
    Map("if", (FIRST, FIRST, Constant(0))),
    Map("if", (FIRST, Indices(), FIRST)),
    Map("plus", (FIRST,)),
    Lookup(((0, True), (1, 0)), Indices()),
    Aggregate(EVERYWHERE, FIRST),
    Aggregate(EVERYWHERE, Indices(), False),
]


@pytest.mark.parametrize("node", BOOLEAN, ids=str)
def test_every_branch_is_a_bool(node: SOp) -> None:
    assert is_boolean(node)
    assert answers(node, [True, False]) == [True, False]
    assert {type(value) for value in answers(node, [True, False])} == {bool}


@pytest.mark.parametrize("node", OTHER, ids=str)
def test_a_branch_is_none(node: SOp) -> None:
    assert not is_boolean(node)
    assert {type(value) for value in answers(node, [True, Fraction(2), 3])} == {int}


def test_what_is_called_boolean_has_no_other_value() -> None:
    found = 0
    for seed in range(600):
        node = seeded(seed, 2 + seed % 3)
        try:
            values = evaluate(node, "0312")
        except RaspError:
            continue
        if is_boolean(node):
            found += 1
            assert {type(value) for value in values} == {bool}
    assert found >= 50


def test_deep_choices_are_walked_once() -> None:
    deep: SOp = FIRST
    for _ in range(20_000):
        deep = Map("if", (FIRST, deep, deep))
    assert is_boolean(deep)


@pytest.mark.parametrize(
    ("value", "boolean", "wanted"),
    [
        (True, True, True),
        (True, False, 1),
        (1, True, True),
        (Fraction(4, 2), False, 2),
        (Fraction(1, 2), False, Fraction(1, 2)),
        (10**40, False, 10**40),
        (Fraction(10**40), False, 10**40),
        ("1", False, "1"),
        ("", True, ""),
    ],
)
def test_equal_values_have_one_kind(value: Value, boolean: bool, wanted: Value) -> None:
    found = normalised(value, boolean)
    assert (type(found), found) == (type(wanted), wanted)
