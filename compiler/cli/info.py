"""`rasp info`: what everything in a checkpoint is for.

In: a checkpoint folder. Out: its size, its stream, its heads and neurons; or its variables, a line each.
Invariant: what is printed is read from the labels and the tensors; nothing is compiled or run.

    $ rasp info sort --provenance
    variable | lines | there after  | computed by | columns
    sorted   | 9     | L1 attention | L1H0        | 12
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from compiler.cli.call import DONE, Commands, command
from compiler.cli.targets import model_at, target_path

if TYPE_CHECKING:
    from compiler.model import Transformer


def info(call: argparse.Namespace) -> int:
    """Print what each layer, head, neuron and column of a checkpoint is for."""
    model = model_at(target_path(call.checkpoint))
    print("\n".join(variables(model)) if call.provenance else model.info().rstrip("\n"))
    return DONE


def variables(model: Transformer) -> Iterator[str]:
    """The variables of the program that live in the stream, as a table; of a model with an encoder, one of each stream.

    Raises `ModelError` without labels.
    """
    from compiler.observe.provenance import provenance
    from compiler.observe.steps import names

    found = provenance(model)
    if model.encoder is None:
        yield from _table(found, names(model.config))
        return
    yield from ("encoder, at the source", *_table(found["encoder"], names(model.encoder.config)), "")
    yield from ("decoder, at the target", *_table(found, names(model.config)))


def _table(found: Mapping[str, Any], steps: Sequence[str]) -> Iterator[str]:
    """The variables of one stream; `steps` are the names of what it goes through."""
    nodes = {node["id"]: node for node in found["nodes"]}
    rows = [["variable", "lines", "there after", "computed by", "columns"]]
    for variable in found["variables"]:
        columns = dict.fromkeys(
            entry["column"] for entry in [*variable["read"], *variable["over"], *variable["columns"]]
        )
        rows.append(
            [
                variable["name"],
                _words(variable["lines"]),
                steps[variable["step"]] if variable["step"] else "the embedding",
                _words(_ranges([nodes[name] for name in variable["nodes"]])),
                _words(columns),
            ]
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield " | ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip()


def _words(items: Iterable[object]) -> str:
    return " ".join(map(str, items))


def _ranges(nodes: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Their ids; neurons that follow each other as one: L0N3-9."""
    run: list[dict[str, Any]] = []
    for node in nodes:
        if run and not _follows(node, run[-1]):
            yield _range(run)
            run = []
        run.append(node)
    if run:
        yield _range(run)


def _follows(node: dict[str, Any], other: dict[str, Any]) -> bool:
    neurons = node["kind"] == other["kind"] == "neuron"
    return neurons and (node["layer"], node["index"]) == (other["layer"], other["index"] + 1)


def _range(run: list[dict[str, Any]]) -> str:
    return f"{run[0]['id']}-{run[-1]['index']}" if len(run) > 1 else str(run[0]["id"])


def define(commands: Commands) -> None:
    """Add the command."""
    flags = command(
        commands,
        "info",
        info,
        """
        rasp info sort
        rasp info sort --provenance
        """,
    )
    flags.add_argument("checkpoint", metavar="DIR", help="a checkpoint folder")
    flags.add_argument("--provenance", action="store_true", help="print instead which parts compute which variable")
