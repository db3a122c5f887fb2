"""Interventions: what a provenance file lists is what the model computes with, and a file that is wrong is noticed."""

from __future__ import annotations

import copy
import io
import itertools
import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from rich.console import Console

import compiler
import rasp
from compiler.model import ModelError
from compiler.observe.provenance import provenance
from compiler.pipeline import Compiled
from compiler.programs.library import chosen
from compiler.trust.interventions import Report, Study
from compiler.trust.interventions.trials import reported
from tests.library import LIBRARY, NIGHT, sampled

SMALL = {"reverse": 4, "histogram": 4, "sort": 4, "paper/most_frequent": 5, "paper/dyck_1_ptf": 5}
"""Programs of which every column is mutated, with a length at which all of them matter."""


@cache
def made(name: str, max_length: int | None = None) -> Compiled:
    """A program of the library."""
    program = chosen([name])[0].program
    return compiler.compile(program if max_length is None else program.replace(max_length=max_length))


def examined(compiled: Compiled, document: dict[str, Any] | None = None) -> Report:
    """What interventions say of a document."""
    return reported(Study(compiled, document=document), wanted=60)


@pytest.mark.parametrize("name", ["reverse", "sort", "histogram", "shift", "paper/dyck_1_ptf", "decoders/copy"])
def test_every_swap_with_a_meaning_is_answered_as_by_the_program(name: str) -> None:
    report = examined(made(name))
    assert report.ok, str(report)
    assert report.total("meant") > 100 and report.total("changed") > 50


LONG = {"paper/rover", "paper/most_frequent", "paper/dyck_1_ptf"}
"""Here it takes a minute or two."""


def slow(names: Iterable[str], every: int = 1) -> list[Any]:
    """The slow ones, those that take long for a night, and of the others all but every so manieth."""
    long = [pytest.param(name, marks=NIGHT) for name in names if name in LONG]
    return sampled([name for name in names if name not in LONG], every) + long


@pytest.mark.parametrize("name", slow(LIBRARY, every=2))
def test_the_provenance_of_the_library_is_the_causal_truth(name: str) -> None:
    report = reported(Study(made(name)), wanted=20)
    assert report.ok, str(report)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_it_is_true_in_every_dtype(dtype: str) -> None:
    report = examined(compiler.compile(made("sort").program, max_length=8, dtype=dtype))
    assert report.ok and report.total("changed") > 50, str(report)


@pytest.mark.parametrize("optimize", ["depth", "size"])
def test_it_is_true_however_it_is_compiled(optimize: str) -> None:
    report = examined(compiler.compile(made("paper/most_frequent").program, optimize=optimize))
    assert report.ok and report.total("changed") > 50, str(report)


# ----------------------------------------------------------------------------------------------- files that are wrong


def tenant(document: dict[str, Any], entry: dict[str, Any]) -> dict[str, Any]:
    """What the document says of a column by itself."""
    place = entry["column"], entry["step"]
    return next(one for one in document["directions"] if (one["column"], one["step"]) == place)


def dropped(document: dict[str, Any], variable: int, number: int) -> dict[str, Any]:
    """The document without a column of a variable, as if it held something else: nothing in it contradicts that."""
    document = copy.deepcopy(document)
    one = document["variables"][variable]
    entry = one["columns"].pop(number)
    one["read"] = [term for term in one["read"] if term["column"] != entry["column"]]
    tenant(document, entry).update(variables=[], of=[])
    return document


def added(document: dict[str, Any], variable: int, other: int, number: int) -> dict[str, Any]:
    """The document in which a variable lists a column of another one too."""
    document = copy.deepcopy(document)
    entry = copy.deepcopy(document["variables"][other]["columns"][number])
    one = document["variables"][variable]
    entry["function"] = {"kind": "table", "numbers": [str(place) for place, _ in enumerate(one["values"])]}
    one["columns"].append(entry)
    tenant(document, entry)["variables"].append(one["name"])
    return document


def exchanged(document: dict[str, Any], variable: int, other: int, number: int) -> dict[str, Any]:
    """The document in which a column of a variable and the first one of another have changed places."""
    document = copy.deepcopy(document)
    names = [document["variables"][place]["name"] for place in (variable, other)]
    entries = [document["variables"][variable]["columns"][number], document["variables"][other]["columns"][0]]
    for name, new, entry in zip(names, names[::-1], entries, strict=True):
        tenant(document, entry)["variables"] = [
            one if one != name else new for one in tenant(document, entry)["variables"]
        ]
    for key in ("column", "step", "until", "offset"):
        entries[0][key], entries[1][key] = entries[1][key], entries[0][key]
    return document


