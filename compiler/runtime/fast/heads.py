"""Heads: what the attention of a layer adds to the stream, by counting and adding up what its heads select.

In: the steps of a `Plan` for one sublayer. Out: `Attention`, and `Scored` for heads that run as they are, which change
a stream [row, batch, position]. Keys stand in the same stream, or in an encoder's.
Invariants: padding is read as 0; a bit that is read is made 0 or 1 first; a sum is made in float64 where its values are
not whole multiples of a power of two that the model's dtype adds up exactly; a row without keys gets the default to
the bit.

    opened: sum of key(1 - closes) over positions so far -> + row 3
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import pad, scaled_dot_product_attention

from compiler.circuit.circuit import Circuit
from compiler.circuit.emit import Emitter
from compiler.circuit.layer import Channel, Head, Stream
from compiler.numbers.direction import BOS, ONE, Direction, Form
from compiler.runtime.fast.plan import Step
from compiler.runtime.fast.rows import Factors, Kind, Picked, Places, Readings, Rows, Tape, Writing, present
from compiler.runtime.fast.search import search
from compiler.runtime.fast.selection import Selection, Window

Chosen: TypeAlias = tuple[int, ...]
"""Which factors are multiplied; none: 1."""


class Attention:
    """All heads of a sublayer: one product for everything they read of a stream, then each group by itself.

    With the `rows` of two streams keys stand in the first one, an encoder's, as it is in the end.
    """

    def __init__(self, steps: Sequence[Step], rows: Rows, keys: Rows | None = None) -> None:
        key_bits = [form for step in steps for form in step.selection.key_bits()]
        query_bits = [form for step in steps for form in step.selection.query_bits()]
        key_numbers = [form for step in steps for form in step.key_numbers()]
        query_numbers = [form for step in steps for form in step.query_numbers()]
        if keys is None:
            self.keys = self.queries = Factors(key_bits + query_bits, key_numbers + query_numbers, rows)
        else:
            self.keys = Factors(key_bits, key_numbers, keys)
            self.queries = Factors(query_bits, query_numbers, rows)
        groups: dict[object, list[Step]] = {}
        for step in steps:
            groups.setdefault(step.group(), []).append(step)
        self.groups = [Group(group, (self.keys.place, self.queries.place), rows) for group in groups.values()]

    def __call__(self, own: Tape, source: Tape | None) -> None:
        """Add to the stream, in place, behind an encoder's where the keys stand there."""
        queries = self.queries(*own)
        keys = queries if self.keys is self.queries or source is None else self.keys(*source)
        for group in self.groups:
            group(own.stream, keys, queries)


@dataclass
class Sums:
    """Sums that heads need: products of factors at the key, times factors at the query, added up with coefficients."""

    places: Places
    products: dict[tuple[Window, Chosen], int] = field(default_factory=dict)
    terms: dict[tuple[int, Chosen], int] = field(default_factory=dict)
    sums: list[dict[int, Fraction]] = field(default_factory=list)

    def new(self) -> int:
        """Another sum, of nothing."""
        self.sums.append({})
        return len(self.sums) - 1

    def add(self, number: int, step: Step, value: Form | None = None, coefficient: Fraction = Fraction(1)) -> None:
        """Add to a sum the value, or 1, of each key that is selected."""
        selection, (at_key, at_query) = step.selection, self.places
        for pairs in itertools.product(*selection.classes):
            keys = {at_key.bits[form] for form in (*selection.keys, *(key for _, key in pairs))}
            queries = {at_query.bits[form] for form in (*selection.queries, *(query for query, _ in pairs))}
            factors = (*sorted(keys), *(() if value is None else (at_key.numbers[value],)))
            product = self.products.setdefault((selection.window, factors), len(self.products))
            term = self.terms.setdefault((product, tuple(sorted(queries))), len(self.terms))
            self.sums[number][term] = self.sums[number].get(term, Fraction(0)) + coefficient


