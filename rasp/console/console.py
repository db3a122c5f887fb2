"""A session: statements are run one after the other, tried on the running example, and shown.

In: statements, as the reader completes them. Out: lines of text, tabs and blanks as in the original's console.
Invariant: a statement that fails binds nothing and is reported where it stands; the session goes on.

    >>> session = Console(print)
    >>> session.enter("x, y = 1, [2, 3];")
        value: x =  1
         list: y = [2, 3]
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeAlias

from rasp.ask import drawing, show
from rasp.console.example import A_PAIR, Example, Pair, first_pair
from rasp.console.reader import statements_of
from rasp.console.trial import Trial
from rasp.header import read_settings
from rasp.meaning.sop import Node, Selector, SOp, interned
from rasp.program import shipped_programs
from rasp.running.elaborate import MAX_LOADS, read_file
from rasp.running.environment import OF_A_SOURCE, RESERVED, Environment, RaspValue, describe
from rasp.text.parser import Parse
from rasp.text.source import Diagnostic, RaspError, Span, error
from rasp.text.syntax import Assign, Command, Comment, Draw, Evaluate, Expression, Group, Load, Name, Statement

MAX_EXAMPLE = 1_000
"""Longest running example, in tokens: a selector's matrix has its square."""
MAX_REMEMBERED = 100_000
"""How many nodes a session remembers places and values of."""

Write: TypeAlias = Callable[[str], None]
Held: TypeAlias = tuple[str, RaspValue] | Diagnostic
"""What is shown at the end of a file: a value and its name, or a problem."""


