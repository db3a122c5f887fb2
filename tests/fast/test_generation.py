"""A recurrence writes what the interpreter writes: at every step, and for every way to keep what a head needs."""

from __future__ import annotations

import inspect
import itertools
import math
import random
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import compiler
import rasp
from compiler.graph.domain import Setting
from compiler.graph.specialise import specialise
from compiler.graph.witness import required
from compiler.lowering.build import build
from compiler.model import ModelError, Reading, Transformer
from compiler.numbers.exact import Multiples
from compiler.pipeline import Compiled
from compiler.runtime.fast.generation import Next, Recurrence, RecurrentReading, recurrence
from compiler.runtime.fast.kept import Logs, Nearest
from compiler.runtime.fast.model import Fast
from compiler.runtime.fast.plan import Plan, _Replaced, plan
from rasp import RaspError
from rasp.meaning.interpreter import evaluate_each
from rasp.meaning.listing import listing
from rasp.meaning.sop import SOp
from rasp.value import Value
from tests.compiler.test_generate import PROMPTS, every_decoder, program
from tests.library import LIBRARY
from tests.random_programs import VOCABULARY, seeded

SOME = ("sort", "paper/dyck_2_ptf", "languages/life_on_a_ring", "decoders/addition", "position/median_position")
LONG = {"traffic_light": 2000, "close_brackets": 1500, "copy": 1500, "induction": 2000, "turing_machine": 1500}


def causal(source: str, vocab: Sequence[object] = "abc", max_length: int = 8) -> Compiled:
    return compiler.compile(rasp.parse(source), vocab=vocab, max_length=max_length, attention="causal")


def plan_of(compiled: Compiled, scored: bool = False) -> Plan:
    found = plan(compiled.circuit, scored)
    assert isinstance(found, Plan), found
    return found


def recurrent(compiled: Compiled) -> Recurrence:
    made = recurrence(plan_of(compiled))
    assert isinstance(made, Recurrence), made
    return made


def answers(made: Recurrence, output: str, ids: Sequence[int]) -> list[int]:
    """What the output is behind each token, by its number."""
    step = made.begin()
    return [made.nearest(output, step(token, position)) for position, token in enumerate(ids)]


def require_right(compiled: Compiled, inputs: Sequence[Sequence[Value]], made: Recurrence | None = None) -> int:
    """Every output at every step is the interpreter's, as far as it has an answer; how many inputs have one."""
    made, texts, done = made or recurrent(compiled), dict(zip(compiled.setting.vocabulary, itertools.count())), 0
    needed = required(compiled.program)
    for tokens in inputs:
        tokens = longest_meant(compiled, needed, tokens)
        [expected] = evaluate_each(list(compiled.sop.values()), [tokens], True) if tokens else [RaspError]
        if not isinstance(expected, list):
            continue
        ids = [texts[token] for token in tokens]
        for name, wanted in zip(compiled.sop, expected, strict=True):
            values = [value for value, _ in next(o for o in compiled.circuit.outputs if o.name == name).codes]
            assert [values[choice] for choice in answers(made, name, ids)] == wanted, (name, tokens)
        done += 1
    return done


