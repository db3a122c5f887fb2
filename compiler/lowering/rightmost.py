"""Rightmost: the last, or the first, of the keys that a conjunction selects, by the scores of one head.

In: a `Rightmost` and a way to score comparisons. Out: its `Scores`, if they are exact in the arithmetic.
Invariant: a selected key scores at least `selected` (plus the baseline), all others stay 1 below that, and of two
selected keys the later one, or the earlier one, scores at least 1 more (docs/constructions.md, C43).

    n (2ak - k^2 - a^2) + position, for n positions: from 0 on for equal keys, at most -1 for others
"""

from __future__ import annotations

from fractions import Fraction

from compiler.circuit.layer import Part
from compiler.graph.domain import POSITION, Analysis, Rightmost
from compiler.graph.relation import EQUAL, Compared
from compiler.lowering.attention import Scores, Scoring, is_compared_at_keys, score_part
from compiler.numbers.exact import real
from compiler.numbers.precision import Precision
from rasp.meaning.sop import Constant

MOST_COLUMNS = 16
"""An order of more values takes more columns than a running number, and is left to that."""


def scores_of_end(end: Rightmost, scoring: Scoring, precision: Precision) -> Scores | None:
    """The scores; None where they would be rounded, or an order would be a large table."""
    analysis = scoring.analysis
    if precision.is_half or not all(_takes_few_columns(part, analysis) for part in end.among.parts):
        return None
    weight = Fraction(analysis.setting.max_length)
    found = Scores()
    finer = scoring.times(weight, end.among.parts)
    for part in end.among.parts:
        score_part(*part, finer, found, weight)
    found.add("place", [(scoring.read(Constant(1)), scoring.read(POSITION), Fraction(-1 if end.first else 1))])
    least = 1 - weight if end.first else Fraction(0)
    found.selected += least
    found.least_selected += least
    size = real(weight) + sum(map(_size, found.parts))
    return found if found.exact and size <= precision.sum_whole else None


def _takes_few_columns(part: Compared, analysis: Analysis) -> bool:
    key, query, comparison = part
    if comparison == EQUAL or is_compared_at_keys(*part, analysis):
        return True
    return min(len(analysis.domain(key)), len(analysis.domain(query))) <= MOST_COLUMNS


def _size(part: Part) -> float:
    """What the products of a part add up to in size: of a table they are bits."""
    return 3 * part.best if part.kind == "parabola" else real(part.weight) * len(part.pairs)
