"""The explorer of models with an encoder: the page decodes what the program does, and shows both streams."""

from __future__ import annotations

import random
from typing import Any

import pytest
import torch

import compiler
import rasp
from compiler.model import ModelError, Transformer
from compiler.observe.view import show
from compiler.observe.view.facts import example_of
from compiler.observe.view.nodes import table
from compiler.observe.view.page import TAPE_SCRIPTS, page
from compiler.observe.view.tapes import facts_of_tapes
from rasp import Program
from rasp.settings import token_text
from tests.nodes import two_tapes
from tests.places import PROGRAMS, ROOT
from tests.view.conftest import Model, Open

DECODED = ["seq2seq/sort", "seq2seq/addition", "seq2seq/question_answering", "seq2seq/bracket_repair"]
SOURCES = 12
TWO_LAYERS = """# More a: a for as long as the source has more of them than the target, then a copy of the source.
#@ output: next
#@ source: "ab"
#@ vocab: "ab."
#@ max_source: 6
#@ stop: "."
before = selector_width(select(tokens, "a", ==));
wanted = selector_width(select(source, "a", ==));
fetched = aggregate(select(indices, indices, ==), source, ".");
next = ("a" if before < wanted else fetched) if fetched != "." else ".";
"""
"""Own heads of the decoder, heads that cross, and neurons."""
COPIED = """#@ output: next
#@ source: "ab?"
#@ vocab: "ab?"
#@ max_source: 4
#@ max_length: 4
next = aggregate(select(indices, indices, ==), source, "b");
"""


def sources(program: Program, count: int) -> list[list[Any]]:
    """The examples and random sources on which the program promises an answer."""
    rng, settings = random.Random(0), program.settings
    found = [list(example.input) for example in settings.examples]
    for _ in range(2000):
        tokens = rng.choices(list(settings.source or ()), k=rng.randint(1, min(10, settings.longest_source)))
        if len(found) < count and program.is_meant(tokens):
            found.append(tokens)
    return found


def mixed() -> Transformer:
    return compiler.compile(rasp.parse(TWO_LAYERS)).model


# --------------------------------------------------------------------------------------------------------- the facts


def test_each_head_of_either_side_is_linked_to_its_selector_and_line(model_of: Model) -> None:
    data = facts_of_tapes(model_of("seq2seq/addition"), "58+67")
    text = (PROGRAMS / "seq2seq/addition.rasp").read_text().splitlines()
    found = {}
    for side in ("encoder", "decoder"):
        heads = [head for layer in data[side]["language"]["heads"] for head in layer]
        found[side] = [(text[head["line"] - 1].split(" ")[0], head["meaning"]) for head in heads]
    assert found["encoder"] == [("plus_at", "all"), ("above", "all"), ("carry", "all")]
    assert found["decoder"] == [("plus_at", "all"), ("next", "all")]
    assert data["decoder"]["language"]["heads"][1][0]["text"].startswith("select(source[indices], (plus_at@target")


def test_what_the_decoder_reads_of_the_source_are_numbers_of_the_encoders_table(model_of: Model) -> None:
    data = facts_of_tapes(model_of("seq2seq/sort"), "cab")
    encoder, decoder = data["encoder"]["language"], data["decoder"]["language"]
    read = {node[1] for node in decoder["nodes"] if node[0] == "encoded"}
    assert {encoder["names"]["place"], encoder["names"]["source"]} <= read
    assert all(number < len(encoder["nodes"]) for number in read)


def test_the_page_computes_every_kind_of_node_of_two_tapes() -> None:
    entries, _ = table(two_tapes(), ["a", "b"], dict.fromkeys(two_tapes_read(), 0))
    assert "encoded" in {kind for kind, *_ in entries}
    assets = ROOT / "compiler" / "observe" / "view" / "assets"
    assert "ENTRIES.encoded = " in "".join((assets / name).read_text() for name in TAPE_SCRIPTS)


def two_tapes_read() -> list[Any]:
    """What the decoder reads of the source."""
    return [node.node for node in two_tapes() if isinstance(node, rasp.meaning.sop.Encoded)]


def test_an_example_of_the_header_is_the_source_that_is_shown_unasked(model_of: Model) -> None:
    assert "".join(example_of(model_of("seq2seq/addition"))) == "999+001"
    assert '"input":["9","9","9","+","0","0","1"]' in show(model_of("seq2seq/addition")).text


def test_a_source_outside_of_the_vocabulary_is_refused(model_of: Model) -> None:
    with pytest.raises(ModelError, match="not in the vocabulary"):
        page(model_of("seq2seq/sort"), "xyz")


