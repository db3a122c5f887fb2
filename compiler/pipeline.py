"""The driver: a table of contents of the compiler.

In: a `rasp.Program` and, if wanted, settings that override its header. Out: `Compiled`, every stage of it side by side.
Invariant: nothing is computed here; each stage is one call.

    program --elaborate--> s-ops --specialise--> graph --lower--> circuit --emit--> weights --load--> model
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from compiler.circuit.certificate import Certificate
from compiler.circuit.certify import certify
from compiler.circuit.circuit import Circuit
from compiler.circuit.emit import Weights, emit
from compiler.circuit.reuse import reuse
from compiler.circuit.wider import also
from compiler.graph.domain import Limits, Refusal, Setting, refusal
from compiler.graph.specialise import Graph, Graphs
from compiler.graph.witness import required, witnesses
from compiler.lowering import lower, policies
from compiler.numbers.precision import FLOAT32, PRECISIONS, Precision
from compiler.observe.plan import Plan, plan
from compiler.observe.remedies import LONG, Remedy, explained, remedies
from compiler.runtime.origin import declared, hashes, located, program_of, recorded
from rasp import Diagnostic, Program, RaspError
from rasp.depth import deep_recursion
from rasp.settings import token_text
from rasp.sop import Node, SOp, listing, reachable

if TYPE_CHECKING:
    from compiler.model import Transformer
    from compiler.observe.trace import Trace
    from compiler.observe.view import View
    from compiler.runtime.fast.model import Fast

_Built: TypeAlias = tuple[Circuit, Certificate]
STAGES = ("syntax", "sop", "graph", "circuit", "weights")
MODES = ("depth", "balanced", "size")
"""What a compilation can be optimised for."""
DEFAULT_LIMITS = Limits()
MAX_FRAMES = 2_500
"""Calls inside each other while a circuit is built: some twelve for each step that is computed from another."""
MAX_SHOWN = 5
"""How many files a note names."""
TRIES = 10.0
"""Seconds of processor time after which no other circuit is tried, where those before it are not certified."""
LARGE = 1 << 11
"""Parameters from which on it is tried whether means computed another way take fewer."""
COMFORT = 0.75
"""Errors up to this part of their margins are taken at once: `verify`, whose bounds are wider, then agrees."""
FEWER_STEPS = "such a model would have as many layers: compute it in fewer steps"


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
        return Setting(settings.vocab, settings.longest, causal, self.limits)

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
        size = len(reachable(found.values()))
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
        return [*self.program.warnings, *witnesses(self.program, setting)]

    @property
    def graph(self) -> Graph:
        """The s-ops specialised to the setting, with domains: what the circuit was made from, if one can be made."""
        try:
            return self._built[0].graph or self._graphs[0]
        except RaspError:
            return self._graphs[0]

    @cached_property
    def _graphs(self) -> Graphs:
        return Graphs(self.sop, self.program.called, self.setting, required(self.program))

    @cached_property
    def _built(self) -> tuple[Circuit, Certificate]:
        started = time.monotonic()
        try:
            found = self.built()
        except RaspError as problem:
            raise explained(self, problem, self._graphs[0], started) from None
        vars(self)["_started"] = started
        return found

    def built(self, seconds: float = TRIES) -> tuple[Circuit, Certificate]:
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
        circuit, certificate = self._built
        if not certificate.ok and not self.uncertified:
            emitted(circuit)  # numbers that the dtype cannot hold are another reason, which nobody can waive
            raise explained(self, self._refusal(certificate), self.graph, vars(self)["_started"])
        return circuit

    def _refusal(self, certificate: Certificate) -> RaspError:
        """Why the circuit is not certified."""
        if certificate.overflow is not None:
            return refusal(
                "not-certified",
                f"the program's numbers may be too large for {self.dtype}: {certificate.overflow}",
                "compute with smaller numbers",
            )
        failing = next((decision for decision in certificate.decisions if not decision.holds), certificate.tightest)
        if failing.of is not None and ("{" in failing.what or "..." in failing.what):  # a table that nobody wrote
            failing = replace(failing, what=f"`{self.graph.told(failing.of)}`")
        return refusal(
            "not-certified",
            f"rounding to {self.dtype} in {self.setting.max_length} tokens could change an answer: {failing}",
            "compile with a smaller max_length or vocabulary, round large numbers, or compile with --uncertified, "
            "which waives it",
            failing.of,
        )

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
        return self._built[1]

    @cached_property
    def weights(self) -> Weights:
        """Tensors, config and labels."""
        self.circuit.verify()
        found = emitted(self.circuit)
        unknown = self.program.settings.unknown
        found.config["unknown"] = None if unknown is None else token_text(unknown)
        found.config.update(_generation(self.program))
        found.labels["program"] = recorded(self.program)
        found.labels["named"] = [one | located(self.program, one["name"]) for one in found.labels["named"]]
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

        from compiler.model import Config, Transformer

        model = Transformer(Config.from_json(self.weights.config))
        dtype = getattr(torch, self.dtype)
        model.load_state_dict({name: torch.from_numpy(t).to(dtype) for name, t in self.weights.tensors.items()})
        model.labels = self.weights.labels
        return model.eval()

    @cached_property
    def fast(self) -> Fast:
        """The same transformer with a path that counts where heads compare all pairs, taken where it is quicker."""
        from compiler.runtime.fast.model import Fast
        from compiler.runtime.fast.plan import plan

        return Fast(self.model, plan(self.circuit, scored=True))

    def emit(self, stage: str) -> str:
        """One stage as text."""
        match stage:
            case "syntax":
                return str(self.program.syntax)
            case "sop":
                needed = set(reachable(self.sop.values()))
                named = {name: node for node, name in self.program.names.items() if node in needed}
                return listing(named | self.sop)
            case "graph":
                return str(self.graph)
            case "circuit":
                return str(self.circuit)
            case "weights":
                return str(self.weights)
        raise refusal("no-such-stage", f"there is no stage {stage!r}", f"choose one of {', '.join(STAGES)}")

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

    def trace(self, tokens: Iterable[object]) -> Trace:
        """Every program variable at every layer, decoded from the residual stream, beside the interpreter's value."""
        from compiler.observe.trace import trace

        return trace(self.model, self.program, tokens)

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
    return {"generate": generate if generate in program.outputs else None, "stop": stop}


