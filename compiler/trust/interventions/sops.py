"""The s-ops of a compiled program, as the interpreter takes them, and what the compiler knows of each.

In: a graph, whose encoder has a graph of its own where the program reads a source. Out: `SOps`, one world of both.
Invariants: of one tape an s-op is the graph's. Of two tapes every leaf names its tape, as in `rasp.meaning.tapes`: what
cross-attention reads is the encoder's s-op itself, so that what is computed from what can be followed across.

    source[place] in the decoder's graph is `place` in the encoder's, which is computed from source_str
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, NamedTuple, TypeVar, cast

from compiler.graph.domain import LENGTH, Analysis
from compiler.graph.rules import rebuilt
from compiler.graph.specialise import Graph
from rasp.meaning.sop import Aggregate, Encoded, Indices, Node, Selector, SOp, Tokens, Total, Width, reachable
from rasp.meaning.tapes import Instance, Instances
from rasp.value import Value

AnyNode = TypeVar("AnyNode", bound=Node)


class Claim(NamedTuple):
    """What the compiler takes for granted of the rows that a count or an aggregate sees."""

    selector: Selector
    never_empty: bool
    at_most_one: bool
    agree: SOp | None = None
    """What all selected keys have one value of, if anything."""

    def holds(self, row: int, values: Sequence[Value] = ()) -> bool:
        """Whether it is true of a row, where keys have these values."""
        if (self.never_empty and not row) or (self.at_most_one and row & (row - 1)):
            return False
        return len({value for key, value in enumerate(values) if row >> key & 1}) <= 1


class SOps:
    """The s-ops and selectors of a graph and of its encoder's."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.graphs = [graph] if graph.encoder is None else [graph.encoder, graph]
        self._instances = Instances()
        self._split: dict[tuple[bool, Node], Node] = {}
        self._from: dict[Node, tuple[Graph, Node]] = {}
        self.nodes = list(dict.fromkeys(self.placed(node, one) for one in self.graphs for node in one.nodes))

    @property
    def outputs(self) -> dict[str, SOp]:
        """What is decoded."""
        return {name: self.placed(node) for name, node in self.graph.outputs.items()}

    @cached_property
    def requires(self) -> list[SOp]:
        """What is True everywhere on every input that is meant."""
        return [self.placed(node, one) for one in self.graphs for node in one.analysis.requires]

    @cached_property
    def conversions(self) -> list[Tokens]:
        """The inputs' elements, as the program converts them."""
        return [node for node in self.nodes if isinstance(node, Tokens)]

    @cached_property
    def places(self) -> list[SOp]:
        """How long a tape is, and the positions on it, of each."""
        return [self.placed(node, one) for one in self.graphs for node in (LENGTH, Indices())]

    def name(self, node: Node) -> str:
        """What a node is called."""
        graph, own = self._found(node)
        return graph.name(own)

    def variables(self, node: SOp) -> tuple[SOp, ...]:
        """What an s-op is computed from, position by position."""
        graph, own = self._found(node)
        return tuple(self.placed(one, graph) for one in graph.analysis.variables(cast(SOp, own)))

    def domain(self, node: SOp) -> Iterable[Value]:
        """The values that an s-op can have."""
        graph, own = self._found(node)
        return graph.analysis.domain(cast(SOp, own))

    def is_place(self, node: Node) -> bool:
        """Whether it is the position, or the length, of a tape."""
        return isinstance(node, Indices) or self._found(node)[1] is LENGTH

    def claims(self, node: Node) -> Iterator[Claim]:
        """What is claimed of the rows that a node sees."""
        graph, own = self._found(node)
        if isinstance(own, Aggregate | Total | Width):
            for claim in _claims(own, graph.analysis):
                agree = None if claim.agree is None else self.placed(claim.agree, graph)
                yield claim._replace(selector=self.placed(claim.selector, graph), agree=agree)

    def placed(self, node: AnyNode, graph: Graph | None = None) -> AnyNode:
        """A node of a graph, or one that is made on the way to its circuit, as the interpreter takes it."""
        if self.graph.encoder is None:
            return node
        of = graph or self.graph
        on_source = of is self.graph.encoder
        made = self._placed(self._joined(node, on_source), on_source)
        self._remember(made, of, node)
        return cast(AnyNode, made)

    def _joined(self, root: Node, on_source: bool) -> Node:
        """A node whose leaves on the source are those of the source, wherever it reads them."""
        new: dict[Node, Node] = {}
        for node in reachable([root]):
            if (on_source, node) not in self._split:
                match node:
                    case Encoded(inner):
                        made: Node = self._placed(self._joined(inner, True), True)
                    case Tokens() if on_source:
                        made = replace(node, tape="source")
                    case _:
                        made = rebuilt(node, new)
                self._split[on_source, node] = made
            new[node] = self._split[on_source, node]
        return new[root]

    def _placed(self, node: Node, on_source: bool) -> Any:
        if not on_source:
            return self._instances.of(node)
        if isinstance(node, Selector):
            return self._instances._read(Instance(node, "source", "source"))
        return self._instances.on("source", cast(SOp, node))

    def _remember(self, made: Node, graph: Graph, node: Node) -> None:
        """Of what in which graph a node and all that it is computed from are readings."""
        todo = [(made, graph, node)]
        while todo:
            made, graph, node = todo.pop()
            if made in self._from:
                continue
            if isinstance(node, Encoded):
                assert graph.encoder is not None
                graph, node = graph.encoder, node.node
            self._from[made] = graph, node
            todo += [(one, graph, other) for one, other in zip(made.inputs, node.inputs, strict=True)]

    def _found(self, node: Node) -> tuple[Graph, Node]:
        return self._from.get(node, (self.graph, node))


def _claims(node: Aggregate | Total | Width, analysis: Analysis) -> Iterator[Claim]:
    for case in analysis.disjuncts(node.selector):
        yield Claim(case.selector(), analysis.surely_matches(case), analysis.unique(case))
    if isinstance(node, Aggregate):
        one = analysis.selects_one(node)
        yield Claim(node.selector, False, one, None if one or not analysis.picks(node) else node.value)
