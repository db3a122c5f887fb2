"""nnsight: the native model is an ordinary module, so nnsight reads and changes it, at the places provenance names."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from compiler.observe.provenance import provenance
from tests.hosts.fresh import compiled, questions

pytestmark = pytest.mark.slow

SCRIPT = """
import json, sys
import torch
from nnsight import NNsight

import compiler

folder, inputs = json.load(open(sys.argv[1]))
native = compiler.load(folder)
model = NNsight(native)
found = []
for ids in inputs:
    ids = torch.tensor([ids])
    with model.trace(ids):
        written = model.blocks[0].attn.output.save()    # what the heads of layer 0 add to the stream
        stream = model.blocks[0].output.save()          # the stream after layer 0
        entering = model.blocks[1].input.save()         # the same, as layer 1 sees it
        unembedded = model.unembed.output.save()
        logits = model.output.save()
    with model.trace(ids):
        model.blocks[0].attn.output[:] = 0              # the heads of layer 0, ablated
        ablated = model.output.save()
    with model.trace(ids):
        model.blocks[0].attn.output[:, 1:, 5] += 1      # one more in the column that holds `length`
        moved = model.output.save()
    assert torch.equal(logits, native(ids)) and torch.equal(logits, unembedded) and torch.equal(stream, entering)
    found.append({
        "answer": logits[0].argmax(-1).tolist(),
        "ablated": ablated[0].argmax(-1).tolist(),
        "moved": moved[0].argmax(-1).tolist(),
        "written": [column for column in range(written.shape[-1]) if written[0, 1:, column].any()],
        "stream": stream[0, 1:].tolist(),
    })
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What nnsight saw of `reverse`, in a process of its own; it reads the source of the file that it runs."""
    home = tmp_path_factory.mktemp("nnsight")
    made = compiled("reverse", vocab="abc", max_length=8)
    made.save(home / "reverse")
    (home / "look.py").write_text(SCRIPT)
    (home / "given.json").write_text(json.dumps([str(home / "reverse"), inputs()]))
    done = subprocess.run(
        [sys.executable, str(home / "look.py"), str(home / "given.json")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def inputs() -> list[list[int]]:
    return [question.ids for question in questions(compiled("reverse", vocab="abc", max_length=8))][::8]


def test_the_answers_are_the_interpreters(results: list[dict[str, Any]]) -> None:
    made = compiled("reverse", vocab="abc", max_length=8)
    values = made.model.config.outputs[0].values
    for ids, found in zip(inputs(), results, strict=True):
        tokens = ["abc"[number] for number in ids]
        assert [values[choice] for choice in found["answer"]] == tokens[::-1]


def test_the_heads_write_the_columns_that_provenance_names(results: list[dict[str, Any]]) -> None:
    found = provenance(compiled("reverse", vocab="abc", max_length=8).model)
    heads = [node for node in found["nodes"] if node["kind"] == "head" and node["layer"] == 0]
    columns = sorted({column for node in heads for column in node["output"]["columns"]})
    assert columns == [5] == [found["columns"].index("length")]
    assert all(result["written"] == columns for result in results)


def test_the_stream_holds_the_variable(results: list[dict[str, Any]]) -> None:
    for ids, found in zip(inputs(), results, strict=True):
        assert [round(row[5]) for row in found["stream"]] == [len(ids)] * len(ids)


def test_a_changed_length_shifts_the_reverse(results: list[dict[str, Any]]) -> None:
    """With a `length` of one more, position i looks for length - i, which is the one after its own partner."""
    for ids, found in zip(inputs(), results, strict=True):
        assert found["moved"][1:] == found["answer"][:-1]
        assert len(ids) == 1 or len(set(ids)) == 1 or found["ablated"] != found["answer"]
