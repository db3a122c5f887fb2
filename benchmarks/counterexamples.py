"""Looking for a counterexample: an input on which a certified model differs from the interpreter.

In: how many checks, a seed. Out: the number done and every difference found; exit code 1 if there is one.
A check is one input through one certified model, compared with the interpreter at every output and position. Half of
them are spread over the library, under the attention that a program declares and under the other one; half over random
programs. Invariant: the same seed gives the same programs and inputs.

    python -m benchmarks.counterexamples --checks 100000 --seed 0 --optimize size
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import TypeAlias

import torch

import compiler
from compiler.circuit.emit import emit
from compiler.graph.domain import Setting
from compiler.graph.specialise import specialise
from compiler.graph.witness import required
from compiler.lowering import NEURON_BUDGET
from compiler.lowering.build import build
from compiler.model import Config, Transformer
from compiler.pipeline import Compiled
from compiler.trust.compare.inputs import awkward, random_input
from rasp import RaspError
from rasp.meaning.answers import answers as printed
from rasp.meaning.interpreter import evaluate_each
from rasp.meaning.listing import listing
from rasp.meaning.sop import SOp
from rasp.settings import token_text
from rasp.value import Value, to_python
from tests.random_programs import VOCABULARY, seeded

Input: TypeAlias = tuple[Value, ...]
LENGTHS = (6, 8, 12)
"""The longest inputs of random programs."""
PER_PROGRAM = 400
"""Inputs for each random program."""


class Search:
    """Counts, and the differences found."""

    def __init__(self) -> None:
        self.found = Counter[str]()
        self.differences: list[str] = []

    def compare(self, what: str, model: Transformer, outputs: dict[str, SOp], inputs: list[Input], causal: bool) -> int:
        """One model on some inputs; how many of them had an answer."""
        answers = evaluate_each(list(outputs.values()), inputs, causal)
        known = [(tokens, a) for tokens, a in zip(inputs, answers, strict=True) if not isinstance(a, RaspError)]
        texts = [list(map(token_text, tokens)) for tokens, _ in known]
        for number, name in enumerate(outputs):
            for (tokens, answer), row in zip(known, model.run_batch(texts, name), strict=True):
                expected = [to_python(value) for value in printed(outputs[name], answer[number])]
                if row != expected:
                    self.differences.append(f"{what}, {name}, {list(tokens)}: {row} instead of {expected}")
        if (self.found["checks"] + len(known)) // 10_000 > self.found["checks"] // 10_000:
            print(f"{self.found['checks'] + len(known):,} checks", file=sys.stderr, flush=True)
        self.found["checks"] += len(known)
        self.found["inputs without an answer"] += len(inputs) - len(known)
        return len(known)


def library(search: Search, checks: int, rng: random.Random, optimize: str) -> None:
    """Every program, under both attentions, on as many inputs each."""
    entries = list(compiler.library())
    share = max(1, checks // (2 * len(entries)))
    for entry in entries:
        for attention in ("bidirectional", "causal"):
            try:
                compiled = compiler.compile(entry.program, attention=attention, optimize=optimize)
            except RaspError as refusal:
                search.found[f"refused: {refusal.diagnostics[0].code}"] += 1
                continue
            search.found["programs of the library, each attention one"] += 1
            done = 0
            for inputs in _turns(compiled, share, rng):
                what = f"{entry.name} ({attention})"
                done += search.compare(
                    what, compiled.model, compiled.sop, inputs[: share - done], compiled.setting.causal
                )
                if done >= share:
                    break


def _turns(compiled: Compiled, share: int, rng: random.Random) -> Iterator[list[Input]]:
    """A few awkward inputs, then random ones: those that the program means."""
    setting, needed = compiled.setting, required(compiled.program)
    given = setting.vocabulary, setting.max_length
    few = list(dict.fromkeys(awkward(*given, rng)))[: share // 4]
    for turn in range(20):
        drawn = [random_input(*given, rng) for _ in range(share)]
        inputs = drawn if turn else few + drawn
        if needed:
            kept = evaluate_each(needed, inputs, setting.causal)
            pairs = zip(inputs, kept, strict=True)
            inputs = [tokens for tokens, one in pairs if not isinstance(one, RaspError) and all(map(all, one))]
        yield inputs


def random_programs(search: Search, checks: int, rng: random.Random, optimize: str) -> None:
    """Random programs of every depth, until so many checks are done."""
    wanted = search.found["checks"] + checks
    while search.found["checks"] < wanted:
        seed, depth, length, causal = (
            rng.getrandbits(40),
            rng.choice((2, 3, 4, 5)),
            rng.choice(LENGTHS),
            rng.random() < 0.5,
        )
        node = seeded(seed, depth)
        setting = Setting(VOCABULARY, length, causal)
        try:
            built = build(specialise({"out": node}, {}, setting), optimize)
        except RaspError as refusal:
            search.found[f"random programs refused: {refusal.diagnostics[0].code}"] += 1
            continue
        if not built.certificate.ok:
            search.found["random programs refused: not-certified"] += 1
            continue
        circuit = built.circuit
        search.found["random programs"] += 1
        inputs = [*awkward(VOCABULARY, length, rng)][:20]
        inputs += [random_input(VOCABULARY, length, rng) for _ in range(PER_PROGRAM - len(inputs))]
        what = f"random program {seed}, depth {depth}, length {length}, causal {causal}\n{listing({'out': node})}\n"
        inputs = inputs[: wanted - search.found["checks"]]
        search.compare(what, _model(circuit), {"out": node}, inputs, causal)


def _model(circuit: object) -> Transformer:
    weights = emit(circuit)  # type: ignore[arg-type]
    model = Transformer(Config.from_json(weights.config))
    model.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in weights.tensors.items()})
    return model.eval()


def main() -> int:
    """Search, and say what came out."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--checks", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--optimize", choices=NEURON_BUDGET, default="balanced")
    options = parser.parse_args()
    torch.set_num_threads(1)
    search, rng, start = Search(), random.Random(options.seed), time.perf_counter()
    library(search, options.checks // 2, rng, options.optimize)
    random_programs(search, options.checks - search.found["checks"], rng, options.optimize)
    for what, count in search.found.items():
        print(f"{count:>9,}  {what}")
    print(*search.differences, sep="\n")
    print(
        f"seed {options.seed}, for {options.optimize}: {search.found['checks']:,} checks, "
        f"{len(search.differences)} counterexamples, {time.perf_counter() - start:.0f} s"
    )
    return 1 if search.differences else 0


if __name__ == "__main__":
    raise SystemExit(main())
