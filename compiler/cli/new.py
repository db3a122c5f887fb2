"""`rasp new`: a program to begin with."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from compiler.cli.call import DONE, Commands, command
from rasp.text.source import error

NAME = re.compile(r"[a-z][a-z0-9_]*")
FOLDER = Path("programs")

GENERAL = """\
# {title}: say here what it answers.
# Say here which heads it needs and why. This one looks from each position at all with the same token: one head that
# counts.
#@ output: answer
#@ vocab: "abcd"
#@ max_length: 32
#@ example: "abca" -> [2, 1, 1, 2]
#@ example: "dddd" -> [4, 4, 4, 4]
#@ example: "a" -> [1]

same_token = select(tokens, tokens, ==);
answer = selector_width(same_token);
"""

TEMPLATES = {
    "elementwise": """\
# {title}: say here what it answers.
# Say here why it needs no head. This one is a function of the token alone, which the embedding holds as a table.
#@ output: answer
#@ vocab: [-3, -2, -1, 0, 1, 2, 3]
#@ max_length: 32
#@ example: [3, -2, 0] -> [9, 4, 0]
#@ example: [-3, 3] -> [9, 9]
#@ example: [1] -> [1]

answer = tokens_int ^ 2;
""",
    "position": """\
# {title}: say here what it answers.
# Say here what it needs. This one chooses by the position alone: no head, but neurons to choose.
#@ output: answer
#@ vocab: "abcd"
#@ max_length: 32
#@ example: "abcd" -> "a.c."
#@ example: "dd" -> "d."
#@ example: "a" -> "a"

answer = tokens if indices % 2 == 0 else ".";
""",
    "neighbours": """\
# {title}: say here what it answers.
# Say here which heads it needs and why. This one looks a step back, with one head that finds 0 where nothing is.
#@ output: answer
#@ vocab: [0, 1, 2, 3, 4]
#@ max_length: 32
#@ example: [1, 3, 4] -> [1, 4, 7]
#@ example: [4, 0] -> [4, 4]
#@ example: [2] -> [2]

previous = shift(tokens_int, 1, 0);
answer = tokens_int + previous;
""",
    "sequence": """\
# {title}: say here what it answers.
# Say here which heads it needs and why. This one counts the tokens with one head; the next layer knows where the end
# is and fetches the last one.
#@ output: answer
#@ vocab: "abcd"
#@ max_length: 32
#@ example: "abc" -> "ccc"
#@ example: "dddd" -> "dddd"
#@ example: "a" -> "a"

at_the_end = select(indices, length - 1, ==);
answer = aggregate(at_the_end, tokens);
""",
    "words": """\
# {title}: say here what it answers.
# Say here which heads it needs and why. This one numbers the words by counting the blanks so far: one head.
#@ output: answer
#@ vocab: "abcd "
#@ max_length: 32
#@ example: "ab cd" -> [0, 0, 1, 1, 1]
#@ example: "abba" -> [0, 0, 0, 0]
#@ example: " " -> [1]

so_far = select(indices, indices, <=);
answer = selector_width(so_far and select(tokens, " ", ==));
""",
    "languages": """\
# {title}: True as long as the input can still be in the language.
# Say here which heads it needs and why. This one looks with one head for an earlier b, and with a second one for a
# position so far where an a has found one.
#@ output: answer
#@ vocab: "ab"
#@ max_length: 32
#@ example: "aab" -> [true, true, true]
#@ example: "aba" -> [true, true, false]
#@ example: "b" -> [true]

b_before = has_focus(select(tokens, "b", ==) and select(indices, indices, <));
mistake = tokens == "a" and b_before;
answer = not has_focus(select(mistake, True, ==) and select(indices, indices, <=));
""",
    "decoders": """\
# {title}: say here what it writes.
# Say here which heads it needs and why. This one writes the token before the last again, for ever: one head looks a
# step back.
#@ output: next
#@ generate: next
#@ attention: causal
#@ vocab: "abcd"
#@ max_length: 32
#@ example: "ab" -> "aa"
#@ example: "abab" -> "aaba"
#@ example: "c" -> "a"

next = shift(tokens, 1, "a");
""",
}


def new(call: argparse.Namespace) -> int:
    """Write a small program to begin with, in this folder or in a theme's."""
    name = call.name.removesuffix(".rasp")
    if not NAME.fullmatch(name):
        raise error("usage", f"`{name}` is no name for a program", hint="take small letters, digits and _")
    path = Path(f"{name}.rasp") if call.theme is None else FOLDER / call.theme / f"{name}.rasp"
    path.parent.mkdir(parents=True, exist_ok=True)
    text = TEMPLATES.get(call.theme, GENERAL).format(title=name.replace("_", " ").capitalize())
    try:
        file = path.open("x", encoding="utf-8")  # never over what is there
    except FileExistsError:
        raise error("usage", f"`{path}` exists and is left alone", hint="take another name") from None
    try:
        with file:
            file.write(text)
    except OSError as problem:
        path.unlink(missing_ok=True)
        raise OSError(problem.errno, problem.strerror, str(path)) from None
    print(f"{path}: change it, then `rasp check {path}`")
    return DONE


def define(commands: Commands) -> None:
    """Add the command."""
    flags = command(
        commands,
        "new",
        new,
        """
        rasp new count_vowels
        rasp new count_vowels --theme words
        """,
    )
    flags.add_argument("name", metavar="NAME", help="what the program does, as the name of its file")
    flags.add_argument(
        "--theme", metavar="THEME", type=theme, help="write programs/THEME/NAME.rasp, with such a program"
    )


def theme(text: str) -> str:
    if not NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f'expected the name of a folder, got "{text}"')
    return text
