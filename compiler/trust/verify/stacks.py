"""Stacks: the stream of an encoder or a decoder, layer by layer, as functions of what the program's variables are.

In: the config and the tensors of one stack, the `Meaning` of its half of the program, in a decoder the `Keys` that the
encoder's last stream is. Out: its own last stream; every decision on the way; `CannotVerify` where it ends.
Invariant: nothing but the tensors, the config and the program is read.

    stream = Lifting("encoder ", config, tensors, meaning, machine, decide).last()
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from compiler.graph.domain import TOKEN
from compiler.trust.verify.attention import Decide, Head, Keys
from compiler.trust.verify.columns import Channel, Column, Sum, read
from compiler.trust.verify.machine import OWN, Machine
from compiler.trust.verify.meaning import Meaning, token_order
from compiler.trust.verify.neurons import Added, mlp
from compiler.trust.verify.space import CannotVerify, Known, Reals, constant, grid, largest
from compiler.trust.verify.sums import named
from rasp.meaning.sop import Indices

if TYPE_CHECKING:
    from compiler.model import Config


class Lifting:
    """The stream of one stack."""

    def __init__(
        self,
        name: str,
        config: Config,
        tensors: Mapping[str, Reals],
        meaning: Meaning,
        machine: Machine,
        decide: Decide,
        source: Keys | None = None,
    ) -> None:
        """`name` stands before what decisions are about; `source` is what heads that cross look at."""
        self.name = name
        self.config = config
        self.tensors = tensors
        self.meaning = meaning
        self.machine = machine
        self.space = machine.space
        self.decide = decide
        self.source = source

    def last(self) -> list[Column]:
        """The stream behind the last layer."""
        stream = self._embedded()
        for number, shape in enumerate(self.config.layers):
            if shape.n_heads:
                own = Keys(self.machine, stream, self.config.max_length, self.config.causal)
                stream = self._attended(f"blocks.{number}.attn", f"{self.name}L{number}H", own, stream)
            if shape.n_cross:
                if self.source is None:
                    raise CannotVerify(f"layer {number} looks at a source, and there is none")
                stream = self._attended(f"blocks.{number}.cross", f"{self.name}L{number} cross H", self.source, stream)
            if shape.d_mlp:
                stream = self._activated(number, stream)
        return stream

    def _embedded(self) -> list[Column]:
        """W_E plus W_pos, rounded once."""
        embed, n = self.tensors["embed.W_E"], self.config.max_length
        positions = self.tensors.get("embed.W_pos", np.zeros((n + 1, embed.shape[1])))
        rows = token_order(self.meaning, self.config.vocabulary)
        index = [int(value) for value in self.space.values(Indices())]
        columns = []
        for c in range(embed.shape[1]):
            token = self.space.known((TOKEN,), embed[rows, c], 0.0)
            place = self.space.known((Indices(),), positions[1:, c][index], 0.0)
            bos = constant(embed[-1, c]), constant(positions[0, c])
            known, _ = self.machine.added(token, [place], 0.0)
            columns.append(Column(known, self.machine.added(bos[0], [bos[1]], 0.0)[0]))
        return columns

    def _attended(self, tensors: str, name: str, keys: Keys, stream: list[Column]) -> list[Column]:
        """The stream after heads, which are `name` and their number."""
        query, key, value, out = (self.tensors[f"{tensors}.W_{letter}"] for letter in "QKVO")
        parts: dict[int, list[tuple[float, Channel]]] = {}
        for h in range(len(query)):
            used = out[h].any(axis=1)
            if not used.any():
                continue
            head = Head(f"{name}{h}", self.machine, self.meaning, self.decide, keys)
            scores = head.scores(stream, query[h], key[h])
            for i, channel in enumerate(head.channels(scores, value[h], used.tolist())):
                for c in np.flatnonzero(out[h, i]).tolist():
                    parts.setdefault(c, []).append((float(out[h, i, c]), channel))
        found = list(stream)
        for column, channels in parts.items():
            found[column] = self._mixed(f"{name.removesuffix('H').strip()}, column {column}", stream[column], channels)
        return found

    def _mixed(self, what: str, old: Column, channels: Sequence[tuple[float, Channel]]) -> Column:
        """One column after the heads: what they return is summed, stored, and added."""
        functions = [(w, c.found) for w, c in channels if isinstance(c.found, Known) and not c.found.is_zero]
        sums = [c.found.times(w).in_whole_numbers() for w, c in channels if isinstance(c.found, Sum)]
        bos = self.machine.form([(w, c.bos) for w, c in channels])
        at_bos, _ = self.machine.added(old.bos, [Known((), bos.table)], bos.error)
        if not sums:
            parts = [self._scaled(w, known) for w, known in functions]
            size = sum(largest(part.table) for part in parts)
            error = self.machine.form_error(functions, size) if functions else 0.0
            return self._plus(what, Column(old.known, at_bos, old.sums, old.base), parts, error)
        error = sum(one.error for one in sums) + sum(abs(w) * known.error for w, known in functions)
        size = sum(one.largest for one in sums) + sum(abs(w) * known.size for w, known in functions)
        self.machine.require_fit(size + error, size + error)
        if error or not self._whole(sums, functions, size):
            error += (len(channels) + 2) * (self.machine.p.sum_unit + OWN) * size
            error += self.machine.p.rounding(size) if self.machine.p.bits < self.machine.p.accumulator else 0.0
        if old.sums and functions:
            raise CannotVerify(f"{what}: a sum over keys that is nothing the program counts")
        base = old.base if old.sums and old.base is not None else old.known
        everything = (*old.sums, *sums)
        carried = old.known.error if old.sums else 0.0
        name = named(self.meaning, everything)
        parts = [self._scaled(w, known) for w, known in functions]
        if name is None:
            return self._unnamed(what, base, at_bos, everything, size, error + carried, bool(parts))
        known, missed = name
        total, margin = self.machine.added(
            Known(base.atoms, base.table), [known, *parts], base.error + error + missed + carried
        )
        if math.isfinite(margin):
            self.decide(f"{what}, rounded", margin, base.error + error + missed + carried)
        return Column(total, at_bos, (), None)

    def _scaled(self, factor: float, known: Known) -> Known:
        return Known(known.atoms, known.table * factor)

    def _whole(self, sums: Sequence[Sum], functions: Sequence[tuple[float, Known]], size: float) -> bool:
        units = [grid(one.weight.table) for one in sums] + [grid(w) * grid(k.table) for w, k in functions]
        return math.isinf(min(units)) or size / min(units) <= self.machine.p.whole

    def _unnamed(
        self, what: str, base: Known, bos: Known, sums: tuple[Sum, ...], size: float, error: float, mixed: bool
    ) -> Column:
        """Sums that are not yet all there. On an offset, each addition makes them whole (C19)."""
        p = self.machine.p
        reach = sum(one.largest for one in sums)
        numbers = base.table[~np.isnan(base.table)]
        whole = all((one.weight.table[~np.isnan(one.weight.table)] % 1 == 0).all() for one in sums)
        offset = base.error == 0.0 and (numbers % 1 == 0).all() and whole
        near = offset and p.whole / 2 <= numbers.min() - reach and numbers.max() + reach <= p.whole
        if mixed:
            raise CannotVerify(f"{what}: a sum over keys that is nothing the program counts or aggregates")
        if near:
            self.decide(f"{what}, rounded", 0.5, error)
            error = 0.0
        elif not base.is_zero or len(sums) > 1:
            error += p.rounding(largest(base.table) + reach + error)
        self.machine.require_fit(largest(base.table) + reach + error, 0.0)
        return Column(Known(base.atoms, base.table, error), bos, sums, base)

    def _plus(self, what: str, old: Column, parts: Sequence[Known], error: float) -> Column:
        """A residual addition of functions."""
        if not parts and error == 0.0:
            return old
        if old.sums:
            raise CannotVerify(f"{what}: a sum over keys that is nothing the program counts or aggregates")
        known, margin = self.machine.added(old.known, parts, error)
        if math.isfinite(margin):
            self.decide(f"{what}, rounded", margin, old.known.error + error)
        return Column(known, old.bos)

    def _activated(self, number: int, stream: list[Column]) -> list[Column]:
        name = f"blocks.{number}.mlp"
        weights = (self.tensors[f"{name}.W_in"], self.tensors[f"{name}.b_in"], self.tensors[f"{name}.W_out"])

        def tokens(column: Reals) -> list[tuple[float, Known]]:
            if any(stream[c].sums for c in np.flatnonzero(column)):
                read(self.machine, stream, column, f"the MLP of {self.name}layer {number}")
            return [(float(column[c]), stream[c].known) for c in np.flatnonzero(column)]

        def at_bos(column: Reals) -> list[tuple[float, Known]]:
            return [(float(column[c]), stream[c].bos) for c in np.flatnonzero(column)]

        everywhere, first = (mlp(self.machine, self.meaning, side, weights) for side in (tokens, at_bos))
        found = list(stream)
        for c in everywhere.keys() | first.keys():
            what = f"{self.name}L{number}, column {c}"
            bos = self._added_at_bos(stream[c].bos, first.get(c, Added((), 0.0)))
            added = everywhere.get(c, Added((), 0.0))
            column = stream[c]
            if column.sums:
                raise CannotVerify(f"{what}: a sum over keys that is nothing the program counts or aggregates")
            found[c] = self._plus(what, Column(column.known, bos), added.parts, added.error)
        return found

    def _added_at_bos(self, old: Known, added: Added) -> Known:
        return self.machine.added(old, added.parts, added.error)[0]
