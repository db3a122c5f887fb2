"""Interventions in an encoder and a decoder: what the file lists of both streams is what the model computes with."""

from __future__ import annotations

import copy

import pytest
import torch

import compiler
import rasp
from compiler.model import ModelError
from compiler.observe.provenance import provenance
from compiler.pipeline import Compiled
from compiler.trust.interventions import Study
from compiler.trust.interventions.sops import SOps
from compiler.trust.interventions.trials import reported
from rasp.meaning.interpreter import evaluate_each
from rasp.meaning.sop import SOp
from tests.compiler.two_tapes import SEVERAL, cases, compiled

several = pytest.mark.parametrize("name", SEVERAL)


@several
def test_the_s_ops_of_both_graphs_are_those_of_the_program(name: str) -> None:
    """As one world they answer as the program does, and every node is known to one of the graphs."""
    made = compiled(name)
    sops = SOps(made.graph)
    for source, target in cases(made, 3):
        read, written = made.program.settings.read_source(source), made.program.settings.read_target(target)
        [found] = evaluate_each([*sops.outputs.values()], [written], True, [read])
        assert dict(zip(sops.outputs, found, strict=True)) == made.graph.run(written, read)
    for node in sops.nodes:
        if isinstance(node, SOp):
            assert all(variable in sops.nodes or sops.is_place(variable) for variable in sops.variables(node))


@several
def test_every_swap_with_a_meaning_is_answered_as_by_the_program(name: str) -> None:
    report = reported(Study(compiled(name)), wanted=15)
    assert report.ok, str(report)
    streams = {row.after.split()[0] for row in report.rows if row.changed}
    assert streams == {"encoder", "decoder"}, str(report)


WRITTEN = """
#@ output: next
#@ source: "abcd"
#@ vocab: "qrsxzw."
#@ max_source: 6
#@ stop: "."
follows = shift(source == "a", -1, False);
number = {"a": 0, "b": 1, "c": 2, "d": 3}[source];
word = ["x", "", "z", "w"][number] if follows else ["", "q", "r", "s"][number];
written = select(word, "", !=);
place = selector_width(written and select(indices, indices, <));
next = aggregate(written and select(place, indices, ==), word, ".");
"""


def test_it_is_true_where_inputs_of_a_head_see_an_s_op_in_two_ways() -> None:
    """`word` is a column to the keys, and to the values a sum of what it is computed from."""
    report = reported(Study(compiler.compile(rasp.parse(WRITTEN))), wanted=20)
    assert report.ok and report.total("changed") >= 40, str(report)
    [word] = [row for row in report.rows if row.name == "word"]
    assert not word.meant and word.exhausted.endswith("word would be two things at once")


SIGNS = """
#@ output: next
#@ source: "et"
#@ vocab: ".- |"
#@ max_source: 3
#@ stop: "|"
code = {"e": ".", "t": "-"};
end = aggregate(select(indices, indices, <=), 2) * (indices + 1) - 1;
here = select(end - 2, indices, <=) and select(end, indices, >);
place = indices - aggregate(here, end - 2, 0);
next = "|";
for k in range(2) {
    sign = {letter: (" " + code[letter])[k] for letter in code}[source];
    next = aggregate(here, sign, "|") if place == k else next;
}
"""


def test_a_variable_of_one_value_needs_no_column() -> None:
    """The first sign of every letter is a blank."""
    report = reported(Study(compiler.compile(rasp.parse(SIGNS))), wanted=3)
    assert report.ok and report.total("changed"), str(report)
    assert [row.columns for row in report.rows if row.name == "sign.1"] == [0]


def test_a_swap_in_the_encoder_is_seen_by_the_decoder() -> None:
    swap = compiler.intervene.swap(compiled("sort"), "place", ("cab", "ab"), ("abc", "ab"))
    assert swap.outputs == swap.expected == {"next": ["c", "a", "b"]}
    assert swap.before == {"next": ["a", "b", "c"]}
    assert str(swap).splitlines()[:3] == [
        "place, after encoder L0 attention, at every position",
        "  base         c a b -> <start> a b",
        "  source       a b c -> <start> a b",
    ]
    assert swap.to_json()["base"] == {"source": ["c", "a", "b"], "target": ["<start>", "a", "b"]}