def varying(document: dict[str, Any]) -> Iterator[tuple[int, int]]:
    """Every column of every variable that differs between inputs of one length, if more than one column is listed."""
    for number, one in enumerate(document["variables"]):
        if one["name"] not in ("indices", "length") and len(one["columns"]) > 1:
            yield from ((number, column) for column in range(len(one["columns"])))


def both(document: dict[str, Any]) -> Iterator[tuple[int, int]]:
    """Two variables that share no column."""
    for one, other in itertools.permutations(range(len(document["variables"])), 2):
        columns = [{entry["column"] for entry in document["variables"][place]["columns"]} for place in (one, other)]
        if columns[0] and columns[1] and not columns[0] & columns[1]:
            yield one, other


@pytest.mark.parametrize(
    "name", ["reverse", "histogram", *(pytest.param(one, marks=pytest.mark.slow) for one in SMALL)]
)
def test_a_column_that_is_dropped_is_noticed(name: str) -> None:
    """A swap is answered otherwise, or none of the variable's changes an answer any more, which the report says."""
    compiled = made(name, SMALL[name])
    document = provenance(compiled.model)
    before = [row.changed for row in examined(compiled, document).rows]
    for variable, one in enumerate(document["variables"]):
        for number in range(len(one["columns"])):
            report = examined(compiled, dropped(document, variable, number))
            silent = before[variable] > 0 == report.rows[variable].changed
            assert silent or not report.ok, one["columns"][number]


@pytest.mark.parametrize("name", ["histogram", "sort"])
def test_a_swap_notices_every_column_that_is_dropped(name: str) -> None:
    compiled = made(name, SMALL[name])
    document = provenance(compiled.model)
    found = list(varying(document))
    assert found
    for variable, number in found:
        report = examined(compiled, dropped(document, variable, number))
        assert report.total("wrong") and not report.ok, document["variables"][variable]["columns"][number]


@pytest.mark.parametrize("name", ["reverse", *slow(SMALL)])
def test_a_column_that_is_added_or_exchanged_is_noticed(name: str) -> None:
    compiled = made(name, SMALL[name])
    document = provenance(compiled.model)
    for one, other in both(document):
        for number in range(len(document["variables"][other]["columns"])):
            assert not examined(compiled, added(document, one, other, number)).ok
        for number in range(len(document["variables"][one]["columns"])):
            assert not examined(compiled, exchanged(document, one, other, number)).ok


def test_a_document_that_contradicts_itself_is_not_true() -> None:
    document = provenance(made("sort").model)
    document["variables"][1]["columns"].pop()
    assert "tokens does not list column 9" in examined(made("sort"), document).verdict


def test_a_model_that_uses_another_column_is_noticed() -> None:
    compiled = compiler.compile(made("reverse").program)
    document = provenance(compiled.model)
    column = next(one for one in document["variables"] if one["name"] == "tokens")["columns"][0]["column"]
    with torch.no_grad():  # the head reads what it copies from a column that stands in no file
        attn, embed = compiled.model.blocks[1].attn, compiled.model.embed
        embed.W_E[:, 1], embed.W_E[:-1, column] = embed.W_E[:, column], embed.W_E[:-1, column]
        attn.W_V[:, 1] += attn.W_V[:, column] / 2
        attn.W_V[:, column] /= 2
    report = reported(Study(compiled, compiled.model, document), wanted=20)
    assert report.total("wrong") and "tokens" in {failure.variable for failure in report.failures}


# ---------------------------------------------------------------------------------------------------------- one swap


def test_readers_before_the_swap_have_seen_the_old_value_and_those_after_it_see_the_new_one() -> None:
    compiled = made("paper/most_frequent")
    study = Study(compiled)
    early, late = (study.swap("tokens", "aab", "bbb", step=step) for step in (0, 4))
    assert early.outputs == early.expected == {"by_frequency": ["b", "-", "-"]}
    assert late.outputs == late.expected == {"by_frequency": ["b", "b", "-"]}
    assert early.before == late.before == {"by_frequency": ["a", "b", "-"]}


