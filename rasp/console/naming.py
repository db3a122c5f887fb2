"""What s-ops and selectors are called: the names that a console shows for them inside lists and dictionaries.

In: values as operations make them, functions return them and assignments bind them. Out: their names.
A new value is named after the operation that made it, a function's result after the call, and an assignment renames.
A name lives on the value, so that renaming shows wherever the value is; a new value is therefore a twin of its node.
Invariant: no name is longer than `MAX_NAME`; a longer one gives way to the name of the value's kind.

    >>> from rasp.meaning.sop import Indices
    >>> names = Naming({"indices": Indices()})
    >>> names.name(names.minted(operations.unary("-", Indices()), operations.unary, ("-", Indices())))
    '( - indices )'
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rasp.ask.show import number
from rasp.meaning.operators import MIRRORED
from rasp.meaning.sop import Node, Selector, SOp, twin
from rasp.running import operations
from rasp.running.environment import Function, RaspValue

MAX_NAME = 30
"""Longest name of an s-op or selector, in characters."""
MAX_ARGUMENT = 20
"""Longest list or dictionary that a call's name spells out, in characters."""


class Naming:
    """The names of the s-ops and selectors of one console."""

    def __init__(self, bound: Mapping[str, RaspValue]) -> None:
        self._names: weakref.WeakKeyDictionary[Node, str] = weakref.WeakKeyDictionary()
        self._chosen: weakref.WeakSet[Node] = weakref.WeakSet()
        for name, value in bound.items():
            self.rename(value, name)

    def name(self, node: Node) -> str:
        """What a node is called."""
        return self._names.get(node, "plain select" if isinstance(node, Selector) else "s-op")

    def rename(self, value: RaspValue, name: str) -> None:
        """Call an s-op or selector by this name wherever it is; other values have no names of their own."""
        if isinstance(value, Node):
            self.label(value, name)
            self._chosen.add(value)

    def chosen(self, node: Node) -> str | None:
        """The name that an assignment or a call gave, if it is not too long."""
        return self._names[node] if node in self._chosen and self._names[node] not in {"s-op", "sel"} else None

    def label(self, node: Node, name: str) -> None:
        """Call a node by a name that nobody chose: it says how the node was made."""
        plain = "s-op" if isinstance(node, SOp) else "sel"
        self._names[node] = name if len(name) <= MAX_NAME else plain

    def minted(self, value: RaspValue, operation: Callable[..., Any], args: tuple[Any, ...]) -> RaspValue:
        """The result of an operation; a new s-op or selector gets an identity and a name of its own."""
        if not isinstance(value, Node) or (operation is operations.index and not _new(args)):
            return value
        made = twin(value)
        if isinstance(made, SOp):
            self.label(made, self._made_by(operation, args))
        return made

    def called(self, function: Function, args: list[RaspValue]) -> str:
        """The name of a call's result."""
        return f"{function.name}({' , '.join(map(self._argument, args))})"

    def _made_by(self, operation: Callable[..., Any], args: tuple[Any, ...]) -> str:
        """The name of an s-op after the operation that made it."""
        if operation is operations.binary:
            return self._binary(*args)
        if operation is operations.unary:
            return self._unary(*args)
        if operation is operations.rounded:
            return self._unary("round", *args)
        if operation is operations.indicator:
            return f"I({self._brief(args[0])})"
        if operation is operations.choose:
            condition, then, other = map(self._brief, args)
            return f"{then} if {condition} else {other}"
        if operation is operations.index:
            return f"{self._brief(args[0])}[{self._brief(args[1])}]"
        return "s-op"

    def _binary(self, op: str, left: RaspValue, right: RaspValue) -> str:
        if op == "in":
            return f"{self._brief(left)} in {_listed(right)}" if isinstance(left, SOp) else "( s-op > 0 )"
        if op in MIRRORED and not isinstance(left, Node):
            op, left, right = MIRRORED[op], right, left
        if op in {"and", "or"}:
            return f"( {self._brief(left)} {op} {self._brief(right)})"
        return f"( {self._brief(left)} {'pow' if op == '^' else op} {self._brief(right)} )"

    def _unary(self, op: str, value: RaspValue) -> str:
        return f"( {op} {self._brief(value)} )"

    def _brief(self, value: RaspValue) -> str:
        """A value within a name: a string stands without quotes."""
        return value if isinstance(value, str) else self._described(value, MAX_NAME)

    def _argument(self, value: RaspValue) -> str:
        """An argument in the name of a call: a long list or dictionary is not spelled out."""
        text = self._described(value, MAX_ARGUMENT)
        if isinstance(value, (list, dict)) and len(text) > MAX_ARGUMENT:
            return "(list)" if isinstance(value, list) else "(dict)"
        return text

    def _described(self, value: RaspValue, room: int) -> str:
        """A value as it is written; of a container no more than shows that there is no room for it."""
        match value:
            case Node():
                return self.name(value)
            case list():
                return self._joined("[", ((part,) for part in value), "]", room)
            case dict():
                return self._joined("{", value.items(), "}", room)
            case Function():
                return f"{value.home.owner} function: {value.signature}"
            case str():
                return f'"{value}"'
            case _:
                return number(value)

    def _joined(self, opening: str, entries: Iterable[tuple[RaspValue, ...]], closing: str, room: int) -> str:
        """The entries of a container, until there is no room. Lists may share their parts: none is walked in vain."""
        text, comma = opening, ""
        for entry in entries:
            for between, part in zip((comma, ": "), entry, strict=False):
                text += between
                if len(text) > room:
                    return text
                text += self._described(part, room - len(text))
            comma = ", "
        return text + closing


def _new(args: tuple[Any, ...]) -> bool:
    """Whether indexing makes an s-op, rather than finding one in a list or dictionary."""
    return any(isinstance(arg, SOp) for arg in args)


def _listed(items: RaspValue) -> str:
    """A list of atoms as Python writes it."""
    return f"[{', '.join(repr(item) if isinstance(item, str) else number(item) for item in items[: MAX_NAME + 1])}]"
