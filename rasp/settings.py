"""Settings: what a program declares about itself.

In: Python values, from a caller or from the lines of a header. Out: a `Settings`.
Invariants: what `Settings` holds has been checked, wherever it came from; no two tokens of a vocabulary have one text,
and a decimal among them is the one that its text spells.

    >>> Settings().replace(vocab="ab", max_length=4).vocab
    ('a', 'b')
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from itertools import chain
from typing import Any, Literal, TypeAlias

from rasp.meaning.inputs import Input, read_input
from rasp.meaning.operators import Number, Undefined, bounded
from rasp.text.source import SURROGATE, RaspError, Span, counted, did_you_mean, error
from rasp.value import Value, from_python

Attention: TypeAlias = Literal["bidirectional", "causal"]

MAX_VOCABULARY = 1_000_000
MAX_LENGTH = 1_000_000
MAX_ROUNDS = 100_000
DEFAULT_LENGTH = 16
"""The longest input, where neither program nor caller says."""
START = "<start>"
"""What a target begins with, where the program names no token."""

MAX_DIGITS = 4_000
"""Longest number of a setting, in digits before and behind the point, an exponent spelled out."""
_LONGEST = 10**MAX_DIGITS
_NUMBERS = f"a number has at most {MAX_DIGITS} digits, and a float lies within the range of floats"


@dataclass(frozen=True)
class Example:
    """An input and the answer the program must give: one list, or one for each of several outputs by name.

    Of a program with a source it is a source, and what is decoded from it.
    """

    input: tuple[Value, ...]
    output: tuple[Value, ...] | Mapping[str, tuple[Value, ...]]
    span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Settings:
    """What a program declares about itself. A token's identity is its text, see `token_text`."""

    output: tuple[str, ...] = ()
    vocab: tuple[Value, ...] | None = None
    max_length: int | None = None
    attention: Attention = "bidirectional"
    examples: tuple[Example, ...] = ()
    requires: tuple[str, ...] = ()
    unknown: Value | None = None
    generate: bool | str = False
    stop: tuple[Value, ...] = ()
    source: tuple[Value, ...] | None = None
    max_source: int | None = None
    start: Value = START
    loop: tuple[str, ...] = ()
    """The names that the outermost loop which binds them carries from round to round."""
    halt: str | None = None
    """The carried name that is True everywhere once no further round changes an answer."""
    rounds: int | None = None
    """How many rounds there are, instead of those of the text."""
    spans: Mapping[str, Span] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def known(self) -> Mapping[str, Value]:
        """The vocabulary, each token by its text; empty where none is declared."""
        return {token_text(token): token for token in self.vocab or ()}

    @property
    def two_tapes(self) -> bool:
        """Whether the program reads a source beside its target."""
        return self.source is not None

    def read(self, tokens: Input) -> list[Value]:
        """An input as it is meant: each token is the one of the vocabulary that has its text.

        Any other token is the `unknown` one; without that it is itself, for the interpreter runs on anything.
        """
        return self._meant(read_input(tokens), self.known)

    def allows(self, tokens: Input) -> bool:
        """Whether an input is within the vocabulary and the length that are declared."""
        read = self.read(tokens)
        known = not self.known or all(token_text(token) in self.known for token in read)
        return known and (self.max_length is None or len(read) <= self.max_length)

    def read_source(self, tokens: Input) -> list[Value]:
        """A source as it is meant. Raises `RaspError` for a token outside of its vocabulary, if none is `unknown`, and
        for a source that is too long."""
        known = {token_text(token): token for token in self.source or ()}
        meant = _inside(self._meant(read_input(tokens), known), known, "source")
        return _short_enough(meant, self.longest_source, "source", "max_source")

    def read_target(self, tokens: Input) -> list[Value]:
        """A target so far as it is meant, `start` in front. Raises `RaspError` as for a source."""
        _, *given = read_input(chain([self.start], tokens))
        start = self.known.get(token_text(self.start), self.start)
        read = [start, *self._meant(given, self.known)]
        if self.known:
            _inside(read, self.known, "target", 1)
        return _short_enough(read, self.longest, "target", "max_length")

    def _meant(self, elements: list[Value], known: Mapping[str, Value]) -> list[Value]:
        if not known:
            return elements
        other = None if self.unknown is None else known.get(token_text(self.unknown))
        return [known.get(token_text(token), token if other is None else other) for token in elements]

    def token(self, value: Value) -> Value | None:
        """The token of the vocabulary that an answer is; None where it is none."""
        return next((self.known[text] for text in spellings(value) if text in self.known), None)

    @property
    def longest(self) -> int:
        """The longest input, in tokens; of a program with a source the longest target, `start` counted in."""
        return self.max_length or (self.longest_source + 1 if self.two_tapes else DEFAULT_LENGTH)

    @property
    def longest_source(self) -> int:
        """The longest source, in tokens."""
        return self.max_source or DEFAULT_LENGTH

    def replace(self, **settings: Any) -> Settings:
        """These settings with some replaced, checked as in a header. None leaves a setting as it is."""
        given = {key: value for key, value in settings.items() if value is not None}
        for key in given:
            if key not in READERS:
                raise error("setting", f"there is no setting `{key}`", hint=did_you_mean(key, READERS))
        read: dict[str, Any] = {_FIELD.get(key, key): READERS[key](value) for key, value in given.items()}
        spans = {key: span for key, span in self.spans.items() if key not in given}
        changed = dataclasses.replace(self, **read, spans=spans)
        _check_together(given, changed)
        return changed


