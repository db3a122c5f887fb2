"""`rasp export`: what it writes, what it refuses and says. What the hosts answer is tested host by host."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import compiler
from compiler.cli import main
from compiler.hosts import HOSTS, export
from compiler.hosts.folder import record
from compiler.hosts.tokenizer import labels, save_tokenizer, words
from compiler.hosts.uniform import COARSE, Uniform, mirrored, settled, uniform
from compiler.model import Config, LayerShape, ModelError, OutputSlice, Transformer
from tests.hosts.fresh import card_prints, compiled

REVERSE = "o = aggregate(select(indices, length - 1 - indices, ==), tokens);"
TWO = "o = selector_width(select(tokens, tokens, ==)); p = tokens;"


@pytest.fixture(scope="module")
def reverse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint."""
    folder = tmp_path_factory.mktemp("checkpoints") / "reverse"
    compiled(REVERSE, vocab="abc", max_length=5).save(folder)
    return folder


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """The command, in this process."""

    def call(*words: str | Path) -> tuple[int, str, str]:
        code = main([str(word) for word in words])
        return code, *capsys.readouterr()

    return call


def test_the_folder_holds_files_record_and_card(reverse: Path, tmp_path: Path, said: Any) -> None:
    code, out, err = said("export", reverse, "--to", "bert", "-o", tmp_path / "out", "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["host"] == "bert" and told["inputs"] > 200 and told["skipped"] == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} < names
    assert {"rasp.json", "README.md"} < names
    found = record(tmp_path / "out")
    assert (found["format"], found["version"], found["host"]) == ("rasp-host", 1, "bert")
    assert found["verification"] == {key: told[key] for key in found["verification"]}
    card = (tmp_path / "out" / "README.md").read_text()
    assert f"run on {told['inputs']} inputs" in card and REVERSE in card and 'library_name: "transformers"' in card
    assert [path.name for path in tmp_path.iterdir()] == ["out"], "nothing is left beside it"


def test_an_exported_folder_is_replaced_and_another_one_is_not(reverse: Path, tmp_path: Path, said: Any) -> None:
    assert said("export", reverse, "--to", "mobilebert", "-o", tmp_path / "out")[0] == 0
    assert said("export", reverse, "--to", "bert", "-o", tmp_path / "out")[0] == 0
    assert record(tmp_path / "out")["host"] == "bert"
    for foreign in (reverse, tmp_path):
        before = sorted(foreign.iterdir())
        code, _, err = said("export", reverse, "--to", "bert", "-o", foreign)
        assert code == 2 and "is not an exported folder, so it is left alone" in err
        assert sorted(foreign.iterdir()) == before


def test_a_folder_of_a_newer_format_is_refused(reverse: Path, tmp_path: Path) -> None:
    export(reverse, "bert", tmp_path / "out", samples=1)
    path = tmp_path / "out" / "rasp.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": 2}))
    with pytest.raises(ModelError, match="format version 2, newer than 1"):
        record(tmp_path / "out")


@pytest.mark.parametrize("host", ["gpt2", "llama"])
def test_a_bidirectional_program_is_refused_by_a_causal_host(
    reverse: Path, tmp_path: Path, said: Any, host: str
) -> None:
    code, out, err = said("export", reverse, "--to", host, "-o", tmp_path / "out")
    assert (code, out) == (2, "")
    assert f"the program looks at later positions, which {host} cannot" in err and "export it to bert" in err
    assert not list(tmp_path.iterdir())


def test_a_host_that_answers_otherwise_is_refused(tmp_path: Path) -> None:
    model = compiled(REVERSE, vocab="abc", max_length=5).model
    with torch.no_grad():
        model.unembed.W_U[:, [0, 1]] = model.unembed.W_U[:, [1, 0]]
    with pytest.raises(ModelError, match="bert differs from the interpreter in o") as refused:
        export(model, "bert", tmp_path / "out")
    assert "input        a" in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_a_missing_package_is_named(reverse: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Any) -> None:
    monkeypatch.setattr("compiler.hosts.find_spec", lambda name: None)
    code, _, err = said("export", reverse, "--to", "bert", "-o", tmp_path / "out")
    assert code == 2
    assert "the host bert needs transformers and tokenizers" in err and "pip install 'rasp-compiler[hf]'" in err


