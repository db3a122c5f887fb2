"""Outputs: what is decoded from the stream in the end.

In: an output s-op. Out: `Output`: the forms that are read, and the numbers that each value has in them.
Invariants: values are in the kinds that the program prints, no two are equal and no two have the same numbers; the
numbers are small enough to be told apart in the arithmetic (C10): else the rank of the value is decoded instead, digit
by digit.

    10,000 values, in float32: rank % 100 and rank // 100
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import TypeAlias

from compiler.attention import Read
from compiler.circuit import Output
from compiler.domain import Domain
from compiler.realise.task import Task
from rasp.sop import Constant, Lookup, Map, SOp
from rasp.value import Value

Codes: TypeAlias = tuple[tuple[Value, tuple[Fraction, ...]], ...]


def output(name: str, node: SOp, task: Task, read: Read) -> Output:
    """The output of a name."""
    numbers, coded = task.numbered(node)
    column = [number for _, number in numbers]
    reach = (max(column) - min(column)) / Domain.of(column).gap
    if reach > 2 * task.precision.largest_digit or task.ranked:
        return _in_digits(name, node, task, read)
    return Output(name, (read(coded).form,), _codes(name, task, {value: (number,) for value, number in numbers}))


def _codes(name: str, task: Task, numbers: Mapping[Value, tuple[Fraction, ...]]) -> Codes:
    """What an output's values are decoded from, once for equal ones."""
    return tuple(zip(task.graph.printed(name, numbers), numbers.values(), strict=True))


def _in_digits(name: str, node: SOp, task: Task, read: Read) -> Output:
    """A large output is decoded from the digits of its rank: squares of larger numbers would be rounded (C10).

    A small one from its rank, where its values themselves would be rounded too much.
    """
    domain = task.analysis.domain(node)
    size = len(domain)
    largest = 2 * task.precision.largest_digit + 1
    base = largest if size <= largest else min(largest, math.isqrt(size - 1) + 1)
    places = 1
    while base**places < size:
        places += 1
    codes = {value: [rank // base**i % base for i in range(places)] for rank, value in enumerate(domain)}
    if not task.ranked and domain.numeric and (domain.numbers[-1] - domain.numbers[0]) == domain.gap * (size - 1):
        digits = _quotients(node, domain, base, places)
    else:
        digits = [Lookup(tuple((value, code[i]) for value, code in codes.items()), node) for i in range(places)]
    numbers = {value: tuple(map(Fraction, code)) for value, code in codes.items()}
    return Output(name, tuple(read(digit).form for digit in digits), _codes(name, task, numbers))


def _quotients(node: SOp, domain: Domain, base: int, places: int) -> list[SOp]:
    """Digits of numbers at equal distances: the rank is linear, and ``rank % base = rank - base * (rank // base)``.

    So only quotients take neurons, one a step, and they only rise: nothing large is added up and taken away again.
    """
    low, gap = domain.values[0], domain.gap
    rank: SOp = Map("/", (Map("-", (node, Constant(low))), Constant(gap)))
    quotients = [rank]
    for place in range(1, places):
        table = tuple((value, number // base**place) for number, value in enumerate(domain))
        quotients.append(Lookup(table, node))
    ahead = [Map("*", (quotient, Constant(base))) for quotient in quotients[1:]]
    return [*(Map("-", pair) for pair in zip(quotients, ahead, strict=False)), quotients[-1]]
