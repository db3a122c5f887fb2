"""Simplification: small rules that replace a node by an equal, cheaper one, each with its equation beside it.

In: s-ops. Out: a map from every node they need to its replacement.
Invariant: a rule never changes an answer; where the original raises, the replacement may answer (C29).

    (length * aggregate(full_s, indicator(p)))  is  selector_width(select(p, True, ==))
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from functools import reduce
from typing import TypeAlias

from compiler.graph import defaults, denominators, others, picks, remainders, sorting, sums, truths
from compiler.graph.domain import LENGTH, Setting
from compiler.graph.domain.linear import added_up
from compiler.graph.known import Known, NodeRule
from compiler.graph.places import of_place
from compiler.graph.relation import EQUAL, Conjunction
from compiler.graph.rules import Rule, rebuilt, rewritten
from rasp.meaning.operators import MIRRORED, OPERATORS, Undefined
from rasp.meaning.sop import (
    Aggregate,
    And,
    Constant,
    Encoded,
    Indices,
    Map,
    Node,
    Select,
    Selector,
    SOp,
    Total,
    Width,
    reachable,
)


def simplify(roots: Iterable[Node], setting: Setting, unsorted: bool = True) -> dict[Node, Node]:
    """The replacement of each node below the roots, inputs first; `unsorted`: nothing is sorted to be read (C30)."""
    roots = list(roots)
    known = Known(setting, unsorted)
    new: dict[Node, Node] = {}
    for node in reachable(roots):
        new[node] = rewritten(rebuilt(node, new), RULES, known)
    for rule in WHOLE:
        if known.as_written and rule is sums.RULE:  # in half precision counts may be certified where a sum is not
            continue
        again = rule.apply([new[root] for root in roots], setting)
        if again:
            for node in reachable(new[root] for root in roots):
                if node not in again:
                    again[node] = rewritten(rebuilt(node, again), RULES, known)
            new = {node: again.get(found, found) for node, found in new.items()}
    return new


def _looked_for(roots: Iterable[Node], setting: Setting) -> dict[Node, Node]:
    """What asks of a width no more than whether it is 0 asks for a key instead: 1 where one is selected, else 0 (C26).

    Those who ask are replaced, not the width: 1 is not how many there are, and does not have its name.
    """
    nodes = reachable(roots)
    asked: dict[Node, bool] = dict.fromkeys(roots, False)
    for reader in nodes:
        for node in reader.inputs:
            if isinstance(node, Width) and node is not LENGTH:
                asked[node] = asked.get(node, True) and _asks_for_any(reader, node)
    again: dict[Node, Node] = {}
    found: dict[Node, Node] = {}
    for node in nodes:  # inputs come first
        if isinstance(node, Width) and asked.get(node):
            one: SOp = Encoded(Constant(1)) if node.selector.encoded else Constant(1)
            found[node] = rebuilt(Aggregate(node.selector, one, 0), again)
        elif not found.keys().isdisjoint(node.inputs):
            again[node] = rebuilt(node, found)
        elif (made := rebuilt(node, again)) is not node:
            again[node] = made
    return again


def _asks_for_any(reader: Node, width: Node) -> bool:
    """Whether a comparison tells no more of a width than whether it is 0."""
    match reader:
        case Map(op=op, args=(a, b)) | Select(key=a, query=b, predicate=op):
            if b is width:
                a, b, op = b, a, MIRRORED.get(op, op)
            zero, one = (isinstance(b, Constant) and b.value == number for number in (0, 1))
            return a is width and ((zero and op in ("==", "!=", ">", "<=")) or (one and op in ("<", ">=")))
    return False


# -- rules -------------------------------------------------------------------------------------------------------------


def width(selector: Selector, setting: Setting) -> SOp:
    """The number of selected keys, simplified."""
    return _width(selector, Known(setting))


def _width(selector: Selector, known: Known) -> SOp:
    found = rewritten(Width(selector), WIDTHS, known)
    assert isinstance(found, SOp)
    return found


def _plus(node: Node, known: Known) -> Node | None:
    match node:
        case Map(op="plus", args=(a,)) if known.kind(a) in ("int", "float"):  # of a bool it is an int
            return a
    return None


def _folded(node: Node, known: Known) -> Node | None:
    if not isinstance(node, Map):
        return None
    values = [arg.value for arg in node.args if isinstance(arg, Constant)]
    if len(values) < len(node.args):
        return None
    try:
        return Constant(OPERATORS[node.op].apply(*values))
    except Undefined:
        return None


def _rounded(node: Node, known: Known) -> Node | None:
    match node:
        case Map(op="round", args=(a,)) if known.kind(a) == "int":
            return a
    return None


AT_START = Map("indicator", (Map("==", (Indices(), Constant(0))),))
"""1 at the first position, 0 elsewhere."""


def _divided(node: Node, known: Known) -> Node | None:
    match node:
        case Map(op="/", args=(Constant(value=1), Aggregate(selector=selector, value=value))):
            if value is AT_START and _includes_start(selector, known):
                return _width(selector, known)
    return None


def _includes_start(selector: Selector, known: Known) -> bool:
    """Whether every row selects position 0."""
    start = Conjunction.of([(Indices(), Constant(0), EQUAL)])
    assert start is not None
    return any(start.implies(case) for case in known.cases(selector) or [])


def _counted(node: Node, known: Known) -> Node | None:
    for mean, rest in _means_times_width(node, known):
        if isinstance(mean.value, Map) and mean.value.op == "indicator":
            return _times(_width(And(mean.selector, Select(mean.value, Constant(1), "==")), known), rest)
    return None


def _summed(node: Node, known: Known) -> Node | None:
    for mean, rest in _means_times_width(node, known):
        if known.kind(mean.value) == "int":
            return _times(Total(mean.selector, mean.value), rest)
    return None


def _means_times_width(node: Node, known: Known) -> Iterator[tuple[Aggregate, list[SOp]]]:
    """The mean in a product with the width of its selector, whatever number an empty row has, and what else is."""
    factors = _factors(node) if isinstance(node, Map) and node.op == "*" else []
    for (i, mean), (j, factor) in itertools.permutations(enumerate(factors), 2):
        if not isinstance(mean, Aggregate) or isinstance(mean.default, str):
            continue
        if _is_width(factor, mean.selector, known):
            yield mean, [other for place, other in enumerate(factors) if place not in (i, j)]


def _factors(node: SOp) -> list[SOp]:
    match node:
        case Map(op="*", args=(a, b)):
            return [*_factors(a), *_factors(b)]
    return [node]


def _times(found: SOp, rest: Iterable[SOp]) -> SOp:
    return reduce(lambda one, other: Map("*", (one, other)), rest, found)


def _is_width(factor: SOp, selector: Selector, known: Known) -> bool:
    """Whether the factor is how many keys the selector selects; with positions up to mine, my place says it."""
    found = _width(selector, known)
    if found is factor:
        return True
    cases, position = known.cases(selector), Indices()
    upto, before = (Conjunction.of([(position, position, frozenset(signs))]) for signs in ("<=", "<"))
    if cases in ([before], [upto]):
        found = position if cases == [before] else Map("+", (position, Constant(1)))
    return added_up(found) == added_up(factor)


def _no_keys(node: Node, known: Known) -> Node | None:
    return Constant(0) if isinstance(node, Width) and known.cases(node.selector) == [] else None


def _all_keys(node: Node, known: Known) -> Node | None:
    if not isinstance(node, Width) or known.cases(node.selector) != [Conjunction(())]:
        return None
    return Map("+", (Indices(), Constant(1))) if known.setting.causal else LENGTH


_AFTER, _FROM = (Conjunction.of([(Indices(), Indices(), frozenset(signs))]) for signs in (">", ">="))


def _keys_ahead(node: Node, known: Known) -> Node | None:
    cases = known.cases(node.selector) if isinstance(node, Width) and not known.setting.causal else None
    if cases not in ([_AFTER], [_FROM]):
        return None
    left = Map("-", (LENGTH, Indices()))
    return left if cases == [_FROM] else Map("-", (left, Constant(1)))


def _seen(node: Node, known: Known) -> Node | None:
    """A key that is seen at all stands at or before me where the future is hidden."""
    upto = known.setting.causal and node is Select(Indices(), Indices(), "<=")
    return Select(Constant(1), Constant(1), "==") if upto else None


def _default(node: Node, known: Known) -> Node | None:
    return Constant(node.default) if isinstance(node, Aggregate) and known.cases(node.selector) == [] else None


Whole: TypeAlias = Rule[[Iterable[Node], Setting], dict[Node, Node]]
"""A rule of all nodes below some roots: their replacements."""

WIDTHS: tuple[NodeRule, ...] = (
    Rule("width of nothing", "selector_width(none) is 0", "C29", _no_keys),
    Rule("width of everything", "selector_width(all) is length, causal: indices + 1", "C29", _all_keys),
    Rule("width ahead", "selector_width(select(indices, indices, >=)) is length - indices", "C27", _keys_ahead),
    others.COUNTED,
)
RULES: tuple[NodeRule, ...] = (
    Rule("positive sign", "+n is n", "C29", _plus),
    Rule("hidden future", "select(indices, indices, <=) is everything, causal", "C48", _seen),
    Rule("constant folding", "f(1, 2) is its value", "C29", _folded),
    Rule("round of a whole number", "round(n) is n", "C11", _rounded),
    Rule("one over a share", "1 / aggregate(s, indicator(indices == 0)) is selector_width(s)", "C11", _divided),
    Rule("share of a width", "selector_width(s) * aggregate(s, indicator(p)) is width of s and p", "C11", _counted),
    Rule("mean times a width", "selector_width(s) * aggregate(s, n, d) is total(s, n)", "C23", _summed),
    *WIDTHS,
    Rule("aggregate of nothing", "aggregate(none, v, d) is d", "C29", _default),
    others.FOUND,
    *truths.RULES,
    *picks.RULES,
    *sorting.RULES,
    *denominators.RULES,
    *remainders.RULES,
)
WHOLE: tuple[Whole, ...] = (
    Rule("attention of places", "what no token decides is a table of indices, or of length", "C27", of_place),
    defaults.RULE,
    Rule("looked for, not counted", "selector_width(s) > 0 is aggregate(s, 1, 0) > 0", "C26", _looked_for),
    sums.RULE,
)
