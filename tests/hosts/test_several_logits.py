"""Outputs whose values have several logits each, as quotients have: every host gives the value, whichever is best."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

import rasp
from compiler.hosts import HOSTS, export
from compiler.hosts.lm import told_apart
from compiler.model import OutputSlice
from compiler.pipeline import Compiled
from rasp.value import to_python
from tests.hosts.fresh import card_prints
from tests.places import PROGRAMS

LENGTH = 36
SHARES = sorted({Fraction(a, b) for b in range(1, LENGTH + 1) for a in range(b + 1)})
"""How large the share of a token can be in so many: these are the tokens of a program that goes on with it."""
CAUSAL = {"gpt2", "llama"}


def several(compiled: Compiled) -> bool:
    [output] = compiled.model.config.outputs
    return len(set(output.values)) < len(output.values)


@pytest.mark.slow
@pytest.mark.parametrize("host", sorted(name for name, host in HOSTS.items() if 1 in host.tapes))
def test_a_value_with_several_logits_is_told_by_every_host(host: str, tmp_path: Path) -> None:
    """`export` compares with the interpreter; then the code of the card, in a process of its own, prints the answer."""
    program = rasp.load(PROGRAMS / "sequence" / "fraction_so_far.rasp")
    compiled = Compiled(program.replace(attention="causal" if host in CAUSAL else "bidirectional", max_length=LENGTH))
    assert several(compiled)
    export(compiled.model, host, tmp_path / "out")
    printed = card_prints(tmp_path / "out")
    assert "#" not in printed and "=2" not in printed
    answer = [to_python(value) for value in program[program.outputs[0]](compiled.setting.vocabulary[:3])]
    assert all(f"{value:g}" in printed for value in answer), printed


def decoder() -> Compiled:
    """Writes the share of 1 among the tokens so far: every value is a token, and most have several logits."""
    so_far = "aggregate(select(indices, indices, <=), indicator(tokens_float == 1))"
    text = f"#@ output: y\n#@ attention: causal\n#@ generate: y\ny = {so_far};"
    vocab = [int(share) if share.denominator == 1 else float(share) for share in SHARES]
    return Compiled(rasp.parse(text).replace(vocab=vocab, max_length=LENGTH))


@pytest.mark.slow
@pytest.mark.parametrize("host", sorted(CAUSAL))
def test_what_is_written_by_a_logit_among_several_is_read_as_its_token(host: str, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    compiled = decoder()
    assert several(compiled)
    vocabulary = compiled.model.config.vocabulary
    export(compiled.model, host, tmp_path / "out")
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    for prompt in ([vocabulary[-1]], [vocabulary[-1], vocabulary[0]], [*vocabulary[:2], vocabulary[-1], vocabulary[3]]):
        ids = tokenizer(" ".join(prompt), return_tensors="pt")
        written = model.generate(**ids, max_new_tokens=8, do_sample=False)[0]
        told = tokenizer.decode(written, skip_special_tokens=True).split()
        assert told == [*prompt, *map(str, compiled.model.generate(prompt, 8))]


@pytest.mark.parametrize("odd", ["= 7", "=2 0.5", "== 1", "=3 0"])
def test_no_token_is_taken_for_a_value(odd: str) -> None:
    """A token that is written as a value would be keeps its id, and its row of the embedding."""
    output = OutputSlice("y", (0, 0, 0.5, 0.5, 7, 7))
    texts = list(told_apart(output, ["a", odd]))
    assert len({*texts, "a", odd}) == len(texts) + 2
