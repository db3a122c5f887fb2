"""`rasp draw`: the flow of a computation on an input, layer by layer."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from compiler.cli.call import DONE, Commands, command, setting_flags
from compiler.cli.targets import program_at, source_path, tokens_of
from rasp.text.source import error

if TYPE_CHECKING:
    from rasp import Program
    from rasp.ask.drawing import Flow

KINDS = (".svg", ".pdf", ".png")


def draw(call: argparse.Namespace) -> int:
    """Draw how a program computes its output on an input: print it, or write a picture (PDF and PNG need graphviz)."""
    from rasp.ask.drawing import flow, write
    from rasp.meaning.answers import answers

    program = program_at(source_path(call.file), call)
    given = tokens_of(call.input, call.list)
    out = None if call.out is None else Path(call.out)
    if out is not None and out.suffix.lower() not in KINDS:
        raise error("usage", f"`{out}` is no picture", hint=f"-o names a file that ends in {', '.join(KINDS)}")
    if len(program.require_outputs()) != 1:
        raise error("usage", "one s-op is drawn at a time", hint=f"--output is one of {', '.join(program.outputs)}")
    [name] = program.outputs
    if program.two_tapes:
        picture = _of_two_tapes(program, name, given)
    else:
        tokens = program.settings.read(given)
        program[name].exact(tokens)  # where there is no answer, the message says at which place of the text
        picture = flow(program.node(name), tokens, program.called, program.settings.attention == "causal", answers)
    if out is None:
        print(picture)
        return DONE
    try:
        write(picture, out)
    except OSError as problem:
        if problem.strerror is not None:
            raise
        raise error(
            "draw", str(problem), hint="install graphviz (https://graphviz.org), or choose a name that ends in .svg"
        ) from None
    print(f"wrote {out}")
    return DONE


def _of_two_tapes(program: Program, name: str, source: list[object]) -> Flow:
    """The flow of what a program with a source answers as it decodes."""
    from rasp.ask.drawing import flow
    from rasp.meaning.answers import answers
    from rasp.meaning.tapes import named

    *target, _ = program.decode(source, name)
    settings, node = program.settings, program.placed(program.node(name))
    names = named([node], program.instances, program.called)
    return flow(node, settings.read_target(target), names, True, answers, settings.read_source(source))


def define(commands: Commands) -> None:
    """Add the command."""
    flags = command(
        commands,
        "draw",
        draw,
        """
        rasp draw programs/sort.rasp "cab"
        rasp draw programs/sort.rasp "cab" -o flow.svg
        rasp draw programs/seq2seq/sort.rasp "cab" -o flow.svg
        """,
    )
    flags.add_argument("file", metavar="FILE", help="a .rasp file")
    flags.add_argument("input", metavar="INPUT", help="an input: one token a character")
    flags.add_argument("-o", "--out", metavar="FILE", help="write a picture: FILE ends in .svg, .pdf or .png")
    flags.add_argument("--list", action="store_true", help="read INPUT as a JSON list of tokens")
    setting_flags(flags)
