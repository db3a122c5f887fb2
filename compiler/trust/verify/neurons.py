"""Neurons: what an MLP adds to the stream, as functions of the numbers that its neurons read.

In: the stream after attention, W_in, b_in, W_out. Out: for each column what is added, and the error of that.
Invariant: neurons that read the same number are one function of it, evaluated exactly at each of its values; its error
there is the error of the number times the steepest slope within it, and rounding. Where that number depends on more
than can be tabulated, all that a column gets is looked at in cases (`cases`).

    relu(x) - 2 relu(x - 1) of x in {0, 1, 2}: 0, 1, 0
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from compiler.trust.verify.cases import Neuron, in_cases
from compiler.trust.verify.machine import OWN, Machine
from compiler.trust.verify.meaning import Meaning
from compiler.trust.verify.space import MAX_POINTS, Bits, CannotVerify, Codes, Known, Reals, grid, largest

MAX_CELLS = 1 << 24
"""Most values of a number times neurons that read it."""
Read = Callable[[Reals, str], tuple[Known, Known]]
"""A column of a reading matrix at tokens and at BOS, before it is stored."""


@dataclass(frozen=True)
class Added:
    """What is added to one column: functions of atoms, and the error of their sum."""

    parts: tuple[Known, ...]
    error: float


def mlp(
    machine: Machine,
    meaning: Meaning,
    terms_of: Callable[[Reals], list[tuple[float, Known]]],
    weights: tuple[Reals, Reals, Reals],
) -> dict[int, Added]:
    """What each column gets."""
    inward, bias, out = weights
    readers = list(_readers(machine, terms_of, inward, bias, out))
    found = {}
    for column in np.flatnonzero(out.any(axis=0)).tolist():
        writing = [(reader, out[reader.chosen, column]) for reader in readers if out[reader.chosen, column].any()]
        if writing:
            found[column] = _written(machine, meaning, writing)
    return found


def _readers(
    machine: Machine, terms_of: Callable[[Reals], list[tuple[float, Known]]], inward: Reals, bias: Reals, out: Reals
) -> Iterator[_Readers]:
    """The neurons by what they read; those that write nothing are left out."""
    groups: dict[bytes, list[int]] = {}
    signs = np.ones(inward.shape[1])
    for j in np.flatnonzero(out.any(axis=1)).tolist():
        nonzero = np.flatnonzero(inward[:, j])
        signs[j] = -1.0 if len(nonzero) and inward[nonzero[0], j] < 0 else 1.0
        groups.setdefault((inward[:, j] * signs[j] + 0.0).tobytes(), []).append(j)
    for members in groups.values():
        chosen = np.array(members, dtype=np.int64)
        terms = terms_of(inward[:, members[0]] * signs[members[0]])
        yield _Readers(machine, terms, signs[chosen], bias[chosen], chosen)


def _written(machine: Machine, meaning: Meaning, writing: Sequence[tuple[_Readers, Reals]]) -> Added:
    """What one column gets: tables, or else, where it depends on too much, what is found in cases."""
    atoms = [known.atoms for reader, _ in writing for _, known in reader.terms]
    if machine.space.points(atoms) > MAX_POINTS:
        try:
            neurons, steps = zip(*(reader.whole(weights) for reader, weights in writing), strict=True)
            error = _error(machine, steps)
            return Added((in_cases(meaning, [neuron for some in neurons for neuron in some]),), error)
        except CannotVerify as problem:
            try:
                return _tabulated(machine, writing)
            except CannotVerify:
                raise problem from None
    return _tabulated(machine, writing)


def _tabulated(machine: Machine, writing: Sequence[tuple[_Readers, Reals]]) -> Added:
    """What one column gets, as tables."""
    found = [reader.table.into(weights) for reader, weights in writing]
    return Added(tuple(known for known, _ in found), _error(machine, [steps for _, steps in found]))


@dataclass(frozen=True)
class _Steps:
    """One function of one number, as written to one column: what bounds the rounding."""

    size: float  # of the function
    error: float
    sums: float  # what the terms add up to in size
    terms: int
    unit: float  # the power of two that all terms are multiples of; 0 if there is none


class _Readers:
    """Neurons that read the same number, or its opposite: one sum of terms."""

    def __init__(
        self, machine: Machine, terms: Sequence[tuple[float, Known]], signs: Reals, bias: Reals, chosen: Codes
    ) -> None:
        self.machine = machine
        self.terms = [(c, known) for c, known in terms if c != 0.0 and not known.is_zero]
        self.signs, self.bias, self.chosen = signs, bias, chosen
        self.error = sum(abs(c) * known.error for c, known in self.terms)
        self.total = sum(abs(c) * known.size for c, known in self.terms)
        self.tables = [(c, known.table) for c, known in self.terms]
        self.units = np.array([min([grid(b), *(grid(c) * grid(t) for c, t in self.tables)]) for b in bias])

    @cached_property
    def table(self) -> _Table:
        """The number at all joint values of what it depends on. Raises `CannotVerify` where those are too many."""
        return _Table(self)

    def exact(self, size: float, highest: Reals) -> Bits:
        """Which neurons hold exactly what they are meant to: they read at most `size`, and reach so high."""
        read = [
            self.error == 0.0 and self.machine.is_exact([*self.tables, (1.0, np.array(s * b))], size)
            for s, b in zip(self.signs, self.bias, strict=True)
        ]
        stored = np.isinf(self.units) | (np.maximum(highest, 0.0) <= self.machine.p.whole * self.units)
        return np.asarray(np.array(read) & stored)

    def unit(self, weights: Reals) -> float:
        """The power of two that the neurons times their weights are multiples of, where all are exact."""
        used = weights != 0
        pairs = zip(self.units[used], weights[used], strict=True)
        return min((float(u) * grid(float(w)) for u, w in pairs), default=math.inf)

    def whole(self, weights: Reals) -> tuple[list[Neuron], _Steps]:
        """The neurons as they are, times their weights. Raises `CannotVerify` where one is not exact."""
        high = self.total + self.bias
        if not self.exact(self.total, high).all():
            names = ", ".join(dict.fromkeys(self.machine.space.name(a) for _, known in self.terms for a in known.atoms))
            raise CannotVerify(f"the joint values of {names} are more than {MAX_POINTS}, and neurons round them")
        self.machine.require_fit(self.total + largest(self.bias), self.total + largest(self.bias))
        parts = self.machine.space.merged(self.terms)
        each = zip(self.signs.tolist(), self.bias.tolist(), weights.tolist(), strict=True)
        neurons = [Neuron(parts, sign, bias, weight) for sign, bias, weight in each if weight != 0.0]
        sums = float(np.maximum(high, 0.0) @ np.abs(weights))
        return neurons, _Steps(sums, 0.0, sums, len(neurons), self.unit(weights))


class _Table:
    """A number that neurons read, tabulated."""

    def __init__(self, of: _Readers) -> None:
        self.of, self.machine, self.error, self.signs, self.bias = of, of.machine, of.error, of.signs, of.bias
        space, p = of.machine.space, of.machine.p
        atoms, table = space.total(of.terms)
        self.read = space.known(atoms, table, 0.0)
        self.classes, self.x = space.classes(self.read)
        if len(self.x) * len(self.signs) > MAX_CELLS:
            raise CannotVerify(f"{len(self.x)} values times {len(self.signs)} neurons are too many to look at")
        size = largest(self.read.table)
        pre = self.x[:, None] * self.signs + self.bias
        self.machine.require_fit(max(size, largest(pre)) + self.error, of.total + largest(self.bias))
        self.exact = of.exact(size, pre.max(axis=0, initial=0.0))
        rough = (len(of.terms) + 3) * (p.unit + OWN) * (of.total + np.abs(self.bias)) + p.unit * 2.0**-100
        self.rounding = np.where(self.exact, 0.0, rough)
        self.pre, self.active = pre, np.maximum(pre, 0.0)

    def into(self, weights: Reals) -> tuple[Known, _Steps]:
        """The neurons times their weights into one column: the function, and what bounds its rounding."""
        table = self.active @ weights
        sums = float((self.active @ np.abs(weights)).max(initial=0.0))
        own = ((self.pre > -self.rounding - self.error) * self.rounding) @ np.abs(weights)
        carried = self.error * self._slopes(weights) if self.error else np.zeros(len(self.x))
        error = float((own + carried).max(initial=0.0))
        unit = self.of.unit(weights) if self.exact.all() else 0.0
        codes = self.classes.codes
        spread = np.where(codes < 0, np.nan, table[np.maximum(codes, 0)])
        size = sums + float(np.abs(weights) @ (self.rounding + self.error))
        known = self.machine.space.known(self.classes.atoms, spread, error)
        return known, _Steps(largest(known.table), known.error, size, int((weights != 0).sum()), unit)

    def _slopes(self, weights: Reals) -> Reals:
        """At each value, the steepest slope that is met within its error."""
        at = -self.signs * self.bias
        order = np.argsort(at, kind="stable")
        start = float((-weights[self.signs < 0]).sum())
        change = weights[order]
        slopes = np.abs(start + np.concatenate([[0.0], np.cumsum(change)]))
        reach = self.error + 2 * float(self.rounding.max(initial=0.0)) + OWN * largest(self.x)
        first = np.searchsorted(at[order], self.x - reach, "left")
        last = np.searchsorted(at[order], self.x + reach, "right")
        return np.array([slopes[a : b + 1].max() for a, b in zip(first, last, strict=True)])


def _error(machine: Machine, steps: Sequence[_Steps]) -> float:
    """How far several functions may be off in one column: one sum, rounded in whatever order, and stored."""
    p = machine.p
    total, terms = sum(one.sums for one in steps), sum(one.terms for one in steps)
    error = sum(one.error for one in steps)
    unit = min(one.unit for one in steps)
    size = sum(one.size for one in steps)
    machine.require_fit(0.0, total + error)
    exact = error == 0.0 and unit > 0.0 and (math.isinf(unit) or total / unit <= min(p.sum_whole, 2.0**53))
    if not (exact and (math.isinf(unit) or size / unit <= p.whole)):
        summed = 0.0 if exact else (terms + 1) * (p.sum_unit + OWN) * total
        error += summed + (p.rounding(size + error + summed) if p.bits < p.accumulator or not exact else 0.0)
    return error
