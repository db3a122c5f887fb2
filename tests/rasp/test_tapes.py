"""Two tapes: which one each s-op stands on, what it is read as, and what a program with a source means."""

from __future__ import annotations

import random
from itertools import product
from typing import Any

import pytest

import rasp
from rasp.meaning.inputs import Places
from rasp.meaning.interpreter import Run
from rasp.meaning.sop import Select, Selector, SOp, reachable
from rasp.meaning.tapes import Instances, Tapes
from rasp.text.source import RaspError
from tests.places import PROGRAMS

HEADER = '#@ source: "abc"\n#@ vocab: "abc."\n#@ stop: "."\n'
COPY = 'next = aggregate(select(indices, indices, ==), source, ".");'


def program(text: str, header: str = HEADER) -> rasp.Program:
    return rasp.parse(header + text + f"\n{COPY}")


def standing(text: str) -> str:
    """The tape of `x`, or the two of a selector."""
    found = program(text)
    node, tapes = found.node("x"), found.instances.tapes
    if isinstance(node, Selector):
        return str(tapes.sides(node))
    assert isinstance(node, SOp)
    return str(tapes.of(node) or "any")


@pytest.mark.parametrize(
    ("text", "tape"),
    [
        ("x = source;", "source"),
        ("x = tokens;", "target"),
        ("x = indices * 2 + 1;", "any"),
        ("x = source_length;", "any"),
        ('x = source == "a";', "source"),
        ("x = indices if source_bool else 1;", "source"),
        ("x = select(indices, indices, ==);", "any->any"),
        ("x = select(source, indices, ==);", "source->any"),
        ("x = select(source, tokens, ==);", "source->target"),
        ("x = select(tokens, indices, ==);", "target->target"),  # nobody else may look at the target
        ("x = not select(source, tokens, ==) or select(indices, indices, <);", "source->target"),
        ("x = aggregate(select(indices, indices, ==), source);", "any"),
        ("x = aggregate(select(indices, tokens, ==), source);", "target"),
        ("x = aggregate(select(indices, indices, ==), tokens);", "target"),
        ("x = aggregate(select(indices, source, ==), 1);", "source"),
        ('x = selector_width(select(source, "a", ==));', "any"),
        ("x = selector_width(select(source, source, ==));", "source"),
        ('x = {"a": 1, "b": 2, "c": 3}[source];', "source"),
        ("x = sort(source, source);", "any"),
        ("x = sort(tokens, tokens);", "target"),
        ("x = source[-1];", "any"),
        ("x = tokens[-1];", "target"),
        ("x = shift(source, 1, 0);", "any"),
        ('x = has_focus(select(source, "a", ==)) and tokens == "a";', "target"),
        ("x = shift(source, 1, 0) == source;", "source"),
    ],
)
def test_the_tape_of_an_s_op_is_found(text: str, tape: str) -> None:
    assert standing(text) == tape


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("x = source[-1];", ["b", "b", "b", "b"]),
        ("x = source[-2];", ["c", "c", "c", "c"]),
        ("x = source[1];", ["c", "c", "c", "c"]),
        ("x = tokens[-1];", ["<start>", "a", "b", "c"]),
        ("x = indices[-1];", [0, 1, 2, 3]),
        ("x = source_length + indices;", [3, 4, 5, 6]),
        ("x = average(source_length + 0 * indices);", [3, 3, 3, 3]),
        ('x = count(source, "c");', [1, 1, 1, 1]),
        ('x = count(tokens, "c");', [0, 0, 0, 1]),
        ('x = shift(source, 1, "-") == tokens;', [False, True, False, False]),
        ("x = selector_width(select(source, tokens, ==));", [0, 1, 1, 1]),
        ("x = selector_width(not select(source, tokens, ==));", [3, 2, 2, 2]),
        ("x = selector_width(not select(tokens, tokens, ==));", [0, 1, 2, 3]),
        ("x = aggregate(select(source, tokens, <), indices, -1);", [-1, -1, 0, 1]),
        ("x = aggregate(select(indices, indices, <=), indices);", [0, 0.5, 1, 1.5]),
    ],
)
def test_lengths_follow_the_sequence_and_the_decoder_sees_what_is_written(text: str, values: list[object]) -> None:
    assert program(text)["x"]("acb", "abc") == values


