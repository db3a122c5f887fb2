"""Contents: what each direction holds, as data: a function of which variables, and which function.

In: directions, and the graph whose s-ops they hold. Out: for each its `Content`.
Invariant: what is said follows from the s-op that a direction holds and from the values that variables can have; the
names of directions play no part in it.

    tokens=a             of `tokens`: 1 where it is "a", else 0
    is_vowel             of `is_vowel`: its number; of `tokens`: 1 where it is among "a", "e"
    selector_width in o  of no variable of the program: of what it is called here
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from compiler.circuit.functions import Function, function
from compiler.graph.domain import TOKEN, args, cone
from compiler.graph.specialise import Graph
from compiler.numbers.direction import BOS, ONE, Direction
from rasp.meaning.listing import outline
from rasp.meaning.sop import Lookup, Map, Node, SOp, Tokens
from rasp.text.source import RaspError

MOST = 96
"""Longest text of what a direction holds."""


@dataclass(frozen=True)
class Statement:
    """A direction as a function of one s-op, which has a name in the program, or is called by its text."""

    sop: SOp
    called: str
    named: bool
    function: Function

    def to_json(self) -> dict[str, Any]:
        """As data."""
        return {"of": self.called, "named": self.named, "function": self.function.to_json()}


@dataclass(frozen=True)
class Content:
    """What a direction holds: in words; computed from what; as a function of single s-ops, the nearest first."""

    role: str
    what: str
    parts: tuple[str, ...]
    statements: tuple[Statement, ...]

    def to_json(self) -> dict[str, Any]:
        """As data."""
        holds = [statement.to_json() for statement in self.statements]
        return {"role": self.role, "what": self.what, "of": list(self.parts), "holds": holds}


class Contents:
    """The contents of directions that hold s-ops of a graph."""

    def __init__(self, graph: Graph, titles: Mapping[Node, str]) -> None:
        """`titles` are names of s-ops that no program has, such as digits."""
        self.graph = graph
        self.titles = titles
        self.names: dict[Node, str] = {**titles, **graph.names}
        self.analysis = graph.analysis
        self._through: dict[SOp, tuple[SOp, ...] | None] = {}

    def of(self, direction: Direction) -> Content:
        """What a direction holds."""
        if direction is ONE or direction is BOS:
            everywhere = "1 at every position" if direction is ONE else "1 at BOS, 0 at every token"
            return Content("one" if direction is ONE else "bos", everywhere, (), ())
        node = direction.holds
        if node is None:
            return Content("value", direction.name, (), ())
        parts = tuple(dict.fromkeys(map(self.graph.name, self._parts(node))))
        return Content("value", outline(node, self.names, MOST), parts, tuple(self._statements(node)))

    def _statements(self, node: SOp) -> Iterator[Statement]:
        for variable in self._passed(node) or ():
            try:
                values = self.analysis.domain(variable).values
                if len(values) > self.graph.setting.limits.values:
                    continue
                numbers = self.analysis.numbers_over(node, variable)
            except RaspError:  # it has more values than are listed
                continue
            named = variable in self.graph.names
            called = self.names.get(variable) or self.graph.name(variable)
            yield Statement(variable, called, named, function(values, numbers))

    def _passed(self, node: SOp) -> tuple[SOp, ...] | None:
        """The s-ops through which all passes that the s-op is computed from, the nearest first; None of a constant.

        Those are told that have a name or a title, or come from the input or from attention.
        """
        if node not in self._through:
            for current in cone(node, self._through):
                self._through[current] = self._found(current)
        return self._through[node]

    def _found(self, node: SOp) -> tuple[SOp, ...] | None:
        match node:
            case Tokens():
                return (node,) if node is TOKEN else (node, TOKEN)
            case Map() | Lookup():
                varying = [passed for arg in args(node) if (passed := self._through[arg]) is not None]
                if not varying:
                    return None
                common = tuple(one for one in varying[0] if all(one in other for other in varying[1:]))
                return (node, *common) if node in self.names else common
            case _:
                return None if not self.analysis.variables(node) else (node,)

    def _parts(self, node: SOp) -> Iterator[SOp]:
        """The nearest s-ops that it is computed from and that have a name, or come from the input or from attention."""
        todo, seen = [node], {node}
        while todo:
            current = todo.pop()
            if current in self.graph.names or not isinstance(current, Map | Lookup):
                if self.analysis.variables(current):
                    yield current
                continue
            new = [arg for arg in dict.fromkeys(args(current)) if arg not in seen]
            seen.update(new)
            todo += reversed(new)


def told(contents: Iterable[Content]) -> dict[str, SOp]:
    """The s-ops that have a name in the program and of which something is held, by name."""
    return {one.called: one.sop for content in contents for one in content.statements if one.named}