def token_text(value: Value) -> str:
    """The text that is a token's identity."""
    return str(float(value)) if isinstance(value, Fraction) else str(value)


def spellings(value: Value) -> list[str]:
    """The texts of the tokens that an answer may be, the one it prints as first: 1, 1.0 and True are one value."""
    if isinstance(value, str) or value.denominator != 1:
        return [token_text(value)]
    whole = int(value)
    decimal = [str(float(whole))] if whole.bit_length() <= 53 else []
    truth = [str(whole == 1)] if whole in (0, 1) else []
    return [token_text(value), str(whole), *decimal, *truth]


def _inside(tokens: list[Value], known: Mapping[str, Value], tape: str, first: int = 0) -> list[Value]:
    """The tokens of a tape. Raises `RaspError` for one, from the `first` on, that is none of its vocabulary."""
    for at, token in enumerate(tokens):
        if at >= first and token_text(token) not in known:
            hint = f"the tokens of the {tape} are {_few(known)}; `unknown: TOKEN` names one of them for all others"
            raise error(
                "vocabulary", f"`{cut(token_text(token))}` at position {at} is no token of the {tape}", hint=hint
            )
    return tokens


def _short_enough(tokens: list[Value], longest: int, tape: str, key: str) -> list[Value]:
    """The tokens of a tape. Raises `RaspError` where they are more than it holds."""
    if len(tokens) > longest:
        counting = ", the first of them `start`" if tape == "target" else ""
        message = f"the {tape} has {counted(len(tokens), 'token')}{counting}, and at most {longest} are meant"
        raise error("input", message, hint=f"a larger `{key}` lets it be longer")
    return tokens


def _few(texts: Iterable[str]) -> str:
    return cut(" ".join(texts))


def long_number(text: str) -> RaspError:
    """The error for a number that nobody could write down."""
    return error("setting", f"{text} is too long or too large", hint=_NUMBERS)


def _scalar(value: Any, what: str) -> Value:
    try:
        found = from_python(value)
        return _encodable(found, what) if isinstance(found, str) else _short(found, what)
    except (TypeError, ValueError):
        raise error("setting", f"{what} is a bool, a number or a string, not {_shown(value)}") from None


def _short(number: Number, what: str) -> Number:
    """The number, if it can be written down, and as a float where it is no integer."""
    try:
        if max(abs(number.numerator), number.denominator) < _LONGEST:
            return bounded(number)
    except Undefined:
        pass
    raise error("setting", f"{what} is a number that is too large", hint=_NUMBERS)


def _encodable(text: str, what: str) -> str:
    """The text, if it can be written to a file: a half of a character, as JSON may spell it, cannot."""
    if SURROGATE.search(text):
        raise error("setting", f"{what} is not UTF-8 text")
    return text


def _shown(value: Any) -> str:
    try:
        return cut(token_text(value) if isinstance(value, Fraction) else repr(value))
    except ValueError:  # Python does not spell out an integer of many digits
        return "a number of many digits"


def cut(text: str) -> str:
    """A text, or the beginning of a long one."""
    return text if len(text) <= 40 else text[:37] + "..."


def _scalars(value: Any, what: str) -> tuple[Value, ...]:
    """A list of scalars; a string is the list of its characters."""
    if not isinstance(value, (str, list, tuple)):
        raise error("setting", f"{what} is a list or a string of characters, not {_shown(value)}")
    return tuple([_scalar(item, f"an element of {what}") for item in value])


def _name(value: Any, what: str) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z_]\w*", value, re.ASCII):
        raise error("setting", f"{what} is the name of an s-op, not {_shown(value)}")
    return value


def _names(key: str) -> Callable[[Any], tuple[str, ...]]:
    def read(value: Any) -> tuple[str, ...]:
        items = value if isinstance(value, (list, tuple)) else [value]
        names = tuple([_name(item, f"`{key}`") for item in items])
        if not names or len(set(names)) < len(names):
            raise error("setting", f"`{key}` names one s-op or several different ones")
        return names

    return read


