"""Files and folders that are written whole or not at all.

In: a place, and a block that writes into another one beside it. Out: the file or folder, put there when the block ends.
Invariants: whoever looks finds the old one or the new one, not a part and (on Linux) never none; what fails or is
killed leaves the old one as it was. What lies in the old folder and is none of its own files is kept, in the new one;
nothing else's is ever deleted. What a killed writer left beside the place, the next one clears away.

    with folder(Path("sort"), listed) as made:
        (made / "config.json").write_text("{}")

Beside `sort` stand meanwhile `.sort-XXXXXXXX.part`, which is being written and locked as long as its writer lives, and
for a moment `.sort-XXXXXXXX.old`: the new folder, complete, or the old one, from which what is kept is fetched.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeAlias

try:
    import fcntl
except ImportError:  # a system without locks: nothing that was left is cleared away there
    fcntl = None  # type: ignore[assignment]

Listed: TypeAlias = Callable[[Path], "frozenset[str] | None"]
"""The paths of a folder's own files, below it; None where it is no such folder."""

PART, OLD = ".part", ".old"
_AT_CWD, _EXCHANGE = -100, 2
"""What `renameat2` calls paths that are not below an open folder, and letting two things change places."""


class Taken(OSError):
    """A file would be written where one lies that is not ours."""


def text(path: Path, content: str) -> None:
    """Write a text to a file, in UTF-8. Raises `OSError` as `file` does."""
    with file(path) as beside:
        beside.write_text(content, encoding="utf-8")


@contextmanager
def file(path: Path) -> Iterator[Path]:
    """A file to write into; it takes its place when the block ends without an exception.

    Raises `OSError`; what the system says of it is said of this path, not of the one that is written into.
    """
    try:
        with _beside(path.absolute()) as beside:
            yield beside
    except OSError as problem:
        if problem.errno is None:
            raise
        raise OSError(problem.errno, problem.strerror, str(path)) from None


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """The file that becomes the one at the path."""
    _sweep(path, lambda folder: None)
    with _alone(path.parent):  # so that nobody takes it for a leftover before it is locked
        handle, name = tempfile.mkstemp(prefix=f".{path.name}-", suffix=PART, dir=path.parent)
        _lock(handle)
    beside = Path(name)
    try:
        yield beside
        _open_to_others(beside)
        beside.replace(path)
    finally:
        os.close(handle)
        beside.unlink(missing_ok=True)


@contextmanager
def folder(place: Path, listed: Listed) -> Iterator[Path]:
    """An empty folder to write into; it takes its place when the block ends without an exception.

    What the folder that was there does not list as its own comes along. Raises `OSError`; `Taken` where something of
    that has the name of a new file.
    """
    place = place.resolve() if place.is_symlink() else place.absolute()
    place.parent.mkdir(parents=True, exist_ok=True)
    _sweep(place, listed)
    with _alone(place.parent):  # so that nobody takes it for a leftover before it is locked
        made = Path(tempfile.mkdtemp(prefix=f".{place.name}-", suffix=PART, dir=place.parent))
        handle = os.open(made, os.O_RDONLY)
        _lock(handle)
    try:
        yield made
        for path in (made, *made.rglob("*")):
            _open_to_others(path)
        with _alone(place.parent):
            _put(made, place, listed)
    finally:
        os.close(handle)
        shutil.rmtree(made, ignore_errors=True)


def kept(place: Path, listed: Listed) -> list[str]:
    """What a folder holds besides its own files: paths below it, a folder of which nothing is its own as one."""
    ours = listed(place)
    return [] if ours is None else sorted(path for path, own in _entries(place, ours) if not own)


def _put(made: Path, place: Path, listed: Listed) -> None:
    """Put a new folder in an old one's place."""
    new = made.with_suffix(OLD)
    if not place.exists():
        made.rename(place)
        return
    if not os.access(place, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(place))
    ours = listed(place) or frozenset()
    _lend(place, made, ours)
    made.rename(new)
    try:
        _exchange(new, place)
    except BaseException:
        new.rename(made)  # it is not to be taken for the old one
        raise
    with suppress(OSError):  # the new one is there; what could not be moved stays for the next writer
        _fetch(new, place, ours)


