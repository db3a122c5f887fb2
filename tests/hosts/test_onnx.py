"""onnx: the folder answers in onnxruntime alone, for any batch and length, and tells nothing about this machine."""

from __future__ import annotations

import json
from pathlib import Path

import onnxruntime
import pytest
import torch

from compiler.hosts import export
from compiler.hosts.folder import record
from compiler.hosts.onnx import load, write
from compiler.pipeline import Compiled
from tests.compiler.test_model import POISON, poisoned
from tests.hosts.fresh import ASKED, card_prints, compiled, require_right

pytestmark = pytest.mark.slow
HOST = "onnx"

OPEN = f"""
import json
import numpy as np
import onnxruntime

def opened(folder):
    session = onnxruntime.InferenceSession(folder + "/model.onnx", providers=["CPUExecutionProvider"])
    outputs = json.loads(session.get_modelmeta().custom_metadata_map["outputs"])

    def run(ids, mask):
        [logits] = session.run(None, {{"token_ids": np.array(ids), "attention_mask": np.array(mask)}})
        return logits

    return run, [len(output["values"]) for output in outputs]
{ASKED}
assert "torch" not in sys.modules
"""


def test_a_fresh_process_gives_the_interpreters_answers(made: list[Compiled], folders: list[Path]) -> None:
    require_right(made, folders, OPEN)


def test_the_card_works(folders: list[Path]) -> None:
    assert card_prints(folders[4]).splitlines()[0] == "o [[1, 1], [1, 1]]"  # the last place is padding


def test_no_file_name_of_this_machine_is_written(folders: list[Path]) -> None:
    for folder in folders:
        data = (folder / "model.onnx").read_bytes()
        assert b"compiler/" not in data and b"site-packages" not in data


def test_batch_and_length_are_free_and_the_meaning_is_inside(made: list[Compiled], folders: list[Path]) -> None:
    session = onnxruntime.InferenceSession(folders[0] / "model.onnx")
    assert [(one.name, one.shape) for one in session.get_inputs()] == [
        ("token_ids", ["batch", "length"]),
        ("attention_mask", ["batch", "length"]),
    ]
    found = {key: json.loads(text) for key, text in session.get_modelmeta().custom_metadata_map.items()}
    assert found["vocabulary"] == ["a", "b", "c"] and found["max_length"] == 12
    assert found["outputs"] == [{"name": "sorted", "values": list(made[0].model.config.outputs[0].values)}]


def test_the_record_holds_the_verification(folders: list[Path]) -> None:
    assert record(folders[0])["verification"]["inputs"] >= 200


@pytest.mark.parametrize("attention", ["bidirectional", "causal"])
def test_padding_rows_reach_nothing_in_the_graph(attention: str, tmp_path: Path) -> None:
    model = compiled("sort", vocab="abc", max_length=5, attention=attention).model
    inputs = [[2, 1, 0, 1], [1, 0, 2], [1]]
    write(model, tmp_path)
    clean, file = load(model, tmp_path)(inputs), (tmp_path / "model.onnx").read_bytes()
    for poison in POISON:
        with poisoned(model, poison):
            write(model, tmp_path)
        assert (tmp_path / "model.onnx").read_bytes() != file, poison  # the poison is part of it
        assert all(map(torch.equal, load(model, tmp_path)(inputs), clean)), poison


def test_float64_stays_float64(tmp_path: Path) -> None:
    export(compiled("histogram", vocab="ab", max_length=4, dtype="float64").model, "onnx", tmp_path / "out")
    [output] = onnxruntime.InferenceSession(tmp_path / "out" / "model.onnx").get_outputs()
    assert output.type == "tensor(double)"
