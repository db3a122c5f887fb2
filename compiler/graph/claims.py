"""Claims: what the analysis says of s-ops and selectors, in a form that a run of the interpreter can refute.

In: a `Graph` and inputs. Out: its `Claim`s, and the first of them that an input refutes, with that input.
Invariant: a claim is about every input of the setting on which the program has an answer; nothing that is built on the
analysis is better founded than they are. S-ops that a compilation made on the way are claimed about too. The graph of a
decoder is claimed about on targets with their sources, that of its encoder on sources alone.

    `indices` is one of {0, 1, 2}
    select(indices, length - 1 - indices, ==) selects a key in every row, and never two
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from compiler.graph.domain import Domain
from compiler.graph.loops import Loop
from compiler.graph.specialise import Graph
from compiler.numbers.exact import as_value
from rasp.meaning.inputs import Places
from rasp.meaning.interpreter import Run
from rasp.meaning.listing import outline
from rasp.meaning.sop import Aggregate, Constant, Node, Or, Select, Selector, SOp, reachable, substituted
from rasp.text.source import RaspError
from rasp.value import Value

FIRST_ROUNDS = 4
"""Rounds of a loop of whose beginning the claims are tried, beside the last one's end."""


class Seen:
    """What a claim looks at on one input of a run: the values of s-ops, and which keys each row selects, as bits."""

    def __init__(self, run: Run, number: int) -> None:
        self.run = run
        self.number = number

    def values(self, node: SOp) -> list[Value]:
        """The values of an s-op at all positions of the tape that it stands on."""
        return self.run.values[node][self.run.places(node).parts[self.number]]

    def rows(self, selector: Selector) -> list[int]:
        """The rows of a selector; in a causal setting without the future."""
        _, queries = self.run.sides(selector)
        return self.run.seen(selector)[queries.parts[self.number]]


@dataclass(frozen=True)
class Within:
    """The s-op has no value outside of its domain."""

    node: SOp
    domain: Domain

    @property
    def about(self) -> tuple[Node, ...]:
        """What has to be known."""
        return (self.node,)

    def holds(self, seen: Seen) -> bool:
        """Whether it is so on an input."""
        return set(seen.values(self.node)) <= self.domain.members

    def said(self, names: Mapping[Node, str]) -> str:
        """The claim in words."""
        return f"`{outline(self.node, names)}` is one of {self.domain}"


@dataclass(frozen=True)
class Selects:
    """Every row of the selector selects so many keys: at least, at most."""

    selector: Selector
    least: int
    most: int | None

    @property
    def about(self) -> tuple[Node, ...]:
        """What has to be known."""
        return (self.selector,)

    def holds(self, seen: Seen) -> bool:
        """Whether it is so on an input."""
        counts = {row.bit_count() for row in seen.rows(self.selector)}
        return min(counts) >= self.least and (self.most is None or max(counts) <= self.most)

    def said(self, names: Mapping[Node, str]) -> str:
        """The claim in words."""
        keys = {0: "at most one key", 1: "one key" if self.most else "a key"}[self.least]
        return f"`{outline(self.selector, names)}` selects {keys} in every row"


@dataclass(frozen=True)
class Agree:
    """All keys that a row of the selector selects have one value of the s-op."""

    selector: Selector
    node: SOp

    @property
    def about(self) -> tuple[Node, ...]:
        """What has to be known."""
        return self.selector, self.node

    def holds(self, seen: Seen) -> bool:
        """Whether it is so on an input."""
        values = seen.values(self.node)
        masks: dict[Value, int] = {}
        for at, value in enumerate(values):
            masks[value] = masks.get(value, 0) | 1 << at
        return all(sum(row & mask != 0 for mask in masks.values()) <= 1 for row in set(seen.rows(self.selector)))

    def said(self, names: Mapping[Node, str]) -> str:
        """The claim in words."""
        return (
            f"all keys that a row of `{outline(self.selector, names)}` selects agree on `{outline(self.node, names)}`"
        )


