"""The library: the RASP programs that come along, by theme.

In: the folder `programs/`. Out: its entries, each with a name, a theme, a path and, when asked for, the program.
Invariant: the order is that of the themes and the names, the same in every process; nothing heavy is imported.

    >>> [entry.name for entry in library("words")][:2]
    ['words/abbreviation', 'words/anagram_of_listen']
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import rasp
from rasp.program import shipped_programs
from rasp.text.source import did_you_mean, error

INTERPRETED = frozenset({"loops", "seq2seq"})
"""The themes of programs with a loop or a source, which are asked for by name."""
BASICS = "basics"
"""The theme of the programs that stand in no folder of a theme."""


@dataclass(frozen=True)
class Entry:
    """A program of the library."""

    name: str
    """As it is called: `sort`, `words/isogram`."""
    path: Path

    def __reduce__(self) -> tuple[type[Entry], tuple[str, Path]]:
        """Another process gets the name and the path, never the program that may have been read."""
        return Entry, (self.name, self.path)

    @property
    def theme(self) -> str:
        """The folder it stands in."""
        return self.name.rpartition("/")[0] or BASICS

    @cached_property
    def program(self) -> rasp.Program:
        """The program, read anew in each process. Raises `RaspError` if it has an error."""
        return rasp.load(self.path)

    @property
    def idea(self) -> str:
        """What its header says before the settings, in one line."""
        lines = (line for line in self.program.source.text.splitlines() if not line.startswith("#@"))
        header: list[str] = []
        for line in lines:
            if not line.startswith("#"):
                break
            header.append(line.removeprefix("#").strip())
        return " ".join(header)

    @property
    def title(self) -> str:
        """The first sentence of the idea."""
        found = re.match(r".*?[.?!](?=\s|$)", self.idea)
        return found[0] if found else self.idea


def library(theme: str | None = None) -> Iterator[Entry]:
    """The entries that compile, or all of one theme. Raises `RaspError` if there is no such theme."""
    entries = _entries()
    if theme is not None:
        known = list(dict.fromkeys(entry.theme for entry in entries))
        if theme not in known:
            hint = did_you_mean(theme, known) or f"there are {', '.join(known)}"
            raise error("no-such-theme", f"there is no theme `{theme}`", hint=hint)
    return (one for one in entries if one.theme == theme or (theme is None and one.theme not in INTERPRETED))


def chosen(names: Sequence[str], theme: str | None = None) -> list[Entry]:
    """The entries of these names, the library's if none is given. Raises `RaspError` for a name that is none."""
    entries = {entry.name: entry for entry in (_entries() if names and theme is None else library(theme))}
    for name in names:
        if name not in entries:
            where = "the library" if theme is None else f"the theme `{theme}`"
            raise error("no-such-program", f"there is no `{name}` in {where}", hint=did_you_mean(name, entries))
    return [entries[name] for name in names] if names else list(entries.values())


def _entries() -> list[Entry]:
    root = shipped_programs()
    paths = {path.relative_to(root).with_suffix("").as_posix(): path for path in root.rglob("*.rasp")}
    return [Entry(name, paths[name]) for name in sorted(paths, key=lambda name: ("/" in name, name))]
