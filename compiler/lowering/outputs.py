"""Outputs: what is decoded from the stream in the end. To decode is to unembed: the nearest code gives the value.

In: an output s-op. Out: `Output`: the forms that are read, and the numbers that each value has in them.
Invariants: values are in the kinds that the program prints, and no two have the same numbers; the numbers are small
enough to be told apart in the arithmetic (C10): else the rank of the value is decoded instead, digit by digit. A
quotient is decoded from its two sides, so its values have as many codes as they have fractions (C24).

    10,000 values, in float32: rank % 100 and rank // 100
    total / length, up to 2:   (0, 1) and (0, 2) are 0, (1, 2) is 1/2, (1, 1) and (2, 2) are 1, ...
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from compiler.circuit.circuit import Output
from compiler.graph.domain import Domain, args
from compiler.lowering.attention import Read
from compiler.lowering.context import Context
from compiler.lowering.lines import minus, sides
from compiler.numbers.direction import Form
from compiler.numbers.exact import Multiples, as_value, counts, whole
from rasp.meaning.sop import Constant, Lookup, Map, SOp
from rasp.text.source import RaspError
from rasp.value import Value

_Rows: TypeAlias = npt.NDArray[np.int64]
OutputCodes: TypeAlias = tuple[tuple[Value, tuple[Fraction, ...]], ...]
"""Values, each with its numbers in the forms that are read."""


def output(name: str, node: SOp, context: Context, read: Read) -> Output:
    """The output of a name."""
    if context.tabled and (table := _in_table(name, node, context, read)) is not None:
        return table
    large = len(context.analysis.domain(node)) > context.short_staircase and not context.precision.is_half
    if context.ranked and large and (parts := _in_parts(name, node, context, read)) is not None:
        return parts  # numerator and denominator are decoded, each by its digits
    if context.ranked:
        try:
            return _in_digits(name, node, context, read)
        except RaspError:  # too many values: then numerator and denominator are decoded instead
            pass
    if (parts := _in_parts(name, node, context, read)) is not None:
        return parts
    if len(context.analysis.domain(node)) > context.limits.decoded:
        raise context.analysis.too_many(node, context.limits.decoded)
    numbers, coded = context.numbered(node)
    column = Multiples.of([number for _, number in numbers])
    low, high = column.range
    if not _is_distinguishable(low / column.distance, high / column.distance, context):
        return _in_digits(name, node, context, read)
    return Output(name, (read(coded).form,), _codes(name, context, {value: (number,) for value, number in numbers}))


def _codes(name: str, context: Context, numbers: Mapping[Value, tuple[Fraction, ...]]) -> OutputCodes:
    """What an output's values are decoded from, once for equal ones."""
    return tuple(zip(context.graph.printed(name, numbers), numbers.values(), strict=True))


def _in_parts(name: str, node: SOp, context: Context, read: Read) -> Output | None:
    """A quotient of whole numbers is decoded from the two, so a value has as many codes as it has fractions (C24)."""
    a, b = sides(node)
    if not context.analysis.variables(b):
        return None
    wholes = dict.fromkeys([(a, b), context.analysis.whole_parts((a, b))])
    for parts in wholes if not context.ranked else ():
        if (found := _from(name, a, b, parts, context, read)) is not None:
            return found
    listed = [parts for parts in wholes if parts and all(map(context.analysis.is_whole, parts))]
    for parts in sorted(listed, key=lambda parts: sum(not _is_small(part, context) for part in parts)):
        rows = _listed(context, a, b, parts)
        if rows is None or any(len(context.analysis.domain(part)) > context.limits.decoded for part in parts):
            continue
        forms, columns = [], [*rows.T[:2]]
        for part, column in zip(parts, rows.T[2:], strict=True):
            for digit, numbers in _whole_digits(part, column, context):
                forms.append(read(digit).form)
                columns.append(numbers)
        return _in_columns(name, context, forms, np.stack(columns, axis=1))
    return None


