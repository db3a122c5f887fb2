"""A check finds what is wrong, makes it small, and counts what it could not compare."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import compiler
import rasp
from compiler.graph.domain import Setting
from compiler.graph.witness import Case
from compiler.model import Config, Transformer
from compiler.pipeline import PASSES
from compiler.runtime import checkpoint
from compiler.trust.compare import Place, Report, check
from compiler.trust.compare.inputs import awkward, by_rows
from compiler.trust.compare.report import CIRCUITS, Difference
from compiler.trust.compare.shrinking import smallest
from compiler.trust.compare.stages import ANALYSIS, NO_ANSWERS, Rows, stages_of
from compiler.trust.compare.subject import Batch, Subject, of_compilation
from rasp import Program
from rasp.meaning.sop import SOp
from tests.places import ROOT

HISTOGRAM = '#@ vocab: "abc"\n#@ max_length: 6\no = selector_width(select(tokens, tokens, ==));'


def reference(text: str = HISTOGRAM) -> Program:
    return rasp.parse(text)


def small(target: Program | Path, **settings: Any) -> Report:
    return check(target, samples=60, max_exhaustive=60, **settings)


def test_a_right_program_passes_at_every_stage() -> None:
    report = small(reference())
    assert report.ok
    assert report.stages == ["analysis", "graph", "lowered", "compressed", "circuit", "weights", "model"]
    assert (report.short, report.random, report.skipped) == (60, 60, 0)
    assert "agree with the interpreter" in str(report)


def test_all_inputs_are_tried_where_they_are_few() -> None:
    report = check(rasp.parse('#@ vocab: "ab"\n#@ max_length: 3\no = tokens;'), samples=0)
    assert report.short == 2 + 4 + 8
    assert report.ok


def saved(tmp_path: Path, text: str = HISTOGRAM) -> Path:
    compiler.compile(reference(text)).save(tmp_path / "saved")
    return tmp_path / "saved"


def with_changed_weight(folder: Path, name: str, place: tuple[int, ...], by: float) -> None:
    """Change one stored number and sign the checkpoint again, as someone who edits weights would."""
    tensors = load_file(folder / checkpoint.WEIGHTS)
    tensors[name][place] += by
    model = checkpoint.load(folder)
    checkpoint.save(folder, shape_of(folder), tensors, model.labels)


def shape_of(folder: Path) -> dict[str, Any]:
    """The config as it was before the checkpoint added its own fields."""
    data = json.loads((folder / checkpoint.CONFIG).read_text())
    return {key: value for key, value in data.items() if key not in ("format", "version", "sha256")}


def test_a_saved_model_passes(tmp_path: Path) -> None:
    report = small(saved(tmp_path))
    assert report.ok
    assert report.stages == ["model"]


def test_one_changed_weight_is_found_and_the_input_made_small(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    with_changed_weight(folder, "unembed.W_U", (0, 5), 1e6)  # the logit of 6
    report = small(folder)
    assert not report.ok
    (difference,) = report.differences
    assert (difference.stage, difference.output) == ("model", "o")
    assert difference.tokens == ("a",)
    assert difference.expected == [1] and difference.found == [6]
    assert "model differs from the interpreter in o" in str(report)
    assert difference.place == Place("o", "unembedding", [1], [6])


def test_logits_that_are_not_finite_are_a_difference(tmp_path: Path) -> None:
    """The model refuses to answer; the check says on which input."""
    folder = saved(tmp_path)
    with_changed_weight(folder, "embed.W_E", (1, 0), 3e38)
    (difference,) = small(folder).differences
    assert difference.found == ["error: the logits of o at position 0 are not finite"]
    assert len(difference.tokens) == 1


def test_a_difference_that_needs_two_tokens_shrinks_to_two(tmp_path: Path) -> None:
    """With the answer for 2 made unreachable, the smallest inputs that tell have a token twice."""
    folder = saved(tmp_path)
    with_changed_weight(folder, "unembed.W_U", (0, 1), -1e6)  # the logit of 2
    report = small(folder)
    (difference,) = report.differences
    assert difference.tokens == ("a", "a")
    assert difference.expected == [2, 2] != difference.found


def test_a_difference_on_rare_inputs_is_found_by_the_random_ones(tmp_path: Path) -> None:
    text = HISTOGRAM.replace("6", "24")
    folder = saved(tmp_path, text)
    with_changed_weight(folder, "unembed.W_U", (0, 8), -1e7)  # the logit of 9
    report = check(folder, samples=200, max_exhaustive=20)
    (difference,) = report.differences
    assert len(difference.tokens) == 9 and len(set(difference.tokens)) == 1


def test_an_untouched_copy_of_a_changed_model_is_told_apart(tmp_path: Path) -> None:
    """A zero change is no change: the test above fails for the weight, not for the signing."""
    folder = saved(tmp_path)
    with_changed_weight(folder, "unembed.W_U", (0, 2), 0.0)
    assert small(folder).ok


def test_inputs_without_an_answer_are_skipped_and_counted() -> None:
    some = rasp.parse('#@ vocab: "abc"\n#@ max_length: 3\no = {"a": 1, "b": 2}[tokens]; # "c" has no answer')
    report = check(some, samples=0, max_exhaustive=39)
    short = sum(3**n - 2**n for n in (1, 2, 3))
    assert short <= report.skipped <= short + report.awkward
    assert "skipped" in str(report)


def test_a_check_that_skips_more_than_half_fails() -> None:
    most = rasp.parse('#@ vocab: "abc"\n#@ max_length: 6\no = {"a": 1}[tokens];')
    report = check(most, samples=200)
    assert 2 * report.skipped > report.short + report.random + report.awkward
    assert not report.differences
    assert not report.ok
    assert "too few" in str(report)


def test_a_check_that_compares_nothing_fails() -> None:
    none = rasp.parse('#@ vocab: "a"\n#@ max_length: 3\no = 1 / (length - length) + {"a": 1}[tokens] - 1 / indices;')
    with pytest.raises(rasp.RaspError):
        check(none)


def test_the_same_seed_gives_the_same_report(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    with_changed_weight(folder, "unembed.W_U", (0, 3), -1e6)
    assert str(small(folder, seed=4)) == str(small(folder, seed=4))


def test_the_same_seed_gives_the_same_inputs_in_every_process() -> None:
    code = (
        "import random; from compiler.trust.compare.inputs import awkward;"
        "print(*awkward(tuple('abcd'), 9, random.Random(0)))"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env=os.environ | {"PYTHONHASHSEED": seed},
        )
        for seed in ("0", "1")
    ]
    assert len({run.stdout for run in runs}) == 1


def test_progress_is_told_up_to_the_end() -> None:
    told: list[tuple[int, int]] = []
    report = check(reference(), samples=300, max_exhaustive=30, progress=lambda done, total: told.append((done, total)))
    total = report.short + report.random + report.awkward
    assert told[-1] == (total, total)
    assert told == sorted(told)


def test_an_ablated_model_is_wrong(tmp_path: Path) -> None:
    """Zeroing any tensor of a small model changes an answer: no weight is there for show."""
    folder = saved(tmp_path)
    model = compiler.load(folder)
    inputs = ["abcabc", "aab", "c", "bbbbbb"]
    right = model.run_batch(inputs)
    state = model.state_dict()
    for name in state:
        broken = Transformer(Config.from_json(shape_of(folder)))
        broken.load_state_dict(state | {name: torch.zeros_like(state[name])})
        assert broken.run_batch(inputs) != right, name


# ------------------------------------------------------------------------------------------ the first s-op that differs


TWO_STEPS = """
#@ vocab: "abc"
#@ max_length: 5
#@ output: last
seen = selector_width(select(tokens, tokens, ==));
place = selector_width(select(seen, seen, <));
last = aggregate(select(indices, place, ==), seen);
"""


def spoilt(tmp_path: Path, name: str, scale: float) -> Difference:
    """The difference that a check of a checkpoint with one scaled tensor finds."""
    folder = saved(tmp_path, TWO_STEPS)
    tensors = load_file(folder / checkpoint.WEIGHTS)
    tensors[name] = tensors[name] * scale
    checkpoint.save(folder, shape_of(folder), tensors, checkpoint.load(folder).labels)
    (difference,) = small(folder).differences
    return difference


@pytest.mark.parametrize(("name", "sop"), [("blocks.0.attn.W_O", "seen"), ("blocks.1.attn.W_O", "place")])
def test_the_first_s_op_that_differs_is_named(tmp_path: Path, name: str, sop: str) -> None:
    """The output is wrong too, and so is what lies between: the first is where the cause is."""
    difference = spoilt(tmp_path, name, 3.0)
    assert difference.place is not None
    assert difference.place.sop == sop
    program = reference(TWO_STEPS)
    assert difference.place.expected == program[sop](difference.tokens) != difference.place.found
    assert difference.expected == program["last"](difference.tokens) != difference.found
    assert f"first wrong  {sop}, after L" in str(difference)


def test_a_wrong_stage_above_the_model_is_named_with_its_s_op(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all stages that differ the first one is reported: here a simplification that is no equation."""
    program = reference('#@ vocab: "ab"\n#@ max_length: 3\n#@ output: far\nnear = indices + 1;\nfar = near * 2;')
    made = compiler.compile(program)
    wrong = compiler.compile(reference(program.source.text.replace("+ 1", "+ 2")))
    vars(made)["_graphs"] = wrong._graphs
    del made.__dict__["_built"], made.__dict__["weights"], made.__dict__["model"]
    (difference,) = check(made, samples=10).differences
    assert (difference.stage, difference.output, difference.tokens) == ("graph", "far", ("a",))
    assert difference.place == Place("near", "graph", [1], [2])