@dataclass(frozen=True)
class AtEnd:
    """Every row of the selector selects the last, or the first, of the keys that another one selects there."""

    selector: Selector
    among: Selector
    first: bool

    @property
    def about(self) -> tuple[Node, ...]:
        """What has to be known."""
        return self.selector, self.among

    def holds(self, seen: Seen) -> bool:
        """Whether it is so on an input."""
        rows = zip(seen.rows(self.selector), seen.rows(self.among), strict=True)
        return all(
            one == (several & -several if self.first else 1 << several.bit_length() >> 1) for one, several in rows
        )

    def said(self, names: Mapping[Node, str]) -> str:
        """The claim in words."""
        which = "first" if self.first else "last"
        return f"`{outline(self.selector, names)}` selects the {which} key of `{outline(self.among, names)}`"


@dataclass(frozen=True)
class Uniform:
    """The s-op is the same at all positions of an input."""

    node: SOp

    @property
    def about(self) -> tuple[Node, ...]:
        """What has to be known."""
        return (self.node,)

    def holds(self, seen: Seen) -> bool:
        """Whether it is so on an input."""
        return len(set(seen.values(self.node))) == 1

    def said(self, names: Mapping[Node, str]) -> str:
        """The claim in words."""
        return f"`{outline(self.node, names)}` is the same at all positions"


@dataclass(frozen=True)
class Jointly:
    """The variables have no joint values but those of a mask over their domains."""

    variables: tuple[SOp, ...]
    places: tuple[Mapping[Value, int], ...]
    mask: npt.NDArray[np.bool_]

    @property
    def about(self) -> tuple[Node, ...]:
        """What has to be known."""
        return self.variables

    def holds(self, seen: Seen) -> bool:
        """Whether it is so on an input. Values outside of a domain are another claim's matter."""
        rows = zip(*map(seen.values, self.variables), strict=True)
        known = [row for row in set(rows) if all(map(operator.contains, self.places, row))]
        return all(self.mask[tuple(place[x] for x, place in zip(row, self.places, strict=True))] for row in known)

    def said(self, names: Mapping[Node, str]) -> str:
        """The claim in words."""
        listed = ", ".join(f"`{outline(variable, names)}`" for variable in self.variables)
        return f"{listed} have no joint values but {int(self.mask.sum())} of {self.mask.size}"


Claim: TypeAlias = Within | Selects | Agree | AtEnd | Uniform | Jointly


@dataclass(frozen=True)
class Refuted:
    """A claim that does not hold on an input, and what the interpreter has for what it is about."""

    claim: str
    name: str
    tokens: tuple[Value, ...]
    values: list[Value] | list[int]
    source: tuple[Value, ...] | None = None


def claims(graph: Graph) -> list[Claim]:
    """What the analysis says of the graph's nodes, and of all that it has been asked about so far."""
    analysis = graph.analysis
    for node in graph.nodes:
        _ask(graph, node)
    domains = analysis.domains()
    found: list[Claim] = [Within(node, domain) for node, domain in domains.items()]
    found += _about_rows(graph)
    found += [Uniform(node) for node in analysis.uniform()]
    for variables, mask in analysis.joint_values().items():
        places = tuple({value: i for i, value in enumerate(domains[variable])} for variable in variables)
        found.append(Jointly(variables, places, mask))
    return found if graph.loop is None else [*_in_rounds(found, graph.loop)]


def _in_rounds(held: Sequence[Claim], loop: Loop) -> Iterator[Claim]:
    """Claims about what a round begins with, each about the first rounds and what is there behind the last one."""
    states = [*loop.states()]
    for state in dict.fromkeys((*range(min(FIRST_ROUNDS, len(states))), len(states) - 1)):
        new = substituted((node for claim in held for node in claim.about), states[state])
        for claim in held:
            yield _over(claim, new)


