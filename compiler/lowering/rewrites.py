"""Rewrites: s-ops that are lowered as others, by rules (C29): what they become depends on how they are lowered.

In: an s-op, and what is known while it is lowered. Out: an equal one, which is read instead.
Invariant: on every input with an answer, the new s-op is the old one.

    aggregate(s, tokens) == "a"   is   aggregate(s, tokens == "a"), pushed to the keys
    (a if c else b) % 3           is   a % 3 if c else b % 3
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

from compiler.graph.rules import Rule, rebuilt
from compiler.lowering.context import Context
from compiler.lowering.names import Names
from compiler.lowering.pivots import Pivots
from rasp.meaning.sop import Aggregate, Constant, Lookup, Map, Node, SOp, reachable


@dataclass(frozen=True)
class Facts:
    """What the rules may ask."""

    context: Context
    names: Names
    pivots: Pivots
    distributed: dict[Node, Map] = field(default_factory=dict)
    """Functions of a choice, distributed over its branches once: choices inside each other ask again."""


def replaced(node: SOp, rule: Rule[[Node, Facts], Node | None], facts: Facts) -> SOp | None:
    """What a rule makes of an s-op."""
    found = rule.apply(node, facts)
    return found if isinstance(found, SOp) else None


# -- what heads pick -------------------------------------------------------------------------------------------------


def _pushed(node: Node, facts: Facts) -> Node | None:
    """The function goes to the keys. That the new aggregate selects one key, or not, is noted when it is first made.

    The same aggregate may be there already: written by the program, or made for another s-op, which has an answer on
    other inputs. It may select one key on those, and several on these; then the function stays where it is.
    """
    if not isinstance(node, SOp):
        return None
    context, names = facts.context, facts.names
    analysis = context.analysis
    variables = analysis.variables(node)
    picks = [var for var in variables if isinstance(var, Aggregate) and analysis.picks(var)]
    if len(picks) < len(variables) or len({pick.selector for pick in picks}) != 1:
        return None
    at_key = _substituted(node, {pick: pick.value for pick in picks})
    if not context.all_numeric(at_key):  # keys that no input that is meant picks may have what is no number
        return None
    empty = analysis.table(_substituted(node, {pick: Constant(pick.default) for pick in picks}))
    default = next((value for _, value in empty if not isinstance(value, str)), 0)  # else no such row has an answer
    found = Aggregate(picks[0].selector, at_key, default)
    one = any(map(analysis.selects_one, picks))
    if found not in context.own and not analysis.is_made(found):
        analysis.made(found, one)
    elif analysis.selects_one(found) and not one:
        return None
    names.stands(found, node)
    return found


def _substituted(node: SOp, new: dict[SOp, SOp]) -> SOp:
    """The elementwise part of the s-op over other variables."""
    found: dict[Node, Node] = {old: new[old] for old in new}
    for current in reachable([node]):
        if current not in found:
            found[current] = rebuilt(current, found) if isinstance(current, Map | Lookup) else current
    result = found[node]
    assert isinstance(result, SOp)
    return result


def default_number(node: Aggregate, context: Context) -> int | Fraction:
    """What an empty row gets. Where the default is not in the domain, no row is empty, and 0 will do."""
    found = node.default
    return 0 if isinstance(found, str) or found not in context.analysis.domain(node).values else found


def _any_case(node: Node, facts: Facts) -> Node | None:
    """A constant where any case selects something, the default elsewhere."""
    if not isinstance(node, Aggregate):
        return None
    cases, values = facts.context.analysis.disjuncts(node.selector), facts.context.analysis.domain(node.value).values
    if len(cases) < 2 or len(values) != 1:
        return None
    found: SOp = Constant(False)
    for case in cases:
        count = Aggregate(case.selector(), Constant(1), 0)
        found = Map("or", (found, Map(">", (count, Constant(0)))))
    return Map("if", (found, Constant(values[0]), Constant(default_number(node, facts.context))))


# -- choices -----------------------------------------------------------------------------------------------------------


def _distributed(node: Node, facts: Facts) -> Node | None:
    choice = choice_in(node, facts) if isinstance(node, SOp) else None
    return None if choice is None else distribute(node, choice, facts)


def choice_in(node: SOp, facts: Facts) -> Map | None:
    """The choice that the s-op is a function of, if that is so."""
    choices = (inner for inner in facts.pivots.links(node) if isinstance(inner, Map) and inner.op == "if")
    return next(choices, None)


def distribute(node: Node, choice: Map, facts: Facts) -> Map:
    """A function of a choice as a choice between the function's values."""
    if node not in facts.distributed:
        condition, a, b = choice.args
        facts.distributed[node] = Map("if", (condition, *(_on_branch(node, choice, side, facts) for side in (a, b))))
    return facts.distributed[node]


def _on_branch(node: Node, choice: SOp, branch: SOp, facts: Facts) -> SOp:
    new: dict[Node, Node] = {choice: branch}
    for current in reachable([node]):
        if current not in new:
            made = rebuilt(current, new) if isinstance(current, Map | Lookup) else current
            new[current] = (
                _looked_up(made, made.arg, facts) if made is not current and isinstance(made, Lookup) else made
            )
    result = new[node]
    assert isinstance(result, SOp)
    return result


def _looked_up(node: Lookup, branch: SOp, facts: Facts) -> SOp:
    """The table on one branch of a choice. What it lacks can only occur while the other branch is taken."""
    entries = dict(node.table)
    some = node.table[0][1]
    domain = facts.context.analysis.domain(branch)
    return Lookup(tuple((value, entries.get(value, some)) for value in domain), branch)


PUSHED = Rule("function of what is picked", "f(aggregate(s, v, d)) is aggregate(s, f(v), f(d))", "C7", _pushed)
ANY_CASE = Rule("search in several cases", "aggregate(s or t, c, d) is c if any(s) or any(t) else d", "C16", _any_case)
DISTRIBUTED = Rule("function of a choice", "f(a if c else b) is f(a) if c else f(b)", "C9", _distributed)
RULES = (PUSHED, ANY_CASE, DISTRIBUTED)
