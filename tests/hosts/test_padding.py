"""Rows of padding in stock classes: whatever stands there, no real row sees it; else the host is refused."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from compiler.hosts import export, host_named, padding
from compiler.hosts.folder import record
from compiler.hosts.lm import head
from compiler.hosts.padding import both_bounded, bounded
from compiler.hosts.stacks import stacks
from compiler.hosts.uniform import Heads, Uniform, mirrored, scaled, settled, uniform
from compiler.model import ModelError, Transformer
from tests.hosts.fresh import compiled, questions

BOTH = ["histogram", "reverse", "sort", "paper/most_frequent", "sequence/fraction_so_far"]
CAUSAL = ["histogram", "sequence/fraction_so_far", "sequence/distance_to_previous", "languages/parity"]
HOSTS = {"bert": BOTH, "mobilebert": BOTH, "albert": BOTH, "transformer-lens": BOTH, "gpt2": CAUSAL, "llama": CAUSAL}
STOCK = [host for host in HOSTS if host != "transformer-lens"]
HUGE = 'o = (indices + 1) * aggregate(select(indices, indices, <=), 10^29 * indicator(tokens == "0"));'
"""Where nothing is selected but padding, what was divided by is 1, and the sum is multiplied by e^24."""


def native(name: str, host: str) -> Transformer:
    settings = (
        {"max_length": 12} if host in ("bert", "mobilebert", "albert", "transformer-lens") else {"attention": "causal"}
    )
    return compiled(name, **settings).model


def forms(model: Transformer) -> list[Uniform]:
    """The model as classifiers and language models run it."""
    return [
        mirrored(settled(scaled(uniform(model, copies=2)))),
        scaled(uniform(model)),
        head(model).over_ids(scaled(uniform(model))),
    ]


def attended(inner: Uniform, layer: Heads, keys: Tensor, rng: torch.Generator) -> Tensor:
    """What heads add that look at anything, in any mixture."""
    pattern = (torch.randn(inner.n_heads, len(keys), len(keys), generator=rng, dtype=keys.dtype) * 9).softmax(-1)
    values = (keys @ layer.W_V).view(len(keys), inner.n_heads, inner.d_head).transpose(0, 1)
    return (pattern @ values).transpose(0, 1).flatten(1) @ layer.W_O + layer.b_O


@pytest.mark.parametrize("name", ["histogram", "sort", "paper/dyck_1_ptf", "sequence/fraction_so_far"])
def test_rows_that_cannot_occur_lie_within_the_bounds(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any id at any position, heads that look anywhere: the stream is never larger than the bounds say."""
    model, rng = compiled(name, max_length=12).model, torch.Generator().manual_seed(0)
    sizes = bounds_kept(monkeypatch)
    for inner in forms(model):
        sizes.clear()
        bounded(inner, model, "bert")
        require_within(list(streams(inner, rng)), sizes)


