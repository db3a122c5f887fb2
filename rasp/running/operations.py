"""What operators do to language values while a program runs: numbers are computed, s-ops and selectors become nodes.

In: language values. Out: language values. Raises `Undefined` with a full clause where there is no answer.
Invariant: an operation on atoms alone gives an atom; one that meets an s-op or selector only builds a node, and an
atom beside an s-op stands for the same value everywhere.

    >>> print(binary("+", 1, Indices()))
    (1 + indices)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from rasp.meaning.operators import OPERATORS, Undefined, show
from rasp.meaning.sop import (
    Aggregate,
    And,
    Constant,
    Indices,
    Lookup,
    Map,
    Node,
    Not,
    Or,
    Predicate,
    Select,
    Selector,
    SOp,
    Width,
)
from rasp.meaning.tapes import LENGTH
from rasp.running.environment import Function, RaspValue, describe, is_atom
from rasp.text.source import counted

MAX_ITEMS = 100_000
"""Longest list a program may build."""

Pay: TypeAlias = Callable[[int], None]
"""Told how many steps an operation is about to take, before it takes them; it raises where they are too many."""


def _free(steps: int) -> None:
    """Nobody counts."""


def size(value: RaspValue) -> int:
    """What a value takes in steps: its items, the words of a long number, the entries of a table."""
    match value:
        case list() | dict():
            return len(value)
        case str():
            return len(value) >> 6
        case Lookup(table=entries):
            return len(entries)
        case Map(args=args):
            return len(args)
        case Node() | Function():
            return 1
        case _:
            return int(value.numerator.bit_length() + value.denominator.bit_length() >> 6)


def truth(value: RaspValue) -> bool:
    """Whether a value that is no s-op and no selector counts as true."""
    return bool(value) if is_atom(value) or isinstance(value, (list, dict)) else True


def lift(value: RaspValue) -> SOp:
    """An s-op as it is, an atom as the s-op that is this value everywhere."""
    if isinstance(value, SOp):
        return value
    if not is_atom(value):
        raise Undefined(f"expected an s-op or an atom, got {describe(value)}")
    return Constant(value)


def binary(op: str, a: RaspValue, b: RaspValue, pay: Pay = _free) -> RaspValue:
    """`a op b` for every operator between two operands."""
    pay(size(a) + size(b))
    if op == "in":
        return member(a, b, pay)
    if isinstance(a, Selector) or isinstance(b, Selector):
        return _of_selectors(op, a, b)
    if isinstance(a, SOp) or isinstance(b, SOp):
        return _of_sops(op, a, b)
    if op in {"and", "or"}:
        return (b if truth(a) else a) if op == "and" else (a if truth(a) else b)
    if is_atom(a) and is_atom(b):
        return OPERATORS[op].apply(a, b)
    return _of_containers(op, a, b, pay)


def _of_selectors(op: str, a: RaspValue, b: RaspValue) -> Selector:
    if op not in {"and", "or"}:
        raise Undefined(f"`{op}` does not apply to a selector")
    if not (isinstance(a, Selector) and isinstance(b, Selector)):
        other = b if isinstance(a, Selector) else a
        raise Undefined(f"`{op}` joins two selectors or none, here one side is {describe(other)}")
    return And(a, b) if op == "and" else Or(a, b)


def _of_sops(op: str, a: RaspValue, b: RaspValue) -> SOp:
    if op in {"and", "or"}:
        a, b = (side if isinstance(side, SOp) or is_atom(side) else truth(side) for side in (a, b))
    elif op in {"==", "!="} and not all(isinstance(side, SOp) or is_atom(side) for side in (a, b)):
        return Constant(op == "!=")  # a list or function equals no element
    return Map(op, (lift(a), lift(b)))


def _of_containers(op: str, a: RaspValue, b: RaspValue, pay: Pay) -> RaspValue:
    match op, a, b:
        case "+", list(), list():
            return _bounded(len(a) + len(b), a + b if len(a) + len(b) <= MAX_ITEMS else [])
        case "*", list(), int():
            return _repeat(a, b)
        case "*", int(), list():
            return _repeat(b, a)
        case "==" | "!=", _, _:
            return _equal(a, b, pay) is (op == "==")
        case "<" | "<=" | ">" | ">=", list(), list():
            return _ordered(op, a, b, pay)
        case _:
            raise Undefined(f"`{op}` does not apply to {describe(a)} and {describe(b)}")


def _bounded(size: int, items: list[RaspValue]) -> list[RaspValue]:
    if size > MAX_ITEMS:
        raise Undefined(f"this list would have {size} items, more than {MAX_ITEMS}")
    return items


def _repeat(items: list[RaspValue], times: int) -> list[RaspValue]:
    size = len(items) * max(times, 0)
    return _bounded(size, items * times if size <= MAX_ITEMS else [])


def _equal(a: RaspValue, b: RaspValue, pay: Pay) -> bool:
    """Equality of containers, item by item; an s-op has no value yet that could be compared.

    Lists may share parts many times over, so a pair that was met is not compared again.
    """
    todo = [(a, b)]
    met: set[tuple[int, int]] = set()
    for _ in range(10 * MAX_ITEMS):
        if not todo:
            return True
        x, y = todo.pop()
        if isinstance(x, Node) or isinstance(y, Node):
            raise Undefined("an s-op or selector inside a list cannot be compared while the program runs")
        if (id(x), id(y)) in met:
            continue
        met.add((id(x), id(y)))
        parts = _parts(x, y)
        if parts is None:
            return False
        pay(len(parts))
        todo += parts
    raise Undefined("these lists are too large to be compared")


def _parts(a: RaspValue, b: RaspValue) -> list[tuple[RaspValue, RaspValue]] | None:
    """The pairs that must be equal for two values to be equal, or None if they are not."""
    if isinstance(a, list) and isinstance(b, list):
        return list(zip(a, b, strict=True)) if len(a) == len(b) else None
    if isinstance(a, dict) and isinstance(b, dict):
        return [(value, b[key]) for key, value in a.items()] if a.keys() == b.keys() else None
    return [] if a is b or (is_atom(a) and is_atom(b) and a == b) else None


def _ordered(op: str, a: RaspValue, b: RaspValue, pay: Pay) -> bool:
    """The order of lists: that of the first items that differ, else of the lengths."""
    while isinstance(a, list) and isinstance(b, list):
        pay(min(len(a), len(b)))
        differing = [(x, y) for x, y in zip(a, b, strict=False) if not _equal(x, y, pay)][:1]
        a, b = differing[0] if differing else (len(a), len(b))
    return bool(binary(op, a, b, pay))


def unary(op: str, a: RaspValue) -> RaspValue:
    """`not a`, `-a`, `+a`, `round(a)`."""
    if isinstance(a, Selector):
        if op == "not":
            return Not(a)
        raise Undefined(f"`{op}` does not apply to a selector")
    symbol = {"-": "negate", "+": "plus"}.get(op, op)
    if isinstance(a, SOp):
        return Map(symbol, (a,))
    if op == "not":
        return not truth(a)
    if not is_atom(a):
        raise Undefined(f"`{op}` does not apply to {describe(a)}")
    return OPERATORS[symbol].apply(a)


def rounded(a: RaspValue) -> RaspValue:
    """`round(a)`."""
    return unary("round", a)


def indicator(a: RaspValue) -> SOp:
    """1 where an s-op is true, 0 elsewhere."""
    if not isinstance(a, SOp):
        raise Undefined(f"`indicator` takes an s-op, got {describe(a)}")
    return Map("indicator", (a,))


def choose(condition: SOp, a: RaspValue, b: RaspValue) -> SOp:
    """`a if condition else b` with an s-op as condition: both sides are computed everywhere."""
    return Map("if", (condition, lift(a), lift(b)))


def member(a: RaspValue, b: RaspValue, pay: Pay = _free) -> RaspValue:
    """`a in b`; in a dictionary, among its keys."""
    if not (isinstance(a, SOp) or is_atom(a)):
        raise Undefined(f"the left side of `in` is an s-op or an atom, not {describe(a)}")
    if isinstance(b, list | dict):
        return _member_of_list(a, [*b], pay)
    if isinstance(b, SOp) and is_atom(a):
        found = Aggregate(Select(b, Constant(a), "=="), Constant(1), 0)
        return Map(">", (found, Constant(0)))
    taken = "a list, a dictionary or an s-op" if is_atom(a) else "a list or a dictionary"
    raise Undefined(f"the right side of `in` is {taken}, not {describe(b)}")


def _member_of_list(a: RaspValue, items: list[RaspValue], pay: Pay) -> RaspValue:
    if isinstance(a, SOp):
        if odd := [item for item in items if not is_atom(item)]:
            raise Undefined(f"an s-op is looked for in a list of atoms, but this one holds {describe(odd[0])}")
        return Map("in", (a, *(Constant(item) for item in items)))
    return any(_equal(a, item, pay) for item in items)


def index(a: RaspValue, at: RaspValue, length: SOp = LENGTH) -> RaspValue:
    """`a[at]`: an item, an s-op's value at a position, or a table applied to an s-op. `length` is the s-op's."""
    match a, at:
        case SOp(), _:
            return _at_position(a, at, length)
        case list() | str() | dict(), SOp():
            return _table(a, at)
        case dict(), _:
            return _entry(a, at)
        case list() | str(), int():
            if not -len(a) <= at < len(a):
                raise Undefined(f"index {show(at)} is out of range for {_sized(a)}")
            return a[at]
        case list() | str(), _:
            raise Undefined(f"the index into a list or string is an integer or an s-op, not {describe(at)}")
        case _:
            raise Undefined(f"only a list, string, dictionary or s-op can be indexed, not {describe(a)}")


def _sized(a: list[RaspValue] | str) -> str:
    return f"{'a string' if isinstance(a, str) else 'a list'} of length {len(a)}"


def _entry(table: dict[RaspValue, RaspValue], key: RaspValue) -> RaspValue:
    if not is_atom(key):
        raise Undefined(f"the index into a dictionary is an atom or an s-op, not {describe(key)}")
    if key not in table:
        raise Undefined(f"{describe(key)} is not in the dictionary")
    return table[key]


def _at_position(a: SOp, at: RaspValue, length: SOp) -> SOp:
    if not isinstance(at, int):
        raise Undefined(f"a position in an s-op is an integer, not {describe(at)}")
    where: SOp = Constant(int(at))
    if at < 0:
        where = Map("-", (length, Constant(-at)))
    return Aggregate(Select(Indices(), where, "=="), a, 0)


def _table(a: list[RaspValue] | str | dict[RaspValue, RaspValue], at: SOp) -> SOp:
    entries = list(a.items()) if isinstance(a, dict) else [(key, a[key]) for key in range(-len(a), len(a))]
    if odd := [value for _, value in entries if not is_atom(value)]:
        raise Undefined(f"a table that an s-op looks up holds atoms, but this one holds {describe(odd[0])}")
    return Lookup(tuple(entries), at, None if isinstance(a, dict) else len(a))


def select(key: RaspValue, query: RaspValue, predicate: Predicate) -> Selector:
    """`select(key, query, predicate)`."""
    return Select(lift(key), lift(query), predicate)


def aggregate(selector: RaspValue, value: RaspValue, default: RaspValue = 0) -> SOp:
    """`aggregate(selector, value, default)`."""
    if not isinstance(selector, Selector):
        raise Undefined(f"`aggregate` takes a selector first, got {describe(selector)}")
    if not is_atom(default):
        raise Undefined(f"the default of an aggregate is an atom, not {describe(default)}")
    return Aggregate(selector, lift(value), default)


def selector_width(selector: RaspValue) -> SOp:
    """`selector_width(selector)`."""
    if not isinstance(selector, Selector):
        raise Undefined(f"`selector_width` takes a selector, got {describe(selector)}")
    return Width(selector)


def length_of(value: RaspValue) -> int:
    """`len(value)`."""
    if not isinstance(value, list):
        raise Undefined(f"`len` takes a list, got {describe(value)}")
    return len(value)


def numbers(*bounds: RaspValue) -> list[RaspValue]:
    """`range(bounds)`."""
    if len(bounds) > 3:
        raise Undefined(f"`range` takes one to three integers, got {len(bounds)}")
    for bound in bounds:
        if not isinstance(bound, int):
            raise Undefined(f"`range` takes integers, got {describe(bound)}")
    if len(bounds) == 3 and bounds[2] == 0:
        raise Undefined("the step of a `range` cannot be 0")
    found = range(*bounds)
    try:
        size = len(found)
    except OverflowError:
        raise Undefined(f"this range would have more than {MAX_ITEMS} items") from None
    return _bounded(size, list(found) if size <= MAX_ITEMS else [])


def zipped(*lists: RaspValue) -> list[RaspValue]:
    """`zip(lists)`."""
    for at, items in enumerate(lists):
        if not isinstance(items, list):
            raise Undefined(f"`zip` takes lists, but number {at + 1} is {describe(items)}")
        if len(items) != len(lists[0]):
            raise Undefined(
                f"`zip` takes lists of equal length, but number {at + 1} has {len(items)}, the first {len(lists[0])}"
            )
    size = len(lists) * len(lists[0])
    return _bounded(size, [list(items) for items in zip(*lists, strict=True)] if size <= MAX_ITEMS else [])


def items_of(value: RaspValue) -> list[RaspValue]:
    """What a loop or comprehension runs over: the items of a list, the keys of a dictionary."""
    if not isinstance(value, (list, dict)):
        raise Undefined(f"a loop runs over a list or a dictionary, not {describe(value)}")
    return list(value)


def parts_of(value: RaspValue, wanted: int) -> list[RaspValue]:
    """The parts of one value that is bound to several names."""
    if isinstance(value, Function) or not isinstance(value, (list, dict, str)):
        raise Undefined(f"{describe(value)} cannot be taken apart into {counted(wanted, 'name')}")
    if len(value) != wanted:
        raise Undefined(f"{counted(wanted, 'name')} for {counted(len(value), 'value')}")
    return list(value)
