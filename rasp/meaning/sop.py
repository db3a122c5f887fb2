"""S-ops and selectors: the interned DAG that running a program leaves behind.

In: values and other nodes. Out: nodes. Functions, loops, lists, dicts and names are gone; what is left is the
computation itself, as data.
Invariant: nodes are immutable and interned, so equal nodes *are* the same object (`is`), and an input's `id` is
smaller than its user's. Constants are told apart by kind, so 1, 1.0 and True are three nodes.

    >>> a = Map("+", (Indices(), Constant(1))); a is Map("+", (Indices(), Constant(1)))
    True
    >>> print(a)
    (indices + 1)
"""

from __future__ import annotations

import copy
import itertools
import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal, TypeAlias, cast, dataclass_transform, overload

from rasp.meaning.operators import OPERATORS, TokenKind, show
from rasp.value import Value

Predicate: TypeAlias = Literal["==", "!=", "<", "<=", ">", ">="]
Tape: TypeAlias = Literal["source", "target"]
"""A sequence that a program reads. A program of one tape reads the target alone."""

_interned: weakref.WeakValueDictionary[Any, Node] = weakref.WeakValueDictionary()
_ids = itertools.count()


def _key(field: object) -> object:
    """What tells a field from others: a node by identity, values by kind too."""
    if isinstance(field, Node):
        return field
    if not isinstance(field, tuple):
        return type(field), field
    if field and isinstance(field[0], tuple):  # a table
        values = tuple(itertools.chain.from_iterable(field))
        return values, tuple(map(type, values))
    return tuple(map(_key, field))


class _Interning(type):
    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        made = super().__call__(*args, **kwargs)
        key = (cls, *(_key(getattr(made, name)) for name in cls.__match_args__))  # type: ignore[attr-defined]
        node = _interned.get(key)
        if node is None:
            object.__setattr__(made, "id", next(_ids))
            object.__setattr__(made, "encoded", made.is_encoded())
            node = _interned[key] = made
        return node


class Node(metaclass=_Interning):
    """An s-op or a selector."""

    __slots__ = ("__weakref__", "encoded", "id")
    id: int
    encoded: bool
    """Whether an s-op is computed from `Encoded` ones, position by position; whether the keys of a selector are. It
    stands on the source then, or they do."""

    @property
    def inputs(self) -> tuple[Node, ...]:
        """The nodes this one is computed from, in order."""
        return ()

    def is_encoded(self) -> bool:
        """What `encoded` says, as far as it follows from the inputs."""
        return False

    def written(self, *inputs: str) -> str:
        """The node as RASP text, given the text of its inputs."""
        raise NotImplementedError

    def __str__(self) -> str:
        return self.written(*(str(node) for node in self.inputs))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id}>"


class SOp(Node):
    """A function from an input of length n to n values."""

    __slots__ = ()


class Selector(Node):
    """A function from an input of length n to an n x n boolean matrix, [query, key]."""

    __slots__ = ()


@dataclass_transform(frozen_default=True, eq_default=False)
def _form(cls: type) -> Any:
    return dataclass(frozen=True, eq=False, repr=False, slots=True)(cls)


@_form
class Tokens(SOp):
    """The input itself: `asis` leaves the elements alone, the others apply Python's `str`, `int`, `float`, `bool`."""

    convert: TokenKind
    tape: Tape = "target"

    def written(self, *inputs: str) -> str:
        return f"{'tokens' if self.tape == 'target' else 'source'}_{self.convert}"


@_form
class Indices(SOp):
    """The position, 0 to n - 1: on this tape, or, where it names none, on the one that it is read on."""

    tape: Tape | None = None

    def written(self, *inputs: str) -> str:
        return "indices"


@_form
class Constant(SOp):
    """The same value everywhere: on this tape, or, where it names none, on the one that it is read on."""

    value: Value
    tape: Tape | None = None

    def written(self, *inputs: str) -> str:
        return show(self.value)


