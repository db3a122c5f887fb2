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
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import chain
from sys import getsizeof
from typing import Any, TypeAlias, assert_never, cast

from rasp.meaning.inputs import Input, Places, Rows
from rasp.meaning.means import Means
from rasp.meaning.messages import WANTED, default_hint, incomparable, missing
from rasp.meaning.operators import OPERATORS, Number, TokenKind, Undefined, convert, show
from rasp.meaning.sop import (
    Aggregate,
    And,
    Constant,
    Encoded,
    Indices,
    Lookup,
    Map,
    Node,
    Not,
    Or,
    Phi,
    Select,
    Selector,
    SOp,
    Tape,
    Tokens,
    Total,
    Width,
    at_source,
    closed,
    reachable,
)
from rasp.meaning.tapes import Tapes
from rasp.text.source import Diagnostic, RaspError, Span, error
from rasp.value import Value

Matrix: TypeAlias = list[list[bool]]


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
    nodes: Node | Sequence[Node],
    tokens: Input,
    causal: bool = False,
    spans: Mapping[Node, Span] | None = None,
    source: Input | None = None,
) -> Any:
    """The value of a node on an input (a list of values, or a matrix), or the list of the values of several nodes.

    `causal` lets a query see only keys at or before itself, wherever a selector is aggregated or counted. With a
    `source`, the tokens are the target's, only they are causal, and the nodes are `Instances`.
    Raises `RaspError` where the language gives no answer; `spans` says where a node was written.
    """
    roots = [nodes] if isinstance(nodes, Node) else list(nodes)
    run = Run(tokens, causal, spans or {}, source=None if source is None else Places(source))
    run.compute(roots)
    answers = [run.answer(root) for root in roots]
    return answers[0] if isinstance(nodes, Node) else answers


