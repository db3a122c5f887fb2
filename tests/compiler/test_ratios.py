"""Ratios, gates, joint values (C24), choices in a row (C25), searches (C26), places (C27), and declared widths."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import numpy as np
import pytest

import compiler
import rasp
from compiler.graph.domain import Analysis, Setting
from compiler.graph.halves import Half
from compiler.graph.specialise import Graph, Graphs, specialise
from compiler.graph.witness import required
from compiler.pipeline import Compiled
from compiler.trust.compare import check
from compiler.trust.verify import verify_model
from rasp.meaning.interpreter import evaluate
from rasp.meaning.sop import Aggregate, Indices, Lookup, Map, SOp, Total, Width
from tests.inputs import every
from tests.random_ratios import drawn

HEADER = '#@ vocab: "0123"\n#@ max_length: 12\n#@ attention: {}\n#@ output: x\n'
BOTH_WAYS = pytest.mark.parametrize("attention", ["bidirectional", "causal"])

RATIOS = {
    "a comparison with a number": "aggregate(full_s, tokens_int) >= 3 / 2",
    "with a token": "tokens_int > aggregate(full_s, tokens_int)",
    "with another mean": "aggregate(full_s, tokens_int) == aggregate(full_s, indices)",
    "over several selectors": (
        "aggregate(select(tokens, tokens, ==), indices) < aggregate(select(indices, indices, <=), indices * tokens_int)"
    ),
    "with an empty row": "aggregate(select(tokens_int, tokens_int, <), indices, 5 / 2) > 5 / 2",
    "of a negative default": "aggregate(select(tokens_int, tokens_int, <), indices, -3) <= tokens_int - 3",
    "a rounded mean": "round(aggregate(full_s, 3 * tokens_int))",
    "halves are rounded to the even one": "round(aggregate(full_s, tokens_int) / 2)",
    "a rounded negative mean": "round(aggregate(full_s, 2 - 2 * tokens_int))",
    "a difference": "aggregate(full_s, tokens_int) - aggregate(full_s, indices)",
    "a square": "aggregate(full_s, tokens_int) ^ 2",
    "a variance": "aggregate(full_s, (tokens_int - aggregate(full_s, tokens_int)) ^ 2)",
    "a choice": "aggregate(full_s, tokens_int) if tokens_int > 1 else aggregate(full_s, indices)",
    "with a half of an even number": "aggregate(full_s, tokens_int) > (2 * indices) * 0.5",
    "with three thirds": "aggregate(full_s, tokens_int) > 3 * (tokens_int / 3)",
    "divided by what cancels": "aggregate(select(tokens, tokens, ==), indices) / ((2 * length) / (3 * length)) > 5",
    "with a power that is none": "aggregate(full_s, tokens_int) > (1 / (indices + 2)) ^ -1",
    "a mean of fractions": "aggregate(full_s, tokens_int / 3) + 1 / 2",
    "cancelled": "aggregate(full_s, tokens_int * tokens_int) * (2 * length) % 7",
    "a share": "selector_width(select(tokens, tokens, ==)) / length",
    "a share of what may be nothing": (
        'aggregate(full_s, 1 if tokens == "1" else 0) / (1 if count(tokens, "2") == 0 else count(tokens, "2"))'
    ),
    "in a selector, as the query": "selector_width(select(tokens_int, aggregate(full_s, tokens_int), <))",
    "in a selector, as the key": (
        "selector_width(select(aggregate(select(indices, indices, <=), tokens_int), tokens_int, >=))"
    ),
    "in a selector, with a number": "selector_width(select(aggregate(full_s, tokens_int) + tokens_int, 3, >))",
}


def made(text: str, attention: str = "bidirectional", **settings: str) -> Compiled:
    return compiler.compile(rasp.parse(HEADER.format(attention) + text), **settings)  # type: ignore[arg-type]


def graph_of(text: str, means: int, attention: str = "bidirectional") -> tuple[Graph, SOp]:
    """The graph in which means of more values are ratios, and what the program wrote."""
    program = rasp.parse(HEADER.format(attention) + text)
    written = program.node("x")
    assert isinstance(written, SOp) and program.settings.vocab is not None
    setting = Setting(program.settings.vocab, 12, attention == "causal")
    return specialise({"x": written}, program.called, setting, required(program), means), written


def inputs(count: int = 150) -> list[list[str]]:
    rng = random.Random(0)
    short = [list(word) for word in every("0123", 3)]
    return short + [rng.choices("0123", k=rng.randint(4, 12)) for _ in range(count)]


@pytest.mark.parametrize("name", RATIOS)
@BOTH_WAYS
def test_c24_a_graph_of_ratios_has_the_answers_of_the_program(name: str, attention: str) -> None:
    graph, written = graph_of(f"x = {RATIOS[name]};", 1, attention)
    for tokens in inputs():
        found = graph.run(tokens)["x"]
        wanted = evaluate(written, tokens, causal=attention == "causal")
        assert [*map(float, found)] == [*map(float, wanted)], tokens


@pytest.mark.parametrize("name", RATIOS)
def test_c24_no_mean_of_many_values_is_left(name: str) -> None:
    graph, _ = graph_of(f"x = {RATIOS[name]};", 1)
    means = [node for node in graph.nodes if isinstance(node, Aggregate) and not graph.analysis.picks(node)]
    assert all(graph.analysis.domain(node).whole for node in means)


@pytest.mark.parametrize("name", RATIOS)
@BOTH_WAYS
def test_c24_a_model_of_ratios_is_right_at_every_stage(name: str, attention: str) -> None:
    if (name, attention) == ("a variance", "causal"):  # the mean of the past differs from key to key
        with pytest.raises(rasp.RaspError, match="averages up to 12 of 139 values"):
            made(f"x = {RATIOS[name]};", attention)
        return
    compiled = made(f"x = {RATIOS[name]};", attention)
    assert check(compiled, samples=120, max_exhaustive=84).ok


def program_of(seed: int) -> tuple[rasp.Program, bool] | None:
    """A drawn program; None where its text alone says that it has no answer."""
    text, causal = drawn(seed)
    try:
        return rasp.parse(HEADER.format("causal" if causal else "bidirectional") + f"x = {text};"), causal
    except rasp.RaspError:
        return None


@pytest.mark.parametrize("start", [0, 150, 300])
def test_c24_graphs_of_drawn_ratios_have_the_answers_of_the_program(start: int) -> None:
    compared = 0
    for seed in range(start, start + 150):
        if (found := program_of(seed)) is None:
            continue
        program, causal = found
        written = program.node("x")
        assert isinstance(written, SOp) and program.settings.vocab is not None
        try:
            graph = specialise({"x": written}, program.called, Setting(program.settings.vocab, 12, causal), (), 1)
        except rasp.RaspError:
            continue
        for tokens in inputs(20)[::4]:
            try:
                wanted = evaluate(written, tokens, causal=causal)
            except rasp.RaspError:  # such as: division by zero
                continue
            assert [*map(float, graph.run(tokens)["x"])] == [*map(float, wanted)], (seed, tokens)
            compared += 1
    assert compared > 1_000


@pytest.mark.parametrize(
    "seeds",
    [range(60), *(pytest.param(more, marks=pytest.mark.slow) for more in (range(60, 120), range(1_000, 1_120)))],
)
def test_c24_models_of_drawn_ratios_are_right_or_refused(seeds: range) -> None:
    outcomes: Counter[str] = Counter()
    for seed in seeds:
        found = program_of(seed)
        if found is None or len(found[0].source.text) > 250:
            continue
        program = found[0].replace(max_length=8)
        try:
            compiled = Compiled(program)
            model = compiled.model
        except rasp.RaspError:
            outcomes["refused"] += 1
            continue
        for tokens in inputs(20)[::6]:
            try:
                wanted = program["x"](tokens[:8])  # type: ignore[operator]
            except rasp.RaspError:
                continue
            assert [*map(float, model.run(tokens[:8]))] == [*map(float, wanted)], (seed, tokens)
        outcomes["right"] += 1
    assert outcomes["right"] > len(seeds) // 2, outcomes


GATES = {
    "a product of counts": 'count(tokens, "1") * count(tokens, "2")',
    "a product with a negative number": '(tokens_int - 2) * (count(tokens, "1") - 3)',
    "a remainder by a count": '(indices + 3) % (count(tokens, "1") + 1)',
    "a remainder of a negative number": '(count(tokens, "2") - 7) % length',
    "a remainder by what is larger": 'count(tokens, "3") % (aggregate(full_s, tokens_int * tokens_int) * length + 1)',
    "a remainder of a sum by a number": "aggregate(full_s, tokens_int * (indices + 1)) * length % 13",
    "a quotient": 'round(10 * count(tokens, "1") / length)',
    "a quotient of what may be negative": 'round((count(tokens, "1") - count(tokens, "2")) / (indices + 1))',
    "a quotient that is always 1": "round(selector_width(full_s) / length) * tokens_int",
    "a remainder that takes nothing away": '(count(tokens, "1") + indices) % 40',
    "a product with what is always 1": "(length ^ 0) * (indices / (indices + 1))",
    "a comparison of sums": "aggregate(full_s, tokens_int * indices) * length > 3 * length * length",
    "an equality of sums": "aggregate(full_s, tokens_int) * length == indices + length",
    "an equality of strings": 'aggregate(select(indices, indices - 1, ==), tokens, "0") == tokens',
}


@pytest.mark.parametrize("name", GATES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_c24_gates_are_exact(name: str, dtype: str) -> None:
    compiled = made(f"x = {GATES[name]};", dtype=dtype)
    assert compiled.certificate.ok
    assert check(compiled, samples=200, max_exhaustive=84).ok


def test_c24_sums_over_one_selector_are_known_together() -> None:
    """What is said to be possible contains what happens, and less than the product of the two domains."""
    graph, _ = graph_of("x = aggregate(full_s, tokens_int ^ 2) - aggregate(full_s, tokens_int) ^ 2;", 1)
    totals = [node for node in graph.nodes if isinstance(node, Total)]
    length = next(node for node in graph.nodes if isinstance(node, Width))
    together = [*totals, length]
    rows = graph.analysis.joint(together)
    assert rows is not None
    possible = {tuple(row) for row in rows.tolist()}
    for tokens in inputs():
        happened = set(zip(*evaluate(together, tokens), strict=True))
        assert happened <= possible
    assert len(possible) < graph.analysis.count_points(together) / 20


FILTERED = {
    "all keys": "selector_width(full_s)",
    "a token": 'selector_width(select(tokens, "1", ==))',
    "another": 'selector_width(select(tokens, "2", ==))',
    "if I am one": 'selector_width(select("2", tokens, ==))',
    "either": 'selector_width(select(tokens in ["1", "2"], True, ==))',
    "all but one": 'selector_width(select(tokens, "1", !=))',
    "two of three": "selector_width(select(tokens_int, 1, >=) and select(tokens_int, 3, <))",
    "numbers": "aggregate(select(tokens_int, 1, >), tokens_int, 0) * selector_width(select(tokens_int, 1, >))",
    "those before": 'selector_width(select(tokens, "1", ==) and select(indices, indices, <=))',
    "all before": "selector_width(select(indices, indices, <=))",
    "my own": "selector_width(select(tokens, tokens, ==))",
    "two cases": 'selector_width(select(tokens, "1", ==) or select(indices, indices, ==))',
}


@BOTH_WAYS
@pytest.mark.parametrize("pair", [*itertools.combinations(FILTERED, 2)], ids=" + ".join)
def test_c24_counts_of_parts_of_the_keys_are_known_together(pair: tuple[str, str], attention: str) -> None:
    """What is said to be possible contains what happens; of what is counted over the same keys, it is nothing else."""
    text = HEADER.format(attention) + f"x = {FILTERED[pair[0]]}; y = {FILTERED[pair[1]]};"
    graph = Compiled(
        rasp.parse(text).replace(max_length=3, output=["x", "y"])
    ).graph  # what is added up is one sum (C34)
    together = [node for node in graph.nodes if isinstance(node, Width | Total)]
    rows = graph.analysis.joint(together)
    if not together:  # under causal attention both are the number of the position
        assert set(pair) == {"all keys", "all before"}
        return
    assert rows is not None
    possible = {tuple(row) for row in rows.tolist()}
    happened = {
        row
        for n in (1, 2, 3)
        for tokens in itertools.product("0123", repeat=n)
        for row in zip(*evaluate(together, tokens, attention == "causal"), strict=True)
    }
    assert happened <= possible
    if attention == "bidirectional" and not set(pair) & {
        "if I am one",
        "those before",
        "all before",
        "my own",
        "two cases",
    }:
        assert {row for row in possible if any(row)} <= happened


@pytest.mark.parametrize("seed", range(40))
def test_c24_sums_as_bits_are_the_sums_that_are_listed(seed: int) -> None:
    rng = random.Random(seed)
    columns, n, least = rng.randint(1, 3), rng.randint(1, 6), rng.randint(0, 1)
    each = np.array([[rng.randint(-3, 4) for _ in range(columns)] for _ in range(rng.randint(1, 5))])
    joint = Analysis(Setting(("0",), n, causal=False))._domains.joint
    bits, listed = joint._added(each, least, n), joint._listed(each, least, n)
    summed = {
        tuple(np.sum(keys, axis=0).tolist()) if keys else (0,) * columns
        for many in range(least, n + 1)
        for keys in itertools.combinations_with_replacement(each.tolist(), many)
    }
    assert bits is not None and listed is not None
    assert sorted(map(tuple, bits.tolist())) == sorted(map(tuple, listed.tolist())) == sorted(summed)


def test_c24_tables_of_fractions_are_compared_as_whole_numbers() -> None:
    """A mean of places is a table; what is counted is compared with it, and the bit selects."""
    compiled = made(
        'n = count(tokens, "2"); x = selector_width(select(n == indices - aggregate(full_s, indices % 3), True, ==)'
        " and select(tokens_int, indices, <=));"
    )
    assert compiled.certificate.ok
    assert check(compiled, samples=200, max_exhaustive=84).ok


def test_c24_an_answer_is_decoded_from_what_it_is_computed_from() -> None:
    """A table of fractions plus a sum: neither the answer nor its rank is computed, the two are told apart."""
    compiled = made(
        "s = select(tokens_int, tokens_int, <=); x = aggregate(full_s, 1 if indices > 2 else 0)"
        " + aggregate(s, tokens_int * tokens_int) * selector_width(s);",
        "causal",
    )
    (output,) = compiled.circuit.outputs
    assert compiled.certificate.ok and len(output.digits) == 2
    assert len(compiled.circuit.layers[-1].neurons) <= 1  # the offset of the sum
    assert check(compiled, samples=200, max_exhaustive=84).ok


def test_c24_a_value_has_a_logit_for_each_of_its_fractions() -> None:
    compiled = made("x = aggregate(full_s, tokens_int);", vocab="0123456789", max_length=16)
    (output,) = compiled.model.config.outputs
    assert (
        len(output.values) > len(set(output.values)) == len(compiled.graph.analysis.domain(compiled.graph.outputs["x"]))
    )
    assert compiled.model.run("13") == [2.0, 2.0] and compiled.model.run("2222") == [2.0] * 4
    assert verify_model(compiled.model).ok


CHOICES = {
    "of numbers": 'x = 5 if has("3") else (indices if has("2") else (-2 if has("1") else tokens_int));',
    "of strings": 'x = "top" if has("3") else (tokens if has("2") else ("low" if has("1") else "none"));',
    "in a loop": 'x = "-";\nfor c in ["0", "1", "2", "3"] { x = c if has(c) else x; }',
}


@pytest.mark.parametrize("name", CHOICES)
@BOTH_WAYS
def test_c25_choices_in_a_row_are_one_layer(name: str, attention: str) -> None:
    has = "def has(c) { return selector_width(select(tokens, c, ==) and select(indices, indices, <)) > 0; }\n"
    compiled = made(has + CHOICES[name], attention)
    assert check(compiled, samples=200, max_exhaustive=84).ok
    assert len(compiled.circuit.layers) <= 2
    assert verify_model(compiled.model).ok


SEARCHES = ["== 0", "!= 0", "> 0", "<= 0", ">= 1", "< 1"]


@pytest.mark.parametrize("asked", SEARCHES)
def test_c26_what_is_only_looked_for_is_not_counted(asked: str) -> None:
    text = f"w = selector_width(select(tokens, tokens, ==) and select(indices, indices, <)); x = w {asked};"
    compiled = made(text)
    assert not any(isinstance(node, Width) for node in compiled.graph.nodes)
    assert check(compiled, samples=150, max_exhaustive=340).ok
    counted = made(text.replace("x = ", "x = w + ") if asked == "== 0" else f"{text} x = w;")
    assert any(isinstance(node, Width) for node in counted.graph.nodes)


PLACES = {
    "of the position": ("aggregate(select(indices, indices, <=), indices)", Indices()),
    "of the position, on no line": ("aggregate(select(indices, indices, <=), indices * indices)", Indices()),
    "of the length": ("aggregate(full_s, indices * indices)", None),
    "a count behind me": ("selector_width(select(indices, indices, >=))", None),
    "with a default": ("aggregate(select(indices, indices, <), indices, 9)", Indices()),
}


@pytest.mark.parametrize("name", PLACES)
def test_c27_attention_of_places_is_a_table(name: str) -> None:
    text, of = PLACES[name]
    compiled = made(f"x = {text};")
    output = compiled.graph.outputs["x"]
    assert isinstance(output, Map | Lookup)
    if of is not None:
        assert compiled.graph.analysis.variables(output) == (of,) and not compiled.circuit.layers
    assert check(compiled, samples=100, max_exhaustive=340).ok


def test_few_keys_have_few_means() -> None:
    window = made("x = aggregate(select(indices, indices - 1, >=) and select(indices, indices + 1, <=), tokens_int);")
    mean = next(node for node in window.graph.nodes if isinstance(node, Aggregate))
    assert {value.denominator for value in window.graph.analysis.domain(mean).numbers} == {1, 2, 3}
    assert check(window, samples=150, max_exhaustive=340).ok


DECLARED = """
one = selector_width(select(tokens, "3", ==)) == 1;
few = selector_width(select(tokens, "2", ==)) <= 2 and 1 <= selector_width(select(tokens, "2", ==));
"""


def test_a_required_width_lets_a_number_be_fetched() -> None:
    text = DECLARED + 'x = aggregate(select(tokens, "3", ==), indices);'
    free, bound = made(text), made("#@ requires: one\n" + text)
    assert bound.graph.analysis.domain(bound.graph.outputs["x"]).values == tuple(range(12))
    assert bound.circuit.parameters() < free.circuit.parameters() / 2
    assert check(bound, samples=200, max_exhaustive=340).ok
    assert verify_model(bound.model).ok


def test_a_required_width_bounds_a_mean() -> None:
    bound = made("#@ requires: few\n" + DECLARED + 'x = aggregate(select(tokens, "2", ==), indices);')
    mean = next(node for node in bound.graph.nodes if isinstance(node, Aggregate))
    assert {value.denominator for value in bound.graph.analysis.domain(mean).numbers} == {1, 2}
    assert bound.graph.analysis.never_empty(mean.selector)
    assert check(bound, samples=200, max_exhaustive=340).ok


def test_graphs_are_made_one_after_the_other() -> None:
    program = rasp.parse(HEADER.format("bidirectional") + "x = aggregate(full_s, tokens_int);")
    node = program.node("x")
    assert isinstance(node, SOp) and program.settings.vocab is not None
    graphs = Graphs(Half({"x": node}, program.called, Setting(program.settings.vocab, 12, causal=False)))
    assert len(graphs) == len(Graphs.WAYS) and graphs[0] is graphs[0]
    with pytest.raises(IndexError):
        graphs[len(graphs)]
