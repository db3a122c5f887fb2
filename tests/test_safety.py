"""A program or checkpoint from a stranger cannot run code, leave its folder or exhaust the machine.

Every test that would allocate, if the limit it is about were missing, runs in a process with little memory to take.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import compiler
import rasp
from compiler.model import ModelError
from compiler.pipeline import Compiled
from compiler.runtime import checkpoint
from compiler.trust.compare import check
from rasp.text.source import RaspError
from tests.places import ROOT

TEXT = '#@ vocab: "ab"\n#@ max_length: 4\no = selector_width(select(tokens, tokens, ==));'


@pytest.fixture(scope="module")
def made() -> Compiled:
    return compiler.compile(rasp.parse(TEXT))


@pytest.fixture
def folder(made: Compiled, tmp_path: Path) -> Path:
    made.save(tmp_path / "saved")
    return tmp_path / "saved"


def signed(folder: Path, config: dict[str, Any] | None = None, labels: dict[str, Any] | None = None) -> None:
    """Change the JSON files and sign the checkpoint again, as a stranger would."""
    written = json.loads((folder / checkpoint.CONFIG).read_text()) | (config or {})
    if labels is not None:
        old = json.loads((folder / checkpoint.LABELS).read_text())
        (folder / checkpoint.LABELS).write_text(json.dumps(old | labels))
    sign(folder, written)


def sign(folder: Path, config: dict[str, Any]) -> None:
    config.pop("sha256", None)
    hashes = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.is_file() and path.name != checkpoint.CONFIG
    }
    hashes[checkpoint.CONFIG] = hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()
    (folder / checkpoint.CONFIG).write_text(json.dumps(config | {"sha256": hashes}))


def refused(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        compiler.load(folder)
    assert len(str(caught.value)) < 1000
    return caught.value.message


def test_signing_again_is_no_damage(folder: Path) -> None:
    """The tests below fail for what they change, not for how they sign."""
    signed(folder, {}, {})
    assert compiler.load(folder).run("aba") == [2, 1, 2]


# ------------------------------------------------------------------------------------------------------------- no code


class Trap:
    """A pickle that leaves a trace when it is read."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (str(self.trace),)


@pytest.mark.parametrize("name", [checkpoint.WEIGHTS, checkpoint.LABELS, checkpoint.CONFIG])
def test_a_pickle_in_a_file_s_place_is_not_read(folder: Path, tmp_path: Path, name: str) -> None:
    (folder / name).write_bytes(pickle.dumps(Trap(tmp_path / "trace")))
    if name != checkpoint.CONFIG:
        sign(folder, json.loads((folder / checkpoint.CONFIG).read_text()))
    refused(folder)
    assert not (tmp_path / "trace").exists()


def test_a_torch_archive_in_the_weights_place_is_not_read(folder: Path, tmp_path: Path) -> None:
    torch.save({"embed.W_E": Trap(tmp_path / "trace")}, folder / checkpoint.WEIGHTS)
    signed(folder)
    assert checkpoint.WEIGHTS in refused(folder)
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize("source", ["x = __import__('os');", "load '/etc/passwd';", "x = tokens.__class__;"])
def test_the_program_in_a_checkpoint_is_rasp_and_nothing_else(folder: Path, source: str) -> None:
    signed(folder, labels={"program": {"source": source, "settings": {}}})
    with pytest.raises((ModelError, RaspError)):
        check(folder)


# ------------------------------------------------------------------------------------------------- nothing from outside


@pytest.mark.parametrize("name", [checkpoint.CONFIG, checkpoint.WEIGHTS, checkpoint.LABELS])
def test_a_link_in_a_file_s_place_is_refused(folder: Path, tmp_path: Path, name: str) -> None:
    """Even to the right content: what lies elsewhere can be something else a moment later."""
    (folder / name).rename(tmp_path / "elsewhere")
    (folder / name).symlink_to(tmp_path / "elsewhere")
    assert f"{name} is not an ordinary file" in refused(folder)


@pytest.mark.parametrize("name", [checkpoint.CONFIG, checkpoint.WEIGHTS, checkpoint.LABELS])
def test_a_pipe_or_a_device_is_not_waited_for(folder: Path, name: str) -> None:
    (folder / name).unlink()
    os.mkfifo(folder / name)
    refused(folder)
    (folder / name).unlink()
    (folder / name).symlink_to("/dev/zero")
    refused(folder)