def test_a_selector_is_a_grid_of_target_by_source() -> None:
    source, target = "acba", ["<start>", "b", "c"]
    found = program("x = select(source, tokens, <=);")["x"](source, "bc")
    assert found == [[key <= query for key in source] for query in target]


def test_what_stands_on_the_source_is_called_with_a_source() -> None:
    found = program("x = sort(source, source) == source; y = select(source, source, ==);")
    assert found["x"]("acb") == [True, False, False]
    assert found["y"]("ab") == [[True, False], [False, True]]
    assert found["source_length"]("ab", "a") == [2, 2]


ENCODERS = [
    "x = sort(source, source);",
    'x = shift(source, 1, "-") == source;',
    "x = source[-1] == source;",
    'behind = select(indices, indices, >) and select(source, "a", !=); x = selector_width(behind) * indices;',
    "x = aggregate(not select(source, source, ==), indices, -1) if indices > 0 else source_length;",
]


@pytest.mark.parametrize("text", ENCODERS)
def test_an_encoder_is_a_program_of_one_tape(text: str) -> None:
    alone = rasp.parse("source = tokens_str; source_length = length;" + text)
    both = program(text + " on_source = x if source_bool else x;")
    for source in ("".join(letters) for n in range(1, 5) for letters in product("abc", repeat=n)):
        assert both["on_source"](source) == alone["x"](source)


DECODERS = [
    "x = aggregate(select(tokens, tokens, ==), indices);",
    'x = shift(tokens, 1, "-") == tokens;',
    "x = tokens[-1] == tokens;",
    'x = selector_width(select(indices, indices, <=) and not select(tokens, "a", ==)) * indices;',
]


@pytest.mark.parametrize("text", DECODERS)
def test_a_decoder_is_a_causal_program_of_one_tape(text: str) -> None:
    alone, both = rasp.parse("#@ attention: causal\n" + text), program(text)
    for target in ("".join(letters) for n in range(4) for letters in product("abc", repeat=n)):
        assert both["x"]("cab", target) == alone["x"](["<start>", *target])


def test_every_prefix_has_the_answers_of_the_whole() -> None:
    seen = "seen = select(source, tokens, ==) and select(indices, indices, >=);"
    found = program(seen + ' x = selector_width(seen) + count(tokens, "a");')
    rng = random.Random(5)
    for _ in range(50):
        source, target = rng.choices("abc", k=rng.randint(1, 6)), rng.choices("abc.", k=rng.randint(0, 6))
        whole = found["x"](source, target)
        assert [found["x"](source, target[:end])[-1] for end in range(len(target) + 1)] == whole


def test_every_part_of_an_instance_stands_on_a_tape() -> None:
    found = rasp.load(PROGRAMS / "seq2seq" / "addition.rasp")
    instances, tapes = Instances(found.instances.tapes), Tapes()
    for node in reachable([instances.of(found.node("next"))]):
        if isinstance(node, SOp):
            assert tapes.of(node) in {"source", "target"}
        else:
            assert isinstance(node, Selector) and None not in tapes.sides(node)
        assert type(node) is type(instances.origin[node])


def test_an_instance_is_made_once_for_each_tape() -> None:
    found = program("place = indices + 1; x = aggregate(select(place, place, ==), source);")
    root = found.instances.of(found.node("x"))
    [selector] = [node for node in reachable([root]) if isinstance(node, Select)]
    assert root is found.instances.of(found.node("x"))
    assert selector.key is not selector.query
    assert {found.instances.origin[side] for side in (selector.key, selector.query)} == {found.node("place")}


