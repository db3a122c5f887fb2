"""What a head is said to select is what its scores select: against `Head.rows`, the meaning of a head, exactly."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

import compiler
import rasp
from compiler.circuit.circuit import Circuit
from compiler.circuit.layer import Head, Stream
from compiler.graph.domain import Setting
from compiler.graph.specialise import specialise
from compiler.lowering.build import build
from compiler.numbers.direction import ONE
from compiler.pipeline import Compiled
from compiler.runtime.fast.selection import Selection, Selections, Window, selection_of
from compiler.runtime.fast.units import Units
from rasp import RaspError, evaluate
from tests.library import LIBRARY, both_attentions
from tests.random_programs import VOCABULARY, seeded

SOME = ("reverse", "paper/dyck_2_ptf", "sequence/mode_count", "sequence/negate_if_sorted", "words/longest_word", "sort")


def circuit_of(source: str, max_length: int = 6, attention: str = "bidirectional", vocab: str = "abc") -> Circuit:
    return compiler.compile(rasp.parse(source), vocab=vocab, max_length=max_length, attention=attention).circuit


def one_head(source: str, **settings: str) -> tuple[Circuit, Selection]:
    """The selection of the first head."""
    circuit = circuit_of(source, **settings)  # type: ignore[arg-type]
    found = selection_of(circuit, circuit.layers[0].heads[0])
    assert found is not None
    return circuit, found


def streams_before(circuit: Circuit, ids: list[int]) -> Iterator[tuple[list[Stream], list[Head]]]:
    """What each layer's heads read, and the heads."""
    stages = list(circuit.stages(ids))
    for number, layer in enumerate(circuit.layers):
        yield stages[2 * number], layer.heads


def assert_same_rows(circuit: Circuit, ids: list[int]) -> int:
    """Each head's selection has its rows; how many heads have one."""
    selections, known = Selections(circuit), 0
    for streams, heads in streams_before(circuit, ids):
        for head in heads:
            selection = selections.of(head)
            if selection is None:
                continue
            known += 1
            wanted, found = list(head.rows(streams, streams, circuit.causal)), list(selection.rows(streams, streams))
            constant = all(channel.read.terms.keys() <= {ONE} for channel in head.channels)
            if head.sure and constant and any(part.kind == "order" for part in head.parts):
                assert all(set(one) <= set(more) for one, more in zip(wanted, found, strict=True)), head
            else:
                assert found == wanted, head
    return known


def ids_drawn(rng: random.Random, size: int, length: int) -> list[int]:
    return [rng.randrange(size) for _ in range(rng.randint(1, length))]


# ------------------------------------------------------------------------------------------------------- what is found


def test_positions_so_far_are_a_window() -> None:
    _, found = one_head('x = aggregate(select(indices, indices, <=), indicator(tokens == "a"));')
    assert found == Selection((), (), (), (), (), Window((0,) * 6, (0, 1, 2, 3, 4, 5)))
    assert found.window.so_far and not found.window.whole


def test_a_step_back_is_a_window_of_one() -> None:
    _, found = one_head('x = aggregate(select(indices, indices - 1, ==), tokens, "a");')
    assert found.window == Window((0, 0, 1, 2, 3, 4), (-1, 0, 1, 2, 3, 4)) and found.window.narrow
    assert not found.matches and not found.keys


def test_a_fixed_place_is_a_window_of_one() -> None:
    _, found = one_head('x = aggregate(select(indices, 0, ==), tokens, "a");')
    assert set(zip(found.window.first, found.window.last, strict=True)) == {(0, 0)}


def test_causal_attention_is_part_of_the_window() -> None:
    _, found = one_head('x = selector_width(select(tokens, "a", ==));', attention="causal")
    assert found.window.so_far


def test_a_token_of_the_key_is_a_bit() -> None:
    circuit, found = one_head('x = selector_width(select(tokens, "a", ==));')
    (bit,) = found.keys
    assert [bit.at(stream) for stream in circuit.embed([0, 1, 2])[1:]] == [1, 0, 0]
    assert found.window.whole and not found.matches and not found.classes


def test_equal_tokens_are_a_match() -> None:
    _, found = one_head("x = selector_width(select(tokens, tokens, ==));", vocab="abcdefgh")
    (match,) = found.matches
    assert match.key == match.query and match.unit == 1


def test_alternatives_are_classes() -> None:
    _, found = one_head("x = selector_width(select(tokens, tokens, <));")
    assert len(found.classes) == 1 and not found.matches


