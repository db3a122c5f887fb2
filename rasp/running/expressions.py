"""Evaluating expressions: atoms are computed, functions called, s-ops and selectors built.

In: expressions and an environment. Out: language values, and in `spans` where every node was first written (a node
made inside the library: where the library was called).
Invariant: nothing here runs for ever, fills the memory or ends in a Python traceback: steps, depth and sizes have
limits, and a problem is a `RaspError` at the expression that has it.

    >>> from rasp.text.parser import parse_text
    >>> Evaluator(Environment(None, {"x": 2})).evaluate(parse_text("x ^ 3;").statements[0].expression)
    8
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, ClassVar, assert_never

from rasp.meaning.interpreter import Run
from rasp.meaning.operators import Undefined
from rasp.meaning.sop import Node, Selector, SOp
from rasp.meaning.tapes import LENGTH, SOURCE_LENGTH, Crossing, Tapes
from rasp.running import depth, operations
from rasp.running.environment import (
    OF_A_SOURCE,
    RESERVED,
    Calling,
    Environment,
    Function,
    Missing,
    RaspValue,
    describe,
    is_atom,
)
from rasp.text.source import Diagnostic, RaspError, Source, Span, counted, did_you_mean, error
from rasp.text.syntax import (
    Binary,
    Builtin,
    Call,
    Comprehension,
    Define,
    DictForm,
    Expression,
    Group,
    Index,
    ListForm,
    Literal,
    Name,
    SelectForm,
    Statement,
    Ternary,
    Unary,
)

MAX_STEPS = 1_000_000
"""How many expressions and items a text may evaluate, all its statements together."""
MAX_CALLS = 1_000
"""How deep calls may nest."""
BYTES_PER_STEP = 64
"""What an s-op that is applied to an input within a program holds, counted in steps."""
MAX_FRAMES = 60_000
"""Python's recursion limit while a program runs. Its own calls are pure Python, which needs no C stack."""


class Skip(RaspError):
    """A statement depends on one that failed and was reported: nothing new to say."""


