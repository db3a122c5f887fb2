"""The public face of the language: a program, what it binds, and running it.

In: a path or a text. Out: a `Program`; its s-ops, selectors and functions are called like Python functions.
Invariant: a `Program` has no errors; warnings wait in `warnings`.

    >>> parse("#@ output: last\\nlast = tokens[-1];")["last"]("abc")
    ['c', 'c', 'c']
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, cast

from rasp.ask import examples, tapes
from rasp.ask.decodes import Decoding
from rasp.ask.generate import tokens_behind
from rasp.ask.lint import lint, precedence
from rasp.face import Face
from rasp.header import read_settings
from rasp.meaning.inputs import Input
from rasp.meaning.listing import listing
from rasp.meaning.operators import show
from rasp.meaning.sop import Constant, Node, SOp, reachable
from rasp.meaning.tapes import Instances
from rasp.meaning.tapes import listing as instances_listed
from rasp.rounds import Looping, carrying_of
from rasp.running.elaborate import MAX_FILE, Elaborator
from rasp.running.environment import Function, Given, Missing, RaspValue, describe, is_atom
from rasp.settings import Settings
from rasp.text.parser import parse_source
from rasp.text.source import SURROGATE, Diagnostic, RaspError, Source, Span, did_you_mean, error
from rasp.text.syntax import Module
from rasp.value import Value, to_python

LIBRARY = "library"
"""Whose text gives a name, if it is the library's; else it is the name of a file that is loaded."""


class Place(NamedTuple):
    """Where a name is given: the lines of the program, from 1; whose text it is, if not the program's."""

    lines: tuple[int, ...]
    home: str | None


def shipped_programs() -> Path:
    """The folder of the programs that come along: inside the installed package, or at the top of a checkout."""
    package = Path(__file__).parent
    installed = package / "programs"
    return installed if installed.is_dir() else package.parent / "programs"


def load(path: str | Path, **settings: Any) -> Program:
    """The program of a file, with settings instead of its header's. Raises `RaspError` with every error found,
    `OSError` if the file cannot be read."""
    path = Path(path)
    with path.open("rb") as file:
        data = file.read(MAX_FILE + 1)  # the file may be endless
    if len(data) > MAX_FILE:
        raise error("load", f"`{path}` is longer than {MAX_FILE} bytes")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise error("encoding", f"`{path}` is not UTF-8 text: {problem.reason} at byte {problem.start}") from None
    return parse(text, path, settings=settings)


def parse(
    text: str,
    path: str | Path | None = None,
    files: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
) -> Program:
    """The program of a text; with a path it may load files from there. Raises `RaspError` with every error found.

    With `files`, texts by the names that `load` has for them, it loads those and nothing from the disk. Settings stand
    in for the header's, of which those lines may then be wrong.
    """
    source = Source(text, "<text>" if path is None else str(path))
    if half := SURROGATE.search(text):
        raise error("encoding", "this is half of a character, and not UTF-8 text", Span(source, *half.span()))
    parsed = parse_source(source)
    if parsed.module is None:
        raise RaspError(*parsed.diagnostics)
    instead = {key: value for key, value in (settings or {}).items() if value is not None}
    header, found = read_settings(parsed.module.comments, instead)
    carrying = carrying_of(header, instead.get("rounds"))
    run = Elaborator(None if path is None else Path(path).parent, None, files, header.two_tapes, carrying)
    run.run_all(parsed.statements)
    program = Program(parsed.module, header, run)
    errors = [one for one in (*found, *run.diagnostics) if one.severity == "error"]
    if carrying is not None:
        errors += program._check_loop(carrying, bool(errors))
    if not found:
        program.settings = header.replace(**instead)
        errors += program._check_names()
    if not errors and program.two_tapes:
        errors += tapes.errors(program._asked)
    if errors:
        raise RaspError(*errors, *_explaining(errors, parsed.module))
    return program


def _explaining(errors: list[Diagnostic], module: Module) -> list[Diagnostic]:
    """The precedence warnings at the places of the errors: likely their reason."""
    places = [one.span.start for one in errors if one.span is not None]
    return [one for one in precedence(module) if one.span and any(one.span.start <= at < one.span.end for at in places)]


