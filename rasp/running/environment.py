"""What a running program holds: its values, its functions, and the names it may see.

In: language values. Out: environments, looked up from the inside out.
Invariant: a list or dictionary is never changed once made, so sharing one is safe; a name bound here never changes an
s-op built earlier.

    >>> inner = Environment(Environment(None, {"x": 1}), {"y": 2}); inner.find("x")
    1
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

from rasp.meaning.operators import show
from rasp.meaning.sop import Node, Selector, SOp
from rasp.text.source import Span
from rasp.text.syntax import Define
from rasp.value import Value

RaspValue: TypeAlias = Any
"""A `Value`, an `SOp`, a `Selector`, a `Function`, or a list or dict of these; a dict's keys are `Value`s."""

RESERVED = frozenset(
    {"if", "else", "not", "and", "or", "out", "def", "return", "range", "for", "in", "zip", "len", "get"}
    | {"tokens_asis", "tokens_str", "tokens_int", "tokens_bool", "tokens_float", "indices", "True", "False"}
)
"""Names nobody may bind, not even inside a function."""
BEYOND_THE_ORIGINAL = frozenset({"latest", "rightmost"})
"""Names of the library that the original's has not: programs were written that bind them, and may do so."""
OF_A_SOURCE = ("source", "source_int", "source_float", "source_bool", "source_length")
"""Names that are there where the header declares a source."""


@dataclass(frozen=True, eq=False)
class Environment:
    """Names and their values, inside of a parent. `owner` names it in the display of functions."""

    parent: Environment | None
    values: dict[str, RaspValue]
    protected: frozenset[str] = RESERVED
    owner: str = "console"

    def find(self, name: str) -> RaspValue:
        """The value of a name, or `Missing`."""
        here: Environment | None = self
        while here is not None:
            if name in here.values:
                return here.values[name]
            here = here.parent
        raise Missing(name)

    def has(self, name: str) -> bool:
        """Whether a name can be seen from here."""
        try:
            self.find(name)
        except Missing:
            return False
        return True

    def names(self) -> Iterator[str]:
        """Every name that can be seen from here."""
        here: Environment | None = self
        while here is not None:
            yield from here.values
            here = here.parent

    def inside(self) -> Environment:
        """A fresh environment within this one, for a call or a comprehension."""
        return Environment(self, {}, RESERVED, self.owner + "'")


class Missing(LookupError):
    """A name that is bound nowhere."""


@dataclass(frozen=True, eq=False)
class Function:
    """A function and the environment it was defined in. `body` is its definition, or Python for a primitive."""

    name: str
    parameters: tuple[str, ...]
    body: Define | Callable[..., RaspValue]
    home: Environment
    library: bool = False

    @property
    def signature(self) -> str:
        """How it is called: `f(a, b)`."""
        return f"{self.name}({', '.join(self.parameters)})"


MAX_PATH = 6
"""Most calls whose names go into the name of what is bound inside of them."""


@dataclass(frozen=True, eq=False)
class Calling:
    """A call under way: of which function, where it stands, the how manieth such call of its caller it is."""

    function: Function
    span: Span
    caller: Calling | None
    number: int
    counts: Counter[str] = field(default_factory=Counter)

    def outwards(self) -> Iterator[Calling]:
        """The call itself, its caller, and so on."""
        here: Calling | None = self
        while here is not None:
            yield here
            here = here.caller

    def __str__(self) -> str:
        """`sort`, `sort#2` for the second call, `outer.inner` for one inside of another."""
        parts = [call.function.name + (f"#{call.number}" if call.number > 1 else "") for call in self.outwards()][::-1]
        shown = parts if len(parts) <= MAX_PATH else [*parts[:2], "..", *parts[-2:]]
        return ".".join(shown)


@dataclass(frozen=True, eq=False)
class Given:
    """A name that was given to a value: where, and inside of which call."""

    name: str
    value: RaspValue
    span: Span
    call: Calling | None

    @property
    def calls(self) -> list[Calling]:
        """The calls it was given inside of, the innermost first."""
        return [] if self.call is None else [*self.call.outwards()]

    @cached_property
    def qualified(self) -> str:
        """The name behind that of the call: `sort.place`."""
        return self.name if self.call is None else f"{self.call}.{self.name}"


def is_atom(value: RaspValue) -> bool:
    """Whether this is a plain value: a number, a bool or a string."""
    return not isinstance(value, (Node, list, dict, Function))


def describe(value: RaspValue) -> str:
    """What kind of thing this is, for a message."""
    match value:
        case SOp():
            return "an s-op"
        case Selector():
            return "a selector"
        case Function():
            return f"the function {value.signature}"
        case list():
            return f"a list of {len(value)}" if value else "an empty list"
        case dict():
            return f"a dictionary of {len(value)}" if value else "an empty dictionary"
        case _:
            return _shortened(value)


def _shortened(value: Value) -> str:
    text = show(value)
    return text if len(text) <= 40 else text[:36] + "..." + text[-1]
