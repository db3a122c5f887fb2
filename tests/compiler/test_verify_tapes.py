"""Verification of models with a source: they verify from their tensors alone, and none that answers anything wrongly
does, wherever it was changed: in the encoder, in a head that crosses, in the decoder.

Whether a mutant answers wrongly is found out by running it on every source, and behind every target, that there is.
"""

from __future__ import annotations

import copy
import itertools
import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

import compiler
import rasp
from compiler.graph.domain.rows import Rows
from compiler.model import Transformer
from compiler.trust.verify import verify, verify_model
from rasp.settings import token_text
from tests.inputs import every
from tests.mutations import Mutant, mutants
from tests.places import PROGRAMS

MUTANTS = 40
VERIFIED = [
    "copy",
    "date",
    "from_morse",
    "from_roman",
    "parity",
    "question_answering",
    "reverse",
    "run_length_decode",
    "run_length_encode",
    "sort",
    "spell_numbers",
    "to_greek",
    "to_latin",
    "to_roman",
    "translate",
    "unique",
]
BEYOND = {
    "addition": "joint values",
    "bracket_repair": "pairs",
    "multiplication": "joint values",
    "pig_latin": "pairs",
    "scan": "joint values",
    "to_morse": "joint values",
}
"""Programs with more than is looked at."""
SMALL = {
    "copy": {"source": "ab", "vocab": "ab.", "max_source": 3},
    "reverse": {"source": "ab", "vocab": "ab.", "max_source": 3},
    "sort": {"source": "abc", "vocab": "abc.", "max_source": 3, "max_length": 3},
    "parity": {"max_source": 3},
    "unique": {"source": "ab", "vocab": "ab.", "max_source": 4, "max_length": 4},
    "addition": {"source": "019+", "vocab": "019.", "max_source": 3, "max_length": 3},
    "run_length_encode": {"source": "ab", "vocab": "ab123.", "max_source": 3, "max_length": 3},
}
"""Programs at settings so small that every source and every target can be tried."""
TEXTS = {
    "counts": "next = min(selector_width(select(source, tokens, ==)), 2);",
    "lengths": "next = source_length - indices;",
    "means": 'next = aggregate(select(source, "b", !=), indicator(source == "a"), 2);',
    "a decoder that looks back": 'back = aggregate(select(indices, indices - 1, ==), tokens, "");\n'
    "next = aggregate(select(source, back, ==) and select(indices, 0, ==), 1, 0);",
    "one value of many keys": "next = aggregate(select(source, tokens, ==), 1, 0);",
    "either": "next = aggregate(select(source, tokens, ==) or select(indices, indices, >), 1, 0);",
    "what the encoder finds": 'found = aggregate(select(source, "a", ==) or select(source, "b", ==), 1, 0);\n'
    "next = aggregate(select(source, tokens, ==), found, 2);",
    "either in the encoder": "found = aggregate(select(source, source, <) or select(indices, 1, ==), 1, 0);\n"
    'next = aggregate(select(indices, indices, ==) and select(found, 1, ==), source, "");',
    "the encoder's counts": "n = selector_width(select(source, source, ==));\n"
    "next = aggregate(select(indices, indices, ==), n, 0);",
    "required": "#@ requires: ok\nok = source_length > 1;\n"
    'next = aggregate(select(indices, source_length - 2, ==), source, "c");',
    "a decoder alone": "next = 1 if tokens == tokens[0] else 0;",
}
HEADER = '#@ output: next\n#@ source: "abc"\n#@ vocab: "abc"\n#@ max_source: 3\n#@ max_length: 3\n'


def small(name: str) -> rasp.Program:
    return rasp.load(PROGRAMS / "seq2seq" / f"{name}.rasp").replace(**SMALL[name])


def of_text(name: str) -> rasp.Program:
    return rasp.parse(HEADER + TEXTS[name])


class Tried:
    """All sources and all of the longest targets of a program, with its answers, which are those of prefixes too."""

    def __init__(self, program: rasp.Program, model: Transformer) -> None:
        settings = program.settings
        targets = [*itertools.product(settings.vocab or (), repeat=settings.longest - 1)]
        sources = [*every(settings.source or (), settings.longest_source)]
        meant = [(s, t) for s in sources for t in targets if program.is_meant(s, t)]
        answers = [_answers(program, s, t) for s, t in meant]
        self.right = [answer for answer in answers if answer is not None]
        kept = [pair for pair, answer in zip(meant, answers, strict=True) if answer is not None]
        assert kept
        start = token_text(settings.start)
        self.sources = model.padded([model.encode_source(s) for s, _ in kept])
        self.targets = model.padded([model.encode([start, *t]) for _, t in kept])

    @torch.no_grad()
    def wrong(self, model: Transformer) -> bool:
        """Whether a model answers any of it wrongly."""
        logits = model(*self.sources, *self.targets)
        (output,) = model.config.outputs
        answers = [[output.values[i] for i in row] for row in logits.argmax(-1).tolist()]
        return bool(not logits.isfinite().all() or answers != self.right)


