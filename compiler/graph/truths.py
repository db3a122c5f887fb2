"""Truths: what asks a truth whether it is true is that truth, by rules.

In: a node whose inputs are simplified. Out: an equal node, or None.
Invariant: on every input the node is the same, of the same kind.

    count(tokens == opposite, False)   is   selector_width(select(not (tokens == opposite), True, ==))
"""

from __future__ import annotations

from compiler.graph.known import Known, NodeRule
from compiler.graph.rules import Rule
from rasp.meaning.sop import Constant, Map, Node


def _asked(node: Node, known: Known) -> Node | None:
    match node:
        case Map(op="==" | "!=" as op, args=(truth, Constant(value=wanted)) | (Constant(value=wanted), truth)):
            if wanted in (0, 1) and known.kind(truth) == "bool":
                return truth if bool(wanted) == (op == "==") else Map("not", (truth,))
    return None


RULES: tuple[NodeRule, ...] = (Rule("truth of a truth", "c == True is c, c == False is not c", "C29", _asked),)
