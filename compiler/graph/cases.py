"""Cases: what is computed from two numbers and too large for a table is one of few functions of the first.

In: s-ops, and what the analysis knows of them. Out: the replacements of those that it refuses, and of what reads them.
Invariant: on every input with an answer each is its replacement (docs/constructions.md, C45).

    (n - n % 10 ^ e) / 10 ^ e % 10   is   n % 10 if e == 0 else floor(n % 100 / 10) if e == 1 else ...
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import reduce
from typing import TypeAlias

from compiler.graph.domain import Analysis
from compiler.graph.known import Known
from compiler.graph.remainders import in_stages
from compiler.graph.rules import Rule, rebuilt, rewritten, substituted
from compiler.graph.simplify import RULES
from rasp.meaning.operators import TRUTHS
from rasp.meaning.sop import Constant, Map, Node, SOp, reachable
from rasp.value import Value

MOST = 128
"""Most values that are told apart by cases."""
TOTAL = frozenset(["+", "-", "*", "negate", "plus", "round", "indicator", "if", *TRUTHS])
"""Operations that have a value for any numbers."""


def by_cases(roots: Iterable[Node], analysis: Analysis) -> dict[Node, Node]:
    """The replacement of each node below the roots that is refused, or computed from one that is."""
    roots, known = list(roots), Known(analysis.setting)
    nodes = reachable(roots)
    refused = {node for node in nodes if isinstance(node, Map) and analysis.domain_if_any(node) is None}
    new: dict[Node, Node] = {}
    for node in nodes if refused else ():
        if node in refused and node not in new and (pair := _wide_and_few(node, analysis)) is not None:
            for top in _tops(nodes, refused, pair, roots):
                if (split := _split(top, *pair, analysis, known)) is not None:
                    new[top] = split
    return substituted(nodes, new)


def _operands(node: Map) -> list[SOp]:
    return [arg for arg in dict.fromkeys(node.args) if not isinstance(arg, Constant)]


def _wide_and_few(node: Map, analysis: Analysis) -> tuple[SOp, SOp] | None:
    """The two operands of an s-op: a whole number, and one of few values, or what that is made of; both are known."""
    operands = _operands(node)
    domains = [analysis.domain_if_any(arg) for arg in operands]
    if len(operands) != 2 or any(domain is None or not domain.numeric for domain in domains):
        return None
    few, wide = sorted(operands, key=lambda arg: len(analysis.domain(arg)))
    while isinstance(few, Map) and len(below := _operands(few)) == 1 and _is_few(below[0], analysis):
        few = below[0]
    return (wide, few) if _is_few(few, analysis) and analysis.domain(wide).whole else None


def _is_few(node: SOp, analysis: Analysis) -> bool:
    domain = analysis.domain_if_any(node)
    return domain is not None and domain.numeric and domain.whole and len(domain) <= MOST


def _tops(nodes: Iterable[Node], refused: set[Map], leaves: tuple[SOp, SOp], roots: list[Node]) -> Iterator[Map]:
    """What is computed from the two alone, and refused, and read by something else."""
    within: set[Node] = set(leaves)
    read = set(roots)
    for node in nodes:
        inside = isinstance(node, Map) and all(arg in within or isinstance(arg, Constant) for arg in node.args)
        if inside:
            within.add(node)
        else:
            read.update(node.inputs)
    yield from (node for node in refused if node in within and node in read)


def _split(top: Map, wide: SOp, few: SOp, analysis: Analysis, known: Known) -> SOp | None:
    """The choice of what an s-op is at each value of one it is computed from; None where a case is refused, too.

    All cases are computed wherever one is: each has a value for any number.
    """
    cases: dict[SOp, list[Value]] = {}
    for value in analysis.domain(few):
        cases.setdefault(_at(top, wide, few, value, known), []).append(value)
    if not all(_is_total(case, wide) and analysis.domain_if_any(case) is not None for case in cases):
        return None
    *others, last = sorted(cases, key=lambda case: len(cases[case]))
    found = last
    for case in reversed(others):
        asked: list[SOp] = [Map("==", (few, Constant(value))) for value in cases[case]]
        found = Map("if", (reduce(lambda one, other: Map("or", (one, other)), asked), case, found))
    return found


def _is_total(case: SOp, wide: SOp) -> bool:
    """Whether an s-op has a value wherever a number has one that it is computed from, or from what that is made of."""
    for node in reachable([case], {*reachable([wide])}.__contains__):
        match node:
            case Constant(value=value):
                total = not isinstance(value, str)
            case Map(op="/" | "%", args=(_, Constant(value=divisor))):
                total = not isinstance(divisor, str) and divisor != 0
            case Map(op=op):
                total = op in TOTAL
            case _:
                total = False
        if not total:
            return False
    return True


def _at(node: SOp, wide: SOp, few: SOp, value: Value, known: Known) -> SOp:
    """An s-op of two where the second has a value, simplified; what the first is made of stays."""
    new: dict[Node, Node] = {wide: wide, few: Constant(value)}
    for current in reachable([node], new.__contains__):
        new[current] = rewritten(rebuilt(current, new), RULES, known)
    found = new[node]
    assert isinstance(found, SOp)
    return found


WideRule: TypeAlias = Rule[[Iterable[Node], Analysis], dict[Node, Node]]
"""A rule of all nodes below some roots, which asks for their domains."""

WIDE: tuple[WideRule, ...] = (
    Rule("cases of a number", "f(x, e) is f(x, a) if e == a else f(x, b) if e == b ...", "C45", by_cases),
    Rule("remainder in stages", "x % c is (x % d) % c where c divides d", "C42", in_stages),
)
"""Where numbers are too large for a table, or for the gates of a remainder."""
