"""transformer-lens: the bridge answers as the interpreter, hooks are where provenance says, and its circuit is true."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import torch
from torch import Tensor

from compiler.pipeline import Compiled
from tests.hosts.fresh import card_prints, compiled, questions, require_right
from tests.places import ROOT

HOST = "transformer-lens"
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

OPEN = """
import json, sys, torch
from safetensors.torch import load_file
from transformer_lens.config import TransformerBridgeConfig
from transformer_lens.model_bridge import TransformerBridge
from transformers import AutoTokenizer

for line in sys.stdin:
    results = []
    for folder, inputs in json.loads(line):
        config = TransformerBridgeConfig(**json.load(open(folder + "/config.json")))
        model = TransformerBridge.boot_native(config)
        model.tokenizer = tokenizer = AutoTokenizer.from_pretrained(folder)
        model.load_state_dict(load_file(folder + "/model.safetensors"))
        labels = json.load(open(folder + "/labels.json"))
        sizes = [len(values) for values in labels["logits"]]
        bos = labels["tokens"].index(tokenizer.bos_token)
        found = []
        for start in range(0, len(inputs), 40):
            batch = inputs[start : start + 40]
            width = max(map(len, batch))
            ids = torch.tensor([[bos, *row] + [tokenizer.pad_token_id] * (width - len(row)) for row in batch])
            mask = torch.tensor([[1] * (1 + len(row)) + [0] * (width - len(row)) for row in batch])
            for row, logits in zip(batch, model(ids, attention_mask=mask)):
                parts = logits[1 : len(row) + 1].split(sizes, dim=-1)
                found.append([part.argmax(-1).tolist() for part in parts])
        results.append(found)
    print(json.dumps(results))
