"""What Tab offers: names, words of the language, files to load, topics of help.

In: the line up to the cursor, and the names a session knows. Out: words that may stand there, each with what it is.

    >>> [word for word, about in candidates('load "programs/rever', Console(print))]
    ['programs/reverse']
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from rasp.console.console import Console
from rasp.console.manual import PAGES
from rasp.meaning.sop import Selector, SOp
from rasp.program import shipped_programs
from rasp.running.environment import RaspValue, describe

FIRST = ["def", "for", "load", "draw", "set", "show", "examples", "full seq display", "s-op", "selector"]
FIRST += ["help", "compile", "exit"]
SIDES = ("example", "s-op example", "selector example")
SWITCH = ("on", "off")
AFTER = {
    "set": SIDES,
    "show": SIDES,
    "examples": SWITCH,
    "full seq display": SWITCH,
    "s-op": ("examples",),
    "selector": ("examples",),
}
INSIDE = ["if", "else", "not", "and", "or", "in", "for", "return", "True", "False"]
INSIDE += ["select", "aggregate", "range", "zip", "len", "round", "indicator"]
MAX_OFFERED = 200

_LOAD = re.compile(r'\s*load\s+"(?P<begun>[^"]*)$')
_COMMAND = re.compile(r"\s*(?:(?:s-op|selector)\s+)?(?P<first>set|show|examples|full seq display|s-op|selector)\s+\w*$")
_WORD = re.compile(r"[A-Za-z_][\w-]*$|$", re.ASCII)


def begun(line: str) -> str:
    """The beginning of the word that is to be completed."""
    if load := _LOAD.match(line):
        return load["begun"]
    found = _WORD.search(line)
    return found[0] if found else ""


def candidates(line: str, console: Console) -> Iterator[tuple[str, str]]:
    """Every word that could stand at the end of the line, and what it is."""
    start = begun(line)
    offered = 0
    for word, about in _offered(line, console):
        if word.startswith(start) and word != start and offered < MAX_OFFERED:
            offered += 1
            yield word, about


def _offered(line: str, console: Console) -> Iterator[tuple[str, str]]:
    before = line[: len(line) - len(begun(line))]
    command = _COMMAND.match(line)
    if _LOAD.match(line):
        yield from ((name, "file") for name in _files(begun(line)))
    elif command and not (command["first"] == "set" and '"' in line):
        yield from ((word, "") for word in AFTER[command["first"]])
    elif before.strip() == "help":
        yield from ((topic, "help") for topic in sorted({*PAGES, *_names(console)} & {*PAGES}))
    elif before.strip() == "compile":
        yield from ((name, kind) for name, kind in _names(console).items() if kind == "s-op")
    elif line.count('"') % 2 == 0:
        yield from _names(console).items()
        yield from ((word, "") for word in (INSIDE if before.strip() else FIRST + INSIDE))


def _names(console: Console) -> dict[str, str]:
    """Every name that can be seen: those of the session first, each with its kind."""
    found: dict[str, str] = {}
    for name in console.top.names():
        found.setdefault(name, _kind(console.top.find(name)))
    return found


def _kind(value: RaspValue) -> str:
    if isinstance(value, SOp):
        return "s-op"
    return "selector" if isinstance(value, Selector) else describe(value)


def _files(begun: str) -> list[str]:
    """The programs below the working folder, and those that come with us, that begin so."""
    here, shipped = Path(begun + "*"), shipped_programs()
    found = {path.with_suffix("").as_posix() for path in _globbed(Path(), f"{begun}*.rasp")}
    found |= {f"{path.as_posix()}/" for path in _globbed(Path(), f"{begun}*") if path.is_dir()}
    if here.parent in {Path(), Path("programs")}:
        found |= {f"programs/{path.stem}" for path in shipped.glob("*.rasp")}
    return sorted(found)


def _globbed(folder: Path, pattern: str) -> list[Path]:
    try:
        return [path for path in folder.glob(pattern) if not path.name.startswith(".")][:MAX_OFFERED]
    except (OSError, ValueError, NotImplementedError):
        return []
