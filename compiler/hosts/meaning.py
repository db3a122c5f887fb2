"""Meaning: what ids and logits stand for in a file that keeps the native ones, and how a target is written with them.

In: a native model; the logits of a host. Out: a dictionary that JSON holds; the `Tapes` of that host.
Invariant: whoever has the dictionary and the logits can write a target: nothing else is asked for.

    {"source": {"vocabulary": ["a", "b"], ...}, "target": {"start": "<start>", ...}, "values": [".", "a", "b"], ...}
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from compiler.hosts import Tapes
from compiler.hosts.targets import ending
from compiler.model import Config, Scalar, Transformer

if TYPE_CHECKING:
    from torch import Tensor

    from compiler.hosts import Pair


def meaning(model: Transformer) -> dict[str, Any]:
    """What token ids and logits stand for, on one tape or on two."""
    return one_tape(model.config) if model.config.encoder is None else two_tapes(model)


def one_tape(config: Config) -> dict[str, Any]:
    """A vocabulary, and the values of each output."""
    return {
        "vocabulary": list(config.vocabulary),
        "max_length": config.max_length,
        "outputs": [{"name": output.name, "values": list(output.values)} for output in config.outputs],
    }


def two_tapes(model: Transformer) -> dict[str, Any]:
    """Both vocabularies, and the values of the one output. `next`: the id of each value, none where the target ends."""
    config = model.config
    assert config.encoder is not None
    [output] = config.outputs
    tokens, ends = ending(model, output)
    return {
        "source": {"vocabulary": list(config.encoder.vocabulary), "max_length": config.encoder.max_length},
        "target": {
            "vocabulary": list(config.vocabulary),
            "max_length": config.max_length,
            "start": config.start,
            "stop": list(config.stop),
        },
        "output": output.name,
        "values": list(output.values),
        "next": [None if end else token for token, end in zip(tokens, ends, strict=True)],
    }


def shown_source(config: Config) -> list[str]:
    """A short source, for a model card."""
    assert config.encoder is not None
    return list((config.encoder.vocabulary * 3)[: min(3, config.encoder.max_length)])


def tapes(told: dict[str, Any], logits: Callable[[Sequence[Pair]], list[Tensor]]) -> Tapes:
    """A host that is told this. A target is written by going over it again for each token; the best one is taken."""
    target = told["target"]
    start = target["vocabulary"].index(target["start"])

    def write(sources: Sequence[Sequence[int]]) -> list[list[Scalar]]:
        rows, values = [[start] for _ in sources], [list[Scalar]() for _ in sources]
        running = [*range(len(sources))]
        for _ in range(target["max_length"]):
            best = [int(found[-1].argmax()) for found in logits([(sources[at], rows[at]) for at in running])]
            for at, choice in zip(running, best, strict=True):
                values[at].append(told["values"][choice])
                rows[at].append(told["next"][choice])
            running = [at for at in running if rows[at][-1] is not None]
            if not running:
                break
        return values

    return Tapes(logits, write)
