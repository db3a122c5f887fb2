"""Settings: the lines `#@ key: value` of a program, and what they declare.

In: the comments of a module, or Python values from a caller. Out: a `Settings` and the diagnostics of the lines.
A value is JSON; a bare word, and for lists a string of characters, is shorthand. Later lines replace earlier ones,
except `example`, which collects.
Invariants: what `Settings` holds has been checked, wherever it came from; no two tokens of a vocabulary have one text,
and a decimal among them is the one that its text spells. A line is read in time that grows with its length, whatever
stands in it.

    >>> Settings().replace(vocab="ab", max_length=4).vocab
    ('a', 'b')
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal, TypeAlias

from rasp.meaning.interpreter import Input, read_input
from rasp.meaning.operators import Number, Undefined, bounded
from rasp.text.source import SURROGATE, Diagnostic, RaspError, Span, counted, did_you_mean, error
from rasp.text.syntax import Comment
from rasp.value import Value, from_python

Attention: TypeAlias = Literal["bidirectional", "causal"]

MAX_VOCABULARY = 1_000_000
MAX_LENGTH = 1_000_000
DEFAULT_LENGTH = 16
"""The longest input, where neither program nor caller says."""

MAX_DIGITS = 4_000
"""Longest number of a setting, in digits before and behind the point, an exponent spelled out."""
_LONGEST = 10**MAX_DIGITS
_NUMBERS = f"a number has at most {MAX_DIGITS} digits, and a float lies within the range of floats"
MAX_ERRORS = 20
"""After so many errors the rest of a header is not read."""
MAX_EXAMPLES = 1_000
"""How many examples a program may give."""

_WORD = re.compile(r"[^\s\"\[\]{},:]+")


@dataclass(frozen=True)
class Example:
    """An input and the answer the program must give: one list, or one for each of several outputs by name."""

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
    spans: Mapping[str, Span] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def known(self) -> Mapping[str, Value]:
        """The vocabulary, each token by its text; empty where none is declared."""
        return {token_text(token): token for token in self.vocab or ()}

    def read(self, tokens: Input) -> list[Value]:
        """An input as it is meant: each token is the one of the vocabulary that has its text.

        Any other token is the `unknown` one; without that it is itself, for the interpreter runs on anything.
        """
        elements = read_input(tokens)
        if not self.known:
            return elements
        other = None if self.unknown is None else self.known.get(token_text(self.unknown))
        return [self.known.get(token_text(token), token if other is None else other) for token in elements]

    def token(self, value: Value) -> Value | None:
        """The token of the vocabulary that an answer is; None where it is none."""
        return next((self.known[text] for text in spellings(value) if text in self.known), None)

    @property
    def longest(self) -> int:
        """The longest input, in tokens."""
        return self.max_length or DEFAULT_LENGTH

    def replace(self, **settings: Any) -> Settings:
        """These settings with some replaced, checked as in a header. None leaves a setting as it is."""
        given = {key: value for key, value in settings.items() if value is not None}
        for key in given:
            if key not in _READERS:
                raise error("setting", f"there is no setting `{key}`", hint=did_you_mean(key, _READERS))
        read: dict[str, Any] = {_FIELD.get(key, key): _READERS[key](value) for key, value in given.items()}
        spans = {key: span for key, span in self.spans.items() if key not in given}
        return dataclasses.replace(self, **read, spans=spans)


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


def read_settings(comments: Iterable[Comment]) -> tuple[Settings, list[Diagnostic]]:
    """The settings of a text and what is wrong with them."""
    settings = Settings()
    spans: dict[str, Span] = {}
    found: list[Diagnostic] = []
    for comment in comments:
        if len(found) < MAX_ERRORS and comment.span.text.startswith("#@"):
            try:
                settings = _read_line(settings, comment.span, spans)
            except RaspError as problem:
                found += [_at(one, comment.span) for one in problem.diagnostics]
    return dataclasses.replace(settings, spans=spans), found + _too_long(settings)


def _at(diagnostic: Diagnostic, span: Span) -> Diagnostic:
    return dataclasses.replace(diagnostic, span=diagnostic.span or span)


def _read_line(settings: Settings, span: Span, spans: dict[str, Span]) -> Settings:
    keys, place = _halves(span)
    key = keys.text
    if key not in _READERS:
        hint = did_you_mean(key, _READERS) or f"known are {', '.join(_READERS)}"
        raise error("setting", f"there is no setting `{_cut(key)}`", keys, hint)
    try:
        changed = settings.replace(**{key: _read_value(key, place.text)})
    except RaspError as problem:
        raise RaspError(*[_at(one, place) for one in problem.diagnostics]) from None
    spans[key] = place
    if key == "example":
        if len(settings.examples) >= MAX_EXAMPLES:
            raise error("setting", f"more than {MAX_EXAMPLES} examples", place, "leave some out")
        latest = dataclasses.replace(changed.examples[-1], span=place)
        return dataclasses.replace(changed, examples=(*settings.examples, latest))
    return changed


def _halves(span: Span) -> tuple[Span, Span]:
    """Where the key and the value of a line stand."""
    colon = span.text.find(":")
    key = _trimmed(Span(span.source, span.start + len("#@"), span.start + max(colon, len("#@"))))
    if not key.text:
        raise error("setting", "a setting reads `#@ key: value`", span)
    return key, _trimmed(Span(span.source, span.start + colon + 1, span.end))


def _trimmed(span: Span) -> Span:
    """The same place without the blanks at both ends."""
    start = span.end - len(span.text.lstrip())
    return Span(span.source, start, max(start, span.start + len(span.text.rstrip())))


def _read_value(key: str, text: str) -> Any:
    if not text:
        raise error("setting", f"`{key}` has no value")
    if key == "example":
        return [_read_example(text)]
    value, end = _read_json(text)
    if text[end:].strip():
        names = [name.strip() for name in text.split(",")]
        if key == "output" and all(re.fullmatch(r"\w+", name) for name in names):
            return names
        raise error("setting", f"`{_cut(text[end:].strip())}` is left over behind the value")
    return value


def _read_example(text: str) -> tuple[Any, Any]:
    shown, end = _read_json(text)
    rest = text[end:].lstrip()
    if not rest.startswith("->"):
        raise error("setting", "an example reads `INPUT -> OUTPUT`", hint='for instance `"abc" -> "cba"`')
    answer, end = _read_json(rest[2:].lstrip())
    if rest[2:].lstrip()[end:].strip():
        raise error("setting", "something is left over behind the example's output")
    return shown, answer


def _read_json(text: str) -> tuple[Any, int]:
    """A JSON value or a bare word at the beginning of a text, and where it ends."""
    try:
        value, end = json.JSONDecoder(parse_float=_decimal, parse_constant=str).raw_decode(text)
        if end == len(text) or not re.match(r"[\w.#-]", text[end]) or text[end:].startswith("->"):
            return value, end
    except (ValueError, RecursionError):
        pass
    word = _WORD.match(text)
    if word is None:
        raise error("setting", f"`{text[:40]}` is neither JSON nor a single word")
    return word[0], word.end()


def _decimal(text: str) -> Fraction:
    """A JSON number that has a point or an exponent. Raises `RaspError` before it grows."""
    mantissa, _, exponent = text.lower().partition("e")
    if len(text) > MAX_DIGITS or abs(int(exponent or "0")) + len(mantissa) > MAX_DIGITS:
        raise _long_number(f"`{_cut(text)}`")
    return Fraction(text)


def _long_number(text: str) -> RaspError:
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
        return _cut(token_text(value) if isinstance(value, Fraction) else repr(value))
    except ValueError:  # Python does not spell out an integer of many digits
        return "a number of many digits"


def _cut(text: str) -> str:
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


def _vocab(value: Any) -> tuple[Value, ...]:
    tokens = _scalars(value, "`vocab`")
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


def _max_length(value: Any) -> int:
    if type(value) is not int or not 0 < value <= MAX_LENGTH:
        raise error("setting", f"`max_length` is an integer from 1 to {MAX_LENGTH}, not {_shown(value)}")
    return value


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
        several = {_name(name, "an output"): _answer(values, tokens) for name, values in answer.items()}
        return Example(tokens, several)
    return Example(tokens, _answer(answer, tokens))


def _answer(value: Any, tokens: tuple[Value, ...]) -> tuple[Value, ...]:
    answer = _scalars(value, "an example's output")
    if len(answer) != len(tokens):
        wanted = counted(len(tokens), "answer")
        raise error("setting", f"an example of {counted(len(tokens), 'token')} has {wanted}, not {len(answer)}")
    return answer


def _generate(value: Any) -> bool | str:
    return value if isinstance(value, bool) else _name(value, "`generate`")


def _stop(value: Any) -> tuple[Value, ...]:
    items = value if isinstance(value, (list, tuple)) else [value]
    return tuple([_scalar(item, "`stop`") for item in items])


def _too_long(settings: Settings) -> list[Diagnostic]:
    """The examples of a header that are longer than its own maximum length."""
    message = f"this example is longer than the maximum length, {settings.max_length}"
    longest = settings.max_length or MAX_LENGTH
    return [Diagnostic("setting", "error", message, e.span) for e in settings.examples if len(e.input) > longest]


_READERS: dict[str, Callable[[Any], Any]] = {
    "output": _names("output"),
    "vocab": _vocab,
    "max_length": _max_length,
    "attention": _attention,
    "example": _examples,
    "requires": _names("requires"),
    "unknown": lambda value: _scalar(value, "`unknown`"),
    "generate": _generate,
    "stop": _stop,
}
_FIELD = {"example": "examples"}
