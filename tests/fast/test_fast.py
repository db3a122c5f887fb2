"""The fast path gives the interpreter's answers, in batches of any shape, and only where it is certified."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

import compiler
import rasp
from compiler.circuit.emit import emit
from compiler.cli import main
from compiler.graph.domain import Limits, Setting
from compiler.graph.specialise import specialise
from compiler.lowering.build import build
from compiler.model import Config, ModelError, Scalar, Transformer
from compiler.numbers.direction import BOS
from compiler.numbers.precision import PRECISIONS
from compiler.pipeline import Compiled, compilations, faster
from compiler.runtime.fast.heads import Attention
from compiler.runtime.fast.model import Fast
from compiler.runtime.fast.plan import Plan, _Replaced, plan
from compiler.runtime.fast.rows import Tape
from compiler.runtime.fast.search import Placed
from compiler.runtime.origin import MODES
from rasp import RaspError, evaluate
from rasp.value import to_python
from tests.inputs import short
from tests.library import LIBRARY, both_attentions
from tests.random_programs import VOCABULARY, seeded

SOME = ("sort", "paper/dyck_2_ptf", "paper/double_histogram_bos", "sequence/mode_count", "decoders/sort")
SHORT = 400
"""All inputs of length 1, 2, ... are tried as long as there are no more than this, those of length 1 in any case."""
DYCK = {"(": ")", "{": "}"}
Step: TypeAlias = "Callable[[Tape, Tape | None], None]"


def compiled_at(
    name: str, max_length: int | None = None, attention: str | None = None, dtype: str = "float32"
) -> Compiled:
    return Compiled(LIBRARY[name].program.replace(max_length=max_length, attention=attention), dtype=dtype)


WITHOUT_PLAN = {"numbers/dot_product_of_halves"}
"""Programs whose plan, which holds counts as they are, cannot be certified: the model itself runs."""


def fast_of(compiled: Compiled) -> Fast:
    """With the fast path, whatever is quicker."""
    found = plan(compiled.circuit)
    assert isinstance(found, Plan), found
    return Fast(compiled.model, found, "fast")


def inputs_of(compiled: Compiled, count: int, rng: random.Random) -> list[list[Scalar]]:
    """All short inputs, random ones of all lengths, and equal tokens."""
    vocabulary, longest = list(compiled.program.settings.vocab or ()), compiled.setting.max_length
    few = [list(tokens) for tokens in short(vocabulary, longest, max(SHORT, len(vocabulary)))]
    drawn = [rng.choices(vocabulary, k=rng.randint(1, longest)) for _ in range(count)]
    drawn += [rng.choices(vocabulary, k=longest) for _ in range(count)]
    return few + drawn + [[token] * length for token in vocabulary[:4] for length in (longest - 1, longest) if length]


def assert_interpreters_answers(
    compiled: Compiled, inputs: list[list[Scalar]], fast: Transformer | None = None
) -> None:
    """On every input that the program means and that has an answer; elsewhere it must only not fail."""
    program, fast = compiled.program, fast or fast_of(compiled)
    for name in program.outputs:
        answers = fast.run_batch(inputs, name)
        known = 0
        for tokens, answer in zip(inputs, answers, strict=True):
            try:
                meant = all(all(program[one](tokens)) for one in program.settings.requires)
                expected = program[name](tokens) if meant else None
            except RaspError:
                continue
            if expected is not None:
                assert answer == expected, tokens
                known += 1
        assert known > 0


# ------------------------------------------------------------------------------------------------------------ answers


@pytest.mark.parametrize("name", SOME)
def test_c21_answers_are_the_interpreters(name: str) -> None:
    compiled = compiled_at(name)
    assert_interpreters_answers(compiled, inputs_of(compiled, 20, random.Random(name)))


@pytest.mark.parametrize(("name", "attention"), both_attentions(name for name in LIBRARY if name not in WITHOUT_PLAN))
def test_answers_of_all_programs_are_the_interpreters(name: str, attention: str) -> None:
    compiled = compiled_at(name, attention=attention)
    try:
        assert compiled.circuit
    except RaspError:
        assert attention != LIBRARY[name].program.settings.attention
        return
    assert_interpreters_answers(compiled, inputs_of(compiled, 100, random.Random(name)))


POISON = [1e30, float("inf"), float("nan")]


@pytest.mark.parametrize("poison", POISON)
@pytest.mark.parametrize("scored", [False, True])
@pytest.mark.parametrize("attention", ["bidirectional", "causal"])
@pytest.mark.parametrize("name", [*SOME[:4], "histogram", "sequence/rotate_by_2"])
def test_padding_reaches_nothing(
    name: str, attention: str, scored: bool, poison: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands in the padding is spoilt in front of everything that runs in the place of a layer."""
    compiled = compiled_at(name, attention=attention, max_length=9)
    if scored:
        monkeypatch.setattr(_Replaced, "_step", lambda self, head: "its scores only")
    found = plan(compiled.circuit, scored=True)
    assert isinstance(found, Plan) and any(found.scored) == scored
    fast, rng, vocabulary = Fast(compiled.model, found, "fast"), random.Random(name), len(compiled.setting.vocabulary)
    ids = torch.tensor([[rng.randrange(vocabulary) for _ in range(9)] for _ in range(6)])
    mask = torch.arange(9) < torch.tensor([[9], [1], [4], [8], [2], [5]])

    def spoilt(step: Step) -> Step:
        def run(own: Tape, source: Tape | None) -> None:
            own.stream.masked_fill_(~mask, poison)
            step(own, source)

        return run

    clean = fast.count(ids, mask)
    path = fast.path()
    monkeypatch.setattr(path, "steps", [spoilt(step) for step in path.steps])
    assert torch.equal(fast.count(ids, mask), clean) and clean.isfinite().all()


