"""Programs with a source in stock encoder-decoders: `generate` writes what they decode, in a process without ours."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

import compiler
import rasp
from compiler.cli import main
from compiler.hosts import NO_HOSTS, export, seq2seq
from compiler.hosts.folder import record
from compiler.hosts.targets import targets
from compiler.hosts.tokenizer import SEPARATORS
from compiler.hosts.verify_tapes import verify_tapes
from compiler.model import ModelError
from compiler.pipeline import Compiled
from tests.compiler.two_tapes import compiled
from tests.hosts.fresh import card_prints
from tests.places import PROGRAMS

GENERATING = ["t5", "encoder-decoder"]
"""Hosts with a tokenizer, which `generate` writes for."""
CHOSEN = ["addition", "copy", "reverse", "sort", "translate"]
SOURCES = 40
MATRICES = {
    "t5": [
        "shared.weight",
        "lm_head.weight",
        "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight",
        "encoder.block.0.layer.0.SelfAttention.v.weight",
        "encoder.block.2.layer.0.SelfAttention.k.weight",
        "decoder.block.0.layer.2.DenseReluDense.wi.weight",
        "decoder.block.2.layer.1.EncDecAttention.q.weight",
        "decoder.block.2.layer.1.EncDecAttention.o.weight",
    ],
    "encoder-decoder": [
        "encoder.embeddings.word_embeddings.weight",
        "decoder.transformer.wpe.weight",
        "encoder.encoder.layer.0.attention.self.key.weight",
        "decoder.transformer.wte.weight",
        "decoder.transformer.h.0.ln_cross_attn.weight",
        "decoder.transformer.h.0.crossattention.q_attn.weight",
        "decoder.transformer.h.0.crossattention.c_proj.weight",
        "decoder.lm_head.weight",
    ],
}
WAYS: list[dict[str, Any]] = [
    {},
    {"num_beams": 4},
    {"do_sample": True},
    {"use_cache": False},
    {"num_beams": 4, "use_cache": False},
]
ATTENTIONS = ["eager", "sdpa"]
WRITTEN = """
import json, sys
import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

given = json.loads(sys.stdin.read())
found = []
for folder, sides, texts in given["asked"]:
    tokenizer = AutoTokenizer.from_pretrained(folder)
    answers = set()
    for attention in given["attentions"]:
        model = AutoModelForSeq2SeqLM.from_pretrained(folder, attn_implementation=attention)
        for side in sides:
            batch = tokenizer(texts, padding=True, padding_side=side, return_tensors="pt")
            for way in given["ways"]:
                written = tokenizer.batch_decode(model.generate(**batch, **way), skip_special_tokens=True)
                answers.add(tuple(written))
        for text, answer in zip(texts[:3], written[:3]):
            alone = model.generate(**tokenizer([text], return_tensors="pt"))
            assert tokenizer.batch_decode(alone, skip_special_tokens=True) == [answer]
    found.append(sorted(answers))
