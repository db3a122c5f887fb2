"""What a direction is said to hold it holds, exactly, and what is said follows from the s-op, not from a name."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import compiler
import rasp
from compiler.circuit.circuit import Circuit
from compiler.circuit.functions import Among, AtLeast, Function, Is, Listed, Number, Square, function
from compiler.circuit.layer import Stream
from compiler.numbers.direction import Direction
from compiler.pipeline import Compiled
from rasp.meaning.interpreter import evaluate_each
from rasp.value import Value
from tests.places import ALL_PROGRAMS, PROGRAMS

FEW = ["sort", "double_histogram", "paper/dyck_2_ptf", "paper/most_frequent", "decoders/sort", "languages/parity"]


def holds_exactly(made: Compiled, inputs: int) -> int:
    """Compare every direction with the interpreter's value of the s-op it holds; how many numbers were compared."""
    circuit, rng = made.circuit, random.Random(1)
    held = [direction for direction in circuit.directions() if direction.holds is not None]
    assert len(held) == len(circuit.directions()) - 2  # all but the 1 of every position and that of BOS
    compared = 0
    for _ in range(inputs):
        ids = rng.choices(range(len(made.setting.texts)), k=rng.randint(1, min(9, made.setting.max_length)))
        tokens = [made.setting.vocabulary[number] for number in ids]
        sops = [*made.sop.values(), *(direction.holds for direction in held)]
        [answer] = evaluate_each(sops, [tokens], circuit.causal)  # type: ignore[arg-type]
        [known] = evaluate_each([*made.sop.values()], [tokens], circuit.causal)
        if isinstance(known, rasp.RaspError):
            continue
        assert not isinstance(answer, rasp.RaspError), str(answer)
        stages = list(circuit.stages(ids))
        for direction, values in zip(held, answer[len(made.sop) :], strict=True):
            assert found(circuit, direction, stages) == [*map(Fraction, values)], (direction.name, tokens)  # type: ignore[arg-type]
            compared += len(values)
    return compared


def found(circuit: Circuit, direction: Direction, stages: list[list[Stream]]) -> list[Fraction]:
    """What a direction holds beside its offset once it is written."""
    step = circuit.written()[direction]
    offset = circuit.offsets.get(direction, Fraction(0)) if step < circuit.carried().get(direction, 0) else Fraction(0)
    return [stream.get(direction, Fraction(0)) - offset for stream in stages[step][1:]]


@pytest.mark.parametrize("name", FEW)
def test_every_direction_holds_its_s_op(name: str) -> None:
    assert holds_exactly(compiler.compile(rasp.load(PROGRAMS / f"{name}.rasp")), 20)


@pytest.mark.slow
@pytest.mark.nightly
@pytest.mark.parametrize("optimize", ["balanced", "depth", "size"])
@pytest.mark.parametrize("path", ALL_PROGRAMS, ids=lambda path: path.stem)
def test_every_direction_of_the_library_holds_its_s_op(path: Path, optimize: str) -> None:
    program = rasp.load(path)
    made = compiler.compile(program, max_length=min(10, program.settings.longest), optimize=optimize)
    assert holds_exactly(made, 12)


# ----------------------------------------------------------------------------------------------------------- functions


def at(found: Function, place: int, value: Value) -> Fraction | None:
    """The number of a function at a value."""
    match found:
        case Listed(numbers):
            return numbers[place]
        case Number(times, plus):
            return plus + times * Fraction(value) if times else plus
        case Square(centre, times, plus):
            return plus + times * (Fraction(value) - centre) ** 2
        case Is(one, times, plus):
            return plus + times * (value == one)
        case AtLeast(least, times, plus):
            return plus + times * (Fraction(value) >= Fraction(least))
        case Among(values, times, plus):
            return plus + times * (value in values)


HEIGHTS = st.integers(-2, 2).map(Fraction) | st.none()
DOMAINS = st.lists(st.integers(-5, 5), unique=True, min_size=1, max_size=6).map(sorted) | st.lists(
    st.text("ab", max_size=3) | st.integers(0, 3), unique=True, min_size=1, max_size=6
)


@given(DOMAINS, st.data())
def test_the_function_of_a_table_is_the_table(values: list[Value], data: st.DataObject) -> None:
    numbers = data.draw(st.lists(HEIGHTS, min_size=len(values), max_size=len(values)))
    said = function(values, numbers)
    for place, (value, number) in enumerate(zip(values, numbers, strict=True)):
        assert number is None or at(said, place, value) == number


@given(st.fractions(), st.fractions(), st.fractions().filter(bool))
def test_a_square_less_a_line_is_a_square(centre: Fraction, slope: Fraction, times: Fraction) -> None:
    values = list(range(8))
    said = function(values, [times * (x - centre) ** 2 - slope * x for x in values])
    assert said == Square(centre + slope / times / 2, times, said.plus)  # type: ignore[union-attr]


def test_the_simplest_function_is_said() -> None:
    def said(values: list[Value], *numbers: int) -> Function:
        return function(values, [*map(Fraction, numbers)])

    one, zero = Fraction(1), Fraction(0)
    assert said(["a", "b", "c"], 0, 1, 0) == Is("b", one, zero)
    assert said(["a", "b", "c"], 1, 0, 1) == Is("b", -one, one)
    assert said(["a", "b"], 0, 1) == Is("b", one, zero)
    assert said(["a", "b", "c", "d"], 1, 0, 1, 0) == Among(("a", "c"), one, zero)
    assert said([0, 1, 2, 3], 0, 0, 5, 5) == AtLeast(2, Fraction(5), zero)
    assert said([0, 1, 2, 3], 0, 0, 0, 1) == Is(3, one, zero)
    assert said([False, True], 1, 0) == Number(-one, one)
    assert said(["a", "b", "c"], -1, 0, 1) == Listed((-one, zero, one))
    assert said(["a"], 3) == Number(zero, Fraction(3))
