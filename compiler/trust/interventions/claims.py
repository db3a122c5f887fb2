"""Claims: what a provenance file says of the residual stream, as an intervention needs it.

In: a provenance document, on a `Line`, and the compiled program that it is about. Out: `Claims`: which s-op stands in
which columns from when to when, and which part of the model reads and writes which columns in which step.
Invariants: nothing comes from the weights. The columns of a variable of the program are those that the file lists; only
what has no name in the program, and no list, is known by the circuit alone.

    claims.named["hist"].live(3)  ->  {15, 18, 34}
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

from compiler.circuit.circuit import Circuit
from compiler.circuit.contents import Contents
from compiler.graph.domain import TOKEN
from compiler.graph.specialise import Graph
from compiler.trust.interventions.line import Line
from compiler.trust.interventions.sops import SOps
from rasp.meaning.sop import Node, SOp, Tokens, reachable

CONSTANT = ("one", "bos")
"""The roles of columns that hold the same at every token."""


class Place(NamedTuple):
    """A column that holds what it holds after the steps from `ready` on and before `until`.

    Parts that say different things at different tokens write it from the step `begun` to the step `done`; what comes
    after that, an offset that is taken away, is the same everywhere.
    """

    column: int
    ready: int
    until: int
    begun: int
    done: int

    def there(self, step: int) -> bool:
        """Whether it is there after a step, all of it."""
        return self.ready <= step < self.until

    def touched(self, step: int) -> bool:
        """Whether some of it is there after a step."""
        return self.begun <= step < self.until


@dataclass(frozen=True, eq=False)
class Held:
    """An s-op that stands in the stream, in these places, and can be read after the steps from `step` on.

    `own` are the places of which nothing is listed that is closer: those of ``f(x)`` are listed under x too. Where all
    of `number` are read, they tell its value.
    """

    name: str
    node: SOp
    places: tuple[Place, ...]
    own: tuple[Place, ...]
    number: tuple[Place, ...]
    step: int
    named: bool

    @property
    def until(self) -> int:
        """From this step on it cannot be read any more."""
        return min((place.until for place in self.places if place.until > self.step), default=0)

    def steps(self, line: Line) -> range:
        """The steps after which it can be read, up to the last one of its stream."""
        return range(self.step, min(self.until, line.steps(self.step).stop))

    def live(self, step: int) -> frozenset[int]:
        """The columns that hold it after a step."""
        return frozenset(place.column for place in self.places if place.there(step))


class Read(NamedTuple):
    """The columns that an input reads, and the step after which it reads the stream."""

    columns: frozenset[int]
    seen: int


@dataclass(frozen=True)
class Part:
    """A head, a neuron, an embedding, or an output: what it reads by input, what it writes, and after which step."""

    id: str
    kind: str
    step: int
    reads: Mapping[str, Read]
    writes: frozenset[int]


@dataclass(frozen=True)
class Claims:
    """What the file says, with the s-ops that it speaks of."""

    sops: SOps
    line: Line
    parts: list[Part]
    held: list[Held]

    @staticmethod
    def of(line: Line, sops: SOps, circuit: Circuit) -> Claims:
        """What a document says of the model of a circuit."""
        parts = [_part(node, line) for node in line.all("nodes")]
        circuits = [circuit] if circuit.encoder is None else [circuit.encoder, circuit]
        held: list[Held] = []
        for document, graph, one in zip(line.parts, sops.graphs, circuits, strict=True):
            found = _Reader(document, graph, one, parts).held()
            held += (replace(each, node=sops.placed(each.node, graph)) for each in found)
        return Claims(sops, line, parts, held)

    @cached_property
    def named(self) -> dict[str, Held]:
        """The variables of the program, by name."""
        return {held.name: held for held in self.held if held.named}

    @cached_property
    def by_node(self) -> dict[SOp, Held]:
        """What is held of an s-op."""
        return {held.node: held for held in self.held}

    @cached_property
    def listing(self) -> dict[int, list[Place]]:
        """What is held in each column, one after the other or side by side."""
        found: dict[int, list[Place]] = {}
        for held in self.held:
            for place in held.places:
                found.setdefault(place.column, []).append(place)
        return found

    def writers(self, held: Held) -> list[Part]:
        """The parts that write its own columns."""
        return [
            part
            for part in self.parts
            if any(place.begun <= part.step <= place.done and place.column in part.writes for place in held.own)
        ]


def _part(node: Mapping[str, Any], line: Line) -> Part:
    reads = {
        letter: Read(frozenset(data["columns"]), line.seen(node, letter)) for letter, data in node["inputs"].items()
    }
    constant = node["kind"] == "neuron" and not reads["in"].columns
    writes = frozenset() if constant else frozenset(node["output"]["columns"])
    return Part(node["id"], node["kind"], node["step"], reads, writes)


class _Reader:
    """Reads what is held in a stream from what a document says of it, on the line."""

    def __init__(self, document: Mapping[str, Any], graph: Graph, circuit: Circuit, parts: list[Part]) -> None:
        self.document = document
        self.graph = graph
        self.contents = Contents(graph, circuit.titles)
        self.nodes = set(graph.nodes)
        self.by_name = {str(direction): direction for direction in circuit.directions()}
        self.written: dict[str, tuple[int, int]] = {}
        steps = {part.id: part.step for part in parts}
        self.tenants: dict[int, list[Mapping[str, Any]]] = {}
        for tenant in document["directions"]:
            if tenant["role"] not in CONSTANT:
                self.tenants.setdefault(tenant["column"], []).append(tenant)
                at = sorted(steps[node] for node in tenant["nodes"]) or [tenant["step"]]
                self.written[tenant["name"]] = at[0], at[-1]

    def held(self) -> Iterator[Held]:
        """The variables that are listed, then what has no name."""
        names = self.graph.names
        nodes = {names[node]: node for node in self.graph.nodes if node in names and isinstance(node, SOp)}
        variables = [data for data in self.document["variables"] if data["name"] in nodes]
        listed = {data["name"]: self._places(data["columns"]) for data in variables}
        for data in variables:
            name = data["name"]
            node, places = nodes[name], listed[name]
            others = [theirs for other, theirs in listed.items() if _is_above(node, nodes[other])]
            nearer = {place for theirs in others for place in theirs}
            own = tuple(place for place in places if place not in nearer)
            number = self._places(self._read(data))
            yield Held(name, node, (*places, *number), own, number, data["step"], True)
        yield from self._unnamed()

    def _read(self, data: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        """The tenants of the columns that a variable is read from as a number."""
        for term in [*data["read"], *data["over"]]:
            for tenant in self.tenants.get(term["column"], ()):
                if tenant["step"] <= data["step"] < tenant["until"]:
                    yield tenant

    def _places(self, data: Iterable[Mapping[str, Any]]) -> tuple[Place, ...]:
        return tuple(self._place(place) for place in data if place["column"] in self.tenants)

    def _place(self, place: Mapping[str, Any]) -> Place:
        """What is in a column from a step on, whoever lists it."""
        tenants = self.tenants[place["column"]]
        same = next((tenant for tenant in tenants if tenant["step"] == place["step"]), tenants[0])
        return Place(place["column"], place["step"], place["until"], *self.written[same["name"]])

    def _unnamed(self) -> Iterator[Held]:
        """What stands in columns of no variable of the program: results of attention, functions of two things."""
        found: dict[SOp, list[Place]] = {}
        for tenant in (tenant for tenants in self.tenants.values() for tenant in tenants):
            node = self._nameless(tenant["name"])
            if node is not None:
                found.setdefault(node, []).append(self._place(tenant))
        for node, places in found.items():
            step = min(place.ready for place in places)
            yield Held(self.graph.name(node), node, tuple(places), tuple(places), (), step, False)

    def _nameless(self, name: str) -> SOp | None:
        """What a direction holds a function of, if that has no name: an s-op of the graph, or what stands there."""
        direction = self.by_name[name]
        statements = self.contents.of(direction).statements
        if any(statement.named for statement in statements):
            return None
        of = [statement.sop for statement in statements]
        return next((node for node in of if node in self.nodes), of[0] if of else direction.holds)


def _is_above(one: Node, other: Node) -> bool:
    """Whether another s-op is computed from one; every conversion of the token from its text."""
    if one is TOKEN and isinstance(other, Tokens):
        return one is not other
    return one is not other and one in set(reachable([other]))
