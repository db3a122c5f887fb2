"""Loops: what comes before a loop, one round of it, what comes behind it, each lowered for itself.

In: a `Graph` with a `Loop`. Out: a `Circuit` whose layers are those before the loop, those of a round, which end with
one that carries, and those behind it (C44).
Invariant: a part reads what is embedded, what parts before it have placed and the loop's leaves, where they live; of a
round, nothing else is read behind it.

    before: tokens_int is the column of `cell`;  a round: two heads fetch it, a staircase makes
    `cell.2`, which takes its place;  behind: the output is read where `cell` lives
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

from compiler.circuit.circuit import Carry, Circuit, Repeat
from compiler.circuit.layer import Layer, Neuron
from compiler.circuit.loops import restored, with_carriers
from compiler.graph.loops import Loop
from compiler.graph.specialise import Graph
from compiler.lowering.attention import Operand
from compiler.lowering.builder import Builder
from compiler.lowering.context import Context
from compiler.lowering.names import Names
from compiler.lowering.outputs import output
from compiler.lowering.reader import Reader
from compiler.lowering.variables import readable
from compiler.numbers.direction import Direction, Form
from compiler.numbers.precision import Precision
from rasp.meaning.sop import Aggregate, Node, Phi, SOp, Total, Width, reachable
from rasp.text.source import RaspError


def looped(graph: Graph, loop: Loop, context: Context, precision: Precision) -> Circuit:
    """The circuit of a graph with a loop."""
    names = Names(graph)
    before = Reader(context, Builder(names, precision))
    homes = {phi: _begun(before, phi, first) for phi, first in zip(loop.phis, loop.first, strict=True)}
    _place_unchanging(before, loop)
    seeds = _known(before.operands) | {phi: Operand(Form.of(home), 0, True) for phi, home in homes.items()}
    body = Reader(context, Builder(names, precision, before.builder))
    body.operands |= seeds
    after = [body.read(node).form for node in loop.after]
    behind = Reader(context, Builder(names, precision, before.builder))
    behind.operands |= seeds
    outputs = [output(name, node, context, behind.read) for name, node in graph.outputs.items()]
    layers = [[*reader.builder.layers()] for reader in (before, body, behind)]
    layers[1].append(Layer())
    start, stop = len(layers[0]), len(layers[0]) + len(layers[1])
    numbers = [tuple(context.analysis.domain(phi).numbers) for phi in loop.phis]
    carries = tuple(map(Carry, homes.values(), numbers, after))
    repeat = Repeat(start, stop, loop.rounds, carries, None if loop.halt is None else homes[loop.halt])
    seen = dict(body.operands) | dict(behind.operands)
    variables = [*readable(context, seen)]
    made = before.builder.finished(outputs, variables, None, [one for part in layers for one in part], repeat)
    return restored(with_carriers(made))


def _known(operands: Mapping[SOp, Operand]) -> dict[SOp, Operand]:
    """What was placed before, as a part behind it finds it."""
    return {node: replace(operand, ready=0) for node, operand in operands.items()}


def _begun(reader: Reader, phi: Phi, first: SOp) -> Direction:
    """Where a carried name lives, with what it holds before the first round: embedded, or put there by neurons."""
    builder = reader.builder
    home = builder.direction(phi)
    builder.ranges[home] = reader.context.range(phi)
    held = reader.read(first)
    if not builder.put(home, held.form):
        written = builder.after_mlp(builder.after_offsets(held).ready)
        for sign in (1, -1):
            neuron = Neuron((f"begins {home}",), held.form * sign, ((home, Fraction(sign)),))
            builder.neurons.append((written, neuron))
    return home


def _place_unchanging(before: Reader, loop: Loop) -> None:
    """Place what a round reads and is the same in all of them, if attention is in it; what nobody reads is dropped."""
    nodes = reachable(loop.after)
    changing: set[Node] = set()
    for node in nodes:
        if isinstance(node, Phi) or not changing.isdisjoint(node.inputs):
            changing.add(node)
    readers = [reader for reader in nodes if reader in changing]
    read = {node for reader in readers for node in reader.inputs if node not in changing}
    for node in nodes:
        if node in read and isinstance(node, SOp) and _attends(node, before):
            try:
                before.read(before.context.numbered(node)[1])
            except RaspError:  # a round may need no more than a part of it
                continue


def _attends(node: SOp, before: Reader) -> bool:
    return any(isinstance(var, Width | Total | Aggregate) for var in before.analysis.variables(node))
