"""The graph: the s-ops an output needs, specialised to a setting, simplified, each with its domain.

In: named s-ops of a program and a `Setting`. Out: `Graph`, which `lower` turns into a circuit.
Invariant: on every input of the setting on which the program has an answer, the graph has the same.

    %0     = select(1, 1, ==)
    length = selector_width(%0)  {1, 2, 3}
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

import networkx as nx

from compiler.graph.cases import WIDE
from compiler.graph.domain import Analysis, Setting
from compiler.graph.halves import Half
from compiler.graph.loops import Loop, of_round
from compiler.graph.means import without_means
from compiler.graph.rules import rebuilt
from compiler.graph.simplify import simplify
from rasp.meaning.answers import is_boolean, normalised
from rasp.meaning.interpreter import evaluate
from rasp.meaning.listing import aligned, listed, outline
from rasp.meaning.sop import Aggregate, Constant, Encoded, Node, Phi, SOp, Total, Width, reachable
from rasp.value import Value

Carried: TypeAlias = Mapping[SOp, SOp]
"""What became of s-ops of the encoder that the decoder reads."""
MAX_NAME = 48
"""Longest name made from a node's text, in characters."""
MAX_WRITTEN = 8
"""Most nodes whose text goes into another one's name."""


@dataclass(frozen=True)
class Graph:
    """S-ops and selectors in topological order, with names, domains and the outputs.

    `booleans` are the outputs that the program wrote as bools: what is left of their text here need not say so.
    """

    setting: Setting
    outputs: dict[str, SOp]
    names: dict[Node, str]
    analysis: Analysis
    booleans: frozenset[str] = frozenset()
    origins: Mapping[Node, Node] = field(default_factory=dict)  # what the program wrote, by what stands for it here
    encoder: Graph | None = None
    """What is computed of the source; its outputs are what this graph has as `Encoded` leaves."""
    loop: Loop | None = None
    """The loop that comes before the outputs, which read its leaves as they are behind it."""

    def origin(self, node: Node) -> Node | None:
        """What the program wrote of a node, else of what reads it, else of the nearest one that it is computed from."""
        for current in (node, *self._readers_of(node), *_below(node)):
            if current in self.origins and not isinstance(current, Constant):
                return self.origins[current]
        return None if self.encoder is None else self.encoder.origin(node)

    def _readers_of(self, node: Node) -> list[Node]:
        """What is computed from a node, the nearest first."""
        network = self.network()
        return [] if node not in network else [reader for _, reader in nx.bfs_edges(network, node)]

    def told(self, node: Node) -> str:
        """What a message calls a node: the name, or the text, of what the program wrote of it."""
        written = self.origin(node) or node
        return outline(written, {**{old: self.names[new] for new, old in self.origins.items() if new in self.names}})

    @property
    def nodes(self) -> list[Node]:
        """Every node the outputs need, inputs first."""
        return reachable([*self.outputs.values(), *(() if self.loop is None else self.loop.roots)])

    @property
    def meaning(self) -> dict[str, SOp]:
        """The outputs as the interpreter takes them: all rounds of a loop, one after the other."""
        return self.outputs if self.loop is None else self._unrolled

    @cached_property
    def _unrolled(self) -> dict[str, SOp]:
        assert self.loop is not None
        return self.loop.unrolled(self.outputs)

    def name(self, node: Node) -> str:
        """The node's name in the program, or its text if that is short, or what it is a part of."""
        if node not in self._called:
            self._called[node] = self.names.get(node) or self._described(node)
        return self._called[node]

    @cached_property
    def _called(self) -> dict[Node, str]:
        return {}

    def served(self, node: SOp) -> str | None:
        """The name in the program of the node, or of what it is a part of, or of what it is computed from."""
        near = (node, *self.analysis.variables(node))
        return next((name for one in near if (name := self.names.get(one) or self._owners.get(one))), None)

    def _described(self, node: Node) -> str:
        text = node.written(*(self.names.get(arg) or _brief(arg) for arg in node.inputs))
        text = text[1:-1] if text.startswith("(") and text.endswith(")") else text
        text = text if len(text) <= MAX_NAME else text[: MAX_NAME - 3] + "..."
        if "..." in text and node in self._owners:
            return f"{_kind(node)} {self._owners[node]}"
        return text

    @cached_property
    def _owners(self) -> dict[Node, str]:
        """What a node without a name is for: the name of what is computed from it."""
        owners: dict[Node, str] = {}
        for reader in reversed(self.nodes):
            if name := self.names.get(reader) or owners.get(reader):
                for node in reader.inputs:
                    owners.setdefault(node, name)
        return owners

    def network(self) -> nx.DiGraph[Node]:
        """The graph for networkx: an edge from each input to its user."""
        network: nx.DiGraph[Node] = nx.DiGraph()
        network.add_nodes_from(self.nodes)
        network.add_edges_from((arg, node) for node in self.nodes for arg in node.inputs)
        return network

    def verify(self) -> None:
        """Raise `ValueError` where the nodes are not in topological order or a domain is empty."""
        place = {node: number for number, node in enumerate(self.nodes)}
        for reader, writer in ((b, a) for a, b in self.network().edges):
            if place[writer] >= place[reader]:
                raise ValueError(f"{self.name(reader)} comes before its input {self.name(writer)}")
        for node in self.nodes:
            if isinstance(node, SOp) and not len(self.analysis.domain(node)):
                raise ValueError(f"{self.name(node)} has no possible value")

    def run(self, tokens: Sequence[Value], source: Sequence[Value] | None = None) -> dict[str, list[Value]]:
        """The outputs by the reference interpreter."""
        values = evaluate(list(self.meaning.values()), tokens, causal=self.setting.causal, source=source)
        return {name: self.printed(name, answer) for name, answer in zip(self.outputs, values, strict=True)}

    def printed(self, name: str, values: Iterable[Value]) -> list[Value]:
        """Values of an output in the kinds that the program's own print in."""
        return [normalised(value, name in self.booleans) for value in values]

    def __str__(self) -> str:
        if self.encoder is not None:
            source = str(self.encoder) if self.encoder.outputs else "nothing is read of it"
            return f"of the source:\n{source}\n\nof the target:\n{self._listed()}"
        return self._listed()

    def _listed(self) -> str:
        lines = self.shown()
        texts = aligned([(name, text) for name, text, _ in lines])
        width = max(map(len, texts))
        domains = (self.analysis.domain(node) if isinstance(node, SOp) else "" for _, _, node in lines)
        return "\n".join(f"{text:<{width}}  {domain}".rstrip() for text, domain in zip(texts, domains, strict=True))

    def shown(self) -> list[tuple[str, str, Node]]:
        """The lines of the graph's text, each with its node."""
        carried = {}
        if self.loop is not None:
            pairs = zip(self.loop.phis, self.loop.first, self.loop.after, strict=True)
            carried = {name: node for phi, first, after in pairs for name, node in _carried_names(phi, first, after)}
        return listed({self.names[node]: node for node in self.nodes if node in self.names} | carried | self.outputs)


