"""Outputs: what the logits of a model stand for, held against the interpreter's values.

In: the stream after the last layer, the unembedding, the `Meaning` of the program. Out: decisions, one an output.
Invariant: at every joint value that can occur, the logit of the interpreter's value leads by more than the difference
of two logits can be off.

    output hist, best logit of 8: margin 32, error 0.0068
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np

import rasp
from compiler.trust.verify.attention import Decide
from compiler.trust.verify.columns import Column
from compiler.trust.verify.machine import OWN, Machine
from compiler.trust.verify.meaning import Meaning
from compiler.trust.verify.space import MAX_PAIRS, Bits, CannotVerify, Codes, Known, Reals, Space, grid
from rasp.meaning.answers import answers as printed
from rasp.meaning.sop import Lookup, Map, SOp
from rasp.text.source import counted
from rasp.value import Value, to_python

CHUNK = 1 << 20
"""Logits that are compared at once: so many stay close to the processor."""


class Outputs:
    """The outputs of a model."""

    def __init__(self, program: rasp.Program, machine: Machine, meaning: Meaning, decide: Decide) -> None:
        self.program = program
        self.machine = machine
        self.meaning = meaning
        self.space: Space = machine.space
        self.decide = decide

    def decide_one(self, name: str, held: list[tuple[type, Any]], stream: Sequence[Column], weights: Reals) -> None:
        node = self.meaning.outputs[name]
        wanted = self._printed(name, dict.fromkeys(self.space.values(node)))
        if not set(held) <= {(type(value), value) for value in wanted}:
            raise CannotVerify(
                f"output {name}: the logits do not stand for the program's {counted(len(wanted), 'value')}"
            )
        columns = [c for c in range(len(stream)) if weights[c].any()]
        for c in columns:
            if stream[c].sums:
                raise CannotVerify(f"output {name} reads a sum over keys that is nothing the program counts")
        if len(held) == 1:
            self.decide(f"output {name}, the only value", math.inf, max(stream[c].known.error for c in columns or [0]))
            return
        known = [(stream[c].known, weights[c]) for c in columns]
        try:
            answers, values, read = self._jointly(node, known)
        except CannotVerify:
            line = self._along_a_line(node, known)
            if line is None:
                raise
            answers, values, read = line
        place = {value: number for number, value in enumerate(wanted)}
        right = np.array([place.get(value, -1) for value in self._printed(name, values)])[answers]
        meant = np.array([place[value] for _, value in held])
        if not np.isin(right, meant).all():
            raise CannotVerify(f"output {name}: a value has no logit")
        if len(right) * len(held) > MAX_PAIRS:
            read, right = read.together(right)
        step = max(1, CHUNK // len(held))
        chunks = range(0, len(right), step)
        found = [self._led(read.part(i, i + step), right[i : i + step, None] == meant) for i in chunks]
        margin, error = max(found, key=lambda pair: pair[1] / pair[0] if pair[0] > 0 else math.inf)
        if error >= margin and (loose := self._loose([*(one for one, _ in known)], node)):
            raise CannotVerify(f"output {name}: how {' and '.join(loose)} go together is more than is looked at")
        self.decide(f"output {name}, best logit of {len(held)}", margin, error)

    def _loose(self, known: Sequence[Known], node: SOp) -> list[str]:
        """Atoms that are computed from others, and so are not independent of what stands beside them."""
        atoms = self.space.union([*(one.atoms for one in known), self.meaning.classes(node)[0].atoms])
        computed = any(isinstance(atom, Map | Lookup) for atom in atoms)
        return [self.space.name(atom) for atom in atoms] if computed and len(atoms) > 1 else []

    def _printed(self, name: str, values: Iterable[Value]) -> list[Any]:
        """Values of an output as the program gives them."""
        node = self.program.node(name)
        assert isinstance(node, SOp)
        return [to_python(value) for value in printed(node, values)]

    def _jointly(self, node: SOp, known: Sequence[tuple[Known, Reals]]) -> tuple[Codes, tuple[Value, ...], Decoded]:
        """The output's value and what is read, at all joint values of the atoms."""
        classes, values = self.meaning.classes(node)
        sides = [self.space.classes(one) for one, _ in known]
        _, (answers, *members) = self.space.joint([classes, *(side for side, _ in sides)])
        rows = [numbers[m] for (_, numbers), m in zip(sides, members, strict=True)]
        read = Decoded(
            np.stack(rows, axis=1) if rows else np.zeros((len(answers), 0)),
            np.array([one.error for one, _ in known]),
            np.array([weight for _, weight in known]),
        )
        return answers, values, read

    def _along_a_line(
        self, node: SOp, known: Sequence[tuple[Known, Reals]]
    ) -> tuple[Codes, tuple[Value, ...], Decoded] | None:
        """The same where the output is a linear form of atoms, and all that is read is one multiple of that form.

        Every column is then ``a atom + b`` of one atom, all are read by multiples of one row: only the sum counts.
        """
        terms = self.meaning.analysis.linear(node)
        varying = [(one, weight) for one, weight in known if one.atoms]
        if terms is None or not varying:
            return None
        first = varying[0][1]
        if (line := self._in_multiples_of(first, varying)) is None:
            return None
        slopes, constant_part, error = line
        sizes = sum((one.size * np.abs(weight) for one, weight in varying), np.zeros(len(first)))
        wanted = {atom: c for atom, c in terms.items() if atom is not None}
        (scale, *others) = {slopes.get(atom, Fraction(0)) / c for atom, c in wanted.items()} or {Fraction(0)}
        if others or scale == 0 or set(slopes) - set(wanted):
            return None
        values = self.space.values(node)
        x = [
            scale * (Fraction(v) - terms.get(None, Fraction(0))) + constant_part
            for v in values
            if not isinstance(v, str)
        ]
        fixed = [(one, weight) for one, weight in known if not one.atoms]
        rows = [np.array([float(number) for number in x]), *(np.full(len(x), float(one.table)) for one, _ in fixed)]
        held = all(Fraction(float(number)) == number for number in x)
        error += 0.0 if held else OWN * max(abs(float(number)) for number in x)
        errors = np.array([error, *(one.error for one, _ in fixed)])
        unit = min(grid(one.table) * grid(weight) for one, weight in known)
        weights = np.array([first, *(weight for _, weight in fixed)])
        read = Decoded(np.stack(rows, axis=1), errors, weights, sizes, len(known), unit)
        return np.arange(len(values)), tuple(values), read

    def _in_multiples_of(
        self, row: Reals, read: Sequence[tuple[Known, Reals]]
    ) -> tuple[dict[SOp, Fraction], Fraction, float] | None:
        """What is read, all with multiples of one row of weights, as a line: slopes, constant, error. None if not."""
        top = int(np.argmax(np.abs(row)))
        slopes: dict[SOp, Fraction] = {}
        constant, error = Fraction(0), 0.0
        for one, weight in read:
            share = Fraction(float(weight[top])) / Fraction(float(row[top]))
            found = self._slope(one)
            if found is None or any(Fraction(w) != share * Fraction(f) for w, f in zip(weight, row, strict=True)):
                return None
            slopes[one.atoms[0]] = slopes.get(one.atoms[0], Fraction(0)) + share * found[0]
            constant += share * found[1]
            error += abs(float(share)) * one.error * (1 + OWN)
        return slopes, constant, error

    def _slope(self, known: Known) -> tuple[Fraction, Fraction] | None:
        """Slope and constant of a column that is linear in one numeric atom; None where it is not."""
        if len(known.atoms) != 1 or np.isnan(known.table).any():
            return None
        values = self.space.values(known.atoms[0])
        if any(isinstance(v, str) for v in values) or len(values) < 2:
            return None
        x = [Fraction(v) for v in values if not isinstance(v, str)]
        y = [Fraction(float(number)) for number in known.table]
        a = (y[-1] - y[0]) / (x[-1] - x[0])
        b = y[0] - a * x[0]
        return (a, b) if all(a * u + b == v for u, v in zip(x, y, strict=True)) else None

    def _led(self, read: Decoded, meant: Bits) -> tuple[float, float]:
        """By how much the best right logit leads, and how far the difference may be off, where that is tightest.

        A value may have several logits: which of them is the largest makes no difference.
        """
        p, rows, errors, weights = self.machine.p, read.rows, read.errors, read.weights
        logits = rows @ weights
        right = np.where(meant, logits, -math.inf).argmax(axis=1)
        at_right = (np.arange(len(rows)), right)
        sizes = np.abs(rows) @ np.abs(weights) + errors @ np.abs(weights)
        if read.more is not None:
            sizes = sizes + read.more
        self.machine.require_fit(float(np.abs(logits).max(initial=0.0)), float(sizes.max(initial=0.0)))
        units = [grid(rows[:, i]) * grid(weights[i]) for i in range(rows.shape[1])]
        unit, end = min([read.unit, *units]), min(p.sum_whole, 2.0**53)
        exact = not errors.any() and (math.isinf(unit) or float(sizes.max(initial=0.0)) / unit <= end)
        rounding = np.zeros_like(sizes) if exact else (rows.shape[1] + read.terms + 1) * (p.sum_unit + OWN) * sizes
        if p.bits < p.accumulator:
            stored = (~self.machine.holds(logits)) | (rounding > 0) | bool(errors.any())
            rounding = rounding + np.where(stored, p.unit * sizes + 2.0**-24 * p.unit, 0.0)
        if not rounding.any() and not errors.any():
            best = np.where(meant, -math.inf, logits).max(axis=1)
            return float((logits[at_right] - best).min()), 0.0
        moved = np.zeros_like(logits)
        for column in np.flatnonzero(errors):
            moved += errors[column] * np.abs(weights[column][right][:, None] - weights[column][None, :])
        lead, off = logits[at_right][:, None] - logits, moved + rounding + rounding[at_right][:, None]
        lead[meant] = math.inf
        with np.errstate(divide="ignore", invalid="ignore"):
            tightness = np.where(lead > 0, off / lead, np.where(np.isinf(lead), 0.0, math.inf))
        worst = np.unravel_index(int(np.argmax(tightness)), lead.shape)
        return float(lead[worst]), float(off[worst])


