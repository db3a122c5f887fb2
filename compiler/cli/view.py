"""`rasp view`: a page on which a compiled program can be watched at work."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from compiler.cli.call import DONE, Commands, command, setting_flags
from compiler.cli.targets import model_at, program_at, refuse_overrides, target_path, tokens_of, warn
from rasp.text.source import error

if TYPE_CHECKING:
    from compiler.model import Transformer


def view(call: argparse.Namespace) -> int:
    """Write a page of HTML that explains a checkpoint, or a program, on an input or a source; it needs no network."""
    tokens = tokens_of(call.input, call.list)
    path = target_path(call.target)
    out = Path(call.out or f"{path.resolve().stem}.html")
    if out.is_dir():
        raise error("usage", f"`{out}` is a folder", hint="-o names a file, such as page.html")
    model = _model(path, call)

    from compiler.observe.view.notebook import opened, show

    show(model, tokens).save(out)
    print(f"wrote {out}")
    if call.open:
        opened(out)
    return DONE


def _model(path: Path, call: argparse.Namespace) -> Transformer:
    """The model of a checkpoint, or of a program that is compiled for the occasion."""
    if path.is_dir():
        refuse_overrides(call)
        return model_at(path)
    from compiler.pipeline import Compiled

    compiled = Compiled(program_at(path, call))
    warn(compiled)
    return compiled.model


def define(commands: Commands) -> None:
    """Add the command."""
    flags = command(
        commands,
        "view",
        view,
        """
        rasp view sort "headache" -o sort.html
        rasp view programs/reverse.rasp "abcde" --open
        """,
    )
    flags.add_argument("target", metavar="TARGET", help="a checkpoint folder, or a .rasp file")
    flags.add_argument("input", metavar="INPUT", help="an input, or a source: one token a character")
    flags.add_argument("-o", "--out", metavar="FILE", help="write the page here (default: TARGET.html)")
    flags.add_argument("--open", action="store_true", help="show it in a browser")
    flags.add_argument("--list", action="store_true", help="read INPUT as a JSON list of tokens")
    setting_flags(flags)
