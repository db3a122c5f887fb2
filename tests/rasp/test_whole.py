"""Files and folders are written whole or not at all, and nothing of anybody else is lost by it."""

from __future__ import annotations

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from rasp import whole
from tests.places import ROOT


def listed(folder: Path) -> frozenset[str] | None:
    """A folder of ours has a list of its files."""
    try:
        return frozenset({"list", *(folder / "list").read_text().split()})
    except OSError:
        return None


def write(place: Path, *names: str) -> None:
    with whole.folder(place, listed) as made:
        for name in names:
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            (made / name).write_text(" ".join(names))
        (made / "list").write_text(" ".join(names))


def fail(writing: AbstractContextManager[Path], name: str = "") -> None:
    """Write a part, then find the disk full."""
    with writing as made:
        (made / name).write_text("half")
        raise OSError(errno.ENOSPC, "full")


def contents(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(params=["in one step", "in three"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that was written, on a system that can let two folders change places, and on one that cannot."""
    if request.param == "in three":
        monkeypatch.setattr(whole, "_swapped", lambda one, other: False)
    write(tmp_path / "bed", "a", "in/b")
    yield tmp_path / "bed"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".bed-")] == []


def test_a_folder_s_own_files_are_replaced(place: Path) -> None:
    write(place, "a", "c")
    assert contents(place) == {"a": "a c", "c": "a c", "list": "a c"}
    assert not (place / "in").exists()


def test_what_is_not_its_own_is_kept(place: Path) -> None:
    (place / "notes").write_text("mine")
    (place / "in" / "notes").write_text("mine")
    (place / "deep" / "er").mkdir(parents=True)
    (place / "deep" / "er" / "notes").write_text("mine")
    (place / "empty").mkdir()
    (place / "link").symlink_to("nowhere")
    assert whole.kept(place, listed) == ["deep", "empty", "in/notes", "link", "notes"]
    write(place, "a")
    assert contents(place) == {"a": "a", "list": "a", "notes": "mine", "in/notes": "mine", "deep/er/notes": "mine"}
    assert os.readlink(place / "link") == "nowhere"
    assert (place / "empty").is_dir()


def test_a_new_file_of_a_kept_one_s_name_is_refused(place: Path) -> None:
    (place / "c").write_text("mine")
    before = contents(place)
    with pytest.raises(whole.Taken, match="c is none of its own files"):
        write(place, "a", "c")
    assert contents(place) == before


@pytest.mark.parametrize("path", ["../precious", "/{}/precious", "in/../../precious", "sub/precious"])
def test_a_list_of_files_elsewhere_deletes_nothing_there(place: Path, path: str) -> None:
    """A list may be a stranger's."""
    (place.parent / "precious").write_text("precious")
    (place / "sub").symlink_to(place.parent)
    (place / "list").write_text(path.format(place.parent))
    write(place, "c")
    assert (place.parent / "precious").read_text() == "precious"


def test_a_writer_that_fails_leaves_what_was_there(place: Path) -> None:
    (place / "notes").write_text("mine")
    before = contents(place)
    with pytest.raises(OSError, match="full"):
        fail(whole.folder(place, listed), "a")
    assert contents(place) == before


def test_a_folder_that_may_not_be_changed_is_left_alone(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    before = contents(place)
    with pytest.raises(PermissionError):
        write(place, "c")
    assert contents(place) == before


def test_a_link_stays_and_what_it_points_at_is_replaced(place: Path) -> None:
    (place.parent / "link").symlink_to(place)
    write(place.parent / "link", "c")
    assert (place.parent / "link").is_symlink()
    assert contents(place) == {"c": "c", "list": "c"}


def test_permissions_are_those_of_a_file_that_is_written_plainly(place: Path) -> None:
    (place.parent / "plain").write_text("")
    (place.parent / "folder").mkdir()
    assert (place / "a").stat().st_mode == (place.parent / "plain").stat().st_mode
    assert place.stat().st_mode == (place / "in").stat().st_mode == (place.parent / "folder").stat().st_mode


# ------------------------------------------------------------------------------------------------ what the killed leave


def left(place: Path, suffix: str, *names: str) -> Path:
    """What a killed writer left beside a place."""
    found = place.with_name(f".{place.name}-abcdefgh{suffix}")
    found.mkdir()
    for name in names:
        (found / name).write_text("left")
    return found


def test_what_was_not_finished_is_cleared_away(place: Path) -> None:
    found = left(place, whole.PART, "a")
    write(place, "c")
    assert not found.exists()


def test_what_is_being_written_is_left_to_its_writer(place: Path) -> None:
    with whole.folder(place, listed) as made:
        (made / "list").write_text("")
        write(place, "c")
        assert made.exists()
    assert contents(place) == {"list": ""}


def test_what_a_killed_writer_did_not_move_any_more_comes_back(place: Path) -> None:
    found = left(place, whole.OLD, "list", "notes", "a")
    (found / "list").write_text("a")
    write(place, "c")
    assert contents(place) == {"c": "c", "list": "c", "notes": "left"}
    assert not found.exists()


def test_two_files_of_one_name_are_both_kept(place: Path) -> None:
    (place / "notes").write_text("mine")
    found = left(place, whole.OLD, "list", "notes")
    (found / "list").write_text("")
    write(place, "c")
    assert (place / "notes").read_text() == "mine"
    assert (found / "notes").read_text() == "left"
    shutil.rmtree(found)


def test_a_folder_that_was_moved_aside_and_never_back_returns(place: Path) -> None:
    (place / "notes").write_text("mine")
    place.rename(place.with_name(f".{place.name}-exchange{whole.OLD}"))
    write(place, "c")
    assert contents(place) == {"c": "c", "list": "c", "notes": "mine"}


@pytest.mark.parametrize("name", [".bed-abcdefgh", ".bed-abcdefghi.part", ".beds-abcdefgh.part", "bed-abcdefgh.part"])
def test_other_folders_of_such_names_are_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "notes").write_text("mine")
    write(tmp_path / "bed", "a")
    assert (tmp_path / name / "notes").read_text() == "mine"


# ------------------------------------------------------------------------------------------------------------ at a time

WRITING = """
import sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from tests.rasp.test_whole import write
print("ready", flush=True)
while True:
    for names in (["a", "in/b"], ["c"]):
        write(Path(sys.argv[1]), *names)
"""


def writer(place: Path) -> subprocess.Popen[str]:
    started = subprocess.Popen([sys.executable, "-c", WRITING, place, ROOT], stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None and started.stdout.readline() == "ready\n"
    return started


def test_whoever_looks_finds_a_whole_folder(tmp_path: Path) -> None:
    """There is one at every moment, and what was opened there is one of the two."""
    place = tmp_path / "bed"
    write(place, "a")
    (place / "notes").write_text("mine")
    with writer(place) as one:
        end, found = time.monotonic() + 2, set()
        try:
            while time.monotonic() < end:
                found.add(((place / "list").read_text(), (place / "notes").read_text()))
        finally:
            one.kill()
    assert found <= {(listed, "mine") for listed in ("a", "a in/b", "c")}


def test_killed_writers_lose_nothing_and_leave_nothing_behind(tmp_path: Path) -> None:
    place, chance = tmp_path / "bed", random.Random(0)
    write(place, "a")
    (place / "notes").write_text("mine")
    (place / "deep").mkdir()
    (place / "deep" / "notes").write_text("mine")
    for _ in range(8):
        with writer(place) as one:
            time.sleep(chance.random() / 10)
            one.send_signal(signal.SIGKILL)
        assert (place / "notes").read_text() == "mine"
    write(place, "a")
    assert contents(place) == {"a": "a", "list": "a", "notes": "mine", "deep/notes": "mine"}
    assert [path.name for path in tmp_path.iterdir()] == ["bed"]


def test_two_writers_at_a_time_end_with_a_whole_folder(tmp_path: Path) -> None:
    place = tmp_path / "bed"
    with writer(place) as one, writer(place) as other:
        time.sleep(1)
        ended = [process.poll() for process in (one, other)]
        one.kill()
        other.kill()
    assert ended == [None, None]
    write(place, "a")
    assert contents(place) == {"a": "a", "list": "a"}
    assert [path.name for path in tmp_path.iterdir()] == ["bed"]


# ---------------------------------------------------------------------------------------------------------------- files


def test_a_file_is_replaced_at_the_end(tmp_path: Path) -> None:
    (tmp_path / "page").write_text("old")
    with whole.file(tmp_path / "page") as beside:
        beside.write_text("new")
        assert (tmp_path / "page").read_text() == "old"
    assert contents(tmp_path) == {"page": "new"}


def test_a_file_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    (tmp_path / "page").write_text("old")
    with pytest.raises(OSError, match="full"):
        fail(whole.file(tmp_path / "page"))
    assert contents(tmp_path) == {"page": "old"}


def test_a_file_that_a_killed_writer_left_is_cleared_away(tmp_path: Path) -> None:
    (tmp_path / f".page-abcdefgh{whole.PART}").write_text("half")
    with whole.file(tmp_path / "page") as beside:
        beside.write_text("new")
    assert contents(tmp_path) == {"page": "new"}