"""


@pytest.fixture(scope="module")
def made(several: list[Compiled]) -> list[Compiled]:
    """Those of every host, between one that turns its input around and one in float64."""
    reverse = compiled("reverse", vocab="abc", max_length=8)
    return [reverse, *several, compiled("words/count_words", dtype="float64")]


@pytest.fixture(scope="module")
def bridges(made: list[Compiled], folders: list[Path]) -> list[Any]:
    from compiler.hosts.transformer_lens import open_bridge

    return [open_bridge(folder) for folder in folders]


def document(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "provenance.json").read_text())  # type: ignore[no-any-return]


def batch(made: Compiled, seed: int) -> Tensor:
    """Token ids of the greatest length, BOS in front."""
    config = made.model.config
    ids = torch.randint(len(config.vocabulary), (8, config.max_length), generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.pad(ids, (1, 0), value=config.d_vocab - 1)


# ------------------------------------------------------------------------------------------------------------- answers


def test_a_fresh_process_gives_the_interpreters_answers(made: list[Compiled], folders: list[Path]) -> None:
    require_right(made[:-1], folders[:-1], OPEN)  # the last one is float64


def test_the_card_works(folders: list[Path]) -> None:
    assert card_prints(folders[0]) == "['c', 'a']\n"


def test_a_bridge_is_in_the_dtype_of_its_weights(made: list[Compiled], bridges: list[Any]) -> None:
    for one, bridge in zip(made, bridges, strict=True):
        assert {parameter.dtype for parameter in bridge.parameters()} == {getattr(torch, one.dtype)}


def test_texts_become_tokens_with_bos_in_front(made: list[Compiled], bridges: list[Any]) -> None:
    bridge = bridges[0]
    assert bridge.to_tokens("cab").tolist() == [[3, 2, 0, 1]]
    assert bridge.to_str_tokens("cab") == [bridge.labels["tokens"][3], "c", "a", "b"]


def test_float64_stays_float64(bridges: list[Any]) -> None:
    assert {tensor.dtype for tensor in bridges[-1].state_dict().values()} == {torch.float64}


# -------------------------------------------------------------------------------------------------------------- labels


def test_every_column_head_and_neuron_has_a_name(made: list[Compiled], bridges: list[Any]) -> None:
    for one, bridge in zip(made, bridges, strict=True):
        labels, cfg = bridge.labels, bridge.cfg
        assert len(labels["columns"]) == cfg.d_model and all(labels["columns"])
        assert [len(heads) for heads in labels["heads"]] == [cfg.n_heads] * cfg.n_layers
        assert [len(neurons) for neurons in labels["neurons"]] == [cfg.d_mlp] * cfg.n_layers
        assert [list(output.values) for output in one.model.config.outputs] == labels["logits"]
        assert sum(map(len, labels["logits"])) == cfg.d_vocab_out
        for number, layer in enumerate(one.model.labels["layers"]):
            used = [head for head in labels["heads"][number] if head != "unused"]
            assert used == [head["purpose"] for head in layer["heads"]]


def test_what_is_called_unused_does_nothing(made: list[Compiled], bridges: list[Any]) -> None:
    unused = 0
    for one, bridge in zip(made, bridges, strict=True):
        _, cache = bridge.run_with_cache(batch(one, 0))
        for number, (heads, neurons) in enumerate(zip(bridge.labels["heads"], bridge.labels["neurons"], strict=True)):
            for kind, names in (("attn.hook_z", heads), ("mlp.hook_post", neurons)):
                for index, name in enumerate(names):
                    if name == "unused":
                        unused += 1
                        assert not cache[f"blocks.{number}.{kind}"][:, :, index].any()
    assert unused


# ---------------------------------------------------------------------------------------------------------- provenance


def test_the_folder_holds_the_circuit(made: list[Compiled], folders: list[Path]) -> None:
    schema = json.loads((ROOT / "compiler" / "observe" / "provenance.schema.json").read_text())
    for folder in folders:
        jsonschema.Draft202012Validator(schema).validate(document(folder))


def test_every_hook_is_there(made: list[Compiled], folders: list[Path], bridges: list[Any]) -> None:
    for one, folder, bridge in zip(made, folders, bridges, strict=True):
        _, cache = bridge.run_with_cache(batch(one, 0))
        found = document(folder)
        for variable in found["variables"]:
            assert cache[variable["hook"]].shape[-1] == len(found["columns"])
        for node in found["nodes"]:
            for place in [node["output"], *node.get("inputs", {}).values()]:
                assert place["hook"] in bridge.hook_dict
                assert "index" not in node or node["index"] < cache[place["hook"]].shape[2]


def test_variables_are_read_from_their_hooks(made: list[Compiled], folders: list[Path], bridges: list[Any]) -> None:
    decoded = 0
    for one, folder, bridge in zip(made, folders, bridges, strict=True):
        bos = one.model.config.d_vocab - 1
        for variable in document(folder)["variables"]:
            entries = [entry for entry in variable["values"] if entry["number"] is not None]  # the others no input has
            if variable["name"] not in one.program or not entries:
                continue
            for question in questions(one)[-25:]:
                tokens = [one.setting.vocabulary[number] for number in question.ids]
                _, cache = bridge.run_with_cache(torch.tensor([[bos, *question.ids]]))
                stream = cache[variable["hook"]][0, 1:].double()
                divisor = summed(variable["over"], stream) if variable["over"] else 1
                number = summed(variable["read"], stream) / divisor
                read = [nearest(one_number, entries) for one_number in number.tolist()]
                assert read == one.program[variable["name"]](tokens), (variable["name"], question.ids)  # type: ignore[operator]
                decoded += 1
    assert decoded > 100


def summed(terms: list[dict[str, Any]], stream: torch.Tensor) -> torch.Tensor:
    parts = [float(Fraction(term["coefficient"])) * stream[:, term["column"]] for term in terms]
    return sum(parts, start=stream.new_zeros(len(stream)))


def nearest(number: float, entries: list[dict[str, Any]]) -> object:
    value = min(entries, key=lambda entry: abs(float(Fraction(entry["number"])) - number))["value"]
    return float(Fraction(value["float"])) if isinstance(value, dict) else value


def test_a_patch_reaches_the_descendants_of_a_node_and_nothing_else(
    made: list[Compiled], folders: list[Path], bridges: list[Any]
) -> None:
    """Activation patching: a node says what it says on another input. Compared at every node's hook, bit for bit."""
    reached = 0
    for one, folder, bridge in zip(made, folders, bridges, strict=True):
        found = document(folder)
        ids, others = batch(one, 1), batch(one, 2)
        _, before = bridge.run_with_cache(ids)
        _, source = bridge.run_with_cache(others)
        for node in found["nodes"][:: len(found["nodes"]) // 30 + 1]:
            if node["kind"] == "output":
                continue
            with bridge.hooks(fwd_hooks=[(node["output"]["hook"], patch(node, source))]):
                _, after = bridge.run_with_cache(ids)
            below = descendants(found["edges"], node["id"])
            for other in found["nodes"]:
                if other["id"] == node["id"] or other["kind"] == "embedding":
                    continue
                same = all(
                    torch.equal(at(other, before[place["hook"]]), at(other, after[place["hook"]]))
                    for place in other["inputs"].values()
                )
                assert same or other["id"] in below, (one.program.source.name, node["id"], other["id"])
                reached += not same
    assert reached > 100


def patch(node: dict[str, Any], source: Any) -> Any:
    def replace(value: Tensor, hook: Any) -> Tensor:
        if "index" not in node:
            return source[hook.name]  # type: ignore[no-any-return]
        value = value.clone()
        value[:, :, node["index"]] = source[hook.name][:, :, node["index"]]
        return value

    return replace


def at(node: dict[str, Any], value: Tensor) -> Tensor:
    """The part of a hooked tensor that is the node's."""
    if "index" in node:
        return value[:, :, node["index"]]
    return value[..., slice(*node["logits"])]


def descendants(edges: list[dict[str, Any]], start: str) -> set[str]:
    found = {start}
    for edge in edges:
        if edge["from"] in found and not edge["constant"]:
            found.add(edge["to"])
    return found - {start}
