"""The reference interpreter: what a program means, exactly and in plain Python.

In: nodes and one input. Out: for an s-op its n values, for a selector its n x n booleans, [query][key].
Inside, a selector's row is one integer, bit k for key k, so that `and`, `or`, `not`, counting and picking are integer
operations; comparisons are made once for each distinct value. Several inputs are run as one, end to end: only
selectors and aggregates know where one ends.
Invariant: every s-op on the way to an answer is checked too: its values are all strings or all numbers.

    >>> evaluate(Select(Indices(), Constant(1), "<"), "ab")
    [[True, False], [True, False]]
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import accumulate, chain
from sys import getsizeof
from typing import Any, TypeAlias, cast

from rasp.meaning.means import Means
from rasp.meaning.operators import OPERATORS, PREDICATES, Number, TokenKind, Undefined, convert, show
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
    Select,
    Selector,
    SOp,
    Tokens,
    Total,
    Width,
    reachable,
)
from rasp.text.source import Diagnostic, RaspError, Span, error
from rasp.value import Value, from_python

Input: TypeAlias = Iterable[Any]
Matrix: TypeAlias = list[list[bool]]
Rows: TypeAlias = list[int]


MAX_BYTES = 1 << 30
"""About how much memory the values and rows of one run may take."""
_PER_VALUE, _PER_ROW = 64, 72
"""About what a value, and a row besides its bits, take in bytes."""


def _held(nodes: Sequence[Node], lengths: Sequence[int]) -> int:
    """About how many bytes the values and rows of nodes take on inputs of these lengths."""
    selectors = sum(isinstance(node, Selector) for node in nodes)
    values = sum(lengths) * _PER_VALUE
    rows = sum(length * (_PER_ROW + length // 8) for length in lengths)
    return (len(nodes) - selectors) * values + selectors * rows


def evaluate(
    nodes: Node | Sequence[Node], tokens: Input, causal: bool = False, spans: Mapping[Node, Span] | None = None
) -> Any:
    """The value of a node on an input (a list of values, or a matrix), or the list of the values of several nodes.

    `causal` lets a query see only keys at or before itself, wherever a selector is aggregated or counted.
    Raises `RaspError` where the language gives no answer; `spans` says where a node was written.
    """
    roots = [nodes] if isinstance(nodes, Node) else list(nodes)
    run = Run(tokens, causal, spans or {})
    run.compute(roots)
    answers = [run.answer(root) for root in roots]
    return answers[0] if isinstance(nodes, Node) else answers


def evaluate_each(
    nodes: Sequence[SOp], inputs: Sequence[Sequence[Any]], causal: bool = False
) -> list[list[list[Value]] | RaspError]:
    """For each input the values of every node, or the error that says why there are none: `evaluate`, but faster."""
    if not inputs:
        return []
    try:
        run = Run(chain.from_iterable(inputs), causal, lengths=[len(tokens) for tokens in inputs])
        run.compute(nodes)
    except RaspError as problem:  # in one of them at least: look for it in smaller parts
        if len(inputs) == 1:
            return [problem]
        step = -(-len(inputs) // 16)
        parts = [inputs[start : start + step] for start in range(0, len(inputs), step)]
        return [answer for part in parts for answer in evaluate_each(nodes, part, causal)]
    return [[run.values[node][part] for node in nodes] for part in run.parts]


def read_input(tokens: Input) -> list[Value]:
    """The exact elements of an input: the characters of a string, the items of a list, the keys of a dictionary."""
    try:
        elements = [element if type(element) is str else from_python(element) for element in tokens]
    except TypeError as problem:
        raise error("input", f"an input is a string or a list of scalars: {problem}") from None
    except ValueError:
        raise error("input", "an input has no infinite and no undefined numbers") from None
    if not elements:
        raise error("empty-input", "an input has at least one token")
    return elements


class Run:
    """One input and what is known about it: a memo from nodes to values or rows.

    Or several inputs, end to end: `lengths` says how long each is, `parts` where it lies. What is said about positions
    in the message of an error is then of no use.
    """

    def __init__(
        self,
        tokens: Input,
        causal: bool = False,
        spans: Mapping[Node, Span] | None = None,
        lengths: Sequence[int] | None = None,
    ) -> None:
        self.tokens = read_input(tokens)
        self.n = len(self.tokens)
        self.causal = causal
        self.spans = spans if spans is not None else {}
        lengths = lengths or [self.n]
        if not all(lengths):
            raise error("empty-input", "an input has at least one token")
        self.parts = [slice(end - length, end) for length, end in zip(lengths, accumulate(lengths), strict=True)]
        self.positions = list(chain.from_iterable(map(range, lengths)))
        self.full = [row for length in lengths for row in [(1 << length) - 1] * length]
        self.taken = 0
        self.values: dict[SOp, list[Value]] = {}
        self.rows: dict[Selector, Rows] = {}

    def compute(self, roots: Iterable[Node]) -> None:
        """Compute every node the roots need, inputs first."""
        needed = reachable(roots, self.knows)
        self._take(_held(needed, [part.stop - part.start for part in self.parts]), len(needed))
        for node in needed:
            if isinstance(node, Selector):
                self.rows[node] = self._rows(node)
            elif isinstance(node, SOp):
                self.values[node] = self._checked(node, self._values(node))

    def _take(self, count: int, steps: int) -> None:
        """Count bytes that are about to be taken, or have been. Raises `RaspError` where they are too many."""
        self.taken += count
        if self.taken > MAX_BYTES:
            message = f"{steps} steps over {self.n} tokens take too much memory"
            raise error("too-long", message, hint="give a shorter input, or build shorter strings and numbers")

    def knows(self, node: Node) -> bool:
        """Whether a node has been computed."""
        return node in self.values or node in self.rows

    def answer(self, node: Node) -> list[Value] | Matrix:
        """What a computed node came to."""
        if isinstance(node, Selector):
            self._take(8 * self.n**2, 1)
            return [[bool(row >> key & 1) for key in range(self.n)] for row in self.rows[node]]
        return list(self.values[cast(SOp, node)])

    def fail(self, node: Node, code: str, message: str, hint: str | None = None) -> RaspError:
        """The error that a node has no value on this input."""
        return RaspError(Diagnostic(code, "error", message, self.spans.get(node), hint))

    def _checked(self, node: SOp, values: list[Value]) -> list[Value]:
        if str not in (kinds := set(map(type, values))) or len(kinds) == 1:
            return values
        for part in self.parts:
            self._check_kinds(node, values[part])
        return values

    def _check_kinds(self, node: SOp, values: list[Value]) -> None:
        if str in (kinds := set(map(type, values))) and len(kinds) > 1:
            text = next(at for at, value in enumerate(values) if isinstance(value, str))
            number = next(at for at, value in enumerate(values) if not isinstance(value, str))
            raise self.fail(
                node,
                "mixed-kinds",
                f"strings and numbers in one sequence: {show(values[text])} at position {text}, "
                f"{show(values[number])} at position {number}",
                _default_hint(node, values[number]),
            )

    def _values(self, node: SOp) -> list[Value]:
        match node:
            case Tokens(how):
                return [self._convert(node, how, at) for at in range(self.n)]
            case Indices():
                return list(self.positions)
            case Constant(value):
                return [value] * self.n
            case Map(op, args):
                return self._map(node, op, args)
            case Lookup(table, arg):
                return self._lookup(node, dict(table), arg)
            case Aggregate(selector, value, default):
                rows, values = self.seen(selector), self.values[value]
                return [got for part in self.parts for got in self._aggregate(node, rows[part], values[part], default)]
            case Width(selector):
                return [row.bit_count() for row in self.seen(selector)]
            case Total(selector, value):
                rows, values = self.seen(selector), self.values[value]
                return [got for part in self.parts for got in self._total(node, rows[part], values[part])]
            case _:
                raise TypeError(f"not an s-op: {node!r}")

    def _convert(self, node: SOp, how: TokenKind, at: int) -> Value:
        token = self.tokens[at]
        try:
            return convert(token, how)
        except Undefined:
            message = f"the token {show(token)} at position {at} is not {_WANTED[how]}"
            raise self.fail(node, "token", message) from None

    def _map(self, node: SOp, op: str, args: tuple[SOp, ...]) -> list[Value]:
        apply = OPERATORS[op].apply
        result: list[Value] = []
        try:
            for operands in zip(*[self.values[arg] for arg in args], strict=True):
                result.append(apply(*operands))
        except Undefined as problem:
            raise self.fail(node, "undefined", f"at position {len(result)}: {problem}") from None
        if (beyond := sum(map(_length, result)) - self.n * _PER_VALUE) > 0:
            self._take(beyond, 1)
        return result

    def _lookup(self, node: Lookup, table: dict[Value, Value], arg: SOp) -> list[Value]:
        keys = self.values[arg]
        for at, key in enumerate(keys):
            if node.sequence is not None and not isinstance(key, int):
                raise self.fail(
                    node, "index", f"at position {at}: a list or string is indexed by an integer, not {show(key)}"
                )
            if key not in table:
                raise self.fail(node, "index", f"at position {at}: {_missing(node, key)}")
        return [table[key] for key in keys]

    def seen(self, selector: Selector) -> Rows:
        """The rows of a selector as an aggregate sees them: without the future, in a causal run."""
        rows = self.rows[selector]
        return (
            [row & ((2 << query) - 1) for query, row in zip(self.positions, rows, strict=True)] if self.causal else rows
        )

    def _aggregate(self, node: SOp, rows: Rows, values: list[Value], default: Value) -> list[Value]:
        means = Means(values)
        result: list[Value] = []
        for query, row in enumerate(rows):
            if row == 0:
                result.append(default)
            elif row & (row - 1) == 0:
                result.append(values[row.bit_length() - 1])
            elif not means.numbers:
                raise self._not_numbers(node, query, row, values)
            else:
                result.append(self._of_row(node, means.of, query, row))
        return result

    def _total(self, node: SOp, rows: Rows, values: list[Value]) -> list[Value]:
        if isinstance(values[0], str):
            raise self.fail(node, "undefined", f"strings such as {show(values[0])} cannot be added up")
        means = Means(values)
        return [0 if row == 0 else self._of_row(node, means.total, query, row) for query, row in enumerate(rows)]

    def _of_row(self, node: SOp, of: Callable[[int], Number], query: int, row: int) -> Number:
        try:
            return of(row)
        except Undefined as problem:
            raise self.fail(node, "undefined", f"at position {query}: {problem}") from None

    def _not_numbers(self, node: SOp, query: int, row: int, values: list[Value]) -> RaspError:
        keys = [key for key in range(len(values)) if row >> key & 1]
        shown = " and ".join(show(values[key]) for key in keys[:2]) + (
            f" and {len(keys) - 2} more" if len(keys) > 2 else ""
        )
        return self.fail(
            node,
            "mean-of-non-numbers",
            f"at position {query} this averages {shown}",
            "only numbers have a mean: select one position, or aggregate an `indicator`",
        )

    def _rows(self, node: Selector) -> Rows:
        match node:
            case Select(key, query, predicate):
                keys, queries = self.values[key], self.values[query]
                return [row for part in self.parts for row in self._select(node, keys[part], queries[part], predicate)]
            case Not(arg):
                return [full ^ row for full, row in zip(self.full, self.rows[arg], strict=True)]
            case And(left, right):
                return [a & b for a, b in zip(self.rows[left], self.rows[right], strict=True)]
            case Or(left, right):
                return [a | b for a, b in zip(self.rows[left], self.rows[right], strict=True)]
            case _:
                raise TypeError(f"not a selector: {node!r}")

    def _select(self, node: Selector, keys: list[Value], queries: list[Value], predicate: str) -> Rows:
        masks: dict[Value, int] = {}
        for at, value in enumerate(keys):
            masks[value] = masks.get(value, 0) | 1 << at
        if predicate == "==":
            return [masks.get(query, 0) for query in queries]
        if predicate == "!=":
            full = (1 << len(keys)) - 1
            return [full ^ masks.get(query, 0) for query in queries]
        if isinstance(keys[0], str) != isinstance(queries[0], str):
            raise self.fail(node, "undefined", _incomparable(keys[0], queries[0], predicate))
        return _ordered(masks, queries, predicate, (1 << len(keys)) - 1)


def _length(value: Value) -> int:
    """About how many bytes a value takes."""
    if isinstance(value, Fraction):
        return getsizeof(value.numerator) + getsizeof(value.denominator)
    return getsizeof(value)


def _ordered(masks: dict[Value, int], queries: list[Value], predicate: str, full: int) -> Rows:
    """Rows of an order comparison: the keys sorted once, one bisection for each distinct query."""
    distinct: list[Any] = sorted(masks)
    below = [0]
    for value in distinct:
        below.append(below[-1] | masks[value])
    cut = bisect.bisect_left if predicate in {"<", ">="} else bisect.bisect_right
    flip = full if predicate in {">", ">="} else 0
    rows = {query: flip ^ below[cut(distinct, query)] for query in set(queries)}
    return [rows[query] for query in queries]


def _incomparable(key: Value, query: Value, predicate: str) -> str:
    try:
        PREDICATES[predicate](key, query)
    except Undefined as problem:
        return f"at position 0, key 0: {problem}"
    raise AssertionError("comparable after all")


def _missing(node: Lookup, key: Value) -> str:
    if node.sequence is not None:
        return f"index {show(key)} is out of range for a list or string of length {node.sequence}"
    return f"{show(key)} is not in the dictionary"


def _default_hint(node: SOp, number: Value) -> str | None:
    if isinstance(node, Aggregate) and number == node.default:
        return "where nothing is selected an aggregate gives its default, 0 if none is written: add one"
    return None


_WANTED = {
    "asis": "a scalar",
    "str": "short enough for a string",
    "int": "an integer",
    "float": "a number",
    "bool": "a bool",
}
