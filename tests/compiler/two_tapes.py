"""What tests of programs with a source share: the compiled programs, and sources with targets so far.

for source, target in cases(compiled("sort"), 3): ...
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache

import compiler
import rasp
from compiler.pipeline import Compiled
from rasp.settings import token_text
from tests.places import PROGRAMS

SEVERAL = ["addition", "copy", "reverse", "sort", "translate"]
"""Programs that use all there is: self-attention, cross-attention, neurons of both stacks."""


LONGEST = {"addition": 11, "translate": 8}
"""The longest source in tests, where it is not 16."""


def program(name: str) -> rasp.Program:
    """A program of the theme, for sources that a test can look at."""
    found = rasp.load(PROGRAMS / "seq2seq" / f"{name}.rasp")
    longest = LONGEST.get(name, 16)
    return found.replace(max_source=longest, max_length=longest + 1) if name in SEVERAL else found


@cache
def compiled(name: str) -> Compiled:
    """The same, compiled."""
    return compiler.compile(program(name))


def cases(made: Compiled, count: int) -> Iterator[tuple[list[str], list[str]]]:
    """The examples of the header with what is written for them; then random sources that are meant, with targets so
    far of any tokens."""
    program, rng = made.program, random.Random(1)
    for example in program.settings.examples:
        yield [*map(token_text, example.input)], [*map(token_text, example.output)][:-1]
    shown = [[*map(token_text, example.input)] for example in program.settings.examples]
    vocabulary = [*map(token_text, program.settings.source or ())]
    found = 0
    while found < count:
        source = [rng.choice(vocabulary) if rng.random() < 0.3 else token for token in rng.choice(shown)]
        if program.is_meant(source):
            found += 1
            length = rng.randrange(min(made.setting.max_length, 10))
            yield source, rng.choices([*map(token_text, made.setting.written)], k=length)