@_form
class Encoded(SOp):
    """An s-op of the source as cross-attention reads it at its keys: a leaf, for the encoder has computed it before.

    No program writes it. What is inside names no tape: it is of the encoder, and all of it stands on the source.
    """

    node: SOp

    def is_encoded(self) -> bool:
        return True

    def written(self, *inputs: str) -> str:
        return f"source[{self.node}]"


@_form
class Phi(SOp):
    """What a name that a loop carries holds as a round begins, a number out of `values` where these are known; `stale`:
    what a name that is not carried held in the round before. No program writes it."""

    name: str
    values: tuple[Value, ...] = ()
    stale: bool = False

    def written(self, *inputs: str) -> str:
        return self.name


@_form
class Map(SOp):
    """An operation of the operator table, position by position."""

    op: str
    args: tuple[SOp, ...]

    @property
    def inputs(self) -> tuple[Node, ...]:
        return self.args

    def is_encoded(self) -> bool:
        return any(arg.encoded for arg in self.args)

    def written(self, *inputs: str) -> str:
        notation = OPERATORS[self.op].notation
        return notation.format(inputs[0], ", ".join(inputs[1:])) if self.op == "in" else notation.format(*inputs)


@_form
class Lookup(SOp):
    """A finite table applied position by position; a key that is missing is an error.

    A list or string of length n is the table from -n .. n - 1 (`sequence` keeps its length for the error message).
    """

    table: tuple[tuple[Value, Value], ...]
    arg: SOp
    sequence: int | None = None

    @property
    def inputs(self) -> tuple[Node, ...]:
        return (self.arg,)

    def is_encoded(self) -> bool:
        return self.arg.encoded

    def written(self, *inputs: str) -> str:
        entries = self.table if self.sequence is None else self.table[self.sequence :]
        few = entries if len(entries) <= 8 else entries[:7]
        shown = [f"{show(key)}: {show(value)}" if self.sequence is None else show(value) for key, value in few]
        text = ", ".join(shown if few is entries else [*shown, f"... {len(entries) - 7} more"])
        return f"{{{text}}}[{inputs[0]}]" if self.sequence is None else f"[{text}][{inputs[0]}]"


@_form
class Aggregate(SOp):
    """For each query, the one selected value, the mean of several selected numbers, or the default of an empty row."""

    selector: Selector
    value: SOp
    default: Value = 0

    @property
    def inputs(self) -> tuple[Node, ...]:
        return (self.selector, self.value)

    def written(self, *inputs: str) -> str:
        return f"aggregate({inputs[0]}, {inputs[1]}, {show(self.default)})"


@_form
class Width(SOp):
    """For each query, the number of selected keys (`selector_width`)."""

    selector: Selector

    @property
    def inputs(self) -> tuple[Node, ...]:
        return (self.selector,)

    def written(self, *inputs: str) -> str:
        return f"selector_width({inputs[0]})"


@_form
class Total(SOp):
    """For each query, the sum of the selected keys' numbers: a mean times a width. No program writes it by itself."""

    selector: Selector
    value: SOp

    @property
    def inputs(self) -> tuple[Node, ...]:
        return (self.selector, self.value)

    def written(self, *inputs: str) -> str:
        return f"total({inputs[0]}, {inputs[1]})"


@_form
class Select(Selector):
    """[query, key] is `key OP query`: the key's value stands on the left."""

    key: SOp
    query: SOp
    predicate: Predicate

    @property
    def inputs(self) -> tuple[Node, ...]:
        return (self.key, self.query)

    def is_encoded(self) -> bool:
        return self.key.encoded

    def written(self, *inputs: str) -> str:
        return f"select({inputs[0]}, {inputs[1]}, {self.predicate})"


