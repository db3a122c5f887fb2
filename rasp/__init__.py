"""RASP: the language, from text to s-ops, and the reference interpreter.

In: programs as text. Out: `Program`s whose s-ops are called like Python functions.
A room for each stage: `text`, `running`, `meaning`; `ask` and `console` for those who look. `value` and `whole` are the
ground, `settings` and `header` what a program declares, `face`, `program` and `magic` the doors.

    >>> parse("double = tokens + tokens;")["double"]("ab")
    ['aa', 'bb']
"""

from rasp.meaning.interpreter import evaluate
from rasp.program import Program, load, parse
from rasp.settings import Example, Settings
from rasp.text.source import Diagnostic, RaspError, render, render_json

__all__ = [
    "Diagnostic",
    "Example",
    "Program",
    "RaspError",
    "Settings",
    "evaluate",
    "load",
    "parse",
    "render",
    "render_json",
]
