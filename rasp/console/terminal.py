"""The console at a terminal: history, editing over several lines, completion, colours.

In: keys. Out: what the session says, errors in red, warnings about a statement below it. Enter runs a statement that
is complete and begins a new line in one that is not; two empty lines run it nevertheless, so that one sees what is
missing.
Invariant: Ctrl-C drops what was typed or stops what is running, Ctrl-D leaves; the history survives the session where
its file can be written (`RASP_HISTORY`, else below the user's state folder; empty for none).
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import has_completions
from prompt_toolkit.formatted_text import AnyFormattedText
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.lexers import DynamicLexer, PygmentsLexer
from prompt_toolkit.output.color_depth import ColorDepth
from prompt_toolkit.styles import Style

from rasp.ask.lint import precedence
from rasp.ask.pygments_lexer import RaspLexer, SourceLexer
from rasp.console.completion import begun, candidates
from rasp.console.console import Console
from rasp.console.extras import is_command
from rasp.console.reader import Reader
from rasp.console.session import Session
from rasp.running.environment import Environment
from rasp.text.parser import Parse
from rasp.text.source import Diagnostic

WELCOME = "RASP 0.1, running example is: hello\n`help` shows what there is to say; Tab completes, Ctrl-D leaves."
INDENT = "  "
STYLE = Style.from_dict(
    {
        "prompt": "bold ansigreen",
        "pygments.keyword": "bold ansiblue",
        "pygments.keyword.reserved": "ansimagenta",
        "pygments.keyword.constant": "ansicyan",
        "pygments.operator.word": "bold ansiblue",
        "pygments.name.builtin": "ansicyan",
        "pygments.name.builtin.pseudo": "ansicyan",
        "pygments.name.function": "ansicyan",
        "pygments.literal.string": "ansigreen",
        "pygments.literal.number": "ansiyellow",
        "pygments.comment": "italic ansibrightblack",
    }
)
RED, YELLOW, DIM, CYAN, PLAIN = "\x1b[31m", "\x1b[33m", "\x1b[2m", "\x1b[36m", "\x1b[0m"

_LABEL = re.compile(r"^[ \t]*(?:\S+ : )? +(?:s-op|selector|list|dict|value|\S+ function):(?= |$)|^[ \t]+Example:")


class _Console(Console):
    """A session that also says which expressions group otherwise than they look."""

    def take(self, parse: Parse, env: Environment | None = None) -> None:
        """Run the statements, then warn about those that were typed; a file's are not."""
        super().take(parse, env)
        if parse.module is not None and not self.loading:
            for one in precedence(parse.module):
                self.complain(one)


def run_terminal() -> None:
    """A session at the terminal, to its end."""
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]
    session = Session(_Console(_write, _complain))
    lines = _prompt(session)
    print(WELCOME)
    while not session.console.done:
        try:
            text = lines.prompt([("class:prompt", session.reader.prompt)])
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        _run(session, text)


def _run(session: Session, text: str) -> None:
    """Run what was typed; Ctrl-C stops it."""
    try:
        session.text(text.replace("\r", ""))
    except KeyboardInterrupt:
        session.interrupt()
        print("interrupted")


# ------------------------------------------------------------------------------------------------------------ writing


def _coloured() -> bool:
    return "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"


def _write(text: str) -> None:
    """Lines of values: what they are in another colour than what they hold."""
    for line in text.split("\n"):
        label = _LABEL.match(line) if _coloured() else None
        print(f"{CYAN}{label[0]}{PLAIN}{line[label.end() :]}" if label else line)


def _complain(problem: Diagnostic) -> None:
    """A problem: its first line in red, a warning's in yellow."""
    first, _, rest = str(problem).partition("\n")
    if _coloured():
        colour = RED if problem.severity == "error" else YELLOW
        first, rest = f"{colour}{first}{PLAIN}", f"{DIM}{rest}{PLAIN}" if rest else ""
    print(first + ("\n" + rest if rest else ""))


# ------------------------------------------------------------------------------------------------------------ reading


def _prompt(session: Session) -> PromptSession[str]:
    plain, with_source = PygmentsLexer(RaspLexer), PygmentsLexer(SourceLexer)
    return PromptSession(
        history=_history(),
        lexer=DynamicLexer(lambda: with_source if session.console.tapes else plain),
        completer=_Names(session.console),
        complete_while_typing=False,
        auto_suggest=AutoSuggestFromHistory(),
        multiline=True,
        prompt_continuation=_continuation,
        key_bindings=_keys(),
        style=STYLE,
        color_depth=None if _coloured() else ColorDepth.DEPTH_1_BIT,
        enable_open_in_editor=False,
    )


def _history() -> History:
    """The history's file, or the memory where there is no file."""
    named = os.environ.get("RASP_HISTORY")
    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    path = state / "rasp" / "history" if named is None else Path(named)
    if named == "":
        return InMemoryHistory()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("ab").close()
    except OSError:
        return InMemoryHistory()
    return FileHistory(str(path))


def _continuation(width: int, number: int, wrapped: int) -> AnyFormattedText:
    return [("class:prompt", ".. ")]


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter", filter=~has_completions)
    def enter(event: KeyPressEvent) -> None:
        """Run what is complete, else begin a line."""
        buffer = event.current_buffer
        if is_complete(buffer.text):
            buffer.validate_and_handle()
        else:
            buffer.insert_text("\n" + _indent(buffer.document))

    @keys.add("}")
    def close(event: KeyPressEvent) -> None:
        """A closing brace stands less deep than its body."""
        buffer = event.current_buffer
        line = buffer.document.current_line_before_cursor
        if line and not line.strip() and line.endswith(INDENT):
            buffer.delete_before_cursor(len(INDENT))
        buffer.insert_text("}")

    return keys


def _indent(document: Document) -> str:
    """The blanks a new line begins with: those of the line before, deeper behind an opening brace."""
    line = document.current_line_before_cursor
    blanks = line[: len(line) - len(line.lstrip())]
    return blanks + INDENT * line.rstrip().endswith("{")


def is_complete(text: str) -> bool:
    """Whether a text can be run: statements, a command, a comment; or the user insists by two empty lines."""
    if not text.strip() or text.endswith("\n\n") or is_command(text):
        return True
    if all(line.lstrip().startswith("#") or not line.strip() for line in text.split("\n")):
        return True
    reader = Reader()
    for line in text.split("\n"):
        reader.feed(line)
    return not reader.pending


class _Names(Completer):
    """Completion for prompt_toolkit."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterator[Completion]:
        """Every word that could stand at the cursor."""
        line = document.current_line_before_cursor
        for word, about in candidates(line, self.console):
            yield Completion(word, start_position=-len(begun(line)), display_meta=about)
