"""Generating, measured: one more token behind a text, by the cache, by a recurrence, and by reading everything again.

In: causal models. Out: rows with the time of a token in each way, and the bytes of the cache that each token reads.
Invariant: all ways read the same text, and their best tokens are compared.

    induction  context 1,000  153 us  0.87 us  176
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import compiler
import rasp
from benchmarks.cases import PROGRAMS
from benchmarks.report import Column, Row, Section, count, rate, ratio
from benchmarks.running import one_thread, randomised, shape
from benchmarks.timing import once, timed
from compiler.model import Config, Reader, Reading, Rereading, Transformer
from compiler.runtime.fast.generation import RecurrentReading

DECODERS = ("repeat_aab", "traffic_light", "fibonacci_digits", "induction", "close_brackets", "turing_machine")
QUICK_DECODERS = DECODERS[:1]
LONGEST = {"induction": 1000, "close_brackets": 1000, "turing_machine": 1000}
"""The longest texts for which these are measured: beyond, counts have too many values, or they cannot be certified."""
AT_A_TIME = 4
"""Tokens that one reader writes before the next has its turn."""
QUICK = 0.5
"""Seconds from which reading a text again is timed once only."""


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
            if context <= LONGEST.get(name, context):
                yield _compiled(name, context, written)
    for d_model in sizes:
        for context in contexts:
            model = randomised(shape(d_model, context + written, causal=True))
            yield Writer(f"random weights {d_model}", context, model)


def _compiled(name: str, context: int, written: int) -> Writer:
    program = rasp.load(PROGRAMS / "decoders" / f"{name}.rasp")
    try:
        return Writer(name, context, compiler.compile(program, max_length=context + written).fast)
    except rasp.RaspError as problem:
        return Writer(name, context, None, f"refused: {problem.diagnostics[0].message}")


def row(writer: Writer, written: int, budget: float) -> Row:
    """The median time of a token in each way."""
    if writer.model is None:
        return {"model": writer.name, "context": writer.context, "verdict": writer.problem}
    config, output = writer.model.config, writer.model.config.outputs[0].name
    ids = [number % len(config.vocabulary) for number in range(writer.context)]
    readers = [Reading(writer.model, config.n_ctx), writer.model.reading(config.n_ctx)]
    readers = readers if isinstance(readers[1], RecurrentReading) else readers[:1]
    best = {reader.best(ids, output) for reader in readers}
    again = once(lambda: best.add(Rereading(writer.model).best(ids, output)))  # type: ignore[arg-type]
    if again < QUICK:
        again = timed(lambda: Rereading(writer.model).read(ids), budget).median  # type: ignore[arg-type]
    times = [statistics.median(seconds) for seconds in zip(*_token_times(readers, output, written), strict=True)]
    recurrent = times[1] if len(times) > 1 else None
    return {
        "model": writer.name,
        "context": writer.context,
        "d_model": config.d_model,
        "layers": len(config.layers),
        "heads": sum(layer.n_heads for layer in config.layers),
        "cache": cache_bytes(config, writer.context) / 2**10,
        "again": again,
        "cached": times[0],
        "rate": 1 / times[0],
        "traffic": cache_bytes(config, writer.context) / times[0],
        "recurrent": recurrent,
        "recurrent rate": recurrent and 1 / recurrent,
        "gain": recurrent and times[0] / recurrent,
        "verdict": "agree" if len(best) == 1 else "differ",
    }


def _token_times(readers: Sequence[Reader], output: str, written: int) -> Iterator[list[float]]:
    """Seconds of a further token, by each reader in turn, some at a time; the text is the same, whatever comes out."""
    for _ in range(written // AT_A_TIME):
        seconds = []
        for reader in readers:
            start = time.perf_counter()
            for _ in range(AT_A_TIME):
                reader.best([0], output)
            seconds.append((time.perf_counter() - start) / AT_A_TIME)
        yield seconds


def cache_bytes(config: Config, context: int) -> int:
    """What a token reads of the keys and values of all before it, in float32, BOS included."""
    return 8 * (context + 1) * sum(layer.n_heads * max(layer.d_head, layer.d_value) for layer in config.layers)


def microseconds(value: float) -> str:
    """Seconds, shown as microseconds; three digits."""
    return f"{float(f'{1e6 * value:.3g}'):,g} us"


COLUMNS = (
    Column("model", "model"),
    Column("context", "context", count),
    Column("d_model", "d_model", count),
    Column("layers", "layers", count),
    Column("heads", "heads", count),
    Column("cache", "cache, KiB", lambda value: count(round(value))),
    Column("again", "without cache", microseconds),
    Column("cached", "with cache", microseconds),
    Column("rate", "tokens/s", rate),
    Column("traffic", "of the cache, GB/s", lambda value: f"{value / 1e9:.2g}"),
    Column("recurrent", "recurrence", microseconds),
    Column("recurrent rate", "tokens/s", rate),
    Column("gain", "cache / recurrence", ratio),
    Column("verdict", "all ways"),
)


def section(
    decoders: Iterable[str], sizes: Iterable[int], contexts: Sequence[int], written: int, budget: float
) -> Section:
    """The time of a token as a table."""
    note = (
        "One more token behind a text: by reading the whole text again, with a cache of keys and values, and as a "
        "recurrence, for models whose heads are known. One thread, in turns of a few tokens, median. The cache is what "
        "each token reads of it."
    )
    with one_thread():
        rows = [row(writer, written, budget) for writer in writers(decoders, sizes, contexts, written)]
    return Section("generate", "Generation", note, COLUMNS, rows)
