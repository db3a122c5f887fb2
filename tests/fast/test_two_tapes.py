"""The fast path of programs with a source gives the answers of the plain weights, at every entry."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path

import pytest
import torch

import compiler
import rasp
from compiler.cli import main
from compiler.graph.witness import Case, meant
from compiler.model import ModelError, NotFiniteError, Reading
from compiler.numbers.direction import BOS
from compiler.pipeline import Compiled, faster
from compiler.runtime.fast import model as fast_model
from compiler.runtime.fast.generation import Recurrence, RecurrentReading
from compiler.runtime.fast.model import Fast
from compiler.runtime.fast.plan import Plan, _Replaced, plan
from compiler.runtime.fast.rows import Tape
from compiler.trust.compare import check
from compiler.trust.compare.generators import TwoTapes
from compiler.trust.compare.stages import answering, answers_of
from compiler.trust.compare.subject import Batch, of_compilation
from rasp import RaspError
from rasp.value import Value
from tests.compiler.test_two_tapes import SOURCES, random_program
from tests.fast.test_check import numbers
from tests.places import SEQ2SEQ
from tests.programs.test_seq2seq import drawn, load, tokens_of, written
from tests.programs.transductions import TASKS

SOME = ("addition", "copy", "run_length_decode", "sort", "translate")
NAMES = [path.stem for path in SEQ2SEQ]
PAIRS, SHORT, LONG = 300, 100, 30
"""Pairs of a source and a target that are all short, short sources that are decoded, random long ones."""

every_program = pytest.mark.parametrize(
    "name", [name if name in SOME else pytest.param(name, marks=pytest.mark.slow) for name in NAMES]
)


def fast_of(compiled: Compiled, scored: bool = False) -> Fast:
    """With the fast path, whatever is quicker."""
    found = plan(compiled.circuit, scored)
    assert isinstance(found, Plan), found
    return Fast(compiled.model, found, "fast")


def sources_of(name: str, program: rasp.Program, rng: random.Random) -> list[list[str]]:
    """All short sources of the task, and random ones, most of them as long as may be."""
    few = [[*source] for source in islice(TASKS[name].shortest(tokens_of(program)), SHORT)]
    return few + [[*drawn(name, program, rng)] for _ in range(LONG)]


def pairs_of(name: str, compiled: Compiled, rng: random.Random) -> list[Case]:
    """All short sources with all short targets, then long ones with targets that are right, nearly right and random."""
    program, setting = compiled.program, compiled.setting
    assert setting.encoder is not None
    space = TwoTapes(compiled, setting.encoder)
    few = islice((one for size in range(1, 9) for one in space.of_size(size)), PAIRS)
    more = [*few, *islice(space.random(rng), PAIRS)]
    for source in (drawn(name, program, rng) for _ in range(LONG)):
        right = written(name, program, source)[:-1]
        more.append(Case((setting.start, *right), tuple(source)))  # type: ignore[arg-type]
    return meant(program, more, setting)


def few_pairs(name: str, compiled: Compiled, count: int) -> list[tuple[list[int], list[int]]]:
    """The ids of some pairs that are meant and have an answer; most are long."""
    rng, model = random.Random(name), compiled.model
    pairs = pairs_of(name, compiled, rng)[-PAIRS:]
    drawn = rng.sample(pairs, min(3 * count, len(pairs)))
    outputs = [compiled.program.placed(node) for node in compiled.sop.values()]
    answers = answers_of(outputs, drawn, compiled.setting)
    known = [one for one, found in zip(drawn, answers, strict=True) if not isinstance(found[0], RaspError)]
    assert len(known) >= count
    return [(model.encode_source(one.source or ()), model.encode(one.tokens)) for one in known[:count]]


# ------------------------------------------------------------------------------------------------------------ answers


@every_program
def test_c21_answers_at_every_position_are_those_of_the_plain_weights(name: str) -> None:
    """And the interpreter's, in batches in which both tapes are padded, with no score computed in the decoder."""
    compiled = Compiled(load(name))
    fast, pairs = compiled.fast, pairs_of(name, compiled, random.Random(name))
    assert fast.plan is not None and not fast.plan.scored and fast.reason is None
    finding = of_compilation(compiled, fast=True).compare(Batch(pairs, ("model", "fast")))
    assert finding.wrong is None and finding.tried - finding.skipped > max(LONG, len(pairs) // 2)


@every_program
def test_targets_are_written_as_the_plain_weights_and_the_oracle_write_them(name: str) -> None:
    """Many at a time, one by one, token by token, and read again for each token."""
    program, rng = load(name), random.Random(name)
    compiled = Compiled(program)
    fast, sources = Fast(compiled.model, compiled.fast.plan or "", "fast"), sources_of(name, program, rng)
    assert not isinstance(fast.recurrence, str)
    wanted = compiled.model.decode_batch(sources)
    assert wanted == [[*map(same_kind(program), written(name, program, source))] for source in sources]
    assert fast.decode_batch(sources) == compiled.fast.decode_batch(sources) == wanted
    for source, target in [*zip(sources, wanted, strict=True)][-6:]:
        assert fast.decode(source) == fast.generate(source) == [*fast.stream(source)] == target
        assert fast.generate(source, cached=False) == compiled.model.generate(source, cached=False) == target


def same_kind(program: rasp.Program):  # type: ignore[no-untyped-def]
    """The value of a token that an oracle writes."""
    known = program.settings.known
    return lambda text: known[text]


@every_program
def test_a_recurrence_reads_any_target_as_plain_attention_does(name: str) -> None:
    """Those the program means, token by token."""
    compiled = Compiled(load(name))
    fast = Fast(compiled.model, compiled.fast.plan or "", "fast")
    for source, ids in few_pairs(name, compiled, 20):
        readers = compiled.model.reading(len(ids) + 1, source), fast.reading(len(ids) + 1, source)
        assert isinstance(readers[0], Reading) and isinstance(readers[1], RecurrentReading)
        for token in ids:
            assert len({reader.best([token], "next") for reader in readers}) == 1, (source, ids)


def test_random_programs_give_the_interpreters_answers() -> None:
    assert random_programs(range(2)) > 20


@pytest.mark.slow
@pytest.mark.parametrize("first", range(100, 140, 10))
def test_more_random_programs_give_the_interpreters_answers(first: int) -> None:
    assert random_programs(range(first, first + 10)) > 120


def random_programs(seeds: Sequence[int]) -> int:
    """How many have a plan. Fails where the fast path differs from the interpreter, at once or token by token."""
    known = 0
    for rng in map(random.Random, seeds):
        for _ in range(16):
            compiled = Compiled(random_program(rng))
            try:
                fast = compiled.fast
            except RaspError:
                continue
            if fast.plan is not None:
                known += 1
                require_right(compiled, [(rng.choice(SOURCES), "".join(rng.choices("abc", k=3))) for _ in range(12)])
    return known


def require_right(
    compiled: Compiled, pairs: Sequence[tuple[Sequence[str], Sequence[str]]], scored: bool = True
) -> None:
    """The fast path has the interpreter's answers, where there are some, and its recurrence has them step by step."""
    fast, program = fast_of(compiled, scored), compiled.program
    for source, target in pairs:
        try:
            wanted = {name: [*map(alike, values)] for name, values in program.answers(source, target).items()}
        except RaspError:
            continue
        found = fast.answers(source, target)
        assert {name: [*map(alike, values)] for name, values in found.items()} == wanted, (program.source.text, source)
        for name in wanted if not isinstance(fast.recurrence, str) else ():
            reader, values = fast.reading(9, fast.encode_source(source)), fast.config.slice(name)[1].values
            read = [reader.best([token], name) for token in fast.encode([fast.config.start, *target])]
            assert [alike(values[choice]) for choice in read] == wanted[name], (program.source.text, source, target)


def alike(value: Value | float) -> str | float:
    """As one compares values: a whole number is one, however it is written."""
    return value if isinstance(value, str) else float(value)


# -------------------------------------------------------------------------------------- every way to look up a source

FOUR = '#@ source: "abcd"\n#@ vocab: "abcd"\n#@ max_source: 4\n#@ max_length: 5\n#@ output: x\n'
WAYS = {
    "a place": ('x = aggregate(select(indices, indices, ==), source, "-");', ".get(p0, "),
    "a place that follows from another": ('x = aggregate(select(indices, 2 - indices, ==), source, "-");', ".get(p0, "),
    "a count of all": ("x = source_length;", "s0 = s0 + 1.0"),
    "a count of some": ('x = selector_width(select(source, "a", ==)) - indices;', ">= 0.5"),
    "a count of equals": ("x = selector_width(select(source, tokens, ==));", ".get(e"),
    "classes": ("x = selector_width(select(source, tokens, <=));", ".get("),
    "a number": (
        'p = selector_width(select(source, source, <)); x = aggregate(select(p, indices, ==), source, "-");',
        ".get(",
    ),
    "a mean": ("x = aggregate(select(source, tokens, ==), indices, -1) > 1;", "/ "),
    "a mean of a number": ("x = round(8 * aggregate(select(source, tokens, !=), 4 * indices, 0));", "/ "),
    "a window": ('x = selector_width(select(indices, indices, <=) and select(source, "a", ==));', ".between("),
    "a window of equals": (
        "x = selector_width(select(indices, indices, >) and select(source, tokens, ==));",
        ".between(",
    ),
    "an order": ("k = 2 * indices + indicator(source == 'b'); x = aggregate(select(k, 3 * indices, >), 1, 0);", "max("),
    "an interval": (
        "v = {'a': 0, 'b': 1, 'c': 2, 'd': 3}[source];\n"
        "t = aggregate(select(indices, indices, <=), v) * (indices + 1);\n"
        "x = aggregate(select(t - v, indices, <=) and select(t, indices, >), 2 * indices + v, 99);",
        ".at(",
    ),
    "what is required of the query": (
        'x = aggregate(select(source, tokens, ==) and select(True, tokens == "b", ==), indices, -1) > 0;',
        ">= 0.5",
    ),
    "what the target says first": (
        "w = selector_width(select(tokens, tokens, ==)); x = aggregate(select(indices, w, ==), source, '-');",
        ".get(",
    ),
}
SHORTER = [(*one,) for n in range(5) for one in itertools.product("abcd", repeat=n)]


def way_of(way: str) -> Compiled:
    return compiler.compile(rasp.parse(FOUR + WAYS[way][0].replace("'", '"')))


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_look_up_a_source(way: str) -> None:
    """Every source of up to four tokens with every target of up to two, in batches; some token by token."""
    compiled, rng = way_of(way), random.Random(way)
    fast = fast_of(compiled)
    assert not isinstance(fast.recurrence, str) and WAYS[way][1] in fast.recurrence.source, fast.recurrence
    every = [Case(("<start>", *target), source) for source in SHORTER[1:] for target in SHORTER[:9]]
    assert of_compilation(compiled, fast=True).compare(Batch(every, ("fast",))).wrong is None
    require_right(compiled, [(rng.choice(SHORTER[1:]), rng.choice(SHORTER)) for _ in range(150)], scored=False)


def test_heads_that_are_known_by_their_scores_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them here, of both stacks; then some, drawn. No recurrence reads them."""
    step, rng = _Replaced._step, random.Random(0)
    for one in (lambda self, head: "its scores", lambda self, head: rng.choice(["its scores", step(self, head)])):
        monkeypatch.setattr(_Replaced, "_step", one)
        for way in WAYS:
            require_right(way_of(way), [(rng.choice(SHORTER[1:]), rng.choice(SHORTER)) for _ in range(30)])
    monkeypatch.setattr(_Replaced, "_step", lambda self, head: "its scores")
    fast = way_of("a place").fast
    assert fast.plan is not None and fast.recurrence == "some of its heads need scores"
    assert isinstance(fast.reading(4, [0, 1]), Reading)


ONE_TAPE = """
v = {"a": 0, "b": 1, "c": 3}[tokens];
t = aggregate(select(indices, indices, <=), v) * (indices + 1);
x = aggregate(select(t - v, indices, <=) and select(t, indices, >), 2 * indices + v, 99);
"""


@pytest.mark.parametrize("attention", ["bidirectional", "causal"])
def test_c32_an_interval_is_looked_up_on_one_tape_too(attention: str) -> None:
    compiled = compiler.compile(rasp.parse(ONE_TAPE), output="x", vocab="abc", max_length=5, attention=attention)
    fast = fast_of(compiled)
    assert fast.plan is not None and any(step.selection.intervals for one in fast.plan.layers for step in one.steps)
    inputs = ["".join(one) for n in (1, 2, 4, 5) for one in itertools.product("abc", repeat=n)]
    wanted = [compiled.program["x"](tokens) for tokens in inputs]
    assert fast.run_batch(inputs) == wanted
    if attention == "causal":
        for tokens, answers in zip(inputs, wanted, strict=True):
            reader, values = fast.reading(6), fast.config.outputs[0].values
            assert [values[reader.best([token], "x")] for token in fast.encode(tokens)] == answers


# ----------------------------------------------------------------------------------------------------------- certified


@every_program
def test_c21_selections_of_heads_that_cross_have_their_rows(name: str) -> None:
    compiled = Compiled(load(name))
    circuit, replaced = compiled.circuit, _Replaced(compiled.circuit)
    known = 0
    for source, ids in few_pairs(name, compiled, 2):
        assert circuit.encoder is not None
        keys, stages = circuit.encoded(source), [*circuit.stages(ids, circuit.encoded(source))]
        for number, layer in enumerate(circuit.layers):
            for head in layer.cross:
                selection = replaced.selections.of(head)
                assert selection is not None
                streams = stages[3 * number + 1]
                assert [*selection.rows(streams, keys)] == [*head.rows(streams, keys, causal=False)], head
                known += 1
    assert known


@every_program
def test_c21_both_streams_are_as_near_to_the_exact_numbers_as_the_certificate_says(name: str) -> None:
    compiled = Compiled(load(name))
    fast = fast_of(compiled, scored=True)
    assert fast.plan is not None
    certifier = _Replaced(fast.plan.circuit)
    assert certifier.certificate().ok and certifier.before is not None
    path = fast.path()
    for source, ids in few_pairs(name, compiled, 2):
        encoded = path.encoded((torch.tensor([source]), None))
        assert encoded is not None and path.encoder is not None
        exact = fast.plan.circuit.encoded(source)
        *_, decoded = fast.plan.circuit.stages(ids, exact)
        stream = path.stream((torch.tensor([ids]), None), encoded)
        for rows, found, streams, bounds in (
            (path.encoder.rows, encoded.stream, exact, certifier.before.bounds),
            (path.rows, stream, decoded, certifier.bounds),
        ):
            for direction, row in rows.of.items():
                assert direction != BOS
                for place, number in enumerate(found[row, 0].double().tolist(), start=1):
                    distance = abs(Fraction(number) - streams[place].get(direction, Fraction(0)))
                    assert distance <= bounds[direction].error, direction


def test_what_no_head_reads_is_not_computed() -> None:
    """Squares that only scores of crossing heads read are computed by neither stack."""
    fast = Compiled(load("sort").replace(max_source=16)).fast
    assert fast.plan is not None and fast.plan.encoder is not None
    assert sum(len(layer.neurons) for layer in fast.plan.circuit.encoder.layers) == 15  # type: ignore[union-attr]
    assert sum(len(layer.neurons) for layer in fast.plan.encoder.layers) == 0
    assert str(fast.plan).startswith("encoder\nL0 place: ") and "\n\ndecoder\nL0 next: key(" in str(fast.plan)


# ------------------------------------------------------------------------------------------------- padding and batches


@pytest.mark.parametrize("poison", [1e30, float("inf"), float("nan")])
@pytest.mark.parametrize("scored", [False, True])
@pytest.mark.parametrize("name", SOME[1:4])
def test_padding_of_either_tape_reaches_nothing(
    name: str, scored: bool, poison: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What stands in the padding is spoilt in front of everything that runs in the place of a sublayer."""
    compiled = Compiled(load(name))
    if scored:
        monkeypatch.setattr(_Replaced, "_step", lambda self, head: "its scores only")
    fast = fast_of(compiled, scored=True)
    sources, targets = zip(*few_pairs(name, compiled, 12), strict=True)
    tapes = [*fast.padded([*sources]), *fast.padded([*targets])]
    assert tapes[1] is not None and tapes[3] is not None
    clean = fast.count(*tapes)  # type: ignore[arg-type]
    path = fast.path()
    assert path.encoder is not None

    def spoilt(step):  # type: ignore[no-untyped-def]
        def run(own: Tape, source: Tape | None) -> None:
            for tape in (own, source):
                if tape is not None and tape.mask is not None:
                    tape.stream.masked_fill_(~tape.mask, poison)
            step(own, source)

        return run

    for one in (path, path.encoder):
        monkeypatch.setattr(one, "steps", [spoilt(step) for step in one.steps])
    assert torch.equal(fast.count(*tapes), clean) and clean.isfinite().all()  # type: ignore[arg-type]


def test_a_batch_of_the_same_length_needs_no_mask() -> None:
    compiled = Compiled(load("reverse"))
    fast = fast_of(compiled)
    sources, targets = torch.tensor([[0, 1, 2], [3, 4, 5]]), torch.tensor([[9, 2], [9, 5]])
    with torch.no_grad():
        wanted = compiled.model(sources, None, targets).argmax(-1)
        assert fast(sources, None, targets).argmax(-1).equal(wanted)
        assert fast(sources, torch.ones(2, 3), targets, torch.ones(2, 2)).argmax(-1).equal(wanted)


# -------------------------------------------------------------------------------------------------------- entry points


def test_keys_of_a_source_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The encoder runs once for a text, whatever is written; of the decoder no layer does."""
    fast, runs = fast_of(Compiled(load("run_length_decode"))), []
    stream = fast_model.Path.stream
    monkeypatch.setattr(fast_model.Path, "stream", lambda self, *given: runs.append(self) or stream(self, *given))
    assert fast.generate("a9b9") == [*"a" * 9, *"b" * 9, "."]
    assert runs == [fast.path().encoder]
    assert fast.decode_batch(["a9b9", "c1", "d2b3"])[2] == [*"ddbbb."]
    assert runs == [fast.path().encoder] * 2


def test_what_is_written_may_be_cut_stopped_and_drawn() -> None:
    compiled = Compiled(load("sort"))
    model, fast = compiled.model, compiled.fast
    for options in ({"max_tokens": 2}, {"stop": ["b"]}, {"stop": [], "max_tokens": 9}, {"output": "next"}):
        assert fast.generate("cabh", **options) == model.generate("cabh", **options)  # type: ignore[arg-type]
    assert fast.generate("cabh", temperature=1.0, seed=3) == [*"abch."]
    assert len({(*fast.generate("cabh", temperature=1e6, seed=seed),) for seed in range(9)}) > 1


def test_the_quicker_way_is_found_out_and_kept() -> None:
    compiled = Compiled(load("reverse"))
    fast = compiled.fast
    assert fast.prefer == "auto"
    for _ in range(4):
        assert fast.decode_batch(["abc", "hg"]) == [[*"cba."], [*"gh."]]
        assert fast.answers("abc", "cb") == {"next": [*"cba"]}
    assert [clock.trials for clock in fast._clocks.values()] == [3, 3]
    plain = Fast(compiled.model, fast.plan or "", "plain")
    assert plain.decode_batch(["abc"]) == [[*"cba."]] and isinstance(plain.reading(4, [0]), Reading)


def test_where_gradients_are_wanted_the_model_itself_runs() -> None:
    fast = fast_of(Compiled(load("reverse")))
    tapes = torch.tensor([[0, 1, 2]]), None, torch.tensor([[9, 2]])
    assert fast(*tapes).requires_grad
    with torch.no_grad():
        assert not fast(*tapes).requires_grad


def test_what_the_model_refuses_is_refused_in_its_words() -> None:
    compiled = Compiled(load("reverse"))
    source, target = torch.tensor([[0, 1, 2]]), torch.tensor([[9, 2]])
    for call in (
        lambda model: model.run("abc"),
        lambda model: model.patterns("abc"),
        lambda model: model(source),
        lambda model: model.decode("a" * 65),
        lambda model: model.decode("x"),
        lambda model: model.decode(""),
        lambda model: model.answers("abc", "c" * 65),
        lambda model: model(torch.zeros(1, 65, dtype=torch.long), None, target),
        lambda model: model(source, torch.tensor([[0, 1, 1]]), target),
        lambda model: model(source, None, target, torch.tensor([[0, 1]])),
    ):
        told = []
        for model in (compiled.model, fast_of(compiled)):
            with torch.no_grad(), pytest.raises(ModelError) as refused:
                call(model)
            told.append(str(refused.value))
        assert told[0] == told[1]


def test_numbers_of_a_source_that_are_not_finite_are_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    fast = fast_of(Compiled(load("sort")))
    encoder = fast.path().encoder
    assert encoder is not None
    stream = encoder.stream
    monkeypatch.setattr(
        encoder, "stream", lambda given, *rest: stream(given, *rest).masked_fill_(given[0] == 3, torch.nan)
    )
    assert fast.decode("cab") == [*"abc."]
    for call in (lambda: fast.decode("bad"), lambda: fast.generate("bad"), lambda: fast.decode_batch(["cab", "bad"])):
        with pytest.raises(NotFiniteError, match="the numbers of the source at position 2 are not finite"):
            call()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_runs_the_model_itself(dtype: str) -> None:
    compiled = Compiled(load("copy"), dtype=dtype)
    assert compiled.fast.reason == f"exact counts need float32 or float64, not {dtype}"
    assert compiled.fast.decode("abc") == compiled.model.decode("abc") == [*"abc."]
    with pytest.raises(ModelError, match="no fast path"):
        compiled.fast.count(torch.tensor([[0]]), None, torch.tensor([[9]]))


def test_answers_in_float64_are_those_of_the_plain_weights() -> None:
    compiled = Compiled(load("sort"), dtype="float64")
    pairs = pairs_of("sort", compiled, random.Random(0))
    fast = fast_of(compiled)
    assert answering(fast)(pairs) == answering(compiled.model)(pairs)
    assert fast.decode_batch([one.source or () for one in pairs]) == compiled.model.decode_batch(
        [one.source or () for one in pairs]
    )


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "sort"
    compiler.compile(load("sort")).save(folder)
    return folder


def test_a_checkpoint_whose_program_compiles_to_its_weights_is_fast(checkpoint: Path) -> None:
    model = compiler.load(checkpoint)
    fast = faster(model)
    assert fast.plan is not None and fast.reason is None
    assert fast.decode_batch(["cab", "hgfe"]) == [[*"abc."], [*"efgh."]]
    assert isinstance(fast.reading(4, [0]), RecurrentReading)
    with torch.no_grad():
        assert model.encoder is not None
        model.encoder.embed.W_E[0, 0] += 1
    assert "other weights" in str(faster(model).reason)


@pytest.mark.parametrize("words", [["run", "cab", "ha"], ["run", "cab", "--target", "ab"], ["generate", "cab"]])
def test_the_command_line_says_nothing_but_the_answer(
    words: list[str], checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = []
    for target, more in itertools.product(("programs/seq2seq/sort.rasp", str(checkpoint)), ([], ["--fast"])):
        assert main([words[0], target, *words[1:], *more]) == 0
        printed.append(capsys.readouterr())
    assert {one.err for one in printed} == {""} and len({one.out for one in printed}) == 1


def test_a_fast_path_that_cannot_write_says_so(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_Replaced, "_step", lambda self, head: "its scores only")
    for words in (["run", "cab"], ["generate", "cab"]):
        assert main([words[0], "programs/seq2seq/sort.rasp", *words[1:], "--fast"]) == 0
        assert "no fast path: some of its heads need scores" in capsys.readouterr().err
    assert main(["run", "programs/seq2seq/sort.rasp", "cab", "--target", "a", "--fast"]) == 0
    assert capsys.readouterr() == ("[a, b] (strings)\n", "")


# --------------------------------------------------------------------------------------------------------------- check


def test_a_check_looks_at_answers_and_at_whole_targets(checkpoint: Path) -> None:
    more = ["fast", "fast decode", "fast generate"]
    for target, jobs in ((load("sort"), 1), (checkpoint, 2)):
        report = check(target, samples=40, max_exhaustive=60, fast=True, jobs=jobs)
        assert report.ok and report.stages[-3:] == more and report.decoded > 20


SMALL = """
#@ output: next
#@ source: "ab"
#@ vocab: "ab."
#@ max_source: 3
#@ stop: "."
before = select(source, source, <) or (select(source, source, ==) and select(indices, indices, <));
next = aggregate(select(selector_width(before), indices, ==), source, ".");
"""


@pytest.mark.parametrize("count", [12, pytest.param(60, marks=pytest.mark.slow)])
def test_every_changed_number_that_changes_an_answer_is_noticed(count: int) -> None:
    """Of both stacks. Whether one does is found out by running the fast path on every input there is."""
    compiled, rng = Compiled(rasp.parse(SMALL)), random.Random(count)
    fast = fast_of(compiled)
    sources = [(*one,) for n in (1, 2, 3) for one in itertools.product("ab", repeat=n)]
    targets = [(*one,) for n in (0, 1, 2, 3) for one in itertools.product("ab.", repeat=n)]
    every_pair = [Case(("<start>", *target), source) for source, target in itertools.product(sources, targets)]
    stage, tensors, changed = answering(fast), [*numbers(fast.path(), set())], 0
    right = stage(every_pair)
    for _ in range(count):
        tensor = rng.choice(tensors)
        place = tuple(rng.randrange(size) for size in tensor.shape)
        before = tensor[place].clone()
        tensor[place] = rng.choice((before + 1, -before, 1.5 * before))
        if stage(every_pair) != right:
            changed += 1
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Fast, "path", lambda _: fast._path)
                [difference] = check(compiled, samples=200, max_exhaustive=400, fast=True).differences
            assert difference.stage == "fast"
        tensor[place] = before
    assert stage(every_pair) == right and changed >= count // 12


def tampered() -> Iterator[tuple[str, str, object]]:
    """What is spoilt, how, and the first stage that shows it."""
    logits, nearest = fast_model.Path.logits, Recurrence.nearest
    yield "compiler.runtime.fast.model.Path.logits", "fast", lambda *given: logits(*given).flip(-1)
    yield (
        "compiler.runtime.fast.generation.Recurrence.nearest",
        "fast decode",
        lambda self, output, digits: (nearest(self, output, digits) + 1) % 9,
    )


@pytest.mark.parametrize(("what", "stage", "how"), [*tampered()])
def test_answers_that_were_tampered_with_are_noticed(
    what: str, stage: str, how: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(what, how)
    [difference] = check(load("sort"), samples=100, max_exhaustive=50, fast=True).differences
    assert difference.stage == stage and difference.place is None