def test_logits_that_are_not_finite_decide_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    fast = fast_of(compiled_at("sort", max_length=6))
    path, stream = fast.path(), fast.path().stream
    monkeypatch.setattr(path, "stream", lambda own, source: stream(own).masked_fill_(own[0] == 3, torch.inf))
    assert fast.run_batch(["cab", "b"]) == [["a", "b", "c"], ["b"]]
    with pytest.raises(ModelError, match="the logits of sorted at position 2 are not finite"):
        fast.run_batch(["cab", "bad", "b"])
    assert not fast.count(torch.tensor([[1, 0, 3]])).isfinite().all()


@pytest.mark.parametrize("name", ["sort", "paper/dyck_2_ptf", "sequence/mode_count"])
def test_answers_in_float64_are_the_interpreters(name: str) -> None:
    compiled = compiled_at(name, dtype="float64")
    assert_interpreters_answers(compiled, inputs_of(compiled, 20, random.Random(name)))


def outcome(seed: int, depth: int, length: int, dtype: str = "float32") -> str:
    """What becomes of a random program. Fails where the fast path differs from the interpreter."""
    node, causal, rng = seeded(seed, depth), seed % 2 == 1, random.Random(seed)
    try:
        built = build(specialise({"out": node}, {}, Setting(VOCABULARY, length, causal)), precision=PRECISIONS[dtype])
    except RaspError:
        return "refused"
    found = plan(built.circuit)
    if isinstance(found, str):
        return "plain"
    weights = emit(built.circuit)
    model = Transformer(Config.from_json(weights.config))
    model.load_state_dict({name: torch.from_numpy(t).to(model.embed.W_E.dtype) for name, t in weights.tensors.items()})
    inputs = [rng.choices(VOCABULARY, k=rng.randint(1, length)) for _ in range(20)]
    inputs += [[token] * size for token in VOCABULARY for size in (1, length)]
    for tokens, answer in zip(inputs, Fast(model.eval(), found, "fast").run_batch(inputs), strict=True):
        try:
            assert answer == [to_python(value) for value in evaluate(node, tokens, causal=causal)], (seed, tokens)
        except RaspError:
            continue
    return "fast" if built.certificate.ok else "fast, though the model is not certified"