def _vocab(value: Any, key: str = "vocab") -> tuple[Value, ...]:
    tokens = _scalars(value, f"`{key}`")
    if not 0 < len(tokens) <= MAX_VOCABULARY:
        raise error("setting", f"a vocabulary has 1 to {MAX_VOCABULARY} tokens, not {len(tokens)}")
    seen: dict[str, Value] = {}
    for token in tokens:
        text = token_text(token)
        if text in seen:
            hint = 'a token is known by its text: 1 and "1" are one token'
            raise error("setting", f'two tokens of the vocabulary have the text "{text}"', hint=hint)
        seen[text] = token
    return tuple([Fraction(text) if isinstance(token, Fraction) else token for text, token in seen.items()])


def _rounds(value: Any) -> int:
    if type(value) is not int or not 0 < value <= MAX_ROUNDS:
        raise error("setting", f"`rounds` is an integer from 1 to {MAX_ROUNDS}, not {_shown(value)}")
    return value


def _length(key: str) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if type(value) is not int or not 0 < value <= MAX_LENGTH:
            raise error("setting", f"`{key}` is an integer from 1 to {MAX_LENGTH}, not {_shown(value)}")
        return value

    return read


def _attention(value: Any) -> Attention:
    if value not in ("bidirectional", "causal"):
        hint = did_you_mean(value, ["bidirectional", "causal"]) if isinstance(value, str) else None
        raise error("setting", f"`attention` is `bidirectional` or `causal`, not {_shown(value)}", hint=hint)
    return "causal" if value == "causal" else "bidirectional"


def _examples(value: Any) -> tuple[Example, ...]:
    pairs = value if isinstance(value, (list, tuple)) else [value]
    for item in pairs:
        if not isinstance(item, Example) and not (isinstance(item, (list, tuple)) and len(item) == 2):
            raise error("setting", f"an example is an input with its answer, not {_shown(item)}")
    return tuple([item if isinstance(item, Example) else _example(*item) for item in pairs])


def _example(shown: Any, answer: Any) -> Example:
    tokens = _scalars(shown, "an example's input")
    if not tokens:
        raise error("setting", "an example's input has at least one token")
    if isinstance(answer, Mapping):
        return Example(tokens, {_name(name, "an output"): _scalars(of, _ANSWER) for name, of in answer.items()})
    return Example(tokens, _scalars(answer, _ANSWER))


_ANSWER = "an example's output"


def _check_together(given: Iterable[str], settings: Settings) -> None:
    """That settings which were given fit the tapes of the program. Raises `RaspError`."""
    if settings.two_tapes and "attention" in given:
        why = "with a source nothing is left to say: the encoder sees all of it, the decoder what is written so far"
        raise error("setting", why)
    if not settings.two_tapes and (alone := [key for key in ("max_source", "start") if key in given]):
        raise error("setting", f"`{alone[0]}` is for a program with a source: none is declared")
    if settings.loop and settings.two_tapes:
        raise error("setting", "`loop` is for a program of one tape: this one declares a source")
    if (alone := [key for key in ("halt", "rounds") if key in given]) and not settings.loop:
        hint = "a line `#@ loop: NAMES` says which names a loop carries from round to round"
        raise error("setting", f"`{alone[0]}` is for a program with a loop: no `loop` is declared", hint=hint)
    if settings.halt is not None and settings.halt not in settings.loop:
        raise error("setting", f"`halt` names `{settings.halt}`, and the loop carries {', '.join(settings.loop)}")
    for example in settings.examples if "example" in given else ():
        _check_example(example, settings.two_tapes)


def _check_example(example: Example, two_tapes: bool) -> None:
    """One answer for each token; with a source, any number of them, of one output."""
    answers = [example.output] if isinstance(example.output, tuple) else [*example.output.values()]
    if two_tapes and not isinstance(example.output, tuple):
        raise error("setting", "an example of a program with a source is a source and what is decoded from it")
    count = len(example.input)
    for answer in answers:
        if len(answer) != count and not two_tapes:
            wanted = counted(count, "answer")
            raise error("setting", f"an example of {counted(count, 'token')} has {wanted}, not {len(answer)}")


def _generate(value: Any) -> bool | str:
    return value if isinstance(value, bool) else _name(value, "`generate`")


def _stop(value: Any) -> tuple[Value, ...]:
    items = value if isinstance(value, (list, tuple)) else [value]
    return tuple([_scalar(item, "`stop`") for item in items])


READERS: dict[str, Callable[[Any], Any]] = {
    "output": _names("output"),
    "vocab": _vocab,
    "max_length": _length("max_length"),
    "attention": _attention,
    "example": _examples,
    "requires": _names("requires"),
    "unknown": lambda value: _scalar(value, "`unknown`"),
    "generate": _generate,
    "stop": _stop,
    "source": lambda value: _vocab(value, "source"),
    "max_source": _length("max_source"),
    "start": lambda value: _scalar(value, "`start`"),
    "loop": _names("loop"),
    "halt": lambda value: _name(value, "`halt`"),
    "rounds": _rounds,
}
"""What reads the value of each setting. Raises `RaspError` for one that is none."""
_FIELD = {"example": "examples"}
