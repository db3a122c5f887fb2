"""A node as text: all of it, or what fits in a line."""

from __future__ import annotations

from rasp.meaning.listing import outline
from rasp.meaning.sop import Constant, Indices, Lookup, Map, Node, Not, Select, SOp, Tokens

SUM = Map("+", (Map("*", (Indices(), Constant(2))), Constant(1)))


def test_what_is_short_is_written_out() -> None:
    assert outline(SUM, {}) == str(SUM) == "((indices * 2) + 1)"
    assert outline(Indices(), {}) == "indices"


def test_the_innermost_parts_are_left_out() -> None:
    assert outline(SUM, {}, most=18) == "(... + 1)"
    assert outline(SUM, {}, most=19) == "((indices * 2) + 1)"


def test_parts_have_their_names() -> None:
    assert outline(SUM, {SUM.args[0]: "even"}) == "(even + 1)"
    assert outline(SUM, {SUM: "odd", SUM.args[0]: "even"}) == "odd"


def test_a_line_is_a_line_however_much_is_computed() -> None:
    """The whole text of the first would be as long as 2 to the power of 300."""
    wide: SOp = Indices()
    deep: Node = Select(Indices(), Indices(), "==")
    for _ in range(300):
        wide = Map("*", (wide, Map("+", (wide, Constant(1)))))
        deep = Not(deep)
    long = Lookup(tuple((letter * 40, 1) for letter in "abcdefgh"), Tokens("str"))
    for node in (wide, deep, long):
        assert 20 <= len(outline(node, {})) <= 80
        assert "..." in outline(node, {})
    assert outline(long, {}).startswith('{"aaaa') and outline(long, {}).endswith("}[tokens_str]")
