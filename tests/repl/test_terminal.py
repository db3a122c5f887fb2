"""The console at a real pseudo-terminal: keys go in, what a person would see is compared."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from rasp.console.terminal import is_complete
from tests.places import RASP

CODES = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|\][^\x07]*\x07|[()][0-9A-B]|[=>])")
UP, DOWN, LEFT, TAB, END = "\x1b[A", "\x1b[B", "\x1b[D", "\t", "\x05"


class Terminal:
    """The console behind a pseudo-terminal."""

    def __init__(self, folder: Path, **environment: str) -> None:
        own = {"TERM": "xterm", "NO_COLOR": "1", "PROMPT_TOOLKIT_NO_CPR": "1", "RASP_HISTORY": str(folder / "history")}
        everything = {**os.environ, **own, **environment}
        self.process = pexpect.spawn(
            str(RASP), env=everything, cwd=str(folder), dimensions=(50, 110), encoding="utf-8", timeout=20
        )
        self.see("running example is: hello")
        self.see(">> ")

    def type(self, keys: str) -> None:
        """Press keys, without Enter."""
        self.process.send(keys)

    def enter(self, line: str) -> None:
        """Type a line and press Enter."""
        self.type(line + "\r")

    def see(self, text: str) -> str:
        """Wait for a text on the screen; gives what was shown up to it, without the codes of colours and cursor."""
        pattern = r"(?:\x1b\[[0-9;?]*[ -/]*[@-~])*".join(map(re.escape, text))
        self.process.expect(pattern)
        return CODES.sub("", (self.process.before or "") + text)

    def ends(self) -> int:
        """Wait for the end; gives the exit code."""
        self.process.expect(pexpect.EOF)
        self.process.close()
        return int(self.process.exitstatus or 0)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    opened = Terminal(tmp_path)
    yield opened
    opened.process.close(force=True)


def test_a_statement_and_its_example(terminal: Terminal) -> None:
    terminal.enter("x = indices + 1;")
    terminal.see("s-op: x")
    terminal.see('Example: x("hello") = [1, 2, 3, 4, 5] (ints)')
    terminal.see(">> ")


def test_an_unfinished_statement_goes_on_in_the_next_line(terminal: Terminal) -> None:
    terminal.enter("def f(a) {")
    terminal.see(".. ")
    terminal.enter("b = a + 1;")
    terminal.enter("return b;")
    terminal.enter("}")
    terminal.see("console function: f(a)")
    terminal.enter("f(2);")
    terminal.see("value: out =  3")


def test_two_empty_lines_ask_what_is_missing(terminal: Terminal) -> None:
    terminal.enter("x = 1")
    terminal.enter("")
    terminal.enter("")
    terminal.see("error[unfinished]")
    terminal.see(">> ")


def test_a_line_of_an_unfinished_statement_can_still_be_changed(terminal: Terminal) -> None:
    terminal.enter("x =")
    terminal.type("2;" + UP + END + " 40 +" + DOWN + END + "\r")
    terminal.see("value: x =  42")


def test_tab_completes_a_name(terminal: Terminal) -> None:
    terminal.enter("reversed_tokens = 5;")
    terminal.see("value: reversed_tokens =  5")
    terminal.type("rever" + TAB)
    terminal.see("reversed_tokens")
    terminal.enter(" + 1;")
    terminal.see("value: out =  6")


def test_tab_offers_several_names(terminal: Terminal) -> None:
    terminal.type("select_from_" + TAB)
    shown = terminal.see("select_from_first")
    assert "select_from_last" in shown


def test_up_brings_back_what_was_typed(terminal: Terminal) -> None:
    terminal.enter("1 + 1;")
    terminal.see("value: out =  2")
    terminal.type(UP)
    terminal.type(LEFT * 2 + "4" + END + "\r")
    terminal.see("value: out =  42")


def test_the_history_survives_the_session(tmp_path: Path) -> None:
    first = Terminal(tmp_path)
    first.enter('remembered = "yes";')
    first.see("value: remembered")
    first.enter("exit")
    assert first.ends() == 0
    second = Terminal(tmp_path)
    second.type(UP + UP + "\r")
    second.see('value: remembered =  "yes"')
    second.process.close(force=True)


def test_without_a_place_for_the_history_it_works_too(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, RASP_HISTORY="/dev/null/nowhere/history")
    terminal.enter("1;")
    terminal.see("value: out =  1")
    terminal.process.close(force=True)


def test_control_c_drops_the_line(terminal: Terminal) -> None:
    terminal.enter("x = (1 +")
    terminal.see(".. ")
    terminal.type("\x03")
    terminal.see(">> ")
    terminal.enter("2;")
    terminal.see("value: out =  2")


def test_control_c_stops_what_is_running(terminal: Terminal) -> None:
    terminal.enter("set example range(1000)")
    terminal.see(">> ")
    terminal.enter("for i in range(999) { x = aggregate(select(indices, indices + i, <=), indices / 7); }")
    terminal.see("}")
    terminal.process.expect(pexpect.TIMEOUT, timeout=0.7)
    terminal.process.sendintr()
    terminal.see("interrupted")
    terminal.enter("3;")
    terminal.see("value: out =  3")


def test_control_d_leaves(terminal: Terminal) -> None:
    terminal.type("\x04")
    assert terminal.ends() == 0


@pytest.mark.parametrize("word", ["exit", "quit()"])
def test_exit_leaves(terminal: Terminal, word: str) -> None:
    terminal.enter(word)
    assert terminal.ends() == 0


def test_an_error_is_shown_and_the_session_goes_on(terminal: Terminal) -> None:
    terminal.enter("x = indicies;")
    terminal.see("error[unknown-name]: `indicies` is not defined")
    terminal.see("hint: did you mean `indices`?")
    terminal.enter("1;")
    terminal.see("value: out =  1")


def test_what_groups_otherwise_than_it_looks_is_said_below_the_statement(terminal: Terminal, tmp_path: Path) -> None:
    terminal.enter("x = 0 < indices < 2;")
    terminal.see('Example: x("hello")')
    terminal.see("warning[precedence]: comparisons do not chain: this reads `(0 < indices) < 2`")
    (tmp_path / "chained.rasp").write_text("y = 0 < indices < 2;\n")
    terminal.enter('load "chained";')
    terminal.see("s-op: y")
    terminal.enter("1;")
    assert "warning" not in terminal.see("value: out =  1")


def test_colours(tmp_path: Path) -> None:
    terminal = Terminal(tmp_path, TERM="xterm-256color", NO_COLOR="")
    terminal.process.close(force=True)
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    environment |= {"TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1", "RASP_HISTORY": ""}
    coloured = pexpect.spawn(str(RASP), env=environment, cwd=str(tmp_path), encoding="utf-8", timeout=20)
    coloured.expect(">> ")
    coloured.send("x = nosuch;\r")
    coloured.expect(re.escape("\x1b[31merror[unknown-name]"))
    coloured.send("1;\r")
    coloured.expect(re.escape("\x1b[36m    value:\x1b[0m out =  1"))
    coloured.close(force=True)


def test_help_and_a_header_line(terminal: Terminal) -> None:
    terminal.enter("help select")
    terminal.see("select(key, query, predicate)")
    terminal.enter('#@ vocab: "abc"')
    terminal.see(">> ")
    terminal.enter("1;")
    terminal.see("value: out =  1")


@pytest.mark.parametrize(
    "text", ["", "1;", "x = 1; y = 2;", "help", "compile x", "exit", "# note", "x = );", "show example"]
)
def test_what_enter_runs(text: str) -> None:
    assert is_complete(text)


@pytest.mark.parametrize(
    "text", ["x =", "1", "def f(a) {", "def f(a) {\n\n", "x = [1,", 'load "a"', "set example", "(\n"]
)
def test_where_enter_begins_a_line(text: str) -> None:
    assert is_complete(text) == text.endswith("\n\n")
