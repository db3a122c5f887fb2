"""Plans, witnesses and `requires`: what is known about a program before its model is made."""

from __future__ import annotations

import pytest

import compiler
import rasp
from compiler.circuit.emit import Weights
from compiler.graph.domain import Limits
from compiler.observe.plan import rasp_count
from compiler.pipeline import Compiled
from compiler.trust.compare import check

DIGITS = """
#@ output: o
#@ vocab: "01-"
#@ max_length: 6
#@ requires: digits
digits = tokens in ["0", "1"];
o = tokens_int + indices;
"""


def test_the_plan_counts_what_each_mode_builds() -> None:
    compiled = Compiled(rasp.load("programs/paper/dyck_2_ptf.rasp"))
    plan = compiled.plan()
    assert (plan.rasp_layers, [mode.name for mode in plan.modes]) == (4, ["depth", "balanced", "size"])
    depth, balanced, size = plan.modes
    assert depth.layers <= balanced.layers <= size.layers
    assert size.parameters <= balanced.parameters <= depth.parameters
    assert all(mode.certificate.ok for mode in plan.modes)
    assert depth.attention_layers == 4
    assert "RASP counts 4 layers" in str(plan)


@pytest.mark.parametrize("name", ["reverse", "sort", "paper/long_addition", "decoders/sort"])
def test_the_plan_counts_what_is_stored(name: str) -> None:
    program = rasp.load(f"programs/{name}.rasp")
    for mode in Compiled(program).plan().modes:
        model = Compiled(program, optimize=mode.name).model
        assert (mode.columns, mode.parameters) == (model.config.d_model, model.stored())


def test_a_plan_makes_no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would be made only to be counted, and a circuit counts them without."""
    monkeypatch.setattr(Weights, "__init__", lambda *_: pytest.fail("weights were made"))
    assert Compiled(rasp.load("programs/sort.rasp")).plan().modes


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("reverse", 2),
        ("histogram", 1),
        ("double_histogram", 2),
        ("sort", 2),
        ("paper/most_frequent", 3),
        ("paper/dyck_1_ptf", 2),
        ("paper/dyck_2_ptf", 4),
        ("paper/dyck_3_ptf", 4),
        ("paper/long_addition", 5),
    ],
)
def test_as_many_layers_as_rasp_counts(name: str, layers: int) -> None:
    compiled = Compiled(rasp.load(f"programs/{name}.rasp"), optimize="depth")
    assert rasp_count(compiled.sop)[0] == layers
    assert compiled.certificate.ok
    assert len(compiled.circuit.layers) == layers
    balanced = Compiled(rasp.load(f"programs/{name}.rasp")).circuit
    assert sum(1 for layer in balanced.layers if layer.heads) <= layers


def test_an_input_without_an_answer_is_shown() -> None:
    compiled = Compiled(rasp.parse('#@ vocab: "abc"\n#@ max_length: 4\na = 1 / (indices - 2);'))
    [warning] = compiled.warnings
    assert "there is no answer on the input" in warning.message
    assert "division by zero" in warning.message
    assert warning.span is not None
    shown = warning.message.split("`")[1].split()
    with pytest.raises(rasp.RaspError):
        compiled.program["a"](shown)


def test_a_program_that_never_answers_is_refused() -> None:
    with pytest.raises(rasp.RaspError, match="no answer on any"):
        compiler.compile(rasp.parse('#@ vocab: "abc"\na = tokens_int + 1;'))


def test_what_is_required_narrows_domains() -> None:
    graph = Compiled(rasp.parse(DIGITS)).graph
    assert list(graph.analysis.domain(graph.outputs["o"])) == list(range(7))


def test_only_what_is_required_is_checked() -> None:
    report = check(rasp.parse(DIGITS), samples=100)
    assert report.ok
    assert report.skipped == 0
    assert report.short == sum(2**length for length in range(1, 7))


EQUAL_TOKENS = """
#@ output: o
#@ vocab: "abcd"
#@ max_length: 4
#@ requires: meant
meant = tokens == "b";
first = tokens[0];
o = aggregate(select_from_last(first, first), indices, 7) + selector_width(select(tokens, tokens, ==));
"""


def test_tokens_of_which_only_one_is_meant_are_compared() -> None:
    """Four codes make an equality a parabola; of those that are meant there is one, and nothing between two of them."""
    compiled = compiler.compile(rasp.parse(EQUAL_TOKENS))
    assert check(compiled, samples=20, fast=True).ok
    assert compiled.model.run("bbb") == compiled.program["o"]("bbb")


@pytest.mark.slow
def test_rover_takes_at_most_sixteen_layers_and_answers_its_questions() -> None:
    """The original counts 16; here all of them together, not only those with attention, are fewer."""
    program = rasp.load("programs/paper/rover.rasp")
    compiled = Compiled(program, optimize="depth")
    assert compiled.certificate.ok
    assert len(compiled.circuit.layers) <= 16
    tokens = [example.input for example in program.settings.examples]
    assert compiled.model.run_batch(tokens) == [program["answer"](given) for given in tokens]


def test_the_plan_says_what_is_not_free_before_the_first_attention() -> None:
    """A choice between token and position is neither a function of one of them nor a sum of one of each."""
    source = 'mixed = tokens if indices > 2 else "a";\no = selector_width(select(mixed, tokens, ==));'
    assert "not free here: mixed, of token and position" in str(Compiled(rasp.parse(source).replace(vocab="ab")).plan())
    assert "not free" not in str(Compiled(rasp.load("programs/sort.rasp")).plan())


def test_the_plan_says_it_of_what_a_head_adds_up_too() -> None:
    source = """mixed = tokens_int if indices > 2 else 1; s = select(indices, indices, <=);
    o = round(aggregate(s, mixed) * selector_width(s));"""
    assert "not free here: mixed, of token and position" in str(
        Compiled(rasp.parse(source).replace(vocab=[0, 1, 2], output="o", max_length=6)).plan()
    )


def test_limits_are_settings() -> None:
    source = 'o = selector_width(select(tokens, "a", ==)) ^ (indices % 3);'
    program = rasp.parse(source).replace(vocab="abc", max_length=12)
    assert Compiled(program).certificate.ok
    with pytest.raises(rasp.RaspError):
        assert Compiled(program, limits=Limits(points=4, combinations=4, values=4)).circuit
