"""Verification: compiled models verify from their tensors alone, and no model that answers anything wrongly does.

Whether a mutant answers wrongly is found out by running it on every input there is. `python -m
tests.compiler.test_verify --mutants 500` prints the rates.
"""

from __future__ import annotations

import copy
import itertools
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pytest
import torch

import compiler
import rasp
from compiler.model import ModelError, Transformer
from compiler.numbers.precision import FLOAT32
from compiler.trust.verify import cases, meaning, neurons, space, verify, verify_model
from compiler.trust.verify.machine import Machine
from compiler.trust.verify.outputs import Decoded, Outputs
from tests.mutations import SMALL, answers, everything, mutants, print_rates, small
from tests.places import PROGRAMS

MUTANTS = 40
MACHINES = {f"machines/{path.stem}" for path in (PROGRAMS / "machines").glob("*.rasp")}
BEYOND = {"decoders/sort", "paper/rover", "paper/shuffle_dyck", "words/isogram", *MACHINES}
"""Programs with more joint values than are looked at."""


def compiled(name: str, **settings: Any) -> Transformer:
    return compiler.compile(rasp.load(PROGRAMS / f"{name}.rasp"), **settings).model


def model_of(text: str, **settings: Any) -> Transformer:
    return compiler.compile(rasp.parse(text), **settings).model


def rates(name: str, count: int, seed: int) -> Counter[str]:
    """What becomes of mutants of a program: which answer wrongly, and which are refused."""
    return rates_of(*small(name), count, seed)


def rates_of(program: rasp.Program, vocabulary: str, length: int, count: int, seed: int) -> Counter[str]:
    """The same for any program, at inputs that can all be tried."""
    model, inputs = compiler.compile(program).model, everything(vocabulary, length)
    right, found = answers(model, inputs), Counter[str]()
    for mutant in itertools.islice(mutants(model, seed), count):
        mutant.model.labels = model.labels
        wrong, refused = answers(mutant.model, inputs) != right, not verify_model(mutant.model).ok
        found["mutants"] += 1
        found["wrong"] += wrong
        found["wrong and refused"] += wrong and refused
        found["harmless and refused"] += refused and not wrong
        if wrong and not refused:
            found[f"missed: {mutant.what}"] += 1
    return found


@pytest.mark.parametrize(
    "name", ["reverse", "histogram", "length", "sort", "double_histogram", "paper/most_frequent", "paper/dyck_1_ptf"]
)
def test_a_compiled_model_verifies(name: str, tmp_path: Path) -> None:
    made = compiler.compile(rasp.load(PROGRAMS / f"{name}.rasp"), max_length=12)
    made.save(tmp_path / "model")
    verdict = verify(tmp_path / "model")
    assert verdict.ok, verdict.reason
    assert verdict.certificate.decisions
    assert verdict.settings["max_length"] == 12


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16"])
def test_every_dtype_verifies(dtype: str) -> None:
    for name in ("reverse", "histogram"):
        verdict = verify_model(compiled(name, max_length=8, vocab="abc", dtype=dtype))
        assert verdict.ok, (name, verdict.reason)
        assert verdict.certificate.dtype == dtype


@pytest.mark.parametrize(
    "text",
    [
        "answer = tokens;",
        "answer = indices * 3 - 1;",
        "answer = tokens[0];",
        "answer = aggregate(select(indices, indices, <=), indicator(tokens == 'a'));",
        "answer = selector_width(select(tokens, tokens, !=));",
        "answer = aggregate(select(indices, 1, ==) or select(indices, 3, ==) and select(tokens, 'b', ==), 1, 0);",
        "answer = aggregate(select(indices, indices - 2, ==), tokens, 'c');",
    ],
)
@pytest.mark.parametrize("attention", ["bidirectional", "causal"])
def test_small_programs_verify(text: str, attention: str) -> None:
    verdict = verify_model(model_of(text.replace("'", '"'), vocab="abc", max_length=6, attention=attention))
    assert verdict.ok, verdict.reason


