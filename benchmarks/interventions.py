"""Interventions over the whole library: the numbers of docs/checks.md.

In: a seed, how many processes, and, for programs of another theme, its name. Out: for each theme how many swaps were
tried, meant, with another answer, and wrong; the variables of which no swap with a meaning changes an answer, with the
reason; exit code 1 if anything is wrong.
Invariant: the same seed gives the same swaps.

    python -m benchmarks.interventions --seed 0 --jobs 2
    python -m benchmarks.interventions --theme seq2seq --each
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from functools import partial

import compiler
from compiler.programs.library import Entry, library
from compiler.runtime.processes import spread
from compiler.trust.interventions import Report, Row

COUNTS = ("tried", "meant", "changed", "wrong", "misread")
HEAD = ("programs", "variables", "swaps tried", "meant", "with another answer", "wrong", "numbers read", "misread")
LONGEST_SOURCE, LONGEST = 16, 25
"""The longest source and target of programs that have both: a swap is a run of the interpreter at every position."""
SAME = "it is the same"
"""How the reason begins that there is nothing to swap."""


def studied(entry: Entry, seed: int) -> tuple[str, Report, float]:
    """The report on one program, and the processor time that it took."""
    start = time.process_time()
    program, settings = entry.program, entry.program.settings
    if program.two_tapes:
        lengths = min(LONGEST_SOURCE, settings.longest_source), min(LONGEST, settings.longest)
        program = program.replace(max_source=lengths[0], max_length=lengths[1])
    report = compiler.intervene(compiler.compile(program), seed=seed)
    return entry.theme, report, time.process_time() - start


def line(title: str, reports: list[Report]) -> str:
    """A row of the table."""
    counts = [sum(report.total(name) for report in reports) for name in (*COUNTS[:4], "read", "misread")]
    numbers = [len(reports), sum(len(report.rows) for report in reports), *counts]
    return f"| {title} | " + " | ".join(f"{number:,}" for number in numbers) + " |"


def silent(name: str, rows: list[Row]) -> str:
    """The variables of a program of which no swap changes an answer, reason by reason."""
    reasons: dict[str, list[str]] = {}
    for row in rows:
        reasons.setdefault(row.exhausted, []).append(f"`{row.name}`")
    return "\n".join(f"* `{name}`: {', '.join(names)}: {reason}" for reason, names in reasons.items())


def told(done: int, total: int) -> None:
    """Progress, beside the table."""
    print(f"{done} of {total} programs", file=sys.stderr, flush=True)


def main() -> int:
    """Print the table and the lists."""
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--seed", type=int, default=0)
    flags.add_argument("--jobs", type=int, default=1)
    flags.add_argument("--theme", help="programs of this theme, instead of all of one tape")
    flags.add_argument("--without", default="", help="names of programs that are left out, with commas between them")
    flags.add_argument("--each", action="store_true", help="a line for each program, instead of each theme")
    call = flags.parse_args()
    entries = list(library(call.theme))
    entries = [entry for entry in entries if entry.name not in call.without.split(",")]
    found = list(spread(partial(studied, seed=call.seed), entries, call.jobs, told))
    print(f"| theme | {' | '.join(HEAD)} |", f"|---|{'---:|' * len(HEAD)}", sep="\n")
    titles = [entry.name.rpartition("/")[2] if call.each else entry.theme for entry in entries]
    for title in dict.fromkeys(titles):
        print(line(title, [report for other, (_, report, _) in zip(titles, found, strict=True) if other == title]))
    reports = [report for _, report, _ in found]
    print(line("all", reports), "", sep="\n")
    few = sum(0 < row.changed < report.wanted for report in reports for row in report.rows)
    same = Counter(row.name for report in reports for row in report.rows if row.exhausted.startswith(SAME))
    print(f"{few} variables have some swaps with another answer, but fewer than {reports[0].wanted};")
    print(f"{sum(same.values())} are the same in all inputs of one length:", end=" ")
    print(", ".join(f"{name} {count}" for name, count in same.most_common()), "", sep="\n")
    for entry, (_, report, _) in zip(entries, found, strict=True):
        if rows := [row for row in report.silent if not row.exhausted.startswith(SAME)]:
            print(silent(entry.name, rows))
    bad = [entry.name for entry, report in zip(entries, reports, strict=True) if not report.ok]
    seconds = sum(spent for _, _, spent in found)
    print(f"\n{seconds:.0f} s of processor time; wrong: {', '.join(bad) or 'none'}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
