"""The machines from the outside: programs become prompts and come back, mistakes have a place, texts are steps."""

from __future__ import annotations

import random
from types import ModuleType

import pytest

from rasp.machines.assembler import assembled
from rasp.machines.disassembler import disassembled
from rasp.machines.formats import MACHINES, Token
from rasp.machines.steps import steps, table
from rasp.text.source import RaspError, Source
from tests.places import PROGRAMS
from tests.programs.machines import brainfuck, bytes, counters, subleq, turing

REFERENCES: dict[str, ModuleType] = {
    "brainfuck": brainfuck,
    "bytes": bytes,
    "counters": counters,
    "subleq": subleq,
    "turing": turing,
}
ASSEMBLED = sorted((PROGRAMS / "machines" / "asm").glob("*.asm"))
every_machine = pytest.mark.parametrize("name", MACHINES)


def prompt(text: str) -> list[Token]:
    return list(assembled(Source(text)).tokens)


def message(text: str) -> str:
    with pytest.raises(RaspError) as caught:
        prompt(text)
    return str(caught.value)


def test_there_is_a_format_for_every_machine() -> None:
    assert sorted(MACHINES) == sorted(path.stem for path in (PROGRAMS / "machines").glob("*.rasp"))


def test_labels_names_and_registers_stand_for_numbers() -> None:
    text = ".machine bytes\n.b 3\nn = 200 ; a name\nagain: set n\nhere: there: jz there\n jump again"
    assert prompt(text) == ["set", 200, "jz", 1, "jump", 0, "|", 0, 3]


def test_a_place_that_is_left_out_is_the_next_one() -> None:
    assert prompt(".machine counters\n.x 2\nloop: decx done\nincy loop\ndone: end") == [
        *("decx", 1, 2, "incy", 0, 0, "end", 0, 0, "|", "x+", "x+", 0)
    ]
    assert prompt(".machine counters\nincx\ndecy 0 1") == ["incx", 1, 1, "decy", 0, 1, "|", 0]
    assert prompt(".machine subleq\n.start 3\nsubleq z z\nz: .data -5") == [3, 3, 3, -5, *[0] * 12, 3]


MISTAKES = {
    "set 7": """\
error[machine]: a program says first which machine it is for
 --> <text>:1:1
1 | set 7
  | ^^^
  hint: write `.machine` and one of brainfuck, bytes, counters, subleq, turing""",
    ".machine byte": """\
error[machine]: there is no machine `byte`
 --> <text>:1:10
1 | .machine byte
  |          ^^^^
  hint: did you mean `bytes`?""",
    ".machine bytes\nl: stor 3\nset 256": """\
error[instruction]: `bytes` has no instruction `stor`
 --> <text>:2:4
2 | l: stor 3
  |    ^^^^
  hint: did you mean `store`?

error[number]: 256 is not from 0 to 255
 --> <text>:3:5
3 | set 256
  |     ^^^""",
    ".machine bytes\nset\nhalt 1 2": """\
error[operands]: `set` takes 1 operand, not 0
 --> <text>:2:1
2 | set
  | ^^^

error[operands]: `halt` takes 0 operands, not 2
 --> <text>:3:6
3 | halt 1 2
  |      ^""",
    ".machine bytes\nlopp: jump loop": """\
error[unknown-name]: `loop` is not defined
 --> <text>:2:12
2 | lopp: jump loop
  |            ^^^^
  hint: did you mean `lopp`?""",
    ".machine bytes\nx: nop\nx = 2\n.c 1\n.a": """\
error[twice]: `x` has been defined before
 --> <text>:3:1
3 | x = 2
  | ^

error[register]: `bytes` has no register `c`
 --> <text>:4:1
4 | .c 1
  | ^^
  hint: there are a, b

error[operands]: `.a` takes one number
 --> <text>:5:1
5 | .a
  | ^^""",
    ".machine brainfuck\n+[x]": """\
error[instruction]: `x` is no sign of `brainfuck`
 --> <text>:2:3
2 | +[x]
  |   ^""",
    ".machine turing\na0 2Rb": """\
error[instruction]: `2Rb` is no word of `turing`
 --> <text>:2:4
2 | a0 2Rb
  |    ^^^
  hint: did you mean `1Rb`?""",
    ".machine subleq\n" + "subleq 0 0\n" * 5 + ".data 1 2": """\
error[too-long]: 17 cells are more than the 16 of `subleq`
 --> <text>:7:1
7 | .data 1 2
  | ^^^^^""",
    ".machine counters\n" + "incx\n" * 16: """\
error[operands]: there is no place behind this one to go on at, in `counters`
  --> <text>:17:1
17 | incx
   | ^^^^""",
}


@pytest.mark.parametrize("text", MISTAKES)
def test_a_mistake_is_shown_at_its_place(text: str) -> None:
    assert message(text) == MISTAKES[text]


@pytest.mark.parametrize("path", ASSEMBLED, ids=lambda path: path.stem)
def test_what_is_assembled_comes_back_as_a_text_that_assembles_to_it(path) -> None:  # type: ignore[no-untyped-def]
    found = assembled(Source(path.read_text("utf-8"), path.name))
    assert prompt(disassembled(found.machine.name, found.tokens)) == list(found.tokens)


@every_machine
def test_random_prompts_come_back_or_no_text_says_them(name: str) -> None:
    rng = random.Random(name)
    came_back = 0
    for _ in range(300):
        tokens = REFERENCES[name].drawn(rng)
        try:
            text = disassembled(name, tokens)
        except RaspError:
            continue
        assert prompt(text) == tokens
        came_back += 1
    assert came_back >= 30


@every_machine
def test_the_steps_of_a_text_are_told_as_they_come_and_the_last_one_says_how_it_ended(name: str) -> None:
    rng = random.Random(name)
    reference = REFERENCES[name]
    for _ in range(200):
        tokens = reference.drawn(rng)
        written = [str(token) for token in reference.written(tokens)]
        found = list(steps(name, tokens, iter(written), reference.HALTS | reference.ERRORS))
        assert not any(step.ended for step in found[:-1])
        assert found[-1].ended == ("halt" if written[-1] in turing.HALTS else written[-1])
        assert len({tuple(step.shows) for step in found if len(step.shows) > 1}) <= 1


def test_a_table_has_a_column_for_everything_that_is_shown() -> None:
    written = ["@0", 7, 0, "@1", 7, 0, "@2", "halt"]
    found = steps("bytes", ["set", 7, "store", 9, "halt", 0, "|", 0, 0], written, ["halt"])
    assert table(list(found)) == (
        "pc  instruction  a  b  memory  out\n"
        "0   set 7        7  0\n"
        "1   store 9      7  0  M[9]=7\n"
        "2   halt 0                          halt"
    )
