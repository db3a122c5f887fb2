"""Values: a finite set of them, exact and in order.

In: values of any kind. Out: `Domain`.
Invariants: no two values are equal (1, 1.0 and True are one); numbers ascend and come before strings.

    >>> print(Domain.of([True, 2, 1, False]), Domain.of(["b", 2, "a"]))
    {0, 1, 2} {2, "a", "b"}
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from compiler.exact import counts, whole
from rasp.operators import show
from rasp.value import Kind, Value, kind_of_all


@dataclass(frozen=True)
class Domain:
    """A finite set of values, numbers ascending before strings; 1, 1.0 and True are one value here."""

    values: tuple[Value, ...]
    kind: Kind | None  # the printed kind of a sequence of such values; None where strings and numbers mix

    @staticmethod
    def of(values: Iterable[Value]) -> Domain:
        """The domain of these values; where equal values of several kinds meet, the widest kind wins."""
        found = dict.fromkeys((type(value), value) for value in values)
        kind = kind_of_all([value for _, value in found]) if found else None
        distinct: dict[Value, Value] = {}
        for _, value in found:
            distinct.setdefault(value, _as_kind(value, kind))
        return Domain(tuple(_ascending(distinct.values())), kind)

    @cached_property
    def numeric(self) -> bool:
        """Whether every value is a number (or a bool)."""
        return not any(isinstance(value, str) for value in self.values)

    @cached_property
    def numbers(self) -> tuple[Fraction, ...]:
        """The values of a numeric domain, as fractions, ascending."""
        return tuple(value if isinstance(value, Fraction) else whole(int(value)) for value in self.values)

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


def _as_kind(value: Value, kind: Kind | None) -> Value:
    if kind == "int" and isinstance(value, bool):
        return int(value)
    return Fraction(value) if kind == "float" else value


def _ascending(values: Iterable[Value]) -> list[Value]:
    """Numbers by size, then strings. Comparing integers is much faster than comparing fractions."""
    texts = [value for value in values if isinstance(value, str)]
    numbers = [value for value in values if not isinstance(value, str)]
    order, _ = counts(numbers)
    return [numbers[i] for i in sorted(range(len(numbers)), key=order.__getitem__)] + sorted(texts)
