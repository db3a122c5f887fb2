"""Joint values: what several s-ops of whole numbers can be at one position, together.

In: s-ops computed from variables by whole-number arithmetic. Out: the distinct rows of their values, one column each.
Invariant: every joint value that occurs on an input with an answer is among the rows; not all rows need occur.

Counts and sums over one selector belong together, and those over what comparisons with constants leave of its
keys: they are what so many keys can add up to (docs/constructions.md, C24).

    length, total(full_s, tokens) over 0 and 2, up to two positions:  (1, 0), (1, 2), (2, 0), (2, 2), (2, 4)
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from compiler.graph.domain.setting import Setting
from compiler.graph.domain.tables import Tables
from compiler.graph.domain.values import Domain
from compiler.graph.domain.variables import POSITION, Variables, bounded
from compiler.graph.relation import PREDICATE_OF, Conjunction
from compiler.graph.table import LARGEST_INT, ON_INTS
from rasp.meaning.operators import PREDICATES
from rasp.meaning.sop import Constant, Map, Selector, SOp, Total, Width, at_source
from rasp.text.source import RaspError

Rows: TypeAlias = npt.NDArray[np.int64]
_Split: TypeAlias = tuple[object, SOp]

MAX_ROWS = 1 << 20
"""Joint values that are listed; where there are more, nothing is said."""
MAX_SUMS = 1 << 18
"""Sums of keys that are listed; they are found key by key."""
MAX_MARKS = 1 << 34
"""Bits that mark sums and are shifted, by one row after the other, 64 at a time: a second at most."""
_ARITHMETIC = {op: ON_INTS[op] for op in ("+", "-", "*")}
_TRUTHS: dict[str, Callable[..., npt.NDArray[Any]]] = {
    **{op: ON_INTS[op] for op in PREDICATES},
    "and": np.logical_and,
    "or": np.logical_or,
    "not": np.logical_not,
    "indicator": lambda numbers: numbers != 0,
}


class Joint:
    """The joint values of the s-ops of one setting."""

    def __init__(
        self,
        setting: Setting,
        variables: Variables,
        tables: Tables,
        domain: Callable[[SOp], Domain],
        cases: Callable[[Selector], list[Conjunction]],
        encoder: Joint | None = None,
    ) -> None:
        """`encoder` knows the joint values of the s-ops of the source."""
        self.setting = setting
        self.encoder = encoder
        self.cases = cases
        self.variables = variables
        self.tables = tables
        self.domain = domain
        self._sums: dict[tuple[SOp, ...], Rows | None] = {}
        self._split: dict[SOp, _Split] = {}

    def rows(self, nodes: Sequence[SOp]) -> Rows | None:
        """The distinct joint values of s-ops of whole numbers; None where they are unknown or too many."""
        own = [node for node in nodes if self.variables.of(node)]
        if self.encoder is not None and own and all(node.encoded for node in own):
            return self.encoder.rows([*map(at_source, nodes)])
        parts = self.parts(nodes)
        places = self._places(parts) if parts else None
        if places is None:
            return None
        columns = [self._column(node, places) for node in nodes]
        if any(column is None for column in columns):
            return None
        size = max((len(place) for place in places.values()), default=1)
        found = np.stack([np.broadcast_to(column, (size,)) for column in columns], axis=1)  # type: ignore[arg-type]
        return _distinct(found)

    def parts(self, nodes: Sequence[SOp]) -> tuple[SOp, ...]:
        """What the s-ops are computed from by whole-number arithmetic; nothing where one of them is not."""
        leaves: dict[SOp, None] = {}
        return tuple(leaves) if all(self._leaves(node, leaves) for node in nodes) else ()

    def combined(self, node: Map) -> list[int] | None:
        """The values of a sum, a difference or a product; None where they are unknown or too many."""
        rows = self.rows(node.args) if node.op in _ARITHMETIC else None
        if rows is None or (len(rows) and np.abs(rows).max() >= LARGEST_INT):
            return None
        found: list[int] = np.unique(_ARITHMETIC[node.op](rows[:, 0], rows[:, 1])).tolist()
        return found

    def _leaves(self, node: SOp, found: dict[SOp, None]) -> bool:
        """Add what the s-op is computed from by whole-number arithmetic; whether it is whole all over.

        What is not known to be computed so, such as a comparison of strings, is a leaf itself.
        """
        if isinstance(node, Constant):
            return not isinstance(node.value, str) and node.value.denominator == 1
        variables = self.variables.of(node)
        if node not in variables and not self._is_whole(node):
            return False
        if len(variables) == 1 and (node in variables or not isinstance(self.domain(node).values, range)):
            found[variables[0]] = None
            return node not in variables or self._is_whole(node)
        if isinstance(node, Map) and (node.op in _ARITHMETIC or node.op in _TRUTHS or node.op in ("if", "negate")):
            deeper = dict(found)
            if all(self._leaves(arg, deeper) for arg in node.args):
                found |= deeper
                return True
        found[node] = None
        return True

    def _is_whole(self, node: SOp) -> bool:
        domain = self.domain(node)
        return domain.numeric and domain.whole

    def _is_small(self, node: SOp) -> bool:
        """Whether sums and products of its numbers are numbers that arrays hold."""
        return all(abs(end) < LARGEST_INT for end in self.domain(node).ends)

    def _places(self, variables: tuple[SOp, ...]) -> dict[SOp, Rows] | None:
        """For each joint value of the variables, the place of each one's value in its domain."""
        groups: list[tuple[tuple[SOp, ...], Rows]] = []
        taken: set[SOp] = set()
        for var in variables:
            if var in taken:
                continue
            together = self._together(var, variables)
            found = self._summed(together) if len(together) > 1 else None
            if found is None:
                together, found = (var,), np.arange(len(self.domain(var))).reshape(-1, 1)
            taken |= set(together)
            groups.append((together, found))
        if math.prod(len(rows) for _, rows in groups) > MAX_ROWS:
            return None
        grid = np.indices([len(rows) for _, rows in groups]).reshape(len(groups), -1)
        places = {
            var: rows[at, i] for (group, rows), at in zip(groups, grid, strict=True) for i, var in enumerate(group)
        }
        for small, large, by in (*bounded(variables, self.setting.causal), *self._bits_so_far(variables)):
            kept = self._values(small, places) + by <= self._values(large, places)
            places = {var: place[kept] for var, place in places.items()}
        return places

    def _bits_so_far(self, variables: Sequence[SOp]) -> Iterator[tuple[SOp, SOp, int]]:
        """A sum of bits is a count: no larger than the number of keys that may be seen, where the future is hidden."""
        if self.setting.causal and POSITION in variables:
            sums = (var for var in variables if isinstance(var, Total) and not var.selector.encoded)
            yield from ((var, POSITION, -1) for var in sums if {*self.domain(var.value)} <= {0, 1})

    def _values(self, var: SOp, places: dict[SOp, Rows]) -> Rows:
        return np.array(self.domain(var).values, dtype=np.int64)[places[var]]

    def _together(self, var: SOp, variables: tuple[SOp, ...]) -> tuple[SOp, ...]:
        """The counts and the sums over the keys of a variable, as far as they are among the variables."""
        return tuple(other for other in variables if self.counted_among(other) == self.counted_among(var))

    def counted_among(self, var: SOp) -> object:
        """Which keys those of a count or a sum are chosen from: counts and sums over the same belong together."""
        return self._keys(var)[0]

    def _keys(self, var: SOp) -> _Split:
        """Which keys a count or a sum is of, and what each of them adds: 0 where it is not one of the selected.

        A selector is the part that depends on the query, and comparisons of the key with constants.
        """
        if var not in self._split:
            self._split[var] = self._found_keys(var)
        return self._split[var]

    def _found_keys(self, var: SOp) -> _Split:
        if not isinstance(var, Width | Total):
            return var, var
        value = var.value if isinstance(var, Total) else Constant(1)
        try:
            cases = self.cases(var.selector)
        except RaspError:  # too many, or one without a value
            cases = []
        if len(cases) != 1:
            return var.selector, value
        kept = cases[0].crosses, frozenset(part for part in cases[0].parts if not isinstance(part[1], Constant))
        asked: list[SOp] = [
            Map(PREDICATE_OF[how], (key, query)) for key, query, how in cases[0].parts if isinstance(query, Constant)
        ]
        return kept, Map("if", (reduce(_both, asked), value, Constant(0))) if asked else value

    def _summed(self, together: tuple[SOp, ...]) -> Rows | None:
        """What some keys can add up to, each column as places in the domain of its s-op."""
        if together not in self._sums:
            self._sums[together] = self._found(together)
        return self._sums[together]

    def _added(self, each: Rows, least: int, n: int) -> Rows | None:
        """All sums of at least so many rows and at most n; None where they are too many."""
        sizes = [n * width + 1 for width in (each.max(axis=0) - each.min(axis=0)).tolist()]
        if math.prod(sizes) * n * len(each) > MAX_MARKS:
            return self._listed(each, least, n)
        return self._as_bits(each, sizes, least, n)

    def _as_bits(self, each: Rows, sizes: Sequence[int], least: int, n: int) -> Rows | None:
        """The same as the bits of one integer (C24): sums are counted from the least, and are digits of a bit's place.

        A digit goes up to what the longest input adds up to, so nothing is carried into the next: to add a row is to
        shift all bits by the row's own place, and all rows at once are an `or` of shifts.
        """
        low = each.min(axis=0)
        places = [math.prod(sizes[i + 1 :]) for i in range(len(sizes))]
        shifts = [sum(map(operator.mul, row, places)) for row in (each - low).tolist()]
        mask, count, found = 1, 0, []
        for keys in range(n + 1):
            if keys >= least:
                count += mask.bit_count()
                if count > MAX_ROWS:
                    return None
                bits = np.frombuffer(mask.to_bytes(mask.bit_length() // 8 + 1, "little"), dtype=np.uint8)
                marks = np.flatnonzero(np.unpackbits(bits, bitorder="little"))
                found.append(np.stack(np.unravel_index(marks, sizes), axis=1) + keys * low)
            mask = reduce(operator.or_, (mask << shift for shift in shifts))
        return _distinct(np.concatenate(found))

    def _listed(self, each: Rows, least: int, n: int) -> Rows | None:
        """The same as rows that are added to each other."""
        last = np.zeros((1, each.shape[1]), dtype=np.int64)
        levels = [last]
        for _ in range(n):
            if len(last) * len(each) > 4 * MAX_SUMS:
                return None
            last = _distinct((last[:, None, :] + each[None, :, :]).reshape(-1, each.shape[1]))
            levels.append(last)
            if sum(map(len, levels)) > MAX_SUMS:
                return None
        return _distinct(np.concatenate(levels[least:]))

    def _most(self, var: SOp) -> int:
        """How many keys a count or a sum has at most."""
        crosses = isinstance(var, Width | Total) and var.selector.encoded
        return (self.encoder if crosses and self.encoder is not None else self).setting.max_length

    def _found(self, together: tuple[SOp, ...]) -> Rows | None:
        values = [self._keys(var)[1] for var in together]
        if not all(self._is_whole(value) and self._is_small(value) for value in values):
            return None
        each = self.rows(values)
        if each is None:
            return None
        count = next((i for i, value in enumerate(values) if value == Constant(1)), None)
        least = 0 if count is None else int(self.domain(together[count]).values[0])
        sums = self._added(each, least, self._most(together[0]))
        if sums is None:
            return None
        for var, column in zip(together, range(sums.shape[1]), strict=True):
            known = np.array(self.domain(var).values, dtype=np.int64)
            at = np.minimum(np.searchsorted(known, sums[:, column]), len(known) - 1)
            kept = known[at] == sums[:, column]  # what is left out is in no domain, so it cannot occur
            sums = sums[kept]
            sums[:, column] = at[kept]
        return sums

    def _column(self, node: SOp, places: dict[SOp, Rows]) -> Rows | None:
        """The numbers of an s-op at each joint value."""
        if len(self.variables.of(node)) == 1 and not isinstance(self.domain(node).values, range):
            return self._of_one(node, places)
        if node in places:
            return self._values(node, places) if self._is_small(node) else None
        match node:
            case Constant(value=value):
                return None if isinstance(value, str) or value.denominator != 1 else np.array([int(value)])
            case Map(op=op, args=(a, b)) if op in _ARITHMETIC:
                left, right = self._column(a, places), self._column(b, places)
                if left is None or right is None:
                    return None
                if any(len(side) and np.abs(side).max() >= LARGEST_INT for side in (left, right)):
                    return None
                return np.asarray(_ARITHMETIC[op](left, right))
            case Map(op="negate", args=(a,)):
                inner = self._column(a, places)
                return None if inner is None else -inner
            case Map(op="if", args=args):
                parts = [self._column(arg, places) for arg in args]
                if parts[0] is None or parts[1] is None or parts[2] is None:
                    return None
                return np.where(parts[0] != 0, parts[1], parts[2])
            case Map(op=op, args=args) if op in _TRUTHS:
                parts = [self._column(arg, places) for arg in args]
                if any(part is None for part in parts):
                    return None
                return np.asarray(_TRUTHS[op](*parts)).astype(np.int64)
        return self._of_one(node, places) if len(self.variables.of(node)) == 1 else None

    def _of_one(self, node: SOp, places: dict[SOp, Rows]) -> Rows | None:
        """The numbers of a function of one variable."""
        (variable,) = self.variables.of(node)
        if not self._is_whole(node):
            return None
        if variable not in places:
            return None
        table = self.tables.of(node)
        listed = [0 if value is None else int(value) for value in table.values]
        if any(abs(number) >= LARGEST_INT for number in listed):
            return None
        numbers = np.array(listed, dtype=np.int64)
        return np.asarray(numbers[np.broadcast_to(table.codes, (len(self.domain(variable)),))][places[variable]])


def _distinct(rows: Rows) -> Rows:
    """The distinct rows, in order. Where they fit, they are compared as single numbers, which is much faster."""
    if not len(rows):
        return rows
    low, high = rows.min(axis=0), rows.max(axis=0)
    sizes = [int(size) for size in high - low + 1]
    if math.prod(sizes) >= 1 << 62:
        return np.asarray(np.unique(rows, axis=0))
    places = np.array([math.prod(sizes[i + 1 :]) for i in range(len(sizes))], dtype=np.int64)
    _, first = np.unique((rows - low) @ places, return_index=True)
    return np.asarray(rows[first])


def _both(one: SOp, other: SOp) -> SOp:
    return Map("and", (one, other))
