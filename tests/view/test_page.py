"""Pages without a browser: what is in them, what cannot be in them, and that it is small and whole."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given

import compiler
import rasp
from compiler.model import ModelError
from compiler.observe.view import show
from compiler.observe.view.facts import example_of, facts
from compiler.observe.view.page import SCRIPTS, STYLES, TAPE_SCRIPTS, TAPE_STYLES, embedded, filled, page
from compiler.observe.view.sparse import packed, unpacked
from rasp import whole
from tests.places import PROGRAMS, ROOT
from tests.view.conftest import Model

ASSETS = ROOT / "compiler" / "observe" / "view" / "assets"
TEXTS = st.text(st.characters(codec="utf-8"))


class Elements(HTMLParser):
    """The elements of a page, the text of its scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.pieces: list[tuple[str, list[str]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self.pieces.append((tag, []))

    def handle_endtag(self, tag: str) -> None:
        self.pieces.append(("", []))

    def handle_data(self, data: str) -> None:
        if self.pieces:
            self.pieces[-1][1].append(data)

    def contents(self, tag: str) -> list[str]:
        """What stands in each script, or in each style sheet."""
        return ["".join(pieces) for kind, pieces in self.pieces if kind == tag]


@given(
    st.lists(st.sampled_from([0.0, 1.0, -256.0, 0.1, 1 / 3, 2.6489122129843472e10, 12582912.0, 5e-324]), max_size=40)
)
def test_a_packed_tensor_comes_back_bit_for_bit(numbers: list[float]) -> None:
    tensor = torch.tensor(numbers, dtype=torch.float64).reshape(1, -1)
    assert torch.equal(unpacked(json.loads(json.dumps(packed(tensor)))), tensor)


def test_weights_come_back_bit_for_bit(model_of: Model) -> None:
    for tensor in model_of("sort").state_dict().values():
        assert torch.equal(unpacked(json.loads(json.dumps(packed(tensor)))).to(tensor.dtype), tensor)


@given(st.recursive(TEXTS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner)))
def test_embedded_data_cannot_end_its_element_and_comes_back(data: Any) -> None:
    text = embedded(data)
    assert not set(text) & set("<>&\u2028\u2029")
    assert json.loads(text) == data


@given(TEXTS)
def test_no_text_adds_an_element_to_a_page(text: str) -> None:
    data = {"title": text, "anything": [text, {text: text}]}
    plain = [tag for tag, _ in Elements(filled({"title": "t"})).found]
    elements = Elements(filled(data))
    assert [tag for tag, _ in elements.found] == plain
    assert json.loads(elements.contents("script")[0]) == data


@pytest.mark.parametrize("name", ["reverse", "seq2seq/reverse"])
def test_a_page_may_fetch_nothing_and_run_only_its_own_script(name: str, model_of: Model) -> None:
    text = page(model_of(name), "abc")
    elements = Elements(text)
    [policy] = [attrs["content"] for _, attrs in elements.found if attrs.get("http-equiv") == "Content-Security-Policy"]
    assert policy is not None
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    for rule, content in (("script-src", elements.contents("script")[1]), ("style-src", elements.contents("style")[0])):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
    linked = [attrs.get(name) for _, attrs in elements.found for name in ("src", "href") if name in attrs]
    assert linked == ["data:,"]
    assert not any(name.startswith("on") for _, attrs in elements.found for name in attrs)
    assert set(re.findall(r"https?://[^\"'\s]+", text)) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function", text)


def test_every_script_and_every_style_sheet_is_a_part_of_the_page() -> None:
    found = {path.relative_to(ASSETS).as_posix() for path in ASSETS.rglob("*.*")}
    assert found == {*SCRIPTS, *STYLES, "page.html", *TAPE_SCRIPTS, *TAPE_STYLES, "tapes/page.html"}
    for parts in (SCRIPTS, STYLES, TAPE_SCRIPTS, TAPE_STYLES):
        assert len(set(parts)) == len(parts), "and each is in it once"


@pytest.mark.parametrize(
    "name", ["sort", "paper/dyck_2_ptf", "paper/dyck_3_ptf", "paper/long_addition", "seq2seq/addition"]
)
def test_a_page_is_small(name: str, model_of: Model) -> None:
    model = model_of(name)
    assert len(page(model, example_of(model)).encode()) < 1_000_000


def test_each_head_is_linked_to_the_selector_and_the_line_of_the_program(model_of: Model) -> None:
    language = facts(model_of("paper/dyck_2_ptf"), "({})")["language"]
    source = (PROGRAMS / "paper/dyck_2_ptf.rasp").read_text().splitlines()
    linked = [(head["text"], source[head["line"] - 1].split(" ")[0]) for layer in language["heads"] for head in layer]
    assert list(dict.fromkeys(linked)) == [
        ("select(indices, indices, <=)", "depth"),
        ("(select(level, level, ==) and so_far)", "number"),
        ("(select(level, level, ==) and select(number, (number - 1), ==))", "expected"),
        ("(so_far and select(mistake, True, ==))", "broken"),
    ]
    meanings = [head["meaning"] for layer in language["heads"] for head in layer]
    assert meanings[-1] == "any" and "any" not in meanings[:-1]


def test_a_head_that_compares_totals_is_linked_to_its_selector() -> None:
    text = """s = select(indices, indices, <=); t = round(aggregate(s, tokens_int) * selector_width(s));
    o = selector_width(select(t, t, ==));"""
    model = compiler.compile(rasp.parse(text), vocab=[0, 1, 2], output="o", max_length=4).model
    language = facts(model, [1, 2, 0])["language"]
    assert "total" in [kind for kind, *_ in language["nodes"]]
    assert "select(t, t, ==)" in [head["text"] for layer in language["heads"] for head in layer]


def test_a_selector_that_was_divided_is_linked_by_its_cases(model_of: Model) -> None:
    """Of each case, either one head looks at all its keys, or the heads that share them say so."""
    heads = facts(model_of("sort"), "cab")["language"]["heads"][0]
    assert list(dict.fromkeys(head["text"] for head in heads)) == [
        "select(tokens, tokens, <)",
        "(select(tokens, tokens, ==) and select(indices, indices, <))",
    ]
    for number, head in enumerate(heads):
        assert head["meaning"] == ("part" if head["sharing"] else "all")
        assert not head["sharing"] or number in head["sharing"]


def test_the_lines_of_names_are_those_of_their_last_binding() -> None:
    program = rasp.parse(
        'x = 1;\ndef f(a) { return a; }\nfor i in [1, 2] {\n  y = indices + i;\n}\nz = "y = 2;"; x = z;'
    )
    from compiler.observe.view.links import definitions

    assert definitions(program) == {"x": 6, "f": 2, "y": 4, "z": 6}


def test_a_page_knows_which_s_ops_are_bools() -> None:
    text = 'truth = tokens == "a"; o = truth if indices == 0 else indices; p = tokens_bool and truth;'
    model = compiler.compile(rasp.parse(text), output=["o", "p"], vocab="ab", max_length=3).model
    assert facts(model, "ab")["language"]["booleans"] == ["truth", "p"]


def test_an_example_of_the_header_is_shown_unasked(model_of: Model) -> None:
    assert "".join(example_of(model_of("sort"))) == "headache"
    nameless = compiler.compile(rasp.parse("a = tokens;"), output="a", vocab="xyz", max_length=2).model
    assert example_of(nameless) == ["x", "y"]


def test_an_input_outside_of_the_vocabulary_is_refused(model_of: Model) -> None:
    with pytest.raises(ModelError, match="not in the vocabulary"):
        page(model_of("sort"), "xyz")


def test_a_notebook_shows_the_page_in_a_sandbox(model_of: Model, tmp_path: Path) -> None:
    view = show(model_of("sort"), "cab")
    [(tag, attrs)] = Elements(view._repr_html_()).found
    assert tag == "iframe"
    assert attrs["sandbox"] == "allow-scripts"
    assert attrs["srcdoc"] == view.text
    assert view.save(tmp_path / "a.html").read_text(encoding="utf-8") == view.text
    assert "cab" not in repr(view).replace("c a b", "") and len(repr(view)) < 200


def test_a_compiled_program_shows_itself() -> None:
    compiled = compiler.compile(rasp.load(PROGRAMS / "reverse.rasp"), vocab="abc", max_length=4)
    assert '"input":["c","a","b"]' in compiled.show("cab").text
    assert compiled.show().title.startswith("reverse: a b c")


def test_a_page_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    whole.text(tmp_path / "page.html", "old")
    with pytest.raises(UnicodeEncodeError):
        whole.text(tmp_path / "page.html", "new \udcff")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    assert (tmp_path / "page.html").read_text() == "old"


# ------------------------------------------------------------------------------------------------------- legibility


def _palettes() -> list[dict[str, str]]:
    """The named colours of the style sheet, for light and for dark."""
    style = "".join(path.read_text() for path in sorted((ASSETS / "style").iterdir()))
    found = re.findall(r"--([\w-]+): light-dark\((#\w{6}), (#\w{6})\);", style)
    assert len(found) > 15 and len(dict.fromkeys(name for name, _, _ in found)) == len(found), "each is named once"
    assert 2 * len(found) == len(re.findall(r"#[0-9a-f]{6}\b", style)), "there are no others"
    return [{name: light for name, light, _ in found}, {name: dark for name, _, dark in found}]


def _luminance(colour: str, deficient: bool = False) -> float:
    """Relative luminance; `deficient`: as seen without the cones for long waves, by their usual approximation."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.113 * red + 0.813 * green + 0.074 * blue if deficient else 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(a: str, b: str, deficient: bool = False) -> float:
    light, dark = sorted((_luminance(a, deficient), _luminance(b, deficient)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("palette", _palettes(), ids=["light", "dark"])
def test_texts_stand_out_from_their_ground(palette: dict[str, str]) -> None:
    for ground in ("ground", "surface", "fresh-ground", "accent-ground"):
        for text in ("text", "quiet", "accent", "good", "bad"):
            assert _contrast(palette[text], palette[ground]) >= 4.5, (text, ground)
    assert _contrast(palette["fresh"], palette["fresh-ground"]) >= 4.5
    assert _contrast(palette["on"], palette["accent"]) >= 4.5


@pytest.mark.parametrize("palette", _palettes(), ids=["light", "dark"])
@pytest.mark.parametrize("deficient", [False, True])
def test_filled_cells_stand_out_from_empty_ones_for_every_eye(palette: dict[str, str], deficient: bool) -> None:
    for filled_cell in ("plus", "minus", "truth"):
        assert _contrast(palette[filled_cell], palette["empty"], deficient) >= 3, filled_cell