class Console(Trial):
    """One session. `write` takes its lines, `complain` what is wrong, `note` what the original does not say."""

    def __init__(
        self, write: Write, complain: Callable[[Diagnostic], None] | None = None, note: Write | None = None
    ) -> None:
        super().__init__()
        self.write = write
        self.note = note or write
        self.complain = complain or (lambda one: write(str(one)))
        self.header: list[Comment] = []
        self.selector_example = Example("hello", False)
        self.show_sops = self.show_selectors = True
        self.full_display = False
        self.held: list[Held] | None = None
        self.nested = False
        self.done = False
        self.asked_for_graphviz = False

    # ------------------------------------------------------------------------------------------- statements and texts

    def enter(self, text: str) -> None:
        """Run a whole text, statement by statement."""
        for parse in statements_of(text, "<console>"):
            self.take(parse)

    def take(self, parse: Parse, env: Environment | None = None) -> None:
        """Run the statements that were read, or report why they could not be."""
        if not self.loading:
            self.steps = 0
        for problem in parse.diagnostics:
            self.complain(problem)
        if parse.module is not None and len(self.loading) <= 1:
            self.adopt(parse.module.comments, fresh=bool(self.loading))
        for statement in parse.statements:
            if self.done:
                return
            self.attempt_statement(statement, env or self.top)

    def attempt_statement(self, statement: Statement, env: Environment) -> None:
        """Run one statement at the top of the session or of a file, and report what goes wrong."""
        if isinstance(statement, Command) and statement.words[0].startswith(("exit", "quit")):
            self.done = True
            return
        try:
            self.run(statement, env)
        except RaspError as problem:
            for one in problem.diagnostics:
                self.report(one)
        if len(self.spans) > MAX_REMEMBERED:
            self.forget()

    def report(self, problem: Diagnostic) -> None:
        """Say what is wrong, in its place among the values of a file."""
        if self.held is None:
            self.complain(problem)
        else:
            self.held.append(problem)

    def execute(self, statement: Statement, env: Environment) -> None:
        """Run a statement of a body: nothing is shown."""
        before, self.nested = self.nested, True
        try:
            super().execute(statement, env)
        finally:
            self.nested = before

    def forget(self) -> None:
        """Keep the session small: places and computed values are only kept for what is new."""
        self.spans.clear()
        self.defaulted.clear()
        for example in {self.sop_example, self.selector_example}:
            example.forget()

    def adopt(self, comments: Iterable[Comment], fresh: bool = False) -> None:
        """Take over the settings among comments: beside those that hold, or (`fresh`) instead of them."""
        found = [comment for comment in comments if comment.span.text.startswith("#@")]
        header = found if fresh else [*self.header, *found]
        settings, problems = read_settings(header)
        for problem in problems if found else ():
            self.complain(problem)
        if found and not problems:
            self.header = header
            self.declare(settings)
            for name in OF_A_SOURCE if settings.two_tapes else ():
                self._give_up(name)
            self.sop_example, self.selector_example = map(self._anew, (self.sop_example, self.selector_example))

    def _give_up(self, name: str) -> None:
        """What a session bound gives way to a name of the source."""
        if self.top.values.pop(name, None) is not None:
            message = f"`{name}` is a name of the source now, and no longer what was bound"
            self.complain(Diagnostic("reserved-name", "warning", message))

    def _anew(self, example: Example) -> Example:
        """A running example under the settings as they are now; another one where it is none any more."""
        if self.tapes is not None:
            return first_pair(self.settings, self.tapes)
        return Example("hello" if isinstance(example, Pair) else example.given, self.causal)

    # ------------------------------------------------------------------------------------------------- what is shown

    def bound(self, names: dict[str, RaspValue], statement: Statement, env: Environment) -> None:
        """Show what a statement bound: a name at a time."""
        order = [target.name for target in statement.targets] if isinstance(statement, Assign) else list(names)
        for name in order:
            self._present(name, names[name])

    def shown(self, value: RaspValue, statement: Evaluate, env: Environment) -> None:
        """Show what an expression came to."""
        if self.applied is not None and self.applied[0] is _inside(statement.expression).span:
            self._present(None, value)
        else:
            self._present(_name_of(statement.expression), value)

    def _present(self, name: str | None, value: RaspValue) -> None:
        """Show a value, or hold it back until its file has been loaded; of an application only the console tells."""
        if self.held is None and name is None:
            self._show_application(value)
        elif self.held is None:
            self._show(name or "out", value)
        elif name is not None and name != "out" and not name.startswith("_"):
            self.held.append((name, value))

    def _show(self, name: str, value: RaspValue) -> None:
        try:
            for line in show.value(name, value, self):
                self.write(line)
        except RaspError as problem:
            for one in problem.diagnostics:
                self.complain(one)

    def _show_application(self, value: RaspValue) -> None:
        assert self.applied is not None
        _, node, example = self.applied
        if isinstance(node, Selector):
            keys, queries = example.sides(node)
            self.write("\t = ")
            self.write(show.matrix(keys, value, queries=queries))
        elif self.full_display and self.tapes is None:
            self.write("\t = " + show.full_example(example.given, value))
        else:
            self.write(f"\t =  {show.sequence(value)}")

    def name(self, node: Node) -> str:
        """What a node within a container is called."""
        return self.names.name(node)

    def example(self, name: str, node: Node, indent: str) -> Iterator[str]:
        """The lines below an s-op or selector, if examples are shown."""
        if isinstance(node, Selector):
            yield from self._selector_example(node, indent) if self.show_selectors else ()
        elif isinstance(node, SOp) and self.show_sops:
            yield from self._sop_example(name, node, indent)

    def _selector_example(self, node: Selector, indent: str) -> Iterator[str]:
        keys, queries = self.selector_example.sides(node)
        yield f"{indent} \t Example:"
        try:
            rows = self.selector_example.of(node)
        except RaspError:
            yield show.matrix_head(keys, indent)
            raise
        yield show.matrix(keys, rows, indent, queries)

    def _sop_example(self, name: str, node: SOp, indent: str) -> Iterator[str]:
        try:
            found = [*self.sop_example.each(name, node)]
        except RaspError as problem:
            if any(one.code == "mixed-kinds" for one in problem.diagnostics):
                raise
            yield str(problem)
            yield f"{indent} \t Example: {name}({self.sop_example.text}) = EVALUATION FAILURE"
            return
        for applied, values in found:
            if self.full_display and self.tapes is None:
                above = self.selector_example.tokens
                yield f"{indent} \t Example:" + show.full_example(above, values, indent, f"{applied} =")
            else:
                yield show.sop_example(applied, values, indent)

    # -------------------------------------------------------------------------------------------------- the commands

    def commanded(self, command: Command, argument: RaspValue | None) -> None:
        """Carry out an order to the console."""
        words = command.words
        side = words[1] if words[0] in {"set", "show"} else words[0]
        sops, selectors = side != "selector", side != "s-op"
        if words[0] == "set":
            assert command.argument is not None
            self._set_example(argument, command.argument.span, sops, selectors)
        elif words[0] == "show":
            self._show_examples(sops, selectors)
        elif words[0] == "full seq display":
            self.full_display = words[-1] == "on"
        else:
            self.show_sops = words[-1] == "on" if sops else self.show_sops
            self.show_selectors = words[-1] == "on" if selectors else self.show_selectors

    def _set_example(self, given: RaspValue, span: Span, sops: bool, selectors: bool) -> None:
        example = self.example_of(given)
        if example is None:
            what = "a string or a list of atoms, at least one" if self.tapes is None else A_PAIR
            raise error("input", f"an example is {what}, not {describe(given)}", span)
        if example.size > MAX_EXAMPLE:
            raise error("input", f"an example has at most {MAX_EXAMPLE} tokens, not {example.size}", span)
        self.sop_example = example if sops else self.sop_example
        self.selector_example = example if selectors else self.selector_example

    def _show_examples(self, sops: bool, selectors: bool) -> None:
        if sops:
            self.write(f"\ts-op example: {self.sop_example.text}")
        if selectors:
            self.write(f"\tselector example: {self.selector_example.text}")

    def _draw(self, statement: Draw, env: Environment) -> None:
        if self.tapes is not None:
            hint = "`rasp draw FILE SOURCE` prints the flow"
            raise error("draw", "in the console a program with a source is not drawn yet", statement.span, hint)
        given = self.sop_example.given if statement.input is None else self.full(statement.input, env)
        example = self.example_of(given)
        if example is None:
            what = describe(given)
            raise error("input", f"an input is a string or a list of atoms, at least one, not {what}", statement.span)
        with self.trying(example):
            sop = self.full(statement.sop, env)
        if not isinstance(sop, SOp):
            raise error("draw", f"`draw` takes an s-op, got {describe(sop)}", statement.sop.span)
        values = self._application(statement.span, sop, [given])
        self._picture(sop, given, _name_of(statement.sop))
        if not self.nested:
            self._present(None, values)

    def _picture(self, sop: SOp, given: RaspValue, name: str) -> None:
        """The computation by graphviz where that is installed, else as text."""
        nodes = interned([sop])
        names = {nodes[node]: called for node in nodes if (called := self.names.chosen(node)) is not None}
        picture = drawing.flow(nodes[sop], given, names, self.causal)
        try:
            files = drawing.render(picture, name)
        except (OSError, subprocess.SubprocessError) as problem:
            self.complain(Diagnostic("draw", "warning", f"no picture could be drawn: {problem}"))
            files = []
        if files:
            self.note("drawn: " + ", ".join(map(str, files)))
            return
        for line in str(picture).splitlines():
            self.write("\t" + line)
        if not (drawing.has_graphviz() or self.asked_for_graphviz):
            self.asked_for_graphviz = True
            self.note("graphviz (https://graphviz.org) is not installed: with it `draw` makes SVG and PDF too")

    # -------------------------------------------------------------------------------------------------------- files

    def _path(self, statement: Load) -> Path:
        """The file a `load` means. What is typed may lie anywhere, what a file loads lies below the working folder."""
        name = str(statement.path.value)
        if self.loading or "\0" in name:
            return super()._path(statement)
        here, shipped = Path(f"{name}.rasp"), shipped_programs() / f"{Path(name).name}.rasp"
        return shipped if Path(name).parent == Path("programs") and not here.exists() and shipped.exists() else here

    def _load(self, statement: Load, env: Environment) -> None:
        path = self._path(statement)
        if len(self.loading) >= MAX_LOADS:
            raise error("load", "files load each other too deeply", statement.span)
        if not self.loading:
            self.loads = self.loaded = self.words = 0
        text = read_file(path, statement.path.span)
        self.count(text, statement.path.span)
        parses = statements_of(text, str(path))
        own = Environment(self.base, {}, RESERVED, str(statement.path.value))
        with self._file(path):
            for parse in parses:
                self.take(parse, own)
        self._export_from(own, env, statement)

    @contextmanager
    def _file(self, path: Path) -> Iterator[None]:
        """Inside a file: examples are not shown, values are held back to its end, an `exit` ends the file only."""
        before = self.show_sops, self.show_selectors, self.site, self.instead, self.nested
        outermost = self.held is None
        self.show_sops = self.show_selectors = self.nested = False
        self.site = self.instead = None
        self.held = [] if self.held is None else self.held
        self.loading.append(path)
        try:
            yield
        finally:
            self.loading.pop()
            held, self.held = self.held, None
            self._release(held)
            self.held = None if outermost else []
            self.show_sops, self.show_selectors, self.site, self.instead, self.nested = before
            self.done = False

    def _release(self, held: list[Held]) -> None:
        """Show what was held back: each name once, at the place of its last binding, unless something went wrong."""
        failed = any(isinstance(one, Diagnostic) for one in held)
        last = {one[0]: at for at, one in enumerate(held) if not isinstance(one, Diagnostic)}
        for at, one in enumerate(held):
            if isinstance(one, Diagnostic):
                self.complain(one)
            elif failed or last[one[0]] == at:
                self._show(*one)

    def _export_from(self, own: Environment, env: Environment, statement: Load) -> None:
        public = {name: value for name, value in own.values.items() if not name.startswith("_") and name != "out"}
        for name in sorted(public.keys() & env.protected):
            message = f"the file binds `{name}`, a name of the library, for itself only"
            self.complain(Diagnostic("shadowed-library", "warning", message, statement.span))
            del public[name]
        env.values.update(public)


def _inside(node: Expression) -> Expression:
    """An expression without the parentheses around it."""
    while isinstance(node, Group):
        node = node.inner
    return node


def _name_of(node: Expression) -> str:
    """What the value of a statement is called."""
    inner = _inside(node)
    return inner.name if isinstance(inner, Name) else "out"
