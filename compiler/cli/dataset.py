"""`rasp dataset`: the library as one test bed."""

from __future__ import annotations

import argparse

from compiler.cli.call import DONE, Commands, command, positive, whole
from compiler.cli.programs import library_flags
from compiler.cli.targets import progress_bar
from rasp.text.source import counted


def dataset(call: argparse.Namespace) -> int:
    """Write the library's checkpoints, with example inputs and answers, as one reproducible test bed."""
    from compiler.programs.dataset import read, write
    from compiler.programs.library import chosen

    entries = chosen(call.names, call.theme)
    with progress_bar("writing") as progress:
        identity = write(call.out, entries, call.seed, call.examples, call.jobs, progress)
    examples = sum(case.facts["examples"] for case in read(call.out))
    size = f"{counted(len(entries), 'program')}, {counted(examples, 'example', ',')}"
    print(f"{call.out}: {size}, sha256 of the index {identity}")
    return DONE


def define(commands: Commands) -> None:
    """Add the command."""
    flags = command(
        commands,
        "dataset",
        dataset,
        """
        rasp dataset -o bed
        rasp dataset -o bed --seed 7 --examples 1000
        rasp dataset -o words --theme words
        """,
    )
    flags.add_argument("names", metavar="NAME", nargs="*", help="a program, as `sort` or `words/isogram`; else all")
    flags.add_argument("-o", "--out", metavar="DIR", required=True, help="write the test bed in this folder")
    library_flags(flags)
    flags.add_argument("--seed", metavar="N", type=whole, default=0, help="the examples' seed (0)")
    flags.add_argument("--examples", metavar="N", type=positive, default=200, help="examples a program (200)")
