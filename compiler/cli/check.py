"""`rasp check`: every stage against the interpreter; or the provenance against the program, by interventions.

In: a program or a checkpoint folder. Out: what was tried and the first difference, made small, on stdout; or a table of
the variables, and the swaps that went wrong.
Invariant: exit code 0 only where everything agreed and there was something to compare.

    $ rasp check programs/sort.rasp
    4680 short inputs, 1000 random, 62 awkward: analysis, graph, circuits, weights, model agree with the interpreter
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from compiler.cli.call import DONE, FOUND, Commands, command, positive, setting_flags, whole
from compiler.cli.targets import program_at, progress_bar, refuse_overrides, shown, target_path

EXAMPLES = """
rasp check programs/sort.rasp
rasp check checkpoint --samples 10000 --seed 7
rasp check programs/histogram.rasp --vocab abc --max-length 8 --seconds 60 --jobs 2
rasp check checkpoint --fast
rasp check programs/seq2seq/reverse.rasp --allow-endless
rasp check checkpoint --json
rasp check checkpoint --interventions
rasp check programs/sort.rasp --interventions --seed 7 --json
"""
SECONDS = 2.0
"""How long short inputs are tried by default."""


def check(call: argparse.Namespace) -> int:
    """Compare every stage with the interpreter; exit code 1 if one differs."""
    path = target_path(call.target)
    if path.is_dir():
        refuse_overrides(call)
    return _by_interventions(path, call) if call.interventions else _by_inputs(path, call)


def _by_interventions(path: Path, call: argparse.Namespace) -> int:
    """Swap every variable of the provenance between runs, and compare with the program."""
    from compiler.trust.interventions import intervene

    with progress_bar("intervening") as progress:
        report = intervene(path if path.is_dir() else program_at(path, call), seed=call.seed, progress=progress)
    if call.json:
        print(json.dumps(report.to_json(), ensure_ascii=False))
    else:
        shown(report)
        print(report.details())
    return DONE if report.ok else FOUND


def _by_inputs(path: Path, call: argparse.Namespace) -> int:
    from compiler.trust.compare import check as compare

    with progress_bar("checking") as progress:
        report = compare(
            path if path.is_dir() else program_at(path, call),
            samples=call.samples,
            seed=call.seed,
            max_exhaustive=call.max_exhaustive or 0,
            seconds=call.seconds if call.max_exhaustive is None else None,
            jobs=call.jobs,
            fast=call.fast,
            allow_endless=call.allow_endless,
            progress=progress,
        )
    if call.json:
        print(json.dumps(report.to_json()))
    else:
        print(report, report.details(), sep="\n")
        if report.endless is not None:
            print("hint: let the target end with a token of `stop`, or pass --allow-endless")
    return DONE if report.ok else FOUND


def seconds(text: str) -> float:
    """A time in seconds."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f'expected a number of seconds, got "{text}"')
    return number


def define(commands: Commands) -> None:
    """Add the command."""
    flags = command(
        commands,
        "check",
        check,
        EXAMPLES,
    )
    flags.add_argument("target", metavar="TARGET", help="a .rasp file, or a checkpoint folder")
    flags.add_argument("--samples", metavar="N", type=whole, default=1000, help="random long inputs (default 1000)")
    flags.add_argument("--seed", metavar="N", type=whole, default=0, help="the random inputs' seed (default 0)")
    flags.add_argument(
        "--seconds",
        metavar="S",
        type=seconds,
        default=SECONDS,
        help=f"try all inputs of length 1, 2, ... as long as a length fits into this time (default {SECONDS:g})",
    )
    flags.add_argument(
        "--max-exhaustive", metavar="N", type=whole, help="try this many short inputs instead, whatever time it takes"
    )
    flags.add_argument("--jobs", metavar="N", type=positive, default=1, help="processes (default 1)")
    flags.add_argument("--fast", action="store_true", help="the fast path too, whether it is the quicker way or not")
    flags.add_argument(
        "--allow-endless",
        action="store_true",
        help="targets without a token of `stop` are no finding, in a program with a source",
    )
    flags.add_argument(
        "--interventions",
        action="store_true",
        help="instead: copy each variable's columns, as the provenance lists them, from run to run, and compare",
    )
    flags.add_argument("--json", action="store_true", help="print one JSON object")
    setting_flags(flags)