def evaluate_each(
    nodes: Sequence[SOp],
    inputs: Sequence[Sequence[Any]],
    causal: bool = False,
    sources: Sequence[Sequence[Any]] | None = None,
) -> list[list[list[Value]] | RaspError]:
    """For each input the values of every node, or the error that says why there are none: `evaluate`, but faster.

    With `sources`, one for each, the inputs are targets.
    """
    if not inputs:
        return []
    try:
        source = None if sources is None else Places(chain.from_iterable(sources), [len(tokens) for tokens in sources])
        run = Run(chain.from_iterable(inputs), causal, lengths=[len(tokens) for tokens in inputs], source=source)
        run.compute(nodes)
    except RaspError as problem:  # in one of them at least: look for it in smaller parts
        if len(inputs) == 1:
            return [problem]
        step = -(-len(inputs) // 16)
        parts = [slice(start, start + step) for start in range(0, len(inputs), step)]
        return [
            answer
            for part in parts
            for answer in evaluate_each(nodes, inputs[part], causal, None if sources is None else sources[part])
        ]
    places = [run.places(node).parts for node in nodes]
    return [
        [run.values[node][parts[number]] for node, parts in zip(nodes, places, strict=True)]
        for number in range(len(inputs))
    ]


class Run:
    """One input and what is known about it: a memo from nodes to values or rows.

    Or several inputs, end to end: `lengths` says how long each is, `parts` where it lies. What is said about positions
    in the message of an error is then of no use.
    With a `source`, the tokens are the target's, and the nodes are instances: their leaves name their tapes.
    """

    def __init__(
        self,
        tokens: Input,
        causal: bool = False,
        spans: Mapping[Node, Span] | None = None,
        lengths: Sequence[int] | None = None,
        source: Places | None = None,
    ) -> None:
        self.target = Places(tokens, lengths)
        self.source = source
        self.tokens, self.n, self.parts = self.target.tokens, self.target.n, self.target.parts
        self.tapes = Tapes()
        self.causal = causal
        self.spans = spans if spans is not None else {}
        self.taken = 0
        self._encoder: Run | None = None
        self.values: dict[SOp, list[Value]] = {}
        self.rows: dict[Selector, Rows] = {}

    def compute(self, roots: Iterable[Node]) -> None:
        """Compute every node the roots need, inputs first."""
        needed = reachable(roots, self.knows)
        self._take(_held(needed, self._lengths()), len(needed))
        for node in needed:
            if isinstance(node, Selector):
                self.rows[node] = self._rows(node)
            elif isinstance(node, SOp):
                self.values[node] = self._checked(node, self._values(node))

    def _lengths(self) -> Sequence[int]:
        """How long each input is, on the longer of its tapes."""
        if self.source is None:
            return self.target.lengths
        return [*map(max, self.target.lengths, self.source.lengths)]

    def _read(self, leaf: SOp, tape: Tape | None) -> Places:
        """The places that a leaf reads."""
        if tape != "source":
            return self.target
        if self.source is None:
            raise self.fail(leaf, "tapes", "this reads a source, and there is none", "an input has one tape")
        return self.source

    def _encoded(self, node: SOp) -> list[Value]:
        """What the encoder computes of the source, which to itself is the one input."""
        if self._encoder is None:
            source = self._read(node, "source")
            self._encoder = Run(source.tokens, spans=self.spans, lengths=source.lengths)
        self._encoder.compute([node])
        return self._encoder.values[node]

    def places(self, node: SOp) -> Places:
        """The places of the tape that an s-op stands on."""
        if self.source is None or self.tapes.of(node) != "source":
            return self.target
        return self.source

    def sides(self, selector: Selector) -> tuple[Places, Places]:
        """The places of a selector's keys, and those of its queries."""
        if self.source is None:
            return self.target, self.target
        keys, queries = [self.source if side == "source" else self.target for side in self.tapes.sides(selector)]
        return keys, queries

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
            keys, queries = self.sides(node)
            self._take(8 * keys.n * queries.n, 1)
            return [[bool(row >> key & 1) for key in range(keys.n)] for row in self.rows[node]]
        return list(self.values[cast(SOp, node)])

    def fail(self, node: Node, code: str, message: str, hint: str | None = None) -> RaspError:
        """The error that a node has no value on this input."""
        if self.source is not None:
            tape = self.tapes.of(node) if isinstance(node, SOp) else self.tapes.sides(cast(Selector, node)).queries
            message = f"on the {tape}: {message}"
        return RaspError(Diagnostic(code, "error", message, self.spans.get(node), hint))

    def _checked(self, node: SOp, values: list[Value]) -> list[Value]:
        if str not in (kinds := set(map(type, values))) or len(kinds) == 1:
            return values
        for part in self.places(node).parts:
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
                default_hint(node, values[number]),
            )

    def _values(self, node: SOp) -> list[Value]:
        if node.encoded:
            return self._encoded(at_source(node))
        match closed(node):
            case Tokens(how, tape):
                return [self._convert(node, how, at, token) for at, token in enumerate(self._read(node, tape).tokens)]
            case Indices(tape):
                return list(self._read(node, tape).positions)
            case Constant(value, tape):
                return [value] * self._read(node, tape).n
            case Encoded(inner):
                return self._encoded(inner)
            case Phi(name):
                raise self.fail(node, "loop", f"`{name}` is what a round of a loop begins with: outside of it, nothing")
            case Map(op, args):
                return self._map(node, op, args)
            case Lookup(table, arg) as lookup:
                return self._lookup(lookup, dict(table), arg)
            case Aggregate(selector, value, default):
                pairs = self.each(selector, self.seen(selector), self._at_keys(selector, value))
                return [got for rows, values in pairs for got in self._aggregate(node, rows, values, default)]
            case Width(selector):
                return [row.bit_count() for row in self.seen(selector)]
            case Total(selector, value):
                pairs = self.each(selector, self.seen(selector), self._at_keys(selector, value))
                return [got for rows, values in pairs for got in self._total(node, rows, values)]
            case other:
                assert_never(other)

    def _at_keys(self, selector: Selector, value: SOp) -> list[Value]:
        """The values of an s-op at the keys of a selector. What is the same everywhere is so on the source, too."""
        return self._encoded(value) if selector.encoded and not value.encoded else self.values[value]

    def each(self, selector: Selector, rows: list[Any], values: list[Value]) -> Iterator[tuple[list[Any], list[Value]]]:
        """For each input what the queries of a selector have, and the values of its keys."""
        keys, queries = self.sides(selector)
        for query, key in zip(queries.parts, keys.parts, strict=True):
            yield rows[query], values[key]

    def _convert(self, node: SOp, how: TokenKind, at: int, token: Value) -> Value:
        try:
            return convert(token, how)
        except Undefined:
            message = f"the token {show(token)} at position {at} is not {WANTED[how]}"
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
                raise self.fail(node, "index", f"at position {at}: {missing(node, key)}")
        return [table[key] for key in keys]

    def seen(self, selector: Selector) -> Rows:
        """The rows of a selector as an aggregate sees them: in a causal run, without the future of the target."""
        rows = self.rows[selector]
        if not self.causal or self.sides(selector) != (self.target, self.target):
            return rows
        return [row & ((2 << query) - 1) for query, row in zip(self.target.positions, rows, strict=True)]

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
        match closed(node):
            case Select(key, query, predicate):
                pairs = self.each(node, self.values[query], self.values[key])
                return [row for queries, keys in pairs for row in self._select(node, keys, queries, predicate)]
            case Not(arg):
                keys, queries = self.sides(node)
                return [full ^ row for full, row in zip(keys.seen_by(queries), self.rows[arg], strict=True)]
            case And(left, right):
                return [a & b for a, b in zip(self.rows[left], self.rows[right], strict=True)]
            case Or(left, right):
                return [a | b for a, b in zip(self.rows[left], self.rows[right], strict=True)]
            case other:
                assert_never(other)

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
            raise self.fail(node, "undefined", incomparable(keys[0], queries[0], predicate))
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
