"""`rasp compile`: from a program to a checkpoint, one of its forms on the way, or its cost."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from compiler.cli.call import DONE, FOUND, Commands, command, setting_flags
from compiler.cli.targets import program_at, source_path, warn
from compiler.numbers.precision import FLOAT32, PRECISIONS
from rasp.text.source import RaspError, error, render

if TYPE_CHECKING:
    from compiler.pipeline import Compiled
    from rasp import Program

FORMS = ("syntax", "sop", "graph", "lowered", "compressed", "circuit", "certificate", "weights", "fast")
"""What the passes make, in order: the driver is not loaded to know it."""


def compile_(call: argparse.Namespace) -> int:
    """Compile a program: save the checkpoint, print one form of it, or print what each way to optimise would cost."""
    if call.out is None and call.emit is None and not call.plan and not call.suggest:
        raise error(
            "usage",
            "nothing to do",
            hint="-o DIR saves a checkpoint, --emit FORM prints a form, --plan costs, --suggest helps",
        )
    from compiler.pipeline import Compiled

    program = program_at(source_path(call.file), call)
    if call.out is not None and not call.force:
        _spare(Path(call.out), program)
    compiled = Compiled(program, call.optimize, call.uncertified, call.dtype)
    if call.suggest:
        return _suggest(compiled)
    warn(compiled)
    if call.plan:
        print(compiled.plan())
    if call.emit is not None:
        print(compiled.emit(call.emit).rstrip("\n"))
    if call.out is not None:
        for one in compiled.program.examples.note:
            print(replace(one, span=None), file=sys.stderr)
        compiled.save(Path(call.out), lambda one: print(render([one]), file=sys.stderr))
        print(f"{call.out}: {compiled.summary()}")
    return DONE


def _spare(folder: Path, program: Program) -> None:
    """Raise `RaspError` where the folder holds the checkpoint of another program: other outputs of another text."""
    try:
        told = json.loads((folder / "labels.json").read_text(encoding="utf-8"))["program"]
        text, outputs = told["source"], told["settings"]["output"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return  # whether it is a checkpoint at all is asked where it is written
    if text != program.source.text and outputs != list(program.outputs):
        raise error(
            "usage",
            f"`{folder}` is the checkpoint of another program, which answers {', '.join(map(str, outputs))}",
            hint="choose another folder, or replace it with --force",
        )


def _suggest(compiled: Compiled) -> int:
    """Say whether the program compiles, else what it compiles with; a line for each try."""
    _ = compiled.setting  # of a program that has none nothing is tried
    try:
        print(f"it compiles as it is: {compiled.circuit.parameters():,} parameters")
        return DONE
    except RaspError as problem:
        print(render([replace(one, hint=None) for one in problem.diagnostics]), file=sys.stderr)
    found = compiled.suggestions(tell=lambda what: print(f"trying {what} ...", file=sys.stderr))
    for remedy in found:
        print(f"it compiles with {remedy}")
    if not found:
        print("nothing that was tried helps: shorter inputs, wider dtypes, rounded outputs")
    return DONE if found else FOUND


def define(commands: Commands) -> None:
    """Add the command."""
    flags = command(
        commands,
        "compile",
        compile_,
        """
        rasp compile programs/sort.rasp -o sort
        rasp compile programs/sort.rasp --emit graph
        rasp compile programs/sort.rasp --plan
        rasp compile programs/sort.rasp --dtype float16 -o sort16
        rasp compile refused.rasp --suggest
        rasp compile mine.rasp -o mine --output answer --vocab abc --max-length 16
        """,
    )
    flags.add_argument("file", metavar="FILE", help="a .rasp file")
    flags.add_argument("-o", "--out", metavar="DIR", help="save the checkpoint in this folder")
    flags.add_argument("--force", action="store_true", help="replace even the checkpoint of another program")
    flags.add_argument("--plan", action="store_true", help="print layers, heads, neurons and parameters of each mode")
    flags.add_argument("--suggest", action="store_true", help="where the program is refused, try what would help")
    flags.add_argument(
        "--optimize",
        choices=("depth", "balanced", "size"),
        default="balanced",
        help="few layers, few layers at a bearable size (default), or few parameters",
    )
    flags.add_argument("--uncertified", action="store_true", help="compile even where rounding could change an answer")
    flags.add_argument(
        "--dtype",
        choices=tuple(PRECISIONS),
        default=FLOAT32.name,
        help="what the weights are held and computed in (default float32)",
    )
    flags.add_argument("--emit", metavar="FORM", choices=FORMS, help="print what a pass makes: " + ", ".join(FORMS))
    setting_flags(flags)
