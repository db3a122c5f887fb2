"""The `rasp` command: the roof of the house, which sees every room and which nothing imports.

In: the words of a command line. Out: answers on stdout, one clear message on stderr for a mistake, an exit code.
Invariant: a user's mistake ends with exit code 2 and without a traceback; a command imports only what it needs
(`rasp run program.rasp` answers without torch), so the imports stand inside the functions that use them.

    $ rasp run programs/sort.rasp "cab"
    [a, b, c] (strings)

Exit codes: 0 done, 1 `check` or `lint` found something, 2 a mistake in the call or its input, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeAlias

from rasp.source import Diagnostic, RaspError, did_you_mean, error, render

if TYPE_CHECKING:
    from compiler.model import Scalar, Transformer
    from compiler.pipeline import Compiled
    from rasp import Program

Progress: TypeAlias = Callable[[int, int], None]
STAGES = ("syntax", "sop", "graph", "circuit", "weights")
MAX_DIGITS = 20_000
"""Longest integer that is read and printed; the language has none longer."""
ABOUT = "RASP programs: run them, compile them to transformers, check them. Without a command: the console."
DONE, FOUND, MISTAKE, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 130, 141


# ------------------------------------------------------------------------------------------------------- the commands


def run(call: argparse.Namespace) -> int:
    """Print what a program (its interpreter) or a checkpoint (its transformer) answers to each input."""
    inputs = [_tokens(text, call.list) for text in call.inputs]
    path = _target(call.target)
    answers = _run_checkpoint(path, inputs, call) if path.is_dir() else _run_program(path, inputs, call)
    for answer in answers:
        for line in _answer_lines(answer, call.json):
            print(line)
    return DONE


def compile_(call: argparse.Namespace) -> int:
    """Compile a program: save the checkpoint, print one stage, or print what each way to optimise would cost."""
    if call.out is None and call.emit is None and not call.plan:
        raise error(
            "usage", "nothing to do", hint="-o DIR saves a checkpoint, --emit STAGE prints a stage, --plan costs"
        )
    from compiler.pipeline import Compiled

    compiled = Compiled(_program(_source(call.file), call), call.optimize, call.uncertified)
    _warn(compiled)
    if call.plan:
        print(compiled.plan())
    if call.emit is not None:
        print(compiled.emit(call.emit).rstrip("\n"))
    if call.out is not None:
        compiled.save(Path(call.out))
        print(f"{call.out}: {compiled.summary()}")
    return DONE


def check(call: argparse.Namespace) -> int:
    """Compare every stage with the interpreter; exit code 1 if one differs."""
    from compiler.compare import check as compare

    path = _target(call.target)
    if path.is_dir():
        _refuse_overrides(call)
    subject = path if path.is_dir() else _program(path, call)
    with _progress("checking") as progress:
        report = compare(
            subject, samples=call.samples, seed=call.seed, max_exhaustive=call.max_exhaustive, progress=progress
        )
    print(report)
    return DONE if report.ok else FOUND


def info(call: argparse.Namespace) -> int:
    """Print what each layer, head, neuron and column of a checkpoint is for."""
    print(_model(_target(call.checkpoint)).info().rstrip("\n"))
    return DONE


def lint(call: argparse.Namespace) -> int:
    """Print what in a program is likely a mistake; exit code 1 if anything is."""
    warnings = _program(_source(call.file), call).warnings
    if call.json:
        for warning in warnings:
            print(json.dumps(warning.to_json(), ensure_ascii=False))
    elif warnings:
        print(render(warnings))
    return FOUND if warnings else DONE


# ----------------------------------------------------------------------------------------------- targets and programs


def _target(text: str) -> Path:
    """The program file or checkpoint folder that is meant; `programs/...` also finds the programs that come with us."""
    path = Path(text)
    if path.exists():
        return path
    shipped = _shipped_programs().joinpath(*path.parts[1:])
    if path.parts[0] == "programs" and ".." not in path.parts and shipped.is_file():
        return shipped
    raise error("no-such-file", f"there is no file or folder `{text}`", hint=_nearby(path))


def _source(text: str) -> Path:
    """A program file."""
    path = _target(text)
    if path.is_dir():
        raise error("usage", f"`{text}` is a folder, not a program", hint="give a .rasp file")
    return path


def _shipped_programs() -> Path:
    """The folder of example programs: inside the installed package, or at the top of a checkout."""
    import rasp

    package = Path(rasp.__file__).parent
    installed = package / "programs"
    return installed if installed.is_dir() else package.parent / "programs"


def _nearby(path: Path) -> str | None:
    """A hint that names a file of nearly this name, if there is one."""
    shipped = path.parts[0] == "programs" and not path.parent.is_dir()
    folder = _shipped_programs().joinpath(*path.parent.parts[1:]) if shipped else path.parent
    if not folder.is_dir():
        return None
    names = sorted(entry.name for entry in folder.iterdir() if entry.suffix == ".rasp" or _is_checkpoint(entry))
    return did_you_mean(str(path), [str(path.parent / name) for name in names])


def _is_checkpoint(folder: Path) -> bool:
    return (folder / "config.json").is_file()


def _program(path: Path, call: argparse.Namespace) -> Program:
    """The program, its header overridden by the flags that were given."""
    import rasp

    return rasp.load(path).replace(**_overrides(call))


def _overrides(call: argparse.Namespace) -> dict[str, object]:
    given = {name: getattr(call, name, None) for name in ("output", "vocab", "max_length", "attention")}
    return {name: value for name, value in given.items() if value is not None}


def _refuse_overrides(call: argparse.Namespace, *allowed: str) -> None:
    """A checkpoint's settings are fixed."""
    for name in _overrides(call):
        if name not in allowed:
            flag = "--" + name.replace("_", "-")
            raise error("usage", f"{flag} cannot change a checkpoint", hint=f"compile the program again with {flag}")


