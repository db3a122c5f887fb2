"""The plan: what a program costs, in each mode, before a model is made.

In: a graph. Out: `Plan`: RASP's own count of layers and heads, and for each mode the layers, heads, neurons, columns
and parameters of the circuit, and whether it can be certified. Of a program with a source, of both stacks.
Invariant: the numbers are those of the circuits themselves; nothing is estimated by formula.

    mode      layers  with attention  heads  neurons  columns  parameters
    balanced       2               2      2        0        7         350  certified
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from compiler.circuit.certificate import Certificate
from compiler.circuit.circuit import Circuit
from compiler.graph.specialise import Graph
from compiler.lowering import NEURON_BUDGET
from compiler.lowering.build import Built
from rasp.meaning.sop import Aggregate, Encoded, Indices, Node, Select, Selector, SOp, Tokens, Total, Width, reachable
from rasp.text.source import counted


@dataclass(frozen=True)
class Stack:
    """What an encoder, a decoder, or the one stack there is comes to. Heads that cross are heads of the decoder."""

    layers: int
    attention_layers: int
    heads: int
    neurons: int
    columns: int
    parameters: int

    def __str__(self) -> str:
        return (
            f"{self.layers:>6} {self.attention_layers:>15} {self.heads:>6} {self.neurons:>8} "
            f"{self.columns:>8} {self.parameters:>11}"
        )


@dataclass(frozen=True)
class Mode(Stack):
    """What one way to optimise comes to; with an encoder, in the decoder, whose parameters are then its own alone."""

    name: str
    certificate: Certificate
    encoder: Stack | None = None

    def __str__(self) -> str:
        verdict = "certified" if self.certificate.ok else "not certified"
        if self.encoder is None:
            return f"{self.name:<9} {super().__str__()}  {verdict}"
        return f"{self.name:<9} encoder {self.encoder}\n{'':<9} decoder {super().__str__()}  {verdict}"


@dataclass(frozen=True)
class Plan:
    """RASP's count, in which elementwise work is free, beside what each mode needs in a real transformer."""

    rasp_layers: int
    rasp_heads: int
    modes: tuple[Mode, ...]
    early: tuple[str, ...] = ()  # s-ops that take neurons before the first attention, where RASP counts nothing

    def __str__(self) -> str:
        stack = "stack   " if any(mode.encoder is not None for mode in self.modes) else ""
        head = f"mode      {stack}layers  with attention  heads  neurons  columns  parameters"
        layers, heads = counted(self.rasp_layers, "layer"), counted(self.rasp_heads, "head")
        lines = [f"RASP counts {layers} and {heads}; elementwise work is free there", "", head, *map(str, self.modes)]
        if self.early:
            lines += [
                "",
                f"not free here: {', '.join(self.early)}, of token and position together, read by the first attention",
                "(a function of the token alone, or of the position alone, is free; this takes neurons, and a layer)",
            ]
        return "\n".join(lines)


def plan(graph: Graph, build: Callable[[Graph, str], Built]) -> Plan:
    """Build the circuit that each mode would come to, and measure it."""
    of_a_round = {} if graph.loop is None else dict(zip(graph.loop.phis, graph.loop.after, strict=True))
    layers, heads = rasp_count(
        {**graph.outputs, **{f"next {phi}": node for phi, node in of_a_round.items()}},
        {} if graph.encoder is None else graph.encoder.outputs,
    )
    early = [*(() if graph.encoder is None else _early(graph.encoder)), *_early(graph)]
    return Plan(
        layers,
        heads,
        tuple(_measured(name, build(graph, name)) for name in NEURON_BUDGET),
        tuple(dict.fromkeys(early)),
    )


def _early(graph: Graph) -> Iterator[str]:
    """S-ops that a head reads and that no embedding can hold: of token and position, but no sum of one of each."""
    for node in graph.nodes:
        read = node.inputs if isinstance(node, Select) else (node.value,) if isinstance(node, Aggregate | Total) else ()
        for arg in read:
            assert isinstance(arg, SOp)
            variables = {type(variable) for variable in graph.analysis.variables(arg)}
            if variables == {Tokens, Indices} and graph.analysis.linear(arg) is None:
                yield graph.name(arg)


def _measured(name: str, built: Built) -> Mode:
    circuit = built.circuit
    encoder = None if circuit.encoder is None else Stack(**_sizes(circuit.encoder))
    own = _sizes(circuit)
    own["parameters"] -= 0 if encoder is None else encoder.parameters
    return Mode(**own, name=name, certificate=built.certificate, encoder=encoder)


def _sizes(circuit: Circuit) -> dict[str, int]:
    heads = [len(layer.heads) + len(layer.cross) for layer in circuit.layers]
    return {
        "layers": len(circuit.layers),
        "attention_layers": sum(map(bool, heads)),
        "heads": sum(heads),
        "neurons": sum(len(layer.mlp) for layer in circuit.layers),
        "columns": len(set(circuit.columns().values())),
        "parameters": circuit.parameters(),
    }


def rasp_count(outputs: Mapping[str, SOp], encoder: Mapping[str, SOp] | None = None) -> tuple[int, int]:
    """Layers and heads as the paper counts them ("Thinking Like Transformers", section 4): elementwise work is free,
    an aggregate is one layer above its selector's inputs and its value, equal selectors in a layer are one head. What
    is read of the s-ops of an `encoder` is as many layers up as it is there; the heads of both are counted."""
    depth: dict[Node, int] = {}
    heads = 0
    for roots in (encoder or {}, outputs):
        depth, found = _depths(roots.values(), depth)
        heads += len(found)
    return max((depth[node] for node in outputs.values()), default=0), heads


def _depths(roots: Iterable[SOp], below: Mapping[Node, int]) -> tuple[dict[Node, int], set[tuple[int, Selector]]]:
    """The layer of every node, and the selectors of each layer; `below` are those of the encoder."""
    depth: dict[Node, int] = {}
    heads: set[tuple[int, Selector]] = set()
    for node in reachable(roots):
        match node:
            case Encoded(inner):
                depth[node] = below[inner]
            case Aggregate(selector=selector, value=value) | Total(selector=selector, value=value):
                depth[node] = 1 + max(depth[value], depth[selector])
                heads.add((depth[node], selector))
            case Width(selector=selector):
                depth[node] = 1 + depth[selector]
                heads.add((depth[node], selector))
            case _:
                depth[node] = max((depth[arg] for arg in node.inputs), default=0)
    return depth, heads