def faster(model: Transformer) -> Fast:
    """A model that was loaded, with the fast path, if its program compiles to the same weights, number for number.

    Where it does not, `reason` says why, and the model itself runs. Raises `ModelError` where its program is not known.
    """
    from compiler.runtime.fast.model import Fast

    program = program_of(model)
    for optimize in ("balanced", "depth", "size"):
        try:
            compiled = Compiled(program, optimize, uncertified=True, dtype=model.config.dtype)
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


def emitted(circuit: Circuit) -> Weights:
    """The weights. Raises `RaspError` where one is larger than any number of the dtype."""
    try:
        found = emit(circuit)
    except OverflowError:
        hint = "use less extreme numbers, or compile with a smaller max_length"
        raise refusal("too-large", f"weights would be larger than any float; {_extreme(circuit)}", hint) from None
    try:
        found.verify()
    except ValueError as problem:
        hint = "use less extreme numbers, or compile with another --dtype, or a smaller max_length"
        raise refusal("too-large", f"{problem}; {_extreme(circuit)}", hint) from None
    return found


def _extreme(circuit: Circuit) -> str:
    """The number of a program that is furthest from 1, in words."""
    named = [(abs(number), variable.name) for variable in circuit.variables for _, number in variable.numbers]
    named += [(abs(end), direction.name) for direction, ends in circuit.ranges.items() for end in ends]
    size, name = max(
        (one for one in named if one[0]), key=lambda one: max(one[0], 1 / one[0]), default=(Fraction(1), "no s-op")
    )
    return f"the most extreme number is in `{name}`: {Decimal(size.numerator) / Decimal(size.denominator):.2g}"


