"""Links: which selector of the program a head realises, and on which line the program says so.

In: a model with labels and its program. Out: a `Link` for each head.
Invariant: a link was tried: on every sampled input the head looks where its selector is true ("all"), or the heads that
share the selector do, each key being one's ("part"), or the head looks at one of these keys, and at none only where
there is none ("any": the head asks whether there is one).

    L1H0 of reverse: select(indices, ((length - 1) - indices), ==), line 9, as seen on 64 inputs
"""

from __future__ import annotations

import functools
import operator
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, assert_never

import torch

from compiler.graph.relation import Conjunction
from compiler.graph.specialise import Graph
from compiler.graph.witness import is_meant
from compiler.model import Block, Transformer
from rasp import Program, RaspError
from rasp.meaning.interpreter import Run
from rasp.meaning.sop import Aggregate, Node, Selector, Total, Width, reachable
from rasp.settings import token_text
from rasp.text.source import Span
from rasp.text.syntax import Assign, Command, Define, Draw, Evaluate, For, Load, Name, Statement
from rasp.value import Value

SAMPLES = 64
"""How many inputs a link is tried on."""
LONGEST = 24
"""How long they are at most."""
SEEN = 1e-6
"""A key with more attention than this, of an average or after scaling, is looked at."""

Meaning: TypeAlias = Literal["all", "part", "any"]
Rows: TypeAlias = list[int]


@dataclass(frozen=True)
class Link:
    """The selector of a head, or None; the line, or None; how many inputs it was tried on; what agreement means.

    `sharing` are the heads of the layer that look at the selected keys together, each at some of them.
    """

    selector: Selector | None
    line: int | None
    inputs: int
    meaning: Meaning = "all"
    sharing: tuple[int, ...] = ()


def links(model: Transformer, program: Program, graph: Graph | None) -> list[list[Link]]:
    """The link of each head, layer by layer."""
    roots = [program.node(name) for name in program.outputs]
    search = Search(program, graph, roots, program.bindings, program.span)
    for tokens in _samples(program, model):
        if search.knows_of(Run(tokens, model.config.causal)):
            search.patterns.append(_patterns(model, tokens))
    return search.links([labels["heads"] for labels in model.labels["layers"]])


def attended(pattern: torch.Tensor, scale: float) -> Rows:
    """Which tokens each token looks at, bit k for token k; [1 + n, 1 + n] with the BOS row and column.

    `scale` is above 1 for a head that counts: its weights are as small as its output matrix is large.
    """
    weights = (pattern[1:, 1:].double() * scale).cpu()
    seen = weights > (0.5 if scale > 1 else SEEN)
    return [sum(1 << key for key, on in enumerate(row) if on) for row in seen.tolist()]


def scales(model: Transformer) -> list[list[float]]:
    """By how much each head's output matrix enlarges what its pattern mixed, if the head adds up; else 1."""
    return [enlarged(block, labels) for block, labels in zip(model.layers(), model.labels["layers"], strict=True)]


def enlarged(block: Block, labels: Mapping[str, Any]) -> list[float]:
    """The same for the heads of a block, those that cross behind the others."""
    matrices = [part.W_O for part in (block.attn, block.cross) if part is not None]
    largest = [size for W_O in matrices for size in W_O.detach().double().abs().amax((1, 2)).tolist()]
    counts = [head.get("mode") == "sum" for head in (*labels["heads"], *labels.get("cross", ()))]
    return [max(size, 1.0) if adds else 1.0 for size, adds in zip(largest, counts, strict=True)]


