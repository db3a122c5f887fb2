"""What commands share: how one is defined, its flags, its exit codes.

In: a parser of commands. Out: `command` adds one to it, with examples and flags.
Invariant: a mistake in the call is reported like every other mistake.

    command(commands, "info", info, "rasp info sort")
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from typing import Any, NoReturn, TypeAlias

from compiler.cli.targets import json_of
from rasp.text.source import did_you_mean, error

DONE, FOUND, MISTAKE, INTERRUPTED, BROKEN_PIPE = 0, 1, 2, 130, 141


_CHOICE = re.compile(r"argument (?P<what>.*): invalid choice: '(?P<word>.*)' \(choose from (?P<known>.*)\)")
_UNKNOWN = re.compile(r"unrecognized arguments:.* (?P<flag>--[^\s=]+)")


class Parser(argparse.ArgumentParser):
    """argparse with our way of reporting a mistake."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        """A command refuses what it does not know itself: then the message knows its flags."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown and self.get_default("action") is not None:
            self.error(f"unrecognized arguments: {' '.join(unknown)}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        hint = f"`{self.prog} --help` shows how it is called"
        if message.startswith("unrecognized arguments: -") or message.endswith("required: INPUT"):
            hint += "; an input that starts with a dash goes after --"
        if unknown := _UNKNOWN.match(message):
            hint = did_you_mean(unknown["flag"], self._option_string_actions) or hint
        if choice := _CHOICE.fullmatch(message):
            known = choice["known"].replace("'", "")
            what = "there is no command" if choice["what"] == "COMMAND" else f"{choice['what']} cannot be"
            message = f"{what} `{choice['word']}`"
            hint = did_you_mean(choice["word"], known.split(", ")) or f"it is one of {known}"
        raise error("usage", message, hint=hint)


Commands: TypeAlias = "argparse._SubParsersAction[Parser]"


def command(commands: Commands, name: str, action: Callable[[argparse.Namespace], int], examples: str) -> Parser:
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


def setting_flags(command: Parser) -> None:
    """The flags that override a program's header."""
    group = command.add_argument_group("settings", "instead of the program's header")
    group.add_argument("--output", metavar="NAME", help="the s-op to compute")
    group.add_argument("--vocab", metavar="TOKENS", type=vocabulary, help="the tokens: abc, or a JSON list")
    group.add_argument("--max-length", metavar="N", type=positive, help="the longest input")
    group.add_argument("--rounds", metavar="N", type=positive, help="how often a loop that carries names is run")
    group.add_argument("--attention", choices=("bidirectional", "causal"), help="who sees whom")


def vocabulary(text: str) -> list[object]:
    """A string stands for its characters; what starts like a JSON list is one."""
    if not text.startswith("["):
        return list(text)
    tokens = json_of(text)
    if not isinstance(tokens, list):
        raise argparse.ArgumentTypeError(f"not a JSON list: {text}")
    return tokens


def whole(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f'expected a whole number, got "{text}"')
    return int(text)


def positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f'expected a number of 1 or more, got "{text}"')
    return int(text)
