"""Sums: counts over parts of the same keys, of which only sums are read, are one sum over these keys, by a rule.

In: s-ops, simplified. Out: the replacements of sums, and of comparisons, of counts.
Invariant: a replacement is the s-op on every input with an answer (docs/constructions.md, C34), and there are fewer
totals than there were counts.

    selector_width(s and select(t, "(", ==)) - selector_width(s and select(t, ")", ==))
    is  total(s, indicator(t == "(") - indicator(t == ")"))
"""

from __future__ import annotations

import math
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import TypeAlias

from compiler.graph.domain import Setting
from compiler.graph.domain.variables import TOKEN, Variables
from compiler.graph.known import Known
from compiler.graph.polynomial import plus, polynomial
from compiler.graph.relation import PREDICATE_OF, Compared, Conjunction
from compiler.graph.rules import Rule, rebuilt
from rasp.meaning.interpreter import evaluate
from rasp.meaning.operators import PREDICATES
from rasp.meaning.sop import Constant, Lookup, Map, Node, SOp, Total, Width, reachable
from rasp.text.source import RaspError

Form: TypeAlias = Mapping[SOp, int]
"""A sum of multiples of s-ops; 0 stands where some cancel."""


@dataclass(frozen=True)
class Count:
    """A count, or a sum, as one over the keys of a conjunction."""

    parts: tuple[Compared, ...]
    value: SOp

    @staticmethod
    def of(node: SOp, known: Known) -> Count | None:
        """What is counted, if it is whole numbers of the keys of one conjunction."""
        cases = known.cases(node.selector) if isinstance(node, Width | Total) else None
        value = node.value if isinstance(node, Total) else Constant(1)
        if cases is None or len(cases) != 1 or cases[0].crosses or known.kind(value) != "int":
            return None  # what stands on the source is tabulated there, over other tokens
        return Count(cases[0].parts, value)

    @property
    def among(self) -> frozenset[Compared]:
        """What depends on the query: counts that have it in common are over parts of the same keys."""
        return frozenset(part for part in self.parts if not isinstance(part[1], Constant))

    def added(self, common: frozenset[Compared]) -> SOp:
        """What each of the keys of fewer parts adds to the count."""
        asked = [
            Map(PREDICATE_OF[how], (key, query)) for key, query, how in self.parts if (key, query, how) not in common
        ]
        if not asked:
            return self.value
        bit = reduce(lambda one, other: Map("and", (one, other)), asked)
        return Map("indicator", (bit,)) if self.value is Constant(1) else Map("if", (bit, self.value, Constant(0)))


