"""Loops that carry names: what they mean is what the plain text means, and what is no loop is told why, and where."""

from __future__ import annotations

import pytest

import rasp
from rasp.meaning.sop import Phi, reachable, substituted
from rasp.text.source import RaspError

STEP = "#@ loop: x\nx = tokens_int;\nfor i in range(4) {\n    x = (x + shift(x, 1, 0)) % 3;\n}\n"


def refused(text: str) -> str:
    with pytest.raises(RaspError) as caught:
        rasp.parse(text)
    return str(caught.value)


def test_a_loop_means_what_the_plain_text_means() -> None:
    program, plain = rasp.parse(STEP), rasp.parse(STEP.removeprefix("#@ loop: x\n"))
    assert program.node("x") is plain.node("x")
    assert program["x"]([1, 2, 2, 0]) == plain["x"]([1, 2, 2, 0])


def test_all_rounds_are_the_one_round_put_into_itself() -> None:
    program = rasp.parse(STEP)
    round_ = program.round
    held = dict(round_.first)
    for state in program.states[1:]:
        made = substituted(round_.after.values(), {round_.phis[name]: node for name, node in held.items()})
        held = {name: made[node] for name, node in round_.after.items()}
        assert all(held[name] is node for name, node in state.items())


def test_a_plain_value_is_carried_as_the_s_op_that_has_it_everywhere() -> None:
    program = rasp.parse("#@ loop: n\nn = 1;\nfor i in range(3) { n = 2 * n; }\nx = indices + n;")
    assert program["x"]("ab") == [8, 9]


def test_other_rounds_may_be_asked_for() -> None:
    program = rasp.parse(STEP, settings={"rounds": 6})
    assert len(program.states) == 7
    assert program["x"]([1, 2, 2, 0]) == rasp.parse(STEP.replace("range(4)", "range(6)"))["x"]([1, 2, 2, 0])


def test_rounds_until_nothing_changes_are_counted() -> None:
    program = rasp.parse("#@ loop: x\nx = tokens_int;\nfor i in range(9) { x = max(x, shift(x, 1, 0)); }")
    assert [program.rounds_until_still(tokens) for tokens in ([1, 1], [2, 1, 1], [1, 1, 2])] == [0, 2, 0]


def test_halting_is_asked_of_the_last_round() -> None:
    header = "#@ loop: x, done\n#@ halt: done\n"
    text = f"{header}x = tokens_int;\ndone = False;\nfor i in range(3) {{ x = x - 1; done = x < 0; }}"
    program = rasp.parse(text)
    assert program.has_halted([1, 2]) and not program.has_halted([1, 3])


def test_only_the_generic_round_has_leaves_of_its_own() -> None:
    program = rasp.parse(STEP)
    assert not any(isinstance(node, Phi) for node in reachable([program.node("x")]))
    assert [node.name for node in reachable([program.generic.node("x")]) if isinstance(node, Phi)] == ["x"]


ILLEGAL = {
    "a number that changes": (
        "#@ loop: x\nx = tokens_int;\nstep = 1;\n"
        "for i in range(3) {\n    x = x + shift(x, step, 0);\n    step = step * 2;\n}",
        ["from what `step` was in the round before", "5 |     x = x + shift(x, step, 0);", "`#@ loop: x, step`"],
    ),
    "the loop's own name": (
        "#@ loop: x\nx = tokens_int;\nfor i in range(3) {\n    x = x + i;\n}",
        ["round 2 computes `x` in another way than round 1: with `(x + 1)`", "4 |     x = x + i;"],
    ),
    "two loops": (
        "#@ loop: x\nx = tokens_int;\nfor i in range(3) { x = x + 1; }\nfor i in range(2) { x = x * 2; }",
        ["another loop at the top that binds `x`", "4 | for i in range(2) { x = x * 2; }"],
    ),
    "a name of no loop": (
        "#@ loop: x, y\nx = tokens_int;\nfor i in range(3) { x = x + 1; }",
        ["`y`, which no loop at the top binds", "1 | #@ loop: x, y"],
    ),
    "a name inside of a function": (
        "#@ loop: x\n"
        "def f(a) {\n    x = a;\n    for i in range(3) { x = x + 1; }\n    return x;\n}\ny = f(tokens_int);",
        ["`x`, which no loop at the top binds", "is in no function"],
    ),
    "no value before": (
        "#@ loop: x\nfor i in range(3) { x = indices; }",
        ["`x` has no value before the loop", "2 | for i in range(3) { x = indices; }"],
    ),
    "a list": (
        "#@ loop: x\nx = [1];\nfor i in range(3) { x = [2]; }",
        ["a loop carries s-ops, and `x` is a list of 1"],
    ),
    "no rounds": (
        "#@ loop: x\nx = indices;\nfor i in range(0) { x = x + 1; }",
        ["this loop has no rounds", "3 | for i in range(0)"],
    ),
    "halt that is not carried": (
        "#@ loop: x\n#@ halt: done\nx = indices;\nfor i in range(2) { x = x + 1; }",
        ["`halt` names `done`, and the loop carries x"],
    ),
    "rounds without a loop": ("#@ rounds: 3\nx = indices;", ["`rounds` is for a program with a loop"]),
    "a number where an s-op is": (
        "#@ loop: n\nn = 1;\nfor i in range(3) { n = len(range(n)) + 1; }\nx = indices + n;",
        ["in the loop, `n` are s-ops"],
    ),
}


@pytest.mark.parametrize("case", ILLEGAL)
def test_what_is_no_loop_is_told_why_and_where(case: str) -> None:
    text, said = ILLEGAL[case]
    message = refused(text)
    for part in said:
        assert part in message, message
