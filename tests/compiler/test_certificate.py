"""The certificate as a document: what is saved, what it names, and how near the truth its refusals are."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

import pytest

import compiler
import rasp
from compiler.pipeline import Compiled


def test_the_document_names_inputs_assumptions_decisions_and_hashes(tmp_path: Path) -> None:
    program = rasp.load("programs/sort.rasp")
    compiled = compiler.compile(program, dtype="float16")
    compiled.save(tmp_path / "sort")
    document = json.loads((tmp_path / "sort" / "certificate.json").read_text())
    assert document["certified"] is True and document["dtype"] == "float16"
    assert document["inputs"]["max_length"] == program.settings.max_length
    assert document["inputs"]["vocab"] == list(program.settings.vocab or ())
    assert any("accumulated in float32" in text for text in document["assumptions"])
    assert all(decision["error"] < decision["margin"] for decision in document["decisions"])
    assert document["tightest"].startswith(max(document["decisions"], key=lambda d: d["error"] / d["margin"])["what"])
    weights = (tmp_path / "sort" / "model.safetensors").read_bytes()
    assert document["sha256"] == {
        "weights": hashlib.sha256(weights).hexdigest(),
        "program": hashlib.sha256(program.source.text.encode()).hexdigest(),
    }


MEANS = 'o = aggregate(select(indices, indices, <=), indicator(tokens == "a"));'


def test_a_refusal_names_the_longest_length_that_would_do() -> None:
    with pytest.raises(rasp.RaspError) as refused:
        compiler.compile(rasp.parse(MEANS), vocab="ab", max_length=48, dtype="float16")
    (diagnostic,) = refused.value.diagnostics
    assert diagnostic.hint is not None
    longest = int(diagnostic.hint.split("max_length ")[1].split()[0])
    assert compiler.compile(rasp.parse(MEANS), vocab="ab", max_length=longest, dtype="float16").certificate.ok
    assert not Compiled(rasp.parse(MEANS).replace(vocab="ab", max_length=longest + 1), dtype="float16").certificate.ok


LIMITS = [
    (MEANS, "bfloat16", 24),
    ("o = selector_width(select(tokens, tokens, ==));", "float16", 2_048),
    ("o = selector_width(select(tokens, tokens, ==));", "bfloat16", 1_024),
]


@pytest.mark.slow
@pytest.mark.parametrize(("source", "dtype", "most"), LIMITS, ids=str)
def test_what_is_refused_does_fail_not_far_beyond(source: str, dtype: str, most: int) -> None:
    """An uncertified model, at `most` tokens at the latest, answers some input wrongly: the bound is not idle."""
    program = rasp.parse(source).replace(vocab="ab", max_length=most)
    longest = Compiled(program, dtype=dtype).longest_certified(60)
    failing = first_failure(program, dtype, longest, most)
    assert longest < failing <= most
    print(f"{dtype}: certified to {longest}, fails at {failing}, ratio {failing / longest:.1f}")


def first_failure(program: rasp.Program, dtype: str, longest: int, most: int) -> int:
    """The least of a ladder of lengths at which an uncertified model is wrong on an awkward or a random input."""
    rng = random.Random(0)
    length = longest
    while (length := min(most, max(length + 1, length * 9 // 8))) <= most:
        compiled = Compiled(program.replace(max_length=length), dtype=dtype, uncertified=True)
        inputs = ["a" * length, "a" * (length - 1) + "b", ("ab" * length)[:length]]
        inputs += ["".join(rng.choices("ab", k=length)) for _ in range(20)]
        if compiled.model.run_batch(inputs) != [program.replace(max_length=length)["o"](tokens) for tokens in inputs]:
            return length
        if length == most:
            break
    pytest.fail(f"no failure up to {most} tokens")