@pytest.mark.parametrize("form", CIRCUITS)
def test_the_pass_that_makes_a_wrong_circuit_is_named_with_its_s_op(form: str) -> None:
    """From one pass on the circuit is that of another program, as if the pass had miscompiled this one."""
    made = compiler.compile(reference(TWO_STEPS))
    wrong = compiler.compile(reference(TWO_STEPS.replace("seen, seen, <", "seen, seen, <=")))
    spoilt = {one: replace(getattr(wrong, one), graph=made.graph) for one in CIRCUITS[CIRCUITS.index(form) :]}
    vars(made)["_built"] = replace(made._built, **spoilt)
    (difference,) = check(made, samples=10).differences
    assert difference.stage == form
    assert difference.place is not None and difference.place.sop == "place"


def test_every_pass_is_checked_or_has_no_answers() -> None:
    made = [one.makes for one in PASSES if one.makes not in NO_ANSWERS]
    stages = [*stages_of(compiler.compile(reference()), fast=True)]
    assert made == [stage for stage in stages if stage not in (ANALYSIS, "model")]


# ------------------------------------------------------------------------------------------------- beside other inputs


def spoiling(spoils: Callable[[Sequence[Case], int], bool]) -> Subject:
    """A subject whose model answers right, apart from rows of a batch that are spoilt."""
    made = compiler.compile(reference())
    right = of_compilation(made).stages["model"]

    def run(inputs: Sequence[Case]) -> dict[str, Rows]:
        answers = right(inputs)["o"]
        return {"o": [[-1] if spoils(inputs, i) else row for i, row in enumerate(answers)]}

    return Subject(made, {"model": run}, lambda: made.model)


