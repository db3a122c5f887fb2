"""Domains are sound: whatever the interpreter answers was foreseen, value by value and jointly."""

from __future__ import annotations

import itertools
import random
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import rasp
from compiler.graph.domain import LENGTH, Analysis, Domain, Limits, Setting, is_length
from compiler.graph.domain.averages import averages
from compiler.graph.table import Scale
from rasp.meaning.interpreter import evaluate
from rasp.meaning.sop import (
    Aggregate,
    And,
    Constant,
    Indices,
    Lookup,
    Map,
    Node,
    Or,
    Select,
    Selector,
    SOp,
    Tokens,
    Width,
)
from rasp.text.source import RaspError
from rasp.value import Value
from tests.inputs import every
from tests.random_programs import Programs

VOCABULARY = ("0", "1", "2")
SETTINGS = [Setting(VOCABULARY, 3, causal) for causal in (False, True)]
INPUTS = list(every(VOCABULARY, 3))
settings_ = st.sampled_from(SETTINGS)
makers = st.randoms(use_true_random=False).map(Programs)


def sops(depth: int) -> st.SearchStrategy[SOp]:
    return makers.map(lambda programs: programs.sop(depth))


def numbers(depth: int) -> st.SearchStrategy[SOp]:
    return makers.map(lambda programs: programs.number(depth))


def selectors(depth: int) -> st.SearchStrategy[Selector]:
    return makers.map(lambda programs: programs.selector(depth))


def answer(node: SOp, tokens: tuple[Value, ...], causal: bool) -> list[Value] | None:
    """The interpreter's values; None where it has none."""
    try:
        values: list[Value] = evaluate(node, tokens, causal)
    except RaspError:
        return None
    return values


def rows(selector: Selector, tokens: tuple[Value, ...], causal: bool) -> list[list[bool]] | None:
    """The selector's matrix as an aggregate sees it."""
    try:
        matrix: list[list[bool]] = evaluate(selector, tokens, causal)
    except RaspError:
        return None
    return [[held and (key <= query or not causal) for key, held in enumerate(row)] for query, row in enumerate(matrix)]


def domain_of(analysis: Analysis, node: SOp) -> Domain | None:
    """The domain; None where the analysis declines the node, which it may."""
    try:
        return analysis.domain(node)
    except RaspError:
        return None


@settings(max_examples=400)
@given(sops(3), settings_)
def test_every_answer_lies_in_the_domain(node: SOp, setting: Setting) -> None:
    domain = domain_of(Analysis(setting), node)
    found = {value for tokens in INPUTS for value in answer(node, tokens, setting.causal) or ()}
    assert domain is None or found <= set(domain)


@settings(max_examples=300)
@given(sops(3), settings_)
def test_the_table_holds_every_joint_value_that_occurs(node: SOp, setting: Setting) -> None:
    """At each position of each input, the table maps the variables' values to the s-op's value."""
    analysis = Analysis(setting)
    if domain_of(analysis, node) is None:
        return
    variables = analysis.variables(node)
    table = dict(analysis.table(node))
    for tokens in INPUTS:
        if (values := answer(node, tokens, setting.causal)) is not None:
            columns = [answer(var, tokens, setting.causal) for var in variables]
            for place, value in enumerate(values):
                assert table[tuple(column[place] for column in columns)] == value  # type: ignore[index]


@settings(max_examples=200)
@given(numbers(3), settings_)
def test_a_curve_over_the_variables_is_the_table(node: SOp, setting: Setting) -> None:
    """Digits that cannot be confused: the places of a number in base 10,000."""
    analysis = Analysis(setting)
    if (domain := domain_of(analysis, node)) is None or not domain.numeric:
        return
    variables = analysis.variables(node)
    places = [Fraction(10_000) ** place for place in range(len(variables))]
    ranks = [{value: rank for rank, value in enumerate(analysis.domain(var))} for var in variables]
    digits = [
        [place * rank for rank in range(len(analysis.domain(var)))]
        for var, place in zip(variables, places, strict=True)
    ]
    expected = sorted(
        (sum((p * r[v] for p, r, v in zip(places, ranks, point, strict=True)), Fraction(0)), Fraction(value))
        for point, value in analysis.table(node)
    )
    assert not variables or analysis.curve(node, variables, Scale.of(digits), joint=True).points() == expected
    if len(variables) == 1:
        inputs = analysis.domain(variables[0]).values
        known = {point[0]: value for point, value in analysis.table(node)}
        assert analysis.column(node, inputs) == tuple(known.get(value, 0) for value in inputs)