class Group:
    """Heads that find their keys in the same way."""

    def __init__(self, steps: Sequence[Step], places: Places, rows: Rows) -> None:
        self.kind = replace(rows.kind, dtype=torch.float64) if steps[0].wide else rows.kind
        self.single = steps[0].single
        sums = Sums(places)
        added: dict[Direction, int] = {}
        counts: dict[Selection, int] = {}
        found: list[tuple[int, Channel]] = []
        means: list[tuple[int, int, Channel]] = []
        for step in steps:
            if step.mode == "mean" and step.selection not in counts:
                counts[step.selection] = sums.new()
                sums.add(counts[step.selection], step)
            count = counts.get(step.selection, -1)
            for channel in step.channels:
                constant = channel.read.terms.keys() <= {ONE}
                if step.mode == "sum":
                    number = added.setdefault(channel.write, len(sums.sums))
                    number = sums.new() if number == len(sums.sums) else number
                    value = channel.read.terms.get(ONE, Fraction(0)) if constant else Fraction(1)
                    sums.add(number, step, None if constant else channel.read, value)
                elif constant:
                    found.append((count, channel))
                else:
                    means.append((sums.new(), count, channel))
                    sums.add(means[-1][0], step, channel.read)
        windows, products = zip(*sums.products, strict=True)
        self.products = Products(products, places[0].one, rows.kind)
        self.search = search(steps[0], windows, places, rows.kind, Counts(products, places[0].one, rows.kind))
        self.combined = Combined(sums, self.kind)
        self.added = Picked(list(added.values()), rows.kind)
        self.counted = Picked([count for count, _ in found], rows.kind)
        self.present = rows.kind.column([channel.read.terms.get(ONE, Fraction(0)) for _, channel in found])
        self.absent = rows.kind.column([channel.default for _, channel in found])
        self.summed = Picked([number for number, _, _ in means], rows.kind)
        divided = [count for _, count, _ in means]
        self.divided = Picked(divided if len(set(divided)) > 1 else divided[:1], rows.kind)
        self.empty = self.kind.column([channel.default for _, _, channel in means])
        self.write = Writing([*added, *(c.write for _, c in found), *(c.write for _, _, c in means)], rows)

    def __call__(self, stream: Tensor, keys: Tensor, queries: Tensor) -> None:
        """Add to the stream [row, batch, position], in place. Factors are 0 where there is padding, 1 too."""
        fine = keys if self.kind.dtype == keys.dtype else keys.to(self.kind.dtype)
        asked = fine if keys is queries else queries.to(self.kind.dtype)
        sums = self.combined(self.search(self.products(fine), keys, queries), asked)
        parts = list(self._parts(sums))
        self.write(stream, parts[0] if len(parts) == 1 else torch.cat([part.to(stream.dtype) for part in parts]))

    def _parts(self, sums: Tensor) -> Iterator[Tensor]:
        """What is written, [direction, batch, position or 1]: sums, constants that are found or not, and means."""
        if self.added.numbers:
            yield self.added(sums)
        if self.counted.numbers:
            yield torch.where(self.counted(sums) > 0.5, self.present, self.absent)
        if self.summed.numbers:
            count, mean = self.divided(sums), self.summed(sums)
            yield torch.where(count > 0.5, mean if self.single else mean / count.clamp(min=1), self.empty)


class Scored:
    """Heads that run as they are: scores, softmax, and what they fetch, with BOS in front."""

    def __init__(self, heads: Sequence[Head], circuit: Circuit, rows: Rows, keys: Rows | None = None) -> None:
        weights, kind = Emitter(circuit), rows.kind
        scores = [weights.scores(head) for head in heads]
        values = [weights.values(head) for head in heads]
        width = max(max(map(len, scores)), max(map(len, values)))
        asked = [[query for query, _ in pairs] for pairs in scores]
        there = [[key for _, key in pairs] for pairs in scores], values
        if keys is None:
            self.sides = [Side([asked, *there], width, circuit.bos(), rows)]
        else:
            of_source = Side([*there], width, weights.at_keys(heads[0]).circuit.bos(), keys)
            self.sides = [Side([asked], width, circuit.bos(), rows), of_source]
        self.causal = circuit.causal and keys is None
        directions = list(dict.fromkeys(channel.write for head in heads for channel in head.channels))
        out = [[0.0] * (len(heads) * width) for _ in directions]
        for number, head in enumerate(heads):
            for place, channel in enumerate(head.channels):
                out[directions.index(channel.write)][number * width + place] = weights.lift(head)
        self.out = kind.numbers(out, len(heads) * width)
        self.write = Writing(directions, rows)

    def __call__(self, own: Tape, source: Tape | None) -> None:
        """Add to the stream, in place, behind an encoder's where the keys stand there."""
        tapes = [own] if source is None or len(self.sides) == 1 else [own, source]
        read = (side(*tape) for side, tape in zip(self.sides, tapes, strict=True))
        query, key, value = itertools.chain.from_iterable(read)
        mask = tapes[-1].mask
        seen = None if mask is None or self.causal else pad(mask, (1, 0), value=True)[:, None, None]
        mixed = scaled_dot_product_attention(query, key, value, attn_mask=seen, is_causal=self.causal, scale=1.0)
        found = mixed[:, :, 1:].permute(1, 3, 0, 2).flatten(0, 1)
        self.write(own.stream, (self.out @ found.flatten(1)).view(-1, *own.stream.shape[1:]))