def _answers(program: rasp.Program, source: Any, target: Any) -> list[Any] | None:
    try:
        return program.answers(source, target)["next"]
    except rasp.RaspError:
        return None


def judged(program: rasp.Program, changed: Iterable[Mutant], tried: Tried) -> Counter[str]:
    """What becomes of mutants: which answer wrongly, and which are refused."""
    found = Counter[str]()
    for mutant in changed:
        wrong, refused = tried.wrong(mutant.model), not verify_model(mutant.model).ok
        found["mutants"] += 1
        found["wrong"] += wrong
        found["wrong and refused"] += wrong and refused
        if wrong and not refused:
            found[f"missed: {mutant.what}"] += 1
    return found


def of_one_number(model: Transformer, among: str, count: int, seed: int) -> Iterator[Mutant]:
    """Mutants with one number changed, of tensors of such a name; a zero is changed as often as another."""
    chance = random.Random(seed)
    names = [name for name, tensor in model.named_parameters() if re.fullmatch(among, name) and tensor.numel()]
    for _ in range(count if names else 0):
        mutant = copy.deepcopy(model)
        flat = mutant.get_parameter(name := chance.choice(names)).detach().view(-1)
        zero = chance.random() < 0.5
        places = ((flat == 0) == zero).nonzero().flatten().tolist() or [*range(len(flat))]
        place, old = chance.choice(places), 0.0
        old = float(flat[place])
        flat[place] = chance.choice([-old, 2 * old, old / 2, 1.01 * old, 0.0, old + 1, old - 1, old + 30])
        yield Mutant(f"{name}[{place}]: from {old:g} to {float(flat[place]):g}", mutant)


@pytest.mark.parametrize("name", SMALL)
def test_a_compiled_model_verifies_and_answers_rightly(name: str, tmp_path: Path) -> None:
    program = small(name)
    made = compiler.compile(program)
    made.save(tmp_path / "model")
    verdict = verify(tmp_path / "model")
    assert verdict.ok, verdict.reason
    assert not Tried(program, made.model).wrong(made.model)
    assert verdict.tried is not None and verdict.tried.claims and verdict.tried.inputs


@pytest.mark.parametrize("name", TEXTS)
def test_what_looks_at_a_source_verifies(name: str) -> None:
    program = of_text(name)
    model = compiler.compile(program).model
    verdict = verify_model(model)
    assert verdict.ok, verdict.reason
    assert not Tried(program, model).wrong(model)


@pytest.mark.parametrize("dtype", ["float64", "bfloat16", "float16"])
def test_every_dtype_verifies(dtype: str) -> None:
    verdict = verify_model(compiler.compile(small("sort"), dtype=dtype).model)
    assert verdict.ok, verdict.reason
    assert verdict.certificate.dtype == dtype


def test_the_verdict_says_which_sources_and_targets_it_is_about() -> None:
    verdict = verify_model(compiler.compile(small("copy")).model)
    about = "for next on sources of 1 to 3 of the 2 tokens a b, and targets of 1 to 4 of the 3 tokens a b ."
    assert f"{about}, <start> in front" in verdict.shown()
    assert verdict.to_json()["settings"]["source"] == ["a", "b"]
    decisions = verify_model(compiler.compile(small("sort")).model).certificate.decisions
    assert {str(one).split(",")[0] for one in decisions} >= {"encoder L0H0", "L0 cross H0"}


def test_each_of_several_outputs_is_right() -> None:
    outputs = 'next = aggregate(select(indices, indices, ==), source, "a");\nother = source_length + indices;'
    program = rasp.parse(HEADER.replace("next", "next, other") + outputs)
    model = compiler.compile(program).model
    assert verify_model(model).ok
    with torch.no_grad():
        model.unembed.W_U[:, -1] *= -1
    assert verify_model(model).reason.startswith("output other")