def test_an_output_of_more_counts_than_a_table_holds_verifies_along_its_line() -> None:
    model = compiled("sequence/sum")
    assert verify_model(model).ok
    with torch.no_grad():
        model.unembed.W_U[:, 0] *= 1.01  # type: ignore[union-attr, index, operator]
    assert not verify_model(model).ok


def test_labels_and_certificates_do_not_help() -> None:
    model = compiled("sort", vocab="abc", max_length=6)
    bare = copy.deepcopy(model)
    bare.labels = {"program": model.labels["program"]}
    assert str(verify_model(bare)) == str(verify_model(model))
    with torch.no_grad():
        model.blocks[1].attn.W_V *= -1  # type: ignore[union-attr, operator]
    assert model.labels["certificate"]["certified"]
    assert not verify_model(model).ok


def test_a_model_of_another_program_is_refused() -> None:
    model = compiled("sort", vocab="abc", max_length=6)
    other = "answer = tokens;\n"
    model.labels = {
        "program": {"source": other, "settings": {**model.labels["program"]["settings"], "output": ["answer"]}}
    }
    verdict = verify_model(model)
    assert not verdict.ok
    assert "the outputs" in verdict.reason


def test_the_settings_of_config_and_program_must_agree() -> None:
    for changed, what in (({"max_length": 7}, "max_length"), ({"attention": "causal"}, "who sees whom")):
        model = compiled("histogram", vocab="abc", max_length=6)
        model.labels["program"]["settings"] |= changed
        assert what in verify_model(model).reason
    model = compiled("histogram", vocab="abc", max_length=6)
    model.labels["program"]["settings"] |= {"vocab": ["a", "b", "d"]}
    assert "the vocabulary" in verify_model(model).reason


def test_a_model_without_a_program_is_an_error() -> None:
    model = compiled("histogram", vocab="abc", max_length=6)
    model.labels = {}
    with pytest.raises(ModelError, match="which program it was compiled from"):
        verify_model(model)


@pytest.mark.slow
@pytest.mark.parametrize("name", [entry.name for entry in compiler.library()])
def test_the_library_verifies(name: str) -> None:
    verdict = verify_model(compiled(name))
    assert verdict.ok or (name in BEYOND and " are more than " in verdict.reason), verdict.reason


def test_no_small_mutant_that_answers_wrongly_verifies() -> None:
    found = rates("histogram", 20, seed=7)
    assert found["wrong and refused"] == found["wrong"] >= 5, found


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_no_mutant_that_answers_wrongly_verifies(name: str) -> None:
    found = rates(name, MUTANTS, seed=1)
    assert found["wrong and refused"] == found["wrong"] >= MUTANTS // 5, found


@pytest.mark.parametrize("seed", range(30))
def test_what_is_read_with_one_row_of_weights_is_judged_alike_added_up(seed: int) -> None:
    """The lead is the same, what it may be off by is no smaller; where nothing is inexact it is 0 both ways."""
    rng = np.random.default_rng(seed)
    weights = rng.integers(-8, 9, (2, 5)).astype(np.float64)
    shares = rng.choice([0.5, 1.0, -2.0, 3.0], 3)
    weights = np.concatenate([weights, shares[:, None] * weights[rng.integers(0, 2, 3)]])
    rows = rng.integers(-4, 5, (60, 5)).astype(np.float64)
    errors = np.zeros(5) if seed % 2 else rng.random(5) / 1_000
    right = (rows @ weights).argmax(axis=1)
    judge = SimpleNamespace(machine=Machine(FLOAT32, cast(Any, None)))
    meant = np.arange(5)

    def judged(read: Decoded, codes: npt.NDArray[np.int64]) -> tuple[float, float]:
        return Outputs._led(cast(Any, judge), read, codes[:, None] == meant)

    plain = Decoded(rows, errors, weights)
    together, codes = plain.together(right)
    assert together.rows.shape[1] < rows.shape[1] and len(codes) <= len(right)
    (lead, off), (other_lead, other_off) = judged(plain, right), judged(together, codes)
    if seed % 2:
        assert (lead, off) == (other_lead, other_off) and off == 0.0
    else:
        assert other_off / other_lead >= off / lead * (1 - 1e-9) if lead > 0 else other_lead <= 0