@dataclass(frozen=True, eq=False)
class Sum:
    """Multiples of counts over parts of the same keys, in an s-op that reads nothing else of them."""

    reader: SOp
    counts: Mapping[SOp, Count]
    factors: Mapping[SOp, int]
    common: frozenset[Compared] = field(init=False)
    unit: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "common", frozenset.intersection(*(frozenset(c.parts) for c in self.counts.values())))
        first = next(iter(self.factors.values()))
        object.__setattr__(self, "unit", math.gcd(*self.factors.values()) * (1 if first > 0 else -1))

    @property
    def key(self) -> object:
        """Sums of one key are multiples of one total."""
        return self.common, frozenset((node, factor // self.unit) for node, factor in self.factors.items())

    def is_free(self, variables: Variables) -> bool:
        """Whether what each key adds is a sum of functions of one variable: else it would take neurons to compute."""
        return all(len(variables.of(count.added(self.common))) <= 1 for count in self.counts.values())

    def total(self, setting: Setting) -> Total:
        """The sum over the keys that all counts have in common, in units."""
        first = next(iter(self.counts.values()))
        common = Conjunction(tuple(part for part in first.parts if part in self.common))
        terms = [(factor // self.unit, [self.counts[node].added(self.common)]) for node, factor in self.factors.items()]
        return Total(common.selector(), of_token(polynomial(terms), setting))


class Sums:
    """The sums of counts below some s-ops, and what reads counts otherwise."""

    def __init__(self, roots: Sequence[Node], known: Known) -> None:
        self.known = known
        self.variables = Variables()
        self.nodes = reachable(roots)
        self.forms: dict[Node, Form] = {}
        self.counts: dict[Node, Count] = {}
        for node in self.nodes:
            if isinstance(node, SOp):
                self.forms[node] = self._form(node)
                if (count := Count.of(node, known)) is not None:
                    self.counts[node] = count
        self.kept: set[Node] = set()
        self.sums: list[Sum] = []
        for node in self._read(roots):
            self._note(node)

    def _form(self, node: SOp) -> Form:
        match node:
            case Map(op="+", args=(a, b)):
                return _combined(self.forms[a], self.forms[b], 1)
            case Map(op="-", args=(a, b)):
                return _combined(self.forms[a], self.forms[b], -1)
            case Map(op="negate", args=(a,)):
                return _combined({}, self.forms[a], -1)
            case (
                Map(op="*", args=(a, Constant(value=int(number)))) | Map(op="*", args=(Constant(value=int(number)), a))
            ):
                return _combined({}, self.forms[a], number)
        return {node: 1}

    def _read(self, roots: Iterable[Node]) -> Iterator[SOp]:
        """What is read as a whole: all but the operands of sums and of comparisons of counts."""
        found: dict[SOp, None] = {root: None for root in roots if isinstance(root, SOp)}
        for node in self.nodes:
            if self._compares(node):
                assert isinstance(node, SOp)
                found[node] = None
            elif not isinstance(node, SOp) or node in self.forms[node]:
                found.update((arg, None) for arg in node.inputs if isinstance(arg, SOp))
        yield from found

    def _compares(self, node: Node) -> bool:
        """Whether counts stand on both sides of a comparison."""
        match node:
            case Map(op=op, args=args) if op in PREDICATES:
                return all(any(leaf in self.counts for leaf in self.forms[arg]) for arg in args)
        return False

    def sides(self, node: SOp) -> tuple[Form, Form]:
        """What a comparison of counts compares; of a sum, itself and nothing."""
        if isinstance(node, Map) and self._compares(node):
            return self.forms[node.args[0]], self.forms[node.args[1]]
        return self.forms[node], {}

    def _note(self, node: SOp) -> None:
        """Note the sums in what is read as a whole, and the counts in it that are no part of one."""
        form = _combined(*self.sides(node), -1)
        counts = [leaf for leaf in form if leaf in self.counts]
        groups: dict[frozenset[Compared], list[SOp]] = {}
        for count in counts:
            groups.setdefault(self.counts[count].among, []).append(count)
        for group in groups.values():
            factors = {count: form[count] for count in group if form[count]}
            found = Sum(node, {count: self.counts[count] for count in factors}, factors) if len(factors) > 1 else None
            if found is not None and self._is_whole(form) and found.is_free(self.variables):
                self.sums.append(found)
            else:
                self.kept.update(group)

    def _is_whole(self, form: Form) -> bool:
        """Whether nothing but counts cancels, and no number is a fraction or a bool."""
        numbers = [leaf.value for leaf in form if isinstance(leaf, Constant)]
        return all(type(number) is int for number in numbers) and all(
            factor or leaf in self.counts for leaf, factor in form.items()
        )

    def fewer(self) -> Iterator[Sum]:
        """Sums that spare more counts than they are totals, together with all that have a count in common."""
        left = list(self.sums)
        while left:
            together, counts = [left.pop(0)], set[SOp]()
            for one in together:  # it grows
                counts |= one.factors.keys()
                near = [other for other in left if counts & other.factors.keys()]
                together += near
                left = [other for other in left if other not in near]
            if len({one.key for one in together}) < len(counts - self.kept):
                yield from together


def of_token(value: SOp, setting: Setting) -> SOp:
    """A function of the token as one table, which is one column: a sum of several is as many."""
    if Variables().of(value) != (TOKEN,):
        return value
    try:
        (numbers,) = evaluate([value], setting.vocabulary)
    except RaspError:  # it has no value for some token
        return value
    return Lookup(tuple(zip(setting.texts, numbers, strict=True)), TOKEN)


def _combined(a: Form, b: Form, factor: int) -> Form:
    return {leaf: a.get(leaf, 0) + factor * b.get(leaf, 0) for leaf in {**a, **b}}


def _one_sum(roots: Iterable[Node], setting: Setting) -> dict[Node, Node]:
    found = Sums(list(roots), Known(setting))
    parts: dict[Node, list[Sum]] = {}
    for one in found.fewer():
        parts.setdefault(one.reader, []).append(one)
    again: dict[Node, Node] = {}
    for node in found.nodes if parts else ():  # inputs come first
        if node in parts:
            again[node] = _over(_summed(parts[node][0].reader, found, parts[node]), again)
        elif (made := rebuilt(node, again)) is not node:
            again[node] = made
    return again


def _summed(node: SOp, found: Sums, parts: Sequence[Sum]) -> SOp:
    """A sum, or a comparison, with a total in place of the counts of each part."""
    left, right = (polynomial(_rest(side, parts)) for side in found.sides(node))
    for part in parts:
        left = plus(polynomial([(part.unit, [part.total(found.known.setting)])]), left)
    return Map(node.op, (left, right)) if isinstance(node, Map) and node.op in PREDICATES else left


def _rest(side: Form, parts: Sequence[Sum]) -> list[tuple[int, list[SOp]]]:
    taken = {count for part in parts for count in part.factors}
    return [(factor, [leaf]) for leaf, factor in side.items() if leaf not in taken and factor]


def _over(made: Node, again: Mapping[Node, Node]) -> Node:
    """What was made, over the replacements of all that it is made from."""
    new: dict[Node, Node] = {}
    for node in reachable([made], again.__contains__):
        new[node] = rebuilt(node, ChainMap(new, again))  # type: ignore[arg-type]
    return new[made]


RULE = Rule("one sum of counts", "a width(s and p) + b width(s and q) is total(s, a [p] + b [q])", "C34", _one_sum)
