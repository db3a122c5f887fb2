"""Mutants: compiled models with one thing changed, and what was changed in words.

In: a model and a seed. Out: endless mutants: a weight flipped, scaled, dropped or planted; a threshold or a score
moved; a head or a neuron silenced. The model itself is left as it is.

    next(mutants(model, seed=0)).what  ->  "blocks.0.mlp.b_in[3]: threshold moved by 1, from -2 to -1"
"""

from __future__ import annotations

import argparse
import copy
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

import rasp
from compiler.model import Transformer
from rasp import Program
from tests.inputs import every
from tests.places import PROGRAMS

Change = Callable[[dict[str, Tensor], random.Random], str | None]
"""Changes the tensors in place and says what it did; None where there is nothing of the kind to change."""
SMALL = {
    "histogram": ("abc", 8),
    "reverse": ("abc", 8),
    "sort": ("abc", 7),
    "double_histogram": ("abc", 7),
    "paper/dyck_1_ptf": ("()", 10),
    "paper/most_frequent": ("abc", 6),
    "sequence/majority": ("ab", 9),
    "words/isogram": ("ab ", 6),
}
"""Programs at settings so small that every input can be tried: a few hundred to ten thousand."""


@dataclass(frozen=True)
class Mutant:
    """A changed model, and the change in words."""

    what: str
    model: Transformer


def mutants(model: Transformer, seed: int) -> Iterator[Mutant]:
    """Mutants of every kind in turns, without end; the same for the same seed."""
    chance = random.Random(seed)
    while True:
        for change in CHANGES:
            mutant = copy.deepcopy(model)
            with torch.no_grad():
                what = change(dict(mutant.named_parameters()), chance)
            if what is not None:
                yield Mutant(what, mutant)


def _weight(tensors: dict[str, Tensor], chance: random.Random, kinds: str = "", zero: bool = False) -> tuple[str, int]:
    """The name of a tensor and the flat place of one of its numbers that is not zero, or is; every tensor as likely."""
    names = [
        name
        for name, tensor in tensors.items()
        if any(kind in name for kind in kinds.split(",")) and _places(tensor, zero)
    ]
    if not names:
        return "", 0
    name = chance.choice(sorted(names))
    return name, chance.choice(_places(tensors[name], zero))


def _places(tensor: Tensor, zero: bool) -> list[int]:
    return ((tensor.flatten() == 0) == zero).nonzero().flatten().tolist()  # type: ignore[no-any-return]


def _set(tensors: dict[str, Tensor], name: str, place: int, value: float, does: str) -> str | None:
    flat = tensors[name].view(-1)
    before = float(flat[place])
    flat[place] = value
    if float(flat[place]) == before:
        return None
    index = ", ".join(str(int(i)) for i in torch.unravel_index(torch.tensor(place), tensors[name].shape))
    return f"{name}[{index}]: {does}, from {before:g} to {float(flat[place]):g}"


def _scaled(by: float, does: str) -> Change:
    def change(tensors: dict[str, Tensor], chance: random.Random) -> str | None:
        name, place = _weight(tensors, chance)
        return _set(tensors, name, place, float(tensors[name].view(-1)[place]) * by, does) if name else None

    return change


def _planted(tensors: dict[str, Tensor], chance: random.Random) -> str | None:
    name, place = _weight(tensors, chance, zero=True)
    if not name:
        return None
    other = chance.choice(tensors[name].flatten().tolist())
    return _set(tensors, name, place, other or 1.0, "planted")


def _moved(kinds: str, does: str) -> Change:
    def change(tensors: dict[str, Tensor], chance: random.Random) -> str | None:
        name, place = _weight(tensors, chance, kinds, zero=chance.random() < 0.2)
        by = chance.choice([-1.0, 1.0, -0.5, 0.5])
        return (
            _set(tensors, name, place, float(tensors[name].view(-1)[place]) + by, f"{does} by {by:g}") if name else None
        )

    return change


def _silenced(kind: str, axis: str) -> Change:
    def change(tensors: dict[str, Tensor], chance: random.Random) -> str | None:
        names = sorted(name for name in tensors if name.endswith(kind))
        if not names:
            return None
        name = chance.choice(names)
        row = chance.randrange(len(tensors[name]))
        if not tensors[name][row].any():
            return None
        tensors[name][row] = 0
        return f"{name}[{row}]: {axis} silenced"

    return change


CHANGES: tuple[Change, ...] = (
    _scaled(-1.0, "flipped"),
    _scaled(0.0, "dropped"),
    _scaled(2.0, "doubled"),
    _scaled(0.5, "halved"),
    _scaled(1.01, "scaled by 1.01"),
    _planted,
    _moved("b_in", "threshold moved"),
    _moved("W_Q,W_K", "score moved"),
    _silenced(".W_O", "head"),
    _silenced("mlp.W_out", "neuron"),
)


# -- programs of which every mutant can be tried ---------------------------------------------------------------------


def small(name: str) -> tuple[Program, str, int]:
    """The program, its vocabulary and its length here."""
    vocabulary, length = SMALL[name]
    program = rasp.load(PROGRAMS / f"{name}.rasp")
    return program.replace(vocab=vocabulary, max_length=length), vocabulary, length


def everything(vocabulary: str, length: int) -> list[str]:
    return ["".join(letters) for letters in every(vocabulary, length)]


def answers(model: Transformer, inputs: list[str]) -> list[list[object]]:
    return [list(row) for output in model.config.outputs for row in model.run_batch(inputs, output.name)]


def print_rates(rates: Callable[[str, int, int], Counter[str]]) -> None:
    """Print what becomes of mutants of each small program, by a function of its name, their number and a seed."""
    parser = argparse.ArgumentParser(description="Print the rates.")
    parser.add_argument("--mutants", type=int, default=100, help="of each program")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    total = Counter[str]()
    for name in SMALL:
        found = rates(name, options.mutants, options.seed)
        print(f"{name}: {dict(found)}", flush=True)
        total += found
    print(f"seed {options.seed}: {dict(total)}")
