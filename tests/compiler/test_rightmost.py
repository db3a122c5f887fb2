"""The last and the first of several keys in one head, whichever way a program asks for it (C43)."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction

import pytest

import compiler
import rasp
from compiler.circuit.certify import certify
from compiler.circuit.circuit import Circuit
from compiler.circuit.layer import Head, Part
from compiler.graph.domain import Analysis, Rightmost, Setting
from compiler.graph.relation import disjuncts
from compiler.pipeline import Compiled
from compiler.runtime.fast.generation import RecurrentReading
from compiler.trust.compare import check
from compiler.trust.verify import verify_model
from rasp.meaning.interpreter import evaluate
from rasp.meaning.sop import Aggregate, And, Constant, Indices, Map, Select, Selector, SOp, Tokens, Width
from rasp.text.source import RaspError
from tests.inputs import every

BOTH = ("causal", "bidirectional")
BEFORE = 'w = select(tokens, shift(tokens, 1, ""), ==); '
RUNNING = "n = selector_width(select(tokens, tokens, ==) and select(indices, indices, <=)); "
STRICT = "n = selector_width(select(tokens, tokens, ==) and select(indices, indices, <)); "
BACK = "n = selector_width(select(tokens, tokens, ==) and select(indices, indices, >=)); "
VOWELS = 'v = select(tokens in ["a", "b"], True, ==); n = selector_width(v and select(indices, indices, <=)); '
EARLY = 'w = select(tokens, shift(tokens, 1, ""), ==) and select(indices, indices, <); '

WAYS = {
    "the library's": ("last", BOTH, 'y = latest(tokens, shift(tokens, 1, ""), indices, -1);'),
    "of one value": ("last", BOTH, 'y = latest(tokens, "b", tokens, "-");'),
    "of what is fetched": ("last", BOTH, 'y = latest(shift(tokens, 1, ""), tokens, tokens, "-");'),
    "of a number": ("last", BOTH, 'k = {"a": 5, "b": 2, "c": 7}[tokens]; y = latest(k, shift(k, 1, 0), tokens, "-");'),
    "of those that nothing like them stands behind": (
        "last",
        ("bidirectional",),
        BEFORE + "l = not has_focus(select(tokens, tokens, ==) and select(indices, indices, >));"
        "y = aggregate(w and select(l, True, ==), indices, -1);",
    ),
    "marked": ("last", ("bidirectional",), 'y = aggregate(select_from_last(tokens, "b"), indices, -1);'),
    "of those that have been seen before": (
        "first",
        BOTH,
        BEFORE + "l = has_focus(select(tokens, tokens, ==) and select(indices, indices, <));"
        "y = aggregate(w and select(l, False, ==), indices, -1);",
    ),
    "marked as the first": ("first", BOTH, 'y = aggregate(select_from_first(tokens, "b"), tokens, "-");'),
    "of what is always found": ("last", BOTH, "y = latest(tokens, tokens, indices, -1);"),
    "a version and how many there are": (
        "last",
        ("causal",),
        BEFORE + "n = selector_width(select(tokens, tokens, ==));"
        "y = aggregate(w and select(n, selector_width(w), ==), indices, -1);",
    ),
    "counted from 0": (
        "last",
        BOTH,
        BEFORE + STRICT + "y = aggregate(w and select(n, selector_width(w) - 1, ==), indices, 9);",
    ),
    "one more at the keys": (
        "last",
        BOTH,
        BEFORE
        + STRICT
        + "y = aggregate(select(n + 1, selector_width(w), ==) and w, tokens, ".replace("'", '"')
        + '"-");',
    ),
    "of those that satisfy a condition": (
        "last",
        BOTH,
        VOWELS + "y = aggregate(v and select(n, selector_width(v), ==), tokens, " + '"-");',
    ),
    "of a class and a condition": (
        "last",
        BOTH,
        "v = select(indices % 3, 0, !=); k = select(tokens, tokens, ==) and v;"
        "n = selector_width(k and select(indices, indices, <=));"
        + BEFORE
        + "y = aggregate(w and v and select(n, selector_width(v and w), ==), indices, -1);",
    ),
    "counted from the end": (
        "last",
        ("bidirectional",),
        BEFORE + BACK + "y = aggregate(w and select(n, 1, ==), indices, -1);",
    ),
    "by halving": ("last", BOTH, BEFORE + "y = aggregate(rightmost(w), indices, -1);"),
    "by halving, of an order": ("last", BOTH, "y = aggregate(rightmost(select(tokens, tokens, <)), indices, -1);"),
    "of those before me": (
        "last",
        BOTH,
        EARLY + RUNNING + "y = aggregate(w and select(n, selector_width(w), ==), indices, -1);",
    ),
    "the first one": ("first", BOTH, BEFORE + RUNNING + "y = aggregate(w and select(n, 1, ==), indices, -1);"),
    "the first one, from 0": (
        "first",
        BOTH,
        BEFORE + STRICT + "y = aggregate(w and select(n, 0, ==), tokens, " + '"-");',
    ),
    "the first one, from the end": (
        "first",
        ("bidirectional",),
        BEFORE + BACK + "y = aggregate(w and select(n, selector_width(w), ==), indices, -1);",
    ),
}

OTHERS = {
    "the last but one": BEFORE + RUNNING + "y = aggregate(w and select(n, selector_width(w) - 1, ==), indices, -1);",
    "the second": BEFORE + RUNNING + "y = aggregate(w and select(n, 2, ==), indices, -1);",
    "counted among others": BEFORE
    + 'm = selector_width(select(tokens, "a", ==));'
    + RUNNING
    + "y = aggregate(w and select(n, m, ==), indices, -1);",
    "numbered among all": BEFORE
    + "n = selector_width(select(indices, indices, <=));"
    + "y = aggregate(w and select(n, selector_width(w), ==), indices, -1);",
    "of another class": BEFORE
    + "k = select(indices % 2, indices % 2, ==); n = selector_width(k and select(indices, indices, <=));"
    + "y = aggregate(w and select(n, selector_width(w), ==), indices, -1);",
    "with a condition that is not counted": BEFORE
    + RUNNING
    + "y = aggregate(w and select(indices % 2, 0, ==) and select(n, selector_width(w), ==), indices, -1);",
    "of all, if it stands before me": BEFORE
    + RUNNING
    + "y = aggregate(w and select(indices, indices - 1, <=) and select(n, selector_width(w), ==), indices, -1);",
}


def made(text: str, attention: str, vocab: str = "abc", longest: int = 8, **settings: str) -> Compiled:
    header = f'#@ vocab: "{vocab}"\n#@ max_length: {longest}\n#@ attention: {attention}\n#@ output: y\n'
    return compiler.compile(rasp.parse(header + text), **settings)  # type: ignore[arg-type]


def heads(compiled: Compiled) -> list[Head]:
    return [head for layer in compiled.circuit.layers for head in layer.heads]


EACH = [(name, attention) for name, (_, attentions, _) in WAYS.items() for attention in attentions]


@pytest.mark.parametrize(("name", "attention"), EACH)
def test_c43_one_head_finds_it_whichever_way_it_is_asked_for(name: str, attention: str) -> None:
    sees, _, text = WAYS[name]
    compiled = made(text, attention)
    found = heads(compiled)
    assert [head.sees for head in found if head.sees != "all"] == [sees]
    assert not any(head.mode == "sum" for head in found)
    assert check(compiled, samples=60, max_exhaustive=400).ok
    assert verify_model(compiled.model).ok


@pytest.mark.parametrize("attention", BOTH)
@pytest.mark.parametrize("name", OTHERS)
def test_c43_what_only_looks_like_it_is_left_alone(name: str, attention: str) -> None:
    compiled = made(OTHERS[name], attention, longest=6)
    assert all(head.sees == "all" for head in heads(compiled))
    assert check(compiled, samples=30, max_exhaustive=130).ok


# ----------------------------------------------------------------------------------------------- what the analysis says


class Drawn:
    """Running numbers, counts and conjunctions at random: some belong together, most do not."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        one_back = Aggregate(Select(Map("+", (Indices(), Constant(1))), Indices(), "=="), Tokens("str"), "")
        self.own: list[SOp] = [Tokens("str"), Map("%", (Indices(), Constant(2))), one_back]

    def draw(self) -> Selector:
        """A conjunction that compares a running number with a count or a number."""
        pick = self.rng.choice
        keys = self.rng.sample(self.own, pick([0, 1, 1, 2]))
        asked = [pick([key, pick(self.own), Constant(pick(["a", 0]))]) for key in keys]
        conditions = [
            Select(pick(self.own[:2]), Constant(pick(["a", 1])), pick(["==", "!="])) for _ in range(pick([0, 0, 1]))
        ]
        ahead = [
            Select(Indices(), pick([Indices(), Constant(1)]), pick(["<", "<=", ">="])) for _ in range(pick([0, 0, 1]))
        ]
        parts = [Select(key, query, "==") for key, query in zip(keys, asked, strict=True)]
        own = [Select(key, key, "==") for key in keys]
        step = [Select(Indices(), Indices(), pick(["<=", "<=", "<", ">=", ">"]))]
        numbered = _all([*own, *self._some(conditions), *step])
        if self.rng.random() < 0.2:
            found = Map(">", (Aggregate(numbered, Constant(1), 0), Constant(0)))
            return _all([*parts, *conditions, *self._some(ahead), Select(found, Constant(False), "==")])
        number = Width(numbered)
        count = Width(_all([*self._some(parts), *self._some(conditions), *self._some(ahead)]))
        wanted = pick([count, count, Constant(1)])
        wanted = pick([wanted, wanted, Map("-", (wanted, Constant(1)))])
        return _all([*parts, *conditions, *self._some(ahead), Select(number, wanted, "==")])

    def _some(self, selectors: list[Select]) -> list[Select]:
        return [one for one in selectors if self.rng.random() < 0.9]


