"""llama: causal programs in a stock LlamaForCausalLM, in a process without this project (decoders: see test_gpt2)."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.hosts.conftest import exported, opened, require_right
from tests.hosts.fresh import compiled

CHOSEN = ["histogram", "reverse", "sequence/fraction_so_far", "position/every_third"]


@pytest.mark.slow
def test_programs_give_the_interpreters_answers(tmp_path: Path) -> None:
    made = exported([compiled(name, attention="causal") for name in CHOSEN], "llama", tmp_path)
    for one, found in zip(made, opened("lm", "text-generation", made, tmp_path), strict=True):
        assert found.kind == "LlamaForCausalLM"
        require_right(one, found)


@pytest.mark.slow
def test_positions_are_counted_and_what_is_too_long_is_answered_with_padding(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    text = 'o = indices * indices + (1 if tokens == "a" else 0);'
    [one] = exported([compiled(text, vocab="ab", max_length=6, attention="causal")], "llama", tmp_path)
    model, tokenizer = (kind.from_pretrained(one.folder) for kind in (AutoModelForCausalLM, AutoTokenizer))
    with torch.no_grad():
        right = model(**tokenizer("abaabaab", return_tensors="pt")).logits[0, 1:].argmax(-1)
        batch = tokenizer(["bb", "abaaba"], padding=True, padding_side="left", return_tensors="pt")
        left = model(**batch).logits[:, 1:].argmax(-1)
    answers = ["1", "1", "5", "10", "16", "26", "<pad>", "<pad>"]
    assert [model.config.id2label[i] for i in right.tolist()] == answers
    assert [model.config.id2label[i] for i in left[1].tolist()] == answers[:6]
    assert [model.config.id2label[i] for i in left[0, 4:].tolist()] == ["0", "1"]
