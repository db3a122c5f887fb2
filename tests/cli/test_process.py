"""The `rasp` command as a process of its own: exit codes, interruptions, closed pipes, help."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.places import RASP

COMMANDS = ("run", "compile", "check", "info", "lint")
ENDLESS = """
import sys, time
import compiler.cli as cli

def check(call):
    "Wait for ever."
    print("ready", flush=True)
    time.sleep(60)

cli.check.check = check
sys.exit(cli.main(["check", "x"]))
"""


def test_a_mistake_exits_with_2(tmp_path: Path) -> None:
    done = subprocess.run(
        [RASP, "run", "nothing.rasp", "abc"], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error[no-such-file]: ")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_shows_examples(command: str, rasp) -> None:
    done = rasp(command, "--help")
    assert (done.code, done.err) == (0, "")
    assert f"examples:\n  rasp {command} " in done.out


def test_without_a_command_the_console_starts(tmp_path: Path) -> None:
    done = subprocess.run([RASP], input="1 + 1;\n", capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0
    assert done.stdout == "RASP 0.1\nrunning example is: hello\n>>     value: out =  2\n>> \n"


def test_help_names_every_command(rasp) -> None:
    done = rasp("--help")
    assert done.code == 0
    assert all(command in done.out for command in COMMANDS)


def test_version(rasp) -> None:
    assert rasp("--version").out.startswith("rasp 0.")


def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "same.rasp").write_text("#@ output: same\nsame = tokens;\n")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [RASP, "run", "same.rasp", "abc"], stdout=writer, stderr=subprocess.PIPE, text=True, cwd=tmp_path, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_an_interruption_is_quiet() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert (process.returncode, err) == (130, "")


def test_help_answers_at_once() -> None:
    code = "import sys; from compiler.cli import main; main(['--help']); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "'torch'" not in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_an_output_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "same.rasp").write_text("#@ output: same\nsame = tokens;\n")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [RASP, "run", "same.rasp", "abc"], stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path, check=False
        )
    assert (done.returncode, done.stderr) == (2, "error[file]: the output: No space left on device\n")
