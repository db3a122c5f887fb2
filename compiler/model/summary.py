"""The summary: what a network is, in words; with labels, what each of its parts is for.

In: a `Network`. Out: its size in one line, and a page.
Invariant: nothing is said of columns, heads and neurons but what the labels say.

    2 layers, 2 heads, 0 neurons, d_model 7, 196 parameters (46 not zero)
"""

from __future__ import annotations

from collections.abc import Iterator

from .network import Network


def size(model: Network) -> str:
    """The size in one line."""
    layers = model.config.layers
    heads, neurons = (sum(getattr(shape, kind) for shape in layers) for kind in ("n_heads", "d_mlp"))
    return (
        f"{_plural(len(layers), 'layer')}, {_plural(heads, 'head')}, {_plural(neurons, 'neuron')}, "
        f"d_model {model.config.d_model}, {model.stored():,} parameters ({model.nonzero():,} not zero)"
    )


def info(model: Network) -> str:
    """What each column, head and neuron is for."""
    config = model.config
    shown = ", ".join(config.vocabulary[:20]) + (", ..." if len(config.vocabulary) > 20 else "")
    lines = [
        size(model),
        f"inputs: 1 to {config.max_length} of {_plural(len(config.vocabulary), 'token')} ({shown})",
        f"attention: {'causal' if config.causal else 'bidirectional'}, {config.dtype}",
        *_writing(model),
        *(f"output {output.name}: {_plural(len(output.values), 'value')}" for output in config.outputs),
        *_verdict(model),
        "",
        "residual stream",
        *(f"  {number:>3} {name}" for number, name in enumerate(model.labels.get("columns", []))),
    ]
    for number, layer in enumerate(model.labels.get("layers", [])):
        lines += ["", f"layer {number}"]
        lines += [f"  L{number}H{i} {head['purpose']}" for i, head in enumerate(layer["heads"])]
        lines += [f"  L{number}N{i} {neuron['does']}" for i, neuron in enumerate(layer["neurons"])]
    return "\n".join(lines)


def _verdict(model: Network) -> Iterator[str]:
    if certificate := model.labels.get("certificate"):
        verdict = "certified" if certificate["certified"] else "NOT certified: rounding could change an answer"
        yield f"{verdict}; tightest: {certificate['tightest']}"


def _writing(model: Network) -> Iterator[str]:
    config = model.config
    if config.generate is not None:
        ends = f"ends with {' or '.join(config.stop)}" if config.stop else "ends where the model holds no more"
        yield f"generates: {config.generate} is the next token; a text {ends}"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
