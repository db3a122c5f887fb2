"""Rounding: how far a number that a model computes can be from the exact one, operation by operation.

In: what is known of the operands, an arithmetic. Out: bounds on errors, each with its derivation beside it.
Invariant: what is assumed of a machine is what `compiler.numbers.precision` says. Below, u is the unit roundoff of what
is stored (`unit`), v that of sums in a matrix product (`sum_unit`); second-order terms are covered by `SLACK` (C17).

    a count of up to 64 keys in float32, scores exact:  64 (64/2 + 8) v, and 64 e^-24 for BOS: 1.5e-4
"""

from __future__ import annotations

import math

import numpy as np

from compiler.numbers.bound import Bound
from compiler.numbers.exact import Multiples
from compiler.numbers.powers import is_dyadic, odd
from compiler.numbers.precision import Precision

MOST_NATS = 600.0
"""Exponents are cut off here: e^600 exceeds every margin already, and what it is multiplied by leaves it a float."""
ROUNDINGS = 8
"""Room for what is rounded of one key's share in a softmax beside the additions: exponential, division, value, lift."""


def holds_all(p: Precision, numbers: Multiples) -> bool:
    """Whether the dtype holds all the numbers exactly."""
    if numbers.counts.dtype == object or not is_dyadic(numbers.unit):
        return all(map(p.holds, numbers.numbers))
    sizes, unit = np.abs(numbers.counts[numbers.counts != 0]), abs(numbers.unit)
    if not len(sizes) or not unit:
        return True
    short = bool((sizes // (sizes & -sizes) <= (2**p.bits - 1) // odd(unit.numerator)).all())
    return short and all(p.spans(unit * int(end)) for end in (sizes.min(), sizes.max()))


# -- sums --------------------------------------------------------------------------------------------------------------


def stored(p: Precision, size: float, total: float = 0.0, held: bool = True) -> float:
    """What storing a sum up to this size rounds, where what is stored is narrower than what is summed (C17).

    The sum is rounded once: u |sum|. A coefficient that is not held to the bit is off by u of itself, all of them by
    u sum |c x|.
    """
    if p.bits == p.accumulator:
        return 0.0
    return p.rounding(size + (0.0 if held else total))


def sum_stored(p: Precision, terms: int, total: float, size: float, held: bool) -> float:
    """The rounding of a sum of products that add up to `total`, stored (C17).

    In whatever order k terms are added, each passes through k - 1 additions at most: k v sum |c x|.
    """
    return p.sum_rounding(terms, total) + stored(p, size, total, held)


def added(p: Precision, size: float, grid: float | None) -> float:
    """The rounding of an addition to the stream (C17).

    What is added is stored, and so is the sum: 2 u |sum|; nothing on a grid that the dtype holds up to that size.
    """
    return 0.0 if grid and p.stores(size, grid) else 2 * p.rounding(size)


# -- softmax -----------------------------------------------------------------------------------------------------------


def spread(nats: float) -> float:
    """By which share weights that should be equal may differ, where scores are off by so many nats: e^x - 1 (C1)."""
    return math.expm1(min(nats, MOST_NATS))


def left_over(p: Precision, n: int, below: float, size: float) -> float:
    """What n keys add that stand so many nats below the best one (C1): n e^-below |value|.

    Nothing where the exponential is 0, or where all of it is less than half of the smallest distance of two numbers.
    """
    left = n * math.exp(min(-below, 0.0)) * size
    return 0.0 if below >= p.zero or left < p.rounding(p.smallest) else left


def unselected(n: int, below: float) -> float:
    """What n keys add up to, in units of a selected one that they stand so many nats below: n e^-below."""
    return n * math.exp(min(-below, MOST_NATS))


def leak(p: Precision, n: int, below: float) -> float:
    """The same of a count (C6): nothing where BOS, which outweighs the selected key, leaves them no weight at all."""
    return 0.0 if left_over(p, n, below + p.counterweight, p.largest) == 0.0 else unselected(n, below)


def mean_error(p: Precision, n: int, value: Bound, nats: float, single: bool) -> float:
    """The error of a mean of up to n keys' values (C1, C17).

    Weights off by a share s move a mean within its range: s (high - low). Sums of n products and the roundings of each
    weight: (n + 8) v |value|. A `single` key has weight 1 exactly, and its value is copied if the dtype holds it.
    """
    if single and (value.grid or p.bits == p.accumulator):
        return value.error
    rounding = p.sum_rounding(n + ROUNDINGS, value.size) + stored(p, 2 * value.size)
    return value.error + (value.high - value.low) * spread(nats) + rounding


def sum_error(p: Precision, n: int, value: Bound, nats: float, leaked: float) -> float:
    """The error of a sum over up to n keys, whose weights BOS makes small and the lift brings back to 1 (C6).

    Each key's share is off by e^nats - 1; by n e^-counterweight, as keys weigh a little beside BOS; by (n/2 + 8) v, as
    equal terms pass through n/2 additions on average; and by what the lift is off from e^counterweight.
    """
    lift = p.lift / p.value_lift
    relative = spread(nats) + n * math.exp(-p.counterweight) + (n / 2 + ROUNDINGS) * p.sum_unit
    relative += abs(p.lift * math.exp(-p.counterweight) - 1)
    if value.grid and value.low >= 0.0 and nats == leaked == 0.0:
        whole = p.stores(n * value.high / lift, value.grid / lift)
        if whole and relative < p.unit / 2:  # storing the sum rounds it to what it should be (C19)
            return 0.0
    rounded = stored(p, 2 * n * value.size / lift) * lift  # a share of the lift comes behind it
    return (n * relative + leaked) * value.size + n * value.error + rounded
