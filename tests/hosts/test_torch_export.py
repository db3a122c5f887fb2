"""torch-export: the folder answers with torch alone, for any batch and length, and tells nothing about this machine."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
import torch

from compiler.hosts import export
from compiler.hosts.folder import record
from compiler.hosts.tracing import padded, parts
from compiler.pipeline import Compiled
from tests.compiler.test_model import POISON, poisoned
from tests.hosts.fresh import ASKED, card_prints, compiled, questions, require_right

pytestmark = pytest.mark.slow
HOST = "torch-export"

OPEN = f"""
import json, torch

def opened(folder):
    outputs = json.load(open(folder + "/rasp.json"))["outputs"]
    model = torch.export.load(folder + "/model.pt2").module()
    return lambda ids, mask: model(torch.tensor(ids), torch.tensor(mask)), [len(output["values"]) for output in outputs]
{ASKED}
"""


def test_a_fresh_process_gives_the_interpreters_answers(made: list[Compiled], folders: list[Path]) -> None:
    require_right(made, folders, OPEN)


def test_the_card_works(folders: list[Path]) -> None:
    assert card_prints(folders[4]).splitlines()[0] == "o [[1, 1], [1, 1]]"  # the last place is padding


def test_no_file_name_of_this_machine_is_written(folders: list[Path]) -> None:
    for folder in folders:
        with zipfile.ZipFile(folder / "model.pt2") as archive:
            assert archive.namelist()
            for name in archive.namelist():
                data = archive.read(name)
                assert b"compiler/" not in data and b"site-packages" not in data, name


def test_the_record_holds_the_verification(folders: list[Path]) -> None:
    found = record(folders[0])
    assert found["verification"]["inputs"] >= 200
    assert json.loads((folders[0] / "rasp.json").read_text())["host"] == "torch-export"


@pytest.mark.parametrize("poison", POISON)
@pytest.mark.parametrize("attention", ["bidirectional", "causal"])
def test_padding_rows_reach_nothing_in_the_graph(attention: str, poison: float) -> None:
    model = compiled("sort", vocab="abc", max_length=5, attention=attention).model
    [clean] = [part.traced() for part in parts(model)]
    with poisoned(model, poison):
        [spoilt] = [part.traced() for part in parts(model)]
    assert len(spoilt.graph.nodes) > len(clean.graph.nodes)  # the poison is part of it
    inputs = padded([[2, 1, 0, 1], [1, 0, 2], [1]])
    assert torch.equal(spoilt.module()(*inputs), clean.module()(*inputs))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_around_the_graph_changes_nothing(
    made: list[Compiled], folders: list[Path], dtype: torch.dtype
) -> None:
    for one, folder in zip(made, folders, strict=True):
        graph = torch.export.load(folder / "model.pt2").module()
        inputs = padded([question.ids for question in questions(one)[::20]])
        with torch.no_grad():
            expected = graph(*inputs)
            with torch.autocast("cpu", dtype):
                assert torch.equal(graph(*inputs), expected)
        assert torch.equal(one.model(*inputs), expected)


def test_the_graph_has_the_names_of_the_weights(made: list[Compiled], folders: list[Path]) -> None:
    state = torch.export.load(folders[0] / "model.pt2").state_dict
    assert {name: tuple(tensor.shape) for name, tensor in state.items()} == made[0].model.config.shapes()


def test_float64_stays_float64(tmp_path: Path) -> None:
    from torch.export import load

    one = compiled("histogram", vocab="ab", max_length=4, dtype="float64")
    export(one.model, "torch-export", tmp_path / "out")
    assert {str(tensor.dtype) for tensor in load(tmp_path / "out" / "model.pt2").state_dict.values()} == {
        "torch.float64"
    }
