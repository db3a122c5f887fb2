"""The parser's tables: built from `grammar.lark` once, kept beside it as `grammar.json`.

In: the grammar. Out: a `Lark` that parses it. Building the tables takes lark about 0.1 s, more than everything else a
small program needs, and reading them back takes a few milliseconds. They are plain data in a text file of the package
rather than a cache on the user's disk, so an installed, read-only package starts as fast as a checkout.
Invariant: the tables carry a key of grammar and lark version; where it does not match, they are built anew in memory
(slower, never wrong). A test asks that the file is up to date; ``python -m rasp.text.tables`` rewrites it.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import lark

_OPTIONS: dict[str, Any] = {"parser": "lalr", "lexer": "basic", "keep_all_tokens": True, "maybe_placeholders": True}


@cache
def load(builder: Any) -> lark.Lark:
    """The parser, calling the methods of `builder` by the names of the grammar's rules."""
    grammar = files("rasp.text").joinpath("grammar.lark").read_text("utf-8")
    try:
        stored = json.loads(files("rasp.text").joinpath("grammar.json").read_text("utf-8"), object_pairs_hook=_numbered)
    except (OSError, ValueError):
        stored = {}
    if stored.get("key") != _key(grammar):
        return lark.Lark(grammar, transformer=builder, **_OPTIONS)
    revive: Any = lark.Lark._load_from_dict  # what lark's own stand-alone parsers begin with
    parser: lark.Lark = revive(stored["data"], stored["memo"], transformer=builder)
    return parser


def stored(grammar: str) -> str:
    """The text of `grammar.json` for a grammar."""
    data, memo = lark.Lark(grammar, **_OPTIONS).memo_serialize([lark.lexer.TerminalDef, lark.grammar.Rule])
    return json.dumps({"key": _key(grammar), "data": data, "memo": memo}, separators=(",", ":")) + "\n"


def _key(grammar: str) -> str:
    return hashlib.sha256(f"{lark.__version__}\n{grammar}".encode()).hexdigest()


def _numbered(pairs: list[tuple[str, Any]]) -> dict[str | int, Any]:
    return {int(key) if key.isdigit() else key: value for key, value in pairs}


if __name__ == "__main__":
    from rasp import whole

    here = Path(__file__).parent
    whole.text(here / "grammar.json", stored((here / "grammar.lark").read_text("utf-8")))
