"""The driver: a table of contents of the compiler.

In: a `rasp.Program` and, if wanted, settings that override its header. Out: `Compiled`, every stage of it side by side.
Invariant: nothing is computed here; each stage is one call.

    program --elaborate--> s-ops --specialise--> graph --lower--> circuit --emit--> weights --load--> model
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from compiler.circuit.certificate import Certificate
from compiler.circuit.circuit import Circuit
from compiler.circuit.emit import Weights
from compiler.circuit.wider import also
from compiler.graph.domain import Limits, Refusal, Setting, refusal
from compiler.graph.halves import Half, halves
from compiler.graph.loops import looped, unproved, written
from compiler.graph.specialise import Graph, Graphs
from compiler.graph.witness import required, witnesses
from compiler.lowering.build import MODES, TRIES, Built, build, emitted
from compiler.numbers.precision import PRECISIONS, Precision
from compiler.observe.plan import Plan, plan
from compiler.observe.remedies import LONG, Remedy, explained, remedies, uncertified
from compiler.runtime.origin import asked, declared, hashes, located, options_of, program_of, recorded
from rasp import Diagnostic, Program, RaspError
from rasp.meaning.sop import Node, SOp, reachable
from rasp.settings import token_text

if TYPE_CHECKING:
    from compiler.model import Transformer
    from compiler.observe.trace import Trace
    from compiler.observe.view import View
    from compiler.runtime.fast.model import Fast

DEFAULT_LIMITS = Limits()
MAX_SHOWN = 5
"""How many files a note names."""


@dataclass(frozen=True)
class Compiled:
    """A compiled program; each stage is made when first asked for."""

    program: Program
    optimize: str = "balanced"
    uncertified: bool = False
    dtype: str = "float32"
    limits: Limits = DEFAULT_LIMITS

    @cached_property
    def setting(self) -> Setting:
        """The inputs the compilation is for."""
        settings = self.program.settings
        if settings.vocab is None:
            raise refusal(
                "no-vocabulary",
                "the program declares no vocabulary, so the model cannot know its tokens",
                'add a line such as `#@ vocab: "abc"`, or give --vocab',
            )
        causal = settings.attention == "causal"
        if settings.source is None:
            return Setting(settings.vocab, settings.longest, causal, self.limits)
        sources = Setting(settings.source, settings.longest_source, False, self.limits)
        known = {token_text(token): token for token in (settings.start, *settings.vocab)}
        start = known[token_text(settings.start)]
        read = (*settings.vocab, *([] if start in settings.vocab else [start]))
        return Setting(read, settings.longest, True, self.limits, sources, start, settings.vocab)

    @property
    def precision(self) -> Precision:
        """The arithmetic the model is made for."""
        if self.dtype not in PRECISIONS:
            raise refusal(
                "no-such-dtype", f"there is no dtype {self.dtype!r}", f"choose one of {', '.join(PRECISIONS)}"
            )
        return PRECISIONS[self.dtype]

    @cached_property
    def sop(self) -> dict[str, SOp]:
        """The output s-ops, as the program built them."""
        found = {name: self.program.node(name) for name in self.program.outputs}
        if not found:
            raise refusal("no-output", "the program binds no s-op", "bind one, such as `answer = tokens;`")
        size = len(reachable(written(self.program, found)))
        if size > self.limits.nodes:
            raise refusal(
                "too-many-nodes",
                f"the outputs need {size} s-ops and selectors, more than {self.limits.nodes}",
                "compute less, or give `compiler.compile` larger `limits`",
            )
        return {name: node for name, node in found.items() if isinstance(node, SOp)}

    @cached_property
    def warnings(self) -> list[Diagnostic]:
        """What is suspicious in the text, and inputs on which the program has no answer."""
        setting, _ = self.setting, self.sop  # a program that is refused for its size is not run first
        return [
            *self.program.warnings,
            *witnesses(self.program, setting),
            *unproved(self.program, self._graphs[0].loop),
        ]

    @property
    def graph(self) -> Graph:
        """The s-ops specialised to the setting, with domains: what the circuit was made from, if one can be made."""
        try:
            return self._built.circuit.graph or self._graphs[0]
        except RaspError:
            return self._graphs[0]

    @cached_property
    def _graphs(self) -> Graphs:
        return self.graphs(self.sop, required(self.program))

    def graphs(self, outputs: Mapping[str, SOp], requires: Sequence[SOp]) -> Graphs:
        """The graphs of some s-ops of the program, for inputs on which others are True everywhere."""
        program = self.program
        if program.settings.loop:
            return Graphs(looped(program, outputs, self.setting, requires))
        if not program.two_tapes:
            return Graphs(Half(outputs, program.called, self.setting, tuple(requires)))
        return Graphs(*halves(outputs, requires, program.called, program.instances, self.setting))

    @cached_property
    def _built(self) -> Built:
        started = time.monotonic()
        try:
            found = self.built()
        except RaspError as problem:
            raise explained(self, problem, self._graphs[0], started) from None
        vars(self)["_started"] = started
        return found

    def built(self, seconds: float = TRIES) -> Built:
        """The circuit and its certificate, whether that holds or not; no other circuit is begun after some seconds.

        Raises `RaspError` where none can be made.
        """
        if self.optimize not in MODES:
            known = f"choose one of {', '.join(MODES)}"
            raise refusal("no-such-mode", f"nothing can be optimised for {self.optimize!r}", known)
        return build(self._graphs, self.optimize, self.precision, seconds)

    @property
    def circuit(self) -> Circuit:
        """Heads and neurons over named directions. Raises `RaspError` if not certified, unless that is waived."""
        circuit, certificate = self._built.circuit, self._built.certificate
        if not certificate.ok and not self.uncertified:
            emitted(circuit)  # numbers that the dtype cannot hold are another reason, which nobody can waive
            raise explained(self, uncertified(self, certificate), self.graph, vars(self)["_started"])
        return circuit

    def suggestions(self, seconds: float = LONG, tell: Callable[[str], None] = lambda what: None) -> list[Remedy]:
        """What the program compiles with, where it is refused, found by trying; empty where nothing was found."""
        return [*remedies(self, time.monotonic() + seconds, 0.0, self._failing(), tell)]

    def _failing(self) -> Node | None:
        """The s-op of the program at which its compilation fails."""
        try:
            self.circuit.verify()
        except Refusal as problem:
            return None if problem.node is None else self.graph.origin(problem.node)
        return None

    @property
    def certificate(self) -> Certificate:
        """The margin and the error of every decision of the circuit."""
        return self._built.certificate

    @cached_property
    def weights(self) -> Weights:
        """Tensors, config and labels."""
        self.circuit.verify()
        found = emitted(self.circuit)
        unknown = self.program.settings.unknown
        found.config["unknown"] = None if unknown is None else token_text(unknown)
        found.config.update(_generation(self.program))
        found.labels["program"] = recorded(self.program)
        found.labels["options"] = asked(self.optimize, self.limits)
        for labels in (found.labels, found.labels.get("encoder", {"named": []})):
            labels["named"] = [one | located(self.program, one["name"]) for one in labels["named"]]
        found.labels["certificate"] = {
            "certified": self.certificate.ok,
            "tightest": str(self.certificate.tightest),
            "also": list(also(self.circuit)) if self.certificate.ok else [],
        }
        found.labels["compiler"] = metadata.version("rasp-compiler")
        return found

    @cached_property
    def model(self) -> Transformer:
        """The running transformer."""
        import torch

        from compiler.model import DTYPES, Config, Transformer

        model = Transformer(Config.from_json(self.weights.config))
        dtype = DTYPES[self.dtype]
        model.load_state_dict({name: torch.from_numpy(t).to(dtype) for name, t in self.weights.tensors.items()})
        model.labels = self.weights.labels
        return model.eval()

    @cached_property
    def fast(self) -> Fast:
        """The same transformer with a path that counts where heads compare all pairs, taken where it is quicker."""
        from compiler.runtime.fast.model import Fast
        from compiler.runtime.fast.plan import plan

        return Fast(self.model, plan(self.circuit, scored=True))

    @property
    def lowered(self) -> Circuit:
        """The circuit as it was placed, with all that was tried."""
        return self._built.lowered

    @property
    def compressed(self) -> Circuit:
        """The same over as few columns as it needs."""
        return self._built.compressed

    def emit(self, form: str) -> str:
        """What one of the `PASSES` makes, as text."""
        made = {one.makes: one.form for one in PASSES}
        if form not in made:
            raise refusal("no-such-form", f"there is no form {form!r}", f"choose one of {', '.join(made)}")
        return made[form](self)

    def make(self) -> Compiled:
        """Make every stage, so that mistakes show now; an input without an answer is looked for before the work."""
        for stage in ("warnings", "model"):
            getattr(self, stage)
        return self

    def plan(self) -> Plan:
        """What each way to optimise costs, without making a model."""
        return plan(self.graph, lambda graph, mode: build([graph], mode, self.precision))

    def save(self, folder: str | Path, tell: Callable[[Diagnostic], None] | None = None) -> None:
        """Write the checkpoint. Raises `ModelError` where the folder is something else.

        What else lies in the folder is kept, and a document that is too large is left out; `tell` hears of it.
        """
        from compiler.model import ModelError
        from compiler.observe.provenance import DOCUMENT, provenance
        from compiler.runtime.checkpoint import digest, further_files, save

        state = self.model.state_dict()
        certificate = self.certificate.to_json() | {
            "inputs": declared(self.program),
            "sha256": {"weights": digest(state), **hashes(self.program)},
        }
        documents, missing = {"certificate.json": certificate}, {}
        try:
            documents[DOCUMENT] = provenance(self.model)
        except ModelError as problem:
            missing[DOCUMENT] = problem.message
        left_out = save(folder, self.weights.config, state, self.weights.labels, documents, missing)
        for one in (*map(_left_out, left_out.items()), *_kept(folder, further_files(folder))):
            if tell is not None:
                tell(one)

    def trace(self, tokens: Iterable[object], target: Iterable[object] | None = None) -> Trace:
        """Every variable after every sublayer, decoded from the stream, beside the interpreter's value."""
        from compiler.observe.trace import trace

        return trace(self.model, self.program, tokens, target)

    def show(self, tokens: Iterable[object] | None = None) -> View:
        """For notebooks: the explorer on an input (an example of the program if none is given); it can be saved."""
        from compiler.observe.view import show

        return show(self.model, tokens)

    def summary(self) -> str:
        """The model's size in one line."""
        return self.model.summary()

    def info(self) -> str:
        """What each column, head and neuron is for."""
        return self.model.info()


