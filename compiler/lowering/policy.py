"""Policy: what is done against rounding, at a price, and in which order it is tried.

In: a graph and an arithmetic. Out: `Policy`s; the first whose circuit can be certified is taken.
Invariant: a policy changes how numbers are held, never which numbers they are in exact arithmetic.

    sort, in float32:   Policy(), Policy(whole=True), Policy(whole=True, ranked=True), Policy(whole=True, coarse=True)
    sort, in bfloat16:  Policy(), Policy(ranked=True), Policy(coarse=True)
"""

from __future__ import annotations

from typing import NamedTuple

from compiler.graph.domain import summands
from compiler.graph.specialise import Graph
from compiler.numbers.precision import Precision
from rasp.meaning.sop import Encoded, Map, Node, Select, Total, Width


class Policy(NamedTuple):
    """What is done against rounding, at a price."""

    whole: bool = False
    """Counts are rounded to whole numbers as they are added to the stream, at a neuron a layer (C19)."""
    ranked: bool = False
    """Outputs are decoded from the ranks of their values, which are whole numbers, at a neuron a value (C10)."""
    coarse: bool = False
    """Staircases whose sums would be too fine to be exact rise in steps alone, at up to a neuron a value (C8)."""


DEFAULT_POLICY = Policy()


def policies(graph: Graph, precision: Precision) -> tuple[Policy, ...]:
    """What to try, in order: rounding at once where counts are computed with, else if need be; ranks in the end.

    A sum or difference of counts that is only decoded, or compared with what is no count, can do without.
    """
    if not precision.counts_need_offset:
        return Policy(), Policy(ranked=True), Policy(coarse=True)
    nodes = [*(graph.encoder.nodes if graph.encoder is not None else ()), *graph.nodes]
    counts: set[Node] = set()
    for node in nodes:  # inputs come first
        added = isinstance(node, Map) and summands(node) is not None and counts.intersection(node.inputs)
        if isinstance(node, Width | Total) or added or (isinstance(node, Encoded) and node.node in counts):
            counts.add(node)
    readers = [node for node in nodes if counts.intersection(node.inputs) and node not in counts]
    compared = [node for node in readers if isinstance(node, Select) and sum(x in counts for x in node.inputs) == 1]
    wholes = (False, True) if len(compared) == len(readers) else (True, False)
    return *map(Policy, wholes), Policy(whole=True, ranked=True), Policy(whole=True, coarse=True)