def longest_meant(compiled: Compiled, needed: list[SOp], tokens: Sequence[Value]) -> Sequence[Value]:
    """As much of the input as the program promises something about."""
    while tokens:
        kept, answer = evaluate_each(needed, [tokens], True), evaluate_each(list(compiled.sop.values()), [tokens], True)
        if not isinstance(kept[0], RaspError) and all(map(all, kept[0])) and not isinstance(answer[0], RaspError):
            break
        tokens = tokens[: len(tokens) * 2 // 3]
    return tokens


def drawn(compiled: Compiled, count: int, rng: random.Random) -> list[list[Value]]:
    """Random inputs of the greatest length, of few tokens and of many."""
    words = compiled.setting.vocabulary
    few = [rng.sample(words, rng.choice((1, 2, min(3, len(words)), len(words)))) for _ in range(count)]
    return [rng.choices(some, k=compiled.setting.max_length) for some in few]


# -- programs --------------------------------------------------------------------------------------------------------


@every_decoder
def test_every_decoder_writes_what_the_interpreter_writes(name: str) -> None:
    decoder = program(name)
    fast = compiler.compile(decoder).fast
    assert isinstance(fast.reading(8), RecurrentReading)
    for prompt in PROMPTS[name]:
        expected = decoder.generate(prompt)  # type: ignore[arg-type]
        assert fast.generate(prompt) == expected  # type: ignore[arg-type]
        assert fast.generate(prompt, temperature=1.0, seed=1) == expected  # type: ignore[arg-type]


@every_decoder
def test_every_decoder_reads_random_tokens_as_the_model_does(name: str) -> None:
    """Those the program means, token by token: the best token is that of plain attention."""
    compiled = compiler.compile(program(name))
    made, model = recurrent(compiled), compiled.model
    texts = dict(zip(compiled.setting.vocabulary, itertools.count()))
    for tokens in drawn(compiled, 4, random.Random(name)):
        plain, fast = Reading(model, model.config.n_ctx), RecurrentReading(made, model)
        for token in longest_meant(compiled, required(compiled.program), tokens):
            assert fast.best([texts[token]], "next") == plain.best([texts[token]], "next")
    assert require_right(compiled, drawn(compiled, 8, random.Random(name))) > 0


@pytest.mark.slow
@pytest.mark.parametrize("name", LONG)
def test_long_texts_keep_to_the_interpreter_and_to_plain_attention(name: str) -> None:
    compiled = compiler.compile(program(name), max_length=LONG[name])
    made, model = recurrent(compiled), compiled.model
    for tokens in drawn(compiled, 2, random.Random(name)):
        tokens = longest_meant(compiled, required(compiled.program), tokens)
        ids = [compiled.setting.vocabulary.index(token) for token in tokens]
        plain = Reading(model, model.config.n_ctx)
        written = answers(made, "next", ids)
        assert [plain.best([token], "next") for token in ids] == written
        values = model.config.outputs[0].values
        assert [values[choice] for choice in written] == compiled.program["next"](tokens)


@pytest.mark.parametrize("name", ["repeat_aab", "fibonacci_digits", "traffic_light", "count_up"])
def test_10000_tokens_keep_to_the_interpreter(name: str) -> None:
    """A causal program answers for every prefix at once, so one run of it checks every step."""
    decoder = program(name).replace(max_length=10_100)
    prompt = PROMPTS[name][0]
    written = compiler.compile(decoder).fast.generate(prompt, 10_000, stop=[])  # type: ignore[arg-type]
    assert len(written) == 10_000
    text = [*prompt, *written]  # type: ignore[misc]
    assert decoder["next"](text[:-1])[len(prompt) - 1 :] == written  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "name", [name if name in SOME else pytest.param(name, marks=pytest.mark.slow) for name in LIBRARY]
)
def test_every_program_of_the_library_that_is_read_left_to_right(name: str) -> None:
    """Under causal attention, every output, token by token, on random inputs."""
    try:
        compiled = compiler.compile(LIBRARY[name].program, attention="causal")
    except RaspError:
        assert LIBRARY[name].program.settings.attention != "causal"
        return
    assert require_right(compiled, drawn(compiled, 12, random.Random(name))) > 0


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 1000, 100))
def test_random_programs(first: int) -> None:
    known = 0
    for seed in range(first, first + 100):
        node = seeded(seed, 2 + seed % 5)
        try:
            built = build(specialise({"out": node}, {}, Setting(VOCABULARY, 8, True)))
        except RaspError:
            continue
        circuit = built.circuit
        found = plan(circuit) if built.certificate.ok else "not certified"
        if isinstance(found, str):
            continue
        made, rng = Recurrence(found), random.Random(seed)
        values = [value for value, _ in circuit.outputs[0].codes]
        inputs = [rng.choices(VOCABULARY[: rng.choice((1, 2, 4))], k=8) for _ in range(20)]
        for tokens, expected in zip(inputs, evaluate_each([node], inputs, True), strict=True):
            if not isinstance(expected, RaspError):
                given = [VOCABULARY.index(token) for token in tokens]
                assert [values[i] for i in answers(made, "out", given)] == expected[0], listing({"out": node})
        known += 1
    assert known > 80


