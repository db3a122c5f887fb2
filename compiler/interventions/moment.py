"""A moment: what a swap of one variable's columns after one step means for everything that is computed later.

In: the claims, a variable, a step. Out: `Moment`: the units that are computed later and read something swapped, each
with what it sees; or the reason why what it sees has no meaning in the program.
Invariant: a unit that reads nothing swapped, and nothing that changed, is not among them: it sees what it saw before.

    after step 2, `hist`:  by_frequency reads place (changed) and tokens (as before)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

from compiler.domain import Analysis
from compiler.interventions.claims import Claims, Part, Variable
from rasp.sop import Aggregate, Indices, Node, SOp, Tokens, Width, Selector

View: TypeAlias = Literal["base", "source", "later"]
"""What is seen of a variable: what it was, what it is in the other run, or what was computed after the swap."""


@dataclass(frozen=True, eq=False)
class Unit:
    """Something that is computed after the swap: an s-op with columns of its own, or an output."""

    name: str
    node: SOp
    sees: dict[Variable, View]
    together: list[list[Variable]]  # what is read at one place and depends on common variables
    computed: list[Node]  # the s-ops that it is computed by, inputs first


@dataclass(frozen=True, eq=False)
class Moment:
    """A variable's columns are swapped after a step."""

    variable: Variable
    step: int
    columns: frozenset[int]
    units: list[Unit]
    reason: str = ""  # why this means nothing


class Moments:
    """The moments of a program."""

    def __init__(self, claims: Claims) -> None:
        self.claims = claims
        self.analysis: Analysis = claims.graph.analysis
        self._writers = {held: claims.writers(held) for held in claims.variables}

    def of(self, variable: Variable) -> Iterator[Moment]:
        """After each step after which it is there."""
        for step in range(variable.step, min(variable.until, self.claims.last + 1)):
            yield self.at(variable, step)

    def at(self, variable: Variable, step: int) -> Moment:
        columns = variable.live(step)
        try:
            units = list(_Following(self, columns, step).units())
        except Meaningless as problem:
            return Moment(variable, step, columns, [], str(problem))
        return Moment(variable, step, columns, units)

    @cached_property
    def outputs(self) -> list[tuple[str, SOp, Part]]:
        parts = {part.id: part for part in self.claims.parts}
        return [(name, node, parts[f"output:{name}"]) for name, node in self.claims.graph.outputs.items()]

    def is_fixed(self, node: SOp) -> bool:
        """Whether it is the same in all inputs of one length."""
        return all(isinstance(var, Indices) or var is LENGTH for var in self.analysis.variables(node))

    def overlapping(self, seen: Iterable[Variable]) -> list[list[Variable]]:
        """Those that depend on common variables, position by position, group by group."""
        groups: list[tuple[set[SOp], list[Variable]]] = []
        for held in seen:
            mine = set(self.analysis.variables(held.node))
            joined = [held]
            rest = []
            for variables, members in groups:
                if variables & mine:
                    mine |= variables
                    joined = members + joined
                else:
                    rest.append((variables, members))
            groups = [*rest, (mine, joined)]
        return [members for _, members in groups if len(members) > 1]


from compiler.domain import LENGTH  # noqa: E402


class Meaningless(Exception):
    """A unit reads what has no meaning in the program."""


