"""Random typed programs compile, or are refused with a reason; those that compile agree with the interpreter.

Each certified program is run as a model, in float32 and in padded batches, on random inputs and on equal tokens; the
exact circuit is compared on short ones. Both attentions are tried. The share that compiles is counted, not assumed.
`RASP_PROGRAMS=10` tries ten times as many of the slow ones.
"""

from __future__ import annotations

import os
import random
from collections import Counter

import pytest
import torch
from hypothesis import HealthCheck, given, settings

from compiler.circuit.emit import emit
from compiler.graph.domain import Setting
from compiler.graph.specialise import specialise
from compiler.lowering.build import build
from compiler.model import Config, Transformer
from rasp import RaspError, evaluate
from rasp.meaning.listing import listing
from rasp.meaning.sop import SOp
from rasp.value import to_python
from tests.random_programs import VOCABULARY, programs, seeded

MAX_LENGTH = 8
DEPTHS = (3, 4, 5, 6)


def inputs(rng: random.Random, count: int) -> list[list[str]]:
    drawn = [[rng.choice(VOCABULARY) for _ in range(rng.randint(1, MAX_LENGTH))] for _ in range(count)]
    return drawn + [[token] * length for token in VOCABULARY for length in (1, MAX_LENGTH)]


def outcome(node: SOp, causal: bool, rng: random.Random, count: int = 40) -> str:
    """ "certified", or the code of the refusal. Fails where a certified model differs from the interpreter."""
    try:
        graph = specialise({"out": node}, {}, Setting(VOCABULARY, MAX_LENGTH, causal))
        built = build(graph)
    except RaspError as refused:
        return refused.diagnostics[0].code
    if not built.certificate.ok:
        return "not-certified"
    weights = emit(built.circuit)
    model = Transformer(Config.from_json(weights.config))
    model.load_state_dict({name: torch.from_numpy(tensor) for name, tensor in weights.tensors.items()})
    known = []
    for tokens in inputs(rng, count):
        try:
            known.append((tokens, [to_python(value) for value in evaluate(node, tokens, causal=causal)]))
        except RaspError:
            continue
    found = model.run_batch([tokens for tokens, _ in known])
    for (tokens, expected), answer in zip(known, found, strict=True):
        assert answer == expected, f"causal={causal} on {tokens}:\n{listing({'out': node})}\n{built.certificate}"
    for tokens, expected in sorted(known, key=lambda pair: len(pair[0]))[:3]:
        exact = built.circuit.run([VOCABULARY.index(token) for token in tokens])["out"]
        assert [to_python(value) for value in exact] == expected
    return "certified"


def shares(seeds: range, depth: int) -> Counter[str]:
    return Counter(outcome(seeded(seed, depth), seed % 2 == 1, random.Random(seed)) for seed in seeds)


def test_at_least_four_in_five_random_programs_are_certified_and_none_is_wrong() -> None:
    found = Counter[str]()
    for depth in DEPTHS:
        found += shares(range(1000 * depth, 1000 * depth + 30), depth)
    assert found["certified"] >= 0.8 * found.total(), found


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(programs(depth=3))
def test_programs_that_hypothesis_draws_agree(node: SOp) -> None:
    assert outcome(node, causal=False, rng=random.Random(0), count=10)


@pytest.mark.slow
@pytest.mark.parametrize("depth", DEPTHS)
def test_many_random_programs(depth: int) -> None:
    count = {3: 250, 4: 200, 5: 120, 6: 50}[depth] * int(os.environ.get("RASP_PROGRAMS", "1"))
    found = shares(range(100_000, 100_000 + count), depth)
    assert found["certified"] >= (0.8 if depth < 6 else 0.7) * found.total(), found
