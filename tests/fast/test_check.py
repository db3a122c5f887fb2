"""A check of the fast path: it is really taken, in every process, and what is wrong with it is noticed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

import compiler
import rasp
from compiler.pipeline import Compiled
from compiler.runtime.fast import model as fast_model
from compiler.runtime.fast.model import Fast
from compiler.trust.compare import Report, check
from compiler.trust.compare.subject import Recipe, recipe_of
from rasp import Program
from tests.inputs import every
from tests.library import LIBRARY

STAGES = ["analysis", "graph", "lowered", "compressed", "circuit", "weights", "model", "fast"]
SMALL = {"histogram": ("abc", 6), "sort": ("abc", 6), "paper/dyck_1_ptf": ("()", 9), "decoders/copy": ("ab|", 6)}
MUTANTS = 25


def small(name: str) -> Program:
    """A program at a size at which every input can be tried."""
    vocabulary, length = SMALL[name]
    return LIBRARY[name].program.replace(vocab=vocabulary, max_length=length)


def looked_at(target: Program | Compiled | Path, jobs: int = 1) -> Report:
    return check(target, samples=200, max_exhaustive=400, fast=True, jobs=jobs)


@pytest.mark.parametrize("name", SMALL)
def test_a_program_has_one_more_stage(name: str) -> None:
    report = looked_at(small(name))
    assert (report.ok, report.stages) == (True, STAGES)
    assert "analysis, graph, circuits, weights, model, fast agree with the interpreter" in str(report)


def test_the_fast_path_is_taken_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stage does not leave it to the clock, which may prefer the model itself."""
    taken = []
    count = Fast.count
    monkeypatch.setattr(Fast, "count", lambda self, *given: taken.append(len(given[0])) or count(self, *given))
    monkeypatch.setattr(fast_model.Clock, "run", lambda *_: pytest.fail("left to the clock"))
    report = looked_at(small("sort"))
    assert report.ok and sum(taken) >= report.inputs


def test_a_model_that_is_checked_keeps_its_preference() -> None:
    compiled = Compiled(small("sort"))
    assert looked_at(compiled).ok
    assert compiled.fast.prefer == "auto"


def saved(folder: Path, name: str = "sort", **options: str) -> Path:
    compiler.compile(small(name), **options).save(folder / "saved")
    return folder / "saved"


def test_a_checkpoint_has_one_more_stage(tmp_path: Path) -> None:
    report = looked_at(saved(tmp_path))
    assert (report.ok, report.stages) == (True, ["model", "fast"])


def test_without_a_fast_path_there_is_nothing_to_check(tmp_path: Path) -> None:
    with pytest.raises(rasp.RaspError, match="no fast path to check: exact counts need float32 or float64"):
        looked_at(saved(tmp_path, dtype="float16"))
    with pytest.raises(rasp.RaspError, match="no fast path to check: exact counts need float32 or float64"):
        looked_at(Compiled(small("sort"), dtype="float16"))


def test_a_process_makes_the_stage_as_well(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    assert list(recipe_of(folder, fast=True).subject().stages) == ["model", "fast"]
    assert list(recipe_of(Compiled(small("sort")), fast=True).subject().stages) == STAGES
    assert "fast" not in recipe_of(folder).subject().stages
    assert Recipe(str(folder)).fast is False


def test_two_processes_say_what_one_says(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    assert str(looked_at(folder, jobs=2)) == str(looked_at(folder))
    assert looked_at(small("sort"), jobs=2).stages == STAGES


# ----------------------------------------------------------------------------------------------------- fast paths amiss


def test_answers_that_were_tampered_with_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The logits of the fast path are in another order; the model's are not."""
    folder, through = saved(tmp_path), fast_model.Path.logits
    monkeypatch.setattr(fast_model.Path, "logits", lambda *given: through(*given).flip(-1))
    for target in (small("sort"), folder):
        [difference] = looked_at(target).differences
        assert (difference.stage, difference.tokens) == ("fast", ("a",))
        assert difference.expected == ["a"] != difference.found
        assert difference.place is None  # nothing is known about where in the fast path it begins
        assert check(target, samples=20, max_exhaustive=39).ok


def test_a_wrong_model_is_not_laid_to_the_fast_path(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled = Compiled(small("sort"))
    with torch.no_grad():
        compiled.model.unembed.W_U.copy_(compiled.model.unembed.W_U.flip(-1))
    [difference] = looked_at(compiled).differences
    assert difference.stage == "model"


def numbers(thing: object, seen: set[int]) -> Iterator[Tensor]:
    """Every tensor of numbers in a fast path, each once."""
    if id(thing) in seen:
        return
    seen.add(id(thing))
    if isinstance(thing, Tensor):
        if thing.is_floating_point() and thing.numel():
            yield thing
    elif isinstance(thing, list | tuple):
        for item in thing:
            yield from numbers(item, seen)
    elif type(thing).__module__.startswith("compiler.runtime.fast"):
        for item in vars(thing).values():
            yield from numbers(item, seen)


@pytest.mark.parametrize("name", SMALL)
def test_every_changed_number_that_changes_an_answer_is_noticed(name: str) -> None:
    """Whether one does is found out by running the fast path on every input there is."""
    compiled, rng = Compiled(small(name)), random.Random(0)
    vocabulary, length = SMALL[name]
    inputs = ["".join(text) for text in every(vocabulary, length)]
    fast = Fast(compiled.model, compiled.fast.plan or "", "fast")
    right, tensors = fast.run_batch(inputs), list(numbers(fast.path(), set()))
    changed = 0
    for _ in range(MUTANTS):
        tensor = rng.choice(tensors)
        place = tuple(rng.randrange(size) for size in tensor.shape)
        before = tensor[place].clone()
        tensor[place] = rng.choice((before + 1, -before, 1.5 * before))
        if fast.run_batch(inputs) != right:
            changed += 1
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Fast, "path", lambda _: fast._path)
                [difference] = looked_at(compiled).differences
            assert difference.stage == "fast"
        tensor[place] = before
    assert fast.run_batch(inputs) == right
    assert changed >= 5
