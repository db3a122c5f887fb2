"""Columns: what a column of the stream holds, and what the channels of heads add to it.

In: tables of numbers at tokens and at BOS. Out: `Column`, `Sum`, `Channel`; what a reading matrix makes of columns.
Invariant: a column is known, a function of atoms, or it is a sum over selected keys that has no name yet.

    Column(known=Known((indices,), [0, 1, 2]), bos=Known((), 0))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from compiler.trust.verify.machine import Machine
from compiler.trust.verify.space import Bits, CannotVerify, Classes, Known, Reals, largest


@dataclass(frozen=True)
class Column:
    """A column of the stream: its number at every position but BOS, its number at BOS, and what has no name yet."""

    known: Known
    bos: Known
    sums: tuple[Sum, ...] = ()
    base: Known | None = None  # what `sums` are added to


@dataclass(frozen=True)
class Sum:
    """The sum of ``weight(key)`` over the keys that are selected, where no name for it is known yet.

    A "pick" is a mean head that returns 0 for an empty row: it is this sum where it selects one key at most.
    """

    kind: Literal["sum", "pick"]
    queries: Classes
    keys: Classes
    selected: Bits  # [query, key]
    weight: Known
    error: float
    longest: int  # how many keys there are at most
    crosses: bool = False  # whether they stand on the source

    @property
    def largest(self) -> float:
        """The largest it can be. A "pick" is a mean, so it is no larger than what is picked."""
        return self.weight.size * (self.longest if self.kind == "sum" else 1) if self.selected.any() else 0.0

    def times(self, factor: float) -> Sum:
        """A multiple of it."""
        weight = Known(self.weight.atoms, self.weight.table * factor, self.weight.error * abs(factor))
        return replace(self, weight=weight, error=self.error * abs(factor))

    def in_whole_numbers(self) -> Sum:
        """With weights that are meant to be whole numbers made so; what that changes is error, at every key."""
        if self.kind != "sum":
            return self
        table = np.rint(self.weight.table)
        missed = largest(table - self.weight.table)
        if missed > 2.0**-10:
            return self
        return replace(self, weight=replace(self.weight, table=table), error=self.error + self.longest * missed)


@dataclass(frozen=True)
class Channel:
    """What one dimension of a head's values returns: a number or a sum, and what it is at BOS."""

    found: Known | Sum
    bos: Known


def read(machine: Machine, stream: Sequence[Column], weights: Reals, who: str) -> tuple[Known, Known]:
    """A column of a reading matrix: what it reads at a token, and at BOS."""
    terms = [(float(weights[c]), stream[c]) for c in np.flatnonzero(weights).tolist()]
    for _, column in terms:
        if column.sums:
            raise CannotVerify(f"{who} reads a sum over keys that is nothing the program counts or aggregates")
    known = machine.form([(w, column.known) for w, column in terms])
    return known, machine.form([(w, column.bos) for w, column in terms])
