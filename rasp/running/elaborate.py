"""Running a program: what it leaves behind are s-ops and selectors.

In: statements. Out: an environment of values; functions, loops, lists and dictionaries have done their work.
Everything the graph cannot hold is computed here, so this is partial evaluation by plain execution.
Invariant: no program makes this run for ever, fill the memory or end in a Python traceback: steps, depth and sizes have
limits. `spans` knows for every node where it was first written (a node made by the library: where it was called).

    >>> from rasp.text.parser import parse_text
    >>> run = Elaborator(); run.run_all(parse_text("x = 1; y = [x, 2];").statements), run.top.values["y"]
    (True, [1, 2])
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from typing import assert_never

from rasp.meaning.operators import TokenKind
from rasp.meaning.sop import Indices, Node, SOp, Tokens
from rasp.meaning.tapes import SOURCE_LENGTH, Tapes
from rasp.running import operations
from rasp.running.environment import (
    BEYOND_THE_ORIGINAL,
    OF_A_SOURCE,
    RESERVED,
    Environment,
    Function,
    Given,
    RaspValue,
    describe,
)
from rasp.running.expressions import Evaluator, Skip, check_name, deep_recursion
from rasp.running.loops import Carrying, binds
from rasp.text.parser import MAX_WORDS, Parse, parse_source
from rasp.text.source import Diagnostic, RaspError, Source, Span, error
from rasp.text.syntax import Assign, Command, Define, Draw, Evaluate, Expression, For, Load, Name, Statement

MAX_LOADS = 50
"""How deep files may load files."""
MAX_FILE = 1 << 20
"""Longest file that is loaded, in bytes."""
MAX_FILES, MAX_LOADED = 1_000, 4 * MAX_FILE
"""How often a program loads files, and how many characters come together, those that are loaded again included."""
SOURCE_KINDS: tuple[TokenKind, ...] = ("str", "int", "float", "bool")
MAX_ERRORS = 20
"""After so many errors the rest of a program is not run."""


class Elaborator(Evaluator):
    """One run of a program. The methods that do nothing are there for a console to fill in.

    It loads files from `folder`, or, where `kept` holds texts by the names that `load` has for them, only from there.
    """

    def __init__(
        self,
        folder: Path | None = None,
        base: Environment | None = None,
        kept: Mapping[str, str] | None = None,
        two_tapes: bool = False,
        carrying: Carrying | None = None,
    ) -> None:
        base = (library_of_tapes() if two_tapes else library()) if base is None else base
        free = {"tokens", "out"} | BEYOND_THE_ORIGINAL
        super().__init__(Environment(base, {}, RESERVED | frozenset(base.names()) - free))
        if two_tapes:
            self.tapes = tapes_of(base)
        self.base = base
        self.folder = folder
        self.kept = kept
        self.carrying = carrying
        self.diagnostics: list[Diagnostic] = []
        self.loading: list[Path] = []
        self.files: dict[str, str] = {}
        self.homes: dict[Source, str] = {}  # what `load` calls the file that a text comes from
        self.given: list[Given] = []  # inside of functions too, those of the library among them
        self.loads = self.loaded = self.words = 0

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
            self._attempt(statement, env)
        return len(self.diagnostics) == before

    def _attempt(self, statement: Statement, env: Environment | None) -> None:
        """Run a statement, and keep what is wrong with it; behind many errors it is only noted what it would bind."""
        try:
            if sum(one.severity == "error" for one in self.diagnostics) >= MAX_ERRORS:
                raise Skip()
            self.run(statement, env)
        except RaspError as problem:
            self.diagnostics += problem.diagnostics
            self.lost |= binds(statement)

    def run(self, statement: Statement, env: Environment | None = None) -> None:
        """Run one statement at the top. Raises `RaspError`; then nothing was bound."""
        if not self.loading:
            self.calls = 0
            self.site = None
        with deep_recursion(statement.span):
            self._statement(statement, env or self.top, True)

    def execute(self, statement: Statement, env: Environment) -> None:
        """Run a statement of a body: nothing is shown."""
        self._statement(statement, env, False)

    def _statement(self, statement: Statement, env: Environment, top: bool) -> None:
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
                    check_name(parameter, RESERVED)
                self._bind({name.name: function}, (name,), env, statement if top else None)
            case For():
                self._loop(statement, env, top and not self.loading)
            case Load():
                self._load(statement, env)
            case Draw():
                self._draw(statement, env)
            case Command(_, _, argument):
                self.commanded(statement, None if argument is None else self.full(argument, env))
            case _:
                assert_never(statement)

    def _bind(self, made: dict[str, RaspValue], names: Sequence[Name], env: Environment, top: Statement | None) -> None:
        for name in names:
            check_name(name, env.protected)
        env.values.update(made)
        self.given += [Given(name.name, made[name.name], name.span, self.within) for name in names]
        self.lost -= made.keys()
        if top is not None:
            self.bound(made, top, env)

    def _assigned(
        self, targets: tuple[Name, ...], values: tuple[Expression, ...], env: Environment
    ) -> dict[str, RaspValue]:
        made = [self.full(value, env) for value in values]
        if len(targets) == 1:
            return {targets[0].name: made[0] if len(made) == 1 else made}
        whole = targets[0].span | values[-1].span
        parts = self.attempt(whole, operations.parts_of, made[0] if len(made) == 1 else made, len(targets))
        return {target.name: part for target, part in zip(targets, parts, strict=True)}

    def _loop(self, loop: For, env: Environment, top: bool) -> None:
        items = self.attempt(loop.iterable.span, operations.items_of, self.full(loop.iterable, env))
        if self.carrying is None or not top or not self.carrying.is_about(loop):
            for item in items:
                self._round(loop, env, item)
            return
        meant = self.carrying.items(items, loop.iterable.span)
        self.carrying.run(loop, env, self._rounds(loop, env, meant, self.carrying.generic), self.spans)

    def _rounds(
        self, loop: For, env: Environment, items: Sequence[RaspValue], once: bool
    ) -> Iterator[Callable[[], None]]:
        """The rounds of a loop, to be run in turn; if all are the first one, it alone gives names."""
        given = len(self.given)
        for number, item in enumerate(items):
            yield partial(self._round, loop, env, item)
            given = len(self.given) if number == 0 else given
        if once:
            del self.given[given:]

    def _round(self, loop: For, env: Environment, item: RaspValue) -> None:
        """One round of a loop."""
        self._step(loop.span)
        self._bind(self.unpacked(loop.names, item, loop.iterable.span), loop.names, env, None)
        for statement in loop.body:
            self.execute(statement, env)

    def _draw(self, statement: Draw, env: Environment) -> None:
        sop = self.full(statement.sop, env)
        if not isinstance(sop, SOp):
            raise error("draw", f"`draw` takes an s-op, got {describe(sop)}", statement.sop.span)
        self.drawn(sop, None if statement.input is None else self.full(statement.input, env), statement)

    def _load(self, statement: Load, env: Environment) -> None:
        path = self._path(statement)
        text = self._text(path, statement)
        source = Source(text, str(path))
        self.homes[source] = str(statement.path.value)
        parsed = self.parsed(source, statement.span)
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

    def _text(self, path: Path, statement: Load) -> str:
        """The text of a file, the same each time it is loaded."""
        name, span = str(statement.path.value), statement.path.span
        if name not in self.files:
            self.files[name] = read_file(path, span) if self.kept is None else self._kept(name, span)
        self.count(self.files[name], span)
        return self.files[name]

    def count(self, text: str, span: Span) -> None:
        """Another file is loaded: files that load each other, each several times, must come to an end."""
        self.loads += 1
        self.loaded += len(text)
        for count, most, what in ((self.loads, MAX_FILES, "files"), (self.loaded, MAX_LOADED, "characters")):
            if count > most:
                raise error("load", f"more than {most} {what} are loaded", span)

    def parsed(self, source: Source, span: Span) -> Parse:
        """The statements of a file that is loaded, its words counted in."""
        found = parse_source(source)
        self.words += found.words
        if self.words > MAX_WORDS:
            raise error("load", f"more than {MAX_WORDS} words are loaded", span)
        return found

    def _kept(self, name: str, span: Span) -> str:
        assert self.kept is not None
        if name not in self.kept:
            raise error("load", f"the file `{name}` was not kept with this program", span)
        return self.kept[name]

    def _path(self, statement: Load) -> Path:
        """The file a `load` means: below the program's own folder, reached by no `..` and no link to elsewhere."""
        name, span = str(statement.path.value), statement.path.span
        if self.folder is None and self.kept is None:
            raise error("load", "this program has no folder to load from", span, "give the text a path")
        if Path(name).is_absolute() or ".." in Path(name).parts or "\0" in name:
            raise error("load", "a program loads files from its own folder and the folders in it only", span)
        folder = self.folder or Path()
        path = folder / f"{name}.rasp"
        if self.kept is None and not _resolved(path, span).is_relative_to(_resolved(folder, span)):
            raise error("load", "this file is a link that leads out of the program's folder", span)
        if path in self.loading or len(self.loading) >= MAX_LOADS:
            raise error("load", "this file is being loaded already: files load each other in a circle", span)
        return path