def test_a_source_with_a_token_that_is_not_known_is_read_as_unknown() -> None:
    model = compiler.compile(rasp.parse(COPIED + '#@ unknown: "?"')).model
    assert facts_of_tapes(model, "az")["encoder"]["config"]["unknown"] == "?"


# ------------------------------------------------------------------------------------------------------- in a browser


@pytest.mark.slow
@pytest.mark.parametrize("name", DECODED)
def test_the_page_decodes_what_the_program_does(name: str, model_of: Model, visit: Open) -> None:
    program = rasp.load(PROGRAMS / f"{name}.rasp")
    tab = visit(model_of(name), example_of(model_of(name))).tab
    for source in sources(program, SOURCES):
        found = tab.evaluate("source => explorer.decode(source)", [token_text(token) for token in source])
        assert found == program.decode(source), source
        assert "gives the same answer" in tab.inner_text("#verdict")


@pytest.mark.slow
def test_the_streams_in_the_page_are_torchs(model_of: Model, visit: Open) -> None:
    for model, source in ((model_of("seq2seq/addition"), "58+67"), (mixed(), "abba")):
        assert model.encoder is not None
        found = visit(model, source).tab.evaluate("source => explorer.streams(source)", list(source))
        ids = torch.tensor([model.encode_source(source)])
        target = torch.tensor([model.encode([model.config.start, *map(str, model.decode(source)[:-1])])])
        with torch.no_grad():
            encoder = torch.stack(list(model.encoder.sublayers(ids)))[:, 0]
            decoder = torch.stack(list(model.residuals(target, None, model.remember(ids))))[:, 0]
        for expected, streams in zip((encoder, decoder), found, strict=True):
            torch.testing.assert_close(torch.tensor(streams, dtype=expected.dtype), expected, rtol=1e-5, atol=1e-4)


@pytest.mark.slow
def test_the_target_grows_token_by_token(model_of: Model, visit: Open) -> None:
    watched = visit(model_of("seq2seq/sort"), "cab")
    tab = watched.tab
    assert tab.inner_text("#written") == "Target: abc."
    for so_far in ("abc", "ab", "a"):
        tab.click("text=← back")
        assert tab.inner_text("#written") == f"Target so far: {so_far}"
    assert tab.is_disabled("text=← back")
    tab.click("button[aria-label='next token']")
    assert watched.texts("#strip table >> nth=1 >> .token") == ["<start>", "a"]
    assert watched.answers() == ["a", "b"]
    tab.fill("#tokens", "hfe")
    assert tab.inner_text("#written") == "Target so far: e", "another source is read from the beginning"
    tab.click("text=all →")
    assert tab.inner_text("#written") == "Target: efh."
    assert tab.is_disabled("text=all →") and tab.is_disabled("button[aria-label='next token']")
    tab.fill("#tokens", "ab")
    assert tab.inner_text("#written") == "Target: ab.", "a whole target stays whole"


@pytest.mark.slow
def test_a_target_without_a_stop_ends_where_no_more_is_held(visit: Open) -> None:
    program = rasp.parse(COPIED)
    watched = visit(compiler.compile(program).model, "aa")
    assert watched.answers() == program.decode("aa") == list("aabb")
    assert watched.tab.is_disabled("text=all →")


@pytest.mark.slow
def test_a_head_that_crosses_is_a_grid_of_target_by_source_beside_its_selector(model_of: Model, visit: Open) -> None:
    watched = visit(model_of("seq2seq/sort"), "cab")
    tab = watched.tab
    assert tab.inner_text("#detail h3 .title") == "L0C0"
    names = tab.locator("#detail svg.weight >> nth=0 >> text.name title")
    assert names.all_text_contents() == ["<start>", *"abc", "bos", *"cab"]
    assert tab.locator("#detail svg.truth rect.plus").count() == 3
    assert "exactly where the selector is true" in tab.inner_text("#detail .good")
    tab.click("#strip table >> nth=1 >> .token >> nth=1")
    assert tab.inner_text("#detail .spoken") == "Position 1 of the target, a, looks at b at 2 of the source."
    [line] = watched.texts("#program li.marked")
    assert line.split("\n")[1].startswith("next = aggregate(")


