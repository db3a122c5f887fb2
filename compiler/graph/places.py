"""Places: attention that no token decides is a table of the position, or of the length.

In: s-ops. Out: for those that attention returns and only the position, or only the length, decides: a function of it.
Invariant: on every input of the setting the function is the s-op; it is read off the interpreter, at every length.

    aggregate(select(indices, indices, <=), indices)   is   indices / 2
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction

from compiler.graph.domain import LENGTH, Setting
from compiler.numbers.exact import as_value
from rasp.meaning.interpreter import evaluate_each
from rasp.meaning.sop import (
    Aggregate,
    Constant,
    Encoded,
    Indices,
    Lookup,
    Map,
    Node,
    Phi,
    SOp,
    Tokens,
    Total,
    Width,
    reachable,
)
from rasp.text.source import RaspError
from rasp.value import Value, kind

LONGEST = 256
"""Longest input for which every length is run."""


def of_place(roots: Iterable[Node], setting: Setting) -> dict[Node, Node]:
    """The replacements of what attention returns and the position alone, or the length alone, decides."""
    roots = list(roots)
    free = without_tokens(reachable(roots))
    wanted = [node for node in free if isinstance(node, Width | Total | Aggregate) and node is not LENGTH]
    if not wanted or setting.max_length > LONGEST:
        return {}
    runs = at_all_places(wanted, setting)
    if any(isinstance(answers, RaspError) for answers in runs):  # it is reported where the domain is asked for
        return {}
    told = _told_apart(roots, setting)
    found: dict[Node, Node] = {}
    for i, node in enumerate(wanted):
        columns = [answers[i] for answers in runs if not isinstance(answers, RaspError)]
        if all(column == columns[-1][: len(column)] for column in columns):
            made = _function(columns[-1], Indices(), 0)
        elif all(len(set(column)) == 1 for column in columns):
            made = _function([column[0] for column in columns], LENGTH, 1)
        else:
            continue
        if node not in told or len({kind(value) for column in columns for value in column}) == 1:
            found[node] = made
    return found


def _told_apart(roots: Iterable[Node], setting: Setting) -> set[Node]:
    """What is computed with where 0 and 0.0 are not the same: a list is read at an int, a string is repeated so often.

    The mean of one key is what that key has; of several it is a float.
    """
    texts = _texts(roots, setting)
    askers: list[Node] = []
    for node in reachable(roots):
        match node:
            case Lookup(sequence=int(), arg=arg):
                askers.append(arg)
            case Map(op="*", args=args) if not texts.isdisjoint(args):
                askers += args
    return set(reachable(askers))


def _texts(roots: Iterable[Node], setting: Setting) -> set[Node]:
    """The s-ops that may have strings among their values."""
    found: set[Node] = set()
    for node in reachable(roots):  # inputs come first
        match node:
            case Constant(value=value):
                some = isinstance(value, str)
            case Tokens(convert=convert):
                some = any(isinstance(value, str) for value in setting.converted(convert).values())
            case Lookup(table=table):
                some = any(isinstance(value, str) for _, value in table)
            case Aggregate(value=value, default=default):
                some = value in found or isinstance(default, str)
            case Map(op="if" | "+" | "*", args=args):
                some = not found.isdisjoint(args)
            case _:
                some = isinstance(node, SOp) and not isinstance(node, Map | Indices | Width | Total)
        found |= {node} if some else set()
    return found


def without_tokens(nodes: Iterable[Node]) -> dict[Node, None]:
    """The nodes that no token decides, of all nodes, inputs first."""
    free: dict[Node, None] = {}
    for node in nodes:
        if not isinstance(node, Tokens | Encoded | Phi) and all(arg in free for arg in node.inputs):
            free[node] = None
    return free


def at_all_places(nodes: Sequence[SOp], setting: Setting) -> list[list[list[Value]] | RaspError]:
    """The values of s-ops that no token decides, at each length; in the order of places where the future is hidden."""
    lengths = [setting.max_length] if setting.causal else range(1, setting.max_length + 1)
    return evaluate_each(nodes, [[0] * length for length in lengths], causal=setting.causal)


def _function(values: Sequence[Value], of: SOp, first: int) -> SOp:
    """A function of whole numbers from the first one on: a line where it is one, else a table."""
    if len(set(values)) == 1:
        return Constant(values[0])
    start, second = values[0], values[1]
    if not isinstance(start, str) and not isinstance(second, str):
        slope = Fraction(second) - Fraction(start)
        if all(not isinstance(x, str) and x - start == slope * i for i, x in enumerate(values)):
            return _line(of, slope, Fraction(start) - slope * first)
    return Lookup(tuple((first + i, value) for i, value in enumerate(values)), of)


def _line(of: SOp, slope: Fraction, constant: Fraction) -> SOp:
    line = of if slope.numerator == 1 else Map("*", (of, Constant(slope.numerator)))
    line = line if slope.denominator == 1 else Map("/", (line, Constant(slope.denominator)))
    return Map("+", (line, Constant(as_value(constant)))) if constant else line
