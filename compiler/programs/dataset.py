"""The library as one test bed: every program's checkpoint, and example inputs with their answers, in a folder.

In: entries of the library and a seed. Out: a folder whose index holds the hash of every file; `read` compares them.
Invariants: the same version, entries and seed give the same bytes, in every process; a folder is written whole or not
at all; every answer is the interpreter's, and the model has given it too.

    bed/index.json                        format, version, seed, and for each program its sizes and hashes
    bed/sequence/median/program.rasp      the text
    bed/sequence/median/model/            the checkpoint
    bed/sequence/median/provenance.json   which head and neuron computes which variable, and who reads what whom wrote
    bed/sequence/median/examples.jsonl    {"input": ["3", "1"], "answers": {"median": ["1", "1"]}}
"""

from __future__ import annotations

import gc
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import rasp
from compiler.graph.witness import is_meant
from compiler.model import ModelError, Transformer, require_one_tape
from compiler.observe.provenance import DOCUMENT, provenance
from compiler.pipeline import Compiled
from compiler.programs.library import Entry
from compiler.runtime.checkpoint import MAX_JSON, load
from compiler.runtime.folders import hashes, sha256, whole_folder, write_json
from compiler.runtime.processes import Progress, spread
from rasp import Program, RaspError
from rasp.value import Value, to_python

if TYPE_CHECKING:
    from compiler.model import Scalar

FORMAT = "rasp-dataset"
VERSION = 1
INDEX, TEXT, MODEL, EXAMPLES = "index.json", "program.rasp", "model", "examples.jsonl"
TRIES = 20
"""How many times as many inputs are drawn where some are drawn twice or have no answer."""

Input: TypeAlias = tuple[Value, ...]


@dataclass(frozen=True)
class Case:
    """One program of a test bed."""

    name: str
    folder: Path
    facts: Mapping[str, Any]
    """What the index says of it."""

    @property
    def program(self) -> Program:
        """The program, to be run by the interpreter."""
        return rasp.load(self.folder / TEXT)

    @cached_property
    def model(self) -> Transformer:
        """The transformer. Raises `ModelError` if the checkpoint is damaged."""
        return load(self.folder / MODEL)

    @cached_property
    def examples(self) -> list[tuple[list[Scalar], dict[str, list[Scalar]]]]:
        """Inputs, each with its answers by the name of the output."""
        lines = (self.folder / EXAMPLES).read_text(encoding="utf-8").splitlines()
        return [(row["input"], row["answers"]) for row in map(json.loads, lines)]


def write(
    folder: str | Path,
    entries: Sequence[Entry],
    seed: int = 0,
    examples: int = 200,
    jobs: int = 1,
    progress: Progress | None = None,
) -> str:
    """Write a test bed with that many examples a program, and return the hash of its index, which stands for all of it.

    A test bed that is there is replaced at the end; what else lies in it is kept. Raises `ModelError` where the folder
    is something else or cannot be written, `RaspError` for a program that is refused; then nothing is written.
    """
    folder = Path(folder)
    with whole_folder(folder, own_files, "a data set") as made:
        with _called(made, folder):
            work = partial(_write_case, folder=made, seed=seed, examples=examples)
            cases = list(spread(work, entries, jobs, progress))
        about = {"format": FORMAT, "version": VERSION, "compiler": metadata.version("rasp-compiler")}
        write_json(made / INDEX, {**about, "seed": seed, "examples": examples, "programs": cases})
        identity = sha256(made / INDEX)
    return identity


def own_files(folder: Path) -> frozenset[str] | None:
    """The paths of a test bed's own files: what its index lists. None where it is no test bed."""
    try:
        programs = _index(folder)["programs"]
        return frozenset({INDEX, *(f"{facts['name']}/{name}" for facts in programs for name in facts["sha256"])})
    except (ModelError, KeyError, TypeError):
        return None


def read(folder: str | Path) -> list[Case]:
    """The cases of a test bed. Raises `ModelError` if it is none, or if a file is not the one that was written."""
    folder = Path(folder)
    cases = [Case(facts["name"], folder / facts["name"], facts) for facts in _index(folder)["programs"]]
    for case in cases:
        for name, wanted in case.facts["sha256"].items():
            path = case.folder / name
            if not path.is_file() or sha256(path) != wanted:
                raise ModelError(f"{path} is not the file that was written", "write the data set again")
    return cases


