"""`rasp info`: what everything in a checkpoint is for."""

from __future__ import annotations

import argparse

from compiler.cli.call import DONE, Commands, command
from compiler.cli.targets import model_at, target_path


def info(call: argparse.Namespace) -> int:
    """Print what each layer, head, neuron and column of a checkpoint is for."""
    print(model_at(target_path(call.checkpoint)).info().rstrip("\n"))
    return DONE


def define(commands: Commands) -> None:
    """Add the command."""
    flags = command(commands, "info", info, "rasp info sort")
    flags.add_argument("checkpoint", metavar="DIR", help="a checkpoint folder")
