"""`draw`: how an s-op comes about, layer by layer.

In: an s-op, an input and the names of its parts. Out: a `Flow`, which prints as text, as an SVG picture, or as a graph
for graphviz, which makes PDF and PNG of it.
Layers are counted as the paper counts them: an aggregate stands one layer behind its value and behind everything its
selector compares, elementwise steps are free. Equal selectors are one head. Steps without a name are left out.

    >>> from rasp.meaning.sop import Indices
    >>> print(flow(Indices(), "ab", {}))
    input   a b
      indices = [0, 1] (ints)
"""

from __future__ import annotations

import html
import re
import shutil
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from rasp import whole
from rasp.ask import picture
from rasp.ask.show import cell, sequence
from rasp.meaning.inputs import Input, Places
from rasp.meaning.interpreter import Matrix, Run
from rasp.meaning.sop import Aggregate, Node, Selector, SOp, Total, Width, reachable
from rasp.text.source import counted
from rasp.value import Value

Printed: TypeAlias = Callable[[SOp, list[Value]], list[Value]]
MAX_TEXT = 72
"""Longest text of a step."""
MAX_MATRIX = 24
"""A selector's matrix is drawn up to this size."""
FOLDER = Path("comp_flows")
SECONDS = 30
"""How long graphviz may take."""

_CELLS = {False: "<td></td>", True: '<td bgcolor="gray"></td>'}


@dataclass(frozen=True)
class Step:
    """An s-op on the way: what it is called and its values; the tokens that it stands on; how it is written, if it has
    a name.

    Of an aggregate also what it fetches: that s-op's text and values.
    """

    name: str
    values: list[Value]
    tokens: list[Value]
    definition: str = ""
    fetched: tuple[str, list[Value]] | None = None

    def __str__(self) -> str:
        return f"{self.name} = {sequence(self.values)}"

    def caption(self) -> str:
        """What stands above the values, where the selector is in sight."""
        if self.definition:
            return self.name
        return "selector_width" if self.fetched is None else "aggregate"

    def row(self) -> picture.Row:
        """The step as a line of a table."""
        return self.name, list(map(cell, self.values))


@dataclass(frozen=True)
class Head:
    """A selector, and what is aggregated with it."""

    selector: Selector
    name: str
    rows: Matrix
    steps: list[Step]
    keys: list[Value]
    queries: list[Value]
    definition: str = ""

    def box(self) -> picture.Box:
        """The selector as a grid: what is fetched above its columns, what comes of it beside its rows."""
        keys, queries = list(map(cell, self.keys)), list(map(cell, self.queries))
        fetched = {step.fetched[0]: list(map(cell, step.fetched[1])) for step in self.steps if step.fetched is not None}
        results = [(step.caption(), step.row()[1]) for step in self.steps]
        grid = picture.selector(keys, self.rows, list(fetched.items()), results, queries)
        tables = [picture.table(results)] if max(len(keys), len(queries)) > picture.MAX_LETTERED else []
        written = [picture.text(self.definition, picture.QUIET)] if self.definition else []
        return picture.below([picture.text(self.name, bold=True), *written, grid, *tables], 4)


@dataclass(frozen=True)
class Layer:
    """The heads of a layer and the named steps behind them; layer 0 stands before the first attention."""

    heads: list[Head]
    steps: list[Step]

    def box(self) -> picture.Box:
        """Heads beside each other, below them what is computed position by position, a table for each tape."""
        parts = [picture.beside([head.box() for head in self.heads])] if self.heads else []
        if self.steps and self.heads:
            parts.append(picture.text("then, position by position", picture.QUIET))
        for tokens in {id(step.tokens): step.tokens for step in self.steps}.values():
            steps = [step for step in self.steps if step.tokens is tokens]
            rows = [(f"{step.name} = {step.definition}" if step.definition else step.name) for step in steps]
            table = [(row, step.row()[1]) for row, step in zip(rows, steps, strict=True)]
            parts.append(picture.table(table, list(map(cell, tokens))))
        return picture.below(parts, 10)


