"""Pushed: a function of what heads picked is moved to the keys and picked instead (C7).

In: an s-op computed from aggregates of one selector, each of which picks one of the selected values. Out: an aggregate
of that selector with the function at the keys, which needs no neuron.
Invariants: on every input with an answer, the new aggregate is the s-op. Whether it selects one key is noted of it,
unless it is known already: others may ask for the same aggregate, and have an answer where this one has none.

    aggregate(s, tokens) == "a"   is   aggregate(s, tokens == "a")
"""

from __future__ import annotations

from compiler.graph.simplify import rebuilt
from compiler.lowering.context import Context
from compiler.lowering.names import Names
from rasp.meaning.sop import Aggregate, Constant, Lookup, Map, Node, SOp, reachable


def pushed(node: SOp, context: Context, names: Names) -> SOp | None:
    """A function of values picked by one selector is the pick of the function's value."""
    analysis = context.analysis
    variables = analysis.variables(node)
    picks = [var for var in variables if isinstance(var, Aggregate) and analysis.picks(var)]
    if len(picks) < len(variables) or len({pick.selector for pick in picks}) != 1:
        return None
    at_key = _substituted(node, {pick: pick.value for pick in picks})
    if not context.numeric(at_key):  # some keys are picked on no input that is meant, and what they have is no number
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