@settings(max_examples=300)
@given(selectors(2), settings_)
def test_what_is_said_of_a_selector_holds_on_every_input(selector: Selector, setting: Setting) -> None:
    analysis = Analysis(setting)
    try:
        sure, single = analysis.never_empty(selector), analysis.at_most_one(selector)
    except RaspError:
        return
    for matrix in filter(None, (rows(selector, tokens, setting.causal) for tokens in INPUTS)):
        assert not sure or all(any(row) for row in matrix)
        assert not single or all(sum(row) <= 1 for row in matrix)


KEYS: list[SOp] = [Indices(), Map("+", (Indices(), Constant(2))), Tokens("int"), Map("*", (Indices(), Constant(2)))]
SHIFTS = [*range(-2, 3), Fraction(1, 2)]
QUERIES: list[SOp] = [Map("+", (node, Constant(by))) for node in (Indices(), LENGTH, Tokens("int")) for by in SHIFTS]
comparisons = st.builds(
    Select, st.sampled_from(KEYS), st.sampled_from(QUERIES), st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
)
compared = st.recursive(
    comparisons, lambda inner: st.one_of(st.builds(And, inner, inner), st.builds(Or, inner, inner)), max_leaves=4
)


@settings(max_examples=600)
@given(compared, settings_)
def test_exclusive_cases_are_the_selector_and_never_hold_together(selector: Selector, setting: Setting) -> None:
    """Windows are taken apart into places, and what lies apart is not taken away: on every input it is the selector."""
    cases = [case.selector() for case in Analysis(setting).exclusive(selector)]
    for tokens in INPUTS:
        wanted, *found = (rows(one, tokens, setting.causal) for one in (selector, *cases))
        assert wanted is not None
        for query, row in enumerate(wanted):
            for key, held in enumerate(row):
                assert sum(matrix[query][key] for matrix in found if matrix is not None) == held


@pytest.mark.parametrize(
    ("text", "cases"),
    [
        ("select(indices, indices - 1, ==) or select(indices, indices, ==)", 2),
        ("select(indices, indices - 1, >=) and select(indices, indices + 1, <=)", 3),
        ("select(indices, indices - 2, >) and select(indices, indices, <)", 1),
        ("select(indices, indices - 3, <) or select(indices, indices + 3, >)", 2),
        ("select(indices, indices - 20, >=) and select(indices, indices, <=)", 1),
        ("select(indices, indices - tokens_int, ==) or select(indices, indices, ==)", 2),
    ],
)
def test_windows_are_places(text: str, cases: int) -> None:
    found = Analysis(Setting(VOCABULARY, 32, False)).exclusive(rasp.parse(f"s = {text};")["s"].node)  # type: ignore[arg-type]
    assert len(found) == cases


@settings(max_examples=300)
@given(numbers(3), settings_)
def test_a_linear_form_has_the_s_op_s_values_and_bounds_them(node: SOp, setting: Setting) -> None:
    analysis = Analysis(setting)
    terms = analysis.linear(node) if domain_of(analysis, node) is not None else None
    if terms is None:
        return
    low, high = analysis.bounds(terms)
    for tokens in INPUTS:
        if (values := answer(node, tokens, setting.causal)) is not None:
            columns = {var: answer(var, tokens, setting.causal) for var in terms if var is not None}
            for place, value in enumerate(values):
                at = {var: Fraction(column[place]) for var, column in columns.items()}  # type: ignore[index]
                assert sum((c * at.get(var, 1) for var, c in terms.items()), Fraction(0)) == value
                assert low <= Fraction(value) <= high


@settings(max_examples=200)
@given(selectors(1), numbers(2), st.sampled_from([0, -1, Fraction(1, 3)]), settings_)
def test_means_are_in_the_domain(selector: Selector, value: SOp, default: Value, setting: Setting) -> None:
    node = Aggregate(selector, value, default)
    domain = domain_of(Analysis(setting), node)
    found = {mean for tokens in INPUTS for mean in answer(node, tokens, setting.causal) or ()}
    assert domain is None or found <= set(domain)


def test_two_functions_of_one_token_are_not_independent() -> None:
    code = Lookup((("0", 1), ("1", 5), ("2", 9)), Tokens("str"))
    assert Analysis(SETTINGS[0]).domain(Map("-", (code, code))).values == (0,)
    assert Analysis(SETTINGS[0]).domain(Map("*", (code, Map("-", (Constant(10), code))))).values == (9, 25)


