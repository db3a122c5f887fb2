"""Names of directions are for people: whatever they are, the same weights, provenance, pages and fast path come out."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch

import compiler
import rasp
from compiler.lowering.builder import Builder
from compiler.observe.provenance import provenance
from compiler.observe.view.facts import facts
from compiler.pipeline import Compiled
from compiler.runtime.fast.plan import plan
from tests.places import PROGRAMS

NAMES = ["sort", "double_histogram", "paper/dyck_2_ptf", "decoders/sort", "languages/parity", "words/abbreviation"]
MANY = [f"paper/{name}" for name in ("most_frequent", "shuffle_dyck", "dyck_1_ptf")]
TRICKY = ["bos", "one", "tokens=a", "x >= 3", "a, step at 1; b", "=", "", ": counts key(1)", "; sums key(1) -> x"]
"""Words that would mean something to whoever reads names."""


def renamed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every direction that is made from now on is called by a word drawn at random, no two by the same."""
    words = random.Random(3)
    used: set[str] = {"one", "bos"}  # as in a draft

    def unused(_: Builder, name: str) -> str:
        found = words.choice(TRICKY)
        while found in used:
            found += words.choice(["=", " >= ", " #2", "a", "[0]", ".1", ": ", "é"])
        used.add(found)
        return found

    monkeypatch.setattr(Builder, "unused", unused)


def both(name: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Compiled, Compiled]:
    """A program compiled as always, and with other names."""
    program = rasp.load(PROGRAMS / f"{name}.rasp")
    length = min(8, program.settings.longest)
    plain = compiler.compile(program, max_length=length)
    assert plain.weights
    renamed(monkeypatch)
    other = compiler.compile(program, max_length=length)
    assert other.weights.labels["columns"][2:] != plain.weights.labels["columns"][2:]
    return plain, other


def nameless(data: Any) -> Any:
    """JSON data without the texts that tell names of directions."""
    match data:
        case dict():
            left_out = {"columns", "purpose", "does", "name"} if "role" in data or "does" in data else {"purpose"}
            return {key: nameless(value) for key, value in data.items() if key not in left_out}
        case list():
            return [nameless(item) for item in data]
    return data


def without_names(document: dict[str, Any]) -> dict[str, Any]:
    return nameless({key: value for key, value in document.items() if key != "columns"})  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", [*NAMES, *(pytest.param(name, marks=pytest.mark.slow) for name in MANY)])
def test_names_of_directions_decide_nothing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, other = both(name, monkeypatch)
    theirs = other.model.state_dict()
    assert all(torch.equal(tensor, theirs[key]) for key, tensor in plain.model.state_dict().items())
    assert without_names(provenance(plain.model)) == without_names(provenance(other.model))
    margins = [[(one.margin, one.error) for one in made.certificate.decisions] for made in (plain, other)]
    assert margins[0] == margins[1]


@pytest.mark.parametrize("name", NAMES)
def test_pages_and_traces_are_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, other = both(name, monkeypatch)
    tokens = list(plain.setting.texts[:1]) * 3
    pages = [facts(made.model, tokens) for made in (plain, other)]
    for page in pages:
        page["labels"]["variables"] = [
            {key: list(value.values()) if key in ("read", "over") else value for key, value in one.items()}
            for one in page["labels"]["variables"]
        ]
        del page["labels"]["columns"]
    assert nameless(pages[0]) == nameless(pages[1])
    given = list(plain.setting.vocabulary)[:1] * 3
    assert plain.trace(given) == other.trace(given)


@pytest.mark.parametrize("name", NAMES)
def test_the_fast_path_is_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plain, other = both(name, monkeypatch)
    plans = [plan(made.circuit, scored=True) for made in (plain, other)]
    assert isinstance(plans[0], str) == isinstance(plans[1], str)
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(len(plain.setting.texts), (4, 5), generator=generator)
    if not isinstance(plans[0], str):
        assert torch.equal(plain.fast.count(ids), other.fast.count(ids))
