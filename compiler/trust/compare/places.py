"""Places: the first s-op of the program whose value is wrong, and where the difference shows first.

In: what is checked, an input on which a stage differs. Out: `Place`s, in the order in which they come about.
Invariant: what is read is the stage's own: the nodes of its graph, the directions of its circuit, the model's stream.
Of a program with a source, the encoder's come before the decoder's.

    place, after L1 MLP: [3, 3, 0] instead of [1, 1, 0]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from compiler.circuit.circuit import Circuit
from compiler.circuit.layer import DECODER, ENCODER, Slots
from compiler.graph.specialise import Graph
from compiler.graph.witness import Case, run_each
from compiler.model import Scalar, Transformer
from compiler.observe.trace import decoded, printed
from compiler.pipeline import Compiled
from compiler.trust.compare.report import CIRCUITS, Place
from compiler.trust.compare.stages import circuit_of, ids, plain, shown, texts
from rasp import RaspError
from rasp.meaning.answers import answers
from rasp.meaning.interpreter import evaluate_each
from rasp.meaning.sop import SOp, Tape
from rasp.value import Value, to_python

WRITES = {"self": "attention", "cross": "cross-attention", "mlp": "MLP"}


class _Stream(NamedTuple):
    """The residual stream of a model on one input, after the embedding and each sublayer: [n, d_model]."""

    labels: dict[str, Any]
    steps: Sequence[Tensor]
    tape: Tape
    slots: Slots


class Places:
    """Where stages differ from the interpreter on one input."""

    def __init__(self, compiled: Compiled, model: Callable[[], Transformer], one: Case) -> None:
        self.compiled = compiled
        self.model = model
        self.one = one

    def of(self, stage: str) -> Iterator[Place]:
        """The s-ops that a stage has other values for, the first one first."""
        if self.compiled.program.settings.loop:  # what is in the stream is another thing in each round
            return iter(())
        if stage == "graph":
            return self._in_graphs()
        return self._in_circuits(stage) if stage in CIRCUITS else self._in_streams()

    def _node(self, name: str | None, tape: Tape) -> SOp | None:
        """The s-op of the program that has a name in what is computed on a tape."""
        program, name = self.compiled.program, (name or "").removesuffix(f"@{tape}")
        node = program.node(name) if name in program else None
        if not isinstance(node, SOp) or not program.two_tapes:
            return node if isinstance(node, SOp) else None
        return program.instances.on(tape, node) if program.instances.tapes.of(node) in (None, tape) else None

    def _values(self, name: str | None, tape: Tape) -> list[Value] | None:
        """What the interpreter says about an s-op of the program."""
        node = self._node(name, tape)
        [answer] = [None] if node is None else run_each([node], [self.one], self.compiled.setting)
        return None if answer is None or isinstance(answer, RaspError) else answer[0]

    def _known(self, name: str | None, tape: Tape) -> list[Scalar] | None:
        values = self._values(name, tape)
        return None if values is None else plain(values)

    def _in_graphs(self) -> Iterator[Place]:
        graph = self.compiled.graph
        if graph.encoder is not None and self.one.source is not None:
            source = self.one.source
            yield from self._in_graph(graph.encoder, "source", lambda node: evaluate_each([node], [source])[0])
        setting = self.compiled.setting
        yield from self._in_graph(graph, "target", lambda node: run_each([node], [self.one], setting)[0])

    def _in_graph(
        self, graph: Graph, tape: Tape, run: Callable[[SOp], list[list[Value]] | RaspError]
    ) -> Iterator[Place]:
        for node in graph.nodes:
            if isinstance(node, SOp) and (expected := self._known(graph.names.get(node), tape)) is not None:
                answer = run(node)
                found = shown(answer if isinstance(answer, RaspError) else answer[0])
                if found != expected:
                    yield Place(graph.names[node], "graph", expected, found)

    def _in_circuits(self, stage: str) -> Iterator[Place]:
        circuit = circuit_of(self.compiled, stage)
        target, *sources = ids(self.compiled, self.one)
        if circuit.encoder is None:
            yield from self._in_circuit(circuit, list(circuit.stages(target)), "target")
            return
        encoded = list(circuit.encoder.stages(sources[0]))
        yield from self._in_circuit(circuit.encoder, encoded, "source")
        yield from self._in_circuit(circuit, list(circuit.stages(target, encoded[-1])), "target")

    def _in_circuit(self, circuit: Circuit, streams: Sequence[Sequence[Any]], tape: Tape) -> Iterator[Place]:
        for variable in sorted(circuit.variables, key=lambda variable: variable.ready):
            if (expected := self._known(variable.name, tape)) is not None:
                nearest = plain([variable.decode(stream) for stream in streams[variable.ready][1:]])
                if nearest != expected:
                    yield Place(variable.name, self._step(variable.ready, circuit.slots, tape), expected, nearest)

    def _in_streams(self) -> Iterator[Place]:
        for stream in self._streams():
            for variable in sorted(stream.labels["variables"], key=lambda variable: variable["ready"]):
                if (values := self._values(variable["name"], stream.tape)) is not None:
                    yield from self._in_stream(stream, variable, values)

    def _in_stream(self, stream: _Stream, variable: dict[str, Any], values: list[Value]) -> Iterator[Place]:
        name, ready = variable["name"], variable["ready"]
        node = self.compiled.program.node(name.removesuffix(f"@{stream.tape}"))
        expected = [to_python(value) for value in answers(node, values)] if isinstance(node, SOp) else []
        found = decoded(stream.labels, variable, printed(node, variable["values"]), stream.steps[ready])
        if found != expected:
            yield Place(name, self._step(ready, stream.slots, stream.tape), expected, found)

    @torch.no_grad()
    def _streams(self) -> list[_Stream]:
        """The streams of the model, the encoder's first."""
        model = self.model()
        target = torch.tensor([model.encode(texts(self.one.tokens))], device=model.embed.W_E.device)
        if model.encoder is None:
            return [_Stream(model.labels, _rows(model.residuals(target)), "target", ENCODER)]
        source = torch.tensor([model.encode_source(texts(self.one.source or ()))], device=model.embed.W_E.device)
        read = _rows(model.encoder.sublayers(source))
        written = _rows(model.residuals(target, None, model.remember(source)))
        return [
            _Stream(model.labels["encoder"], read, "source", ENCODER),
            _Stream(model.labels, written, "target", DECODER),
        ]

    def _step(self, number: int, slots: Slots, tape: Tape) -> str:
        """What a stream went through: 0 the embedding, then the sublayers of each layer."""
        whose = "the encoder's " if tape == "source" else "the " if number == 0 else ""
        if number == 0:
            return f"after {whose}embedding"
        layer, slot = divmod(number - 1, len(slots.names))
        return f"after {whose}L{layer} {WRITES[slots.names[slot]]}"


def _rows(streams: Iterator[Tensor]) -> list[Tensor]:
    """Without BOS, of the one input."""
    return [stream[0, 1:].double().cpu() for stream in streams]