@dataclass(frozen=True)
class Flow:
    """A computation on one input, or on a source and a target so far."""

    tokens: list[Value]
    layers: list[Layer]
    source: list[Value] | None = None

    def __str__(self) -> str:
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        if self.source is not None:
            yield "source  " + " ".join(map(cell, self.source))
        yield ("input   " if self.source is None else "target  ") + " ".join(map(cell, self.tokens))
        for number, layer in enumerate(self.layers):
            if number:
                yield f"layer {number}"
            for head in layer.heads:
                yield f"  head  {head.name}"
                yield from self._matrix(head)
                yield from (f"        {step}" for step in head.steps)
            yield from (f"  {step}" for step in layer.steps)

    def _matrix(self, head: Head) -> Iterator[str]:
        if max(len(head.keys), len(head.queries)) > MAX_MATRIX:
            return
        keys, queries = list(map(cell, head.keys)), list(map(cell, head.queries))
        width = max(map(len, (*keys, *queries)))
        yield " " * (11 + width) + " ".join(token.rjust(width) for token in keys)
        for token, row in zip(queries, head.rows, strict=True):
            cells = " ".join(("1" if on else ".").rjust(width) for on in row)
            yield f"        {token.rjust(width)} | {cells}"

    def svg(self) -> str:
        """The flow as a picture: the input, then each layer's heads with their selectors and the values behind them."""
        tokens = list(map(cell, self.tokens))
        tapes = [("tokens", tokens)] if self.source is None else [("source", self.read), ("target", tokens)]
        given = picture.below([picture.table([tape], list(map(str, range(len(tape[1]))))) for tape in tapes])
        used = [(number, layer) for number, layer in enumerate(self.layers) if layer.heads or layer.steps]
        inside = {number: layer.box() for number, layer in used}
        width = max(box.width for box in (given, *inside.values()))
        parts = [picture.framed(given, "input", width)]
        for number, box in inside.items():
            title = f"layer {number}" if number else "from the input alone"
            parts += [picture.arrow(), picture.framed(box, title, width)]
        read = " ".join(tokens if self.source is None else self.read)
        return picture.svg(picture.below(parts), f"the computation on {read}: {counted(len(self.layers) - 1, 'layer')}")

    @property
    def read(self) -> list[str]:
        """What is read: the source where there is one, else the input."""
        return list(map(cell, self.tokens if self.source is None else self.source))

    def dot(self) -> str:
        """The flow as a graph in graphviz's language."""
        return "\n".join(["digraph flow {", "  node [shape=plaintext, fontname=monospace];", *self._nodes(), "}"])

    def _nodes(self) -> Iterator[str]:
        target = "" if self.source is None else f", target: {' '.join(map(cell, self.tokens))}"
        yield f"  input [label={_quoted('input: ' + ' '.join(self.read) + target)}];"
        before = "input"
        for number, layer in enumerate(self.layers):
            inside = [*self._head_labels(layer), *(_quoted(str(step)) for step in layer.steps)]
            if not inside:
                continue
            title = f"layer {number}" if number else "embedding"
            yield f"  subgraph cluster_{number} {{ label={_quoted(title)};"
            yield from (f"    n{number}_{at} [label={label}];" for at, label in enumerate(inside))
            yield "  }"
            yield from (f"  {before} -> n{number}_{at};" for at in range(len(inside)))
            before = f"n{number}_{len(inside) - 1}"

    def _head_labels(self, layer: Layer) -> Iterator[str]:
        for head in layer.heads:
            below = "".join(f'<tr><td align="left">{html.escape(str(step))}</td></tr>' for step in head.steps)
            yield f'<<table><tr><td align="left">{html.escape(head.name)}</td></tr>{self._table(head)}{below}</table>>'

    def _table(self, head: Head) -> str:
        if max(len(head.keys), len(head.queries)) > MAX_MATRIX:
            return ""
        keys, queries = ([html.escape(cell(token)) or " " for token in side] for side in (head.keys, head.queries))
        top = "".join(f"<td>{token}</td>" for token in ["", *keys])
        rows = [
            f"<tr><td>{token}</td>{''.join(_CELLS[on] for on in row)}</tr>"
            for token, row in zip(queries, head.rows, strict=True)
        ]
        return (
            f'<tr><td><table border="0" cellborder="1" cellspacing="0"><tr>{top}</tr>{"".join(rows)}</table></td></tr>'
        )


