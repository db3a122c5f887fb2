"""RASP: the language, from text to s-ops, and the reference interpreter.

In: programs as text. Out: `Program`s whose s-ops are called like Python functions.

    >>> parse("double = tokens + tokens;")["double"]("ab")
    ['aa', 'bb']
"""

from rasp.interpreter import evaluate
from rasp.program import Program, load, parse
from rasp.settings import Example, Settings
from rasp.source import Diagnostic, RaspError, render, render_json

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
