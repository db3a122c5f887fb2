"""Values as the original interpreter prints them, for the console and the command line.

In: language values and what they are called. Out: lines of text, tabs and blanks as in the original.

    >>> print(sequence([0, Fraction(1, 2), True]))
    [0, 0.5, T] (floats)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

from rasp.environment import Function, RaspValue, is_atom
from rasp.interpreter import Matrix
from rasp.sop import Node, Selector, SOp
from rasp.value import Value, kind_of_all, to_python

Evaluate = Callable[[Node], str]
"""How the example lines below an s-op or selector come about: given the node, the finished lines, or "" for none."""

MAX_SHOWN = 100_000
"""Longest text of one value; the rest is left out."""
MAX_INDENT = 100
"""Deepest indentation of a container within containers, in tabs."""


def number(value: bool | int | Fraction) -> str:
    """A number in full; a float as Python prints it."""
    if isinstance(value, Fraction):
        return str(float(value))
    return str(value) if value.bit_length() < 14_000 else hex(value)


def cell(value: Value) -> str:
    """A value within a sequence: floats rounded to three decimals, bools as T and F, strings bare."""
    if isinstance(value, bool):
        return "T" if value else "F"
    if isinstance(value, Fraction):
        return str(round(float(value), 3))
    return value if isinstance(value, str) else number(value)


def atom(value: Value) -> str:
    """A value by itself: strings in double quotes."""
    return f'"{value}"' if isinstance(value, str) else number(value)


def sequence(values: Sequence[Value]) -> str:
    """The values of an s-op and their kind; equal ones are written once."""
    kinds = f"({kind_of_all(list(values))}s)"
    if len(values) > 1 and all(value == values[0] for value in values):
        return f"[{cell(values[0])}]*{len(values)} {kinds}"
    return f"[{', '.join(map(cell, values))}] {kinds}"


def example(tokens: Sequence[Value] | str) -> str:
    """An input: a string in double quotes, anything else as Python writes a list."""
    return f'"{tokens}"' if isinstance(tokens, str) else str([to_python(token) for token in tokens])


def matrix(tokens: Sequence[Value] | str, rows: Matrix) -> str:
    """A selector's matrix: a column for each key, a row for each query."""
    head = " \t\t\t     " + " ".join(map(str, map(_token, tokens)))
    lines = [
        f" \t\t\t {_token(t)} | " + " ".join("1" if on else " " for on in row)
        for t, row in zip(tokens, rows, strict=True)
    ]
    return "\n".join([head, *lines])


def _token(value: Value) -> str:
    return str(to_python(value))


def sop_example(name: str, tokens: Sequence[Value] | str, values: Sequence[Value]) -> str:
    """The line below an s-op."""
    return f" \t Example: {name}({example(tokens)}) = {sequence(values)}"


def full_example(tokens: Sequence[Value], values: Sequence[Value]) -> str:
    """The lines below an s-op under `full seq display on`: input above output, right-aligned."""
    kinds = [f" ({kind_of_all(list(column))}s)" for column in (tokens, values)]
    if len(values) > 1 and all(value == values[0] for value in values):
        return f"{sequence(values)} [skipped full display: identical values]"
    above, below = [_raw(column) for column in (tokens, values)]
    width = max(map(len, [*above, *below]))
    lines = ["  ".join(text.rjust(width) for text in column) for column in (above, below)]
    return f"\t\tinput:   {lines[0]}\t{kinds[0]}\n\t\toutput:  {lines[1]}\t{kinds[1]}"


def _raw(values: Sequence[Value]) -> list[str]:
    """Unrounded cells; of bools only the rarer kind is written, both where they are equally many."""
    if kind_of_all(list(values)) != "bool":
        return [value if isinstance(value, str) else number(value) for value in values]
    true = sum(map(bool, values))
    shown = {True} if 2 * true < len(values) else {False} if 2 * true > len(values) else {True, False}
    return [cell(value) if value in shown else "" for value in values]


def value(name: str | None, it: RaspValue, examples: Evaluate, indent: str = "") -> str:
    """Any value as the console prints it; `name` is None inside a container."""
    called = f" {name} = " if name is not None else " "
    match it:
        case Function():
            return f"{indent}     {it.home.owner} function: {it.signature}"
        case SOp() | Selector():
            kind = "s-op" if isinstance(it, SOp) else "selector"
            return "\n".join(filter(None, [f"{indent}     {kind}: {name or ''}".rstrip(), examples(it)]))
        case list() | dict():
            return _container(name, it, examples, indent)
        case _:
            return f"{indent}    value:{called} {atom(it)}"


def _container(name: str | None, it: RaspValue, examples: Evaluate, indent: str) -> str:
    kind = "list" if isinstance(it, list) else "dict"
    called = f" {name} =" if name is not None else ""
    parts = it if isinstance(it, list) else list(it.values())
    if all(is_atom(part) or isinstance(part, Function) for part in parts):
        return f"{indent}     {kind}:{called} {_python(it)}"[:MAX_SHOWN]
    if len(indent) > MAX_INDENT:
        return f"{indent}     {kind}:{called} ..."
    opening, closing, deeper = ("[", "]", "\t\t") if kind == "list" else ("{", "}", "\t\t\t")
    lines = [f"{indent}     {kind}:{called}  {opening}"]
    for key, part in enumerate(parts) if kind == "list" else it.items():
        text = value(None, part, examples, indent + deeper)
        lines.append(text if kind == "list" else f"{indent}{deeper}{atom(key)} : {text.lstrip()}")
        if sum(map(len, lines)) > MAX_SHOWN:
            lines.append(f"{indent}{deeper}...")
            break
    return "\n".join([*lines, f"{indent}     {closing}"])


def _python(it: RaspValue) -> str:
    """A flat container as Python writes it."""
    if isinstance(it, dict):
        return "{" + ", ".join(f"{_python(key)}: {_python(part)}" for key, part in it.items()) + "}"
    if isinstance(it, list):
        return "[" + ", ".join(map(_python, it)) + "]"
    if isinstance(it, Function):
        return f"<function {it.name}>"
    return repr(it) if isinstance(it, str) else number(it)
