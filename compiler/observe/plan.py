"""The plan: what a program costs, in each mode, before a model is made.

In: a graph. Out: `Plan`: RASP's own count of layers and heads, and for each mode the layers, heads, neurons, columns
and parameters of the circuit, and whether it can be certified.
Invariant: the numbers are those of the circuits themselves; nothing is estimated by formula.

    mode      layers  with attention  heads  neurons  columns  parameters
    balanced       2               2      2        0        7         350  certified
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from compiler.circuit.certificate import Certificate
from compiler.graph.specialise import Graph
from compiler.lowering import NEURON_BUDGET
from compiler.lowering.build import Built
from rasp.meaning.sop import Aggregate, Indices, Node, Select, Selector, SOp, Tokens, Total, Width, reachable
from rasp.text.source import counted


@dataclass(frozen=True)
class Mode:
    """What one way to optimise comes to."""

    name: str
    layers: int
    attention_layers: int
    heads: int
    neurons: int
    columns: int
    parameters: int
    certificate: Certificate

    def __str__(self) -> str:
        verdict = "certified" if self.certificate.ok else "not certified"
        return (
            f"{self.name:<9} {self.layers:>6} {self.attention_layers:>15} {self.heads:>6} {self.neurons:>8} "
            f"{self.columns:>8} {self.parameters:>11}  {verdict}"
        )


@dataclass(frozen=True)
class Plan:
    """RASP's count, in which elementwise work is free, beside what each mode needs in a real transformer."""

    rasp_layers: int
    rasp_heads: int
    modes: tuple[Mode, ...]
    early: tuple[str, ...] = ()  # s-ops that take neurons before the first attention, where RASP counts nothing

    def __str__(self) -> str:
        head = "mode      layers  with attention  heads  neurons  columns  parameters"
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
    layers, heads = rasp_count(graph.outputs)
    return Plan(
        layers,
        heads,
        tuple(_measured(name, build(graph, name)) for name in NEURON_BUDGET),
        tuple(dict.fromkeys(_early(graph))),
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
    return Mode(
        name,
        layers=len(circuit.layers),
        attention_layers=sum(1 for layer in circuit.layers if layer.heads),
        heads=sum(len(layer.heads) for layer in circuit.layers),
        neurons=sum(len(layer.mlp) for layer in circuit.layers),
        columns=len(set(circuit.columns().values())),
        parameters=circuit.parameters(),
        certificate=built.certificate,
    )


def rasp_count(outputs: Mapping[str, SOp]) -> tuple[int, int]:
    """Layers and heads as the paper counts them ("Thinking Like Transformers", section 4): elementwise work is free,
    an aggregate is one layer above its selector's inputs and its value, equal selectors in a layer are one head."""
    depth: dict[Node, int] = {}
    heads: set[tuple[int, Selector]] = set()
    for node in reachable(outputs.values()):
        below = max((depth[arg] for arg in node.inputs), default=0)
        match node:
            case Aggregate(selector=selector, value=value) | Total(selector=selector, value=value):
                depth[node] = 1 + max(depth[value], depth[selector])
                heads.add((depth[node], selector))
            case Width(selector=selector):
                depth[node] = 1 + depth[selector]
                heads.add((depth[node], selector))
            case _:
                depth[node] = below
    return max((depth[node] for node in outputs.values()), default=0), len(heads)