class Search:
    """For the selectors of s-ops: what is known of them on inputs, and of what heads look at there.

    `bound` are the s-ops and selectors that names of the program stand for, `span` says where a selector is written.
    """

    def __init__(
        self,
        program: Program,
        graph: Graph | None,
        roots: Sequence[Node],
        bound: Mapping[str, Any],
        span: Callable[[Selector], Span | None],
    ) -> None:
        self.program = program
        self.graph = graph
        self.bound = bound
        self.span = span
        self.lines = lines(program)
        self.candidates = list(dict.fromkeys(self._candidates(roots)))
        self.known = set(self.candidates)
        self.patterns: list[list[list[Rows]]] = []  # [input][layer][head]
        self.rows: list[dict[Selector, Rows]] = []  # [input]

    def knows_of(self, run: Run) -> bool:
        """Whether every selector has a value on an input; then its rows are kept, and `patterns` have to be."""
        try:
            run.compute(self.candidates)
        except RaspError:
            return False
        self.rows.append({selector: run.seen(selector) for selector in self.candidates})
        return True

    def links(self, heads: Sequence[Sequence[Mapping[str, Any]]]) -> list[list[Link]]:
        """The link of each head, layer by layer, given the labels of the heads."""
        return [self._layer(layer, found, self.candidates) for layer, found in enumerate(heads)]

    def _layer(self, layer: int, heads: Sequence[Mapping[str, Any]], candidates: Sequence[Selector]) -> list[Link]:
        """The links of a layer: heads that stand for a selector alone, then those that share one, then the others."""
        names = [head.get("for") for head in heads]
        groups = [head.get("group", number) for number, head in enumerate(heads)]
        ordered = [[s for s in dict.fromkeys([*self._of(name), *candidates]) if s in self.known] for name in names]
        found: dict[int, Link] = {}
        for head, name in enumerate(names):
            fitting = (s for s in ordered[head] if self._fits([(layer, head)], s, "all"))
            if (selector := next(fitting, None)) is not None:
                found[head] = Link(selector, self._line(name, selector), len(self.rows))
        for group in dict.fromkeys(groups):
            sharing = [head for head, other in enumerate(groups) if other == group and head not in found]
            shared = [(layer, head) for head in sharing]
            among = ordered[sharing[0]] if len(sharing) > 1 else []
            fitting = (s for s in among if self._fits(shared, s, "part"))
            if (selector := next(fitting, None)) is not None:
                line = self._line(names[sharing[0]], selector)
                link = Link(selector, line, len(self.rows), "part", tuple(sharing))
                found |= dict.fromkeys(sharing, link)
        for head, name in enumerate(names):
            if head not in found:
                fitting = (s for s in ordered[head] if self._fits([(layer, head)], s, "any"))
                selector = next(fitting, None)
                tried = 0 if selector is None else len(self.rows)
                found[head] = Link(selector, self._line(name, selector), tried, "any")
        return [found[head] for head in range(len(heads))]

    def _fits(self, heads: Sequence[tuple[int, int]], selector: Selector, meaning: Meaning) -> bool:
        """Whether heads look where a selector is true, on every input: each key by one of them, if they share it."""
        for known, patterns in zip(self.rows, self.patterns, strict=True):
            for row, true in enumerate(known[selector]):
                looks = [patterns[layer][head][row] for layer, head in heads]
                together = functools.reduce(operator.or_, looks)
                if meaning != "any" and (together != true or sum(looks) != true):
                    return False
                if together & ~true or (together == 0) != (true == 0):
                    return False
        return bool(self.rows)

    # -- what to try -------------------------------------------------------------------------------------------------

    def _candidates(self, roots: Sequence[Node]) -> Iterator[Selector]:
        """Every selector of the program, and the cases that the compiler divides them into."""
        for node in reachable(roots):
            if isinstance(node, Selector):
                yield node
        for node in self.graph.nodes if self.graph is not None else ():
            if isinstance(node, Aggregate | Total | Width):
                yield from self._cases(node.selector)

    def _cases(self, selector: Selector) -> Iterator[Selector]:
        assert self.graph is not None
        yield selector
        try:
            cases = self.graph.analysis.exclusive(selector)
        except RaspError:
            return
        for case in cases:
            yield case.selector()
            for part in case.parts:  # all but the equal ones may be counted as all minus the equal ones
                rest = [other for other in case.parts if other is not part]
                for parts in (rest, [*rest, (*part[:2], frozenset({"="}))]):
                    if (piece := Conjunction.of(parts)) is not None:
                        yield piece.selector()

    def _of(self, name: str | None) -> Iterator[Selector]:
        """The selectors of the named s-op that a head is for."""
        for node in self.graph.nodes if self.graph is not None and name is not None else ():
            if (
                isinstance(node, Aggregate | Total | Width)
                and self.graph is not None
                and self.graph.served(node) == name
            ):
                yield from self._cases(node.selector)

    # -- where it is written -----------------------------------------------------------------------------------------

    def _line(self, name: str | None, selector: Selector | None) -> int | None:
        """The line that defines the head's s-op; else where its selector is written; else what needs the selector."""
        if name is not None and (plain := name.partition("@")[0]) in self.lines:
            return self.lines[plain]
        span = None if selector is None else self.span(selector)
        if span is not None and span.source is self.program.source:
            return span.source.position(span.start)[0]
        needs = [(len(parts), bound) for bound, parts in self._parts().items() if selector in parts]
        return self.lines[min(needs)[1]] if needs else None

    def _parts(self) -> dict[str, set[Node]]:
        """Everything that each named s-op or selector is computed from."""
        return {name: set(reachable([value])) for name in self.lines if isinstance(value := self.bound.get(name), Node)}


