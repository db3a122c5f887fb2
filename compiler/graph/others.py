"""Others: a count of all keys but one's own is a count of all keys, less one's own, by a rule.

In: a count, or a sum, whose inputs are simplified. Out: an equal s-op that tells no position from another, or None.
Invariant: on every input with an answer the s-op is the same (docs/constructions.md, C35).

    selector_width(select(tokens, tokens, ==) and select(indices, indices, !=))
    is  selector_width(select(tokens, tokens, ==)) - 1
"""

from __future__ import annotations

from dataclasses import replace
from functools import reduce

from compiler.graph.domain import Setting
from compiler.graph.domain.variables import POSITION, Variables
from compiler.graph.known import Known, NodeRule
from compiler.graph.relation import ALWAYS, EQUAL, PREDICATE_OF, Compared, Conjunction
from compiler.graph.rules import Rule
from rasp.meaning.interpreter import evaluate
from rasp.meaning.sop import Aggregate, Constant, Map, Node, Selector, SOp, Total, Width
from rasp.text.source import RaspError

ELSEWHERE = (POSITION, POSITION, ALWAYS - EQUAL)
"""All keys but one's own."""


def _less_own(node: Node, known: Known) -> Node | None:
    match node:
        case Width(selector=selector):
            value: SOp = Constant(1)
        case Total(selector=selector, value=value):
            pass
        case _:
            return None
    others = _others(selector, known)
    if others is None or (own := _own(others, value, known.setting)) is None:
        return None
    everything = replace(node, selector=others.selector())
    return everything if own is Constant(0) else Map("-", (everything, own))


def _found_elsewhere(node: Node, known: Known) -> Node | None:
    match node:
        case Map(op=">", args=(Aggregate(selector=selector, value=Constant(value=1), default=0), Constant(value=0))):
            others = None if known.as_written else _others(selector, known)
            if others is None or any(map(_is_order, others.parts)):  # to look for a key takes less than to count there
                return None
            own = _own(others, Constant(1), known.setting)
            return None if own is None else Map(">", (Width(others.selector()), own))
    return None


def _is_order(part: Compared) -> bool:
    return part[2] != EQUAL and not isinstance(part[1], Constant)


def _others(selector: Selector, known: Known) -> Conjunction | None:
    """What is asked of keys besides that they are others."""
    cases = known.cases(selector)
    if cases is None or len(cases) != 1 or ELSEWHERE not in cases[0].parts:
        return None
    return Conjunction(tuple(part for part in cases[0].parts if part != ELSEWHERE))


def _own(others: Conjunction, value: SOp, setting: Setting) -> SOp | None:
    """What my own key would add, if that is a function of one variable: else it would take neurons to compute."""
    asked = [_at_own(part, setting) for part in others.parts]
    if Constant(False) in asked:
        return Constant(0)
    bits = [bit for bit in asked if bit is not Constant(True)]
    if not bits:
        return value
    bit = reduce(lambda one, other: Map("and", (one, other)), bits)
    own = Map("indicator", (bit,)) if value is Constant(1) else Map("if", (bit, value, Constant(0)))
    return own if len(Variables().of(own)) <= 1 else None


def _at_own(part: Compared, setting: Setting) -> SOp:
    """Whether a comparison selects one's own key: a constant where it always does, or never."""
    key, query, how = part
    if key is query:
        return Constant("=" in how)
    found = Map(PREDICATE_OF[how], part[:2])
    if Variables().of(found) != (POSITION,):
        return found
    try:
        values = set(evaluate([found], setting.vocabulary[:1] * setting.max_length)[0])
    except RaspError:  # it has no value at some place
        return found
    return Constant(values.pop()) if len(values) == 1 else found


COUNTED: NodeRule = Rule("all but me", "width(s and indices != indices) is width(s) less my own", "C35", _less_own)
FOUND: NodeRule = Rule("found elsewhere", "any(s and indices != indices) is width(s) > my own", "C35", _found_elsewhere)
