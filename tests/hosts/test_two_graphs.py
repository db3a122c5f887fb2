"""Programs with a source as two graphs, encoder and decoder, in onnxruntime or torch, decoded without ours."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import compiler
import rasp
from compiler.hosts import HOSTS, Tapes, export
from compiler.hosts.folder import record
from compiler.hosts.verify_tapes import verify_tapes
from compiler.model import ModelError, Transformer
from compiler.pipeline import Compiled
from tests.compiler.test_model import POISON, poisoned
from tests.hosts.fresh import card_prints
from tests.hosts.test_two_tapes import CHOSEN, SMALL, START, WORDS, program, sources
from tests.places import PROGRAMS, ROOT

onnxruntime = pytest.importorskip("onnxruntime")

GRAPHS = ["onnx", "torch-export"]
FILES = {"onnx": ["encoder.onnx", "decoder.onnx"], "torch-export": ["encoder.pt2", "decoder.pt2"]}
OPEN = {
    "onnx": """
import numpy as np
import onnxruntime

def opened(folder, name):
    session = onnxruntime.InferenceSession(f"{folder}/{name}.onnx", providers=["CPUExecutionProvider"])
    told = {key: json.loads(text) for key, text in session.get_modelmeta().custom_metadata_map.items()}
    names = [one.name for one in session.get_inputs()]
    return lambda *given: session.run(None, dict(zip(names, map(np.asarray, given)))), told
""",
    "torch-export": """
import torch

def opened(folder, name):
    extra = {"meaning.json": ""}
    program = torch.export.load(f"{folder}/{name}.pt2", extra_files=extra).module()

    def run(*given):
        found = program(*map(torch.as_tensor, given))
        return [found] if name == "decoder" else found

    return run, json.loads(extra["meaning.json"])
""",
}
DECODED = """
import json, sys
OPEN
found = []
for folder, sources in json.loads(sys.stdin.read()):
    (encode, told), (decode, also) = opened(folder, "encoder"), opened(folder, "decoder")
    assert told == also
    numbers = {text: number for number, text in enumerate(told["source"]["vocabulary"])}
    start = told["target"]["vocabulary"].index(told["target"]["start"])
    answers = []
    for size in (1, 77):
        written = []
        for first in range(0, len(sources), size):
            batch = sources[first : first + size]
            longest = max(map(len, batch))
            ids = [[*map(numbers.get, one), *[0] * (longest - len(one))] for one in batch]
            mask = [[1] * len(one) + [0] * (longest - len(one)) for one in batch]
            memory = encode(ids, mask)
            rows, values = [[start] for _ in batch], [[] for _ in batch]
            for _ in range(told["target"]["max_length"]):
                given = [[token or 0 for token in row] for row in rows]
                [logits] = decode(given, [[1] * len(row) for row in rows], *memory)
                for row, own, choice in zip(rows, values, logits[:, -1].argmax(-1).tolist()):
                    own += [told["values"][choice]] if None not in row else []
                    row.append(told["next"][choice])
            written += values
        answers.append(written)
    assert answers[0] == answers[1]
    found.append(answers[0])
assert not {"compiler", "rasp", "transformers"} & set(sys.modules)
print(json.dumps(found))
"""

BLIND = """
#@ output: next
#@ source: "ab"
#@ vocab: "ab."
#@ max_source: 3
#@ stop: "."
next = "a" if indices < 2 else ".";
"""


def printed(code: str, given: Any) -> Any:
    """What a process of its own prints, as JSON."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], input=json.dumps(given), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def texts(made: Compiled, count: int = 40) -> list[list[str]]:
    return [[str(token) for token in source] for source in sources(made, count)]


def written(model: Transformer, host: str, folder: Path) -> Tapes:
    """A model in files of a host, without any verification, and opened again."""
    folder.mkdir()
    module = HOSTS[host].open()
    module.write(model, folder)
    loaded = module.load(model, folder)
    assert isinstance(loaded, Tapes)
    return loaded


def require_decoded(made: Sequence[Compiled], host: str, home: Path) -> None:
    """One at a time and in padded batches, what is written is what the program decodes."""
    asked, expected = [], []
    for number, one in enumerate(made):
        export(one.model, host, home / str(number), samples=20)
        asked.append([str(home / str(number)), texts(one)])
        expected.append([one.program.decode(source) for source in sources(one)])
    code = DECODED.replace("OPEN", OPEN[host])
    assert printed(code, asked) == expected


