"""Ratios: means, and what is computed from them, as one whole number over another.

In: simplified s-ops, and what the analysis knows of them. Out: for those that are one, a `Ratio`: a numerator and a
denominator of whole numbers (docs/constructions.md, C24).
Invariant: on every input with an answer, the ratio is the s-op, and its denominator is positive.

    aggregate(s, v)             is   total(s, v) / selector_width(s)
    aggregate(s, v) - 1 / 2     is   (2 total(s, v) - selector_width(s)) / (2 selector_width(s))
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from functools import reduce

from compiler.graph.domain import Analysis, args, summands
from compiler.graph.domain.variables import POSITION
from compiler.graph.polynomial import Ratio, linear, plus, polynomial, product
from compiler.graph.relation import Conjunction
from compiler.graph.simplify import width
from compiler.numbers.exact import as_value, counts
from rasp.meaning.sop import Aggregate, Constant, Lookup, Map, Selector, SOp, Total, Width
from rasp.text.source import RaspError
from rasp.value import Value

MOST_POWER = 4
"""Largest power that is multiplied out."""
MOST_TERMS = 64
"""Factors of a denominator, beyond which an s-op is left as it is."""
MOST_COMMON = 1 << 10
"""Largest common denominator over which the values of an s-op are written."""
MOST_PARTS = 1 << 12
"""The same where they are added up, for which there has to be one."""

BEFORE, UPTO = (Conjunction.of([(POSITION, POSITION, frozenset(signs))]) for signs in ("<", "<="))
"""The positions before mine, and those up to mine."""


class Ratios:
    """The ratios of s-ops; each is found once."""

    def __init__(self, analysis: Analysis, most: int, ints: bool = False) -> None:
        """Means of at most so many values are left alone. `ints`: something asks for an int, and takes no float."""
        self.analysis = analysis
        self.most = most
        self.ints = ints
        self._ratios: dict[SOp, Ratio | None] = {}
        self._wide: dict[SOp, bool] = {}
        self._below: dict[SOp, SOp | None] = {}

    # -- what is wide ------------------------------------------------------------------------------------------------

    def is_wide(self, node: SOp) -> bool:
        """Whether the s-op is, or is linear in, a mean or a quotient of too many values to be told apart."""
        if node not in self._wide:
            self._wide[node] = self._found_wide(node)
        return self._wide[node]

    def _found_wide(self, node: SOp) -> bool:
        match node:
            case Aggregate():
                return not self._picks(node) and not self._few(node)
            case Lookup():
                return not self._few(node)
            case Map(op="+" | "-" | "*" | "negate" | "plus", args=args):
                return any(map(self.is_wide, args))
            case Map(op="^", args=(a, Constant(value=int(power)))):
                return 1 < power <= MOST_POWER and self.is_wide(a)
            case Map(op="if", args=(_, a, b)):
                return self.is_wide(a) or self.is_wide(b)
            case Map(op="/", args=(a, b)):
                return self.is_wide(a) or self.is_wide(b) or (bool(self.analysis.variables(b)) and not self._few(node))
        return False

    def is_rounded(self, node: SOp) -> bool:
        """Whether `round` may be left out: of a whole number that is no bool, where a float does as well as an int.

        It stays where it takes rounding errors away.
        """
        domain = self.analysis.domain_if_any(node)
        if self.ints or domain is None or not domain.numeric or not domain.whole:
            return False
        if not isinstance(domain.values, range) and any(isinstance(value, bool) for value in domain.values):
            return False
        return not any(map(self._is_mean, self.analysis.variables(node)))

    def _is_mean(self, node: SOp) -> bool:
        """Whether the s-op is a mean, whose rounding errors `round` takes away from what is computed from it."""
        return isinstance(node, Aggregate) and not self._picks(node)

    def _picks(self, node: Aggregate) -> bool:
        try:
            return self.analysis.picks(node) and not self.is_wide(node.value)
        except RaspError:
            return False

    def _few(self, node: SOp) -> bool:
        domain = self.analysis.domain_if_any(node)
        return domain is not None and (not domain.numeric or domain.whole or len(domain) <= self.most)

    def below(self, node: SOp) -> SOp | None:
        """The wide s-op that the s-op is a function of, if it is one of a single one; itself, if it is wide."""
        if node not in self._below:
            self._below[node] = self._found_below(node)
        return self._below[node]

    def _found_below(self, node: SOp) -> SOp | None:
        if self.is_wide(node):
            return node
        if not isinstance(node, Map | Lookup):
            return None
        found = {self.below(arg) for arg in args(node) if self.analysis.variables(arg)}
        return found.pop() if len(found) == 1 else None

    # -- ratios ------------------------------------------------------------------------------------------------------

    def ratio(self, node: SOp) -> Ratio | None:
        """The s-op as a ratio of whole numbers, if it visibly is one."""
        if node not in self._ratios:
            self._ratios[node] = self._ratio(node)
        return self._ratios[node]

    def _ratio(self, node: SOp) -> Ratio | None:
        if isinstance(node, Constant):
            return None if isinstance(node.value, str) else Ratio(Fraction(node.value), Constant(1), Counter())
        if self.analysis.is_whole(node):
            match node:
                case (
                    Map(op="*", args=(Constant(value=int(number)), a))
                    | Map(op="*", args=(a, Constant(value=int(number))))
                ):
                    if self.analysis.is_whole(a):  # so that a count in a multiple of it cancels
                        return Ratio(Fraction(number), a, Counter())
            return Ratio(Fraction(1), node, Counter())
        return self._parted(node) or self._narrow(node)

    def _parted(self, node: SOp) -> Ratio | None:
        """The ratio of a mean, or of what is computed from ratios."""
        match node:
            case Aggregate() if not self._picks(node):
                return self._mean(node)
            case Map(op="^", args=(a, Constant(value=int(power)))) if 1 <= power <= MOST_POWER:
                return self.ratio(reduce(lambda x, y: Map("*", (x, y)), [a] * power))
        if isinstance(node, Map) and (parts := summands(node)) is not None:
            return self._summed(parts)
        if not isinstance(node, Map) or len(node.args) < 2:
            return None
        left, right = (self.ratio(arg) for arg in node.args[-2:])
        if left is None or right is None:
            return None
        match node.op:
            case "*":
                return self._multiplied(left, right)
            case "/":
                return self._divided(left, right)
            case "if":
                return self._chosen(node.args[0], left, right)
        return None

    def _summed(self, parts: Iterable[tuple[SOp, Fraction]]) -> Ratio | None:
        """The sum of ratios, each with a factor."""
        found: Ratio | None = None
        for arg, factor in parts:
            ratio = self.ratio(arg)
            if ratio is None:
                return None
            ratio = Ratio(ratio.factor * factor, ratio.over, ratio.under)
            found = ratio if found is None else self.added(found, ratio)
        return found

    def _narrow(self, node: SOp) -> Ratio | None:
        """An s-op of few values: over a common denominator, or, if that is large, each over its own."""
        domain = self.analysis.domain_if_any(node)
        if domain is None or not domain.numeric:
            return None
        _, common = counts(domain.numbers)
        if common <= MOST_COMMON:
            return self._common(node, common)
        over, under = (
            Lookup(tuple((value, getattr(Fraction(value), side)) for value in domain), node)
            for side in ("numerator", "denominator")
        )
        return Ratio(Fraction(1), over, Counter([under]))

    def _common(self, node: SOp, common: int) -> Ratio:
        """An s-op of few values over a common denominator, which is a number."""
        if isinstance(node, Lookup):
            over: SOp = replace(node, table=tuple((key, _scaled(value, common)) for key, value in node.table))
        else:
            over = product([node, Constant(common)])
        return Ratio(Fraction(1, common), over, Counter())

    def _added_up(self, node: SOp) -> Ratio | None:
        """The ratio of what is added up, key by key: its denominator is the same for all of them."""
        value = self.ratio(node)
        if value is None or all(map(self.analysis.is_uniform, value.under)):
            return value
        domain = self.analysis.domain_if_any(node)
        common = 0 if domain is None or not domain.numeric else counts(domain.numbers)[1]
        return self._common(node, common) if 0 < common <= MOST_PARTS else None

    def _mean(self, node: Aggregate) -> Ratio | None:
        """A total over a count; an empty row, if there may be one, counts as one key that has the default."""
        one = self.analysis.at_most_one(node.selector)
        value = self.ratio(node.value) if one else self._added_up(node.value)
        if value is None or isinstance(node.default, str):
            return None
        if one:
            return self._fetched(node, value)
        count = width(node.selector, self.analysis.setting)
        terms = self._totals(node.selector, value.over)
        if self.analysis.never_empty(node.selector):
            under = value.under + Counter([count])
            for _, factors in terms:
                under &= Counter(factors)  # what all terms have is in the denominator too
            rest = [(number, [*(Counter(factors) - under).elements()]) for number, factors in terms]
            return Ratio(value.factor, polynomial(rest), value.under + Counter([count]) - under)
        total = Ratio(value.factor, polynomial(terms), value.under)
        empty = Map("indicator", (Map("==", (count, Constant(0))),))
        filled = self.added(total, Ratio(Fraction(node.default), empty, Counter()))
        return (
            None if filled is None else Ratio(filled.factor, filled.over, filled.under + Counter([plus(count, empty)]))
        )

    def _totals(self, selector: Selector, value: SOp) -> list[tuple[int, list[SOp]]]:
        """The sum of an s-op, as a sum of products; what is the same for all keys is left outside."""
        found: list[tuple[int, list[SOp]]] = []
        for number, factors in self._monomials(value):
            outside = [factor for factor in factors if self.analysis.is_uniform(factor)]
            inside = product(factor for factor in factors if factor not in outside)
            one = isinstance(inside, Constant)
            added = width(selector, self.analysis.setting) if one else Total(selector, inside)
            found.append((number, [added, *outside]))
        return found

    def _monomials(self, value: SOp) -> list[tuple[int, tuple[SOp, ...]]]:
        """A sum of products; only what has parts that are the same for all keys is multiplied out."""
        match value:
            case Constant(value=number):
                return [(int(number), ())]
            case Map(op="+" | "-" as op, args=(a, b)) if self._has_uniform(value):
                sign = 1 if op == "+" else -1
                return self._monomials(a) + [(sign * number, factors) for number, factors in self._monomials(b)]
            case Map(op="*", args=(a, b)) if self._has_uniform(value):
                left, right = self._monomials(a), self._monomials(b)
                return [(m * n, (*x, *y)) for m, x in left for n, y in right]
        return [(1, (value,))]

    def _has_uniform(self, value: SOp) -> bool:
        """Whether a variable that is the same for all keys is among what is added and multiplied."""
        match value:
            case Constant():
                return False
            case Map(op="+" | "-" | "*", args=args):
                return any(map(self._has_uniform, args))
        return self.analysis.is_uniform(value)

    def _fetched(self, node: Aggregate, value: Ratio) -> Ratio | None:
        """One key's ratio is what it has above over what it has below."""
        if not value.factor or not value.under:
            return None
        default = Fraction(node.default) / value.factor
        if default.denominator != 1:
            return None
        over = Aggregate(node.selector, value.over, int(default))
        return Ratio(value.factor, over, Counter([Aggregate(node.selector, value.below, 1)]))

    def added(self, a: Ratio, b: Ratio) -> Ratio | None:
        """The sum over the least common denominator, as far as that is of few factors."""
        under = a.under | b.under
        if sum(under.values()) > MOST_TERMS:
            return None
        (left, right), common = counts((a.factor, b.factor))
        over = linear(a.times(under - a.under), left, b.times(under - b.under), right)
        return Ratio(Fraction(1, common), over, under)

    def _multiplied(self, a: Ratio, b: Ratio) -> Ratio:
        """What is divided by and multiplied with cancels: a mean times its count is the sum."""
        for one, other in ((a, b), (b, a)):
            if (same := next((x for x in other.under if self._is_same(x, one.over)), None)) is not None:
                return Ratio(a.factor * b.factor, other.over, (a.under + b.under) - Counter([same]))
        return Ratio(a.factor * b.factor, product([a.over, b.over]), a.under + b.under)

    def _is_same(self, a: SOp, b: SOp) -> bool:
        """Whether two s-ops are one linear form. How many positions there are up to mine, my place says."""
        form = self.analysis.linear(self._as_place(a))
        return a is b or (form is not None and form == self.analysis.linear(self._as_place(b)))

    def _as_place(self, node: SOp) -> SOp:
        cases = self.analysis.disjuncts(node.selector) if isinstance(node, Width) else None
        return POSITION if cases == [BEFORE] else Map("+", (POSITION, Constant(1))) if cases == [UPTO] else node

    def _divided(self, a: Ratio, b: Ratio) -> Ratio | None:
        """Division by what is positive, or negative, wherever it is not 0."""
        if not b.factor or not self.analysis.is_whole(b.over):
            return None
        low, high = self.analysis.domain(b.over).ends
        if low < 0 < high or low == high == 0:
            return None
        if high <= 0:
            b = Ratio(-b.factor, product([b.over, Constant(-1)]), b.under)
        down = a.under + Counter([] if isinstance(b.over, Constant) else [b.over])
        common = b.under & down
        factor = a.factor / b.factor / (int(b.over.value) if isinstance(b.over, Constant) else 1)
        return Ratio(factor, a.times(b.under - common), down - common)

    def _chosen(self, condition: SOp, a: Ratio, b: Ratio) -> Ratio:
        factors, common = counts((a.factor, b.factor))
        left, right = (product([side.over, Constant(factor)]) for side, factor in zip((a, b), factors, strict=True))
        over = Map("if", (condition, left, right))
        if a.under == b.under:
            return Ratio(Fraction(1, common), over, a.under)
        return Ratio(Fraction(1, common), over, Counter([Map("if", (condition, a.below, b.below))]))


def _scaled(value: Value, factor: int) -> Value:
    """A number times a factor; what is no number stands for itself, since it is never looked up."""
    return value if isinstance(value, str) else as_value(Fraction(value) * factor)
