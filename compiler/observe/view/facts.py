"""Facts: all that a page knows, as JSON data.

In: a model with labels, its program, an input. Out: a dictionary of plain data: weights, labels, the program's text,
its s-ops and selectors, the selector of each head.
Invariant: a model whose program cannot be read again gives a page without the program's own answers, and says so.

    facts(model, program, "cab")["input"] == ["c", "a", "b"]
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from compiler.graph.domain import Setting
from compiler.graph.specialise import Graph, specialise
from compiler.graph.witness import required
from compiler.model import Config, ModelError, Scalar, Transformer
from compiler.observe.view.links import Link, lines, links, scales
from compiler.observe.view.nodes import table, tagged
from compiler.observe.view.sparse import packed
from compiler.runtime.origin import options_of, program_of
from rasp import Program, RaspError
from rasp.ask.drawing import texts
from rasp.meaning.answers import is_boolean
from rasp.meaning.sop import Node, Selector, SOp, reachable
from rasp.settings import token_text

MAX_NODES = 20_000
"""A program of more s-ops than this is not computed in the page."""
LOOKED_AT = 16
"""Longest example that is shown unasked."""
_KINDS = (
    ("Comment", "comment"),
    ("String", "string"),
    ("Number", "number"),
    ("Keyword", "keyword"),
    ("Operator.Word", "keyword"),
    ("Name.Builtin", "builtin"),
    ("Name.Function", "builtin"),
)
"""Pygments' kinds of tokens, and what the page calls them."""


def example_of(model: Transformer) -> list[str]:
    """An input or a source to begin with: the longest example of the header that is not too long to look at, else some
    tokens."""
    read = model.config.encoder or model.config
    known = set(read.vocabulary)
    found = [list(read.vocabulary[: min(4, read.max_length)])]
    try:
        examples = program_of(model).settings.examples
    except (RaspError, ModelError):
        return found[0]
    given = [[token_text(token) for token in example.input] for example in examples]
    longest = min(read.max_length, LOOKED_AT)
    fitting = [tokens for tokens in given if set(tokens) <= known and len(tokens) <= longest]
    return max(fitting or found, key=len)


def facts(model: Transformer, tokens: Iterable[object]) -> dict[str, Any]:
    """Everything about a model on an input. Raises `ModelError` for an input outside of its vocabulary or length."""
    given = [str(float(token) if isinstance(token, Fraction) else token) for token in tokens]
    model.encode(given)
    source = model.labels.get("program", {}).get("source", "")
    return {
        **headline(model, source),
        "config": shape(model.config),
        "labels": {key: model.labels[key] for key in ("columns", "directions", "layers", "variables")},
        "tensors": {name: packed(tensor) for name, tensor in model.state_dict().items()},
        "scales": scales(model),
        "source": highlighted(source),
        "input": given,
        "language": _language(model),
    }


def headline(model: Transformer, source: str) -> dict[str, Any]:
    """Title and explanation: the comment at the top of the program, which begins with its name."""
    comment: list[str] = []
    for line in source.splitlines():
        if not line.startswith("# "):
            break
        comment.append(line[2:].strip())
    text = " ".join(comment)
    named = re.match(r"(.{1,60}?): ", text)
    output = ", ".join(output.name for output in model.config.outputs)
    return {
        "title": named[1] if named else output,
        "about": _capitalised(text[named.end() :] if named else text),
        "summary": model.summary(),
    }


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def shape(config: Config) -> dict[str, Any]:
    """What a page knows of a config."""
    return {
        "vocabulary": list(config.vocabulary),
        "max_length": config.max_length,
        "causal": config.causal,
        "d_model": config.d_model,
        "layers": [asdict(layer) for layer in config.layers],
        "outputs": [
            {"name": output.name, "values": [_output(value) for value in output.values]} for output in config.outputs
        ],
        "dtype": config.dtype,
        "unknown": config.unknown,
        "generate": config.generate,
        "stop": list(config.stop),
    }


def _output(value: Scalar) -> str:
    """A decoded value; of a float the binary64 value itself."""
    return tagged(Fraction(value) if isinstance(value, float) else value)


