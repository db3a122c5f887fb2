"""Loops that carry names: one round of `for`, whatever round it is, as s-ops over what it begins with.

In: the loop that a header's `loop` is about, and what runs statements. Out: `Rounds`, the s-ops of the carried names
before the first round and after each; or `Round`, those after any round as functions of those before it (C44).
Invariant: `Round` exists only where all rounds have one graph: what changes from one to the next is a carried s-op.

    for i in range(3) { x = x + 1; }    of x = indices:  Round is x -> x + 1, Rounds are indices, indices + 1, ...
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never

from rasp.meaning.listing import outline
from rasp.meaning.sop import Constant, Node, Phi, SOp, reachable
from rasp.running.environment import Environment, RaspValue, describe, is_atom
from rasp.text.source import Diagnostic, RaspError, Span, error
from rasp.text.syntax import Assign, Command, Define, Draw, Evaluate, For, Load, Statement

States = tuple[Mapping[str, SOp], ...]
"""What each carried name holds, before the first round and after each."""


@dataclass(frozen=True)
class Round:
    """Any round: what it begins with, what the first one begins with, what it ends with, by name."""

    phis: Mapping[str, Phi]
    first: Mapping[str, SOp]
    after: Mapping[str, SOp]
    rounds: int
    span: Span


@dataclass
class Carrying:
    """The loop of a header, as it is run: really, or as a `generic` round over what a round begins with."""

    names: tuple[str, ...]
    rounds: int | None = None
    """How many rounds there are, instead of those of the text."""
    generic: bool = False
    states: list[Mapping[str, SOp]] = field(default_factory=list)
    round: Round | None = None

    def is_about(self, loop: For) -> bool:
        """Whether a loop at the top binds one of the names."""
        return not binds(loop).isdisjoint(self.names)

    def items(self, items: Sequence[RaspValue], span: Span) -> list[RaspValue]:
        """The items of all rounds: as no round depends on its own, they may begin anew."""
        if not items:
            raise error("loop", "this loop has no rounds, so nothing is carried", span, "let it have one or more")
        return list(items if self.rounds is None else itertools.islice(itertools.cycle(items), self.rounds))

    def held(self, env: Environment, span: Span) -> dict[str, SOp]:
        """What the carried names hold; a plain value is the s-op that has it everywhere."""
        return {name: _lifted(name, env, span) for name in self.names}

    def run(self, loop: For, env: Environment, rounds: Iterable[Callable[[], None]], spans: Mapping[Node, Span]) -> int:
        """Run the rounds. How many there were."""
        env.values.update(first := self.held(env, loop.span))
        if self.generic:
            return self._run_generic(loop, env, first, rounds, spans)
        self.states.append(first)
        for one in rounds:
            _run_as_sops(one, self.names)
            env.values.update(after := self.held(env, loop.span))
            self.states.append(after)
        return len(self.states) - 1

    def _run_generic(
        self,
        loop: For,
        env: Environment,
        first: Mapping[str, SOp],
        rounds: Iterable[Callable[[], None]],
        spans: Mapping[Node, Span],
    ) -> int:
        phis = {name: Phi(name) for name in self.names}
        others = binds(loop) - set(self.names) - {name.name for name in loop.names}
        found: Mapping[str, SOp] | None = None
        number = 0
        for number, one in enumerate(rounds, start=1):
            env.values.update(phis)
            _run_as_sops(one, self.names)
            after = self.held(env, loop.span)
            for name, node in after.items():
                _require_fresh(name, node, number, loop, spans)
                if found is not None and node is not found[name]:
                    raise _differs(name, found[name], node, number, loop, spans)
            found = after
            env.values.update({name: Phi(name, stale=True) for name in others if name in env.values})
        env.values.update(phis)
        assert found is not None
        self.round = Round(phis, first, found, number, loop.span)
        return number


def _run_as_sops(one: Callable[[], None], names: Sequence[str]) -> None:
    try:
        one()
    except RaspError as problem:
        note = (
            f"in the loop, {', '.join(f'`{name}`' for name in names)} are s-ops: they hold another value in each round"
        )
        hinted = [replace(one, hint=note if one.hint is None else f"{one.hint}; {note}") for one in problem.diagnostics]
        raise RaspError(*hinted) from None


def _lifted(name: str, env: Environment, span: Span) -> SOp:
    if name not in env.values:
        raise error("loop", f"`{name}` has no value before the loop", span, f"bind `{name}` before it")
    value = env.values[name]
    if isinstance(value, SOp):
        return value
    if is_atom(value):
        return Constant(value)
    raise error("loop", f"a loop carries s-ops, and `{name}` is {describe(value)}", span, "carry s-ops alone")


def stale(roots: Iterable[Node]) -> Phi | None:
    """What was left from the round before, if something is computed from it."""
    return next((node for node in reachable(roots) if isinstance(node, Phi) and node.stale), None)


def _require_fresh(name: str, node: SOp, number: int, loop: For, spans: Mapping[Node, Span]) -> None:
    if (left := stale([node])) is not None:
        where = next((spans[one] for one in reachable([node]) if left in one.inputs and one in spans), loop.span)
        raise error(
            "loop",
            f"in round {number}, `{name}` is computed from what `{left.name}` was in the round before",
            where,
            f"carry it too: `#@ loop: {name}, {left.name}`; or bind it in the round before it is read",
        )


def _differs(name: str, one: SOp, other: SOp, number: int, loop: For, spans: Mapping[Node, Span]) -> RaspError:
    known = set(reachable([one]))
    new = [node for node in reachable([other]) if node not in known and not isinstance(node, Constant)]
    first = next((node for node in new if node in spans), new[0] if new else other)
    return error(
        "loop",
        f"round {number} computes `{name}` in another way than round 1: with `{outline(first, {})}`",
        spans.get(first, loop.span),
        "what changes from round to round is a carried s-op: bind it before the loop, and name it in `#@ loop:`",
    )


def outermost(statements: Iterable[Statement], names: Sequence[str], header: Span | None) -> Iterator[Diagnostic]:
    """What is wrong with the loops at the top that bind carried names: it is one, and binds them all."""
    loops = [one for one in statements if isinstance(one, For) and not binds(one).isdisjoint(names)]
    for second in loops[1:]:
        shared = next(name for name in names if name in binds(second))
        message = f"this is another loop at the top that binds `{shared}`, and one loop carries it"
        yield Diagnostic(
            "loop", "error", message, second.span, "write one loop, or call the names otherwise in the other"
        )
    bound = binds(loops[0]) if loops else frozenset()
    for name in names:
        if name not in bound and len(loops) < 2:
            message = f"`loop` names `{name}`, which no loop at the top binds"
            hint = f"a line such as `{name} = ...;` inside of `for`, which is in no function and no other file"
            yield Diagnostic("loop", "error", message, header, hint)


def binds(statement: Statement) -> frozenset[str]:
    """The names that a statement binds."""
    match statement:
        case Assign(_, targets):
            return frozenset(target.name for target in targets)
        case Define(_, name):
            return frozenset({name.name})
        case For(_, names, _, body):
            return frozenset(name.name for name in names).union(*map(binds, body))
        case Evaluate() | Load() | Draw() | Command():
            return frozenset()
        case _:
            assert_never(statement)
