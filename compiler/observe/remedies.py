"""Remedies: where a program that is refused fails, in its own text, and what would help, each one tried.

In: a compilation and the error. Out: the error with its place, and with remedies under which the program was seen to
compile, cheapest first.
Invariant: nothing is recommended that was not tried.

    share.rasp:3:9: rounding to float16 could change an answer
      hint: it compiles with --dtype float32 (1,204 parameters)
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from compiler.circuit.certificate import Certificate
from compiler.graph.domain import Refusal, cone, is_length, refusal
from compiler.graph.simplify import width
from compiler.graph.specialise import Graph
from compiler.graph.witness import required
from compiler.numbers.precision import PRECISIONS
from rasp.meaning.sop import Aggregate, Constant, Map, Node, Selector, SOp, Width, reachable
from rasp.program import Program, parse
from rasp.text.source import RaspError, Span, counted

if TYPE_CHECKING:
    from compiler.pipeline import Compiled

SECONDS = 1.8
"""How long all of a refusal may take: no other remedy is tried after it."""
LONG = 120.0
"""The same where somebody asked for suggestions."""
SHORT_WORK = {"combinations": 100_000, "fractions": 6_000, "decoded": 1 << 13}
"""Limits of what is tried in a short time: a try cannot be ended, so one that would be long is to be refused."""
CURABLE = ("not-certified", "too-large", "too-many-values", "too-many-combinations", "too-long-numbers")
"""The codes of refusals that a smaller or another setting may end."""


@dataclass(frozen=True)
class Remedy:
    """Something under which the program compiles, in words, and the size of the model then."""

    what: str
    parameters: int

    def __str__(self) -> str:
        return f"{self.what} ({counted(self.parameters, 'parameter', ',')})"


def explained(compiled: Compiled, problem: RaspError, graph: Graph, started: float) -> RaspError:
    """The refusal of a compilation, at its place in the text, with what was found to help until the time is over."""
    told = problem.diagnostics[0]
    node = problem.node if isinstance(problem, Refusal) else None
    span = told.span or (None if node is None else place(compiled, graph, node))
    message = told.message
    if node is not None and isinstance(problem, Refusal) and problem.called:  # in the program's own words
        message = message.replace(problem.called, f"`{graph.told(node)}`", 1)
    hint = told.hint
    if told.code in CURABLE:
        written = None if node is None else graph.origin(node)
        found = [*remedies(compiled, started + SECONDS, time.monotonic() - started, written)]
        if found:
            hint = "it compiles with " + ", or with ".join(map(str, found))
        else:
            hint = f"{hint}; `rasp compile FILE --suggest` takes its time to look for what helps"
    return Refusal(replace(told, message=message, span=span, hint=hint), *problem.diagnostics[1:], node=node)


def uncertified(compiled: Compiled, certificate: Certificate) -> Refusal:
    """Why a circuit is not certified. A decision about what has no name is told by what the program wrote of it."""
    if certificate.overflow is not None:
        return refusal(
            "not-certified",
            f"the program's numbers may be too large for {compiled.dtype}: {certificate.overflow}",
            "compute with smaller numbers",
        )
    failing = next((decision for decision in certificate.decisions if not decision.holds), certificate.tightest)
    if failing.of is not None and failing.of not in compiled.graph.names:
        failing = replace(failing, what=f"`{compiled.graph.told(failing.of)}`")
    return refusal(
        "not-certified",
        f"rounding to {compiled.dtype} in {compiled.setting.max_length} tokens could change an answer: {failing}",
        "compile with a smaller max_length or vocabulary, round large numbers, or compile with --uncertified, "
        "which waives it",
        failing.of,
    )


def place(compiled: Compiled, graph: Graph, node: Node) -> Span | None:
    """Where the program wrote a node, in its own text: of a part of the library, where that is used."""
    program, written = compiled.program, graph.origin(node)
    if written is None:
        return None
    readers: dict[Node, list[Node]] = {}
    for reader in reachable(compiled.sop.values()):
        for part in reader.inputs:
            readers.setdefault(part, []).append(reader)
    todo, seen = deque([written]), {written}
    while todo:
        current = todo.popleft()
        span = program.span(current)
        if span is not None and span.source is program.source and not isinstance(current, Constant):
            return span
        new = [reader for reader in readers.get(current, ()) if reader not in seen]
        seen.update(new)
        todo += new
    return None


def remedies(
    compiled: Compiled,
    end: float,
    each: float,
    failing: Node | None = None,
    tell: Callable[[str], None] = lambda what: None,
) -> Iterator[Remedy]:
    """What helps, as it is found, the cheapest first; nothing is begun that would not be over at the end.

    `end` is a time of the monotonic clock, `each` the seconds that one try takes at most; `failing` is the s-op of the
    program that is refused; `tell` hears of each try.
    """
    thorough = end - time.monotonic() > SECONDS
    if not thorough:
        compiled = _limited(compiled)
    for what, changed in itertools.chain(_required(compiled, failing), _settings(compiled, thorough)):
        begun = time.monotonic()
        if begun + 2 * each > end:  # what compiles takes longer than what is refused
            return
        tell(what)
        if (found := _tried(what, changed, end)) is not None:
            yield found
        each = max(each, time.monotonic() - begun)
    low, high, best = 0, compiled.setting.max_length, None
    while high - low > max(1, compiled.setting.max_length // 16):
        middle = (low + high) // 2
        begun = time.monotonic()
        if begun + each > end:  # shorter inputs take less
            break
        tell(f"max_length {middle}")
        found = _tried(f"max_length {middle}", _at(compiled, middle), end)
        each = max(each, time.monotonic() - begun)
        low, high, best = (middle, high, found) if found is not None else (low, middle, best)
    if best is not None:
        yield best


def _limited(compiled: Compiled) -> Compiled:
    """The same compilation, which refuses what would take long."""
    own = compiled.limits
    changed = replace(
        compiled, limits=replace(own, **{name: min(getattr(own, name), n) for name, n in SHORT_WORK.items()})
    )
    vars(changed)["sop"] = compiled.sop
    return changed


def _required(compiled: Compiled, failing: Node | None) -> Iterator[tuple[str, Compiled]]:
    """A requirement that one key is selected, where several numbers could be averaged that are meant to be one.

    Of a selector that may select some keys, and that can be written behind the program as it stands.
    """
    program = compiled.program
    for selector in _averaged(failing):
        span, count = program.span(selector), width(selector, compiled.setting)
        if span is None or not isinstance(count, Width) or is_length(count):
            continue
        one = Map("==", (Width(selector), Constant(1)))
        line = f"one = selector_width({span.text}) == 1;"
        if not _says(line, one, program):
            continue
        changed = replace(compiled)
        requires = (*required(program), one)
        vars(changed)["_graphs"] = compiled.graphs(compiled.sop, requires)
        yield f"`#@ requires: one` and `{line}`", changed


def _averaged(failing: Node | None) -> list[Selector]:
    """The selectors of the aggregates that an s-op is computed from, position by position."""
    found = cone(failing, ()) if isinstance(failing, SOp) else []
    return [*dict.fromkeys(node.selector for node in found if isinstance(node, Aggregate))]


def _says(line: str, node: Node, program: Program) -> bool:
    """Whether a line behind a program's text defines its name as a node."""
    name = line.split(" ", 1)[0]
    try:
        return name not in program.bindings and parse(f"{program.source.text}\n{line}").node(name) is node
    except RaspError:
        return False


def _settings(compiled: Compiled, thorough: bool) -> Iterator[tuple[str, Compiled]]:
    """Other arithmetics of more bits, and outputs that are rounded, of which it is not known how long they take."""
    own = PRECISIONS[compiled.dtype]
    for wider in PRECISIONS.values():
        if wider.bits > own.bits:
            yield f"--dtype {wider.name}", replace(compiled, dtype=wider.name)
    for name, node in compiled.sop.items() if thorough else ():
        if not (isinstance(node, Map) and node.op == "round"):
            rounded: SOp = Map("round", (node,))
            changed = replace(compiled)
            vars(changed)["sop"] = {**compiled.sop, name: rounded}
            yield f"`round({name})`", changed


def _at(compiled: Compiled, max_length: int) -> Compiled:
    """The same program for shorter inputs."""
    changed = replace(compiled)
    vars(changed)["setting"] = replace(compiled.setting, max_length=max_length)
    vars(changed)["sop"] = compiled.sop
    return changed


def _tried(what: str, changed: Compiled, end: float) -> Remedy | None:
    try:
        built = changed.built(max(0.0, end - time.monotonic()))
    except RaspError:
        return None
    return Remedy(what, built.circuit.parameters()) if built.certificate.ok else None
