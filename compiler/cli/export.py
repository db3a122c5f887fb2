"""`rasp export`: a checkpoint inside another architecture or file format."""

from __future__ import annotations

import argparse
import json

from compiler.cli.call import DONE, Commands, command, positive
from compiler.cli.targets import model_at, target_path
from compiler.hosts import HOSTS, NO_HOSTS


def export(call: argparse.Namespace) -> int:
    """Write a checkpoint as the files of another architecture or format, checked against the interpreter."""
    from compiler.hosts import export

    result = export(model_at(target_path(call.checkpoint)), call.to, call.out, call.output, call.samples)
    if call.json:
        print(json.dumps({"folder": call.out, "host": call.to, **result.to_json()}, ensure_ascii=False))
    else:
        print(f"{call.out}: {result}")
    return DONE


def define(commands: Commands) -> None:
    """Add the command."""
    flags = command(
        commands,
        "export",
        export,
        """
        rasp export sort --to bert -o sort-bert
        rasp export copy --to gpt2 -o copy-gpt2       stock `generate` writes on
        rasp export sort --to onnx -o sort-onnx
        rasp export translate --to t5 -o translate-t5
        rasp export two --to mobilebert -o one --output second
        """,
    )
    hosts = "; ".join(f"{host.name}: {host.about}" for host in HOSTS.values())
    flags.add_argument("checkpoint", metavar="DIR", help="a checkpoint folder, made by `rasp compile`")
    known = (*HOSTS, *NO_HOSTS)  # of these, the reason is told
    flags.add_argument("--to", metavar="HOST", choices=known, required=True, help=hosts)
    flags.add_argument("-o", "--out", metavar="OUT", required=True, help="the folder to write")
    flags.add_argument("--output", metavar="NAME", help="which output, where the host holds one (default: the first)")
    flags.add_argument(
        "--samples",
        metavar="N",
        type=positive,
        default=100,
        help="random inputs compared with the interpreter, besides short and awkward ones (default: 100)",
    )
    flags.add_argument("--json", action="store_true", help="print the result of the comparison as JSON")