def test_the_position_is_below_the_length() -> None:
    assert is_length(LENGTH)
    last = Map("-", (Map("-", (LENGTH, Indices())), Constant(1)))
    for longest in (3, 1_000, 5_000):
        analysis = Analysis(Setting(VOCABULARY, longest, causal=False))
        assert analysis.domain(last).values[0] == 0
        assert analysis.domain(last).values[-1] == longest - 1


def test_ten_ternaries_on_the_token_are_one_function_of_it() -> None:
    vocabulary = tuple("abcdefghij")
    node: SOp = Constant("-")
    for text in vocabulary:
        node = Map("if", (Map("==", (Tokens("str"), Constant(text))), Constant(text.upper()), node))
    assert Analysis(Setting(vocabulary, 4, causal=False)).domain(node).values == tuple("ABCDEFGHIJ")


def test_undefined_points_are_left_out() -> None:
    domain = Analysis(SETTINGS[0]).domain(Map("/", (Constant(1), Indices())))
    assert domain.values == (Fraction(1, 2), 1)


def test_an_s_op_without_any_value_is_refused() -> None:
    with pytest.raises(RaspError, match="no value"):
        Analysis(SETTINGS[0]).domain(Map("/", (Indices(), Constant(0))))


def test_of_equal_values_of_several_kinds_the_int_stands_for_all() -> None:
    domain = Domain.of([True, 1, Fraction(1), 0, False])
    assert domain.values == (0, 1) and set(map(type, domain)) == {int}
    assert [type(value) for value in Domain.of([True, Fraction(1), Fraction(1, 2), False])] == [bool, Fraction, int]
    assert not Domain.of(["a", 1]).numeric


def test_a_mean_is_made_of_numbers_and_of_bools_beside_numbers_never_of_strings() -> None:
    assert Domain.of([True, False]).averaged == () == Domain.of(["a", True]).averaged
    assert Domain.of(["a", True, 2]).averaged == (1, 2)


def test_too_many_values_are_refused_with_advice() -> None:
    analysis = Analysis(Setting(VOCABULARY, 2_000, causal=False))
    mean = Aggregate(Select(Indices(), Indices(), "<="), Map("==", (Tokens("str"), Constant("0"))), 0)
    for node in (Aggregate(Select(Indices(), Indices(), "<="), Indices(), 0), Map("*", (Width(mean.selector), LENGTH))):
        with pytest.raises(RaspError) as caught:
            analysis.domain(node)
        assert caught.value.diagnostics[0].hint


def test_what_does_not_grow_is_not_limited() -> None:
    """As many values as the vocabulary has: nothing is combined."""
    vocabulary = tuple(f"t{number}" for number in range(30))
    analysis = Analysis(Setting(vocabulary, 20, False, Limits(values=25)))
    code = Lookup(tuple((text, number) for number, text in enumerate(vocabulary)), Tokens("str"))
    last = Select(Indices(), Map("-", (LENGTH, Constant(1))), "==")
    assert len(analysis.domain(code)) == len(analysis.domain(Aggregate(last, Tokens("str")))) == 30
    with pytest.raises(RaspError, match="78 different values, more than 25"):
        analysis.domain(Map("+", (code, Map("/", (Indices(), Constant(2))))))


def test_limits_are_a_setting() -> None:
    cases = Or(Select(Indices(), Constant(1), "=="), Select(Tokens("str"), Constant("1"), "=="))
    assert len(Analysis(Setting(VOCABULARY, 3, False)).disjuncts(cases)) == 2
    with pytest.raises(RaspError, match="more than 1"):
        Analysis(Setting(VOCABULARY, 3, False, Limits(cases=1))).disjuncts(cases)
    two = Map("^", (Width(Select(Tokens("int"), Constant(0), ">")), Width(Select(Tokens("int"), Constant(1), "=="))))
    assert Analysis(Setting(VOCABULARY, 3, False)).domain(two).values == (0, 1, 2, 3, 4, 8, 9, 27)
    with pytest.raises(RaspError, match="16 ways"):
        Analysis(Setting(VOCABULARY, 3, False, Limits(points=15, combinations=15))).domain(two)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(points=4, combinations=4), "combines operands in 16 ways, more than can be tabulated"),
        (Limits(values=7), "can take 8 different values, more than 7"),
    ],
)
def test_a_refusal_says_in_a_line_what_is_refused(limits: Limits, message: str) -> None:
    """By its name, or else with the names of its parts; the text of all of it could be pages."""
    zeros, ones = (Width(Select(Tokens("str"), Constant(token), "==")) for token in "01")
    node = Map("^", (zeros, Map("*", (ones, Constant(5)))))
    called: list[tuple[dict[Node, str], str]] = [
        ({}, '(selector_width(select(tokens_str, "0", ==)) ^ (selector_width(...) * 5))'),
        ({zeros: "zeros"}, '(zeros ^ (selector_width(select(tokens_str, "1", ==)) * 5))'),
        ({zeros: "zeros", node: "power"}, "power"),
    ]
    for names, text in called:
        with pytest.raises(RaspError) as refused:
            Analysis(Setting(VOCABULARY, 3, False, limits), names=names).domain(node)
        assert refused.value.diagnostics[0].message == f"`{text}` {message}"


