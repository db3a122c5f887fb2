"""`python -m benchmarks.table`: every program of the literature, as RASP counts it, as it is here, as it is in Tracr.

In: the cases below, compiled now. Out: `docs/table.md`, or the same on stdout.
Invariant: our numbers come from this run. RASP's are those of its authors' tool on their own programs; Tracr's were
measured with its default settings on a machine of two cores.

    | reverse | 50 | 50 | 2 | 1/1 | 2 | 2 | 1/1 | ...
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.__main__ import describe
from benchmarks.cases import Case
from benchmarks.compiling import Compilation, compilation
from benchmarks.report import Column, Row, count, markdown_table, milliseconds
from benchmarks.timing import TooLong, limit, machine
from compiler.model import LayerShape
from compiler.pipeline import Compiled
from rasp import RaspError, whole
from rasp.meaning.sop import Aggregate, Node, Selector, Total, Width, reachable

LONGEST = 120.0
BUDGET = 1.0


@dataclass(frozen=True)
class Tracr:
    """Layers, parameters and seconds to compile; None where it did not finish."""

    layers: int | None
    parameters: int | None
    seconds: float | None


@dataclass(frozen=True)
class Entry:
    """A case, and what others make of it; `heads` are RASP's, layer by layer."""

    case: Case
    heads: tuple[int, ...] = ()
    tracr: Tracr | None = None


ENTRIES = (
    Entry(Case("length", 8, 10), (1,), Tracr(1, 3_583, 0.04)),
    Entry(Case("length", 100, 100), (1,), Tracr(1, 310_693, 0.5)),
    Entry(Case("shift", 100, 100), (1,), Tracr(1, 186_652, 0.25)),
    Entry(Case("reverse", 4, 5), (1, 1), Tracr(4, 19_700, 0.05)),
    Entry(Case("reverse", 16, 16), (1, 1), Tracr(4, 368_975, 0.11)),
    Entry(Case("reverse", 26, 32), (1, 1), Tracr(4, 2_388_693, 0.9)),
    Entry(Case("reverse", 50, 50), (1, 1), Tracr(4, 8_979_339, 20)),
    Entry(Case("reverse", 100, 100), (1, 1), Tracr(None, None, None)),
    Entry(Case("histogram", 50, 50), (2,), Tracr(1, 80_393, 0.08)),
    Entry(Case("histogram", 100, 100), (2,), Tracr(1, 310_693, 0.25)),
    Entry(Case("histogram, BOS", 50, 50), (1,)),
    Entry(Case("double histogram", 50, 50), (), Tracr(2, 194_895, 0.14)),
    Entry(Case("double histogram, BOS", 50, 50), (2, 1)),
    Entry(Case("sort unique", 50, 50), (), Tracr(2, 191_371, 0.10)),
    Entry(Case("sort", 16, 16), (2, 1), Tracr(3, 1_521_815, 0.35)),
    Entry(Case("sort", 26, 32), (2, 1), Tracr(3, 14_368_853, 3.3)),
    Entry(Case("sort", 50, 50), (2, 1), Tracr(3, 122_114_783, 92)),
    Entry(Case("sort", 100, 100), (2, 1)),
    Entry(Case("sort, BOS", 50, 50), (1, 1)),
    Entry(Case("sort by frequency", 50, 50), (), Tracr(5, 219_125_304, 112)),
    Entry(Case("most frequent", 50, 50)),
    Entry(Case("most frequent, BOS", 50, 50), (2, 1, 1)),
    Entry(Case("has previous", 50, 50), (), Tracr(3, 119_948_399, 115)),
    Entry(Case("fraction of previous", 100, 100), (), Tracr(2, 211_149, 0.15)),
    Entry(Case("pair balance", 16, 16)),
    Entry(Case("shuffle Dyck-2", None, 32), (), Tracr(8, 20_778_054, 28)),
    Entry(Case("Dyck-1", None, 32), (1, 1)),
    Entry(Case("Dyck-2", None, 16), (1, 2, 1, 1)),
    Entry(Case("Dyck-2", None, 50), (1, 2, 1, 1)),
    Entry(Case("Dyck-3", None, 16), (1, 2, 1, 1)),
    Entry(Case("long addition", None, 16), (2, 1, 1, 1, 1)),
    Entry(Case("long addition", None, 50), (2, 1, 1, 1, 1)),
    Entry(Case("rover", None, 32), (3, 5, 10, 1, 2, 3, 4, 2, 1, 3, 4, 2, 1, 3, 3, 1)),
)


def rule(outputs: Iterable[Node]) -> tuple[int, ...]:
    """Heads of each layer by the paper's rule: elementwise work is free, an aggregate comes as early as it can.

    A head is a selector; here a selector's width is one head too, as it is behind a beginning-of-sequence token.
    """
    depth: dict[Node, int] = {}
    layers: dict[int, set[Selector]] = {}
    for node in reachable(outputs):
        depth[node] = max((depth[part] for part in node.inputs), default=0)
        if isinstance(node, Aggregate | Total | Width):
            depth[node] += 1
            layers.setdefault(depth[node], set()).add(node.selector)
    return tuple(len(layers[number]) for number in sorted(layers))