def definitions(program: Program) -> dict[str, int]:
    """The line on which each name of the program is last bound, from 1."""
    found: dict[str, int] = {}
    for name in _bound(program.syntax.statements):
        found[name.name] = name.span.source.position(name.span.start)[0]
    return {name: line for name, line in found.items() if name in program.bindings}


def lines(program: Program) -> dict[str, int]:
    """The same, and the line for each name that was bound for a while, or inside of a call."""
    return {name: place.lines[-1] for name, place in program.places.items() if place.lines} | definitions(program)


def _bound(statements: Iterable[Statement]) -> Iterator[Name]:
    """The names that statements bind, in order."""
    for statement in statements:
        match statement:
            case Assign():
                yield from statement.targets
            case Define():
                yield statement.name
            case For():
                yield from _bound(statement.body)
            case Evaluate() | Load() | Draw() | Command():
                pass
            case _:
                assert_never(statement)


def _patterns(model: Transformer, tokens: Sequence[Value]) -> list[list[Rows]]:
    """Which tokens each token looks at, by layer and head."""
    ids = torch.tensor([model.encode([token_text(token) for token in tokens])], device=model.embed.W_E.device)
    _, mask = model.with_bos(ids)
    found = []
    with torch.no_grad():
        streams = list(model.residuals(ids))
        for number, (block, factors) in enumerate(zip(model.layers(), scales(model), strict=True)):
            patterns = () if block.attn is None else block.attn.pattern(streams[2 * number], mask)[0]
            found.append([attended(pattern, factor) for pattern, factor in zip(patterns, factors, strict=True)])
    return found


def _samples(program: Program, model: Transformer) -> Iterator[list[Value]]:
    """The examples of the header and random inputs, half of them of few different tokens."""
    known = set(model.config.vocabulary)
    for example in program.settings.examples:
        if len(example.input) <= model.config.max_length and set(map(token_text, example.input)) <= known:
            yield program.settings.read(example.input)
    rng = random.Random(0)
    vocabulary = list(program.settings.vocab or ())
    longest = min(model.config.max_length, LONGEST)
    drawn = 0
    for attempt in range(20 * SAMPLES if vocabulary else 0):
        few = rng.sample(vocabulary, min(len(vocabulary), 2)) if attempt % 2 else vocabulary
        tokens = rng.choices(few, k=rng.randint(1, longest))
        if is_meant(program, tokens):
            drawn += 1
            yield tokens
        if drawn == SAMPLES:
            return
