"""C44: a loop is one round of layers. Models of loops against the interpreter, and what the construction promises."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch

import compiler
import rasp
from compiler.graph.domain import Refusal
from compiler.model import ModelError
from compiler.pipeline import Compiled
from compiler.trust.verify import verify_model

HEADER = "#@ output: o\n#@ vocab: [0, 1, 2]\n#@ max_length: {length}\n#@ loop: x, y, w\n#@ attention: {attention}\n"
NUMBERS = (
    "x", "y", "2 - x", "indices % 3", "(x + y) % 4", "(x * y) % 3", "min(x, y)", "max(x, y)", "shift(x, 1, 0)",
    "shift(y, -1, 1)", "length % 3", "tokens_int % 3", "count(x, 1) % 3", "selector_width(select(x, y, ==)) % 3",
    "selector_width(select(x, y, <)) % 4", "aggregate(select(indices, x, ==), y)", "(1 if x == y else y)",
    "aggregate(select(x, 1, ==) and select(indices, indices, <=), 1, 0)", '(x if w == "a" else y)',
    'selector_width(select(w, "b", ==)) % 2', "x - 1 if x > 0 else 2", "indicator(x > y)",
)  # fmt: skip
TEXTS = (
    "w", '"a"', '("a" if x > y else w)', 'aggregate(select(indices, x, ==), w, "c")', 'shift(w, 1, "b")',
    '("b" if w == "a" else "c")',
)  # fmt: skip
FIRST = ("0", "1", "tokens_int", "indices % 3", "length % 4", "count(tokens_int, 1) % 3")
OUTPUTS = ("x", "y", "w", "(x + length) % 3", "count(x, 1)", "aggregate(select(indices, length - 1 - indices, ==), x)")


def drawn(rng: random.Random) -> str:
    """A loop that carries two numbers and a text, which are bound at once or one after the other."""
    first = f'x = {rng.choice(FIRST)};\ny = {rng.choice(FIRST)};\nw = "a" if tokens_int == 1 else "b";\n'
    together = rng.random() < 0.5
    body = []
    for name in "xy":
        new = rng.choice(NUMBERS)
        if rng.random() < 0.4:
            new = f"({new} + {rng.choice(NUMBERS)}) % {rng.choice([3, 4, 5])}"
        body.append(f"    {name}{'_next' if together else ''} = {new};")
    body.append(f"    w = {rng.choice(TEXTS)};")
    body += ["    x = x_next;", "    y = y_next;"] if together else []
    loop = "\n".join([f"for i in range({rng.choice([1, 2, 3, 5, 9])}) {{", *body, "}"])
    header = HEADER.format(length=rng.choice([4, 6, 8]), attention=rng.choice(["bidirectional", "causal"]))
    return f"{header}{first}{loop}\no = {rng.choice(OUTPUTS)};"


def ends_of_rounds(made: Compiled, tokens: list[object]) -> list[torch.Tensor]:
    """The stream [pos, d_model] of one input before the first round and behind each."""
    model = made.model
    loop = model.config.loop
    assert loop is not None
    streams = list(model.residuals(torch.tensor([model.encode(tokens)])))
    step = 2 * (loop.stop - loop.start)
    return [streams[2 * loop.start + step * number][0] for number in range(loop.rounds + 1)]


def of(body: str, first: str = "x = tokens_int;", out: str = "o = x;", rounds: int = 6) -> Compiled:
    header = "#@ output: o\n#@ vocab: [0, 1, 2]\n#@ max_length: 6\n#@ loop: x\n"
    return Compiled(rasp.parse(f"{header}{first}\nfor i in range({rounds}) {{ {body} }}\n{out}"))


@pytest.mark.parametrize("seed", [*range(12), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(12, 80))])
def test_c44_random_loops_agree_at_every_stage(seed: int) -> None:
    made = Compiled(rasp.parse(drawn(random.Random(seed))))
    try:
        report = compiler.check(made, samples=30, max_exhaustive=20)
    except Refusal:
        return
    assert report.differences == []
    if made.model.config.loop is not None:
        bos = [stream[0] for stream in ends_of_rounds(made, [0, 1, 2, 1])]
        assert all(torch.equal(bos[0], one) for one in bos)


def test_c44_a_round_leaves_nothing_but_what_it_carries() -> None:
    made = of("x = (count(x, 1) + shift(x, 1, 0)) % 3;")
    (carry,) = made.circuit.repeat.carries  # type: ignore[union-attr]
    column = made.circuit.columns()[carry.direction]
    first, *others = ends_of_rounds(made, [0, 1, 2, 2, 1, 1])
    wanted = [made.program.states[number]["x"] for number in range(7)]
    for number, stream in enumerate(others, start=1):
        rest = [place for place in range(first.shape[1]) if place != column]
        assert torch.equal(first[:, rest], stream[:, rest])
        values = rasp.meaning.interpreter.evaluate(wanted[number], [0, 1, 2, 2, 1, 1])
        assert stream[1:, column].tolist() == values


def test_c44_any_number_of_rounds_has_the_weights_of_one() -> None:
    text = (
        "#@ output: x\n#@ vocab: [0, 1]\n#@ max_length: 8\n#@ loop: x\nx = tokens_int;\n"
        "for i in range(2) { x = (x + shift(x, 1, 0)) % 2; }"
    )
    few, many = (Compiled(rasp.parse(text, settings={"rounds": rounds})) for rounds in (2, 500))
    assert many.graph.loop is not None and many.graph.loop.closed and many.certificate.ok
    assert {name: t.tolist() for name, t in few.weights.tensors.items()} == {
        name: t.tolist() for name, t in many.weights.tensors.items()
    }
    assert many.model.run([1, 0, 1, 1, 0, 0, 1, 0]) == many.program["x"]([1, 0, 1, 1, 0, 0, 1, 0])


def test_c44_values_that_grow_are_those_of_so_many_rounds() -> None:
    made = of("x = x + 1;")
    assert made.graph.loop is not None and not made.graph.loop.closed
    assert made.graph.loop.phis[0].values == tuple(range(9))


def test_a_model_stops_where_a_round_changes_nothing() -> None:
    made = of("x = max(x, shift(x, 1, 0));", rounds=50)
    assert made.model.run([2, 0, 0]) == [2, 2, 2]
    assert made.model.rounds == 3
    assert made.model.run_batch([[2, 0, 0], [1], [1, 0, 0, 0, 0, 0]]) == [[2, 2, 2], [1], [1] * 6]
    assert made.model.rounds == 6


def test_rows_of_padding_decide_no_exit_and_no_answer() -> None:
    made = of("x = max(x, shift(x, 1, 0));", rounds=50)
    ids = torch.tensor([[2, 0, 1, 2, 0, 1], [0, 1, 2, 1, 0, 0]])
    mask = torch.tensor([[1, 1, 0, 0, 0, 0], [1, 1, 1, 0, 0, 0]])
    with torch.no_grad():
        both = made.model(ids, mask)
        rounds = made.model.rounds
        alone = made.model(ids[1:, :3])
    assert torch.equal(both[1:, :3], alone)
    assert (rounds, made.model.rounds) == (2, 1)


def test_a_checkpoint_has_its_loop(tmp_path: Path) -> None:
    made = of("x = (x + shift(x, 1, 0)) % 3;")
    said = []
    made.save(tmp_path / "loop", lambda one: said.append(one.message))
    model = compiler.load(tmp_path / "loop")
    assert model.config.loop == made.model.config.loop
    assert model.run([1, 2, 0, 2]) == made.program["o"]([1, 2, 0, 2])
    assert said == ["provenance.json is left out: provenance knows layers that run once, and this model has a loop"]
    assert "loop: layer 0 is one round, which runs up to 6 times" in model.info()


def test_a_checkpoint_of_no_loop_is_as_it_was() -> None:
    plain = Compiled(rasp.parse("#@ vocab: abc\nx = tokens;"))
    assert "loop" not in plain.weights.config


@pytest.mark.parametrize("loop", [{"start": 0, "stop": 9, "rounds": 1}, {"start": 0, "stop": 1, "rounds": 0}])
def test_a_damaged_loop_is_refused(tmp_path: Path, loop: dict[str, int]) -> None:
    from compiler.model import Loop
    from compiler.runtime.checkpoint.reading import _require_loop

    with pytest.raises(ValueError, match="a loop of"):
        _require_loop(Loop(**loop), 1, 8)


def test_a_causal_loop_reads_on_as_it_reads_at_once() -> None:
    header = "#@ output: x\n#@ vocab: [0, 1, 2]\n#@ max_length: 9\n#@ loop: x\n#@ attention: causal\n"
    program = rasp.parse(f"{header}x = tokens_int;\nfor i in range(3) {{ x = (x + shift(x, 1, 1)) % 3; }}")
    made = Compiled(program)
    assert made.model.generate([1, 2], max_tokens=6) == program.generate([1, 2], max_tokens=6)
    assert made.model.generate([1, 2], max_tokens=6, cached=False) == program.generate([1, 2], max_tokens=6)


def test_what_knows_no_loop_says_so(tmp_path: Path) -> None:
    made = of("x = (x + shift(x, 1, 0)) % 3;")
    assert not (verdict := verify_model(made.model)).ok and "it has a loop" in str(verdict)
    assert made.fast.plan is None and "it has a loop" in (made.fast.reason or "")
    for host in ("bert", "onnx", "torch-export"):
        with pytest.raises(ModelError, match="this model has a loop"):
            compiler.export(made.model, host, tmp_path / host)
    with pytest.raises(ModelError, match="this model has a loop"):
        compiler.intervene(made)


def test_a_loop_that_is_read_behind_itself_says_what_to_carry() -> None:
    with pytest.raises(Refusal) as caught:
        _ = of("last = x; x = (x + 1) % 3;", out="o = last;").circuit
    assert "`o` is computed from what `last` was in the last round" in str(caught.value)


def test_texts_and_numbers_in_one_name_are_refused() -> None:
    with pytest.raises(Refusal) as caught:
        _ = of('x = "a";').circuit
    assert "`x` holds strings and numbers" in str(caught.value)


def test_a_trace_shows_what_is_carried_round_by_round() -> None:
    made = of("x = max(x, shift(x, 1, 0));", rounds=50)
    trace = made.trace([2, 0, 0])
    assert trace.ok and trace.steps == ["before", "round 1", "round 2"]
    assert [row.found for row in trace.rows] == [[[2, 0, 0], [2, 2, 0], [2, 2, 2]]]


HALTING = {
    "as the text says": ("x = x if done else min(x + 1, 7); done = x > 3;", True),
    "a condition on what stays": ("x = max(x, shift(x, 1, 0)); done = x == 2;", True),
    "neighbours in order": (
        "y = shift(x, -1, 9); x = min(x, y) if (indices % 2 == 1) == odd else max(x, shift(x, 1, 0)); "
        "odd = not odd; done = shift(x, 1, 0) <= x and x <= shift(x, -1, 9);",
        True,
    ),
    "a condition on what no answer reads": ("x = max(x, shift(x, 1, 0)); odd = length > 2; done = odd;", False),
    "what changes all the same": ("x = (x + 1) % 3; done = x == 0;", False),
    "what another position changes": ("x = shift(x, 1, 0); done = x > 0;", False),
    "what is done and undone": ("x = x if done else (x + 1) % 3; done = indices >= 0 and not done;", False),
}


@pytest.mark.parametrize("case", HALTING)
def test_c44_a_loop_halts_where_it_is_proved_that_answers_stay(case: str) -> None:
    body, proved = HALTING[case]
    header = "#@ output: x\n#@ vocab: [0, 1, 2]\n#@ max_length: 6\n#@ loop: x, odd, done\n#@ halt: done\n"
    body = body if "odd" in body else f"{body} odd = odd;"
    text = f"{header}x = tokens_int;\nodd = False;\ndone = False;\nfor i in range(12) {{ {body} }}"
    made = Compiled(rasp.parse(text))
    assert made.graph.loop is not None and (made.graph.loop.halt is not None) == proved
    assert ("halt" in {one.code for one in made.warnings}) == (not proved)
    rng = random.Random(case)
    given = [[rng.randint(0, 2) for _ in range(rng.randint(1, 6))] for _ in range(80)]
    assert made.model.run_batch(given) == [made.program["x"](tokens) for tokens in given]
    for tokens in given[:20]:
        assert made.model.run(tokens) == made.program["x"](tokens)
        states = [made.program.states[number]["done"] for number in range(1, 13)]
        found = [rasp.meaning.interpreter.evaluate(node, tokens) for node in states]
        if proved and any(map(all, found)):
            assert made.model.rounds <= 1 + next(number for number, values in enumerate(found) if all(values))


def test_examples_are_for_as_many_rounds_as_the_header_has() -> None:
    examples = "#@ example: [1] -> [3]\n#@ example: [2] -> [4]\n"
    text = f"#@ loop: x\n{examples}x = tokens_int;\nfor i in range(2) {{ x = x + 1; }}"
    assert rasp.parse(text).examples.held == 2
    other = rasp.parse(text, settings={"rounds": 5})
    assert (other.examples.held, other.warnings) == (0, [])
