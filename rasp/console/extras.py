"""The commands that a session has beyond those of the original: `help` and `compile`.

In: a line at the beginning of a statement. Out: whether it was such a command; then it has been carried out.
The language knows no compiler: one is found among the installed packages, by the entry point ``rasp.compilers``.
Invariant: no line that is a statement of the language is taken.

    >>> hear(Console(print), "help indices"), hear(Console(print), "compile = 1;")
    indices
    An s-op: the position, from 0.
    (True, False)
"""

from __future__ import annotations

import re
from importlib.metadata import entry_points
from typing import Any

from rasp.ask.show import example
from rasp.console.console import Console
from rasp.console.manual import page
from rasp.meaning.sop import Node, SOp, interned
from rasp.program import Program
from rasp.running.elaborate import Elaborator
from rasp.running.environment import Missing, describe
from rasp.settings import Settings, token_text
from rasp.text.source import Diagnostic, RaspError, Source, Span, counted, did_you_mean, error
from rasp.text.syntax import Module
from rasp.value import Value

MAX_LENGTH = 16
"""The longest input of a compiled s-op, where nothing else is set."""

_COMMAND = re.compile(r"\s*(?P<word>help|compile)(?:\s+(?P<name>[A-Za-z_]\w*))?\s*;?\s*(?:#.*)?", re.ASCII)
_OPERATORS = {"in", "if", "and", "or"}


def hear(console: Console, line: str) -> bool:
    """Carry out a command of ours, if the line is one."""
    found = _command(line)
    if found is None:
        return False
    if found["word"] == "help":
        for text in page(found["name"]).splitlines():
            console.write(text)
    elif found["name"] is None:
        console.complain(Diagnostic("usage", "error", "compile what?", hint="`compile NAME`, the name of an s-op"))
    else:
        _report(console, found["name"])
    return True


def is_command(line: str) -> bool:
    """Whether the line is a command of ours."""
    return _command(line) is not None


def _command(line: str) -> re.Match[str] | None:
    found = _COMMAND.fullmatch(line)
    if found is None or found["name"] in _OPERATORS or (found["name"] is None and ";" in line):
        return None
    return found


def _report(console: Console, name: str) -> None:
    """Say what an s-op becomes, or in one line why it becomes nothing."""
    try:
        program = program_of(console, name)
        compiled = compiler()(program)
        for line in _sizes(compiled, name):
            console.write("\t" + line)
    except RaspError as problem:
        first = problem.diagnostics[0]
        console.complain(Diagnostic(first.code, "error", f"cannot compile `{name}`: {first.message}"))


def compiler() -> Any:
    """The installed compiler: from a program to something that has a circuit and a summary."""
    for entry in entry_points(group="rasp.compilers"):
        return entry.load()
    raise error("no-compiler", "no compiler is installed")


def program_of(console: Console, name: str) -> Program:
    """The session as a program whose output is this s-op, under the settings of the session."""
    try:
        value = console.top.find(name)
    except Missing:
        raise error("unknown-name", f"it is not defined{_near(console, name)}") from None
    if not isinstance(value, SOp):
        raise error("not-an-s-op", f"it is {describe(value)}, not an s-op")
    values = {key: value for key, value in console.top.values.items() if key != "out"} | {name: value}
    nodes = interned([value for value in values.values() if isinstance(value, Node)])
    run = Elaborator(two_tapes=console.tapes is not None)
    run.top.values.update({key: nodes[value] if isinstance(value, Node) else value for key, value in values.items()})
    nothing = Span(Source(""), 0, 0)
    return Program(Module(nothing, (), ()), _settings(console, name), run)


def _near(console: Console, name: str) -> str:
    hint = did_you_mean(name, [known for known in console.top.names() if isinstance(console.top.find(known), SOp)])
    return f": {hint}" if hint else ""


def _settings(console: Console, name: str) -> Settings:
    given = console.settings
    vocabulary = tuple({token_text(token): token for token in console.sop_example.run.tokens}.values())
    return Settings().replace(
        output=name,
        vocab=given.vocab or vocabulary,
        max_length=given.max_length or (None if given.two_tapes else MAX_LENGTH),
        source=given.source,
        **_of_two_tapes(given) if given.two_tapes else {"attention": given.attention},
    )


def _of_two_tapes(given: Settings) -> dict[str, Any]:
    return {"start": given.start, "max_source": given.max_source, "stop": given.stop}


def _sizes(compiled: Any, name: str) -> list[str]:
    """The model's size, the size of each layer, and for which inputs."""
    settings = compiled.program.settings
    lines = [f"{name}: {compiled.summary()}"]
    decoder, encoder = compiled.circuit, compiled.circuit.encoder
    for called, circuit in (("encoder layer", encoder), ("layer" if encoder is None else "decoder layer", decoder)):
        for number, layer in enumerate(() if circuit is None else circuit.layers):
            crossing = [f"{counted(len(layer.cross), 'head')} over the source"] if layer.cross else []
            sizes = [counted(len(layer.heads), "head"), *crossing, counted(len(layer.neurons), "neuron")]
            lines.append(f"  {called} {number}: {', '.join(sizes)}")
    if settings.two_tapes:
        lines.append(
            f"  for sources of 1 to {settings.longest_source} tokens, targets of {settings.longest} with `start`"
        )
    else:
        lines.append(f"  for 1 to {settings.max_length} tokens of {_tokens(settings.vocab)}, {settings.attention}")
    return lines


def _tokens(vocab: tuple[Value, ...]) -> str:
    """A vocabulary as it is typed, as far as one wants to read it."""
    tokens = vocab[:40]
    text = example("".join(map(str, tokens)) if all(isinstance(t, str) and len(t) == 1 for t in tokens) else [*tokens])
    return f"{text} and {len(vocab) - 40} more" if len(vocab) > 40 else text