def _from(name: str, over: SOp, under: SOp, parts: Sequence[SOp], context: Context, read: Read) -> Output | None:
    """A quotient that is decoded from parts, if they say which it is and their numbers can be told apart."""
    rows = _listed(context, over, under, parts)
    if rows is None or not _are_distinguishable(rows[:, 2:], context):
        return None
    return _in_columns(name, context, [read(part).form for part in parts], rows)


def _in_table(name: str, node: SOp, context: Context, read: Read) -> Output | None:
    """Any function of whole numbers is decoded from these: the unembedding has a row for each of their joint values."""
    leaves = _whole_leaves(node, context)
    for parts in dict.fromkeys([leaves, context.analysis.whole_parts(leaves)]):
        rows = context.analysis.joint(parts) if parts else None
        if rows is None or len(rows) > context.limits.decoded or not _are_distinguishable(rows, context):
            continue
        answers = context.analysis.at_rows(node, parts, rows)
        codes = [tuple(map(whole, row)) for row in rows.tolist()]
        defined = [(value, code) for value, code in zip(answers, codes, strict=True) if value is not None]
        values = context.graph.printed(name, [value for value, _ in defined])
        return Output(
            name,
            tuple(read(part).form for part in parts),
            tuple((value, code) for value, (_, code) in zip(values, defined, strict=True)),
        )
    return None


def _whole_leaves(node: SOp, context: Context) -> tuple[SOp, ...]:
    """The outermost whole numbers that an s-op is computed from; nothing where something else is among them."""
    found: dict[SOp, None] = {}
    todo = [node]
    while todo:
        current = todo.pop()
        if isinstance(current, Constant):
            continue
        if current is not node and context.analysis.is_whole(current):
            found[current] = None
        elif isinstance(current, Map | Lookup):
            todo += args(current)
        else:
            return ()
    return tuple(found)


def _from_what_it_is_computed(name: str, node: SOp, context: Context, read: Read) -> Output | None:
    """A number that is computed from a few whole ones is decoded from these: the unembedding is the table."""
    over, under = sides(node)
    parts = context.analysis.whole_parts((over, under))
    return _from(name, over, under, parts, context, read) if parts and parts != (node,) else None


def _listed(context: Context, over: SOp, under: SOp, parts: Sequence[SOp]) -> _Rows | None:
    """Every joint value of a quotient's two sides and of what it is to be decoded from."""
    rows = context.analysis.joint((over, under, *parts))
    return None if rows is None or len(rows) > context.limits.decoded else rows[rows[:, 1] != 0]


def _are_distinguishable(rows: _Rows, context: Context) -> bool:
    """Whether the numbers of each column can be told apart."""
    ends = zip(rows.min(axis=0).tolist(), rows.max(axis=0).tolist(), strict=True)
    return all(_is_distinguishable(Fraction(low), Fraction(high), context) for low, high in ends)


def _in_columns(name: str, context: Context, forms: Sequence[Form], rows: _Rows) -> Output:
    """What is decoded from forms, whose numbers are the columns behind numerator and denominator."""
    found = {tuple(code): Fraction(over, under) for over, under, *code in rows.tolist()}
    values = context.graph.printed(name, found.values())
    codes = tuple((value, tuple(map(whole, code))) for value, code in zip(values, found, strict=True))
    return Output(name, tuple(forms), codes)


def _whole_digits(node: SOp, column: _Rows, context: Context) -> Iterator[tuple[SOp, _Rows]]:
    """A whole number, or its digits if it is large, with what they are where it is a column's number."""
    low, high = (int(end) for end in context.analysis.domain(node).ends)
    if _is_small(node, context):
        # what is a sum, perhaps of larger numbers, is copied into a direction of its own (`Gates.copied`)
        is_copied = context.ranked and isinstance(node, Map)
        yield Map("round", (node,)) if is_copied else node, column
        return
    base = math.isqrt(high - low) + 1
    above = Map("-", (Map("round", (node,)), Constant(low)))
    rest = Map("%", (above, Constant(base)))
    yield Map("/", (Map("-", (above, rest)), Constant(base))), (column - low) // base
    yield rest, (column - low) % base


