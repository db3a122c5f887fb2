"""The machine: an ordinary `nn.Module` whose answers do not depend on padding or batching."""

from __future__ import annotations

import random

import pytest
import torch

import compiler
import rasp
from compiler.model import Config, ModelError, Transformer
from compiler.pipeline import Compiled

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
    monkeypatch.setattr("compiler.model.BATCH_CELLS", 40)
    assert model.run_batch(inputs, "rank") == whole
    assert model.run_batch([]) == []


def test_what_stands_in_the_padding_does_not_matter(model: Transformer, inputs: list[str]) -> None:
    ids, mask = batch(model, inputs)
    other = torch.where(mask.bool(), ids, torch.zeros_like(ids))
    for dtype in (torch.long, torch.bool, torch.float32):
        first, second = model(ids, mask.to(dtype)), model(other, mask.to(dtype))
        assert torch.equal(first[mask.bool()], second[mask.bool()])


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


def test_the_state_dict_is_all_there_is(model: Transformer, inputs: list[str]) -> None:
    fresh = Transformer(model.config)
    fresh.load_state_dict(model.state_dict())
    assert fresh.run_batch(inputs, "rank") == model.run_batch(inputs, "rank")
    assert {name: tuple(tensor.shape) for name, tensor in fresh.state_dict().items()} == model.config.shapes()
    assert fresh.stored() == sum(tensor.numel() for tensor in fresh.state_dict().values())


def test_it_moves_between_precisions(inputs: list[str]) -> None:
    made = compiled()
    expected = made.model.run_batch(inputs, "rank")
    double = made.model.to(torch.float64)
    assert double(torch.tensor([[0]])).dtype == torch.float64
    assert double.run_batch(inputs, "rank") == expected
    assert double.to(torch.float32).run_batch(inputs, "rank") == expected


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