def test_a_deep_program_is_placed_without_recursion() -> None:
    found = program("x = indices; for i in range(5000) { x = x + 1; }")
    assert found["x"]("ab", "a") == [5000, 5001]


def test_several_sources_are_run_end_to_end() -> None:
    found = program("x = selector_width(not select(source, tokens, ==)) + source_length;")
    node = found.placed(found.node("x"))
    run = Run([*"ab", *"cab"], True, lengths=[2, 3], source=Places([*"abc", *"ab"], [3, 2]))
    run.compute([node])
    each: list[Any] = []
    for source, target in (("abc", "ab"), ("ab", "cab")):
        alone = Run(target, True, source=Places(source))
        alone.compute([node])
        each += alone.values[node]
    assert run.values[node] == each


def test_a_target_is_decoded_to_a_token_of_stop_or_as_long_as_may_be() -> None:
    found = program("")
    assert found.decode("cab") == ["c", "a", "b", "."]
    assert found.generate("cab", 2) == ["c", "a"]
    endless = rasp.parse('#@ source: "ab"\n#@ vocab: "ab"\n#@ max_source: 4\nnext = source[0];')
    assert endless.decode("ba") == ["b"] * 5  # by default one more than the longest source
    assert endless.replace(max_length=3).decode("ba") == ["b"] * 3


def test_the_target_begins_with_the_token_that_is_named() -> None:
    count = '#@ source: "ab"\n#@ vocab: "0123456"\n#@ start: "0"\n#@ stop: "3"\nnext = tokens_int + 1;'
    assert rasp.parse(count).decode("a") == [1, 2, 3]
    assert rasp.parse(count)["tokens"]("a", "45") == ["0", "4", "5"]
    with pytest.raises(RaspError, match="a target begins with `<start>`, and `tokens_int` is undefined there"):
        rasp.parse(count.replace('#@ start: "0"\n', ""))


def test_an_unknown_token_is_the_one_that_is_named_on_the_tape_that_has_it() -> None:
    found = rasp.parse(HEADER + '#@ unknown: "c"\n' + COPY)
    assert found.decode("axb") == ["a", "c", "b", "."]
    assert found["tokens"]("a", "x") == ["<start>", "c"]
    with pytest.raises(RaspError, match="`x` at position 1 is no token of the source"):
        program("").decode("axb")
    with pytest.raises(RaspError, match="`x` at position 1 is no token of the target"):
        program("")["next"]("ab", "x")


def test_what_is_longer_than_its_tape_is_refused_and_not_meant() -> None:
    found = program("").replace(max_source=3)
    assert (found.is_meant("abc", "abc"), found.decode("abc")) == (True, ["a", "b", "c", "."])
    message = "the source has 4 tokens, and at most 3 are meant"
    for call in (found.decode, found["next"], found.answers):
        with pytest.raises(RaspError, match=message):
            call("abca")
    with pytest.raises(RaspError, match="the target has 5 tokens, the first of them `start`, and at most 4 are meant"):
        found["next"]("abc", "abca")
    assert not found.is_meant("abca") and not found.is_meant("abc", "abca") and not found.is_meant("abx")


def test_what_is_required_without_a_source_is_asked_for_too() -> None:
    found = rasp.parse('#@ vocab: "ab"\n#@ max_length: 2\n#@ requires: same\nsame = tokens == tokens[0];')
    assert [found.is_meant(tokens) for tokens in ("aa", "ab", "aaa", "xx")] == [True, False, False, False]


def test_a_hint_can_be_typed() -> None:
    long = "source" + " + source" * 9
    with pytest.raises(RaspError) as caught:
        program(f"x = ({long}) + tokens;")
    hint = caught.value.diagnostics[0].hint or ""
    assert "`aggregate(select(indices, indices, ==), x)`, where x is `" in hint
    with pytest.raises(RaspError) as caught:
        rasp.parse(HEADER + "#@ output: source\nx = 1;")
    assert "`answer = aggregate(select(indices, indices, ==), source);`" in str(caught.value)
    with pytest.raises(RaspError, match=r"`select\(source, tokens, >\)` looks from the target at the source"):
        program("x = select(tokens, source, <);")


