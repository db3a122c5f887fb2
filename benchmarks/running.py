"""Running, measured: the forward pass of our model, and its fast path, beside a plain transformer of the same shape.

In: compiled models, and shapes that no program here has. Out: rows with both times and their ratio.
Invariant: the runs are interleaved, on the same random token ids, with the same BOS and mask.

    reverse 100,1024  batch 4  length 1,024  1.2 ms  1.1 ms  1.09
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmarks.compiling import Compilation
from benchmarks.plain import plain
from benchmarks.report import Column, Row, Section, count, mebibytes, milliseconds, rate, ratio
from benchmarks.timing import held_memory, interleaved
from compiler.model import Config, LayerShape, OutputSlice, Transformer
from compiler.runtime.fast.model import Fast

ALONE = (("Dyck-2", 512), ("rover", 32))
"""What is run one input at a time as well."""


@dataclass(frozen=True)
class Contest:
    """A model, and how it is run."""

    name: str
    model: Transformer
    batch: int
    length: int
    padded: bool = False
    torch_compile: bool = False
    fast: Fast | None = None


def shape(d_model: int, length: int, layers: int = 4, causal: bool = False) -> Config:
    """A usual shape: heads of 16 dimensions, four times as many neurons as dimensions, a vocabulary of 100."""
    layer = LayerShape(n_heads=d_model // 16, d_head=16, d_value=16, d_mlp=4 * d_model)
    words = tuple(map(str, range(100)))
    return Config(words, length, causal, d_model, (layer,) * layers, (OutputSlice("answer", words),))


def randomised(config: Config) -> Transformer:
    """Our model with random weights of a usual size: a shape no program here has."""
    torch.manual_seed(0)
    model = Transformer(config)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=config.d_model**-0.5)
    return model.eval()


def from_compilations(found: Iterable[Compilation], positions: int) -> Iterator[Contest]:
    """What was compiled, at its full length, in batches of about so many positions; some also one input at a time."""
    for one in found:
        if (model := one.model) is not None and one.certified:
            length = model.config.max_length
            fast = one.fast if one.fast is not None and one.fast.plan is not None else None
            yield Contest(str(one.case), model, max(1, positions // length), length, fast=fast)
            if (one.case.name, length) in ALONE:
                yield Contest(f"{one.case}, one input", model, 1, length, fast=fast)


def from_shapes(sizes: Sequence[tuple[int, int]], positions: int, with_torch_compile: bool) -> Iterator[Contest]:
    """Random weights at each (d_model, length); the first also padded, causal and under `torch.compile`."""
    for number, (d_model, length) in enumerate(sizes):
        batch = max(1, positions // length)
        model = randomised(shape(d_model, length))
        name = f"random weights {d_model}"
        yield Contest(name, model, batch, length)
        if number == 0:
            yield Contest(f"{name}, padded", model, batch, length, padded=True)
            yield Contest(f"{name}, causal", randomised(shape(d_model, length, causal=True)), batch, length)
            if with_torch_compile:
                yield Contest(f"{name}, torch.compile", model, batch, length, torch_compile=True)


def _inputs(contest: Contest) -> tuple[Tensor, Tensor | None]:
    ids = torch.randint(len(contest.model.config.vocabulary), (contest.batch, contest.length))
    if not contest.padded:
        return ids, None
    lengths = torch.randint(1, contest.length + 1, (contest.batch, 1))
    return ids, (torch.arange(contest.length) < lengths).long()


def _forward(model: nn.Module, inputs: tuple[Tensor, Tensor | None], faster: bool) -> Callable[[], object]:
    runner: Callable[..., object] = torch.compile(model) if faster else model

    def run() -> object:
        with torch.no_grad():
            return runner(*inputs)

    return run


def _always(fast: Fast) -> Fast:
    """The fast path itself, whether or not it is the quicker way."""
    return Fast(fast, fast.plan or "", "fast")


def row(contest: Contest, budget: float) -> Row:
    """The forward passes, in turns."""
    config = contest.model.config
    inputs = _inputs(contest)
    rivals = [_forward(model, inputs, contest.torch_compile) for model in (contest.model, plain(config))]
    if contest.fast is not None:
        rivals.append(_forward(_always(contest.fast), inputs, False))
    ours, theirs, *fast = interleaved(rivals, budget)
    return {
        "model": contest.name,
        "batch": contest.batch,
        "length": contest.length,
        "d_model": config.d_model,
        "layers": len(config.layers),
        "heads": sum(layer.n_heads for layer in config.layers),
        "neurons": sum(layer.d_mlp for layer in config.layers),
        "runs": ours.runs,
        "ours": ours.median,
        "plain": theirs.median,
        "ratio": ours.median / theirs.median,
        "fast": fast[0].median if fast else None,
        "gain": theirs.median / fast[0].median if fast else None,
        "rate": contest.batch * contest.length / ours.median,
    }


COLUMNS = (
    Column("model", "model"),
    Column("batch", "batch", count),
    Column("length", "length", count),
    Column("d_model", "d_model", count),
    Column("layers", "layers", count),
    Column("heads", "heads", count),
    Column("neurons", "neurons", count),
    Column("runs", "runs", count),
    Column("ours", "ours", milliseconds),
    Column("plain", "plain", milliseconds),
    Column("ratio", "ours / plain", ratio),
    Column("fast", "fast path", milliseconds),
    Column("gain", "plain / fast path", ratio),
    Column("rate", "tokens/s", rate),
)


MEMORY_COLUMNS = (
    Column("model", "model"),
    Column("batch", "batch", count),
    Column("length", "length", count),
    Column("ours", "ours", mebibytes),
    Column("plain", "plain", mebibytes),
    Column("fast", "fast path", mebibytes),
    Column("scores", "scores of one head", mebibytes),
)


def memory_row(contest: Contest) -> Row:
    """The most that each forward pass holds at a time, beside the weights."""
    inputs = _inputs(contest)
    models = [contest.model, plain(contest.model.config), *([_always(contest.fast)] if contest.fast else [])]
    runs = [_forward(model, inputs, False) for model in models]
    for run in runs:
        run()
    ours, theirs, *fast = map(held_memory, runs)
    return {
        "model": contest.name,
        "batch": contest.batch,
        "length": contest.length,
        "ours": ours,
        "plain": theirs,
        "fast": fast[0] if fast else None,
        "scores": 4 * contest.batch * (contest.length + 1) ** 2,
    }


def memory_section(contests: Iterable[Contest]) -> Section:
    """The memory of forward passes as a table."""
    note = (
        "The most that the tensors made in one forward pass hold at a time, logits included, weights not. What the "
        "scores of a single head would hold, if they were ever in memory together, stands beside it."
    )
    with one_thread():
        rows = [memory_row(contest) for contest in contests]
    return Section("memory", "Memory of a forward pass", note, MEMORY_COLUMNS, rows)


def longest(found: Iterable[Compilation], length: int) -> Iterator[Contest]:
    """Random weights at this length, padded and causal or not, then what was compiled for many tokens."""
    for causal, padded in ((False, False), (False, True), (True, False), (True, True)):
        words = [word for word, said in (("causal", causal), ("padded", padded)) if said]
        model = randomised(shape(64, length, causal=causal))
        yield Contest(", ".join(["random weights 64", *words]), model, 1, length, padded)
    for contest in from_compilations(found, 1):
        if contest.length >= min(length, 512) and "one input" not in contest.name:
            yield contest


@contextmanager
def one_thread() -> Iterator[None]:
    """torch on one thread: two that wait for each other on a busy machine would measure the waiting."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def section(contests: Iterable[Contest], budget: float) -> Section:
    """The forward passes as a table."""
    note = (
        "A compiled model beside a plain PyTorch transformer of the same shape with random weights: same "
        "BOS and mask, `scaled_dot_product_attention`, ReLU, no norm. One thread, runs in turns, ratio of the medians. "
        "The fast path gives the same answers by counting and looking up; it is taken where it is the quicker way."
    )
    with one_thread():
        rows = [row(contest, budget) for contest in contests]
    return Section("forward", "Forward pass", note, COLUMNS, rows)
