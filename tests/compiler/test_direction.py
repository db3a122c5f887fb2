"""Forms are a vector space, and `at` is linear in it."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from compiler.numbers.direction import BOS, ONE, Direction, Form, total

DIRECTIONS = [ONE, BOS, *map(Direction, ["x", "y", "two words"])]
fractions = st.fractions(min_value=-50, max_value=50, max_denominator=12)
forms = st.builds(Form, st.dictionaries(st.sampled_from(DIRECTIONS), fractions))
streams = st.dictionaries(st.sampled_from(DIRECTIONS), fractions)


@given(forms, forms, forms)
def test_addition_is_a_commutative_group(a: Form, b: Form, c: Form) -> None:
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert a + Form() == a
    assert a - a == Form()
    assert -a == Form() - a


@given(forms, forms, fractions, fractions)
def test_scaling_distributes(a: Form, b: Form, r: Fraction, s: Fraction) -> None:
    assert (a + b) * r == a * r + b * r
    assert a * (r + s) == a * r + a * s
    assert (a * r) * s == a * (r * s)
    assert a * 1 == a
    assert a * 0 == Form()


@given(forms)
def test_no_term_is_zero(a: Form) -> None:
    assert all(a.terms.values())
    assert not (a - a).terms


@given(forms, forms, fractions, streams)
def test_reading_is_linear(a: Form, b: Form, r: Fraction, stream: dict[Direction, Fraction]) -> None:
    assert (a + b).at(stream) == a.at(stream) + b.at(stream)
    assert (a * r).at(stream) == a.at(stream) * r


@given(st.lists(forms, max_size=5))
def test_a_total_is_the_repeated_sum(parts: list[Form]) -> None:
    added = Form()
    for part in parts:
        added = added + part
    assert total(parts) == added


@given(forms, forms)
def test_equal_forms_have_equal_hashes(a: Form, b: Form) -> None:
    assert hash(a + b) == hash(b + a)


@given(forms, st.dictionaries(st.sampled_from(DIRECTIONS), forms), streams)
def test_substitution_is_composition(a: Form, new: dict[Direction, Form], stream: dict[Direction, Fraction]) -> None:
    """Reading a substituted form is reading the form where the stream holds what the substitutes read."""
    replaced = stream | {direction: form.at(stream) for direction, form in new.items()}
    assert a.substitute(new).at(stream) == a.at(replaced)


def test_operations_leave_their_operands_alone() -> None:
    x = Direction("x")
    a, b = Form.of(x), Form.of(x)
    a + b, a * 3, -a, a.substitute({x: Form.constant(2)})
    assert a == b == Form({x: 1})


def test_a_direction_is_itself_whatever_it_is_called() -> None:
    one, other = Direction("x"), Direction("x")
    assert one != other
    assert str(Form.of(one) + Form.of(other)) == "x + x"


def test_a_form_prints_as_one_would_write_it() -> None:
    x, y = Form.of(Direction("x")), Form.of(Direction("two words"))
    assert str(x * 2 - Form.constant(1)) == "2 x - 1"
    assert str(-x) == "-x"
    assert str(y * Fraction(-1, 2) + Form.constant(3)) == "-1/2 [two words] + 3"
    assert str(Form()) == "0"
    assert str(Form.constant(-4)) == "-4"