@pytest.mark.parametrize("name", ["counts", "lengths", "means"])
def test_a_source_may_be_longer_than_the_target_and_shorter(name: str) -> None:
    for longest in ({"max_source": 5, "max_length": 2}, {"max_source": 1, "max_length": 4}):
        program = of_text(name).replace(**longest)
        model = compiler.compile(program).model
        verdict = verify_model(model)
        assert verdict.ok, verdict.reason
        assert not Tried(program, model).wrong(model)


@pytest.mark.parametrize(
    ("changed", "what"),
    [
        ({"source": ["a", "c"]}, "the source's vocabulary"),
        ({"max_source": 2}, "max_source"),
        ({"start": "<s>"}, "the vocabulary"),
        ({"vocab": ["a", "b", "!"]}, "the vocabulary"),
        ({"max_length": 3}, "max_length"),
    ],
)
def test_the_settings_of_config_and_program_must_agree(changed: dict[str, Any], what: str) -> None:
    model = compiler.compile(small("copy")).model
    model.labels["program"]["settings"] |= changed
    assert verify_model(model).reason.startswith(f"{what}: ")


def test_the_token_that_a_target_begins_with_must_agree() -> None:
    model = compiler.compile(small("copy")).model
    model.config = replace(model.config, start="a")
    assert verify_model(model).reason.startswith("the token that a target begins with: ")


def test_a_model_with_an_encoder_is_of_a_program_with_a_source() -> None:
    one, two = rasp.parse("next = tokens;"), of_text("a decoder alone")
    of_one = compiler.compile(one.replace(vocab="abc", max_length=4, output="next")).model
    of_two = compiler.compile(two).model
    of_one.labels, of_two.labels = of_two.labels, of_one.labels
    assert "the vocabulary" in verify_model(of_one).reason
    assert not verify_model(of_two).ok


def test_a_wrong_belief_about_the_source_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if no source were longer than the longest target."""
    monkeypatch.setattr(Rows, "longest", lambda self, crosses: self.setting.max_length)
    program = rasp.parse(HEADER.replace("length: 3", "length: 2") + "next = source_length;")
    verdict = verify_model(compiler.compile(program).model)
    assert not verdict.ok
    assert "the analysis is wrong" in verdict.reason and "but not on the source `a a a`" in verdict.reason


def test_a_wrong_belief_about_the_encoder_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if no selector ever selected two keys."""
    monkeypatch.setattr(Rows, "selects_one", lambda self, node: True)
    found = 'found = aggregate(select(source, "a", ==), indices, 0);\n'
    program = rasp.parse(HEADER + found + "next = aggregate(select(source, tokens, ==), found, 0);")
    verdict = verify_model(compiler.compile(program).model)
    assert not verdict.ok
    assert "the analysis is wrong" in verdict.reason and "source `a a` and the target `<start>`" in verdict.reason


@pytest.mark.slow
@pytest.mark.parametrize("name", VERIFIED)
def test_a_program_of_the_library_verifies(name: str) -> None:
    verdict = verify_model(compiler.compile(rasp.load(PROGRAMS / "seq2seq" / f"{name}.rasp")).model)
    assert verdict.ok, verdict.reason


@pytest.mark.slow
@pytest.mark.parametrize("name", BEYOND)
def test_where_there_is_too_much_to_look_at_it_says_so(name: str) -> None:
    verdict = verify_model(compiler.compile(rasp.load(PROGRAMS / "seq2seq" / f"{name}.rasp")).model)
    assert not verdict.ok
    assert BEYOND[name] in verdict.reason and "more than " in verdict.reason


@pytest.mark.parametrize(
    "among", ["encoder.*", ".*cross.W_Q", ".*cross.W_K", ".*cross.W_V", ".*cross.W_O", "(un)?embed.*"]
)
def test_no_number_that_is_changed_into_a_wrong_answer_verifies(among: str) -> None:
    program = small("sort")
    model = compiler.compile(program).model
    tried = Tried(program, model)
    found = judged(program, of_one_number(model, among, 25, seed=1), tried)
    assert found["wrong and refused"] == found["wrong"] >= 3, found


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SMALL, *TEXTS])
def test_no_mutant_that_answers_wrongly_verifies(name: str) -> None:
    program = small(name) if name in SMALL else of_text(name)
    model = compiler.compile(program).model
    tried = Tried(program, model)
    found = judged(program, itertools.islice(mutants(model, seed=1), MUTANTS), tried)
    found += judged(program, of_one_number(model, ".*", MUTANTS, seed=2), tried)
    assert found["wrong and refused"] == found["wrong"] >= MUTANTS // 4, found
