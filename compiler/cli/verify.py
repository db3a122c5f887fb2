"""`rasp verify`: a checkpoint's certificate, derived again from its tensors."""

from __future__ import annotations

import argparse
import json

from compiler.cli.call import DONE, FOUND, Commands, command
from compiler.cli.targets import model_at, target_path


def verify(call: argparse.Namespace) -> int:
    """Derive the certificate of a checkpoint again, from its tensors and the program in it alone."""
    from compiler.trust.verify import verify_model

    verdict = verify_model(model_at(target_path(call.checkpoint)))
    print(json.dumps(verdict.to_json(), ensure_ascii=False) if call.json else verdict.shown(call.all))
    return DONE if verdict.ok else FOUND


def define(commands: Commands) -> None:
    """Add the command."""
    flags = command(
        commands,
        "verify",
        verify,
        """
        rasp verify sort
        rasp verify sort --all
        rasp verify sort --json
        """,
    )
    flags.add_argument("checkpoint", metavar="DIR", help="a checkpoint folder")
    flags.add_argument("--all", action="store_true", help="print every decision with its margin and error")
    flags.add_argument("--json", action="store_true", help="print one JSON object")
