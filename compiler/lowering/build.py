"""Building: which circuit is made of a program, of all that could be.

In: a program's `Graphs`, what to optimise for, an arithmetic. Out: `Built`, a circuit in every form that it had, and
its certificate; its weights.
Invariant: what is certified is taken before what is not; each form answers as the one before it.

    graph --lower--> lowered --compress--> compressed --reuse--> circuit --certify--> certificate
"""

from __future__ import annotations

import gc
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from compiler.circuit.certificate import Certificate
from compiler.circuit.certify import Certifier, certify
from compiler.circuit.circuit import Circuit
from compiler.circuit.compress import compress
from compiler.circuit.emit import Weights, emit
from compiler.circuit.loops import restored
from compiler.circuit.reuse import reuse
from compiler.graph.domain import refusal
from compiler.graph.specialise import Graph
from compiler.lowering import Policy, lower, policies
from compiler.lowering.policy import only_compared
from compiler.numbers.precision import FLOAT32, Precision
from rasp import RaspError
from rasp.meaning.sop import SOp
from rasp.running.depth import deep_recursion

MODES = ("depth", "balanced", "size")
"""What a compilation can be optimised for."""
MAX_FRAMES = 2_500
"""Calls inside each other while a circuit is built: some twelve for each s-op that is computed from another."""
TRIES = 10.0
"""Seconds of processor time after which no other circuit is tried, where those before it are not certified."""
LARGE = 1 << 11
"""Parameters from which on it is tried whether means computed another way take fewer."""
COMFORT = 0.75
"""A circuit is comfortable, and taken at once, if no error is above this part of its margin: `verify`, whose bounds are
wider, then agrees."""
FEWER_STEPS = "such a model would have as many layers: compute it in fewer steps"


@dataclass(frozen=True)
class Built:
    """A circuit as it was lowered, over as few columns as it needs, and with columns that change hands."""

    lowered: Circuit
    compressed: Circuit
    circuit: Circuit
    certificate: Certificate

    @property
    def comfortable(self) -> bool:
        """Whether it is certified with room to spare."""
        return self.certificate.ok and self.certificate.tightest.tightness <= COMFORT


def build(
    graphs: Graph | Iterable[Graph],
    optimize: str = "balanced",
    precision: Precision = FLOAT32,
    seconds: float = TRIES,
) -> Built:
    """The circuit of the first graph whose circuit can be certified; else that of the first of which one can be made.

    Where that is `LARGE`, a smaller one of another graph is taken, if it is no deeper, or that is for "size". No other
    circuit is begun after so many seconds.
    """
    end = time.process_time() + seconds
    graphs = [graphs] if isinstance(graphs, Graph) else graphs
    first: Built | RaspError | None = None
    tried: set[tuple[SOp, ...]] = set()
    for graph in graphs:
        if (same := tuple(graph.outputs.values())) in tried:
            continue
        tried.add(same)
        try:
            found = _built(graph, optimize, precision, end, is_retry=len(tried) > 1)
        except RaspError as problem:
            first = first or problem
            continue
        if first is None or isinstance(first, RaspError):
            first = found
        else:
            first = _smaller(first, found, optimize) if first.certificate.ok else _closer_to_certified(first, found)
        if time.process_time() > end or (first.certificate.ok and first.circuit.parameters() < LARGE):
            break
    if isinstance(first, RaspError):
        raise first
    assert first is not None
    return first


def _built(graph: Graph, optimize: str, precision: Precision, end: float, is_retry: bool) -> Built:
    """The first circuit that can be certified: as wanted, else by a costlier policy, else as for "size".

    If none can, the one that was wanted, with the certificate that says why. For "size", which spends layers to save
    parameters, it is the smaller of that and of what "balanced" comes to: more layers can mean more columns. No other
    circuit is begun after the `end`. Where another graph was tried before, this is a retry: of what has ever helped
    then.
    """
    too_deep = "the program computes too many steps, each from the one before"
    with _garbage_kept(), deep_recursion(MAX_FRAMES, too_deep, hint=FEWER_STEPS):
        if optimize != "size":
            return _certified(graph, optimize, optimize, precision, end, is_retry)
        made = [_certified(graph, "size", "size", precision, end, is_retry)]
        if time.process_time() < end:
            made.append(_certified(graph, "balanced", "size", precision, end, is_retry))
        return min(made, key=lambda found: (not found.certificate.ok, found.circuit.parameters()))


def _smaller(one: Built, other: Built, optimize: str) -> Built:
    """The second of two, if it is certified as the first is, smaller, and no deeper where layers count."""
    deeper = optimize != "size" and len(other.circuit.layers) > len(one.circuit.layers)
    smaller = other.circuit.parameters() < one.circuit.parameters()
    return other if other.certificate.ok and not deeper and smaller else one


def _closer_to_certified(one: Built, other: Built) -> Built:
    """The first of two of which none is comfortable, unless the other alone is certified, or alone fits the dtype."""
    found, instead = one.certificate, other.certificate
    return other if (instead.ok, instead.overflow is None) > (found.ok, found.overflow is None) else one


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


def _certified(graph: Graph, mode: str, reuse_mode: str, precision: Precision, end: float, is_retry: bool) -> Built:
    first: Built | None = None
    refused: RaspError | None = None
    all_policies = policies(graph, precision)
    attempts = [(mode, policy) for policy in all_policies if not policy.is_last]
    attempts += [(mode, policy._replace(running=True)) for _, policy in attempts]
    attempts += [("size", policy) for policy in all_policies[:2] if mode != "size" and not is_retry]
    attempts += [(mode, policy) for policy in all_policies if policy.is_last]
    for lowered_for, policy in attempts:
        if first is not None and time.process_time() > end:
            break
        if policy.running and first is not None and not first.circuit.sees_ends:
            continue
        try:
            found = _made(graph, lowered_for, policy, reuse_mode, precision)
        except RaspError as problem:
            refused = refused or problem
            continue
        if found.comfortable:
            return _without_offsets(found, graph, lowered_for, policy, reuse_mode, precision)
        first = found if first is None else _closer_to_certified(first, found)
    if first is None:
        assert refused is not None
        raise refused
    return first


def _made(graph: Graph, mode: str, policy: Policy, reuse_mode: str, precision: Precision) -> Built:
    lowered = lower(graph, mode, policy, precision)
    compressed = compress(lowered)
    circuit = reuse(_restored(compressed), reuse_mode)
    return Built(lowered, compressed, circuit, certify(circuit))


def _restored(circuit: Circuit) -> Circuit:
    """The circuit of a loop with a second neuron for what is erased behind a round and may be off, on either side."""
    if circuit.repeat is None:
        return circuit
    certifier = Certifier(circuit)
    certifier.certificate()
    return restored(circuit, {direction for direction, left in certifier.left.items() if left})


def _without_offsets(
    found: Built, graph: Graph, mode: str, policy: Policy, reuse_mode: str, precision: Precision
) -> Built:
    """The same with counts that are not rounded, where they are only compared and that is as small: a host that scales
    its stream rounds an offset more than a count."""
    if policy != Policy(whole=True) or not only_compared(graph):
        return found
    other = _made(graph, mode, Policy(), reuse_mode, precision)
    return other if other.comfortable and other.circuit.parameters() <= found.circuit.parameters() else found


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