assert not {"compiler", "rasp"} & set(sys.modules)
print(json.dumps(found))
"""
SMALL = """
#@ output: next
#@ source: "ab"
#@ vocab: "ab."
#@ max_source: 3
#@ stop: "."
next = aggregate(select(indices, indices, ==), source, ".");
"""
START = """# The target begins with one of its own tokens, which is also written; a source token is read as unknown.
#@ output: next
#@ source: "01?"
#@ vocab: "01!"
#@ max_source: 5
#@ start: "0"
#@ unknown: "?"
#@ stop: "!"
ones = selector_width(select(source, "1", ==));
so_far = selector_width(select(tokens, "1", ==));
next = "0" if ones == 0 and not (tokens == "0" and indices > 0) else ("1" if so_far < ones else "!");
"""
WORDS = """# Characters are read, words are written; it ends where no token is known.
#@ output: next
#@ source: "ab"
#@ vocab: ["alpha", "beta"]
#@ max_source: 4
#@ max_length: 4
next = aggregate(select(indices, indices, ==), {"a": "alpha", "b": "beta"}[source], 7);
"""


def program(name: str) -> Compiled:
    return compiled(name)


def sources(made: Compiled, count: int = SOURCES) -> list[tuple[Any, ...]]:
    """Examples, and random sources that are meant, of every length."""
    settings, rng = made.program.settings, random.Random(5)
    tokens = settings.source or ()
    found = [example.input for example in settings.examples]
    for _ in range(100 * count):
        source = tuple(rng.choices(tokens, k=rng.randint(1, settings.longest_source)))
        if len(found) < count and made.program.is_meant(source):
            found.append(source)
    return found


def joined(tokens: Sequence[object], separator: str) -> str:
    return separator.join(map(str, tokens))


def written(
    asked: Sequence[tuple[Path, list[str], list[str]]],
    ways: Sequence[dict[str, Any]] = WAYS,
    attentions: Sequence[str] = ATTENTIONS,
) -> list[list[list[str]]]:
    """What the stock classes write for texts, in as many ways as they differ."""
    given = {"asked": [[str(folder), sides, texts] for folder, sides, texts in asked]}
    done = subprocess.run(
        [sys.executable, "-I", "-c", WRITTEN],
        input=json.dumps(given | {"ways": ways, "attentions": attentions}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def separator(made: Compiled) -> str:
    """What stands between tokens, where some token has more than a character: a space, if no token holds one."""
    settings = made.program.settings
    tokens = {str(token) for token in (*(settings.source or ()), *made.setting.written)}
    free = (sign for sign in SEPARATORS if not any(sign in token for token in tokens))
    return next(free) if any(len(token) > 1 for token in tokens) else ""


def require_written(
    made: Sequence[Compiled],
    host: str,
    home: Path,
    ways: Sequence[dict[str, Any]] = WAYS,
    attentions: Sequence[str] = ATTENTIONS,
) -> None:
    """What is written is what the program decodes, in every way of generating it, padded on either side."""
    asked, expected = [], []
    for number, one in enumerate(made):
        export(one.model, host, home / str(number), samples=20)
        meant, between = sources(one), separator(one)
        asked.append((home / str(number), ["right", "left"], [joined(source, between) for source in meant]))
        expected.append([[joined(one.program.decode(source), between) for source in meant]])
    assert written(asked, ways, attentions) == expected


@pytest.mark.parametrize("host", GENERATING)
def test_a_small_program_is_written_and_compared(host: str, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    made = compiler.compile(rasp.parse(SMALL))
    result = export(made.model, host, tmp_path / "out", samples=10)
    assert result.inputs > 40 and result.used < 0.01
    found = record(tmp_path / "out")
    assert found["source"] == {"vocabulary": ["a", "b"], "max_length": 3}
    assert (found["start"], found["stop"]) == ("<start>", ["."])
    card = (tmp_path / "out" / "README.md").read_text()
    assert '* Sources: 1 to 3 of 2 tokens: "a", "b"' in card and 'each begins with "<start>", and ends with "."' in card


@pytest.mark.slow
@pytest.mark.parametrize("host", GENERATING)
def test_programs_are_written_as_they_are_decoded(host: str, tmp_path: Path) -> None:
    require_written([program(name) for name in CHOSEN], host, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("host", GENERATING)
def test_a_start_that_is_written_too_words_and_what_ends_without_a_stop(host: str, tmp_path: Path) -> None:
    require_written([compiler.compile(rasp.parse(START))], host, tmp_path / "start")
    made = compiler.compile(rasp.parse(WORDS))
    export(made.model, host, tmp_path / "words", samples=20)
    texts = ["a b", "b a a b"]
    answers = [["alpha beta 7", "beta alpha alpha beta"]]
    assert written([(tmp_path / "words", ["right", "left"], texts)]) == [answers]


@pytest.mark.slow
@pytest.mark.parametrize("host", GENERATING)
def test_what_the_source_does_not_know_is_an_error(host: str, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    export(compiler.compile(rasp.parse(SMALL)).model, host, tmp_path / "out", samples=5)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    assert tokenizer("ab")["input_ids"] == [2, 0, 1]
    for foreign in ("a.", "ac", "= ."):
        with pytest.raises(Exception, match="Missing"):
            tokenizer(foreign)
    assert card_prints(tmp_path / "out") == "['aba.']\n"


@pytest.mark.slow
def test_a_source_that_is_too_long_for_t5_is_answered_with_padding(tmp_path: Path) -> None:
    export(compiler.compile(rasp.parse(SMALL)).model, "t5", tmp_path / "out", samples=5)
    texts = ["abab", "aba", "aaaaaaaaa"]
    assert written([(tmp_path / "out", ["right", "left"], texts)]) == [[["", "aba.", ""]]]


@pytest.mark.slow
@pytest.mark.parametrize("side", ["right", "left"])
def test_nothing_that_stands_under_the_mask_of_t5_changes_an_answer(side: str, tmp_path: Path) -> None:
    """Any ids there, on either side of a source; every number of both stacks is finite."""
    from transformers import AutoModelForSeq2SeqLM

    made = program("sort")
    export(made.model, "t5", tmp_path / "out", samples=5)
    outer, rng = targets(made.model), random.Random(2)
    model = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "out")
    for source in sources(made, 20):
        own = [outer.words.bos_id, *made.model.encode_source(source)]
        hidden = rng.choices(range(outer.size), k=rng.randint(1, 9))
        both = (hidden, own), ([0] * len(hidden), [1] * len(own))
        rows, seen = ([*there, *mine] if side == "left" else [*mine, *there] for there, mine in both)
        target = outer.prefix(made.model.encode(["<start>", *made.program.decode(source)[:-1]]))
        given = {"decoder_input_ids": torch.tensor([target]), "output_hidden_states": True}
        with torch.no_grad():
            found = model(input_ids=torch.tensor([rows]), attention_mask=torch.tensor([seen]), **given)
            alone = model(input_ids=torch.tensor([own]), **given)
        assert all(state.isfinite().all() for state in (*found.encoder_hidden_states, *found.decoder_hidden_states))
        assert found.logits.argmax(-1).tolist() == alone.logits.argmax(-1).tolist(), source


@pytest.mark.slow
@pytest.mark.parametrize("host", GENERATING)
def test_a_wrong_weight_is_noticed(host: str, tmp_path: Path) -> None:
    """Matrices of both stacks are turned round, one at a time: such a folder is not written."""
    from transformers import AutoModelForSeq2SeqLM

    made = compiler.compile(rasp.load(PROGRAMS / "seq2seq" / "sort.rasp").replace(max_source=4)).model
    export(made, host, tmp_path / "out", samples=5)
    model = AutoModelForSeq2SeqLM.from_pretrained(tmp_path / "out").eval()
    tapes = seq2seq.tapes(targets(made), model, tmp_path / "out")
    assert verify_tapes(made, tapes, host, 5).used < 0.01
    for name in MATRICES[host]:
        with torch.no_grad():
            matrix = model.get_parameter(name)
            assert matrix.any()
            matrix.mul_(-1)
            with pytest.raises(ModelError, match=f"the host {host}|best logit|begin a target|no output value"):
                verify_tapes(made, tapes, host, 5)
            matrix.mul_(-1)


def test_hosts_of_one_tape_and_of_two_say_so(tmp_path: Path) -> None:
    two = compiler.compile(rasp.parse(SMALL)).model
    with pytest.raises(
        ModelError, match="gpt2 is for programs that read one tape, and this one has a source"
    ) as caught:
        export(two, "gpt2", tmp_path / "out")
    assert "t5" in caught.value.hint
    one = compiler.compile(rasp.parse("o = tokens;").replace(vocab="ab", max_length=3)).model
    with pytest.raises(
        ModelError, match="t5 is for programs that read a source and a target, and this one has no source"
    ):
        export(one, "t5", tmp_path / "out")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", NO_HOSTS)
def test_architectures_that_cannot_be_hosts_are_refused_with_the_reason(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    compiler.compile(rasp.parse(SMALL)).save(tmp_path / "small")
    code = main(["export", str(tmp_path / "small"), "--to", name, "-o", str(tmp_path / "out")])
    told = capsys.readouterr().err
    assert code == 2 and f"{name} cannot be a host: its norms have an epsilon of 1e-5" in told and "t5" in told
    assert not (tmp_path / "out").exists()