def _is_small(node: SOp, context: Context) -> bool:
    """Whether a whole number is told apart without being taken into digits.

    Ranks are tried where something was rounded too much: then only digits that are small have room for errors.
    """
    low, high = context.analysis.domain(node).ends
    has_room = not context.ranked or high - low <= context.precision.largest_digit // 4
    return has_room and _is_distinguishable(low, high, context)


def _is_distinguishable(low: Fraction, high: Fraction, context: Context) -> bool:
    """Whether whole numbers between these can be told apart (C10): their squares count, from 0 and from the middle."""
    largest = context.precision.largest_digit
    return high - low <= 2 * largest and (context.precision.is_half or 3 * max(-low, high) <= 4 * largest)


def _in_digits(name: str, node: SOp, context: Context, read: Read) -> Output:
    """A large output is decoded from the digits of its rank: squares of larger numbers would be rounded (C10).

    A small one from its rank, where its values themselves would be rounded too much. Ranks of numbers are taken
    `by_arithmetic`, as multiples of their step, unless that makes too many, or a short table leaves some out.
    """
    domain = context.analysis.domain(node)
    by_arithmetic = domain.numeric and domain.step and not context.ranked
    size = int((domain.ends[1] - domain.ends[0]) / domain.step) + 1 if by_arithmetic else len(domain)
    if size > context.limits.decoded or (size > len(domain) and len(domain) <= context.short_staircase):
        by_arithmetic, size = False, len(domain)
    many = not by_arithmetic and len(domain) > context.short_staircase
    if many and (made := _from_what_it_is_computed(name, node, context, read)) is not None:
        return made
    if not by_arithmetic and _knots(domain) > context.limits.neurons:
        raise context.analysis.too_many(node, context.limits.neurons)
    largest = (2 if context.precision.is_half else 1) * context.precision.largest_digit + 1
    base = largest if size <= largest else min(largest, math.isqrt(size - 1) + 1)
    length = 1
    while base**length < size:
        length += 1
    ranks = {value: rank for rank, value in enumerate(domain)}
    if by_arithmetic:
        found, common = counts(domain.numbers)
        ranks = {v: (x - found[0]) // int(domain.step * common) for v, x in zip(domain, found, strict=True)}
    codes = {value: [rank // base**i % base for i in range(length)] for value, rank in ranks.items()}
    if by_arithmetic:
        digits = _quotients(node, domain, ranks, base, length)
    else:
        digits = [Lookup(tuple((value, code[i]) for value, code in codes.items()), node) for i in range(length)]
    parts = {value: tuple(map(whole, code)) for value, code in codes.items()}
    return Output(name, tuple(read(digit).form for digit in digits), _codes(name, context, parts))


def _knots(domain: Domain) -> int:
    """The knots of the rank of a number as a function of it: as many neurons as its digits take together, at least."""
    if not domain.numeric or domain.step == 0:
        return 0
    return int(np.count_nonzero(np.diff(np.diff(Multiples.of(domain.numbers).counts))))


def _quotients(node: SOp, domain: Domain, ranks: Mapping[Value, int], base: int, length: int) -> list[SOp]:
    """The digits of a number's rank, which is linear in it: ``rank % base = rank - base * (rank // base)``.

    So only quotients take neurons, one for each number at which they grow, and they never become smaller: nothing large
    is added up and taken away again.
    """
    rank = minus(node, domain.ends[0])
    rank = rank if domain.step == 1 else Map("/", (rank, Constant(as_value(domain.step))))
    quotients = [rank]
    for digit in range(1, length):
        table = tuple((value, of // base**digit) for value, of in ranks.items())
        quotients.append(Lookup(table, node))
    ahead = [Map("*", (quotient, Constant(base))) for quotient in quotients[1:]]
    return [*(Map("-", pair) for pair in zip(quotients, ahead, strict=False)), quotients[-1]]