class Pass(NamedTuple):
    """One step of the way from the text to the model."""

    makes: str
    """The form that it makes, by the name that `--emit` and `check` know it by."""
    by: str
    """The module that does it."""
    form: Callable[[Compiled], str]
    """The form of a program, as text."""


def _decided(compiled: Compiled) -> str:
    """The certificate, decision by decision."""
    found = compiled.certificate
    return "\n".join([str(found), "", *map(str, found.decisions), "", *map(str, found.sizes)])


PASSES = (
    Pass("syntax", "rasp.text.parser", lambda compiled: str(compiled.program.syntax)),
    Pass("sop", "rasp.running.elaborate", lambda compiled: compiled.program.listing(compiled.sop)),
    Pass("graph", "compiler.graph.specialise", lambda compiled: str(compiled.graph)),
    Pass("lowered", "compiler.lowering", lambda compiled: str(compiled.lowered)),
    Pass("compressed", "compiler.circuit.compress", lambda compiled: str(compiled.compressed)),
    Pass("circuit", "compiler.circuit.reuse", lambda compiled: str(compiled.circuit)),
    Pass("certificate", "compiler.circuit.certify", _decided),
    Pass("weights", "compiler.circuit.emit", lambda compiled: str(compiled.weights)),
    Pass("fast", "compiler.runtime.fast.plan", lambda compiled: str(compiled.fast.plan or compiled.fast.reason)),
)
"""The passes in order. `check` runs each form that answers, so that a wrong answer names its pass."""


