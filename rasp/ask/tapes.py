"""What is said of a program with a source before anyone runs it.

In: its outputs, their tapes, its settings, and where its s-ops were written. Out: errors, warnings and notes.
An output answers at the positions of the target. A note tells which tape was found where nobody wrote it: an s-op that
is read on both, `indices` that meet across them.

    >>> from rasp.meaning.sop import Tokens
    >>> asked = Asked({"next": Tokens("str", "source")}, Tapes(), Settings().replace(source="ab"), {})
    >>> [one.message for one in errors(asked)]
    ['`next` stands on the source, and a program answers on its target']
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from rasp.ask.decodes import Decoding, search, shown
from rasp.meaning.inputs import Input
from rasp.meaning.interpreter import evaluate
from rasp.meaning.listing import outline
from rasp.meaning.operators import Undefined, convert
from rasp.meaning.sop import Indices, Node, Select, SOp, Tokens, Width, reachable
from rasp.meaning.tapes import Instances, Tapes, fetching
from rasp.running.environment import OF_A_SOURCE
from rasp.settings import Settings, token_text
from rasp.text.source import Diagnostic, RaspError, Span, counted


class Asked(NamedTuple):
    """A program with a source, as far as it is asked about here."""

    outputs: Mapping[str, SOp]
    tapes: Tapes
    settings: Settings
    spans: Mapping[Node, Span]
    names: Mapping[Node, str] = {}
    requires: Sequence[SOp] = ()


def errors(asked: Asked) -> list[Diagnostic]:
    """Outputs on the wrong tape, requirements on none, and tokens that `start` cannot be."""
    found = [
        Diagnostic(
            "tapes",
            "error",
            f"`{name}` stands on the source, and a program answers on its target",
            asked.spans.get(node),
            f"fetch it through a selector: {_fetched(asked, name, node)}",
        )
        for name, node in asked.outputs.items()
        if asked.tapes.of(node) == "source"
    ]
    return found or [*_of_nobody(asked), *_starts(asked)]


def _of_nobody(asked: Asked) -> Iterator[Diagnostic]:
    """Every requirement of which nobody knows whose positions it is about."""
    instances = Instances(asked.tapes)
    for node in asked.requires:
        if not instances.required(node):
            message = f"`{outline(node, asked.names, 40)}` is required, and may be about positions of either tape"
            hint = "ask for `source_length` or `source`, or for `tokens`; `max_length` says how long a target may be"
            yield Diagnostic("tapes", "error", message, asked.spans.get(node), hint)


def _fetched(asked: Asked, name: str, node: SOp) -> str:
    """The statement that makes an output of what stands on the source: a name that is taken cannot be bound again."""
    if name in OF_A_SOURCE:
        return f"`answer = {fetching(name)};` and `#@ output: answer`"
    text = outline(node, asked.tapes.names, 40)
    return f"`{name} = {fetching(text)};`" + (f", where x is `{text}`" if "..." in text else "")


def _starts(asked: Asked) -> Iterator[Diagnostic]:
    """Every reading of the target's tokens that fails on the first of them."""
    start = asked.settings.read_target("")[0]
    for node in reachable(asked.outputs.values()):
        if isinstance(node, Tokens) and node.tape == "target":
            try:
                convert(start, node.convert)
            except Undefined:
                message = f"a target begins with `{token_text(start)}`, and `{node}` is undefined there"
                hint = 'a header line such as `#@ start: "0"` lets it begin with another token'
                yield Diagnostic("tapes", "error", message, asked.spans.get(node), hint)


def warnings(asked: Asked, decoding: Decoding) -> Iterator[Diagnostic]:
    """Outputs that depend on no token; answers that are no token of the target, and targets that have no end, on some
    source; a target that is the same for all of them."""
    constant = [name for name, node in asked.outputs.items() if not _depends(node)]
    for name in constant:
        message = f"`{name}` depends on no token: it writes the same for every source"
        yield Diagnostic("constant-output", "warning", message, asked.spans.get(asked.outputs[name]))
    found, [writer] = search(decoding), list(asked.outputs)[-1:]
    span = asked.spans.get(asked.outputs[writer])
    if found.no_token is not None:
        source, problem = found.no_token
        hint = "let every answer be a token of `vocab`: an aggregate gives its default, 0 if none is written"
        yield Diagnostic("no-token", "warning", f"on the source {shown(source)}: {problem.message}", span, hint)
    if found.endless and asked.settings.stop:
        hint = "let the s-op become a token of `stop` behind the last one, or `max_length` be larger"
        yield Diagnostic("endless", "warning", found.endless_message, span, hint)
    if found.same and writer not in constant:
        message = f"`{writer}` writes the same for all of {counted(found.tried, 'source')} that were tried"
        yield Diagnostic("constant-output", "warning", message, span)


def _depends(node: SOp) -> bool:
    return any(isinstance(part, Tokens | Width) for part in reachable([node]))


def meant(asked: Asked) -> Callable[[Input, Input], bool]:
    """What says of a source and a target so far whether both are within their vocabulary and length, and all that the
    program requires is True where it is asked (`Instances.required`)."""
    instances = Instances(asked.tapes)
    needed = [made for node in asked.requires for made in instances.required(node).values()]

    def is_meant(source: Input, target: Input = ()) -> bool:
        try:
            read = asked.settings.read_target(target), asked.settings.read_source(source)
            return all(map(all, evaluate(needed, read[0], True, source=read[1])))
        except RaspError:
            return False

    return is_meant


def notes(asked: Asked) -> list[Diagnostic]:
    """Which tapes were found for what is read on both, in the order of the text."""
    instances = Instances(asked.tapes)
    for node in asked.outputs.values():
        instances.of(node)
    made: dict[Node, list[Node]] = defaultdict(list)
    for instance, origin in instances.origin.items():
        made[origin].append(instance)
    found = [*_read_on_both(asked, made), *_meeting(asked, made)]
    return sorted(found, key=lambda one: one.span.start if one.span else 0)


def _read_on_both(asked: Asked, made: Mapping[Node, list[Node]]) -> Iterator[Diagnostic]:
    """The s-ops with a name, other than `indices`, that count positions and are read on the source and the target."""
    for node, instances in made.items():
        named = isinstance(node, SOp) and node in asked.names and not isinstance(node, Indices)
        if named and len(instances) > 1 and any(isinstance(part, Indices | Width) for part in reachable([node])):
            message = f"`{asked.names[node]}` is read on both tapes: on each it has the values of its own positions"
            yield Diagnostic("both-tapes", "note", message, asked.spans.get(node))


def _meeting(asked: Asked, made: Mapping[Node, list[Node]]) -> Iterator[Diagnostic]:
    """The selects that hold `indices` of the source against `indices` of the target."""
    for node, instances in made.items():
        if isinstance(node, Select) and all(_counts_positions(side, asked.tapes) for side in (node.key, node.query)):
            sides = {asked.tapes.sides(one) for one in instances if isinstance(one, Select)}
            if ("source", "target") in sides:
                text = outline(node, asked.names, 60)
                message = f"in `{text}` the keys are positions of the source, the queries positions of the target"
                yield Diagnostic("both-tapes", "note", message, asked.spans.get(node))


def _counts_positions(side: SOp, tapes: Tapes) -> bool:
    return tapes.of(side) is None and any(isinstance(part, Indices) for part in reachable([side]))