def test_one_of_several_outputs_is_chosen(tmp_path: Path, said: Any) -> None:
    compiled(TWO, ["o", "p"], vocab="ab", max_length=3).save(tmp_path / "two")
    for more, expected in (((), "o"), (("--output", "p"), "p")):
        assert said("export", tmp_path / "two", "--to", "bert", "-o", tmp_path / "out", *more)[0] == 0
        assert [output["name"] for output in record(tmp_path / "out")["outputs"]] == [expected]
    code, _, err = said("export", tmp_path / "two", "--to", "bert", "-o", tmp_path / "out", "--output", "q")
    assert code == 2 and 'the model has no output "q"' in err


def test_unknown_hosts_and_files_are_told(reverse: Path, tmp_path: Path, said: Any) -> None:
    code, _, err = said("export", reverse, "--to", "bort", "-o", tmp_path / "out")
    assert code == 2 and "cannot be `bort`" in err and "bert" in err
    with pytest.raises(ModelError, match="there is no host `bort`"):
        export(reverse, "bort", tmp_path / "out")
    code, _, err = said("export", "programs/sort.rasp", "--to", "bert", "-o", tmp_path / "out")
    assert code == 2 and "not a checkpoint folder" in err


def test_float64_is_not_cut_off(tmp_path: Path) -> None:
    config = Config(("a",), 2, True, 1, (), (OutputSlice("o", (0, 1)),), dtype="float64")
    with pytest.raises(ModelError, match="holds float32, the model is float64"):
        export(Transformer(config), "gpt2", tmp_path / "out")


def test_the_help_names_every_host(said: Any) -> None:
    code, out, _ = said("export", "--help")
    assert code == 0 and all(f"{name}:" in " ".join(out.split()) for name in HOSTS) and "examples:" in out


def test_export_is_found_in_the_package() -> None:
    assert compiler.export is export


@pytest.mark.slow
@pytest.mark.parametrize("host", ["bert", "gpt2"])
def test_the_code_of_the_card_prints_the_interpreters_answer(tmp_path: Path, host: str) -> None:
    settings = {"gpt2": {"vocab": ["x", "yy", "z"], "attention": "causal"}, "bert": {"vocab": "abc"}}[host]
    made = compiled("o = selector_width(select(tokens, tokens, ==)) + indices;", max_length=4, **settings)
    export(made.model, host, tmp_path / "out")
    expected = str([str(value) for value in made.program["o"](made.setting.vocabulary)])
    printed = card_prints(tmp_path / "out").splitlines()
    assert printed == [expected] * {"gpt2": 1, "bert": 2}[host]


# ------------------------------------------------------------------------------------------------------- tokenizers


def config_of(vocabulary: tuple[str, ...], unknown: str | None = None) -> Config:
    return Config(vocabulary, 8, True, 1, (), (OutputSlice("o", (0,)),), unknown=unknown)


def tokenizer(config: Config, folder: Path, values: tuple[str, ...] = ()) -> Any:
    from transformers import AutoTokenizer

    (folder / "config.json").write_text('{"model_type": "gpt2"}')
    save_tokenizer(words(config, values), config, folder)
    return AutoTokenizer.from_pretrained(folder)


@pytest.mark.parametrize(
    ("vocabulary", "text"),
    [
        (("a", "b", " ", "\n", ">", "ü", "🙂"), "a🙂 b\nü>"),
        (("red", "=", "yellow", "7"), "yellow = red 7 ="),
        (("New York", "Rome"), "Rome,New York"),
        (tuple("<bos>"), "<bos>"),
    ],
)
def test_a_text_is_read_as_its_tokens(vocabulary: tuple[str, ...], text: str, tmp_path: Path) -> None:
    config = config_of(vocabulary)
    made = tokenizer(config, tmp_path, ("= 7 (int)", "= red"))
    names = words(config)
    pieces = text.split(names.separator) if names.separator else list(text)
    ids = [vocabulary.index(piece) for piece in pieces]
    assert made(text)["input_ids"] == [len(vocabulary), *ids]
    assert made.decode(ids) == names.separator + text
    assert made.decode([len(vocabulary) + 3]) == names.separator + "red", "an output value, without its mark"


