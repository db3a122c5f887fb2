"""What a command is about: the program, checkpoint or input that its words mean.

In: words of a command line. Out: paths, programs, models, tokens; a clear error where a word means nothing.
Invariant: nothing heavy is imported before it is needed.

    target_path("programs/sort.rasp") -> the file here, or the one that comes with the package
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from rasp.text.source import SURROGATE, Diagnostic, did_you_mean, error, render

if TYPE_CHECKING:
    from compiler.model import Transformer
    from compiler.pipeline import Compiled
    from rasp import Program

Progress: TypeAlias = Callable[[int, int], None]


def target_path(text: str) -> Path:
    """The program file or checkpoint folder that is meant; `programs/...` also finds the programs that come with us."""
    from rasp.program import shipped_programs

    path = Path(text)
    if text and path.exists():
        return path
    if path.is_symlink():
        raise error("no-such-file", f"`{text}` is a link to nowhere")
    if not path.parts:
        raise error("no-such-file", "there is no file or folder without a name", hint="give a .rasp file")
    shipped = shipped_programs().joinpath(*path.parts[1:])
    if path.parts[0] == "programs" and ".." not in path.parts and shipped.is_file():
        return shipped
    raise error("no-such-file", f"there is no file or folder `{text}`", hint=_nearby(path))


def source_path(text: str) -> Path:
    """A program file."""
    path = target_path(text)
    if path.is_dir():
        raise error("usage", f"`{text}` is a folder, not a program", hint="give a .rasp file")
    return path


def _nearby(path: Path) -> str | None:
    """A hint that names a file of nearly this name, if there is one."""
    from rasp.program import shipped_programs

    shipped = path.parts[0] == "programs" and not path.parent.is_dir()
    folder = shipped_programs().joinpath(*path.parent.parts[1:]) if shipped else path.parent
    if not folder.is_dir():
        return None
    names = sorted(entry.name for entry in folder.iterdir() if entry.suffix == ".rasp" or _is_checkpoint(entry))
    return did_you_mean(str(path), [str(path.parent / name) for name in names])


def _is_checkpoint(folder: Path) -> bool:
    return (folder / "config.json").is_file()


def program_at(path: Path, call: argparse.Namespace) -> Program:
    """The program, its header overridden by the flags that were given."""
    import rasp

    return rasp.load(path, **overrides(call))


def overrides(call: argparse.Namespace) -> dict[str, object]:
    given = {name: getattr(call, name, None) for name in ("output", "vocab", "max_length", "attention", "rounds")}
    return {name: value for name, value in given.items() if value is not None}


def refuse_overrides(call: argparse.Namespace, *allowed: str) -> None:
    """A checkpoint's settings are fixed."""
    for name in overrides(call):
        if name not in allowed:
            flag = "--" + name.replace("_", "-")
            raise error("usage", f"{flag} cannot change a checkpoint", hint=f"compile the program again with {flag}")


def model_at(path: Path) -> Transformer:
    import compiler

    if not path.is_dir():
        raise error(
            "usage", f"`{path}` is a file, not a checkpoint folder", hint=f"`rasp compile {path} -o DIR` makes one"
        )
    return compiler.load(path)


def note_no_fast_path(reason: str | None) -> None:
    """Where there is a reason why there is none, it goes to stderr: what was asked for is done without."""
    if reason:
        hint = "the answers are the same without it"
        print(render([Diagnostic("fast", "warning", f"no fast path: {reason}", hint=hint)]), file=sys.stderr)


def warn(compiled: Compiled) -> None:
    """Warnings go to stderr. A stage before the graph can be printed without a vocabulary, so without witnesses, and
    of a program with a source."""
    known = compiled.program.settings.vocab is not None and not compiled.program.two_tapes
    if warnings := compiled.warnings if known else compiled.program.warnings:
        print(render(warnings), file=sys.stderr)


def tokens_of(text: str, is_list: bool) -> list[object]:
    """An input argument as tokens: one a character, or a JSON list."""
    tokens = json_of(text) if is_list else list(text)
    if not isinstance(tokens, list) or not all(isinstance(token, bool | int | float | str) for token in tokens):
        shown = text if len(text) <= 60 else text[:57] + "..."
        hint = '--list reads lists such as [3,1,2] or ["a","b"]'
        raise error("input", f"not a JSON list of tokens: {shown}", hint=hint)
    if any(SURROGATE.search(token) for token in tokens if isinstance(token, str)):
        raise error("input", "the input is not UTF-8 text")
    return tokens


def json_of(text: str) -> object:
    """What a JSON text says, or None where it says nothing."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


@contextmanager
def naming(number: int, count: int) -> Iterator[None]:
    """A message about one of several inputs says which."""
    try:
        yield
    except Exception as problem:
        if count > 1:
            problem.add_note(f"  in input {number} of {count}")
        raise


@contextmanager
def progress_bar(title: str) -> Iterator[Progress | None]:
    """A progress bar on stderr, if that is a terminal; what is printed meanwhile goes where it belongs."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    shared = sys.stdout.isatty()  # else the bar would take what is printed away to stderr
    with Bar(console=Console(stderr=True), transient=True, redirect_stdout=shared) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def shown(thing: object) -> None:
    """Print what has a table for terminals, or else its text."""
    if not sys.stdout.isatty():
        print(thing)
        return
    from rich.console import Console

    Console().print(thing)
