"""`rasp generate`: what a causal program or its checkpoint writes behind a prompt."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from compiler.cli.call import DONE, Commands, command, positive, setting_flags, whole
from compiler.cli.targets import model_at, note_no_fast_path, program_at, refuse_overrides, target_path, tokens_of
from rasp.settings import token_text
from rasp.text.source import Diagnostic, counted, error, render
from rasp.value import from_python

if TYPE_CHECKING:
    from compiler.model import Transformer
    from compiler.runtime.fast.model import Fast


def generate(call: argparse.Namespace) -> int:
    """Print the tokens that a causal program (its interpreter) or a checkpoint (its transformer) writes."""
    prompt = tokens_of(call.prompt, call.list)
    path = target_path(call.target)
    if call.fast or path.is_dir():
        model = _fast(path, call) if call.fast else _checkpoint(path, call)
        vocabulary = [text for text in model.config.vocabulary if text != model.config.start]
        tokens = _written(model, prompt, call)
    else:
        vocabulary, tokens = _program(path, prompt, call)
    if call.json:
        print(json.dumps({"prompt": prompt, "tokens": list(tokens)}, ensure_ascii=False))
    else:
        _show(tokens, "" if all(len(text) == 1 for text in vocabulary) else " ")
    return DONE


def _program(path: Path, prompt: list[object], call: argparse.Namespace) -> tuple[list[str], Iterator[object]]:
    """The texts of the vocabulary behind `start`, and what the interpreter generates."""
    if call.temperature:
        hint = "compile the program, and give the checkpoint: its transformer has probabilities"
        raise error("usage", "the interpreter has one answer, nothing to draw from", hint=hint)
    program = program_at(path, call)
    texts = [token_text(token) for token in program.settings.vocab or ()]
    if program.two_tapes:
        texts = [text for text in texts if text != token_text(program.settings.start)]
    return texts, program.stream(prompt, call.max_tokens, call.output)


def _checkpoint(path: Path, call: argparse.Namespace) -> Transformer:
    refuse_overrides(call, "output")
    return model_at(path)


def _fast(path: Path, call: argparse.Namespace) -> Fast:
    """What writes by a recurrence; where there is none, a note on stderr says why."""
    from compiler.pipeline import Compiled, faster

    if path.is_dir():
        found = faster(_checkpoint(path, call))
    else:
        program = program_at(path, call)
        found = Compiled(program.replace(output=program.writes_with(call.output))).fast
    if found.config.causal:  # else it is refused, and that says it all
        note_no_fast_path(found.recurrence if isinstance(found.recurrence, str) else None)
    return found


def _written(model: Transformer, prompt: list[object], call: argparse.Namespace) -> Iterator[object]:
    """What the transformer generates."""
    tokens: Iterator[object] = model.stream(
        prompt, call.max_tokens, output=call.output, temperature=call.temperature, seed=call.seed
    )
    if call.max_tokens is None:
        return tokens
    return _noting(tokens, call.max_tokens, set(model.config.stop), model.config.max_length)


def _noting(tokens: Iterable[object], wanted: int, ends: set[str], longest: int) -> Iterator[object]:
    """The tokens; a warning behind them where the model ran out of room."""
    number, last = 0, ""
    for token in tokens:
        number, last = number + 1, _text(token)
        yield token
    if number < wanted and last not in ends:
        message = f"it ends after {counted(number, 'token')}: the model holds {longest}"
        hint = "compile the program again with a larger --max-length"
        print(render([Diagnostic("generate", "warning", message, hint=hint)]), file=sys.stderr)


def _show(tokens: Iterable[object], between: str) -> None:
    """As they come at a terminal; else all at once, so that nothing is printed where the program has no answer."""
    if not sys.stdout.isatty():
        print(between.join(map(_text, tokens)))
        return
    try:
        for number, token in enumerate(tokens):
            print(between if number else "", _text(token), sep="", end="", flush=True)
    finally:
        print()


def _text(token: object) -> str:
    return token_text(from_python(token))


def temperature(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f'expected a number of 0 or more, got "{text}"')
    return number


def define(commands: Commands) -> None:
    """Add the command."""
    flags = command(
        commands,
        "generate",
        generate,
        """
        rasp generate programs/decoders/copy.rasp "abc|"
        rasp generate checkpoint "aab" --max-tokens 100
        rasp generate programs/decoders/turing_machine.rasp "0a0|" --fast
        rasp generate programs/decoders/traffic_light.rasp --list '["red"]' --json
        """,
    )
    flags.add_argument("target", metavar="TARGET", help="a .rasp file, or a checkpoint folder")
    flags.add_argument("prompt", metavar="PROMPT", help="what it goes on from: one token a character")
    flags.add_argument(
        "--max-tokens", metavar="N", type=positive, help="at most so many (default: what the model holds)"
    )
    flags.add_argument(
        "--temperature",
        metavar="T",
        type=temperature,
        default=0.0,
        help="0 takes the best token (default), 1 draws one",
    )
    flags.add_argument("--seed", metavar="N", type=whole, help="makes drawing repeatable")
    flags.add_argument(
        "--fast",
        action="store_true",
        help="compile the program (a checkpoint's again) and write by recurrence, the same work for each token",
    )
    flags.add_argument("--list", action="store_true", help="read PROMPT as a JSON list of tokens")
    flags.add_argument("--json", action="store_true", help='print {"prompt": [...], "tokens": [...]}')
    setting_flags(flags)
