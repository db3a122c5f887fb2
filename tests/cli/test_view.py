"""`rasp view`: the page of a checkpoint or a program."""

import webbrowser
from pathlib import Path

import pytest

from tests.cli.conftest import Rasp


def test_it_writes_the_page_of_a_checkpoint(rasp: Rasp, room: Path) -> None:
    assert rasp("view", "reversed", "cab", "-o", "page.html") == (0, "wrote page.html\n", "")
    text = Path("page.html").read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    assert '"input":["c","a","b"]' in text


def test_it_writes_the_page_of_a_program_under_its_name(rasp: Rasp, room: Path) -> None:
    assert rasp("view", "reverse.rasp", "--output", "doubled", "--list", '["a","b"]').out == "wrote reverse.html\n"
    assert '"outputs":[{"name":"doubled"' in Path("reverse.html").read_text(encoding="utf-8")


def test_it_opens_a_browser_when_asked(rasp: Rasp, room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    assert rasp("view", "reversed", "--open", "ab").code == 0
    assert opened == [(room / "reversed.html").as_uri()]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("reversed", "xyz"), "not in the vocabulary"),
        (("reversed", "abcab"), "5 tokens"),
        (("reversed", "ab", "--vocab", "xy"), "cannot change a checkpoint"),
        (("foreign", "ab"), "checkpoint of another program"),
        (("missing", "ab"), "there is no file"),
        (("undefined.rasp", "ab"), "error["),
        (("reversed", "ab", "-o", "notes"), "is a folder"),
        (("reversed", "ab", "-o", "nowhere/page.html"), "No such file"),
    ],
)
def test_a_mistake_is_explained_and_nothing_is_written(
    rasp: Rasp, room: Path, words: tuple[str, ...], complaint: str
) -> None:
    done = rasp("view", *words)
    assert done.code == 2
    assert complaint in done.err
    assert "Traceback" not in done.err
    assert not list(room.glob("*.html"))


def test_it_writes_the_page_of_a_program_with_a_source(rasp: Rasp, room: Path) -> None:
    assert rasp("view", "programs/seq2seq/copy.rasp", "cab").out == "wrote copy.html\n"
    text = Path("copy.html").read_text(encoding="utf-8")
    assert '"input":["c","a","b"]' in text and '"writes":"next"' in text
    assert "not in the vocabulary" in rasp("view", "programs/seq2seq/copy.rasp", "xyz").err
