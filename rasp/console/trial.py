"""Running statements as a session does: every s-op and selector is tried on an example as soon as it is made.

In: statements. Out: what the elaborator leaves behind, and names for s-ops and selectors.
Invariant: a statement that makes a value which fails on the example fails as a whole. While something is applied to an
input, that input stands in for the example.

    >>> from rasp.text.parser import parse_text
    >>> Trial().run(parse_text("x = tokens_int + 1;").statements[0])
    Traceback (most recent call last):
    rasp.text.source.RaspError: error[token]: on the example "hello": the token "h" at position 0 is not an integer
     --> <text>:1:5
    1 | x = tokens_int + 1;
      |     ^^^^^^^^^^
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rasp.console.example import A_PAIR, Example, as_example, as_pair
from rasp.console.naming import Naming
from rasp.meaning.sop import Node, SOp
from rasp.running import operations
from rasp.running.elaborate import Elaborator, library, library_of_tapes, tapes_of
from rasp.running.environment import Environment, Function, RaspValue, describe
from rasp.running.expressions import check_name
from rasp.settings import Settings
from rasp.text.source import Diagnostic, RaspError, Span, error
from rasp.text.syntax import Binary, Call, Expression, Index, Name


class Trial(Elaborator):
    """A run of statements under an example, which says what its values are called."""

    def __init__(self) -> None:
        super().__init__(Path(), Environment(library(), {}))
        self.names = Naming({name: value for name, value in library().values.items() if name != "out"})
        self.names.rename(self.base.find("tokens"), "tokens")
        self.settings = Settings()
        self.causal = False
        self.sop_example = Example("hello", False)
        self.instead: Example | None = None
        self.applied: tuple[Span, Node, Example] | None = None

    def declare(self, settings: Settings) -> None:
        """Take over what a header declares; with a source come its names."""
        self.settings, self.causal = settings, settings.attention == "causal"
        self.tapes = (self.tapes or tapes_of(library_of_tapes())) if settings.two_tapes else None
        self.base.values.clear()
        if settings.two_tapes:
            self.base.values.update(library_of_tapes().values)

    def example_of(self, given: RaspValue) -> Example | None:
        """An input, or with a source a source or a pair, to try values on; None where it is none."""
        return as_example(given, self.causal) if self.tapes is None else as_pair(given, self.settings, self.tapes)

    def value_made(self, value: Node, span: Span) -> None:
        """Compute a new value on the example; the statement fails if that fails."""
        example = self.instead or self.sop_example
        self._step(span, 1 + example.size**2 // 1000)
        try:
            example.compute(value, self.spans)
        except RaspError as problem:
            where = f"on the {'example' if self.instead is None else 'input'} {_short(example.text)}"
            raise RaspError(*[_on(where, one, self.site or span) for one in problem.diagnostics]) from None

    @contextmanager
    def trying(self, example: Example | None) -> Iterator[None]:
        """Try values on another example meanwhile; None is the running one."""
        before, self.instead = self.instead, example
        try:
            yield
        finally:
            self.instead = before

    def minted(self, value: RaspValue, operation: Callable[..., Any], args: tuple[Any, ...]) -> RaspValue:
        """A new s-op or selector has an identity and a name of its own."""
        return self.names.minted(value, operation, args)

    def _apart(self, node: Call, env: Environment) -> bool:
        """A call of one argument may apply an s-op to an input, which is then tried on that input."""
        known = isinstance(node.left, Name) and env.has(node.left.name)
        function = known and isinstance(env.find(node.left.name), Function)  # type: ignore[union-attr]
        return super()._apart(node, env) or (len(node.args) == 1 and not function)

    def _call_apart(self, node: Call, env: Environment) -> RaspValue:
        if super()._apart(node, env):
            return super()._call_apart(node, env)
        given = self.value(node.args[0], env)
        with self.trying(self.example_of(given) or self.instead):
            callee = self.value(node.left, env)
        return self._call(node.span, callee, [given])

    def _applied(self, node: Binary | Index | Call, left: RaspValue, env: Environment) -> RaspValue:
        match node:
            case Index(span, table, at) if isinstance(left, (list, dict, str)):
                index = self.value(at, env)
                made = self._made(span, operations.index, left, index)
                if isinstance(index, SOp):
                    self.names.label(made, f"{_variable(table)}[{_variable(at)}]")
                return made
            case Binary(_, "in", _, Name(_, name)) if isinstance(left, SOp):
                called = self.names.name(left)
                made = super()._applied(node, left, env)
                self.names.label(made, f"{called} in {name}")
                return made
            case _:
                return super()._applied(node, left, env)

    def _name(self, node: Name, env: Environment) -> RaspValue:
        value = super()._name(node, env)
        if isinstance(value, Node):
            self.value_made(value, self.site or node.span)
        return value

    def _function(self, span: Span, function: Function, args: list[RaspValue]) -> RaspValue:
        with self.trying(None):
            value = super()._function(span, function, args)
        if isinstance(value, Node):
            self.names.rename(value, self.names.called(function, args))
            self.value_made(value, self.site or span)
        return value

    def _application(self, span: Span, node: Node, args: list[RaspValue]) -> RaspValue:
        example = self.example_of(args[0]) if len(args) == 1 else None
        if example is None and self.tapes is not None and len(args) == 1:
            raise error("input", f"an input is {A_PAIR}, not {describe(args[0])}", self.site or span)
        if example is None:
            return super()._application(span, node, args)
        with self.trying(example):
            self.value_made(node, span)
        self.applied = span, node, example
        return example.of(node)

    def _assigned(
        self, targets: tuple[Name, ...], values: tuple[Expression, ...], env: Environment
    ) -> dict[str, RaspValue]:
        made = super()._assigned(targets, values, env)
        for target in targets:
            check_name(target, env.protected)
        for name, value in made.items():
            self.names.rename(value, name)
        return made


def _on(where: str, problem: Diagnostic, span: Span) -> Diagnostic:
    """A failure on an example says on which."""
    return Diagnostic(problem.code, problem.severity, f"{where}: {problem.message}", problem.span or span, problem.hint)


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:36] + "..." + text[-1]


def _variable(node: Expression) -> str:
    return node.name if isinstance(node, Name) else "out"