# -- ways to keep the past -------------------------------------------------------------------------------------------

WAYS = {
    "a step back": ('o = shift(tokens, 2, "-");', "[p0]"),
    "a count so far": ('o = selector_width(select(tokens, "b", ==));', "s0 = s0 + 1.0"),
    "a count before": (
        "o = selector_width(select(tokens, tokens, ==) and select(indices, indices, <));",
        "r1 = (k0.get(",
    ),
    "a mean so far": ('o = round(8 * aggregate(select(tokens, "a", !=), 4 * indices));', "/ "),
    "a mean for each code": ("o = aggregate(select(tokens, tokens, ==), indices) > 2;", "/ "),
    "a sum in a window": (
        'w = select(indices, indices - 2, >=); o = selector_width(w and select(tokens, "a", ==));',
        "[-1] + ",
    ),
    "a count of equals in a window": (
        "w = select(indices, indices - 3, >=); o = selector_width(w and select(tokens, tokens, ==));",
        ".between(",
    ),
    "a mean of equals in a window": (
        "w = select(indices, indices, <) and select(indices, indices - 3, >=);\n"
        "o = aggregate(w and select(tokens, tokens, ==), indices) > 2;",
        ".between(",
    ),
    "an order": ('k = indices + 3 * indicator(tokens == "a"); o = aggregate(select(k, 7 - indices, >), 1);', "max("),
    "some classes": ("o = selector_width(select(tokens, tokens, <=));", ".get("),
    "a place that is computed": (
        'seen = selector_width(select(tokens, "a", ==)); o = aggregate(select(indices, seen, ==), tokens, "-");',
        ".get(",
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_keep_the_past(way: str) -> None:
    """On every input of up to six tokens, all prefixes at once."""
    source, sign = WAYS[way]
    compiled = causal(source)
    assert sign in recurrent(compiled).source
    assert require_right(compiled, list(itertools.product("abc", repeat=6))) == 729


def test_heads_that_are_known_by_their_scores_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them here: they score all keys again, and there is room for more keys than at first."""
    monkeypatch.setattr(_Replaced, "_step", lambda self, head: "its scores only")
    for source, _ in WAYS.values():
        found = plan(causal(source).circuit, scored=True)
        assert isinstance(found, Plan) and not any(layer.steps for layer in found.layers)
        assert require_right(causal(source), list(itertools.product("abc", repeat=5)), Recurrence(found)) == 243
    compiled = causal(WAYS["a sum in a window"][0], max_length=200)
    made = recurrence(plan_of(compiled, scored=True))
    assert isinstance(made, Recurrence)
    assert require_right(compiled, drawn(compiled, 3, random.Random(0)), made) == 3


def test_a_count_is_made_whole_by_its_offset() -> None:
    """Sums of thirds are not exact in float64 either; where they are counts, rounding makes them whole (C19)."""
    compiled = causal("third = 1 / 3; o = round(6 * length * aggregate(full_s, third));", max_length=12)
    assert require_right(compiled, [["a"] * 12]) == 1


def test_a_place_is_not_a_number_that_is_equal_to_it() -> None:
    """The places and the numbers of a position can be the same column of zeros."""
    compiled = causal("far = {0: 10 ^ 29}[0 * indices]; o = far[1] > aggregate(select(tokens, 0, ==), 1);")
    assert require_right(compiled, list(itertools.product("abc", repeat=3))) == 27


def test_a_recurrence_keeps_nothing_of_an_earlier_text() -> None:
    made = recurrent(causal("o = selector_width(select(tokens, tokens, ==));"))
    assert answers(made, "o", [0, 0, 1]) == answers(made, "o", [0, 0, 1])


def test_logits_are_those_of_the_model() -> None:
    """The nearest value has the largest logit, as far ahead as in the model: at least by the gap it was given."""
    compiled = causal("seen = selector_width(select(tokens, tokens, ==)); o = 3 * seen - indices;")
    model, made = compiled.model, recurrent(compiled)
    plain, fast = Reading(model, model.config.n_ctx), RecurrentReading(made, model)
    for token in (0, 1, 0, 0, 2, 1, 0, 0):
        one, other = plain.read([token]), fast.read([token])
        assert one.dtype == other.dtype and one.shape == other.shape
        assert one.argmax() == other.argmax()
        assert (other.topk(2).values.diff() <= -compiled.precision.logit_gap).all()
        assert Multiples.of(compiled.circuit.outputs[0].codes[0][1]).distance == Fraction(1)


@pytest.mark.parametrize("step", [lambda token, position: (math.nan,), lambda token, position: (round(math.inf),)])
def test_numbers_that_are_not_finite_are_no_answer(step: Next) -> None:
    """None is near to any value of an output, and none can be rounded."""
    compiled = causal("o = tokens;")
    for enter in (RecurrentReading.best, RecurrentReading.logits):
        reading = RecurrentReading(recurrent(compiled), compiled.model)
        reading.read([0, 1])
        reading.step = step
        with pytest.raises(ModelError, match="at position 2 are not finite"):
            enter(reading, [1], "o")


def test_without_a_plan_the_model_itself_reads() -> None:
    compiled = causal("o = tokens;")
    assert isinstance(Fast(compiled.model, "not today").reading(4), Reading)
    assert isinstance(Fast(compiled.model, plan(compiled.circuit), "plain").reading(4), Reading)
    assert Fast(compiled.model, "not today").generate("ab", 3) == ["b", "b", "b"]


def test_many_classes_and_bidirectional_models_are_no_recurrence() -> None:
    found = plan_of(compiler.compile(rasp.parse("o = tokens;"), vocab="ab"))
    assert "bidirectional" in str(recurrence(found))
    words = [f"{number:03}" for number in range(100)]
    both = 't = shift(tokens, 1, "000"); o = selector_width(select(tokens, tokens, <) and select(t, t, <));'
    wide = causal(both, words)
    assert "classes" in str(recurrence(plan_of(wide)))
    assert isinstance(wide.fast.reading(4), Reading)


def test_generate_has_the_arguments_of_stream() -> None:
    one, other = inspect.signature(Transformer.stream), inspect.signature(Transformer.generate)
    assert one.parameters == other.parameters and other.return_annotation == "list[Scalar]"


# -- what keeps it ---------------------------------------------------------------------------------------------------


@given(
    st.lists(st.tuples(st.sampled_from("xyz"), st.integers(-9, 9))),
    st.integers(-1, 12),
    st.integers(-1, 12),
    st.sets(st.sampled_from("xyzw")),
)
def test_logs_count_and_add_up_what_lies_between(
    past: list[tuple[str, int]], first: int, last: int, codes: set[str]
) -> None:
    logs = Logs(1)
    for place, (code, value) in enumerate(past):
        logs.add(code, place, (float(value),))
    seen = [value for place, (code, value) in enumerate(past) if first <= place <= last and code in codes]
    assert logs.between(codes, first, last) == ((len(seen), [float(sum(seen))]) if first <= last else (0, [0.0]))


@given(st.lists(st.integers(-50, 50), min_size=1, unique=True), st.floats(-60, 60))
def test_nearest_gives_the_value_of_the_nearest_number(numbers: list[int], number: float) -> None:
    found = Nearest([(float(one),) for one in numbers], numbers)[number]
    assert abs(found - number) == np.abs(np.array(numbers) - number).min()
