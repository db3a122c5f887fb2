"""Variables: what an s-op is computed from, position by position: the token, the position, what attention returned.

In: an s-op. Out: its variables, in the order in which it mentions them.
Invariant: an s-op is a function of its variables' values at its own position.

    >>> length_left = Map("-", (LENGTH, Indices()))
    >>> Variables().of(Map("*", (length_left, Indices()))) == (LENGTH, Indices())
    True
"""

from __future__ import annotations

from collections.abc import Container

from rasp.sop import Constant, Indices, Lookup, Map, Node, Select, SOp, Tokens, Width

TOKEN = Tokens("str")
"""The variable behind every conversion of the input element: its text, which tells elements apart."""

LENGTH = Width(Select(Constant(1), Constant(1), "=="))
"""The number of positions; `simplify` writes every count of all positions so."""

POSITION = Indices()
"""The variable of the position."""


def is_length(node: Node | None) -> bool:
    """Whether the node counts all positions."""
    return node is LENGTH


class Variables:
    """The variables of s-ops; those of each are found once."""

    def __init__(self) -> None:
        self._found: dict[SOp, tuple[SOp, ...]] = {}

    def of(self, node: SOp) -> tuple[SOp, ...]:
        """What the s-op is computed from."""
        if node not in self._found:
            for current in cone(node, self._found):
                self._found[current] = self._of(current)
        return self._found[node]

    def _of(self, node: SOp) -> tuple[SOp, ...]:
        match node:
            case Constant():
                return ()
            case Tokens():
                return (TOKEN,)
            case Map() | Lookup():
                return tuple(dict.fromkeys(var for arg in args(node) for var in self._found[arg]))
            case _:
                return (node,)


def cone(node: SOp, known: Container[SOp]) -> list[SOp]:
    """The elementwise part above the variables, inputs first, without what is known and what is only above that."""
    seen: dict[int, SOp] = {}
    todo: list[SOp] = [node]
    while todo:
        current = todo.pop()
        if current.id not in seen and current not in known:
            seen[current.id] = current
            if isinstance(current, Map | Lookup):
                todo.extend(args(current))
    return [seen[key] for key in sorted(seen)]


def args(node: Map | Lookup) -> tuple[SOp, ...]:
    """What an elementwise operation is applied to."""
    return node.args if isinstance(node, Map) else (node.arg,)
