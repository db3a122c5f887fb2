"""`rasp lint`: what in a program is likely a mistake."""

from __future__ import annotations

import argparse
import json

from compiler.cli.call import DONE, FOUND, Commands, command
from compiler.cli.targets import program_at, source_path
from rasp.text.source import render


def lint(call: argparse.Namespace) -> int:
    """Print what in a program is likely a mistake; exit code 1 if anything is."""
    warnings = program_at(source_path(call.file), call).warnings
    if call.json:
        for warning in warnings:
            print(json.dumps(warning.to_json(), ensure_ascii=False))
    elif warnings:
        print(render(warnings))
    return FOUND if warnings else DONE


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