def _left_out(document: tuple[str, str]) -> Diagnostic:
    name, reason = document
    hint = "the model is saved without it; compile for fewer or shorter inputs"
    return Diagnostic("left-out", "warning", f"{name} is left out: {reason}", hint=hint)


def _kept(folder: str | Path, others: Sequence[str]) -> list[Diagnostic]:
    if not others:
        return []
    shown = ", ".join(others[:MAX_SHOWN]) + (f" and {len(others) - MAX_SHOWN} more" if len(others) > MAX_SHOWN else "")
    message = f"{folder} also holds what is no part of the checkpoint, and it is kept: {shown}"
    return [Diagnostic("kept", "note", message, hint="exports and pages in it may show another model: make them again")]


def _generation(program: Program) -> dict[str, Any]:
    """Which output is the next token, if one is, and the tokens that end a text: for the config."""
    named = program.settings.generate
    generate = named if isinstance(named, str) else program.outputs[0] if named else None
    stop = [token_text(token) for token in program.settings.stop]
    start = {"start": token_text(program.settings.start)} if program.two_tapes else {}
    return {"generate": generate if generate in program.outputs else None, "stop": stop, **start}


def compilations(model: Transformer) -> Iterator[Compiled]:
    """The program of a model, to be compiled as its labels say it was; else in every mode. Raises `ModelError`."""
    program = program_of(model)
    for optimize, limits in options_of(model):
        yield Compiled(program, optimize, uncertified=True, dtype=model.config.dtype, limits=limits)


