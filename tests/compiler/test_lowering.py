"""Whatever is lowered computes, in exact arithmetic, what the interpreter answers."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import HealthCheck, Phase, event, given, note, settings
from hypothesis import strategies as st

import compiler
import rasp
from compiler.circuit.compress import compress
from compiler.graph.domain import Setting
from compiler.graph.specialise import specialise
from compiler.lowering import lower
from compiler.trust.compare import check
from rasp.meaning.interpreter import evaluate
from rasp.text.source import RaspError
from rasp.value import Value
from tests.inputs import every
from tests.random_programs import Programs

VOCABULARY = ("0", "1", "2")
INPUTS = [list(digits) for digits in every(range(3), 3)]


@pytest.mark.parametrize("causal", [False, True])
@settings(max_examples=100, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(st.randoms(use_true_random=False))
def test_the_circuit_of_a_random_program_is_right_in_exact_arithmetic(causal: bool, choices: object) -> None:
    node = Programs(choices).sop(3)  # type: ignore[arg-type]
    note(str(node))
    try:
        circuit = compress(lower(specialise({"o": node}, {}, Setting(VOCABULARY, 3, causal))))
    except RaspError as refused:
        event(refused.diagnostics[0].code)
        return
    circuit.verify()
    for ids in INPUTS:
        try:
            wanted: list[Value] = evaluate(node, [VOCABULARY[i] for i in ids], causal)
        except RaspError:
            continue
        assert circuit.run(ids)["o"] == wanted, ids


SOURCES = {
    "mean over an or": "o = aggregate(select(tokens, tokens, ==) or select(indices, 0, ==), indices);",
    "string of two variables": 'o = tokens if indices > 0 else "a";',
    "product of counts": "h = selector_width(select(tokens, tokens, ==));\no = h * indices - length ^ 2;",
    "not of an or": 'o = selector_width(not (select(tokens, "a", ==) or select(indices, indices, <)));',
    "default of another sign": 'o = aggregate(select(tokens, "b", ==), indices, -3);',
    "three layers": "a = selector_width(select(tokens, tokens, ==));\nb = selector_width(select(a, a, ==));\n"
    "o = aggregate(select(b, indices, ==), b, 9);",
}


@pytest.mark.parametrize("attention", ["bidirectional", "causal"])
@pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
def test_awkward_programs_compile_and_are_right(source: str, attention: str) -> None:
    made = compiler.compile(rasp.parse(source), vocab="ab", max_length=5, attention=attention)
    inputs = ["".join(letters) for letters in every("ab", 5)]
    assert made.model.run_batch(inputs) == [made.program["o"](tokens) for tokens in inputs]


def test_a_mean_as_a_key_is_found() -> None:
    source = "m = aggregate(full_s, indices);\no = selector_width(select(m, indices, ==));"
    made = compiler.compile(rasp.parse(source), vocab="ab", max_length=5)
    assert made.model.run("aaaaa") == [0, 0, 5, 0, 0]


def test_several_outputs_share_their_heads() -> None:
    source = "h = selector_width(select(tokens, tokens, ==));\na = h + 1;\nb = h > 1;\nc = h * 2;"
    alone = compiler.compile(rasp.parse(source), "a", vocab="ab", max_length=5)
    made = compiler.compile(rasp.parse(source), ["a", "b", "c"], vocab="ab", max_length=5)
    assert [len(layer.heads) for layer in made.circuit.layers] == [len(layer.heads) for layer in alone.circuit.layers]
    for name in ("a", "b", "c"):
        assert made.model.run("abbab", name) == made.program[name]("abbab")


def test_a_variable_is_there_when_its_label_says() -> None:
    """Read at the named time and at every later one, a variable has the interpreter's values, exactly."""
    source = "h = selector_width(select(tokens, tokens, ==));\ne = h % 2;\no = selector_width(select(e, e, ==));"
    circuit = compiler.compile(rasp.parse(source), "o", vocab="ab", max_length=5).circuit
    program = rasp.parse(source)
    assert {variable.name for variable in circuit.variables} >= {"h", "o"}
    for ids in ([0], [0, 1, 1], [1, 1, 1, 1, 1]):
        stages = list(circuit.stages(ids))
        for variable in circuit.variables:
            if variable.name in program:
                wanted = program[variable.name]("".join("ab"[i] for i in ids))
                values = {number: value for value, number in variable.numbers}
                for streams in stages[variable.ready :]:
                    assert [values[variable.read.at(stream)] for stream in streams[1:]] == wanted


def test_weights_do_not_depend_on_what_was_compiled_before() -> None:
    """The same program, compiled after others that share its parts: the same tensors, to the bit."""
    code = (
        "import compiler, hashlib, rasp, sys\n"
        "kept = [compiler.compile(rasp.load(path)) for path in sys.argv[1:]]\n"
        "made = compiler.compile(rasp.load('programs/words/first_letter_to_end.rasp')).weights.tensors\n"
        "print(hashlib.sha256(b''.join(made[name].tobytes() for name in sorted(made))).hexdigest())\n"
    )
    before = ["programs/words/abbreviation.rasp", "programs/words/capitalise.rasp"]
    digests = {
        subprocess.run([sys.executable, "-c", code, *paths], capture_output=True, text=True, check=True).stdout
        for paths in ([], before, before[::-1])
    }
    assert len(digests) == 1


@pytest.mark.parametrize("value", ["tokens", 'tokens == "a"', "indices"])
def test_an_aggregate_that_never_finds_a_key_is_its_default(value: str) -> None:
    compiled = compiler.compile(rasp.parse(f"o = aggregate(select(indices + 1, 0, ==), {value}, -2);"), vocab="ab")
    assert compiled.circuit.layers == ()
    assert compiled.model.run("ab") == [-2, -2]


@pytest.mark.parametrize(
    "text",
    [
        "x = aggregate(select(tokens, 0, ==), tokens, 7) + indices;",
        'x = aggregate(select(tokens, 0, ==), indices, "none");',
        "x = count(tokens, 0) + indices;",
    ],
)
def test_what_a_selector_that_never_matches_returns_takes_no_head(text: str) -> None:
    compiled = compiler.compile(rasp.parse(f'#@ vocab: "ab"\n#@ max_length: 4\n{text}'))
    assert not any(layer.heads for layer in compiled.circuit.layers)
    assert check(compiled, samples=20).ok