def test_a_swap_in_the_decoder_takes_from_another_source() -> None:
    """The head fetches where the other source ends, which may be behind the end of its own."""
    made = compiled("reverse")
    swap = compiler.intervene.swap(made, "source_length", ("abcd", "d"), ("ab", "b"), step=2)
    assert swap.outputs == swap.expected == {"next": ["b", "a"]} and swap.step == 2
    longer = compiler.intervene.swap(made, "source_length", ("ab", ""), ("abcdef", ""), position=0)
    assert longer.outputs == longer.expected == {"next": ["."]} and longer.changes


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("source", "cab", "abc"), "the program reads a source and a target"),
        (("source", ("cab", ""), ("ab", "")), "the two inputs have different lengths"),
        (("next", ("cab", "a"), ("abc", "")), "the two inputs have different lengths"),
        (("next", ("cab", "a"), ("abc", "a"), 2), "there is no position 2"),
        (("next", ("cab", "a"), ("abc", "a"), 0, 0), "next is not in the stream after step 0"),
        (("place", ("cab", "a"), ("abc", "a"), 0, 3), "place is not in the stream after step 3"),
    ],
)
def test_a_swap_that_cannot_be_is_refused(words: tuple[object, ...], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        compiler.intervene.swap(compiled("sort"), *words)  # type: ignore[arg-type]


@pytest.mark.parametrize("stream", ["encoder", "decoder"])
def test_a_column_that_is_dropped_is_noticed(stream: str) -> None:
    made = compiled("sort")
    whole = provenance(made.model)
    part = whole["encoder"] if stream == "encoder" else whole
    for variable, one in enumerate(part["variables"]):
        for number in range(len(one["columns"])):
            document = copy.deepcopy(whole)
            mine = document["encoder"] if stream == "encoder" else document
            changed = mine["variables"][variable]
            entry = changed["columns"].pop(number)
            changed["read"] = [term for term in changed["read"] if term["column"] != entry["column"]]
            [tenant] = [
                two for two in mine["directions"] if (two["column"], two["step"]) == (entry["column"], entry["step"])
            ]
            tenant.update(variables=[], of=[])
            report = reported(Study(made, document=document), wanted=30)
            assert not report.ok, (one["name"], entry["column"])


def test_a_document_that_contradicts_itself_is_told_with_its_stream() -> None:
    made = compiled("sort")
    document = provenance(made.model)
    document["encoder"]["variables"][1]["columns"].pop()
    problems = reported(Study(made, document=document), [], 1).problems
    assert any(problem.startswith("place does not list encoder column 17") for problem in problems), problems


def test_a_model_that_computes_with_something_else_is_noticed() -> None:
    made = Compiled(compiled("copy").program)
    document = provenance(made.model)
    with torch.no_grad():  # the head that crosses takes half of what it copies from a column that stands in no file
        cross, embed = made.model.blocks[0].cross, made.model.encoder.embed  # type: ignore[union-attr]
        column = document["encoder"]["variables"][1]["columns"][0]["column"]
        embed.W_E[:, 1] = embed.W_E[:, column]
        cross.W_V[:, 1] += cross.W_V[:, column] / 2
        cross.W_V[:, column] /= 2
    report = reported(Study(made, made.model, document), ["source"], 20)
    assert report.total("wrong"), str(report)


def test_a_checkpoint_is_put_to_the_test_with_its_own_file(tmp_path: object) -> None:
    compiled("copy").save(f"{tmp_path}/copy")
    report = compiler.intervene(f"{tmp_path}/copy", wanted=10)
    assert report.ok and report.total("changed") >= 20
