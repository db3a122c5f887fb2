"""Lifting: a model, stack by stack, as functions of what the program's variables are.

In: a model and its program. Out: every decision of the model, with margin and error; `CannotVerify` where it ends.
An encoder comes first, over the variables of the source; heads of the decoder that cross look at its last stream, over
its own variables.
Invariant: nothing but the tensors, the config and the program is read; labels and certificates are not.

    lifted = Lifted(model, program, way=0)
    lifted.run()
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

import rasp
from compiler.circuit.certificate import Decision
from compiler.graph.halves import Half, halves
from compiler.graph.specialise import Graphs
from compiler.graph.witness import required
from compiler.numbers.precision import PRECISIONS
from compiler.trust.verify.attention import Keys
from compiler.trust.verify.beliefs import Tried, tried
from compiler.trust.verify.columns import Column
from compiler.trust.verify.inputs import agreed
from compiler.trust.verify.machine import Machine
from compiler.trust.verify.meaning import Meaning
from compiler.trust.verify.outputs import Outputs
from compiler.trust.verify.space import CannotVerify
from compiler.trust.verify.stacks import Lifting
from rasp.meaning.sop import SOp

if TYPE_CHECKING:
    from compiler.model import Transformer

ENCODER = "encoder."
"""What the names of the encoder's tensors begin with."""


class Lifted:
    """The streams of one model, over what the program's variables are."""

    def __init__(self, model: Transformer, program: rasp.Program, way: int) -> None:
        """`way`: which of the program's `Graphs` the model is held against."""
        self.way = way
        self.config = model.config
        self.program = program
        self.tensors = {name: t.detach().double().numpy() for name, t in model.state_dict().items()}
        self.decisions: list[Decision] = []

    def decide(self, what: str, margin: float, error: float) -> None:
        """Note a decision; one that does not hold ends the search, since nothing behind it is known."""
        self.decisions.append(Decision(what, margin, error))
        if not self.decisions[-1].holds:
            raise CannotVerify(str(self.decisions[-1]))

    def run(self) -> None:
        """The whole model."""
        self.setting = agreed(self.config, self.program)
        graph = self._graphs()[self.way]
        if not all(np.isfinite(tensor).all() for tensor in self.tensors.values()):
            raise CannotVerify("a weight is not finite")
        source, encoder = None, None
        if graph.encoder is not None:
            encoder = Meaning(graph.encoder, readers=len(graph.outputs))
            source = self._encoded(encoder)
        self.meaning = Meaning(graph, encoder)
        self.machine = Machine(PRECISIONS[self.config.dtype], self.meaning.space)
        lifting = Lifting("", self.config, self.tensors, self.meaning, self.machine, self.decide, source)
        self._decoded(lifting.last())

    def _graphs(self) -> Graphs:
        outputs, requires = self._outputs(), required(self.program)
        if not self.program.two_tapes:
            return Graphs(Half(outputs, self.program.names, self.setting, tuple(requires)))
        return Graphs(*halves(outputs, requires, self.program.called, self.program.instances, self.setting))

    def _encoded(self, meaning: Meaning) -> Keys:
        """What heads that cross look at: the encoder's last stream, at any number of positions of the source."""
        config = self.config.encoder
        assert config is not None
        tensors = {name.removeprefix(ENCODER): t for name, t in self.tensors.items() if name.startswith(ENCODER)}
        machine = Machine(PRECISIONS[self.config.dtype], meaning.space)
        stream = Lifting("encoder ", config, tensors, meaning, machine, self.decide).last()
        return Keys(machine, stream, config.max_length, causal=False, crosses=True)

    def _outputs(self) -> dict[str, SOp]:
        """The program's outputs, as it built them."""
        return {name: node for name in self.program.outputs if isinstance(node := self.program.node(name), SOp)}

    def tried(self) -> Tried:
        """What was taken for granted of the program's values, tried on inputs."""
        return tried(self.meaning.graph, self.program, list(self._outputs().values()))

    def _decoded(self, stream: Sequence[Column]) -> None:
        """Each output's best logit stands for the interpreter's value."""
        outputs = Outputs(self.program, self.machine, self.meaning, self.decide)
        unembed, start = self.tensors["unembed.W_U"], 0
        for output in self.config.outputs:
            weights = unembed[:, start : start + len(output.values)]
            start += len(output.values)
            outputs.decide_one(output.name, [(type(v), v) for v in output.values], stream, weights)
