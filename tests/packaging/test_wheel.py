"""The wheel, installed into an environment of its own, works from any directory."""

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from tests.places import PROGRAMS, ROOT

pytestmark = pytest.mark.slow

Command = list[str | Path]


def output(command: Command, cwd: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    output([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT], cwd=folder)
    [built] = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def bin_(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The commands of a fresh environment: the wheel, and beside it the libraries of this one (torch is large)."""
    environment = tmp_path_factory.mktemp("fresh") / "env"
    output([sys.executable, "-m", "venv", "--without-pip", environment], cwd=ROOT)
    python = environment / "bin" / "python"
    install: Command = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel]
    output(install, cwd=environment)
    [site] = environment.glob("lib/python*/site-packages")
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return environment / "bin"


def test_it_holds_the_grammar_the_prelude_and_the_programs(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "rasp/text/grammar.lark",
        "rasp/running/prelude.rasp",
        "compiler/cli/run.py",
        "compiler/model/network.py",
    } <= names
    shipped = {path.name for path in PROGRAMS.glob("*.rasp")}
    assert {f"rasp/programs/{name}" for name in shipped} <= names
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"rasp", "compiler"}


def test_both_packages_come_from_the_wheel(bin_: Path, tmp_path: Path) -> None:
    code = "import rasp, compiler, json; print(json.dumps([rasp.__file__, compiler.__file__]))"
    for path in json.loads(output([bin_ / "python", "-c", code], cwd=tmp_path)):
        assert Path(path).is_relative_to(bin_.parent)


def test_the_command_works_from_another_directory(bin_: Path, tmp_path: Path) -> None:
    rasp = bin_ / "rasp"
    assert output([rasp, "run", "programs/sort.rasp", "cab"], cwd=tmp_path) == "[a, b, c] (strings)\n"
    output([rasp, "compile", "programs/sort.rasp", "-o", "sort"], cwd=tmp_path)
    assert output([rasp, "run", "sort", "cab"], cwd=tmp_path) == "[a, b, c] (strings)\n"
    assert output([rasp, "--version"], cwd=tmp_path).startswith("rasp 0.")


def test_python_works_from_another_directory(bin_: Path, tmp_path: Path) -> None:
    code = """
import rasp, compiler
program = rasp.parse("backwards = aggregate(select(indices, length - indices - 1, ==), tokens);")
compiled = compiler.compile(program, output="backwards", vocab="abc", max_length=8)
compiled.save("backwards")
print(program["backwards"]("cab") == compiled.model.run("cab") == compiler.load("backwards").run("cab"))
"""
    assert output([bin_ / "python", "-W", "error", "-c", code], cwd=tmp_path) == "True\n"
