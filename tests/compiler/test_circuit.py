"""A circuit checks its own order of writing and reading, and computes exactly."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from compiler.circuit.circuit import Circuit, Output
from compiler.circuit.layer import Channel, Head, Layer, Neuron, Part
from compiler.numbers.direction import BOS, ONE, Direction, Form
from rasp.meaning.sop import Constant

LETTER, PLACE, FOUND, BENT = map(Direction, ["letter", "place", "found", "bent"])


def head(scores: tuple[tuple[Form, Form], ...], baseline: Form | None, *channels: Channel, mode: str = "mean") -> Head:
    return Head(
        name="head",
        node=Constant(0),
        selects="all positions",
        mode="sum" if mode == "sum" else "mean",
        parts=(Part("table", scores, baseline or Form(), reach=Fraction(0)),),
        sure=baseline is None,
        selected=Fraction(0),
        score_gap=Fraction(1),
        least_selected=Fraction(-100),
        exact=True,
        single=False,
        channels=channels,
    )


def circuit(*layers: Layer, output: Form | None = None, causal: bool = False) -> Circuit:
    """Over "ab": `letter` is 0 or 1, `place` the position."""
    codes = tuple((number, (Fraction(number),)) for number in range(10))
    return Circuit(
        ("a", "b"),
        4,
        causal,
        {LETTER: (Fraction(0), Fraction(1))},
        {PLACE: tuple(map(Fraction, range(4)))},
        layers,
        (Output("o", (output or Form.of(LETTER),), codes),),
        variables=(),
        ranges={},
        stairs={},
    )


def neuron(read: Form, write: Direction) -> Neuron:
    return Neuron(("neuron",), read, ((write, Fraction(1)),))


ALL = head((), Form(), Channel(Form.of(LETTER), Fraction(0), FOUND), mode="sum")


def test_a_circuit_in_order_verifies() -> None:
    circuit(Layer([ALL], [neuron(Form.of(FOUND), BENT)]), output=Form.of(BENT)).verify()


@pytest.mark.parametrize(
    ("layers", "output"),
    [
        ((Layer([], [neuron(Form.of(FOUND), BENT)]), Layer([ALL], [])), Form.of(BENT)),
        ((Layer([head(((Form.of(BENT), Form.of(LETTER)),), Form())], [neuron(Form.of(LETTER), BENT)]),), Form()),
        ((Layer([head(((Form.of(LETTER), Form.of(BENT)),), Form())], [neuron(Form.of(LETTER), BENT)]),), Form()),
        ((Layer([head((), Form.of(BENT))], [neuron(Form.of(LETTER), BENT)]),), Form()),
        ((Layer([head((), None, Channel(Form.of(FOUND), Fraction(0), FOUND))], []),), Form()),
        ((Layer([], [neuron(Form.of(BENT), BENT)]),), Form()),
        ((), Form.of(Direction("nowhere"))),
    ],
    ids=["neuron", "query", "key", "baseline", "value", "neuron of its own sublayer", "output"],
)
def test_reading_before_writing_does_not_verify(layers: tuple[Layer, ...], output: Form) -> None:
    with pytest.raises(ValueError, match="nothing before it writes"):
        circuit(*layers, output=output).verify()


def test_a_sum_counts_and_a_mean_averages() -> None:
    counting = circuit(Layer([ALL], []), output=Form.of(FOUND))
    assert counting.run([1, 0, 1]) == {"o": [2, 2, 2]}
    averaging = head((), Form(), Channel(Form.of(LETTER), Fraction(0), FOUND))
    assert circuit(Layer([averaging], []), output=Form.of(FOUND) * 6).run([1, 0, 1]) == {"o": [4, 4, 4]}


def test_an_empty_row_of_a_mean_is_the_default_and_of_a_sum_is_zero() -> None:
    nothing = ((Form.constant(-1), Form.constant(1)),)
    channel = Channel(Form.of(LETTER), Fraction(7), FOUND)
    for mode, expected in (("mean", 7), ("sum", 0)):
        made = circuit(Layer([head(nothing, Form(), channel, mode=mode)], []), output=Form.of(FOUND))
        assert made.run([1, 1]) == {"o": [expected, expected]}


def test_a_head_without_a_baseline_takes_the_largest_score() -> None:
    last = head(((Form.constant(1), Form.of(PLACE)),), None, Channel(Form.of(LETTER), Fraction(0), FOUND))
    assert circuit(Layer([last], []), output=Form.of(FOUND)).run([0, 0, 1]) == {"o": [1, 1, 1]}
    assert circuit(Layer([last], []), output=Form.of(FOUND), causal=True).run([1, 0, 1]) == {"o": [1, 0, 1]}


def test_a_neuron_bends_and_adds() -> None:
    double = Neuron(("n",), Form.of(PLACE) - Form.constant(1), ((BENT, Fraction(2)), (PLACE, Fraction(-1))))
    made = circuit(Layer([], [double]), output=Form.of(BENT) + Form.of(PLACE))
    assert made.run([0, 0, 0, 0]) == {"o": [0, 1, 3, 5]}


def test_bos_is_the_same_whatever_the_tokens() -> None:
    made = circuit(Layer([ALL], [neuron(Form.of(FOUND) + Form.of(BOS) * 3, BENT)]))
    constant = made.bos()
    assert constant == {ONE: 1, BOS: 1, FOUND: 0, BENT: 3}
    for tokens in ([0], [1, 1, 0, 1]):
        *_, streams = made.stages(tokens)
        assert streams[0] == constant


def test_several_heads_add_into_one_direction() -> None:
    assert circuit(Layer([ALL, ALL], []), output=Form.of(FOUND)).run([1, 1]) == {"o": [4, 4]}


def test_directions_come_in_the_order_of_writing_and_once_each() -> None:
    made = circuit(Layer([ALL], [neuron(Form.of(FOUND), BENT)]), Layer([ALL], [neuron(Form.of(BENT), BENT)]))
    assert made.directions() == [ONE, BOS, LETTER, PLACE, FOUND, BENT]


def test_the_nearest_value_is_decoded() -> None:
    output = replace(circuit().outputs[0], codes=(("low", (Fraction(0),)), ("high", (Fraction(3),))))
    assert output.decode({LETTER: Fraction(1)}) == "low"
    assert output.decode({LETTER: Fraction(2)}) == "high"


def test_a_circuit_prints_every_head_neuron_and_output() -> None:
    text = str(circuit(Layer([ALL], [neuron(Form.of(FOUND), BENT)]), output=Form.of(BENT)))
    for part in ("letter = [0, 1] by token", "place = [0, 1, 2, 3] by position", "L0H0 ", "L0N0 ", "output o"):
        assert part in text


def test_what_the_token_and_the_position_write_into_one_direction_adds_up() -> None:
    both = Direction("both")
    written = replace(
        circuit(), tokens={both: (Fraction(1), Fraction(2))}, positions={both: tuple(map(Fraction, range(4)))}
    )
    assert [stream[both] for stream in written.embed([1, 0])[1:]] == [2, 2]
