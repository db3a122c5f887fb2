"""Ratios: means, and what is computed from them, as one whole number over another.

In: simplified s-ops, and what the analysis knows of them. Out: a map from nodes to their replacements, in which a mean
of too many values is read nowhere: comparisons are cross-multiplied, `round` and the outputs have a numerator and a
denominator of whole numbers (docs/constructions.md, C24).
Invariant: as for `simplify`: on every input with an answer, the answer is the same.

    aggregate(s, v) > 1 / 2     is   2 total(s, v) - selector_width(s) > 0
    round(aggregate(s, v))      is   round(total(s, v) / selector_width(s))
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import reduce

from compiler.graph.domain import TOKEN, Analysis, args
from compiler.graph.relation import EQUAL
from compiler.graph.simplify import rebuilt, width
from rasp.meaning.operators import MIRRORED, PREDICATES
from rasp.meaning.sop import Aggregate, Constant, Lookup, Map, Node, Select, Selector, SOp, Tokens, Total, reachable
from rasp.text.source import RaspError
from rasp.value import Value

MOST_POWER = 4
"""Largest power that is multiplied out."""
MOST_TERMS = 64
"""Factors of a denominator, beyond which an s-op is left as it is."""


@dataclass(frozen=True)
class Ratio:
    """``factor * over / under``: a number, an s-op of whole numbers, and a product of positive ones."""

    factor: Fraction
    over: SOp
    under: Counter[SOp]

    @property
    def below(self) -> SOp:
        """The denominator as one s-op."""
        return _product(self.under.elements())

    def times(self, factors: Counter[SOp]) -> SOp:
        """The numerator, without the factor, multiplied."""
        return _product([self.over, *factors.elements()])


class Ratios:
    """Rewrites the s-ops of one program."""

    def __init__(self, analysis: Analysis, most: int) -> None:
        """Means of at most so many values are left alone."""
        self.analysis = analysis
        self.most = most
        self.new: dict[Node, Node] = {}
        self._ratios: dict[SOp, Ratio | None] = {}
        self._wide: dict[SOp, bool] = {}

    def rewrite(self, roots: Iterable[Node], outputs: Collection[Node]) -> dict[Node, Node]:
        """The replacement of each node below the roots."""
        for node in reachable(roots):
            self.new[node] = self._rewritten(rebuilt(node, self.new))
        for node in outputs:
            made = self.new[node]
            if isinstance(made, SOp) and self._is_wide(made) and (ratio := self.ratio(made)) is not None:
                self.new[node] = _quotient(ratio)
        return self.new

    def _rewritten(self, node: Node) -> Node:
        if isinstance(node, Map) and self._is_wide(node) and (ratio := self.ratio(node)) is not None:
            return node if ratio.under or ratio.factor.denominator != 1 else _quotient(ratio)
        match node:
            case Aggregate() if self._is_own(node):
                return node.value
            case Map(op=op, args=(a, b)) if op in PREDICATES and (self._is_wide(a) or self._is_wide(b)):
                left, right = self.ratio(a), self.ratio(b)
                return node if left is None or right is None else self._compared(op, left, right) or node
            case Map(op="round", args=(a,)) if self._is_wide(a) and (ratio := self.ratio(a)) is not None:
                return Map("round", (_quotient(ratio),))
            case Map(op="round", args=(a,)) if self._is_whole(a) and not self._has_mean(a):
                return a
            case Select(key=key, query=query, predicate=op) if self._is_wide(key) and not self.analysis.variables(
                query
            ):
                return Select(self._truth(op, key, query), Constant(True), "==")
            case Select(key=key, query=query, predicate=op) if self._is_wide(query) and not self.analysis.variables(
                key
            ):
                return Select(Constant(True), self._truth(op, key, query), "==")
            case Select(key=key, query=query, predicate=op):
                if self._is_wide(query) and (ratio := self.ratio(query)) is not None and self._is_whole(key):
                    return self._selected(op, key, ratio, swapped=False) or node
                if self._is_wide(key) and (ratio := self.ratio(key)) is not None and self._is_whole(query):
                    return self._selected(op, query, ratio, swapped=True) or node
        return node

    def _is_own(self, node: Aggregate) -> bool:
        """Whether all keys have what I have: it is the same everywhere, or all keys equal me in what it is made of."""
        try:
            cases = self.analysis.disjuncts(node.selector)
            if not self.analysis.never_empty(node.selector):
                return False
            if self.analysis.is_uniform(node.value):
                return True
            if len(cases) != 1:
                return False
        except RaspError:
            return False
        same = {key for key, query, comparison in cases[0].parts if key is query and comparison == EQUAL}
        return self._is_from(
            node.value, {TOKEN if isinstance(key, Tokens) and key.convert == "str" else key for key in same}
        )

    def _is_from(self, node: SOp, known: Collection[SOp]) -> bool:
        """Whether the s-op is computed from some others, position by position."""
        if node in known or isinstance(node, Constant):
            return True
        if isinstance(node, Tokens):
            return TOKEN in known
        return isinstance(node, Map | Lookup) and all(self._is_from(arg, known) for arg in args(node))

    def _truth(self, op: str, key: SOp, query: SOp) -> SOp:
        found = self._rewritten(Map(op, (key, query)))
        assert isinstance(found, SOp)
        return found

    # -- what is wide ------------------------------------------------------------------------------------------------

    def _is_wide(self, node: SOp) -> bool:
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
                return any(map(self._is_wide, args))
            case Map(op="^", args=(a, Constant(value=int(power)))):
                return 1 < power <= MOST_POWER and self._is_wide(a)
            case Map(op="if", args=(_, a, b)):
                return self._is_wide(a) or self._is_wide(b)
            case Map(op="/", args=(a, b)):
                return (
                    self._is_wide(a) or self._is_wide(b) or (bool(self.analysis.variables(b)) and not self._few(node))
                )
        return False

    def _has_mean(self, node: SOp) -> bool:
        return any(map(self._is_mean, self.analysis.variables(node)))

    def _is_mean(self, node: SOp) -> bool:
        """Whether the s-op is a mean, whose rounding errors `round` takes away from what is computed from it."""
        return isinstance(node, Aggregate) and not self._picks(node)

    def _picks(self, node: Aggregate) -> bool:
        try:
            return self.analysis.picks(node) and not self._is_wide(node.value)
        except RaspError:
            return False

    def _few(self, node: SOp) -> bool:
        try:
            domain = self.analysis.domain(node)
        except RaspError:
            return False
        return not domain.numeric or domain.whole or len(domain) <= self.most

    def _is_whole(self, node: SOp) -> bool:
        try:
            domain = self.analysis.domain(node)
        except RaspError:
            return False
        return domain.numeric and domain.whole

    # -- ratios ------------------------------------------------------------------------------------------------------

    def ratio(self, node: SOp) -> Ratio | None:
        """The s-op as a ratio of whole numbers, if it visibly is one."""
        if node not in self._ratios:
            self._ratios[node] = self._ratio(node)
        return self._ratios[node]

    def _ratio(self, node: SOp) -> Ratio | None:
        if isinstance(node, Constant):
            return None if isinstance(node.value, str) else Ratio(Fraction(node.value), Constant(1), Counter())
        if self._is_whole(node):
            match node:
                case (
                    Map(op="*", args=(Constant(value=int(number)), a))
                    | Map(op="*", args=(a, Constant(value=int(number))))
                ):
                    if self._is_whole(a):  # so that a count in a multiple of it cancels
                        return Ratio(Fraction(number), a, Counter())
            return Ratio(Fraction(1), node, Counter())
        return self._parted(node) or self._narrow(node)

    def _parted(self, node: SOp) -> Ratio | None:
        """The ratio of a mean, or of what is computed from ratios."""
        match node:
            case Aggregate() if not self._picks(node):
                return self._mean(node)
            case Map(op="plus", args=(a,)):
                return self.ratio(a)
            case Map(op="negate", args=(a,)):
                found = self.ratio(a)
                return None if found is None else Ratio(-found.factor, found.over, found.under)
            case Map(op="^", args=(a, Constant(value=int(power)))) if 1 <= power <= MOST_POWER:
                return self.ratio(reduce(lambda x, y: Map("*", (x, y)), [a] * power))
        if not isinstance(node, Map) or len(node.args) < 2:
            return None
        parts = [self.ratio(arg) for arg in node.args[-2:]]
        if parts[0] is None or parts[1] is None:
            return None
        left, right = parts[0], parts[1]
        match node.op:
            case "+" | "-":
                return self._added(left, right, 1 if node.op == "+" else -1)
            case "*":
                return self._multiplied(left, right)
            case "/":
                return self._divided(left, right)
            case "if":
                return self._chosen(node.args[0], left, right)
        return None

    def _narrow(self, node: SOp) -> Ratio | None:
        """An s-op of few values: over a common denominator, which is a number."""
        try:
            domain = self.analysis.domain(node)
        except RaspError:
            return None
        if not domain.numeric:
            return None
        common = math.lcm(*(number.denominator for number in domain.numbers))
        if isinstance(node, Lookup):
            over: SOp = replace(node, table=tuple((key, _times(value, common)) for key, value in node.table))
        else:
            over = _product([node, Constant(common)])
        return Ratio(Fraction(1, common), over, Counter())

    def _mean(self, node: Aggregate) -> Ratio | None:
        """A total over a count; an empty row, if there may be one, counts as one key that has the default."""
        value = self.ratio(node.value)
        if value is None or isinstance(node.default, str):
            return None
        if self.analysis.at_most_one(node.selector):
            return self._fetched(node, value)
        if not all(map(self.analysis.is_uniform, value.under)):
            return None
        count = width(node.selector, self.analysis.setting)
        terms = self._totals(node.selector, value.over)
        if self.analysis.never_empty(node.selector):
            under = value.under + Counter([count])
            for _, factors in terms:
                under &= Counter(factors)  # what all terms have is in the denominator too
            rest = [(number, [*(Counter(factors) - under).elements()]) for number, factors in terms]
            return Ratio(value.factor, _polynomial(rest), value.under + Counter([count]) - under)
        total = Ratio(value.factor, _polynomial(terms), value.under)
        empty = Map("indicator", (Map("==", (count, Constant(0))),))
        filled = self._added(total, Ratio(Fraction(node.default), empty, Counter()), 1)
        return (
            None if filled is None else Ratio(filled.factor, filled.over, filled.under + Counter([_sum(count, empty)]))
        )

    def _totals(self, selector: Selector, value: SOp) -> list[tuple[int, list[SOp]]]:
        """The sum of an s-op, as a sum of products; what is the same for all keys is left outside."""
        found: list[tuple[int, list[SOp]]] = []
        for number, factors in self._monomials(value):
            outside = [factor for factor in factors if self.analysis.is_uniform(factor)]
            inside = _product(factor for factor in factors if factor not in outside)
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

    def _added(self, a: Ratio, b: Ratio, sign: int) -> Ratio | None:
        under = a.under | b.under
        if sum(under.values()) > MOST_TERMS:
            return None
        common = math.lcm(a.factor.denominator, b.factor.denominator)
        left, right = int(a.factor * common), sign * int(b.factor * common)
        over = _linear(a.times(under - a.under), left, b.times(under - b.under), right)
        return Ratio(Fraction(1, common), over, under)

    def _multiplied(self, a: Ratio, b: Ratio) -> Ratio:
        """What is divided by and multiplied with cancels: a mean times its count is the sum."""
        for one, other in ((a, b), (b, a)):
            if (same := next((x for x in other.under if self._is_same(x, one.over)), None)) is not None:
                return Ratio(a.factor * b.factor, other.over, (a.under + b.under) - Counter([same]))
        return Ratio(a.factor * b.factor, _product([a.over, b.over]), a.under + b.under)

    def _is_same(self, a: SOp, b: SOp) -> bool:
        """Whether two s-ops are one linear form."""
        form = self.analysis.linear(a)
        return a is b or (form is not None and form == self.analysis.linear(b))

    def _divided(self, a: Ratio, b: Ratio) -> Ratio | None:
        """Division by what is positive, or negative, wherever it is not 0."""
        if not b.factor or not self._is_whole(b.over):
            return None
        low, high = self.analysis.domain(b.over).ends
        if low < 0 < high or low == high == 0:
            return None
        if high <= 0:
            b = Ratio(-b.factor, _product([b.over, Constant(-1)]), b.under)
        down = a.under + Counter([] if isinstance(b.over, Constant) else [b.over])
        common = b.under & down
        factor = a.factor / b.factor / (int(b.over.value) if isinstance(b.over, Constant) else 1)
        return Ratio(factor, a.times(b.under - common), down - common)

    def _chosen(self, condition: SOp, a: Ratio, b: Ratio) -> Ratio:
        common = math.lcm(a.factor.denominator, b.factor.denominator)
        left, right = (_product([side.over, Constant(int(side.factor * common))]) for side in (a, b))
        over = Map("if", (condition, left, right))
        if a.under == b.under:
            return Ratio(Fraction(1, common), over, a.under)
        return Ratio(Fraction(1, common), over, Counter([Map("if", (condition, a.below, b.below))]))

    # -- readers of ratios -------------------------------------------------------------------------------------------

    def _compared(self, op: str, a: Ratio, b: Ratio) -> SOp | None:
        """Cross-multiplied: denominators are positive."""
        difference = self._added(a, b, -1)
        return None if difference is None else Map(op, (difference.over, Constant(0)))

    def _selected(self, op: str, own: SOp, ratio: Ratio, swapped: bool) -> Select | None:
        """A whole number compares with a ratio as with the next whole number below it, or above."""
        compared = MIRRORED[op] if swapped else op
        if compared in ("==", "!="):
            return None
        if compared in ("<=", ">"):  # own <= x if own <= floor(x); own > x if own > floor(x)
            near = _floor(ratio)
        else:
            near = _product([_floor(Ratio(-ratio.factor, ratio.over, ratio.under)), Constant(-1)])
        return Select(near, own, op) if swapped else Select(own, near, op)  # type: ignore[arg-type]


def _times(value: Value, factor: int) -> Value:
    """A number times a factor; what is no number stands for itself, since it is never looked up."""
    if isinstance(value, str):
        return value
    product = Fraction(value) * factor
    return int(product) if product.denominator == 1 else product


def _quotient(ratio: Ratio) -> SOp:
    over = _product([ratio.over, Constant(ratio.factor.numerator)])
    under = _product([*ratio.under.elements(), Constant(ratio.factor.denominator)])
    return over if under is Constant(1) else Map("/", (over, under))


def _floor(ratio: Ratio) -> SOp:
    """The next whole number below ``n / d``: ``n / d - 1 / 2`` and a quarter of ``1 / d``, rounded, which is no tie."""
    over = _product([ratio.over, Constant(4 * ratio.factor.numerator)])
    under = _product([*ratio.under.elements(), Constant(ratio.factor.denominator)])
    shifted = Map("+", (Map("-", (over, _product([under, Constant(2)]))), Constant(1)))
    return Map("round", (Map("/", (shifted, _product([under, Constant(4)]))),))


def _linear(a: SOp, left: int, b: SOp, right: int) -> SOp:
    """``left * a + right * b``; sums over one selector are one sum."""
    if isinstance(a, Total) and isinstance(b, Total) and a.selector is b.selector:
        return Total(a.selector, _linear(a.value, left, b.value, right))
    if isinstance(a, Constant) and a.value == 0:
        return _product([b, Constant(right)])
    if right < 0:
        return Map("-", (_product([a, Constant(left)]), _product([b, Constant(-right)])))
    return _sum(_product([a, Constant(left)]), _product([b, Constant(right)]))


def _polynomial(terms: Iterable[tuple[int, Sequence[SOp]]]) -> SOp:
    found: SOp = Constant(0)
    for number, factors in terms:
        found = _linear(found, 1, _product(factors), number)
    return found


def _sum(a: SOp, b: SOp) -> SOp:
    if isinstance(a, Constant) and a.value == 0:
        return b
    return a if isinstance(b, Constant) and b.value == 0 else Map("+", (a, b))


def _product(factors: Iterable[SOp]) -> SOp:
    """The product of s-ops; numbers are multiplied at once, and stand last."""
    number, found = 1, None
    for factor in factors:
        if isinstance(factor, Constant):
            number *= int(factor.value)
        else:
            found = factor if found is None else Map("*", (found, factor))
    if found is None or number == 0:
        return Constant(number)
    return found if number == 1 else Map("*", (found, Constant(number)))