def _all(selectors: list[Select]) -> Selector:
    found: Selector = Select(Constant(1), Constant(1), "==")
    for one in selectors:
        found = And(found, one)
    return found


@pytest.mark.parametrize("causal", [False, True])
def test_c43_what_is_said_to_be_at_an_end_is_there(causal: bool) -> None:
    drawn, analysis, told = Drawn(5), Analysis(Setting(("a", "b"), 4, causal)), 0
    for _ in range(1500):
        selector = drawn.draw()
        (case,) = disjuncts(selector) or [None]
        end = None if case is None else analysis.rightmost(case)
        if end is None:
            continue
        told += 1
        assert_at_end(selector, end, causal)
    assert told > 60


def assert_at_end(selector: Selector, end: Rightmost, causal: bool) -> None:
    """On all short inputs: the position of what is selected, and the largest or least of the others' positions."""
    places = [
        [Aggregate(one, Constant(1), 0) for one in _at_each(chosen)] for chosen in (selector, end.among.selector())
    ]
    for tokens in every("ab", 4):
        try:
            one, several = (evaluate(some, list(tokens), causal=causal) for some in places)
        except RaspError:
            continue
        for query in range(len(tokens)):
            found, among = ([k for k in range(len(tokens)) if rows[k][query]] for rows in (one, several))
            assert found == (among[:1] if end.first else among[-1:]), (str(selector), tokens, query)


