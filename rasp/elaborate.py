"""Running a program: what it leaves behind are s-ops and selectors.

In: statements. Out: an environment of values; functions, loops, lists and dictionaries have done their work.
Everything the graph cannot hold is computed here, so this is partial evaluation by plain execution.
Invariant: no program makes this run for ever, fill the memory or end in a Python traceback: steps, depth and sizes have
limits. `spans` knows for every node where it was first written (a node made by the library: where it was called).

    >>> from rasp.parser import parse_text
    >>> run = Elaborator(); run.run_all(parse_text("x = 1; y = [x, 2];").statements); run.top.values["y"]
    [1, 2]
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from rasp import operations
from rasp.environment import RESERVED, Environment, Function, Missing, RaspValue, describe, is_atom
from rasp.interpreter import evaluate
from rasp.operators import Undefined
from rasp.parser import parse_source
from rasp.sop import Indices, Node, Selector, SOp, Tokens
from rasp.source import Diagnostic, RaspError, Source, Span, did_you_mean, error
from rasp.syntax import (
    Assign,
    Binary,
    Builtin,
    Call,
    Command,
    Comprehension,
    Define,
    DictForm,
    Draw,
    Evaluate,
    Expression,
    For,
    Group,
    Index,
    ListForm,
    Literal,
    Load,
    Name,
    Return,
    SelectForm,
    Statement,
    Ternary,
    Unary,
)

MAX_STEPS = 2_000_000
"""How many expressions and items a statement may evaluate."""
MAX_CALLS = 1_000
"""How deep calls may nest."""
MAX_LOADS = 50
"""How deep files may load files."""
MAX_FILE = 1 << 20
"""Longest file that is loaded, in bytes."""
MAX_FRAMES = 60_000
"""Python's recursion limit while a program runs. Its own calls are pure Python, which needs no C stack."""


class Skip(RaspError):
    """A statement depends on one that failed and was reported: nothing new to say."""