HIGHEST = """#@ output: y
up_to = select(indices, indices, <=);
y = tokens;
for c in {letters} {{ y = c if selector_width(select(tokens, c, ==) and up_to) > 0 else y; }}
"""


def highest(letters: str, length: int) -> rasp.Program:
    """The highest letter up to here, one choice a letter, in the order given."""
    return rasp.parse(HIGHEST.format(letters=list(letters)).replace("'", '"')).replace(
        vocab="".join(sorted(letters)), max_length=length
    )


def test_a_chain_of_choices_verifies_case_by_case() -> None:
    """18 letters that may be found or not, and the token: 4.7 million joint values."""
    letters = "abcdefghijklmnopqr"
    model = compiler.compile(highest(letters, 20)).model
    assert verify_model(model).ok
    for row in (1, 9):  # a neuron that stands for one choice speaks later, or too loudly
        for name, change in (("b_in", -1.0), ("W_out", 2.0)):
            broken = copy.deepcopy(model)
            with torch.no_grad():
                tensor = broken.get_parameter(f"blocks.0.mlp.{name}")
                tensor[row] = tensor[row] + change if name == "b_in" else tensor[row] * change
            verdict = verify_model(broken)
            assert not verdict.ok, f"{name}[{row}]"


@pytest.mark.parametrize(
    "rest",
    [
        "w = number * 2",
        "w = 1 / (number + 1)",
        "w = number > 5",
        "w = number - 5 if number > 5 else 5 - number",
    ],
)
def test_what_is_computed_from_a_chain_of_choices_verifies(rest: str) -> None:
    model = compiler.compile(numbered("abcdefghijklmnopqr", f"{rest};", "w")).model
    verdict = verify_model(model)
    assert verdict.ok, verdict.reason


def numbered(letters: str, rest: str, outputs: str) -> rasp.Program:
    """The number of the highest letter up to here, and what is computed from it."""
    chosen = "".join(
        f'number = {i} if selector_width(select(tokens, "{letter}", ==) and up_to) > 0 else number;\n'
        for i, letter in enumerate(letters, 1)
    )
    text = f"#@ output: {outputs}\nup_to = select(indices, indices, <=);\nnumber = 0;\n{chosen}{rest}"
    return rasp.parse(text).replace(vocab=letters, max_length=20)


def test_where_another_output_has_no_answer_the_promise_holds() -> None:
    """`other` divides by 0 where the number is 18: that excuses no wrong answer of `number`."""
    program = numbered("abcdefghijklmnopqr", "other = 1 / (number - 18);", "number, other")
    model = compiler.compile(program).model
    assert verify_model(model).ok
    values = list(model.config.outputs[0].values)
    with torch.no_grad():  # whoever should say 18 says 17
        logits = model.get_parameter("unembed.W_U")
        logits[:, values.index(18)] = logits[:, values.index(17)]
        logits[0, values.index(18)] -= 1.0
    wrong, right = model.run("r", "number"), program["number"]("r")
    assert wrong != right and not verify_model(model).ok


def test_no_mutant_that_answers_wrongly_verifies_case_by_case(monkeypatch: pytest.MonkeyPatch) -> None:
    """With so few joint values that are tabulated, the choices of five letters are looked at in cases."""
    for module in (neurons, meaning, space):
        monkeypatch.setattr(module, "MAX_POINTS", 100)
    looked_at: list[int] = []

    def counted(asked: meaning.Meaning, writing: Sequence[cases.Neuron]) -> space.Known:
        looked_at.append(len(writing))
        return cases.in_cases(asked, writing)

    monkeypatch.setattr(neurons, "in_cases", counted)
    program = highest("bdaec", 4)
    assert verify_model(compiler.compile(program).model).ok and looked_at
    found = rates_of(program, "abcde", 4, MUTANTS, seed=3)
    assert found["wrong and refused"] == found["wrong"] >= MUTANTS // 5, found
    assert found["harmless and refused"] < found["mutants"] // 2, found


if __name__ == "__main__":
    print_rates(rates)
