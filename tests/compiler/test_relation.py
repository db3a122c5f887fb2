"""Disjunctive normal forms of selectors: the same matrix, as a union, and as an exclusive union."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from compiler.graph.relation import ALWAYS, Conjunction, compare, disjuncts, exclusive
from rasp.meaning.interpreter import evaluate
from rasp.meaning.operators import Undefined
from rasp.meaning.sop import And, Constant, Indices, Map, Not, Or, Select, Selector, SOp, Tokens
from rasp.value import Value
from tests.inputs import every

NODES: Sequence[SOp] = [
    Tokens("int"),
    Indices(),
    Map("-", (Constant(2), Indices())),
    Map("%", (Tokens("int"), Constant(2))),
    Constant(1),
]
PREDICATES = ["==", "!=", "<", "<=", ">", ">="]
INPUTS = [list(digits) for digits in every("012", 3)]
selects = st.builds(Select, st.sampled_from(NODES), st.sampled_from(NODES), st.sampled_from(PREDICATES))
selectors = st.recursive(
    selects,
    lambda inner: st.one_of(st.builds(And, inner, inner), st.builds(Or, inner, inner), st.builds(Not, inner)),
    max_leaves=6,
)
comparisons = st.frozensets(st.sampled_from("<=>"))
Matrix = list[list[bool]]


def matrix(conjunction: Conjunction, tokens: list[str]) -> Matrix:
    """[query][key], from the comparisons alone."""
    n = len(tokens)
    rows = [[True] * n for _ in range(n)]
    for key, query, comparison in conjunction.parts:
        keys, queries = evaluate([key, query], tokens)
        for q, k in itertools.product(range(n), repeat=2):
            rows[q][k] = rows[q][k] and compare(comparison, keys[k], queries[q])
    return rows


def union(matrices: list[Matrix], n: int) -> Matrix:
    return [[any(m[q][k] for m in matrices) for k in range(n)] for q in range(n)]


@given(selectors, st.sampled_from(INPUTS))
def test_the_disjuncts_together_are_the_selector(selector: Selector, tokens: list[str]) -> None:
    found = [matrix(case, tokens) for case in disjuncts(selector)]
    assert union(found, len(tokens)) == evaluate(selector, tokens)


@given(selectors, st.sampled_from(INPUTS))
def test_exclusive_cases_never_hold_together_and_are_the_selector(selector: Selector, tokens: list[str]) -> None:
    found = [matrix(case, tokens) for case in exclusive(disjuncts(selector))]
    n = len(tokens)
    assert all(sum(m[q][k] for m in found) <= 1 for q in range(n) for k in range(n))
    assert union(found, n) == evaluate(selector, tokens)


@given(selectors)
def test_cases_are_in_normal_form(selector: Selector) -> None:
    cases = disjuncts(selector)
    for case in cases:
        assert all(comparison not in (frozenset(), ALWAYS) for _, _, comparison in case.parts)
        assert not any(case.implies(other) for other in cases if other is not case)


@given(selectors)
def test_a_selector_and_its_complement_share_nothing_and_leave_nothing_out(selector: Selector) -> None:
    assert disjuncts(And(selector, selector)) == disjuncts(selector)
    for tokens in (["0", "1"], ["2", "0", "2"]):
        yes, no = ([matrix(case, tokens) for case in disjuncts(s)] for s in (selector, Not(selector)))
        n = len(tokens)
        assert [[not cell for cell in row] for row in union(yes, n)] == union(no, n)


@given(selectors, selectors, st.sampled_from(INPUTS))
def test_minus_is_difference(first: Selector, second: Selector, tokens: list[str]) -> None:
    n = len(tokens)
    for a, b in itertools.product(disjuncts(first), disjuncts(second)):
        there, gone = matrix(a, tokens), matrix(b, tokens)
        pieces = [matrix(piece, tokens) for piece in a.minus(b)]
        assert union(pieces, n) == [[there[q][k] and not gone[q][k] for k in range(n)] for q in range(n)]
        assert all(sum(m[q][k] for m in pieces) <= 1 for q in range(n) for k in range(n))


@given(selectors, st.sampled_from(INPUTS))
def test_a_conjunction_written_as_a_selector_is_the_same(selector: Selector, tokens: list[str]) -> None:
    for case in disjuncts(selector):
        assert evaluate(case.selector(), tokens) == matrix(case, tokens)


@given(comparisons, st.integers(-2, 2), st.integers(-2, 2))
def test_a_comparison_of_numbers_is_the_sign_of_their_difference(comparison: frozenset[str], a: int, b: int) -> None:
    assert compare(comparison, a, b) == (("<" if a < b else "=" if a == b else ">") in comparison)


def test_strings_and_numbers_are_unequal_and_have_no_order() -> None:
    mixed: tuple[Value, Value] = ("1", 1)
    assert not compare(frozenset("="), *mixed)
    assert compare(frozenset("<>"), *mixed)
    with pytest.raises(Undefined):
        compare(frozenset("<"), *mixed)


def test_a_selector_of_too_many_cases_is_refused() -> None:
    # each `or` of two comparisons over its own keys doubles the cases of their conjunction
    offsets = [Map("+", (Indices(), Constant(number))) for number in range(14)]
    pairs = [
        Or(Select(a, Tokens("int"), "=="), Select(b, Tokens("int"), "<"))
        for a, b in zip(offsets[::2], offsets[1::2], strict=True)
    ]
    selector: Selector = pairs[0]
    for pair in pairs[1:]:
        selector = And(selector, pair)
    with pytest.raises(ValueError, match="cases"):
        disjuncts(selector)


def test_an_order_and_its_equality_become_one_comparison() -> None:
    t = Tokens("str")
    assert str(*disjuncts(Or(Select(t, t, "<"), Select(t, t, "==")))) == "tokens_str <= tokens_str"  # type: ignore[call-overload]
    assert disjuncts(Or(Select(t, t, "<="), Select(t, t, ">"))) == [Conjunction(())]
    assert disjuncts(And(Select(t, t, "<"), Select(t, t, ">"))) == []