@pytest.mark.slow
def test_what_cross_attention_reads_leads_to_the_encoder_and_back(model_of: Model, visit: Open) -> None:
    watched = visit(model_of("seq2seq/sort"), "cab")
    tab = watched.tab
    tab.click("#detail .chip.direction:text-is('place')")
    facts = dict(zip(watched.texts("#detail dt"), watched.texts("#detail dd"), strict=True))
    assert facts["written by"].split() == ["L0H0", "L0H1", "L0H2"]
    assert "L0C0" in facts["read by"].split()
    assert tab.locator("#step section.active.encoder").count() == 1
    tab.click("#detail .chip.head:text-is('L0C0')")
    assert tab.inner_text("#detail h3 .title") == "L0C0"
    assert tab.locator("#step section.active.decoder").count() == 1
    tab.click(".word:text-is('place')")
    rows = tab.locator("#detail table.values tbody tr").all()
    assert {tuple(row.locator("td").all_inner_texts()) for row in rows} == {tuple("201")}


@pytest.mark.slow
@pytest.mark.parametrize("name", [*DECODED, "mixed"])
def test_everything_of_both_sides_opens_and_agrees_with_the_program(name: str, model_of: Model, visit: Open) -> None:
    model = mixed() if name == "mixed" else model_of(name)
    tab = visit(model, "abba" if name == "mixed" else example_of(model)).tab
    opened = 0
    for side in ("encoder", "decoder"):
        for station in tab.locator(f"#rail .{side} .station").all():
            station.click()
            for card in tab.locator(f"#step .{side} .card").all():
                card.click()
                opened += 1
                assert tab.locator(f"#step .{side} .card[aria-pressed='true']").count() == 1
                assert tab.locator("#detail figure").count() >= 1
                assert tab.locator("#detail .bad").count() == 0
            assert tab.locator("#stream td.off").count() == 0
    assert opened >= 4


@pytest.mark.slow
def test_neurons_of_the_decoder_read_the_stream_behind_the_heads_that_cross(model_of: Model, visit: Open) -> None:
    """Which of these heads have written what neurons read, beside a constant that is not shown."""
    tab = visit(model_of("seq2seq/bracket_repair"), "())(").tab
    tab.click("#rail .decoder .station:has-text('L0 MLP')")
    tab.click("#step .decoder .card:has-text('read indices')")
    dots = [text for text in tab.locator("#detail svg.plot title").all_text_contents() if " at " in text]
    read = sorted(
        {int(text.split(" at ")[1].split(":")[0]): text.split(": ")[1].split(" ")[0] for text in dots}.items()
    )
    assert [number for _, number in read] == ["-1", "0", "1", "2", "3", "4", "5"], (
        "its index, less one bracket in front"
    )


@pytest.mark.slow
def test_editing_the_source_keeps_what_is_selected(model_of: Model, visit: Open) -> None:
    tab = visit(model_of("seq2seq/sort"), "cab").tab
    tab.fill("#tokens", "fade")
    assert tab.inner_text("#detail h3 .title") == "L0C0"
    tab.fill("#tokens", "x")
    assert "“x” is not in the vocabulary" in tab.inner_text("#problem")
    assert tab.inner_text("#written") == "Target: adef.", "the last good source stays"


@pytest.mark.slow
def test_the_arrow_keys_step_through_the_side_that_is_active(model_of: Model, visit: Open) -> None:
    watched = visit(model_of("seq2seq/addition"), "58+67")
    before = watched.texts("#step h2")
    watched.tab.keyboard.press("ArrowRight")
    after = watched.texts("#step h2")
    assert after[0] == before[0] and after[1].endswith("Layer 0, MLP")
    watched.tab.click("#rail .encoder .station >> nth=0")
    watched.tab.keyboard.press("ArrowRight")
    assert watched.texts("#step h2")[0].endswith("Layer 0, attention")
    assert watched.texts("#step h2")[1] == after[1]


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_both_streams_stand_side_by_side_or_fit_a_phone(scheme: str, model_of: Model, visit: Open) -> None:
    for width, beside in ((1400, True), (1000, True), (380, False)):
        tab = visit(model_of("seq2seq/addition"), "58+67", width=width, height=800, scheme=scheme).tab
        boxes = [section.bounding_box() for section in tab.locator("#stream section").all()]
        assert (boxes[0]["y"] == boxes[1]["y"]) == beside
        assert (boxes[0]["x"] < boxes[1]["x"]) == beside
        for station in tab.locator(".station").all():
            station.click()
            assert tab.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.slow
def test_a_model_whose_program_is_not_known_is_shown_without_it(visit: Open) -> None:
    model = mixed()
    model.labels["program"]["source"] = "this is no program"
    watched = visit(model, "abba")
    assert "cannot be read again" in watched.tab.inner_text("#verdict")
    assert watched.tab.inner_text("#written").startswith("Target: ")
    for station in watched.tab.locator(".station").all():
        station.click()
