"""The machine: an ordinary `nn.Module` whose answers do not depend on padding or batching."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

import compiler
import rasp
from compiler.hosts import export
from compiler.model import Attention, Config, LayerShape, ModelError, OutputSlice, Past, Transformer
from compiler.model.network import Stack
from compiler.pipeline import Compiled
from compiler.trust.verify import verify_model

SOURCE = """
opposite = select(indices, length - 1 - indices, ==);
reverse = aggregate(opposite, tokens, "-");
same = selector_width(select(tokens, tokens, ==));
rank = selector_width(select(tokens, tokens, ==) and select(indices, indices, <)) % 3;
"""
OUTPUTS = ["reverse", "same", "rank"]


def compiled(attention: str = "bidirectional") -> Compiled:
    return compiler.compile(rasp.parse(SOURCE), OUTPUTS, vocab="abc", max_length=12, attention=attention)


@pytest.fixture(scope="module")
def model() -> Transformer:
    return compiled().model


@pytest.fixture(scope="module")
def inputs() -> list[str]:
    rng = random.Random(5)
    return ["".join(rng.choices("abc", k=rng.randint(1, 12))) for _ in range(60)]


def batch(model: Transformer, inputs: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids padded on the right with a token that is not there, and the mask."""
    longest = max(map(len, inputs))
    ids = torch.tensor([model.encode(text) + [2] * (longest - len(text)) for text in inputs])
    mask = torch.tensor([[1] * len(text) + [0] * (longest - len(text)) for text in inputs])
    return ids, mask


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("attention", ["bidirectional", "causal"])
def test_one_by_one_and_in_padded_batches_the_answers_are_the_interpreter_s(
    attention: str, output: str, inputs: list[str]
) -> None:
    made = compiled(attention)
    together = made.model.run_batch(inputs, output)
    assert together == [made.model.run(tokens, output) for tokens in inputs]
    assert together == [made.program[output](tokens) for tokens in inputs]


def test_a_batch_of_any_order_gives_answers_in_that_order(model: Transformer, inputs: list[str]) -> None:
    there, back = model.run_batch(inputs, "same"), model.run_batch(inputs[::-1], "same")
    assert there == back[::-1]


