"""Programs that once ended in a traceback: each is compiled right now, or refused with a reason.

Each is here for what it is an instance of; `compiled` are checked at every stage on all short inputs.
"""

from __future__ import annotations

import pytest

import compiler
import rasp
from compiler.trust.compare import check

SETTINGS = '#@ vocab: "ab"\n#@ max_length: 4\n'

COMPILED = {
    "a constant that is written as a sum of variables, where tables would be long": """
        #@ max_length: 48
        x = length - indices;
        y = x if tokens == "a" else x - 1;
    """,
    "a default of another kind, which no row takes": 'o = aggregate(select(indices, indices, ==), indices, "z");',
    "the same behind a choice": """
        p = aggregate(select(indices, length - 1 - indices, ==), tokens, 7);
        here = select(indices, indices, ==);
        o = aggregate(here, 2 * indices, 10 ^ 200) if p == "a" else aggregate(here, tokens == "a", "q");
    """,
    "a default of another kind, which no input that is meant takes": """
        #@ requires: starts_with_a
        #@ output: o
        p = aggregate(select(tokens, "a", ==) and select(indices, 0, ==), tokens, "z");
        starts_with_a = p == "a";
        o = (1 if p == "a" else "q") + indices;
    """,
    "a requirement of token and position beside the length": """
        #@ requires: early
        #@ output: o
        early = tokens == "a" or indices < 2;
        o = (length - indices) * 2 if tokens == "a" else length % 2;
    """,
    "a truth that is the same whatever a mean is": """
        o = aggregate(select(length, 3, ==), aggregate(select(tokens, tokens, <=), indices), "") in [];
    """,
    "a number that no float32 holds": 'o = 2 * 10 ^ 300 if tokens == "a" else 1;',
    "a number that no float holds": 'o = 2 * 10 ^ 400 if tokens == "a" else 1;',
    "numbers whose distance no float holds": "o = indices / 10 ^ 300;",
}


@pytest.mark.parametrize("what", COMPILED)
def test_it_is_compiled_and_right(what: str) -> None:
    report = check(compiler.compile(rasp.parse(SETTINGS + dedented(COMPILED[what]))), samples=100, max_exhaustive=60)
    assert report.ok, str(report)


REFUSED = {
    "numbers that the weights cannot hold": (
        "o = aggregate(select(tokens, tokens, ==), 10 ^ 400 if indices == 0 else 1);",
        "too-large",
        "the most extreme number is in `o`: 1.0e+400",
    ),
    "numbers whose inverse the weights cannot hold": (
        "x = aggregate(select(tokens, tokens, ==), indices / 10 ^ 170); o = aggregate(select(x, x, ==), tokens);",
        "too-large",
        "the most extreme number is in `x`: 2.5e-171",
    ),
    "numbers that cannot be written down": (
        "o = 10 ^ 5000 * indices;",
        "too-long-numbers",
        "numbers of more than 4096 bits are not compiled",
    ),
    "fractions that cannot be written down": (
        "o = indices / 10 ^ 5000;",
        "too-long-numbers",
        "numbers of more than 4096 bits are not compiled",
    ),
    "a requirement that no token meets": (
        '#@ requires: met\n#@ output: o\nmet = tokens == "c";\no = indices;',
        "nothing-meant",
        "no input meets `requires`",
    ),
    "requirements that no position meets together": (
        '#@ requires: ["first", "second"]\n#@ output: o\nfirst = indices == 0;\nsecond = indices == 1;\no = tokens;',
        "nothing-meant",
        "no input meets `requires`",
    ),
    "a requirement that no length meets": (
        "#@ requires: met\n#@ output: o\nmet = length > 9;\no = indices / (length - length);",
        "nothing-meant",
        "no input meets `requires`",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_refused_with_the_reason(what: str) -> None:
    text, code, message = REFUSED[what]
    with pytest.raises(rasp.RaspError) as refused:
        compiler.compile(rasp.parse(SETTINGS + text))
    (problem,) = refused.value.diagnostics
    assert (problem.code, message in problem.message) == (code, True)
    assert problem.hint


def test_what_tables_tell_of_a_requirement_is_told_by_every_stage() -> None:
    """Not only where inputs are tried before the work: with more of them than are tried, too."""
    text = '#@ vocab: "abcdefgh"\n#@ max_length: 40\n#@ requires: met\n#@ output: o\nmet = tokens == "z";\no = indices;'
    with pytest.raises(rasp.RaspError, match="no input meets `requires`: `met` is True on none"):
        compiler.pipeline.Compiled(rasp.parse(text)).emit("graph")


def test_constants_that_have_no_order_are_named_as_the_reason() -> None:
    """Fewer alternatives, which large selectors need, would not help here."""
    text = SETTINGS + 'o = selector_width(select(1, "a", <) and select(tokens, tokens, ==));'
    with pytest.raises(rasp.RaspError) as refused:
        check(rasp.parse(text))
    (problem,) = refused.value.diagnostics
    assert (problem.code, problem.hint) == ("never-defined", "compare strings with strings, numbers with numbers")
    assert 'cannot order 1 < "a"' in problem.message


def dedented(text: str) -> str:
    return "\n".join(line.strip() for line in text.splitlines())
