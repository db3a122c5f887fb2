"""Search: sums over the keys that a query selects, without a score for each pair.

In: values [value, batch, key], 0 at keys that do not count, and the numbers that are compared, of the keys and of the
queries: two tensors where keys stand on the source and queries on the target. Out: for each query the sum of the values
over the keys of its window whose number equals its own, [value, batch, query].
Invariant: sums are those of the selected keys in some order and grouping; a difference of two cumulative sums of whole
numbers is exact. Nothing larger is made than the values, twice as many ends of ranges, and a few bins.

    number 7 3 7 7, so far: sorted (3 1) (7 0) (7 2) (7 3); the last query finds 3 keys side by side
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import torch
from torch import Tensor
from torch.nn.functional import pad

from compiler.circuit.layer import Sees
from compiler.runtime.fast.plan import Digits, Step
from compiler.runtime.fast.rows import Kind, Places
from compiler.runtime.fast.selection import Interval, Order, Window

BINS = 1 << 12
"""At most this many bins are filled for each input; numbers of more values are sorted."""
Sizes: TypeAlias = tuple[int, int]
"""How many queries there are, and how many keys."""


def sizes(keys: Tensor, queries: Tensor) -> Sizes:
    """Those of numbers, [number, batch, position]."""
    return queries.shape[-1], keys.shape[-1]


class Placed:
    """The key at the one position that a query sees, which differs from value to value."""

    def __init__(self, windows: Sequence[Window], kind: Kind) -> None:
        self.positions = kind.places([window.places for window in windows])[:, None]
        self.known: tuple[Sizes, Tensor, Tensor] | None = None

    def __call__(self, values: Tensor, keys: Tensor, queries: Tensor) -> Tensor:
        """[value, batch, key] -> [value, batch, query]."""
        asked, there = size = sizes(keys, queries)
        if self.known is None or self.known[0] != size:
            positions = self.positions[..., :asked]
            found = (positions >= 0) & (positions < there)
            self.known = size, positions.clamp(0, there - 1), found.to(values.dtype)
        _, positions, found = self.known
        return values.gather(-1, positions.expand(*values.shape[:2], -1)) * found


class Between:
    """Keys of a window, whatever they hold: cumulative sums."""

    def __init__(self, window: Window, kind: Kind) -> None:
        self.whole, self.so_far = window.whole, window.so_far
        self.first, self.last = kind.places(window.first), kind.places(window.last)
        self.known: tuple[Sizes, tuple[Tensor, Tensor]] | None = None

    def ends(self, size: Sizes) -> tuple[Tensor, Tensor]:
        """The first and the last position for each query of an input; last is first - 1 if there is none."""
        if self.known is None or self.known[0] != size:
            asked, there = size
            last = self.last[:asked].clamp(max=there - 1)
            first = torch.minimum(self.first[:asked], last + 1)
            self.known = size, (first, torch.maximum(last, first - 1))
        return self.known[1]

    def __call__(self, values: Tensor, keys: Tensor, queries: Tensor) -> Tensor:
        """[value, batch, key] -> [value, batch, query or 1]."""
        if self.whole:
            return values.sum(-1, keepdim=True)
        if self.so_far:
            return values.cumsum(-1)
        first, last = self.ends(sizes(keys, queries))
        sums = pad(values.cumsum(-1), (1, 0))
        return sums.index_select(-1, last + 1) - sums.index_select(-1, first)


class Extreme(Between):
    """Whether a key of the window has a number at least as large as the query's. Windows begin at the first key."""

    def __init__(self, order: Order, window: Window, places: Places, kind: Kind) -> None:
        super().__init__(window, kind)
        self.key, self.query = places[0].numbers[order.key], places[1].numbers[order.query]

    def __call__(self, values: Tensor, keys: Tensor, queries: Tensor) -> Tensor:
        """1 at keys that count, [1, batch, key] -> 1 or 0, [1, batch, query]."""
        least = torch.finfo(keys.dtype).min
        number = keys[self.key].masked_fill(values[0] < 0.5, least)
        if self.whole:
            largest = number.amax(-1, keepdim=True)
        else:
            _, last = self.ends(sizes(keys, queries))
            largest = number.cummax(-1).values.index_select(-1, last.clamp(min=0)).masked_fill(last < 0, least)
        return (largest >= queries[self.query] - 0.5).to(values.dtype)[None]


