"""The check is checked: it notices every mutant of a compiled model that answers some input differently.

Whether a mutant does is found out by running it on every input there is; the check sees far fewer where they are many.
`python -m tests.compiler.test_mutations --mutants 500` prints the rates.
"""

from __future__ import annotations

import itertools
import json
import tempfile
from collections import Counter
from pathlib import Path

import pytest
import torch

import compiler
from compiler.pipeline import Compiled
from compiler.runtime import checkpoint
from compiler.trust.compare import check
from tests.mutations import CHANGES, SMALL, Mutant, answers, everything, mutants, print_rates, small

MUTANTS = 40


class Trial:
    """Mutants of one program, and what the check says about them."""

    def __init__(self, name: str, folder: Path) -> None:
        program, vocabulary, length = small(name)
        self.made: Compiled = compiler.compile(program)
        self.inputs = everything(vocabulary, length)
        self.right = answers(self.made.model, self.inputs)
        self.folder = folder

    def changes_an_answer(self, mutant: Mutant) -> bool:
        """By running it on every input."""
        return answers(mutant.model, self.inputs) != self.right

    def noticed(self, mutant: Mutant) -> bool:
        """By the check of a checkpoint, as anyone would do it."""
        weights = self.made.weights
        checkpoint.save(self.folder, weights.config, mutant.model.state_dict(), json.loads(json.dumps(weights.labels)))
        return not check(self.folder).ok

    def run(self, count: int, seed: int) -> Counter[str]:
        """How many mutants change an answer, and how many of those are noticed. Fails for a false alarm."""
        found = Counter[str]()
        for mutant in itertools.islice(mutants(self.made.model, seed), count):
            changes, noticed = self.changes_an_answer(mutant), self.noticed(mutant)
            assert changes or not noticed, f"a false alarm: {mutant.what}"
            found["mutants"] += 1
            found["that change an answer"] += changes
            found["noticed"] += noticed
            if changes and not noticed:
                found[f"missed: {mutant.what}"] += 1
        return found


def test_the_unchanged_model_is_no_mutant(tmp_path: Path) -> None:
    trial = Trial("histogram", tmp_path / "model")
    same = Mutant("nothing", trial.made.model)
    assert not trial.changes_an_answer(same)
    assert not trial.noticed(same)


def test_mutants_differ_from_the_model_in_one_place_and_leave_it_alone() -> None:
    model = compiler.compile(small("double_histogram")[0]).model
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    found = list(itertools.islice(mutants(model, seed=1), 50))
    for mutant in found:
        differing = [n for n, tensor in mutant.model.state_dict().items() if not torch.equal(tensor, before[n])]
        assert differing == [mutant.what.split("[")[0]]
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert [mutant.what for mutant in itertools.islice(mutants(model, seed=1), 50)] == [mutant.what for mutant in found]
    assert len({mutant.what for mutant in found}) > 40
    assert len(CHANGES) == 10


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
def test_every_mutant_that_changes_an_answer_is_noticed(name: str, tmp_path: Path) -> None:
    found = Trial(name, tmp_path / "model").run(MUTANTS, seed=0)
    assert found["that change an answer"] >= MUTANTS // 5
    assert found["noticed"] == found["that change an answer"], found


def test_the_mutants_of_a_small_program_are_noticed(tmp_path: Path) -> None:
    found = Trial("histogram", tmp_path / "model").run(20, seed=7)
    assert found["noticed"] == found["that change an answer"] >= 5, found


def rates(name: str, count: int, seed: int) -> Counter[str]:
    """What becomes of mutants of a program."""
    with tempfile.TemporaryDirectory() as scratch:
        return Trial(name, Path(scratch) / "model").run(count, seed)


if __name__ == "__main__":
    print_rates(rates)
