"""What the tests of the console share: a session in this process, and the command through a pipe."""

import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rasp.console import Console
from rasp.repl import run_pipe
from rasp.session import Session

RASP = Path(sys.executable).parent / "rasp"
Say = Callable[[str], str]


def session_over(written: list[str]) -> Session:
    """A session that writes its lines into a list."""
    return Session(Console(written.append))


@pytest.fixture
def say() -> Say:
    """One session: what it answers to a text."""
    written: list[str] = []
    session = session_over(written)

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


def pipe(data: bytes, folder: Path, *, seconds: float = 60) -> subprocess.CompletedProcess[bytes]:
    """The command itself, fed with bytes."""
    return subprocess.run([RASP], input=data, capture_output=True, cwd=folder, timeout=seconds, check=False)
