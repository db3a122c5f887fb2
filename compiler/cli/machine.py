"""`rasp machine`: a program for a machine, run step by step."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING

from compiler.cli.asm import read
from compiler.cli.call import DONE, Commands, command, positive
from compiler.cli.targets import target_path
from rasp.text.source import error

if TYPE_CHECKING:
    from rasp.machines.steps import Step


def machine(call: argparse.Namespace) -> int:
    """Print what a machine does with a program, a row for each step."""
    from rasp.machines.steps import table

    found: list[Step] = []
    for step in islice(_steps(call), call.steps):
        found.append(step)
        if call.until is not None and _is_there(step, *call.until):
            break
    print(table(found))
    return DONE


def _steps(call: argparse.Namespace) -> Iterator[Step]:
    """What the interpreter, or with `--fast` the transformer, writes behind the program."""
    import rasp
    from rasp.machines.steps import steps

    assembled = read(call.file)
    program = rasp.load(target_path(f"programs/machines/{assembled.machine.name}.rasp"))
    ends = [str(word) for word in program.settings.stop]
    if call.fast:
        from compiler.pipeline import Compiled

        tokens: Iterator[object] = Compiled(program).fast.stream(list(assembled.tokens))
    else:
        tokens = program.stream(list(assembled.tokens))
    yield from steps(assembled.machine.name, assembled.tokens, tokens, ends)


def _is_there(step: Step, name: str, value: str) -> bool:
    if name not in step.shows and not step.ended:
        raise error("usage", f"there is no column `{name}`", hint=f"there are {', '.join(step.shows)}")
    return step.shows.get(name) == value


def until(text: str) -> tuple[str, str]:
    """A column and what it is to show."""
    name, sign, value = text.partition("=")
    if not sign:
        raise argparse.ArgumentTypeError(f'expected a column and its value, such as pc=12, got "{text}"')
    return name, value


def define(commands: Commands) -> None:
    """Add the command."""
    flags = command(
        commands,
        "machine",
        machine,
        """
        rasp machine run multiply.asm
        rasp machine run multiply.asm --until pc=12
        rasp machine run multiply.asm --fast --steps 100
        """,
    )
    flags.add_argument("what", metavar="run", choices=("run",), help="what to do")
    flags.add_argument("file", metavar="FILE", help="a program, as `rasp asm` reads it")
    flags.add_argument("--until", metavar="COLUMN=VALUE", type=until, help="end behind the first row that shows this")
    flags.add_argument("--steps", metavar="N", type=positive, help="at most so many rows")
    flags.add_argument("--fast", action="store_true", help="compile the machine, and let the transformer write")
