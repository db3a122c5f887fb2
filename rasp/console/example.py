"""Running examples: what a session tries every s-op and selector on as soon as it is made.

In: an input as it was given; with a source, a source and a target so far. Out: values and matrices, each computed once.
Invariant: what is shown of an s-op is what the interpreter says.

    >>> from rasp.meaning.sop import Indices
    >>> [*Example("hey", False).each("place", Indices())]
    [('place("hey")', [0, 1, 2])]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rasp.ask import show
from rasp.meaning.inputs import Places
from rasp.meaning.interpreter import Run
from rasp.meaning.sop import Node, Selector, SOp, Tape
from rasp.meaning.tapes import Instances, Tapes
from rasp.running.environment import RaspValue, is_atom
from rasp.settings import Settings
from rasp.text.source import RaspError, Span
from rasp.value import Value

A_PAIR = 'a source, such as "ab", or a source and a target so far: {"source": "ab", "target": "b"}'
"""What an input of a program with a source is."""
MAX_SHOWN = 5
"""How many tokens of the vocabulary a source has that nobody gave."""


class Example:
    """An input that definitions are tried on, as it was given, and what is known about it."""

    def __init__(self, given: RaspValue, causal: bool) -> None:
        self.given = given
        self.tokens: Any = given if isinstance(given, str) else list(given)
        self.causal = causal
        self.forget()

    def forget(self) -> None:
        """Drop what was computed."""
        self.run = Run(self.tokens, self.causal)

    @property
    def size(self) -> int:
        """How many tokens it has."""
        return self.run.n

    def compute(self, node: Node, spans: Mapping[Node, Span]) -> None:
        """Compute a node. Raises `RaspError` where it has no value."""
        self.run.spans = spans
        self.run.compute([node])

    def of(self, node: Node) -> Any:
        """The values or the matrix of a node."""
        self.run.compute([node])
        return self.run.answer(node)

    @property
    def text(self) -> str:
        """The input as text."""
        return show.example(self.given)

    def each(self, name: str, node: SOp) -> Iterator[tuple[str, list[Value]]]:
        """The values of an s-op that is called so, and the application that gives them."""
        yield f"{name}({self.text})", self.of(node)

    def sides(self, selector: Selector) -> tuple[Sequence[Value], Sequence[Value]]:
        """What stands above the columns of a selector's matrix, and beside its rows."""
        return self.tokens, self.tokens


class Pair(Example):
    """A source and a target so far. What stands on no tape of its own has values on both."""

    def __init__(self, source: RaspValue, target: RaspValue, settings: Settings, tapes: Tapes) -> None:
        self.source = settings.read_source(source)
        self.target = settings.read_target(target)
        self.tapes = tapes
        super().__init__({"source": source, "target": target}, True)

    def forget(self) -> None:
        self.instances = Instances(self.tapes)
        self.run = Run(self.target, True, source=Places(self.source))

    @property
    def size(self) -> int:
        return max(len(self.source), len(self.target))

    def compute(self, node: Node, spans: Mapping[Node, Span]) -> None:
        self.run.compute([self.instances.of(node)])
        if isinstance(node, SOp):
            self.run.compute([self.instances.on(tape, node) for tape in self._tapes(node)])

    def of(self, node: Node) -> Any:
        return super().of(self.instances.of(node))

    @property
    def text(self) -> str:
        return f'{{"source": {_typed(self.given["source"])}, "target": {_typed(self.given["target"])}}}'

    def each(self, name: str, node: SOp) -> Iterator[tuple[str, list[Value]]]:
        """Applied to a source alone, an s-op on any tape is read on the target: its other reading is told apart."""
        tapes = self._tapes(node)
        for tape in tapes:
            called = f"{name}@source" if tape == "source" and len(tapes) > 1 else name
            given = _typed(self.given["source"]) if tape == "source" else self.text
            yield f"{called}({given})", super().of(self.instances.on(tape, node))

    def sides(self, selector: Selector) -> tuple[Sequence[Value], Sequence[Value]]:
        keys, queries = [self.source if side == "source" else self.target for side in self._seen(selector)]
        return keys, queries

    def _seen(self, selector: Selector) -> tuple[Any, Any]:
        return self.run.tapes.sides(self.instances.of(selector))

    def _tapes(self, node: SOp) -> tuple[Tape, ...]:
        tape = self.tapes.of(node)
        return ("source", "target") if tape is None else (tape,)


def as_example(given: RaspValue, causal: bool) -> Example | None:
    """An input as an example; None where it is none."""
    return Example(given, causal) if _is_input(given) or (isinstance(given, dict) and _all_atoms(given)) else None


def as_pair(given: RaspValue, settings: Settings, tapes: Tapes) -> Pair | None:
    """A source, or `{"source": ..., "target": ...}`, as an example; None where it is none of them.

    Raises `RaspError` for tokens that are outside of their vocabulary.
    """
    both = given if isinstance(given, dict) else {"source": given}
    source, target = both.get("source"), both.get("target", "")
    if not _is_input(source) or not (target in ("", []) or _is_input(target)) or both.keys() - {"source", "target"}:
        return None
    return Pair(source, target, settings, tapes)


def first_pair(settings: Settings, tapes: Tapes) -> Pair:
    """What a program with a source is tried on at first: its own example, else some tokens of its vocabulary."""
    for example in settings.examples[:1]:
        if isinstance(example.output, tuple):
            try:
                return Pair(_given(example.input), _given(example.output[:-1]), settings, tapes)
            except RaspError:
                break
    return Pair(_given((settings.source or ())[:MAX_SHOWN]), "", settings, tapes)


def _is_input(given: RaspValue) -> bool:
    return isinstance(given, (str, list)) and _all_atoms(given)


def _all_atoms(given: RaspValue) -> bool:
    return bool(given) and all(map(is_atom, given))


def _typed(given: RaspValue) -> str:
    """A source or a target as it can be typed again."""
    return f"[{', '.join(map(show.atom, given))}]" if isinstance(given, list) else show.example(given)


def _given(tokens: Sequence[Value]) -> RaspValue:
    """Tokens as they are typed: as a string where each is a character."""
    texts = [token for token in tokens if isinstance(token, str) and len(token) == 1]
    return "".join(texts) if len(texts) == len(tokens) else list(tokens)