def test_a_swap_at_one_position_leaves_the_others_alone() -> None:
    swap = compiler.intervene.swap(made("reverse"), "tokens", "abc", "ddd", position=0)
    assert swap.outputs == swap.expected == {"reverse": ["c", "b", "d"]}
    assert swap.ok and swap.changes and swap.meant


def test_a_swap_that_leaves_what_the_compiler_counts_on_means_nothing() -> None:
    compiled = made("sort")
    swap = compiler.intervene.swap(compiled, "sort.place", "abc", "cba", position=0)
    assert not swap.meant and swap.ok and not swap.changes
    assert swap.reason == 'at position 2 this averages "a" and "c"'
    assert swap.reason in str(swap)


def test_it_is_the_files_columns_that_are_copied() -> None:
    compiled = made("histogram")
    document = dropped(provenance(compiled.model), 0, 0)
    swap = compiler.intervene.swap(compiled, "tokens", "aba", "bbb", document=document)
    assert not swap.ok and swap.expected == {"hist": [3, 3, 3]}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("tokenz", "ab", "ba"), 'the provenance lists no variable "tokenz"\n  hint: did you mean `tokens`?'),
        (("tokens", "ab", "b"), "the two inputs have different lengths"),
        (("tokens", "ab", "ba", 2), "there is no position 2\n  hint: positions go from 0 to 1"),
        (("reverse", "ab", "ba", 0, 0), "reverse is not in the stream after step 0"),
    ],
)
def test_a_swap_that_cannot_be_is_refused(words: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message.split("\n")[0].replace("(", r"\(")) as caught:
        compiler.intervene.swap(made("reverse"), *words)
    assert message in str(caught.value)


def test_an_input_without_an_answer_is_refused() -> None:
    program = rasp.parse("o = 1 / (tokens_int - 1);").replace(vocab=[0, 1, 2], max_length=3)
    with pytest.raises(ModelError, match="has no answer on one of the inputs"):
        compiler.intervene.swap(program, "tokens_int", [0, 2], [1, 2])


# ------------------------------------------------------------------------------------------------------- the faces


def test_a_checkpoint_is_put_to_the_test_with_its_own_file(tmp_path: Path) -> None:
    made("histogram").save(tmp_path / "saved")
    report = compiler.intervene(tmp_path / "saved", wanted=20)
    assert report.ok and report.total("changed") >= 40
    of_model = compiler.intervene(compiler.load(tmp_path / "saved"), wanted=20)
    assert {**of_model.to_json(), "seconds": 0} == {**report.to_json(), "seconds": 0}


def test_a_model_of_another_version_is_refused(tmp_path: Path) -> None:
    made("histogram").save(tmp_path / "saved")
    model = compiler.load(tmp_path / "saved")
    model.labels["directions"][2]["ready"] = 5
    with pytest.raises(ModelError, match="compiles to other columns here"):
        compiler.intervene(model)


def test_the_same_seed_makes_the_same_swaps() -> None:
    one, other = (compiler.intervene(made("sort"), seed=3, wanted=20).to_json() for _ in range(2))
    assert {**one, "seconds": 0} == {**other, "seconds": 0}
    assert compiler.intervene(made("sort"), seed=4, wanted=20).to_json()["variables"] != one["variables"]


def test_the_report_is_a_table_with_the_reasons_below() -> None:
    report = compiler.intervene(made("reverse"), wanted=20)
    lines = str(report).splitlines()
    assert lines[0].split("  ")[0] == "variable" and lines[0].endswith("other answer  wrong")
    assert "length: it is the same in all inputs of one length, so there is nothing to swap" in lines
    assert lines[-1] == report.verdict and "the model answers every one as the program does" in report.verdict
    console = Console(width=120, file=io.StringIO(), record=True)
    console.print(report)
    assert report.verdict in " ".join(console.export_text().split())
    assert json.loads(json.dumps(report.to_json()))["totals"]["wrong"] == 0


def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    compiler.intervene(made("reverse"), ["tokens", "reverse"], wanted=5, progress=lambda *one: told.append(one))
    assert told == [(0, 2), (1, 2)]


def test_a_program_whose_values_are_all_the_same_has_nothing_to_swap() -> None:
    report = compiler.intervene(made("length"))
    assert report.ok and report.verdict.endswith("there is nothing to swap")
