"""Heads: what the attention of a layer adds to the stream, by counting and adding up what its heads select.

In: the steps of a `Plan` for one layer. Out: `Attention`, a torch module over a stream [row, batch, position].
Invariants: a bit that is read is made 0 or 1 first; a sum is made in float64 where its values are not whole multiples
of a power of two that the model's dtype adds up exactly; a row without keys gets the default to the bit.

    opened: sum of key(1 - closes) over positions so far -> + row 3
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from fractions import Fraction

import torch
from torch import Tensor, nn

from compiler.direction import ONE, Direction, Form
from compiler.fast.plan import Step
from compiler.fast.rows import Readings, Rows, Writing, keep, run_of
from compiler.fast.search import BINS, Between, Bins, Codes, Extreme, Pointed, Sorted

Factors = tuple[int, ...]


class Attention(nn.Module):
    """All heads of a layer: one product for everything they read, then each group by itself."""

    def __init__(self, steps: Sequence[Step], rows: Rows, dtype: torch.dtype) -> None:
        super().__init__()
        bits = dict.fromkeys(form for step in steps for form in step.selection.bits())
        numbers = dict.fromkeys([Form.constant(1), *(form for step in steps for form in step.numbers())])
        self.bits = len(bits)
        self.read = Readings([*bits, *numbers], rows, dtype)
        place = _Place(
            {form: number for number, form in enumerate(bits)},
            {form: len(bits) + number for number, form in enumerate(numbers)},
        )
        groups: dict[object, list[Step]] = {}
        for step in steps:
            groups.setdefault(step.group(), []).append(step)
        self.groups = nn.ModuleList([Group(group, place, rows, dtype) for group in groups.values()])

    def forward(self, stream: Tensor, mask: Tensor | None) -> None:
        """Add to the stream [row, batch, position], in place; mask [batch, position]: 1 for keys that are there."""
        read = self.read(stream.flatten(1))
        if self.bits:
            read[: self.bits] = read[: self.bits] > 0.5
        factors = read.view(-1, *stream.shape[1:])
        for group in self.groups:
            group(stream, factors, mask)


class _Place:
    """Where each bit and each number that is read stands among the factors."""

    def __init__(self, bits: dict[Form, int], numbers: dict[Form, int]) -> None:
        self.bits, self.numbers = bits, numbers
        self.one = numbers[Form.constant(1)]


class _Sums:
    """Sums that heads need: products of factors at the key, times factors at the query, added up with coefficients."""

    def __init__(self, place: _Place) -> None:
        self.place = place
        self.products: dict[Factors, int] = {}
        self.terms: dict[tuple[int, Factors], int] = {}
        self.sums: list[dict[int, Fraction]] = []

    def new(self) -> int:
        """Another sum, of nothing."""
        self.sums.append({})
        return len(self.sums) - 1

    def add(self, number: int, step: Step, value: Form | None, coefficient: Fraction) -> None:
        """Add to a sum the value, or 1, of each key that is selected."""
        selection, bits = step.selection, self.place.bits
        for pairs in itertools.product(*selection.classes):
            keys = {bits[form] for form in (*selection.keys, *(key for _, key in pairs))}
            queries = {bits[form] for form in (*selection.queries, *(query for query, _ in pairs))}
            factors = (*sorted(keys), *(() if value is None else (self.place.numbers[value],)))
            product = self.products.setdefault(factors, len(self.products))
            term = self.terms.setdefault((product, tuple(sorted(queries))), len(self.terms))
            self.sums[number][term] = self.sums[number].get(term, Fraction(0)) + coefficient


class Group(nn.Module):
    """Heads that find their keys in the same way."""

    def __init__(self, steps: Sequence[Step], place: _Place, rows: Rows, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = torch.float64 if steps[0].wide else dtype
        sums = _Sums(place)
        added: dict[Direction, int] = {}
        found: list[tuple[int, Fraction, Fraction, Direction]] = []
        means: list[tuple[int, int, Fraction, Direction]] = []
        for step in steps:
            count = sums.new() if step.mode == "mean" else -1
            if step.mode == "mean":
                sums.add(count, step, None, Fraction(1))
            for channel in step.channels:
                constant = channel.read.terms.keys() <= {ONE}
                value = channel.read.terms.get(ONE, Fraction(0))
                if step.mode == "mean" and constant:
                    found.append((count, value, channel.default, channel.write))
                elif step.mode == "mean":
                    means.append((sums.new(), count, channel.default, channel.write))
                    sums.add(means[-1][0], step, channel.read, Fraction(1))
                else:
                    number = added[channel.write] if channel.write in added else sums.new()
                    added[channel.write] = number
                    sums.add(number, step, None if constant else channel.read, value if constant else Fraction(1))
        self.products = Products(list(sums.products), place.one)
        self.search = _search(steps[0], place)
        self.combined = Combined(sums, place.one, self.dtype)
        keep(self, "added", list(added.values()), torch.long)
        keep(self, "counted", [count for count, *_ in found], torch.long)
        keep(self, "present", [[[float(value)]] for _, value, _, _ in found], dtype)
        keep(self, "absent", [[[float(default)]] for _, _, default, _ in found], dtype)
        keep(self, "summed", [number for number, *_ in means], torch.long)
        keep(self, "divided", [count for _, count, _, _ in means], torch.long)
        keep(self, "empty", [[[float(default)]] for _, _, default, _ in means], self.dtype)
        self.kinds = [bool(added), bool(found), bool(means)]
        self.write = Writing([*added, *(entry[-1] for entry in found), *(entry[-1] for entry in means)], rows)

    def forward(self, stream: Tensor, factors: Tensor, mask: Tensor | None) -> None:
        """Add to the stream [row, batch, position], in place."""
        values = self.products(factors.to(self.dtype))
        if mask is not None:
            values = values * mask
        sums = self.combined(self.search(values, factors), factors.to(self.dtype))
        parts = [part.to(stream.dtype) for part in self._parts(sums)]
        self.write(stream, parts[0] if len(parts) == 1 else torch.cat(parts))

    def _parts(self, sums: Tensor) -> Iterator[Tensor]:
        """What is written, [direction, batch, position or 1]: sums, constants that are found or not, and means."""
        if self.kinds[0]:
            yield sums.index_select(0, self.get_buffer("added"))
        if self.kinds[1]:
            hit = sums.index_select(0, self.get_buffer("counted")) > 0.5
            yield torch.where(hit, self.get_buffer("present"), self.get_buffer("absent"))
        if self.kinds[2]:
            count = sums.index_select(0, self.get_buffer("divided"))
            mean = sums.index_select(0, self.get_buffer("summed")) / count.clamp(min=1)
            yield torch.where(count > 0.5, mean, self.get_buffer("empty"))


class Products(nn.Module):
    """Products of factors, [factor, batch, position] -> [product, batch, position]."""

    def __init__(self, products: Sequence[Factors], one: int) -> None:
        super().__init__()
        self.width = max([1, *map(len, products)])
        self.run: slice | None = None
        for place in range(self.width):
            rows = [product[place] if place < len(product) else one for product in products]
            keep(self, f"factor{place}", rows, torch.long)
            self.run = run_of(rows) if place == 0 else self.run

    def forward(self, factors: Tensor) -> Tensor:
        """[factor, batch, position] -> [product, batch, position]."""
        found = factors[self.run] if self.run else factors.index_select(0, self.get_buffer("factor0"))
        for place in range(1, self.width):
            found = found * factors.index_select(0, self.get_buffer(f"factor{place}"))
        return found


class Combined(nn.Module):
    """Sums over keys, times bits of the query, added up: [product, batch, position or 1] -> [sum, ...]."""

    matrix: Tensor

    def __init__(self, sums: _Sums, one: int, dtype: torch.dtype) -> None:
        super().__init__()
        products = [product for product, _ in sums.terms]
        keep(self, "product", products, torch.long)
        self.plain = products == list(range(len(sums.products)))
        self.queries = Products([queries for _, queries in sums.terms], one)
        self.asks = any(queries for _, queries in sums.terms)
        matrix = torch.zeros(len(sums.sums), len(sums.terms), dtype=dtype)
        for number, found in enumerate(sums.sums):
            for term, coefficient in found.items():
                matrix[number, term] = float(coefficient)
        self.identity = matrix.shape[0] == matrix.shape[1] and bool((matrix == torch.eye(len(matrix))).all())
        keep(self, "matrix", matrix, dtype)

    def forward(self, found: Tensor, factors: Tensor) -> Tensor:
        """What the queries find, and what they ask for."""
        terms = found if self.plain else found.index_select(0, self.get_buffer("product"))
        if self.asks:
            terms = terms * self.queries(factors)
        return terms if self.identity else (self.matrix @ terms.flatten(1)).view(-1, *terms.shape[1:])


def _search(step: Step, place: _Place) -> nn.Module:
    """How keys are found, by what is known of the numbers that are compared."""
    selection = step.selection
    if selection.orders:
        return Extreme(selection.orders[0], selection.window, place.numbers)
    if not selection.matches:
        return Between(selection.window)
    codes = Codes(step.digits, place.numbers)
    if step.positions is not None:
        return Pointed(codes, selection.window, step.positions)
    if selection.window.whole and codes.size <= BINS:
        return Bins(codes)
    return Sorted(codes, selection.window)