def test_what_is_required_is_asked_of_the_tape_that_it_is_about() -> None:
    found = program(
        "few = source_length < 4; begun = tokens == tokens[0]; same = source == source[0]; here = indices;"
        'own = aggregate(select(here, here, ==), source, "~");'
        'behind = aggregate(select(here, here + 1, ==), source, "~");'
        "ordered = behind >= own;"
    )
    few, begun, same, ordered = (found.replace(requires=name) for name in ("few", "begun", "same", "ordered"))
    assert [few.is_meant("abc", "abca"), few.is_meant("abca")] == [True, False]
    assert [ordered.is_meant("ab", "ba"), ordered.is_meant("ab", "bac"), ordered.is_meant("ba")] == [True, True, False]
    assert [begun.is_meant("ab"), begun.is_meant("ab", "a"), same.is_meant("aa", "bc")] == [True, False, True]
    assert not same.is_meant("ab")


def test_what_may_be_required_of_either_tape_is_an_error() -> None:
    for text in ("few = indices < 3;", "few = (indices + 1) % 2 == 1;"):
        with pytest.raises(RaspError, match="`few` is required, and may be about positions of either tape") as caught:
            rasp.parse(HEADER + "#@ requires: few\n" + text + COPY)
        assert "`source_length`" in (caught.value.diagnostics[0].hint or "")


def test_names_of_a_source_are_free_in_a_program_without_one() -> None:
    assert rasp.parse("source = indices + 1; x = source;")["x"]("abc") == [1, 2, 3]
    with pytest.raises(RaspError, match=r"the program has no `source`"):
        rasp.parse("x = tokens;")["source"]


def test_a_program_keeps_its_tapes() -> None:
    with pytest.raises(RaspError, match="`source` is declared in the header"):
        rasp.parse("x = tokens;").replace(source="abc")
    assert program("").replace(source="ab", vocab="ab.").decode("ba") == ["b", "a", "."]
    with pytest.raises(RaspError, match="the program has no source to decode from"):
        rasp.parse("#@ attention: causal\nx = tokens;").decode("abc")
    with pytest.raises(RaspError, match="takes one input, got 2"):
        rasp.parse("x = tokens;")["x"]("abc", "a")
    with pytest.raises(RaspError, match="takes a source, and a target so far, got 3"):
        program("")["next"]("abc", "a", "b")


def test_where_there_is_no_source_nothing_reads_one() -> None:
    for name in ("source", "source_length"):
        with pytest.raises(RaspError, match="this reads a source, and there is none"):
            rasp.evaluate(program("").node(name), "abc")


def test_an_error_of_a_run_names_the_tape() -> None:
    found = program('x = {"a": 1}[source]; y = 1 / (indices - 1) if tokens == "" else 0;')
    with pytest.raises(RaspError, match='on the source: at position 1: "b" is not in the dictionary'):
        found["x"]("ab")
    with pytest.raises(RaspError, match="on the target: at position 1: division by zero"):
        found["y"]("ab", "ab")


def test_a_note_tells_which_tapes_were_found() -> None:
    found = rasp.parse(HEADER + 'place = indices + 1; next = aggregate(select(place, place, ==), source, ".");')
    assert [note.message for note in found.notes] == [
        "`place` is read on both tapes: on each it has the values of its own positions",
        "in `select(place, place, ==)` the keys are positions of the source, the queries positions of the target",
    ]
    assert not found.warnings and not rasp.parse("x = indices;").notes


def test_an_operation_in_a_function_is_refused_where_it_is_called() -> None:
    with pytest.raises(RaspError) as caught:
        program("def both(a, b) { return a == b; } x = both(source, tokens);")
    [one] = caught.value.diagnostics
    assert one.code == "tapes" and one.span is not None
