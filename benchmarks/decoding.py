"""Decoding, measured: what programs with a source write, by the plain weights and by the fast path.

In: programs of the library, and the length of their sources. Out: rows with the time of a whole target in each way, for
one source and for many together.
Invariant: both ways take turns on the same sources, and what they write is compared with the interpreter's.

    run_length_decode  source 64  target 289  71.8 ms  1.6 ms  44.86
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import rasp
from benchmarks.cases import PROGRAMS
from benchmarks.generating import microseconds
from benchmarks.report import Column, Row, Section, count, milliseconds, ratio
from benchmarks.running import one_thread
from benchmarks.timing import interleaved
from compiler.model import Transformer
from compiler.pipeline import Compiled
from compiler.runtime.fast.model import Fast


def _repeated(tokens: Sequence[str], length: int) -> list[str]:
    """The tokens over and over, as many as that."""
    return [tokens[number % len(tokens)] for number in range(length)]


SOURCES: dict[str, Callable[[int], list[str]]] = {
    "copy": lambda n: _repeated([*"abcdefgh"], n),
    "translate": lambda n: _repeated(["the", "truck", "sees", "the", "red", "house"], n),
    "addition": lambda n: [*"9" * ((n - 1) // 2), "+", *_repeated([*"1058"], (n - 1) // 2)],
    "run_length_decode": lambda n: _repeated([*"a9b9c9d9"], n),
}
"""For each program a source of so many tokens, or one less."""
LONGEST = {"run_length_decode": lambda n: 9 * n // 2 + 1}
"""Where targets are longer than their sources: how long they are, for sources of so many tokens."""
TOGETHER = 32
"""How many sources are decoded together."""


@dataclass(frozen=True)
class Decoding:
    """A compiled program, a source, and what the interpreter writes for it."""

    name: str
    compiled: Compiled
    source: list[str]
    written: list[object]


def decodings(names: Iterable[str], length: int) -> Iterator[Decoding]:
    """The programs, compiled for sources of this length."""
    for name in names:
        program = rasp.load(PROGRAMS / "seq2seq" / f"{name}.rasp")
        source = SOURCES[name](length)
        longest = LONGEST[name](length) if name in LONGEST else length + 1
        compiled = Compiled(program.replace(max_source=length, max_length=longest))
        yield Decoding(name, compiled, source, [*compiled.program.decode(source)])


def row(one: Decoding, budget: float) -> Row:
    """The median time of a target in each way."""
    model, many = one.compiled.model, [one.source] * TOGETHER
    fast = Fast(model, one.compiled.fast.plan or "", "fast")
    right = all(way.generate(one.source) == one.written == way.decode_batch(many)[0] for way in (model, fast))

    def alone(way: Transformer) -> Callable[[], object]:
        return lambda: way.generate(one.source)

    def together(way: Transformer) -> Callable[[], object]:
        return lambda: way.decode_batch(many)

    plain, quick = interleaved([alone(model), alone(fast)], budget)
    plain_many, quick_many = interleaved([together(model), together(fast)], budget)
    config = model.config
    return {
        "program": one.name,
        "source": len(one.source),
        "target": len(one.written),
        "encoder": 0 if config.encoder is None else len(config.encoder.layers),
        "decoder": len(config.layers),
        "runs": plain.runs,
        "plain": plain.median,
        "fast": quick.median,
        "ratio": plain.median / quick.median,
        "token": quick.median / len(one.written),
        "plain many": plain_many.median,
        "fast many": quick_many.median,
        "ratio many": plain_many.median / quick_many.median,
        "verdict": "agree" if right else "differ",
    }


COLUMNS = (
    Column("program", "program"),
    Column("source", "source", count),
    Column("target", "target", count),
    Column("encoder", "layers of the encoder", count),
    Column("decoder", "of the decoder", count),
    Column("runs", "runs", count),
    Column("plain", "plain weights", milliseconds),
    Column("fast", "fast path", milliseconds),
    Column("ratio", "plain / fast path", ratio),
    Column("token", "of it, a token", microseconds),
    Column("plain many", f"{TOGETHER} together", milliseconds),
    Column("fast many", "fast path", milliseconds),
    Column("ratio many", "plain / fast path", ratio),
    Column("verdict", "interpreter"),
)


def section(names: Iterable[str], length: int, budget: float) -> Section:
    """Whole targets as a table."""
    note = (
        "A whole target for a source: by the plain weights, with a cache of keys and values, and by the fast path, "
        "which encodes the source once and looks it up. One thread, in turns, ratio of the medians; the encoder's time "
        f"is part of both. Then {TOGETHER} sources together, by `decode_batch`."
    )
    with one_thread():
        rows = [row(one, budget) for one in decodings(names, length)]
    return Section("decode", "Decoding a source", note, COLUMNS, rows)
