"""What the tests of the `rasp` command share: the command, and a folder of programs and checkpoints, good and bad."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from compiler.cli import main

PROGRAMS = {
    "reverse.rasp": """\
# Reverse: the tokens from the last to the first.
#@ output: reversed
#@ vocab: "abc"
#@ max_length: 4
flip = select(indices, length - indices - 1, ==);
reversed = aggregate(flip, tokens);
doubled = 2 * indices;
""",
    "broken.rasp": "#@ output: flipped\nflip = select(indices, indices, ==;\nflipped = aggregate(flip, tokens);\n",
    "unfinished.rasp": "#@ output: a\na = indices + 1\n",
    "undefined.rasp": "#@ output: a\na = indicies + 1;\n",
    "bad-header.rasp": '#@ output: a\n#@ max_length: "many"\na = indices + 1;\n',
    "no-header.rasp": "a = indices + 1;\n",
    "nothing.rasp": "# Nothing yet.\n",
    "product.rasp": """\
#@ output: answer
#@ vocab: "abcdefgh"
#@ max_length: 40
def times(x, y) { return selector_width(select(tokens, x, ==)) * selector_width(select(tokens, y, ==)) / 7; }
many = times("a", "b") + times("c", "d") + times("e", "f");
answer = many * (many + times("g", "h") * times("a", "h")) + times("b", "g");
""",
    "average.rasp": """\
#@ output: answer
#@ vocab: "ab"
#@ max_length: 60
before = select(indices, indices, <=);
seen = selector_width(before and select(tokens, tokens, ==));
answer = aggregate(before, 1 / seen) + aggregate(before, seen / 7) - 1;
""",
    "deep.rasp": """\
#@ output: x
#@ vocab: "ab"
#@ max_length: 4
x = indices;
for i in range(300) { x = x % 7 + aggregate(select(indices, x % 3, ==), indices); }
""",
    "unmet.rasp": """\
#@ output: a
#@ vocab: "ab"
#@ max_length: 4
#@ requires: late
late = indices > 9;
a = tokens;
""",
    "astronomic.rasp": """\
#@ output: answer
#@ vocab: "ab"
#@ max_length: 4
answer = aggregate(select(tokens, tokens, ==), 10 ^ 300 if indices == 0 else 1);
""",
    "half-character.rasp": '#@ output: a\n#@ vocab: ["\\ud800"]\na = tokens;\n',
    "twice.rasp": '#@ vocab: "abc"\n#@ max_length: 3\ntwice = tokens + tokens;\n',
    "mixed.rasp": '#@ vocab: "abc"\n#@ max_length: 3\nx = tokens + 1;\n',
    "division.rasp": '#@ output: a\n#@ vocab: "ab"\n#@ max_length: 4\na = 1 / (indices - 1);\n',
}


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


Rasp = Callable[..., Done]


@pytest.fixture
def rasp(capsys: pytest.CaptureFixture[str]) -> Rasp:
    """The command, in this process."""

    def call(*words: str) -> Done:
        capsys.readouterr()
        code = main(words)
        return Done(code, *capsys.readouterr())

    return call


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of programs and checkpoints, made once."""
    root = tmp_path_factory.mktemp("furnished")
    for name, text in PROGRAMS.items():
        (root / name).write_text(text)
    (root / "binary.rasp").write_bytes(b"\xff\xfe\x00a = 1;")
    (root / "notes").mkdir()
    (root / "dangling.rasp").symlink_to("gone.rasp")
    (root / "notes" / "todo.txt").write_text("water the plants\n")
    assert main(["compile", str(root / "reverse.rasp"), "-o", str(root / "reversed")]) == 0
    _damage(root)
    return root


def _damage(root: Path) -> None:
    """Four ways to spoil a checkpoint."""
    good = root / "reversed"
    for name in ("cut-config", "cut-weights", "no-weights"):
        shutil.copytree(good, root / name)
    config = root / "cut-config" / "config.json"
    config.write_text(config.read_text()[:40])
    weights = root / "cut-weights" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])
    (root / "no-weights" / "model.safetensors").unlink()
    (root / "foreign").mkdir()
    (root / "foreign" / "config.json").write_text('{"model_type": "gpt2", "n_layer": 12}')
    shutil.copy(good / "model.safetensors", root / "foreign")


@pytest.fixture
def room(furnished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh copy of that folder; the test runs inside it."""
    copy = tmp_path / "room"
    shutil.copytree(furnished, copy, symlinks=True)
    monkeypatch.chdir(copy)
    return copy
