"""The summary: what a network is, in words; with labels, what each of its parts is for.

In: a `Network`. Out: its size in one line, and a page.
Invariant: nothing is said of columns, heads and neurons but what the labels say.

    2 layers, 2 heads, 0 neurons, d_model 7, 196 parameters (46 not zero)
    encoder 1 layer, 1 head, 0 neurons, d_model 18; decoder 1 layer, 0 heads, 1 head that crosses, 0 neurons, ...
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .config import Config
from .network import Network


def size(model: Network) -> str:
    """The size in one line."""
    stored = f"{model.stored():,} parameters ({model.nonzero():,} not zero)"
    config = model.config
    if config.encoder is None:
        return f"{_stack(config)}, {stored}"
    return f"encoder {_stack(config.encoder)}; decoder {_stack(config)}; {stored}"


def _stack(config: Config) -> str:
    """The size of an encoder, or of what stands before the unembedding."""
    layers = config.layers
    heads, cross, neurons = (sum(getattr(shape, kind) for shape in layers) for kind in ("n_heads", "n_cross", "d_mlp"))
    crossing = f", {_plural(cross, 'head')} that {'crosses' if cross == 1 else 'cross'}" if cross else ""
    return (
        f"{_plural(len(layers), 'layer')}, {_plural(heads, 'head')}{crossing}, {_plural(neurons, 'neuron')}, "
        f"d_model {config.d_model}"
    )


def info(model: Network) -> str:
    """What each column, head and neuron is for."""
    lines = [
        size(model),
        *_inputs(model.config),
        *_loop(model.config),
        *_writing(model.config),
        *(f"output {output.name}: {_plural(len(output.values), 'value')}" for output in model.config.outputs),
        *_verdict(model),
    ]
    if model.config.encoder is None:
        return "\n".join([*lines, *_parts(model.labels, "")])
    encoder = model.labels.get("encoder", {})
    return "\n".join([*lines, *_parts(encoder, "encoder, "), *_parts(model.labels, "decoder, ")])


def _inputs(config: Config) -> Iterator[str]:
    """What is read, and who sees whom."""
    if config.encoder is None:
        yield f"inputs: {_tape(config)}"
        yield f"attention: {'causal' if config.causal else 'bidirectional'}, {config.dtype}"
        return
    yield f"sources: {_tape(config.encoder)}"
    yield f"targets: {_tape(config)}, {config.start} in front"
    yield f"attention: bidirectional in the encoder, causal in the decoder, {config.dtype}"


def _loop(config: Config) -> Iterator[str]:
    """Which layers run several times."""
    if (loop := config.loop) is not None:
        last = loop.stop - 1
        layers = f"layer {last} is" if last == loop.start else f"layers {loop.start} to {last} are"
        yield f"loop: {layers} one round, which runs up to {_plural(loop.rounds, 'time')}: until it changes nothing"


def _tape(config: Config) -> str:
    shown = ", ".join(config.vocabulary[:20]) + (", ..." if len(config.vocabulary) > 20 else "")
    return f"1 to {config.max_length} of {_plural(len(config.vocabulary), 'token')} ({shown})"


def _parts(labels: Mapping[str, Any], whose: str) -> Iterator[str]:
    """The columns, heads and neurons of a network or of one of its two stacks."""
    yield from ("", f"{whose}residual stream")
    yield from (f"  {number:>3} {name}" for number, name in enumerate(labels.get("columns", [])))
    for number, layer in enumerate(labels.get("layers", [])):
        yield from ("", f"{whose}layer {number}")
        yield from (f"  L{number}H{i} {head['purpose']}" for i, head in enumerate(layer["heads"]))
        yield from (f"  L{number}C{i} {head['purpose']}" for i, head in enumerate(layer.get("cross", [])))
        yield from (f"  L{number}N{i} {neuron['does']}" for i, neuron in enumerate(layer["neurons"]))


def _verdict(model: Network) -> Iterator[str]:
    if certificate := model.labels.get("certificate"):
        verdict = "certified" if certificate["certified"] else "NOT certified: rounding could change an answer"
        yield f"{verdict}; tightest: {certificate['tightest']}"


def _writing(config: Config) -> Iterator[str]:
    ends = f"ends with {' or '.join(config.stop)}" if config.stop else "ends where the model holds no more"
    if config.encoder is not None:
        yield f"decodes: {config.slice(config.generate)[1].name} is the next token; a target {ends}"
    elif config.generate is not None:
        yield f"generates: {config.generate} is the next token; a text {ends}"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
