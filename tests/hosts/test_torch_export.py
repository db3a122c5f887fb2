"""torch-export: the folder answers with torch alone, for any batch and length, and tells nothing about this machine."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from compiler.hosts import export
from compiler.hosts.folder import record
from compiler.pipeline import Compiled
from tests.hosts.fresh import ASKED, card_prints, compiled, require_right

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


def test_float64_stays_float64(tmp_path: Path) -> None:
    from torch.export import load

    one = compiled("histogram", vocab="ab", max_length=4, dtype="float64")
    export(one.model, "torch-export", tmp_path / "out")
    assert {str(tensor.dtype) for tensor in load(tmp_path / "out" / "model.pt2").state_dict.values()} == {
        "torch.float64"
    }
