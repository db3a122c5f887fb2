"""Cases: a column that depends on more than can be tabulated, as a function of one s-op of the program.

In: the exact neurons that write to a column, and the `Meaning`. Out: `Known`, over the atoms of the s-op.
A program that chooses among many values, ``"z" if found_z else "y" if found_y else ...``, has as many joint values as
there are ways to find letters, and few ways to be computed: once `found_z` is known to hold, nothing else is asked. So
atoms are given values one by one, those first that the s-op asks for; what is not known yet lies between bounds.
Invariant: the cases are all joint values there are, and in each the column is one number, that of the s-op's value.

    relu(8 f + 5) + relu(8 e - 8 f - 4), f = 0: 5 for both values of e; f = -1: 0 for e = -1, 4 for e = 0
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, get_args

import numpy as np

from compiler.graph.domain import TOKEN
from compiler.trust.verify.meaning import Meaning
from compiler.trust.verify.space import MAX_POINTS, Atoms, CannotVerify, Known, Reals
from rasp.meaning.operators import OPERATORS, TokenKind, Undefined
from rasp.meaning.sop import Constant, Lookup, Map, SOp, Tokens, reachable
from rasp.running.depth import deep_recursion
from rasp.value import Value

MAX_CASES = 1 << 10
"""Most cases that are told apart before another s-op is tried."""
FRAMES = 10_000
"""Calls inside each other while an s-op is evaluated: one for each operation inside another."""
MAX_TRIED = 4
"""Most s-ops of which a column is tried to be a function."""
Case: TypeAlias = Mapping[SOp, int]
"""Atoms whose value is known, and where it stands among the atom's values."""
Parts: TypeAlias = Sequence[tuple[Atoms, Reals]]
"""A sum: tables, each with the atoms it depends on."""


@dataclass(frozen=True)
class Neuron:
    """``weight * relu(sign * sum of the parts + bias)``, without rounding."""

    parts: tuple[tuple[Atoms, Reals], ...]
    sign: float
    bias: float
    weight: float


def in_cases(meaning: Meaning, neurons: Sequence[Neuron]) -> Known:
    """The sum of neurons. Raises `CannotVerify` where no s-op is found that it is a function of."""
    atoms = {atom for neuron in neurons for own, _ in neuron.parts for atom in own}

    def distance(node: SOp) -> tuple[int, int]:
        """How far what it depends on is from what the neurons depend on; of several the first: others are of that."""
        return len(atoms ^ set(meaning.analysis.variables(node))), node.id

    needed = meaning.needed()
    own = [node for node in reachable(meaning.outputs.values()) if not node.encoded]
    nodes = [node for node in own if isinstance(node, Map | Lookup)]
    for node in sorted(nodes, key=distance)[:MAX_TRIED]:
        try:
            with deep_recursion(FRAMES, "the program chooses one thing after another, too often to follow"):
                table = _Search(meaning, node, neurons, node in needed).found()
            meaning.cut(node)
            classes, values = meaning.classes(node)
        except CannotVerify:
            continue
        numbers = np.array([*(table.get(_kind(value), math.nan) for value in values), math.nan])
        return Known(classes.atoms, numbers[classes.codes])
    count = meaning.space.points([tuple(atoms)])
    names = ", ".join(sorted(meaning.space.name(atom) for atom in atoms))
    raise CannotVerify(
        f"{count} joint values of {names} are more than {MAX_POINTS}, and come to no s-op of the program"
    )


def _kind(value: Value) -> tuple[type, Value]:
    """A value that is equal to no value of another kind: True is not 1."""
    return type(value), value