@pytest.mark.parametrize("vocabulary", [("a", "b"), ("aa", "bb")])
def test_a_token_outside_the_vocabulary_is_an_error_unless_one_stands_for_it(
    vocabulary: tuple[str, ...], tmp_path: Path
) -> None:
    made = tokenizer(config_of(vocabulary), tmp_path, ("= 7",))
    for text in ("x", "7", "= 7", f"{vocabulary[0]} 7"):
        with pytest.raises(Exception, match=r"Missing \[UNK\] token"):
            made(text)
    made = tokenizer(config_of(vocabulary, unknown=vocabulary[1]), tmp_path)
    assert made("x")["input_ids"] == [2, 1]


def test_a_vocabulary_that_no_text_can_hold_is_refused() -> None:
    with pytest.raises(ModelError, match="empty token"):
        words(config_of(("a", "")))
    with pytest.raises(ModelError, match="no character can separate"):
        words(config_of(("a b", ",;", "|\t\n")))


def test_labels_differ() -> None:
    assert labels(OutputSlice("o", (0, "0", 1, True, 0.5, "a"))) == ("0 (int)", "0", "1", "True", "0.5", "a")


# ------------------------------------------------------------------------------------------------------ one shape


def native(seed: int, offset: float = 0.0) -> Transformer:
    """Random whole numbers, so that sums are exact; layers of different shapes, some sublayers empty."""
    shapes = (LayerShape(2, 3, 1, 0), LayerShape(0, 0, 0, 5), LayerShape(1, 2, 6, 4))
    config = Config(("a", "b"), 4, False, 6, shapes, (OutputSlice("o", (0, 1, 2)),), dtype="float64")
    model = Transformer(config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randint(-1, 2, parameter.shape, generator=generator))
        if offset:
            model.embed.W_E[:, 0] = offset
            model.embed.W_pos[:, 0] = 0  # type: ignore[index]
            for block in model.layers():
                for name in ("W_Q", "W_K", "W_V"):
                    if block.attn is not None:
                        getattr(block.attn, name)[:, 0] = 0
            mlp = next(block.mlp for block in model.layers() if block.mlp is not None)
            mlp.b_in[0], mlp.W_in[:, 0], mlp.W_out[:, 0] = 1, 0, 0
            mlp.b_in[1:] -= mlp.W_in[0, 1:] * offset
            mlp.W_out[0, 0] = -offset
    return model.eval()


def run(model: Uniform, ids: list[int]) -> torch.Tensor:
    """A plain forward pass: mean-free reading is up to the matrices."""
    resid = model.W_E[ids] + model.W_pos[: len(ids)]
    for layer in model.layers:
        out = []
        for head in range(model.n_heads):
            own = slice(head * model.d_head, (head + 1) * model.d_head)
            q, k, v = (resid @ W[:, own] for W in (layer.W_Q, layer.W_K, layer.W_V))
            out.append((q @ k.T).softmax(-1) @ v)
        resid = resid + torch.cat(out, -1) @ layer.W_O + layer.b_O
        resid = resid + (resid @ layer.W_in + layer.b_in).relu() @ layer.W_out + layer.b_out
    return resid @ model.W_U


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("offset", [0.0, 3 * COARSE])
def test_one_shape_settling_and_mirroring_change_no_answer(seed: int, offset: float) -> None:
    model = native(seed, offset)
    ids = [2, 0, 1, 1]
    with torch.no_grad():
        expected = model(torch.tensor([ids[1:]]))[0]
    plain = uniform(model, copies=2)
    for made in (plain, settled(plain), mirrored(plain), mirrored(settled(plain))):
        assert torch.allclose(run(made, ids)[1:], expected, rtol=0, atol=1e-7)
    rows = mirrored(settled(plain))
    assert not any(W.sum(-1).any() for W in (rows.W_E, rows.W_pos, *(layer.W_out for layer in rows.layers)))
    assert not any(W.sum(0).any() for layer in rows.layers for W in (layer.W_Q, layer.W_in))
    assert bool(offset) == bool(any(layer.b_O.any() for layer in settled(plain).layers))


def test_a_model_without_layers_has_one(tmp_path: Path) -> None:
    made = compiled('o = tokens == "a";', vocab="ab", max_length=3)
    assert not made.model.config.layers
    assert export(made.model, "bert", tmp_path / "out").difference == 0
    shutil.rmtree(tmp_path / "out")