class Program(Looping):
    """A program that has been run: its names, its settings, its s-ops."""

    def __init__(self, syntax: Module, settings: Settings, run: Elaborator) -> None:
        self.syntax = syntax
        self.source: Source = syntax.span.source
        self.settings = self.header = settings
        self.bindings: dict[str, RaspValue] = {name: value for name, value in run.top.values.items() if name != "out"}
        self._run = run

    @property
    def files(self) -> Mapping[str, str]:
        """The texts of the files it loaded, by the names that `load` has for them."""
        return self._run.files

    def __repr__(self) -> str:
        return f"<Program {self.source.name}: {', '.join(self.outputs)}>"

    def __getitem__(self, name: str) -> Face:
        return Face(name, self._find(name), self)

    def __contains__(self, name: object) -> bool:
        return self._run.top.has(str(name)) or name in self._inner

    def __iter__(self) -> Iterator[str]:
        return iter(self.bindings)

    def _find(self, name: str) -> RaspValue:
        try:
            return self._run.top.find(name)
        except Missing:
            if name in self._inner:
                return self._inner[name]
            hint = did_you_mean(name, [name for name in self._run.top.names() if not name.startswith("_")])
            raise error("unknown-name", f"the program has no `{name}`", hint=hint) from None

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of the s-ops that are the program's answer: as declared, else the last one bound."""
        return self._answering(self.settings)

    def _answering(self, settings: Settings) -> tuple[str, ...]:
        """The outputs under these settings."""
        if settings.output:
            return settings.output
        sops = [name for name, value in self.bindings.items() if isinstance(value, SOp) and not name.startswith("_")]
        return tuple(sops[-1:])

    def require_outputs(self) -> tuple[str, ...]:
        """The outputs. Raises `RaspError` where the program binds no s-op."""
        if not self.outputs:
            raise error("no-output", "the program binds no s-op", hint="bind one, such as `answer = tokens;`")
        return self.outputs

    @cached_property
    def names(self) -> dict[Node, str]:
        """What each named s-op and selector is called; a program's name wins over the library's, a later one too."""
        bound = {name: self._run.base.find(name) for name in self._run.base.names()} | self.bindings
        return {value: name for name, value in bound.items() if isinstance(value, Node) and name != "out"}

    @cached_property
    def called(self) -> dict[Node, str]:
        """The same, and for nodes without a name the one they had for a while: `x.1` is the first x of several, `x[0]`
        the first in the list x. What is bound inside of a call is called after it: `sort.place`, and `sort#2.place` in
        the second call of `sort`. Of several names the outermost counts."""
        found = dict(self.names)
        for name, one in sorted(self._given, key=lambda pair: len(pair[1].calls)):
            for node, place in _nodes(one.value):
                found.setdefault(node, name + place)
        return found

    @cached_property
    def _inner(self) -> dict[object, Node]:
        """What is bound inside of calls, or was bound for a while, by its name in `called`."""
        return {name: node for node, name in self.called.items() if name not in self.bindings}

    @cached_property
    def _given(self) -> list[tuple[str, Given]]:
        """Every name that was given to s-ops or selectors, the last of several as it is, the others numbered."""
        given = [one for one in self._run.given if isinstance(one.value, Node | list | dict)]
        times = Counter(one.qualified for one in given)
        seen: Counter[str] = Counter()
        found = []
        for one in given:
            name = one.qualified
            seen[name] += 1
            is_last = seen[name] == times[name] and self.bindings.get(name, one.value) is one.value
            found.append((name if is_last else f"{name}.{seen[name]}", one))
        return found

    @cached_property
    def places(self) -> dict[str, Place]:
        """Where the program gives each name of `called`: a name that is given several times has all of these lines."""
        lines: dict[str, set[int]] = {}
        for one in self._run.given:
            lines.setdefault(one.qualified, set()).update(self._placed(one)[0])
        found: dict[str, Place] = {}
        for name, one in self._given:
            line, home = self._placed(one)
            own = tuple(sorted(lines[name] if name == one.qualified else line))
            found |= {name + place: Place(own, home) for _, place in _nodes(one.value)}
        return found

    def _placed(self, one: Given) -> tuple[set[int], str | None]:
        """The line of the program on which a name is given, or which calls what gives it, and whose text gives it."""
        spans = [span for span in (one.span, *(call.span for call in one.calls)) if span.source is self.source]
        line = {self.source.position(span.start)[0] for span in spans[:1]}
        if one.span.source is self.source:
            return line, None
        return line, self._run.homes.get(one.span.source, LIBRARY)

    @cached_property
    def warnings(self) -> list[Diagnostic]:
        """What is suspicious, though it runs."""
        found = [one for one in self._run.diagnostics if one.severity == "warning"]
        if not self.two_tapes:
            found += lint(self.syntax, self.settings, self._run.defaulted)
        else:
            found += [*precedence(self.syntax), *(tapes.warnings(self._asked, self.decoding) if self.outputs else [])]
        return found + self.examples.wrong

    @property
    def notes(self) -> list[Diagnostic]:
        """Examples that are left out under replaced settings; of a program with a source, which tapes were found where
        nobody wrote them."""
        return [*self.examples.note, *(tapes.notes(self._asked) if self.two_tapes else [])]

    @cached_property
    def examples(self) -> examples.Judged:
        """The examples of the program against what it answers: how many hold, which are wrong, which do not fit."""
        outputs = self.outputs, self._answering(self.header)
        return examples.judged(examples.Claimed(self.settings, self.header, outputs, self._said, self.is_meant))

    def _said(self, output: str, tokens: Input, most: int) -> Sequence[Value]:
        """What an output answers on an input, or writes for a source, at most so many tokens."""
        node = self.node(self.writes_with() if self.two_tapes else output)
        if self.two_tapes and isinstance(node, SOp):
            most = min(most, self.settings.longest)
            return [*tokens_behind(self.placed(node), self.settings, tokens, most, self.spans)]
        return cast("list[Value]", self[output].exact(tokens))

    @property
    def decoding(self) -> Decoding:
        """How a program with a source decodes, for `rasp.ask.decodes.search`. Raises `RaspError` without a source."""
        node = self.node(self.writes_with())
        if not (self.two_tapes and isinstance(node, SOp)):
            raise error("decode", "the program has no source to decode from")
        meant = tapes.meant(self._asked)
        return Decoding(self.placed(node), self.settings, lambda source: meant(source, ()), self.spans)

    @property
    def _asked(self) -> tapes.Asked:
        writer = [self.writes_with()] if self.outputs else []  # it stands last
        chosen = [*(name for name in self.outputs if name not in writer), *writer]
        outputs = {name: node for name in chosen if isinstance(node := self.node(name), SOp)}
        requires = [node for name in self.settings.requires if isinstance(node := self.node(name), SOp)]
        return tapes.Asked(outputs, self.instances.tapes, self.settings, self._run.spans, self.names, requires)

    def node(self, name: str) -> Node:
        """The s-op or selector of this name; an atom is the s-op that has it everywhere."""
        value = self._find(name)
        if isinstance(value, Node):
            return value
        if is_atom(value):
            return Constant(value)
        raise error("not-an-s-op", f"`{name}` is {describe(value)}, not an s-op or a selector")

    def call(self, function: Function, args: list[RaspValue]) -> RaspValue:
        """What a function of the program gives for these values."""
        return self._run.call(function, args)

    def stream(self, prompt: Input, max_tokens: int | None = None, output: str | None = None) -> Iterator[Any]:
        """The tokens of `generate`, each as soon as it is known."""
        chosen = self.writes_with(output)
        node = self.node(chosen)
        if not isinstance(node, SOp):
            raise error("not-an-s-op", f"`{chosen}` is a selector: it has no tokens to generate")
        for value in tokens_behind(self.placed(node), self.settings, prompt, max_tokens, self.spans):
            yield to_python(value)

    def writes_with(self, output: str | None = None) -> str:
        """The name of the s-op that holds the next token: the one given, that `generate` names, or the first output."""
        declared = self.settings.generate
        return output or (declared if isinstance(declared, str) else self.require_outputs()[0])

    def generate(self, prompt: Input, max_tokens: int | None = None, output: str | None = None) -> list[Any]:
        """The tokens that follow the prompt: each is what the s-op that `generate` names, or the first output, holds
        at the last position so far. It ends with a token of `stop` or after `max_tokens`; without a number, after as
        many as a model of the declared length can give."""
        return list(self.stream(prompt, max_tokens, output))

    def decode(self, source: Input, output: str | None = None) -> list[Any]:
        """The target that a program with a source writes: from `start`, which is left out, to a token of `stop`, which
        is the last one given, or as long as targets may be."""
        if not self.two_tapes:
            hint = "`generate` goes on behind a prompt; a header line `#@ source: VOCAB` declares a source"
            raise error("decode", "the program has no source to decode from", hint=hint)
        return self.generate(source, output=output)

    def answers(self, source: Input, target: Input = ()) -> dict[str, list[Any]]:
        """The values of every output of a program with a source at each position of a target so far: the last one is
        the next token, the one before it was so one token earlier. `start`, at index 0, is not given."""
        return {name: self[name](source, target) for name in self.require_outputs()}

    def is_meant(self, source: Input, target: Input = ()) -> bool:
        """Whether the program promises something here: tokens and lengths are the declared ones, and all that it
        `requires` is True; with a source, on the tape that it is about."""
        if self.two_tapes:
            return tapes.meant(self._asked)(source, target)
        try:
            needed = [self[name].exact(source) for name in self.settings.requires]
        except RaspError:
            return False
        return self.settings.allows(source) and all(map(all, needed))

    @property
    def two_tapes(self) -> bool:
        """Whether the program reads a source beside its target."""
        return self._run.tapes is not None

    @cached_property
    def instances(self) -> Instances:
        """The s-ops of a program with a source, each on the tape that it is read on."""
        return Instances(self._run.tapes)

    def listing(self, roots: Mapping[str, SOp]) -> str:
        """What s-ops are computed from as text, a line each; of a program with a source each with its tape."""
        if self.two_tapes:
            return instances_listed(roots, self.names, self.instances.tapes)
        needed = set(reachable(roots.values()))
        return listing({name: node for node, name in self.names.items() if node in needed} | dict(roots))

    def placed(self, node: Node) -> Any:
        """A node as the interpreter takes it: of a program with a source, the instance that the decoder reads."""
        return self.instances.of(node) if self.two_tapes else node

    @property
    def spans(self) -> Mapping[Node, Span]:
        """Where the nodes that the interpreter takes were first written."""
        return self.instances.located(self._run.spans) if self.two_tapes else self._run.spans

    def span(self, node: Node) -> Span | None:
        """Where a node was first written."""
        return self._run.spans.get(node)

    def replace(self, **settings: Any) -> Program:
        """The same program under other settings, checked like those of a header. None leaves a setting as it is."""
        changed = copy.copy(self)
        for found in ("warnings", "examples"):
            changed.__dict__.pop(found, None)
        changed.settings = self.settings.replace(**settings)
        errors = changed._check_names()
        if not errors and self.two_tapes:
            errors = tapes.errors(changed._asked)
        if errors:
            raise RaspError(*errors)
        return changed

    def _check_names(self) -> list[Diagnostic]:
        """The settings that name an s-op name one that is there."""
        generate = self.settings.generate
        named = {"output": self.settings.output, "requires": self.settings.requires}
        named["generate"] = (generate,) if isinstance(generate, str) else ()
        found = []
        if self.settings.two_tapes and not self.two_tapes:
            found.append(Diagnostic("setting", "error", "`source` is declared in the header: names depend on it"))
        found += self._check_rounds()
        for key, names in named.items():
            for name in names:
                if name in self._run.lost or (name in self and isinstance(self._find(name), SOp)):
                    continue
                what = f"is {describe(self._find(name))}" if name in self else "is not defined"
                hint = None if name in self else did_you_mean(name, self.bindings)
                message = f"`{key}` names `{name}`, which {what}"
                found.append(Diagnostic("setting", "error", message, self.settings.spans.get(key), hint))
        return found


def _nodes(value: RaspValue) -> Iterator[tuple[Node, str]]:
    """The s-ops and selectors in a value, each with its place there."""
    match value:
        case Node():
            yield value, ""
        case list():
            yield from ((item, f"[{i}]") for i, item in enumerate(value) if isinstance(item, Node))
        case dict():
            yield from ((item, f"[{show(key)}]") for key, item in value.items() if isinstance(item, Node))