class Within(Between):
    """The key whose interval holds the query's number: the first one that does not end before it."""

    def __init__(self, interval: Interval, window: Window, places: Places, kind: Kind) -> None:
        super().__init__(window, kind)
        at_key, at_query = places
        self.middle, self.square = at_key.numbers[interval.middle], at_key.numbers[interval.square]
        self.one, self.query = at_key.one, at_query.numbers[interval.query]

    def __call__(self, values: Tensor, keys: Tensor, queries: Tensor) -> Tensor:
        """[value, batch, key] -> [value, batch, query]."""
        middle, reach = keys[self.middle].round(), keys[self.square].round().clamp_(min=0).sqrt_()
        last_in = (middle + reach).masked_fill(keys[self.one] < 0.5, torch.inf)
        query = queries[self.query].round().contiguous()
        position = torch.searchsorted(last_in, query, right=True)
        first, last = self.ends(sizes(keys, queries))
        there = (position >= first) & (position <= last)
        position.clamp_(0, values.shape[-1] - 1)
        there &= query - middle.gather(1, position) > -reach.gather(1, position)
        return values.gather(2, position.expand(len(values), -1, -1)) * there


class Codes:
    """Numbers that must be equal as one whole number from 0 on, for keys and queries."""

    def __init__(self, digits: Sequence[Digits], places: Places) -> None:
        pairs = [digit.forms() for digit in digits]
        self.sides = [[place.numbers[pair[side]] for pair in pairs] for side, place in enumerate(places)]
        self.lows = [digit.low for digit in digits]
        self.sizes = [digit.size for digit in digits]
        self.size = math.prod(self.sizes)

    def both(self, keys: Tensor, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Codes of keys and of queries, [batch, position]."""
        found = self.of(0, keys)
        same = keys is queries and self.sides[0] == self.sides[1]
        return found, found if same else self.of(1, queries)

    def of(self, side: int, numbers: Tensor) -> Tensor:
        """Codes of keys (side 0) or queries (side 1), [batch, position].

        What is out of range, on an input that the program does not mean, is moved into it.
        """
        found: Tensor | None = None
        for row, low, size in zip(self.sides[side], self.lows, self.sizes, strict=True):
            code = (numbers[row] - low).round_().clamp_(0, size - 1).long()
            found = code if found is None else found.mul_(size).add_(code)
        return numbers.new_zeros(numbers.shape[1:], dtype=torch.long) if found is None else found


class Bins:
    """Keys with the query's number, at any position: a bin for each number."""

    def __init__(self, codes: Codes) -> None:
        self.codes = codes

    def __call__(self, values: Tensor, keys: Tensor, queries: Tensor) -> Tensor:
        """[value, batch, key] -> [value, batch, query]."""
        key, query = (code.expand(len(values), -1, -1) for code in self.codes.both(keys, queries))
        bins = values.new_zeros(*values.shape[:2], self.codes.size)
        return bins.scatter_add_(2, key, values).gather(2, query)


class Sorted(Between):
    """Keys of the window with the query's number: sorted by number and position, they stand side by side."""

    def __init__(self, codes: Codes, window: Window, kind: Kind) -> None:
        super().__init__(window, kind)
        self.codes = codes

    def __call__(self, values: Tensor, keys: Tensor, queries: Tensor) -> Tensor:
        """[value, batch, key] -> [value, batch, query]."""
        asked, n = size = sizes(keys, queries)
        key, query = self.codes.both(keys, queries)
        first, last = self.ends(size)
        places, order = (key * n + torch.arange(n, device=key.device)).sort(-1)
        query = query * n
        ends = torch.searchsorted(places, torch.cat([query + first, query + last + 1], -1))
        sums = pad(values.gather(2, order.expand(values.shape)).cumsum(-1), (1, 0))
        ends = ends.expand(len(values), -1, -1)
        return sums.gather(2, ends[..., asked:]) - sums.gather(2, ends[..., :asked])


class Pointed(Between):
    """The key at the one position that has the query's number: the position is looked up."""

    def __init__(self, codes: Codes, window: Window, key_codes: Sequence[int], kind: Kind) -> None:
        super().__init__(window, kind)
        self.codes = codes
        positions = [-1] * codes.size
        for position, code in enumerate(key_codes):
            positions[code] = position
        self.positions = kind.places(positions)

    def __call__(self, values: Tensor, keys: Tensor, queries: Tensor) -> Tensor:
        """[value, batch, key] -> [value, batch, query]."""
        first, last = self.ends(sizes(keys, queries))
        position = self.positions.take(self.codes.of(1, queries))
        there = (position >= first) & (position <= last)
        position = position.clamp_(0, values.shape[-1] - 1)
        return values.gather(2, position.expand(len(values), -1, -1)) * there


class Ended(Between):
    """The last or the first key that counts, of the window and with the query's number.

    Sorted by number and position, it stands at an end of those that are side by side (C43).
    """

    def __init__(self, codes: Codes, window: Window, sees: Sees, counted: Counted, kind: Kind) -> None:
        super().__init__(window, kind)
        self.codes, self.sees, self.counted = codes, sees, counted

    def __call__(self, values: Tensor, keys: Tensor, queries: Tensor) -> Tensor:
        """[value, batch, key] -> [value, batch, query]."""
        n = keys.shape[-1]
        key, query = self.codes.both(keys, queries)
        counts, which = self.counted(keys)
        key = torch.where(counts, key, self.codes.size)  # a number that no query has
        places = (key * n + torch.arange(n, device=key.device)).sort(-1).values
        ends = (query * n + end for end in self.ends(sizes(keys, queries)))
        low, high = (end.expand(len(places), -1, -1).contiguous() for end in ends)
        if self.sees == "first":
            at = torch.searchsorted(places, low)
        else:
            at = torch.searchsorted(places, high, right=True) - 1
        found = places.gather(-1, at.clamp(0, n - 1))
        there = (found >= low) & (found <= high)
        position, there = (found % n)[which], there[which]
        return values.gather(-1, position) * there


Search: TypeAlias = Between | Bins | Placed
Counted: TypeAlias = Callable[[Tensor], tuple[Tensor, Tensor]]
"""From the factors, which keys count: a few rows [row, batch, position], and the row of each value."""


def search(step: Step, windows: Sequence[Window], places: Places, kind: Kind, counted: Counted) -> Search:
    """How the keys of heads of a group are found, by what is known of the numbers that are compared.

    `windows` are those of the values that are searched; they may differ where nothing else is asked. `places` say where
    numbers stand among those of the keys, and among those of the queries. Which keys are `counted` for the values is
    asked where one of several is seen.
    """
    selection = step.selection
    if step.placed:
        return Placed(windows, kind)
    if selection.orders:
        return Extreme(selection.orders[0], selection.window, places, kind)
    if selection.intervals:
        return Within(selection.intervals[0], selection.window, places, kind)
    if not selection.matches and not selection.ended:
        return Between(selection.window, kind)
    codes = Codes(step.digits, places)
    if selection.ended:
        return Ended(codes, selection.window, selection.sees, counted, kind)
    if step.positions is not None:
        return Pointed(codes, selection.window, step.positions, kind)
    if selection.window.whole and codes.size <= BINS:
        return Bins(codes)
    return Sorted(codes, selection.window, kind)
