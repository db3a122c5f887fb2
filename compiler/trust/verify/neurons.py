"""Neurons: what an MLP adds to the stream, as functions of the numbers that its neurons read.

In: the stream after attention, W_in, b_in, W_out. Out: for each column what is added, and the error of that.
Invariant: neurons that read the same number are one function of it, evaluated exactly at each of its values; its error
there is the error of the number times the steepest slope within it, and rounding.

    relu(x) - 2 relu(x - 1) of x in {0, 1, 2}: 0, 1, 0
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from compiler.trust.verify.machine import OWN, Machine
from compiler.trust.verify.space import CannotVerify, Known, Reals, grid, largest

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
    machine: Machine, terms_of: Callable[[Reals], list[tuple[float, Known]]], weights: tuple[Reals, Reals, Reals]
) -> dict[int, Added]:
    """What each column gets."""
    inward, bias, out = weights
    groups: dict[bytes, list[int]] = {}
    signs = np.ones(inward.shape[1])
    for j in range(inward.shape[1]):
        nonzero = np.flatnonzero(inward[:, j])
        signs[j] = -1.0 if len(nonzero) and inward[nonzero[0], j] < 0 else 1.0
        groups.setdefault((inward[:, j] * signs[j] + 0.0).tobytes(), []).append(j)
    found: dict[int, list[_Steps]] = {}
    for members in groups.values():
        chosen = np.array([j for j in members if out[j].any()], dtype=np.int64)
        if not len(chosen):
            continue
        group = _Group(machine, terms_of(inward[:, chosen[0]] * signs[chosen[0]]), signs[chosen], bias[chosen])
        for column in np.flatnonzero(out[chosen].any(axis=0)):
            found.setdefault(int(column), []).append(group.into(out[chosen, column]))
    return {column: _together(machine, steps) for column, steps in found.items()}


@dataclass(frozen=True)
class _Steps:
    """One function of one number, as written to one column."""

    known: Known
    sums: float  # what the terms add up to in size
    terms: int
    unit: float  # the power of two that all terms are multiples of; 0 if there is none


class _Group:
    """Neurons that read the same number, or its opposite."""

    def __init__(self, machine: Machine, terms: Sequence[tuple[float, Known]], signs: Reals, bias: Reals) -> None:
        self.machine = machine
        terms = [(c, known) for c, known in terms if c != 0.0 and not known.is_zero]
        space, p = machine.space, machine.p
        atoms, table = space.total(terms)
        self.read = space.known(atoms, table, 0.0)
        self.classes, self.x = space.classes(self.read)
        if len(self.x) * len(signs) > MAX_CELLS:
            raise CannotVerify(f"{len(self.x)} values times {len(signs)} neurons are too many to look at")
        self.error = sum(abs(c) * known.error for c, known in terms)
        self.signs, self.bias = signs, bias
        total = sum(abs(c) * known.size for c, known in terms)
        size = largest(self.read.table)
        tables = [(c, known.table) for c, known in terms]
        plain = self.error == 0.0
        self.units = np.array([min([grid(b), *(grid(c) * grid(t) for c, t in tables)]) for b in bias])
        exact = np.array(
            [
                plain and machine.is_exact([*tables, (1.0, np.array(s * b))], size)
                for s, b in zip(signs, bias, strict=True)
            ]
        )
        pre = self.x[:, None] * signs + bias
        machine.require_fit(max(size, largest(pre)) + self.error, total + largest(bias))
        stored = np.where(
            np.isinf(self.units), True, np.maximum(pre, 0).max(axis=0, initial=0.0) <= p.whole * self.units
        )
        self.exact = exact & stored
        rough = (len(terms) + 3) * (p.unit + OWN) * (total + np.abs(bias)) + p.unit * 2.0**-100
        self.rounding = np.where(self.exact, 0.0, rough)
        self.pre, self.active = pre, np.maximum(pre, 0.0)

    def into(self, weights: Reals) -> _Steps:
        """The neurons times their weights into one column."""
        table = self.active @ weights
        sums = float((self.active @ np.abs(weights)).max(initial=0.0))
        own = ((self.pre > -self.rounding - self.error) * self.rounding) @ np.abs(weights)
        carried = self.error * self._slopes(weights) if self.error else np.zeros(len(self.x))
        error = float((own + carried).max(initial=0.0))
        unit = 0.0
        if self.exact.all():
            used = weights != 0
            unit = min(
                (float(u) * grid(float(w)) for u, w in zip(self.units[used], weights[used], strict=True)),
                default=math.inf,
            )
        codes = self.classes.codes
        spread = np.where(codes < 0, np.nan, table[np.maximum(codes, 0)])
        size = sums + float(np.abs(weights) @ (self.rounding + self.error))
        return _Steps(
            self.machine.space.known(self.classes.atoms, spread, error), size, int((weights != 0).sum()), unit
        )

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


def _together(machine: Machine, steps: Sequence[_Steps]) -> Added:
    """Several functions into one column: one sum, rounded in whatever order, and stored."""
    p = machine.p
    total, terms = sum(one.sums for one in steps), sum(one.terms for one in steps)
    error = sum(one.known.error for one in steps)
    unit = min(one.unit for one in steps)
    size = sum(largest(one.known.table) for one in steps)
    machine.require_fit(0.0, total + error)
    exact = error == 0.0 and unit > 0.0 and (math.isinf(unit) or total / unit <= min(p.sum_whole, 2.0**53))
    if not (exact and (math.isinf(unit) or size / unit <= p.whole)):
        summed = 0.0 if exact else (terms + 1) * (p.sum_unit + OWN) * total
        error += summed + (p.rounding(size + error + summed) if p.bits < p.accumulator or not exact else 0.0)
    return Added(tuple(one.known for one in steps), error)
