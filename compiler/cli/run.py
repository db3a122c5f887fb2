"""`rasp run`: what a program or a checkpoint answers."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from compiler.cli.call import DONE, Commands, command, setting_flags
from compiler.cli.targets import (
    model_at,
    naming,
    note_no_fast_path,
    program_at,
    refuse_overrides,
    target_path,
    tokens_of,
)
from rasp.program import Program
from rasp.text.source import Diagnostic, counted, error, render

if TYPE_CHECKING:
    from compiler.model import Scalar, Transformer

EXAMPLES = """
rasp run programs/sort.rasp "cab"
rasp run programs/sort.rasp --list '["hi","there"]' '[3,1,2]'
rasp run checkpoint "cab" "bca" --json
rasp run programs/seq2seq/sort.rasp "cab"
rasp run programs/seq2seq/sort.rasp "cab" --target "ab"
rasp run checkpoint "cab" --trace
"""


def run(call: argparse.Namespace) -> int:
    """Print what a program (its interpreter, or the fast path) or a checkpoint (its transformer) answers."""
    inputs = [tokens_of(text, call.list) for text in _texts(call)]
    path = target_path(call.target)
    if path.is_dir():
        refuse_overrides(call, "output")
    if call.trace:
        return _trace(path, inputs, call)
    asked = _model(path, call) if path.is_dir() or call.fast else program_at(path, call)
    if _has_source(asked):
        return _decode(asked, inputs, call)
    _require_no_target(call)
    answers = _interpret(asked, inputs) if isinstance(asked, Program) else _run_model(asked, inputs, call)
    _tell_of_loops(asked, inputs)
    for answer in answers:
        for line in _answer_lines(answer, call.json):
            print(line)
    return DONE


def _tell_of_loops(asked: Asked, inputs: list[list[object]]) -> None:
    """A warning for every input on which all rounds of a loop have passed, and it is not done."""
    if not isinstance(asked, Program):
        if asked.config.loop is None:
            return
        from compiler.runtime.origin import program_of

        asked = program_of(asked)
    for number, tokens in enumerate(inputs, start=1):
        if not asked.has_halted(tokens):
            rounds = counted(len(asked.states) - 1, "round")
            which = f"of input {number} " if len(inputs) > 1 else ""
            message = f"behind {rounds} {which}`{asked.settings.halt}` is not True everywhere"
            found = Diagnostic("loop", "warning", message, hint="--rounds N runs as many")
            print(render([found]), file=sys.stderr)


Answer: TypeAlias = "dict[str, list[Scalar]]"
Asked: TypeAlias = "Program | Transformer"


def _texts(call: argparse.Namespace) -> list[str]:
    """The inputs as they were given; for `-`, the lines of the standard input."""
    found: list[str] = []
    for text in call.inputs:
        found += (line.rstrip("\n") for line in sys.stdin) if text == "-" else [text]
    return found


def _has_source(asked: Asked) -> bool:
    return asked.two_tapes if isinstance(asked, Program) else asked.encoder is not None


def _require_no_target(call: argparse.Namespace) -> None:
    if call.target_so_far is not None:
        raise error("usage", "--target is for a program with a source, and this one has none")


def _interpret(program: Program, inputs: list[list[object]]) -> list[Answer]:
    names, answers = program.require_outputs(), []
    for number, tokens in enumerate(inputs, start=1):
        with naming(number, len(inputs)):
            answers.append({name: program[name](tokens) for name in names})
    return answers


def _decode(asked: Asked, sources: list[list[object]], call: argparse.Namespace) -> int:
    """What is written for each source; or the answers at each position of a target so far."""
    target = _target(call)
    if target is None:
        for source, written in zip(sources, _decoded(asked, sources, call), strict=True):
            if call.json:
                print(json.dumps({"source": source, "target": written}, ensure_ascii=False))
            else:
                print(*_answer_lines({"target": written}, False), sep="\n")
        return DONE
    found = []
    for number, source in enumerate(sources, start=1):
        with naming(number, len(sources)):
            found.append(asked.answers(source, target))
    for source, answers in zip(sources, found, strict=True):
        chosen = {name: values for name, values in answers.items() if call.output in (None, name)}
        print(*_answer_lines(chosen, call.json, source=source, target=target), sep="\n")
    return DONE


def _target(call: argparse.Namespace) -> list[object] | None:
    return None if call.target_so_far is None else tokens_of(call.target_so_far, call.list)


def _decoded(asked: Asked, sources: list[list[object]], call: argparse.Namespace) -> list[list[Scalar]]:
    """The target for each source."""
    found: list[list[Scalar]] = []
    for number, source in enumerate(sources, start=1):
        with naming(number, len(sources)):
            if isinstance(asked, Program):
                found.append(asked.decode(source))
            else:
                asked.encode_source(source)
    return found if isinstance(asked, Program) else asked.decode_batch(sources, call.output)


def _run_model(model: Transformer, inputs: list[list[object]], call: argparse.Namespace) -> list[Answer]:
    for number, tokens in enumerate(inputs, start=1):
        with naming(number, len(inputs)):
            model.encode(tokens)
    names = [output.name for output in model.config.outputs] if call.output is None else [call.output]
    columns = [model.run_batch(inputs, name) for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _model(path: Path, call: argparse.Namespace) -> Transformer:
    """A checkpoint's model; with --fast, one that has the fast path, if there is one, of a checkpoint or a program."""
    if not call.fast:
        return model_at(path)
    from compiler.pipeline import Compiled, faster

    found = faster(model_at(path)) if path.is_dir() else Compiled(program_at(path, call)).fast
    written = found.encoder is not None and call.target_so_far is None
    note_no_fast_path(found.recurrence if written and isinstance(found.recurrence, str) else found.reason)
    return found