def _below(node: Node) -> Iterator[Node]:
    """What a node is computed from, the nearest first."""
    todo, seen = deque([node]), {node}
    while todo:
        new = [arg for arg in todo.popleft().inputs if arg not in seen]
        seen.update(new)
        todo += new
        yield from new


def _carried_names(phi: Phi, first: SOp, after: SOp) -> Iterator[tuple[str, SOp]]:
    yield from ((f"first {phi.name}", first), (f"next {phi.name}", after))


def _kind(node: Node) -> str:
    match node:
        case Aggregate():
            return "aggregate in"
        case Width():
            return "selector_width in"
        case Total():
            return "total in"
    return "part of"


def _brief(node: Node) -> str:
    text = str(node) if _is_small(node) else "..."
    return text if len(text) <= MAX_NAME else "..."


def _is_small(node: Node) -> bool:
    """Whether a node is computed from few others; it stops counting where they are many."""
    seen, todo = {node}, [node]
    while todo and len(seen) <= MAX_WRITTEN:
        new = [arg for arg in dict.fromkeys(todo.pop().inputs) if arg not in seen]
        seen.update(new)
        todo += new
    return len(seen) <= MAX_WRITTEN


def _name(kept: dict[Node, str], names: Mapping[Node, str], new: Mapping[Node, Node]) -> None:
    """Give what stands for a named node its name, the first one if there are several."""
    for node, name in names.items():
        if node in new and not isinstance(new[node], Constant):
            kept.setdefault(new[node], name)


@dataclass(frozen=True)
class _Simplified:
    """What the s-ops of a program come to before means become ratios, and what is known of it."""

    new: dict[Node, Node]
    names: dict[Node, str]
    analysis: Analysis
    said: dict[Node, str]
    """What the messages of the analysis call nodes, those of ratios too."""
    encoder: Graph | None = None
    loop: Loop | None = None


def specialise(
    outputs: Mapping[str, SOp],
    names: Mapping[Node, str],
    setting: Setting,
    requires: Sequence[SOp] = (),
    means: int | None = None,
    unsorted: bool = True,
) -> Graph:
    """Specialise and simplify the s-ops of the outputs, for inputs on which the required s-ops are True everywhere.

    A mean of more than `means` values is computed as a ratio, if that is given; what is sorted to be read stays so
    unless it is to be `unsorted`. Raises `RaspError` where there is visibly no input that is meant.
    """
    half = Half(outputs, names, setting, tuple(requires))
    return _of_ratios(_simplified(half, unsorted), half, means)


