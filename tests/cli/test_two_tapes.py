"""A program with a source at the command line: it and its checkpoint are run, listed, linted, explained."""

import io
import json
import shlex
import xml.etree.ElementTree as ElementTree

import pytest

import compiler
import rasp as language
from tests.places import PROGRAMS, ROOT

SORT = str(PROGRAMS / "seq2seq" / "sort.rasp")
LISTING = """\
source          source         = source_str
%1              source->source = select(source, source, <)
%2              source->source = select(source, source, ==)
indices@source  source         = indices
%4              source->source = select(indices@source, indices@source, <)
%5              source->source = (%2 and %4)
before          source->source = (%1 or %5)
place           source         = selector_width(before)
indices@target  target         = indices
%9              source->target = select(place, indices@target, ==)
next            target         = aggregate(%9, source, ".")
"""
FLOW = """\
source  b a
target  <start> a b
layer 1
  head  before
            b a
        b | . 1
        a | . .
        place = [1, 0] (ints)
layer 2
  head  select(place, indices@target, ==)
                        b       a
        <start> |       .       1
              a |       1       .
              b |       .       .
        next = [a, b, .] (strings)
"""


def test_sources_are_decoded(rasp) -> None:
    assert rasp("run", SORT, "cab", "hah").out == "[a, b, c, .] (strings)\n[a, h, h, .] (strings)\n"
    assert rasp("generate", SORT, "cab").out == "abc.\n"


def test_both_tapes_are_told_as_json(rasp) -> None:
    [line] = rasp("run", SORT, "--list", '["b", "a"]', "--json").out.splitlines()
    assert json.loads(line) == {"source": ["b", "a"], "target": ["a", "b", "."]}


def test_sources_are_read_from_standard_input(rasp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("ba\ncab\n"))
    assert rasp("run", SORT, "h", "-").out == "[h, .] (strings)\n[a, b, .] (strings)\n[a, b, c, .] (strings)\n"
    monkeypatch.setattr("sys.stdin", io.StringIO("ba\n"))
    assert rasp("run", str(PROGRAMS / "sort.rasp"), "-").out == "[a, b] (strings)\n"


def test_a_target_so_far_has_an_answer_at_every_position(rasp) -> None:
    assert rasp("run", SORT, "cab", "--target", "ab").out == "[a, b, c] (strings)\n"
    [line] = rasp("run", SORT, "cab", "--target", "", "--json").out.splitlines()
    assert json.loads(line) == {"source": ["c", "a", "b"], "target": [], "output": "next", "values": ["a"]}
    done = rasp("run", str(PROGRAMS / "sort.rasp"), "cab", "--target", "ab")
    assert (done.code, done.err.splitlines()[0]) == (
        2,
        "error[usage]: --target is for a program with a source, and this one has none",
    )


def test_a_wrong_token_is_named_with_its_tape_and_input(rasp) -> None:
    done = rasp("run", SORT, "ab", "abx")
    assert done.code == 2
    assert "`x` at position 2 is no token of the source" in done.err
    assert "in input 2 of 2" in done.err


def test_the_s_ops_are_listed_with_their_tapes(rasp) -> None:
    done = rasp("compile", SORT, "--emit", "sop")
    assert (done.code, done.out, done.err) == (0, LISTING, "")


