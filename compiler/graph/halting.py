"""Halting: whether a loop may stop as soon as one of the names it carries is True everywhere.

In: any round, over leaves that know their values. Out: whether that is proved.
Invariant: where it is, what the answers are computed from is the same behind all further rounds, so they are as well.

Behind a round, the name holds what a condition C says of the names that were computed with it. Let both be True at all
positions, and let a round then leave every name alone that an answer or C is computed from. Then C is still True behind
it, so the name is, and so on: by induction, no further round changes an answer.

    a, b = b, a % b  while there is a rest; done = b == 0:   where b is 0, a and b stay
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from compiler.graph.domain import Analysis, Setting
from compiler.graph.simplify import simplify
from rasp.meaning.sop import Map, Node, Phi, SOp, reachable, substituted
from rasp.running.loops import Round
from rasp.text.source import RaspError


def is_proved(found: Round, halt: str, leaves: Mapping[Node, Node], outputs: Sequence[SOp], setting: Setting) -> bool:
    """Whether no further round changes an output once what `halt` names is True everywhere, behind a round at least.

    `leaves` are all that the outputs and the condition are computed from, in one round or another."""
    condition = condition_of(found, halt)
    read = set(reachable([*outputs, condition]))
    names = [name for name, phi in found.phis.items() if phi in read]
    same = [Map("==", (found.after[name], found.phis[name])) for name in names]
    made = substituted([*same, condition], leaves)
    try:
        simple = simplify([made[node] for node in (*same, condition)], setting, True)
        held = [simple[made[condition]], leaves[found.phis[halt]]]
        analysis = Analysis(setting, tuple(node for node in held if isinstance(node, SOp)))
        return all(_is_true(simple[made[node]], analysis) for node in same)
    except RaspError:  # too much would have to be tabulated
        return False


def _is_true(node: Node, analysis: Analysis) -> bool:
    return isinstance(node, SOp) and list(analysis.domain(node)) == [True]


def condition_of(found: Round, halt: str) -> SOp:
    """What the name holds behind a round, as a function of what the others hold there; else the name itself."""
    new: dict[Node, Node] = {}
    for name, node in found.after.items():
        if name != halt and node.inputs:
            new[node] = Phi(name, stale=True)
    after = found.after[halt]
    made = substituted([after], new)[after]
    if any(isinstance(node, Phi) and not node.stale for node in reachable([made])):
        return found.phis[halt]
    back: dict[Node, Node] = {phi: found.phis[phi.name] for phi in reachable([made]) if isinstance(phi, Phi)}
    condition = substituted([made], back)[made]
    assert isinstance(condition, SOp)
    return condition