class _Following:
    """What follows a swap."""

    def __init__(self, moments: Moments, swapped: frozenset[int], step: int) -> None:
        self.moments = moments
        self.claims = moments.claims
        self.swapped = swapped
        self.step = step
        listing = self.claims.listing
        self.ends = {
            c: max(held.columns[c].until for held in listing[c] if held.columns[c].there(step)) for c in swapped
        }
        self.changed: set[Variable] = set()

    def units(self) -> Iterator[Unit]:
        later = [held for held in self.claims.variables if held.own and max(held.columns[c].ready for c in held.own) > self.step]
        for held in sorted(later, key=lambda held: max(held.columns[c].ready for c in held.own)):
            parts = [part for part in self.moments._writers[held] if part.step > self.step]
            if self._affected(parts):
                early = [p for p in self.moments._writers[held] if p.step <= self.step and p.kind != "embedding"]
                if held.step <= self.step:
                    # columns of an early variable that are written later: fine if they are written from it alone
                    if self._views(parts).keys() <= {held}:
                        continue
                    raise Meaningless(f"{held.name} is there, and more of it is written later")
                if early:
                    raise Meaningless(f"{held.name} is written before and after")
                yield self._unit(held.name, held.node, parts, held)
                self.changed.add(held)
        for name, node, part in self.moments.outputs:
            if self._affected([part]):
                yield self._unit(f"output {name}", node, [part], None)

    def _affected(self, parts: Iterable[Part]) -> bool:
        return any(
            self._is_swapped(column, part) or any(self._reads_own(held, part, column) for held in self.changed)
            for part in parts
            for reads in part.reads.values()
            for column in reads
        )

    def _is_swapped(self, column: int, part: Part) -> bool:
        return column in self.swapped and part.step - 1 < self.ends[column]

    def _reads_own(self, held: Variable, part: Part, column: int) -> bool:
        life = held.columns.get(column)
        return column in held.own and life.begun <= part.step - 1 < life.until

    def _unit(self, name: str, node: SOp, parts: list[Part], held: Variable | None) -> Unit:
        sees: dict[Variable, View] = {}
        together: list[list[Variable]] = []
        for group in _groups(parts):
            views = self._views_of(group)
            for one, view in views.items():
                if sees.setdefault(one, view) != view:
                    raise Meaningless(f"{name} sees {one.name} twice")
            together += self.moments.overlapping(one for one in views if not self.moments.is_fixed(one.node))
        leaves = {one.node for one in sees}
        computed = list(self._walk(node, leaves, held is not None, name))
        return Unit(name, node, sees, together, computed)

    def _views(self, parts: list[Part]) -> dict[Variable, View]:
        found = {}
        for group in _groups(parts):
            found |= self._views_of(group)
        return found

    def _views_of(self, group: list[tuple[Part, frozenset[int]]]) -> dict[Variable, View]:
        """What parts that read together see of each variable."""
        found: dict[Variable, View] = {}
        for held in self.claims.variables:
            read = {
                (column, part.step)
                for part, reads in group
                for column in reads & held.columns.keys()
                if held.columns[column].begun <= part.step - 1 < held.columns[column].until
            }
            if not any(column in held.own for column, _ in read):
                continue
            found[held] = self._view(held, {column for column, _ in read})
        return found

    def _view(self, held: Variable, columns: set[int]) -> View:
        own = columns & held.own
        if any(held.columns[c].ready > self.step for c in own):
            if held.step > self.step:
                return "later"
            # an early variable's later columns: as it is seen itself
            columns = (columns | held.live(self.step)) 
        early = {c for c in columns if held.columns[c].ready <= self.step}
        if early <= self.swapped:
            return "source"
        if early.isdisjoint(self.swapped):
            return "base"
        raise Meaningless(f"{held.name} is swapped in part")

    def _walk(self, root: SOp, leaves: set[SOp], inside: bool, name: str) -> Iterator[Node]:
        """The s-ops that the root is computed by from what is seen, inputs first."""
        done: dict[Node, None] = {}
        todo: list[tuple[Node, bool]] = [(root, False)]
        while todo:
            node, opened = todo.pop()
            if opened:
                done.setdefault(node)
            elif node not in done and not (node in leaves and not (inside and node is root)):
                if isinstance(node, Tokens):
                    raise Meaningless(f"{name} reads the token by no column that is listed")
                if isinstance(node, SOp) and self.moments.is_fixed(node):
                    continue
                todo.append((node, True))
                todo += [(arg, False) for arg in reversed(node.inputs) if arg not in done]
        yield from done


def _groups(parts: Iterable[Part]) -> Iterator[list[tuple[Part, frozenset[int]]]]:
    """What is read together: by each input of a head, and by all neurons."""
    together = []
    for part in parts:
        if part.kind == "head":
            yield from ([(part, reads)] for reads in part.reads.values())
        else:
            together += [(part, reads) for reads in part.reads.values()]
    if together:
        yield together
