"""What the tests of the hosts share: programs and their folders; a process that knows `transformers` and not us.

A module that names its `HOST` asks for `made` and `folders`: programs of every kind, each in a folder of that host's.
`Exported` folders are opened there with `AutoModel...` classes and `AutoTokenizer`, all in one process: importing the
library takes longer than everything else.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from compiler.hosts import export
from compiler.hosts.folder import record
from compiler.hosts.verify import narrowed
from compiler.model import Transformer
from compiler.pipeline import Compiled
from tests.hosts.fresh import TWO, Question, compiled, questions


@pytest.fixture(scope="session")
def several() -> list[Compiled]:
    """Two-sided and causal programs, numbers that are fractions, two outputs, many tokens."""
    return [
        compiled("sort", vocab="abc", max_length=12),
        compiled("sequence/fraction_so_far"),
        compiled("paper/dyck_1_ptf"),
        compiled("histogram", attention="causal", vocab="abcd", max_length=20),
        compiled(TWO, ["o", "p"], vocab="abc", max_length=6),
        compiled('o = tokens == "a";', vocab="abc", max_length=4),
        compiled("histogram", vocab=list(range(150)), max_length=1),
    ]


@pytest.fixture(scope="module")
def made(several: list[Compiled]) -> list[Compiled]:
    """The programs that a module exports."""
    return several


@pytest.fixture(scope="module")
def folders(
    made: list[Compiled], request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> list[Path]:
    """Each program in a folder of the host that the module names."""
    host, home = request.module.HOST, tmp_path_factory.mktemp("exported")
    for number, one in enumerate(made):
        export(one.model, host, home / str(number))
    return [home / str(number) for number in range(len(made))]


OPEN = """
import json, sys
import torch
from transformers import AutoModelForCausalLM, AutoModelForTokenClassification, AutoTokenizer, pipeline

kind, task, folders, out = json.loads(sys.stdin.read())
found = []
for folder, texts, prompts in folders:
    model = {"lm": AutoModelForCausalLM, "classifier": AutoModelForTokenClassification}[kind].from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    answers, kept = [], []
    for start in range(0, len(texts), 50):
        batch = tokenizer(texts[start : start + 50], padding=True, padding_side="right", return_tensors="pt")
        with torch.no_grad():
            logits = model(**batch).logits
        for mask, row in zip(batch["attention_mask"].bool(), logits):
            own = row[mask][1:]  # behind BOS
            answers.append([model.config.id2label[i] for i in own.argmax(-1).tolist()])
            kept.append(own)
    run = pipeline(task, model=folder) if kind == "lm" else pipeline(task, model=folder, ignore_labels=[])
    if kind == "lm":
        piped = [run(prompt)[0]["generated_text"] for prompt in prompts]
    else:
        piped = [[token["entity"] for token in run(prompt)] for prompt in prompts]
    torch.save(kept, f"{out}/{len(found)}.pt")
    found.append({"class": type(model).__name__, "answers": answers, "piped": piped, "labels": model.config.label2id})
assert not {"compiler", "rasp"} & set(sys.modules)
print(json.dumps(found))
"""


@dataclass(frozen=True)
class Exported:
    """A program, its folder, inputs with the interpreter's answers, and prompts for the pipeline."""

    compiled: Compiled
    folder: Path
    asked: list[Question]
    prompts: list[str]

    @property
    def model(self) -> Transformer:
        """The native model, with the output that the host has."""
        return narrowed(self.compiled.model, None, several=False)

    def text(self, ids: Sequence[int]) -> str:
        """An input as the model card says: a character a token, else separated."""
        vocabulary = self.model.config.vocabulary
        if all(len(text) == 1 for text in vocabulary):
            return "".join(vocabulary[i] for i in ids)
        return (" " if not any(" " in text for text in vocabulary) else ",").join(vocabulary[i] for i in ids)


@dataclass(frozen=True)
class Answer:
    """What the library said about a folder."""

    kind: str
    answers: list[list[str]]
    piped: list[Any]
    labels: dict[str, int]
    logits: list[torch.Tensor]


def exported(made: Sequence[Compiled], host: str, folder: Path) -> list[Exported]:
    """Export compiled programs, each into a folder of its own."""
    result = []
    for number, one in enumerate(made):
        place = folder / str(number)
        export(one.model, host, place)
        result.append(Exported(one, place, questions(one), []))
    return result


def opened(kind: str, task: str, folders: Sequence[Exported], tmp_path: Path) -> list[Answer]:
    """Ask the library. `kind`: "lm" or "classifier"; `task`: of the pipeline, which gets the prompts."""
    given = [[str(one.folder), [one.text(q.ids) for q in one.asked], one.prompts] for one in folders]
    done = subprocess.run(
        [sys.executable, "-I", "-c", OPEN],
        input=json.dumps([kind, task, given, str(tmp_path)]),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    logits = [torch.load(tmp_path / f"{number}.pt") for number in range(len(found))]
    return [
        Answer(one["class"], one["answers"], one["piped"], one["labels"], own)
        for one, own in zip(found, logits, strict=True)
    ]


def labelled(values: Sequence[Any]) -> dict[str, Any]:
    """Values by their labels: a number that prints as a string does has its type behind it."""
    found = {}
    for value in values:  # several logits of one value have one label
        clash = not isinstance(value, str) and str(value) in values
        found[f"{value} ({type(value).__name__})" if clash else str(value)] = value
    assert len(found) == len(set(values))
    return found


def require_right(one: Exported, found: Answer) -> None:
    """Every answer is the interpreter's; every logit is within the bound of the folder's card."""
    [output] = one.model.config.outputs
    values = labelled(output.values)
    assert len(one.asked) > 100, "few inputs have an answer"
    for question, answer in zip(one.asked, found.answers, strict=True):
        assert [values[label] for label in answer] == question.answer[0], (one.folder, question.ids)
    if len(values) < len(output.values):  # labels do not tell the logits of a value apart
        return
    ids = [found.labels[label] for label in values]
    native = one.model._logits([question.ids for question in one.asked])
    difference = max(
        float((own[:, ids].double() - ours[: len(own)].double()).abs().max())
        for own, ours in zip(found.logits, native, strict=True)
    )
    checked = record(one.folder)["verification"]
    assert difference <= checked["bound"]
    assert f"| bound on that difference | {checked['bound']:.3g} nats |" in (one.folder / "README.md").read_text()