BATCH = [Case(tuple("a" * length)) for length in (1, 2, 3, 6, 4, 5)]


def beside(spoils: Callable[[Sequence[Case], int], bool]) -> Difference:
    subject = spoiling(spoils)
    wrong = subject.compare(Batch(BATCH, ("model",))).wrong
    assert wrong is not None
    return smallest(subject, wrong)


def test_a_difference_beside_a_longer_input_only_is_reported_with_it() -> None:
    """As where padding reaches a row: alone, every input is right."""
    difference = beside(lambda inputs, i: len(inputs[i].tokens) == 3 and max(len(one.tokens) for one in inputs) == 6)
    assert difference.tokens == ("a", "a", "a") and difference.found == [-1] and difference.expected == [3, 3, 3]
    assert (difference.batch, difference.row, difference.again) == ((BATCH[2], BATCH[3]), 0, True)
    assert "only as row 0 of 2 inputs together; alone it is right" in str(difference)
    assert "  row 1        a a a a a a" in str(difference)
    data = json.loads(json.dumps(difference.to_json()))
    assert data["batch"] == [["a"] * 3, ["a"] * 6] and data["row"] == 0 and data["first_wrong"] is None


def test_a_difference_that_does_not_come_again_is_reported_as_it_was_seen() -> None:
    calls: list[int] = []

    def once(inputs: Sequence[Case], i: int) -> bool:
        calls.append(i)
        return len(calls) == 2

    difference = beside(once)
    assert (difference.batch, difference.row, difference.again) == (tuple(BATCH), 1, False)
    assert "once, as row 1 of 6 inputs together; not again, neither so nor alone" in str(difference)