def test_batches_are_split_without_a_trace(
    model: Transformer, inputs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = model.run_batch(inputs, "rank")
    monkeypatch.setattr("compiler.model.texts.BATCH_CELLS", 40)
    assert model.run_batch(inputs, "rank") == whole
    assert model.run_batch([]) == []


def test_what_stands_in_the_padding_does_not_matter(model: Transformer, inputs: list[str]) -> None:
    ids, mask = batch(model, inputs)
    other = torch.where(mask.bool(), ids, torch.zeros_like(ids))
    for dtype in (torch.long, torch.bool, torch.float32):
        first, second = model(ids, mask.to(dtype)), model(other, mask.to(dtype))
        assert torch.equal(first[mask.bool()], second[mask.bool()])


POISON = [1e30, float("inf"), float("nan")]


def poisoned(model: Stack, poison: float) -> ExitStack:
    """Every block meets this number in the rows of padding, instead of what stands there."""

    def spoil(module: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...]:
        resid, there, *rest = given
        return resid.where(there[:, 0, 0, :, None], torch.tensor(poison).to(resid)), there, *rest

    stack = ExitStack()
    for block in model.blocks:
        stack.callback(block.register_forward_pre_hook(spoil).remove)
    return stack


@pytest.mark.parametrize("poison", POISON)
@pytest.mark.parametrize("attention", ["bidirectional", "causal"])
def test_padding_rows_reach_nothing(attention: str, poison: float, inputs: list[str]) -> None:
    made = compiled(attention).model
    ids, mask = batch(made, inputs)
    with torch.no_grad():
        clean = made(ids, mask)[mask.bool()]
        with poisoned(made, poison):
            assert torch.equal(made(ids, mask)[mask.bool()], clean)


@pytest.mark.parametrize("poison", POISON)
@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16", "float16"])
@pytest.mark.parametrize("causal", [False, True])
def test_padding_rows_reach_nothing_in_any_dtype(causal: bool, dtype: str, poison: float) -> None:
    random_weights = shaped(causal=causal, dtype=dtype)
    ids, mask = torch.randint(3, (5, 9)), (torch.arange(9) < torch.tensor([[9], [1], [4], [8], [2]])).long()
    for grad in (False, True):  # each has a kernel of its own
        with torch.set_grad_enabled(grad):
            clean = random_weights(ids, mask)[mask.bool()]
            with poisoned(random_weights, poison):
                assert torch.equal(random_weights(ids, mask)[mask.bool()], clean)
    assert clean.isfinite().all()


@pytest.mark.parametrize(
    ("dtype", "more"),
    [("float16", ""), ("float32", "big = place * 10 ^ 29; x = aggregate(select(indices, indices, ==), big, 0);")],
)
@pytest.mark.parametrize("fast", [False, True])
def test_a_value_that_occurs_in_padding_alone_reaches_nothing(dtype: str, more: str, fast: bool) -> None:
    """A row of padding counts no token of its own kind; what follows from that is too large for the dtype."""
    program = rasp.parse(Path("programs/paper/most_frequent.rasp").read_text() + more)
    made = compiler.compile(program, "x" if more else None, vocab="abcdefg", max_length=4, dtype=dtype)
    model, inputs = made.fast if fast else made.model, ["g", "abcd", "ab", "gg", "d"]
    expected = [made.program[made.program.outputs[0]](tokens) for tokens in inputs]
    assert model.run_batch(inputs) == [model.run(tokens) for tokens in inputs] == expected


def test_logits_have_one_row_a_token_and_one_column_a_value(model: Transformer) -> None:
    logits = model(torch.tensor([[0, 1, 2], [2, 2, 2]]))
    assert logits.shape == (2, 3, model.config.d_vocab_out)
    assert model.config.d_vocab_out == sum(len(output.values) for output in model.config.outputs)


def test_an_all_true_mask_is_no_mask(model: Transformer) -> None:
    ids = torch.tensor([[0, 1, 2, 0]])
    assert torch.equal(model(ids), model(ids, torch.ones_like(ids)))


def test_the_residuals_end_where_the_logits_begin(model: Transformer) -> None:
    ids, mask = batch(model, ["abc", "a"])
    *_, last = streams = list(model.residuals(ids, mask))
    assert len(streams) == 1 + 2 * len(model.config.layers)
    assert torch.equal(model.unembed(last[:, 1:]), model(ids, mask))


def test_hooks_see_and_change_what_flows(model: Transformer) -> None:
    seen: list[torch.Tensor] = []
    handle = model.blocks[0].register_forward_hook(lambda module, args, out: seen.append(out.detach()))
    ids = torch.tensor([[0, 1]])
    before = model(ids)
    handle.remove()
    assert torch.equal(seen[0], list(model.residuals(ids))[2])
    zero = model.blocks[0].register_forward_hook(lambda module, args, out: torch.zeros_like(out))
    assert not torch.equal(model(ids), before)
    zero.remove()
    assert torch.equal(model(ids), before)


def test_the_pattern_is_what_attention_does(model: Transformer) -> None:
    ids, mask = batch(model, ["abca", "ab"])
    resid = next(model.residuals(ids, mask))
    _, allowed = model.with_bos(ids, mask)
    attn = model.blocks[0].attn
    pattern = attn.pattern(resid, allowed)
    value = torch.einsum("bpm,hmd->bhpd", resid, attn.W_V)
    added = torch.einsum("bhpd,hdm->bpm", pattern @ value, attn.W_O)
    assert torch.allclose(pattern.sum(-1), torch.ones(()))
    assert (added - attn(resid, allowed)).abs().max() < 1e-4
    assert pattern[1, :, :, 3:].abs().max() == 0


@pytest.mark.parametrize("attention", ["bidirectional", "causal"])
def test_patterns_say_what_every_head_looks_at(attention: str) -> None:
    model = compiled(attention).model
    patterns = model.patterns("abca")
    assert [tuple(pattern.shape) for pattern in patterns] == [(layer.n_heads, 5, 5) for layer in model.config.layers]
    ids = torch.tensor(model.encode("abca"))
    for given, same in zip(patterns, model.patterns(ids), strict=True):
        assert torch.equal(given, same)
        assert torch.allclose(given.sum(-1), torch.ones(()))
        if attention == "causal":
            assert given.triu(1).abs().max() == 0


def test_a_pattern_shows_the_selector() -> None:
    source = 'r = aggregate(select(indices, length - 1 - indices, ==), tokens, "-");'
    made = compiler.compile(rasp.parse(source), vocab="abc", max_length=8)
    opposite = torch.eye(4).flip(0)
    assert torch.equal(made.model.patterns("abca")[-1][-1, 1:, 1:], opposite)


def test_patterns_are_those_of_one_input(model: Transformer) -> None:
    with pytest.raises(ModelError, match="one input"):
        model.patterns(torch.tensor([[0, 1], [1, 0]]))


def test_the_state_dict_is_all_there_is(model: Transformer, inputs: list[str]) -> None:
    fresh = Transformer(model.config)
    fresh.load_state_dict(model.state_dict())
    assert fresh.run_batch(inputs, "rank") == model.run_batch(inputs, "rank")
    assert {name: tuple(tensor.shape) for name, tensor in fresh.state_dict().items()} == model.config.shapes()
    assert fresh.stored() == sum(tensor.numel() for tensor in fresh.state_dict().values())


MOVED = """
before = aggregate(select(indices, indices - 1, ==), tokens, "-");
same = before == tokens;
"""
"""Nothing is counted here, so nothing has to be rounded."""


@pytest.mark.parametrize("fast", [False, True])
def test_it_moves_to_a_precision_that_it_is_certified_in(fast: bool, inputs: list[str]) -> None:
    made = compiler.compile(rasp.parse(MOVED), ["before", "same"], vocab="abc", max_length=12)
    assert made.model.labels["certificate"]["also"] == ["float64"]
    model = made.fast if fast else made.model
    for output in ("before", "same"):
        expected = [made.program[output](tokens) for tokens in inputs]
        double = model.to(torch.float64)
        assert double(torch.tensor([[0]])).dtype == torch.float64
        assert double.run_batch(inputs, output) == expected
        assert double.to(torch.float32).run_batch(inputs, output) == expected


CASTS: dict[str, Callable[[Transformer], object]] = {
    "half": lambda model: model.half(),
    "bfloat16": lambda model: model.bfloat16(),
    "counts that are not rounded any more": lambda model: model.double(),
    "a layer": lambda model: model.blocks[-1].to(torch.float64),
    "the embedding": lambda model: model.embed.half(),
    "positions": lambda model: setattr(model.embed, "W_pos", nn.Parameter(model.state_dict()["embed.W_pos"].double())),
    "the data": lambda model: setattr(model.unembed.W_U, "data", model.unembed.W_U.data.half()),
    "another state": lambda model: model.load_state_dict(
        {name: tensor.half() for name, tensor in model.state_dict().items()}, assign=True
    ),
}
IDS = torch.tensor([[0, 1, 1]])
ENTRIES: dict[str, Callable[[Transformer], object]] = {
    "forward": lambda model: model(IDS),
    "forward with a mask": lambda model: model(IDS, torch.tensor([[1, 1, 0]])),
    "residuals": lambda model: next(model.residuals(IDS)),
    "patterns": lambda model: model.patterns("ab"),
    "run": lambda model: model.run("ab"),
    "run_batch": lambda model: model.run_batch(["ab", "a"]),
    "reading": lambda model: model.reading(4),
    "generate": lambda model: model.generate("ab"),
    "generate without a cache": lambda model: model.generate("ab", cached=False),
    "compiled": lambda model: torch.compile(model, backend="eager")(IDS),
    "export": lambda model: torch.export.export(model, (IDS,)),
    "verify": verify_model,
    "a host": lambda model: export(model, "torch-export", "nowhere"),
}


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("cast", CASTS)
def test_weights_in_another_dtype_are_refused_everywhere(cast: str, fast: bool) -> None:
    made = compiled("causal")
    model = made.fast if fast else made.model
    CASTS[cast](model)
    for name, enter in ENTRIES.items():
        with pytest.raises(ModelError, match="the model was made for float32, and weights of it are in") as caught:
            enter(model)
        assert "load it again" in caught.value.hint, name


def test_weights_in_another_dtype_are_refused_by_functional_call(model: Transformer) -> None:
    for dtype in (torch.float64, torch.float16):
        weights = {name: tensor.to(dtype) for name, tensor in model.state_dict().items()}
        with pytest.raises(ModelError, match="made for float32"):
            torch.func.functional_call(model, weights, (IDS,))
    same = torch.func.functional_call(model, dict(model.state_dict()), (IDS,))
    assert torch.equal(same, model(IDS))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_what_a_half_type_rounds_is_not_left_to_a_wider_one(dtype: str) -> None:
    made = compiler.compile(rasp.parse(SOURCE), "same", vocab="abc", max_length=8, dtype=dtype)
    assert made.model.run("abca") == [2, 1, 1, 2]
    with pytest.raises(ModelError, match=f"made for {dtype}, and weights of it are in float32"):
        made.model.float().run("abca")


def test_logits_that_are_not_finite_decide_nothing() -> None:
    """One token is larger than float16 can square, and float32 can."""
    weights = shaped(dtype="float32").state_dict()
    weights["embed.W_E"][2] = 3e4
    half, full = shaped(dtype="float16"), shaped(dtype="float32")
    half.load_state_dict(weights)
    full.load_state_dict(weights)
    for enter in (lambda: half.run("bca"), lambda: half.run_batch(["abba", "bca", "a"])):
        with pytest.raises(ModelError, match=r"logits of o at position [01] are not finite") as caught:
            enter()
        assert "wider dtype" in caught.value.hint
    assert not half(torch.tensor([half.encode("bca")])).isfinite().all()
    assert half.run_batch(["ab", "a"]) == full.run_batch(["ab", "a"])
    assert len(full.run_batch(["abba", "bca", "a"])[1]) == 3


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize("cached", [False, True])
def test_nothing_is_written_by_logits_that_are_not_finite(cached: bool, temperature: float) -> None:
    model = shaped(causal=True)
    assert len(model.generate("ab", 5, cached=cached)) == 5
    model.state_dict()["embed.W_pos"][4] = torch.nan
    written = model.stream("ab", 5, cached=cached, temperature=temperature)
    assert next(written) and next(written)
    with pytest.raises(ModelError, match="logits of o at position 3 are not finite"):
        next(written)


def test_it_can_be_moved_to_another_device(model: Transformer) -> None:
    ghost = Transformer(model.config).to("meta")
    logits = ghost(torch.zeros(2, 5, dtype=torch.long, device="meta"), torch.ones(2, 5, device="meta"))
    assert logits.device.type == "meta"
    assert logits.shape == (2, 5, model.config.d_vocab_out)


def test_every_weight_can_be_trained(model: Transformer) -> None:
    fresh = Transformer(model.config)
    fresh.load_state_dict(model.state_dict())
    fresh(torch.tensor([[0, 1, 2]])).sum().backward()
    assert all(parameter.grad is not None for parameter in fresh.parameters())


def test_tokens_are_known_by_their_text() -> None:
    made = compiler.compile(rasp.parse("o = tokens_int * 2;"), vocab=[1, 2, 10], max_length=4)
    assert made.model.run([10, "1", 2]) == [20, 2, 4]


def test_an_unknown_token_stands_for_all_others() -> None:
    made = compiler.compile(rasp.parse('#@ unknown: "?"\no = tokens == "?";'), vocab="ab?", max_length=4)
    assert made.model.run("axb") == [False, True, False]


@pytest.mark.parametrize(
    ("tokens", "message"),
    [("", "the input is empty"), ("abz", '"z" at position 2'), ("a" * 13, "13 tokens, the model holds 12")],
)
def test_a_bad_input_is_a_clear_mistake(model: Transformer, tokens: str, message: str) -> None:
    with pytest.raises(ModelError, match=message) as caught:
        model.run(tokens)
    assert caught.value.hint
    with pytest.raises(ModelError, match=message):
        model.run_batch(["abc", tokens])


def test_too_many_ids_and_unknown_outputs_are_clear_mistakes(model: Transformer) -> None:
    with pytest.raises(ModelError, match="13 tokens"):
        model(torch.zeros(1, 13, dtype=torch.long))
    with pytest.raises(ModelError, match='no output "nope"'):
        model.run("abc", "nope")


@pytest.mark.parametrize("text", ["1e999999999", "1" * 5000, "9" * 4000, "1/0", "nan", "1.5", "", 1e300, None])
def test_a_config_has_no_numbers_that_are_larger_than_they_look(text: object) -> None:
    data = asdict(shaped().config) | {"outputs": [{"name": "o", "values": [{"float": text}]}]}
    with pytest.raises(ValueError, match=r"not a fraction|larger than any float"):
        Config.from_json(data)


def test_a_config_survives_json() -> None:
    import json

    made = compiler.compile(rasp.parse('o = aggregate(full_s, indicator(tokens == "a"));'), vocab="ab", max_length=3)
    config = Config.from_json(json.loads(json.dumps(made.weights.config)))
    assert config == made.model.config
    assert config.outputs[0].values == (0, 1 / 3, 0.5, 2 / 3, 1)


def test_the_info_names_columns_heads_and_neurons(model: Transformer) -> None:
    text = model.info()
    assert "1 to 12 of 3 tokens (a, b, c)" in text
    for part in ["residual stream", "layer 0", "L0H0", "L0N0", *(f"output {name}" for name in OUTPUTS)]:
        assert part in text


def test_padding_in_front_is_a_clear_mistake(model: Transformer) -> None:
    with pytest.raises(ModelError, match="in front of a token"):
        model(torch.tensor([[0, 1, 2]]), torch.tensor([[0, 1, 1]]))


def shaped(d_model: int = 8, causal: bool = False, length: int = 32, dtype: str = "float32") -> Transformer:
    """A model with random weights."""
    layers = (LayerShape(2, 3, 5, 16), LayerShape(0, 0, 0, 4), LayerShape(1, 4, 2, 0))
    words = ("a", "b", "c")
    torch.manual_seed(3)
    model = Transformer(Config(words, length, causal, d_model, layers, (OutputSlice("o", words),), dtype=dtype))
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.5)
    return model.eval()


