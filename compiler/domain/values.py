"""Values: a finite set of them, exact and in order.

In: values of any kind. Out: `Domain`.
Invariants: no two values are equal (1, 1.0 and True are one); numbers ascend and come before strings. A value that may
be of several kinds is the int: whatever is defined for one of the kinds is defined for ints, and comes to the same.

    >>> print(Domain.of([True, 2, 1, False]), Domain.of(["b", 2, "a"]))
    {False, 1, 2} {2, "a", "b"}
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from compiler.exact import counts, whole
from rasp.operators import show
from rasp.value import Value


@dataclass(frozen=True)
class Domain:
    """A finite set of values, numbers ascending before strings; 1, 1.0 and True are one value here."""

    values: tuple[Value, ...]

    @staticmethod
    def of(values: Iterable[Value]) -> Domain:
        """The domain of these values."""
        distinct: dict[Value, Value] = {}
        for value in values:
            known = distinct.setdefault(value, value)
            if type(known) is not type(value):
                distinct[value] = int(value)
        return Domain(tuple(_ascending(distinct.values())))

    @cached_property
    def members(self) -> frozenset[Value]:
        """The values, to look one up."""
        return frozenset(self.values)

    @cached_property
    def numeric(self) -> bool:
        """Whether every value is a number (or a bool)."""
        return not any(isinstance(value, str) for value in self.values)

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
    def gap(self) -> Fraction:
        """The smallest distance between two values of a numeric domain; 1 where there is only one."""
        found, common = counts(self.numbers)
        return Fraction(min((b - a for a, b in itertools.pairwise(found)), default=common), common)

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[Value]:
        return iter(self.values)

    def __str__(self) -> str:
        shown = [show(value) for value in self.values]
        if len(shown) > 8:
            shown = [*shown[:4], f"... {len(shown) - 5} more ...", shown[-1]]
        return "{" + ", ".join(shown) + "}"


def _ascending(values: Iterable[Value]) -> list[Value]:
    """Numbers by size, then strings. Comparing integers is much faster than comparing fractions."""
    texts = [value for value in values if isinstance(value, str)]
    numbers = [value for value in values if not isinstance(value, str)]
    order, _ = counts(numbers)
    return [numbers[i] for i in sorted(range(len(numbers)), key=order.__getitem__)] + sorted(texts)