class Side:
    """What heads that run as they are read of one stream: forms of every head, filled up to one width."""

    def __init__(self, sides: Sequence[Sequence[Sequence[Form]]], width: int, bos: Stream, rows: Rows) -> None:
        forms = [form for side in sides for one in side for form in (*one, *[Form()] * (width - len(one)))]
        self.shape = (len(sides), len(sides[0]), width)
        self.read = Readings.of([_without_bos(form) for form in forms], rows)
        self.bos = rows.kind.numbers([[form.at(bos)] for form in forms], 1).view(*self.shape, 1, 1)

    def __call__(self, stream: Tensor, mask: Tensor | None) -> Tensor:
        """The stream [row, batch, position] -> [side, batch, head, 1 + position, form]."""
        read = present(self.read(stream.flatten(1)).view(*self.shape, *stream.shape[1:]), mask)
        parts = torch.cat([self.bos.expand(-1, -1, -1, stream.shape[1], 1), read], -1)
        apart = parts.permute(0, 3, 1, 4, 2)
        return apart.new_empty(apart.shape).copy_(apart)  # the kernel wants a head's numbers side by side


def _without_bos(form: Form) -> Form:
    return Form({direction: coefficient for direction, coefficient in form.terms.items() if direction != BOS})


class Products:
    """Products of factors, [factor, batch, position] -> [product, batch, position]."""

    def __init__(self, products: Sequence[Chosen], one: int, kind: Kind) -> None:
        width = max([1, *map(len, products)])
        rows = [[*product, *[one] * (width - len(product))] for product in products]
        self.factors = [Picked(column, kind) for column in zip(*rows, strict=True)]

    def __call__(self, factors: Tensor) -> Tensor:
        """Each product; not to be changed in place."""
        found = self.factors[0](factors)
        for factor in self.factors[1:]:
            found = found * factor(factors)
        return found


class Counts:
    """Which keys count for each of some products: those at which all of its bits hold."""

    def __init__(self, products: Sequence[Chosen], one: int, kind: Kind) -> None:
        """Bits are numbered below `one`, what is added up from there on."""
        bits = [tuple(factor for factor in product if factor < one) for product in products]
        distinct = list(dict.fromkeys(bits))
        self.products = Products(distinct, one, kind)
        self.which = kind.places([distinct.index(some) for some in bits])

    def __call__(self, factors: Tensor) -> tuple[Tensor, Tensor]:
        """Whether keys count, [row, batch, position], and the row of each product."""
        return self.products(factors) > 0.5, self.which


class Combined:
    """Sums over keys, times bits of the query, added up: [product, batch, position or 1] -> [sum, ...]."""

    def __init__(self, sums: Sums, kind: Kind) -> None:
        asked = [queries for _, queries in sums.terms]
        self.queries = Products(asked, sums.places[1].one, kind) if any(asked) else None
        self.product = Picked([product for product, _ in sums.terms], kind)
        alone = [_only(found) for found in sums.sums]
        self.chosen = Picked([term for term in alone if term is not None], kind) if None not in alone else None
        matrix = [[found.get(term, Fraction(0)) for term in range(len(sums.terms))] for found in sums.sums]
        self.matrix = kind.numbers(matrix, len(sums.terms))

    def __call__(self, found: Tensor, factors: Tensor) -> Tensor:
        """What the queries find, and what they ask for."""
        terms = self.product(found)
        if self.queries is not None:
            terms = terms * self.queries(factors)
        if self.chosen is not None:
            return self.chosen(terms)
        return (self.matrix @ terms.flatten(1)).view(-1, *terms.shape[1:])


def _only(found: Mapping[int, Fraction]) -> int | None:
    """The term that a sum consists of, if it is one, as it is."""
    return next(iter(found)) if list(found.values()) == [1] else None