def written_out(model: Transformer, ids: Tensor) -> Tensor:
    """The logits of one input in float64, head by head, as the formulas say."""
    weights = {name: tensor.double() for name, tensor in model.state_dict().items()}
    resid = weights["embed.W_E"][[model.config.d_vocab - 1, *ids.tolist()]] + weights["embed.W_pos"][: len(ids) + 1]
    for number, layer in enumerate(model.config.layers):
        attn, mlp = f"blocks.{number}.attn.W_", f"blocks.{number}.mlp."
        heads = torch.zeros_like(resid)
        for head in range(layer.n_heads):
            scores = (resid @ weights[attn + "Q"][head]) @ (resid @ weights[attn + "K"][head]).T
            if model.config.causal:
                scores += torch.full_like(scores, -torch.inf).triu(1)
            heads = heads + scores.softmax(-1) @ (resid @ weights[attn + "V"][head]) @ weights[attn + "O"][head]
        resid = resid + heads
        if layer.d_mlp:
            resid = resid + (resid @ weights[mlp + "W_in"] + weights[mlp + "b_in"]).relu() @ weights[mlp + "W_out"]
    return resid[1:] @ weights["unembed.W_U"]


@pytest.mark.parametrize("causal", [False, True])
def test_the_model_is_what_its_formulas_say(causal: bool) -> None:
    model = shaped(causal=causal)
    ids = torch.randint(3, (20,))
    alone = model(ids[None])[0].double()
    assert torch.allclose(alone, written_out(model, ids), atol=1e-4)
    padded = torch.cat([ids, torch.zeros(7, dtype=torch.long)])
    mask = (torch.arange(27) < 20).long()
    assert torch.allclose(model(padded[None], mask[None])[0, :20].double(), alone, atol=1e-5)


