"""What the tests of views share: a headless browser, pages of compiled programs, and a watch on what a page does."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import compiler
import rasp
from compiler.model import Transformer
from compiler.observe.view.page import page
from tests.compiler.two_tapes import program
from tests.places import PROGRAMS

Model = Callable[[str], Transformer]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]
MISSING = "NO BROWSER: the explorer is NOT TESTED here. Install Debian's chromium (`make tools`), then run this again."


@pytest.fixture(scope="session")
def model_of() -> Model:
    """The model of a program of the library by its name, compiled once."""
    known: dict[str, Transformer] = {}

    def find(name: str) -> Transformer:
        if name not in known:
            theme, _, own = name.rpartition("/")
            read = program(own) if theme == "seq2seq" else rasp.load(PROGRAMS / f"{name}.rasp")
            known[name] = compiler.compile(read).model
        return known[name]

    return find


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A headless Chromium with a fresh profile."""
    binary = next(filter(None, map(shutil.which, BROWSERS)), None)
    if binary is None:
        pytest.skip(MISSING)
    sync_api = pytest.importorskip("playwright.sync_api", reason="NO DRIVER: install playwright from the extra `test`")
    with sync_api.sync_playwright() as driver:
        running = driver.chromium.launch(executable_path=binary, args=FLAGS)
        yield running
        running.close()


class Watched:
    """An open page, what it complained about and what it asked the network for."""

    def __init__(self, tab: Any) -> None:
        self.tab = tab
        self.complaints: list[str] = []
        self.requests: list[str] = []
        tab.on("console", lambda message: self.complaints.append(message.text))
        tab.on("pageerror", lambda problem: self.complaints.append(str(problem)))
        tab.on("dialog", lambda dialog: (self.complaints.append(dialog.message), dialog.dismiss()))
        tab.on("request", lambda request: self.requests.append(request.url))

    def texts(self, selector: str) -> list[str]:
        """The text of each element."""
        found: list[str] = self.tab.locator(selector).all_inner_texts()
        return found

    def answers(self) -> list[str]:
        """The answers in the strip below the tokens."""
        return self.texts("#strip .answers b")

    def quiet(self) -> bool:
        """Whether the page said nothing and fetched nothing but itself."""
        return not self.complaints and all(url.startswith(("file:", "data:")) for url in self.requests)


Open = Callable[..., Watched]


@pytest.fixture
def visit(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """Open the page of a model on an input; in the end every page must have been quiet."""
    opened: list[Watched] = []

    def go(model: Transformer, tokens: Any, width: int = 1280, height: int = 900, scheme: str = "light") -> Watched:
        file = tmp_path / f"{len(opened)}.html"
        file.write_text(page(model, tokens), encoding="utf-8")
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
        watched = Watched(context.new_page())
        opened.append(watched)
        watched.tab.goto(file.as_uri())
        return watched

    yield go
    for watched in opened:
        assert watched.quiet(), (watched.complaints, watched.requests)
        watched.tab.context.close()
