"""Defaults: a choice that only keeps an empty row from being read is none, by a rule.

In: s-ops, simplified. Out: the replacements of choices, and of the aggregates that they guard.
Invariant: on every input with an answer, a choice is its replacement; an aggregate is one at each row that is read.

    indices > 0 and tokens == aggregate(select(indices, indices - 1, ==), tokens, "")
    is  tokens == aggregate(select(indices, indices - 1, ==), tokens, "")
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from compiler.graph.domain import Setting, summands
from compiler.graph.domain.variables import POSITION, TOKEN, Variables
from compiler.graph.known import Known
from compiler.graph.places import LONGEST, at_all_places, without_tokens
from compiler.graph.rules import Rule, rebuilt
from rasp.meaning.interpreter import evaluate
from rasp.meaning.sop import Aggregate, Constant, Lookup, Map, Node, Select, Selector, SOp, Total, Width, reachable
from rasp.text.source import RaspError
from rasp.value import Value, kind

MANY = 64
"""Most tokens for which defaults are tried."""


@dataclass(frozen=True)
class Guard:
    """A choice: ``instead if condition else otherwise``, where an aggregate has an empty row wherever it guards."""

    choice: Map
    condition: SOp
    instead: SOp
    otherwise: SOp
    guarded: Aggregate
    exact: bool
    """Whether it guards all empty rows."""


class Guards:
    """The guards below some s-ops, and what they come to."""

    def __init__(self, roots: Sequence[Node], setting: Setting) -> None:
        self.setting = setting
        self.known = Known(setting)
        self.variables = Variables()
        self.nodes = reachable(roots)
        self.places = without_tokens(self.nodes)
        self.roots = set(roots)
        self.readers: dict[Node, list[Node]] = {}
        for node in self.nodes:
            for arg in dict.fromkeys(node.inputs):
                self.readers.setdefault(arg, []).append(node)

    def found(self) -> dict[Aggregate, list[Guard]]:
        """The guards of each aggregate."""
        guards: dict[Aggregate, list[Guard]] = {}
        for node in self.nodes:
            for condition, instead, otherwise in self._choices(node):
                assert isinstance(node, Map)
                for guarded in self._guarded(instead, otherwise):
                    rows = self._rows(condition, guarded.selector)
                    if rows and not any(width for chosen, width in rows if chosen):
                        exact = all(chosen or width for chosen, width in rows)
                        one = Guard(node, condition, instead, otherwise, guarded, exact)
                        guards.setdefault(guarded, []).append(one)
        return guards

    def _choices(self, node: Node) -> Iterator[tuple[SOp, SOp, SOp]]:
        """Choices by the place, as condition, what is chosen by it, what else."""
        match node:
            case Map(op="if", args=(condition, a, b)) if condition in self.places:
                yield condition, a, b
                yield Map("not", (condition,)), b, a
            case Map(op="and" | "or" as op, args=(a, b)):
                for condition, other in ((a, b), (b, a)):
                    if condition in self.places and other not in self.places and self.known.kind(other) == "bool":
                        chosen = condition if op == "or" else Map("not", (condition,))
                        yield chosen, Constant(op == "or"), other

    def _guarded(self, instead: SOp, otherwise: SOp) -> Iterator[Aggregate]:
        """What is computed from the place alone where to look, and read beside the token only."""
        variables = {*self.variables.of(otherwise)} - {TOKEN} if self.variables.of(instead) in ((), (TOKEN,)) else ()
        for one in variables if len(variables) == 1 else ():
            if isinstance(one, Aggregate) and one.selector in self.places and self.variables.of(one.value) == (TOKEN,):
                yield one

    def _rows(self, condition: SOp, selector: Selector) -> list[tuple[Value, Value]]:
        """At each place of each length: whether the condition holds, and how many keys the row selects."""
        found: list[tuple[Value, Value]] = []
        for answers in at_all_places([condition, Width(selector)], self.setting):
            if isinstance(answers, RaspError):
                return []
            found += zip(*answers, strict=True)
        return found

    def defaults(self, guards: Sequence[Guard]) -> Iterator[Aggregate]:
        """An aggregate, and what may stand for it if nothing reads its empty rows."""
        guarded = guards[0].guarded
        yield guarded
        if not all(guard.exact for guard in guards) or not self._is_hidden(guarded, {guard.choice for guard in guards}):
            return
        yield from (replace(guarded, default=value) for value in self._candidates(guarded.value))
        if all(self._is_sum(guard) for guard in guards) or self.known.kind(guarded.value) == "bool":
            selector = self._or_own(guarded.selector, guards[0].condition)
            yield from () if selector is None else (replace(guarded, selector=selector),)

    def _is_sum(self, guard: Guard) -> bool:
        """Whether what is guarded is added to functions of the token: without the choice that takes no neuron.

        Not where keys are averaged: a sum of what is known to be 0 at the first place has fewer values.
        """
        todo, found = [guard.otherwise], not self._is_averaged(guard.choice)
        for node in todo:  # it grows
            if guard.guarded in self.variables.of(node) and node is not guard.guarded:
                parts = summands(node)
                todo += [arg for arg, _ in parts or ()]
                found = found and parts is not None
        return found

    def _is_averaged(self, choice: Node) -> bool:
        above = [choice]
        for node in above:  # it grows
            readers = self.readers.get(node, [])
            if any(isinstance(reader, Aggregate | Total) and reader.value is node for reader in readers):
                return True
            above += [reader for reader in readers if isinstance(reader, Map | Lookup) and reader not in above]
        return False

    def _or_own(self, selector: Selector, condition: SOp) -> Selector | None:
        """The selector of one position by another, with my own one where a condition holds, if that is a table."""
        match selector:
            case Select(key=key, query=query, predicate="=="):
                found = Select(key, Map("if", (condition, key, query)), "==")
                rows = self._rows(condition, found)
                if self.variables.of(found.query) == (POSITION,) and all(
                    width == 1 for chosen, width in rows if chosen
                ):
                    return found if rows else None
        return None

    def _is_hidden(self, guarded: Aggregate, choices: set[Map]) -> bool:
        """Whether whatever reads the aggregate is part of one of the choices."""
        todo: list[Node] = [guarded]
        for node in todo:  # it grows
            if node in self.roots:
                return False
            for reader in self.readers.get(node, []):
                if reader in choices:
                    continue
                if not isinstance(reader, Map | Lookup):
                    return False
                todo.append(reader)
        return True

    def _candidates(self, value: SOp) -> list[Value]:
        """What an empty row could have: the least, the greatest, any other value of the keys, or none of them."""
        try:
            values = sorted(set(evaluate([value], self.setting.vocabulary)[0]))
        except (RaspError, TypeError):  # it has no value for some token, or texts and numbers
            return []
        if isinstance(values[0], str):
            return [*values, "", "".join(values) + "-"]
        return [values[-1], values[0], *values[1:-1], int(values[-1]) + 1, int(values[0]) - 1]

    def is_kept(self, guard: Guard, instead: Aggregate) -> bool:
        """Whether what is read is the same without the choice, whatever the token is."""
        own = instead.default if instead.selector is guard.guarded.selector else None
        at_empty = instead.value if own is None else Constant(own)
        read = _substituted(guard.otherwise, guard.guarded, at_empty)
        try:
            one, other = evaluate([guard.instead, read], self.setting.vocabulary)
        except RaspError:  # no answer for some token
            return False
        return [(kind(x), x) for x in one] == [(kind(x), x) for x in other]


def _substituted(node: SOp, old: SOp, new: SOp) -> SOp:
    found: dict[Node, Node] = {old: new}
    for current in reachable([node], found.__contains__):
        found[current] = rebuilt(current, found)
    result = found[node]
    assert isinstance(result, SOp)
    return result


def _without_guards(roots: Iterable[Node], setting: Setting) -> dict[Node, Node]:
    roots = list(roots)
    if setting.max_length > LONGEST or len(setting.vocabulary) > MANY:
        return {}
    guards = Guards(roots, setting)
    new: dict[Node, Node] = {}
    for guarded, those in guards.found().items():
        left = [guard for guard in those if guard.choice not in new]
        if len(left) < len(those):
            continue
        for instead in guards.defaults(those):
            kept = [guard for guard in those if guards.is_kept(guard, instead)]
            if len(kept) == len(those) or (kept and instead is guarded):
                new |= {guard.choice: guard.otherwise for guard in kept}
                if instead is not guarded:
                    new[guarded] = instead
                break
    return _applied(guards.nodes, new)


def _applied(nodes: Iterable[Node], new: dict[Node, Node]) -> dict[Node, Node]:
    """The nodes over what stands for what they are made from."""
    again: dict[Node, Node] = {}
    for node in nodes if new else ():  # inputs come first
        found = new.get(node, node)
        made = again.get(found, found) if found in node.inputs else rebuilt(found, again)
        if made is not node:
            again[node] = made
    return again


RULE = Rule(
    "guarded default", "x if c else f(aggregate(s, v, d)) is f(aggregate(s, v, e)), f(e) = x", "C36", _without_guards
)
