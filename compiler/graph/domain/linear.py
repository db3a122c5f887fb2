"""Linear forms: s-ops that visibly are sums of multiples of variables, and between which bounds they lie.

In: s-ops, and the domains of their variables. Out: `Terms`, the coefficient of each variable.
Invariants: a form equals its s-op on every input; no coefficient is 0, except that of a constant.

    2 * indices - length + 1   is   {indices: 2, length: -1, None: 1}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import TypeAlias

from compiler.graph.domain.values import Domain
from compiler.graph.domain.variables import POSITION, TOKEN, Variables, args, cone, is_length
from rasp.meaning.sop import Constant, Lookup, Map, SOp

Terms: TypeAlias = Mapping[SOp | None, Fraction]
"""A linear form of s-ops: the coefficient of each; None stands for the constant 1."""


class LinearForms:
    """The linear forms of s-ops, over inputs up to a longest one; each is found once."""

    def __init__(self, longest: int, variables: Variables, domain: Callable[[SOp], Domain]) -> None:
        self.longest = longest
        self.variables = variables
        self.domain = domain
        self._found: dict[SOp, Terms | None] = {}

    def of(self, node: SOp) -> Terms | None:
        """The s-op as a linear form of numeric variables, where it visibly is one."""
        if node not in self._found:
            for current in cone(node, self._found):
                self._found[current] = self._of(current)
        return self._found[node]

    def _of(self, node: SOp) -> Terms | None:
        forms = self._found
        match node:
            case Constant(value=value):
                return None if isinstance(value, str) else {None: Fraction(value)}
            case Map() | Lookup():
                parts = summands(node)
                found: Terms | None = None if parts is None else {}
                for arg, factor in parts or ():
                    found = combine(found, forms[arg], factor)
                return found
            case _:
                return {node: Fraction(1)} if self.domain(node).numeric else None

    def bounds(self, terms: Terms) -> tuple[Fraction, Fraction]:
        """The least and the greatest value of a linear form, knowing that the position is below the length."""
        index = terms.get(POSITION, Fraction(0))
        length = next((var for var in terms if is_length(var)), None)
        slope = terms[length] if length is not None else Fraction(0)
        n = self.longest
        corners = [index * i + slope * w for i, w in ((0, 1), (0, n), (n - 1, n))]
        low, high = min(corners) + terms.get(None, Fraction(0)), max(corners) + terms.get(None, Fraction(0))
        for var, coefficient in terms.items():
            if var is not None and var is not length and var is not POSITION:
                ends = sorted(coefficient * number for number in self.domain(var).ends)
                low, high = low + ends[0], high + ends[1]
        return low, high

    def frontier(self, node: SOp) -> tuple[SOp, ...]:
        """What the s-op is a function of, as far up as possible: linear forms of variables, the token, the position."""
        leaves: dict[SOp, None] = {}
        seen: set[SOp] = set()
        todo: list[SOp] = [node]
        while todo:
            current = todo.pop()
            if current in seen:
                continue
            seen.add(current)
            variables = self.variables.of(current)
            if variables in ((TOKEN,), (POSITION,)):
                leaves[variables[0]] = None
            elif not isinstance(current, Map | Lookup) or (current is not node and self.of(current) is not None):
                if variables:
                    leaves[current] = None
            else:
                todo.extend(reversed(args(current)))
        return tuple(leaves)


def summands(node: SOp) -> list[tuple[SOp, Fraction]] | None:
    """The operands of a sum, a difference or a multiple, each with its factor; None of anything else."""
    one = Fraction(1)
    match node:
        case Map(op="+", args=(a, b)):
            return [(a, one), (b, one)]
        case Map(op="-", args=(a, b)):
            return [(a, one), (b, -one)]
        case Map(op="negate", args=(a,)):
            return [(a, -one)]
        case Map(op="plus", args=(a,)):
            return [(a, one)]
        case Map(op="*", args=(a, Constant(value=factor))) | Map(op="*", args=(Constant(value=factor), a)):
            return None if isinstance(factor, str) else [(a, Fraction(factor))]
        case Map(op="/", args=(a, Constant(value=factor))):
            return None if isinstance(factor, str) or factor == 0 else [(a, 1 / Fraction(factor))]
    return None


def added_up(node: SOp) -> Terms:
    """An s-op of numbers as a sum of multiples of what is no sum itself, whatever that is a function of."""
    found: Terms = {}
    todo = [(node, Fraction(1))]
    while todo:
        current, factor = todo.pop()
        if isinstance(current, Constant) and not isinstance(current.value, str):
            found = combine(found, {None: Fraction(current.value)}, factor) or {}
        elif (parts := summands(current)) is not None:
            todo += [(part, factor * times) for part, times in parts]
        else:
            found = combine(found, {current: Fraction(1)}, factor) or {}
    return found


def combine(a: Terms | None, b: Terms | None, factor: Fraction | int) -> Terms | None:
    """``a + factor * b``; None where one of them is no linear form."""
    if a is None or b is None:
        return None
    terms = dict(a)
    for var, coefficient in b.items():
        terms[var] = terms.get(var, Fraction(0)) + factor * coefficient
    return {var: coefficient for var, coefficient in terms.items() if coefficient}