@pytest.mark.parametrize("name", ["reverse", "sort"])
def test_rows_of_two_tapes_that_cannot_occur_lie_within_the_bounds(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, rng = compiled(f"seq2seq/{name}").model, torch.Generator().manual_seed(0)
    sizes = bounds_kept(monkeypatch)
    for inner in (stacks(model), stacks(model, apart=True)):
        sizes.clear()
        both_bounded(inner, model, "t5")
        source = list(streams(inner.encoder, rng))
        require_within([*source, *streams(inner.decoder, rng, source[-1])], sizes)


def test_a_source_that_may_overflow_in_a_row_of_padding_is_refused_with_hosts_that_hold_it() -> None:
    model = compiled("seq2seq/reverse").model
    both = stacks(model)
    large = replace(both, encoder=replace(both.encoder, W_E=both.encoder.W_E * 1e30))
    with pytest.raises(ModelError, match="in the stream of encoder layer 0") as refused:
        both_bounded(large, model, "t5")
    assert "torch-export or onnx" in refused.value.hint


def bounds_kept(monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """The bounds on the stream behind each sublayer, as they are found."""
    sizes: list[Tensor] = []
    require = padding._Bounds._require

    def kept(self: Any, numbers: Tensor, largest: float, what: str) -> None:
        if "stream" in what:
            sizes.append(numbers)
        require(self, numbers, largest, what)

    monkeypatch.setattr(padding._Bounds, "_require", kept)
    return sizes


def require_within(found: list[Tensor], sizes: list[Tensor]) -> None:
    assert len(found) == len(sizes)
    for rows, bound in zip(found, sizes, strict=True):
        assert (rows.abs() <= bound * (1 + 1e-9)).all()


def streams(inner: Uniform, rng: torch.Generator, source: Tensor | None = None) -> Iterator[Tensor]:
    """The stream behind each sublayer, in rows of any id at any position."""
    ids = torch.randint(len(inner.W_E), (500,), generator=rng)
    places = torch.randint(len(inner.W_pos), (500,), generator=rng)
    rows = inner.W_E[ids] + inner.W_pos[places]
    for layer in inner.layers:
        rows = rows + attended(inner, layer, rows, rng)
        yield rows
        if layer.cross is not None and source is not None:
            rows = rows + attended(inner, layer.cross, source, rng)
            yield rows
        rows = rows + (rows @ layer.W_in + layer.b_in).clamp(min=0) @ layer.W_out + layer.b_out
        yield rows


@pytest.mark.slow
@pytest.mark.parametrize("host", HOSTS)
def test_what_padding_makes_too_large_is_refused(host: str, tmp_path: Path) -> None:
    causal = {"attention": "causal"} if host in ("gpt2", "llama") else {}
    large = compiled(HUGE, vocab="012", max_length=5, **causal)
    with pytest.raises(ModelError, match="does not set rows of padding to zero") as refused:
        export(large.model, host, tmp_path / "refused")
    assert "torch-export" in refused.value.hint
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("host", HOSTS)
def test_batches_of_several_lengths_answer_as_single_inputs(host: str, tmp_path: Path) -> None:
    for number, name in enumerate(HOSTS[host]):
        made, folder = native(name, host), tmp_path / str(number)
        export(made, host, folder, samples=20)
        forward, bound = host_named(host).open().load(made, folder), record(folder)["verification"]["bound"]
        asked = random.Random(1).sample([question.ids for question in questions_of(name, host)], 60)
        together, alone = forward(asked), [forward([ids])[0] for ids in asked]
        assert len({len(ids) for ids in asked}) > 3
        for one, other in zip(together, alone, strict=True):
            assert one.argmax(-1).tolist() == other.argmax(-1).tolist()
            assert float((one - other).abs().max()) <= bound


def questions_of(name: str, host: str) -> list[Any]:
    settings = (
        {"max_length": 12} if host in ("bert", "mobilebert", "albert", "transformer-lens") else {"attention": "causal"}
    )
    return questions(compiled(name, **settings))


@pytest.mark.slow
@pytest.mark.parametrize("host", STOCK)
@pytest.mark.parametrize("side", ["right", "left"])
def test_nothing_that_stands_under_the_mask_changes_an_answer(host: str, side: str, tmp_path: Path) -> None:
    """Any ids there, at any position; every number of every layer is finite."""
    kinds = {"bert": "Bert", "mobilebert": "MobileBert", "albert": "Albert"}
    rng = torch.Generator().manual_seed(2)
    for number, name in enumerate(HOSTS[host]):
        made, folder = native(name, host), tmp_path / f"{host}{number}"
        export(made, host, folder, samples=20)
        model = opened(folder, kinds.get(host))
        for question in random.Random(3).sample(questions_of(name, host), 20):
            ids = [made.config.d_vocab - 1, *question.ids]
            more = made.config.n_ctx - len(ids)
            if more == 0:
                continue
            found = model(**padded(ids, more, side, model.config.vocab_size, rng), output_hidden_states=True)
            assert all(state.isfinite().all() for state in found.hidden_states)
            own = found.logits[0, more:] if side == "left" else found.logits[0, : len(ids)]
            alone = model(input_ids=torch.tensor([ids])).logits[0]
            assert own[1:].argmax(-1).tolist() == alone[1:].argmax(-1).tolist(), (name, question.ids)


def opened(folder: Path, kind: str | None) -> Any:
    import transformers

    stock = transformers.AutoModelForCausalLM if kind is None else transformers.AutoModelForTokenClassification
    return stock.from_pretrained(folder).eval()


@torch.no_grad()
def padded(ids: Sequence[int], more: int, side: str, size: int, rng: torch.Generator) -> dict[str, Tensor]:
    """One input with ids at random on one side, hidden by the mask, and positions at random there."""
    some = torch.randint(size, (more,), generator=rng).tolist()
    places = torch.randint(len(ids) + more, (more,), generator=rng).tolist()
    own, hidden = [1] * len(ids), [0] * more
    rows = [(ids, some), (own, hidden), (list(range(len(ids))), places)]
    joined = [[*there, *mine] if side == "left" else [*mine, *there] for mine, there in rows]
    names = ("input_ids", "attention_mask", "position_ids")
    return {name: torch.tensor([row]) for name, row in zip(names, joined, strict=True)}
