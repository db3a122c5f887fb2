"""`rasp check`: every stage against the interpreter."""

from __future__ import annotations

import argparse

from compiler.cli.call import DONE, FOUND, Commands, command, setting_flags, whole
from compiler.cli.targets import program_at, progress_bar, refuse_overrides, target_path


def check(call: argparse.Namespace) -> int:
    """Compare every stage with the interpreter; exit code 1 if one differs."""
    from compiler.compare import check as compare

    path = target_path(call.target)
    if path.is_dir():
        refuse_overrides(call)
    subject = path if path.is_dir() else program_at(path, call)
    with progress_bar("checking") as progress:
        report = compare(
            subject, samples=call.samples, seed=call.seed, max_exhaustive=call.max_exhaustive, progress=progress
        )
    print(report)
    return DONE if report.ok else FOUND


def define(commands: Commands) -> None:
    """Add the command."""
    flags = command(
        commands,
        "check",
        check,
        """
        rasp check programs/sort.rasp
        rasp check checkpoint --samples 10000 --seed 7
        """,
    )
    flags.add_argument("target", metavar="TARGET", help="a .rasp file, or a checkpoint folder")
    flags.add_argument("--samples", metavar="N", type=whole, default=1000, help="random long inputs (default 1000)")
    flags.add_argument("--seed", metavar="N", type=whole, default=0, help="the random inputs' seed (default 0)")
    flags.add_argument(
        "--max-exhaustive", metavar="N", type=whole, default=400, help="how many short inputs to try (default 400)"
    )
    setting_flags(flags)