def test_random_programs_give_the_interpreters_answers() -> None:
    found = [outcome(seed, depth, 7) for depth in (3, 4, 5) for seed in range(100 * depth, 100 * depth + 25)]
    assert found.count("fast") > 60, found


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("depth", "length"), [(3, 24), (4, 8), (4, 16), (5, 8), (6, 8)])
def test_more_random_programs_give_the_interpreters_answers(depth: int, length: int, dtype: str) -> None:
    found = [outcome(seed, depth, length, dtype) for seed in range(1000 * depth, 1000 * depth + 80)]
    assert found.count("fast") > 40, found


# --------------------------------------------------------------------------------------------- heads that keep scores

TWO_ORDERS = """
earlier = select(tokens_int, tokens_int, <) and select(tokens_int, indices, >);
found = has_focus(earlier);
"""


def test_a_head_that_only_scores_can_tell_runs_as_it_is() -> None:
    compiled = compiler.compile(rasp.parse(TWO_ORDERS), vocab="0123", max_length=6)
    assert "known by its scores only" in str(plan(compiled.circuit))
    found = plan(compiled.circuit, scored=True)
    assert isinstance(found, Plan) and any(found.scored)
    fast = Fast(compiled.model, found, "fast")
    inputs = ["".join(text) for length in (1, 2, 3, 6) for text in itertools.product("0123", repeat=length)][:600]
    assert fast.run_batch(inputs) == [compiled.program["found"](text) for text in inputs]


