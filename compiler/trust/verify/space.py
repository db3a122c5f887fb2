"""Space: functions of what a program's variables are, as tables over their joint values.

In: an `Analysis`. Out: `Space`, which joins, reduces and classifies functions of *atoms*: the token, the position and
the results of attention. `Known` is a number in the stream: its table, and how far the running one may be from it.
Invariants: a table is NaN exactly where no input that is meant has an answer with these values; nothing is larger than
`MAX_POINTS`, beyond it `CannotVerify` is raised.

    Known(atoms=(indices,), table=[0, 1, 2], error=0.0)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from compiler.graph.domain import Analysis, bounded
from rasp.meaning.sop import SOp
from rasp.value import Value

Reals: TypeAlias = npt.NDArray[np.float64]
Codes: TypeAlias = npt.NDArray[np.int64]
Bits: TypeAlias = npt.NDArray[np.bool_]
Atoms: TypeAlias = tuple[SOp, ...]

MAX_POINTS = 1 << 22
"""Most joint values of atoms that anything is tabulated over."""
MAX_PAIRS = 1 << 24
"""Most pairs of a query class and a key class, or of a row and a logit, that are looked at."""


class CannotVerify(Exception):
    """The model is not verified; the message says what is wrong with it or beyond what is looked at."""


@dataclass(frozen=True)
class Known:
    """A number as a function of atoms, one axis each, and a bound on its error."""

    atoms: Atoms
    table: Reals
    error: float = 0.0

    @property
    def size(self) -> float:
        """The largest absolute value, error included."""
        return largest(self.table) + self.error

    @property
    def is_zero(self) -> bool:
        """Whether it is exactly 0 everywhere."""
        return self.error == 0.0 and not np.nan_to_num(self.table).any()


@dataclass(frozen=True)
class Classes:
    """Joint values of atoms, sorted into `count` classes; -1 where none can occur."""

    atoms: Atoms
    codes: Codes
    count: int


def constant(number: float, error: float = 0.0) -> Known:
    """The same number everywhere."""
    return Known((), np.array(float(number)), error)


def largest(table: Reals) -> float:
    """The largest absolute value of a table; 0 where nothing can occur."""
    sizes = np.abs(table)
    found = float(np.fmax.reduce(sizes, axis=None, initial=0.0))
    return found


def grid(table: Reals | float) -> float:
    """The largest power of two that every number is a whole multiple of; infinite if all are 0."""
    numbers = np.asarray(table, dtype=np.float64).ravel()
    numbers = numbers[(numbers != 0) & np.isfinite(numbers)]
    if not len(numbers):
        return math.inf
    mantissas, exponents = np.frexp(numbers)
    whole = (mantissas * 2.0**53).astype(np.int64)
    lowest = np.log2((whole & -whole).astype(np.float64))
    return float(2.0 ** max(float((lowest + exponents - 53).min()), -1074.0))


class Space:
    """Tables over the joint values of the atoms of one program."""

    def __init__(self, analysis: Analysis, name: Callable[[SOp], str]) -> None:
        """`name` says what an atom is called in messages."""
        self.analysis = analysis
        self.name = name
        self.requires = [(analysis.variables(node), node) for node in analysis.requires]
        self.together: list[tuple[Atoms, Callable[[Atoms], Bits]]] = []
        """Atoms that vary together: given some of them, a function tells which of their joint values can occur."""
        self._impossible: dict[Atoms, Bits | None] = {}

    def values(self, atom: SOp) -> Sequence[Value]:
        """What an atom can be, along its axis."""
        return self.analysis.domain(atom).values

    def shape(self, atoms: Atoms) -> tuple[int, ...]:
        """The lengths of the axes. Raises `CannotVerify` for too large a table."""
        if (count := self.points([atoms])) > MAX_POINTS:
            names = ", ".join(map(self.name, atoms))
            raise CannotVerify(f"{count} joint values of {names} are more than {MAX_POINTS}")
        return tuple(len(self.values(atom)) for atom in atoms)

    def points(self, parts: Iterable[Atoms]) -> int:
        """How many joint values the atoms of several tables have."""
        return math.prod(len(self.values(atom)) for atom in {atom for atoms in parts for atom in atoms})

    def union(self, parts: Iterable[Atoms]) -> Atoms:
        """All atoms of several tables, in the order of every table here."""
        return tuple(sorted({atom for atoms in parts for atom in atoms}, key=lambda atom: atom.id))

    def spread(self, table: Any, own: Atoms, atoms: Atoms) -> Any:
        """A table with axes of length 1 for the atoms that it does not depend on."""
        if own == atoms:
            return table
        sizes = dict(zip(own, np.shape(table), strict=True))
        return np.reshape(table, [sizes.get(atom, 1) for atom in atoms])

    def impossible(self, atoms: Atoms) -> Bits | None:
        """Where no input that is meant has these values: a position is below the length, what is required holds."""
        if atoms not in self._impossible:
            self._impossible[atoms] = self._excluded(atoms)
        return self._impossible[atoms]

    def _excluded(self, atoms: Atoms) -> Bits | None:
        masks = []
        for small, large, by in bounded(atoms, self.analysis.setting.causal):
            low, high = (
                self.spread(np.array(self.values(atom), dtype=np.int64), (atom,), atoms) for atom in (small, large)
            )
            masks.append(low + by > high)
        for variables, node in self.requires:
            if set(variables) <= set(atoms) and variables:
                own = self.union([variables])
                allowed = np.zeros(self.shape(own), dtype=np.bool_)
                places = [{v: i for i, v in enumerate(self.values(atom))} for atom in own]
                order = [variables.index(atom) for atom in own]
                for point, value in self.analysis.table(node):
                    if value:
                        allowed[tuple(place[point[o]] for place, o in zip(places, order, strict=True))] = True
                masks.append(~self.spread(allowed, own, atoms))
        for family, allowed_among in self.together:
            present = tuple(atom for atom in atoms if atom in family)
            if len(present) > 1:
                self.shape(present)
                masks.append(~self.spread(allowed_among(present), present, atoms))
        if not masks:
            return None
        return np.broadcast_to(np.logical_or.reduce(np.broadcast_arrays(*masks)), self.shape(atoms))

    def known(self, atoms: Atoms, table: Reals, error: float) -> Known:
        """A function with fewer atoms, where it does not depend on them."""
        shape = self.shape(atoms)
        mask = self.impossible(atoms)
        if mask is not None:
            table = np.where(mask, np.nan, np.broadcast_to(table, shape))
        kept = list(atoms)
        for atom in atoms:
            axis = kept.index(atom)
            if table.shape[axis] == 1:
                table = np.squeeze(table, axis)
                kept.pop(axis)
                continue
            low, high = np.fmin.reduce(table, axis=axis), np.fmax.reduce(table, axis=axis)
            if not ((low != high) & ~np.isnan(low)).any():
                table = low
                kept.pop(axis)
        return Known(tuple(kept), np.asarray(table), error)

    def total(self, terms: Sequence[tuple[float, Known]]) -> tuple[Atoms, Reals]:
        """The table of a sum of multiples."""
        atoms = self.union(known.atoms for _, known in terms)
        table = np.zeros([1] * len(atoms)) if atoms else np.array(0.0)
        self.shape(atoms)
        for coefficient, known in terms:
            table = table + coefficient * self.spread(known.table, known.atoms, atoms)
        return atoms, np.asarray(table)

    def merged(self, terms: Iterable[tuple[float, Known]]) -> tuple[tuple[Atoms, Reals], ...]:
        """A sum of multiples, as one table for each set of atoms that one of them depends on."""
        tables: dict[Atoms, Reals] = {}
        for coefficient, known in terms:
            tables[known.atoms] = tables.get(known.atoms, np.array(0.0)) + coefficient * known.table
        return tuple(tables.items())

    def classes(self, known: Known) -> tuple[Classes, Reals]:
        """The distinct numbers of a function, ascending, and where each stands."""
        mask = np.isnan(known.table)
        numbers, codes = np.unique(np.where(mask, np.inf, known.table), return_inverse=True)
        codes = codes.reshape(known.table.shape).astype(np.int64)
        codes[mask] = -1
        numbers = numbers[np.isfinite(numbers)]
        return Classes(known.atoms, codes, len(numbers)), numbers

    def joint(self, parts: Sequence[Classes], among: Atoms = ()) -> tuple[Classes, list[Codes]]:
        """The combinations of classes that can occur, and for each part its class in every combination."""
        atoms = self.union([*(part.atoms for part in parts), among])
        shape = self.shape(atoms)
        code, bad, count = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.bool_), 1
        mask = self.impossible(atoms)
        if mask is not None:
            bad |= mask
        for part in parts:
            own = self.spread(part.codes, part.atoms, atoms)
            bad |= own < 0
            if count * max(part.count, 1) >= 1 << 62:
                distinct, inverse = np.unique(code, return_inverse=True)
                code, count = inverse.reshape(shape).astype(np.int64), len(distinct)
            code = code * max(part.count, 1) + own
            count *= max(part.count, 1)
        good = np.flatnonzero(~bad.ravel())
        distinct, first, inverse = np.unique(code.ravel()[good], return_index=True, return_inverse=True)
        codes = np.full(code.size, -1, dtype=np.int64)
        codes[good] = inverse
        places = dict(zip(atoms, np.unravel_index(good[first], shape) if shape else (), strict=True))
        members = [
            part.codes[tuple(places[atom] for atom in part.atoms)]
            if part.atoms
            else np.full(len(distinct), int(part.codes), dtype=np.int64)
            for part in parts
        ]
        return Classes(atoms, codes.reshape(shape), len(distinct)), members
