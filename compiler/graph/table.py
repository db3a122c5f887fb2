"""Tables: what an elementwise operation gives at every joint value of what it is computed from, all at once.

In: an elementwise node and the tables of its arguments. Out: its `Table`: the few distinct values, exact, and at each
point of a grid the code of one of them. Each axis of a grid belongs to a variable; along it lie the variable's values.
A table that does not depend on a variable has length 1 there, as numpy broadcasts.
Invariants: values are told apart by kind, so 1, 1.0 and True have three codes; None is "undefined"; every value occurs.

    >>> index = along((0, 1, 2), axis=0, axes=1)
    >>> from rasp.meaning.sop import Indices
    >>> apply(Map("*", (Indices(), Indices())), [index, index]).at_points()
    [0, 1, 4]
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from compiler.numbers.exact import Multiples, integers, whole
from rasp.meaning.operators import OPERATORS, Undefined
from rasp.meaning.sop import Lookup, Map
from rasp.value import Value

Codes: TypeAlias = npt.NDArray[Any]

LARGEST_INT = 1 << 31
"""Integers below this size are added and multiplied by numpy: the result fits 64 bits."""

ON_INTS: dict[str, Callable[..., Codes]] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "negate": np.negative,
    "==": np.equal,
    "!=": np.not_equal,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
}


@dataclass(frozen=True)
class Table:
    """Distinct values, and which of them stands at each point of a grid."""

    values: tuple[Value | None, ...]
    codes: Codes

    @cached_property
    def ints(self) -> npt.NDArray[np.int64] | None:
        """The values as machine integers, if all of them are integers, and small."""
        if all(type(value) is int and -LARGEST_INT < value < LARGEST_INT for value in self.values):
            return np.array(self.values, dtype=np.int64)
        return None

    def moved(self, axes: Sequence[int], count: int) -> Table:
        """The table on a grid of `count` axes, its own becoming these."""
        if tuple(axes) == tuple(range(count)):
            return self
        shape = [1] * count
        for axis, size in zip(axes, self.codes.shape, strict=True):
            shape[axis] = size
        order = sorted(range(len(axes)), key=axes.__getitem__)
        return Table(self.values, self.codes.transpose(order).reshape(shape))

    def at_points(self, kept: npt.NDArray[np.bool_] | None = None) -> list[Value | None]:
        """The value at each point in order, or at those that are kept."""
        codes = self.codes.ravel() if kept is None else np.broadcast_to(self.codes, kept.shape)[kept]
        return [self.values[code] for code in codes.tolist()]

    def over(self, size: int) -> list[Value | None]:
        """The value at each point of a single axis of this size."""
        return [self.values[code] for code in np.broadcast_to(self.codes, (size,)).tolist()]

    def occurring(self, kept: npt.NDArray[np.bool_] | None = None) -> list[Value]:
        """The values, without "undefined", that stand at some point, or at one that is kept."""
        if kept is None:
            return [value for value in self.values if value is not None]
        counts = np.bincount(np.broadcast_to(self.codes, kept.shape)[kept], minlength=len(self.values))
        return [value for value, count in zip(self.values, counts, strict=True) if count and value is not None]


@dataclass(frozen=True)
class Scale:
    """A number for each point of a grid: the sum of one digit for each axis, as whole multiples of a fraction."""

    sums: Codes
    unit: Fraction

    @staticmethod
    def of(digits: Sequence[Sequence[Fraction]]) -> Scale:
        """For each axis, the digit of each value along it."""
        common = math.lcm(*(digit.denominator for line in digits for digit in line))
        lines = [[digit.numerator * (common // digit.denominator) for digit in line] for line in digits]
        sums = np.zeros((1,) * len(lines), dtype=integers(sum(max(map(abs, line), default=0) for line in lines)))
        for axis, line in enumerate(lines):
            sums = sums + np.array(line, dtype=sums.dtype).reshape(_line(len(line), axis, len(lines)))
        return Scale(sums, Fraction(1, common))

    @cached_property
    def ascending(self) -> tuple[Multiples, Codes]:
        """Every sum, ascending, and the place of a point that has it."""
        counts, first = np.unique(self.sums, return_index=True)
        return Multiples(counts, self.unit), first

    def over(self, kept: npt.NDArray[np.bool_]) -> tuple[Multiples, Codes]:
        """The same for the points that are kept."""
        counts, first = np.unique(self.sums[kept], return_index=True)
        return Multiples(counts, self.unit), np.flatnonzero(kept)[first]


@dataclass(frozen=True)
class Curve:
    """A function of one number: its arguments, ascending, and the code of the value at each."""

    arguments: Multiples
    values: tuple[Value, ...]
    codes: Codes

    @staticmethod
    def of(table: Table, scale: Scale, kept: npt.NDArray[np.bool_] | None = None) -> Curve:
        """A table over a grid as a function of the number that a scale gives each point.

        No two points that are kept may have one number. Points where the table is undefined are left out.
        """
        codes = np.broadcast_to(table.codes, scale.sums.shape)
        if None in table.values:
            defined = np.array([value is not None for value in table.values])[codes]
            kept = defined if kept is None else kept & defined
        arguments, places = scale.ascending if kept is None else scale.over(kept)
        return Curve(arguments, cast(tuple[Value, ...], table.values), codes.ravel()[places])

    @property
    def steps(self) -> Fraction:
        """The range of the arguments, in units of their smallest distance; 1 where there is only one."""
        return self.arguments.steps

    def points(self) -> list[tuple[Fraction, Fraction]]:
        """Each argument with its value, which has to be a number."""
        return list(zip(self.arguments.numbers, self._heights(self.codes), strict=True))

    def corners(self) -> list[tuple[Fraction, Fraction]]:
        """The points without those between two of the same value."""
        same = np.diff(self._ranks) == 0
        inside = np.concatenate([[False], same[:-1] & same[1:], [False]]) if len(same) else np.zeros(1, dtype=np.bool_)
        places = np.flatnonzero(~inside)
        return list(zip(self.arguments.at(places), self._heights(self.codes[places]), strict=True))

    def beyond(self, slope: Fraction, constant: Fraction) -> Multiples:
        """What the values are beyond a line: each value less ``slope * argument + constant``."""
        heights = Multiples.of([number(value) for value in self.values])
        common = math.lcm(heights.unit.denominator, (slope * self.arguments.unit).denominator, constant.denominator)
        up, along = int(heights.unit * common), int(slope * self.arguments.unit * common)
        largest = up * heights.size + abs(along) * self.arguments.size + abs(int(constant * common))
        dtype = integers(largest)
        counts = up * heights.counts.astype(dtype)[self.codes] - int(constant * common)
        if along:
            counts = counts - along * self.arguments.counts.astype(dtype)
        return Multiples(counts, Fraction(1, common))

    def _heights(self, codes: Codes) -> list[Fraction]:
        numbers = [number(value) for value in self.values]
        return [numbers[code] for code in codes.tolist()]

    @property
    def _ranks(self) -> Codes:
        """Equal codes for equal values, of whatever kind."""
        first: dict[Value | None, int] = {}
        ranks = [first.setdefault(value, code) for code, value in enumerate(self.values)]
        return np.array(ranks, dtype=np.int64)[self.codes]


def number(value: Value | None) -> Fraction:
    """A value as a fraction; 0 for what is no number."""
    if isinstance(value, Fraction):
        return value
    return whole(0 if value is None or isinstance(value, str) else int(value))


def along(values: Sequence[Value], axis: int, axes: int) -> Table:
    """The table of a variable itself: its values along its own axis."""
    return Table(tuple(values), _small(np.arange(len(values)), len(values)).reshape(_line(len(values), axis, axes)))


def _line(size: int, axis: int, axes: int) -> list[int]:
    return [size if i == axis else 1 for i in range(axes)]


def constant(value: Value) -> Table:
    """The same value everywhere."""
    return Table((value,), np.zeros((), dtype=np.uint8))


def apply(node: Map | Lookup, args: Sequence[Table]) -> Table:
    """The table of an elementwise node, given those of its arguments on one grid."""
    codes, met = _joined(args)
    if isinstance(node, Map) and node.op in ON_INTS:
        ints = [arg.ints for arg in args]
        if all(column is not None for column in ints):
            found = ON_INTS[node.op](*(c[at] for c, at in zip(ints, met, strict=True)))  # type: ignore[index]
            distinct, inverse = np.unique(found, return_inverse=True)
            return _coded(tuple(distinct.tolist()), inverse, codes)
    columns = [[arg.values[code] for code in at.tolist()] for arg, at in zip(args, met, strict=True)]
    partial = any(value is None for arg in args for value in arg.values)
    return of(list(map(_evaluator(node, partial), *columns)), codes)


def of(results: Sequence[Value | None], codes: Codes) -> Table:
    """The table of values that the codes count, of which some may be equal."""
    seen: dict[tuple[type, Value | None], int] = {}
    ranks = [seen.setdefault((type(value), value), len(seen)) for value in results]
    return _coded(tuple(value for _, value in seen), ranks, codes)


def _coded(values: tuple[Value | None, ...], ranks: Sequence[int] | Codes, codes: Codes) -> Table:
    return Table(values, np.asarray(_small(np.asarray(ranks), len(values))[codes]))


def _joined(args: Sequence[Table]) -> tuple[Codes, list[Codes]]:
    """A code for each combination of the arguments' values that occurs, and for each argument its part of them."""
    codes, met = args[0].codes, [np.arange(len(args[0].values))]
    for arg in args[1:]:
        here, count = len(arg.values), len(met[0]) * len(arg.values)
        if count == len(met[0]) and arg.codes.size == 1:
            met.append(np.zeros(count, dtype=np.int64))
            continue
        joint = codes.astype(np.int64) * here + arg.codes
        if count <= 4 * joint.size:
            there = np.flatnonzero(np.bincount(joint.ravel(), minlength=count))
            ranks = np.zeros(count, dtype=np.int64)
            ranks[there] = np.arange(len(there))
            codes = ranks[joint]
        else:
            there, inverse = np.unique(joint, return_inverse=True)
            codes = inverse.reshape(joint.shape)
        met = [*(part[there // here] for part in met), there % here]
    return codes, met


def _small(codes: Codes, count: int) -> Codes:
    return codes.astype(np.min_scalar_type(max(count - 1, 0)))


def _evaluator(node: Map | Lookup, partial: bool) -> Callable[..., Value | None]:
    """The operation of a node as a function of its arguments' values, of which some may be undefined if `partial`."""
    if isinstance(node, Lookup):
        return dict(node.table).get
    operation = OPERATORS[node.op].apply

    def evaluate(*values: Value | None) -> Value | None:
        if partial and any(value is None for value in values):
            return None
        try:
            return operation(*values)
        except Undefined:
            return None

    return evaluate


def points(domains: Sequence[Sequence[Value]], kept: npt.NDArray[np.bool_] | None = None) -> list[tuple[Value, ...]]:
    """The joint values along the axes of a grid, in order, or those that are kept."""
    every = itertools.product(*domains)
    return list(every if kept is None else itertools.compress(every, kept.ravel().tolist()))
