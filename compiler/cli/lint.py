"""`rasp lint`: what in a program is likely a mistake."""

from __future__ import annotations

import argparse
import json

from compiler.cli.call import DONE, FOUND, Commands, command
from compiler.cli.targets import program_at, source_path
from rasp.text.source import render


def lint(call: argparse.Namespace) -> int:
    """Print what in a program is likely a mistake; exit code 1 if anything is. A note is none."""
    program = program_at(source_path(call.file), call)
    found = [*program.warnings, *program.notes]
    if call.json:
        for one in found:
            print(json.dumps(one.to_json(), ensure_ascii=False))
    elif found:
        print(render(found))
    return FOUND if program.warnings else DONE


def define(commands: Commands) -> None:
    """Add the command."""
    flags = command(
        commands,
        "lint",
        lint,
        """
        rasp lint mine.rasp
        rasp lint mine.rasp --json
        """,
    )
    flags.add_argument("file", metavar="FILE", help="a .rasp file")
    flags.add_argument("--json", action="store_true", help="one JSON object a finding")
