"""Pages: a model and an input as one file of HTML.

In: a model with labels, an input, or a source if the model has an encoder. Out: the text of a page, which opens from
disk and asks the network for nothing.
Invariants: data is JSON in which no character can end its element; scripts and styles run by their hash and no others.

    page(model, "headache").count("<script") == 2
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Iterable, Sequence
from functools import cache
from importlib import resources
from typing import Any

from compiler.model import Transformer
from compiler.observe.view.facts import facts
from compiler.observe.view.tapes import facts_of_tapes

_SHARED = (
    *("machine/rounding.js", "machine/sparse.js", "machine/machine.js"),
    *("language/values.js", "language/operators.js", "language/interpret.js"),
    *("figures/elements.js", "figures/grid.js", "figures/plot.js"),
    *("circuit/columns.js", "circuit/forms.js", "circuit/parts.js"),
    "state.js",
    *("views/pieces.js", "views/input.js", "views/strip.js", "views/rail.js", "views/program.js"),
    *("views/matrices.js", "views/attention.js", "views/selectors.js", "views/heads.js", "views/neurons.js"),
    *("views/steps.js", "views/ends.js", "views/variables.js", "views/stream.js"),
    *("focus.js", "keyboard.js"),
)
SCRIPTS = (*_SHARED, "explorer.js")
"""They become one script: each declares functions for those below it, and the last one starts."""
TAPE_SCRIPTS = (
    *_SHARED,
    *("tapes/decoder.js", "tapes/wiring.js", "tapes/sides.js", "tapes/writing.js", "tapes/tape.js", "tapes/stages.js"),
    *("tapes/cross.js", "tapes/whole.js", "tapes/reader.js"),
)
"""The script of a model with an encoder."""
STYLES = (
    *("style/palette.css", "style/base.css", "style/header.css", "style/input.css", "style/rail.css"),
    *("style/panels.css", "style/program.css", "style/chips.css", "style/figures.css", "style/tables.css"),
    "style/screens.css",
)
"""They become one style sheet, in which of two equal rules the later one holds."""
TAPE_STYLES = (*STYLES, "tapes/tapes.css")
_ESCAPED = {ord(char): f"\\u{ord(char):04x}" for char in "<>&\u2028\u2029"}


def page(model: Transformer, tokens: Iterable[object]) -> str:
    """The page of a model on an input, or on a source. Raises `ModelError` for one outside of its vocabulary or
    length."""
    model.require_no_loop("the explorer")
    if model.encoder is not None:
        return filled(facts_of_tapes(model, tokens), "tapes/page.html", TAPE_SCRIPTS, TAPE_STYLES)
    return filled(facts(model, tokens))


def filled(
    data: dict[str, Any],
    frame: str = "page.html",
    scripts: Sequence[str] = SCRIPTS,
    styles: Sequence[str] = STYLES,
) -> str:
    """The page that shows these facts."""
    script, style = "\n".join(map(_asset, scripts)), "\n".join(map(_asset, styles))
    pieces = {
        "policy": _policy(script, style),
        "title": html.escape(data["title"]),
        "style": style,
        "facts": embedded(data),
        "script": script,
    }
    text = _asset(frame)
    for name, piece in pieces.items():
        head, tail = text.split("{{" + name + "}}")  # each once, before any data is in
        pieces[name] = head + piece
        text = tail
    return "".join(pieces.values()) + text


def embedded(data: object) -> str:
    """JSON that can stand inside of a script element: it has no `<`, `>`, `&` and no line separators."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.translate(_ESCAPED).encode("utf-8", "backslashreplace").decode()


def _policy(script: str, style: str) -> str:
    """A content security policy under which nothing is fetched and nothing else runs."""
    sources = f"script-src '{_hash(script)}'; style-src '{_hash(style)}'; img-src data:"
    return f"default-src 'none'; {sources}; base-uri 'none'; form-action 'none'"


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


@cache
def _asset(name: str) -> str:
    return resources.files("compiler.observe.view").joinpath("assets", name).read_text(encoding="utf-8")
