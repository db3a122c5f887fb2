"""The language in the page: its own interpreter computes what Python's does, and knows every kind of s-op."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest

import compiler
import rasp
from compiler.observe.view.nodes import table, tagged
from rasp import RaspError
from rasp.meaning.interpreter import evaluate
from rasp.meaning.operators import MAX_BITS, OPERATORS
from rasp.meaning.sop import Constant, Indices, Map, Select, SOp, Tokens, Total
from rasp.value import Value
from tests.nodes import every_node
from tests.places import ROOT
from tests.view.conftest import Open

SCRIPTS = ROOT / "compiler" / "observe" / "view" / "assets" / "language"
BEFORE, SO_FAR, OTHERS = (Select(Indices(), Indices(), one) for one in ("<", "<=", "!="))
LARGE = Map("^", (Constant(2), Constant(MAX_BITS // 2 - 1)))  # four times its square has a bit too many
ADDED: list[tuple[SOp, list[Value]]] = [
    (Tokens("asis"), [1, 2, 0, 2]),
    (Tokens("asis"), [True, False, True]),
    (Tokens("asis"), [Fraction(1, 3), Fraction(-5, 7), 2, Fraction(2, 3)]),
    (Map("/", (Tokens("int"), Constant(3))), [1, 2, 0, 2]),
    (Tokens("str"), [1, 2, 1]),
]
TAGS = """([table, ids, causal]) => interpret(table, ids, causal).map((values) => values instanceof Error ? null :
    values.map((v) => Array.isArray(v) ? null : isText(v) ? `s${v}` : isFraction(v) ? `f${v.n}/${v.d}` :
        typeof v === "bigint" ? `i${v}` : v ? "T" : "F"))"""
"""The values of every s-op of a table, as the table writes values."""


def _named(script: str, constant: str) -> set[str]:
    """The names that an object of a script has entries for."""
    [body] = re.findall(rf"^const {constant} = {{\n(.*?)^}};", (SCRIPTS / script).read_text(), re.M | re.S)
    return set(re.findall(r'^  "?([^\s":,.}]+)"?[:,(]', body, re.M))


def test_the_page_computes_every_kind_of_node() -> None:
    """Without a browser: what Python writes, the script has an entry for, and no more than that."""
    entries, _ = table(every_node(), [0, 1])
    assert {kind for kind, *_ in entries} == _named("interpret.js", "ENTRIES")


def test_the_page_computes_every_operator() -> None:
    assert _named("operators.js", "PREDICATES") | _named("operators.js", "OPERATORS") == set(OPERATORS)


@pytest.mark.slow
@pytest.mark.parametrize("causal", [True, False])
def test_totals_in_the_page_are_the_interpreters(causal: bool, visit: Open) -> None:
    """Kind by kind, of empty rows too; where the interpreter has no answer, the page has none."""
    tab = visit(compiler.compile(rasp.parse("o = tokens;"), vocab="ab", max_length=2).model, "ab").tab
    for value, tokens in ADDED:
        totals = [Total(selector, value) for selector in (BEFORE, SO_FAR, OTHERS)]
        entries, numbers = table(totals, tokens)
        found = tab.evaluate(TAGS, [entries, [*range(len(tokens))], causal])
        for node in totals:
            assert found[numbers[node]] == _tags(node, tokens, causal), (str(node), tokens)
    large, tokens = Total(SO_FAR, Map("*", (Tokens("asis"), Map("*", (LARGE, LARGE))))), [2, 2]
    entries, numbers = table([large], tokens)
    found = tab.evaluate(TAGS, [entries, [0, 1], causal])
    assert found[numbers[large.value]] is not None and found[numbers[large]] is _tags(large, tokens, causal) is None


def _tags(node: SOp, tokens: list[Value], causal: bool) -> list[str] | None:
    """The interpreter's answer, or None where it has none."""
    try:
        return [tagged(value) for value in evaluate(node, tokens, causal=causal)]
    except RaspError:
        return None
