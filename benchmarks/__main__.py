"""`python -m benchmarks`: run the benchmarks and print their tables.

In: the words of the command line. Out: tables on stdout; JSON and Markdown files where asked for.
Invariant: without `--json` and `--markdown` nothing is written.

    python -m benchmarks --quick --only compile,check
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import aims, compiling, decoding, generating, interpreting, running, starting
from benchmarks.cases import Case
from benchmarks.report import Column, Row, Section, mebibytes, milliseconds, show
from benchmarks.timing import machine, peak_memory
from rasp import whole

SECTIONS = (
    "compile",
    "growth",
    "forward",
    "memory",
    "generate",
    "decode",
    "interpreter",
    "check",
    "start",
    "aims",
    "run",
)
COMPILED = {"compile", "growth", "forward", "memory"}
"""The sections that need the compiled cases."""
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


@dataclass(frozen=True)
class Plan:
    """What is run, and for how many seconds each."""

    cases: tuple[Case, ...]
    shapes: tuple[tuple[int, int], ...]
    positions: int  # in a batch, about
    decoders: tuple[str, ...]
    contexts: tuple[int, ...]  # tokens in front of those that are generated
    written: int
    decoded: tuple[str, ...]
    source: int  # tokens of a source that is decoded
    lengths: tuple[int, ...]
    longest_input: int
    checked: tuple[Case, ...]
    inputs: int
    budget: float
    longest: float
    torch_compile: bool


FULL = Plan(
    cases=compiling.CASES,
    shapes=((64, 256), (64, 1024), (64, 4096), (256, 256), (256, 1024)),
    positions=4096,
    decoders=generating.DECODERS,
    contexts=(100, 1000, 10_000),
    written=100,
    decoded=tuple(decoding.SOURCES),
    source=64,
    lengths=(100, 1000),
    longest_input=4096,
    checked=interpreting.CHECKED,
    inputs=2000,
    budget=1.0,
    longest=60.0,
    torch_compile=True,
)
QUICK = Plan(
    cases=compiling.QUICK_CASES,
    shapes=((16, 8),),
    positions=64,
    decoders=generating.QUICK_DECODERS,
    contexts=(8,),
    written=4,
    decoded=("copy",),
    source=8,
    lengths=(10,),
    longest_input=16,
    checked=interpreting.QUICK_CHECKED,
    inputs=40,
    budget=0.0,
    longest=20.0,
    torch_compile=False,
)


def main(words: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; 0."""
    options = _parser().parse_args(words)
    plan = QUICK if options.quick else FULL
    about = machine()
    print(describe(about), "\n")
    found = []
    for section in sections(plan, options.only):
        show(section)
        found.append(section)
    if options.json:
        data = {"machine": about, "quick": options.quick, "sections": {one.name: one.to_json() for one in found}}
        whole.text(options.json, json.dumps(data, indent=1) + "\n")
    if options.markdown:
        _write_markdown(options.markdown, about, found)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Run the benchmarks and print tables.")
    parser.add_argument(
        "--quick", action="store_true", help="small sizes, single runs: a few seconds, to see that all works"
    )
    parser.add_argument("--only", type=_names, default=SECTIONS, metavar="NAMES", help=f"of {','.join(SECTIONS)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers, unrounded")
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="write the tables into a page, between its two marks"
    )
    return parser


def _names(words: str) -> tuple[str, ...]:
    names = tuple(words.split(","))
    if unknown := set(names) - set(SECTIONS):
        raise argparse.ArgumentTypeError(
            f"no such section: {', '.join(sorted(unknown))}; there are {', '.join(SECTIONS)}"
        )
    return names


def sections(plan: Plan, names: Sequence[str] = SECTIONS) -> Iterator[Section]:
    """The sections by name, in order; models are compiled once and run in the sections behind too."""
    start = time.perf_counter()
    compiled: list[compiling.Compilation] = []
    if COMPILED & set(names):
        compiled = list(compiling.compilations(plan.cases, plan.budget, plan.longest))
    found: dict[str, Section] = {}
    spent: list[Row] = []
    for name in [name for name in SECTIONS if name in names]:
        found[name] = _run_section(spent) if name == "run" else _section(name, plan, compiled, found)
        spent.append({"section": name, "seconds": time.perf_counter() - start, "peak": peak_memory()})
        start = time.perf_counter()
        yield found[name]


def _section(name: str, plan: Plan, compiled: list[compiling.Compilation], found: Mapping[str, Section]) -> Section:
    match name:
        case "compile":
            return compiling.section(compiled)
        case "growth":
            return compiling.growth_section(compiled)
        case "forward":
            contests = [
                *running.from_compilations(compiled, plan.positions),
                *running.from_shapes(plan.shapes, plan.positions, plan.torch_compile),
            ]
            return running.section(contests, plan.budget)
        case "memory":
            return running.memory_section(running.longest(compiled, plan.longest_input))
        case "generate":
            sizes = sorted({d_model for d_model, _ in plan.shapes})
            return generating.section(plan.decoders, sizes, plan.contexts, plan.written, plan.budget)
        case "decode":
            return decoding.section(plan.decoded, plan.source, plan.budget)
        case "interpreter":
            return interpreting.interpreter_section(plan.lengths, plan.budget, plan.longest)
        case "check":
            return interpreting.check_section(plan.checked, plan.inputs, plan.budget)
        case "start":
            return starting.section(4 * plan.budget)
        case "aims":
            return aims.section(found)
    raise ValueError(name)


def _run_section(spent: Sequence[Row]) -> Section:
    """What the run itself took."""
    columns = (
        Column("section", "section"),
        Column("seconds", "took", milliseconds),
        Column("peak", "most memory so far", mebibytes),
    )
    total = sum(row["seconds"] for row in spent)
    note = "Seconds of each section, and the most memory that the process had held behind it, torch itself included."
    rows = [*spent, {"section": "all", "seconds": total, "peak": peak_memory()}]
    return Section("run", "The run itself", note, columns, rows)


def describe(about: dict[str, Any]) -> str:
    """The machine in a sentence."""
    return (
        f"{about['processor']}, {about['cores']} cores, {about['memory_gib']} GiB, Python {about['python']}, "
        f"torch {about['torch']} with {about['threads']} threads; load before the run {about['load_before']}."
    )


def _write_markdown(page: Path, about: dict[str, Any], found: Sequence[Section]) -> None:
    """Replace what stands between the marks; what is written around them stays."""
    before, after = "# Benchmarks\n\n", "\n"
    if page.exists():
        old = page.read_text(encoding="utf-8")
        before, after = old.split(BEGIN)[0], old.split(END)[-1]
    measured = "\n".join([describe(about), "", *(section.markdown() for section in found)])
    whole.text(page, f"{before}{BEGIN}\n{measured}{END}{after}")


if __name__ == "__main__":
    raise SystemExit(main())
