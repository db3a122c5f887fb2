"""Tapes: which sequence each s-op of a program with a source and a target stands on.

In: s-ops and selectors as a program builds them. Out: their tapes, or a `Crossing` that says why there is none; and the
same s-ops read on a tape, every leaf of which names the tape it stands on.
An s-op stands on the source, on the target, or (None) on whichever tape it is read: constants and `indices` do. A
selector has two sides, its keys and its queries. Nothing on the source looks at the target, for the target is written
after the source has been read.
Invariant: what has a tape, or None, can be read on it; what is read on a tape is read on one tape in all of its parts,
but for the keys of its selectors.

    >>> copied = Aggregate(Select(Indices(), Indices(), "=="), Tokens("str", "source"))
    >>> Tapes().of(copied), Instances().on("target", copied).selector.key.tape
    (None, 'source')
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any, NamedTuple, TypeAlias, TypeVar, assert_never, cast

from rasp.meaning.listing import aligned, listed, outline
from rasp.meaning.operators import MIRRORED
from rasp.meaning.sop import (
    Aggregate,
    And,
    Constant,
    Encoded,
    Indices,
    Lookup,
    Map,
    Node,
    Not,
    Or,
    Phi,
    Select,
    Selector,
    SOp,
    Tape,
    Tokens,
    Total,
    Width,
    closed,
    reachable,
)

Place = TypeVar("Place")
Side: TypeAlias = "Tape | None"
"""A tape, or None: whichever the s-op is read on."""

BOTH: tuple[Tape, ...] = ("source", "target")
LENGTH = Width(Select(Constant(1), Constant(1), "=="))
"""The number of tokens of the tape that it is read on."""
SOURCE_LENGTH = Width(Select(Constant(1, "source"), Constant(1), "=="))
"""The number of tokens of the source, wherever it is read."""


class Sides(NamedTuple):
    """The tapes of a selector."""

    keys: Side
    queries: Side

    def __str__(self) -> str:
        return f"{self.keys or 'any'}->{self.queries or 'any'}"


class Crossing(Exception):
    """An operation that no tape can carry out: why not, and what to write instead."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class Tapes:
    """The tapes of s-ops and the sides of selectors, each found once. `names` is what s-ops are called in messages."""

    def __init__(self, names: Mapping[Node, str] | None = None) -> None:
        self.names = names or {}
        self._tapes: dict[SOp, Side] = {}
        self._sides: dict[Selector, Sides] = {}

    def of(self, node: SOp) -> Side:
        """The tape of an s-op. Raises `Crossing` where it, or a part of it, has none."""
        self.find(node)
        return self._tapes[node]

    def sides(self, selector: Selector) -> Sides:
        """The tapes of a selector. Raises `Crossing` where it, or a part of it, has none."""
        self.find(selector)
        return self._sides[selector]

    def keys(self, node: Aggregate | Width | Total) -> Side:
        """The tape of the keys that an s-op looks at: None is that of its queries."""
        sides = self.sides(node.selector)
        return sides.keys if isinstance(node, Width) else sides.keys or self.of(node.value)

    def find(self, node: Node) -> None:
        """Find the tapes of a node and of all its parts. Raises `Crossing` where there is none."""
        for part in reachable([node], lambda one: one in self._tapes or one in self._sides):
            if isinstance(part, Selector):
                self._sides[part] = self._seen(part, self._of_selector(part))
            elif isinstance(part, SOp):
                self._tapes[part] = self._of_sop(part)

    def _of_sop(self, node: SOp) -> Side:
        match closed(node):
            case Tokens(tape=tape) | Indices(tape=tape) | Constant(tape=tape):
                return tape
            case Encoded():
                return "source"
            case Phi():
                return None
            case Map(args=args):
                return self._joined(node, args)
            case Lookup(arg=arg):
                return self._tapes[arg]
            case Aggregate(selector, value) | Total(selector, value):
                return self._of_aggregate(node, self._sides[selector], self._tapes[value])
            case Width(selector):
                return self._sides[selector].queries
            case other:
                assert_never(other)

    def _joined(self, node: SOp, args: tuple[SOp, ...]) -> Side:
        on = {tape: arg for arg in reversed(args) if (tape := self._tapes[arg]) is not None}
        if len(on) == 2:
            source, target = self._text(on["source"]), self._text(on["target"])
            raise Crossing(
                f"an operation on both tapes: `{source}` stands on the source, `{target}` on the target",
                f"fetch the one for the other through a selector: {self.fetched(on['source'])} stands on the target",
            )
        return next(iter(on), None)

    def _of_aggregate(self, node: SOp, sides: Sides, value: Side) -> Side:
        if None not in (sides.keys, value) and sides.keys != value:
            raise Crossing(
                f"the keys of the selector stand on the {sides.keys}, the value on the {value}",
                "what is fetched stands where the keys do: select among the positions of the value",
            )
        return self._seen(node, Sides(sides.keys or value, sides.queries)).queries

    def _of_selector(self, node: Selector) -> Sides:
        match closed(node):
            case Select(key, query):
                return Sides(self._tapes[key], self._tapes[query])
            case Not(arg):
                return self._sides[arg]
            case And(left, right) | Or(left, right):
                return self._both(self._sides[left], self._sides[right])
            case other:
                assert_never(other)

    def _both(self, left: Sides, right: Sides) -> Sides:
        for side, one, other in (("keys", left.keys, right.keys), ("queries", left.queries, right.queries)):
            if None not in (one, other) and one != other:
                raise Crossing(
                    f"the {side} of one selector stand on the {one}, those of the other on the {other}",
                    "both sides of `and` and `or` select among the same keys, for the same queries",
                )
        return Sides(left.keys or right.keys, left.queries or right.queries)

    def _seen(self, node: Node, sides: Sides) -> Sides:
        """The sides, the queries on the target where the keys are. Raises `Crossing` for queries of the source."""
        if sides.keys != "target":
            return sides
        if sides.queries == "source":
            hint = "the source is read before the target is written"
            if isinstance(node, Select):
                swapped = f"select({self._text(node.query)}, {self._text(node.key)}, {MIRRORED[node.predicate]})"
                hint = f"the key stands first: `{swapped}` looks from the target at the source"
            raise Crossing("the encoder cannot look at the target: these keys are on the target, the queries not", hint)
        return Sides("target", "target")

    def _text(self, node: Node) -> str:
        return outline(node, self.names, 40)

    def fetched(self, node: Node) -> str:
        """What to write for a node of the source where the target reads it, as code."""
        text = self._text(node)
        return f"`{fetching(text)}`" + (f", where x is `{text}`," if "..." in text else "")


