"""A check of a program with a source: pairs of a source and a target so far, and whole decodes, at every stage."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import compiler
import rasp
from compiler.graph.witness import Case, meant
from compiler.model import Transformer
from compiler.pipeline import Compiled
from compiler.runtime import checkpoint
from compiler.trust.compare import Report, check
from compiler.trust.compare.decodes import Decode, decode_each
from compiler.trust.compare.generators import TwoTapes
from compiler.trust.compare.report import CIRCUITS, DECODE, GENERATE, REREAD, Difference, Endless
from compiler.trust.compare.shrinking import shortest, smallest
from compiler.trust.compare.stages import Rows, answering
from compiler.trust.compare.subject import Batch, Subject, of_compilation
from rasp import Program
from rasp.value import to_python
from tests.compiler.two_tapes import program as load
from tests.mutations import mutants
from tests.places import SEQ2SEQ

FIVE = ("addition", "copy", "reverse", "sort", "translate")
WRITING = (DECODE, GENERATE, REREAD)
STAGES = ["analysis", "graph", *CIRCUITS, "weights", "model", *WRITING]
SORT = """
#@ output: next
#@ source: "ab"
#@ vocab: "ab."
#@ max_source: 3
#@ stop: "."
before = select(source, source, <) or (select(source, source, ==) and select(indices, indices, <));
place = selector_width(before);
next = aggregate(select(place, indices, ==), source, ".");
"""
AGAIN = """
#@ output: next
#@ source: "ab"
#@ vocab: "ab."
#@ max_source: 4
#@ stop: "."
written = selector_width(select(tokens, tokens, ==));
next = aggregate(select(indices, written - 1, ==), source, ".");
"""
"""How often the last token was written decides on what is next: the decoder has a head of its own."""


def small(target: Program | Compiled | Path, **settings: Any) -> Report:
    return check(target, samples=60, max_exhaustive=60, **settings)


def only(report: Report) -> Difference:
    (difference,) = report.differences
    return difference


@pytest.mark.parametrize("name", FIVE)
def test_the_programs_agree_at_every_stage(name: str) -> None:
    report = small(load(name))
    assert report.ok and report.stages == STAGES
    assert (report.random, report.skipped, report.endless) == (60, 0, None)
    assert report.decoded > 20 and report.exact > 20
    assert "whole decodes: analysis, graph, circuits, weights, model, decode, generate, generate without a" in str(
        report
    )


def test_all_pairs_are_tried_where_they_are_few() -> None:
    report = check(rasp.parse(SORT), samples=0, seconds=60.0)
    assert report.short == (2 + 4 + 8) * (1 + 3 + 9 + 27)
    assert report.complete == 4
    assert "every source with every target of up to 4 tokens is among them" in report.details()


def saved(tmp_path: Path, text: str = SORT) -> Path:
    compiler.compile(rasp.parse(text)).save(tmp_path / "saved")
    return tmp_path / "saved"


def spoilt(folder: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> Report:
    """What is said of a checkpoint whose weights were edited, and which was signed again."""
    tensors, model = load_file(folder / checkpoint.WEIGHTS), checkpoint.load(folder)
    data = json.loads((folder / checkpoint.CONFIG).read_text())
    change(tensors)
    shape = {key: value for key, value in data.items() if key not in ("format", "version", "sha256")}
    checkpoint.save(folder, shape, tensors, model.labels)
    return small(folder)


def scaled(name: str, by: float) -> Callable[[dict[str, torch.Tensor]], None]:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors[name] *= by

    return change


def test_a_saved_model_passes(tmp_path: Path) -> None:
    report = small(saved(tmp_path))
    assert report.ok and report.stages == ["model", *WRITING]


def test_a_wrong_weight_of_the_encoder_is_found_and_named(tmp_path: Path) -> None:
    report = spoilt(saved(tmp_path), scaled("encoder.blocks.0.attn.W_O", 3.0))
    difference = only(report)
    assert difference.stage == "model"
    assert (difference.source, difference.tokens) == (("a", "a"), ("<start>", "a"))
    assert difference.place is not None and difference.place.sop == "place"
    assert difference.place.where == "after the encoder's L0 attention"
    assert difference.place.expected == [0, 1] != difference.place.found
    lines = str(report).splitlines()
    assert "  source       a a" in lines and "  target       <start> a" in lines


def test_a_wrong_weight_of_a_head_that_crosses_is_found_and_named(tmp_path: Path) -> None:
    difference = only(spoilt(saved(tmp_path), scaled("blocks.0.cross.W_O", -1.0)))
    assert difference.stage == "model"
    assert difference.source is not None and len(difference.source) == 1
    assert difference.tokens == ("<start>",)
    assert difference.place is not None and difference.place.sop == "next"


def test_a_wrong_weight_of_the_decoder_is_found_and_named(tmp_path: Path) -> None:
    difference = only(spoilt(saved(tmp_path, AGAIN), scaled("blocks.0.attn.W_O", 3.0)))
    assert difference.stage == "model"
    assert difference.source is not None and len(difference.source) <= 3 and len(difference.tokens) <= 3
    assert difference.place is not None and difference.place.sop == "written"
    assert difference.place.where == "after L0 attention"


def test_an_unembedding_that_hardly_matters_is_found_too(tmp_path: Path) -> None:
    """A full stop that never wins: every source tells, with nothing written but all of its tokens."""

    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors["unembed.W_U"][0, values.index(".")] -= 1e6

    folder = saved(tmp_path)
    values = checkpoint.load(folder).config.outputs[0].values
    difference = only(spoilt(folder, change))
    assert difference.expected[-1] == "." != difference.found[-1]
    assert (difference.source, len(difference.tokens)) == (("a",), 2)


def test_mutants_that_change_an_answer_are_noticed_and_no_others(tmp_path: Path) -> None:
    made = compiler.compile(rasp.parse(SORT))
    space = TwoTapes(made, made.setting.encoder)  # type: ignore[arg-type]
    pairs = [one for size in range(1, 5) for one in space.of_size(size)]
    right = answering(made.model)(pairs)
    told = set()
    for mutant in itertools.islice(mutants(made.model, seed=3), 30):
        changes = answering(mutant.model)(pairs) != right
        labels = json.loads(json.dumps(made.weights.labels))
        checkpoint.save(tmp_path / "model", made.weights.config, mutant.model.state_dict(), labels)
        assert check(tmp_path / "model", samples=100).ok is not changes, mutant.what
        told |= {mutant.what.split(".")[0]} if changes else set()
    assert {"encoder", "blocks"} <= told


# ------------------------------------------------------------------------------------------------- above the model


def test_a_wrong_graph_is_named_with_its_s_op() -> None:
    program = rasp.parse(SORT)
    made, wrong = compiler.compile(program), compiler.compile(rasp.parse(SORT.replace("indices, <)", "indices, <=)")))
    vars(made)["_graphs"] = wrong._graphs
    del made.__dict__["_built"], made.__dict__["weights"], made.__dict__["model"]
    difference = only(check(made, samples=10, max_exhaustive=60))
    assert (difference.stage, difference.source, difference.tokens) == ("graph", ("a",), ("<start>",))
    assert difference.place is not None
    assert (difference.place.sop, difference.place.expected, difference.place.found) == ("place", [0], [1])


@pytest.mark.parametrize("form", CIRCUITS)
def test_the_pass_that_makes_a_wrong_circuit_is_named_with_its_s_op(form: str) -> None:
    made, wrong = (
        compiler.compile(rasp.parse(SORT)),
        compiler.compile(rasp.parse(SORT.replace("indices, <)", "indices, <=)"))),
    )
    other = {one: replace(getattr(wrong, one), graph=made.graph) for one in CIRCUITS[CIRCUITS.index(form) :]}
    vars(made)["_built"] = replace(made._built, **other)
    difference = only(small(made))
    assert difference.stage == form
    assert difference.place is not None and difference.place.sop == "place"
    assert difference.place.where == "after the encoder's L0 attention"


ENCODED = 'x = aggregate(select(source, "b", ==) and select(indices, 0, ==), 5 if indices == 0 else 7);'
DECODED = 'x = aggregate(select(tokens, "b", ==) and select(indices, 1, ==), 5 if indices == 1 else 7);'
CROSSED = 'x = aggregate(select(source, "b", ==) and select(indices, 0, ==), source_length);'
HEADER = '#@ output: next\n#@ source: "ab"\n#@ vocab: "ab."\n#@ max_source: 3\n#@ stop: "."\n'
FETCHED = 'next = "b" if aggregate(select(indices, 0, ==), x) == 5 else ".";'
ASKED = 'next = "b" if x == 5 else ".";'


@pytest.mark.parametrize(
    "text",
    [f"{ENCODED}\n{FETCHED}", f"{DECODED}\n{ASKED}", f"{CROSSED}\n{ASKED}"],
    ids=["of the encoder", "of the decoder", "across"],
)
def test_a_wrong_claim_is_found_on_the_tapes_that_it_is_about(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    program = rasp.parse(HEADER + text)
    assert not small(program).differences
    monkeypatch.setattr("compiler.graph.domain.rows.Rows.never_empty", lambda rows, selector: True)
    difference = only(small(program))
    assert (difference.stage, bool(difference.claim)) == ("analysis", True)
    assert difference.source is not None and len(difference.source) == 1 and len(difference.tokens) == 1
    assert str(difference).startswith("analysis is wrong: `")


# ------------------------------------------------------------------------------------------- batches and whole decodes


def spoiling(spoils: Callable[[Sequence[Case], int], bool], stage: str = "model") -> Subject:
    """A subject of which one stage answers right, apart from rows of a batch that are spoilt."""
    made = compiler.compile(rasp.parse(SORT))
    right = of_compilation(made).stages

    def run(inputs: Sequence[Case]) -> dict[str, Rows]:
        answers = right[stage](inputs)["next"]
        return {"next": [["b"] if spoils(inputs, i) else row for i, row in enumerate(answers)]}

    return Subject(made, {**right, stage: run}, lambda: made.model)


START = ("<start>",)
BATCH = [
    Case((*START, *target), tuple(source)) for source, target in (("a", "aa"), ("bab", ""), ("ba", "a"), ("b", "."))
]


def test_a_difference_beside_a_longer_source_only_is_reported_with_it() -> None:
    """As where padding of the source reaches a row: alone, every pair is right."""
    subject = spoiling(
        lambda inputs, i: inputs[i].source == ("b",) and any(len(one.source or ()) == 3 for one in inputs)
    )
    wrong = subject.compare(Batch(BATCH, ("model",))).wrong
    assert wrong is not None and wrong.case == BATCH[3]
    difference = smallest(subject, wrong)
    assert (difference.batch, difference.row, difference.again) == ((BATCH[1], BATCH[3]), 1, True)
    assert "only as row 1 of 2 inputs together; alone it is right" in str(difference)
    assert "  row 0        b a b -> <start>" in str(difference)
    data = json.loads(json.dumps(difference.to_json()))
    assert data["source"] == ["b"] and data["tokens"] == ["<start>", "."]
    assert data["batch"][0] == {"source": ["b", "a", "b"], "tokens": ["<start>"]}


def test_padded_batches_of_both_tapes_are_right_whatever_is_beside() -> None:
    made = compiler.compile(load("reverse"))
    rng = random.Random(0)
    pairs = list(itertools.islice(TwoTapes(made, made.setting.encoder).random(rng), 120))  # type: ignore[arg-type]
    assert len({(len(one.tokens), len(one.source or ())) for one in pairs}) > 40
    together = answering(made.model)(pairs)["next"]
    assert together == [answering(made.model)([one])["next"][0] for one in pairs]
    assert together == [made.program.answers(one.source or (), one.tokens[1:])["next"] for one in pairs]


@pytest.mark.parametrize("stage", WRITING)
def test_a_decode_that_is_wrong_where_every_answer_is_right_is_found(stage: str) -> None:
    """As a wrong cache would make it."""
    subject = spoiling(lambda inputs, i: "b" in (inputs[i].source or ()), stage)
    wrong = subject.compare(Batch([Case(START, tuple("aab")), Case(START, tuple("bba"))], (stage,))).wrong
    assert wrong is not None
    difference = smallest(subject, wrong)
    assert (difference.stage, difference.source, difference.tokens) == (stage, ("b",), START)
    assert (difference.expected, difference.found, difference.place) == (["b", "."], ["b"], None)
    assert "target" not in str(difference)


def test_a_wrong_cache_is_found_by_the_decodes(monkeypatch: pytest.MonkeyPatch) -> None:
    made = compiler.compile(rasp.parse(SORT))
    written = Transformer.decode_batch
    monkeypatch.setattr(
        Transformer, "decode_batch", lambda model, *given: [row[::-1] for row in written(model, *given)]
    )
    difference = only(small(made))
    assert (difference.stage, difference.source) == (DECODE, ("a",))
    assert (difference.expected, difference.found) == (["a", "."], [".", "a"])


def test_a_model_that_cannot_write_on_is_a_difference(tmp_path: Path) -> None:
    """Where what is best is no token, the model says so, and the check says on which source."""
    program = rasp.parse(
        f'{HEADER}next = aggregate(select(indices, indices, ==), {{"a": "b", "b": "a"}}[source], ".");'
    )
    made = compiler.compile(program)
    subject = spoiling(lambda inputs, i: False)
    made.model._ids.pop("b")
    found = of_compilation(made).compare(Batch([Case(START, ("a",))], (DECODE,))).wrong
    assert found is not None and subject.stages
    assert found.found == ['error: the next token, "b" at position 1, is not in the vocabulary']


@pytest.mark.parametrize("path", SEQ2SEQ, ids=lambda path: path.stem)
def test_what_is_decoded_together_is_what_the_program_decodes(path: Path) -> None:
    program, rng = rasp.load(path), random.Random(path.stem)
    settings = program.settings
    drawn = [tuple(rng.choices(settings.source or (), k=rng.randint(1, 9))) for _ in range(6)]
    sources = [one for one in (*(example.input for example in settings.examples), *drawn) if program.is_meant(one)]
    for source, found in zip(sources, decode_each(program, Compiled(program).setting, sources), strict=True):
        if isinstance(found, Decode):
            assert [to_python(value) for value in found.values] == program.decode(source)
        else:
            with pytest.raises(rasp.RaspError):
                program.decode(source)
    assert sources


BACK = """
#@ output: next
#@ source: "ab"
#@ vocab: "abc."
#@ max_source: 6
#@ stop: "."
previous = aggregate(select(indices, indices - 1, ==), tokens, "");
following = {"<start>": "a", "<start>a": "b", "ab": "c", "bc": "a", "ca": "b"}[previous + tokens];
next = "." if indices == source_length else following;
"""


def test_what_depends_on_every_token_written_is_decoded_all_the_same() -> None:
    """Guesses are wrong there, and have no answer, which says nothing about the target."""
    program = rasp.parse(BACK)
    with pytest.raises(rasp.RaspError):
        program.answers("ab", "aa")
    sources = [tuple("ab"), tuple("abab"), tuple("aaaaaa")]
    for source, found in zip(sources, decode_each(program, Compiled(program).setting, sources), strict=True):
        assert isinstance(found, Decode) and found.ends
        assert found.values == program.decode(source) == [*"abcabcabc"[: len(source)], "."]


ENDLESS = f'{HEADER}next = aggregate(select(indices, indices, ==), source, ".") if source[0] == "a" else "a";'


def test_a_decode_without_an_end_is_found_and_made_small() -> None:
    report = small(rasp.parse(ENDLESS))
    assert not report.ok and not report.differences
    assert report.endless == Endless(("b",), ["a"] * 4)
    assert report.unended == 7 and report.decoded == 14
    assert "a decode has no end: 4 tokens, none of them of `stop`\n  source       b" in str(report)
    assert report.to_json()["endless"] == {"source": ["b"], "written": ["a"] * 4}


def test_a_decode_without_an_end_may_be_allowed() -> None:
    report = small(rasp.parse(ENDLESS), allow_endless=True)
    assert report.ok and report.endless is None
    assert "7 decodes met no token of `stop`" in report.details()
    assert small(rasp.parse(ENDLESS.replace('#@ stop: "."\n', ""))).unended == 0


def test_a_long_source_without_an_end_is_made_short() -> None:
    subject = of_compilation(compiler.compile(rasp.parse(ENDLESS)))
    assert shortest(subject, Case(START, ("b", "a", "b"))) == Endless(("b",), ["a"] * 4)


# ----------------------------------------------------------------------------------------------- which inputs are tried


def test_the_requirements_of_each_tape_are_kept() -> None:
    program = rasp.parse(
        '#@ output: next\n#@ source: "ab"\n#@ vocab: "ab."\n#@ max_source: 3\n#@ stop: "."\n'
        '#@ requires: ["begins", "plain", "few"]\n'
        'begins = source[0] == "a";\nplain = not (tokens == "b");\nfew = source_length < 4;\n'
        'next = aggregate(select(indices, indices, ==), "a" if source == "b" else source, ".");\n'
    )
    made = Compiled(program)
    pairs = [one for size in range(1, 5) for one in TwoTapes(made, made.setting.encoder).of_size(size)]  # type: ignore[arg-type]
    kept = meant(program, pairs, made.setting)
    assert kept == [one for one in pairs if program.is_meant(one.source or (), one.tokens[1:])]
    assert 0 < len(kept) < len(pairs) // 4
    report = small(program)
    assert report.ok and report.decoded > 0


def test_a_target_is_right_so_far_or_nearly_or_random() -> None:
    made = Compiled(load("sort"))
    pairs = list(itertools.islice(TwoTapes(made, made.setting.encoder).random(random.Random(0)), 600))  # type: ignore[arg-type]
    assert pairs == list(itertools.islice(TwoTapes(made, made.setting.encoder).random(random.Random(0)), 600))  # type: ignore[arg-type]
    full = sum(len(one.source or ()) == 16 for one in pairs)
    assert 300 <= full <= 400
    right = [list(one.tokens[1:]) == made.program.decode(one.source or ())[: len(one.tokens) - 1] for one in pairs]
    assert 200 <= sum(right) <= 330
    assert all(one.tokens[0] == "<start>" and len(one.tokens) <= 17 for one in pairs)


def test_where_something_is_required_most_random_sources_are_like_the_examples() -> None:
    report = check(load("addition"), samples=300, max_exhaustive=10)
    assert (report.random, report.ok) == (300, True)


def test_what_is_smaller_is_meant_for_the_setting_and_comes_to_an_end() -> None:
    made = Compiled(load("reverse"))
    space = TwoTapes(made, made.setting.encoder)  # type: ignore[arg-type]
    one = Case((*START, "c", "b"), ("a", "b", "c"))
    steps = 0
    while (following := next(space.smaller(one), None)) is not None:
        one, steps = following, steps + 1
    assert one == Case(START, ("a",)) and steps < 20


def test_two_processes_report_what_one_reports(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    reports = [check(folder, samples=300, max_exhaustive=100, jobs=jobs) for jobs in (1, 2)]
    assert len({str(report) for report in reports}) == 1 and reports[0].ok
    one, two = (check(rasp.parse(ENDLESS), samples=20, max_exhaustive=60, jobs=jobs) for jobs in (1, 2))
    assert str(one) == str(two) and one.endless is not None


def test_the_fast_path_is_three_more_stages(tmp_path: Path) -> None:
    for target in (rasp.parse(SORT), saved(tmp_path)):
        report = check(target, samples=50, max_exhaustive=100, fast=True)
        assert report.ok and report.stages[-3:] == ["fast", "fast decode", "fast generate"]


def test_where_there_is_no_fast_path_it_is_said_why() -> None:
    with pytest.raises(rasp.RaspError, match="no fast path to check: exact counts need float32 or float64"):
        check(Compiled(rasp.parse(SORT), dtype="float16"), fast=True)


def test_the_report_as_json() -> None:
    data = json.loads(json.dumps(small(rasp.parse(SORT)).to_json()))
    assert data["ok"] is True and data["stages"] == STAGES
    assert data["inputs"]["decoded"] == 14 and data["endless"] is None and data["unended"] == 0
