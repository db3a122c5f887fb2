"""Views in a notebook: the page of a model, in a frame of its own.

In: a model with labels and an input. Out: a `View`, which a notebook displays, and which can be saved or opened.
Invariant: the frame shares nothing with the notebook around it: its scripts run in a sandbox without an origin.

    compiled.show("headache")               # as the last line of a cell
    compiled.show("headache").save("sort.html")
"""

from __future__ import annotations

import html
import tempfile
import webbrowser
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from compiler.model import Transformer
from compiler.observe.view.facts import example_of
from compiler.observe.view.page import page
from rasp import whole

HEIGHT = 900
"""Of the frame, in pixels."""


@dataclass(frozen=True)
class View:
    """A page that explains a model on an input."""

    text: str = field(repr=False)
    title: str
    height: int = HEIGHT

    def _repr_html_(self) -> str:
        """The page in a frame."""
        return (
            f'<iframe sandbox="allow-scripts" title="{html.escape(self.title)}" srcdoc="{html.escape(self.text)}" '
            f'style="width: 100%; height: {self.height}px; border: 1px solid #8888; border-radius: 8px"></iframe>'
        )

    def save(self, path: str | Path) -> Path:
        """Write the page to a file. Raises `OSError`."""
        whole.text(Path(path), self.text)
        return Path(path)

    def open(self) -> Path:
        """Show the page in a browser; it lies in a file that is left behind."""
        return opened(self.save(Path(tempfile.mkdtemp(prefix="rasp-")) / "view.html"))


def show(model: Transformer, tokens: Iterable[object] | None = None, height: int = HEIGHT) -> View:
    """The page of a model on an input, on an example of its program if none is given. Raises `ModelError`."""
    given = example_of(model) if tokens is None else list(tokens)
    return View(page(model, given), f"{model.config.outputs[0].name}: {' '.join(map(str, given))}", height)


def opened(path: Path) -> Path:
    """The same path, after a browser was asked to show it."""
    webbrowser.open(path.resolve().as_uri())
    return path