def test_a_difference_that_an_input_makes_alone_names_no_batch() -> None:
    difference = beside(lambda inputs, i: len(inputs[i].tokens) >= 3)
    assert (difference.tokens, difference.batch) == (("a", "a", "a"), ())


def test_a_long_batch_is_printed_in_part_and_kept_whole() -> None:
    batch = tuple(Case(tuple("abc"[i % 3] * (i % 6 + 1))) for i in range(40))
    difference = Difference("model", "o", batch[9], [1], [2], batch=batch, row=9)
    assert "and 32 more inputs" in str(difference)
    assert len(difference.to_json()["batch"]) == 40


# ----------------------------------------------------------------------------------------------- which inputs are tried


def test_an_input_that_is_not_meant_is_not_held_against_a_model_even_when_made_small(tmp_path: Path) -> None:
    """The smallest difference, too, is one of the inputs that the program promises something about."""
    text = """
    #@ vocab: "ab"
    #@ max_length: 6
    #@ requires: starts_with_b
    #@ output: o
    starts_with_b = tokens[0] == "b";
    o = selector_width(select(tokens, tokens, ==));
    """
    folder = saved(tmp_path, "\n".join(line.strip() for line in text.splitlines()))
    with_changed_weight(folder, "unembed.W_U", (0, 1), -1e6)  # the logit of 2
    (difference,) = small(folder).differences
    assert difference.tokens == ("b", "b")


def test_a_requirement_that_nothing_meets_is_no_success() -> None:
    text = '#@ vocab: "ab"\n#@ max_length: 3\n#@ requires: never\n#@ output: o\nnever = indices < 0;\no = indices;'
    with pytest.raises(rasp.RaspError, match="no input meets `requires`"):
        small(reference(text))


def test_a_requirement_that_no_input_tried_meets_is_no_success() -> None:
    """Whether there is one is not known."""
    text = """
    #@ vocab: "abcdefgh"
    #@ max_length: 40
    #@ requires: many
    #@ output: o
    many = selector_width(select(tokens, "a", ==)) == 35;
    o = indices;
    """
    report = small(reference("\n".join(line.strip() for line in text.splitlines())))
    assert report.inputs == 0
    assert not report.ok
    assert "no input was found that meets `requires`" in str(report)


def test_a_time_budget_gives_whole_lengths(tmp_path: Path) -> None:
    report = check(saved(tmp_path), samples=0, seconds=0.5)
    assert report.ok
    assert 1 <= report.complete <= 6
    assert report.short == sum(3**length for length in range(1, report.complete + 1))
    assert f"up to {report.complete} tokens" in report.details() or report.complete == 1


def test_without_time_only_the_shortest_inputs_are_all_tried() -> None:
    report = check(reference(), samples=5, seconds=0.0)
    assert (report.complete, report.short) == (1, 3)


def test_awkward_inputs_hold_the_extremes() -> None:
    vocabulary = tuple("abcd")
    inputs = list(awkward(vocabulary, 9, random.Random(0)))
    assert ("a",) * 9 in inputs and ("d",) * 9 in inputs
    assert any(sorted(tokens) == list(tokens) and len(set(tokens)) == 4 and len(tokens) == 9 for tokens in inputs)
    assert any(sorted(tokens)[::-1] == list(tokens) and len(set(tokens)) == 4 for tokens in inputs)
    assert any(sorted(map(tokens.count, set(tokens))) == [1, 8] for tokens in inputs)
    assert {len(tokens) for tokens in inputs} == {9, 8, 4}


def test_inputs_with_empty_rows_are_among_the_awkward_ones() -> None:
    """A row is empty where a token does not come again: in this pool, in one input only."""
    program = reference(
        '#@ vocab: "abc"\no = aggregate(select(tokens, tokens, ==) and select(indices, indices, <), 1);'
    )
    pool = [Case(tuple(text)) for text in ("aaa", "abc", "aab")]
    node = program.node("o")
    assert isinstance(node, SOp)
    assert list(by_rows([node], pool, Setting(("a", "b", "c"), 6, causal=False))) == [pool[1], pool[0]]


# ---------------------------------------------------------------------------------------------------- several processes


