"""Halves: what a program with a source computes in its encoder, and what in its decoder.

In: its outputs, and its s-ops as they are read on a tape. Out: two `Half`s, each of s-ops that name no tape: of the
encoder's, of the decoder's, which read the encoder's at the keys of cross-attention as `Encoded` leaves.
Invariant: each half alone is a program of one tape, but for these leaves, so whatever is known of programs of one tape
holds of it; what only holds where keys and queries stand on one tape asks whether a selector is `encoded`.

    aggregate(select(source_int, indices, ==), source, "-")   is, in the decoder,
    aggregate(select(source[tokens_int], indices, ==), source[tokens_str], "-")
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from compiler.graph.domain import Setting
from compiler.graph.rules import rebuilt
from rasp.meaning.sop import (
    Aggregate,
    Constant,
    Encoded,
    Indices,
    Node,
    Select,
    Selector,
    SOp,
    Tape,
    Tokens,
    Total,
    reachable,
)
from rasp.meaning.tapes import BOTH, Instances, named
from rasp.running.loops import Round


@dataclass(frozen=True)
class Half:
    """What is to be compiled for one tape: s-ops by name, what others are called, the inputs, what is required.

    `written` says what the program wrote of a node, where it is another one.
    """

    outputs: Mapping[str, SOp]
    names: Mapping[Node, str]
    setting: Setting
    requires: tuple[SOp, ...] = ()
    written: Mapping[Node, Node] = field(default_factory=dict)
    round: Round | None = None
    """Any round of a loop, if the outputs come behind one."""
    booleans: frozenset[str] | None = None
    """The outputs that have no values but bools, where that is not seen from themselves."""
    halt: str | None = None
    """The carried name that may stop the loop, if it is proved that it may."""


def halves(
    outputs: Mapping[str, SOp], requires: Iterable[SOp], names: Mapping[Node, str], instances: Instances, to: Setting
) -> tuple[Half, Half]:
    """The decoder's half and the encoder's. The encoder's outputs are what the decoder reads; their names are told by
    no one. `to` is the setting of the targets, and holds that of the sources."""
    read = {name: instances.of(node) for name, node in outputs.items()}
    asked = [instances.required(node) for node in requires]
    needed = {tape: [one[tape] for one in asked if tape in one] for tape in BOTH}
    split = _split([*read.values(), *needed["source"], *needed["target"]], instances)
    called = named(split, instances, names)
    own = {tape: {node: new for node, new in split.items() if _stands(node, instances) == tape} for tape in BOTH}
    told = {tape: {new: called[node] for node, new in own[tape].items() if node in called} for tape in BOTH}
    written = {tape: {new: instances.origin[node] for node, new in own[tape].items()} for tape in BOTH}
    required = {tape: tuple(split[node] for node in needed[tape]) for tape in BOTH}
    decoder = {name: split[node] for name, node in read.items()}
    roots = (*decoder.values(), *required["target"])
    leaves = dict.fromkeys(node.node for node in reachable(roots) if isinstance(node, Encoded))
    encoder = {told["source"].get(node, f"%{number}"): node for number, node in enumerate(leaves)}
    assert to.encoder is not None
    return (
        Half(decoder, told["target"], to, required["target"], written["target"]),
        Half(encoder, told["source"], to.encoder, required["source"], written["source"]),
    )


def _stands(node: Node, instances: Instances) -> Tape:
    """Where an instance is computed: a selector where its queries stand."""
    side = instances.tapes.sides(node).queries if isinstance(node, Selector) else instances.tapes.of(node)  # type: ignore[arg-type]
    assert side is not None, "an instance's leaves name their tapes"
    return side


def _split(roots: Iterable[Node], instances: Instances) -> dict[Node, Any]:
    """The nodes of the halves for all instances that some are computed from."""
    new: dict[Node, Any] = {}
    for node in reachable(roots):
        match node:
            case Tokens():
                new[node] = replace(node, tape="target")
            case Indices() | Constant():
                new[node] = replace(node, tape=None)
            case Select() if _crosses(node, instances):
                new[node] = Select(Encoded(new[node.key]), new[node.query], node.predicate)
            case Aggregate() | Total() if _crosses(node.selector, instances):
                new[node] = replace(node, selector=new[node.selector], value=Encoded(new[node.value]))
            case _:
                new[node] = rebuilt(node, new)
    return new


def _crosses(selector: Selector, instances: Instances) -> bool:
    sides = instances.tapes.sides(selector)
    return (sides.keys, sides.queries) == ("source", "target")
