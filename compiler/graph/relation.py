"""Relations: a selector as an `or` of `and`s of comparisons, with `not` pushed down to the comparisons.

In: a selector of `rasp.meaning.sop`. Out: a list of `Conjunction`s. A comparison of one key with one query is a subset
of {"<", "=", ">"}, so any `and`, `or`, `not` of comparisons of the same pair is again one comparison.
Invariant: no conjunction contains an empty comparison (it would select nothing) or a full one (it would say nothing).

    select(t, t, <) or (select(t, t, ==) and select(indices, indices, <))
    is  t < t  |  t = t and indices < indices
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias, assert_never

from rasp.meaning.operators import PREDICATES
from rasp.meaning.sop import And, Constant, Encoded, Not, Or, Predicate, Select, Selector, SOp, closed
from rasp.value import Value

Comparison: TypeAlias = frozenset[str]
ALWAYS: Comparison = frozenset("<=>")
EQUAL: Comparison = frozenset("=")
Compared: TypeAlias = tuple[SOp, SOp, Comparison]
"""An s-op of the key, one of the query, and how they are related."""
MAX_DISJUNCTS = 64
"""Most conjunctions of a selector, unless the caller says otherwise."""

_HOLDS: dict[Predicate, Comparison] = {
    "==": EQUAL,
    "!=": frozenset("<>"),
    "<": frozenset("<"),
    "<=": frozenset("<="),
    ">": frozenset(">"),
    ">=": frozenset(">="),
}
PREDICATE_OF: dict[Comparison, Predicate] = {comparison: predicate for predicate, comparison in _HOLDS.items()}


def compare(comparison: Comparison, key: Value, query: Value) -> bool:
    """Whether ``key COMPARISON query``. Raises `Undefined` where a string would have to be ordered with a number."""
    if key == query:
        return "=" in comparison
    if comparison >= {"<", ">"}:
        return True
    if not comparison & {"<", ">"}:
        return False
    return ("<" if PREDICATES["<"](key, query) else ">") in comparison


@dataclass(frozen=True, eq=False)
class Conjunction:
    """Comparisons that must all hold, one for each pair of key s-op and query s-op. Their order makes no difference.

    Where it `crosses`, the keys stand on the source: what is said of the keys of one tape says nothing of them.
    """

    parts: tuple[Compared, ...]
    crosses: bool = False

    @staticmethod
    def of(parts: Iterable[Compared], crosses: bool = False) -> Conjunction | None:
        """The conjunction of comparisons; None if it can never hold."""
        merged: dict[tuple[SOp, SOp], Comparison] = {}
        for key, query, comparison in parts:
            crosses = crosses or key.encoded
            comparison = _decided(key, query, comparison)
            merged[key, query] = merged.get((key, query), ALWAYS) & comparison
        if not all(merged.values()):
            return None
        kept = [(key, query, c) for (key, query), c in merged.items() if c != ALWAYS]
        return Conjunction(tuple(kept), crosses)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Conjunction) or self.crosses != other.crosses:
            return False
        return frozenset(self.parts) == frozenset(other.parts)

    def __hash__(self) -> int:
        return hash((frozenset(self.parts), self.crosses))

    def excludes(self, other: Conjunction) -> bool:
        """Whether the two can be seen never to hold together."""
        return self.crosses == other.crosses and self._with(other) is None

    def implies(self, other: Conjunction) -> bool:
        """Whether everything `other` asks for is asked for here."""
        return self.crosses == other.crosses and self._with(other) == self

    def _with(self, other: Conjunction) -> Conjunction | None:
        return Conjunction.of(self.parts + other.parts, self.crosses)

    def minus(self, other: Conjunction) -> list[Conjunction]:
        """Exclusive conjunctions that hold where this one does and `other` does not."""
        pieces = []
        agreed = self.parts
        for key, query, comparison in other.parts:
            piece = Conjunction.of((*agreed, (key, query, ALWAYS - comparison)), self.crosses)
            if piece is not None:
                pieces.append(piece)
            agreed = (*agreed, (key, query, comparison))
        return pieces

    def selector(self) -> Selector:
        """The conjunction as a selector."""
        found: Selector | None = None
        for key, query, comparison in self.parts:
            select = Select(key, query, PREDICATE_OF[comparison])
            found = select if found is None else And(found, select)
        return found or Select(Encoded(Constant(1)) if self.crosses else Constant(1), Constant(1), "==")

    def __str__(self) -> str:
        return " and ".join(f"{key} {symbol(c)} {query}" for key, query, c in self.parts) or "always"


def symbol(comparison: Comparison) -> str:
    """The comparison as one writes it."""
    return "".join(sign for sign in "<>=" if sign in comparison)


def _decided(key: SOp, query: SOp, comparison: Comparison) -> Comparison:
    """A comparison of two constants is always or never. Raises `Undefined` where a string and a number are ordered."""
    key = key.node if isinstance(key, Encoded) else key
    if isinstance(key, Constant) and isinstance(query, Constant):
        return ALWAYS if compare(comparison, key.value, query.value) else frozenset()
    return comparison


def disjuncts(selector: Selector, most: int = MAX_DISJUNCTS) -> list[Conjunction]:
    """The selector as conjunctions, none of which implies another.

    Raises `ValueError` when they are too many, `Undefined` where constants are compared that have no order.
    """
    return _normal(selector, True, most)


def _normal(selector: Selector, wanted: bool, most: int) -> list[Conjunction]:
    match closed(selector):
        case Select(key=key, query=query, predicate=predicate):
            comparison = _HOLDS[predicate] if wanted else ALWAYS - _HOLDS[predicate]
            conjunction = Conjunction.of([(key, query, comparison)])
            return [] if conjunction is None else [conjunction]
        case Not(arg=arg):
            return _normal(arg, not wanted, most)
        case And(left=left, right=right) | Or(left=left, right=right):
            first, second = _normal(left, wanted, most), _normal(right, wanted, most)
            met = isinstance(selector, And) == wanted
            return _both(first, second, most) if met else _either(first, second, most)
        case other:
            assert_never(other)


def _both(first: list[Conjunction], second: list[Conjunction], most: int) -> list[Conjunction]:
    met = (Conjunction.of(a.parts + b.parts, a.crosses or b.crosses) for a in first for b in second)
    return _either([conjunction for conjunction in met if conjunction is not None], [], most)


def _either(first: list[Conjunction], second: list[Conjunction], most: int) -> list[Conjunction]:
    kept: list[Conjunction] = []
    for conjunction in first + second:
        if any(conjunction.implies(other) for other in kept):
            continue
        kept = [other for other in kept if not other.implies(conjunction)]
        kept.append(conjunction)
    merged = _merge_one(kept, most)
    if len(merged) > most:
        raise ValueError(f"the selector is an `or` of {len(merged)} cases, more than {most}")
    return merged


def _merge_one(conjunctions: list[Conjunction], most: int) -> list[Conjunction]:
    """Join conjunctions that differ in one comparison only: ``a < b or a == b`` is ``a <= b``."""
    for i, a in enumerate(conjunctions):
        for b in conjunctions[i + 1 :]:
            different = set(a.parts) ^ set(b.parts)
            if len(different) == 2 and len({(key, query) for key, query, _ in different}) == 1:
                union = frozenset().union(*(comparison for _, _, comparison in different))
                key, query, _ = next(iter(different))
                joined = Conjunction.of([*(set(a.parts) & set(b.parts)), (key, query, union)], a.crosses)
                rest = [c for c in conjunctions if c not in (a, b)]
                assert joined is not None
                return _either([*rest, joined], [], most)
    return conjunctions


def exclusive(
    conjunctions: list[Conjunction], never_both: Callable[[Conjunction, Conjunction], bool] = Conjunction.excludes
) -> list[Conjunction]:
    """The same selector as conjunctions of which at most one holds for any query and key.

    Nothing is taken from a conjunction that never holds together with another.
    """
    apart: list[Conjunction] = []
    for conjunction in sorted(conjunctions, key=lambda c: len(c.parts)):
        pieces = [conjunction]
        for earlier in apart:
            pieces = [p for piece in pieces for p in ([piece] if never_both(piece, earlier) else piece.minus(earlier))]
        apart += pieces
    return apart
