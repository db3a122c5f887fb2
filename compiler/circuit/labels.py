"""Labels: what every column, head and neuron of a circuit is, as JSON data.

In: a `Circuit`. Out: its labels. Texts in them are for people; whatever a reader decides by is data beside them.
Invariant: of a direction it is said what it holds, of which variables, and how much it is offset (`contents`).

    {"name": "tokens=a", "column": 2, "ready": 0, "until": 5, "offset": null, "role": "value", "of": ["tokens"],
     "holds": [{"of": "tokens", "named": true, "function": {"kind": "is", "value": "a", "times": "1", "plus": "0"}}]}
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from compiler.circuit.circuit import Circuit, Variable
from compiler.circuit.contents import Content, Contents, told
from compiler.circuit.functions import plain
from compiler.circuit.layer import Head, Layer
from compiler.numbers.direction import Direction, Form


def labels(circuit: Circuit) -> dict[str, Any]:
    """What each column, head and neuron is, and where each variable of the program is to be read.

    A variable or direction is in the stream after the steps from `ready` on and before `until`, as in
    `Circuit.written`.
    """
    names: dict[int, list[str]] = {}
    for direction, column in circuit.columns().items():
        names.setdefault(column, []).append(str(direction))
    contents = _contents(circuit)
    encoder = {} if circuit.encoder is None else {"encoder": labels(circuit.encoder)}
    return {
        **encoder,
        "columns": [", then ".join(found) for _, found in sorted(names.items())],
        "directions": _directions(circuit, contents),
        "layers": [_layer(circuit, layer) for layer in circuit.layers],
        "variables": [_variable(circuit, variable) for variable in circuit.variables],
        "named": _named(circuit, contents),
    }


def _contents(circuit: Circuit) -> dict[Direction, Content]:
    if circuit.graph is None:
        return {}
    contents = Contents(circuit.graph, circuit.titles)
    return {direction: contents.of(direction) for direction in circuit.directions()}


def _offset(circuit: Circuit, direction: Direction) -> dict[str, Any] | None:
    """What stands in a direction beside what it holds, and until when; None for nothing."""
    if direction not in circuit.offsets:
        return None
    until = min(circuit.carried()[direction], circuit.erased().get(direction, circuit.never))
    return {"number": str(circuit.offsets[direction]), "until": until}


def _directions(circuit: Circuit, contents: dict[Direction, Content]) -> list[dict[str, Any]]:
    written, erased, never = circuit.written(), circuit.erased(), circuit.never
    return [
        {
            "name": str(direction),
            "column": column,
            "ready": written[direction],
            "until": erased.get(direction, never),
            "offset": _offset(circuit, direction),
            **(contents[direction].to_json() if direction in contents else {}),
        }
        for direction, column in circuit.columns().items()
    ]


def _layer(circuit: Circuit, layer: Layer) -> dict[str, Any]:
    cross = {} if circuit.encoder is None else {"cross": _heads(circuit, layer.cross)}
    return {
        "heads": _heads(circuit, layer.heads),
        **cross,
        "neurons": [{"name": neuron.name, "does": str(neuron)} for neuron in layer.mlp],
    }


def _heads(circuit: Circuit, heads: Sequence[Head]) -> list[dict[str, Any]]:
    nodes = [head.node for head in heads]
    return [_head(circuit, head) | {"group": nodes.index(head.node)} for head in heads]


def _head(circuit: Circuit, head: Head) -> dict[str, Any]:
    """A head: for what of the program it is. Those of one group compute one thing together."""
    served = None if circuit.graph is None else circuit.graph.served(head.node)
    return {
        "name": head.name,
        "purpose": head.purpose(),
        "what": head.what(),
        "does": str(head),
        "mode": head.mode,
        "for": served,
    }


def _variable(circuit: Circuit, variable: Variable) -> dict[str, Any]:
    erased = circuit.erased()
    over = {} if variable.over is None else {"over": _form(variable.over)}
    return {
        "name": variable.name,
        "ready": variable.ready,
        "until": min((erased[d] for d in variable.directions if d in erased), default=circuit.never),
        "read": _form(variable.read),
        **over,
        "values": [plain(value) for value, _ in variable.numbers],
        "numbers": [str(number) for _, number in variable.numbers],
    }


def _form(form: Form) -> dict[str, str]:
    return {str(direction): str(c) for direction, c in form.terms.items()}


def _named(circuit: Circuit, contents: dict[Direction, Content]) -> list[dict[str, Any]]:
    """Every variable of the program of which the stream holds something, with the values it can have."""
    if circuit.graph is None:
        return []
    analysis = circuit.graph.analysis
    held = {name: analysis.domain(sop).values for name, sop in told(contents.values()).items()}
    read = {one.name: tuple(value for value, _ in one.numbers) for one in circuit.variables}
    return [{"name": name, "values": [plain(value) for value in values]} for name, values in (read | held).items()]
