"""gpt2: causal programs in a stock GPT2LMHeadModel, in a process without this project; decoders write on."""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path

import pytest

from compiler.pipeline import Compiled
from tests.hosts.conftest import Exported, exported, opened, require_right
from tests.hosts.fresh import compiled
from tests.places import PROGRAMS

DECODERS = sorted(path.stem for path in (PROGRAMS / "decoders").glob("*.rasp"))
BIDIRECTIONAL = [
    "histogram",
    "reverse",
    "length",
    "paper/dyck_1_ptf",
    "sequence/fraction_so_far",
    "languages/parity",
]
PROMPTS = 5


@pytest.fixture(scope="module")
def decoders() -> list[Compiled]:
    return [compiled(f"decoders/{name}") for name in DECODERS]


@pytest.mark.slow
@pytest.mark.parametrize("host", ["gpt2", "llama"])
def test_decoders_write_what_the_interpreter_writes(tmp_path: Path, host: str, decoders: list[Compiled]) -> None:
    made = exported(decoders, host, tmp_path)
    made = [dataclasses.replace(one, prompts=prompts(one)) for one in made]
    for one, found in zip(made, opened("lm", "text-generation", made, tmp_path), strict=True):
        assert found.kind == {"gpt2": "GPT2LMHeadModel", "llama": "LlamaForCausalLM"}[host]
        require_right(one, found)
        assert found.piped == [continued(one, prompt) for prompt in one.prompts]


def prompts(one: Exported) -> list[str]:
    """Short texts; an end of the text within them would be one for the interpreter, too."""
    stops = set(one.model.config.stop)
    asked = (q.ids for q in one.asked if not stops & {one.model.config.vocabulary[i] for i in q.ids})
    return [one.text(ids) for ids in itertools.islice(asked, 0, None, 9)][:PROMPTS]


def continued(one: Exported, prompt: str) -> str:
    """The interpreter's text, token by token: the last value is the next token."""
    config, program = one.model.config, one.compiled.program
    by_text = {str(token): token for token in program.settings.vocab or ()}
    between = "" if one.text([0, 0]) == config.vocabulary[0] * 2 else " "
    tokens = [by_text[text] for text in (prompt.split(between) if between else prompt)]
    for _ in range(config.max_length + 1 - len(tokens)):
        tokens.append(program[config.outputs[0].name](tokens)[-1])
        if str(tokens[-1]) in config.stop:
            break
    return between.join(map(str, tokens))


@pytest.mark.slow
def test_causal_readings_give_the_interpreters_answers(tmp_path: Path) -> None:
    made = exported([compiled(name, attention="causal") for name in BIDIRECTIONAL], "gpt2", tmp_path)
    made = [dataclasses.replace(one, prompts=[one.text(q.ids) for q in one.asked[-2:]]) for one in made]
    for one, found in zip(made, opened("lm", "text-generation", made, tmp_path), strict=True):
        require_right(one, found)
        last = [answer[-1] for answer in found.answers[-2:]]  # the pipeline gives the value at the last position
        assert found.piped == [prompt + value for prompt, value in zip(one.prompts, last, strict=True)]