def fetching(text: str) -> str:
    """How something of the source is fetched for the target; what is too long to be written out, by a name."""
    return f"aggregate(select(indices, indices, ==), {'x' if '...' in text else text})"


class Instance(NamedTuple):
    """A node and where it is read: an s-op on a tape, a selector for the queries of one tape and the keys of one."""

    node: Node
    on: Tape
    keys: Tape


class Instances:
    """S-ops as they are read on a tape: the same nodes, with leaves that name their tapes. Each is made once."""

    def __init__(self, tapes: Tapes | None = None) -> None:
        self.tapes = tapes or Tapes()
        self.origin: dict[Node, Node] = {}
        """The node of the program that a reading is of."""
        self._made: dict[Instance, Node] = {}

    def on(self, tape: Tape, node: SOp) -> Any:
        """An s-op read on a tape. Raises `Crossing` where it stands on the other one."""
        stands = self.tapes.of(node)
        if stands not in (None, tape):
            raise Crossing(
                f"this stands on the {stands}, and is read on the {tape}",
                f"fetch it through a selector: {self.tapes.fetched(node)}"
                if stands == "source"
                else "the encoder cannot look at the target",
            )
        return self._read(Instance(node, tape, tape))

    def of(self, node: Node) -> Any:
        """A node where the decoder reads it: what stands on no tape of its own, on the target."""
        if isinstance(node, Selector):
            sides = self.tapes.sides(node)
            queries = sides.queries or "target"
            return self._read(Instance(node, queries, sides.keys or queries))
        return self.on(self.tapes.of(cast(SOp, node)) or "target", cast(SOp, node))

    def required(self, node: SOp) -> dict[Tape, Any]:
        """A requirement as it is read where it is asked: on its own tape; else, if it is the same at all positions, on
        both; else on the source, if it reads that. Nothing where `indices` are all it reads: nobody knows whose."""
        stands = self.tapes.of(node)
        if stands is not None:
            return {stands: self.on(stands, node)}
        made: dict[Tape, Any] = {tape: self.on(tape, node) for tape in BOTH}
        leaves = reachable([made["target"]])
        if not any(isinstance(leaf, Indices) and leaf.tape == "target" for leaf in leaves):
            return made
        read = any(isinstance(leaf, Tokens | Constant) and leaf.tape == "source" for leaf in leaves)
        return {"source": made["source"]} if read else {}

    def located(self, places: Mapping[Node, Place]) -> dict[Node, Place]:
        """What is known of the nodes of the program, known of their instances."""
        return {made: places[node] for made, node in self.origin.items() if node in places}

    def _read(self, root: Instance) -> Node:
        """Make a reading, its inputs first. A list of work instead of recursion: a graph may be deep."""
        todo = [root]
        while todo:
            one = todo[-1]
            inputs = [] if one in self._made else self._inputs(one)
            if missing := [part for part in inputs if part not in self._made]:
                todo += missing
                continue
            todo.pop()
            if one not in self._made:
                made = self._made[one] = _over(one, iter([self._made[part] for part in inputs]))
                self.origin.setdefault(made, one.node)
        return self._made[root]

    def _inputs(self, one: Instance) -> list[Instance]:
        """The inputs of a node, each where this reading of it reads it."""
        node, on, keys = one
        match node:
            case Aggregate(selector, value) | Total(selector, value):
                keys = self.tapes.keys(node) or on
                return [Instance(selector, on, keys), Instance(value, keys, keys)]
            case Width(selector):
                return [Instance(selector, on, self.tapes.keys(node) or on)]
            case Select(key, query):
                return [Instance(key, keys, keys), Instance(query, on, on)]
            case _:
                return [Instance(part, on, keys) for part in node.inputs]