@pytest.mark.parametrize(
    "where", ["../secret", "/etc/hostname", "sub/../../secret", "..", "link", "link/secret", "a\0b"]
)
def test_a_program_loads_from_its_own_folder_only(tmp_path: Path, where: str) -> None:
    (tmp_path / "secret.rasp").write_text("secret = indices;")
    home = tmp_path / "home"
    (home / "sub").mkdir(parents=True)
    (home / "link").symlink_to(tmp_path)
    (home / "link.rasp").symlink_to(tmp_path / "secret.rasp")
    (home / "main.rasp").write_text(f'load "{where}";\no = secret;')
    with pytest.raises(RaspError):
        rasp.load(home / "main.rasp")


def test_a_program_loads_from_folders_below_its_own(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "part.rasp").write_text("part = indices;")
    (tmp_path / "main.rasp").write_text('load "sub/part";\no = part + 1;')
    assert rasp.load(tmp_path / "main.rasp")["o"]("ab") == [1, 2]


def test_a_program_that_loads_a_pipe_does_not_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.rasp")
    (tmp_path / "main.rasp").write_text('load "pipe";\no = indices;')
    with pytest.raises(RaspError):
        rasp.load(tmp_path / "main.rasp")


def test_saving_through_a_planted_link_writes_nothing_there(made: Compiled, folder: Path, tmp_path: Path) -> None:
    """Files are written into a fresh folder, so what lies at their names is replaced and never followed."""
    (tmp_path / "precious").write_text("precious")
    (folder / checkpoint.LABELS).unlink()
    (folder / checkpoint.LABELS).symlink_to(tmp_path / "precious")
    made.save(folder)
    assert (tmp_path / "precious").read_text() == "precious"
    assert compiler.load(folder).run("ab") == [1, 1]


# -------------------------------------------------------------------------------------------------------- not too much

LIMITED = """
import os, resource
import torch, compiler, rasp
from compiler.trust.compare import check
from compiler.model import ModelError
taken = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + (600 << 20),) * 2)
try:
    {action}
except (ModelError, rasp.RaspError) as problem:
    print("refused:", str(problem)[:300], flush=True)
    os._exit(0)  # libraries that end with so little memory may wait for ever
"""


