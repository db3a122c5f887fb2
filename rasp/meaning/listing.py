"""Listings: the DAG of s-ops and selectors as text.

In: nodes, and what some of them are called. Out: a line a node, or the text of one node as far as it has room.
Invariant: what has a name is called by it.

    >>> from rasp.meaning.sop import Constant, Indices, Map
    >>> print(listing({"a": Map("+", (Indices(), Constant(1)))}))
    %0 = indices
    a  = (%0 + 1)
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from rasp.meaning.sop import Constant, Node, reachable


def outline(node: Node, names: Mapping[Node, str], most: int = 80) -> str:
    """The node's name, or its text in so many characters: parts that have a name by it, the innermost left out."""
    text = ""
    for depth in itertools.count(1):
        deeper = _down_to(node, depth, names)
        if deeper == text or (text and len(deeper) > most):
            break
        text = deeper
    return text if len(text) <= most else f"{text[: most // 2 - 2]}...{text[1 - most // 2 :]}"


def _down_to(node: Node, depth: int, names: Mapping[Node, str]) -> str:
    """The text of a node, `...` for what is computed in more steps than `depth`."""
    if node in names:
        return names[node]
    if depth == 0 and node.inputs:
        return "..."
    return node.written(*(_down_to(part, depth - 1, names) for part in node.inputs))


def listed(roots: Mapping[str, Node]) -> list[tuple[str, str, Node]]:
    """The DAG in lines, inputs first: what each node is called, how it is written, and the node itself.

    Roots carry their names, constants are written in place. A further name of a root has a line of its own.
    """
    names: dict[Node, str] = {}
    lines: list[tuple[str, str, Node]] = []
    called: dict[Node, str] = {}
    for name, node in roots.items():
        called.setdefault(node, name)
    for node in reachable(roots.values()):
        text = node.written(*(names[arg] for arg in node.inputs))
        if isinstance(node, Constant) and node not in called:
            names[node] = text
            continue
        names[node] = called.get(node, f"%{len(lines)}")
        lines.append((names[node], text, node))
    return lines + [(name, names[node], node) for name, node in roots.items() if called[node] != name]


def listing(roots: Mapping[str, Node]) -> str:
    """The DAG as text, one node a line."""
    return "\n".join(aligned([(name, text) for name, text, _ in listed(roots)]))


def aligned(lines: Sequence[tuple[str, str]]) -> list[str]:
    """Lines ``name = text``, one equals sign below the other."""
    width = max((len(name) for name, _ in lines), default=0)
    return [f"{name:<{width}} = {text}" for name, text in lines]
