"""torch-transformer: programs with a source in `torch.nn.Transformer`, in a process that knows nothing of ours."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

import compiler
import rasp
from compiler.hosts import export, torch_transformer
from compiler.hosts.folder import record
from compiler.hosts.verify_tapes import verify_tapes
from compiler.model import ModelError
from compiler.pipeline import Compiled
from tests.hosts.fresh import card_prints
from tests.hosts.test_two_tapes import CHOSEN, SMALL, START, program, sources
from tests.places import PROGRAMS

DECODED = """
import contextlib, json, sys, warnings
import torch

warnings.simplefilter("ignore")
found = []
for folder, sources in json.loads(sys.stdin.read()):
    told, tensors = json.load(open(f"{folder}/transformer.json")), torch.load(f"{folder}/transformer.pt")
    outside = {name: tensors.pop(name) for name in [*tensors] if not name.startswith(("encoder", "decoder"))}
    model = torch.nn.Transformer(**told["arguments"]).eval()
    model.load_state_dict(tensors)
    numbers = {text: number for number, text in enumerate(told["source"]["vocabulary"])}
    bos, last = len(numbers), len(told["target"]["vocabulary"])
    longest, start = max(map(len, sources)), told["target"]["vocabulary"].index(told["target"]["start"])
    ids = torch.tensor([[bos, *map(numbers.get, one), *[0] * (longest - len(one))] for one in sources])
    hidden = torch.tensor([[place > len(one) for place in range(longest + 1)] for one in sources])
    answers = []
    for grad in (contextlib.nullcontext, torch.no_grad):  # without gradients the class takes another path
        with grad():
            memory = model.encoder(outside["source.W_E"][ids] + outside["source.W_pos"][: longest + 1],
                                   src_key_padding_mask=hidden)
            target, written = torch.tensor([[last, start]] * len(sources)), [[] for _ in sources]
            for _ in range(told["target"]["max_length"]):
                length = target.shape[1]
                causal = model.generate_square_subsequent_mask(length)
                stream = outside["target.W_E"][target] + outside["target.W_pos"][:length]
                out = model.decoder(stream, memory, tgt_mask=causal, memory_key_padding_mask=hidden)
                best = (out[:, -1] @ outside["W_U"]).argmax(-1).tolist()
                for row, choice in zip(written, best):
                    if not row or row[-1] is not None:
                        row.append(told["values"][choice])
                        row += [None] if told["next"][choice] is None else []
                following = torch.tensor([[told["next"][choice] or 0] for choice in best])
                target = torch.cat([target, following], 1)
            answers.append([[value for value in row if value is not None] for row in written])
    assert answers[0] == answers[1]
    found.append(answers[0])
assert not {"compiler", "rasp", "transformers"} & set(sys.modules)
print(json.dumps(found))
"""


def test_a_small_program_is_written_and_compared(tmp_path: Path) -> None:
    made = compiler.compile(rasp.parse(SMALL)).model
    result = export(made, "torch-transformer", tmp_path / "out", samples=10)
    assert result.inputs > 40 and result.used < 0.01
    assert record(tmp_path / "out")["start"] == "<start>"
    told = json.loads((tmp_path / "out" / "transformer.json").read_text())
    assert told["arguments"]["norm_first"] and told["arguments"]["activation"] == "relu"
    assert told["values"] == [".", "a", "b"] and told["next"] == [None, 0, 1]


@pytest.mark.slow
def test_the_code_of_the_card_decodes(tmp_path: Path) -> None:
    export(compiler.compile(rasp.parse(SMALL)).model, "torch-transformer", tmp_path / "out", samples=5)
    assert card_prints(tmp_path / "out") == "['a', 'b', 'a', '.']\n"


def require_decoded(made: Sequence[Compiled], home: Path) -> None:
    """In padded batches, with and without gradients, what is written is what the program decodes."""
    asked, expected = [], []
    for number, one in enumerate(made):
        export(one.model, "torch-transformer", home / str(number), samples=20)
        meant = sources(one)
        asked.append([str(home / str(number)), [[str(token) for token in source] for source in meant]])
        expected.append([one.program.decode(source) for source in meant])
    done = subprocess.run(
        [sys.executable, "-I", "-c", DECODED], input=json.dumps(asked), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert json.loads(done.stdout.splitlines()[-1]) == expected


@pytest.mark.slow
def test_programs_are_decoded_in_batches_with_and_without_gradients(tmp_path: Path) -> None:
    require_decoded([*map(program, CHOSEN), compiler.compile(rasp.parse(START))], tmp_path)


@pytest.mark.parametrize("name", ["source.W_E", "W_U", "encoder.layers.0.linear2.weight", "encoder.norm.weight"])
def test_a_wrong_weight_is_noticed(name: str, tmp_path: Path) -> None:
    made = compiler.compile(rasp.load(PROGRAMS / "seq2seq" / "sort.rasp").replace(max_source=4)).model
    export(made, "torch-transformer", tmp_path / "out", samples=5)
    tensors = torch.load(tmp_path / "out" / torch_transformer.TENSORS)
    assert tensors[name].any()
    torch.save({**tensors, name: -tensors[name]}, tmp_path / "out" / torch_transformer.TENSORS)
    with pytest.raises(ModelError, match="the host torch-transformer"):
        verify_tapes(made, torch_transformer.load(made, tmp_path / "out"), "torch-transformer", 5)