def refused_with_little_memory(action: str) -> None:
    """The action ends with a refusal, soon, in a process that may take 600 MiB more."""
    done = subprocess.run(
        [sys.executable, "-c", LIMITED.format(action=action)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=240,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.stdout.startswith("refused: "), done.stderr[-2000:]


HUGE: dict[str, dict[str, Any]] = {
    "d_model": {"d_model": 10**15},
    "max_length": {"max_length": 10**15, "has_positions": False},
    "heads without dimensions": {"layers": [{"n_heads": 10**9, "d_head": 0, "d_value": 0, "d_mlp": 0}]},
    "many empty layers": {"layers": [{"n_heads": 0, "d_head": 0, "d_value": 0, "d_mlp": 0}] * 100_000},
    "a number with an exponent": {"outputs": [{"name": "o", "values": [{"float": "1e999999999"}]}]},
    "a number that is no text": {"outputs": [{"name": "o", "values": [{"float": 1e300}]}]},
    "no dimensions": {"d_model": 0},
    "a truth value as a size": {"max_length": True},
    "a fraction as a size": {"d_model": 6.0},
    "text as a flag": {"causal": "no"},
    "no outputs": {"outputs": []},
    "an output without values": {"outputs": [{"name": "o", "values": []}]},
}


@pytest.mark.parametrize("what", HUGE)
def test_sizes_that_no_tensor_has_are_refused(folder: Path, what: str) -> None:
    signed(folder, HUGE[what])
    refused(folder)


@pytest.mark.slow
@pytest.mark.parametrize("what", HUGE)
def test_sizes_that_no_tensor_has_are_refused_before_memory_is_taken(folder: Path, what: str) -> None:
    signed(folder, HUGE[what])
    refused_with_little_memory(f"compiler.load({str(folder)!r})")


LABELS: dict[str, dict[str, Any]] = {
    "columns": {"columns": "abc"},
    "a layer": {"layers": [{}]},
    "a head": {"layers": [{"heads": [{"name": 1}], "neurons": []}]},
    "a variable": {"variables": [{"name": "x"}]},
    "a variable's exponent": {
        "variables": [{"name": "o", "ready": 0, "read": {"one": "1e999999999"}, "values": [1], "numbers": ["1"]}]
    },
    "a variable's value": {
        "variables": [{"name": "o", "ready": 0, "read": {}, "values": [{"float": "1e999999999"}], "numbers": ["1"]}]
    },
    "options": {"options": {"optimize": 1, "limits": {}}},
    "a limit": {"options": {"optimize": "size", "limits": {"nodes": "many"}}},
    "a variable from nowhere": {
        "variables": [{"name": "o", "ready": 0, "read": {"nowhere": "1"}, "values": [], "numbers": []}]
    },
}


@pytest.mark.parametrize("what", LABELS)
def test_labels_of_another_form_are_refused(folder: Path, what: str) -> None:
    signed(folder, labels=LABELS[what])
    assert "labels.json does not describe a model" in refused(folder)


CALLING = '#@ vocab: "ab"\n#@ max_length: 4\nload "part";\no = selector_width(select(tokens, tokens, ==));'


def told(files: object, source: str = CALLING) -> dict[str, Any]:
    return {"program": {"source": source, "files": files, "settings": {}}}


PROGRAMS: dict[str, dict[str, Any]] = {
    "none": {"program": None},
    "no source": {"program": {"settings": {}}},
    "settings that are none": {"program": {"source": TEXT, "settings": [1]}},
    "unknown settings": {"program": {"source": TEXT, "settings": {"nonsense": 1}}},
    "a longer input than the model's": {"program": {"source": TEXT, "settings": {"max_length": 10**9}}},
    "other tokens": {"program": {"source": TEXT, "settings": {"vocab": ["x"]}}},
    "another output": {"program": {"source": TEXT + "p = indices;", "settings": {}}},
    "the other attention": {"program": {"source": TEXT, "settings": {"attention": "causal"}}},
    "not RASP": {"program": {"source": "o = = 1;", "settings": {}}},
    "without end": {"program": {"source": "def f(x) { return f(x); } o = f(1);", "settings": {}}},
    "growing": {"program": {"source": "x = [1]; for i in range(1000) { x = x + x; } o = indices;", "settings": {}}},
    "a file that is missing": told({"other": "x = 1;"}),
    "no files": told(None),
    "a list of files": told(["part"]),
    "a file that is no text": told({"part": 1}),
    "a file that loads itself": told({"part": 'load "part";'}),
    "files in a circle": told({"part": 'load "other";', "other": 'load "part";'}),
    "files without end": told({"part": 'load "./part";', "./part": 'load "././part";', "././part": 'load "part";'}),
    "files that double": told({f"f{i}": f'load "f{i + 1}";' * 2 for i in range(60)} | {"part": 'load "f0";'}),
    "many files": told({f"f{i}": "" for i in range(100_000)} | {"part": ""}),
    "a long file": told({"part": "# " + "-" * 10**7}),
    "a file that is not RASP": told({"part": "x = = 1;"}),
    "a file above": told({"../part": "x = 1;"}, CALLING.replace("part", "../part")),
    "lists without end, each of bearable length": {
        "program": {"source": "".join(f"x{i} = range(100000);" for i in range(400)), "settings": {}}
    },
    "a setting of many blanks": {"program": {"source": "#@" + " " * 100_000 + "\n" + TEXT, "settings": {}}},
    "a number with an exponent": {"program": {"source": "#@ vocab: [1e99999999, 1]\no = tokens;", "settings": {}}},
    "a very long text": {"program": {"source": TEXT + "#" * 2_000_000, "settings": {}}},
    "a file of the machine": told({}, CALLING.replace("part", "/etc/hostname")),
}


@pytest.mark.parametrize("what", PROGRAMS)
def test_a_program_that_does_not_fit_its_checkpoint_is_refused(folder: Path, what: str) -> None:
    signed(folder, labels=PROGRAMS[what])
    with pytest.raises((ModelError, RaspError)):
        check(folder)


def test_the_files_of_a_checkpoint_are_never_those_of_the_disk(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of the name that the program loads lies in the working folder, and is neither read nor written."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "part.rasp").write_text("part = indices;")
    signed(folder, labels=told({}))
    with pytest.raises(RaspError, match="`part` was not kept"):
        check(folder)
    signed(folder, labels=told({"part": "part = 1;", "../outside": "x = 1;"}))
    assert check(folder, samples=10).ok
    assert (tmp_path / "part.rasp").read_text() == "part = indices;"
    assert not (tmp_path.parent / "outside.rasp").exists()


def test_json_that_is_deep_long_or_none_is_refused(folder: Path) -> None:
    for text in ("[" * 10**6, '{"a":' * 10**5, "9" * 10**6, "NaN", '{"format": NaN}', "\udcff", '{"format": 1e999}'):
        (folder / checkpoint.CONFIG).write_bytes(text.encode("utf-8", "surrogatepass"))
        refused(folder)


@pytest.mark.parametrize("name", [checkpoint.CONFIG, checkpoint.LABELS, "more.json"])
def test_json_of_very_many_parts_is_refused_before_it_is_parsed(folder: Path, name: str) -> None:
    """Of 10 MB it would make 700 MB of lists."""
    (folder / name).write_text('{"x": [' + "[]," * 3_000_000 + "[]]}")
    if name != checkpoint.CONFIG:
        signed(folder)
    started = time.process_time()
    with pytest.raises(ModelError, match="lists and objects, more than"):
        checkpoint.document(folder, name) if name == "more.json" else compiler.load(folder)
    assert time.process_time() - started < 2


def test_a_checkpoint_of_very_many_documents_is_refused(folder: Path) -> None:
    for number in range(checkpoint.MAX_DOCUMENTS + 1):
        (folder / f"d{number}.json").write_text("1")
    signed(folder)
    assert "more than 16 documents" in refused(folder)


def test_a_very_long_list_of_tensors_is_not_read(folder: Path) -> None:
    text = json.dumps(
        {f"t{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(150_000)}
    ).encode()
    (folder / checkpoint.WEIGHTS).write_bytes(len(text).to_bytes(8, "little") + text)
    signed(folder)
    assert "lists too many tensors" in refused(folder)


@pytest.mark.parametrize("name", [checkpoint.CONFIG, checkpoint.LABELS, checkpoint.WEIGHTS])
def test_a_file_that_is_too_long_is_not_read(folder: Path, name: str) -> None:
    """A sparse file: it takes no room on the disk, and would take all of the memory."""
    with (folder / name).open("r+b") as file:
        file.truncate((checkpoint.MAX_WEIGHTS if name == checkpoint.WEIGHTS else checkpoint.MAX_JSON) + 1)
    assert f"{name} is too large" in refused(folder)


def test_a_header_that_promises_more_than_the_file_holds_is_refused(folder: Path) -> None:
    tensor = {"dtype": "F32", "shape": [10**6, 10**6], "data_offsets": [0, 4 * 10**12]}
    for header in ({"embed.W_E": tensor}, {"embed.W_E": tensor | {"data_offsets": [0, 4]}}, {"x": 1}, []):
        text = json.dumps(header).encode()
        for length in (len(text), 2**63 - 1, 2**64 - 1, 0):
            (folder / checkpoint.WEIGHTS).write_bytes(length.to_bytes(8, "little") + text + b"\0" * 64)
            signed(folder)
            assert checkpoint.WEIGHTS in refused(folder)


def test_weights_of_another_dtype_are_refused(made: Compiled, folder: Path) -> None:
    tensors = {name: tensor.double() for name, tensor in made.model.state_dict().items()}
    checkpoint.save(folder, made.weights.config, tensors, made.weights.labels)
    assert "disagree about" in refused(folder)


@pytest.mark.parametrize("also", [["load"], [1], ["float128"], 7])
def test_a_certificate_for_a_dtype_that_there_is_not_is_refused(folder: Path, also: object) -> None:
    labels = json.loads((folder / checkpoint.LABELS).read_text())
    labels["certificate"]["also"] = also
    signed(folder, labels=labels)
    assert checkpoint.LABELS in refused(folder)


@pytest.mark.slow
@pytest.mark.parametrize(
    "text", ["x = range(10 ^ 9);", "x = [1]; for i in range(1000) { x = x + x; }", 'x = "a" * 10 ^ 9;']
)
def test_a_program_that_grows_is_stopped_before_memory_is_taken(text: str) -> None:
    refused_with_little_memory(f"rasp.parse({text!r})")


# ------------------------------------------------------------------------------------------------- interrupted and cut

SAVING = """
import os, signal, sys
from pathlib import Path
import compiler
from compiler.runtime import checkpoint
from compiler.runtime.checkpoint import files
model = compiler.load(sys.argv[1])
config = {key: value for key, value in files.config_at(Path(sys.argv[1])).items()
          if key not in ("format", "version", "sha256")}
def save():
    checkpoint.save(sys.argv[2], config, model.state_dict(), model.labels, documents={"more.json": [0] * 20_000})
def traced(last):
    lines = 0
    def step(frame, event, argument):
        nonlocal lines
        if frame.f_globals["__name__"].startswith("json."):  # as many lines as there are numbers, and no file
            return None
        lines += event == "line"
        if event == "line" and lines == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return step
    sys.settrace(step)
    save()
    sys.settrace(None)
    print(lines, end=" ", flush=True)
save()  # what is imported late is there then
print("ready", flush=True)
for last in sys.stdin:
    if (child := os.fork()) == 0:
        try:
            traced(int(last))
        finally:
            os._exit(0)
    print(os.WTERMSIG(os.waitpid(child, 0)[1]), flush=True)
"""
"""Saves as often as it is told a number, each time in a process of its own, which is killed before its line of that
number is run: the moments are the same ones however fast the machine is. Line 0 is none; that save says how many it
has."""


@pytest.mark.slow
def test_a_save_that_is_killed_leaves_a_whole_checkpoint_or_none(folder: Path, tmp_path: Path) -> None:
    """Killed at lines from the first to the last, where there is no checkpoint yet and where there is one."""
    target, left = tmp_path / "target", set()
    command = [sys.executable, "-c", SAVING, folder, target]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as saving:
        assert saving.stdout is not None and saving.stdout.readline() == "ready\n"
        for before in (False, True):
            emptied(target, before)
            lines, _ = saved(saving, 0)
            for last in [*range(1, lines, lines // 16), *range(lines - 8, lines)]:
                emptied(target, before)
                assert saved(saving, last) == [signal.SIGKILL]
                left.add((before, target.exists()))
                if target.exists():
                    assert compiler.load(target).run("aba") == [2, 1, 2]
                    assert len(checkpoint.document(target, "more.json")) == 20_000
                assert saved(saving, 0)[1] == 0 and not [*tmp_path.glob(".*")]
    assert left == {(False, False), (False, True), (True, True)}


def emptied(target: Path, before: bool) -> None:
    """Take the checkpoint away where none is wanted before a save."""
    if not before:
        shutil.rmtree(target)


def saved(saving: subprocess.Popen[str], last: int) -> list[int]:
    """One save: how many lines it had, if it was not killed, and the signal that ended it, 0 if none."""
    assert saving.stdin is not None and saving.stdout is not None
    print(last, file=saving.stdin, flush=True)
    return [int(word) for word in saving.stdout.readline().split()]


def test_a_full_disk_leaves_the_old_checkpoint(made: Compiled, folder: Path) -> None:
    """A limit on the length of files stands in for a full disk."""
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200, old[1]))
    try:
        with pytest.raises(ModelError, match="cannot write"):
            made.save(folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, ignored)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_files_swapped_between_two_checkpoints_of_one_shape_are_found(folder: Path, tmp_path: Path) -> None:
    """Same shapes, same names, other weights: only the hash tells."""
    other = compiler.compile(rasp.parse(TEXT.replace("==", "!=")))
    other.save(tmp_path / "other")
    shutil.copy(tmp_path / "other" / checkpoint.WEIGHTS, folder / checkpoint.WEIGHTS)
    assert "is not the file that was written" in refused(folder)


def test_an_endless_program_is_refused(tmp_path: Path) -> None:
    (tmp_path / "endless.rasp").symlink_to("/dev/zero")
    with pytest.raises(rasp.RaspError, match="longer than"):
        rasp.load(tmp_path / "endless.rasp")


def test_a_program_of_very_many_steps_is_refused_before_it_is_run() -> None:
    text = '#@ vocab: "ab"\nx = indices; for i in range(9000) { x = (x + i) % 7; } o = x;'
    started = time.process_time()
    with pytest.raises(RaspError, match="s-ops and selectors, more than 8192"):
        compiler.compile(rasp.parse(text))
    assert time.process_time() - started < 10
