"""The adversary writes every construct, the same each time; its oracle, its watch and its shrinking do what they say.

`RASP_PROGRAMS=10` tries ten times as many of the slow ones; `python -m tests.adversarial` goes on as long as wanted.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import compiler
import rasp
from compiler.graph.domain import Analysis, Domain
from compiler.pipeline import Compiled
from rasp.meaning.sop import Aggregate, And, Lookup, Map, Node, Not, Or, Select, Selector, Tokens, Width, reachable
from tests.adversarial import shrink
from tests.adversarial.__main__ import main, run, summary
from tests.adversarial.facts import false_beliefs
from tests.adversarial.judge import Verdict, judge
from tests.adversarial.programs import DTYPES, Case, drawn
from tests.adversarial.worker import Worker, finding
from tests.places import ROOT

SEEDS = range(10_000, 10_150)


@cache
def cases() -> tuple[Case, ...]:
    return tuple(map(drawn, SEEDS))


@cache
def nodes() -> tuple[frozenset[Node], ...]:
    """For each case, all the nodes of its outputs."""
    programs = [rasp.parse(case.text) for case in cases()]
    return tuple(frozenset(reachable(map(program.node, program.outputs))) for program in programs)


def share(holds: Callable[[Any], object], items: tuple[Any, ...]) -> float:
    return sum(map(bool, map(holds, items))) / len(items)


WRITTEN = {
    "def ": 0.2,
    "for i in ": 0.25,
    "in range": 0.05,
    "select_from_last": 0.08,
    "select_next_identical": 0.05,
    "selector_width": 0.15,
    "count\\(": 0.05,
    "contains\\(": 0.05,
    "has_focus\\(": 0.03,
    "mark_(last|first)_instance": 0.03,
    "shift\\(": 0.08,
    "sort\\(": 0.08,
    "load_from_location": 0.08,
    "average\\(|max\\(|min\\(": 0.05,
    "tokens_asis": 0.4,
    "tokens_(int|float|bool)": 0.3,
    "#@ requires": 0.06,
    "#@ unknown": 0.05,
    "#@ output: .*,": 0.25,
    "#@ attention: causal": 0.25,
    'vocab: .*", \\S*\\d(,|\\])|vocab: .*\\d, "': 0.15,
    "vocab: .*(true|false)": 0.08,
    "10 \\^|1000000|0\\.000|65504|16777217": 0.15,
    "1 / 3|2 / 3|0\\.1\\b": 0.03,
    "max_length: (1[26]|33)": 0.02,
}


@pytest.mark.parametrize("pattern", WRITTEN)
def test_every_way_to_write_is_written(pattern: str) -> None:
    assert share(lambda case: re.search(pattern, case.text), cases()) >= WRITTEN[pattern]


def operation(*symbols: str) -> Callable[[Node], bool]:
    return lambda node: isinstance(node, Map) and node.op in symbols


def predicate(symbol: str) -> Callable[[Node], bool]:
    return lambda node: isinstance(node, Select) and node.predicate == symbol


def nested(node: Node) -> bool:
    return isinstance(node, And | Or | Not) and any(isinstance(part, And | Or | Not) for part in node.inputs)


MEANT = {
    "a selector": (lambda node: isinstance(node, Selector), 0.5),
    "a width": (lambda node: isinstance(node, Width), 0.25),
    "an aggregate": (lambda node: isinstance(node, Aggregate), 0.4),
    "an aggregate with a string for a default": (lambda n: isinstance(n, Aggregate) and type(n.default) is str, 0.06),
    "an aggregate with a bool for a default": (lambda n: isinstance(n, Aggregate) and type(n.default) is bool, 0.05),
    "nested selectors": (nested, 0.03),
    "a lookup": (lambda node: isinstance(node, Lookup), 0.15),
    "a mixed lookup": (lambda n: isinstance(n, Lookup) and len({type(v) is str for _, v in n.table}) > 1, 0.03),
    "a token": (lambda node: isinstance(node, Tokens), 0.6),
    "a choice": (operation("if"), 0.15),
    "a member": (operation("in"), 0.03),
    "addition": (operation("+"), 0.15),
    "a product": (operation("*"), 0.15),
    "a quotient": (operation("/"), 0.03),
    "a remainder": (operation("%"), 0.05),
    "a power": (operation("^"), 0.02),
    "a rounded number": (operation("round"), 0.02),
    "a comparison": (operation("<", "<=", ">", ">=", "=="), 0.3),
    "logic": (operation("and", "or", "not"), 0.15),
    **{f"keys {symbol} queries": (predicate(symbol), 0.03) for symbol in ("==", "!=", "<", "<=", ">", ">=")},
}


@pytest.mark.parametrize("what", MEANT)
def test_every_node_comes_up(what: str) -> None:
    is_one, least = MEANT[what]
    assert share(lambda found: any(map(is_one, found)), nodes()) >= least


def test_every_dtype_and_way_to_optimise_comes_up() -> None:
    for dtype in DTYPES:
        assert share(lambda case, dtype=dtype: case.dtype == dtype, cases()) > 0.1  # type: ignore[misc]
    assert {case.optimize for case in cases()} == {"balanced", "depth", "size"}


def test_a_seed_gives_the_same_case_in_every_process() -> None:
    code = "from tests.adversarial.programs import drawn; print([drawn(seed) for seed in range(10_000, 10_020)])"
    for salt in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": salt, "PYTHONPATH": str(ROOT)}
        found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=ROOT)
        assert found.stdout.strip() == str(list(cases()[:20])), found.stderr


def verdicts(seeds: range) -> list[tuple[int, Verdict]]:
    return [(seed, judge(drawn(seed), lambda stage: None)) for seed in seeds]


def require_right(found: list[tuple[int, Verdict]]) -> None:
    """No finding; most compile, and most of the inputs tried have an answer."""
    assert {seed: verdict.findings for seed, verdict in found if verdict.findings} == {}
    compiled = [verdict for _, verdict in found if not verdict.code]
    assert len(compiled) > len(found) / 2
    assert sum(verdict.inputs for verdict in compiled) > sum(verdict.skipped for verdict in compiled)


def test_some_cases_are_right() -> None:
    require_right(verdicts(range(10_000, 10_025)))


@pytest.mark.slow
def test_many_cases_are_right() -> None:
    require_right(verdicts(range(20_000, 20_000 + 200 * int(os.environ.get("RASP_PROGRAMS", "1")))))


# ------------------------------------------------------------------------------------------------------------- oracle

BELIEVED = """
#@ vocab: "ab"
#@ max_length: 3
same = select(tokens, tokens, ==);
mean = aggregate(same, indices, 0.5);
o = mean + 2 * indices;
"""

Lie = Callable[..., object]
LIES: dict[str, tuple[str, Lie]] = {
    "a domain without its last value": ("domain", lambda found: Domain.of(found.values[:-1])),
    "a form that is another": ("linear", lambda found: found and {one: 2 * factor for one, factor in found.items()}),
    "a table without its first point": ("table", lambda found: found[1:]),
    "a table with another value": ("table", lambda found: [(point, 99) for point, _ in found]),
    "bounds that are too close": ("bounds", lambda found: (found[0], found[0])),
    "no row selects two keys": ("at_most_one", lambda found: True),
    "no case selects two keys": ("unique", lambda found: True),
    "one of the values is picked": ("picks", lambda found: True),
    "one key is selected": ("selects_one", lambda found: True),
    "fewer cases": ("disjuncts", lambda found: found[:-1]),
}


def beliefs(text: str) -> list[str]:
    graph = Compiled(rasp.parse(text))._graphs[0]  # a circuit need not come of it
    inputs = [("a",), ("a", "b"), ("a", "a", "b"), ("b", "b", "b")]
    return list(false_beliefs(graph, inputs))


@pytest.mark.parametrize("lie", LIES)
def test_a_false_belief_is_noticed(lie: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert beliefs(BELIEVED) == []
    name, told = LIES[lie]
    truth = getattr(Analysis, name)
    monkeypatch.setattr(Analysis, name, lambda self, *given: told(truth(self, *given)))
    assert beliefs(BELIEVED) != []


@pytest.mark.parametrize("name", ["never_empty", "surely_matches"])
def test_an_empty_row_is_noticed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = BELIEVED.replace("tokens, ==", '"b", ==')
    assert beliefs(text) == []
    monkeypatch.setattr(Analysis, name, lambda self, *given: True)
    assert beliefs(text) != []


def wrong_stages(case: Case) -> set[str]:
    return {one.stage for one in judge(case, lambda stage: None).findings if one.kind == "WRONG"}


def test_a_wrong_answer_is_noticed_at_each_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    """The logits of a model are exchanged; the graph, the circuit and the fast path stay as they are."""
    case = Case(60, BELIEVED, "float32", "balanced")
    assert wrong_stages(case) == set()

    def changed(*given: Any, **settings: Any) -> Compiled:
        compiled = truly(*given, **settings)
        compiled.model.unembed.W_U.data = compiled.model.unembed.W_U.data.flip(1)
        return compiled

    truly = compiler.compile
    monkeypatch.setattr(compiler, "compile", changed)
    assert wrong_stages(case) == {"single", "batch", "checkpoint", "check"}


# ------------------------------------------------------------------------------------------------------------ running


def endless(seed: int, tell: Callable[[str], None]) -> dict[str, Any]:
    """An outcome that does not come for one seed, and ends the process for another."""
    tell("far along")
    while seed == 1:
        random.random()
    if seed == 2:
        os._exit(3)
    return {"outcome": "right", "findings": []}


def test_a_seed_that_takes_for_ever_or_ends_its_process_holds_up_no_other() -> None:
    found = dict(run([0, 1, 2, 3], 1, lambda: Worker(endless, seconds=0)))
    assert [found[seed]["outcome"] for seed in range(4)] == ["right", "SLOW", "DIED", "right"]
    assert found[1]["findings"][0]["stage"] == "far along"


def test_a_run_that_was_ended_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "found.jsonl"
    kept = json.dumps({"seed": 1, **finding("WRONG", "batch", "kept")})
    out.write_text(f'{kept}\n{{"seed": 3, "outc', "utf-8")
    monkeypatch.setattr(sys, "argv", ["adversarial", "--seeds", "0-6", "--shard", "2/2", "--out", str(out)])
    monkeypatch.setattr("tests.adversarial.__main__.Worker", lambda outcome: Worker(endless))
    assert main() == 1
    rows = [json.loads(line) for line in out.read_text("utf-8").splitlines()]
    assert [row["seed"] for row in rows] == [1, 3, 5]
    assert "3 programs: 2 right, 1 WRONG" in summary(out)[0]


def test_a_case_is_made_small_while_its_finding_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    def signatures(case: Case) -> set[shrink.Signature]:
        return {("WRONG", "batch", "")} if "shift(" in case.text and "max_length: " in case.text else set()

    monkeypatch.setattr(shrink, "signatures", signatures)
    case = next(case for case in cases() if "shift(" in case.text)
    small = shrink.shrunk(replace(case))
    assert signatures(small)
    assert len(small.text) < 40
