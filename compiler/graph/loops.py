"""Loops: one round of a program's loop, with the values that the names it carries can have in any round.

In: a `Half` whose loop is any round over `Phi` leaves (`rasp.running.loops`). Out: the same over leaves that know their
values, and a `Loop`.
Invariant: whatever a carried name holds before the first round or after any one is among its leaf's values: they are a
least fixpoint, or what so many rounds come to (C44). A leaf is a number; texts are looked up from their ranks.

    x = tokens_int over 0 and 1, and in each round  x = (x + shift(x, 1, 0)) % 2:  {0, 1}, whatever the number of rounds
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from compiler.graph.domain import Analysis, Domain, Setting, refusal
from compiler.graph.halting import condition_of, is_proved
from compiler.graph.halves import Half
from compiler.graph.simplify import simplify
from rasp import Program
from rasp.meaning.answers import is_boolean
from rasp.meaning.sop import Lookup, Node, Phi, SOp, reachable, substituted
from rasp.running.loops import Round, stale
from rasp.text.source import Diagnostic
from rasp.value import Value


@dataclass(frozen=True)
class Loop:
    """What is carried: a leaf for each name, what the first round begins with, what a round makes of the leaves."""

    phis: tuple[Phi, ...]
    first: tuple[SOp, ...]
    after: tuple[SOp, ...]
    rounds: int
    closed: bool
    """Whether the leaves' values are those of any number of rounds."""
    halt: Phi | None = None
    """The leaf that is True everywhere only where no further round changes an answer, if that is proved."""

    @property
    def roots(self) -> tuple[SOp, ...]:
        """All that has to be computed for it."""
        return *self.first, *self.after

    def over(self, new: Mapping[Node, Node]) -> Loop:
        """The loop over what stands for its s-ops."""
        first, after = (tuple(_sop(new[node]) for node in nodes) for nodes in (self.first, self.after))
        return replace(self, first=first, after=after)

    def states(self) -> Iterator[dict[Node, Node]]:
        """What the leaves are before the first round and after each, computed from no leaf any more."""
        held: dict[Node, Node] = dict(zip(self.phis, self.first, strict=True))
        yield held
        for _ in range(self.rounds):
            made = substituted(self.after, held)
            held = {phi: made[node] for phi, node in zip(self.phis, self.after, strict=True)}
            yield held

    def unrolled(self, roots: Mapping[str, SOp]) -> dict[str, SOp]:
        """S-ops that are computed behind the loop, computed from no leaf any more: round by round."""
        *_, held = self.states()
        made = substituted(roots.values(), held)
        return {name: _sop(made[node]) for name, node in roots.items()}


def written(program: Program, outputs: Mapping[str, Node]) -> list[Node]:
    """What is to be lowered, as a program writes it: of a loop, one round."""
    if not program.settings.loop:
        return [*outputs.values()]
    return [*map(program.generic.node, outputs), *program.round.after.values()]


def looped(program: Program, outputs: Mapping[str, SOp], setting: Setting, requires: Sequence[SOp]) -> Half:
    """What comes behind the loop of a program, as it is computed from what that carries."""
    generic = program.generic
    found = {name: node for name in outputs if isinstance(node := generic.node(name), SOp)}
    booleans = frozenset(name for name, node in outputs.items() if is_boolean(node))
    called = generic.called | {phi: name for name, phi in program.round.phis.items()}
    halt = program.settings.halt
    return Half(found, called, setting, tuple(requires), {}, program.round, booleans, halt)


def unproved(program: Program, loop: Loop | None) -> list[Diagnostic]:
    """A note where a loop is said to halt, and nothing proves that answers stay."""
    halt = program.settings.halt
    if halt is None or loop is None or loop.halt is not None:
        return []
    message = (
        f"the model does not stop where `{halt}` is True: it is not proved that no further round changes an answer"
    )
    hint = "it runs on, and answers the same: it stops where a round changes nothing at all"
    return [Diagnostic("halt", "note", message, program.settings.spans.get("halt"), hint)]


