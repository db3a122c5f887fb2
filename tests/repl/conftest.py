"""What the tests of the console share: sessions in this process."""

import io
import sys
from collections.abc import Callable

import pytest

from rasp.console.console import Console
from rasp.console.repl import run_pipe
from rasp.console.session import Session

Say = Callable[[str], str]


@pytest.fixture
def say() -> Say:
    """One session: what it answers to a text."""
    written: list[str] = []
    session = Session(Console(written.append))

    def ask(text: str) -> str:
        written.clear()
        session.text(text)
        return "\n".join(written)

    return ask


@pytest.fixture
def replay(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[[str], str]:
    """What a session answers to a text that comes through a pipe, prompts included."""

    def run(text: str) -> str:
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))
        capsys.readouterr()
        run_pipe(Session(Console(print, note=lambda note: None)))
        return capsys.readouterr().out

    return run