def _at_each(selector: Selector) -> list[Selector]:
    return [And(selector, Select(Indices(), Constant(place), "==")) for place in range(4)]


# ----------------------------------------------------------------------------------------------------------- exactness


def addresses(count: int) -> str:
    """A text of writes, each to an address that the token names; what was written last at the address before."""
    return f"address = tokens_int % {count}; y = latest(address, shift(address, 1, 0), tokens_int, -1);"


def written(compiled: Compiled, length: int, count: int, seed: int) -> tuple[list[int], list[object]]:
    """A random text, and what a dictionary makes of it."""
    rng = random.Random(seed)
    memory: dict[int, int] = {}
    wanted: list[object] = []
    tokens = [rng.randrange(2 * count) for _ in range(length)]
    for before, token in zip([0, *tokens], tokens, strict=False):
        memory[token % count] = token
        wanted.append(memory.get(before % count, -1))
    return tokens, wanted


@pytest.mark.parametrize(("count", "length"), [(16, 2000), (64, 1000), (256, 1000)])
def test_c43_scores_are_exact_however_many_addresses_there_are(count: int, length: int) -> None:
    text = f"#@ vocab: {[*range(2 * count)]}\n#@ max_length: {length}\n#@ attention: causal\n#@ output: y\n"
    compiled = compiler.compile(rasp.parse(text + addresses(count)))
    (head,) = [head for head in heads(compiled) if head.sees == "last"]
    decisions = {one.what: one for one in compiled.certificate.decisions}
    assert decisions[f"{head.name}, selected keys, in nats"].error == 0
    tokens, wanted = written(compiled, length, count, seed=count)
    assert compiled.model.run(tokens) == wanted
    assert compiled.fast.run(tokens) == wanted