def require_decoded_as_documented(name: str, home: Path) -> None:
    """The code of the page about hosts decodes, as it stands there, in a process without torch."""
    page = (ROOT / "docs" / "hosts.md").read_text()
    [code] = [block.split("```")[0] for block in page.split("```python\n")[1:] if "InferenceSession" in block]
    made = program(name)
    export(made.model, "onnx", home / "sort-onnx", samples=20)
    lines = [
        "import json, os, sys",
        f"os.chdir({str(home)!r})",
        code,
        "assert not {'compiler', 'rasp', 'torch'} & set(sys.modules)",
        "print(json.dumps([decode(source) for source in json.loads(sys.stdin.read())]))",
    ]
    assert printed("\n".join(lines), texts(made)) == [made.program.decode(source) for source in sources(made)]


def test_a_small_program_is_two_graphs_of_onnx(tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = export(compiler.compile(rasp.parse(SMALL)).model, "onnx", out, samples=10)
    assert result.inputs > 40 and result.used < 0.01
    assert {path.name for path in out.iterdir()} == {"encoder.onnx", "decoder.onnx", "rasp.json", "README.md"}
    encoder, decoder = (onnxruntime.InferenceSession(out / name) for name in FILES["onnx"])
    assert [(one.name, one.shape) for one in encoder.get_inputs()] == [
        ("source_ids", ["batch", "source_length"]),
        ("source_mask", ["batch", "source_length"]),
    ]
    assert [(one.name, one.shape[:2]) for one in decoder.get_inputs()] == [
        ("target_ids", ["batch", "target_length"]),
        ("target_mask", ["batch", "target_length"]),
        ("memory", ["batch", "memory_length"]),
        ("memory_mask", ["batch", "memory_length"]),
    ]
    assert [one.name for one in encoder.get_outputs()] == ["memory", "memory_mask"]
    assert [(one.name, one.shape) for one in decoder.get_outputs()] == [("logits", ["batch", "target_length", 3])]
    for session in (encoder, decoder):
        told = {key: json.loads(text) for key, text in session.get_modelmeta().custom_metadata_map.items()}
        assert told == {
            "source": {"vocabulary": ["a", "b"], "max_length": 3},
            "target": {"vocabulary": ["a", "b", ".", "<start>"], "max_length": 4, "start": "<start>", "stop": ["."]},
            "output": "next",
            "values": [".", "a", "b"],
            "next": [None, 0, 1],
        }
    found = record(out)
    assert (found["host"], found["start"], found["stop"]) == ("onnx", "<start>", ["."])
    assert "as two ONNX graphs, encoder and decoder. Nothing" in (out / "README.md").read_text()


def test_the_loop_of_the_page_decodes_with_onnxruntime_alone(tmp_path: Path) -> None:
    require_decoded_as_documented("reverse", tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["addition", "sort", "translate"])
def test_the_loop_of_the_page_decodes_other_programs(name: str, tmp_path: Path) -> None:
    require_decoded_as_documented(name, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("host", GRAPHS)
def test_programs_are_decoded_alone_and_in_padded_batches(host: str, tmp_path: Path) -> None:
    require_decoded([*map(program, CHOSEN), compiler.compile(rasp.parse(START))], host, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("host", GRAPHS)
def test_a_target_ends_with_what_is_no_token_or_at_its_longest(host: str, tmp_path: Path) -> None:
    export(compiler.compile(rasp.parse(WORDS)).model, host, tmp_path / "out", samples=20)
    asked = [[str(tmp_path / "out"), [["a", "b"], ["b", "a", "a", "b"]]]]
    answers = [["alpha", "beta", 7], ["beta", "alpha", "alpha", "beta"]]
    assert printed(DECODED.replace("OPEN", OPEN[host]), asked) == [answers]


@pytest.mark.slow
@pytest.mark.parametrize("host", GRAPHS)
def test_tapes_of_one_token_and_what_does_not_look_at_the_source(host: str, tmp_path: Path) -> None:
    short, blind = rasp.parse(SMALL).replace(max_source=1), rasp.parse(BLIND)
    require_decoded([compiler.compile(one) for one in (short, blind)], host, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("host", GRAPHS)
def test_the_code_of_the_card_decodes(host: str, tmp_path: Path) -> None:
    export(compiler.compile(rasp.parse(SMALL)).model, host, tmp_path / "out", samples=5)
    assert card_prints(tmp_path / "out") == "['a', 'b', 'a', '.']\n"


@pytest.mark.slow
@pytest.mark.parametrize("host", GRAPHS)
def test_padding_rows_reach_nothing_in_either_graph(host: str, tmp_path: Path) -> None:
    """Every block of both stacks meets poison there: it is part of the graphs, and no logit of a real row changes."""
    model = program("sort").model
    assert model.encoder is not None and len(model.encoder.blocks) and len(model.blocks)
    pairs = [([2, 1, 0, 1], [8, 0]), ([1, 0, 2], [8, 0, 1]), ([1], [8])]
    clean = written(model, host, tmp_path / "clean").logits(pairs)
    for number, poison in enumerate(POISON):
        with poisoned(model.encoder, poison), poisoned(model, poison):
            spoilt = written(model, host, tmp_path / str(number))
        for name in FILES[host]:
            assert (tmp_path / str(number) / name).read_bytes() != (tmp_path / "clean" / name).read_bytes()
        assert all(map(torch.equal, spoilt.logits(pairs), clean)), poison


@pytest.mark.slow
@pytest.mark.parametrize("poison", POISON)
def test_hidden_rows_of_a_memory_reach_nothing(poison: float, tmp_path: Path) -> None:
    """A caller may put memories of several lengths together, and anything behind the shorter ones."""
    written(program("sort").model, "onnx", tmp_path / "out")
    encoder, decoder = (onnxruntime.InferenceSession(tmp_path / "out" / name) for name in FILES["onnx"])
    ids, mask = np.array([[2, 1, 0, 1], [1, 0, 0, 0]]), np.array([[1, 1, 1, 1], [1, 0, 0, 0]])
    memory, seen = encoder.run(None, {"source_ids": ids, "source_mask": mask})
    assert seen.tolist() == [[1, 1, 1, 1, 1], [1, 1, 0, 0, 0]]
    target = np.array([[8, 0], [8, 1]])
    given = {"target_ids": target, "target_mask": np.ones_like(target), "memory_mask": seen}
    [clean] = decoder.run(None, {**given, "memory": memory})
    spoilt = np.where(seen[..., None] == 1, memory, np.float32(poison))
    [found] = decoder.run(None, {**given, "memory": spoilt})
    assert np.isfinite(clean).all() and (found == clean).all()


@pytest.mark.slow
@pytest.mark.parametrize("host", GRAPHS)
@pytest.mark.parametrize("name", ["encoder.embed.W_E", "embed.W_E", "blocks.0.cross.W_V", "unembed.W_U"])
def test_a_wrong_weight_is_noticed(name: str, host: str, tmp_path: Path) -> None:
    model = compiler.compile(rasp.load(PROGRAMS / "seq2seq" / "reverse.rasp").replace(max_source=4)).model
    other = copy.deepcopy(model)
    with torch.no_grad():
        tensor = other.get_parameter(name)
        assert tensor.any()
        tensor.mul_(-1)
    with pytest.raises(ModelError, match=f"the host {host}"):
        verify_tapes(model, written(other, host, tmp_path / "out"), host, 5)


@pytest.mark.slow
@pytest.mark.parametrize("host", GRAPHS)
def test_no_file_name_of_this_machine_is_written(host: str, tmp_path: Path) -> None:
    written(program("sort").model, host, tmp_path / "out")
    for name in FILES[host]:
        data = (tmp_path / "out" / name).read_bytes()
        assert b"compiler/" not in data and b"site-packages" not in data


@pytest.mark.slow
@pytest.mark.parametrize("host", GRAPHS)
def test_float64_stays_float64(host: str, tmp_path: Path) -> None:
    loaded = written(compiler.compile(rasp.parse(SMALL), dtype="float64").model, host, tmp_path / "out")
    assert {logits.dtype for logits in loaded.logits([([0, 1], [3, 0]), ([1], [3])])} == {torch.float64}


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_autocast_around_the_graphs_changes_nothing(dtype: torch.dtype, tmp_path: Path) -> None:
    model = program("addition").model
    loaded = written(model, "torch-export", tmp_path / "out")
    pairs = [(model.encode_source("58+67"), model.encode(["<start>", *"12"])), (model.encode_source("1+2"), [11])]
    expected = loaded.logits(pairs)
    with torch.autocast("cpu", dtype):
        assert all(map(torch.equal, loaded.logits(pairs), expected))


@pytest.mark.slow
def test_one_of_several_outputs_is_kept(tmp_path: Path) -> None:
    model = compiler.compile(rasp.parse(SMALL + "also = tokens;"), output=["also", "next"]).model
    export(model, "onnx", tmp_path / "out", output="next", samples=5)
    assert [output["name"] for output in record(tmp_path / "out")["outputs"]] == ["next"]
