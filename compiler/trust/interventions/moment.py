"""A moment: what a swap of one variable's columns after one step means for everything that is computed later.

In: the claims, a variable, a step. Out: `Moment`: the units that are computed later and read something swapped or
changed, each with what it sees; or the reason why what one of them sees means nothing in the program.
Invariants: what reads nothing swapped and nothing changed is not among the units: it sees what it saw before. A unit
sees an s-op in one way, and every s-op that it is computed from is seen, or computed from what is seen.

    after step 2, `hist`:  place sees hist (source), first (base);  by_frequency sees place (later), tokens (base)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeAlias

from compiler.trust.interventions.claims import Claims, Held, Part, Place, Read
from compiler.trust.interventions.sops import SOps
from rasp.meaning.sop import Aggregate, Node, Select, SOp, Tokens, Total, Width, reachable

View: TypeAlias = Literal["base", "source", "later"]
"""What is seen of an s-op: its value in the base run, that in the other run, or what was computed after the swap."""
Group: TypeAlias = list[Read]
"""What inputs of parts read together: what each sees at a position, all see."""


@dataclass(frozen=True, eq=False)
class Unit:
    """What is computed after the swap: an s-op with columns of its own, or an output."""

    name: str
    node: SOp
    is_output: bool
    sees: dict[SOp, View]
    together: list[tuple[SOp, ...]]  # what is read at one position and depends on common variables
    computed: list[Node]  # the nodes that it is computed by, inputs first
    through: list[tuple[SOp, dict[SOp, View]]]  # seen, and by another input of the head computed from what that sees


@dataclass(frozen=True, eq=False)
class Moment:
    """The columns of a variable are swapped after a step."""

    held: Held
    step: int
    columns: frozenset[int]
    units: list[Unit]
    reason: str = ""
    """Why the swap means nothing in the program, whatever the values are."""


class Meaningless(Exception):
    """Something is read that has no meaning in the program."""


@dataclass(frozen=True)
class Moments:
    """The moments of a program."""

    claims: Claims
    _writers: dict[Held, list[Part]] = field(default_factory=dict)

    @property
    def sops(self) -> SOps:
        """The s-ops, and what is known of them."""
        return self.claims.sops

    def of(self, held: Held) -> Iterator[Moment]:
        """After each step after which it is there."""
        return (self.at(held, step) for step in held.steps(self.claims.line))

    def at(self, held: Held, step: int) -> Moment:
        """The columns that hold it after the step are swapped."""
        columns = held.live(step)
        try:
            return Moment(held, step, columns, list(_Following(self, columns, step).units()))
        except Meaningless as problem:
            return Moment(held, step, columns, [], str(problem))

    def writers(self, held: Held) -> list[Part]:
        """The parts that write its own columns."""
        if held not in self._writers:
            self._writers[held] = self.claims.writers(held)
        return self._writers[held]

    @cached_property
    def outputs(self) -> list[tuple[str, SOp, Part]]:
        """What is decoded."""
        parts = {part.id: part for part in self.claims.parts}
        return [(name, node, parts[f"output:{name}"]) for name, node in self.sops.outputs.items()]

    @cached_property
    def in_program(self) -> set[Node]:
        """The nodes of the graph; others are made on the way to the circuit."""
        return set(self.sops.nodes)

    def is_fixed(self, node: Node) -> bool:
        """Whether it is the same in all inputs of one length."""
        return isinstance(node, SOp) and all(map(self.sops.is_place, self.sops.variables(node)))

    def together(self, seen: Iterable[SOp]) -> Iterator[tuple[SOp, ...]]:
        """Those that depend on common variables, or on such as the program requires something of together."""
        groups: list[tuple[set[SOp], list[SOp]]] = []
        for node in seen:
            variables, members = self._linked(node), [node]
            apart = [group for group in groups if not group[0] & variables]
            for others, nodes in groups:
                if others & variables:
                    variables, members = variables | others, nodes + members
            groups = [*apart, (variables, members)]
        for _, members in groups:
            if len(members) > 1:
                known = (place for node in members for place in self.sops.variables(node))
                places = dict.fromkeys(place for place in known if self.sops.is_place(place))
                yield (*members, *places)

    def _linked(self, node: SOp) -> set[SOp]:
        """The variables of an s-op, and those that something is required of together with them."""
        variables = self._varying(node)
        for needed in self.sops.requires:
            others = self._varying(needed)
            variables |= others if others & variables else set()
        return variables

    def _varying(self, node: SOp) -> set[SOp]:
        return {var for var in self.sops.variables(node) if not self.sops.is_place(var)}


class _Following:
    """What follows a swap."""

    def __init__(self, moments: Moments, swapped: frozenset[int], step: int) -> None:
        self.moments = moments
        self.claims = moments.claims
        self.swapped = swapped
        self.step = step
        self.changed: set[Held] = set()
        listing = self.claims.listing
        self.ends = {column: max(place.until for place in listing[column] if place.there(step)) for column in swapped}

    def units(self) -> Iterator[Unit]:
        """Inputs first."""
        later = [(at, held) for held in self.claims.held if (at := self._begins(held)) is not None]
        for _, held in sorted(later, key=lambda one: one[0]):
            parts = [part for part in self.moments.writers(held) if part.step > self.step]
            if self._is_affected(parts):
                if self._is_new(held):
                    yield self._unit(held.name, held.node, parts, is_output=False)
                else:
                    self._require_its_own(held, parts)
                self.changed.add(held)
        for name, node, part in self.moments.outputs:
            if self._is_affected([part]):
                yield self._unit(name, node, [part], is_output=True)

    def _begins(self, held: Held) -> int | None:
        """After which step the first of its places is done that are not done yet."""
        return min((place.done for place in held.own if place.done > self.step), default=None)

    def _is_new(self, held: Held) -> bool:
        """Whether nothing of it is there now."""
        return not any(place.touched(self.step) for place in held.own)

    def _require_its_own(self, held: Held, parts: list[Part]) -> None:
        """What is written later of something that is there must follow from what is there."""
        if held.step > self.step or any(place.begun <= self.step < place.done for place in held.own):
            raise Meaningless(f"part of {held.name} is there, part of it is computed later")
        read = {node for _, group in _groups(parts) for node in self._seen_by(group)}
        if read != {held.node}:
            raise Meaningless(f"{held.name} is there, and columns of it are computed later from something else")

    def _is_affected(self, parts: Iterable[Part]) -> bool:
        reads = (read for part in parts for read in part.reads.values())
        return any(self._reaches(read.seen, column) for read in reads for column in read.columns)

    def _reaches(self, seen: int, column: int) -> bool:
        """Whether what is read of a column after a step was swapped, or has changed."""
        if column in self.swapped and seen < self.ends[column]:
            return True
        return any(place.column == column and place.touched(seen) for held in self.changed for place in held.own)

    def _unit(self, name: str, node: SOp, parts: list[Part], is_output: bool) -> Unit:
        sees: dict[SOp, View] = {}
        together: list[tuple[SOp, ...]] = []
        by_input: dict[str, dict[SOp, View]] = {}
        for letter, group in _groups(parts):
            views = self._seen_by(group)
            by_input[letter] = by_input.get(letter, {}) | views
            for one, view in views.items():
                if sees.setdefault(one, view) != view:
                    raise Meaningless(f"{name} sees {self._called(one)} both swapped and as it was")
            together += self.moments.together(one for one in views if not self.moments.is_fixed(one))
        sees = self._through(name, sees)
        sees |= self._behind(sees)
        computed = self._computed(name, node, sees, is_output)
        self._require_depth(name, computed, any(part.kind == "head" for part in parts))
        through = list(self._seen_through(name, computed, by_input))
        return Unit(name, node, is_output, sees, together, computed, through)

    def _through(self, name: str, sees: dict[SOp, View]) -> dict[SOp, View]:
        """What is seen, and through what is computed later but stands in no program, what that sees."""
        found, todo = dict(sees), [node for node, view in sees.items() if view == "later"]
        while todo:
            if (node := todo.pop()) in self.moments.in_program:
                continue
            parts = [part for part in self.moments.writers(self.claims.by_node[node]) if part.step > self.step]
            for one, view in (pair for _, group in _groups(parts) for pair in self._seen_by(group).items()):
                if one not in found and view == "later":
                    todo.append(one)
                if found.setdefault(one, view) != view:
                    raise Meaningless(f"{name} sees {self._called(one)} both swapped and as it was")
        return found

    def _seen_by(self, group: Group) -> dict[SOp, View]:
        """What parts that read together see of each s-op."""
        found: dict[SOp, View] = {}
        for held in self.claims.held:
            own = [place for place in held.own if self._is_read(place, group)]
            if own:
                found[held.node] = self._view(held, own)
            elif view := self._told(held, group):
                found[held.node] = view
        return found

    def _told(self, held: Held, group: Group) -> View | None:
        """How an s-op is seen by who reads all that its number is read from; None if that is mixed, or not all."""
        if not held.number or not all(self._is_read(place, group) for place in held.number):
            return None
        swapped = {place.column in self.swapped for place in held.number if self._was(place)}
        if len(swapped) != 1 or any(place.done > self.step for place in held.number):
            return None
        return "source" if swapped.pop() else "base"

    def _is_read(self, place: Place, group: Group) -> bool:
        return any(place.column in read.columns and place.touched(read.seen) for read in group)

    def _was(self, place: Place) -> bool:
        """Whether it is there, or was read from: the stream of the encoder, from its end on."""
        return place.touched(self.step) or place.done <= self.step

    def _view(self, held: Held, places: list[Place]) -> View:
        """How an s-op is seen by who reads these of its own places."""
        if self._is_new(held) and not all(map(self._was, places)):
            return "later"
        if any(place.done > self.step for place in places):  # computed later from those that are there
            places = [place for place in held.own if place.touched(self.step)]
        swapped = [place.column in self.swapped for place in places]
        if any(swapped) and not all(swapped):
            raise Meaningless(f"{held.name} is swapped in part")
        return "source" if all(swapped) else "base"

    def _behind(self, sees: dict[SOp, View]) -> dict[SOp, View]:
        """Variables that are not read themselves, but functions of them are, all from one of the two runs."""
        views: dict[SOp, set[View]] = {}
        for node, view in sees.items():
            if len(variables := self.moments.sops.variables(node)) == 1:
                views.setdefault(variables[0], set()).add(view)
        found: dict[SOp, View] = {}
        for variable, seen in views.items():
            view = sees.get(variable) or (seen.pop() if len(seen) == 1 else "later")
            if view != "later":
                found |= {node: view for node in self._read_as(variable) if node not in sees}
        return found

    def _read_as(self, variable: SOp) -> Sequence[SOp]:
        """A variable; if it is the token of a tape, every conversion of it."""
        if not isinstance(variable, Tokens):
            return [variable]
        return [node for node in self.moments.sops.conversions if node.tape == variable.tape]

    def _computed(self, name: str, root: SOp, sees: dict[SOp, View], is_output: bool) -> list[Node]:
        """The nodes that the root is computed by from what is seen, inputs first."""

        def known(node: Node) -> bool:
            return (node in sees and (is_output or node is not root)) or self.moments.is_fixed(node)

        computed = reachable([root], known)
        if any(isinstance(node, Tokens) for node in computed):
            raise Meaningless(f"{name} is computed from the token, which it reads by no column that is listed")
        return computed

    def _require_depth(self, name: str, computed: Sequence[Node], by_heads: bool) -> None:
        """A head attends once, a neuron never: what has attended before must be seen."""
        depth: dict[Node, int] = {}
        for node in computed:
            below = max((depth.get(one, 0) for one in node.inputs), default=0)
            depth[node] = below + isinstance(node, Aggregate | Total | Width)
            if depth[node] > by_heads:
                raise Meaningless(f"{name} depends on {self._called(node)}, which it reads by no column that is listed")

    def _seen_through(
        self, name: str, computed: Sequence[Node], by_input: Mapping[str, dict[SOp, View]]
    ) -> Iterator[tuple[SOp, dict[SOp, View]]]:
        """What one input of a head sees, and another does not but is computed through: it must be the same to both."""
        seen = {node for views in by_input.values() for node in views}
        for letter, views in by_input.items():

            def known(node: Node, views: Mapping[SOp, View] = views) -> bool:
                return node in views or self.moments.is_fixed(node)

            operands = [operand for node in computed for operand in _operands(node, letter)]
            shared = [node for node in reachable(operands, known) if isinstance(node, SOp) and node in seen]
            if shared:
                sees = self._through(name, views)
                sees |= self._behind(sees)
                yield from ((node, sees) for node in shared)

    def _called(self, node: Node) -> str:
        return self.claims.sops.name(node)


def _groups(parts: Iterable[Part]) -> Iterator[tuple[str, Group]]:
    """What is read together: by each input of a head, and by all neurons, or by an output."""
    rest: Group = []
    for part in parts:
        if part.kind == "head":
            yield from ((letter, [read]) for letter, read in part.reads.items())
        else:
            rest += part.reads.values()
    if rest:
        yield "in", rest


def _operands(node: Node, letter: str) -> Iterator[SOp]:
    """What an input of the heads of an s-op is to see of what that is computed from."""
    match node:
        case Aggregate(value=value) | Total(value=value) if letter == "v":
            yield value
        case Select(key=key, query=query) if letter in ("k", "q"):
            yield key if letter == "k" else query