def _trace(path: Path, inputs: list[list[object]], call: argparse.Namespace) -> int:
    """What the residual streams hold of every variable on each input, beside the interpreter's values."""
    from compiler.observe.trace import trace
    from compiler.pipeline import Compiled
    from compiler.runtime.origin import program_of

    if call.json or call.fast:
        raise error("usage", "--trace prints the tables of the model itself", hint="leave out --json and --fast")
    if path.is_dir():
        refuse_overrides(call)
        model = model_at(path)
        program = program_of(model)
    else:
        compiled = Compiled(program_at(path, call))
        model, program = compiled.model, compiled.program
    target = _target(call)
    if not program.two_tapes:
        _require_no_target(call)
    for number, tokens in enumerate(inputs, start=1):
        with naming(number, len(inputs)):
            print(*([""] if number > 1 else []), trace(model, program, tokens, target), sep="\n")
    return DONE


def _answer_lines(answer: Answer, as_json: bool, **tapes: list[object]) -> Iterator[str]:
    """One line an output: JSON, or the language's own print format (named where there are several)."""
    from rasp.ask.show import sequence
    from rasp.value import from_python

    for name, values in answer.items():
        if as_json:
            yield json.dumps({**tapes, "output": name, "values": values}, ensure_ascii=False)
        else:
            text = sequence([from_python(value) for value in values])
            yield text if len(answer) == 1 else f"{name} = {text}"


def define(commands: Commands) -> None:
    """Add the command."""
    flags = command(
        commands,
        "run",
        run,
        EXAMPLES,
    )
    flags.add_argument("target", metavar="TARGET", help="a .rasp file, or a checkpoint folder")
    flags.add_argument(
        "inputs",
        metavar="INPUT",
        nargs="+",
        help="an input: one token a character; `-` stands for the lines of standard input",
    )
    flags.add_argument(
        "--target",
        metavar="TOKENS",
        dest="target_so_far",
        help="of a program with a source: the next token at every position of this target, instead of what it writes",
    )
    flags.add_argument("--list", action="store_true", help="read each INPUT as a JSON list of tokens")
    flags.add_argument("--json", action="store_true", help='print {"output": NAME, "values": [...]}, a line an input')
    flags.add_argument(
        "--fast",
        action="store_true",
        help="compile the program (a checkpoint's again); count where heads compare all pairs, if that is quicker",
    )
    flags.add_argument(
        "--trace",
        action="store_true",
        help="print instead what the model's residual stream holds of each variable, after each sublayer",
    )
    setting_flags(flags)
