"""What the README shows is what happens: its transcripts are run, and its map names every file."""

import doctest
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.places import PROGRAMS, ROOT

README = (ROOT / "README.md").read_text()
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as the reader's: the programs, and room for checkpoints."""
    shutil.copytree(PROGRAMS, tmp_path / "programs")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def transcript(block: str) -> list[tuple[str, str]]:
    """The commands of a block and what each is said to print."""
    pieces = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)
    return list(zip(pieces[1::2], pieces[2::2], strict=True))


@pytest.mark.slow
def test_the_transcripts_are_true(desk: Path) -> None:
    bin_ = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": bin_ + os.pathsep + os.environ["PATH"]}
    for command, expected in (step for block in blocks("console") for step in transcript(block)):
        done = subprocess.run(command, shell=True, env=environment, capture_output=True, text=True, check=False)
        printed = done.stdout + done.stderr
        assert doctest.OutputChecker().check_output(expected, printed, FLAGS), f"$ {command}\n{printed}"


def test_the_python_example_is_true(desk: Path) -> None:
    for number, block in enumerate(blocks("python")):
        example = doctest.DocTestParser().get_doctest(block, {}, f"README block {number}", "README.md", 0)
        assert example.examples, block
        runner = doctest.DocTestRunner(optionflags=FLAGS)
        assert runner.run(example).failed == 0


@pytest.mark.parametrize("package", ["rasp", "compiler"])
def test_the_map_names_every_file(package: str) -> None:
    [tree] = [block for block in blocks("text") if "pyproject.toml" in block]
    listed = {line.split()[0] for line in tree.splitlines() if line.strip()}
    present = {path.name + ("/" if path.is_dir() else "") for path in (ROOT / package).iterdir()}
    missing = {name for name in present if not name.startswith("_")} - listed
    assert not missing, f"the README's tree lacks {sorted(missing)}"


def test_the_programs_in_the_readme_exist() -> None:
    named = set(re.findall(r"programs/\w+\.rasp", README))
    assert {name for name in named if not (ROOT / name).exists()} == set()
    assert os.listdir(PROGRAMS)