class Elaborator:
    """One run of a program. The methods that do nothing are there for a console to fill in."""

    def __init__(self, folder: Path | None = None, base: Environment | None = None) -> None:
        base = library() if base is None else base
        self.top = Environment(base, {}, RESERVED | frozenset(base.values) - {"tokens", "out"})
        self.base = base
        self.folder = folder
        self.spans: dict[Node, Span] = {}
        self.defaulted: dict[Node, Span] = {}
        self.diagnostics: list[Diagnostic] = []
        self.lost: set[str] = set()
        self.steps = self.calls = 0
        self.site: Span | None = None
        self.loading: list[Path] = []

    def value_made(self, value: Node, span: Span) -> None:
        """An s-op or selector came out of an expression (a console tries it on the running example)."""

    def bound(self, names: dict[str, RaspValue], statement: Statement, env: Environment) -> None:
        """A statement at the top bound these names."""

    def shown(self, value: RaspValue, statement: Evaluate, env: Environment) -> None:
        """An expression stood at the top as a statement."""

    def drawn(self, sop: RaspValue, example: RaspValue | None, statement: Draw) -> None:
        """`draw` was asked for."""

    def commanded(self, command: Command, argument: RaspValue | None) -> None:
        """A console command stood in the text."""

    def run_all(self, statements: Iterable[Statement], env: Environment | None = None) -> bool:
        """Run statements one after the other; an error ends its statement only. False if there was one."""
        before = len(self.diagnostics)
        for statement in statements:
            if isinstance(statement, Command) and statement.words[0].startswith(("exit", "quit")):
                break
            try:
                self.run(statement, env)
            except RaspError as problem:
                self.diagnostics += problem.diagnostics
                self.lost |= _binds(statement)
        return len(self.diagnostics) == before

    def run(self, statement: Statement, env: Environment | None = None) -> None:
        """Run one statement at the top. Raises `RaspError`; then nothing was bound."""
        self.steps = self.calls = 0
        self.site = None
        with _deep_recursion(statement.span):
            self._statement(statement, env or self.top, True)

    def evaluate(self, expression: Expression) -> RaspValue:
        """The value of an expression that stands outside of any statement."""
        self.steps = self.calls = 0
        with _deep_recursion(expression.span):
            return self.full(expression, self.top)

    def call(self, function: Function, args: list[RaspValue]) -> RaspValue:
        """The result of a function, called from outside of any statement."""
        self.steps = self.calls = 0
        span = function.body.span if isinstance(function.body, Define) else Span(Source(""), 0, 0)
        with _deep_recursion(span):
            return self._function(span, function, args)

    def _statement(self, statement: Statement, env: Environment, top: bool = False) -> None:
        match statement:
            case Evaluate(_, expression):
                value = self.full(expression, env)
                if top:
                    self.shown(value, statement, env)
            case Assign(_, targets, values):
                self._bind(self._assigned(targets, values, env), targets, env, statement if top else None)
            case Define(_, name, parameters):
                function = Function(name.name, tuple([p.name for p in parameters]), statement, env, env is self.base)
                for parameter in parameters:
                    self._check_name(parameter, RESERVED)
                self._bind({name.name: function}, (name,), env, statement if top else None)
            case For():
                self._loop(statement, env)
            case Load():
                self._load(statement, env)
            case Draw():
                self._draw(statement, env)
            case Command(_, _, argument):
                self.commanded(statement, None if argument is None else self.full(argument, env))

    def _bind(self, made: dict[str, RaspValue], names: Iterable[Name], env: Environment, top: Statement | None) -> None:
        for name in names:
            self._check_name(name, env.protected)
        env.values.update(made)
        self.lost -= made.keys()
        if top is not None:
            self.bound(made, top, env)

    def _check_name(self, name: Name, protected: frozenset[str]) -> None:
        if name.name in RESERVED or name.name == "out":
            raise error("reserved-name", f"`{name.name}` is a name of the language and cannot be bound", name.span)
        if name.name in protected:
            hint = "the library uses this name: choose another one"
            raise error("reserved-name", f"`{name.name}` is a name of the library and cannot be bound", name.span, hint)

    def _assigned(self, targets: tuple[Name, ...], values: tuple[Expression, ...], env: Environment) -> dict[str, RaspValue]:
        made = [self.full(value, env) for value in values]
        if len(targets) == 1:
            return {targets[0].name: made[0] if len(made) == 1 else made}
        whole = targets[0].span | values[-1].span
        parts = self._attempt(whole, operations.parts_of, made[0] if len(made) == 1 else made, len(targets))
        return {target.name: part for target, part in zip(targets, parts, strict=True)}

    def _loop(self, loop: For, env: Environment) -> None:
        for item in self._attempt(loop.iterable.span, operations.items_of, self.full(loop.iterable, env)):
            self._bind(self._unpacked(loop.names, item, loop.iterable.span), loop.names, env, None)
            for statement in loop.body:
                self._statement(statement, env)

    def _unpacked(self, names: tuple[Name, ...], item: RaspValue, span: Span) -> dict[str, RaspValue]:
        if len(names) == 1:
            return {names[0].name: item}
        parts = self._attempt(span, operations.parts_of, item, len(names))
        return {name.name: part for name, part in zip(names, parts, strict=True)}

    def _draw(self, statement: Draw, env: Environment) -> None:
        sop = self.full(statement.sop, env)
        if not isinstance(sop, SOp):
            raise error("draw", f"`draw` takes an s-op, got {describe(sop)}", statement.sop.span)
        self.drawn(sop, None if statement.input is None else self.full(statement.input, env), statement)

    def _load(self, statement: Load, env: Environment) -> None:
        path = self._path(statement)
        text = _read(path, statement.path.span)
        parsed = parse_source(Source(text, str(path)))
        self.diagnostics += parsed.diagnostics
        own = Environment(self.base, {}, RESERVED, str(statement.path.value))
        self.loading.append(path)
        site, self.site = self.site, None
        try:
            self.run_all(parsed.statements, own)
        finally:
            self.loading.pop()
            self.site = site
        if parsed.diagnostics:
            raise error("load", f"`{path.name}` has syntax errors", statement.span)
        self._export(own, env, statement)

    def _export(self, own: Environment, env: Environment, statement: Load) -> None:
        public = {name: value for name, value in own.values.items() if not name.startswith("_") and name != "out"}
        for name in public.keys() & env.protected:
            message = f"the file binds `{name}`, a name of the library, for itself only"
            self.diagnostics.append(Diagnostic("shadowed-library", "warning", message, statement.span))
            del public[name]
        env.values.update(public)
        self.bound(public, statement, env)

    def _path(self, statement: Load) -> Path:
        """The file a `load` means: below the program's own folder, reached by no `..` and no link to elsewhere."""
        name, span = str(statement.path.value), statement.path.span
        if self.folder is None:
            raise error("load", "this program has no folder to load from", span, "give the text a path")
        if Path(name).is_absolute() or ".." in Path(name).parts or "\0" in name:
            raise error("load", "a program loads files from its own folder and the folders in it only", span)
        path = self.folder / f"{name}.rasp"
        if not path.resolve().is_relative_to(self.folder.resolve()):
            raise error("load", "this file is a link that leads out of the program's folder", span)
        if path in self.loading or len(self.loading) >= MAX_LOADS:
            raise error("load", "this file is being loaded already: files load each other in a circle", span)
        return path

    def full(self, expression: Expression, env: Environment) -> RaspValue:
        """The value of an expression that stands by itself; it becomes `out`."""
        value = env.values["out"] = self.value(expression, env)
        return value

    def value(self, node: Expression, env: Environment) -> RaspValue:
        """The value of an expression. Walks down the left side in a loop: chains of operators may be long."""
        chain: list[Binary | Index | Call] = []
        while True:
            self._step(node.span)
            if isinstance(node, (Binary, Index)) or (isinstance(node, Call) and not self._is_builtin(node, env)):
                chain.append(node)
                node = node.left
            elif isinstance(node, Group):
                node = node.inner
                if isinstance(node, (Binary, Index, Call)) and chain:
                    value = self.value(node, env)
                    break
            else:
                value = self._FORMS[type(node)](self, node, env)
                break
        while chain:
            value = self._applied(chain.pop(), value, env)
        return value

    def _applied(self, node: Binary | Index | Call, left: RaspValue, env: Environment) -> RaspValue:
        match node:
            case Binary(span, op, _, right):
                return self._made(span, operations.binary, op, left, self.value(right, env))
            case Index(span, _, index):
                return self._made(span, operations.index, left, self.value(index, env))
            case Call(span, _, args):
                return self._call(span, left, [self.value(arg, env) for arg in args])

    def _step(self, span: Span, count: int = 1) -> None:
        self.steps += count
        if self.steps > MAX_STEPS:
            raise error("too-long", f"this statement takes more than {MAX_STEPS} steps", self.site or span)

    def _attempt(self, span: Span, operation: Callable[..., Any], *args: Any) -> Any:
        try:
            return operation(*args)
        except Undefined as problem:
            raise error("undefined", str(problem), self.site or span) from None

    def _made(self, span: Span, operation: Callable[..., Any], *args: Any) -> RaspValue:
        value = self._attempt(span, operation, *args)
        if isinstance(value, Node):
            self._note(value, self.site or span)
        elif not isinstance(value, bool):
            self._step(span, _size(value))
        return value

    def _note(self, node: Node, span: Span) -> None:
        todo = [node]
        while todo:
            new = todo.pop()
            if new not in self.spans:
                self.spans[new] = span
                todo += new.inputs
        self.value_made(node, span)

    def _name(self, node: Name, env: Environment) -> RaspValue:
        try:
            return env.find(node.name)
        except Missing:
            if node.name in self.lost:
                raise Skip() from None
            hint = did_you_mean(node.name, env.names())
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
            raise error("arguments", f"`{name}` does not take {len(args)} arguments", self.site or span)
        made = self._made(span, operation, *args)
        if name == "aggregate" and len(args) == 2:
            self.defaulted.setdefault(made, self.site or span)
        return made

    def _is_builtin(self, node: Call, env: Environment) -> bool:
        """`aggregate (a, b)`: with a blank, a builtin reads like a call of a variable; if there is none, it is meant."""
        if not isinstance(node.left, Name) or node.left.name not in _BUILTINS:
            return False
        return node.left.name not in set(env.names())

    def _builtin_call(self, node: Call, env: Environment) -> RaspValue:
        assert isinstance(node.left, Name)
        return self._named(node.span, node.left.name, [self.value(arg, env) for arg in node.args])

    def _list(self, node: ListForm, env: Environment) -> RaspValue:
        return [self.value(item, env) for item in node.items]

    def _dict(self, node: DictForm, env: Environment) -> RaspValue:
        return {self._key(key, env): self.value(value, env) for key, value in node.items}

    def _key(self, node: Expression, env: Environment) -> RaspValue:
        key = self.value(node, env)
        if not is_atom(key):
            raise error("undefined", f"the keys of a dictionary are atoms, not {describe(key)}", self.site or node.span)
        return key

    def _comprehension(self, node: Comprehension, env: Environment) -> RaspValue:
        for name in node.names:
            self._check_name(name, RESERVED)
        own = env.inside()
        items: list[tuple[RaspValue, RaspValue]] = []
        for item in self._attempt(node.iterable.span, operations.items_of, self.value(node.iterable, env)):
            own.values.update(self._unpacked(node.names, item, node.iterable.span))
            key = None if node.key is None else self._key(node.key, own)
            items.append((key, self.value(node.item, own)))
        return [value for _, value in items] if node.key is None else dict(items)

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
            message = f"`{function.signature}` takes {wanted} argument{'s' * (wanted != 1)}, got {len(args)}"
            raise error("arguments", message, self.site or span)
        if self.calls >= MAX_CALLS:
            hint = "a condition that is an s-op does not end a recursion: both of its sides are always computed"
            raise error("recursion", f"calls are nested more than {MAX_CALLS} deep", self.site or span, hint)
        site = self.site
        if function.library and site is None:
            self.site = span
        self.calls += 1
        try:
            return self._body(span, function, args)
        finally:
            self.calls -= 1
            self.site = site

    def _body(self, span: Span, function: Function, args: list[RaspValue]) -> RaspValue:
        if not isinstance(function.body, Define):
            return self._made(span, function.body, *args)
        env = function.home.inside()
        env.values.update(zip(function.parameters, args, strict=True))
        for statement in function.body.body:
            self._statement(statement, env)
        results = [self.full(value, env) for value in function.body.result.values]
        return results[0] if len(results) == 1 else results

    def _application(self, span: Span, node: Node, args: list[RaspValue]) -> RaspValue:
        if len(args) != 1:
            raise error("arguments", f"an s-op or selector is applied to one input, got {len(args)}", self.site or span)
        if not isinstance(args[0], (str, list, dict)) or not all([is_atom(item) for item in args[0]]):
            raise error("input", f"an input is a string or a list of atoms, not {describe(args[0])}", self.site or span)
        self._step(span, len(args[0]) ** 2 // 100)
        try:
            return evaluate(node, args[0], spans=self.spans)
        except RaspError as problem:
            raise RaspError(*[_placed(one, self.site or span) for one in problem.diagnostics]) from None

    _FORMS: dict[type, Callable[[Elaborator, Any, Environment], RaspValue]] = {
        Name: _name,
        Literal: _literal,
        Unary: _unary,
        Ternary: _ternary,
        SelectForm: _select,
        Builtin: _builtin,
        Call: _builtin_call,
        ListForm: _list,
        DictForm: _dict,
        Comprehension: _comprehension,
    }


_BUILTINS: dict[str, tuple[int, int, Callable[..., RaspValue]]] = {
    "aggregate": (2, 3, operations.aggregate),
    "range": (1, MAX_STEPS, operations.numbers),
    "zip": (1, MAX_STEPS, operations.zipped),
    "len": (1, 1, operations.length_of),
    "round": (1, 1, lambda value: operations.unary("round", value)),
    "indicator": (1, 1, operations.indicator),
}


@cache
def library() -> Environment:
    """The environment every program starts from: the base s-ops and the library."""
    base = Environment(None, {"True": True, "False": False, "indices": Indices()}, RESERVED, "library")
    for convert in ("asis", "str", "int", "float", "bool"):
        base.values[f"tokens_{convert}"] = Tokens(convert)
    base.values["tokens"] = base.values["tokens_str"]
    base.values["selector_width"] = Function("selector_width", ("sel",), operations.selector_width, base, True)
    source = Source(files("rasp").joinpath("prelude.rasp").read_text("utf-8"), "prelude.rasp")
    run = Elaborator(base=base)
    if not run.run_all(parse_source(source).statements, base):
        raise RaspError(*run.diagnostics)
    base.values["out"] = base.values["tokens"]
    return base


def _binds(statement: Statement) -> set[str]:
    match statement:
        case Assign(_, targets):
            return {target.name for target in targets}
        case Define(_, name):
            return {name.name}
        case For(_, names, _, body):
            return {name.name for name in names}.union(*(_binds(inner) for inner in body))
        case _:
            return set()


def _placed(diagnostic: Diagnostic, span: Span) -> Diagnostic:
    return Diagnostic(diagnostic.code, diagnostic.severity, diagnostic.message, diagnostic.span or span, diagnostic.hint)


def _size(value: RaspValue) -> int:
    """What a computed value costs in steps: its items, or the words of a long number."""
    if isinstance(value, (list, dict)):
        return len(value)
    if isinstance(value, str):
        return len(value) >> 8
    return int(value.numerator.bit_length() + value.denominator.bit_length() >> 6)


def _read(path: Path, span: Span) -> str:
    try:
        if path.stat().st_size > MAX_FILE:
            raise error("load", f"`{path}` is longer than {MAX_FILE} bytes", span)
        return path.read_text("utf-8")
    except (OSError, ValueError):
        hint = "leave out `.rasp`: it is added to the name" if path.name.endswith(".rasp.rasp") else None
        raise error("load", f"cannot read `{path}`", span, hint) from None


@contextmanager
def _deep_recursion(span: Span) -> Iterator[None]:
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, MAX_FRAMES))
    try:
        yield
    except RecursionError:
        raise error("recursion", "this statement is nested too deeply", span) from None
    finally:
        sys.setrecursionlimit(before)
