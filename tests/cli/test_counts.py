"""What is counted is said in the singular where there is one of it."""

import re
from pathlib import Path

import pytest

from compiler.hosts.verify import Verification
from rasp.text.source import counted

ONE = '#@ output: o\n#@ vocab: "a"\n#@ max_length: 1\n#@ attention: causal\no = tokens;\n'
LAYER = '#@ output: o\n#@ vocab: "ab"\n#@ max_length: 2\no = selector_width(select(tokens, tokens, ==));\n'
PLURAL_OF_ONE = re.compile(r"\b1 (short |random )?(?!bos)[a-z]+s\b")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("info one", ["of 1 token (a)", "output o: 1 value\n"]),
        ("verify one", ["verified: 1 decision holds; ", "of the 1 token a,"]),
        ("check one --samples 1", ["1 short input, 1 random, 1 awkward"]),
        ("compile one.rasp --plan", ["RASP counts 0 layers and 0 heads"]),
        ("compile layer.rasp --plan", ["RASP counts 1 layer and 1 head;"]),
        ("generate one a --max-tokens 5", ["it ends after 1 token: the model holds 1"]),
        ("dataset -o bed sequence/first_occurrence --examples 1", ["bed: 1 program, 1 example, "]),
    ],
)
def test_one_is_one(words: str, said: list[str], rasp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in (("one", ONE), ("layer", LAYER)):
        Path(f"{name}.rasp").write_text(text)
    rasp("compile", "one.rasp", "-o", "one")
    done = rasp(*words.split())
    told = done.out + done.err
    assert not [text for text in said if text not in told]
    assert PLURAL_OF_ONE.search(told) is None


def test_an_export_of_one_input_says_so() -> None:
    assert str(Verification(1, 0, 0.0, 0.0, None, 0.0)).startswith("1 input equals the interpreter's; ")
    assert str(Verification(2, 0, 0.0, 0.0, None, 0.0)).startswith("2 inputs equal the interpreter's; ")


def test_so_many() -> None:
    assert [counted(n, "head") for n in (0, 1, 2)] == ["0 heads", "1 head", "2 heads"]
    assert counted(2000, "example", ",") == "2,000 examples"