def of_round(half: Half) -> tuple[Half, Loop | None]:
    """The half, and its loop if it has one, over leaves that know their values."""
    if (found := half.round) is None:
        return half, None
    names, halt = _needed(half, found, half.halt), half.halt
    domains, closed = _values(half.setting, found, names)
    leaves: dict[Node, Node] = {found.phis[name]: _leaf(name, domains[name]) for name in names}
    if halt is not None and not (
        {*domains[halt]} <= {0, 1} and is_proved(found, halt, leaves, [*half.outputs.values()], half.setting)
    ):
        return of_round(replace(half, halt=None))
    roots = [*half.outputs.values(), *(found.after[name] for name in names)]
    known = set(reachable(roots))
    new = substituted([*roots, *(node for node in half.names if node in known)], leaves)
    requires = tuple(node for node in half.requires if not any(isinstance(one, Phi) for one in reachable([node])))
    phis = {name: Phi(name, _numbers(domains[name])) for name in names}
    loop = Loop(
        tuple(phis.values()),
        tuple(_coded(found.first[name], domains[name]) for name in names),
        tuple(_coded(_sop(new[found.after[name]]), domains[name]) for name in names),
        found.rounds,
        closed,
        None if halt is None else phis[halt],
    )
    called = {new.get(node, node): name for node, name in half.names.items()}
    outputs = {name: _sop(new[node]) for name, node in half.outputs.items()}
    written = {made: old for old, made in new.items()}
    return replace(half, outputs=outputs, names=called, requires=requires, written=written), loop


def _needed(half: Half, found: Round, halt: str | None) -> list[str]:
    """The names that an answer is computed from, in one round or another."""
    for name, node in half.outputs.items():
        if (left := stale([node])) is not None:
            raise refusal(
                "loop",
                f"`{name}` is computed from what `{left.name}` was in the last round, and the loop does not carry it",
                f"name it in the header: `#@ loop: ..., {left.name}`",
                node,
            )
    needed: dict[str, None] = {}
    asked = [] if halt is None else [found.phis[halt], condition_of(found, halt)]
    roots: list[Node] = [*half.outputs.values(), *asked]
    while new := {node.name: None for node in reachable(roots) if isinstance(node, Phi) and node.name not in needed}:
        needed |= new
        roots += [found.after[name] for name in new]
    return [name for name in found.phis if name in needed]


def _values(setting: Setting, found: Round, names: Sequence[str]) -> tuple[dict[str, Domain], bool]:
    """The values of each name before a round, and whether any number of rounds comes to no others."""
    domains = dict(zip(names, _domains([found.first[name] for name in names], setting), strict=True))
    for _ in range(found.rounds):
        leaves: dict[Node, Node] = {found.phis[name]: _leaf(name, domains[name]) for name in names}
        made = substituted([found.after[name] for name in names], leaves)
        new = _domains([_sop(made[found.after[name]]) for name in names], setting)
        wider = {name: Domain.of([*domains[name], *more]) for name, more in zip(names, new, strict=True)}
        if all(len(wider[name]) == len(domains[name]) for name in names):
            return wider, True
        domains = wider
        for name in names:
            _require_alike(name, domains[name])
    return domains, False


def _require_alike(name: str, domain: Domain) -> None:
    if not domain.numeric and not all(isinstance(value, str) for value in domain):
        raise refusal(
            "loop",
            f"`{name}` holds strings and numbers, and a loop carries one of them",
            "carry two names, or let texts stand for the numbers",
        )


def _domains(nodes: Sequence[SOp], setting: Setting) -> list[Domain]:
    simple = simplify(nodes, setting, True)
    analysis = Analysis(setting)
    return [analysis.domain(_sop(simple[node])) for node in nodes]


def _numbers(domain: Domain) -> tuple[Value, ...]:
    """The numbers that are carried: the values, or their ranks."""
    return tuple(domain.values) if domain.numeric else tuple(range(len(domain)))


def _leaf(name: str, domain: Domain) -> SOp:
    """What a round begins with."""
    phi = Phi(name, _numbers(domain))
    return phi if domain.numeric else Lookup(tuple(enumerate(domain.values)), phi)


def _coded(node: SOp, domain: Domain) -> SOp:
    """The number that is carried for what an s-op holds."""
    return node if domain.numeric else Lookup(tuple((value, rank) for rank, value in enumerate(domain.values)), node)


def _sop(node: Node) -> SOp:
    assert isinstance(node, SOp)
    return node