def test_c43_wide_addresses_are_compared_by_digits() -> None:
    parts = {}
    for count in (64, 256):
        text = f"#@ vocab: {[*range(2 * count)]}\n#@ max_length: 1000\n#@ attention: causal\n#@ output: y\n"
        (head,) = [head for head in heads(compiler.compile(rasp.parse(text + addresses(count)))) if head.sees == "last"]
        parts[count] = sum(part.kind == "parabola" for part in head.parts)
    assert parts == {64: 1, 256: 2}


def test_c43_the_certificate_knows_where_scores_are_rounded() -> None:
    compiled = made(addresses(8).replace("tokens_int", "indices"), "causal", longest=500)
    circuit = compiled.circuit
    assert certify(circuit).ok
    assert not certify(_changed(circuit, reach=Fraction(2000))).ok
    assert not certify(_changed(circuit, weight=Fraction(1 << 30))).ok


def _changed(circuit: Circuit, **changes: Fraction) -> Circuit:
    """The circuit with another reach or weight in each parabola."""

    def part(one: Part) -> Part:
        return replace(one, **changes) if one.kind == "parabola" else one  # type: ignore[arg-type]

    layers = [
        replace(layer, heads=[replace(head, parts=tuple(map(part, head.parts))) for head in layer.heads])
        for layer in circuit.layers
    ]
    return replace(circuit, layers=tuple(layers))


@pytest.mark.parametrize("dtype", ["float64", "bfloat16", "float16"])
def test_c43_half_precision_keeps_running_numbers(dtype: str) -> None:
    compiled = made(WAYS["the library's"][2], "causal", longest=6, dtype=dtype)
    assert any(head.sees == "last" for head in heads(compiled)) == (dtype == "float64")
    assert check(compiled, samples=30, max_exhaustive=130).ok


def test_c43_a_large_order_is_left_to_running_numbers() -> None:
    text = EARLY + RUNNING + "y = aggregate(w and select(n, selector_width(w), ==), indices, -1);"
    for longest, sees in ((8, "last"), (24, "all")):
        assert {head.sees for head in heads(made(text, "causal", longest=longest))} == {"all", sees}


def test_c43_whether_there_is_a_last_one_asks_for_any() -> None:
    compiled = made(BEFORE + "y = has_focus(rightmost(w));", "bidirectional")
    assert all(head.sees == "all" for head in heads(compiled))
    assert len(heads(compiled)) == 2
    assert check(compiled, samples=30, max_exhaustive=130).ok


def test_c43_several_values_of_one_key_are_one_head() -> None:
    text = (
        'y = latest(tokens, shift(tokens, 1, ""), indices, -1); z = latest(tokens, shift(tokens, 1, ""), tokens, "-");'
    )
    program = rasp.parse('#@ vocab: "abc"\n#@ max_length: 8\n#@ output: y, z\n' + text)
    compiled = compiler.compile(program)
    assert [head.sees for head in heads(compiled)].count("last") == 1
    assert check(compiled, samples=30, max_exhaustive=130).ok


# ------------------------------------------------------------------------------------------------------------ fast path


@pytest.mark.parametrize(("name", "attention"), EACH)
def test_c43_the_fast_path_finds_it_in_batches_and_token_by_token(name: str, attention: str) -> None:
    compiled = made(WAYS[name][2], attention, longest=16)
    rng = random.Random(1)
    inputs = ["".join(rng.choices("abc", k=rng.randint(1, 16))) for _ in range(20)]
    wanted = [compiled.program["y"](tokens) for tokens in inputs]
    assert compiled.fast.plan is not None and not any(compiled.fast.plan.scored)
    assert compiled.fast.run_batch(inputs) == wanted
    if attention == "causal":
        assert [_read(compiled, tokens) for tokens in inputs] == wanted


def _read(compiled: Compiled, tokens: str) -> list[object]:
    reading = compiled.fast.reading(len(tokens))
    assert isinstance(reading, RecurrentReading)
    values = compiled.model.config.outputs[0].values
    return [values[reading.best(compiled.model.encode(token), "y")] for token in tokens]
