"""Values as the original interpreter prints them, for the console and the command line.

In: language values and what they are called. Out: lines of text, tabs and blanks as in the original.
Invariant: a value is shown line by line, so that what comes before a failing example is there.

    >>> print(sequence([0, Fraction(1, 2), True]))
    [0, 0.5, T] (floats)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from typing import Protocol

from rasp.meaning.interpreter import Matrix
from rasp.meaning.sop import Node, Selector, SOp
from rasp.running.environment import Function, RaspValue, is_atom
from rasp.value import Value, kind_of_all, to_python


class Names(Protocol):
    """What is known about s-ops and selectors beside their values."""

    def name(self, node: Node) -> str:
        """What a node within a container is called."""

    def example(self, name: str, node: Node, indent: str) -> Iterator[str]:
        """The lines below a node: its values on the running example, or none."""


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
    """The values of an s-op and the widest of their kinds, which is strings; equal ones are written once."""
    kinds = f"({kind_of_all(list(values)) or 'string'}s)"
    if len(values) > 1 and all(value == values[0] for value in values):
        return f"[{cell(values[0])}]*{len(values)} {kinds}"
    return f"[{', '.join(map(cell, values))}] {kinds}"


def example(tokens: RaspValue) -> str:
    """An input: a string in double quotes, anything else as Python writes a list."""
    return f'"{tokens}"' if isinstance(tokens, str) else _python(tokens)


def matrix(
    keys: Sequence[Value] | str, rows: Matrix, indent: str = "", queries: Sequence[Value] | str | None = None
) -> str:
    """A selector's matrix: a column for each key, a row for each query; these are the same tokens unless given."""
    lines = [
        f"{indent} \t\t\t {_token(t)} | " + " ".join("1" if on else " " for on in row)
        for t, row in zip(keys if queries is None else queries, rows, strict=True)
    ]
    return "\n".join([matrix_head(keys, indent), *lines])


def matrix_head(tokens: Sequence[Value] | str, indent: str = "") -> str:
    """The line of the keys above a matrix."""
    return f"{indent} \t\t\t     " + " ".join(map(_token, tokens))


def _token(value: Value) -> str:
    return str(to_python(value))


def sop_example(applied: str, values: Sequence[Value], indent: str = "") -> str:
    """The line below an s-op."""
    return f"{indent} \t Example: {applied} = {sequence(values)}"


def full_example(tokens: Sequence[Value] | str, values: Sequence[Value], indent: str = "", short: str = "") -> str:
    """What follows `Example:` under `full seq display on`: input above output, right-aligned.

    Equal values are written once, behind the `short` description.
    """
    if all(value == values[0] for value in values):
        return f" {short} {sequence(values)} [skipped full display: identical values]"
    above, below = _raw(list(tokens)), _raw(values)
    width = max(map(len, [*above, *below]))
    lines = [" ".join(text.rjust(width) for text in column) for column in (above, below)]
    kind = kind_of_all(list(values))
    return f"\n{indent} \t\tinput:   {lines[0]} \t (strings)\n{indent} \t\toutput:  {lines[1]} \t ({kind}s)"


def _raw(values: Sequence[Value]) -> list[str]:
    """Unrounded cells; of bools only the rarer kind is written, both where they are equally many."""
    if not isinstance(values[0], bool):
        return [value if isinstance(value, str) else number(value) for value in values]
    true, false = (sum(value == wanted for value in values) for wanted in (True, False))
    marks = ("F" if false <= true else "", "T" if true <= false else "")
    return [marks[bool(value)] for value in values]


def value(name: str | None, it: RaspValue, names: Names) -> Iterator[str]:
    """The lines of any value as the console prints it, without an end that would be too long."""
    total = 0
    for line in _lines(name, it, names, "", ""):
        total += len(line)
        yield line if len(line) <= MAX_SHOWN else line[:MAX_SHOWN] + " ..."
        if total > MAX_SHOWN:
            yield "\t..."
            return


def _lines(name: str | None, it: RaspValue, names: Names, indent: str, label: str) -> Iterator[str]:
    """`name` is None inside a container; `label` is the key within a dictionary."""
    called = "" if name is None else f"{name} = "
    match it:
        case Function():
            yield f"{indent} {label}    {it.home.owner} function: {it.signature}"
        case SOp() | Selector():
            known = names.name(it) if name is None else name
            kind = "s-op" if isinstance(it, SOp) else "selector"
            yield f"{indent} {label}    {kind}: {known}"
            yield from names.example(known, it, indent)
        case list() | dict():
            kind = "list" if isinstance(it, list) else "dict"
            yield from _container(f"   {kind}: {called}", it, names, indent, label)
        case _:
            yield f"{indent}    value: {called} {atom(it)}"


def _container(opening: str, it: RaspValue, names: Names, indent: str, label: str) -> Iterator[str]:
    """A container of atoms and functions on one line, any other one with a part a line."""
    begin = f"{indent} {label} {opening}"
    parts = list(it.items()) if isinstance(it, dict) else [(None, part) for part in it]
    if all(is_atom(part) or isinstance(part, Function) for _, part in parts):
        yield begin + _python(it)
    elif len(indent) > MAX_INDENT:
        yield begin + "..."
    else:
        brackets, deeper = ("{}", "\t\t\t") if isinstance(it, dict) else ("[]", "\t\t")
        yield f"{begin}{indent} {brackets[0]}"
        for key, part in parts:
            yield from _lines(None, part, names, indent + deeper, "" if key is None else f"{atom(key)} : ")
        yield f"{indent}{' ' * (len(opening) + 2)}{brackets[1]}"


def _python(it: RaspValue) -> str:
    """A flat container or an atom as Python writes it."""
    if isinstance(it, dict):
        return "{" + _joined(f"{_python(key)}: {_python(part)}" for key, part in it.items()) + "}"
    if isinstance(it, list):
        return "[" + _joined(map(_python, it)) + "]"
    if isinstance(it, Function):
        return f"<function {it.name}>"
    return repr(it) if isinstance(it, str) else number(it)


def _joined(texts: Iterable[str]) -> str:
    """Texts with commas between them, as many as are shown."""
    kept: list[str] = []
    total = 0
    for text in texts:
        total += len(text)
        if total > MAX_SHOWN:
            return ", ".join([*kept, "..."])
        kept.append(text)
    return ", ".join(kept)
