"""The `rasp` command: the roof of the house, which sees every room and which nothing imports.

In: the words of a command line. Out: answers on stdout, one clear message on stderr for a mistake, an exit code.
Invariant: a user's mistake ends with exit code 2 and without a traceback; a command imports only what it needs
(`rasp run program.rasp` answers without torch), so the imports stand inside the functions that use them.
Each command is a module of this folder that is named after it.

    $ rasp run programs/sort.rasp "cab"
    [a, b, c] (strings)

Exit codes: 0 done, 1 `check`, `verify` or `lint` found something, 2 a mistake in the call or input, 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from compiler.cli import (
    asm,
    check,
    compile,
    dataset,
    draw,
    export,
    generate,
    info,
    lint,
    machine,
    new,
    programs,
    run,
    verify,
    view,
)
from compiler.cli.call import BROKEN_PIPE, DONE, INTERRUPTED, MISTAKE, Parser
from rasp.text.source import Diagnostic, RaspError, render

COMMANDS = (run, generate, compile, check, verify, export, info, draw, view, lint, programs, new, dataset, asm, machine)
MAX_DIGITS = 20_000
"""Longest integer that is read and printed; the language has none longer."""
ABOUT = "RASP programs: run them, compile them to transformers, check them. Without a command: the console."


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; every user mistake becomes a message on stderr and an exit code."""
    sys.set_int_max_str_digits(MAX_DIGITS)
    try:
        code = _dispatch(words)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except SystemExit as stop:
        return int(stop.code or 0)
    except Exception as problem:
        message = _explain(problem)
        if message is None:
            raise
        print(message, *getattr(problem, "__notes__", ()), sep="\n", file=sys.stderr)
        return MISTAKE


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = Parser(prog="rasp", description=ABOUT)
    top.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = top.add_subparsers(metavar="COMMAND", parser_class=Parser)
    for module in COMMANDS:
        module.define(commands)
    return top


class _Version(argparse.Action):
    def __call__(self, *_: object) -> None:
        from importlib.metadata import version

        print(f"rasp {version('rasp-compiler')}")
        raise SystemExit(DONE)


def _dispatch(words: Sequence[str] | None) -> int:
    top = parser()
    call = top.parse_args(words)
    if "action" not in call:
        from rasp.console.repl import main as console

        return console()
    code: int = call.action(call)
    return code


def _explain(problem: Exception) -> str | None:
    """The message for a user's mistake, or None for a fault of ours."""
    model = sys.modules.get("compiler.model")
    if isinstance(problem, RaspError):
        return render(problem.diagnostics)
    if model is not None and isinstance(problem, model.ModelError):
        return str(Diagnostic("model", "error", problem.message, hint=problem.hint or None))
    if isinstance(problem, UnicodeDecodeError):
        return str(Diagnostic("not-text", "error", "the file is not text", hint="a program is a UTF-8 text file"))
    if isinstance(problem, OSError):
        where = f"{problem.filename or 'the output'}: "
        return str(Diagnostic("file", "error", f"{where}{problem.strerror}"))
    return None