def _model(path: Path) -> Transformer:
    import compiler

    if not path.is_dir():
        raise error(
            "usage", f"`{path}` is a file, not a checkpoint folder", hint=f"`rasp compile {path} -o DIR` makes one"
        )
    return compiler.load(path)


def _warn(compiled: Compiled) -> None:
    """Warnings go to stderr. A stage before the graph can be printed without a vocabulary, so without witnesses."""
    known = compiled.program.settings.vocab is not None
    if warnings := compiled.warnings if known else compiled.program.warnings:
        print(render(warnings), file=sys.stderr)


# ------------------------------------------------------------------------------------------------ inputs and answers


def _tokens(text: str, is_list: bool) -> list[object]:
    """An input argument as tokens: one a character, or a JSON list."""
    tokens = _json(text) if is_list else list(text)
    if not isinstance(tokens, list) or not all(isinstance(token, bool | int | float | str) for token in tokens):
        shown = text if len(text) <= 60 else text[:57] + "..."
        hint = '--list reads lists such as [3,1,2] or ["a","b"]'
        raise error("input", f"not a JSON list of tokens: {shown}", hint=hint)
    if any(_SURROGATE.search(token) for token in tokens if isinstance(token, str)):
        raise error("input", "the input is not UTF-8 text")
    return tokens


def _json(text: str) -> object:
    """What a JSON text says, or None where it says nothing."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


_SURROGATE = re.compile("[\ud800-\udfff]")


Answer: TypeAlias = "dict[str, list[Scalar]]"


def _run_program(path: Path, inputs: list[list[object]], call: argparse.Namespace) -> list[Answer]:
    program = _program(path, call)
    answers = []
    for number, tokens in enumerate(inputs, start=1):
        with _naming(number, len(inputs)):
            answers.append({name: program[name](tokens) for name in program.outputs})
    return answers


def _run_checkpoint(path: Path, inputs: list[list[object]], call: argparse.Namespace) -> list[Answer]:
    _refuse_overrides(call, "output")
    model = _model(path)
    for number, tokens in enumerate(inputs, start=1):
        with _naming(number, len(inputs)):
            model.encode(tokens)
    names = [output.name for output in model.config.outputs] if call.output is None else [call.output]
    columns = [model.run_batch(inputs, name) for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


@contextmanager
def _naming(number: int, count: int) -> Iterator[None]:
    """A message about one of several inputs says which."""
    try:
        yield
    except Exception as problem:
        if count > 1:
            problem.add_note(f"  in input {number} of {count}")
        raise


def _answer_lines(answer: Answer, as_json: bool) -> Iterator[str]:
    """One line an output: JSON, or the language's own print format (named where there are several)."""
    from rasp.show import sequence
    from rasp.value import from_python

    for name, values in answer.items():
        if as_json:
            yield json.dumps({"output": name, "values": values}, ensure_ascii=False)
        else:
            text = sequence([from_python(value) for value in values])
            yield text if len(answer) == 1 else f"{name} = {text}"


