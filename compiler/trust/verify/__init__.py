"""Verification: a certificate derived again from the stored tensors and the program, trusting nothing else.

In: a checkpoint, or a model and its program. Out: `Verdict`: verified, with every decision's margin and error, or the
reason why not. The tensors are lifted into functions of what the program's variables are, layer by layer, and what each
head returns is recognised as something the program asks for (docs/verification.md).
Invariant: if a model is verified, then on every input of the stated settings on which the interpreter has an answer the
model gives that answer, in the arithmetic of `compiler.numbers.precision`.

    verified: 12 decisions hold; the tightest: output hist, nearest value: margin 32, error 0.0068
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import rasp
from compiler.circuit.certificate import ASSUMPTIONS, PADDING, Certificate, Decision
from compiler.graph.domain import TOKEN, Setting
from compiler.graph.specialise import Graphs
from compiler.graph.witness import required
from compiler.numbers.precision import PRECISIONS
from compiler.runtime.origin import program_of
from compiler.trust.verify.attention import MAX_PAIRS, Channel, Column, Head, Sum, named, read
from compiler.trust.verify.beliefs import Tried, tried
from compiler.trust.verify.machine import OWN, Machine
from compiler.trust.verify.meaning import Meaning, token_order
from compiler.trust.verify.neurons import Added, mlp
from compiler.trust.verify.space import Bits, CannotVerify, Codes, Known, Reals, constant, grid, largest
from rasp.answers import answers as printed
from rasp.settings import token_text
from rasp.sop import Indices, SOp
from rasp.source import counted
from rasp.value import Value, to_python

if TYPE_CHECKING:
    from compiler.model import Transformer

CHUNK = 1 << 20
"""Logits that are compared at once: so many stay close to the processor."""


@dataclass(frozen=True)
class Verdict:
    """What was found: every decision with its margin and error, or the problem that stopped the search."""

    certificate: Certificate
    settings: dict[str, Any]
    problem: str = ""
    tried: Tried | None = None

    @property
    def ok(self) -> bool:
        """Whether the model surely gives the interpreter's answers."""
        return not self.problem and bool(self.certificate.decisions) and self.certificate.ok

    @property
    def reason(self) -> str:
        """Why it is not verified; empty if it is."""
        if self.ok:
            return ""
        failing = [decision for decision in self.certificate.decisions if not decision.holds]
        return self.problem or (f"{failing[0]}" if failing else "the model decides nothing")

    def to_json(self) -> dict[str, Any]:
        """The verdict as JSON data."""
        found: dict[str, Any] = {"verified": self.ok, "reason": self.reason or None, "settings": self.settings}
        found["tried"] = None if self.tried is None else self.tried.to_json()
        if self.certificate.decisions:
            return found | {k: v for k, v in self.certificate.to_json().items() if k != "certified"}
        return found | {"dtype": self.certificate.dtype, "assumptions": list(ASSUMPTIONS), "decisions": []}

    def shown(self, everything: bool = False) -> str:
        """The verdict and the inputs it is about, in a few lines; every decision too, if wanted."""
        about = self.settings
        vocabulary = " ".join(about["vocab"][:12]) + (" ..." if len(about["vocab"]) > 12 else "")
        inputs = f"1 to {about['max_length']} of the {counted(len(about['vocab']), 'token')} {vocabulary}"
        meant = f", where {', '.join(about['requires'])}" if about["requires"] else ""
        lines = [str(self), f"for {', '.join(about['output'])} on inputs of {inputs}, {about['attention']}{meant}"]
        if everything:
            lines += [f"  {decision}" for decision in self.certificate.decisions]
        if self.ok:
            lines.append(f"in {self.certificate.dtype}, assumed: " + "; ".join(ASSUMPTIONS))
            lines.append(f"in batches of several lengths too: {PADDING}")
            lines.append(str(self.tried))
        return "\n".join(lines)

    def __str__(self) -> str:
        if not self.ok:
            return f"NOT verified: {self.reason}"
        count = len(self.certificate.decisions)
        hold = "holds" if count == 1 else "hold"
        return f"verified: {counted(count, 'decision')} {hold}; the tightest: {self.certificate.tightest}"


def verify(folder: str | Path) -> Verdict:
    """Verify a checkpoint. Raises `ModelError` if it cannot be read."""
    from compiler.runtime.checkpoint import load

    return verify_model(load(folder))


