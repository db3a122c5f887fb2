"""Values: a finite set of them, exact and in order.

In: values of any kind. Out: `Domain`.
Invariants: no two values are equal (1, 1.0 and True are one); numbers ascend and come before strings. A value that may
be of several kinds is the int: whatever is defined for one of the kinds is defined for ints, and comes to the same.

    >>> print(Domain.of([True, 2, 1, False]), Domain.of(["b", 2, "a"]))
    {False, 1, 2} {2, "a", "b"}
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from compiler.numbers.exact import counts, whole
from compiler.numbers.grid import common_distance
from rasp.meaning.operators import show
from rasp.value import Value


@dataclass(frozen=True)
class Domain:
    """A finite set of values, numbers ascending before strings; 1, 1.0 and True are one value here.

    Many whole numbers at equal distances are a range, which is not written out until somebody asks for each.
    """

    values: Sequence[Value]

    @staticmethod
    def of(values: Iterable[Value]) -> Domain:
        """The domain of these values."""
        distinct: dict[Value, Value] = {}
        for value in values:
            known = distinct.setdefault(value, value)
            if type(known) is not type(value):
                distinct[value] = int(value)
        return Domain(tuple(_ascending(distinct.values())))

    @staticmethod
    def between(low: int, high: int, step: int = 1) -> Domain:
        """The whole numbers from one to another, a distance apart."""
        return Domain(range(low, high + 1, step))

    @cached_property
    def members(self) -> Set[Value]:
        """The values, to look one up."""
        return frozenset(self.values)

    @cached_property
    def numeric(self) -> bool:
        """Whether every value is a number (or a bool)."""
        return isinstance(self.values, range) or not any(isinstance(value, str) for value in self.values)

    @cached_property
    def ends(self) -> tuple[Fraction, Fraction]:
        """The least and the greatest value of a numeric domain."""
        return Fraction(self.values[0]), Fraction(self.values[-1])

    @cached_property
    def whole(self) -> bool:
        """Whether every value is a whole number."""
        return isinstance(self.values, range) or all(
            not isinstance(value, str) and value.denominator == 1 for value in self.values
        )

    @cached_property
    def numbers(self) -> tuple[Fraction, ...]:
        """The values of a numeric domain, as fractions, ascending."""
        return tuple(value if isinstance(value, Fraction) else whole(int(value)) for value in self.values)

    @cached_property
    def averaged(self) -> tuple[Fraction, ...]:
        """What a mean may be made of, ascending: the numbers, unless all of them are bools. Strings have no mean."""
        numbers = tuple(value for value in self.values if not isinstance(value, str))
        if all(isinstance(number, bool) for number in numbers):
            return ()
        return Domain(numbers).numbers

    @cached_property
    def step(self) -> Fraction:
        """The largest number of which all values of a numeric domain are multiples apart; 0 where there is one."""
        if isinstance(self.values, range):
            return Fraction(self.values.step if len(self.values) > 1 else 0)
        return common_distance(self.numbers)

    @cached_property
    def gap(self) -> Fraction:
        """The smallest distance between two values of a numeric domain; 1 where there is only one."""
        if isinstance(self.values, range):
            return Fraction(self.values.step)
        found, common = counts(self.numbers)
        return Fraction(min((b - a for a, b in itertools.pairwise(found)), default=common), common)

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[Value]:
        return iter(self.values)

    def __str__(self) -> str:
        few = self.values if len(self.values) <= 8 else [*self.values[:4], self.values[-1]]
        shown = [show(value) for value in few]
        if len(few) < len(self.values):
            shown.insert(4, f"... {len(self.values) - 5} more ...")
        return "{" + ", ".join(shown) + "}"


def _ascending(values: Iterable[Value]) -> list[Value]:
    """Numbers by size, then strings. Comparing integers is much faster than comparing fractions."""
    texts = [value for value in values if isinstance(value, str)]
    numbers = [value for value in values if not isinstance(value, str)]
    order, _ = counts(numbers)
    return [numbers[i] for i in sorted(range(len(numbers)), key=order.__getitem__)] + sorted(texts)
