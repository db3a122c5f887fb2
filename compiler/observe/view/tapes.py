"""Tapes: all that the page of a model with an encoder knows, as JSON data.

In: a model with labels and an encoder, a source. Out: a dictionary of plain data: what `facts` says of a model, once
for the encoder and once for the decoder, whose heads are those of its own tape and then those that cross.
Invariant: what the table of the decoder's s-ops has of the source are numbers of entries of the encoder's table; there,
what a causal model does not see is left out by the selectors themselves.

    facts_of_tapes(model, "58+67")["encoder"]["language"]["nodes"][0] == ["indices"]
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from torch import Tensor

from compiler.graph.halves import Half
from compiler.graph.rules import rebuilt
from compiler.model import Config, ModelError, Stack, Transformer
from compiler.observe.view.crossing import Links, links_of
from compiler.observe.view.facts import MAX_NODES, headline, highlighted, shape, told
from compiler.observe.view.links import enlarged, lines
from compiler.observe.view.nodes import table
from compiler.observe.view.sparse import packed
from compiler.runtime.origin import program_of
from rasp import Program, RaspError
from rasp.ask.drawing import texts
from rasp.meaning.answers import is_boolean
from rasp.meaning.sop import Aggregate, And, Encoded, Indices, Node, Select, Selector, SOp, Total, Width, reachable

SO_FAR = Select(Indices(), Indices(), "<=")
"""What a causal model sees."""


def facts_of_tapes(model: Transformer, source: Iterable[object]) -> dict[str, Any]:
    """Everything about a model on a source. Raises `ModelError` for one outside of its vocabulary or length."""
    given = [str(float(token) if isinstance(token, Fraction) else token) for token in source]
    model.encode_source(given)
    assert model.encoder is not None
    text = model.labels.get("program", {}).get("source", "")
    encoder, decoder = _language(model)
    unread = {"unembed.W_U": model.embed.W_E.new_zeros(model.encoder.config.d_model, 0)}
    return {
        **headline(model, text),
        "source": highlighted(text),
        "input": given,
        "encoder": {
            **_stack(model.encoder, model.labels["encoder"], unread),
            "config": {**shape(model.encoder.config), "unknown": model.config.unknown},
            "language": encoder,
        },
        "decoder": {
            **_stack(model, model.labels, {}),
            "language": decoder,
            "start": model.config.start,
            "writes": model.writes_with(None).name,
        },
    }


def _stack(stack: Stack, labels: Mapping[str, Any], unread: Mapping[str, Tensor]) -> dict[str, Any]:
    """Config, labels and weights of one side; `unread`: what it has no weights for, as weights that do nothing."""
    own = {name: tensor for name, tensor in stack.state_dict().items() if not name.startswith("encoder.")}
    layers = labels["layers"]
    told_of = {key: labels[key] for key in ("columns", "directions", "variables")}
    heads = [{"heads": _heads(layer), "neurons": layer["neurons"]} for layer in layers]
    return {
        "config": shape(stack.config),
        "labels": {**told_of, "layers": heads},
        "tensors": {name: packed(tensor) for name, tensor in {**own, **unread}.items()},
        "scales": [enlarged(block, layer) for block, layer in zip(stack.layers(), layers, strict=True)],
    }


def _heads(layer: Mapping[str, Any]) -> list[Any]:
    """The labels of a layer's heads, those that cross behind the others."""
    return [*layer["heads"], *layer.get("cross", ())]


# -- the language ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Side:
    """The s-ops and selectors of a half that the page computes: by their names, by the links of its heads, and what the
    other half reads of them."""

    program: Program
    half: Half
    links: Links
    config: Config
    read: Sequence[Node] = ()

    def roots(self) -> list[Node]:
        found = [one.selector for layer in self.links for one in layer if one.selector is not None]
        return [*self.half.names, *self.half.outputs.values(), *found, *self.read]

    def told(
        self, encoder: Mapping[Node, int] | None, called: Mapping[Node, str]
    ) -> tuple[dict[str, Any], dict[Node, int]]:
        """The language of a page, and the number of each node; `encoder` are those of the encoder's, which are `called`
        so."""
        half, roots = self.half, self.roots()
        names = dict(half.names)
        seen = _without_the_future(roots) if self.config.causal else dict(zip(roots, roots, strict=True))
        nodes, placed = table([seen[root] for root in roots], half.setting.vocabulary, encoder)
        numbers = {root: placed[seen[root]] for root in reachable(roots) if seen.get(root) in placed}
        leaves = [node for node in reachable(roots) if isinstance(node, Encoded) and node.node in called]
        read: dict[Node, str] = {leaf: f"source[{called[leaf.node].partition('@')[0]}]" for leaf in leaves}
        written = texts(reachable(roots), {**read, **names})
        return {
            "nodes": nodes,
            "names": {name: numbers[node] for node, name in names.items()},
            "lines": self._lines(names),
            "crossing": [name for node, name in names.items() if _crosses(node)],
            "selectors": [name for node, name in names.items() if isinstance(node, Selector)],
            "booleans": [name for node, name in names.items() if isinstance(node, SOp) and is_boolean(node)],
            "outputs": list(self.program.outputs),
            "heads": [[told(one, numbers, written, names) for one in layer] for layer in self.links],
        }, numbers

    def _lines(self, names: Mapping[Node, str]) -> dict[str, int]:
        """The line of each name; one that says on which tape it is read has that of the name without it."""
        known = lines(self.program)
        plain = {name: known.get(name.partition("@")[0]) for name in names.values()}
        return {name: line for name, line in plain.items() if line is not None}


def _crosses(node: Node) -> bool:
    return isinstance(node, Selector) and node.encoded


def _without_the_future(roots: Iterable[Node]) -> dict[Node, Node]:
    """The same s-ops, with what a causal model does not see left out of every selector that is aggregated."""
    new: dict[Node, Node] = {}
    for node in reachable(roots):
        found = rebuilt(node, new)
        if isinstance(found, Aggregate | Total | Width) and not found.selector.encoded:
            found = replace(found, selector=And(found.selector, SO_FAR))
        new[node] = found
    return new


def _language(model: Transformer) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the program says, of the encoder's half and the decoder's; or why that is not known."""
    try:
        program = program_of(model)
        known = links_of(model, program)
    except (RaspError, ModelError) as problem:
        return _missing(f"the program cannot be read again: {str(problem).splitlines()[0]}")
    encoder, decoder = known.encoder, known.decoder
    assert model.config.encoder is not None
    target = _Side(program, decoder.half, decoder.links, model.config)
    read = [node.node for node in reachable(target.roots()) if isinstance(node, Encoded)]
    source = _Side(program, encoder.half, encoder.links, model.config.encoder, read)
    if len(reachable([*source.roots(), *target.roots()])) > MAX_NODES:
        return _missing(f"the program has more than {MAX_NODES} s-ops")
    told_of_source, numbers = source.told(None, {})
    return told_of_source, target.told(numbers, source.half.names)[0]


def _missing(why: str) -> tuple[dict[str, Any], dict[str, Any]]:
    return {"missing": why}, {"missing": why}
