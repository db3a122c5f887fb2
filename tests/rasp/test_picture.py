"""Pictures: well-formed SVG that says what the interpreter says, whatever the texts are."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import hypothesis.strategies as st
from hypothesis import given

import rasp
from rasp.ask import picture

SVG = "{http://www.w3.org/2000/svg}"
TEXTS = st.text(st.characters(codec=None), max_size=20)
PROGRAM = """
#@ vocab: "abcd"
#@ example: "ab" -> "ba"
#@ example: "abcab" -> "bacba"
opposite = select(indices, length - indices - 1, ==);
reverse = aggregate(opposite, tokens);
third = 1 / (indices + 1);
def f(x) { return x; }
never = 1 / (indices - 1);
"""


def texts(svg: str) -> list[str]:
    """The texts of a picture, in the order in which they are drawn."""
    return ["".join(node.itertext()) for node in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def cells(svg: str, n: int, high: int | None = None) -> set[tuple[int, int]]:
    """Which cells of a selector with letters, n wide and as high unless said, are on, from the rectangles alone."""
    root = ElementTree.fromstring(svg)
    found = set()
    for group in root.iter(f"{SVG}g"):
        boxes = [
            {key: float(value) for key, value in box.items() if key in ("x", "y", "width", "height")}
            for box in group.findall(f"{SVG}rect")
        ]
        if boxes and boxes[0]["width"] and group.find(f"{SVG}path") is not None and group.find(f"{SVG}text") is None:
            width, height = boxes[0]["width"] / n, boxes[0]["height"] / (high or n)
            for box in boxes[1:]:
                start, count = round(box["x"] / width), round(box["width"] / width)
                found |= {(round(box["y"] / height), start + at) for at in range(count)}
    return found


@given(TEXTS, st.lists(TEXTS, min_size=1, max_size=4))
def test_any_text_gives_a_well_formed_picture(name: str, tokens: list[str]) -> None:
    rows = [[query == key for key in tokens] for query in tokens]
    box = picture.below([picture.table([(name, tokens)], tokens), picture.selector(tokens, rows, [(name, tokens)])])
    root = ElementTree.fromstring(picture.svg(picture.framed(box, name), name))
    assert {node.tag.removeprefix(SVG) for node in root.iter()} <= {"svg", "g", "rect", "text", "path"}


def test_texts_are_shown_as_they_are() -> None:
    hostile = "</svg><script>alert(1)</script>"
    assert texts(picture.svg(picture.text(hostile), hostile)) == [hostile]


@given(
    st.integers(1, 32).flatmap(
        lambda n: st.lists(st.lists(st.booleans(), min_size=n, max_size=n), min_size=n, max_size=n)
    )
)
def test_the_grid_is_the_selector(rows: list[list[bool]]) -> None:
    found = cells(picture.svg(picture.selector(["x"] * len(rows), rows), "s"), len(rows))
    assert found == {(q, k) for q, row in enumerate(rows) for k, on in enumerate(row) if on}


@given(
    st.integers(1, 32).flatmap(
        lambda n: st.lists(st.lists(st.booleans(), min_size=n, max_size=n), min_size=1, max_size=32)
    )
)
def test_a_grid_of_two_tapes_has_a_column_for_each_key_and_a_row_for_each_query(rows: list[list[bool]]) -> None:
    box = picture.selector(["k"] * len(rows[0]), rows, queries=["q"] * len(rows))
    svg = picture.svg(box, "s")
    assert (texts(svg).count("k"), texts(svg).count("q")) == (len(rows[0]), len(rows))
    on = {(q, k) for q, row in enumerate(rows) for k, on in enumerate(row) if on}
    assert cells(svg, len(rows[0]), len(rows)) == on


def test_boxes_do_not_overlap() -> None:
    boxes = [picture.text("a"), picture.text("bcd"), picture.arrow()]
    assert picture.beside(boxes, 5).width == sum(box.width for box in boxes) + 10
    assert picture.below(boxes, 5).height == sum(box.height for box in boxes) + 10
    assert picture.framed(boxes[1], "t").width > boxes[1].width


def test_wide_characters_take_two_columns() -> None:
    assert picture.wide("ab") == 2
    assert picture.wide("日本") == 4


def test_a_large_selector_is_drawn_without_letters() -> None:
    n = picture.MAX_LETTERED + 1
    svg = picture.svg(picture.selector(["x"] * n, [[True] * n] * n), "s")
    assert texts(svg) == []
    assert len(svg) < 20_000


# ----------------------------------------------------------------------------------------------------- in notebooks


def test_an_s_op_shows_its_values_on_the_longest_example() -> None:
    svg = rasp.parse(PROGRAM)["reverse"]._repr_svg_()
    assert svg is not None
    assert texts(svg) == ["", *"abcab", "reverse", *"bacba"]


def test_numbers_are_shown_as_rasp_run_prints_them() -> None:
    svg = rasp.parse(PROGRAM)["third"]._repr_svg_()
    assert svg is not None
    assert texts(svg)[-5:] == ["1", "0.5", "0.333", "0.25", "0.2"]


def test_a_selector_shows_its_grid() -> None:
    program = rasp.parse(PROGRAM)
    svg = program["opposite"]._repr_svg_()
    assert svg is not None
    assert texts(svg)[0] == "opposite"
    assert cells(svg, 5) == {(at, 4 - at) for at in range(5)}


def test_in_a_causal_program_the_values_are_causal() -> None:
    program = rasp.parse('#@ attention: causal\n#@ vocab: "ab"\n#@ example: "abb" -> [1, 2, 3]\nn = length;')
    svg = program["n"]._repr_svg_()
    assert svg is not None
    assert texts(svg)[-3:] == ["1", "2", "3"]


def test_what_is_no_s_op_or_has_no_answer_has_no_picture() -> None:
    program = rasp.parse(PROGRAM)
    assert program["f"]._repr_svg_() is None
    assert program["never"]._repr_svg_() is None


def test_without_settings_an_example_is_made_up() -> None:
    svg = rasp.parse("t = tokens;")["t"]._repr_svg_()
    assert svg is not None
    assert texts(svg)[-5:] == list("hello")


def test_neighbours_in_a_row_are_one_rectangle() -> None:
    row = [True, True, False, True]
    runs = picture._runs(row)
    assert runs == [(0, 2), (3, 1)]
    assert all(first[0] + first[1] < second[0] for first, second in pairwise(runs))


TAPES = """
#@ source: "abc"
#@ vocab: "abc."
#@ max_source: 30
#@ example: "ab" -> "ba."
#@ example: "abc" -> "cba."
place = source_length - 1 - indices;
back = select(indices, place, ==);
next = aggregate(back, source, ".");
first = source == source[0];
seen = select(source, tokens, ==);
def f(x) { return x; }
never = 1 / (0 * source_length);
"""


def test_on_two_tapes_a_selector_shows_target_by_source() -> None:
    program = rasp.parse(TAPES)
    svg = program["seen"]._repr_svg_()
    assert svg is not None
    assert cells(svg, 3, 4) == {(1, 2), (2, 1), (3, 0)}
    assert texts(svg) == ["seen", "key", *"abc", "query", "<start>", *"cba"]


ANY_TAPE = """
#@ output: next
#@ source: "abc"
#@ vocab: "abc."
#@ example: "abc" -> "cba."
twice = 2 * indices;
unread = 3 * indices;
back = select(twice, 2 * (source_length - 1 - indices), ==);
next = aggregate(back, source, ".");
"""
"""Keys and their selector stand on any tape; the program reads them on the source."""


def test_on_two_tapes_what_stands_on_any_shows_where_the_program_reads_it() -> None:
    program = rasp.parse(ANY_TAPE)
    back, twice = (program[name]._repr_svg_() or "" for name in ("back", "twice"))
    assert texts(back) == ["back", "key", *"abc", "query", "<start>", *"cba"]
    assert cells(back, 3, 4) == {(0, 2), (1, 1), (2, 0)}
    assert texts(twice) == ["", *"abc", "twice", *"024"]


def test_on_two_tapes_what_is_read_on_both_or_nowhere_shows_on_the_target() -> None:
    program = rasp.parse(ANY_TAPE)
    on_both, nowhere = (program[name]._repr_svg_() or "" for name in ("indices", "unread"))
    assert texts(on_both) == ["", "<start>", *"cba", "indices", *"0123"]
    assert texts(nowhere) == ["", "<start>", *"cba", "unread", *"0369"]


def test_on_two_tapes_an_s_op_shows_its_values_on_its_tape() -> None:
    program = rasp.parse(TAPES)
    svgs = [program[name]._repr_svg_() or "" for name in ("next", "first")]
    assert texts(svgs[0]) == ["", "<start>", *"cba", "next", *"cba."]
    assert texts(svgs[1]) == ["", *"abc", "first", "T", "F", "F"]
    assert [program[name]._repr_svg_() for name in ("f", "never")] == [None, None]
    made_up = rasp.parse("\n".join(line for line in TAPES.splitlines() if "example" not in line))
    assert texts(made_up["source"]._repr_svg_() or "")[:4] == ["", *"abc"]
