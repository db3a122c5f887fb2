"""A named value of a program as a Python object: called like a function, shown in a notebook.

In: a name, its value, its program. Out: answers as plain Python values, or exact ones.
Invariant: an answer has the kinds that it prints in.

    >>> from rasp.program import parse
    >>> parse("double = tokens + tokens;")["double"]("ab")
    ['aa', 'bb']
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from rasp.meaning.answers import answers
from rasp.meaning.inputs import Input
from rasp.meaning.interpreter import Matrix, evaluate
from rasp.meaning.sop import Node, Selector, SOp, reachable
from rasp.running.environment import Function, RaspValue, describe
from rasp.text.source import RaspError, error
from rasp.value import Value, from_python, to_python

if TYPE_CHECKING:
    from rasp.program import Program

MAX_SHOWN = 16
"""Longest example on which a notebook shows an s-op or selector."""


class Face:
    """A named value of a program in Python: call an s-op or selector with an input, a function with arguments."""

    def __init__(self, name: str, value: RaspValue, program: Program) -> None:
        self.name = name
        self.value = value
        self.program = program

    def __repr__(self) -> str:
        return f"<{self.name}: {describe(self.value)}>"

    def _repr_svg_(self) -> str | None:
        """For notebooks: an s-op's values, a selector's grid, on an example of the program; None for anything else."""
        from rasp.ask.picture import portrait

        settings = self.program.settings
        if self.program.two_tapes:
            return self._on_two_tapes()
        given = [list(example.input) for example in settings.examples] + [list((settings.vocab or "hello")[:5])]
        try:
            tokens = max((tokens for tokens in given if len(tokens) <= MAX_SHOWN), key=len)
            return portrait(self.name, settings.read(tokens), self.exact(tokens))
        except RaspError:  # a function, or no answer on this input
            return None

    def _on_two_tapes(self) -> str | None:
        """On the longest example of a source and its target so far, else on some tokens of the source."""
        from rasp.ask.picture import portrait

        settings, tapes = self.program.settings, self.program.instances.tapes
        given = [(one.input, one.output[:-1]) for one in settings.examples if isinstance(one.output, tuple)]
        given.append(((settings.source or ())[: min(5, settings.longest_source)], ()))
        source, target = max((pair for pair in given if max(map(len, pair)) < MAX_SHOWN), key=lambda pair: len(pair[0]))
        try:
            instance = self._as_read()
            answer = self._of(instance, source, target)
            places = {"source": settings.read_source(source), "target": settings.read_target(target)}
            if isinstance(instance, Selector):
                keys, queries = tapes.sides(instance)
                return portrait(self.name, places[keys or "target"], answer, places[queries or "target"])
            return portrait(self.name, places[tapes.of(instance) or "target"], answer)
        except RaspError:  # a function, or no answer on this input
            return None

    def _as_read(self) -> Any:
        """What stands on any tape, on the one where the outputs read it; on the target if that is both or none."""
        program, node = self.program, self.node
        outputs = [program.placed(program.node(name)) for name in program.outputs]
        read = [one for one in reachable(outputs) if program.instances.origin[one] is node]
        return read[0] if len(read) == 1 else program.placed(node)

    def _of(self, instance: Any, source: Input, target: Input) -> list[Value] | Matrix:
        """The exact answer of an instance for a source and a target so far."""
        settings = self.program.settings
        text, given = settings.read_target(target), settings.read_source(source)
        answer: Any = evaluate(instance, text, True, self.program.spans, given)
        return answers(instance, answer) if isinstance(instance, SOp) else cast(Matrix, answer)

    @property
    def node(self) -> Node:
        """The s-op or selector itself."""
        return self.program.node(self.name) if not isinstance(self.value, Node) else self.value

    def __call__(self, *args: Any) -> Any:
        """An s-op's values or a selector's matrix for an input as plain Python values; a function's result."""
        if isinstance(self.value, Function):
            return self._call(self.value, args)
        if len(args) != 1 and not (self.program.two_tapes and len(args) == 2):
            wanted = "a source, and a target so far," if self.program.two_tapes else "one input,"
            raise error("arguments", f"`{self.name}` takes {wanted} got {len(args)}")
        answer = self.exact(args[0], target=args[1] if len(args) == 2 else ())
        if isinstance(self.node, Selector):
            return answer
        return [to_python(value) for value in answer]  # type: ignore[arg-type]

    def exact(self, tokens: Input, causal: bool | None = None, target: Input = ()) -> list[Value] | Matrix:
        """The exact answer for an input, in the kinds it prints in; `causal` is the program's setting unless given.

        Of a program with a source: for a source and a target so far, at the positions of the tape it stands on.
        """
        program, settings, node = self.program, self.program.settings, self.node
        restricted = settings.attention == "causal" if causal is None else causal
        if program.two_tapes:
            return self._of(program.placed(node), tokens, target)
        answer: Any = evaluate(node, settings.read(tokens), restricted, program.spans)
        found: list[Value] | Matrix = answers(node, answer) if isinstance(node, SOp) else answer
        return found

    def _call(self, function: Function, args: tuple[Any, ...]) -> Any:
        values = [arg.value if isinstance(arg, Face) else _from_python(arg) for arg in args]
        result = self.program.call(function, values)
        return (
            Face(f"{self.name}(...)", result, self.program) if isinstance(result, (Node, Function)) else _plain(result)
        )


def _from_python(value: Any) -> RaspValue:
    if isinstance(value, (Node, Function)):
        return value
    if isinstance(value, (list, tuple)):
        return [_from_python(item) for item in value]
    if isinstance(value, dict):
        return {from_python(key): _from_python(item) for key, item in value.items()}
    return from_python(value)


def _plain(value: RaspValue) -> Any:
    match value:
        case list():
            return [_plain(item) for item in value]
        case dict():
            return {_plain(key): _plain(item) for key, item in value.items()}
        case Node() | Function():
            return value
        case _:
            return to_python(value)