class Evaluator:
    """What expressions need to know while a program runs, and what they leave behind."""

    def __init__(self, top: Environment) -> None:
        self.top = top
        self.spans: dict[Node, Span] = {}
        self.defaulted: dict[Node, Span] = {}
        self.lost: set[str] = set()
        self.tapes: Tapes | None = None  # of a program with a source
        self.steps = self.calls = 0
        self.site: Span | None = None
        self.within: Calling | None = None
        self._counts: Counter[str] = Counter()

    def value_made(self, value: Node, span: Span) -> None:
        """An s-op or selector came out of an expression (a console tries it on the running example)."""

    def minted(self, value: RaspValue, operation: Callable[..., Any], args: tuple[Any, ...]) -> RaspValue:
        """What an operation came to (a console gives a new s-op or selector an identity and a name of its own)."""
        return value

    def execute(self, statement: Statement, env: Environment) -> None:
        """Run a statement of a function's body."""
        raise NotImplementedError

    def evaluate(self, expression: Expression) -> RaspValue:
        """The value of an expression that stands outside of any statement."""
        self.steps = self.calls = 0
        with deep_recursion(expression.span):
            return self.full(expression, self.top)

    def call(self, function: Function, args: list[RaspValue]) -> RaspValue:
        """The result of a function, called from outside of any statement."""
        self.steps = self.calls = 0
        span = function.body.span if isinstance(function.body, Define) else Span(Source(""), 0, 0)
        with deep_recursion(span):
            return self._function(span, function, args)

    def full(self, expression: Expression, env: Environment) -> RaspValue:
        """The value of an expression that stands by itself; it becomes `out`."""
        value = env.values["out"] = self.value(expression, env)
        return value

    def value(self, node: Expression, env: Environment) -> RaspValue:
        """The value of an expression. Walks down the left side in a loop: chains of operators may be long."""
        chain: list[Binary | Index | Call] = []
        while True:
            self._step(node.span)
            if isinstance(node, (Binary, Index)) or (isinstance(node, Call) and not self._apart(node, env)):
                chain.append(node)
                node = node.left
            elif isinstance(node, Group):
                node = node.inner
            else:
                value = self._FORMS[type(node)](self, node, env)
                break
        while chain:
            value = self._applied(chain.pop(), value, env)
        return value

    def _applied(self, node: Binary | Index | Call, left: RaspValue, env: Environment) -> RaspValue:
        match node:
            case Binary(span, op, _, right):
                return self._made(span, operations.binary, op, left, self.value(right, env), pay=self._payer(span))
            case Index(span, _, index):
                return self._made(span, operations.index, left, self.value(index, env), length=self._length(left))
            case Call(span, _, args):
                return self._call(span, left, [self.value(arg, env) for arg in args])
            case _:
                assert_never(node)

    def _step(self, span: Span, count: int = 1) -> None:
        self.steps += count
        if self.steps > MAX_STEPS:
            hint = "build fewer or shorter lists, and let s-ops do the computing"
            raise error("too-long", f"up to here it takes more than {MAX_STEPS} steps", self.site or span, hint)

    def _payer(self, span: Span) -> operations.Pay:
        """What counts the steps of an operation at this place."""
        return lambda steps: self._step(span, steps)

    def attempt(self, span: Span, operation: Callable[..., Any], *args: Any, **beside: Any) -> Any:
        """The result of an operation, or its complaint at this place."""
        try:
            return operation(*args, **beside)
        except Undefined as problem:
            raise error("undefined", str(problem), self.site or span) from None

    def _made(self, span: Span, operation: Callable[..., Any], *args: Any, **beside: Any) -> RaspValue:
        value = self.minted(self.attempt(span, operation, *args, **beside), operation, args)
        self._step(span, operations.size(value))
        if isinstance(value, Node):
            self._note(value, self.site or span)
        return value

    def _note(self, node: Node, span: Span) -> None:
        todo = [node]
        while todo:
            new = todo.pop()
            if new not in self.spans:
                self.spans[new] = span
                todo += new.inputs
        self._stand(node, span)
        self.value_made(node, span)

    def _stand(self, node: Node, span: Span) -> None:
        """Find the tape of a new s-op or selector, or say at its place why it has none."""
        try:
            if self.tapes is not None:
                self.tapes.find(node)
        except Crossing as problem:
            raise error("tapes", problem.message, span, problem.hint) from None

    def _length(self, value: RaspValue) -> SOp:
        """How long the sequence of an s-op is: that of its own tape, wherever it is read."""
        on_source = self.tapes is not None and isinstance(value, SOp) and self.tapes.of(value) == "source"
        return SOURCE_LENGTH if on_source else LENGTH

    def _whose(self, value: RaspValue, span: Span) -> None:
        """A length that the text of a program with a source asks for is that of a tape."""
        if value is LENGTH and self.tapes is not None and self.site is None:
            hint = "`source_length` is the source's, `indices + 1` at a target position what is written so far"
            raise error("tapes", "whose `length`? There are a source and a target", span, hint)

    def _name(self, node: Name, env: Environment) -> RaspValue:
        try:
            value = env.find(node.name)
            self._whose(value, node.span)
            if isinstance(value, Node) and value not in self.spans:
                self._note(value, self.site or node.span)
            return value
        except Missing:
            if node.name in self.lost:
                raise Skip() from None
            hint = _SOURCE if node.name in OF_A_SOURCE else did_you_mean(node.name, env.names())
            raise error("unknown-name", f"`{node.name}` is not defined", self.site or node.span, hint) from None

    def _literal(self, node: Literal, env: Environment) -> RaspValue:
        return node.value

    def _unary(self, node: Unary, env: Environment) -> RaspValue:
        return self._made(node.span, operations.unary, node.op, self.value(node.arg, env))

    def _ternary(self, node: Ternary, env: Environment) -> RaspValue:
        condition = self.value(node.condition, env)
        if isinstance(condition, Selector):
            raise error("undefined", "a selector cannot be a condition", self.site or node.condition.span)
        if not isinstance(condition, SOp):
            return self.value(node.left if operations.truth(condition) else node.right, env)
        left = self.value(node.left, env)
        return self._made(node.span, operations.choose, condition, left, self.value(node.right, env))

    def _select(self, node: SelectForm, env: Environment) -> RaspValue:
        key = self.value(node.key, env)
        return self._made(node.span, operations.select, key, self.value(node.query, env), node.predicate)

    def _builtin(self, node: Builtin, env: Environment) -> RaspValue:
        return self._named(node.span, node.name, [self.value(arg, env) for arg in node.args])

    def _named(self, span: Span, name: str, args: list[RaspValue]) -> RaspValue:
        least, most, operation = _BUILTINS[name]
        if not least <= len(args) <= most:
            raise error("arguments", f"`{name}` does not take {counted(len(args), 'argument')}", self.site or span)
        made = self._made(span, operation, *args)
        if name == "aggregate" and len(args) == 2:
            self.defaulted.setdefault(made, self.site or span)
        return made

    def _apart(self, node: Call, env: Environment) -> bool:
        """`aggregate (a, b)`: with a blank, a builtin reads like a call of a variable; it is meant if there is none."""
        return isinstance(node.left, Name) and node.left.name in _BUILTINS and not env.has(node.left.name)

    def _call_apart(self, node: Call, env: Environment) -> RaspValue:
        assert isinstance(node.left, Name)
        return self._named(node.span, node.left.name, [self.value(arg, env) for arg in node.args])

    def _list_form(self, node: ListForm, env: Environment) -> RaspValue:
        return [self.value(item, env) for item in node.items]

    def _dict_form(self, node: DictForm, env: Environment) -> RaspValue:
        return {self._key(key, env): self.value(value, env) for key, value in node.items}

    def _key(self, node: Expression, env: Environment) -> RaspValue:
        key = self.value(node, env)
        if not is_atom(key):
            raise error("undefined", f"the keys of a dictionary are atoms, not {describe(key)}", self.site or node.span)
        return key

    def _comprehension(self, node: Comprehension, env: Environment) -> RaspValue:
        for name in node.names:
            check_name(name, RESERVED)
        own = env.inside()
        items: list[tuple[RaspValue, RaspValue]] = []
        for item in self.attempt(node.iterable.span, operations.items_of, self.value(node.iterable, env)):
            self._step(node.span)
            own.values.update(self.unpacked(node.names, item, node.iterable.span))
            key = None if node.key is None else self._key(node.key, own)
            items.append((key, self.value(node.item, own)))
        return [value for _, value in items] if node.key is None else dict(items)

    def unpacked(self, names: tuple[Name, ...], item: RaspValue, span: Span) -> dict[str, RaspValue]:
        """One item for one name, or its parts for several."""
        if len(names) == 1:
            return {names[0].name: item}
        parts = self.attempt(span, operations.parts_of, item, len(names))
        return {name.name: part for name, part in zip(names, parts, strict=True)}

    def _call(self, span: Span, callee: RaspValue, args: list[RaspValue]) -> RaspValue:
        match callee:
            case Function():
                return self._function(span, callee, args)
            case Node():
                return self._application(span, callee, args)
            case _:
                raise error("undefined", f"{describe(callee)} cannot be called", self.site or span)

    def _function(self, span: Span, function: Function, args: list[RaspValue]) -> RaspValue:
        wanted = len(function.parameters)
        if len(args) != wanted:
            message = f"`{function.signature}` takes {counted(wanted, 'argument')}, got {len(args)}"
            raise error("arguments", message, self.site or span)
        if self.calls >= MAX_CALLS:
            hint = "a condition that is an s-op does not end a recursion: both of its sides are always computed"
            raise error("recursion", f"calls are nested more than {MAX_CALLS} deep", self.site or span, hint)
        site, within = self.site, self.within
        if function.library and site is None:
            self.site = span
        self.calls += 1
        self.within = self._entered(span, function)
        try:
            value = self._body(span, function, args)
        finally:
            self.calls -= 1
            self.site, self.within = site, within
        self._whose(value, span)
        return value

    def _entered(self, span: Span, function: Function) -> Calling:
        """The call of a function from where the program is now."""
        counts = self._counts if self.within is None else self.within.counts
        counts[function.name] += 1
        return Calling(function, span, self.within, counts[function.name])

    def _body(self, span: Span, function: Function, args: list[RaspValue]) -> RaspValue:
        if not isinstance(function.body, Define):
            return self._made(span, function.body, *args)
        env = function.home.inside()
        env.values.update(zip(function.parameters, args, strict=True))
        for statement in function.body.body:
            self.execute(statement, env)
        results = [self.full(value, env) for value in function.body.result.values]
        return results[0] if len(results) == 1 else results

    def _application(self, span: Span, node: Node, args: list[RaspValue]) -> RaspValue:
        if len(args) != 1:
            raise error("arguments", f"an s-op or selector is applied to one input, got {len(args)}", self.site or span)
        if self.tapes is not None:
            hint = "`rasp run` and Python's `program[name](source, target)` do that"
            raise error("tapes", "in a program with a source no s-op is applied to one input", self.site or span, hint)
        if not isinstance(args[0], (str, list, dict)) or not all(map(is_atom, args[0])):
            raise error("input", f"an input is a string or a list of atoms, not {describe(args[0])}", self.site or span)
        self._step(span, len(args[0]) ** 2 // 100)
        try:
            run = Run(args[0], spans=self.spans)
            run.compute([node])
            self._step(span, run.taken // BYTES_PER_STEP)
            return run.answer(node)
        except RaspError as problem:
            raise RaspError(*[_placed(one, self.site or span) for one in problem.diagnostics]) from None

    _FORMS: ClassVar[dict[type, Callable[[Any, Any, Environment], RaspValue]]] = {
        Name: lambda self, node, env: self._name(node, env),
        Literal: _literal,
        Unary: _unary,
        Ternary: _ternary,
        SelectForm: _select,
        Builtin: _builtin,
        Call: lambda self, node, env: self._call_apart(node, env),
        ListForm: _list_form,
        DictForm: _dict_form,
        Comprehension: _comprehension,
    }


_BUILTINS: dict[str, tuple[int, int, Callable[..., RaspValue]]] = {
    "aggregate": (2, 3, operations.aggregate),
    "range": (1, MAX_STEPS, operations.numbers),
    "zip": (1, MAX_STEPS, operations.zipped),
    "len": (1, 1, operations.length_of),
    "round": (1, 1, operations.rounded),
    "indicator": (1, 1, operations.indicator),
}


_SOURCE = 'a header line such as `#@ source: "abc"` gives the program a source beside its target'


def check_name(name: Name, protected: frozenset[str]) -> None:
    """Refuse to bind a protected name."""
    if name.name in RESERVED or name.name == "out":
        raise error("reserved-name", f"`{name.name}` is a name of the language and cannot be bound", name.span)
    if name.name in protected:
        hint = "the library uses this name: choose another one"
        raise error("reserved-name", f"`{name.name}` is a name of the library and cannot be bound", name.span, hint)


def _placed(diagnostic: Diagnostic, span: Span) -> Diagnostic:
    return dataclasses.replace(diagnostic, span=diagnostic.span or span)


def deep_recursion(span: Span) -> AbstractContextManager[None]:
    """Room for what a statement nests, in expressions and calls."""
    return depth.deep_recursion(MAX_FRAMES, "this statement is nested too deeply", span)