def scored_at_random(name: str, attention: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the heads keep their scores, drawn; the answers are still the interpreter's."""
    compiled, rng, step = compiled_at(name, attention=attention), random.Random(name), _Replaced._step
    try:
        assert compiled.circuit
    except RaspError:
        return
    monkeypatch.setattr(_Replaced, "_step", lambda self, head: rng.choice(["drawn", step(self, head)]))
    found = plan(compiled.circuit, scored=True)
    assert isinstance(found, Plan), found
    assert_interpreters_answers(compiled, inputs_of(compiled, 20, rng), Fast(compiled.model, found, "fast"))


@pytest.mark.parametrize("attention", ["bidirectional", "causal"])
@pytest.mark.parametrize("name", ["sort", "paper/dyck_2_ptf", "paper/double_histogram_bos"])
def test_some_heads_may_keep_their_scores(name: str, attention: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scored_at_random(name, attention, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in LIBRARY if name not in WITHOUT_PLAN])
def test_some_heads_of_all_programs_may_keep_their_scores(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    scored_at_random(name, LIBRARY[name].program.settings.attention, monkeypatch)


# ---------------------------------------------------------------------------------------------------------- long inputs


def nested(rng: random.Random, length: int) -> str:
    """A balanced text of two kinds of brackets, as deep as it comes."""
    text, open_ones = "", []
    while len(text) + len(open_ones) < length:
        if open_ones and rng.random() < 0.45:
            text += DYCK[open_ones.pop()]
        else:
            open_ones.append(rng.choice("({"))
            text += open_ones[-1]
    return text + "".join(DYCK[one] for one in reversed(open_ones))


def hard_brackets(length: int) -> list[str]:
    """Deep, flat, balanced, almost balanced, and beyond repair from the first token on."""
    rng = random.Random(0)
    half = length // 2
    texts = [
        "(" * half + ")" * half,
        "(" * length,
        ")" * length,
        "(){}" * (length // 4),
        "({" * half,
        "({)}" * (length // 4),
    ]
    balanced = [nested(rng, length)[:length] for _ in range(6)]
    broken = []
    for text in balanced:
        place = rng.randrange(len(text))
        broken.append(text[:place] + rng.choice("(){}") + text[place + 1 :])
    return texts + balanced + broken + [text[: rng.randint(1, length)] for text in balanced]


@pytest.mark.parametrize("length", [64, pytest.param(512, marks=pytest.mark.slow)])
def test_dyck_2_on_hard_brackets(length: int) -> None:
    compiled = compiled_at("paper/dyck_2_ptf", max_length=length)
    fast, texts = fast_of(compiled), hard_brackets(length)
    assert fast.run_batch(texts) == [compiled.program["verdict"](text) for text in texts]


def test_no_tensor_grows_with_the_square_of_the_length() -> None:
    """The kernel of plain attention needs memory that grows with the length alone, and so does this path."""
    compiled = compiled_at("paper/dyck_2_ptf", max_length=512)
    fast, largest = fast_of(compiled), {}
    for length in (256, 512):
        with torch.no_grad(), Largest() as seen:
            fast(torch.zeros(1, length, dtype=torch.long))
        largest[length] = seen.numbers
    assert largest[512] <= 2 * largest[256]


class Largest(TorchDispatchMode):
    """Notes how many numbers the largest tensor holds that any operation makes."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        made = func(*args, **(kwargs or {}))
        for tensor in made if isinstance(made, tuple | list) else (made,):
            if isinstance(tensor, Tensor):
                self.numbers = max(self.numbers, tensor.numel())
        return made


# ------------------------------------------------------------------------------------------------- padding and batches


@pytest.mark.parametrize("name", ["sort", "reverse", "paper/dyck_2_ptf", "sequence/mode_count", "paper/rover"])
def test_padding_changes_nothing(name: str) -> None:
    """Whatever stands in the padding, even tokens of the vocabulary."""
    compiled = compiled_at(name, max_length=12)
    fast, rng, size = fast_of(compiled), random.Random(name), len(compiled.setting.vocabulary)
    lengths = [1, 2, 5, 11, 12]
    ids = torch.tensor([[rng.randrange(size) for _ in range(12)] for _ in lengths])
    mask = torch.arange(12) < torch.tensor(lengths)[:, None]
    with torch.no_grad():
        together = fast(ids, mask)
        for row, length in enumerate(lengths):
            alone = fast(ids[row : row + 1, :length])
            assert together[row, :length].argmax(-1).equal(alone[0].argmax(-1))


def test_an_input_that_the_model_refuses_is_refused() -> None:
    fast = fast_of(compiled_at("sort", max_length=4))
    with torch.no_grad(), pytest.raises(ModelError, match="the model holds 4"):
        fast(torch.zeros(1, 5, dtype=torch.long))
    with torch.no_grad(), pytest.raises(ModelError, match="padding in front"):
        fast(torch.zeros(1, 4, dtype=torch.long), torch.tensor([[0, 1, 1, 1]]))


# ----------------------------------------------------------------------------------------------------------- certified


@pytest.mark.parametrize("name", [*SOME, "sequence/fraction_so_far", "sequence/average_of_ends", "paper/rover"])
def test_c21_the_stream_is_as_near_to_the_exact_numbers_as_the_certificate_says(name: str) -> None:
    compiled = compiled_at(name, max_length=10)
    found = plan(compiled.circuit)
    assert isinstance(found, Plan)
    certifier = _Replaced(found.circuit)
    assert certifier.certificate().ok
    path = Fast(compiled.model, found).path()
    rng, vocabulary = random.Random(name), compiled.program.settings.vocab or ()
    for _ in range(5):
        ids = [rng.randrange(len(vocabulary)) for _ in range(rng.randint(1, 10))]
        try:
            assert all(program_answers(compiled, [vocabulary[number] for number in ids]))
        except (RaspError, AssertionError):
            continue
        *_, exact = found.circuit.stages(ids)
        stream = path.stream((torch.tensor([ids]), None))[:, 0].double()
        for direction, row in path.rows.of.items():
            assert direction != BOS
            for place, number in enumerate(stream[row].tolist(), start=1):
                assert abs(number - float(exact[place][direction])) <= certifier.bounds[direction].error, direction


def program_answers(compiled: Compiled, tokens: list[Scalar]) -> list[bool]:
    """Whether the program means the input. Raises `RaspError` where it has no answer."""
    program = compiled.program
    for name in program.outputs:
        assert program[name](tokens)
    return [bool(value) for name in program.settings.requires for value in program[name](tokens)]


def test_c21_what_nobody_reads_is_not_computed() -> None:
    compiled = compiled_at("paper/dyck_2_ptf", max_length=64)
    found = plan(compiled.circuit)
    assert isinstance(found, Plan)
    counted, scored = (
        sum(map(len, neurons))
        for neurons in ([layer.neurons for layer in made] for made in (found.layers, compiled.circuit.layers))
    )
    assert counted < 40 and 5 * counted < scored


def test_c21_what_stands_at_fixed_distances_is_fetched_at_once() -> None:
    program = rasp.parse("""
        def back(distance) { return aggregate(select(indices, indices - distance, ==), tokens, ""); }
        answer = back(1) == back(2) and back(2) == back(5);
    """)
    compiled = compiler.compile(program, vocab="ab", max_length=9)
    fast = fast_of(compiled)
    (attention,) = (step for step in fast.path().steps if isinstance(step, Attention))
    assert [type(group.search) for group in attention.groups] == [Placed]
    inputs = inputs_of(compiled, 30, random.Random(0))
    for padded in (inputs, [tokens for tokens in inputs if len(tokens) < 9]):
        assert fast.run_batch(padded) == [program["answer"](tokens) for tokens in padded]


def test_c21_digits_of_an_order_are_one_search() -> None:
    compiled = compiled_at("paper/dyck_2_ptf", max_length=64)
    found = plan(compiled.circuit)
    assert isinstance(found, Plan)
    assert len(found.layers[0].steps) == 1 < len(compiled.circuit.layers[0].heads)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_runs_the_model_itself(dtype: str) -> None:
    compiled = compiled_at("histogram", max_length=8, dtype=dtype)
    assert compiled.fast.plan is None
    assert compiled.fast.reason == f"exact counts need float32 or float64, not {dtype}"
    assert compiled.fast.run("abca") == compiled.program["hist"]("abca")
    with pytest.raises(ModelError, match="no fast path"):
        compiled.fast.count(torch.tensor([[0]]))


def test_what_cannot_be_certified_is_no_plan() -> None:
    program = rasp.parse("""
        mean = aggregate(select(indices, indices, <=), indicator(tokens == "a"));
        x = aggregate(select(indices, indices, >=), mean);
    """)
    compiled = Compiled(program.replace(vocab="ab", max_length=6, output="x"), uncertified=True)
    assert str(plan(compiled.circuit)).startswith("it could not be certified: x, digit 1, nearest of")


# --------------------------------------------------------------------------------------------------- which way is taken


def test_where_gradients_are_wanted_the_model_itself_runs() -> None:
    compiled = compiled_at("sort", max_length=6)
    fast, ids = fast_of(compiled), torch.tensor([[0, 1, 2]])
    assert fast(ids).requires_grad
    with torch.no_grad():
        assert not fast(ids).requires_grad


def test_logits_can_be_used_like_those_of_the_model() -> None:
    fast = fast_of(compiled_at("sort", max_length=8))
    logits = fast.count(torch.tensor([[2, 0, 1]]))
    assert not logits.is_inference()
    scale = torch.ones(1, requires_grad=True)
    (logits * scale).sum().backward()
    assert scale.grad is not None and scale.grad.item() == pytest.approx(logits.sum().item())


def test_both_ways_are_tried_and_one_is_kept() -> None:
    compiled = compiled_at("sort", max_length=8)
    fast = compiled.fast
    assert fast is compiled.fast and fast.prefer == "auto"
    answers = [fast.run("dcba") for _ in range(6)]
    assert answers == [["a", "b", "c", "d"]] * 6
    (clock,) = fast._clocks.values()
    assert clock.trials == clock.TRIALS and all(seconds > 0 for seconds in clock.best)


def test_weights_are_shared() -> None:
    compiled = compiled_at("sort", max_length=6)
    assert compiled.fast.embed.W_E is compiled.model.embed.W_E
    assert compiled.fast.state_dict().keys() == compiled.model.state_dict().keys()


# --------------------------------------------------------------------------------------------------------- checkpoints


@pytest.mark.parametrize("optimize", ["balanced", "size"])
def test_a_checkpoint_whose_program_compiles_to_its_weights_is_fast(optimize: str, tmp_path: Path) -> None:
    compiled = compiler.compile(LIBRARY["sort"].program, max_length=8, optimize=optimize)
    compiled.save(tmp_path / "sort")
    fast = faster(compiler.load(tmp_path / "sort"))
    assert fast.plan is not None and fast.reason is None
    assert fast.run("dcba") == ["a", "b", "c", "d"]


@pytest.mark.parametrize("optimize", ["depth", "size"])
def test_a_checkpoint_says_how_it_was_compiled(optimize: str, tmp_path: Path) -> None:
    """So its program is compiled once, under limits of its own too; one that is not the same is not looked for."""
    limits = Limits(nodes=1 << 14, steps=1 << 12)
    compiled = compiler.compile(LIBRARY["sort"].program, max_length=8, optimize=optimize, limits=limits)
    compiled.save(tmp_path / "sort")
    model = compiler.load(tmp_path / "sort")
    assert model.labels["options"] == {"optimize": optimize, "limits": {"nodes": 1 << 14, "steps": 1 << 12}}
    [again] = compilations(model)
    assert (again.optimize, again.limits) == (optimize, limits)
    assert faster(model).plan is not None


OPTIONS: dict[str, Any] = {
    "none": None,
    "a mode that there is not": {"optimize": "luck", "limits": {}},
    "a limit that there is not": {"optimize": "size", "limits": {"luck": 1}},
    "a limit that bounds no work": {"optimize": "size", "limits": {"combinations": 1 << 40}},
}


@pytest.mark.parametrize("what", OPTIONS)
def test_every_mode_is_tried_where_a_checkpoint_says_nothing_usable(what: str) -> None:
    """As in those of versions that did not record it."""
    model = compiler.compile(LIBRARY["sort"].program, max_length=8, optimize="size").model
    model.labels = {key: value for key, value in model.labels.items() if key != "options"}
    model.labels |= {} if OPTIONS[what] is None else {"options": OPTIONS[what]}
    assert [(one.optimize, one.limits) for one in compilations(model)] == [(mode, Limits()) for mode in MODES]
    assert faster(model).plan is not None


def test_a_checkpoint_with_another_weight_is_not(tmp_path: Path) -> None:
    compiled = compiler.compile(LIBRARY["sort"].program, max_length=8)
    compiled.save(tmp_path / "sort")
    model = compiler.load(tmp_path / "sort")
    with torch.no_grad():
        model.unembed.W_U[0, 0] += 1
    fast = faster(model)
    assert fast.plan is None and "other weights" in str(fast.reason)
    with torch.no_grad():
        assert fast(torch.tensor([[0, 1]])).equal(model(torch.tensor([[0, 1]])))


def test_a_checkpoint_of_another_program_is_not(tmp_path: Path) -> None:
    compiled = compiler.compile(LIBRARY["sort"].program, max_length=8)
    model = compiled.model
    model.labels = model.labels | {"program": model.labels["program"] | {"source": "sorted = tokens;"}}
    assert faster(model).plan is None


def test_a_model_that_was_not_compiled_has_no_program() -> None:
    model = compiler.compile(LIBRARY["sort"].program, max_length=8).model
    model.labels = {}
    with pytest.raises(ModelError, match="does not say which program"):
        faster(model)


def test_run_with_the_fast_path(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compiler.compile(LIBRARY["sort"].program, max_length=8).save(tmp_path / "sort")
    assert main(["run", str(tmp_path / "sort"), "dcba", "--fast"]) == 0
    assert capsys.readouterr() == ("[a, b, c, d] (strings)\n", "")


def test_run_without_one_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    compiler.compile(LIBRARY["histogram"].program, max_length=8, dtype="float16").save(tmp_path / "hist")
    assert main(["run", str(tmp_path / "hist"), "abca", "--fast"]) == 0
    told = capsys.readouterr()
    assert told.out == "[2, 1, 1, 2] (ints)\n"
    assert "no fast path: exact counts need float32 or float64, not float16" in told.err


def test_a_program_is_compiled_for_the_fast_path(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "programs/sort.rasp", "dcba", "cab", "--fast", "--json"]) == 0
    assert main(["run", "programs/sort.rasp", "dcba", "cab", "--json"]) == 0
    first, second, *others = capsys.readouterr().out.splitlines()
    assert [first, second] == others and '["a", "b", "c", "d"]' in first
    assert main(["run", "programs/sort.rasp", "xyz", "--fast"]) == 2
    assert "not in the vocabulary" in capsys.readouterr().err
