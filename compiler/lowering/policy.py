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
from rasp.meaning.operators import PREDICATES
from rasp.meaning.sop import Encoded, Lookup, Map, Node, Select, Total, Width


class Policy(NamedTuple):
    """What is done against rounding, at a price."""

    whole: bool = False
    """Counts are rounded to whole numbers as they are added to the stream, at a neuron a layer (C19)."""
    ranked: bool = False
    """Outputs are decoded from the ranks of their values, which are whole numbers, at a neuron a value (C10)."""
    coarse: bool = False
    """Staircases whose sums would be too fine to be exact rise in steps alone, so that all their slopes are multiples
    of (grid of y) / (grid of x), at up to a neuron a value (C8)."""
    tabled: bool = False
    """Outputs are decoded from the whole numbers that they are computed from, at a row of the unembedding for each
    joint value of these (C10)."""

    running: bool = False
    """The last of several keys is found by its running number, as the program says, at a layer or two (C43)."""

    @property
    def is_last(self) -> bool:
        """Whether it is for what nothing else is certified for, since it may take much more."""
        return self.coarse or self.tabled


DEFAULT_POLICY = Policy()


def policies(graph: Graph, precision: Precision) -> tuple[Policy, ...]:
    """What to try, in order: rounding at once where counts are computed with, else if need be; ranks, then
    coarse staircases, and tables in the end.

    A sum or difference of counts that is only decoded, or compared with what is no count, can do without.
    """
    if not precision.counts_need_offset:
        return Policy(), Policy(ranked=True), Policy(coarse=True), *_tabled(graph, False)
    readers = _readers_of_counts(graph)
    do_without = all(counts == 1 and isinstance(node, Select) for node, counts in readers)
    wholes = (False, True) if do_without else (True, False)
    made = *map(Policy, wholes), Policy(whole=True, ranked=True), Policy(whole=True, coarse=True)
    return *made, *_tabled(graph, True)


def _tabled(graph: Graph, whole: bool) -> tuple[Policy, ...]:
    """The policy that helps outputs which are computed from others, if there are some."""
    computed = any(isinstance(node, Map | Lookup) for node in graph.outputs.values())
    return (Policy(whole=whole, tabled=True),) if computed else ()


def only_compared(graph: Graph) -> bool:
    """Whether all that reads counts compares one of them, or a sum or difference of some, with what is none."""
    return all(counts == 1 and _compares(node) for node, counts in _readers_of_counts(graph))


def _readers_of_counts(graph: Graph) -> list[tuple[Node, int]]:
    """Whatever reads counts, or their sums and differences, and is none of these, with the number of those it reads."""
    nodes = [*(graph.encoder.nodes if graph.encoder is not None else ()), *graph.nodes]
    counts: set[Node] = set()
    for node in nodes:  # inputs come first
        added = isinstance(node, Map) and summands(node) is not None and counts.intersection(node.inputs)
        if isinstance(node, Width | Total) or added or (isinstance(node, Encoded) and node.node in counts):
            counts.add(node)
    readers = [node for node in nodes if counts.intersection(node.inputs) and node not in counts]
    return [(node, sum(one in counts for one in node.inputs)) for node in readers]


def _compares(node: Node) -> bool:
    return isinstance(node, Select) or (isinstance(node, Map) and node.op in PREDICATES)