class Largest(TorchDispatchMode):
    """How many numbers the largest tensor held that any operation made."""

    def __init__(self) -> None:
        super().__init__()
        self.size = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        for tensor in out if isinstance(out, (tuple, list)) else [out]:
            if isinstance(tensor, Tensor):
                self.size = max(self.size, tensor.untyped_storage().nbytes() // tensor.element_size())
        return out


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("causal", [False, True])
def test_a_long_input_makes_no_square(causal: bool, padded: bool) -> None:
    length = 2048
    model = shaped(causal=causal, length=length)
    mask = (torch.arange(length) < length - 3).long()[None] if padded else None
    with torch.no_grad(), Largest() as largest:
        model(torch.zeros(1, length, dtype=torch.long), mask)
    widest = 3 * 2 * 5  # queries, keys and values of the two heads of layer 0
    assert 0 < largest.size <= (length + 1) * widest


def test_a_batch_holds_no_more_numbers_than_it_should(monkeypatch: pytest.MonkeyPatch) -> None:
    model = shaped()
    monkeypatch.setattr("compiler.model.texts.BATCH_CELLS", 5000)
    with Largest() as largest:
        answers = model.run_batch(["ab"] * 1000)
    assert len(answers) == 1000
    assert largest.size <= 5000


@pytest.fixture
def usual_precision() -> Iterator[None]:
    yield
    torch.set_float32_matmul_precision("highest")


@pytest.mark.usefixtures("usual_precision")
def test_coarse_products_are_refused(model: Transformer) -> None:
    torch.set_float32_matmul_precision("medium")
    with pytest.raises(ModelError, match="float32 are made in bf16") as caught:
        model.run("abc")
    assert "highest" in caught.value.hint
    ghost = Transformer(replace(model.config, dtype="float64"))
    assert ghost(torch.tensor([[0]])).dtype == torch.float64
    torch.set_float32_matmul_precision("highest")
    assert model.run("abc", "reverse") == ["c", "b", "a"]


@pytest.mark.usefixtures("usual_precision")
@pytest.mark.parametrize("setting", ["high", "medium"])
def test_coarse_products_are_refused_on_other_devices(setting: str) -> None:
    from compiler.model.errors import require_precision

    require_precision("cuda", torch.float32)
    torch.set_float32_matmul_precision(setting)
    with pytest.raises(ModelError, match="tf32"):
        require_precision("cuda", torch.float32)
    with pytest.raises(ModelError, match="sums of bf16"):
        require_precision("cuda", torch.bfloat16)


def test_autocast_is_refused(model: Transformer) -> None:
    with torch.autocast("cpu"), pytest.raises(ModelError, match="autocast"):
        model.run("abc")


OFFSET = 1.5 * 2**23
"""Numbers next to it are 1 apart: adding it rounds to whole numbers."""


def rounding() -> Transformer:
    """64 heads, then 64 neurons, each add 0.3 to a column that holds the offset: both sums, 19.2, are rounded to 19."""
    config = Config(("a",), 4, False, 2, (LayerShape(64, 1, 1, 64),), (OutputSlice("o", (0,)),), has_positions=False)
    model = Transformer(config)
    with torch.no_grad():
        model.embed.W_E[:] = torch.tensor([OFFSET, 1.0])
        (block,) = model.layers()
        assert block.attn is not None and block.mlp is not None
        block.attn.W_V[:, 1], block.attn.W_O[:, :, 0] = 1.0, 0.3
        block.mlp.W_in[1], block.mlp.W_out[:, 0] = 1.0, 0.3
        model.unembed.W_U[0] = 1.0
    return model.eval()


@pytest.mark.parametrize("shape", [(1, 1), (3, 4)])
def test_what_a_sublayer_adds_is_summed_before_it_is_added(shape: tuple[int, int]) -> None:
    with torch.no_grad():
        logits = rounding()(torch.zeros(shape, dtype=torch.long))
    assert (logits - OFFSET).unique().tolist() == [38.0]


def test_the_model_is_one_graph_for_torch_compile() -> None:
    for causal in (False, True):
        model = shaped(causal=causal)
        ids, mask = torch.randint(3, (2, 9)), torch.tensor([[1] * 9, [1] * 4 + [0] * 5])
        graph = torch.compile(model, backend="eager", fullgraph=True)
        with torch.no_grad():
            assert torch.equal(graph(ids), model(ids))
            assert torch.equal(graph(ids, mask), model(ids, mask))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torch_compile_gives_the_same_answers() -> None:
    made = compiled("causal").model
    ids = torch.tensor([made.encode(text) for text in ("abcabc", "aaaaaa", "cbacba")])
    with torch.no_grad():
        assert torch.equal(torch.compile(made)(ids).argmax(-1), made(ids).argmax(-1))
        logits = torch.compile(rounding())(torch.zeros(3, 4, dtype=torch.long))
    assert (logits - OFFSET).unique().tolist() == [38.0]


# -- half precision --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
@pytest.mark.parametrize("causal", [False, True])
def test_a_model_runs_in_every_dtype(dtype: str, causal: bool) -> None:
    model = shaped(dtype=dtype, causal=causal)
    ids, mask = torch.randint(3, (2, 9)), torch.tensor([[1] * 9, [1] * 4 + [0] * 5])
    assert model(ids, mask).dtype == getattr(torch, dtype)
    assert torch.allclose(model(ids)[0].double(), written_out(model, ids[0]), atol=0.5, rtol=0.1)
    assert model.run_batch(["abc", "b"]) == [model.run("abc"), model.run("b")]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("cached", [False, True])
@pytest.mark.parametrize("grad", [False, True])
def test_scores_are_not_rounded_to_a_half_type(dtype: torch.dtype, cached: bool, grad: bool) -> None:
    """4096 and 4097 are one number in both half types; as scores they are a nat apart."""
    shape = LayerShape(1, 2, 1, 0)
    attn = Attention(Config(("a",), 4, True, 4, (shape,), ()), shape).to(dtype)
    with torch.no_grad():
        attn.W_Q[0, 0] = torch.tensor([64.0, 1.0])
        attn.W_K[0, 1], attn.W_K[0, 2] = torch.tensor([64.0, 0.0]), torch.tensor([64.0, 1.0])
        attn.W_V[0, 2, 0] = attn.W_O[0, 0, 0] = 1.0
    resid = torch.eye(4)[[1, 2, 0]][None].to(dtype)
    with torch.set_grad_enabled(grad):
        if cached:
            past = Past(attn, 3)
            attn(resid[:, :2], None, past)
            added = attn(resid[:, 2:], None, past)
        else:
            added = attn(resid, None)
    assert added[0, -1, 0].item() == pytest.approx(1 / (1 + torch.e**-1), abs=0.005)
    assert attn.pattern(resid, None)[0, 0, -1].tolist()[:2] == pytest.approx([0.2689, 0.7311], abs=0.0001)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_sums_are_not_rounded_to_a_half_type(dtype: torch.dtype) -> None:
    """Ones add up to 4096; one after the other in a half type they would not pass 256 or 2048."""
    shape = LayerShape(0, 0, 0, 4096)
    outputs, name = (OutputSlice("o", (0,)),), str(dtype).removeprefix("torch.")
    model = Transformer(Config(("a",), 4, False, 2, (shape,), outputs, has_positions=False, dtype=name))
    with torch.no_grad():
        model.embed.W_E[:, 0] = 1.0
        (block,) = model.layers()
        assert block.mlp is not None
        block.mlp.W_in[0], block.mlp.W_out[:, 1] = 1.0, 1.0
        model.unembed.W_U[1] = 1.0
        assert model(torch.zeros(1, 1, dtype=torch.long)).item() == 4096
        assert model(torch.zeros(3, 4, dtype=torch.long)).unique().tolist() == [4096]
