"""Known: what rules of one node may ask.

In: a setting. Out: the cases of a selector and the kind of an s-op, each found once, and whether sorting is left alone.
Invariant: what is said holds on every input of the setting.

    Known(setting).cases(select(t, t, <) or select(t, t, >))   is   [t < t, t > t]
    Known(setting).kind(indices + 1 / 2)                       is   "float"
"""

from __future__ import annotations

from typing import TypeAlias

from compiler.graph.domain import Setting
from compiler.graph.relation import EQUAL, Compared, Conjunction, compare, disjuncts
from compiler.graph.rules import Rule
from rasp.meaning.operators import TRUTHS, Undefined
from rasp.meaning.sop import (
    Aggregate,
    Constant,
    Encoded,
    Indices,
    Lookup,
    Map,
    Node,
    Phi,
    Selector,
    SOp,
    Tokens,
    Total,
    Width,
    reachable,
)
from rasp.value import Kind, kind


class Known:
    """What rules may ask: the setting, the cases of a selector, the kind of an s-op."""

    def __init__(self, setting: Setting, unsorted: bool = True) -> None:
        """`unsorted`: nothing is sorted to be read (C30), save where the future is hidden: a key that is sorted in sees
        other keys there than one that reads. Where that is not asked for, a search `as_written` stays one, too."""
        self.setting = setting
        self.unsorted = unsorted and not setting.causal
        self.encoder = None if setting.encoder is None else Known(setting.encoder, unsorted)
        self.as_written = not unsorted
        self._cases: dict[Selector, list[Conjunction] | None] = {}
        self._kinds: dict[Node, Kind | None] = {}

    def cases(self, selector: Selector) -> list[Conjunction] | None:
        """The selector as an `or` of conjunctions; None where that is too long, or has no value for any input."""
        if selector not in self._cases:
            try:
                cases = disjuncts(selector, self.setting.limits.cases)
                self._cases[selector] = [case for case in cases if not any(map(self._is_beyond, case.parts))]
            except (ValueError, Undefined):  # reported where its rows are asked for
                self._cases[selector] = None
        return self._cases[selector]

    def _is_beyond(self, part: Compared) -> bool:
        """Whether no position of an input is as a comparison with a number wants it."""
        key, query, how = part
        if not (isinstance(key, Indices) and isinstance(query, Constant)) or isinstance(query.value, str):
            return False
        places = {0, self.setting.max_length - 1, min(max(0, int(query.value)), self.setting.max_length - 1)}
        return not any(compare(how, place, query.value) for place in places)

    def kind(self, node: SOp) -> Kind | None:
        """The kind that the s-op visibly has wherever it has a value: a list is read at an int, and at no float."""
        for inner in reachable([node], self._kinds.__contains__):
            self._kinds[inner] = self._kind(inner)
        return self._kinds[node]

    def _is_place(self, selector: Selector) -> bool:
        """Whether a key is asked for by its position, so that nothing is averaged."""
        cases = self.cases(selector)
        return cases is not None and len(cases) == 1 and any(map(_is_position, cases[0].parts))

    def _kind(self, node: Node) -> Kind | None:
        match node:
            case Indices() | Width():
                return "int"
            case Encoded(inner):
                return None if self.encoder is None else self.encoder.kind(inner)
            case Constant(value=value):
                return kind(value)
            case Tokens(convert=convert):
                found = {kind(value) for value in self.setting.converted(convert).values() if value is not None}
                return found.pop() if len(found) == 1 else None
            case Phi(values=values):
                found = {kind(value) for value in values}
                return found.pop() if len(found) == 1 else None
            case Lookup(table=table):
                found = {kind(value) for _, value in table}
                return found.pop() if len(found) == 1 else None
            case Total(value=value):
                return _of_numbers(self._kinds[value], "int")
            case Aggregate(selector=selector, value=value, default=default) if self._is_place(selector):
                return self._kinds[value] if self._kinds[value] == kind(default) else None
            case Map(op=op, args=args):
                return _computed(op, args, [self._kinds[arg] for arg in args])
        return None


def _is_position(part: Compared) -> bool:
    key, _, how = part
    if isinstance(key, Map) and key.op in ("+", "-") and isinstance(key.args[1], Constant):
        key = key.args[0]
    return how == EQUAL and isinstance(key, Indices)


def _computed(op: str, args: tuple[SOp, ...], kinds: list[Kind | None]) -> Kind | None:
    """The kind of what an operation makes of its operands."""
    match op:
        case "round" | "indicator":
            return "int"
        case "/":
            return "float"
        case "^" if "float" not in kinds and not _is_count(args[1]):
            return None  # an int, or a float where the power is negative
        case "+" | "-" | "*" | "%" | "^" | "negate" | "plus":
            return _of_numbers(*kinds)
        case "if":
            return kinds[1] if kinds[1] == kinds[2] else None
    return "bool" if op in TRUTHS else None


def _is_count(node: SOp) -> bool:
    return isinstance(node, Constant) and isinstance(node.value, int) and node.value >= 0


def _of_numbers(*kinds: Kind | None) -> Kind | None:
    """What numbers are added up, or multiplied, to: with a float whatever else there is, else all must be seen."""
    if "float" in kinds:
        return "float"
    return "int" if {"int", "bool"}.issuperset(kinds) else None


NodeRule: TypeAlias = Rule[[Node, Known], Node | None]
"""A rule of one node."""