def faster(model: Transformer) -> Fast:
    """A model that was loaded, with the fast path, if its program compiles to the same weights, number for number.

    Where it does not, `reason` says why, and the model itself runs. Raises `ModelError` where its program is not known.
    """
    from compiler.runtime.fast.model import Fast

    for compiled in compilations(model):
        try:
            if same(compiled.model, model):
                found = compiled.fast
                return Fast(model, found.reason or found.plan or "")
        except RaspError as problem:
            return Fast(model, f"its program does not compile any more: {problem}")
    return Fast(model, "its program compiles to other weights here: it was changed, or compiled by another version")


def same(one: Transformer, other: Transformer) -> bool:
    """Whether two models have one config and the same weights."""
    theirs = other.state_dict()
    return one.config == other.config and all(tensor.equal(theirs[name]) for name, tensor in one.state_dict().items())


def compile(
    program: Program,
    output: str | Sequence[str] | None = None,
    vocab: str | Sequence[object] | None = None,
    max_length: int | None = None,
    attention: str | None = None,
    optimize: str = "balanced",
    uncertified: bool = False,
    dtype: str = "float32",
    limits: Limits = DEFAULT_LIMITS,
) -> Compiled:
    """Compile a program. Arguments override its header. Raises `rasp.RaspError` for a program that is refused.

    Every margin is compared with the error that can reach it; `uncertified` compiles even where one does not hold.
    `optimize`: "depth" for few layers, "size" for few parameters, "balanced" for few layers at a bearable size.
    `output`: the s-op (or several) to decode; `vocab`: the tokens, a string for one a character; `max_length`: of an
    input, in tokens; `attention`: "bidirectional" or "causal"; `dtype`: "float32", "float64", "bfloat16", "float16".
    `limits`: how large tables and domains may grow before another way is taken, or the program is refused.
    """
    if not isinstance(program, Program):
        raise TypeError(f"a program is compiled, not {program!r}: `rasp.load(path)` reads one, `rasp.parse(text)` too")
    given = {"output": output, "vocab": vocab, "max_length": max_length, "attention": attention}
    settings = {name: value for name, value in given.items() if value is not None}
    return Compiled(program.replace(**settings), optimize, uncertified, dtype, limits).make()
