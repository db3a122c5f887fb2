"""Rightmost: which conjunctions select the last, or the first, of the keys that a simpler one selects.

In: a conjunction of comparisons. Out: the `Rightmost` that it is, if it visibly is one (docs/constructions.md, C43).
Invariant: on every input, each row of the conjunction selects that one key, and none where the simpler one has none.

    select(address, a, ==) and select(version, selector_width(select(address, a, ==)), ==)
    where version = selector_width(select(address, address, ==) and select(indices, indices, <=))
    is the last key of   select(address, a, ==)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

from compiler.graph.domain.dependencies import Facts
from compiler.graph.domain.linear import added_up
from compiler.graph.domain.variables import POSITION
from compiler.graph.relation import EQUAL, Compared, Conjunction
from rasp.meaning.answers import is_boolean
from rasp.meaning.sop import Aggregate, Constant, Map, Selector, SOp, Width

UPTO = POSITION, POSITION, frozenset("<=")
"""The positions up to mine: all that there are where the future is hidden."""


class Rightmost(NamedTuple):
    """The last one of the keys that a conjunction selects; the `first` one if that is said."""

    among: Conjunction
    first: bool = False


@dataclass(frozen=True)
class _Numbers:
    """A running number: how many keys of my class that satisfy conditions are not behind me, with a constant added.

    Where it runs `back`, they are counted from the end.
    """

    classes: frozenset[SOp]
    conditions: frozenset[Compared]
    back: bool
    before: Fraction  # the number less the place among them, the first of which is 1


class RightmostKeys:
    """Finds out for each conjunction, once."""

    def __init__(self, facts: Facts, longest: int) -> None:
        self.facts = facts
        self.longest = longest
        self._found: dict[Conjunction, Rightmost | None] = {}

    def of(self, conjunction: Conjunction) -> Rightmost | None:
        """The last or the first of which keys a conjunction selects; None if it is not seen to."""
        if conjunction not in self._found:
            crosses = conjunction.crosses or any(key.encoded for key, _, _ in conjunction.parts)
            parts = self._telling(conjunction.parts)
            tried = (self._split(parts, part) for part in parts if part[2] == EQUAL)
            self._found[conjunction] = None if crosses else next((one for one in tried if one is not None), None)
        return self._found[conjunction]

    def _split(self, parts: Sequence[Compared], part: Compared) -> Rightmost | None:
        """Comparisons as one that says which one, and others that say among which."""
        key, query, _ = part
        rest = [other for other in parts if other != part]
        if key is POSITION:
            return self._by_halving(query, rest)
        if (nothing := _finds_nothing(key, query)) is not None:
            key, query = Width(nothing), Constant(0)
        numbers = self._numbers(key)
        return None if numbers is None else self._by_number(numbers, query, rest)

    def _telling(self, parts: Iterable[Compared]) -> list[Compared]:
        """The comparisons one by one, of a bit those that it is the `and` of, without what always holds."""
        each = (simple for part in parts for simple in self._taken_apart(part))
        return [part for part in each if not (self.facts.causal and part == UPTO)]

    def _taken_apart(self, part: Compared) -> Iterator[Compared]:
        """What a key satisfies if a bit of it is True: both of ``a and b``, of ``x == m`` the comparison, m uniform."""
        match part:
            case (Map(op="and", args=args), Constant(value=True), how) if how == EQUAL and all(map(is_boolean, args)):
                for arg in args:
                    yield from self._taken_apart((arg, Constant(True), EQUAL))
            case (Map(op="==", args=(x, m)), Constant(value=True), how) if how == EQUAL and self.facts.is_uniform(m):
                yield x, m, EQUAL
            case _:
                yield part

    def _only_case(self, node: SOp) -> list[Compared] | None:
        """The comparisons that the keys satisfy which a width counts."""
        if not isinstance(node, Width) or node.selector.encoded:
            return None
        cases = self.facts.cases(node.selector)
        return self._telling(cases[0].parts) if len(cases) == 1 else None

    # -- running numbers ---------------------------------------------------------------------------------------------

    def _numbers(self, node: SOp) -> _Numbers | None:
        """An s-op of the key as a running number.

        Where the future is hidden, a key counts those before it without being told to, and never those behind it.
        """
        counted, constant = _count_and_constant(node) or (None, Fraction(0))
        parts = None if counted is None else self._only_case(counted)
        if parts is None:
            return None
        steps = [part for part in parts if part[0] is part[1] is POSITION]
        rest = [part for part in parts if part not in steps]
        classes = frozenset(key for key, query, how in rest if key is query and how == EQUAL)
        conditions = frozenset(part for part in rest if part[0] not in classes)
        if len(steps) > 1 or not all(self.facts.is_uniform(query) for _, query, _ in conditions):
            return None
        how = steps[0][2] if steps else UPTO[2]
        back = ">" in how
        if len(how - EQUAL) != 1 or (self.facts.causal and back) or not (steps or self.facts.causal):
            return None
        return _Numbers(classes, conditions, back, constant - (0 if "=" in how else 1))

    def _by_number(self, numbers: _Numbers, query: SOp, rest: Sequence[Compared]) -> Rightmost | None:
        """The key with a number: the last one has that of all that there are, the first one has 1."""
        ahead = [part for part in rest if _is_up_to(part, numbers.back)]
        of_query = [part for part in rest if isinstance(part[0], Constant)]
        own = frozenset(part for part in rest if part not in ahead and part not in of_query)
        equal = {key for key, _, how in own if how == EQUAL}
        told = all(how == EQUAL and key in numbers.classes for key, _, how in own - numbers.conditions)
        if not (told and numbers.classes <= equal and numbers.conditions <= own):
            return None
        asked = _count_and_constant(query)
        if asked is None:
            return None
        counted, constant = asked
        place = constant - numbers.before  # among those of the class, but for what is counted
        if counted is None:
            return _ending(Conjunction.of(rest), first=not numbers.back) if place == 1 else None
        parts = self._only_case(counted)
        if parts is None or place != 0 or not {*ahead} <= {*parts}:
            return None
        others = [part for part in parts if part not in own and not isinstance(part[0], Constant)]
        if not own <= {*parts} or not all(_is_up_to(part, numbers.back) for part in others):
            return None
        return _ending(Conjunction.of([*rest, *parts]), first=numbers.back)

    # -- halving -----------------------------------------------------------------------------------------------------

    def _by_halving(self, place: SOp, rest: Sequence[Compared]) -> Rightmost | None:
        """The place of the last key, searched for: is there one at ``before + step`` or behind, for 2^k, ..., 2, 1?"""
        step = 1
        while not (isinstance(place, Constant) and place.value == 0):
            match place:
                case Map(op="if", args=(condition, beyond, before)):
                    wanted = Conjunction.of([*rest, (POSITION, beyond, frozenset(">="))])
                    further = added_up(beyond) == added_up(Map("+", (before, Constant(step))))
                    if not further or wanted is None or not self._finds(condition, wanted):
                        return None
                    place, step = before, 2 * step
                case _:
                    return None
        return _ending(Conjunction.of(rest), first=False) if step >= self.longest else None

    def _finds(self, condition: SOp, wanted: Conjunction) -> bool:
        """Whether a condition says that a conjunction selects a key."""
        match condition:
            case Map(op=">", args=(Aggregate(selector, Constant(1), 0), Constant(0))):
                cases = self.facts.cases(selector)
                return len(cases) == 1 and {*self._telling(cases[0].parts)} == {*wanted.parts}
        return False


def _ending(among: Conjunction | None, first: bool) -> Rightmost | None:
    return None if among is None else Rightmost(among, first)


def _count_and_constant(node: SOp) -> tuple[SOp | None, Fraction] | None:
    """An s-op as a count, if there is one, and a number that is added to it; None if it is something else."""
    terms = dict(added_up(node))
    constant = terms.pop(None, Fraction(0))
    match list(terms.items()):
        case []:
            return None, constant
        case [(Width() as counted, factor)] if factor == 1:
            return counted, constant
    return None


def _finds_nothing(key: SOp, query: SOp) -> Selector | None:
    """The selector of which a key that equals the query finds nothing, if that is what it says."""
    match key, query:
        case Aggregate(selector, Constant(1), 0), Constant(value=0):
            return selector
        case Map(op=">", args=(Aggregate() as found, Constant(0))), Constant(value=False):
            return _finds_nothing(found, Constant(0))
        case Map(op="not", args=(found,)), Constant(value=bool(wanted)):
            return _finds_nothing(found, Constant(not wanted))
    return None


def _is_up_to(part: Compared, back: bool) -> bool:
    """Whether a comparison leaves the positions up to some place, or from it on if they are counted `back`."""
    key, _, how = part
    return key is POSITION and how <= (frozenset(">=") if back else frozenset("<=")) and how != EQUAL