def verify_model(model: Transformer) -> Verdict:
    """Verify a model against the program in its labels. Raises `ModelError` where its weights were cast."""
    model.require_dtype()
    program = program_of(model)
    settings = {
        "output": list(program.outputs),
        "vocab": [token_text(token) for token in program.settings.vocab or ()],
        "max_length": program.settings.longest,
        "attention": program.settings.attention,
        "requires": list(program.settings.requires),
    }
    verdicts = (_judged(_Verifier(model, program, way), settings) for way in range(len(Graphs.MEANS)))
    first = next(verdicts)
    return first if first.ok else next((verdict for verdict in verdicts if verdict.ok), first)


def _judged(verifier: _Verifier, settings: dict[str, Any]) -> Verdict:
    """What comes out where the program is read in one way."""
    problem, found = "", None
    try:
        verifier.run()
        found = verifier.tried()
        problem = found.problem
    except CannotVerify as reason:
        problem = str(reason)
    except rasp.RaspError as refused:
        problem = refused.diagnostics[0].message
    return Verdict(Certificate(tuple(verifier.decisions), verifier.config.dtype), settings, problem, found)


class _Verifier:
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
        graph = Graphs(self._outputs(), self.program.names, self.setting, required(self.program))[self.way]
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

    # -- answers -----------------------------------------------------------------------------------------------------

    def _decoded(self, stream: Sequence[Column]) -> None:
        """Each output's best logit stands for the interpreter's value."""
        unembed, start = self.tensors["unembed.W_U"], 0
        for output in self.config.outputs:
            weights = unembed[:, start : start + len(output.values)]
            start += len(output.values)
            self._output(output.name, [(type(v), v) for v in output.values], stream, weights)

    def _output(self, name: str, held: list[tuple[type, Any]], stream: Sequence[Column], weights: Reals) -> None:
        node = self.meaning.outputs[name]
        wanted = self._printed(name, dict.fromkeys(self.space.values(node)))
        if not set(held) <= {(type(value), value) for value in wanted}:
            raise CannotVerify(
                f"output {name}: the logits do not stand for the program's {counted(len(wanted), 'value')}"
            )
        columns = [c for c in range(len(stream)) if weights[c].any()]
        for c in columns:
            if stream[c].sums:
                raise CannotVerify(f"output {name} reads a sum over keys that is nothing the program counts")
        if len(held) == 1:
            self.decide(f"output {name}, the only value", math.inf, max(stream[c].known.error for c in columns or [0]))
            return
        known = [(stream[c].known, weights[c]) for c in columns]
        try:
            answers, values, read = self._jointly(node, known)
        except CannotVerify:
            line = self._along_a_line(node, known)
            if line is None:
                raise
            answers, values, read = line
        place = {value: number for number, value in enumerate(wanted)}
        right = np.array([place.get(value, -1) for value in self._printed(name, values)])[answers]
        meant = np.array([place[value] for _, value in held])
        if not np.isin(right, meant).all():
            raise CannotVerify(f"output {name}: a value has no logit")
        if len(right) * len(held) > MAX_PAIRS:
            read, right = read.together(right)
        step = max(1, CHUNK // len(held))
        chunks = range(0, len(right), step)
        found = [self._led(read.part(i, i + step), right[i : i + step, None] == meant) for i in chunks]
        margin, error = max(found, key=lambda pair: pair[1] / pair[0] if pair[0] > 0 else math.inf)
        self.decide(f"output {name}, best logit of {len(held)}", margin, error)

    def _printed(self, name: str, values: Iterable[Value]) -> list[Any]:
        """Values of an output as the program gives them."""
        node = self.program.node(name)
        assert isinstance(node, SOp)
        return [to_python(value) for value in printed(node, values)]

    def _jointly(self, node: SOp, known: Sequence[tuple[Known, Reals]]) -> tuple[Codes, tuple[Value, ...], _Decoded]:
        """The output's value and what is read, at all joint values of the atoms."""
        classes, values = self.meaning.classes(node)
        sides = [self.space.classes(one) for one, _ in known]
        _, (answers, *members) = self.space.joint([classes, *(side for side, _ in sides)])
        rows = [numbers[m] for (_, numbers), m in zip(sides, members, strict=True)]
        read = _Decoded(
            np.stack(rows, axis=1) if rows else np.zeros((len(answers), 0)),
            np.array([one.error for one, _ in known]),
            np.array([weight for _, weight in known]),
        )
        return answers, values, read

    def _along_a_line(
        self, node: SOp, known: Sequence[tuple[Known, Reals]]
    ) -> tuple[Codes, tuple[Value, ...], _Decoded] | None:
        """The same where the output is a linear form of atoms, and all that is read is one multiple of that form.

        Every column is then ``a atom + b`` of one atom, all are read by multiples of one row: only the sum counts.
        """
        terms = self.meaning.analysis.linear(node)
        varying = [(one, weight) for one, weight in known if one.atoms]
        if terms is None or not varying:
            return None
        first = varying[0][1]
        top = int(np.argmax(np.abs(first)))
        slopes: dict[SOp, Fraction] = {}
        constant_part, error, sizes = Fraction(0), 0.0, np.zeros(len(first))
        for one, weight in varying:
            share = Fraction(float(weight[top])) / Fraction(float(first[top]))
            found = self._slope(one)
            if found is None or any(Fraction(w) != share * Fraction(f) for w, f in zip(weight, first, strict=True)):
                return None
            slopes[one.atoms[0]] = slopes.get(one.atoms[0], Fraction(0)) + share * found[0]
            constant_part += share * found[1]
            error += abs(float(share)) * one.error * (1 + OWN)
            sizes = sizes + one.size * np.abs(weight)
        wanted = {atom: c for atom, c in terms.items() if atom is not None}
        (scale, *others) = {slopes.get(atom, Fraction(0)) / c for atom, c in wanted.items()} or {Fraction(0)}
        if others or scale == 0 or set(slopes) - set(wanted):
            return None
        values = self.space.values(node)
        x = [
            scale * (Fraction(v) - terms.get(None, Fraction(0))) + constant_part
            for v in values
            if not isinstance(v, str)
        ]
        fixed = [(one, weight) for one, weight in known if not one.atoms]
        rows = [np.array([float(number) for number in x]), *(np.full(len(x), float(one.table)) for one, _ in fixed)]
        held = all(Fraction(float(number)) == number for number in x)
        error += 0.0 if held else OWN * max(abs(float(number)) for number in x)
        errors = np.array([error, *(one.error for one, _ in fixed)])
        unit = min(grid(one.table) * grid(weight) for one, weight in known)
        weights = np.array([first, *(weight for _, weight in fixed)])
        read = _Decoded(np.stack(rows, axis=1), errors, weights, sizes, len(known), unit)
        return np.arange(len(values)), tuple(values), read

    def _slope(self, known: Known) -> tuple[Fraction, Fraction] | None:
        """Slope and constant of a column that is linear in one numeric atom; None where it is not."""
        if len(known.atoms) != 1 or np.isnan(known.table).any():
            return None
        values = self.space.values(known.atoms[0])
        if any(isinstance(v, str) for v in values) or len(values) < 2:
            return None
        x = [Fraction(v) for v in values if not isinstance(v, str)]
        y = [Fraction(float(number)) for number in known.table]
        a = (y[-1] - y[0]) / (x[-1] - x[0])
        b = y[0] - a * x[0]
        return (a, b) if all(a * u + b == v for u, v in zip(x, y, strict=True)) else None

    def _led(self, read: _Decoded, meant: Bits) -> tuple[float, float]:
        """By how much the best right logit leads, and how far the difference may be off, where that is tightest.

        A value may have several logits: which of them is the largest makes no difference.
        """
        p, rows, errors, weights = self.machine.p, read.rows, read.errors, read.weights
        logits = rows @ weights
        right = np.where(meant, logits, -math.inf).argmax(axis=1)
        at_right = (np.arange(len(rows)), right)
        sizes = np.abs(rows) @ np.abs(weights) + errors @ np.abs(weights)
        if read.more is not None:
            sizes = sizes + read.more
        self.machine.require_fit(float(np.abs(logits).max(initial=0.0)), float(sizes.max(initial=0.0)))
        units = [grid(rows[:, i]) * grid(weights[i]) for i in range(rows.shape[1])]
        unit, end = min([read.unit, *units]), min(p.sum_whole, 2.0**53)
        exact = not errors.any() and (math.isinf(unit) or float(sizes.max(initial=0.0)) / unit <= end)
        rounding = np.zeros_like(sizes) if exact else (rows.shape[1] + read.terms + 1) * (p.sum_unit + OWN) * sizes
        if p.bits < p.accumulator:
            stored = (~self.machine.holds(logits)) | (rounding > 0) | bool(errors.any())
            rounding = rounding + np.where(stored, p.unit * sizes + 2.0**-24 * p.unit, 0.0)
        if not rounding.any() and not errors.any():
            best = np.where(meant, -math.inf, logits).max(axis=1)
            return float((logits[at_right] - best).min()), 0.0
        moved = np.zeros_like(logits)
        for column in np.flatnonzero(errors):
            moved += errors[column] * np.abs(weights[column][right][:, None] - weights[column][None, :])
        lead, off = logits[at_right][:, None] - logits, moved + rounding + rounding[at_right][:, None]
        lead[meant] = math.inf
        with np.errstate(divide="ignore", invalid="ignore"):
            tightness = np.where(lead > 0, off / lead, np.where(np.isinf(lead), 0.0, math.inf))
        worst = np.unravel_index(int(np.argmax(tightness)), lead.shape)
        return float(lead[worst]), float(off[worst])


@dataclass(frozen=True)
class _Decoded:
    """What the unembedding reads, a row for each joint value: numbers, their errors, the weights they are read with."""

    rows: Reals
    errors: Reals
    weights: Reals  # [number, logit]
    more: Reals | None = None  # what the terms of each logit add up to in size, where a number is a sum of them
    terms: int = 0  # how many those are
    unit: float = math.inf  # a power of two that all of them are multiples of

    def together(self, right: Codes) -> tuple[_Decoded, Codes]:
        """The same with columns added up that are read with multiples of one row of weights; then equal rows once.

        A sum is exact: all that it is made of are multiples of one power of two, and small enough. What its parts are
        in size is bounded for all rows at once.
        """
        sums: list[list[tuple[int, float]]] = []
        for column in range(len(self.weights)):
            for one in sums:
                if (share := _share(self.weights, one[0][0], column)) is not None:
                    one.append((column, share))
                    break
            else:
                sums.append([(column, 1.0)])
        units = [min(grid(self.rows[:, c]) * grid(share) for c, share in one) for one in sums]
        sizes = [sum(float(np.abs(self.rows[:, c]).max(initial=0.0)) * abs(share) for c, share in one) for one in sums]
        if any(len(one) > 1 and size / unit > 2.0**53 for one, size, unit in zip(sums, sizes, units, strict=True)):
            return self, right
        rows = np.stack([sum(self.rows[:, c] * share for c, share in one) for one in sums], axis=1)
        errors = [sum(float(self.errors[c]) * abs(share) for c, share in one) * (1 + OWN) for one in sums]
        weights = self.weights[[one[0][0] for one in sums]]
        more = np.zeros(self.weights.shape[1]) if self.more is None else self.more
        for one, size, weight in zip(sums, sizes, weights, strict=True):
            if len(one) > 1:
                more = more + size * np.abs(weight)
        _, first = np.unique(np.column_stack([right, rows]), axis=0, return_index=True)
        terms = self.terms + len(self.weights) - len(sums)
        unit = min([self.unit, *(grid(self.rows[:, c]) * grid(self.weights[c]) for c in range(len(self.weights)))])
        return _Decoded(rows[first], np.array(errors), weights, more, terms, unit), right[first]

    def part(self, start: int, end: int) -> _Decoded:
        """Some of the rows."""
        return replace(self, rows=self.rows[start:end])


def _share(weights: Reals, first: int, column: int) -> float | None:
    """What a row of weights is times another, exactly; None where it is no multiple, or one of many digits."""
    top = int(np.argmax(np.abs(weights[first])))
    if weights[first][top] == 0:
        return None
    share = float(weights[column][top] / weights[first][top])
    short = float(np.float32(share)) == share  # so a product with a weight of 24 bits is exact
    held = bool((weights[first].astype(np.float32) == weights[first]).all())
    return share if short and held and np.array_equal(weights[first] * share, weights[column]) else None


def _shown(thing: object) -> str:
    text = repr(thing)
    return text if len(text) <= 60 else text[:57] + "..."


__all__ = ["Verdict", "verify", "verify_model"]