@contextmanager
def _progress(title: str) -> Iterator[Progress | None]:
    """A progress bar on stderr, if that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


# -------------------------------------------------------------------------------------------------- the command line


_CHOICE = re.compile(r"argument (?P<what>.*): invalid choice: '(?P<word>.*)' \(choose from (?P<known>.*)\)")


class Parser(argparse.ArgumentParser):
    """argparse with our way of reporting a mistake."""

    def error(self, message: str) -> NoReturn:
        hint = f"`{self.prog} --help` shows how it is called"
        if message.startswith("unrecognized arguments: -") or message.endswith("required: INPUT"):
            hint += "; an input that starts with a dash goes after --"
        if choice := _CHOICE.fullmatch(message):
            known = choice["known"].replace("'", "")
            what = "there is no command" if choice["what"] == "COMMAND" else f"{choice['what']} cannot be"
            message = f"{what} `{choice['word']}`"
            hint = did_you_mean(choice["word"], known.split(", ")) or f"it is one of {known}"
        raise error("usage", message, hint=hint)


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = Parser(prog="rasp", description=ABOUT)
    top.add_argument("--version", action=_Version, nargs=0, help="print the version and exit")
    commands = top.add_subparsers(metavar="COMMAND", parser_class=Parser)
    for define in (_run_arguments, _compile_arguments, _check_arguments, _info_arguments, _lint_arguments):
        define(commands)
    return top


Commands: TypeAlias = "argparse._SubParsersAction[Parser]"


def _command(commands: Commands, name: str, action: Callable[[argparse.Namespace], int], examples: str) -> Parser:
    about = (action.__doc__ or "").strip()
    command: Parser = commands.add_parser(
        name,
        help=about[0].lower() + about[1:].rstrip("."),
        description=about,
        epilog="examples:\n" + "\n".join("  " + line.strip() for line in examples.strip().splitlines()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(action=action)
    return command


def _run_arguments(commands: Commands) -> None:
    command = _command(
        commands,
        "run",
        run,
        """
        rasp run programs/sort.rasp "cab"
        rasp run programs/sort.rasp --list '["hi","there"]' '[3,1,2]'
        rasp run checkpoint "cab" "bca" --json
        """,
    )
    command.add_argument("target", metavar="TARGET", help="a .rasp file, or a checkpoint folder")
    command.add_argument("inputs", metavar="INPUT", nargs="+", help="an input: one token a character")
    command.add_argument("--list", action="store_true", help="read each INPUT as a JSON list of tokens")
    command.add_argument("--json", action="store_true", help='print {"output": NAME, "values": [...]}, a line an input')
    _settings(command)


def _compile_arguments(commands: Commands) -> None:
    command = _command(
        commands,
        "compile",
        compile_,
        """
        rasp compile programs/sort.rasp -o sort
        rasp compile programs/sort.rasp --emit graph
        rasp compile programs/sort.rasp --plan
        rasp compile mine.rasp -o mine --output answer --vocab abc --max-length 16
        """,
    )
    command.add_argument("file", metavar="FILE", help="a .rasp file")
    command.add_argument("-o", "--out", metavar="DIR", help="save the checkpoint in this folder")
    command.add_argument("--plan", action="store_true", help="print layers, heads, neurons and parameters of each mode")
    command.add_argument(
        "--optimize",
        choices=("depth", "balanced", "size"),
        default="balanced",
        help="few layers, few layers at a bearable size (default), or few parameters",
    )
    command.add_argument(
        "--uncertified", action="store_true", help="compile even where rounding could change an answer"
    )
    command.add_argument("--emit", metavar="STAGE", choices=STAGES, help="print a stage: " + ", ".join(STAGES))
    _settings(command)


def _check_arguments(commands: Commands) -> None:
    command = _command(
        commands,
        "check",
        check,
        """
        rasp check programs/sort.rasp
        rasp check checkpoint --samples 10000 --seed 7
        """,
    )
    command.add_argument("target", metavar="TARGET", help="a .rasp file, or a checkpoint folder")
    command.add_argument("--samples", metavar="N", type=_whole, default=1000, help="random long inputs (default 1000)")
    command.add_argument("--seed", metavar="N", type=_whole, default=0, help="the random inputs' seed (default 0)")
    command.add_argument(
        "--max-exhaustive", metavar="N", type=_whole, default=400, help="how many short inputs to try (default 400)"
    )
    _settings(command)


def _info_arguments(commands: Commands) -> None:
    command = _command(commands, "info", info, "rasp info sort")
    command.add_argument("checkpoint", metavar="DIR", help="a checkpoint folder")


def _lint_arguments(commands: Commands) -> None:
    command = _command(
        commands,
        "lint",
        lint,
        """
        rasp lint mine.rasp
        rasp lint mine.rasp --json
        """,
    )
    command.add_argument("file", metavar="FILE", help="a .rasp file")
    command.add_argument("--json", action="store_true", help="one JSON object a finding")


def _settings(command: Parser) -> None:
    """The flags that override a program's header."""
    group = command.add_argument_group("settings", "instead of the program's header")
    group.add_argument("--output", metavar="NAME", help="the s-op to compute")
    group.add_argument("--vocab", metavar="TOKENS", type=_vocabulary, help="the tokens: abc, or a JSON list")
    group.add_argument("--max-length", metavar="N", type=_positive, help="the longest input")
    group.add_argument("--attention", choices=("bidirectional", "causal"), help="who sees whom")