@_form
class Not(Selector):
    """The complement of a selector."""

    arg: Selector

    @property
    def inputs(self) -> tuple[Node, ...]:
        return (self.arg,)

    def is_encoded(self) -> bool:
        return self.arg.encoded

    def written(self, *inputs: str) -> str:
        return f"(not {inputs[0]})"


@_form
class And(Selector):
    """The intersection of two selectors."""

    left: Selector
    right: Selector

    @property
    def inputs(self) -> tuple[Node, ...]:
        return (self.left, self.right)

    def is_encoded(self) -> bool:
        return self.left.encoded or self.right.encoded

    def written(self, *inputs: str) -> str:
        return f"({inputs[0]} and {inputs[1]})"


@_form
class Or(Selector):
    """The union of two selectors."""

    left: Selector
    right: Selector

    @property
    def inputs(self) -> tuple[Node, ...]:
        return (self.left, self.right)

    def is_encoded(self) -> bool:
        return self.left.encoded or self.right.encoded

    def written(self, *inputs: str) -> str:
        return f"({inputs[0]} or {inputs[1]})"


AnySOp: TypeAlias = Tokens | Indices | Constant | Encoded | Phi | Map | Lookup | Aggregate | Width | Total
AnySelector: TypeAlias = Select | Not | And | Or


@overload
def closed(node: SOp) -> AnySOp: ...
@overload
def closed(node: Selector) -> AnySelector: ...
@overload
def closed(node: Node) -> AnySOp | AnySelector: ...
def closed(node: Node) -> AnySOp | AnySelector:
    """The node itself, as one of all classes that there are: a `match` that forgets one is a type error."""
    return cast(AnySOp | AnySelector, node)


def reachable(roots: Iterable[Node], known: Callable[[Node], bool] = lambda node: False) -> list[Node]:
    """Every node the roots are computed from, and the roots, inputs first. Iterative: a graph may be deep.

    The order follows from the roots alone. What is `known` is left out, and so is what only it is computed from.
    """
    done: dict[Node, None] = {}
    todo = [(root, False) for root in roots][::-1]
    while todo:
        node, opened = todo.pop()
        if opened:
            done.setdefault(node)
        elif node not in done and not known(node):
            todo.append((node, True))
            todo += [(arg, False) for arg in reversed(node.inputs) if arg not in done]
    return list(done)


def at_source(node: SOp) -> SOp:
    """What an encoded s-op is on the source's own tape, where the encoder computes it; any other as it is."""
    found: dict[Any, Any] = {}
    for current in reachable([node]) if node.encoded else ():
        match current:
            case Encoded(inner):
                found[current] = inner
            case Map(op, args):
                found[current] = Map(op, tuple(found[arg] for arg in args))
            case Lookup(table, arg, sequence):
                found[current] = Lookup(table, found[arg], sequence)
            case _:
                found[current] = current
    return cast(SOp, found.get(node, node))


def substituted(roots: Iterable[Node], new: Mapping[Node, Node]) -> dict[Node, Node]:
    """Every node below the roots over what stands for some of them."""
    made: dict[Node, Node] = dict(new)

    def remade(part: Any) -> Any:
        if isinstance(part, tuple) and any(isinstance(item, Node) for item in part):
            return tuple(made[item] for item in part)
        return made.get(part, part) if isinstance(part, Node) else part

    for node in reachable(roots, made.__contains__):
        parts = [remade(getattr(node, field.name)) for field in fields(cast(Any, node))]
        made[node] = node if isinstance(node, Encoded) else type(node)(*parts)
    return made


def twin(node: Node) -> Any:
    """The same computation as a node of its own, outside of the interning: a console gives each its own name."""
    made = copy.copy(node)
    object.__setattr__(made, "encoded", node.encoded)  # no field, and so not copied
    object.__setattr__(made, "id", next(_ids))
    return made


def interned(roots: Iterable[Node]) -> dict[Node, Node]:
    """The interned node of every node the roots are computed from: twins fall together again."""
    return substituted(roots, {})
