"""A session with a source: what is declared, tried and shown on both tapes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from rasp.console.console import Console
from rasp.console.extras import hear
from rasp.magic import Notebook

HEADER = '#@ source: "abc"\n#@ vocab: "abc."\n#@ example: "cab" -> "abc."\n'


@pytest.fixture
def say() -> Callable[[str], str]:
    """What a session answers to a text."""
    lines: list[str] = []
    console = Console(lines.append)

    def answer(text: str) -> str:
        lines.clear()
        if not hear(console, text):
            console.enter(text)
        return "\n".join(lines)

    return answer


def test_a_program_with_a_source_is_loaded_and_shown(say) -> None:
    assert say('load "programs/seq2seq/sort";').split() == ["selector:", "before", "s-op:", "place", "s-op:", "next"]
    assert say("place;").endswith('Example: place("cab") = [2, 0, 1] (ints)')
    assert say("next;").splitlines()[1:] == [
        ' \t Example: next@source("cab") = [a, b, c] (strings)',
        ' \t Example: next({"source": "cab", "target": "abc"}) = [a, b, c, .] (strings)',
    ]


def test_an_example_is_a_source_or_both(say) -> None:
    say(HEADER)
    say('set example "ba"\n')
    assert say("tokens;").endswith('tokens({"source": "ba", "target": ""}) = [<start>] (strings)')
    say('set example {"source": "ba", "target": "cc"}\n')
    assert say("tokens;").endswith('tokens({"source": "ba", "target": "cc"}) = [<start>, c, c] (strings)')
    assert "`x` at position 0 is no token of the source" in say('set example "xyz"\n')
    assert 'an example is a source, such as "ab", or' in say('set example {"sauce": "ba"}\n')
    assert "not a dictionary of 2" in say('set example {"source": "ab", "tarket": "c"}\n')


def test_an_example_is_shown_as_it_is_typed(say) -> None:
    say('#@ source: ["ab", 1, "c"]\n')
    say('set example {"source": ["ab", 1], "target": ["x"]}\n')
    shown = '{"source": ["ab", 1], "target": ["x"]}'
    assert say("show s-op example\n") == f"\ts-op example: {shown}"
    applied = f"source_length({shown})"
    assert applied in say("source_length;")
    assert say(f"{applied};") == "\t =  [2]*2 (ints)"


def test_what_is_shown_as_a_call_is_what_the_call_gives(say) -> None:
    say(HEADER + 'next = aggregate(select(indices, indices, ==), source, ".");')
    for name in ("next", "source", "indices", "source_length"):
        for line in say(f"{name};").splitlines()[1:]:
            applied, values = line.split("Example: ")[1].split(" = ")
            if "@" not in applied:
                assert say(f"{applied};").endswith(values)


def test_cross_attention_is_a_grid_of_target_by_source(say) -> None:
    say(HEADER)
    shown = say("select(source, tokens, ==);").splitlines()[2:]
    assert [line.split() for line in shown] == [
        ["c", "a", "b"],
        ["<start>", "|"],
        ["a", "|", "1"],
        ["b", "|", "1"],
        ["c", "|", "1"],
    ]


def test_an_s_op_is_applied_to_a_source_or_to_both(say) -> None:
    say(HEADER + 'next = aggregate(select(indices, indices, ==), source, ".");')
    assert say('next("ab");').endswith("[a] (strings)")
    assert say('next({"source": "ab", "target": "ab"});').endswith("[a, b, .] (strings)")
    for wrong in ("5", '""', '{"sauce": "ab"}'):
        assert 'an input is a source, such as "ab", or' in say(f"next({wrong});")


def test_what_no_tape_can_carry_out_is_refused_where_it_stands(say) -> None:
    say(HEADER)
    assert "an operation on both tapes" in say("x = source + tokens;")
    assert "whose `length`?" in say("length;")
    assert "not drawn yet" in say("draw(source);")


def test_without_a_source_its_names_are_free_again(say) -> None:
    say(HEADER + "x = source;")
    say('load "programs/sort";')
    assert say("sorted;").endswith('sorted("hello") = [e, h, l, l, o] (strings)')
    assert "this reads a source, and there is none" in say("x;")
    assert "value: source" in say("source = 5;")


def test_a_notebook_gives_the_values_of_the_decoder() -> None:
    notebook = Notebook()
    notebook.magic("", HEADER + "x = source_length + indices;")
    assert notebook["x"]("ab") == [2]
    assert notebook["x"]({"source": "ab", "target": "cc"}) == [2, 3, 4]


def test_a_name_that_was_bound_before_becomes_the_source(say) -> None:
    say("source = 3; source_int = 4; other = 5;")
    said = say(HEADER)
    assert said.count("warning[reserved-name]") == 2
    assert "`source` is a name of the source now, and no longer what was bound" in said
    assert say("source;").endswith('source("cab") = [c, a, b] (strings)')
    assert say("other;") == "    value: other =  5"
    assert "warning" not in say('#@ source: "ab"\n')


def test_a_compiled_s_op_is_told_by_encoder_and_decoder(say) -> None:
    say(HEADER + "place = selector_width(select(source, source, <));")
    say('next = aggregate(select(place, indices, ==), source, ".");')
    said = [line.strip() for line in say("compile next").splitlines()]
    assert said[0].startswith("next: ")
    assert [line.partition(":")[0] for line in said[1:-1]] == ["encoder layer 0", "decoder layer 0"]
    assert "1 head over the source" in said[2]
    assert said[-1] == "for sources of 1 to 16 tokens, targets of 17 with `start`"
    assert "stands on the source" in say("compile place")
