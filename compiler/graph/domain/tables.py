"""Tables of s-ops: their values at the joint values of what they are computed from, on the inputs that are meant.

In: s-ops, and the domains of their variables. Out: `Table`s over the variables or over other s-ops, and what is read
off them: values point by point, columns, curves.
Invariant: a point is left out only if no input that is meant has it: the position is below the length, fewer keys are
no more than all, and what is required is True (docs/constructions.md, C12).

    indices * tokens, over "12" and two positions:  (0, 1) -> 0, (0, 2) -> 0, (1, 1) -> 1, (1, 2) -> 2
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import reduce
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from compiler.graph import table as tables
from compiler.graph.domain.setting import Setting
from compiler.graph.domain.values import Domain
from compiler.graph.domain.variables import TOKEN, Variables, args, bounded, cone
from compiler.graph.table import Curve, Scale, Table
from compiler.numbers.exact import whole
from rasp.meaning.operators import TokenKind
from rasp.meaning.sop import Constant, Lookup, Map, SOp, Tokens
from rasp.value import Value

Point: TypeAlias = tuple[Value, ...]


class Tables:
    """The tables of s-ops; that over an s-op's own variables is made once."""

    def __init__(
        self, setting: Setting, requires: tuple[SOp, ...], variables: Variables, domain: Callable[[SOp], Domain]
    ) -> None:
        self.setting = setting
        self.requires = requires
        self.variables = variables
        self.domain = domain
        self._tables: dict[SOp, Table] = {}
        self._kept: dict[tuple[SOp, ...], npt.NDArray[np.bool_] | None] = {}
        self._points: dict[tuple[SOp, ...], list[Point]] = {}

    def of(self, node: SOp) -> Table:
        """The s-op over its own variables: all their joint values, whether they are meant or not."""
        if node not in self._tables:
            for current in cone(node, self._tables):
                self._tables[current] = self._tabulated(current)
        return self._tables[node]

    def _tabulated(self, node: SOp) -> Table:
        match node:
            case Constant(value=value):
                return tables.constant(value)
            case Tokens(convert=how):
                values = self._converted(how)
                return tables.of(values, np.arange(len(values)))
            case Map() | Lookup():
                variables = self.variables.of(node)
                places = {var: place for place, var in enumerate(variables)}
                operands = [
                    self._tables[arg].moved([places[var] for var in self.variables.of(arg)], len(variables))
                    for arg in args(node)
                ]
                return tables.apply(node, operands)
            case _:
                return tables.along(self.domain(node).values, 0, 1)

    def _converted(self, how: TokenKind) -> list[Value | None]:
        """What a conversion makes of each value of the domain of `TOKEN`."""
        converted = self.setting.converted(how)
        return [converted[text] for text in self.domain(TOKEN)]

    def over(self, node: SOp, leaves: tuple[SOp, ...]) -> Table:
        """The s-op for each combination of values of s-ops that it is a function of, taken as independent."""
        found = {leaf: tables.along(self.domain(leaf).values, i, len(leaves)) for i, leaf in enumerate(leaves)}
        return self._applied(node, found, len(leaves))

    def at_values(self, node: SOp, leaf: SOp, values: Sequence[Value]) -> list[Value | None]:
        """The s-op at some values of one that it is a function of; None where it is undefined."""
        return self._applied(node, {leaf: tables.of(values, np.arange(len(values)))}, 1).over(len(values))

    def at_rows(self, node: SOp, leaves: Sequence[SOp], rows: npt.NDArray[np.int64]) -> list[Value | None]:
        """The s-op at each row of whole numbers, which leaves that it is a function of are.

        None where it is undefined, or a number is known not to be a leaf's.
        """
        found: dict[SOp, Table] = {}
        for leaf, column in zip(leaves, rows.T, strict=True):
            values = {int(value): value for value in self.domain(leaf).values if not isinstance(value, str)}
            numbers, codes = np.unique(column, return_inverse=True)
            found[leaf] = tables.of([values.get(number) for number in numbers.tolist()], codes)
        return self._applied(node, found, 1).over(len(rows))

    def _applied(self, node: SOp, found: dict[SOp, Table], axes: int) -> Table:
        """The s-op over what is found, on a grid of so many axes."""
        for current in cone(node, found):
            match current:
                case Constant(value=value):
                    found[current] = tables.constant(value).moved((), axes)
                case Tokens(convert=how):
                    found[current] = tables.of(self._converted(how), found[TOKEN].codes)
                case Map() | Lookup():
                    found[current] = tables.apply(current, [found[arg] for arg in args(current)])
        return found[node]

    def numbers_over(self, node: SOp, leaf: SOp) -> list[Fraction | None]:
        """The numbers of an s-op at each value of one that it is a function of; None where it is undefined."""
        values = self.at_values(node, leaf, self.domain(leaf).values)
        return [None if value is None else tables.number(value) for value in values]

    def count_points(self, variables: Sequence[SOp]) -> int:
        """How many joint values the variables have (an upper bound)."""
        return math.prod(len(self.domain(var)) for var in variables)

    def meant(self, variables: tuple[SOp, ...]) -> npt.NDArray[np.bool_] | None:
        """Which joint values may occur on inputs that are meant; None for all of them."""
        if variables not in self._kept:
            within = set(variables)
            masks = [self._truth(node, variables) for node in self.requires if set(self.variables.of(node)) <= within]
            for small, large, by in bounded(variables, self.setting.causal):
                masks.append(self._axis(small, variables) + by <= self._axis(large, variables))
            shape = [len(self.domain(var)) for var in variables]
            self._kept[variables] = np.broadcast_to(reduce(np.logical_and, masks), shape) if masks else None
        return self._kept[variables]

    def known(self) -> dict[tuple[SOp, ...], npt.NDArray[np.bool_]]:
        """For variables that were tabulated together, which joint values may occur, where not all of them may."""
        return {variables: mask for variables, mask in self._kept.items() if mask is not None}

    def _truth(self, node: SOp, variables: tuple[SOp, ...]) -> npt.NDArray[np.bool_]:
        """Where an s-op of some of the variables is True."""
        own = self.variables.of(node)
        table = self.of(node).moved([variables.index(var) for var in own], len(variables))
        return np.asarray(np.array([bool(value) for value in table.values])[table.codes])

    def _axis(self, var: SOp, variables: tuple[SOp, ...]) -> npt.NDArray[np.int64]:
        """The integers that a variable can be, along its axis."""
        shape = [-1 if other is var else 1 for other in variables]
        return np.array(self.domain(var).values, dtype=np.int64).reshape(shape)

    def occurring(self, node: SOp) -> list[Value]:
        """The values of the s-op at the joint values that are meant."""
        return self.of(node).occurring(self.meant(self.variables.of(node)))

    def at_points(self, node: SOp) -> list[tuple[Point, Value]]:
        """The s-op's value at each joint value of its variables; points where it is undefined are left out."""
        variables = self.variables.of(node)
        values = self.of(node).at_points(self.meant(variables))
        points = self._joint(variables)
        return [(point, value) for point, value in zip(points, values, strict=True) if value is not None]

    def _joint(self, variables: tuple[SOp, ...]) -> list[Point]:
        """The joint values of variables: counts of fewer keys are no larger; all else is taken as independent."""
        if variables not in self._points:
            domains = [self.domain(var).values for var in variables]
            self._points[variables] = tables.points(domains, self.meant(variables))
        return self._points[variables]

    def column(self, node: SOp, inputs: Sequence[Value]) -> tuple[Fraction, ...]:
        """The numbers of an s-op of one variable, at each of its values in turn; 0 where it is undefined."""
        table = self.of(node)
        variables = self.variables.of(node)
        numbers = [*map(tables.number, table.values), whole(0)]
        kept = self.meant(variables)
        codes = table.codes if kept is None else np.where(kept, table.codes.astype(np.int64), -1)
        found = dict(zip(self.domain(variables[0]), codes.tolist(), strict=True))
        return tuple(numbers[found[value]] for value in inputs)

    def curve(self, node: SOp, leaves: tuple[SOp, ...], scale: Scale, joint: bool) -> Curve:
        """The s-op, whose values are numbers, as a function of the number that a scale makes of some s-ops' values.

        They are taken as independent, or else are the s-op's variables and known `joint`ly.
        """
        table = self.of(node) if leaves == self.variables.of(node) else self.over(node, leaves)
        return Curve.of(table, scale, self.meant(leaves) if joint else None)
