"""Dependencies: which s-ops determine which, among the keys that one row of a selector selects.

In: a conjunction of comparisons, and s-ops. Out: whether all keys that it selects agree on an s-op; on the position, if
they are at most one key (docs/constructions.md, C22).
Invariant: what is said holds on every input on which the s-ops have values; silence says nothing.

    select(place, indices, ==), place the number of keys before its own in the order of (tokens, indices):
    keys of one place agree on tokens and on indices, so every row selects at most one key
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from compiler.graph.domain.linear import LinearForms
from compiler.graph.domain.tables import Tables
from compiler.graph.domain.values import Domain
from compiler.graph.domain.variables import POSITION, Variables, args
from compiler.graph.relation import EQUAL, Compared, Conjunction
from rasp.meaning.sop import Aggregate, Constant, Lookup, Map, Selector, SOp, Total, Width
from rasp.value import Value


@dataclass(frozen=True)
class Facts:
    """What the rules ask: of s-ops, of the cases of a selector, and whether the future is hidden."""

    causal: bool
    variables: Variables
    linear: LinearForms
    tables: Tables
    cases: Callable[[Selector], list[Conjunction]]
    is_uniform: Callable[[SOp], bool]
    domain: Callable[[SOp], Domain]


class Keys:
    """The keys that one row of a conjunction selects: what they agree on, and the comparisons that each satisfies."""

    def __init__(self, conjunction: Conjunction, facts: Facts, agreed: Iterable[SOp] = ()) -> None:
        """`agreed` are s-ops of which it is known besides that the keys have one value."""
        self.conjunction = conjunction
        self.facts = facts
        self.pinned = pinned(conjunction.parts, facts)
        self.stated = {*conjunction.parts, *_stated(self.pinned, facts)}
        self.agreed = {key for key, _, comparison in self.stated if comparison == EQUAL}
        self.agreed |= {*self.pinned, *agreed}
        self._known: dict[SOp, bool] = {}
        while new := {y for x in self.agreed for rule in RULES for y in rule(self, x) if not self.agree(y)}:
            self.agreed |= new
            self._known.clear()

    def agree(self, node: SOp) -> bool:
        """Whether all of the keys have one value of the s-op."""
        if node not in self._known:
            self._known[node] = self._agree(node)
        return self._known[node]

    def satisfy(self, part: Compared) -> bool:
        """Whether each of the keys satisfies a comparison with what is the same for all queries."""
        known = pinned([part], self.facts)
        return part in self.stated or (bool(known) and known.items() <= self.pinned.items())

    def _agree(self, node: SOp) -> bool:
        """It is the same everywhere, or computed from what they agree on; one position agrees with itself."""
        if node in self.agreed or POSITION in self.agreed or self.facts.is_uniform(node):
            return True
        if self.facts.variables.of(node) == (node,):
            return self._returned(node)
        todo, seen = [node], {*self.agreed}
        while todo:  # down to what is agreed on, which may be computed from what is not
            current = todo.pop()
            if current in seen:
                continue
            seen.add(current)
            if isinstance(current, Map | Lookup):
                todo += args(current)
            elif not all(map(self.agree, self.facts.variables.of(current))):
                return False
        return True

    def _returned(self, node: SOp) -> bool:
        """Attention returns one thing to all that ask the same; where the future is hidden they see different keys,
        unless these stand on the source."""
        if not isinstance(node, Width | Total | Aggregate) or (self.facts.causal and not node.selector.encoded):
            return False
        asked = [query for case in self.facts.cases(node.selector) for _, query, _ in case.parts]
        return all(map(self.agree, asked))


def pinned(parts: Iterable[Compared], facts: Facts) -> dict[SOp, Value]:
    """The s-ops that comparisons with constants leave one value, and that value."""
    found: dict[SOp, Value] = {}
    todo = [(key, query.value) for key, query, c in parts if c == EQUAL and isinstance(query, Constant)]
    while todo:
        node, value = todo.pop()
        if node not in found:
            found[node] = value
            todo += _implied(node, value, facts)
    return found


def _stated(known: Mapping[SOp, Value], facts: Facts) -> Iterator[Compared]:
    """What keys compare with that is the same for all queries: ``x == m`` is True at each, and m is uniform."""
    for node, value in known.items():
        match node:
            case Map(op="==", args=(a, b)) if value is True:
                yield from ((x, y, EQUAL) for x, y in ((a, b), (b, a)) if facts.is_uniform(y))


def _implied(node: SOp, value: Value, facts: Facts) -> Iterator[tuple[SOp, Value]]:
    """What else has one value where an s-op has this one."""
    match node:
        case Map(op="and", args=args) if value is True:
            yield from ((arg, True) for arg in args if facts.domain(arg).values == (False, True))
        case Map(op="or", args=args) if value is False:
            yield from ((arg, False) for arg in args if facts.domain(arg).values == (False, True))
        case Map(op=">", args=(arg, Constant(value=0))) if value is False and facts.domain(arg).values == (0, 1):
            yield arg, 0
        case Map(op="if", args=(condition, Constant(value=a), Constant(value=b))) if a != b and value in (a, b):
            if facts.domain(condition).values == (False, True):
                yield condition, value == a
        case Map(op="not", args=(arg,)) if facts.domain(arg).values == (False, True):
            yield arg, not value
        case Map(op="==", args=(arg, Constant(value=wanted))) if value is True:
            yield arg, wanted
        case Aggregate(selector=selector, value=Constant(value=there), default=default) if there != default == value:
            yield Width(selector), 0
        case Map() | Lookup() if len(variables := facts.variables.of(node)) == 1:
            origins = [at for (at,), found in facts.tables.at_points(node) if found == value]
            if len(origins) == 1:
                yield variables[0], origins[0]


class Rule(Protocol):
    """One way to conclude, from an s-op that keys agree on, what else they agree on."""

    def __call__(self, keys: Keys, node: SOp) -> Iterable[SOp]:
        """The s-ops concluded."""


def injective(keys: Keys, node: SOp) -> Iterator[SOp]:
    """f1(x), f2(x) ... that tell all values of x apart -> x."""
    match keys.facts.variables.of(node):
        case (variable,) if variable is not node:
            known = [other for other in keys.agreed if keys.facts.variables.of(other) == (variable,)]
            tables = [dict(keys.facts.tables.at_points(other)) for other in known]
            points = set.intersection(*(set(table) for table in tables))
            if len({tuple(table[point] for table in tables) for point in points}) == len(points):
                yield variable


def solved(keys: Keys, node: SOp) -> Iterator[SOp]:
    """a x + b y + c, and y -> x."""
    unknown = [term for term in keys.facts.linear.of(node) or () if term is not None and not keys.agree(term)]
    if len(unknown) == 1:
        yield unknown[0]


def ranked(keys: Keys, node: SOp) -> Iterator[SOp]:
    """The number of keys of the same class before one's own in an order, and the class -> what is put in order.

    Let a and b be keys of one class, and a before b. Whatever is before a is before b, and so is a itself, which counts
    for b but not for a (with `<=` it is b that counts for b and not for a). So b has more keys before it than a.
    """
    order = Order.of(node.selector, keys.facts) if isinstance(node, Width) else None
    if order and all(map(keys.satisfy, order.conditions)) and all(map(keys.agree, order.classes)):
        yield from (POSITION,) if keys.facts.causal else order.levels


RULES: tuple[Rule, ...] = (injective, solved, ranked)


@dataclass(frozen=True)
class Order:
    """A selector of the keys that are in my class, satisfy conditions, and come before me in a lexicographic order."""

    classes: tuple[SOp, ...]
    conditions: tuple[Compared, ...]
    levels: tuple[SOp, ...]

    @staticmethod
    def of(selector: Selector, facts: Facts) -> Order | None:
        """The selector as an order, if it is one: ``x < x or (x == x and y < y)``, in each case with what all share.

        Keys on the source come neither before nor behind one on the target.
        """
        if selector.encoded:
            return None
        cases = sorted((case.parts for case in facts.cases(selector)), key=len)
        if not cases:
            return None
        shared = [part for part in cases[0] if all(part in case for case in cases)]
        chains = [[part for part in case if part not in shared] for case in cases]
        if len(cases) == 1:  # what is left of one case is its order, not its class
            chains = [[part for part in shared if _is_step(part)]]
            shared = [part for part in shared if not _is_step(part)]
        levels = lexicographic(chains)
        conditions = tuple(part for part in shared if facts.is_uniform(part[1]))
        classes = tuple(part for part in shared if part not in conditions)
        if levels is None or not all(key is query and comparison == EQUAL for key, query, comparison in classes):
            return None
        usable = _is_past(chains, levels) if facts.causal else bool(levels)
        return Order(tuple(key for key, _, _ in classes), conditions, levels) if usable else None


def _is_step(part: Compared) -> bool:
    """Whether a comparison puts keys in order: one with my own value of the same s-op, one way."""
    key, query, comparison = part
    return key is query and len(comparison - EQUAL) == 1


def lexicographic(chains: Sequence[Sequence[Compared]]) -> tuple[SOp, ...] | None:
    """The s-ops of a lexicographic order: each chain has one more level, behind the levels before it, all equal."""
    levels: list[SOp] = []
    for number, chain in enumerate(chains):
        equal = {key for key, query, comparison in chain if key is query and comparison == EQUAL}
        steps = [part for part in chain if _is_step(part)]
        if equal != set(levels) or len(equal) + len(steps) != len(chain) or len(steps) > 1:
            return None
        strict = all("=" not in comparison for _, _, comparison in steps)
        if (not steps and len(chains) > 1) or not (strict or number == len(chains) - 1):
            return None
        levels += [key for key, _, _ in steps]
    return tuple(levels)


def _is_past(chains: Sequence[Sequence[Compared]], levels: tuple[SOp, ...]) -> bool:
    """Whether all keys of the past come before me: no other order grows with every key that is seen."""
    if not levels:
        return True
    return levels == (POSITION,) and all("<" in comparison for chain in chains for _, _, comparison in chain)