class _Search:
    """All cases, each with the value of an s-op and the number of the column."""

    def __init__(self, meaning: Meaning, node: SOp, neurons: Sequence[Neuron], needed: bool) -> None:
        """`needed`: where the s-op has no value no output has one. Else that says nothing of those that need it not."""
        self.meaning, self.node, self.neurons, self.needed = meaning, node, neurons, needed
        self.domains = meaning.space.values
        self.converted = {how: meaning.analysis.setting.converted(how) for how in get_args(TokenKind)}

    def found(self) -> dict[tuple[type, Value], float]:
        """The number for each value of the s-op. Raises `CannotVerify` where there are several, or too many cases."""
        numbers: dict[tuple[type, Value], float] = {}
        for value, number in self._cases():
            if numbers.setdefault(_kind(value), number) != number:
                raise CannotVerify("the column is no function of the s-op")
        return numbers

    def _cases(self) -> Iterator[tuple[Value, float]]:
        todo: list[Case] = [{}]
        for _ in range(MAX_CASES):
            if not todo:
                return
            case = todo.pop()
            asked, value = self._value(self.node, case)
            if asked is None and value is None:
                if not self.needed:
                    raise CannotVerify("the s-op has no value where an output may have one")
                continue  # the program has no answer
            asked, number = (asked, math.nan) if asked is not None else self._number(case)
            if asked is not None:
                todo += [{**case, asked: place} for place in range(len(self.domains(asked)))]
            elif not math.isnan(number):
                assert value is not None
                yield value, number
        raise CannotVerify(f"more than {MAX_CASES} cases")

    def _value(self, node: SOp, case: Case) -> tuple[SOp | None, Value | None]:
        """The value of an s-op, None where it has none; or else the atom that must be known first."""
        match node:
            case Constant(value=value):
                return None, value
            case Map(op="if", args=(condition, one, other)):
                asked, holds = self._value(condition, case)
                if asked is not None or holds is None:
                    return asked, None
                return self._value(one if holds else other, case)
            case Map(op=op, args=args):
                values: list[Value] = []
                for one in args:
                    asked, found = self._value(one, case)
                    if asked is not None or found is None:
                        return asked, None
                    values.append(found)
                try:
                    return None, OPERATORS[op].apply(*values)
                except Undefined:
                    return None, None
            case Lookup(table=entries, arg=arg):
                asked, key = self._value(arg, case)
                return asked, None if key is None else dict(entries).get(key)
            case Tokens(convert=how) if node is not TOKEN:
                asked, text = self._value(TOKEN, case)
                return asked, None if text is None else self.converted[how].get(text)
            case _:
                return (node, None) if node not in case else (None, self.domains(node)[case[node]])

    def _number(self, case: Case) -> tuple[SOp | None, float]:
        """The number of the column, or else an atom it depends on. NaN where the case cannot occur."""
        sure: list[tuple[Atoms, Reals]] = []
        for neuron in self.neurons:
            inner = [self._within(part, case) for part in neuron.parts]
            low, high = (neuron.bias + end for end in _ends(inner, neuron.sign))
            if math.isnan(low):
                return None, math.nan
            if low < 0 < high:
                return next(atom for own, table in inner for atom in own if _varies(table)), math.nan
            if low >= 0:
                sure += [(own, neuron.weight * neuron.sign * table) for own, table in inner]
                sure.append(((), np.array(neuron.weight * neuron.bias)))
        together = self.meaning.space.merged((1.0, Known(own, table)) for own, table in sure)
        for own, table in together:
            if _varies(table):
                return own[0], math.nan
        return None, sum(float(np.fmax.reduce(table, axis=None)) for _, table in together)

    def _within(self, part: tuple[Atoms, Reals], case: Case) -> tuple[Atoms, Reals]:
        """A table where some of its atoms are known."""
        own, table = part
        place = tuple(case.get(atom, slice(None)) for atom in own)
        return tuple(atom for atom in own if atom not in case), np.asarray(table[place])


def _ends(parts: Parts, sign: float) -> tuple[float, float]:
    """The least and the largest that a sum can be, or its opposite; NaN where the case cannot occur."""
    least = sum(float(np.fmin.reduce(table, axis=None)) for _, table in parts)
    most = sum(float(np.fmax.reduce(table, axis=None)) for _, table in parts)
    return (least, most) if sign > 0 else (-most, -least)


def _varies(table: Reals) -> bool:
    """Whether a table holds different numbers."""
    return bool(np.fmin.reduce(table, axis=None) < np.fmax.reduce(table, axis=None))