@dataclass(frozen=True)
class Decoded:
    """What the unembedding reads, a row for each joint value: numbers, their errors, the weights they are read with."""

    rows: Reals
    errors: Reals
    weights: Reals  # [number, logit]
    more: Reals | None = None  # what the terms of each logit add up to in size, where a number is a sum of them
    terms: int = 0  # how many those are
    unit: float = math.inf  # a power of two that all of them are multiples of

    def together(self, right: Codes) -> tuple[Decoded, Codes]:
        """The same with columns added up that are read with multiples of one row of weights; then equal rows once.

        A sum is exact: all that it is made of are multiples of one power of two, and small enough. What its parts are
        in size is bounded for all rows at once.
        """
        sums: list[list[tuple[int, float]]] = []
        for column in range(len(self.weights)):
            for one in sums:
                if (share := _share(self.weights, one[0][0], column)) is not None:
                    one.append((column, share))
                    break
            else:
                sums.append([(column, 1.0)])
        units = [min(grid(self.rows[:, c]) * grid(share) for c, share in one) for one in sums]
        sizes = [sum(float(np.abs(self.rows[:, c]).max(initial=0.0)) * abs(share) for c, share in one) for one in sums]
        if any(len(one) > 1 and size / unit > 2.0**53 for one, size, unit in zip(sums, sizes, units, strict=True)):
            return self, right
        rows = np.stack([sum(self.rows[:, c] * share for c, share in one) for one in sums], axis=1)
        errors = [sum(float(self.errors[c]) * abs(share) for c, share in one) * (1 + OWN) for one in sums]
        weights = self.weights[[one[0][0] for one in sums]]
        more = np.zeros(self.weights.shape[1]) if self.more is None else self.more
        for one, size, weight in zip(sums, sizes, weights, strict=True):
            if len(one) > 1:
                more = more + size * np.abs(weight)
        _, first = np.unique(np.column_stack([right, rows]), axis=0, return_index=True)
        terms = self.terms + len(self.weights) - len(sums)
        unit = min([self.unit, *(grid(self.rows[:, c]) * grid(self.weights[c]) for c in range(len(self.weights)))])
        return Decoded(rows[first], np.array(errors), weights, more, terms, unit), right[first]

    def part(self, start: int, end: int) -> Decoded:
        """Some of the rows."""
        return replace(self, rows=self.rows[start:end])


def _share(weights: Reals, first: int, column: int) -> float | None:
    """What a row of weights is times another, exactly; None where it is no multiple, or one of many digits."""
    top = int(np.argmax(np.abs(weights[first])))
    if weights[first][top] == 0:
        return None
    share = float(weights[column][top] / weights[first][top])
    short = float(np.float32(share)) == share  # so a product with a weight of 24 bits is exact
    held = bool((weights[first].astype(np.float32) == weights[first]).all())
    return share if short and held and np.array_equal(weights[first] * share, weights[column]) else None