def test_who_averages_a_bit_is_not_told_to_average_a_bit() -> None:
    """Counting does help: a count has one value more than there are positions."""
    bit = Map("indicator", (Map("==", (Tokens("str"), Constant("0"))),))
    here = Select(Indices(), Indices(), "<=")
    analysis = Analysis(Setting(VOCABULARY, 1_000, True))
    with pytest.raises(RaspError, match="or count with selector_width instead"):
        analysis.domain(Aggregate(here, bit, 0))
    with pytest.raises(RaspError, match="or average an indicator instead"):
        analysis.domain(Aggregate(here, Indices(), 0))
    assert len(analysis.domain(Width(And(here, Select(bit, Constant(1), "=="))))) == 1_001


def test_what_is_never_defined_is_named() -> None:
    never = Map("/", (Indices(), Constant(0)))
    with pytest.raises(RaspError, match=r"`\(indices / 0\)` has no value for any input"):
        Analysis(SETTINGS[0]).domain(never)
    with pytest.raises(RaspError, match="`share` has no value for any input"):
        Analysis(SETTINGS[0], names={never: "share"}).domain(never)


def test_a_large_linear_form_is_not_tabulated() -> None:
    analysis = Analysis(Setting(VOCABULARY, 4_000, causal=False))
    total = Map("+", (Indices(), LENGTH))
    assert len(analysis.domain(total)) <= Limits().values
    assert analysis.domain(total).values[0] <= 1
    assert analysis.domain(total).values[-1] >= 7_999


@pytest.mark.parametrize("how", ["str", "int", "float", "bool", "asis"])
def test_conversions_of_the_token_are_the_interpreter_s(how: str) -> None:
    vocabulary: tuple[Value, ...] = (7, "12", Fraction(5, 2), True, "")
    analysis = Analysis(Setting(vocabulary, 2, causal=False))
    node = Tokens(how)  # type: ignore[arg-type]
    found = set(analysis.domain(node))
    for tokens in [(token,) for token in vocabulary]:
        assert set(answer(node, tokens, False) or ()) <= found


@pytest.mark.parametrize("how", ["asis", "str", "int", "float", "bool"])
def test_a_token_is_converted_as_the_interpreter_converts_it(how: str) -> None:
    texts = ("7", " 7 ", "1.5", "1/2", "1e3", "nan", "inf", "", "x", "0.1234567890123456789", "True")
    converted = Setting(texts, 1, False).converted(how)
    node = Tokens(how)  # type: ignore[arg-type]
    for text in texts:
        try:
            expected = evaluate(node, [text])[0]
        except RaspError:
            expected = None
        assert (type(converted[text]), converted[text]) == (type(expected), expected)


@pytest.mark.parametrize("seed", range(12))
def test_averages_are_whatever_numbers_come_to(seed: int) -> None:
    """Where they lie far apart, nothing else; logarithms for instance."""
    rng = random.Random(seed)
    parts = 10**9 if seed % 2 else 6
    numbers = sorted({Fraction(rng.randrange(-2 * parts, 2 * parts), parts) for _ in range(rng.randint(2, 4))})
    n = rng.randint(1, 4)
    found = averages(numbers, n, most=4_000)
    assert found is not None
    drawn = (keys for m in range(1, n + 1) for keys in itertools.combinations_with_replacement(numbers, m))
    wanted = {sum(keys) / len(keys) for keys in drawn}
    assert wanted <= {*numbers, *found}
    assert parts == 6 or wanted == {*numbers, *found}
    assert averages(numbers, n, most=1) is None or n == 1 or len(numbers) == 1