def _over(claim: Claim, new: Mapping[Node, Node]) -> Claim:
    """The claim about what stands for its nodes."""
    changed: dict[str, Any] = {}
    for field in fields(claim):
        value = getattr(claim, field.name)
        if isinstance(value, Node):
            changed[field.name] = new[value]
        elif isinstance(value, tuple) and value and isinstance(value[0], Node):
            changed[field.name] = tuple(new[node] for node in value)
    return replace(claim, **changed)


def _ask(graph: Graph, node: Node) -> None:
    """Let the analysis say what it has to say about a node, unless it declines."""
    try:
        if isinstance(node, Selector):
            graph.analysis.never_empty(node)
        elif isinstance(node, SOp):
            graph.analysis.domain(node)
    except RaspError:
        return


def _about_rows(graph: Graph) -> Iterator[Claim]:
    """How many keys the rows of selectors select, of their cases alone, and of aggregates."""
    analysis = graph.analysis
    for selector in analysis.selectors():
        least, most = int(analysis.never_empty(selector)), 1 if analysis.at_most_one(selector) else None
        if least or most:
            yield Selects(selector, least, most)
        for case in analysis.disjuncts(selector):
            least, most = int(analysis.surely_matches(case)), 1 if analysis.unique(case) else None
            if least or most:
                yield Selects(case.selector(), least, most)
            if (end := analysis.rightmost(case)) is not None:
                yield AtEnd(case.selector(), end.among.selector(), end.first)
    for case, nowhere in analysis.sought.items():
        elsewhere = Select(Constant(as_value(nowhere)), case.parts[0][1], "==")
        yield Selects(Or(case.selector(), elsewhere), 1, None)
    aggregates = [node for node in analysis.domains() if isinstance(node, Aggregate)]
    for node in dict.fromkeys([*aggregates, *analysis.single()]):
        if analysis.selects_one(node):
            yield Selects(node.selector, 0, 1)
        elif analysis.picks(node):
            yield Agree(node.selector, node.value)


def refuted(
    graph: Graph,
    held: Sequence[Claim],
    inputs: Sequence[Sequence[Value]],
    causal: bool,
    sources: Sequence[Sequence[Value]] | None = None,
) -> Refuted | None:
    """The first claim that one of these inputs refutes; on all of them the program has an answer.

    With `sources`, one for each, the inputs are targets.
    """
    if not inputs:
        return None
    source = None if sources is None else Places(chain.from_iterable(sources), [*map(len, sources)])
    run = Run(chain.from_iterable(inputs), causal, lengths=[*map(len, inputs)], source=source)
    nodes = dict.fromkeys(node for claim in held for node in claim.about)
    known = _computed(run, nodes)
    if known is None:  # what was made on the way may be undefined on some of them: look at each alone
        alone = (
            refuted(graph, held, [tokens], causal, None if sources is None else [sources[number]])
            for number, tokens in enumerate(inputs)
        )
        return next((found for found in alone if found is not None), None)
    for claim in held:
        if known.issuperset(claim.about):
            for number, tokens in enumerate(inputs):
                if not claim.holds(seen := Seen(run, number)):
                    found = _refuted(graph, claim, seen, tokens)
                    return found if sources is None else replace(found, source=tuple(sources[number]))
    return None


def _computed(run: Run, nodes: Iterable[Node]) -> set[Node] | None:
    """Compute the nodes. Those that have a value; None where one has none on some of several inputs."""
    known: set[Node] = set()
    for node in reachable(nodes):
        if known.issuperset(node.inputs):
            try:
                run.compute([node])
            except RaspError:
                if len(run.parts) > 1:
                    return None
                continue
            known.add(node)
    return known


def _refuted(graph: Graph, claim: Claim, seen: Seen, tokens: Sequence[Value]) -> Refuted:
    node = claim.about[0]
    values = seen.values(node) if isinstance(node, SOp) else seen.rows(node)  # type: ignore[arg-type]
    return Refuted(claim.said(graph.names), graph.name(node), tuple(tokens), values)