def flow(
    sop: Node,
    tokens: Any,
    names: Mapping[Node, str],
    causal: bool = False,
    printed: Printed = lambda node, values: values,
    source: Input | None = None,
) -> Flow:
    """The computation of an s-op on an input. `names` says which steps are shown and what they are called, `printed` in
    which kinds an s-op's values are shown: as they are, or as `rasp run` does. With a `source`, the tokens are the
    target's, and the s-op and the names are those of instances."""
    run = Run(tokens, causal, source=None if source is None else Places(source))
    run.compute([sop])
    values = {node: printed(node, found) for node, found in run.values.items()}
    nodes = reachable([sop])
    depth: dict[Node, int] = {}
    for node in nodes:
        depth[node] = _depth(node, depth)
    named = texts(nodes, names)
    layers: list[Layer] = [Layer([], []) for _ in range(depth[sop] + 1)]
    for node in nodes:
        if isinstance(node, Aggregate | Total | Width):
            _add_head(layers[depth[node]], node, run, values, named, names)
        elif isinstance(node, SOp) and (node in names or node is sop) and (node.inputs or node is sop):
            step = Step(named[node], values[node], run.places(node).tokens, _definition(node, named, names))
            layers[depth[node]].steps.append(step)
    return Flow(run.tokens, layers, None if run.source is None else run.source.tokens)


def _depth(node: Node, depth: Mapping[Node, int]) -> int:
    """The layer in which a node is known; of a selector, the layer of its head."""
    match node:
        case Aggregate(selector, value) | Total(selector, value):
            return max(depth[selector], depth[value] + 1)
        case Width(selector):
            return depth[selector]
        case Selector():
            return max(depth[part] + isinstance(part, SOp) for part in node.inputs)
        case _:
            return max((depth[part] for part in node.inputs), default=0)


def texts(nodes: Iterable[Node], names: Mapping[Node, str]) -> dict[Node, str]:
    """What each node is called, inputs first: its name, or how it is written with the names of its parts."""
    found: dict[Node, str] = {}
    for node in nodes:
        text = names.get(node) or node.written(*(found[part] for part in node.inputs))
        found[node] = text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 3] + "..."
    return found


def _definition(node: Node, called: Mapping[Node, str], names: Mapping[Node, str]) -> str:
    """How a node that has a name is written, with the names of its parts."""
    text = node.written(*(called[part] for part in node.inputs)) if node in names else ""
    return text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 3] + "..."


def _add_head(
    layer: Layer,
    node: Aggregate | Total | Width,
    run: Run,
    values: Mapping[SOp, list[Value]],
    texts: Mapping[Node, str],
    names: Mapping[Node, str],
) -> None:
    fetched = (texts[node.value], values[node.value]) if isinstance(node, Aggregate | Total) else None
    step = Step(texts[node], values[node], run.places(node).tokens, _definition(node, texts, names), fetched)
    for head in layer.heads:
        if head.selector is node.selector:
            head.steps.append(step)
            return
    definition = _definition(node.selector, texts, names)
    keys, queries = run.sides(node.selector)
    rows: Any = run.answer(node.selector)
    layer.heads.append(Head(node.selector, texts[node.selector], rows, [step], keys.tokens, queries.tokens, definition))


def has_graphviz() -> bool:
    """Whether graphviz is installed."""
    return shutil.which("dot") is not None


def render(flow: Flow, name: str) -> list[Path]:
    """Draw as SVG, and as PDF with graphviz: the files, none where graphviz is not installed. Raises `OSError`."""
    if not has_graphviz():
        return []
    FOLDER.mkdir(exist_ok=True)
    plain = re.sub(r"[^\w()-]+", "_", f"{name}({''.join(map(cell, flow.tokens))})")[:100]
    files = [FOLDER / f"{plain}.{kind}" for kind in ("svg", "pdf")]
    for file in files:
        write(flow, file)
    return files


def write(flow: Flow, file: Path) -> None:
    """Write the picture: whole, or not at all. SVG is ours, other formats are graphviz's. Raises `OSError`."""
    with whole.file(file) as beside:
        if file.suffix.lower() == ".svg":
            beside.write_text(flow.svg(), encoding="utf-8")
        else:
            _by_graphviz(flow, file.suffix[1:].lower(), beside)


def _by_graphviz(flow: Flow, kind: str, file: Path) -> None:
    """Let graphviz write the picture. Raises `OSError` where it is not installed, or fails."""
    dot = shutil.which("dot")
    if dot is None:
        raise OSError("graphviz is not installed")
    command, given = [dot, f"-T{kind}", "-o", str(file)], flow.dot().encode("utf-8", "replace")
    try:
        done = subprocess.run(command, input=given, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise OSError(f"graphviz took more than {SECONDS} seconds") from None
    if done.returncode:
        raise OSError(f"graphviz: {done.stderr.decode(errors='replace').strip()[:200]}")


def _quoted(text: str) -> str:
    """A text in graphviz's language."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
