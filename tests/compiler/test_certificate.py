"""The certificate as a document: what is saved, what it names, and how near the truth its refusals are."""

from __future__ import annotations

import hashlib
import json
import random
import re
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


def test_a_refusal_names_what_was_seen_to_help(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each remedy is tried again here: it compiles, and to the size that was named."""
    monkeypatch.setattr("compiler.observe.remedies.SECONDS", 60.0)  # what is found depends on how busy the machine is
    with pytest.raises(rasp.RaspError) as refused:
        compiler.compile(rasp.parse(MEANS), vocab="ab", max_length=48, dtype="float16")
    (diagnostic,) = refused.value.diagnostics
    assert diagnostic.hint is not None and diagnostic.span is not None
    assert diagnostic.span.text == MEANS[4:-1]
    found = re.findall(r"--dtype (\w+) \(([\d,]+) parameters\)", diagnostic.hint)
    assert [dtype for dtype, _ in found] == ["float32", "float64"]
    for dtype, size in found:
        made = compiler.compile(rasp.parse(MEANS), vocab="ab", max_length=48, dtype=dtype)
        assert f"{made.circuit.parameters():,}" == size
    [(length, size)] = re.findall(r"max_length (\d+) \(([\d,]+) parameters\)", diagnostic.hint)
    made = compiler.compile(rasp.parse(MEANS), vocab="ab", max_length=int(length), dtype="float16")
    assert f"{made.circuit.parameters():,}" == size


CUBES = "number = indices * indices * 7 % 1000;\n"
REFUSED = {
    "named": 'dollar = select(tokens, "$", ==);\n' + CUBES + "o = aggregate(dollar, number + indices) ^ 3 % 7;",
    "of a call": CUBES + "def f(c) { return aggregate(select(tokens, c, ==), number + indices) ^ 3 % 7; }\no = f('$');",
    "of all": CUBES
    + "n = selector_width(select(tokens, tokens, ==));\no = aggregate(full_s, number * n) ^ 3 % 7 == 2;",
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_requirement_is_proposed_where_it_can_be_written(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind the program as it stands: not of what only a call has, nor that a selector of all keys selects one."""
    monkeypatch.setattr("compiler.observe.remedies.SECONDS", 60.0)
    text = REFUSED[name].replace("'", '"')
    with pytest.raises(rasp.RaspError) as refused:
        compiler.compile(rasp.parse(text), vocab="01$", max_length=40)
    hint = refused.value.diagnostics[0].hint or ""
    lines = re.findall(r"`#@ requires: one` and `(one = .*?;)` \(([\d,]+) parameters\)", hint)
    assert bool(lines) == (name == "named"), hint
    for line, size in lines:
        made = compiler.compile(rasp.parse(f"#@ requires: one\n{text}\n{line}"), vocab="01$", max_length=40, output="o")
        assert f"{made.circuit.parameters():,}" == size


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
    longest = longest_certified(program, dtype, most)
    failing = first_failure(program, dtype, longest, most)
    assert longest < failing <= most
    print(f"{dtype}: certified to {longest}, fails at {failing}, ratio {failing / longest:.1f}")


def longest_certified(program: rasp.Program, dtype: str, most: int) -> int:
    """By bisection."""
    good, bad = 0, most + 1
    while bad - good > 1:
        middle = (good + bad) // 2
        ok = Compiled(program.replace(max_length=middle), dtype=dtype).certificate.ok
        good, bad = (middle, bad) if ok else (good, middle)
    return good


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
