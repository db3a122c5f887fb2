"""Lifting: the stream of a model, layer by layer, as functions of what the program's variables are.

In: a model and its program. Out: every decision of the model, with margin and error; `CannotVerify` where it ends.
Invariant: nothing but the tensors, the config and the program is read; labels and certificates are not.

    lifted = Lifted(model, program, way=0)
    lifted.run()
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

import rasp
from compiler.circuit.certificate import Decision
from compiler.graph.domain import TOKEN, Setting
from compiler.graph.halves import Half
from compiler.graph.specialise import Graphs
from compiler.graph.witness import required
from compiler.numbers.precision import PRECISIONS
from compiler.trust.verify.attention import Head
from compiler.trust.verify.beliefs import Tried, tried
from compiler.trust.verify.columns import Channel, Column, Sum, read
from compiler.trust.verify.machine import OWN, Machine
from compiler.trust.verify.meaning import Meaning, token_order
from compiler.trust.verify.neurons import Added, mlp
from compiler.trust.verify.outputs import Outputs
from compiler.trust.verify.space import CannotVerify, Known, Reals, constant, grid, largest
from compiler.trust.verify.sums import named
from rasp.meaning.sop import Indices, SOp
from rasp.settings import token_text

if TYPE_CHECKING:
    from compiler.model import Transformer


class Lifted:
    """The stream of one model, layer by layer, over what the program's variables are."""

    def __init__(self, model: Transformer, program: rasp.Program, way: int) -> None:
        """`way`: which of the program's `Graphs` the model is held against."""
        self.way = way
        self.config = model.config
        self.program = program
        self.tensors = {name: t.detach().double().numpy() for name, t in model.state_dict().items()}
        self.decisions: list[Decision] = []

    def decide(self, what: str, margin: float, error: float) -> None:
        """Note a decision; one that does not hold ends the search, since nothing behind it is known."""
        self.decisions.append(Decision(what, margin, error))
        if not self.decisions[-1].holds:
            raise CannotVerify(str(self.decisions[-1]))

    def run(self) -> None:
        """The whole model."""
        self._require_settings()
        half = Half(self._outputs(), self.program.names, self.setting, tuple(required(self.program)))
        graph = Graphs(half)[self.way]
        self.meaning = Meaning(graph)
        self.space = self.meaning.space
        self.machine = Machine(PRECISIONS[self.config.dtype], self.space)
        if not all(np.isfinite(tensor).all() for tensor in self.tensors.values()):
            raise CannotVerify("a weight is not finite")
        stream = self._embedded()
        for number, shape in enumerate(self.config.layers):
            if shape.n_heads:
                stream = self._attended(number, stream)
            if shape.d_mlp:
                stream = self._activated(number, stream)
        self._decoded(stream)

    def _outputs(self) -> dict[str, SOp]:
        """The program's outputs, as it built them."""
        return {name: node for name in self.program.outputs if isinstance(node := self.program.node(name), SOp)}

    def tried(self) -> Tried:
        """What was taken for granted of the program's values, tried on inputs."""
        return tried(self.meaning.graph, list(self._outputs().values()), required(self.program))

    def _require_settings(self) -> None:
        """What the config says of inputs and outputs is what the program's settings say."""
        declared, config = self.program.settings, self.config
        if declared.vocab is None:
            raise CannotVerify("the program declares no vocabulary")
        length = declared.longest
        self.setting = Setting(declared.vocab, length, declared.attention == "causal")
        unknown = None if declared.unknown is None else token_text(declared.unknown)
        named = declared.generate
        first = self.program.outputs[0] if self.program.outputs else None
        generate = named if isinstance(named, str) else first if named else None
        pairs = {
            "the vocabulary": (config.vocabulary, self.setting.texts),
            "max_length": (config.max_length, length),
            "who sees whom": (config.causal, self.setting.causal),
            "the unknown token": (config.unknown, unknown),
            "the next token": (config.generate, generate if generate in self.program.outputs else None),
            "the tokens that end a text": (config.stop, tuple(token_text(token) for token in declared.stop)),
            "the outputs": (tuple(output.name for output in config.outputs), self.program.outputs),
        }
        for what, (held, wanted) in pairs.items():
            if held != wanted:
                raise CannotVerify(f"{what}: the config says {_shown(held)}, the program {_shown(wanted)}")

    # -- the stream --------------------------------------------------------------------------------------------------

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

    def _attended(self, number: int, stream: list[Column]) -> list[Column]:
        name = f"blocks.{number}.attn"
        query, key, value, out = (self.tensors[f"{name}.W_{letter}"] for letter in "QKVO")
        parts: dict[int, list[tuple[float, Channel]]] = {}
        for h in range(len(query)):
            used = out[h].any(axis=1)
            if not used.any():
                continue
            head = Head(
                f"L{number}H{h}", self.machine, self.meaning, self.decide, self.config.causal, self.config.max_length
            )
            scores = head.scores(stream, query[h], key[h])
            for i, channel in enumerate(head.channels(stream, scores, value[h], used.tolist())):
                for c in np.flatnonzero(out[h, i]).tolist():
                    parts.setdefault(c, []).append((float(out[h, i, c]), channel))
        found = list(stream)
        for column, channels in parts.items():
            found[column] = self._mixed(f"L{number}, column {column}", stream[column], channels)
        return found

    def _mixed(self, what: str, old: Column, channels: Sequence[tuple[float, Channel]]) -> Column:
        """One column after the heads: what they return is summed, stored, and added."""
        n = self.config.max_length
        functions = [(w, c.found) for w, c in channels if isinstance(c.found, Known) and not c.found.is_zero]
        sums = [c.found.times(w).in_whole_numbers(n) for w, c in channels if isinstance(c.found, Sum)]
        bos = self.machine.form([(w, c.bos) for w, c in channels])
        at_bos, _ = self.machine.added(old.bos, [Known((), bos.table)], bos.error)
        if not sums:
            if old.sums:
                functions = [*functions]
            parts = [self._scaled(w, known) for w, known in functions]
            size = sum(largest(part.table) for part in parts)
            error = self.machine.form_error(functions, size) if functions else 0.0
            return self._plus(what, Column(old.known, at_bos, old.sums, old.base), parts, error)
        error = sum(one.error for one in sums) + sum(abs(w) * known.error for w, known in functions)
        size = sum(one.largest(n) for one in sums) + sum(abs(w) * known.size for w, known in functions)
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
        n = self.config.max_length
        reach = sum(one.largest(n) for one in sums)
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
                read(self.machine, stream, column, f"the MLP of layer {number}")
            return [(float(column[c]), stream[c].known) for c in np.flatnonzero(column)]

        def at_bos(column: Reals) -> list[tuple[float, Known]]:
            return [(float(column[c]), stream[c].bos) for c in np.flatnonzero(column)]

        everywhere, first = (mlp(self.machine, self.meaning, side, weights) for side in (tokens, at_bos))
        found = list(stream)
        for c in everywhere.keys() | first.keys():
            what = f"L{number}, column {c}"
            bos = self._added_at_bos(stream[c].bos, first.get(c, Added((), 0.0)))
            added = everywhere.get(c, Added((), 0.0))
            column = stream[c]
            if column.sums:
                raise CannotVerify(f"{what}: a sum over keys that is nothing the program counts or aggregates")
            found[c] = self._plus(what, Column(column.known, bos), added.parts, added.error)
        return found

    def _added_at_bos(self, old: Known, added: Added) -> Known:
        return self.machine.added(old, added.parts, added.error)[0]

    def _decoded(self, stream: Sequence[Column]) -> None:
        """Each output's best logit stands for the interpreter's value."""
        outputs = Outputs(self.program, self.machine, self.meaning, self.decide)
        unembed, start = self.tensors["unembed.W_U"], 0
        for output in self.config.outputs:
            weights = unembed[:, start : start + len(output.values)]
            start += len(output.values)
            outputs.decide_one(output.name, [(type(v), v) for v in output.values], stream, weights)


def _shown(thing: object) -> str:
    text = repr(thing)
    return text if len(text) <= 60 else text[:57] + "..."