def _entries(folder: Path, ours: frozenset[str], below: str = "") -> Iterator[tuple[str, bool]]:
    """What lies in a folder, and whether it is its own: no link is followed, whatever paths it lists."""
    for entry in list(os.scandir(folder / below)):
        path = below + entry.name
        if entry.is_dir(follow_symlinks=False) and any(one.startswith(path + "/") for one in ours):
            yield from _entries(folder, ours, path + "/")
        else:
            yield path, path in ours


def _lend(old: Path, new: Path, ours: frozenset[str]) -> None:
    """Let files that are kept lie in both folders, so that there is no moment without them."""
    for path in (path for path, own in _entries(old, ours) if not own):
        if os.path.lexists(new / path):
            raise Taken(errno.EEXIST, f"{path} is none of its own files, and one of that name is to be written")
        if (old / path).is_file() and not (old / path).is_symlink():
            (new / path).parent.mkdir(parents=True, exist_ok=True)
            with suppress(OSError):  # a file system without links: it is moved, like folders
                os.link(old / path, new / path)


def _fetch(old: Path, new: Path, ours: frozenset[str]) -> None:
    """Move what is kept into the new folder, then remove the old one, unless something has its place there taken."""
    for path in [path for path, own in _entries(old, ours) if not own]:
        if not os.path.lexists(new / path):
            (new / path).parent.mkdir(parents=True, exist_ok=True)
            (old / path).rename(new / path)
        elif os.path.samestat((old / path).lstat(), (new / path).lstat()):
            (old / path).unlink()
    if all(own for _, own in _entries(old, ours)):
        rest = old.rename(old.with_suffix(PART))  # from here on nothing in it is wanted
        shutil.rmtree(rest, ignore_errors=True)


def _exchange(one: Path, other: Path) -> None:
    """Let two folders change places: in one step on Linux, elsewhere with a moment in which one is missing."""
    if _swapped(one, other):
        return
    aside = one.with_name(f".{other.name}-exchange{OLD}")
    other.rename(aside)
    try:
        one.rename(other)
    except BaseException:  # an interrupt, too, must not leave the place empty
        aside.rename(other)
        raise
    aside.rename(one)


def _swapped(one: Path, other: Path) -> bool:
    """Let two things change places in one step, where system and file system can."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    return int(rename(_AT_CWD, os.fsencode(one), _AT_CWD, os.fsencode(other), _EXCHANGE)) == 0


def _sweep(place: Path, listed: Listed) -> None:
    """Clear away what killed writers left beside a place."""
    if fcntl is None or not place.parent.is_dir():
        return
    name = re.compile(rf"\.{re.escape(place.name)}-[a-z0-9_]{{8}}(\{PART}|\{OLD})", re.DOTALL)
    with _alone(place.parent):
        for entry in list(os.scandir(place.parent)):
            if (found := name.fullmatch(entry.name)) and not entry.is_symlink():
                with suppress(OSError):
                    _cleared(Path(entry.path), place, listed, unfinished=found[1] == PART)


def _cleared(left: Path, place: Path, listed: Listed, unfinished: bool) -> None:
    """Clear away one thing that was left, if its writer is gone."""
    if not unfinished:
        if not place.exists() and listed(left) is not None:
            left.rename(place)
        elif (ours := listed(left)) is not None and listed(place) is not None:
            _fetch(left, place, ours)
        return
    handle = os.open(left, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    finally:
        os.close(handle)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One writer at a time puts something into a folder."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        _lock(handle)
        yield
    finally:
        os.close(handle)


def _lock(handle: int) -> None:
    if fcntl is not None:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)


def _open_to_others(path: Path) -> None:
    """What is made beside a place is private at first."""
    mask = os.umask(0)
    os.umask(mask)
    path.chmod((0o777 if path.is_dir() else 0o666) & ~mask)