def _over(one: Instance, inputs: Iterator[Node]) -> Node:
    """The node over other inputs; a leaf on its tape."""
    match one.node:
        case Indices():
            return cast(Node, Indices(one.on))
        case Constant(value):
            return cast(Node, Constant(value, one.on))
        case node:
            return type(node)(*[_part(getattr(node, field.name), inputs) for field in fields(cast(Any, node))])


def _part(part: Any, inputs: Iterator[Node]) -> Any:
    if isinstance(part, tuple) and any(isinstance(item, Node) for item in part):
        return tuple([next(inputs) for _ in part])
    return next(inputs) if isinstance(part, Node) else part


def named(roots: Iterable[Node], instances: Instances, names: Mapping[Node, str]) -> dict[Node, str]:
    """What the instances that some are computed from are called: as the program calls them. Of several instances of one
    node each is told apart by its tape: `place@source`."""
    found: dict[str, list[Node]] = defaultdict(list)
    for instance in reachable(roots):
        if (node := instances.origin[instance]) in names:
            found[names[node]].append(instance)
    return {
        one: f"{name}@{standing(one, instances.tapes)}" if len(several) > 1 else name
        for name, several in found.items()
        for one in several
    }


def listing(roots: Mapping[str, SOp], names: Mapping[Node, str], tapes: Tapes) -> str:
    """What a program with a source computes as text: an instance a line, with its tape, a selector with those of its
    keys and its queries."""
    instances = Instances(tapes)
    made: dict[str, Node] = {name: instances.of(node) for name, node in roots.items()}
    called = named([*made.values()], instances, names)
    lines = [
        (name, standing(node, tapes), text)
        for name, text, node in listed(made | {name: node for node, name in called.items()})
    ]
    width = max(len(name) for name, _, _ in lines)
    return "\n".join(aligned([(f"{name:<{width}}  {stands}", text) for name, stands, text in lines]))


def standing(node: Node, tapes: Tapes) -> str:
    """The tape of an s-op, or those of a selector, as text."""
    return str(tapes.sides(node)) if isinstance(node, Selector) else str(tapes.of(cast(SOp, node)) or "any")
