"""Variables: what an s-op is computed from, position by position: the token, the position, what attention returned.

In: an s-op. Out: its variables, in the order in which it mentions them.
Invariant: an s-op is a function of its variables' values at its own position.

    >>> length_left = Map("-", (LENGTH, Indices()))
    >>> Variables().of(Map("*", (length_left, Indices()))) == (LENGTH, Indices())
    True
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence

from rasp.meaning.sop import And, Constant, Indices, Lookup, Map, Node, Select, Selector, SOp, Tokens, Width

TOKEN = Tokens("str")
"""The variable behind every conversion of the input element: its text, which tells elements apart."""

LENGTH = Width(Select(Constant(1), Constant(1), "=="))
"""The number of positions; `simplify` writes every count of all positions so."""

POSITION = Indices()
"""The variable of the position."""


def is_length(node: Node | None) -> bool:
    """Whether the node counts all positions."""
    return node is LENGTH


def bounded(variables: Sequence[SOp], causal: bool) -> Iterator[tuple[SOp, SOp, int]]:
    """Pairs of variables of which the first, and a number more, is never above the second: counts of fewer keys."""
    counted = [var for var in variables if isinstance(var, Width)]
    counts = [var for var in counted if not var.selector.encoded]  # positions of the source are none of the target's
    if POSITION in variables:
        yield from ((POSITION, LENGTH, 1) for _ in counts[:1] if LENGTH in counts)
        yield from ((count, POSITION, -1) for count in counts if causal)
    asked = {count: frozenset(_conjuncts(count.selector)) for count in counted if count is not LENGTH}
    for small, parts in asked.items():
        if LENGTH in counts and small in counts:
            yield small, LENGTH, 0
        yield from ((small, large, 0) for large, fewer in asked.items() if fewer < parts)


def _conjuncts(selector: Selector) -> list[Selector]:
    return [*_conjuncts(selector.left), *_conjuncts(selector.right)] if isinstance(selector, And) else [selector]


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
