"""Lowering: gives every s-op that is needed a place in the residual stream, on demand, as early as possible.

In: a `Graph`. Out: a `Circuit`. Going back from the outputs, each numeric s-op becomes an `Operand`: a linear form, a
column of the embedding, a channel of a head, or neurons, whichever is the cheapest that applies:

1. a function of the token alone, or of the position alone, is written by the embedding (C7);
2. a linear form of operands is only another reading matrix (C7);
3. a count is a "sum" head, an aggregate a "mean" head (C1, C6); heads that select alike are one head;
4. a function of what heads picked is pushed to the keys and picked instead (C7);
5. anything else is a staircase of neurons over one number (C8), or one neuron for an `and`.

Invariant: operands are exact in exact arithmetic; an operand that is ready at time t is read at later times only.

Where to look: `reader` (1, 2, and who is asked for the rest), `heads` and `counting` (3), `rewrites` (4), `neurons`,
which chooses between `staircases` over `pivots` and the `operations`: choices, products, `gates`, `logic` (5). All of
them ask the `context` what is wanted and known, and place things in the `builder`, called as `names` says. `outputs`
and `variables` are what is read off in the end; `policy` is what can be done against rounding, and `build` tries what
can be done until a circuit is certified.

    >>> from compiler.graph.domain import Setting
    >>> from compiler.graph.specialise import specialise
    >>> from rasp.meaning.sop import Constant, Indices, Map
    >>> print(lower(specialise({"double": Map("*", (Indices(), Constant(2)))}, {}, Setting(("a",), 3, causal=False))))
    embedding: indices = [0, 1, 2] by position
    output double: nearest to 2 indices of 3 values
"""

from __future__ import annotations

from compiler.circuit.circuit import Circuit
from compiler.graph.specialise import Graph
from compiler.lowering.builder import Builder
from compiler.lowering.context import NEURON_BUDGET, Context
from compiler.lowering.loops import looped
from compiler.lowering.names import Names
from compiler.lowering.outputs import output
from compiler.lowering.policy import DEFAULT_POLICY, Policy, policies
from compiler.lowering.reader import Reader
from compiler.lowering.variables import readable
from compiler.numbers.precision import FLOAT32, Precision

__all__ = ["NEURON_BUDGET", "Policy", "lower", "policies"]


def lower(
    graph: Graph, optimize: str = "balanced", policy: Policy = DEFAULT_POLICY, precision: Precision = FLOAT32
) -> Circuit:
    """Build the circuit of a graph. `optimize` is one of "depth", "balanced", "size"."""
    if graph.loop is not None:
        return looped(graph, graph.loop, Context(graph, optimize, policy, precision), precision)
    encoder = None if graph.encoder is None else _reader(graph.encoder, optimize, policy, precision)
    reader = _reader(graph, optimize, policy, precision, encoder)
    outputs = [output(name, node, reader.context, reader.read) for name, node in graph.outputs.items()]
    made = None if encoder is None else encoder.builder.finished((), [*readable(encoder.context, encoder.operands)])
    return reader.builder.finished(outputs, [*readable(reader.context, reader.operands)], made)


def _reader(graph: Graph, optimize: str, policy: Policy, precision: Precision, encoder: Reader | None = None) -> Reader:
    """What places the s-ops of a graph, behind what places those of the source."""
    return Reader(Context(graph, optimize, policy, precision), Builder(Names(graph), precision), encoder)