def highlighted(source: str) -> list[list[list[str]]]:
    """The lines of a text, each as pairs of a kind and a piece."""
    from rasp.ask.pygments_lexer import RaspLexer

    lines: list[list[list[str]]] = [[]]
    for kind, text in RaspLexer(ensurenl=False, stripnl=False).get_tokens(source):
        name = str(kind).removeprefix("Token.")
        called = next((ours for theirs, ours in _KINDS if name.startswith(theirs)), "name" if name == "Name" else "")
        for number, piece in enumerate(text.split("\n")):
            if number:
                lines.append([])
            if piece:
                lines[-1].append([called, piece])
    return lines if lines[-1] else lines[:-1]


@dataclass(frozen=True)
class _Known:
    """A program that could be read again."""

    program: Program
    graph: Graph | None


def _language(model: Transformer) -> dict[str, Any]:
    """The program's s-ops and selectors, the line of each name, the selector of each head; or why there are none."""
    try:
        program = program_of(model)
    except (RaspError, ModelError) as problem:
        return {"missing": f"the program cannot be read again: {str(problem).splitlines()[0]}"}
    return _spelled(_Known(program, _graph(program, model)), model)


def _graph(program: Program, model: Transformer) -> Graph | None:
    """The s-ops as the compiler saw them, None where it would refuse them now."""
    config = model.config
    _, limits = options_of(model)[0]
    setting = Setting(program.settings.vocab or (), config.max_length, config.causal, limits)
    outputs = {name: node for name in program.outputs if isinstance(node := program.node(name), SOp)}
    try:
        return specialise(outputs, program.called, setting, required(program))
    except RaspError:
        return None


def _spelled(known: _Known, model: Transformer) -> dict[str, Any]:
    program = known.program
    named = _named(known, model)
    found = links(model, program, known.graph)
    roots = [*named.values(), *(one.selector for layer in found for one in layer if one.selector is not None)]
    if len(reachable(roots)) > MAX_NODES:
        return {"missing": f"the program has more than {MAX_NODES} s-ops"}
    nodes, numbers = table(roots, program.settings.vocab or ())
    names = {node: name for name, node in named.items()}
    written = texts(reachable(roots), _rewritten(known.graph) | names)
    return {
        "nodes": nodes,
        "names": {name: numbers[node] for name, node in named.items()},
        "lines": lines(program),
        "selectors": [name for name, node in named.items() if isinstance(node, Selector)],
        "booleans": [name for name, node in named.items() if isinstance(node, SOp) and is_boolean(node)],
        "outputs": list(program.outputs),
        "heads": [[told(one, numbers, written, names) for one in layer] for layer in found],
    }


def _rewritten(graph: Graph | None) -> dict[Node, str]:
    """The program's names for s-ops that the compiler writes otherwise, such as a total for a mean times a width."""
    return {} if graph is None else {node: name for node, name in graph.names.items() if isinstance(node, SOp)}


def _named(known: _Known, model: Transformer) -> dict[str, Node]:
    """The program's names for s-ops and selectors, and those of the library or of calls that its model reads."""
    program = known.program
    found = {name: value for name, value in program.bindings.items() if isinstance(value, Node)}
    read = [*model.labels["variables"], *model.labels.get("named", [])]
    for name in [*program.outputs, *(variable["name"] for variable in read)]:
        if name not in found and name in program:
            found[name] = program.node(name)
    return found


def told(one: Link, numbers: dict[Node, int], written: dict[Node, str], names: dict[Node, str]) -> dict[str, Any]:
    """A link as data: the number of its selector, its name or text."""
    if one.selector is None:
        return {"node": None, "line": one.line}
    return {
        "node": numbers[one.selector],
        "line": one.line,
        "name": names.get(one.selector),
        "text": written[one.selector] if one.selector not in names else _definition(one.selector, written),
        "meaning": one.meaning,
        "inputs": one.inputs,
        "sharing": list(one.sharing),
    }


def _definition(selector: Selector, written: dict[Node, str]) -> str:
    """A selector that has a name, spelled out."""
    return selector.written(*(written[part] for part in selector.inputs))
