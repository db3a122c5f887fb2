"""Every program of the library, at its declared settings and under both attentions, at every stage.

All inputs up to a short length, which depends on how many tokens there are, and 1,000 random ones of all lengths up to
the longest, besides awkward ones: graph, weights and model on all of them, the exact circuit on a few.
"""

from __future__ import annotations

import pytest

import compiler
from compiler.trust import compare
from rasp import RaspError
from tests.library import LIBRARY, both_attentions

ATTENTIONS = ("bidirectional", "causal")
SAMPLES = 1000
SHORT = 700
"""All inputs of length 1, 2, ... are tried as long as there are no more than this."""
EXACT = 40
"""The circuit sees inputs of about this many tokens in all."""
REFUSED: dict[tuple[str, str], str] = {
    ("numbers/deepest_nesting", "causal"): "too-large",
    ("numbers/index_of_maximum", "causal"): "not-certified",
    ("numbers/last_index_of_minimum", "causal"): "not-certified",
    ("numbers/median_of_the_middle", "causal"): "too-many-values",
    ("numbers/top_three_mean", "causal"): "too-many-values",
    ("numbers/trimmed_mean", "causal"): "too-many-values",
    ("numbers/variance", "causal"): "too-many-values",
    ("sequence/range", "causal"): "too-many-combinations",
}
"""What the compiler declines under the attention that the header does not declare, with the code of the reason."""


def whole_lengths(tokens: int) -> tuple[int, int]:
    """The length up to which all inputs are tried, and how many they are; length 1 in any case."""
    length, count = 1, tokens
    while count + tokens ** (length + 1) <= SHORT:
        length += 1
        count += tokens**length
    return length, count


def test_short_lengths() -> None:
    """Two to four tokens for most vocabularies."""
    assert {tokens: whole_lengths(tokens)[0] for tokens in (2, 3, 5, 8, 10, 21, 30)} == {
        2: 8, 3: 5, 5: 3, 8: 3, 10: 2, 21: 2, 30: 1,
    }  # fmt: skip


@pytest.mark.parametrize(("name", "attention"), both_attentions(LIBRARY))
def test_every_stage_of_every_program_answers_as_the_interpreter(
    name: str, attention: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare, "CIRCUIT_TOKENS", EXACT)
    program = LIBRARY[name].program
    declared = attention == program.settings.attention
    try:
        compiled = compiler.compile(program, attention=attention)
    except RaspError as refusal:
        reason = refusal.diagnostics[0].code
        if declared or REFUSED.get((name, attention)) != reason:
            raise
        return
    length, count = whole_lengths(len(compiled.setting.vocabulary))
    report = compiler.check(compiled, samples=SAMPLES, max_exhaustive=count)
    assert not report.differences, report
    assert report.stages == ["analysis", "graph", "lowered", "compressed", "circuit", "weights", "model"]
    assert report.ok or not declared, "under the other attention a program may have few answers"
    assert report.inputs > report.skipped and report.exact > 0
    if not program.settings.requires:
        assert (report.complete, report.short, report.random) == (length, count, SAMPLES)


def test_at_most_a_few_are_refused_under_the_other_attention() -> None:
    assert set(REFUSED) <= {(name, attention) for name in LIBRARY for attention in ATTENTIONS}
    assert len(REFUSED) <= len(LIBRARY) // 20