def test_the_page_shows_what_is_printed(rasp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    [shown] = [block for block in (ROOT / "docs" / "tapes.md").read_text("utf-8").split("```") if "$ rasp" in block]
    for call in shown.split("$ rasp ")[1:]:
        words, _, printed = call.partition("\n")
        assert rasp(*shlex.split(words)).out == printed


def test_a_note_is_no_finding(rasp) -> None:
    done = rasp("lint", str(PROGRAMS / "seq2seq" / "copy.rasp"))
    assert done.code == 0
    assert done.out.startswith(
        "note[both-tapes]: in `select(indices, indices, ==)` the keys are positions of the source"
    )


def test_it_is_compiled_and_decodes_from_its_checkpoint(rasp, tmp_path) -> None:
    folder = tmp_path / "sort"
    assert rasp("compile", SORT, "-o", str(folder)).code == 0
    assert rasp("generate", str(folder), "cab").out == "abc.\n"
    for form in ("graph", "lowered", "circuit", "certificate", "weights"):
        shown = rasp("compile", SORT, "--emit", form)
        assert shown.code == 0 and shown.out.strip()


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The compiled program, saved."""
    folder = tmp_path_factory.mktemp("saved") / "sort"
    compiler.compile(language.load(SORT)).save(folder)
    return str(folder)


@pytest.mark.parametrize(
    "words",
    [
        ["cab", "hah"],
        ["--list", '["b", "a"]', "--json"],
        ["cab", "--output", "next"],
        ["cab", "--target", "ab"],
        ["cab", "ha", "--target", "", "--json"],
    ],
)
def test_a_checkpoint_prints_what_its_program_prints(rasp, checkpoint: str, words: list[str]) -> None:
    done = rasp("run", SORT, *words)
    assert done.code == 0 and done.out
    assert rasp("run", checkpoint, *words) == done
    assert rasp("run", SORT, *words, "--fast") == rasp("run", checkpoint, *words, "--fast") == done


def test_a_checkpoint_reads_sources_from_standard_input(rasp, checkpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("ba\ncab\n"))
    assert rasp("run", checkpoint, "h", "-").out == "[h, .] (strings)\n[a, b, .] (strings)\n[a, b, c, .] (strings)\n"


def test_a_checkpoint_names_the_input_with_a_wrong_token(rasp, checkpoint: str) -> None:
    done = rasp("run", checkpoint, "ab", "abx")
    assert (done.code, done.out) == (2, "")
    assert 'token "x" at position 2' in done.err and "in input 2 of 2" in done.err


@pytest.mark.parametrize("words", [["cab"], ["cab", "--max-tokens", "2"], ["cab", "--json"]])
def test_a_checkpoint_generates_what_its_program_generates(rasp, checkpoint: str, words: list[str]) -> None:
    done = rasp("generate", SORT, *words)
    assert done.code == 0 and rasp("generate", checkpoint, *words) == done
    assert rasp("generate", SORT, *words, "--fast") == rasp("generate", checkpoint, *words, "--fast") == done


def test_tokens_are_drawn_again_with_the_same_seed(rasp, checkpoint: str) -> None:
    first, second = (rasp("generate", checkpoint, "cab", "--temperature", "200", "--seed", "3").out for _ in range(2))
    assert first == second != "abc.\n"


def test_a_trace_is_two_tables(rasp, checkpoint: str) -> None:
    done = rasp("run", checkpoint, "ba", "--trace")
    assert done.out.splitlines()[0] == "encoder, at the source"
    assert done.out.rstrip().endswith("a b .              | a b .")
    assert rasp("run", SORT, "ba", "--trace", "--target", "ab") == done
    assert rasp("run", SORT, "ba", "--trace", "--target", "").out.count("indices@target | 0 ") == 1


def test_both_stacks_are_explained(rasp, checkpoint: str) -> None:
    assert rasp("info", checkpoint).out.splitlines()[0].startswith("encoder 1 layer, 3 heads, 64 neurons")
    lines = rasp("info", checkpoint, "--provenance").out.splitlines()
    assert [line for line in lines if " | " not in line] == ["encoder, at the source", "", "decoder, at the target"]
    assert [line.split(" | ")[0].strip() for line in lines if " | " in line] == [
        *("variable", "source", "place", "indices@source"),
        *("variable", "indices@target", "next"),
    ]
    assert "encoder.L0H0 encoder.L0H1 encoder.L0H2" in "\n".join(lines)


def test_the_plan_has_a_line_for_each_stack(rasp) -> None:
    lines = rasp("compile", SORT, "--plan").out.splitlines()
    assert [line.split()[:2] for line in lines[3:5]] == [["depth", "encoder"], ["decoder", "1"]]


def test_interventions_swap_variables_of_both_streams(rasp, checkpoint: str) -> None:
    done = rasp("check", checkpoint, "--interventions")
    assert done.code == 0
    assert "encoder embedding - encoder L0 MLP" in done.out
    assert "decoder L0 cross-attention - decoder L0 MLP" in done.out


def test_a_checkpoint_is_verified_over_sources_and_targets(rasp, checkpoint: str) -> None:
    done = rasp("verify", checkpoint)
    assert done.code == 0
    first, about = done.out.splitlines()[:2]
    assert first.startswith("verified: ")
    assert about.startswith("for next on sources of 1 to ") and about.endswith(", <start> in front")


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ("dataset seq2seq/sort -o bed", "a data set"),
    ],
)
def test_what_knows_one_tape_refuses_it(
    rasp, checkpoint: str, tmp_path, monkeypatch: pytest.MonkeyPatch, words: str, what: str
) -> None:
    monkeypatch.chdir(tmp_path)
    done = rasp(*words.replace("CHECKPOINT", checkpoint).split())
    assert (done.code, done.out) == (2, "")
    assert (
        done.err.splitlines()[0] == f"error[model]: {what} knows one tape so far, and this reads a source and a target"
    )
    assert not [*tmp_path.iterdir()]


def test_its_flow_is_printed_with_a_grid_of_target_by_source(rasp, tmp_path) -> None:
    assert rasp("draw", SORT, "ba").out == FLOW
    file = tmp_path / "flow.svg"
    assert rasp("draw", SORT, "ba", "-o", str(file)) == (0, f"wrote {file}\n", "")
    drawn = ElementTree.parse(file).getroot()
    assert {"source", "target", "<start>", "select(place, indices@target, ==)"} <= {text.text for text in drawn.iter()}