def test_two_processes_report_what_one_reports(tmp_path: Path) -> None:
    folder = saved(tmp_path, HISTOGRAM.replace("6", "24"))
    with_changed_weight(folder, "unembed.W_U", (0, 8), -1e7)
    reports = [check(folder, samples=900, max_exhaustive=100, jobs=jobs) for jobs in (1, 2)]
    assert len({str(report) for report in reports}) == 1
    assert reports[0].differences


def test_a_program_is_checked_in_two_processes() -> None:
    report = check(reference(), samples=600, jobs=2)
    assert report.ok
    assert str(report) == str(check(reference(), samples=600))
    assert report.exact > 0


SLOW_CHECK = """
import compiler, sys
from compiler.trust.compare import check
if __name__ == "__main__":
    check(sys.argv[1], samples=10**7, jobs=2, progress=lambda done, total: print(done, flush=True))
"""


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_an_interrupted_check(tmp_path: Path, how: signal.Signals) -> None:
    script = tmp_path / "script.py"
    script.write_text(SLOW_CHECK)
    folder = saved(tmp_path)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, script, folder], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment
    ) as process:
        assert process.stdout is not None
        for _ in range(3):
            process.stdout.readline()
        workers = children(process.pid)
        assert len(workers) >= 2
        process.send_signal(how)
        process.wait(30)
    for _ in range(200):
        if not any(map(alive, workers)):
            break
        time.sleep(0.1)
    assert not any(map(alive, workers))


def children(parent: int) -> list[int]:
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True, text=True, check=False)
    return [int(pid) for pid in found.stdout.split()]


def alive(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits to be noticed does not."""
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return bool(state.strip()) and not state.startswith("Z")


# ---------------------------------------------------------------------------------------------------------------- JSON


def test_the_report_as_json(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    good = json.loads(json.dumps(small(folder, seed=3).to_json()))
    assert good["ok"] is True and good["differences"] == [] and good["seed"] == 3
    assert good["inputs"]["short"] == good["inputs"]["random"] == 60
    with_changed_weight(folder, "unembed.W_U", (0, 5), 1e6)
    bad = json.loads(json.dumps(small(folder).to_json()))
    assert bad["ok"] is False
    (difference,) = bad["differences"]
    assert difference["tokens"] == ["a"] and difference["found"] == [6]
    assert difference["first_wrong"]["sop"] == "o"


AT_FIRST = 'select(tokens, "b", ==) and select(indices, 0, ==)'


def test_a_domain_that_lacks_a_value_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    program = reference(f'#@ vocab: "ab"\n#@ max_length: 4\nx = aggregate({AT_FIRST}, 5 if indices == 0 else 7);')
    monkeypatch.setattr("compiler.graph.domain.rows.Rows.never_empty", lambda rows, selector: True)
    report = small(program)
    assert report.differences[0].stage == "analysis"
    assert str(report.differences[0]).startswith("analysis is wrong: `")


@pytest.mark.parametrize(
    ("believed", "text"),
    [
        ("rows.Rows._is_position", "x = aggregate(select(indices, indices + 1, ==), indices, 9);"),
        ("rows.Rows.unique", 'x = aggregate(select(indices * 0, 0, ==), 1 if tokens == "a" else 0);'),
        (
            "rows.Rows._uniform_variable",
            "x = aggregate(select(indices + selector_width(select(tokens, tokens, <)), 1, ==), indices, 9);",
        ),
        ("values.Domain.averaged", 'x = aggregate(full_s, 1 if tokens == "a" else 0);'),
    ],
)
def test_a_wrong_belief_is_found_by_what_it_says(monkeypatch: pytest.MonkeyPatch, believed: str, text: str) -> None:
    belief: Any = (lambda *given: True) if "rows" in believed else property(lambda domain: ())
    monkeypatch.setattr(f"compiler.graph.domain.{believed}", belief)
    found = small(reference(f'#@ vocab: "ab"\n#@ max_length: 4\n{text}')).differences[0]
    assert found.stage == "analysis" and found.claim


def test_joint_values_that_cannot_occur_are_tried_too(monkeypatch: pytest.MonkeyPatch) -> None:
    text = '#@ vocab: "ab"\n#@ max_length: 4\n#@ requires: short\nshort = length < 3;\nx = length * 10 + indices;'
    assert small(reference(text)).ok
    monkeypatch.setattr("compiler.trust.compare.subject.Subject.meant", lambda subject, inputs: list(inputs))
    found = small(reference(text)).differences[0]
    assert found.stage == "analysis" and len(found.tokens) == 3