def _slashed(numbers: Iterable[int]) -> str | None:
    return "/".join(map(str, numbers)) or None


def row(entry: Entry, budget: float = BUDGET, longest: float = LONGEST) -> Row:
    """All that is known of an entry."""
    program = entry.case.program()
    by_rule = rule(program.node(name) for name in program.outputs)
    tracr = entry.tracr or Tracr(None, None, None)
    return {
        "program": entry.case.name,
        "vocabulary": len(program.settings.vocab or ()),
        "length": program.settings.max_length,
        "rasp_layers": len(entry.heads) or None,
        "rasp_heads": _slashed(entry.heads),
        "rule_layers": len(by_rule),
        "rule_heads": _slashed(by_rule),
        **_ours(compilation(entry.case, budget, longest)),
        "depth_layers": _layers(entry.case, "depth", longest),
        "tracr_layers": tracr.layers,
        "tracr_parameters": tracr.parameters,
        "tracr_seconds": "over 300 s" if entry.tracr and tracr.seconds is None else tracr.seconds,
    }


def _ours(found: Compilation) -> Row:
    if found.model is None or found.certificate is None:
        return {"certified": "no", "tightest": found.problem}
    model = found.model
    layers: Sequence[LayerShape] = model.config.layers
    return {
        "attention_layers": sum(layer.n_heads > 0 for layer in layers),
        "layers": len(layers),
        "heads": _slashed(layer.n_heads for layer in layers if layer.n_heads),
        "d_model": model.config.d_model,
        "neurons": sum(layer.d_mlp for layer in layers),
        "parameters": model.stored(),
        "nonzero": model.nonzero(),
        "seconds": found.total,
        "certified": "yes" if found.certified else "no",
        "tightest": str(found.certificate.tightest),
    }


def _layers(case: Case, optimize: str, longest: float) -> int | None:
    """Layers in all when optimised for this; None if that is refused or takes too long."""
    try:
        with limit(longest):
            return len(Compiled(case.program(), optimize, uncertified=True).circuit.layers)
    except (RaspError, TooLong):
        return None


def _seconds_or_words(value: float | str) -> str:
    return value if isinstance(value, str) else milliseconds(value)


SIZES = (
    Column("program", "program"),
    Column("vocabulary", "vocabulary", count),
    Column("length", "length", count),
    Column("rasp_layers", "RASP: layers", count),
    Column("rule_layers", "by its rule", count),
    Column("attention_layers", "ours, with attention", count),
    Column("layers", "in all", count),
    Column("depth_layers", "in all, optimised for depth", count),
    Column("tracr_layers", "Tracr: layers", count),
    Column("parameters", "our parameters", count),
    Column("nonzero", "not zero", count),
    Column("tracr_parameters", "Tracr's parameters", count),
    Column("seconds", "our compile time", milliseconds),
    Column("tracr_seconds", "Tracr's", _seconds_or_words),
    Column("certified", "certified"),
)
SHAPES = (
    Column("program", "program"),
    Column("vocabulary", "vocabulary", count),
    Column("length", "length", count),
    Column("rasp_heads", "RASP: heads"),
    Column("rule_heads", "by its rule"),
    Column("heads", "our heads"),
    Column("d_model", "d_model", count),
    Column("neurons", "neurons", count),
    Column("tightest", "tightest decision"),
)
PAGE = """# Programs and their sizes

Made by `python -m benchmarks.table --write docs/table.md`; our numbers are from that run: {machine}

A vocabulary of n is n distinct tokens; bracket and digit programs keep their own. *RASP* is what its authors' tool
counts on their texts of these programs, *by its rule* is the same rule applied to the texts here (elementwise work is
free, one head a selector, a width counted as one). Layers *with attention* are to be compared with it; a layer
without holds only neurons, because elementwise work is not free in a real transformer. Heads are listed layer by
layer, of those that have any. Compile time is the median from text to running model, certificate included. Tracr's
figures are for its default settings, warm, on a machine of two cores; at many of these settings its models give wrong
answers.

{sizes}

## Shapes and certificates

Every decision of a model (a softmax that selects, a comparison, the nearest output) has a margin and a bound on the
error that can reach it. The tightest is the one whose error uses up most of its margin. Where there is no model, this
says why.

{shapes}
"""


def rows(entries: Sequence[Entry]) -> Iterator[Row]:
    """One row an entry, reporting progress."""
    for number, entry in enumerate(entries, 1):
        print(f"{number}/{len(entries)} {entry.case}", flush=True)
        yield row(entry)


def page(found: Sequence[Row], about: str) -> str:
    """The whole page."""
    return PAGE.format(machine=about, sizes=markdown_table(SIZES, found), shapes=markdown_table(SHAPES, found))


def main(words: Sequence[str] | None = None) -> int:
    """Compile everything and write the page; 0."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.table", description="Compile the programs of the table."
    )
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the page there instead of printing it")
    parser.add_argument("--only", metavar="TEXT", default="", help="only programs with this in their name")
    options = parser.parse_args(words)
    about = describe(machine())
    made = page(list(rows([entry for entry in ENTRIES if options.only in entry.case.name])), about)
    if options.write:
        whole.text(options.write, made)
    else:
        print(made)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
