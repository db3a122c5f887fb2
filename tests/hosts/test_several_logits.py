"""Outputs with several logits for one value: every host tells the value, whichever of its logits is the largest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import compiler
import rasp
from compiler.hosts import HOSTS, export
from compiler.hosts.lm import head

CAUSAL_HOSTS = {"gpt2", "llama"}
PROGRAM = '#@ vocab: "0123456789"\n#@ max_length: 12\n#@ attention: {}\nmean = aggregate(full_s, 2 * tokens_int);\n'


def made(host: str) -> compiler.Compiled:
    return compiler.compile(rasp.parse(PROGRAM.format("causal" if host in CAUSAL_HOSTS else "bidirectional")))


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_tells_the_value(host: str, tmp_path: Path) -> None:
    """Exporting holds the host, loaded anew, against the interpreter, on short, random and mixed inputs."""
    model = made(host).model
    (output,) = model.config.outputs
    assert len(set(output.values)) < len(output.values)
    found = export(model, host, tmp_path / "out", samples=60)
    assert found.inputs > 60


@pytest.mark.parametrize("host", sorted(CAUSAL_HOSTS))
def test_each_logit_has_an_id_of_its_own(host: str, tmp_path: Path) -> None:
    outer = head(made(host).model)
    assert len(set(outer.ids)) == len(outer.ids) == len(outer.output.values)
    named = outer.config()["id2label"]
    told = [named[number].split(" #")[0] for number in outer.ids]
    assert told == [str(value) for value in outer.output.values]
    export(made(host).model, host, tmp_path / "out", samples=20)
    written = json.loads((tmp_path / "out" / "config.json").read_text())["id2label"]
    assert all(written[str(number)] == named[number] for number in outer.ids)


def test_the_model_and_its_samples_tell_the_value() -> None:
    """A sampled value has the weight of all its logits: they are drawn one by one, and told as the value."""
    compiled = made("gpt2")
    assert compiled.model.run("1234") == [2, 3.0, 4.0, 5.0]
    assert compiled.model.run_batch(["99", "1", "0123456789"])[2][-1] == 9.0