def test_places_that_do_not_lie_side_by_side_are_no_window() -> None:
    _, found = one_head("x = selector_width(select(indices % 2, indices % 2, ==));")
    assert found.window.whole and found.classes


def test_windows_side_by_side_are_one() -> None:
    low, high = Window((0, 0), (-1, 0)), Window((0, 1), (0, 1))
    assert low.before(high) == Window((0, 0), (0, 1))
    assert high.before(low) is None


def test_units_are_exact() -> None:
    circuit = circuit_of("x = selector_width(select(tokens, tokens, ==)) / 3 + 0.5;")
    found = {str(direction): unit for direction, unit in Units(circuit).known.items()}
    assert found["one"] == 1 and all(unit is not None for unit in found.values())


def test_a_mean_of_equal_values_has_their_unit() -> None:
    circuit = circuit_of(
        "first = select(selector_width(select(tokens_int, tokens_int, <)), 0, ==);"
        "x = aggregate(first, tokens_int) / 3;",
        vocab="0123456789",
    )
    (channel,) = circuit.layers[-1].heads[0].channels
    assert channel.picked and not circuit.layers[-1].heads[0].single
    assert Units(circuit).known[channel.write] == 1


@pytest.mark.parametrize(("first", "sign"), [("first", "<"), ("last", ">")])
def test_the_first_or_last_of_a_class_is_known_by_a_match_and_a_window(first: str, sign: str) -> None:
    text = f"top = sort(tokens_int, tokens_int)[-1]; x = aggregate(select_from_{first}(tokens_int, top), indices);"
    circuit = circuit_of(text, vocab="0123456789")
    (found,) = [
        selection_of(circuit, head)
        for layer in circuit.layers
        for head in layer.heads
        if head.selects == f"positions where its tokens_int = my top and its indices {sign} my indices"
    ]
    assert found is not None and len(found.matches) == 1 and not found.orders
    before = found.window.last == (-1, 0, 1, 2, 3, 4)
    assert before if sign == "<" else found.window.first[:-1] == (1, 2, 3, 4, 5)


def test_a_mean_has_no_unit() -> None:
    circuit = circuit_of('x = aggregate(select(indices, indices, <=), indicator(tokens == "a"));')
    (mean,) = [channel.write for channel in circuit.layers[0].heads[0].channels]
    assert Units(circuit).known[mean] is None


# ------------------------------------------------------------------------------------------------------ all of them


def rows_of(name: str, attention: str, count: int) -> None:
    program = LIBRARY[name].program
    short = program.replace(max_length=min(10, program.settings.longest), attention=attention)
    compiled, rng = Compiled(short, uncertified=True), random.Random(name)
    try:
        circuit = compiled.circuit
    except RaspError:
        assert attention != program.settings.attention
        return
    vocabulary = short.settings.vocab
    assert vocabulary is not None
    for _ in range(count):
        ids = ids_drawn(rng, len(vocabulary), compiled.setting.max_length)
        if all(_answers(compiled, [vocabulary[number] for number in ids])):
            known = assert_same_rows(circuit, ids)
            assert known == sum(len(layer.heads) for layer in circuit.layers)


def _answers(compiled: Compiled, tokens: list[object]) -> Iterator[bool]:
    """Whether the input is one that the program means, and has an answer."""
    program = compiled.program
    for name in (*program.outputs, *program.settings.requires):
        try:
            values = program[name](tokens)
        except RaspError:
            yield False
        else:
            yield name in program.outputs or all(values)


@pytest.mark.parametrize("name", SOME)
def test_c21_selections_have_the_rows_of_their_heads(name: str) -> None:
    rows_of(name, LIBRARY[name].program.settings.attention, 3)


@pytest.mark.parametrize(("name", "attention"), both_attentions(LIBRARY))
def test_c21_selections_have_the_rows_of_their_heads_in_all_programs(name: str, attention: str) -> None:
    rows_of(name, attention, 6)


def test_c21_selections_of_random_programs_have_the_rows_of_their_heads() -> None:
    known = 0
    for seed in range(60):
        node, rng, causal = seeded(seed, 4), random.Random(seed), seed % 2 == 1
        try:
            circuit = build(specialise({"out": node}, {}, Setting(VOCABULARY, 6, causal))).circuit
        except RaspError:
            continue
        for _ in range(3):
            ids = ids_drawn(rng, len(VOCABULARY), 6)
            try:
                evaluate(node, [VOCABULARY[number] for number in ids], causal=causal)
            except RaspError:
                continue
            known += assert_same_rows(circuit, ids)
    assert known > 100
