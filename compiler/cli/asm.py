"""`rasp asm`: a program for a machine, from its text to the prompt and back."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from compiler.cli.call import DONE, Commands, command
from compiler.cli.targets import tokens_of

if TYPE_CHECKING:
    from rasp.machines.assembler import Assembled


def asm(call: argparse.Namespace) -> int:
    """Print the prompt of a machine that a program becomes, as a JSON list of tokens."""
    from rasp.machines.disassembler import disassembled

    if call.disassemble is not None:
        tokens = tokens_of(Path(call.file).read_text(encoding="utf-8").strip(), True)
        print(disassembled(call.disassemble, [t if isinstance(t, str) else int(str(t)) for t in tokens]), end="")
        return DONE
    print(json.dumps(read(call.file).tokens, ensure_ascii=False))
    return DONE


def read(file: str) -> Assembled:
    """The program in a file, assembled."""
    from rasp.machines.assembler import assembled
    from rasp.text.source import Source

    return assembled(Source(Path(file).read_text(encoding="utf-8"), file))


def define(commands: Commands) -> None:
    """Add the command."""
    flags = command(
        commands,
        "asm",
        asm,
        """
        rasp asm multiply.asm
        rasp asm multiply.asm > prompt.json; rasp asm prompt.json --disassemble bytes
        """,
    )
    flags.add_argument("file", metavar="FILE", help="a program; with --disassemble a prompt, as a JSON list")
    flags.add_argument("--disassemble", metavar="MACHINE", help="print the program that a prompt of this machine is")