def _vocabulary(text: str) -> list[object]:
    """A string stands for its characters; what starts like a JSON list is one."""
    if not text.startswith("["):
        return list(text)
    tokens = _json(text)
    if not isinstance(tokens, list):
        raise argparse.ArgumentTypeError(f"not a JSON list: {text}")
    return tokens


def _whole(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f'expected a whole number, got "{text}"')
    return int(text)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f'expected a number of 1 or more, got "{text}"')
    return int(text)


class _Version(argparse.Action):
    def __call__(self, *_: object) -> None:
        from importlib.metadata import version

        print(f"rasp {version('rasp-compiler')}")
        raise SystemExit(DONE)


# ---------------------------------------------------------------------------------------------------------- the roof


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; every user mistake becomes a message on stderr and an exit code."""
    sys.set_int_max_str_digits(MAX_DIGITS)
    try:
        code = _dispatch(words)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except SystemExit as stop:
        return int(stop.code or 0)
    except Exception as problem:
        message = _explain(problem)
        if message is None:
            raise
        print(message, *getattr(problem, "__notes__", ()), sep="\n", file=sys.stderr)
        return MISTAKE


def _dispatch(words: Sequence[str] | None) -> int:
    top = parser()
    call = top.parse_args(words)
    if "action" not in call:
        from rasp.repl import main as console

        return console()
    code: int = call.action(call)
    return code


def _explain(problem: Exception) -> str | None:
    """The message for a user's mistake, or None for a fault of ours."""
    model = sys.modules.get("compiler.model")
    if isinstance(problem, RaspError):
        return render(problem.diagnostics)
    if model is not None and isinstance(problem, model.ModelError):
        return str(Diagnostic("model", "error", problem.message, hint=problem.hint or None))
    if isinstance(problem, UnicodeDecodeError):
        return str(Diagnostic("not-text", "error", "the file is not text", hint="a program is a UTF-8 text file"))
    if isinstance(problem, OSError):
        where = "" if problem.filename is None else f"{problem.filename}: "
        return str(Diagnostic("file", "error", f"{where}{problem.strerror}"))
    return None
