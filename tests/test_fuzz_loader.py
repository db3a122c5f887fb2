"""Whatever bytes lie in a checkpoint's folder, loading it ends with a model that runs, or with a `ModelError`.

In: mutations of good checkpoints, byte by byte and value by value, signed again or not. As a script it goes on for as
long as it is told to, and stops at the first example that ends otherwise:

    python -m tests.test_fuzz_loader --seconds 3600 --seed 0
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import compiler
import rasp
from compiler.model import ModelError
from compiler.observe.provenance import provenance
from compiler.runtime import checkpoint

SOURCE = """
#@ vocab: "ab"
#@ max_length: 4
#@ output: ["share", "text"]
share = aggregate(select(tokens, "a", ==), indices) / 2;
text = tokens + "!" if indices > 1 else tokens;
"""
NAMES = (checkpoint.CONFIG, checkpoint.WEIGHTS, checkpoint.LABELS, "more.json")
VALUES: list[Any] = [
    *(
        None,
        True,
        False,
        0,
        1,
        -1,
        2,
        7,
        2**31,
        2**63,
        10**30,
        0.5,
        1e308,
        "",
        "a",
        "1/2",
        "1e99999999",
        "1/0",
        "float32",
    ),
    *([], [[]], {}, {"float": "1/3"}, {"float": "1/0"}, {"float": 1}, ["a", "b"], "../x", "\ud800", "x" * 1000),
]


def written(folder: Path) -> dict[str, bytes]:
    """The files of a good checkpoint, with a document."""
    made = compiler.compile(rasp.parse(SOURCE))
    checkpoint.save(
        folder, made.weights.config, made.model.state_dict(), made.weights.labels, documents={"more.json": [1, {}]}
    )
    return {name: (folder / name).read_bytes() for name in NAMES}


def mutated(good: dict[str, bytes], chance: random.Random) -> dict[str, bytes]:
    """One to three changes, of bytes or of JSON values; in most cases signed again, so that the hashes do not tell."""
    files = dict(good)
    for _ in range(chance.randint(1, 3)):
        name = chance.choice(NAMES)
        if name in files and name != checkpoint.WEIGHTS and chance.random() < 0.7:
            files[name] = _other_value(files[name], chance)
        else:
            _other_bytes(files, name, chance)
    return _signed(files) if chance.random() < 0.8 else files


def _other_bytes(files: dict[str, bytes], name: str, chance: random.Random) -> None:
    data = bytearray(files.get(name, b""))
    at = chance.randrange(len(data) + 1)
    match chance.randrange(7):
        case 0:
            del data[at:]
        case 1:
            data[at : at + chance.randint(1, 8)] = b""
        case 2:
            data[at:at] = chance.randbytes(chance.randint(1, 8))
        case 3:
            data[at : at + 8] = chance.choice([0, 1, 2**31, 2**63 - 1, 2**64 - 1]).to_bytes(8, "little")
        case 4:
            start = chance.randrange(len(data) + 1)
            data[at:at] = data[start : start + 40]
        case 5:
            data = bytearray(files.get(chance.choice(NAMES), b""))
        case _:
            if at < len(data):
                data[at] ^= 1 << chance.randrange(8)
    files[name] = bytes(data)
    if chance.random() < 0.02:
        del files[name]


def _other_value(content: bytes, chance: random.Random) -> bytes:
    """JSON with one value replaced, doubled, or left out, anywhere in it."""
    try:
        data = json.loads(content)
    except ValueError:
        return content
    places: list[tuple[Any, Any]] = []
    todo = [data]
    while todo:
        item = todo.pop()
        keys = list(item) if isinstance(item, dict) else range(len(item)) if isinstance(item, list) else ()
        places += [(item, key) for key in keys]
        todo += [item[key] for key in keys]
    if not places:
        return content
    inside, key = chance.choice(places)
    match chance.randrange(4):
        case 0 if isinstance(inside, list):
            inside.insert(key, inside[key])
        case 1:
            del inside[key]
        case _:
            inside[key] = chance.choice([*VALUES, chance.choice(places)[0]])
    try:
        return json.dumps(data).encode()
    except ValueError:  # put into itself
        return content


def _signed(files: dict[str, bytes]) -> dict[str, bytes]:
    try:
        config = json.loads(files[checkpoint.CONFIG])
        hashes = {name: hashlib.sha256(data).hexdigest() for name, data in files.items() if name != checkpoint.CONFIG}
        config.pop("sha256", None)
        hashes[checkpoint.CONFIG] = hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()
        return files | {checkpoint.CONFIG: json.dumps(config | {"sha256": hashes}).encode()}
    except (KeyError, ValueError, AttributeError, TypeError):
        return files


def outcome(folder: Path, files: dict[str, bytes]) -> str:
    """ "refused", or "loaded" for a model that runs and says what it is. Anything else is raised."""
    for name in NAMES:
        (folder / name).unlink(missing_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    try:
        model = compiler.load(folder)
        names = checkpoint.documents(folder)
        assert all(name in NAMES for name in names)
        for name in names:
            checkpoint.document(folder, name)
    except ModelError:
        return "refused"
    assert isinstance(model.info(), str)
    try:
        for output in model.config.outputs:
            assert len(model.run_batch([model.config.vocabulary[:1]], output.name)) == 1
        if "named" in model.labels:
            assert provenance(model)["variables"] is not None
    except ModelError:
        return "refused"
    return "loaded"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return written(tmp_path_factory.mktemp("good") / "saved")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("desk")


def test_the_unchanged_files_load(good: dict[str, bytes], desk: Path) -> None:
    assert outcome(desk, good) == outcome(desk, _signed(good)) == "loaded"


@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**64))
def test_a_changed_checkpoint_is_a_model_or_a_model_error(good: dict[str, bytes], desk: Path, seed: int) -> None:
    assert outcome(desk, mutated(good, random.Random(seed))) in ("refused", "loaded")


def test_the_mutations_reach_beyond_the_hashes(good: dict[str, bytes], desk: Path) -> None:
    """Some changed checkpoints load, with other weights or labels: what is behind the hashes is tried too."""
    found = Counter(outcome(desk, mutated(good, random.Random(seed))) for seed in range(200))
    assert found["loaded"] >= 20 and found["refused"] >= 50, found


@pytest.mark.slow
def test_many_changed_checkpoints(good: dict[str, bytes], desk: Path) -> None:
    for seed in range(10_000, 13_000):
        assert outcome(desk, mutated(good, random.Random(seed))), seed


def main() -> int:
    """Try seeds until the time is over."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0, help="the first")
    options = parser.parse_args()
    found, seed, end = Counter[str](), options.seed, time.monotonic() + options.seconds
    with tempfile.TemporaryDirectory() as scratch:
        files = written(Path(scratch) / "good")
        desk = Path(scratch) / "desk"
        desk.mkdir()
        while time.monotonic() < end:
            try:
                found[outcome(desk, mutated(files, random.Random(seed)))] += 1
            except BaseException:
                print(f"seed {seed}:", file=sys.stderr)
                raise
            seed += 1
    print(f"seeds {options.seed} to {seed - 1}: {dict(found)}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
