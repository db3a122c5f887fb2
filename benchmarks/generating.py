"""Generating, measured: one more token behind a text of some length, with the cache of keys and values and without.

In: causal models. Out: rows with the time of a token in both ways, and the bytes of the cache that each token reads.
Invariant: both ways read the same text, and their best tokens are compared where the model was compiled.

    repeat_aab  context 1,000  16 KiB  0.053 ms  18,700 tokens/s
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import compiler
import rasp
from benchmarks.cases import PROGRAMS
from benchmarks.report import Column, Row, Section, count, milliseconds, rate, ratio
from benchmarks.running import one_thread, randomised, shape
from benchmarks.timing import timed
from compiler.model import Config, Reading, Rereading, Transformer

DECODERS = ("repeat_aab", "traffic_light", "fibonacci_digits")
QUICK_DECODERS = DECODERS[:1]


@dataclass(frozen=True)
class Writer:
    """A causal model, or why there is none, and the length of the text it has read."""

    name: str
    context: int
    model: Transformer | None
    problem: str = ""


def writers(decoders: Iterable[str], sizes: Iterable[int], contexts: Sequence[int], written: int) -> Iterator[Writer]:
    """Decoders of the library, then random weights of a usual shape, each with room for what is written."""
    for name in decoders:
        for context in contexts:
            yield _compiled(name, context, written)
    for d_model in sizes:
        for context in contexts:
            model = randomised(shape(d_model, context + written, causal=True))
            yield Writer(f"random weights {d_model}", context, model)


def _compiled(name: str, context: int, written: int) -> Writer:
    program = rasp.load(PROGRAMS / "decoders" / f"{name}.rasp")
    try:
        return Writer(name, context, compiler.compile(program, max_length=context + written).model)
    except rasp.RaspError as problem:
        return Writer(name, context, None, f"refused: {problem.diagnostics[0].message}")


def row(writer: Writer, written: int, budget: float) -> Row:
    """The median time of a token in both ways."""
    if writer.model is None:
        return {"model": writer.name, "context": writer.context, "verdict": writer.problem}
    config = writer.model.config
    ids = [number % len(config.vocabulary) for number in range(writer.context)]
    reading = Reading(writer.model, config.n_ctx)
    best = int(reading.read(ids).argmax())
    again = timed(lambda: Rereading(writer.model).read(ids), budget)  # type: ignore[arg-type]
    agree = best == int(Rereading(writer.model).read(ids).argmax())
    cached = statistics.median(_token_times(reading, written))
    return {
        "model": writer.name,
        "context": writer.context,
        "d_model": config.d_model,
        "layers": len(config.layers),
        "heads": sum(layer.n_heads for layer in config.layers),
        "cache": cache_bytes(config, writer.context) / 2**10,
        "cached": cached,
        "rate": 1 / cached,
        "again": again.median,
        "gain": again.median / cached,
        "verdict": "agree" if agree else "differ",
    }


def _token_times(reading: Reading, written: int) -> Iterator[float]:
    """Seconds of each further token; the text is always the same one, whatever comes out."""
    for _ in range(written):
        start = time.perf_counter()
        int(reading.read([0]).argmax())
        yield time.perf_counter() - start


def cache_bytes(config: Config, context: int) -> int:
    """What a token reads of the keys and values of all before it, in float32, BOS included."""
    return 8 * (context + 1) * sum(layer.n_heads * max(layer.d_head, layer.d_value) for layer in config.layers)


COLUMNS = (
    Column("model", "model"),
    Column("context", "context", count),
    Column("d_model", "d_model", count),
    Column("layers", "layers", count),
    Column("heads", "heads", count),
    Column("cache", "cache, KiB", lambda value: count(round(value))),
    Column("cached", "a token", milliseconds),
    Column("rate", "tokens/s", rate),
    Column("again", "without cache", milliseconds),
    Column("gain", "without / with", ratio),
    Column("verdict", "both ways"),
)


def section(
    decoders: Iterable[str], sizes: Iterable[int], contexts: Sequence[int], written: int, budget: float
) -> Section:
    """The time of a token as a table."""
    note = (
        "One more token behind a text: with the cache of keys and values, and by reading the whole text again. "
        "One thread, median. The cache is what each token reads of it."
    )
    with one_thread():
        rows = [row(writer, written, budget) for writer in writers(decoders, sizes, contexts, written)]
    return Section("generate", "Generation", note, COLUMNS, rows)