def build(
    graphs: Graph | Iterable[Graph],
    optimize: str = "balanced",
    precision: Precision = FLOAT32,
    seconds: float = TRIES,
) -> tuple[Circuit, Certificate]:
    """The circuit of the first graph whose circuit can be certified; else that of the first of which one can be made.

    Where that is `LARGE`, a smaller one of another graph is taken, if it is no deeper, or that is for "size". No other
    circuit is begun after so many seconds.
    """
    end = time.process_time() + seconds
    graphs = [graphs] if isinstance(graphs, Graph) else graphs
    first: tuple[Circuit, Certificate] | RaspError | None = None
    tried: set[tuple[SOp, ...]] = set()
    for graph in graphs:
        if (same := tuple(graph.outputs.values())) in tried:
            continue
        tried.add(same)
        try:
            found = _built(graph, optimize, precision, end, again=len(tried) > 1)
        except RaspError as problem:
            first = first or problem
            continue
        if first is None or isinstance(first, RaspError):
            first = found
        else:
            first = _smaller(first, found, optimize) if first[1].ok else _nearer(first, found)
        if time.process_time() > end or (first[1].ok and first[0].parameters() < LARGE):
            break
    if isinstance(first, RaspError):
        raise first
    assert first is not None
    return first


def _built(graph: Graph, optimize: str, precision: Precision, end: float, again: bool) -> tuple[Circuit, Certificate]:
    """The first circuit that can be certified: as wanted, else by a costlier policy, else with shorter staircases.

    If none can, the one that was wanted, with the certificate that says why. For "size", which spends layers to save
    parameters, it is the smaller of that and of what "balanced" comes to: more layers can mean more columns. No other
    circuit is begun after the `end`. Where another graph was tried before, only what has ever helped is tried `again`.
    """
    too_deep = "the program computes too many steps, each from the one before"
    with _garbage_kept(), deep_recursion(MAX_FRAMES, too_deep, hint=FEWER_STEPS):
        if optimize != "size":
            return _certified(graph, optimize, optimize, precision, end, again)
        made = [_certified(graph, "size", "size", precision, end, again)]
        if time.process_time() < end:
            made.append(_certified(graph, "balanced", "size", precision, end, again))
        return min(made, key=lambda found: (not found[1].ok, found[0].parameters()))


def _smaller(one: _Built, other: _Built, optimize: str) -> _Built:
    """The second of two, if it is certified as the first is, smaller, and no deeper where layers count."""
    deeper = optimize != "size" and len(other[0].layers) > len(one[0].layers)
    return other if other[1].ok and not deeper and other[0].parameters() < one[0].parameters() else one


def _nearer(one: _Built, other: _Built) -> _Built:
    """The first of two of which none is comfortable, unless the other alone is certified, or alone fits the dtype."""
    better = (other[1].ok, other[1].overflow is None) > (one[1].ok, one[1].overflow is None)
    return other if better else one


@contextmanager
def _garbage_kept() -> Iterator[None]:
    """No search for garbage meanwhile: of the many objects that are made here, hardly any is let go in a cycle.

    With torch in memory it would look through a million others every time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _certified(
    graph: Graph, mode: str, reused: str, precision: Precision, end: float, again: bool
) -> tuple[Circuit, Certificate]:
    first: tuple[Circuit, Certificate] | None = None
    refused: RaspError | None = None
    known = policies(graph, precision)
    ways = [(mode, policy) for policy in known]
    ways += [("size", policy) for policy in known[:2] if mode != "size" and not again]
    for way, policy in ways:
        if first is not None and time.process_time() > end:
            break
        try:
            circuit = reuse(lower(graph, way, policy, precision), reused)
        except RaspError as problem:
            refused = refused or problem
            continue
        found = circuit, certify(circuit)
        if found[1].ok and found[1].tightest.tightness <= COMFORT:
            return found
        first = found if first is None else _nearer(first, found)
    if first is None:
        assert refused is not None
        raise refused
    return first


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
    given = {"output": output, "vocab": vocab, "max_length": max_length, "attention": attention}
    settings = {name: value for name, value in given.items() if value is not None}
    return Compiled(program.replace(**settings), optimize, uncertified, dtype, limits).make()
