"""Every class of node goes everywhere: no consumer of s-ops and selectors has forgotten one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import get_args

import pytest

import compiler
import rasp
from compiler.hosts import HOSTS
from compiler.observe.plan import rasp_count
from compiler.observe.provenance import provenance
from compiler.observe.view.facts import facts
from compiler.pipeline import PASSES, Compiled, faster
from compiler.programs.dataset import read, write
from compiler.programs.library import Entry
from compiler.trust.compare import check
from compiler.trust.interventions import Study
from compiler.trust.interventions.trials import reported
from compiler.trust.verify import verify_model
from rasp.ask.drawing import flow
from rasp.meaning.interpreter import evaluate
from rasp.meaning.listing import listing, outline
from rasp.meaning.sop import AnySelector, AnySOp, Selector, SOp, interned
from tests.nodes import CLASSES, TEXT, TWO_TAPES, every_node, looped, two_tapes
from tests.places import ROOT

TOKENS = [1, 2, 0]
ANSWER = ["2-", "1b", "2c"]
ROOMS = ("rasp", "compiler", "benchmarks")


@cache
def compiled() -> Compiled:
    return compiler.compile(rasp.parse(TEXT))


def test_the_programs_need_every_class() -> None:
    assert {type(node) for node in every_node() + two_tapes() + looped()} == CLASSES


def test_what_a_match_is_checked_against_is_every_class() -> None:
    assert {*get_args(AnySOp)} == {one for one in CLASSES if issubclass(one, SOp)}
    assert {*get_args(AnySelector)} == {one for one in CLASSES if issubclass(one, Selector)}


def test_every_stage_answers_as_the_interpreter() -> None:
    report = check(compiled(), samples=100, fast=True)
    assert report.ok, str(report)
    assert compiled().model.run(TOKENS) == rasp.parse(TEXT)["o"](TOKENS) == ANSWER


@pytest.mark.parametrize("form", [one.makes for one in PASSES])
def test_every_form_is_shown(form: str) -> None:
    assert compiled().emit(form).strip()


def test_every_node_is_computed_written_and_drawn() -> None:
    """Each by itself, as the compiler sees it."""
    nodes = every_node()
    assert interned(nodes) == {node: node for node in nodes}
    for node in nodes:
        assert evaluate(node, TOKENS)
        assert listing({"it": node}) and outline(node, {}) and str(node)
        if isinstance(node, SOp):
            assert str(flow(node, TOKENS, {})) and flow(node, TOKENS, {}).svg()


def test_a_picture_has_the_heads_that_the_paper_counts() -> None:
    for node in every_node():
        if isinstance(node, SOp):
            layers = flow(node, TOKENS, {}).layers
            assert (len(layers) - 1, sum(len(layer.heads) for layer in layers)) == rasp_count({"o": node})


def test_it_is_explained() -> None:
    """Info, plan, trace, provenance and page; what the provenance says is tried, and the weights are verified."""
    made = compiled()
    assert made.info() and str(made.plan()) and str(made.trace(TOKENS))
    assert provenance(made.model)["nodes"]
    assert reported(Study(made), wanted=20).ok
    assert verify_model(made.model).ok
    language = facts(made.model, TOKENS)["language"]
    texts = [head.get("text") for layer in language["heads"] for head in layer]
    assert "select(indices, indices, <=)" in texts and None not in texts, texts


def test_it_is_saved_loaded_and_part_of_a_test_bed(tmp_path: Path) -> None:
    compiled().save(tmp_path / "saved")
    assert faster(compiler.load(tmp_path / "saved")).run(TOKENS) == ANSWER
    path = tmp_path / "every_node.rasp"
    path.write_text(TEXT)
    write(tmp_path / "bed", [Entry("every_node", path)], examples=10)
    [case] = read(tmp_path / "bed")
    assert case.model.run(TOKENS) == case.program["o"](TOKENS) == ANSWER


@pytest.mark.slow
@pytest.mark.parametrize("host", HOSTS)
def test_it_is_exported(host: str, tmp_path: Path) -> None:
    for package in HOSTS[host].needs:
        pytest.importorskip(package)
    if 2 in HOSTS[host].tapes:
        both = compiler.compile(rasp.parse(TWO_TAPES)).model
        assert compiler.export(both, host, tmp_path / host, samples=10).inputs >= 10
    if 1 in HOSTS[host].tapes:
        attention = "causal" if host in ("gpt2", "llama") else "bidirectional"
        model = compiler.compile(rasp.parse(TEXT), attention=attention).model
        assert compiler.export(model, host, tmp_path / host, samples=10).inputs >= 10


# ------------------------------------------------------------------------------------------------------- in the code


def _asked(function: ast.FunctionDef) -> set[str]:
    """The classes that a function matches on, or asks for."""
    found: set[str] = set()
    for part in ast.walk(function):
        if isinstance(part, ast.MatchClass):
            found.add(ast.unparse(part.cls))
        elif isinstance(part, ast.Call) and ast.unparse(part.func) == "isinstance":
            found |= {
                ast.unparse(name) for name in ast.walk(part.args[1]) if isinstance(name, ast.Name | ast.Attribute)
            }
    return {name.removeprefix("sop.") for name in found} & {one.__name__ for one in CLASSES}


def _functions() -> Iterator[tuple[str, str, set[str]]]:
    for path in sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        for part in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(part, ast.FunctionDef) and (asked := _asked(part)):
                yield path.relative_to(ROOT).as_posix(), part.name, asked


def test_who_tells_a_mean_from_a_count_knows_all_that_a_head_computes() -> None:
    heads = {one.__name__ for one in CLASSES if issubclass(one, SOp) and "selector" in one.__match_args__}
    assert heads >= {"Aggregate", "Width"}
    functions = [*_functions()]
    asking = [one for one in functions if {"Aggregate", "Width"} <= one[2]]
    forgetful = {(path, name) for path, name, asked in asking if not heads <= asked}
    assert not forgetful
    assert len(asking) > 12


def test_who_tells_two_combinations_of_selectors_apart_knows_all_selectors() -> None:
    selectors = {one.__name__ for one in CLASSES if issubclass(one, Selector)}
    asking = [(name, asked & selectors) for _, name, asked in _functions() if len(asked & selectors) > 1]
    assert len(asking) > 2
    assert all(asked == selectors for _, asked in asking), asking
