"""Machine: what the model's arithmetic does to numbers that are known up to an error.

In: `Known` numbers and weights. Out: what sums of products, stored results and residual additions hold, with the error
that rounding adds. The assumed arithmetic is that of `compiler.numbers.precision`.
Invariant: an error of 0 says that the running stream holds the table's number to the bit.

    1 * 12582912 + 3 (error 1e-5) is 12582915 (error 0): near it floats are 1 apart
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from compiler.numbers.precision import Precision
from compiler.trust.verify.space import Bits, CannotVerify, Known, Reals, Space, grid, largest

OWN = 2.0**-52
"""Relative error of this analysis' own arithmetic, twice its unit roundoff."""
EXACT = 2.0**53
"""Whole numbers up to this are exact in this analysis' own arithmetic."""


@dataclass(frozen=True)
class Machine:
    """The arithmetic of one dtype."""

    p: Precision
    space: Space

    def holds(self, numbers: Reals) -> Bits:
        """Which numbers the dtype holds exactly."""
        mantissas, _ = np.frexp(numbers)
        scaled = mantissas * 2.0**self.p.bits
        return np.asarray((np.rint(scaled) == scaled) & self._in_range(numbers))

    def _in_range(self, numbers: Reals) -> Bits:
        sizes = np.abs(numbers)
        return np.asarray((sizes == 0) | ((sizes >= self.p.smallest) & (sizes <= self.p.largest)))

    def require_fit(self, stored: float, total: float) -> None:
        """Raise `CannotVerify` where a stored number, or a partial sum of what is added up to it, may overflow."""
        if not stored * (1 + 4 * self.p.unit) <= self.p.largest:
            raise CannotVerify(f"a number as large as {stored:.3g} may overflow in {self.p.name}")
        if not total <= self.p.sum_largest:
            raise CannotVerify(f"a sum as large as {total:.3g} may overflow")

    def half_gaps(self, numbers: Reals) -> Reals:
        """How far a number may be off and still be rounded to the given one."""
        mantissas, exponents = np.frexp(numbers)
        gaps = np.ldexp(1.0, exponents - self.p.bits)  # the distance to the next larger one in size
        return np.asarray(np.where(np.abs(mantissas) == 0.5, gaps / 4, gaps / 2))

    def form(self, terms: Sequence[tuple[float, Known]]) -> Known:
        """A row of the stream times a column of a matrix, stored."""
        terms = [(c, known) for c, known in terms if c != 0.0 and not known.is_zero]
        if not terms:
            return Known((), np.array(0.0))
        atoms, table = self.space.total(terms)
        found = self.space.known(atoms, table, 0.0)
        return Known(found.atoms, found.table, self.form_error(terms, largest(found.table)))

    def form_error(self, terms: Sequence[tuple[float, Known]], size: float) -> float:
        """The error of a stored sum of products whose largest value is `size`."""
        carried = sum(abs(c) * known.error for c, known in terms)
        self.require_fit(size + carried, sum(abs(c) * known.size for c, known in terms))
        if len(terms) == 1 and math.frexp(abs(terms[0][0]))[0] == 0.5:
            return carried
        if carried == 0.0 and self.is_exact([(c, known.table) for c, known in terms], size):
            return 0.0
        total = sum(abs(c) * known.size for c, known in terms)
        summed = (len(terms) + 1) * self.p.sum_unit * total + OWN * (len(terms) + 1) * total
        narrow = self.p.bits < self.p.accumulator or size < 1.0
        return carried + summed + (self.p.rounding(size + carried + summed) if narrow else 0.0)

    def is_exact(self, terms: Sequence[tuple[float, Reals]], size: float) -> bool:
        """Whether a sum of products of exact numbers is free of rounding in whatever order it is added up."""
        unit = min((grid(c) * grid(table) for c, table in terms if c), default=math.inf)
        if math.isinf(unit):
            return True
        ends = [sorted((c * float(np.nanmin(t)), c * float(np.nanmax(t)))) for c, t in terms if t.size]
        up, down = sum(max(high, 0.0) for _, high in ends), sum(max(-low, 0.0) for low, _ in ends)
        tiny = unit < self.p.smallest
        return not tiny and max(up, down) / unit <= min(self.p.sum_whole, EXACT) and size / unit <= self.p.whole

    def added(self, old: Known, parts: Sequence[Known], error: float) -> tuple[Known, float]:
        """The stream after a residual addition of parts whose sum carries an error; and the margin that was used.

        A sum that is near a number of the dtype, and nearer than half of the distance to the next, becomes it.
        The margin is infinite where nothing had to be rounded away.
        """
        terms = [(1.0, old), *((1.0, part) for part in parts)]
        atoms, table = self.space.total(terms)
        found = self.space.known(atoms, table, 0.0)
        own = 0.0 if self._adds_exactly(terms) else OWN * len(terms) * sum(k.size for _, k in terms)
        reach = old.error + error + own
        size = largest(found.table) + reach
        change = min(sum(part.size for part in parts) + error, size + old.size)
        self.require_fit(max(size, change), size)
        numbers = found.table[~np.isnan(found.table)]
        held = bool(self.holds(numbers).all())
        if held and reach == 0.0:
            return found, math.inf
        margin = float(self.half_gaps(numbers[numbers != 0]).min(initial=math.inf)) if held else 0.0
        if held and reach < margin and not (numbers == 0).any():
            return found, margin
        if old.is_zero:  # nothing is rounded in adding to 0
            return Known(found.atoms, found.table, reach), math.inf
        return Known(found.atoms, found.table, reach + self.p.rounding(size)), math.inf

    def _adds_exactly(self, terms: Sequence[tuple[float, Known]]) -> bool:
        """Whether the tables are added up without rounding here."""
        unit = min(grid(known.table) for _, known in terms)
        up, down = (
            sum(float(np.fmax.reduce(sign * k.table, axis=None, initial=0.0)) for _, k in terms) for sign in (1, -1)
        )
        return math.isinf(unit) or max(up, down) / unit <= EXACT
