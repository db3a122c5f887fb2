"""The console: `rasp` alone.

In: lines from a terminal, or from a file or pipe. Out: what the session says, a prompt in front of every line.
From a pipe, prompts, names and values are those of the original's console byte for byte, so that its transcripts can
be replayed; at a terminal there are history, editing, completion and colours (`rasp.console.terminal`).
Invariant: whatever is read, no Python traceback is shown, and the session goes on until its end.

    $ echo "1 + 1;" | rasp
    RASP 0.1
    running example is: hello
    >>     value: out =  2
    >>
"""

from __future__ import annotations

import sys

from rasp.console.console import Console
from rasp.console.session import Session

WELCOME = "RASP 0.1\nrunning example is: hello"
DONE = 0
MAX_LINE = 1 << 20
"""A longer line comes in parts, each of them refused for its length: standard input may be endless."""


def main() -> int:
    """Run a session on standard input and output; gives the exit code."""
    if sys.stdin.isatty() and sys.stdout.isatty():
        from rasp.console.terminal import run_terminal

        run_terminal()
    else:
        _be_tolerant(sys.stdin, sys.stdout)
        run_pipe(Session(Console(print, note=_aside)))
    return DONE


def run_pipe(session: Session) -> None:
    """Answer the lines of standard input until its end, or until told to leave."""
    print(WELCOME)
    while not session.console.done:
        print(session.reader.prompt, end="", flush=True)
        line = sys.stdin.readline(MAX_LINE)
        if not line:
            print()
            session.end()
            return
        session.line(line.removesuffix("\n"))


def _aside(text: str) -> None:
    """Say what does not belong into a transcript."""
    print(text, file=sys.stderr)


def _be_tolerant(*streams: object) -> None:
    """Read and write any bytes: what is no text becomes a replacement character."""
    for stream in streams:
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