def _write_case(entry: Entry, folder: Path, seed: int, examples: int) -> dict[str, Any]:
    """Write the folder of one program; what the index says of it."""
    entry = Entry(entry.name, entry.path)  # one that holds no program
    gc.collect()  # equal nodes are one object, whose age orders a circuit: none may be left of another program
    home = folder / entry.name
    text = entry.path.read_text(encoding="utf-8")
    compiled = Compiled(rasp.parse(text, f"programs/{entry.name}.rasp"))  # a name that does not tell where this ran
    require_one_tape(compiled.program.two_tapes, "a data set")
    try:
        home.mkdir(parents=True)
        (home / TEXT).write_text(text, encoding="utf-8", newline="\n")
        compiled.save(home / MODEL)
    except RaspError as problem:
        problem.add_note(f"  in the program {entry.name}")
        raise
    write_json(home / DOCUMENT, provenance(compiled.model))
    rows = list(_examples(compiled, random.Random(f"{seed} {entry.name}"), examples))
    _compare(entry.name, compiled.model, rows)
    lines = [json.dumps({"input": tokens, "answers": answers}, ensure_ascii=False) + "\n" for tokens, answers in rows]
    (home / EXAMPLES).write_text("".join(lines), encoding="utf-8", newline="\n")
    return {**_facts(entry, compiled), "examples": len(rows), "sha256": hashes(home)}


def _facts(entry: Entry, compiled: Compiled) -> dict[str, Any]:
    config = compiled.model.config
    return {
        "name": entry.name,
        "theme": entry.theme,
        "idea": entry.idea,
        "outputs": [output.name for output in config.outputs],
        "vocabulary": len(config.vocabulary),
        "max_length": config.max_length,
        "attention": "causal" if config.causal else "bidirectional",
        "layers": len(config.layers),
        "heads": sum(layer.n_heads for layer in config.layers),
        "neurons": sum(layer.d_mlp for layer in config.layers),
        "d_model": config.d_model,
        "parameters": compiled.model.stored(),
        "certified": compiled.certificate.ok,
    }


Row: TypeAlias = "tuple[list[Scalar], dict[str, list[Scalar]]]"


def _examples(compiled: Compiled, rng: random.Random, most: int) -> Iterator[Row]:
    """Different inputs that are meant and have an answer: those of the header first, then random ones."""
    seen: set[Input] = set()
    given = [example.input for example in compiled.program.settings.examples]
    drawn = (_draw(compiled, given, rng) for _ in range(TRIES * most))
    for tokens in (*given, *drawn):
        if len(seen) == most:
            return
        if tokens in seen or not is_meant(compiled.program, tokens):
            continue
        answers = _answers(compiled, tokens)
        if answers is not None:
            seen.add(tokens)
            yield [to_python(token) for token in tokens], answers


def _draw(compiled: Compiled, given: Sequence[Input], rng: random.Random) -> Input:
    """An input of any length, of all tokens, of two of them, or of pieces of the header's inputs.

    Only `random()` is asked, which gives the same numbers in every version of Python.
    """
    length = 1 + _below(rng, compiled.setting.max_length)
    tokens, kind = compiled.setting.vocabulary, _below(rng, 3)
    if kind == 0 and given:
        return _pieces(given, length, rng)
    if kind == 1:
        tokens = tuple(tokens[_below(rng, len(tokens))] for _ in range(2))
    return tuple(tokens[_below(rng, len(tokens))] for _ in range(length))


def _pieces(given: Sequence[Input], length: int, rng: random.Random) -> Input:
    found: list[Value] = []
    while len(found) < length:
        source = given[_below(rng, len(given))]
        start = _below(rng, len(source))
        found += source[start : start + 1 + _below(rng, len(source) - start)]
    return tuple(found[:length])


def _below(rng: random.Random, limit: int) -> int:
    return int(rng.random() * limit)


def _answers(compiled: Compiled, tokens: Input) -> dict[str, list[Scalar]] | None:
    """What the interpreter answers, or None where it has no answer."""
    try:
        return {name: compiled.program[name](tokens) for name in compiled.program.outputs}
    except RaspError:
        return None


def _compare(name: str, model: Transformer, rows: Sequence[Row]) -> None:
    for output in model.config.outputs:
        found = model.run_batch([tokens for tokens, _ in rows], output.name)
        for (tokens, answers), answer in zip(rows, found, strict=True):
            if answer != answers[output.name]:
                raise ModelError(
                    f"{name}: the model differs from the interpreter on {tokens}", "report this as a fault"
                )


def _is_short(path: Path) -> bool:
    return path.stat().st_size <= MAX_JSON


def _index(folder: Path) -> dict[str, Any]:
    try:
        data = json.loads((folder / INDEX).read_text(encoding="utf-8")) if _is_short(folder / INDEX) else None
    except (OSError, ValueError):
        data = None
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise ModelError(f"{folder} is not a data set", "`rasp dataset -o DIR` writes one")
    if data.get("version") != VERSION:
        raise ModelError(f"{folder} has format version {data.get('version')}, not {VERSION}", "write it again")
    return data


@contextmanager
def _called(made: Path, folder: Path) -> Iterator[None]:
    """What goes wrong with the hidden folder is told of the one that was asked for."""
    try:
        yield
    except ModelError as problem:
        raise ModelError(problem.message.replace(str(made), str(folder)), problem.hint) from None