def _simplified(
    half: Half, unsorted: bool, encoder: Graph | None = None, carried: Carried | None = None, loop: Loop | None = None
) -> _Simplified:
    roots = [*half.outputs.values(), *half.requires, *(() if loop is None else loop.roots)]
    before = _carried(roots, carried or {})
    found = simplify([before[root] for root in roots], half.setting, unsorted)
    new = {old: found[node] for old, node in before.items() if node in found}
    needed = tuple(node for old in half.requires if isinstance(node := new[old], SOp))
    kept: dict[Node, str] = {}
    if encoder is not None:
        kept |= {
            node: f"source[{encoder.name(node.node).removesuffix('@source')}]"
            for node in found.values()
            if isinstance(node, Encoded)
        }
    _name(kept, half.names, new)
    said = dict(kept)
    analysis = Analysis(half.setting, needed, said, None if encoder is None else encoder.analysis)
    analysis.require_inputs()
    return _Simplified(new, kept, analysis, said, encoder, None if loop is None else loop.over(new))


def _carried(roots: Iterable[Node], carried: Carried) -> dict[Node, Node]:
    """The nodes below the roots, over what has become of s-ops of the encoder."""
    new: dict[Node, Node] = {}
    for node in reachable(roots):
        new[node] = Encoded(carried[node.node]) if isinstance(node, Encoded) else rebuilt(node, new)
    return new


def _of_ratios(simple: _Simplified, half: Half, means: int | None, decoded: bool = True) -> Graph:
    new, kept, loop = simple.new, dict(simple.names), simple.loop
    found = {name: node for name, old in half.outputs.items() if isinstance(node := new[old], SOp)}
    if means is not None:
        roots = [*found.values(), *(() if loop is None else loop.roots)]
        ratios = without_means(simple.analysis, means, roots, set(found.values()) if decoded else set())
        new = {old: ratios.get(node, node) for old, node in new.items()}
        loop = None if loop is None else loop.over({node: ratios.get(node, node) for node in loop.roots})
        for rule in WIDE:
            found = {name: node for name, old in half.outputs.items() if isinstance(node := new[old], SOp)}
            again = rule.apply([*found.values(), *(() if loop is None else loop.roots)], simple.analysis)
            new = {old: again.get(node, node) for old, node in new.items()}
            loop = None if loop is None else loop.over({node: again.get(node, node) for node in loop.roots})
        found = {name: node for name, old in half.outputs.items() if isinstance(node := new[old], SOp)}
        for called in (kept, simple.said):
            _name(called, half.names, new)
    booleans = half.booleans
    if booleans is None:
        booleans = frozenset(name for name, old in half.outputs.items() if is_boolean(old))
    origins: dict[Node, Node] = {}
    for old, node in new.items():
        origins.setdefault(node, half.written.get(old, old))
    return Graph(simple.analysis.setting, found, kept, simple.analysis, booleans, origins, simple.encoder, loop)


class Graphs(Sequence[Graph]):
    """The graphs of a program, tried in turn, each made when it is asked for: means as they are, or as ratios.

    In half precision neither a mean of equal numbers nor a search is as sure as a count, so the last one sorts wherever
    the program does. What is known of the s-ops is found once.
    """

    WAYS = ((256, True), (32, True), (1, True), (256, False))
    """A mean of more values is computed as a ratio (C24); whether nothing is sorted to be read (C30)."""

    def __init__(self, half: Half, encoder: Half | None = None) -> None:
        """`encoder` is what is computed of the source, if there is one; the `half` reads it."""
        self.half, self.loop = of_round(half)
        self.encoder = None if encoder is None else Graphs(encoder)
        self._simple: dict[tuple[object, ...], _Simplified] = {}
        self._made: dict[int, Graph] = {}

    def __len__(self) -> int:
        return len(self.WAYS)

    def __getitem__(self, number: int) -> Graph:  # type: ignore[override]
        if number not in range(len(self)):
            raise IndexError(number)
        if number not in self._made:
            self._made[number] = self._make(number, decoded=True)
        return self._made[number]

    def _make(self, number: int, decoded: bool) -> Graph:
        """The graph of a way; of an encoder nothing is `decoded`, or printed."""
        means, unsorted = self.WAYS[number]
        encoder = None if self.encoder is None else self.encoder._make(number, decoded=False)
        carried = {} if self.encoder is None or encoder is None else self.encoder.carried(encoder)
        way = unsorted, *carried.values()
        if way not in self._simple:
            simple = _simplified(self.half, unsorted, encoder, carried, self.loop)
            known = (one for one in self._simple.values() if one.new == simple.new)
            self._simple[way] = next(known, simple)
        return _of_ratios(self._simple[way], self.half, means, decoded)

    def carried(self, graph: Graph) -> Carried:
        """What became of each output."""
        return {old: graph.outputs[name] for name, old in self.half.outputs.items()}