@cache
def library() -> Environment:
    """The environment every program starts from: the base s-ops and the library."""
    base = Environment(None, {"True": True, "False": False, "indices": Indices()}, RESERVED, "RASP_support/rasplib")
    converts: tuple[TokenKind, ...] = ("asis", "str", "int", "float", "bool")
    for convert in converts:
        base.values[f"tokens_{convert}"] = Tokens(convert)
    base.values["tokens"] = base.values["tokens_str"]
    base.values["selector_width"] = Function("selector_width", ("sel",), operations.selector_width, base, True)
    source = Source(files("rasp.running").joinpath("prelude.rasp").read_text("utf-8"), "prelude.rasp")
    run = Elaborator(base=base)
    if not run.run_all(parse_source(source).statements, base):
        raise RaspError(*run.diagnostics)
    base.values["out"] = base.values["tokens"]
    return base


@cache
def library_of_tapes() -> Environment:
    """The environment that programs with a source start from: the library, and the names of the source."""
    tokens = [Tokens(convert, "source") for convert in SOURCE_KINDS]
    return Environment(library(), dict(zip(OF_A_SOURCE, (*tokens, SOURCE_LENGTH), strict=True)))


def tapes_of(base: Environment) -> Tapes:
    """The tapes of nodes, which messages call by the names that are found here."""
    bound = ((base.find(name), name) for name in base.names() if name != "out")
    return Tapes({value: name for value, name in bound if isinstance(value, Node)})


def _resolved(path: Path, span: Span) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):
        raise error("load", f"cannot read `{path}`", span) from None


def read_file(path: Path, span: Span) -> str:
    """The text of a file that is loaded."""
    try:
        if path.is_file() and path.stat().st_size > MAX_FILE:
            raise error("load", f"`{path}` is longer than {MAX_FILE} bytes", span)
        if not path.exists() or path.is_file():
            return path.read_text("utf-8-sig")
        raise error("load", f"`{path}` is not a file", span)
    except UnicodeDecodeError:
        raise error("load", f"`{path}` is not UTF-8 text", span) from None
    except (OSError, ValueError):
        hint = "leave out `.rasp`: it is added to the name" if path.name.endswith(".rasp.rasp") else None
        raise error("load", f"cannot read `{path}`", span, hint) from None
