"""RASP in a notebook: after `%load_ext rasp.magic`, a cell that begins with `%%rasp` is a text for the console.

In: cells. Out: what the console says. All cells of a notebook share one session; `%rasp statement;` takes one line,
`%%rasp --new` begins a new session. s-ops of the session are called from Python by `rasp_session["name"]("abc")`.
Invariant: a mistake in a cell is printed like anywhere else and is no Python exception.
"""

from __future__ import annotations

from typing import Any

from rasp.console.console import Console
from rasp.console.example import A_PAIR
from rasp.console.session import Session
from rasp.meaning.answers import answers
from rasp.meaning.interpreter import evaluate
from rasp.meaning.sop import Node, SOp
from rasp.running.environment import Missing, RaspValue
from rasp.text.source import error
from rasp.value import to_python


class Notebook:
    """The session of a notebook."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Forget everything."""
        self.session = Session(Console(print))

    def magic(self, line: str, cell: str | None = None) -> None:
        """`%rasp line` or `%%rasp` above a cell."""
        if line.strip() == "--new":
            self.begin()
            line = ""
        for text in (line, cell):
            if text and text.strip():
                self.session.console.done = False
                self.session.text(text)

    def __getitem__(self, name: str) -> Any:
        """An s-op or selector as a Python function of an input; any other value as it is."""
        try:
            value: RaspValue = self.session.console.top.find(name)
        except Missing:
            raise error("unknown-name", f"the session has no `{name}`") from None
        return (lambda tokens: self._run(value, tokens)) if isinstance(value, Node) else value

    def _run(self, node: Node, tokens: Any) -> Any:
        console = self.session.console
        if console.tapes is not None:
            example = console.example_of(tokens)
            if example is None:
                raise error("input", f"an input is {A_PAIR}")
            answer = example.of(node)
        else:
            answer = evaluate(node, tokens, console.causal)
        return [to_python(value) for value in answers(node, answer)] if isinstance(node, SOp) else answer


def load_ipython_extension(shell: Any) -> None:
    """What `%load_ext rasp.magic` calls."""
    notebook = Notebook()
    shell.register_magic_function(notebook.magic, magic_kind="line_cell", magic_name="rasp")
    shell.push({"rasp_session": notebook})
