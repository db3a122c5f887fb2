"""`rasp info`: what everything in a checkpoint is for.

In: a checkpoint folder. Out: its size, its stream, its heads and neurons; or its variables, a line each.
Invariant: what is printed is read from the labels and the tensors; nothing is compiled or run.

    $ rasp info sort --provenance
    variable | lines | there after  | computed by | columns
    sorted   | 9     | L1 attention | L1H0        | 12
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from compiler.cli.call import DONE, Commands, command
from compiler.cli.targets import model_at, target_path

if TYPE_CHECKING:
    from compiler.model import Transformer

NEURON = re.compile(r"(L\d+N)(\d+)")


def info(call: argparse.Namespace) -> int:
    """Print what each layer, head, neuron and column of a checkpoint is for."""
    model = model_at(target_path(call.checkpoint))
    print("\n".join(variables(model)) if call.provenance else model.info().rstrip("\n"))
    return DONE


def variables(model: Transformer) -> Iterator[str]:
    """The variables of the program that live in the stream, as a table. Raises `ModelError` without labels."""
    from compiler.provenance import provenance

    rows = [["variable", "lines", "there after", "computed by", "columns"]]
    for variable in provenance(model)["variables"]:
        columns = [entry["column"] for entry in variable["read"] or variable["indicators"]]
        rows.append(
            [
                variable["name"],
                _words(variable["lines"]),
                _step(variable),
                _words(_ranges(variable["nodes"])),
                _words(columns),
            ]
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield " | ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip()


def _words(items: Iterable[object]) -> str:
    return " ".join(map(str, items))


def _step(variable: dict[str, Any]) -> str:
    """The sublayer after which a variable is complete."""
    if variable["layer"] is None:
        return "the embedding"
    return f"L{variable['layer']} {'attention' if variable['step'] % 2 else 'MLP'}"


def _ranges(nodes: Iterable[str]) -> Iterator[str]:
    """Neurons that follow each other as one: L0N3-9."""
    run: tuple[str, int, int] | None = None
    for node in nodes:
        found = NEURON.fullmatch(node)
        if run and found and found[1] == run[0] and int(found[2]) == run[2] + 1:
            run = (*run[:2], run[2] + 1)
            continue
        if run:
            yield _range(*run)
        run = (found[1], int(found[2]), int(found[2])) if found else None
        if not found:
            yield node
    if run:
        yield _range(*run)


def _range(layer: str, first: int, last: int) -> str:
    return f"{layer}{first}" if first == last else f"{layer}{first}-{last}"


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
